"""advance: takes links that have a next step, plans it with the pure core, and performs it at the quota's pace.

Several links are under way at once, each in one thread and strictly in order; a link is finished before new ones
begin. Nothing is decided here.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from connector import tracing
from connector.core import plan
from connector.core.lifecycle import TaskStatus
from connector.core.model import Link
from connector.core.plan import Action, Wait
from connector.core.retry import next_attempt, next_look_up
from connector.errors import ConnectorError, Halt, RecordError, StaleVersion, TemporaryError
from connector.sync.context import Context
from connector.sync.observe import has_observed, observe
from connector.sync.perform import Rested, perform
from connector.sync.rests import come_to_rest, next_action
from connector.sync.second_look import look_at_many

logger = logging.getLogger(__name__)

STEPS_OF_A_LINK = 60
"""More steps than any link can have (ten solutions, twenty products, …); past it something turns in a circle."""

_AS_THE_THIRD = 3
"""The pause of a submission that something else than its task puts off is that after this many failures: 8 s."""

QUEUE_PER_THREAD = 8
QUEUE_SECONDS = 1.0
"""The links next in line are read for some calls at once, and again soon: one that waits to be finished goes first."""


def advance(
    context: Context, *, only: Sequence[str] | None = None, on_step: Callable[[Link], None] | None = None
) -> int:
    """Work until no link is due. Gives how many links came to rest. Raises Halt once what is in flight is done.

    ``only`` narrows the work to these Salesforce ids. ``on_step`` is told each link that came to rest.
    """
    if not has_observed(context):
        observe(context)
    rested = 0
    halt: Halt | None = None
    queue = _Queue(context, only)
    busy: dict[Future[Link], int] = {}
    done: SimpleQueue[Future[Link]] = SimpleQueue()
    work = tracing.carried(_work)
    with ThreadPoolExecutor(context.in_flight, thread_name_prefix=f"advance-{context.name}") as pool:
        while True:
            if halt is None and not context.stopping.is_set():
                for link in queue.take(context.in_flight - len(busy), set(busy.values())):
                    future = pool.submit(work, context, link)
                    busy[future] = link.id
                    future.add_done_callback(done.put)
                rested += _tell(queue.rested, on_step)
            if not busy:
                break
            future = done.get()
            del busy[future]
            context.moved()
            try:
                link = future.result()
            except Halt as error:
                halt = halt or error
                continue
            rested += 1
            if on_step is not None:
                on_step(link)
    if halt is not None:
        raise halt
    return rested


def _tell(rested: list[Link], on_step: Callable[[Link], None] | None) -> int:
    """Take the links that came to rest without being worked on, and tell of each. Gives their number."""
    count = len(rested)
    for link in rested:
        if on_step is not None:
            on_step(link)
    rested.clear()
    return count


class _Queue:
    """Links that are due, a handful at a time, so that those to be finished come before new ones.

    What has nothing to do but to rest is put to rest here, all of a handful in one transaction.
    """

    def __init__(self, context: Context, only: Sequence[str] | None) -> None:
        self._context = context
        self._only = only
        self._links: deque[Link] = deque()
        self._read_at = float("-inf")
        self.rested: list[Link] = []

    def take(self, count: int, busy: Collection[int]) -> list[Link]:
        """At most ``count`` links that have something to do and are not ``busy``."""
        taken: list[Link] = []
        while len(taken) < count:
            is_old = self._context.clock.monotonic() - self._read_at > QUEUE_SECONDS
            if (not self._links or is_old) and not self._read({*busy, *(link.id for link in taken)}):
                break
            if self._links:
                taken.append(self._links.popleft())
        return taken

    def _read(self, busy: Collection[int]) -> bool:
        """Look for what is due. Gives whether anything was found that is not ``busy``."""
        context = self._context
        limit = QUEUE_PER_THREAD * context.in_flight + len(busy)
        due = [n for n in context.ledger.due(*context.key, context.now, limit, self._only) if n not in busy]
        waiting = {link.id: link for link in self._links}
        new = [number for number in due if number not in waiting]
        planned = self._plan(new)
        if look_at_many(context, planned):
            planned = self._plan(new)
        rested = [(link, action) for link, action in planned if plan.is_rest(action)]
        if rested:
            come_to_rest(context, rested)
            self.rested += (link for link, _ in rested)
        waiting |= {link.id: link for link, action in planned if not plan.is_rest(action)}
        self._links = deque(waiting[number] for number in due if number in waiting)
        self._read_at = context.clock.monotonic()
        return bool(due)

    def _plan(self, numbers: Sequence[int]) -> list[tuple[Link, Action]]:
        return [(link, next_action(self._context, link)) for link in self._context.ledger.links(numbers)]


def _work(context: Context, link: Link) -> Link:
    """Take one link from step to step until it comes to rest."""
    with tracing.steps(context.name, link.salesforce_id, link.opportunity_id):
        rested = _step(context, link)
        tracing.note({"opportunity_id": rested.opportunity_id})
    return rested


def _step(context: Context, link: Link) -> Link:
    for _ in range(STEPS_OF_A_LINK):
        action = next_action(context, link)
        if plan.is_rest(action) or context.stopping.is_set():
            break
        try:
            outcome = perform(context, link, action)
        except StaleVersion:
            link = context.ledger.link(link.id)
            continue
        except Halt:
            raise
        except Exception as error:  # noqa: BLE001 (the one place: one record's trouble stops that record only)
            link = _put_off(context, context.ledger.link(link.id), error)
            continue
        if isinstance(outcome, Rested):
            return outcome.link
        if isinstance(outcome, Wait):
            action = outcome
            break
        link = outcome
    come_to_rest(context, [(link, action)])
    return link


def _put_off(context: Context, link: Link, error: Exception) -> Link:
    """Something went wrong around this link, outside of a write: look again later."""
    known = isinstance(error, ConnectorError)
    operation = link.operation
    attempts = operation.attempts if operation is not None else link.attempts + 1
    delay = error.delay if isinstance(error, TemporaryError) else 30.0 if isinstance(error, RecordError) else 60.0
    extra = {"event": "put_off", **_ids(context, link), "attempt": attempts}
    logger.log(
        logging.WARNING if known else logging.ERROR,
        "%s is tried again later: %s",
        link.salesforce_id,
        error if known else f"unexpected {type(error).__name__}",
        extra=extra,
        exc_info=None if known else error,
    )
    if operation is None and link.task is not None and link.task.status == TaskStatus.FAILED:
        # Its attempts are the submissions that failed, after which a person is asked: this is none.
        later = next_attempt(max(link.attempts, _AS_THE_THIRD), context.now, delay)
        return context.ledger.change(link, context.now, next_try_at=later)
    if operation is None:
        later = next_attempt(attempts, context.now, delay)
        return context.ledger.change(link, context.now, attempts=attempts, next_try_at=later)
    # It is the look-up of what became of it that failed. Of the link nothing is known to be wrong.
    age = (context.now - (operation.sent_at or context.now)).total_seconds()
    later, words = next_look_up(age, context.now, delay), operation.error or "What became of it is not known."
    return context.ledger.postpone(link, words, operation.ambiguous, later, context.now)


def _ids(context: Context, link: Link) -> dict[str, str]:
    return {
        "connection": context.name,
        "salesforce_id": link.salesforce_id,
        "opportunity_id": link.opportunity_id,
    }
