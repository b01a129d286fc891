"""Write-backs over real HTTP: a record and its invitations' rows are shown in one pass, and neither harms the other."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.salesforce import SalesforceClient
from connector.app import App
from connector.core.model import Link, SentInvitation
from connector.errors import TemporaryError
from connector.resources import packaged
from connector.sandbox.salesforce.faults import Fault
from connector.sandbox.salesforce.org import Org
from connector.sync import Context, advance, pull, pull_ids, write_back
from connector.sync.settle import settle
from tests.world import ENVIRONMENT, World, world

CHILD = "AWS_Partner_Invitation__c"
ROWS = "AWS_Partner_Invitations__r"
SHORT = "too short"
LONG = timedelta(days=9)
PENDING = "Sent once the opportunity is submitted and AWS has taken it up."
COMPLETE = {
    "Partner_Name__c": "Training House",
    "Message__c": "Would you train their people?",
    "Partner_AWS_Account__c": "222233334444",
    "Responsibilities__c": "Reseller",
    "Business_Problem__c": "Their people have to learn how to run all of it on AWS.",
    "Sender_First_Name__c": "Jo",
    "Sender_Last_Name__c": "Doe",
    "Sender_Title__c": "Manager",
    "Sender_Email__c": "jo@partner.example",
    "Sender_Phone__c": "+14155550100",
}
WRITE_BACK = importlib.import_module("connector.sync.write_back")


@dataclass
class Stage:
    """A world whose mapping has invitations, with one application in it."""

    world: World
    app: App

    @property
    def context(self) -> Context:
        return self.app.contexts["sandbox"]

    @property
    def org(self) -> Org:
        return self.world.sandbox.org

    def deal(self, *accounts: str) -> tuple[str, list[str]]:
        """A record that is held, and rows that invite partners with these AWS accounts."""
        deal = self.world.opportunity(AWS_Business_Problem__c=SHORT)
        return deal, [self.row(deal, Partner_AWS_Account__c=account) for account in accounts]

    def row(self, deal: str, **fields: Any) -> str:
        return self.org.insert(CHILD, {"Opportunity__c": deal, **COMPLETE, **fields})

    def shown(self, row: str) -> tuple[str, str]:
        record = self.org.get(CHILD, row)
        return str(record.get("Invitation_Sync_Status__c")), str(record.get("Invitation_Sync_Message__c"))

    def status(self, deal: str) -> str:
        return str(self.world.record(deal)["AWS_Sync_Status__c"])

    def link(self, deal: str) -> Link:
        link = self.context.ledger.find(*self.context.key, deal)
        assert link is not None
        return link

    def writes(self) -> int:
        client = self.context.salesforce
        assert isinstance(client, SalesforceClient)
        return client.usage().by_label.get("write", 0)

    def forget(self) -> None:
        """An hour later: what Salesforce described counts no more."""
        client = self.context.salesforce
        assert isinstance(client, SalesforceClient)
        client._described.clear()

    def plan(self) -> None:
        pull(self.context)
        advance(self.context)

    def look(self) -> None:
        self.plan()
        write_back(self.context)


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        folder: Path = tmp_path_factory.mktemp("write-back")
        with world(folder) as made:
            for name in ("opportunity.yaml", "invitations.yaml"):
                (folder / name).write_text(packaged("mappings", name).read_text(encoding="utf-8"), encoding="utf-8")
            with (folder / "opportunity.yaml").open("a", encoding="utf-8") as file:
                file.write("\ninbound: {Description: aws.LifeCycle.NextSteps}\n")
            made.write_config("    mapping: [opportunity.yaml, invitations.yaml]\n")
            yield Stage(made, made.app())


@pytest.fixture
def stage(served: Stage) -> Iterator[Stage]:
    """The one world of this module, without anything of the test before."""
    yield served
    org = served.org
    served.world.sandbox.faults.clear()
    org.rules._row_faults.clear()
    for name in ("Invitation_Sync_Message__c", "Message__c"):
        org.grant_field(CHILD, name)
    for row in org.records("Opportunity"):
        org.delete("Opportunity", row["Id"])
    served.forget()
    pull(served.context, sweep=True)
    advance(served.context)
    write_back(served.context)
    served.context.ledger.set_watermark("sandbox", "pull", "")


def test_a_record_and_its_rows_are_shown_in_one_pass_and_once(stage: Stage) -> None:
    deal, (good, bad) = stage.deal("222233334444", "1234-wrong")
    writes = stage.writes()
    stage.look()
    assert stage.status(deal) == "Held"
    assert stage.shown(good) == ("Pending", PENDING)
    status, message = stage.shown(bad)
    assert status == "Held"
    assert "Partner_AWS_Account__c" in message
    assert stage.writes() - writes == 2, "one call for each object"
    for _ in range(3):
        stage.look()
    assert stage.writes() - writes == 2
    shown = stage.link(deal).shown
    assert (shown["AWS_Sync_Status__c"], shown[f"{good}.Invitation_Sync_Status__c"]) == ("Held", "Pending")


def test_rows_show_what_aws_answered(stage: Stage) -> None:
    deal, (row,) = stage.deal("222233334444")
    stage.look()
    facts = {"Id": "engi-1", "Arn": "arn:aws:x", "Status": "PENDING", "ExpirationDate": "2027-01-20T10:00:00Z"}
    sent = SentInvitation(row, "222233334444", "eng-1", facts)
    later = {**facts, "Status": "REJECTED", "RejectionReason": "R&amp;D only"}
    for known, status, reason, words in (
        (facts, "PENDING", None, "Waiting for the partner's answer until 2027-01-20."),
        (later, "REJECTED", "R&D only", "The partner declined: R&D only."),
    ):
        sent = SentInvitation(row, "222233334444", "eng-1", known)
        stage.context.ledger.change(stage.link(deal), stage.context.now, invitations=(sent,))
        stage.look()
        record = stage.org.get(CHILD, row)
        assert (record["Invitation_Id__c"], record["Invitation_Status__c"]) == ("engi-1", status)
        assert record.get("Rejection_Reason__c") == reason
        assert str(record["Expiration_Date__c"]).startswith("2027-01-20 10:00:00")
        assert stage.shown(row) == ("Synced", words)


def test_an_inbound_field_is_given_once_and_a_later_edit_stays(stage: Stage) -> None:
    deal = stage.world.opportunity()
    settle(stage.context, [deal])
    for news, shown in (("Call them", "Call them"), ("Call them", "My words"), ("Meet them", "Meet them")):
        stage.context.ledger.change(stage.link(deal), stage.context.now, aws={"LifeCycle": {"NextSteps": news}})
        stage.look()
        assert stage.world.record(deal)["Description"] == shown
        writes = stage.writes()
        stage.world.edit(deal, Description="My words")
        stage.look()
        assert stage.world.record(deal)["Description"] == "My words"
        assert stage.writes() == writes
    stage.context.ledger.change(stage.link(deal), stage.context.now, aws={"LifeCycle": {"NextSteps": "Late news"}})
    advance(stage.context)
    stage.world.edit(deal, Description="In the last moment")
    write_back(stage.context)
    stage.look()
    assert stage.world.record(deal)["Description"] == "In the last moment"


@pytest.mark.parametrize("where", ["record", "row"])
def test_a_refusal_costs_its_own_row_only(stage: Stage, where: str) -> None:
    deal, (first, second) = stage.deal("222233334444", "333344445555")
    stage.org.rules.fail_row(deal if where == "record" else first, Fault("A_RULE", "No."), 9)
    stage.look()
    error = stage.link(deal).write_back_error
    assert error == ("A_RULE: No." if where == "record" else f"{CHILD} {first}: A_RULE: No.")
    assert stage.status(deal) == ("None" if where == "record" else "Held")
    assert stage.shown(first)[0] == ("Pending" if where == "record" else "None")
    assert stage.shown(second)[0] == "Pending"
    writes = stage.writes()
    for _ in range(3):
        assert write_back(stage.context) == 0
    assert stage.writes() == writes, "parked"
    assert stage.context.ledger.write_backs_due(*stage.context.key, stage.context.now + LONG, 9) == []


@pytest.mark.parametrize(
    ("fault", "outcome", "advice"),
    [
        (
            Fault("REQUIRED_FIELD_MISSING", "Fill it.", ("Region__c",)),
            "(REQUIRED_FIELD_MISSING on Region__c: Fill it.); it waits for a change or a retry.",
            " A field that your Salesforce org requires is empty. Fill it in on the record.",
        ),
        (Fault("A_RULE", "No."), "(A_RULE: No.); it waits for a change or a retry.", ""),
        (
            Fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: first error: UNABLE_TO_LOCK_ROW, unable"),
            "it is tried again.",
            " Something else was saving the record at the same time. Nothing to do; it is tried again by itself.",
        ),
    ],
)
def test_a_refusal_is_logged_with_its_meaning(
    stage: Stage, caplog: pytest.LogCaptureFixture, fault: Fault, outcome: str, advice: str
) -> None:
    deal, _ = stage.deal()
    stage.org.rules.fail_row(deal, fault, 9)
    stage.look()
    lines = [one.getMessage() for one in caplog.records if one.__dict__.get("event") == "write_back_failed"]
    assert [line.endswith(outcome + advice) for line in lines] == [True]


def test_one_field_of_a_row_that_is_refused_leaves_the_others(stage: Stage) -> None:
    deal, (row,) = stage.deal("222233334444")
    stage.org.rules.fail_row(row, Fault("STRING_TOO_LONG", "Too long.", ("Invitation_Sync_Message__c",)))
    stage.look()
    assert stage.shown(row) == ("Pending", "None")
    assert stage.status(deal) == "Held"
    error = stage.link(deal).write_back_error
    assert error.startswith(f"Shown without {CHILD} {row}: Invitation_Sync_Message__c (STRING_TOO_LONG")


def test_a_locked_row_is_tried_again_and_the_record_is_not_sent_twice(stage: Stage) -> None:
    deal, (row,) = stage.deal("222233334444")
    stage.org.rules.lock_row(row)
    stage.look()
    assert stage.status(deal) == "Held"
    assert "UNABLE_TO_LOCK_ROW" in stage.link(deal).write_back_error
    later = stage.context.now + WRITE_BACK.LONGEST_PAUSE
    ((link, *_),) = stage.context.ledger.write_backs_due(*stage.context.key, later, 9)
    assert link.salesforce_id == deal
    assert link.shown["AWS_Sync_Status__c"] == "Held"


def test_a_row_deleted_meanwhile_is_given_up_quietly(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    deal, (gone, other) = stage.deal("222233334444", "333344445555")
    stage.plan()
    stage.org.delete(CHILD, gone)
    with caplog.at_level(logging.WARNING):
        write_back(stage.context)
    assert not caplog.records
    assert (stage.link(deal).write_back_error, stage.shown(other)[0], stage.status(deal)) == ("", "Pending", "Held")
    ((number, asked),) = stage.context.ledger.requests("sandbox")
    assert asked == deal
    pull_ids(stage.context, [asked])
    stage.context.ledger.requests_done([number])
    mapped = stage.link(deal).mapped
    assert mapped is not None
    assert [one.key for one in mapped.invitations] == [other]
    assert not any(name.startswith(gone) for name in stage.link(deal).shown)


def test_what_was_written_before_a_call_broke_is_known(stage: Stage) -> None:
    deal, (row,) = stage.deal("222233334444")
    stage.plan()
    stage.world.sandbox.faults.add(on="collections", skip=1, do="status", status=503, times=None)
    with pytest.raises(TemporaryError):
        write_back(stage.context)
    assert stage.link(deal).shown["AWS_Sync_Status__c"] == "Held"
    assert stage.shown(row)[0] == "None"
    stage.world.sandbox.faults.clear()
    writes = stage.writes()
    assert write_back(stage.context) == 1
    assert stage.writes() - writes == 1
    assert stage.shown(row)[0] == "Pending"


def test_more_rows_than_one_call_takes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    deal, rows = stage.deal("222233334444", "333344445555", "444455556666")
    monkeypatch.setattr(WRITE_BACK, "BATCH", 2)
    writes = stage.writes()
    stage.look()
    assert {stage.shown(row)[0] for row in rows} == {"Pending"}
    assert stage.status(deal) == "Held"
    assert stage.writes() - writes == 3


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records if line.__dict__.get("event") == "fields_barred"]


@pytest.mark.parametrize("how", ["hidden", "read-only"])
def test_a_told_field_of_the_rows_that_is_barred_costs_only_itself(
    stage: Stage, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    deal, (row,) = stage.deal("222233334444")
    change = stage.org.hide_field if how == "hidden" else stage.org.protect_field
    change(CHILD, "Invitation_Sync_Message__c")
    stage.forget()
    for _ in range(3):
        stage.look()
    assert stage.shown(row) == ("Pending", "None")
    (line,) = [text for text in told(caplog) if "Grant" in text]
    assert f"{ROWS}.Invitation_Sync_Message__c" in line
    assert f"{ROWS}.Invitation_Sync_Message__c" in stage.link(deal).write_back_error
    stage.org.grant_field(CHILD, "Invitation_Sync_Message__c")
    stage.forget()
    stage.look()
    pull(stage.context, sweep=True)
    stage.look()
    assert stage.shown(row) == ("Pending", PENDING)


def test_a_hidden_field_that_invitations_need_stops_them_and_not_the_record(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    deal, (row,) = stage.deal("222233334444")
    stage.look()
    before = stage.link(deal).mapped
    stage.org.hide_field(CHILD, "Message__c")
    stage.forget()
    stage.world.edit(deal, NextStep="Call")
    caplog.clear()
    for _ in range(3):
        stage.look()
    (line,) = told(caplog)
    assert f"{ROWS}.Message__c" in line
    assert "no invitation is read" in line
    after = stage.link(deal).mapped
    assert before is not None
    assert after is not None
    assert after.opportunity["LifeCycle"]["NextSteps"] == "Call"
    assert after.invitations == before.invitations, "nobody took them back"
    assert stage.shown(row)[0] == "Pending"
    stage.org.grant_field(CHILD, "Message__c")
    stage.forget()
    with caplog.at_level(logging.INFO):
        stage.look()
    assert len(told(caplog)) == 2
    pull(stage.context, sweep=True)
    stage.look()
    assert (stage.shown(row), stage.link(deal).write_back_error) == (("Pending", PENDING), "")
