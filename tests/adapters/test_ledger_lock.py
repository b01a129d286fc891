"""One process owns a ledger; who is refused learns by whom, and a dead owner is no owner."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.adapters.ledger import LedgerBusy, LedgerLock, open_engine
from connector.errors import LedgerUnavailable

HOLD = """
import sys
from connector.adapters.ledger import LedgerLock, open_engine
with LedgerLock(open_engine(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that owns the ledger until its standard input ends."""
    command = [sys.executable, "-c", HOLD, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def enter(url: str) -> None:
    engine = open_engine(url)
    try:
        with LedgerLock(engine):
            pass
    finally:
        engine.dispose()


def enter_soon(url: str) -> None:
    """PostgreSQL notices a killed client after a moment."""
    deadline = datetime.now(UTC).timestamp() + 10
    while True:
        try:
            return enter(url)
        except LedgerBusy:
            if datetime.now(UTC).timestamp() > deadline:
                raise


def test_a_second_process_is_told_who_owns_the_ledger(empty_url: str) -> None:
    with another_process(empty_url) as owner:
        with pytest.raises(LedgerBusy) as caught:
            enter(empty_url)
        match = re.fullmatch(
            r"The ledger is in use by process (\d+) on (\S+), started (\S+)\. Stop that process first, .*",
            str(caught.value),
        )
        assert match is not None
        assert (int(match[1]), match[2]) == (owner.pid, socket.gethostname())
        assert abs((datetime.now(UTC) - datetime.fromisoformat(match[3])).total_seconds()) < 60
        # Being refused takes nothing from the owner.
        with pytest.raises(LedgerBusy):
            enter(empty_url)


def test_the_lock_dies_with_its_holder(empty_url: str) -> None:
    with another_process(empty_url) as owner:
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait(10)
        enter_soon(empty_url)


def test_a_process_that_ends_gives_the_lock_back(empty_url: str) -> None:
    with another_process(empty_url) as owner:
        assert owner.stdin is not None
        owner.stdin.close()
        assert owner.wait(10) == 0
        enter_soon(empty_url)


def test_leaving_gives_the_lock_back_within_a_process(empty_url: str) -> None:
    engine, other = open_engine(empty_url), open_engine(empty_url)
    with LedgerLock(engine):
        with pytest.raises(LedgerBusy, match=f"process {os.getpid()} "):
            LedgerLock(other).__enter__()
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    enter_soon(empty_url)
    engine.dispose()
    other.dispose()


def test_the_lock_is_given_back_when_the_work_fails(empty_url: str) -> None:
    engine = open_engine(empty_url)
    with pytest.raises(ZeroDivisionError), LedgerLock(engine):
        raise ZeroDivisionError
    enter_soon(empty_url)
    engine.dispose()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.mark.sqlite_only
def test_another_name_of_the_same_file_is_the_same_ledger(url: str, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    with another_process(url), pytest.raises(LedgerBusy):
        enter(f"sqlite:///{tmp_path / 'link.db'}")


@pytest.mark.sqlite_only
def test_another_ledger_is_free(url: str, tmp_path: Path) -> None:
    with another_process(url):
        enter(f"sqlite:///{tmp_path / 'other.db'}")


@pytest.mark.sqlite_only
@pytest.mark.parametrize("left", ["", "{", "[]", '{"pid": 1}'])
def test_what_an_earlier_owner_left_is_no_lock_and_no_nuisance(url: str, tmp_path: Path, left: str) -> None:
    lock = tmp_path / "ledger.db.lock"
    lock.write_text(left)
    enter(url)
    assert f'"pid": {os.getpid()}' in lock.read_text()


@pytest.mark.sqlite_only
def test_an_owner_that_cannot_be_named_is_another_process(url: str, tmp_path: Path) -> None:
    with another_process(url):
        for garbage in ("", "{", "[]", '{"pid": 1}'):
            (tmp_path / "ledger.db.lock").write_text(garbage)
            with pytest.raises(LedgerBusy, match="in use by another process"):
                enter(url)


@pytest.mark.sqlite_only
def test_a_place_where_no_lock_can_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="No such file or directory") as caught:
        enter(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.db'}")
    assert not isinstance(caught.value, LedgerBusy)
