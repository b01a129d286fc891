"""Progress: how far each loop has come, what was spent, and what a person asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.rows import OPERATION, REQUEST, USAGE, WATERMARK

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
REQUESTS = 200
"""Requests that are handed out together."""


class Progress(Transactions):
    """Watermarks, usage and requests of connections. Every public method is one transaction."""

    def watermark(self, connection: str, name: str) -> str:
        """What was last set, "" when nothing was."""
        query = select(WATERMARK.c.value).where(WATERMARK.c.connection == connection, WATERMARK.c.name == name)
        with self._read() as reading:
            return str(reading.execute(query).scalar() or "")

    def set_watermark(self, connection: str, name: str, value: str) -> None:
        with self._write() as writing:
            set_value(writing, connection, name, value)

    def add_usage(self, connection: str, kind: str, calls: int, now: datetime) -> None:
        """Count calls in the hour they were made in; what is older than two days is forgotten."""
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        here = (USAGE.c.connection == connection, USAGE.c.kind == kind, USAGE.c.hour == hour)
        with self._write() as writing:
            if not writing.execute(update(USAGE).where(*here).values(calls=USAGE.c.calls + calls)).rowcount:
                writing.execute(insert(USAGE).values(connection=connection, kind=kind, hour=hour, calls=calls))
            writing.execute(delete(USAGE).where(USAGE.c.hour < now - 2 * DAY))

    def usage(self, connection: str, kind: str, now: datetime) -> int:
        """Calls of the last 24 hours, counted by whole hours (never too few)."""
        query = select(func.coalesce(func.sum(USAGE.c.calls), 0)).where(
            USAGE.c.connection == connection, USAGE.c.kind == kind, USAGE.c.hour > now - DAY - HOUR
        )
        with self._read() as reading:
            return int(reading.execute(query).scalar_one())

    def first_write(self, connection: str, since: datetime) -> datetime | None:
        """When the earliest of the calls sent since then was sent: the first to leave a window that begins there."""
        query = select(func.min(OPERATION.c.sent_at)).where(
            OPERATION.c.connection == connection, OPERATION.c.sent_at >= since
        )
        with self._read() as reading:
            found: datetime | None = reading.execute(query).scalar_one()
            return found

    def request(self, connection: str, salesforce_ids: Sequence[str], now: datetime) -> None:
        """Ask the process that owns the ledger to read these records again."""
        asked = [{"connection": connection, "salesforce_id": i, "requested_at": now} for i in salesforce_ids]
        if asked:
            with self._write() as writing:
                writing.execute(insert(REQUEST), asked)

    def requests(self, connection: str) -> list[tuple[int, str]]:
        """(number, Salesforce id) of what was asked for and not done yet, the oldest first, some at a time."""
        query = select(REQUEST.c.id, REQUEST.c.salesforce_id).where(REQUEST.c.connection == connection)
        with self._read() as reading:
            return [(number, i) for number, i in reading.execute(query.order_by(REQUEST.c.id).limit(REQUESTS))]

    def requests_done(self, numbers: Sequence[int]) -> None:
        with self._write() as writing:
            writing.execute(delete(REQUEST).where(REQUEST.c.id.in_(numbers)))


def set_value(writing: Connection, connection: str, name: str, value: str) -> None:
    """Set a watermark within a transaction."""
    here = (WATERMARK.c.connection == connection, WATERMARK.c.name == name)
    if not writing.execute(update(WATERMARK).where(*here).values(value=value)).rowcount:
        writing.execute(insert(WATERMARK).values(connection=connection, name=name, value=value))
