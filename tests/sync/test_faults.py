"""Each fault of the network and of AWS × each operation, before and after its effect: exactly once, whole, and shown.

The short form takes each fault once at each side, the operations in turn; CONNECTOR_PROVE takes every combination.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import product

import pytest

from connector.adapters.partner_central import errors
from connector.core import retry
from connector.errors import ConnectorError, TemporaryError
from connector.sandbox.partner_central.records import TaskScript
from connector.sync import Context
from tests import audit
from tests.audit import START, Deal
from tests.world import World

PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
LATER = ("UpdateOpportunity", "DisassociateOpportunity", "GetOpportunity")
OPERATIONS = (
    "CreateOpportunity",
    "AssociateOpportunity",
    START,
    *LATER,
    "ListOpportunities",
    "ListEngagementFromOpportunityTasks",
)
FAULTS = {
    "reset": {"do": "reset"},
    "500": {"do": "status", "status": 500},
    "503": {"do": "status", "status": 503},
    "html-200": {"do": "html", "status": 200},
    "html-503": {"do": "html", "status": 503},
    "truncate": {"do": "truncate"},
    "hang": {"do": "hang", "seconds": 3.0},
    "throttle": {"do": "throttle"},
}
EVERY = [(operation, fault, at) for fault, at, operation in product(FAULTS, ("before", "after"), OPERATIONS)]
STEP = len(OPERATIONS) - 1
"""Walks through faults and sides one by one, and through the operations in turn."""
CASES = EVERY if PROVE else EVERY[::STEP]
ONCE = {
    "CreateOpportunity": 1,
    "UpdateOpportunity": 1,
    "AssociateOpportunity": 2,
    "DisassociateOpportunity": 1,
    START: 2,
}
"""The life of a record whose first submission is refused, and that is then edited and gets another solution."""
NEW = {"CreateOpportunity": 1, "AssociateOpportunity": 1, START: 1}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(errors, "THROTTLE_DELAY", 0.05, raising=False)
    text = world.config.read_text(encoding="utf-8").replace(
        "region: us-east-1", "region: us-east-1\n      read_timeout: 1s"
    )
    world.config.write_text(text, encoding="utf-8")


def settled(world: World, deal: str) -> Context:
    """Settle as the daemon would: a pass that failed as a whole is simply made again."""
    for _ in range(3):
        try:
            return world.settle(deal)
        except TemporaryError:
            continue
    return world.settle(deal)


def judge(world: World, context: Context, deal: str) -> None:
    assert audit.always(world, [deal]) + audit.settled(world, context, [Deal(deal)]) == []


@pytest.mark.parametrize(("operation", "fault", "at"), CASES)
def test_whatever_strikes_any_operation_nothing_is_doubled_lost_or_nulled(
    world: World, operation: str, fault: str, at: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("figures", json.dumps({"fault": fault, "operation": operation, "at": at}))
    deal = world.opportunity()
    world.sandbox.service.script_tasks(TaskScript(reason="OpportunityValidationFailed", message="mend it"))
    if operation not in LATER:
        world.sandbox.faults.add(on=operation, at=at, **FAULTS[fault])
    settled(world, deal)
    if operation in LATER:
        world.sandbox.faults.add(on=operation, at=at, **FAULTS[fault])
    world.edit(deal, NextStep="Call them on Monday", AWS_Solution_Ids__c="S-0001112")
    context = settled(world, deal)
    assert world.sandbox.faults.fired == 1
    judge(world, context, deal)
    assert world.effects(deal) == ONCE


def test_the_slice_names_every_fault_at_both_sides_and_every_operation() -> None:
    assert {(fault, at) for _, fault, at in EVERY[::STEP]} == set(product(FAULTS, ("before", "after")))
    assert {operation for operation, _, _ in EVERY[::STEP]} == set(OPERATIONS)


@pytest.mark.parametrize("fault", ["reset", "500", "truncate"])
def test_faults_on_every_first_write_of_a_record_are_survived(world: World, fault: str) -> None:
    deal = world.opportunity()
    for operation in NEW:
        world.sandbox.faults.add(on=operation, at="after", **FAULTS[fault], times=2)
    judge(world, settled(world, deal), deal)
    assert world.effects(deal) == NEW


@pytest.mark.parametrize("fault", ["reset", "503", "html-503", "truncate"])
@pytest.mark.parametrize("at", ["before", "after"])
def test_a_write_back_whose_answer_is_lost_is_repeated(world: World, fault: str, at: str) -> None:
    deal = world.opportunity()
    world.sandbox.faults.add(on="collections", at=at, **FAULTS[fault])
    with pytest.raises(ConnectorError):
        world.settle()
    judge(world, settled(world, deal), deal)
    assert world.effects(deal) == NEW
