"""observe: asks Partner Central what happened. Reads only; its cost grows with what changed and what is open."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from connector.core.lifecycle import TaskStatus, has_begun, has_moved_on
from connector.core.model import Link, Structure, Task
from connector.core.retry import next_poll
from connector.ports import LinkChanges
from connector.sync import learn
from connector.sync.context import Context
from connector.sync.learn import learned_from_task
from connector.sync.rests import Learned, with_rest

logger = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=2)
PAGE = 100
BATCH = 10
"""ListEngagementFromOpportunityTasks takes ten ids a call."""


def has_observed(context: Context) -> bool:
    """Whether AWS's opportunities were read to the end once; before that nothing may be created."""
    return bool(context.ledger.watermark(context.name, _mark(context, "observed")))


def _mark(context: Context, name: str) -> str:
    return f"{name}:{context.catalog}"


def observe(context: Context) -> int:
    """Read what changed at AWS since AWS's own newest stamp. Gives how many links learned something."""
    is_awaited = context.submitted.is_set()
    context.submitted.clear()
    try:
        learned = _read_changes(context)
    except BaseException:
        if is_awaited:  # what was submitted is still worth a look
            context.submitted.set()
        raise
    context.ledger.set_watermark(context.name, _mark(context, "observed"), context.now.isoformat())
    context.ledger.set_watermark(context.name, "last_observe", context.now.isoformat())
    return learned


def _read_changes(context: Context) -> int:
    ledger = context.ledger
    newest = ledger.watermark(context.name, _mark(context, "observe"))
    learned, token = 0, None
    while True:
        answer = context.partner_central.call("ListOpportunities", _listing(newest, token))
        summaries = answer["OpportunitySummaries"]
        learned += ledger.see(*context.key, summaries, context.now)
        context.moved()
        stamps = [summary["LastModifiedDate"] for summary in summaries if summary.get("LastModifiedDate")]
        if stamps and max(stamps) > ledger.watermark(context.name, _mark(context, "observe")):
            ledger.set_watermark(context.name, _mark(context, "observe"), max(stamps))
        token = answer.get("NextToken")
        if not token:
            return learned


def _listing(newest: str, token: str | None) -> Structure:
    parameters: Structure = {
        "Sort": {"SortBy": "LastModifiedDate", "SortOrder": "ASCENDING"},
        "MaxResults": PAGE,
    }
    if newest:
        after = datetime.fromisoformat(newest) - OVERLAP
        parameters["LastModifiedDate"] = {"AfterLastModifiedDate": after.isoformat().replace("+00:00", "Z")}
    if token:
        parameters["NextToken"] = token
    return parameters


def follow_tasks(context: Context) -> int:
    """Look at the tasks that are due, ten a call. Gives how many were looked at."""
    followed = 0
    while links := context.ledger.polls_due(*context.key, context.now, BATCH):
        for member, group in _groups(links):
            _follow(context, member, group)
        followed += len(links)
        context.moved()
    return followed


def _groups(links: list[Link]) -> list[tuple[str, list[Link]]]:
    """By task id where AWS gave one, else by opportunity id."""
    with_id = [link for link in links if link.task is not None and link.task.task_id]
    without = [link for link in links if link not in with_id]
    groups = [("TaskIdentifier", with_id), ("OpportunityIdentifier", without)]
    return [(member, group) for member, group in groups if group]


def _follow(context: Context, member: str, links: list[Link]) -> None:
    by_task = member == "TaskIdentifier"
    wanted = [link.task.task_id if by_task and link.task else link.opportunity_id for link in links]
    summaries, token = [], None
    while True:
        parameters: Structure = {member: wanted, **({"NextToken": token} if token else {})}
        answer = context.partner_central.call("ListEngagementFromOpportunityTasks", parameters)
        summaries += answer["TaskSummaries"]
        token = answer.get("NextToken")
        if not token:
            break
    changes = []
    for link in links:
        own = [s for s in summaries if _is_of(s, link, by_task)]
        newest = max(own, key=lambda summary: str(summary.get("StartTime", "")), default=None)
        changes.append(_learned(context, link, Task.from_response(newest, link.task) if newest is not None else None))
    context.ledger.change_all(changes, context.now)


def _is_of(summary: Structure, link: Link, by_task: bool) -> bool:
    if by_task:
        return link.task is not None and str(summary.get("TaskId", "")) in link.task.task_id
    return bool(summary.get("OpportunityId") == link.opportunity_id)


def _learned(context: Context, link: Link, task: Task | None) -> Learned:
    """The link, what its task tells, and whether it has to be planned again or where it comes to rest."""
    if task is None or task.status == TaskStatus.IN_PROGRESS:
        started = (task or link.task).start_time if (task or link.task) else ""  # type: ignore[union-attr]
        later = context.now + timedelta(seconds=next_poll(_age(started, context.now)))
        # AWS may no longer list the task of what it reviews. One that it lists comes to its end.
        is_gone = task is None and has_moved_on(link.review_status)
        changes: LinkChanges = {"poll_at": None if is_gone else later}
        is_news = task is not None and task != link.task
        if is_news:
            changes["task"] = task
        return link, changes, is_news
    context.submitted.set()
    learned = learned_from_task(context, link, task)
    learned["poll_at"] = _look_again(context, link, task)
    return with_rest(context, link, learned)


def _look_again(context: Context, link: Link, task: Task) -> datetime | None:
    """When a finished task is looked at again: while the review has not begun, COMPLETE may still turn to FAILED."""
    if task.status != TaskStatus.COMPLETE or has_begun(link.review_status):
        return None
    seconds = next_poll(_age(task.start_time, context.now), learn.PENDING_AFTER.total_seconds())
    return context.now + timedelta(seconds=seconds)


def _age(started: str, now: datetime) -> float:
    try:
        return max((now - datetime.fromisoformat(started)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 60.0
