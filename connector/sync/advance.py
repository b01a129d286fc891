"""advance: takes links that have a next step, plans it with the pure core, and performs it at the quota's pace.

Several links are under way at once, each in one thread and strictly in order; a link is finished before new ones
begin. Nothing is decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from connector.core import plan
from connector.core.facts import unlike
from connector.core.model import Link
from connector.core.plan import Action, Rest
from connector.core.retry import next_attempt
from connector.errors import ConnectorError, Halt, RecordError, StaleVersion, TemporaryError
from connector.sync.context import Context
from connector.sync.observe import has_observed, observe
from connector.sync.perform import perform

logger = logging.getLogger(__name__)

STEPS_OF_A_LINK = 60
"""More steps than any link can have (ten solutions, twenty products, …); past it something turns in a circle."""


def advance(
    context: Context, *, only: Sequence[str] | None = None, on_step: Callable[[Link], None] | None = None
) -> int:
    """Work until no link is due. Gives how many links came to rest. Raises Halt once what is in flight is done.

    ``only`` narrows the work to these Salesforce ids. ``on_step`` is told each link that came to
    rest, from a worker thread.
    """
    if not has_observed(context):
        observe(context)
    rested = 0
    halt: Halt | None = None
    busy: dict[Future[Link], int] = {}
    with ThreadPoolExecutor(context.in_flight, thread_name_prefix=f"advance-{context.name}") as pool:
        while True:
            if halt is None and not context.stopping.is_set():
                for number in _next(context, busy, only):
                    busy[pool.submit(_work, context, number)] = number
            if not busy:
                break
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                del busy[future]
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


def _next(context: Context, busy: dict[Future[Link], int], only: Sequence[str] | None) -> list[int]:
    free = context.in_flight - len(busy)
    if free <= 0:
        return []
    taken = set(busy.values())
    due = context.ledger.due(*context.key, context.now, free + len(taken), only)
    return [number for number in due if number not in taken][:free]


def _work(context: Context, number: int) -> Link:
    """Take one link from step to step until it comes to rest."""
    for _ in range(STEPS_OF_A_LINK):
        link = context.ledger.link(number)
        actions = plan.plan_link(link, context.mapping.owned_paths, context.now)
        action = actions[0]
        if plan.is_rest(action) or context.stopping.is_set():
            break
        try:
            deferred = perform(context, link, action)
        except StaleVersion:
            continue
        except Halt:
            raise
        except Exception as error:  # noqa: BLE001 (the one place: one record's trouble stops that record only)
            _put_off(context, link, error)
            continue
        if deferred is not None:
            action = deferred
            break
    rest(context, link, action)
    return link


def rest(context: Context, link: Link, action: Action) -> None:
    """Note that a link has come to rest, and whether Salesforce has to be told."""
    status = str(plan.status_of(action))
    message = str(getattr(action, "reason", "") or "Being worked on.")
    until: datetime | None = getattr(action, "until", None)
    if not isinstance(action, Rest):
        until = context.now
    values = context.values_to_show(link, status, message, link.changed_at)
    news = bool(unlike(values, link.shown, ignored=context.stamp_fields)) or link.changed_at is None
    show = news or bool(unlike(values, link.shown))
    context.ledger.rest(link.id, status, message, until, context.now, show=show, news=news, planned=link)
    if news:
        extra = {"event": "rested", **_ids(context, link), "status": status}
        logger.info("%s: %s. %s", link.salesforce_id, status, _in_short(action, message), extra=extra)


def _in_short(action: Action, message: str) -> str:
    """For the log: which fields hold the record; the whole text is for the record and for ``show``."""
    problems = action.problems if isinstance(action, plan.Hold) else ()
    if not problems:
        return message
    return "To mend: " + ", ".join(dict.fromkeys(problem.salesforce_field or problem.path for problem in problems))


def _put_off(context: Context, link: Link, error: Exception) -> None:
    """Something went wrong around this link, outside of an operation: look again later."""
    known = isinstance(error, ConnectorError)
    attempts = link.attempts + 1
    delay = error.delay if isinstance(error, TemporaryError) else 30.0 if isinstance(error, RecordError) else 60.0
    later = next_attempt(attempts, context.now, delay)
    extra = {"event": "put_off", **_ids(context, link), "attempt": attempts}
    logger.log(
        logging.WARNING if known else logging.ERROR,
        "%s is tried again later: %s",
        link.salesforce_id,
        error if known else f"unexpected {type(error).__name__}",
        extra=extra,
        exc_info=None if known else error,
    )
    context.ledger.change(link.id, context.now, attempts=attempts, next_try_at=later + timedelta(0))


def _ids(context: Context, link: Link) -> dict[str, str]:
    return {
        "connection": context.name,
        "salesforce_id": link.salesforce_id,
        "opportunity_id": link.opportunity_id,
    }
