"""/metrics as Prometheus reads it: what is told is true, bounded, and holds nothing of a record."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import requests
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from connector import __version__, report
from connector.app import AWS_ACCOUNT, App
from connector.core.model import Mapped
from connector.errors import LedgerUnavailable, LoginFailed
from connector.ports import Alert, Begin, Rest
from connector.sync.lookup import LOOK_UP
from connector.sync.pull import pull
from connector.watch.beats import Beats
from connector.web import metrics
from connector.web.metrics import CAUSES
from connector.web.server import WebServer
from connector.web.serving import Serving
from connector.web.snapshot import BASELINE, LASTS, SUBMIT, Outcomes
from tests.world import World, wait_until

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
NAME, KEY = "sandbox", ("sandbox", "Sandbox")
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(name="app")
def app_fixture(world: World) -> App:
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(text.replace("listen: off", "listen: '127.0.0.1:0'"), encoding="utf-8")
    return world.app()


@contextmanager
def served(app: App, beats: Beats | None = None) -> Iterator[str]:
    """The address of a server of this application."""
    with WebServer(Serving(lambda: app, beats or Beats(), "test")) as server:
        wait_until(lambda: server.bound is not None, "the server to listen", 30)
        yield "http://{}:{}".format(*server.bound or ())


def figures_in(families: Iterator[Metric]) -> Figures:
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def scrape(address: str) -> Figures:
    answer = requests.get(f"{address}/metrics", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return figures_in(parse(answer.text))


def of(figures: Figures, name: str, **labels: str) -> float | None:
    return figures.get((f"connector_{name}", frozenset({"connection": NAME, **labels}.items())))


def test_a_whole_circle_as_prometheus_reads_it(world: World, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.web.snapshot.LASTS", timedelta(0))
    deal = world.opportunity(Name="Secret Deal")
    world.opportunity(Name="Another Deal", AWS_Business_Problem__c=None)
    beats = Beats()
    beats.expect(NAME, "pull", timedelta(minutes=1), NOW)
    beats.began(NAME, "pull", NOW)
    beats.succeeded(NAME, "pull", NOW + timedelta(seconds=2))
    beats.expect(NAME, "advance", timedelta(seconds=1), NOW)
    beats.began(NAME, "advance", NOW)
    beats.failed(NAME, "advance", LoginFailed("Refused."), NOW + timedelta(seconds=1))
    app.contexts  # noqa: B018 (made, as by a daemon)
    with served(app, beats) as address:
        scrape(address)
        world.settle()
        told = scrape(address)
        text = requests.get(f"{address}/metrics", timeout=30).text
    assert of(told, "links", catalog="Sandbox", state="synced") == 1
    assert of(told, "links", catalog="Sandbox", state="held") == 1
    assert of(told, "held_links", cause="required") == 1
    assert of(told, "operations_total", action="CreateOpportunity", outcome="done") == 1
    assert of(told, "operations_total", action=SUBMIT, outcome="done") == 1
    assert of(told, "flag_to_create_seconds_count") == 1
    assert of(told, "flag_to_task_seconds_count") == 1
    assert of(told, "flag_to_task_seconds_bucket", le="+Inf") == 1
    assert 0 < (of(told, "flag_to_task_seconds_sum") or 0) < 60
    assert (of(told, "quota_used_calls", **{"class": "aws_writes"}) or 0) >= 3
    assert of(told, "quota_limit_calls", **{"class": "aws_writes"}) == 10_000
    assert of(told, "loop_last_success_timestamp_seconds", loop="pull") == (NOW + timedelta(seconds=2)).timestamp()
    assert of(told, "loop_look_seconds_total", loop="pull") == 2
    assert of(told, "loop_looks_total", loop="advance", outcome="failure") == 1
    assert of(told, "loop_failing", loop="advance") == 1
    assert of(told, "connection_state", state="halted") == 1
    assert of(told, "connection_state", state="running") == 0
    assert told["connector_ledger_up", frozenset()] == 1
    assert told["connector_build_info", frozenset({("version", __version__)})] == 1
    assert any(name == "process_resident_memory_bytes" for name, _ in told)
    for secret in (deal, deal[:15], "Secret", "Another", "O00", "@", "Company", "Refused"):
        assert secret not in text


def test_calls_are_counted_by_how_they_ended(world: World, app: App) -> None:
    world.opportunity()
    world.sandbox.faults.add(on="ListOpportunities", do="throttle")
    context = app.contexts[NAME]
    pull(context)
    context.partner_central.call("ListOpportunities", {"MaxResults": 1})
    with served(app) as address:
        told = scrape(address)
    assert of(told, "aws_calls_total", operation="ListOpportunities", outcome="answered") == 1
    assert of(told, "aws_throttled_total", operation="ListOpportunities") == 1
    assert (of(told, "salesforce_calls_total", call="describe") or 0) >= 1
    assert (of(told, "salesforce_org_limit_calls") or 0) > 0
    assert of(told, "quota_limit_calls", **{"class": "salesforce"}) == int(
        0.25 * (of(told, "salesforce_org_limit_calls") or 0)
    )


def test_connections_to_one_account_use_up_one_quota(world: World) -> None:
    """The smallest limit of theirs holds, and what all of them wrote counts against it."""
    section = world.sandbox.config_text(world.database).partition("connections:\n")[2].rstrip()
    day = "      quota: {writes_per_day: 6000, reads_per_day: 900}"
    named = [f"{section.replace('  sandbox:', f'  {name}:')}\n{day}\n" for name in ("other", "alone")]
    world.write_config("".join(named))
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(text.replace("listen: off", "listen: '127.0.0.1:0'"), encoding="utf-8")
    app, now = world.app(), datetime.now(UTC)
    for number, name in enumerate((NAME, "other", "other", "alone")):
        salesforce_id = f"006{number:015d}"
        app.ledger.store_mapped(name, "Sandbox", [(salesforce_id, "Deal", Mapped({}), {})], now)
        link = app.ledger.find(name, "Sandbox", salesforce_id)
        assert link is not None
        app.ledger.begin(link, Begin("CreateOpportunity", {}, f"token {number}"), now)
    for number, name in enumerate((NAME, "other", "alone")):
        app.ledger.set_watermark(name, AWS_ACCOUNT, "111122223333" if name != "alone" else "444455556666")
        app.ledger.add_usage(name, "aws_reads", 10 + number, now)
        app.ledger.add_usage(name, "salesforce_calls", 100 + number, now)
    with served(app) as address:
        told = scrape(address)
    status = report.status(app)["connections"]
    for name, writes, reads, calls in ((NAME, 3, 21, 100), ("other", 3, 21, 101), ("alone", 1, 12, 102)):
        found = {
            (kind, of_class): of(told, f"quota_{kind}_calls", **{"connection": name, "class": of_class})
            for kind in ("used", "limit")
            for of_class in ("aws_writes", "aws_reads")
        }
        assert found == {
            ("used", "aws_writes"): writes,
            ("used", "aws_reads"): reads,
            ("limit", "aws_writes"): 6000,
            ("limit", "aws_reads"): 900,
        }
        assert of(told, "quota_used_calls", **{"connection": name, "class": "salesforce"}) == calls
        assert status[name]["quota"] == {
            "writes_24h": writes,
            "writes_per_day": 6000,
            "reads_24h": reads,
            "reads_per_day": 900,
            "salesforce_calls_24h": calls,
        }


def test_names_and_units_are_as_prometheus_wants_them(app: App) -> None:
    with served(app) as address:
        plain = requests.get(f"{address}/metrics", timeout=30).text
        accepts = {"Accept": "application/openmetrics-text; version=1.0.0"}
        open_text = requests.get(f"{address}/metrics", headers=accepts, timeout=30).text
    assert open_text.endswith("# EOF\n")
    families = [one for one in parse(plain) if one.name.startswith("connector_")]
    names = {one.name.removesuffix("_info") for one in families}
    assert names == {one.name for one in parse_openmetrics(open_text) if one.name.startswith("connector_")}
    assert len(families) == len({one.name for one in families}) > 20
    for family in families:
        assert re.fullmatch(r"connector_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation.endswith(".")
        assert family.type in {"gauge", "counter", "histogram"}
        assert not re.search(r"_(ms|minutes|hours|bytes_total|count|total_total)$", family.name)


def test_a_ledger_that_hangs_holds_no_scrape_up(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ANSWERS_IN", 0.2)
    monkeypatch.setattr("connector.web.snapshot.LASTS", timedelta(0))
    goes_on = threading.Event()
    with served(app) as address:
        assert scrape(address)["connector_ledger_up", frozenset()] == 1
        monkeypatch.setattr(app.ledger, "link_counts", lambda _names: goes_on.wait(60) and {})
        began = time.monotonic()
        told = scrape(address)
        assert time.monotonic() - began < 5
        assert requests.get(f"{address}/healthz", timeout=5).text == "ok\n"
        goes_on.set()
    assert told["connector_ledger_up", frozenset()] == 0
    assert told["connector_figures_age_seconds", frozenset()] > 0, "what was told last, with its age"


def test_alerts_are_told(app: App) -> None:
    app.ledger.change_alert(None, Alert(NAME, "progress", "halted login", "It was.", NOW))
    app.ledger.change_alert(None, Alert(NAME, "held", "running", "It was.", NOW))
    with served(app) as address:
        told = scrape(address)
    assert (of(told, "alert", kind="progress"), of(told, "alert", kind="held")) == (1, 0)


def test_causes_are_bounded_whatever_aws_says(app: App) -> None:
    ledger, count = app.ledger, CAUSES + 30
    ids = [f"006{number:015d}" for number in range(count)]
    ledger.store_mapped(*KEY, [(one, "Deal", Mapped({}), {}) for one in ids], NOW)
    links = ledger.links(ledger.due(*KEY, NOW, 1000))
    rests = [(link, Rest("Held", "x", code="" if n < 5 else f"NEW_{n}")) for n, link in enumerate(links)]
    ledger.rest(rests, NOW)
    with served(app) as address:
        told = scrape(address)
    causes = {dict(labels)["cause"]: n for (name, labels), n in told.items() if name == "connector_held_links"}
    assert sum(causes.values()) == count
    assert len(causes) == CAUSES
    assert causes["other"] == 5 + count - 5 - (CAUSES - 1)


def begin(app: App, number: int, action: str) -> None:
    """A write of one record begins."""
    ledger = app.ledger
    ledger.store_mapped(*KEY, [(f"006{number:015d}", "Deal", Mapped({"n": action}), {})], NOW)
    link = ledger.find(*KEY, f"006{number:015d}")
    assert link is not None
    ledger.begin(link, Begin(action, {}, f"token {number} {action}"), NOW)


def end(app: App, number: int, after: timedelta, *, failed: bool = False) -> None:
    link = app.ledger.find(*KEY, f"006{number:015d}")
    assert link is not None
    if failed:
        app.ledger.fail(link, "Refused.", NOW + after)
    else:
        app.ledger.succeed(link, {}, NOW + after)


def test_each_operation_is_counted_once_when_it_ends(app: App) -> None:
    outcomes = Outcomes()
    begin(app, 1, "CreateOpportunity")
    end(app, 1, timedelta(seconds=1))
    begin(app, 2, "CreateOpportunity")
    outcomes.follow(app.ledger)
    assert outcomes.ended == {}, "what ended before the process began is not its own"
    begin(app, 3, "CreateOpportunity")
    outcomes.follow(app.ledger)
    end(app, 2, timedelta(seconds=40))
    outcomes.follow(app.ledger)
    outcomes.follow(app.ledger)
    end(app, 3, timedelta(seconds=3), failed=True)
    outcomes.follow(app.ledger)
    assert outcomes.ended == {
        (NAME, "CreateOpportunity", "done"): 1,
        (NAME, "CreateOpportunity", "failed"): 1,
    }
    assert outcomes.waits[NAME, "CreateOpportunity"].total == 40


def test_what_ends_before_the_first_scrape_is_counted(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    open_numbers = app.ledger.open_numbers
    monkeypatch.setattr(app.ledger, "open_numbers", lambda: (open_numbers(), asked.set())[0])
    begin(app, 1, "CreateOpportunity")
    end(app, 1, timedelta(seconds=1))
    begin(app, 2, "CreateOpportunity")
    with served(app) as address:
        assert asked.wait(30), "nobody scrapes, and it is counted from now on all the same"
        begin(app, 3, "CreateOpportunity")
        for number in (2, 3):
            end(app, number, timedelta(seconds=4))
        told = scrape(address)
    assert of(told, "operations_total", action="CreateOpportunity", outcome="done") == 2
    assert of(told, "flag_to_create_seconds_count") == 2


def test_a_ledger_that_is_away_at_the_start_is_counted_from_when_it_is_back(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.web.snapshot.AGAIN", 0.01)
    away, refused, asked = threading.Event(), threading.Event(), threading.Event()
    newest_operation, open_numbers = app.ledger.newest_operation, app.ledger.open_numbers
    away.set()

    def newest() -> int:
        if away.is_set():
            refused.set()
            raise LedgerUnavailable("It is away.", "Wait.")
        return newest_operation()

    monkeypatch.setattr(app.ledger, "newest_operation", newest)
    monkeypatch.setattr(app.ledger, "open_numbers", lambda: (open_numbers(), asked.set())[0])
    with served(app) as address:
        assert requests.get(f"{address}/healthz", timeout=5).text == "ok\n"
        assert refused.wait(30)
        away.clear()
        assert asked.wait(30), "asked again, though nobody scrapes"
        begin(app, 1, "CreateOpportunity")
        end(app, 1, timedelta(seconds=4))
        assert of(scrape(address), "operations_total", action="CreateOpportunity", outcome="done") == 1


@pytest.mark.parametrize("error", [LedgerUnavailable("It is away.", "Wait."), RuntimeError("a fault")])
def test_the_wait_for_a_ledger_ends_with_the_server(
    app: App, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    refused = threading.Event()

    def newest() -> int:
        refused.set()
        raise error

    monkeypatch.setattr(app.ledger, "newest_operation", newest)
    with served(app) as address:
        assert refused.wait(30)
        assert requests.get(f"{address}/healthz", timeout=5).text == "ok\n"
    names = lambda: {thread.name for thread in threading.enumerate()}  # noqa: E731
    wait_until(lambda: BASELINE not in names(), "the thread to end", 10)


def test_every_series_is_there_before_its_first_event(world: World) -> None:
    """rate() and increase() see no event that a series begins with."""
    section = world.sandbox.config_text(world.database).partition("connections:\n")[2].rstrip()
    world.write_config(section.replace("  sandbox:", "  other:") + "\n")
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(text.replace("listen: off", "listen: '127.0.0.1:0'"), encoding="utf-8")
    app = world.app()
    with served(app) as address:
        told = scrape(address)
        accepts = {"Accept": "application/openmetrics-text; version=1.0.0"}
        open_text = requests.get(f"{address}/metrics", headers=accepts, timeout=30).text
        assert figures_in(parse_openmetrics(open_text)).keys() >= {
            key for key in told if key[0].startswith("connector_flag_to_")
        }
    operations = {
        (found["connection"], found["action"], found["outcome"])
        for (name, labels), value in told.items()
        if name == "connector_operations_total" and value == 0 and (found := dict(labels))
    }
    assert operations == {
        (name, action, outcome) for name in (NAME, "other") for action in LOOK_UP for outcome in ("done", "failed")
    }
    for name in (NAME, "other"):
        for family in ("flag_to_create_seconds", "flag_to_task_seconds"):
            for part in ("count", "sum"):
                assert of(told, f"{family}_{part}", connection=name) == 0
            assert of(told, f"{family}_bucket", connection=name, le="5.0") == 0
            assert of(told, f"{family}_bucket", connection=name, le="+Inf") == 0


def test_an_operation_that_begins_during_the_first_count_is_counted_once(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest_operation = app.ledger.newest_operation

    def newest() -> int:
        number = newest_operation()
        begin(app, 1, "CreateOpportunity")
        return number

    outcomes = Outcomes()
    with monkeypatch.context() as patch:
        patch.setattr(app.ledger, "newest_operation", newest)
        outcomes.follow(app.ledger)
    end(app, 1, timedelta(seconds=40))
    outcomes.follow(app.ledger)
    assert outcomes.ended == {(NAME, "CreateOpportunity", "done"): 1}
    assert outcomes.waits[NAME, "CreateOpportunity"].total == 40


def test_more_operations_than_are_read_together(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.adapters.ledger.figures._FINISHED", 3)
    outcomes = Outcomes()
    outcomes.follow(app.ledger)
    for number in range(10):
        begin(app, number, "UpdateOpportunity")
        if number % 2:
            end(app, number, timedelta(seconds=1))
    outcomes.follow(app.ledger)
    for number in range(0, 10, 2):
        end(app, number, timedelta(seconds=1))
    outcomes.follow(app.ledger)
    assert outcomes.ended == {(NAME, "UpdateOpportunity", "done"): 10}


def test_only_the_first_submission_since_the_flag_tells_how_long_it_took(app: App) -> None:
    outcomes = Outcomes()
    outcomes.follow(app.ledger)
    for seconds in (60, 300):
        begin(app, 1, SUBMIT)
        end(app, 1, timedelta(seconds=seconds))
    outcomes.follow(app.ledger)
    assert outcomes.waits[NAME, SUBMIT].total == 60


def test_many_scrapes_ask_the_ledger_once(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    assert timedelta(seconds=1) < LASTS < timedelta(seconds=15)
    asked: list[int] = []
    counts = app.ledger.open_counts
    monkeypatch.setattr(app.ledger, "open_counts", lambda names: (asked.append(1), counts(names))[1])
    with served(app) as address:
        for _ in range(5):
            scrape(address)
    assert len(asked) == 1


# since when a record is shared


def flagged_at(app: App, salesforce_id: str) -> datetime | None:
    from sqlalchemy import text

    with app.engine.connect() as reading:
        query = text("SELECT flagged_at FROM link WHERE salesforce_id = :id").bindparams(id=salesforce_id)
        found = reading.execute(query).scalar_one()
    moment = datetime.fromisoformat(found) if isinstance(found, str) else found
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def test_a_record_is_shared_since_it_was_flagged_and_anew_when_it_is_again(world: World, app: App) -> None:
    context = app.contexts[NAME]
    deal = world.opportunity(Share_With_AWS__c=False)
    pull(context)
    world.edit(deal, Share_With_AWS__c=True)
    stamp = datetime.fromisoformat(str(world.record(deal)["SystemModstamp"]))
    pull(context)
    first = flagged_at(app, deal)
    assert first == stamp
    world.edit(deal, Name="Other")
    pull(context)
    assert flagged_at(app, deal) == first, "an edit is no flag"
    world.edit(deal, Share_With_AWS__c=False)
    pull(context, sweep=True)  # before Salesforce shows anything of ours, only that tells
    wait_until(lambda: datetime.now(UTC) >= stamp + timedelta(seconds=1), "another stamp: they have whole seconds")
    world.edit(deal, Share_With_AWS__c=True)
    pull(context)
    assert flagged_at(app, deal) == datetime.fromisoformat(str(world.record(deal)["SystemModstamp"])) != first


def test_at_the_first_pull_nobody_knows_since_when(world: World, app: App) -> None:
    """It may have been flagged for months: how long it takes is counted from when it is first read."""
    deal = world.opportunity()
    before = datetime.now(UTC)
    pull(app.contexts[NAME])
    found = flagged_at(app, deal)
    assert found is not None
    assert found >= before


def test_figures_that_others_may_know_better_are_not_told_for_ever(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules take the largest of all processes, and the age of an open operation grows by itself."""
    figures = metrics.Figures(Serving(lambda: app, Beats(), "test", shares=True))
    figures._snapshots.inquiry.ask(10)
    names = {family.name for family in figures.collect()}
    assert {"connector_links", "connector_oldest_open_operation_seconds"} <= names
    monkeypatch.setattr(metrics, "FORGOTTEN", timedelta(0))
    left = {family.name for family in figures.collect()}
    assert {"connector_figures_age_seconds", "connector_ledger_up", "connector_connection_state"} <= left
    assert not left & {"connector_links", "connector_held_links", "connector_oldest_open_operation_seconds"}
