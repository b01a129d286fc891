"""Fences: whoever was replaced commits nothing more, whatever it was about to commit."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest
from ledger_facts import NOW, add, begin, deal
from sqlalchemy import event, text

from connector.adapters.ledger import Ledger, LostFence
from connector.adapters.ledger import fence as fences
from connector.core.model import Link
from connector.errors import TemporaryError
from connector.ports import Begin, Rest

SERVER = pytest.mark.skipif(
    not os.environ.get("CONNECTOR_TEST_POSTGRES"), reason="needs a server: set CONNECTOR_TEST_POSTGRES"
)
ACCOUNT = "111122223333"
OPPORTUNITY = {"Id": "O1", "LastModifiedDate": "2026-11-22T10:00:00Z"}

Write = Callable[[Ledger, Link], object]


def stored(ledger: Ledger) -> Link:
    return ledger.link(add(ledger, deal(1))[0])


def begun(ledger: Ledger) -> Link:
    return begin(ledger, add(ledger, deal(1))[0])


WRITES: dict[str, tuple[bool, Write]] = {
    "begin": (False, lambda ledger, link: begin(ledger, link.id)),
    "sending": (True, lambda ledger, link: ledger.sending(link, NOW)),
    "leaving": (True, lambda ledger, link: ledger.leaving(link, NOW)),
    "succeed, and begin the next": (
        True,
        lambda ledger, link: ledger.succeed(
            link, OPPORTUNITY, NOW, Begin("AssociateOpportunity", {}), opportunity_id="O1"
        ),
    ),
    "fail": (True, lambda ledger, link: ledger.fail(link, "refused", NOW)),
    "postpone": (True, lambda ledger, link: ledger.postpone(link, "later", True, NOW, NOW)),
    "change": (False, lambda ledger, link: ledger.change(link, NOW, candidate_id="O2")),
    "rest": (False, lambda ledger, link: ledger.rest([(link, Rest("Held", "why"))], NOW)),
    "set a watermark": (False, lambda ledger, link: ledger.set_watermark("acme", "pull", "now")),
    "store": (False, lambda ledger, link: ledger.set_presence(*link_key(link), {link.salesforce_id: "deleted"}, NOW)),
    "request": (False, lambda ledger, link: ledger.request("acme", [link.salesforce_id], NOW)),
}


def link_key(link: Link) -> tuple[str, str]:
    return link.connection, link.catalog


@pytest.mark.parametrize("name", WRITES)
def test_a_replaced_worker_commits_nothing(ledger: Ledger, name: str) -> None:
    is_begun, write = WRITES[name]
    link = begun(ledger) if is_begun else stored(ledger)
    paused = ledger.fenced(ledger.take_fence(ACCOUNT, "paused"))
    before = ledger.link(link.id)
    successor = ledger.fenced(ledger.take_fence(ACCOUNT, "successor"))
    with pytest.raises(LostFence, match="taken over"):
        write(paused, link)
    assert (ledger.link(link.id), ledger.watermark("acme", "pull")) == (before, "")
    write(successor, link)


def test_a_fence_is_of_one_account(ledger: Ledger) -> None:
    mine = ledger.fenced(ledger.take_fence(ACCOUNT, "one"))
    ledger.take_fence("444455556666", "two")
    mine.set_watermark("acme", "pull", "now")
    assert ledger.watermark("acme", "pull") == "now"


def test_what_is_only_read_needs_no_fence(ledger: Ledger) -> None:
    paused = ledger.fenced(ledger.take_fence(ACCOUNT, "paused"))
    ledger.take_fence(ACCOUNT, "successor")
    assert paused.watermark("acme", "pull") == ""


def test_each_taking_raises_the_epoch(ledger: Ledger) -> None:
    taken = [ledger.take_fence(ACCOUNT, "one") for _ in range(3)]
    assert [(one.before, one.epoch) for one in taken] == [(0, 1), (1, 2), (2, 3)]


def test_the_pace_is_handed_over(ledger: Ledger) -> None:
    first = ledger.take_fence(ACCOUNT, "one")
    ledger.release_fence(first, 7.5)
    free_in = ledger.take_fence(ACCOUNT, "two").free_in
    assert free_in is not None
    assert 6 < free_in <= 7.5


def test_a_pace_that_is_free_already_holds_nobody_up(ledger: Ledger) -> None:
    ledger.release_fence(ledger.take_fence(ACCOUNT, "one"), 0.0)
    assert ledger.take_fence(ACCOUNT, "two").free_in == 0.0


def test_a_crash_leaves_no_word_of_the_pace(ledger: Ledger) -> None:
    ledger.release_fence(ledger.take_fence(ACCOUNT, "one"), 0.0)
    assert ledger.take_fence(ACCOUNT, "dies").free_in == 0.0
    assert ledger.take_fence(ACCOUNT, "successor").free_in is None


def test_whoever_lost_the_fence_tells_no_pace(ledger: Ledger) -> None:
    paused = ledger.take_fence(ACCOUNT, "paused")
    ledger.take_fence(ACCOUNT, "successor")
    ledger.release_fence(paused, 0.0)
    assert ledger.take_fence(ACCOUNT, "third").free_in is None


def test_two_that_take_at_once_have_two_epochs(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda number: ledger.take_fence(ACCOUNT, f"worker {number}"), range(24)))
    assert sorted(one.epoch for one in taken) == list(range(1, 25))


@SERVER
def test_taking_waits_for_the_commit_under_way(ledger: Ledger) -> None:
    """Who committed before the fence was taken is seen by the successor; there is nothing in between."""
    mine = ledger.fenced(ledger.take_fence(ACCOUNT, "one"))
    with ThreadPoolExecutor(1) as pool:
        with mine._write() as connection:
            connection.execute(text("INSERT INTO watermark (connection, name, value) VALUES ('acme', 'pull', 'now')"))
            taking = pool.submit(ledger.take_fence, ACCOUNT, "two")
            blocked = _wait_until_blocked(ledger)
            assert not taking.done()
        assert taking.result(timeout=10).epoch == 2
    assert blocked
    assert ledger.watermark("acme", "pull") == "now"


@SERVER
def test_a_worker_paused_in_its_transaction_is_cut_off(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server-side transaction would hold the fence for as long as the process sleeps."""
    monkeypatch.setattr(fences, "_CHECK", {"postgresql": text(str(fences._CHECK["postgresql"]).replace("5s", "1s"))})
    paused = ledger.fenced(ledger.take_fence(ACCOUNT, "paused"))
    inside, go_on = threading.Event(), threading.Event()

    def sleep_inside() -> str:
        try:
            with paused._write() as connection:
                connection.execute(text("SELECT 1"))
                inside.set()
                go_on.wait(30)
        except Exception as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(sleep_inside)
        assert inside.wait(10)
        assert ledger.take_fence(ACCOUNT, "successor").epoch == 2
        go_on.set()
        assert "terminating connection" in sleeping.result(timeout=30)


def still_telling(paused: psycopg.Connection) -> None:
    paused.pgconn.enter_pipeline_mode()
    paused.pgconn.send_query_params(b"SELECT 1", None)


def not_yet_listening(paused: psycopg.Connection) -> None:
    paused.pgconn.send_query(b"SELECT repeat('more than any socket keeps ', 1000000)")


@SERVER
@pytest.mark.parametrize("stop", [still_telling, not_yet_listening])
def test_a_worker_paused_in_the_middle_of_a_statement_is_cut_off(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, stop: Callable[[psycopg.Connection], None]
) -> None:
    """Rows travel in packets, both ways. Between two of them it counts as at work, which no time limit ends."""
    monkeypatch.setattr(fences, "_BRIEFLY", text("SELECT set_config('lock_timeout', '1s', true)"))
    monkeypatch.setattr(fences, "IDLE", 0.5)
    fence = ledger.take_fence(ACCOUNT, "paused")
    url = ledger._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(url)) as paused:
        held = "SELECT epoch FROM fence WHERE account = %s AND epoch = %s FOR SHARE"
        assert paused.execute(held, (ACCOUNT, fence.epoch)).fetchone()
        stop(paused)
        paused.pgconn.flush()
        assert ledger.take_fence(ACCOUNT, "successor").epoch == 2


@SERVER
def test_a_worker_paused_with_transactions_that_wait_for_each_other_is_cut_off_at_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would be granted its lock, and all its time to stand still, when the one before it has been ended."""
    monkeypatch.setattr(fences, "_BRIEFLY", text("SELECT set_config('lock_timeout', '1500ms', true)"))
    monkeypatch.setattr(fences, "IDLE", 1.0)
    fence = ledger.take_fence(ACCOUNT, "paused")
    url = ledger._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    held = (
        "SELECT set_config('idle_in_transaction_session_timeout', '1s', true) FROM fence WHERE account = %s FOR SHARE"
    )
    with ExitStack() as stack:
        threads = [stack.enter_context(closing(psycopg.connect(url))) for _ in range(6)]
        for thread in threads:
            assert thread.execute(held, (ACCOUNT,)).fetchone()
            thread.pgconn.send_query(b"SELECT pg_advisory_xact_lock(736185)")
            thread.pgconn.flush()
        assert ledger.take_fence(ACCOUNT, "successor").epoch == fence.epoch + 1
        with ledger._read() as connection:
            assert not connection.exec_driver_sql("SELECT 1 FROM pg_locks WHERE objid = 736185").all()


@SERVER
def test_a_worker_paused_while_it_takes_or_gives_back_is_cut_off(ledger: Ledger) -> None:
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        if "UPDATE fence" in statement:
            seen.append(connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one())

    event.listen(ledger._engine, "before_cursor_execute", note)
    ledger.release_fence(ledger.take_fence(ACCOUNT, "brief"), 1.0)
    event.remove(ledger._engine, "before_cursor_execute", note)
    assert seen == ["5s", "5s"]


@SERVER
def test_taking_does_not_wait_for_ever(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fences, "_BRIEFLY", text("SELECT set_config('lock_timeout', '300ms', true)"))
    busy = ledger.fenced(ledger.take_fence(ACCOUNT, "busy"))
    with busy._write() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(TemporaryError, match="holds the rows"):
            ledger.take_fence(ACCOUNT, "impatient")
    assert ledger.take_fence(ACCOUNT, "again").epoch == 2


def _wait_until_blocked(ledger: Ledger) -> bool:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with ledger._read() as connection:
            if connection.execute(query).scalar_one():
                return True
    return False
