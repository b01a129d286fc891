"""Drives the four verbs until chosen records are settled, then stops. What ``resync`` and ``demo`` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.core import plan
from connector.core.lifecycle import TaskStatus
from connector.core.model import Link
from connector.sync import learn
from connector.sync.advance import advance
from connector.sync.context import Context
from connector.sync.follow import follow_invitations, refresh
from connector.sync.guards import is_cut_off
from connector.sync.observe import follow_tasks, observe
from connector.sync.pull import pull, pull_ids
from connector.sync.write_back import write_back

PATIENCE = timedelta(minutes=10)
"""How long to wait for what only time brings: a running task, a lock, a service that is down."""

MOST = 100_000
"""Links that one run may settle."""

PAGE = 500

_WRITES = (plan.Create, plan.Update, plan.Attach, plan.Detach, plan.Submit, plan.Assign, plan.Invite)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: records settled of ``total``, writes to AWS still to be made."""

    settled: int
    total: int
    writes_left: int


def settle(
    context: Context,
    salesforce_ids: Sequence[str] | None,
    *,
    tell: Callable[[Progress], None] | None = None,
    patience: timedelta = PATIENCE,
) -> None:
    """Read the records (None: all flagged ones), bring them to AWS, follow their tasks, write back.

    Returns when nothing is left that could be done within ``patience``. Raises TemporaryError or Halt.
    """
    if salesforce_ids is None:
        pull(context, sweep=True)
    else:
        if is_cut_off(context):
            pull(context)
        pull_ids(context, salesforce_ids)
    observe(context)
    follow_invitations(context, salesforce_ids, at_once=True)
    has_refreshed = salesforce_ids is None  # of all records that would be too many reads
    count = _Count(context, salesforce_ids, tell)
    give_up = context.now + patience
    while not context.stopping.is_set():
        advance(context, only=salesforce_ids, on_step=count.step)
        follow_tasks(context)
        refresh(context, salesforce_ids)
        follow_invitations(context, salesforce_ids)
        if context.ledger.work_due(*context.key, context.now, salesforce_ids)["advance"]:
            continue
        # The review status of all that was submitted is asked for together.
        soon = context.ledger.work_due(*context.key, context.now + learn.CONFIRM_AFTER, salesforce_ids)
        if context.submitted.is_set() and not soon["observe"] and observe(context):
            continue
        write_back(context)
        if context.now >= give_up or not _has_more(context, salesforce_ids, give_up):
            if has_refreshed:
                return
            # A person who asks for a record wants to know how it stands at AWS now.
            refresh(context, salesforce_ids, at_once=True)
            has_refreshed = True
            continue
        context.clock.sleep(0.5)


def _has_more(context: Context, only: Sequence[str] | None, until: datetime) -> bool:
    """Whether anything is left to wait for.

    Not for the review to begin: a finished task that is looked at until then is the daemon's to follow.
    """
    work = context.ledger.work_due(*context.key, until, only)
    if work["advance"] or work["write_back"]:
        return True
    if context.ledger.work_due(*context.key, context.now + learn.CONFIRM_AFTER, only)["observe"]:
        return True
    polls = context.ledger.polls_due(*context.key, until, MOST) if work["observe"] else []
    chosen = (link for link in polls if only is None or link.salesforce_id in only)
    return any(link.task is None or link.task.status != TaskStatus.COMPLETE for link in chosen)


class _Count:
    """Counts what is done, for a progress bar."""

    def __init__(self, context: Context, only: Sequence[str] | None, tell: Callable[[Progress], None] | None) -> None:
        self._tell = tell
        due = context.ledger.due(*context.key, context.now, MOST, only) if tell is not None else []
        self._writes = {
            link.id: writes_of(context, link)
            for start in range(0, len(due), PAGE)
            for link in context.ledger.links(due[start : start + PAGE])
        }
        self._total = len(due)
        self._settled: set[int] = set()
        self._report()

    def step(self, link: Link) -> None:
        self._settled.add(link.id)
        self._writes.pop(link.id, None)
        self._report()

    def _report(self) -> None:
        if self._tell is not None:
            total = max(self._total, len(self._settled))
            self._tell(Progress(len(self._settled), total, sum(self._writes.values())))


def writes_of(context: Context, link: Link) -> int:
    """How many writes to AWS a link still needs, as far as can be foreseen."""
    actions = plan.plan_link(link, context.policy, context.now)
    return sum(1 for action in actions if isinstance(action, _WRITES))
