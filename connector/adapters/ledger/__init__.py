"""The ledger: links, operations and progress in a SQL database (SQLModel, Alembic)."""

from __future__ import annotations

from connector.adapters.ledger.engine import open_engine
from connector.adapters.ledger.fence import Fence, LostFence
from connector.adapters.ledger.lock import LedgerBusy, LedgerLock
from connector.adapters.ledger.looks import Waiting
from connector.adapters.ledger.store import Ledger

__all__ = ["Fence", "Ledger", "LedgerBusy", "LedgerLock", "LostFence", "Waiting", "open_engine"]
