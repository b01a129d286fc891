"""follow: what becomes of a deal at AWS after its submission: the review, AWS's own side, and partners' answers.

Reads only. Its cost grows with what changed and what waits for an answer; everything else is read now and then, since
nothing tells when AWS changes its own side.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from connector import tracing
from connector.core import diff, invitations
from connector.core.lifecycle import CLOSED_LOST, ReviewStatus, has_begun
from connector.core.model import Link, SentInvitation, Structure
from connector.errors import AccessDenied, Halt, RecordError, TemporaryError
from connector.ports import LinkChanges
from connector.sync.context import Context
from connector.sync.learn import facts_of, seen_whole
from connector.sync.lookup import detail_of, invitations_in, is_for
from connector.sync.rests import Learned, with_rest

logger = logging.getLogger(__name__)

BATCH = 40
MOST = 2_000
"""Links that one look takes; the others are due at the next one."""
ENGAGEMENTS = 10
"""ListEngagementInvitations takes ten engagements a call."""
GONE = frozenset({"deleted", "missing"})
SHARE = 0.25
"""The share of a day's reads that may be spent on looking whether AWS's own side has changed."""
TRY_AGAIN = timedelta(minutes=1)
SOONEST_ANSWER = timedelta(minutes=1)
LATEST_ANSWER = timedelta(minutes=15)
"""Between two looks for an answer, a twentieth of the invitation's age within these bounds."""


def refresh(context: Context, only: Sequence[str] | None = None, *, at_once: bool = False) -> int:
    """Read AWS's whole word on the links that are due. Gives how many were read. Raises Halt or TemporaryError.

    ``only`` narrows it to these Salesforce ids; ``at_once`` takes those that are due later as well.
    """
    due = context.ledger.refreshes_due(*context.key, _until(context, at_once), MOST, only)
    pause = _pause(context) if due else timedelta(0)
    for start in range(0, len(due), BATCH):
        if context.stopping.is_set():
            break
        with ThreadPoolExecutor(context.in_flight, thread_name_prefix=f"refresh-{context.name}") as pool:
            read = list(pool.map(tracing.carried(partial(_read, context, pause)), due[start : start + BATCH]))
        context.ledger.change_all(read, context.now)
        context.moved()
    return len(due)


def _until(context: Context, at_once: bool) -> datetime:
    """Up to when something has to be due to be looked at now."""
    return context.now + timedelta(days=3650) if at_once else context.now


def _pause(context: Context) -> timedelta:
    """Until an unchanged link is read again: as configured, longer where that would take too many of a day's reads."""
    followed = context.ledger.refreshes_open(*context.key)
    return max(context.refresh_every, timedelta(days=followed / (context.reads_per_day * SHARE)))


def _read(context: Context, pause: timedelta, link: Link) -> Learned:
    """What AWS tells of one link; one record's trouble is looked at again later, and stops no other."""
    if not link.opportunity_id or not has_begun(link.review_status):
        return link, {"refresh_at": None}, False
    if link.presence in GONE:  # nobody could see it; a record that is restored is read then
        return link, {"refresh_at": context.now + pause}, False
    try:
        changes = _whole(context, link)
        after = replace(link, **facts_of(changes))
        changes["aws"] = _summary(context, link)
    except Halt:
        raise
    except (RecordError, TemporaryError) as error:
        extra = {"event": "refresh_failed", "connection": context.name, "salesforce_id": link.salesforce_id}
        logger.info("%s is read again later: %s", link.opportunity_id, error, extra=extra)
        return link, {"refresh_at": context.now + TRY_AGAIN}, False
    changes["refresh_at"] = context.now + pause if _is_followed(after) else None
    return with_rest(context, link, changes)


def _whole(context: Context, link: Link) -> LinkChanges:
    """The facts of a whole GetOpportunity, unless what is known is whole and nobody has changed it since."""
    if diff.is_whole(link.existing):
        return {}
    existing = context.partner_central.call("GetOpportunity", {"Identifier": link.opportunity_id})
    if diff.is_newer(link.existing or {}, existing):
        raise TemporaryError("AWS shows an older state than it told of.", delay=5.0)
    return seen_whole(context, link, existing)


def _summary(context: Context, link: Link) -> Structure | None:
    """AWS's own side. While AWS has none it answers with an error, which one is not documented: what is known stays."""
    parameters = {"RelatedOpportunityIdentifier": link.opportunity_id}
    try:
        told = context.partner_central.call("GetAwsOpportunitySummary", parameters)
    except RecordError:
        return link.aws
    except AccessDenied as error:  # a role of before this was asked for: everything else goes on without it
        if ("summary", str(error)) not in context.told:
            context.told.add(("summary", str(error)))
            extra = {"event": "summary_denied", "connection": context.name}
            logger.warning("AWS's own side of the deals is not shown: %s", error, extra=extra)
        return link.aws
    # What AWS leaves out for a while stays as it was last known.
    return {**(link.aws or {}), **{name: value for name, value in told.items() if value not in (None, "", [], {})}}


def _is_followed(link: Link) -> bool:
    """Whether AWS may still change its side."""
    return link.review_status != ReviewStatus.REJECTED and link.stage != CLOSED_LOST


def follow_invitations(context: Context, only: Sequence[str] | None = None, *, at_once: bool = False) -> int:
    """Look for the answers of invited partners, ten engagements a call. Gives how many links were looked at.

    ``only`` and ``at_once`` as in ``refresh``.
    """
    due = context.ledger.answers_due(*context.key, _until(context, at_once), MOST, only)
    if gone := [link for link in due if link.presence in GONE]:
        later: LinkChanges = {"answer_at": context.now + LATEST_ANSWER}
        context.ledger.change_all([(link, later, False) for link in gone], context.now)
    for group in _groups([link for link in due if link.presence not in GONE]):
        if context.stopping.is_set():
            break
        engagements = sorted({one.engagement_id for link in group for one in link.invitations})
        listed = [
            row
            for start in range(0, len(engagements), ENGAGEMENTS)
            for row in invitations_in(context, engagements[start : start + ENGAGEMENTS])
        ]
        context.ledger.change_all([_answered(context, link, listed) for link in group], context.now)
        context.moved()
    return len(due)


def _groups(links: Sequence[Link]) -> list[list[Link]]:
    """Links whose engagements fit into one call together; a single one may be in several."""
    groups: list[list[Link]] = []
    count = ENGAGEMENTS
    for link in links:
        own = len({one.engagement_id for one in link.invitations})
        if count + own > ENGAGEMENTS:
            groups.append([])
            count = 0
        groups[-1].append(link)
        count += own
    return groups


def _answered(context: Context, link: Link, listed: Sequence[Structure]) -> Learned:
    known = tuple(_with_answer(context, one, listed) for one in link.invitations)
    after = replace(link, invitations=known)
    changes: LinkChanges = {"answer_at": _next_look(after, context.now)}
    if known == link.invitations:
        return link, changes, False
    changes["invitations"] = known
    return with_rest(context, link, changes)


def _with_answer(context: Context, sent: SentInvitation, listed: Sequence[Structure]) -> SentInvitation:
    """The invitation as AWS lists it; with news, the rest of it as well, such as the reason why it was declined."""
    own = (one for one in listed if one["Id"] == sent.invitation_id and is_for(one, sent.receiver))
    summary = next(own, None)
    if summary is None or all(sent.facts.get(name) == value for name, value in summary.items()):
        return sent
    return replace(sent, facts={**sent.facts, **summary, **detail_of(context, sent.invitation_id)})


def _next_look(link: Link, now: datetime) -> datetime | None:
    """When to ask again, the sooner the younger the youngest open invitation is; None when all are answered."""
    open_ones = [one for one in link.invitations if one.status not in invitations.ANSWERED]
    if not open_ones:
        return None
    age = min(_age(one, now) for one in open_ones)
    return now + min(max(SOONEST_ANSWER, age / 20), LATEST_ANSWER)


def _age(sent: SentInvitation, now: datetime) -> timedelta:
    try:
        return now - datetime.fromisoformat(str(sent.facts.get("InvitationDate")))
    except ValueError:
        return timedelta(0)
