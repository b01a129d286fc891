"""Reads a mapping file's plain data into a CompiledMapping, and reports every mistake in it at once, with positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.core.condition import ConditionError, look_over
from connector.core.mapping.asked import Parts
from connector.core.mapping.cases import CaseReader
from connector.core.mapping.complaints import Complaints, Document, Keys
from connector.core.mapping.damage import Damage, damage_of
from connector.core.mapping.fact_lines import FactLineReader
from connector.core.mapping.fact_names import SYNC_FACTS, SYNC_FACTS_OF_INVITATION, FactTable
from connector.core.mapping.invitations import InvitationReader
from connector.core.mapping.leaves import LeafReader
from connector.core.mapping.nodes import (
    ADOPTED,
    ASSIGNEE,
    ASSOCIATED,
    ENGAGEMENT,
    INVITATION,
    SUBMITTED,
    CompiledMapping,
    Invitations,
    Leaf,
    Struct,
    Submission,
    leaves_outside_eaches,
)
from connector.core.mapping.tree import SENT_BY_CONNECTOR, TreeReader
from connector.core.schema import Shape, suggest
from connector.core.selection import NAME
from connector.core.transforms import Transform
from connector.errors import FileProblem

TOP_KEYS = (
    *("version", "salesforce", "opportunity", "associate", "submission", "assign", "invitations"),
    *("write_back", "inbound", "cases"),
)


@dataclass(frozen=True, slots=True)
class Shapes:
    """The parts of AWS's model a mapping is held against.

    ``opportunity``, ``task``, ``aws`` and ``invitation_answer`` are what AWS tells, the facts; ``create``,
    ``submission``, ``assignee``, ``invitation`` and ``engagement`` (an engagement's id) what it is sent.
    """

    create: Shape
    submission: Shape
    opportunity: Shape
    task: Shape
    entity_types: tuple[str, ...]
    assignee: Shape
    aws: Shape
    invitation: Shape
    engagement: Shape
    invitation_answer: Shape


def compile_mapping(
    document: Document, shapes: Shapes, transforms: Mapping[str, Transform]
) -> tuple[CompiledMapping | None, tuple[FileProblem, ...]]:
    """Compile a mapping file, or several that were joined.

    Gives the mapping (None when unusable) and every problem, sorted by position.
    """
    reading = read_as_far_as_possible(document, shapes, transforms)
    return (None if reading.problems else reading.mapping), reading.problems


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of a mapping, faulty or not.

    ``mapping`` is to be looked at, never applied while there are ``problems``; None where there is nothing to look at.
    ``damage`` tells which AWS paths the problems concern. ``leaves`` are those without a mistake of
    their own, each with its place in the file.
    """

    mapping: CompiledMapping | None
    problems: tuple[FileProblem, ...]
    damage: Damage
    leaves: tuple[tuple[Leaf, Keys], ...]


def read_as_far_as_possible(document: Document, shapes: Shapes, transforms: Mapping[str, Transform]) -> Reading:
    """Compile a mapping file, or several that were joined, and keep what is right in it beside every problem."""
    complaints = Complaints(document)
    leaves = LeafReader(complaints, transforms)
    compiler = _Compiler(document, shapes, complaints, leaves, TreeReader(complaints, leaves))
    mapping = compiler.compile()
    problems = tuple(sorted({*document.problems, *complaints.found}))
    return Reading(mapping, problems, compiler.damage().spread(leaf for leaf, _ in leaves.read), tuple(leaves.read))


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
        meant = self._look_over_sections(value)
        shape = without_members(self.shapes.create, SENT_BY_CONNECTOR)
        tree = self._tree(value.get("opportunity"), shape, meant)
        associate = self._associate(value.get("associate"))
        submission = self._submission(value)
        assign = self._assign(value)
        lines = FactLineReader(self.complaints, self.leaves)
        write_back = lines.write_back(value.get("write_back"), ("write_back",), self._facts(SYNC_FACTS))
        inbound = lines.inbound(value.get("inbound"), self._facts())
        invitations = self._invitations(value, tree, lines)
        adopt = self._adopt(value.get("salesforce"))
        self._check_references(tree)
        parts = Parts(tree, associate, submission, assign, invitations, write_back, inbound, adopt)
        return CompiledMapping(
            file=self.document.file,
            selection=parts.selection(*self._source(meant)),
            tree=tree,
            leaves=self._ordered(tree),
            associate=associate,
            submission=submission,
            write_back=write_back,
            cases=CaseReader(self.complaints, self._result(shape)).cases(value.get("cases")),
            shape=shape,
            submission_shape=self.shapes.submission,
            assign=assign,
            invitations=invitations,
            inbound=inbound,
            adopt=adopt,
            assign_shape=self.shapes.assignee,
            invitation_shape=self.shapes.invitation,
        )

    def _look_over_sections(self, value: dict[str, Any]) -> frozenset[str]:
        """The names of sections that were meant by names that are none."""
        meant = self.complaints.check_names((), value, TOP_KEYS)
        self.complaints.doubts += [(name,) for name in meant]
        if value.get("version") != 1 and "version" not in meant:
            self.complaints.add_missing(("version",), "The version must be 1.", "Write `version: 1` at the top.")
        return meant

    def _result(self, shape: Shape) -> Shape:
        """The shape of what a case may expect."""
        identifiers = Shape("list", item=Shape("string"))
        associate = Shape("structure", dict.fromkeys(self.shapes.entity_types, identifiers))
        invitation = Shape("structure", {**self.shapes.invitation.members, ENGAGEMENT: self.shapes.engagement})
        members = {
            "opportunity": shape,
            "associate": associate,
            "submission": self.shapes.submission,
            "assign": self.shapes.assignee,
            "invitations": Shape("list", item=invitation),
        }
        return Shape("structure", members)

    def _facts(self, plain: tuple[str, ...] = ()) -> FactTable:
        """What AWS tells of an opportunity."""
        roots = {"opportunity": self.shapes.opportunity, "aws": self.shapes.aws, "task": self.shapes.task}
        return FactTable(roots, plain)

    # the sections

    def damage(self) -> Damage:
        """What the complaints so far concern."""
        parts = self.shapes
        invitation = Shape("structure", {**parts.invitation.members, ENGAGEMENT: parts.engagement})
        sections = {
            "opportunity": ("", without_members(parts.create, SENT_BY_CONNECTOR)),
            "associate": (ASSOCIATED, Shape("structure", dict.fromkeys(parts.entity_types, Shape("list")))),
            "submission": (SUBMITTED, parts.submission),
            "assign": (ASSIGNEE, parts.assignee),
            "invitations": (INVITATION, Shape("list", item=invitation)),
        }
        value = self.document.value if isinstance(self.document.value, dict) else {}
        doubts = [*self.document.doubtful, *self.complaints.doubts]
        return damage_of(doubts, self.document.moved, sections, value)

    def _tree(self, value: Any, shape: Shape, meant: frozenset[str]) -> Struct:
        if not isinstance(value, dict):
            if "opportunity" in meant:
                return Struct({})
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
                self.complaints.doubt_meant(keys[:-1], name, value, types)
            elif (leaf := self.leaves.leaf(inner, identifiers, keys, f"{ASSOCIATED}.{name}")) is not None:
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
        return Submission(self.trees.struct(members, self.shapes.submission, ("submission",), SUBMITTED), when)

    def _assign(self, top: dict[str, Any]) -> Struct | None:
        if "assign" not in top:
            return None
        value = top["assign"]
        if not isinstance(value, dict):
            cure = f"Give {', '.join(self.shapes.assignee.members)}."
            self.complaints.add_missing(("assign",), "assign has members.", cure)
            return None
        return self.trees.struct(value, self.shapes.assignee, ("assign",), ASSIGNEE)

    def _invitations(self, top: dict[str, Any], tree: Struct, lines: FactLineReader) -> Invitations | None:
        if "invitations" not in top:
            return None
        facts = FactTable({"invitation": self.shapes.invitation_answer}, SYNC_FACTS_OF_INVITATION)
        shapes = self.shapes
        reader = InvitationReader(
            self.complaints, self.trees, self.leaves, lines, shapes.invitation, shapes.engagement, facts
        )
        known = {leaf.path: leaf for leaf in leaves_outside_eaches(tree)}
        return reader.invitations(top["invitations"], known, self.damage().concerns)

    def _source(self, meant: frozenset[str]) -> tuple[str, str]:
        value = self.document.value.get("salesforce")
        keys: Keys = ("salesforce",)
        if not isinstance(value, dict):
            if "salesforce" in meant:
                return "Opportunity", ""
            cure = "Write `salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}`."
            self.complaints.add_missing(keys, "There is no salesforce section.", cure)
            return "Opportunity", ""
        meant = self.complaints.check_names(keys, value, ("object", "where", "adopt"))
        sobject, where = str(value.get("object", "Opportunity")), str(value.get("where") or "")
        if not NAME.fullmatch(sobject):
            cure = "Write e.g. `object: Opportunity`."
            self.complaints.add((*keys, "object"), f"{sobject!r} is not an object name.", cure)
        if not where and "where" in meant:
            return sobject, where
        if not where:
            cure = "Add `where:` with the condition of records to share."
            self.complaints.add_missing(keys, "There is no flag.", cure)
            return sobject, where
        try:
            look_over(where)
        except ConditionError as error:
            cure = "Write e.g. `Share_With_AWS__c = TRUE`."
            self.complaints.add((*keys, "where"), f"The condition cannot be read: {error}.", cure)
        return sobject, where

    def _adopt(self, source: Any) -> Leaf | None:
        """What an earlier integration may have called the record: one field, or several."""
        given = source.get("adopt") if isinstance(source, dict) else None
        if given is None:
            return None
        keys: Keys = ("salesforce", "adopt")
        if isinstance(given, dict) or not given:
            message = "adopt names fields that hold what an earlier integration called the record."
            self.complaints.add(keys, message, "Write e.g. [Old_AWS_Id__c].")
            return None
        sources = self.leaves.sources(given, keys)
        labels = tuple(label for path in sources for label in path.labels)
        return Leaf(ADOPTED, self.complaints.origin(keys, labels), Shape("string"), sources)

    # what the leaves read, and in which order

    def _ordered(self, tree: Struct) -> tuple[Leaf, ...]:
        """Leaves outside any ``each``, those that others depend on first."""
        waiting = {leaf.path: leaf for leaf in leaves_outside_eaches(tree)}
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
        self.complaints.doubts += [keys for leaf, keys in self.leaves.read if any(leaf is one for one in circle)]
        return circle

    def _check_references(self, tree: Struct) -> None:
        known, damage = {leaf.path for leaf in leaves_outside_eaches(tree)}, self.damage()
        for path, keys in self.leaves.references:
            if path not in known and damage.concerns(path):
                self.complaints.doubts.append(keys)
            elif path not in known:
                cure = suggest(path, tuple(known)) or "Name the AWS path of another mapped leaf."
                self.complaints.add(keys, f"No leaf of this mapping has the AWS path {path!r}.", cure)


def without_members(shape: Shape, names: Sequence[str]) -> Shape:
    """A structure without some members."""
    members = {name: member for name, member in shape.members.items() if name not in names}
    return Shape("structure", members, shape.required - set(names))
