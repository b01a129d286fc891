"""The org over HTTP: a Starlette application with the token endpoint and the REST API.

The server must be told to send no Date header of its own (uvicorn: `date_header=False`): the org's clock is
the one clients read. What is not the business of any one resource is here: tokens, quota, limits of size.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.sandbox.salesforce.calls import (
    FIRST_VERSION,
    LAST_VERSION,
    Call,
    Reply,
    to_http_date,
    to_reply,
)
from connector.sandbox.salesforce.faults import ApiError, missing_resource
from connector.sandbox.salesforce.oauth import Asked, GrantError, grant
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.resources.catalogue import list_versions
from connector.sandbox.salesforce.routes import dispatch, find_label
from connector.sandbox.salesforce.writes import Actor

MAX_URI = 16_384
JSON = "application/json;charset=UTF-8"
_VERSION = re.compile(r"v(\d+)\.0(?:/(.*))?", re.DOTALL)
_TOO_LONG = "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"
_METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]


def create_app(org: Org) -> Starlette:
    """The application that serves one org at /services/oauth2/token and /services/data."""
    door = _Door(org)
    return Starlette(
        routes=[
            Route("/services/oauth2/token", door.serve_token, methods=["POST"]),
            Route("/services/data{path:path}", door.serve_data, methods=_METHODS),
        ]
    )


class _Door:
    def __init__(self, org: Org) -> None:
        self.org = org

    # -- tokens --------------------------------------------------------------------------------------

    async def serve_token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        origin = f"{request.url.scheme}://{request.url.netloc}"
        asked = Asked(form, request.headers.get("authorization"), origin)
        fault = self.org.rules.take_wire_fault("POST", request.url.path)
        if fault:
            return self.respond_raw(fault.status, fault.body, fault.content_type)
        try:
            with self.org.lock:
                return self.respond(Reply(200, grant(self.org, asked)))
        except GrantError as refused:
            body = {"error": refused.error, "error_description": refused.description}
            return self.respond(Reply(400, body))

    # -- data ----------------------------------------------------------------------------------------

    async def serve_data(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self.answer, request, body)

    def answer(self, request: Request, body: bytes) -> Response:
        raw = request.scope["raw_path"] + b"?" + request.scope["query_string"]
        if len(raw) > MAX_URI:
            return self.respond_raw(414, _TOO_LONG, "text/html")
        path = str(request.path_params["path"]).strip("/")
        if not path:
            return self.respond(Reply(200, list_versions()))
        with self.org.lock:
            return self.answer_version(request, path, body)

    def answer_version(self, request: Request, path: str, body: bytes) -> Response:
        found = _VERSION.fullmatch(path)
        label = find_label(request.method, found[2] or "") if found else f"{request.method} ?"
        fault = self.org.rules.take_wire_fault(request.method, request.url.path)
        if fault and not fault.after_commit:
            self.org.calls.append((label, fault.status))
            return self.respond_raw(fault.status, fault.body, fault.content_type)
        try:
            reply = self.carry_out(request, found, body)
        except ApiError as error:
            reply = to_reply(error)
        self.org.calls.append((label, fault.status if fault else reply.status))
        if fault:
            return self.respond_raw(fault.status, fault.body, fault.content_type)
        usage = {"Sforce-Limit-Info": self.org.usage.describe(self.org.now())}
        return self.respond(reply, usage if reply.status < 400 else None)

    def carry_out(self, request: Request, found: re.Match[str] | None, body: bytes) -> Reply:
        org, now = self.org, self.org.now()
        actor = self.authenticate(request)
        if org.usage.is_exhausted(now):
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        org.usage.spend(now)
        if found is None or not FIRST_VERSION <= int(found[1]) <= LAST_VERSION:
            raise missing_resource()
        org.store.settle(now)
        return dispatch(
            org,
            Call(
                request.method,
                f"{found[1]}.0",
                found[2] or "",
                dict(request.query_params),
                {key.lower(): value for key, value in request.headers.items()},
                _read_json(request, body),
                actor,
            ),
        )

    def authenticate(self, request: Request) -> Actor:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in {"bearer", "oauth"} or not token:
            raise ApiError(401, "INVALID_AUTH_HEADER", "INVALID_AUTH_HEADER")
        session = self.org.sessions.use(token.strip(), self.org.now())
        if session is None:
            raise ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        return Actor(session.user_id, through_api=True)

    # -- answers -------------------------------------------------------------------------------------

    def respond(self, reply: Reply, more: dict[str, str] | None = None) -> Response:
        headers = {"Date": to_http_date(self.org.now()), **reply.headers, **(more or {})}
        if reply.body is None:
            return Response(None, reply.status, headers)
        content = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":"))
        return Response(content, reply.status, headers, JSON)

    def respond_raw(self, status: int, body: str, content_type: str) -> Response:
        headers = {"Date": to_http_date(self.org.now())}
        return Response(body, status, headers, content_type)


def _read_json(request: Request, body: bytes) -> Any:
    if not body or request.method in {"GET", "HEAD", "DELETE"}:
        return None
    content_type = request.headers.get("content-type", "")
    if "json" not in content_type.lower():
        message = f"Content-Type header specified in HTTP request is not supported: {content_type}"
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", message)
    try:
        return json.loads(body)
    except ValueError as error:
        at = f"[line:{getattr(error, 'lineno', 1)}, column:{getattr(error, 'colno', 1)}]"
        raise ApiError(400, "JSON_PARSER_ERROR", f"Unexpected character in the request body at {at}") from None
