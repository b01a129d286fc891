"""AWS's part of the circle: a submission arrives, a reviewer decides, engagements follow."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import datetime, timedelta

from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.paths import Json
from connector.sandbox.partner_central.records import Engagement, Invitation, Opportunity
from connector.sandbox.partner_central.submission import Submission
from connector.sandbox.partner_central.tables import APPROVED, REJECTED, REVIEW_MOVES, SUBMITTED

AWS_ACCOUNT = "aws"
TEAM: tuple[Json, ...] = (
    {"BusinessTitle": "AWSSalesRep", "FirstName": "Robin", "LastName": "Field", "Email": "robin.field@aws.example"},
    {"BusinessTitle": "PDM", "FirstName": "Kim", "LastName": "Partner", "Email": "kim.partner@aws.example"},
)


def submit(call: Call, record: Opportunity, wanted: Submission) -> None:
    """Hands a record to AWS. The caller has checked that it may be submitted."""
    record.review_status = SUBMITTED
    record.involvement, record.visibility = wanted.involvement, wanted.visibility
    if wanted.involvement != "Co-Sell":
        record.body.pop("PrimaryNeedsFromAws", None)
    record.modified = call.records.stamp(call.now)
    await_review(call, record)


def may_decide(record: Opportunity, status: str) -> bool:
    """Whether AWS moves a record from its present review status to this one."""
    return status in REVIEW_MOVES.get(record.review_status or "", frozenset())


def decide(call: Call, record: Opportunity, status: str, comments: str | None, reason: str | None) -> None:
    """Sets the reviewer's decision and lets AWS accept or reject its invitation."""
    record.review_status = status
    record.review_comments, record.review_reason = comments, reason
    record.modified = call.records.stamp(call.now)
    record.awaiting_since = None
    if status == APPROVED:
        _await_team(call, record)
    engagement = call.records.engagements.get(record.engagement_id or "")
    invitation = aws_invitation(engagement) if engagement else None
    if engagement is None or invitation is None or invitation.status != "PENDING":
        return
    if status == APPROVED:
        invitation.status = "ACCEPTED"
        join(call, engagement, AWS_ACCOUNT)
    elif status == REJECTED:
        invitation.status = "REJECTED"


def join(call: Call, engagement: Engagement, account: str) -> None:
    """Makes an account a member."""
    engagement.members.append(account)
    engagement.modified, engagement.modified_by = call.now, account


def aws_invitation(engagement: Engagement) -> Invitation | None:
    """The invitation of AWS that a submission sent, if any."""
    return next((row for row in engagement.invitations if row.receiver_account == AWS_ACCOUNT), None)


def await_review(call: Call, record: Opportunity) -> None:
    """Lets AWS decide by itself later, where the settings say so."""
    settings, submitted = call.settings, record.modified
    record.awaiting_since = submitted
    if settings.review_after is None:
        return

    def look(now: datetime) -> None:
        # Someone may have decided, or the record may have been submitted anew, in between.
        if record.awaiting_since == submitted and may_decide(record, settings.review_as):
            decide(replace(call, now=now), record, settings.review_as, None, None)

    call.records.schedule(submitted + timedelta(seconds=settings.review_after), look)


def bump_for_summary(call: Call, record: Opportunity) -> None:
    """Moves the partner record's stamp after a change of AWS's side only, where the settings say so."""
    if call.settings.summary_bumps:
        record.modified = call.records.stamp(call.now)


def _await_team(call: Call, record: Opportunity) -> None:
    """Lets AWS name its people a while after the approval, where the settings say so."""
    if call.settings.team_after is None:
        return

    def name_team(now: datetime) -> None:
        if "OpportunityTeam" not in record.aws_side:
            record.aws_side["OpportunityTeam"] = copy.deepcopy(list(TEAM))
            bump_for_summary(replace(call, now=now), record)

    call.records.schedule(call.now + timedelta(seconds=call.settings.team_after), name_team)
