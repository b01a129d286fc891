"""Puts the wait for a call's turn where its bytes are about to leave: after the commit, after signing.

Tells when they really leave (after the TLS handshake, just before the request line): the pace counts from there.
What never had a turn was certainly not carried out. Changes nothing that is sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from connector.adapters.partner_central.errors import THROTTLE_DELAY, is_throttled
from connector.adapters.partner_central.pace import Caller, Pace, Turn
from connector.adapters.partner_central.spans import note_wait
from connector.errors import TemporaryError

FRESH = 240.0
"""Seconds for which a signature is used; AWS takes it for 300."""
HOLD = 2.0
"""Seconds that a call keeps its turn while it connects. Connections of one account may reach AWS on several ways, and
those behind must not wait for a way that leads nowhere. One that connects all the same leaves out of turn then."""


RENEWED = 3.0
"""Seconds after its commit within which a call may leave. Later, as after a laptop's sleep, somebody else may own the
ledger or the account, so it is committed anew, which they refuse. Far less than the time after which a process counts
as dead."""
_TRIES = 5


class SignatureStale(Exception):
    """The turn came too late for this signature. Nothing was sent; the same call is to be built again."""


class Departure:
    """One call on its way out. ``is_sent``: botocore has handed it to the network, whatever became of it there."""

    def __init__(self, pace: Pace, caller: Caller, count: Callable[[], None]) -> None:
        self._pace = pace
        self._caller = caller
        self._count = count
        self._turn: Turn | None = None
        self._is_reserved = True
        self._signed_at = pace.now()
        self._on_send: Callable[[], None] | None = None
        self._committed_at = self._instants()
        self.is_sent = False

    def commit(self, on_send: Callable[[], None]) -> None:
        """Commit that the call is about to leave; the same is called once more where that takes long."""
        self._on_send = on_send
        self._renew(0.0)
        self.settle()

    def _renew(self, within: float = RENEWED / 2) -> None:
        """Commit anew unless that was done a moment ago."""
        for _ in range(_TRIES):
            if self._on_send is None or (within and self._age() <= within):
                return
            before = self._instants()
            self._on_send()
            # Counted from before it: the pause may have been between the commit and the word of it.
            self._committed_at, within = before, RENEWED
        raise TemporaryError("The ledger takes too long to commit a call that is about to leave.")

    def _age(self) -> float:
        """Seconds since the commit. The monotonic clock stands still while the machine sleeps, the other one may jump:
        whichever says more."""
        return max(now - then for now, then in zip(self._instants(), self._committed_at, strict=True))

    def _instants(self) -> tuple[float, float]:
        clock = self._caller.clock
        return clock.monotonic(), clock.now().timestamp()

    def settle(self) -> None:
        """The call is recorded, here or in the ledger: it needs no reservation any more."""
        self._settle(is_spent=True)

    def sign(self) -> None:
        self._signed_at = self._pace.now()

    def wait(self) -> None:
        """The request is built. Return when it may leave; every attempt that botocore makes takes a turn of its own."""
        if self._turn is None or not self._turn.is_held:
            if self.is_sent:
                self._pace.allowance.take()
                self._is_reserved = True
            asked_at = self._pace.now()
            self._turn = self._pace.wait_turn(self._caller, self._renew)
            note_wait(self._pace.now() - asked_at)
        if self._pace.now() - self._signed_at > FRESH:
            # The turn is kept for the request that is built next.
            raise SignatureStale
        self.is_sent = True
        self._count()
        self.settle()

    def leave(self) -> None:
        """The bytes go out now. Raises what the commit raises where it has to be made anew and cannot."""
        self._renew(RENEWED)
        if self._turn is not None:
            self._turn.leave()

    def end_turn(self) -> None:
        if self._turn is not None:
            self._turn.end()

    def answered(self, *, throttled: bool) -> None:
        """AWS has answered this attempt."""
        left_at = self._turn.left_at if self._turn is not None else self._pace.now()
        if throttled:
            self._pace.slow_down(THROTTLE_DELAY, left_at)
        else:
            self._pace.recover(left_at)

    def end(self) -> None:
        self.end_turn()
        self._settle(is_spent=False)

    def _settle(self, *, is_spent: bool) -> None:
        if self._is_reserved:
            self._is_reserved = False
            self._pace.allowance.settle(is_spent=is_spent)


_CURRENT: ContextVar[Departure | None] = ContextVar("departure", default=None)


@contextmanager
def departing(pace: Pace, caller: Caller, count: Callable[[], None]) -> Iterator[Departure]:
    """The calls of this thread inside the block leave at this pace; ``count`` is called for each attempt.

    Raises QuotaExhausted, or TemporaryError when the caller is stopping, before the block begins.
    """
    pace.enter(caller)
    departure = Departure(pace, caller, count)
    token = _CURRENT.set(departure)
    try:
        yield departure
    finally:
        _CURRENT.reset(token)
        departure.end()


def watch(client: Any) -> None:
    """Make the calls of a boto3 client wait for their turns and tell their departures."""
    service = client.meta.service_model.service_name
    events = client.meta.events
    events.register(f"before-sign.{service}.*", _sign)
    events.register_last(f"before-send.{service}.*", _wait)
    events.register(f"needs-retry.{service}.*", _note_answer)
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    manager = getattr(session, "_manager", None)
    if session is None or manager is None or not hasattr(session, "_pool_classes_by_scheme"):
        # A botocore that is built otherwise: the handshake is then no longer part of the turn.
        events.register_last(f"before-send.{service}.*", _leave_early)
        return
    # The one of the manager is for direct connections, the one of the session for those through a proxy.
    session._pool_classes_by_scheme = manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _sign(**_: Any) -> None:
    departure = _CURRENT.get()
    if departure is not None:
        departure.sign()


def _wait(**_: Any) -> None:
    departure = _CURRENT.get()
    if departure is not None:
        departure.wait()


def _leave_early(**_: Any) -> None:
    departure = _CURRENT.get()
    if departure is not None:
        departure.leave()


def _note_answer(response: Any = None, **_: Any) -> None:
    """Called after every attempt. Leaves it to botocore whether there is another."""
    departure = _CURRENT.get()
    if departure is not None and response is not None:
        departure.answered(throttled=is_throttled(response[1]))


class _Telling:
    """A connection that is open when ``request`` is called, so that the bytes leave at once."""

    def connect(self) -> None:
        departure = _CURRENT.get()
        if departure is None:
            super().connect()  # type: ignore[misc]
            return
        patience = threading.Timer(HOLD, departure.end_turn)
        patience.daemon = True
        patience.start()
        try:
            super().connect()  # type: ignore[misc]
        except BaseException:
            # Nobody should wait while botocore tries to connect again.
            departure.end_turn()
            raise
        finally:
            patience.cancel()

    def request(self, *args: Any, **options: Any) -> Any:
        _leave_early()
        return super().request(*args, **options)  # type: ignore[misc]


class _Connection(_Telling, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _TlsConnection(_Telling, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _Pool(AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _Connection


class _TlsPool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _TlsConnection
