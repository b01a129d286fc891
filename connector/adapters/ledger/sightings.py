"""Sightings: what AWS shows of opportunities, ours and others; they keep us from making one twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, not_, select, update

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.nouns import FORGOTTEN, in_turn, is_among, lock_links, touched, upsert, within
from connector.adapters.ledger.rows import LINK, SIGHTING
from connector.core.diff import is_newer
from connector.core.lifecycle import ReviewStatus, TaskStatus, has_begun
from connector.core.model import Structure
from connector.core.selection import is_id, to_id18

FIRST_REFRESH = timedelta(minutes=10)
"""How long after a submission AWS's own side is read first: until then it has nothing to say."""

_LEARN = update(LINK).where(LINK.c.id == bindparam("link_id"))
_ONE = (SIGHTING.c.connection, SIGHTING.c.catalog, SIGHTING.c.opportunity_id)
_COLUMNS = ("id", "salesforce_id", "opportunity_id", "candidate_id", "existing", "task")
_FACTS = select(*(LINK.c[name] for name in _COLUMNS))


class Sightings(Transactions):
    """What ListOpportunities showed. Every public method is one transaction."""

    def see(self, connection: str, catalog: str, summaries: Sequence[Structure], now: datetime) -> int:
        """Note a page of ListOpportunities summaries. Gives how many links learned something new."""
        if not summaries:
            return 0
        key = (connection, catalog)
        with self._write() as writing:
            in_turn(writing, "sightings", *key)
            _keep(writing, *key, summaries)
            _lock(writing, *key, summaries)
            told = _told_to_linked(writing, *key, summaries)
            found = _candidates_of_unlinked(writing, *key, summaries)
            for status, rows in told.items():
                _learn(writing, "existing", rows, now, **_looks_after(status, now))
            _learn(writing, "candidate_id", found, now)
        return sum(map(len, told.values())) + len(found)

    def sighted(self, connection: str, catalog: str, partner_identifier: str) -> str:
        """The AWS opportunity that carries this partner identifier, "" when none was seen."""
        with self._read() as reading:
            found = find_sightings(reading, connection, catalog, [partner_identifier])
            return found.get(partner_identifier, "")


def _keep(writing: Connection, connection: str, catalog: str, summaries: Sequence[Structure]) -> None:
    """Store who carries which partner identifier, as far as it is new."""
    told = {summary["Id"]: str(summary.get("PartnerOpportunityIdentifier") or "") for summary in summaries}
    told = {opportunity_id: identifier for opportunity_id, identifier in told.items() if identifier}
    here = (SIGHTING.c.connection == connection, SIGHTING.c.catalog == catalog)
    query = select(SIGHTING.c.opportunity_id, SIGHTING.c.partner_identifier).where(
        *here, is_among(SIGHTING.c.opportunity_id, list(told))
    )
    known = {row.opportunity_id: row.partner_identifier for row in writing.execute(query)}
    rows = [
        {"connection": connection, "catalog": catalog, "opportunity_id": i, "partner_identifier": told[i]}
        for i in told
        if known.get(i) != told[i]
    ]
    if rows:
        keeping = upsert(SIGHTING, writing.dialect.name)
        identifier = {"partner_identifier": keeping.excluded.partner_identifier}
        writing.execute(keeping.on_conflict_do_update(index_elements=_ONE, set_=identifier), rows)


def _lock(writing: Connection, connection: str, catalog: str, summaries: Sequence[Structure]) -> None:
    """Lock every link that may learn something, linked or not, before any is changed."""
    if writing.dialect.name == "sqlite":
        return
    numbers = within(select(LINK.c.id), connection, catalog)
    linked = numbers.where(is_among(LINK.c.opportunity_id, [summary["Id"] for summary in summaries]))
    unlinked = numbers.where(is_among(LINK.c.salesforce_id, _records_in(summaries)), LINK.c.opportunity_id == "")
    lock_links(writing, {*writing.execute(linked).scalars(), *writing.execute(unlinked).scalars()})


def _records_in(summaries: Sequence[Structure]) -> list[str]:
    """The Salesforce ids that these summaries carry."""
    identifiers = [str(summary.get("PartnerOpportunityIdentifier") or "") for summary in summaries]
    return sorted({to_id18(identifier) for identifier in identifiers if is_id(identifier)})


def find_sightings(reading: Connection, connection: str, catalog: str, identifiers: Sequence[str]) -> dict[str, str]:
    """Opportunity id by partner identifier; the 15-character form of an id counts as well. The oldest wins."""
    wanted = {form: full for full in identifiers for form in (full, full[:15] if is_id(full) else full)}
    query = select(SIGHTING.c.partner_identifier, SIGHTING.c.opportunity_id).where(
        SIGHTING.c.connection == connection,
        SIGHTING.c.catalog == catalog,
        is_among(SIGHTING.c.partner_identifier, list(wanted)),
    )
    found: dict[str, str] = {}
    for identifier, opportunity_id in reading.execute(query):
        full = wanted[identifier]
        found[full] = min(found.get(full, opportunity_id), opportunity_id, key=_age)
    return found


def _age(opportunity_id: str) -> tuple[int, str]:
    """Sorts opportunity ids as they were given out."""
    return len(opportunity_id), opportunity_id


def _learn(writing: Connection, name: str, values: Mapping[int, Any], now: datetime, **more: Any) -> None:
    """Set one fact of several links, by their numbers."""
    if values:
        columns = {name: bindparam("value"), **more, **touched(now), "revision": LINK.c.revision + 1}
        rows = [{"link_id": link_id, "value": value} for link_id, value in values.items()]
        writing.execute(_LEARN.values(columns), rows)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a summary says of how far an opportunity is: AWS has taken it up, and its task has come to its end."""

    review_status: str
    is_over: bool


def _looks_after(told: _Told, now: datetime) -> dict[str, Any]:
    """Who has to look when at a link of which this was told."""
    looks: dict[str, Any] = {}
    if told.is_over:  # the task of what AWS has taken up has come to its end for good
        looks["poll_at"] = None
    if has_begun(told.review_status):  # a summary is but a part, and AWS's side has more to say
        is_fresh = told.review_status == ReviewStatus.SUBMITTED
        looks["refresh_at"] = now + FIRST_REFRESH if is_fresh else now
    return looks


def _told_to_linked(
    writing: Connection, connection: str, catalog: str, summaries: Sequence[Structure]
) -> dict[_Told, dict[int, Structure]]:
    """What linked records learn: the opportunity as it is now known, by link."""
    by_id = {summary["Id"]: summary for summary in summaries}
    query = within(_FACTS, connection, catalog).where(is_among(LINK.c.opportunity_id, list(by_id)), not_(FORGOTTEN))
    told: dict[_Told, dict[int, Structure]] = {}
    for row in writing.execute(query.with_for_update(key_share=True)):
        summary, existing = by_id[row.opportunity_id], row.existing or {}
        if not is_newer(summary, existing) or _is_known(summary, existing):
            continue
        status = str((summary.get("LifeCycle") or {}).get("ReviewStatus") or "")
        # One that is not known to be over is looked at once more: its end is for the record, though the review is on.
        is_over = has_begun(status) and (row.task or {}).get("TaskStatus") == TaskStatus.COMPLETE
        told.setdefault(_Told(status, is_over), {})[row.id] = {**existing, **summary}
    return told


def _is_known(told: Any, known: Any) -> bool:
    """Whether a summary says nothing that is not known; what a whole GetOpportunity says beyond it does not count."""
    if isinstance(told, Mapping) and isinstance(known, Mapping):
        return all(_is_known(value, known.get(name)) for name, value in told.items())
    return bool(told == known)


def _candidates_of_unlinked(
    writing: Connection, connection: str, catalog: str, summaries: Sequence[Structure]
) -> dict[int, str]:
    """Records without an opportunity learn of one at AWS that carries their id: the opportunity's id, by link."""
    ids = _records_in(summaries)
    if not ids:
        return {}
    seen = find_sightings(writing, connection, catalog, ids)
    query = within(_FACTS, connection, catalog, ids).where(LINK.c.opportunity_id == "", not_(FORGOTTEN))
    return {
        row.id: seen[row.salesforce_id]
        for row in writing.execute(query.with_for_update(key_share=True))
        if row.candidate_id != seen.get(row.salesforce_id, row.candidate_id)
    }
