"""The wire: versions, headers, quota, limits of size, describes, getUpdated, whole-request failures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from salesforce_client import START, Clock, Server, Wire, serve
from simple_salesforce.exceptions import SalesforceGeneralError, SalesforceRefusedRequest

from connector.sandbox.salesforce.faults import RowError
from connector.sandbox.salesforce.objects import define_object
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.rules import WireFault
from connector.sandbox.salesforce.schema import Field, read_fields

DEAL = "006000000000001AAA"
MINIMUM = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31"}
AS_JSON, AS_TEXT = {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve() as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wire(server: Server, clock: Clock) -> Iterator[Wire]:
    org = Org(clock, daily_api_limit=50)
    org.insert("Opportunity", MINIMUM)
    org.add_client("connector", "secret")
    org.add_client("nobody", "secret", run_as=None)
    with server.host(org) as served:
        yield served


# -- the frame of every call -----------------------------------------------------------------------------------------


def test_versions_need_no_token_and_cost_nothing(wire: Wire) -> None:
    versions = requests.get(f"{wire.url}/services/data/", timeout=5).json()
    assert versions[0]["version"] == "31.0"
    assert versions[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    assert wire.org.calls == []


@pytest.mark.parametrize("path", ["/services/data/v30.0/limits", "/services/data/v69.0/limits", "/services/data/x"])
def test_versions_that_are_not_served(wire: Wire, path: str) -> None:
    headers = {"Authorization": f"Bearer {wire.token}"}
    reply = requests.get(wire.url + path, headers=headers, timeout=5)
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_headers_of_an_answer(wire: Wire, clock: Clock) -> None:
    clock.advance(seconds=7)
    reply = wire.call("GET", "limits")
    assert reply.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert reply.headers["Sforce-Limit-Info"] == "api-usage=1/50"
    assert reply.headers["Date"] == "Sat, 21 Nov 2026 10:00:07 GMT"
    assert reply.json()["DailyApiRequests"] == {"Max": 50, "Remaining": 49}


def test_every_call_is_counted_once_and_logged(wire: Wire) -> None:
    wire.sf.query("SELECT Id FROM Account")
    wire.sf.Opportunity.update(DEAL, {"Name": "x"})
    wire.call("PATCH", f"sobjects/Opportunity/{DEAL}", json={"Foo__c": "x"})
    assert wire.org.calls == [
        ("GET query", 200),
        ("PATCH sobjects/{name}/{record_id}", 204),
        ("PATCH sobjects/{name}/{record_id}", 400),
    ]
    assert wire.org.usage.count(START) == 3


def test_the_daily_allowance(wire: Wire, clock: Clock) -> None:
    wire.org.usage.spend(START, 50)
    with pytest.raises(SalesforceRefusedRequest) as refused:
        wire.sf.query("SELECT Id FROM Account")
    assert refused.value.content == [
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    ]
    clock.advance(hours=24)
    wire.token = wire.org.issue_token()
    assert wire.call("GET", "limits").headers["Sforce-Limit-Info"] == "api-usage=1/50"


def test_the_told_usage_may_jump(wire: Wire) -> None:
    wire.org.usage.report = lambda count: count - 3 if count == 5 else count + 4
    told = [wire.call("GET", "limits").headers["Sforce-Limit-Info"] for _ in range(5)]
    assert told[-2:] == ["api-usage=8/50", "api-usage=2/50"]


def test_a_uri_too_long_is_answered_in_html(wire: Wire) -> None:
    with pytest.raises(SalesforceGeneralError) as refused:
        wire.sf.query("SELECT Id FROM Account WHERE Name IN (" + "'x'," * 4_000 + "'x')")
    assert refused.value.status == 414
    assert refused.value.content == "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("PUT", f"sobjects/Opportunity/{DEAL}", {"json": {}}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "query", {"json": {}}, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "sobjects/User/005000000000001AAA", {}, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "nowhere", {}, 404, "NOT_FOUND"),
        ("GET", "sobjects/Nothing/describe", {}, 404, "NOT_FOUND"),
        ("PATCH", f"sobjects/Opportunity/{DEAL}", {"data": "{", "headers": AS_JSON}, 400, "JSON_PARSER_ERROR"),
        ("PATCH", f"sobjects/Opportunity/{DEAL}", {}, 400, "JSON_PARSER_ERROR"),
        ("PATCH", f"sobjects/Opportunity/{DEAL}", {"data": "x", "headers": AS_TEXT}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("PATCH", f"sobjects/Opportunity/{DEAL}", {"json": {"Id": DEAL}}, 400, "INVALID_FIELD"),
        ("GET", "query", {}, 400, "MALFORMED_QUERY"),
        ("GET", "query/0r8000000000001AAA-200", {}, 400, "INVALID_QUERY_LOCATOR"),
    ],
)  # fmt: skip
def test_refused_requests(wire: Wire, method: str, path: str, options: dict[str, Any], status: int, code: str) -> None:
    reply = wire.call(method, path, **options)
    assert reply.status_code == status
    assert [set(one) for one in reply.json()] in ([{"message", "errorCode"}], [{"message", "errorCode", "fields"}])
    assert reply.json()[0]["errorCode"] == code


def test_scripted_answers(wire: Wire) -> None:
    wire.org.rules.wire_faults.extend(
        [
            WireFault(503, "<html>busy</html>", matches=lambda method, _path: method == "GET"),
            WireFault(502, "<html>bad gateway</html>", after_commit=True),
        ]
    )
    lost = wire.call("PATCH", f"sobjects/Opportunity/{DEAL}", json={"NextStep": "written"})
    assert (lost.status_code, lost.text) == (502, "<html>bad gateway</html>")
    assert wire.org.get("Opportunity", DEAL)["NextStep"] == "written"
    assert wire.call("GET", "limits").status_code == 503
    assert wire.call("GET", "limits").status_code == 200


# -- paging and replication ------------------------------------------------------------------------------------------


def test_simple_salesforce_reads_every_page(wire: Wire) -> None:
    for number in range(450):
        wire.org.insert("Account", {"Name": str(number)})
    wire.session.headers["Sforce-Query-Options"] = "batchSize=200"
    found = wire.sf.query_all("SELECT Name FROM Account ORDER BY Id")
    assert [one["Name"] for one in found["records"]] == [str(number) for number in range(450)]
    assert [label for label, _ in wire.org.calls] == ["GET query", "GET query/{locator}", "GET query/{locator}"]


def test_deleted_rows_are_seen_by_query_all_and_get_deleted(wire: Wire, clock: Clock) -> None:
    wire.sf.Opportunity.delete(DEAL)
    assert wire.sf.query("SELECT Id FROM Opportunity")["totalSize"] == 0
    found = wire.sf.query("SELECT Id, IsDeleted FROM Opportunity", include_deleted=True)
    assert [(one["Id"], one["IsDeleted"]) for one in found["records"]] == [(DEAL, True)]
    start, end = START - timedelta(minutes=5), START + timedelta(minutes=5)
    assert wire.sf.Opportunity.deleted(start, end) == {
        "deletedRecords": [{"id": DEAL, "deletedDate": "2026-11-21T10:00:00.000+0000"}],
        "earliestDateAvailable": "2026-10-22T10:00:00.000+0000",
        "latestDateCovered": "2026-11-21T10:05:00.000+0000",
    }
    wire.org.purge(DEAL)
    assert wire.sf.query("SELECT Id FROM Opportunity", include_deleted=True)["totalSize"] == 0
    assert wire.sf.Opportunity.deleted(start, end)["deletedRecords"][0]["id"] == DEAL


def test_get_updated_is_held_back_by_a_slow_transaction(wire: Wire, clock: Clock) -> None:
    clock.advance(minutes=2)
    wire.org.insert("Opportunity", MINIMUM, visible_after=timedelta(minutes=3))
    clock.advance(minutes=2)
    span = (START, START + timedelta(minutes=4))
    found = wire.sf.Opportunity.updated(*span)
    assert found == {"ids": [DEAL], "latestDateCovered": "2026-11-21T10:02:00.000+0000"}
    clock.advance(minutes=1)
    assert len(wire.sf.Opportunity.updated(*span)["ids"]) == 2
    reply = wire.call("GET", "sobjects/Opportunity/updated/?start=2026-11-21T10:00:01Z&end=2026-11-21T10:00:59Z")
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")


# -- describe --------------------------------------------------------------------------------------------------------


def test_describe_shows_what_the_user_may_see(wire: Wire) -> None:
    wire.org.hide_field("Opportunity", "LeadSource")
    wire.org.protect_field("Opportunity", "NextStep")
    described = wire.sf.Opportunity.describe()
    fields = {one["name"]: one for one in described["fields"]}
    assert "LeadSource" not in fields
    assert (fields["NextStep"]["updateable"], fields["NextStep"]["createable"]) == (False, False)
    assert (fields["ContactId"]["createable"], fields["ContactId"]["updateable"]) == (True, False)
    assert fields["ContactId"]["relationshipName"] is None
    assert (fields["Name"]["length"], fields["Name"]["nillable"]) == (120, False)
    assert (fields["Amount"]["type"], fields["Amount"]["precision"], fields["Amount"]["scale"]) == ("currency", 18, 2)
    assert (fields["StageName"]["restrictedPicklist"], fields["AWS_Involvement__c"]["restrictedPicklist"]) == (
        False,
        True,
    )
    assert fields["AWS_Involvement__c"]["picklistValues"][0] == {
        "active": True,
        "defaultValue": False,
        "label": "Co-Sell",
        "validFor": None,
        "value": "Co-Sell",
    }
    assert (fields["AWS_Sync_Message__c"]["length"], fields["AWS_Sync_Message__c"]["filterable"]) == (32768, False)
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    assert described["recordTypeInfos"][0]["recordTypeId"] == "012000000000000AAA"
    children = {one["relationshipName"]: one for one in described["childRelationships"]}
    assert children["OpportunityContactRoles"]["childSObject"] == "OpportunityContactRole"
    assert children["OpportunityContactRoles"]["field"] == "OpportunityId"


def test_describe_tells_what_an_admin_made_of_a_field(wire: Wire) -> None:
    org = wire.org
    values = (("Full", "Full"), ("Limited", "Limited"))
    org.change_field("Opportunity", "AWS_Visibility__c", values=values, inactive=frozenset({"Limited"}))
    for added in read_fields("Days_Open__c | | double(18,0) | formula\nNotes__c | | textarea(32768) | html"):
        org.add_field("Opportunity", added)
    fields = {one["name"]: one for one in wire.sf.Opportunity.describe()["fields"]}
    active = {one["value"]: one["active"] for one in fields["AWS_Visibility__c"]["picklistValues"]}
    assert active == {"Full": True, "Limited": False}
    rich = fields["Notes__c"]
    assert (rich["htmlFormatted"], rich["extraTypeInfo"], rich["filterable"]) == (True, "richtextarea", False)
    formula = fields["Days_Open__c"]
    assert (formula["calculated"], formula["updateable"], formula["createable"]) == (True, False, False)
    assert formula["permissionable"]
    assert not fields["Description"]["htmlFormatted"]
    account = {one["name"]: one["permissionable"] for one in wire.sf.Account.describe()["fields"]}
    assert (account["BillingAddress"], account["Name"], account["Industry"]) == (True, False, True)
    contact = {one["name"]: one["permissionable"] for one in wire.sf.Contact.describe()["fields"]}
    assert (contact["FirstName"], contact["Title"]) == (False, True)


def test_a_value_that_is_no_longer_active_is_refused_where_values_are_restricted(wire: Wire) -> None:
    values = (("Full", "Full"), ("Limited", "Limited"))
    wire.org.change_field("Opportunity", "AWS_Visibility__c", values=values, inactive=frozenset({"Limited"}))
    fields = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-01"}
    with pytest.raises(RowError, match="restricted picklist"):
        wire.org.insert("Opportunity", {**fields, "AWS_Visibility__c": "Limited"})
    assert wire.org.insert("Opportunity", {**fields, "AWS_Visibility__c": "Full"})


def test_describe_is_asked_again_only_when_it_changed(wire: Wire, clock: Clock) -> None:
    first = wire.call("GET", "sobjects/Opportunity/describe")
    known = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert wire.call("GET", "sobjects/Opportunity/describe", headers=known).status_code == 304
    clock.advance(minutes=1)
    wire.org.add_field("Opportunity", Field("New__c", "New", "string", 10))
    again = wire.call("GET", "sobjects/Opportunity/describe", headers=known)
    assert again.status_code == 200
    assert "New__c" in [one["name"] for one in again.json()["fields"]]
    wire.org.remove_field("Opportunity", "New__c")
    assert "New__c" not in wire.call("GET", "sobjects/Opportunity/describe").text


def test_a_custom_object_is_an_object_like_any_other(wire: Wire) -> None:
    reference = "Opportunity__c | | reference(Opportunity) | up:Opportunity__r down:AWS_Invitations__r cascade"
    wire.org.define(
        define_object("AWS_Invitation__c", "Invitation", "Invitations", "a00", reference, "Message__c | | string(80)")
    )
    wire.sf.AWS_Invitation__c.create({"Opportunity__c": DEAL, "Message__c": "Come"})
    found = wire.query("SELECT (SELECT Message__c, Opportunity__r.Name FROM AWS_Invitations__r) FROM Opportunity")
    (record,) = found["records"][0]["AWS_Invitations__r"]["records"]
    assert (record["Message__c"], record["Opportunity__r"]["Name"]) == ("Come", "Deal")
    assert "AWS_Invitation__c" in [one["name"] for one in wire.sf.describe()["sobjects"]]


def test_the_organization_and_record_counts(wire: Wire) -> None:
    found = wire.query("SELECT Id, IsSandbox, OrganizationType FROM Organization")["records"][0]
    assert (found["Id"], found["IsSandbox"], found["OrganizationType"]) == (
        "00D000000000001EAA",
        True,
        "Developer Edition",
    )
    counts = wire.sf.restful("limits/recordCount", params={"sObjects": "Opportunity,Nothing"})
    assert counts == {"sObjects": [{"count": 1, "name": "Opportunity"}]}
    assert wire.query("SELECT Id FROM RecordType")["totalSize"] == 0
