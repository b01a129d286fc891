"""What queries find and how they show it: conditions, null, order, relationships, pages."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from salesforce_client import BASE, Clock

from connector.sandbox.salesforce.faults import QueryError
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.query import read_more, run_query

MINIMUM = {"StageName": "Prospecting", "CloseDate": "2027-01-31"}


@pytest.fixture
def org() -> Org:
    org = Org(Clock())
    acme = org.insert("Account", {"Name": "Acme", "BillingCountry": "USA"})
    globex = org.insert("Account", {"Name": "Globex", "ParentId": acme})
    one = org.insert(
        "Opportunity",
        {
            **MINIMUM,
            "Name": "One",
            "AccountId": acme,
            "Amount": 100,
            "AWS_Delivery_Models__c": "Resell;Managed Services",
            "Share_With_AWS__c": True,
        },
    )
    org.insert(
        "Opportunity",
        {**MINIMUM, "Name": "two_%", "AccountId": globex, "StageName": "Closed Won", "CloseDate": "2026-11-20"},
    )
    org.insert("Opportunity", {**MINIMUM, "Name": "Three", "Amount": 50.5, "AWS_Delivery_Models__c": "Other"})
    for last, is_primary in (("Doe", True), ("Roe", False)):
        person = org.insert("Contact", {"LastName": last, "Email": f"{last}@acme.example", "AccountId": acme})
        org.insert("OpportunityContactRole", {"OpportunityId": one, "ContactId": person, "IsPrimary": is_primary})
    return org


def run(org: Org, text: str, **options: Any) -> dict[str, Any]:
    return run_query(org, text, base=BASE, **options)


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("Name = 'ONE'", ["One"]),
        ("Name != 'one'", ["two_%", "Three"]),
        ("Amount = NULL", ["two_%"]),
        ("Amount != 100", ["two_%", "Three"]),
        ("Amount > 60", ["One"]),
        ("Amount <= 100", ["One", "Three"]),
        ("NOT Amount = 100", ["two_%", "Three"]),
        ("Name LIKE 't%'", ["two_%", "Three"]),
        (r"Name LIKE '%\_\%'", ["two_%"]),
        ("Name LIKE 'On_'", ["One"]),
        ("Name IN ('one', 'three')", ["One", "Three"]),
        ("Amount NOT IN (100)", ["two_%", "Three"]),
        ("Account.Name = 'acme'", ["One"]),
        ("Account.Name != 'Acme'", ["two_%", "Three"]),
        ("Account.Parent.Name = 'Acme'", ["two_%"]),
        ("AccountId = NULL", ["Three"]),
        ("Share_With_AWS__c = TRUE", ["One"]),
        ("IsWon = FALSE AND (Amount > 60 OR Amount < 60)", ["One", "Three"]),
        ("AWS_Delivery_Models__c INCLUDES ('Resell', 'Other')", ["One", "Three"]),
        ("AWS_Delivery_Models__c INCLUDES ('Resell;Other')", []),
        ("AWS_Delivery_Models__c EXCLUDES ('Resell')", ["two_%", "Three"]),
        ("AWS_Delivery_Models__c = 'managed services;resell'", ["One"]),
        ("CloseDate = YESTERDAY", ["two_%"]),
        ("CloseDate > TODAY", ["One", "Three"]),
        ("CloseDate = NEXT_N_DAYS:100", ["One", "Three"]),
        ("CloseDate < 2027-01-01", ["two_%"]),
        ("SystemModstamp >= 2026-11-21T10:00:00Z", ["One", "two_%", "Three"]),
        ("SystemModstamp > 2026-11-21T10:00:00Z", []),
        ("SystemModstamp = 2026-11-21T11:00:00+01:00", ["One", "two_%", "Three"]),
        ("CreatedDate = TODAY", ["One", "two_%", "Three"]),
        ("Id = '006000000000001'", ["One"]),
        ("Id IN ('006000000000003AAA', '006000000000001AAA')", ["One", "Three"]),
        ("Id IN (SELECT OpportunityId FROM OpportunityContactRole WHERE Contact.Email LIKE 'doe@%')", ["One"]),
        ("Id NOT IN (SELECT OpportunityId FROM OpportunityContactRole)", ["two_%", "Three"]),
        ("AccountId IN (SELECT Id FROM Account WHERE Name = 'Globex')", ["two_%"]),
    ],
)
def test_conditions(org: Org, condition: str, names: list[str]) -> None:
    found = run(org, f"SELECT Name FROM Opportunity WHERE {condition}")
    assert [record["Name"] for record in found["records"]] == names
    assert run(org, f"SELECT count() FROM Opportunity WHERE {condition}")["totalSize"] == len(names)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("Name", ["One", "Three", "two_%"]),
        ("Amount", ["two_%", "Three", "One"]),
        ("Amount DESC", ["two_%", "One", "Three"]),
        ("Amount DESC NULLS LAST", ["One", "Three", "two_%"]),
        ("Account.Name NULLS LAST", ["One", "two_%", "Three"]),
        ("StageName DESC, Name", ["two_%", "One", "Three"]),
        ("Name LIMIT 1 OFFSET 1", ["Three"]),
    ],
)
def test_order(org: Org, order: str, names: list[str]) -> None:
    found = run(org, f"SELECT Name FROM Opportunity ORDER BY {order}")
    assert [record["Name"] for record in found["records"]] == names


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("SELECT Id FROM XYZZY", "INVALID_TYPE", "sObject type 'XYZZY' is not supported."),
        ("SELECT Foo__c FROM Opportunity", "INVALID_FIELD", "No such column 'Foo__c' on entity 'Opportunity'."),
        ("SELECT Id FROM Opportunity WHERE Account.Foo = 'x'", "INVALID_FIELD", "'Foo' on entity 'Account'"),
        ("SELECT Contact.Email FROM Opportunity", "INVALID_FIELD", "Didn't understand relationship 'Contact'"),
        ("SELECT CurrencyIsoCode FROM Opportunity", "INVALID_FIELD", "No such column 'CurrencyIsoCode'"),
        ("SELECT RecordTypeId FROM Opportunity", "INVALID_FIELD", "No such column 'RecordTypeId'"),
        ("SELECT Id, id FROM Opportunity", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id, (SELECT Id FROM Foos) FROM Account", "INVALID_TYPE", "relationship 'Foos' in FROM part"),
        (
            "SELECT (SELECT Id FROM Contacts), (SELECT Id FROM Contacts) FROM Account",
            "MALFORMED_QUERY",
            "duplicate alias: Contacts",
        ),
        (
            "SELECT Id FROM Opportunity WHERE AWS_Sync_Message__c = 'x'",
            "INVALID_FIELD",
            "field 'AWS_Sync_Message__c' can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Opportunity ORDER BY Description",
            "MALFORMED_QUERY",
            "field 'Description' can not be sorted in a query call",
        ),
        (
            "SELECT Id FROM Opportunity WHERE CloseDate > 2026-01-01T00:00:00Z",
            "INVALID_FIELD",
            "'CloseDate' must be of type date and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Opportunity WHERE SystemModstamp > 2026-01-01",
            "INVALID_FIELD",
            "'SystemModstamp' must be of type dateTime and should not be enclosed in quotes",
        ),
        ("SELECT Id FROM Opportunity WHERE Amount = '5'", "INVALID_FIELD", "must be of type double"),
        ("SELECT Id FROM Opportunity WHERE IsWon = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Opportunity WHERE Name = 5", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Opportunity WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"),
        ("SELECT Id FROM Opportunity WHERE Amount LIKE '5'", "INVALID_QUERY_FILTER_OPERATOR", "currency field"),
        ("SELECT Id FROM Opportunity WHERE Name INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR", "multi-select"),
        (
            "SELECT Id FROM Opportunity WHERE Name = 'x' OR AccountId IN (SELECT Id FROM Account)",
            "MALFORMED_QUERY",
            "not allowed with the 'OR' operator",
        ),
        (
            "SELECT Id FROM Opportunity WHERE AccountId IN (SELECT Id FROM Contact)",
            "MALFORMED_QUERY",
            "should point to the same object type",
        ),
        (
            "SELECT Id FROM Opportunity WHERE " + " AND ".join(["AccountId IN (SELECT Id FROM Account)"] * 3),
            "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
            "Maximum 2 semi join sub-selects",
        ),
        (
            "SELECT Account.Parent.Parent.Parent.Parent.Parent.Name FROM Opportunity",
            "INVALID_FIELD",
            "cannot be more than 5 levels",
        ),
    ],
)
def test_refusals(org: Org, text: str, code: str, message: str) -> None:
    with pytest.raises(QueryError) as refused:
        run(org, text)
    assert (refused.value.status, refused.value.code) == (400, code)
    assert message in refused.value.message


def test_a_refused_name_is_pointed_at(org: Org) -> None:
    with pytest.raises(QueryError) as refused:
        run(org, "SELECT Foo__c FROM Opportunity")
    assert refused.value.message.startswith(
        "\nSELECT Foo__c FROM Opportunity\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo__c'"
    )


def test_the_shape_of_records(org: Org) -> None:
    found = run(
        org,
        "SELECT name, AMOUNT, o.account.name, CloseDate, createddate, toLabel(ForecastCategory), IsWon, NextStep, "
        "(SELECT Contact.Email FROM OpportunityContactRoles ORDER BY IsPrimary DESC) "
        "FROM Opportunity o ORDER BY CreatedDate, Id",
    )
    first, _, third = found["records"]
    assert (found["totalSize"], found["done"]) == (3, True)
    assert list(first) == [
        "attributes",
        "Name",
        "Amount",
        "Account",
        "CloseDate",
        "CreatedDate",
        "ForecastCategory",
        "IsWon",
        "NextStep",
        "OpportunityContactRoles",
    ]
    assert first["attributes"] == {
        "type": "Opportunity",
        "url": f"{BASE}/sobjects/Opportunity/006000000000001AAA",
    }
    assert isinstance(first["Amount"], float)
    assert first["Account"] == {
        "attributes": {"type": "Account", "url": f"{BASE}/sobjects/Account/001000000000001AAA"},
        "Name": "Acme",
    }
    assert (first["CloseDate"], first["CreatedDate"]) == ("2027-01-31", "2026-11-21T10:00:00.000+0000")
    roles = first["OpportunityContactRoles"]
    assert (roles["totalSize"], roles["done"]) == (2, True)
    assert [role["Contact"]["Email"] for role in roles["records"]] == ["Doe@acme.example", "Roe@acme.example"]
    assert third["Account"] is None
    assert third["OpportunityContactRoles"] is None
    assert (third["IsWon"], third["NextStep"]) == (False, None)


def test_count_has_no_records(org: Org) -> None:
    assert run(org, "SELECT COUNT() FROM Account") == {"totalSize": 2, "done": True, "records": []}


def test_child_rows_count_towards_a_page() -> None:
    org = Org(Clock())
    person = org.insert("Contact", {"LastName": "Doe"})
    for number in range(90):
        deal = org.insert("Opportunity", {**MINIMUM, "Name": f"Deal {number}"})
        for _ in range(2):
            org.insert("OpportunityContactRole", {"OpportunityId": deal, "ContactId": person})
    text = "SELECT Name, (SELECT Id FROM OpportunityContactRoles) FROM Opportunity"
    first = run(org, text, page=200)
    assert (len(first["records"]), first["done"], first["totalSize"]) == (66, False, 90)
    locator = first["nextRecordsUrl"].rpartition("/")[2]
    assert first["nextRecordsUrl"].startswith(f"{BASE}/query/0r8")
    assert locator.endswith("-66")
    second = read_more(org, locator, base=BASE)
    assert (len(second["records"]), second["done"], second["totalSize"]) == (24, True, 90)
    assert "nextRecordsUrl" not in second
    assert second["records"][0]["Name"] == "Deal 66"


def test_a_child_set_larger_than_a_page_has_pages_of_its_own() -> None:
    org = Org(Clock())
    account = org.insert("Account", {"Name": "Acme"})
    for number in range(250):
        org.insert("Contact", {"LastName": str(number), "AccountId": account})
    found = run(org, "SELECT Id, (SELECT LastName FROM Contacts) FROM Account", page=200)
    children = found["records"][0]["Contacts"]
    assert (found["done"], children["totalSize"], children["done"]) == (True, 250, False)
    rest = read_more(org, children["nextRecordsUrl"].rpartition("/")[2], base=BASE)
    assert [record["LastName"] for record in rest["records"]] == [str(number) for number in range(200, 250)]


def test_a_locator_lives_two_days() -> None:
    clock = Clock()
    org = Org(clock)
    for number in range(201):
        org.insert("Account", {"Name": str(number)})
    first = run(org, "SELECT Id FROM Account", page=1)
    locator = first["nextRecordsUrl"].rpartition("/")[2]
    assert len(first["records"]) == 200
    clock.advance(hours=47)
    assert len(read_more(org, locator, base=BASE)["records"]) == 1
    clock.advance(hours=2)
    for stale in (locator, "0r8000000000099AAA-200", "nonsense"):
        with pytest.raises(QueryError, match="invalid query locator"):
            read_more(org, stale, base=BASE)


def test_deleted_and_hidden_rows_are_not_found(org: Org) -> None:
    org.delete("Opportunity", "006000000000003AAA")
    org.hide_row("001000000000002AAA")
    names = "SELECT Name, Account.Name FROM Opportunity"
    assert [(one["Name"], one["Account"] and one["Account"]["Name"]) for one in run(org, names)["records"]] == [
        ("One", "Acme"),
        ("two_%", None),
    ]
    bin_only = run(org, "SELECT Name FROM Opportunity WHERE IsDeleted = TRUE", all_rows=True)
    assert [one["Name"] for one in bin_only["records"]] == ["Three"]


def test_a_stamp_filter_over_many_rows_is_quick() -> None:
    org = Org(Clock())
    template = dict(org.get("Opportunity", org.insert("Opportunity", {**MINIMUM, "Name": "Deal"})))
    table = org.store.table("Opportunity")
    for _ in range(100_000):
        record_id = org.store.next_id("006")
        table.put(record_id, {**template, "Id": record_id})
    late = {**template, "Id": "006000000000009AAA", "SystemModstamp": datetime(2026, 11, 21, 10, 0, 5, tzinfo=UTC)}
    table.put(late["Id"], late)
    started = time.perf_counter()
    found = run(org, "SELECT Id FROM Opportunity WHERE SystemModstamp >= 2026-11-21T10:00:01Z ORDER BY Id")
    assert time.perf_counter() - started < 1.0
    assert [one["Id"] for one in found["records"]] == ["006000000000009AAA"]
