"""Who may call: registered clients, their keys, and the tokens given to them.

A token lives while it is used: it dies after `lifetime` of silence, or when it is revoked. Tokens are
counted, not random: this is a sandbox.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta


@dataclass(slots=True)
class Client:
    """An external client app. `run_as` is the user id of the client credentials flow, None where no admin set
    one; `public_keys` (PEM) are accepted for JWT bearer, for the lower-case usernames in `approved`."""

    client_id: str
    client_secret: str
    run_as: str | None
    public_keys: list[str] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Session:
    user_id: str
    client_id: str
    last_used: datetime


class Sessions:
    """The clients and live tokens of one org."""

    def __init__(self, organization_id: str, lifetime: int) -> None:
        self._organization = organization_id[:15]
        self.lifetime = timedelta(seconds=lifetime)
        self.clients: dict[str, Client] = {}
        self.issued = 0
        self._tokens: dict[str, Session] = {}

    def issue(self, user_id: str, client_id: str, now: datetime) -> str:
        """A new token for the user."""
        self.issued += 1
        digest = hashlib.sha256(f"{self._organization}{self.issued}".encode()).hexdigest()
        token = f"{self._organization}!AQ{digest}"
        self._tokens[token] = Session(user_id, client_id, now)
        return token

    def use(self, token: str, now: datetime) -> Session | None:
        """The live session of a token, kept alive by this; None for an unknown, revoked or expired one."""
        session = self._tokens.get(token)
        if session is None or now - session.last_used >= self.lifetime:
            self._tokens.pop(token, None)
            return None
        self._tokens[token] = replace(session, last_used=now)
        return session

    def revoke_all(self) -> None:
        self._tokens.clear()
