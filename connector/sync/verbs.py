"""The loops of one connection: what is looked at, how often. A daemon drives each in a thread, a worker in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from connector.sync import admission, guards
from connector.sync.advance import advance
from connector.sync.context import Context
from connector.sync.follow import follow_invitations, refresh
from connector.sync.observe import follow_tasks, observe
from connector.sync.pull import pull, pull_ids, sweep_is_due
from connector.sync.write_back import write_back

TICK = timedelta(seconds=1)
REVIEW_EVERY = timedelta(seconds=10)
"""How soon after a submission its review status is looked at, however rarely ``schedule.observe`` does."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One loop: ``run`` looks at the ledger first, and only then at a service, so that looking often costs little.

    ``every`` is counted from the end of the look before. ``run`` raises TemporaryError or Halt. ``work`` is what
    ``Ledger.awaiting`` calls the work that it is for: while there is none it need not be run. "" is always run.
    """

    name: str
    every: timedelta
    run: Callable[[], object]
    work: str = ""


def verbs_of(context: Context, pull_every: timedelta, observe_every: timedelta, full_sweep: timedelta) -> list[Verb]:
    """Everything that keeps one connection in step, in the order in which one look follows from another."""

    def pulling() -> None:
        pull(context, sweep=sweep_is_due(context, full_sweep))

    return [
        Verb("pull", pull_every, pulling),
        Verb("requests", TICK, lambda: answer_requests(context), "requests"),
        Verb("advance", TICK, lambda: _advance(context), "advance"),
        Verb("observe", observe_every, lambda: observe(context)),
        Verb("tasks", TICK, lambda: follow_tasks(context), "tasks"),
        Verb("review", REVIEW_EVERY, lambda: context.submitted.is_set() and observe(context)),
        Verb("refresh", TICK, lambda: refresh(context), "refresh"),
        Verb("answers", TICK, lambda: follow_invitations(context), "answers"),
        Verb("write back", TICK, lambda: write_back(context), "write_back"),
    ]


def _advance(context: Context) -> None:
    if context.ledger.due(*context.key, context.now, 1):
        advance(context)


def answer_requests(context: Context) -> None:
    """Read the records that a person asked for while this process owns the ledger.

    Under the guard of a changed mapping only what was released; the sweep that follows the guard reads the others.
    """
    if not context.ledger.requests(context.name):
        return
    with guards.looking(context):
        while (requests := context.ledger.requests(context.name)) and not context.stopping.is_set():
            wanted = admission.readable(context, sorted({salesforce_id for _, salesforce_id in requests}))
            if wanted:
                pull_ids(context, wanted, context.ledger.asked([number for number, _ in requests]))
            context.ledger.requests_done([number for number, _ in requests])
    guards.end_release(context)
    guards.look_again(context)
