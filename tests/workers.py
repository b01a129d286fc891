"""Workers of a fleet without their queue: each has an application of its own, as on a machine of its own."""

from __future__ import annotations

from connector.adapters.queue import Look
from connector.fleet.worker import Worker
from connector.watch.beats import Beats
from tests.world import World


def worker(world: World, actor: str = "worker one") -> Worker:
    app = world.app()
    app.actor = actor
    return Worker(app, Beats(), is_awaited=lambda _: False)


def look(one: Worker) -> Look | None:
    """As the queue does it: what is due is looked at, and what has to follow at once, until nothing has."""
    asked = list(one.due(set()))
    last = None
    while asked:
        last = one.look(asked[0].connection, asked[0].lock)
        asked = [last] if last is not None else []
    return last
