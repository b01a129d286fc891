"""Wrong tokens: whoever sends them waits longer for each answer, and nobody else does. In memory, and bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio


@dataclass(slots=True)
class Attempts:
    """Wrong tokens slow down whoever sends them: the more of them lately, the longer the answer takes."""

    clock: Callable[[], float] = time.monotonic
    first: float = 0.25
    longest: float = 5.0
    forgotten_after: float = 300.0
    _failed: dict[str, tuple[int, float]] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)

    MOST_WAITING = 5
    MOST_ADDRESSES = 1_000

    def is_crowded(self, address: str) -> bool:
        """Whether so many of this address wait for their answers that no further one is looked at."""
        return self._waiting.get(address, 0) >= self.MOST_WAITING

    async def failed(self, address: str) -> None:
        """Note a wrong token, and take one's time."""
        now = self.clock()
        count, last = self._failed.get(address, (0, now))
        count = 1 if now - last > self.forgotten_after else count + 1
        self._failed.pop(address, None)  # the latest last, so that the longest known are forgotten first
        self._failed[address] = (count, now)
        while len(self._failed) > self.MOST_ADDRESSES:
            del self._failed[next(iter(self._failed))]
        self._waiting[address] = self._waiting.get(address, 0) + 1
        try:
            await anyio.sleep(min(self.first * 2 ** min(count - 1, 10), self.longest))
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
