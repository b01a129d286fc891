"""Which address leads to which page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from connector.web.page import deal, deals, overview, session
from connector.web.page.desk import Desk, Handler, endpoint
from connector.web.page.rendering import MEDIA, static_files, told
from connector.web.page.snapshots import Snapshots
from connector.web.serving import Serving

_KEPT = {"cache-control": "public, max-age=31536000, immutable"}


def site(serving: Serving) -> list[BaseRoute]:
    """Everything below ``/``, with pages for what is not there."""
    desk = Desk(serving, Snapshots(serving))

    def get(path: str, handler: Handler) -> Route:
        return Route(path, endpoint(desk, handler), methods=["GET"])

    def post(path: str, handler: Handler) -> Route:
        return Route(path, endpoint(desk, handler), methods=["POST"])

    one = "/deals/{connection}/{salesforce_id}"
    found = [
        get("/", overview.overview),
        get("/connections/{name}", overview.connection),
        get("/deals", deals.deals),
        get(one, deal.deal),
        post(f"{one}/retry", deal.retry),
        post(f"{one}/resync", deal.resync),
        post("/retry", deal.retry_all),
        post("/ask", deal.ask),
        Route("/sign-in", session.sign_in(desk), methods=["GET", "POST"]),
        Route("/sign-out", session.leave, methods=["POST"]),
        Route("/static/{digest}/{name}", static, methods=["GET"]),
    ]
    pages = Starlette(routes=found, exception_handlers={HTTPException: _not_there})
    return [Mount("/", app=pages)]


async def static(request: Request) -> Response:
    """A file that the pages need. Its address changes with its content, so it is never asked for twice."""
    name = request.path_params["name"]
    digest, content = static_files().get(name, ("", b""))
    if not digest or request.path_params["digest"] != digest:
        return told(request, 404, "Not here", "There is no such file.")
    return Response(content, media_type=MEDIA[f".{name.rpartition('.')[2]}"], headers=_KEPT)


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return told(request, 405, "Not that way", "This address is not asked for like that.")
    return told(request, error.status_code, "Not here", "There is no such page.", "Look for it from the overview.")
