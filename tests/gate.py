"""A gate in front of a server: while it is shut, answers stay inside, as those of a service that has stopped answering.

It passes bytes on as they are, TLS included, so that nobody on either side can tell it from the network.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Gate:
    """``with Gate(port) as gate:`` listens on ``gate.port`` of 127.0.0.1 and passes everything on to ``port``."""

    def __init__(self, port: int) -> None:
        self._inner = port
        self._open = threading.Event()
        self._open.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port: int = self._listening.getsockname()[1]
        self.held = 0
        """Answers that waited, or wait, for it to open."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.close()

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    @property
    def is_shut(self) -> bool:
        return not self._open.is_set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                outer, _ = self._listening.accept()
                inner = socket.create_connection(("127.0.0.1", self._inner))
                self._ends += (outer, inner)
                asked = threading.Event()
                for one, other, is_answer in ((outer, inner, False), (inner, outer, True)):
                    threading.Thread(target=self._pass_on, args=(one, other, is_answer, asked), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, is_answer: bool, asked: threading.Event) -> None:
        """``asked``: a question is under way; a server also says by itself that it closes what nobody uses."""
        with suppress(OSError):
            while data := one.recv(65536):
                if is_answer and self.is_shut:
                    self.held += asked.is_set()
                    self._open.wait()
                if is_answer:
                    asked.clear()
                else:
                    asked.set()
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
