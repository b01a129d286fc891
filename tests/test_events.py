"""The log for machines: every line of a daemon's life can be read, and every event has its place in the table."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from connector import log
from tests import events
from tests.daemons import daemon, is_synced, lines_of, stopped
from tests.world import World, wait_until

OF_THE_PROCESS = {"started", "stopped", "web_started", "web_port"}
OF_A_RECORD = {"operation", "rested", "put_off", "adopted", "write_back_failed"}


def test_every_place_that_logs_has_an_event_and_a_level() -> None:
    assert [told.place for told in events.places() if not told.event or not told.levels] == []


def test_every_event_is_explained_and_no_other() -> None:
    assert set(events.MEANINGS) == {told.event for told in events.places()}


def test_every_line_of_a_whole_life_can_be_read_by_machines(world: World) -> None:
    deal = world.opportunity()
    wrong = world.opportunity(AWS_Business_Problem__c="short")
    world.sandbox.faults.add(on="token", do="status", status=503, times=1)
    world.sandbox.faults.add(on="CreateOpportunity", do="throttle", times=1)
    with daemon(world, level="DEBUG") as process:
        wait_until(lambda: is_synced(world, deal), "the deal to be settled")
        wait_until(lambda: bool(world.record(wrong)["AWS_Sync_Message__c"]), "the other one to be told")
        world.sandbox.faults.add(on="composite", do="status", status=503, times=5)
        world.edit(deal, Name="Deal of\nthem \x1b[31m now")
        wait_until(lambda: {"job_failed", "recovered"} <= events_of(world), "trouble to come and go")
        stopped(process)
    lines = lines_of(world)
    for line in lines:
        assert list(line)[:6] == ["time", "level", "event", "message", "logger", "connection"], line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in events.ORDER
        if line["logger"].startswith("connector"):
            assert line["event"] in events.MEANINGS, line
            assert line["connection"] == ("" if line["event"] in OF_THE_PROCESS else "sandbox"), line
        if line["event"] in OF_A_RECORD:
            assert line["salesforce_id"] in {deal, wrong}, line
    seen = {line["event"] for line in lines}
    assert seen >= {"started", "job_failed", "recovered", "pulled", "operation", "rested", "stopped"}
    assert {line["opportunity_id"] for line in lines if line["event"] == "operation"} >= {world.at_aws(deal)[0]["Id"]}


def events_of(world: World) -> set[str]:
    return {line["event"] for line in lines_of(world)}


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    log.configure("INFO", "json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_lines_of_a_connection_s_work_belong_to_it_whoever_writes_them(stream: io.StringIO) -> None:
    vendor = logging.getLogger("vendor")
    with log.within("acme"):
        vendor.warning("inside")
        vendor.warning("of another", extra={"connection": "other"})
    vendor.warning("outside")
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["connection"] for line in found] == ["acme", "other", ""]
