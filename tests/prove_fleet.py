"""The proofs of a fleet: workers are killed, paused and stopped, the database is restarted, and AWS's journal judges.

``python tests/prove_fleet.py [NAME...] [--short] [--json FILE]`` runs them in turn and prints their figures.
``tests/fleet/test_proofs.py`` runs the same functions as tests. Each gives its figures, among them what was found wrong
of what must never be; exit code 1 where anything was. What does not come about at all raises AssertionError.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:1] = [str(ROOT)]

# A script's own folder comes first on the path, the root not at all.
from tests import audit  # noqa: E402
from tests.fleet_processes import Worker  # noqa: E402
from tests.fleet_witness import Sent  # noqa: E402
from tests.fleet_world import KINDS, FleetWorld, fleet_world  # noqa: E402
from tests.postgres import Server  # noqa: E402
from tests.world import wait_until  # noqa: E402

SEED = int(os.environ.get("CONNECTOR_SEED", "20261122"))
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it: connections, records of each, workers, how often something happens to one, and how quickly.

    ``rate`` is AWS's quota in writes a second; ``extra`` are sections of config.yaml; ``hurried``: see FleetWorld.
    """

    connections: int
    deals: int
    workers: int
    times: int
    rate: float = 1.0
    accounts: int = 10
    extra: str = ""
    hurried: bool = False


# Shipped values of `fleet`, so that the figures are those of a fleet as people run it.
LOOKING = "schedule: {pull: 5s, observe: 5s}\n"
QUICK = "schedule: {pull: 1s, observe: 1s}\nfleet: {turn: 5s, heartbeat: 500ms, dead_after: 3s, concurrency: 2}\n"
LONG = Size(connections=50, deals=4, workers=3, times=20, rate=2.0, extra=LOOKING)
SHORT = Size(connections=6, deals=2, workers=2, times=2, rate=4.0, accounts=3, extra=QUICK, hurried=True)


@dataclass(frozen=True, slots=True)
class Held:
    """What a worker was at when something happened to it: its accounts, and the connections it wrote for."""

    accounts: frozenset[str]
    connections: frozenset[str]


LATELY = 1.5
"""Intervals of the quota within which a worker has written that is in the middle of a job."""


def at_work(world: FleetWorld, worker: Worker) -> Held:
    """What this worker has written for lately, where that connection has more to do."""
    since = time.time() - LATELY / world.rate
    accounts, connections = set(), set()
    for sent in reversed(world.witness.writes):
        if sent.at < since:
            break
        name = world.connection_of(sent)
        if sent.process == worker.name and sum(not world.is_synced(deal) for deal in world.of(name)) > 1:
            accounts.add(str(sent.entry.account))
            connections.add(name)
    return Held(frozenset(accounts), frozenset(connections))


@dataclass
class Stage:
    """A world with workers, in which sellers go on working."""

    world: FleetWorld
    server: Server
    size: Size
    random: random.Random = field(default_factory=lambda: random.Random(SEED))
    began: float = field(default_factory=time.time)

    def start(self, number: int) -> None:
        """So many workers, ready to work: none of them is so before it has asked AWS anything."""
        for _ in range(number):
            self.world.start()

    def busy(self) -> tuple[Worker, Held]:
        """Some worker that is in the middle of a job, as soon as there is one; sellers see to it that there is work."""
        found: list[tuple[Worker, Held]] = []

        def are_there() -> bool:
            found[:] = [
                (worker, held) for worker in self.world.alive if (held := at_work(self.world, worker)).connections
            ]
            return bool(found)

        self.wait(are_there, "a worker to be in the middle of a job")
        return self.random.choice(found)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        """Wait; in vain, it fails with the last words of the processes that are alive."""
        try:
            wait_until(condition, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.world.last_words}") from None

    def keep_busy(self) -> None:
        """Some more records for one connection of each account, where little is left that is under way."""
        world = self.world
        if sum(not world.is_synced(deal) for deal in world.deals) < 2 * self.size.accounts:
            some = [self.random.choice(world.sharing(account)) for account in world.all_accounts]
            self.flag(some * 3)

    def flag(self, connections: Sequence[str] | None = None) -> None:
        """One more record for each of these connections, of all when none is named."""
        for name in connections or self.world.connections:
            self.world.deal(name)

    def edit(self, number: int) -> None:
        """Sellers change some of the records that AWS has approved or not yet seen."""
        known = sorted(self.world.deals)
        for deal in self.random.sample(known, min(number, len(known))):
            self.world.edit(deal, NextStep=f"Call number {self.random.randrange(10**9)}")

    def end(self, seconds: float = 600.0) -> Figures:
        """Everything has come to rest; the figures that every proof tells, and what was found wrong."""
        complaints = [*self.world.settle(seconds), *self.world.judge()]
        if complaints:
            print(self.world.last_words, file=sys.stderr)
        throttled, handed_over = self.world.throttled()
        waits = self.world.longest_wait(self.began, time.time())
        gaps = [gap for each in self.world.gaps().values() for gap in each]
        return {
            "connections": self.size.connections,
            "records": len(self.world.deals),
            "writes": len(self.world.witness.writes),
            "throttled": throttled,
            "throttled at a hand-over": handed_over,
            "wrong": audit.count(complaints, KINDS),
            "complaints": [f"{complaint.kind}: {complaint.text}" for complaint in complaints[:10]],
            "least seconds between two writes of an account": round(min(gaps), 3),
            "quota's interval": 1 / self.size.rate,
            "longest wait of a connection between two looks": round(max(waits.values()), 1),
        }


@contextmanager
def stage(folder: Path, size: Size) -> Iterator[Stage]:
    options = {"rate": size.rate, "accounts": size.accounts, "extra": size.extra, "hurried": size.hurried}
    with fleet_world(folder, size.connections, **options) as (world, server):
        yield Stage(world, server, size)


def spread(values: Sequence[float]) -> Figures:
    """How many, and their middle and longest, in seconds."""
    if not values:
        return {"number": 0}
    return {"number": len(values), "p50": round(median(values), 2), "max": round(max(values), 2)}


def next_writes(world: FleetWorld, held: Held, after: float, without: str) -> tuple[list[float], list[float]]:
    """Seconds from ``after`` to the next write of another process, for each account and each connection."""
    accounts: dict[str, float] = {}
    connections: dict[str, float] = {}
    for sent in list(world.witness.writes):
        if sent.at > after and sent.process != without:
            accounts.setdefault(str(sent.entry.account), sent.at - after)
            connections.setdefault(world.connection_of(sent), sent.at - after)
    return (
        [accounts[account] for account in held.accounts if account in accounts],
        [connections[name] for name in held.connections if name in connections],
    )


# The proofs -----------------------------------------------------------------------------------------------------------


def kills(folder: Path, size: Size) -> Figures:
    """Workers die by SIGKILL in the middle of a job, one after the other; new ones take their places."""
    with stage(folder, size) as play:
        world = play.world
        for _ in range(size.deals):
            play.flag()
        play.start(size.workers)
        deaths: list[tuple[Worker, Held]] = []
        for _ in range(size.times):
            play.keep_busy()
            victim, held = play.busy()
            victim.kill()
            deaths.append((victim, held))
            play.flag(sorted(held.connections))
            play.edit(3)
            play.start(1)
            play.wait(lambda: _is_resumed(world, *deaths[-1]), "a successor to write")
        figures = play.end()
        accounts, connections = _resumptions(world, deaths)
        told = {"kills": len(deaths), "to the next write of the account": spread(accounts)}
        return figures | told | {"to the next write of the connection": spread(connections)}


def _is_resumed(world: FleetWorld, victim: Worker, held: Held) -> bool:
    accounts, _ = next_writes(world, held, victim.killed_at, victim.name)
    return len(accounts) == len(held.accounts)


def _resumptions(world: FleetWorld, deaths: Sequence[tuple[Worker, Held]]) -> tuple[list[float], list[float]]:
    accounts: list[float] = []
    connections: list[float] = []
    for victim, held in deaths:
        of_accounts, of_connections = next_writes(world, held, victim.killed_at, victim.name)
        accounts += of_accounts
        connections += of_connections
    return accounts, connections


QUIET_AFTER = 3.0
"""Seconds after it goes on in which a paused worker has no business with an account that another one serves."""

BUSY_FOR = 6
"""Records that each connection of an account is given before, so that its turn is not over by then."""


def pauses(folder: Path, size: Size) -> Figures:
    """Workers stand still by SIGSTOP until another one has taken over, and go on: they write nothing more of that job.

    Its successor holds the account for a whole ``fleet.turn``, as the connection has work for that long. So whatever
    the paused one writes there right after it goes on is of the job it has lost.
    """
    with stage(folder, size) as play:
        world = play.world
        for _ in range(size.deals):
            play.flag()
        play.start(size.workers)
        takeovers: list[float] = []
        late: list[Sent] = []
        returned = 0
        for _ in range(size.times):
            _, held = play.busy()
            for _ in range(BUSY_FOR):
                play.flag([name for name in world.connections if world.account(name) in held.accounts])
            time.sleep(play.random.random() / world.rate)
            victim, held = play.busy()
            victim.pause()
            begun, _ = victim.paused[-1]
            takeovers += _wait_for_successors(play, victim, held, begun)
            number = len(world.witness.writes)
            victim.resume()
            resumed = victim.paused[-1][1]
            time.sleep(QUIET_AFTER)
            late += _late(world, victim, held, number, resumed)
            returned += _returns(play, victim, number)
        assert not late, f"{len(late)} writes of workers that had lost their job, such as {late[0]}"
        figures = play.end()
        stood = [until - since for worker in world.workers for since, until in worker.paused]
        told = {
            "pauses": len(stood),
            "stood still": spread(stood),
            "to the next write of the account": spread(takeovers),
        }
        return figures | told | {"writes of a worker that lost its job": len(late), "took part again": returned}


def _wait_for_successors(play: Stage, victim: Worker, held: Held, begun: float) -> list[float]:
    """Until others write on every account that the paused worker held; after how many seconds they did."""
    found: list[float] = []

    def are_there() -> bool:
        nonlocal found
        found, _ = next_writes(play.world, held, begun, victim.name)
        return len(found) == len(held.accounts)

    play.wait(are_there, f"another one to take over from {victim.name}: {held}")
    return found


def _late(world: FleetWorld, victim: Worker, held: Held, since: int, resumed: float) -> list[Sent]:
    return [
        sent
        for sent in world.witness.writes[since:]
        if sent.process == victim.name and sent.entry.account in held.accounts and sent.at >= resumed
    ]


def _returns(play: Stage, victim: Worker, since: int) -> bool:
    """Whether the paused worker takes part again; there is work for all until it does."""
    world = play.world

    def writes() -> bool:
        play.keep_busy()
        return any(sent.process == victim.name for sent in world.witness.writes[since:])

    play.wait(writes, f"{victim.name} to take part again", 60)
    return victim.is_alive


def restarts(folder: Path, size: Size) -> Figures:
    """PostgreSQL is cut off in the middle of work and comes back: the workers stay, and go on."""
    with stage(folder, size) as play:
        world = play.world
        for _ in range(size.deals):
            play.flag()
        play.start(size.workers)
        workers = world.alive
        took: list[float] = []
        for _ in range(size.times):
            play.flag()
            play.busy()
            play.server.stop(signal.SIGQUIT)
            time.sleep(play.random.uniform(0.5, 3))
            play.server.start()
            back, number = time.time(), len(world.witness.writes)
            play.wait(partial(_is_written, world, number), "a write")
            took.append(world.witness.writes[number].at - back)
        figures = play.end()
        gone = [worker.name for worker in workers if not worker.is_alive]
        assert not gone, f"{gone} ended with the database"
        return figures | {"restarts": size.times, "to the next write": spread(took), "workers lost": len(gone)}


def _is_written(world: FleetWorld, since: int) -> bool:
    return len(world.witness.writes) > since


def fairness(folder: Path, size: Size) -> Figures:
    """One connection has very many records, all others two: none starves beside it."""
    with stage(folder, size) as play:
        world = play.world
        big, *rest = world.connections
        for _ in range(size.deals):
            world.deal(big)
        play.start(size.workers)
        play.busy()
        flagged = {world.deal(name): time.time() for name in rest for _ in range(2)}
        figures = play.end(1800)
        tasks = world.first_tasks()
        beside = {deal: at for deal, at in flagged.items() if world.account(world.deals[deal]) == world.account(big)}
        took_beside = [tasks[deal] - at for deal, at in beside.items()]
        took = [tasks[deal] - at for deal, at in flagged.items() if deal not in beside]
        last = max(tasks[deal] for deal in world.of(big)) - min(flagged.values())
        return figures | {
            "records of the big one": size.deals,
            "flag to task on its account": spread(took_beside),
            "flag to task on other accounts": spread(took),
            "the big one was done after": round(last, 1),
            "waited longest between two looks": _longest(play),
        }


def _longest(play: Stage) -> Figures:
    waits = play.world.longest_wait(play.began, time.time())
    return spread(list(waits.values()))


def stops(folder: Path, size: Size) -> Figures:
    """SIGTERM to all workers in the middle of work, again and again: each ends with 0 and leaves nothing under way."""
    with stage(folder, size) as play:
        world = play.world
        took: list[float] = []
        for _ in range(size.times):
            for _ in range(size.deals):
                play.flag()
            play.start(size.workers)
            play.busy()
            workers, began = world.alive, time.time()
            for worker in workers:
                worker.terminate()
            for worker in workers:
                code = worker.process.wait(timeout=30)
                took.append(time.time() - began)
                assert code == 0, f"{worker.name} ended with {code}: {worker.text()[-2000:]}"
            after = [sent for sent in list(world.witness.writes) if sent.at > began + max(took)]
            assert not after, after
        play.start(size.workers)
        figures = play.end() | {"stops": len(took), "to the end": spread(took)}
        assert max(took) < 15, figures
        return figures


def clocks(folder: Path, size: Size) -> Figures:
    """The machines' clocks differ by minutes: the quota holds, nothing is doubled, and everybody takes part."""
    with stage(folder, size) as play:
        world = play.world
        for _ in range(size.deals):
            play.flag()
        shifts = (0, 120, -120)[: size.workers]
        for seconds in shifts:
            world.start(ahead=seconds)
        for _ in range(size.times):
            victim, _ = play.busy()
            victim.kill()
            play.flag()
            world.start(ahead=play.random.choice(shifts))
        figures = play.end()
        return figures | {"seconds that clocks are off": list(shifts), "kills": size.times}


PROOFS: Mapping[str, tuple[Callable[[Path, Size], Figures], Size, Size]] = {
    "kills": (kills, LONG, SHORT),
    "pauses": (
        pauses,
        Size(connections=10, deals=12, workers=3, times=20, rate=2.0, accounts=5, extra=LOOKING),
        Size(connections=3, deals=2, workers=2, times=1, rate=4.0, accounts=3, extra=QUICK, hurried=True),
    ),
    "restarts": (restarts, Size(50, 4, 3, 5, 2.0, extra=LOOKING), Size(4, 3, 2, 1, 4.0, 2, QUICK, hurried=True)),
    "fairness": (fairness, Size(50, 200, 3, 0, 4.0, extra=LOOKING), Size(4, 12, 2, 0, 8.0, 2, QUICK, hurried=True)),
    "stops": (stops, Size(50, 2, 3, 5, 2.0, extra=LOOKING), Size(4, 2, 2, 1, 4.0, 2, QUICK, hurried=True)),
    "clocks": (clocks, Size(20, 4, 3, 5, 2.0, extra=LOOKING), Size(3, 2, 2, 0, 4.0, 3, QUICK, hurried=True)),
}
"""Each proof with how much of it is done at length, and in seconds."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(PROOFS)}; all when none is given")
    parser.add_argument("--short", action="store_true", help="a few seconds of each")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    # So that it takes its processes with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found: dict[str, Figures] = {}
    is_wrong = False
    for name in options.names or PROOFS:
        proof, long, short = PROOFS[name]
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
            figures = proof(Path(folder), short if options.short else long)
        found[name] = figures | {"seconds": round(time.monotonic() - began)}
        print(json.dumps({name: found[name]}, indent=2), flush=True)
        is_wrong = is_wrong or bool(figures["complaints"])
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
