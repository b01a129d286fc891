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

    def run(self) -> None:
        """Run until told to stop; SIGTERM and SIGINT do that. Returns once what was in flight is over."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(len(self._jobs), 1))},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )
        for job in self._jobs:
            self._plan(scheduler, job, timedelta(0))
        scheduler.start()
        while not self._stopping.wait(1.0):
            pass
        scheduler.pause()
        self._await_end()
        scheduler.shutdown(wait=False)

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
        if self._stopping.is_set():
            return
        self._running.add(job.name)
        try:
            job.run()
        finally:
            self._running.discard(job.name)
            if not self._stopping.is_set():
                self._plan(scheduler, job, job.every)

    def _await_end(self) -> None:
        waiting = threading.Event()
        for _ in range(int(GRACE * 10)):
            if not self._running:
                return
            waiting.wait(0.1)
        names = ", ".join(sorted(self._running))
        logger.warning("Still in flight, looked up at the next start: %s.", names, extra={"event": "cut_off"})
        logging.shutdown()
        os._exit(0)
