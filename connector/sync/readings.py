"""Which records were read from Salesforce lately. Remembers for minutes, in this process; asks nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

FRESH = 120.0
"""Seconds for which a record counts as just read, up to twice as long."""


@dataclass(slots=True)
class Readings:
    """Ids of records that were read. Instants are monotonic seconds; what is old is forgotten by itself."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _new: set[str] = field(default_factory=set)
    _old: set[str] = field(default_factory=set)
    _since: float = float("-inf")

    def note(self, salesforce_ids: Iterable[str], at: float) -> None:
        """These were read at that instant."""
        with self._lock:
            self._forget(at)
            self._new.update(salesforce_ids)

    def has(self, salesforce_id: str, at: float) -> bool:
        """Whether this one was read lately."""
        with self._lock:
            self._forget(at)
            return salesforce_id in self._new or salesforce_id in self._old

    def _forget(self, at: float) -> None:
        age = at - self._since
        if age >= FRESH:
            self._old = self._new if age < 2 * FRESH else set()
            self._new, self._since = set(), at
