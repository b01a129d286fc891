"""What a mapping reads and writes in Salesforce, object by object. Knows no metadata and writes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from connector.core.mapping import CompiledMapping
from connector.core.mapping.nodes import Leaf
from connector.provisioning.salesforce import standard
from connector.provisioning.salesforce.field_types import OPEN, FieldType

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|_(?![_]))*(?<!_)")
_MANAGED = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*__[A-Za-z]\w*__c", re.IGNORECASE)
"""``ns__Field__c``: a managed package brings it along."""
NAME_LENGTH = 40
"""The most characters of a custom field's or object's name, without its ending."""


@dataclass(frozen=True, slots=True)
class Use:
    """One line of a mapping that names a field. ``about`` is the AWS path or fact that it serves, "" of a condition;
    ``writes`` where the connector fills the field, ``tests`` where it is only looked at. ``exists`` where the line says
    that the org has the field already: it is granted then, and never defined.
    """

    type: FieldType
    about: str
    writes: bool = False
    tests: bool = False
    mapping: str = ""
    exists: bool = False


@dataclass(frozen=True, slots=True)
class ChildObject:
    """A custom object below the selected one, of which the mapping says no more than the relationship."""

    name: str
    relationship: str
    parent: str
    lookup: str


@dataclass(slots=True)
class Needs:
    """What one or more mappings need. Keys are (object, field); names keep the spelling they were first met in.

    ``selected`` are the objects that mappings are about, each with its flag conditions; ``written`` those that the
    connector fills fields of; ``left_open`` what no mapping tells and a person has to see to.
    """

    custom: dict[tuple[str, str], list[Use]] = field(default_factory=dict)
    standard_reads: set[tuple[str, str]] = field(default_factory=set)
    standard_writes: set[tuple[str, str]] = field(default_factory=set)
    objects: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    selected: dict[str, set[str]] = field(default_factory=dict)
    children: dict[str, ChildObject] = field(default_factory=dict)
    left_open: list[str] = field(default_factory=list)

    def is_there(self, sobject: str, name: str) -> bool:
        """Whether the org has a custom field already, by what the mapping says or by its name."""
        return _MANAGED.fullmatch(name) is not None or any(use.exists for use in self.custom[sobject, name])

    def tell(self, sentence: str) -> None:
        """Note, once, what a person has to see to."""
        if sentence not in self.left_open:
            self.left_open.append(sentence)

    def add_own(self, sobject: str, name: str, use: Use) -> None:
        """A field of an object itself."""
        self.objects.add(sobject)
        if use.writes:
            self.written.add(sobject)
        if sobject == "Account" and name.lower().endswith("__pc"):  # a person account shows its contact's field so
            self.add_own("Contact", f"{name[:-4]}__c", use)
            return
        if not name.lower().endswith("__c"):
            (self.standard_writes if use.writes else self.standard_reads).add((sobject, name))
            return
        name = f"{name[:-3]}__c"
        if (trouble := _trouble_with(name)) is not None:
            self.tell(f"{sobject}.{name} is not created: {trouble}")
        elif (sobject, name) not in self.custom and (known := self._spelling(sobject, name)) is not None:
            self.custom[known].append(use)
        else:
            self.custom.setdefault((sobject, name), []).append(use)

    def _spelling(self, sobject: str, name: str) -> tuple[str, str] | None:
        """The same field as it was met before, in whatever case."""
        wanted = (sobject, name.lower())
        return next((key for key in self.custom if (key[0], key[1].lower()) == wanted), None)

    def add(self, sobject: str, path: str, use: Use) -> None:
        """A dotted path from an object, through its lookups."""
        *steps, name = path.split(".")
        for step in steps:
            found = self._parent(sobject, step)
            if found is None:
                self.tell(
                    f"{path} of {sobject}: where {step} leads cannot be told from the mapping. That lookup, and what "
                    f"is read through it, must be there already and be granted by hand."
                )
                return
            lookup, target = found
            if lookup.endswith("__c"):
                self.objects.add(sobject)
            else:
                self.add_own(sobject, lookup, Use(OPEN, use.about))
            sobject = target
        self.add_own(sobject, name, use)

    def _parent(self, sobject: str, step: str) -> tuple[str, str] | None:
        child = self.children.get(sobject)
        if child is not None and step.lower() == f"{child.lookup.removesuffix('__c')}__r".lower():
            return child.lookup, child.parent
        return standard.parent_of(sobject, step)


def _trouble_with(name: str) -> str | None:
    bare = name[:-3]
    if _MANAGED.fullmatch(name):
        return None
    if len(bare) > NAME_LENGTH:
        return f"the name has {len(bare)} characters before __c, Salesforce takes {NAME_LENGTH}."
    if not _NAME.fullmatch(bare):
        return "Salesforce takes letters, digits and single underscores, and no underscore at the end."
    return None


def child_object(mapping: CompiledMapping, relationship: str) -> ChildObject | None:
    """The custom object that invitations are rows of; None for a relationship whose object cannot be told.

    A relationship is named by the administrator, so this is the name it would usually have been given for.
    """
    bare = relationship.removesuffix("__r")
    if bare == relationship or _trouble_with(f"{bare}__c") is not None:
        return None
    parent = mapping.selection.sobject
    return ChildObject(f"{_singular(bare)}__c", bare, parent, f"{parent.removesuffix('__c')}__c")


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def is_beside_standard(leaf: Leaf) -> bool:
    """Whether a leaf is also read from a field that Salesforce brings along."""
    return any(not name.lower().endswith("__c") for name in _names(leaf))


def _names(leaf: Leaf) -> Iterable[str]:
    return (name for path in leaf.sources for name in path.fields)
