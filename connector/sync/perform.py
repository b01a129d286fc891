"""Performs one action of a plan. Every write is written ahead; an unknown outcome is looked up before anything else.

A token belongs to one operation, one body, one attempt at an intent.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connector.core import diff
from connector.core.guard import CreateLimit
from connector.core.lifecycle import ReviewStatus, TaskStatus
from connector.core.model import Association, Link, Operation, Refusal, Structure
from connector.core.plan import Act, Adopt, Attach, Create, Detach, Read, Resume, Submit, Update, Wait, told
from connector.core.retry import next_attempt
from connector.errors import RecordError, StaleVersion, SyncConflict, TemporaryError, Throttled
from connector.ports import LinkChanges
from connector.sync.context import Context
from connector.sync.learn import LEARNED, to_problems
from connector.sync.lookup import LOOK_UP, get_opportunity, log_operation, tasks_of

logger = logging.getLogger(__name__)

_DAY = timedelta(hours=24)
_CONFLICTS_TO_BEAR = 5


def perform(context: Context, link: Link, action: Any) -> Wait | None:
    """Do it. Gives a Wait where the action has to be put off, None when the link is to be planned again.

    Raises TemporaryError or RecordError for trouble outside of an operation, Halt to stop the connection.
    """
    return _HOW[type(action)](context, link, action)


def _adopt(context: Context, link: Link, action: Adopt) -> None:
    extra = {"event": "adopted", "connection": context.name, "salesforce_id": link.salesforce_id}
    logger.warning(
        "%s exists at AWS already as %s: taken over.", link.salesforce_id, action.opportunity_id, extra=extra
    )
    context.ledger.change(
        link.id, context.now, opportunity_id=action.opportunity_id, candidate_id="", existing=None, base=None
    )


def _read(context: Context, link: Link, action: Read) -> None:
    existing = get_opportunity(context, action.opportunity_id)
    tasks = tasks_of(context, action.opportunity_id)
    newest = tasks[-1] if tasks else None
    changes: LinkChanges = {"existing": existing, "attached": diff.attached_of(existing)}
    if newest is not None:
        changes["task"] = newest
        changes["poll_at"] = context.now if newest.status == TaskStatus.IN_PROGRESS else None
    context.ledger.change(link.id, context.now, **changes)


def _create(context: Context, link: Link, action: Create) -> Wait | None:
    with context.creating:
        created = context.ledger.creates_since(context.name, context.now - _DAY)
        limit = CreateLimit(context.creates_per_day, created)
        if limit.is_reached:
            waiting = context.ledger.work_due(*context.key, context.now)["advance"]
            refusal = limit.refusal(waiting)
            logger.error("%s", refusal, extra={"event": "limit_reached", "connection": context.name})
            return Wait(str(refusal), context.now + timedelta(minutes=10))
        token = str(uuid.uuid4())
        body = {"ClientToken": token, **action.body}
        operation = context.ledger.begin(link, "CreateOpportunity", body, token, context.now)
    _send(context, link, operation)
    return None


def _update(context: Context, link: Link, action: Update) -> None:
    assert link.mapped is not None
    existing = get_opportunity(context, link.opportunity_id)
    owned = context.mapping.owned_paths
    changes = diff.changes_between(link.mapped.opportunity, existing, link.base, owned)
    status = (existing.get("LifeCycle") or {}).get("ReviewStatus")
    if status != ReviewStatus.PENDING or not changes:
        agreed = diff.agreed_associations(link.base)
        base = diff.agree_on(link.mapped.opportunity, agreed) if not changes else link.base
        attached = diff.attached_of(existing)
        context.ledger.change(link.id, context.now, existing=existing, base=base, attached=attached)
        return
    body = diff.body_of_update(existing, changes, context.partner_central.input_shape("UpdateOpportunity"))
    intent = {"base": link.mapped.opportunity}
    operation = context.ledger.begin(link, "UpdateOpportunity", body, "", context.now, intent)
    _send(context, link, operation)


def _attach(context: Context, link: Link, action: Attach) -> None:
    _associate(context, link, action.association, "AssociateOpportunity")


def _detach(context: Context, link: Link, action: Detach) -> None:
    _associate(context, link, action.association, "DisassociateOpportunity")


def _associate(context: Context, link: Link, association: Association, operation: str) -> None:
    body = {
        "OpportunityIdentifier": link.opportunity_id,
        "RelatedEntityType": association.entity_type,
        "RelatedEntityIdentifier": association.identifier,
    }
    _send(context, link, context.ledger.begin(link, operation, body, "", context.now))


def _submit(context: Context, link: Link, action: Submit) -> None:
    if link.task is not None:
        newest = (tasks_of(context, link.opportunity_id) or [link.task])[-1]
        if newest.task_id != link.task.task_id or newest.status != TaskStatus.FAILED:
            context.ledger.change(link.id, context.now, task=newest, poll_at=context.now)
            return
    token = str(uuid.uuid4())
    body = {"ClientToken": token, "Identifier": link.opportunity_id, "AwsSubmission": action.submission}
    intent = {"fingerprint": link.mapped.fingerprint if link.mapped is not None else ""}
    operation = context.ledger.begin(link, "StartEngagementFromOpportunityTask", body, token, context.now, intent)
    _send(context, link, operation)


def _send(context: Context, link: Link, operation: Operation) -> None:
    """Make the call of an open operation and record how it ended, whatever happens."""
    ledger = context.ledger
    try:
        response = context.partner_central.call(
            operation.action, operation.body, on_send=lambda: ledger.sending(operation, context.now)
        )
    except StaleVersion as error:
        ledger.fail(operation, str(error), context.now, existing=None)
    except TemporaryError as error:
        later = next_attempt(operation.attempts + 1, context.now, error.delay)
        ambiguous = error.ambiguous or operation.ambiguous
        ledger.postpone(operation, str(error), ambiguous, later, context.now)
        level = logging.INFO if isinstance(error, Throttled) else logging.WARNING
        log_operation(context, link, operation, str(error), level)
    except SyncConflict as error:
        _bear_conflict(context, link, operation, error)
    except RecordError as error:
        _refuse(context, link, operation, error)
    else:
        _succeed(context, link, operation, response)


def _succeed(context: Context, link: Link, operation: Operation, response: Structure) -> None:
    context.ledger.succeed(
        operation, response, context.now, **LEARNED[operation.action](context, link, operation, response)
    )
    log_operation(
        context,
        link,
        operation,
        "done",
        logging.INFO,
        str(response.get("Id") or response.get("TaskStatus") or ""),
    )


def _bear_conflict(context: Context, link: Link, operation: Operation, error: SyncConflict) -> None:
    """A conflict may be our own earlier attempt. It is looked up, never repeated blindly, and told after a while."""
    if operation.attempts + 1 >= _CONFLICTS_TO_BEAR:
        _refuse(context, link, operation, error)
        return
    later = next_attempt(operation.attempts + 1, context.now, 10.0)
    context.ledger.postpone(operation, str(error), True, later, context.now)
    log_operation(context, link, operation, str(error), logging.WARNING)


def _refuse(context: Context, link: Link, operation: Operation, error: RecordError) -> None:
    """AWS refused this content: nothing is sent for the link until it changes or a person says so."""
    assert link.mapped is not None
    related = operation.body.get("RelatedEntityType")
    fallback = f"RelatedEntityIdentifiers.{related}" if related else operation.action
    details = tuple(replace(detail, field="") for detail in error.details) if related else error.details
    problems = to_problems(context, link.mapped, details, fallback)
    message = told(problems) if problems else str(error)
    refusal = Refusal(operation.action, link.mapped.fingerprint, message, problems)
    changes: LinkChanges = {"refusal": refusal}
    if operation.action != "CreateOpportunity":
        changes["existing"] = None
    context.ledger.fail(operation, str(error), context.now, **changes)
    log_operation(context, link, operation, f"refused: {'; '.join(p.path for p in problems) or error}", logging.WARNING)


def _resume(context: Context, link: Link, action: Resume) -> None:
    """An operation is open from an earlier attempt or an earlier life of this process."""
    operation = action.operation
    if operation.ambiguous and LOOK_UP[operation.action](context, link, operation):
        return
    _send(context, link, operation)


_HOW: dict[type[Act], Callable[[Context, Link, Any], Wait | None]] = {
    Adopt: _adopt,
    Read: _read,
    Create: _create,
    Update: _update,
    Attach: _attach,
    Detach: _detach,
    Submit: _submit,
    Resume: _resume,
}
