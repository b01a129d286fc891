"""The count of API calls in the last 24 hours against the org's allowance, and a log of every call.

The reported number may differ from the true one, as on the real service, where nodes count for themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

WINDOW = timedelta(hours=24)


class Usage:
    """`calls` holds (label, HTTP status), oldest first; `report` turns the true count into the told one."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.calls: list[tuple[str, int]] = []
        self.report: Callable[[int], int] = int
        self._times: deque[datetime] = deque()

    def count(self, now: datetime) -> int:
        """Calls within the last 24 hours."""
        while self._times and self._times[0] <= now - WINDOW:
            self._times.popleft()
        return len(self._times)

    def is_exhausted(self, now: datetime) -> bool:
        return self.count(now) >= self.limit

    def spend(self, now: datetime, calls: int = 1) -> None:
        """Counts calls, of this client or of the org's other integrations."""
        self._times.extend([now] * calls)

    def describe(self, now: datetime) -> str:
        """The value of the Sforce-Limit-Info header."""
        return f"api-usage={self.report(self.count(now))}/{self.limit}"
