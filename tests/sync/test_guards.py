"""Surprises stop and ask before anything is written; a release lets exactly what it names through."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connector import report
from connector.adapters.salesforce import SalesforceClient
from connector.commands import plan as planning
from connector.commands import resync as resyncing
from connector.commands.choice import Choice
from connector.core.guard import CreatesPerPass
from connector.core.model import Link, Refusal
from connector.errors import Halt, TemporaryError, UnsafePlan, WrongAccount
from connector.ports import Rest
from connector.resources import packaged
from connector.sandbox.partner_central.records import TaskScript
from connector.sync import (
    Context,
    advance,
    follow_tasks,
    guards,
    observe,
    pull,
    pull_ids,
    releases,
    sweep_is_due,
    write_back,
)
from connector.sync.readings import Readings
from tests.world import ENVIRONMENT, World, denied, wait_until

ROOT = Path(__file__).parents[2]
CONNECTOR = [sys.executable, "-m", "connector"]
VERBS = (pull, observe, advance, follow_tasks, write_back)
TITLE = "Title: {from: Name, transform: [trim, {truncate: 255}]}"


def run(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    command = [*CONNECTOR, *arguments]
    return subprocess.run(
        command, cwd=world.folder, env=environment, text=True, capture_output=True, timeout=120, check=False
    )


@contextmanager
def daemon(world: World) -> Iterator[subprocess.Popen[str]]:
    """The real daemon, looking every second; its log in the world's folder."""
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    with (world.folder / "daemon.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*CONNECTOR, "run"], cwd=world.folder, env=environment, text=True, stdout=log, stderr=log
        )
        try:
            yield process
            process.terminate()
            assert process.wait(timeout=15) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=10)


def log_of(world: World) -> str:
    return (world.folder / "daemon.log").read_text(encoding="utf-8")


def configure(world: World, limits: str, extra: str = "") -> None:
    world.write_config(f"    limits: {{{limits}}}\n{extra}")
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text("schedule: {pull: 1s, observe: 1s}\n" + text, encoding="utf-8")


def edit_mapping(world: World, title: str = 'Title: {template: "AWS: {Name}"}', limits: str = "") -> None:
    """Configure a mapping that gives every opportunity another title; drafts and submitted ones alike."""
    text = packaged("mappings", "opportunity.yaml").read_text(encoding="utf-8")
    assert TITLE in text
    (world.folder / "mapping.yaml").write_text(text.replace(TITLE, title), encoding="utf-8")
    configure(world, limits, "    mapping: mapping.yaml\n")


def pass_once(context: Context) -> None:
    for verb in VERBS:
        verb(context)


def created(world: World, deals: list[str]) -> int:
    return sum(len(world.at_aws(deal)) for deal in deals)


def plan(world: World, *ids: str) -> dict[str, Any]:
    """``connector plan --out plan.json``, in this process."""
    out = world.folder / "plan.json"
    planning.plan(world.app(), Choice(ids, not ids, None, None), as_json=False, out=out)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["connections"]["sandbox"]
    return found


def apply(world: World) -> list[dict[str, Any]]:
    """``connector resync --plan plan.json``, in this process."""
    return resyncing.resync_quietly(world.app(), Choice((), False, None, world.folder / "plan.json"))


def guards_of(world: World) -> list[dict[str, str]]:
    """What ``connector status --json`` tells of guards."""
    found: list[dict[str, str]] = report.status(world.app())["connections"]["sandbox"]["guards"]
    return found


# creates


def test_a_flood_is_not_created_and_every_record_says_how_to_release_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    configure(world, "creates_per_pass: 3")
    held = [world.opportunity(AWS_Business_Problem__c="short") for _ in range(5)]
    deals = [world.opportunity() for _ in range(4)]
    world.settle()
    assert created(world, deals) == 0
    for deal in deals:
        record = world.record(deal)
        assert record["AWS_Sync_Status__c"] == "Pending"
        for words in ("4 new opportunities wait", "the limit is 3", "connector resync --plan FILE"):
            assert words in record["AWS_Sync_Message__c"]
    assert {world.record(deal)["AWS_Sync_Status__c"] for deal in held} == {"Held"}
    assert [r.message for r in caplog.records if getattr(r, "event", "") == "limit_reached"] == [
        str(CreatesPerPass(3, 4, world.context().now).refusal())
    ], "told once, not by record"


def test_as_many_as_the_limit_and_any_trickle_go_through(world: World) -> None:
    configure(world, "creates_per_pass: 3")
    held = [world.opportunity(AWS_Business_Problem__c="short") for _ in range(5)]
    first = [world.opportunity() for _ in range(3)]
    context = world.context()
    pass_once(context)
    assert created(world, first) == 3
    second = [world.opportunity() for _ in range(3)]
    pass_once(context)
    assert created(world, second) == 3, "what was created no longer counts"
    assert created(world, held) == 0


def test_everything_else_goes_on_while_a_flood_waits(world: World) -> None:
    configure(world, "creates_per_pass: 2")
    old = world.opportunity(AWS_Solution_Ids__c="S-9999999")
    context = world.context()
    pass_once(context)
    assert world.record(old)["AWS_Sync_Status__c"] == "Held"
    begun = world.opportunity()
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do="reset")
    pull(context)
    advance(context)
    link = context.ledger.find(*context.key, begun)
    assert link is not None
    assert link.operation is not None, "a create whose answer was lost"
    flood = [world.opportunity() for _ in range(3)]
    world.edit(old, AWS_Solution_Ids__c="S-0001112")
    world.settle()
    assert created(world, flood) == 0
    assert world.record(old)["AWS_Sync_Status__c"] == "Synced"
    assert world.effects(begun)["StartEngagementFromOpportunityTask"] == 1


def test_those_that_wait_go_on_once_fewer_do(world: World) -> None:
    configure(world, "creates_per_pass: 2")
    deals = [world.opportunity() for _ in range(4)]
    context = world.context()
    pass_once(context)
    assert created(world, deals) == 0
    for deal in deals[:2]:
        world.edit(deal, Share_With_AWS__c=False)
    pass_once(context)
    assert [len(world.at_aws(deal)) for deal in deals] == [0, 0, 1, 1]
    assert guards.standing(context.ledger, "sandbox", context.limits, context.now) == {}


def test_a_higher_limit_lets_them_go_at_the_next_start(world: World) -> None:
    configure(world, "creates_per_pass: 2")
    deals = [world.opportunity() for _ in range(3)]
    pass_once(world.context())
    assert created(world, deals) == 0
    configure(world, "creates_per_pass: 3")
    pass_once(world.context())
    assert created(world, deals) == 3


def test_one_more_that_waits_is_no_news_for_the_others(world: World) -> None:
    configure(world, "creates_per_pass: 2")
    for _ in range(3):
        world.opportunity()
    context = world.context()
    pass_once(context)
    pass_once(context)
    late = world.opportunity()
    pass_once(context)
    assert "3 new opportunities" in world.record(late)["AWS_Sync_Message__c"]
    rows = world.calls[1]
    context.ledger.wake_waiting(*context.key, context.now)
    pass_once(context)
    assert world.calls[1] == rows, "nothing is written to Salesforce again"


def test_nothing_is_created_while_a_part_of_salesforce_is_unread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(world, "creates_per_pass: 3")
    monkeypatch.setattr(guards, "BORNE", 0.05)
    deals = [world.opportunity() for _ in range(5)]
    context = world.context()
    changes = context.salesforce.changes
    seen: list[int] = []

    def in_parts(*arguments: Any) -> Any:
        found = changes(*arguments)

        def pages() -> Iterator[list[dict[str, Any]]]:
            for page in found.flagged:
                for record in page:
                    yield [record]
                    advance(context)
                    seen.append(created(world, deals))

        return replace(found, flagged=pages())

    observe(context)
    monkeypatch.setattr(context.salesforce, "changes", in_parts)
    pull(context)
    assert seen == [0, 0, 0, 0, 0], "two records alone would have been within the limit"
    advance(context)
    assert created(world, deals) == 0


def test_a_reading_that_was_cut_off_is_made_up_for_before_anything_is_created(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(world, "creates_per_pass: 3")
    deals = [world.opportunity() for _ in range(5)]
    context = world.context()
    changes = context.salesforce.changes

    def broken(*arguments: Any) -> Any:
        found = changes(*arguments)

        def pages() -> Iterator[list[dict[str, Any]]]:
            records = [record for page in found.flagged for record in page]
            yield records[:1]
            yield records[1:2]
            raise TemporaryError("The third page did not come.")

        return replace(found, flagged=pages())

    monkeypatch.setattr(context.salesforce, "changes", broken)
    with pytest.raises(TemporaryError):
        pull(context)
    restarted = world.context()
    advance(restarted)
    assert created(world, deals) == 0, "two are known, but nobody knows of how many"
    pass_once(restarted)
    assert created(world, deals) == 0
    assert "5 new opportunities" in world.record(deals[0])["AWS_Sync_Message__c"]


def test_one_record_is_settled_after_a_reading_that_was_cut_off(world: World) -> None:
    deal = world.opportunity()
    context = world.context()
    context.ledger.set_watermark("sandbox", guards.READING, context.now.isoformat())
    world.settle(deal)
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"


def test_a_create_waits_for_a_reading_in_another_thread(world: World) -> None:
    deal = world.opportunity()
    context = world.context()
    pull(context)
    entered, leave = threading.Event(), threading.Event()

    def read() -> None:
        with guards.looking(context):
            entered.set()
            leave.wait(30)

    reader = threading.Thread(target=read)
    worker = threading.Thread(target=lambda: advance(context))
    reader.start()
    assert entered.wait(30)
    worker.start()
    wait_until(lambda: context.creating.locked(), "the create to come as far as the guard")
    assert world.at_aws(deal) == []
    leave.set()
    worker.join(30)
    reader.join(30)
    assert len(world.at_aws(deal)) == 1


def test_creates_are_counted_seldom(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = [world.opportunity() for _ in range(30)]
    context = world.context()
    counts: list[str] = []
    for name in ("creates_waiting", "creates_besides"):
        count = getattr(context.ledger, name)
        monkeypatch.setattr(
            context.ledger, name, lambda *a, name=name, count=count: (counts.append(name), count(*a))[1]
        )
    pull(context)
    advance(context)
    assert created(world, deals) == 30
    assert sorted(counts) == ["creates_besides", "creates_waiting"]


def test_many_creates_ask_the_ledger_for_few_watermarks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = [world.opportunity() for _ in range(20)]
    context = world.context()
    pull(context)
    observe(context)
    stand_still(context, monkeypatch)
    ask, asked = context.ledger.watermark, list[str]()
    monkeypatch.setattr(context.ledger, "watermark", lambda *key: (asked.append(key[1]), ask(*key))[1])
    advance(context)
    assert created(world, deals) == 20
    assert [asked.count(name) for name in ("released_at", guards.READING)] == [1, 0]


def stand_still(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes between two looks, as on a machine that is fast enough."""
    moment = context.clock.monotonic()
    still = SimpleNamespace(now=context.clock.now, sleep=context.clock.sleep, monotonic=lambda: moment)
    monkeypatch.setattr(context, "clock", still)


def test_a_release_by_another_process_counts_at_once_where_else_it_would_be_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(world, "creates_per_pass: 1")
    deals = [world.opportunity() for _ in range(3)]
    context, beside = world.context(), world.context()
    pull(context)
    stand_still(context, monkeypatch)
    advance(context)
    assert created(world, deals) == 0
    releases.release(beside, {deal: fingerprint_of(context, deal) for deal in deals[:2]})
    advance(context)
    assert [len(world.at_aws(deal)) for deal in deals] == [1, 1, 0]


def test_under_the_mappings_guard_as_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked_world(world)
    late = world.opportunity()
    pull(world.context())
    edit_mapping(world)
    context, beside = world.context(), world.context()
    with pytest.raises(UnsafePlan):
        pull(context)
    stand_still(context, monkeypatch)
    advance(context)
    assert world.at_aws(late) == []
    release_as_planned(world, beside, late)
    advance(context)
    assert len(world.at_aws(late)) == 1


def release_as_planned(world: World, context: Context, *deals: str) -> None:
    """``connector plan --out`` and ``resync --plan``, as far as the records are read with it."""
    releases.release(context, {one["salesforce_id"]: one["fingerprint"] for one in plan(world, *deals)["records"]})
    pull_ids(context, deals)


def denied_to_create(context: Context) -> None:
    """AWS refuses us permission when the creates are written ahead already, and that takes long."""
    observe(context)
    with denied("CreateOpportunity"), suppress(Halt):
        advance(context)
    context.readings = Readings()


def test_what_was_released_waits_once_it_was_edited_though_it_was_written_ahead(world: World) -> None:
    linked_world(world)
    edit_mapping(world)
    deals = [world.opportunity() for _ in range(3)]
    context = world.context()
    context.in_flight = 1
    with pytest.raises(UnsafePlan):
        pull(context)
    release_as_planned(world, context, *deals)
    denied_to_create(context)
    for deal in deals[:2]:
        world.edit(deal, Name="Renamed meanwhile")
    context.ledger.wake_waiting(*context.key, context.now)
    advance(context)
    assert [len(world.at_aws(deal)) for deal in deals] == [0, 0, 1]


@pytest.mark.parametrize("gone", ["unflagged", "deleted"])
def test_what_nobody_shares_any_more_is_not_created_while_a_changed_mapping_waits(world: World, gone: str) -> None:
    linked_world(world)
    deal = world.opportunity()
    context = world.context()
    pull(context)
    denied_to_create(context)
    assert link_of(context, deal).operation is not None
    edit_mapping(world)
    if gone == "unflagged":
        world.edit(deal, Share_With_AWS__c=False)
    else:
        world.sandbox.org.delete("Opportunity", deal)
    context = world.context()
    with pytest.raises(UnsafePlan):
        pull(context)
    observe(context)
    advance(context)
    assert world.at_aws(deal) == []
    assert link_of(context, deal).presence == "flagged", "nothing is stored with that mapping"
    edit_mapping(world, TITLE)
    context = world.context()
    context.ledger.wake_waiting(*context.key, context.now)
    pull(context, sweep=True)
    pass_once(context)
    assert world.at_aws(deal) == []
    assert link_of(context, deal).presence == gone


def test_what_a_changed_mapping_touches_is_counted_by_the_reading_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever waits to be created: it is put off until that is known."""
    linked_world(world)
    world.opportunity()
    context = world.context()
    pull(context)
    denied_to_create(context)
    edit_mapping(world)
    context = world.context()
    read, changes = [], SalesforceClient.changes
    monkeypatch.setattr(
        SalesforceClient, "changes", lambda client, *given: read.append(given) or changes(client, *given)
    )
    observe(context)
    advance(context)
    assert read == []
    with pytest.raises(UnsafePlan):
        pull(context)
    assert len(read) > 0


def test_the_count_is_exact_and_leaves_out_what_could_not_be_created(world: World) -> None:
    for _ in range(3):
        world.opportunity(AWS_Business_Problem__c="short")
    complete, refused, refused_before, waits, late, elsewhere = [world.opportunity() for _ in range(6)]
    world.opportunity(Share_With_AWS__c=False)
    context = world.context()
    ledger, now = context.ledger, context.now
    pull(context)
    for deal, content in ((refused, fingerprint_of(context, refused)), (refused_before, "another content")):
        ledger.change(link_of(context, deal), now, refusal=Refusal("CreateOpportunity", content, "No."))
    ledger.rest([(link_of(context, waits), Rest("Pending", "", now + timedelta(hours=1)))], now)
    ledger.change(link_of(context, elsewhere), now, candidate_id="O123")
    assert guards.creates_waiting(context) == 4
    releases.release(context, {complete: fingerprint_of(context, complete), late: "what it was once"})
    assert guards.creates_waiting(context) == 3


@pytest.mark.sqlite_only  # reads how SQLite goes about it
def test_the_count_is_found_by_an_index(world: World) -> None:
    from sqlalchemy import event

    world.opportunity()
    app = world.app()
    context = app.contexts["sandbox"]
    pull(context)
    asked: list[tuple[str, Any]] = []
    event.listen(app.engine, "before_cursor_execute", lambda _c, _k, sql, values, *_: asked.append((sql, values)))
    assert guards.creates_waiting(context) == 1
    counts = [(sql, values) for sql, values in asked if "due_at" in sql]
    assert len(counts) == 2
    with app.engine.connect() as connection:
        for sql, values in counts:
            told = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all())
            assert "ix_link_due_at (connection=? AND catalog=? AND due_at<?)" in told, told
            assert "SCAN link" not in told


def test_the_day_is_full_for_others_but_not_for_what_was_released(world: World) -> None:
    configure(world, "creates_per_day: 2")
    deals = [world.opportunity() for _ in range(5)]
    context = world.settle()
    waiting = [deal for deal in deals if not world.at_aws(deal)]
    assert len(waiting) == 3
    assert "limit is 2" in world.record(waiting[0])["AWS_Sync_Message__c"]
    assert set(guards.standing(context.ledger, "sandbox", context.limits, context.now)) == {"creates_per_day"}
    plan(world, *waiting[:2])
    apply(world)
    assert [len(world.at_aws(deal)) for deal in waiting] == [1, 1, 0]
    configure(world, "creates_per_day: 3")
    world.app().ledger.wake_waiting("sandbox", "Sandbox", context.now + timedelta(seconds=1))
    world.settle()
    assert created(world, waiting) == 3, "what was released takes nobody's place"


def test_a_saved_plan_releases_exactly_its_records(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    configure(world, "creates_per_pass: 2")
    deals = [world.opportunity() for _ in range(5)]
    done = run(world, "resync", "--all")
    assert done.returncode == 1
    assert "5 new opportunities wait" in done.stdout
    told = run(world, "status")
    assert told.returncode == 1
    assert "connector resync --plan FILE" in " ".join(told.stdout.split())
    assert [guard["guard"] for guard in guards_of(world)] == ["creates_per_pass"]
    plan(world)
    whole = " ".join(capsys.readouterr().out.split())
    assert "Waits for a person: 5 new opportunities wait to be created in AWS at once, the limit is 2" in whole
    plan(world, *deals[:2])
    world.edit(deals[0], Name="Another name")
    refused = run(world, "resync", "--plan", "plan.json")
    assert refused.returncode == 3
    assert "1 of 2 records have changed" in refused.stderr
    assert created(world, deals) == 0
    plan(world, *deals[:2])
    assert {result["status"] for result in apply(world)} == {"Synced"}
    assert [len(world.at_aws(deal)) for deal in deals] == [1, 1, 0, 0, 0]
    assert [guard["guard"] for guard in guards_of(world)] == ["creates_per_pass"], "three wait, and the limit is two"
    world.edit(deals[2], Share_With_AWS__c=False)
    world.settle()
    assert created(world, deals[3:]) == 2
    assert guards_of(world) == []


def test_a_released_record_that_changes_before_its_turn_waits_again(world: World) -> None:
    configure(world, "creates_per_pass: 1")
    deals = [world.opportunity() for _ in range(3)]
    context = world.context()
    pull(context)
    planned = {deal: fingerprint_of(context, deal) for deal in deals}
    releases.release(context, planned)
    for deal in deals[:2]:
        world.edit(deal, Name="Renamed since it was released")
    pass_once(context)
    assert [len(world.at_aws(deal)) for deal in deals] == [0, 0, 1]


def link_of(context: Context, deal: str) -> Link:
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    return link


def fingerprint_of(context: Context, deal: str) -> str:
    mapped = link_of(context, deal).mapped
    assert mapped is not None
    return mapped.fingerprint


def test_beside_the_daemon_a_saved_plan_is_released_as_well(world: World) -> None:
    configure(world, "creates_per_pass: 2")
    deals = [world.opportunity() for _ in range(4)]
    with daemon(world):
        wait_until(lambda: all("limit is 2" in str(world.record(d)["AWS_Sync_Message__c"]) for d in deals), "the guard")
        asked = run(world, "resync", deals[0])
        assert asked.returncode == 1
        assert "limit is 2" in asked.stdout
        plan(world, *deals[:3])
        released = run(world, "resync", "--plan", "plan.json")
        assert released.returncode == 0, released.stderr + released.stdout
        assert created(world, deals[:3]) == 3
        wait_until(lambda: len(world.at_aws(deals[3])) == 1, "the one that is left, which is within the limit")
        wait_until(lambda: world.record(deals[3])["AWS_Sync_Status__c"] == "Synced", "it to be shown")
    assert log_of(world).count('"event": "limit_reached"') == 1, "told once, not by record nor by look"


# a changed mapping


def linked_world(world: World, count: int = 10) -> list[str]:
    configure(world, "")
    deals = [world.opportunity() for _ in range(count)]
    world.settle()
    assert created(world, deals) == count
    return deals


def test_an_edited_mapping_that_touches_many_linked_records_stops(world: World) -> None:
    deals = linked_world(world)
    unlinked = world.opportunity()
    edit_mapping(world)
    before = world.calls[0]
    context = world.context()
    assert sweep_is_due(context, timedelta(days=1))
    with pytest.raises(UnsafePlan) as refused:
        pull(context, sweep=True)
    for words in ("other values for 10 of 10 linked", "limit is 20 %", "Project.Title", "connector resync --plan FILE"):
        assert words in str(refused.value)
    with pytest.raises(UnsafePlan):
        pull(context)
    with pytest.raises(UnsafePlan):
        pull_ids(context, deals[:1])
    for verb in VERBS[1:]:
        verb(context)
    assert world.calls[0] == before, "nothing is sent to AWS"
    assert context.ledger.find(*context.key, unlinked) is None
    stored = context.ledger.linked(*context.key, deals)
    assert all(not mapped.opportunity["Project"]["Title"].startswith("AWS: ") for mapped in stored.values())
    (guard,) = guards.standing(context.ledger, "sandbox", context.limits, context.now)
    assert guard == "mapping_change_share"


def test_it_is_counted_once_and_not_at_every_look(world: World) -> None:
    linked_world(world)
    edit_mapping(world)
    context = world.context()
    for _ in range(2):
        with pytest.raises(UnsafePlan):
            pull(context)
    calls = len(world.sandbox.org.calls)
    for _ in range(5):
        with pytest.raises(UnsafePlan):
            pull(context)
    assert len(world.sandbox.org.calls) == calls


def test_observing_tasks_and_showing_go_on_meanwhile(world: World) -> None:
    deals = linked_world(world)
    edit_mapping(world)
    context = world.context()
    with pytest.raises(UnsafePlan):
        pull(context)
    (at_aws,) = world.at_aws(deals[0])
    world.sandbox.service.review(at_aws["Id"], "In review")
    world.sandbox.service.review(at_aws["Id"], "Approved", comments="well done")
    before = world.calls[0]
    for verb in VERBS[1:]:
        verb(context)
    assert world.record(deals[0])["AWS_Review_Status__c"] == "Approved"
    assert world.calls[0] == before


def test_what_was_planned_with_the_mapping_before_is_not_sent_meanwhile(world: World) -> None:
    linked_world(world)
    context = world.context()
    late = world.opportunity()
    pull(context)
    edit_mapping(world)
    edited = world.context()
    advance(edited)
    assert world.at_aws(late) == [], "not even before it is known what the change touches"
    with pytest.raises(UnsafePlan):
        pull(edited)
    edited.ledger.wake_waiting(*edited.key, edited.now)
    advance(edited)
    write_back(edited)
    assert world.at_aws(late) == []
    assert "10 of 10 linked records" in world.record(late)["AWS_Sync_Message__c"]


@pytest.mark.parametrize(
    ("count", "title", "limits"),
    [
        (9, 'Title: {template: "AWS: {Name}"}', ""),
        (10, "Title: {from: Name, transform: [trim, {truncate: 250}]}", ""),
        (10, 'Title: {template: "AWS: {Name}"}', "mapping_change_share: 1"),
        (10, 'Title: {template: "AWS: {Name}"}', "mapping_change_min_links: 11"),
    ],
)
def test_a_change_within_the_limits_goes_through(world: World, count: int, title: str, limits: str) -> None:
    deals = linked_world(world, count)
    edit_mapping(world, title, limits)
    context = world.context()
    pull(context, sweep=True)
    assert not sweep_is_due(context, timedelta(days=1))
    is_changed = "template" in title
    stored = context.ledger.linked(*context.key, deals)
    assert all(m.opportunity["Project"]["Title"].startswith("AWS: ") is is_changed for m in stored.values())


def test_undoing_the_change_ends_the_guard(world: World) -> None:
    deals = linked_world(world)
    late = world.opportunity()
    pull(world.context())
    edit_mapping(world)
    context = world.context()
    with pytest.raises(UnsafePlan):
        pull(context)
    advance(context)
    assert world.at_aws(late) == []
    configure(world, "")
    undone = world.context()
    pass_once(undone)
    assert guards.standing(undone.ledger, "sandbox", undone.limits, undone.now) == {}
    assert len(world.at_aws(late)) == 1
    assert created(world, deals) == 10


def test_a_higher_share_ends_the_guard_without_counting_again(world: World) -> None:
    linked_world(world)
    edit_mapping(world)
    with pytest.raises(UnsafePlan):
        pull(world.context())
    edit_mapping(world, limits="mapping_change_share: 1")
    context = world.context()
    pull(context, sweep=True)
    assert guards.standing(context.ledger, "sandbox", context.limits, context.now) == {}
    assert not sweep_is_due(context, timedelta(days=1))


def test_chosen_records_are_refused_and_a_saved_plan_releases_and_accepts(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(world, "")
    deals = [world.opportunity() for _ in range(10)]
    script = TaskScript(reason="OpportunityValidationFailed", message="BUSINESS_VALIDATION_EXCEPTION x:y")
    world.sandbox.service.script_tasks(script, 10)
    world.settle()
    assert created(world, deals) == 10
    edit_mapping(world)
    before = world.calls[0]
    for arguments in (("resync", deals[0]), ("resync", "--all")):
        refused = run(world, *arguments)
        assert refused.returncode == 3
        assert "changed mapping gives other values for 10 of 10 linked records" in refused.stderr
    assert [guard["guard"] for guard in guards_of(world)] == ["mapping_change_share"]
    planned = plan(world)
    assert "10 of 10 linked records" in planned["guards"][0]
    assert [[change["path"] for change in r["changes"]] for r in planned["records"]] == [["Project.Title"]] * 10
    assert 'Project.Title: "Deal 0" → "AWS: Deal 0"' in capsys.readouterr().out
    assert world.calls[0] == before
    plan(world, deals[0])
    apply(world)
    assert "Beyond it: The changed mapping gives other values for 9 of 10" in " ".join(capsys.readouterr().err.split())
    assert [title_of(world, deal).startswith("AWS: ") for deal in deals] == [True] + [False] * 9
    plan(world)
    assert {result["status"] for result in apply(world)} == {"Synced"}
    assert all(title_of(world, deal).startswith("AWS: ") for deal in deals)
    assert guards_of(world) == []
    context = world.settle()
    assert not sweep_is_due(context, timedelta(days=1)), "this version of the mapping is accepted"


def test_under_the_guard_a_record_that_changed_since_its_release_is_not_stored(world: World) -> None:
    deals = linked_world(world)
    edit_mapping(world)
    context = world.context()
    with pytest.raises(UnsafePlan):
        pull(context)
    planned = {entry["salesforce_id"]: entry["fingerprint"] for entry in plan(world, *deals[:2])["records"]}
    releases.release(context, planned)
    world.edit(deals[0], Name="Renamed since it was released")
    pull_ids(context, deals[:2])
    stored = context.ledger.linked(*context.key, deals)
    titles = [stored[deal].opportunity["Project"]["Title"] for deal in deals[:3]]
    assert titles == ["Deal 0", "AWS: Deal 1", "Deal 2"]
    with pytest.raises(UnsafePlan):
        pull_ids(context, deals[:3])


def title_of(world: World, deal: str) -> str:
    (at_aws,) = world.at_aws(deal)
    return str(at_aws["Project"]["Title"])


def test_beside_the_daemon_the_mapping_is_released_as_well(world: World) -> None:
    deals = linked_world(world)
    late = world.opportunity()
    with daemon(world):
        wait_until(lambda: world.record(late)["AWS_Sync_Status__c"] == "Synced", "the mapping as it was")
        edit_mapping(world)
        plan(world)
        other = run(world, "resync", "--plan", "plan.json")
        assert other.returncode == 3
        assert "Restart `connector run`" in other.stderr
    with daemon(world):
        wait_until(lambda: "changed mapping gives other values for 11 of 11" in log_of(world), "the guard")
        refused = run(world, "resync", deals[0])
        assert refused.returncode == 3
        assert "11 of 11 linked records" in refused.stderr
        newest = world.opportunity()
        plan(world)
        released = run(world, "resync", "--plan", "plan.json")
        assert released.returncode in {0, 1}, released.stderr
        wait_until(lambda: len(world.at_aws(newest)) == 1, "what was released")
        wait_until(lambda: "pull of sandbox works again" in log_of(world), "the mapping to be accepted", 120)
        after = world.opportunity()
        wait_until(lambda: len(world.at_aws(after)) == 1, "a record that came later")
        assert title_of(world, after).startswith("AWS: ")
        assert log_of(world).count("pull of sandbox: The changed mapping gives other values") == 1, "told once"
        assert guards_of(world) == []


# another catalog, another account


def test_another_catalog_than_before_is_refused(world: World) -> None:
    deal = world.opportunity()
    assert run(world, "resync", deal).returncode == 0
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(text.replace("catalog: Sandbox", "catalog: AWS"), encoding="utf-8")
    before = world.calls
    with pytest.raises(WrongAccount, match="filled from Sandbox"):
        plan(world)
    for arguments in (("resync", "--all"), ("run",), ("check",)):
        done = run(world, *arguments)
        assert done.returncode == 3, (arguments, done.stdout, done.stderr)
        told = done.stdout + done.stderr
        assert "says catalog AWS for connection sandbox, but the ledger was filled from Sandbox" in told
        assert "a connection of its own name" in told
    assert world.calls[:2] == before[:2]


def test_a_ledger_of_an_older_version_tells_its_catalog_by_its_links(world: World) -> None:
    world.opportunity()
    world.settle()
    app = world.app()
    context = app.contexts["sandbox"]
    assert app.ledger.watermark("sandbox", "catalog") == ""
    app.verify(context)
    assert app.ledger.watermark("sandbox", "catalog") == "Sandbox"
    app.ledger.set_watermark("sandbox", "catalog", "")
    context.partner_central.catalog = "AWS"
    with pytest.raises(WrongAccount, match="catalog AWS"):
        app.verify(context)
    assert app.ledger.watermark("sandbox", "catalog") == ""


def test_another_account_than_before_is_refused_and_an_unknown_one_is_not(world: World) -> None:
    app = world.app()
    context = app.contexts["sandbox"]
    app.verify(context)
    for account in ("111122223333", "111122223333", ""):
        app.verify(context, lambda account=account: account)
    with pytest.raises(WrongAccount) as refused:
        app.verify(context, lambda: "444455556666")
    for words in ("account 444455556666", "account 111122223333", "connection of its own name"):
        assert words in str(refused.value)


def test_the_log_is_not_filled_by_a_guard(world: World, caplog: pytest.LogCaptureFixture) -> None:
    from connector.daemon import Guarded

    linked_world(world)
    edit_mapping(world)
    context = world.context()
    job = Guarded("pull", context, lambda: pull(context, sweep=True))
    with caplog.at_level(logging.INFO, "connector.daemon"):
        for attempt in range(1, 12):
            job.run()
            assert job.failures == attempt
            assert 0 < job.pause_until - context.clock.monotonic() <= 10.0, "the person is not kept waiting"
            job.pause_until = 0.0
    assert len([r for r in caplog.records if "changed mapping" in r.message]) == 1
