"""What AWS says on refusal, read from its recorded messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.messages import Detail, normalise_code, parse_task_message, to_aws_path
from connector.core.schema import Shape

MESSAGES: list[tuple[str, tuple[Detail, ...]]] = [
    (
        (
            "BUSINESS_VALIDATION_EXCEPTION relatedEntityIdentifiers.solutions:Associate atleast one solution;"
            "REQUIRED_FIELD_MISSING customer.account.address.stateOrRegion:"
            "customer.account.address.stateOrRegion is required"
        ),
        (
            Detail(
                "BUSINESS_VALIDATION_EXCEPTION",
                "relatedEntityIdentifiers.solutions",
                "Associate atleast one solution",
            ),
            Detail(
                "REQUIRED_FIELD_MISSING",
                "customer.account.address.stateOrRegion",
                "customer.account.address.stateOrRegion is required",
            ),
        ),
    ),
    (
        "ACTION_NOT_PERMITTED project.salesActivities: project.salesActivities is required",
        (Detail("ACTION_NOT_PERMITTED", "project.salesActivities", "project.salesActivities is required"),),
    ),
    (
        "ACTION_NOT_PERMITTED: You cannot perform Submit action",
        (Detail("ACTION_NOT_PERMITTED", "", "You cannot perform Submit action"),),
    ),
    (
        (
            "BUSINESS_VALIDATION_EXCEPTION primaryNeedsFromAws:Cannot set visibility to limited on a Co-Sell "
            "opportunity;ACTION_NOT_PERMITTED:You cannot perform Submit action. Opportunity cannot be submitted"
        ),
        (
            Detail(
                "BUSINESS_VALIDATION_EXCEPTION",
                "primaryNeedsFromAws",
                "Cannot set visibility to limited on a Co-Sell opportunity",
            ),
            Detail(
                "ACTION_NOT_PERMITTED",
                "",
                "You cannot perform Submit action. Opportunity cannot be submitted",
            ),
        ),
    ),
    (
        "relatedEntityIdentifiers.solutions:Associate atleast one solution",
        (Detail("", "relatedEntityIdentifiers.solutions", "Associate atleast one solution"),),
    ),
    ("Duplicate Record", (Detail("", "", "Duplicate Record"),)),
    ("Note: something else", (Detail("", "", "Note: something else"),)),
    ("INVALID_VALUE too long", (Detail("INVALID_VALUE", "", "too long"),)),
    ("INVALID_VALUE", (Detail("INVALID_VALUE", "", ""),)),
    (
        "INVALID_VALUE project.title: one; two: three ;",
        (Detail("INVALID_VALUE", "project.title", "one; two: three"),),
    ),
    ("INVALID_VALUE: ; more", (Detail("INVALID_VALUE", "", "more"),)),
    (
        "INVALID_VALUE project.expectedCustomerSpend[0].amount : no",
        (Detail("INVALID_VALUE", "project.expectedCustomerSpend[0].amount", "no"),),
    ),
    (
        "ACTION_NOT_PERMITTED a.b:one\nline;\n INVALID_VALUE c.d:two",
        (Detail("ACTION_NOT_PERMITTED", "a.b", "one\nline"), Detail("INVALID_VALUE", "c.d", "two")),
    ),
    ("", ()),
    (" ; ;", ()),
]


@pytest.mark.parametrize(("text", "expected"), MESSAGES)
def test_a_task_message_is_read(text: str, expected: tuple[Detail, ...]) -> None:
    assert parse_task_message(text) == expected


@given(st.text(max_size=200))
def test_any_text_is_read_and_no_word_is_lost(text: str) -> None:
    details = parse_task_message(text)
    shown = "".join("".join(detail) for detail in details)
    assert all(any(char in part for part in (shown, " :;")) or char.isspace() for char in text)


def _shape() -> Shape:
    def string() -> Shape:
        return Shape("string")

    def structure(**members: Shape) -> Shape:
        return Shape("structure", members)

    contact = structure(Email=string(), Phone=string())
    address = structure(StateOrRegion=string(), City=string())
    spend = structure(Amount=string(), CurrencyCode=string())
    return structure(
        PrimaryNeedsFromAws=Shape("list", item=string()),
        Customer=structure(
            Account=structure(Address=address, WebsiteUrl=string()),
            Contacts=Shape("list", item=contact),
        ),
        Project=structure(ExpectedCustomerSpend=Shape("list", item=spend), Title=string()),
        OpportunityTeam=Shape("list", item=contact),
        Marketing=structure(Source=string()),
    )


PATHS = [
    ("customer.account.address.stateOrRegion", "Customer.Account.Address.StateOrRegion"),
    ("CUSTOMER.ACCOUNT.WEBSITEURL", "Customer.Account.WebsiteUrl"),
    ("ExpectedCustomerSpend.CurrencyCode", "Project.ExpectedCustomerSpend.CurrencyCode"),
    ("project.expectedCustomerSpend[1].amount", "Project.ExpectedCustomerSpend[1].Amount"),
    ("project.expectedCustomerSpend.1.amount", "Project.ExpectedCustomerSpend[1].Amount"),
    ("expectedCustomerSpend[0].amount", "Project.ExpectedCustomerSpend[0].Amount"),
    ("customer.contacts[2].email", "Customer.Contacts[2].Email"),
    ("primaryNeedsFromAws", "PrimaryNeedsFromAws"),
    ("marketing.source", "Marketing.Source"),
    ("title", "Project.Title"),
    ("email", "email"),
    ("relatedEntityIdentifiers.solutions", "relatedEntityIdentifiers.solutions"),
    ("account.", "Customer.Account"),
    ("", ""),
]


@pytest.mark.parametrize(("name", "expected"), PATHS)
def test_a_field_name_becomes_an_aws_path(name: str, expected: str) -> None:
    assert to_aws_path(name, _shape()) == expected


def test_an_exact_path_wins_over_a_longer_one_with_that_ending() -> None:
    inner = Shape("structure", {"Title": Shape("string")})
    shape = Shape("structure", {"Title": Shape("string"), "Project": inner})
    assert to_aws_path("title", shape) == "Title"


@given(st.text(max_size=40))
def test_any_field_name_is_answered(name: str) -> None:
    assert isinstance(to_aws_path(name, _shape()), str)


@pytest.mark.parametrize("code", ["null", "NULL", "", "_"])
def test_the_text_null_is_no_code(code: str) -> None:
    assert normalise_code(code) == ""
