"""What objects and fields are: the nouns of a describe, and the table notation they are written in.

Knows no values and no permissions; an Org owns one Schema and may change it while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

NUMBERS = frozenset({"currency", "double", "percent", "int"})
TEXTS = frozenset({"string", "textarea", "picklist", "phone", "url", "email"})
REFERENCES = frozenset({"id", "reference"})
LONG_TEXT_FROM = 256


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `values` are (API value, label) pairs; `target` and the two relationship names belong to a
    reference: `relationship` is the path from child to parent, `children` the name of the subquery. `auto` is
    what an auto-number begins with. `inactive` are those of the values that nobody can choose any more; `html` is
    rich text, `formula` a field that the platform computes."""

    name: str
    label: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    values: tuple[tuple[str, str], ...] = ()
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    defaulted: bool = False
    restricted: bool = False
    external_id: bool = False
    unique: bool = False
    target: str | None = None
    relationship: str | None = None
    children: str | None = None
    cascade: bool = False
    compound: str | None = None
    auto: str | None = None
    inactive: frozenset[str] = frozenset()
    html: bool = False
    formula: bool = False

    @property
    def is_custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def is_filterable(self) -> bool:
        return self.type != "address" and not (self.type == "textarea" and self.length >= LONG_TEXT_FROM)

    @property
    def is_sortable(self) -> bool:
        return self.is_filterable and self.type != "multipicklist"

    @property
    def is_required(self) -> bool:
        return not self.nillable and not self.defaulted and self.createable


@dataclass(frozen=True, slots=True)
class Child:
    """A reference seen from its parent; `name` is None where no subquery may follow it."""

    name: str | None
    object: str
    field: str
    cascade: bool


@dataclass(slots=True)
class ObjectType:
    """One object: its names, its key prefix and its fields by lower-case API name, in describe order."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)
    createable: bool = True
    deletable: bool = True
    mergeable: bool = False
    undeletable: bool = True

    def find(self, name: str) -> Field | None:
        return self.fields.get(name.lower())

    def add(self, added: Iterable[Field]) -> None:
        self.fields.update((one.name.lower(), one) for one in added)


class Schema:
    """The objects of one org, found by name whatever its case."""

    def __init__(self, objects: Iterable[ObjectType]) -> None:
        self._objects = {
            one.name.lower(): replace(one, fields=dict(one.fields)) for one in sorted(objects, key=lambda one: one.name)
        }

    def __iter__(self) -> Iterator[ObjectType]:
        return iter(self._objects.values())

    def find(self, name: str) -> ObjectType | None:
        return self._objects.get(name.lower())

    def get(self, name: str) -> ObjectType:
        """Like find; KeyError for an object that is not there."""
        return self._objects[name.lower()]

    def define(self, added: ObjectType) -> None:
        self._objects[added.name.lower()] = added

    def children(self, parent: str) -> list[Child]:
        """Every reference to `parent`, in the order of the objects."""
        return [
            Child(one.children, child.name, one.name, one.cascade)
            for child in self
            for one in child.fields.values()
            if one.target == parent
        ]

    def find_child(self, parent: str, relationship: str) -> Child | None:
        wanted = relationship.lower()
        return next((c for c in self.children(parent) if c.name and c.name.lower() == wanted), None)


_LINE = re.compile(r"(?P<type>\w+)(?:\((?P<size>[^)]*)\))?")
_WORDS: dict[str, dict[str, bool]] = {
    "required": {"nillable": False},
    "defaulted": {"nillable": False, "defaulted": True},
    "system": {"nillable": False, "defaulted": True, "createable": False, "updateable": False},
    "read": {"createable": False, "updateable": False},
    "insert": {"updateable": False},
    "restricted": {"restricted": True},
    "external": {"external_id": True},
    "cascade": {"cascade": True},
    "html": {"html": True},
    "formula": {"formula": True, "createable": False, "updateable": False},
}


def read_fields(table: str) -> list[Field]:
    """Reads `Name | Label | type(size) | words | values` lines.

    The size is a length, `precision,scale`, or the object a reference points to. A word `up:Owner` names
    the way to the parent, `down:Contacts` the way back, `in:BillingAddress` the compound field, `auto:P-`
    what an auto-number begins with. Values are parted by `;`, an API value that differs from its label is
    written `value=label`.
    """
    return [_read_field(line) for line in table.strip().splitlines()]


def _read_field(line: str) -> Field:
    name, label, kind, words, values = (part.strip() for part in (line + "||||").split("|")[:5])
    shape = _LINE.fullmatch(kind)
    if shape is None:
        raise ValueError(f"no field type: {line}")
    made = Field(name, label or to_label(name), shape["type"], values=read_values(values))
    return _read_words(_read_size(made, shape["size"] or ""), words.split())


def _read_size(made: Field, size: str) -> Field:
    if made.type == "boolean":
        return replace(made, nillable=False, defaulted=True)
    if made.type in REFERENCES:
        return replace(made, length=18, target=size or None)
    if made.type in NUMBERS and size:
        precision, scale = size.split(",")
        return replace(made, precision=int(precision), scale=int(scale))
    return replace(made, length=int(size)) if size else made


def _read_words(made: Field, words: list[str]) -> Field:
    for word in words:
        key, _, value = word.partition(":")
        named = {"up": "relationship", "down": "children", "in": "compound", "auto": "auto"}.get(key)
        made = replace(made, **({named: value} if named else _WORDS[word]))
    return made


def read_values(text: str) -> tuple[tuple[str, str], ...]:
    """`A; b=B` as (("A", "A"), ("b", "B"))."""
    pairs = (entry.strip().partition("=") for entry in text.split(";") if entry.strip())
    return tuple((value, label or value) for value, _, label in pairs)


def to_label(name: str) -> str:
    """The label an admin would give a custom field of this API name."""
    return name.removesuffix("__c").replace("_", " ")
