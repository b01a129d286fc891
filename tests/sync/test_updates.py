"""A deal after its submission, both services over HTTPS: what goes, what waits, what is told, what nobody loses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core import retry
from connector.core.mapping import CompiledMapping, compile_mapping
from connector.core.model import Operation
from connector.mapping_files import transforms
from connector.resources import packaged
from connector.sandbox.partner_central import service as serving
from connector.sandbox.partner_central.errors import ServiceError
from connector.sandbox.partner_central.records import TaskScript
from connector.sandbox.partner_central.service import Entry
from connector.sync import Context, advance, follow_tasks, observe, pull, refresh, write_back
from connector.sync.learn import LEARNED
from connector.sync.settle import settle
from tests import audit
from tests.world import World

UPDATE, ATTACH, DETACH = "UpdateOpportunity", "AssociateOpportunity", "DisassociateOpportunity"
ASSIGN = "AssignOpportunity"
EDITS = (UPDATE, ATTACH, DETACH, ASSIGN)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)


VERBS = (pull, observe, advance, follow_tasks, refresh, write_back)


def run(world: World) -> None:
    """The verbs in turn, as the daemon calls them, until there is nothing left to do now."""
    context = vars(world).setdefault("connector", None) or world.context()
    vars(world)["connector"] = context
    for number in range(10):
        for verb in VERBS:
            verb(context)
        if number and not any(context.ledger.work_due(*context.key, context.now).values()):
            return


def in_days(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def id_of(world: World, deal: str) -> str:
    (found,) = world.at_aws(deal)
    return str(found["Id"])


def at_aws(world: World, deal: str, path: str) -> Any:
    (found,) = world.at_aws(deal)
    return audit.value_at(found, path)


def review(world: World, deal: str, status: str, comments: str | None = None) -> None:
    """AWS takes it up and decides."""
    if at_aws(world, deal, "LifeCycle.ReviewStatus") == "Submitted" and status != "In review":
        world.sandbox.service.review(id_of(world, deal), "In review")
    world.sandbox.service.review(id_of(world, deal), status, comments)


def reviewed(world: World, status: str = "Approved", comments: str | None = None, **fields: Any) -> str:
    """A record that was submitted and decided on; both sides know."""
    deal = world.opportunity(**fields)
    run(world)
    review(world, deal, status, comments)
    run(world)
    return deal


def edit_at_aws(world: World, deal: str, changes: dict[str, Any]) -> None:
    world.sandbox.service.edit_at_aws(id_of(world, deal), **changes)


def message(world: World, deal: str) -> str:
    return str(world.record(deal)["AWS_Sync_Message__c"])


def status(world: World, deal: str) -> str:
    return str(world.record(deal)["AWS_Sync_Status__c"])


def written(world: World, since: int = 0) -> list[Entry]:
    """Our edits at AWS from this row of the journal on, refused ones too."""
    ours = {id(entry) for entry in world.ours}
    entries = list(world.sandbox.service.journal)[since:]
    return [entry for entry in entries if id(entry) in ours and entry.operation in EDITS]


def count(world: World) -> int:
    return len(world.sandbox.service.journal)


def edited(world: World, deal: str, **fields: Any) -> list[Entry]:
    """What an edit in Salesforce makes us write."""
    before = count(world)
    world.edit(deal, **fields)
    run(world)
    return written(world, before)


def overruled(world: World, deal: str) -> list[list[str]]:
    """Of each of our updates, the paths at which it went over an edit made at AWS."""
    return [entry["overrules"] for entry in world.show(deal)["history"] if entry["action"] == UPDATE]


# The story


def test_the_life_of_a_deal(world: World) -> None:
    deal = world.opportunity(AWS_Solution_Ids__c="S-0001111")
    run(world)
    assert status(world, deal) == "Synced"

    review(world, deal, "In review")
    assert (
        edited(world, deal, NextStep="Call on Monday", AWS_Business_Problem__c="All of it moves in spring, at last.")
        == []
    )
    assert status(world, deal) == "Pending"
    assert "NextStep" in message(world, deal)
    assert "AWS_Business_Problem__c" in message(world, deal)

    review(world, deal, "Action Required", "Where do they sit? Give the street.")
    before = count(world)
    run(world)
    (fix,) = written(world, before)
    assert fix.body["Project"]["CustomerBusinessProblem"] == "All of it moves in spring, at last."
    assert "NextSteps" not in fix.body["LifeCycle"], "AWS takes them only once it has approved"
    assert at_aws(world, deal, "LifeCycle.ReviewStatus") == "Submitted", "a fix goes back to the review"
    assert world.record(deal)["AWS_Review_Status__c"] == "Submitted"

    review(world, deal, "Action Required", "Where do they sit? Give the street.")
    run(world)
    assert status(world, deal) == "Held"
    assert "Where do they sit? Give the street." in message(world, deal)
    assert "NextStep" in message(world, deal)
    assert "sent by itself" in message(world, deal)
    account = world.record(deal)["AccountId"]
    world.sandbox.org.update("Account", account, {"BillingStreet": "1 Congress Avenue"})
    run(world)
    assert at_aws(world, deal, "Customer.Account.Address.StreetAddress") == "1 Congress Avenue"
    assert at_aws(world, deal, "LifeCycle.NextSteps") is None

    review(world, deal, "Approved")
    run(world)
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Call on Monday"
    assert status(world, deal) == "Synced"
    assert "approved" in message(world, deal)

    close = in_days(120)
    (update,) = edited(world, deal, NextStep="Sign", StageName="Proposal/Price Quote", CloseDate=close, Amount=240000)
    assert update.outcome == "ok"
    shown = [at_aws(world, deal, f"LifeCycle.{name}") for name in ("NextSteps", "Stage", "TargetCloseDate")]
    assert shown == ["Sign", "Business Validation", close]
    assert at_aws(world, deal, "Project.ExpectedCustomerSpend")[0]["Amount"] == "20000"

    calls = edited(world, deal, StageName="Negotiation/Review", AWS_Solution_Ids__c="S-0001112")
    assert [(call.operation, call.outcome) for call in calls] == [(name, "ok") for name in (ATTACH, UPDATE, DETACH)]
    assert at_aws(world, deal, "LifeCycle.Stage") == "Committed"
    assert at_aws(world, deal, "RelatedEntityIdentifiers.Solutions") == ["S-0001112"]

    assert edited(world, deal, StageName="Closed Won") == []
    assert status(world, deal) == "Held"
    assert "AWS_Customer_Account_Id__c" in message(world, deal)
    (launch,) = edited(world, deal, AWS_Customer_Account_Id__c="111122223333")
    assert launch.body["LifeCycle"]["Stage"] == "Launched"
    assert launch.body["Customer"]["Account"]["AwsAccountId"] == "111122223333"
    assert status(world, deal) == "Synced"
    assert "launched" in message(world, deal)

    (comments,) = edited(world, deal, AWS_Additional_Comments__c="It runs.", NextStep="Rest")
    assert comments.body["Project"]["AdditionalComments"] == "It runs."
    assert comments.body["LifeCycle"]["NextSteps"] == "Sign"
    assert status(world, deal) == "Synced"
    assert "NextStep" in message(world, deal)
    assert world.effects(deal)["CreateOpportunity"] == 1
    assert refused(world) == []


def refused(world: World) -> list[tuple[str, tuple[str, ...]]]:
    """Our edits that AWS refused by its rules."""
    return [(entry.operation, entry.problems) for entry in written(world) if entry.problems]


def test_lost_with_its_reason_in_one_call(world: World) -> None:
    deal = reviewed(world)
    assert edited(world, deal, StageName="Closed Lost") == []
    assert status(world, deal) == "Held"
    assert "AWS_Closed_Lost_Reason__c" in message(world, deal)
    (lost,) = edited(world, deal, AWS_Closed_Lost_Reason__c="Price")
    assert (lost.body["LifeCycle"]["Stage"], lost.body["LifeCycle"]["ClosedLostReason"]) == ("Closed Lost", "Price")
    assert "lost" in message(world, deal)
    assert world.show(deal)["problems"] == [], "that no lost deal can be submitted is no news of this one"
    assert edited(world, deal, StageName="Qualification", NextStep="Try again", AWS_Solution_Ids__c="S-0001113") == []
    assert at_aws(world, deal, "LifeCycle.Stage") == "Closed Lost"
    assert status(world, deal) == "Held", "a stage that goes no further is told"
    assert refused(world) == []


def test_what_is_locked_is_held_with_words_and_the_rest_goes(world: World) -> None:
    deal = reviewed(world)
    (update,) = edited(world, deal, Name="Another name", NextStep="Sign")
    assert update.body["LifeCycle"]["NextSteps"] == "Sign"
    assert update.body["Project"]["Title"] != "Another name"
    assert status(world, deal) == "Synced", "nothing is left that a person could do"
    assert "stay in Salesforce only: Name" in message(world, deal)
    assert edited(world, deal, Name=update.body["Project"]["Title"]) == []
    assert status(world, deal) == "Synced"


def test_what_cannot_be_read_is_told_and_stays_at_aws(world: World) -> None:
    deal = reviewed(world, AWS_Customer_Account_Id__c="111122223333")
    (update,) = edited(world, deal, AWS_Customer_Account_Id__c="12345", NextStep="Sign")
    assert update.body["Customer"]["Account"]["AwsAccountId"] == "111122223333"
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Sign"
    assert status(world, deal) == "Held"
    assert "AWS_Customer_Account_Id__c" in message(world, deal)


def test_a_past_close_date_is_held_and_the_rest_goes(world: World) -> None:
    deal = reviewed(world)
    (update,) = edited(world, deal, CloseDate=in_days(-3), NextStep="Sign")
    assert update.body["LifeCycle"]["NextSteps"] == "Sign"
    assert status(world, deal) == "Held"
    assert "CloseDate" in message(world, deal)
    (update,) = edited(world, deal, CloseDate=in_days(30))
    assert update.body["LifeCycle"]["TargetCloseDate"] == in_days(30)
    assert status(world, deal) == "Synced"


def test_a_close_date_that_passed_holds_every_edit_until_it_is_moved(world: World) -> None:
    deal = reviewed(world)
    edit_at_aws(world, deal, {"LifeCycle.TargetCloseDate": in_days(-1)})
    assert edited(world, deal, NextStep="Sign") == []
    assert status(world, deal) == "Held"
    assert "not in the future" in message(world, deal)
    (update,) = edited(world, deal, CloseDate=in_days(60))
    assert (update.body["LifeCycle"]["NextSteps"], update.body["LifeCycle"]["TargetCloseDate"]) == ("Sign", in_days(60))
    assert refused(world) == []


def test_cleared_in_salesforce_is_cleared_at_aws(world: World) -> None:
    deal = reviewed(world, NextStep="Call", AWS_Additional_Comments__c="Well", AWS_Competitor__c="On-Prem")
    (update,) = edited(world, deal, NextStep=None, AWS_Additional_Comments__c=None)
    assert "NextSteps" not in update.body["LifeCycle"]
    assert "AdditionalComments" not in update.body["Project"]
    assert at_aws(world, deal, "Project.CompetitorName") == "On-Prem"
    before = count(world)
    run(world)
    assert written(world, before) == []


def test_edits_made_and_taken_back_while_aws_reviews_are_no_edits(world: World) -> None:
    deal = reviewed(world, "In review", NextStep="Call")
    assert edited(world, deal, NextStep="Sign") == []
    assert edited(world, deal, NextStep="Call") == []
    assert status(world, deal) == "Synced"
    review(world, deal, "Approved")
    before = count(world)
    run(world)
    assert written(world, before) == []


def test_rejected_takes_nothing_more(world: World) -> None:
    deal = reviewed(world, "Rejected", "We know them already.")
    assert edited(world, deal, NextStep="Call", AWS_Solution_Ids__c="S-0001112") == []
    assert status(world, deal) == "Stopped"
    assert "We know them already." in message(world, deal)


# Associations


def test_the_last_solution_stays_until_there_is_another(world: World) -> None:
    deal = reviewed(world)
    assert edited(world, deal, AWS_Solution_Ids__c=None) == []
    assert status(world, deal) == "Held"
    assert "AWS_Solution_Ids__c" in message(world, deal)
    calls = edited(world, deal, AWS_Solution_Ids__c="S-0001113")
    assert [call.operation for call in calls] == [ATTACH, DETACH]
    assert at_aws(world, deal, "RelatedEntityIdentifiers.Solutions") == ["S-0001113"]
    assert status(world, deal) == "Synced"


def test_a_solution_is_exchanged_for_a_description(world: World) -> None:
    """Attach, update, detach: the description has to be there before the last solution goes."""
    deal = reviewed(world)
    calls = edited(world, deal, AWS_Solution_Ids__c=None, AWS_Other_Solution__c="Our own landing zone")
    assert [(call.operation, call.outcome) for call in calls] == [(UPDATE, "ok"), (DETACH, "ok")]
    (calls,) = [edited(world, deal, AWS_Solution_Ids__c="S-0001114", AWS_Other_Solution__c=None)]
    assert [(call.operation, call.outcome) for call in calls] == [(ATTACH, "ok"), (UPDATE, "ok")]
    assert status(world, deal) == "Synced"


def test_associations_are_set_differences(world: World) -> None:
    deal = reviewed(world, AWS_Product_Codes__c="AmazonEC2Linux")
    world.associate_at_aws(id_of(world, deal), "AwsProducts", "AmazonRDSforPostgreSQL")
    calls = edited(world, deal, AWS_Product_Codes__c="AmazonRDSforPostgreSQL")
    assert [(call.operation, call.body["RelatedEntityIdentifier"]) for call in calls] == [(DETACH, "AmazonEC2Linux")]
    calls = edited(world, deal, AWS_Product_Codes__c=None)
    shown = at_aws(world, deal, "RelatedEntityIdentifiers.AwsProducts")
    assert shown == ["AmazonRDSforPostgreSQL"] or calls, "somebody else's stays unless Salesforce wanted it too"


def test_associations_wait_while_aws_reviews(world: World) -> None:
    deal = reviewed(world, "In review")
    assert edited(world, deal, AWS_Product_Codes__c="AmazonEC2Linux") == []
    assert "AWS_Product_Codes__c" in message(world, deal)
    review(world, deal, "Approved")
    before = count(world)
    run(world)
    assert [call.operation for call in written(world, before)] == [ATTACH]


# Two people at once


@contextmanager
def struck(context: Context, operation: str, after: Callable[[], None], times: int = 1) -> Iterator[None]:
    """Right after we have read this, somebody does something."""
    call, left = context.partner_central.call, [times]

    def calling(name: str, *args: Any, **kwargs: Any) -> Any:
        answer = call(name, *args, **kwargs)
        if name == operation and left[0]:
            left[0] -= 1
            after()
        return answer

    with mock.patch.object(context.partner_central, "call", calling):
        yield


@pytest.mark.parametrize("times", [1, 2])
def test_an_edit_at_aws_between_read_and_write_is_not_lost(world: World, times: int) -> None:
    deal = reviewed(world)
    world.edit(deal, NextStep="Sign")
    context = world.context()
    # Their own edit shows in the second read, which is the one that the update is made of.
    notes = iter(f"Theirs {number}" for number in range(times))
    with struck(
        context, "GetOpportunity", lambda: edit_at_aws(world, deal, {"Project.AdditionalComments": next(notes)}), times
    ):
        settle(context, None, patience=timedelta(seconds=20))
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Sign"
    assert at_aws(world, deal, "Project.AdditionalComments") == f"Theirs {times - 1}"
    assert status(world, deal) == "Synced"
    outcomes = [entry.outcome for entry in written(world)]
    assert outcomes[-1] == "ok"
    assert set(outcomes[:-1]) <= {"ok", "ConflictException"}
    assert "ConflictException" in outcomes or times == 1


def test_aws_decides_between_read_and_write(world: World) -> None:
    """The plan was made for what AWS asked; by now it has approved, and locked just that."""
    deal = reviewed(world, "Action Required", "Give the whole problem.")
    before = at_aws(world, deal, "Project.CustomerBusinessProblem")
    world.edit(deal, AWS_Business_Problem__c="All of it moves in spring, at last.", NextStep="Sign")
    context = world.context()
    pull(context)
    observe(context)
    world.sandbox.service.review(id_of(world, deal), "Approved")
    advance(context)
    write_back(context)
    run(world)
    assert at_aws(world, deal, "Project.CustomerBusinessProblem") == before
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Sign"
    assert "AWS_Business_Problem__c" in message(world, deal)
    assert refused(world) == []


def test_the_owner_wins_and_it_is_told(world: World) -> None:
    deal = reviewed(world, NextStep="Call")
    edit_at_aws(world, deal, {"LifeCycle.NextSteps": "Theirs", "Project.AdditionalComments": "Theirs too"})
    (update,) = edited(world, deal, NextStep="Ours")
    assert update.body["LifeCycle"]["NextSteps"] == "Ours"
    assert update.body["Project"]["AdditionalComments"] == "Theirs too"
    assert overruled(world, deal) == [["LifeCycle.NextSteps"]]
    edited(world, deal, NextStep="Ours again")
    assert overruled(world, deal) == [["LifeCycle.NextSteps"], []]


def test_what_aws_changed_alone_stays_theirs(world: World) -> None:
    deal = reviewed(world, NextStep="Call")
    edit_at_aws(world, deal, {"LifeCycle.NextSteps": "Theirs", "LifeCycle.Stage": "Business Validation"})
    before = count(world)
    run(world)
    assert written(world, before) == []
    (update,) = edited(world, deal, AWS_Additional_Comments__c="Well")
    assert update.body["LifeCycle"]["NextSteps"] == "Theirs"
    assert update.body["LifeCycle"]["Stage"] == "Business Validation"


def test_what_aws_owns_is_filled_once_and_then_theirs(world: World) -> None:
    with_mapping(world, ("NextSteps: {from: NextStep, ", "NextSteps: {from: NextStep, owner: aws, "))
    deal = reviewed(world)
    (first,) = edited(world, deal, NextStep="Ours")
    assert first.body["LifeCycle"]["NextSteps"] == "Ours"
    assert edited(world, deal, NextStep="Ours again") == []
    (update,) = edited(world, deal, AWS_Additional_Comments__c="Well")
    assert update.body["LifeCycle"]["NextSteps"] == "Ours"


@pytest.mark.parametrize("how", ["unflag", "delete"])
def test_nobody_pushes_what_salesforce_no_longer_shares(world: World, how: str) -> None:
    deal = reviewed(world)
    context = world.context()
    world.edit(deal, NextStep="Sign", Share_With_AWS__c=False)
    if how == "delete":
        world.sandbox.org.delete("Opportunity", deal)
    before = count(world)
    settle(context, None, patience=timedelta(seconds=20))
    assert written(world, before) == []
    story = world.show(deal)["sync"]
    assert story["status"] == "Stopped"
    assert {"unflag": "no longer flagged", "delete": "deleted"}[how] in story["message"]
    if how == "unflag":
        assert "no longer flagged" in message(world, deal)
        (update,) = edited(world, deal, Share_With_AWS__c=True)
        assert update.body["LifeCycle"]["NextSteps"] == "Sign"
        assert status(world, deal) == "Synced"


# The owner at AWS

ASSIGNEE = """
assign:
  Email: {from: Owner.Email, transform: email}
  FirstName: Owner.FirstName
  LastName: Owner.LastName
  BusinessTitle: {value: PartnerAccountManager}
"""


def with_mapping(world: World, *edits: tuple[str, str], more: str = "") -> CompiledMapping:
    """The default mapping with some of its text replaced, and sections added; the connector uses it from now on."""
    text = packaged("mappings", "opportunity.yaml").read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    head, cases, tail = text.partition("\n# The tests of this file")
    assert cases
    path = world.folder / "mapping.yaml"
    path.write_text(head + more + cases + tail, encoding="utf-8")
    world.write_config("    mapping: mapping.yaml\n")
    vars(world).pop("connector", None)  # a restart
    mapping, problems = compile_mapping(yamlfile.read(path), mapping_shapes(), transforms())
    assert mapping is not None, [str(problem) for problem in problems]
    return mapping


def sellers(world: World, *emails: str) -> list[str]:
    made = []
    for number, email in enumerate(emails):
        fields = {"FirstName": "Sam", "LastName": f"Seller {number}", "Email": email, "Username": f"u{number}.{email}"}
        made.append(world.sandbox.org.insert("User", fields))
    return made


def assigned(world: World) -> list[str]:
    return [entry.body["Assignee"]["Email"] for entry in written(world) if entry.operation == ASSIGN]


def test_the_owner_of_the_record_becomes_the_owner_at_aws(world: World) -> None:
    with_mapping(world, more=ASSIGNEE)
    first, second = sellers(world, "first@partner.example", "second@partner.example")
    deal = reviewed(world, OwnerId=first)
    run(world)
    assert assigned(world) == ["first@partner.example"], "once"
    edited(world, deal, OwnerId=second)
    run(world)
    assert assigned(world) == ["first@partner.example", "second@partner.example"]
    team = at_aws(world, deal, "OpportunityTeam")
    assert "second@partner.example" in [member["Email"] for member in team]
    assert status(world, deal) == "Synced"


def test_an_owner_whom_aws_does_not_know_is_told_and_stops_nothing(world: World) -> None:
    with_mapping(world, more=ASSIGNEE)
    world.sandbox.service.configure(users=["second@partner.example"])
    first, second = sellers(world, "first@partner.example", "second@partner.example")
    deal = reviewed(world, OwnerId=first)
    run(world)
    assert assigned(world) == ["first@partner.example"], "not again before it changes"
    assert status(world, deal) == "Held"
    assert "Owner.Email" in message(world, deal)
    edited(world, deal, NextStep="Sign")
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Sign"
    edited(world, deal, OwnerId=second)
    assert assigned(world)[-1] == "second@partner.example"
    assert status(world, deal) == "Synced"


# What AWS shows and would refuse

HAZARDS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "escaped text",
        {"escape": "all"},
        {"AWS_Customer_Use_Case__c": "Business Applications & Contact Center", "AWS_Other_Solution__c": "R&D <now>"},
        {},
    ),
    ("stub spend", {"stub_spend": True}, {}, {}),
    ("the pseudo-need", {}, {"AWS_Involvement__c": "For Visibility Only", "AWS_Primary_Needs__c": None}, {}),
    ("a campaign without source", {}, {}, {"Marketing.CampaignName": "Autumn"}),
]


@pytest.mark.parametrize(("name", "settings", "fields", "theirs"), HAZARDS, ids=[hazard[0] for hazard in HAZARDS])
def test_what_aws_shows_is_mended_on_its_way_back(
    world: World, name: str, settings: dict[str, Any], fields: dict[str, Any], theirs: dict[str, Any]
) -> None:
    world.sandbox.service.configure(**settings)
    deal = reviewed(world, **fields)
    if theirs:
        edit_at_aws(world, deal, theirs)
    (before,) = world.at_aws(deal)
    (update,) = edited(world, deal, NextStep="Sign & seal", AWS_Additional_Comments__c="Well")
    assert update.outcome == "ok", (name, update.problems)
    (after,) = world.at_aws(deal)
    assert after["LifeCycle"]["NextSteps"] == "Sign & seal"
    gone = set(audit.content_of(before)) - set(audit.content_of(after))
    assert gone <= {"Marketing.CampaignName"}, "only what AWS would refuse"
    assert status(world, deal) == "Synced"


def test_a_contact_without_a_name_holds_every_edit_and_is_told(world: World) -> None:
    """AWS stores it, and then refuses every update that sends it back."""
    deal = reviewed(world)
    edit_at_aws(world, deal, {"Customer.Contacts": [{"Email": "someone@customer.example"}]})
    assert edited(world, deal, NextStep="Sign") == []
    assert status(world, deal) == "Held"
    assert "no first name" in message(world, deal)
    edit_at_aws(world, deal, {"Customer.Contacts": [{"FirstName": "Rose", "LastName": "Gonzalez"}]})
    before = count(world)
    run(world)
    (update,) = written(world, before)
    assert (update.outcome, update.body["LifeCycle"]["NextSteps"]) == ("ok", "Sign")


def test_a_use_case_is_edited_that_aws_shows_escaped(world: World) -> None:
    world.sandbox.service.configure(escape="all", stub_spend=True)
    deal = reviewed(world, AWS_Customer_Use_Case__c="Business Applications & Contact Center")
    (update,) = edited(world, deal, AWS_Customer_Use_Case__c="Security & Compliance", Amount=120012)
    assert update.body["Project"]["CustomerUseCase"] == "Security & Compliance"
    assert [row["Amount"] for row in update.body["Project"]["ExpectedCustomerSpend"]] == ["10001.00"]
    before = count(world)
    run(world)
    assert written(world, before) == []


# What we know nothing of

BESIDE = {
    "Customer.Account.Duns": "123456789",
    "Project.AdditionalComments": "Theirs",
    "Project.ApnPrograms": ["Well-Architected"],
    "Project.CompetitorName": "On-Prem",
    "Project.ExpectedContractDuration": {"Term": "Months", "Value": "24"},
    "SoftwareRevenue": {"DeliveryModel": "Contract", "Value": {"Amount": "5", "CurrencyCode": "EUR"}},
    "Customer.Contacts": [{"FirstName": "Rose", "LastName": "Gonzalez", "Phone": "+15125550100"}],
    "LifeCycle.NextSteps": "Theirs",
}


def test_what_the_mapping_never_mentions_survives_every_update(world: World) -> None:
    leave_out = (
        "AdditionalComments:",
        "ApnPrograms:",
        "CompetitorName:",
        "OtherCompetitorNames:",
        "Duns:",
        "NextSteps:",
    )
    lines = packaged("mappings", "opportunity.yaml").read_text(encoding="utf-8").splitlines()
    gone = [line for line in lines if line.strip().startswith(leave_out) and "{from: " in line]
    assert len(gone) == len(leave_out)
    mapping = with_mapping(world, *((f"{line}\n", "") for line in gone))
    assert not {"Project.ApnPrograms", "LifeCycle.NextSteps"} & mapping.owned_paths
    deal = reviewed(world)
    edit_at_aws(world, deal, BESIDE)
    (before,) = world.at_aws(deal)
    (update,) = edited(world, deal, AWS_Delivery_Models__c="SaaS or PaaS", StageName="Proposal/Price Quote")
    (after,) = world.at_aws(deal)
    assert update.outcome == "ok"
    for path, value in BESIDE.items():
        assert audit.value_at(after, path) == value == audit.value_at(before, path), path


def test_a_member_that_only_a_newer_mapping_knows_survives(world: World) -> None:
    """Of AWS's model, and in no line of the mapping: the spend's other members, as AWS adds them with time."""
    deal = reviewed(world)
    url = "https://calculator.aws/#/estimate?id=" + "a" * 40
    rows = [{**at_aws(world, deal, "Project.ExpectedCustomerSpend")[0], "EstimationUrl": url}]
    without = with_mapping(world, ("        EstimationUrl: {from: AWS_Estimation_Url__c, transform: trim}\n", ""))
    assert "EstimationUrl" not in str(without.tree)
    edit_at_aws(world, deal, {"Project.ExpectedCustomerSpend": rows})
    run(world)
    (update,) = edited(world, deal, Amount=132000)
    (row,) = update.body["Project"]["ExpectedCustomerSpend"]
    assert (row["Amount"], row["EstimationUrl"]) == ("11000.00", url)


def test_a_solution_that_goes_at_aws_while_the_stage_moves_is_attached_first(world: World) -> None:
    """The plan knew of a solution; what is read right before the update shows none any more."""
    deal = reviewed(world, AWS_Other_Solution__c="Our own landing zone")
    world.edit(deal, StageName="Negotiation/Review")
    context = world.context()
    pull(context)
    observe(context)
    edit_at_aws(world, deal, {"RelatedEntityIdentifiers.Solutions": []})
    since = count(world)
    advance(context)
    run(world)
    assert [(call.operation, call.problems) for call in written(world, since)] == [(ATTACH, ()), (UPDATE, ())]
    assert at_aws(world, deal, "LifeCycle.Stage") == "Committed"


def test_a_status_that_another_tool_lost_does_not_turn_the_circle(world: World) -> None:
    """In Sandbox an update without ReviewStatus takes it away for ever; such a draft is still edited, and told of."""
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(reason="OpportunityValidationFailed", message="once more"))
    run(world)
    (found,) = world.at_aws(deal)
    kept = {name: value for name, value in found["LifeCycle"].items() if name in {"Stage", "TargetCloseDate"}}
    world.edit_at_aws(found["Id"], {"LifeCycle": kept})
    assert at_aws(world, deal, "LifeCycle.ReviewStatus") is None
    world.edit(deal, NextStep="Sign")
    context = world.context()
    pull(context)
    observe(context)
    before = count(world)

    def stop_in_time() -> None:
        if count(world) - before > 20:
            context.stopping.set()

    with struck(context, "GetOpportunity", stop_in_time, times=50):
        advance(context)
    assert count(world) - before <= 20
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Sign"


def test_an_idle_circle_writes_nothing(world: World) -> None:
    world.sandbox.service.configure(escape="all", stub_spend=True)
    deal = reviewed(world, AWS_Product_Codes__c="AmazonEC2Linux", NextStep="R&D", AWS_Contract_Months__c=24)
    edited(world, deal, Name="Locked", NextStep="Sign")
    world.settle(deal)  # reads AWS's own side again, which has the next steps by now
    before = world.calls
    world.settle(deal)
    world.settle()
    assert world.calls[:2] == before[:2]


def test_what_an_update_leaves_out_is_not_believed_to_stay(world: World) -> None:
    deal = world.opportunity()
    world.settle(deal)
    context = world.context()
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    whole = {**whole_of(world, deal), "RelatedEntityIdentifiers": {"Solutions": ["S-0001114"]}}
    body = {"Identifier": whole["Id"], "LifeCycle": whole["LifeCycle"], "Project": whole["Project"]}
    intent = {"changes": [["PrimaryNeedsFromAws", None]]}
    update = Operation(1, link.id, UPDATE, body, "", intent)
    answer = {"Id": whole["Id"], "LastModifiedDate": "2099-01-01T00:00:00Z"}
    learned = LEARNED[UPDATE](context, replace(link, existing=whole), update, answer)
    assert learned["existing"] is not None
    assert {"PrimaryNeedsFromAws", "Customer", "Marketing"}.isdisjoint(learned["existing"])
    assert learned["existing"]["RelatedEntityIdentifiers"] == {"Solutions": ["S-0001114"]}
    assert learned["base"] is not None
    assert "PrimaryNeedsFromAws" not in learned["base"]


def whole_of(world: World, deal: str) -> dict[str, Any]:
    """GetOpportunity's answer."""
    return world.context().partner_central.call("GetOpportunity", {"Identifier": id_of(world, deal)})


def test_a_conflict_that_does_not_end_is_met_with_growing_pauses(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = reviewed(world)
    context = vars(world)["connector"]
    conflict = mock.Mock(side_effect=ServiceError("ConflictException", "It was changed meanwhile."))
    before = count(world)
    monkeypatch.setattr(retry, "FIRST_DELAY", 3600.0)
    with mock.patch.dict(serving.OPERATIONS, {UPDATE: conflict}):
        world.edit(deal, NextStep="Sign")
        pull(context)
        advance(context)
    assert [entry.operation for entry in written(world, before)] == [UPDATE, UPDATE], "once more, and then a pause"
    link = context.ledger.find(*context.key, deal)
    assert link.next_try_at > context.now + timedelta(minutes=10)
    context.ledger.wake(*context.key, [deal], context.now, "a test")
    run(world)
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Sign"
    assert context.ledger.find(*context.key, deal).attempts == 0


def test_a_product_that_aws_refuses_now_holds_up_no_fix_and_is_tried_in_another_status(world: World) -> None:
    deal = reviewed(world, "Action Required", "Say more about the problem.")
    entry = {"Code": "ACTION_NOT_PERMITTED", "FieldName": "relatedEntityIdentifier", "Message": "Not now."}
    refusal = ServiceError("ValidationException", "", Reason="BUSINESS_VALIDATION_EXCEPTION", ErrorList=[entry])
    fix = "All of it moves in spring, at last, and for good."
    with mock.patch.dict(serving.OPERATIONS, {ATTACH: mock.Mock(side_effect=refusal)}):
        before = count(world)
        world.edit(deal, AWS_Product_Codes__c="AmazonEC2Linux", AWS_Business_Problem__c=fix)
        run(world)
        assert at_aws(world, deal, "Project.CustomerBusinessProblem") == fix
        assert at_aws(world, deal, "LifeCycle.ReviewStatus") == "Submitted"
        assert sum(one.operation == ATTACH for one in written(world, before)) <= 2
    review(world, deal, "Approved")
    run(world)
    run(world)
    assert at_aws(world, deal, "RelatedEntityIdentifiers.AwsProducts") == ["AmazonEC2Linux"]
    assert status(world, deal) == "Synced"


def test_a_product_that_aws_refuses_is_told_and_not_sent_again_and_again(world: World) -> None:
    deal = reviewed(world)
    entry = {"Code": "ACTION_NOT_PERMITTED", "FieldName": "relatedEntityIdentifier", "Message": "Not now."}
    refusal = ServiceError("ValidationException", "", Reason="BUSINESS_VALIDATION_EXCEPTION", ErrorList=[entry])
    with mock.patch.dict(serving.OPERATIONS, {ATTACH: mock.Mock(side_effect=refusal)}):
        first = edited(world, deal, AWS_Product_Codes__c="AmazonEC2Linux")
        assert status(world, deal) == "Held"
        assert "Not now." in message(world, deal)
        before = count(world)
        for _ in range(3):
            run(world)
        assert written(world, before) == []
        more = edited(world, deal, NextStep="Sign")
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Sign"
    assert status(world, deal) == "Held"
    assert [[one.operation for one in part].count(ATTACH) for part in (first, more)] == [1, 2]


def test_a_stage_does_not_count_on_a_solution_that_aws_refused(world: World) -> None:
    deal = reviewed(world, AWS_Solution_Ids__c=None, AWS_Other_Solution__c="Our own migration factory")
    world.sandbox.service.configure(inactive_solutions=["S-0001112"])
    more = {"AWS_Solution_Ids__c": "S-0001112", "StageName": "Negotiation/Review"}
    for changes in ({"NextStep": "Sign", **more}, {"Amount": 480_000}):
        calls = edited(world, deal, **changes)
        assert [(one.operation, one.outcome == "ok") for one in calls[:2]] == [(ATTACH, False), (UPDATE, True)]
        assert status(world, deal) == "Held"
        assert "S-0001112" in message(world, deal)
    assert at_aws(world, deal, "LifeCycle.NextSteps") == "Sign"
    assert at_aws(world, deal, "LifeCycle.Stage") != "Committed"
    edited(world, deal, AWS_Solution_Ids__c="S-0001111")
    assert at_aws(world, deal, "LifeCycle.Stage") == "Committed"
    assert status(world, deal) == "Synced"
