"""The scheduler: jobs again and again, never twice at once, and an end in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo

import pytest
from apscheduler.schedulers import base as apscheduler_module

from connector.adapters import scheduler as scheduler_module
from connector.adapters.clock import Stopping, SystemClock
from connector.adapters.scheduler import Group, Job, Scheduler

PATIENCE = 10.0


@pytest.fixture
def _signals() -> Iterator[None]:
    """The handlers that were in force before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run_jobs(stopping: threading.Event, *jobs: Job) -> None:
    """A scheduler with these jobs, until it is stopped."""
    scheduler = Scheduler(stopping)
    scheduler.add(jobs)
    scheduler.run()


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
    run_jobs(stopping, Job("one", timedelta(seconds=every), job.run))
    assert (len(job.ended), job.most) == (12, 1)
    gaps = [began - ended for began, ended in zip(job.began[1:], job.ended, strict=False)]
    assert all(every <= gap < every + 1 for gap in gaps)


@pytest.mark.usefixtures("_signals")
def test_a_long_job_is_not_doubled_and_holds_no_other_up() -> None:
    stopping = threading.Event()
    short = Recorder(stopping, 30)
    long = Recorder(threading.Event(), 1, lambda: bool(stopping.wait(PATIENCE)))  # type: ignore[arg-type, return-value]
    jobs = [Job("long", timedelta(0), long.run), Job("short", timedelta(milliseconds=2), short.run)]
    run_jobs(stopping, *jobs)
    assert len(short.ended) >= 30
    assert (len(long.began), len(long.ended), long.most) == (1, 1, 1)


@pytest.mark.usefixtures("_signals")
def test_a_job_that_ends_late_comes_again() -> None:
    stopping = threading.Event()
    hold = threading.Event()
    other = Recorder(hold, 5)
    long = Recorder(stopping, 2, lambda: bool(hold.wait(PATIENCE)))  # type: ignore[arg-type, return-value]
    jobs = [Job("long", timedelta(0), long.run), Job("other", timedelta(milliseconds=1), other.run)]
    run_jobs(stopping, *jobs)
    assert (len(long.ended), long.most) == (2, 1)


class Preempted(Scheduler):
    """A scheduler whose threads lose the processor right after they planned the next run."""

    def _plan(self, group: Group, job: Job, after: timedelta) -> None:
        super()._plan(group, job, after)
        if threading.current_thread() is not threading.main_thread():
            threading.Event().wait(0.05)


@pytest.mark.usefixtures("_signals")
def test_a_job_that_is_due_before_the_last_run_is_put_away_is_not_dropped() -> None:
    stopping = threading.Event()
    job = Recorder(stopping, 4)
    giving_up = threading.Timer(PATIENCE, stopping.set)
    giving_up.start()
    scheduler = Preempted(stopping)
    scheduler.add([Job("one", timedelta(0), job.run)])
    scheduler.run()
    giving_up.cancel()
    assert (len(job.ended), job.most) == (4, 1)


@pytest.mark.usefixtures("_signals")
def test_nothing_runs_once_stopped() -> None:
    stopping = threading.Event()
    stopping.set()
    job = Recorder(stopping, 1)
    run_jobs(stopping, Job("one", timedelta(0), job.run))
    assert job.began == []


# groups


class Running:
    """A scheduler that runs in the main thread while ``script`` acts in another; what that raises is raised."""

    def __init__(self) -> None:
        self.stopping = Stopping()
        self.hangups: list[int] = []
        self.scheduler = Scheduler(self.stopping, lambda: self.hangups.append(1))
        self.trouble: list[BaseException] = []

    def while_running(self, script: Callable[[], None]) -> None:
        def act() -> None:
            try:
                script()
            except BaseException as error:
                self.trouble.append(error)
            finally:
                self.stopping.set()

        thread = threading.Thread(target=act)
        thread.start()
        self.scheduler.run()
        thread.join(PATIENCE)
        if self.trouble:
            raise self.trouble[0]


@pytest.fixture
def running(_signals: None) -> Running:
    return Running()


def wait(event: threading.Event) -> None:
    assert event.wait(PATIENCE)


def test_a_group_ends_alone_once_what_is_in_flight_is_over(running: Running) -> None:
    ended = threading.Event()
    hold, over = threading.Event(), threading.Event()
    began, other = threading.Event(), threading.Semaphore(0)
    group = Group(running.stopping.child(), over.set)

    def script() -> None:
        wait(began)
        group.stopping.set()
        running.scheduler.retire(group)
        for _ in range(3):
            assert other.acquire(timeout=PATIENCE), "the other group goes on"
        assert not over.is_set()
        hold.set()
        wait(over)
        assert ended.is_set()
        running.scheduler.add([Job("late", timedelta(0), lambda: ended.clear())], group)
        running.scheduler.once(Job("late", timedelta(0), lambda: ended.clear()), group)
        for _ in range(3):
            assert other.acquire(timeout=PATIENCE)
        assert ended.is_set(), "nothing of it begins any more"

    def work() -> None:
        began.set()
        wait(hold)
        ended.set()

    running.scheduler.add([Job("long", timedelta(0), work)], group)
    running.scheduler.add([Job("other", timedelta(milliseconds=1), other.release)])  # type: ignore[list-item]
    running.while_running(script)


def test_a_group_at_rest_is_over_at_once_and_once(running: Running) -> None:
    told: list[int] = []
    group = Group(running.stopping.child(), lambda: told.append(1))
    running.scheduler.add([Job("rare", timedelta(hours=1), lambda: None)], group)

    def script() -> None:
        for _ in range(2):
            running.scheduler.retire(group)

    running.while_running(script)
    assert told == [1]


def test_every_group_is_over_before_it_returns(running: Running) -> None:
    told: list[str] = []
    began = threading.Barrier(4)

    def work(name: str) -> Callable[[], None]:
        def run() -> None:
            began.wait(PATIENCE)
            running.stopping.wait(PATIENCE)
            told.append(f"{name} ended")

        return run

    for name in ("a", "b", "c"):
        group = Group(running.stopping.child(), lambda name=name: told.append(f"{name} over"))  # type: ignore[misc]
        running.scheduler.add([Job(name, timedelta(hours=1), work(name))], group)
    running.while_running(lambda: bool(began.wait(PATIENCE)) and None)
    assert sorted(told) == sorted(f"{name} {what}" for name in "abc" for what in ("ended", "over"))
    assert all(told.index(f"{name} ended") < told.index(f"{name} over") for name in "abc")


def test_what_is_asked_for_once_runs_once_and_not_beside_itself(running: Running) -> None:
    began, hold, runs = threading.Event(), threading.Event(), list[int]()

    def work() -> None:
        runs.append(1)
        began.set()
        wait(hold)

    job = Job("on demand", timedelta(0), work)

    def script() -> None:
        for _ in range(5):
            running.scheduler.once(job)
        wait(began)
        running.scheduler.once(job)
        assert len(runs) == 1
        began.clear()
        hold.set()
        deadline = time.monotonic() + PATIENCE
        while len(runs) < 2 and time.monotonic() < deadline:
            running.scheduler.once(job)
            began.wait(0.01)
        assert len(runs) == 2

    running.while_running(script)


def test_hundreds_that_hang_keep_no_other_from_running(running: Running) -> None:
    hold, quick = threading.Event(), threading.Semaphore(0)
    hanging = threading.Semaphore(0)

    def hang() -> None:
        hanging.release()
        wait(hold)

    def script() -> None:
        for _ in range(300):
            assert hanging.acquire(timeout=PATIENCE)
        for _ in range(20):
            assert quick.acquire(timeout=PATIENCE)
        hold.set()

    running.scheduler.add([Job(f"hangs {number}", timedelta(hours=1), hang) for number in range(300)])
    running.scheduler.add([Job("quick", timedelta(milliseconds=1), quick.release)])  # type: ignore[list-item]
    running.while_running(script)


def test_sighups_are_answered_together_and_none_is_lost(running: Running) -> None:
    began, hold = threading.Event(), threading.Event()
    answered = threading.Semaphore(0)

    def answer() -> None:
        began.set()
        wait(hold)
        answered.release()

    running.scheduler = Scheduler(running.stopping, answer)

    def script() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        wait(began)
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
        hold.set()
        for _ in range(2):
            assert answered.acquire(timeout=PATIENCE), "the first, and one for those that came meanwhile"
        assert not answered.acquire(timeout=1.5)

    started = threading.Event()
    running.scheduler.add([Job("start", timedelta(hours=1), started.set)])
    running.while_running(lambda: (wait(started), script())[1])


SCRIPT = """
import logging, signal, sys, threading
from datetime import timedelta
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
running = scheduler.Scheduler(stopping)
running.add([scheduler.Job("advance acme", timedelta(hours=1), work)])
running.run()
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


END_HANGS = """
import sys, threading
from datetime import timedelta
from connector.adapters import scheduler
scheduler.GRACE = 0.5
stopping, never = threading.Event(), threading.Event()
running = scheduler.Scheduler(stopping)
group = scheduler.Group(stopping, lambda: print("ending", flush=True) or never.wait())
running.add([scheduler.Job("rare", timedelta(hours=1), stopping.set)], group)
running.run()
print("returned", flush=True)
"""


def test_an_end_that_hangs_longer_than_the_grace_is_cut_off() -> None:
    """As that of a connection whose last calls are noted in a ledger that does not answer."""
    done = subprocess.run([sys.executable, "-c", END_HANGS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "ending\n")
    assert "Still in flight, looked up at the next start: what is noted at the end." in done.stderr


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


@pytest.mark.usefixtures("_signals")
def test_a_clock_that_is_set_back_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a machine starts hours ahead and hears of the right time a minute later."""
    shift = timedelta(hours=2)

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Shifted:
            return cls.fromtimestamp(time.time() + shift.total_seconds(), tz)

    for module in (scheduler_module, apscheduler_module):
        monkeypatch.setattr(module, "datetime", Shifted)
    stopping = threading.Event()

    def set_back() -> None:
        nonlocal shift
        shift = timedelta(0)

    def soon() -> None:
        """While the next run is planned and waits."""
        if len(job.began) == 3:
            threading.Timer(0.15, set_back).start()

    job = Recorder(stopping, 6, soon)
    late = threading.Timer(3 * PATIENCE, stopping.set)
    late.start()
    run_jobs(stopping, Job("one", timedelta(milliseconds=300), job.run))
    late.cancel()
    assert (len(job.ended), shift) == (6, timedelta(0))
