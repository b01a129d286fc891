"""/healthz and /readyz: whether the process serves, and whether its connections make progress.

Both answer at once, whatever hangs: nothing is asked of a service, and the ledger is asked in a thread of its own.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector.core.health import PROCESS, Health
from connector.report.moments import to_z
from connector.watch.checkup import Look, healths_of, look_at_ledger
from connector.watch.inquiry import Inquiry
from connector.web.access import visitor_of
from connector.web.serving import Serving

T = TypeVar("T")

ANSWERS_IN = 2.0
"""Seconds that the ledger has to answer; a supervisor waits little longer."""
LOOK_EVERY = timedelta(seconds=10)
"""How often more than whether it answers is asked of the ledger."""


def routes(serving: Serving) -> list[Route]:
    """The two routes of a process."""
    readiness = Readiness(serving)
    return [Route("/healthz", _healthz, methods=["GET"]), Route("/readyz", readiness.answer, methods=["GET"])]


async def _healthz(_request: Request) -> Response:
    """That this is answered is all that it tells."""
    return PlainTextResponse("ok\n")


async def within(future: Future[T], seconds: float) -> T:
    """The result of a future without holding up anybody else. Raises TimeoutError, and what the future raises."""
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)


class Readiness:
    """Answers /readyz. A worker is ready when its own loops make progress; the connections are the whole fleet's."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._since = datetime.now(UTC)
        self._look: Look | None = None
        self._ledger = Inquiry("ready-ledger", self._ask)

    def _ask(self) -> None:
        now = datetime.now(UTC)
        if self._look is None or now - self._look.at >= LOOK_EVERY:
            self._look = look_at_ledger(self._serving, now, self._since)
        else:
            self._serving.app().ledger.watermark(PROCESS, "ready")

    async def answer(self, request: Request) -> Response:
        """200 or 503; to a visitor with how each connection does."""
        answers = await self._is_ledger_answering()
        healths = healths_of(self._serving, self._look, datetime.now(UTC))
        process = healths.pop(PROCESS)
        judged = [process] if self._serving.shares else [process, *healths.values()]
        is_ready = answers and all(health.progress for health in judged)
        body: dict[str, Any] = {"ready": is_ready}
        if visitor_of(request.scope) is not None:
            body["ledger"] = {"answers": answers}
            body["connections"] = {name: _to_json(health) for name, health in healths.items()}
            if self._serving.shares:
                body["process"] = _to_json(process)
        return JSONResponse(body, 200 if is_ready else 503)

    async def _is_ledger_answering(self) -> bool:
        try:
            await within(self._ledger.begin(), ANSWERS_IN)
        except Exception:  # noqa: BLE001 (whatever it is, it did not answer)
            return False
        return True


def _to_json(health: Health) -> dict[str, Any]:
    """State, since when, and what to do about it; null while nothing is wrong."""
    state, trouble = health.shown
    return {
        "state": state.value,
        "since": to_z(trouble.since) if trouble is not None else None,
        "cause": trouble.cause if trouble is not None else None,
        "message": f"{trouble.message} {trouble.cure}".strip() if trouble is not None else None,
    }
