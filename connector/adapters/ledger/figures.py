"""Figures: what can be counted of all connections together, each with one query that an index answers.

Nothing here reads what a record holds, so that a hundred thousand links cost little and nothing personal comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, exists, func, select

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.nouns import OPEN
from connector.adapters.ledger.rows import LINK, OPERATION, USAGE, WATERMARK
from connector.ports import Finished, OpenOperations

_HOUR = timedelta(hours=1)
_DAY = 24 * _HOUR
_CREATE = "CreateOpportunity"
_SUBMIT = "StartEngagementFromOpportunityTask"
_FINISHED = 1_000
"""Operations that are read together."""
_STARTED = OPERATION.alias("started")


class Figures(Transactions):
    """Numbers for metrics and for whoever watches. Every public method is one reading, or one for each page."""

    def link_counts(self, connections: Sequence[str]) -> dict[tuple[str, str, str, str], int]:
        """Links by connection, catalog, rest status ("" while they are looked at) and the code of what holds them."""
        columns = (LINK.c.connection, LINK.c.catalog, LINK.c.rest_status, LINK.c.rest_code)
        query = select(*columns, func.count()).where(LINK.c.connection.in_(connections)).group_by(*columns)
        with self._read() as reading:
            return {(one, catalog, status, code): n for one, catalog, status, code, n in reading.execute(query)}

    def open_counts(self, connections: Sequence[str]) -> dict[str, OpenOperations]:
        """The operations whose end is not known yet, by connection; none where there are none."""
        columns = (OPERATION.c.connection, func.count(), func.min(OPERATION.c.created_at))
        # Few are open: narrowed to connections, SQLite would rather read all that ever were.
        query = select(*columns).where(OPEN).group_by(OPERATION.c.connection)
        with self._read() as reading:
            found = {one: OpenOperations(count, oldest) for one, count, oldest in reading.execute(query)}
            return {one: found[one] for one in connections if one in found}

    def sent_counts(self, connections: Sequence[str], since: datetime) -> dict[str, int]:
        """Writes sent to AWS since then, repeats counted, by connection."""
        columns = (OPERATION.c.connection, func.sum(OPERATION.c.attempts))
        query = select(*columns).where(OPERATION.c.connection.in_(connections), OPERATION.c.sent_at >= since)
        with self._read() as reading:
            return {one: int(sent) for one, sent in reading.execute(query.group_by(OPERATION.c.connection))}

    def usage_counts(self, connections: Sequence[str], now: datetime) -> dict[tuple[str, str], int]:
        """Calls of the last 24 hours, counted by whole hours, by connection and kind."""
        columns = (USAGE.c.connection, USAGE.c.kind)
        query = select(*columns, func.sum(USAGE.c.calls)).where(
            USAGE.c.connection.in_(connections), USAGE.c.hour > now - _DAY - _HOUR
        )
        with self._read() as reading:
            return {(one, kind): int(calls) for one, kind, calls in reading.execute(query.group_by(*columns))}

    def watermarks(self, connections: Sequence[str], name: str) -> dict[str, str]:
        """One watermark of each of these connections that has it."""
        query = select(WATERMARK.c.connection, WATERMARK.c.value).where(
            WATERMARK.c.connection.in_(connections), WATERMARK.c.name == name
        )
        with self._read() as reading:
            return {row.connection: row.value for row in reading.execute(query)}

    def newest_operation(self) -> int:
        """The number of the operation that was begun last, 0 where there is none."""
        with self._read() as reading:
            return int(reading.execute(select(func.coalesce(func.max(OPERATION.c.id), 0))).scalar_one())

    def open_numbers(self) -> set[int]:
        """The numbers of the operations whose end is not known yet."""
        with self._read() as reading:
            return set(reading.execute(select(OPERATION.c.id).where(OPEN)).scalars())

    def operations_after(self, number: int, besides: Sequence[int]) -> list[Finished]:
        """What became of the operations begun after this one, in order and some at a time, and of those ``besides``."""
        found = []
        with self._read() as reading:
            query = _outcomes().where(OPERATION.c.id > number).order_by(OPERATION.c.id).limit(_FINISHED)
            found += [_to_finished(row) for row in reading.execute(query)]
            for start in range(0, len(besides), _FINISHED):
                some = besides[start : start + _FINISHED]
                found += [_to_finished(row) for row in reading.execute(_outcomes().where(OPERATION.c.id.in_(some)))]
        return found


def _outcomes() -> Select[Any]:
    """Operations with how long their link had been shared, where they are the first of their kind since then."""
    # Not to be found by its state, which nearly all have: that of SQLite's indexes promises the most.
    state = _STARTED.c.state.concat("")
    before = exists().where(
        _STARTED.c.link_id == OPERATION.c.link_id,
        _STARTED.c.action == OPERATION.c.action,
        state == "done",
        _STARTED.c.id < OPERATION.c.id,
        _STARTED.c.finished_at >= LINK.c.flagged_at,
    )
    return select(
        OPERATION.c.id,
        OPERATION.c.connection,
        OPERATION.c.action,
        OPERATION.c.state,
        OPERATION.c.finished_at,
        LINK.c.flagged_at,
        before.label("is_repeated"),
    ).join(LINK, LINK.c.id == OPERATION.c.link_id)


def _to_finished(row: Any) -> Finished:
    waited = None
    is_first = row.action in {_CREATE, _SUBMIT} and row.state == "done" and not row.is_repeated
    if is_first and row.flagged_at is not None and row.finished_at is not None:
        waited = max(row.finished_at - row.flagged_at, timedelta(0))
    return Finished(row.id, row.connection, row.action, row.state, waited)
