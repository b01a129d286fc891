"""Fields the platform fills in from others of the same row: names, stages, totals, compound addresses."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from connector.sandbox.salesforce.store import Row

_STAGES: dict[str, tuple[int, str, str]] = {
    "Prospecting": (10, "Pipeline", "Pipeline"),
    "Qualification": (10, "Pipeline", "Pipeline"),
    "Needs Analysis": (20, "Pipeline", "Pipeline"),
    "Value Proposition": (50, "Pipeline", "Pipeline"),
    "Id. Decision Makers": (60, "Pipeline", "Pipeline"),
    "Perception Analysis": (70, "Pipeline", "Pipeline"),
    "Proposal/Price Quote": (75, "Pipeline", "Pipeline"),
    "Negotiation/Review": (90, "Pipeline", "Pipeline"),
    "Closed Won": (100, "Closed", "Closed"),
    "Closed Lost": (0, "Omitted", "Omitted"),
}
_CATEGORIES = {"Best Case": "BestCase", "Commit": "Forecast"}
_PARTS = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "GeocodeAccuracy")


def derive(object_name: str, row: Row, old: Row | None, now: datetime) -> None:
    """Fills the derived fields of a new version of a row, in place."""
    if object_name == "Opportunity":
        _derive_opportunity(row, old or {}, now)
    elif object_name in {"Contact", "User"}:
        row["Name"] = " ".join(filter(None, (row.get("FirstName"), row.get("LastName"))))
    elif object_name == "OpportunityLineItem":
        row["TotalPrice"] = round(row["Quantity"] * (row.get("UnitPrice") or 0.0), 2)


def _derive_opportunity(row: Row, old: Row, now: datetime) -> None:
    stage = row.get("StageName")
    if stage != old.get("StageName"):
        probability, category, name = _STAGES.get(str(stage), (0, "Pipeline", "Pipeline"))
        if row.get("Probability") == old.get("Probability"):
            row["Probability"] = float(probability)
        if row.get("ForecastCategoryName") == old.get("ForecastCategoryName"):
            row["ForecastCategoryName"] = name
        row["IsClosed"] = category in {"Closed", "Omitted"}
        row["IsWon"] = category == "Closed"
        row["LastStageChangeDate"] = now if old else None
    name = row.get("ForecastCategoryName") or "Pipeline"
    row["ForecastCategory"] = _CATEGORIES.get(name, name)
    amount = row.get("Amount")
    row["ExpectedRevenue"] = None if amount is None else round(amount * (row.get("Probability") or 0) / 100, 2)
    _derive_fiscal(row, row.get("CloseDate"))


def _derive_fiscal(row: Row, close: date | None) -> None:
    if close is not None:
        row["FiscalYear"], row["FiscalQuarter"] = close.year, (close.month + 2) // 3
        row["Fiscal"] = f"{close.year} {row['FiscalQuarter']}"


def to_address(row: Row, compound: str) -> dict[str, Any] | None:
    """The compound value of `BillingAddress` and its like; None where every part is empty."""
    prefix = compound.removesuffix("Address")
    parts = {part[0].lower() + part[1:]: row.get(prefix + part) for part in _PARTS}
    return dict(sorted(parts.items())) if any(value is not None for value in parts.values()) else None
