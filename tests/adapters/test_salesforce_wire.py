"""What really goes over the wire: real sockets, real threads, a server that misbehaves on purpose."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from connector.adapters.salesforce import SalesforceClient, SalesforceSettings
from connector.core.selection import Selection
from connector.errors import ConfigError, LoginFailed, Unavailable
from connector.ports import RowResult, RowUpdate

A = "006000000000001AAA"
ROW = RowUpdate(A, {"S__c": "x"})
SELECTION = Selection("Opportunity", "Share_With_AWS__c = TRUE", ("Amount",))
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
EMPTY = {"compositeResponse": [{"httpStatusCode": 200, "referenceId": "part0", "body": {"records": []}}]}
DESCRIBE: dict[str, Any] = {"fields": [], "childRelationships": []}
LAST_MODIFIED = "Sat, 21 Nov 2026 12:00:05 GMT"


class SteppedClock:
    """Time that moves when told, the same for every thread."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the server's script, which answers it or breaks the connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, self.path, dict(self.headers), body)
        self.server.seen.append(seen)
        self.server.script(self, seen)

    do_GET = do_POST = do_PATCH = answer  # noqa: N815 - the parent's names

    def reply(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """Drop the connection without an answer, as a load balancer does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Keep the test's output clean."""


class Server(ThreadingHTTPServer):
    """A loopback server that acts by ``script`` and remembers what it saw."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Seen] = []
        self.logins = 0
        self.script: Callable[[Handler, Seen], None] = self.serve
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.instance_url = self.url
        self.valid = "t1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are part of the script."""

    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]

    def serve(self, handler: Handler, seen: Seen) -> None:
        """Behave well: tokens t1, t2, … of which the newest counts."""
        if seen.path.endswith("/oauth2/token"):
            self.logins += 1
            self.valid = f"t{self.logins}"
            handler.reply(200, {"access_token": self.valid, "instance_url": self.instance_url})
        elif seen.headers.get("Authorization") != f"Bearer {self.valid}":
            handler.reply(401, EXPIRED)
        elif seen.path.endswith("/describe"):
            handler.reply(200, DESCRIBE, {"Last-Modified": LAST_MODIFIED})
        elif seen.method == "PATCH":
            records = json.loads(seen.body)["records"]
            handler.reply(200, [{"id": row["id"], "success": True, "errors": []} for row in records])
        else:
            handler.reply(200, EMPTY)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from running(Server())


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    yield from running(Server())


def running(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(server: Server) -> SalesforceSettings:
    return SalesforceSettings(login_url=server.url, client_id="key", client_secret="hush", timeout=timedelta(seconds=5))


@pytest.fixture
def client(settings: SalesforceSettings, clock: SteppedClock) -> Iterator[SalesforceClient]:
    made = SalesforceClient(settings, clock=clock)
    yield made
    made.close()


def test_eight_threads_that_meet_one_expiry_log_in_once(
    server: Server, client: SalesforceClient, clock: SteppedClock
) -> None:
    client.write("Opportunity", [ROW])
    clock.elapsed += 60
    server.valid = "revoked"
    meeting = threading.Barrier(8, timeout=5)

    def refuse_all_at_once(handler: Handler, seen: Seen) -> None:
        if seen.headers.get("Authorization") == "Bearer t1":
            meeting.wait()
        server.serve(handler, seen)

    server.script = refuse_all_at_once
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: client.write("Opportunity", [ROW]), range(8)))
    assert results == [[RowResult(A)]] * 8
    assert server.logins == 2
    assert client.usage().calls == 1 + 8 + 8


def test_a_call_keeps_its_headers_when_it_is_repeated_after_a_login(
    server: Server, client: SalesforceClient, clock: SteppedClock
) -> None:
    client.describe("Opportunity")
    clock.elapsed += 3601
    # The token is renewed for its age; the org ends the new session at once.
    refusals = iter([True, False])
    server.script = lambda handler, seen: (
        handler.reply(401, EXPIRED)
        if seen.path.endswith("/describe") and next(refusals)
        else server.serve(handler, seen)
    )
    client.describe("Opportunity")
    conditions = [seen.headers.get("If-Modified-Since") for seen in server.seen if "describe" in seen.path]
    assert conditions == [None, LAST_MODIFIED, LAST_MODIFIED]
    assert server.logins == 3


def test_a_refusal_that_stays_costs_one_login_and_then_none_for_a_minute(
    server: Server, client: SalesforceClient, clock: SteppedClock
) -> None:
    server.script = lambda handler, seen: (
        server.serve(handler, seen) if "token" in seen.path else handler.reply(401, EXPIRED)
    )
    for _ in range(5):
        with pytest.raises(LoginFailed, match="only just given out"):
            client.changes(SELECTION, None)
    assert server.logins == 2
    assert client.usage().calls == 2
    clock.elapsed += 60
    with pytest.raises(LoginFailed):
        client.changes(SELECTION, None)
    assert (server.logins, client.usage().calls) == (4, 4)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("INVALID_AUTH_HEADER", "INVALID_AUTH_HEADER"),
        ("INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
        ("INVALID_SESSION_ID", "Connected app is not attached to Agent"),
    ],
)
def test_a_refusal_that_no_token_cures_causes_no_login(
    server: Server, client: SalesforceClient, code: str, message: str
) -> None:
    server.script = lambda handler, seen: (
        server.serve(handler, seen)
        if "token" in seen.path
        else handler.reply(401, [{"message": message, "errorCode": code}])
    )
    for _ in range(3):
        with pytest.raises(LoginFailed):
            client.changes(SELECTION, None)
    assert server.logins == 1
    assert client.usage().calls == 1


@pytest.mark.parametrize("content", [b"<html>401</html>", {"error": "odd"}, b"[]", b"null"])
def test_a_refusal_of_another_shape_is_tried_once_more(
    server: Server, client: SalesforceClient, clock: SteppedClock, content: object
) -> None:
    refusals = iter([True, False])
    server.script = lambda handler, seen: (
        handler.reply(401, content) if seen.method == "PATCH" and next(refusals) else server.serve(handler, seen)
    )
    assert client.write("Opportunity", [ROW]) == [RowResult(A)]
    assert server.logins == 2


def test_the_client_follows_an_org_that_moved(
    server: Server, elsewhere: Server, client: SalesforceClient, clock: SteppedClock
) -> None:
    client.write("Opportunity", [ROW])
    clock.elapsed += 60
    server.instance_url = elsewhere.url
    server.valid = "revoked"
    elsewhere.valid = "t2"
    assert client.write("Opportunity", [ROW]) == [RowResult(A)]
    assert elsewhere.paths() == ["/services/data/v66.0/composite/sobjects"]
    assert elsewhere.seen[0].headers["Authorization"] == "Bearer t2"


@pytest.mark.parametrize("hangs_at", ["token", "composite"])
def test_a_server_that_never_answers_is_given_up_in_time(
    server: Server, settings: SalesforceSettings, clock: SteppedClock, hangs_at: str
) -> None:
    released = threading.Event()

    def hang(handler: Handler, seen: Seen) -> None:
        if hangs_at in seen.path:
            released.wait(10)
        else:
            server.serve(handler, seen)

    server.script = hang
    client = SalesforceClient(replace(settings, timeout=timedelta(milliseconds=200)), clock=clock)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="in time") as caught:
        client.write("Opportunity", [ROW])
    released.set()
    client.close()
    assert time.monotonic() - began < 4
    assert caught.value.ambiguous is (hangs_at == "composite")


def test_reads_ride_out_a_short_outage_and_writes_are_never_repeated(server: Server, client: SalesforceClient) -> None:
    left = {"GET": 2, "PATCH": 1, "POST": 1}

    def flicker(handler: Handler, seen: Seen) -> None:
        if "token" in seen.path or not left[seen.method]:
            server.serve(handler, seen)
            return
        left[seen.method] -= 1
        # A Retry-After of a day must not put the thread to sleep.
        handler.reply(503, b"<html>busy</html>", {"Retry-After": "86400"})

    server.script = flicker
    assert client.describe("Opportunity") == {}
    with pytest.raises(Unavailable) as write:
        client.write("Opportunity", [ROW])
    with pytest.raises(Unavailable) as poll:
        client.changes(SELECTION, None)
    assert (write.value.ambiguous, poll.value.ambiguous) == (True, False)
    methods = [seen.method for seen in server.seen if "token" not in seen.path]
    assert methods == ["GET", "GET", "GET", "PATCH", "POST"]


def test_a_reset_connection_is_tried_again_for_reads_and_ambiguous_for_writes(
    server: Server, client: SalesforceClient
) -> None:
    left = {"GET": 1, "PATCH": 1, "POST": 0}

    def drop(handler: Handler, seen: Seen) -> None:
        if not left[seen.method]:
            server.serve(handler, seen)
            return
        left[seen.method] -= 1
        handler.reset()

    server.script = drop
    assert client.describe("Opportunity") == {}
    with pytest.raises(Unavailable, match="connection") as caught:
        client.write("Opportunity", [ROW])
    assert caught.value.ambiguous
    assert [seen.method for seen in server.seen if "token" not in seen.path] == ["GET", "GET", "PATCH"]
    assert client.write("Opportunity", [ROW]) == [RowResult(A)]


def test_an_answer_cut_short_is_no_answer(server: Server, client: SalesforceClient) -> None:
    def cut(handler: Handler, seen: Seen) -> None:
        if seen.method != "PATCH":
            server.serve(handler, seen)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b'[{"id": "006')
        handler.close_connection = True

    server.script = cut
    with pytest.raises(Unavailable) as caught:
        client.write("Opportunity", [ROW])
    assert caught.value.ambiguous


def test_nobody_there_is_unavailable(settings: SalesforceSettings, clock: SteppedClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = SalesforceClient(replace(settings, login_url=f"http://127.0.0.1:{port}"), clock=clock)
    with pytest.raises(Unavailable, match="connection"):
        client.identify()


def test_neither_netrc_nor_environment_replaces_token_proxy_or_certificates(
    server: Server, client: SalesforceClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login mallory password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client.write("Opportunity", [ROW]) == [RowResult(A)]
    login, write = server.seen
    assert login.headers["Authorization"] == "Basic a2V5Omh1c2g="
    assert write.headers["Authorization"] == "Bearer t1"


def test_calls_go_through_the_configured_proxy(
    elsewhere: Server, settings: SalesforceSettings, clock: SteppedClock
) -> None:
    client = SalesforceClient(replace(settings, proxy=elsewhere.url), clock=clock)
    elsewhere.instance_url = settings.login_url
    assert client.write("Opportunity", [ROW]) == [RowResult(A)]
    client.close()
    assert elsewhere.paths() == [
        f"{settings.login_url}/services/oauth2/token",
        f"{settings.login_url}/services/data/v66.0/composite/sobjects",
    ]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Server()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = server.instance_url = f"https://127.0.0.1:{server.server_port}"
    yield from running(server)


def test_a_private_certificate_authority_is_trusted_only_where_it_is_configured(
    tls_server: Server,
    authority: trustme.CA,
    settings: SalesforceSettings,
    clock: SteppedClock,
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    over_tls = replace(settings, login_url=tls_server.url)
    trusting = SalesforceClient(replace(over_tls, ca_bundle=bundle), clock=clock)
    assert trusting.write("Opportunity", [ROW]) == [RowResult(A)]
    trusting.close()
    doubting = SalesforceClient(over_tls, clock=clock)
    with pytest.raises(Unavailable, match="certificate") as caught:
        doubting.identify()
    assert "ca_bundle" in caught.value.cure
    doubting.close()


def test_settings_that_cannot_work_are_told_at_once(
    settings: SalesforceSettings, clock: SteppedClock, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="There is no file"):
        SalesforceClient(replace(settings, ca_bundle=tmp_path / "absent.pem"), clock=clock)
    with pytest.raises(ConfigError, match="https://"):
        SalesforceClient(replace(settings, login_url="http://acme.my.salesforce.example"), clock=clock)
    with pytest.raises(ConfigError, match="https://"):
        SalesforceClient(replace(settings, instance_url="http://acme.my.salesforce.example"), clock=clock)
