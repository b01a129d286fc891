"""The daemon: the four verbs as jobs that look again and again. A wake-up that is lost costs a look, nothing more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from connector.adapters.scheduler import Job, Scheduler
from connector.app import App
from connector.core.retry import next_attempt
from connector.errors import ConnectorError, Halt, QuotaExhausted, TemporaryError, UnsafePlan, UserError, WrongAccount
from connector.sync import Context
from connector.sync.verbs import TICK, verbs_of

logger = logging.getLogger(__name__)

USAGE_EVERY = timedelta(seconds=10)
GUARD_EVERY = 10.0
"""Seconds until a guard is asked again: it waits for a person, who should not wait for us, and it costs one row."""


def run(app: App) -> None:
    """Run every chosen connection until told to stop.

    Raises WrongAccount or UserError when a connection must not start, whenever that is found out.
    """
    with app.owning_ledger():
        for context in app.contexts.values():
            app.verify_catalog(context)  # asks no service, so that such a mistake is told before anything is done
        entrances = [Entrance(app, context) for context in app.contexts.values()]
        jobs = [job for entrance in entrances for job in jobs_of(app, entrance)]
        names = ", ".join(app.contexts)
        logger.info("Running: %s. Stop with SIGTERM or Ctrl-C.", names, extra={"event": "started"})
        Scheduler(jobs, app.stopping).run()
        for context in app.contexts.values():
            app.record_usage(context)
        logger.info("Stopped; nothing is in flight.", extra={"event": "stopped"})
        for entrance in entrances:
            if entrance.refusal is not None:
                raise entrance.refusal


@dataclass
class Entrance:
    """Keeps the jobs of a connection waiting until it is known to reach what its ledger was filled from.

    A service that is down or a login that fails heals, and is tried again. Another account never does: then
    ``refusal`` tells why, and the daemon stops.
    """

    app: App
    context: Context
    refusal: ConnectorError | None = None
    opened: threading.Event = field(default_factory=threading.Event)

    def verify(self) -> None:
        """Open, once. Raises TemporaryError or Halt while it cannot be known."""
        if self.opened.is_set() or self.refusal is not None:
            return
        try:
            self.app.verify(self.context, self.context.partner_central.account)
        except (WrongAccount, UserError) as refusal:
            self._refuse(refusal)
        else:
            self.opened.set()

    def _refuse(self, refusal: ConnectorError) -> None:
        self.refusal = refusal
        extra = {"event": "refused", "connection": self.context.name}
        logger.error("%s must not run, so the daemon stops: %s", self.context.name, refusal, extra=extra)
        self.app.stopping.set()

    def is_passed(self) -> bool:
        """Wait until it is open; False when the daemon is stopping."""
        while not self.opened.wait(TICK.total_seconds()):
            if self.context.stopping.is_set():
                return False
        return True


def jobs_of(app: App, entrance: Entrance) -> list[Job]:
    """The jobs of one connection; each looks at the ledger first, and only then at a service."""
    schedule, context = app.config.schedule, entrance.context
    always: list[tuple[str, timedelta, Callable[[], object]]] = [
        ("verification", TICK, entrance.verify),
        ("usage", USAGE_EVERY, lambda: app.record_usage(context)),
    ]
    verbs = verbs_of(context, schedule.pull, schedule.observe, schedule.full_sweep)
    return [
        *(Job(f"{name} {context.name}", every, Guarded(name, context, verb).run) for name, every, verb in always),
        *(
            Job(f"{verb.name} {context.name}", verb.every, _behind(entrance, Guarded(verb.name, context, verb.run)))
            for verb in verbs
        ),
    ]


def _behind(entrance: Entrance, guarded: Guarded) -> Callable[[], None]:
    """The job, once its connection is verified. It waits for that, or the rarest would come a whole turn late."""

    def run() -> None:
        if entrance.is_passed():
            guarded.run()

    return run


@dataclass
class Guarded:
    """One verb of one connection. Its trouble is told once, tried again with growing pauses, and stops no other."""

    name: str
    context: Context
    verb: Callable[[], object]
    failures: int = 0
    told: str = ""
    pause_until: float = 0.0

    def run(self) -> None:
        """Call the verb unless it is pausing after a failure. Never raises."""
        clock = self.context.clock
        if clock.monotonic() < self.pause_until:
            return
        try:
            self.verb()
        except Exception as error:  # noqa: BLE001 (the edge of a job: whatever it is, the other jobs go on)
            if not self.context.stopping.is_set():
                self._failed(error)
        else:
            self._succeeded()

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        asked = getattr(error, "delay", 0.0) if isinstance(error, TemporaryError | QuotaExhausted) else 0.0
        asked = max(asked, 30.0) if isinstance(error, Halt) else asked
        now = self.context.now
        seconds = (next_attempt(self.failures, now, asked) - now).total_seconds()
        if isinstance(error, UnsafePlan):
            seconds = GUARD_EVERY
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
        if self.told:
            logger.info("%s of %s works again.", self.name, self.context.name, extra=self._extra())
        self.failures, self.told, self.pause_until = 0, "", 0.0

    def _extra(self) -> dict[str, object]:
        event = "recovered" if not self.failures else "job_failed"
        return {"event": event, "connection": self.context.name, "job": self.name, "failures": self.failures}
