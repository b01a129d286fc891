"""What a mapping asks Salesforce for: every field that some part of it reads or fills. Reads no file, asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.core.mapping.nodes import (
    Each,
    Inbound,
    Invitations,
    Leaf,
    Node,
    Struct,
    Submission,
    WriteBack,
    eaches_of,
    leaves_of,
    leaves_outside_eaches,
)
from connector.core.selection import Selection, unique


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a mapping that read or write Salesforce: what they need is asked for."""

    tree: Struct
    associate: Mapping[str, Leaf]
    submission: Submission | None
    assign: Struct | None
    invitations: Invitations | None
    write_back: tuple[WriteBack, ...]
    inbound: tuple[Inbound, ...]
    adopt: Leaf | None

    def selection(self, sobject: str, where: str) -> Selection:
        leaves = self._own_leaves()
        fields = [name for leaf in leaves for path in leaf.paths for name in path.fields]
        children = [pair for leaf in leaves for path in leaf.paths for pair in path.children]
        eaches = [each for node in self._own_trees() for each in eaches_of(node)]
        children += [(each.relationship, name) for each in eaches for name in _read_of_rows(each, leaves_of(each))]
        children += self._invited_rows()
        if self.submission is not None and self.submission.when is not None:
            fields += self.submission.when.fields
        fields += [entry.field for entry in (*self.write_back, *self._written_on_record())]
        fields += [entry.field for entry in self.inbound]
        linked = [entry.field for entry in self.write_back if entry.fact in {"opportunity.Id", "sync.status"}]
        relationships = unique(name for name, _ in children)
        by_relationship = {
            relationship: unique(name for other, name in children if other.lower() == relationship.lower())
            for relationship in relationships
        }
        named = {relationship.lower() for relationship in relationships}
        own = unique(name for name in fields if name.lower() not in named)
        return Selection(sobject, where, own, by_relationship, unique(linked))

    def _own_trees(self) -> list[Node]:
        """What is read from the record itself, and from the rows that an ``each`` of it names."""
        submitted = self.submission.members if self.submission is not None else None
        found: list[Node | None] = [self.tree, submitted, self.assign]
        if self.invitations is not None and not self.invitations.relationship:
            found += [node for item in self.invitations.items for node in (item.tree, item.engagement)]
        return [node for node in found if node is not None]

    def _own_leaves(self) -> list[Leaf]:
        first, *others = (leaves_outside_eaches(node) for node in self._own_trees())
        named = [self.adopt] if self.adopt is not None else []
        return [*first, *self.associate.values(), *(leaf for leaves in others for leaf in leaves), *named]

    def _invited_rows(self) -> list[tuple[str, str]]:
        """The fields of the rows that invitations are made of, and of those that show them."""
        found = self.invitations
        if found is None or not found.relationship:
            return []
        leaves = [leaf for item in found.items for leaf in leaves_of(item.tree)]
        leaves += [item.engagement for item in found.items if item.engagement is not None]
        written = [entry.field for item in found.items for entry in item.write_back]
        return [(found.relationship, name) for name in (*_read_of_rows(found, leaves), *written)]

    def _written_on_record(self) -> list[WriteBack]:
        """What written-out invitations show on the record itself."""
        if self.invitations is None or self.invitations.relationship:
            return []
        return [entry for item in self.invitations.items for entry in item.write_back]


def _read_of_rows(rows: Each | Invitations, leaves: Sequence[Leaf]) -> list[str]:
    """What is read of the rows of a child relationship."""
    read = [name for leaf in leaves for path in leaf.paths for name in path.fields]
    ordering = [name for path, _ in rows.order_by for name in path.fields]
    return ["Id", *read, *ordering, *(rows.where.fields if rows.where else ())]
