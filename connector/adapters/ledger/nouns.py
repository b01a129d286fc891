"""Rows to the core's nouns and facts back into columns, with the statements over links that every part needs.

Nothing here opens or ends a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    String,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from connector.adapters.ledger.rows import LINK, MENTION, OPERATION
from connector.core.audit import overruled_in
from connector.core.identifiers import is_of_process
from connector.core.model import Association, Link, Mapped, Operation, Refusal, SentInvitation, Structure, Task
from connector.errors import LedgerUnavailable, StaleVersion
from connector.ports import LinkChanges, Rest

CHUNK = 500
"""Rows that are looked at together."""
OPEN = OPERATION.c.state == literal_column("'open'")
"""As the index for it says, so that it is used."""
FORGOTTEN = and_(LINK.c.presence != "flagged", LINK.c.mapped.is_(None))
"""Nothing is to be learned about such a link until its record is flagged again."""

_OPERATION = ("id", "action", "body", "intent", "client_token", "attempts", "ambiguous", "sent_at", "next_attempt_at")
_DIGESTED = ("error", "body_sha256")
LINKS: Select[Any] = select(
    *(column for column in LINK.c if column.name != "mapped"),
    cast(LINK.c.mapped, Text).label("mapped"),
    *(OPERATION.c[name].label(f"operation_{name}") for name in (*_OPERATION, *_DIGESTED)),
).select_from(LINK.outerjoin(OPERATION, and_(OPERATION.c.link_id == LINK.c.id, OPEN)))
"""Every link with its open operation."""
_BY_ID = LINKS.where(LINK.c.id == bindparam("link_id"))


class TextsOf(FunctionElement[Any]):
    """The texts of a JSON array as rows: one parameter for a list of any length, since their number is limited."""

    name = "texts_of"
    inherit_cache = True


@compiles(TextsOf, "sqlite")
def _in_sqlite(element: TextsOf, compiler: Any, **options: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **options)}))"  # noqa: S608 (a parameter)


@compiles(TextsOf, "postgresql")
def _in_postgresql(element: TextsOf, compiler: Any, **options: Any) -> str:
    listed = compiler.process(element.clauses, **options)
    return f"(SELECT json_array_elements_text(CAST({listed} AS JSON)))"


def is_among(column: Any, texts: Sequence[str]) -> Any:
    """``column IN (texts)``, however many there are."""
    listed = bindparam(None, json.dumps(list(texts)), String, unique=True)
    return column.op("IN", is_comparison=True)(TextsOf(listed))


def within(query: Any, connection: str, catalog: str, only: Sequence[str] | None = None) -> Any:
    """A statement over links, narrowed to one connection and catalog, and to these Salesforce ids."""
    narrowed = query.where(LINK.c.connection == connection, LINK.c.catalog == catalog)
    return narrowed if only is None else narrowed.where(is_among(LINK.c.salesforce_id, only))


def lock_links(connection: Connection, numbers: Collection[int]) -> None:
    """Lock links for the rest of a transaction that changes several, in the one order that everybody keeps.

    Two transactions that lock the same links in different orders wait for each other for ever. SQLite has one writer.
    """
    if len(numbers) > 1 and connection.dialect.name != "sqlite":
        query = select(LINK.c.id).where(LINK.c.id.in_(numbers)).order_by(LINK.c.id)
        connection.execute(query.with_for_update(key_share=True))


def in_turn(connection: Connection, *names: str) -> None:
    """Wait until no other transaction is under way that was given the same names.

    For what reads some rows to decide on others, where no row lock tells two writers of each other.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(_IN_TURN, {"names": " ".join(names)})


_IN_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || :names, 0))")


def upsert(table: Table, dialect: str) -> Any:
    """An INSERT that takes ``on_conflict_do_update``; both dialects write it alike."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def links_of(connection: str, catalog: str, only: Sequence[str] | None = None) -> Any:
    """The query for whole links with their open operations."""
    return within(LINKS, connection, catalog, only)


def read_link(connection: Connection, link_id: int) -> Link:
    """One link. Raises LedgerUnavailable when there is none with this number."""
    row = connection.execute(_BY_ID, {"link_id": link_id}).first()
    if row is None:
        raise LedgerUnavailable(
            f"The ledger cannot be used: it has no link {link_id}.", "Was it restored from a backup?"
        )
    return to_link(row)


TOUCHED: Mapping[str, Any] = {"rest_status": "", "rest_code": "", "rest_message": "", "write_back_at": None}


def touched(now: datetime) -> dict[str, Any]:
    """Facts changed: what the last plan came to no longer counts nor is shown, and advance looks again."""
    return {**TOUCHED, "due_at": now}


def to_resting(rest: Rest, now: datetime) -> dict[str, Any]:
    """The columns of a link at rest."""
    is_over = {} if is_waiting(rest) else {"asked": None}
    return {
        **is_over,
        "rest_status": rest.status,
        "rest_code": rest.code,
        "rest_message": rest.message,
        "due_at": rest.until,
        "write_back_at": now if rest.show else None,
        **({"changed_at": now} if rest.news else {}),
    }


WAITING = ("Pending", "In progress")
"""The statuses of links at rest that are still under way."""


def is_waiting(rest: Rest) -> bool:
    """Whether what a person asked for is still under way."""
    return rest.status in WAITING


_MENTION = {name: upsert(MENTION, name).on_conflict_do_nothing() for name in ("sqlite", "postgresql")}


def _mention(connection: Connection, link: Link, changes: LinkChanges) -> None:
    """Let the link be found by the ids of AWS that these facts name and those before did not."""
    if not changes.keys() & {"task", "invitations"}:
        return
    new = _ids_in(changes.get("task"), changes.get("invitations", ())) - _ids_in(link.task, link.invitations)
    if new:
        insert = _MENTION[connection.dialect.name]
        of_link = {"connection": link.connection, "catalog": link.catalog, "link_id": link.id}
        connection.execute(insert, [{**of_link, "identifier": one} for one in sorted(new)])


def _ids_in(task: Task | None, invitations: Sequence[SentInvitation]) -> set[str]:
    facts = [*(sent.facts for sent in invitations), task.facts if task is not None else {}]
    named = [*(sent.engagement_id for sent in invitations), *(value for one in facts for value in one.values())]
    return {one for one in named if isinstance(one, str) and is_of_process(one)}


def mentioning(connection: str, catalog: str, identifier: str) -> Any:
    """The number of the first link that an id of a task, an engagement or the like belongs to, as a subquery."""
    of_connection = (MENTION.c.connection == connection, MENTION.c.catalog == catalog)
    query = select(func.min(MENTION.c.link_id)).where(*of_connection, MENTION.c.identifier == identifier)
    return query.scalar_subquery()


def to_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Facts, given in the core's own types, as column values."""
    return {name: _to_column(name, value) for name, value in changes.items()}


def _to_column(name: str, value: Any) -> Any:
    if isinstance(value, Task):
        return value.facts
    if isinstance(value, Refusal):
        return value.to_json()
    if name == "refusals":
        return {subject: refusal.to_json() for subject, refusal in value.items()} or None
    if name == "invitations":
        return [sent.to_json() for sent in value] or None
    if isinstance(value, tuple):
        return [[a.entity_type, a.identifier] for a in value]
    return value


_FACTS = frozenset(one.name for one in fields(Link))
_SEEN = LINK.c.revision == bindparam("seen_revision")


@lru_cache(maxsize=256)
def _setting(names: tuple[str, ...], *, as_seen: bool) -> Update:
    """The statement that sets these columns of a link; building one costs more than running it."""
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    statement = update(LINK).where(LINK.c.id == bindparam("link_id"))
    statement = statement.where(_SEEN) if as_seen else statement
    return statement.values({**values, "revision": LINK.c.revision + 1})


def set_facts(
    connection: Connection,
    link: Link,
    changes: LinkChanges,
    columns: Mapping[str, Any],
    *,
    only_as_seen: bool,
    **more: Any,
) -> Link:
    """Store facts and further columns of a link, and give it as it is from now on; ``more`` are parts of the noun.

    When the link is no longer as it was seen, ``only_as_seen`` raises StaleVersion and stores nothing; else the
    facts are stored all the same, and the link is read again.
    """
    values = {**columns, **to_columns(changes)}
    names, about = tuple(values), {"link_id": link.id}
    as_seen = {**values, **about, "seen_revision": link.revision}
    if connection.execute(_setting(names, as_seen=True), as_seen).rowcount:
        _mention(connection, link, changes)
        known: dict[str, Any] = {name: value for name, value in changes.items() if name in _FACTS}
        if "asked" in columns:
            known["asked"] = columns["asked"]
        return replace(link, revision=link.revision + 1, **known, **more)
    if only_as_seen:
        raise StaleVersion(f"The facts of {link.salesforce_id} have changed since they were planned with.")
    connection.execute(_setting(names, as_seen=False), {**values, **about})
    _mention(connection, link, changes)
    return read_link(connection, link.id)


def to_link(row: Row[Any]) -> Link:
    """The link with its open operation, of a row of ``LINKS``."""
    return Link(
        id=row.id,
        revision=row.revision,
        connection=row.connection,
        catalog=row.catalog,
        salesforce_id=row.salesforce_id,
        name=row.name,
        presence=row.presence,
        mapped=None if row.mapped is None else _to_mapped(row.mapped),
        opportunity_id=row.opportunity_id,
        candidate_id=row.candidate_id,
        existing=row.existing,
        base=row.base,
        attached=None if row.attached is None else tuple(Association(*pair) for pair in row.attached),
        task=None if row.task is None else Task(row.task),
        submitted=row.submitted,
        refusal=None if row.refusal is None else Refusal.from_json(row.refusal),
        refusals={subject: Refusal.from_json(refusal) for subject, refusal in (row.refusals or {}).items()},
        aws=row.aws,
        assigned=row.assigned,
        invitations=tuple(map(SentInvitation.from_json, row.invitations or ())),
        taken=row.taken or {},
        operation=None if row.operation_id is None else _to_operation(row),
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        changed_at=row.changed_at,
        shown=row.shown or {},
        write_back_error=row.write_back_error,
        cause=row.cause,
        asked=row.asked,
    )


@lru_cache(maxsize=512)
def _to_mapped(text: str) -> Mapped:
    """The largest part of a row, read several times on a record's way and hardly ever another."""
    return Mapped.from_json(json.loads(text))


def _to_operation(row: Row[Any]) -> Operation:
    return Operation(
        id=row.operation_id,
        link_id=row.id,
        action=row.operation_action,
        body=json.loads(row.operation_body),
        intent=row.operation_intent or {},
        client_token=row.operation_client_token,
        attempts=row.operation_attempts,
        ambiguous=row.operation_ambiguous,
        sent_at=row.operation_sent_at,
        next_attempt_at=row.operation_next_attempt_at,
        error=row.operation_error,
        body_sha256=row.operation_body_sha256,
    )


def to_history(row: Row[Any]) -> Structure:
    """One line of a link's story; who caused it is told by the audit trail."""
    at = row.finished_at or row.sent_at or row.created_at
    return {
        "at": at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None,
        "action": row.action,
        "outcome": row.state,
        "attempts": row.attempts,
        "error": row.error or None,
        "response": row.response,
        "overrules": overruled_in(row.intent),
    }
