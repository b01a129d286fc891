"""Writing rows: every refusal, on the row resource and in collections, and what a write does to the row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from salesforce_client import BASE, START, Clock, Server, Wire, serve
from simple_salesforce.exceptions import (
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from connector.sandbox.salesforce.faults import Fault, RowError
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.rules import ValidationRule
from connector.sandbox.salesforce.schema import Field

DEAL = "006000000000001AAA"
MISSING = "00600000000000zAAA"
MINIMUM = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve() as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wire(server: Server, clock: Clock) -> Iterator[Wire]:
    org = Org(clock)
    org.insert("Account", {"Name": "Acme"})
    org.insert("Opportunity", MINIMUM)
    with server.host(org) as served:
        yield served


REFUSALS: list[tuple[dict[str, Any], str, str, list[str]]] = [
    ({"Name": "x" * 121}, "STRING_TOO_LONG", "Name: data value too large: ", ["Name"]),
    (
        {"AWS_Involvement__c": "Maybe"},
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "AWS Involvement: bad value for restricted picklist field: Maybe",
        ["AWS_Involvement__c"],
    ),
    (
        {"AWS_Delivery_Models__c": "Resell;Barter"},
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "AWS Delivery Models: bad value for restricted picklist field: Barter",
        ["AWS_Delivery_Models__c"],
    ),
    ({"Foo__c": "x"}, "INVALID_FIELD", "No such column 'Foo__c' on sobject of type Opportunity", []),
    (
        {"IsWon": True, "FiscalYear": 2026},
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "Unable to create/update fields: IsWon, FiscalYear. Please check the security settings",
        ["IsWon", "FiscalYear"],
    ),
    ({"NextStep": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: NextStep", ["NextStep"]),
    ({"LeadSource": "Web"}, "INVALID_FIELD_FOR_INSERT_UPDATE", "fields: LeadSource", ["LeadSource"]),
    ({"Name": None}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"]),
    ({"Name": "  "}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"]),
    ({"AccountId": "nonsense"}, "MALFORMED_ID", "Account ID: id value of incorrect type: nonsense", ["AccountId"]),
    ({"AccountId": DEAL}, "FIELD_INTEGRITY_EXCEPTION", "Account ID: id value of incorrect type", ["AccountId"]),
    (
        {"AccountId": "00100000000000zAAA"},
        "INVALID_CROSS_REFERENCE_KEY",
        "invalid cross reference id",
        ["AccountId"],
    ),
    ({"Amount": 1e17}, "NUMBER_OUTSIDE_VALID_RANGE", "Amount: value outside of valid range", ["Amount"]),
]


def prepare_refusals(org: Org) -> None:
    org.protect_field("Opportunity", "NextStep")
    org.hide_field("Opportunity", "LeadSource")


@pytest.mark.parametrize(("fields", "code", "message", "names"), REFUSALS)
def test_a_refused_row(wire: Wire, fields: dict[str, Any], code: str, message: str, names: list[str]) -> None:
    prepare_refusals(wire.org)
    with pytest.raises(SalesforceMalformedRequest) as refused:
        wire.sf.Opportunity.update(DEAL, fields)
    (error,) = refused.value.content
    assert (error["errorCode"], error["fields"]) == (code, names)
    assert message in error["message"]


@pytest.mark.parametrize(("fields", "code", "message", "names"), REFUSALS)
def test_a_refused_row_of_a_collection(
    wire: Wire, fields: dict[str, Any], code: str, message: str, names: list[str]
) -> None:
    prepare_refusals(wire.org)
    rows = [{"attributes": {"type": "Opportunity"}, "id": DEAL, **fields}]
    (result,) = wire.sf.restful("composite/sobjects", method="PATCH", json={"allOrNone": False, "records": rows})
    (error,) = result["errors"]
    assert set(result) == {"success", "errors"}
    assert (error["statusCode"], error["fields"]) == (code, names)
    assert message in error["message"]


@pytest.mark.parametrize(
    ("fields", "kind", "offender"),
    [
        ({"Amount": "lots"}, "double", "VALUE_STRING value lots"),
        ({"CloseDate": "31/01/2027"}, "date", "VALUE_STRING value 31/01/2027"),
        ({"AWS_Synced_At__c": "2027-01-31"}, "datetime", "VALUE_STRING value 2027-01-31"),
        ({"IsPrivate": "yes"}, "boolean", "VALUE_STRING value yes"),
        ({"IsPrivate": None}, "boolean", "VALUE_NULL value null"),
        ({"Name": 5}, "string", "VALUE_NUMBER_INT value 5"),
        ({"Name": {"a": 1}}, "string", "START_OBJECT value"),
    ],
)
def test_a_value_of_the_wrong_type(wire: Wire, fields: dict[str, Any], kind: str, offender: str) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        wire.sf.Opportunity.update(DEAL, fields)
    (error,) = refused.value.content
    assert error["errorCode"] == "JSON_PARSER_ERROR"
    assert f"Cannot deserialize instance of {kind} from {offender}" in error["message"]
    rows = [{"attributes": {"type": "Opportunity"}, "id": DEAL, **fields}]
    (result,) = wire.sf.restful("composite/sobjects", method="PATCH", json={"records": rows})
    assert result["errors"][0]["statusCode"] == "INVALID_TYPE_ON_FIELD_IN_RECORD"
    assert result["errors"][0]["fields"] == list(fields)


@pytest.mark.parametrize(
    ("record_id", "status", "code", "message"),
    [
        ("006000000000002AAA", 404, "ENTITY_IS_DELETED", "entity is deleted"),
        (MISSING, 404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + MISSING),
        ("006000000000003AAA", 404, "NOT_FOUND", "Provided external ID field does not exist"),
        ("nonsense", 400, "MALFORMED_ID", "id value of incorrect type: nonsense"),
        ("006000000000001AAB", 400, "MALFORMED_ID", "id value of incorrect type"),
        ("006000000000004AAA", 400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
    ],
)
def test_rows_that_cannot_be_changed(wire: Wire, record_id: str, status: int, code: str, message: str) -> None:
    deleted, hidden, protected = (wire.org.insert("Opportunity", MINIMUM) for _ in range(3))
    wire.org.delete("Opportunity", deleted)
    wire.org.hide_row(hidden)
    wire.org.protect_row(protected)
    reply = wire.call("PATCH", f"sobjects/Opportunity/{record_id}", json={"Name": "x"})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (status, code)
    assert message in reply.json()[0]["message"]


def test_unknown_object_and_field_of_a_row(wire: Wire) -> None:
    with pytest.raises(SalesforceResourceNotFound) as refused:
        wire.sf.Oportunity.update(DEAL, {"Name": "x"})
    assert refused.value.content == [
        {"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"},
    ]
    assert wire.call("GET", f"sobjects/Opportunity/{DEAL}?fields=Foo__c").json()[0]["errorCode"] == "INVALID_FIELD"


def test_a_write_fills_stamps_and_what_follows_from_the_stage(wire: Wire, clock: Clock) -> None:
    clock.advance(minutes=5, milliseconds=700)
    assert wire.sf.Opportunity.update(DEAL, {"StageName": "Closed Won", "Amount": 10.555, "NextStep": " go "}) == 204
    row = wire.sf.Opportunity.get(DEAL)
    assert (row["Amount"], row["NextStep"], row["ExpectedRevenue"]) == (10.56, "go", 10.56)
    assert (row["IsClosed"], row["IsWon"], row["Probability"], row["ForecastCategory"]) == (True, True, 100.0, "Closed")
    assert (row["FiscalYear"], row["FiscalQuarter"], row["Fiscal"]) == (2027, 1, "2027 1")
    assert row["SystemModstamp"] == row["LastModifiedDate"] == "2026-11-21T10:05:00.000+0000"
    assert row["CreatedDate"] == "2026-11-21T10:00:00.000+0000"
    assert row["LastModifiedById"] == wire.org.integration_user_id
    assert row["CreatedById"] == row["OwnerId"] == wire.org.admin_id


def test_an_update_without_a_difference_moves_the_stamp(wire: Wire, clock: Clock) -> None:
    clock.advance(seconds=30)
    wire.sf.Opportunity.update(DEAL, {"Name": "Deal"})
    assert wire.org.get("Opportunity", DEAL)["SystemModstamp"] == START + timedelta(seconds=30)


def test_a_15_character_id_is_accepted(wire: Wire) -> None:
    assert wire.sf.Opportunity.update(DEAL[:15], {"NextStep": "x"}) == 204
    assert wire.sf.Opportunity.get(DEAL[:15])["Id"] == DEAL


def test_create_and_delete(wire: Wire) -> None:
    reply = wire.call("POST", "sobjects/Account/", json={"Name": "Globex"})
    assert (reply.status_code, reply.json()["success"], reply.json()["errors"]) == (201, True, [])
    assert reply.headers["Location"] == f"{BASE}/sobjects/Account/{reply.json()['id']}"
    assert wire.sf.Account.delete(reply.json()["id"]) == 204
    with pytest.raises(SalesforceMalformedRequest) as refused:
        wire.sf.Opportunity.create({"Name": "x"})
    assert refused.value.content[0]["message"] == "Required fields are missing: [StageName, CloseDate]"


def test_upsert_by_external_id(wire: Wire) -> None:
    made = wire.call("PATCH", "sobjects/Opportunity/AWS_Opportunity_Id__c/O1", json=MINIMUM)
    assert (made.status_code, made.json()["created"]) == (201, True)
    changed = wire.call("PATCH", "sobjects/Opportunity/AWS_Opportunity_Id__c/o1", json={"Name": "Changed"})
    assert (changed.status_code, changed.json()["id"]) == (200, made.json()["id"])
    assert changed.json()["created"] is False
    assert wire.sf.Opportunity.get_by_custom_id("AWS_Opportunity_Id__c", "O1")["Name"] == "Changed"
    wire.org.insert("Opportunity", {**MINIMUM, "AWS_Opportunity_Id__c": "O1"})
    with pytest.raises(SalesforceMoreThanOneRecord) as refused:
        wire.sf.Opportunity.upsert("AWS_Opportunity_Id__c/O1", {"Name": "x"})
    assert len(refused.value.content) == 2
    unknown = wire.call("PATCH", "sobjects/Opportunity/AWS_Task_Id__c/O1", json=MINIMUM)
    assert (unknown.status_code, unknown.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_a_unique_field_refuses_a_second_holder(wire: Wire) -> None:
    wire.org.add_field("Opportunity", Field("Key__c", "Key", "string", 20, external_id=True, unique=True))
    wire.sf.Opportunity.update(DEAL, {"Key__c": "A"})
    wire.sf.Opportunity.update(DEAL, {"Key__c": "a"})
    with pytest.raises(SalesforceMalformedRequest) as refused:
        wire.sf.Opportunity.create({**MINIMUM, "Key__c": "A"})
    assert refused.value.content[0]["errorCode"] == "DUPLICATE_VALUE"
    assert refused.value.content[0]["message"].endswith(f"duplicates value on record with id: {DEAL[:15]}")


def test_validation_rules_speak_for_any_field(wire: Wire) -> None:
    for number in (1, 2):
        rule = ValidationRule("Opportunity", lambda row: row.get("Amount") is None, f"Rule {number}", ("Amount",))
        wire.org.rules.validation.append(rule)
    with pytest.raises(SalesforceMalformedRequest) as refused:
        wire.sf.Opportunity.update(DEAL, {"AWS_Sync_Status__c": "Synced"})
    assert [(one["errorCode"], one["message"], one["fields"]) for one in refused.value.content] == [
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Rule 1", ["Amount"]),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Rule 2", ["Amount"]),
    ]
    assert wire.sf.Opportunity.update(DEAL, {"AWS_Sync_Status__c": "Synced", "Amount": 1}) == 204


def test_a_row_lock_passes(wire: Wire) -> None:
    wire.org.rules.lock_row(DEAL, times=2)
    for _ in range(2):
        reply = wire.call("PATCH", f"sobjects/Opportunity/{DEAL}", json={"Name": "x"})
        assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "UNABLE_TO_LOCK_ROW")
        assert reply.json()[0]["message"].endswith(DEAL)
    assert wire.sf.Opportunity.update(DEAL, {"Name": "x"}) == 204


def test_a_scripted_fault_hits_sessions_and_not_people(wire: Wire) -> None:
    wire.org.rules.fail_row(DEAL, Fault("ENTITY_IS_LOCKED", "the entity is locked for editing"))
    wire.org.update("Opportunity", DEAL, {"Name": "By hand"})
    with pytest.raises(SalesforceMalformedRequest, match="locked for editing"):
        wire.sf.Opportunity.update(DEAL, {"Name": "x"})
    assert wire.org.get("Opportunity", DEAL)["Name"] == "By hand"


def test_a_conditional_change(wire: Wire, clock: Clock) -> None:
    def change(since: str) -> int:
        headers = {"If-Unmodified-Since": since}
        reply = wire.call("PATCH", f"sobjects/Opportunity/{DEAL}", json={"Name": "x"}, headers=headers)
        return reply.status_code

    clock.advance(minutes=1)
    assert change("Sat, 21 Nov 2026 10:00:00 GMT") == 204
    assert change("Sat, 21 Nov 2026 10:00:00 GMT") == 412
    assert change("Sat, 21 Nov 2026 10:01:00 GMT") == 204
    assert change("yesterday") == 400
    seen = {"If-Modified-Since": "Sat, 21 Nov 2026 10:01:00 GMT"}
    assert wire.call("GET", f"sobjects/Opportunity/{DEAL}", headers=seen).status_code == 304


def test_products_own_the_amount(wire: Wire) -> None:
    wire.org.insert("OpportunityLineItem", {"OpportunityId": DEAL, "Quantity": 2, "UnitPrice": 10})
    assert wire.sf.Opportunity.update(DEAL, {"Amount": 999, "NextStep": "x"}) == 204
    row = wire.sf.Opportunity.get(DEAL)
    assert (row["Amount"], row["NextStep"], row["HasOpportunityLineItem"]) == (20.0, "x", True)


def test_a_trigger_touches_the_row_again_and_a_failing_one_undoes_the_write(wire: Wire) -> None:
    def touch(name: str, _old: Any, new: Any) -> None:
        wire.org.update(name, new["Id"], {"Description": "seen by a trigger"})

    wire.org.writes.triggers.append(touch)
    wire.sf.Opportunity.update(DEAL, {"NextStep": "x"})
    row = wire.org.get("Opportunity", DEAL)
    assert (row["NextStep"], row["Description"]) == ("x", "seen by a trigger")
    assert row["LastModifiedById"] == wire.org.admin_id

    def fail(_name: str, _old: Any, _new: Any) -> None:
        raise RowError(Fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger: execution of AfterUpdate"))

    wire.org.writes.triggers.append(fail)
    with pytest.raises(SalesforceMalformedRequest, match="AfterUpdate"):
        wire.sf.Opportunity.update(DEAL, {"NextStep": "y"})
    assert wire.org.get("Opportunity", DEAL)["NextStep"] == "x"
