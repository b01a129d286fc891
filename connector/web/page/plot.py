"""Bars over time, and a stacked bar, as numbers that a template draws. Knows nothing of what they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 400, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 20, 14, 26
_GAP = 0.25
_FAR = 4
"""A limit that is further above everything than this would leave nothing to see of the rest."""


_STEPS = (1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 30, 40, 50, 60, 80, 100)


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, with what it stands for."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """A horizontal line with its number."""

    y: float
    count: int


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars in a field of ``width`` × ``height``. ``limit`` is None where it lies far above; ``told`` are the (place,
    label) below."""

    bars: tuple[Bar, ...]
    ticks: tuple[Line, ...]
    limit: Line | None
    told: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = HEIGHT - BOTTOM


def plot(labels: Sequence[str], counts: Sequence[int], limit: float, every: int) -> Plot:
    """Bars with these labels, of which each ``every``-th is written out, counted from the last."""
    most = max(counts, default=0)
    is_near = 0 < limit <= _FAR * max(most, 1)
    top = to_round(max(most, limit if is_near else 0, 1) * 1.05)
    field, step = HEIGHT - TOP - BOTTOM, (WIDTH - LEFT - RIGHT) / max(len(counts), 1)

    def y(count: float) -> float:
        return round(TOP + field * (1 - count / top), 2)

    bars = tuple(
        Bar(
            round(LEFT + step * (index + _GAP / 2), 2),
            y(count),
            round(step * (1 - _GAP), 2),
            round(field * count / top, 2),
            label,
            count,
        )
        for index, (label, count) in enumerate(zip(labels, counts, strict=True))
    )
    told = tuple(
        (round(bar.x + bar.width / 2, 2), bar.label)
        for index, bar in enumerate(bars)
        if (len(bars) - 1 - index) % every == 0
    )
    ticks = tuple(Line(y(count), count) for count in (0, top // 2, top) if count in (0, top) or top > 1)
    return Plot(bars, ticks, Line(y(limit), round(limit)) if is_near else None, told)


def to_round(most: float) -> int:
    """The next number with an even half, of few digits, that is not below."""
    unit = int(10 ** max(math.floor(math.log10(max(most, 1))) - 1, 0))
    return next(steps * unit for steps in _STEPS if steps * unit >= most)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stacked bar, in thousandths of it."""

    key: str
    name: str
    count: int
    x: float
    width: float


def stack(counts: Mapping[str, int], names: Mapping[str, str]) -> tuple[Part, ...]:
    """The parts in the order of the names, those of 0 left out. A small part still is seen."""
    total = sum(counts.values())
    shown = {key: max(counts[key] / total, 0.006) for key in names if counts.get(key)}
    scale, x, parts = sum(shown.values()), 0.0, []
    for key, share in shown.items():
        width = 1000 * share / scale
        parts.append(Part(key, names[key], counts[key], round(x, 2), round(width, 2)))
        x += width
    return tuple(parts)
