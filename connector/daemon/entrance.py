"""Keeps a connection from working until it is known to reach what its ledger was filled from."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from connector.app import App
from connector.errors import ConnectorError, UserError, WrongAccount
from connector.sync import Context


@dataclass
class Entrance:
    """Opens once the connection is verified.

    A service that is down or a login that fails heals, and is tried again. Another account never does: then
    ``refusal`` tells why, and it stays closed.
    """

    app: App
    context: Context
    refusal: ConnectorError | None = None
    opened: threading.Event = field(default_factory=threading.Event)

    @property
    def is_decided(self) -> bool:
        return self.opened.is_set() or self.refusal is not None

    def verify(self) -> None:
        """Open, or refuse for good. Raises TemporaryError or Halt while it cannot be known."""
        if self.is_decided:
            return
        try:
            self.app.verify(self.context, self.context.partner_central.account)
        except (WrongAccount, UserError) as refusal:
            self.refusal = refusal
        else:
            self.opened.set()
