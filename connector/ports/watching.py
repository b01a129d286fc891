"""What the ledger tells whoever watches: alerts and figures, as nouns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Alert:
    """What people were told of one kind of trouble of a connection, or are about to be.

    ``since`` is when ``state`` began. While ``tell_by`` is set, ``message`` has not been told.
    """

    connection: str
    kind: str
    state: str
    message: str
    since: datetime
    tell_by: datetime | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenOperations:
    """Writes whose end is not known yet: how many, and when the oldest of them was begun."""

    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of one operation: its ``state`` is open, done or failed.

    ``waited`` is how long its record had been shared by then, None but for the first create and submission since.
    """

    id: int
    connection: str
    action: str
    state: str
    waited: timedelta | None
