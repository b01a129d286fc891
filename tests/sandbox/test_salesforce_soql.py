"""The SOQL parser: trees of what is accepted, words and places of what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from connector.sandbox.salesforce.calendar_ranges import to_days
from connector.sandbox.salesforce.faults import QueryError
from connector.sandbox.salesforce.soql import Compare, Junction, Member, Not, Path, Query, parse


def test_the_parts_of_a_statement() -> None:
    query = parse(
        "select o.Id, Account.Owner.Name, toLabel(StageName) Stage, (SELECT Id FROM OpportunityContactRoles "
        "WHERE IsPrimary = true ORDER BY Id LIMIT 10) FROM Opportunity AS o WHERE Name LIKE 'A%' "
        "ORDER BY Amount DESC NULLS LAST, Id LIMIT 5 OFFSET 2"
    )
    first, second, third, child = query.fields
    assert isinstance(child, Query)
    assert isinstance(first, Path)
    assert isinstance(second, Path)
    assert isinstance(third, Path)
    assert (first.names, second.names) == (("o", "Id"), ("Account", "Owner", "Name"))
    assert (third.names, third.label, third.alias) == (("StageName",), True, "Stage")
    assert (child.source, child.limit) == ("OpportunityContactRoles", 10)
    assert (query.source, query.alias, query.limit, query.offset) == ("Opportunity", "o", 5, 2)
    assert [(one.path.names[0], one.descending, one.nulls_last) for one in query.order] == [
        ("Amount", True, True),
        ("Id", False, False),
    ]


def test_and_or_and_not_nest_as_written() -> None:
    where = parse("SELECT Id FROM A WHERE (x = 1 OR NOT y = 2) AND z IN (SELECT Id FROM B)").where
    assert isinstance(where, Junction)
    either, semi_join = where.parts
    assert isinstance(either, Junction)
    assert (where.operator, either.operator) == ("AND", "OR")
    assert isinstance(either.parts[1], Not)
    assert isinstance(semi_join, Member)
    assert isinstance(semi_join.values, Query)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("'it''", "error", ""),
        (r"'O\'Brien \\ x\n'", "string", "O'Brien \\ x\n"),
        ("-12.5", "number", "-12.5"),
        ("true", "boolean", "TRUE"),
        ("NULL", "null", ""),
        ("2026-01-31", "date", "2026-01-31"),
        ("2026-01-31T10:00:00Z", "datetime", "2026-01-31T10:00:00Z"),
        ("2026-01-31T10:00:00.500+02:00", "datetime", "2026-01-31T10:00:00.500+02:00"),
        ("LAST_N_DAYS:7", "range", "LAST_N_DAYS"),
        ("today", "range", "TODAY"),
    ],
)
def test_literals(text: str, kind: str, value: str) -> None:
    statement = f"SELECT Id FROM A WHERE f = {text}"
    if kind == "error":
        with pytest.raises(QueryError):
            parse(statement)
        return
    where = parse(statement).where
    assert isinstance(where, Compare)
    assert where.value.kind == kind
    assert (where.value.string if kind == "string" else where.value.text) == value


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("SELECT Id FORM Opportunity", "MALFORMED_QUERY", "unexpected token: 'FORM'"),
        ("SELECT Id FROM A WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM A WHERE a = 1 AND b = 2 OR c = 3", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("SELECT Id FROM A WHERE a IN ()", "MALFORMED_QUERY", "unexpected token: ')'"),
        ("SELECT * FROM A", "MALFORMED_QUERY", "unexpected token: '*'"),
        ("SELECT Id, FROM A", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
        ("SELECT Id FROM A GROUP BY Id", "MALFORMED_QUERY", "unexpected token: 'GROUP'"),
        ("SELECT Id FROM A WHERE a = 2026-01-01T10:00:00 00:00", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM A WHERE a = 'x\\q'", "MALFORMED_QUERY", r"Illegal character sequence '\q'"),
        ("SELECT Id FROM A OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
        ("SELECT Id FROM A" + " " * 100_000, "MALFORMED_QUERY", "can not be longer than 100000 characters"),
    ],
)
def test_refusals(text: str, code: str, message: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse(text)
    assert refused.value.code == code
    assert message in refused.value.message


def test_a_refusal_points_at_its_place() -> None:
    with pytest.raises(QueryError) as refused:
        parse("SELECT Id FORM Opportunity")
    assert refused.value.message == (
        "\nSELECT Id FORM Opportunity\n          ^\nERROR at Row:1:Column:11\nunexpected token: 'FORM'"
    )


@pytest.mark.parametrize(
    ("literal", "count", "first", "after"),
    [
        ("TODAY", 0, date(2026, 11, 21), date(2026, 11, 22)),
        ("YESTERDAY", 0, date(2026, 11, 20), date(2026, 11, 21)),
        ("LAST_N_DAYS", 3, date(2026, 11, 18), date(2026, 11, 22)),
        ("NEXT_N_DAYS", 3, date(2026, 11, 22), date(2026, 11, 25)),
        ("LAST_90_DAYS", 0, date(2026, 8, 23), date(2026, 11, 22)),
        ("THIS_WEEK", 0, date(2026, 11, 15), date(2026, 11, 22)),
        ("LAST_N_MONTHS", 2, date(2026, 9, 1), date(2026, 11, 1)),
        ("NEXT_QUARTER", 0, date(2027, 1, 1), date(2027, 4, 1)),
        ("LAST_YEAR", 0, date(2025, 1, 1), date(2026, 1, 1)),
    ],
)
def test_date_literals(literal: str, count: int, first: date, after: date) -> None:
    assert to_days(literal, count, date(2026, 11, 21)) == (first, after)
