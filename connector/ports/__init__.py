"""What the shell needs from the outside, as Protocols. Adapters implement them; nothing here is vendor-specific."""

from __future__ import annotations

from connector.ports.ledger import Begin, Ledger, LinkChanges, Reasons, Rest, Written
from connector.ports.services import (
    ApiUsage,
    CallTally,
    Changes,
    Clock,
    Denial,
    FieldInfo,
    Identity,
    KnownRow,
    Organization,
    PartnerCentral,
    RowResult,
    RowState,
    RowUpdate,
    Salesforce,
)
from connector.ports.watching import Alert, Finished, OpenOperations

__all__ = [
    "Alert",
    "ApiUsage",
    "Begin",
    "CallTally",
    "Changes",
    "Clock",
    "Denial",
    "FieldInfo",
    "Finished",
    "Identity",
    "KnownRow",
    "Ledger",
    "LinkChanges",
    "OpenOperations",
    "Organization",
    "PartnerCentral",
    "Reasons",
    "Rest",
    "RowResult",
    "RowState",
    "RowUpdate",
    "Salesforce",
    "Written",
]
