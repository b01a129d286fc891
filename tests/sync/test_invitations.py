"""Partners are invited once, by whatever row, and every answer comes back: both services over HTTPS."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from connector.commands import plan as planning
from connector.commands import resync as resyncing
from connector.commands.choice import Choice
from connector.core.facts import to_salesforce_instant
from connector.sandbox.partner_central import service as serving
from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.records import TaskScript
from connector.sandbox.partner_central.service import Entry
from connector.sandbox.salesforce.schema import read_fields
from connector.sync import lookup
from connector.sync.settle import settle
from tests import audit
from tests.audit import INVITE, START, Deal
from tests.world import INVITING, ROW, World

PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
A, B, C = "222233334444", "333344445555", "444455556666"
LIST = "ListEngagementInvitations"


@pytest.fixture(name="world")
def _world(inviting_world: World) -> World:
    return inviting_world


def sent(world: World) -> list[Entry]:
    """The invitations that we had AWS send, replays not counted."""
    asked = [entry for entry in world.ours if entry.operation == INVITE]
    return [entry for entry in asked if entry.outcome == "ok" and not entry.is_replay]


def receivers(world: World) -> list[str]:
    return [entry.body["Invitation"]["Receiver"]["Account"]["AwsAccountId"] for entry in sent(world)]


def invited(world: World, *accounts: str, **fields: Any) -> tuple[str, list[str]]:
    """A submitted record and its rows, sent."""
    deal = world.opportunity(**fields)
    rows = [world.invite(deal, account) for account in accounts]
    world.settle(deal)
    assert [world.row(row)["Invitation_Status__c"] for row in rows] == ["PENDING"] * len(rows)
    return deal, rows


def answer(world: World, row: str, status: str, reason: str | None = None) -> None:
    world.sandbox.service.answer_invitation(world.row(row)["Invitation_Id__c"], status, reason)


def engagement_of(world: World, deal: str) -> str:
    (found,) = world.at_aws(deal)
    return str(found["EngagementId"])


def told(world: World, row: str) -> tuple[str, str]:
    shown = world.row(row)
    return shown["Invitation_Sync_Status__c"], shown["Invitation_Sync_Message__c"]


def judge(world: World, deal: str) -> None:
    assert audit.always(world, [deal]) + audit.settled(world, world.context(), [Deal(deal)]) == []


# When


def test_nobody_is_invited_before_aws_has_taken_the_deal_up(world: World) -> None:
    deal = world.opportunity()
    row = world.invite(deal, A)
    refused = TaskScript(reason="OpportunityValidationFailed", message="mend it")
    world.sandbox.service.script_tasks(refused)
    world.settle(deal)
    assert sent(world) == []
    assert told(world, row) == ("Pending", "Sent once the opportunity is submitted and AWS has taken it up.")
    world.edit(deal, NextStep="Mended")
    world.settle(deal)
    assert receivers(world) == [A]
    operations = [entry.operation for entry in world.ours if entry.outcome == "ok"]
    assert operations.index(INVITE) > len(operations) - operations[::-1].index(START)
    judge(world, deal)


# What comes back


def test_every_answer_comes_back_to_its_row(world: World) -> None:
    deal, rows = invited(world, A, B, C, "555566667777")
    answer(world, rows[1], "ACCEPTED")
    answer(world, rows[2], "REJECTED", "Customer problem unclear")
    answer(world, rows[3], "EXPIRED")
    world.settle(deal)
    statuses = ["PENDING", "ACCEPTED", "REJECTED", "EXPIRED"]
    by_id = {one["Id"]: one for one in world.sandbox.service.invitations()}
    for row, status in zip(rows, statuses, strict=True):
        shown = world.row(row)
        at_aws = by_id[shown["Invitation_Id__c"]]
        assert shown["Invitation_Arn__c"] == at_aws["Arn"]
        assert (shown["Invitation_Status__c"], at_aws["Status"]) == (status, status)
        for name, member in (("Invitation_Date__c", "InvitationDate"), ("Expiration_Date__c", "ExpirationDate")):
            value = shown[name].strftime("%Y-%m-%dT%H:%M:%S.000+0000")
            assert value == to_salesforce_instant(at_aws[member])
    assert [world.row(row)["Rejection_Reason__c"] for row in rows] == [None, None, "Customer problem unclear", None]
    words = [told(world, row)[1] for row in rows]
    assert "Waiting for the partner's answer until" in words[0]
    assert words[1:3] == ["The partner accepted.", "The partner declined: Customer problem unclear."]
    assert "expired" in words[3]
    judge(world, deal)


def test_once_all_have_answered_aws_is_not_asked_again(world: World) -> None:
    deal, rows = invited(world, A)
    answer(world, rows[0], "ACCEPTED")
    world.settle(deal)
    before = world.sandbox.service.operations[LIST]
    world.settle(deal)
    assert world.sandbox.service.operations[LIST] == before


# Once


def test_edits_send_no_second_one(world: World) -> None:
    deal, rows = invited(world, A)
    world.edit_row(rows[0], Message__c="Another text.", Responsibilities__c="Distributor", Partner_Name__c="New name")
    world.edit(deal, Name="Another title", Amount=240000)
    world.settle(deal)
    answer(world, rows[0], "REJECTED")
    world.settle(deal)
    world.edit_row(rows[0], Message__c="Please.")
    world.settle(deal)
    assert receivers(world) == [A]
    assert told(world, rows[0]) == ("Synced", "The partner declined.")
    assert audit.always(world, [deal]) == []


def test_another_receiver_in_a_row_is_invited_and_the_first_one_told(world: World) -> None:
    deal, rows = invited(world, A)
    world.settle(deal)
    first = world.row(rows[0])["Invitation_Id__c"]
    world.edit_row(rows[0], Partner_AWS_Account__c=B)
    world.settle(deal)
    assert receivers(world) == [A, B]
    shown = world.row(rows[0])
    (own,) = world.invitations_of(B)
    assert first != shown["Invitation_Id__c"] == own["Id"]
    assert (
        f"The invitation of {A} was removed in Salesforce after it was sent"
        in world.record(deal)["AWS_Sync_Message__c"]
    )
    judge(world, deal)


def test_a_removed_row_is_told_since_aws_has_no_withdraw(world: World) -> None:
    deal, rows = invited(world, A, B)
    world.sandbox.org.delete(ROW, rows[0])
    world.settle(deal)
    message = world.record(deal)["AWS_Sync_Message__c"]
    assert f"The invitation of {A} was removed in Salesforce after it was sent: AWS has no way to withdraw" in message
    assert B not in message
    world.sandbox.service.answer_invitation(world.invitations_of(A)[0]["Id"], "REJECTED")
    world.settle(deal)
    assert "removed" not in world.record(deal)["AWS_Sync_Message__c"]
    assert receivers(world) == [A, B]


@pytest.mark.parametrize("status", ["EXPIRED", "REJECTED"])
def test_a_row_in_place_of_one_that_came_to_nothing_invites_again(world: World, status: str) -> None:
    deal, rows = invited(world, A)
    answer(world, rows[0], status)
    world.settle(deal)
    again = world.invite(deal, A, Message__c="Shall we try again?")
    world.settle(deal)
    assert receivers(world) == [A], "two rows are a slip as long as both are there"
    assert "remove the one above" in told(world, again)[1]
    world.sandbox.org.delete(ROW, rows[0])
    world.settle(deal)
    assert receivers(world) == [A, A]
    _, second = world.invitations_of(A)
    assert (world.row(again)["Invitation_Id__c"], told(world, again)[0]) == (second["Id"], "Synced")
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"
    world.settle(deal)
    assert receivers(world) == [A, A]


def test_two_rows_of_one_receiver_invite_it_once(world: World) -> None:
    deal = world.opportunity()
    first, second = world.invite(deal, A), world.invite(deal, A)
    world.settle(deal)
    assert receivers(world) == [A]
    (own,) = world.invitations_of(A)
    assert [world.row(row)["Invitation_Id__c"] for row in (first, second)] == [own["Id"]] * 2
    world.sandbox.org.delete(ROW, first)
    world.settle(deal)
    assert receivers(world) == [A], "the other row stands for it"
    assert "removed" not in world.record(deal)["AWS_Sync_Message__c"]


def test_what_somebody_sent_in_partner_central_is_taken_over(world: World) -> None:
    deal = world.opportunity()
    world.settle(deal)
    row = world.invite(deal, A)
    body = json.loads(json.dumps(invitation_of(world, deal)))
    engagement = engagement_of(world, deal)
    made = world.by_hand(INVITE, {"ClientToken": "t", "EngagementIdentifier": engagement, "Invitation": body})
    world.settle(deal)
    assert sent(world) == []
    assert world.row(row)["Invitation_Id__c"] == made["Id"]
    world.sandbox.service.answer_invitation(made["Id"], "ACCEPTED")
    world.settle(deal)
    assert world.row(row)["Invitation_Status__c"] == "ACCEPTED"
    judge(world, deal)


def invitation_of(world: World, deal: str) -> dict[str, Any]:
    """What the record's first row would send."""
    return audit.mapped_now(world.context(), deal).invitations[0].body


# Refused


def test_a_receiver_that_aws_refuses_holds_its_row_only(world: World) -> None:
    world.sandbox.service.configure(connected_accounts=[B, C])
    deal = world.opportunity()
    rows = [world.invite(deal, account) for account in (A, B)]
    world.settle(deal)
    world.settle(deal)
    assert receivers(world) == [B]
    refused = [entry for entry in world.ours if entry.operation == INVITE and entry.outcome != "ok"]
    assert len(refused) == 1, "not again before it changes"
    assert told(world, rows[0])[0] == "Held"
    assert "Partner_AWS_Account__c" in told(world, rows[0])[1]
    assert told(world, rows[1])[0] == "Synced"
    (at_aws,) = world.at_aws(deal)
    for status in ("In review", "Approved"):
        world.sandbox.service.review(at_aws["Id"], status)
    world.edit(deal, NextStep="Sign")
    world.settle(deal)
    assert world.at_aws(deal)[0]["LifeCycle"]["NextSteps"] == "Sign"
    assert world.record(deal)["AWS_Sync_Status__c"] == "Held"
    world.edit_row(rows[0], Partner_AWS_Account__c=C)
    world.settle(deal)
    assert receivers(world) == [B, C]
    judge(world, deal)


# Lost answers

FAULTS: dict[str, dict[str, Any]] = {
    "reset": {"do": "reset"},
    "500": {"do": "status", "status": 500},
    "html": {"do": "html", "status": 200},
    "truncate": {"do": "truncate"},
    "throttle": {"do": "throttle"},
}
EVERY = [(fault, at, False) for fault, at in product(FAULTS, ("before", "after"))]
# AWS throttles before it does anything: where it remembers no token either, nothing could tell what it did after all.
EVERY += [(fault, at, True) for fault, at, _ in EVERY if (fault, at) != ("throttle", "after")]
CASES = EVERY if PROVE else [("reset", "after", True), ("500", "before", False), ("html", "after", False)]


@pytest.mark.parametrize(("fault", "at", "forgets"), CASES)
def test_whatever_strikes_an_invitation_it_is_sent_once(
    world: World, fault: str, at: str, forgets: bool, record_property: Callable[[str, object], None]
) -> None:
    """``forgets``: AWS remembers no token, so that only looking first prevents a second one."""
    record_property("figures", json.dumps({"fault": fault, "operation": INVITE, "at": at, "strikes": 2}))
    world.sandbox.service.configure(token_lifetime=0.0 if forgets else None)
    deal = world.opportunity()
    for account in (A, B):
        world.invite(deal, account)
    world.sandbox.faults.add(on=INVITE, at=at, **FAULTS[fault], times=2)
    world.settle(deal)
    assert world.sandbox.faults.fired == 2
    assert receivers(world) == [A, B]
    judge(world, deal)


def test_an_invitation_that_aws_lists_late_is_not_sent_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sandbox.service.configure(token_lifetime=0.0)
    monkeypatch.setattr(lookup, "LISTED_WITHIN", timedelta(seconds=2))
    lists = serving.OPERATIONS[LIST]

    def late(call: Call, body: Any) -> Any:
        found = lists(call, body)
        by_id = call.records.invitations
        rows = found["EngagementInvitationSummaries"]
        shown = [row for row in rows if call.now - by_id[row["Id"]].created >= timedelta(seconds=0.7)]
        return {**found, "EngagementInvitationSummaries": shown}

    monkeypatch.setitem(serving.OPERATIONS, LIST, late)  # type: ignore[arg-type]
    deal = world.opportunity()
    row = world.invite(deal, A)
    world.sandbox.faults.add(on=INVITE, at="after", do="reset")
    world.settle(deal)
    assert receivers(world) == [A]
    assert world.row(row)["Invitation_Status__c"] == "PENDING"
    judge(world, deal)


def test_one_that_was_answered_before_it_was_found_is_not_sent_again(world: World) -> None:
    world.sandbox.service.configure(token_lifetime=0.0, invitations_after=0.0, invitations_as="REJECTED")
    deal = world.opportunity()
    row = world.invite(deal, A)
    world.sandbox.faults.add(on=INVITE, at="after", do="reset")
    world.settle(deal)
    world.settle(deal)
    assert receivers(world) == [A]
    assert world.row(row)["Invitation_Status__c"] == "REJECTED"
    judge(world, deal)


# Where to


def test_the_engagement_is_found_where_the_task_does_not_name_it(world: World) -> None:
    world.sandbox.service.script_tasks(TaskScript(ids_null=True))
    deal, _ = invited(world, A)
    assert world.sandbox.service.operations["ListEngagementResourceAssociations"] == 1
    assert world.record(deal)["AWS_Engagement_Id__c"] is None
    judge(world, deal)


def test_a_row_may_name_an_engagement_of_its_own(world: World) -> None:
    made = world.by_hand("CreateEngagement", {"ClientToken": "e", "Title": "Joint offer", "Description": "Together."})
    deal = world.opportunity()
    rows = [world.invite(deal, A, Engagement_Id__c=made["Id"]), world.invite(deal, B)]
    world.settle(deal)
    assert [entry.body["EngagementIdentifier"] for entry in sent(world)].count(made["Id"]) == 1
    (own,) = world.invitations_of(A)
    (other,) = world.invitations_of(B)
    assert (own["EngagementId"], other["EngagementId"]) == (made["Id"], engagement_of(world, deal))
    for row in rows:
        answer(world, row, "ACCEPTED")
    world.settle(deal)
    judge(world, deal)


def test_an_engagement_has_ten_members_at_most(world: World) -> None:
    accounts = [f"{number}" * 4 + "55556666" for number in range(1, 10) if number != 1] + ["777788889999"]
    deal = world.opportunity()
    rows = [world.invite(deal, account) for account in accounts]
    world.settle(deal)
    assert receivers(world) == accounts[:8]
    assert told(world, rows[-1])[0] == "Held"
    assert "10 members at most" in told(world, rows[-1])[1]
    assert {entry.outcome for entry in world.ours if entry.operation == INVITE} == {"ok"}
    answer(world, rows[0], "REJECTED")
    world.sandbox.org.delete(ROW, rows[0])
    world.settle(deal)
    assert receivers(world) == [*accounts[:8], accounts[8]], "who declined takes up no place"


# How many


def test_the_day_is_full_until_a_saved_plan_releases_the_others(world: World) -> None:
    world.write_config("    limits: {invitations_per_day: 2}\n")
    deal = world.opportunity()
    rows = [world.invite(deal, account) for account in (A, B, C)]
    settle(world.context(), None, patience=timedelta(seconds=20))
    assert receivers(world) == [A, B]
    record = world.record(deal)
    assert record["AWS_Sync_Status__c"] == "Pending"
    assert "2 partners were invited in the last 24 hours, the limit is 2." in record["AWS_Sync_Message__c"]
    out = world.folder / "plan.json"
    planning.plan(world.app(), Choice((deal,), False, None, None), as_json=False, out=out)
    (result,) = resyncing.resync_quietly(world.app(), Choice((), False, None, out))
    assert result["status"] == "Synced"
    assert receivers(world) == [A, B, C]
    assert [told(world, row)[0] for row in rows] == ["Synced"] * 3


# Written out over fields of the opportunity itself

OWN_FIELDS = """
First_Partner__c | | string(12)
First_Invitation__c | | string(64)
First_Answer__c | | string(20)
First_Told__c | | textarea(32768)
Second_Partner__c | | string(12)
Second_Invitation__c | | string(64)
Second_Answer__c | | string(20)
"""
ITEM = """
  - Message: {{value: We would like to do this with you.}}
    Receiver: {{Account: {{AwsAccountId: {nth}_Partner__c}}}}
    Payload:
      OpportunityInvitation:
        ReceiverResponsibilities: [{{value: Reseller}}]
        Customer:
          CompanyName: {{like: Customer.Account.CompanyName}}
          CountryCode: {{like: Customer.Account.Address.CountryCode}}
          Industry: {{like: Customer.Account.Industry}}
          WebsiteUrl: {{like: Customer.Account.WebsiteUrl}}
        Project:
          Title: {{like: Project.Title}}
          BusinessProblem: {{like: Project.CustomerBusinessProblem}}
          TargetCompletionDate: {{like: LifeCycle.TargetCloseDate}}
          ExpectedCustomerSpend:
            - Amount: {{like: "Project.ExpectedCustomerSpend[0].Amount", transform: money}}
              CurrencyCode: {{value: USD}}
              Frequency: {{value: Monthly}}
              TargetCompany: {{value: Partner}}
    write_back:
      {nth}_Invitation__c: invitation.Id
      {nth}_Answer__c: invitation.Status
"""


def test_partners_are_invited_by_fields_of_the_opportunity_itself(world: World) -> None:
    for one in read_fields(OWN_FIELDS):
        world.sandbox.org.add_field("Opportunity", one)
    first, second = (ITEM.format(nth=nth) for nth in ("First", "Second"))
    text = f"version: 1\ninvitations:{first}      First_Told__c: sync.message\n{second.lstrip(chr(10))}"
    (world.folder / "own.yaml").write_text(text, encoding="utf-8")
    world.mapping = (INVITING[0], "own.yaml")
    world.write_config()
    deal = world.opportunity(First_Partner__c=A)
    world.settle(deal)
    assert receivers(world) == [A], "an item without a receiver invites nobody"
    shown = world.record(deal)
    assert shown["First_Invitation__c"] == world.invitations_of(A)[0]["Id"]
    assert (shown["First_Answer__c"], shown["First_Told__c"]) == ("PENDING", "Waiting for the partner's answer.")
    assert (shown["Second_Answer__c"], shown["AWS_Sync_Status__c"]) == (None, "Synced")
    world.edit(deal, Second_Partner__c=B)
    world.settle(deal)
    world.sandbox.service.answer_invitation(world.record(deal)["First_Invitation__c"], "ACCEPTED")
    world.settle(deal)
    shown = world.record(deal)
    assert receivers(world) == [A, B]
    assert (shown["First_Answer__c"], shown["Second_Answer__c"]) == ("ACCEPTED", "PENDING")
    assert shown["First_Told__c"] == "The partner accepted."
    judge(world, deal)
