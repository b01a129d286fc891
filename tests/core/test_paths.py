"""What paths and templates read, and which fields they make the query ask for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.paths import PathError, parse_path, parse_template

ROLES = "OpportunityContactRoles"
RECORD: dict[str, Any] = {
    "Name": "Deal",
    "Amount": Decimal("12.50"),
    "Flag__c": True,
    "Empty__c": None,
    "Account": {"Name": "Acme", "Owner": {"Email": "sam@partner.example"}},
    "Campaign": None,
    ROLES: [
        {"Id": "1", "IsPrimary": False, "Share": Decimal("2.5"), "Contact": {"Name": "Boyle", "Email": "b@a.example"}},
        {"Id": "2", "IsPrimary": True, "Share": Decimal("0.5"), "Contact": {"Name": "Ortiz", "Email": "o@a.example"}},
        {"Id": "3", "IsPrimary": False, "Share": Decimal("1.0"), "Contact": None},
    ],
    "None__r": [],
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Name", "Deal"),
        (" Account.Owner.Email ", "sam@partner.example"),
        ("account.NAME", "Acme"),
        ("Campaign.Name", None),
        ("Name.Length", None),
        ("Missing.At.All", None),
        (f"{ROLES}[?IsPrimary].Contact.Email | [0]", "o@a.example"),
        (f"{ROLES}[0].Contact.Name", "Boyle"),
        (f"length({ROLES})", 3),
        (f"sort_by({ROLES}, &Share)[0].Contact.Name", "Ortiz"),
        (f"max_by({ROLES}, &Share).Contact.Name", "Boyle"),
        (f"sum({ROLES}[].Share)", 4.0),
        (f"join(', ', {ROLES}[].Contact.Name)", "Boyle, Ortiz"),
        (f"({ROLES}[?Id=='9'] || {ROLES})[0].Contact.Name", "Boyle"),
        ("not_null(Empty__c, Name)", "Deal"),
        ("Empty__c || Account.Name", "Acme"),
        (f"{ROLES}[?Share > `1`].Id", ["1"]),
        ("None__r[0].Name", None),
    ],
)
def test_what_a_path_reads(text: str, value: Any) -> None:
    assert parse_path(text).read(RECORD) == value


@pytest.mark.parametrize(
    ("text", "fields", "children"),
    [
        ("Account.Owner.Email", ["Account.Owner.Email"], []),
        (f"{ROLES}[?IsPrimary].Contact.Email | [0]", [], ["IsPrimary", "Contact.Email"]),
        (f"{ROLES}[?Contact.Title=='x' && !IsPrimary] | [0].Id", [], ["Contact.Title", "IsPrimary", "Id"]),
        (f"{ROLES}[*].Contact.Email", [], ["Contact.Email"]),
        (f"{ROLES}[].Contact | [0].Email", [], ["Contact.Email"]),
        (f"{ROLES}[0:2].Contact.Email", [], ["Contact.Email"]),
        (f"{ROLES}[-1]", [], ["Id"]),
        (f"length({ROLES})", [], ["Id"]),
        (f"length({ROLES}[?IsPrimary])", [], ["IsPrimary", "Id"]),
        (f"sort_by({ROLES}, &CreatedDate)[0].Contact.Email", [], ["CreatedDate", "Contact.Email"]),
        (f"sort_by({ROLES}[?IsPrimary], &Contact.Name)[].Id", [], ["IsPrimary", "Contact.Name", "Id"]),
        (f"max_by({ROLES}, &Share).Contact.Name", [], ["Share", "Contact.Name"]),
        (f"map(&Contact.Email, {ROLES})", [], ["Contact.Email", "Id"]),
        (f"reverse({ROLES})[0].Contact.Email", [], ["Contact.Email"]),
        (f"join('; ', sort({ROLES}[].Contact.Email))", [], ["Contact.Email"]),
        (f"({ROLES}[?IsPrimary] || {ROLES})[0].Contact.Email", [], ["IsPrimary", "Contact.Email"]),
        (f"{ROLES}[?IsPrimary].{{mail: Contact.Email}} | [0].mail", [], ["IsPrimary", "Contact.Email"]),
        ("not_null(A__c, Account.B__c)", ["A__c", "Account.B__c"], []),
        ("A__c || B__c", ["A__c", "B__c"], []),
        ("Flag__c && Account.Name", ["Flag__c", "Account.Name"], []),
        ("[A__c, Account.Name] | [0]", ["A__c", "Account.Name"], []),
        ("{a: A__c} | a", ["A__c"], []),
        ("contains(Needs__c, 'Deal Support')", ["Needs__c"], []),
        ('"Account".Name', ["Account.Name"], []),
        ("@.Name", ["Name"], []),
        ("!Flag__c", ["Flag__c"], []),
        ("`5`", [], []),
    ],
)
def test_the_fields_a_path_reads(text: str, fields: list[str], children: list[str]) -> None:
    path = parse_path(text)
    assert path.fields == tuple(fields)
    assert path.children == tuple((ROLES, name) for name in children)


def test_what_a_path_is_called() -> None:
    assert parse_path("Account.Name").labels == ("Account.Name",)
    assert parse_path(f"{ROLES}[0].Contact.Email").labels == (f"{ROLES}.Contact.Email",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Account Name",
        "Account..Name",
        "Roles[",
        "a b c",
        "Account.*",
        "1Name",
        "Account.Contacts[0].Email",
        "Näme",
        "upper(Name)",
    ],
)
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(PathError):
        parse_path(text)


def test_an_expression_that_does_not_fit_the_record_says_so() -> None:
    with pytest.raises(PathError, match="cannot be applied to this record"):
        parse_path("join(', ', Empty__c)").read(RECORD)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{Name} for {Account.Name}", "Deal for Acme"),
        ("{Name}{Empty__c}", "Deal"),
        ("{Empty__c} {Campaign.Name}", None),
        ("{{{Name}}}", "{Deal}"),
        ("{Amount} {Flag__c}", "12.5 true"),
        ("just text", "just text"),
        ("{ Name }", "Deal"),
        ("", None),
    ],
)
def test_templates(text: str, value: str | None) -> None:
    assert parse_template(text).read(RECORD) == value


def test_a_template_reads_each_field_once() -> None:
    assert [path.text for path in parse_template("{Name} {Account.Name} {Name}").paths] == ["Name", "Account.Name"]


@pytest.mark.parametrize("text", ["{Name", "Name}", "{}", "{Name.upper()}", "{Roles[0].Name}", "{{Name}", "{a b}"])
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(PathError):
        parse_template(text)


def test_a_template_does_not_print_a_record() -> None:
    with pytest.raises(PathError, match="not one value but a record"):
        parse_template("{Account}").read(RECORD)


@given(st.text(max_size=60))
def test_literal_text_survives_a_template(text: str) -> None:
    quoted = text.replace("{", "{{").replace("}", "}}")
    assert parse_template(quoted).read({}) == (text.strip() or None)


@pytest.mark.parametrize(
    ("text", "ending"),
    [("AWS Cost Center", "expression."), ("Roles[?IsPrimary.Email", "expression: Invalid jmespath expression: ")],
)
def test_only_who_wrote_an_expression_is_told_its_grammar(text: str, ending: str) -> None:
    with pytest.raises(PathError) as caught:
        parse_path(text)
    assert f"{text!r} is neither a field path nor a JMESPath {ending}" in str(caught.value)
