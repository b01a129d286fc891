"""Partner Central over HTTP: awsJson 1.0 as the SDKs and the CLI speak it; beside it, who calls and what they may."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.sandbox.partner_central.errors import ServiceError
from connector.sandbox.partner_central.identity import answer_form, to_xml_error
from connector.sandbox.partner_central.service import PartnerCentral

FORM = "application/x-www-form-urlencoded"
TARGET_PREFIX = "AWSPartnerCentralSelling."
MODEL_NAMESPACE = "com.amazon.partnerintegrationapi.common"
FRAMEWORK_NAMESPACE = "com.amazon.coral.service"

_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 .*Credential=(?P<key>[^/,\s]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
)
_MODELLED = frozenset(
    {
        "AccessDeniedException",
        "ConflictException",
        "InternalServerException",
        "ResourceNotFoundException",
        "ServiceQuotaExceededException",
        "ThrottlingException",
        "ValidationException",
    }
)


def create_app(service: PartnerCentral) -> Starlette:
    """An ASGI app that serves `service` at POST /."""

    async def answer(request: Request) -> Response:
        response = await respond(request)
        response.headers["date"] = service.wire_time()
        return response

    async def respond(request: Request) -> Response:
        request_id = _request_id()
        try:
            if request.headers.get("content-type", "").startswith(FORM):
                return await _ask_identity(service, request)
            payload = await _perform(service, request)
        except UnsignedError:
            return _respond(403, {"message": "Missing Authentication Token"}, request_id, "MissingAuthenticationToken")
        except ServiceError as error:
            return to_response(error, request_id)
        return _respond(200, payload, request_id)

    return Starlette(routes=[Route("/", answer, methods=["POST"])])


def to_response(error: ServiceError, request_id: str | None = None) -> Response:
    """A modelled error on the wire: its name in the `x-amzn-ErrorType` header and in the body's `__type`."""
    namespace = MODEL_NAMESPACE if error.kind in _MODELLED else FRAMEWORK_NAMESPACE
    body = {"__type": f"{namespace}#{error.kind}", "Message": error.message, **error.members}
    error_type = f"{error.kind}:http://internal.amazon.com/coral/{namespace}/"
    return _respond(error.status, body, request_id or _request_id(), error_type)


class UnsignedError(Exception):
    """The request carries no SigV4 Authorization header."""


async def _ask_identity(service: PartnerCentral, request: Request) -> Response:
    """STS and IAM, which speak the Query protocol: a form is sent, XML comes back."""
    form = dict(parse_qsl((await request.body()).decode()))
    try:
        access_key = _access_key(request.headers.get("authorization", ""), ("sts", "iam"))
    except UnsignedError:
        status, text = 403, to_xml_error("MissingAuthenticationToken", "Request is missing Authentication Token")
    except ServiceError as error:
        status, text = error.status, to_xml_error(error.kind, error.message)
    else:
        status, text = answer_form(service.settings, service.account_of(access_key), form)
    return Response(text, status, media_type="text/xml")


async def _perform(service: PartnerCentral, request: Request) -> dict[str, Any]:
    access_key = _access_key(request.headers.get("authorization", ""), ("partnercentral-selling",))
    operation = request.headers.get("x-amz-target", "")
    body = _parse(await request.body())
    account = service.account_of(access_key)
    answer = service.perform(operation.removeprefix(TARGET_PREFIX), account, body)
    if answer.delay:
        await asyncio.sleep(answer.delay)
    return answer.render()


def _access_key(authorization: str, services: tuple[str, ...]) -> str:
    if not authorization:
        raise UnsignedError
    match = _CREDENTIAL.match(authorization)
    if match is None:
        raise ServiceError("IncompleteSignatureException", "Authorization header is not of SigV4.", status=403)
    # The secrets are nobody's here, so the signature itself cannot be checked; its scope can.
    if match["region"] != "us-east-1" or match["service"] not in services:
        text = f"Credential should be scoped to us-east-1/{services[0]}."
        raise ServiceError("InvalidSignatureException", text, status=403)
    return match["key"]


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", "The request is not valid JSON.") from error


def _request_id() -> str:
    return str(uuid4())


def _respond(status: int, body: dict[str, Any], request_id: str, error_type: str | None = None) -> Response:
    headers = {"x-amzn-RequestId": request_id}
    if error_type is not None:
        headers["x-amzn-ErrorType"] = error_type
    content = json.dumps(body, ensure_ascii=False)
    return Response(content, status, headers, media_type="application/x-amz-json-1.0")
