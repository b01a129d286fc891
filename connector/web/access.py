"""Who may look at the page, and who may press a button: hosts, the token, sessions, forged requests, bounds.

Everything that is served passes here first. What is shown is none of its business, and it asks no ledger.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.config.models import Web
from connector.web.attempts import Attempts
from connector.web.serving import Serving
from connector.web.sessions import Session, Sessions

SIGN_IN = "/sign-in"
OPEN = frozenset({"/healthz", "/readyz"})
"""Answered to everybody; what they tell a stranger is their own business."""
LONGEST_ADDRESS = 2_000
LARGEST_BODY = 64 * 1024
LONGEST_NAME = 64
_SAFE = frozenset({"GET", "HEAD"})
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    # Not no-referrer: with that a browser sends `Origin: null` with our own forms, too, and nobody could tell them
    # from a stranger's. To other sites this one sends as little.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks: ``name`` as far as it is known, for the audit trail.

    ``needs_form``: what it asks for has to come from one of our own forms. ``has_signed_in``: it can sign out.
    """

    name: str
    session: Session
    needs_form: bool = True
    has_signed_in: bool = False

    @property
    def actor(self) -> str:
        """As the audit trail has it."""
        return f"page, {self.name}"


def visitor_of(scope: Scope) -> Visitor | None:
    """Who asks; None for a stranger, who is shown nothing but whether the process is well."""
    found = scope.get("connector.visitor")
    return found if isinstance(found, Visitor) else None


def protected(inner: ASGIApp, serving: Serving) -> Door:
    """The application behind its door."""
    return Door(inner, serving)


class Door:
    """Lets requests through to the application, each with its visitor, or answers them itself."""

    def __init__(self, inner: ASGIApp, serving: Serving) -> None:
        self._inner = inner
        self._serving = serving
        self.sessions = Sessions(lambda: self.web)
        self.attempts = Attempts()

    @property
    def web(self) -> Web:
        """The section as it is now: a reload may change it."""
        return self._serving.app().config.web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._inner(scope, receive, send)
            return
        request = Request(scope, receive)
        outgoing = _Outgoing(self, request, send)
        answer = _out_of_bounds(request) or await self._answer(request)
        if answer is not None:
            await answer(scope, receive, outgoing.send)
            return
        await self._inner(scope, _Bounded(receive).receive, outgoing.send)

    async def _answer(self, request: Request) -> Response | None:
        """The answer to what may not pass; None for what may, with its visitor in the scope."""
        request.scope["connector.door"] = self
        # Not request.url: some releases of the framework read that from the Host header, which anybody may fill in.
        path, web = str(request.scope["path"]), self.web
        if not is_known_host(request.headers.get("host", ""), web):
            return None if path in OPEN else _refuse(request, *_STRANGE_HOST)
        visitor = self._recognise(request, web)
        request.scope["connector.visitor"] = visitor
        is_wrong = visitor is None and "authorization" in request.headers
        if is_wrong and not await self.attempts.failed(_address_of(request)):
            return _refuse(request, *_CROWDED)
        if path in OPEN:
            return None
        if request.method not in _SAFE and is_forged(request.headers, web.hosts):
            return _refuse(request, *_FORGED)
        if visitor is None and path != SIGN_IN and not path.startswith("/static/"):
            return self._send_to_sign_in(request)
        return None

    def _recognise(self, request: Request, web: Web) -> Visitor | None:
        """Who asks. Without a token whoever is on this machine; with one, who has it or a session."""
        session = self.sessions.find(request.cookies)
        named = _named(request, web)
        if web.token is None:
            return Visitor(named or "somebody on this machine", session or self.sessions.open(""))
        if is_token(_bearer_of(request), web):
            # A proxy that knows the token sends it for every browser behind it, forged requests included.
            return Visitor(named or "a program", session or self.sessions.open(""), needs_form=bool(web.user_header))
        if session is None:
            return None
        return _signed_in(named, session)

    def _send_to_sign_in(self, request: Request) -> Response:
        is_browser = "text/html" in request.headers.get("accept", "") and request.method in _SAFE
        if is_browser and "hx-request" not in request.headers:
            path, query = (request.scope[part].decode("latin-1") for part in ("raw_path", "query_string"))
            asked = f"{path}?{query}" if query else path
            return RedirectResponse(f"{SIGN_IN}?next={quote(asked, safe='')}", status_code=303)
        answer = _refuse(request, *_UNKNOWN)
        answer.headers["www-authenticate"] = "Bearer"
        return answer

    async def sign_in(self, request: Request, token: str, name: str) -> Session | None:
        """A session for whoever knows the token; else None, after a while unless too many wait already."""
        if not is_token(token, self.web):
            await self.attempts.failed(_address_of(request))
            return None
        # Where a proxy names the person the form does not ask, and what it is sent all the same is anybody's word.
        session = self.sessions.open("" if self.web.user_header else _plain(name))
        session.is_needed = True
        request.scope["connector.visitor"] = _signed_in(_named(request, self.web), session)
        return session

    def sign_out(self, request: Request) -> str:
        """End the visitor's session; gives the header that takes its cookie away."""
        visitor = visitor_of(request.scope)
        if visitor is not None:
            self.sessions.end(visitor.session)
        request.scope["connector.visitor"] = None
        return self.sessions.no_cookie(is_secure=is_secure(request))


def is_known_host(given: str, web: Web) -> bool:
    """Whether a request is meant for us: else another site's name was made to point here, with that site's scripts."""
    host = _host_in(given)
    listening = _host_in(web.listen)
    if host is None or listening is None:
        return False
    known = {"localhost", listening, *(one.casefold() for one in web.hosts)}
    if host in known or given.casefold() in known:
        return True
    address = _to_address(host)
    if address is None:
        return False
    is_anywhere = (to := _to_address(listening)) is not None and to.is_unspecified
    # No name points to an address in place of a name, so that an address is always meant.
    return address.is_loopback or is_anywhere


def _host_in(given: str) -> str | None:
    """The name or address of ``host:port``, None for nonsense."""
    try:
        found = urlsplit(f"//{given}")
        _ = found.port
    except ValueError:
        return None
    is_plain = found.path == found.query == found.fragment == "" and found.username is None
    return found.hostname.rstrip(".") if is_plain and found.hostname else None


def _to_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_token(given: str, web: Web) -> bool:
    """Whether this is the token, in a time that does not tell how much of it is right."""
    if web.token is None:
        return False
    one, other = (hashlib.sha256(text.strip().encode()).digest() for text in (given, web.token.get_secret_value()))
    return hmac.compare_digest(one, other)


def is_forged(headers: Headers, hosts: Sequence[str] = ()) -> bool:
    """Whether another site's page made the browser send this, as far as the browser tells.

    ``hosts`` are further names of ours: a proxy in front may pass its own on, and not the one that was asked for.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    if origin is None or (origin == "null" and site is not None):
        return False
    given, known = urlsplit(origin).netloc.casefold(), {one.casefold() for one in hosts}
    is_ours = given == headers.get("host", "").casefold() or given in known or _host_in(given) in known
    return not is_ours


def is_form_token(request: Request, given: str) -> bool:
    """Whether a form is one of those that this visitor was shown."""
    visitor = visitor_of(request.scope)
    if visitor is None:
        return False
    return not visitor.needs_form or hmac.compare_digest(visitor.session.csrf.encode(), given.encode())


def is_secure(request: Request) -> bool:
    """Whether the browser speaks https, to us or to the proxy in front."""
    return "https" in {request.scope["scheme"], request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()}


def _named(request: Request, web: Web) -> str:
    """Whom the proxy in front names, "" where there is none that does."""
    return _plain(request.headers.get(web.user_header, "")) if web.user_header else ""


def _signed_in(named: str, session: Session) -> Visitor:
    """The visitor of a session; what a proxy calls it comes before what it calls itself."""
    return Visitor(named or session.name or "somebody who knows the token", session, has_signed_in=True)


def _bearer_of(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind.casefold() == "bearer" else ""


def _address_of(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _plain(name: str) -> str:
    """A name as the audit trail may have it: one short line."""
    return " ".join("".join(one if one.isprintable() else " " for one in name).split())[:LONGEST_NAME]


def _out_of_bounds(request: Request) -> Response | None:
    """Refuses what is too long to be meant."""
    length = request.headers.get("content-length", "0")
    if len(request.scope["raw_path"]) + len(request.scope["query_string"]) > LONGEST_ADDRESS:
        return _refuse(request, *_LONG_ADDRESS)
    if int(length) > LARGEST_BODY:  # the server takes nothing but digits, and not too many
        return _refuse(request, *_LARGE_BODY)
    return None


class _Bounded:
    """A body that ends where it becomes too large, whatever was announced."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = LARGEST_BODY

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return message if self._left >= 0 else {"type": "http.disconnect"}


class _Outgoing:
    """Adds to every answer what keeps a browser from doing what we do not want."""

    def __init__(self, door: Door, request: Request, send: Send) -> None:
        self._door = door
        self._request = request
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            self._give_session(headers)
        await self._send(message)

    def _give_session(self, headers: MutableHeaders) -> None:
        visitor = visitor_of(self._request.scope)
        if visitor is not None and visitor.session.is_new and visitor.session.is_needed:
            cookie = self._door.sessions.cookie_of(visitor.session, is_secure=is_secure(self._request))
            headers.append("set-cookie", cookie)


_Told = tuple[int, str, str, str]
"""Status, title, message and cure of a refusal."""
_STRANGE_HOST: _Told = (
    421,
    "Not under this name",
    "This page is not served under the name that was asked for.",
    "If the name is right, add it to web.hosts in config.yaml.",
)
_FORGED: _Told = (
    403,
    "Sent by another page",
    "This was not sent by the connector's own page, so nothing was done.",
    "Open the page itself and press the button there.",
)
_UNKNOWN: _Told = (401, "Not signed in", "You are not signed in, or no longer.", "Sign in, then do it again.")
_CROWDED: _Told = (429, "Too many attempts", "Too many wrong tokens came from there.", "Wait some seconds.")
_LONG_ADDRESS: _Told = (414, "Address too long", "That address is longer than any of this page.", "")
_LARGE_BODY: _Told = (413, "Too much", "That is more than any form of this page sends.", "")


def _refuse(request: Request, status: int, title: str, message: str, cure: str) -> Response:
    # Late, since the page asks here who its visitor is.
    from connector.web.page.rendering import told

    return told(request, status, title, message, cure)


def door_of(request: Request) -> Door:
    """The door that the request came through."""
    door: Door = request.scope["connector.door"]
    return door
