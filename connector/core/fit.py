"""Holds a leaf against what describe says of a field it reads: whether what may stand there can become AWS's value.

Judges by the mapping's own evaluation and by AWS's shape, with values such a field can have; so it never says anything
else than what a record with that value would be told. Says only what is certain: of free text nothing but its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from connector.core import schema
from connector.core.findings import Severity
from connector.core.mapping.evaluation import Failure, Pass
from connector.core.mapping.nodes import NOTHING, Leaf, When
from connector.core.model import Problem, Structure
from connector.core.paths import Path
from connector.core.schema import Shape, suggest
from connector.core.text import to_text

CHOICES = frozenset({"picklist", "multipicklist"})
CUT_TEXTS = frozenset({"string", "textarea", "phone", "url", "email", "encryptedstring", "combobox"})
"""Types of free text, of which describe tells how much they hold."""
NAMED = 3
"""How many values are named before the others are only counted."""

_A_RECORD = {"street": "1 Main Street", "city": "Austin"}
_SAMPLES: dict[str, tuple[Any, ...]] = {
    "boolean": (True, False),
    "date": ("2027-03-01",),
    "datetime": ("2027-03-01T10:00:00.000+0000",),
    "time": ("10:00:00.000Z",),
    "id": ("006000000000001AAA",),
    "reference": ("005000000000001AAA",),
    "address": (_A_RECORD,),
    "location": ({"latitude": Decimal("30.27"), "longitude": Decimal("-97.74")},),
    "int": tuple(map(Decimal, ("1", "12", "100", "5000", "250000"))),
    "double": tuple(map(Decimal, ("1", "12", "12.5", "100", "5000", "250000.25"))),
}
_SAMPLES |= {"currency": _SAMPLES["double"], "percent": _SAMPLES["double"]}
"""Values of each type that is not free text, enough of them that one fits where any would."""


class Described(Protocol):
    """What describe says of a field, as far as it matters here; ``length`` is 0 where there is none."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def length(self) -> int: ...
    @property
    def picklist(self) -> tuple[str, ...]: ...
    @property
    def restricted(self) -> bool: ...
    @property
    def html(self) -> bool: ...
    @property
    def dependent(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Misfit:
    """One way in which a field does not fit what the mapping does with it.

    ``message`` is the rest of a sentence that begins with the field's name.
    """

    severity: Severity
    kind: str
    message: str
    cure: str


def misfits_of_leaf(leaf: Leaf, source: Path, field: Described) -> tuple[Misfit, ...]:
    """What of this field a leaf cannot use. ``source`` is the path of the leaf that reads it."""
    if not _reads_alone(leaf, source):
        return ()
    if field.type in CHOICES:
        return _misfits_of_choices(leaf, source, field)
    if field.type in CUT_TEXTS:
        return (*_misfits_of_markup(leaf, field), *_misfits_of_length(leaf, source, field))
    return _misfits_of_type(leaf, source, field)


def _reads_alone(leaf: Leaf, source: Path) -> bool:
    """Whether the value follows from this field only, so that it can be foretold."""
    if leaf.template is not None and len(leaf.template.paths) > 1:
        return False
    return len(source.labels) == 1


# what becomes of a value


def _problems_of(leaf: Leaf, source: Path, value: Any) -> tuple[list[Problem], Any]:
    """(what AWS or a transform has against it, what it becomes) of a value that stands in the field alone."""
    alone = replace(leaf, when=None) if _waits_for_another(leaf, source) else leaf
    outcome = Pass({}).evaluate(alone, _record_with(source, value))
    if isinstance(outcome, Failure):
        # What depends on another leaf, or on the rest of the record, cannot be told here.
        is_certain = outcome.problem.code == "transform" and not outcome.lacked
        return ([outcome.problem] if is_certain else []), None
    return ([] if outcome in NOTHING else schema.check(outcome, leaf.shape, leaf.path)), outcome


def _waits_for_another(leaf: Leaf, source: Path) -> bool:
    """Whether the leaf has a condition, and on something else than what it reads."""
    when = leaf.when
    return when is not None and (when.field is None or when.field.text.lower() != source.text.lower())


def _record_with(source: Path, value: Any) -> Structure:
    """A record in which only the field that this path reads has a value."""
    if source.fields:
        return _nested(source.fields[0], value)
    ((relationship, name),) = source.children
    return {relationship: [_nested(name, value)]}


def _nested(path: str, value: Any) -> Structure:
    for step in reversed(path.split(".")):
        value = {step: value}
    return dict(value)


# picklists


def _misfits_of_choices(leaf: Leaf, source: Path, field: Described) -> tuple[Misfit, ...]:
    """Each active value must become something that AWS takes, and of a multi-select also several at once."""
    found = {value: _problems_of(leaf, source, value)[0] for value in field.picklist}
    unmapped = [value for value, problems in found.items() if problems]
    fitting = [value for value, problems in found.items() if not problems]
    if unmapped and not fitting and all(found[value][0].code == "type" for value in unmapped):
        return (_of_type(leaf, found[unmapped[0]][0]),)
    misfits = [_unmapped(leaf, unmapped)] if unmapped and not (fitting and _is_narrowed(leaf, source, field)) else []
    if field.type == "multipicklist" and len(fitting) > 1:
        problems, _ = _problems_of(leaf, source, ";".join(fitting[:2]))
        if problems:
            misfits.append(_of_several(leaf, problems[0]))
    return tuple(misfits)


def _is_narrowed(leaf: Leaf, source: Path, field: Described) -> bool:
    """Whether a condition may leave only some values of the picklist: the states of a country, or those of a record
    type.
    """
    if leaf.when is None or not _waits_for_another(leaf, source):
        return False
    return field.dependent or (leaf.when.field is not None and "recordtype" in leaf.when.field.text.lower())


def _of_several(leaf: Leaf, problem: Problem) -> Misfit:
    if leaf.shape.kind != "list":
        cure = "Make it a picklist with one value, or take one of them in the mapping."
        return Misfit(Severity.WARNING, "picklist", f"is a multi-select, and {leaf.path} takes one value.", cure)
    message = f"is a multi-select, and several of its values do not go to {leaf.path}: {problem.message}"
    return Misfit(Severity.WARNING, "picklist", message, "Add the transform split.")


def _unmapped(leaf: Leaf, values: Sequence[str]) -> Misfit:
    message = f"{listed(values)} {'have' if len(values) > 1 else 'has'} no AWS value at {leaf.path}."
    return Misfit(Severity.WARNING, "picklist", f": {message}", _line_for(leaf, values[0]))


def listed(values: Sequence[str], named: int = NAMED) -> str:
    """``'Renewal' and 2 other values``; up to ``named`` and one more they are named all."""
    texts = [repr(value) for value in values]
    if len(texts) > named + 1:
        return f"{', '.join(texts[:named])} and {len(texts) - named} other values"
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def _line_for(leaf: Leaf, value: str) -> str:
    """The line to write for a value that the mapping does not know."""
    known = _accepted(leaf.shape)
    target = suggest(value, known).split("'")[1:2] or ["…"]
    where = "below `values`" if leaf.values is not None else "a list of `values`"
    cure = f"Add {where}, with lines such as `{value}: {target[0]}`"
    cure += ", or set `otherwise`." if leaf.values is not None else "."
    return f"{cure} AWS takes {', '.join(known[:6])}{' …' if len(known) > 6 else ''}." if known else cure


def _accepted(shape: Shape) -> tuple[str, ...]:
    return shape.item.enum if shape.kind == "list" and shape.item is not None else shape.enum


# other types


def _misfits_of_type(leaf: Leaf, source: Path, field: Described) -> tuple[Misfit, ...]:
    """A type of which no value fits; of a checkbox either state must."""
    samples = _SAMPLES.get(field.type, ())
    found = [_problems_of(leaf, source, value)[0] for value in samples]
    wrong = [problems[0] for problems in found if problems]
    if not wrong or (field.type != "boolean" and len(wrong) < len(samples)):
        return ()
    told = _of_type(leaf, wrong[0])
    return (replace(told, message=f"is {_TYPES.get(field.type, 'of the type ' + field.type)}: {told.message}"),)


_TYPES = {
    "boolean": "a checkbox",
    "datetime": "a date with a time",
    "date": "a date",
    "address": "a whole address",
    "reference": "a lookup, read as an id",
    "id": "an id",
}


def _of_type(leaf: Leaf, problem: Problem) -> Misfit:
    message = f"{leaf.path} cannot take its values. {problem.message}"
    return Misfit(Severity.ERROR, "field-type", message, problem.cure)


def _misfits_of_markup(leaf: Leaf, field: Described) -> tuple[Misfit, ...]:
    if not field.html or any(step.transform.name == "html_text" for step in leaf.steps):
        return ()
    message = f"is rich text, and {leaf.path} would be sent with its HTML tags."
    return (Misfit(Severity.WARNING, "html", message, "Put html_text first among its transforms."),)


def _misfits_of_length(leaf: Leaf, source: Path, field: Described) -> tuple[Misfit, ...]:
    """A text as long as the field takes, against what AWS takes."""
    if not field.length:
        return ()
    problems, outcome = _problems_of(leaf, source, "x" * field.length)
    if not isinstance(outcome, str) or not any(one.code in {"length", "min", "max"} for one in problems):
        return ()
    least, most = schema.lengths_of(leaf.shape)
    if len(outcome) < least:
        message = f"gives {len(outcome)} characters at most, and AWS wants at least {least} at {leaf.path}."
        return (Misfit(Severity.ERROR, "field-too-short", message, "Name another field, or make this one longer."),)
    message = f"takes {field.length} characters, and AWS {most} at {leaf.path}: longer texts hold their record."
    cure = f"Add the transform {{truncate: {most}}}, or make the field shorter."
    return (Misfit(Severity.WARNING, "field-too-long", message, cure),)


# constants that are compared with a field


def misfits_of_when(when: When, field: Described) -> tuple[Misfit, ...]:
    """Values of a leaf's own condition that this field never has."""
    if when.test in {"present", "empty"}:
        return ()
    known = field.picklist if field.type == "picklist" else ("true", "false") if field.type == "boolean" else ()
    return _never_there(tuple(when.wanted.values()), known)


def misfits_of_comparison(operator: str, values: Iterable[Any], field: Described) -> tuple[Misfit, ...]:
    """Texts in a SOQL condition that this picklist does not have. ``operator``: see ``condition.Comparison``."""
    if field.type not in CHOICES or operator in {"LIKE", "<", ">", "<=", ">="}:
        return ()
    texts = [value for value in values if isinstance(value, str) and value]
    if field.type == "multipicklist":
        texts = [part.strip() for text in texts for part in text.split(";")]
    return _never_there(texts, field.picklist)


def _never_there(wanted: Sequence[str], known: Sequence[str]) -> tuple[Misfit, ...]:
    """``known`` is empty where nothing is known."""
    folded = {to_text(value).casefold() for value in known}
    missing = [value for value in wanted if value.casefold() not in folded]
    if not known or not missing:
        return ()
    cure = suggest(missing[0], list(known)) or f"Its values are {listed(known, 8)}."
    message = f"is compared with {listed(missing)}, which {'are' if len(missing) > 1 else 'is'} none of its values."
    return (Misfit(Severity.WARNING, "picklist", message, cure),)
