"""The scheduler: jobs again and again, never twice at once, and an end in time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from connector.adapters.clock import SystemClock
from connector.adapters.scheduler import Job, Scheduler

PATIENCE = 10.0


@pytest.fixture
def _signals() -> Iterator[None]:
    """The handlers that were in force before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Recorder:
    """A job that says when it ran and stops the scheduler after some runs."""

    def __init__(self, stopping: threading.Event, runs: int, work: Callable[[], None] = lambda: None) -> None:
        self.stopping = stopping
        self.runs = runs
        self.work = work
        self.began: list[float] = []
        self.ended: list[float] = []
        self.under_way = 0
        self.most = 0

    def run(self) -> None:
        self.began.append(time.monotonic())
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.work()
        self.under_way -= 1
        self.ended.append(time.monotonic())
        if len(self.ended) >= self.runs:
            self.stopping.set()


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize("every", [0.0, 0.001, 0.02])
def test_a_job_runs_again_after_it_ended_and_never_overlaps(every: float) -> None:
    stopping = threading.Event()
    pause = threading.Event()
    job = Recorder(stopping, 12, lambda: bool(pause.wait(0.03)))  # type: ignore[arg-type, return-value]
    Scheduler([Job("one", timedelta(seconds=every), job.run)], stopping).run()
    assert (len(job.ended), job.most) == (12, 1)
    gaps = [began - ended for began, ended in zip(job.began[1:], job.ended, strict=False)]
    assert all(every <= gap < every + 1 for gap in gaps)


@pytest.mark.usefixtures("_signals")
def test_a_long_job_is_not_doubled_and_holds_no_other_up() -> None:
    stopping = threading.Event()
    short = Recorder(stopping, 30)
    long = Recorder(threading.Event(), 1, lambda: bool(stopping.wait(PATIENCE)))  # type: ignore[arg-type, return-value]
    jobs = [Job("long", timedelta(0), long.run), Job("short", timedelta(milliseconds=2), short.run)]
    Scheduler(jobs, stopping).run()
    assert len(short.ended) >= 30
    assert (len(long.began), len(long.ended), long.most) == (1, 1, 1)


@pytest.mark.usefixtures("_signals")
def test_a_job_that_ends_late_comes_again() -> None:
    stopping = threading.Event()
    hold = threading.Event()
    other = Recorder(hold, 5)
    long = Recorder(stopping, 2, lambda: bool(hold.wait(PATIENCE)))  # type: ignore[arg-type, return-value]
    jobs = [Job("long", timedelta(0), long.run), Job("other", timedelta(milliseconds=1), other.run)]
    Scheduler(jobs, stopping).run()
    assert (len(long.ended), long.most) == (2, 1)


class Preempted(Scheduler):
    """A scheduler whose threads lose the processor right after they planned the next run."""

    def _plan(self, scheduler: Any, job: Job, after: timedelta) -> None:
        super()._plan(scheduler, job, after)
        if threading.current_thread() is not threading.main_thread():
            threading.Event().wait(0.05)


@pytest.mark.usefixtures("_signals")
def test_a_job_that_is_due_before_the_last_run_is_put_away_is_not_dropped() -> None:
    stopping = threading.Event()
    job = Recorder(stopping, 4)
    giving_up = threading.Timer(PATIENCE, stopping.set)
    giving_up.start()
    Preempted([Job("one", timedelta(0), job.run)], stopping).run()
    giving_up.cancel()
    assert (len(job.ended), job.most) == (4, 1)


@pytest.mark.usefixtures("_signals")
def test_nothing_runs_once_stopped() -> None:
    stopping = threading.Event()
    stopping.set()
    job = Recorder(stopping, 1)
    Scheduler([Job("one", timedelta(0), job.run)], stopping).run()
    assert job.began == []


SCRIPT = """
import logging, signal, sys, threading
from datetime import timedelta
from typing import Any
from connector.adapters import scheduler
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
scheduler.GRACE = float(sys.argv[2])
stopping = threading.Event()
started = threading.Event()
def work():
    started.set()
    print("working", flush=True)
    threading.Event().wait(float(sys.argv[1]))
    print("finished", flush=True)
scheduler.Scheduler([scheduler.Job("advance acme", timedelta(hours=1), work)], stopping).run()
print("returned", flush=True)
"""


def stop_while_working(work: float, grace: float, number: int, times: int = 1) -> tuple[int, str, str, float]:
    """Exit code, output, log and the seconds it took to end."""
    command = [sys.executable, "-c", SCRIPT, str(work), str(grace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        told = time.monotonic()
        for _ in range(times):
            process.send_signal(number)
        output, log = process.communicate(timeout=PATIENCE)
        return process.returncode, output, log, time.monotonic() - told


@pytest.mark.parametrize(("number", "times"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 3)])
def test_a_signal_lets_what_is_in_flight_finish(number: int, times: int) -> None:
    code, output, log, seconds = stop_while_working(0.5, 13.0, number, times)
    assert (code, output, "Still in flight" in log) == (0, "finished\nreturned\n", False)
    assert seconds < 5


def test_a_job_that_hangs_longer_than_the_grace_is_cut_off() -> None:
    code, output, log, seconds = stop_while_working(60.0, 0.5, signal.SIGTERM)
    assert (code, output) == (0, "")
    assert "Still in flight, looked up at the next start: advance acme." in log
    assert 0.4 < seconds < 5


def test_the_clock_sleeps_until_it_is_stopped() -> None:
    stopping = threading.Event()
    clock = SystemClock(stopping)
    began = clock.monotonic()
    clock.sleep(0.05)
    clock.sleep(-1)
    assert 0.05 <= clock.monotonic() - began < 1
    stopping.set()
    clock.sleep(60)
    assert clock.monotonic() - began < 1
    assert clock.now().utcoffset() == timedelta(0)
