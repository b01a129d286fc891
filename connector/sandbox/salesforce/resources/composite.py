"""Composite: up to 25 requests in one call, each with its own status; later ones may name earlier results."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connector.sandbox.salesforce.calls import Call, Reply
from connector.sandbox.salesforce.faults import ApiError
from connector.sandbox.salesforce.org import Org

MAX_PARTS = 25
MAX_QUERIES = 5
Dispatch = Callable[[Org, Call], Reply]
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_VERSIONED = re.compile(r"/services/data/v(\d+\.\d)/(.*)", re.DOTALL)
_COUNTED = re.compile(r"query(?:All)?(?:/|$)|composite/sobjects(?:/|$)")


def run(org: Org, call: Call, dispatch: Dispatch) -> Reply:
    """Carries the parts out in order; with `allOrNone` one failure undoes and marks the others."""
    body = call.read_object()
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise ApiError(400, "JSON_PARSER_ERROR", "compositeRequest must be a list of subrequests")
    excess = _find_excess(parts)
    if excess:
        refused = {"errorCode": "LIMIT_EXCEEDED", "message": excess}
        return Reply(400, {"compositeResponse": [_entry({"referenceId": None}, Reply(400, [refused]))]})
    _check_names(parts)
    with org.store.transaction() as transaction:
        results = _Parts(org, call, dispatch).run(parts, is_strict=body.get("allOrNone") is True)
        if body.get("allOrNone") is True and any(one["httpStatusCode"] >= 400 for one in results):
            transaction.roll_back()
            results = [_halt(one) if one["httpStatusCode"] < 400 else one for one in results]
    return Reply(200, {"compositeResponse": results})


def _find_excess(parts: list[dict[str, Any]]) -> str | None:
    """What there is too much of, in the service's words."""
    if len(parts) > MAX_PARTS:
        return f"The request can’t contain more than {MAX_PARTS} operations."
    paths = (_VERSIONED.fullmatch(str(part.get("url"))) for part in parts)
    if sum(bool(path and _COUNTED.match(urlsplit(path[2]).path)) for path in paths) > MAX_QUERIES:
        return f"The request can’t contain more than {MAX_QUERIES} query and sObject Collections operations."
    return None


def _check_names(parts: list[dict[str, Any]]) -> None:
    names = [part.get("referenceId") for part in parts]
    if len(set(names)) != len(names) or not all(isinstance(name, str) and name for name in names):
        raise ApiError(400, "INVALID_INPUT", "Every subrequest needs a referenceId of its own")


class _Parts:
    def __init__(self, org: Org, call: Call, dispatch: Dispatch) -> None:
        self.org = org
        self.call = call
        self.dispatch = dispatch
        self.bodies: dict[str, Any] = {}

    def run(self, parts: list[dict[str, Any]], *, is_strict: bool) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for part in parts:
            has_failed = is_strict and any(one["httpStatusCode"] >= 400 for one in results)
            results.append(_halt(_entry(part, Reply(400))) if has_failed else self.run_part(part))
        return results

    def run_part(self, part: dict[str, Any]) -> dict[str, Any]:
        try:
            reply = self.dispatch(self.org, self.read_call(part))
        except _MissingReferenceError as missing:
            reply = Reply(400, [{"errorCode": "PROCESSING_HALTED", "message": str(missing)}])
        if reply.status < 400:
            self.bodies[part["referenceId"]] = reply.body
        return _entry(part, reply)

    def read_call(self, part: dict[str, Any]) -> Call:
        url = str(self.resolve(part.get("url", "")))
        found = _VERSIONED.fullmatch(url)
        split = urlsplit(found[2] if found else "")
        return Call(
            str(part.get("method", "")).upper(),
            found[1] if found else self.call.version,
            unquote(split.path) if found else "",
            dict(parse_qsl(split.query, keep_blank_values=True)),
            {str(key).lower(): str(value) for key, value in (part.get("httpHeaders") or {}).items()},
            self.resolve(part.get("body")),
            self.call.actor,
        )

    def resolve(self, value: Any) -> Any:
        """Puts results of earlier parts in place of `@{name.path}`, anywhere in a body or url."""
        if isinstance(value, dict):
            return {key: self.resolve(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.resolve(one) for one in value]
        if not isinstance(value, str):
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return self.look_up(whole)
        return _REFERENCE.sub(lambda found: str(self.look_up(found)), value)

    def look_up(self, found: re.Match[str]) -> Any:
        value: Any = self.bodies.get(found[1])
        try:
            for step in _STEP.finditer(found[2]):
                value = value[step[1]] if step[1] else value[int(step[2])]
        except (KeyError, IndexError, TypeError):
            value = None
        if value is None:
            message = f"Invalid reference specified. No value for {found[0][2:-1]} found in {found[1]}"
            raise _MissingReferenceError(message)
        return value


class _MissingReferenceError(Exception):
    """A part names a result that is not there."""


def _entry(part: dict[str, Any], reply: Reply) -> dict[str, Any]:
    return {
        "body": reply.body,
        "httpHeaders": reply.headers,
        "httpStatusCode": reply.status,
        "referenceId": part["referenceId"],
    }


def _halt(entry: dict[str, Any]) -> dict[str, Any]:
    message = "The transaction was rolled back since another operation in the same transaction failed."
    halted = [{"errorCode": "PROCESSING_HALTED", "message": message}]
    return {**entry, "body": halted, "httpHeaders": {}, "httpStatusCode": 400}
