"""Tells when a call's bytes really leave: after signing, after the TLS handshake, just before the request line.

The pace counts from there, and what never came this far was certainly not carried out. Changes nothing that is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from connector.adapters.partner_central.pace import Turn


@dataclass(slots=True)
class Departure:
    """One call on its way out. ``is_sent``: botocore has handed it to the network, whatever became of it there."""

    turn: Turn
    is_sent: bool = False


_CURRENT: ContextVar[Departure | None] = ContextVar("departure", default=None)


@contextmanager
def departing(turn: Turn) -> Iterator[Departure]:
    """The calls of this thread inside the block leave with this turn; it ends with the block."""
    departure = Departure(turn)
    token = _CURRENT.set(departure)
    try:
        yield departure
    finally:
        _CURRENT.reset(token)
        turn.end()


def watch(client: Any) -> None:
    """Make a boto3 client tell its departures."""
    service = client.meta.service_model.service_name
    client.meta.events.register(f"before-send.{service}.*", _note_sent)
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    manager = getattr(session, "_manager", None)
    if session is None or manager is None or not hasattr(session, "_pool_classes_by_scheme"):
        # A botocore that is built otherwise: the handshake is then no longer part of the turn.
        client.meta.events.register(f"before-send.{service}.*", _leave_early)
        return
    # The one of the manager is for direct connections, the one of the session for those through a proxy.
    session._pool_classes_by_scheme = manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _note_sent(**_: Any) -> None:
    departure = _CURRENT.get()
    if departure is not None:
        departure.is_sent = True


def _leave_early(**_: Any) -> None:
    departure = _CURRENT.get()
    if departure is not None:
        departure.turn.leave()


class _Telling:
    """A connection that is open when ``request`` is called, so that the bytes leave at once."""

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except BaseException:
            # Nobody should wait while botocore tries to connect again.
            departure = _CURRENT.get()
            if departure is not None:
                departure.turn.end()
            raise

    def request(self, *args: Any, **options: Any) -> Any:
        departure = _CURRENT.get()
        if departure is not None:
            departure.turn.leave()
        return super().request(*args, **options)  # type: ignore[misc]


class _Connection(_Telling, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _TlsConnection(_Telling, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _Pool(AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _Connection


class _TlsPool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _TlsConnection
