"""Whoever lost the ledger's lock with its session takes it again before it writes, or writes nothing any more."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from connector.adapters.ledger import Ledger, LedgerBusy, LedgerLock, lock, open_engine
from connector.adapters.ledger import fence as fences
from connector.adapters.ledger.lock import LedgerLost
from connector.errors import LedgerUnavailable
from tests import databases, postgres
from tests.world import wait_until

pytestmark = pytest.mark.skipif(
    not databases.POSTGRES, reason="needs PostgreSQL: CONNECTOR_TEST_POSTGRES, or `make test-postgres`"
)
HELD = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY pid"
)
POOLER = Path("/usr/sbin/pgbouncer")

Open = Callable[[], Engine]


@pytest.fixture(name="opened")
def opened_fixture(engine: Engine) -> Iterator[Open]:
    """Opens the same database as often as is asked, each time as another process would."""
    made: list[Engine] = []

    def another() -> Engine:
        made.append(open_engine(engine.url.render_as_string(False)))
        return made[-1]

    yield another
    for one in made:
        one.dispose()


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a write finds out that the lock is lost."""
    monkeypatch.setattr(lock, "WATCH_EVERY", 600.0)
    monkeypatch.setattr(lock, "_SHORTLY", 0.3)


def end_session(engine: Engine) -> None:
    """End every session that holds the lock, as a restart or an administrator does."""
    with engine.begin() as connection:
        ended = connection.execute(text(f"SELECT pg_terminate_backend(pid, 5000) FROM ({HELD}) AS holder")).all()
    assert ended


def holders(engine: Engine) -> list[int]:
    with engine.begin() as connection:
        return list(connection.execute(text(HELD)).scalars())


@contextmanager
def owning(engine: Engine, **options: Any) -> Iterator[Ledger]:
    with LedgerLock(engine, **options):
        yield Ledger(engine)


@contextmanager
def losing(engine: Engine, **options: Any) -> Iterator[Ledger]:
    """As ``owning``, for an owner that is replaced meanwhile."""
    with pytest.raises(LedgerLost, match=r"taken over by .* had lost its session"), owning(engine, **options) as ledger:
        yield ledger


def refuse(engine: Engine, **options: Any) -> str:
    with pytest.raises(LedgerBusy) as caught, LedgerLock(engine, **options):
        pass
    return str(caught.value)


def test_workers_share_it_and_a_daemon_learns_who_they_are(opened: Open) -> None:
    with ExitStack() as workers:
        for _ in range(5):
            workers.enter_context(owning(opened(), shared=True)).set_watermark("acme", "pull", "1")
        told = refuse(opened())
        assert told.startswith(f"The ledger is in use by 5 workers: process {os.getpid()} on ")
        assert told.count("started") == 3
        assert " and 2 more. Stop that process first" in told
    with owning(opened()) as ledger:
        ledger.set_watermark("acme", "pull", "2")


def test_a_worker_is_refused_beside_a_daemon_and_told_who_it_is(opened: Open) -> None:
    with owning(opened()):
        told = refuse(opened(), shared=True)
    assert told.startswith(f"The ledger is in use by process {os.getpid()} on ")


@pytest.mark.parametrize("shared", [False, True])
def test_a_lost_lock_is_taken_again_before_anything_is_written(opened: Open, unwatched: None, shared: bool) -> None:
    with owning(opened(), shared=shared) as ledger:
        ledger.set_watermark("acme", "pull", "1")
        end_session(opened())
        assert holders(opened()) == []
        ledger.set_watermark("acme", "pull", "2")
        assert len(holders(opened())) == 1
        assert "in use by" in refuse(opened())
    assert holders(opened()) == []


def test_a_session_that_the_server_has_not_missed_yet_is_no_other_owner(opened: Open, unwatched: None) -> None:
    """Cut off twice: the first new session is lost as well, before it could take the lock."""
    engine = opened()
    with owning(engine) as ledger:
        session: Any = engine.get_execution_options()[lock.OWNER]
        before, forgotten = session._pid, session._connection
        session._connection = None

        def cut_off() -> bool:
            session._connection.invalidate()
            raise SQLAlchemyError("cut off")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "_is_taken", cut_off)
            with pytest.raises(SQLAlchemyError, match="cut off"):
                session._retake()
        session._connection = None
        session._retake()
        assert session._pid != before
        assert holders(engine) == [session._pid]
        ledger.set_watermark("acme", "pull", "1")
        forgotten.invalidate()


def test_an_idle_process_takes_it_again_by_itself(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WATCH_EVERY", 0.05)
    with owning(opened()):
        (before,) = holders(opened())
        end_session(opened())
        look = opened()
        wait_until(lambda: holders(look) not in ([], [before]), "the lock to be taken again", 10)
        assert "in use by" in refuse(opened())


def test_who_was_replaced_writes_nothing_more_and_learns_by_whom(opened: Open, unwatched: None) -> None:
    lost = threading.Event()
    first, second = opened(), opened()
    with losing(first, lost=lost.set) as ledger:
        ledger.set_watermark("acme", "pull", "1")
        end_session(opened())
        with owning(second) as other:
            other.set_watermark("acme", "pull", "other")
            for _ in range(2):
                with pytest.raises(LedgerLost, match=f"taken over by process {os.getpid()} on "):
                    ledger.set_watermark("acme", "pull", "2")
            assert lost.is_set()
        # Also when the other one is gone again: it may have gone on with what this one had begun.
        with pytest.raises(LedgerLost):
            ledger.set_watermark("acme", "pull", "3")
        assert ledger.watermark("acme", "pull") == "other"


def test_a_new_owner_that_has_not_written_yet_keeps_the_old_one_out(opened: Open, unwatched: None) -> None:
    with losing(opened()) as ledger:
        ledger.set_watermark("acme", "pull", "1")
        end_session(opened())
        with owning(opened()), pytest.raises(LedgerLost):
            ledger.set_watermark("acme", "pull", "2")


def test_a_daemon_keeps_workers_out_that_lost_it_and_the_other_way_round(opened: Open, unwatched: None) -> None:
    with losing(opened(), shared=True) as worker:
        worker.set_watermark("acme", "pull", "1")
        end_session(opened())
        with owning(opened()) as daemon:
            daemon.set_watermark("acme", "pull", "2")
        with losing(opened()) as daemon:
            daemon.set_watermark("acme", "pull", "3")
            end_session(opened())
            with owning(opened(), shared=True) as another:
                another.set_watermark("acme", "pull", "4")
            with pytest.raises(LedgerLost):
                daemon.set_watermark("acme", "pull", "5")
        with pytest.raises(LedgerLost):
            worker.set_watermark("acme", "pull", "6")
        assert worker.watermark("acme", "pull") == "4"


def test_who_only_looked_takes_nothing(opened: Open, unwatched: None) -> None:
    """`connector show` and `status` ask whether a daemon runs, also in the moment in which it lost its session."""
    with owning(opened()) as ledger:
        ledger.set_watermark("acme", "pull", "1")
        end_session(opened())
        with owning(opened()) as other:
            assert other.watermark("acme", "pull") == "1"
        ledger.set_watermark("acme", "pull", "2")


def test_a_worker_that_begins_beside_one_that_stands_still_writes_and_takes_its_account(
    engine: Engine, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands still keeps the rows of the fences as they are, which a new worker need not change."""
    monkeypatch.setattr(fences, "_BRIEFLY", text("SELECT set_config('lock_timeout', '1s', true)"))
    monkeypatch.setattr(fences, "IDLE", 0.5)
    hurried = open_engine(engine.url.update_query_dict({"options": "-clock_timeout=2s"}).render_as_string(False))
    with owning(opened(), shared=True) as first, first._engine.connect() as still, owning(hurried, shared=True) as new:
        epoch = first.take_fence("111122223333", "first").epoch
        still.execute(text("SELECT epoch FROM fence WHERE account IN ('', '111122223333') FOR SHARE"))
        new.set_watermark("acme", "pull", "1")
        assert new.take_fence("111122223333", "new").epoch == epoch + 1
        still.invalidate()
    hurried.dispose()


def test_workers_that_begin_together_after_a_daemon_raise_the_epoch_once(opened: Open) -> None:
    """And whoever of them comes later takes it as it is."""
    with owning(opened()) as daemon:
        daemon.set_watermark("acme", "pull", "1")
    with ExitStack() as stack:
        workers = [stack.enter_context(owning(opened(), shared=True)) for _ in range(4)]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda one: one.set_watermark("acme", "pull", "2"), workers[:3]))
        workers[3].set_watermark("acme", "pull", "3")
        sessions: list[Any] = [one._engine.get_execution_options()[lock.OWNER] for one in workers]
        assert [session._epoch for session in sessions] == [2] * 4


def test_the_ledger_does_not_change_hands_within_a_transaction(opened: Open, unwatched: None) -> None:
    """Else a write-ahead commit of the old owner could come after the new one had looked at what is open."""
    written = threading.Event()
    with losing(opened()) as ledger:
        ledger.set_watermark("acme", "pull", "1")
        with owning_after_loss(opened, ledger, written) as write_meanwhile:
            with ledger._write() as connection:
                write_meanwhile()
                assert not written.wait(0.3), "the new owner waits for this transaction"
                connection.execute(text("UPDATE watermark SET value = 'begun'"))
            assert written.wait(10)
        with pytest.raises(LedgerLost):
            ledger.set_watermark("acme", "pull", "2")


@contextmanager
def owning_after_loss(opened: Open, ledger: Ledger, written: threading.Event) -> Iterator[Callable[[], None]]:
    """Gives what ends the ledger's session and lets another process own it and write, in a thread."""
    engine, threads = opened(), []
    seen: list[str] = []

    def take_over() -> None:
        with owning(engine) as other:
            other.set_watermark("acme", "seen", "x")
            seen.append(other.watermark("acme", "pull"))
            written.set()

    def begin() -> None:
        end_session(opened())
        threads.append(threading.Thread(target=take_over))
        threads[0].start()

    yield begin
    threads[0].join(10)
    assert seen == ["begun"], "what was committed before stands there for the new owner"


def test_each_schema_of_a_database_has_a_lock_of_its_own(engine: Engine) -> None:
    names = ("one", "two")
    with engine.begin() as connection:
        for name in names:
            connection.execute(text(f"CREATE SCHEMA {name}"))
    urls = [engine.url.update_query_dict({"options": f"-csearch_path={name}"}) for name in names]
    made = [open_engine(url.render_as_string(False)) for url in urls]
    with LedgerLock(made[0]), LedgerLock(made[1]):
        again = open_engine(urls[0].render_as_string(False))
        assert "in use by" in refuse(again)
    for one in made:
        one.dispose()


@pytest.mark.skipif(not POOLER.exists(), reason="needs pgbouncer; run `apt-get install pgbouncer`")
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_that_keeps_no_session_is_refused(engine: Engine, mode: str, tmp_path: Path) -> None:
    port = postgres.free_port()
    target = f"host={engine.url.host} port={engine.url.port} user={engine.url.username}"
    settings = {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "any", "unix_socket_dir": ""}
    lines = [f"{name} = {value}" for name, value in {**settings, "pool_mode": mode}.items()]
    (tmp_path / "pooler.ini").write_text("\n".join(["[databases]", f"* = {target}", "[pgbouncer]", *lines, ""]))
    command = [POOLER, *(["-u", "nobody"] if os.geteuid() == 0 else []), tmp_path / "pooler.ini"]
    pooled = open_engine(engine.url.set(port=port).render_as_string(False))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(pooled), "the pooler to answer", 10)
            if mode == "session":
                with owning(pooled) as ledger:
                    ledger.set_watermark("acme", "pull", "1")
            else:
                with pytest.raises(LedgerUnavailable, match="a pooler gives each transaction another session"):
                    LedgerLock(pooled).__enter__()
        finally:
            pooled.dispose()
            process.kill()


def answers(engine: Engine) -> bool:
    try:
        engine.connect().close()
    except Exception:
        return False
    return True
