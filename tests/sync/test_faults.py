"""Each fault of the network and of the services × each write: exactly once at AWS, and Salesforce shows it."""

from __future__ import annotations

import pytest

from connector.core import retry
from tests.world import World

WRITES = ("CreateOpportunity", "AssociateOpportunity", "StartEngagementFromOpportunityTask")
FAULTS = ("reset", "status", "html", "truncate", "hang", "throttle")
ONCE = {"CreateOpportunity": 1, "AssociateOpportunity": 1, "StartEngagementFromOpportunityTask": 1}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)
    text = world.config.read_text(encoding="utf-8").replace(
        "region: us-east-1", "region: us-east-1\n      read_timeout: 1s"
    )
    world.config.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", WRITES)
def test_a_lost_answer_is_looked_up_and_nothing_is_doubled(world: World, operation: str, fault: str, at: str) -> None:
    deal = world.opportunity()
    world.sandbox.faults.add(on=operation, at=at, do=fault, status=500, seconds=3.0)
    world.settle()
    assert world.sandbox.faults.fired == 1
    assert world.effects(deal) == ONCE
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


@pytest.mark.parametrize("fault", ["reset", "status", "truncate"])
def test_faults_on_every_first_write_of_a_record_are_survived(world: World, fault: str) -> None:
    deal = world.opportunity()
    for operation in WRITES:
        world.sandbox.faults.add(on=operation, at="after", do=fault, status=503, times=2)
    world.settle()
    assert world.effects(deal) == ONCE
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


@pytest.mark.parametrize("fault", ["reset", "status", "html", "truncate"])
@pytest.mark.parametrize("at", ["before", "after"])
def test_a_write_back_whose_answer_is_lost_is_repeated(world: World, fault: str, at: str) -> None:
    from connector.errors import TemporaryError

    deal = world.opportunity()
    world.sandbox.faults.add(on="collections", at=at, do=fault, status=503)
    with pytest.raises(TemporaryError):
        world.settle()
    world.settle()
    assert world.effects(deal) == ONCE
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


def test_reads_that_fail_cost_nothing(world: World) -> None:
    deal = world.opportunity()
    for operation in ("ListOpportunities", "ListEngagementFromOpportunityTasks"):
        world.sandbox.faults.add(on=operation, do="status", status=500, times=2)
    world.settle()
    assert world.effects(deal) == ONCE
