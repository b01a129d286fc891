"""Who we are at Salesforce: one token for all threads, renewed before it ages and once for a refused call.

Nothing here calls the REST API, and nothing here knows what the token is used for. Tokens and secrets stay in
attributes without a repr and never reach a message.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from connector.adapters.salesforce_errors import to_unavailable
from connector.adapters.salesforce_login_errors import to_token_error
from connector.adapters.salesforce_spans import calling, note_response
from connector.errors import ConfigError, ConnectorError, LoginFailed, TemporaryError, Throttled, Unavailable
from connector.ports import Clock

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address, not a secret
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

ASSERTION_SECONDS = 180
"""How long a signed login is good for; Salesforce refuses more than a few minutes."""
RENEWAL_SECONDS = 1800.0
"""Age at which a token is renewed unasked; sessions end after 15 minutes to 24 hours, mostly two hours."""
LOGIN_SPACING_SECONDS = 10.0
"""Least time between two logins; Salesforce blocks a user at 3,600 an hour."""
REJECTION_SECONDS = 60.0
"""How long refused credentials are not tried again."""
CLOCK_TOLERANCE = timedelta(seconds=60)
"""A difference between our clock and Salesforce's that no signed login fails for."""


@dataclass(frozen=True, slots=True)
class SalesforceSettings:
    """Plain values of the ``salesforce`` part of config.yaml; which of them count depends on ``method``."""

    login_url: str
    method: Literal["client_credentials", "jwt_bearer", "access_token"] = "client_credentials"
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    username: str = ""
    private_key: str = field(default="", repr=False)
    audience: str = "https://login.salesforce.com"
    instance_url: str = ""
    token: str = field(default="", repr=False)
    api_version: str = "66.0"
    ca_bundle: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    timeout: timedelta = timedelta(seconds=30)
    daily_api_share: float = 0.25


def is_plain_http(url: str) -> bool:
    """Whether to speak http to this address: loopback only. Raises ConfigError for other insecure ones."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return False
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return True
    raise ConfigError(
        "A Salesforce address must begin with https:// (plain http is accepted for loopback addresses only).",
        "Correct login_url or auth.instance_url.",
    )


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


@dataclass(frozen=True, slots=True)
class Token(AuthBase):
    """A token and the address it is good for. As ``auth`` of a call it wins over any netrc entry."""

    value: str = field(repr=False)
    instance_url: str
    generation: int

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.value}"
        return request


class TokenProvider:
    """Hands out the current token. Safe for many threads; a login holds the others until it is over.

    ``session`` is used for token calls only, by one thread at a time.
    """

    def __init__(self, settings: SalesforceSettings, *, clock: Clock, session: requests.Session) -> None:
        self._settings = settings
        self._clock = clock
        self._session = session
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._generation = 0
        self._issued_at = 0.0
        self._next_login_at = -math.inf
        self._ahead = timedelta()
        self._failure: ConnectorError | None = None
        self._failed_until = -math.inf

    def current(self) -> Token:
        """The token to use now. Raises LoginFailed, or TemporaryError while none can be had."""
        with self._lock:
            if self._token is None:
                return self._log_in()
            if self._is_ageing():
                with suppress(TemporaryError):
                    return self._log_in()
            return self._token

    def renewed(self, seen: Token) -> Token:
        """A newer token than the refused one; only the first thread that asks causes a login."""
        with self._lock:
            if self._token is not None and self._token.generation != seen.generation:
                return self._token
            if self._settings.method == "access_token":
                raise self._reject(
                    LoginFailed(
                        "The Salesforce access token has expired or been withdrawn.",
                        "Put a fresh one into auth.token, or use client_credentials, which renews by itself.",
                    )
                )
            return self._log_in()

    def reject(self, token: Token, error: LoginFailed) -> LoginFailed:
        """Remember that not even this token is accepted; returns the error for raising."""
        with self._lock:
            return self._reject(error) if self._token is token else error

    def _is_ageing(self) -> bool:
        age = self._clock.monotonic() - self._issued_at
        return age >= RENEWAL_SECONDS and self._settings.method != "access_token"

    def _log_in(self) -> Token:
        self._refuse_while_failed()
        self._keep_spacing()
        self._next_login_at = self._clock.monotonic() + LOGIN_SPACING_SECONDS
        try:
            value, instance_url = self._obtain()
        except LoginFailed as error:
            raise self._reject(error) from None
        except TemporaryError as error:
            self._remember(error, LOGIN_SPACING_SECONDS)
            raise
        self._failure = None
        self._generation += 1
        self._issued_at = self._clock.monotonic()
        self._token = Token(value, instance_url, self._generation)
        return self._token

    def _refuse_while_failed(self) -> None:
        rest = self._failed_until - self._clock.monotonic()
        if self._failure is None or rest <= 0:
            return
        if isinstance(self._failure, LoginFailed):
            raise LoginFailed(self._failure.message, self._failure.cure)
        raise Unavailable(self._failure.message, self._failure.cure, delay=rest)

    def _keep_spacing(self) -> None:
        """Wait out the least time between two logins, unless the process is asked to stop meanwhile."""
        rest = self._next_login_at - self._clock.monotonic()
        if rest > 0:
            self._clock.sleep(rest)
        rest = self._next_login_at - self._clock.monotonic()
        if rest > 0.5:  # a timer may fire a little early
            raise Throttled("Salesforce refused a token only moments after the login.", delay=rest)

    def _reject(self, error: LoginFailed) -> LoginFailed:
        self._token = None
        self._remember(error, REJECTION_SECONDS)
        return error

    def _remember(self, error: ConnectorError, seconds: float) -> None:
        self._failure = error
        self._failed_until = self._clock.monotonic() + seconds

    def _obtain(self) -> tuple[str, str]:
        """Token and instance address, by the configured method."""
        settings = self._settings
        if settings.method == "access_token":
            return settings.token, settings.instance_url or settings.login_url
        if settings.method == "jwt_bearer":
            return self._exchange_signed()
        basic = HTTPBasicAuth(settings.client_id, settings.client_secret)
        return self._exchange({"grant_type": "client_credentials"}, basic)

    def _exchange_signed(self) -> tuple[str, str]:
        """A signed login; where only our clock was wrong, once more by Salesforce's own."""
        before = self._ahead
        try:
            return self._exchange({"grant_type": _JWT_GRANT, "assertion": self._assertion()}, None)
        except LoginFailed:
            if abs(self._ahead - before) <= CLOCK_TOLERANCE:
                raise
        return self._exchange({"grant_type": _JWT_GRANT, "assertion": self._assertion()}, None)

    def _assertion(self) -> str:
        """The signed login: RS256 over issuer, subject, audience and expiry, by Salesforce's clock once it is known."""
        import jwt

        settings = self._settings
        claims = {
            "iss": settings.client_id,
            "sub": settings.username,
            "aud": settings.audience,
            "exp": int((self._clock.now() + self._ahead).timestamp()) + ASSERTION_SECONDS,
        }
        try:
            return jwt.encode(claims, settings.private_key, algorithm="RS256")
        except (jwt.exceptions.PyJWTError, ValueError, TypeError):
            # The library's own words may quote the key.
            raise LoginFailed(
                "auth.private_key cannot be used to sign.", "Give an unencrypted RSA private key in PEM form."
            ) from None

    def _exchange(self, form: dict[str, str], basic: HTTPBasicAuth | None) -> tuple[str, str]:
        url = self._settings.login_url.rstrip("/") + TOKEN_PATH
        try:
            with calling("login", "POST", self._settings.login_url, TOKEN_PATH):
                # A redirection could carry the signed login to another host: it is told, not followed.
                response = self._session.post(url, data=form, auth=basic, allow_redirects=False)
                note_response(response)
        except (requests.RequestException, OSError) as fault:
            raise to_unavailable(fault, label="login", writes=False) from None
        self._ahead = self._read_clock(response)
        body = _to_json(response)
        if body is None and response.status_code == requests.codes.ok and self._generation:
            # It has given tokens before: whoever answers now is not Salesforce, and will not stay.
            raise Unavailable("Something else answers in place of Salesforce's login service.", delay=10)
        if response.status_code != 200 or not isinstance(body, dict) or not body.get("access_token"):
            raise to_token_error(response.status_code, body)
        return str(body["access_token"]), self._checked(str(body.get("instance_url") or self._settings.login_url))

    def _read_clock(self, response: requests.Response) -> timedelta:
        """How far Salesforce's clock is ahead of ours; as before where it does not tell."""
        try:
            told = parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC)
        except ValueError:
            return self._ahead
        now: datetime = self._clock.now()
        return told - now

    def _checked(self, instance_url: str) -> str:
        try:
            is_plain_http(instance_url)
        except ConfigError:
            raise LoginFailed(
                "Salesforce names an insecure instance address, to which no token is sent.",
                "Check that login_url is the org's own My Domain.",
            ) from None
        return instance_url


def _to_json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
