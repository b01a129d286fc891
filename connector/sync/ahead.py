"""The commit before a call: nothing is sent that was not committed a moment ago by who may commit it.

A process that stood still meanwhile finds out by it that another one took over. Makes no call.
"""

from __future__ import annotations

from collections.abc import Callable

from connector.core.model import Link
from connector.sync.context import Context
from connector.sync.readings import Instant, seconds_between

SOON = 3.0
"""Seconds after its commit within which a call may still get under way without another one."""


class Ahead:
    """One call's commits. ``link`` is as the last one left it; ``is_written``: an open operation is in the ledger.

    ``write`` makes the first commit; None where that was done with the end of the call before, ``since`` then.
    """

    def __init__(self, context: Context, planned: Link, write: Callable[[Link], Link] | None, since: Instant) -> None:
        self.link = planned
        self.is_written = write is None
        self._context = context
        self._write = write
        self._since = since
        self._is_called = False

    def commit(self) -> None:
        """Commit that the call is about to leave; it is called again where that takes long."""
        if self._is_called or (self._write is None and self._age() > SOON):
            # Seconds have passed, as after a pause: whoever owns the ledger by now refuses this.
            self.link = self._context.ledger.leaving(self.link, self._context.now)
        elif self._write is not None:
            self.link = self._write(self.link)
            self.is_written = True
        self._is_called = True

    def _age(self) -> float:
        return seconds_between(self._since, self._context.instant)
