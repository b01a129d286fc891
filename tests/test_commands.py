"""The commands as people run them: real processes, real sandbox, real exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from connector.commands.choice import Choice
from connector.commands.resync import Forecast, resync
from connector.sync.settle import Progress
from tests.world import ENVIRONMENT, World, wait_until

CONNECTOR = [sys.executable, "-m", "connector"]
ROOT = Path(__file__).parents[1]


def run(world: World, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*CONNECTOR, *arguments],
        cwd=world.folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(name="daemon")
def daemon_fixture(world: World) -> Iterator[subprocess.Popen[str]]:
    """The real daemon, pulling every second."""
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text("schedule: {pull: 1s, observe: 1s}\n" + text, encoding="utf-8")
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    log = (world.folder / "daemon.log").open("w+", encoding="utf-8")
    process = subprocess.Popen(
        [*CONNECTOR, "run"], cwd=world.folder, env=environment, text=True, stderr=log, stdout=log
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.wait(timeout=10)
    log.close()


def test_the_daemon_sees_a_ticked_flag_and_shows_the_task(world: World, daemon: subprocess.Popen[str]) -> None:
    deal = world.opportunity(Share_With_AWS__c=False)
    wait_until(lambda: "Running: sandbox" in (world.folder / "daemon.log").read_text(), "the daemon to start")
    token = requests.post(
        f"{world.sandbox.url}/services/oauth2/token",
        data={
            "grant_type": "client_credentials",
            "client_id": world.sandbox.client_id,
            "client_secret": world.sandbox.client_secret,
        },
        verify=str(world.sandbox.ca_bundle),
        timeout=10,
    ).json()["access_token"]
    ticked = requests.patch(
        f"{world.sandbox.url}/services/data/v66.0/sobjects/Opportunity/{deal}",
        json={"Share_With_AWS__c": True},
        headers={"Authorization": f"Bearer {token}"},
        verify=str(world.sandbox.ca_bundle),
        timeout=10,
    )
    assert ticked.status_code == 204
    wait_until(lambda: world.record(deal)["AWS_Task_Id__c"] is not None, "the task id in Salesforce")
    wait_until(lambda: world.record(deal)["AWS_Review_Status__c"] == "Submitted", "the review status in Salesforce")
    story = json.loads(run(world, "show", deal, "--json").stdout)
    assert story["task"]["TaskStatus"] == "COMPLETE"
    assert story["history"][0]["action"] == "CreateOpportunity"
    second = run(world, "run")
    assert second.returncode == 3
    assert f"process {daemon.pid} " in second.stderr
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(timeout=15) == 0
    assert time.monotonic() - began < 15
    assert "Stopped; nothing is in flight" in (world.folder / "daemon.log").read_text()


def test_resync_and_retry_work_beside_the_daemon(world: World, daemon: subprocess.Popen[str]) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="short")
    wait_until(lambda: world.record(deal)["AWS_Sync_Status__c"] == "Held", "the hold in Salesforce")
    done = run(world, "resync", deal)
    assert done.returncode == 1, done.stderr
    assert "Held" in done.stdout
    retried = run(world, "retry", "--held")
    assert retried.returncode == 0
    assert "1 record is read and looked at again." in retried.stdout
    world.edit(deal, AWS_Business_Problem__c="Now it is long enough for AWS to read.")
    done = run(world, "resync", deal)
    assert done.returncode == 0, done.stderr + done.stdout
    assert daemon.poll() is None


def test_resync_settles_one_record_and_writes_nothing_the_second_time(world: World) -> None:
    deal, other = world.opportunity(), world.opportunity()
    done = run(world, "resync", deal[:15])
    assert done.returncode == 0, done.stderr
    assert "Synced" in done.stdout
    assert world.at_aws(other) == []
    before = world.calls
    again = run(world, "resync", deal, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["records"][0]["status"] == "Synced"
    assert world.calls[:2] == before[:2]


def code_of(world: World, deal: str, *, as_json: bool) -> int:
    """The exit code of ``connector resync ID``, in this process."""
    return resync(world.app(), Choice((deal,), False, None, None), as_json=as_json)


@pytest.mark.parametrize("as_json", [False, True])
def test_resync_ends_with_one_for_what_waits_for_a_person_only(
    world: World, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    world.write_config("    limits: {creates_per_pass: 1}\n")
    reviewed = world.opportunity()
    world.settle()
    world.sandbox.service.review(world.at_aws(reviewed)[0]["Id"], "In review")
    world.edit(reviewed, Name="Edited while AWS reviews")
    assert code_of(world, reviewed, as_json=as_json) == 0
    assert "Pending" in capsys.readouterr().out
    held = world.opportunity(AWS_Business_Problem__c="short")
    assert code_of(world, held, as_json=as_json) == 1
    assert "Held" in capsys.readouterr().out
    stopped, _ = world.opportunity(), world.opportunity()
    world.settle()
    assert code_of(world, stopped, as_json=as_json) == 1
    told = capsys.readouterr().out
    assert "Pending" in told
    assert "Held" not in told
    assert world.at_aws(stopped) == []


def test_plan_writes_nothing_and_a_saved_plan_is_applied_exactly(world: World) -> None:
    deal = world.opportunity(AWS_Product_Codes__c="AmazonEC2Linux")
    held = world.opportunity(AWS_Customer_Use_Case__c=None)
    world.without_ledger()
    before = world.calls
    planned = run(world, "plan", "--json", "--out", "plan.json")
    assert planned.returncode == 1
    assert world.calls[:2] == before[:2]
    assert not world.has_ledger
    run(world, "db", "upgrade")
    records = {r["salesforce_id"]: r for r in json.loads(planned.stdout)["connections"]["sandbox"]["records"]}
    assert [a["action"] for a in records[deal]["actions"]] == ["create", "attach", "attach", "submit"]
    assert [a["action"] for a in records[held]["actions"]] == ["hold"]
    assert records[held]["problems"][0]["salesforce_field"] == "AWS_Customer_Use_Case__c"
    values = {value["path"]: value for value in records[deal]["values"]}
    assert values["Project.Title"]["salesforce_field"] == "Name"
    assert values["Project.Title"]["line"] > 0
    world.edit(deal, Name="Another name")
    refused = run(world, "resync", "--plan", "plan.json")
    assert refused.returncode == 3
    assert "1 of 2 records have changed" in refused.stderr
    assert world.at_aws(deal) == []
    run(world, "plan", "--out", "plan.json")
    assert run(world, "resync", "--plan", "plan.json").returncode == 1
    assert len(world.at_aws(deal)) == 1
    text = run(world, "plan", deal)
    assert "Project.Title" in text.stdout


def test_a_plan_says_how_long_it_takes_and_when_it_goes_on(world: World) -> None:
    text = world.config.read_text(encoding="utf-8")
    slow = text.replace("writes_per_second: 500", "writes_per_second: 0.5, writes_per_day: 4")
    world.config.write_text(slow, encoding="utf-8")
    done = world.opportunity()
    world.settle(done)
    for _ in range(2):
        world.opportunity()
    told = json.loads(run(world, "plan", "--json").stdout)["connections"]["sandbox"]["totals"]
    assert (told["writes"], told["free_today"]) == (6, 1)
    assert 172_000 < told["seconds"] < 173_000, "one now, four a day later, the last one another day later"
    first = world.app().ledger.first_write("sandbox", datetime.now(UTC) - timedelta(hours=1))
    assert first is not None
    goes_on = first + timedelta(hours=24)
    assert abs(datetime.fromisoformat(told["goes_on_at"]) - goes_on) < timedelta(seconds=2)
    people = " ".join(run(world, "plan").stdout.split())
    assert "6 writes to AWS, at its quota ~" in people
    assert f"of the 4 writes of 24 hours 1 are left, it goes on at {goes_on:%Y-%m-%d %H:%M} UTC" in people
    world.config.write_text(text.replace("writes_per_second: 500", "writes_per_second: 0.5"), encoding="utf-8")
    told = json.loads(run(world, "plan", "--json").stdout)["connections"]["sandbox"]["totals"]
    assert (told["seconds"], told["eta"], told["goes_on_at"]) == (18, "~18 s", None), "six writes, and a slow last one"


def test_the_progress_of_a_resync_is_foreseen_from_the_same_quota(world: World) -> None:
    world.settle(world.opportunity())
    app = world.app()
    forecast = Forecast(app, app.contexts["sandbox"])
    assert forecast.tell(Progress(0, 100, 300)) == "300 writes left, ~2 min", (
        "eight slow calls at once, not 500 a second"
    )
    assert forecast.tell(Progress(92, 100, 24)) == "24 writes left, ~12 s"
    assert forecast.tell(Progress(100, 100, 0)) == ""
    words = forecast.tell(Progress(0, 100, 300_000))
    assert words.startswith(
        "300000 writes left, ~31 days; of the 10000 writes of 24 hours 9997 are left, it goes on at "
    )


def test_plan_says_why_a_record_is_not_shared(world: World) -> None:
    unflagged, deleted = world.opportunity(Share_With_AWS__c=False), world.opportunity()
    world.sandbox.org.delete("Opportunity", deleted)
    told = run(world, "plan", unflagged, deleted, "006000000000099AAA")
    assert told.returncode == 0, told.stderr
    assert "Share_With_AWS__c = TRUE does not hold" in told.stdout
    assert "it is deleted" in told.stdout
    assert "it does not exist" in told.stdout


def test_status_and_show_tell_what_waits(world: World) -> None:
    world.without_ledger()
    nothing = run(world, "status")
    assert nothing.returncode == 2
    assert "There is no ledger yet." in nothing.stderr
    run(world, "db", "upgrade")
    deal, held = world.opportunity(), world.opportunity(AWS_Customer_Use_Case__c=None)
    run(world, "resync", "--all")
    status = json.loads(run(world, "status", "--json").stdout)["connections"]["sandbox"]
    assert status["links"] == {"held": 1, "synced": 1}
    assert status["operations"] == {"open": 0}
    assert status["quota"]["writes_24h"] == 3
    assert status["last_pull"].endswith("Z")
    people = run(world, "status")
    assert people.returncode == 1
    assert held in people.stdout
    shown = run(world, "show", held)
    assert shown.returncode == 1
    assert "AWS_Customer_Use_Case__c" in shown.stdout
    number = world.at_aws(deal)[0]["Id"]
    assert json.loads(run(world, "show", number, "--json").stdout)["salesforce_id"] == deal
    unknown = run(world, "show", "006000000000099AAA")
    assert unknown.returncode == 2
    assert "Salesforce shows no Opportunity 006000000000099AAA" in unknown.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_resync_that_is_told_to_stop_says_that_it_is_not_done(world: World, number: signal.Signals) -> None:
    deals = [world.opportunity() for _ in range(3)]
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do="hang", seconds=3.0, times=None)
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    command = [*CONNECTOR, "resync", "--all"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=world.folder, env=environment, text=True, stdout=pipe, stderr=pipe) as process:
        wait_until(lambda: any(world.at_aws(deal) for deal in deals), "the first to be under way")
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 3, told
    assert "run the same command again" in told
    world.sandbox.faults.clear()
    wait_until(lambda: run(world, "resync", "--all").returncode == 0, "the rest to be done", 60)
    assert [len(world.at_aws(deal)) for deal in deals] == [1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("resync",), "Choose records"),
        (("resync", "nonsense"), "is not a Salesforce id"),
        (("resync", "--since", "yesterday"), "is not a time"),
        (("retry",), "Choose records"),
        (("run", "--connection", "acme"), "There is no connection 'acme'"),
        (("status", "--config", "missing.yaml"), "does not exist"),
    ],
)
def test_wrong_use_is_told_in_sentences_with_exit_code_two(
    world: World, arguments: tuple[str, ...], words: str
) -> None:
    done = run(world, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mapping_and_a_configuration_full_of_mistakes_are_told_at_once(world: World) -> None:
    mapping = world.folder / "broken.yaml"
    mapping.write_text(
        "version: 1\n"
        "salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}\n"
        "opportunity:\n"
        "  Origin: {value: Partner Referal}\n"
        "  OpportunityTyp: Type\n"
        "  Customer:\n"
        "    Account:\n"
        "      CompanyName: {from: Account.Name, transform: trimm}\n"
        "      CompanyName: Account.Name\n"
        "      Industry: Account.Industry\n"
        "       WebsiteUrl: Account.Website\n",
        encoding="utf-8",
    )
    text = world.config.read_text(encoding="utf-8").replace("catalog: Sandbox", "catalog: sandbx")
    world.config.write_text(text + "    mapping: broken.yaml\n    limit: 3\n", encoding="utf-8")
    done = run(world, "check", "--offline")
    assert done.returncode == 2
    for place, words in {
        "config.yaml:": "catalog",
        "broken.yaml:4:": "Partner Referal",
        "broken.yaml:5:": "OpportunityTyp",
        "broken.yaml:8:": "trimm",
        "broken.yaml:9:": "CompanyName",
        "broken.yaml:11:": "",
    }.items():
        assert any(place in line and words in line for line in done.stdout.splitlines()), (place, done.stdout)
    assert "Traceback" not in done.stdout + done.stderr


def test_check_says_that_all_is_well_offline_and_online(world: World) -> None:
    assert run(world, "check", "--offline").returncode == 0
    online = run(world, "check")
    assert online.returncode == 0, online.stdout
    assert "Partner Central answers" in online.stdout
    world.sandbox.org.hide_field("Opportunity", "AWS_Task_Arn__c")
    missing = run(world, "check")
    assert missing.returncode == 2
    assert "AWS_Task_Arn__c" in missing.stdout


def test_wrong_credentials_halt_with_a_sentence(world: World) -> None:
    text = world.config.read_text(encoding="utf-8").replace(world.sandbox.client_secret, "wrong-secret-value")
    world.config.write_text(text, encoding="utf-8")
    done = run(world, "resync", "--all")
    assert done.returncode == 3
    assert "wrong-secret-value" not in done.stderr
    assert "Traceback" not in done.stderr


def test_another_org_than_before_is_refused(world: World) -> None:
    world.opportunity()
    assert run(world, "resync", "--all").returncode == 0
    text = world.config.read_text(encoding="utf-8")
    organization = "      organization_id: 00D000000000002EAA\n"
    world.config.write_text(text.replace("      auth:\n", organization + "      auth:\n"), encoding="utf-8")
    done = run(world, "resync", "--all")
    assert done.returncode == 3
    assert "00D000000000002EAA" in done.stderr


def test_db_upgrade_and_current(world: World) -> None:
    world.without_ledger()
    nothing = run(world, "db", "current", "--json")
    assert nothing.returncode == run(world, "db", "current").returncode == 2
    needed = json.loads(nothing.stdout)["needed"]
    assert json.loads(nothing.stdout) == {"revision": None, "needed": needed}
    assert "upgraded" in run(world, "db", "upgrade").stdout
    assert "up to date" in run(world, "db", "upgrade").stdout
    people = run(world, "db", "current")
    assert people.stdout == f"The database is at revision {needed}; this version needs {needed}.\n"
    made = run(world, "db", "current", "--json")
    assert made.returncode == people.returncode == 0
    assert json.loads(made.stdout) == {"revision": needed, "needed": needed}
