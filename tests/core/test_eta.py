"""The estimate of when work will be done: what bounds it, and that more work never takes less time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.eta import Quota, eta, to_words

SECOND = timedelta(seconds=1)


def estimate(**given: Any) -> timedelta:
    plain = {"submissions_left": 0, "rate": 1.0, "in_flight": 8, "latency": 6 * SECOND, "free_today": 10_000}
    return eta(**{**plain, **given})


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"writes_left": 0}, 0),
        ({"writes_left": -1, "free_today": 0}, 0),
        ({"writes_left": 1}, 1),
        ({"writes_left": 100}, 100),
        ({"writes_left": 100, "rate": 4.0}, 25),
        # three writes a record, the last of them slow: the quota bounds, and the last answer is waited for
        ({"writes_left": 300, "submissions_left": 100}, 306),
        ({"writes_left": 300, "submissions_left": 100, "latency": 0 * SECOND}, 300),
        # one at a time: 100 × 6 s is more than 300 × 1 s
        ({"writes_left": 300, "submissions_left": 100, "in_flight": 1}, 606),
        ({"writes_left": 300, "submissions_left": 100, "in_flight": 4, "rate": 10.0}, 156),
        # more submissions than writes cannot be
        ({"writes_left": 1, "submissions_left": 5}, 7),
        ({"writes_left": 10_000, "free_today": 10_000}, 10_000),
        # one too many for today
        ({"writes_left": 10_001, "free_today": 10_000}, 86_400 + 1),
        ({"writes_left": 100, "free_today": 40}, 86_400 + 60),
        ({"writes_left": 100, "free_today": -5}, 86_400 + 100),
        ({"writes_left": 100, "free_today": 40, "until_free": timedelta(hours=2)}, 7_200 + 60),
        ({"writes_left": 100, "free_today": 99, "submissions_left": 30}, 86_400 + 7),
        # a second and a third day
        ({"writes_left": 20_000, "free_today": 0}, 86_400 * 2 + 10_000),
        ({"writes_left": 20_001, "free_today": 0}, 86_400 * 3 + 1),
        ({"writes_left": 100, "free_today": 40, "per_day": 50}, 86_400 * 2 + 10),
        # a pace so slow that the day's allowance never bounds it
        ({"writes_left": 20_001, "rate": 0.01}, 2_000_100),
        ({"writes_left": 10, "free_today": 0, "until_free": 0 * SECOND}, 10),
    ],
    ids=str,
)
def test_what_bounds_the_time(given: dict[str, Any], seconds: float) -> None:
    assert estimate(**given) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "~0 s"),
        (6.2, "~7 s"),
        (60, "~60 s"),
        (61, "~2 min"),
        (699, "~12 min"),
        (7_200, "~120 min"),
        (7_201, "~3 h"),
        (48 * 3_600, "~48 h"),
        (48 * 3_600 + 1, "~3 days"),
    ],
)
def test_a_duration_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert to_words(timedelta(seconds=seconds)) == words


NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "~11 min"),
        ({"free_today": 600}, "~11 min"),
        (
            {"free_today": 400},
            "~3 h; of the 10000 writes of 24 hours 400 are left, it goes on at 2026-11-21 14:00 UTC",
        ),
        ({"free_today": 0}, "~3 h; the 10000 writes of 24 hours are used up, it goes on at 2026-11-21 14:00 UTC"),
        # more becomes free before what is left is used up: nothing pauses
        ({"free_today": 400, "until_free": 60 * SECOND}, "~11 min"),
    ],
)
def test_it_is_said_when_the_days_allowance_does_not_suffice(fields: dict[str, Any], words: str) -> None:
    plain = {"rate": 1.0, "in_flight": 8, "free_today": 10_000, "until_free": timedelta(hours=2)}
    assert Quota(**{**plain, **fields}).in_words(600, 200, NOW) == words


@given(
    writes=st.integers(0, 40_000),
    more=st.integers(0, 20_000),
    submissions=st.integers(0, 20_000),
    rate=st.floats(0.1, 100),
    in_flight=st.integers(1, 32),
    free=st.integers(-10, 10_000),
)
def test_more_work_never_takes_less_time(
    writes: int, more: int, submissions: int, rate: float, in_flight: int, free: int
) -> None:
    known = {"rate": rate, "in_flight": in_flight, "submissions_left": submissions, "free_today": free}
    less, whole = estimate(writes_left=writes, **known), estimate(writes_left=writes + more, **known)
    assert less <= whole
    assert whole >= timedelta(seconds=(writes + more) / rate) - SECOND
    assert estimate(writes_left=writes, **{**known, "free_today": free + 100}) <= less
    assert estimate(writes_left=writes, **{**known, "in_flight": in_flight + 1}) <= less
