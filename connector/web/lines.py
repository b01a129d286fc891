"""Connections of visitors: how many are open, and for how long one may be that sends no whole request.

Uvicorn bounds neither, so that whoever opens many and stays silent would keep everybody else out, or use up what the
process may open. What is asked and answered is none of its business.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

AT_ONCE = 200
"""Connections open at once, so that visitors cannot use up the process."""
REQUEST_WITHIN = 10.0
"""Seconds that a request has to arrive in, head and body: from the opening of a connection, or from its first byte."""


class Line(H11Protocol):
    """A connection that makes room for others, or ends, where it is not used.

    Where all are taken, the one that was silent for longest makes room for a new one; while every one of them has a
    request under way, the new one is ended at once.
    """

    _deadline: asyncio.TimerHandle | None = None
    _is_refused = False
    _heard_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        if not self._has_room():
            self._is_refused = True
            transport.abort()
            return
        super().connection_made(transport)
        self._heard_at = self.loop.time()
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        self._expect_request()
        super().data_received(data)
        if self.is_busy:
            self._expect_nothing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # Some of the next request may have come with the last one; else uvicorn waits for it, for a while.
        if not self.is_busy and (self.cycle.more_body or self.conn.trailing_data[0]):
            self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_refused:
            return
        self._expect_nothing()
        super().connection_lost(exc)

    @property
    def is_busy(self) -> bool:
        """Whether a whole request is under way, and the visitor takes what it is answered."""
        cycle: RequestResponseCycle | None = vars(self)["cycle"]  # None before the first request, unlike its type
        is_under_way = cycle is not None and not cycle.more_body and not cycle.response_complete
        return is_under_way and not self.flow.write_paused

    def _has_room(self) -> bool:
        """Whether one more may be open, for which an idle one is ended where there are too many."""
        if len(self.connections) < AT_ONCE:
            return True
        idle = [one for one in self.connections if isinstance(one, Line) and not one.is_busy]
        if not idle:
            return False
        longest = min(idle, key=lambda one: one._heard_at)
        self.connections.discard(longest)
        longest.transport.abort()
        return True

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_WITHIN, self._end)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        # Not close(): that waits for a visitor who may never take what is still to be sent.
        self.transport.abort()
