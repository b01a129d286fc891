"""One worker's turns in this process: what it does with a connection, and with one that another worker had."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest

from connector.adapters.queue import Look
from connector.daemon.succession import read_again
from connector.errors import LedgerUnavailable, LoginFailed, QuotaExhausted
from connector.fleet import dues, trouble
from connector.fleet.served import Served
from connector.fleet.turn import fresh
from connector.fleet.worker import Worker
from connector.sync import Context, guards
from connector.watch.checkup import healths_of, look_at_ledger
from connector.web.serving import Serving
from tests.workers import look, worker
from tests.world import World, wait_until

NAME = "sandbox"
KEY = (NAME, "Sandbox")


def serve(one: Worker, until: Callable[[], bool], what: str) -> None:
    def served() -> bool:
        look(one)
        return until()

    wait_until(served, what, 30)


def synced(world: World, deal: str) -> bool:
    return world.record(deal)["AWS_Sync_Status__c"] == "Synced" and len(world.at_aws(deal)) == 1


def epoch(world: World) -> int:
    ledger = world.app().ledger
    account = ledger.watermark(NAME, dues.AWS_ACCOUNT)
    return ledger.take_fence(account, "a test").before


def test_a_connection_of_an_unknown_account_is_verified_and_nothing_else(world: World) -> None:
    world.opportunity()
    one = worker(world)
    (asked,) = one.due(set())
    assert asked.lock == f"connection {NAME}"
    then = one.look(asked.connection, asked.lock)
    account = world.app().ledger.watermark(NAME, dues.AWS_ACCOUNT)
    assert account
    assert then == Look(NAME, asked.address, account)
    assert world.sandbox.service.journal == []
    assert world.app().ledger.due(*KEY, one.app.clock.now(), 10) == []


def test_the_first_turn_after_an_account_became_known_waits_in_its_line(world: World) -> None:
    """A worker could not ask which account it is, and noted the key that its calls were counted under."""
    world.opportunity()
    one = worker(world)
    one.app.ledger.set_watermark(NAME, dues.AWS_ACCOUNT, "key-0123456789abcdef")
    answer = mock.Mock(return_value="111122223333")
    one.app.contexts[NAME].partner_central.account = answer  # type: ignore[method-assign]
    (asked,) = one.due(set())
    assert asked.lock == "key-0123456789abcdef"
    then = one.look(asked.connection, asked.lock)
    assert then == Look(NAME, asked.address, "111122223333")
    assert world.sandbox.service.journal == []


def test_turns_bring_a_record_all_the_way(world: World) -> None:
    deal = world.opportunity()
    serve(worker(world), lambda: synced(world, deal), "the record to be synced")
    assert world.effects(deal)["CreateOpportunity"] == 1
    assert world.effects(deal)["StartEngagementFromOpportunityTask"] == 1


def test_a_look_that_finds_nothing_asks_nobody_and_takes_no_fence(world: World) -> None:
    one = worker(world)
    look(one)
    before, calls = epoch(world), world.calls
    account = world.app().ledger.watermark(NAME, dues.AWS_ACCOUNT)
    assert one.due(set()) == []
    assert one.look(NAME, account) is None
    assert (world.calls, epoch(world)) == (calls, before + 1)


def test_a_look_under_another_lock_writes_nothing(world: World) -> None:
    """Its account was found out, or has changed, since it was asked for."""
    world.opportunity()
    one = worker(world)
    (asked,) = one.due(set())
    one.look(asked.connection, asked.lock)
    then = one.look(NAME, "connection of old")
    assert then is not None
    assert then.lock == world.app().ledger.watermark(NAME, dues.AWS_ACCOUNT)
    assert world.sandbox.service.journal == []


def test_two_workers_take_turns_with_a_record(world: World) -> None:
    deal = world.opportunity()
    one, two = worker(world), worker(world, "worker two")

    def served() -> bool:
        look(one)
        look(two)
        return synced(world, deal)

    wait_until(served, "the record to be synced", 30)
    assert world.effects(deal)["CreateOpportunity"] == 1


def test_a_worker_that_was_replaced_records_nothing_and_its_successor_finds_what_it_did(world: World) -> None:
    """Paused while AWS carries out the create; when it comes back another one has the account."""
    deal = world.opportunity()
    one, two = worker(world), worker(world, "worker two")
    taken = threading.Event()

    def take_over(*_: object) -> None:
        if not taken.is_set() and world.at_aws(deal):
            taken.set()
            account = two.app.ledger.watermark(NAME, dues.AWS_ACCOUNT)
            two.app.ledger.take_fence(account, "worker two")

    with _after_each_call(one, take_over):
        wait_until(lambda: look(one) is None and taken.is_set(), "the takeover", 30)
    link = two.app.ledger.find(*KEY, deal)
    assert link is not None
    assert link.operation is not None
    assert link.opportunity_id == ""
    serve(two, lambda: synced(world, deal), "the successor to end it")
    assert world.effects(deal)["CreateOpportunity"] == 1


def test_a_replaced_worker_takes_part_again(world: World) -> None:
    deal = world.opportunity()
    one = worker(world)
    with _after_each_call(one, lambda *_: epoch(world)):
        look(one)
    serve(one, lambda: synced(world, deal), "the record to be synced by the same worker")


def test_what_was_counted_in_an_earlier_turn_is_not_trusted(world: World) -> None:
    """Between two turns of one worker another one used up what a day allows."""
    world.write_config("    limits: {creates_per_day: 2}\n")
    one, two = worker(world), worker(world, "worker two")
    first = world.opportunity()
    serve(one, lambda: synced(world, first), "the first")
    second = world.opportunity()
    _hurry(two)
    serve(two, lambda: synced(world, second), "the second")
    third = world.opportunity()
    _hurry(one)
    serve(one, lambda: world.record(third)["AWS_Sync_Status__c"] is not None, "the third to be judged")
    assert world.at_aws(third) == []


def test_a_turn_begins_without_memory_but_tells_nothing_twice(world: World) -> None:
    one = worker(world)
    context = one.app.contexts[NAME]
    context.guards = guards.Memory(is_cut_off=True, left=9, told={"day": "told"})
    made = turn_context(one)
    assert (made.guards.is_cut_off, made.guards.left, made.guards.told) == (None, 0, {"day": "told"})
    assert (made.salesforce, made.partner_central) == (context.salesforce, context.partner_central)


def turn_context(one: Worker) -> Context:
    return fresh(one.app.contexts[NAME], one.app.ledger)


def test_the_end_of_a_turn_stops_no_other(world: World) -> None:
    one = worker(world)
    context = turn_context(one)
    context.stopping.set()
    assert not one.app.contexts[NAME].stopping.is_set()
    one.app.stopping.set()
    assert turn_context(one).stopping.is_set()


def test_trouble_is_told_once_and_given_time_by_all_workers(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = worker(world), worker(world, "worker two")
    look(one)
    monkeypatch.setattr(dues, "REVIEW_EVERY", timedelta(hours=1))
    for each in (one, two):
        each.app.contexts[NAME].salesforce.changes = mock.Mock(side_effect=LoginFailed("The login is refused."))
        _hurry(each)
        look(each)
    told = [record for record in caplog.records if "The login is refused" in record.getMessage()]
    assert len(told) == 1
    assert one.due(set()) == []
    assert two.due(set()) == []


def test_trouble_that_is_over_is_told_and_forgotten(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    one = worker(world)
    look(one)
    with mock.patch.object(one.app.contexts[NAME].salesforce, "changes", side_effect=LoginFailed("Refused.")):
        _hurry(one)
        look(one)
    assert one.app.ledger.watermark(NAME, trouble.TROUBLE)
    _forgive(one)
    serve(one, lambda: not one.app.ledger.watermark(NAME, trouble.TROUBLE), "the trouble to be over")
    assert [r.job for r in caplog.records if getattr(r, "event", "") == "recovered"] == ["pull"]  # type: ignore[attr-defined]


def test_a_restart_tries_at_once_what_was_given_time(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A person has mended it, and does not wait a quarter of an hour; what is wrong still is not told again."""
    one = worker(world)
    look(one)
    _fail_pulls(one)
    assert one.due(set()) == []
    again = worker(world)
    _fail_pulls(again)
    assert again.app.contexts[NAME].salesforce.changes.call_count == 1  # type: ignore[attr-defined]
    assert caplog.text.count("The login is refused") == 1
    assert again.due(set()) == []
    assert trouble.Troubles.from_text(one.app.ledger.watermark(NAME, trouble.TROUBLE)).of["pull"].failures == 2
    deal = world.opportunity()
    serve(worker(world), lambda: synced(world, deal), "the record, at once")


def _fail_pulls(one: Worker) -> None:
    """The secret is wrong: the next pull, which is due, halts."""
    refused = mock.Mock(side_effect=LoginFailed("The login is refused."))
    one.app.contexts[NAME].salesforce.changes = refused  # type: ignore[method-assign]
    _hurry(one)
    look(one)


def test_a_connection_that_must_not_run_is_told_and_stops_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    one = worker(world)
    one.app.ledger.set_watermark(NAME, "organization", "00D000000000009EAA")
    look(one)
    assert "but the ledger was filled from" in caplog.text
    assert one.due(set()) == []
    (beat,) = [beat for beat in one.beats.all() if beat.loop == "verification"]
    assert (beat.connection, beat.is_halt) == (NAME, True)
    # Another machine may have better credentials, and asks for itself.
    two = worker(world, "worker two")
    assert [asked.connection for asked in two.due(set())] == [NAME]
    two.app.ledger.set_watermark(NAME, "organization", "")
    look(two)
    assert one.look(NAME, two.app.ledger.watermark(NAME, dues.AWS_ACCOUNT)) is None


def test_a_worker_that_is_let_in_tells_so_whoever_was_not_before(world: World) -> None:
    """Its failure stands in the ledger, and this process never met it: a person has mended the secret and restarted."""
    one = worker(world)
    refused = mock.Mock(side_effect=LoginFailed("The login is refused."))
    one.app.contexts[NAME].salesforce.identify = refused  # type: ignore[method-assign]
    look(one)
    assert state_of(one) == "halted"
    again = worker(world)
    look(again)
    assert state_of(again) == "running"


def state_of(one: Worker) -> str:
    seen, now = Serving(lambda: one.app, one.beats, "test", shares=True), one.app.clock.now()
    return healths_of(seen, look_at_ledger(seen, now, now), now)[NAME].state.value


def test_a_verification_that_a_spent_share_keeps_back_is_not_asked_for_at_each_tick(world: World) -> None:
    """Salesforce's share of the day may be free only in many hours."""
    one = worker(world)
    spent = mock.Mock(side_effect=QuotaExhausted("The share is spent.", delay=86_400.0))
    one.app.contexts[NAME].salesforce.identify = spent  # type: ignore[method-assign]
    for _ in range(3):
        look(one)
    assert spent.call_count == 1
    assert one.due(set()) == []


def test_a_ledger_that_goes_away_ends_the_turn_and_nothing_is_raised(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    one = worker(world)
    look(one)
    world.opportunity()
    _hurry(one)
    (asked,) = one.due(set())
    with mock.patch.object(type(one.app.ledger), "set_watermark", side_effect=LedgerUnavailable("It is gone.")):
        assert one.look(asked.connection, asked.lock) is None
    assert not one.app.contexts[NAME].stopping.is_set()
    assert "It is gone" in caplog.text


def test_a_stop_ends_a_turn(world: World) -> None:
    one = worker(world)
    look(one)
    world.opportunity()
    _hurry(one)
    (asked,) = one.due(set())
    one.app.stopping.set()
    assert one.look(asked.connection, asked.lock) is None
    assert one.app.contexts[NAME].stopping.is_set()


def test_a_connection_served_otherwise_is_left_to_who_serves_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    one = worker(world)
    look(one)
    world.write_config("    limits: {creates_per_day: 7}\n")
    two = worker(world, "worker two")
    _hurry(two)
    two.lives = lambda actor: actor == "worker one"
    assert two.due(set()) == []
    assert two.due(set()) == []
    told = [record.getMessage() for record in caplog.records if "another configuration" in record.getMessage()]
    assert len(told) == 1
    assert "worker one serves sandbox" in told[0]
    # Until that worker ends; or until it lives, but has served nothing for long.
    two.lives = lambda actor: False
    assert [asked.connection for asked in two.due(set())] == [NAME]
    look(two)
    one.lives = lambda actor: True
    _hurry(one)
    assert one.due(set()) == []


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_worker_that_reads_again_keeps_nobody_off_by_what_it_served_before(
    world: World, caplog: pytest.LogCaptureFixture, is_restarted: bool
) -> None:
    """All of a fleet have the new files; its last turn was with the old ones."""
    one, two = worker(world), worker(world, "worker two")
    look(one)
    assert one.app.ledger.watermark(NAME, dues.SERVED).endswith(" worker one")
    world.write_config("    limits: {creates_per_day: 7}\n")
    if is_restarted:
        worker(world)
    else:
        one.adopt(read_again(one.app))
    two.adopt(read_again(two.app))
    two.lives = lambda actor: True
    _hurry(two)
    assert [asked.connection for asked in two.due(set())] == [NAME]
    assert "another configuration" not in caplog.text
    look(two)
    noted = two.app.ledger.watermark(NAME, dues.SERVED)
    assert noted.endswith(" worker two")
    # What is another's, or as it should be, stays.
    for actor in ("worker one", "worker two"):
        worker(world, actor)
    assert two.app.ledger.watermark(NAME, dues.SERVED) == noted


def test_workers_that_agree_hear_of_the_same_looks(world: World) -> None:
    (address,) = worker(world).addresses()
    assert list(worker(world, "worker two").addresses()) == [address]
    assert len(address) <= 40
    world.write_config("    limits: {creates_per_day: 7}\n")
    assert list(worker(world).addresses()) != [address]


def test_a_reload_that_changes_nothing_keeps_the_clients(world: World) -> None:
    one = worker(world)
    context = one.app.contexts[NAME]
    difference = one.adopt(read_again(one.app))
    assert (difference.same, one.app.contexts[NAME]) == ((NAME,), context)
    assert not context.stopping.is_set()


def test_a_reload_replaces_what_has_changed(world: World) -> None:
    one = worker(world)
    look(one)
    before, address = one.app.contexts[NAME], next(iter(one.addresses()))
    world.write_config("    limits: {creates_per_day: 7}\n")
    asked: list[int] = []
    one.readdress = lambda: asked.append(1)
    assert one.adopt(read_again(one.app)).changed == (NAME,)
    assert before.stopping.is_set()
    assert one.app.contexts[NAME].limits.creates_per_day == 7
    assert next(iter(one.addresses())) != address
    assert asked
    deal = world.opportunity()
    _hurry(one)
    serve(one, lambda: synced(world, deal), "the record to be synced with the new")


def test_what_a_queue_is_made_with_stays_until_the_next_start(world: World) -> None:
    one = worker(world)
    before = one.app.config.fleet
    text = world.config.read_text(encoding="utf-8")
    changed = "fleet: {concurrency: 3, turn: 7s, heartbeat: 9s, dead_after: 40s}\n"
    world.config.write_text(changed + text, encoding="utf-8")
    assert read_again(one.app).kept_back == (), "a daemon has no use for it"
    successor = read_again(one.app, is_worker=True)
    assert [sentence.split()[0] for sentence in successor.kept_back] == [
        "fleet.concurrency",
        "fleet.heartbeat",
        "fleet.dead_after",
    ]
    one.adopt(successor)
    fleet = one.app.config.fleet
    kept = (fleet.concurrency, fleet.heartbeat, fleet.dead_after)
    assert kept == (before.concurrency, before.heartbeat, before.dead_after)
    assert fleet.turn == timedelta(seconds=7)
    again = read_again(one.app, is_worker=True)
    assert len(again.kept_back) == 3, "it is told until the worker is started again"
    world.config.write_text(text, encoding="utf-8")
    assert read_again(one.app, is_worker=True).kept_back == ()


def test_a_reload_waits_for_the_turn_under_way(world: World) -> None:
    one = worker(world)
    look(one)
    before = one.app.contexts[NAME]
    world.opportunity()
    _hurry(one)
    (asked,) = one.due(set())
    inside, go_on = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        inside.set()
        go_on.wait(20)

    with _after_each_call(one, hold), ThreadPoolExecutor(1) as pool:
        turn = pool.submit(one.look, asked.connection, asked.lock)
        assert inside.wait(20)
        world.write_config("    limits: {creates_per_day: 7}\n")
        one.adopt(read_again(one.app))
        assert one.app.contexts[NAME] is before
        assert one.addresses() == []
        one.is_awaited = lambda _: True
        go_on.set()
        # What is left of it is for the next tick: nobody hears of it under the address of before.
        assert turn.result(timeout=30) is None
    assert one.app.contexts[NAME] is not before
    assert one.app.contexts[NAME].limits.creates_per_day == 7


def test_a_connection_is_counted_anew_after_others_had_its_account(world: World) -> None:
    """Salesforce counts by connection: a turn of another one of the account makes up for nothing."""
    one, two = worker(world), worker(world, "worker two")
    look(one)
    account = one.app.ledger.watermark(NAME, dues.AWS_ACCOUNT)
    (here,), (there,) = one._served.values(), two._served.values()
    sister = replace(here, context=replace(here.context, name="sister"))
    told: list[tuple[str, bool]] = []
    one.app.resume = lambda context, free_in, *, after_others: told.append((context.name, after_others))  # type: ignore[method-assign]

    def turn(each: Worker, served: Served) -> None:
        each._hand_over(served, each.app.ledger.take_fence(account, each.app.actor))

    turn(one, here)
    turn(two, there)
    for served in (sister, here, here, sister, here):
        turn(one, served)
    turn(two, there)
    turn(one, here)
    assert told == [
        (NAME, False),
        ("sister", True),
        (NAME, True),
        (NAME, False),
        ("sister", False),
        (NAME, False),
        (NAME, True),
    ]


@contextmanager
def _after_each_call(one: Worker, do: Callable[..., object]) -> Iterator[None]:
    """After AWS has answered a call and before the worker knows."""
    client = one.app.contexts[NAME].partner_central
    call = client.call

    def called(*arguments: object, **named: object) -> object:
        answer = call(*arguments, **named)  # type: ignore[arg-type]
        do()
        return answer

    with mock.patch.object(client, "call", called):
        yield


def _hurry(one: Worker) -> None:
    """As if the last pull had been long ago."""
    one.app.ledger.set_watermark(NAME, "last_pull", "")


def _forgive(one: Worker) -> None:
    """As if the pauses were over."""
    known = trouble.Troubles.from_text(one.app.ledger.watermark(NAME, trouble.TROUBLE))
    over = {verb: trouble.Trouble(1, one.app.clock.now(), known.of[verb].told) for verb in known.of}
    one.app.ledger.set_watermark(NAME, trouble.TROUBLE, trouble.Troubles(over).to_text())


def test_the_calls_of_a_long_turn_are_counted_before_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.fleet.turn.COUNTED_EVERY", 0.1)
    world.opportunity()
    world.sandbox.faults.add(on="CreateOpportunity", at="after", do="hang", seconds=5.0)
    one, ledger = worker(world), world.app().ledger
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(look, one)
        wait_until(lambda: ledger.usage(NAME, "salesforce_calls", one.app.clock.now()) > 0, "them to be counted", 20)
        assert not turn.done()
        turn.result(60)
