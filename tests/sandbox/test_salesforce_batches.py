"""Composite and sObject Collections: parts and rows that succeed and fail side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salesforce_client import BASE, Clock, Server, Wire, serve
from simple_salesforce.exceptions import SalesforceError

from connector.sandbox.salesforce.org import Org

MINIMUM = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31"}
MISSING = "00600000000000zAAA"


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
    for _ in range(3):
        org.insert("Opportunity", MINIMUM)
    with server.host(org) as served:
        yield served


def deal(number: int) -> str:
    return f"00600000000000{number}AAA"


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Opportunity"}, "id": deal(number), **fields}


def patch(wire: Wire, rows: list[dict[str, Any]], **options: Any) -> Any:
    return wire.sf.restful("composite/sobjects", method="PATCH", json={"records": rows, **options})


def compose(wire: Wire, *parts: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    body = {"compositeRequest": list(parts), **options}
    found: list[dict[str, Any]] = wire.sf.restful("composite", method="POST", json=body)["compositeResponse"]
    return found


def part(name: str, method: str, path: str, **more: Any) -> dict[str, Any]:
    return {"referenceId": name, "method": method, "url": f"{BASE}/{path}", **more}


# -- collections -----------------------------------------------------------------------------------------------------


def test_rows_fail_by_themselves_and_are_told_by_position(wire: Wire) -> None:
    wire.org.rules.lock_row(deal(3))
    rows = [
        row(1, NextStep="a"),
        row(2, AWS_Involvement__c="Maybe"),
        {**row(1), "id": MISSING},
        row(3, NextStep="c"),
        {"attributes": {"type": "Nothing"}, "id": deal(1)},
        {"attributes": {"type": "Opportunity"}, "NextStep": "no id"},
        row(1, NextStep="again"),
    ]
    results = patch(wire, rows, allOrNone=False)
    assert results[0] == {"id": deal(1), "success": True, "errors": []}
    assert [one["errors"][0]["statusCode"] for one in results if not one["success"]] == [
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "INVALID_CROSS_REFERENCE_KEY",
        "UNABLE_TO_LOCK_ROW",
        "INVALID_TYPE",
        "MISSING_ARGUMENT",
    ]
    assert all("id" not in one for one in results if not one["success"])
    assert [one["success"] for one in results] == [True, False, False, False, False, False, True]
    assert wire.org.get("Opportunity", deal(1))["NextStep"] == "again"
    assert wire.org.calls == [("PATCH composite/sobjects", 200)]


@pytest.mark.parametrize(("code", "status"), [("INVALID_FIELD", 400), ("UNABLE_TO_LOCK_ROW", 500)])
def test_a_call_may_be_refused_whole_for_one_row(wire: Wire, code: str, status: int) -> None:
    wire.org.rules.whole_call[code] = status
    wire.org.rules.lock_row(deal(2))
    rows = [row(1, NextStep="a"), row(2, NextStep="b"), row(3, **({"Nope__c": 1} if status == 400 else {}))]
    with pytest.raises(SalesforceError) as refused:
        patch(wire, rows)
    assert refused.value.status == status
    assert refused.value.content[0]["errorCode"] == code
    assert wire.org.get("Opportunity", deal(1)).get("NextStep") is None, "nothing of it is saved"


def test_all_or_none_takes_everything_back(wire: Wire) -> None:
    before = wire.org.get("Opportunity", deal(1))
    results = patch(wire, [row(1, NextStep="a"), row(2, Name=None)], allOrNone=True)
    assert [one["errors"][0]["statusCode"] for one in results] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert wire.org.get("Opportunity", deal(1)) is before


def test_more_than_200_rows_and_more_than_10_chunks(wire: Wire) -> None:
    many = wire.call("PATCH", "composite/sobjects", json={"records": [row(1)] * 201})
    assert (many.status_code, many.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    assert many.json()[0]["message"] == ("record limit reached. cannot submit more than 200 records into this call")
    account = {"attributes": {"type": "Account"}, "id": "001000000000001AAA"}
    mixed = wire.call("PATCH", "composite/sobjects", json={"records": [row(1), account] * 6})
    assert mixed.status_code == 400
    assert patch(wire, [row(1)] * 200)[-1]["success"] is True
    assert wire.call("PATCH", "composite/sobjects", json={"records": "x"}).status_code == 400


def test_create_and_delete_collections(wire: Wire) -> None:
    records = [{"attributes": {"type": "Account"}, "Name": "Globex"}, {"attributes": {"type": "Account"}}]
    made = wire.sf.restful("composite/sobjects", method="POST", json={"records": records})
    assert [one["success"] for one in made] == [True, False]
    gone = wire.sf.restful(
        "composite/sobjects", method="DELETE", params={"ids": f"{made[0]['id']},{MISSING},zzz", "allOrNone": "false"}
    )
    assert [one["success"] for one in gone] == [True, False, False]
    assert [one["Name"] for one in wire.org.records("Account")] == ["Acme"]
    strict = {"ids": f"{deal(1)},{MISSING}", "allOrNone": "true"}
    wire.sf.restful("composite/sobjects", method="DELETE", params=strict)
    assert len(wire.org.records("Opportunity")) == 3


def test_retrieve_leaves_null_in_place(wire: Wire) -> None:
    wire.org.hide_row(deal(2))
    body = {"ids": [deal(1), deal(2), MISSING, deal(3)[:15]], "fields": ["name", "Amount"]}
    found = wire.sf.restful("composite/sobjects/Opportunity", method="POST", json=body)
    assert [one and one["attributes"]["url"].rpartition("/")[2] for one in found] == [deal(1), None, None, deal(3)]
    assert list(found[0]) == ["attributes", "Name", "Amount"]
    refused = wire.call("POST", "composite/sobjects/Opportunity", json={**body, "fields": ["Foo__c"]})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


# -- composite -------------------------------------------------------------------------------------------------------


def test_parts_have_statuses_of_their_own_and_cost_one_call(wire: Wire) -> None:
    results = compose(
        wire,
        part("ok", "GET", "query?q=SELECT Name FROM Opportunity WHERE SystemModstamp >= 2026-01-01T00:00:00Z"),
        part("encoded", "GET", "queryAll/?q=SELECT%20Id%20FROM%20Account%20WHERE%20Name%20LIKE%20%27A%25%27"),
        part("bad", "GET", "query?q=SELECT Nope FROM Opportunity"),
        part("none", "GET", f"sobjects/Opportunity/{MISSING}"),
        part("nowhere", "GET", "nowhere"),
        part("write", "PATCH", f"sobjects/Opportunity/{deal(1)}", body={"NextStep": "x"}),
        part("rows", "PATCH", "composite/sobjects", body={"records": [row(1, Foo__c=1), row(2)]}),
        part("made", "POST", "sobjects/Account", body={"Name": "Globex"}),
    )
    assert [(one["referenceId"], one["httpStatusCode"]) for one in results] == [
        ("ok", 200),
        ("encoded", 200),
        ("bad", 400),
        ("none", 404),
        ("nowhere", 404),
        ("write", 204),
        ("rows", 200),
        ("made", 201),
    ]
    assert (results[0]["body"]["totalSize"], results[1]["body"]["totalSize"]) == (3, 1)
    assert results[2]["body"][0]["errorCode"] == "INVALID_FIELD"
    assert results[4]["body"] == [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]
    assert (results[5]["body"], results[0]["httpHeaders"]) == (None, {})
    assert [one["success"] for one in results[6]["body"]] == [False, True]
    assert results[7]["httpHeaders"]["Location"].endswith(results[7]["body"]["id"])
    assert wire.org.calls == [("POST composite", 200)]
    assert wire.org.usage.count(wire.org.now()) == 1


def test_a_part_may_name_an_earlier_result(wire: Wire) -> None:
    results = compose(
        wire,
        part("account", "POST", "sobjects/Account", body={"Name": "Globex"}),
        part("found", "GET", "query?q=SELECT Id FROM Opportunity ORDER BY Id"),
        part(
            "link",
            "PATCH",
            "sobjects/Opportunity/@{found.records[1].Id}",
            body={"AccountId": "@{account.id}", "NextStep": "for @{account.id}"},
        ),
        part("lost", "GET", "sobjects/Account/@{found.records[9].Id}"),
    )
    assert [one["httpStatusCode"] for one in results] == [201, 200, 204, 400]
    assert results[3]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    changed = wire.org.get("Opportunity", deal(2))
    assert changed["AccountId"] == results[0]["body"]["id"]
    assert changed["NextStep"] == f"for {results[0]['body']['id']}"


def test_all_or_none_halts_the_others(wire: Wire) -> None:
    results = compose(
        wire,
        part("a", "PATCH", f"sobjects/Opportunity/{deal(1)}", body={"NextStep": "x"}),
        part("b", "PATCH", f"sobjects/Opportunity/{deal(2)}", body={"Foo__c": "x"}),
        part("c", "PATCH", f"sobjects/Opportunity/{deal(3)}", body={"NextStep": "x"}),
        allOrNone=True,
    )
    assert [one["httpStatusCode"] for one in results] == [400, 400, 400]
    assert [one["body"][0]["errorCode"] for one in results] == [
        "PROCESSING_HALTED",
        "INVALID_FIELD",
        "PROCESSING_HALTED",
    ]
    assert all(one.get("NextStep") is None for one in wire.org.records("Opportunity"))


def test_a_part_may_be_conditional_and_ask_for_small_pages(wire: Wire, clock: Clock) -> None:
    for number in range(201):
        wire.org.insert("Account", {"Name": str(number)})
    clock.advance(minutes=1)
    wire.org.update("Opportunity", deal(1), {"NextStep": "by a person"})
    seen = {"If-Unmodified-Since": "Sat, 21 Nov 2026 10:00:30 GMT"}
    results = compose(
        wire,
        part("late", "PATCH", f"sobjects/Opportunity/{deal(1)}", body={"NextStep": "x"}, httpHeaders=seen),
        part("fine", "PATCH", f"sobjects/Opportunity/{deal(2)}", body={"NextStep": "x"}, httpHeaders=seen),
        part("page", "GET", "query?q=SELECT Id FROM Account", httpHeaders={"Sforce-Query-Options": "batchSize=200"}),
        part(
            "known", "GET", "sobjects/Account/describe", httpHeaders={"If-Modified-Since": seen["If-Unmodified-Since"]}
        ),
    )
    assert [one["httpStatusCode"] for one in results] == [412, 204, 200, 304]
    assert results[2]["body"]["nextRecordsUrl"].startswith(f"{BASE}/query/0r8")


def test_limits_of_a_composite_request(wire: Wire) -> None:
    limits = [part(str(number), "GET", "limits") for number in range(26)]
    queries = [part(str(number), "GET", "query?q=SELECT Id FROM Account") for number in range(4)]
    rows = [part(f"r{number}", "PATCH", "composite/sobjects", body={"records": []}) for number in range(2)]
    for parts in (limits, queries + rows):
        reply = wire.call("POST", "composite", json={"compositeRequest": parts})
        assert reply.status_code == 400
        (entry,) = reply.json()["compositeResponse"]
        assert (entry["body"][0]["errorCode"], entry["referenceId"]) == ("LIMIT_EXCEEDED", None)
    assert len(compose(wire, *queries, rows[0], *limits[4:24])) == 25
    twice = wire.call("POST", "composite", json={"compositeRequest": [limits[0], limits[0]]})
    assert (twice.status_code, wire.call("POST", "composite", json={}).status_code) == (400, 400)
