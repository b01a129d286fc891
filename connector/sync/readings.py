"""Which records were read from Salesforce lately. Remembers for minutes, in this process; asks nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

FRESH = 120.0
"""Seconds for which a record counts as just read, up to twice as long."""


Instant: TypeAlias = tuple[float, float]
"""Seconds by the clock that stands still while the machine sleeps, and by the one that may jump."""


def seconds_between(before: Instant, now: Instant) -> float:
    """Seconds between two instants by the clock that counts more of them."""
    return max(one - other for one, other in zip(now, before, strict=True))


@dataclass(slots=True)
class Readings:
    """Ids of records that were read; what is old is forgotten by itself."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _new: set[str] = field(default_factory=set)
    _old: set[str] = field(default_factory=set)
    _since: Instant = (float("-inf"), float("-inf"))

    def note(self, salesforce_ids: Iterable[str], at: Instant) -> None:
        """These were read at that instant."""
        with self._lock:
            self._forget(at)
            self._new.update(salesforce_ids)

    def has(self, salesforce_id: str, at: Instant) -> bool:
        """Whether this one was read lately."""
        with self._lock:
            self._forget(at)
            return salesforce_id in self._new or salesforce_id in self._old

    def _forget(self, at: Instant) -> None:
        age = seconds_between(self._since, at)
        if age >= FRESH:
            self._old = self._new if age < 2 * FRESH else set()
            self._new, self._since = set(), at
