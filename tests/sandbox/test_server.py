"""The sandbox as a whole: both services behind one https port, the admin door, the config it prints."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from partner_central_bench import CO_SELL, make_body
from ruamel.yaml import YAML

from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox

NOW = datetime(2027, 1, 15, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    directory = tmp_path_factory.mktemp("sandbox")
    with Sandbox(directory=directory, clock=lambda: NOW, settings=Settings(quotas=False)) as running:
        yield running


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as made:
        # Else REQUESTS_CA_BUNDLE, where it is set, wins over `verify`.
        made.trust_env = False
        made.verify = str(sandbox.ca_bundle)
        yield made


@pytest.fixture
def aws(sandbox: Sandbox) -> Iterator[Any]:
    client = boto3.client(
        "partnercentral-selling",
        region_name="us-east-1",
        endpoint_url=sandbox.url,
        verify=str(sandbox.ca_bundle),
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


def log_in(sandbox: Sandbox, session: requests.Session) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
    }
    answer = session.post(f"{sandbox.url}/services/oauth2/token", data=form, timeout=10)
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def query(sandbox: Sandbox, session: requests.Session, soql: str) -> list[dict[str, Any]]:
    answer = session.get(f"{sandbox.url}/services/data/v66.0/query", params={"q": soql}, timeout=10)
    rows: list[dict[str, Any]] = answer.json()["records"]
    return rows


def post(sandbox: Sandbox, session: requests.Session, path: str, **body: Any) -> requests.Response:
    return session.post(f"{sandbox.url}/_sandbox/{path}", json=body, timeout=10)


def test_salesforce_is_behind_the_port_and_seeded(sandbox: Sandbox, session: requests.Session) -> None:
    log_in(sandbox, session)
    assert query(sandbox, session, "SELECT Id FROM Opportunity LIMIT 5") != []


def test_partner_central_is_behind_the_same_port(sandbox: Sandbox, aws: Any) -> None:
    identifier = aws.create_opportunity(**make_body())["Id"]
    assert identifier in [record["Id"] for record in sandbox.service.opportunities()]


def test_the_certificate_is_for_localhost_too(sandbox: Sandbox, session: requests.Session) -> None:
    url = f"https://localhost:{sandbox.port}/_sandbox/state"
    assert session.get(url, timeout=10).status_code == 200


def test_the_door_shows_counts_and_records(sandbox: Sandbox, session: requests.Session, aws: Any) -> None:
    identifier = aws.create_opportunity(**make_body())["Id"]
    state = session.get(f"{sandbox.url}/_sandbox/state", timeout=10).json()
    assert state["partner_central"]["opportunities"] == len(sandbox.service.opportunities())
    assert state["partner_central"]["operations"]["CreateOpportunity"] >= 1
    assert set(state) == {"partner_central", "salesforce", "faults"}
    records = session.get(f"{sandbox.url}/_sandbox/opportunities", timeout=10).json()
    assert [one["Account"] for one in records if one["Id"] == identifier] == ["111122223333"]


def test_the_door_plays_the_reviewer(sandbox: Sandbox, session: requests.Session, aws: Any) -> None:
    identifier = aws.create_opportunity(**make_body())["Id"]
    wrong = post(sandbox, session, "review", opportunity_id=identifier, status="Approved")
    assert (wrong.status_code, "Pending Submission" in wrong.json()["error"]) == (400, True)
    aws.start_engagement_from_opportunity_task(Catalog="Sandbox", Identifier=identifier, AwsSubmission=CO_SELL)
    decision = {"opportunity_id": identifier, "status": "Action Required", "comments": "Which site?"}
    assert post(sandbox, session, "review", **decision).status_code == 200
    life_cycle = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)["LifeCycle"]
    assert (life_cycle["ReviewStatus"], life_cycle["ReviewComments"]) == ("Action Required", "Which site?")


def test_the_door_sets_faults_and_takes_them_away(sandbox: Sandbox, session: requests.Session) -> None:
    log_in(sandbox, session)
    soql = "SELECT Id FROM Account LIMIT 1"
    fired = sandbox.faults.fired
    assert post(sandbox, session, "faults", on="query", do="throttle", times=None).status_code == 200
    answer = session.get(f"{sandbox.url}/services/data/v66.0/query", params={"q": soql}, timeout=10)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert session.delete(f"{sandbox.url}/_sandbox/faults", timeout=10).status_code == 200
    assert len(query(sandbox, session, soql)) == 1
    assert sandbox.faults.fired == fired + 1
    assert post(sandbox, session, "faults", do="explode").status_code == 400


def test_a_salesforce_error_has_salesforce_s_shape(sandbox: Sandbox, session: requests.Session) -> None:
    sandbox.faults.add(on="token", do="status", status=503)
    answer = session.post(f"{sandbox.url}/services/oauth2/token", timeout=10)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (503, "SERVER_UNAVAILABLE")


def test_the_door_changes_settings_and_scripts_tasks(sandbox: Sandbox, session: requests.Session, aws: Any) -> None:
    assert post(sandbox, session, "settings", escape="none").status_code == 200
    identifier = aws.create_opportunity(**make_body())["Id"]
    project = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)["Project"]
    assert project["CustomerUseCase"] == "Security & Compliance"
    assert post(sandbox, session, "settings", colour="red").status_code == 400
    assert post(sandbox, session, "tasks", reason="InternalError", times=1).status_code == 200
    task = aws.start_engagement_from_opportunity_task(Catalog="Sandbox", Identifier=identifier, AwsSubmission=CO_SELL)
    assert (task["TaskStatus"], task["ReasonCode"]) == ("FAILED", "InternalError")


def test_the_door_edits_salesforce_as_a_person_would(sandbox: Sandbox, session: requests.Session) -> None:
    log_in(sandbox, session)
    (row,) = query(sandbox, session, "SELECT Id FROM Opportunity LIMIT 1")
    fields = {"Description": "Edited by hand"}
    edit = post(sandbox, session, "salesforce", object="Opportunity", id=row["Id"], fields=fields)
    assert edit.status_code == 200
    assert sandbox.org.get("Opportunity", row["Id"])["Description"] == "Edited by hand"
    assert post(sandbox, session, "salesforce", object="Opportunity").status_code == 400


def test_the_config_is_complete(sandbox: Sandbox) -> None:
    config = YAML(typ="safe").load(sandbox.config_text("sqlite:///x.db", "mappings/opportunity.yaml"))
    assert config == {
        "database": "sqlite:///x.db",
        "connections": {
            "sandbox": {
                "salesforce": {
                    "login_url": sandbox.url,
                    "auth": {
                        "method": "client_credentials",
                        "client_id": sandbox.client_id,
                        "client_secret": sandbox.client_secret,
                    },
                    "ca_bundle": str(sandbox.ca_bundle),
                },
                "partner_central": {
                    "catalog": "Sandbox",
                    "region": "us-east-1",
                    "endpoint_url": sandbox.url,
                    "ca_bundle": str(sandbox.ca_bundle),
                },
                "mapping": "mappings/opportunity.yaml",
            }
        },
    }
    assert "mapping" not in sandbox.config_text("sqlite:///x.db")


def test_an_unseeded_sandbox_is_empty_and_stops_in_time(tmp_path: Path) -> None:
    with Sandbox(directory=tmp_path, seed=False) as empty, requests.Session() as session:
        session.trust_env = False
        session.verify = str(empty.ca_bundle)
        log_in(empty, session)
        assert query(empty, session, "SELECT Id FROM Opportunity") == []
        started = time.monotonic()
        empty.stop()
        assert time.monotonic() - started < 2
        with pytest.raises(requests.ConnectionError):
            session.get(f"{empty.url}/_sandbox/state", timeout=5)


def test_it_stops_in_time_beside_a_client_that_never_says_goodbye(tmp_path: Path) -> None:
    with Sandbox(directory=tmp_path, seed=False) as empty:
        trust = ssl.create_default_context(cafile=str(empty.ca_bundle))
        with (
            socket.create_connection(("127.0.0.1", empty.port), timeout=5) as bare,
            trust.wrap_socket(bare, server_hostname="localhost", suppress_ragged_eofs=False) as client,
        ):
            client.sendall(b"GET /_sandbox/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
            started = time.monotonic()
            empty.stop()
            assert time.monotonic() - started < 2


def test_the_port_can_be_chosen_and_taken(sandbox: Sandbox, tmp_path: Path) -> None:
    second = Sandbox(sandbox.port, tmp_path, seed=False)
    with pytest.raises(OSError, match="in use"):
        second.start()
