"""Links: what Salesforce holds, what the last plan came to, and who has to look at which link, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Unpack

from sqlalchemy import case, func, update
from sqlmodel import Session, col, select

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.nouns import CHUNK, apply, links_of, locked_link, to_link, touch, within
from connector.adapters.ledger.rows import LinkRow, OperationRow
from connector.adapters.ledger.sightings import find_sightings
from connector.core.model import Link, Mapped, Presence, Structure, fingerprint
from connector.ports import LinkChanges


class Links(Transactions):
    """Facts about links. Every public method is one transaction."""

    def link(self, link_id: int) -> Link:
        with self._read() as session:
            return to_link(session, session.get_one(LinkRow, link_id))

    def find(self, connection: str, catalog: str, identifier: str) -> Link | None:
        """The link of a Salesforce id (18 characters) or an AWS opportunity id."""
        if not identifier:
            return None
        with self._read() as session:
            # One after the other: with OR, SQLite would read every link of the connection.
            for column in (LinkRow.salesforce_id, LinkRow.opportunity_id):
                row = session.exec(links_of(connection, catalog).where(col(column) == identifier)).first()
                if row is not None:
                    return to_link(session, row)
            return None

    def present(self, connection: str, catalog: str, after: str = "", limit: int = 500) -> list[str]:
        """Salesforce ids of links still counted as flagged, in order, for a sweep."""
        query = within(select(LinkRow.salesforce_id), connection, catalog).where(
            LinkRow.presence == "flagged", LinkRow.salesforce_id > after
        )
        with self._read() as session:
            return list(session.exec(query.order_by(col(LinkRow.salesforce_id)).limit(limit)))

    def store_mapped(
        self,
        connection: str,
        catalog: str,
        records: Sequence[tuple[str, str, Mapped, Structure]],
        now: datetime,
    ) -> int:
        """Store a page of (id, name, mapped, values of our own fields now in Salesforce). Gives how many changed."""
        ids = [record[0] for record in records]
        with self._write() as session:
            rows = _by_salesforce_id(session, connection, catalog, ids)
            seen = find_sightings(session, connection, catalog, ids)
            changed = 0
            for salesforce_id, name, mapped, shown in records:
                row = rows.setdefault(
                    salesforce_id, LinkRow(connection=connection, catalog=catalog, salesforce_id=salesforce_id)
                )
                session.add(row)
                if not row.opportunity_id:
                    row.candidate_id = seen.get(salesforce_id, row.candidate_id)
                changed += _store(row, name, mapped, shown, now)
        return changed

    def set_presence(self, connection: str, catalog: str, presences: Mapping[str, Presence], now: datetime) -> int:
        """Note that records are no longer flagged, or deleted; ids without a link are ignored. Gives how many did."""
        changed = 0
        with self._write() as session:
            for row in _by_salesforce_id(session, connection, catalog, list(presences)).values():
                if row.presence != presences[row.salesforce_id]:
                    row.presence = presences[row.salesforce_id]
                    touch(row, now)
                    changed += 1
        return changed

    def due(
        self, connection: str, catalog: str, now: datetime, limit: int, only: Sequence[str] | None = None
    ) -> list[int]:
        """Links that advance has to look at: those already at AWS first, so that links are finished before new ones."""
        started = case((col(LinkRow.opportunity_id) == "", 1), else_=0)
        query = within(select(LinkRow.id), connection, catalog, only).where(col(LinkRow.due_at) <= now)
        with self._read() as session:
            found = session.exec(query.order_by(started, col(LinkRow.due_at), col(LinkRow.id)).limit(limit))
            return [number for number in found if number is not None]

    def rest(
        self,
        link_id: int,
        status: str,
        message: str,
        until: datetime | None,
        now: datetime,
        *,
        show: bool,
        news: bool,
        planned: Link | None = None,
    ) -> None:
        """The link comes to rest: look again at ``until`` (None: when something changes).

        ``show``: Salesforce does not show what it should; ``news``: what it should show is new as of now.
        ``planned`` is the link as the plan saw it: when another job has changed its facts since, the plan is
        void, and the link stays due instead.
        """
        with self._write() as session:
            row = locked_link(session, link_id)
            if planned is not None and to_link(session, row) != planned:
                return
            row.rest_status, row.rest_message, row.due_at = status, message, until
            if news:
                row.changed_at = now
            row.write_back_at = now if show else None

    def rest_of(self, link_id: int) -> tuple[str, str, datetime | None]:
        """(status, message, when it is looked at again)."""
        with self._read() as session:
            row = session.get_one(LinkRow, link_id)
            return row.rest_status, row.rest_message, row.due_at

    def change(self, link_id: int, now: datetime, *, wake: bool = True, **changes: Unpack[LinkChanges]) -> None:
        """Set facts of a link; advance looks at it again unless ``wake`` is False."""
        with self._write() as session:
            row = locked_link(session, link_id)
            apply(row, changes)
            if wake:
                touch(row, now)

    def wake(self, connection: str, catalog: str, salesforce_ids: Sequence[str] | None, now: datetime) -> list[str]:
        """Clear what holds these links (None: every held one) and look again. Gives their Salesforce ids."""
        query = within(select(LinkRow.id, LinkRow.salesforce_id), connection, catalog, salesforce_ids)
        if salesforce_ids is None:
            query = query.where(LinkRow.rest_status == "Held")
        with self._write() as session:
            found = session.exec(query.order_by(LinkRow.salesforce_id).with_for_update()).all()
            for start in range(0, len(found), CHUNK):
                _wake(session, [number for number, _ in found[start : start + CHUNK]], now)
            return [salesforce_id for _, salesforce_id in found]

    def polls_due(self, connection: str, catalog: str, now: datetime, limit: int) -> list[Link]:
        """Links whose task has to be looked at, the longest waiting first."""
        query = links_of(connection, catalog).where(col(LinkRow.poll_at) <= now).order_by(col(LinkRow.poll_at))
        with self._read() as session:
            return [to_link(session, row) for row in session.exec(query.limit(limit))]

    def work_due(
        self, connection: str, catalog: str, until: datetime, only: Sequence[str] | None = None
    ) -> dict[str, int]:
        """Links that advance, observe and write back have to look at before ``until``."""
        columns = {"advance": LinkRow.due_at, "observe": LinkRow.poll_at, "write_back": LinkRow.write_back_at}
        with self._read() as session:
            counts = {
                name: within(select(func.count()), connection, catalog, only).where(col(column) <= until)
                for name, column in columns.items()
            }
            return {name: int(session.exec(query).one()) for name, query in counts.items()}

    def counts(self, connection: str, catalog: str) -> dict[str, int]:
        """Links by rest status; links that are being looked at count as Pending."""
        status = case((col(LinkRow.rest_status) == "", "Pending"), else_=col(LinkRow.rest_status))
        query = within(select(status, func.count()), connection, catalog).group_by(status)
        with self._read() as session:
            return {str(name): int(count) for name, count in session.exec(query)}

    def held(self, connection: str, catalog: str, limit: int) -> list[tuple[str, str, str]]:
        """(Salesforce id, name, message) of links that wait for a person."""
        columns = select(LinkRow.salesforce_id, LinkRow.name, LinkRow.rest_message)
        query = within(columns, connection, catalog).where(LinkRow.rest_status == "Held")
        with self._read() as session:
            return [(i, name, message) for i, name, message in session.exec(query.order_by(LinkRow.id).limit(limit))]


def _store(row: LinkRow, name: str, mapped: Mapped, shown: Structure, now: datetime) -> bool:
    """Whether the record brought news. What Salesforce shows of our own fields is none, but has to be looked at."""
    # Everything that a new read could change counts, problems and places in the mapping file included.
    content = fingerprint(mapped.to_json())
    news = row.content != content or row.presence != "flagged"
    if news:
        row.mapped, row.content, row.presence = mapped.to_json(), content, "flagged"
        row.next_try_at, row.attempts = None, 0
    if news or (row.shown or {}) != shown:
        touch(row, now)
    row.name, row.shown = name, shown
    return news


def _by_salesforce_id(
    session: Session, connection: str, catalog: str, salesforce_ids: Sequence[str]
) -> dict[str, LinkRow]:
    rows = session.exec(links_of(connection, catalog, salesforce_ids).order_by(LinkRow.id).with_for_update())
    return {row.salesforce_id: row for row in rows}


def _wake(session: Session, numbers: Sequence[int], now: datetime) -> None:
    opened = (col(OperationRow.link_id).in_(numbers), col(OperationRow.state) == "open")
    session.exec(update(OperationRow).where(*opened).values(next_attempt_at=None))
    cleared = {
        "refusal": None,
        "submitted": "",
        "attempts": 0,
        "next_try_at": None,
        "write_back_error": "",
        "rest_status": "",
        "rest_message": "",
        "write_back_at": None,
        "due_at": now,
    }
    session.exec(update(LinkRow).where(col(LinkRow.id).in_(numbers)).values(**cleared))
