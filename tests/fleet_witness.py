"""What the services of a fleet's world saw: every call in order of arrival, and which process sent it.

A witness that asks neither the ledger nor the queue. Hooked into the sandbox from outside, so that the services stay as
they are. Every process has access keys of its own, ``<process>.<account>``.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.sandbox.partner_central.calls import Answer
from connector.sandbox.partner_central.quota import kind_of
from connector.sandbox.partner_central.service import Entry
from connector.sandbox.server import Sandbox

_ASKED_FOR = re.compile(r"LIKE '(\w+) %'")


class Caller(str):
    """An AWS account id that remembers which process used it."""

    __slots__ = ("process",)

    def __new__(cls, account: str, process: str) -> Caller:
        made = super().__new__(cls, account)
        made.process = process
        return made

    def __deepcopy__(self, _memo: object) -> Caller:
        return self


@dataclass(slots=True)
class Sent:
    """One call that arrived at AWS: by which process, when (seconds since 1970), and when its answer was ready."""

    entry: Entry
    process: str
    at: float
    answered_at: float
    is_write: bool


class Witness:
    """What AWS and Salesforce saw.

    ``calls`` and ``writes`` are in order of arrival; ``records`` has the record of each opportunity id; ``looks`` is
    when each connection's records were asked for, in seconds since 1970. ``slow``: how many seconds every answer to an
    account is held.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.calls: list[Sent] = []
        self.writes: list[Sent] = []
        self.records: dict[str, str] = {}
        self.looks: dict[str, list[float]] = defaultdict(list)
        self.slow: dict[str, float] = {}
        self._by_entry: dict[int, Sent] = {}
        service = sandbox.service
        service.account_of = _caller_of  # type: ignore[method-assign]
        self._journal, service._journal = service._journal, self._journalled  # type: ignore[method-assign]
        self._render, service._render = service._render, self._rendered  # type: ignore[method-assign]
        self._perform, service.perform = service.perform, self._performed  # type: ignore[method-assign]
        sandbox._app = _Looks(sandbox._app, self.looks)

    def _journalled(self, operation: str, account: str, body: Any) -> Entry:
        entry = self._journal(operation, account, body)
        at = entry.at.timestamp()
        sent = Sent(entry, getattr(account, "process", ""), at, at, kind_of(operation) != "read")
        self._by_entry[id(entry)] = sent
        self.calls.append(sent)
        if sent.is_write:
            self.writes.append(sent)
        return entry

    def _rendered(self, entry: Entry, answer: Answer) -> Any:
        told = self._render(entry, answer)
        self._by_entry[id(entry)].answered_at = time.time()
        if entry.operation == "CreateOpportunity":
            self.records[told["Id"]] = str(entry.body.get("PartnerOpportunityIdentifier"))
        return told

    def _performed(self, operation: str, account: str, body: Any) -> Answer:
        answer = self._perform(operation, account, body)
        return replace(answer, delay=max(answer.delay, self.slow.get(account, 0.0)))

    def record_of(self, sent: Sent) -> str:
        """The Salesforce id of the record that a call is about, "" where it is about none that is known."""
        body = sent.entry.body
        about = str(body.get("Identifier") or body.get("OpportunityIdentifier") or "")
        return str(body.get("PartnerOpportunityIdentifier") or self.records.get(about, ""))


def _caller_of(access_key: str) -> Caller:
    process, _, account = access_key.rpartition(".")
    return Caller(account, process)


class _Looks:
    """ASGI in front of the sandbox: notes whose records a query asks for."""

    def __init__(self, app: ASGIApp, looks: dict[str, list[float]]) -> None:
        self._app, self._looks = app, looks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting() -> Message:
            message = await receive()
            # Queries stand in the body of a composite call, where their text is quoted as in an address.
            for name in set(_ASKED_FOR.findall(unquote_plus(message.get("body", b"").decode("utf-8", "replace")))):
                self._looks[name].append(time.time())
            return message

        is_salesforce = scope["type"] == "http" and scope["path"].endswith("/composite")
        await self._app(scope, noting if is_salesforce else receive, send)
