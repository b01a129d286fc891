"""Moving from another integration: its opportunities are taken over, none is made twice, none is given to two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.core.mapping import map_record
from connector.report import plans_of
from connector.sandbox.salesforce.schema import read_fields
from tests.world import ENVIRONMENT, World, wait_until, world

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="moved")
def moved_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A partner who used another tool: two fields hold what that called its deals."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    text = (ROOT / "mappings" / "opportunity.yaml").read_text("utf-8")
    named = text.replace("  object: Opportunity\n", "  object: Opportunity\n  adopt: [Old_Number__c, Old_Name__c]\n")
    assert named != text
    (tmp_path / "moved.yaml").write_text(named, "utf-8")
    with world(tmp_path, mapping=("moved.yaml",)) as made:
        for field in read_fields("Old_Number__c | | string(20)\nOld_Name__c | | string(64)"):
            made.sandbox.org.add_field("Opportunity", field)
        yield made


def made_by_the_old_tool(world: World, deal: str, identifier: str) -> str:
    """A draft of this deal that another tool created under a name of its own; gives the O-number."""
    context = world.context()
    record = context.salesforce.fetch(context.mapping.selection, [deal])[0]
    body = map_record(context.mapping, record, context.today).opportunity
    sent = {**body, "PartnerOpportunityIdentifier": identifier, "ClientToken": f"old-{identifier}"}
    return str(world.by_hand("CreateOpportunity", sent)["Id"])


def approve(world: World, number: str) -> None:
    """The old tool has submitted it, and AWS has approved it."""
    submission = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
    body = {"ClientToken": f"start-{number}", "Identifier": number, "AwsSubmission": submission}
    world.associate_at_aws(number, "Solutions", "S-0001111")
    world.by_hand("StartEngagementFromOpportunityTask", body)
    wait_until(lambda: at_aws(world, number)["LifeCycle"]["ReviewStatus"] == "Submitted", "the submission", 10)
    world.sandbox.service.review(number, "Approved")


def plan_of(world: World, *deals: str) -> list[dict[str, Any]]:
    app = world.app()
    return plans_of(app, app.contexts["sandbox"], deals)


def creates(world: World) -> int:
    return sum(entry.operation == "CreateOpportunity" for entry in world.ours)


def at_aws(world: World, number: str) -> dict[str, Any]:
    return next(entry for entry in world.sandbox.service.opportunities() if entry["Id"] == number)


@pytest.mark.parametrize("by", ["identifier", "number"])
def test_what_the_old_tool_made_is_taken_over_and_nothing_is_created(moved: World, by: str) -> None:
    deal = moved.opportunity()
    number = made_by_the_old_tool(moved, deal, "CRM-0017")
    moved.edit(deal, **({"Old_Name__c": "CRM-0017"} if by == "identifier" else {"Old_Number__c": number}))
    moved.settle()
    assert creates(moved) == 0
    assert moved.show(deal)["opportunity_id"] == number
    assert moved.record(deal)["AWS_Opportunity_Id__c"] == number
    assert moved.record(deal)["AWS_Sync_Status__c"] == "Synced"
    assert at_aws(moved, number)["PartnerOpportunityIdentifier"] == deal, (
        "a draft gets the name it is found by from now on"
    )


def test_a_plan_before_the_first_run_finds_what_carries_the_short_form_of_an_id(moved: World) -> None:
    deal = moved.opportunity()
    number = made_by_the_old_tool(moved, deal, deal[:15])
    (planned,) = plan_of(moved, deal)
    assert planned["actions"][0] == {"action": "adopt", "opportunity_id": number}
    moved.settle(deal)
    assert (creates(moved), moved.show(deal)["opportunity_id"]) == (0, number), "as planned"


def test_of_what_aws_has_approved_only_what_differs_and_may_still_change_is_sent(moved: World) -> None:
    deal = moved.opportunity()
    number = made_by_the_old_tool(moved, deal, "CRM-0016")
    approve(moved, number)
    before = at_aws(moved, number)
    moved.edit(
        deal, Old_Name__c="CRM-0016", Name="Another title", StageName="Proposal/Price Quote", NextStep="Call them"
    )
    moved.settle()
    after = at_aws(moved, number)
    assert moved.show(deal)["opportunity_id"] == number
    assert after["LifeCycle"]["NextSteps"] == "Call them"
    assert after["LifeCycle"]["Stage"] == before["LifeCycle"]["Stage"], "at AWS the deal may be further on"
    assert after["Project"]["Title"] == before["Project"]["Title"], "AWS keeps what it approved"
    assert after["PartnerOpportunityIdentifier"] == "CRM-0016"
    assert creates(moved) == 0


def test_a_deal_that_names_nothing_is_created(moved: World) -> None:
    deal = moved.opportunity(Old_Name__c="  ")
    moved.settle()
    assert creates(moved) == 1
    assert moved.record(deal)["AWS_Sync_Status__c"] == "Synced"


def test_a_name_that_aws_does_not_know_is_a_new_deal(moved: World) -> None:
    deal = moved.opportunity(Old_Name__c="CRM-4711")
    moved.settle()
    assert creates(moved) == 1
    assert moved.at_aws(deal)


@pytest.mark.parametrize("by", ["identifier", "number"])
def test_a_clone_is_held_and_never_gets_the_others_opportunity(moved: World, by: str) -> None:
    deal = moved.opportunity()
    number = made_by_the_old_tool(moved, deal, "CRM-0018")
    approve(moved, number)
    named = {"Old_Name__c": "CRM-0018"} if by == "identifier" else {"Old_Number__c": number}
    moved.edit(deal, **named)
    moved.settle()
    clone = moved.opportunity(AWS_Opportunity_Id__c=number, **named)
    moved.settle()
    shown = moved.show(clone)
    assert (shown["sync"]["status"], shown["opportunity_id"]) == ("Held", None)
    assert f"AWS's {number} belongs to another record already: {deal}." in shown["sync"]["message"]
    assert moved.record(deal)["Name"] not in shown["sync"]["message"], "it would outlive a `forget` of that one"
    assert "moved.yaml:" in shown["sync"]["message"]
    assert (creates(moved), moved.show(deal)["opportunity_id"]) == (0, number)
    moved.edit(clone, **dict.fromkeys(named))
    moved.settle()
    assert creates(moved) == 1
    assert moved.show(clone)["opportunity_id"] not in {None, number}


def test_of_two_that_name_the_same_at_once_one_is_linked_and_the_other_told(moved: World) -> None:
    deals = [moved.opportunity() for _ in range(4)]
    number = made_by_the_old_tool(moved, deals[0], "CRM-0019")
    for deal in deals:
        moved.edit(deal, Old_Number__c=number)
    planned = [entry["actions"][0]["action"] for entry in plan_of(moved, *deals)]
    assert planned == ["adopt", "hold", "hold", "hold"]
    assert [entry["salesforce_id"] for entry in plan_of(moved, *deals[::-1])] == deals[::-1], (
        "in the order they are given"
    )
    moved.settle()
    shown = [moved.show(deal) for deal in deals]
    assert sorted(str(one["opportunity_id"]) for one in shown) == ["None", "None", "None", number]
    assert sorted(one["sync"]["status"] for one in shown) == ["Held", "Held", "Held", "Synced"]
    assert creates(moved) == 0


def test_a_number_that_aws_does_not_have_is_held_until_it_is_mended(moved: World) -> None:
    deal = moved.opportunity(Old_Number__c="O987654321")
    (planned,) = plan_of(moved, deal)
    assert planned["actions"][0]["action"] == "hold"
    assert "AWS has no opportunity O987654321" in planned["problems"][0]["message"]
    moved.settle()
    message = moved.record(deal)["AWS_Sync_Message__c"]
    assert "AWS has no opportunity O987654321, which the record names as its own." in message
    assert "Old_Number__c" in message
    reads = moved.sandbox.service.reads
    moved.settle(deal)
    assert creates(moved) == 0
    assert moved.sandbox.service.reads - reads < 5, "it is not asked for again and again"
    moved.edit(deal, Old_Number__c=None)
    moved.settle()
    assert creates(moved) == 1


def test_the_own_id_comes_before_any_other_name(moved: World) -> None:
    deal = moved.opportunity()
    old, own = (made_by_the_old_tool(moved, deal, name) for name in ("CRM-0020", deal))
    moved.edit(deal, Old_Name__c="CRM-0020")
    moved.settle()
    assert moved.show(deal)["opportunity_id"] == own
    assert at_aws(moved, old)["LifeCycle"]["ReviewStatus"] == "Pending Submission", "the other one is left alone"
