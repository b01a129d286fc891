"""Reaching AWS at all: network, certificates, credentials, roles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from aws_front import DEAL, DENIED, ROLE, Front

from connector.adapters.partner_central import PartnerCentralClient
from connector.errors import (
    ConnectorError,
    LoginFailed,
    Unavailable,
)
from connector.sandbox.server import HttpsServer

Make = Callable[..., PartnerCentralClient]


def test_nobody_there_is_not_ambiguous(make: Make) -> None:
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        make(endpoint_url="https://127.0.0.1:9", connect_timeout=timedelta(seconds=1)).call("CreateOpportunity", DEAL)
    assert not caught.value.ambiguous


def test_a_certificate_of_another_authority_is_told(make: Make, front: Front, tmp_path: Path) -> None:
    import trustme

    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    client = make(ca_bundle=tmp_path / "other.pem")
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"certificate that AWS shows is not trusted.*ca_bundle") as caught:
            client.call("CreateOpportunity", DEAL)
        assert not caught.value.ambiguous
    assert front.seen == []


def test_a_ca_bundle_that_is_not_there_is_told(make: Make, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    for name, words in (("missing.pem", "is not there"), ("empty.pem", "holds no certificate")):
        with pytest.raises(Unavailable, match=f"The CA bundle {words}") as caught:
            make(ca_bundle=tmp_path / name).call("CreateOpportunity", DEAL)
        assert not caught.value.ambiguous


def test_no_credentials_are_a_failed_login(make: Make, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    sent: list[int] = []
    client = make()
    with pytest.raises(LoginFailed, match="no usable AWS credentials"):
        client.call("ListOpportunities", {}, on_send=lambda: sent.append(1))
    assert front.seen == []


def test_an_unknown_profile_is_a_failed_login(make: Make) -> None:
    sent: list[int] = []
    with pytest.raises(LoginFailed, match="ProfileNotFound"):
        make(profile="nobody").call("CreateOpportunity", DEAL, on_send=lambda: sent.append(1))
    assert sent == []


def test_a_profile_s_credentials_are_used(make: Make, front: Front, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id=OTHERKEY\naws_secret_access_key=s\n")
    make(profile="other").call("ListOpportunities", {})
    assert "Credential=OTHERKEY/" in front.seen[0][1]["authorization"]


@pytest.fixture
def _sts(served: tuple[Front, HttpsServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", served[1].url)


@pytest.mark.usefixtures("_sts")
def test_a_role_is_assumed_once_and_its_credentials_are_used(make: Make, front: Front) -> None:
    client = make(role_arn=ROLE, external_id="ext-7")
    for _ in range(2):
        client.call("ListOpportunities", {})
    (asked,) = front.assumed
    assert (asked["RoleArn"], asked["ExternalId"]) == ([ROLE], ["ext-7"])
    assert asked["RoleSessionName"] == ["partner-central-connector"]
    for _, headers in front.seen:
        assert "Credential=ROLEKEY/" in headers["authorization"]
        assert headers["x-amz-security-token"] == "role-token"


@pytest.mark.usefixtures("_sts")
@pytest.mark.parametrize(
    ("answer", "kind"),
    [((403, DENIED), LoginFailed), ((400, DENIED.replace("AccessDenied", "Throttling")), Unavailable)],
)
def test_a_role_that_cannot_be_assumed_sends_nothing(
    make: Make, front: Front, answer: tuple[int, str], kind: type[ConnectorError]
) -> None:
    front.sts = answer
    with pytest.raises(kind, match="AssumeRole") as caught:
        make(role_arn=ROLE).call("CreateOpportunity", DEAL)
    assert getattr(caught.value, "ambiguous", False) is False
    assert "111122223333" not in str(caught.value)
    assert front.seen == []
