"""One verb of one connection, as the daemon calls it: nothing that it raises goes further than this."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from connector import log, tracing
from connector.core.retry import next_attempt
from connector.errors import ConnectorError, Halt, LedgerUnavailable, QuotaExhausted, TemporaryError, UnsafePlan
from connector.sync import Context
from connector.watch.beats import Beats

logger = logging.getLogger(__name__)

GUARD_EVERY = 10.0
"""Seconds until a guard is asked again: it waits for a person, who should not wait for us, and it costs one row."""
LEDGER_EVERY = 5.0
"""Seconds until the ledger is asked again, at most: it is our own, and nothing goes on without it."""


@dataclass
class Guarded:
    """Its trouble is told once, tried again with growing pauses, and stops no other."""

    name: str
    context: Context
    verb: Callable[[], object]
    beats: Beats = field(default_factory=Beats)
    failures: int = 0
    told: str = ""
    pause_until: float = 0.0

    def expect(self, every: timedelta) -> None:
        """From now on it should succeed every so often."""
        self.beats.expect(self.context.name, self.name, every, self.context.now)

    def run(self) -> None:
        """Call the verb unless it is pausing after a failure. Never raises."""
        if self._is_pausing():
            return
        self.beats.began(self.context.name, self.name, self.context.now)
        try:
            with log.within(self.context.name), tracing.look(self.name, self.context.name):
                self.verb()
        except Exception as error:  # noqa: BLE001 (the edge of a job: whatever it is, the other jobs go on)
            if not self.context.stopping.is_set():
                self._failed(error)
        else:
            self._succeeded()

    def idle(self) -> None:
        """The look at the ledger found nothing for it to do, which is as good as having done it."""
        if not self._is_pausing():
            self._succeeded()

    def _is_pausing(self) -> bool:
        return self.context.clock.monotonic() < self.pause_until

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        asked = getattr(error, "delay", 0.0) if isinstance(error, TemporaryError | QuotaExhausted) else 0.0
        is_ledger = isinstance(error, LedgerUnavailable)
        asked = max(asked, 30.0) if isinstance(error, Halt) and not is_ledger else asked
        now = self.context.now
        self.beats.failed(self.context.name, self.name, error, now)
        seconds = (next_attempt(self.failures, now, asked) - now).total_seconds()
        if isinstance(error, UnsafePlan):
            seconds = GUARD_EVERY
        if is_ledger:
            seconds = min(seconds, LEDGER_EVERY)
        self.pause_until = self.context.clock.monotonic() + seconds
        text = str(error) if isinstance(error, ConnectorError) else f"unexpected {type(error).__name__}: {error}"
        if text != self.told:
            self.told = text
            level = logging.WARNING if isinstance(error, TemporaryError) else logging.ERROR
            unexpected = None if isinstance(error, ConnectorError) else error
            logger.log(
                level, "%s of %s: %s", self.name, self.context.name, text, extra=self._extra(), exc_info=unexpected
            )

    def _succeeded(self) -> None:
        self.beats.succeeded(self.context.name, self.name, self.context.now)
        if self.told:
            logger.info("%s of %s works again.", self.name, self.context.name, extra=self._extra(event="recovered"))
        self.failures, self.told, self.pause_until = 0, "", 0.0

    def _extra(self, event: str = "job_failed") -> dict[str, object]:
        return {"event": event, "connection": self.context.name, "job": self.name, "failures": self.failures}
