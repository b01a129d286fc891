"""Which partners of a record are still to be invited, and what keeps the others back.

AWS takes no invitation back, so a receiver is invited once: an edit of the record, or of the row, sends no second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.core.lifecycle import CLOSED_LOST, ReviewStatus, has_begun
from connector.core.model import Invitation, Link, Mapped, Problem, Refusal, SentInvitation
from connector.core.rules.invitation import MEMBERS, MOST_INVITED

PENDING, ACCEPTED, REJECTED, EXPIRED = "PENDING", "ACCEPTED", "REJECTED", "EXPIRED"
ANSWERED = frozenset({ACCEPTED, REJECTED, EXPIRED})
OVER = frozenset({REJECTED, EXPIRED})
"""Statuses after which the receiver takes up no place, and may be invited again by a row that replaces the first."""


@dataclass(frozen=True, slots=True)
class Invitations:
    """What becomes of the invitations of a record.

    ``send``: in order. ``held``: each with the words for it. ``waiting``: not possible yet. ``removed``: sent, and no
    longer wanted by the record.
    """

    send: tuple[Invitation, ...] = ()
    held: tuple[tuple[Invitation, str], ...] = ()
    waiting: tuple[Invitation, ...] = ()
    removed: tuple[SentInvitation, ...] = ()


def subject_of(key: str) -> str:
    """The name of an invitation among ``Link.refusals``."""
    return f"invitation {key}"


def sent_for(invitation: Invitation, sent: Sequence[SentInvitation]) -> SentInvitation | None:
    """What AWS has for a wanted invitation: the one sent for it, else one of the same receiver that still stands."""
    own = (one for one in sent if one.key == invitation.key and one.receiver == invitation.receiver)
    others = (one for one in reversed(sent) if one.receiver == invitation.receiver and one.status not in OVER)
    return next(own, None) or next(others, None)


def judge(link: Link, mapped: Mapped) -> Invitations:
    """Sort the invitations of a linked record."""
    send: list[Invitation] = []
    held: list[tuple[Invitation, str]] = []
    waiting: list[Invitation] = []
    taken = sum(1 for one in link.invitations if one.status not in OVER)
    receivers: set[str] = set()
    for invitation in mapped.invitations:
        if sent_for(invitation, link.invitations) is not None or invitation.receiver in receivers:
            continue
        if (words := _held(invitation, link)) is not None:
            held.append((invitation, words))
        elif not _is_possible(invitation, link):
            waiting.append(invitation)
        elif taken + len(send) >= MOST_INVITED:
            held.append((invitation, f"An engagement has {MEMBERS} members at most, you and AWS among them."))
        else:
            send.append(invitation)
            receivers.add(invitation.receiver)
    wanted = {invitation.receiver for invitation in mapped.invitations}
    removed = (one for one in link.invitations if one.receiver not in wanted and one.status not in OVER)
    return Invitations(tuple(send), tuple(held), tuple(waiting), tuple(removed))


def _held(invitation: Invitation, link: Link) -> str | None:
    """Why this invitation cannot be sent as it is; None when it can."""
    if invitation.problems:
        return told(invitation.problems)
    refusal = refusal_of(invitation, link)
    return refusal.message if refusal is not None else None


def refusal_of(invitation: Invitation, link: Link) -> Refusal | None:
    """What AWS said to just this invitation, unless it has changed since."""
    refusal = link.refusals.get(subject_of(invitation.key))
    return refusal if refusal is not None and refusal.fingerprint == invitation.fingerprint else None


def told(problems: Sequence[Problem]) -> str:
    """The problems of one invitation as one text."""
    return " ".join(dict.fromkeys(map(str, problems)))


def _is_possible(invitation: Invitation, link: Link) -> bool:
    """Whether there is an engagement: AWS has taken the opportunity up, or the record names another one."""
    if link.review_status == ReviewStatus.REJECTED or link.stage == CLOSED_LOST:
        return False
    return bool(invitation.engagement_id) or has_begun(link.review_status)
