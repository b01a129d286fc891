"""One turn of one connection: its verbs run side by side, as in a daemon, until nothing is due or others wait.

Whatever was remembered of an earlier turn may be out of date, since another worker may have had the connection in
between: a turn begins with what the ledger says. Clients, logins and compiled mappings are kept.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from connector import log, tracing
from connector.adapters.clock import Stopping
from connector.adapters.ledger import Ledger, Waiting
from connector.config import Schedule
from connector.errors import ConnectorError, LedgerUnavailable, TemporaryError
from connector.fleet.dues import REVIEW, Habits, due_verbs
from connector.fleet.trouble import TROUBLE, Troubles, mark_of, to_text
from connector.sync import Context
from connector.sync.guards import Memory
from connector.sync.verbs import Verb, verbs_of
from connector.watch.beats import Beats

logger = logging.getLogger(__name__)

ROUND = 0.5
"""Seconds between two looks at the ledger while verbs are at work."""
GAP = 0.25
"""Seconds until a verb runs again that has just ended and is due once more."""
COUNTED_EVERY = 10.0
"""Seconds until calls are added to the ledger: a turn may last for hours, and what died with it was never counted."""
READING = frozenset({"pull", "requests"})
"""Verbs that a turn's end does not cut off, since they would begin from the start: they ask Salesforce only."""


def fresh(context: Context, ledger: Ledger) -> Context:
    """The context for one turn: the clients of before, the ledger of this turn, and no memory of an earlier one.

    Only what was told already is remembered, so that nobody reads it at every turn.
    """
    assert isinstance(context.stopping, Stopping)
    return replace(
        context,
        ledger=ledger,
        stopping=context.stopping.child(),
        submitted=threading.Event(),
        creating=threading.Lock(),
        guards=Memory(told=context.guards.told),
    )


def verbs_in(context: Context, kept: Context, schedule: Schedule) -> dict[str, Verb]:
    """The verbs of a turn by name. ``kept`` is the connection's own context, whose stop is not that of the turn."""
    reading = replace(context, stopping=kept.stopping)
    every = (schedule.pull, schedule.observe, schedule.full_sweep)
    ending = {verb.name: verb for verb in verbs_of(context, *every)}
    whole = {verb.name: verb for verb in verbs_of(reading, *every) if verb.name in READING}
    return {**ending, **whole}


@dataclass
class Turn:
    """``has_to_end`` is asked once its time is up: where nobody else waits, it goes on. ``count`` adds the calls that
    were made to the ledger."""

    kept: Context
    context: Context
    schedule: Schedule
    habits: Habits
    lasts: timedelta
    pool: Executor
    beats: Beats
    has_to_end: Callable[[], bool]
    count: Callable[[], None] = lambda: None
    ran: set[str] = field(default_factory=set)
    lost: LedgerUnavailable | None = None
    _marks: Mapping[str, str] = field(default_factory=dict)
    _troubles: Troubles = field(default_factory=Troubles)
    _ended: dict[str, float] = field(default_factory=dict)
    _running: dict[Future[object], str] = field(default_factory=dict)

    def run(self, waiting: Waiting) -> bool:
        """Serve the connection, beginning with what waits. Gives whether something is due that has to wait.

        Returns, or raises, only once nothing of it is under way any more.
        """
        try:
            return self._run_all(waiting)
        finally:
            self.context.stopping.set()
            wait(self._running)

    def _run_all(self, waiting: Waiting) -> bool:
        verbs = verbs_in(self.context, self.kept, self.schedule)
        clock = self.context.clock
        until = clock.monotonic() + self.lasts.total_seconds()
        count_at = clock.monotonic() + COUNTED_EVERY
        self._learn(waiting)
        if self._marks.get(REVIEW):
            self.context.submitted.set()
        due: Sequence[str] = due_verbs(waiting, self.habits, self.context.now)
        while True:
            if not self._is_ending:
                self._start([verbs[name] for name in due if name in verbs])
            if not self._running and (self._is_ending or not due):
                return bool(due) and self.lost is None
            self._await()
            if clock.monotonic() >= until and not self._is_ending and self.has_to_end():
                self.context.stopping.set()
            if clock.monotonic() >= count_at and self.lost is None:
                self.count()
                count_at = clock.monotonic() + COUNTED_EVERY
            due = self._look(due)

    @property
    def _is_ending(self) -> bool:
        return self.context.stopping.is_set()

    def _look(self, before: Sequence[str]) -> Sequence[str]:
        """What is due now; what was before, where the ledger cannot be asked: then the turn ends."""
        key = self.context.key
        try:
            waiting = self.context.ledger.waiting([key], self.habits.marks, self.context.now)  # type: ignore[attr-defined]
            self._learn(waiting[self.context.name])
            self._remember_review()
        except LedgerUnavailable as error:
            self._lose(error)
            return before
        except TemporaryError:
            return before
        return due_verbs(waiting[self.context.name], self.habits, self.context.now)

    def _learn(self, waiting: Waiting) -> None:
        self._marks = waiting.marks
        self._troubles = Troubles.from_text(waiting.marks.get(TROUBLE, ""))

    def _remember_review(self) -> None:
        """A review that is worth a look is looked at by whoever has the connection then."""
        wanted = "due" if self.context.submitted.is_set() else ""
        if self._marks.get(REVIEW, "") != wanted:
            self.context.ledger.set_watermark(self.context.name, REVIEW, wanted)

    def _start(self, verbs: Sequence[Verb]) -> None:
        now = self.context.clock.monotonic()
        for verb in verbs:
            if verb.name not in self._running.values() and now - self._ended.get(verb.name, -math.inf) >= GAP:
                self._running[self.pool.submit(partial(self._run, verb))] = verb.name

    def _run(self, verb: Verb) -> None:
        self.beats.began(self.context.name, verb.name, self.context.now)
        with log.within(self.context.name), tracing.look(verb.name, self.context.name):
            verb.run()

    def _await(self) -> None:
        """Wait a round, or until a verb is over."""
        if not self._running:
            self.context.stopping.wait(GAP)
            return
        done, _ = wait(self._running, timeout=ROUND, return_when=FIRST_COMPLETED)
        for future in done:
            name = self._running.pop(future)
            self._ended[name] = self.context.clock.monotonic()
            self.ran.add(name)
            self._note(name, future.exception())

    def _note(self, verb: str, error: BaseException | None) -> None:
        now = self.context.now
        if error is None:
            self.beats.succeeded(self.context.name, verb, now)
            self._recovered(verb)
        elif isinstance(error, LedgerUnavailable):
            self._lose(error)
        elif isinstance(error, Exception) and not self.kept.stopping.is_set():
            self.beats.failed(self.context.name, verb, error, now)
            self._failed(verb, error)

    def _lose(self, error: LedgerUnavailable) -> None:
        """The fence or the ledger is gone: end at once. Nothing that still waits for its turn at AWS may be sent."""
        if not self.kept.stopping.is_set():
            self.lost = self.lost or error
        self.kept.stopping.set()

    def _failed(self, verb: str, error: Exception) -> None:
        known = self._troubles.of.get(verb)
        self._keep(self._troubles.failed(verb, error, self.context.now))
        tell(self.context.name, verb, error, known.told if known is not None else "")

    def _recovered(self, verb: str) -> None:
        if verb in self._troubles.of:
            self._keep(self._troubles.without(verb))
            extra = {"event": "recovered", "connection": self.context.name, "job": verb}
            logger.info("%s of %s works again.", verb, self.context.name, extra=extra)

    def _keep(self, troubles: Troubles) -> None:
        self._troubles = troubles
        try:
            self.context.ledger.set_watermark(self.context.name, TROUBLE, troubles.to_text())
        except LedgerUnavailable as error:
            self._lose(error)
        except TemporaryError:
            pass  # the next failure is noted


def tell(connection: str, verb: str, error: Exception, told: str) -> None:
    """A line of what a verb failed of, unless it was told in the same words."""
    if mark_of(error) == told:
        return
    level = logging.WARNING if isinstance(error, TemporaryError) else logging.ERROR
    unexpected = None if isinstance(error, ConnectorError) else error
    extra = {"event": "job_failed", "connection": connection, "job": verb}
    logger.log(level, "%s of %s: %s", verb, connection, to_text(error), extra=extra, exc_info=unexpected)
