"""Tokens: both flows, every refusal, expiry and revocation."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from salesforce_client import BASE, START, Clock, PlainHttp, Server, Wire, serve
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession

from connector.sandbox.salesforce.org import Org

MINIMUM = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31"}
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


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


def ask(wire: Wire, form: dict[str, str], **headers: str) -> requests.Response:
    return wire.session.post(f"{wire.url}/services/oauth2/token", data=form, headers=headers, timeout=5)


def test_client_credentials_in_header_or_body(wire: Wire) -> None:
    basic = "Basic " + base64.b64encode(b"connector:secret").decode()
    first = ask(wire, {"grant_type": "client_credentials"}, Authorization=basic)
    form = {"grant_type": "client_credentials", "client_id": "connector", "client_secret": "secret"}
    second = ask(wire, form)
    body = second.json()
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["access_token"] != body["access_token"]
    assert set(body) == {
        "access_token",
        "signature",
        "scope",
        "instance_url",
        "id",
        "token_type",
        "issued_at",
        "api_instance_url",
    }
    assert body["access_token"].startswith("00D000000000001!AQ")
    assert body["instance_url"] == wire.url
    assert body["id"].endswith(f"/id/{wire.org.organization_id}/{wire.org.integration_user_id}")
    assert wire.org.calls == []


@pytest.mark.parametrize(
    ("form", "error", "description"),
    [
        ({"client_id": "x"}, "invalid_client_id", "client identifier invalid"),
        ({"client_secret": "x"}, "invalid_client", "invalid client credentials"),
        ({"client_id": "nobody"}, "invalid_grant", "no client credentials user enabled"),
        ({"grant_type": "password"}, "unsupported_grant_type", "grant type not supported"),
    ],
)
def test_refused_client_credentials(wire: Wire, form: dict[str, str], error: str, description: str) -> None:
    good = {"grant_type": "client_credentials", "client_id": "connector", "client_secret": "secret"}
    reply = ask(wire, good | form)
    assert reply.status_code == 400
    assert reply.json() == {"error": error, "error_description": description}


def sign(key: rsa.RSAPrivateKey, **claims: Any) -> dict[str, str]:
    standard = {
        "iss": "connector",
        "sub": "Integration@Partner.example",
        "aud": "https://test.salesforce.com",
        "exp": int((START + timedelta(minutes=3)).timestamp()),
    }
    return {"grant_type": BEARER, "assertion": jwt.encode(standard | claims, key, algorithm="RS256")}


def trust(org: Org, key: rsa.RSAPrivateKey) -> None:
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    org.trust_key("connector", pem.decode())


def test_jwt_bearer(wire: Wire, key: rsa.RSAPrivateKey) -> None:
    trust(wire.org, key)
    reply = ask(wire, sign(key))
    assert reply.status_code == 200
    assert set(reply.json()) == {"access_token", "scope", "instance_url", "id", "token_type"}
    assert ask(wire, sign(key, aud=wire.url)).status_code == 200
    assert ask(wire, sign(key, exp=str(int(START.timestamp()) + 60))).status_code == 200


@pytest.mark.parametrize(
    ("claims", "error", "description"),
    [
        ({"iss": "stranger"}, "invalid_client_id", "client identifier invalid"),
        ({"aud": "https://login.salesforce.com"}, "invalid_grant", "audience is invalid"),
        ({"exp": int(START.timestamp())}, "invalid_grant", "expired authorization code"),
        ({"exp": int((START + timedelta(hours=1)).timestamp())}, "invalid_grant", "invalid assertion"),
        ({"sub": "nobody@partner.example"}, "invalid_grant", "user hasn't approved this consumer"),
        (
            {"sub": "admin@partner.example"},
            "invalid_app_access",
            "user is not admin approved to access this app",
        ),
    ],
)
def test_refused_assertions(
    wire: Wire, key: rsa.RSAPrivateKey, claims: dict[str, Any], error: str, description: str
) -> None:
    trust(wire.org, key)
    reply = ask(wire, sign(key, **claims))
    assert (reply.status_code, reply.json()) == (400, {"error": error, "error_description": description})


def test_an_assertion_signed_by_a_stranger(wire: Wire, key: rsa.RSAPrivateKey) -> None:
    for form in (sign(key), {"grant_type": BEARER, "assertion": "nonsense"}):
        reply = ask(wire, form)
        assert reply.json() == {"error": "invalid_grant", "error_description": "invalid assertion"}


def test_simple_salesforce_logs_in_by_jwt(wire: Wire, key: rsa.RSAPrivateKey, clock: Clock) -> None:
    class ToTheOrg(PlainHttp):
        def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
            request.url = str(request.url).replace("https://test.salesforce.com", wire.url)
            return super().send(request, *args, **kwargs)

    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    trust(wire.org, key)
    clock.now = datetime.now(UTC)  # simple-salesforce asks the machine for the time
    with requests.Session() as session:
        session.mount("https://", ToTheOrg())
        sf = Salesforce(
            username="integration@partner.example",
            consumer_key="connector",
            privatekey=pem,
            domain="test",
            session=session,
            version="66.0",
        )
        assert sf.query("SELECT Id FROM Opportunity")["totalSize"] == 1


def test_a_token_dies_of_silence_and_of_revocation(wire: Wire, clock: Clock) -> None:
    for _ in range(3):
        clock.advance(minutes=119)
        assert wire.sf.query("SELECT Id FROM Account")["totalSize"] == 0
    clock.advance(minutes=120)
    with pytest.raises(SalesforceExpiredSession) as refused:
        wire.sf.query("SELECT Id FROM Account")
    assert refused.value.content == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    wire.token = wire.org.issue_token()
    assert wire.call("GET", "limits").status_code == 200
    wire.org.revoke_tokens()
    assert wire.call("GET", "limits").status_code == 401


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic eA=="}, {"Authorization": "Bearer"}])
def test_a_call_without_a_token(wire: Wire, header: dict[str, str]) -> None:
    reply = requests.get(f"{wire.url}{BASE}/limits", headers=header, timeout=5)
    assert reply.status_code == 401
    assert reply.json() == [{"message": "INVALID_AUTH_HEADER", "errorCode": "INVALID_AUTH_HEADER"}]
    assert wire.org.usage.count(START) == 0
