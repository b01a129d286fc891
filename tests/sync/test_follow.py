"""What AWS and partners do after the submission is seen soon, with few reads, and nothing known grows older."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.core.model import Link
from connector.errors import TemporaryError
from connector.ports import Clock
from connector.sandbox.partner_central import service as serving
from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.errors import ServiceError, not_found
from connector.sync import Context, advance, follow_invitations, follow_tasks, observe, pull, refresh, write_back
from connector.sync.follow import SHARE, TRY_AGAIN
from connector.sync.observe import OVERLAP
from tests.world import ROW, World, wait_until

GET, LIST, SUMMARY = "GetOpportunity", "ListOpportunities", "GetAwsOpportunitySummary"
ANSWERS = "ListEngagementInvitations"
VERBS = (pull, observe, advance, follow_tasks, refresh, follow_invitations, advance, write_back)
PARTNER = "222233334444"


@pytest.fixture(name="world")
def _world(inviting_world: World) -> World:
    return inviting_world


@dataclass
class Ahead:
    """A clock that can be moved on."""

    clock: Clock
    by: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.clock.now() + self.by

    def monotonic(self) -> float:
        return self.clock.monotonic() + self.by.total_seconds()

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)


def approved(world: World, count: int = 1, *, partner: bool = False) -> tuple[Context, Ahead, list[str]]:
    """Records that AWS approved, both sides at rest; the context's clock can be moved on."""
    deals = [world.opportunity() for _ in range(count)]
    if partner:
        for deal in deals:
            world.invite(deal, PARTNER)
    context = world.context()
    clock = Ahead(context.clock)
    context.clock = clock
    passes(context)
    wait_until(lambda: _is_quiet(context), "the tasks to end", 10)
    for deal in deals:
        for status in ("In review", "Approved"):
            world.sandbox.service.review(id_of(world, deal), status)
    passes(context)
    passes(context)
    assert {world.record(deal)["AWS_Review_Status__c"] for deal in deals} == {"Approved"}
    return context, clock, deals


def _is_quiet(context: Context) -> bool:
    passes(context)
    return not context.ledger.polls_due(*context.key, context.now + timedelta(hours=1), 100)


def passes(context: Context) -> None:
    """One round of what the daemon does all the time, each where it is due."""
    for verb in VERBS:
        verb(context)


def id_of(world: World, deal: str) -> str:
    (found,) = world.at_aws(deal)
    return str(found["Id"])


def link_of(context: Context, deal: str) -> Link:
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    return link


def reads(world: World, since: int) -> Counter[str]:
    """What was asked of AWS from this row of the journal on."""
    return Counter(entry.operation for entry in world.sandbox.service.journal[since:])


def asked_about(world: World, operation: str, since: int) -> list[str]:
    entries = [entry for entry in world.sandbox.service.journal[since:] if entry.operation == operation]
    return [str(entry.body.get("Identifier") or entry.body.get("RelatedOpportunityIdentifier")) for entry in entries]


def count(world: World) -> int:
    return len(world.sandbox.service.journal)


def due_within(context: Context, pause: timedelta) -> list[str]:
    return sorted(link.salesforce_id for link in context.ledger.refreshes_due(*context.key, context.now + pause, 100))


# The list


def test_the_list_goes_on_from_awss_own_newest_stamp_with_an_overlap(world: World) -> None:
    context, _, deals = approved(world)
    world.change_at_aws(id_of(world, deals[0]), **{"LifeCycle.NextSteps": "Ours now"})
    observe(context)
    newest = max(entry["LastModifiedDate"] for entry in world.sandbox.service.opportunities())
    before = count(world)
    observe(context)
    (asked,) = world.sandbox.service.journal[before:]
    after = datetime.fromisoformat(asked.body["LastModifiedDate"]["AfterLastModifiedDate"])
    assert after == datetime.fromisoformat(newest) - OVERLAP
    assert asked.body["Sort"] == {"SortBy": "LastModifiedDate", "SortOrder": "ASCENDING"}


def test_our_own_clock_moves_no_watermark(world: World) -> None:
    """However wrong it is: what AWS changes next is not overlooked."""
    context, clock, deals = approved(world)
    clock.by = timedelta(days=2)
    observe(context)
    clock.by = timedelta(0)
    world.change_at_aws(id_of(world, deals[0]), **{"LifeCycle.Stage": "Technical Validation"})
    observe(context)
    assert link_of(context, deals[0]).stage == "Technical Validation"


def test_only_what_changed_is_read_as_a_whole(world: World) -> None:
    context, _, deals = approved(world, 3)
    before = count(world)
    passes(context)
    assert reads(world, before)[GET] == reads(world, before)[SUMMARY] == 0, "nothing changed"
    changed = id_of(world, deals[1])
    world.change_at_aws(changed, **{"Project.AdditionalComments": "The list does not show this."})
    before = count(world)
    passes(context)
    passes(context)
    assert asked_about(world, GET, before) == [changed]
    assert asked_about(world, SUMMARY, before) == [changed]
    assert reads(world, before)[LIST] == 2


def test_a_list_that_lags_makes_nothing_older(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    context, _, deals = approved(world)
    lists = serving.OPERATIONS[LIST]
    stale: list[Any] = []

    def lagging(call: Call, body: Any) -> Any:
        if not stale:
            stale.append(lists(call, body))
        return stale[0]

    monkeypatch.setitem(serving.OPERATIONS, LIST, lagging)  # type: ignore[arg-type]
    observe(context)
    world.edit(deals[0], NextStep="Sign on Friday", StageName="Value Proposition")
    passes(context)
    known = link_of(context, deals[0])
    assert (known.existing or {})["LifeCycle"]["NextSteps"] == "Sign on Friday"
    before = count(world)
    for _ in range(2):
        passes(context)
    after = link_of(context, deals[0])
    assert (after.existing, after.stage) == (known.existing, "Technical Validation")
    assert not set(reads(world, before)) & {"UpdateOpportunity", GET}
    assert world.record(deals[0])["AWS_Sync_Status__c"] == "Synced"


# AWS's own side


def test_awss_side_is_looked_at_now_and_then_since_nothing_tells_of_it(world: World) -> None:
    assert not world.sandbox.service.settings.summary_bumps
    context, clock, deals = approved(world)
    world.sandbox.service.summarise(id_of(world, deals[0]), Insights={"EngagementScore": "High"})
    before = count(world)
    passes(context)
    assert reads(world, before)[SUMMARY] == 0
    clock.by = context.refresh_every - timedelta(minutes=1)
    passes(context)
    assert reads(world, before)[SUMMARY] == 0
    clock.by = context.refresh_every + timedelta(minutes=1)
    passes(context)
    assert (reads(world, before)[SUMMARY], reads(world, before)[GET]) == (1, 0), "the rest is known as a whole"
    assert world.record(deals[0])["AWS_Engagement_Score__c"] == "High"


def test_where_aws_tells_of_its_own_side_it_is_looked_at_at_once(world: World) -> None:
    world.sandbox.service.configure(summary_bumps=True)
    context, _, deals = approved(world)
    world.sandbox.service.summarise(id_of(world, deals[0]), Insights={"EngagementScore": "Low"})
    passes(context)
    assert world.record(deals[0])["AWS_Engagement_Score__c"] == "Low"


def test_looking_takes_no_more_than_its_share_of_a_days_reads(world: World) -> None:
    context, clock, deals = approved(world, 3)
    context.reads_per_day = 6
    pause = timedelta(days=len(deals) / (context.reads_per_day * SHARE))
    assert pause == timedelta(days=2) > context.refresh_every
    clock.by = context.refresh_every + timedelta(minutes=1)
    assert refresh(context) == 3
    assert due_within(context, pause - timedelta(minutes=10)) == []
    assert due_within(context, pause) == sorted(deals)


@pytest.mark.parametrize("how", ["unavailable", "older"])
def test_one_records_trouble_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """``older``: AWS shows a state from before the one that it told of."""
    context, clock, deals = approved(world, 3)
    troubled = id_of(world, deals[1])
    operation = SUMMARY if how == "unavailable" else GET
    answers = serving.OPERATIONS[operation]

    def in_trouble(call: Call, body: Any) -> Any:
        if troubled not in body.values():
            return answers(call, body)
        if how == "unavailable":
            raise ServiceError("InternalServerException", "try again")
        return {**answers(call, body), "LastModifiedDate": "2020-01-01T00:00:00.000Z"}  # type: ignore[dict-item]

    for deal in deals:
        world.sandbox.service.summarise(id_of(world, deal), Insights={"EngagementScore": "Medium"})
        world.change_at_aws(id_of(world, deal), **{"Project.AdditionalComments": "News"})
    with monkeypatch.context() as patched:
        patched.setitem(serving.OPERATIONS, operation, in_trouble)  # type: ignore[arg-type]
        passes(context)
    scores = [world.record(deal)["AWS_Engagement_Score__c"] for deal in deals]
    assert scores == ["Medium", None, "Medium"]
    assert due_within(context, TRY_AGAIN) == [deals[1]]
    clock.by = TRY_AGAIN + timedelta(seconds=1)
    passes(context)
    assert world.record(deals[1])["AWS_Engagement_Score__c"] == "Medium"
    assert {world.record(deal)["AWS_Sync_Status__c"] for deal in deals} == {"Synced"}


REFUSALS = {
    "not found": not_found("AwsOpportunitySummary", "O1"),
    "not yet": ServiceError("ValidationException", "The opportunity has no summary yet."),
    "conflict": ServiceError("ConflictException", "Not in this state."),
    "denied": ServiceError("AccessDeniedException", "User is not authorized to perform this."),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_summary_that_aws_does_not_give_yet_is_no_trouble(
    world: World, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    def refuse(_call: Call, _body: Any) -> Any:
        raise REFUSALS[refusal]

    with monkeypatch.context() as patched:
        patched.setitem(serving.OPERATIONS, SUMMARY, refuse)  # type: ignore[arg-type]
        context, clock, deals = approved(world)
        assert world.record(deals[0])["AWS_Sync_Status__c"] == "Synced"
        assert due_within(context, context.refresh_every - timedelta(minutes=1)) == []
    clock.by = context.refresh_every + timedelta(minutes=1)
    world.sandbox.service.summarise(id_of(world, deals[0]), Insights={"EngagementScore": "High"})
    passes(context)
    assert world.record(deals[0])["AWS_Engagement_Score__c"] == "High"


def lose(world: World, context: Context, deal: str) -> None:
    world.edit(deal, StageName="Closed Lost", AWS_Closed_Lost_Reason__c="Price")
    passes(context)
    assert world.at_aws(deal)[0]["LifeCycle"]["Stage"] == "Closed Lost"


def test_what_was_lost_is_not_looked_at_any_more(world: World) -> None:
    context, clock, deals = approved(world)
    lose(world, context, deals[0])
    clock.by = context.refresh_every + timedelta(minutes=1)
    before = count(world)
    passes(context)
    assert reads(world, before)[SUMMARY] <= 1, "at most a last look"
    _nothing_more(world, context, clock)


def test_what_was_rejected_is_not_looked_at_any_more(world: World) -> None:
    deal = world.opportunity()
    context = world.settle()
    clock = Ahead(context.clock)
    context.clock = clock
    world.sandbox.service.review(id_of(world, deal), "In review")
    world.sandbox.service.review(id_of(world, deal), "Rejected", "AWS serves this customer already.")
    passes(context)
    passes(context)
    assert world.record(deal)["AWS_Review_Comments__c"] == "AWS serves this customer already."
    assert world.record(deal)["AWS_Sync_Status__c"] == "Stopped"
    _nothing_more(world, context, clock)


def test_nothing_is_read_for_a_deleted_record_until_it_is_restored(world: World) -> None:
    context, clock, (deal,) = approved(world, partner=True)
    world.sandbox.org.delete("Opportunity", deal)
    passes(context)
    assert world.context().ledger.find(*context.key, deal).presence == "deleted"  # type: ignore[union-attr]
    _nothing_more(world, context, clock)
    world.sandbox.org.undelete(deal)
    world.sandbox.service.summarise(id_of(world, deal), Insights={"EngagementScore": "High"})
    clock.by += context.refresh_every + timedelta(minutes=1)
    passes(context)
    passes(context)
    assert world.record(deal)["AWS_Engagement_Score__c"] == "High"


def _nothing_more(world: World, context: Context, clock: Ahead) -> None:
    clock.by += timedelta(days=30)
    before = count(world)
    for _ in range(2):
        for verb in (observe, advance, follow_tasks, refresh, follow_invitations, write_back):
            verb(context)
    assert set(reads(world, before)) == {LIST}


# Partners' answers


def test_answers_are_looked_for_ten_engagements_a_call_and_rarely_when_they_are_old(world: World) -> None:
    context, clock, deals = approved(world, 11, partner=True)
    assert len(world.invitations_of(PARTNER)) == 11
    clock.by = timedelta(seconds=10)
    before = count(world)
    passes(context)
    asked = [
        entry.body["EngagementIdentifier"]
        for entry in world.sandbox.service.journal[before:]
        if entry.operation == ANSWERS
    ]
    assert sorted(map(len, asked)) == [1, 10]
    before = count(world)
    passes(context)
    assert reads(world, before)[ANSWERS] == 0, "a minute at least"
    clock.by = timedelta(days=1)
    follow_invitations(context)
    clock.by += timedelta(minutes=14)
    before = count(world)
    follow_invitations(context)
    assert reads(world, before)[ANSWERS] == 0, "a quarter of an hour at most"
    rows = {one["Opportunity__c"]: one["Id"] for one in world.sandbox.org.records(ROW)}
    chosen = world.row(rows[deals[4]])["Invitation_Id__c"]
    world.sandbox.service.answer_invitation(chosen, "REJECTED", "Unable to support")
    clock.by += timedelta(minutes=2)
    before = count(world)
    passes(context)
    assert reads(world, before)[ANSWERS] == 2
    assert reads(world, before)["GetEngagementInvitation"] == 1, "only what has news is read as a whole"
    shown = {world.row(row)["Invitation_Status__c"] for deal, row in rows.items() if deal != deals[4]}
    assert shown == {"PENDING"}
    assert world.row(rows[deals[4]])["Rejection_Reason__c"] == "Unable to support"


def test_one_trouble_with_the_list_of_answers_is_made_up_for(world: World) -> None:
    context, clock, deals = approved(world, partner=True)
    (sent,) = world.invitations_of(PARTNER)
    world.sandbox.service.answer_invitation(sent["Id"], "ACCEPTED")
    clock.by = timedelta(minutes=2)
    world.sandbox.faults.add(on=ANSWERS, do="status", status=500, times=None)
    with pytest.raises(TemporaryError):
        follow_invitations(context)
    world.sandbox.faults.clear()
    passes(context)
    (row,) = world.sandbox.org.records(ROW)
    assert row["Invitation_Status__c"] == "ACCEPTED"
    assert world.record(deals[0])["AWS_Sync_Status__c"] == "Synced"


def test_a_look_that_fails_after_a_submission_is_still_due(world: World) -> None:
    """A fleet goes by it alone: it would remember the failure, and never look again."""
    context, _clock, _deals = approved(world)
    context.submitted.set()
    world.sandbox.faults.add(on=LIST, do="status", status=503, times=None)
    with pytest.raises(TemporaryError):
        observe(context)
    assert context.submitted.is_set()
    world.sandbox.faults.clear()
    observe(context)
    assert not context.submitted.is_set()
