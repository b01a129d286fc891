"""How many writes went to AWS, hour by hour and day by day, as the ledger has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connector.adapters.ledger import Ledger

HOURS, DAYS = 24, 14
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Writes:
    """``counts[i]`` writes, repeats counted, from ``starts[i]`` on; the last is under way."""

    starts: tuple[datetime, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Throughput:
    """The last 24 hours, and the last 14 days of UTC."""

    by_hour: Writes
    by_day: Writes


def throughput_of(ledger: Ledger, connection: str, now: datetime) -> Throughput:
    """Counted by index; some dozens of small queries."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    return Throughput(
        _writes(ledger, connection, hour, HOUR, HOURS),
        _writes(ledger, connection, day, DAY, DAYS),
    )


def _writes(ledger: Ledger, connection: str, last: datetime, step: timedelta, count: int) -> Writes:
    starts = tuple(last - step * back for back in range(count - 1, -1, -1))
    return Writes(starts, tuple(ledger.writes_between(connection, (*starts, last + step))))
