"""The business rules of CreateOpportunity and UpdateOpportunity, as AWS applies them to one body.

Each rule is a function from the facts to the problems it finds. What may be changed in which review status is
in `edits`, what a submission needs in `submission`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from connector.sandbox.partner_central.errors import BUSINESS_EXCEPTION, NOT_PERMITTED, Problem, missing
from connector.sandbox.partner_central.instants import to_date
from connector.sandbox.partner_central.paths import Json, find, is_blank
from connector.sandbox.partner_central.tables import (
    CLOSED_LOST,
    OTHER_COMPETITOR,
    PENDING,
    REQUIRED_ON_UPDATE,
    SPEND_CURRENCIES,
    TEAM_TITLES,
    US_STATES,
    USE_CASES,
)

REQUIRED_ON_CREATE = (
    "customer.account.industry",
    "customer.account.address.countryCode",
    "project.title",
    "project.customerBusinessProblem",
    "project.expectedCustomerSpend",
    "lifeCycle.stage",
    "lifeCycle.targetCloseDate",
)
# National security hides the customer.
REQUIRED_UNLESS_SECRET = ("customer.account.companyName", "customer.account.websiteUrl")

STATE = "customer.account.address.stateOrRegion"
SPEND = "project.expectedCustomerSpend"
DURATION = "project.expectedContractDuration"


@dataclass(frozen=True, slots=True)
class Facts:
    """One body and what it is judged by. `is_own` tells whether an opportunity id is the caller's."""

    body: Json
    catalog: str
    today: date
    is_own: Callable[[str], bool]
    may_close_in_past: bool = False

    def get(self, path: str) -> object:
        """The value at a path of the body."""
        return find(self.body, path)


Rule = Callable[[Facts], Iterator[Problem]]


def check_create(facts: Facts) -> list[Problem]:
    """Every problem that makes CreateOpportunity refuse a body."""
    return [problem for rule in (*_CREATE_RULES, *_CONTENT_RULES) for problem in rule(facts)]


def check_update(facts: Facts) -> list[Problem]:
    """Every problem that makes UpdateOpportunity refuse a body, whatever the record's status."""
    return [problem for rule in (*_UPDATE_RULES, *_CONTENT_RULES) for problem in rule(facts)]


def normalise(body: Json) -> Json:
    """The body as the service stores it: some values are ignored, some rewritten. Changes in place."""
    address = find(body, "customer.account.address") or {}
    if address.get("CountryCode") != "US":
        address.pop("StateOrRegion", None)
    project = body.get("Project", {})
    if body.get("OpportunityType") == "Net New Business":
        project.pop("RelatedOpportunityIdentifier", None)
    for spend in project.get("ExpectedCustomerSpend", ()):
        if not (spend["TargetCompany"] == "Self" and "ExpectedContractDuration" in project):
            spend["TargetCompany"] = "AWS"
        if "Amount" in spend:
            spend["Amount"] = to_plain(spend["Amount"])
    return body


def to_plain(amount: str) -> str:
    """`10000.00` as `10000`: how GetOpportunity gives an amount back."""
    try:
        text = f"{Decimal(amount):f}"
    except InvalidOperation:
        return amount
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_future(day: object, today: date) -> bool:
    """Whether a `yyyy-mm-dd` is a real day after today."""
    parsed = to_date(day)
    return parsed is not None and parsed > today


def close_date_problem() -> Problem:
    """The service's own words for a close date that is not in the future."""
    return Problem("lifeCycle.targetCloseDate", BUSINESS_EXCEPTION, "Target Close Date should be a future date")


def _require(facts: Facts, paths: Iterable[str]) -> Iterator[Problem]:
    return (missing(path) for path in paths if is_blank(facts.get(path)))


def _required_on_create(facts: Facts) -> Iterator[Problem]:
    return _require(facts, REQUIRED_ON_CREATE)


def _required_on_update(facts: Facts) -> Iterator[Problem]:
    return _require(facts, dict.fromkeys((*REQUIRED_ON_CREATE, *REQUIRED_ON_UPDATE)))


def _named_customer(facts: Facts) -> Iterator[Problem]:
    if facts.get("nationalSecurity") != "Yes":
        yield from _require(facts, REQUIRED_UNLESS_SECRET)


def _origin(facts: Facts) -> Iterator[Problem]:
    if facts.get("origin") == "AWS Referral" and facts.catalog != "Sandbox":
        yield Problem("origin", NOT_PERMITTED, "Only Partner Referral opportunities can be created in this catalog")


def _initial_status(facts: Facts) -> Iterator[Problem]:
    if facts.get("lifeCycle.reviewStatus") not in (None, PENDING):
        yield Problem("lifeCycle.reviewStatus", NOT_PERMITTED, "A new opportunity has to be Pending Submission")
    if facts.get("lifeCycle.stage") == CLOSED_LOST:
        yield Problem("lifeCycle.stage", NOT_PERMITTED, "An opportunity cannot be created as Closed Lost")


def _team(facts: Facts) -> Iterator[Problem]:
    for member in facts.body.get("OpportunityTeam", ()):
        if member.get("BusinessTitle") not in TEAM_TITLES:
            titles = " or ".join(sorted(TEAM_TITLES))
            yield Problem("opportunityTeam.businessTitle", "INVALID_VALUE", f"businessTitle must be {titles}")


def _business_problem(facts: Facts) -> Iterator[Problem]:
    text = facts.get("project.customerBusinessProblem")
    if isinstance(text, str) and 0 < len(text.strip()) < 20:
        yield Problem("project.customerBusinessProblem", "INVALID_STRING_FORMAT", "at least 20 characters are needed")


def _industry(facts: Facts) -> Iterator[Problem]:
    path = "customer.account.otherIndustry"
    is_other = facts.get("customer.account.industry") == "Other"
    if is_other and is_blank(facts.get(path)):
        yield missing(path)
    if not is_other and not is_blank(facts.get(path)):
        yield Problem(path, NOT_PERMITTED, "otherIndustry is only allowed when industry is Other")


def _national_security(facts: Facts) -> Iterator[Problem]:
    if facts.get("nationalSecurity") == "Yes" and facts.get("customer.account.industry") != "Government":
        yield Problem("nationalSecurity", "INVALID_VALUE", "nationalSecurity is only Yes for industry Government")


def _state(facts: Facts) -> Iterator[Problem]:
    state = facts.get(STATE)
    is_american = facts.get("customer.account.address.countryCode") == "US"
    if is_american and not is_blank(state) and state not in US_STATES:
        yield Problem(STATE, "INVALID_ENUM_VALUE", f"{STATE} must be the full name of a state")


def _account(facts: Facts) -> Iterator[Problem]:
    # The model's pattern also admits the names that invitations know accounts by.
    account = facts.get("customer.account.awsAccountId")
    if isinstance(account, str) and not re.fullmatch("[0-9]{12}", account):
        yield Problem("customer.account.awsAccountId", "INVALID_VALUE", "Account Id must be 12 numerical digits")


def _use_case(facts: Facts) -> Iterator[Problem]:
    use_case = facts.get("project.customerUseCase")
    if not is_blank(use_case) and use_case not in USE_CASES:
        yield Problem("project.customerUseCase", "INVALID_ENUM_VALUE", "customerUseCase is not a known use case")


def _spend(facts: Facts) -> Iterator[Problem]:
    for spend in find(facts.body, SPEND) or ():
        if "EstimationUrl" not in spend and Decimal(spend.get("Amount") or 0) <= 0:
            yield Problem(f"{SPEND}.amount", "INVALID_VALUE", "Estimated AWS revenue cannot be blank or 0")
        yield from _currency(facts, spend["CurrencyCode"])


def _currency(facts: Facts, currency: str) -> Iterator[Problem]:
    path = f"{SPEND}.currencyCode"
    if currency not in SPEND_CURRENCIES:
        yield Problem(path, "INVALID_VALUE", "CurrencyCode must be USD or EUR")
    elif facts.get("project.awsPartition") == "aws-eusc" and currency != "EUR":
        yield Problem(path, "INVALID_VALUE", "ESC cloud partition requires EUR currency")


def _duration(facts: Facts) -> Iterator[Problem]:
    months = facts.get(f"{DURATION}.value")
    if isinstance(months, str) and not (re.fullmatch("[1-9][0-9]{0,2}", months) and int(months) <= 144):
        yield Problem(f"{DURATION}.value", "VALUE_OUT_OF_RANGE", "value must be between 1 and 144 months")


def _competitor(facts: Facts) -> Iterator[Problem]:
    path = "project.otherCompetitorNames"
    if not is_blank(facts.get(path)) and facts.get("project.competitorName") != OTHER_COMPETITOR:
        yield Problem(path, NOT_PERMITTED, "otherCompetitorNames is only allowed when competitorName is *Other")


def _marketing(facts: Facts) -> Iterator[Problem]:
    companions = (
        "marketing.awsFundingUsed",
        "marketing.campaignName",
        "marketing.useCases",
        "marketing.channels",
    )
    if facts.get("marketing.source") != "Marketing Activity":
        for path in companions:
            if not is_blank(facts.get(path)):
                yield Problem(
                    path, NOT_PERMITTED, f"{path} is only allowed when marketing.source is Marketing Activity"
                )
        return
    yield from _require(facts, ["marketing.awsFundingUsed"])
    if facts.get("marketing.awsFundingUsed") == "No" and not is_blank(facts.get("marketing.useCases")):
        yield Problem("marketing.useCases", NOT_PERMITTED, "useCases must be empty when awsFundingUsed is No")


def _revenue(facts: Facts) -> Iterator[Problem]:
    paths = ("softwareRevenue.effectiveDate", "softwareRevenue.expirationDate")
    given = [(path, facts.get(path)) for path in paths]
    days = [to_date(value) for _, value in given]
    for (path, value), day in zip(given, days, strict=True):
        if value is not None and day is None:
            yield Problem(path, "INVALID_STRING_FORMAT", f"{path} is not a date")
    start, end = days
    if start is not None and end is not None and end < start:
        yield Problem(paths[1], "INVALID_VALUE", "Contract end date cannot be earlier than contract start date")


def _parent(facts: Facts) -> Iterator[Problem]:
    path = "project.relatedOpportunityIdentifier"
    parent = facts.get(path)
    kind = facts.get("opportunityType")
    if kind == "Flat Renewal" and is_blank(parent):
        yield missing(path)
    if isinstance(parent, str) and kind != "Net New Business" and not facts.is_own(parent):
        yield Problem(path, "INVALID_VALUE", "relatedOpportunityIdentifier is not an opportunity of yours")


def _close_date(facts: Facts) -> Iterator[Problem]:
    day = facts.get("lifeCycle.targetCloseDate")
    if day is None:
        return
    if to_date(day) is None:
        yield Problem("lifeCycle.targetCloseDate", "INVALID_STRING_FORMAT", "targetCloseDate is not a date")
    elif not facts.may_close_in_past and not is_future(day, facts.today):
        yield close_date_problem()


def _closed_lost_reason(facts: Facts) -> Iterator[Problem]:
    path = "lifeCycle.closedLostReason"
    is_lost = facts.get("lifeCycle.stage") == CLOSED_LOST
    if is_lost and is_blank(facts.get(path)):
        yield missing(path)
    if not is_lost and not is_blank(facts.get(path)):
        yield Problem(
            path, NOT_PERMITTED, "Closed Lost Reason is not acceptable until Opportunity has been Closed Lost"
        )


def _contacts(facts: Facts) -> Iterator[Problem]:
    # A contact without a name is stored by a create and makes an unmodified echo fail.
    for contact in find(facts.body, "customer.contacts") or ():
        for key in ("firstName", "lastName"):
            if is_blank(find(contact, key)):
                yield missing(f"customer.contacts.{key}")


_CREATE_RULES: tuple[Rule, ...] = (_required_on_create, _origin, _initial_status, _team)
_UPDATE_RULES: tuple[Rule, ...] = (_required_on_update, _contacts)
_CONTENT_RULES: tuple[Rule, ...] = (
    _named_customer,
    _business_problem,
    _industry,
    _national_security,
    _state,
    _account,
    _use_case,
    _spend,
    _duration,
    _competitor,
    _marketing,
    _revenue,
    _parent,
    _close_date,
    _closed_lost_reason,
)
