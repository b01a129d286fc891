"""Rows to the core's nouns and facts back into rows, with the queries over links that every part needs.

Nothing here opens or ends a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session, col, select

from connector.adapters.ledger.rows import LinkRow, OperationRow
from connector.core.model import Association, Link, Mapped, Operation, Refusal, Structure, Task
from connector.ports import LinkChanges

CHUNK = 500
"""Rows that are looked at together."""


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
    return col(column).op("IN", is_comparison=True)(TextsOf(listed))


def within(query: Any, connection: str, catalog: str, only: Sequence[str] | None = None) -> Any:
    """A query over links, narrowed to one connection and catalog, and to these Salesforce ids."""
    narrowed = query.where(LinkRow.connection == connection, LinkRow.catalog == catalog)
    return narrowed if only is None else narrowed.where(is_among(LinkRow.salesforce_id, only))


def links_of(connection: str, catalog: str, only: Sequence[str] | None = None) -> Any:
    """The query for whole links."""
    return within(select(LinkRow), connection, catalog, only)


def locked_link(session: Session, link_id: int) -> LinkRow:
    """A link's row, kept from other processes until the transaction ends (SQLite has one writer anyway)."""
    return session.get_one(LinkRow, link_id, with_for_update=True)


def touch(row: LinkRow, now: datetime) -> None:
    """Facts changed: what the last plan came to no longer counts nor is shown, and advance looks again."""
    row.rest_status = row.rest_message = ""
    row.write_back_at = None
    row.due_at = now


def apply(row: LinkRow, changes: LinkChanges) -> None:
    """Set facts, given in the core's own types."""
    for name, value in changes.items():
        if isinstance(value, Task):
            value = value.facts
        elif isinstance(value, Refusal):
            value = value.to_json()
        elif name == "attached" and value is not None:
            value = [[a.entity_type, a.identifier] for a in value]  # type: ignore[attr-defined]
        setattr(row, name, value)


def to_link(session: Session, row: LinkRow) -> Link:
    """The link with its open operation."""
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
        operation=None if operation is None else to_operation(operation),
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        changed_at=row.changed_at,
        shown=row.shown or {},
        write_back_error=row.write_back_error,
    )


def to_operation(row: OperationRow) -> Operation:
    return Operation(
        id=row.id or 0,
        link_id=row.link_id,
        action=row.action,
        body=json.loads(row.body),
        intent=row.intent or {},
        client_token=row.client_token,
        attempts=row.attempts,
        ambiguous=row.ambiguous,
        sent_at=row.sent_at,
        next_attempt_at=row.next_attempt_at,
        error=row.error,
    )


def to_history(row: OperationRow) -> Structure:
    """One line of a link's story."""
    at = row.finished_at or row.sent_at or row.created_at
    return {
        "at": at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None,
        "action": row.action,
        "outcome": row.state,
        "attempts": row.attempts,
        "error": row.error or None,
        "response": row.response,
    }
