"""Real workers as people run them: started, refused, told to stop, left without their database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connector.adapters.ledger import schema as ledger_schema
from connector.adapters.queue import schema
from connector.resources import packaged
from tests.fleet_processes import has_postgres
from tests.fleet_world import fleet_world
from tests.world import ENVIRONMENT, World, wait_until

SERVER = pytest.mark.skipif(
    not os.environ.get("CONNECTOR_TEST_POSTGRES"), reason="needs a server: set CONNECTOR_TEST_POSTGRES"
)
OWN_SERVER = pytest.mark.skipif(
    not (has_postgres() and os.environ.get("CONNECTOR_TEST_POSTGRES")),
    reason="needs PostgreSQL's server programs: set CONNECTOR_TEST_POSTGRES where they are",
)
ROOT = Path(__file__).parents[2]
QUICK = "schedule: {pull: 1s, observe: 1s}\nfleet: {turn: 5s, heartbeat: 500ms, dead_after: 3s}\n"


def run(world: World, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connector", *command],
        cwd=world.folder,
        env=_environment(world, environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _environment(world: World, more: dict[str, str]) -> dict[str, str]:
    given = {"CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **ENVIRONMENT, **given, **more}


@contextmanager
def working(world: World, name: str = "worker") -> Iterator[subprocess.Popen[str]]:
    """A worker on a database that has its queue; killed in the end."""
    head = world.config.read_text(encoding="utf-8")
    if "fleet:" not in head:
        world.config.write_text(QUICK + "log: {format: json}\n" + head, encoding="utf-8")
    schema.upgrade(world.app().engine)
    with (world.folder / f"{name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "worker"],
            cwd=world.folder,
            env=_environment(world, {}),
            text=True,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=10)


def events(world: World, name: str = "worker") -> list[str]:
    return [line["event"] for line in lines(world, name)]


def lines(world: World, name: str = "worker") -> list[dict[str, Any]]:
    whole = (world.folder / f"{name}.log").read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def is_synced(world: World, deal: str) -> bool:
    return bool(world.record(deal)["AWS_Sync_Status__c"] == "Synced")


@pytest.mark.sqlite_only
def test_workers_need_a_server(world: World) -> None:
    ran = run(world, "worker")
    assert ran.returncode == 2
    assert "`database` is SQLite" in ran.stderr
    assert "connector run" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.sqlite_only
def test_without_the_extra_the_command_says_what_to_install_and_all_else_works(world: World) -> None:
    """Where Procrastinate is not installed, which a module of that name that cannot be found stands for."""
    (world.folder / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'procrastinate' else find(name, *more)\n",
        encoding="utf-8",
    )
    path = f"{world.folder}:{ROOT}"
    ran = run(world, "worker", PYTHONPATH=path)
    assert ran.returncode == 2
    assert "Install the extra: `pip install '.[fleet]'` in the connector's folder." in ran.stderr
    assert run(world, "db", "upgrade", PYTHONPATH=path).returncode == 0
    assert run(world, "status", PYTHONPATH=path).returncode == 0


@SERVER
def test_a_database_without_the_queue_is_refused_with_the_cure(world: World) -> None:
    ran = run(world, "worker")
    assert ran.returncode == 2
    assert "The database has no queue yet. Run `connector db upgrade`" in ran.stderr
    ran = run(world, "db", "upgrade")
    assert (ran.returncode, ran.stdout) == (0, "The database is upgraded.\n")
    assert run(world, "db", "upgrade").stdout == "The database is up to date.\n"
    schema.require(world.app().engine)


@SERVER
def test_the_queue_s_tables_and_the_ledger_s_do_not_know_each_other(world: World) -> None:
    engine = world.app().engine
    schema.upgrade(engine)
    migrations = packaged("migrations")
    _alembic(engine, migrations, "check")
    _alembic(engine, migrations, "downgrade", "base")
    schema.require(engine)
    assert ledger_schema.upgrade(engine, migrations)
    _alembic(engine, migrations, "check")
    assert not schema.upgrade(engine)


def _alembic(engine: Any, migrations: Path, command: str, *arguments: str) -> None:
    from alembic import command as commands

    getattr(commands, command)(ledger_schema._config(engine, migrations), *arguments)


@SERVER
def test_tables_of_another_application_are_left_alone(world: World) -> None:
    engine = world.app().engine
    schema.upgrade(engine)
    _comment(engine, "")
    ran = run(world, "db", "upgrade")
    assert ran.returncode == 2
    assert "tables of Procrastinate that the connector did not make" in ran.stderr


@SERVER
def test_a_newer_queue_is_refused_and_an_older_one_is_brought_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = world.app().engine
    schema.upgrade(engine)
    newest = max(schema._migrations())
    _comment(engine, "partner-central-connector: migrated to 99.00.00_01")
    assert "was migrated to 99.00.00_01" in run(world, "worker").stderr
    _comment(engine, f"partner-central-connector: migrated to {newest}")
    later = world.folder / "later.sql"
    later.write_text("CREATE TABLE procrastinate_later (percent text DEFAULT '100%s');", encoding="utf-8")
    latest = world.folder / "latest.sql"
    latest.write_text("ALTER TABLE procrastinate_later ADD COLUMN more text;", encoding="utf-8")
    known = {**schema._migrations(), "98.00.00_01": later, "98.00.00_02": latest}
    monkeypatch.setattr(schema, "_migrations", lambda: known)
    assert schema.upgrade(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT percent, more FROM procrastinate_later"))
    assert not schema.upgrade(engine)


def _comment(engine: Any, words: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"COMMENT ON TABLE procrastinate_jobs IS '{words}'"))


@SERVER
def test_a_worker_serves_and_shows_itself_and_stops(world: World) -> None:
    first = world.opportunity()
    with working(world) as process:
        wait_until(lambda: is_synced(world, first), "the first record", 60)
        told = json.loads(run(world, "status", "--json").stdout)
        assert (told["daemon"], told["workers"]) == (True, 1)
        refused = run(world, "run")
        assert refused.returncode == 3
        assert "in use by 1 worker" in refused.stderr
        # A person's wish is left to the workers.
        second = world.opportunity()
        resynced = run(world, "resync", second, "--json")
        assert resynced.returncode == 0, resynced.stderr
        assert json.loads(resynced.stdout)["records"][0]["status"] == "Synced"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    assert events(world)[-1] == "stopped"
    assert not [line for line in lines(world) if line["level"] in {"WARNING", "ERROR"}]
    assert world.effects(first)["CreateOpportunity"] == 1


@SERVER
def test_a_worker_reads_its_files_again_and_refuses_wrong_ones(world: World) -> None:
    with working(world) as process:
        wait_until(lambda: "started" in events(world), "the worker", 60)
        good = world.config.read_text(encoding="utf-8")
        world.config.write_text(good + "nonsense: 1\n", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload_refused" in events(world), "the refusal", 30)
        slower = good.replace("heartbeat: 500ms", "heartbeat: 700ms")
        world.config.write_text(slower + "    limits: {creates_per_day: 7}\n", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in events(world), "the new files", 30)
        told = [line["message"].split()[0] for line in lines(world) if line["event"] == "restart_needed"]
        assert told == ["fleet.heartbeat"]
        deal = world.opportunity()
        wait_until(lambda: is_synced(world, deal), "a record", 60)
        process.terminate()
        assert process.wait(timeout=15) == 0


@SERVER
def test_a_stop_while_aws_hangs_takes_less_than_15_seconds_and_loses_nothing(world: World) -> None:
    deal = world.opportunity()
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do="hang", seconds=60.0)
    with working(world) as process:
        wait_until(lambda: bool(world.at_aws(deal)), "the create", 60)
        began = time.monotonic()
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - began < 15
    assert "cut_off" in events(world)
    with working(world, "second") as process:
        wait_until(lambda: is_synced(world, deal), "the successor to end it", 60)
        process.terminate()
        assert process.wait(timeout=15) == 0
    assert world.effects(deal)["CreateOpportunity"] == 1


@OWN_SERVER
def test_trap_5_a_worker_outlives_its_database(tmp_path: Path) -> None:
    """The engine would end then, with exit code 0, as if it had been told to."""
    with fleet_world(tmp_path, 1, rate=50.0, accounts=1, hurried=True, extra=QUICK) as (world, server):
        world.deal("c00")
        worker = world.start()
        world.wait_until_settled(60)
        server.stop()
        wait_until(lambda: _count(worker, "ledger_out") == 1, "the outage to be told", 60)
        time_left = time.monotonic() + 3
        wait_until(lambda: time.monotonic() > time_left, "some tries", 10)
        assert worker.is_alive
        server.start()
        world.deal("c00")
        world.wait_until_settled(60)
        assert _count(worker, "ledger_back") >= 1
        assert world.judge() == []
        worker.terminate()
        assert worker.process.wait(timeout=15) == 0


@OWN_SERVER
def test_trap_6_a_worker_that_was_paused_writes_nothing_and_takes_part_again(tmp_path: Path) -> None:
    with fleet_world(tmp_path, 2, rate=4.0, accounts=1, hurried=True, extra=QUICK) as (world, _server):
        for name in world.connections:
            for _ in range(4):
                world.deal(name)
        workers = {worker.name: worker for worker in (world.start(), world.start())}
        wait_until(lambda: bool(world.witness.writes), "a write", 60)
        paused = workers.pop(world.witness.writes[0].process)  # one account: the other one may never come to write
        (other,) = workers.values()
        paused.pause()
        world.wait_until_settled(90)
        written = len(world.witness.writes)
        paused.resume()
        world.deal("c00")
        other.terminate()
        assert other.process.wait(timeout=15) == 0
        world.wait_until_settled(60)
        assert len(world.witness.writes) > written
        assert world.judge() == []
        paused.terminate()
        assert paused.process.wait(timeout=15) == 0


def _count(worker: Any, event: str) -> int:
    return sum(line["event"] == event for line in worker.lines())
