"""What a connection's verbs failed of, for all workers: told once, and tried again with growing pauses. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connector.core.retry import next_attempt
from connector.errors import ConnectorError, Halt, QuotaExhausted, TemporaryError, UnsafePlan, UserError, WrongAccount

TROUBLE = "trouble"
"""The watermark that holds it."""
AT_LEAST = 30.0
"""Seconds until what a person has to mend is tried again."""
GUARD_EVERY = 10.0
"""Seconds until a guard is asked again: it waits for a person, who should not wait for us."""
REFUSED_EVERY = 60.0
"""Seconds until a connection that must not run is looked at again."""
AT_MOST = timedelta(minutes=30)
"""Until it is tried again whatever a service asked for: a share of the day may be raised, and asking costs no call."""
LONGEST = timedelta(hours=1)
"""A pause that would last longer was set by a machine with a wrong clock. Well above ``AT_MOST``, as clocks differ."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One verb's: how often in a row, when it is tried again, and a mark of the words it was told in."""

    failures: int
    until: datetime
    told: str


@dataclass(frozen=True, slots=True)
class Troubles:
    """All of a connection, by verb."""

    of: Mapping[str, Trouble] = field(default_factory=dict)

    def is_pausing(self, verb: str, now: datetime) -> bool:
        known = self.of.get(verb)
        return known is not None and now < known.until < now + LONGEST

    def failed(self, verb: str, error: Exception, now: datetime) -> Troubles:
        """The same with one more failure."""
        known = self.of.get(verb)
        failures = known.failures + 1 if known is not None else 1
        return Troubles({**self.of, verb: Trouble(failures, _until(error, failures, now), mark_of(error))})

    def forgiven(self, now: datetime) -> Troubles:
        """The same, and nothing is given time any more; what was told stays told."""
        return Troubles({verb: replace(one, until=min(one.until, now)) for verb, one in self.of.items()})

    def without(self, verb: str) -> Troubles:
        return Troubles({name: trouble for name, trouble in self.of.items() if name != verb})

    def to_text(self) -> str:
        """For the watermark; "" where there is none."""
        told = {verb: [one.failures, one.until.isoformat(), one.told] for verb, one in self.of.items()}
        return json.dumps(told, ensure_ascii=False) if told else ""

    @staticmethod
    def from_text(text: str) -> Troubles:
        try:
            told = json.loads(text) if text else {}
            return Troubles(
                {verb: Trouble(int(n), datetime.fromisoformat(at), mark) for verb, (n, at, mark) in told.items()}
            )
        except (ValueError, TypeError, AttributeError):
            return Troubles()


def to_text(error: Exception) -> str:
    """What is told of it."""
    return str(error) if isinstance(error, ConnectorError) else f"unexpected {type(error).__name__}: {error}"


def mark_of(error: Exception) -> str:
    """Tells whether it was told in these words; holds none of them, which may be a service's own."""
    return hashlib.sha256(to_text(error).encode()).hexdigest()[:16]


def _until(error: Exception, failures: int, now: datetime) -> datetime:
    if isinstance(error, UnsafePlan):
        return now + timedelta(seconds=GUARD_EVERY)
    if isinstance(error, WrongAccount | UserError):
        return now + timedelta(seconds=REFUSED_EVERY)
    asked = error.delay if isinstance(error, TemporaryError | QuotaExhausted) else 0.0
    until = next_attempt(failures, now, max(asked, AT_LEAST) if isinstance(error, Halt) else asked)
    return min(until, now + AT_MOST)
