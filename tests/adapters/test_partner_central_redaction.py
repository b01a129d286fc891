"""What a request shows in the log: what AWS's model gives the choice of, and no word of a seller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_front import DEAL

from connector.adapters.partner_central import model
from connector.adapters.partner_central.client import WRITES
from connector.adapters.partner_central.redaction import STARS, redacted
from connector.core.schema import Shape

TEXT, ENUM = Shape("string"), Shape("string", enum=("a", "b"))
SECRET, SECRET_ENUM = Shape("string", sensitive=True), Shape("string", enum=("a",), sensitive=True)


@pytest.mark.parametrize(
    ("value", "shape", "shown"),
    [
        ("a", ENUM, "a"),
        ("words of ours", ENUM, STARS),
        ("a", TEXT, STARS),
        ("a", SECRET, STARS),
        ("a", SECRET_ENUM, STARS),
        ("a", None, STARS),
        (7, None, STARS),
        ("2027-01-15", TEXT, "2027-01-15"),
        ("2027-01-15T12:00:00.25Z", Shape("timestamp"), "2027-01-15T12:00:00.25Z"),
        ("2027-01-15", SECRET, STARS),
        ("2027-01-15: call Ann", TEXT, STARS),
        (7, Shape("integer"), 7),
        (True, Shape("boolean"), True),
        ("1000.00", TEXT, STARS),
        (["a", "c"], Shape("list", item=ENUM), ["a", STARS]),
        (["a"], Shape("list", item=TEXT), [STARS]),
        (["a"], TEXT, [STARS]),
        ({"A": "a"}, TEXT, {"A": STARS}),
        (
            {"A": "a", "B": "a", "C": "a"},
            Shape("structure", {"A": ENUM, "B": TEXT}),
            {"A": "a", "B": STARS, "C": STARS},
        ),
        ([{"A": "a"}], Shape("list", item=Shape("structure", {"A": SECRET})), [{"A": STARS}]),
        ({"A": "a"}, Shape("structure", {"A": ENUM}, sensitive=True), STARS),
    ],
)
def test_only_what_the_model_chooses_from_is_shown(value: Any, shape: Shape | None, shown: Any) -> None:
    assert redacted(value, shape) == shown


@pytest.mark.parametrize("name", ["Id", "Identifier", "RelatedEntityIdentifier", "ClientToken", "Catalog"])
def test_ids_are_shown_alone_and_in_lists_and_no_words_in_their_place(name: str) -> None:
    shape = Shape("structure", {name: TEXT})
    assert redacted({name: "O1234567"}, shape) == {name: "O1234567"}
    assert redacted({name: ["S-1", "a deal"]}, Shape("structure", {name: Shape("list", item=TEXT)})) == {
        name: ["S-1", STARS]
    }
    assert redacted({name: "Weaving plant"}, shape) == {name: STARS}
    assert redacted({name: "O1234567"}, Shape("structure", {name: SECRET})) == {name: STARS}


def test_of_a_deal_no_word_of_a_seller_is_left() -> None:
    words = {"AdditionalComments": "Ask for Ann", "OtherCompetitorNames": "Rival", "ApnPrograms": ["Ours"]}
    body = {**DEAL, "Project": {**DEAL["Project"], **words}, "Tags": [{"Key": "team", "Value": "North"}]}
    body["SoftwareRevenue"] = {"Value": {"Amount": "12.50", "CurrencyCode": "EUR"}, "EffectiveDate": "2027-01-01"}
    shown = redacted(body, model.input_shape("CreateOpportunity"))
    assert shown == {
        "ClientToken": "token-1",
        "Origin": "Partner Referral",
        "OpportunityType": "Net New Business",
        "NationalSecurity": "No",
        "PartnerOpportunityIdentifier": "006000000000001AAA",
        "PrimaryNeedsFromAws": ["Co-Sell - Architectural Validation"],
        "Customer": {
            "Account": {
                "CompanyName": STARS,
                "Industry": "Software and Internet",
                "WebsiteUrl": STARS,
                "Address": {"CountryCode": STARS, "StateOrRegion": STARS, "PostalCode": STARS},
            }
        },
        "LifeCycle": {"Stage": "Qualified", "ReviewStatus": "Pending Submission", "TargetCloseDate": "2099-06-30"},
        "Marketing": {"Source": "None"},
        "Project": {
            "Title": STARS,
            "CustomerBusinessProblem": STARS,
            "CustomerUseCase": STARS,
            "DeliveryModels": ["SaaS or PaaS"],
            "SalesActivities": ["Initialized discussions with customer"],
            "ExpectedCustomerSpend": [
                {"Amount": STARS, "CurrencyCode": STARS, "Frequency": "Monthly", "TargetCompany": STARS}
            ],
            "OtherSolutionDescription": STARS,
            "AdditionalComments": STARS,
            "OtherCompetitorNames": STARS,
            "ApnPrograms": [STARS],
        },
        "Tags": [{"Key": STARS, "Value": STARS}],
        "SoftwareRevenue": {"Value": {"Amount": STARS, "CurrencyCode": STARS}, "EffectiveDate": "2027-01-01"},
    }


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_free_text_is_starred_wherever_aws_takes_it(operation: str) -> None:
    """Whatever member a later model adds: the words of a person, in every place for a text, are never shown."""
    shape = model.input_shape(operation)
    shown = list(texts_of(redacted(filled(shape), shape)))
    assert shown
    assert set(shown) == {STARS}


def filled(shape: Shape) -> Any:
    if shape.kind == "structure":
        return {name: filled(member) for name, member in shape.members.items()}
    return [filled(shape.item)] if shape.kind == "list" and shape.item is not None else "Ask for Ann"


def texts_of(value: Any) -> Iterator[str]:
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_of(inner)
    if isinstance(value, str):
        yield value
