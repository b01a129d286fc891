"""Operations: every write to AWS, committed before the call and closed with its outcome after it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Unpack

from sqlalchemy import func
from sqlmodel import Session, col, select

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.nouns import apply, locked_link, to_history, to_link, to_operation, touch
from connector.adapters.ledger.rows import OperationRow
from connector.core.model import Link, Operation, Structure
from connector.errors import StaleVersion
from connector.ports import LinkChanges


class Operations(Transactions):
    """The operations of links. Every public method is one transaction."""

    def begin(
        self,
        link: Link,
        action: str,
        body: Structure,
        client_token: str,
        now: datetime,
        intent: Structure | None = None,
    ) -> Operation:
        """Write an operation ahead: its exact body and token are committed before anything is sent.

        ``intent`` is what will have been agreed once it is done. Raises StaleVersion when the link is no longer as
        the plan saw it, or while another operation of it is open: plan again.
        """
        row = OperationRow(
            link_id=link.id,
            connection=link.connection,
            action=action,
            body=json.dumps(body, ensure_ascii=False),
            intent=intent,
            client_token=client_token,
            created_at=now,
        )
        with self._write() as session:
            # The lock makes two processes take turns; the unique index would refuse the second one too.
            stored = locked_link(session, link.id)
            _refuse_second(session, link)
            if to_link(session, stored) != link:
                raise StaleVersion(f"The facts of {link.salesforce_id} have changed since they were planned with.")
            session.add(row)
            session.flush()
            return to_operation(row)

    def sending(self, operation: Operation, now: datetime) -> None:
        """Commit that the call is being made: from here on its outcome is unknown until it is recorded."""
        with self._write() as session:
            row = session.get_one(OperationRow, operation.id)
            row.attempts, row.sent_at, row.ambiguous, row.next_attempt_at = row.attempts + 1, now, True, None

    def succeed(self, operation: Operation, response: Structure, now: datetime, **changes: Unpack[LinkChanges]) -> None:
        """Record the answer and the facts that follow from it, in one transaction."""
        with self._write() as session:
            row = _close(session, operation, "done", "", now)
            row.response = response
            _learn(session, row, changes, now)

    def fail(self, operation: Operation, error: str, now: datetime, **changes: Unpack[LinkChanges]) -> None:
        """Record that the operation was certainly not carried out and will not be repeated as it is."""
        with self._write() as session:
            row = _close(session, operation, "failed", error, now)
            _learn(session, row, changes, now)

    def postpone(self, operation: Operation, error: str, ambiguous: bool, until: datetime, now: datetime) -> None:
        """Keep the operation open and try the same bytes later."""
        with self._write() as session:
            row = session.get_one(OperationRow, operation.id)
            row.error, row.ambiguous, row.next_attempt_at = error, ambiguous, until
            _learn(session, row, {}, now)

    def history(self, link_id: int) -> list[Structure]:
        """Every operation of a link, oldest first: at, action, outcome, attempts, error, response."""
        query = select(OperationRow).where(OperationRow.link_id == link_id).order_by(col(OperationRow.id))
        with self._read() as session:
            return [to_history(row) for row in session.exec(query)]

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

    def open_operations(self, connection: str) -> int:
        query = select(func.count()).where(OperationRow.connection == connection, OperationRow.state == "open")
        with self._read() as session:
            return int(session.exec(query).one())


def _refuse_second(session: Session, link: Link) -> None:
    query = select(OperationRow.action).where(OperationRow.link_id == link.id, OperationRow.state == "open")
    action = session.exec(query).first()
    if action is not None:
        raise StaleVersion(f"{action} of {link.salesforce_id} is still open.", "It comes first; this is planned again.")


def _close(session: Session, operation: Operation, state: str, error: str, now: datetime) -> OperationRow:
    row = session.get_one(OperationRow, operation.id)
    row.state, row.finished_at, row.error, row.ambiguous = state, now, error, False
    return row


def _learn(session: Session, row: OperationRow, changes: LinkChanges, now: datetime) -> None:
    link = locked_link(session, row.link_id)
    apply(link, changes)
    touch(link, now)
