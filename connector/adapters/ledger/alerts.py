"""Alerts: what people were last told of each connection. Of several processes one tells a change, whoever notices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.rows import ALERT
from connector.ports import Alert

_COLUMNS = tuple(ALERT.c[name] for name in ("connection", "kind", "state", "message", "since", "tell_by", "told_at"))

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Alerts(Transactions):
    """What was told, by connection and kind. Every public method is one transaction."""

    def alerts(self, connections: Sequence[str]) -> list[Alert]:
        """What is known of these connections, in order."""
        query = select(*_COLUMNS).where(ALERT.c.connection.in_(connections)).order_by(*_COLUMNS[:2])
        with self._read() as reading:
            return [_to_alert(row) for row in reading.execute(query)]

    def change_alert(self, before: Alert | None, after: Alert) -> bool:
        """Note another state, if it is still as it was ``before`` (None: never noted). False where another was first.

        Whoever is given True has to tell it until ``after.tell_by``.
        """
        key = {"connection": after.connection, "kind": after.kind}
        values = {"state": after.state, "message": after.message, "since": after.since, "tell_by": after.tell_by}
        with self._write() as writing:
            if before is not None:
                seen = and_(ALERT.c.state == before.state, _same_instant(ALERT.c.since, before.since))
                return bool(writing.execute(update(ALERT).where(_is(after), seen).values(values)).rowcount)
            # Two may be the first at once: then the second one's is nothing, and no error either.
            insert = _INSERTS[writing.dialect.name]
            added = insert(ALERT).values({**key, **values}).on_conflict_do_nothing().returning(ALERT.c.kind)
            return writing.execute(added).first() is not None

    def claim_alert(self, alert: Alert, tell_by: datetime) -> bool:
        """Take it over to tell it until then. False where another did, or it is told."""
        seen = and_(ALERT.c.state == alert.state, _same_instant(ALERT.c.tell_by, alert.tell_by))
        with self._write() as writing:
            return bool(writing.execute(update(ALERT).where(_is(alert), seen).values(tell_by=tell_by)).rowcount)

    def alert_told(self, alert: Alert, now: datetime) -> None:
        """It was told. Nothing happens where the state has changed meanwhile: that is to be told, too."""
        seen = and_(ALERT.c.state == alert.state, _same_instant(ALERT.c.since, alert.since))
        with self._write() as writing:
            writing.execute(update(ALERT).where(_is(alert), seen).values(tell_by=None, told_at=now))


def _is(alert: Alert) -> Any:
    return and_(ALERT.c.connection == alert.connection, ALERT.c.kind == alert.kind)


def _same_instant(column: Any, moment: datetime | None) -> Any:
    return column.is_(None) if moment is None else column == moment


def _to_alert(row: Row[Any]) -> Alert:
    return Alert(row.connection, row.kind, row.state, row.message, row.since, row.tell_by, row.told_at)
