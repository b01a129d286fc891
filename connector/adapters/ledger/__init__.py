"""The ledger: links, operations and progress in a SQL database (SQLModel, Alembic)."""

from __future__ import annotations

from connector.adapters.ledger.engine import open_engine
from connector.adapters.ledger.lock import LedgerBusy, LedgerLock
from connector.adapters.ledger.store import Ledger

__all__ = ["Ledger", "LedgerBusy", "LedgerLock", "open_engine"]
