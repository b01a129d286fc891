"""Known facts about one link → the next actions. A visible table of cases, first match wins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from connector.core import lifecycle
from connector.core.diff import (
    ASSOCIATED,
    Change,
    agreed_associations,
    association_changes,
    changes_between,
    unescaped,
    value_at,
)
from connector.core.lifecycle import ReviewStatus, SyncStatus, TaskStatus
from connector.core.model import Association, Link, Mapped, Operation, Problem, Structure


@dataclass(frozen=True, slots=True)
class Hold:
    """A person has to do something first."""

    reason: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now; ``until`` is when to look again (None: when something changes)."""

    reason: str
    until: datetime | None = None
    in_progress: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """Both sides agree."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """No longer kept in step."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resume:
    """An operation is open: find out how it ended, or send the same bytes again."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Drop:
    """An operation is open that was certainly never carried out, and nobody wants it any more."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Adopt:
    """AWS has an opportunity with this record's id already: take it instead of making another."""

    opportunity_id: str


@dataclass(frozen=True, slots=True)
class Read:
    """Get the opportunity and its tasks from AWS before deciding anything."""

    opportunity_id: str


@dataclass(frozen=True, slots=True)
class Create:
    """CreateOpportunity with this body."""

    body: Structure


@dataclass(frozen=True, slots=True)
class Update:
    """UpdateOpportunity: these changes laid over a fresh GetOpportunity."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Attach:
    """AssociateOpportunity."""

    association: Association


@dataclass(frozen=True, slots=True)
class Detach:
    """DisassociateOpportunity."""

    association: Association


@dataclass(frozen=True, slots=True)
class Submit:
    """StartEngagementFromOpportunityTask with this AwsSubmission."""

    submission: Structure


Rest: TypeAlias = Hold | Wait | Settled | Stop
Act: TypeAlias = Resume | Drop | Adopt | Read | Create | Update | Attach | Detach | Submit
Action: TypeAlias = Rest | Act

UNEXPECTED = "unexpected"
"""The code of the problem that holds a record whose mapping fails in a way nobody foresaw."""

_UNFLAGGED = "Not pushed any more: the record is no longer flagged for AWS."
_DELETED = "Not pushed any more: the record was deleted in Salesforce."
_MISSING = "Not pushed any more: Salesforce does not show this record to the connector."
_AT_AWS = " What AWS has stays there, since AWS has no delete; close it in Partner Central if it should go."


def plan_link(link: Link, owned: frozenset[str], now: datetime) -> tuple[Action, ...]:
    """The next actions in order; the last one is where the link comes to rest.

    ``owned`` are the AWS paths that Salesforce decides. A shell performs the first action and plans again.
    """
    if link.operation is not None:
        return (_open_operation(link, link.operation, now),)
    if link.presence != "flagged":
        return (_stopped(link),)
    if link.mapped is None:
        return (Wait("Waiting to be read from Salesforce."),)
    if link.next_try_at is not None and link.next_try_at > now:
        return (Wait("Waiting to be tried again.", link.next_try_at),)
    if not link.opportunity_id and link.candidate_id:
        return (Adopt(link.candidate_id), Read(link.candidate_id))
    if not link.opportunity_id:
        return _new(link, link.mapped)
    if link.existing is None:
        return (Read(link.opportunity_id),)
    if link.task is not None and link.task.status == TaskStatus.IN_PROGRESS:
        return (Wait("Submitted; AWS is working on it.", None, in_progress=True),)
    if _is_submitted(link):
        return (_after_submission(link, link.mapped, owned),)
    return _draft(link, link.mapped, owned)


def _open_operation(link: Link, operation: Operation, now: datetime) -> Action:
    if link.presence != "flagged" and not operation.ambiguous:
        return Drop(operation)
    later = operation.next_attempt_at
    if later is not None and later > now:
        return Wait(f"{operation.action} is tried again. {operation.error}".strip(), later, in_progress=True)
    return Resume(operation)


def _stopped(link: Link) -> Stop:
    reason = {"deleted": _DELETED, "missing": _MISSING}.get(link.presence, _UNFLAGGED)
    return Stop(reason + (_AT_AWS if link.opportunity_id else ""))


def _is_submitted(link: Link) -> bool:
    """Whether AWS has it: the review began, or the last task is complete and no review status came in yet."""
    if lifecycle.has_begun(link.review_status):
        return True
    return link.task is not None and link.task.status == TaskStatus.COMPLETE


def _new(link: Link, mapped: Mapped) -> tuple[Action, ...]:
    """Nothing at AWS yet. Since AWS never deletes, nothing is created that could not be submitted as well."""
    held = _held(link, mapped)
    if held is not None:
        return (held,)
    attach = tuple(Attach(association) for association in mapped.associations)
    return (Create(mapped.opportunity), *attach, *_ending(mapped))


def _ending(mapped: Mapped) -> tuple[Action, ...]:
    if mapped.submission is None:
        return (Settled("Created in Partner Central; the mapping's submission.when does not hold yet."),)
    return (Submit(mapped.submission),)


def _held(link: Link, mapped: Mapped) -> Hold | None:
    """What a person must mend first: the record's own problems, else what AWS refused of this very content."""
    blocking = tuple(p for p in mapped.problems if p.blocks == "create" or mapped.submission is not None)
    if blocking:
        return Hold(told(blocking), blocking)
    if link.refusal is not None and link.refusal.fingerprint == mapped.fingerprint:
        return Hold(link.refusal.message, link.refusal.problems)
    return None


def told(problems: tuple[Problem, ...]) -> str:
    """Several problems as one text for the record; the same one at several list items is said once."""
    texts = list(dict.fromkeys(map(str, problems)))
    if len(texts) == 1:
        return texts[0]
    return f"{len(texts)} things to mend: " + " ".join(f"({i}) {text}" for i, text in enumerate(texts, 1))


def _draft(link: Link, mapped: Mapped, owned: frozenset[str]) -> tuple[Action, ...]:
    """At AWS, not submitted: bring it up to date, then submit.

    Also after a failed task: what a person must mend became a refusal, so here another attempt is due.
    """
    held = _held(link, mapped)
    if held is not None:
        return (held,)
    actions: list[Action] = []
    changes = changes_between(mapped.opportunity, link.existing, link.base, owned)
    if changes:
        actions.append(Update(changes))
    attach, detach = association_changes(
        mapped.associations, link.attached or (), agreed_associations(link.base), owned
    )
    actions += [Attach(association) for association in attach]
    actions += [Detach(association) for association in detach]
    return (*actions, *_ending(mapped))


def _after_submission(link: Link, mapped: Mapped, owned: frozenset[str]) -> Action:
    """AWS has it. Its review status decides what an edit in Salesforce may still do."""
    status = "" if link.review_status == ReviewStatus.PENDING else link.review_status  # AWS has yet to move it on
    words = lifecycle.meaning_of(status)
    comments = unescaped(value_at(link.existing, "LifeCycle.ReviewComments"))
    said = f" AWS's reviewer says: {comments}" if comments else ""
    if status == ReviewStatus.REJECTED:
        return Stop(words + said)
    if status == ReviewStatus.ACTION_REQUIRED:
        return Hold(f"{words} Make the change in Partner Central.{said}")
    unreadable = tuple(problem for problem in mapped.problems if problem.code == UNEXPECTED)
    if unreadable:  # what is known of the record is old, so nobody can say that both sides agree
        return Hold(told(unreadable), unreadable)
    if edited := _edited(link, mapped, owned):
        names = ", ".join(edited)
        if status in lifecycle.LOCKED or not status:
            return Wait(f"{words} Edits since then wait, AWS takes none while it reviews: {names}.")
        return Hold(f"{words} Changed in Salesforce since the submission: {names}. Make the change in Partner Central.")
    return Settled(words)


def _edited(link: Link, mapped: Mapped, owned: frozenset[str]) -> tuple[str, ...]:
    """The paths at which Salesforce wants something else than was agreed on last."""
    if link.base is None:
        return ()
    changes = changes_between(mapped.opportunity, None, link.base, owned)
    attach, detach = association_changes(
        mapped.associations, link.attached or (), agreed_associations(link.base), owned
    )
    kinds = dict.fromkeys(ASSOCIATED + association.entity_type for association in (*attach, *detach))
    return (*(change.path for change in changes), *kinds)


def status_of(action: Action) -> SyncStatus:
    """What ``sync.status`` shows while this is the next action."""
    if isinstance(action, Hold):
        return SyncStatus.HELD
    if isinstance(action, Settled):
        return SyncStatus.SYNCED
    if isinstance(action, Stop):
        return SyncStatus.STOPPED
    if isinstance(action, Resume) or (isinstance(action, Wait) and action.in_progress):
        return SyncStatus.IN_PROGRESS
    return SyncStatus.PENDING


def is_rest(action: Action) -> bool:
    """Whether there is nothing to do for this link now."""
    return isinstance(action, Hold | Wait | Settled | Stop)
