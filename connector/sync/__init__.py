"""The shell around the core: pull, advance, observe, write back. Each step is one call, in order."""

from __future__ import annotations

from connector.sync.advance import advance
from connector.sync.context import Context
from connector.sync.follow import follow_invitations, refresh
from connector.sync.observe import follow_tasks, observe
from connector.sync.pull import Pulled, pull, pull_ids, sweep_is_due
from connector.sync.write_back import write_back

__all__ = [
    "Context",
    "Pulled",
    "advance",
    "follow_invitations",
    "follow_tasks",
    "observe",
    "pull",
    "pull_ids",
    "refresh",
    "sweep_is_due",
    "write_back",
]
