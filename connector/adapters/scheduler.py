"""APScheduler as a clock in one process: calls each job again some time after it ended, until told to stop.

A job that runs long is neither doubled nor dropped: its next run is only set once it is over. No logic here.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any

logger = logging.getLogger(__name__)

GRACE = 13.0
"""Seconds that work in flight has to end after SIGTERM; an operation cut off then is looked up at the next start."""


@dataclass(frozen=True, slots=True)
class Job:
    """``run`` is called every ``every``, counted from the end of the run before. It must not raise."""

    name: str
    every: timedelta
    run: Callable[[], None]


class Scheduler:
    """Runs jobs, each in a thread of its own, until ``stopping`` is set."""

    def __init__(self, jobs: Sequence[Job], stopping: threading.Event) -> None:
        self._jobs = jobs
        self._stopping = stopping
        self._running: set[str] = set()
        self._starting = threading.Lock()

    def run(self) -> None:
        """Run until told to stop; SIGTERM and SIGINT do that. Returns once what was in flight is over."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        # A handler may interrupt anything in this thread, the event's own lock included; a SimpleQueue bears that.
        told: SimpleQueue[int] = SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: told.put(number))
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(len(self._jobs), 1))},
            # Two, since a job plans its next run while APScheduler still counts the one that just ended.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 2},
            timezone=UTC,
        )
        for job in self._jobs:
            self._plan(scheduler, job, timedelta(0))
        scheduler.start()
        self._await_stop(told)
        scheduler.pause()
        # Waits until APScheduler's own thread is past handing out what was due, which must not meet a closed pool.
        scheduler.remove_all_jobs()
        self._await_end()
        scheduler.shutdown(wait=False)

    def _await_stop(self, told: SimpleQueue[int]) -> None:
        while not self._stopping.is_set():
            try:
                told.get(timeout=1.0)
            except Empty:
                continue
            self._stopping.set()

    def _plan(self, scheduler: Any, job: Job, after: timedelta) -> None:
        scheduler.add_job(
            self._run_once,
            "date",
            run_date=datetime.now(UTC) + after,
            args=[scheduler, job],
            id=job.name,
            replace_existing=True,
        )

    def _run_once(self, scheduler: Any, job: Job) -> None:
        with self._starting:
            if self._stopping.is_set():
                return
            self._running.add(job.name)
        try:
            job.run()
        finally:
            with self._starting:
                self._running.discard(job.name)
            if not self._stopping.is_set():
                self._plan(scheduler, job, job.every)

    def _await_end(self) -> None:
        waiting = threading.Event()
        for _ in range(int(GRACE * 10)):
            if not self._names_running():
                return
            waiting.wait(0.1)
        names = ", ".join(self._names_running())
        logger.warning("Still in flight, looked up at the next start: %s.", names, extra={"event": "cut_off"})
        logging.shutdown()
        os._exit(0)

    def _names_running(self) -> list[str]:
        with self._starting:
            return sorted(self._running)
