"""Walks a compiled mapping and notes every field it reads or writes, with the type that each line asks for."""

from __future__ import annotations

from collections.abc import Iterable

from connector.core.condition import comparisons_of
from connector.core.mapping import CompiledMapping, Shapes
from connector.core.mapping.fact_names import FULL_NAME
from connector.core.mapping.nodes import Each, Invitations, Leaf, Node, WriteBack, eaches_of, leaves_of
from connector.core.paths import Path, is_dotted
from connector.core.schema import Shape
from connector.core.selection import unique
from connector.provisioning.salesforce import standard
from connector.provisioning.salesforce.decisions import (
    Documented,
    type_of_comparison,
    type_of_fact,
    type_of_full_name,
    type_of_inbound,
    type_of_source,
)
from connector.provisioning.salesforce.field_types import OPEN, FieldType
from connector.provisioning.salesforce.needs import Needs, Use, child_object, is_beside_standard


def note(needs: Needs, mapping: CompiledMapping, shapes: Shapes, documented: Documented) -> None:
    """Add what one mapping needs; ``documented`` knows the values that only AWS's documentation lists."""
    _Reading(needs, mapping, shapes, documented).run()


class _Reading:
    def __init__(self, needs: Needs, mapping: CompiledMapping, shapes: Shapes, documented: Documented) -> None:
        self.needs = needs
        self.mapping = mapping
        self.shapes = shapes
        self.documented = documented
        self.selected = mapping.selection.sobject

    def run(self) -> None:
        mapping = self.mapping
        self.needs.objects.add(self.selected)
        self.needs.selected.setdefault(self.selected, set()).add(mapping.selection.where)
        self._condition(self.selected, mapping.selection.where)
        self._tree(mapping.tree)
        for leaf in mapping.associate.values():
            self._leaf(self.selected, leaf)
        if mapping.adopt is not None:
            # What an earlier integration filled: its type is that one's affair.
            for path in mapping.adopt.sources:
                self._path(self.selected, path, Use(OPEN, "", tests=True, mapping=mapping.file, exists=True))
        if mapping.submission is not None:
            self._tree(mapping.submission.members)
            if mapping.submission.when is not None:
                self._condition(self.selected, mapping.submission.when.text)
        if mapping.assign is not None:
            self._tree(mapping.assign)
        if mapping.invitations is not None:
            self._invitations(mapping.invitations)
        self._written(self.selected, mapping.write_back)
        for entry in mapping.inbound:
            found = type_of_inbound(entry.leaf, [(fact, self._shape(fact)) for fact in entry.facts])
            self.needs.add_own(self.selected, entry.field, self._use(found, " / ".join(entry.facts), writes=True))

    def _use(self, found: FieldType, about: str, *, writes: bool = False, tests: bool = False) -> Use:
        return Use(found, about, writes, tests, self.mapping.file)

    def _tree(self, node: Node) -> None:
        """What is read of the record itself, and of the rows that each ``each`` names."""
        inside = {id(leaf) for each in eaches_of(node) for leaf in leaves_of(each)}
        for leaf in leaves_of(node):
            if id(leaf) not in inside:
                self._leaf(self.selected, leaf)
        for each in eaches_of(node):
            child = standard.child_of(self.selected, each.relationship)
            if child is None:
                self._unknown_children(each.relationship)
            else:
                self._rows(child, each, leaves_of(each.item))

    def _rows(self, child: str, rows: Each | Invitations, leaves: Iterable[Leaf]) -> None:
        self.needs.objects.add(child)
        for leaf in leaves:
            self._leaf(child, leaf)
        for path, _ in rows.order_by:
            self.needs.add(child, path.text, self._use(OPEN, "", tests=True))
        if rows.where is not None:
            self._condition(child, rows.where.text)

    def _unknown_children(self, relationship: str) -> None:
        self.needs.tell(
            f"{relationship} of {self.selected}: the object of its rows cannot be told from the mapping. It must be "
            f"there already; grant the connector's user to read it, and each field that the mapping reads of it."
        )

    def _invitations(self, found: Invitations) -> None:
        leaves = [leaf for item in found.items for leaf in leaves_of(item.tree)]
        leaves += [item.engagement for item in found.items if item.engagement is not None]
        lines = [entry for item in found.items for entry in item.write_back]
        if not found.relationship:
            for leaf in leaves:
                self._leaf(self.selected, leaf)
            self._written(self.selected, lines)
            return
        child = child_object(self.mapping, found.relationship)
        if child is None:
            self._unknown_children(found.relationship)
            return
        self.needs.children[child.name] = child
        self._rows(child.name, found, leaves)
        self._written(child.name, lines)

    def _leaf(self, sobject: str, leaf: Leaf) -> None:
        for path in leaf.sources:
            decided = type_of_source(leaf, self.documented, beside_standard=is_beside_standard(leaf))
            self._path(sobject, path, self._use(decided if is_dotted(path.text) else OPEN, leaf.path))
        for path in leaf.template.paths if leaf.template is not None else ():
            self._path(sobject, path, self._use(OPEN, leaf.path))
        if leaf.when is not None and leaf.when.field is not None:
            self._path(sobject, leaf.when.field, self._use(OPEN, leaf.path, tests=True))

    def _path(self, sobject: str, path: Path, use: Use) -> None:
        relationships = unique(name for name, _ in path.children)
        for name in path.fields:
            if name.lower() not in {one.lower() for one in relationships}:
                self.needs.add(sobject, name, use)
        for relationship, name in path.children:
            child = standard.child_of(sobject, relationship)
            if child is None:
                self._unknown_children(relationship)
            else:
                self.needs.objects.add(child)
                self.needs.add(child, name, use)

    def _condition(self, sobject: str, text: str) -> None:
        for comparison in comparisons_of(text):
            self.needs.add(sobject, comparison.path, self._use(type_of_comparison(comparison), "", tests=True))

    def _written(self, sobject: str, lines: Iterable[WriteBack]) -> None:
        for entry in lines:
            self.needs.add_own(sobject, entry.field, self._use(self._type_of(entry.fact), entry.fact, writes=True))

    def _type_of(self, fact: str) -> FieldType:
        """Of a person's whole name, which is made up, as of any other fact."""
        above, _, last = fact.rpartition(".")
        person = self._shape(above)
        while person is not None and person.kind == "list":
            person = person.item
        if last != FULL_NAME or person is None or not {"FirstName", "LastName"} <= set(person.members):
            return type_of_fact(fact, self._shape(fact))
        return type_of_full_name(person, is_one="[" in above.rpartition(".")[2])

    def _shape(self, fact: str) -> Shape | None:
        """The shape of a fact; a list where it is read of every item of one."""
        root, _, rest = fact.partition(".")
        top = self._roots().get(root)
        if top is None:
            return None
        shape: Shape | None = top
        is_list = False
        for step in rest.split("."):
            name, chosen, _ = step.partition("[")
            while shape is not None and shape.kind == "list":
                shape = shape.item
            shape = shape.members.get(name) if shape is not None else None
            is_list = is_list or (shape is not None and shape.kind == "list" and not chosen)
        return Shape("list", item=shape) if is_list and shape is not None else shape

    def _roots(self) -> dict[str, Shape]:
        shapes = self.shapes
        return {
            "opportunity": shapes.opportunity,
            "aws": shapes.aws,
            "task": shapes.task,
            "invitation": shapes.invitation_answer,
        }
