"""The half-open day ranges that SOQL's date literals (TODAY, LAST_N_DAYS:7, THIS_MONTH...) stand for.

Weeks begin on Sunday, as in an org of the locale en_US; days are those of UTC.
"""

from __future__ import annotations

from datetime import date, timedelta

_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}


def to_days(literal: str, count: int, today: date) -> tuple[date, date]:
    """The first day, and the day after the last; LAST_N_DAYS includes today, NEXT_N_DAYS does not."""
    if literal in {"YESTERDAY", "TODAY", "TOMORROW"}:
        day = today + timedelta(days=("YESTERDAY", "TODAY", "TOMORROW").index(literal) - 1)
        return day, day + timedelta(days=1)
    side, *rest = literal.split("_")
    if rest[-1] == "DAYS":
        return _to_day_range(side, count if rest[0] == "N" else int(rest[0]), today)
    unit = rest[-1].removesuffix("S") if rest[0] == "N" else rest[-1]
    first, after = _moves(side, count if rest[0] == "N" else 1)
    return _step(_start(unit, today), unit, first), _step(_start(unit, today), unit, after)


def _to_day_range(side: str, days: int, today: date) -> tuple[date, date]:
    tomorrow = today + timedelta(days=1)
    if side == "LAST":
        return today - timedelta(days=days), tomorrow
    return tomorrow, tomorrow + timedelta(days=days)


def _moves(side: str, steps: int) -> tuple[int, int]:
    return {"LAST": (-steps, 0), "THIS": (0, 1), "NEXT": (1, steps + 1)}[side]


def _start(unit: str, day: date) -> date:
    if unit == "WEEK":
        return day - timedelta(days=(day.weekday() + 1) % 7)
    months = _MONTHS[unit]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _step(first: date, unit: str, steps: int) -> date:
    if unit == "WEEK":
        return first + timedelta(weeks=steps)
    month = first.year * 12 + first.month - 1 + steps * _MONTHS[unit]
    return date(month // 12, month % 12 + 1, 1)
