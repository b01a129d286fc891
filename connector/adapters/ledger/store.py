"""The ledger: what the connector knows, in SQLite or PostgreSQL. Every public method is one transaction.

Nothing here decides anything; it stores facts, and the five ``*_at`` columns that say who has to look and when.
"""

from __future__ import annotations

from connector.adapters.ledger.alerts import Alerts
from connector.adapters.ledger.erasure import Erasure
from connector.adapters.ledger.fence import Fences
from connector.adapters.ledger.figures import Figures
from connector.adapters.ledger.guards import Guards
from connector.adapters.ledger.links import Links
from connector.adapters.ledger.looks import Looks
from connector.adapters.ledger.operations import Operations
from connector.adapters.ledger.progress import Progress
from connector.adapters.ledger.records import Records
from connector.adapters.ledger.sightings import Sightings
from connector.adapters.ledger.views import Views
from connector.adapters.ledger.write_backs import WriteBacks


class Ledger(
    Links, Records, Operations, Sightings, WriteBacks, Progress, Guards, Views, Alerts, Figures, Looks, Fences, Erasure
):
    """``ports.Ledger``: facts about every connection. Safe to use from several threads."""
