"""The machine's clock; the only place that asks it for the time. And the stop that ends its sleep."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from weakref import WeakSet


class Stopping(threading.Event):
    """An event whose children are set with it: the process stops all connections, one connection only itself.

    Children that nobody holds any more are forgotten. Not to be set from a signal handler, which may interrupt
    whoever holds its lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._children: WeakSet[Stopping] = WeakSet()

    def child(self) -> Stopping:
        """Another one, which may be set alone; set from the start if this one is."""
        child = Stopping()
        with self._guard:
            self._children.add(child)
        # Asked after it was added: a set() in between either finds the child or is found here.
        if self.is_set():
            child.set()
        return child

    def set(self) -> None:
        super().set()
        with self._guard:
            children = list(self._children)
        for child in children:
            child.set()


class SystemClock:
    """``ports.Clock``. Sleeping ends early once ``stopping`` is set."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._stopping.wait(seconds)
