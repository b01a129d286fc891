"""Signing in with the token, and out again. Who may do what is decided at the door; see ``web.access``."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector.core.audit import Entry, Event
from connector.errors import ConnectorError
from connector.web.access import LONGEST_NAME, door_of, visitor_of
from connector.web.page.desk import Desk, Endpoint, read_form, read_own_form
from connector.web.page.rendering import answer

logger = logging.getLogger(__name__)


_LOCAL = re.compile(r"/(?!/)[!-\[\]-~]*")
"""A path with what follows it: one slash in front, plain characters, no backslash, which browsers take for a slash."""


def to_local(path: str) -> str:
    """The address of a page of ours, "/" for anybody else's."""
    return path if _LOCAL.fullmatch(path) else "/"


def sign_in(desk: Desk) -> Endpoint:
    """The form, and what it sends."""

    async def run(request: Request) -> Response:
        web = door_of(request).web
        asks_name = not web.user_header
        if web.token is None:
            return RedirectResponse("/", status_code=303)
        if request.method != "POST":
            wanted = to_local(request.query_params.get("next", "/"))
            return answer(request, "sign_in.html", next=wanted, refused="", asks_name=asks_name, name="")
        form = await read_form(request)
        if isinstance(form, Response):
            return form
        wanted, name = to_local(form.get("next", "/")), form.get("name", "")[:LONGEST_NAME]
        session = await door_of(request).sign_in(request, form.get("token", ""), name)
        if session is None:
            words = "That is not the token. Copy it once more, without spaces."
            return answer(request, "sign_in.html", 403, next=wanted, refused=words, asks_name=asks_name, name=name)
        await anyio.to_thread.run_sync(_note, desk, request, limiter=desk.threads)
        return RedirectResponse(wanted, status_code=303)

    return run


def _note(desk: Desk, request: Request) -> None:
    """For the audit trail. A ledger that is down keeps nobody out: the page then says that it is."""
    visitor = visitor_of(request.scope)
    if visitor is None:
        return
    now = datetime.now(UTC)
    entries = [Entry(now, name, Event.SIGNED_IN, actor=visitor.actor) for name in desk.app.connections]
    try:
        desk.app.ledger.note(entries)
    except ConnectorError as error:
        extra = {"event": "sign_in_unnoted"}
        logger.warning("A sign-in to the page could not be noted: %s", error, extra=extra)


async def leave(request: Request) -> Response:
    """Sign out, if one of our own forms says so."""
    form = await read_own_form(request)
    if isinstance(form, Response):
        return form
    answered = RedirectResponse("/", status_code=303)
    answered.headers.append("set-cookie", door_of(request).sign_out(request))
    return answered
