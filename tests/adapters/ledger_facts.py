"""Facts for the ledger's tests, and short words for what they do again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from connector.adapters.ledger import Ledger
from connector.core.model import Association, Link, Mapped, Origin, Problem
from connector.core.selection import to_id18
from connector.ports import Begin, Rest

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


def rest(ledger: Ledger, number: int, *said: Any, now: datetime = NOW, **more: Any) -> None:
    ledger.rest([(ledger.link(number), Rest(*said, **more))], now)


def settle(ledger: Ledger, number: int, status: str = "Synced", until: datetime | None = None) -> None:
    rest(ledger, number, status, "Both sides agree.", until)


def change(ledger: Ledger, number: int, now: datetime = NOW, **changes: Any) -> Link:
    return ledger.change(ledger.link(number), now, **changes)


def begin(ledger: Ledger, number: int, action: str = "CreateOpportunity", now: datetime = NOW) -> Link:
    return ledger.begin(ledger.link(number), Begin(action, {"ClientToken": "t", "Title": "Ü"}, "t"), now)


def due(ledger: Ledger, now: datetime = NOW, **more: Any) -> list[int]:
    return ledger.due(*ACME, now, 100, **more)


def summary(number: int, identifier: str = "", **more: Any) -> dict[str, Any]:
    return {"Id": f"O{number}", "PartnerOpportunityIdentifier": identifier, **more}


def show(ledger: Ledger, number: int, now: datetime = NOW, status: str = "Held") -> None:
    rest(ledger, number, status, "Why.", now=now, show=True, news=True)
