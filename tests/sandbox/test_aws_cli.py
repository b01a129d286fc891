"""The AWS CLI, unmodified, against the sandbox. Without an `aws` executable these tests fail; none is skipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from partner_central_bench import INVITATION, Bench

CO_SELL = "InvolvementType=Co-Sell,Visibility=Full"


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str
    errors: str

    @property
    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.output)
        return answer


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def executable() -> str:
    """`aws` beside this Python, else on PATH."""
    beside = shutil.which("aws", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("aws")
    assert found is not None, "these tests need the AWS CLI: no `aws` beside python and none on PATH"
    return found


def run(bench: Bench, home: Path, command: str, *arguments: str) -> Outcome:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }
    options = ("--region", "us-east-1", "--endpoint-url", bench.server.url, "--output", "json")
    trust = ("--ca-bundle", str(bench.server.ca_bundle))
    line = [executable(), "partnercentral-selling", command, *options, *trust, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=60, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def run_all(bench: Bench, home: Path, command: str, lines: list[tuple[str, ...]]) -> list[Outcome]:
    """Several runs at once: an interpreter has to start for each."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda line: run(bench, home, command, *line), lines))


def test_a_task_is_started(bench: Bench, home: Path) -> None:
    identifier = bench.create()
    line = ("--catalog", "Sandbox", "--identifier", identifier, "--aws-submission", CO_SELL)
    outcome = run(bench, home, "start-engagement-from-opportunity-task", *line)
    assert (outcome.code, outcome.errors) == (0, "")
    answer = outcome.answer
    assert (answer["TaskStatus"], answer["OpportunityId"]) == ("COMPLETE", identifier)
    assert answer["TaskId"].startswith("task-")
    assert answer["EngagementId"].startswith("eng-")
    assert bench.status(identifier) == "Submitted"


def test_a_wrong_start_is_refused(bench: Bench, home: Path) -> None:
    identifier = bench.create()
    tasks = len(bench.client.list_engagement_from_opportunity_tasks(Catalog="Sandbox")["TaskSummaries"])
    right = {"--catalog": "Sandbox", "--identifier": identifier, "--aws-submission": CO_SELL}
    cases: list[tuple[dict[str, str | None], str]] = [
        ({"--identifier": None}, "--identifier"),
        ({"--identifier": "O1"}, "ResourceNotFoundException"),
        ({"--catalog": "Production"}, "ValidationException"),
        ({"--catalog": "AWS"}, "ResourceNotFoundException"),
        ({"--aws-submission": "InvolvementType=Cosell"}, "ValidationException"),
    ]
    lines = [flatten({**right, **change}) for change, _ in cases]
    outcomes = run_all(bench, home, "start-engagement-from-opportunity-task", lines)
    for (change, expected), outcome in zip(cases, outcomes, strict=True):
        assert outcome.code != 0, change
        assert expected in outcome.errors, change
    assert bench.status(identifier) == "Pending Submission"
    after = bench.client.list_engagement_from_opportunity_tasks(Catalog="Sandbox")["TaskSummaries"]
    assert len(after) == tasks


def test_co_sell_with_limited_visibility_is_a_failed_task(bench: Bench, home: Path) -> None:
    # As recorded from AWS: the request is accepted, and the task says no.
    identifier = bench.create()
    limited = "InvolvementType=Co-Sell,Visibility=Limited"
    line = ("--catalog", "Sandbox", "--identifier", identifier, "--aws-submission", limited)
    outcome = run(bench, home, "start-engagement-from-opportunity-task", *line)
    assert (outcome.code, outcome.answer["TaskStatus"]) == (0, "FAILED")
    assert "Cannot set visibility to limited on a Co-Sell opportunity" in outcome.answer["Message"]
    assert bench.status(identifier) == "Pending Submission"


def test_an_invitation_is_sent(bench: Bench, home: Path) -> None:
    engagement = bench.start(bench.create())["EngagementId"]
    line = ("--catalog", "Sandbox", "--engagement-identifier", engagement)
    outcome = run(bench, home, "create-engagement-invitation", *line, "--invitation", json.dumps(INVITATION))
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.answer["Id"].startswith("engi-")
    assert outcome.answer["Arn"].endswith(outcome.answer["Id"])


def test_a_wrong_invitation_is_refused(bench: Bench, home: Path) -> None:
    engagement = bench.start(bench.create())["EngagementId"]
    bench.client.create_engagement_invitation(
        Catalog="Sandbox",
        EngagementIdentifier=engagement,
        Invitation={**INVITATION, "Receiver": {"Account": {"AwsAccountId": "777788889999"}}},
    )
    right = {"--catalog": "Sandbox", "--engagement-identifier": engagement}
    lead = {"Customer": {"CompanyName": "A"}, "Interaction": {"ContactBusinessTitle": "CTO"}}

    def inviting(**members: Any) -> dict[str, str | None]:
        return {"--invitation": json.dumps({**INVITATION, **members})}

    def receiver(account: str) -> dict[str, Any]:
        return {"Receiver": {"Account": {"AwsAccountId": account}}}

    cases: list[tuple[dict[str, str | None], str]] = [
        ({**inviting(), "--engagement-identifier": None}, "--engagement-identifier"),
        ({**inviting(), "--engagement-identifier": "eng-00000000000000"}, "ResourceNotFoundException"),
        ({**inviting(), "--catalog": "Production"}, "ValidationException"),
        (inviting(**receiver("111122223333")), "ValidationException"),
        (inviting(**receiver("777788889999")), "ConflictException"),
        (inviting(Payload={**INVITATION["Payload"], "LeadInvitation": lead}), "Payload"),
    ]
    lines = [flatten({**right, **change}) for change, _ in cases]
    outcomes = run_all(bench, home, "create-engagement-invitation", lines)
    for (change, expected), outcome in zip(cases, outcomes, strict=True):
        assert outcome.code != 0, change
        assert expected in outcome.errors, change


def flatten(options: dict[str, str | None]) -> tuple[str, ...]:
    """A command line of options; one without a value is left out."""
    return tuple(part for name, value in options.items() if value is not None for part in (name, value))
