"""All connections of one process, and how it goes from one configuration to the next without stopping those that stay.

What is done here is bounded and asks no service; whatever may hang runs in a loop of its own connection.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue

from connector.adapters.scheduler import Job, Scheduler
from connector.app import App
from connector.daemon.loops import Loops
from connector.daemon.succession import Difference, Successor, Version, succeed, versions_of
from connector.errors import ConnectorError, UserError, WrongAccount
from connector.sync import verbs
from connector.watch.beats import Beats

logger = logging.getLogger(__name__)

ANYTHING = frozenset({"advance", "tasks", "refresh", "answers", "write_back", "requests"})
"""What there may be to do where the ledger cannot say: then each loop looks, and tells its own trouble."""


def run(app: App, log_level: str | None = None, signals: SimpleQueue[int] | None = None) -> None:
    """Run every chosen connection until told to stop.

    ``log_level`` was given by hand and outlives a reload; ``signals`` came in before the daemon was up. Raises
    WrongAccount or UserError when none of the connections may run, whenever that is found out.
    """
    Daemon(app, log_level, signals).run()


class Daemon:
    """The connections of ``app``, each with its own loops. ``reload`` makes them what the files now say."""

    def __init__(self, app: App, log_level: str | None = None, signals: SimpleQueue[int] | None = None) -> None:
        self.app = app
        self.beats = Beats()
        self._log_level = log_level
        self._scheduler = Scheduler(app.stopping, self.reload, signals, self._ended_by)
        # Held for what is decided; nothing waits for a service under it.
        self._deciding = threading.RLock()
        self._loops: dict[str, Loops] = {}
        self._versions: Mapping[str, Version] = {}
        self._missing: dict[str, str] = {}
        self._refusal: ConnectorError | None = None
        self._last_word: Callable[[], None] = lambda: None

    def run(self) -> None:
        """Run until told to stop. Raises as ``run`` above."""
        from connector.watch.watcher import Watcher
        from connector.web.server import WebServer
        from connector.web.serving import Serving

        app = self.app
        app.actor = app.actor or f"daemon on {socket.gethostname()} (process {os.getpid()})"
        with app.owning_ledger():
            self._refuse_all_wrong()
            self._versions = versions_of(app.config, app.compiled)
            self._scheduler.hear()
            logger.info(
                "Running: %s. Stop with SIGTERM or Ctrl-C.", ", ".join(app.contexts), extra={"event": "started"}
            )
            serving = Serving(lambda: app, self.beats, app.actor)
            with WebServer(serving), Watcher(serving) as watcher:
                self._last_word = watcher.last_word
                for name in app.contexts:
                    self._start(name)
                self._scheduler.add([Job("look", verbs.TICK, self._look)])
                self._scheduler.run()
            logger.info("Stopped; nothing is in flight.", extra={"event": "stopped"})
        if self._refusal is not None:
            raise self._refusal

    def _ended_by(self) -> tuple[int, str]:
        """Exit code and reason where something in flight keeps the error itself from being raised."""
        error = self._refusal or self.app.lost
        return (0, "") if error is None else (2 if isinstance(error, UserError) else 3, str(error))

    def _refuse_all_wrong(self) -> None:
        """A wrong catalog is told before anything is done, where it leaves nothing to be done; asks no service."""
        refused = []
        for context in self.app.contexts.values():
            try:
                self.app.verify_catalog(context)
            except WrongAccount as refusal:
                refused.append(refusal)
        if refused and len(refused) == len(self.app.contexts):
            raise refused[0]

    # what runs

    def _start(self, name: str) -> None:
        context = self.app.contexts[name]
        loops = Loops(self.app, context, self._scheduler, self.beats, self._refused, self._over)
        self._loops[name] = loops
        loops.start()

    def _start_missing(self) -> None:
        """Start what should run and does not; a connection that is ending comes to this once it has.

        What cannot be built now, as while the ledger is away, is told once and tried again at every look.
        """
        with self._deciding:
            missing = [name for name in self._versions if name not in self._loops]
            for name in missing if not self.app.stopping.is_set() else ():
                try:
                    self.app.renew(name)
                except Exception as error:  # noqa: BLE001 (whatever it is, the other connections go on)
                    self._tell_missing(name, error)
                else:
                    self._missing.pop(name, None)
                    self._start(name)

    def _tell_missing(self, name: str, error: Exception) -> None:
        now = self.app.clock.now()
        if self._missing.get(name) != str(error):
            self._missing[name] = str(error)
            self.beats.expect(name, "verification", verbs.TICK, now)
            unexpected = None if isinstance(error, ConnectorError) else error
            extra = {"event": "start_failed", "connection": name}
            logger.error("%s cannot be started yet: %s", name, error, extra=extra, exc_info=unexpected)
        self.beats.failed(name, "verification", error, now)

    def _look(self) -> None:
        """See for all connections together what there is to do: 50 idle ones cost a few milliseconds a second."""
        self._start_missing()
        loops = [one for one in list(self._loops.values()) if not one.is_ending]
        try:
            work = self.app.ledger.awaiting([one.context.key for one in loops if one.is_open], self.app.clock.now())
        except Exception:  # noqa: BLE001 (what is wrong with the ledger is told by each loop that meets it)
            work = {one.context.key: ANYTHING for one in loops}
        for one in loops:
            one.look(work.get(one.context.key, frozenset()))

    def _refused(self, loops: Loops) -> None:
        """One connection must not run. The others go on; where there are none, the daemon ends with the reason."""
        assert loops.refusal is not None
        with self._deciding:
            if loops.is_ending:
                return  # its successor is asked anew, and may be allowed
            running = [one for name in self._versions if (one := self._loops.get(name)) is None or one.refusal is None]
            if not running:
                self._refusal = loops.refusal
        name = loops.context.name
        outcome = "the others go on without it" if running else "so the daemon stops"
        extra = {"event": "refused", "connection": name}
        logger.error("%s must not run, %s: %s", name, outcome, loops.refusal, extra=extra)
        if not running:
            self._last_word()
            self.app.stopping.set()

    def _over(self, loops: Loops) -> None:
        """Nothing of a connection is in flight any more: close what it used, and start it as it should be now."""
        name = loops.context.name
        try:
            self.app.release(loops.context)
        except Exception as error:  # noqa: BLE001 (whatever it is, the connection has ended)
            extra = {"event": "usage_lost", "connection": name}
            logger.warning("The last calls of %s are not counted: %s", name, error, extra=extra)
        with self._deciding:
            self._loops.pop(name, None)
            self.beats.drop(name)
            if name not in self._versions:
                self.app.forget(name)
        self._start_missing()

    # another configuration

    def reload(self) -> None:
        """Read the files again. Wrong ones change nothing; else only what is new, gone or changed starts and stops."""
        successor = succeed(self.app, self._log_level)
        if successor is not None and not self.app.stopping.is_set():
            self._adopt(successor)

    def _adopt(self, successor: Successor) -> None:
        versions = successor.versions
        with self._deciding:
            difference = Difference.of(self._versions, versions)
            self.app.adopt(successor.config, successor.compiled)
            self._versions = versions
            for name in self._missing.keys() - versions.keys():
                del self._missing[name]
                self.beats.drop(name)
            self._start_missing()
            ending = [self._loops[name] for name in (*difference.removed, *difference.changed) if name in self._loops]
            # Whoever was refused may have been helped elsewhere, as by other credentials.
            ending += [one for name in difference.same if (one := self._loops.get(name)) is not None and one.refusal]
            for loops in ending:
                loops.context.stopping.set()  # before any of them may still be refused
        logger.info("Read again: %s.", difference, extra={"event": "reloaded"})
        for loops in ending:
            loops.stop()
