"""Records: what Salesforce holds, as it was mapped, and whether it is still there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.nouns import TOUCHED, WAITING, in_turn, touched, within
from connector.adapters.ledger.rows import LINK
from connector.adapters.ledger.sightings import find_sightings
from connector.core.model import Mapped, Presence, Structure, fingerprint
from connector.ports import Reasons

_UNTOLD: Mapping[str, datetime] = MappingProxyType({})
_UNKNOWN = Reasons()
_COLUMNS = ("id", "salesforce_id", "name", "presence", "content", "opportunity_id", "candidate_id", "shown")
_KNOWN = select(*(LINK.c[name] for name in _COLUMNS))
_TOUCH = {**{name: bindparam(name) for name in ("name", "shown", "candidate_id")}, **TOUCHED}
_LOOK_AGAIN = (
    update(LINK)
    .where(LINK.c.id == bindparam("link_id"))
    .values({**_TOUCH, "due_at": bindparam("now"), "revision": LINK.c.revision + 1})
)
_FLAGGED_AT: Any = bindparam("flagged_at", type_=LINK.c.flagged_at.type)
_TELL_NEWS = _LOOK_AGAIN.values(
    mapped=bindparam("mapped"),
    content=bindparam("content"),
    presence="flagged",
    flagged_at=func.coalesce(_FLAGGED_AT, LINK.c.flagged_at),
    next_try_at=None,
    attempts=0,
    cause=bindparam("cause"),
)
# Of a link at rest that brought no news nothing follows: who asked would be told as the cause of a later edit.
_UNDER_WAY = or_(*(LINK.c.rest_status == status for status in ("", *WAITING)))
_ASKED = update(LINK).where(LINK.c.id == bindparam("link_id"), _UNDER_WAY).values(asked=bindparam("asked"))


class Records(Transactions):
    """What pull stores. Every public method is one transaction."""

    def store_mapped(
        self,
        connection: str,
        catalog: str,
        records: Sequence[tuple[str, str, Mapped, Structure]],
        now: datetime,
        flagged_at: Mapping[str, datetime] = _UNTOLD,
        reasons: Reasons = _UNKNOWN,
    ) -> int:
        """Store a page of (id, name, mapped, values of our own fields now in Salesforce). Gives how many changed.

        What Salesforce shows of our own fields is no news, but has to be looked at. ``flagged_at`` is since when a
        record is shared that was not before, by id, where Salesforce tells it; else it is since ``now``.
        ``reasons`` are the cause of the writes that follow, see ``ports.Reasons``.
        """
        by_id = {record[0]: record for record in records}
        with self._write() as writing:
            # A record and the opportunity that carries its id may come at the same moment: one must see the other.
            in_turn(writing, "sightings", connection, catalog)
            known = _known(writing, connection, catalog, list(by_id))
            seen = find_sightings(writing, connection, catalog, list(by_id))
            new, told, looked = [], [], []
            for salesforce_id, name, mapped, shown in by_id.values():
                row, values = known.get(salesforce_id), _values(name, mapped, shown)
                values["candidate_id"] = _candidate(row, seen.get(salesforce_id))
                since = min(flagged_at.get(salesforce_id, now), now)
                cause = reasons.causes.get(salesforce_id, "")
                if row is None:
                    key = {"connection": connection, "catalog": catalog, "salesforce_id": salesforce_id}
                    why = {"cause": cause, "asked": reasons.asked.get(salesforce_id)}
                    new.append({**key, "flagged_at": since, **why, **values})
                elif row["content"] != values["content"] or row["presence"] != "flagged":
                    again = None if row["presence"] == "flagged" else since
                    told.append({"link_id": row["id"], "now": now, "flagged_at": again, "cause": cause, **values})
                elif any(row[part] != values[part] for part in ("name", "shown", "candidate_id")):
                    looked.append({"link_id": row["id"], "now": now, **values})
            _insert(writing, new, now)
            asked = [{"link_id": known[i]["id"], "asked": one} for i, one in reasons.asked.items() if i in known]
            for statement, rows in ((_TELL_NEWS, told), (_LOOK_AGAIN, looked), (_ASKED, asked)):
                if rows:
                    writing.execute(statement, rows)
        return len(new) + len(told)

    def set_presence(self, connection: str, catalog: str, presences: Mapping[str, Presence], now: datetime) -> int:
        """Note that records are no longer flagged, or deleted; ids without a link are ignored. Gives how many did."""
        with self._write() as writing:
            known = _known(writing, connection, catalog, list(presences))
            gone = [row for i, row in known.items() if row["presence"] != presences[i]]
            for row in gone:
                changed = {"presence": presences[row["salesforce_id"]], "revision": LINK.c.revision + 1, **touched(now)}
                writing.execute(update(LINK).where(LINK.c.id == row["id"]).values(changed))
        return len(gone)


def _values(name: str, mapped: Mapped, shown: Structure) -> dict[str, Any]:
    # Everything that a new read could change counts, problems and places in the mapping file included.
    stored = mapped.to_json()
    return {"name": name, "mapped": stored, "content": fingerprint(stored), "shown": shown}


def _candidate(row: Mapping[str, Any] | None, seen: str | None) -> str:
    """The opportunity at AWS that carries the record's id and is not linked yet."""
    known = str(row["candidate_id"]) if row is not None else ""
    return known if row is not None and row["opportunity_id"] else seen or known


def _known(
    writing: Connection, connection: str, catalog: str, salesforce_ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    query = within(_KNOWN, connection, catalog, salesforce_ids).order_by(LINK.c.id).with_for_update(key_share=True)
    return {row.salesforce_id: dict(row._mapping) for row in writing.execute(query)}


def _insert(writing: Connection, rows: list[dict[str, Any]], now: datetime) -> None:
    """New links, looked at as soon as possible."""
    if rows:
        empty = {"presence": "flagged", "opportunity_id": "", "submitted": "", "attempts": 0, **TOUCHED}
        writing.execute(insert(LINK), [{**empty, **row, "due_at": now} for row in rows])
