"""The queue of a fleet on a real server, and the traps of the engine behind it, each by its name."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from procrastinate import exceptions
from sqlalchemy import Engine

from connector.adapters.queue import Look, Timing
from connector.adapters.queue.engine import Queue, digest_of
from tests.fleet.desks import QUICK, Desk, execute, plant, plant_dead, rows, serving
from tests.world import wait_until

pytestmark = pytest.mark.skipif(
    not os.environ.get("CONNECTOR_TEST_POSTGRES"), reason="needs a server: set CONNECTOR_TEST_POSTGRES"
)
ONE, TWO = Look("one", "at-one", "account"), Look("two", "at-two", "account")
JOBS = "SELECT queueing_lock, status::text FROM procrastinate_jobs WHERE task_name = 'look' ORDER BY id"


# the traps


def test_trap_1_a_rescue_with_a_queued_twin_goes_on(server: Engine) -> None:
    """The dead worker's look is finished as failed; put back into the line it would meet its twin there for ever."""
    plant_dead(server, "one", "account")
    plant(server, ONE)
    desk = Desk(heard=["at-one"])
    with serving(server, desk):
        wait_until(lambda: desk.looks_at("one") >= 1, "the twin to be served", 15)
    assert ("rescued", "one") in desk.told
    assert rows(server, JOBS) == []


def test_trap_1_a_rescue_without_a_twin_leaves_it_to_the_next_tick(server: Engine) -> None:
    plant_dead(server, "one", "account")
    desk = Desk(wanted=[ONE])
    with serving(server, desk):
        wait_until(lambda: desk.looks_at("one") >= 1, "the tick to ask anew", 15)
    assert ("rescued", "one") in desk.told


def test_trap_2_no_retry_stands_beside_a_queueing_lock(server: Engine) -> None:
    """A look that fails while its twin waits is over all the same, and neither is left under way."""
    failed = threading.Event()

    def fail(connection: str, lock: str) -> None:
        if not failed.is_set():
            plant(server, ONE)
            failed.set()
            raise RuntimeError("it fails")

    desk = Desk(heard=["at-one"], on_look=fail)
    plant(server, ONE)
    with serving(server, desk):
        wait_until(lambda: desk.looks_at("one") == 2, "the twin to be served", 15)
        wait_until(lambda: rows(server, JOBS) == [], "nothing to be left", 15)


def test_trap_3_the_rescue_waits_for_no_lock(server: Engine) -> None:
    """All slots and the very account are taken: the rescue has neither lock nor slot to wait for."""
    plant_dead(server, "dead", "other account")
    release = threading.Event()
    looks = [Look(f"c{number}", f"at-{number}", f"lock {number}") for number in range(QUICK.concurrency)]
    desk = Desk(wanted=looks, on_look=lambda *_: release.wait(20) and None)
    with serving(server, desk):
        try:
            wait_until(lambda: len(desk.begun) == QUICK.concurrency, "all slots to be taken", 15)
            wait_until(lambda: ("rescued", "dead") in desk.told, "the rescue", 15)
        finally:
            release.set()
    assert rows(server, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'rescue' AND lock IS NOT NULL") == [
        (0,)
    ]


def test_trap_4_a_lock_that_becomes_free_is_found_soon(server: Engine) -> None:
    """Nobody is told that a lock is free; with the engine's own pause each of these would wait five seconds."""
    plant(server, ONE)
    plant(server, TWO)
    with serving(server, desk := Desk(heard=["at-one", "at-two"])):
        wait_until(lambda: len(desk.over) == 2, "both", 15)
    (_, first_over), (_, second_begun) = desk.over[0], desk.begun[1]
    assert desk.begun[1][0] == "two"
    assert second_begun - first_over < 2.0


def test_trap_5_the_end_of_all_sessions_does_not_end_the_queue(server: Engine) -> None:
    """The engine's worker returns without an error then, and a process would end with code 0."""
    desk = Desk(wanted=[ONE])
    with serving(server, desk):
        wait_until(lambda: desk.looks_at("one") >= 1, "a look", 15)
        _end_sessions(server)
        before = desk.looks_at("one")
        wait_until(lambda: desk.looks_at("one") > before + 2, "looks after it", 30)


def test_trap_6_a_forgotten_worker_registers_anew(server: Engine) -> None:
    """While it was paused a new worker took it for dead: what it fetches would break the tables' own rules."""
    desk = Desk(wanted=[ONE])
    with serving(server, desk):
        wait_until(lambda: desk.looks_at("one") >= 1, "a look", 15)
        execute(server, "DELETE FROM procrastinate_workers")
        before = desk.looks_at("one")
        wait_until(lambda: desk.looks_at("one") > before + 1, "looks after it", 30)
        wait_until(lambda: rows(server, "SELECT count(*) FROM procrastinate_workers") == [(2,)], "to be known", 15)


def test_trap_7_the_table_of_jobs_does_not_grow(server: Engine) -> None:
    desk = Desk(wanted=[ONE])
    with serving(server, desk):
        wait_until(lambda: desk.looks_at("one") >= 4, "some looks", 30)
    assert rows(server, "SELECT count(*) FROM procrastinate_jobs WHERE status NOT IN ('todo', 'doing')") == [(0,)]
    # Who was told to stop in the middle may leave a tick behind, which the next one takes.
    assert rows(server, "SELECT count(*) < 4 FROM procrastinate_jobs") == [(True,)]
    assert rows(server, "SELECT count(*) < 12 FROM procrastinate_events") == [(True,)]


def test_trap_8_nobody_pays_for_the_import_but_a_worker() -> None:
    code = (
        "import sys\n"
        "import connector.cli, connector.app, connector.daemon, connector.fleet.worker\n"
        "from connector.adapters.queue import schema\n"
        "from connector.commands import worker\n"
        "assert schema.is_installed()\n"
        "print(sorted(name for name in sys.modules if name in {'procrastinate', 'psycopg_pool', 'croniter'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"


def test_trap_9_a_look_whose_end_could_not_be_written_locks_nobody_out(
    server: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker lives, so that nobody rescues it: it would have the account for ever."""
    desk = Desk(heard=["at-one", "at-two"])
    with serving(server, desk) as queue:
        failed = _fail_first_finish(queue, monkeypatch, psycopg.OperationalError("The connection was reset."))
        plant(server, ONE)
        wait_until(failed.is_set, "the first to fail", 15)
        plant(server, TWO)
        wait_until(lambda: desk.looks_at("two") == 1, "the second", 15)
        wait_until(lambda: rows(server, JOBS) == [], "nothing to be left", 15)
    assert desk.looks_at("one") == 1


def test_trap_9_what_somebody_else_finished_is_not_tried_again(server: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was rescued meanwhile: there is nothing to be finished, and the slot is free at once."""
    desk = Desk(heard=["at-one", "at-two"])
    with serving(server, desk, Timing(1, 0.3, 60.0, rescue=60)) as queue:
        failed = _fail_first_finish(queue, monkeypatch, psycopg.errors.RaiseException("Job was not found."))
        plant(server, ONE)
        wait_until(failed.is_set, "the first to fail", 15)
        plant(server, Look("two", "at-two", "other account"))
        wait_until(lambda: desk.looks_at("two") == 1, "the only slot to be free", 15)
    assert [status for name, status in rows(server, JOBS) if name == "one"] == ["doing"]


def _fail_first_finish(queue: Queue, monkeypatch: pytest.MonkeyPatch, cause: Exception) -> threading.Event:
    """From now on; the event is set once it has failed."""
    wait_until(lambda: _session(queue)._app is not None, "the queue", 15)
    failed, manager = threading.Event(), _session(queue)._looks.app.job_manager
    finish = manager.finish_job

    async def finish_later(*arguments: Any, **named: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise exceptions.ConnectorException from cause
        await finish(*arguments, **named)

    monkeypatch.setattr(manager, "finish_job", finish_later)
    return failed


def _session(queue: Queue) -> Any:
    """Once there is one that works."""
    wait_until(lambda: getattr(queue._session, "_upkeep", None) is not None, "the session", 15)
    return queue._session


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_trap_10_the_ticks_go_on_when_the_clock_is_set(
    server: Engine, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """They would stand still for an hour, or come for each second of it."""
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    desk = Desk(wanted=[ONE])
    with serving(server, desk) as queue:
        wait_until(lambda: desk.ticks >= 2, "ticks", 15)
        before, upkeep = desk.ticks, _session(queue)._upkeep
        ahead[0] = seconds
        wait_until(lambda: _session(queue)._upkeep is not upkeep, "ticks to begin anew", 15)
        wait_until(lambda: desk.ticks > before + 2, "ticks after it", 15)
        again = _session(queue)._upkeep
        wait_until(lambda: desk.ticks > before + 4, "more of them", 15)
        assert _session(queue)._upkeep is again
    assert desk.told == [("connected", "")]


def test_trap_11_no_transaction_stays_open_between_two_messages(server: Engine) -> None:
    """Whoever is paused before its COMMIT keeps the row of the tick, and each other one's ticks wait for it."""
    spoken = (
        "SELECT query FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name LIKE 'connector %' AND pid <> pg_backend_pid()"
    )
    desk, said = Desk(wanted=[ONE], heard=["at-one"]), set[str]()

    def is_done() -> bool:
        said.update(str(query) for (query,) in rows(server, spoken))
        return desk.ticks >= 3 and desk.looks_at("one") >= 2

    with serving(server, desk):
        wait_until(is_done, "ticks and looks", 15)
    assert len(said) > 1
    assert not {query for query in said if query.startswith(("BEGIN", "COMMIT", "ROLLBACK"))}


@pytest.mark.parametrize("name", ["rescue", f"tick-{digest_of('at-one', 'at-two')}"])
def test_trap_12_no_name_of_a_connection_switches_the_upkeep_off(server: Engine, name: str) -> None:
    """A look that waits keeps out whatever else asks under the same name: for ever, where it waits to be rescued."""
    release = threading.Event()
    desk = Desk(wanted=[ONE], heard=["at-one", "at-two"])

    def look(connection: str, lock: str) -> None:
        if connection == "busy":
            release.wait(20)

    desk.on_look = look
    plant(server, Look("busy", "at-two", "busy account"))
    plant(server, Look(name, "at-two", "busy account"))
    plant_dead(server, "dead", "another account")
    with serving(server, desk):
        try:
            wait_until(lambda: ("rescued", "dead") in desk.told, "the rescue", 15)
            wait_until(lambda: desk.looks_at("one") >= 1, "a tick", 15)
            assert desk.looks_at(name) == 0
        finally:
            release.set()


def test_trap_12_what_an_earlier_version_left_in_the_queue_is_taken(server: Engine) -> None:
    """It called its upkeep by names that a connection could have."""
    plant_dead(server, "dead", "account")
    left = "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args) VALUES "
    execute(server, left + "('upkeep', 'rescue', 'rescue', '{\"timestamp\": 1}')")
    desk = Desk(wanted=[ONE])
    with serving(server, desk):
        wait_until(lambda: ("rescued", "dead") in desk.told, "the rescue", 15)
        wait_until(lambda: desk.looks_at("one") >= 2, "looks", 15)
    assert rows(server, "SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = 'rescue'") == []


# what looks are promised


def test_a_fault_in_a_tick_is_told_once_and_ends_no_tick(server: Engine, caplog: pytest.LogCaptureFixture) -> None:
    desk, is_broken = Desk(wanted=[ONE]), True
    due = desk.due

    def fail(busy: Collection[str]) -> Sequence[Look]:
        looks = due(busy)
        if is_broken:
            raise KeyError("one")
        return looks

    desk.due = fail  # type: ignore[method-assign]
    with serving(server, desk):
        wait_until(lambda: desk.ticks > 2, "ticks", 15)
        is_broken = False
        wait_until(lambda: desk.looks_at("one") > 0, "a look", 15)
    told = [line for line in caplog.records if getattr(line, "event", "") == "job_crashed"]
    assert [line.getMessage() for line in told] == ["The queue's tick failed where it must not."]


def test_a_job_put_off_never_holds_up_its_account(server: Engine) -> None:
    """Nothing is scheduled for later: the engine lets nobody with that lock pass it until then."""
    desk = Desk(wanted=[ONE, TWO])
    with serving(server, desk):
        wait_until(lambda: len(desk.begun) >= 6, "looks", 30)
        assert rows(server, "SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at IS NOT NULL") == [(0,)]


def test_one_look_at_a_time_for_each_account(server: Engine) -> None:
    inside: list[int] = [0]
    most: list[int] = [0]
    guard = threading.Lock()

    def look(connection: str, lock: str) -> None:
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.02)
        with guard:
            inside[0] -= 1

    looks = [Look(f"c{number}", f"at-{number}", "account") for number in range(4)]
    desks = [Desk(wanted=looks, on_look=look) for _ in range(2)]
    with ExitStack() as stack:
        for desk in desks:
            stack.enter_context(serving(server, desk))
        wait_until(lambda: sum(len(desk.over) for desk in desks) >= 12, "looks", 60)
    assert most == [1]


def test_who_asks_first_is_first_and_who_asks_again_is_last(server: Engine) -> None:
    """A busy connection that always has more to do takes turns with the others of its account."""
    busy = Look("busy", "at-busy", "account")
    others = [Look(f"c{number}", f"at-{number}", "account") for number in range(3)]
    desk = Desk(heard=[busy.address, *(look.address for look in others)])
    desk.on_look = lambda connection, lock: busy if connection == "busy" else None
    for look in (busy, *others):
        plant(server, look)
    with serving(server, desk, Timing(1, 0.3, 60.0, rescue=60)):
        wait_until(lambda: desk.looks_at("busy") >= 3, "the busy one again", 30)
    assert [name for name, _ in desk.begun][:5] == ["busy", "c0", "c1", "c2", "busy"]


def test_one_tick_for_the_whole_fleet(server: Engine) -> None:
    """However many workers there are, the ledger is asked once a second."""
    desks = [Desk(wanted=[ONE]) for _ in range(3)]
    with ExitStack() as stack:
        for desk in desks:
            stack.enter_context(serving(server, desk))
        wait_until(lambda: sum(desk.ticks for desk in desks) >= 3, "ticks", 30)
        began, before = time.monotonic(), sum(desk.ticks for desk in desks)
        wait_until(lambda: sum(desk.ticks for desk in desks) >= before + 4, "ticks", 30)
        seconds, ticks = time.monotonic() - began, sum(desk.ticks for desk in desks) - before
    assert ticks <= seconds + 2


def test_a_look_is_heard_only_by_who_can_look(server: Engine) -> None:
    knows, knows_not = Desk(wanted=[ONE, TWO]), Desk(wanted=[TWO])
    with serving(server, knows_not), serving(server, knows):
        wait_until(lambda: knows.looks_at("one") >= 3, "looks", 30)
    assert knows_not.looks_at("one") == 0


def test_what_nobody_can_look_at_is_told_and_holds_nobody_up(server: Engine) -> None:
    """Its worker has gone, and it stands first in its account's line."""
    plant(server, Look("unknown", "at-nobody", "account"))
    execute(server, "UPDATE procrastinate_events SET at = now() - interval '1 minute'")
    desk = Desk(wanted=[ONE])
    with serving(server, desk):
        wait_until(lambda: desk.looks_at("one") >= 2, "those behind it", 30)
    assert ("unserved", "unknown") in desk.told


def test_what_the_worker_can_look_at_may_change(server: Engine) -> None:
    desk = Desk(wanted=[ONE])
    with serving(server, desk) as queue:
        wait_until(lambda: desk.looks_at("one") >= 1, "a look", 15)
        desk.wanted = [Look("new", "at-new", "other")]
        queue.readdress()
        wait_until(lambda: desk.looks_at("new") >= 2, "the new one", 15)
        before = desk.looks_at("one")
        wait_until(lambda: desk.looks_at("new") >= 4, "the new one again", 15)
    assert desk.looks_at("one") == before


def test_what_is_not_looked_at_any_more_is_taken_back(server: Engine) -> None:
    """It waits behind a turn of its account, and would keep all others waiting until it is thrown away."""
    release = threading.Event()
    busy, later = Look("busy", "at-busy", "account"), Look("later", "at-busy", "account")
    desk = Desk(heard=["at-busy", "at-one"], on_look=lambda *_: release.wait(20) and None)
    with serving(server, desk, Timing(4, 0.3, 60.0, rescue=60)) as queue:
        try:
            plant(server, busy)
            wait_until(lambda: desk.looks_at("busy") == 1, "a turn", 15)
            plant(server, ONE)
            plant(server, later)
            plant(server, Look("foreign", "at-another", "account"))
            desk.heard = ["at-two"]
            queue.readdress()
            left = [("busy", "doing"), ("foreign", "todo")]
            wait_until(lambda: rows(server, JOBS) == left, "what waited to be gone", 15)
        finally:
            release.set()


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_long_turn_ends_with_its_session(server: Engine, is_whole: bool) -> None:
    """Else the queue would not serve anything else until that connection has nothing to do any more."""
    desk = Desk(heard=["at-one", "at-two"])
    with serving(server, desk, Timing(4, 0.3, 60.0, rescue=60)) as queue:
        session = _session(queue)
        asked = threading.Event()

        def go_on(connection: str, lock: str) -> None:
            wait_until(lambda: queue.is_awaited(lock), "to be asked to end", 15)
            asked.set()

        desk.on_look = go_on
        plant(server, ONE)
        wait_until(lambda: desk.looks_at("one") == 1, "the turn", 15)
        assert not queue.is_awaited(ONE.lock)
        session._soon(session._stop if is_whole else session._looks.stop)
        wait_until(lambda: len(desk.over) == 1, "it to end", 20)
        assert asked.is_set()
        desk.on_look = lambda *_: None
        plant(server, TWO)
        wait_until(lambda: desk.looks_at("two") == 1, "the next session", 15)
    assert desk.told.count(("connected", "")) == 2


def test_an_asked_lock_is_told(server: Engine) -> None:
    told: list[bool] = []
    desk = Desk(heard=["at-one"])
    with serving(server, desk) as queue:
        desk.on_look = lambda connection, lock: told.append(queue.is_awaited(lock))
        plant(server, ONE)
        wait_until(lambda: told == [False], "a look alone", 15)
        desk.on_look = lambda connection, lock: (plant(server, TWO), told.append(queue.is_awaited(lock)))[0]
        plant(server, ONE)
        wait_until(lambda: told == [False, True], "a look with one behind it", 15)


def test_a_long_turn_makes_room_where_nobody_has_time(server: Engine) -> None:
    """Connections alone on their accounts go on as long as they like; not while others find no slot."""
    asked = {"one": False}

    def look(connection: str, lock: str) -> None:
        if connection == "one":
            wait_until(lambda: queue.is_awaited(lock), "somebody to wait", 20)
            asked["one"] = True

    desk = Desk(heard=["at-one", "at-other"], on_look=look)
    with serving(server, desk, Timing(1, 0.3, 60.0, rescue=60)) as queue:
        plant(server, ONE)
        wait_until(lambda: desk.looks_at("one") == 1, "the long one", 15)
        assert not queue.is_awaited("account")
        plant(server, Look("other", "at-other", "other account"))
        wait_until(lambda: desk.looks_at("other") == 1, "the other one", 20)
    assert asked["one"]


def test_who_lives_is_told(server: Engine) -> None:
    named = Timing(4, 0.3, 1.5, rescue=1, name="worker one")
    with serving(server, Desk(wanted=[ONE]), named) as queue:
        wait_until(lambda: queue._session is not None and queue._session._app is not None, "to be there", 15)
        wait_until(lambda: queue.lives("worker one"), "to be seen", 15)
        assert not queue.lives("worker two")


def test_a_worker_that_stops_finishes_what_it_has_and_leaves_nothing_behind(server: Engine) -> None:
    inside, release = threading.Event(), threading.Event()

    def look(connection: str, lock: str) -> None:
        inside.set()
        release.wait(20)

    plant(server, ONE)
    desk = Desk(heard=["at-one"], on_look=look)
    queue = Queue(server, desk, QUICK)
    thread = threading.Thread(target=queue.run)
    thread.start()
    assert inside.wait(15)
    queue.stop()
    plant(server, TWO)
    assert thread.is_alive()
    release.set()
    thread.join(15)
    assert not thread.is_alive()
    assert (desk.looks_at("one"), rows(server, JOBS)) == (1, [("two", "todo")])
    assert rows(server, "SELECT count(*) FROM procrastinate_workers") == [(0,)]


def test_a_queue_that_is_stopped_before_it_begins_ends(server: Engine) -> None:
    queue = Queue(server, Desk(), QUICK)
    queue.stop()
    queue.run()


def test_turns_of_the_same_account_follow_each_other_closely(server: Engine) -> None:
    looks = [Look(f"c{number}", f"at-{number}", "account") for number in range(6)]
    desk = Desk(heard=[look.address for look in looks])
    for look in looks:
        plant(server, look)
    with serving(server, desk):
        wait_until(lambda: len(desk.over) == 6, "all", 30)
    gaps = [after - before for (_, before), (_, after) in pairwise(desk.begun)]
    assert sum(gaps) < 8


def _end_sessions(server: Engine) -> None:
    execute(
        server,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'connector %' AND pid <> pg_backend_pid()",
    )
