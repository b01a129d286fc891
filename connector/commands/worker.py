"""``connector worker``: one of any number of processes that share the connections of one PostgreSQL database."""

from __future__ import annotations

from queue import SimpleQueue

from connector.adapters.queue import schema
from connector.app import App
from connector.commands.session import DONE


def require() -> None:
    """Raises UserError where the extra is not installed."""
    schema.require_installed()


def work(app: App, log_level: str | None, signals: SimpleQueue[int]) -> int:
    """Serve until SIGTERM; ``signals`` as in ``fleet.process``."""
    from connector.fleet import process

    process.run(app, log_level, signals)
    return DONE


def upgrade(app: App) -> bool:
    """Bring the queue's tables to what is installed here; nothing where the extra or a server is missing."""
    return not app.is_embedded and schema.is_installed() and schema.upgrade(app.engine)
