"""What the rules look at, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, TypeAlias

from connector.core.model import Association, Problem, Structure


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at. ``today`` is the date in UTC.

    Of an update alone: ``stage_before`` is the stage at AWS now, ``is_co_sell`` whether AWS helps with it,
    ``launch_needs_account`` whether this partner has to name the customer's AWS account at the launch.
    """

    opportunity: Structure
    today: date
    associations: tuple[Association, ...] = ()
    submission: Structure | None = None
    stage_before: str = ""
    is_co_sell: bool = False
    launch_needs_account: bool = True

    def at(self, path: str) -> Any:
        """The value at a dotted path of the opportunity, None when it or anything above it is missing."""
        value: Any = self.opportunity
        for step in _steps_of(path):
            if not isinstance(value, dict):
                return None
            value = value.get(step)
        return value

    def text(self, path: str) -> str:
        """The text at a path, stripped; "" when there is none."""
        value = self.at(path)
        return value.strip() if isinstance(value, str) else ""

    def items(self, path: str) -> list[Any]:
        value = self.at(path)
        return value if isinstance(value, list) else []

    def associated(self, *entity_types: str) -> list[str]:
        return [a.identifier for a in self.associations if a.entity_type in entity_types]

    @property
    def is_national_security(self) -> bool:
        return self.text("NationalSecurity") == "Yes"


@cache
def _steps_of(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


Found: TypeAlias = Iterator[Problem]
Rule: TypeAlias = Callable[[Facts], Found]


def needs_value(path: str, what: str, cure: str) -> Rule:
    """A rule that something must be there."""

    def needs(facts: Facts) -> Found:
        if facts.at(path) in (None, "", [], {}):
            yield Problem(path, f"{what} is missing.", cure, "required")

    return needs


def to_day(text: str) -> date | None:
    """A ``YYYY-MM-DD`` date; None when it is none, which the field table tells."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def to_amount(value: object) -> Decimal | None:
    """An amount as AWS writes it; None when it is none, which the field table tells."""
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() else None
