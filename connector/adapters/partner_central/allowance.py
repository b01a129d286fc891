"""The calls that AWS allows an account in a rolling day. Counts; waits for nothing and sends nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from connector.errors import QuotaExhausted
from connector.ports import Clock

RECOUNT = 60.0
"""Seconds between two looks at the ledger, where a day of calls is thousands of rows."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one connection says of the calls of its account.

    ``recorded`` counts what the ledger has seen of the account in a day, whichever connection or process it was;
    ``unrecorded`` what this one has sent and is not in the ledger yet.
    """

    per_day: int
    recorded: Callable[[], int]
    unrecorded: Callable[[], int]


class Allowance:
    """What the last 24 hours leave of a day's calls: counted from the ledger now and then, in memory in between.

    What becomes free is noticed at the next count; until then the count
    only grows, so that it is never too low.
    """

    def __init__(self, name: str, per_day: int, clock: Clock) -> None:
        self._name = name
        self._per_day = per_day
        self._members: dict[object, Share] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._reserved = 0
        self._recount_at = clock.monotonic()

    def join(self, who: object, share: Share) -> None:
        """Another connection calls on the same account: the smaller limit counts, and its calls do too."""
        with self._lock:
            self._members[who] = share
            self._per_day = min(member.per_day for member in self._members.values())
            self._recount_at = self._clock.monotonic()

    def leave(self, who: object) -> None:
        """It calls no more, and all its calls are recorded; its limit counts no longer, unless it was the last."""
        with self._lock:
            self._members.pop(who, None)
            if self._members:
                self._per_day = min(member.per_day for member in self._members.values())
            self._recount_at = self._clock.monotonic()

    def recount(self) -> None:
        """Another process may have called on the account: the next call asks the ledger."""
        with self._lock:
            self._recount_at = self._clock.monotonic()

    def take(self) -> None:
        """Reserve one call, to be settled. Raises QuotaExhausted, or what the ledger raises; then nothing is taken."""
        with self._lock:
            if self._clock.monotonic() >= self._recount_at:
                # Under the lock: what is reserved must not become recorded and vanish from both sides meanwhile.
                self._count = self._sent() + self._reserved
                self._recount_at = self._clock.monotonic() + RECOUNT
            if self._count >= self._per_day:
                raise QuotaExhausted(
                    f"The {self._per_day} {self._name} that AWS allows in 24 hours are used up.",
                    "Work goes on as they become free again; ask AWS for a higher quota if this happens often.",
                    delay=600.0,
                )
            self._count += 1
            self._reserved += 1

    def _sent(self) -> int:
        """By what any member says of the whole account, and by what each says of itself."""
        members = list(self._members.values())
        recorded = members[-1].recorded() if members else 0
        return recorded + sum(member.unrecorded() for member in members)

    def settle(self, *, is_spent: bool) -> None:
        """A reserved call is recorded where ``recorded`` or ``unrecorded`` finds it, or was never made."""
        with self._lock:
            self._reserved -= 1
            self._count -= not is_spent
