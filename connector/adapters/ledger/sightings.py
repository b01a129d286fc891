"""Sightings: what AWS shows of opportunities, ours and others; they keep us from making one twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.nouns import is_among, links_of, touch
from connector.adapters.ledger.rows import LinkRow, SightingRow
from connector.core.model import Structure
from connector.core.selection import is_id, to_id18


class Sightings(Transactions):
    """What ListOpportunities showed. Every public method is one transaction."""

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
            learned = _tell_linked(session, connection, catalog, summaries, now)
            return learned + _tell_unlinked(session, connection, catalog, summaries, now)

    def sighted(self, connection: str, catalog: str, partner_identifier: str) -> str:
        """The AWS opportunity that carries this partner identifier, "" when none was seen."""
        with self._read() as session:
            found = find_sightings(session, connection, catalog, [partner_identifier])
            return found.get(partner_identifier, "")


def find_sightings(session: Session, connection: str, catalog: str, identifiers: Sequence[str]) -> dict[str, str]:
    """Opportunity id by partner identifier; the 15-character form of an id counts as well. The oldest wins."""
    wanted = {form: full for full in identifiers for form in (full, full[:15] if is_id(full) else full)}
    query = select(SightingRow).where(
        SightingRow.connection == connection,
        SightingRow.catalog == catalog,
        is_among(SightingRow.partner_identifier, list(wanted)),
    )
    found: dict[str, str] = {}
    for row in session.exec(query):
        full = wanted[row.partner_identifier]
        found[full] = min(found.get(full, row.opportunity_id), row.opportunity_id, key=_age)
    return found


def _age(opportunity_id: str) -> tuple[int, str]:
    """Sorts opportunity ids as they were given out."""
    return len(opportunity_id), opportunity_id


def _tell_linked(session: Session, connection: str, catalog: str, summaries: Sequence[Structure], now: datetime) -> int:
    by_id = {summary["Id"]: summary for summary in summaries}
    learned = 0
    for row in session.exec(links_of(connection, catalog).where(is_among(LinkRow.opportunity_id, list(by_id)))):
        summary = by_id[row.opportunity_id]
        if not _is_known(summary, row.existing or {}):
            row.existing = {**(row.existing or {}), **summary}
            touch(row, now)
            learned += 1
    return learned


def _is_known(told: Any, known: Any) -> bool:
    """Whether a summary says nothing that is not known; what a whole GetOpportunity says beyond it does not count."""
    if isinstance(told, Mapping) and isinstance(known, Mapping):
        return all(_is_known(value, known.get(name)) for name, value in told.items())
    return bool(told == known)


def _tell_unlinked(
    session: Session, connection: str, catalog: str, summaries: Sequence[Structure], now: datetime
) -> int:
    """A record without an opportunity learns of one at AWS that carries its id."""
    identifiers = [str(summary.get("PartnerOpportunityIdentifier") or "") for summary in summaries]
    ids = sorted({to_id18(identifier) for identifier in identifiers if is_id(identifier)})
    if not ids:
        return 0
    seen = find_sightings(session, connection, catalog, ids)
    learned = 0
    for row in session.exec(links_of(connection, catalog, ids).where(col(LinkRow.opportunity_id) == "")):
        if row.candidate_id != seen.get(row.salesforce_id, row.candidate_id):
            row.candidate_id = seen[row.salesforce_id]
            touch(row, now)
            learned += 1
    return learned
