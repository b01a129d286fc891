"""The ledger: what the connector knows, on any SQLAlchemy database. Every public method is one transaction.

Nothing here decides anything; it stores facts, and the three ``*_at`` columns that say who has to look and when.
"""

from __future__ import annotations

from connector.adapters.ledger.guards import Guards
from connector.adapters.ledger.links import Links
from connector.adapters.ledger.operations import Operations
from connector.adapters.ledger.progress import Progress
from connector.adapters.ledger.records import Records
from connector.adapters.ledger.sightings import Sightings
from connector.adapters.ledger.write_backs import WriteBacks


class Ledger(Links, Records, Operations, Sightings, WriteBacks, Progress, Guards):
    """``ports.Ledger``: facts about every connection. Safe to use from several threads."""
