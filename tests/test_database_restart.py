"""The database goes away under a running daemon: nothing is written meanwhile, nothing is lost or doubled, it goes on.

Real processes: PostgreSQL, stopped as if it crashed, and ``connector run``, which is not restarted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from connector.sandbox.partner_central.settings import Settings
from tests import audit, databases, postgres
from tests.daemons import daemon, is_synced, lines_of, stopped
from tests.world import ENVIRONMENT, World, wait_until, world

pytestmark = pytest.mark.skipif(
    not databases.POSTGRES, reason="needs PostgreSQL: CONNECTOR_TEST_POSTGRES, or `make test-postgres`"
)
ONCE = {"CreateOpportunity": 1, "AssociateOpportunity": 1, "StartEngagementFromOpportunityTask": 1}
IN_FLIGHT = 2
"""Calls of the daemon at a time: fewer than the writes that still wait when the database goes away."""
SLOW = Settings(quotas=False, latency=0.05)
"""So that some call is always under way."""


@pytest.fixture(name="server")
def server_fixture() -> Iterator[postgres.Server]:
    with postgres.Server() as server:
        yield server


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose ledger is in a server of its own."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with world(tmp_path, SLOW) as made:
        made.database = server.url
        made.write_config(f"      in_flight: {IN_FLIGHT}\n")
        made.app().close()
        yield made


def restart(server: postgres.Server, meanwhile: Callable[[], None]) -> None:
    server.stop(signal.SIGQUIT)
    meanwhile()
    server.start()


def end_sessions(server: postgres.Server, meanwhile: Callable[[], None]) -> None:
    """All of them, the one that holds the ledger's lock included."""
    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as ours:
        mine = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}"
        wait_until(lambda: len(ours.execute(end).fetchall()) > 1, "the daemon's sessions, to end them")
    meanwhile()


def begun(world: World) -> int:
    """Writes that ever reached AWS."""
    return world.sandbox.service.writes


def is_at_work(world: World, before: int) -> bool:
    return begun(world) > before + 3


def is_under_review(world: World, deal: str) -> bool:
    """Nothing is to come but what AWS says: a submission is read back once more after it is done."""
    return is_synced(world, deal) and world.record(deal)["AWS_Review_Status__c"] == "Submitted"


def failures(world: World) -> int:
    """Jobs that told of trouble, each the first time that it met it."""
    return sum(line.get("event") == "job_failed" for line in lines_of(world))


@pytest.mark.parametrize(
    ("trouble", "is_away"), [(restart, True), (end_sessions, False)], ids=["restart", "all sessions ended"]
)
def test_the_daemon_goes_on_by_itself(
    world: World,
    server: postgres.Server,
    trouble: Callable[[postgres.Server, Callable[[], None]], None],
    is_away: bool,
) -> None:
    deals = [world.opportunity() for _ in range(4)]

    def meanwhile() -> None:
        """New work comes in; what was under way ends, at most one write of each thread, and nothing new begins."""
        before = begun(world)
        deals.extend(world.opportunity() for _ in range(3))
        if is_away:
            wait_until(lambda: failures(world) > 2, "the outage to be told")
            told = failures(world)
            wait_until(lambda: failures(world) > told, "further jobs to meet it")
            assert begun(world) - before <= IN_FLIGHT

    with daemon(world) as process:
        for _ in range(2):
            before = begun(world)
            wait_until(partial(is_at_work, world, before), "the daemon to be at work")
            trouble(server, meanwhile)
        wait_until(lambda: all(is_under_review(world, deal) for deal in deals), "all records to be under review", 60)
        refused = connector(world, "run")
        assert (refused.returncode, f"in use by process {process.pid} " in refused.stderr) == (3, True), refused.stderr
        assert process.poll() is None
        stopped(process)
    assert [dict(world.effects(deal)) for deal in deals] == [ONCE] * len(deals)
    found = audit.always(world, deals) + audit.settled(world, world.context(), [audit.Deal(deal) for deal in deals])
    assert found == []
    events = [line.get("event") for line in lines_of(world)]
    assert "Traceback" not in (world.folder / "daemon.log").read_text(encoding="utf-8")
    if is_away:
        assert "recovered" in events


@pytest.mark.parametrize("hangs", [False, True])
def test_a_second_daemon_that_came_first_makes_the_other_stop(
    world: World, server: postgres.Server, tmp_path: Path, hangs: bool
) -> None:
    """It slept through the restart, as a frozen machine does, and another one was started meanwhile.

    ``hangs``: a call of it is never answered, so that it is cut off in the end.
    """
    deal = world.opportunity()
    with daemon(world) as asleep:
        wait_until(lambda: is_synced(world, deal), "the first record to be synced")
        if hangs:
            before = world.sandbox.faults.fired
            world.sandbox.faults.add(on="ListOpportunities", do="hang", seconds=60.0, times=1)
            wait_until(lambda: world.sandbox.faults.fired > before, "a call that is not answered")
        asleep.send_signal(signal.SIGSTOP)
        restart(server, lambda: None)
        world.write_config()
        first_log = (world.folder / "daemon.log").rename(tmp_path / "first.log")
        with daemon(world) as second:
            later = world.opportunity()
            wait_until(lambda: is_synced(world, later), "the second daemon to work")
            asleep.send_signal(signal.SIGCONT)
            assert asleep.wait(timeout=30) == 3
            told = first_log.read_text(encoding="utf-8")
            assert f"taken over by process {second.pid} on " in told
            assert ("cut_off" in told) is hangs
            newest = world.opportunity()
            wait_until(lambda: is_synced(world, newest), "the second daemon to go on")
            stopped(second)
    assert [dict(world.effects(one)) for one in (deal, later, newest)] == [ONCE] * 3
    assert audit.always(world, [deal, later, newest]) == []


def connector(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config)}
    command = [sys.executable, "-m", "connector", *arguments]
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=60, check=False)
