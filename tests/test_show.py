"""``connector show``: why is this not in AWS, for any id that a person may come with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.ledger import LedgerLock
from connector.commands.choice import Choice
from connector.commands.resync import resync_quietly
from connector.commands.session import DONE, EDIT, HELD
from connector.commands.show import show
from connector.errors import Halt, TemporaryError, UserError
from tests.world import INVITING, World, quick_starts

KEYS = {
    *("connection", "catalog", "salesforce_id", "name", "presence", "opportunity_id", "review_status", "stage", "task"),
    *("invitations", "sync", "problems", "differences", "aws", "write_back", "values", "asked", "history", "reason"),
    *("elsewhere", "note"),
}
Told = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick_starts():
        yield


@pytest.fixture(name="told")
def told_fixture(world: World, capsys: pytest.CaptureFixture[str]) -> Told:
    """``show ID --json`` in this process: (exit code, story)."""

    def ask(identifier: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = show(world.command_app(), identifier, as_json=True)
        story = json.loads(capsys.readouterr().out)
        assert set(story) == KEYS
        return code, story

    return ask


@pytest.fixture(name="text")
def text_fixture(world: World, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """``show ID`` as people see it, in one line."""

    def ask(identifier: str) -> str:
        capsys.readouterr()
        show(world.command_app(), identifier, as_json=False)
        return " ".join(capsys.readouterr().out.split())

    return ask


def configure(world: World, where: str) -> None:
    """The shipped mapping with another flag."""
    source = Path(__file__).parents[1] / "mappings" / "opportunity.yaml"
    text = source.read_text(encoding="utf-8")
    changed = re.sub(r"where: Share_With_AWS__c = TRUE", f"where: {where}", text, count=1)
    assert changed != text
    (world.folder / "mapping.yaml").write_text(changed, encoding="utf-8")
    world.write_config("    mapping: mapping.yaml\n")


# never flagged, filtered


def test_a_record_that_was_never_flagged_says_so_without_a_ledger(
    world: World, told: Told, text: Callable[[str], str]
) -> None:
    world.without_ledger()
    deal = world.opportunity(Share_With_AWS__c=False)
    writes = world.calls[:2]
    code, story = told(deal)
    assert code == DONE
    assert (story["salesforce_id"], story["name"], story["opportunity_id"]) == (deal, "Deal 0", None)
    assert story["reason"] == {
        "code": "not_flagged",
        "message": "Not shared with AWS. Share_With_AWS__c = TRUE: it is FALSE now.",
        "cure": "Tick Share_With_AWS__c on the record if it shall be shared; it is read by itself then.",
        "condition": [
            {
                "text": "Share_With_AWS__c = TRUE",
                "salesforce_field": "Share_With_AWS__c",
                "value": False,
                "holds": False,
                "wanted": True,
            }
        ],
        "records": [],
    }
    assert told(deal[:15])[1]["salesforce_id"] == deal
    assert "Share_With_AWS__c = TRUE: it is FALSE now. What to do Tick Share_With_AWS__c" in text(deal)
    assert world.calls[:2] == writes
    assert not world.has_ledger


def test_each_part_of_a_longer_flag_is_told_with_its_value(
    world: World, told: Told, text: Callable[[str], str]
) -> None:
    configure(world, "Share_With_AWS__c = TRUE AND (Amount > 500000 OR StageName IN ('Closed Won'))")
    deal = world.opportunity()
    reason = told(deal)[1]["reason"]
    assert (
        "Amount > 500000: it is 120000 now; StageName IN ('Closed Won'): it is 'Qualification' now" in reason["message"]
    )
    assert reason["cure"].startswith("Change Amount or StageName on the record if it shall be shared")
    assert [(part["text"], part["holds"]) for part in reason["condition"]] == [
        ("Share_With_AWS__c = TRUE", True),
        ("Amount > 500000", False),
        ("StageName IN ('Closed Won')", False),
    ]
    assert "Share_With_AWS__c = TRUE: holds, Share_With_AWS__c is true" in text(deal)


def test_what_only_salesforce_can_judge_is_told_as_such(world: World, told: Told) -> None:
    configure(world, "Share_With_AWS__c = TRUE AND CloseDate = YESTERDAY")
    deal = world.opportunity()
    reason = told(deal)[1]["reason"]
    assert reason["code"] == "not_flagged"
    assert "CloseDate = YESTERDAY" in reason["message"]
    assert "only Salesforce can judge this" in reason["message"]


# flagged, and not read yet


def test_a_flagged_record_that_nobody_read_says_what_would_be_done(world: World, told: Told) -> None:
    deal, held = world.opportunity(), world.opportunity(AWS_Customer_Use_Case__c=None)
    code, story = told(deal)
    assert code == DONE
    assert story["reason"]["code"] == "not_read"
    assert story["sync"]["status"] == "Pending"
    assert (
        "nothing reads Salesforce now (never done yet). Then it will be created and submitted"
        in story["sync"]["message"]
    )
    assert "connector run" in story["reason"]["cure"]
    assert f"connector resync {deal}" in story["reason"]["cure"]
    assert {"path": "Project.Title", "value": "Deal 0", "salesforce_field": "Name"}.items() <= next(
        value.items() for value in story["values"] if value["path"] == "Project.Title"
    )
    code, story = told(held)
    assert code == HELD
    assert "Then it will be held: AWS_Customer_Use_Case__c" in story["sync"]["message"]
    assert [problem["salesforce_field"] for problem in story["problems"]] == ["AWS_Customer_Use_Case__c"]


def test_it_says_whether_the_daemon_will_come_to_it(world: World, told: Told) -> None:
    world.opportunity()
    world.settle()
    late = world.opportunity()
    assert "nothing reads Salesforce now (last done 20" in told(late)[1]["reason"]["message"]
    app = world.app()
    with LedgerLock(app.engine):
        _, story = told(late)
        assert "the daemon reads Salesforce every 60 s, last at" in story["reason"]["message"]
        assert "It comes with the next pull" in story["reason"]["cure"]
        app.ledger.set_watermark("sandbox", "last_pull", "2026-01-01T00:00:00+00:00")
        assert "its last pull was" in told(late)[1]["reason"]["message"]
        app.ledger.set_watermark("sandbox", "last_pull", "")
        assert "has not come to the end of its first pull" in told(late)[1]["reason"]["message"]


# deleted, hidden, not there


def test_a_deleted_record_lies_in_the_recycle_bin_until_it_is_gone_for_good(world: World, told: Told) -> None:
    deal = world.opportunity()
    world.sandbox.org.delete("Opportunity", deal)
    code, story = told(deal)
    assert (code, story["reason"]["code"], story["name"]) == (DONE, "deleted", "Deal 0")
    assert re.search(
        r"lies in the recycle bin, since 20\d\d-\d\d-\d\d \d\d:\d\d UTC or earlier", story["reason"]["message"]
    )
    world.sandbox.org.purge(deal)
    code, story = told(deal)
    assert (code, story["reason"]["code"]) == (EDIT, "not_visible")


def test_a_hidden_record_and_none_at_all_are_told_alike_with_both_cures(world: World, told: Told) -> None:
    hidden, never = world.opportunity(), "006000000000099AAA"
    world.sandbox.org.hide_row(hidden)
    for identifier in (hidden, never):
        code, story = told(identifier)
        assert (code, story["reason"]["code"], story["name"]) == (EDIT, "not_visible", None)
        assert "the connector's user may not see it" in story["reason"]["message"]
        assert "share it with the connector's user" in story["reason"]["cure"]
        with pytest.raises(UserError, match="there is none"):
            show(world.command_app(), identifier, as_json=False)


# ids of something else


def test_an_account_names_its_shared_opportunities(world: World, told: Told) -> None:
    deal, unshared = world.opportunity(), world.opportunity(Share_With_AWS__c=False)
    accounts = [str(world.record(one)["AccountId"]) for one in (deal, unshared)]
    code, story = told(accounts[0])
    assert (code, story["reason"]["code"], story["name"]) == (DONE, "other_object", "Company 0")
    assert story["reason"]["records"] == [{"salesforce_id": deal, "name": "Deal 0"}]
    assert story["reason"]["message"].startswith("This is an Account; 1 record of Opportunity")
    code, story = told(accounts[1])
    assert story["reason"]["records"] == []
    assert "no record of Opportunity that is shared or in AWS belongs to it" in story["reason"]["message"]
    world.settle(deal)
    world.edit(deal, Share_With_AWS__c=False)
    world.settle(deal)
    assert told(accounts[0])[1]["reason"]["records"] == [{"salesforce_id": deal, "name": "Deal 0"}], "still linked"
    world.sandbox.org.hide_field("Opportunity", "AWS_Sync_Status__c")
    assert told(accounts[0])[1]["reason"]["records"] == [{"salesforce_id": deal, "name": "Deal 0"}], "by its AWS id"


def test_merged_and_other_records_are_told_as_what_they_are(world: World, told: Told) -> None:
    world.mapping = tuple(str(Path(__file__).parents[1] / name) for name in INVITING)
    world.write_config()
    deal, other = world.opportunity(), world.opportunity()
    row = world.invite(deal, "111122223333")
    winner, loser = (str(world.record(one)["AccountId"]) for one in (deal, other))
    world.sandbox.org.merge("Account", winner, loser)
    _, story = told(loser)
    assert story["reason"]["code"] == "merged"
    assert f"was merged into {winner}" in story["reason"]["message"]
    _, story = told(row)
    assert story["reason"]["message"] == "This is an AWS_Partner_Invitation__c, a row of a record of Opportunity."
    assert story["reason"]["records"] == [{"salesforce_id": deal, "name": "Deal 0"}]
    assert "This is a User" in told(world.sandbox.org.integration_user_id)[1]["reason"]["message"]
    code, story = told("zzz000000000001AAA")
    assert (code, story["reason"]["code"]) == (EDIT, "unknown_object")
    assert told("001000000000999AAA")[1]["reason"]["message"].endswith("Salesforce shows no such record.")


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("006000000000001AAB", "a character is wrong, or its case was changed"),
        ("nonsense", "Give a Salesforce id"),
        ("", "Give a Salesforce id"),
    ],
)
def test_what_is_no_id_is_refused_before_anything_is_asked(world: World, identifier: str, words: str) -> None:
    before = len(world.sandbox.org.calls)
    with pytest.raises(UserError, match=words):
        show(world.command_app(), identifier, as_json=False)
    assert len(world.sandbox.org.calls) == before


# ids of AWS


def test_an_opportunity_of_aws_is_told_by_the_id_it_carries(world: World, told: Told) -> None:
    deal, waiting = world.opportunity(), world.opportunity()
    world.settle(deal)
    (ours,) = world.at_aws(deal)
    assert told(ours["Id"])[1]["salesforce_id"] == deal
    body = {name: ours[name] for name in ("Customer", "LifeCycle", "OpportunityType", "Project", "PrimaryNeedsFromAws")}
    life_cycle = {**ours["LifeCycle"], "ReviewStatus": "Pending Submission"}

    def made(token: str, **more: str) -> str:
        body_of = {**body, "LifeCycle": life_cycle, "Origin": "Partner Referral", "ClientToken": token, **more}
        return str(world.by_hand("CreateOpportunity", body_of)["Id"])

    code, story = told(made("one", PartnerOpportunityIdentifier=waiting))
    assert (code, story["reason"]["code"], story["review_status"]) == (DONE, "at_aws", "Pending Submission")
    assert (
        f"it carries the id of {waiting}, and is taken over once that Opportunity is flagged"
        in story["sync"]["message"]
    )
    assert "it carries no id of yours" in told(made("two"))[1]["sync"]["message"]
    assert (
        f"which is linked to {ours['Id']}"
        in told(made("three", PartnerOpportunityIdentifier=deal))[1]["sync"]["message"]
    )
    assert "made it" in told(made("four", PartnerOpportunityIdentifier="CRM-17"))[1]["sync"]["message"]
    code, story = told("O99999999")
    assert (code, story["reason"]["code"]) == (EDIT, "not_at_aws")


def test_a_task_an_engagement_and_an_invitation_lead_to_their_record(world: World, told: Told) -> None:
    world.mapping = tuple(str(Path(__file__).parents[1] / name) for name in INVITING)
    world.write_config()
    deal = world.opportunity()
    world.invite(deal, "222233334444")
    world.settle(deal)
    story = world.show(deal)
    assert [one["Status"] for one in story["invitations"]] == ["PENDING"]
    for identifier in (
        story["task"]["TaskId"],
        story["task"]["TaskArn"],
        story["task"]["EngagementId"],
        story["invitations"][0]["Id"],
    ):
        assert told(identifier)[1]["salesforce_id"] == deal
    code, story = told("task-0000000000000")
    assert (code, story["reason"]["code"]) == (EDIT, "unknown")


# no longer kept in step


def test_a_stopped_record_says_since_when_and_why_and_what_is_left(
    world: World, told: Told, text: Callable[[str], str]
) -> None:
    deal, deleted = world.opportunity(), world.opportunity()
    world.settle(deal, deleted)
    assert told(deal)[1]["reason"] is None
    world.edit(deal, Share_With_AWS__c=False)
    world.sandbox.org.delete("Opportunity", deleted)
    world.settle(deal, deleted)
    _, story = told(deal)
    assert (story["sync"]["status"], story["presence"]) == ("Stopped", "unflagged")
    assert story["sync"]["since"].endswith("Z")
    assert "What AWS has stays there" in story["sync"]["message"]
    assert story["reason"]["code"] == "not_flagged"
    assert "In Salesforce Not shared with AWS. Share_With_AWS__c = TRUE: it is FALSE now." in text(deal)
    assert told(deleted)[1]["reason"]["code"] == "deleted"
    world.edit(deal, Share_With_AWS__c=True)
    assert told(deal)[1]["reason"]["code"] == "not_read", "flagged again, and nobody has read it yet"


# services out of reach, several connections


def close_salesforce(world: World) -> None:
    text = world.config.read_text(encoding="utf-8").replace(world.sandbox.client_secret, "wrong-secret")
    world.config.write_text(text, encoding="utf-8")


def test_without_salesforce_the_ledger_still_tells_what_it_knows(world: World, told: Told) -> None:
    deal, late = world.opportunity(), world.opportunity()
    world.settle(deal)
    world.edit(deal, Share_With_AWS__c=False)
    world.settle(deal)
    close_salesforce(world)
    code, story = told(deal)
    assert (code, story["sync"]["status"], story["reason"]) == (DONE, "Stopped", None)
    with pytest.raises(Halt, match=f"The ledger does not know {late}, and nothing more can be told"):
        told(late)


def test_without_aws_an_unknown_number_cannot_be_told(world: World, told: Told) -> None:
    world.sandbox.faults.add(on="GetOpportunity", do="status", status=403, times=None)
    with pytest.raises(
        TemporaryError, match=r"does not know O123, and nothing more can be told \(connection sandbox\)"
    ):
        told("O123")


def test_every_connection_is_looked_in_and_named(world: World, told: Told, text: Callable[[str], str]) -> None:
    first = world.config.read_text(encoding="utf-8")
    section = first[first.index("  sandbox:") :]
    broken = section.replace("  sandbox:", "  broken:", 1).replace(world.sandbox.client_secret, "wrong-secret")
    world.config.write_text(first + broken, encoding="utf-8")
    deal = world.opportunity(Share_With_AWS__c=False)
    code, story = told(deal)
    assert (code, story["connection"]) == (DONE, "sandbox")
    assert [one["connection"] for one in story["elsewhere"]] == ["broken"]
    assert "Connection broken: " in text(deal)
    second = section.replace("  sandbox:", "  second:", 1)
    world.config.write_text(first + second, encoding="utf-8")
    assert [one["connection"] for one in told(deal)[1]["elsewhere"]] == ["second"]
    app = world.command_app()
    with pytest.raises(UserError, match="Connection second: "):
        show(app, "006000000000099AAA", as_json=False)


def test_a_record_of_two_connections_is_told_with_both(world: World, told: Told, text: Callable[[str], str]) -> None:
    first = world.config.read_text(encoding="utf-8")
    second = first[first.index("  sandbox:") :].replace("  sandbox:", "  second:", 1)
    shipped = (Path(__file__).parents[1] / "mappings" / "opportunity.yaml").read_text(encoding="utf-8")
    mapping = shipped.partition("\ncases:")[0].replace("Title: {from: Name,", "Title: {from: NextStep,", 1)
    (world.folder / "other.yaml").write_text(mapping, encoding="utf-8")
    world.config.write_text(f"{first}    mapping: other.yaml\n{second}", encoding="utf-8")
    deal = world.opportunity(NextStep=None)
    app = world.command_app()
    app.upgrade()
    results = resync_quietly(app, Choice((), True, None, None))
    assert [result["status"] for result in results] == ["Held", "Synced"], "each connection tells its own"
    (number,) = [entry["Id"] for entry in world.at_aws(deal)]
    code, story = told(deal)
    assert (code, story["connection"], story["opportunity_id"]) == (HELD, "sandbox", None)
    (other,) = story["elsewhere"]
    assert other["connection"] == "second"
    assert other["message"].startswith(f"{number}, Synced: ")
    assert f"Connection second: {number}, Synced: " in text(deal)
