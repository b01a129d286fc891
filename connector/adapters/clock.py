"""The machine's clock; the only place that asks it for the time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


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
