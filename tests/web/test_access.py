"""Who is let in, what a button needs, and what no answer may lack."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import pytest
import requests
from pydantic import SecretStr
from starlette.datastructures import URL, Headers
from starlette.requests import Request

from connector import report
from connector.config.models import Web
from connector.core.audit import Event
from connector.errors import LedgerUnavailable
from connector.web import attempts as slowing
from connector.web.access import is_forged, is_known_host, is_secure, is_token
from connector.web.attempts import Attempts
from connector.web.page.session import to_local
from connector.web.sessions import LASTS, Sessions
from tests.web.conftest import TOKEN, Site, served
from tests.world import ENVIRONMENT, World, world

PAGES = ("/", "/deals", "/deals/sandbox/006000000000001AAA", "/connections/sandbox", "/metrics", "/nothing")


@pytest.fixture(name="quiet", scope="module")
def quiet_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which nothing happens, so that many tests can share it."""
    with pytest.MonkeyPatch.context() as patch, world(tmp_path_factory.mktemp("quiet")) as made:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield made


@pytest.fixture(name="serving", scope="module")
def serving_fixture(quiet: World) -> Iterator[Site]:
    with served(quiet.app()) as made:
        yield made


@pytest.fixture(name="serving_with_token", scope="module")
def serving_with_token_fixture(quiet: World) -> Iterator[Site]:
    with served(quiet.app(), token=TOKEN, hosts=("page.example",)) as made:
        yield made


@pytest.fixture(name="site")
def site_fixture(serving: Site) -> Iterator[Site]:
    """A page open to this machine, and a browser that was never there."""
    with as_new(serving) as made:
        yield made


@pytest.fixture(name="locked")
def locked_fixture(serving_with_token: Site) -> Iterator[Site]:
    """A page with a token, and a browser that was never there."""
    with as_new(serving_with_token) as made:
        yield made


@pytest.fixture(name="hurried")
def hurried_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for having sent a wrong token."""
    sleep = anyio.sleep
    monkeypatch.setattr(slowing.anyio, "sleep", lambda _: sleep(0))


@contextmanager
def as_new(site: Site) -> Iterator[Site]:
    with requests.Session() as session:
        session.trust_env = False
        yield Site(site.url, site.app, session)


def raw(site: Site, path: str, headers: dict[str, str], method: str = "GET", body: Any = None) -> tuple[int, str]:
    """A request past what a polite client would add or refuse."""
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body, encode_chunked=isinstance(body, list))
        answered = connection.getresponse()
        return answered.status, answered.read().decode()
    finally:
        connection.close()


# hosts


LOCAL = Web(listen="127.0.0.1:8720")
NAMED = Web(listen="127.0.0.1:8720", hosts=("connector.example", "Other.Example:8443"))
ANYWHERE = Web(listen="0.0.0.0:8720", token=SecretStr(TOKEN))
AT_A_NAME = Web(listen="box.example:8720", token=SecretStr(TOKEN))


@pytest.mark.parametrize(
    ("web", "host", "known"),
    [
        (LOCAL, "127.0.0.1:8720", True),
        (LOCAL, "localhost:8720", True),
        (LOCAL, "LOCALHOST", True),
        (LOCAL, "[::1]:8720", True),
        (LOCAL, "127.0.0.1.", True),
        (LOCAL, "evil.example", False),
        (LOCAL, "evil.example:8720", False),
        (LOCAL, "localhost.evil.example", False),
        (LOCAL, "127.0.0.1.nip.example", False),
        (LOCAL, "10.0.0.7:8720", False),
        (LOCAL, "localhost@evil.example", False),
        (LOCAL, "evil.example/localhost", False),
        (LOCAL, "evil.example#localhost", False),
        (LOCAL, "localhost:port", False),
        (LOCAL, "", False),
        (NAMED, "connector.example", True),
        (NAMED, "CONNECTOR.example:443", True),
        (NAMED, "other.example:8443", True),
        (NAMED, "other.example:1", False),
        (NAMED, "sub.connector.example", False),
        (ANYWHERE, "10.0.0.7:8720", True),
        (ANYWHERE, "[2001:db8::7]:8720", True),
        (ANYWHERE, "rebound.example:8720", False),
        (AT_A_NAME, "box.example:8720", True),
        (AT_A_NAME, "10.0.0.7:8720", False),
    ],
)
def test_a_request_is_for_us_or_refused(web: Web, host: str, known: bool) -> None:
    assert is_known_host(host, web) is known


def test_another_name_that_points_here_is_refused(site: Site) -> None:
    status, text = raw(site, "/", {"Host": "evil.example"})
    assert (status, "web.hosts" in text) == (421, True)
    assert raw(site, "/", {"Host": f"localhost:{urlsplit(site.url).port}"})[0] == 200


@pytest.mark.parametrize("host", ["x/healthz?", "x/healthz#", "x/static/", "localhost/healthz?", "x/sign-in?"])
def test_what_a_host_header_says_is_no_path(locked: Site, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    # As releases of the framework did that are still allowed.
    monkeypatch.setattr(Request, "url", property(to_url_by_host))
    status, text = raw(locked, "/deals", {"Host": host})
    assert (status, "sandbox" in text) == (421, False)


def to_url_by_host(request: Request) -> URL:
    """The address of a request, put together from what its Host header says."""
    return URL(f"http://{request.headers['host']}{request.scope['path']}")


def test_signing_in_leads_back_to_what_was_asked_for(locked: Site) -> None:
    answered = locked.get("/deals?q=a%26b&state=Held", headers={"accept": "text/html"})
    assert answered.headers["location"] == "/sign-in?next=%2Fdeals%3Fq%3Da%2526b%26state%3DHeld"


def test_a_stranger_learns_only_whether_it_is_well(locked: Site) -> None:
    for headers in ({"Host": "evil.example"}, {"Host": urlsplit(locked.url).netloc}):
        assert raw(locked, "/healthz", headers)[0] == 200
        status, text = raw(locked, "/readyz", headers)
        assert status in {200, 503}
        assert "sandbox" not in text


# the token


@pytest.mark.parametrize("path", PAGES)
def test_without_the_token_nothing_is_shown(locked: Site, path: str) -> None:
    answered = locked.get(path)
    assert answered.status_code == 401
    assert answered.headers["www-authenticate"] == "Bearer"
    assert "sandbox" not in answered.text
    person = locked.get(path, headers={"accept": "text/html"})
    assert (person.status_code, person.headers["location"].partition("?")[0]) == (303, "/sign-in")
    assert locked.post(path, data={}).status_code == 401


@pytest.mark.parametrize("given", ["Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
def test_a_wrong_token_opens_nothing(locked: Site, given: str, hurried: None) -> None:
    assert locked.get("/deals", headers={"authorization": given}).status_code == 401


def test_a_program_sends_the_token_with_each_request(locked: Site) -> None:
    answered = locked.get("/deals", headers={"authorization": f"Bearer {TOKEN}"})
    assert answered.status_code == 200
    assert locked.get("/metrics", headers={"authorization": f"bearer {TOKEN}"}).status_code == 200
    assert "set-cookie" not in locked.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).headers


def test_the_token_is_compared_without_its_edges() -> None:
    web = Web(listen="127.0.0.1:8720", token=SecretStr(f"{TOKEN}\n"))
    assert is_token(f" {TOKEN}", web)
    assert not is_token("", web)
    assert not is_token(TOKEN[:-1], web)
    assert not is_token("", LOCAL)


# sessions


def test_a_person_signs_in_and_out_again(locked: Site) -> None:
    answered = locked.sign_in()
    assert (answered.status_code, answered.headers["location"]) == (303, "/deals")
    cookie = answered.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    lasts = next(int(part.partition("=")[2]) for part in cookie.split("; ") if part.startswith("Max-Age="))
    assert LASTS - 60 <= lasts <= LASTS
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    shown = locked.get("/deals")
    assert (shown.status_code, "Sign out" in shown.text) == (200, True)
    kept = locked.session.cookies.copy()
    gone = locked.post("/sign-out", data={"csrf": locked.csrf(shown)})
    assert (gone.status_code, "Max-Age=0" in gone.headers["set-cookie"]) == (303, True)
    assert locked.get("/deals").status_code == 401
    # Not even for who kept the cookie.
    locked.session.cookies = kept
    assert locked.get("/deals").status_code == 401


def test_who_signed_in_stands_in_the_audit_trail(locked: Site) -> None:
    locked.sign_in("  Renate\t\x1b[31m Ops " + "x" * 99)
    *_, entry = [one for one in locked.app.ledger.audit("sandbox") if one.event == Event.SIGNED_IN]
    assert entry.actor.startswith("page, Renate [31m Ops xxx")
    assert len(entry.actor) <= len("page, ") + 64


def test_a_sign_in_behind_a_proxy_is_noted_under_the_name_that_the_proxy_gives(quiet: World) -> None:
    with served(quiet.app(), token=TOKEN, user_header="X-User") as site:
        for headers in ({"x-user": "renate@acme.example"}, {}):
            assert site.post("/sign-in", data={"token": TOKEN, "name": "Boss"}, headers=headers).status_code == 303
    with served(quiet.app(), token=TOKEN) as site:
        assert site.sign_in("   ").status_code == 303
    entries = [one.actor for one in site.app.ledger.audit("sandbox") if one.event == Event.SIGNED_IN]
    assert entries[-3:] == ["page, renate@acme.example", *["page, somebody who knows the token"] * 2]


def test_a_wrong_token_is_told_and_no_session_made(locked: Site, hurried: None) -> None:
    answered = locked.sign_in(token="something else")
    assert (answered.status_code, "That is not the token" in answered.text) == (403, True)
    assert "set-cookie" not in answered.headers
    assert locked.get("/deals").status_code == 401
    assert "something else" not in answered.text


@pytest.mark.parametrize("proto", ["https", "https, http"])
def test_over_https_the_cookie_never_goes_over_http(locked: Site, proto: str) -> None:
    headers = {"x-forwarded-proto": proto}
    answered = locked.post("/sign-in", data={"token": TOKEN, "name": "x"}, headers=headers)
    assert "; Secure" in answered.headers["set-cookie"]


def sessions(token: str | None, clock: Callable[[], float] = time.time) -> Sessions:
    web = Web(listen="127.0.0.1:8720", token=None if token is None else SecretStr(token))
    return Sessions(lambda: web, clock)


def cookies_of(made: Sessions, name: str = "Renate") -> dict[str, str]:
    header = made.cookie_of(made.open(name), is_secure=False)
    name, _, value = header.partition(";")[0].partition("=")
    return {name: value}


def test_a_session_is_anybodys_who_knows_the_token_and_ends_with_it() -> None:
    given = cookies_of(sessions(TOKEN))
    found = sessions(TOKEN).find(given)
    assert found is not None
    assert found.name == "Renate"
    assert sessions("another-token-that-is-as-long").find(given) is None
    assert sessions(None).find(cookies_of(sessions(None))) is None


def test_a_session_ends_after_its_time() -> None:
    now = [1_000.0]
    made = sessions(TOKEN, lambda: now[0])
    given = cookies_of(made)
    now[0] += LASTS - 1
    assert made.find(given) is not None
    now[0] += 1
    assert made.find(given) is None


@pytest.mark.parametrize(
    "change", [lambda v: v[:-1], lambda v: "A" + v[1:], lambda v: v + "0", lambda v: "", lambda v: "."]
)
def test_a_changed_cookie_is_worth_nothing(change: Callable[[str], str]) -> None:
    made = sessions(TOKEN)
    ((name, value),) = cookies_of(made).items()
    assert made.find({name: change(value)}) is None


def test_ended_sessions_are_forgotten_when_they_would_have_ended_anyway() -> None:
    now = [1_000.0]
    made = sessions(TOKEN, lambda: now[0])
    for _ in range(50):
        made.end(made.open(""))
    now[0] += LASTS + 1
    made.end(made.open(""))
    assert len(made._ended) == 1


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/deals?state=Held&q=a", "/deals?state=Held&q=a"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("deals", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_to_our_own_pages_only(given: str, path: str) -> None:
    assert to_local(given) == path


# attempts


def test_wrong_tokens_are_answered_slower_and_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    now = [0.0]

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(slowing.anyio, "sleep", sleep)
    made = Attempts(clock=lambda: now[0])

    async def fail(address: str, times: int) -> None:
        for _ in range(times):
            await made.failed(address)

    anyio.run(fail, "10.0.0.1", 7)
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    anyio.run(fail, "10.0.0.2", 1)
    assert pauses[-1] == 0.25
    now[0] += made.forgotten_after + 1
    anyio.run(fail, "10.0.0.1", 1)
    assert pauses[-1] == 0.25


def test_only_some_wrong_tokens_wait_at_once() -> None:
    made = Attempts()

    async def run() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(made.MOST_WAITING):
                group.start_soon(made.failed, "10.0.0.1")
            await anyio.lowlevel.checkpoint()
            assert made.is_crowded("10.0.0.1")
            assert not made.is_crowded("10.0.0.2")
            group.cancel_scope.cancel()

    anyio.run(run)
    assert not made.is_crowded("10.0.0.1")


def test_the_right_token_passes_however_many_wrong_ones_wait(quiet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, ends = threading.Semaphore(0), threading.Event()

    async def sleep(_: float) -> None:
        waits.release()
        await anyio.to_thread.run_sync(ends.wait, 20)

    monkeypatch.setattr(slowing.anyio, "sleep", sleep)
    wrong, right = {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {TOKEN}"}
    with served(quiet.app(), token=TOKEN) as site, ThreadPoolExecutor(Attempts.MOST_WAITING) as pool:
        waiting = [pool.submit(requests.get, f"{site.url}/deals", headers=wrong, timeout=20) for _ in range(5)]
        try:
            assert all(waits.acquire(timeout=20) for _ in waiting)
            assert site.get("/deals", headers=wrong).status_code == 429
            assert site.get("/deals", headers=right).status_code == 200
            assert site.sign_in(token="something else").status_code == 403
            assert site.sign_in().status_code == 303
            assert site.get("/deals").status_code == 200
        finally:
            site.session.cookies.clear()
            ends.set()
        assert [one.result().status_code for one in waiting] == [401] * 5


def test_attempts_of_many_addresses_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(_: float) -> None:
        return

    monkeypatch.setattr(slowing.anyio, "sleep", sleep)
    made = Attempts()

    async def run() -> None:
        for number in range(made.MOST_ADDRESSES + 50):
            await made.failed(str(number))

    anyio.run(run)
    assert len(made._failed) == made.MOST_ADDRESSES


# forged requests


@pytest.mark.parametrize(
    ("headers", "forged"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, True),
        ({"origin": "http://127.0.0.1:8720"}, False),
        ({"origin": "https://127.0.0.1:8720"}, False),
        ({"origin": "http://127.0.0.1:9"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
    ],
)
def test_what_another_page_made_a_browser_send_is_seen(headers: dict[str, str], forged: bool) -> None:
    assert is_forged(Headers({"host": "127.0.0.1:8720", **headers})) is forged


@pytest.mark.parametrize(
    ("origin", "forged"),
    [
        ("https://connector.example", False),
        ("https://CONNECTOR.example:8443", False),
        ("https://evil.example", True),
        ("https://connector.example.evil.example", True),
        ("https://connector.example@evil.example", True),
        ("https://", True),
    ],
)
def test_a_name_that_a_proxy_hides_is_still_ours(origin: str, forged: bool) -> None:
    headers = Headers({"host": "127.0.0.1:8720", "origin": origin})
    assert is_forged(headers, ("Connector.example",)) is forged


def test_another_port_of_this_machine_is_another_page() -> None:
    assert is_forged(Headers({"host": "127.0.0.1", "origin": "http://127.0.0.1:9"}), ("connector.example",))


def test_a_button_needs_its_own_form(quiet: World, site: Site) -> None:
    deal = quiet.opportunity(AWS_Business_Problem__c="short")
    quiet.settle(deal)
    path = f"/deals/sandbox/{deal}"
    token = site.csrf(site.get(path))
    ledger = site.app.ledger
    for fields, headers in (
        ({}, {}),
        ({"csrf": "0" * 64}, {}),
        ({"csrf": ""}, {}),
        ({"csrf": token}, {"origin": "https://evil.example"}),
        ({"csrf": token}, {"sec-fetch-site": "cross-site"}),
    ):
        assert site.post(f"{path}/retry", data=fields, headers=headers).status_code == 403
    # Another browser's form is none of this one's.
    with requests.Session() as other:
        assert other.post(f"{site.url}{path}/retry", data={"csrf": token}, timeout=20).status_code == 403
    assert deal not in [one for _, one in ledger.requests("sandbox")]
    assert site.post(f"{path}/retry", data={"csrf": token}, headers={"origin": site.url}).status_code == 303
    assert deal in [one for _, one in ledger.requests("sandbox")]


def test_a_program_needs_no_form_but_behind_a_proxy_everybody_does(quiet: World) -> None:
    deal = quiet.opportunity(AWS_Business_Problem__c="short")
    quiet.settle(deal)
    path, bearer = f"/deals/sandbox/{deal}/retry", {"authorization": f"Bearer {TOKEN}"}
    with served(quiet.app(), token=TOKEN) as site:
        assert site.post(path, headers=bearer).status_code == 303
    with served(quiet.app(), token=TOKEN, user_header="X-User") as site:
        named = {**bearer, "x-user": "renate"}
        assert site.post(path, headers=named).status_code == 403
        token = site.csrf(site.get(f"/deals/sandbox/{deal}", headers=named))
        assert site.post(path, headers=named, data={"csrf": token}).status_code == 303


@pytest.mark.parametrize(
    ("header", "actor"), [("X-User", "page, renate@acme.example"), ("", "page, somebody on this machine")]
)
def test_a_proxy_names_the_person_only_where_that_is_configured(quiet: World, header: str, actor: str) -> None:
    deal = quiet.opportunity(AWS_Business_Problem__c="short")
    quiet.settle(deal)
    with served(quiet.app(), user_header=header) as site:
        named = {"x-user": "renate@acme.example"}
        path = f"/deals/sandbox/{deal}"
        token = site.csrf(site.get(path, headers=named))
        site.post(f"{path}/retry", headers=named, data={"csrf": token})
        entries = site.app.ledger.audit("sandbox", salesforce_id=deal)
        assert [one.actor for one in entries if one.event == Event.RETRIED] == [actor]


@pytest.mark.parametrize("path", ["/retry", "/ask", "/sign-out", "/deals/sandbox/x/retry", "/deals/sandbox/x/resync"])
def test_a_button_is_no_address(site: Site, path: str) -> None:
    assert site.get(path).status_code in {404, 405}


# bounds and headers


def test_what_is_too_long_is_refused(site: Site) -> None:
    assert site.get("/deals?q=" + "a" * 1_900).status_code == 200
    assert site.get("/deals?q=" + "a" * 2_000).status_code == 414
    host = {"Host": urlsplit(site.url).netloc}
    assert raw(site, "/ask", {**host, "Content-Length": "65537"}, "POST")[0] == 413
    assert raw(site, "/ask", {**host, "Content-Length": "9" * 30}, "POST")[0] in {400, 413}
    chunks = [b"a" * 9_000] * 9
    chunked = {**host, "Transfer-Encoding": "chunked"}
    assert raw(site, "/ask", chunked, "POST", chunks)[0] == 413
    assert raw(site, "/sign-out", chunked, "POST", chunks)[0] == 413


@pytest.mark.parametrize("path", ["/", "/deals", "/nothing", "/deals?q=O99999999", "/healthz", "/sign-in"])
def test_every_answer_keeps_the_browser_from_more(site: Site, path: str) -> None:
    headers = site.get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert policy["form-action"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_what_never_changes_is_kept(site: Site) -> None:
    page = site.get("/").text
    paths = re.findall(r'"(/static/[^"]+)"', page)
    assert len(paths) == 4
    for path in paths:
        answered = site.get(path)
        assert (answered.status_code, "immutable" in answered.headers["cache-control"]) == (200, True)
    assert site.get(paths[0].replace(paths[0].split("/")[2], "0" * 16)).status_code == 404
    assert site.get("/static/x/../layout.html").status_code == 404


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RuntimeError("a secret of ours"), 500, "Something went wrong"),
        (LedgerUnavailable("The ledger cannot be used: locked."), 503, "The ledger cannot be used: locked."),
    ],
)
def test_an_error_is_a_page_without_its_inside(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, words: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(report, "show", fail)
    answered = site.get("/deals/sandbox/006000000000001AAA")
    assert (answered.status_code, words in answered.text) == (status, True)
    assert "Traceback" not in answered.text
    assert "a secret of ours" not in answered.text
    assert site.get("/").status_code == 200


def test_https_is_seen_as_the_proxy_tells_it() -> None:
    scope = {"type": "http", "scheme": "http", "server": ("127.0.0.1", 80), "path": "/", "query_string": b""}
    assert not is_secure(Request({**scope, "headers": []}))
    assert is_secure(Request({**scope, "headers": [(b"x-forwarded-proto", b"https")]}))
    assert is_secure(Request({**scope, "scheme": "https", "headers": []}))
