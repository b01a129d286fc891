"""Traces: what a real collector receives of a real circle, what it never receives, and what its absence costs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connector import tracing
from connector.errors import Unavailable
from connector.tracing import is_wanted
from connector.tracing.spans import LINKS_OF_A_LOOK
from tests.collector import OFF, Collector, collecting, silence
from tests.daemons import ROOT, daemon, is_synced, lines_of, stopped
from tests.world import ENVIRONMENT, World, wait_until

CLIENT = 3
PLANTED = {
    "Name": "Planted Deal Of Zyx",
    "AWS_Business_Problem__c": "Planted problem of Qwv, told by planted@person.example.",
    "NextStep": "Call planted Wilhelmina",
}


@pytest.fixture(autouse=True)
def _nothing_asked_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in OFF:
        monkeypatch.delenv(name, raising=False)
    yield
    tracing.stop()


@pytest.fixture(name="collector")
def collector_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        yield collector


def test_a_whole_circle_of_a_daemon_is_told_as_a_tree_without_a_word_of_the_deal(
    world: World, collector: Collector
) -> None:
    deal = world.opportunity(**PLANTED)
    with daemon(world, OTEL_SERVICE_NAME="the sync") as process:
        wait_until(lambda: is_synced(world, deal), "the deal to be settled")
        stopped(process)
    assert collector.paths == {"/v1/traces"}
    assert collector.resource["service.name"] == "the sync"

    (opportunity,) = world.at_aws(deal)
    steps = [span for span in collector.named("link") if span.attributes["salesforce_id"] == deal]
    made = [span for one in steps for span in collector.children(one)]
    names = [span.name for span in made]
    assert names.count("PartnerCentral Selling.CreateOpportunity") == 1
    assert names.count("PartnerCentral Selling.StartEngagementFromOpportunityTask") == 1
    assert {"connection": "sandbox", "salesforce_id": deal, "opportunity_id": opportunity["Id"]} in [
        span.attributes for span in steps
    ]
    for one in steps:
        look = collector.parent(one)
        assert look is not None
        assert (look.name, look.attributes, look.parent_id) == ("advance", {"connection": "sandbox"}, "")

    (create,) = [span for span in made if span.name.endswith("CreateOpportunity")]
    assert create.kind == CLIENT
    told = dict(create.attributes)
    assert told.pop("aws.request_id")
    assert told.pop("connector.pace.wait_seconds") >= 0
    assert told == {
        "rpc.system": "aws-api",
        "rpc.service": "PartnerCentral Selling",
        "rpc.method": "CreateOpportunity",
        "http.response.status_code": 200,
    }
    written = [span for span in collector.spans if span.attributes.get("connector.call") == "write"]
    assert {(span.name, getattr(collector.parent(span), "name", "")) for span in written} == {
        ("PATCH /services/data/v66.0/composite/sobjects", "write back")
    }
    assert collector.named("POST /services/oauth2/token")
    assert "GET /services/data/v66.0/sobjects/{name}/describe" in {span.name for span in collector.spans}
    # Every look that is told has done something; those of each second that found nothing are not.
    looks = [span for span in collector.spans if not span.parent_id]
    assert all(collector.children(look) for look in looks)

    meets_its_log(collector, lines_of(world), deal)
    received = b"".join(collector.raw)
    for planted in (*PLANTED.values(), "planted", "Zyx", "Wilhelmina", "data centre", "Company", ".example", "SELECT"):
        assert planted.encode() not in received, planted


def meets_its_log(collector: Collector, lines: list[dict[str, Any]], deal: str) -> None:
    """Every line about a write says in which span it was made."""
    written = [line for line in lines if line["event"] == "operation" and line["salesforce_id"] == deal]
    spans = {(span.trace_id, span.span_id): span for span in collector.spans}
    assert written
    for line in written:
        span = spans[line["trace_id"], line["span_id"]]
        assert (span.name, span.attributes["salesforce_id"]) == ("link", deal)


def test_refusals_and_failures_are_told_by_their_codes(world: World, collector: Collector) -> None:
    world.opportunity(**PLANTED)
    world.sandbox.faults.add(on="CreateOpportunity", do="throttle", times=1)
    world.sandbox.faults.add(on="collections", do="status", status=503, times=1)
    with tracing.exporting(), pytest.raises(Unavailable), tracing.look("resync", "sandbox"):
        world.settle()
    failed = [span for span in collector.spans if span.is_error]
    told = {(span.name, span.attributes["error.type"]): span for span in failed}
    throttled = told["PartnerCentral Selling.CreateOpportunity", "ThrottlingException"]
    assert throttled.attributes["http.response.status_code"] == 400
    assert told["PATCH /services/data/v66.0/composite/sobjects", "503"].attributes["http.response.status_code"] == 503
    assert not any(span.events for span in collector.spans)
    assert b"Traceback" not in b"".join(collector.raw)


def test_a_look_that_did_nothing_is_not_told_and_one_that_failed_is(collector: Collector) -> None:
    with tracing.exporting():
        with tracing.look("idle", "acme"):
            pass
        with pytest.raises(Unavailable), tracing.look("failing", "acme"):
            raise Unavailable("of planted@person.example")
        with tracing.look("busy", "acme"), tracing.call("asking", {"code": "x\n<script>", "empty": ""}):
            tracing.note({"more": 1.5})
    assert [(span.name, span.is_error) for span in collector.spans] == [
        ("failing", True),
        ("asking", False),
        ("busy", False),
    ]
    failing, asking, _ = collector.spans
    assert failing.attributes == {"connection": "acme", "error.type": "Unavailable"}
    assert asking.attributes == {"code": "x??script?", "more": 1.5}
    assert b"planted" not in b"".join(collector.raw)


def test_other_threads_carry_on_the_trace_up_to_a_bound(collector: Collector) -> None:
    def work(number: int) -> None:
        with tracing.steps("acme", f"006{number:015}", ""):
            pass

    count = LINKS_OF_A_LOOK + 5
    with tracing.exporting(), tracing.look("advance", "acme"), ThreadPoolExecutor(4) as pool:
        list(pool.map(tracing.carried(work), range(count)))
    (look,) = collector.named("advance")
    links = collector.named("link")
    assert len(links) == count
    inside = [span for span in links if span.parent_id == look.span_id]
    outside = [span for span in links if not span.parent_id]
    assert (len(inside), len(outside)) == (LINKS_OF_A_LOOK, 5)
    assert {span.links for span in outside} == {(look.span_id,)}
    assert len({span.trace_id for span in outside}) == 5


def test_a_sampler_is_obeyed_for_whole_traces(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with tracing.exporting(), tracing.look("advance", "acme"), tracing.call("asking", {}):
        tracing.note({"code": "x"})
    assert collector.raw == []


# no collector


HURRIED = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.3"}


def test_a_daemon_whose_collector_is_silent_works_and_stops_as_ever_and_tells_it_once(world: World) -> None:
    deals = [world.opportunity() for _ in range(3)]
    with silence() as silent, daemon(world, OTEL_EXPORTER_OTLP_ENDPOINT=silent, **HURRIED) as process:
        wait_until(lambda: all(is_synced(world, deal) for deal in deals), "the deals to be settled")
        wait_until(lambda: "traces_lost" in events_of(world), "the loss to be told")
        assert stopped(process) < 10
    assert events_of(world).count("traces_lost") == 1
    assert all(line["logger"].startswith("connector") for line in lines_of(world))


def events_of(world: World) -> list[str]:
    return [line["event"] for line in lines_of(world)]


@pytest.mark.parametrize("answer", [0, 400, 503])
def test_what_a_collector_refuses_is_lost_and_told_once(
    answer: int, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collector.answer = answer
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint if answer else "http://127.0.0.1:9")
    for name, value in HURRIED.items():
        monkeypatch.setenv(name, value)
    with tracing.exporting():
        for part in ("first", "second"):
            with tracing.call(part, {}):
                pass
            wait_until(lambda: "Traces are not delivered" in caplog.text, "the loss to be told", 10)
    assert [record.name for record in caplog.records] == ["connector.tracing.export"]


def test_a_stop_waits_a_second_for_a_collector_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with silence() as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        with tracing.exporting():
            with tracing.look("busy", "acme"), tracing.call("asking", {}):
                pass
            began = time.monotonic()
        assert 0.5 < time.monotonic() - began < 5


def test_a_collector_that_is_back_gets_what_follows(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    collector.answer = 400
    with tracing.exporting():
        with tracing.call("lost", {}):
            pass
        wait_until(lambda: "Traces are not delivered: 127.0.0.1" in caplog.text, "the loss to be told", 10)
        collector.answer = 200
        with tracing.call("kept", {}):
            pass
    assert [span.name for span in collector.spans] == ["kept"]
    assert "Traces are delivered again; 1 spans were lost." in caplog.text


# not asked for, not installed, asked for wrongly


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector.example:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"}, False),
    ],
)
def test_traces_are_made_where_the_standard_variables_ask_for_them(environment: dict[str, str], expected: bool) -> None:
    assert is_wanted(environment) is expected


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER must be otlp or none."),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector:4318",
            "OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://.",
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf."),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9999", "OpenTelemetry refuses the OTEL_ variables (ValueError)."),
    ],
)
def test_what_cannot_be_followed_is_told_and_the_sync_goes_on(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(name, value)
    with tracing.exporting(), tracing.look("busy", "acme"), tracing.call("asking", {}):
        tracing.note({"code": "x"})
    assert [record.getMessage() for record in caplog.records] == [
        f"OTEL_ variables ask for traces, but there are none. {told}"
    ]


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
from connector import log, tracing
log.configure("INFO", "json")
with tracing.exporting(), tracing.look("busy", "acme"), tracing.call("asking", {}):
    tracing.note({"code": "x"})
assert tracing.carried(len)("four") == 4
"""


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_without_the_packages_there_is_a_warning_where_they_are_asked_for(is_asked_for: bool) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if is_asked_for:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["level"], line["event"]) for line in told] == ([("WARNING", "no_traces")] if is_asked_for else [])
    assert all(
        "Install the extra: `pip install '.[otel]'` in the connector's folder." in line["message"] for line in told
    )


def test_nothing_of_opentelemetry_is_imported_where_nobody_asks_for_traces(world: World) -> None:
    world.opportunity()
    program = (
        "import sys, signal, os, threading\n"
        "from connector.cli import main\n"
        "try: main(['resync', '--all'])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=world.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_log_records_are_plain_again_after_the_end(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with tracing.exporting(), tracing.call("asking", {}):
        logging.getLogger("connector.test").info("inside")
    logging.getLogger("connector.test").info("outside")
    inside, outside = caplog.records
    assert (inside.trace_id, inside.span_id) == (collector.spans[0].trace_id, collector.spans[0].span_id)  # type: ignore[attr-defined]
    assert not hasattr(outside, "trace_id")
    # That of a test before may still be busy with a collector that does not answer.
    wait_until(lambda: not any("Otel" in thread.name for thread in threading.enumerate()), "its thread to end")
