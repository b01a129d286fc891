"""What the four verbs work on: one connection, with its ports."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from connector.core.facts import fact_of, to_field
from connector.core.guard import Limits
from connector.core.mapping import CompiledMapping
from connector.core.model import Link, Structure
from connector.ports import Clock, FieldInfo, Ledger, PartnerCentral, Salesforce
from connector.sync.guards import Memory


@dataclass(slots=True)
class Context:
    """One connection: its mapping, both services, the ledger, the clock and the limits.

    ``mapping_digest`` tells one version of the mapping file from another; ``submitted`` is set when a task came to
    its end, so that the review status is worth a look.
    """

    name: str
    mapping: CompiledMapping
    salesforce: Salesforce
    partner_central: PartnerCentral
    ledger: Ledger
    clock: Clock
    mapping_digest: str = ""
    limits: Limits = field(default_factory=Limits)
    in_flight: int = 8
    creating: threading.Lock = field(default_factory=threading.Lock)
    guards: Memory = field(default_factory=Memory)
    stopping: threading.Event = field(default_factory=threading.Event)
    submitted: threading.Event = field(default_factory=threading.Event)
    _described: tuple[Mapping[str, FieldInfo], Mapping[str, FieldInfo]] | None = field(default=None, repr=False)

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
    def today(self) -> date:
        """The date AWS judges close dates by (UTC)."""
        return self.clock.now().date()

    def fields(self) -> Mapping[str, FieldInfo]:
        """Our object's fields as Salesforce describes them."""
        return self.salesforce.describe(self.mapping.selection.sobject)

    def fields_to_show(self) -> Mapping[str, FieldInfo]:
        """The write-back fields that Salesforce lets us edit, as the mapping spells them."""
        fields = self.fields()
        # Asked for at every rest; the description stays the same object until Salesforce tells another one.
        if self._described is None or self._described[0] is not fields:
            editable = {name.lower(): info for name, info in fields.items() if info.updateable}
            names = [entry.field for entry in self.mapping.write_back if entry.field.lower() in editable]
            self._described = (fields, {name: editable[name.lower()] for name in names})
        return self._described[1]

    def values_to_show(self, link: Link, status: str, message: str, at: datetime | None) -> Structure:
        """What each write-back field should show; facts not known yet, and fields we may not edit, are left out."""
        fields = self.fields_to_show()
        values: Structure = {}
        for entry in self.mapping.write_back:
            known, value = fact_of(entry.fact, link, status, message, at)
            info = fields.get(entry.field)
            if known and info is not None:
                values[entry.field] = to_field(value, info.type, info.length)
        return values

    @property
    def stamp_fields(self) -> tuple[str, ...]:
        """Fields that show ``sync.at``; on their own they are no reason to write."""
        return tuple(entry.field for entry in self.mapping.write_back if entry.fact == "sync.at")
