"""Keeps calls at the pace AWS allows: one bucket for each AWS account and quota class, shared by all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connector.errors import QuotaExhausted, TemporaryError
from connector.ports import Clock

MARGIN = 1.02
"""Calls leave a little further apart than the quota asks, since the network may push two closer together."""


class Pace:
    """Spaces calls evenly (GCRA without burst) and refuses once a rolling day's allowance is spent.

    ``spent`` tells how many calls the last 24 hours saw, from the ledger, so that a restart forgets nothing.
    """

    def __init__(self, name: str, per_second: float, per_day: int, spent: Callable[[], int], clock: Clock) -> None:
        self._name = name
        self._interval = MARGIN / per_second
        self._per_day = per_day
        self._spent = spent
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock.monotonic() + self._interval

    def wait_turn(self) -> None:
        """Return when the next call may leave. Raises QuotaExhausted, or TemporaryError when the wait was cut short."""
        with self._lock:
            if self._spent() >= self._per_day:
                raise QuotaExhausted(
                    f"The {self._per_day} {self._name} that AWS allows in 24 hours are used up.",
                    "Work goes on as they become free again; ask AWS for a higher quota if this happens often.",
                    delay=600.0,
                )
            now = self._clock.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        self._clock.sleep(turn - now)
        if self._clock.monotonic() < turn:
            raise TemporaryError("The connector is stopping; this is done at the next start.")

    def slow_down(self, seconds: float) -> None:
        """AWS throttled: nobody leaves for this long."""
        with self._lock:
            self._next = max(self._next, self._clock.monotonic() + seconds)
