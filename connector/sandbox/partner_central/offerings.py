"""What can be associated with an opportunity: the partner's solutions and AWS's product codes."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

from connector.sandbox.partner_central.records import make_arn
from connector.sandbox.partner_central.tables import MARKETPLACE_ARNS


@dataclass(frozen=True, slots=True)
class Solution:
    """A partner solution as ListSolutions shows it."""

    id: str
    category: str
    name: str
    created: datetime
    status: str = "Active"

    def to_json(self, catalog: str, created: str) -> dict[str, str]:
        """A SolutionBase; `created` is the wire form of its date."""
        return {
            "Catalog": catalog,
            "Id": self.id,
            "Arn": make_arn(catalog, "solution", self.id),
            "Name": self.name,
            "Status": self.status,
            "Category": self.category,
            "CreatedDate": created,
        }


def _day(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


# The first eight are from AWS's sample list of partner solutions, the last is the Sandbox catalog's default.
SOLUTIONS = {
    solution.id: solution
    for solution in (
        Solution("S-0001111", "Consulting Service", "Neptune Network Strategies", _day(2018, 11, 27, 21, 52, 58)),
        Solution(
            "S-0001112",
            "Consulting Service",
            "BioTech Innovations on Cloud Nine",
            _day(2018, 11, 16, 21, 48, 52),
        ),
        Solution("S-0001113", "Consulting Service", "HealthTech Cloud Strategies", _day(2018, 11, 21, 20, 17, 16)),
        Solution("S-0001114", "Software Product", "CyberGuardian Health Metrics", _day(2018, 11, 25, 17, 21, 26)),
        Solution("S-0001115", "Software Product", "AquaBill Transformation Suite", _day(2022, 9, 26, 13, 46, 58)),
        Solution("S-0001116", "Consulting Service", "Prodigy Talent Incubator", _day(2022, 8, 30, 20, 52, 56)),
        Solution(
            "S-0001117",
            "Consulting Service",
            "CloudShield Centralized Security",
            _day(2022, 9, 8, 23, 21, 12),
        ),
        Solution("S-0001118", "Professional Service", "CloudShield Foundations", _day(2022, 9, 8, 23, 24, 21)),
        Solution("S-1234567", "Software Product", "Sandbox Default Solution", _day(2024, 11, 14, 0, 0, 0)),
    )
}


@cache
def _product_codes() -> frozenset[str]:
    text = files("connector.sandbox.partner_central").joinpath("products.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def solutions(inactive: Collection[str]) -> list[Solution]:
    """The partner's solutions, some of which it has taken back."""
    return [replace(one, status="Inactive") if one.id in inactive else one for one in SOLUTIONS.values()]


def is_known(kind: str, identifier: str, inactive: Collection[str] = ()) -> bool:
    """Whether an identifier names something of a RelatedEntityType that may be associated."""
    if kind == "Solutions":
        return identifier in SOLUTIONS and identifier not in inactive
    if kind == "AwsProducts":
        return identifier in _product_codes()
    return re.fullmatch(MARKETPLACE_ARNS[kind], identifier) is not None
