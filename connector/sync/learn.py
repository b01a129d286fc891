"""What an answer of AWS teaches about a link. Computes facts; writes nothing and calls nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

from connector.core import diff
from connector.core.lifecycle import ReviewStatus, TaskStatus
from connector.core.messages import explain_error, explain_reason, parse_task_message, to_aws_path
from connector.core.model import Association, Link, Mapped, Operation, Problem, Refusal, Structure, Task
from connector.core.plan import told
from connector.core.retry import ATTEMPTS_OF_A_TASK, next_attempt
from connector.errors import Detail
from connector.ports import LinkChanges
from connector.sync.context import Context

CONFIRM_AFTER = timedelta(seconds=2)
"""AWS has been seen to answer COMPLETE and to fail a moment later, so every task is looked at once more."""

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
    existing = {**(link.existing or {}), **operation.body, "Id": response["Id"]}
    existing["LastModifiedDate"] = response.get("LastModifiedDate")
    base = diff.agree_on(operation.intent.get("base"), diff.agreed_associations(link.base))
    return {"existing": existing, "base": base, "refusal": None, "attempts": 0}


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
            changes["attempts"], changes["poll_at"] = 0, context.now + CONFIRM_AFTER
        return changes
    attempts = link.attempts + 1
    changes["attempts"], changes["poll_at"] = attempts, None
    kind = explain_reason(task.reason_code).kind
    if kind == "retry" and attempts < ATTEMPTS_OF_A_TASK:
        changes["next_try_at"] = next_attempt(attempts, context.now, 2.0)
    elif kind == "later":
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


def to_problems(context: Context, mapped: Mapped, details: tuple[Detail, ...], fallback: str) -> tuple[Problem, ...]:
    """AWS's error list in the seller's words: each entry at the Salesforce field and line its value came from.

    ``fallback`` is the path of an entry that names no field.
    """
    found = []
    for detail in details:
        path = to_aws_path(detail.field, context.mapping.shape) if detail.field else fallback
        path = _ASSOCIATIONS.get(path.lower(), path)
        meaning = explain_error(detail.code)
        told_by_aws = f"AWS: {detail.message or meaning.sentence}"
        problem = Problem(path, told_by_aws, meaning.cure, detail.code.lower() or "aws", "submit")
        found.append(problem.located(mapped.origin_of(path)))
    return tuple(found)


_ASSOCIATIONS = {"relatedentityidentifiers.solutions": "RelatedEntityIdentifiers.Solutions"}


LEARNED: Mapping[str, Callable[[Context, Link, Operation, Structure], LinkChanges]] = {
    "CreateOpportunity": learned_from_create,
    "UpdateOpportunity": _learned_update,
    "AssociateOpportunity": _learned_attach,
    "DisassociateOpportunity": _learned_detach,
    "StartEngagementFromOpportunityTask": _learned_submit,
}
