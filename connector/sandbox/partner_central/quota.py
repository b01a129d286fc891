"""Rates and 24 h windows per account, as the service's quota page states them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.partner_central.tables import ENGAGEMENT_WRITES_PER_SECOND, WRITES

DAY = 86_400.0
# A caller that paces itself exactly may arrive early because of the network: by this part of the interval.
TOLERANCE = 0.25


class Meter:
    """One class of operations of one account: a token bucket and a rolling window."""

    def __init__(self) -> None:
        self._free_at = 0.0
        self._window: deque[float] = deque()

    def may_pass(self, now: float, rate: float, burst: float, per_day: float) -> bool:
        """Counts the call and returns True, or returns False and counts nothing. `now` is in seconds."""
        while self._window and self._window[0] <= now - DAY:
            self._window.popleft()
        interval = 1.0 / rate
        is_late_enough = now >= self._free_at - (burst - 1.0 + TOLERANCE) * interval
        if not is_late_enough or len(self._window) >= per_day:
            return False
        self._free_at = max(self._free_at, now) + interval
        self._window.append(now)
        return True


class Quotas:
    """The meters of all accounts."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._meters: dict[tuple[str, str], Meter] = {}

    def may_pass(self, account: str, operation: str, settings: Settings) -> bool:
        """Whether an operation of an account is within its quotas now; counts it when it is."""
        if not settings.quotas:
            return True
        name = kind_of(operation)
        rate, burst, per_day = _limits(name, settings)
        meter = self._meters.setdefault((account, name), Meter())
        scale = settings.quota_scale
        return meter.may_pass(self._timer(), rate * scale, burst, per_day * scale)


def kind_of(operation: str) -> str:
    """The quota class of an operation: engagement, write or read."""
    if operation == "CreateEngagement":
        return "engagement"
    return "write" if operation in WRITES else "read"


def _limits(kind: str, settings: Settings) -> tuple[float, float, float]:
    if kind == "engagement":
        return ENGAGEMENT_WRITES_PER_SECOND, ENGAGEMENT_WRITES_PER_SECOND, float("inf")
    if kind == "write":
        return settings.writes_per_second, 1.0, settings.writes_per_day
    return settings.reads_per_second, settings.reads_per_second, settings.reads_per_day
