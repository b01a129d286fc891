"""What is due, and what is given time: pure, from what the ledger says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from connector.adapters.ledger import Waiting
from connector.errors import (
    AccessDenied,
    QuotaExhausted,
    TemporaryError,
    UnsafePlan,
    WrongAccount,
)
from connector.fleet.dues import Habits, due_verbs
from connector.fleet.trouble import Troubles, mark_of

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
HABITS = Habits(timedelta(seconds=60), timedelta(seconds=30), "digest", "Sandbox")
CALM = {
    "last_pull": (NOW - timedelta(seconds=5)).isoformat(),
    "last_observe": (NOW - timedelta(seconds=5)).isoformat(),
    "observed:Sandbox": NOW.isoformat(),
    "mapping": "digest",
}


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def due(*verbs: str, **marks: str) -> tuple[str, ...]:
    named = {name.replace("observed_", "observed:"): value for name, value in marks.items()}
    return due_verbs(Waiting(frozenset(verbs), {**CALM, **named}), HABITS, NOW)


def test_nothing_is_due_where_nothing_waits() -> None:
    assert due() == ()


def test_a_connection_that_was_never_served_reads_both_sides() -> None:
    assert due_verbs(Waiting(frozenset(), {}), HABITS, NOW) == ("observe", "pull")


@pytest.mark.parametrize(
    ("marks", "wanted"),
    [
        ({"last_pull": ago(60)}, ("pull",)),
        ({"last_pull": ago(59)}, ()),
        ({"last_observe": ago(30)}, ("observe",)),
        ({"last_observe": ago(29)}, ()),
        ({"mapping": "another"}, ("pull",)),
        ({"review": "due", "last_observe": ago(10)}, ("review",)),
        ({"review": "due", "last_observe": ago(9)}, ()),
        ({"review": "", "last_observe": ago(10)}, ()),
        # A machine whose clock is an hour ahead must not put everything off by an hour.
        ({"last_pull": ago(-3600)}, ("pull",)),
        ({"last_pull": ago(-30)}, ()),
    ],
)
def test_what_the_schedule_asks_for(marks: dict[str, str], wanted: tuple[str, ...]) -> None:
    assert due(**marks) == wanted


def test_what_links_wait_for_is_due() -> None:
    assert due("write back", "advance") == ("advance", "write back")


def test_a_verb_that_failed_is_given_time_and_the_others_go_on() -> None:
    troubles = Troubles().failed("advance", TemporaryError("AWS is away.", delay=5.0), NOW)
    assert due("advance", "tasks", trouble=troubles.to_text()) == ("tasks",)
    later = due_verbs(
        Waiting(frozenset({"advance"}), {**CALM, "trouble": troubles.to_text()}), HABITS, NOW + timedelta(seconds=5)
    )
    assert later == ("advance",)


@pytest.mark.parametrize(
    ("error", "failures", "seconds"),
    [
        (TemporaryError("x"), 1, 2),
        (TemporaryError("x"), 3, 8),
        (TemporaryError("x", delay=20.0), 1, 20),
        (AccessDenied("x"), 1, 30),
        (QuotaExhausted("x", delay=600.0), 1, 600),
        (QuotaExhausted("x", delay=86_400.0), 1, 1800),
        (TemporaryError("x", delay=3600.0), 3, 1800),
        (UnsafePlan("x"), 9, 10),
        (WrongAccount("x"), 9, 60),
        (ValueError("x"), 1, 2),
        (TemporaryError("x"), 40, 900),
    ],
)
def test_pauses_grow_with_failures(error: Exception, failures: int, seconds: float) -> None:
    troubles = Troubles()
    for _ in range(failures):
        troubles = troubles.failed("pull", error, NOW)
    assert troubles.of["pull"].until == NOW + timedelta(seconds=seconds)


def test_a_trouble_is_remembered_without_its_words() -> None:
    error = TemporaryError("Salesforce does not answer Ina Invites.")
    text = Troubles().failed("pull", error, NOW).to_text()
    assert "Ina" not in text
    known = Troubles.from_text(text)
    assert (known.of["pull"].failures, known.of["pull"].told) == (1, mark_of(error))
    assert known.without("pull").to_text() == ""


def test_forgiven_trouble_is_tried_at_once_and_goes_on_to_grow() -> None:
    troubles = Troubles().failed("pull", AccessDenied("x"), NOW).failed("pull", AccessDenied("x"), NOW)
    forgiven = troubles.forgiven(NOW)
    assert due(last_pull="", trouble=troubles.to_text()) == ()
    assert due(last_pull="", trouble=forgiven.to_text()) == ("pull",)
    assert (forgiven.of["pull"].failures, forgiven.of["pull"].told) == (2, mark_of(AccessDenied("x")))
    assert troubles.forgiven(NOW + timedelta(days=1)) == troubles


@pytest.mark.parametrize("text", ["", "not JSON", "[]", "3", '{"pull": 3}', '{"pull": [1, "never", "x"]}'])
def test_a_mark_that_cannot_be_read_is_no_trouble(text: str) -> None:
    assert Troubles.from_text(text) == Troubles()


@pytest.mark.parametrize("ahead", [0, 20, 900])
@pytest.mark.parametrize("asked", [3599.0, 3600.0, 86_400.0])
def test_a_pause_is_kept_however_long_it_was_asked_to_be(asked: float, ahead: int) -> None:
    """Also by a worker whose clock is behind that of the one that noted it."""
    trouble = Troubles().failed("pull", QuotaExhausted("x", delay=asked), NOW + timedelta(seconds=ahead)).to_text()
    waiting = Waiting(frozenset(), {**CALM, "last_observe": ago(-20), "mapping": "another", "trouble": trouble})
    due_after = [due_verbs(waiting, HABITS, NOW + timedelta(seconds=seconds)) for seconds in (0, 10, 30)]
    assert due_after == [(), (), ()]
    assert "pull" in due_verbs(waiting, HABITS, NOW + timedelta(hours=1))


def test_a_pause_of_a_wrong_clock_is_not_kept() -> None:
    text = json.dumps({"pull": [1, (NOW + timedelta(days=2)).isoformat(), "x"]})
    assert due(last_pull="", trouble=text) == ("pull",)
