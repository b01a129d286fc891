"""What UpdateOpportunity may change in which review status."""

from __future__ import annotations

from collections.abc import Iterator

from connector.sandbox.partner_central.errors import NOT_PERMITTED, Problem, missing
from connector.sandbox.partner_central.paths import Json, changed_paths, find, is_under
from connector.sandbox.partner_central.records import Opportunity
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.partner_central.tables import (
    ACTION_REQUIRED,
    APPROVED,
    CLOSED_LOST,
    EDITABLE_WHEN_ACTION_REQUIRED,
    EDITABLE_WHEN_LAUNCHED,
    IN_REVIEW,
    LAUNCHED,
    LOCKED_WHEN_APPROVED,
    PENDING,
    REJECTED,
    SIMULATED_REVIEWS,
    STAGES_WITH_SOLUTION,
    SUBMITTED,
)

REVIEW_STATUS = "lifeCycle.reviewStatus"
REVENUE_AT_LAUNCH = tuple(
    f"softwareRevenue.{member}" for member in ("deliveryModel", "value", "effectiveDate", "expirationDate")
)


def is_simulated_review(record: Opportunity, requested: str | None) -> bool:
    """Whether an update plays AWS's part: in catalog Sandbox, submitted, with a decision in ReviewStatus."""
    return (
        record.catalog == "Sandbox"
        and record.review_status in (SUBMITTED, IN_REVIEW, ACTION_REQUIRED)
        and requested in SIMULATED_REVIEWS
        and requested != record.review_status
    )


def check_edit(record: Opportunity, body: Json, requested: str | None) -> list[Problem]:
    """Why a record may not become `body` now. `requested` is the ReviewStatus of the request, if any."""
    if is_simulated_review(record, requested):
        return []
    changed = changed_paths(record.body, body)
    return [*_check_status(record, requested), *_check_changes(record, body, changed)]


def check_stage(record: Opportunity, body: Json, settings: Settings, *, has_solution: bool) -> list[Problem]:
    """What a later stage needs: a solution, and at the launch what the settings ask for."""
    stage = find(body, "lifeCycle.stage")
    problems = []
    if stage in STAGES_WITH_SOLUTION and not has_solution:
        text = f"A solution has to be associated for stage {stage}"
        problems.append(Problem("relatedEntityIdentifiers.solutions", "REQUIRED_FIELD_MISSING", text))
    if stage == LAUNCHED and find(record.body, "lifeCycle.stage") != LAUNCHED:
        needed: tuple[str, ...] = ("customer.account.awsAccountId",) if settings.launched_needs_account else ()
        needed += REVENUE_AT_LAUNCH if settings.launched_needs_revenue else ()
        problems += [missing(path) for path in needed if not find(body, path)]
    return problems


def _check_status(record: Opportunity, requested: str | None) -> Iterator[Problem]:
    # A status that Sandbox lost stays lost, whatever is sent; nothing is said about it.
    if requested is None or record.review_status is None or requested == record.review_status:
        return
    if record.review_status == APPROVED:
        text = "reviewStatus is not editable if status is Approved"
    else:
        text = f"reviewStatus cannot be changed from {record.review_status} to {requested}"
    yield Problem(REVIEW_STATUS, NOT_PERMITTED, text)


def _check_changes(record: Opportunity, body: Json, changed: list[str]) -> Iterator[Problem]:
    status = record.review_status
    if status in (None, PENDING):
        yield from _check_pending(changed)
    elif status in (SUBMITTED, IN_REVIEW, REJECTED):
        text = "Opportunity cannot be modified in Submitted, Rejected or In review status"
        yield Problem("", NOT_PERMITTED, text)
    elif status == ACTION_REQUIRED:
        locked = [path for path in changed if not is_under(path, EDITABLE_WHEN_ACTION_REQUIRED)]
        yield from _locked(locked, ACTION_REQUIRED)
    else:
        yield from _check_approved(record, body, changed)


def _check_pending(changed: list[str]) -> Iterator[Problem]:
    if "lifeCycle.stage" in changed:
        text = "You can not update the stage when Opportunity status is Pending Submission"
        yield Problem("lifeCycle.stage", NOT_PERMITTED, text)


def _check_approved(record: Opportunity, body: Json, changed: list[str]) -> Iterator[Problem]:
    stage = find(record.body, "lifeCycle.stage")
    editable = EDITABLE_WHEN_LAUNCHED if stage == LAUNCHED else ()
    if stage in (LAUNCHED, CLOSED_LOST):
        text = "Changes are not allowed when an opportunity stage is Closed Lost or Launched"
        yield from (Problem(path, NOT_PERMITTED, text) for path in changed if not is_under(path, editable))
        return
    yield from _locked([path for path in changed if is_under(path, LOCKED_WHEN_APPROVED)], APPROVED)
    # A record that AWS itself turned into Co-Sell has no needs yet, and lacking them is no change then.
    is_dropping = record.body.get("PrimaryNeedsFromAws") and not body.get("PrimaryNeedsFromAws")
    if record.involvement == "Co-Sell" and is_dropping:
        text = "Cannot change a Co-Sell opportunity to For Visibility Only"
        yield Problem("primaryNeedsFromAws", NOT_PERMITTED, text)


def _locked(paths: list[str], status: str) -> Iterator[Problem]:
    return (Problem(path, NOT_PERMITTED, f"{path} is not editable if status is {status}") for path in paths)
