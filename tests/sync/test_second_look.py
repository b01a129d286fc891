"""Nothing is created, submitted or sent for a record that nobody shares any more, however long that waited."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest

from connector.adapters.salesforce import SalesforceClient
from connector.core import retry
from connector.errors import Halt, QuotaExhausted, UnsafePlan
from connector.sync import Context, advance, follow_tasks, observe, pull, second_look, write_back
from connector.sync.readings import FRESH, Readings
from tests.audit import INVITE, START, draft_of
from tests.world import ROW, World, denied, wait_until

CREATE = "CreateOpportunity"
PARTNER, OTHER = "222233334444", "333344445555"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)


def halted(context: Context) -> None:
    """Everything stands still before AWS has done anything for what was read."""
    pull(context)
    observe(context)
    with pytest.raises(Halt):
        advance(context)


def later(context: Context) -> None:
    """So long after it was read that a lot may have happened since."""
    context.readings = Readings()


def go_on(context: Context) -> None:
    """What may be done is done, to the end."""

    def is_over() -> bool:
        for verb in (advance, follow_tasks, observe, write_back):
            verb(context)
        return not any(context.ledger.work_due(*context.key, context.now + timedelta(seconds=30)).values())

    wait_until(is_over, "all that is due to be done", 20)


def done(world: World, operation: str) -> int:
    return sum(entry.operation == operation and entry.outcome == "ok" for entry in world.ours)


def test_what_waited_is_created_only_if_it_is_shared_still(world: World) -> None:
    deals = [world.opportunity() for _ in range(6)]
    context = world.context()
    context.in_flight = 2
    with denied(CREATE):
        halted(context)
    begun = [deal for deal in deals if (link := context.ledger.find(*context.key, deal)) and link.operation]
    assert 0 < len(begun) <= 2, "some were written ahead, others were never begun"
    unflagged, deleted = deals[:3], deals[3]
    for deal in unflagged:
        world.edit(deal, Share_With_AWS__c=False)
    world.sandbox.org.delete("Opportunity", deleted)
    pull(context)
    links = [context.ledger.find(*context.key, deal) for deal in deals]
    assert {link.presence for link in links if link} == {"flagged"}, "no poll can know: nothing was written into them"
    later(context)
    go_on(context)
    assert [len(world.at_aws(deal)) for deal in deals] == [0, 0, 0, 0, 1, 1]
    links = [context.ledger.find(*context.key, deal) for deal in deals]
    assert [link.presence for link in links if link] == [*["unflagged"] * 3, "deleted", "flagged", "flagged"]
    assert context.ledger.open_operations(context.name) == 0


def test_a_draft_of_a_record_that_is_no_longer_shared_is_not_submitted(world: World) -> None:
    deal = world.opportunity()
    context = world.context()
    with denied(START):
        halted(context)
        assert len(world.at_aws(deal)) == 1
        world.edit(deal, Share_With_AWS__c=False)
    later(context)
    go_on(context)
    assert done(world, START) == 0
    assert world.record(deal)["AWS_Sync_Status__c"] == "Stopped"


@pytest.mark.parametrize("at", ["before", "after"])
def test_what_may_have_been_created_is_brought_to_its_end_and_not_submitted(world: World, at: str) -> None:
    """Nobody knows whether AWS has it, so that is found out; the record is looked at before what follows."""
    deal = world.opportunity()
    context = world.context()
    world.sandbox.faults.add(on=CREATE, at=at, do="reset", times=1)
    pull(context)
    observe(context)
    with mock.patch.object(retry, "FIRST_DELAY", 0.5):
        advance(context)
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    assert link.operation is not None
    assert link.operation.ambiguous
    world.edit(deal, Share_With_AWS__c=False)
    later(context)
    go_on(context)
    assert len(world.at_aws(deal)) == 1
    assert done(world, START) == 0
    assert world.record(deal)["AWS_Sync_Status__c"] == "Stopped"


@pytest.fixture(name="inviting")
def _inviting(inviting_world: World) -> tuple[World, Context, str, str]:
    """A submitted record with a row whose invitation waits for the limit of a day."""
    deal = inviting_world.opportunity()
    context = inviting_world.settle(deal)
    context.limits = replace(context.limits, invitations_per_day=0)
    row = inviting_world.invite(deal, PARTNER)
    pull(context)
    advance(context)
    assert done(inviting_world, INVITE) == 0
    return inviting_world, context, deal, row


def test_nobody_is_invited_for_a_row_that_was_deleted_while_it_waited(
    inviting: tuple[World, Context, str, str],
) -> None:
    world, context, deal, row = inviting
    world.sandbox.org.delete(ROW, row)
    later(context)
    context.limits = replace(context.limits, invitations_per_day=5)
    context.ledger.wake_waiting(*context.key, context.now)
    go_on(context)
    assert world.invitations_of(PARTNER) == []
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    assert link.mapped is not None
    assert link.mapped.invitations == ()


@pytest.mark.parametrize("change", ["deleted", "another partner", "none"])
def test_an_invitation_that_was_written_ahead_and_not_sent_follows_its_row(
    inviting: tuple[World, Context, str, str], change: str
) -> None:
    world, context, deal, row = inviting
    context.limits = replace(context.limits, invitations_per_day=5)
    context.ledger.wake_waiting(*context.key, context.now)
    with denied(INVITE), pytest.raises(Halt):
        advance(context)
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    assert link.operation is not None
    if change == "deleted":
        world.sandbox.org.delete(ROW, row)
    elif change == "another partner":
        world.edit_row(row, Partner_AWS_Account__c=OTHER)
    later(context)
    go_on(context)
    wanted = {"deleted": [0, 0], "another partner": [0, 1], "none": [1, 0]}[change]
    assert [len(world.invitations_of(account)) for account in (PARTNER, OTHER)] == wanted
    assert context.ledger.open_operations(context.name) == 0


def test_what_was_just_read_costs_no_call_more_and_what_waited_is_read_together(world: World) -> None:
    asked: list[int] = []
    fetch = SalesforceClient.fetch

    def counted(client: SalesforceClient, selection: Any, ids: Any) -> Any:
        asked.append(len(ids))
        return fetch(client, selection, ids)

    with mock.patch.object(SalesforceClient, "fetch", counted):
        for _ in range(3):
            world.opportunity()
        context = world.context()
        pull(context)
        go_on(context)
        assert asked == []
        for _ in range(12):
            world.opportunity()
        pull(context)
        later(context)
        go_on(context)
    assert asked == [12]
    assert done(world, CREATE) == 15


@pytest.mark.parametrize("trouble", ["silent", "share used up"])
def test_while_salesforce_cannot_be_asked_nothing_new_is_made_and_the_rest_goes_on(world: World, trouble: str) -> None:
    known = world.opportunity()
    context = world.context()
    pull(context)
    go_on(context)
    world.sandbox.service.review(world.at_aws(known)[0]["Id"], "In review")
    world.sandbox.service.review(world.at_aws(known)[0]["Id"], "Approved")
    go_on(context)
    world.edit(known, NextStep="Sign it")
    new = world.opportunity()
    pull(context)
    later(context)
    used_up = mock.patch.object(SalesforceClient, "fetch", side_effect=QuotaExhausted("The share is used up.", delay=1))
    if trouble == "silent":
        world.sandbox.faults.add(on="*", do="reset", times=None)
    else:
        used_up.start()
    try:
        with suppress(Halt):
            advance(context)
    finally:
        world.sandbox.faults.clear()
        if trouble != "silent":
            used_up.stop()
    link = context.ledger.find(*context.key, new)
    assert link is not None
    assert (link.opportunity_id, link.operation) == ("", None)
    assert world.at_aws(new) == []
    if trouble != "silent":
        (approved,) = world.at_aws(known)
        assert approved["LifeCycle"]["NextSteps"] == "Sign it"
    context.ledger.wake(*context.key, [new], context.now, "a test")
    go_on(context)
    assert len(world.at_aws(new)) == 1


def test_what_was_written_ahead_goes_on_while_a_changed_mapping_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = world.opportunity()
    context = world.context()
    with denied(CREATE):
        halted(context)
    later(context)

    def refuse(*_: object) -> None:
        raise UnsafePlan("The mapping changes too much.")

    monkeypatch.setattr(second_look, "pull_ids", refuse)
    go_on(context)
    assert len(world.at_aws(deal)) == 1


@pytest.mark.parametrize("looks", [False, True])
def test_what_somebody_else_created_while_it_waited_is_taken_over(world: World, looks: bool) -> None:
    """Written ahead, certainly not carried out: that says nothing of what others do meanwhile."""
    deal = world.opportunity()
    context = world.context()
    with denied(CREATE):
        halted(context)
    made = draft_of(world, deal)
    if looks:
        later(context)
    pull(context)
    observe(context)
    go_on(context)
    assert [one["Id"] for one in world.at_aws(deal)] == [made]
    assert world.record(deal)["AWS_Opportunity_Id__c"] == made
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"
    dropped = [step for step in world.show(deal)["history"] if step["action"] == CREATE]
    assert [step["error"] for step in dropped] == [
        "Somebody else has done it at AWS meanwhile; this was never carried out."
    ]


@pytest.mark.parametrize("hears", [False, True])
def test_what_somebody_else_submitted_while_it_waited_is_not_submitted_again(world: World, hears: bool) -> None:
    """Whether the list of opportunities has told of it by then or not."""
    deal = world.opportunity()
    context = world.context()
    with denied(START):
        halted(context)
    (draft,) = world.at_aws(deal)
    involvement = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
    world.by_hand(START, {"ClientToken": "by-hand", "Identifier": draft["Id"], "AwsSubmission": involvement})
    if hears:
        observe(context)
    go_on(context)
    assert [entry.outcome for entry in world.ours if entry.operation == START] == ["AccessDeniedException"]
    shown = world.record(deal)
    assert (shown["AWS_Sync_Status__c"], shown["AWS_Task_Status__c"]) == ("Synced", "COMPLETE")
    assert context.ledger.open_operations(context.name) == 0


def test_a_machine_that_slept_looks_again(world: World) -> None:
    """One of its clocks stood still meanwhile."""
    deal = world.opportunity()
    context = world.context()
    with denied(CREATE):
        halted(context)
    world.edit(deal, Share_With_AWS__c=False)
    clock, night = context.clock, timedelta(hours=9)
    context.clock = mock.Mock(sleep=clock.sleep, monotonic=clock.monotonic)
    context.clock.now = lambda: clock.now() + night
    pull(context)
    advance(context)
    assert world.at_aws(deal) == []


def test_readings_are_forgotten_by_and_by() -> None:
    def at(second: float) -> tuple[float, float]:
        return 1000.0 + second, 5000.0 + second

    readings = Readings()
    readings.note(["a"], at(0))
    readings.note(["b"], at(FRESH - 1))
    assert readings.has("a", at(FRESH - 1))
    assert not readings.has("c", at(0))
    assert readings.has("b", at(FRESH + 1)), "an older set is kept for as long again"
    readings.note(["c"], at(FRESH + 1))
    assert not readings.has("a", at(2 * FRESH + 2))
    assert readings.has("c", at(2 * FRESH + 2))
    assert not readings.has("c", at(9 * FRESH))
    readings.note(["d"], (5.0, 5.0))
    assert not readings.has("e", (5.0, 5.0)), "clocks that began anew do no harm"


@pytest.mark.parametrize("asleep", [0, 1])
def test_readings_grow_old_by_either_clock(asleep: int) -> None:
    readings = Readings()
    readings.note(["a"], (1000.0, 5000.0))
    now = [1000.0, 5000.0]
    now[asleep] += 3 * FRESH
    assert not readings.has("a", (now[0], now[1]))
