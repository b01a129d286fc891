"""Many connections in one daemon: what a slow one does to another, and what idle ones cost. Part of ``make bench``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.fleet_processes import Worker
from tests.fleet_world import FleetWorld, many_world
from tests.measurement import Measurement
from tests.world import wait_until

SLOW_SECONDS = 30.0
"""What each answer of AWS takes for the slow connection."""
RATE = 20.0
"""Writes a second: the quota holds nobody up here, what is compared is how soon the loops get to it."""
SCHEDULE = "schedule: {pull: 1s, observe: 2s}\n"
APART = 0.53
"""Seconds between two flags. No multiple of a loop's period, so that every moment of a period is met alike."""
QUIET, SLOW = "c00", "c01"


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds from flag to task of the quiet connection's records: alone, and while the other one hangs."""

    alone: list[float]
    beside: list[float]
    hanging: int
    """Calls of the slow connection that were under way all through the second part."""


def measure_connections(folder: Path, *, quick: bool) -> Iterator[Measurement]:
    """Both parts of it."""
    yield from measure_slow_connection(folder / "slow", *((1, 40) if quick else (5, 56)))
    yield from measure_idle_connections(folder / "idle", (1, 10, 50), 10.0 if quick else 30.0)


def measure_slow_connection(folder: Path, rounds: int, flags: int) -> Iterator[Measurement]:
    """One connection's time from flag to task, alone and beside one whose AWS answers in 30 seconds."""
    with many_world(folder, 2, rate=RATE, accounts=2, extra=SCHEDULE) as world:
        daemon = world.start("run")
        _warm_up(world, daemon)
        took = [_round(world, flags) for _ in range(rounds)]
        complaints = world.judge()
        assert daemon.is_alive, daemon.text()[-2000:]
    assert not complaints, complaints
    alone = median(seconds for one in took for seconds in one.alone)
    beside = median(seconds for one in took for seconds in one.beside)
    said = (
        f"{rounds} rounds of {flags} flags each, in turn; pull 1 s, {RATE:.0f} writes/s, two AWS accounts, one daemon"
    )
    yield Measurement("connections", "flag to task, alone", alone, "s", f"median; {said}")
    hanging = min(one.hanging for one in took)
    how = f"median; each answer to the other one takes {SLOW_SECONDS:.0f} s, {hanging} calls or more of its under way"
    yield Measurement("connections", "flag to task, beside a slow connection", beside, "s", how)
    how = (
        "of each round its own two medians, as what else the machine does changes from round to round; median of these"
    )
    ratio = median(median(one.beside) / median(one.alone) for one in took)
    yield Measurement("connections", "beside a slow connection / alone", ratio, "ratio", how)


def _warm_up(world: FleetWorld, daemon: Worker) -> None:
    """Logins, mappings, clients: what only the first record waits for."""
    deals = [world.deal(name) for name in (QUIET, SLOW)]
    wait_until(lambda: all(map(world.is_synced, deals)) or not daemon.is_alive, "the first records", 60)


def _round(world: FleetWorld, flags: int) -> Round:
    alone = flag_to_task(world, flags)
    world.witness.slow = {world.account(SLOW): SLOW_SECONDS}
    others = [world.deal(SLOW) for _ in range(flags)]
    wait_until(lambda: _hanging(world) >= 2, "the slow connection to hang", 30)
    beside = flag_to_task(world, flags)
    hanging = _hanging(world)
    world.witness.slow = {}
    wait_until(lambda: all(map(world.is_synced, others)), "the slow connection to be done", 60 + 2 * SLOW_SECONDS)
    return Round(alone, beside, hanging)


def _hanging(world: FleetWorld) -> int:
    """Calls of the slow connection that wait for their answer now."""
    account = world.account(SLOW)
    now = time.time()
    return sum(
        1
        for sent in list(world.witness.calls)
        if sent.entry.account == account and sent.entry.answer is None and now - sent.at < SLOW_SECONDS
    )


def flag_to_task(world: FleetWorld, flags: int) -> list[float]:
    """Flag records of the quiet connection one after the other; how long each took until AWS had its submission."""
    flagged: dict[str, float] = {}
    for _ in range(flags):
        began = time.time()
        flagged[world.deal(QUIET)] = began
        time.sleep(APART)
    wait_until(lambda: all(map(world.is_synced, flagged)), "the quiet connection's records", 60)
    tasks = world.first_tasks()
    return [tasks[deal] - began for deal, began in flagged.items()]


def measure_idle_connections(folder: Path, sizes: tuple[int, ...], seconds: float) -> Iterator[Measurement]:
    """CPU time and memory of a daemon whose connections have nothing to do."""
    for size in sizes:
        with many_world(folder.with_name(f"{folder.name}{size}"), size, extra="schedule: {pull: 60s}\n") as world:
            daemon = world.start("run")
            yield from idle(world, daemon, f"daemon, {size} idle connection{'s' * (size != 1)}", seconds, "connections")


def idle(world: FleetWorld, process: Worker, name: str, seconds: float, part: str) -> Iterator[Measurement]:
    """What one process takes once every connection was looked at."""
    first = [world.deal(connection) for connection in world.connections]
    wait_until(lambda: all(map(world.is_synced, first)), "the first records", 300)
    spent, took = over(process.cpu_seconds, seconds)
    how = f"all its threads over {took:.0f} s; one settled record each, schedule as shipped, SQLite"
    yield Measurement(part, f"{name}: CPU", spent / took * 1000, "ms/s", how)
    yield Measurement(part, f"{name}: memory", process.memory() / 2**20, "MiB", "resident at the end of it")


def over(reading: Callable[[], float], seconds: float) -> tuple[float, float]:
    """How much a reading grew, and over how many seconds."""
    before, began = reading(), time.monotonic()
    time.sleep(seconds)
    return reading() - before, time.monotonic() - began
