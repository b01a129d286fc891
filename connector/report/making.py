"""How the mapping makes each value, in words: transforms, translations and what stands in. Reads the mapping only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from connector.core.mapping.nodes import CompiledMapping, Leaf, Step, leaves_of

_INDEX = re.compile(r"\[\d*\]")
LONGEST = 60


def making_of(mapping: CompiledMapping) -> Mapping[str, tuple[str, ...]]:
    """What is done to a value on its way, in order, by AWS path without indices; nothing for what goes as it is."""
    return {_INDEX.sub("", leaf.path): told for leaf in _leaves(mapping) if (told := tuple(_steps(leaf)))}


def made_by(making: Mapping[str, tuple[str, ...]], path: str) -> tuple[str, ...]:
    """The steps of the value at this path."""
    return making.get(_INDEX.sub("", path), ())


def _leaves(mapping: CompiledMapping) -> Iterator[Leaf]:
    yield from leaves_of(mapping.tree)
    yield from mapping.associate.values()
    if mapping.submission is not None:
        yield from leaves_of(mapping.submission.members)
    if mapping.assign is not None:
        yield from leaves_of(mapping.assign)


def _steps(leaf: Leaf) -> Iterator[str]:
    if leaf.template is not None:
        yield "template"
    for step in leaf.steps:
        yield _told(step)
    if leaf.values:
        yield f"values: {len(leaf.values)} translated"
    if leaf.default is not None:
        yield f"default: {_short(leaf.default)}"
    if leaf.owner == "aws":
        yield "owner: aws"


def _told(step: Step) -> str:
    given = {name: value for name, value in step.arguments.items() if value not in (None, "")}
    if not given:
        return step.transform.name
    told = ", ".join(f"{name} {_short(value)}" for name, value in given.items())
    return f"{step.transform.name} ({told})"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
