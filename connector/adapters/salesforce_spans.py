"""What a trace tells of a request to Salesforce, in OpenTelemetry's words: host, method, status; no id and no query."""

from __future__ import annotations

from contextlib import AbstractContextManager
from urllib.parse import urlsplit

import requests

from connector import tracing

_WORDS = frozenset({"services", "oauth2", "token", "data", "composite", "sobjects", "query", "queryAll", "describe"})
"""Parts of a path that are the same for every org and record. All else is left out: an object's name, an id."""


def calling(label: str, method: str, base_url: str, path: str) -> AbstractContextManager[None]:
    """The span of one request; ``label`` says in a word what is asked for."""
    parts = urlsplit(base_url)
    template = "/" + "/".join(_plain(part) for part in f"{parts.path}/{path}".split("/") if part)
    attributes: dict[str, str | int] = {
        "connector.call": label,
        "http.request.method": method,
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        "url.template": template,
    }
    return tracing.call(f"{method} {template}", attributes)


def note_response(response: requests.Response) -> None:
    tracing.note({"http.response.status_code": response.status_code})
    if not response.ok:
        tracing.note({"error.type": str(response.status_code)})


def _plain(part: str) -> str:
    is_version = part[:1] == "v" and part[1:].replace(".", "").isdigit()
    return part if part in _WORDS or is_version else "{name}"
