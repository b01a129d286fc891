"""How a connection does, from the beats of its loops: running, halted, stalled, and when it cannot be known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.core.health import Beat, Cause, Held, State, cause_of, count_held, judge
from connector.errors import (
    AccessDenied,
    Halt,
    LedgerUnavailable,
    LoginFailed,
    QuotaExhausted,
    Unavailable,
    UnsafePlan,
    UserError,
    WrongAccount,
)

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
AFTER = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
PULL = Beat("acme", "pull", MINUTE, NOW - 60 * MINUTE, succeeded_at=NOW - MINUTE)
ADVANCE = replace(PULL, loop="advance", every=timedelta(seconds=1), succeeded_at=NOW)


def failing(beat: Beat, cause: str, since: datetime = NOW - MINUTE) -> Beat:
    halts = cause != Cause.OUTAGE
    return replace(
        beat, failed_at=NOW, failing_since=since, cause=cause, is_halt=halts, error=f"It is {cause}.", cure="Mend it."
    )


def state_of(*beats: Beat, guards: dict[str, tuple[str, str]] | None = None) -> State:
    return judge("acme", beats, guards or {}, NOW, AFTER).state


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (LoginFailed("x"), Cause.LOGIN),
        (AccessDenied("x"), Cause.PERMISSION),
        (WrongAccount("x"), Cause.ACCOUNT),
        (QuotaExhausted("x"), Cause.QUOTA),
        (UnsafePlan("x"), Cause.GUARD),
        (LedgerUnavailable("x"), Cause.LEDGER),
        (UserError("x"), Cause.CONFIGURATION),
        (Halt("x"), Cause.HALT),
        (Unavailable("x"), Cause.OUTAGE),
        (ValueError("x"), Cause.OUTAGE),
    ],
)
def test_each_error_has_its_cause(error: Exception, cause: Cause) -> None:
    assert cause_of(error) is cause


@pytest.mark.parametrize(
    ("beat", "is_overdue"),
    [
        (PULL, False),
        (replace(PULL, succeeded_at=NOW - 6 * MINUTE), False),
        (replace(PULL, succeeded_at=NOW - 6 * MINUTE - timedelta(seconds=1)), True),
        (replace(PULL, succeeded_at=None), True),
        (replace(PULL, succeeded_at=None, expected_since=NOW - 5 * MINUTE), False),
        # A look that hangs is no success, and one that moves does not hang.
        (replace(PULL, succeeded_at=NOW - 60 * MINUTE, began_at=NOW - 59 * MINUTE), True),
        (replace(PULL, succeeded_at=NOW - 60 * MINUTE, began_at=NOW - 59 * MINUTE, moved_at=NOW - MINUTE), False),
        (replace(PULL, succeeded_at=NOW - 60 * MINUTE, began_at=NOW - 59 * MINUTE, moved_at=NOW - 7 * MINUTE), True),
        # That one before it had moved says nothing of it.
        (replace(PULL, succeeded_at=NOW - 60 * MINUTE, moved_at=NOW - MINUTE), True),
        # The whole process was paused.
        (replace(PULL, succeeded_at=NOW - 60 * MINUTE, expected_since=NOW - MINUTE), False),
        # A clock that was set back.
        (replace(PULL, succeeded_at=NOW + 60 * MINUTE), False),
    ],
)
def test_overdue_is_counted_from_when_it_was_expected(beat: Beat, is_overdue: bool) -> None:
    assert beat.is_overdue(NOW, AFTER) is is_overdue


@pytest.mark.parametrize(
    ("beats", "state"),
    [
        ((PULL, ADVANCE), State.RUNNING),
        ((), State.UNKNOWN),
        ((PULL, replace(ADVANCE, succeeded_at=None, expected_since=NOW)), State.UNKNOWN),
        ((replace(PULL, loop="verification"),), State.UNKNOWN),
        ((PULL, failing(ADVANCE, Cause.OUTAGE)), State.UNKNOWN),
        ((PULL, failing(ADVANCE, Cause.LOGIN)), State.HALTED),
        ((PULL, failing(ADVANCE, Cause.GUARD)), State.RUNNING),
        ((failing(replace(PULL, succeeded_at=NOW - 60 * MINUTE), Cause.GUARD), ADVANCE), State.RUNNING),
        ((replace(PULL, succeeded_at=NOW - 60 * MINUTE), ADVANCE), State.STALLED),
        ((replace(PULL, succeeded_at=NOW - 60 * MINUTE), failing(ADVANCE, Cause.QUOTA)), State.HALTED),
    ],
)
def test_the_state_of_a_connection(beats: tuple[Beat, ...], state: State) -> None:
    assert state_of(*beats) is state


def test_a_halt_says_what_and_since_when() -> None:
    trouble = judge("acme", [PULL, failing(ADVANCE, Cause.LOGIN)], {}, NOW, AFTER).trouble
    assert trouble is not None
    assert (trouble.cause, trouble.message, trouble.cure, trouble.since) == (
        "login",
        "It is login.",
        "Mend it.",
        NOW - MINUTE,
    )


def test_of_several_halts_always_the_same_one_is_told() -> None:
    quota, login = failing(ADVANCE, Cause.QUOTA), failing(PULL, Cause.LOGIN)
    for beats in ([quota, login], [login, quota], [replace(login, failed_at=NOW - MINUTE), quota]):
        trouble = judge("acme", beats, {}, NOW, AFTER).trouble
        assert trouble is not None
        assert trouble.cause == "login"


def test_a_stall_names_its_loops_and_tells_the_error_of_one_that_knows() -> None:
    late = replace(PULL, succeeded_at=NOW - 10 * MINUTE)
    both = [late, failing(replace(late, loop="observe"), Cause.OUTAGE, NOW - 9 * MINUTE)]
    trouble = judge("acme", both, {}, NOW, AFTER).trouble
    assert trouble is not None
    assert trouble.message == "2 loops (observe, pull) have not succeeded for 10 min. It is outage."
    assert (trouble.cure, trouble.since, trouble.cause) == ("Mend it.", NOW - 10 * MINUTE, "outage")


@pytest.mark.parametrize(
    ("began", "words"),
    [(NOW - 9 * MINUTE, "A look is under way and does not end."), (None, "No look has ended since.")],
)
def test_silence_is_told_as_what_it_is(began: datetime | None, words: str) -> None:
    late = replace(PULL, succeeded_at=NOW - 10 * MINUTE, began_at=began)
    trouble = judge("acme", [late], {}, NOW, AFTER).trouble
    assert trouble is not None
    assert trouble.message == f"The loop pull has not succeeded for 10 min. {words}"
    assert (trouble.cause, "connector check" in trouble.cure) == ("silence", True)


def test_a_guard_asks_a_person_and_the_connection_still_makes_progress() -> None:
    guards = {"creates_per_pass": ("Too many.", "Look."), "creates_per_day": ("Too many today.", "Wait.")}
    health = judge("acme", [PULL, ADVANCE], guards, NOW, AFTER)
    assert (health.state, health.progress, health.trouble) == (State.RUNNING, True, None)
    assert health.shown[0] is State.HALTED
    assert health.guard is not None
    assert (health.guard.cause, health.guard.message) == ("creates_per_pass", "Too many."), "a day ends by itself"
    met = judge("acme", [PULL, failing(ADVANCE, Cause.GUARD)], {}, NOW, AFTER).guard
    assert met is not None
    assert (met.cause, met.since) == ("guard", NOW - MINUTE)


@pytest.mark.parametrize(
    ("kept", "since"),
    [
        ({}, None),
        ({"creates_per_pass": NOW - 60 * MINUTE}, NOW - 60 * MINUTE),
        # Of another guard, which says nothing of this one.
        ({"mapping_change_share": NOW - 60 * MINUTE}, None),
    ],
)
def test_a_guard_has_waited_since_an_instant_that_is_kept_or_nobody_knows(
    kept: dict[str, datetime], since: datetime | None
) -> None:
    guards = {"creates_per_pass": ("Too many.", "Look."), "mapping_change_share": ("It was edited.", "Look.")}
    guard = judge("acme", [PULL, failing(ADVANCE, Cause.GUARD)], guards, NOW, AFTER, kept).guard
    assert guard is not None
    assert (guard.cause, guard.since) == ("creates_per_pass", since)


def test_a_look_that_hangs_is_told_whatever_a_guard_refused_before() -> None:
    refused = failing(replace(PULL, succeeded_at=None), Cause.GUARD, NOW - 60 * MINUTE)
    assert state_of(refused, ADVANCE) is State.RUNNING
    assert state_of(replace(refused, began_at=NOW - 5 * MINUTE), ADVANCE) is State.RUNNING
    assert state_of(replace(refused, began_at=NOW - 7 * MINUTE, moved_at=NOW), ADVANCE) is State.RUNNING
    hangs = judge("acme", [replace(refused, began_at=NOW - 7 * MINUTE), ADVANCE], {}, NOW, AFTER)
    assert (hangs.state, hangs.progress) == (State.STALLED, False)
    assert hangs.trouble is not None
    assert (hangs.trouble.cause, "does not end" in hangs.trouble.message) == ("silence", True)


def test_what_halts_is_shown_before_a_guard() -> None:
    health = judge("acme", [failing(PULL, Cause.LOGIN)], {"creates_per_day": ("x", "y")}, NOW, AFTER)
    assert health.shown == (State.HALTED, health.trouble)
    assert not health.progress


@pytest.mark.parametrize(
    ("held", "was", "told"),
    [
        (Held(2, 10), False, False),
        (Held(3, 10), False, True),
        (Held(1, 5), False, False),
        (Held(5, 5), False, False),
        (Held(0, 0), True, False),
        # Once told it lasts until the share has clearly fallen.
        (Held(19, 100), True, True),
        (Held(18, 100), True, False),
        (Held(19, 100), False, False),
    ],
)
def test_a_share_that_swings_around_the_limit_is_told_once(held: Held, was: bool, told: bool) -> None:
    assert held.is_too_many(0.2, 10, was=was) is told


def test_what_is_not_shared_any_more_counts_for_no_share() -> None:
    assert count_held({"Held": 2, "Synced": 5, "": 1, "Stopped": 90}) == Held(2, 8)
