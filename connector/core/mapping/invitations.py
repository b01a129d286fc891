"""Reads the ``invitations`` of a mapping file: who is invited, and what the invitation says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.core.mapping.complaints import Complaints, Keys, meant_by
from connector.core.mapping.fact_lines import FactLineReader
from connector.core.mapping.fact_names import FactTable
from connector.core.mapping.leaves import LeafReader
from connector.core.mapping.nodes import ENGAGEMENT, INVITATION, InvitationItem, Invitations, Leaf, Struct, eaches_of
from connector.core.mapping.tree import SENT_BY_CONNECTOR, TreeReader
from connector.core.schema import Shape

_KEYS: Keys = ("invitations",)
_ROW_KEYS = ("each", "where", "order_by", "limit", "item", "write_back")


@dataclass(frozen=True, slots=True)
class InvitationReader:
    """Turns the section into Invitations; what it cannot read becomes a complaint.

    ``shape`` is the Invitation of CreateEngagementInvitation, ``engagement`` its EngagementIdentifier, ``facts`` what
    may be written back of an invitation.
    """

    complaints: Complaints
    trees: TreeReader
    leaves: LeafReader
    lines: FactLineReader
    shape: Shape
    engagement: Shape
    facts: FactTable

    def invitations(
        self, value: Any, opportunity: Mapping[str, Leaf], is_doubtful: Callable[[str], bool]
    ) -> Invitations | None:
        """The section; ``opportunity`` are the leaves that ``like`` may name, by AWS path.

        ``is_doubtful``: whether a mistake that is told already is why no leaf has an AWS path.
        """
        self.leaves.likeable, self.leaves.is_doubtful = opportunity, is_doubtful
        found = self._read(value)
        self.leaves.likeable = None
        return found

    def _read(self, value: Any) -> Invitations | None:
        if isinstance(value, list) and value:
            items = [self._written_out(inner, (*_KEYS, index)) for index, inner in enumerate(value)]
            kept = tuple(item for item in items if item is not None)
            return Invitations("", kept, self.complaints.origin(_KEYS)) if len(kept) == len(items) else None
        if isinstance(value, dict) and "each" in value:
            return self._over_rows(value)
        cure = "Write `each:` and `item:` for a child object, or items with `- ` over fields of the record."
        self.complaints.add_missing(_KEYS, "invitations does not say who is invited.", cure)
        return None

    def _over_rows(self, value: dict[str, Any]) -> Invitations | None:
        self._check_mixed(value)
        relationship = self.trees.relationship(value["each"], (*_KEYS, "each"))
        where = self.trees.condition(value.get("where"), (*_KEYS, "where"))
        limit = self.trees.limit(value.get("limit"), Shape("list"), (*_KEYS, "limit"))
        order = self.trees.order(value.get("order_by"), (*_KEYS, "order_by"))
        lines = self.lines.write_back(value.get("write_back"), (*_KEYS, "write_back"), self.facts, {})
        keys = (*_KEYS, "item")
        if not isinstance(value.get("item"), dict):
            cure = "Add `item:` with Message, Payload and Receiver."
            self.complaints.add_missing(keys, "each needs an item.", cure)
            return None
        self.leaves.within = relationship
        tree, engagement = self._item(value["item"], keys)
        self.leaves.within = ""
        for each in eaches_of(tree):
            message = f"{each.relationship} are children of a child, which Salesforce does not give."
            self.complaints.add(keys, message, "Read fields of the row, or of a record it looks up to.")
        if "write_back" in value["item"]:
            message = "write_back stands beside item, not in it."
            self.complaints.add((*keys, "write_back"), message, "Move it to the left.")
        origin = self.complaints.origin(_KEYS, (relationship,))
        items = (InvitationItem(tree, engagement, lines),)
        return Invitations(relationship, items, origin, where, order, limit)

    def _check_mixed(self, value: dict[str, Any]) -> None:
        parts = (*self.shape.members, ENGAGEMENT)
        for name in value:
            if name in parts:
                self.complaints.add((*_KEYS, name), f"{name} stands beside each.", "Move it below item:.")
            elif name not in _ROW_KEYS:
                self.complaints.add_unknown((*_KEYS, name), f"{name!r} is not known here.", _ROW_KEYS)

    def _written_out(self, value: Any, keys: Keys) -> InvitationItem | None:
        if not isinstance(value, dict):
            cure = f"Give its members: {', '.join((*self.shape.members, ENGAGEMENT, 'write_back'))}."
            self.complaints.add(keys, "An invitation is a structure.", cure)
            return None
        if "each" in value or "item" in value:
            message = "Partners come from a child object or are written out one by one, not both."
            cure = "Write each and item without `- `, or Message, Payload and Receiver here."
            self.complaints.add(keys, message, cure)
            return None
        tree, engagement = self._item(value, keys)
        lines = self.lines.write_back(value.get("write_back"), (*keys, "write_back"), self.facts)
        return InvitationItem(tree, engagement, lines)

    def _item(self, value: dict[str, Any], keys: Keys) -> tuple[Struct, Leaf | None]:
        members, meant = {}, frozenset[str]()
        for name, inner in value.items():
            if name in self.shape.members:
                members[name] = inner
            elif name in SENT_BY_CONNECTOR:
                self.complaints.add((*keys, name), f"{name} is set by the connector itself.", "Remove the line.")
            elif name not in (ENGAGEMENT, "write_back"):
                known = (*self.shape.members, ENGAGEMENT, "write_back")
                self.complaints.add_unknown((*keys, name), f"An invitation has no {name!r}.", known)
                self.complaints.doubt_meant(keys, name, value, known)
                meant |= meant_by([name], value, known)
        tree = self.trees.struct(members, self.shape, keys, INVITATION, meant)
        at = (*keys, ENGAGEMENT)
        if ENGAGEMENT in value and value[ENGAGEMENT] is None:
            self.complaints.add_missing(at, f"{ENGAGEMENT} says nothing.", "Give a field path, or remove the line.")
            return tree, None
        given = value.get(ENGAGEMENT)
        return tree, None if given is None else self.leaves.leaf(given, self.engagement, at, ENGAGEMENT)
