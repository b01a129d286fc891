"""Keeps calls at the pace AWS allows: one bucket for each AWS account and quota class, shared by all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connector.errors import QuotaExhausted, TemporaryError
from connector.ports import Clock

MARGIN = 1.02
"""Turns come a little further apart than the quota asks, since the network may push two calls closer together."""
_EARLY = 0.001
"""A sleep that ends this many seconds early was not cut short, only rounded."""


class Turn:
    """The right to send one call now. Nobody else gets a turn until it has left or is over."""

    def __init__(self, leaving: Callable[[], None], release: Callable[[], None]) -> None:
        self._leaving = leaving
        self._release = release
        self._is_held = True

    def leave(self) -> None:
        """The bytes go out now (again, when botocore repeats a read): the next turn is counted from here."""
        self._leaving()
        self.end()

    def end(self) -> None:
        """The call is over, whether it has left or not."""
        if self._is_held:
            self._is_held = False
            self._release()


class Pace:
    """Spaces calls evenly (GCRA without burst) and refuses once a rolling day's allowance is spent.

    Whoever's turn it is holds it until the bytes leave, and the next turn is counted from then: a slow commit or
    TLS handshake delays the calls behind it, where it would else let them catch up and be throttled. ``spent``
    tells how many calls the last 24 hours saw, from the ledger, so that a restart forgets nothing.
    """

    def __init__(self, name: str, per_second: float, per_day: int, spent: Callable[[], int], clock: Clock) -> None:
        self._name = name
        self._interval = 1.0 / per_second
        self._per_day = per_day
        self._spent = spent
        self._clock = clock
        self._leaving = threading.Lock()
        self._counting = threading.Lock()
        self._next = clock.monotonic() + self._interval * MARGIN

    def wait_turn(self) -> Turn:
        """Return when the next call may leave; the caller ends the turn.

        Raises QuotaExhausted, or TemporaryError when the wait was cut short.
        """
        self._leaving.acquire()
        try:
            self._refuse_spent()
            self._wait()
        except BaseException:
            self._leaving.release()
            raise
        return Turn(self._note_departure, self._leaving.release)

    def slow_down(self, seconds: float) -> None:
        """AWS throttled: nobody leaves for this long."""
        self._not_before(self._clock.monotonic() + seconds)

    def _wait(self) -> None:
        # More than once when somebody slows down meanwhile.
        while (turn := self._next) > (now := self._clock.monotonic()):
            self._clock.sleep(turn - now)
            if self._clock.monotonic() < turn - _EARLY:
                raise TemporaryError("The connector is stopping; this is done at the next start.")
            if self._next == turn:
                break
        self._not_before(max(turn, now) + self._interval * MARGIN)

    def _note_departure(self) -> None:
        self._not_before(self._clock.monotonic() + self._interval)

    def _not_before(self, moment: float) -> None:
        with self._counting:
            self._next = max(self._next, moment)

    def _refuse_spent(self) -> None:
        if self._spent() >= self._per_day:
            raise QuotaExhausted(
                f"The {self._per_day} {self._name} that AWS allows in 24 hours are used up.",
                "Work goes on as they become free again; ask AWS for a higher quota if this happens often.",
                delay=600.0,
            )
