"""``connector audit``, and the trail of a deal's life: who did what, why, and that it can be taken elsewhere."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli import main
from connector.commands import audit as exporting
from connector.commands.person import person
from connector.core import retry
from connector.core.audit import COLUMNS, Entry, Event
from connector.core.model import Link
from connector.sandbox.partner_central.records import TaskScript
from connector.sync import Context, guards, releases
from connector.sync.settle import settle
from connector.sync.verbs import answer_requests
from tests.world import ENVIRONMENT, World, quick_starts, world

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)
ACTOR = "daemon on host (process 7)"


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with quick_starts(), world(tmp_path) as made:
        yield made


def run(world: World, *arguments: str) -> Result:
    with chdir(world.folder):
        runner = CliRunner(env={**ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config)})
        return runner.invoke(main, list(arguments))


def exported(world: World, *arguments: str) -> list[dict[str, Any]]:
    done = run(world, "audit", "--format", "jsonl", *arguments)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


def context_of(world: World) -> Context:
    app = world.app()
    app.actor = ACTOR
    return app.contexts["sandbox"]


def link_of(context: Context, deal: str) -> Link:
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    return link


def test_a_deal_from_its_flag_to_an_edit(world: World) -> None:
    deal = world.opportunity()
    context = context_of(world)
    settle(context, [deal])
    world.edit(deal, Name="Another name")
    settle(context, [deal])
    told = exported(world, deal)
    done = [f"{line['action']} {line['event']}" for line in told if line["action"] != "write back"]
    assert done == [
        f"{action} {event}"
        for action in ("CreateOpportunity", "AssociateOpportunity", "StartEngagementFromOpportunityTask")
        for event in ("begun", "done")
    ], "an edit under review waits"
    assert {line["actor"] for line in told} == {ACTOR}
    begun = [line for line in told if line["event"] == "begun"]
    # The write-backs make our own user the last one who edited it, so only the first is the seller's.
    assert begun[0]["cause"].endswith(f"last edited there by {world.sandbox.org.admin_id}")
    assert begun[0]["cause"].startswith("read from Salesforce at 20")
    (number,) = [found["Id"] for found in world.at_aws(deal)]
    assert [line["opportunity_id"] for line in told[:2]] == ["", number]
    tokens = {entry.token: entry.operation for entry in world.ours if entry.token}
    assert {line["client_token"]: line["action"] for line in begun if line["client_token"]} == tokens
    shown = {name for line in told if line["event"] == "shown" for name in line["detail"].split(", ")}
    assert {"AWS_Opportunity_Id__c", "AWS_Sync_Status__c"} <= shown


def test_a_second_try_after_a_failed_task_is_aws_s_word(world: World) -> None:
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(reason="InternalError", message="Ann Smith, try again"))
    context = context_of(world)
    settle(context, [deal])
    begun = [line for line in exported(world, deal) if line["event"] == "begun"]
    first, second = [line for line in begun if line["action"] == "StartEngagementFromOpportunityTask"]
    assert first["cause"].startswith("read from Salesforce")
    assert second["cause"].startswith("AWS's word: task task-")
    assert second["cause"].endswith(" failed (InternalError)")
    assert "Ann" not in str(exported(world))


def test_who_asked_is_the_cause_until_it_is_settled(world: World) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="short")
    context = context_of(world)
    settle(context, [deal])
    world.edit(deal, AWS_Business_Problem__c="Their data centre closes next year and all of it has to move.")
    context.ledger.request(context.name, [deal], context.now, "page, ann")
    answer_requests(context)
    assert (link_of(context, deal).asked or {})["by"] == "page, ann"
    settle(context, [deal])
    link = link_of(context, deal)
    assert (link.opportunity_id[:1], link.asked) == ("O", None)
    lines = [line for line in exported(world, link.opportunity_id) if line["event"] in {"asked", "begun"}]
    asked, *begun = lines
    assert (asked["event"], asked["actor"]) == ("asked", "page, ann")
    assert all(line["cause"].startswith("asked for by page, ann at 20") for line in begun), begun
    history = world.show(deal)["history"]
    assert {(line["actor"], line["cause"]) for line in history} == {(line["actor"], line["cause"]) for line in begun}
    told = run(world, "show", deal)
    assert "page, ann" in told.output


def test_commands_name_the_person_at_the_terminal(world: World) -> None:
    deal = world.opportunity(AWS_Customer_Use_Case__c=None)
    assert run(world, "resync", deal).exit_code == 1
    assert run(world, "retry", deal).exit_code == 0
    context = context_of(world)
    assert (link_of(context, deal).asked or {})["by"] == person()
    releases.release(context, {deal: "fingerprint"})
    told = [(line["event"], line["actor"], line["detail"]) for line in exported(world, deal) if not line["action"]]
    assert told == [("asked", f"resync by {person()}", ""), ("retried", person(), ""), ("released", ACTOR, "")]
    assert {line["actor"] for line in exported(world, deal) if line["action"]} == {f"resync by {person()}"}
    world.edit(deal, AWS_Customer_Use_Case__c="Migration / Database Migration")
    assert run(world, "resync", "--all").exit_code == 0
    every = [line for line in exported(world) if line["detail"] == "every flagged record"]
    assert [(line["event"], line["salesforce_id"]) for line in every] == [("asked", "")]


def test_a_changed_mapping_is_told_as_the_cause(world: World) -> None:
    deal = world.opportunity()
    context = context_of(world)
    settle(context, None)
    for status in ("In review", "Approved"):
        world.sandbox.service.review(link_of(context, deal).opportunity_id, status)
    settle(context, [deal])
    context.mapping_digest, context.guards = "abcdef0123456789", guards.Memory()
    world.edit(deal, NextStep="Sign")
    settle(context, None)
    (update,) = [line for line in exported(world, deal) if line["action"] == "UpdateOpportunity" and line["cause"]]
    assert "with the changed mapping abcdef012345, last edited there by" in update["cause"]
    assert update["detail"] == "changes LifeCycle.NextSteps"


def noted(world: World, *entries: Entry) -> None:
    world.app().ledger.note(entries)


def test_an_export_is_the_same_in_each_form(world: World) -> None:
    noted(world, *(Entry(AT + i * timedelta(hours=1), "sandbox", Event.ASKED, actor=f"=ann{i}") for i in range(5)))
    lines = exported(world, "--since", "2027-01-15T13:00:00Z", "--until", "2027-01-15T15:00:00")
    assert [line["actor"] for line in lines] == ["=ann1", "=ann2"]
    assert tuple(lines[0]) == COLUMNS
    assert [line["actor"] for line in exported(world, "--since", "2027-01-16")] == []
    done = run(world, "audit", "--format", "csv", "--until", "2027-01-15T13:00:00Z")
    heading, row = csv.reader(io.StringIO(done.stdout_bytes.decode(), newline=""))
    assert tuple(heading) == COLUMNS
    assert row[COLUMNS.index("actor")] == "'=ann0"
    text = run(world, "audit", "--until", "2027-01-15T13:00:00Z").output
    assert text == "2027-01-15T12:00:00.000000Z  sandbox  -  asked, by =ann0\n"


@pytest.mark.parametrize("form", ["text", "jsonl", "csv"])
def test_no_entry_steers_the_terminal_or_adds_a_line(world: World, form: str) -> None:
    noted(world, Entry(AT, "sandbox", Event.SIGNED_IN, actor="ann\x1b[31m\r\nforged\u202e\x9b\tx", detail="\nforged"))
    told = run(world, "audit", "--format", form).output
    assert not {"\x1b", "\x9b", "\u202e", "\t"} & set(told)
    assert len(told.splitlines()) == (2 if form == "csv" else 1)
    assert r"\u001b[31m" in told


def test_a_file_is_its_owner_s_and_replaced_as_a_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    noted(world, *(Entry(AT, "sandbox", Event.ASKED, detail=str(i)) for i in range(5)))
    monkeypatch.setattr(exporting, "PAGE", 2)
    out = world.folder / "trail.csv"
    done = run(world, "audit", "--format", "csv", "--out", "trail.csv")
    assert done.output == "5 entries are in trail.csv.\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"), newline="")))
    assert [row["detail"] for row in rows] == ["0", "1", "2", "3", "4"]
    before = out.read_bytes()

    def broken(_entry: Entry) -> Entry:
        raise OSError(28, "No space left on device", str(out))

    with monkeypatch.context() as patched:
        patched.setattr(exporting, "_plainly", broken)
        assert run(world, "audit", "--out", "trail.csv").exit_code == 2
    assert (out.read_bytes(), sorted(path.name for path in world.folder.glob(".*part"))) == (before, [])


def test_what_cannot_be_exported_is_told(world: World) -> None:
    for arguments, told in (
        (("audit",), "There is no ledger yet."),
        (("audit", "--since", "yesterday"), "'yesterday' is not a time."),
        (("audit", "--since", "2027-01-02", "--until", "2027-01-01"), "--since is not before --until."),
        (("audit", "--out", "nowhere/file"), "There is no folder nowhere"),
        (("audit", "--out", "."), "is no file."),
        (("audit", "nonsense"), "'nonsense' is not a Salesforce id or O-number."),
        (("audit", "task-abcdefgh"), "'task-abcdefgh' is not a Salesforce id or O-number."),
    ):
        if told.startswith("There is no ledger"):
            world.without_ledger()
        else:
            world.app()
        done = run(world, *arguments)
        assert (done.exit_code, told in done.output) == (2, True), done.output
    assert exported(world, "O123456") == []


@pytest.mark.parametrize(
    ("uid", "sudo", "told"),
    [
        (0, {}, "root"),
        (0, {"SUDO_USER": "ann"}, "root (sudo by ann)"),
        (0, {"SUDO_USER": "root"}, "root"),
        (4242, {}, "connector"),
        (4242, {"SUDO_USER": "ann"}, "connector (sudo by ann)"),
        (4243, {"SUDO_USER": "ann"}, "user 4243 (sudo by ann)"),
    ],
)
def test_the_trail_names_who_called_sudo_whoever_the_command_runs_as(
    uid: int, sudo: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrapper of docs/operations.md starts as root and goes on as the connector's user."""
    names = {0: "root", 4242: "connector"}
    monkeypatch.delenv("SUDO_USER", raising=False)
    for name, value in sudo.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name=names[number]))
    assert person() == f"{told} on {socket.gethostname()}"


def test_the_page_on_privacy_has_the_columns_in_their_order() -> None:
    page = (Path(__file__).parents[1] / "docs" / "privacy.md").read_text(encoding="utf-8")
    table = page.partition("| Column |")[2].partition("\n\n")[0]
    named = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines() if line.startswith("| `")]
    assert tuple(name for names in named for name in names) == COLUMNS


def test_several_connections_are_told_in_one_order(world: World) -> None:
    text = world.config.read_text(encoding="utf-8")
    head, _, sandbox = text.partition("  sandbox:\n")
    world.config.write_text(f"{head}  sandbox:\n{sandbox}\n  other:\n{sandbox}", encoding="utf-8")
    noted(world, *(Entry(AT + timedelta(hours=i), ("sandbox", "other")[i % 2], Event.ASKED) for i in range(4)))
    assert [line["connection"] for line in exported(world)] == ["sandbox", "other", "sandbox", "other"]
    assert [line["connection"] for line in exported(world, "--connection", "other")] == ["other", "other"]
