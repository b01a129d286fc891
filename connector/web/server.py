"""Serves the page, the metrics and the health in a thread beside the sync, which it must never stop or hold up."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from connector.web.serving import Serving

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger(__name__)

OFF = "off"
AGAIN = 30.0
"""Seconds until a port that was taken is tried again."""
GRACE = 2
"""Seconds that requests under way have to end when the process stops; it has thirteen in all."""
BACKLOG = 128


class WebServer:
    """``with WebServer(serving):`` serves ``web.listen`` while the block runs; nothing where that is off.

    Nothing it meets is raised: a port that is taken is told once and tried again, for the sync goes on without it.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._ending = threading.Event()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._listen = serving.app().config.web.listen
        self.bound: tuple[str, int] | None = None
        """Host and port once it listens."""

    def __enter__(self) -> Self:
        if self._listen != OFF:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(GRACE + 1.0)

    def _serve(self) -> None:
        """The thread: listen as soon as the port is free, then serve to the end."""
        listening = self._bind()
        if listening is None:
            return
        with listening:
            try:
                self._run(listening)
            except Exception:  # whatever the page does, the sync goes on
                logger.exception("The page has stopped; the sync goes on.", extra={"event": "web_failed"})

    def _run(self, listening: socket.socket) -> None:
        import uvicorn

        from connector.web.application import application
        from connector.web.lines import AT_ONCE, Line

        server = uvicorn.Server(
            uvicorn.Config(
                application(self._serving, self._ending),
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                ws="none",
                http=Line,
                # For requests whose visitors have gone: of connections, which it counts as well, there are never more.
                limit_concurrency=AT_ONCE + 1,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._server = server
        host, port = listening.getsockname()[:2]
        self.bound = (host, port)
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        logger.info("The page is at http://%s.", shown, extra={"event": "web_started"})
        # Asked to end meanwhile: uvicorn looks at this first of all.
        server.should_exit = self._ending.is_set()
        server.run(sockets=[listening])

    def _bind(self) -> socket.socket | None:
        """The listening socket, once the port is free; None when the process ends before."""
        is_told = False
        while not self._ending.is_set():
            try:
                return _listen_at(self._listen)
            except OSError as error:
                if not is_told:
                    is_told = True
                    logger.error(  # noqa: TRY400 (a port that is taken needs no traceback)
                        "The page cannot listen on %s: %s. The sync goes on; it is tried again every %d seconds. "
                        "Correct web.listen, or end what uses the port.",
                        self._listen,
                        error.strerror or error,
                        AGAIN,
                        extra={"event": "web_port"},
                    )
            self._ending.wait(AGAIN)
        return None


def _listen_at(address: str) -> socket.socket:
    """A listening socket at ``host:port``, an IPv6 host in brackets. Raises OSError."""
    host, _, port = address.rpartition(":")
    family, kind, proto, _, place = socket.getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, proto)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
