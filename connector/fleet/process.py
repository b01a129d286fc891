"""A worker's process: one queue, its signals, its page. It serves until SIGTERM, whatever becomes of the database."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from contextlib import ExitStack
from queue import Empty, SimpleQueue

from connector import tracing
from connector.adapters.ledger import LedgerBusy
from connector.adapters.queue import Timing, schema
from connector.adapters.queue.engine import Queue
from connector.app import App
from connector.daemon.succession import succeed
from connector.errors import UserError
from connector.fleet.worker import Worker
from connector.watch.beats import Beats

logger = logging.getLogger(__name__)

TRIES = 10
"""Within a second: a command that looks who owns the ledger has it for a few milliseconds."""
GRACE = 12.0
"""Seconds that turns under way have to end; what is cut off then is looked up by the worker that goes on."""


def run(app: App, log_level: str | None = None, signals: SimpleQueue[int] | None = None) -> None:
    """Serve looks until SIGTERM or SIGINT; SIGHUP reads the files again.

    ``log_level`` was given by hand and outlives that; ``signals`` came in before the worker was up.

    Raises UserError where the database is no PostgreSQL or not upgraded, Halt where it cannot be reached at the start.
    """
    if app.is_embedded:
        raise UserError(
            "Workers share a PostgreSQL database, and `database` is SQLite, which one machine uses alone.",
            "Set `database: postgresql+psycopg://…`; or run `connector run`, which needs no other database.",
        )
    app.actor = app.actor or f"worker {socket.gethostname()}-{os.getpid()}"
    schema.require(app.engine)
    with ExitStack() as stack:
        _share_ledger(app, stack)
        Process(app, log_level, signals or SimpleQueue()).run()


def _share_ledger(app: App, stack: ExitStack) -> None:
    """Own the ledger with the other workers. A command may have it for a moment, only to see who does."""
    for _ in range(TRIES):
        try:
            stack.enter_context(app.owning_ledger(shared=True))
        except LedgerBusy:
            app.stopping.wait(1.0 / TRIES)
        else:
            return
    stack.enter_context(app.owning_ledger(shared=True))


class Process:
    """A worker with its queue, its page and its signals."""

    def __init__(self, app: App, log_level: str | None, signals: SimpleQueue[int]) -> None:
        fleet = app.config.fleet
        timing = Timing(
            fleet.concurrency, fleet.heartbeat.total_seconds(), fleet.dead_after.total_seconds(), name=app.actor
        )
        self._log_level = log_level
        self._app = app
        self._beats = Beats()
        self._worker = Worker(app, self._beats)
        self._queue = Queue(app.engine, self._worker, timing)
        self._worker.is_awaited, self._worker.lives = self._queue.is_awaited, self._queue.lives
        self._worker.readdress = self._queue.readdress
        # A handler may interrupt anything in this thread, a lock's holder included; a SimpleQueue bears that.
        self._signals = signals

    def run(self) -> None:
        from connector.watch.watcher import Watcher
        from connector.web.server import WebServer
        from connector.web.serving import Serving

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: self._signals.put(number))
        serving = threading.Thread(target=self._queue.run, name="queue", daemon=True)
        seen = Serving(lambda: self._app, self._beats, self._app.actor, shares=True)
        with WebServer(seen), Watcher(seen):
            serving.start()
            names = ", ".join(self._app.contexts)
            logger.info("A worker for: %s. Stop with SIGTERM or Ctrl-C.", names, extra={"event": "started"})
            self._await_stop()
            self._app.stopping.set()
            self._queue.stop()
            serving.join(GRACE)
            if serving.is_alive():
                self._cut_off()
        self._worker.close()
        logger.info("Stopped; nothing is in flight.", extra={"event": "stopped"})

    def _await_stop(self) -> None:
        while not self._app.stopping.is_set():
            try:
                number = self._signals.get(timeout=1.0)
            except Empty:
                continue
            if number != signal.SIGHUP:
                return
            self._reload()

    def _reload(self) -> None:
        """Look at the files again; where they are wrong everything stays as it is."""
        successor = succeed(self._app, self._log_level, is_worker=True)
        if successor is None:
            return
        difference = self._worker.adopt(successor)
        self._queue.readdress()
        logger.info("Read again: %s.", difference, extra={"event": "reloaded"})

    def _cut_off(self) -> None:
        names = ", ".join(self._worker.under_way) or "the queue"
        lost = self._app.lost
        told = "Still in flight, looked up by another worker: %s.%s"
        logger.warning(told, names, f" {lost}" if lost is not None else "", extra={"event": "cut_off"})
        tracing.stop()
        logging.shutdown()
        os._exit(0 if lost is None else 3)
