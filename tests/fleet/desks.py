"""A worker of the tests: the real queue on a real server, and looks that do what a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from connector.adapters.queue import Look, Timing
from connector.adapters.queue.engine import Queue

QUICK = Timing(concurrency=4, heartbeat=0.3, dead_after=1.5, tick=1, rescue=1)


@dataclass
class Desk:
    """``adapters.queue.Work``: ``wanted`` are asked for at each tick, ``on_look`` is what a look does."""

    wanted: list[Look] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    on_look: Callable[[str, str], Look | None] = lambda connection, lock: None
    ticks: int = 0
    begun: list[tuple[str, float]] = field(default_factory=list)
    over: list[tuple[str, float]] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def addresses(self) -> Collection[str]:
        return self.heard or [look.address for look in self.wanted] or ["nothing"]

    def due(self, busy: Collection[str]) -> Sequence[Look]:
        self.ticks += 1
        return [look for look in self.wanted if look.connection not in busy]

    def look(self, connection: str, lock: str) -> Look | None:
        with self.guard:
            self.begun.append((connection, time.monotonic()))
        try:
            return self.on_look(connection, lock)
        finally:
            with self.guard:
                self.over.append((connection, time.monotonic()))

    def rescued(self, connection: str) -> None:
        self.told.append(("rescued", connection))

    def unserved(self, connection: str) -> None:
        self.told.append(("unserved", connection))

    def connected(self) -> None:
        self.told.append(("connected", ""))

    def disconnected(self, reason: str) -> None:
        self.told.append(("disconnected", reason))

    def beat(self) -> None:
        pass

    def looks_at(self, connection: str) -> int:
        with self.guard:
            return sum(1 for name, _ in self.begun if name == connection)


@contextmanager
def serving(engine: Engine, desk: Desk, timing: Timing = QUICK) -> Iterator[Queue]:
    """The queue at work in a thread while the block runs, and stopped after it."""
    queue = Queue(engine, desk, timing)
    thread = threading.Thread(target=queue.run)
    thread.start()
    try:
        yield queue
    finally:
        queue.stop()
        thread.join(30)
        assert not thread.is_alive(), "the queue does not stop"


def rows(engine: Engine, query: str, **values: object) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def execute(engine: Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def plant_dead(engine: Engine, connection: str, lock: str) -> None:
    """A look under way at a worker that is not heard of any more."""
    execute(engine, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
    execute(
        engine,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status, worker_id) "
        "SELECT 'gone', 'look', :lock, :name, jsonb_build_object('connection', cast(:name AS text), 'lock', "
        "cast(:lock AS text)), 'doing', max(id) FROM procrastinate_workers",
        lock=lock,
        name=connection,
    )


def plant(engine: Engine, look: Look) -> None:
    """A look that waits."""
    execute(
        engine,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args) VALUES "
        "(:queue, 'look', :lock, :name, "
        "jsonb_build_object('connection', cast(:name AS text), 'lock', cast(:lock AS text)))",
        queue=look.address,
        lock=look.lock,
        name=look.connection,
    )
