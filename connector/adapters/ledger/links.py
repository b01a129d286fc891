"""Links: what the last plan came to, and who has to look at which link, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Boolean, Connection, bindparam, case, exists, func, null, or_, select, update

from connector.adapters.ledger.audit import Audit, about_id, add_entries
from connector.adapters.ledger.nouns import (
    CHUNK,
    LINKS,
    OPEN,
    links_of,
    lock_links,
    mentioning,
    read_link,
    set_facts,
    to_link,
    to_resting,
    touched,
    within,
)
from connector.adapters.ledger.rows import LINK, OPERATION, REQUEST
from connector.core.audit import Event, to_instant
from connector.core.identifiers import is_of_process
from connector.core.model import Link, Structure
from connector.errors import StaleVersion
from connector.ports import LinkChanges, Rest

_STARTED = case((LINK.c.opportunity_id == "", 1), else_=0)
_STATUS = case((LINK.c.rest_status == "", "Pending"), else_=LINK.c.rest_status)

_COLUMNS = ("rest_status", "rest_code", "rest_message", "due_at", "write_back_at")
_KINDS_OF_WORK = ("advance", "tasks", "refresh", "answers", "write_back", "requests")
_HERE = (LINK.c.connection == bindparam("c"), LINK.c.catalog == bindparam("g"))
_LOOKS = (LINK.c.due_at, LINK.c.poll_at, LINK.c.refresh_at, LINK.c.answer_at, LINK.c.write_back_at)
_AWAITING = select(
    *(exists().where(*_HERE, column <= bindparam("now", type_=LINK.c.due_at.type)) for column in _LOOKS),
    exists().where(REQUEST.c.connection == bindparam("c")),
)

_RESTED: dict[str, Any] = {
    **{name: bindparam(name) for name in _COLUMNS},
    "asked": case((bindparam("is_over", type_=Boolean), null()), else_=LINK.c.asked),
}
_REST = (
    update(LINK).where(LINK.c.id == bindparam("link_id"), LINK.c.revision == bindparam("seen_revision")).values(_RESTED)
)
_REST_WITH_NEWS = _REST.values(changed_at=bindparam("changed_at"))


class Links(Audit):
    """Facts about links. Every public method is one transaction."""

    def link(self, link_id: int) -> Link:
        with self._read() as reading:
            return read_link(reading, link_id)

    def find(self, connection: str, catalog: str, identifier: str) -> Link | None:
        """The link of a Salesforce id (18 characters), an AWS opportunity id, or one of a task or an invitation.

        Several links may be in one engagement: then it is the first of them.
        """
        if not identifier:
            return None
        links = links_of(connection, catalog)
        if is_of_process(identifier):
            queries = [links.where(LINK.c.id == mentioning(connection, catalog, identifier))]
        else:
            # One after the other: with OR, SQLite would read every link of the connection.
            queries = [links.where(column == identifier) for column in (LINK.c.salesforce_id, LINK.c.opportunity_id)]
        with self._read() as reading:
            for query in queries:
                row = reading.execute(query).first()
                if row is not None:
                    return to_link(row)
            return None

    def present(self, connection: str, catalog: str, after: str = "", limit: int = 500) -> list[str]:
        """Salesforce ids of links still counted as flagged, in order, for a sweep."""
        query = within(select(LINK.c.salesforce_id), connection, catalog).where(
            LINK.c.presence == "flagged", LINK.c.salesforce_id > after
        )
        with self._read() as reading:
            return list(reading.execute(query.order_by(LINK.c.salesforce_id).limit(limit)).scalars())

    def due(
        self, connection: str, catalog: str, now: datetime, limit: int, only: Sequence[str] | None = None
    ) -> list[int]:
        """Links that advance has to look at: those already at AWS first, so that links are finished before new ones."""
        query = within(select(LINK.c.id), connection, catalog, only).where(LINK.c.due_at <= now)
        with self._read() as reading:
            return list(reading.execute(query.order_by(_STARTED, LINK.c.due_at, LINK.c.id).limit(limit)).scalars())

    def links(self, numbers: Sequence[int]) -> list[Link]:
        """Links by their numbers, in no order; unknown ones are left out."""
        if not numbers:
            return []
        with self._read() as reading:
            return [to_link(row) for row in reading.execute(LINKS.where(LINK.c.id.in_(numbers)))]

    def rest(self, rests: Sequence[tuple[Link, Rest]], now: datetime) -> None:
        """Links come to rest.

        When another job has changed a link's facts meanwhile, the plan is void, and the link stays due instead.
        """
        with self._write() as writing:
            lock_links(writing, [link.id for link, _ in rests])
            for news, statement in ((False, _REST), (True, _REST_WITH_NEWS)):
                values = [_resting(link, rest, now) for link, rest in rests if rest.news == news]
                if values:
                    writing.execute(statement, values)

    def rest_of(self, link_id: int) -> tuple[str, str, datetime | None]:
        """(status, message, when it is looked at again)."""
        query = select(LINK.c.rest_status, LINK.c.rest_message, LINK.c.due_at).where(LINK.c.id == link_id)
        with self._read() as reading:
            status, message, due_at = reading.execute(query).one()
            return status, message, due_at

    def change(
        self, link: Link, now: datetime, *, wake: bool = True, adopted: str = "", **changes: Unpack[LinkChanges]
    ) -> Link:
        """Set facts of a link; advance looks at it again unless ``wake`` is False. Gives the link as it is then.

        ``adopted`` names what of AWS is taken over by that, for the audit trail. Raises StaleVersion when the link is
        no longer as it was seen: look again.
        """
        with self._write() as writing:
            changed = set_facts(writing, link, changes, touched(now) if wake else {}, only_as_seen=True)
            if adopted:
                add_entries(writing, [self._noted(Event.ADOPTED, changed, now, detail=adopted)])
            return changed

    def change_all(self, changes: Sequence[tuple[Link, LinkChanges, bool | Rest]], now: datetime) -> None:
        """Set facts of several links in one transaction, each (link, facts, whether to wake it, or its new rest).

        Links that are no longer as they were seen are left as they are.
        """
        with self._write() as writing:
            lock_links(writing, [link.id for link, *_ in changes])
            for link, facts, then in changes:
                columns = to_resting(then, now) if isinstance(then, Rest) else touched(now) if then else {}
                with suppress(StaleVersion):
                    set_facts(writing, link, facts, columns, only_as_seen=True)

    def wake(
        self, connection: str, catalog: str, salesforce_ids: Sequence[str] | None, now: datetime, by: str = ""
    ) -> list[str]:
        """Clear what holds these links and look again. Gives their Salesforce ids.

        None: every held one, and every one of which Salesforce refused to show something. ``by`` is who asks for it.
        """
        who = by or self.actor
        asked: Structure = {"by": who, "at": to_instant(now), "how": "retry"}
        query = within(select(LINK.c.id, LINK.c.salesforce_id), connection, catalog, salesforce_ids)
        if salesforce_ids is None:
            query = query.where(or_(LINK.c.rest_status == "Held", LINK.c.write_back_error != ""))
        with self._write() as writing:
            found = writing.execute(query.order_by(LINK.c.id)).all()
            chunks = [found[start : start + CHUNK] for start in range(0, len(found), CHUNK)]
            for some in chunks:
                _try_at_once(writing, [number for number, _ in some])
            for some in chunks:
                _wake(writing, [number for number, _ in some], asked if who else None, now)
                entries = [about_id(connection, i, Event.RETRIED, now, actor=who) for _, i in some]
                add_entries(writing, entries)
            return sorted(salesforce_id for _, salesforce_id in found)

    def refused_write_backs(self, connection: str, catalog: str, salesforce_ids: Sequence[str]) -> list[Link]:
        """Those of these links of which Salesforce refused to show something."""
        query = links_of(connection, catalog, salesforce_ids).where(LINK.c.write_back_error != "")
        with self._read() as reading:
            return [to_link(row) for row in reading.execute(query)]

    def polls_due(self, connection: str, catalog: str, now: datetime, limit: int) -> list[Link]:
        """Links whose task has to be looked at, the longest waiting first."""
        return self._due(LINK.c.poll_at, connection, catalog, now, limit)

    def refreshes_due(
        self, connection: str, catalog: str, now: datetime, limit: int, only: Sequence[str] | None = None
    ) -> list[Link]:
        """Links of which AWS's own word has to be read, the longest waiting first."""
        return self._due(LINK.c.refresh_at, connection, catalog, now, limit, only)

    def refreshes_open(self, connection: str, catalog: str) -> int:
        """Links of which AWS's own word is read now and then."""
        query = within(select(func.count()), connection, catalog).where(LINK.c.refresh_at.is_not(None))
        with self._read() as reading:
            return int(reading.execute(query).scalar_one())

    def answers_due(
        self, connection: str, catalog: str, now: datetime, limit: int, only: Sequence[str] | None = None
    ) -> list[Link]:
        """Links with an invitation whose answer has to be looked for, the longest waiting first."""
        return self._due(LINK.c.answer_at, connection, catalog, now, limit, only)

    def _due(
        self,
        column: Any,
        connection: str,
        catalog: str,
        now: datetime,
        limit: int,
        only: Sequence[str] | None = None,
    ) -> list[Link]:
        query = links_of(connection, catalog, only).where(column <= now).order_by(column).limit(limit)
        with self._read() as reading:
            return [to_link(row) for row in reading.execute(query)]

    def awaiting(self, keys: Iterable[tuple[str, str]], now: datetime) -> dict[tuple[str, str], frozenset[str]]:
        """What has to be looked at now, by (connection, catalog): one small query each, which reads only indexes.

        Asked all the time for every connection, so it says only whether there is work, and of which kind.
        """
        with self._read() as reading:
            rows = {key: reading.execute(_AWAITING, {"c": key[0], "g": key[1], "now": now}).one() for key in keys}
        return {
            key: frozenset(kind for kind, found in zip(_KINDS_OF_WORK, row, strict=True) if found)
            for key, row in rows.items()
        }

    def work_due(
        self, connection: str, catalog: str, until: datetime, only: Sequence[str] | None = None
    ) -> dict[str, int]:
        """Links that advance, observe and write back have to look at before ``until``.

        One statement: between two, a link could go from one verb to another and be counted by none.
        """
        columns = {"advance": LINK.c.due_at, "observe": LINK.c.poll_at, "write_back": LINK.c.write_back_at}
        counts = [
            within(select(func.count()), connection, catalog, only).where(column <= until).scalar_subquery().label(name)
            for name, column in columns.items()
        ]
        with self._read() as reading:
            return {name: int(count) for name, count in reading.execute(select(*counts)).one()._asdict().items()}

    def counts(self, connection: str, catalog: str) -> dict[str, int]:
        """Links by rest status; links that are being looked at count as Pending."""
        query = within(select(_STATUS, func.count()), connection, catalog).group_by(_STATUS)
        with self._read() as reading:
            return {str(name): int(count) for name, count in reading.execute(query)}

    def held_links(self, connection: str, catalog: str, after: int = 0, limit: int = 500) -> list[tuple[Link, str]]:
        """(link, message) of links that wait for a person, by number; ``after`` is the last one of the page before."""
        query = links_of(connection, catalog).where(LINK.c.rest_status == "Held", LINK.c.id > after)
        with self._read() as reading:
            rows = reading.execute(query.order_by(LINK.c.id).limit(limit)).all()
            return [(to_link(row), row.rest_message) for row in rows]

    def write_back_errors(self, connection: str, catalog: str) -> list[tuple[str, int, str]]:
        """(what Salesforce refused to show, of how many records, one of their ids), the most frequent first."""
        count = func.count()
        columns = select(LINK.c.write_back_error, count, func.min(LINK.c.salesforce_id))
        query = within(columns, connection, catalog).where(LINK.c.write_back_error != "")
        query = query.group_by(LINK.c.write_back_error).order_by(count.desc(), LINK.c.write_back_error)
        with self._read() as reading:
            return [(error, number, one) for error, number, one in reading.execute(query)]

    def held(self, connection: str, catalog: str, limit: int) -> list[tuple[str, str, str]]:
        """(Salesforce id, name, message) of links that wait for a person."""
        columns = select(LINK.c.salesforce_id, LINK.c.name, LINK.c.rest_message)
        query = within(columns, connection, catalog).where(LINK.c.rest_status == "Held")
        with self._read() as reading:
            return [(i, name, message) for i, name, message in reading.execute(query.order_by(LINK.c.id).limit(limit))]


def _resting(link: Link, rest: Rest, now: datetime) -> dict[str, Any]:
    values = to_resting(rest, now)
    values["is_over"] = "asked" in values
    values.pop("asked", None)
    return {"link_id": link.id, "seen_revision": link.revision, **values}


def _try_at_once(writing: Connection, numbers: Sequence[int]) -> None:
    """What is open of these links; all of it before the first link, as whoever notes how one ended has them."""
    waiting = select(OPERATION.c.id).where(OPERATION.c.link_id.in_(numbers), OPEN).order_by(OPERATION.c.link_id)
    opened = list(writing.execute(waiting.with_for_update()).scalars())
    writing.execute(update(OPERATION).where(OPERATION.c.id.in_(opened)).values(next_attempt_at=None))


def _wake(writing: Connection, numbers: Sequence[int], asked: Structure | None, now: datetime) -> None:
    lock_links(writing, numbers)
    cleared = {
        "refusal": None,
        "refusals": None,
        "submitted": "",
        "attempts": 0,
        "next_try_at": None,
        "write_back_error": "",
        "asked": asked,
        "revision": LINK.c.revision + 1,
        **touched(now),
    }
    writing.execute(update(LINK).where(LINK.c.id.in_(numbers)).values(cleared))
