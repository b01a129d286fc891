"""Limits on a whole plan. Refuses with count, limit and the way out."""

from __future__ import annotations

from dataclasses import dataclass

from connector.errors import UnsafePlan


@dataclass(frozen=True, slots=True)
class CreateLimit:
    """How many opportunities may be created in 24 hours, and how many were."""

    per_day: int
    created: int

    @property
    def is_reached(self) -> bool:
        return self.created >= self.per_day

    def refusal(self, waiting: int) -> UnsafePlan:
        """The error that says so; ``waiting`` records want to be created."""
        return UnsafePlan(
            f"{self.created} opportunities were created in the last 24 hours, the limit is {self.per_day}; "
            f"{waiting} more wait.",
            "If that many are meant, raise limits.creates_per_day in config.yaml; AWS has no delete.",
        )
