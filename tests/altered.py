"""Runs a command of the connector altered: ``python -m tests.altered JSON COMMAND…``.

``{"ahead": SECONDS}``: as on a machine whose clock is wrong. Only the connector's own clock is shifted, the one place
that it takes the time from; what libraries take from the system, such as the instant a request is signed with, is not.
``{"hurried": true}``: without the pauses that wait for an AWS that lists late, which the sandbox does not.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

from connector.adapters.clock import SystemClock
from connector.cli import main
from tests.world import SHORTENED


def alter(ahead: float = 0.0, *, hurried: bool = False) -> None:
    """Change this process, before anything is built in it."""
    shift = timedelta(seconds=ahead)
    SystemClock.now = lambda _clock: datetime.now(UTC) + shift  # type: ignore[method-assign]
    if hurried:
        for module, name, seconds in SHORTENED:
            setattr(module, name, timedelta(seconds=seconds))


if __name__ == "__main__":
    alter(**json.loads(sys.argv.pop(1)))
    main()
