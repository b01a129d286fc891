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

from connector.core import diff, edits
from connector.core.audit import in_codes
from connector.core.edits import Edits
from connector.core.invitations import subject_of
from connector.core.lifecycle import ReviewStatus, TaskStatus, has_begun
from connector.core.model import Link, Mapped, Operation, Refusal, Structure, fingerprint
from connector.core.plan import (
    OWNER,
    Act,
    Action,
    Adopt,
    Assign,
    Attach,
    Create,
    Detach,
    Drop,
    Invite,
    Read,
    Resume,
    Submit,
    Update,
    Wait,
    is_rest,
    is_submitted,
    refusal_in_review,
)
from connector.core.retry import next_attempt
from connector.core.sentences import told
from connector.errors import ConnectorError, RecordError, StaleVersion, SyncConflict, TemporaryError, Throttled
from connector.ports import Begin, LinkChanges, Rest
from connector.sync import second_look
from connector.sync.adoption import find_earlier, take_over
from connector.sync.ahead import Ahead
from connector.sync.context import Context
from connector.sync.guards import may_act, may_create, may_invite
from connector.sync.learn import LEARNED, facts_of, learned_invitation, seen_whole, to_problems
from connector.sync.lookup import (
    LOOK_UP,
    engagement_of,
    find_standing,
    get_opportunity,
    invitations_in,
    log_operation,
    tasks_of,
)
from connector.sync.readings import Instant
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
    return take_over(context, link, action.opportunity_id)


def _read(context: Context, link: Link, action: Read) -> Link:
    existing = get_opportunity(context, action.opportunity_id)
    tasks = tasks_of(context, action.opportunity_id)
    newest = tasks[-1] if tasks else None
    changes = seen_whole(context, link, existing)
    if newest is not None:
        status = str((existing.get("LifeCycle") or {}).get("ReviewStatus") or "")
        is_over = newest.status == TaskStatus.FAILED or (newest.status == TaskStatus.COMPLETE and has_begun(status))
        changes["task"] = newest
        changes["poll_at"] = None if is_over else context.now
        if link.aws is None and has_begun(status):  # what was taken over is followed from here on
            changes["refresh_at"] = context.now
    return context.ledger.change(link, context.now, **changes)


def _create(context: Context, link: Link, action: Create) -> Outcome:
    earlier = find_earlier(context, link)
    if earlier is not None:
        return earlier
    token = str(uuid.uuid4())
    begin = Begin("CreateOpportunity", {"ClientToken": token, **action.body}, token)
    return _begin_counted(context, link, action, begin, may_create)


def _begin_counted(
    context: Context,
    link: Link,
    action: Create | Invite,
    begin: Begin,
    may_begin: Callable[[Context, Link], Wait | None],
) -> Outcome:
    """Make a call that a limit counts, unless ``may_begin`` puts it off or the record was read too long ago."""
    with ExitStack() as counting:
        # Until it is written ahead, when the limits see it: of two, only one may be the last that is allowed.
        counting.enter_context(context.creating)
        put_off = may_begin(context, link)
        if put_off is not None:
            return put_off
        if not second_look.is_due(context, link, action):

            def write_ahead(known: Link) -> Link:
                with counting:
                    return context.ledger.begin(known, begin, context.now)

            return _send(context, link, begin, write_ahead)
    return second_look.look_again(context, link)


def _update(context: Context, link: Link, action: Update) -> Outcome:
    """Lay the edits over AWS's record as it is at this moment, as far as AWS takes them now."""
    assert link.mapped is not None
    existing, found = _judged_afresh(context, link, link.mapped)
    changes = found.send
    # What was submitted may need the association first, unless AWS refused that; a draft is associated last.
    if not changes or (found.attach and is_submitted(link) and refusal_in_review(link, link.mapped) is None):
        return context.ledger.change(link, context.now, **seen_whole(context, link, existing))
    shape = context.partner_central.input_shape("UpdateOpportunity")
    body = diff.body_of_update(existing, changes, shape, link.base)
    intent = {
        "changes": [[change.path, change.after] for change in changes],
        "overrules": [[change.path, change.before] for change in edits.overruling(changes, existing)],
    }
    return _begin(context, link, Begin("UpdateOpportunity", body, intent=intent))


def _judged_afresh(context: Context, link: Link, mapped: Mapped) -> tuple[Structure, Edits]:
    """AWS's record as it is at this moment, and what becomes of the edits with it."""
    existing = get_opportunity(context, link.opportunity_id)
    fresh = replace(link, existing=existing, attached=diff.attached_of(existing))
    if not is_submitted(fresh):
        fresh = fresh.with_review_status(ReviewStatus.PENDING)
    associates = not is_submitted(link) or refusal_in_review(link, mapped) is None
    return existing, edits.judge(fresh, mapped, context.policy, context.today, associates=associates)


def _begin_at_once(context: Context, link: Link, action: Attach | Detach | Assign) -> Outcome:
    return _begin(context, link, _begin_of(link, action))


def _associate(context: Context, link: Link, action: Attach | Detach) -> Outcome:
    """Of what was submitted AWS's word is asked first: the review may have ended since it was planned."""
    if link.mapped is not None and is_submitted(link):
        existing, found = _judged_afresh(context, link, link.mapped)
        if action.association not in (*found.attach, *found.detach):
            return context.ledger.change(link, context.now, **seen_whole(context, link, existing))
    return _begin_at_once(context, link, action)


def _invite(context: Context, link: Link, action: Invite) -> Outcome:
    """Invite a partner who has no invitation to that engagement yet, whoever sent it."""
    invitation = action.invitation
    engagement_id = invitation.engagement_id or engagement_of(context, link)
    if not engagement_id:
        raise TemporaryError(f"AWS does not show the engagement of {link.opportunity_id} yet.", delay=30.0)
    known = {one.invitation_id for one in link.invitations}
    sent = [one for one in invitations_in(context, [engagement_id]) if one["Id"] not in known]
    standing = find_standing(sent, invitation.receiver)
    if standing is not None:
        extra = {"event": "adopted", "connection": context.name, "salesforce_id": link.salesforce_id}
        logger.warning("%s is invited already by %s: taken over.", invitation.label, standing["Id"], extra=extra)
        changes = learned_invitation(context, link, invitation.key, invitation.receiver, engagement_id, standing)
        return context.ledger.change(link, context.now, adopted=f"AWS had {standing['Id']} already", **changes)
    token = str(uuid.uuid4())
    body = {"ClientToken": token, "EngagementIdentifier": engagement_id, "Invitation": invitation.body}
    intent = {"key": invitation.key, "receiver": invitation.receiver, "fingerprint": invitation.fingerprint}
    begin = Begin("CreateEngagementInvitation", body, token, intent)
    return _begin_counted(context, link, action, begin, may_invite)


def _submit(context: Context, link: Link, action: Submit) -> Outcome:
    if second_look.is_due(context, link, action):
        return second_look.look_again(context, link)
    if link.task is not None:
        newest = (tasks_of(context, link.opportunity_id) or [link.task])[-1]
        if newest.task_id != link.task.task_id or newest.status != TaskStatus.FAILED:
            return context.ledger.change(link, context.now, task=newest, poll_at=context.now)
    begin = _begin_of(link, action)
    if link.task is not None:
        begin = replace(begin, cause=f"AWS's word: task {link.task.task_id} failed ({link.task.reason_code or '-'})")
    return _begin(context, link, begin)


def _begin_of(link: Link, action: Attach | Detach | Submit | Assign) -> Begin:
    """The operation for an action that needs nothing from AWS to be written down."""
    if isinstance(action, Submit):
        token = str(uuid.uuid4())
        body = {"ClientToken": token, "Identifier": link.opportunity_id, "AwsSubmission": action.submission}
        intent = {"fingerprint": link.mapped.fingerprint if link.mapped is not None else ""}
        return Begin("StartEngagementFromOpportunityTask", body, token, intent)
    if isinstance(action, Assign):
        return Begin("AssignOpportunity", {"Identifier": link.opportunity_id, "Assignee": action.assignee})
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
    since: Instant


def _send(context: Context, link: Link, begin: Begin, write_ahead: Callable[[Link], Link]) -> Outcome:
    """Make a call, and those that follow from it, and record how each ended."""
    was_ambiguous = link.operation is not None and link.operation.ambiguous
    outcome = _call(context, link, begin, write_ahead, was_ambiguous, context.instant)
    while isinstance(outcome, _Following):
        outcome = _call(context, outcome.link, outcome.begin, None, was_ambiguous=False, since=outcome.since)
    return outcome


def _call(
    context: Context,
    planned: Link,
    begin: Begin,
    write_ahead: Callable[[Link], Link] | None,
    was_ambiguous: bool,
    since: Instant,
) -> Link | Rested | _Following:
    """Make a call and record how it ended, whatever happens.

    ``write_ahead`` commits it just before it is made; None where that was done, ``since`` then. ``was_ambiguous``
    tells whether an earlier attempt may have been carried out.
    """
    ahead = Ahead(context, planned, write_ahead, since)
    try:
        response = context.partner_central.call(begin.action, begin.body, on_send=ahead.commit)
    except ConnectorError as error:
        if not ahead.is_written:  # so nothing was sent
            raise
        return _bear(context, ahead.link, error, was_ambiguous)
    return _succeed(context, ahead.link, response)


def _bear(context: Context, link: Link, error: ConnectorError, was_ambiguous: bool) -> Link:
    """Record an operation that brought no answer, or a refusal. What an earlier attempt left unclear stays unclear."""
    operation = _operation_of(link)
    if isinstance(error, StaleVersion):
        return _plan_anew(context, link, error)
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
    then, since = _then(context, after, action), context.instant
    done = context.ledger.succeed(link, response, context.now, then, **learned)
    detail = str(response.get("Id") or response.get("TaskStatus") or "")
    log_operation(context, link, operation, "done", logging.INFO, detail)
    if done.revision != link.revision + 1:  # somebody else changed it meanwhile: what comes next is planned anew
        return done
    if isinstance(then, Rest):
        tell_rest(context, after, action, then)
        return Rested(done)
    return _Following(done, then, since) if then is not None else done


def _then(context: Context, link: Link, action: Action) -> Begin | Rest | None:
    """What a link's next action is to the ledger; None where AWS has to be asked something first."""
    if is_rest(action):
        return rest_of(context, link, action)
    if not isinstance(action, Attach | Detach | Submit | Assign) or context.stopping.is_set():
        return None
    if (isinstance(action, Submit) and link.task is not None) or second_look.is_due(context, link, action):
        return None
    return _begin_of(link, action) if may_act(context, link, action) is None else None


def _plan_anew(context: Context, link: Link, error: StaleVersion) -> Link:
    """AWS's record is another one than what the update was made from: at once, and with growing pauses after that."""
    attempts = link.attempts + 1
    later = next_attempt(attempts - 1, context.now) if attempts > 1 else None
    if later is not None:
        log_operation(context, link, _operation_of(link), "AWS reports a change again and again", logging.WARNING)
    changes: LinkChanges = {"existing": None, "attempts": attempts, "next_try_at": later}
    return context.ledger.fail(link, str(error), context.now, codes="changed at AWS meanwhile", **changes)


def _bear_conflict(context: Context, link: Link, error: SyncConflict) -> Link:
    """A conflict may be our own earlier attempt. It is looked up, never repeated blindly, and told after a while."""
    operation = _operation_of(link)
    if operation.attempts >= _CONFLICTS_TO_BEAR:
        return _refuse(context, link, error)
    later = next_attempt(operation.attempts, context.now, 10.0)
    log_operation(context, link, operation, "AWS reports a conflict; it is looked up", logging.WARNING)
    return context.ledger.postpone(link, str(error), True, later, context.now)


def _refuse(context: Context, link: Link, error: RecordError) -> Link:
    """AWS refused this content: nothing of the kind is sent for the link until it changes or a person says so."""
    assert link.mapped is not None
    operation = _operation_of(link)
    if operation.action in {"AssignOpportunity", "CreateEngagementInvitation"}:
        return _refuse_part(context, link, error)
    related = operation.body.get("RelatedEntityType")
    fallback = f"RelatedEntityIdentifiers.{related}" if related else operation.action
    details = tuple(replace(detail, field="") for detail in error.details) if related else error.details
    problems = to_problems(context, link.mapped, details, fallback)
    message = told(problems) if problems else str(error)
    refusal = Refusal(operation.action, link.mapped.fingerprint, message, problems, link.review_status)
    changes: LinkChanges = {"refusal": refusal}
    if operation.action != "CreateOpportunity":
        changes["existing"] = None
    log_operation(
        context, link, operation, f"refused: {'; '.join(p.path for p in problems) or in_codes(error)}", logging.WARNING
    )
    return context.ledger.fail(link, str(error), context.now, codes=in_codes(error), **changes)


def _refuse_part(context: Context, link: Link, error: RecordError) -> Link:
    """AWS refused the owner, or one invitation: the rest of the record goes on."""
    assert link.mapped is not None
    operation = _operation_of(link)
    is_owner = operation.action == "AssignOpportunity"
    mark = fingerprint(operation.body["Assignee"]) if is_owner else operation.intent["fingerprint"]
    root = "Assignee" if is_owner else "Invitation"
    key = "" if is_owner else str(operation.intent["key"])
    problems = to_problems(context, link.mapped, error.details, root, root, key)
    refusal = Refusal(operation.action, mark, told(problems) if problems else str(error), problems)
    subject = OWNER if is_owner else subject_of(key)
    log_operation(context, link, operation, f"refused: {in_codes(error)}", logging.WARNING)
    refusals = {**link.refusals, subject: refusal}
    return context.ledger.fail(link, str(error), context.now, codes=in_codes(error), refusals=refusals)


def _resume(context: Context, link: Link, action: Resume) -> Outcome:
    """An operation is open from an earlier attempt or an earlier life of this process."""
    operation = action.operation
    if second_look.is_due(context, link, action):
        return second_look.look_again(context, link)
    # While a submission waits, somebody else may see to it.
    is_submission = operation.action == "StartEngagementFromOpportunityTask"
    if operation.ambiguous or is_submission:
        found = LOOK_UP[operation.action](context, link, operation)
        if found is not None:
            return found
    if is_submission and not operation.ambiguous and has_begun(link.review_status):
        return _drop(context, link, Drop(operation))
    begin = Begin(operation.action, operation.body, operation.client_token, operation.intent)
    return _send(context, link, begin, lambda known: context.ledger.sending(known, context.now))


def _drop(context: Context, link: Link, action: Drop) -> Link:
    log_operation(context, link, action.operation, "dropped, it was never carried out", logging.INFO)
    if link.presence != "flagged":
        words, codes = "The record is no longer to be pushed", f"the record is {link.presence}"
    elif action.operation.action == "CreateEngagementInvitation":
        words, codes = "The invitation is no longer to be pushed", "the invitation was taken back"
    else:
        words, codes = "Somebody else has done it at AWS meanwhile", "AWS had it already"
    words += "; this was never carried out."
    return context.ledger.fail(link, words, context.now, codes=codes, is_dropped=True)


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
    Assign: _begin_at_once,
    Invite: _invite,
    Submit: _submit,
    Resume: _resume,
    Drop: _drop,
}
