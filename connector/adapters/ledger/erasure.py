"""Erasure: takes what the ledger knows of a record out of it, but for what keeps it from being made at AWS twice.

Whether a record may be forgotten is decided by who asks; here it is only made sure that nothing of it is under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, bindparam, delete, select, update

from connector.adapters.ledger.audit import Audit, add_entries
from connector.adapters.ledger.engine import telling_outages
from connector.adapters.ledger.nouns import OPEN, read_link
from connector.adapters.ledger.rows import LINK, OPERATION, REQUEST
from connector.core.audit import Event
from connector.core.model import Link, SentInvitation
from connector.errors import StaleVersion

KEPT = frozenset({"id", "revision", "connection", "catalog", "salesforce_id", "presence", "opportunity_id"})
"""What a forgotten link keeps as it is, beside the ids of its invitations. Every other column is emptied."""
PATIENCE = 10_000
"""Milliseconds that readers of an older state are waited for."""
_OF_AN_INVITATION = ("Id", "Arn", "Status")
WORDS = "Forgotten: the ledger keeps its ids only. Flag it again to go on; AWS's opportunity is then taken up again."

_OPEN_ONE = select(OPERATION.c.id).where(OPERATION.c.link_id == bindparam("link_id"), OPEN).with_for_update()
_LOCK = select(LINK.c.presence).where(LINK.c.id == bindparam("link_id")).with_for_update(key_share=True)


class Erasure(Audit):
    """What forgets records. Every public method but ``compact`` is one transaction."""

    def forget(self, link: Link, now: datetime, by: str = "") -> Link:
        """Empty a link, its operations and its requests; gives what is left of it. ``by`` is who wants it.

        Raises StaleVersion while the record is flagged or a write of it has no end yet: then the ledger needs it.
        """
        with self._write() as writing:
            opened = writing.execute(_OPEN_ONE, {"link_id": link.id}).first()
            presence = writing.execute(_LOCK, {"link_id": link.id}).scalar()
            # Read once more, now that nobody else can change it: it may have been flagged and written meanwhile.
            kept = read_link(writing, link.id)
            if opened is not None or kept.operation is not None or presence == "flagged":
                raise StaleVersion(f"{link.salesforce_id} is in use again.", "Look at it with `connector show`.")
            of_it = (OPERATION.c.link_id == link.id, OPERATION.c.state != "open")
            writing.execute(update(OPERATION).where(*of_it).values(body="", intent=None, response=None, error=""))
            asked = (REQUEST.c.connection == link.connection, REQUEST.c.salesforce_id == link.salesforce_id)
            writing.execute(delete(REQUEST).where(*asked))
            writing.execute(update(LINK).where(LINK.c.id == link.id).values(_emptied(kept)))
            forgotten = read_link(writing, link.id)
            add_entries(writing, [self._noted(Event.FORGOTTEN, forgotten, now, by)])
            return forgotten

    def compact(self) -> bool:
        """Take erased bytes out of the files as well: SQLite leaves them until the place is needed.

        Gives whether that was done: not while somebody reads an older state for long, and never on a server, which
        has its own VACUUM. Waits for writers, and lets none in meanwhile.
        """
        if self._engine.dialect.name != "sqlite":
            return False
        with telling_outages(), self._writing, self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("VACUUM")
            driver.execute(f"PRAGMA busy_timeout={PATIENCE}")
            (is_busy, *_) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.invalidate()
            return not is_busy


def _emptied(link: Link) -> Mapping[str, Any]:
    """The columns of a forgotten link: those that are not known here are emptied too."""
    empty = {column.name: _nothing(column) for column in LINK.c if column.name not in KEPT}
    invitations = [_ids_of(sent).to_json() for sent in link.invitations] or None
    rest = {"rest_status": "Stopped", "rest_message": WORDS}
    return {**empty, **rest, "invitations": invitations, "revision": LINK.c.revision + 1}


def _nothing(column: Any) -> Any:
    if column.nullable:
        return None
    return 0 if isinstance(column.type, Integer) else ""


def _ids_of(sent: SentInvitation) -> SentInvitation:
    """What keeps the same partner from being invited twice."""
    facts = {name: sent.facts[name] for name in _OF_AN_INVITATION if name in sent.facts}
    return SentInvitation(sent.key, sent.receiver, sent.engagement_id, facts)
