"""Sessions of browsers: a signed cookie each, which nobody but us can make, and nothing on our side but those ended.

The token signs them, so every process that knows it takes them, and a new token ends them all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.config.models import Web

LASTS = 12 * 3600
"""Seconds."""


@dataclass(slots=True)
class Session:
    """One browser. ``csrf`` goes into its forms; ``is_needed`` once a form was made, so that its cookie is set."""

    id: str
    name: str
    expires: int
    csrf: str
    is_new: bool = False
    is_needed: bool = False


class Sessions:
    """Makes and knows them. ``web`` is the section as it is now; ``clock`` counts seconds since 1970."""

    def __init__(self, web: Callable[[], Web], clock: Callable[[], float] = time.time) -> None:
        self._web = web
        self._clock = clock
        self._own_key = secrets.token_bytes(32)
        self._ended: dict[str, int] = {}

    def open(self, name: str) -> Session:
        """A new one, of whoever goes by this name."""
        return self._session(secrets.token_urlsafe(16), name, int(self._clock()) + LASTS, is_new=True)

    def find(self, cookies: Mapping[str, str]) -> Session | None:
        """The session of a request's cookies, None where that is none of ours, too old, or was ended."""
        text, _, signature = cookies.get(self.cookie_name, "").partition(".")
        if not hmac.compare_digest(self._sign(text).encode(), signature.encode()):
            return None
        identifier, name, expires = json.loads(base64.urlsafe_b64decode(text))
        if expires <= self._clock() or identifier in self._ended:
            return None
        return self._session(identifier, name, expires, is_new=False)

    def end(self, session: Session) -> None:
        """Its cookie is worth nothing from now on."""
        now = self._clock()
        self._ended = {one: expires for one, expires in self._ended.items() if expires > now}
        self._ended[session.id] = session.expires

    @property
    def cookie_name(self) -> str:
        """A machine's cookies are not kept apart by port, so the name does it."""
        return f"connector_{self._web().listen.rpartition(':')[2]}"

    def cookie_of(self, session: Session, *, is_secure: bool) -> str:
        """The header that gives a browser this session."""
        told = json.dumps([session.id, session.name, session.expires]).encode()
        text = base64.urlsafe_b64encode(told).decode()
        lasts = max(session.expires - int(self._clock()), 0)
        return self._cookie(f"{text}.{self._sign(text)}", lasts, is_secure=is_secure)

    def no_cookie(self, *, is_secure: bool) -> str:
        """The header that takes the session away."""
        return self._cookie("", 0, is_secure=is_secure)

    def _cookie(self, value: str, lasts: int, *, is_secure: bool) -> str:
        secure = "; Secure" if is_secure else ""
        return f"{self.cookie_name}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}"

    def _session(self, identifier: str, name: str, expires: int, *, is_new: bool) -> Session:
        csrf = hmac.new(self._key(), f"form {identifier}".encode(), hashlib.sha256).hexdigest()
        return Session(identifier, name, expires, csrf, is_new)

    def _key(self) -> bytes:
        """Sessions end with the token that they were opened with; where there is none, with this process."""
        token = self._web().token
        key = self._own_key if token is None else token.get_secret_value().strip().encode()
        return hmac.digest(key, b"sessions of the connector's page", hashlib.sha256)

    def _sign(self, text: str) -> str:
        return hmac.new(self._key(), f"cookie {text}".encode(), hashlib.sha256).hexdigest()
