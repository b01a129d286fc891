"""What takes long to count, counted in the background and kept for some seconds: no visitor waits for it.

It is counted while somebody looks, one connection after the other in one thread, and so seldom that it takes a small
share of the machine however many links there are.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connector.app import App
from connector.core.model import Structure
from connector.report.causes import refused_write_backs
from connector.report.state import quota_of
from connector.report.throughput import Throughput, throughput_of
from connector.report.waiting import Cause, HeldRecords
from connector.report.whereabouts import Whereabouts, whereabouts_of
from connector.settings import guard_limits
from connector.sync import guards
from connector.web.serving import Serving

logger = logging.getLogger(__name__)

FRESH = 5.0
"""Seconds for which a count does in any case."""
REST = 20
"""How many times as long as a count took it is left alone."""
PATIENCE = 0.06
"""Seconds that a visitor waits for the first count; one of a small ledger is over by then."""
BREATH = 0.02
"""Seconds in which others have their turn, again and again during a long count."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What stops, and waits for a person."""

    name: str
    message: str
    cure: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One connection, counted at ``at``. ``unsettled`` are (status, message, how many, a link's number)."""

    at: datetime
    whereabouts: Whereabouts
    causes: tuple[Cause, ...]
    unsettled: tuple[tuple[str, str, int, int], ...]
    guards: tuple[Guard, ...]
    write_back: tuple[Structure, ...]
    throughput: Throughput
    quota: Structure

    def cause(self, key: str) -> Cause | None:
        """The cause of this name, None where nothing is held by it any more."""
        return next((cause for cause in self.causes if cause.key == key), None)


@dataclass(slots=True)
class _Kept:
    """What is known of one connection, and until when that does (monotonic)."""

    held: HeldRecords = field(default_factory=HeldRecords)
    snapshot: Snapshot | None = None
    good_until: float = float("-inf")


class Snapshots:
    """The last count of each connection. Safe to use from several threads."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._kept: dict[str, _Kept] = {}
        self._wanted: dict[str, None] = {}
        self._counted = threading.Condition()
        self._thread: threading.Thread | None = None

    def of(self, name: str, patience: float = PATIENCE) -> Snapshot | None:
        """What was last counted, None where that is not over yet; it is counted anew where it is old."""
        with self._counted:
            kept = self._kept.setdefault(name, _Kept())
            if time.monotonic() >= kept.good_until:
                self._want(name)
            if kept.snapshot is None:
                self._counted.wait_for(lambda: kept.snapshot is not None, patience)
            return kept.snapshot

    def renew(self, name: str) -> None:
        """Something was changed by a visitor who wants to see it: what was counted no longer does."""
        with self._counted:
            self._kept.setdefault(name, _Kept()).good_until = float("-inf")

    def _want(self, name: str) -> None:
        self._wanted[name] = None
        # A thread that ended as none should, or that the system refused to start, is followed by another one.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._count_all, name="page-counts", daemon=True)
            self._thread.start()

    def _count_all(self) -> None:
        """The thread: ends when nothing is wanted any more."""
        while True:
            with self._counted:
                name = next(iter(self._wanted), None)
                if name is None:
                    self._thread = None
                    return
                del self._wanted[name]
                # Anew where a reload took the connection away meanwhile, and with it what was known of it.
                kept = self._kept.setdefault(name, _Kept())
            began = time.monotonic()
            found = self._count(name, kept)
            took = time.monotonic() - began
            with self._counted:
                kept.snapshot = found or kept.snapshot
                kept.good_until = time.monotonic() + max(FRESH, REST * took)
                self._counted.notify_all()

    def _count(self, name: str, kept: _Kept) -> Snapshot | None:
        try:
            app = self._serving.app()
            if name in app.connections:
                return count(app, name, kept.held)
            self._forget(app.connections)
        except Exception as error:  # noqa: BLE001 (the page shows how old its counts are, and the sync goes on)
            extra = {"event": "page_count_failed", "connection": name}
            logger.warning("The page could not count %s: %s", name, error, extra=extra)
        return None

    def _forget(self, known: Mapping[str, object]) -> None:
        with self._counted:
            self._kept = {name: kept for name, kept in self._kept.items() if name in known}


def count(app: App, name: str, held: HeldRecords) -> Snapshot:
    """Count one connection. Raises LedgerUnavailable."""
    connection, ledger, now = app.connections[name], app.ledger, app.clock.now()
    catalog = connection.partner_central.catalog
    stops = guards.standing(ledger, name, guard_limits(connection), now)
    return Snapshot(
        at=now,
        whereabouts=whereabouts_of(ledger.crowds(name, catalog)),
        causes=held.causes(ledger, name, catalog, lambda: time.sleep(BREATH)),
        unsettled=tuple(ledger.unsettled(name, catalog)),
        guards=tuple(Guard(guard, stop.message, stop.cure) for guard, stop in stops.items()),
        write_back=tuple(refused_write_backs(ledger, name, catalog)),
        throughput=throughput_of(ledger, name, now),
        quota=quota_of(app, name, connection),
    )
