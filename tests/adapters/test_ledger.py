"""The ledger's links: facts in, the same facts out; who has to look at which, and when."""

from __future__ import annotations

from typing import Any

import pytest
from ledger_facts import ACME, DEAL, HOUR, MAPPED, NOW, PROBLEM, add, begin, change, deal, due, rest, settle
from sqlalchemy import event

from connector.adapters.ledger import Ledger
from connector.core.model import Association, Link, Mapped, Refusal, Task
from connector.errors import LedgerUnavailable, StaleVersion
from connector.ports import Rest, Written


def test_a_stored_record_comes_back_as_it_was(ledger: Ledger) -> None:
    assert ledger.store_mapped(*ACME, [(DEAL, "Straße 1", MAPPED, {"AWS_Sync_Status__c": "Häld"})], NOW) == 1
    link = ledger.find(*ACME, DEAL)
    assert link is not None
    expected = Link(link.id, *ACME, DEAL, "Straße 1", mapped=MAPPED, shown={"AWS_Sync_Status__c": "Häld"})
    assert link == ledger.link(link.id) == expected
    assert ledger.links([link.id, 77]) == [link]
    assert ledger.links([]) == []


def test_a_link_is_found_by_either_id_and_by_nothing_else(ledger: Ledger) -> None:
    first, _ = add(ledger, DEAL, deal(2))
    change(ledger, first, NOW, opportunity_id="O77")
    assert ledger.find(*ACME, DEAL) == ledger.find(*ACME, "O77") == ledger.link(first)
    assert [ledger.find(*ACME, identifier) for identifier in ("O7", "", deal(3))] == [None] * 3


def test_an_unknown_number_is_told(ledger: Ledger) -> None:
    with pytest.raises(LedgerUnavailable, match="cannot be used"):
        ledger.link(77)


FACTS: list[tuple[str, Any]] = [
    ("name", "Ñame"),
    ("presence", "deleted"),
    ("opportunity_id", "O1"),
    ("candidate_id", "O2"),
    ("existing", {"LifeCycle": {"ReviewStatus": "In review", "Stage": "Qualified"}}),
    ("base", {"Project": {"Title": "ü"}}),
    ("attached", (Association("AwsProducts", "p1"), Association("Solutions", "S-1"))),
    ("attached", ()),
    ("task", Task({"TaskId": "task-1", "TaskStatus": "FAILED", "Message": "“no”"})),
    ("submitted", "f" * 32),
    ("refusal", Refusal("CreateOpportunity", "f" * 32, "refused", (PROBLEM,))),
    ("attempts", 3),
    ("next_try_at", NOW + HOUR),
]


@pytest.mark.parametrize(("name", "value"), FACTS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(FACTS)])
def test_a_changed_fact_comes_back_and_wakes(ledger: Ledger, name: str, value: Any) -> None:
    (number,) = add(ledger, DEAL)
    settle(ledger, number)
    assert due(ledger) == []
    change(ledger, number, NOW, **{name: value})  # type: ignore[arg-type]
    assert getattr(ledger.link(number), name) == value
    assert due(ledger) == [number]
    assert ledger.rest_of(number) == ("", "", NOW)
    cleared = Link(0, *ACME, DEAL)
    change(ledger, number, NOW, **{name: getattr(cleared, name)})  # type: ignore[arg-type]
    assert getattr(ledger.link(number), name) == getattr(cleared, name)


def test_a_change_without_waking_leaves_the_rest_alone(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    settle(ledger, number, "Held", NOW + HOUR)
    change(ledger, number, NOW, wake=False, poll_at=NOW + HOUR)
    assert ledger.rest_of(number) == ("Held", "Both sides agree.", NOW + HOUR)
    assert due(ledger) == []


@pytest.mark.parametrize(
    ("mapped", "shown", "news", "looked_at"),
    [
        (MAPPED, {"S": "a"}, 0, False),
        (MAPPED, {"S": "b"}, 0, True),
        (Mapped(MAPPED.opportunity, MAPPED.associations, None, (), MAPPED.origins), {"S": "a"}, 1, True),
        (Mapped({"Project": {}}, MAPPED.associations, MAPPED.submission, (), MAPPED.origins), {"S": "a"}, 1, True),
        (Mapped(MAPPED.opportunity, MAPPED.associations, MAPPED.submission, (PROBLEM,)), {"S": "a"}, 1, True),
        (Mapped(MAPPED.opportunity, (), MAPPED.submission, (), MAPPED.origins), {"S": "a"}, 1, True),
    ],
    ids=["the same", "shown", "submission", "opportunity", "problems", "associations"],
)
def test_only_what_changed_is_looked_at(
    ledger: Ledger, mapped: Mapped, shown: dict[str, Any], news: int, looked_at: bool
) -> None:
    ledger.store_mapped(*ACME, [(DEAL, "Deal", MAPPED, {"S": "a"})], NOW)
    (number,) = due(ledger)
    change(ledger, number, NOW, attempts=4, next_try_at=NOW + HOUR)
    settle(ledger, number)
    assert ledger.store_mapped(*ACME, [(DEAL, "Deal", mapped, shown)], NOW + HOUR) == news
    assert due(ledger, NOW + HOUR) == ([number] if looked_at else [])
    link = ledger.link(number)
    assert (link.mapped, link.shown) == (mapped, shown)
    assert (link.attempts, link.next_try_at) == ((0, None) if news else (4, NOW + HOUR))


def test_a_record_twice_in_a_page_is_one_link(ledger: Ledger) -> None:
    later = Mapped({"Project": {"Title": "later"}})
    ledger.store_mapped(*ACME, [(DEAL, "a", MAPPED, {}), (DEAL, "b", later, {})], NOW)
    (number,) = due(ledger)
    assert (ledger.link(number).name, ledger.link(number).mapped) == ("b", later)


def test_presence(ledger: Ledger) -> None:
    first, second = add(ledger, DEAL, deal(2))
    for number in (first, second):
        settle(ledger, number)
    assert ledger.set_presence(*ACME, {DEAL: "unflagged", deal(9): "missing"}, NOW) == 1
    assert (ledger.link(first).presence, due(ledger)) == ("unflagged", [first])
    settle(ledger, first)
    assert ledger.set_presence(*ACME, {DEAL: "unflagged"}, NOW) == 0
    assert (ledger.present(*ACME), due(ledger)) == ([deal(2)], [])
    assert ledger.store_mapped(*ACME, [(DEAL, "Deal", MAPPED, {})], NOW) == 1
    assert (ledger.link(first).presence, due(ledger)) == ("flagged", [first])


def test_present_pages_through_all(ledger: Ledger) -> None:
    ids = sorted(deal(n) for n in range(7))
    add(ledger, *ids)
    pages, after = [], ""
    while page := ledger.present(*ACME, after, 3):
        pages.append(page)
        after = page[-1]
    assert pages == [ids[:3], ids[3:6], ids[6:]]


def test_those_already_at_aws_come_first_then_the_longest_waiting(ledger: Ledger) -> None:
    a, b, c, d = (add(ledger, deal(n), now=NOW + n * HOUR)[0] for n in range(4))
    change(ledger, d, NOW + 9 * HOUR, opportunity_id="O2")
    change(ledger, c, NOW + 8 * HOUR, opportunity_id="O1")
    later = NOW + 10 * HOUR
    assert due(ledger, later) == [c, d, a, b]
    assert ledger.due(*ACME, later, 3) == [c, d, a]
    assert due(ledger, NOW - HOUR) == []


@pytest.mark.parametrize("others", [0, 40_000])
def test_work_is_narrowed_to_any_number_of_ids(ledger: Ledger, others: int) -> None:
    numbers = add(ledger, *(deal(n) for n in range(5)))
    only = [deal(1), deal(3), *(deal(n) for n in range(10, 10 + others))]
    assert due(ledger, only=only) == [numbers[1], numbers[3]]
    assert due(ledger, only=[]) == []
    assert ledger.work_due(*ACME, NOW, only) == {"advance": 2, "observe": 0, "write_back": 0}
    assert ledger.wake(*ACME, only, NOW) == [deal(1), deal(3)]


def test_a_link_that_goes_from_verb_to_verb_is_counted_by_one_of_them(ledger: Ledger) -> None:
    """Whoever waits for a record until nothing is to be done for it would else stop between the two."""
    (number,) = add(ledger, DEAL)
    settle(ledger, number)
    change(ledger, number, NOW, wake=False, poll_at=NOW)
    moved: list[int] = []

    def move(*_: Any) -> None:
        """Another process does the one and leaves the other, as soon as a first count was taken."""
        if not moved:
            moved.append(number)
            change(ledger, number, NOW, poll_at=None)

    event.listen(ledger._engine, "after_cursor_execute", move)
    found = ledger.work_due(*ACME, NOW)
    event.remove(ledger._engine, "after_cursor_execute", move)
    assert moved
    assert sum(found.values()) == 1
    assert ledger.work_due(*ACME, NOW) == {"advance": 1, "observe": 0, "write_back": 0}


def test_rest_says_when_to_look_again_and_what_to_show(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    rest(ledger, number, "Pending", "Waits.", NOW + HOUR, now=NOW, show=True, news=True)
    assert ledger.rest_of(number) == ("Pending", "Waits.", NOW + HOUR)
    assert ledger.link(number).changed_at == NOW
    assert (due(ledger), due(ledger, NOW + HOUR)) == ([], [number])
    assert [(link.id, *rest) for link, *rest in ledger.write_backs_due(*ACME, NOW, 9)] == [
        (number, "Pending", "Waits.")
    ]
    rest(ledger, number, "Synced", "Done.", None, now=NOW + HOUR, show=False, news=False)
    assert ledger.link(number).changed_at == NOW
    assert ledger.work_due(*ACME, NOW + 999 * HOUR) == {"advance": 0, "observe": 0, "write_back": 0}


def test_what_changed_after_the_plan_was_made_is_not_slept_through(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    planned = ledger.link(number)
    ledger.store_mapped(*ACME, [(DEAL, "Deal", Mapped({"new": "content"}), {})], NOW + HOUR)
    ledger.rest([(planned, Rest("Synced", "Agreed."))], NOW + HOUR)
    assert due(ledger, NOW + HOUR) == [number]
    assert ledger.rest_of(number)[0] == ""
    planned = ledger.link(number)
    ledger.rest([(planned, Rest("Synced", "Agreed."))], NOW + HOUR)
    assert due(ledger, NOW + HOUR) == []


def test_a_change_gives_the_link_as_it_is_then(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    changed = change(ledger, number, opportunity_id="O1", attached=(Association("Solutions", "S-1"),), poll_at=NOW)
    assert changed == ledger.link(number)
    assert changed.opportunity_id == "O1"


def test_a_change_planned_with_older_facts_is_refused(ledger: Ledger) -> None:
    first, second = add(ledger, DEAL, deal(2))
    seen, other = ledger.link(first), ledger.link(second)
    change(ledger, first, opportunity_id="O1")
    with pytest.raises(StaleVersion, match=f"The facts of {DEAL} have changed"):
        ledger.change(seen, NOW, opportunity_id="O2")
    ledger.change_all([(seen, {"attempts": 7}, True), (other, {"attempts": 7}, False)], NOW)
    assert [(ledger.link(n).opportunity_id, ledger.link(n).attempts) for n in (first, second)] == [("O1", 0), ("", 7)]


def test_several_links_change_and_rest_together(ledger: Ledger) -> None:
    links = [ledger.link(number) for number in add(ledger, *(deal(n) for n in range(3)))]
    for link in links:
        settle(ledger, link.id)
    rest = Rest("Held", "Why.", NOW + HOUR, show=True, news=True)
    ledger.change_all([(links[0], {"attempts": 1}, rest), (links[1], {"attempts": 1}, True)], NOW)
    assert ledger.rest_of(links[0].id) == ("Held", "Why.", NOW + HOUR)
    assert [link.id for link, *_ in ledger.write_backs_due(*ACME, NOW, 9)] == [links[0].id]
    assert due(ledger) == [links[1].id]


def test_a_stale_rest_is_never_shown(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    rest(ledger, number, "Held", "Why.", None, now=NOW, show=True, news=True)
    change(ledger, number, NOW, attempts=1)
    assert ledger.write_backs_due(*ACME, NOW + HOUR, 9) == []
    assert due(ledger) == [number]


def test_wake_without_ids_is_for_refused_write_backs_as_well(ledger: Ledger) -> None:
    shown, refused, _ = numbers = add(ledger, deal(1), deal(2), deal(3))
    for number in numbers:
        settle(ledger, number)
    ledger.written({shown: Written(), refused: Written(error="A_RULE: No.")}, NOW)
    assert [link.salesforce_id for link in ledger.refused_write_backs(*ACME, [deal(1), deal(2), deal(9)])] == [deal(2)]
    assert ledger.refused_write_backs(*ACME, [deal(1)]) == ledger.refused_write_backs("other", "AWS", [deal(2)]) == []
    assert ledger.wake(*ACME, None, NOW) == [deal(2)]
    assert ledger.link(refused).write_back_error == ""
    assert due(ledger) == [refused]


def test_wake_clears_what_holds(ledger: Ledger) -> None:
    held, other = add(ledger, DEAL, deal(2))
    begun = begin(ledger, held)
    refusal = Refusal("CreateOpportunity", "f", "no")
    ledger.postpone(begun, "throttled", True, NOW + HOUR, NOW)
    change(ledger, held, NOW, refusal=refusal, attempts=5, next_try_at=NOW + HOUR, submitted="f")
    ledger.written({held: Written(error="INVALID_FIELD: no")}, NOW)
    settle(ledger, held, "Held")
    settle(ledger, other)
    assert ledger.wake(*ACME, None, NOW + HOUR) == [DEAL]
    link = ledger.link(held)
    assert (link.refusal, link.attempts, link.next_try_at, link.submitted, link.write_back_error) == (
        None,
        0,
        None,
        "",
        "",
    )
    assert link.operation is not None
    assert (link.operation.next_attempt_at, link.operation.ambiguous, link.operation.error) == (None, True, "throttled")
    assert due(ledger, NOW + HOUR) == [held]
    assert ledger.wake(*ACME, None, NOW) == []
    assert ledger.wake(*ACME, [deal(2), deal(9)], NOW) == [deal(2)]
    assert ledger.rest_of(other) == ("", "", NOW)


def test_counts_and_the_held(ledger: Ledger) -> None:
    numbers = add(ledger, *(deal(n) for n in range(4)))
    for number, status in zip(numbers, ("Held", "Held", "Synced"), strict=False):
        settle(ledger, number, status)
    assert ledger.counts(*ACME) == {"Held": 2, "Synced": 1, "Pending": 1}
    assert ledger.held(*ACME, 1) == [(deal(0), f"Deal {deal(0)}", "Both sides agree.")]
    assert len(ledger.held(*ACME, 9)) == 2
