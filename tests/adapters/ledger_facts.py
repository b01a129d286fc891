"""Facts for the ledger's tests, and short words for what they do again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from connector.adapters.ledger import Ledger
from connector.core.model import Association, Mapped, Operation, Origin, Problem
from connector.core.selection import to_id18

NOW = datetime(2027, 1, 15, 12, 0, 0, 250_000, UTC)
HOUR = timedelta(hours=1)
ACME = ("acme", "Sandbox")
DEAL = "006000000000001AAA"
PROBLEM = Problem(
    "Customer.Account.WebsiteUrl", "It is missing.", "Fill it in.", "required", "create", "Website", "m", 31
)
MAPPED = Mapped(
    {"Project": {"Title": "Übernahme 日本 🚀"}, "Customer": {"Account": {"CompanyName": "Bürli"}}},
    (Association("Solutions", "S-0000001"),),
    {"InvolvementType": "Co-Sell"},
    (),
    {"Project.Title": Origin(("Name",), "mappings/opportunity.yaml", 12, 5)},
)


def deal(number: int) -> str:
    return to_id18(f"006{number:012d}")


def add(
    ledger: Ledger, *ids: str, key: tuple[str, str] = ACME, now: datetime = NOW, mapped: Mapped = MAPPED
) -> list[int]:
    """Links for these records; gives their numbers."""
    ledger.store_mapped(*key, [(i, f"Deal {i}", mapped, {}) for i in ids], now)
    return [ledger.find(*key, i).id for i in ids]  # type: ignore[union-attr]


def settle(ledger: Ledger, number: int, status: str = "Synced", until: datetime | None = None) -> None:
    ledger.rest(number, status, "Both sides agree.", until, NOW, show=False, news=False)


def begin(ledger: Ledger, number: int, action: str = "CreateOpportunity", now: datetime = NOW) -> Operation:
    return ledger.begin(ledger.link(number), action, {"ClientToken": "t", "Title": "Ü"}, "t", now)


def due(ledger: Ledger, now: datetime = NOW, **more: Any) -> list[int]:
    return ledger.due(*ACME, now, 100, **more)


def summary(number: int, identifier: str = "", **more: Any) -> dict[str, Any]:
    return {"Id": f"O{number}", "PartnerOpportunityIdentifier": identifier, **more}


def show(ledger: Ledger, number: int, now: datetime = NOW, status: str = "Held") -> None:
    ledger.rest(number, status, "Why.", None, now, show=True, news=True)
