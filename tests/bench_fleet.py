"""A fleet measured: dispatch, empty looks, idle cost, and one account's quota across workers. A part of ``make bench``.

The queue is watched by triggers in the database, so that nothing of the fleet's own code is measured by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psycopg

from tests.bench_connections import APART, RATE, flag_to_task, over
from tests.fleet_processes import cpu_seconds_of
from tests.fleet_world import FleetWorld, fleet_world
from tests.measurement import Measurement
from tests.postgres import Server
from tests.world import wait_until

WORKERS = 3
LOOKING = "schedule: {pull: 10s, observe: 10s}\n"
WATCH = """
CREATE UNLOGGED TABLE watched (
    job bigint PRIMARY KEY, waits boolean, asked timestamptz NOT NULL, begun timestamptz, ended timestamptz);
CREATE UNLOGGED TABLE flood (is_on boolean);
CREATE FUNCTION watch_asked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO watched VALUES (NEW.id, EXISTS (
        SELECT 1 FROM procrastinate_jobs AS other WHERE other.lock = NEW.lock AND other.id <> NEW.id
        AND other.status IN ('todo', 'doing')), clock_timestamp());
    RETURN NULL; END $$;
CREATE FUNCTION watch_begun() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE watched SET begun = clock_timestamp() WHERE job = NEW.id;
    RETURN NULL; END $$;
CREATE FUNCTION watch_ended() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE watched SET ended = clock_timestamp() WHERE job = OLD.id;
    IF EXISTS (SELECT 1 FROM flood) AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = OLD.queueing_lock AND status = 'todo') THEN
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)
        VALUES (OLD.queue_name, OLD.task_name, OLD.priority, OLD.lock, OLD.queueing_lock, OLD.args);
    END IF;
    RETURN NULL; END $$;
CREATE TRIGGER watch_asked AFTER INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.task_name = 'look') EXECUTE FUNCTION watch_asked();
CREATE TRIGGER watch_begun AFTER UPDATE ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.task_name = 'look' AND NEW.status = 'doing') EXECUTE FUNCTION watch_begun();
CREATE TRIGGER watch_ended AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.task_name = 'look') EXECUTE FUNCTION watch_ended();
"""
"""Notes each look's life. While ``flood`` has a row, each look that ends is asked for anew."""


class Watched:
    """The queue's table as the triggers saw it."""

    def __init__(self, server: Server) -> None:
        self._connection = psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True)
        self._connection.execute(WATCH)

    def forget(self) -> None:
        self._ask("DELETE FROM watched RETURNING 1")

    def dispatched(self) -> list[float]:
        """Seconds from asking for a look to its beginning, of those that had no other look before them."""
        rows = self._ask("SELECT extract(epoch FROM begun - asked) FROM watched WHERE begun IS NOT NULL AND NOT waits")
        return sorted(float(row[0]) for row in rows)

    def lasted(self) -> list[float]:
        """Seconds from the beginning of a look to its end."""
        rows = self._ask("SELECT extract(epoch FROM ended - begun) FROM watched WHERE ended IS NOT NULL")
        return sorted(float(row[0]) for row in rows)

    def ended(self) -> int:
        return int(self._ask("SELECT count(*) FROM watched WHERE ended IS NOT NULL")[0][0])

    def flood(self, *, on: bool) -> None:
        self._ask("INSERT INTO flood VALUES (true) RETURNING 1" if on else "DELETE FROM flood RETURNING 1")

    def close(self) -> None:
        self._connection.close()

    def _ask(self, query: str) -> list[Any]:
        return self._connection.execute(query).fetchall()


def measure_fleet(folder: Path, *, quick: bool) -> Iterator[Measurement]:
    """Every part of it."""
    seconds = 15.0 if quick else 60.0
    yield from _measure_dispatch(folder / "dispatch", seconds)
    for size in (50,) if quick else (50, 200):
        yield from _measure_idle(folder / f"idle{size}", size, seconds)
    yield from _measure_flags(folder / "flags", 40 if quick else 160)
    yield from _measure_quota(folder / "quota", 20 if quick else 100)


def _measure_dispatch(folder: Path, seconds: float) -> Iterator[Measurement]:
    # An account each: who waits for another look of its account is not waiting for the queue.
    with fleet_world(folder, 50, rate=5.0, accounts=50, extra=LOOKING) as (world, server):
        _start(world)
        watched = Watched(server)
        watched.forget()
        time.sleep(seconds)
        took, lasted = watched.dispatched(), watched.lasted()
        of = f"{len(took)} looks of 50 connections, {WORKERS} workers; from the commit that asks to the one that begins"
        yield from _spread("fleet", "dispatch of a look", took, of)
        yield Measurement("fleet", "a look with one pull or observe", median(lasted) * 1000, "ms", "median of the same")
        yield from _measure_throughput(watched, seconds / 2)
        watched.close()


def _measure_throughput(watched: Watched, seconds: float) -> Iterator[Measurement]:
    """Looks that find nothing: each connection is asked for again as soon as its look is over."""
    watched.flood(on=True)
    time.sleep(5)
    watched.forget()
    ended, took = over(watched.ended, seconds)
    lasted = watched.lasted()
    watched.flood(on=False)
    how = f"{WORKERS} workers, 50 connections, over {took:.0f} s; all on the same cores"
    yield Measurement("fleet", "looks in a second, nothing to do", ended / took, "1/s", how)
    yield Measurement("fleet", "a look with nothing to do", median(lasted) * 1000, "ms", "median, from begun to ended")


def _spread(part: str, name: str, values: Sequence[float], how: str) -> Iterator[Measurement]:
    p95 = quantiles(values, n=20)[-1]
    for label, value in (("p50", median(values)), ("p95", p95), ("max", max(values))):
        yield Measurement(part, f"{name}, {label}", value * 1000, "ms", how)


def _start(world: FleetWorld) -> None:
    """Workers, and the first record of each connection done."""
    for _ in range(WORKERS):
        world.start()
    first = [world.deal(name) for name in world.connections]
    wait_until(lambda: all(map(world.is_synced, first)), "the first records", 300)


def _measure_idle(folder: Path, size: int, seconds: float) -> Iterator[Measurement]:
    with fleet_world(folder, size, rate=5.0) as (world, server):
        _start(world)
        time.sleep(3)
        spent, took = over(lambda: sum(worker.cpu_seconds() for worker in world.alive), seconds)
        memory = sum(worker.memory() for worker in world.alive) / WORKERS
        how = f"{WORKERS} workers together over {took:.0f} s, schedule as shipped; one settled record each"
        yield Measurement("fleet", f"CPU of all workers, {size} idle connections", spent / took * 1000, "ms/s", how)
        yield Measurement("fleet", f"memory of a worker, {size} idle connections", memory / 2**20, "MiB", "resident")
        spent, took = over(lambda: _cpu_seconds_of_all(server), seconds / 2)
        yield Measurement("fleet", f"CPU of PostgreSQL, {size} idle connections", spent / took * 1000, "ms/s", how)


def _cpu_seconds_of_all(server: Server) -> float:
    """What the server's processes have taken so far, but for those of sessions that are over."""
    pid = int((server.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return sum(map(cpu_seconds_of, (pid, *map(int, children.split()))))


def _measure_flags(folder: Path, flags: int) -> Iterator[Measurement]:
    """From flag to task, in a fleet and in a daemon on the same kind of database, one after the other."""
    extra = "schedule: {pull: 1s, observe: 2s}\n"
    with fleet_world(folder, 2, rate=RATE, accounts=2, extra=extra) as (world, _):
        _start(world)
        fleet = flag_to_task(world, flags)
    with fleet_world(folder.with_name("flags-daemon"), 2, rate=RATE, accounts=2, extra=extra) as (world, _):
        world.start("run")
        first = [world.deal(name) for name in world.connections]
        wait_until(lambda: all(map(world.is_synced, first)), "the first records", 60)
        daemon = flag_to_task(world, flags)
    how = f"{flags} flags, one every {APART} s; pull 1 s, {RATE:.0f} writes/s, on PostgreSQL; median"
    yield Measurement("fleet", "flag to task in a fleet", median(fleet), "s", how)
    yield Measurement("fleet", "flag to task in a daemon", median(daemon), "s", how)
    yield Measurement("fleet", "flag to task: fleet / daemon", median(fleet) / median(daemon), "ratio", "the two above")


def _measure_quota(folder: Path, deals: int) -> Iterator[Measurement]:
    """Five connections of one account, all with work: how much of its quota is used, by workers and by one daemon."""
    rate, size = 4.0, 5
    used, throttled = {}, 0
    for name, number, command in (("fleet", WORKERS, "worker"), ("daemon", 1, "run")):
        with fleet_world(folder.with_name(f"quota-{name}"), size, rate=rate, accounts=1, extra=LOOKING) as (world, _):
            for _ in range(deals // size):
                for connection in world.connections:
                    world.deal(connection)
            for _ in range(number):
                world.start(command)
            world.wait_until_synced(60 + 6 * deals / rate)
            used[name], handed = _use_of(world, rate)
            throttled += world.sandbox.service.throttled
            how = (
                f"{deals} records, 3 writes each, {size} connections of one account, {rate:.0f} writes/s, first to last"
            )
            how += f" write; {number} process{'es' * (number > 1)}, {handed} hand-overs between processes"
            yield Measurement("fleet", f"quota use, {name}: writes made / allowed", used[name], "ratio", how)
    yield Measurement("fleet", "quota use: fleet / daemon", used["fleet"] / used["daemon"], "ratio", "the two above")
    yield Measurement("fleet", "throttled answers in both", throttled, "answers", "counted by the sandbox")


def _use_of(world: FleetWorld, rate: float) -> tuple[float, int]:
    """Writes made of those allowed from the first to the last submission, and how often the writer changed."""
    writes = list(world.witness.writes)
    last = max(number for number, sent in enumerate(writes) if sent.entry.operation.startswith("Start"))
    writes = writes[: last + 1]
    changes = sum(1 for before, after in pairwise(writes) if before.process != after.process)
    return len(writes) / (rate * (writes[-1].at - writes[0].at) + 1), changes
