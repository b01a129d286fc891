"""What the four verbs work on: one connection, with its ports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeAlias

from connector.core import invitations
from connector.core.edits import Policy
from connector.core.facts import fact_of, fact_of_invitation, to_field, unlike
from connector.core.given import field_of
from connector.core.guard import Limits
from connector.core.mapping import CompiledMapping
from connector.core.mapping.nodes import InvitationItem, WriteBack
from connector.core.model import Invitation, Link, Refusal, Structure
from connector.errors import AccessDenied
from connector.ports import Clock, FieldInfo, Ledger, PartnerCentral, Salesforce
from connector.sync import inbound
from connector.sync.guards import Memory
from connector.sync.readings import Instant, Readings

_Fields: TypeAlias = Mapping[str, FieldInfo]
ASK_AGAIN_SECONDS = 600.0
"""How long a child object that Salesforce hides is not asked about again."""


def _unwatched() -> None:
    """Where nobody watches."""


@dataclass(frozen=True, slots=True)
class Unshown:
    """What Salesforce does not show of a link as it should.

    ``values`` are to be written, as ``Field`` of the record and ``<18-character row id>.Field`` of its child rows.
    ``taken`` are the values of AWS that its inbound fields are given by that, or show already, as ``Link.taken`` has
    them.
    """

    values: Structure
    taken: Structure

    def without(self, names: Iterable[str]) -> Unshown:
        """The same but for these fields."""
        left_out = set(names)
        if not left_out:
            return self
        values = {name: value for name, value in self.values.items() if name not in left_out}
        return Unshown(values, {name: one for name, one in self.taken.items() if field_of(name) not in left_out})


@dataclass(slots=True)
class Context:
    """One connection: its mapping, both services, the ledger, the clock and the limits.

    ``mapping_digest`` tells one version of the mapping file from another; ``submitted`` is set when a task came to
    its end, so that the review status is worth a look. ``actor`` is who does what is done, for the audit trail;
    ``stopping`` is this connection's own: others may go on when it is set. ``moved`` is told
    each time a look that may take long got something done, in the thread that looks.
    """

    name: str
    mapping: CompiledMapping
    salesforce: Salesforce
    partner_central: PartnerCentral
    ledger: Ledger
    clock: Clock
    mapping_digest: str = ""
    actor: str = ""
    limits: Limits = field(default_factory=Limits)
    in_flight: int = 8
    policy: Policy = field(default_factory=Policy)
    refresh_every: timedelta = timedelta(hours=6)
    reads_per_day: int = 100_000
    creating: threading.Lock = field(default_factory=threading.Lock)
    guards: Memory = field(default_factory=Memory)
    readings: Readings = field(default_factory=Readings)
    stopping: threading.Event = field(default_factory=threading.Event)
    submitted: threading.Event = field(default_factory=threading.Event)
    moved: Callable[[], None] = _unwatched
    told: set[tuple[str, str]] = field(default_factory=set, repr=False)
    _described: dict[str, tuple[_Fields, _Fields]] = field(default_factory=dict, repr=False)
    _hidden_until: float = field(default=float("-inf"), repr=False)

    @property
    def catalog(self) -> str:
        return self.partner_central.catalog

    @property
    def key(self) -> tuple[str, str]:
        """The first two parts of every ledger key."""
        return self.name, self.catalog

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def instant(self) -> Instant:
        """This moment by both clocks, to tell later how long ago it was."""
        return self.clock.monotonic(), self.now.timestamp()

    @property
    def today(self) -> date:
        """The date AWS judges close dates by (UTC)."""
        return self.clock.now().date()

    def fields(self) -> _Fields:
        """Our object's fields as Salesforce describes them."""
        return self.salesforce.describe(self.mapping.selection.sobject)

    def fields_to_show(self) -> _Fields:
        """The record's fields that the sync fills and that Salesforce lets us edit, as the mapping spells them."""
        return self._editable("", self.fields(), self.own_fields)

    @property
    def own_fields(self) -> tuple[str, ...]:
        """The record's fields that the sync fills, in the mapping's order."""
        mapping = self.mapping
        shown = [*mapping.write_back, *(entry for item in self._written_out for entry in item.write_back)]
        return (*(entry.field for entry in shown), *(entry.field for entry in mapping.inbound))

    @property
    def row_fields(self) -> tuple[WriteBack, ...]:
        """The fields of an invitation's child row that show it."""
        found = self.mapping.invitations
        return found.items[0].write_back if found is not None and found.relationship else ()

    @property
    def _written_out(self) -> tuple[InvitationItem, ...]:
        found = self.mapping.invitations
        return found.items if found is not None and not found.relationship else ()

    def child(self) -> str:
        """The object whose rows are invitations; "" where the mapping has none or Salesforce hides it from us."""
        found = self.mapping.invitations
        if found is None or not found.relationship or self.clock.monotonic() < self._hidden_until:
            return ""
        try:
            name = self.salesforce.child(self.mapping.selection.sobject, found.relationship)
        except AccessDenied:
            return ""
        try:
            self.salesforce.describe(name)
        except AccessDenied:
            # Asked for at every rest, and a refusal is not remembered by whoever asks Salesforce.
            self._hidden_until = self.clock.monotonic() + ASK_AGAIN_SECONDS
            return ""
        return name

    def row_fields_to_show(self) -> _Fields:
        """As ``fields_to_show``, of the child rows that are invitations."""
        if not self.row_fields or not (child := self.child()):
            return {}
        return self._editable(child, self.salesforce.describe(child), tuple(entry.field for entry in self.row_fields))

    def _editable(self, sobject: str, fields: _Fields, names: Sequence[str]) -> _Fields:
        known = self._described.get(sobject)
        # Asked for at every rest; the description stays the same object until Salesforce tells another one.
        if known is None or known[0] is not fields:
            editable = {name.lower(): info for name, info in fields.items() if info.updateable}
            known = (fields, {name: editable[name.lower()] for name in names if name.lower() in editable})
            self._described[sobject] = known
        return known[1]

    def unshown(self, link: Link, status: str, message: str) -> Unshown:
        """What Salesforce does not show of a link that rests like this. Also logs, once, what cannot be shown."""
        values, taken = inbound.to_show(self, link)
        values = {**self.values_to_show(link, status, message, link.changed_at), **values}
        return Unshown(unlike(values, link.shown), taken)

    def values_to_show(self, link: Link, status: str, message: str, at: datetime | None) -> Structure:
        """What each write-back field should show, of the record and of its invitations.

        Facts not known yet, and fields we may not edit, are left out; so are inbound fields.
        """
        fields = self.fields_to_show()
        values: Structure = {}
        # Asked for at every rest; before the review AWS's own side tells nothing of all it could.
        for entry in self.mapping.write_back if link.aws else self.mapping.told_by_us:
            known, value = fact_of(entry.fact, link, status, message, at)
            info = fields.get(entry.field)
            if known and info is not None:
                values[entry.field] = to_field(value, info.type, info.length, info.scale)
        if self.mapping.invitations is not None and link.mapped is not None and link.mapped.invitations:
            values |= self._values_of_invitations(link, link.mapped.invitations)
        return values

    def _values_of_invitations(self, link: Link, wanted: Sequence[Invitation]) -> Structure:
        assert link.mapped is not None
        judged = invitations.judge(link, link.mapped)
        held = {one.key: words for one, words in judged.held}
        in_line = {one.key for one in judged.send}
        values: Structure = {}
        for one in wanted:
            written_out = one.key.startswith("[")
            # Another mapping may have made them: then nothing of theirs is shown until the record is read again.
            items = {f"[{index}]": item.write_back for index, item in enumerate(self._written_out)}
            entries = items.get(one.key, ()) if written_out else self.row_fields
            fields = self.fields_to_show() if written_out else self.row_fields_to_show()
            refusal = Refusal("", one.fingerprint, held[one.key]) if one.key in held else None
            sent = invitations.sent_for(one, link.invitations)
            for entry in entries:
                known, value = fact_of_invitation(entry.fact, one, sent, refusal, is_next=one.key in in_line)
                info = fields.get(entry.field)
                if known and info is not None:
                    name = entry.field if written_out else f"{one.key}.{entry.field}"
                    values[name] = to_field(value, info.type, info.length, info.scale)
        return values

    @property
    def stamp_fields(self) -> tuple[str, ...]:
        """Fields that show ``sync.at``; on their own they are no reason to write."""
        return tuple(entry.field for entry in self.mapping.write_back if entry.fact == "sync.at")
