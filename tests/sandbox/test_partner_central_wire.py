"""The wire: what an SDK parses, what a raw caller may send, what the model refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from partner_central_bench import Bench, changed, make_body, problems_of

from connector.sandbox.partner_central.service import OPERATIONS
from connector.sandbox.partner_central.shapes import load_model


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("wire")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset()
    return shared


def test_every_operation_is_one_of_the_model() -> None:
    assert set(OPERATIONS) <= set(load_model()["operations"])


def test_an_unsigned_request_is_refused_as_the_gateway_does(bench: Bench) -> None:
    answer = bench.post("ListOpportunities", {"Catalog": "Sandbox"}, Authorization="")
    assert answer.status_code == 403
    assert answer.json() == {"message": "Missing Authentication Token"}


@pytest.mark.parametrize(
    ("scope", "kind"),
    [
        ("Credential=KEY/20270115/eu-west-1/partnercentral-selling/aws4_request", "InvalidSignatureException"),
        ("Credential=KEY/20270115/us-east-1/s3/aws4_request", "InvalidSignatureException"),
        ("Credential=KEY", "IncompleteSignatureException"),
    ],
)
def test_a_signature_of_another_scope_is_refused(bench: Bench, scope: str, kind: str) -> None:
    header = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
    answer = bench.post("ListOpportunities", {"Catalog": "Sandbox"}, Authorization=header)
    assert (answer.status_code, answer.json()["__type"].split("#")[1]) == (403, kind)


def test_an_operation_that_is_not_served_is_unknown(bench: Bench) -> None:
    with pytest.raises(ClientError) as caught:
        bench.client.get_selling_system_settings(Catalog="Sandbox")
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_errors_carry_their_name_in_header_and_body(bench: Bench) -> None:
    answer = bench.post("GetOpportunity", {"Catalog": "Sandbox", "Identifier": "O1"})
    assert answer.status_code == 400
    assert answer.headers["x-amzn-ErrorType"].split(":")[0] == "ResourceNotFoundException"
    assert answer.json()["__type"].endswith("#ResourceNotFoundException")
    assert len(answer.headers["x-amzn-RequestId"]) == 36


def test_a_body_that_is_not_json_is_refused(bench: Bench) -> None:
    answer = bench.post("GetOpportunity", b"{")
    assert answer.json()["__type"].endswith("#SerializationException")


def test_raw_callers_may_send_null_and_unknown_members(bench: Bench) -> None:
    body = make_body(("Unknown", "x"), ("ClientToken", "t")) | {"SoftwareRevenue": None, "Tags": None}
    identifier = bench.post("CreateOpportunity", body).json()["Id"]
    assert "SoftwareRevenue" not in bench.read(identifier)


def test_stamps_have_milliseconds_and_tasks_nanoseconds(bench: Bench) -> None:
    created = bench.post("CreateOpportunity", make_body(("ClientToken", "t"))).json()
    assert created["LastModifiedDate"] == "2027-01-15T12:00:00.250Z"
    submission = {"InvolvementType": "Co-Sell"}
    body = {"Catalog": "Sandbox", "ClientToken": "u", "Identifier": created["Id"], "AwsSubmission": submission}
    task = bench.post("StartEngagementFromOpportunityTask", body).json()
    assert len(task["StartTime"]) == len("2027-01-15T12:00:00.123456789Z")


def test_a_validation_error_has_an_empty_message_and_every_problem(bench: Bench) -> None:
    body = make_body(("Project.CompetitorName", "Nobody"), ("Customer.Account.Duns", ""), ("Origin", "x"))
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        bench.client.create_opportunity(**body)
    assert caught.value.response["Message"] == ""
    assert caught.value.response["Reason"] == "REQUEST_VALIDATION_FAILED"
    assert problems_of(caught.value) == {
        ("project.competitorName", "INVALID_ENUM_VALUE"),
        ("customer.account.duns", "INVALID_STRING_FORMAT"),
        ("origin", "INVALID_ENUM_VALUE"),
    }


SPEND = {"Amount": "1", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}


@pytest.mark.parametrize(
    ("path", "value", "field", "code"),
    [
        ("Catalog", "Production", "catalog", "INVALID_ENUM_VALUE"),
        ("Catalog", "AWS 2", "catalog", "INVALID_STRING_FORMAT"),
        ("Customer.Account.CompanyName", None, "customer.account.companyName", "REQUIRED_FIELD_MISSING"),
        ("Customer.Account.Address.CountryCode", "USA", "customer.account.address.countryCode", "INVALID_ENUM_VALUE"),
        ("Customer.Account.WebsiteUrl", "a.b", "customer.account.websiteUrl", "INVALID_STRING_FORMAT"),
        ("Customer.Contacts", [{"Email": "A@b.example"}], "customer.contacts.email", "INVALID_STRING_FORMAT"),
        ("Customer.Contacts", [{"Phone": "0123"}], "customer.contacts.phone", "INVALID_STRING_FORMAT"),
        ("Customer.Contacts", {}, "customer.contacts", "INVALID_VALUE"),
        ("Customer.Account", "x", "customer.account", "INVALID_VALUE"),
        ("Project.Title", 7, "project.title", "INVALID_VALUE"),
        ("Project.Title", "x" * 256, "project.title", "INVALID_STRING_FORMAT"),
        ("Project.AdditionalComments", "", "project.additionalComments", "INVALID_STRING_FORMAT"),
        ("Project.CustomerBusinessProblem", "short", "project.customerBusinessProblem", "INVALID_STRING_FORMAT"),
        ("Project.ExpectedCustomerSpend", [SPEND] * 11, "project.expectedCustomerSpend", "TOO_MANY_VALUES"),
        ("Project.DeliveryModels", ["SaaS"], "project.deliveryModels", "INVALID_ENUM_VALUE"),
        ("Tags", [], "tags", "NOT_ENOUGH_VALUES"),
        ("Tags", [{"Key": "a*", "Value": "b"}], "tags.key", "INVALID_STRING_FORMAT"),
        ("ClientToken", "", "clientToken", "INVALID_STRING_FORMAT"),
    ],
)
def test_the_model_is_enforced(bench: Bench, path: str, value: Any, field: str, code: str) -> None:
    answer = bench.post("CreateOpportunity", changed(make_body(("ClientToken", "t")), (path, value))).json()
    assert answer["Reason"] == "REQUEST_VALIDATION_FAILED"
    assert [(entry["FieldName"], entry["Code"]) for entry in answer["ErrorList"]] == [(field, code)]


@pytest.mark.parametrize(
    ("operation", "body", "field", "code"),
    [
        ("ListOpportunities", {"MaxResults": 101}, "maxResults", "VALUE_OUT_OF_RANGE"),
        ("ListOpportunities", {"MaxResults": "9"}, "maxResults", "INVALID_VALUE"),
        ("ListOpportunities", {"Sort": {"SortBy": "Identifier"}}, "sort.sortOrder", "REQUIRED_FIELD_MISSING"),
        (
            "ListOpportunities",
            {"CreatedDate": {"AfterCreatedDate": "soon"}},
            "createdDate.afterCreatedDate",
            "INVALID_STRING_FORMAT",
        ),
        ("ListEngagementInvitations", {}, "participantType", "REQUIRED_FIELD_MISSING"),
        ("GetOpportunity", {"Identifier": "006"}, "identifier", "INVALID_STRING_FORMAT"),
    ],
)
def test_other_operations_are_checked_too(
    bench: Bench, operation: str, body: dict[str, Any], field: str, code: str
) -> None:
    answer = bench.post(operation, {"Catalog": "Sandbox", **body}).json()
    assert [(entry["FieldName"], entry["Code"]) for entry in answer["ErrorList"]] == [(field, code)]


def test_an_account_that_is_not_registered_is_denied_everything(bench: Bench) -> None:
    bench.service.configure(registered=False)
    with pytest.raises(bench.client.exceptions.AccessDeniedException) as caught:
        bench.client.list_solutions(Catalog="Sandbox")
    assert caught.value.response["Reason"] == "INCOMPATIBLE_BENEFIT_AWS_PARTNER_STATE"


def test_the_journal_keeps_every_request(bench: Bench) -> None:
    body = make_body(("ClientToken", "t"))
    bench.client.create_opportunity(**body)
    bench.client.create_opportunity(**body)
    with pytest.raises(ClientError):
        bench.read("O9")
    entries = bench.service.journal
    assert [(entry.operation, entry.outcome, entry.is_replay, entry.token) for entry in entries] == [
        ("CreateOpportunity", "ok", False, "t"),
        ("CreateOpportunity", "ok", True, "t"),
        ("GetOpportunity", "ResourceNotFoundException", False, None),
    ]
    assert entries[0].account == "111122223333"
    assert entries[0].body["Project"]["Title"] == "Weaving plant"
    assert entries[0].answer is not None
    assert entries[0].answer == entries[1].answer
    assert (bench.service.writes, bench.service.reads, bench.service.throttled) == (2, 1, 0)
    assert bench.service.operations == {"CreateOpportunity": 2, "GetOpportunity": 1}
