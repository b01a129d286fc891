"""One request while it is worked on, and what a handler gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from connector.sandbox.partner_central.errors import not_found
from connector.sandbox.partner_central.paths import Json
from connector.sandbox.partner_central.records import Opportunity, Records
from connector.sandbox.partner_central.settings import Settings


@dataclass(frozen=True, slots=True)
class Answer:
    """How to render an answer, and for how many seconds to hold it before."""

    render: Callable[[], Json]
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, when, in which catalog, and what of."""

    records: Records
    settings: Settings
    account: str
    catalog: str
    now: datetime

    @property
    def today(self) -> date:
        """AWS's day, which is UTC's."""
        return self.now.date()

    def is_own(self, opportunity_id: str) -> bool:
        """Whether an opportunity exists, is the caller's, and is in this catalog."""
        record = self.records.opportunities.get(opportunity_id)
        return (
            record is not None
            and record.account == self.account
            and record.catalog == self.catalog
            and not record.is_hidden
        )

    def is_visible(self, record: Opportunity) -> bool:
        """Whether reads show a record yet: they lag behind a create."""
        lag = self.settings.visible_after
        is_settled = not lag or self.now >= record.created + timedelta(seconds=lag)
        return self.is_own(record.id) and is_settled

    def opportunity(self, opportunity_id: str) -> Opportunity:
        """The caller's opportunity. Raises ResourceNotFoundException."""
        if not self.is_own(opportunity_id):
            raise not_found("Opportunity", opportunity_id)
        return self.records.opportunities[opportunity_id]
