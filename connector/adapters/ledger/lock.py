"""One process owns a ledger at a time. The lock dies with its holder, so nothing is left behind by a crash."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, text

from connector.adapters.ledger.engine import telling_outages
from connector.errors import LedgerUnavailable

_ADVISORY_KEY = 7_361_844_201_533
_LOCK = text("SELECT pg_try_advisory_lock(:key)")
_NAME = text("SELECT set_config('application_name', :name, false)")
_HOLDER = text(
    "SELECT a.application_name, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32 | l.objid::bigint) = :key "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_LONGEST_NAME = 63
"""Characters that PostgreSQL keeps of an application name."""


class LedgerBusy(LedgerUnavailable):
    """Another process owns the ledger; the message says who."""


class LedgerLock:
    """Ownership of the ledger's database while the context is open.

    SQLite: a lock on ``<database>.lock``, which also says who holds it. PostgreSQL: an advisory lock on a session
    of its own, with the holder in ``application_name``. Raises LedgerBusy, or LedgerUnavailable where the database
    cannot be reached or its directory not be written.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: Any = None
        self._connection: Any = None

    def __enter__(self) -> Self:
        if self._engine.dialect.name == "sqlite":
            self._lock_file()
        else:
            with telling_outages():
                self._lock_session()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        if self._connection is not None:
            # The session itself has to end, a pooled one would keep the lock.
            self._connection.invalidate()
            self._connection.close()

    def _lock_file(self) -> None:
        database = self._engine.url.database
        if not database or database == ":memory:":
            return
        path = Path(f"{Path(database).resolve()}.lock")
        try:
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise LedgerUnavailable(
                f"The ledger's lock {path} cannot be written: {error.strerror}.",
                "Create the directory of the database, or let the connector write there.",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read()
            file.close()
            raise _busy(_told(holder)) from error
        file.truncate(0)
        file.write(json.dumps(_holder()))
        file.flush()
        self._file = file

    def _lock_session(self) -> None:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.execute(_LOCK, {"key": _ADVISORY_KEY}).scalar():
            holder = connection.execute(_HOLDER, {"key": _ADVISORY_KEY}).one_or_none()
            connection.close()
            raise _busy(_told_by_session(*holder) if holder is not None else "another process")
        self._connection = connection
        name = "connector process {pid} on {host}".format(**_holder())
        connection.execute(_NAME, {"name": name[:_LONGEST_NAME]})


def _holder() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": _to_text(datetime.now(UTC))}


def _to_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(holder: str) -> str:
    try:
        return "process {pid} on {host}, started {started}".format(**json.loads(holder))
    except (ValueError, KeyError, TypeError):
        return "another process"


def _told_by_session(name: str, started: datetime) -> str:
    return f"{name.removeprefix('connector ') or 'another process'}, started {_to_text(started)}"


def _busy(holder: str) -> LedgerBusy:
    return LedgerBusy(
        f"The ledger is in use by {holder}.",
        "Stop that process first, or give this one a database of its own.",
    )
