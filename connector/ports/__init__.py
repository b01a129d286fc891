"""What the shell needs from the outside, as Protocols. Adapters implement them; nothing here is vendor-specific."""

from __future__ import annotations

from connector.ports.ledger import Begin, Ledger, LinkChanges, Rest, Written
from connector.ports.services import (
    ApiUsage,
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

__all__ = [
    "ApiUsage",
    "Begin",
    "Changes",
    "Clock",
    "Denial",
    "FieldInfo",
    "Identity",
    "KnownRow",
    "Ledger",
    "LinkChanges",
    "Organization",
    "PartnerCentral",
    "Rest",
    "RowResult",
    "RowState",
    "RowUpdate",
    "Salesforce",
    "Written",
]
