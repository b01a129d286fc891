"""Which type a line of a mapping asks of the field it reads or fills: from transforms, values and AWS's shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from connector.core.condition import Comparison
from connector.core.mapping.nodes import Leaf
from connector.core.rules import USE_CASES
from connector.core.schema import Shape, steps_of
from connector.core.text import to_text
from connector.provisioning.salesforce.field_types import (
    CHECKBOX,
    DATE,
    DATE_TIME,
    EMAIL,
    LONGEST_TEXT,
    MESSAGE_LENGTH,
    MONEY,
    OPEN,
    RICH_TEXT,
    URL,
    FieldType,
    to_choice,
    to_number_type,
    to_text_type,
)
from connector.provisioning.salesforce.lengths import most_characters

_UNCHANGING = frozenset({"trim", "split", "unique", "sort", "only", "truncate", "one_line"})
"""Transforms after which a picklist's value is still AWS's own."""
_BY_TRANSFORM: Mapping[str, FieldType] = {
    "html_text": RICH_TEXT,
    "yes_no": to_choice(("Yes", "No")),
    "money": MONEY,
    "email": EMAIL,
    "website": URL,
}
_CALCULATING = frozenset({"divide", "multiply", "round"})
_WRITTEN_FREELY: Mapping[str, int] = {"phone": 80, "country_code": 80, "us_state": 80}
"""What people write in many ways and a transform brings into AWS's: room for all of them."""
_LISTED: Mapping[str, tuple[str, ...]] = {
    # Values that AWS takes though its model names none, or more than it takes: see the rules of the same names.
    "Project.CustomerUseCase": USE_CASES,
    "ExpectedCustomerSpend.CurrencyCode": ("USD", "EUR"),
}
_WHOLE_NUMBERS: Mapping[str, int] = {"ExpectedContractDuration.Value": 3}  # digits: 1 to 144 months
_ARNS = frozenset({"AwsMarketplaceSolutions", "AwsMarketplaceProducts"})
"""Associated by ARN and up to ten of them, which no Text holds."""
_ARN_LIST = 10 * (LONGEST_TEXT + 1)
_ISSUED_LENGTH = 64
_PROSE = frozenset({"Message", "ReviewComments", "NextBestActions", "AdditionalComments", "CustomerBusinessProblem"})
_STATUS_LENGTH = 80
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
_DAY_PATTERN = "[1-9][0-9]{3}-"
_MONEY_END = r"(\.[0-9]{0,2})?"

T = TypeVar("T")
Documented = Callable[[str], tuple[str, ...]]
"""The values that AWS's documentation lists for a path of CreateOpportunity where the model has no enum."""


def type_of_source(leaf: Leaf, documented: Documented, *, beside_standard: bool) -> FieldType:
    """What a leaf asks of a field it is read from; ``beside_standard``: a standard field is its source as well."""
    names = [step.transform.name for step in leaf.steps]
    if "date" in names:
        has_zone = any(step.arguments.get("zone") for step in leaf.steps if step.transform.name == "date")
        return DATE_TIME if has_zone else DATE
    for name in names:
        if name in _BY_TRANSFORM:
            return _BY_TRANSFORM[name]
    if "integer" in names:
        return to_number_type(_known(_WHOLE_NUMBERS, leaf.path) or 9)
    if _CALCULATING & set(names):
        return MONEY
    freely = [_WRITTEN_FREELY[name] for name in names if name in _WRITTEN_FREELY]
    if freely:
        return to_text_type(max(freely))
    is_several = "split" in names
    if leaf.values is not None:
        return to_choice(_taken(leaf, beside_standard=beside_standard), several=is_several)
    if set(names) <= _UNCHANGING:
        return _type_of_choice(leaf, documented, is_several) or _type_of_value(leaf, is_several)
    return _type_of_value(leaf, is_several)


def _taken(leaf: Leaf, *, beside_standard: bool) -> list[str]:
    """The Salesforce values that ``values`` translates.

    Beside a standard field the list is for that field's values too; then those count that are AWS's own.
    """
    values = leaf.values or {}
    own = [name for name in _inner(leaf.shape).enum if to_text(values.get(name)) == name]
    return own if beside_standard and own else list(values)


def _type_of_choice(leaf: Leaf, documented: Documented, is_several: bool) -> FieldType | None:
    """A picklist, where the values that AWS takes are known."""
    listed = _known(_LISTED, leaf.path) or _inner(leaf.shape).enum
    if listed:
        return to_choice(listed, several=is_several)
    told = documented(leaf.path)
    return to_choice(told, several=is_several, restricted=False) if told else None


def _type_of_value(leaf: Leaf, is_several: bool) -> FieldType:
    shape = _inner(leaf.shape)
    if is_several or leaf.shape.kind == "list":
        is_long = steps_of(leaf.path)[-1] in _ARNS
        return to_text_type(_ARN_LIST if is_long else LONGEST_TEXT)
    if shape.enum:  # changed on the way, so that the field's values are not AWS's
        return to_text_type(LONGEST_TEXT)
    return _type_of_shape(shape, leaf.path)


def type_of_fact(fact: str, shape: Shape | None) -> FieldType:
    """What a fact of AWS, or of the connector, needs.

    A picklist could refuse a word that AWS uses from tomorrow on, and with it the whole record: so words are texts.
    """
    plain = {"sync.status": to_text_type(20), "sync.message": to_text_type(MESSAGE_LENGTH), "sync.at": DATE_TIME}
    if fact in plain:
        return plain[fact]
    last = steps_of(fact)[-1]
    if shape is None:
        return to_text_type(LONGEST_TEXT)
    if shape.kind == "list" or last in _PROSE:
        return to_text_type(MESSAGE_LENGTH)
    if shape.enum:
        return to_text_type(max(map(len, shape.enum)), _STATUS_LENGTH)
    found = _type_of_shape(shape, fact)
    if fact == "opportunity.Id":
        return replace(found, external_id=True)
    # An address that Salesforce finds fault with would be refused, and the record's other facts with it.
    return to_text_type(80) if found == EMAIL else to_text_type(LONGEST_TEXT) if found == URL else found


def type_of_full_name(person: Shape, *, is_one: bool) -> FieldType:
    """First and last name with a space between them; of several people with a semicolon after each."""
    if not is_one:
        return to_text_type(MESSAGE_LENGTH)
    parts = (person.members[name] for name in ("FirstName", "LastName"))
    return to_text_type(sum(most_characters(part.pattern) or part.max or 80 for part in parts) + 1)


def type_of_inbound(leaf: Leaf, shapes: Iterable[tuple[str, Shape | None]]) -> FieldType:
    """What an inbound line needs: what its own values make of AWS's, else what the widest of its facts is."""
    if leaf.values is not None:
        made = [to_text(value) for value in (*leaf.values.values(), leaf.otherwise) if value is not None]
        return to_text_type(max(map(len, made), default=LONGEST_TEXT), _STATUS_LENGTH)
    found = [type_of_fact(fact, shape) for fact, shape in shapes]
    return found[0] if len(set(found)) == 1 and not leaf.steps else to_text_type(LONGEST_TEXT)


def type_of_comparison(comparison: Comparison) -> FieldType:
    """What a condition tells of a field: nothing, where it is compared with a text or with nothing."""
    told = [value for value in comparison.values if value is not None]
    if told and all(isinstance(value, bool) for value in told):
        return CHECKBOX
    if told and all(isinstance(value, Decimal) for value in told):
        return to_number_type(16, 2)
    texts = [value for value in told if isinstance(value, str)]
    if texts and all(_MOMENT.fullmatch(text) for text in texts):
        return DATE_TIME if any("T" in text for text in texts) else DATE
    return OPEN


def _type_of_shape(shape: Shape, path: str) -> FieldType:
    by_kind = {"timestamp": DATE_TIME, "boolean": CHECKBOX, "integer": to_number_type(9), "long": to_number_type(18)}
    if shape.kind in by_kind:
        return by_kind[shape.kind]
    if shape.kind in {"float", "double"}:
        return to_number_type(16, 2)
    if shape.pattern.startswith(_DAY_PATTERN):
        return DATE
    if _MONEY_END in shape.pattern:
        return MONEY
    last = steps_of(path)[-1]
    if last == "Email":
        return EMAIL
    if last.endswith("Url"):
        return URL
    longest = most_characters(shape.pattern) or shape.max
    return to_text_type(longest, _ISSUED_LENGTH if "-[0-9a-z]{" in shape.pattern else 0)


def _inner(shape: Shape) -> Shape:
    return shape.item if shape.kind == "list" and shape.item is not None else shape


def _known(table: Mapping[str, T], path: str) -> T | None:
    """The entry whose name the path ends with, list steps aside."""
    plain = ".".join(steps_of(path))
    return next((found for name, found in table.items() if f".{plain}".endswith(f".{name}")), None)
