"""Forgetting: nothing of a person stays, wherever one looks; and nothing is made at AWS a second time for it."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from sqlalchemy import inspect, text

from connector import log
from connector.adapters.ledger import erasure, open_engine
from connector.adapters.partner_central.errors import to_error
from connector.cli import main
from connector.core import retry
from connector.core.model import Link
from connector.errors import LedgerUnavailable, StaleVersion
from connector.ports import Begin, Written
from connector.sync import Context
from connector.sync.advance import advance
from connector.sync.follow import follow_invitations, refresh
from connector.sync.observe import observe
from connector.sync.pull import pull
from tests.world import ENVIRONMENT, INVITING, World, quick_starts, wait_until, world

ROOT = Path(__file__).parents[1]
PERSON = {
    "FirstName": "Gesine",
    "LastName": "Geheimrat",
    "Title": "Hofmarschallin",
    "Email": "gesine.geheimrat@kunde.example",
    "Phone": "+49 30 90182000",
}
SELLER = {
    "LastName": "Verkaufsrat",
    "FirstName": "Volkmar",
    "Email": "volkmar@partner.example",
    "Username": "v@v.example",
}
PLANTED = ("Gesine", "Geheimrat", "Hofmarschallin", "gesine.geheimrat", "90182000", "Verkaufsrat", "volkmar@partner")
"""What must not be found; the last two are the seller's, whom AWS's team has."""


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    files = tuple(str(ROOT / name) for name in INVITING)
    with quick_starts(), world(tmp_path, mapping=files) as made:
        yield made


@pytest.fixture(name="lines")
def lines_fixture() -> Iterator[StringIO]:
    """Every log line of this process, as it is written."""
    stream, root = StringIO(), logging.getLogger()
    before = (root.level, list(root.handlers))
    log.configure("DEBUG", "json", stream)
    yield stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def personal(world: World, **fields: Any) -> str:
    """A record with a contact and a seller, whose names stand nowhere else."""
    org = world.sandbox.org
    seller = org.insert("User", {**SELLER, "Alias": "vv", "TimeZoneSidKey": "GMT"})
    deal = world.opportunity(OwnerId=seller, **fields)
    account = world.record(deal)["AccountId"]
    contact = org.insert("Contact", {**PERSON, "AccountId": account})
    org.insert("OpportunityContactRole", {"OpportunityId": deal, "ContactId": contact, "IsPrimary": True})
    return deal


def command(world: World, *arguments: str, typed: str | None = None) -> Result:
    with chdir(world.folder):
        runner = CliRunner(env={**ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config)})
        return runner.invoke(main, list(arguments), input=typed)


def forget(world: World, *ids: str) -> str:
    done = command(world, "forget", *ids, "--yes")
    assert done.exit_code == 0, done.output
    return done.output


def tables(world: World) -> dict[str, str]:
    """Everything that stands in the ledger, as text, by table."""
    engine = world.app().engine
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
        # As plain tuples: a row's own text is cut.
        return {name: str([*map(tuple, connection.execute(text(f"SELECT * FROM {name}")))]) for name in names}


def found_in(content: str) -> list[str]:
    return [planted for planted in PLANTED if planted in content]


def unflag(world: World, *deals: str) -> None:
    for deal in deals:
        world.edit(deal, Share_With_AWS__c=False)
    world.settle(*deals)


def link_of(world: World, deal: str) -> Link:
    context = world.context()
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    return link


def approve(world: World, deal: str) -> None:
    (found,) = world.at_aws(deal)
    for status in ("In review", "Approved"):
        world.sandbox.service.review(found["Id"], status)
    world.settle(deal)


def test_a_whole_life_leaves_nobody_outside_the_link_and_forgetting_nobody_at_all(
    world: World, lines: StringIO
) -> None:
    deal = personal(world)
    world.invite(deal, "222233334444", Sender_Last_Name__c="Geheimrat", Sender_Email__c=PERSON["Email"])
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do="reset")
    world.settle(deal)
    approve(world, deal)
    world.edit(deal, NextStep="Call Gesine Geheimrat")
    world.settle(deal)
    world.edit(deal, AWS_Business_Problem__c="Gesine")
    world.settle(deal)
    (number,) = [found["Id"] for found in world.at_aws(deal)]
    link = link_of(world, deal)
    assert found_in(str(link.mapped)), "what is planted is really sent"
    assert link.operation is None
    stands = {name: found_in(content) for name, content in tables(world).items()}
    assert stands.pop("link") == list(PLANTED)
    assert not any(stands.values()), "closed operations and the trail have nobody in them"
    actions = {line["action"] for line in world.show(deal)["history"]}
    assert {"CreateOpportunity", "UpdateOpportunity", "CreateEngagementInvitation"} <= actions
    assert found_in(lines.getvalue()) == []
    assert found_in(command(world, "audit", "--format", "jsonl").output) == []

    unflag(world, deal)
    told = forget(world, deal[:15])
    assert f"{deal} is forgotten. AWS keeps {number}; flagged again, it is taken up there." in told
    assert found_in("".join(tables(world).values())) == []
    assert found_in(lines.getvalue()) == []
    assert found_in(command(world, "show", deal, "--json").output) == []
    last = json.loads(command(world, "audit", number, "--format", "jsonl").output.splitlines()[-1])
    assert (last["event"], last["salesforce_id"], last["opportunity_id"]) == ("forgotten", deal, number)
    assert " on " in last["actor"]


@pytest.mark.parametrize("code", ["ValidationException", "ConflictException"])
def test_what_aws_quotes_of_a_record_is_not_in_the_log(world: World, lines: StringIO, code: str) -> None:
    deal = personal(world)
    context = world.context()
    real, quoting = context.partner_central.call, {"Code": code, "Message": "Gesine Geheimrat is not valid"}

    def call(operation: str, parameters: Any, on_send: Any = None) -> Any:
        if operation != "CreateOpportunity":
            return real(operation, parameters, on_send)
        on_send()
        raise to_error(ClientError({"Error": quoting}, operation), operation)

    with mock.patch.object(context.partner_central, "call", call):
        pull(context)
        advance(context)
    _, words, _ = context.ledger.rest_of(link_of(world, deal).id)
    assert "Gesine Geheimrat" in words, "the record's own people read it"
    assert found_in(lines.getvalue()) == []


@pytest.mark.parametrize("refused", ["StartEngagementFromOpportunityTask", "AssociateOpportunity"])
def test_whom_aws_quotes_of_a_write_that_has_nobody_in_it_does_not_stay(world: World, refused: str) -> None:
    personal(world)
    context = world.context()
    real, quoting = (
        context.partner_central.call,
        {"Code": "ValidationException", "Message": "Gesine Geheimrat is wrong"},
    )

    def call(operation: str, parameters: Any, on_send: Any = None) -> Any:
        if operation != refused:
            return real(operation, parameters, on_send)
        on_send()
        raise to_error(ClientError({"Error": quoting}, operation), operation)

    with mock.patch.object(context.partner_central, "call", call):
        for _ in range(4):
            pull(context)
            advance(context)
    assert "is wrong" in tables(world)["operation"]
    assert found_in(tables(world)["operation"]) == []


def test_what_a_reviewer_says_is_not_in_the_log(world: World, lines: StringIO) -> None:
    deals = personal(world), personal(world, Name="Another")
    world.settle(*deals)
    for deal, status in zip(deals, ("Rejected", "Action Required"), strict=True):
        (found,) = world.at_aws(deal)
        world.sandbox.service.review(found["Id"], "In review")
        world.sandbox.service.review(found["Id"], status, "Ask Gesine Geheimrat")
    world.settle(*deals)
    for deal in deals:
        assert "Geheimrat" in words_of(world, deal)
    assert found_in(lines.getvalue()) == []


def words_of(world: World, deal: str) -> str:
    return world.context().ledger.rest_of(link_of(world, deal).id)[1]


def test_a_forgotten_link_keeps_its_ids_only(world: World) -> None:
    deal = personal(world)
    world.invite(deal, "222233334444", Sender_Last_Name__c="Geheimrat")
    world.settle(deal)
    before = link_of(world, deal)
    context = world.context()
    unflag(world, deal)
    context.ledger.request(context.name, [deal], context.now, "ann on host")
    forget(world, deal)
    link = link_of(world, deal)
    (sent,) = link.invitations
    (had,) = before.invitations
    assert (sent.key, sent.receiver, sent.engagement_id) == (had.key, had.receiver, had.engagement_id)
    assert sent.facts == {name: had.facts[name] for name in ("Id", "Arn", "Status")}
    kept = {"invitations": (sent,), "presence": "unflagged", "opportunity_id": before.opportunity_id}
    assert link == Link(link.id, *context.key, deal, revision=link.revision, **kept)  # type: ignore[arg-type]
    assert context.ledger.requests(context.name) == []
    status, words, again = context.ledger.rest_of(link.id)
    assert (status, words, again) == ("Stopped", erasure.WORDS, None)
    assert not any(context.ledger.work_due(*context.key, context.now).values())
    history = world.show(deal)["history"]
    assert {(line["outcome"], line["response"], line["error"]) for line in history} == {("done", None, None)}
    assert context.ledger.operations_since(context.name, before.changed_at) >= 0  # type: ignore[arg-type]


@pytest.mark.parametrize("is_approved", [False, True])
def test_flagged_again_it_is_taken_up_and_not_made_again(world: World, is_approved: bool) -> None:
    deal = personal(world)
    row = world.invite(deal, "222233334444")
    world.settle(deal)
    if is_approved:
        approve(world, deal)
    (number,) = [found["Id"] for found in world.at_aws(deal)]
    # Over for AWS: only what the ledger kept tells that this partner has been asked.
    world.sandbox.service.answer_invitation(world.row(row)["Invitation_Id__c"], "REJECTED", "Ann has no time")
    world.settle(deal)
    unflag(world, deal)
    forget(world, deal)
    if not is_approved:
        world.sandbox.service.edit_at_aws(number, **{"Project.AdditionalComments": "Gesine called."})
    world.edit(deal, Name="Another name", Share_With_AWS__c=True)
    context = world.settle(deal)
    refresh(context)
    assert [found["Id"] for found in world.at_aws(deal)] == [number]
    effects = world.effects(deal)
    assert (effects["CreateOpportunity"], effects["StartEngagementFromOpportunityTask"]) == (1, 1)
    assert len(world.invitations_of("222233334444")) == 1
    assert world.record(deal)["AWS_Opportunity_Id__c"] == number
    link = link_of(world, deal)
    assert (link.opportunity_id, link.presence, link.existing is not None) == (number, "flagged", True)
    assert world.record(deal)["AWS_Sync_Status__c"] in {"Synced", "Held", "Pending"}
    if is_approved:
        assert link.aws is not None, "AWS's own side is followed again"
        assert world.record(deal)["AWS_Review_Status__c"] == "Approved"


def test_what_was_never_at_aws_is_made_when_it_is_flagged_again(world: World) -> None:
    deal = personal(world, AWS_Customer_Use_Case__c=None)
    world.settle(deal)
    assert world.at_aws(deal) == []
    unflag(world, deal)
    assert f"{deal} is forgotten. AWS never had it." in forget(world, deal)
    world.edit(deal, Share_With_AWS__c=True, AWS_Customer_Use_Case__c="Migration / Database Migration")
    world.settle(deal)
    assert len(world.at_aws(deal)) == 1


def test_nothing_is_learned_of_it_until_it_is_flagged_again(world: World) -> None:
    deal = personal(world)
    world.settle(deal)
    approve(world, deal)
    (number,) = [found["Id"] for found in world.at_aws(deal)]
    unflag(world, deal)
    context = world.context()
    seen = link_of(world, deal)
    (handed,) = _handed_out(context, seen)
    forget(world, deal)
    bare = link_of(world, deal)
    context.ledger.written({handed: Written({"AWS_Account_Owner_Name__c": "Geheimrat"})}, context.now)
    world.sandbox.service.edit_at_aws(
        number, **{"Project.Title": "Geheimrat", "Customer.Account.CompanyName": "Geheimrat"}
    )
    world.edit(deal, Name="Geheimrat", NextStep="Gesine")
    pull(context, sweep=True)
    observe(context)
    refresh(context, at_once=True)
    follow_invitations(context, at_once=True)
    assert found_in("".join(tables(world).values())) == []
    assert link_of(world, deal) == bare
    with pytest.raises(StaleVersion):
        context.ledger.change(seen, context.now, name="Geheimrat")


def _handed_out(context: Context, link: Link) -> list[int]:
    """Its write-back was handed out and is on its way."""
    with context.ledger._engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(text("UPDATE link SET write_back_at = changed_at WHERE id = :id"), {"id": link.id})
    return [one.id for one, *_ in context.ledger.write_backs_due(*context.key, context.now, 9)]


def test_what_is_in_use_is_not_forgotten(world: World) -> None:
    flagged, opened, idle = personal(world), world.opportunity(), world.opportunity()
    world.settle()
    unflag(world, opened, idle)
    context = world.context()
    link = link_of(world, opened)
    begun = context.ledger.begin(link, Begin("UpdateOpportunity", {"Title": "x"}), context.now)
    before = tables(world)
    for ids, told in (
        ((idle, flagged), f"{flagged} (connection sandbox) is still flagged for AWS; nothing was forgotten."),
        ((idle, opened), f"{opened} (connection sandbox) is in the middle of a write to AWS; nothing was forgotten."),
        ((idle, "006000000000009AAA"), "is not known to the ledger; nothing was forgotten."),
        ((idle, "nonsense"), "'nonsense' is not a Salesforce id or O-number."),
        ((), "Name the records to forget."),
    ):
        done = command(world, "forget", *ids, "--yes")
        assert (done.exit_code, told in done.output) == (2, True), done.output
    assert tables(world) == before
    for link in (link_of(world, flagged), begun):
        with pytest.raises(StaleVersion, match="is in use again"):
            context.ledger.forget(link, context.now)  # type: ignore[attr-defined]
    assert tables(world) == before
    context.ledger.fail(begun, "", context.now)
    forget(world, opened, idle, idle[:15])
    assert {link_of(world, deal).mapped for deal in (opened, idle)} == {None}
    assert forget(world, idle), "again is no mistake"


def test_a_person_is_asked_first(world: World) -> None:
    deal = personal(world, Name="A deal \x1b[31m")
    world.settle(deal)
    unflag(world, deal)
    no = command(world, "forget", deal, typed="n\n")
    assert (no.exit_code, link_of(world, deal).mapped is None) == (2, False)
    assert r"A deal \u001b[31m" in no.output
    assert "\x1b" not in no.output
    assert (command(world, "forget", deal, typed="y\n").exit_code, link_of(world, deal).mapped) == (0, None)


def files_of(world: World) -> dict[str, list[str]]:
    """What is found in the bytes of the ledger's files, by name."""
    return {
        path.name: found_in(path.read_bytes().decode("latin-1")) for path in sorted(world.folder.glob("ledger.db*"))
    }


@pytest.mark.sqlite_only
def test_no_byte_of_it_stays_in_the_files(world: World) -> None:
    deal = personal(world)
    world.settle(deal)
    for number in range(3):
        world.edit(deal, Name=f"Name {number}")
        world.settle(deal)
    assert found_in(str(files_of(world).values()))
    unflag(world, deal)
    forget(world, deal)
    assert set(map(str, files_of(world).values())) == {"[]"}


@pytest.mark.sqlite_only
def test_what_cannot_be_compacted_now_is_told(world: World) -> None:
    deal = personal(world)
    world.settle(deal)
    unflag(world, deal)
    engine = open_engine(f"sqlite:///{world.folder / 'ledger.db'}")
    with engine.connect() as reading:
        driver: Any = reading.connection.driver_connection
        driver.execute("BEGIN")
        driver.execute("SELECT * FROM link").fetchone()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(erasure, "PATIENCE", 100)
            done = command(world, "forget", deal, "--yes")
        driver.execute("ROLLBACK")
    engine.dispose()
    assert done.exit_code == 0
    assert "run the same command once more" in done.output
    assert "once more" not in forget(world, deal)
    assert set(map(str, files_of(world).values())) == {"[]"}


@pytest.mark.sqlite_only
def test_what_has_no_room_to_be_compacted_is_told_as_forgotten(world: World) -> None:
    deal = personal(world)
    world.settle(deal)
    unflag(world, deal)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(erasure.Erasure, "compact", _without_room)
        done = command(world, "forget", deal, "--yes")
    assert (done.exit_code, link_of(world, deal).mapped) == (0, None)
    assert f"{deal} is forgotten." in done.output
    assert (
        "Old bytes are still in the database's file. The ledger cannot be used: the disk is full. Mend" in done.output
    )


def _without_room(_ledger: erasure.Erasure) -> bool:
    raise LedgerUnavailable("The ledger cannot be used: the disk is full.")


@pytest.mark.sqlite_only
def test_it_works_beside_a_running_daemon(world: World) -> None:
    text_ = world.config.read_text(encoding="utf-8")
    world.config.write_text("schedule: {pull: 1s, observe: 1s}\n" + text_, encoding="utf-8")
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    deal = personal(world)
    with (world.folder / "daemon.log").open("w", encoding="utf-8") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "run", "--log-level", "DEBUG"],
            cwd=world.folder, env=environment, stdout=written, stderr=written,
        )  # fmt: skip
        try:
            wait_until(lambda: world.record(deal)["AWS_Sync_Status__c"] == "Synced", "the deal to be synced")
            world.edit(deal, Share_With_AWS__c=False)
            wait_until(lambda: world.record(deal)["AWS_Sync_Status__c"] == "Stopped", "the daemon to let it go")
            forget(world, deal)
            other = world.opportunity()
            wait_until(lambda: world.record(other)["AWS_Sync_Status__c"] == "Synced", "the next deal to be synced")
            assert found_in("".join(tables(world).values())) == []
            assert set(map(str, files_of(world).values())) == {"[]"}
            begun = [entry for entry in world.app().ledger.audit("sandbox") if entry.event == "begun"]
            assert {entry.actor.partition(" on ")[0] for entry in begun} == {"daemon"}
            world.edit(deal, Share_With_AWS__c=True)
            wait_until(lambda: link_of(world, deal).mapped is not None, "the daemon to know it again")
            wait_until(lambda: world.record(deal)["AWS_Sync_Status__c"] == "Synced", "the deal to be synced again")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
    assert len(world.at_aws(deal)) == 1
    assert found_in((world.folder / "daemon.log").read_text(encoding="utf-8")) == []
