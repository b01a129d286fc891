"""The Partner Central client against a real https server: what leaves, what comes back, what is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_front import DEAL, Front

from connector.adapters.partner_central import PartnerCentralClient
from connector.adapters.partner_central.session import to_instant_text
from connector.errors import (
    AccessDenied,
    ConnectorError,
    NotFound,
    Rejected,
    StaleVersion,
    SyncConflict,
    Throttled,
    Unavailable,
)

Make = Callable[..., PartnerCentralClient]


def test_an_opportunity_goes_out_and_comes_back_as_json(front: Front, make: Make) -> None:
    client = make()
    created = client.call("CreateOpportunity", DEAL)
    assert created["PartnerOpportunityIdentifier"] == DEAL["PartnerOpportunityIdentifier"]
    assert datetime.fromisoformat(created["LastModifiedDate"]).tzinfo == UTC
    assert created["LastModifiedDate"].endswith("Z")
    assert "ResponseMetadata" not in created
    assert [entry.body for entry in front.service.journal] == [{"Catalog": "Sandbox", **DEAL}]
    read = client.call("GetOpportunity", {"Identifier": created["Id"]})
    assert read["Customer"]["Account"]["CompanyName"] == "Bürli Textilien"
    assert read["LastModifiedDate"] == created["LastModifiedDate"]
    assert client.call("ListOpportunities", {})["OpportunitySummaries"][0]["Id"] == created["Id"]


def test_an_operation_without_an_answer_answers_with_nothing(front: Front, make: Make) -> None:
    client = make()
    identifier = client.call("CreateOpportunity", DEAL)["Id"]
    body = {
        "OpportunityIdentifier": identifier,
        "RelatedEntityType": "Solutions",
        "RelatedEntityIdentifier": client.call("ListSolutions", {})["SolutionSummaries"][0]["Id"],
    }
    assert client.call("AssociateOpportunity", body) == {}


@pytest.mark.parametrize("operation", ["ListOpportunities", "CreateOpportunity"])
def test_every_request_says_who_asks(front: Front, make: Make, operation: str) -> None:
    make().call(operation, DEAL if operation == "CreateOpportunity" else {})
    (_, headers) = front.seen[0]
    assert headers["x-amzn-user-agent"] == "partner|connector|Salesforce|v1"
    assert "x-amzn-user-agent" in headers["authorization"]
    assert "Credential=OURKEY/" in headers["authorization"]
    assert "us-east-1/partnercentral-selling" in headers["authorization"]


def test_the_catalog_cannot_be_overlooked(front: Front, make: Make) -> None:
    client = make(catalog="AWS")
    assert client.catalog == "AWS"
    client.call("ListOpportunities", {})
    assert front.service.journal[0].body["Catalog"] == "AWS"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_PARTNERCENTRAL_SELLING"])
def test_a_stray_endpoint_in_the_environment_is_ignored(
    front: Front, make: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "https://127.0.0.1:9")
    make().call("ListOpportunities", {})
    # botocore shows a name of its own here; the request goes to partnercentral-selling.us-east-1.api.aws.
    assert "//partnercentral-selling.us-east-1." in make(endpoint_url=None)._client(True).meta.endpoint_url
    assert front.count("ListOpportunities") == 1


def test_calls_are_counted_until_they_are_taken(make: Make) -> None:
    client = make()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.call("ListOpportunities", {}), range(40)))
    with pytest.raises(Rejected):
        client.call("CreateOpportunity", {"ClientToken": "t", "Origin": "Nowhere"})
    assert client.take_calls() == {"ListOpportunities": 40, "CreateOpportunity": 1}
    assert client.take_calls() == {}


# errors


@pytest.mark.parametrize(
    ("operation", "parameters", "kind"),
    [
        ("GetOpportunity", {"Identifier": "O1234567"}, NotFound),
        ("CreateOpportunity", {"ClientToken": "t"}, Rejected),
        ("CreateOpportunity", {"ClientToken": 7}, Rejected),
        ("CreateOpportunity", {**DEAL, "Project": {**DEAL["Project"], "Title": "other"}}, SyncConflict),
    ],
)
def test_refusals_are_translated(
    front: Front, make: Make, operation: str, parameters: dict[str, Any], kind: type[ConnectorError]
) -> None:
    client = make()
    client.call("CreateOpportunity", DEAL)
    with pytest.raises(kind) as caught:
        client.call(operation, parameters)
    assert type(caught.value) is kind


def test_a_stale_update_is_told(make: Make) -> None:
    client = make()
    created = client.call("CreateOpportunity", DEAL)
    content = {name: value for name, value in DEAL.items() if name not in {"ClientToken", "Origin"}}
    body = {**content, "Identifier": created["Id"], "LastModifiedDate": "2020-01-01T00:00:00Z"}
    with pytest.raises(StaleVersion):
        client.call("UpdateOpportunity", body)


def test_an_account_that_is_not_registered_is_denied(front: Front, make: Make) -> None:
    front.service.configure(registered=False)
    with pytest.raises(AccessDenied, match="Link the AWS account"):
        make().call("ListOpportunities", {})


WRITE_FAULTS = [
    ({"do": "status", "status": 500}, Unavailable, True),
    ({"do": "status", "status": 503}, Unavailable, True),
    ({"do": "html", "status": 502}, Unavailable, True),
    ({"do": "html", "status": 200}, Unavailable, True),
    ({"do": "html", "status": 400}, Unavailable, True),
    ({"do": "html", "status": 403}, AccessDenied, False),
    ({"do": "reset"}, Unavailable, True),
    ({"do": "truncate"}, Unavailable, True),
    ({"do": "hang", "seconds": 30}, Unavailable, True),
    ({"do": "throttle"}, Throttled, False),
]


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize(("fault", "kind", "ambiguous"), WRITE_FAULTS, ids=[str(fault) for fault, *_ in WRITE_FAULTS])
def test_a_write_is_sent_once_whatever_happens(
    front: Front, make: Make, fault: dict[str, Any], kind: type[ConnectorError], ambiguous: bool, at: str
) -> None:
    front.faults.add(on="CreateOpportunity", at=at, times=None, **fault)
    with pytest.raises(kind) as caught:
        make(read_timeout=timedelta(seconds=0.3)).call("CreateOpportunity", DEAL)
    assert type(caught.value) is kind
    assert getattr(caught.value, "ambiguous", False) is ambiguous
    assert front.count("CreateOpportunity") == 1


def test_a_cut_short_answer_is_not_taken_for_an_empty_one(front: Front, make: Make) -> None:
    """AssociateOpportunity answers with nothing; only AWS's own headers show that it was AWS who did."""
    front.faults.add(on="AssociateOpportunity", at="before", do="truncate")
    body = {
        "OpportunityIdentifier": "O1234567",
        "RelatedEntityType": "Solutions",
        "RelatedEntityIdentifier": "S-0000001",
    }
    with pytest.raises(Unavailable, match="cut short") as caught:
        make().call("AssociateOpportunity", body)
    assert caught.value.ambiguous


@pytest.mark.parametrize("fault", [{"do": "status", "status": 500}, {"do": "reset"}, {"do": "throttle"}], ids=str)
def test_a_read_is_tried_again(front: Front, make: Make, fault: dict[str, Any]) -> None:
    front.faults.add(on="ListOpportunities", times=1, **fault)
    assert make().call("ListOpportunities", {})["OpportunitySummaries"] == []
    assert front.count("ListOpportunities") == 2


def test_a_read_that_keeps_failing_gives_up(front: Front, make: Make) -> None:
    front.faults.add(on="ListOpportunities", times=None, do="reset")
    with pytest.raises(Unavailable, match="ListOpportunities"):
        make().call("ListOpportunities", {})
    assert front.count("ListOpportunities") == 3


def test_repeated_reads_keep_the_pace(front: Front, make: Make) -> None:
    """botocore repeats at its own discretion; the next read waits all the same."""
    front.faults.add(on="ListOpportunities", times=2, do="reset")
    client = make(reads_per_second=4)
    client.call("ListOpportunities", {})
    again = client._clock.monotonic()
    client.call("ListOpportunities", {})
    assert client._clock.monotonic() - again > 0.2
    assert front.count("ListOpportunities") == 4


# the log


def test_a_debug_log_shows_no_customer(front: Front, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "connector"):
        make(debug_log=True).call("CreateOpportunity", DEAL)
        with pytest.raises(Rejected):
            make(debug_log=True).call("CreateOpportunity", {**DEAL, "ClientToken": "t2", "Origin": "Nowhere"})
    done, refused = [record for record in caplog.records if getattr(record, "event", "") == "aws_call"]
    assert (done.getMessage(), refused.getMessage()) == ("CreateOpportunity answered", "CreateOpportunity Rejected")
    shown = done.parameters  # type: ignore[attr-defined]
    assert shown["Customer"]["Account"]["CompanyName"] == shown["Customer"]["Account"]["WebsiteUrl"] == "***"
    assert shown["LifeCycle"]["Stage"] == "Qualified"
    text = "\n".join(str(vars(record)) for record in caplog.records if record.name.startswith("connector"))
    assert not any(secret in text for secret in ("Bürli", "buerli.example", "OURKEY"))


def test_without_the_switch_nothing_is_logged(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "connector"):
        make().call("ListOpportunities", {})
    assert [record for record in caplog.records if record.name.startswith("connector")] == []


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (1_800_014_400, "2027-01-15T12:00:00.000000Z"),
        (1_800_014_400.25, "2027-01-15T12:00:00.250000Z"),
        ("2027-01-15T12:00:00Z", "2027-01-15T12:00:00.000000Z"),
        ("2027-01-15T12:00:00.123456+02:00", "2027-01-15T10:00:00.123456Z"),
        ("2027-01-15T12:00:00", "2027-01-15T12:00:00.000000Z"),
        ("Fri, 15 Jan 2027 12:00:00 GMT", "2027-01-15T12:00:00.000000Z"),
    ],
)
def test_an_instant_becomes_a_text(told: Any, text: str) -> None:
    assert to_instant_text(told) == text


def test_what_is_no_instant_is_refused() -> None:
    with pytest.raises(ValueError):
        to_instant_text("soon")
