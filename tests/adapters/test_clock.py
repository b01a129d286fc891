"""The stop of a process and of its connections."""

from __future__ import annotations

import gc
import threading

from connector.adapters.clock import Stopping, SystemClock


def test_a_stop_reaches_all_below_and_none_beside() -> None:
    process = Stopping()
    first, second = process.child(), process.child()
    below = first.child()
    first.set()
    assert [one.is_set() for one in (process, first, below, second)] == [False, True, True, False]
    process.set()
    assert second.is_set()


def test_a_child_of_what_is_stopped_is_stopped() -> None:
    process = Stopping()
    process.set()
    assert process.child().child().is_set()


def test_a_child_that_nobody_holds_is_forgotten() -> None:
    process = Stopping()
    kept = process.child()
    for _ in range(100):
        process.child()
    gc.collect()
    assert list(process._children) == [kept]


def test_no_child_is_missed_by_a_stop_at_the_same_time() -> None:
    for _ in range(200):
        process, made = Stopping(), list[Stopping]()
        start = threading.Barrier(2)

        def make(process: Stopping = process, made: list[Stopping] = made, start: threading.Barrier = start) -> None:
            start.wait(10)
            made.extend(process.child() for _ in range(20))

        thread = threading.Thread(target=make)
        thread.start()
        start.wait(10)
        process.set()
        thread.join(10)
        assert all(one.is_set() for one in made)


def test_one_connection_s_stop_ends_its_sleep_alone() -> None:
    process = Stopping()
    stopped, other = process.child(), process.child()
    ended: list[str] = []
    sleepers = [
        threading.Thread(target=lambda one=one, name=name: (SystemClock(one).sleep(60), ended.append(name)))
        for name, one in (("stopped", stopped), ("other", other))
    ]
    for sleeper in sleepers:
        sleeper.start()
    stopped.set()
    sleepers[0].join(10)
    assert (ended, sleepers[1].is_alive()) == (["stopped"], True)
    process.set()
    sleepers[1].join(10)
    assert ended == ["stopped", "other"]
