"""What exists at AWS already, and answers that mislead: taken over and looked up, never made a second time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest

from connector.core import retry
from connector.sandbox.partner_central import service as serving
from connector.sandbox.partner_central.errors import ServiceError
from connector.sandbox.partner_central.records import TaskScript
from connector.sync import Context, advance, follow_tasks, learn, lookup, observe, pull, write_back
from connector.sync.settle import settle
from tests import audit
from tests.audit import Deal, draft_of
from tests.world import World, wait_until

START = audit.START
MOMENT = timedelta(seconds=0.05)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)


def judge(world: World, context: Context, deal: Deal) -> None:
    assert audit.always(world, [deal.id]) + audit.settled(world, context, [deal]) == []


def briefly(context: Context, deal: str, seconds: float = 0.3) -> None:
    """One run that gives up soon, as when the process is stopped while something waits."""
    settle(context, [deal], patience=timedelta(seconds=seconds))


def retried(world: World) -> Context:
    """A new start after a person said ``connector retry``: nothing that is open waits any longer."""
    context = world.context()
    context.ledger.wake(*context.key, None, context.now)
    for link in [context.ledger.find(*context.key, i) for i in context.ledger.present(*context.key)]:
        assert link is not None
        context.ledger.wake(*context.key, [link.salesforce_id], context.now)
    settle(context, None, patience=timedelta(seconds=20))
    return context


def submitted_of(world: World, deal: str, script: TaskScript | None = None) -> str:
    """Another tool creates, associates and starts it; gives its id."""
    identifier = draft_of(world, deal)
    world.associate_at_aws(identifier, "Solutions", "S-0001111")
    if script is not None:
        world.sandbox.service.script_tasks(script)
    submission = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
    world.by_hand(START, {"ClientToken": "tool", "Identifier": identifier, "AwsSubmission": submission})
    return identifier


# A create whose answer was lost.


def is_shown(world: World) -> Callable[[], bool]:
    listed = {"Catalog": "Sandbox"}
    return lambda: bool(world.by_hand("ListOpportunities", listed)["OpportunitySummaries"])


@pytest.mark.parametrize("fault", ["reset", "status", "html", "truncate"])
def test_a_create_whose_token_is_forgotten_is_found_by_our_id(world: World, fault: str) -> None:
    world.sandbox.service.configure(token_lifetime=0.0)
    deal = Deal(world.opportunity())
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do=fault, status=500)
    judge(world, world.settle(), deal)
    assert world.sandbox.faults.fired == 1


def test_a_create_is_found_although_aws_forgot_its_token_and_lists_it_late(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "LISTED_WITHIN", timedelta(seconds=3))
    world.sandbox.service.configure(token_lifetime=0.0, visible_after=1.5)
    deal = Deal(world.opportunity())
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do="reset")
    briefly(world.context(), deal.id)
    assert len(world.at_aws(deal.id)) == 1, "created again while AWS did not list the first one yet"
    wait_until(is_shown(world), "AWS to list it", 10)
    judge(world, retried(world), deal)


def test_a_create_that_aws_lists_late_is_found_after_a_restart(world: World) -> None:
    world.sandbox.service.configure(visible_after=1.0)
    deal = Deal(world.opportunity())
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do="reset", times=2)
    briefly(world.context(), deal.id)
    judge(world, retried(world), deal)


@pytest.mark.parametrize("operation", ["CreateOpportunity", "AssociateOpportunity", START])
def test_what_became_of_a_write_is_asked_with_pauses_while_aws_cannot_tell(world: World, operation: str) -> None:
    deal = Deal(world.opportunity())
    context = world.context()
    pull(context)
    observe(context)
    world.sandbox.faults.add(on=operation, at="after", do="reset")
    asked = ("ListOpportunities", "GetOpportunity", "ListEngagementFromOpportunityTasks")
    away = [world.sandbox.faults.add(on=one, do="status", status=503, times=None) for one in asked]

    def is_asked() -> bool:
        advance(context)
        return any(rule.fired for rule in away)

    wait_until(is_asked, "AWS to be asked what became of it", 10)
    advance(context)
    link = context.ledger.find(*context.key, deal.id)
    assert link is not None
    assert link.operation is not None
    assert link.operation.ambiguous
    assert (link.attempts, link.next_try_at) == (0, None), "of the record itself nothing is known to be wrong"
    assert sum(rule.fired for rule in away) < 60, "asked again and again without a pause"
    world.sandbox.faults.clear()
    judge(world, world.settle(), deal)


def test_a_conflict_on_a_create_is_our_own_earlier_attempt(world: World) -> None:
    world.sandbox.service.configure(replay="conflict", visible_after=0.7)
    deal = Deal(world.opportunity())
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do="reset")
    briefly(world.context(), deal.id)
    assert len(world.at_aws(deal.id)) == 1
    wait_until(is_shown(world), "AWS to list it", 10)
    judge(world, retried(world), deal)


def test_a_conflict_on_a_start_is_our_own_earlier_attempt(world: World) -> None:
    world.sandbox.service.configure(replay="conflict")
    deal = Deal(world.opportunity())
    world.sandbox.faults.add(on=START, at="after", do="reset")
    judge(world, world.settle(), deal)


def test_a_create_throttled_before_it_was_made_is_dropped_with_the_flag(world: World) -> None:
    deal = world.opportunity()
    world.sandbox.faults.add(on="CreateOpportunity", do="throttle")
    context = world.context()
    pull(context)
    observe(context)
    advance(context)
    world.edit(deal, Share_With_AWS__c=False)
    context = retried(world)
    assert world.at_aws(deal) == [], "what AWS never took is not sent once the record is no longer flagged"
    assert context.ledger.open_operations(context.name) == 0


def test_a_record_restored_between_two_looks_shows_its_state_all_the_same(world: World) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="too short")
    context = world.context()
    pull(context)
    observe(context)
    advance(context)
    world.sandbox.org.delete("Opportunity", deal)
    write_back(context)
    world.sandbox.org.undelete(deal)
    world.settle()
    assert world.record(deal)["AWS_Sync_Status__c"] == "Held"


# Work that exists already.


def test_a_draft_made_by_hand_keeps_what_people_put_there(world: World) -> None:
    deal = Deal(
        world.opportunity(), {"Project.AdditionalComments": "Call first."}, (("AwsProducts", "AmazonEC2Linux"),)
    )
    identifier = draft_of(world, deal.id, Title="Old title", AdditionalComments="Call first.")
    world.associate_at_aws(identifier, "AwsProducts", "AmazonEC2Linux")
    judge(world, world.settle(), deal)
    assert world.effects(deal.id)["UpdateOpportunity"] == 1


def test_what_an_older_tool_submitted_is_taken_over(world: World) -> None:
    deal = Deal(world.opportunity())
    submitted_of(world, deal.id)
    judge(world, world.settle(), deal)
    assert written(world) == []


def test_a_task_that_an_older_tool_left_running_is_followed(world: World) -> None:
    deal = Deal(world.opportunity())
    submitted_of(world, deal.id, TaskScript(after=1.0))
    judge(world, world.settle(), deal)
    assert written(world) == []


def test_a_task_of_an_older_tool_that_failed_is_started_anew(world: World) -> None:
    deal = Deal(world.opportunity())
    submitted_of(world, deal.id, TaskScript(reason="OpportunityValidationFailed", message="no"))
    judge(world, world.settle(), deal)
    assert written(world) == [START]


@pytest.mark.parametrize("adopted", [draft_of, submitted_of])
def test_an_edit_after_the_submission_of_an_adopted_opportunity_is_told(
    world: World, adopted: Callable[[World, str], str]
) -> None:
    deal = world.opportunity()
    adopted(world, deal)
    world.settle()
    world.edit(deal, NextStep="Call them on Monday")
    world.settle()
    assert world.record(deal)["AWS_Sync_Status__c"] == "Pending"
    assert "while it reviews: NextStep." in world.record(deal)["AWS_Sync_Message__c"]


def test_another_solution_after_the_submission_is_told(world: World) -> None:
    deal = world.opportunity()
    world.settle()
    world.edit(deal, AWS_Solution_Ids__c="S-0001112")
    world.settle()
    assert world.record(deal)["AWS_Sync_Status__c"] == "Pending"
    assert "while it reviews: AWS_Solution_Ids__c." in world.record(deal)["AWS_Sync_Message__c"]


@pytest.mark.parametrize("status", ["In review", "Approved", "Rejected", "Action Required"])
def test_a_review_that_is_under_way_is_taken_over(world: World, status: str) -> None:
    deal = world.opportunity()
    identifier = submitted_of(world, deal)
    world.sandbox.service.review(identifier, "In review")
    if status != "In review":
        world.sandbox.service.review(identifier, status, comments="see the notes")
    context = world.settle()
    assert audit.always(world, [deal]) == []
    assert written(world) == []
    assert world.record(deal)["AWS_Review_Status__c"] == status
    assert context.ledger.open_operations(context.name) == 0


def test_a_stage_that_is_further_on_at_aws_stays(world: World) -> None:
    deal = world.opportunity()
    identifier = submitted_of(world, deal)
    world.sandbox.service.review(identifier, "In review")
    world.sandbox.service.review(identifier, "Approved")
    world.edit_at_aws(identifier, {"LifeCycle.Stage": "Technical Validation"})
    world.settle()
    assert audit.always(world, [deal]) == []
    assert written(world) == []
    (at_aws,) = world.at_aws(deal)
    assert at_aws["LifeCycle"]["Stage"] == "Technical Validation"


def written(world: World) -> list[str]:
    """The writes that the connector itself made at AWS."""
    return [entry.operation for entry in world.ours if not entry.operation.startswith(("Get", "List"))]


# Tasks.


@pytest.mark.parametrize("fault", [None, "reset"])
@pytest.mark.parametrize("after", [0.0, 0.3])
def test_a_task_without_an_id_is_followed_by_its_opportunity(world: World, fault: str | None, after: float) -> None:
    deal = Deal(world.opportunity())
    world.sandbox.service.script_tasks(TaskScript(after=after, ids_null=True))
    if fault is not None:
        world.sandbox.faults.add(on=START, at="after", do=fault)
    judge(world, world.settle(), deal)


@pytest.mark.parametrize("moment", [0.02, 0.6])
def test_a_complete_task_that_fails_a_moment_later_is_started_again(world: World, moment: float) -> None:
    """0.6 s is after the second look at the task, which comes 0.05 s after its start here."""
    deal = Deal(world.opportunity())
    script = TaskScript(after=moment, reason="InternalError", message="try again", premature=True)
    world.sandbox.service.script_tasks(script)
    world.settle()
    wait_until(lambda: world.sandbox.service.tasks()[0]["TaskStatus"] == "FAILED", "the task to fail", 10)

    def has_begun_anew() -> bool:
        """The failure is seen at the next look at the task, which may not be due yet."""
        world.settle()
        return sum(entry.operation == START for entry in world.ours) > 1

    wait_until(has_begun_anew, "the task to be started again", 20)
    judge(world, world.settle(), deal)
    tokens = {entry.token for entry in world.ours if entry.operation == START}
    assert len(tokens) == 2, "a new attempt has a token of its own"


@pytest.mark.parametrize(
    ("after", "premature"), [(0.0, False), (0.02, False), (0.02, True)], ids=["at once", "soon", "after COMPLETE"]
)
def test_a_task_that_fails_again_and_again_is_told_in_the_end(world: World, after: float, premature: bool) -> None:
    deal = world.opportunity()
    script = TaskScript(after=after, reason="EngagementConflict", message="in conflict", premature=premature)
    for _ in range(2 * retry.ATTEMPTS_OF_A_TASK):
        world.sandbox.service.script_tasks(script)
    with mock.patch.object(learn, "next_attempt", lambda attempts, now, asked=0.0: now + timedelta(seconds=0.05)):
        context = world.settle(deal)

        def is_held() -> bool:
            settle(context, [deal], patience=timedelta(seconds=2))
            return bool(world.record(deal)["AWS_Sync_Status__c"] == "Held")

        wait_until(is_held, "a person to be asked", 30)
    assert sum(entry.operation == START for entry in world.ours) == retry.ATTEMPTS_OF_A_TASK
    assert "EngagementConflict" in str(world.record(deal)["AWS_Sync_Message__c"])


def test_what_keeps_us_from_asking_for_tasks_is_no_failed_submission(world: World) -> None:
    """AWS fails two submissions, and cannot be asked in between for a while: a person is asked after five only."""
    deal = world.opportunity()
    for _ in range(2):
        world.sandbox.service.script_tasks(TaskScript(after=0.0, reason="InternalError", message="try again"))
    context = world.context()
    pull(context)
    observe(context)
    away = mock.Mock(side_effect=ServiceError("InternalServerException", "We are sorry."))

    def is_away() -> bool:
        advance(context)
        return bool(away.call_count > 2 * retry.ATTEMPTS_OF_A_TASK)

    with ExitStack() as hurried:
        for name in ("connector.sync.learn", "connector.sync.advance"):
            soon = mock.patch.object(sys.modules[name], "next_attempt", lambda _n, now, _s=0.0: now + MOMENT)
            hurried.enter_context(soon)
        with mock.patch.dict(serving.OPERATIONS, {"ListEngagementFromOpportunityTasks": away}):
            wait_until(is_away, "AWS to be asked in vain", 30)
        judge(world, world.settle(deal), Deal(deal))
    assert sum(entry.operation == START for entry in world.ours) == 3


def test_a_task_that_ended_while_nobody_looked_is_told_though_the_review_is_on(world: World) -> None:
    """The list of opportunities tells of the review before the task was asked for again."""
    world.sandbox.service.configure(task_seconds=0.5)
    deal = world.opportunity()
    context = world.context()
    for verb in (pull, observe, advance, write_back):
        verb(context)
    assert world.record(deal)["AWS_Task_Status__c"] == "IN_PROGRESS"
    wait_until(lambda: world.sandbox.service.tasks()[0]["TaskStatus"] == "COMPLETE", "the task to end", 10)
    (found,) = world.at_aws(deal)
    world.sandbox.service.review(found["Id"], "In review")
    context = world.context()

    def is_told() -> bool:
        for verb in (pull, observe, advance, follow_tasks, write_back):
            verb(context)
        return bool(world.record(deal)["AWS_Engagement_Id__c"])

    wait_until(is_told, "the end of the task", 30)
    assert world.record(deal)["AWS_Task_Status__c"] == "COMPLETE"
    later = context.now + timedelta(days=365)
    assert context.ledger.polls_due(*context.key, later, 10) == [], "nobody asks for it any more"


def test_a_complete_task_that_a_person_has_to_mend_is_told(world: World) -> None:
    deal = world.opportunity()
    script = TaskScript(after=0.02, reason="OpportunityValidationFailed", message="no", premature=True)
    world.sandbox.service.script_tasks(script)
    world.settle()
    world.settle()
    assert world.record(deal)["AWS_Sync_Status__c"] == "Held"
    assert world.record(deal)["AWS_Task_Status__c"] == "FAILED"


def test_what_another_tool_submitted_after_all_is_followed(world: World) -> None:
    """Our submission failed; somebody sent it from Partner Central, and AWS approved it."""
    deal, draft = draft_refused(world)
    assert world.record(deal)["AWS_Sync_Status__c"] == "Held"
    submission = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
    world.by_hand(START, {"ClientToken": "tool", "Identifier": draft, "AwsSubmission": submission})
    for status in ("In review", "Approved"):
        world.sandbox.service.review(draft, status)
    retried_by_nobody = world.settle()
    settle(retried_by_nobody, [deal], patience=timedelta(seconds=2))
    shown = world.record(deal)
    assert (shown["AWS_Sync_Status__c"], shown["AWS_Review_Status__c"]) == ("Synced", "Approved")
    assert "failed" not in shown["AWS_Sync_Message__c"]


def test_what_aws_refused_to_create_is_submitted_once_somebody_has_created_it(world: World) -> None:
    deal = world.opportunity()
    refused = ServiceError(
        "ValidationException",
        "",
        Reason="BUSINESS_VALIDATION_EXCEPTION",
        ErrorList=[{"Code": "INVALID_VALUE", "FieldName": "customer.account.companyName", "Message": "Embargoed."}],
    )
    with mock.patch.dict(serving.OPERATIONS, {"CreateOpportunity": mock.Mock(side_effect=refused)}):
        world.settle(deal)
    assert world.record(deal)["AWS_Sync_Status__c"] == "Held"
    draft_of(world, deal)
    judge(world, world.settle(), Deal(deal))
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


def test_a_task_that_aws_no_longer_lists_does_not_hold_up_what_it_approved(world: World) -> None:
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(after=0.3))
    context = world.context()
    for verb in (pull, observe, advance, write_back):
        verb(context)
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    assert link.task is not None
    assert link.task.status == "IN_PROGRESS"
    wait_until(lambda: world.sandbox.service.tasks()[0]["TaskStatus"] == "COMPLETE", "the task to end", 10)
    nothing = mock.Mock(return_value={"TaskSummaries": []})
    with mock.patch.dict(serving.OPERATIONS, {"ListEngagementFromOpportunityTasks": nothing}):
        for status in ("In review", "Approved"):
            world.sandbox.service.review(link.opportunity_id, status)
        settle(context, None, patience=timedelta(seconds=1))
        assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"
        world.edit(deal, NextStep="Sign it")
        settle(context, [deal], patience=timedelta(seconds=2))
        link = context.ledger.find(*context.key, deal)
        assert link is not None
        assert context.ledger.polls_due(*context.key, context.now + timedelta(days=1), 9) == [], "it is asked no more"
    (found,) = world.at_aws(deal)
    assert found["LifeCycle"]["NextSteps"] == "Sign it"


# Updates.


def draft_refused(world: World) -> tuple[str, str]:
    """A record whose first submission was refused, so that its draft may be edited: (Salesforce id, AWS id)."""
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(reason="OpportunityValidationFailed", message="mend it"))
    world.settle(deal)
    (draft,) = world.at_aws(deal)
    return deal, draft["Id"]


BESIDE = {
    "Project.AdditionalComments": 'R&D <first>, "Müller" & Söhne: 50 %',
    "Project.CompetitorName": "No Competition",
    "Project.ApnPrograms": ["Migration Acceleration Program"],
    "Customer.Account.AwsAccountId": "111122223333",
    "Customer.Account.Duns": "123456789",
    "Customer.Account.Address.StreetAddress": "1 Congress Ave",
    "Customer.Contacts": [{"FirstName": "Ann", "LastName": "Lee", "Email": "ann@company0.example"}],
    "Marketing": {"Source": "Marketing Activity", "CampaignName": "Spring", "AwsFundingUsed": "No"},
    "SoftwareRevenue": {"DeliveryModel": "Contract", "Value": {"Amount": "12.5", "CurrencyCode": "USD"}},
}
"""What a person fills in at Partner Central, where the Salesforce record has nothing."""


@pytest.mark.parametrize("escape", ["use_case", "all"])
def test_what_a_person_set_at_aws_survives_our_update(world: World, escape: str) -> None:
    salesforce_id, identifier = draft_refused(world)
    world.sandbox.service.configure(escape=escape, stub_spend=True)
    world.edit_at_aws(identifier, BESIDE)
    world.edit(salesforce_id, NextStep="Call them on Monday")
    context = world.settle()
    assert world.effects(salesforce_id)["UpdateOpportunity"] == 2, "the person's and ours"
    (opportunity,) = world.at_aws(salesforce_id)
    for path, value in BESIDE.items():
        assert audit.leaves({path: audit.value_at(opportunity, path)}) == audit.leaves({path: value})
    assert audit.always(world, [salesforce_id]) == []
    assert opportunity["LifeCycle"]["NextSteps"] == "Call them on Monday"
    assert context.ledger.open_operations(context.name) == 0


def test_what_a_person_added_to_a_row_that_we_change_survives(world: World) -> None:
    salesforce_id, identifier = draft_refused(world)
    (spend,) = world.at_aws(salesforce_id)[0]["Project"]["ExpectedCustomerSpend"]
    estimate = "https://calculator.aws/#/estimate?id=1234567890abcdef1234567890abcdef12345678"
    world.edit_at_aws(identifier, {"Project.ExpectedCustomerSpend": [{**spend, "EstimationUrl": estimate}]})
    world.edit(salesforce_id, Amount=240000)
    world.settle()
    assert audit.always(world, [salesforce_id]) == []


def test_an_edit_at_aws_between_our_read_and_our_update_is_kept(world: World) -> None:
    salesforce_id, identifier = draft_refused(world)
    world.edit(salesforce_id, NextStep="Call them on Monday")
    call = world.sandbox.service.perform
    edited: list[bool] = []

    def meddling(operation: str, account: str, body: Any) -> Any:
        if operation == "UpdateOpportunity" and not edited:
            edited.append(True)
            world.edit_at_aws(identifier, {"Project.AdditionalComments": "Call first."})
        return call(operation, account, body)

    world.sandbox.service.perform = meddling  # type: ignore[method-assign]
    context = world.settle()
    assert edited
    judge(world, context, Deal(salesforce_id, {"Project.AdditionalComments": "Call first."}))


def test_an_update_whose_answer_is_lost_while_a_person_edits_is_planned_anew(world: World) -> None:
    salesforce_id, identifier = draft_refused(world)
    world.sandbox.faults.add(on="UpdateOpportunity", at="after", do="reset")
    world.edit(salesforce_id, NextStep="Call them on Monday")
    context = world.context()
    briefly(context, salesforce_id, 0.0)
    world.edit(salesforce_id, NextStep="Call them on Tuesday")
    if world.at_aws(salesforce_id)[0]["LifeCycle"]["ReviewStatus"] == "Pending Submission":
        world.edit_at_aws(identifier, {"Project.AdditionalComments": "Call first."})
    context = world.settle()
    assert audit.always(world, [salesforce_id]) == []
    assert context.ledger.open_operations(context.name) == 0
