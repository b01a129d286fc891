"""The Salesforce port, exchange by exchange: what is asked, and what becomes of the answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
import requests
import responses

from connector.adapters.salesforce import SalesforceClient, SalesforceSettings
from connector.core.selection import Selection
from connector.errors import AccessDenied, LoginFailed, QuotaExhausted, Throttled, Unavailable
from connector.ports import KnownRow, RowResult, RowState, RowUpdate

HOST = "https://acme.my.salesforce.example"
DATA = f"{HOST}/services/data/v66.0"
SINCE = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
DATE = "Sat, 21 Nov 2026 12:00:05 GMT"
A, B, C = "006000000000001AAA", "006000000000002AAA", "006000000000003AAA"
SELECTION = Selection(
    sobject="Opportunity",
    where="Share_With_AWS__c = TRUE",
    fields=("Amount", "Account.Name"),
    children={"OpportunityContactRoles": ("Contact.Email",)},
    linked_fields=("AWS_Opportunity_Id__c",),
)
PLAIN = Selection(sobject="Opportunity", where="Share_With_AWS__c = TRUE", fields=("Amount",))
DESCRIBE = {
    "fields": [
        {"name": "Name", "type": "string", "length": 120, "updateable": True, "picklistValues": []},
        {
            "name": "StageName",
            "type": "picklist",
            "length": 255,
            "updateable": False,
            "picklistValues": [{"value": "Open", "active": True}, {"value": "Old", "active": False}],
        },
    ],
    "childRelationships": [
        {
            "relationshipName": "OpportunityContactRoles",
            "childSObject": "OpportunityContactRole",
            "field": "OpportunityId",
        },
        {"relationshipName": None, "childSObject": "Task", "field": "WhatId"},
    ],
}


class SteppedClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def client(clock: SteppedClock) -> SalesforceClient:
    settings = SalesforceSettings(login_url=HOST, method="access_token", token="t0ken", instance_url=HOST)
    return SalesforceClient(settings, clock=clock)


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


Answering = Callable[[str], tuple[int, Any]]


def page(*rows: dict[str, Any], following: str = "") -> dict[str, Any]:
    """A page of rows as Salesforce shows them, with the attributes it adds."""
    decorated = [{"attributes": {"type": "Opportunity", "url": f"/x/{row.get('Id')}"}, **row} for row in rows]
    more = {"done": False, "nextRecordsUrl": following} if following else {"done": True}
    return {"totalSize": len(rows), **more, "records": decorated}


def serve_composite(web: responses.RequestsMock, answering: Answering) -> list[list[str]]:
    """Answer every subrequest by its decoded URL; returns the URLs of each call, to be filled."""
    asked: list[list[str]] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = json.loads(request.body or "")
        assert (body["allOrNone"], body["collateSubrequests"]) == (False, False)
        urls = [unquote(part["url"]) for part in body["compositeRequest"]]
        asked.append(urls)
        parts = []
        for part, url in zip(body["compositeRequest"], urls, strict=True):
            status, content = answering(url)
            reference = part["referenceId"]
            parts.append({"body": content, "httpHeaders": {}, "httpStatusCode": status, "referenceId": reference})
        # Salesforce promises no order; match by reference.
        return 200, {"Date": DATE}, json.dumps({"compositeResponse": parts[::-1]})

    web.add_callback(responses.POST, f"{DATA}/composite", callback=answer)
    return asked


def serve_describe(web: responses.RequestsMock) -> responses.BaseResponse:
    described: responses.BaseResponse = web.get(
        f"{DATA}/sobjects/Opportunity/describe", json=DESCRIBE, headers={"Last-Modified": DATE}
    )
    return described


def answer_of(kind: str, url: str) -> bool:
    """Which of the poll's queries a URL is."""
    marks = {
        "known": "queryAll/",
        "parents": "Account.SystemModstamp >=",
        "children": "Id IN (SELECT OpportunityId FROM OpportunityContactRole",
    }
    return marks[kind] in url


def test_an_idle_poll_is_one_call_with_every_question(web: responses.RequestsMock, client: SalesforceClient) -> None:
    described = serve_describe(web)
    asked = serve_composite(web, lambda url: (200, page()))
    for _ in range(3):
        found = client.changes(SELECTION, SINCE)
        assert (list(found.flagged), found.known, found.touched) == ([[]], (), frozenset())
    assert described.call_count == 1
    assert client.usage().by_label == {"changes": 3, "describe": 1}
    flagged, known, parents, children = asked[0]
    assert flagged.startswith(
        "/services/data/v66.0/query/?q=SELECT Id, SystemModstamp, LastModifiedById, Name, Amount, Account.Name"
    )
    assert "SystemModstamp >= 2026-11-21T11:00:00Z" in flagged
    assert answer_of("known", known)
    assert "AWS_Opportunity_Id__c != null" in known
    assert answer_of("parents", parents)
    assert answer_of("children", children)
    assert found.server_now == datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)


def test_a_first_poll_asks_for_everything_flagged_and_nothing_else(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    asked = serve_composite(web, lambda url: (200, page()))
    client.changes(SELECTION, None)
    assert len(asked) == 1
    assert len(asked[0]) == 1
    assert "SystemModstamp >=" not in asked[0][0]


def test_queries_are_percent_encoded_and_never_in_an_address(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    serve_composite(web, lambda url: (200, page()))
    selection = Selection("Opportunity", "Name LIKE '100%+&%' AND Fläche__c = TRUE", ("Amount",))
    client.changes(selection, None)
    request = web.calls[0].request
    url = json.loads(request.body or "")["compositeRequest"][0]["url"]
    assert " " not in url
    assert "%25%2B%26%25" in url
    assert request.url == f"{DATA}/composite"


def test_describe_tells_of_which_picklists_another_field_decides(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    names = {"BillingStateCode": True, "BillingCountryCode": False}
    fields = [{"name": name, "type": "picklist", "dependentPicklist": told} for name, told in names.items()]
    web.get(f"{DATA}/sobjects/Account/describe", json={"fields": fields, "childRelationships": []})
    assert {name: info.dependent for name, info in client.describe("Account").items()} == names


def test_more_than_five_questions_take_further_calls(web: responses.RequestsMock, client: SalesforceClient) -> None:
    children = {f"Kids{number}__r": ("Name",) for number in range(5)}
    relations = [{"relationshipName": name, "childSObject": f"{name[:-3]}__c", "field": "Deal__c"} for name in children]
    web.get(f"{DATA}/sobjects/Opportunity/describe", json={"fields": [], "childRelationships": relations})
    selection = Selection("Opportunity", "F__c = TRUE", ("Account.Name",), children, ("L__c",))

    def answering(url: str) -> tuple[int, Any]:
        return 200, page({"Id": A, "IsDeleted": False}) if "queryAll" in url else page({"Id": B})

    asked = serve_composite(web, answering)
    found = client.changes(selection, SINCE)
    assert [len(urls) for urls in asked] == [5, 3]
    assert found.touched == {B}
    assert found.known == (KnownRow(A, deleted=False),)


def test_records_come_out_plain(web: responses.RequestsMock, client: SalesforceClient) -> None:
    roles = {
        "totalSize": 1,
        "done": True,
        "records": [
            {
                "attributes": {"type": "R"},
                "Contact": {"attributes": {"type": "C"}, "Email": "ann@buyer.example"},
            }
        ],
    }
    first: dict[str, Any] = {
        "Id": A,
        "Amount": 0.1,
        "Account": {"attributes": {"type": "Account"}, "Name": "Acme"},
    }
    rows: list[dict[str, Any]] = [
        {**first, "OpportunityContactRoles": roles, "BillingAddress": {"city": "Bonn"}, "Count__c": 3},
        {"Id": B, "Amount": None, "Account": None, "OpportunityContactRoles": None},
    ]
    serve_composite(web, lambda url: (200, page(*rows)))
    (records,) = client.changes(SELECTION, None).flagged
    assert records == [
        {
            "Id": A,
            "Amount": Decimal("0.1"),
            "Account": {"Name": "Acme"},
            "OpportunityContactRoles": [{"Contact": {"Email": "ann@buyer.example"}}],
            "BillingAddress": {"city": "Bonn"},
            "Count__c": 3,
        },
        {"Id": B, "Amount": None, "Account": None, "OpportunityContactRoles": []},
    ]
    assert isinstance(records[0]["Amount"], Decimal)


def test_pages_are_followed_only_when_wanted(web: responses.RequestsMock, client: SalesforceClient) -> None:
    second = web.get(f"{DATA}/query/0r8A-2000", json=page({"Id": B}, following="/services/data/v66.0/query/0r8A-4000"))
    third = web.get(f"{DATA}/query/0r8A-4000", json=page({"Id": C}))
    serve_composite(web, lambda url: (200, page({"Id": A}, following="/services/data/v66.0/query/0r8A-2000")))
    flagged = client.changes(PLAIN, None).flagged
    assert next(flagged) == [{"Id": A}]
    assert second.call_count == 0
    assert next(flagged) == [{"Id": B}]
    assert third.call_count == 0
    assert list(flagged) == [[{"Id": C}]]
    assert client.usage().by_label == {"changes": 1, "page": 2}


def test_long_child_lists_and_other_answers_are_completed(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    serve_describe(web)
    web.get(f"{DATA}/query/0r8K-1", json=page({"Role": "Second"}))
    web.get(f"{DATA}/query/0r8T-1", json=page({"Id": C}))
    web.get(f"{DATA}/query/0r8D-1", json=page({"Id": B, "IsDeleted": True}))
    roles = page({"Role": "First"}, following="/services/data/v66.0/query/0r8K-1")

    def answering(url: str) -> tuple[int, Any]:
        if answer_of("known", url):
            known = page({"Id": A, "IsDeleted": False}, following="/services/data/v66.0/query/0r8D-1")
            return 200, known
        if answer_of("parents", url):
            return 200, page({"Id": B}, following="/services/data/v66.0/query/0r8T-1")
        if answer_of("children", url):
            return 200, page({"Id": A})
        return 200, page({"Id": A, "OpportunityContactRoles": roles})

    serve_composite(web, answering)
    found = client.changes(SELECTION, SINCE)
    assert next(found.flagged)[0]["OpportunityContactRoles"] == [{"Role": "First"}, {"Role": "Second"}]
    assert found.known == (KnownRow(A, deleted=False), KnownRow(B, deleted=True))
    assert found.touched == {A, B, C}


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/services/data/v66.0/query/0r8A-1",
        "//evil.example/query/0r8A-1",
        "/services/data/v66.0/query/../../../evil",
        "",
    ],
)
def test_a_page_address_of_another_shape_is_not_followed(
    web: responses.RequestsMock, client: SalesforceClient, address: str
) -> None:
    odd = {**page({"Id": A}), "done": False, "nextRecordsUrl": address}
    serve_composite(web, lambda url: (200, odd))
    flagged = client.changes(PLAIN, None).flagged
    next(flagged)
    with pytest.raises(Unavailable, match="documented form"):
        next(flagged)
    assert len(web.calls) == 1


@pytest.mark.parametrize("code", ["NOT_FOUND", "METHOD_NOT_ALLOWED"])
def test_deleted_rows_are_asked_for_apart_where_a_composite_refuses_them(
    web: responses.RequestsMock, client: SalesforceClient, code: str
) -> None:
    serve_describe(web)
    apart = web.get(f"{DATA}/queryAll/", json=page({"Id": B, "IsDeleted": True}))
    refusal = [{"errorCode": code, "message": "The requested resource does not exist"}]
    asked = serve_composite(web, lambda url: (404, refusal) if "queryAll" in url else (200, page()))
    for calls in (1, 2):
        assert client.changes(SELECTION, SINCE).known == (KnownRow(B, deleted=True),)
        assert apart.call_count == calls
    assert "IsDeleted FROM Opportunity" in unquote(str(apart.calls[0].request.url)).replace("+", " ")
    assert [len(urls) for urls in asked] == [4, 3]


def test_a_hidden_field_is_named_with_its_cure(web: responses.RequestsMock, client: SalesforceClient) -> None:
    words = "\nSELECT Foo__c\nERROR at Row:1:Column:8\nNo such column 'Foo__c' on entity 'Opportunity'."
    serve_composite(web, lambda url: (400, [{"message": words, "errorCode": "INVALID_FIELD"}]))
    with pytest.raises(AccessDenied, match="field Foo__c on Opportunity") as caught:
        client.changes(PLAIN, None)
    assert "permission set" in caught.value.cure
    assert "SELECT" not in str(caught.value)


def test_the_object_behind_a_child_relationship_is_described_with_its_parent(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    described = serve_describe(web)
    assert client.child("Opportunity", "opportunitycontactroles") == "OpportunityContactRole"
    with pytest.raises(AccessDenied, match="Nope__r"):
        client.child("Opportunity", "Nope__r")
    assert described.call_count == 1


@pytest.mark.parametrize(
    ("kind", "told", "scale"), [("currency", 2, 2), ("int", 0, 0), ("double", None, 0), ("string", 0, None)]
)
def test_decimals_are_those_of_numbers(
    web: responses.RequestsMock, client: SalesforceClient, kind: str, told: int | None, scale: int | None
) -> None:
    web.get(f"{DATA}/sobjects/Deal__c/describe", json={"fields": [{"name": "F__c", "type": kind, "scale": told}]})
    assert client.describe("Deal__c")["F__c"].scale == scale


def test_an_unknown_child_relationship_is_named(web: responses.RequestsMock, client: SalesforceClient) -> None:
    serve_describe(web)
    selection = Selection("Opportunity", "F__c = TRUE", (), {"Nothing__r": ("Name",)})
    with pytest.raises(AccessDenied, match="Nothing__r of Opportunity"):
        client.changes(selection, SINCE)


def test_fetch_asks_in_chunks_five_to_a_call(web: responses.RequestsMock, client: SalesforceClient) -> None:
    ids = [f"006{number:012d}" for number in range(1, 903)]
    asked = serve_composite(web, lambda url: (200, page({"Id": A})))
    records = client.fetch(PLAIN, [*ids, ids[0]])
    assert [len(urls) for urls in asked] == [5, 2]
    assert [url.count("'006") for urls in asked for url in urls] == [150] * 6 + [2]
    assert "(Share_With_AWS__c = TRUE)" in asked[0][0]
    assert records == [{"Id": A}] * 7
    assert client.fetch(PLAIN, []) == []
    assert len(asked) == 2


def test_states_sees_deleted_rows_and_gives_18_characters(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    rows: list[dict[str, Any]] = [
        {"Id": A, "Name": "One", "IsDeleted": True},
        {"Id": B, "Name": None, "IsDeleted": False},
    ]
    asked = serve_composite(web, lambda url: (200, page(*rows)))
    assert client.states("Opportunity", [A[:15], B]) == {
        A: RowState(A, "One", deleted=True),
        B: RowState(B, "", deleted=False),
    }
    assert asked[0][0].startswith("/services/data/v66.0/queryAll/")


@pytest.mark.parametrize("wrong", ["", "006' OR Name != '", "https://evil.example/x", "../../x"])
def test_only_ids_reach_a_query(web: responses.RequestsMock, client: SalesforceClient, wrong: str) -> None:
    with pytest.raises(ValueError, match="not a Salesforce id"):
        client.fetch(PLAIN, [wrong])
    with pytest.raises(ValueError, match="not a Salesforce id"):
        client.states("Opportunity", [wrong])
    with pytest.raises(ValueError, match="not the name of"):
        client.describe(wrong)
    assert client.write("Opportunity", [RowUpdate(wrong, {"A__c": 1})])[0].code == "MALFORMED_ID"
    assert len(web.calls) == 0


def serve_writes(web: responses.RequestsMock, failing: dict[str, list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Answer collections as Salesforce does: a failed row may lack its id. Returns what was sent."""
    written: list[list[dict[str, Any]]] = []

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = json.loads(request.body or "")
        assert body["allOrNone"] is False
        written.append(body["records"])
        rows = [
            {"success": False, "errors": failing[row["id"]]}
            if row["id"] in failing
            else {"id": row["id"], "success": True, "errors": []}
            for row in body["records"]
        ]
        return 200, {}, json.dumps(rows)

    web.add_callback(responses.PATCH, f"{DATA}/composite/sobjects", callback=answer)
    return written


def test_each_row_gets_its_own_result_in_order(web: responses.RequestsMock, client: SalesforceClient) -> None:
    lock = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access", "fields": []}
    rule = {
        "statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "message": "Close date!",
        "fields": ["CloseDate"],
    }
    written = serve_writes(web, {A: [lock], C: [rule]})
    results = client.write("Opportunity", [RowUpdate(key, {"S__c": "x", "N__c": None}) for key in (A, B, C)])
    assert results == [
        RowResult(A, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", temporary=True),
        RowResult(B),
        RowResult(C, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Close date!", ("CloseDate",)),
    ]
    assert written[0][0] == {"attributes": {"type": "Opportunity"}, "id": A, "S__c": "x", "N__c": None}


def test_two_hundred_rows_a_call_and_no_record_twice_in_one(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    written = serve_writes(web, {})
    ids = [f"006{number:012d}" for number in range(1, 252)]
    rows = [RowUpdate(ids[0], {"S__c": "first"}), *(RowUpdate(key, {"S__c": "x"}) for key in ids)]
    results = client.write("Opportunity", rows)
    assert [result.salesforce_id for result in results] == [row.salesforce_id for row in rows]
    assert [len(records) for records in written] == [200, 51, 1]
    assert (written[0][0]["S__c"], written[2][0]["S__c"]) == ("first", "x")
    assert client.usage().by_label == {"write": 3}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (Decimal("14.0"), 14),
        (Decimal("0.1"), 0.1),
        (Decimal("1E+3"), 1000),
        (2.5, 2.5),
        (True, True),
        ("", ""),
        (None, None),
    ],
)
def test_values_are_sent_as_json(
    web: responses.RequestsMock, client: SalesforceClient, value: object, sent: object
) -> None:
    written = serve_writes(web, {})
    assert client.write("Opportunity", [RowUpdate(A, {"V__c": value})]) == [RowResult(A)]
    assert written[0][0]["V__c"] == sent
    assert type(written[0][0]["V__c"]) is type(sent)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), SINCE, ["x"], {"a": 1}],
)
def test_a_value_that_is_no_json_scalar_stops_its_row_only(
    web: responses.RequestsMock, client: SalesforceClient, value: object
) -> None:
    written = serve_writes(web, {})
    bad, good = client.write("Opportunity", [RowUpdate(A, {"V__c": value}), RowUpdate(B, {"V__c": 1})])
    assert (bad.code, bad.fields, bad.temporary) == ("INVALID_VALUE", ("V__c",), False)
    assert good.succeeded
    assert [[row["id"] for row in records] for records in written] == [[B]]


def test_nothing_to_set_is_no_call(web: responses.RequestsMock, client: SalesforceClient) -> None:
    assert client.write("Opportunity", []) == []
    assert client.write("Opportunity", [RowUpdate(A, {})]) == [RowResult(A)]
    assert len(web.calls) == 0


def test_one_unreadable_value_does_not_stop_the_other_rows(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    unreadable = [{"message": "Cannot deserialize instance of date", "errorCode": "JSON_PARSER_ERROR"}]
    web.patch(f"{DATA}/composite/sobjects", status=400, json=unreadable)
    asked = serve_composite(web, lambda url: (400, unreadable) if url.endswith(B) else (204, None))
    ids = [A, B, C, *(f"006{number:012d}" for number in range(10, 40))]
    results = client.write("Opportunity", [RowUpdate(key, {"D__c": "2026-11-21"}) for key in ids])
    assert [result.code for result in results] == ["", "JSON_PARSER_ERROR", *[""] * 31]
    assert [len(urls) for urls in asked] == [25, 8]
    assert asked[0][0] == f"/services/data/v66.0/sobjects/Opportunity/{A}"


def test_a_call_refused_for_a_field_costs_the_rows_with_that_field_and_no_call_for_each(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    serve_describe(web)
    client.describe("Opportunity")
    words = "No such column 'H__c' on sobject of type Opportunity"

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        rows = json.loads(request.body or "")["records"]
        if any("H__c" in row for row in rows):
            return 400, {}, json.dumps([{"errorCode": "INVALID_FIELD", "message": words}])
        return 200, {}, json.dumps([{"id": row["id"], "success": True, "errors": []} for row in rows])

    web.add_callback(responses.PATCH, f"{DATA}/composite/sobjects", callback=answer)
    rows = [RowUpdate(A, {"h__c": 1, "H__c": 1}), RowUpdate(B, {"S__c": 1}), RowUpdate(C, {"H__c": 1})]
    results = client.write("Opportunity", rows)
    assert [(result.code, result.fields, result.temporary) for result in results] == [
        ("INVALID_FIELD", ("H__c",), False),
        ("", (), False),
        ("INVALID_FIELD", ("H__c",), False),
    ]
    assert client.usage().by_label == {"describe": 1, "write": 2}
    client.describe("Opportunity")
    assert client.usage().by_label["describe"] == 2, "what was believed of the object is forgotten"


def test_rows_whose_composite_call_is_refused_too_are_halved(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    refusal = [{"message": "Unexpected character", "errorCode": "JSON_PARSER_ERROR"}]
    web.patch(f"{DATA}/composite/sobjects", status=400, json=refusal)

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        parts = json.loads(request.body or "")["compositeRequest"]
        if any(part["url"].endswith(C) for part in parts):
            return 400, {}, json.dumps(refusal)
        told = [{"httpStatusCode": 204, "referenceId": part["referenceId"], "body": None} for part in parts]
        return 200, {}, json.dumps({"compositeResponse": told})

    web.add_callback(responses.POST, f"{DATA}/composite", callback=answer)
    ids = [A, B, C, *(f"006{number:012d}" for number in range(10, 31))]
    results = client.write("Opportunity", [RowUpdate(key, {"S__c": "x"}) for key in ids])
    assert [result.code for result in results] == ["", "", "JSON_PARSER_ERROR", *[""] * 21]
    assert len(web.calls) <= 1 + 1 + 2 * 5


def answer_with(status: int, body: str) -> Callable[[responses.RequestsMock, str, str], object]:
    return lambda web, method, url: web.add(method, url, status=status, body=body)


def fail_with(fault: Exception) -> Callable[[responses.RequestsMock, str, str], object]:
    return lambda web, method, url: web.add(method, url, body=fault)


UNCLEAR = [
    answer_with(503, "<html>busy</html>"),
    answer_with(500, '[{"errorCode": "UNKNOWN_EXCEPTION", "message": "x"}]'),
    answer_with(200, "<html>maintenance</html>"),
    answer_with(200, '[{"id": "006000000000001AAA", "success": tr'),
    answer_with(200, ""),
    answer_with(200, "null"),
    answer_with(200, "[]"),
    answer_with(200, '[{"id": "006000000000001AAA", "success": true, "errors": []}]'),
    answer_with(200, '{"odd": 1}'),
    fail_with(requests.exceptions.ReadTimeout("https://acme/secret")),
    fail_with(requests.exceptions.ConnectionError("https://acme/secret")),
    fail_with(requests.exceptions.ChunkedEncodingError("https://acme/secret")),
]


@pytest.mark.parametrize("unclear", UNCLEAR)
def test_an_unclear_write_is_ambiguous_and_an_unclear_poll_is_not(
    web: responses.RequestsMock,
    client: SalesforceClient,
    unclear: Callable[[responses.RequestsMock, str, str], object],
) -> None:
    unclear(web, "PATCH", f"{DATA}/composite/sobjects")
    unclear(web, "POST", f"{DATA}/composite")
    with pytest.raises(Unavailable) as write:
        client.write("Opportunity", [RowUpdate(A, {"S__c": "x"}), RowUpdate(B, {"S__c": "x"})])
    with pytest.raises(Unavailable) as poll:
        client.changes(PLAIN, None)
    assert write.value.ambiguous
    assert not poll.value.ambiguous
    assert "secret" not in f"{write.value} {poll.value}"
    assert [call.request.method for call in web.calls] == ["PATCH", "POST"]


def test_describe_is_read_once_an_hour_and_asks_whether_it_changed(
    web: responses.RequestsMock, client: SalesforceClient, clock: SteppedClock
) -> None:
    first = serve_describe(web)
    fields = client.describe("Opportunity")
    assert (fields["Name"].length, fields["Name"].updateable) == (120, True)
    assert (fields["StageName"].picklist, fields["StageName"].updateable) == (("Open",), False)
    clock.elapsed += 3599
    client.describe("Opportunity")
    assert first.call_count == 1
    unchanged = web.get(f"{DATA}/sobjects/Opportunity/describe", status=304)
    clock.elapsed += 1
    assert client.describe("Opportunity") == fields
    assert unchanged.call_count == 1
    assert unchanged.calls[0].request.headers["If-Modified-Since"] == DATE
    clock.elapsed += 3599
    client.describe("Opportunity")
    assert unchanged.call_count == 1


def test_an_older_description_serves_on_while_no_newer_one_can_be_had(
    web: responses.RequestsMock, client: SalesforceClient, clock: SteppedClock
) -> None:
    first = serve_describe(web)
    fields = client.describe("Opportunity")
    web.remove(first)
    down = web.get(f"{DATA}/sobjects/Opportunity/describe", status=420, body="<html>edge</html>")
    clock.elapsed += 3600
    assert client.describe("Opportunity") == fields
    assert client.describe("Opportunity") == fields
    assert down.call_count == 1, "it is asked for again a minute later"
    clock.elapsed += 60
    assert client.describe("Opportunity") == fields
    assert down.call_count == 2


def test_a_missing_object_is_named(web: responses.RequestsMock, client: SalesforceClient) -> None:
    web.get(f"{DATA}/sobjects/Nope__c/describe", status=404, json=[{"errorCode": "NOT_FOUND", "message": "no"}])
    with pytest.raises(AccessDenied, match="describe Nope__c"):
        client.describe("Nope__c")


def test_identify_reads_the_organization(web: responses.RequestsMock, client: SalesforceClient) -> None:
    row = {"Id": "00D000000000001EAA", "Name": "Acme", "IsSandbox": True}
    asked = serve_composite(web, lambda url: (200, page(row)))
    found = client.identify()
    assert (found.organization_id, found.name, found.is_sandbox) == ("00D000000000001EAA", "Acme", True)
    assert found.server_now == datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)
    assert asked[0][0].endswith("SELECT Id, Name, IsSandbox FROM Organization")


def test_flagged_records_are_counted_in_one_call(web: responses.RequestsMock, client: SalesforceClient) -> None:
    asked = serve_composite(web, lambda url: (200, {"totalSize": 42, "done": True, "records": []}))
    assert client.count(SELECTION) == 42
    assert asked[0][0].endswith("SELECT COUNT() FROM Opportunity WHERE (Share_With_AWS__c = TRUE)")
    assert len(web.calls) == 1


def test_a_count_without_a_number_is_no_answer(web: responses.RequestsMock, client: SalesforceClient) -> None:
    serve_composite(web, lambda url: (200, {"records": []}))
    with pytest.raises(Unavailable):
        client.count(SELECTION)


def test_every_call_carries_the_permanent_headers_and_the_token(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    serve_writes(web, {})
    client.write("Opportunity", [RowUpdate(A, {"S__c": "x"})])
    headers = web.calls[0].request.headers
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["Sforce-Call-Options"] == "client=partner-central-connector"
    assert headers["Sforce-Auto-Assign"] == "FALSE"
    assert headers["Sforce-Mru"] == "updateMru=false"
    assert headers["X-PrettyPrint"] == "0"


def serve_limit(web: responses.RequestsMock, info: str) -> None:
    body = {"compositeResponse": [{"httpStatusCode": 200, "referenceId": "part0", "body": page()}]}
    web.post(f"{DATA}/composite", json=body, headers={"Sforce-Limit-Info": info, "Date": DATE})


@pytest.mark.parametrize(
    ("info", "used", "limit"),
    [
        ("api-usage=18/5000", 18, 5000),
        ("api-usage=18/5000; per-app-api-usage=17/250(appName=sample)", 18, 5000),
        ("per-app-api-usage=17/250(appName=sample); api-usage=18/5000", 18, 5000),
        ("per-app-api-usage=17/250(appName=sample)", 0, 0),
        ("nonsense", 0, 0),
    ],
)
def test_the_org_tells_its_usage_with_every_answer(
    web: responses.RequestsMock, client: SalesforceClient, info: str, used: int, limit: int
) -> None:
    serve_limit(web, info)
    client.changes(PLAIN, None)
    usage = client.usage()
    assert (usage.calls, usage.org_used, usage.org_limit) == (1, used, limit)


def test_our_share_of_the_daily_calls_is_a_limit(
    web: responses.RequestsMock, client: SalesforceClient, clock: SteppedClock
) -> None:
    serve_limit(web, "api-usage=18/40")
    client.spent_before = 9
    client.changes(PLAIN, None)
    with pytest.raises(QuotaExhausted, match=r"made 10 Salesforce API calls.* 40 a day is 10") as caught:
        client.changes(PLAIN, None)
    assert caught.value.delay == 86400
    assert "daily_api_share" in caught.value.cure
    assert len(web.calls) == client.usage().calls == 1
    clock.elapsed += 86399
    with pytest.raises(QuotaExhausted) as late:
        client.changes(PLAIN, None)
    assert late.value.delay == 60
    clock.elapsed += 1
    for _ in range(10):
        client.changes(PLAIN, None)
    with pytest.raises(QuotaExhausted, match="made 10"):
        client.changes(PLAIN, None)


def test_calls_leave_the_count_a_day_later(
    web: responses.RequestsMock, client: SalesforceClient, clock: SteppedClock
) -> None:
    serve_limit(web, "api-usage=18/16")
    for _ in range(4):
        client.changes(PLAIN, None)
        clock.elapsed += 3600
    with pytest.raises(QuotaExhausted) as caught:
        client.changes(PLAIN, None)
    assert caught.value.delay == 86400 - 4 * 3600
    clock.elapsed += caught.value.delay
    client.changes(PLAIN, None)
    with pytest.raises(QuotaExhausted):
        client.changes(PLAIN, None)


@pytest.mark.parametrize(
    ("words", "kind", "delay"),
    [
        ("TotalRequests Limit exceeded.", QuotaExhausted, 3600),
        ("ConcurrentRequests Limit exceeded.", Throttled, 5),
    ],
)
def test_an_org_at_its_own_limit_says_when_to_come_back(
    web: responses.RequestsMock,
    client: SalesforceClient,
    words: str,
    kind: type[QuotaExhausted] | type[Throttled],
    delay: float,
) -> None:
    refusal = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": words}]
    web.post(f"{DATA}/composite", status=403, json=refusal)
    with pytest.raises(kind) as caught:
        client.changes(PLAIN, None)
    assert vars(caught.value)["delay"] == delay


def test_redirections_are_not_followed(web: responses.RequestsMock, client: SalesforceClient) -> None:
    elsewhere = web.get("https://evil.example/x", json={})
    web.get(f"{DATA}/sobjects/Opportunity/describe", status=302, headers={"Location": "https://evil.example/x"})
    with pytest.raises(Unavailable, match="redirection"):
        client.describe("Opportunity")
    assert elsewhere.call_count == 0


def test_an_expired_access_token_is_told_and_not_tried_again(
    web: responses.RequestsMock, client: SalesforceClient
) -> None:
    expired = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    refused = web.post(f"{DATA}/composite", status=401, json=expired)
    for _ in range(3):
        with pytest.raises(LoginFailed, match="expired or been withdrawn"):
            client.changes(PLAIN, None)
    assert refused.call_count == 1
