"""What waits, for many connections at once: so that a fleet of a thousand costs one query a second, not a thousand."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, and_, bindparam, exists, func, select, text

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.rows import LINK, REQUEST, WATERMARK

COLUMNS: Mapping[str, str] = {
    "advance": "due_at",
    "tasks": "poll_at",
    "refresh": "refresh_at",
    "answers": "answer_at",
    "write back": "write_back_at",
}
"""The column of a link that says when each verb has to look at it."""
REQUESTS = "requests"
_ASKED = {
    "sqlite": "SELECT value ->> 0 AS connection, value ->> 1 AS catalog FROM json_each(:asked)",
    "postgresql": "SELECT value ->> 0 AS connection, value ->> 1 AS catalog "
    "FROM json_array_elements(CAST(:asked AS json))",
}
_LISTED = {"sqlite": func.json_group_object, "postgresql": func.json_object_agg}


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a connection's ledger holds for its verbs: those that some link waits for now, and its watermarks."""

    verbs: frozenset[str]
    marks: Mapping[str, str]


class Looks(Transactions):
    """Looks over connections; writes nothing."""

    def waiting(
        self, connections: Sequence[tuple[str, str]], marks: Collection[str], now: datetime
    ) -> dict[str, Waiting]:
        """What waits for each (connection, catalog), by connection, with those watermarks that are set."""
        if not connections:
            return {}
        with self._read() as reading:
            # One parameter, however many there are, so that the statement is always the same.
            asked = text(_ASKED[reading.dialect.name]).bindparams(asked=json.dumps([list(one) for one in connections]))
            wanted = asked.columns(connection=String, catalog=String).subquery("wanted")
            listed = _LISTED[reading.dialect.name](WATERMARK.c.name, WATERMARK.c.value)
            of_links = and_(LINK.c.connection == wanted.c.connection, LINK.c.catalog == wanted.c.catalog)
            found = [
                exists().where(of_links, LINK.c[name] <= bindparam("now", now, LINK.c[name].type)).label(verb)
                for verb, name in COLUMNS.items()
            ]
            asked_for = exists().where(REQUEST.c.connection == wanted.c.connection).label(REQUESTS)
            told = select(listed).where(
                WATERMARK.c.connection == wanted.c.connection, WATERMARK.c.name.in_(sorted(marks))
            )
            query = select(wanted.c.connection, *found, asked_for, told.scalar_subquery().label("marks"))
            return {row.connection: _waiting(row._asdict()) for row in reading.execute(query)}


def _waiting(row: Mapping[str, object]) -> Waiting:
    marks = row["marks"]
    known = json.loads(marks) if isinstance(marks, str) else marks
    return Waiting(
        frozenset(verb for verb in (*COLUMNS, REQUESTS) if row[verb]),
        {str(name): str(value) for name, value in known.items()} if isinstance(known, dict) else {},
    )
