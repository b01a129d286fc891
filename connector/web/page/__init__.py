"""The page for people: where deals are, what waits for whom, one deal's whole story, and two buttons.

Made on the server, readable without scripts, and it works without internet. It reads the ledger, never a service, but
where a person presses the button for it; nothing changes by being looked at.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from connector.web.serving import Serving


def routes(serving: Serving) -> list[BaseRoute]:
    """Everything below ``/`` that nobody else has taken; to be put last."""
    # Late, since the door, which the pages ask for their visitor, shows its refusals as pages of this package.
    from connector.web.page.site import site

    return site(serving)
