"""What happens to records without a request of the partner's: edits at AWS, AWS's own side, other partners' answers.

It follows no rule of who may change what, AWS being free to do so; it only keeps to the shapes of AWS's model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.errors import REQUIRED, Problem
from connector.sandbox.partner_central.instants import to_milliseconds
from connector.sandbox.partner_central.invitations import ANSWERS, answer
from connector.sandbox.partner_central.opportunities import note_next_steps
from connector.sandbox.partner_central.paths import Json, find, is_under, put
from connector.sandbox.partner_central.records import Invitation, Opportunity
from connector.sandbox.partner_central.review import AWS_ACCOUNT, bump_for_summary
from connector.sandbox.partner_central.shapes import RequestModel
from connector.sandbox.partner_central.tables import NO_NEED

REJECTION_REASONS = (
    "Customer problem unclear",
    "Next steps unclear",
    "Unable to support",
    "Duplicate of partner referral",
    "Other",
)

# These have a way of their own to change: the review, the history of next steps, the stamps.
_FIXED_HERE = (
    "Arn",
    "Catalog",
    "CreatedDate",
    "Id",
    "LastModifiedDate",
    "LifeCycle.NextStepsHistory",
    "LifeCycle.ReviewStatus",
)
_FIXED_AT_AWS = ("Catalog", "Origin", "RelatedEntityIds", "RelatedOpportunityId")
_SHARED = {"InvolvementType": "involvement", "Visibility": "visibility"}
_REVIEW = {"ReviewComments": "review_comments", "ReviewStatusReason": "review_reason"}


def edit(call: Call, record: Opportunity, changes: Mapping[str, Any], model: RequestModel) -> None:
    """Changes members of the partner's record and moves its stamp. Raises ValueError, and changes nothing then."""
    _refuse_fixed(changes, _FIXED_HERE)
    whole = _to_whole(record)
    for path, value in changes.items():
        put(whole, path, value)
    _refuse_fixed((path for path in _FIXED_HERE if find(whole, path) is not None), _FIXED_HERE)
    _refuse_problems(model.check_answer("GetOpportunity", _to_answer(record, whole)))
    previous = find(record.body, "lifeCycle.nextSteps")
    record.team, record.related = whole.pop("OpportunityTeam", []), whole.pop("RelatedEntityIdentifiers", {})
    life_cycle = whole.setdefault("LifeCycle", {})
    for member, attribute in _REVIEW.items():
        setattr(record, attribute, life_cycle.pop(member, None))
    record.body = whole
    record.modified = call.records.stamp(call.now)
    note_next_steps(record, previous)


def summarise(call: Call, record: Opportunity, changes: Mapping[str, Any], model: RequestModel) -> None:
    """Changes what AWS shows of its side. Raises ValueError, and changes nothing then."""
    if record.involvement is None:
        raise ValueError(f"AWS has not got {record.id} yet")
    _refuse_fixed(changes, _FIXED_AT_AWS)
    side = copy.deepcopy(record.aws_side)
    for path, value in changes.items():
        _lay(side, path, value)
    _refuse_problems(model.check_answer("GetAwsOpportunitySummary", {"Catalog": record.catalog, **side}))
    # The partner's own record goes by them too: what its reads show, and what its updates may leave out.
    for member, attribute in _SHARED.items():
        if side.get(member) is not None:
            setattr(record, attribute, side.pop(member))
    record.aws_side = side
    bump_for_summary(call, record)


def answer_invitation(call: Call, invitation: Invitation, status: str, reason: str | None, model: RequestModel) -> None:
    """Answers as the invited partner. Raises ValueError, and changes nothing then."""
    if status not in ANSWERS:
        raise ValueError(f"an answer is one of {', '.join(ANSWERS)}, not {status}")
    if invitation.status != "PENDING":
        raise ValueError(f"{invitation.id} is {invitation.status} already")
    if invitation.receiver_account == AWS_ACCOUNT:
        raise ValueError(f"AWS answers {invitation.id} with its review")
    if reason is not None:
        if status != "REJECTED":
            raise ValueError("only a rejection has a reason")
        request = {"Catalog": invitation.catalog, "Identifier": invitation.id, "RejectionReason": reason}
        _refuse_problems(model.check("RejectEngagementInvitation", request))
    answer(call, invitation, status, reason)


def _to_whole(record: Opportunity) -> Json:
    """The members that may be edited, those that are kept apart from the body included."""
    whole = copy.deepcopy(record.body)
    for member, attribute in _REVIEW.items():
        if getattr(record, attribute) is not None:
            whole.setdefault("LifeCycle", {})[member] = getattr(record, attribute)
    whole["OpportunityTeam"] = copy.deepcopy(record.team)
    whole["RelatedEntityIdentifiers"] = copy.deepcopy(record.related)
    return whole


def _to_answer(record: Opportunity, whole: Json) -> Json:
    stamps = dict.fromkeys(("CreatedDate", "LastModifiedDate"), to_milliseconds(record.created))
    shown = {**whole, **stamps, "Catalog": record.catalog, "Id": record.id}
    # AWS itself shows this one need that its model does not know.
    needs = [need for need in whole.get("PrimaryNeedsFromAws", ()) if need != NO_NEED]
    return {**shown, "PrimaryNeedsFromAws": needs} if "PrimaryNeedsFromAws" in whole else shown


def _lay(side: Json, path: str, value: Any) -> None:
    """Like `put`, but a structure joins the one that stands there, and None stays as a sign to hide."""
    first, _, rest = path.partition(".")
    if rest:
        inner = side.get(first)
        if inner is not None and not isinstance(inner, dict):
            raise ValueError(f"{first} can only be changed as a whole")
        side[first] = inner or {}
        _lay(side[first], rest, value)
    else:
        _join(side, first, value)


def _join(side: Json, member: str, value: Any) -> None:
    if not isinstance(value, dict):
        side[member] = copy.deepcopy(value)
        return
    if not isinstance(side.get(member), dict):
        side[member] = {}
    for inner, one in value.items():
        _join(side[member], inner, one)


def _refuse_fixed(changes: Iterable[str], fixed: tuple[str, ...]) -> None:
    refused = sorted(path for path in changes if is_under(path, fixed))
    if refused:
        raise ValueError(f"cannot be changed so: {', '.join(refused)}")


def _refuse_problems(problems: Iterable[Problem]) -> None:
    """AWS's own answers lack required members at times, so that what is missing is no problem here."""
    texts = [problem.message for problem in problems if problem.code != REQUIRED]
    if texts:
        raise ValueError("; ".join(texts))
