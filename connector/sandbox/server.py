"""One https server on 127.0.0.1 with a Salesforce org, Partner Central and an admin door behind it.

Its certificate is made for this run only. It serves, and does nothing else: what the services do is theirs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import trustme
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.sandbox.faults import DOOR, ConnectionProtocol, FaultInjection, Faults, end_at_once
from connector.sandbox.partner_central.api import create_app as create_partner_central
from connector.sandbox.partner_central.instants import Clock, utc_now
from connector.sandbox.partner_central.service import PartnerCentral
from connector.sandbox.partner_central.settings import Settings

if TYPE_CHECKING:
    from connector.sandbox.salesforce.org import Org

HOST = "127.0.0.1"
CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105  (a sandbox has no secrets)
CONNECTION = "sandbox"
START_SECONDS = 10.0
STOP_SECONDS = 2.0


class HttpsServer:
    """Any ASGI app on https://127.0.0.1, from a thread of its own; a context manager.

    `port` 0 lets the kernel choose; a server that was stopped starts again on the port it had. The CA
    certificate is written to `ca_bundle`.
    """

    def __init__(self, app: ASGIApp, ca_bundle: Path, port: int = 0) -> None:
        self.port = port
        self.ca_bundle = ca_bundle
        self._app = app
        self._tls = _make_certificate(ca_bundle)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`https://127.0.0.1:<port>`."""
        return f"https://{HOST}:{self.port}"

    def start(self) -> None:
        """Serves until `stop`. Raises OSError when the port is taken."""
        listener = _listen(self.port)
        self.port = listener.getsockname()[1]
        self._server = _Server(_configure(self._app, self._tls))
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="sandbox", daemon=True)
        self._thread.start()
        if not self._server.is_up.wait(START_SECONDS):
            raise RuntimeError("the sandbox did not start")

    def stop(self) -> None:
        """Ends within two seconds; requests that are held are dropped."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class Sandbox(HttpsServer):
    """A running sandbox: `service` is Partner Central, `org` Salesforce, `faults` what goes wrong between.

    `directory` gets the CA certificate (a temporary one by default). `seed` fills the org with the sample
    records. With a `clock` of your own both services tell its time. `settings` and `accounts` go to
    Partner Central. `org` is served in place of a new one with the partner fields.
    """

    def __init__(
        self,
        port: int = 0,
        directory: Path | None = None,
        clock: Clock | None = None,
        *,
        seed: bool = True,
        faults: Faults | None = None,
        settings: Settings | None = None,
        accounts: Mapping[str, str] | None = None,
        org: Org | None = None,
    ) -> None:
        # Here and not above: who serves Partner Central alone need not load a Salesforce org.
        from connector.sandbox.door import Door, create_door
        from connector.sandbox.salesforce import seed as samples
        from connector.sandbox.salesforce.api import create_app as create_salesforce
        from connector.sandbox.salesforce.org import Org as SalesforceOrg

        self.client_id, self.client_secret = CLIENT_ID, CLIENT_SECRET
        self.faults = faults or Faults()
        self.service = PartnerCentral(settings, clock, accounts)
        self.org = org or SalesforceOrg(clock=clock or utc_now)
        self.org.add_client(self.client_id, self.client_secret)
        if seed:
            samples.load(self.org, (clock or utc_now)().date())
        door = create_door(Door(self.service, self.org, self.faults))
        switch = Switch(create_partner_central(self.service), create_salesforce(self.org), door)
        home = directory or Path(tempfile.mkdtemp(prefix="sandbox-"))
        super().__init__(FaultInjection(switch, self.faults), home / "ca.pem", port)

    def config_text(self, database: str, mapping: str | Sequence[str] | None = None) -> str:
        """A complete config.yaml for a connector on this sandbox; AWS credentials are its environment's.

        ``mapping`` is one file or several.
        """
        ca_bundle = json.dumps(str(self.ca_bundle))
        lines = [
            f"database: {json.dumps(database)}",
            "connections:",
            f"  {CONNECTION}:",
            "    salesforce:",
            f"      login_url: {self.url}",
            "      auth:",
            "        method: client_credentials",
            f"        client_id: {self.client_id}",
            f"        client_secret: {self.client_secret}",
            f"      ca_bundle: {ca_bundle}",
            "    partner_central:",
            "      catalog: Sandbox",
            "      region: us-east-1",
            f"      endpoint_url: {self.url}",
            f"      ca_bundle: {ca_bundle}",
        ]
        if mapping is not None:
            files = mapping if isinstance(mapping, str) else list(mapping)
            lines.append(f"    mapping: {json.dumps(files)}")
        return "\n".join((*lines, ""))


class Switch:
    """Sends a request to the app it is meant for: the door, Salesforce, or Partner Central at the root."""

    def __init__(self, partner_central: ASGIApp, salesforce: ASGIApp, door: ASGIApp) -> None:
        self._partner_central = partner_central
        self._salesforce = salesforce
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith(DOOR):
            await self._door(scope, receive, send)
        elif path == "/" and scope["method"] == "POST":
            await self._partner_central(scope, receive, send)
        else:
            await self._salesforce(scope, receive, send)


class _Server(uvicorn.Server):
    """uvicorn that tells when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            end_at_once(connection.transport)
        # Also those in the middle of a TLS farewell, which uvicorn no longer counts.
        for transport in list(getattr(asyncio.get_running_loop(), "_transports", {}).values()):
            transport.abort()
        # An aborted transport closes its socket in the loop's next turns.
        await asyncio.sleep(0.01)


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio switches Nagle's algorithm off; else every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _make_certificate(ca_bundle: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost").configure_cert(context)
    return context


def _configure(app: ASGIApp, tls: ssl.SSLContext) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=ConnectionProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        # A dropped connection is what the faults are for; uvicorn would call it an error.
        log_level=logging.CRITICAL,
        access_log=False,
        # The org's clock is the one its clients read; a second Date would hide it.
        date_header=False,
        ssl_context_factory=lambda _config, _default: tls,
        timeout_graceful_shutdown=1,
    )
