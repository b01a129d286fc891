"""Templates to answers. Whatever comes from a record is text here: escaped, and without what would steer the reader."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from connector import __version__
from connector.core.eta import to_words
from connector.core.plain import to_plain
from connector.web.access import visitor_of

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SHORT = 280
"""Longer values are folded up."""


def answer(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A whole page, or the part of it that a script asked for."""
    visitor = visitor_of(request.scope)
    if visitor is not None:
        visitor.session.is_needed = True
    found = _templates().get_template(template)
    shown = found.render(visitor=visitor, is_part=is_part(request), path=request.scope["path"], **values)
    return HTMLResponse(shown, status, {"vary": "HX-Request, Cookie"})


def told(request: Request, status: int, title: str, message: str, cure: str = "") -> Response:
    """A page that says why there is none."""
    return answer(request, "told.html", status, title=title, message=message, cure=cure, code=status, back="/")


def is_part(request: Request) -> bool:
    """Whether a script asks, to renew what is on the page already."""
    return request.headers.get("hx-request") == "true"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_to_shown,
    )
    environment.globals |= {"static": static_path, "version": __version__, "short": SHORT}
    environment.filters |= {"soft": to_soft}
    environment.filters |= {"z": to_z, "stamp": to_stamp, "ago": to_ago, "value": to_value, "thousands": to_thousands}
    return environment


def _to_shown(value: Any) -> Any:
    if value is None:
        return ""
    return to_plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def static_files() -> Mapping[str, tuple[str, bytes]]:
    """(digest, content) of what is served as it is, by name. The digest stands in the address, so that it may be kept
    for ever."""
    files = (path for path in STATIC.iterdir() if path.suffix in MEDIA)
    return {path.name: (hashlib.sha256(path.read_bytes()).hexdigest()[:16], path.read_bytes()) for path in files}


def static_path(name: str) -> str:
    """The address of a file of ``static``."""
    return f"/static/{static_files()[name][0]}/{name}"


def to_moment(value: datetime | str | None) -> datetime | None:
    """An instant of the ledger or of a report; None for none."""
    if isinstance(value, str):
        return datetime.fromisoformat(value) if value else None
    return value


def to_z(value: datetime | str | None) -> str:
    """``2026-11-01T10:00:00Z``, for machines; "" for none."""
    moment = to_moment(value)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def to_stamp(value: datetime | str | None) -> str:
    """``2026-11-01 10:00:00 UTC``, for people."""
    moment = to_moment(value)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "never"


def to_ago(value: datetime | str | None, now: datetime) -> str:
    """``5 min ago``, ``in 5 min``, ``now``; "never" for none."""
    moment = to_moment(value)
    if moment is None:
        return "never"
    gone = now - moment
    if abs(gone.total_seconds()) < 1:
        return "now"
    words = to_words(abs(gone)).removeprefix("~")
    return f"{words} ago" if gone.total_seconds() > 0 else f"in {words}"


def to_value(value: Any) -> str:
    """A value of a record as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def to_soft(text: str) -> Markup:
    """A path or a field's name, which may be broken between its parts rather than anywhere."""
    return Markup(re.sub(r"(?<=[._/:])(?=[^._/:])", "<wbr>", str(escape(to_plain(text)))))  # noqa: S704 (escaped)


def to_thousands(number: int) -> str:
    """``12,345``."""
    return f"{number:,}"
