"""All that is served, put together: health, metrics and the page, behind the rules of who may see what."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.types import ASGIApp

from connector.web import access, health, metrics, page
from connector.web.serving import Serving


def application(serving: Serving) -> ASGIApp:
    """The ASGI application of a process. Nothing is asked of a service or of the ledger to build it."""
    routes = [*health.routes(serving), *metrics.routes(serving), *page.routes(serving)]
    return access.protected(Starlette(routes=routes), serving)
