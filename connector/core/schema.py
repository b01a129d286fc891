"""Checks a payload against a field table. The table is plain data; an adapter reads it from botocore's model.

botocore itself no longer checks enums, patterns and lengths, so a wrong value would reach AWS and come back late.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import regex

from connector.core.model import Problem

_NOTHING: tuple[Any, ...] = (None, "", [], {})
REGEX_TIMEOUT = 1.0  # seconds; AWS's e-mail pattern can be made to backtrack


@dataclass(frozen=True, slots=True)
class Shape:
    """One node of the field table: a structure with members, a list with an item, or a scalar."""

    kind: str
    members: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    item: Shape | None = None
    enum: tuple[str, ...] = ()
    pattern: str = ""
    min: int | None = None
    max: int | None = None
    sensitive: bool = False
    union: bool = False
    accepted: frozenset[str] = field(init=False, repr=False, compare=False)  # the enum, for a quick look

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepted", frozenset(self.enum))

    def at(self, path: str) -> Shape | None:
        """The shape at a dotted path; list steps (``[]`` or ``[3]``) may be left out. None when unknown."""
        shape: Shape | None = self
        for step in steps_of(path):
            while shape is not None and shape.kind == "list":
                shape = shape.item
            shape = shape.members.get(step) if shape is not None else None
        return shape

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, Shape]]:
        """Every scalar or list of scalars below this structure, as (path, shape); lists of structures add ``[]``."""
        for name, shape in self.members.items():
            path = f"{prefix}{name}"
            if shape.kind == "structure":
                yield from shape.leaves(f"{path}.")
            elif shape.kind == "list" and shape.item is not None and shape.item.kind == "structure":
                yield from shape.item.leaves(f"{path}[].")
            else:
                yield path, shape


def steps_of(path: str) -> list[str]:
    """``Customer.Contacts[0].Email`` → ``["Customer", "Contacts", "Email"]``."""
    return [step.partition("[")[0] for step in path.split(".") if step]


def suggest(name: str, known: Mapping[str, Any] | tuple[str, ...] | list[str]) -> str:
    """A ``Did you mean …?`` sentence, or nothing."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return f"Did you mean {lowered[close[0]]!r}?" if close else ""


def check(payload: Any, shape: Shape, path: str = "") -> list[Problem]:
    """Every way in which ``payload`` breaks ``shape``, with AWS paths."""
    return _CHECKS.get(shape.kind, check_scalar)(payload, shape, path)


def _check_structure(payload: Any, shape: Shape, path: str) -> list[Problem]:
    if not isinstance(payload, dict | Mapping):  # dict first: it is one, and the other takes long to find out
        return [Problem(path, "A structure is needed here.", "Give its members.", "type")]
    prefix = f"{path}." if path else ""
    missing = [name for name in shape.required if payload.get(name) in _NOTHING]
    problems = [
        Problem(f"{prefix}{name}", "Required by AWS and empty.", "Fill it in.", "required") for name in sorted(missing)
    ]
    if shape.union and len(payload) != 1:
        problems.append(Problem(path, "Exactly one of its members may be set.", "Keep one of them.", "union"))
    for name, value in payload.items():
        if name not in shape.members:
            cure = suggest(name, shape.members) or "Remove it."
            problems.append(Problem(f"{prefix}{name}", "AWS does not know this member.", cure, "unknown"))
        elif name not in missing:
            member = shape.members[name]
            problems += _CHECKS.get(member.kind, check_scalar)(value, member, prefix + name)
    return problems


def _check_list(payload: Any, shape: Shape, path: str) -> list[Problem]:
    if not isinstance(payload, list):
        return [Problem(path, "A list is needed here.", "Use split, each or a YAML list.", "type")]
    problems = []
    if shape.min is not None and len(payload) < shape.min:
        problems.append(Problem(path, f"AWS wants at least {shape.min} here.", "Add more.", "min"))
    if shape.max is not None and len(payload) > shape.max:
        message = f"AWS takes at most {shape.max} here, there are {len(payload)}."
        problems.append(Problem(path, message, "Remove some.", "max"))
    if shape.item is not None:
        for index, value in enumerate(payload):
            problems.extend(check(value, shape.item, f"{path}[{index}]"))
    return problems


_CHECKS: Mapping[str, Callable[[Any, Shape, str], list[Problem]]] = {
    "structure": _check_structure,
    "list": _check_list,
}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "timestamp": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "float": (int, float),
    "double": (int, float),
}


def check_scalar(value: Any, shape: Shape, path: str) -> list[Problem]:
    """Type, enum, pattern and bounds of one value; the value itself is not quoted where AWS calls it sensitive."""
    expected = _TYPES.get(shape.kind, (object,))
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        if object not in expected:
            message = f"AWS wants a {shape.kind} here, this is a {_name_of(value)}."
            return [Problem(path, message, "Use a transform that gives one.", "type")]
        return []
    if shape.enum and value not in shape.accepted:
        cure = suggest(str(value), shape.enum) or f"Use one of: {_listed(shape.enum)}."
        return [Problem(path, f"{_quoted(value, shape)} is not a value AWS knows.", cure, "enum")]
    if shape.pattern and isinstance(value, str) and not matches(shape.pattern, value):
        return [_pattern_problem(value, shape, path)]
    return [] if shape.min is None and shape.max is None else _bounds(value, shape, path)


def matches(pattern: str, value: str) -> bool:
    """Whether the whole value fits; AWS's patterns use ``\\p{…}``, which the standard library lacks."""
    lengths = _lengths(pattern)
    if lengths is not None:
        return lengths[0] <= len(value) <= lengths[1]
    try:
        return _is_match(pattern, value)
    except TimeoutError:
        return False


@lru_cache(maxsize=4096)
def _is_match(pattern: str, value: str) -> bool:
    """Raises TimeoutError, which is not remembered: the next attempt may be quicker."""
    return _compiled(pattern).fullmatch(value, timeout=REGEX_TIMEOUT) is not None


@cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


_LENGTH = regex.compile(r"\(\?s\)\.\{(\d+),(\d+)\}")


@cache
def _lengths(pattern: str) -> tuple[int, int] | None:
    """The fewest and the most characters, of a pattern that says nothing else."""
    match = _LENGTH.fullmatch(pattern)
    return None if match is None else (int(match[1]), int(match[2]))


def lengths_of(shape: Shape) -> tuple[int, int | None]:
    """The fewest and the most characters of a text; 0 and None where AWS's model does not say."""
    return _lengths(shape.pattern) or (shape.min or 0, shape.max)


def _pattern_problem(value: str, shape: Shape, path: str) -> Problem:
    lengths = _lengths(shape.pattern)
    if lengths is None:
        cure = "Correct it in Salesforce, or add a transform."
        return Problem(path, f"{_quoted(value, shape)} does not fit AWS's pattern {shape.pattern}.", cure, "pattern")
    low, high = lengths
    if len(value) < low:
        return Problem(path, f"It has {len(value)} characters, AWS wants at least {low}.", "Write more.", "length")
    cure = f"Shorten it, or add the transform {{truncate: {high}}}."
    return Problem(path, f"It has {len(value)} characters, AWS takes {high}.", cure, "length")


def _bounds(value: Any, shape: Shape, path: str) -> list[Problem]:
    size = len(value) if isinstance(value, str) else value
    if shape.min is not None and size < shape.min:
        return [Problem(path, f"Smaller than AWS's minimum {shape.min}.", "Raise it.", "min")]
    if shape.max is not None and size > shape.max:
        return [Problem(path, f"Larger than AWS's maximum {shape.max}.", "Lower it.", "max")]
    return []


def _quoted(value: Any, shape: Shape) -> str:
    return "The value" if shape.sensitive and not shape.enum else repr(value)


def _name_of(value: Any) -> str:
    names = {bool: "yes/no value", dict: "structure", list: "list", type(None): "missing value"}
    return names.get(type(value), type(value).__name__)


def _listed(values: tuple[str, ...]) -> str:
    shown = ", ".join(values[:12])
    return f"{shown}, … ({len(values)} in all)" if len(values) > 12 else shown
