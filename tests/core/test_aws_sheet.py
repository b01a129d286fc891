"""AWS's own field sheet and the rules say the same, or the difference is explained beside the rule."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aws_sheet import (
    COUNTRIES,
    OTHER_POSTAL_FORMS,
    POSTAL_FORMS,
    SHEET,
    WITHOUT_POSTAL_CODES,
    Row,
    digest,
)

from connector.adapters.partner_central import mapping_shapes
from connector.adapters.partner_central.model import input_shape
from connector.core import places, schema
from connector.core.lifecycle import ReviewStatus, Verdict, verdict_on, verdict_on_associations
from connector.core.model import Association, Problem
from connector.core.rules import USE_CASES, Facts, check_create, check_submission, check_update
from connector.core.schema import Shape

CORE = Path(__file__).parents[2] / "connector" / "core"
TODAY = date(2026, 11, 21)
CREATE, UPDATE = mapping_shapes().create, input_shape("UpdateOpportunity")
RELATED = "RelatedEntityIdentifiers."
LISTING = "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace"
PERSON = {"FirstName": "A", "LastName": "B", "BusinessTitle": "C", "Email": "a@b.example", "Phone": "+15127576000"}
FULL: dict[str, Any] = {
    "Identifier": "O1234567",
    "LastModifiedDate": "2026-11-20T00:00:00Z",
    "Origin": "Partner Referral",
    "OpportunityType": "Expansion",
    "NationalSecurity": "No",
    "PartnerOpportunityIdentifier": "006000000000001AAA",
    "PrimaryNeedsFromAws": ["Co-Sell - Deal Support"],
    "Customer": {
        "Account": {
            "CompanyName": "Acme",
            "Industry": "Retail",
            "WebsiteUrl": "https://acme.example",
            "AwsAccountId": "111122223333",
            "Duns": "123456789",
            "Address": {
                "CountryCode": "US",
                "StateOrRegion": "New York",
                "PostalCode": "10003",
                "City": "New York",
                "StreetAddress": "1 Main Street",
            },
        },
        "Contacts": [PERSON],
    },
    "LifeCycle": {"Stage": "Qualified", "TargetCloseDate": "2027-02-15", "NextSteps": "Call"},
    "Marketing": {"Source": "None"},
    "OpportunityTeam": [{**PERSON, "BusinessTitle": "PartnerAccountManager"}],
    "Project": {
        "Title": "Move the data centre",
        "CustomerBusinessProblem": "The data centre closes at the end of the year.",
        "CustomerUseCase": "Security & Compliance",
        "DeliveryModels": ["SaaS or PaaS"],
        "SalesActivities": ["SOW Signed"],
        "AdditionalComments": "None",
        "ApnPrograms": ["P3"],
        "CompetitorName": "Akamai",
        "RelatedOpportunityIdentifier": "O1234567",
        "ExpectedCustomerSpend": [
            {"Amount": "1000", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}
        ],
    },
    "SoftwareRevenue": {
        "DeliveryModel": "Contract",
        "Value": {"Amount": "5", "CurrencyCode": "USD"},
        "EffectiveDate": "2027-03-01",
        "ExpirationDate": "2028-03-01",
    },
    f"{RELATED}Solutions": ["S-0000001"],
    f"{RELATED}AwsProducts": ["AWSLambda"],
    f"{RELATED}AwsMarketplaceOffers": [f"{LISTING}/Offer/offer-a1"],
}
ASSIGNEE = ("Assignee.Email", "Assignee.LastName")
NAMES = ("FirstName", "LastName")
SECRET = {"NationalSecurity": "Yes", "Customer.Account.Industry": "Government"}
ACTIVITY = {
    "Marketing.Source": "Marketing Activity",
    "Marketing.AwsFundingUsed": "Yes",
    "Marketing.CampaignName": "Spring",
    "Marketing.Channels": ["Email"],
    "Marketing.UseCases": ["Analytics"],
}
CONDITIONS: Mapping[str, dict[str, Any]] = {
    "but for national security": SECRET,
    "industry Other": {"Customer.Account.Industry": "Other", "Customer.Account.OtherIndustry": "Space"},
    "but for countries without": {"Customer.Account.Address.CountryCode": "BQ"},
    "United States": {},
    "marketing activity": ACTIVITY,
    "no solution": {f"{RELATED}Solutions": []},
    "Flat Renewal": {"OpportunityType": "Flat Renewal"},
    "launched, by a services partner": {"LifeCycle.Stage": "Launched"},
    "competitor *Other": {"Project.CompetitorName": "*Other", "Project.OtherCompetitorNames": "A local hoster"},
    "Closed Lost": {"LifeCycle.Stage": "Closed Lost", "LifeCycle.ClosedLostReason": "Price"},
    "launched, in a special program": {"LifeCycle.Stage": "Launched"},
    "update": {},
    "but for a create": {},
    "AWS's own referral": {},
}
"""What makes each condition of the sheet hold."""
OTHERWISE: Mapping[str, dict[str, Any]] = {
    "United States": {"Customer.Account.Address": {"CountryCode": "AR", "PostalCode": "1"}}
}
"""What makes a condition not hold, where the full opportunity does not do that."""
UPDATES = ("update", "launched, by a services partner", "launched, in a special program")
"""Conditions of an update."""

# Where we say otherwise, by path and aspect: the file of connector/core with the reason beside the rule, and its words.
_CREATE, _SUBMIT, _UPDATE, _LIFE = "rules/create.py", "rules/submission.py", "rules/update.py", "lifecycle.py"
_NO_TYPE = (_SUBMIT, "the sheet takes none for Net New Business; the API has no such default")
_ANY_STAGE = (_LIFE, "the sheet says neither while action is required nor once launched")
_REVENUE = ("DeliveryModel", "EffectiveDate", "ExpirationDate", "Value.Amount", "Value.CurrencyCode")
DIFFERENCES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Customer.Account.CompanyName", "exception"): (_CREATE, "also of national security, which the sheet excepts"),
    ("Customer.Account.Address.CountryCode", "values"): ("places.py", "names where the API has codes"),
    ("Customer.Account.Industry", "values"): (_CREATE, "the API writes and where the sheet writes &"),
    ("LifeCycle.ClosedLostReason", "values"): (_CREATE, "the API writes a hyphen where the sheet has a dash"),
    ("LifeCycle.Stage", "create"): (_CREATE, "the sheet has none yet at a create"),
    ("LifeCycle.Stage", "exception"): (_CREATE, "the sheet has none yet at a create"),
    ("LifeCycle.TargetCloseDate", "form"): (_CREATE, "the sheet only forbids the past, the API today as well"),
    ("Marketing.CampaignName", "form"): (_CREATE, "lists of the sheet that the API takes any text for"),
    ("Marketing.Source", "values"): (_CREATE, "Marketing Activity and None are the sheet's Yes and No"),
    ("Marketing.UseCases", "values"): (_CREATE, "lists of the sheet that the API takes any text for"),
    ("OpportunityTeam[].BusinessTitle", "missing"): (_CREATE, "a job title in the sheet, a role in the API"),
    ("OpportunityType", "missing"): _NO_TYPE,
    ("OpportunityType", "update"): _NO_TYPE,
    ("PartnerOpportunityIdentifier", "condition"): (_UPDATE, "The API knows an opportunity by its own id"),
    ("PartnerOpportunityIdentifier", "open"): (_LIFE, "the sheet lets it change"),
    ("PrimaryNeedsFromAws", "values"): (_SUBMIT, "For Visibility Only is the sheet's Do Not Need Support"),
    ("Project.ApnPrograms", "values"): (_CREATE, "lists of the sheet that the API takes any text for"),
    ("Project.ExpectedCustomerSpend[].Amount", "form"): (_CREATE, "the sheet has whole dollars of 18 digits"),
    ("Project.OtherSolutionDescription", "condition"): (_SUBMIT, "told at the solutions, which are better"),
    ("RelatedEntityIdentifiers.AwsMarketplaceOffers", "create"): (
        "rules/associations.py",
        "the sheet has no offer yet",
    ),
    ("RelatedEntityIdentifiers.AwsMarketplaceOffers", "form"): ("rules/associations.py", "offer-… alone"),
    ("RelatedEntityIdentifiers.Solutions", "form"): ("rules/associations.py", "seven digits"),
    ("SoftwareRevenue.Value.Amount", "form"): (_CREATE, "the sheet has whole dollars of 18 digits"),
    **{(f"SoftwareRevenue.{name}", "condition"): (_UPDATE, "only AWS knows who is in one") for name in _REVENUE},
    **{(f"SoftwareRevenue.{name}", "create"): (_CREATE, "the sheet has no contract yet") for name in _REVENUE},
    **{(f"SoftwareRevenue.{name}", "open"): (_LIFE, "the sheet lets it change") for name in _REVENUE},
    **{(f"SoftwareRevenue.{name}", "launched"): (_LIFE, "the sheet lets it change") for name in _REVENUE},
    **{(f"Customer.Contacts[].{name}", "update"): (_UPDATE, "A create takes contacts without names") for name in NAMES},
    **{(f"OpportunityTeam[].{name}", "open"): (_LIFE, "UpdateOpportunity has no team") for name in PERSON},
    **{
        (path, aspect): _ANY_STAGE
        for path in (f"{RELATED}Solutions", f"{RELATED}AwsProducts", f"{RELATED}AwsMarketplaceOffers", *ASSIGNEE)
        for aspect in ("action required", "launched")
    },
}
NOT_OF_AN_OPPORTUNITY = {
    "",  # no field of the API: the id of a lead, who created and who modified it, what was done for old versions
    "LifeCycle.PartnerAcceptanceStatus",  # of an invitation from AWS, which is answered
    "RejectionReason",  # of RejectEngagementInvitation
}


def changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    body = copy.deepcopy(FULL)
    for path, value in changes.items():
        place, last = _place(body, path)
        place[last] = copy.deepcopy(value)
    return body


def without(body: dict[str, Any], path: str) -> dict[str, Any]:
    """The body without this; a contract goes as a whole, half an amount is none."""
    place, last = _place(body, "SoftwareRevenue" if path.startswith("SoftwareRevenue.") else path)
    place.pop(last, None)
    return body


def _place(body: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    if path.startswith(RELATED):
        return body, path
    *above, last = path.split(".")
    place: Any = body
    for step in above:
        place = place[step.removesuffix("[]")]
        place = place[0] if isinstance(place, list) else place
    return place, last


def split(body: dict[str, Any]) -> tuple[dict[str, Any], tuple[Association, ...]]:
    """The opportunity, and what is associated."""
    pairs = [(name, value) for name, values in body.items() if name.startswith(RELATED) for value in values]
    rest = {name: value for name, value in body.items() if not name.startswith(RELATED)}
    return rest, tuple(Association(name.removeprefix(RELATED), value) for name, value in pairs)


def on_create(body: dict[str, Any]) -> list[Problem]:
    """Everything against creating and submitting it."""
    opportunity, associations = split(body)
    opportunity = {name: value for name, value in opportunity.items() if name in CREATE.members}
    submission = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
    return [
        *(problem for problem in schema.check(opportunity, CREATE) if problem.path not in {"Catalog", "ClientToken"}),
        *check_create(opportunity, TODAY, associations),
        *check_submission(opportunity, associations, submission, TODAY),
    ]


def on_update(body: dict[str, Any]) -> list[Problem]:
    """Everything against an update to it."""
    opportunity, associations = split(body)
    opportunity = {name: value for name, value in opportunity.items() if name in UPDATE.members}
    facts = Facts(opportunity, TODAY, associations, stage_before="Qualified", is_co_sell=True)
    told = (problem for problem in schema.check(opportunity, UPDATE) if problem.path != "Catalog")
    return [*told, *check_update(facts)]


def tells(problems: list[Problem], path: str) -> bool:
    """Whether one of them is about this very path."""
    return any(re.sub(r"\[\d+\]", "[]", problem.path) == path for problem in problems)


# What differs


def differences(row: Row) -> Iterator[str]:
    """The aspects in which we and the sheet say different things of a field."""
    if row.wanted == "told" or row.path in ASSIGNEE:
        return
    yield from _wanted(row)
    if not row.is_created and _is_sent_at_create(row.path):
        yield "create"
    if row.wanted == "optional" and tells(on_update(without(changed({}), row.path)), row.path):
        yield "update"


def _wanted(row: Row) -> Iterator[str]:
    given = changed(CONDITIONS[row.when] if row.when else {})
    told = on_update if row.when in UPDATES else on_create
    is_told = tells(told(without(given, row.path)), row.path)
    if row.wanted == "conditional":
        usual = on_create(without(changed(OTHERWISE.get(row.when, {})), row.path))
        if not is_told or (tells(usual, row.path) and row.when not in UPDATES):
            yield "condition"
    elif row.when.startswith("but for"):
        if is_told:
            yield "exception"
        if row.when != "but for a create" and not tells(on_create(without(changed({}), row.path)), row.path):
            yield "missing"
    elif is_told != (row.wanted == "mandatory"):
        yield "missing"


def _is_sent_at_create(path: str) -> bool:
    """Whether the full opportunity has it, and a create takes that."""
    body = changed({})
    place, last = _place(body, path)
    is_of_create = path.startswith(RELATED) or CREATE.at(path) is not None
    return is_of_create and last in place and not tells(on_create(body), path)


def editability(row: Row) -> Iterator[str]:
    """When we say otherwise of whether it may be changed."""
    for letter, aspect, status, stage in (
        ("A", "action required", ReviewStatus.ACTION_REQUIRED, "Qualified"),
        ("O", "open", ReviewStatus.APPROVED, "Qualified"),
        ("L", "launched", ReviewStatus.APPROVED, "Launched"),
    ):
        if (letter in row.editable) != _is_editable(row.path, status, stage):
            yield aspect


def _is_editable(path: str, status: ReviewStatus, stage: str) -> bool:
    if path.startswith(RELATED) or path in ASSIGNEE:
        return verdict_on_associations(status, stage) == Verdict.SEND
    return UPDATE.at(path) is not None and verdict_on(path.replace("[]", ""), status, stage) == Verdict.SEND


OURS: Mapping[str, tuple[str, ...]] = {
    "Project.CustomerUseCase": USE_CASES,
    "Customer.Account.Address.StateOrRegion": tuple(places.US_STATES),
}


def values(row: Row) -> Iterator[str]:
    """Whether we take other values than the standard ones."""
    shape = shape_of(row.path)
    if row.values and shape is not None:
        ours = OURS.get(row.path) or (shape.item or shape).enum
        if row.values != digest(ours) and set(row.values) != set(ours):
            yield "values"


def form(row: Row) -> Iterator[str]:
    """Whether we take what the sheet refuses, or refuse what it takes."""
    given = CONDITIONS[row.when] if row.when == "marketing activity" else {}
    for value, is_taken in [*((value, True) for value in row.takes), *((value, False) for value in row.refuses)]:
        wrapped = [value] if row.path.startswith(RELATED) else value
        if tells(on_create(changed({**given, row.path: wrapped})), row.path) == is_taken:
            yield "form"
            return


def shape_of(path: str) -> Shape | None:
    """The field in the API's model."""
    if path.startswith(RELATED):
        kinds = mapping_shapes().entity_types
        return Shape("list") if path.removeprefix(RELATED) in kinds else None
    first, _, rest = path.partition(".")
    tops = {
        "opportunity": mapping_shapes().opportunity,
        "aws": mapping_shapes().aws,
        "invitation": mapping_shapes().invitation_answer,
        "Assignee": mapping_shapes().assignee,
    }
    return tops[first].at(rest) if first in tops else CREATE.at(path) or UPDATE.at(path)


# The tests

FIELDS = [row for row in SHEET if row.path]


def test_the_full_opportunity_is_in_order() -> None:
    assert on_create(changed({})) == []
    assert on_update(changed({})) == []
    assert on_create(changed(ACTIVITY)) == []
    assert on_create(changed(SECRET)) == []


def test_every_field_of_the_sheet_is_in_the_api() -> None:
    assert len(SHEET) == 88
    assert {row.name for row in SHEET if not row.path} == NOT_OF_AN_OPPORTUNITY
    assert [row.path for row in FIELDS if shape_of(row.path) is None] == []


def test_an_old_name_is_no_name_in_the_api() -> None:
    renamed = [row for row in FIELDS if row.wanted != "told" and row.name != row.path]
    assert [row.name for row in renamed if CREATE.at(row.name.partition(",")[0]) is not None] == []


def test_every_difference_is_known() -> None:
    """Both ways: none that is not in the table, and none in the table that is none any more."""
    found = {
        (row.path, aspect)
        for row in FIELDS
        for look in (differences, editability, values, form)
        for aspect in look(row)
        if not (look is editability and (row.wanted == "told" or row.path == "Identifier"))
    }
    assert found == DIFFERENCES.keys() | DIFFERENT_IN_WORDS


DIFFERENT_IN_WORDS = {
    ("opportunity.LifeCycle.ReviewStatus", "values"),  # Draft is Pending Submission now, see lifecycle.py
}


@pytest.mark.parametrize(("difference", "place"), DIFFERENCES.items(), ids=lambda value: " ".join(value))
def test_each_difference_is_explained_beside_the_rule(difference: tuple[str, str], place: tuple[str, str]) -> None:
    file, words = place
    text = re.sub(r"\s*\n\s*#?\s*", " ", (CORE / file).read_text(encoding="utf-8"))
    assert words in text, difference


@pytest.mark.parametrize("path", [row.path for row in FIELDS if row.when == "marketing activity"])
def test_what_belongs_to_a_marketing_activity_goes_with_nothing_else(path: str) -> None:
    assert tells(on_create(changed({path: ACTIVITY[path]})), path)


def test_national_security_is_for_the_government_and_needs_support() -> None:
    assert tells(on_create(changed({"NationalSecurity": "Yes"})), "NationalSecurity")
    state = "Customer.Account.Address.StateOrRegion"
    assert on_create(without(changed(SECRET), state)) == []
    opportunity, associations = split(changed(SECRET))
    (problem,) = check_submission(opportunity, associations, {"InvolvementType": "For Visibility Only"}, TODAY)
    assert problem.path == "AwsSubmission.InvolvementType"


def test_nobody_goes_back_to_no_support() -> None:
    assert tells(on_update(without(changed({}), "PrimaryNeedsFromAws")), "PrimaryNeedsFromAws")


def test_a_committed_opportunity_has_a_solution() -> None:
    described = {f"{RELATED}Solutions": [], "Project.OtherSolutionDescription": "Our own"}
    assert on_create(changed(described)) == []
    assert tells(on_create(changed({**described, "LifeCycle.Stage": "Committed"})), f"{RELATED}Solutions")


def test_one_offer_and_many_products() -> None:
    offers, products = f"{RELATED}AwsMarketplaceOffers", f"{RELATED}AwsProducts"
    assert tells(on_create(changed({offers: [f"{LISTING}/Offer/offer-{n}" for n in range(2)]})), offers)
    assert on_create(changed({products: ["AWSLambda", "AmazonWorkLink"]})) == []


# Countries and postal codes


def test_the_countries_are_the_same() -> None:
    assert digest(places.COUNTRY_CODES) == COUNTRIES
    shape = CREATE.at("Customer.Account.Address.CountryCode")
    assert shape is not None
    assert set(shape.enum) == places.COUNTRY_CODES
    assert digest(places.COUNTRIES_WITHOUT_POSTAL_CODE) == WITHOUT_POSTAL_CODES


def test_the_postal_codes_have_the_same_forms() -> None:
    shown = {country: places.show_postal_formats(country).split(" or ") for country in places.POSTAL_FORMATS}
    same = (
        f"{country} {'|'.join(sorted(forms))}" for country, forms in shown.items() if country not in OTHER_POSTAL_FORMS
    )
    assert digest(same) == POSTAL_FORMS
    for country, forms in OTHER_POSTAL_FORMS.items():
        assert set(shown[country]) != set(forms)


AS_PRINTED = [
    *(("BN", "KB1234"), ("GB", "L2 2DP"), ("GB", "DT3 6GB"), ("GB", "W1A1AA"), ("GB", "EC1A 1BB"), ("GB", "B1 1AA")),
    *(("IE", "A65 4F2K"), ("IE", "A654F2K"), ("NL", "1012 AC"), ("NL", "1012AC"), ("SV", "1101"), ("SZ", "M123")),
    ("VA", "120"),
]


@pytest.mark.parametrize(("country", "code"), AS_PRINTED)
def test_what_the_other_messages_print_is_taken_too(country: str, code: str) -> None:
    assert places.is_postal_code(code, country)


@pytest.mark.parametrize("country", [*(c for c in OTHER_POSTAL_FORMS if c not in {"GB", "NL"})])
def test_a_wider_form_is_explained_beside_the_table(country: str) -> None:
    text = re.sub(r"\s*\n\s*#?\s*", " ", (CORE / "places.py").read_text(encoding="utf-8"))
    form = OTHER_POSTAL_FORMS[country][0]
    assert f"{country} {form}" in text
    assert "most of the customers there could never be shared otherwise" in text
