"""The child object of invited partners: described, queried, written, deleted and brought back like any other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from salesforce_client import BASE, START, Clock, Server, Wire, serve

from connector.sandbox.partner_central.shapes import load_model
from connector.sandbox.salesforce.org import Org

NAME = "AWS_Partner_Invitation__c"
CHILDREN = "AWS_Partner_Invitations__r"
DEAL, OTHER = "006000000000001AAA", "006000000000002AAA"
MINIMUM = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31"}
LINK = {"Opportunity__c": DEAL}


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
    for name in ("Deal", "Other"):
        org.insert("Opportunity", {**MINIMUM, "Name": name})
    with server.host(org) as served:
        yield served


def add(wire: Wire, **fields: Any) -> str:
    made = wire.call("POST", f"sobjects/{NAME}", json={**LINK, **fields})
    assert made.status_code == 201, made.text
    identifier: str = made.json()["id"]
    return identifier


def describe(wire: Wire, name: str) -> dict[str, Any]:
    found: dict[str, Any] = wire.call("GET", f"sobjects/{name}/describe").json()
    return found


VALUES: dict[str, Any] = {
    "Partner_Name__c": "Lakeside Analytics",
    "Partner_AWS_Account__c": "444455556666",
    "Message__c": "Join us",
    "Responsibilities__c": "Reseller;Facilitator",
    "Engagement_Id__c": "eng-00000000000000",
    "Target_Completion_Date__c": "2027-06-30",
    "Project_Title__c": "Weaving plant",
    "Business_Problem__c": "Looms report late and by hand.",
    "Expected_Amount__c": 1000.5,
    "Currency__c": "EUR",
    "Estimation_Url__c": "https://calculator.aws/#/estimate?id=0123456789abcdef0123456789abcdef",
    "Target_Company__c": "Lakeside Analytics",
    "Sender_First_Name__c": "Ann",
    "Sender_Last_Name__c": "Smith",
    "Sender_Title__c": "Alliance Manager",
    "Sender_Email__c": "ann@partner.example",
    "Sender_Phone__c": "+14155550101",
    "Company_Name__c": "Burlington Textiles",
    "Country__c": "United States",
    "Industry__c": "Retail",
    "Website__c": "https://burlington.example",
    "Invitation_Id__c": "engi-0000000000000",
    "Invitation_Arn__c": "arn:aws:partnercentral:us-east-1::catalog/Sandbox/engagement-invitation/engi-0000000000000",
    "Invitation_Status__c": "REJECTED",
    "Rejection_Reason__c": "Next steps unclear",
    "Invitation_Date__c": "2026-11-21T10:00:00.000+0000",
    "Expiration_Date__c": "2026-12-06T10:00:00.000+0000",
    "Invitation_Sync_Status__c": "Synced",
    "Invitation_Sync_Message__c": "Sent.",
}
TYPES = {
    "Partner_Name__c": ("string", 80),
    "Partner_AWS_Account__c": ("string", 12),
    "Message__c": ("textarea", 255),
    "Responsibilities__c": ("multipicklist", 4099),
    "Business_Problem__c": ("textarea", 2000),
    "Target_Completion_Date__c": ("date", 0),
    "Expected_Amount__c": ("currency", 0),
    "Currency__c": ("picklist", 255),
    "Company_Name__c": ("string", 120),
    "Website__c": ("string", 255),
    "Invitation_Id__c": ("string", 64),
    "Invitation_Status__c": ("string", 20),
    "Invitation_Date__c": ("datetime", 0),
    "Invitation_Sync_Message__c": ("textarea", 32768),
}


def test_the_object_is_described(wire: Wire) -> None:
    found = describe(wire, NAME)
    assert (found["label"], found["labelPlural"], found["custom"]) == (
        "AWS Partner Invitation",
        "AWS Partner Invitations",
        True,
    )
    fields = {one["name"]: one for one in found["fields"]}
    assert {name: (fields[name]["type"], fields[name]["length"]) for name in TYPES} == TYPES
    assert {"Id", "Name", "OwnerId", "IsDeleted", "CreatedById", "LastModifiedById", "SystemModstamp"} <= set(fields)
    assert set(VALUES) == {name for name in fields if name.endswith("__c")} - {"Opportunity__c"}
    name = fields["Name"]
    assert (name["autoNumber"], name["nameField"], name["createable"], name["nillable"]) == (True, True, False, False)
    link = fields["Opportunity__c"]
    assert (link["referenceTo"], link["relationshipName"], link["nillable"]) == (
        ["Opportunity"],
        "Opportunity__r",
        False,
    )


def test_the_responsibilities_are_those_of_aws_s_model(wire: Wire) -> None:
    (field,) = [one for one in describe(wire, NAME)["fields"] if one["name"] == "Responsibilities__c"]
    assert field["restrictedPicklist"] is True
    values = [value["value"] for value in field["picklistValues"]]
    assert values == load_model()["shapes"]["ReceiverResponsibility"]["enum"]


def test_the_opportunity_knows_its_children_and_no_name_is_numbered_there(wire: Wire) -> None:
    found = describe(wire, "Opportunity")
    (child,) = [one for one in found["childRelationships"] if one["childSObject"] == NAME]
    assert (child["relationshipName"], child["field"], child["cascadeDelete"]) == (CHILDREN, "Opportunity__c", True)
    assert not any(one["autoNumber"] for one in found["fields"])


AWS_FIELDS = {
    "AWS_Stage__c": ("string", 40),
    "AWS_Next_Steps__c": ("string", 255),
    "AWS_Involvement_Told__c": ("string", 40),
    "AWS_Involvement_Change_Reason__c": ("string", 255),
    "AWS_Visibility_Told__c": ("string", 20),
    "AWS_Origin__c": ("string", 40),
    "AWS_Engagement_Score__c": ("string", 20),
    "AWS_Next_Best_Actions__c": ("textarea", 4000),
    "AWS_Sales_Rep_Name__c": ("string", 121),
    "AWS_Sales_Rep_Email__c": ("string", 80),
    "AWS_Account_Owner_Name__c": ("string", 121),
    "AWS_Account_Owner_Email__c": ("string", 80),
    "AWS_PDM_Name__c": ("string", 121),
    "AWS_PDM_Email__c": ("string", 80),
    "AWS_PSM_Name__c": ("string", 121),
    "AWS_PSM_Email__c": ("string", 80),
    "AWS_Close_Date__c": ("date", 0),
    "AWS_Review_Reason__c": ("string", 255),
}


def test_the_opportunity_has_room_for_what_aws_tells(wire: Wire) -> None:
    fields = {one["name"]: one for one in describe(wire, "Opportunity")["fields"]}
    assert {name: (fields[name]["type"], fields[name]["length"]) for name in AWS_FIELDS} == AWS_FIELDS
    assert all(fields[name]["updateable"] for name in AWS_FIELDS)


def test_every_field_is_written_and_read_back(wire: Wire) -> None:
    identifier = add(wire, **VALUES)
    row = wire.call("GET", f"sobjects/{NAME}/{identifier}").json()
    assert {name: row[name] for name in VALUES} == VALUES
    assert (row["Name"], row["Opportunity__c"], row["OwnerId"]) == ("PI-0001", DEAL, wire.org.integration_user_id)
    add(wire)
    assert [one["Name"] for one in wire.query(f"SELECT Name FROM {NAME}")["records"]] == ["PI-0001", "PI-0002"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Opportunity__c": None}, "REQUIRED_FIELD_MISSING"),
        ({"Opportunity__c": "001000000000001AAA"}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"Name": "PI-9"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Responsibilities__c": "Weaver"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Partner_AWS_Account__c": "2222-3333-4444"}, "STRING_TOO_LONG"),
    ],
)
def test_what_the_object_refuses(wire: Wire, fields: dict[str, Any], code: str) -> None:
    answer = wire.call("POST", f"sobjects/{NAME}", json={**LINK, **fields})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_subqueries_semi_joins_and_the_way_up(wire: Wire) -> None:
    add(wire, Partner_Name__c="Beta")
    add(wire, Partner_Name__c="Alpha")
    inner = f"SELECT Partner_Name__c, Opportunity__r.Name FROM {CHILDREN} ORDER BY Partner_Name__c LIMIT 5"
    first, second = wire.query(f"SELECT Id, ({inner}) FROM Opportunity ORDER BY Id")["records"]
    rows = first[CHILDREN]["records"]
    assert [(row["Partner_Name__c"], row["Opportunity__r"]["Name"]) for row in rows] == [
        ("Alpha", "Deal"),
        ("Beta", "Deal"),
    ]
    assert second[CHILDREN] is None
    joins = {
        f"Id IN (SELECT Opportunity__c FROM {NAME} WHERE Partner_Name__c = 'Beta')": [DEAL],
        f"Id NOT IN (SELECT Opportunity__c FROM {NAME})": [OTHER],
        f"Id IN (SELECT Opportunity__c FROM {NAME} WHERE SystemModstamp > 2030-01-01T00:00:00Z)": [],
    }
    for condition, expected in joins.items():
        found = wire.query(f"SELECT Id FROM Opportunity WHERE {condition}")["records"]
        assert [row["Id"] for row in found] == expected


def test_rows_are_written_in_batches_and_in_composites(wire: Wire) -> None:
    ids = [add(wire), add(wire)]
    records = [
        {"attributes": {"type": NAME}, "id": one, "Invitation_Status__c": status}
        for one, status in zip(ids, ("PENDING", "x" * 21), strict=True)
    ]
    opportunity = {"attributes": {"type": "Opportunity"}, "id": DEAL, "AWS_Stage__c": "Engaged"}
    answer = wire.call("PATCH", "composite/sobjects", json={"records": [*records, opportunity]}).json()
    assert [one["success"] for one in answer] == [True, False, True]
    part = {"method": "PATCH", "url": f"{BASE}/sobjects/{NAME}/{ids[1]}", "referenceId": "a"}
    body = {"compositeRequest": [{**part, "body": {"Invitation_Status__c": "ACCEPTED"}}]}
    (done,) = wire.call("POST", "composite", json=body).json()["compositeResponse"]
    assert done["httpStatusCode"] == 204
    shown = [wire.org.get(NAME, one)["Invitation_Status__c"] for one in ids]
    assert (shown, wire.org.get("Opportunity", DEAL)["AWS_Stage__c"]) == (["PENDING", "ACCEPTED"], "Engaged")


def test_a_changed_row_is_listed_as_updated_and_does_not_touch_its_deal(wire: Wire, clock: Clock) -> None:
    identifier = add(wire)
    clock.advance(minutes=10)
    wire.org.update(NAME, identifier, {"Message__c": "Come"})
    clock.advance(minutes=10)
    span = {"start": START + timedelta(minutes=5), "end": clock.now}
    params = {key: moment.isoformat().replace("+00:00", "Z") for key, moment in span.items()}
    assert wire.call("GET", f"sobjects/{NAME}/updated", params=params).json()["ids"] == [identifier]
    assert wire.call("GET", "sobjects/Opportunity/updated", params=params).json()["ids"] == []


def deleted(wire: Wire) -> list[bool]:
    reply = wire.call("GET", "queryAll", params={"q": f"SELECT IsDeleted FROM {NAME} ORDER BY Id"}).json()
    return [row["IsDeleted"] for row in reply["records"]]


def test_a_row_is_deleted_and_brought_back(wire: Wire) -> None:
    first = add(wire)
    add(wire)
    assert wire.call("DELETE", f"sobjects/{NAME}/{first}").status_code == 204
    assert (deleted(wire), wire.query(f"SELECT Id FROM {NAME}")["totalSize"]) == ([True, False], 1)
    wire.org.undelete(first)
    assert deleted(wire) == [False, False]


def test_rows_go_and_come_with_their_deal(wire: Wire, clock: Clock) -> None:
    add(wire)
    add(wire, Opportunity__c=OTHER)
    clock.advance(minutes=10)
    wire.org.delete("Opportunity", DEAL)
    assert deleted(wire) == [True, False]
    clock.advance(minutes=10)
    span = {"start": START + timedelta(minutes=5), "end": clock.now}
    params = {key: moment.isoformat().replace("+00:00", "Z") for key, moment in span.items()}
    assert len(wire.call("GET", f"sobjects/{NAME}/deleted", params=params).json()["deletedRecords"]) == 1
    wire.org.undelete(DEAL)
    assert deleted(wire) == [False, False]
