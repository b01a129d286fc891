"""The type of a custom field: what the Metadata API calls it, and which one a line of the mapping asks for.

A line that only tests a field, or fills it into a text, leaves the type open; any other line decides it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

TEXT_LENGTHS = (20, 40, 80, 120, 161, 255)
"""Lengths that a Text gets: some room above what AWS takes, for a seller who writes dashes and spaces."""
LONGEST_TEXT, LONGEST_LONG_TEXT = 255, 131_072
MESSAGE_LENGTH = 32_768
_MOST_VALUES = 1000
_WORDS = ("Text", "Email", "Url", "LongTextArea", "Html")
_CHOICES = ("Picklist", "MultiselectPicklist")


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type as the Metadata API spells it. ``values`` are those of a picklist, which takes no others where
    ``restricted``; ``is_open`` where no line of the mapping decides the type.
    """

    kind: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    values: tuple[str, ...] = ()
    restricted: bool = False
    external_id: bool = False
    is_open: bool = False

    def __str__(self) -> str:
        size = f"{self.precision}, {self.scale}" if self.precision else str(self.length or "")
        return f"{self.kind} ({size})" if size else self.kind


class TypeConflict(ValueError):
    """Two lines ask for types of which no field can be both."""


CHECKBOX, DATE, DATE_TIME = FieldType("Checkbox"), FieldType("Date"), FieldType("DateTime")
MONEY, EMAIL, URL = FieldType("Currency", precision=18, scale=2), FieldType("Email"), FieldType("Url")
RICH_TEXT = FieldType("Html", length=MESSAGE_LENGTH)
OPEN = FieldType("Text", length=LONGEST_TEXT, is_open=True)


def to_text_type(longest: int | None, least: int = 0) -> FieldType:
    """A text of so many characters (None: AWS says no limit); ``least`` where it should have more room.

    256 characters, which AWS takes in a tag, are a Text as well: one line that can be filtered by is worth more than
    its last character.
    """
    wanted = max(LONGEST_TEXT if longest is None else longest, least)
    if wanted > LONGEST_TEXT + 1:
        return FieldType("LongTextArea", length=min(wanted, LONGEST_LONG_TEXT))
    return FieldType("Text", length=next((step for step in TEXT_LENGTHS if step >= wanted), LONGEST_TEXT))


def to_number_type(digits: int, decimals: int = 0) -> FieldType:
    """A number with so many digits before the point."""
    return FieldType("Number", precision=digits + decimals, scale=decimals)


def to_choice(values: Sequence[str], *, several: bool = False, restricted: bool = True) -> FieldType:
    """A picklist of these values, in their order; a text where Salesforce cannot have them as such."""
    unique = _once(values)
    unfit = [value for value in unique if not value or len(value) > LONGEST_TEXT or (several and ";" in value)]
    if not unique or unfit or len(unique) > _MOST_VALUES:
        return to_text_type(LONGEST_TEXT)
    return FieldType("MultiselectPicklist" if several else "Picklist", values=unique, restricted=restricted)


def _once(values: Iterable[str]) -> tuple[str, ...]:
    """Each value once: Salesforce tells no picklist values apart by case."""
    found: dict[str, str] = {}
    for value in values:
        found.setdefault(value.casefold(), value)
    return tuple(found.values())


def merged(types: Sequence[FieldType]) -> FieldType:
    """The one type that serves every line that names the field. Raises TypeConflict."""
    decided = [one for one in types if not one.is_open]
    return reduce(_both, decided) if decided else OPEN


def _both(first: FieldType, second: FieldType) -> FieldType:
    external = first.external_id or second.external_id
    if first.kind == second.kind:
        return replace(_wider(first, second), external_id=external)
    kinds = {first.kind, second.kind}
    if kinds <= set(_WORDS):
        return replace(_longer(first, second), external_id=external)
    if kinds == {"Checkbox", "Picklist"}:
        return _flag_or_choice(first, second)
    if kinds == set(_CHOICES):
        return replace(_wider(first, second), kind="MultiselectPicklist")
    if kinds == {"Date", "DateTime"}:
        return DATE_TIME
    if kinds == {"Currency", "Number"}:
        return MONEY
    if kinds & set(_WORDS) and len(kinds - set(_WORDS)) == 1:
        return _decided_over_words(first, second)
    raise TypeConflict(f"{first} and {second}")


def _wider(first: FieldType, second: FieldType) -> FieldType:
    scale = max(first.scale, second.scale)
    digits = max(first.precision - first.scale, second.precision - second.scale)
    return replace(
        first,
        length=max(first.length, second.length),
        precision=digits + scale,
        scale=scale,
        values=_once((*first.values, *second.values)),
        restricted=first.restricted and second.restricted,
    )


def _longer(first: FieldType, second: FieldType) -> FieldType:
    """Of an e-mail address or URL and a text the text, with room for either; a rich text stays one."""
    length = max(first.length, second.length, 80 if "Email" in (first.kind, second.kind) else 0)
    if "Url" in (first.kind, second.kind):
        length = max(length, LONGEST_TEXT)
    if "Html" in (first.kind, second.kind):
        return FieldType("Html", length=max(length, MESSAGE_LENGTH))
    return to_text_type(length)


def _flag_or_choice(first: FieldType, second: FieldType) -> FieldType:
    """Yes and No can be a checkbox, which such a line takes as well; other values cannot."""
    choice = first if first.kind == "Picklist" else second
    if set(choice.values) == {"Yes", "No"}:
        return CHECKBOX
    raise TypeConflict(f"{first} and {second}")


def _decided_over_words(first: FieldType, second: FieldType) -> FieldType:
    """A line that takes any text takes a date, a number or a picklist's value too."""
    strict, words = (second, first) if first.kind in _WORDS else (first, second)
    if words.kind == "Html":
        raise TypeConflict(f"{first} and {second}")
    return strict
