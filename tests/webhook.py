"""A real webhook on 127.0.0.1 that keeps what it is told, and refuses it while it is meant to be down."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme

PATH = "/services/T000/B000/xyzzy-secret"


@dataclass
class Webhook:
    """``answers`` are the next statuses, the last one for good; ``texts`` is what was taken, ``tried`` counts all."""

    port: int = 0
    scheme: str = "http"
    answers: list[int] = field(default_factory=lambda: [200])
    texts: list[str] = field(default_factory=list)
    tried: int = 0
    bodies: list[dict[str, object]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{PATH}"

    def take(self, body: bytes) -> int:
        self.tried += 1
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 200:
            told = json.loads(body)
            self.bodies.append(told)
            self.texts += told["text"].split("\n\n")
        return status


@contextmanager
def webhook(authority: trustme.CA | None = None) -> Iterator[Webhook]:
    """One that listens, over https where somebody signs its certificate."""
    kept = Webhook(scheme="http" if authority is None else "https")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = kept.take(body) if self.path == PATH else 404
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_address[1]
        if authority is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(tls)
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()
