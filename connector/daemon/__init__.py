"""The daemon: the loops of every connection, each looking again and again. A wake-up that is lost costs a look only.

What connections share here asks no service: one's trouble is its own.
"""

from __future__ import annotations

from connector.daemon.entrance import Entrance
from connector.daemon.guarded import Guarded
from connector.daemon.service import Daemon, run

__all__ = ["Daemon", "Entrance", "Guarded", "run"]
