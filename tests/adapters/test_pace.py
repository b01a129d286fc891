"""The pace, by a clock moved by hand: never faster than allowed, whatever the calls do, and never asleep at a stop."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from connector.adapters.partner_central.pace import MARGIN, Pace
from connector.errors import QuotaExhausted, TemporaryError


class HandClock:
    """Time passes only by sleeping, or by hand. ``on_sleep`` may interfere; a stopped clock does not sleep."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.stopped = False
        self.on_sleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.on_sleep()
        if not self.stopped:
            self.time += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def pace_of(clock: HandClock, per_second: float = 1.0, per_day: int = 10**9, spent: int = 0) -> Pace:
    return Pace("writes", per_second, per_day, lambda: spent, clock)


def leave(pace: Pace) -> None:
    pace.wait_turn().leave()


@pytest.mark.parametrize("per_second", [0.1, 1, 7, 10, 1000])
def test_calls_are_evenly_spaced(clock: HandClock, per_second: float) -> None:
    pace = pace_of(clock, per_second)
    leaving = []
    for _ in range(50):
        leave(pace)
        leaving.append(clock.time)
    gaps = [b - a for a, b in itertools.pairwise(leaving)]
    assert gaps == pytest.approx([MARGIN / per_second] * 49)


def test_a_restart_begins_with_a_whole_interval(clock: HandClock) -> None:
    leave(pace_of(clock))
    assert clock.time == pytest.approx(1000 + MARGIN)
    leave(pace_of(clock))
    assert clock.time == pytest.approx(1000 + 2 * MARGIN)


def test_idle_time_is_not_saved_up(clock: HandClock) -> None:
    pace = pace_of(clock)
    clock.time += 3600
    leave(pace)
    assert clock.time == 4600
    leave(pace)
    assert clock.time == pytest.approx(4600 + MARGIN)


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_no_window_ever_sees_more_than_the_rate(clock: HandClock, rate: float) -> None:
    """Calls prepare for any time before they leave, as with commits and handshakes; some never leave."""
    chance = random.Random(7)
    pace = pace_of(clock, rate)
    leaving = []
    for _ in range(500):
        turn = pace.wait_turn()
        clock.time += chance.choice([0.0, 0.0, 0.001, 0.3, 2.0]) / rate
        if chance.random() < 0.9:
            turn.leave()
            leaving.append(clock.time)
        turn.end()
        clock.time += chance.choice([0.0, 0.0, 5.0]) / rate
    for window in (1, 2, 10):
        most = max(sum(start <= at < start + window / rate for at in leaving) for start in leaving)
        assert most <= window + 1e-9


def test_a_slow_departure_delays_the_next_instead_of_being_caught_up_with(clock: HandClock) -> None:
    pace = pace_of(clock)
    turn = pace.wait_turn()
    clock.time += 0.5
    turn.leave()
    left = clock.time
    leave(pace)
    assert clock.time - left == pytest.approx(1.0)


def test_the_margin_absorbs_a_quick_preparation(clock: HandClock) -> None:
    pace = pace_of(clock)
    turn = pace.wait_turn()
    due = clock.time
    clock.time += 0.01
    turn.leave()
    leave(pace)
    assert clock.time - due == pytest.approx(MARGIN)


def test_a_call_that_never_left_leaves_its_turn_to_the_next(clock: HandClock) -> None:
    pace = pace_of(clock)
    turn = pace.wait_turn()
    due = clock.time
    clock.time += 0.9
    turn.end()
    turn.end()
    leave(pace)
    assert clock.time - due == pytest.approx(MARGIN)


def test_a_repeated_departure_counts_again(clock: HandClock) -> None:
    pace = pace_of(clock)
    turn = pace.wait_turn()
    turn.leave()
    clock.time += 5
    turn.leave()
    again = clock.time
    leave(pace)
    assert clock.time - again == pytest.approx(1.0)


def test_threads_share_one_pace_and_one_leaves_at_a_time(clock: HandClock) -> None:
    pace = pace_of(clock, 10)
    preparing: list[int] = []
    together: list[int] = []
    leaving: list[float] = []

    def call(number: int) -> None:
        turn = pace.wait_turn()
        preparing.append(number)
        together.append(len(preparing))
        clock.time += 0.05
        leaving.append(clock.time)
        preparing.remove(number)
        turn.leave()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(100)))
    assert set(together) == {1}
    assert min(b - a for a, b in itertools.pairwise(sorted(leaving))) >= 0.1 - 1e-9


def test_what_has_left_holds_nobody_up(clock: HandClock) -> None:
    pace = pace_of(clock)
    under_way = pace.wait_turn()
    under_way.leave()
    thread = threading.Thread(target=leave, args=[pace], daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    under_way.end()


def test_throttling_slows_everybody_down(clock: HandClock) -> None:
    pace = pace_of(clock, 10)
    pace.slow_down(2.0)
    pace.slow_down(0.5)
    leave(pace)
    assert clock.time == pytest.approx(1002)
    leave(pace)
    assert clock.time == pytest.approx(1002 + MARGIN / 10)


def test_throttling_reaches_who_is_waiting_already(clock: HandClock) -> None:
    pace = pace_of(clock)
    slowed = iter([True])
    clock.on_sleep = lambda: pace.slow_down(7.0) if next(slowed, False) else None
    leave(pace)
    assert clock.time == pytest.approx(1007)


@pytest.mark.parametrize(("spent", "allowed"), [(9, True), (10, False), (11, False)])
def test_the_day_s_allowance_is_kept(clock: HandClock, spent: int, allowed: bool) -> None:
    pace = pace_of(clock, per_day=10, spent=spent)
    if allowed:
        leave(pace)
        return
    for _ in range(2):
        with pytest.raises(QuotaExhausted, match="The 10 writes that AWS allows in 24 hours are used up") as caught:
            pace.wait_turn()
    assert caught.value.delay == 600
    assert clock.time == 1000


def test_the_allowance_holds_for_threads_that_ask_together(clock: HandClock) -> None:
    spent: list[int] = []
    pace = Pace("writes", 10, 5, lambda: len(spent), clock)

    def call(number: int) -> bool:
        try:
            turn = pace.wait_turn()
        except QuotaExhausted:
            return False
        spent.append(number)
        turn.leave()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(30))) == 5


def test_what_frees_up_may_be_spent(clock: HandClock) -> None:
    spent = [10]
    pace = Pace("writes", 1, 10, lambda: spent[0], clock)
    with pytest.raises(QuotaExhausted):
        pace.wait_turn()
    spent[0] = 9
    leave(pace)


def test_a_stop_wakes_who_waits_and_all_behind(clock: HandClock) -> None:
    pace = pace_of(clock)
    clock.stopped = True
    for _ in range(3):
        with pytest.raises(TemporaryError, match="stopping"):
            pace.wait_turn()
    clock.stopped = False
    leave(pace)


def test_a_ledger_that_fails_while_asked_keeps_no_turn(clock: HandClock) -> None:
    answers: list[int | None] = [None, 0]

    def spent() -> int:
        answer = answers.pop(0)
        if answer is None:
            raise ZeroDivisionError
        return answer

    pace = Pace("writes", 1, 10, spent, clock)
    with pytest.raises(ZeroDivisionError):
        pace.wait_turn()
    leave(pace)
