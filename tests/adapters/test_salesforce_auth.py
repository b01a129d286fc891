"""Logging in: what is sent, who waits, and what is never repeated."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs

import jwt
import pytest
import requests
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connector.adapters.salesforce_auth import SalesforceSettings, TokenProvider
from connector.adapters.salesforce_http import open_session
from connector.errors import ConfigError, LoginFailed, Throttled, Unavailable

LOGIN = "https://acme.my.salesforce.example"
TOKEN_URL = f"{LOGIN}/services/oauth2/token"
SETTINGS = SalesforceSettings(login_url=LOGIN, client_id="key", client_secret="hush")


class SteppedClock:
    """Time that moves when told; ``sleep`` moves it too, unless the process is being stopped."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.slept = 0.0
        self.stopping = False

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        if not self.stopping:
            self.slept += seconds
            self.elapsed += seconds


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def provider(clock: SteppedClock, settings: SalesforceSettings = SETTINGS) -> TokenProvider:
    return TokenProvider(settings, clock=clock, session=open_session(settings, settings.login_url))


def grant(web: responses.RequestsMock, value: str = "t1", instance: str = LOGIN) -> responses.BaseResponse:
    body = {"access_token": value, "instance_url": instance, "token_type": "Bearer"}
    granted: responses.BaseResponse = web.post(TOKEN_URL, json=body)
    return granted


def refuse(web: responses.RequestsMock) -> responses.BaseResponse:
    body = {"error": "invalid_client", "error_description": "invalid client credentials"}
    refused: responses.BaseResponse = web.post(TOKEN_URL, status=400, json=body)
    return refused


def form_of(call: responses.Call) -> dict[str, list[str]]:
    return parse_qs(str(call.request.body))


def test_client_credentials_go_in_a_basic_header_and_nowhere_else(
    web: responses.RequestsMock, clock: SteppedClock
) -> None:
    grant(web)
    token = provider(clock).current()
    call = web.calls[0]
    assert form_of(call) == {"grant_type": ["client_credentials"]}
    assert call.request.headers["Authorization"] == "Basic " + base64.b64encode(b"key:hush").decode()
    assert (token.value, token.instance_url) == ("t1", LOGIN)
    assert "t1" not in repr(token)
    assert "hush" not in repr(SETTINGS)


def test_jwt_bearer_signs_the_documented_claims(web: responses.RequestsMock, clock: SteppedClock) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    grant(web)
    settings = replace(SETTINGS, method="jwt_bearer", username="sync@acme.example", private_key=pem)
    provider(clock, settings).current()
    form = form_of(web.calls[0])
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(
        form["assertion"][0],
        key.public_key(),
        algorithms=["RS256"],
        audience="https://login.salesforce.com",
        options={"verify_exp": False},
    )
    assert claims == {
        "iss": "key",
        "sub": "sync@acme.example",
        "aud": "https://login.salesforce.com",
        "exp": int(clock.now().timestamp()) + 180,
    }


@pytest.mark.parametrize("pem", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"])
def test_a_key_that_cannot_sign_is_told_without_quoting_it(clock: SteppedClock, pem: str) -> None:
    settings = replace(SETTINGS, method="jwt_bearer", username="u", private_key=pem)
    with pytest.raises(LoginFailed, match="private_key cannot be used") as caught:
        provider(clock, settings).current()
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_access_token_is_used_as_it_is_and_cannot_be_renewed(clock: SteppedClock) -> None:
    settings = replace(SETTINGS, method="access_token", token="given", instance_url="https://i.example")
    tokens = provider(clock, settings)
    token = tokens.current()
    clock.elapsed += 7200
    assert tokens.current() is token
    assert (token.value, token.instance_url) == ("given", "https://i.example")
    with pytest.raises(LoginFailed, match="expired or been withdrawn") as caught:
        tokens.renewed(token)
    assert "auth.token" in caught.value.cure


def test_a_token_is_shared_until_it_ages(web: responses.RequestsMock, clock: SteppedClock) -> None:
    first, second = grant(web, "t1"), grant(web, "t2", "https://moved.salesforce.example")
    tokens = provider(clock)
    assert tokens.current() is tokens.current()
    clock.elapsed += 1799
    assert tokens.current().value == "t1"
    clock.elapsed += 1
    renewed = tokens.current()
    assert (renewed.value, renewed.instance_url) == ("t2", "https://moved.salesforce.example")
    assert (first.call_count, second.call_count) == (1, 1)


def test_an_ageing_token_serves_on_while_the_login_service_is_down(
    web: responses.RequestsMock, clock: SteppedClock
) -> None:
    grant(web, "t1")
    tokens = provider(clock)
    tokens.current()
    down = web.post(TOKEN_URL, status=503, body="<html>busy</html>")
    clock.elapsed += 1800
    assert [tokens.current().value for _ in range(3)] == ["t1"] * 3
    assert down.call_count == 1
    clock.elapsed += 10
    assert tokens.current().value == "t1"
    assert down.call_count == 2


def test_only_the_first_thread_that_meets_a_refusal_logs_in(web: responses.RequestsMock, clock: SteppedClock) -> None:
    grant(web, "t1")
    second = grant(web, "t2")
    tokens = provider(clock)
    seen = tokens.current()
    clock.elapsed += 60
    assert {tokens.renewed(seen).value for _ in range(8)} == {"t2"}
    assert second.call_count == 1


def test_two_logins_are_ten_seconds_apart(web: responses.RequestsMock, clock: SteppedClock) -> None:
    grant(web, "t1")
    grant(web, "t2")
    tokens = provider(clock)
    seen = tokens.current()
    clock.elapsed += 3
    assert tokens.renewed(seen).value == "t2"
    assert clock.slept == 7


def test_the_wait_between_logins_ends_when_the_process_stops(web: responses.RequestsMock, clock: SteppedClock) -> None:
    granted = grant(web, "t1")
    tokens = provider(clock)
    seen = tokens.current()
    clock.stopping = True
    with pytest.raises(Throttled) as caught:
        tokens.renewed(seen)
    assert caught.value.delay == 10
    assert granted.call_count == 1


def test_rejected_credentials_are_not_tried_again_for_a_minute(
    web: responses.RequestsMock, clock: SteppedClock
) -> None:
    refused = refuse(web)
    tokens = provider(clock)
    for _ in range(5):
        with pytest.raises(LoginFailed, match="client_secret"):
            tokens.current()
        clock.elapsed += 11.9
    assert refused.call_count == 1
    clock.elapsed += 0.6
    with pytest.raises(LoginFailed):
        tokens.current()
    assert refused.call_count == 2


def test_corrected_credentials_are_accepted_after_the_minute(web: responses.RequestsMock, clock: SteppedClock) -> None:
    refuse(web)
    grant(web, "t1")
    tokens = provider(clock)
    with pytest.raises(LoginFailed):
        tokens.current()
    clock.elapsed += 60
    assert tokens.current().value == "t1"


def test_a_token_refused_right_after_the_login_is_latched(web: responses.RequestsMock, clock: SteppedClock) -> None:
    granted = grant(web, "t1")
    tokens = provider(clock)
    token = tokens.current()
    tokens.reject(token, LoginFailed("refused"))
    with pytest.raises(LoginFailed, match="refused"):
        tokens.current()
    with pytest.raises(LoginFailed, match="refused"):
        tokens.renewed(token)
    clock.elapsed += 60
    assert tokens.current().generation == token.generation + 1
    tokens.reject(token, LoginFailed("late news of the old token"))
    assert tokens.current().value == "t1"
    assert granted.call_count == 2


def test_an_outage_of_the_login_service_is_remembered_for_ten_seconds(
    web: responses.RequestsMock, clock: SteppedClock
) -> None:
    down = web.post(TOKEN_URL, body=requests.exceptions.ConnectionError("https://acme/secret"))
    tokens = provider(clock)
    with pytest.raises(Unavailable) as first:
        tokens.current()
    clock.elapsed += 4
    with pytest.raises(Unavailable) as second:
        tokens.current()
    assert down.call_count == 1
    assert second.value.delay == 6
    assert "secret" not in str(first.value)
    assert first.value.__suppress_context__


def test_a_page_in_place_of_a_token_is_an_outage_once_tokens_came_from_there(
    web: responses.RequestsMock, clock: SteppedClock
) -> None:
    page = web.post(TOKEN_URL, body="<html>maintenance</html>")
    with pytest.raises(LoginFailed, match="login_url"):
        provider(clock).current()
    web.remove(page)
    granted = grant(web)
    tokens = provider(clock)
    seen = tokens.current()
    web.remove(granted)
    web.add(page)
    with pytest.raises(Unavailable, match="in place of"):
        tokens.renewed(seen)
    web.remove(page)
    grant(web, "t2")
    clock.elapsed += 10
    assert tokens.renewed(seen).value == "t2"


def signed(key: rsa.RSAPrivateKey) -> SalesforceSettings:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return replace(SETTINGS, method="jwt_bearer", username="sync@acme.example", private_key=pem)


@pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(hours=1), timedelta(seconds=5)])
def test_a_signed_login_goes_by_salesforces_clock_where_ours_is_wrong(
    web: responses.RequestsMock, clock: SteppedClock, ahead: timedelta
) -> None:
    """``ahead``: how far Salesforce is ahead of us."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        theirs = clock.now() + ahead
        claims = jwt.decode(parse_qs(str(request.body))["assertion"][0], options={"verify_signature": False})
        headers = {"Date": format_datetime(theirs, usegmt=True)}
        if 0 < claims["exp"] - theirs.timestamp() <= 300:
            return 200, headers, '{"access_token": "t", "instance_url": "https://acme.my.salesforce.example"}'
        return 400, headers, '{"error": "invalid_grant", "error_description": "invalid assertion"}'

    web.add_callback(responses.POST, TOKEN_URL, callback=answer)
    tokens = provider(clock, signed(key))
    seen = tokens.current()
    assert len(web.calls) == (1 if ahead < timedelta(minutes=1) and ahead > -timedelta(minutes=1) else 2)
    before = len(web.calls)
    tokens.renewed(seen)
    assert len(web.calls) == before + 1, "the difference is remembered"


def test_a_signed_login_that_is_refused_for_another_reason_is_not_repeated(
    web: responses.RequestsMock, clock: SteppedClock
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    refusal = {"error": "invalid_grant", "error_description": "invalid assertion"}
    refused = web.post(TOKEN_URL, status=400, json=refusal, headers={"Date": format_datetime(clock.now(), usegmt=True)})
    with pytest.raises(LoginFailed):
        provider(clock, signed(key)).current()
    assert refused.call_count == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_login_is_never_carried_to_another_address(
    web: responses.RequestsMock, clock: SteppedClock, status: int
) -> None:
    elsewhere = web.post("https://evil.example/token", json={"access_token": "x"})
    web.post(TOKEN_URL, status=status, headers={"Location": "https://evil.example/token"})
    with pytest.raises(LoginFailed, match="login_url"):
        provider(clock).current()
    assert elsewhere.call_count == 0


def test_no_token_goes_to_an_insecure_instance(web: responses.RequestsMock, clock: SteppedClock) -> None:
    grant(web, "t1", "http://acme.my.salesforce.example")
    with pytest.raises(LoginFailed, match="insecure"):
        provider(clock).current()


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("https://acme.my.salesforce.example", True),
        ("http://acme.my.salesforce.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("acme.my.salesforce.example", False),
        ("ftp://127.0.0.1", False),
    ],
)
def test_plain_http_is_for_loopback_only(url: str, accepted: bool) -> None:
    if accepted:
        assert open_session(SETTINGS, url).trust_env is False
        return
    with pytest.raises(ConfigError, match="https://"):
        open_session(SETTINGS, url)


def test_a_session_follows_the_settings_and_not_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://wrong.example")
    settings = replace(SETTINGS, ca_bundle=tmp_path / "ca.pem", proxy="http://user:pass@proxy.example:3128")
    session = open_session(settings, LOGIN)
    merged = session.merge_environment_settings(LOGIN, {}, None, None, None)
    assert merged["verify"] == str(tmp_path / "ca.pem")
    assert merged["proxies"]["https"] == "http://user:pass@proxy.example:3128"
    assert "pass" not in repr(settings)
    with pytest.raises(requests.exceptions.InvalidSchema):
        session.get_adapter("http://acme.my.salesforce.example")
