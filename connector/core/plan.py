"""Known facts about one link → the next actions. A visible table of cases, first match wins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from connector.core import edits, invitations, lifecycle
from connector.core.diff import Change, is_same, is_whole
from connector.core.edits import Edits, Policy
from connector.core.invitations import Invitations
from connector.core.lifecycle import FINAL, ReviewStatus, SyncStatus, TaskStatus, Verdict
from connector.core.model import (
    Association,
    Invitation,
    Link,
    Mapped,
    Operation,
    Problem,
    Refusal,
    Structure,
    fingerprint,
)
from connector.core.sentences import held_problems, held_words, labels_of, removed_words, review_words, told


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
    """AWS has an opportunity for this record already, by its id or by what it names: take it, make no other."""

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


@dataclass(frozen=True, slots=True)
class Assign:
    """AssignOpportunity: this Partner Central user becomes the owner."""

    assignee: Structure


@dataclass(frozen=True, slots=True)
class Invite:
    """CreateEngagementInvitation into the engagement of the submission, or into the one the record names."""

    invitation: Invitation


Rest: TypeAlias = Hold | Wait | Settled | Stop
Act: TypeAlias = Resume | Drop | Adopt | Read | Create | Update | Attach | Detach | Submit | Assign | Invite
Action: TypeAlias = Rest | Act

UNEXPECTED = "unexpected"
"""The code of the problem that holds a record whose mapping fails in a way nobody foresaw."""

_UNFLAGGED = "Not pushed any more: the record is no longer flagged for AWS."
_DELETED = "Not pushed any more: the record was deleted in Salesforce."
_MISSING = "Not pushed any more: Salesforce does not show this record to the connector."
_AT_AWS = " What AWS has stays there, since AWS has no delete; close it in Partner Central if it should go."


ASSOCIATING = frozenset({"AssociateOpportunity", "DisassociateOpportunity"})
"""What refuses a solution or a product refuses just that: the rest of the record goes on."""
_BEFORE_REVIEW = frozenset({"CreateOpportunity", "StartEngagementFromOpportunityTask"})

OWNER, ADOPTION = "owner", "adoption"
"""The names, among ``Link.refusals``, of the assignee and of an opportunity that cannot be taken over."""


def plan_link(link: Link, policy: Policy, now: datetime) -> tuple[Action, ...]:
    """The next actions in order; the last one is where the link comes to rest.

    A shell performs the first action and plans again.
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
    is_working = link.task is not None and link.task.status == TaskStatus.IN_PROGRESS
    if is_working and not lifecycle.has_moved_on(link.review_status):
        return (Wait("Submitted; AWS is working on it.", None, in_progress=True),)
    if is_submitted(link):
        return _after_submission(link, link.mapped, policy, now)
    return _draft(link, link.mapped, policy, now)


def _open_operation(link: Link, operation: Operation, now: datetime) -> Action:
    if not operation.ambiguous and _is_needless(link, operation):
        return Drop(operation)
    later = operation.next_attempt_at
    if later is not None and later > now:
        return Wait(f"{operation.action} is tried again. {operation.error}".strip(), later, in_progress=True)
    return Resume(operation)


def _is_needless(link: Link, operation: Operation) -> bool:
    """Whether nobody wants it any more, or somebody else has created meanwhile what it was to create."""
    is_made = operation.action == "CreateOpportunity" and bool(link.candidate_id)
    return link.presence != "flagged" or is_made or _is_taken_back(link, operation)


def _is_taken_back(link: Link, operation: Operation) -> bool:
    """Whether it is an invitation that the record no longer asks for like that."""
    if operation.action != "CreateEngagementInvitation" or link.mapped is None:
        return False
    asked = (operation.intent.get("key"), operation.intent.get("fingerprint"))
    return asked not in [(one.key, one.fingerprint) for one in link.mapped.invitations]


def _stopped(link: Link) -> Stop:
    reason = {"deleted": _DELETED, "missing": _MISSING}.get(link.presence, _UNFLAGGED)
    return Stop(reason + (_AT_AWS if link.opportunity_id else ""))


def is_submitted(link: Link) -> bool:
    """Whether AWS has it: the review began, or the last task is complete and no review status came in yet."""
    if lifecycle.has_begun(link.review_status):
        return True
    return link.task is not None and link.task.status == TaskStatus.COMPLETE


def _new(link: Link, mapped: Mapped) -> tuple[Action, ...]:
    """Nothing at AWS yet. Since AWS never deletes, nothing is created that could not be submitted as well."""
    held = _held(link, mapped) or _not_adopted(link, mapped)
    if held is not None:
        return (held,)
    attach = tuple(Attach(association) for association in mapped.associations)
    return (Create(mapped.opportunity), *attach, *_ending(mapped))


def _not_adopted(link: Link, mapped: Mapped) -> Hold | None:
    """It names an opportunity that is not to be had: somebody meant that one, so no other is made for it."""
    refusal = _standing(link.refusals.get(ADOPTION), fingerprint(mapped.known_as))
    return Hold(refusal.message, refusal.problems) if refusal is not None else None


def _standing(refusal: Refusal | None, content: str) -> Refusal | None:
    """What was refused, as long as it is still this content (a fingerprint) that would be sent."""
    return refusal if refusal is not None and refusal.fingerprint == content else None


def _ending(mapped: Mapped) -> tuple[Action, ...]:
    if mapped.submission is None:
        return (Settled("Created in Partner Central; the mapping's submission.when does not hold yet."),)
    return (Submit(mapped.submission),)


def _held(link: Link, mapped: Mapped) -> Hold | None:
    """What a person must mend first: the record's own problems, else what AWS refused of this very content."""
    is_to_submit = mapped.submission is not None
    blocking = tuple(p for p in mapped.problems if p.blocks == "create" or (p.blocks == "submit" and is_to_submit))
    if blocking:
        return Hold(told(blocking), blocking)
    refusal = _standing(link.refusal, mapped.fingerprint)
    return Hold(refusal.message, refusal.problems) if refusal is not None else None


def _draft(link: Link, mapped: Mapped, policy: Policy, now: datetime) -> tuple[Action, ...]:
    """At AWS, not submitted: bring it up to date, then submit.

    Also after a failed task: what a person must mend became a refusal, so here another attempt is due.
    """
    held = _held(link, mapped)
    if held is not None:
        return (held,)
    link = link.with_review_status(ReviewStatus.PENDING)  # also while AWS tells none
    found = edits.judge(link, mapped, policy, now.date())
    if found.held:
        return (Hold(held_words(found, mapped), held_problems(found)),)
    update = (Update(found.send),) if found.send else ()
    attach, detach = map(Attach, found.attach), map(Detach, found.detach)
    return (*update, *attach, *detach, *_assign(link, mapped), *_inviting(link, mapped), *_ending(mapped))


def _after_submission(link: Link, mapped: Mapped, policy: Policy, now: datetime) -> tuple[Action, ...]:
    """AWS has it. Its review status and stage decide what an edit in Salesforce may still do."""
    if link.review_status == ReviewStatus.REJECTED:
        return (Stop(review_words(link)),)
    unreadable = tuple(problem for problem in mapped.problems if problem.code == UNEXPECTED)
    if unreadable:  # what is known of the record is old, so nobody can say that both sides agree
        return (Hold(told(unreadable), unreadable),)
    if link.base is None:  # somebody else's: what both sides agree on has to be read first
        return (Read(link.opportunity_id),)
    refusal = refusal_in_review(link, mapped)
    if link.review_status == ReviewStatus.PENDING:
        link = link.with_review_status("")  # AWS has yet to move it on
    associates = refusal is None
    found = edits.judge(link, mapped, policy, now.date(), associates=associates)
    updates = refusal is None or refusal.action in ASSOCIATING
    if ((associates and found.is_to_send) or (updates and found.send)) and not is_whole(link.existing):
        return (Read(link.opportunity_id),)
    acts: list[Action] = []
    if associates:  # attach first: a later stage may need the new solution, and AWS keeps the last one
        acts += map(Attach, found.attach)
    if updates:
        acts += [Update(found.send)] if found.send else []
    if associates:
        acts += map(Detach, found.detach)
    if updates:
        acts += _assign(link, mapped)
    acts += _inviting(link, mapped)
    return (*acts, _resting(link, mapped, found, refusal))


def refusal_in_review(link: Link, mapped: Mapped) -> Refusal | None:
    """What AWS refused of this very content since it was submitted, in the review status that it still has.

    What it refused before it had the opportunity, or of its submission, is over: it has it now, whoever sent it.
    """
    refusal = _standing(link.refusal, mapped.fingerprint)
    if refusal is None or refusal.action in _BEFORE_REVIEW:
        return None
    return refusal if refusal.review_status in {"", link.review_status} else None


def _assign(link: Link, mapped: Mapped) -> tuple[Action, ...]:
    """Make the mapping's owner the owner at AWS, unless AWS refused that or takes no change at all."""
    if mapped.assignee is None or _assign_problems(mapped):
        return ()
    is_done = is_same(mapped.assignee, link.assigned)
    is_refused = _standing(link.refusals.get(OWNER), fingerprint(mapped.assignee)) is not None
    verdict = lifecycle.verdict_on_associations(link.review_status, link.stage)
    return () if is_done or is_refused or verdict != Verdict.SEND else (Assign(mapped.assignee),)


def _assign_problems(mapped: Mapped) -> tuple[Problem, ...]:
    return tuple(problem for problem in mapped.problems if problem.blocks == "assign")


def _inviting(link: Link, mapped: Mapped) -> tuple[Action, ...]:
    return tuple(map(Invite, invitations.judge(link, mapped).send))


def _resting(link: Link, mapped: Mapped, found: Edits, refusal: Refusal | None) -> Rest:
    """Where a submitted link comes to rest once there is nothing more to send."""
    words = review_words(link)
    if refusal is not None:
        return Hold(f"{words} {refusal.message}", refusal.problems)
    mendable = tuple(held for held in found.held if not held.is_final or held.path == "LifeCycle.Stage")
    if mendable:
        queued = f" Waiting for AWS's review: {labels_of(found.queued, mapped)}." if found.queued else ""
        return Hold(f"{words} {held_words(found, mapped)}{queued}", held_problems(found))
    if link.review_status == ReviewStatus.ACTION_REQUIRED:
        return Hold(f"{words} Change it in Salesforce; it is sent by itself.")
    invited = invitations.judge(link, mapped)
    if (others := _held_otherwise(link, mapped, invited)) is not None:
        return Hold(f"{words} {others.reason}", others.problems)
    told_too = removed_words(invited)
    if found.queued:
        names = labels_of(found.queued, mapped)
        return Wait(f"{words} Edits since then wait, AWS takes none while it reviews: {names}.{told_too}")
    if found.held:
        names = labels_of((held.path for held in found.held), mapped)
        keeps = "takes no more changes" if link.stage in FINAL else "keeps what it approved"
        return Settled(f"{words} AWS {keeps}, so these stay in Salesforce only: {names}.{told_too}")
    return Settled(words + told_too)


def _held_otherwise(link: Link, mapped: Mapped, invited: Invitations) -> Hold | None:
    """What holds the owner or an invitation; the opportunity itself is in step."""
    problems = _assign_problems(mapped)
    if problems:
        return Hold(told(problems), problems)
    refusal = _standing(link.refusals.get(OWNER), fingerprint(mapped.assignee)) if mapped.assignee else None
    if refusal is not None:
        return Hold(refusal.message, refusal.problems)
    if not invited.held:
        return None
    first, words = invited.held[0]
    count = len(invited.held)
    intro = "An invitation is not sent" if count == 1 else f"{count} invitations are not sent, one of them"
    return Hold(f"{intro} ({first.label}): {words}", tuple(p for one, _ in invited.held for p in one.problems))


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
