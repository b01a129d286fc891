"""Performs one action of a plan. Every write is written ahead; an unknown outcome is looked up before anything else.

A token belongs to one operation, one body, one attempt at an intent.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from connector.core import diff
from connector.core.lifecycle import ReviewStatus, TaskStatus, has_begun
from connector.core.model import Link, Operation, Refusal, Structure
from connector.core.plan import (
    Act,
    Action,
    Adopt,
    Attach,
    Create,
    Detach,
    Drop,
    Read,
    Resume,
    Submit,
    Update,
    Wait,
    is_rest,
    told,
)
from connector.core.retry import next_attempt
from connector.errors import ConnectorError, RecordError, StaleVersion, SyncConflict, TemporaryError, Throttled
from connector.ports import Begin, LinkChanges, Rest
from connector.sync.context import Context
from connector.sync.guards import may_act, may_create
from connector.sync.learn import LEARNED, facts_of, to_problems
from connector.sync.lookup import LOOK_UP, get_opportunity, log_operation, tasks_of
from connector.sync.rests import next_action, rest_of, tell_rest

logger = logging.getLogger(__name__)

_CONFLICTS_TO_BEAR = 5


@dataclass(frozen=True, slots=True)
class Rested:
    """The link came to rest in the transaction that recorded how its last operation ended."""

    link: Link


Outcome = Link | Wait | Rested


def perform(context: Context, link: Link, action: Any) -> Outcome:
    """Do it, and what follows from it without another look at AWS.

    Gives the link as it is then, to be planned again; a Wait where the action has to be put off; or the link at rest.
    Raises StaleVersion when the link is no longer as it was planned with, TemporaryError or RecordError for trouble
    outside of an operation, Halt to stop the connection.
    """
    return may_act(context, link, action) or _HOW[type(action)](context, link, action)


def _adopt(context: Context, link: Link, action: Adopt) -> Link:
    extra = {"event": "adopted", "connection": context.name, "salesforce_id": link.salesforce_id}
    logger.warning(
        "%s exists at AWS already as %s: taken over.", link.salesforce_id, action.opportunity_id, extra=extra
    )
    return context.ledger.change(
        link, context.now, opportunity_id=action.opportunity_id, candidate_id="", existing=None, base=None
    )


def _read(context: Context, link: Link, action: Read) -> Link:
    existing = get_opportunity(context, action.opportunity_id)
    tasks = tasks_of(context, action.opportunity_id)
    newest = tasks[-1] if tasks else None
    changes: LinkChanges = {"existing": existing, "attached": diff.attached_of(existing)}
    if link.base is None and link.mapped is not None:
        mapped, owned = link.mapped, context.mapping.owned_paths
        changes["base"] = diff.base_of_adopted(mapped.opportunity, existing, mapped.associations, owned)
    if newest is not None:
        status = str((existing.get("LifeCycle") or {}).get("ReviewStatus") or "")
        is_over = newest.status == TaskStatus.FAILED or has_begun(status)
        changes["task"] = newest
        changes["poll_at"] = None if is_over and newest.status != TaskStatus.IN_PROGRESS else context.now
    return context.ledger.change(link, context.now, **changes)


def _create(context: Context, link: Link, action: Create) -> Outcome:
    token = str(uuid.uuid4())
    begin = Begin("CreateOpportunity", {"ClientToken": token, **action.body}, token)
    with ExitStack() as counting:
        # Until it is written ahead, when the limits see it: of two creates, only one may be the last that is allowed.
        counting.enter_context(context.creating)
        put_off = may_create(context, link)
        if put_off is not None:
            return put_off

        def write_ahead(known: Link) -> Link:
            with counting:
                return context.ledger.begin(known, begin, context.now)

        return _send(context, link, begin, write_ahead)


def _update(context: Context, link: Link, action: Update) -> Outcome:
    assert link.mapped is not None
    existing = get_opportunity(context, link.opportunity_id)
    owned = context.mapping.owned_paths
    changes = diff.changes_between(link.mapped.opportunity, existing, link.base, owned)
    status = (existing.get("LifeCycle") or {}).get("ReviewStatus")
    if status != ReviewStatus.PENDING or not changes:
        agreed = diff.agreed_associations(link.base)
        base = diff.agree_on(link.mapped.opportunity, agreed) if not changes else link.base
        attached = diff.attached_of(existing)
        return context.ledger.change(link, context.now, existing=existing, base=base, attached=attached)
    body = diff.body_of_update(existing, changes, context.partner_central.input_shape("UpdateOpportunity"))
    return _begin(context, link, Begin("UpdateOpportunity", body, intent={"base": link.mapped.opportunity}))


def _associate(context: Context, link: Link, action: Attach | Detach) -> Outcome:
    return _begin(context, link, _begin_of(link, action))


def _submit(context: Context, link: Link, action: Submit) -> Outcome:
    if link.task is not None:
        newest = (tasks_of(context, link.opportunity_id) or [link.task])[-1]
        if newest.task_id != link.task.task_id or newest.status != TaskStatus.FAILED:
            return context.ledger.change(link, context.now, task=newest, poll_at=context.now)
    return _begin(context, link, _begin_of(link, action))


def _begin_of(link: Link, action: Attach | Detach | Submit) -> Begin:
    """The operation for an action that needs nothing from AWS to be written down."""
    if isinstance(action, Submit):
        token = str(uuid.uuid4())
        body = {"ClientToken": token, "Identifier": link.opportunity_id, "AwsSubmission": action.submission}
        intent = {"fingerprint": link.mapped.fingerprint if link.mapped is not None else ""}
        return Begin("StartEngagementFromOpportunityTask", body, token, intent)
    body = {
        "OpportunityIdentifier": link.opportunity_id,
        "RelatedEntityType": action.association.entity_type,
        "RelatedEntityIdentifier": action.association.identifier,
    }
    return Begin("AssociateOpportunity" if isinstance(action, Attach) else "DisassociateOpportunity", body)


def _begin(context: Context, link: Link, begin: Begin) -> Outcome:
    """Make a call that was not made before; it is written ahead when everything else is ready."""
    return _send(context, link, begin, lambda known: context.ledger.begin(known, begin, context.now))


@dataclass(frozen=True, slots=True)
class _Following:
    """The link's next operation, written ahead in the transaction that recorded how the last one ended."""

    link: Link
    begin: Begin


def _send(context: Context, link: Link, begin: Begin, write_ahead: Callable[[Link], Link]) -> Outcome:
    """Make a call, and those that follow from it, and record how each ended."""
    was_ambiguous = link.operation is not None and link.operation.ambiguous
    outcome = _call(context, link, begin, write_ahead, was_ambiguous)
    while isinstance(outcome, _Following):
        outcome = _call(context, outcome.link, outcome.begin, None, was_ambiguous=False)
    return outcome


def _call(
    context: Context, planned: Link, begin: Begin, write_ahead: Callable[[Link], Link] | None, was_ambiguous: bool
) -> Link | Rested | _Following:
    """Make a call and record how it ended, whatever happens.

    ``write_ahead`` commits it just before it is made; None where that was done. ``was_ambiguous`` tells whether an
    earlier attempt may have been carried out.
    """
    link, is_written = planned, write_ahead is None

    def commit() -> None:
        nonlocal link, is_written
        if write_ahead is not None:
            link = write_ahead(planned)
            is_written = True

    try:
        response = context.partner_central.call(begin.action, begin.body, on_send=commit)
    except ConnectorError as error:
        if not is_written:  # so nothing was sent
            raise
        return _bear(context, link, error, was_ambiguous)
    return _succeed(context, link, response)


def _bear(context: Context, link: Link, error: ConnectorError, was_ambiguous: bool) -> Link:
    """Record an operation that brought no answer, or a refusal. What an earlier attempt left unclear stays unclear."""
    operation = _operation_of(link)
    if isinstance(error, StaleVersion):
        return context.ledger.fail(link, str(error), context.now, existing=None)
    if isinstance(error, SyncConflict):
        return _bear_conflict(context, link, error)
    if isinstance(error, RecordError):
        return _refuse(context, link, error)
    if not isinstance(error, TemporaryError):
        # Only an answer or a login that failed brings everything to a halt: this attempt was not carried out.
        context.ledger.postpone(link, str(error), was_ambiguous, context.now, context.now)
        raise error
    later = next_attempt(operation.attempts, context.now, error.delay)
    level = logging.INFO if isinstance(error, Throttled) else logging.WARNING
    log_operation(context, link, operation, str(error), level)
    # AWS throttles before it does anything; where no token would tell a second attempt, its word is not relied on.
    is_doubtful = error.ambiguous or (isinstance(error, Throttled) and not operation.client_token)
    return context.ledger.postpone(link, str(error), is_doubtful or was_ambiguous, later, context.now)


def _succeed(context: Context, link: Link, response: Structure) -> Link | Rested | _Following:
    """Record an answer, and with it what comes next, as far as that needs nothing from AWS."""
    operation = _operation_of(link)
    learned = LEARNED[operation.action](context, link, operation, response)
    after = replace(link, operation=None, **facts_of(learned))
    action = next_action(context, after)
    then = _then(context, after, action)
    done = context.ledger.succeed(link, response, context.now, then, **learned)
    detail = str(response.get("Id") or response.get("TaskStatus") or "")
    log_operation(context, link, operation, "done", logging.INFO, detail)
    if done.revision != link.revision + 1:  # somebody else changed it meanwhile: what comes next is planned anew
        return done
    if isinstance(then, Rest):
        tell_rest(context, after, action, then)
        return Rested(done)
    return _Following(done, then) if then is not None else done


def _then(context: Context, link: Link, action: Action) -> Begin | Rest | None:
    """What a link's next action is to the ledger; None where AWS has to be asked something first."""
    if is_rest(action):
        return rest_of(context, link, action)
    if not isinstance(action, Attach | Detach | Submit) or context.stopping.is_set():
        return None
    if isinstance(action, Submit) and link.task is not None:
        return None
    return _begin_of(link, action) if may_act(context, link, action) is None else None


def _bear_conflict(context: Context, link: Link, error: SyncConflict) -> Link:
    """A conflict may be our own earlier attempt. It is looked up, never repeated blindly, and told after a while."""
    operation = _operation_of(link)
    if operation.attempts >= _CONFLICTS_TO_BEAR:
        return _refuse(context, link, error)
    later = next_attempt(operation.attempts, context.now, 10.0)
    log_operation(context, link, operation, str(error), logging.WARNING)
    return context.ledger.postpone(link, str(error), True, later, context.now)


def _refuse(context: Context, link: Link, error: RecordError) -> Link:
    """AWS refused this content: nothing is sent for the link until it changes or a person says so."""
    assert link.mapped is not None
    operation = _operation_of(link)
    related = operation.body.get("RelatedEntityType")
    fallback = f"RelatedEntityIdentifiers.{related}" if related else operation.action
    details = tuple(replace(detail, field="") for detail in error.details) if related else error.details
    problems = to_problems(context, link.mapped, details, fallback)
    message = told(problems) if problems else str(error)
    changes: LinkChanges = {"refusal": Refusal(operation.action, link.mapped.fingerprint, message, problems)}
    if operation.action != "CreateOpportunity":
        changes["existing"] = None
    log_operation(context, link, operation, f"refused: {'; '.join(p.path for p in problems) or error}", logging.WARNING)
    return context.ledger.fail(link, str(error), context.now, **changes)


def _resume(context: Context, link: Link, action: Resume) -> Outcome:
    """An operation is open from an earlier attempt or an earlier life of this process."""
    operation = action.operation
    if operation.ambiguous and (found := LOOK_UP[operation.action](context, link, operation)) is not None:
        return found
    begin = Begin(operation.action, operation.body, operation.client_token, operation.intent)
    return _send(context, link, begin, lambda known: context.ledger.sending(known, context.now))


def _drop(context: Context, link: Link, action: Drop) -> Link:
    log_operation(context, link, action.operation, "dropped, it was never carried out", logging.INFO)
    return context.ledger.fail(link, "The record is no longer to be pushed; this was never carried out.", context.now)


def _operation_of(link: Link) -> Operation:
    assert link.operation is not None
    return link.operation


_HOW: dict[type[Act], Callable[[Context, Link, Any], Outcome]] = {
    Adopt: _adopt,
    Read: _read,
    Create: _create,
    Update: _update,
    Attach: _associate,
    Detach: _associate,
    Submit: _submit,
    Resume: _resume,
    Drop: _drop,
}
