"""What the guards count: creates that wait, creates that were made, links that a changed mapping touches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, exists, func, not_, or_, select, update

from connector.adapters.ledger.audit import Audit, about_id, add_entries
from connector.adapters.ledger.nouns import OPEN, is_among, within
from connector.adapters.ledger.progress import set_value
from connector.adapters.ledger.rows import LINK, OPERATION
from connector.core.audit import Event
from connector.core.model import Mapped, Refusal

_EVER = datetime(9999, 1, 1, tzinfo=UTC)
_NO_PROBLEMS = "[]"


class Guards(Audit):
    """Counts and releases. Every public method is one transaction."""

    def creates_waiting(self, connection: str, catalog: str, besides: Sequence[str]) -> int:
        """Links that wait for their create and have neither problem nor refusal, without those Salesforce ids."""
        query = _waiting(select(func.count()), connection, catalog).where(
            _problems() == _NO_PROBLEMS,
            LINK.c.refusal.is_(None),
            not_(is_among(LINK.c.salesforce_id, besides)),
        )
        with self._read() as reading:
            return int(reading.execute(query).scalar_one())

    def creates_in_doubt(
        self, connection: str, catalog: str, released: Sequence[str], after: str, limit: int
    ) -> list[tuple[str, Mapped, Refusal | None]]:
        """The links that ``creates_waiting`` leaves out and that may yet wait for their create, by Salesforce id.

        Those with a problem or a refusal, which may not stand in the way, and the released ones, which may have
        changed since.
        """
        # An order that no index has, or SQLite would read every link by it instead of those that are open.
        unindexed = LINK.c.salesforce_id.concat("")
        columns = select(LINK.c.salesforce_id, LINK.c.mapped, LINK.c.refusal)
        query = _waiting(columns, connection, catalog).where(
            unindexed > after,
            or_(
                _problems() != _NO_PROBLEMS,
                LINK.c.refusal.is_not(None),
                is_among(LINK.c.salesforce_id, released),
            ),
        )
        with self._read() as reading:
            found = reading.execute(query.order_by(unindexed).limit(limit))
            return [
                (salesforce_id, Mapped.from_json(mapped), None if refusal is None else Refusal.from_json(refusal))
                for salesforce_id, mapped, refusal in found
            ]

    def creates_besides(self, connection: str, moment: datetime, besides: Sequence[str]) -> int:
        """Opportunities created, or about to be, since then; those of these Salesforce ids left out."""
        query = (
            select(func.count())
            .select_from(OPERATION)
            .join(LINK, LINK.c.id == OPERATION.c.link_id)
            .where(
                OPERATION.c.connection == connection,
                OPERATION.c.action == "CreateOpportunity",
                OPERATION.c.state != "failed",
                OPERATION.c.created_at >= moment,
                not_(is_among(LINK.c.salesforce_id, besides)),
            )
        )
        with self._read() as reading:
            return int(reading.execute(query).scalar_one())

    def release(
        self, connection: str, catalog: str, salesforce_ids: Sequence[str], text: str, now: datetime, by: str = ""
    ) -> None:
        """Note what a person (``by``) released, and let advance look at these records now."""
        entries = [about_id(connection, i, Event.RELEASED, now, actor=by or self.actor) for i in salesforce_ids]
        with self._write() as writing:
            set_value(writing, connection, "release", text)
            set_value(writing, connection, "released_at", now.isoformat())
            _wake(writing, connection, catalog, now, salesforce_ids)
            add_entries(writing, entries)

    def wake_waiting(self, connection: str, catalog: str, now: datetime) -> None:
        """Let advance look now at what it would look at later."""
        with self._write() as writing:
            _wake(writing, connection, catalog, now)

    def linked(self, connection: str, catalog: str, salesforce_ids: Sequence[str]) -> dict[str, Mapped]:
        """What is stored of the flagged links among these that have an AWS opportunity, by Salesforce id."""
        columns = select(LINK.c.salesforce_id, LINK.c.mapped)
        query = within(columns, connection, catalog, salesforce_ids).where(
            LINK.c.presence == "flagged", LINK.c.opportunity_id != "", LINK.c.mapped.is_not(None)
        )
        with self._read() as reading:
            return {salesforce_id: Mapped.from_json(mapped) for salesforce_id, mapped in reading.execute(query)}

    def has_linked(self, connection: str, catalog: str, count: int) -> bool:
        """Whether at least that many links have an AWS opportunity."""
        query = within(select(LINK.c.id), connection, catalog).where(LINK.c.opportunity_id > "")
        with self._read() as reading:
            return len(reading.execute(query.limit(count)).all()) >= count

    def catalogs(self, connection: str) -> list[str]:
        """The catalogs that the links of this connection are of."""
        query = select(LINK.c.catalog).where(LINK.c.connection == connection).distinct()
        with self._read() as reading:
            return sorted(reading.execute(query).scalars())


def _waiting(query: Any, connection: str, catalog: str) -> Any:
    """Narrowed to flagged links without an AWS opportunity that advance looks at, now or later.

    Found by ``due_at``, so that the cost grows with what is open: a held record has none. An equation with
    ``opportunity_id`` itself would make SQLite read every link that has no opportunity, held ones included.
    """
    is_open = exists().where(OPERATION.c.link_id == LINK.c.id, OPEN)
    return within(query, connection, catalog).where(
        LINK.c.due_at < _EVER,
        func.length(LINK.c.opportunity_id) == 0,
        LINK.c.candidate_id == "",
        LINK.c.presence == "flagged",
        LINK.c.mapped.is_not(None),
        not_(is_open),
    )


def _problems() -> Any:
    """A link's list of problems as JSON text."""
    return LINK.c.mapped["problems"].as_string()


def _wake(writing: Connection, connection: str, catalog: str, now: datetime, only: Sequence[str] | None = None) -> None:
    """Let advance look at what waits, and void a rest that is being noted at this moment: it was planned before."""
    waiting = (LINK.c.due_at.is_not(None), LINK.c.rest_status.in_(("", "Pending")))
    at_once = {"due_at": case((LINK.c.due_at > now, now), else_=LINK.c.due_at), "revision": LINK.c.revision + 1}
    found = within(select(LINK.c.id), connection, catalog, only).where(*waiting)
    numbers = found.order_by(LINK.c.id).with_for_update(key_share=True)  # the order of all locks
    writing.execute(update(LINK).where(LINK.c.id.in_(numbers), *waiting).values(at_once))
