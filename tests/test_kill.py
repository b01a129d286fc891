"""Real processes killed with SIGKILL at every commit point: no duplicate at AWS, nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.world import ENVIRONMENT, World

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
def test_dying_at_any_commit_neither_doubles_nor_loses_anything(world: World, when: str) -> None:
    once = {"CreateOpportunity": 1, "AssociateOpportunity": 2, "StartEngagementFromOpportunityTask": 1}
    with killer(world) as processes:
        warm = world.opportunity()
        assert processes.run(warm) == {"signal": 0, "code": 0}
        deaths = 0
        for at in range(1, MOST_COMMITS):
            deal = world.opportunity(AWS_Product_Codes__c="AmazonEC2Linux")
            died = processes.run(deal, at, when)
            if died["signal"] == 0:
                break
            deaths += 1
            assert processes.run(deal) == {"signal": 0, "code": 0}, f"recovery after death {when} commit {at}"
            assert len(world.at_aws(deal)) == 1, f"opportunities after death {when} commit {at}"
            assert world.effects(deal) == once, f"effects after death {when} commit {at}"
            record = world.record(deal)
            assert record["AWS_Sync_Status__c"] == "Synced", f"shown after death {when} commit {at}"
            assert record["AWS_Task_Status__c"] == "COMPLETE"
            assert record["AWS_Opportunity_Id__c"] == world.at_aws(deal)[0]["Id"]
        assert deaths >= 15, "every commit of the circle was died at"
        assert died["signal"] == 0, "the last run outlived its commits, so none was left out"
