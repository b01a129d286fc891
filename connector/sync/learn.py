"""What an answer of AWS teaches about a link. Computes facts; writes nothing and calls nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

from connector.core import diff, invitations
from connector.core.catalogue import explain_error, explain_reason
from connector.core.diff import Change, value_at
from connector.core.lifecycle import ReviewStatus, TaskStatus
from connector.core.mapping.nodes import leaves_of
from connector.core.messages import parse_task_message, to_aws_path
from connector.core.model import (
    Association,
    Link,
    Mapped,
    Operation,
    Origin,
    Problem,
    Refusal,
    SentInvitation,
    Structure,
    Task,
)
from connector.core.plan import OWNER
from connector.core.retry import ATTEMPTS_OF_A_TASK, next_attempt
from connector.core.schema import steps_of
from connector.core.sentences import told
from connector.errors import Detail
from connector.ports import LinkChanges
from connector.sync.context import Context

CONFIRM_AFTER = timedelta(seconds=2)
"""AWS has been seen to answer COMPLETE and to fail a moment later, so every task is looked at once more."""

ANSWER_AFTER = timedelta(seconds=5)
"""How long after an invitation was sent AWS is first asked about it."""

PENDING_AFTER = timedelta(seconds=10)
"""And then this often at most, as long as its opportunity is still Pending Submission."""


def learned_from_create(context: Context, link: Link, operation: Operation, response: Structure) -> LinkChanges:
    sent = {name: value for name, value in operation.body.items() if name != "ClientToken"}
    life_cycle = sent.get("LifeCycle") or {}
    return {
        "opportunity_id": response["Id"],
        "base": sent,
        "existing": {
            "Id": response["Id"],
            "LastModifiedDate": response.get("LastModifiedDate"),
            "LifeCycle": {"Stage": life_cycle.get("Stage"), "ReviewStatus": ReviewStatus.PENDING.value},
        },
        "attached": (),
        "refusal": None,
        "candidate_id": "",
        "attempts": 0,
    }


def _learned_update(context: Context, link: Link, operation: Operation, response: Structure) -> LinkChanges:
    # It replaced everything that it may have: what its body lacks is gone.
    replaced = context.partner_central.input_shape("UpdateOpportunity").members
    kept = {name: value for name, value in (link.existing or {}).items() if name not in replaced}
    known = {**kept, **operation.body, "Id": response["Id"]}
    known["LastModifiedDate"] = response.get("LastModifiedDate")
    # A fix of what was asked for puts it back into the review: AWS is asked in which state it is now.
    is_fix = value_at(known, "LifeCycle.ReviewStatus") == ReviewStatus.ACTION_REQUIRED
    return {
        "existing": None if is_fix else known,
        "base": agreed_by(link, operation),
        "refusal": None,
        "attempts": 0,
    }


def agreed_by(link: Link, operation: Operation) -> Structure | None:
    """The base once an update has landed."""
    if "base" in operation.intent:  # written ahead by an earlier version, which always sent everything
        return diff.agree_on(operation.intent["base"], diff.agreed_associations(link.base))
    return diff.base_after(link.base, changes_of(operation))


def changes_of(operation: Operation) -> tuple[Change, ...]:
    """What an update was to change."""
    return tuple(Change(path, None, after) for path, after in operation.intent.get("changes", ()))


def seen_whole(context: Context, link: Link, existing: Structure) -> LinkChanges:
    """The facts that follow from a whole GetOpportunity."""
    changes: LinkChanges = {"existing": existing, "attached": diff.attached_of(existing)}
    if link.mapped is None:
        return changes
    mapped, owned = link.mapped, context.mapping.owned_paths
    if link.base is None:
        changes["base"] = diff.base_of_adopted(mapped.opportunity, existing, mapped.associations, owned)
    else:
        changes["base"] = diff.agreed_base(link.base, mapped.opportunity, existing, owned)
    return changes


def _learned_assign(context: Context, link: Link, operation: Operation, response: Structure) -> LinkChanges:
    refusals = {subject: refusal for subject, refusal in link.refusals.items() if subject != OWNER}
    return {"assigned": operation.body["Assignee"], "refusals": refusals, "attempts": 0}


def _learned_invite(context: Context, link: Link, operation: Operation, response: Structure) -> LinkChanges:
    # An invitation begins as PENDING; the list of invitations tells the rest, dates included.
    facts = {"Id": response["Id"], "Arn": response["Arn"], "Status": invitations.PENDING}
    intent, engagement_id = operation.intent, operation.body["EngagementIdentifier"]
    return learned_invitation(context, link, intent["key"], intent["receiver"], engagement_id, facts)


def learned_invitation(
    context: Context, link: Link, key: str, receiver: str, engagement_id: str, facts: Structure
) -> LinkChanges:
    """The facts that follow once AWS has this invitation."""
    sent = SentInvitation(key, receiver, engagement_id, facts)
    subject = invitations.subject_of(key)
    refusals = {name: refusal for name, refusal in link.refusals.items() if name != subject}
    is_open = sent.status not in invitations.ANSWERED
    return {
        "invitations": (*link.invitations, sent),
        "refusals": refusals,
        "answer_at": context.now + ANSWER_AFTER if is_open or link.answers_open else None,
        "attempts": 0,
    }


def association_of(operation: Operation) -> Association:
    return Association(operation.body["RelatedEntityType"], operation.body["RelatedEntityIdentifier"])


def _learned_attach(context: Context, link: Link, operation: Operation, response: Structure) -> LinkChanges:
    attached = {*(link.attached or ()), association_of(operation)}
    agreed = {*diff.agreed_associations(link.base), association_of(operation)}
    return learned_association(link, attached, agreed)


def _learned_detach(context: Context, link: Link, operation: Operation, response: Structure) -> LinkChanges:
    attached = {*(link.attached or ())} - {association_of(operation)}
    agreed = {*diff.agreed_associations(link.base)} - {association_of(operation)}
    return learned_association(link, attached, agreed)


def learned_association(link: Link, attached: Iterable[Association], agreed: Iterable[Association]) -> LinkChanges:
    """The facts that follow once these are attached at AWS and agreed on."""
    base = diff.agree_on(link.base, agreed)
    return {"attached": tuple(sorted(attached)), "base": base, "refusal": None, "attempts": 0}


def _learned_submit(context: Context, link: Link, operation: Operation, response: Structure) -> LinkChanges:
    return learned_from_task(context, link, Task.from_response(response), operation)


def learned_from_task(context: Context, link: Link, task: Task, started_by: Operation | None = None) -> LinkChanges:
    """The facts that follow from a task's state; ``started_by`` is given when it was just started.

    A task that failed for a passing reason is started again later, with a new token; any other failure holds the
    record, with each part of AWS's message at the Salesforce field it is about.
    """
    changes: LinkChanges = {"task": task, "refusal": None}
    submitted = started_by.intent.get("fingerprint", "") if started_by is not None else link.submitted
    changes["submitted"] = submitted
    if task.status != TaskStatus.FAILED:
        if started_by is not None:
            changes["poll_at"] = context.now + CONFIRM_AFTER
            if link.task is None:  # else it goes on with those that failed: this one may fail as well, a moment later
                changes["attempts"] = 0
        return changes
    attempts = link.attempts + 1
    changes["attempts"], changes["poll_at"] = attempts, None
    kind = explain_reason(task.reason_code).kind
    if kind == "retry" and attempts < ATTEMPTS_OF_A_TASK:
        changes["next_try_at"] = next_attempt(attempts, context.now, 2.0)
    elif kind == "deferred":
        changes["next_try_at"] = next_attempt(attempts, context.now, 3600.0)
    else:
        changes["refusal"] = _refusal_of(context, link, task, submitted)
    return changes


def facts_of(changes: LinkChanges) -> dict[str, Any]:
    """Those of the facts that the noun itself carries."""
    return {name: value for name, value in changes.items() if name in _FACTS}


_FACTS = frozenset(one.name for one in fields(Link))


def _refusal_of(context: Context, link: Link, task: Task, submitted: str) -> Refusal | None:
    if link.mapped is None:
        return None
    reason = explain_reason(task.reason_code)
    details = tuple(Detail(part.path, part.code, part.text) for part in parse_task_message(task.message))
    problems = to_problems(context, link.mapped, details, "AwsSubmission")
    words = told(problems) if problems else f"{reason.sentence} {reason.cure}"
    message = f"The submission failed ({task.reason_code or 'no reason code'}). {words}"
    return Refusal("StartEngagementFromOpportunityTask", submitted or link.mapped.fingerprint, message, problems)


def to_problems(
    context: Context, mapped: Mapped, details: tuple[Detail, ...], fallback: str, root: str = "", key: str = ""
) -> tuple[Problem, ...]:
    """AWS's error list in the seller's words: each entry at the Salesforce field and line its value came from.

    ``fallback`` is the path of an entry that names no field. ``root`` is the part of the request that the entries are
    about where that is not the opportunity: ``Assignee``, or ``Invitation`` with that invitation's key.
    """
    found = []
    for detail in details:
        path = _path_of(context, detail.field, root) if detail.field else fallback
        meaning = explain_error(detail.code)
        words = f"AWS: {detail.message}" if detail.message else meaning.sentence
        problem = Problem(path, words, meaning.cure, detail.code.lower() or "aws", "submit")
        found.append(problem.located(mapped.origin_of(path) or _origin_in_invitation(context, path, key)))
    return tuple(found)


def _origin_in_invitation(context: Context, path: str, key: str) -> Origin | None:
    """The line that a value of the invitation with this key comes from."""
    found = context.mapping.invitations
    if found is None or not key:
        return None
    index = int(key.strip("[]")) if key.startswith("[") else 0
    if index >= len(found.items):
        return None
    leaves = leaves_of(found.items[index].tree)
    return next((leaf.origin for leaf in leaves if steps_of(leaf.path) == steps_of(path)), None)


def _path_of(context: Context, field: str, root: str) -> str:
    """The AWS path, in its own spelling, of a field as AWS's errors name it."""
    if not root:
        path = to_aws_path(field, context.mapping.shape)
        return _ASSOCIATIONS.get(path.lower(), path)
    operation = "AssignOpportunity" if root == "Assignee" else "CreateEngagementInvitation"
    return to_aws_path(field, context.partner_central.input_shape(operation))


_ASSOCIATIONS = {"relatedentityidentifiers.solutions": "RelatedEntityIdentifiers.Solutions"}


LEARNED: Mapping[str, Callable[[Context, Link, Operation, Structure], LinkChanges]] = {
    "CreateOpportunity": learned_from_create,
    "UpdateOpportunity": _learned_update,
    "AssociateOpportunity": _learned_attach,
    "DisassociateOpportunity": _learned_detach,
    "StartEngagementFromOpportunityTask": _learned_submit,
    "AssignOpportunity": _learned_assign,
    "CreateEngagementInvitation": _learned_invite,
}
