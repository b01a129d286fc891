"""Wrong tokens: whoever sends them waits longer for each answer, and nobody else does. In memory, and bounded.

It counts by address, and behind a proxy all have the same one. So nothing here may keep a right token out: that is
looked at first, and only wrong ones are counted, slowed down and refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio


@dataclass(slots=True)
class Attempts:
    """Wrong tokens slow down whoever sends them: the more of them lately, the longer the answer takes.

    Only some of an address wait at once, for each that waits takes a connection from the others. The rest is refused
    without a wait; against who guesses that fast stands the length of the token.
    """

    clock: Callable[[], float] = time.monotonic
    first: float = 0.25
    longest: float = 5.0
    forgotten_after: float = 300.0
    _failed: dict[str, tuple[int, float]] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)

    MOST_WAITING = 5
    MOST_ADDRESSES = 1_000

    def is_crowded(self, address: str) -> bool:
        """Whether so many of this address wait for their answers that no further one may."""
        return self._waiting.get(address, 0) >= self.MOST_WAITING

    async def failed(self, address: str) -> bool:
        """Note a wrong token, and take one's time; False at once where too many of this address wait already."""
        now = self.clock()
        count, last = self._failed.get(address, (0, now))
        count = 1 if now - last > self.forgotten_after else count + 1
        self._failed.pop(address, None)  # the latest last, so that the longest known are forgotten first
        self._failed[address] = (count, now)
        while len(self._failed) > self.MOST_ADDRESSES:
            del self._failed[next(iter(self._failed))]
        if self.is_crowded(address):
            return False
        self._waiting[address] = self._waiting.get(address, 0) + 1
        try:
            await anyio.sleep(min(self.first * 2 ** min(count - 1, 10), self.longest))
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
        return True
