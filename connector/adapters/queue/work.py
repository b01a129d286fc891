"""What the queue and whoever works for it know of each other. Nothing of the engine behind it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

POLL = 0.25
"""Seconds until a look that waits for a lock finds it free: nobody is told of that."""


@dataclass(frozen=True, slots=True)
class Look:
    """One connection to be looked at.

    ``address`` is heard by the workers that can: see ``Work.addresses``. ``lock`` is what only one look in the whole
    fleet holds at a time; those that wait for it have it in the order in which they were asked for.
    """

    connection: str
    address: str
    lock: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, but ``concurrency``: looks at once. A worker counts as dead that long after its last heartbeat.

    ``name`` is what the worker's sessions are called in the database.
    """

    concurrency: int = 8
    heartbeat: float = 2.0
    dead_after: float = 10.0
    tick: int = 1
    rescue: int = 2
    name: str = ""


class Work(Protocol):
    """What a worker does with looks. Called in threads; none of these may raise."""

    def addresses(self) -> Collection[str]:
        """What this worker can look at. At most 40 characters each: PostgreSQL tells of them by channels."""
        ...

    def due(self, busy: Collection[str]) -> Sequence[Look]:
        """What has to be looked at now, without the connections that wait or are looked at already."""
        ...

    def look(self, connection: str, lock: str) -> Look | None:
        """Look at a connection. Gives what has to follow it, behind those that wait already."""
        ...

    def rescued(self, connection: str) -> None:
        """A worker that is dead had it."""
        ...

    def unserved(self, connection: str) -> None:
        """Nobody took a look at it that waited for long, and it is none of ours."""
        ...

    def connected(self) -> None:
        """The queue is served: for the first time, or again."""
        ...

    def disconnected(self, reason: str) -> None:
        """The queue cannot be served; it is tried again."""
        ...

    def beat(self) -> None:
        """The queue is alive."""
        ...
