"""Which verbs of a connection have something to do: from what the ledger holds, the schedule and the time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.adapters.ledger import Waiting
from connector.fleet.trouble import TROUBLE, Troubles
from connector.sync.verbs import REVIEW_EVERY

AWS_ACCOUNT = "aws_account"
REVIEW = "review"
"""The watermark that says that a task came to its end, so that the review status is worth a look."""
SERVED = "fleet"
"""The watermark of the configuration that a connection was last served with, and by whom."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How often a connection is looked at. ``digest`` is its mapping's, ``catalog`` part of some watermarks' names."""

    pull: timedelta
    observe: timedelta
    digest: str
    catalog: str

    @property
    def marks(self) -> tuple[str, ...]:
        """The watermarks that ``due_verbs`` goes by."""
        observed = f"observed:{self.catalog}"
        return (AWS_ACCOUNT, REVIEW, SERVED, TROUBLE, "last_pull", "last_observe", "mapping", observed)


def due_verbs(waiting: Waiting, habits: Habits, now: datetime) -> tuple[str, ...]:
    """The verbs that should run now; none while what they failed of is given time."""
    marks = waiting.marks
    troubles = Troubles.from_text(marks.get(TROUBLE, ""))
    due = set(waiting.verbs)
    if _is_over(marks, "last_pull", habits.pull, now) or marks.get("mapping") != habits.digest:
        due.add("pull")
    if _is_over(marks, "last_observe", habits.observe, now) or f"observed:{habits.catalog}" not in marks:
        due.add("observe")
    if marks.get(REVIEW) and _is_over(marks, "last_observe", REVIEW_EVERY, now):
        due.add("review")
    return tuple(sorted(verb for verb in due if not troubles.is_pausing(verb, now)))


def _is_over(marks: Mapping[str, str], name: str, every: timedelta, now: datetime) -> bool:
    """Whether that was last done longer ago; also by a machine whose clock is far ahead."""
    last = marks.get(name, "")
    return not last or not timedelta(0) <= now + every - datetime.fromisoformat(last) < 2 * every
