"""The judge of a fleet's proofs finds what several processes may do wrong: done on purpose, by calls over HTTPS."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.fleet_processes import Worker
from tests.fleet_world import FleetWorld, many_world
from tests.sandbox.partner_central_bench import make_body
from tests.world import wait_until

SLOW = 3.0
"""Seconds for which an answer is held, so that another write begins beside it."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FleetWorld]:
    with many_world(tmp_path, 2, rate=50.0, accounts=2) as made:
        yield made


@pytest.fixture
def workers(world: FleetWorld) -> tuple[Worker, Worker]:
    """Two processes by whose keys calls are made."""
    made = world.start("--version"), world.start("--version")
    for worker in made:
        worker.process.wait(timeout=60)
    return made


def create(world: FleetWorld, worker: Worker, connection: str, deal: str, account: str = "", token: str = "") -> str:
    """A worker creates the opportunity of a record, on its connection's account unless told otherwise."""
    client: Any = boto3.client(
        "partnercentral-selling",
        region_name="us-east-1",
        endpoint_url=world.sandbox.url,
        verify=str(world.sandbox.ca_bundle),
        aws_access_key_id=f"{worker.name}.{account or world.account(connection)}",
        aws_secret_access_key="any",
    )
    close = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
    body = make_body(("PartnerOpportunityIdentifier", deal), ("LifeCycle.TargetCloseDate", close))
    return str(client.create_opportunity(**body, ClientToken=token or str(uuid.uuid4()))["Id"])


def kinds(world: FleetWorld) -> Counter[str]:
    return Counter(complaint.kind for complaint in world.judge())


def both_at_once(world: FleetWorld, workers: tuple[Worker, Worker]) -> None:
    """Each creates a record of the first connection, the second one while the first one's call is under way."""
    world.witness.slow = {world.account("c00"): SLOW}
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(create, world, workers[0], "c00", world.deal("c00"))
        wait_until(lambda: bool(world.witness.writes), "the first one's call", 60)
        pool.submit(create, world, workers[1], "c00", world.deal("c00")).result()
        first.result()


def test_one_after_the_other_nothing_is_wrong(world: FleetWorld, workers: tuple[Worker, Worker]) -> None:
    for worker in workers:
        create(world, worker, "c00", world.deal("c00"))
    assert not kinds(world)


def test_two_writers_on_an_account_are_told(world: FleetWorld, workers: tuple[Worker, Worker]) -> None:
    both_at_once(world, workers)
    assert kinds(world) == {"two writers": 1}


def test_the_call_of_who_was_dead_or_stood_still_by_then_is_nobody_s_fault(
    world: FleetWorld, workers: tuple[Worker, Worker]
) -> None:
    began = time.time()
    both_at_once(world, workers)
    second = world.witness.writes[1].at
    workers[0].killed_at = second - 0.1
    assert not kinds(world)
    workers[0].killed_at, workers[0].paused = 0.0, [(began - 1.0, time.time())]
    assert not kinds(world)


def test_a_second_opportunity_of_a_record_is_told(world: FleetWorld, workers: tuple[Worker, Worker]) -> None:
    deal = world.deal("c00")
    for worker in workers:
        create(world, worker, "c00", deal)
    assert kinds(world) == {"duplicate": 2}  # by what AWS holds, and by what it was asked


def test_a_call_that_is_repeated_with_its_token_is_none(world: FleetWorld, workers: tuple[Worker, Worker]) -> None:
    deal = world.deal("c00")
    assert len({create(world, worker, "c00", deal, token="the same") for worker in workers}) == 1
    assert not kinds(world)


def test_one_token_for_two_bodies_is_told(world: FleetWorld, workers: tuple[Worker, Worker]) -> None:
    create(world, workers[0], "c00", world.deal("c00"), token="the same")
    with pytest.raises(Exception, match="ConflictException"):
        create(world, workers[1], "c00", world.deal("c00"), token="the same")
    assert kinds(world) == {"token": 1}


def test_a_write_on_another_connection_s_account_is_told(world: FleetWorld, workers: tuple[Worker, Worker]) -> None:
    create(world, workers[0], "c00", world.deal("c00"), account=world.account("c01"))
    assert kinds(world) == {"account": 1}
