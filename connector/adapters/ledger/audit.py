"""The audit trail: who or what caused each write, in the transaction of the fact it is about. Rows are only added.

The database itself refuses to change one (migration 0005). Nothing here decides what is worth an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.rows import AUDIT
from connector.core.audit import COLUMNS, Entry, Event, cause_of
from connector.core.model import Link, Operation

# Nobody needs the numbers that the rows get, and asking for one costs as much as the row.
_ADD = insert(AUDIT).inline()
_ENTRY = select(*(AUDIT.c[name] for name in COLUMNS))


class Audit(Transactions):
    """Entries of the audit trail. Every public method is one transaction."""

    def note(self, entries: Sequence[Entry]) -> None:
        """Add entries of their own, about what is no fact of the ledger: a sign-in, a record that was asked for."""
        if entries:
            with self._write() as writing:
                add_entries(writing, [_row(entry) for entry in entries])

    def audit(
        self,
        connection: str,
        *,
        salesforce_id: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        after: Entry | None = None,
        limit: int = 1000,
        newest: bool = False,
    ) -> list[Entry]:
        """Entries by time, the oldest first; ``after`` is the last one of the page before.

        ``salesforce_id`` ("": every one) is the record they are about. ``until`` itself is left out. Where there are
        more than ``limit``, they are the first ones; with ``newest`` the last ones, in the same order.
        """
        query = _ENTRY.where(AUDIT.c.connection == connection)
        if salesforce_id:
            query = query.where(AUDIT.c.salesforce_id == salesforce_id)
        if since is not None:
            query = query.where(AUDIT.c.at >= since)
        if until is not None:
            query = query.where(AUDIT.c.at < until)
        if after is not None:
            # The first part is what the index is searched by.
            query = query.where(AUDIT.c.at >= after.at, or_(AUDIT.c.at > after.at, AUDIT.c.id > after.id))
        order = (AUDIT.c.at.desc(), AUDIT.c.id.desc()) if newest else (AUDIT.c.at, AUDIT.c.id)
        with self._read() as reading:
            found = [Entry(**row._mapping) for row in reading.execute(query.order_by(*order).limit(limit))]
        return found[::-1] if newest else found

    def _noted(self, event: Event, link: Link, now: datetime, by: str = "", **more: Any) -> dict[str, Any]:
        """An entry about a link, for ``add_entries``."""
        return about(link, event, now, actor=by or self.actor, **more)


def add_entries(writing: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add entries within a transaction; see ``about``."""
    if rows:
        writing.execute(_ADD, rows)


_EMPTY: dict[str, Any] = {name: "" for name in COLUMNS if name != "id"} | {"operation_id": None}


def about(
    link: Link, event: Event, now: datetime, *, operation: Operation | None = None, **more: Any
) -> dict[str, Any]:
    """The row of an entry about a link, and about an operation of it."""
    written: dict[str, Any] = {}
    if operation is not None:
        written = {
            "operation_id": operation.id,
            "action": operation.action,
            "client_token": operation.client_token,
            "body_sha256": operation.body_sha256,
        }
    return {
        **_EMPTY,
        "at": now,
        "connection": link.connection,
        "salesforce_id": link.salesforce_id,
        "opportunity_id": link.opportunity_id,
        "event": str(event),
        "cause": cause_of(link),
        **written,
        **more,
    }


def about_id(connection: str, salesforce_id: str, event: Event, now: datetime, **more: Any) -> dict[str, Any]:
    """The row of an entry about a record of which only the id is at hand."""
    about_it = {"at": now, "connection": connection, "salesforce_id": salesforce_id, "event": str(event)}
    return {**_EMPTY, **about_it, **more}


def _row(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _EMPTY}
