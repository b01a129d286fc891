"""Opens the ledger's database and keeps transactions: what cannot be committed was not done, and everybody hears it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from connector.errors import ConfigError, LedgerUnavailable

CONNECTIONS = 40
"""As many as threads may be at work: ``in_flight`` at most, and the jobs."""


def open_engine(url: str) -> Engine:
    """An engine for the ledger. SQLite gets WAL, durable commits, foreign keys and one writer at a time.

    Raises ConfigError for a URL that names no database this installation can use; nothing is connected yet.
    """
    try:
        parsed = make_url(url)
        if not parsed.drivername.startswith("sqlite"):
            return create_engine(parsed, pool_pre_ping=True)
        # Enough connections to keep: opening one costs more than all that is done with it.
        arguments = {"timeout": 30, "check_same_thread": False}
        engine = create_engine(parsed, connect_args=arguments, pool_size=CONNECTIONS)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        name = str(url).partition(":")[0]
        raise ConfigError(
            f"The database cannot be opened: {name}:// needs what is not installed, or the URL is wrong.",
            "Write sqlite:///connector.db or postgresql+psycopg://user@host/database, and install its driver.",
        ) from error

    @event.listens_for(engine, "do_connect")
    def keep_private(_dialect: Any, _record: Any, arguments: list[Any], _named: Any) -> None:
        _make_private(str(arguments[0]))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _make_private(path: str) -> None:
    """A new file is its owner's alone, as are the two that SQLite puts beside it: customers' contacts stand in them."""
    if path and path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):  # it is there already; what else is wrong SQLite tells better
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


class Transactions:
    """Read and write transactions on one engine. Within a process one write is under way at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = threading.Lock()
        self._keeps = engine.dialect.name == "sqlite"  # a server may have closed it meanwhile
        self._kept: Connection | None = None

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with telling_outages(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """One transaction. A commit that fails leaves nothing behind and stops all writing.

        Its connection is kept for the next one: to borrow it each time costs more than what most of them do. One
        that saw trouble is given back, and the next is a fresh one.
        """
        with telling_outages(), self._writing:
            connection, self._kept = self._kept or self._engine.connect(), None
            try:
                with connection.begin():
                    begin_writing(connection)
                    yield connection
            except BaseException:
                connection.close()
                raise
            if self._keeps:
                self._kept = connection
            else:
                connection.close()

    def close(self) -> None:
        """Give back what is kept; whoever writes later gets a connection of its own."""
        with self._writing:
            connection, self._kept = self._kept, None
        if connection is not None:
            connection.close()


def begin_writing(connection: Connection) -> None:
    """Make SQLite begin its transaction, as a writer from the start; a server has begun it already.

    Without it each statement of a SQLite connection is a transaction of its own, which is all that reading needs.
    """
    if connection.dialect.name == "sqlite":
        # To the driver itself: by way of SQLAlchemy it takes longer than many a statement that follows.
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN IMMEDIATE")


@contextmanager
def telling_outages() -> Iterator[None]:
    """Whatever the database refuses becomes LedgerUnavailable, with its own first line as the reason."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(". ")
        message = f"The ledger cannot be used: {reason}."
        raise LedgerUnavailable(message, "Nothing is written to AWS or Salesforce until it can.") from error
