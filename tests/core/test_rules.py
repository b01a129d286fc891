"""Each business rule both ways: what AWS takes, and what it refuses, with the path and the cure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core import places
from connector.core.model import Association, Problem
from connector.core.rules import ASSOCIATIONS, CREATE, SUBMISSION, USE_CASES, check_create, check_submission

TODAY = date(2026, 11, 21)
COMPLETE: dict[str, Any] = {
    "Origin": "Partner Referral",
    "OpportunityType": "Net New Business",
    "NationalSecurity": "No",
    "PartnerOpportunityIdentifier": "006000000000001AAA",
    "PrimaryNeedsFromAws": ["Co-Sell - Architectural Validation"],
    "Customer": {
        "Account": {
            "CompanyName": "Acme",
            "Industry": "Software and Internet",
            "WebsiteUrl": "https://acme.example",
            "Address": {"CountryCode": "US", "StateOrRegion": "New York", "PostalCode": "10003"},
        }
    },
    "LifeCycle": {
        "Stage": "Qualified",
        "ReviewStatus": "Pending Submission",
        "TargetCloseDate": "2026-11-22",
    },
    "Marketing": {"Source": "None"},
    "OpportunityTeam": [{"BusinessTitle": "PartnerAccountManager", "Email": "sam@partner.example"}],
    "Project": {
        "Title": "Move the data centre",
        "CustomerBusinessProblem": "The data centre closes at the end of the year.",
        "CustomerUseCase": "Security & Compliance",
        "DeliveryModels": ["SaaS or PaaS"],
        "SalesActivities": ["Initialized discussions with customer"],
        "ExpectedCustomerSpend": [
            {"Amount": "1000.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}
        ],
    },
}
SOLUTION = (Association("Solutions", "S-0000001"),)
CO_SELL = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
ARN = "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace"


def changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The complete opportunity with some paths set; None removes one."""
    opportunity = copy.deepcopy(COMPLETE)
    for path, value in changes.items():
        *above, name = path.split(".")
        place: Any = opportunity
        for step in above:
            place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
        if value is None:
            place.pop(name)
        else:
            place[name] = value
    return opportunity


def on_create(changes: Mapping[str, Any], associations: tuple[Association, ...] = ()) -> list[Problem]:
    return check_create(changed(changes), TODAY, associations)


def on_submission(
    changes: Mapping[str, Any],
    associations: tuple[Association, ...] = SOLUTION,
    submission: dict[str, Any] | None = CO_SELL,
) -> list[Problem]:
    return check_submission(changed(changes), associations, submission, TODAY)


def pairs(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in problems]


def test_a_complete_opportunity_has_no_problem() -> None:
    assert on_create({}) == []
    assert on_submission({}) == []


SPEND = "Project.ExpectedCustomerSpend"
FIRST = "Project.ExpectedCustomerSpend.0"
ESTIMATE = "https://calculator.aws/#/estimate?id=0123456789abcdef0123456789abcdef"
INDUSTRY = "Customer.Account.Industry"
OTHER_INDUSTRY = "Customer.Account.OtherIndustry"
STATE = "Customer.Account.Address.StateOrRegion"
POSTAL_CODE = "Customer.Account.Address.PostalCode"
COUNTRY = "Customer.Account.Address.CountryCode"
SOURCE = "Marketing.Source"

REFUSED_AT_CREATE: list[tuple[dict[str, Any], str, str, str]] = [
    ({"Project.Title": None}, "Project.Title", "required", "Fill it in."),
    ({"Project.Title": ""}, "Project.Title", "required", "Fill it in."),
    ({"LifeCycle.TargetCloseDate": None}, "LifeCycle.TargetCloseDate", "required", "after 2026-11-21"),
    ({"LifeCycle.TargetCloseDate": "2026-11-21"}, "LifeCycle.TargetCloseDate", "close_date", "2026-11-21."),
    ({"LifeCycle.TargetCloseDate": "2025-01-01"}, "LifeCycle.TargetCloseDate", "close_date", "2026-11-21."),
    (
        {"Project.CustomerBusinessProblem": None},
        "Project.CustomerBusinessProblem",
        "required",
        "20 characters",
    ),
    (
        {"Project.CustomerBusinessProblem": f"short{' ' * 20}"},
        "Project.CustomerBusinessProblem",
        "length",
        "more",
    ),
    ({SPEND: None}, f"{SPEND}[0].Amount", "required", "monthly"),
    ({SPEND: []}, f"{SPEND}[0].Amount", "required", "monthly"),
    ({f"{FIRST}.Amount": None}, f"{SPEND}[0].Amount", "required", "estimate"),
    ({f"{FIRST}.Amount": "0"}, f"{SPEND}[0].Amount", "amount", "above 0"),
    ({f"{FIRST}.Amount": "0.00"}, f"{SPEND}[0].Amount", "amount", "above 0"),
    ({f"{FIRST}.CurrencyCode": "GBP"}, f"{SPEND}[0].CurrencyCode", "currency", "USD or EUR"),
    ({"Project.AwsPartition": "aws-eusc"}, f"{SPEND}[0].CurrencyCode", "currency", "to EUR."),
    ({COUNTRY: None}, COUNTRY, "required", "country"),
    ({"Customer.Account.WebsiteUrl": None}, "Customer.Account.WebsiteUrl", "required", "website"),
    ({INDUSTRY: None}, INDUSTRY, "required", "industry"),
    ({INDUSTRY: "Other"}, OTHER_INDUSTRY, "required", "Name the industry."),
    ({OTHER_INDUSTRY: "Apparel"}, OTHER_INDUSTRY, "only_with", "industry Other"),
    ({"LifeCycle.Stage": None}, "LifeCycle.Stage", "required", "Choose a stage."),
    (
        {"LifeCycle.Stage": "Closed Lost", "LifeCycle.ClosedLostReason": "Price"},
        "LifeCycle.Stage",
        "closed_lost",
        "reopen",
    ),
    ({"LifeCycle.ClosedLostReason": "Price"}, "LifeCycle.ClosedLostReason", "only_with", "Closed Lost"),
    ({STATE: "NY"}, STATE, "state", "full name"),
    ({STATE: "New Yorck"}, STATE, "state", "Did you mean 'New York'?"),
    ({SOURCE: "Marketing Activity"}, "Marketing.AwsFundingUsed", "required", "Yes or No"),
    ({"Marketing.AwsFundingUsed": "No"}, "Marketing.AwsFundingUsed", "only_with", "Marketing Activity"),
    ({"Marketing.CampaignName": "Spring"}, "Marketing.CampaignName", "only_with", "Clear it"),
    ({"Marketing.Channels": ["Email"]}, "Marketing.Channels", "only_with", "Clear it"),
    ({"Marketing.UseCases": ["Analytics"]}, "Marketing.UseCases", "only_with", "Clear it"),
    ({SOURCE: None, "Marketing.Channels": ["Email"]}, "Marketing.Channels", "only_with", "Clear it"),
    (
        {SOURCE: "Marketing Activity", "Marketing.AwsFundingUsed": "No", "Marketing.UseCases": ["Analytics"]},
        "Marketing.UseCases",
        "only_with",
        "AWS funding used to Yes",
    ),
    ({"NationalSecurity": "Yes"}, "NationalSecurity", "only_with", "industry"),
    (
        {"OpportunityTeam.0.BusinessTitle": "Sales Rep"},
        "OpportunityTeam[0].BusinessTitle",
        "team",
        "PartnerAccountManager or OpportunityOwner",
    ),
    ({"OpportunityTeam.0.BusinessTitle": None}, "OpportunityTeam[0].BusinessTitle", "team", "Use"),
    (
        {"OpportunityType": "Flat Renewal"},
        "Project.RelatedOpportunityIdentifier",
        "required",
        "AWS id",
    ),
    ({"Project.OtherCompetitorNames": "X"}, "Project.OtherCompetitorNames", "only_with", "*Other"),
    (
        {"Project.OtherCompetitorNames": "X", "Project.CompetitorName": "Akamai"},
        "Project.OtherCompetitorNames",
        "only_with",
        "*Other",
    ),
    (
        {"Project.CustomerUseCase": "Migration/Database Migration"},
        "Project.CustomerUseCase",
        "use_case",
        "Did you mean 'Migration / Database Migration'?",
    ),
    ({"Project.CustomerUseCase": "???"}, "Project.CustomerUseCase", "use_case", "39"),
    (
        {"SoftwareRevenue": {"EffectiveDate": "2027-01-02", "ExpirationDate": "2027-01-01"}},
        "SoftwareRevenue.ExpirationDate",
        "dates",
        "2027-01-02",
    ),
    ({"SoftwareRevenue": {"EffectiveDate": "2027-02-30"}}, "SoftwareRevenue.EffectiveDate", "date", "calendar"),
    ({"LifeCycle.TargetCloseDate": "2027-02-30"}, "LifeCycle.TargetCloseDate", "date", "calendar"),
    *(
        ({"Customer.Account.AwsAccountId": value}, "Customer.Account.AwsAccountId", "account", "12 digits")
        for value in ("aws", "11112222333", "1111222233334", "1111-2222-333")
    ),
    *(
        (
            {"Project.ExpectedContractDuration": {"Term": "Months", "Value": value}},
            "Project.ExpectedContractDuration.Value",
            "duration",
            "from 1 to 144",
        )
        for value in ("0", "145", "12.5", "01", "-1", "a year", "1000")
    ),
]


@pytest.mark.parametrize(("changes", "path", "code", "cure"), REFUSED_AT_CREATE)
def test_create_refuses(changes: dict[str, Any], path: str, code: str, cure: str) -> None:
    problems = on_create(changes)
    assert pairs(problems) == [(path, code)]
    assert problems[0].blocks == "create"
    assert cure in problems[0].cure
    assert problems[0].message.endswith(".")


TAKEN_AT_CREATE: list[dict[str, Any]] = [
    {"LifeCycle.TargetCloseDate": "2030-01-01"},
    {"LifeCycle.TargetCloseDate": "soon"},  # the field table's business
    {"Project.CustomerBusinessProblem": "x" * 20},
    {"Project.CustomerBusinessProblem": f"  {'x' * 20}  "},
    {f"{FIRST}.Amount": "0.01"},
    {f"{FIRST}.Amount": "much"},  # the field table's business
    {f"{FIRST}.Amount": None, f"{FIRST}.EstimationUrl": ESTIMATE},
    {f"{FIRST}.Amount": "0", f"{FIRST}.EstimationUrl": ESTIMATE},
    {f"{FIRST}.CurrencyCode": "EUR"},
    {"Project.AwsPartition": "aws-eusc", f"{FIRST}.CurrencyCode": "EUR"},
    {INDUSTRY: "Other", OTHER_INDUSTRY: "Apparel"},
    {INDUSTRY: "Government", "NationalSecurity": "Yes"},
    {INDUSTRY: "Government", "NationalSecurity": "Yes", "Customer.Account.WebsiteUrl": None},
    {INDUSTRY: "Government", "NationalSecurity": "No"},
    {STATE: None},
    {STATE: "Dist. of Columbia"},
    {COUNTRY: "CA", STATE: "Ontario"},
    {SOURCE: None},
    {SOURCE: "Marketing Activity", "Marketing.AwsFundingUsed": "No", "Marketing.Channels": ["Email"]},
    {
        SOURCE: "Marketing Activity",
        "Marketing.AwsFundingUsed": "Yes",
        "Marketing.UseCases": ["Analytics"],
        "Marketing.CampaignName": "Spring",
    },
    {"OpportunityTeam": None},
    {"OpportunityTeam.0.BusinessTitle": "OpportunityOwner"},
    {"OpportunityType": "Flat Renewal", "Project.RelatedOpportunityIdentifier": "O123"},
    {"Project.CompetitorName": "*Other", "Project.OtherCompetitorNames": "X"},
    {"Project.CompetitorName": "*Other"},
    {"LifeCycle.Stage": "Launched"},
    {"Customer.Account.AwsAccountId": "111122223333"},
    {"SoftwareRevenue": {"EffectiveDate": "2027-01-02", "ExpirationDate": "2027-01-02"}},
    {"SoftwareRevenue": {"EffectiveDate": "2027-01-02"}},
    *({"Project.ExpectedContractDuration": {"Term": "Months", "Value": v}} for v in ("1", "12", "144")),
    *({"Project.CustomerUseCase": use_case} for use_case in USE_CASES),
]


@pytest.mark.parametrize("changes", TAKEN_AT_CREATE)
def test_create_takes(changes: dict[str, Any]) -> None:
    assert on_create(changes) == []


def test_an_empty_opportunity_tells_everything_at_once() -> None:
    assert pairs(check_create({}, TODAY)) == [
        ("Project.Title", "required"),
        ("Customer.Account.CompanyName", "required"),
        ("LifeCycle.TargetCloseDate", "required"),
        ("Project.CustomerBusinessProblem", "required"),
        ("Project.ExpectedCustomerSpend[0].Amount", "required"),
        ("Customer.Account.Address.CountryCode", "required"),
        ("Customer.Account.WebsiteUrl", "required"),
        ("Customer.Account.Industry", "required"),
        ("LifeCycle.Stage", "required"),
    ]
    assert {path for path, _ in pairs(check_submission({}, (), CO_SELL, TODAY))} == {
        "Customer.Account.Address.PostalCode",
        "RelatedEntityIdentifiers.Solutions",
        "Project.SalesActivities",
        "Project.DeliveryModels",
        "Project.CustomerUseCase",
        "PrimaryNeedsFromAws",
        "Marketing.Source",
        "OpportunityType",
    }


def test_a_lost_opportunity_needs_a_reason() -> None:
    assert ("LifeCycle.ClosedLostReason", "required") in pairs(on_create({"LifeCycle.Stage": "Closed Lost"}))


def test_each_spend_is_looked_at() -> None:
    item = {"Amount": "0", "CurrencyCode": "JPY", "Frequency": "Monthly", "TargetCompany": "AWS"}
    spend = [COMPLETE["Project"]["ExpectedCustomerSpend"][0], item]
    assert pairs(on_create({SPEND: spend})) == [
        (f"{SPEND}[1].Amount", "amount"),
        (f"{SPEND}[1].CurrencyCode", "currency"),
    ]


# The submission

REFUSED_AT_SUBMISSION: list[tuple[dict[str, Any], str, str, str]] = [
    ({POSTAL_CODE: None}, POSTAL_CODE, "required", "99999 or 99999-9999"),
    ({POSTAL_CODE: "1000"}, POSTAL_CODE, "postal_code", "99999 or 99999-9999"),
    ({COUNTRY: "HK", STATE: None}, POSTAL_CODE, "postal_code", "Clear it"),
    ({COUNTRY: "AR", STATE: None, POSTAL_CODE: None}, POSTAL_CODE, "required", "Fill it in."),
    ({STATE: None}, STATE, "required", "state"),
    ({"Project.SalesActivities": None}, "Project.SalesActivities", "required", "at least one"),
    ({"Project.DeliveryModels": []}, "Project.DeliveryModels", "required", "at least one"),
    ({"Project.CustomerUseCase": None}, "Project.CustomerUseCase", "required", "Choose"),
    ({"Project.CompetitorName": "*Other"}, "Project.OtherCompetitorNames", "required", "competitors"),
    ({"PrimaryNeedsFromAws": None}, "PrimaryNeedsFromAws", "required", "For Visibility Only"),
    ({SOURCE: None}, SOURCE, "required", "None"),
    ({"OpportunityType": None}, "OpportunityType", "required", "Choose a type."),
    ({"LifeCycle.Stage": "Launched"}, "LifeCycle.Stage", "launched", "Committed"),
]


@pytest.mark.parametrize(("changes", "path", "code", "cure"), REFUSED_AT_SUBMISSION)
def test_the_submission_refuses(changes: dict[str, Any], path: str, code: str, cure: str) -> None:
    problems = on_submission(changes)
    assert pairs(problems) == [(path, code)]
    assert problems[0].blocks == "submit"
    assert cure in problems[0].cure
    assert problems[0].message.endswith(".")


TAKEN_AT_SUBMISSION: list[dict[str, Any]] = [
    {POSTAL_CODE: "10003-1234"},
    {COUNTRY: "HK", STATE: None, POSTAL_CODE: None},
    {COUNTRY: "AR", STATE: None, POSTAL_CODE: "C1425"},
    {COUNTRY: "DE", STATE: None, POSTAL_CODE: "10115"},
    {INDUSTRY: "Government", "NationalSecurity": "Yes", STATE: None},
    {"LifeCycle.Stage": "Prospect"},
    {"LifeCycle.Stage": "Committed"},
    {"Project.CompetitorName": "*Other", "Project.OtherCompetitorNames": "A local hoster"},
]


@pytest.mark.parametrize("changes", TAKEN_AT_SUBMISSION)
def test_the_submission_takes(changes: dict[str, Any]) -> None:
    assert on_submission(changes) == []


SECRET = {INDUSTRY: "Government", "NationalSecurity": "Yes"}
SUBMISSIONS: list[tuple[dict[str, Any] | None, dict[str, Any], list[tuple[str, str]]]] = [
    ({"InvolvementType": "For Visibility Only"}, {"PrimaryNeedsFromAws": None}, []),
    ({"InvolvementType": "For Visibility Only", "Visibility": "Limited"}, {}, []),
    (
        {"InvolvementType": "Co-Sell", "Visibility": "Limited"},
        {},
        [("AwsSubmission.Visibility", "only_with")],
    ),
    ({"Visibility": "Limited"}, {}, [("AwsSubmission.Visibility", "only_with")]),
    ({"InvolvementType": "Co-Sell"}, {}, []),
    ({"InvolvementType": "Co-Sell"}, SECRET, []),
    ({"InvolvementType": "For Visibility Only"}, SECRET, [("AwsSubmission.InvolvementType", "only_with")]),
    (None, {"PrimaryNeedsFromAws": None}, []),
    (None, {SOURCE: None}, [(SOURCE, "required")]),
]


@pytest.mark.parametrize(("submission", "changes", "expected"), SUBMISSIONS)
def test_involvement_and_visibility(
    submission: dict[str, Any] | None, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert pairs(on_submission(changes, submission=submission)) == expected


SOLUTIONS = "RelatedEntityIdentifiers.Solutions"
DESCRIPTION = {"Project.OtherSolutionDescription": "Our own tool"}
ASSOCIATED: list[tuple[dict[str, Any], tuple[Association, ...], list[tuple[str, str]]]] = [
    ({}, (), [(SOLUTIONS, "required")]),
    ({}, (Association("AwsProducts", "AmazonEC2Linux"),), [(SOLUTIONS, "required")]),
    ({}, (Association("AwsMarketplaceOffers", f"{ARN}/Offer/offer-a1"),), [(SOLUTIONS, "required")]),
    (DESCRIPTION, (), []),
    ({**DESCRIPTION, "LifeCycle.Stage": "Committed"}, (), [(SOLUTIONS, "solution")]),
    ({**DESCRIPTION, "LifeCycle.Stage": "Committed"}, SOLUTION, []),
    ({}, (Association("AwsMarketplaceSolutions", f"{ARN}/Solution/soln-a1"),), []),
    ({}, (Association("AwsMarketplaceProducts", f"{ARN}/SaaSProduct/prod-a1"),), []),
    (
        {"LifeCycle.Stage": "Committed"},
        (Association("AwsMarketplaceProducts", f"{ARN}/SaaSProduct/prod-a1"),),
        [],
    ),
    (DESCRIPTION, (Association("Solutions", "Other"),), []),  # refused where it is associated
    ({}, (Association("Solutions", "other"),), [(SOLUTIONS, "required")]),
]


@pytest.mark.parametrize(("changes", "associations", "expected"), ASSOCIATED)
def test_a_solution_of_some_kind_is_needed(
    changes: dict[str, Any], associations: tuple[Association, ...], expected: list[tuple[str, str]]
) -> None:
    assert pairs(on_submission(changes, associations)) == expected


IDENTIFIERS = {
    "Solutions": "S-{:07}",
    "AwsProducts": "Product{}",
    "AwsMarketplaceSolutions": ARN + "/Solution/soln-{}",
    "AwsMarketplaceProducts": ARN + "/SaaSProduct/prod-{}",
    "AwsMarketplaceOffers": ARN + "/Offer/offer-{}",
    "AwsMarketplaceOfferSets": ARN + "/OfferSet/offerset-{}",
}
LIMITS = [
    ("Solutions", 10),
    ("AwsProducts", 20),
    ("AwsMarketplaceSolutions", 10),
    ("AwsMarketplaceProducts", 10),
    ("AwsMarketplaceOffers", 1),
    ("AwsMarketplaceOfferSets", 1),
]


@pytest.mark.parametrize(("entity_type", "limit"), LIMITS)
def test_associations_have_limits(entity_type: str, limit: int) -> None:
    path = f"RelatedEntityIdentifiers.{entity_type}"
    many = tuple(Association(entity_type, IDENTIFIERS[entity_type].format(i)) for i in range(limit + 1))
    others = SOLUTION if entity_type != "Solutions" else ()
    assert on_create({}, (*others, *many[:limit])) == []
    assert pairs(on_create({}, (*others, *many))) == [(path, "max")]


@pytest.mark.parametrize("entity_type", sorted(IDENTIFIERS))
def test_identifiers_have_a_shape(entity_type: str) -> None:
    for wrong in ("not an identifier", "Other", IDENTIFIERS[entity_type].format("1;S-2"), "S-1"[1:]):
        problems = on_create({}, (*SOLUTION, Association(entity_type, wrong)))
        assert pairs(problems) == [(f"RelatedEntityIdentifiers.{entity_type}", "association")]
        assert problems[0].blocks == "create"
    (problem,) = on_create({}, (Association(entity_type, IDENTIFIERS[entity_type].format("1" * 256)),))
    assert "255" in problem.message


def test_an_offer_and_an_offer_set_exclude_each_other() -> None:
    offer = Association("AwsMarketplaceOffers", f"{ARN}/Offer/offer-a1")
    offer_set = Association("AwsMarketplaceOfferSets", f"{ARN}/OfferSet/offerset-a1")
    expected = [("RelatedEntityIdentifiers.AwsMarketplaceOfferSets", "both")]
    assert pairs(on_create({}, (*SOLUTION, offer, offer_set))) == expected


# Postal codes: one code that AWS's list takes for each of its rows, and one that it refuses

GOOD_CODES = {
    "BE": "B-1000",
    "BM": "HM 12",
    "BN": "KB1133",
    "CA": "K1A 0B1",
    "GB": "SW1A 1AA",
    "IE": "D02 AF30",
    "LT": "LT-01100",
    "MT": "VLT 1117",
    "NL": "1012 AB",
    "SE": "SE-11455",
    "SM": "47890",
    "SZ": "H100",
    "VA": "120",
    "VC": "VC0100",
}
MORE_CODES = [
    ("US", "10003", True),
    ("US", "10003-1234", True),
    ("US", "100031234", False),
    ("CA", "K1A0B1", True),
    ("CA", "K1A-0B1", False),
    ("GB", "L2 2DP", True),
    ("GB", "DT3 6GB", True),
    ("GB", "SW1A1AA", True),
    ("GB", "sw1a1aa", False),
    ("CA", "\u212a1A 0B1", False),  # the sign of Kelvin, no K
    ("GB", "EC1A 1BB", True),
    ("GB", "W1A 0AX", True),
    ("GB", "SW1A 1A", False),
    ("JP", "100-0001", True),
    ("JP", "1000001", True),
    ("JP", "1000-001", False),
    ("IN", "110 001", True),
    ("IN", "110001", True),
    ("BR", "01310-100", True),
    ("BR", "01310", True),
    ("BR", "01310100", False),
    ("PL", "00-950", True),
    ("PL", "00950", False),
    ("PT", "1000", True),
    ("PT", "1000-205", True),
    ("SE", "114 55", True),
    ("SE", "11455", True),
    ("SE", "S-11455", True),
    ("NL", "1012AB", True),
    ("NL", "1012", False),
    ("IE", "A65F4E2", True),
    ("BM", "HM CX", True),
    ("BE", "1000", True),
    ("BH", "317", True),
    ("BH", "1216", True),
    ("CR", "1000", True),
    ("CR", "10101", True),
    ("IL", "61000", True),
    ("IL", "6100000", True),
    ("IL", "610000", False),
    ("VA", "00120", True),
    ("GF", "97300", True),
    ("GF", "97400", False),
    ("SA", "11564-1234", True),
    ("DE", "1011٥", False),
    ("KY", "anything", True),
]


def example(country: str) -> str:
    """A code in the country's first format."""
    known = GOOD_CODES.get(country)
    return known or places.POSTAL_FORMATS[country][0].replace("#", "1").replace("@", "A").replace("*", "A")


def test_every_row_of_the_list_is_there() -> None:
    assert len(places.POSTAL_FORMATS) == 147  # 149 rows, two of them for GB, one for the former CS
    assert len(places.COUNTRIES_WITHOUT_POSTAL_CODE) == 59
    assert set(places.POSTAL_FORMATS) <= places.COUNTRY_CODES
    assert places.COUNTRIES_WITHOUT_POSTAL_CODE <= places.COUNTRY_CODES
    assert not places.COUNTRIES_WITHOUT_POSTAL_CODE & set(places.POSTAL_FORMATS)


@pytest.mark.parametrize("country", sorted(places.POSTAL_FORMATS))
def test_every_postal_row_takes_its_format_and_refuses_others(country: str) -> None:
    address = {COUNTRY: country, STATE: "New York" if country == "US" else None}
    assert on_submission({**address, POSTAL_CODE: example(country)}) == []
    for wrong in ("?", example(country) + "9999999"):
        problems = on_submission({**address, POSTAL_CODE: wrong})
        assert pairs(problems) == [(POSTAL_CODE, "postal_code")]
        assert places.show_postal_formats(country) in problems[0].cure
        assert wrong not in problems[0].message


@pytest.mark.parametrize(("country", "code", "expected"), MORE_CODES)
def test_postal_codes_as_people_write_them(country: str, code: str, expected: bool) -> None:
    assert places.is_postal_code(code, country) is expected


@pytest.mark.parametrize("country", sorted(places.COUNTRIES_WITHOUT_POSTAL_CODE))
def test_countries_without_postal_codes_take_none(country: str) -> None:
    address = {COUNTRY: country, STATE: None}
    assert on_submission({**address, POSTAL_CODE: None}) == []
    assert pairs(on_submission({**address, POSTAL_CODE: "12345"})) == [(POSTAL_CODE, "postal_code")]


SHOWN = [
    ("US", "99999 or 99999-9999"),
    ("CA", "A9A 9A9 or A9A9A9"),
    ("GF", "973NN"),
    ("MF", "97150"),
    ("GB", "L2 2DP, DT3 6GB or SW1A 1AA"),
    ("KY", ""),
]


@pytest.mark.parametrize(("country", "shown"), SHOWN)
def test_formats_are_shown_as_aws_writes_them(country: str, shown: str) -> None:
    assert places.show_postal_formats(country) == shown


# Anything may come in

MEMBERS = (
    "Customer",
    "Account",
    "Address",
    "CountryCode",
    "Project",
    "ExpectedCustomerSpend",
    "Amount",
    "LifeCycle",
    "Stage",
    "TargetCloseDate",
    "Marketing",
    "Source",
    "OpportunityTeam",
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4)),
    max_leaves=12,
)


@given(JSON)
def test_a_broken_payload_breaks_no_rule_itself(value: Any) -> None:
    opportunity = value if isinstance(value, dict) else {"Project": value, "Customer": value}
    for problem in check_create(opportunity, TODAY) + check_submission(opportunity, (), CO_SELL, TODAY):
        assert problem.path
        assert problem.message
        assert problem.cure


def test_sensitive_values_are_never_quoted() -> None:
    secrets = {
        STATE: "Secret State",
        POSTAL_CODE: "Secret Code",
        f"{FIRST}.Amount": "-777",
        "Project.CustomerBusinessProblem": f"Secret{' ' * 20}",
    }
    told = " ".join(f"{p.message} {p.cure}" for p in on_create(secrets) + on_submission(secrets))
    assert "Secret" not in told
    assert "777" not in told


def test_the_tables_hold_each_rule_once() -> None:
    assert len({*CREATE, *ASSOCIATIONS, *SUBMISSION}) == len(CREATE) + len(ASSOCIATIONS) + len(SUBMISSION)
