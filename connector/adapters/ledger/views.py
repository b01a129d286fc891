"""Views: what a page shows of many links at once. Reads only what it shows, by index and in pages; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, String, case, cast, func, or_, select, tuple_

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.nouns import within
from connector.adapters.ledger.rows import LINK, OPERATION
from connector.core.model import Invitation, Link, Mapped, Problem, Refusal, Structure, Task

PENDING = ("", "Pending")
"""Both stand for a link that is being looked at, or is going to be."""
_REVIEW = LINK.c.existing[("LifeCycle", "ReviewStatus")].as_string()
_STAGE = LINK.c.existing[("LifeCycle", "Stage")].as_string()
_TASK = LINK.c.task["TaskStatus"].as_string()
_IS_LINKED = case((LINK.c.opportunity_id == "", 0), else_=1)
_STATUS = case((LINK.c.rest_status.in_(PENDING), "Pending"), else_=LINK.c.rest_status)
_BRIEF = select(
    *(LINK.c[name] for name in ("id", "connection", "salesforce_id", "name", "presence", "opportunity_id")),
    *(LINK.c[name] for name in ("rest_message", "changed_at", "due_at", "write_back_error")),
    _STATUS.label("status"),
    _REVIEW.label("review_status"),
    _STAGE.label("stage"),
    _TASK.label("task_status"),
)
_WHY = select(
    *(LINK.c[name] for name in ("id", "revision", "changed_at", "salesforce_id", "name", "rest_message")),
    *(LINK.c[name] for name in ("task", "refusal", "refusals")),
    LINK.c.mapped["problems"].label("problems"),
    LINK.c.mapped["invitations"].label("invitations"),
    _REVIEW.label("review_status"),
)


class Views(Transactions):
    """Looks at many links. Every public method is one transaction that only reads."""

    def numbers(
        self, connection: str, catalog: str, status: str, limit: int, *, below: int | None, above: int | None
    ) -> list[int]:
        """Numbers of the links at rest with this status, the newest first: those below or above a number.

        Of those above it come the nearest, so that a page back is the page that was left.
        """
        query = within(select(LINK.c.id), connection, catalog).where(LINK.c.rest_status == status)
        if above is not None:
            query = query.where(LINK.c.id > above).order_by(LINK.c.id).limit(limit)
        else:
            query = query if below is None else query.where(LINK.c.id < below)
            query = query.order_by(LINK.c.id.desc()).limit(limit)
        found: list[int] = []
        with self._read() as reading:
            # For each code the index has the numbers in their order; of all of them together it would have to sort.
            for code in _codes(reading, connection, catalog, status):
                found += reading.execute(query.where(LINK.c.rest_code == code)).scalars()
        found.sort(reverse=True)
        return found[:limit] if above is None else found[-limit:]

    def numbers_named(
        self, connection: str, catalog: str, words: str, limit: int, *, beyond: int | None = None, back: bool = False
    ) -> list[int]:
        """Numbers of the links whose names contain these words, by name; those beyond that of a number, or before it.

        Letters count in either case as far as the database knows them, and as they were given.
        """
        place = tuple_(LINK.c.name, LINK.c.id)
        query = within(select(LINK.c.id), connection, catalog).where(self._is_like(words))
        with self._read() as reading:
            if beyond is not None:
                name = reading.execute(select(LINK.c.name).where(LINK.c.id == beyond)).scalar() or ""
                query = query.where(place < (name, beyond) if back else place > (name, beyond))
            order = (LINK.c.name.desc(), LINK.c.id.desc()) if back else (LINK.c.name, LINK.c.id)
            found = list(reading.execute(query.order_by(*order).limit(limit)).scalars())
        return found[::-1] if back else found

    def _is_like(self, words: str) -> Any:
        """``name`` contains the words. SQLite knows the cases of plain letters only, so the others are spelled out."""
        if self._engine.dialect.name != "sqlite":
            return LINK.c.name.icontains(words, autoescape=True)
        spelled = (words,) if words.isascii() else dict.fromkeys((words, words.lower(), words.upper(), words.title()))
        return or_(*(LINK.c.name.contains(one, autoescape=True) for one in spelled))

    def brief(self, numbers: Sequence[int]) -> list[Structure]:
        """What a line of a list tells of each of these links, in the order of the numbers; unknown ones are left out.

        ``id``, ``connection``, ``salesforce_id``, ``name``, ``presence``, ``opportunity_id``, ``status`` (of the
        rest, "Pending" for none), ``rest_message``, ``changed_at``, ``due_at``, ``write_back_error``,
        ``review_status``, ``stage`` and ``task_status`` (None where AWS told none).
        """
        if not numbers:
            return []
        with self._read() as reading:
            rows = {row.id: dict(row._mapping) for row in reading.execute(_BRIEF.where(LINK.c.id.in_(numbers)))}
        return [rows[number] for number in numbers if number in rows]

    def crowds(self, connection: str, catalog: str) -> list[Structure]:
        """All links, those that are alike together: how far they are, how many, and their numbers as one text.

        Each has ``status``, ``presence``, ``is_linked``, ``review_status``, ``stage``, ``task_status``, ``count`` and
        ``numbers`` ("3,1,2"). Reads every link of the connection, most of it in the database: not for each request.
        """
        kinds = {
            "status": _STATUS,
            "presence": LINK.c.presence,
            "is_linked": _IS_LINKED,
            "review_status": _REVIEW,
            "stage": _STAGE,
            "task_status": _TASK,
        }
        listed = func.aggregate_strings(cast(LINK.c.id, String), ",").label("numbers")
        columns = select(*(one.label(name) for name, one in kinds.items()), func.count().label("count"), listed)
        with self._read() as reading:
            rows = reading.execute(within(columns, connection, catalog).group_by(*kinds.values()))
            return [dict(row._mapping) for row in rows]

    def held_versions(self, connection: str, catalog: str) -> dict[int, tuple[int, datetime | None]]:
        """(revision, when its state last changed) of each link that waits for a person, by number."""
        columns = select(LINK.c.id, LINK.c.revision, LINK.c.changed_at)
        with self._read() as reading:
            rows = reading.execute(within(columns, connection, catalog).where(LINK.c.rest_status == "Held"))
            return {row.id: (row.revision, row.changed_at) for row in rows}

    def held_because(self, numbers: Sequence[int]) -> list[tuple[Link, str]]:
        """(link, message) of these, with nothing of the link but what says why it waits."""
        with self._read() as reading:
            rows = reading.execute(_WHY.where(LINK.c.id.in_(numbers), LINK.c.rest_status == "Held")).all()
        return [(_to_held(row), row.rest_message) for row in rows]

    def unsettled(self, connection: str, catalog: str) -> list[tuple[str, str, int, int]]:
        """(status, message, how many, one of their numbers) of links that go on by themselves."""
        count = func.count()
        columns = select(_STATUS, LINK.c.rest_message, count, func.min(LINK.c.id))
        statuses = (*PENDING, "In progress")
        query = within(columns, connection, catalog).where(LINK.c.rest_status.in_(statuses))
        with self._read() as reading:
            rows = reading.execute(query.group_by(_STATUS, LINK.c.rest_message).order_by(count.desc()))
            return [(status, message, number, one) for status, message, number, one in rows]

    def writes_between(self, connection: str, edges: Sequence[datetime]) -> list[int]:
        """Calls sent to AWS between each two of these instants that follow each other, repeats counted."""
        with self._read() as reading:
            return [
                int(reading.execute(_writes(connection, since, until)).scalar_one()) for since, until in pairwise(edges)
            ]


def _codes(reading: Connection, connection: str, catalog: str, status: str) -> Iterator[str]:
    """Every code that links with this status have, found by leaps in the index: there are few."""
    query = within(select(func.min(LINK.c.rest_code)), connection, catalog).where(LINK.c.rest_status == status)
    code = reading.execute(query).scalar()
    while code is not None:
        yield code
        code = reading.execute(query.where(LINK.c.rest_code > code)).scalar()


def _writes(connection: str, since: datetime, until: datetime) -> Any:
    here = (OPERATION.c.connection == connection, OPERATION.c.sent_at >= since, OPERATION.c.sent_at < until)
    return select(func.coalesce(func.sum(OPERATION.c.attempts), 0)).where(*here)


def _to_held(row: Any) -> Link:
    problems = tuple(Problem(**problem) for problem in row.problems or ())
    invitations = tuple(map(Invitation.from_json, row.invitations or ()))
    return Link(
        id=row.id,
        revision=row.revision,
        connection="",
        catalog="",
        salesforce_id=row.salesforce_id,
        name=row.name,
        mapped=Mapped({}, problems=problems, invitations=invitations),
        existing={"LifeCycle": {"ReviewStatus": row.review_status or ""}},
        task=None if row.task is None else Task(row.task),
        refusal=None if row.refusal is None else Refusal.from_json(row.refusal),
        refusals={subject: Refusal.from_json(one) for subject, one in (row.refusals or {}).items()},
        changed_at=row.changed_at,
    )
