"""Faults between a client and the sandbox: dropped connections, wrong answers, silence.

A rule strikes before the service saw the request, or after the effect took place and only the answer is lost.
What the services refuse by their own rules is none of this module's business.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, cast

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from connector.sandbox.partner_central.api import TARGET_PREFIX, to_response
from connector.sandbox.partner_central.errors import ServiceError

At = Literal["before", "after"]
Do = Literal["reset", "status", "html", "truncate", "hang", "throttle"]

DOOR = "/_sandbox"
_EVERY = "*"
_ACTIONS = ("reset", "status", "html", "truncate", "hang", "throttle")
_HTML = "<html><head><title>Down</title></head><body><h1>The service is unavailable</h1></body></html>"

# Salesforce labels by path, the first that matches.
_LABELS = (
    ("token", r"/services/oauth2/token"),
    ("queryAll", r"/services/data/[^/]+/queryAll(/.*)?"),
    ("query", r"/services/data/[^/]+/query(/.*)?"),
    ("collections", r"/services/data/[^/]+/composite/sobjects(/.*)?"),
    ("composite", r"/services/data/[^/]+/composite(/.*)?"),
    ("describe", r"/services/data/[^/]+/sobjects(/[^/]+/describe.*)?/?"),
    ("sobject", r"/services/data/[^/]+/sobjects/.+"),
    ("limits", r"/services/data/[^/]+/limits/?"),
)


@dataclass(slots=True)
class Rule:
    """One fault. `on` is an operation name, a Salesforce label, or `*`.

    `skip` requests pass before it strikes; it strikes `times`, or without end when None. `seconds` is how
    long `hang` holds the connection before it drops it. `status` and `body` belong to `status` and `html`.
    """

    on: str = _EVERY
    at: At = "before"
    do: Do = "reset"
    status: int = 503
    body: str | None = None
    seconds: float = 60.0
    times: int | None = 1
    skip: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        if self.do not in _ACTIONS or self.at not in ("before", "after"):
            raise ValueError(f"no such fault: {self.do} {self.at}")


class Faults:
    """The rules in force and how often they struck. Thread-safe."""

    def __init__(self, *rules: Rule) -> None:
        self._rules = list(rules)
        self._lock = threading.Lock()
        self._fired = 0

    @property
    def fired(self) -> int:
        """How many requests were struck so far."""
        with self._lock:
            return self._fired

    def add(self, **rule: Any) -> Rule:
        """Adds a rule, given by its fields. Raises TypeError or ValueError for one that makes no sense."""
        added = Rule(**rule)
        with self._lock:
            self._rules.append(added)
        return added

    def clear(self) -> None:
        """Takes every rule away; the counts stay."""
        with self._lock:
            self._rules.clear()

    def take(self, label: str) -> Rule | None:
        """The rule that strikes a request with this label, counted; None lets it pass."""
        with self._lock:
            for rule in self._rules:
                is_spent = rule.times is not None and rule.fired >= rule.times
                if rule.on not in (_EVERY, label) or is_spent:
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                rule.fired += 1
                self._fired += 1
                return rule
        return None


class ConnectionProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the transport put where an ASGI app can reach it, to drop the connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        # uvicorn shares one state among all connections; each needs its own transport in it.
        super().__init__(config, server_state, dict(app_state), _loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state["transport"] = transport
        super().connection_made(transport)

    def shutdown(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
        if self.transport.is_closing():
            # An idle client does not answer TLS's goodbye; waiting for it would hold up the end.
            end_at_once(self.transport)


class FaultInjection:
    """ASGI middleware that lets `faults` strike. The admin door is spared."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        label = label_of(scope) if scope["type"] == "http" else None
        rule = self._faults.take(label) if label is not None else None
        if rule is None:
            await self._app(scope, receive, send)
            return
        answer: list[Message] = []
        if rule.at == "after":
            answer = await self._effect(scope, receive)
        else:
            await _take_in(receive)
        await _strike(rule, answer, scope, receive, send)

    async def _effect(self, scope: Scope, receive: Receive) -> list[Message]:
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        return answer


def end_at_once(transport: asyncio.Transport) -> None:
    """Drops the connection without a goodbye; one that was closed twice goes by itself."""
    # A TLS transport forgets its protocol when it is closed twice, and abort() fails on Python's older patch releases.
    with suppress(AttributeError):
        transport.abort()


def label_of(scope: Scope) -> str | None:
    """What rules call a request: its operation or its Salesforce label; None for the door."""
    path = scope["path"]
    if path.startswith(DOOR):
        return None
    target = Headers(scope=scope).get("x-amz-target", "")
    if target.startswith(TARGET_PREFIX):
        return target.removeprefix(TARGET_PREFIX)
    return next((label for label, pattern in _LABELS if re.fullmatch(pattern, path)), "other")


async def _strike(rule: Rule, answer: list[Message], scope: Scope, receive: Receive, send: Send) -> None:
    if rule.do == "hang":
        with suppress(TimeoutError):
            await asyncio.wait_for(_disconnected(receive), rule.seconds)
    if rule.do in ("hang", "reset"):
        _drop(scope)
        # uvicorn must see the connection gone, or it answers 500 for an app that said nothing.
        await _disconnected(receive)
    elif rule.do == "truncate":
        await _truncate(answer, scope, send)
    else:
        await _wrong_answer(rule, scope)(scope, receive, send)


async def _take_in(receive: Receive) -> None:
    # A client that is still sending when the answer comes sees a broken pipe instead of the fault.
    while (await receive()).get("more_body", False):
        pass


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(scope: Scope) -> asyncio.Transport:
    return cast("asyncio.Transport", scope["state"]["transport"])


def _drop(scope: Scope) -> None:
    transport = _transport(scope)
    if transport.is_closing():
        return
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        # Lingering for no time makes the kernel send a reset where it would have said goodbye.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _truncate(answer: list[Message], scope: Scope, send: Send) -> None:
    body = b"".join(message.get("body", b"") for message in answer) or b'{"Id": "lost", "Name": "lost"}'
    start = next((message for message in answer if message["type"] == "http.response.start"), None)
    plain = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", str(len(body)).encode())],
    }
    await send(start or plain)
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    # Half the promised bytes are on their way; closing lets them through and no more.
    _transport(scope).close()


def _wrong_answer(rule: Rule, scope: Scope) -> Response:
    if rule.do == "html":
        return Response(rule.body or _HTML, rule.status, media_type="text/html")
    if rule.body is not None:
        return Response(rule.body, rule.status, media_type="application/json")
    is_partner_central = "x-amz-target" in Headers(scope=scope)
    if rule.do == "throttle":
        return _throttled(is_partner_central)
    if is_partner_central:
        return to_response(ServiceError("InternalServerException", "Internal server error", status=rule.status))
    return _salesforce(rule.status, {"errorCode": "SERVER_UNAVAILABLE", "message": "The server is unavailable"})


def _throttled(is_partner_central: bool) -> Response:
    if is_partner_central:
        return to_response(ServiceError("ThrottlingException", "Rate exceeded"))
    return _salesforce(403, {"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."})


def _salesforce(status: int, error: Mapping[str, str]) -> Response:
    return Response(json.dumps([error]), status, media_type="application/json")
