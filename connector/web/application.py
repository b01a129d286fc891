"""All that is served, put together: health, metrics and the page, behind the rules of who may see what."""

from __future__ import annotations

import threading

from starlette.applications import Starlette
from starlette.types import ASGIApp

from connector.web import access, health, metrics, page
from connector.web.serving import Serving


def application(serving: Serving, ending: threading.Event) -> ASGIApp:
    """The ASGI application of a process, until ``ending`` is set. Building it waits for no service and no ledger."""
    routes = [*health.routes(serving), *metrics.routes(serving, ending), *page.routes(serving)]
    return access.protected(Starlette(routes=routes), serving)
