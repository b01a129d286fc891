"""Write-backs: which records do not show in Salesforce what they should, and what became of telling them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, case, select, update

from connector.adapters.ledger.audit import Audit, add_entries
from connector.adapters.ledger.nouns import FORGOTTEN, links_of, read_link, to_link
from connector.adapters.ledger.rows import LINK
from connector.core.audit import Event, cut
from connector.core.model import Link
from connector.core.row_refusals import read_refusals
from connector.ports import Written

_THIS = LINK.c.id == bindparam("link_id")
_SHOWN = (
    select(LINK.c.shown, LINK.c.taken, FORGOTTEN.label("is_forgotten")).where(_THIS).with_for_update(key_share=True)
)
_AGAIN: Any = bindparam("again", type_=LINK.c.write_back_at.type)
_IS_SAME_REST = LINK.c.write_back_at == bindparam("handed_at")
_NOTE_UNASKED = (
    update(LINK)
    .where(_THIS)
    .values(
        shown=bindparam("shown"),
        taken=bindparam("taken"),
        write_back_error=bindparam("write_back_error"),
        write_back_at=_AGAIN,
        revision=LINK.c.revision + 1,
    )
)
_NOTE_CHANGED = _NOTE_UNASKED.values(write_back_at=case((_IS_SAME_REST, _AGAIN), else_=LINK.c.write_back_at))
_NOTE = _NOTE_CHANGED.where(LINK.c.revision == bindparam("seen_revision"))


class WriteBacks(Audit):
    """What Salesforce should show. Every public method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._handed_out: dict[int, tuple[Link, datetime | None]] = {}

    def write_backs_due(self, connection: str, catalog: str, now: datetime, limit: int) -> list[tuple[Link, str, str]]:
        """(link, rest status, rest message) of links whose record does not show what it should."""
        query = links_of(connection, catalog).where(LINK.c.write_back_at <= now)
        query = query.order_by(LINK.c.write_back_at, LINK.c.id).limit(limit)
        with self._read() as reading:
            rows = reading.execute(query).all()
        found = [(to_link(row), row.rest_status, row.rest_message) for row in rows]
        self._handed_out.update(
            {link.id: (link, row.write_back_at) for (link, *_), row in zip(found, rows, strict=True)}
        )
        return found

    def written(self, results: Mapping[int, Written], now: datetime) -> None:
        """Note write-backs by link number.

        A link that came to another rest while its values were on their way stays due with the new ones.
        """
        entries: list[dict[str, Any]] = []
        with self._write() as connection:
            for link_id, written in sorted(results.items(), key=lambda one: one[0]):  # the order of all locks
                handed = self._handed_out.pop(link_id, None)
                if handed is None or not _note(connection, *handed, written):
                    _note_changed(connection, link_id, written, handed)
                if written.shown or written.error:
                    link = read_link(connection, link_id) if handed is None else handed[0]
                    entries += self._told(link, written, now)
            add_entries(connection, entries)

    def _told(self, link: Link, written: Written, now: datetime) -> Iterator[dict[str, Any]]:
        """For the audit trail: which fields were set, never to what, and what Salesforce refused anew."""
        if written.shown:
            yield self._noted(Event.SHOWN, link, now, action="write back", detail=cut(", ".join(sorted(written.shown))))
        if written.error and written.error != link.write_back_error:
            told = (f"{one.code} on {', '.join(one.fields)}" for one in read_refusals(written.error))
            yield self._noted(Event.NOT_SHOWN, link, now, action="write back", detail=cut("; ".join(told)))

    def stored(self, connection: str, catalog: str, salesforce_ids: Sequence[str]) -> list[Link]:
        """The links of those of these records that have one."""
        with self._read() as reading:
            return [to_link(row) for row in reading.execute(links_of(connection, catalog, salesforce_ids))]


def _note(connection: Connection, link: Link, handed_at: datetime | None, written: Written) -> bool:
    """Store it if the link's facts are as they were handed out."""
    about = {"link_id": link.id, "seen_revision": link.revision, "handed_at": handed_at}
    values = _values(written, link.shown, link.taken)
    return bool(connection.execute(_NOTE, {**about, **values}).rowcount)


def _note_changed(
    connection: Connection, link_id: int, written: Written, handed: tuple[Link, datetime | None] | None
) -> None:
    shown, taken, is_forgotten = connection.execute(_SHOWN, {"link_id": link_id}).one()
    if is_forgotten:
        return
    values = {"link_id": link_id, **_values(written, shown, taken)}
    if handed is None:
        connection.execute(_NOTE_UNASKED, values)
    else:
        connection.execute(_NOTE_CHANGED, {**values, "handed_at": handed[1]})


def _values(written: Written, shown: Any, taken: Any) -> dict[str, Any]:
    """What was known of the record before, with what was written laid over it."""
    return {
        "shown": {**(shown or {}), **written.shown},
        "taken": {**(taken or {}), **written.taken} or None,
        "write_back_error": written.error,
        "again": written.again,
    }
