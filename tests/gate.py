"""A gate in front of an HTTPS server: while it is shut, answers stay inside, as those of a service that has hung.

It passes bytes on as they are, so that nobody on either side can tell it from the network. What belongs to TLS itself
passes at any time: a client waits for its answers as long as a test wants it to, but for a handshake ten seconds.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

_HEADER = 5
_APPLICATION_DATA = 23
_LONGEST_OF_TLS = 100
"""Bytes of a record: the end of a handshake and the word that a connection closes have fewer, a request has more."""


class _Records:
    """The TLS records that one side sends, read by their headers alone."""

    def __init__(self) -> None:
        self._header = b""
        self._rest = 0

    def ask(self, data: bytes) -> bool:
        """Whether a request begins in these bytes, the next ones of that side."""
        is_asked = False
        while data:
            if self._rest:
                passed = min(self._rest, len(data))
                self._rest -= passed
            else:
                passed = _HEADER - len(self._header)
                self._header += data[:passed]
                if len(self._header) == _HEADER:
                    kind, self._rest = self._header[0], int.from_bytes(self._header[3:], "big")
                    is_asked |= kind == _APPLICATION_DATA and self._rest > _LONGEST_OF_TLS
                    self._header = b""
            data = data[passed:]
        return is_asked


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
        """``asked``: a request is under way; a server also says by itself that it closes what nobody uses."""
        records = _Records()
        with suppress(OSError):
            while data := one.recv(65536):
                if not is_answer and records.ask(data):
                    asked.set()
                elif is_answer and asked.is_set():
                    if self.is_shut:
                        self.held += 1
                        self._open.wait()
                    asked.clear()
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
