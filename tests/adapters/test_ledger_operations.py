"""Operations, sightings, write-backs and progress: every method one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ledger_facts import ACME, DEAL, HOUR, MAPPED, NOW, add, begin, change, deal, due, settle, show, summary
from sqlalchemy import Engine, text

from connector.adapters.ledger import Ledger, open_engine
from connector.core.model import Mapped, Operation, Refusal, Task
from connector.errors import LedgerUnavailable, StaleVersion
from connector.ports import Begin, Rest, Written


def test_an_operation_is_written_ahead_with_its_exact_body(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    begun = begin(ledger, number)
    assert begun == ledger.link(number)
    assert begun.operation is not None
    body = {"ClientToken": "t", "Title": "Ü"}
    assert begun.operation == Operation(
        begun.operation.id, number, "CreateOpportunity", body, "t", attempts=1, ambiguous=True, sent_at=NOW
    )
    assert ledger.open_operations("acme") == 1


def test_an_operation_planned_with_older_facts_is_not_begun(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    seen = ledger.link(number)
    change(ledger, number, attempts=1)
    with pytest.raises(StaleVersion, match=f"The facts of {DEAL} have changed"):
        ledger.begin(seen, Begin("CreateOpportunity", {}, "t"), NOW)
    assert ledger.open_operations("acme") == 0


def test_an_outcome_is_recorded_whatever_changed_meanwhile(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    begun = begin(ledger, number)
    ledger.store_mapped(*ACME, [(DEAL, "Deal", Mapped({"new": "content"}), {})], NOW)
    done = ledger.succeed(begun, {"Id": "O1"}, NOW, opportunity_id="O1")
    assert done == ledger.link(number)
    assert (done.operation, done.opportunity_id, done.mapped) == (None, "O1", Mapped({"new": "content"}))


def test_a_second_operation_of_a_link_waits_in_line(ledger: Ledger) -> None:
    first, second = add(ledger, DEAL, deal(2))
    begun = begin(ledger, first)
    begin(ledger, second)
    with pytest.raises(StaleVersion, match=f"CreateOpportunity of {DEAL} is still open"):
        begin(ledger, first, "UpdateOpportunity")
    ledger.succeed(begun, {}, NOW)
    assert begin(ledger, first, "UpdateOpportunity").operation != begun.operation


def test_the_database_itself_refuses_a_second_open_operation(ledger: Ledger, engine: Engine) -> None:
    (number,) = add(ledger, DEAL)
    begin(ledger, number)
    copy = (
        "INSERT INTO operation (link_id, connection, action, body, client_token, state, attempts, ambiguous) "
        "SELECT link_id, connection, action, body, client_token, state, attempts, ambiguous FROM operation"
    )
    with pytest.raises(Exception, match=r"(?i)unique"), engine.begin() as connection:
        connection.execute(text(copy))


def test_sending_is_committed_before_anything_else(ledger: Ledger, engine: Engine) -> None:
    (number,) = add(ledger, DEAL)
    later = ledger.postpone(begin(ledger, number), "throttled", False, NOW, NOW)
    assert later == ledger.link(number)
    assert ledger.sending(later, NOW + HOUR) == ledger.link(number)
    other = open_engine(engine.url.render_as_string(False))
    seen = Ledger(other).link(number).operation
    other.dispose()
    assert seen is not None
    assert (seen.attempts, seen.ambiguous, seen.sent_at, seen.next_attempt_at) == (2, True, NOW + HOUR, None)


def test_success_and_what_follows_are_one_transaction(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    begun = begin(ledger, number)
    settle(ledger, number)
    task = Task({"TaskId": "task-1"})
    ledger.succeed(begun, {"Id": "O1"}, NOW + HOUR, opportunity_id="O1", task=task, poll_at=NOW)
    link = ledger.link(number)
    assert (link.operation, link.opportunity_id, link.task) == (None, "O1", task)
    assert due(ledger, NOW + HOUR) == [number]
    assert [link.id for link in ledger.polls_due(*ACME, NOW, 9)] == [number]
    assert ledger.history(number) == [
        {
            "at": "2027-01-15T13:00:00Z",
            "action": "CreateOpportunity",
            "outcome": "done",
            "attempts": 1,
            "error": None,
            "response": {"Id": "O1"},
            "overrules": [],
            "actor": None,
            "cause": None,
        }
    ]


def test_what_follows_a_success_is_begun_in_the_same_transaction(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    following = Begin("AssociateOpportunity", {"Id": "S-1"}, intent={"fingerprint": "f"})
    done = ledger.succeed(begin(ledger, number), {"Id": "O1"}, NOW + HOUR, following, opportunity_id="O1")
    assert done == ledger.link(number)
    assert done.operation is not None
    assert done.operation == Operation(
        done.operation.id,
        number,
        "AssociateOpportunity",
        {"Id": "S-1"},
        "",
        {"fingerprint": "f"},
        attempts=1,
        ambiguous=True,
        sent_at=NOW + HOUR,
    )
    assert [line["outcome"] for line in ledger.history(number)] == ["done", "open"]


def test_a_rest_that_follows_a_success_is_noted_with_it(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    rest = Rest("Synced", "Both sides agree.", None, show=True, news=True)
    begun = begin(ledger, number)
    done = ledger.succeed(begun, {"Id": "O1"}, NOW + HOUR, rest, opportunity_id="O1")
    assert done.revision == begun.revision + 1
    assert (ledger.link(number).opportunity_id, ledger.link(number).changed_at) == ("O1", NOW + HOUR)
    assert (ledger.rest_of(number), due(ledger, NOW + HOUR)) == (("Synced", "Both sides agree.", None), [])
    assert len(ledger.write_backs_due(*ACME, NOW + HOUR, 9)) == 1


@pytest.mark.parametrize("then", [Begin("AssociateOpportunity", {}), Rest("Synced", "Both sides agree.")])
def test_what_was_planned_with_older_facts_does_not_follow(ledger: Ledger, then: Begin | Rest) -> None:
    (number,) = add(ledger, DEAL)
    begun = begin(ledger, number)
    ledger.store_mapped(*ACME, [(DEAL, "Deal", Mapped({"new": "content"}), {})], NOW)
    done = ledger.succeed(begun, {"Id": "O1"}, NOW, then, opportunity_id="O1")
    assert done == ledger.link(number)
    assert (done.operation, done.opportunity_id, due(ledger)) == (None, "O1", [number])
    assert done.revision > begun.revision + 1


def test_success_with_facts_that_cannot_be_stored_changes_nothing(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    begun = begin(ledger, number)
    settle(ledger, number)
    with pytest.raises(LedgerUnavailable, match="no time zone"):
        ledger.succeed(begun, {"Id": "O1"}, NOW, opportunity_id="O1", poll_at=datetime(2027, 1, 1))  # noqa: DTZ001
    link = ledger.link(number)
    assert (link.operation, link.opportunity_id, due(ledger)) == (begun.operation, "", [])


def test_failure_closes_and_postponement_keeps_open(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    begun = begin(ledger, number)
    settle(ledger, number)
    later = ledger.postpone(begun, "AWS failed.", True, NOW + HOUR, NOW)
    kept = ledger.link(number).operation
    assert kept is not None
    assert begun.operation is not None
    assert (kept.body, kept.client_token, kept.attempts) == (begun.operation.body, "t", 1)
    assert (kept.error, kept.ambiguous, kept.next_attempt_at) == ("AWS failed.", True, NOW + HOUR)
    assert due(ledger) == [number]
    settle(ledger, number)
    refusal = Refusal("CreateOpportunity", "f", "no")
    ledger.fail(later, "refused", NOW, refusal=refusal)
    link = ledger.link(number)
    assert (link.operation, link.refusal, due(ledger)) == (None, refusal, [number])
    assert [(line["outcome"], line["error"]) for line in ledger.history(number)] == [("failed", "refused")]


def test_calls_of_a_window_are_counted_with_their_repeats(ledger: Ledger) -> None:
    numbers = add(ledger, *(deal(n) for n in range(3)))
    old, new, last = (begin(ledger, n, now=NOW + i * HOUR) for i, n in enumerate(numbers))
    new = ledger.sending(new, NOW + HOUR)
    assert ledger.operations_since("acme", NOW) == 4
    assert ledger.operations_since("acme", NOW + HOUR) == 3
    assert ledger.operations_since("acme", NOW + 3 * HOUR) == 0
    assert ledger.creates_since("acme", NOW) == 3
    assert ledger.creates_since("acme", NOW + HOUR) == 2
    ledger.fail(last, "refused", NOW)
    ledger.succeed(new, {}, NOW)
    begin(ledger, numbers[1], "UpdateOpportunity", NOW + 2 * HOUR)
    assert ledger.creates_since("acme", NOW + HOUR) == 1
    assert old.operation is not None


@pytest.mark.parametrize("identifier", [DEAL, DEAL[:15]])
@pytest.mark.parametrize("is_first", [True, False], ids=["seen first", "linked first"])
def test_an_opportunity_that_carries_our_id_becomes_the_candidate(
    ledger: Ledger, identifier: str, is_first: bool
) -> None:
    if is_first:
        assert ledger.see(*ACME, [summary(12, identifier)], NOW) == 0
        (number,) = add(ledger, DEAL)
    else:
        (number,) = add(ledger, DEAL)
        settle(ledger, number)
        assert ledger.see(*ACME, [summary(12, identifier)], NOW) == 1
    assert ledger.link(number).candidate_id == ledger.sighted(*ACME, DEAL) == "O12"
    assert due(ledger) == [number]


@pytest.mark.parametrize(
    "pages", [[[9, 12, 10]], [[12], [9], [10]], [[10], [12, 9]], [[10], [12]], [[100], [10], [12]], [[12, 10, 100]]]
)
@pytest.mark.parametrize("is_first", [True, False], ids=["seen first", "linked first"])
def test_the_oldest_of_several_wins(ledger: Ledger, pages: list[list[int]], is_first: bool) -> None:
    if not is_first:
        add(ledger, DEAL)
    for page in pages:
        ledger.see(*ACME, [summary(n, DEAL if n % 2 else DEAL[:15]) for n in page], NOW)
    if is_first:
        add(ledger, DEAL)
    link = ledger.find(*ACME, DEAL)
    assert link is not None
    assert link.candidate_id == ledger.sighted(*ACME, DEAL) == f"O{min(n for page in pages for n in page)}"


@pytest.mark.parametrize(
    "identifier", ["", "006000000000001", "CRM-0815", f"{DEAL[:15]}-copy", "006000000000002AAA", "é" * 64]
)
def test_identifiers_that_are_not_the_record_s_make_no_candidate(ledger: Ledger, identifier: str) -> None:
    (number,) = add(ledger, deal(77))
    settle(ledger, number)
    assert ledger.see(*ACME, [summary(1, identifier)], NOW) == 0
    assert (ledger.link(number).candidate_id, due(ledger)) == ("", [])
    assert ledger.sighted(*ACME, identifier) == ("O1" if identifier else "")
    assert ledger.sighted(*ACME, deal(77)) == ""


def test_a_linked_record_has_no_candidate(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    change(ledger, number, NOW, opportunity_id="O1")
    ledger.see(*ACME, [summary(1, DEAL), summary(2, DEAL)], NOW)
    add(ledger, DEAL)
    assert ledger.link(number).candidate_id == ""


def test_seeing_wakes_only_who_learned_something(ledger: Ledger) -> None:
    first, second = add(ledger, DEAL, deal(2))
    whole = {
        "Id": "O1",
        "LifeCycle": {"ReviewStatus": "Submitted", "Stage": "Qualified", "NextSteps": "call"},
        "Customer": {"Account": {"CompanyName": "Acme", "Address": {"City": "Ulm", "CountryCode": "DE"}}},
    }
    change(ledger, first, NOW, opportunity_id="O1", existing=whole)
    change(ledger, second, NOW, opportunity_id="O2", existing={"Id": "O2"})
    for number in (first, second):
        settle(ledger, number)
    brief = {
        "Id": "O1",
        "LifeCycle": {"ReviewStatus": "Submitted", "Stage": "Qualified"},
        "Customer": {"Account": {"CompanyName": "Acme", "Address": {"CountryCode": "DE"}}},
    }
    assert (ledger.see(*ACME, [brief, {"Id": "O2"}], NOW), due(ledger)) == (0, [])
    assert ledger.link(first).existing == whole
    approved = {**brief, "LifeCycle": {"ReviewStatus": "Approved", "Stage": "Qualified"}}
    assert (ledger.see(*ACME, [approved, {"Id": "O2"}, {"Id": "O3"}], NOW), due(ledger)) == (1, [first])
    assert ledger.link(first).existing == {**whole, **approved}
    settle(ledger, first)
    assert (ledger.see(*ACME, [approved], NOW), due(ledger)) == (0, [])


def test_polls_come_in_order_and_in_batches(ledger: Ledger) -> None:
    numbers = add(ledger, *(deal(n) for n in range(3)))
    for number, hours in zip(numbers, (3, 1, 2), strict=True):
        change(ledger, number, NOW, poll_at=NOW + hours * HOUR)
    assert [link.id for link in ledger.polls_due(*ACME, NOW + 2 * HOUR, 9)] == [numbers[1], numbers[2]]
    assert [link.id for link in ledger.polls_due(*ACME, NOW + 9 * HOUR, 1)] == [numbers[1]]
    assert ledger.work_due(*ACME, NOW + 2 * HOUR)["observe"] == 2
    change(ledger, numbers[1], NOW, poll_at=None)
    assert [link.id for link in ledger.polls_due(*ACME, NOW + 9 * HOUR, 1)] == [numbers[2]]


def test_a_write_back_is_noted_and_merged(ledger: Ledger) -> None:
    ledger.store_mapped(*ACME, [(DEAL, "Deal", MAPPED, {"a": 1, "b": "ü"})], NOW)
    (number,) = due(ledger)
    show(ledger, number)
    assert len(ledger.write_backs_due(*ACME, NOW, 9)) == 1
    ledger.written({number: Written({"b": "ö", "c": None})}, NOW)
    assert (ledger.link(number).shown, ledger.link(number).write_back_error) == ({"a": 1, "b": "ö", "c": None}, "")
    assert ledger.write_backs_due(*ACME, NOW + HOUR, 9) == []
    assert due(ledger, NOW + HOUR) == []


def test_what_inbound_fields_were_given_is_noted_and_merged(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    for given, known in (({}, {}), ({"A": "x", "B": 1}, {"A": "x", "B": 1}), ({"A": "y"}, {"A": "y", "B": 1})):
        show(ledger, number)
        assert len(ledger.write_backs_due(*ACME, NOW, 9)) == 1
        ledger.written({number: Written(taken=given)}, NOW)
        assert ledger.link(number).taken == known
    show(ledger, number)
    assert len(ledger.write_backs_due(*ACME, NOW, 9)) == 1
    change(ledger, number, NOW, taken={"A": "z"})
    ledger.written({number: Written({"F": 1}, taken={"B": 2})}, NOW)
    assert ledger.link(number).taken == {"A": "z", "B": 2}, "whoever noted something meanwhile is heard too"


def test_links_are_found_by_their_records(ledger: Ledger) -> None:
    add(ledger, DEAL, deal(2))
    assert [link.salesforce_id for link in ledger.stored(*ACME, [deal(2), deal(9)])] == [deal(2)]
    assert ledger.stored("other", "Sandbox", [DEAL]) == []


def test_a_refused_write_back_is_kept_and_tried_when_told(ledger: Ledger) -> None:
    first, second = add(ledger, DEAL, deal(2))
    show(ledger, first)
    show(ledger, second, NOW + HOUR)
    assert [link.id for link, *_ in ledger.write_backs_due(*ACME, NOW + HOUR, 9)] == [first, second]
    assert len(ledger.write_backs_due(*ACME, NOW + HOUR, 1)) == 1
    busy = Written(error="UNABLE_TO_LOCK_ROW: busy", again=NOW + 3 * HOUR)
    ledger.written({first: busy, second: Written(error="INVALID_FIELD: no")}, NOW)
    assert ledger.link(second).write_back_error == "INVALID_FIELD: no"
    assert ledger.write_backs_due(*ACME, NOW + 2 * HOUR, 9) == []
    assert [link.id for link, *_ in ledger.write_backs_due(*ACME, NOW + 3 * HOUR, 9)] == [first]


def test_a_rest_that_came_while_the_old_one_was_on_its_way_is_shown_too(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    show(ledger, number)
    assert len(ledger.write_backs_due(*ACME, NOW, 9)) == 1
    show(ledger, number, NOW + HOUR, "Synced")
    ledger.written({number: Written({"S": "Held"})}, NOW)
    assert [(rest, link.shown) for link, rest, _ in ledger.write_backs_due(*ACME, NOW + HOUR, 9)] == [
        ("Synced", {"S": "Held"})
    ]
    ledger.written({number: Written({"S": "Synced"})}, NOW)
    assert ledger.write_backs_due(*ACME, NOW + 2 * HOUR, 9) == []


def test_a_write_back_that_ends_after_the_facts_changed_waits_for_the_next_rest(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    show(ledger, number)
    assert len(ledger.write_backs_due(*ACME, NOW, 9)) == 1
    change(ledger, number, NOW, attempts=1)
    ledger.written({number: Written(error="UNABLE_TO_LOCK_ROW", again=NOW + HOUR)}, NOW)
    assert ledger.write_backs_due(*ACME, NOW + 9 * HOUR, 9) == []
    assert due(ledger) == [number]


def test_watermarks(ledger: Ledger) -> None:
    assert ledger.watermark("acme", "pull") == ""
    for value in ("2027", "2028 ü"):
        ledger.set_watermark("acme", "pull", value)
    ledger.set_watermark("other", "pull", "1")
    assert (ledger.watermark("acme", "pull"), ledger.watermark("acme", "sweep")) == ("2028 ü", "")


def test_usage_is_of_the_last_24_hours_and_never_too_little(ledger: Ledger) -> None:
    start = NOW.replace(minute=59)
    ledger.add_usage("acme", "reads", 2, start)
    ledger.add_usage("acme", "reads", 3, start)
    ledger.add_usage("acme", "reads", 10, start + HOUR)
    ledger.add_usage("acme", "writes", 100, start)
    ledger.add_usage("other", "reads", 1000, start)
    assert ledger.usage("acme", "reads", start + HOUR) == 15
    assert ledger.usage("acme", "reads", start + 24 * HOUR) == 15
    assert ledger.usage("acme", "reads", start + 25 * HOUR) == 10
    assert ledger.usage("acme", "reads", start + 27 * HOUR) == 0


def test_old_usage_is_forgotten(ledger: Ledger, engine: Engine) -> None:
    ledger.add_usage("acme", "reads", 1, NOW)
    ledger.add_usage("acme", "reads", 1, NOW + 72 * HOUR)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM usage")).scalar() == 1


def test_usage_does_not_depend_on_the_zone_it_is_told_in(ledger: Ledger) -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    ledger.add_usage("acme", "reads", 1, NOW.astimezone(kathmandu))
    ledger.add_usage("acme", "reads", 1, NOW)
    assert ledger.usage("acme", "reads", NOW + 24 * HOUR) == 2


def test_requests_are_handed_out_until_they_are_done(ledger: Ledger) -> None:
    ledger.request("acme", [DEAL, deal(2)], NOW)
    ledger.request("other", [deal(3)], NOW)
    (first, one), (second, two) = ledger.requests("acme")
    assert (one, two) == (DEAL, deal(2))
    ledger.requests_done([first])
    assert ledger.requests("acme") == [(second, deal(2))]
    ledger.requests_done([])
    ledger.request("acme", [deal(n) for n in range(500)], NOW)
    assert len(ledger.requests("acme")) == 200
