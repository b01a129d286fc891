"""What metrics take from the ledger: counted together, kept some seconds, and asked for in a thread of its own.

How long records waited and how writes ended is counted from when the process began, as Prometheus wants it, and told
as none until then: a series that begins with its first event has no increase.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connector.adapters.ledger import Ledger
from connector.app import AWS_ACCOUNT
from connector.core.eta import DAY
from connector.ports import Finished, OpenOperations
from connector.sync.lookup import LOOK_UP
from connector.watch.checkup import Look, look_at_ledger
from connector.watch.inquiry import Inquiry
from connector.web.serving import Serving

LASTS = timedelta(seconds=5)
"""How long a snapshot is good for, however many ask."""
BOUNDS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600)
"""Seconds: buckets of how long a record waits."""
CREATE, SUBMIT = "CreateOpportunity", "StartEngagementFromOpportunityTask"
ENDS = ("done", "failed")
AGAIN = 1.0
"""Seconds until a ledger that did not answer is asked again from where to count."""
BASELINE = "metrics-baseline"


@dataclass(slots=True)
class Waits:
    """How long records of one connection waited: how many at most that long, and all of them in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Outcomes:
    """Counts operations as they end: each is seen once, those under way again until they do.

    ``begin`` and ``follow`` may be called from different threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: int | None = None
        self._open: set[int] = set()
        self.ended: Counter[tuple[str, str, str]] = Counter()
        self.waits: dict[tuple[str, str], Waits] = defaultdict(Waits)

    def begin(self, ledger: Ledger) -> None:
        """What has ended by now does not count. Does nothing the second time. Raises LedgerUnavailable."""
        with self._lock:
            self._begin(ledger)

    def follow(self, ledger: Ledger) -> None:
        """Count what has ended since the last time, or since ``begin``. Raises LedgerUnavailable."""
        with self._lock:
            newest = self._begin(ledger)
            while True:
                found = ledger.operations_after(newest, sorted(self._open))
                self._open.clear()
                for one in found:
                    self._count(one)
                last = max((one.id for one in found), default=0)
                if last <= newest:
                    return
                self._newest = newest = last

    def _begin(self, ledger: Ledger) -> int:
        """The newest operation that was looked at."""
        if self._newest is None:
            newest = ledger.newest_operation()
            # What began between the two questions is among those after the newest: it would be counted twice.
            self._open, self._newest = {number for number in ledger.open_numbers() if number <= newest}, newest
        return self._newest

    def told(self, names: Sequence[str]) -> tuple[dict[tuple[str, str, str], int], dict[tuple[str, str], Waits]]:
        """``ended`` and ``waits`` as they are now, with none of whatever these connections may come to count."""
        ended = {(name, action, end): 0 for name in names for action in LOOK_UP for end in ENDS}
        waits = {(name, action): Waits() for name in names for action in (CREATE, SUBMIT)}
        counted = {key: Waits(list(one.counts), one.total) for key, one in self.waits.items()}
        return {**ended, **self.ended}, {**waits, **counted}

    def _count(self, one: Finished) -> None:
        if one.state == "open":
            self._open.add(one.id)
            return
        self.ended[one.connection, one.action, one.state] += 1
        if one.waited is not None:
            self.waits[one.connection, one.action].add(one.waited.total_seconds())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the ledger told at one moment, and what ended until then.

    ``ended`` counts operations by connection, action and outcome; ``waits`` are by connection and action. ``writes``
    and ``usage`` are of all connections of the file, ``accounts`` the AWS accounts of those that are known.
    """

    look: Look
    open: Mapping[str, OpenOperations]
    writes: Mapping[str, int]
    usage: Mapping[tuple[str, str], int]
    accounts: Mapping[str, str]
    ended: Mapping[tuple[str, str, str], int]
    waits: Mapping[tuple[str, str], Waits]


class Snapshots:
    """The newest snapshot of a process; ``inquiry`` takes one. What ends counts from ``begin``, or from the first."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._since = datetime.now(UTC)
        self._outcomes = Outcomes()
        self.newest: Snapshot | None = None
        self.inquiry: Inquiry[Snapshot] = Inquiry("metrics-ledger", self._take)

    def begin(self, ending: threading.Event) -> None:
        """Count from now on, or from when the ledger answers. Waits for nothing; gives up when ``ending`` is set."""
        # Where the system refuses the thread, it is counted from the first snapshot.
        with suppress(RuntimeError):
            threading.Thread(target=self._count_from_here, args=(ending,), name=BASELINE, daemon=True).start()

    def _count_from_here(self, ending: threading.Event) -> None:
        while not ending.is_set():
            try:
                self._outcomes.begin(self._serving.app().ledger)
            except Exception:  # noqa: BLE001 (whatever it is, it did not answer, and is asked again)
                ending.wait(AGAIN)
            else:
                return

    def _take(self) -> Snapshot:
        now = datetime.now(UTC)
        if self.newest is not None and now - self.newest.look.at < LASTS:
            return self.newest
        app = self._serving.app()
        ledger, names, known = app.ledger, list(app.connections), list(app.config.connections)
        self._outcomes.follow(ledger)
        ended, waits = self._outcomes.told(names)
        self.newest = Snapshot(
            look_at_ledger(self._serving, now, self._since),
            ledger.open_counts(names),
            ledger.sent_counts(known, now - DAY),
            ledger.usage_counts(known, now),
            ledger.watermarks(known, AWS_ACCOUNT),
            ended,
            waits,
        )
        return self.newest
