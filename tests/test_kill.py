"""Real processes killed with SIGKILL at every commit point: no duplicate at AWS, nothing lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox.partner_central.settings import Settings
from tests.world import ENVIRONMENT, World, wait_until, world

ROOT = Path(__file__).parents[1]
MOST_COMMITS = 120


class Killer:
    """A process that forks connectors, lets them die where it is told, and says how they ended."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.killer"],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, salesforce_id: str, at: int = 0, when: str = "") -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = {"config": str(self._world.config), "id": salesforce_id, "at": at, "when": when}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@contextmanager
def killer(world: World) -> Iterator[Killer]:
    made = Killer(world)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_dying_at_any_commit_neither_doubles_nor_loses_anything(tmp_path: Path, when: str) -> None:
    once = {"CreateOpportunity": 1, "AssociateOpportunity": 2, "StartEngagementFromOpportunityTask": 1}
    with world(tmp_path) as made, killer(made) as processes:
        warm = made.opportunity()
        assert processes.run(warm) == {"signal": 0, "code": 0}
        deaths = 0
        for at in range(1, MOST_COMMITS):
            deal = made.opportunity(AWS_Product_Codes__c="AmazonEC2Linux")
            died = processes.run(deal, at, when)
            if died["signal"] == 0:
                break
            deaths += 1
            assert processes.run(deal) == {"signal": 0, "code": 0}, f"recovery after death {when} commit {at}"
            assert len(made.at_aws(deal)) == 1, f"opportunities after death {when} commit {at}"
            assert made.effects(deal) == once, f"effects after death {when} commit {at}"
            record = made.record(deal)
            assert record["AWS_Sync_Status__c"] == "Synced", f"shown after death {when} commit {at}"
            assert record["AWS_Task_Status__c"] == "COMPLETE"
            assert record["AWS_Opportunity_Id__c"] == made.at_aws(deal)[0]["Id"]
        assert deaths >= 15, "every commit of the circle was died at"
        assert died["signal"] == 0, "the last run outlived its commits, so none was left out"


def test_the_daemon_dies_at_random_moments_and_finishes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    moments = random.Random(20261122)
    settings = Settings(quotas=False, start_latency=(0.1, 0.6), latency=0.02)
    with world(tmp_path, settings, seed=True) as made:
        text = made.config.read_text(encoding="utf-8")
        made.config.write_text("schedule: {pull: 1s, observe: 1s}\n" + text, encoding="utf-8")
        for _ in range(6):
            with daemon(made) as process:
                wait_until(lambda: "Running: sandbox" in log_of(made), "the daemon to start")
                time.sleep(moments.uniform(0.0, 2.5))
                process.kill()
                assert process.wait(timeout=10) == -signal.SIGKILL
        flagged = [row["Id"] for row in made.sandbox.org.records("Opportunity") if row.get("Share_With_AWS__c")]
        with daemon(made) as process:
            wait_until(lambda: "Running: sandbox" in log_of(made), "the daemon to start")
            done = {"Held", "Synced"}
            wait_until(
                lambda: all(made.record(i)["AWS_Sync_Status__c"] in done for i in flagged), "every record to settle"
            )
            process.terminate()
            assert process.wait(timeout=15) == 0
        synced = [i for i in flagged if made.record(i)["AWS_Sync_Status__c"] == "Synced"]
        assert len(synced) >= 14
        for salesforce_id in flagged:
            counted = made.effects(salesforce_id)
            expected = 1 if salesforce_id in synced else 0
            assert len(made.at_aws(salesforce_id)) == expected
            assert counted["CreateOpportunity"] == expected
            assert counted["StartEngagementFromOpportunityTask"] == expected


@contextmanager
def daemon(made: World) -> Iterator[subprocess.Popen[bytes]]:
    """The real daemon, its log in the world's folder."""
    environment = {**os.environ, "CONNECTOR_CONFIG": str(made.config), "PYTHONPATH": str(ROOT)}
    with (made.folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "run"], cwd=made.folder, env=environment, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=10)


def log_of(made: World) -> str:
    return (made.folder / "daemon.log").read_text(encoding="utf-8")
