"""``connector plan`` value by value, and ``resync --plan``: exactly that, or a sentence for each record that moved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector import config as configuration
from connector.app import App
from connector.commands.choice import Choice
from connector.commands.plan import plan
from connector.commands.resync import resync_quietly
from connector.commands.session import DONE, HELD
from connector.errors import UnsafePlan, UserError
from connector.report import without_readings
from tests.world import ENVIRONMENT, INVITING, World, quick_starts

ROOT = Path(__file__).parents[1]
WRONG_NUMBER = "1111"
Planned = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick_starts():
        yield


def app_of(world: World, only: str | None = None) -> App:
    return App(configuration.load(world.config, ENVIRONMENT), only=only)


@pytest.fixture(name="planned")
def planned_fixture(world: World, capsys: pytest.CaptureFixture[str]) -> Planned:
    """``plan [ID…] --json`` in this process: the part of the connection; also saved to plan.json."""

    def ask(*ids: str) -> dict[str, Any]:
        capsys.readouterr()
        plan(app_of(world), Choice(ids, not ids, None, None), as_json=True, out=world.folder / "plan.json")
        found: dict[str, Any] = json.loads(capsys.readouterr().out)["connections"]["sandbox"]
        return found

    return ask


@pytest.fixture(name="text")
def text_fixture(world: World, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``plan [ID…]`` as people see it, in one line."""

    def ask(*ids: str, fields: bool = False) -> str:
        capsys.readouterr()
        plan(app_of(world), Choice(ids, not ids, None, None), as_json=False, out=None, fields=fields)
        return " ".join(capsys.readouterr().out.split())

    return ask


def apply(world: World, only: str | None = None) -> list[str]:
    """``resync --plan plan.json``: what became of each record."""
    results = resync_quietly(app_of(world, only), Choice((), False, None, world.folder / "plan.json"))
    return [result["status"] for result in results]


def refused(world: World) -> str:
    """The words in which ``resync --plan`` refuses; nothing may have been written."""
    before = world.calls[:2]
    with pytest.raises(UnsafePlan) as told:
        apply(world)
    assert world.calls[:2] == before
    assert "Nothing was written." in told.value.cure
    return str(told.value)


def value_at(record: dict[str, Any], path: str) -> dict[str, Any]:
    (found,) = [value for value in record["values"] if value["path"] == path]
    return dict(found)


def edit_mapping(world: World, old: str, new: str) -> None:
    text = (ROOT / "mappings" / "opportunity.yaml").read_text(encoding="utf-8")
    assert old in text
    (world.folder / "mapping.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    world.write_config("    mapping: mapping.yaml\n")


# every value


def test_a_new_record_shows_what_stands_in_salesforce_beside_what_is_sent(world: World, planned: Planned) -> None:
    deal = world.opportunity(AWS_Product_Codes__c="AmazonEC2Linux")
    (record,) = planned(deal)["records"]
    amount = value_at(record, "Project.ExpectedCustomerSpend[0].Amount")
    assert (amount["salesforce"], amount["value"], amount["becomes"]) == ({"Amount": 120000}, "10000.00", "create")
    assert (amount["file"], amount["line"] > 0) == ("mappings/opportunity.yaml", True)
    country = value_at(record, "Customer.Account.Address.CountryCode")
    assert (country["salesforce"], country["value"]) == ({"Account.BillingCountry": "United States"}, "US")
    industry = value_at(record, "Customer.Account.Industry")
    assert industry["salesforce"] == {"AWS_Industry__c": None, "Account.Industry": "Banking"}
    assert value_at(record, "Origin")["kind"] == "constant"
    assert value_at(record, "NationalSecurity")["kind"] == "default"
    assert value_at(record, "AwsSubmission.Visibility")["becomes"] == "submit"
    assert value_at(record, "RelatedEntityIdentifiers.AwsProducts")["becomes"] == "associate"
    assert {value["becomes"] for value in record["values"]} == {"create", "submit", "associate"}


def test_a_held_record_holds_every_value_and_says_why_at_those_to_blame(world: World, planned: Planned) -> None:
    deal = world.opportunity(AWS_Customer_Use_Case__c=None, Type="Renewal")
    (record,) = planned(deal)["records"]
    assert {value["becomes"] for value in record["values"]} == {"hold"}
    kind = value_at(record, "OpportunityType")
    assert (kind["salesforce"], kind["value"]) == ({"Type": "Renewal"}, None)
    assert "'Renewal' is not in the mapping's list of values" in kind["why"]
    use_case = value_at(record, "Project.CustomerUseCase")
    assert use_case["salesforce"] == {"AWS_Customer_Use_Case__c": None}
    assert "The use case is missing." in use_case["why"]


def fail_task(world: World) -> str:
    """A draft at AWS whose submission failed."""
    from connector.sandbox.partner_central.tasks import TaskScript

    deal = world.opportunity(NextStep="Call them")
    script = TaskScript(reason="OpportunityValidationFailed", message="BUSINESS_VALIDATION_EXCEPTION x:y")
    world.sandbox.service.script_tasks(script)
    world.settle(deal)
    return deal


def test_an_update_shows_before_and_after_and_leaves_the_rest_unchanged(
    world: World, planned: Planned, text: Callable[..., str]
) -> None:
    deal = fail_task(world)
    world.edit(deal, Name="Another name", NextStep=None, AWS_Solution_Ids__c="S-0002222")
    (record,) = planned(deal)["records"]
    title = value_at(record, "Project.Title")
    assert (title["becomes"], title["before"], title["value"]) == ("update", "Deal 0", "Another name")
    assert title["salesforce"] == {"Name": "Another name"}
    gone = value_at(record, "LifeCycle.NextSteps")
    assert (gone["becomes"], gone["before"], gone["value"]) == ("update", "Call them", None)
    assert value_at(record, "Customer.Account.CompanyName")["becomes"] == "unchanged"
    solutions = [v for v in record["values"] if v["path"] == "RelatedEntityIdentifiers.Solutions"]
    assert [(v["value"], v["before"], v["becomes"]) for v in solutions] == [
        ("S-0002222", None, "associate"),
        (None, "S-0001111", "disassociate"),
    ]
    told = text(deal)
    assert 'Project.Title: "Deal 0" → "Another name"' in told
    assert 'LifeCycle.NextSteps: "Call them" → nothing' in told


def test_edits_during_the_review_wait_and_say_so(world: World, planned: Planned, text: Callable[..., str]) -> None:
    deal = world.opportunity()
    world.settle(deal)
    world.edit(deal, Name="Another name")
    (record,) = planned(deal)["records"]
    title = value_at(record, "Project.Title")
    assert (title["becomes"], title["before"]) == ("wait", "Deal 0")
    assert value_at(record, "AwsSubmission.Visibility")["becomes"] == "unchanged"
    assert 'Project.Title: "Deal 0" → "Another name" waits: AWS is reviewing' in text(deal)


def test_each_invitation_says_what_happens_to_it(world: World, planned: Planned, text: Callable[..., str]) -> None:
    world.mapping = tuple(str(ROOT / name) for name in INVITING)
    world.write_config()
    deal = world.opportunity()
    world.invite(deal, "222233334444", Partner_Name__c="Good Partner")
    world.invite(deal, WRONG_NUMBER, Partner_Name__c="Wrong Partner")
    part = planned(deal)
    (record,) = part["records"]
    assert [(one["name"], one["becomes"]) for one in record["invitations"]] == [
        ("Good Partner", "wait"),
        ("Wrong Partner", "hold"),
    ]
    message = next(v for v in record["invitations"][0]["values"] if v["path"] == "Invitation.Message")
    assert message["salesforce"] == {"AWS_Partner_Invitations__r[0].Message__c": "We would like to do this with you."}
    assert message["line"] > 0
    assert part["totals"]["invitations_later"] == 1
    told = text(deal)
    assert "Invitation of Good Partner (222233334444) follows: Sent once AWS has taken the opportunity up." in told
    assert "Invitation of Wrong Partner is held: " in told
    assert "1 invitation follows once" in told
    world.settle(deal)
    sent, held = planned(deal)["records"][0]["invitations"]
    assert (sent["becomes"], held["becomes"]) == ("unchanged", "hold")
    assert sent["why"] == "Sent already, pending."


def test_the_owner_of_a_new_record_is_planned_with_it(world: World, planned: Planned) -> None:
    edit_mapping(
        world,
        "\nassociate:",
        "\nassign:\n  Email: {from: Owner.Email}\n  FirstName: {from: Owner.FirstName}\n"
        "  LastName: {from: Owner.LastName}\n  BusinessTitle: {value: OpportunityOwner}\n\nassociate:",
    )
    deal = world.opportunity()
    part = planned(deal)
    (record,) = part["records"]
    assert [action["action"] for action in record["actions"]] == ["create", "attach", "assign", "submit"]
    assert value_at(record, "Assignee.Email")["becomes"] == "assign"
    writes = world.sandbox.service.writes
    assert apply(world) == ["Synced"]
    assert world.sandbox.service.writes - writes == part["totals"]["writes"] == 4


def test_what_exists_at_aws_is_planned_to_be_taken_over_also_without_a_ledger(
    world: World, planned: Planned, text: Callable[..., str]
) -> None:
    deal = world.opportunity()
    world.settle(deal)
    (number,) = (entry["Id"] for entry in world.at_aws(deal))
    world.without_ledger()
    world.edit(deal, Name="Another name")
    (record,) = planned(deal)["records"]
    assert [action["action"] for action in record["actions"]] == ["adopt", "wait"]
    assert value_at(record, "Project.Title")["becomes"] == "wait"
    assert f"adopt {number}" in text(deal)


def test_where_aws_cannot_be_asked_the_plan_says_what_it_does_not_know(
    world: World, planned: Planned, text: Callable[..., str]
) -> None:
    world.opportunity()
    assert planned()["unknown"] is None
    world.sandbox.faults.add(on="ListOpportunities", do="status", status=403, times=None)
    assert "AWS could not be asked what it has: " in text()


def test_several_records_are_one_block_each_and_their_values_come_on_demand(
    world: World, text: Callable[..., str]
) -> None:
    deal, held = world.opportunity(), world.opportunity(AWS_Customer_Use_Case__c=None)
    world.opportunity(Share_With_AWS__c=False)
    told = text()
    assert f"{deal} Deal 0: create → attach Solutions S-0001111 → submit" in told
    assert f"{held} Deal 1: held AWS_Customer_Use_Case__c → Project.CustomerUseCase (mappings/opportunity.yaml:" in told
    assert "sandbox: 2 records (1 with something to send, 1 held), 3 writes to AWS, at its quota ~" in told
    assert "Actions: 1 create, 1 attach, 1 submit." in told
    assert "In Salesforce" not in told
    assert 'Type = "New Customer" OpportunityType "Net New Business"' in text(fields=True)
    assert 'Type = "New Customer" OpportunityType "Net New Business"' in text(deal)


def test_what_is_saved_has_no_more_of_the_record_than_is_sent(world: World, planned: Planned) -> None:
    secret = "Very long and private. " * 30
    deal = world.opportunity(AWS_Business_Problem__c=secret, AWS_Customer_Use_Case__c=None)
    part = planned(deal)
    saved = json.loads((world.folder / "plan.json").read_text(encoding="utf-8"))
    entry = saved["connections"]["sandbox"]["records"][0]
    assert "salesforce" in part["records"][0]["values"][0]
    assert all("salesforce" not in value for value in entry["values"])
    assert entry == without_readings(part["records"][0])
    assert (saved["version"], saved["connections"]["sandbox"]["catalog"]) == (2, "Sandbox")
    assert (world.folder / "plan.json").stat().st_mode & 0o077 == 0


def test_a_plan_takes_the_place_of_a_file_that_others_may_read(world: World, planned: Planned) -> None:
    out = world.folder / "plan.json"
    out.write_text("an older one", encoding="utf-8")
    out.chmod(0o644)
    with out.open(encoding="utf-8") as reader:
        planned(world.opportunity())
        assert reader.read() == "an older one", "whoever has it open sees nothing of the new one"
    assert out.stat().st_mode & 0o777 == 0o600
    assert json.loads(out.read_text(encoding="utf-8"))["version"] == 2
    assert list(world.folder.glob(".*.part")) == []


def test_a_folder_that_is_not_there_is_told_before_anything_is_read(world: World) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        plan(app_of(world), Choice((), True, None, None), as_json=True, out=world.folder / "plans" / "plan.json")
    with pytest.raises(UserError, match="is no file"):
        plan(app_of(world), Choice((), True, None, None), as_json=True, out=world.folder)
    assert not any(world.calls)


# applied exactly, or refused


def test_a_plan_is_applied_exactly_and_a_second_time_it_is_refused(world: World, planned: Planned) -> None:
    deals = [world.opportunity(), world.opportunity()]
    other = world.opportunity()
    totals = planned(*deals)["totals"]
    before = world.sandbox.service.writes
    assert apply(world) == ["Synced", "Synced"]
    assert world.sandbox.service.writes - before == totals["writes"] == 6
    assert world.at_aws(other) == []
    told = refused(world)
    assert "2 of 2 records have changed since the plan was saved" in told
    assert f"{deals[0]} (Deal 0): it is in AWS since, as O" in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Name": "Another", "Amount": 240000}, "it was changed in Salesforce: Name, Amount."),
        ({"Share_With_AWS__c": False}, "it is not to be shared any more, it is not flagged"),
        ({"AWS_Solution_Ids__c": "S-0002222"}, "it was changed in Salesforce: AWS_Solution_Ids__c."),
    ],
)
def test_a_change_in_salesforce_is_told_by_its_fields_and_nothing_is_applied(
    world: World, planned: Planned, change: dict[str, Any], words: str
) -> None:
    deal, steady = world.opportunity(), world.opportunity()
    planned()
    world.edit(deal, **change)
    told = refused(world)
    assert "1 of 2 records have changed" in told
    assert words in told
    assert world.at_aws(steady) == []
    assert "240000" not in told


def test_a_deleted_record_is_told(world: World, planned: Planned) -> None:
    deal = world.opportunity()
    planned()
    world.sandbox.org.delete("Opportunity", deal)
    assert "it is not to be shared any more, it is deleted." in refused(world)


def test_an_edited_mapping_is_told(world: World, planned: Planned) -> None:
    world.opportunity()
    planned()
    edit_mapping(world, "Title: {from: Name, ", "Title: {from: NextStep, default: None yet, ")
    assert "the mapping was edited since, it makes other values of it: " in refused(world)


def test_an_edit_at_aws_of_something_else_stays_and_the_plan_is_applied(world: World, planned: Planned) -> None:
    deal = fail_task(world)
    world.edit(deal, Name="Another name")
    planned(deal)
    number = world.at_aws(deal)[0]["Id"]
    world.edit_at_aws(number, {"Project.CustomerBusinessProblem": "Somebody else wrote a much better one here."})
    assert apply(world) == ["Synced"], "nothing of the plan is touched by that"
    at_aws = world.at_aws(deal)[0]["Project"]
    assert (at_aws["Title"], at_aws["CustomerBusinessProblem"][:13]) == ("Another name", "Somebody else")


def test_an_edit_of_the_same_field_at_aws_is_told(world: World, planned: Planned) -> None:
    deal = fail_task(world)
    world.edit(deal, Name="Another name")
    planned(deal)
    world.edit_at_aws(world.at_aws(deal)[0]["Id"], {"Project.Title": "AWS's own name"})
    assert "somebody changed at AWS what would be replaced: Project.Title." in refused(world)


def test_a_submission_by_hand_is_told(world: World, planned: Planned) -> None:
    deal = fail_task(world)
    world.edit(deal, Name="Another name")
    planned(deal)
    number = world.at_aws(deal)[0]["Id"]
    submission = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
    body = {"Identifier": number, "ClientToken": "by-hand", "AwsSubmission": submission}
    world.by_hand("StartEngagementFromOpportunityTask", body)
    assert "what is known of AWS's side has changed. Planned was: update Project.Title → submit." in refused(world)


def test_a_record_that_was_not_shared_then_is_told(world: World, planned: Planned) -> None:
    deal = world.opportunity(Share_With_AWS__c=False)
    planned(deal)
    world.edit(deal, Share_With_AWS__c=True)
    assert "it was not to be shared then, and is now." in refused(world)


@pytest.mark.parametrize(
    ("edit", "kind", "words"),
    [
        (lambda saved: {"connections": saved["connections"]}, UserError, "made by an older version"),
        (lambda saved: {**saved, "version": 99}, UserError, "made by a newer version"),
        (lambda saved: {"version": 2}, UserError, "is not a saved plan"),
        (lambda saved: [saved], UserError, "is not a saved plan"),
        (
            lambda saved: {**saved, "connections": {"acme": saved["connections"]["sandbox"]}},
            UserError,
            "is for connection acme, which",
        ),
        (
            lambda saved: {
                **saved,
                "connections": {"sandbox": {**saved["connections"]["sandbox"], "catalog": "AWS"}},
            },
            UnsafePlan,
            "the plan was made for catalog AWS, config.yaml says Sandbox",
        ),
    ],
)
def test_a_plan_for_another_place_is_refused(
    world: World, planned: Planned, edit: Callable[[Any], Any], kind: type[Exception], words: str
) -> None:
    world.opportunity()
    planned()
    file = world.folder / "plan.json"
    file.write_text(json.dumps(edit(json.loads(file.read_text(encoding="utf-8")))), encoding="utf-8")
    before = world.calls[:2]
    with pytest.raises(kind, match=words):
        apply(world)
    assert world.calls[:2] == before


def test_where_one_connection_has_moved_none_is_applied(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    first = world.config.read_text(encoding="utf-8")
    second = first[first.index("  sandbox:") :].replace("  sandbox:", "  second:", 1)
    world.config.write_text(first + second, encoding="utf-8")
    mapping = (ROOT / "mappings" / "opportunity.yaml").read_text(encoding="utf-8")
    flagged = mapping.replace("where: Share_With_AWS__c = TRUE", "where: StageName = 'Needs Analysis'", 1)
    (world.folder / "second.yaml").write_text(flagged, encoding="utf-8")
    world.config.write_text(first + second + "    mapping: second.yaml\n", encoding="utf-8")
    deal, other = world.opportunity(), world.opportunity(Share_With_AWS__c=False, StageName="Needs Analysis")
    code = plan(app_of(world), Choice((), True, None, None), as_json=False, out=world.folder / "plan.json")
    assert code == DONE
    world.edit(other, Name="Another name")
    told = refused(world)
    assert "1 of 2 records have changed" in told
    assert world.at_aws(deal) == []
    assert apply(world, "sandbox") == ["Synced"], "only the connection that was asked for"
    assert world.at_aws(other) == []
    capsys.readouterr()


def test_the_exit_code_says_whether_anything_is_held(world: World) -> None:
    deal, held = world.opportunity(), world.opportunity(AWS_Customer_Use_Case__c=None)
    assert plan(app_of(world), Choice((deal,), False, None, None), as_json=True, out=None) == DONE
    assert plan(app_of(world), Choice((held,), False, None, None), as_json=True, out=None) == HELD
    with pytest.raises(UserError, match="is not a Salesforce id"):
        plan(app_of(world), Choice(("nonsense",), False, None, None), as_json=True, out=None)
