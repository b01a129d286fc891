"""Progress: how far each loop has come, what was spent, and what a person asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, tuple_

from connector.adapters.ledger.audit import Audit, about_id, add_entries
from connector.adapters.ledger.nouns import upsert
from connector.adapters.ledger.rows import OPERATION, REQUEST, USAGE, WATERMARK
from connector.core.audit import Event, to_instant
from connector.core.model import Structure

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
_OF_AN_HOUR = (USAGE.c.connection, USAGE.c.kind, USAGE.c.hour)
REQUESTS = 200
"""Requests that are handed out together."""


class Progress(Audit):
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
        made = {"connection": connection, "kind": kind, "hour": hour, "calls": calls}
        with self._write() as writing:
            adding = upsert(USAGE, writing.dialect.name).values(made)
            writing.execute(
                adding.on_conflict_do_update(index_elements=_OF_AN_HOUR, set_={"calls": USAGE.c.calls + calls})
            )
            # What another process is just forgetting need not be waited for.
            old = select(*_OF_AN_HOUR).where(USAGE.c.hour < now - 2 * DAY).with_for_update(skip_locked=True)
            writing.execute(delete(USAGE).where(tuple_(*_OF_AN_HOUR).in_(old)))

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

    def request(self, connection: str, salesforce_ids: Sequence[str], now: datetime, asked_by: str = "") -> None:
        """Ask the process that owns the ledger to read these records again.

        ``asked_by`` is the person who wants it, "" where it is the connector itself.
        """
        about = {"connection": connection, "requested_at": now, "asked_by": asked_by}
        asked = [{**about, "salesforce_id": i} for i in salesforce_ids]
        if asked:
            with self._write() as writing:
                writing.execute(insert(REQUEST), asked)
                if asked_by:
                    told = [about_id(connection, i, Event.ASKED, now, actor=asked_by) for i in salesforce_ids]
                    add_entries(writing, told)

    def requests(self, connection: str) -> list[tuple[int, str]]:
        """(number, Salesforce id) of what was asked for and not done yet, the oldest first, some at a time."""
        query = select(REQUEST.c.id, REQUEST.c.salesforce_id).where(REQUEST.c.connection == connection)
        with self._read() as reading:
            return [(number, i) for number, i in reading.execute(query.order_by(REQUEST.c.id).limit(REQUESTS))]

    def asked(self, numbers: Sequence[int]) -> dict[str, Structure]:
        """Who asked for what in these requests: by, at and how, by Salesforce id; the last one counts."""
        query = select(REQUEST).where(REQUEST.c.id.in_(numbers), REQUEST.c.asked_by != "").order_by(REQUEST.c.id)
        with self._read() as reading:
            return {
                row.salesforce_id: {"by": row.asked_by, "at": to_instant(row.requested_at), "how": "asked for"}
                for row in reading.execute(query)
            }

    def requests_done(self, numbers: Sequence[int]) -> None:
        with self._write() as writing:
            writing.execute(delete(REQUEST).where(REQUEST.c.id.in_(numbers)))


def set_value(writing: Connection, connection: str, name: str, value: str) -> None:
    """Set a watermark within a transaction."""
    setting = upsert(WATERMARK, writing.dialect.name).values(connection=connection, name=name, value=value)
    key = (WATERMARK.c.connection, WATERMARK.c.name)
    writing.execute(setting.on_conflict_do_update(index_elements=key, set_={"value": setting.excluded.value}))
