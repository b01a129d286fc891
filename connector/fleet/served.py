"""The connections that a worker can look at, with what is kept of each between two turns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from connector.adapters.ledger import Waiting
from connector.adapters.queue import Look
from connector.app import App
from connector.config import Connection
from connector.fleet.dues import AWS_ACCOUNT, SERVED, Habits, due_verbs
from connector.fleet.trouble import TROUBLE, Troubles
from connector.sync import Context

VERIFICATION = "verification"
"""What comes before all verbs, once for each worker."""


@dataclass
class Served:
    """One connection. ``version`` stands for all of its configuration that decides what is written.

    ``verification`` is what kept this worker from making sure where it leads: another machine may have better luck.
    ``lost_told`` is in what words the loss of its last turn was told. ``is_closing``: somebody has begun to replace it.
    """

    app: App
    context: Context
    version: str
    habits: Habits
    is_verified: bool = False
    verification: Troubles = field(default_factory=Troubles)
    lost_told: str = ""
    is_closing: bool = False

    def is_pausing(self, now: datetime) -> bool:
        """Whether this worker gives it time after a verification that failed."""
        return self.verification.is_pausing(VERIFICATION, now)

    def due(self, waiting: Waiting, now: datetime) -> tuple[str, ...]:
        """The verbs that should run now.

        Until it is verified here no pause counts: what was wrong may be mended, and this worker started again for it.
        """
        if not self.is_verified:
            waiting = replace(waiting, marks={**waiting.marks, TROUBLE: ""})
        return due_verbs(waiting, self.habits, now)

    @property
    def address(self) -> str:
        """Where workers with the same version hear of it. Short, as it becomes the name of a channel."""
        return f"look-{_digest(self.context.name, self.version)}"

    def lock(self, account: str) -> str:
        """What a look has to hold: its AWS account, or while nobody knows that, the connection alone."""
        return account or f"connection {self.context.name}"

    def look(self, account: str) -> Look:
        return Look(self.context.name, self.address, self.lock(account))


def serve(app: App, name: str) -> Served:
    """One connection of a configuration."""
    schedule, context = app.config.schedule, app.contexts[name]
    habits = Habits(schedule.pull, schedule.observe, context.mapping_digest, context.catalog)
    return Served(app, context, version_of(app.connections[name], context), habits)


def version_of(connection: Connection, context: Context) -> str:
    """A digest of what must be the same on all machines. Certificates, proxies, profiles and secrets may differ."""
    section = connection.partner_central
    parts = (
        connection.salesforce.login_url,
        connection.salesforce.organization_id,
        section.catalog,
        section.launch_needs_account,
        section.quota.model_dump(mode="json"),
        connection.limits.model_dump(mode="json"),
        context.mapping_digest,
    )
    return _digest(json.dumps(parts, sort_keys=True))


def marks_of(served: Sequence[Served]) -> set[str]:
    """The watermarks that are needed to say what is due."""
    return {AWS_ACCOUNT, SERVED}.union(*(one.habits.marks for one in served))


def served_by(note: str) -> tuple[str, datetime | None, str]:
    """(version, when, by whom) of the note that a worker leaves."""
    version, _, rest = note.partition(" ")
    at, _, actor = rest.partition(" ")
    try:
        return version, datetime.fromisoformat(at), actor
    except ValueError:
        return "", None, ""


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
