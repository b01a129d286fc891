"""Holds a fact against what describe says of the field that shows it: whether it takes all that AWS can tell.

What a fact can be comes from AWS's model; where that says nothing, from what AWS is known to send.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from connector.core.findings import Severity
from connector.core.fit import CUT_TEXTS, Described, Misfit, listed
from connector.core.lifecycle import SyncStatus
from connector.core.mapping.nodes import Inbound, Leaf
from connector.core.schema import Shape, lengths_of, matches
from connector.core.text import to_text
from connector.core.transforms import TransformError, apply

Kind = Literal["text", "instant", "date", "number", "truth", "email", "any"]
"""``any``: AWS's model says only that it is a text, which may well be a number or a date."""
Roots = Mapping[str, Shape]
"""What AWS tells, by the first step of a fact's name (``opportunity``, ``aws``, ``task``, ``invitation``)."""

_ARN = 128
"""Longer than any ARN of Partner Central: partition, region, account and catalog make up some 100 characters."""
_INSTANT, _DATE = 32, 10
_MUCH = 1000
"""What messages and comments need before they lose what matters."""
_LENGTHS = {
    "task.TaskId": 18,  # the model allows an ARN before it, AWS sends none (API reference, read 2026-11-22)
    "invitation.Id": 18,
    "invitation.Arn": _ARN,
    "sync.message": _MUCH,
    "task.Message": _MUCH,
    "opportunity.LifeCycle.ReviewComments": _MUCH,
    "aws.Insights.NextBestActions": _MUCH,
}
_FULL_NAME = 121
"""First and last name together, as long as Salesforce itself lets one become."""
_LAST_STEP = re.compile(r"(?P<text>[^\\()\[\]{}*+?|]*)(?:\[[^\]]*\]|\\w|\\d)\{(?:\d+,)?(?P<most>\d+)\}")
_WITHIN = re.compile(r"\(\?=\.\{\d+,(?P<most>\d+)\}\$\).*")
_NUMBERS = frozenset({"integer", "long", "float", "double"})
_NUMBER_FIELDS = frozenset({"int", "double", "currency", "percent"})
_TRUTHS = frozenset({"true", "false", "yes", "no"})


@dataclass(frozen=True, slots=True)
class Fact:
    """What a fact can be. ``values``: all of them, none where they cannot be listed; ``longest``: of its texts, None
    where that is unknown. ``is_key``: of no use if a part of it is missing. ``is_several``: one or more, with ``;``
    between them.
    """

    name: str
    kind: Kind = "text"
    values: tuple[str, ...] = ()
    longest: int | None = None
    is_key: bool = False
    is_several: bool = False


def fact_at(name: str, roots: Roots) -> Fact:
    """What the fact of this name can be."""
    if name == "sync.status":
        return _of_values(name, tuple(map(str, SyncStatus)))
    if name == "sync.at":
        return Fact(name, "instant", longest=_INSTANT)
    root, *steps = name.split(".")
    shape, is_several = _shape_at(roots.get(root), steps)
    found = _of_shape(name, shape or Shape("string"))
    if name in _LENGTHS:
        found = replace(found, kind="text", longest=_LENGTHS[name])
    if shape is None and steps[-1:] == ["Name"]:
        found = replace(found, kind="text", longest=_FULL_NAME)
    if is_several:
        longest = sum(map(len, found.values)) + len(found.values) - 1 if found.values else None
        found = replace(found, longest=longest, is_several=True)
    return found


def _shape_at(shape: Shape | None, steps: list[str]) -> tuple[Shape | None, bool]:
    """(the shape of one value, whether there may be several); no shape for made-up names and our own facts."""
    is_several = False
    for step in steps:
        name, _, chosen = step.partition("[")
        shape = shape.members.get(name) if shape is not None else None
        if shape is not None and shape.kind == "list":
            is_several = is_several or not chosen
            shape = shape.item
    return shape, is_several


def _of_shape(name: str, shape: Shape) -> Fact:
    if shape.enum:
        return _of_values(name, shape.enum)
    if shape.kind == "timestamp":
        return Fact(name, "instant", longest=_INSTANT)
    if shape.kind in _NUMBERS or _takes_only(shape.pattern, "125", "12.5x"):
        return Fact(name, "number")
    if _takes_only(shape.pattern, "2027-03-01", "2027-03-01x"):
        return Fact(name, "date", longest=_DATE)
    is_key = shape.pattern.startswith("arn:") or re.search(r"(?:Id|Identifier|Arn)$", name) is not None
    kind: Kind = "email" if name.endswith("Email") else "text" if shape.pattern or is_key else "any"
    return Fact(name, kind, longest=_longest_of(shape), is_key=is_key)


def _takes_only(pattern: str, right: str, wrong: str) -> bool:
    """Whether a pattern takes the one text and, being about such values, neither the other nor a word."""
    return bool(pattern) and matches(pattern, right) and not (matches(pattern, wrong) or matches(pattern, "word"))


def _of_values(name: str, values: tuple[str, ...]) -> Fact:
    is_truth = bool(values) and {value.casefold() for value in values} <= _TRUTHS
    return Fact(name, "truth" if is_truth else "text", values, max(map(len, values), default=0))


def _longest_of(shape: Shape) -> int | None:
    """The most characters, where the model bounds them in a way that can be read."""
    pattern = shape.pattern
    if pattern.startswith("arn:"):
        return _ARN
    if (within := _WITHIN.fullmatch(pattern)) is not None:
        return int(within["most"])
    if (last := _LAST_STEP.fullmatch(pattern)) is not None:
        return len(last["text"]) + int(last["most"])
    return lengths_of(shape)[1]


def facts_of_inbound(entry: Inbound, roots: Roots) -> tuple[Fact, ...]:
    """What an inbound field is given: what its leaf makes of each of its facts, as far as that can be foretold."""
    leaf = entry.leaf
    if leaf.values is not None:
        others = () if leaf.otherwise is None else (leaf.otherwise,)
        texts = tuple(dict.fromkeys(to_text(value) for value in (*leaf.values.values(), *others) if value is not None))
        return (replace(_of_values(entry.facts[0], texts), is_several=fact_at(entry.facts[0], roots).is_several),)
    facts = tuple(fact_at(name, roots) for name in entry.facts)
    return facts if not leaf.steps else tuple(made for fact in facts for made in _transformed(leaf, fact))


def _transformed(leaf: Leaf, fact: Fact) -> list[Fact]:
    """The fact after the transforms of its leaf; nothing where the result cannot be listed."""
    if not fact.values or any(step.aws_paths for step in leaf.steps):
        return []
    results: list[str] = []
    for value in fact.values:
        result: object = value
        try:
            for step in leaf.steps:
                result = apply(step.transform, result, step.arguments)
        except TransformError:  # then the field is left as it is
            continue
        results += [to_text(one) for one in (result if isinstance(result, list) else [result]) if one is not None]
    return [replace(_of_values(fact.name, tuple(dict.fromkeys(results))), is_several=fact.is_several)]


def misfits_of_fact(fact: Fact, field: Described) -> tuple[Misfit, ...]:
    """What of this fact a field cannot show."""
    if field.type in {"picklist", "multipicklist"}:
        return _misfits_of_choices(fact, field)
    if field.type in CUT_TEXTS:
        of_type = _misfits_of_email(fact) if field.type == "email" else ()
        return of_type or _misfits_of_length(fact, field)
    return _misfits_of_type(fact, field)


def _misfits_of_choices(fact: Fact, field: Described) -> tuple[Misfit, ...]:
    several = fact.is_several and field.type == "picklist"
    if several:
        cure = "Make it a multi-select picklist, or a Text."
        return (_wrong(f"is a picklist with one value, and {fact.name} can have several.", cure),)
    if not field.restricted or fact.kind == "any":
        return ()
    if not fact.values:
        message = f"is a restricted picklist, and {fact.name} can be anything: it is {_AN[fact.kind]}."
        return (_wrong(message, f"Make it {_fitting(fact)}."),)
    known = {value.casefold() for value in field.picklist}
    missing = [value for value in fact.values if value.casefold() not in known]
    if not missing:
        return ()
    message = f"is a restricted picklist without {listed(missing)}, which {fact.name} can be."
    return (_wrong(message, f"Add what is missing to the picklist, or make it {_fitting(fact)}."),)


def _misfits_of_email(fact: Fact) -> tuple[Misfit, ...]:
    if fact.kind in {"email", "any"} and not fact.is_several:
        return ()
    return (_wrong(f"takes e-mail addresses only, and {fact.name} is none.", f"Make it {_fitting(fact)}."),)


def _misfits_of_length(fact: Fact, field: Described) -> tuple[Misfit, ...]:
    """A text that does not fit is cut by the connector: comments lose their end, an id its use."""
    if not field.length or fact.longest is None or fact.longest <= field.length:
        return ()
    message = f"takes {field.length} characters, and {fact.name} can have {fact.longest}: it would be cut."
    cure = f"Make it {_fitting(fact)}."
    severity = Severity.ERROR if fact.is_key else Severity.WARNING
    return (Misfit(severity, "field-too-short", message, cure),)


def _misfits_of_type(fact: Fact, field: Described) -> tuple[Misfit, ...]:
    if fact.kind == "instant" and field.type == "date" and not fact.is_several:
        message = f"is a date, and {fact.name} is an instant: only its day in UTC is shown."
        return (Misfit(Severity.WARNING, "field-type", message, f"Make it {_fitting(fact)}."),)
    if _fits(fact, field):
        return ()
    message = f"has the type {field.type}, which does not take {fact.name}: that is {_AN[fact.kind]}."
    return (_wrong(message, f"Make it {_fitting(fact)}."),)


def _fits(fact: Fact, field: Described) -> bool:
    """Whether a field that is neither text nor picklist takes such a fact."""
    if fact.is_several:
        return False
    if field.type in _NUMBER_FIELDS:
        return fact.kind in {"number", "any"}
    takes: Mapping[str, frozenset[Kind]] = {
        "boolean": frozenset({"truth", "any"}),
        "datetime": frozenset({"instant", "date", "any"}),
        "date": frozenset({"date", "any"}),
    }
    return fact.kind in takes.get(field.type, frozenset())


_AN: Mapping[Kind, str] = {
    "text": "a text",
    "instant": "an instant",
    "date": "a date",
    "number": "a number",
    "truth": "a yes or no",
    "email": "an e-mail address",
    "any": "a text",
}


def _fitting(fact: Fact) -> str:
    """The field to make for this fact."""
    if fact.kind == "instant":
        return "a Date/Time"
    if fact.kind == "date":
        return "a Date"
    if fact.kind == "number":
        return "a Number"
    if fact.longest is None or fact.longest > 255:
        return "a Long Text Area"
    return f"a Text({max(fact.longest, 1)}) or longer"


def _wrong(message: str, cure: str) -> Misfit:
    return Misfit(Severity.ERROR, "field-type", message, cure)
