"""Write-backs: which records do not show in Salesforce what they should, and what became of telling them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import col

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.nouns import links_of, locked_link, to_link
from connector.adapters.ledger.rows import LinkRow
from connector.core.model import Link, Structure


class WriteBacks(Transactions):
    """What Salesforce should show. Every public method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._handed_out: dict[int, datetime | None] = {}

    def write_backs_due(self, connection: str, catalog: str, now: datetime, limit: int) -> list[tuple[Link, str, str]]:
        """(link, rest status, rest message) of links whose record does not show what it should."""
        query = links_of(connection, catalog).where(col(LinkRow.write_back_at) <= now)
        query = query.order_by(col(LinkRow.write_back_at), col(LinkRow.id)).limit(limit)
        with self._read() as session:
            rows = session.exec(query).all()
            self._handed_out.update({row.id: row.write_back_at for row in rows})
            return [(to_link(session, row), row.rest_status, row.rest_message) for row in rows]

    def written(self, results: Mapping[int, tuple[Structure, str, datetime | None]]) -> None:
        """Note write-backs by link id: (values now shown, error or "", when to try again).

        A link that came to another rest while its values were on their way stays due with the new ones.
        """
        with self._write() as session:
            for link_id, (shown, error, again) in results.items():
                row = locked_link(session, link_id)
                row.shown = {**(row.shown or {}), **shown}
                row.write_back_error = error
                if self._handed_out.pop(link_id, row.write_back_at) == row.write_back_at:
                    row.write_back_at = again
