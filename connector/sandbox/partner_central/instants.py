"""Instants and dates as Partner Central writes and reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

Clock = Callable[[], datetime]

MILLISECOND = timedelta(milliseconds=1)


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def to_milliseconds(instant: datetime) -> str:
    """`2026-02-04T05:18:25.803Z`, the precision of an opportunity's stamps."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def to_nanoseconds(instant: datetime) -> str:
    """`2026-02-04T05:18:25.803123456Z`, the precision of tasks, engagements and invitations."""
    # Python keeps microseconds; the last three digits only have to be there, and not to be zero.
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond:06d}417Z"


def from_wire(value: object) -> datetime:
    """An instant from an ISO 8601 string or epoch seconds, in UTC. Raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TypeError("not a timestamp")
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    parsed = datetime.fromisoformat(value)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def to_date(value: object) -> date | None:
    """A calendar date from `yyyy-mm-dd`, or None when there is no such day."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
