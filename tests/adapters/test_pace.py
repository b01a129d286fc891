"""The pace, by a clock moved by hand: never faster than allowed, whatever the calls do, and never asleep at a stop."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from connector.adapters.clock import Stopping, SystemClock
from connector.adapters.partner_central.allowance import RECOUNT, Allowance, Share
from connector.adapters.partner_central.pace import (
    CATCH_UP,
    LAST_STRETCH,
    MARGIN,
    SLOWER,
    SLOWEST,
    STRICTEST,
    Caller,
    Line,
    Pace,
    Paces,
)
from connector.errors import QuotaExhausted, TemporaryError
from connector.sandbox.partner_central.quota import Meter


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


def allowance_of(clock: HandClock, per_day: int = 10**9, recorded: Callable[[], int] = lambda: 0) -> Allowance:
    allowance = Allowance("writes", per_day, clock)
    allowance.join("one", Share(per_day, recorded, lambda: 0))
    return allowance


def pace_of(clock: HandClock, per_second: float = 1.0) -> Pace:
    return Pace(allowance_of(clock), per_second, clock, clock.time)


def by(clock: HandClock, stopping: Stopping | None = None) -> Caller:
    """A connection that goes by this clock, stopped by nobody unless told."""
    return Caller(clock, stopping or Stopping())


def leave(pace: Pace) -> float:
    turn = pace.wait_turn(by(pace._clock))  # type: ignore[arg-type]
    turn.leave()
    return turn.left_at


# spacing


@pytest.mark.parametrize("per_second", [0.1, 1, 7, 10, 1000])
def test_calls_are_evenly_spaced(clock: HandClock, per_second: float) -> None:
    pace = pace_of(clock, per_second)
    leaving = [leave(pace) for _ in range(50)]
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
    """Calls take any time from their turn to their departure, as with handshakes; some never leave."""
    chance = random.Random(7)
    pace = pace_of(clock, rate)
    leaving = []
    for _ in range(500):
        turn = pace.wait_turn(by(clock))
        clock.time += chance.choice([0.0, 0.0, 0.001, 0.3, 2.0]) / rate
        if chance.random() < 0.9:
            turn.leave()
            leaving.append(clock.time)
        turn.end()
        clock.time += chance.choice([0.0, 0.0, 5.0]) / rate
    for window in (1, 2, 10):
        least = min(leaving[i + window] - leaving[i] for i in range(len(leaving) - window))
        assert least >= window / rate - CATCH_UP
    assert leaving[-1] - leaving[0] >= (len(leaving) - 1) / rate


def test_a_slow_departure_delays_the_next_instead_of_being_caught_up_with(clock: HandClock) -> None:
    pace = pace_of(clock)
    turn = pace.wait_turn(by(clock))
    clock.time += 0.5
    turn.leave()
    assert leave(pace) - turn.left_at == pytest.approx(MARGIN - CATCH_UP)


@pytest.mark.parametrize(("late", "lost"), [(0.0005, 0), (CATCH_UP, 0), (CATCH_UP + 0.003, 0.003)])
def test_a_thread_that_wakes_up_late_costs_no_quota_unless_much_too_late(
    clock: HandClock, late: float, lost: float
) -> None:
    pace = pace_of(clock)
    for _ in range(100):
        turn = pace.wait_turn(by(clock))
        clock.time += late
        turn.leave()
    assert (turn.left_at - 1000 - late) / 100 == pytest.approx(MARGIN + lost, rel=1e-4)


def test_a_call_that_never_left_leaves_its_turn_to_the_next(clock: HandClock) -> None:
    pace = pace_of(clock)
    turn = pace.wait_turn(by(clock))
    due = clock.time
    clock.time += 0.9
    turn.end()
    turn.end()
    leave(pace)
    assert clock.time - due == pytest.approx(MARGIN)


@pytest.mark.parametrize("rate", [1.0, 8.0, 100.0])
def test_a_strict_limiter_behind_an_uneven_network_throttles_nothing_and_is_used_up(
    clock: HandClock, rate: float
) -> None:
    """Each call is late at first by up to two hundredths of an interval, and then on the way by up to a fifth of it."""
    chance = random.Random(11)
    pace, meter = pace_of(clock, rate), Meter()
    arrivals = []
    for _ in range(5000):
        turn = pace.wait_turn(by(clock))
        clock.time += chance.uniform(0, 0.02) / rate
        turn.leave()
        arrivals.append(turn.left_at + chance.uniform(0, 0.2) / rate)
        assert meter.may_pass(arrivals[-1], rate, 1.0, 10**9)
    assert 4999 / (arrivals[-1] - arrivals[0]) / rate > 0.98


def test_threads_share_one_pace_and_one_leaves_at_a_time(clock: HandClock) -> None:
    pace = pace_of(clock, 10)
    preparing: list[int] = []
    together: list[int] = []
    leaving: list[float] = []

    def call(number: int) -> None:
        turn = pace.wait_turn(by(clock))
        preparing.append(number)
        together.append(len(preparing))
        clock.time += 0.05
        leaving.append(clock.time)
        preparing.remove(number)
        turn.leave()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(100)))
    assert set(together) == {1}
    assert min(b - a for a, b in itertools.pairwise(sorted(leaving))) >= 0.1 - CATCH_UP


def test_what_has_left_holds_nobody_up(clock: HandClock) -> None:
    pace = pace_of(clock)
    under_way = pace.wait_turn(by(clock))
    under_way.leave()
    thread = threading.Thread(target=leave, args=[pace], daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    under_way.end()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def test_first_come_first_served() -> None:
    line = Line()
    line.acquire(Stopping())
    served: list[int] = []

    def call(number: int) -> None:
        line.acquire(Stopping())
        served.append(number)
        line.release()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=call, args=[number], daemon=True))
        threads[-1].start()
        until(lambda expected=number + 1: len(line._waiting) == expected)
    line.release()
    for thread in threads:
        thread.join(10)
    assert served == list(range(8))


@pytest.mark.parametrize("was_handed_it", [False, True])
def test_who_leaves_the_line_holds_up_nobody(was_handed_it: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with Ctrl-C: an exception in the middle of waiting."""
    line = Line()
    line.acquire(Stopping())

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if was_handed_it:
                line.release()
            raise KeyboardInterrupt

    monkeypatch.setattr(Stopping, "child", lambda _: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        line.acquire(Stopping())
    monkeypatch.undo()
    if not was_handed_it:
        line.release()
    thread = threading.Thread(target=line.acquire, args=[Stopping()], daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_who_is_stopped_leaves_the_line_and_the_others_keep_their_places() -> None:
    line, stopped, others = Line(), Stopping(), Stopping()
    line.acquire(others)
    served: list[int] = []

    def call(number: int, stopping: Stopping) -> None:
        if line.acquire(stopping):
            served.append(number)
            line.release()

    threads = []
    for number in range(6):
        whose = stopped if number in {0, 2, 5} else others
        threads.append(threading.Thread(target=call, args=[number, whose], daemon=True))
        threads[-1].start()
        until(lambda expected=number + 1: len(line._waiting) == expected)
    stopped.set()
    for number in (0, 2, 5):
        threads[number].join(10)
    assert ([thread.is_alive() for thread in threads], served) == ([False, True, False, True, True, False], [])
    line.release()
    for thread in threads:
        thread.join(10)
    assert served == [1, 3, 4]


@pytest.mark.parametrize("is_handed_first", [False, True])
def test_a_stop_and_the_lock_at_once_lose_neither(is_handed_first: bool) -> None:
    line, stopping = Line(), Stopping()
    line.acquire(Stopping())
    had: list[bool] = []
    thread = threading.Thread(target=lambda: had.append(line.acquire(stopping)), daemon=True)
    thread.start()
    until(lambda: len(line._waiting) == 1)
    for act in (line.release, stopping.set) if is_handed_first else (stopping.set, line.release):
        act()
    thread.join(10)
    assert len(had) == 1
    if had[0]:
        line.release()
    assert not line._is_taken


def test_one_connection_s_stop_ends_its_turn_and_the_next_s_comes_on_time() -> None:
    """Real clocks: the one that sleeps for its turn is stopped, the other of the account takes its place."""
    stops = [Stopping(), Stopping()]
    callers = [Caller(SystemClock(stop), stop) for stop in stops]
    clock = SystemClock(Stopping())
    pace = Pace(Allowance("writes", 10, clock), 1.0, clock, clock.monotonic())
    began, outcome = clock.monotonic(), list[str]()

    def call() -> None:
        with pytest.raises(TemporaryError, match="stopping"):
            pace.wait_turn(callers[0])
        outcome.append("stopped")

    first = threading.Thread(target=call, daemon=True)
    first.start()
    until(lambda: pace._line._is_taken)
    stops[0].set()
    first.join(10)
    assert outcome == ["stopped"]
    pace.wait_turn(callers[1]).leave()
    assert clock.monotonic() - began >= MARGIN


# throttling


def test_throttling_pauses_everybody(clock: HandClock) -> None:
    pace = pace_of(clock, 10)
    left_at = leave(pace)
    began = clock.time
    pace.slow_down(2.0, left_at)
    pace.slow_down(0.5, left_at)
    assert leave(pace) == pytest.approx(began + 2)


def test_throttling_reaches_who_is_waiting_already(clock: HandClock) -> None:
    pace = pace_of(clock)
    slowed = iter([True])
    clock.on_sleep = lambda: pace.slow_down(7.0, clock.time) if next(slowed, False) else None
    leave(pace)
    assert clock.time == pytest.approx(1007)


def test_throttling_stretches_the_interval_and_calls_that_pass_bring_it_back(clock: HandClock) -> None:
    pace = pace_of(clock)
    pace.slow_down(0, leave(pace))
    assert pace.interval == pytest.approx(SLOWER * MARGIN, rel=0.02)
    intervals = []
    for _ in range(10):
        pace.recover(leave(pace))
        intervals.append(pace.interval)
    assert intervals == sorted(intervals, reverse=True)
    assert intervals[-1] == pytest.approx(MARGIN, rel=0.011)


def test_a_burst_of_throttled_answers_counts_once(clock: HandClock) -> None:
    pace = pace_of(clock, 10)
    under_way = [leave(pace) for _ in range(8)]
    clock.time += 1
    for left_at in under_way:
        pace.slow_down(2.0, left_at)
    stretched = pace.interval
    assert stretched == pytest.approx(SLOWER * MARGIN / 10, rel=0.02)
    for left_at in under_way:
        pace.recover(left_at)
    assert pace.interval == stretched
    pace.slow_down(2.0, leave(pace))
    assert pace.interval == pytest.approx(stretched * SLOWER, rel=0.02)


def test_the_stretch_has_an_end(clock: HandClock) -> None:
    pace = pace_of(clock)
    for _ in range(50):
        pace.slow_down(0, leave(pace))
    assert pace.interval == pytest.approx(SLOWEST * STRICTEST)


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.05])
def test_a_limiter_stricter_than_thought_is_learned(clock: HandClock, tolerance: float) -> None:
    """Token buckets of one, behind a network that moves calls by up to a fiftieth of the interval."""
    chance = random.Random(5)
    pace = pace_of(clock)
    free_at, throttled = 0.0, []
    for number in range(5000):
        left_at = leave(pace)
        arrived = left_at + chance.uniform(0, 0.02)
        if arrived < free_at - tolerance:
            throttled.append(number)
            pace.slow_down(2.0, left_at)
        else:
            free_at = max(free_at, arrived) + 1
            pace.recover(left_at)
    assert len(throttled) < 20
    assert (5000 - len(throttled)) / (clock.time - 1000) > 0.95


# stopping, long pauses


def test_a_stop_wakes_who_waits_and_all_behind(clock: HandClock) -> None:
    pace = pace_of(clock)
    clock.stopped = True
    for _ in range(3):
        with pytest.raises(TemporaryError, match="stopping"):
            pace.wait_turn(by(clock))
    clock.stopped = False
    leave(pace)


def test_nothing_starts_while_stopping(clock: HandClock) -> None:
    stopping = Stopping()
    pace, caller = pace_of(clock), by(clock, stopping)
    clock.time += 10
    pace.enter(caller)
    stopping.set()
    for start in (pace.enter, pace.wait_turn):
        with pytest.raises(TemporaryError, match="stopping"):
            start(caller)


def test_a_long_pause_is_sat_out_before_anything_is_signed(clock: HandClock) -> None:
    pace = pace_of(clock)
    pace.slow_down(600, leave(pace))
    throttled = clock.time
    pace.enter(by(clock))
    assert clock.time == pytest.approx(throttled + 600 - LAST_STRETCH)
    leave(pace)
    assert clock.time == pytest.approx(throttled + 600)


def test_a_stop_ends_a_long_pause_and_takes_nothing_of_the_day(clock: HandClock) -> None:
    pace = Pace(allowance_of(clock, 1), 1.0, clock, clock.time)
    pace.slow_down(600, clock.time)
    clock.stopped = True
    with pytest.raises(TemporaryError, match="stopping"):
        pace.enter(by(clock))
    clock.stopped = False
    pace.enter(by(clock))
    with pytest.raises(QuotaExhausted):
        pace.enter(by(clock))


# the day's allowance


@pytest.mark.parametrize(("recorded", "allowed"), [(9, True), (10, False), (11, False)])
def test_the_day_s_allowance_is_kept(clock: HandClock, recorded: int, allowed: bool) -> None:
    allowance = allowance_of(clock, 10, lambda: recorded)
    if allowed:
        allowance.take()
    for _ in range(2):
        with pytest.raises(QuotaExhausted, match="The 10 writes that AWS allows in 24 hours are used up") as caught:
            allowance.take()
    assert caught.value.delay == 600


def test_the_allowance_holds_for_threads_that_ask_together(clock: HandClock) -> None:
    allowance = allowance_of(clock, 5)

    def call(_: int) -> bool:
        try:
            allowance.take()
        except QuotaExhausted:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(30))) == 5


def test_the_ledger_is_asked_once_a_minute_and_what_frees_up_may_be_spent(clock: HandClock) -> None:
    ledger, asked = [10], []

    def recorded() -> int:
        asked.append(clock.time)
        return ledger[0]

    allowance = allowance_of(clock, 10, recorded)
    for _ in range(50):
        with pytest.raises(QuotaExhausted):
            allowance.take()
    ledger[0] = 7
    clock.time += RECOUNT
    for _ in range(3):
        allowance.take()
        allowance.settle(is_spent=True)
    with pytest.raises(QuotaExhausted):
        allowance.take()
    assert asked == [1000, 1000 + RECOUNT]


def test_what_was_not_sent_is_given_back(clock: HandClock) -> None:
    allowance = allowance_of(clock, 1)
    for _ in range(3):
        allowance.take()
        allowance.settle(is_spent=False)
    allowance.take()
    with pytest.raises(QuotaExhausted):
        allowance.take()


def test_no_recount_loses_a_call_on_its_way_into_the_ledger(clock: HandClock) -> None:
    """Calls are reserved, recorded and counted anew in any order: never more than the limit is taken."""
    chance = random.Random(3)
    ledger, reserved, taken = 0, 0, 0
    allowance = allowance_of(clock, 500, lambda: ledger)
    for _ in range(5000):
        clock.time += chance.choice([0, 0, 1, 70])
        if chance.random() < 0.5:
            try:
                allowance.take()
            except QuotaExhausted:
                continue
            reserved, taken = reserved + 1, taken + 1
        elif reserved:
            reserved, ledger = reserved - 1, ledger + 1
            allowance.settle(is_spent=True)
    assert taken == 500


def test_a_ledger_that_fails_while_asked_takes_nothing(clock: HandClock) -> None:
    answers: list[int | None] = [None, 9]

    def recorded() -> int:
        answer = answers.pop(0)
        if answer is None:
            raise ZeroDivisionError
        return answer

    allowance = allowance_of(clock, 10, recorded)
    with pytest.raises(ZeroDivisionError):
        allowance.take()
    allowance.take()
    with pytest.raises(QuotaExhausted):
        allowance.take()


# one account, several connections


def join(
    paces: Paces,
    account: str = "111122223333",
    name: str = "writes",
    *,
    per_second: float = 1.0,
    per_day: int = 100,
    recorded: Callable[[], int] = lambda: 0,
    unrecorded: Callable[[], int] = lambda: 0,
    who: object = None,
) -> Pace:
    return paces.join(
        who or object(),
        account,
        name,
        per_second=per_second,
        per_day=per_day,
        recorded=recorded,
        unrecorded=unrecorded,
    )


def test_one_bucket_for_an_account_and_a_class(clock: HandClock) -> None:
    paces = Paces(clock)
    writes = join(paces)
    assert join(paces) is writes
    assert join(paces, name="reads") is not writes
    assert join(paces, "444455556666") is not writes


@pytest.mark.parametrize("rates", [(5.0, 1.0), (1.0, 5.0)])
def test_the_smaller_rate_of_two_connections_counts(clock: HandClock, rates: tuple[float, float]) -> None:
    paces = Paces(clock)
    first, second = (join(paces, per_second=rate) for rate in rates)
    leave(first)
    began = clock.time
    leave(second)
    assert clock.time - began == pytest.approx(MARGIN)


def test_the_day_of_two_connections_is_the_smaller_one_and_counts_both(clock: HandClock) -> None:
    paces = Paces(clock)
    first = join(paces, per_day=50, recorded=lambda: 2, unrecorded=lambda: 1)
    first.enter(by(clock))
    second = join(paces, per_day=6, recorded=lambda: 2, unrecorded=lambda: 1)
    second.enter(by(clock))
    with pytest.raises(QuotaExhausted, match="The 6 writes"):
        first.enter(by(clock))


def test_who_leaves_no_longer_slows_the_others_and_hands_on_when_the_next_call_may_leave(clock: HandClock) -> None:
    paces = Paces(clock)
    pace = join(paces, per_second=10, per_day=50, who="quick")
    assert join(paces, per_second=1, per_day=1, unrecorded=lambda: 5, who="slow") is pace
    before = leave(pace)
    paces.leave("slow")
    left = leave(pace)
    assert left - before == pytest.approx(MARGIN), "as far from the call before as that one's pace asked"
    assert leave(pace) - left == pytest.approx(MARGIN / 10)
    pace.enter(by(clock))
    paces.leave("quick")
    assert join(paces, per_second=2, who="changed") is pace
    left = leave(pace)
    assert leave(pace) - left == pytest.approx(MARGIN / 2), "the last one's limit went with it"


def test_the_day_is_counted_by_who_is_still_there(clock: HandClock) -> None:
    paces = Paces(clock)

    def gone() -> int:
        raise AssertionError("asked of a connection that is no more")

    join(paces, per_day=1, recorded=gone, unrecorded=gone, who="first")
    pace = join(paces, per_day=3, recorded=lambda: 1, unrecorded=lambda: 0, who="second")
    paces.leave("first")
    pace.enter(by(clock))
    pace.enter(by(clock))
    with pytest.raises(QuotaExhausted, match="The 3 writes"):
        pace.enter(by(clock))


def test_a_process_s_first_turn_comes_an_interval_after_it_began(clock: HandClock) -> None:
    paces = Paces(clock)
    clock.time += 0.25
    leave(join(paces))
    assert clock.time == pytest.approx(1000 + MARGIN)
