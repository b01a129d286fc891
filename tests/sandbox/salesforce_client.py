"""A real simple-salesforce against the embedded org over real HTTP, and a clock that moves when told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import uvicorn
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from connector.sandbox.salesforce.api import create_app
from connector.sandbox.salesforce.org import Org

VERSION = "66.0"
BASE = f"/services/data/v{VERSION}"
START = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)


class Clock:
    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


class PlainHttp(HTTPAdapter):
    """Carries https://… to a plain-http server: simple-salesforce writes https into every url."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


class Wire:
    """A served org: `url` is its http root, `session` a requests session, `sf` a client with a live token."""

    def __init__(self, org: Org, url: str) -> None:
        self.org = org
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("https://", PlainHttp())
        self.token = org.issue_token()
        host = url.removeprefix("http://")
        self.sf = Salesforce(
            session_id=self.token,
            instance_url=f"https://{host}",
            session=self.session,
            version=VERSION,
            object_pairs_hook=dict,
        )

    def call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """One raw request below the version, with the token."""
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        return self.session.request(method, f"{self.url}{BASE}/{path}", headers=headers, timeout=5, **kwargs)

    def query(self, soql: str, **headers: str) -> dict[str, Any]:
        reply = self.call("GET", "query", params={"q": soql}, headers=headers)
        body: dict[str, Any] = reply.json()
        assert reply.status_code == 200, body
        return body


class Server:
    """A port of 127.0.0.1 that serves one org after another: starting a server for each test takes too long."""

    def __init__(self) -> None:
        self.app: Starlette | None = None
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)

    @contextmanager
    def host(self, org: Org) -> Iterator[Wire]:
        """Serves this org for as long as the block runs."""
        self.app = create_app(org)
        wire = Wire(org, self.url)
        yield wire
        wire.session.close()


@contextmanager
def serve() -> Iterator[Server]:
    server = Server()
    config = uvicorn.Config(server, host="127.0.0.1", port=0, log_level="error", date_header=False, lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 5
    while not running.started and time.monotonic() < deadline:
        thread.join(0.005)
    server.url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        running.should_exit = True
        thread.join(5)
