"""What a leaf can be whatever record comes, as far as the mapping alone says. Knows no record and no rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connector.core import schema
from connector.core.mapping.nodes import NOTHING, Leaf, Step
from connector.core.paths import is_dotted
from connector.core.schema import Shape
from connector.core.text import to_text
from connector.core.transforms import TransformError, apply

# Salesforce: fields that every record of any object has, and those that an opportunity cannot be saved without.
_ALWAYS_FILLED = frozenset(
    ("id", "isdeleted", "createddate", "createdbyid", "lastmodifieddate", "lastmodifiedbyid", "systemmodstamp")
)
_OF_AN_OPPORTUNITY = frozenset(("name", "stagename", "closedate", "ownerid", "isclosed", "iswon"))
# Texts of which one fits any pattern of AWS's model that is no list of values.
_EXAMPLES = (
    "An example of more than twenty characters",
    *("2999-12-31", "1.00", "O1234567", "111122223333", "123456789", "+14155550100", "sam@partner.example"),
    "https://calculator.aws/#/estimate?id=0123456789abcdef0123456789abcdef",
    "https://www.example.com",
)
# What these give they would give again, so a text that they change is none of theirs.
_SETTLING = frozenset(
    (
        *("trim", "lower", "upper", "truncate", "first_line", "one_line", "digits", "yes_no", "country_code"),
        *("us_state", "email", "website", "aws_account_id", "duns", "date", "money", "integer"),
        *("split", "only", "unique", "sort"),
    )
)


@dataclass(frozen=True, slots=True)
class Domain:
    """What a leaf may send when its ``when`` holds.

    ``is_closed``: one of ``values`` and nothing else; otherwise they are examples. ``may_be_empty``: or nothing.
    """

    values: tuple[Any, ...]
    is_closed: bool
    may_be_empty: bool


def domain_of(leaf: Leaf, sobject: str, asked: Iterable[str] = ()) -> Domain:
    """The domain of a leaf. ``sobject`` is the object it is read from; ``asked`` values that others compare it with."""
    if not leaf.sources and leaf.template is None and leaf.like is None:
        return Domain(_as_sent([leaf.constant], leaf), True, leaf.constant in NOTHING)
    may_be_empty = leaf.default in NOTHING and never_empty(leaf, sobject) is None
    if leaf.values is not None:
        given = [found for name, found in leaf.values.items() if may_be_key(leaf, name)]
        values = _as_sent([*given, leaf.otherwise, leaf.default], leaf)
        return Domain(values, True, may_be_empty or any(found in NOTHING for found in given))
    item = leaf.shape.item if leaf.shape.kind == "list" else leaf.shape
    if item is not None and item.enum:
        last = leaf.steps[-1] if leaf.steps else None
        possible = [value for value in item.enum if value == leaf.default or last is None or may_give(last, value)]
        return Domain(_as_sent(possible, leaf), True, may_be_empty)
    examples = [] if item is None else [example_of(item)]
    return Domain(_as_sent([leaf.default, *examples, *sorted(asked)], leaf), False, may_be_empty)


def _as_sent(values: Iterable[Any], leaf: Leaf) -> tuple[Any, ...]:
    """Each value once, as the leaf would send it; of a list one item is enough."""
    kept = [value for value in values if value not in NOTHING]
    if leaf.shape.kind == "list":
        return tuple(value if isinstance(value, list) else [to_text(value)] for value in kept)[:1]
    texts = [value if isinstance(value, str | bool | list | dict) else to_text(value) for value in kept]
    return tuple(value for index, value in enumerate(texts) if value not in texts[:index])


def example_of(shape: Shape) -> str | None:
    """A text that fits AWS's model, None where none is known."""
    if shape.enum:
        return shape.enum[0]
    return next((text for text in _EXAMPLES if not schema.check(text, shape)), None)


def never_empty(leaf: Leaf, sobject: str) -> int | None:
    """The index of the first source that has a value on every record; None where there is no such source."""
    is_row = "[]" in leaf.path or leaf.like is not None
    for index, source in enumerate(leaf.sources):
        name = source.text.lower()
        is_certain = name in _ALWAYS_FILLED or (name in _OF_AN_OPPORTUNITY and sobject.lower() == "opportunity")
        if is_certain and not is_row and not leaf.path.startswith(("Invitation.", "inbound.")):
            return index
    return None


def may_be_key(leaf: Leaf, name: str) -> bool:
    """Whether ``values`` can ever be asked for this name: it is stripped, and what the transforms give."""
    is_plain = bool(name.strip()) and name == name.strip()
    return is_plain and (not leaf.steps or may_give(leaf.steps[-1], name))


def may_give(step: Step, text: str) -> bool:
    """Whether this transform may have this result, but for its case; True where nobody knows."""
    name = step.transform.name
    if name in {"prefix", "suffix"}:
        added, folded = str(step.arguments["text"]).casefold(), text.casefold()
        return folded.startswith(added) if name == "prefix" else folded.endswith(added)
    if name not in _SETTLING or step.aws_paths:
        return True
    try:
        again = apply(step.transform, text, step.arguments)
    except TransformError:
        return False
    if isinstance(again, list):
        again = again[0] if len(again) == 1 else None
    return again is not None and to_text(again).casefold() == text.casefold()


def is_list(leaf: Leaf) -> bool | None:
    """Whether the leaf gives a list, for certain or for certain not; None where the record or ``values`` decide."""
    if leaf.like is not None or any(isinstance(found, list) for found in (leaf.values or {}).values()):
        return None
    known: bool | None = False
    if leaf.template is None and not all(is_dotted(source.text) for source in leaf.sources):
        known = None
    for step in leaf.steps:
        if step.transform.gives == "list":
            known = True
        elif step.transform.name == "join":
            known = False
    return known
