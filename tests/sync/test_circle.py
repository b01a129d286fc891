"""The circle with both services real over HTTPS: what arrives at AWS, what Salesforce shows, what is never repeated."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.sandbox.partner_central.records import TaskScript
from tests.world import World


def test_a_flagged_record_is_created_associated_submitted_and_shown(world: World) -> None:
    deal = world.opportunity(AWS_Product_Codes__c="AmazonEC2Linux;AmazonRDSforPostgreSQL")
    world.settle()
    assert world.effects(deal) == {
        "CreateOpportunity": 1,
        "AssociateOpportunity": 3,
        "StartEngagementFromOpportunityTask": 1,
    }
    (at_aws,) = world.at_aws(deal)
    shown = world.record(deal)
    assert shown["AWS_Opportunity_Id__c"] == at_aws["Id"]
    assert shown["AWS_Task_Id__c"].startswith("task-")
    assert shown["AWS_Task_Arn__c"].startswith("arn:aws:partnercentral:us-east-1::catalog/Sandbox/")
    assert shown["AWS_Task_Status__c"] == "COMPLETE"
    assert shown["AWS_Task_Start_Time__c"] is not None
    assert shown["AWS_Task_Reason__c"] is None
    assert shown["AWS_Engagement_Id__c"].startswith("eng-")
    assert shown["AWS_Review_Status__c"] == "Submitted"
    assert shown["AWS_Sync_Status__c"] == "Synced"


def test_a_second_run_writes_nothing_anywhere(world: World) -> None:
    deal = world.opportunity()
    world.settle(deal)
    before = world.calls
    world.settle(deal)
    world.settle()
    assert world.calls[:2] == before[:2]


def test_an_incomplete_record_is_held_with_everything_that_is_wrong(world: World) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="too short", AWS_Customer_Use_Case__c=None, Amount=0)
    world.settle()
    assert world.at_aws(deal) == []
    shown = world.record(deal)
    assert shown["AWS_Sync_Status__c"] == "Held"
    for field in ("AWS_Business_Problem__c", "AWS_Customer_Use_Case__c", "Amount"):
        assert field in shown["AWS_Sync_Message__c"]
    assert "mappings/opportunity.yaml:" in shown["AWS_Sync_Message__c"]


def test_a_held_record_goes_through_once_it_is_mended(world: World) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="too short")
    world.settle()
    world.edit(deal, AWS_Business_Problem__c="A sentence that is long enough for AWS.")
    world.settle()
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"
    assert world.effects(deal)["CreateOpportunity"] == 1


def test_a_failed_submission_is_told_and_repeated_after_a_correction(world: World) -> None:
    deal = world.opportunity()
    message = "REQUIRED_FIELD_MISSING project.salesActivities:project.salesActivities is required"
    world.sandbox.service.script_tasks(TaskScript(reason="OpportunityValidationFailed", message=message))
    world.settle()
    shown = world.record(deal)
    assert shown["AWS_Task_Status__c"] == "FAILED"
    assert shown["AWS_Task_Reason__c"] == "OpportunityValidationFailed"
    assert shown["AWS_Task_Message__c"] == message
    assert shown["AWS_Sync_Status__c"] == "Held"
    assert "AWS_Sales_Activities__c" in shown["AWS_Sync_Message__c"]
    world.settle()
    assert world.effects(deal)["StartEngagementFromOpportunityTask"] == 1, "nothing is repeated before it changes"
    world.edit(deal, AWS_Sales_Activities__c="Conducted POC / Demo")
    world.settle()
    (at_aws,) = world.at_aws(deal)
    assert at_aws["Project"]["SalesActivities"] == ["Conducted POC / Demo"]
    assert world.effects(deal)["StartEngagementFromOpportunityTask"] == 2
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"
    assert world.record(deal)["AWS_Task_Message__c"] is None
    tokens = [e.token for e in world.sandbox.service.journal if e.operation == "StartEngagementFromOpportunityTask"]
    assert len(set(tokens)) == 2, "a new attempt has a token of its own"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("REQUIRED_FIELD_MISSING project.title:", ("AWS needs a value here.", "Fill it in.")),
        ("REQUIRED_FIELD_MISSING project.title:Odd words", ("AWS: Odd words", "Fill it in.")),
        ("A_NEW_CODE project.title:Odd words", ("AWS: Odd words", "Correct it as AWS's text says.")),
        ("A_NEW_CODE project.title:", ("AWS does not accept this.", "Correct it as AWS's text says.")),
    ],
)
def test_aws_s_own_words_are_told_and_where_there_are_none_what_its_code_means(
    world: World, message: str, told: tuple[str, str]
) -> None:
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(reason="OpportunityValidationFailed", message=message))
    world.settle()
    (problem,) = world.show(deal)["problems"]
    assert (problem["message"], problem["cure"]) == told
    assert problem["path"] == "Project.Title"


def test_a_submission_that_fails_for_a_passing_reason_is_repeated(world: World) -> None:
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(reason="InternalError", message="try again"))
    world.settle()
    assert world.effects(deal)["StartEngagementFromOpportunityTask"] == 2
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


def test_a_task_that_runs_on_is_followed_to_its_end(world: World) -> None:
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(after=1.0))
    world.settle()
    assert world.record(deal)["AWS_Task_Status__c"] == "COMPLETE"
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


def test_a_task_that_fails_after_it_ran_is_told(world: World) -> None:
    deal = world.opportunity()
    script = TaskScript(after=0.5, reason="OpportunityValidationFailed", message="no")
    world.sandbox.service.script_tasks(script)
    world.settle()
    assert world.record(deal)["AWS_Task_Status__c"] == "FAILED"
    assert world.record(deal)["AWS_Sync_Status__c"] == "Held"


def test_what_aws_refuses_is_told_at_the_salesforce_field(world: World) -> None:
    deal = world.opportunity(AWS_Solution_Ids__c="S-9999999")
    world.settle()
    shown = world.record(deal)
    assert shown["AWS_Sync_Status__c"] == "Held"
    assert "AWS_Solution_Ids__c" in shown["AWS_Sync_Message__c"]
    assert world.effects(deal) == {"CreateOpportunity": 1}
    world.edit(deal, AWS_Solution_Ids__c="S-0001112")
    world.settle()
    assert world.effects(deal) == {
        "CreateOpportunity": 1,
        "AssociateOpportunity": 1,
        "StartEngagementFromOpportunityTask": 1,
    }


def test_an_unflagged_record_is_no_longer_pushed(world: World) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="too short")
    context = world.settle()
    world.edit(deal, Share_With_AWS__c=False, AWS_Business_Problem__c="Long enough for AWS by now.")
    from connector.sync import advance, pull, write_back

    pull(context)
    advance(context)
    write_back(context)
    assert world.at_aws(deal) == []
    assert world.record(deal)["AWS_Sync_Status__c"] == "Stopped"
    world.edit(deal, Share_With_AWS__c=True)
    pull(context)
    advance(context)
    assert len(world.at_aws(deal)) == 1


def test_a_deleted_record_is_stopped_and_nothing_is_written_to_it(world: World) -> None:
    deal = world.opportunity()
    world.settle()
    world.sandbox.org.delete("Opportunity", deal)
    before = world.calls
    world.settle()
    assert world.show(deal)["sync"]["status"] == "Stopped"
    assert "deleted" in world.show(deal)["sync"]["message"]
    assert world.calls[:2] == before[:2]


def test_an_opportunity_that_exists_at_aws_is_adopted_even_with_an_empty_ledger(world: World) -> None:
    deal = world.opportunity()
    world.settle()
    before = world.effects(deal)
    world.without_ledger()
    world.settle()
    assert world.effects(deal) == before
    assert world.show(deal)["opportunity_id"] == world.at_aws(deal)[0]["Id"]
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


def test_a_draft_that_somebody_made_by_hand_is_completed_and_submitted(world: World) -> None:
    deal = world.opportunity()
    context = world.context()
    from connector.sync import pull

    pull(context)
    link = context.ledger.find("sandbox", "Sandbox", deal)
    assert link is not None
    assert link.mapped is not None
    body = {**link.mapped.opportunity, "ClientToken": "by-hand"}
    body["Project"] = {**body["Project"], "Title": "Old title"}
    context.partner_central.call("CreateOpportunity", body)
    world.settle()
    (at_aws,) = world.at_aws(deal)
    assert at_aws["Project"]["Title"] == link.mapped.opportunity["Project"]["Title"]
    assert world.effects(deal) == {
        "CreateOpportunity": 1,
        "UpdateOpportunity": 1,
        "AssociateOpportunity": 1,
        "StartEngagementFromOpportunityTask": 1,
    }


def test_edits_after_the_submission_wait_and_are_told(world: World) -> None:
    deal = world.opportunity()
    world.settle()
    world.edit(deal, NextStep="Call them on Monday")
    world.settle()
    assert world.effects(deal)["UpdateOpportunity"] == 0
    assert world.record(deal)["AWS_Sync_Status__c"] == "Pending"
    assert "while it reviews: NextStep." in world.record(deal)["AWS_Sync_Message__c"]


@pytest.mark.parametrize(
    ("status", "shown", "words"),
    [
        ("Approved", "Synced", "approved"),
        ("Action Required", "Held", "Fix the address"),
        ("Rejected", "Stopped", "reject"),
    ],
)
def test_the_review_is_followed(world: World, status: str, shown: str, words: str) -> None:
    deal = world.opportunity()
    world.settle()
    (at_aws,) = world.at_aws(deal)
    world.sandbox.service.review(at_aws["Id"], "In review")
    world.sandbox.service.review(at_aws["Id"], status, comments="Fix the address")
    world.settle()
    record = world.record(deal)
    assert record["AWS_Review_Status__c"] == status
    assert record["AWS_Sync_Status__c"] == shown
    assert words in record["AWS_Sync_Message__c"]


def test_a_change_of_the_account_alone_is_noticed(world: World) -> None:
    deal = world.opportunity()
    account = world.record(deal)["AccountId"]
    world.sandbox.org.update("Account", account, {"BillingPostalCode": None})
    context = world.settle()
    assert world.record(deal)["AWS_Sync_Status__c"] == "Held"
    world.sandbox.org.update("Account", account, {"BillingPostalCode": "78701"})
    from connector.sync import advance, pull

    pull(context)
    advance(context)
    assert len(world.at_aws(deal)) == 1


def test_one_record_that_salesforce_refuses_does_not_stop_the_others(world: World) -> None:
    from connector.sandbox.salesforce.faults import Fault

    deals = [world.opportunity() for _ in range(3)]
    world.sandbox.org.rules.fail_row(
        deals[1], Fault("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Close date must be set", []), 99
    )
    world.settle()
    statuses = [world.record(deal)["AWS_Sync_Status__c"] for deal in deals]
    assert statuses == ["Synced", None, "Synced"]
    told = world.show(deals[1])["write_back"]
    assert told["error"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION: Close date must be set"
    assert told["meaning"] == "A validation rule of your Salesforce org refuses the record."
    assert told["cure"].startswith("Correct the record as the rule says")
    told = world.show(deals[0])["write_back"]
    assert (told["error"], told["meaning"], told["cure"]) == (None, None, None)


def test_what_salesforce_refuses_is_printed_with_its_meaning(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    from connector.commands.show import show
    from connector.sandbox.salesforce.faults import Fault

    deals = [world.opportunity() for _ in range(2)]
    words = "Required fields are missing: [Region__c]"
    world.sandbox.org.rules.fail_row(deals[0], Fault("REQUIRED_FIELD_MISSING", words, ("Region__c",)), 99)
    world.sandbox.org.rules.fail_row(deals[1], Fault("A_NEW_CODE", "Never seen."), 99)
    world.settle()
    printed = []
    for deal in deals:
        show(world.app(), deal, as_json=False)
        printed.append(" ".join(capsys.readouterr().out.split()))
    assert f"REQUIRED_FIELD_MISSING on Region__c: {words}" in printed[0]
    assert "Region__c: A field that your Salesforce org requires is empty. Fill it in on the record." in printed[0]
    assert "A_NEW_CODE: Never seen." in printed[1]
    assert "That means" not in printed[1]


def test_the_limit_on_creates_stops_the_flood(world: World) -> None:
    world.write_config("    limits: {creates_per_day: 2}\n")
    deals = [world.opportunity() for _ in range(4)]
    world.settle()
    assert sum(len(world.at_aws(deal)) for deal in deals) == 2
    waiting = [world.record(deal) for deal in deals if not world.at_aws(deal)]
    assert {record["AWS_Sync_Status__c"] for record in waiting} == {"Pending"}
    assert "limit is 2" in waiting[0]["AWS_Sync_Message__c"]


def test_two_hundred_and_fifty_rows_are_written_back_in_two_calls(world: World) -> None:
    deals = [world.opportunity(AWS_Business_Problem__c="short") for _ in range(250)]
    world.settle()
    patches = [label for label, _ in world.sandbox.org.calls if label.startswith("PATCH")]
    assert len(patches) == 2
    assert {world.record(deal)["AWS_Sync_Status__c"] for deal in deals} == {"Held"}


def test_an_idle_pull_costs_one_call(world: World) -> None:
    from connector.sync import pull

    world.opportunity()
    context = world.settle()
    pull(context)
    before = len(world.sandbox.org.calls)
    pull(context)
    assert len(world.sandbox.org.calls) - before <= 2, "one poll; the echo of our own write may be read once more"
    before = len(world.sandbox.org.calls)
    pull(context)
    assert len(world.sandbox.org.calls) - before == 1


def test_a_solution_is_exchanged_before_the_submission_new_one_first(world: World) -> None:
    deal = world.opportunity()
    script = TaskScript(reason="OpportunityValidationFailed", message="BUSINESS_VALIDATION_EXCEPTION x:y")
    world.sandbox.service.script_tasks(script)
    world.settle()
    world.edit(deal, AWS_Solution_Ids__c="S-0001112")
    world.settle()
    (at_aws,) = world.at_aws(deal)
    assert at_aws["RelatedEntityIdentifiers"]["Solutions"] == ["S-0001112"]
    done = [entry.operation for entry in world.sandbox.service.journal]
    assert world.effects(deal)["AssociateOpportunity"] == 2
    assert world.effects(deal)["DisassociateOpportunity"] == 1
    last_attached = len(done) - done[::-1].index("AssociateOpportunity")
    assert last_attached <= done.index("DisassociateOpportunity"), "the last one that is needed is never missing"
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


def test_what_somebody_associated_at_aws_stays(world: World) -> None:
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(reason="OpportunityValidationFailed", message="once more"))
    context = world.settle()
    (at_aws,) = world.at_aws(deal)
    body = {
        "OpportunityIdentifier": at_aws["Id"],
        "RelatedEntityType": "AwsProducts",
        "RelatedEntityIdentifier": "AmazonEC2Linux",
    }
    context.partner_central.call("AssociateOpportunity", body)
    world.edit(deal, NextStep="Call them on Monday")
    world.settle()
    (at_aws,) = world.at_aws(deal)
    assert at_aws["LifeCycle"]["NextSteps"] == "Call them on Monday"
    assert at_aws["RelatedEntityIdentifiers"]["AwsProducts"] == ["AmazonEC2Linux"]
    assert world.effects(deal)["DisassociateOpportunity"] == 0


def test_an_edited_mapping_takes_effect_at_the_next_start(world: World) -> None:
    from connector.resources import packaged
    from connector.sync import advance, pull, sweep_is_due

    deal = world.opportunity(Type=None, AWS_Sales_Activities__c=None)
    context = world.settle()
    assert world.at_aws(deal) == []
    assert not sweep_is_due(context, timedelta(days=1))
    text = packaged("mappings", "opportunity.yaml").read_text(encoding="utf-8")
    line = "SalesActivities: {from: AWS_Sales_Activities__c, transform: split"
    assert line in text
    edited = text.replace(line, f"{line}, default: [Conducted POC / Demo]")
    (world.folder / "mapping.yaml").write_text(edited, encoding="utf-8")
    world.write_config("    mapping: mapping.yaml\n")
    context = world.context()
    assert sweep_is_due(context, timedelta(days=1))
    pull(context, sweep=True)
    advance(context)
    assert len(world.at_aws(deal)) == 1
    assert not sweep_is_due(context, timedelta(days=1))
