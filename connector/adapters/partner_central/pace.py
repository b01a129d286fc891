"""Keeps calls at the pace AWS allows: one bucket for each AWS account and quota class, shared by all who call it."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from connector.adapters.partner_central.allowance import Allowance, Share
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


class Stopping(Protocol):
    """A stop event, see ``adapters.clock``."""

    def is_set(self) -> bool: ...

    def child(self) -> threading.Event:
        """An event that is set with this one, or alone."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who waits for a turn: a connection's own clock, whose sleep ends when its own ``stopping`` is set."""

    clock: Clock
    stopping: Stopping


class Line:
    """A lock that is given in the order of asking. Who is stopped leaves the line, and nobody else's place changes."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False

    def acquire(self, stopping: Stopping) -> bool:
        """Wait for the lock; False, without it, when the caller is stopped first."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            # Set by whoever hands on, and by the caller's stop: both must wake it.
            mine = stopping.child()
            self._waiting.append(mine)
        try:
            mine.wait()
        except BaseException:
            # A second Ctrl-C in the main thread; those behind must not wait for it.
            if not self._is_left(mine):
                self.release()
            raise
        return not self._is_left(mine)

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False

    def _is_left(self, mine: threading.Event) -> bool:
        """Leave the line, unless the lock was handed over meanwhile."""
        with self._guard:
            if mine not in self._waiting:
                return False
            self._waiting.remove(mine)
            return True


class Turn:
    """The right to send one call now. Nobody else gets a turn until it has left or is over."""

    def __init__(self, depart: Callable[[], float], release: Callable[[], None]) -> None:
        self._depart = depart
        self._release = release
        self._ending = threading.Lock()
        self.is_held = True
        self.left_at = -math.inf

    def leave(self) -> None:
        """The bytes go out now: the next turn is counted from here."""
        self.left_at = self._depart()
        self.end()

    def end(self) -> None:
        """The call is over, or takes too long to leave; whoever says so first lets the next one go."""
        with self._ending:
            is_first, self.is_held = self.is_held, False
        if is_first:
            self._release()


class Pace:
    """Spaces calls evenly (GCRA without burst), first come first served, and slows down when AWS throttles.

    Whoever's turn it is holds it until the bytes leave, and the next turn is counted from then: a slow TLS handshake
    delays the calls behind it, where it would else let them catch up and be throttled. ``since`` is the instant from
    which nothing is known to have been sent; the first turn comes an interval later.
    """

    def __init__(self, allowance: Allowance, per_second: float, clock: Clock, since: float) -> None:
        self.allowance = allowance
        self._per_second = per_second
        self._limits: dict[object, float] = {}
        self._clock = clock
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

    def join(self, who: object, per_second: float) -> None:
        """Another connection goes by it: never be faster than this either, until it leaves."""
        with self._guard:
            self._limits[who] = per_second
            self._per_second = min(self._limits.values())

    def leave(self, who: object) -> None:
        """Its limit counts no longer, unless it was the last; when the next call may leave stays as it is."""
        with self._guard:
            self._limits.pop(who, None)
            self._per_second = min(self._limits.values(), default=self._per_second)

    @property
    def free_in(self) -> float:
        """Seconds until the next call may leave, for whoever calls on the account after this process."""
        return max(self._next - self.now(), 0.0)

    def resume(self, free_in: float | None) -> None:
        """Another process called on the account meanwhile, and left word when the next call may leave.

        None where it left none: then as if it had called a moment ago.
        """
        self._not_before(self.now() + (self.interval if free_in is None else free_in))
        self.allowance.recount()

    def enter(self, caller: Caller) -> None:
        """Before anything is committed or signed: sit out a long pause and reserve one call of the day's.

        Raises QuotaExhausted, or TemporaryError when the caller is stopping.
        """
        _refuse_stopping(caller)
        while (until := self._next - LAST_STRETCH) > self.now():
            self._sleep_until(until, caller)
        self.allowance.take()

    def wait_turn(self, caller: Caller, on_next: Callable[[], None] = lambda: None) -> Turn:
        """Return when the next call may leave; the caller ends the turn. Raises TemporaryError when it is stopping.

        ``on_next`` is called once nobody is before the caller, while its own interval still runs.
        """
        if not self._line.acquire(caller.stopping):
            _stop()
        try:
            _refuse_stopping(caller)
            on_next()
            self._not_before(self._wait(caller) + self.interval)
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

    def _wait(self, caller: Caller) -> float:
        """Give the instant of the turn. What a thread takes to wake up after it is not lost, see CATCH_UP."""
        while (due := self._next) > self.now():
            self._sleep_until(due, caller)
            if self._next == due:
                return due
        return self.now()

    def _sleep_until(self, moment: float, caller: Caller) -> None:
        caller.clock.sleep(moment - self.now())
        if self.now() < moment - _EARLY:
            _stop()

    def _depart(self) -> float:
        now, interval = self.now(), self.interval
        self._not_before(now + interval - min(CATCH_UP, _CATCH_UP_SHARE * interval))
        return now

    def _not_before(self, moment: float) -> None:
        with self._guard:
            self._next = max(self._next, moment)


def _refuse_stopping(caller: Caller) -> None:
    if caller.stopping.is_set():
        _stop()


def _stop() -> NoReturn:
    raise TemporaryError("The connector is stopping; this is done at the next start.")


class Paces:
    """The buckets of a process. Whoever reaches the same account gets the same ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._guard = threading.Lock()
        self._paces: dict[tuple[str, str], Pace] = {}

    def join(
        self,
        who: object,
        account: str,
        name: str,
        *,
        per_second: float,
        per_day: int,
        recorded: Callable[[], int],
        unrecorded: Callable[[], int],
    ) -> Pace:
        """The bucket of an account's ``writes`` or ``reads``. Where limits differ, the smallest counts.

        ``who`` joins until ``leave``. ``recorded``: calls of the account's last 24 hours in the ledger, whoever made
        them; ``unrecorded``: those of the one who joins that are not there yet.
        """
        with self._guard:
            pace = self._paces.get((account, name))
            if pace is None:
                allowance = Allowance(name, per_day, self._clock)
                pace = Pace(allowance, per_second, self._clock, self._began)
                self._paces[account, name] = pace
            pace.join(who, per_second)
            pace.allowance.join(who, Share(per_day, recorded, unrecorded))
        return pace

    def leave(self, who: object) -> None:
        """A connection has ended. Its buckets stay: whoever comes to the account next keeps their distance."""
        with self._guard:
            paces = list(self._paces.values())
        for pace in paces:
            pace.leave(who)
            pace.allowance.leave(who)
