"""APScheduler as a clock in one process: calls each job again some time after it ended, until told to stop.

A job that runs long is neither doubled nor dropped: its next run is only set once it is over. Jobs come in groups that
begin and end by themselves, and none waits for another: a thread is made where none is idle. No logic here.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any

from connector import tracing

logger = logging.getLogger(__name__)

GRACE = 13.0
"""Seconds that work in flight has to end after SIGTERM; an operation cut off then is looked up at the next start."""
SET_BACK = timedelta(seconds=1)
"""A clock that goes back further than that was set, and has not only been slow."""
THREADS = 10_000
"""No limit: a loop that hangs keeps its thread, and must not keep another one from getting one."""


@dataclass(frozen=True, slots=True)
class Job:
    """``run`` is called every ``every``, counted from the end of the run before. It must not raise."""

    name: str
    every: timedelta
    run: Callable[[], None]


def _nothing() -> None:
    """For a group whose end is no news."""


@dataclass(eq=False)
class Group:
    """Jobs that end together, once ``stopping`` is set and the group was retired: then ``over`` is called, once.

    Until ``over`` has returned, the group counts as in flight. It must not raise.
    """

    stopping: threading.Event
    over: Callable[[], None] = _nothing
    under_way: set[str] = field(default_factory=set)
    is_retired: bool = False
    is_over: bool = False


class Scheduler:
    """Runs jobs, each in a thread of its own, until ``stopping`` is set.

    ``signals`` are those that came in before it ran; ``on_hangup`` is called, as a job, for one or more SIGHUP.
    ``ended_by`` gives the exit code, and a sentence on why it ends, where something is cut off.
    """

    def __init__(
        self,
        stopping: threading.Event,
        on_hangup: Callable[[], None] = _nothing,
        signals: SimpleQueue[int] | None = None,
        ended_by: Callable[[], tuple[int, str]] = lambda: (0, ""),
    ) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        self._stopping = stopping
        # A handler may interrupt anything in the main thread, an event's own lock included; a SimpleQueue bears that.
        self._signals: SimpleQueue[int] = signals if signals is not None else SimpleQueue()
        self._guard = threading.Lock()
        self._groups: list[Group] = []
        self._is_asked = threading.Event()
        self._on_hangup = on_hangup
        self._ended_by = ended_by
        self._own = Group(stopping)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="loop")
        self._clock: Any = BackgroundScheduler(
            executors={"default": _executor_of(self._pool)},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
            timezone=UTC,
        )

    def add(self, jobs: Sequence[Job], group: Group | None = None) -> None:
        """Run these from now on. Nothing happens once the group is retired or all is stopping."""
        group = group or self._own
        with self._guard:
            may_begin = self._join(group)
        for job in jobs if may_begin else ():
            self._plan(group, job, timedelta(0))

    def once(self, job: Job, group: Group | None = None) -> None:
        """Run it now, but not again, unless it is under way."""
        group = group or self._own
        with self._guard:
            if not self._join(group) or job.name in group.under_way:
                return
            group.under_way.add(job.name)
        self._pool.submit(self._run, group, job, repeats=False)

    def is_under_way(self, job: Job, group: Group) -> bool:
        with self._guard:
            return job.name in group.under_way

    def retire(self, group: Group) -> None:
        """Begin no job of the group any more; what is under way ends by itself, and then ``over`` is called."""
        with self._guard:
            group.is_retired = True
            is_last = self._is_last(group)
        if is_last:
            self._end(group)

    def hear(self) -> None:
        """From now on signals are noted, and heeded once this runs. To be called in the main thread before any starts.

        A handler that raises may do so in the middle of a thread's start, of which the pool then never knows; the
        process would wait for it for ever.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: self._signals.put(number))

    def run(self) -> None:
        """Run until told to stop; SIGTERM and SIGINT do that. Returns once what was in flight is over."""
        self.hear()
        self._clock.start()
        self._await_stop()
        self._clock.pause()
        # Waits until APScheduler's own thread is past handing out what was due, which must not meet a closed pool.
        self._clock.remove_all_jobs()
        with self._guard:
            groups = list(self._groups)
        for group in groups:
            # Not here: what a group does at its end may hang, as with the ledger, and has no longer than the grace.
            self._pool.submit(self.retire, group)
        self._await_end()
        self._clock.shutdown(wait=False)

    def _await_stop(self) -> None:
        ahead = _ahead()
        while not self._stopping.is_set():
            before, ahead = ahead, _ahead()
            if before - ahead > SET_BACK:
                self._bring_forward(before - ahead)
            if self._is_asked.is_set():
                # Where one is under way, this is asked again a second later, so that no SIGHUP is lost.
                self.once(Job("reload", timedelta(0), self._answer_hangup))
            try:
                number = self._signals.get(timeout=1.0)
            except Empty:
                continue
            if number == signal.SIGHUP:
                self._is_asked.set()
            else:
                self._stopping.set()

    def _bring_forward(self, by: timedelta) -> None:
        """The machine's clock was set back, and APScheduler goes by it: nothing would run for as long as that."""
        from apscheduler.jobstores.base import JobLookupError

        for job in self._clock.get_jobs():
            with suppress(JobLookupError):  # its turn came meanwhile
                job.modify(next_run_time=job.next_run_time - by)

    def _answer_hangup(self) -> None:
        self._is_asked.clear()
        self._on_hangup()

    def _join(self, group: Group) -> bool:
        """Count the group in, so that its end is waited for. False once it, or all, is stopping."""
        if group.is_retired or group.stopping.is_set() or self._stopping.is_set():
            return False
        if group not in self._groups:
            self._groups.append(group)
        return True

    def _plan(self, group: Group, job: Job, after: timedelta) -> None:
        # A job of its own to APScheduler each time: of one that it counts as running still, it would drop the next run.
        self._clock.add_job(
            self._begin,
            "date",
            run_date=datetime.now(UTC) + after,
            args=[group, job],
        )

    def _begin(self, group: Group, job: Job) -> None:
        with self._guard:
            if not self._join(group) or job.name in group.under_way:
                return
            group.under_way.add(job.name)
        self._run(group, job, repeats=True)

    def _run(self, group: Group, job: Job, *, repeats: bool) -> None:
        try:
            job.run()
        except Exception:
            logger.exception("%s failed where it must not.", job.name, extra={"event": "job_crashed"})
        finally:
            with self._guard:
                group.under_way.discard(job.name)
                is_last = self._is_last(group)
                repeats = repeats and not group.is_retired
            if is_last:
                self._end(group)
            elif repeats and not self._stopping.is_set():
                self._plan(group, job, job.every)

    def _is_last(self, group: Group) -> bool:
        """Whether the group has come to its end, told only once."""
        if not group.is_retired or group.under_way or group.is_over:
            return False
        group.is_over = True
        return True

    def _end(self, group: Group) -> None:
        try:
            group.over()
        except Exception:
            logger.exception("The end of a connection failed where it must not.", extra={"event": "job_crashed"})
        finally:
            with self._guard:
                if group in self._groups:
                    self._groups.remove(group)

    def _await_end(self) -> None:
        waiting = threading.Event()
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline:
            if not self._in_flight():
                return
            waiting.wait(0.1)
        names = ", ".join(name for group in self._in_flight() for name in sorted(group.under_way))
        names = names or "what is noted at the end"
        code, why = self._ended_by()
        told = "Still in flight, looked up at the next start: %s.%s"
        logger.warning(told, names, f" {why}" if why else "", extra={"event": "cut_off"})
        tracing.stop()
        logging.shutdown()
        os._exit(code)

    def _in_flight(self) -> list[Group]:
        with self._guard:
            return list(self._groups)


def _ahead() -> timedelta:
    """How far the clock of the machine is ahead of the one that nobody sets."""
    return datetime.now(UTC) - datetime.fromtimestamp(time.monotonic(), UTC)


def _executor_of(pool: ThreadPoolExecutor) -> Any:
    """APScheduler runs its jobs in these threads, which others may use as well."""
    from apscheduler.executors.pool import BasePoolExecutor

    class Threads(BasePoolExecutor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(pool)

    return Threads()
