"""How a link comes to rest: what Salesforce should show of it then, and when it is looked at again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from connector.core import plan
from connector.core.lifecycle import meaning_of
from connector.core.model import Link
from connector.core.plan import Action
from connector.ports import LinkChanges, Rest
from connector.sync.context import Context
from connector.sync.learn import facts_of

logger = logging.getLogger(__name__)


def next_action(context: Context, link: Link) -> Action:
    """What has to be done for a link first."""
    return plan.plan_link(link, context.policy, context.now)[0]


def come_to_rest(context: Context, planned: Sequence[tuple[Link, Action]]) -> None:
    """Note that links have come to rest, and whether Salesforce has to be told."""
    rests = [(link, rest_of(context, link, action)) for link, action in planned]
    context.ledger.rest(rests, context.now)
    for (link, action), (_, rest) in zip(planned, rests, strict=True):
        tell_rest(context, link, action, rest)


def rest_of(context: Context, link: Link, action: Action) -> Rest:
    """The rest that this action is; one that would do something is put off until it is looked at again."""
    status = str(plan.status_of(action))
    message = str(getattr(action, "reason", "") or "Being worked on.")
    until: datetime | None = getattr(action, "until", None)
    if not plan.is_rest(action):
        until = context.now
    unshown = context.unshown(link, status, message)
    news = link.changed_at is None or any(name not in context.stamp_fields for name in unshown.values)
    show = news or bool(unshown.values or unshown.taken)
    return Rest(status, message, until, show=show, news=news, code=code_of(action))


def code_of(action: Action) -> str:
    """The code of the first problem that holds a link, so that held ones can be counted by it."""
    return action.problems[0].code[:64] if isinstance(action, plan.Hold) and action.problems else ""


Learned: TypeAlias = tuple[Link, LinkChanges, bool | Rest]
"""A link, what it learned, and whether it has to be planned again or where it comes to rest."""


def with_rest(context: Context, link: Link, changes: LinkChanges) -> Learned:
    """What follows for a link that learns these facts; a rest is told in the log."""
    after = replace(link, **facts_of(changes))
    action = next_action(context, after)
    if not plan.is_rest(action):
        return link, changes, True
    rest = rest_of(context, after, action)
    tell_rest(context, after, action, rest)
    return link, changes, rest


def tell_rest(context: Context, link: Link, action: Action, rest: Rest) -> None:
    """A line in the log, where Salesforce will show something new."""
    if not rest.news:
        return
    extra = {
        "event": "rested",
        "connection": context.name,
        "salesforce_id": link.salesforce_id,
        "opportunity_id": link.opportunity_id,
        "status": rest.status,
    }
    logger.info("%s: %s. %s", link.salesforce_id, rest.status, _in_short(link, action, rest.message), extra=extra)


def _in_short(link: Link, action: Action, message: str) -> str:
    """For the log, without AWS's own words, which may quote the record: those are for the record and for ``show``."""
    if isinstance(action, plan.Hold):
        fields = dict.fromkeys(problem.salesforce_field or problem.path for problem in action.problems)
        return f"To mend: {', '.join(fields)}" if fields else f"Why: connector show {link.salesforce_id}"
    if isinstance(action, plan.Stop) and link.presence == "flagged":
        return meaning_of(link.review_status, link.stage)  # the reviewer's comments left out
    error = link.operation.error if link.operation is not None else ""
    return message.removesuffix(error).rstrip()
