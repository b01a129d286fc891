"""Opens the ledger's database and keeps transactions: what cannot be committed was not done, and everybody hears it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from connector.adapters.ledger.postgres import DRIVER, open_server, reason_of, told_by_server
from connector.errors import ConfigError, LedgerUnavailable

CONNECTIONS = 40
"""As many as threads may be at work: ``in_flight`` at most, and the jobs."""
FILES = frozenset({"sqlite", "sqlite+pysqlite"})
"""What a URL of SQLite begins with."""
OWNER = "ledger_owner"
"""The option of an engine that holds whoever owns the ledger through it."""


class Owner(Protocol):
    """Whoever owns the ledger; each write transaction asks it first."""

    def admit(self, connection: Connection) -> None:
        """Raises LedgerUnavailable when it is the owner no longer."""
        ...


def open_engine(url: str) -> Engine:
    """An engine for the ledger. SQLite gets WAL, durable commits, foreign keys and one writer at a time.

    Raises ConfigError for a URL that names no database this installation can use; nothing is connected yet.
    """
    name = str(url).partition(":")[0]
    try:
        parsed = make_url(url)
        if parsed.drivername in FILES:
            return _open_file(parsed)
        if parsed.drivername.startswith("postgresql"):
            return open_server(parsed)
    except ImportError as error:
        needed = f"the package {error.name}, which" if error.name else "what"
        raise ConfigError(
            f"The database cannot be opened: {name}:// needs {needed} is not installed.",
            "Install the extra: `pip install '.[postgres]'` in the connector's folder.",
        ) from error
    except (ArgumentError, ValueError) as error:
        raise _unusable("its URL is wrong") from error
    raise _unusable(f"the connector does not use {name}")


def _unusable(reason: str) -> ConfigError:
    return ConfigError(
        f"The database cannot be opened: {reason}.", f"Write sqlite:///connector.db or {DRIVER}://user@host/database."
    )


def _open_file(parsed: URL) -> Engine:
    # Enough connections to keep: opening one costs more than all that is done with it.
    arguments = {"timeout": 30, "check_same_thread": False}
    engine = create_engine(parsed, connect_args=arguments, pool_size=CONNECTIONS, hide_parameters=True)

    @event.listens_for(engine, "do_connect")
    def keep_private(_dialect: Any, _record: Any, arguments: list[Any], _named: Any) -> None:
        _make_private(str(arguments[0]))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        # What is deleted is overwritten at once: customers' contacts stood in it.
        keeping = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON")
        for pragma in (*keeping, "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _make_private(path: str) -> None:
    """A new file is its owner's alone, as are the two that SQLite puts beside it: customers' contacts stand in them."""
    if path and path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):  # it is there already; what else is wrong SQLite tells better
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


class Transactions:
    """Read and write transactions on one engine.

    On SQLite one write of a process is under way at a time, since the database takes one at a time anyhow. A server
    takes many, each in READ COMMITTED: there the row locks and the revisions keep writers apart, and whoever locks
    several rows locks operations before links, and links by their numbers (``nouns.lock_links``). ``actor`` is who
    writes, for the audit trail.
    """

    actor: str = ""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._keeps = engine.dialect.name == "sqlite"  # a server may have closed it meanwhile
        self._writing: Any = threading.Lock() if self._keeps else nullcontext()
        # Each statement of a reader sees what is committed; a server need not be told of a transaction for that.
        self._reading = engine if self._keeps else engine.execution_options(isolation_level="AUTOCOMMIT")
        self._kept: Connection | None = None

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with telling_outages(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """One transaction. A commit that fails leaves nothing behind and stops all writing.

        On SQLite its connection is kept for the next one: to borrow it each time costs more than what most of them
        do. One that saw trouble is given back, and the next is a fresh one.
        """
        with telling_outages(), self._writing:
            connection, self._kept = self._kept or self._engine.connect(), None
            try:
                with connection.begin():
                    begin_writing(connection)
                    admit(self._engine, connection)
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


def admit(engine: Engine, connection: Connection) -> None:
    """Let a write transaction go on only while the ledger is still owned by who owns it through this engine."""
    owner: Owner | None = engine.get_execution_options().get(OWNER)
    if owner is not None:
        owner.admit(connection)


def begin_writing(connection: Connection) -> None:
    """Make SQLite begin its transaction, as a writer from the start; a server has begun it already.

    Without it each statement of a SQLite connection is a transaction of its own, which is all that reading needs.
    """
    if connection.dialect.name == "sqlite":
        # To the driver itself: by way of SQLAlchemy it takes longer than many a statement that follows.
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN IMMEDIATE")


def begin_migrating(connection: Connection) -> None:
    """As ``begin_writing``, for a migration: of two at once the second waits, however long, and finds all done."""
    begin_writing(connection)
    if connection.dialect.name != "sqlite":
        connection.execute(_MIGRATE_ALONE)
        connection.execute(_WAIT_AS_USUAL)


_MIGRATE_ALONE = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('connector migration', 0)) "
    "FROM (SELECT set_config('lock_timeout', '0', true)) AS patient"
)
_WAIT_AS_USUAL = text("SELECT set_config('lock_timeout', '40s', true)")


@contextmanager
def telling_outages() -> Iterator[None]:
    """Whatever the database refuses becomes LedgerUnavailable, with its own first line as the reason.

    What passes by itself, such as two transactions that waited for each other, becomes TemporaryError.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _out(error) from error
    except SQLAlchemyError as error:
        is_file = isinstance(getattr(error, "orig", None), sqlite3.Error)
        raise (_out(error) if is_file else told_by_server(error)) from error


def _out(error: Exception) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"The ledger cannot be used: {reason_of(error)}.", "Nothing is written to AWS or Salesforce until it can."
    )
