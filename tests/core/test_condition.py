"""Conditions judged on a record as Salesforce would judge them, and the mistakes people make in them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.condition import ConditionError, comparisons_of, look_over, parse_condition

ROW: dict[str, Any] = {
    "Name": "Acme's Deal",
    "Empty": None,
    "Blank": "",
    "Flag": True,
    "Unset": None,
    "Amount": Decimal("1000.50"),
    "Count": 3,
    "Ratio": 0.5,
    "Day": "2026-11-21",
    "At": "2026-11-21T10:00:00.000+0000",
    "Needs": "Deal Support;Business Presentation",
    "Account.Industry": "Government",
    "Odd": "2026-13-45Tomorrow",
    "Percent": "100%",
    "Lines": "first\nsecond",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name = 'acme\\'s deal'", True),
        ("Name = 'Acme'", False),
        ("Name != 'Acme'", True),
        ("Name <> 'ACME\\'S DEAL'", False),
        ("Account.Industry = 'government'", True),
        # null and empty text are the same to Salesforce
        ("Empty = null", True),
        ("Empty != null", False),
        ("Empty = ''", True),
        ("Blank = null", True),
        ("Name != null", True),
        ("Empty != 'x'", True),
        ("Empty = 'x'", False),
        ("Empty < 5", False),
        ("Empty >= 5", False),
        ("NOT Empty = 'x'", True),
        # checkboxes are never null
        ("Flag = TRUE", True),
        ("Flag = false", False),
        ("Unset = FALSE", True),
        ("Unset != TRUE", True),
        ("Flag IN (TRUE)", True),
        # numbers
        ("Amount = 1000.5", True),
        ("Amount > 1000", True),
        ("Amount >= 1000.50", True),
        ("Amount < -1", False),
        ("Amount>-1", True),
        ("Count <= 3", True),
        ("Ratio = 0.50", True),
        ("Name > 5", False),
        # dates and instants
        ("Day = 2026-11-21", True),
        ("Day > 2026-11-20", True),
        ("Day <= 2026-11-20", False),
        ("At = 2026-11-21T10:00:00Z", True),
        ("At = 2026-11-21T11:00:00+01:00", True),
        ("At < 2026-11-21T10:00:01Z", True),
        ("At >= 2026-11-21T12:00:00Z", False),
        ("Odd = '2026-13-45tomorrow'", True),
        ("Odd > 2026-11-21T10:00:00Z", False),
        # lists
        ("Name IN ('x', 'ACME\\'S DEAL')", True),
        ("Name NOT IN ('x', 'y')", True),
        ("Empty NOT IN ('x')", True),
        ("Empty IN ('x', null)", True),
        ("Count IN (1, 3)", True),
        # LIKE
        ("Name LIKE 'acme%'", True),
        ("Name LIKE '%deal'", True),
        ("Name LIKE 'acme_s deal'", True),
        ("Name LIKE 'cme%'", False),
        ("Name LIKE 'Acme.s Deal'", False),
        ("Lines LIKE 'first%second'", True),
        ("Percent LIKE '100\\%'", True),
        ("Name LIKE 'Acme\\%'", False),
        ("Empty LIKE '%'", False),
        ("Name LIKE 'Acme\\'s%'", True),
        # multi-select picklists
        ("Needs INCLUDES ('deal support')", True),
        ("Needs INCLUDES ('Deal Support;Business Presentation')", True),
        ("Needs INCLUDES ('Deal Support;Other')", False),
        ("Needs INCLUDES ('Other', 'Deal Support')", True),
        ("Needs EXCLUDES ('Other')", True),
        ("Needs EXCLUDES ('Deal Support')", False),
        ("Empty EXCLUDES ('Other')", True),
        ("Empty INCLUDES ('Other')", False),
        # combinations
        ("Flag = TRUE AND Count = 3", True),
        ("Flag = TRUE AND Count = 4", False),
        ("Flag = FALSE OR Count = 3", True),
        ("Flag = TRUE AND (Count = 4 OR Ratio = 0.5)", True),
        ("NOT (Flag = TRUE AND Count = 3)", False),
        ("not Flag = true or Count = 3", True),
        ("((Flag = TRUE))", True),
    ],
)
def test_judgement(text: str, expected: bool) -> None:
    assert parse_condition(text).holds(ROW.get) is expected


def test_the_fields_are_known_once_each() -> None:
    condition = parse_condition("Flag = TRUE AND (Account.Industry IN ('x') OR NOT Flag = FALSE)")
    assert condition.fields == ("Flag", "Account.Industry")


@pytest.mark.parametrize(
    ("text", "said", "position"),
    [
        ("Name = 'x", "the quotes are not closed", 7),
        ('Name = "x"', "'\"' is not understood here", 7),
        ("Name = x", "'x' is not a value; text needs single quotes", 7),
        ("Name == 'x'", "'=' is not a value", 6),
        ("Flag = TRUE AND", "a value is expected, not the end", 15),
        ("Flag", "is expected, not the end", 4),
        ("", "a value is expected, not the end", 0),
        ("(Flag = TRUE", ") is expected, not the end", 12),
        ("Flag = TRUE)", "')' is not expected here", 11),
        ("'x' = Name", "a field name is expected", 0),
        ("AND = 5", "a field name is expected", 0),
        ("Name IN 'x'", "( is expected", 8),
        ("Name IN ()", "')' is not a value", 9),
        ("Name NOT 'x'", "IN is expected", 9),
        ("Name LIKE 5", "LIKE needs a text in single quotes", 10),
        ("Day = 2026-02-30", "there is no day 2026-02-30", 6),
        ("At > 2026-99-01T00:00:00Z", "there is no day", 5),
        ("A = 1 AND B = 2 OR C = 3", "AND and OR side by side need parentheses", 16),
        ("Flag = TRUE; DELETE", "';' is not understood here", 11),
        ("Day = TODAY", "TODAY is only possible in the flag", 6),
        ("Day = LAST_N_DAYS:30", "LAST_N_DAYS:30 is only possible in the flag", 6),
    ],
)
def test_mistakes(text: str, said: str, position: int) -> None:
    with pytest.raises(ConditionError) as caught:
        parse_condition(text)
    assert said in str(caught.value)
    assert caught.value.position == position
    assert f"(at character {position + 1})" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "Share_With_AWS__c = TRUE",
        "CloseDate >= TODAY AND Share_With_AWS__c = TRUE",
        "CreatedDate = LAST_N_DAYS:30",
        "CloseDate = next_fiscal_quarter",
        "Id IN (SELECT OpportunityId FROM OpportunityLineItem WHERE (Quantity > 3))",
        "AccountId NOT IN (SELECT Id FROM Account WHERE Name LIKE 'Test%')",
        "CALENDAR_YEAR(CloseDate) = 2027",
        "DISTANCE(Place__c, GEOLOCATION(37.7,-122.4), 'mi') < 20",
    ],
)
def test_a_flag_may_use_what_only_salesforce_can_judge(text: str) -> None:
    look_over(text)


@pytest.mark.parametrize(
    "text",
    ["Share__c = 'x", "Share__c == TRUE", "Share__c = TRUE AND", "(Share__c = TRUE", "Share__c = TRU", "Id IN (SELECT"],
)
def test_a_flag_is_looked_over(text: str) -> None:
    with pytest.raises(ConditionError):
        look_over(text)


@given(st.text(alphabet="ab'\\()=<>!, %_10-:TZ.ANDORINLIKE", max_size=40))
def test_any_text_is_a_condition_or_a_condition_error(text: str) -> None:
    outcome = judged_on_nothing(text)
    assert isinstance(outcome, bool) or 0 <= outcome.position <= len(text)


def judged_on_nothing(text: str) -> bool | ConditionError:
    try:
        return parse_condition(text).holds(lambda path: None)
    except ConditionError as error:
        return error


@given(st.text(), st.sampled_from(["=", "IN", "LIKE"]))
def test_a_quoted_value_matches_itself(value: str, operator: str) -> None:
    quoted = "".join(f"\\{char}" if char in "\\'%_" else char for char in value)
    literal = f"('{quoted}')" if operator == "IN" else f"'{quoted}'"
    if operator != "LIKE":
        literal = literal.replace("\\%", "%").replace("\\_", "_")
    condition = parse_condition(f"Name {operator} {literal}")
    assert condition.holds({"Name": value}.get) is (bool(value) or operator != "LIKE")


@given(
    st.sampled_from(["=", "!=", "<", ">", "<=", ">=", "LIKE", "IN", "INCLUDES"]),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.none()),
)
def test_no_value_of_a_record_breaks_the_judgement(operator: str, value: Any) -> None:
    literal = {"LIKE": "'a%'", "IN": "('a', 5, null)", "INCLUDES": "('a;b')"}.get(operator, "2026-01-01T00:00:00Z")
    assert parse_condition(f"Name {operator} {literal}").holds(lambda path: value) in {True, False}


def test_what_is_compared_with_what_is_known_also_of_what_only_salesforce_judges() -> None:
    text = (
        "Stage__c IN ('A', 'B') AND (NOT Kind__c = 'C') AND Owner.Name LIKE 'D%' AND CloseDate > TODAY "
        "AND CALENDAR_YEAR(CreatedDate) = 2026 AND Id IN (SELECT A__c FROM B__c WHERE C__c = 'x') "
        "AND N__c NOT IN (1, 2)"
    )
    assert [(one.path, one.operator, one.values) for one in comparisons_of(text)] == [
        ("Stage__c", "IN", ("A", "B")),
        ("Kind__c", "=", ("C",)),
        ("Owner.Name", "LIKE", ("D%",)),
        ("CloseDate", ">", (None,)),
        ("Id", "IN", ()),
        ("N__c", "NOT IN", (Decimal(1), Decimal(2))),
    ]
