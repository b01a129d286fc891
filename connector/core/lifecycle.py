"""Where an opportunity stands, and what that means for the seller. States are derived here, never stored."""

from __future__ import annotations

from enum import StrEnum


class ReviewStatus(StrEnum):
    """AWS's exact spelling; note the lower-case r of ``In review`` (botocore model, 2026-11).

    AWS's field sheet still calls Pending Submission Draft.
    """

    PENDING = "Pending Submission"
    SUBMITTED = "Submitted"
    IN_REVIEW = "In review"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    ACTION_REQUIRED = "Action Required"


class TaskStatus(StrEnum):
    """Of a Partner Central task."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"


class SyncStatus(StrEnum):
    """What ``sync.status`` shows in Salesforce."""

    HELD = "Held"
    PENDING = "Pending"
    IN_PROGRESS = "In progress"
    SYNCED = "Synced"
    STOPPED = "Stopped"


LOCKED = frozenset({ReviewStatus.SUBMITTED, ReviewStatus.IN_REVIEW})
"""AWS takes no edits while it reviews (developer guide, working with opportunity updates)."""

LAUNCHED, CLOSED_LOST = "Launched", "Closed Lost"
FINAL = frozenset({LAUNCHED, CLOSED_LOST})
"""Stages after which hardly anything can be changed, and no other stage follows."""


def has_begun(review_status: str) -> bool:
    """Whether AWS has taken the submission up."""
    return review_status not in {"", ReviewStatus.PENDING}


def has_moved_on(review_status: str) -> bool:
    """Whether AWS reviews it or has decided, so that the task which submitted it is over, whatever was heard of it."""
    return review_status not in {"", ReviewStatus.PENDING, ReviewStatus.SUBMITTED}


class Verdict(StrEnum):
    """What becomes of an edit in Salesforce."""

    SEND = "send"
    QUEUE = "queue"
    HOLD = "hold"


# What UpdateOpportunity may change, by review status and stage. A path stands for all below it too. Read 2026-11-22.

EDITABLE_IN_ACTION_REQUIRED = (  # model of botocore 1.44.5, LifeCycle.ReviewStatus; developer guide, updates
    "Customer.Account.Address",
    "Customer.Account.WebsiteUrl",
    "LifeCycle.TargetCloseDate",
    "PartnerOpportunityIdentifier",
    "Project.CustomerBusinessProblem",
    "Project.ExpectedCustomerSpend",
)
LOCKED_ONCE_APPROVED = (
    "Customer.Account.Address.CountryCode",  # developer guide, updates
    "Customer.Account.Address.PostalCode",  # developer guide, updates
    "Customer.Account.Address.StateOrRegion",  # Opportunity-Fields.csv of partner-crm-integration-samples
    "Customer.Account.CompanyName",  # Opportunity-Fields.csv; sample-partner-agents, tried in Sandbox
    "Customer.Account.Industry",  # developer guide, updates
    "Customer.Account.OtherIndustry",  # Opportunity-Fields.csv
    "Customer.Account.WebsiteUrl",  # developer guide, updates
    "NationalSecurity",  # Opportunity-Fields.csv
    "PartnerOpportunityIdentifier",  # developer guide, updates; the sheet lets it change, and is older
    "Project.CustomerBusinessProblem",  # developer guide, updates
    "Project.Title",  # developer guide, updates
    # sample-partner-agents, tried in Sandbox: every member is locked. Until the launch the sheet lets it change, of
    # partners in special programs afterwards too.
    "SoftwareRevenue",
)
# The sheet also lets the partner's people change. UpdateOpportunity has no team: AssignOpportunity names another owner.
EDITABLE_ONCE_LAUNCHED = (  # Opportunity-Fields.csv
    "Project.AdditionalComments",
    "Project.DeliveryModels",
)
LOCKED_IN_A_DRAFT = (  # sample-partner-agents, tried in Sandbox: "You can not update the stage when …"
    "LifeCycle.ClosedLostReason",
    "LifeCycle.Stage",
)


def verdict_on(path: str, review_status: str, stage: str) -> Verdict:
    """What becomes of an edit of this AWS path while AWS has the opportunity in that review status and stage.

    A review status that AWS added later takes no edits until this table says otherwise.
    """
    if review_status == ReviewStatus.PENDING:
        return Verdict.QUEUE if _is_below(path, LOCKED_IN_A_DRAFT) else Verdict.SEND
    if review_status == ReviewStatus.ACTION_REQUIRED:
        return Verdict.SEND if _is_below(path, EDITABLE_IN_ACTION_REQUIRED) else Verdict.HOLD
    if review_status == ReviewStatus.REJECTED:
        return Verdict.HOLD
    if review_status != ReviewStatus.APPROVED:
        return Verdict.QUEUE
    if stage in FINAL:
        is_open = stage == LAUNCHED and _is_below(path, EDITABLE_ONCE_LAUNCHED)
        return Verdict.SEND if is_open else Verdict.HOLD
    return Verdict.HOLD if _is_below(path, LOCKED_ONCE_APPROVED) else Verdict.SEND


def verdict_on_associations(review_status: str, stage: str) -> Verdict:
    """What becomes of a change of solutions, products, offers or the owner (developer guide: possible at any stage).

    During the review it is not documented, so it waits. Opportunity-Fields.csv was made before there were calls for it:
    the sheet says neither while action is required nor once launched.
    """
    if review_status == ReviewStatus.REJECTED or stage == CLOSED_LOST:
        return Verdict.HOLD
    known = {ReviewStatus.PENDING, ReviewStatus.ACTION_REQUIRED, ReviewStatus.APPROVED}
    return Verdict.SEND if review_status in known else Verdict.QUEUE


def _is_below(path: str, tops: tuple[str, ...]) -> bool:
    return any(path == top or path.startswith(f"{top}.") for top in tops)


MEANING = {
    ReviewStatus.PENDING: "Created in Partner Central, not submitted yet.",
    ReviewStatus.SUBMITTED: "Submitted to AWS; waiting for the review to begin.",
    ReviewStatus.IN_REVIEW: "AWS is reviewing it.",
    ReviewStatus.APPROVED: "AWS approved it.",
    ReviewStatus.REJECTED: "AWS rejected it; it can no longer be changed.",
    ReviewStatus.ACTION_REQUIRED: "AWS asks for changes.",
}


def meaning_of(review_status: str, stage: str = "") -> str:
    """One sentence on a review status and stage; a status that AWS added later is told as it is."""
    if review_status == ReviewStatus.APPROVED and stage in FINAL:
        return "AWS has it as launched." if stage == LAUNCHED else "AWS has it as lost."
    try:
        return MEANING[ReviewStatus(review_status)]
    except ValueError:
        return f"AWS's review status is {review_status!r}." if review_status else "Submitted to AWS."
