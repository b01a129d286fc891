"""Opens the ledger's database and keeps transactions: what cannot be committed was not done, and everybody hears it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlmodel import Session

from connector.errors import ConfigError, LedgerUnavailable


def open_engine(url: str) -> Engine:
    """An engine for the ledger. SQLite gets WAL, durable commits, foreign keys and one writer at a time.

    Raises ConfigError for a URL that names no database this installation can use; nothing is connected yet.
    """
    try:
        parsed = make_url(url)
        if not parsed.drivername.startswith("sqlite"):
            return create_engine(parsed, pool_pre_ping=True)
        engine = create_engine(parsed, connect_args={"timeout": 30, "check_same_thread": False})
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        name = str(url).partition(":")[0]
        raise ConfigError(
            f"The database cannot be opened: {name}:// needs what is not installed, or the URL is wrong.",
            "Write sqlite:///connector.db or postgresql+psycopg://user@host/database, and install its driver.",
        ) from error

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class Transactions:
    """Read and write transactions on one engine. Within a process one write is under way at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = threading.Lock()

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with telling_outages(), Session(self._engine) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        """One transaction. A commit that fails leaves nothing behind and stops all writing."""
        with telling_outages(), self._writing, Session(self._engine, expire_on_commit=False) as session:
            session.connection(execution_options={"writes": True})
            yield session
            session.commit()


@contextmanager
def telling_outages() -> Iterator[None]:
    """Whatever the database refuses becomes LedgerUnavailable, with its own first line as the reason."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(". ")
        message = f"The ledger cannot be used: {reason}."
        raise LedgerUnavailable(message, "Nothing is written to AWS or Salesforce until it can.") from error
