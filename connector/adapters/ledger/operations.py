"""Operations: every write to AWS, committed before the call and closed with its outcome after it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Connection, bindparam, func, insert, select, update

from connector.adapters.ledger.audit import Audit, add_entries
from connector.adapters.ledger.nouns import OPEN, read_link, set_facts, to_history, to_resting, touched
from connector.adapters.ledger.rows import AUDIT, LINK, OPERATION
from connector.core.audit import Event, cause_of, detail_of, kept_intent, kept_response, without_people
from connector.core.model import Link, Operation, Structure
from connector.errors import StaleVersion
from connector.ports import Begin, LinkChanges, Rest

_BEGIN = insert(OPERATION)
_NOTED = ("attempts", "ambiguous", "sent_at", "next_attempt_at", "error")
_CLOSED = ("state", "finished_at", "error", "ambiguous", "intent", "response")
_BEGUN = (
    select(AUDIT.c.operation_id, AUDIT.c.actor, AUDIT.c.cause)
    .join(LINK, (LINK.c.connection == AUDIT.c.connection) & (LINK.c.salesforce_id == AUDIT.c.salesforce_id))
    .where(LINK.c.id == bindparam("link_id"), AUDIT.c.event == Event.BEGUN.value)
)
_THIS = update(OPERATION).where(OPERATION.c.id == bindparam("operation_id"))
_NOTE = _THIS.values({name: bindparam(name) for name in _NOTED})
# Of the body only its digest stays, which was written with it.
_CLOSE = _THIS.values({"body": "", **{name: bindparam(name) for name in _CLOSED}})


class Operations(Audit):
    """The operations of links. Every public method is one transaction, and gives the link as it is after it."""

    def begin(self, link: Link, begin: Begin, now: datetime) -> Link:
        """Write an operation ahead, its exact body and token: from here on it may be sent at any moment.

        Raises StaleVersion when the link is no longer as the plan saw it, or while another operation of it is open:
        plan again.
        """
        with self._write() as connection:
            try:
                _refuse_second(link)
                begun = set_facts(connection, link, {}, {}, only_as_seen=True)
            except StaleVersion:
                _refuse_second(read_link(connection, link.id))
                raise
            return self._write_ahead(connection, begun, begin, now)

    def sending(self, link: Link, now: datetime) -> Link:
        """Commit that the link's operation is sent once more: its outcome is unknown until it is recorded."""
        operation = _operation_of(link)
        sent = replace(operation, attempts=operation.attempts + 1, sent_at=now, ambiguous=True, next_attempt_at=None)
        return self._note(link, sent, {}, Event.SENT_AGAIN, now)

    def leaving(self, link: Link, now: datetime) -> Link:
        """Commit once more that the link's operation is about to leave: it was committed before, and not sent yet."""
        return self._note(link, replace(_operation_of(link), sent_at=now), {}, None, now)

    def succeed(
        self,
        link: Link,
        response: Structure,
        now: datetime,
        then: Begin | Rest | None = None,
        **changes: Unpack[LinkChanges],
    ) -> Link:
        """Record the answer, the facts that follow from it, and what the link does then, in one transaction.

        The last counts only if nobody else has changed the link meanwhile: then its revision is one more.
        """
        with self._write() as connection:
            done = _close(connection, link, "done", "", response, changes, now, then)
            entry = self._ended(done, _operation_of(link), Event.DONE, now, _told(response))
            if isinstance(then, Begin) and done.revision == link.revision + 1:
                return self._write_ahead(connection, done, then, now, entry)
            add_entries(connection, [entry])
            return done

    def fail(
        self,
        link: Link,
        error: str,
        now: datetime,
        *,
        codes: str = "",
        is_dropped: bool = False,
        **changes: Unpack[LinkChanges],
    ) -> Link:
        """Record that the operation was certainly not carried out and will not be repeated as it is.

        ``codes`` say why without quoting the record, for the audit trail. ``is_dropped``: nobody refused it, it is no
        longer wanted.
        """
        event = Event.DROPPED if is_dropped else Event.FAILED
        with self._write() as connection:
            operation = _operation_of(link)
            failed = _close(connection, link, "failed", error, None, changes, now)
            add_entries(connection, [self._ended(failed, operation, event, now, codes)])
            return failed

    def postpone(self, link: Link, error: str, ambiguous: bool, until: datetime, now: datetime) -> Link:
        """Keep the operation open and try the same bytes later."""
        later = replace(_operation_of(link), error=error, ambiguous=ambiguous, next_attempt_at=until)
        return self._note(link, later, touched(now), None, now)

    def _note(
        self, link: Link, operation: Operation, columns: dict[str, Any], event: Event | None, now: datetime
    ) -> Link:
        values = {"operation_id": operation.id, **{name: getattr(operation, name) for name in _NOTED}}
        with self._write() as connection:
            connection.execute(_NOTE, values)
            if event is not None:
                detail = f"attempt {operation.attempts}"
                add_entries(connection, [self._noted(event, link, now, operation=operation, detail=detail)])
            return set_facts(connection, link, {}, columns, only_as_seen=False, operation=operation)

    def _ended(self, link: Link, operation: Operation, event: Event, now: datetime, detail: str) -> dict[str, Any]:
        """An operation came to its end; why it was begun stands where that was noted."""
        return self._noted(event, link, now, operation=operation, detail=detail, cause="")

    def _write_ahead(
        self, connection: Connection, link: Link, begin: Begin, now: datetime, *before: dict[str, Any]
    ) -> Link:
        """Begin an operation; ``before`` are entries of the audit trail that come before its own."""
        text = json.dumps(begin.body, ensure_ascii=False)
        values = {
            "link_id": link.id,
            "connection": link.connection,
            "action": begin.action,
            "body": text,
            "body_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "intent": begin.intent,
            "client_token": begin.client_token,
            "state": "open",
            "attempts": 1,
            "ambiguous": True,
            "created_at": now,
            "sent_at": now,
            "error": "",
        }
        key = connection.execute(_BEGIN, values).inserted_primary_key
        assert key is not None
        operation = Operation(
            key[0],
            link.id,
            begin.action,
            begin.body,
            begin.client_token,
            begin.intent or {},
            attempts=1,
            ambiguous=True,
            sent_at=now,
            body_sha256=str(values["body_sha256"]),
        )
        begun = self._noted(
            Event.BEGUN,
            link,
            now,
            operation=operation,
            cause=cause_of(link, begin.cause),
            detail=detail_of(begin.body, begin.intent),
        )
        add_entries(connection, [*before, begun])
        return replace(link, operation=operation)

    def history(self, link_id: int) -> list[Structure]:
        """Every operation of a link, oldest first: at, action, outcome, attempts, error, response, overrules.

        The last are the AWS paths at which it replaced an edit made at AWS. ``actor`` and ``cause`` are who began it
        and why, None where the audit trail is younger.
        """
        query = select(OPERATION).where(OPERATION.c.link_id == link_id).order_by(OPERATION.c.id)
        with self._read() as connection:
            begun = {row.operation_id: row for row in connection.execute(_BEGUN, {"link_id": link_id})}
            return [{**to_history(row), **_causes(begun.get(row.id))} for row in connection.execute(query)]

    def creates_since(self, connection: str, moment: datetime) -> int:
        """Opportunities created, or about to be, since then."""
        return self.begun_since(connection, "CreateOpportunity", moment)

    def begun_since(self, connection: str, action: str, moment: datetime) -> int:
        """Operations of this kind that were carried out, or are about to be, since then."""
        return self._count(
            select(func.count()).where(
                OPERATION.c.connection == connection,
                OPERATION.c.action == action,
                OPERATION.c.state != "failed",
                OPERATION.c.created_at >= moment,
            )
        )

    def operations_since(self, connection: str, moment: datetime) -> int:
        """Calls sent since then, repeats counted, for the 24-hour allowance."""
        return self._count(
            select(func.coalesce(func.sum(OPERATION.c.attempts), 0)).where(
                OPERATION.c.connection == connection, OPERATION.c.sent_at >= moment
            )
        )

    def open_operations(self, connection: str) -> int:
        return self._count(select(func.count()).where(OPERATION.c.connection == connection, OPEN))

    def oldest_open(self, connection: str, limit: int) -> list[Structure]:
        """Writes whose end is not known yet, the oldest first.

        Each has ``action``, ``salesforce_id``, ``attempts``, ``error``, and ``since`` and ``next_try`` as instants.
        """
        columns = select(
            OPERATION.c.action,
            LINK.c.salesforce_id,
            OPERATION.c.attempts,
            OPERATION.c.error,
            OPERATION.c.created_at.label("since"),
            OPERATION.c.next_attempt_at.label("next_try"),
        )
        query = columns.join(LINK, OPERATION.c.link_id == LINK.c.id).where(OPERATION.c.connection == connection, OPEN)
        with self._read() as reading:
            return [dict(row._mapping) for row in reading.execute(query.order_by(OPERATION.c.id).limit(limit))]

    def _count(self, query: Any) -> int:
        with self._read() as connection:
            return int(connection.execute(query).scalar_one())


def _operation_of(link: Link) -> Operation:
    if link.operation is None:
        raise ValueError(f"link {link.id} has no open operation")
    return link.operation


def _causes(row: Any) -> Structure:
    return {name: getattr(row, name, "") or None for name in ("actor", "cause")}


def _told(response: Structure) -> str:
    """What an answer gave: the id or the state."""
    told = [str(response[name]) for name in ("Id", "TaskId", "TaskStatus") if response.get(name)]
    return " ".join([*told, "found at AWS, the answer was lost"] if response.get("found") else told)


def _close(
    connection: Connection,
    link: Link,
    state: str,
    error: str,
    response: Structure | None,
    changes: LinkChanges,
    now: datetime,
    then: Begin | Rest | None = None,
) -> Link:
    operation = _operation_of(link)
    mapped = link.mapped
    known = (mapped.opportunity, {"Assignee": mapped.assignee}) if mapped is not None else ()
    words = without_people(error, operation.body, *known, link.existing, link.base, link.aws)
    closed = (state, now, words, False, kept_intent(operation.intent), kept_response(response))
    connection.execute(_CLOSE, {"operation_id": operation.id, **dict(zip(_CLOSED, closed, strict=True))})
    resting = to_resting(then, now) if isinstance(then, Rest) else {}
    if resting:
        try:
            return set_facts(connection, link, changes, resting, only_as_seen=True, operation=None)
        except StaleVersion:
            pass  # the rest was planned with older facts
    return set_facts(connection, link, changes, touched(now), only_as_seen=False, operation=None)


def _refuse_second(link: Link) -> None:
    if link.operation is not None:
        raise StaleVersion(
            f"{link.operation.action} of {link.salesforce_id} is still open.",
            "It comes first; this is planned again.",
        )
