"""The daemon: the four verbs as jobs that look again and again. A wake-up that is lost costs a look, nothing more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from connector.adapters.scheduler import Job, Scheduler
from connector.app import App
from connector.core.retry import next_attempt
from connector.errors import ConnectorError, Halt, QuotaExhausted, TemporaryError
from connector.sync import Context, advance, follow_tasks, observe, pull, pull_ids, sweep_is_due, write_back

logger = logging.getLogger(__name__)

TICK = timedelta(seconds=1)
REVIEW_EVERY = timedelta(seconds=10)
"""How soon after a submission its review status is looked at, however rarely ``schedule.observe`` does."""
USAGE_EVERY = timedelta(seconds=30)


def run(app: App) -> None:
    """Run every chosen connection until told to stop. Raises Halt when a connection must not start."""
    with app.owning_ledger():
        for context in app.contexts.values():
            app.verify_org(context)
        jobs = [job for context in app.contexts.values() for job in jobs_of(app, context)]
        names = ", ".join(app.contexts)
        logger.info("Running: %s. Stop with SIGTERM or Ctrl-C.", names, extra={"event": "started"})
        Scheduler(jobs, app.stopping).run()
        for context in app.contexts.values():
            app.record_usage(context)
        logger.info("Stopped; nothing is in flight.", extra={"event": "stopped"})


def jobs_of(app: App, context: Context) -> list[Job]:
    """The jobs of one connection; each looks at the ledger first, and only then at a service."""
    schedule = app.config.schedule

    def pulling() -> None:
        pull(context, sweep=sweep_is_due(context, schedule.full_sweep))

    verbs: list[tuple[str, timedelta, Callable[[], object]]] = [
        ("pull", schedule.pull, pulling),
        ("requests", TICK, lambda: answer_requests(context)),
        ("advance", TICK, lambda: _advance(context)),
        ("observe", schedule.observe, lambda: observe(context)),
        ("tasks", TICK, lambda: follow_tasks(context)),
        ("review", REVIEW_EVERY, lambda: context.submitted.is_set() and observe(context)),
        ("write back", TICK, lambda: write_back(context)),
        ("usage", USAGE_EVERY, lambda: app.record_usage(context)),
    ]
    return [Job(f"{name} {context.name}", every, Guarded(name, context, verb).run) for name, every, verb in verbs]


def _advance(context: Context) -> None:
    if context.ledger.due(*context.key, context.now, 1):
        advance(context)


def answer_requests(context: Context) -> None:
    """Read the records that a person asked for while this process owns the ledger."""
    requests = context.ledger.requests(context.name)
    if requests:
        pull_ids(context, sorted({salesforce_id for _, salesforce_id in requests}))
        context.ledger.requests_done([number for number, _ in requests])


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
