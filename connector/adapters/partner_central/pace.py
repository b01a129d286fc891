"""Keeps calls at the pace AWS allows: one bucket for each AWS account and quota class, shared by all who call it."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable

from connector.adapters.partner_central.allowance import Allowance
from connector.errors import TemporaryError
from connector.ports import Clock

MARGIN = 1.005
"""Turns come this much further apart than the quota asks.

A limiter counts from when a call arrives. One that the network held up moves all later ones nearer to what the limiter
takes for too early; at the quota's exact pace that would never heal. A two-hundredth forgets a delay of a tenth of
an interval within twenty calls, and is far more than two clocks differ.
"""
CATCH_UP = 0.002
"""Seconds by which a call that left late may bring the next one nearer; less than the network itself moves them."""
_CATCH_UP_SHARE = 0.02
"""The same as a share of the interval, for quotas so high that milliseconds are much."""
LAST_STRETCH = 60.0
"""Seconds of waiting that are left for after the request is signed; AWS takes a signature for five minutes."""
SLOWER, FASTER, SLOWEST = 1.5, 0.95, 8.0
"""What a throttled and what a passed call multiply the interval by, and how far that may go."""
STRICTER, MILDER, STRICTEST = 0.01, 0.00001, 1.1
"""What a throttled call adds to the margin and a passed one takes off it, so that a limiter which is less patient than
thought is not run into again and again; and how far that may go."""
_EARLY = 0.001
"""A sleep that ends this many seconds early was not cut short, only rounded."""


class Line:
    """A lock that is given in the order of asking."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False

    def acquire(self) -> None:
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
        except BaseException:
            # A second Ctrl-C in the main thread; those behind must not wait for it.
            self._leave(mine)
            raise

    def release(self) -> None:
        with self._guard:
            self._hand_on()

    def _leave(self, mine: threading.Lock) -> None:
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                self._hand_on()

    def _hand_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._is_taken = False


class Turn:
    """The right to send one call now. Nobody else gets a turn until it has left or is over."""

    def __init__(self, depart: Callable[[], float], release: Callable[[], None]) -> None:
        self._depart = depart
        self._release = release
        self.is_held = True
        self.left_at = -math.inf

    def leave(self) -> None:
        """The bytes go out now: the next turn is counted from here."""
        self.left_at = self._depart()
        self.end()

    def end(self) -> None:
        """The call is over, whether it has left or not."""
        if self.is_held:
            self.is_held = False
            self._release()


class Pace:
    """Spaces calls evenly (GCRA without burst), first come first served, and slows down when AWS throttles.

    Whoever's turn it is holds it until the bytes leave, and the next turn is counted from then: a slow TLS handshake
    delays the calls behind it, where it would else let them catch up and be throttled. ``since`` is the instant from
    which nothing is known to have been sent; the first turn comes an interval later.
    """

    def __init__(
        self, allowance: Allowance, per_second: float, clock: Clock, stopping: threading.Event, since: float
    ) -> None:
        self.allowance = allowance
        self._per_second = per_second
        self._clock = clock
        self._stopping = stopping
        self._line = Line()
        self._guard = threading.Lock()
        self._margin = MARGIN
        self._stretch = 1.0
        self._slowed_at = -math.inf
        self._next = since + self.interval

    def now(self) -> float:
        """Seconds of the clock that the pace goes by."""
        return self._clock.monotonic()

    @property
    def interval(self) -> float:
        """Seconds between two turns as things are."""
        return self._margin * self._stretch / self._per_second

    def limit(self, per_second: float) -> None:
        """Never be faster than this either."""
        self._per_second = min(self._per_second, per_second)

    def enter(self) -> None:
        """Before anything is committed or signed: sit out a long pause and reserve one call of the day's.

        Raises QuotaExhausted, or TemporaryError when the connector is stopping.
        """
        self._refuse_stopping()
        while (until := self._next - LAST_STRETCH) > self.now():
            self._sleep_until(until)
        self.allowance.take()

    def wait_turn(self) -> Turn:
        """Return when the next call may leave; the caller ends the turn. Raises TemporaryError when stopping."""
        self._line.acquire()
        try:
            self._refuse_stopping()
            self._not_before(self._wait() + self.interval)
        except BaseException:
            self._line.release()
            raise
        return Turn(self._depart, self._line.release)

    def slow_down(self, seconds: float, left_at: float) -> None:
        """AWS throttled a call that left then: nobody leaves for this long, and less often from then on.

        Calls that were under way already when the pace was last slowed say nothing about the slower pace.
        """
        now = self.now()
        self._not_before(now + seconds)
        with self._guard:
            if left_at > self._slowed_at:
                self._stretch = min(self._stretch * SLOWER, SLOWEST)
                self._margin = min(self._margin + STRICTER, STRICTEST)
                self._slowed_at = now

    def recover(self, left_at: float) -> None:
        """AWS let a call pass that left then: go back towards the quota's pace."""
        with self._guard:
            if left_at > self._slowed_at:
                self._stretch = max(self._stretch * FASTER, 1.0)
                self._margin = max(self._margin - MILDER, MARGIN)

    def _wait(self) -> float:
        """Give the instant of the turn. What a thread takes to wake up after it is not lost, see CATCH_UP."""
        while (due := self._next) > self.now():
            self._sleep_until(due)
            if self._next == due:
                return due
        return self.now()

    def _sleep_until(self, moment: float) -> None:
        self._clock.sleep(moment - self.now())
        if self.now() < moment - _EARLY:
            self._stop()

    def _refuse_stopping(self) -> None:
        if self._stopping.is_set():
            self._stop()

    def _stop(self) -> None:
        raise TemporaryError("The connector is stopping; this is done at the next start.")

    def _depart(self) -> float:
        now, interval = self.now(), self.interval
        self._not_before(now + interval - min(CATCH_UP, _CATCH_UP_SHARE * interval))
        return now

    def _not_before(self, moment: float) -> None:
        with self._guard:
            self._next = max(self._next, moment)


class Paces:
    """The buckets of a process. Whoever reaches the same account gets the same ones."""

    def __init__(self, clock: Clock, stopping: threading.Event) -> None:
        self._clock = clock
        self._stopping = stopping
        self._began = clock.monotonic()
        self._guard = threading.Lock()
        self._paces: dict[tuple[str, str], Pace] = {}

    def join(
        self,
        account: str,
        name: str,
        *,
        per_second: float,
        per_day: int,
        recorded: Callable[[], int],
        unrecorded: Callable[[], int],
    ) -> Pace:
        """The bucket of an account's ``writes`` or ``reads``. Where limits differ, the smallest counts.

        ``recorded``: calls of the account's last 24 hours in the ledger, whoever made them; ``unrecorded``: those of
        the one who joins that are not there yet.
        """
        with self._guard:
            pace = self._paces.get((account, name))
            if pace is None:
                allowance = Allowance(name, per_day, recorded, self._clock)
                pace = Pace(allowance, per_second, self._clock, self._stopping, self._began)
                self._paces[account, name] = pace
            pace.limit(per_second)
            pace.allowance.join(per_day, unrecorded)
        return pace
