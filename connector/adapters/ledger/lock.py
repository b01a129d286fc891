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

from connector.errors import LedgerUnavailable

_ADVISORY_KEY = 7_361_844_201_533


class LedgerBusy(LedgerUnavailable):
    """Another process owns the ledger; the message says who."""


class LedgerLock:
    """Ownership of the ledger's database while the context is open.

    SQLite: a lock on ``<database>.lock``, which also says who holds it. PostgreSQL: an advisory lock on a session
    of its own, with the holder in ``application_name``. Raises LedgerBusy.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: Any = None
        self._connection: Any = None

    def __enter__(self) -> Self:
        if self._engine.dialect.name == "sqlite":
            self._lock_file()
        else:
            self._lock_session()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        if self._connection is not None:
            self._connection.close()

    def _lock_file(self) -> None:
        database = self._engine.url.database
        if not database or database == ":memory:":
            return
        self._file = Path(f"{database}.lock").open("a+", encoding="utf-8")  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read()
            self._file.close()
            self._file = None
            raise _busy(_told(holder)) from error
        self._file.truncate(0)
        self._file.write(json.dumps(_holder()))
        self._file.flush()

    def _lock_session(self) -> None:
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        got = self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY}).scalar()
        if not got:
            query = (
                "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                "WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32 | l.objid::bigint) = :key"
            )
            holder = self._connection.execute(text(query), {"key": _ADVISORY_KEY}).scalar()
            self._connection.close()
            self._connection = None
            raise _busy(str(holder or "another process"))
        name = "connector pid {pid} on {host}".format(**_holder())
        self._connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": name[:63]})


def _holder() -> dict[str, Any]:
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": started}


def _told(holder: str) -> str:
    try:
        return "process {pid} on {host}, started {started}".format(**json.loads(holder))
    except (ValueError, KeyError):
        return "another process"


def _busy(holder: str) -> LedgerBusy:
    return LedgerBusy(
        f"The ledger is in use by {holder}.",
        "Stop that process first, or give this one a database of its own.",
    )
