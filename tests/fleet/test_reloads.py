"""SIGHUP beside looks at every instant: a connection is replaced once, and no failure of one ends the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest

from connector.app import App
from connector.daemon.succession import read_again
from connector.errors import UserError
from connector.fleet import dues
from connector.fleet.worker import Worker
from connector.sync import Context
from tests.workers import look, worker
from tests.world import World, wait_until

NAME = "sandbox"


def serves(one: Worker, world: World) -> bool:
    """Whether a record comes all the way with what the worker has now."""
    deal = world.opportunity()

    def synced() -> bool:
        one.app.ledger.set_watermark(NAME, "last_pull", "")
        look(one)
        return bool(world.record(deal)["AWS_Sync_Status__c"] == "Synced")

    wait_until(synced, "the record to be synced", 30)
    return True


def edit(world: World) -> None:
    world.write_config("    limits: {creates_per_day: 7}\n")


def when_stopped(context: Context, do: Callable[[], object]) -> None:
    """Right after a reload has decided what ends, and before it ends it."""
    stop = context.stopping.set
    context.stopping.set = lambda: (stop(), do())[0]  # type: ignore[method-assign]


def releases(app: App, do: Callable[[], object] = lambda: None) -> list[Context]:
    """What is released from now on; ``do`` is done before each."""
    seen: list[Context] = []
    release = app.release

    def released(context: Context) -> None:
        seen.append(context)
        do()
        release(context)

    app.release = released  # type: ignore[method-assign]
    return seen


def test_a_look_that_ends_before_the_reload_goes_on_replaces_the_connection_alone(world: World) -> None:
    one = worker(world)
    look(one)
    before = one.app.contexts[NAME]
    released = releases(one.app)
    with ThreadPoolExecutor(1) as queue:
        when_stopped(before, lambda: queue.submit(one.look, NAME, "any").result(20))
        edit(world)
        assert one.adopt(read_again(one.app)).changed == (NAME,)
    assert released == [before]
    assert one.app.contexts[NAME].limits.creates_per_day == 7
    assert serves(one, world)


def test_a_reload_leaves_the_connection_to_the_look_that_is_replacing_it(world: World) -> None:
    """By the name alone the one that comes second would close the new clients, and each later turn would fail."""
    one = worker(world)
    look(one)
    before = one.app.contexts[NAME]
    inside, go_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            go_on.wait(20)

    released = releases(one.app, stand_still)
    with ThreadPoolExecutor(1) as queue:
        looks: list[Any] = []

        def begin() -> None:
            looks.append(queue.submit(one.look, NAME, "any"))
            assert inside.wait(20)

        when_stopped(before, begin)
        edit(world)
        one.adopt(read_again(one.app))
        go_on.set()
        assert looks[0].result(timeout=20) is None
    assert released == [before]
    assert one.app.contexts[NAME].limits.creates_per_day == 7
    assert serves(one, world)


def test_a_connection_that_comes_back_while_it_is_replaced_keeps_its_new_clients(world: World) -> None:
    """Taken out of the configuration, and put back while what it used is still being closed."""
    one = worker(world)
    look(one)
    before, successor = one.app.contexts[NAME], read_again(one.app)
    gone = mock.Mock(config=successor.config, compiled=successor.compiled, versions={})
    closed = mock.Mock(wraps=before.partner_central.close)  # type: ignore[attr-defined]
    before.partner_central.close = closed  # type: ignore[attr-defined]
    added: list[tuple[str, ...]] = []
    released = releases(one.app, lambda: added.append(one.adopt(successor).added) if not added else None)
    assert one.adopt(gone).removed == (NAME,)
    assert (released, added) == ([before], [(NAME,)])
    assert closed.call_count == 1, "the old ones are closed"
    assert one.app.contexts[NAME] is not before
    assert serves(one, world)


@pytest.mark.parametrize("part", ["release", "renew"])
def test_a_reload_that_fails_for_a_connection_is_told_and_tried_again(
    world: World, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    one = worker(world)
    look(one)
    edit(world)
    successor = read_again(one.app)
    with mock.patch.object(one.app, part, side_effect=RuntimeError("It is broken.")):
        one.adopt(successor)
        one.due(set())
        one.due(set())
    told = [record.getMessage() for record in caplog.records if getattr(record, "event", "") == "job_failed"]
    assert told == [f"reload of {NAME}: unexpected RuntimeError: It is broken."]
    assert serves(one, world)
    assert one.app.contexts[NAME].limits.creates_per_day == 7


def test_each_reload_tells_what_is_still_wrong(world: World, caplog: pytest.LogCaptureFixture) -> None:
    one = worker(world)
    edit(world)
    with mock.patch.object(one.app, "renew", side_effect=UserError("A secret is not set.")):
        for _ in range(2):
            one.adopt(read_again(one.app))
            for _ in range(3):
                one.due(set())
    assert caplog.text.count("reload of sandbox: A secret is not set.") == 2
    assert serves(one, world)


@pytest.mark.parametrize("part", ["resume", "record_usage"])
def test_a_turn_that_fails_at_either_end_gives_its_account_back(world: World, part: str) -> None:
    one = worker(world)
    look(one)
    world.opportunity()
    one.app.ledger.set_watermark(NAME, "last_pull", "")
    (asked,) = one.due(set())
    with mock.patch.object(one.app, part, side_effect=KeyError(NAME)):
        assert one.look(asked.connection, asked.lock) is None
    account = one.app.ledger.watermark(NAME, dues.AWS_ACCOUNT)
    assert one.app.ledger.take_fence(account, "a test").free_in is not None, "it was given back"
    assert serves(one, world)


def test_what_could_not_be_taken_over_is_taken_over_by_the_next_turn(world: World) -> None:
    """The ledger was away when it was asked for what others had spent."""
    one = worker(world)
    look(one)
    account, (served,) = one.app.ledger.watermark(NAME, dues.AWS_ACCOUNT), one._served.values()
    one.app.ledger.take_fence(account, "another")
    told: list[bool] = []

    def resume(_context: Context, _free_in: float | None, *, after_others: bool) -> None:
        told.append(after_others)
        if len(told) == 1:
            raise KeyError(NAME)

    with mock.patch.object(one.app, "resume", resume):
        with pytest.raises(KeyError):
            one._hand_over(served, one.app.ledger.take_fence(account, one.app.actor))
        for _ in range(2):
            one._hand_over(served, one.app.ledger.take_fence(account, one.app.actor))
    assert told == [True, True, False]
