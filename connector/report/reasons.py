"""Reasons why a record is not in AWS, and the story of a record of which nothing else is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from connector.core.identifiers import Identifier, Kind
from connector.core.model import Structure
from connector.sync import Context


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason; ``code`` is for programs, ``message`` and ``cure`` are for people.

    ``condition`` is the flag taken apart, ``records`` are others that may be meant. ``entry`` is the plan of a record
    that is to be shared, ``existing`` what AWS shows of an opportunity.
    """

    UNKNOWN_RANK: ClassVar[int] = 3
    _RANKS: ClassVar[dict[str, int]] = {
        **dict.fromkeys(("not_read", "not_flagged", "deleted", "at_aws"), 0),
        **dict.fromkeys(("merged", "other_object"), 1),
        "not_visible": 3,
    }

    code: str
    message: str
    cure: str
    name: str = ""
    condition: tuple[Structure, ...] = ()
    records: tuple[Structure, ...] = ()
    status: str | None = None
    entry: Structure | None = None
    existing: Structure = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """The lower, the more it explains; from ``UNKNOWN_RANK`` on nothing was found."""
        return self._RANKS.get(self.code, 4)

    def to_json(self) -> Structure:
        return {
            "code": self.code,
            "message": self.message,
            "cure": self.cure,
            "condition": list(self.condition),
            "records": list(self.records),
        }


_VALUE = ("path", "value", "salesforce_field", "file", "line")


def told(context: Context, identifier: Identifier, reason: Reason) -> Structure:
    """The story of a record that the ledger does not know: the same keys, and null for what nobody knows."""
    entry = reason.entry or {}
    life_cycle = reason.existing.get("LifeCycle") or {}
    is_salesforce = identifier.kind == Kind.SALESFORCE
    values = [value for value in entry.get("values", ()) if value["value"] is not None]
    return {
        "connection": context.name,
        "catalog": context.catalog,
        "salesforce_id": identifier.text if is_salesforce else reason.existing.get("PartnerOpportunityIdentifier"),
        "name": reason.name or None,
        "presence": None,
        "opportunity_id": reason.existing.get("Id") or entry.get("opportunity_id"),
        "review_status": life_cycle.get("ReviewStatus"),
        "stage": life_cycle.get("Stage"),
        "task": None,
        "invitations": [],
        "sync": {"status": reason.status, "message": reason.message, "next_try": None, "since": None},
        "problems": entry.get("problems", []),
        "differences": [],
        "aws": None,
        "write_back": {"shown": None, "error": None, "meaning": None, "cure": None},
        "values": [{name: value.get(name) for name in _VALUE if name in value} for value in values],
        "asked": None,
        "history": [],
        "reason": reason.to_json(),
        "elsewhere": [],
    }
