"""What a record needs before it can be submitted to AWS, in the words of a failed task's Message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from connector.sandbox.partner_central import postal
from connector.sandbox.partner_central.errors import BUSINESS_EXCEPTION, NOT_PERMITTED, Problem, missing
from connector.sandbox.partner_central.paths import find, is_blank
from connector.sandbox.partner_central.records import Opportunity
from connector.sandbox.partner_central.rules import REQUIRED_ON_CREATE, STATE, close_date_problem, is_future
from connector.sandbox.partner_central.tables import (
    ACTION_REQUIRED,
    CLOSED_LOST,
    LAUNCHED,
    OTHER_COMPETITOR,
    PENDING,
    SOLUTION_KINDS,
    STAGES_WITH_SOLUTION,
)

POSTAL_CODE = "customer.account.address.postalCode"


@dataclass(frozen=True, slots=True)
class Submission:
    """The AwsSubmission of a request: InvolvementType and Visibility."""

    involvement: str
    visibility: str


def is_submittable(record: Opportunity) -> bool:
    """Whether the review status allows a submission at all."""
    return record.review_status in (PENDING, ACTION_REQUIRED)


def status_problem() -> Problem:
    """The service's own words for a record that was submitted already."""
    text = "Only Pending Submission or action required opportunities can be submitted"
    return Problem("", NOT_PERMITTED, text)


def has_solution(record: Opportunity) -> bool:
    """Whether a partner solution or a marketplace listing is associated."""
    return any(record.related.get(kind) for kind in SOLUTION_KINDS)


def check_submission(record: Opportunity, wanted: Submission, today: date) -> list[Problem]:
    """Every reason why a record cannot be submitted now, other than its review status."""
    return [
        *_required(record),
        *_address(record),
        *_solution(record),
        *_life_cycle(record, today),
        *_involvement(record, wanted),
    ]


def _required(record: Opportunity) -> Iterator[Problem]:
    paths = (
        *REQUIRED_ON_CREATE,
        "opportunityType",
        "project.customerUseCase",
        "project.deliveryModels",
        "marketing.source",
    )
    yield from (missing(path) for path in paths if is_blank(find(record.body, path)))
    names = "project.otherCompetitorNames"
    if find(record.body, "project.competitorName") == OTHER_COMPETITOR and is_blank(find(record.body, names)):
        yield missing(names)
    if is_blank(find(record.body, "project.salesActivities")):
        # Recorded with this code and this spelling.
        yield Problem("project.salesActivities", NOT_PERMITTED, " project.salesActivities is required")


def _address(record: Opportunity) -> Iterator[Problem]:
    country = find(record.body, "customer.account.address.countryCode") or ""
    is_secret = record.body.get("NationalSecurity") == "Yes"
    if country == "US" and not is_secret and is_blank(find(record.body, STATE)):
        yield missing(STATE)
    code = find(record.body, POSTAL_CODE)
    if postal.is_without(country):
        if not is_blank(code):
            yield Problem(POSTAL_CODE, "INVALID_VALUE", f"{country} has no postal codes, postalCode must be empty")
    elif is_blank(code):
        yield missing(POSTAL_CODE)
    elif not postal.is_wellformed(country, code):
        form = postal.describe(country)
        rule = f"{country} postal code must be in {form} format."
        text = f"The postal code is invalid for country {country}, {rule}"
        yield Problem(POSTAL_CODE, "INVALID_VALUE", text)


def _solution(record: Opportunity) -> Iterator[Problem]:
    stage = find(record.body, "lifeCycle.stage")
    is_other_enough = stage not in STAGES_WITH_SOLUTION
    described = is_other_enough and not is_blank(find(record.body, "project.otherSolutionDescription"))
    if not has_solution(record) and not described:
        yield Problem("relatedEntityIdentifiers.solutions", BUSINESS_EXCEPTION, "Associate atleast one solution")


def _life_cycle(record: Opportunity, today: date) -> Iterator[Problem]:
    if not is_future(find(record.body, "lifeCycle.targetCloseDate"), today):
        yield close_date_problem()
    stage = find(record.body, "lifeCycle.stage")
    if stage in (CLOSED_LOST, LAUNCHED):
        # The model: what is closed is not suitable for submission. Launched is AWS's word for closed and won.
        yield Problem("lifeCycle.stage", NOT_PERMITTED, f"A {stage} opportunity cannot be submitted")


def _involvement(record: Opportunity, wanted: Submission) -> Iterator[Problem]:
    if wanted.involvement != "Co-Sell":
        if record.body.get("NationalSecurity") == "Yes":
            text = "An opportunity of national security needs support from AWS Sales Rep"
            yield Problem("primaryNeedsFromAws", NOT_PERMITTED, text)
        return
    if wanted.visibility == "Limited":
        text = "Cannot set visibility to limited on a Co-Sell opportunity"
        yield Problem("primaryNeedsFromAws", BUSINESS_EXCEPTION, text)
        text = "Opportunity cannot be submitted or updated to Limited Visibility"
        yield Problem("", NOT_PERMITTED, f"You cannot perform Submit action. {text}")
    if is_blank(record.body.get("PrimaryNeedsFromAws")):
        yield missing("primaryNeedsFromAws")
