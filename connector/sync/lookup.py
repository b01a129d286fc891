"""How an operation ended whose answer was lost: asks AWS, and records what it finds. Repeats nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connector.core import diff, invitations
from connector.core.model import Link, Operation, Structure, Task
from connector.errors import NotFound, RecordError, TemporaryError
from connector.sync.context import Context
from connector.sync.learn import (
    agreed_by,
    association_of,
    changes_of,
    learned_association,
    learned_from_create,
    learned_from_task,
    learned_invitation,
    seen_whole,
)
from connector.sync.observe import observe

logger = logging.getLogger(__name__)

LISTED_WITHIN = timedelta(seconds=30)
"""AWS lists and shows a new opportunity some seconds after it was made; this long is waited before a second attempt."""


def get_opportunity(context: Context, opportunity_id: str) -> Structure:
    """A whole opportunity. AWS may not show one for some seconds after it was made: then TemporaryError."""
    try:
        return context.partner_central.call("GetOpportunity", {"Identifier": opportunity_id})
    except NotFound as error:
        raise TemporaryError(f"AWS does not show {opportunity_id} yet.", delay=5.0) from error


def tasks_of(context: Context, opportunity_id: str) -> list[Task]:
    """The start-engagement tasks of an opportunity, oldest first."""
    found: list[Task] = []
    token = None
    while True:
        parameters: Structure = {
            "OpportunityIdentifier": [opportunity_id],
            "Sort": {"SortBy": "StartTime", "SortOrder": "ASCENDING"},
            **({"NextToken": token} if token else {}),
        }
        answer = context.partner_central.call("ListEngagementFromOpportunityTasks", parameters)
        found += [Task.from_response(summary) for summary in answer["TaskSummaries"]]
        token = answer.get("NextToken")
        if not token:
            return sorted(found, key=lambda task: task.start_time)


def _look_up_create(context: Context, link: Link, operation: Operation) -> Link | None:
    """Whether AWS lists an opportunity with this record's id; then it is ours, whatever became of the answer."""
    observe(context)
    found = context.ledger.sighted(*context.key, link.salesforce_id)
    if not found:
        return _until_listed(context, link, operation)
    learned = learned_from_create(context, link, operation, {"Id": found})
    learned["existing"] = None
    log_operation(context, link, operation, "done; the answer was lost", logging.INFO, found)
    return context.ledger.succeed(link, {"Id": found, "found": True}, context.now, **learned)


def _until_listed(context: Context, link: Link, operation: Operation) -> Link | None:
    """AWS does not list it: put off while the list may be behind, since AWS may have forgotten the token by now."""
    listed_at = (operation.sent_at or context.now) + LISTED_WITHIN
    if context.now >= listed_at:
        return None
    return context.ledger.postpone(link, operation.error or "The answer was lost.", True, listed_at, context.now)


def _look_up_submit(context: Context, link: Link, operation: Operation) -> Link | None:
    """Whether AWS lists a task that we did not know of."""
    known = link.task.task_id if link.task is not None else ""
    newer = [task for task in tasks_of(context, link.opportunity_id) if task.task_id != known]
    if not newer:
        return None
    learned = learned_from_task(context, link, newer[-1], operation)
    log_operation(context, link, operation, "done; the answer was lost", logging.INFO, newer[-1].status)
    return context.ledger.succeed(link, {**newer[-1].facts, "found": True}, context.now, **learned)


def _look_up_association(context: Context, link: Link, operation: Operation) -> Link | None:
    existing = get_opportunity(context, link.opportunity_id)
    is_there = association_of(operation) in diff.attached_of(existing)
    if is_there != (operation.action == "AssociateOpportunity"):
        return None
    agreed = {*diff.agreed_associations(link.base)} - {association_of(operation)}
    if is_there:
        agreed.add(association_of(operation))
    learned = learned_association(link, diff.attached_of(existing), agreed)
    return context.ledger.succeed(link, {"found": True}, context.now, **learned)


def _look_up_update(context: Context, link: Link, operation: Operation) -> Link | None:
    """An update names the version it replaces: if AWS still has that one it never arrived, else plan from anew."""
    existing = get_opportunity(context, link.opportunity_id)
    if _same_instant(existing.get("LastModifiedDate"), operation.body.get("LastModifiedDate")):
        return None
    if _has_landed(operation, existing):
        base = agreed_by(link, operation)
        changes = seen_whole(context, replace(link, base=base), existing)
        return context.ledger.succeed(link, {"found": True}, context.now, **changes)
    words = "somebody else changed it meanwhile"
    return context.ledger.fail(link, words, context.now, codes=words, existing=existing)


def _has_landed(operation: Operation, existing: Structure) -> bool:
    """Whether AWS shows all that the update was to change."""
    if "base" in operation.intent:  # written ahead by an earlier version
        content = {name: v for name, v in operation.body.items() if name not in {"Identifier", "LastModifiedDate"}}
        return not diff.changes_between(content, existing, None, frozenset(content) - {"LifeCycle"})
    shown = ((change, diff.value_at(existing, change.path)) for change in changes_of(operation))
    return all(diff.is_same(value, change.after, change.path.rpartition(".")[2]) for change, value in shown)


def engagement_of(context: Context, link: Link) -> str:
    """The engagement that the submission made, "" where AWS does not show it; the task may lack its id."""
    told = str((link.task.facts if link.task is not None else {}).get("EngagementId") or "")
    if told:
        return told.rpartition("/")[2]
    parameters = {"ResourceType": "Opportunity", "ResourceIdentifier": link.opportunity_id}
    answer = context.partner_central.call("ListEngagementResourceAssociations", parameters)
    found = [str(row["EngagementId"]) for row in answer["EngagementResourceAssociationSummaries"]]
    return found[0] if found else ""


def invitations_in(context: Context, engagement_ids: Sequence[str]) -> list[Structure]:
    """What we have invited into these engagements (ten at most), the latest last."""
    found: list[Structure] = []
    token = None
    while True:
        parameters: Structure = {
            "ParticipantType": "SENDER",
            "EngagementIdentifier": list(engagement_ids),
            "Sort": {"SortBy": "InvitationDate", "SortOrder": "ASCENDING"},
            "MaxResults": 100,
            **({"NextToken": token} if token else {}),
        }
        answer = context.partner_central.call("ListEngagementInvitations", parameters)
        found += answer["EngagementInvitationSummaries"]
        token = answer.get("NextToken")
        if not token:
            return found


def detail_of(context: Context, invitation_id: str) -> Structure:
    """What only GetEngagementInvitation tells, such as why it was declined; nothing where AWS does not show it."""
    try:
        answer = context.partner_central.call("GetEngagementInvitation", {"Identifier": invitation_id})
    except RecordError:
        return {}
    return {name: value for name, value in answer.items() if value not in (None, "", [], {})}


def find_standing(sent: Iterable[Structure], receiver: str) -> Structure | None:
    """The last of these invitations that this account received and that still stands."""
    standing = [one for one in sent if is_for(one, receiver) and one.get("Status") not in invitations.OVER]
    return standing[-1] if standing else None


def is_for(summary: Structure, receiver: str) -> bool:
    account = (summary.get("Receiver") or {}).get("Account") or {}
    return bool(account.get("AwsAccountId") == receiver)


def _look_up_invite(context: Context, link: Link, operation: Operation) -> Link | None:
    """Whether AWS lists an invitation of that receiver that we did not know of."""
    engagement_id, receiver = operation.body["EngagementIdentifier"], operation.intent["receiver"]
    known = {one.invitation_id for one in link.invitations}
    listed = [one for one in invitations_in(context, [engagement_id]) if one["Id"] not in known]
    found = find_standing(listed, receiver)
    if found is None:  # it may have been answered by now
        found = next((one for one in reversed(listed) if is_for(one, receiver) and _is_since(one, operation)), None)
    if found is None:
        return _until_listed(context, link, operation)
    if found.get("Status") in invitations.ANSWERED:  # nobody looks at it again
        found = {**found, **detail_of(context, found["Id"])}
    changes = learned_invitation(context, link, operation.intent["key"], receiver, engagement_id, found)
    log_operation(context, link, operation, "done; the answer was lost", logging.INFO, found["Id"])
    return context.ledger.succeed(
        link, {"Id": found["Id"], "Arn": found.get("Arn"), "found": True}, context.now, **changes
    )


SKEW = timedelta(minutes=5)
"""By how much AWS's clock and ours may differ."""


def _is_since(summary: Structure, operation: Operation) -> bool:
    try:
        invited_at = datetime.fromisoformat(str(summary.get("InvitationDate")))
    except ValueError:
        return False
    return operation.sent_at is None or invited_at >= operation.sent_at - SKEW


def _send_again(context: Context, link: Link, operation: Operation) -> Link | None:
    """What was set may be set once more."""
    return None


def _same_instant(one: Any, other: Any) -> bool:
    try:
        return datetime.fromisoformat(str(one)) == datetime.fromisoformat(str(other))
    except ValueError:
        return bool(one == other)


LOOK_UP: dict[str, Callable[[Context, Link, Operation], Link | None]] = {
    "CreateOpportunity": _look_up_create,
    "UpdateOpportunity": _look_up_update,
    "AssociateOpportunity": _look_up_association,
    "DisassociateOpportunity": _look_up_association,
    "StartEngagementFromOpportunityTask": _look_up_submit,
    "AssignOpportunity": _send_again,
    "CreateEngagementInvitation": _look_up_invite,
}
"""How each ends when it is found out: the link as it is then, or None when the same bytes have to go again."""


def log_operation(
    context: Context, link: Link, operation: Operation, outcome: str, level: int, detail: str = ""
) -> None:
    if not logger.isEnabledFor(level):
        return
    extra = {
        "event": "operation",
        "connection": context.name,
        "salesforce_id": link.salesforce_id,
        "opportunity_id": link.opportunity_id or detail,
        "operation": operation.action,
        "operation_id": operation.id,
        "attempt": operation.attempts,
    }
    logger.log(level, "%s for %s: %s %s", operation.action, link.salesforce_id, outcome, detail, extra=extra)
