"""Reads a mapping file's plain data into a CompiledMapping, and reports every mistake in it at once, with positions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.core.condition import ConditionError, look_over
from connector.core.mapping.cases import CaseReader
from connector.core.mapping.complaints import Complaints, Document, Keys
from connector.core.mapping.leaves import LeafReader
from connector.core.mapping.nodes import (
    CompiledMapping,
    Each,
    Leaf,
    Struct,
    Submission,
    WriteBack,
    eaches_of,
    leaves_of,
)
from connector.core.mapping.tree import SENT_BY_CONNECTOR, TreeReader
from connector.core.schema import Shape, suggest
from connector.core.selection import NAME, Selection, unique
from connector.core.transforms import Transform
from connector.errors import FileProblem

TOP_KEYS = ("version", "salesforce", "opportunity", "associate", "submission", "write_back", "cases")
SYNC_FACTS = ("sync.status", "sync.message", "sync.at")


@dataclass(frozen=True, slots=True)
class Shapes:
    """The parts of AWS's model a mapping is held against."""

    create: Shape
    submission: Shape
    opportunity: Shape
    task: Shape
    entity_types: tuple[str, ...]


def compile_mapping(
    document: Document, shapes: Shapes, transforms: Mapping[str, Transform]
) -> tuple[CompiledMapping | None, tuple[FileProblem, ...]]:
    """Compile a mapping file. Gives the mapping (None when unusable) and every problem, sorted by position."""
    complaints = Complaints(document)
    leaves = LeafReader(complaints, transforms)
    compiler = _Compiler(document, shapes, complaints, leaves, TreeReader(complaints, leaves))
    mapping = compiler.compile()
    problems = tuple(sorted({*document.problems, *complaints.found}))
    return (None if problems else mapping), problems


@dataclass(frozen=True, slots=True)
class _Compiler:
    document: Document
    shapes: Shapes
    complaints: Complaints
    leaves: LeafReader
    trees: TreeReader

    def compile(self) -> CompiledMapping | None:
        value = self.document.value
        if not isinstance(value, dict):
            cure = f"Write them: {', '.join(TOP_KEYS)}."
            self.complaints.add_missing((), "A mapping file has sections.", cure)
            return None
        self.complaints.check_names((), value, (*TOP_KEYS, "invitations"))
        if "invitations" in value:
            message = "This version of the connector does not invite other partners."
            self.complaints.add(("invitations",), message, "Remove the section, or invite them in Partner Central.")
        if value.get("version") != 1:
            self.complaints.add_missing(("version",), "The version must be 1.", "Write `version: 1` at the top.")
        shape = without_members(self.shapes.create, SENT_BY_CONNECTOR)
        tree = self._tree(value.get("opportunity"), shape)
        associate = self._associate(value.get("associate"))
        submission = self._submission(value)
        write_back = self._write_back(value.get("write_back"))
        self._check_references(tree)
        return CompiledMapping(
            file=self.document.file,
            selection=self._selection(tree, associate, submission, write_back),
            tree=tree,
            leaves=self._ordered(tree),
            associate=associate,
            submission=submission,
            write_back=write_back,
            cases=CaseReader(self.complaints, self._result(shape)).cases(value.get("cases")),
            shape=shape,
            submission_shape=self.shapes.submission,
        )

    def _result(self, shape: Shape) -> Shape:
        """The shape of what a case may expect."""
        identifiers = Shape("list", item=Shape("string"))
        associate = Shape("structure", dict.fromkeys(self.shapes.entity_types, identifiers))
        members = {"opportunity": shape, "associate": associate, "submission": self.shapes.submission}
        return Shape("structure", members)

    # the sections

    def _tree(self, value: Any, shape: Shape) -> Struct:
        if not isinstance(value, dict):
            cure = "Write the tree of CreateOpportunity below `opportunity:`."
            self.complaints.add_missing(("opportunity",), "There is no opportunity to map.", cure)
            return Struct({})
        return self.trees.struct(value, shape, ("opportunity",))

    def _associate(self, value: Any) -> dict[str, Leaf]:
        types = self.shapes.entity_types
        if value is not None and not isinstance(value, dict):
            message, cure = "associate lists entity types.", f"Known: {', '.join(types)}."
            self.complaints.add(("associate",), message, cure)
        found = {}
        identifiers = Shape("list", item=Shape("string", pattern="(?s).{1,255}"))
        for name, inner in value.items() if isinstance(value, dict) else ():
            keys = ("associate", name)
            if name not in types:
                self.complaints.add_unknown(keys, f"AWS associates no {name!r}.", types)
            elif (leaf := self.leaves.leaf(inner, identifiers, keys, f"RelatedEntityIdentifiers.{name}")) is not None:
                found[name] = leaf
        return found

    def _submission(self, top: dict[str, Any]) -> Submission | None:
        if "submission" not in top:
            return None
        value = top["submission"]
        if not isinstance(value, dict):
            cure = "Give InvolvementType and Visibility."
            self.complaints.add_missing(("submission",), "submission has members.", cure)
            return None
        when = self.trees.condition(value.get("when"), ("submission", "when"))
        members = {name: inner for name, inner in value.items() if name != "when"}
        return Submission(self.trees.struct(members, self.shapes.submission, ("submission",), "AwsSubmission"), when)

    def _write_back(self, value: Any) -> tuple[WriteBack, ...]:
        if value is not None and not isinstance(value, dict):
            self.complaints.add(("write_back",), "write_back lists Salesforce fields.", "Write `Field__c: fact` lines.")
        found = []
        for name, fact in value.items() if isinstance(value, dict) else ():
            keys = ("write_back", name)
            if not NAME.fullmatch(name):
                message = f"{name!r} is not a field of the record."
                self.complaints.add(keys, message, "Write back to fields of the record itself.")
            self._check_fact(str(fact or ""), keys)
            found.append(WriteBack(name, str(fact), self.complaints.origin(keys).line))
        return tuple(found)

    def _check_fact(self, fact: str, keys: Keys) -> None:
        root, _, rest = fact.partition(".")
        shape = {"opportunity": self.shapes.opportunity, "task": self.shapes.task}.get(root)
        plain = re.sub(r"\[\d+\]", "", rest)
        found = shape.at(plain) if shape is not None and plain and "[" not in plain else None
        if fact in SYNC_FACTS:
            return
        if found is None:
            known = [*SYNC_FACTS, *(f"task.{name}" for name in self.shapes.task.members)]
            known += [f"opportunity.{path.replace('[]', '')}" for path, _ in self.shapes.opportunity.leaves()]
            cure = suggest(fact, known) or "Facts begin with opportunity., task. or sync."
            self.complaints.add(keys, f"There is no fact {fact!r}.", cure)
            return
        inner = found.item if found.kind == "list" and found.item is not None else found
        if inner.kind == "structure":
            cure = f"Choose one of its members: {', '.join(inner.members)}."
            self.complaints.add(keys, f"{fact} is not one value.", cure)

    def _source(self) -> tuple[str, str]:
        value = self.document.value.get("salesforce")
        keys: Keys = ("salesforce",)
        if not isinstance(value, dict):
            cure = "Write `salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}`."
            self.complaints.add_missing(keys, "There is no salesforce section.", cure)
            return "Opportunity", ""
        self.complaints.check_names(keys, value, ("object", "where"))
        sobject, where = str(value.get("object", "Opportunity")), str(value.get("where") or "")
        if not NAME.fullmatch(sobject):
            cure = "Write e.g. `object: Opportunity`."
            self.complaints.add((*keys, "object"), f"{sobject!r} is not an object name.", cure)
        if not where:
            cure = "Add `where:` with the condition of records to share."
            self.complaints.add_missing((*keys, "where"), "There is no flag.", cure)
            return sobject, where
        try:
            look_over(where)
        except ConditionError as error:
            cure = "Write e.g. `Share_With_AWS__c = TRUE`."
            self.complaints.add((*keys, "where"), f"The condition cannot be read: {error}.", cure)
        return sobject, where

    # what the leaves read, and in which order

    def _ordered(self, tree: Struct) -> tuple[Leaf, ...]:
        """Leaves outside any ``each``, those that others depend on first."""
        waiting = {leaf.path: leaf for leaf in _leaves_outside(tree)}
        ordered: dict[str, Leaf] = {}
        while waiting:
            ready = [leaf for leaf in waiting.values() if not set(leaf.depends) & set(waiting)]
            if not ready:
                ready = self._complain_of_circle(waiting)
            for leaf in ready:
                ordered[leaf.path] = waiting.pop(leaf.path)
        return tuple(ordered.values())

    def _complain_of_circle(self, waiting: Mapping[str, Leaf]) -> list[Leaf]:
        """Each of these leaves waits for another one of them, so following them ends in a circle."""
        trail: list[str] = []
        path = next(iter(waiting))
        while path not in trail:
            trail.append(path)
            path = next(name for name in waiting[path].depends if name in waiting)
        circle = [waiting[name] for name in trail[trail.index(path) :]]
        first = min(circle, key=lambda leaf: (leaf.origin.line, leaf.origin.column))
        names = " → ".join([*(leaf.path for leaf in circle), path])
        message, cure = f"These leaves wait for each other: {names}.", "Take one of them out of a when or a transform."
        origin = first.origin
        self.complaints.found.append(FileProblem(origin.file, origin.line, origin.column, message, cure))
        return circle

    def _check_references(self, tree: Struct) -> None:
        known = {leaf.path for leaf in _leaves_outside(tree)}
        for path, keys in self.leaves.references:
            if path not in known:
                cure = suggest(path, tuple(known)) or "Name the AWS path of another mapped leaf."
                self.complaints.add(keys, f"No leaf of this mapping has the AWS path {path!r}.", cure)

    def _selection(
        self,
        tree: Struct,
        associate: dict[str, Leaf],
        submission: Submission | None,
        write_back: tuple[WriteBack, ...],
    ) -> Selection:
        sobject, where = self._source()
        leaves = [*_leaves_outside(tree), *associate.values()]
        leaves += leaves_of(submission.members) if submission is not None else ()
        fields = [name for leaf in leaves for path in leaf.paths for name in path.fields]
        children = [pair for leaf in leaves for path in leaf.paths for pair in path.children]
        children += [(each.relationship, name) for each in eaches_of(tree) for name in _read_of_rows(each)]
        if submission is not None and submission.when is not None:
            fields += submission.when.fields
        fields += [entry.field for entry in write_back]
        linked = [entry.field for entry in write_back if entry.fact in {"opportunity.Id", "sync.status"}]
        relationships = unique(name for name, _ in children)
        by_relationship = {
            relationship: unique(name for other, name in children if other.lower() == relationship.lower())
            for relationship in relationships
        }
        named = {relationship.lower() for relationship in relationships}
        own = unique(name for name in fields if name.lower() not in named)
        return Selection(sobject, where, own, by_relationship, unique(linked))


def _leaves_outside(tree: Struct) -> list[Leaf]:
    """The leaves that are not inside an ``each``."""
    inside = {id(leaf) for each in eaches_of(tree) for leaf in leaves_of(each)}
    return [leaf for leaf in leaves_of(tree) if id(leaf) not in inside]


def _read_of_rows(each: Each) -> list[str]:
    """What an ``each`` reads of its rows."""
    read = [name for leaf in leaves_of(each) for path in leaf.paths for name in path.fields]
    ordering = [name for path, _ in each.order_by for name in path.fields]
    return ["Id", *read, *ordering, *(each.where.fields if each.where else ())]


def without_members(shape: Shape, names: Sequence[str]) -> Shape:
    """A structure without some members."""
    members = {name: member for name, member in shape.members.items() if name not in names}
    return Shape("structure", members, shape.required - set(names))
