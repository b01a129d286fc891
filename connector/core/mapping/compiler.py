"""Reads a mapping file's plain data into a CompiledMapping, and reports every mistake in it at once, with positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from connector.core.condition import Condition, ConditionError, parse_condition
from connector.core.mapping.leaves import LEAF_KEYS, LeafReader
from connector.core.mapping.nodes import (
    Case,
    CompiledMapping,
    Each,
    Items,
    Leaf,
    Node,
    Struct,
    Submission,
    WriteBack,
    eaches_of,
    leaves_of,
)
from connector.core.paths import Path, PathError, parse_path
from connector.core.schema import Shape, suggest
from connector.core.selection import NAME, Selection, unique
from connector.core.transforms import Transform
from connector.errors import FileProblem

Keys = tuple[str | int, ...]
DEFAULT_CASE_DAY = "2000-01-01"
SYNC_FACTS = ("sync.status", "sync.message", "sync.at")


class Document(Protocol):
    """A YAML file with positions, as ``connector.yamlfile`` reads it."""

    @property
    def file(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def problems(self) -> tuple[FileProblem, ...]: ...
    def problem(self, path: Keys, message: str, cure: str = "") -> FileProblem: ...


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
    compiler = _Compiler(document, shapes, LeafReader(document, transforms))
    mapping = compiler.compile()
    problems = tuple(sorted({*document.problems, *compiler.problems, *compiler.reader.problems}))
    return (None if problems else mapping), problems


TOP_KEYS = ("version", "salesforce", "opportunity", "associate", "submission", "write_back", "cases")
_SENT_BY_CONNECTOR = ("Catalog", "ClientToken")


@dataclass(slots=True)
class _Compiler:
    document: Document
    shapes: Shapes
    reader: LeafReader
    problems: list[FileProblem] = field(default_factory=list)

    def report(self, keys: Keys, message: str, cure: str = "") -> None:
        self.problems.append(self.document.problem(keys, message, cure))

    def compile(self) -> CompiledMapping | None:
        value = self.document.value
        if not isinstance(value, dict):
            self.report((), "A mapping file has sections.", f"Write them: {', '.join(TOP_KEYS)}.")
            return None
        self._known_keys((), value, TOP_KEYS)
        if value.get("version") != 1:
            self.report(("version",), "The version must be 1.", "Write `version: 1` at the top.")
        tree = self._tree(value.get("opportunity"))
        associate = self._associate(value.get("associate") or {})
        submission = self._submission(value)
        write_back = self._write_back(value.get("write_back") or {})
        leaves = self._ordered(tree)
        self._check_references(tree, associate, submission)
        return CompiledMapping(
            file=self.document.file,
            selection=self._selection(tree, associate, submission, write_back),
            tree=tree,
            leaves=leaves,
            associate=associate,
            submission=submission,
            write_back=write_back,
            cases=self._cases(value.get("cases") or []),
            shape=without_members(self.shapes.create, _SENT_BY_CONNECTOR),
            submission_shape=self.shapes.submission,
        )

    # the tree

    def _tree(self, value: Any) -> Struct:
        shape = without_members(self.shapes.create, _SENT_BY_CONNECTOR)
        if not isinstance(value, dict):
            self.report(("opportunity",), "There is no opportunity to map.", "Write the tree of CreateOpportunity.")
            return Struct({})
        return self._struct(value, shape, ("opportunity",), "")

    def _node(self, value: Any, shape: Shape, keys: Keys, path: str) -> Node | None:
        if shape.kind == "structure":
            if isinstance(value, dict):
                return self._struct(value, shape, keys, path)
            self.report(keys, f"{path} is a structure at AWS.", f"Give its members: {', '.join(shape.members)}.")
            return None
        if shape.kind == "list" and isinstance(value, dict) and "each" in value:
            return self._each(value, shape, keys, path)
        if shape.kind == "list" and isinstance(value, list):
            return self._items(value, shape, keys, path)
        if shape.kind == "list" and shape.item is not None and shape.item.kind == "structure":
            self.report(
                keys,
                f"{path} is a list of structures at AWS.",
                "Write items with `- `, or use each and item.",
            )
            return None
        return self.reader.leaf(value, shape, keys, path)

    def _struct(self, value: dict[str, Any], shape: Shape, keys: Keys, path: str) -> Struct:
        members: dict[str, Node] = {}
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            if name not in shape.members:
                self._unknown_member(name, shape, (*keys, name), path)
            elif inner is None:
                self.report((*keys, name), f"{at} says nothing.", "Give a field path, or remove the line.")
            else:
                node = self._node(inner, shape.members[name], (*keys, name), at)
                if node is not None:
                    members[name] = node
        for name in sorted(shape.required - set(value)):
            cure = f"Add {name} below it."
            self.report(keys, f"AWS requires {path + '.' if path else ''}{name}, which is not mapped.", cure)
        return Struct(members)

    def _unknown_member(self, name: str, shape: Shape, keys: Keys, path: str) -> None:
        if not path and name in _SENT_BY_CONNECTOR:
            self.report(keys, f"{name} is set by the connector itself.", "Remove the line.")
            return
        place = f" below {path}" if path else ""
        if name in LEAF_KEYS or name == "each":
            message = f"{path or 'opportunity'} is a structure at AWS, it takes no {name!r}."
            self.report(keys, message, f"Give its members: {', '.join(shape.members)}.")
            return
        cure = suggest(name, shape.members) or f"Known{place}: {', '.join(shape.members)}."
        self.report(keys, f"AWS knows no {name!r}{place}.", cure)

    def _items(self, value: list[Any], shape: Shape, keys: Keys, path: str) -> Items:
        assert shape.item is not None
        if shape.max is not None and len(value) > shape.max:
            self.report(keys, f"AWS takes at most {shape.max} items in {path}.", "Remove some.")
        nodes = [self._node(v, shape.item, (*keys, i), f"{path}[{i}]") for i, v in enumerate(value)]
        return Items(path, tuple(node for node in nodes if node is not None))

    def _each(self, value: dict[str, Any], shape: Shape, keys: Keys, path: str) -> Each | None:
        assert shape.item is not None
        self._known_keys(keys, value, ("each", "where", "order_by", "limit", "item"))
        relationship = value["each"]
        if not isinstance(relationship, str) or not NAME.fullmatch(relationship):
            cure = "Write the relationship's name, e.g. OpportunityContactRoles."
            self.report((*keys, "each"), f"{relationship!r} is not a child relationship.", cure)
            return None
        item = self._node(value.get("item"), shape.item, (*keys, "item"), f"{path}[]") if value.get("item") else None
        if item is None:
            if "item" not in value:
                self.report(keys, "each needs an item.", "Add `item:` with the shape of one entry.")
            return None
        where = self._condition(value.get("where"), (*keys, "where"))
        limit = self._limit(value.get("limit"), shape, (*keys, "limit"))
        order = self._order(value.get("order_by"), (*keys, "order_by"))
        origin = self.reader.origin(keys, (relationship,))
        return Each(path, relationship, item, origin, where, order, limit)

    def _limit(self, value: Any, shape: Shape, keys: Keys) -> int | None:
        if value is None:
            return shape.max
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.report(keys, f"limit must be a whole number from 1, not {value!r}.", "Write e.g. `limit: 5`.")
            return None
        return min(value, shape.max) if shape.max else value

    def _order(self, value: Any, keys: Keys) -> tuple[tuple[Path, bool], ...]:
        found = []
        for part in str(value).split(",") if value is not None else []:
            words = part.split()
            try:
                found.append(_order_of(words))
            except PathError as error:
                self.report(keys, str(error), "Write a field and ASC or DESC, e.g. `order_by: IsPrimary DESC`.")
        return tuple(found)

    def _condition(self, value: Any, keys: Keys) -> Condition | None:
        if value is None:
            return None
        try:
            return parse_condition(str(value))
        except ConditionError as error:
            self.report(keys, f"The condition cannot be read: {error}.", "Write e.g. `IsPrimary = TRUE`.")
            return None

    # the other sections

    def _associate(self, value: Any) -> dict[str, Leaf]:
        if not isinstance(value, dict):
            self.report(
                ("associate",),
                "associate lists entity types.",
                f"Known: {', '.join(self.shapes.entity_types)}.",
            )
            return {}
        found = {}
        identifiers = Shape("list", item=Shape("string", pattern="(?s).{1,255}"))
        for name, inner in value.items():
            keys = ("associate", name)
            if name not in self.shapes.entity_types:
                cure = suggest(name, self.shapes.entity_types) or f"Known: {', '.join(self.shapes.entity_types)}."
                self.report(keys, f"AWS associates no {name!r}.", cure)
            elif (leaf := self.reader.leaf(inner, identifiers, keys, f"RelatedEntityIdentifiers.{name}")) is not None:
                found[name] = leaf
        return found

    def _submission(self, top: dict[str, Any]) -> Submission | None:
        if "submission" not in top:
            return None
        value = top["submission"]
        if not isinstance(value, dict):
            self.report(("submission",), "submission has members.", "Give InvolvementType and Visibility.")
            return None
        when = self._condition(value.get("when"), ("submission", "when"))
        members = {name: inner for name, inner in value.items() if name != "when"}
        return Submission(self._struct(members, self.shapes.submission, ("submission",), "AwsSubmission"), when)

    def _write_back(self, value: Any) -> tuple[WriteBack, ...]:
        if not isinstance(value, dict):
            self.report(("write_back",), "write_back lists Salesforce fields.", "Write `Field__c: fact` lines.")
            return ()
        found = []
        for name, fact in value.items():
            keys = ("write_back", name)
            if not NAME.fullmatch(str(name)):
                cure = "Write back to fields of the record itself."
                self.report(keys, f"{name!r} is not a field of the record.", cure)
            self._check_fact(str(fact), keys)
            found.append(WriteBack(str(name), str(fact), self.reader.origin(keys, ()).line))
        return tuple(found)

    def _check_fact(self, fact: str, keys: Keys) -> None:
        root, _, rest = fact.partition(".")
        if fact in SYNC_FACTS:
            return
        shape = {"opportunity": self.shapes.opportunity, "task": self.shapes.task}.get(root)
        if shape is not None and rest and (found := shape.at(rest)) is not None:
            if found.kind == "structure":
                self.report(keys, f"{fact} is a structure.", f"Choose one of its members: {', '.join(found.members)}.")
            return
        known = [*SYNC_FACTS, *(f"task.{name}" for name in self.shapes.task.members)]
        known += [f"opportunity.{path}" for path, _ in self.shapes.opportunity.leaves()]
        cure = suggest(fact, known) or "Facts begin with opportunity., task. or sync."
        self.report(keys, f"There is no fact {fact!r}.", cure)

    def _cases(self, value: Any) -> tuple[Case, ...]:
        if not isinstance(value, list):
            self.report(("cases",), "cases is a list.", "Write items with `- name: …`.")
            return ()
        found = [self._case(inner, ("cases", index)) for index, inner in enumerate(value)]
        return tuple(case for case in found if case is not None)

    def _case(self, value: Any, keys: Keys) -> Case | None:
        if not isinstance(value, dict) or not value.get("name") or not isinstance(value.get("given"), dict):
            self.report(keys, "A case needs a name and a given record.", "Write name:, given: and expect:.")
            return None
        self._known_keys(keys, value, ("name", "given", "expect", "expect_problems", "today"))
        if "expect" not in value and "expect_problems" not in value:
            self.report(keys, "This case expects nothing.", "Add expect: or expect_problems:.")
        expected = value.get("expect_problems")
        return Case(
            name=str(value["name"]),
            line=self.reader.origin(keys, ()).line,
            given=value["given"],
            today=str(value.get("today", DEFAULT_CASE_DAY)),
            expect=value.get("expect"),
            expect_problems=None if expected is None else tuple(map(str, expected)),
        )

    def _known_keys(self, keys: Keys, value: dict[str, Any], known: Sequence[str]) -> None:
        for name in value:
            if name not in known:
                cure = suggest(str(name), tuple(known)) or f"Known here: {', '.join(known)}."
                self.report((*keys, name), f"{name!r} is not known here.", cure)

    # what the leaves read, and in which order

    def _ordered(self, tree: Struct) -> tuple[Leaf, ...]:
        """Leaves outside any ``each``, those that others depend on first."""
        inside = {id(leaf) for each in eaches_of(tree) for leaf in leaves_of(each)}
        waiting = {leaf.path: leaf for leaf in leaves_of(tree) if id(leaf) not in inside}
        ordered: dict[str, Leaf] = {}
        while waiting:
            ready = [leaf for leaf in waiting.values() if not set(leaf.depends) & set(waiting)]
            if not ready:
                circle = " → ".join(sorted(waiting))
                leaf = min(waiting.values(), key=lambda found: found.origin.line)
                message = f"These leaves wait for each other: {circle}."
                problem = FileProblem(leaf.origin.file, leaf.origin.line, leaf.origin.column, message)
                self.problems.append(problem)
                break
            for leaf in ready:
                ordered[leaf.path] = waiting.pop(leaf.path)
        return tuple(ordered.values())

    def _check_references(self, tree: Struct, associate: dict[str, Leaf], submission: Submission | None) -> None:
        leaves = [
            *leaves_of(tree),
            *associate.values(),
            *(leaves_of(submission.members) if submission else ()),
        ]
        known = {leaf.path for leaf in leaves_of(tree)}
        for leaf in leaves:
            for path in leaf.depends:
                if path not in known or "[]" in path:
                    cure = suggest(path, tuple(known)) or "Name the AWS path of another mapped leaf."
                    origin = leaf.origin
                    message = f"No leaf of this mapping has the AWS path {path!r}."
                    self.problems.append(FileProblem(origin.file, origin.line, origin.column, message, cure))

    def _selection(
        self,
        tree: Struct,
        associate: dict[str, Leaf],
        submission: Submission | None,
        write_back: tuple[WriteBack, ...],
    ) -> Selection:
        sobject, where = self._source()
        eaches = eaches_of(tree)
        inside = {id(leaf) for each in eaches for leaf in leaves_of(each)}
        leaves = [leaf for leaf in leaves_of(tree) if id(leaf) not in inside] + list(associate.values())
        if submission is not None:
            leaves += leaves_of(submission.members)
        fields = [name for leaf in leaves for path in leaf.paths for name in path.fields]
        children = [pair for leaf in leaves for path in leaf.paths for pair in path.children]
        for each in eaches:
            read = [name for leaf in leaves_of(each) for path in leaf.paths for name in path.fields]
            read += [name for path, _ in each.order_by for name in path.fields]
            read += each.where.fields if each.where else ()
            children += [(each.relationship, name) for name in ["Id", *read]]
        if submission is not None and submission.when is not None:
            fields += submission.when.fields
        fields += [entry.field for entry in write_back]
        linked = [entry.field for entry in write_back if entry.fact in {"opportunity.Id", "sync.status"}]
        by_relationship = {
            relationship: unique(name for other, name in children if other.lower() == relationship.lower())
            for relationship in unique(name for name, _ in children)
        }
        return Selection(sobject, where, unique(fields), by_relationship, unique(linked))

    def _source(self) -> tuple[str, str]:
        value = self.document.value.get("salesforce")
        keys: Keys = ("salesforce",)
        if not isinstance(value, dict):
            cure = "Write `salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}`."
            self.report(keys, "There is no salesforce section.", cure)
            return "Opportunity", ""
        self._known_keys(keys, value, ("object", "where"))
        sobject, where = str(value.get("object", "Opportunity")), str(value.get("where") or "")
        if not NAME.fullmatch(sobject):
            self.report((*keys, "object"), f"{sobject!r} is not an object name.", "Write e.g. `object: Opportunity`.")
        if not where:
            self.report(keys, "There is no flag.", "Add `where:` with the condition of records to share.")
        else:
            self._condition(where, (*keys, "where"))
        return sobject, where


def without_members(shape: Shape, names: Sequence[str]) -> Shape:
    """A structure without some members."""
    members = {name: member for name, member in shape.members.items() if name not in names}
    return Shape("structure", members, shape.required - set(names))


def _order_of(words: list[str]) -> tuple[Path, bool]:
    """``["IsPrimary", "DESC"]`` as (path, descending). Raises PathError."""
    direction = words[1].upper() if len(words) == 2 else "ASC"
    if len(words) not in {1, 2} or direction not in {"ASC", "DESC"}:
        raise PathError(f"{' '.join(words)!r} is not an order.")
    return parse_path(words[0]), direction == "DESC"
