"""Progress: how far each loop has come, what was spent, and what a person asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func
from sqlmodel import col, select

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.rows import RequestRow, UsageRow, WatermarkRow

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
REQUESTS = 200
"""Requests that are handed out together."""


class Progress(Transactions):
    """Watermarks, usage and requests of connections. Every public method is one transaction."""

    def watermark(self, connection: str, name: str) -> str:
        """What was last set, "" when nothing was."""
        with self._read() as session:
            row = session.get(WatermarkRow, (connection, name))
            return row.value if row is not None else ""

    def set_watermark(self, connection: str, name: str, value: str) -> None:
        with self._write() as session:
            session.merge(WatermarkRow(connection=connection, name=name, value=value))

    def add_usage(self, connection: str, kind: str, calls: int, now: datetime) -> None:
        """Count calls in the hour they were made in; what is older than two days is forgotten."""
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        with self._write() as session:
            row = session.get(UsageRow, (connection, kind, hour)) or UsageRow(
                connection=connection, kind=kind, hour=hour
            )
            row.calls += calls
            session.add(row)
            session.exec(delete(UsageRow).where(col(UsageRow.hour) < now - 2 * DAY))

    def usage(self, connection: str, kind: str, now: datetime) -> int:
        """Calls of the last 24 hours, counted by whole hours (never too few)."""
        query = select(func.coalesce(func.sum(UsageRow.calls), 0)).where(
            UsageRow.connection == connection, UsageRow.kind == kind, col(UsageRow.hour) > now - DAY - HOUR
        )
        with self._read() as session:
            return int(session.exec(query).one())

    def request(self, connection: str, salesforce_ids: Sequence[str], now: datetime) -> None:
        """Ask the process that owns the ledger to read these records again."""
        asked = [RequestRow(connection=connection, salesforce_id=i, requested_at=now) for i in salesforce_ids]
        with self._write() as session:
            session.add_all(asked)

    def requests(self, connection: str) -> list[tuple[int, str]]:
        """(number, Salesforce id) of what was asked for and not done yet, the oldest first, some at a time."""
        query = select(RequestRow).where(RequestRow.connection == connection).order_by(col(RequestRow.id))
        with self._read() as session:
            return [(row.id or 0, row.salesforce_id) for row in session.exec(query.limit(REQUESTS))]

    def requests_done(self, numbers: Sequence[int]) -> None:
        with self._write() as session:
            session.exec(delete(RequestRow).where(col(RequestRow.id).in_(numbers)))
