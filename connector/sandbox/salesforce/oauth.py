"""The token endpoint: client credentials and JWT bearer, with the service's refusals.

Passwords are not served: that flow is going away. Times come from the org's clock, never from the host's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.sessions import Client

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST_ASSERTION = 600
"""How many seconds ahead an assertion's end may lie: the service wants a few minutes."""


class GrantError(Exception):
    """A token is refused: always 400 with `{"error", "error_description"}`."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Asked:
    """A token request: the form, the Authorization header, and the root url it was sent to."""

    form: Mapping[str, str]
    authorization: str | None
    origin: str


def grant(org: Org, asked: Asked) -> dict[str, Any]:
    """The body of a granted request; GrantError where it is refused."""
    kind = asked.form.get("grant_type", "")
    if kind == "client_credentials":
        client = _authenticate(org, asked)
        if client.run_as is None:
            raise GrantError("invalid_grant", "no client credentials user enabled")
        return _to_body(org, asked, client, client.run_as)
    if kind == JWT_BEARER:
        client, user_id = _verify(org, asked)
        return _to_body(org, asked, client, user_id)
    raise GrantError("unsupported_grant_type", "grant type not supported")


def _authenticate(org: Org, asked: Asked) -> Client:
    client_id, secret = _read_credentials(asked)
    client = org.sessions.clients.get(client_id)
    if client is None:
        raise GrantError("invalid_client_id", "client identifier invalid")
    if client.client_secret != secret:
        raise GrantError("invalid_client", "invalid client credentials")
    return client


def _read_credentials(asked: Asked) -> tuple[str, str]:
    scheme, _, encoded = (asked.authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return asked.form.get("client_id", ""), asked.form.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise GrantError("invalid_client", "invalid client credentials") from None
    return client_id, secret


def _verify(org: Org, asked: Asked) -> tuple[Client, str]:
    assertion = asked.form.get("assertion", "")
    try:
        claimed: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise GrantError("invalid_grant", "invalid assertion") from None
    client = org.sessions.clients.get(str(claimed.get("iss")))
    if client is None:
        raise GrantError("invalid_client_id", "client identifier invalid")
    if not any(_is_signed(assertion, key) for key in client.public_keys):
        raise GrantError("invalid_grant", "invalid assertion")
    _check_claims(org, asked, claimed)
    return client, _find_user(org, client, str(claimed.get("sub")))


def _is_signed(assertion: str, key: str) -> bool:
    try:
        jwt.decode(assertion, key, algorithms=["RS256"], options={"verify_aud": False, "verify_exp": False})
    except jwt.InvalidTokenError:
        return False
    return True


def _check_claims(org: Org, asked: Asked, claimed: Mapping[str, Any]) -> None:
    login = "https://test.salesforce.com" if org.is_sandbox else "https://login.salesforce.com"
    if str(claimed.get("aud")).rstrip("/") not in {login, asked.origin}:
        raise GrantError("invalid_grant", "audience is invalid")
    try:
        expires = float(claimed["exp"])
    except (KeyError, TypeError, ValueError):
        raise GrantError("invalid_grant", "invalid assertion") from None
    now = org.clock().timestamp()
    if expires <= now:
        raise GrantError("invalid_grant", "expired authorization code")
    if expires > now + LONGEST_ASSERTION:
        raise GrantError("invalid_grant", "invalid assertion")


def _find_user(org: Org, client: Client, username: str) -> str:
    for user in org.records("User"):
        if user["Username"].lower() == username.lower() and user["IsActive"]:
            if username.lower() in client.approved:
                return str(user["Id"])
            raise GrantError("invalid_app_access", "user is not admin approved to access this app")
    raise GrantError("invalid_grant", "user hasn't approved this consumer")


def _to_body(org: Org, asked: Asked, client: Client, user_id: str) -> dict[str, Any]:
    now = org.now()
    token = org.sessions.issue(user_id, client.client_id, now)
    identity = f"{asked.origin}/id/{org.organization_id}/{user_id}"
    body = {
        "access_token": token,
        "scope": "api",
        "instance_url": org.instance_url or asked.origin,
        "id": identity,
        "token_type": "Bearer",
    }
    if asked.form["grant_type"] == JWT_BEARER:
        return body
    issued = str(int(now.timestamp() * 1000))
    signature = base64.b64encode(hashlib.sha256((identity + issued).encode()).digest()).decode()
    return body | {
        "signature": signature,
        "issued_at": issued,
        "api_instance_url": "https://api.salesforce.com",
    }
