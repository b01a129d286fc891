"""Where an opportunity stands, and what that means for the seller. States are derived here, never stored."""

from __future__ import annotations

from enum import StrEnum


class ReviewStatus(StrEnum):
    """AWS's exact spelling; note the lower-case r of ``In review`` (botocore model, 2026-11)."""

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


def has_begun(review_status: str) -> bool:
    """Whether AWS has taken the submission up."""
    return review_status not in {"", ReviewStatus.PENDING}


MEANING = {
    ReviewStatus.PENDING: "Created in Partner Central, not submitted yet.",
    ReviewStatus.SUBMITTED: "Submitted to AWS; waiting for the review to begin.",
    ReviewStatus.IN_REVIEW: "AWS is reviewing it.",
    ReviewStatus.APPROVED: "AWS approved it.",
    ReviewStatus.REJECTED: "AWS rejected it; it can no longer be changed.",
    ReviewStatus.ACTION_REQUIRED: "AWS asks for changes.",
}


def meaning_of(review_status: str) -> str:
    """One sentence on a review status; a value that AWS added later is told as it is."""
    try:
        return MEANING[ReviewStatus(review_status)]
    except ValueError:
        return f"AWS's review status is {review_status!r}." if review_status else "Submitted to AWS."
