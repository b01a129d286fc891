"""The ledger: what the connector knows, on any SQLAlchemy database. Every public method is one transaction.

Nothing here decides anything; it stores facts, and the three ``*_at`` columns that say who has to look and when.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Unpack

from sqlalchemy import Engine, case, create_engine, delete, event, func
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, or_, select

from connector.adapters.ledger.rows import (
    LinkRow,
    OperationRow,
    RequestRow,
    SightingRow,
    UsageRow,
    WatermarkRow,
)
from connector.core.model import Association, Link, Mapped, Operation, Presence, Refusal, Structure, Task
from connector.errors import LedgerUnavailable
from connector.ports import LinkChanges

DAY = timedelta(hours=24)


def open_engine(url: str) -> Engine:
    """An engine for the ledger. SQLite gets WAL, durable commits, foreign keys and one writer at a time."""
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite"):
        return create_engine(parsed, pool_pre_ping=True)
    engine = create_engine(parsed, connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class Ledger:
    """Facts about links, operations and progress of every connection. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = threading.Lock()

    @contextmanager
    def _read(self) -> Iterator[Session]:
        try:
            with Session(self._engine) as session:
                yield session
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    @contextmanager
    def _write(self) -> Iterator[Session]:
        """One transaction. A commit that fails leaves nothing behind and stops all writing."""
        try:
            with self._writing, Session(self._engine, expire_on_commit=False) as session:
                session.connection(execution_options={"writes": True})
                yield session
                session.commit()
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    # links

    def link(self, link_id: int) -> Link:
        with self._read() as session:
            return _link(session, session.get_one(LinkRow, link_id))

    def find(self, connection: str, catalog: str, identifier: str) -> Link | None:
        """The link of a Salesforce id (18 characters) or an AWS opportunity id."""
        with self._read() as session:
            wanted = or_(col(LinkRow.salesforce_id) == identifier, col(LinkRow.opportunity_id) == identifier)
            row = session.exec(_links(connection, catalog).where(wanted)).first()
            return None if row is None else _link(session, row)

    def present(self, connection: str, catalog: str, after: str = "", limit: int = 500) -> list[str]:
        """Salesforce ids of links still counted as flagged, in order, for a sweep."""
        with self._read() as session:
            query = select(LinkRow.salesforce_id).where(
                LinkRow.connection == connection,
                LinkRow.catalog == catalog,
                LinkRow.presence == "flagged",
                LinkRow.salesforce_id > after,
            )
            return list(session.exec(query.order_by(col(LinkRow.salesforce_id)).limit(limit)))

    def store_mapped(
        self,
        connection: str,
        catalog: str,
        records: Sequence[tuple[str, str, Mapped, Structure]],
        now: datetime,
    ) -> int:
        """Store a page of (id, name, mapped, values of our own fields now in Salesforce). Gives how many changed."""
        changed = 0
        with self._write() as session:
            rows = _by_salesforce_id(session, connection, catalog, [record[0] for record in records])
            known = _sightings(session, connection, catalog, [record[0] for record in records])
            for salesforce_id, name, mapped, shown in records:
                row = rows.get(salesforce_id) or LinkRow(
                    connection=connection, catalog=catalog, salesforce_id=salesforce_id
                )
                content = _content(mapped)
                news = row.content != content or row.presence != "flagged" or row.id is None
                if not row.opportunity_id:
                    row.candidate_id = known.get(salesforce_id, row.candidate_id)
                if news:
                    row.mapped, row.content, row.presence = mapped.to_json(), content, "flagged"
                    row.next_try_at, row.attempts = None, 0
                if news or (row.shown or {}) != shown:
                    _touch(row, now)
                    session.add(row)
                row.name, row.shown = name, shown
                changed += news
        return changed

    def set_presence(self, connection: str, catalog: str, presences: Mapping[str, Presence], now: datetime) -> int:
        """Note that records are no longer flagged, or deleted. Ids without a link are ignored. Gives how many changed."""
        changed = 0
        with self._write() as session:
            for row in _by_salesforce_id(session, connection, catalog, list(presences)).values():
                if row.presence != presences[row.salesforce_id]:
                    row.presence = presences[row.salesforce_id]
                    _touch(row, now)
                    changed += 1
        return changed

    def due(
        self, connection: str, catalog: str, now: datetime, limit: int, only: Sequence[str] | None = None
    ) -> list[int]:
        """Links that advance has to look at: those already at AWS first, so that links are finished before new ones."""
        started = case((col(LinkRow.opportunity_id) == "", 1), else_=0)
        query = _columns(select(LinkRow.id), connection, catalog, only).where(col(LinkRow.due_at) <= now)
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
    ) -> None:
        """The link comes to rest: look again at ``until`` (None: when something changes).

        ``show``: Salesforce does not show what it should; ``news``: what it should show is new as of now.
        """
        with self._write() as session:
            row = session.get_one(LinkRow, link_id)
            row.rest_status, row.rest_message, row.due_at = status, message, until
            if news:
                row.changed_at = now
            row.write_back_at = now if show else None

    def change(self, link_id: int, now: datetime, *, wake: bool = True, **changes: Unpack[LinkChanges]) -> None:
        """Set facts of a link; advance looks at it again unless ``wake`` is False."""
        with self._write() as session:
            row = session.get_one(LinkRow, link_id)
            _apply(row, changes)
            if wake:
                _touch(row, now)

    def wake(self, connection: str, catalog: str, salesforce_ids: Sequence[str] | None, now: datetime) -> list[str]:
        """Clear what holds these links (None: every held one) and look again. Gives their Salesforce ids."""
        query = _links(connection, catalog)
        if salesforce_ids is None:
            query = query.where(LinkRow.rest_status == "Held")
        else:
            query = query.where(col(LinkRow.salesforce_id).in_(salesforce_ids))
        with self._write() as session:
            rows = session.exec(query).all()
            for row in rows:
                row.refusal, row.submitted, row.attempts, row.next_try_at = None, "", 0, None
                row.write_back_error = ""
                _touch(row, now)
                operations = select(OperationRow).where(OperationRow.link_id == row.id, OperationRow.state == "open")
                for operation in session.exec(operations):
                    operation.next_attempt_at = None
            return [row.salesforce_id for row in rows]

    # operations

    def begin(self, link: Link, action: str, body: Structure, client_token: str, now: datetime) -> Operation:
        """Write an operation ahead: its exact body and token are committed before anything is sent."""
        with self._write() as session:
            row = OperationRow(
                link_id=link.id,
                connection=link.connection,
                action=action,
                body=json.dumps(body, ensure_ascii=False),
                client_token=client_token,
                created_at=now,
            )
            session.add(row)
            session.flush()
            return _operation(row)

    def sending(self, operation: Operation, now: datetime) -> None:
        """Commit that the call is being made: from here on its outcome is unknown until it is recorded."""
        with self._write() as session:
            row = session.get_one(OperationRow, operation.id)
            row.attempts, row.sent_at, row.ambiguous, row.next_attempt_at = row.attempts + 1, now, True, None

    def succeed(self, operation: Operation, response: Structure, now: datetime, **changes: Unpack[LinkChanges]) -> None:
        """Record the answer and the facts that follow from it, in one transaction."""
        with self._write() as session:
            row = session.get_one(OperationRow, operation.id)
            row.state, row.finished_at, row.response, row.error, row.ambiguous = (
                "done",
                now,
                response,
                "",
                False,
            )
            link = session.get_one(LinkRow, row.link_id)
            _apply(link, changes)
            _touch(link, now)

    def fail(self, operation: Operation, error: str, now: datetime, **changes: Unpack[LinkChanges]) -> None:
        """Record that the operation was certainly not carried out and will not be repeated as it is."""
        with self._write() as session:
            row = session.get_one(OperationRow, operation.id)
            row.state, row.finished_at, row.error, row.ambiguous = "failed", now, error, False
            link = session.get_one(LinkRow, row.link_id)
            _apply(link, changes)
            _touch(link, now)

    def postpone(self, operation: Operation, error: str, ambiguous: bool, until: datetime, now: datetime) -> None:
        """Keep the operation open and try the same bytes later."""
        with self._write() as session:
            row = session.get_one(OperationRow, operation.id)
            row.error, row.ambiguous, row.next_attempt_at = error, ambiguous, until
            _touch(session.get_one(LinkRow, row.link_id), now)

    def history(self, link_id: int) -> list[Structure]:
        """Every operation of a link, oldest first: at, action, outcome, attempts, error, response."""
        query = select(OperationRow).where(OperationRow.link_id == link_id).order_by(col(OperationRow.id))
        with self._read() as session:
            return [_history(row) for row in session.exec(query)]

    def creates_since(self, connection: str, moment: datetime) -> int:
        """Opportunities created, or about to be, since then."""
        query = select(func.count()).where(
            OperationRow.connection == connection,
            OperationRow.action == "CreateOpportunity",
            OperationRow.state != "failed",
            col(OperationRow.created_at) >= moment,
        )
        with self._read() as session:
            return int(session.exec(query).one())

    def operations_since(self, connection: str, moment: datetime) -> int:
        """Calls sent since then, repeats counted, for the 24-hour allowance."""
        query = select(func.coalesce(func.sum(OperationRow.attempts), 0)).where(
            OperationRow.connection == connection, col(OperationRow.sent_at) >= moment
        )
        with self._read() as session:
            return int(session.exec(query).one())

    # what AWS shows

    def see(self, connection: str, catalog: str, summaries: Sequence[Structure], now: datetime) -> int:
        """Note a page of ListOpportunities summaries. Gives how many links learned something new."""
        with self._write() as session:
            for summary in summaries:
                identifier = str(summary.get("PartnerOpportunityIdentifier") or "")
                if identifier:
                    session.merge(
                        SightingRow(
                            connection=connection,
                            catalog=catalog,
                            opportunity_id=summary["Id"],
                            partner_identifier=identifier,
                        )
                    )
            return _see_linked(session, connection, catalog, summaries, now)

    def sighted(self, connection: str, catalog: str, partner_identifier: str) -> str:
        """The AWS opportunity that carries this partner identifier, "" when none was seen."""
        with self._read() as session:
            found = _sightings(session, connection, catalog, [partner_identifier])
            return found.get(partner_identifier, "")

    def polls_due(self, connection: str, catalog: str, now: datetime, limit: int) -> list[Link]:
        query = _links(connection, catalog).where(col(LinkRow.poll_at) <= now).order_by(col(LinkRow.poll_at))
        with self._read() as session:
            return [_link(session, row) for row in session.exec(query.limit(limit))]

    # what Salesforce should show

    def write_backs_due(self, connection: str, catalog: str, now: datetime, limit: int) -> list[tuple[Link, str, str]]:
        """(link, rest status, rest message) of links whose record does not show what it should."""
        query = _links(connection, catalog).where(col(LinkRow.write_back_at) <= now)
        with self._read() as session:
            rows = session.exec(query.order_by(col(LinkRow.write_back_at), col(LinkRow.id)).limit(limit))
            return [(_link(session, row), row.rest_status, row.rest_message) for row in rows]

    def rest_of(self, link_id: int) -> tuple[str, str, datetime | None]:
        """(status, message, when it is looked at again)."""
        with self._read() as session:
            row = session.get_one(LinkRow, link_id)
            return row.rest_status, row.rest_message, row.due_at

    def written(self, results: Mapping[int, tuple[Structure, str, datetime | None]]) -> None:
        """Note write-backs by link id: (values now shown, error or "", when to try again)."""
        with self._write() as session:
            for link_id, (shown, error, again) in results.items():
                row = session.get_one(LinkRow, link_id)
                row.shown = {**(row.shown or {}), **shown}
                row.write_back_error, row.write_back_at = error, again

    # progress

    def watermark(self, connection: str, name: str) -> str:
        with self._read() as session:
            row = session.get(WatermarkRow, (connection, name))
            return row.value if row is not None else ""

    def set_watermark(self, connection: str, name: str, value: str) -> None:
        with self._write() as session:
            session.merge(WatermarkRow(connection=connection, name=name, value=value))

    def add_usage(self, connection: str, kind: str, calls: int, now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
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
            UsageRow.connection == connection,
            UsageRow.kind == kind,
            col(UsageRow.hour) > now - DAY - timedelta(hours=1),
        )
        with self._read() as session:
            return int(session.exec(query).one())

    def request(self, connection: str, salesforce_ids: Sequence[str], now: datetime) -> None:
        """Ask the process that owns the ledger to read these records again."""
        with self._write() as session:
            session.add_all(
                [RequestRow(connection=connection, salesforce_id=i, requested_at=now) for i in salesforce_ids]
            )

    def requests(self, connection: str) -> list[tuple[int, str]]:
        """(number, Salesforce id) of what was asked for and not done yet."""
        query = select(RequestRow).where(RequestRow.connection == connection).order_by(col(RequestRow.id)).limit(200)
        with self._read() as session:
            return [(row.id or 0, row.salesforce_id) for row in session.exec(query)]

    def requests_done(self, numbers: Sequence[int]) -> None:
        with self._write() as session:
            session.exec(delete(RequestRow).where(col(RequestRow.id).in_(numbers)))

    def counts(self, connection: str, catalog: str) -> dict[str, int]:
        """Links by rest status; links that are being looked at count as Pending."""
        status = case((col(LinkRow.rest_status) == "", "Pending"), else_=col(LinkRow.rest_status))
        query = (
            select(status, func.count())
            .where(LinkRow.connection == connection, LinkRow.catalog == catalog)
            .group_by(status)
        )
        with self._read() as session:
            return {str(name): int(count) for name, count in session.exec(query)}

    def held(self, connection: str, catalog: str, limit: int) -> list[tuple[str, str, str]]:
        """(Salesforce id, name, message) of links that wait for a person."""
        query = _links(connection, catalog).where(LinkRow.rest_status == "Held").order_by(col(LinkRow.id)).limit(limit)
        with self._read() as session:
            return [(row.salesforce_id, row.name, row.rest_message) for row in session.exec(query)]

    def open_operations(self, connection: str) -> int:
        query = select(func.count()).where(OperationRow.connection == connection, OperationRow.state == "open")
        with self._read() as session:
            return int(session.exec(query).one())

    def work_due(
        self, connection: str, catalog: str, until: datetime, only: Sequence[str] | None = None
    ) -> dict[str, int]:
        """Links that advance, observe and write back have to look at before ``until``."""
        columns = {"advance": LinkRow.due_at, "observe": LinkRow.poll_at, "write_back": LinkRow.write_back_at}
        with self._read() as session:
            return {
                name: int(
                    session.exec(
                        _columns(select(func.count()), connection, catalog, only).where(col(column) <= until)
                    ).one()
                )
                for name, column in columns.items()
            }


def _unavailable(error: SQLAlchemyError) -> LedgerUnavailable:
    reason = str(getattr(error, "orig", "") or type(error).__name__).splitlines()[0]
    return LedgerUnavailable(
        f"The ledger cannot be used: {reason}.", "Nothing is written to AWS or Salesforce until it can."
    )


def _links(connection: str, catalog: str) -> Any:
    return _columns(select(LinkRow), connection, catalog)


def _columns(query: Any, connection: str, catalog: str, only: Sequence[str] | None = None) -> Any:
    narrowed = query.where(LinkRow.connection == connection, LinkRow.catalog == catalog)
    return narrowed if only is None else narrowed.where(col(LinkRow.salesforce_id).in_(only))


def _touch(row: LinkRow, now: datetime) -> None:
    """Facts changed: what the last plan came to no longer counts, and advance looks again."""
    row.rest_status = row.rest_message = ""
    row.due_at = now


def _content(mapped: Mapped) -> str:
    """A hash of all that a new read could change, problems and places in the file included."""
    from connector.core.model import fingerprint

    return fingerprint(mapped.to_json())


def _by_salesforce_id(
    session: Session, connection: str, catalog: str, salesforce_ids: Sequence[str]
) -> dict[str, LinkRow]:
    found: dict[str, LinkRow] = {}
    for start in range(0, len(salesforce_ids), 500):
        chunk = salesforce_ids[start : start + 500]
        rows = session.exec(_links(connection, catalog).where(col(LinkRow.salesforce_id).in_(chunk)))
        found.update({row.salesforce_id: row for row in rows})
    return found


def _sightings(session: Session, connection: str, catalog: str, identifiers: Sequence[str]) -> dict[str, str]:
    """Opportunity id by partner identifier; the 15-character form of an id counts as well. The oldest wins."""
    wanted = {form: full for full in identifiers for form in (full, full[:15])}
    forms = list(wanted)
    found: dict[str, str] = {}
    for start in range(0, len(forms), 500):
        query = select(SightingRow).where(
            SightingRow.connection == connection,
            SightingRow.catalog == catalog,
            col(SightingRow.partner_identifier).in_(forms[start : start + 500]),
        )
        for row in session.exec(query):
            full = wanted[row.partner_identifier]
            found[full] = min(
                found.get(full, row.opportunity_id), row.opportunity_id, key=lambda text: (len(text), text)
            )
    return found


def _see_linked(session: Session, connection: str, catalog: str, summaries: Sequence[Structure], now: datetime) -> int:
    by_id = {summary["Id"]: summary for summary in summaries}
    rows = session.exec(_links(connection, catalog).where(col(LinkRow.opportunity_id).in_(list(by_id)))).all()
    learned = 0
    for row in rows:
        existing = {**(row.existing or {}), **by_id[row.opportunity_id]}
        if existing != (row.existing or {}):
            row.existing = existing
            _touch(row, now)
            learned += 1
    partners = {str(s.get("PartnerOpportunityIdentifier") or "")[:15]: s["Id"] for s in summaries}
    partners.pop("", None)
    waiting = _links(connection, catalog).where(
        LinkRow.opportunity_id == "",
        LinkRow.candidate_id == "",
        func.substr(LinkRow.salesforce_id, 1, 15).in_(list(partners)),
    )
    for row in session.exec(waiting):
        row.candidate_id = partners[row.salesforce_id[:15]]
        _touch(row, now)
        learned += 1
    return learned


def _apply(row: LinkRow, changes: LinkChanges) -> None:
    for name, value in changes.items():
        if isinstance(value, Task):
            value = value.facts
        elif isinstance(value, Refusal):
            value = value.to_json()
        elif name == "attached" and value is not None:
            value = [[a.entity_type, a.identifier] for a in value]  # type: ignore[attr-defined]
        setattr(row, name, value)


def _link(session: Session, row: LinkRow) -> Link:
    query = select(OperationRow).where(OperationRow.link_id == row.id, OperationRow.state == "open")
    operation = session.exec(query).first()
    return Link(
        id=row.id or 0,
        connection=row.connection,
        catalog=row.catalog,
        salesforce_id=row.salesforce_id,
        name=row.name,
        presence=row.presence,  # type: ignore[arg-type]
        mapped=None if row.mapped is None else Mapped.from_json(row.mapped),
        opportunity_id=row.opportunity_id,
        candidate_id=row.candidate_id,
        existing=row.existing,
        base=row.base,
        attached=None if row.attached is None else tuple(Association(*pair) for pair in row.attached),
        task=None if row.task is None else Task(row.task),
        submitted=row.submitted,
        refusal=None if row.refusal is None else Refusal.from_json(row.refusal),
        operation=None if operation is None else _operation(operation),
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        changed_at=row.changed_at,
        shown=row.shown or {},
        write_back_error=row.write_back_error,
    )


def _operation(row: OperationRow) -> Operation:
    return Operation(
        id=row.id or 0,
        link_id=row.link_id,
        action=row.action,
        body=json.loads(row.body),
        client_token=row.client_token,
        attempts=row.attempts,
        ambiguous=row.ambiguous,
        sent_at=row.sent_at,
        next_attempt_at=row.next_attempt_at,
        error=row.error,
    )


def _history(row: OperationRow) -> Structure:
    at = row.finished_at or row.sent_at or row.created_at
    return {
        "at": at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None,
        "action": row.action,
        "outcome": row.state,
        "attempts": row.attempts,
        "error": row.error or None,
        "response": row.response,
    }
