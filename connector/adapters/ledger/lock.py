"""One process owns a ledger at a time, or several workers together. The lock dies with its holder.

SQLite: a lock of the operating system on ``<database>.lock``, which also says who holds it. It cannot be lost while its
process lives.

PostgreSQL: an advisory lock on a session of its own, for the schema that holds the ledger; ``application_name`` says
who. A session can be lost without its process: the server restarts, an administrator ends it, a firewall forgets it.
Two things keep a process that lost it from writing beside a new owner:

* An epoch stands in the row ``fence('')``. Whoever owns the ledger raises it before its first write, and every write
  transaction reads it with a share lock, so that it and a take-over exclude each other: once another one has raised
  it, no transaction of ours commits. Workers raise it together, only after somebody else.
* The same statement asks whether our session still holds the lock. If not, the lock is taken anew before the
  transaction goes on. A thread that looks every two seconds does so for a process that has nothing to write.

So a lock that was lost is either taken again, or the ledger has a new owner: then nothing is written any more, and
``lost`` is called. What is left: bytes that go to AWS right after a commit, while the ledger changes hands; the new
owner finds that operation open, and looks it up before it repeats it.

A pooler that hands a session to others after each transaction (pgbouncer's transaction mode) can keep no lock: this is
found out and refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import SQLAlchemyError

from connector.adapters.ledger.engine import OWNER, telling_outages
from connector.adapters.ledger.postgres import open_server
from connector.errors import LedgerUnavailable

_KEYS = "736184, (SELECT (oid::bigint - 2147483648)::int FROM pg_namespace WHERE nspname = current_schema())"
_SAME = (
    "l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 736184 AND l.objid::bigint = "
    "(SELECT (oid::bigint + 2147483648) % 4294967296 FROM pg_namespace WHERE nspname = current_schema()) "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_LOCK = text(f"SELECT pg_try_advisory_lock({_KEYS})")
_LOCK_SHARED = text(f"SELECT pg_try_advisory_lock_shared({_KEYS})")
_UNLOCK = text("SELECT pg_advisory_unlock_all()")
_NAME = text("SELECT set_config('application_name', :name, false)")
_ME = text("SELECT pg_backend_pid()")
_HELD = text(f"SELECT EXISTS (SELECT FROM pg_locks l WHERE {_SAME} AND l.pid = :pid), pg_backend_pid()")
_HOLDERS = text(
    "SELECT a.pid, a.application_name, a.backend_start, l.mode = 'ShareLock' AS is_shared "
    f"FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE {_SAME} ORDER BY a.backend_start, a.pid"
)
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid = ANY(:pids) AND pid <> pg_backend_pid() AND application_name = :name"
)
_HAS_FENCE = text("SELECT to_regclass('fence') IS NOT NULL")
_JOIN = text("SELECT epoch FROM fence WHERE account = '' AND holder = 'workers'")
_CLAIM = text(
    "INSERT INTO fence (account, epoch, holder, taken_at) VALUES ('', 1, :holder, now()) "
    "ON CONFLICT (account) DO UPDATE SET holder = excluded.holder, taken_at = excluded.taken_at, "
    "epoch = fence.epoch + CASE WHEN :shared AND fence.holder = excluded.holder THEN 0 ELSE 1 END RETURNING epoch"
)
_ADMIT = (
    f"SELECT epoch, EXISTS (SELECT FROM pg_locks l WHERE {_SAME} AND l.pid = :pid) "
    "FROM fence WHERE account = '' FOR SHARE"
)
# For the driver itself, since every write asks it.
_ADMIT = _ADMIT.replace("%", "%%").replace(":pid", "%s")
_LONGEST_NAME = 63
"""Characters that PostgreSQL keeps of an application name."""
WATCH_EVERY = 2.0
_SHORTLY = 5.0
"""Seconds for which another one may hold a lock that we lost and not own the ledger: one who only looked, or our own
session, which the server has not missed yet."""
_SHOWN = 3


class LedgerBusy(LedgerUnavailable):
    """Another process owns the ledger; the message says who. ``workers`` is how many share it, 0 for a daemon."""

    workers = 0


class LedgerLost(LedgerBusy):
    """Another process took the ledger over from this one, which had lost its session."""


class LedgerLock:
    """Ownership of the ledger while the context is open; ``shared`` with other workers, and nobody else.

    Raises LedgerBusy, or LedgerUnavailable where the database cannot be reached or its directory not be written.
    ``lost`` is called once when another process took the ledger over; leaving raises LedgerLost then.
    """

    def __init__(self, engine: Engine, *, shared: bool = False, lost: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._shared = shared
        self._tell_lost = lost
        self._file: Any = None
        self._session: _Session | None = None

    def __enter__(self) -> Self:
        if self._engine.dialect.name == "sqlite":
            self._lock_file()
            return self
        self._session = _Session(self._engine, self._shared, self._tell_lost)
        with telling_outages():
            self._session.open()
        self._engine.update_execution_options(**{OWNER: self._session})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        if self._session is None:
            return
        self._engine.update_execution_options(**{OWNER: None})
        self._session.close()
        if kind is None and self._session.lost is not None:
            raise self._session.lost

    @property
    def lost(self) -> LedgerLost | None:
        """Who took the ledger over, if anybody did."""
        return self._session.lost if self._session is not None else None

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
            fcntl.flock(file, (fcntl.LOCK_SH if self._shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read()
            file.close()
            raise _busy(_told(holder)) from error
        file.truncate(0)
        file.write(json.dumps(_holder()))
        file.flush()
        self._file = file


class _Session:
    """The session that holds the lock, and what keeps a process that lost it from writing."""

    def __init__(self, engine: Engine, shared: bool, tell_lost: Callable[[], None]) -> None:
        self._engine = open_server(engine.url, pooled=False)
        self._shared = shared
        self._tell_lost = tell_lost
        self._using = threading.RLock()
        self._connection: Connection | None = None
        self._pid = 0
        self._pids: list[int] = []
        self._epoch: int | None = None
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="ledger-lock", daemon=True)
        self.lost: LedgerLost | None = None

    def open(self) -> None:
        """Take the lock. Raises LedgerBusy, LedgerUnavailable, or what SQLAlchemy raises."""
        try:
            self._connect()
            self._take()
            self._refuse_pooler()
        except BaseException:
            self._disconnect()
            raise
        self._watcher.start()

    def close(self) -> None:
        self._closing.set()
        self._watcher.join(WATCH_EVERY)
        with self._using, suppress(SQLAlchemyError):
            if self._connection is not None:
                self._run(_UNLOCK)  # at once; the server takes a moment to miss a session
            self._disconnect()

    def admit(self, connection: Connection) -> None:
        """Let a write transaction go on, which keeps the ledger from changing hands until its end."""
        if self.lost is not None:
            raise self.lost
        if self._epoch is None and not self._claim():
            return  # of a schema that is still to be made
        found = connection.exec_driver_sql(_ADMIT, (self._pid,)).one_or_none()
        if found is None or found[0] != self._epoch:
            raise self._taken_over()
        if not found[1]:
            self._retake()

    def _claim(self) -> bool:
        """Raise the epoch; only once there is something to write: who merely looks takes nothing from anybody."""
        with self._using:
            if self._epoch is None:
                if not self._run(_HAS_FENCE).scalar_one():
                    return False
                self._epoch = self._join() if self._shared else None
                if self._epoch is None:
                    holder = "workers" if self._shared else "daemon"
                    self._epoch = int(self._run(_CLAIM, holder=holder, shared=self._shared).scalar_one())
            return True

    def _join(self) -> int | None:
        """The epoch that other workers have raised, None where nobody has since somebody else had the ledger.

        Only read: a change would wait for each transaction under way, those of a worker that stands still as well.
        """
        epoch: int | None = self._run(_JOIN).scalar_one_or_none()
        return epoch

    def _retake(self) -> None:
        """Take the lock again on a new session. Raises LedgerLost where another process has it for good."""
        deadline = time.monotonic() + _SHORTLY
        with self._using:
            if self.lost is not None:
                raise self.lost
            if self._is_held():
                return
            self._connect()
            while not self._is_taken():
                # The server may not have missed our own sessions yet.
                self._run(_END, pids=self._pids, name=_session_name())
                if time.monotonic() > deadline:
                    raise self._taken_over()
                self._closing.wait(0.1)
            self._pids = [self._pid]

    def _taken_over(self) -> LedgerLost:
        if self.lost is None:
            with self._using, suppress(SQLAlchemyError):
                if not self._is_held():
                    self._connect()
            by = "another process"
            with self._using, suppress(SQLAlchemyError):
                by = _told_by_sessions([one for one in self._holders() if one.pid != self._pid])
            self.lost = LedgerLost(
                f"The ledger was taken over by {by}, while this process had lost its session with the database.",
                "This one stops. Nothing is lost: the other one goes on with what was begun.",
            )
            self._tell_lost()
        return self.lost

    def _watch(self) -> None:
        while not self._closing.wait(WATCH_EVERY):
            # Where the database is away, whoever writes tells it; another owner is told by ``lost``.
            with suppress(SQLAlchemyError, LedgerUnavailable):
                if not self._is_held():
                    self._retake()

    def _is_held(self) -> bool:
        with self._using:
            if self._connection is None:
                return False  # a new session would be asked about the lock of the one before
            try:
                is_held, pid = self._run(_HELD, pid=self._pid).one()
            except SQLAlchemyError:
                return False
            return bool(is_held and pid == self._pid)

    def _is_taken(self) -> bool:
        return bool(self._run(_LOCK_SHARED if self._shared else _LOCK).scalar())

    def _take(self) -> None:
        if not self._is_taken():
            holders = self._holders()
            raise _busy(_told_by_sessions(holders), sum(bool(one.is_shared) for one in holders))

    def _holders(self) -> Sequence[Row[Any]]:
        holders: Sequence[Row[Any]] = self._run(_HOLDERS).all()
        return holders

    def _run(self, statement: Any, **values: Any) -> Any:
        if self._connection is None:
            self._connect()
        assert self._connection is not None
        return self._connection.execute(statement, values)

    def _connect(self) -> None:
        self._disconnect()
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._run(_NAME, name=_session_name())
        self._pid = int(self._run(_ME).scalar_one())
        self._pids.append(self._pid)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _refuse_pooler(self) -> None:
        """Refuse a session that others are given while we have it."""
        assert self._connection is not None
        driver: Any = self._connection.connection.driver_connection
        if driver.info.backend_pid == self._pid:
            return
        with self._engine.connect() as other, other.begin():
            is_given_away = other.execute(_ME).scalar_one() == self._pid
            if is_given_away or not self._is_held():
                raise LedgerUnavailable(
                    "The ledger's lock cannot be kept: a pooler gives each transaction another session.",
                    "Let `database` name the server itself, or the pooler in its session mode.",
                )


def _session_name() -> str:
    return "connector process {pid} on {host}".format(**_holder())[:_LONGEST_NAME]


def _holder() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": _to_text(datetime.now(UTC))}


def _to_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(holder: str) -> str:
    try:
        return "process {pid} on {host}, started {started}".format(**json.loads(holder))
    except (ValueError, KeyError, TypeError):
        return "another process"


def _told_by_sessions(holders: Sequence[Row[Any]]) -> str:
    """Who holds the lock: the process, or the first few of the workers."""
    told = [f"{_name_of(one)}, started {_to_text(one.backend_start)}" for one in holders]
    if not told:
        return "another process"
    if not holders[0].is_shared:
        return told[0]
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return f"{len(told)} worker{'s' * (len(told) > 1)}: {'; '.join(told[:_SHOWN])}{more}"


def _name_of(holder: Row[Any]) -> str:
    return str(holder.application_name).removeprefix("connector ") or "another process"


def _busy(holder: str, workers: int = 0) -> LedgerBusy:
    busy = LedgerBusy(
        f"The ledger is in use by {holder}.",
        "Stop that process first, or give this one a database of its own.",
    )
    busy.workers = workers
    return busy
