"""What every page works with: the process that is shown, what was counted of it, and how requests are answered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import parse_qsl

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from connector.app import App
from connector.config import Connection
from connector.errors import ConnectorError, LedgerUnavailable, TemporaryError
from connector.web.access import is_form_token
from connector.web.page.rendering import told
from connector.web.page.snapshots import Snapshots
from connector.web.serving import Serving

logger = logging.getLogger(__name__)

AT_ONCE = 8
"""Pages that are made at once; more wait. What is made here must not take the ledger from the sync."""
FIELDS = 50
Form: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class Desk:
    """The process that is shown."""

    serving: Serving
    snapshots: Snapshots
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(AT_ONCE))

    @property
    def app(self) -> App:
        return self.serving.app()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def connection(self, name: str) -> Connection:
        """Raises NotThere."""
        found = self.app.connections.get(name)
        if found is None:
            raise NotThere(f"There is no connection {name!r}.", "The overview has them all.")
        return found

    def catalog(self, name: str) -> str:
        return self.connection(name).partner_central.catalog


class NotThere(ConnectorError):
    """What an address names does not exist."""


Handler: TypeAlias = Callable[[Desk, Request, Form], Response]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def endpoint(desk: Desk, handler: Handler) -> Endpoint:
    """A handler as the framework wants it: in a thread of its own, its errors told as pages."""

    async def run(request: Request) -> Response:
        form = await read_own_form(request) if request.method == "POST" else {}
        if isinstance(form, Response):
            return form
        return await anyio.to_thread.run_sync(_answer, desk, handler, request, form, limiter=desk.threads)

    return run


_OLD_FORM = (
    "That form is too old",
    "The page it was on is from an earlier session, so nothing was done.",
    "Go back, load the page again, and press the button once more.",
)


async def read_own_form(request: Request) -> Form | Response:
    """The fields of a form that this visitor was shown, else the answer that refuses it."""
    form = await read_form(request)
    if isinstance(form, Response) or is_form_token(request, form.get("csrf", "")):
        return form
    return told(request, 403, *_OLD_FORM)


async def read_form(request: Request) -> Form | Response:
    """The fields of a form, the last one of each name; the answer to one that is too large."""
    try:
        body = await request.body()
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ClientDisconnect:
        return told(request, 413, "Too much", "That is more than any form of this page sends.")
    except ValueError:
        return {}


def _answer(desk: Desk, handler: Handler, request: Request, form: Form) -> Response:
    """Never raises: a page has no traceback, and the process none to die of."""
    try:
        return handler(desk, request, form)
    except NotThere as error:
        return told(request, 404, "Not here", error.message, error.cure)
    except LedgerUnavailable as error:
        return told(request, 503, "The ledger does not answer", error.message, error.cure)
    except ConnectorError as error:
        status = 503 if isinstance(error, TemporaryError) else 409
        return told(request, status, "That could not be done", error.message, error.cure)
    except Exception:
        logger.exception("The page %s failed.", request.scope["path"], extra={"event": "page_failed"})
        words = "The page could not be made. The sync goes on."
        return told(request, 500, "Something went wrong", words, "The log has the details.")
