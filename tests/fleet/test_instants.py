"""A worker that stands still at an exact instant of a write while another one takes over and does it all.

Processes that are paused at random moments seldom meet these instants, see ``test_proofs.py``; here they are met one by
one, in this process. What the replaced worker has not sent by then it never sends. ``make prove`` takes all of them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest

from connector.adapters.partner_central.departure import Departure
from connector.adapters.partner_central.pace import Pace, Turn
from connector.fleet.worker import Worker
from connector.sandbox.partner_central.quota import kind_of
from tests import audit
from tests.audit import START
from tests.workers import look, worker
from tests.world import World, wait_until

NAME = "sandbox"
INSTANTS = WAITING, BEFORE, IN_LINE, ABOUT, LEAVING, ANSWERED = (
    "while it waits for the pace to have room",
    "before its commit",
    "in line for its turn",
    "about to leave",
    "as its bytes leave",
    "answered, and not recorded",
)
SENDS_NOTHING = (WAITING, BEFORE, IN_LINE, ABOUT)
"""Instants at which nothing was sent; after the fifth it is sent beside its successor's, and does no harm."""
OPERATIONS = ("CreateOpportunity", "AssociateOpportunity", START, "UpdateOpportunity")
STOOD_STILL = 60.0


@dataclass
class Pause:
    """Strikes once: this thread stands still for a minute, in which ``meanwhile`` happens."""

    operation: str
    instant: str
    worker: Worker
    meanwhile: Callable[[], None]
    struck: threading.Event = field(default_factory=threading.Event)

    def reach(self, instant: str) -> None:
        if instant == self.instant and not self.struck.is_set():
            self.struck.set()
            self.meanwhile()
            _let_pass(self.worker, STOOD_STILL)


_HERE: ContextVar[Pause | None] = ContextVar("pause", default=None)
"""The pause of the write that this thread is at."""


def _reach(instant: str) -> None:
    pause = _HERE.get()
    if pause is not None:
        pause.reach(instant)


def _let_pass(worker: Worker, seconds: float) -> None:
    """The clock of one worker alone."""
    clock: Any = worker.app.contexts[NAME].clock
    monotonic = clock.monotonic
    clock.monotonic = lambda: monotonic() + seconds


@contextmanager
def paused(pause: Pause) -> Iterator[None]:
    """The worker meets the pause at the first write of that kind."""
    client = pause.worker.app.contexts[NAME].partner_central
    call = client.call

    def called(operation: str, parameters: Any, on_send: Callable[[], None] | None = None) -> Any:
        if operation != pause.operation or on_send is None:
            return call(operation, parameters, on_send)

        def committed() -> None:
            _reach(BEFORE)
            on_send()

        token = _HERE.set(pause)
        try:
            answer = call(operation, parameters, committed)
            _reach(ANSWERED)
            return answer
        finally:
            _HERE.reset(token)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(client, "call", called))
        for owner, name, instant in (
            (Pace, "enter", WAITING),
            (Pace, "wait_turn", IN_LINE),
            (Departure, "leave", ABOUT),
            (Turn, "leave", LEAVING),
        ):
            stack.enter_context(mock.patch.object(owner, name, _reaching(getattr(owner, name), instant)))
        yield


def _reaching(method: Callable[..., Any], instant: str) -> Callable[..., Any]:
    def reached(*arguments: Any) -> Any:
        _reach(instant)
        return method(*arguments)

    return reached


def serve(one: Worker, until: Callable[[], bool], what: str) -> None:
    def served() -> bool:
        look(one)
        return until()

    wait_until(served, what, 60)


def writes(world: World) -> int:
    return sum(kind_of(entry.operation) == "write" for entry in list(world.sandbox.service.journal))


def synced(world: World, deal: str, next_step: str | None = None) -> bool:
    at_aws = world.at_aws(deal)
    shown = [one["LifeCycle"].get("NextSteps") for one in at_aws]
    return world.record(deal)["AWS_Sync_Status__c"] == "Synced" and shown == [next_step]


ALL = tuple((operation, instant) for operation in OPERATIONS for instant in INSTANTS)
SOME = tuple((operation, instant) for operation, instant in ALL if operation == OPERATIONS[0] or instant == ABOUT)
# Written ahead with the end of the call before it, so that the commit may be old when its own turn begins.
SOME += ((START, WAITING),)


@pytest.mark.parametrize(("operation", "instant"), ALL if os.environ.get("CONNECTOR_PROVE") else SOME)
def test_who_stood_still_at_this_instant_does_nothing_twice(world: World, operation: str, instant: str) -> None:
    world.write_config()
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text("schedule: {pull: 200ms, observe: 200ms}\n" + text, encoding="utf-8")
    one, two = worker(world, "worker one"), worker(world, "worker two")
    deal = world.opportunity()
    wanted = None
    if operation == "UpdateOpportunity":
        wanted = _approved_and_edited(world, two, deal)
    written: list[int] = []

    def taken_over() -> None:
        serve(two, lambda: synced(world, deal, wanted), "the successor to do it all")
        written.append(writes(world))

    pause = Pause(operation, instant, one, taken_over)
    with paused(pause):
        serve(one, pause.struck.is_set, "the pause")
    if instant in SENDS_NOTHING:
        assert [writes(world)] == written
    assert writes(world) <= written[0] + 1
    assert world.effects(deal)[operation] == 1
    assert audit.always(world, [deal]) == []
    serve(one, lambda: synced(world, deal, wanted), "the one that stood still to see it so, too")
    another = world.opportunity()
    serve(one, lambda: synced(world, another), "it to take part again")
    assert world.effects(another)["CreateOpportunity"] == 1


def _approved_and_edited(world: World, two: Worker, deal: str) -> str:
    """A record that AWS has approved and a seller has changed since."""
    serve(two, lambda: synced(world, deal), "the record to be submitted")
    (opportunity,) = world.at_aws(deal)
    world.sandbox.service.review(opportunity["Id"], "In review")
    world.sandbox.service.review(opportunity["Id"], "Approved")
    serve(two, lambda: world.record(deal)["AWS_Review_Status__c"] == "Approved", "the approval to be seen")
    world.edit(deal, NextStep="Call them on Monday")
    return "Call them on Monday"
