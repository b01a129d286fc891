"""Forks connectors that die by SIGKILL at a chosen commit, or live until somebody kills them.

Run as ``python -m tests.killer``. Reads one JSON command a line:
``{"do": "start", "config", "work", "ids", "at", "when"}`` answers ``{"pid"}``; ``{"do": "wait", "pid", "seconds"}``
answers ``{"signal", "code", "commits", "traced"}``, or ``{}`` when it is still alive by then. It forks from a
process that has imported everything and has no threads, so that a death costs milliseconds and not seconds.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from connector import app as building
from connector import config as configuration
from connector import daemon, mapping_files
from connector.adapters.partner_central import model
from connector.core import retry
from connector.ports import Clock
from connector.sync import verbs
from connector.sync.settle import settle
from tests.world import ENVIRONMENT, SHORTENED

_COUNTS = struct.Struct("qq")
PATIENCE = timedelta(seconds=30)


class Commits:
    """Counts the commits of this process in memory that outlives it, and dies at one of them.

    Hooked where SQLAlchemy hands a commit to the driver, so that none is left out, whether a Session, a Core
    connection or a migration makes it. ``traced`` counts what SQLite itself, or PostgreSQL's driver, was told, to prove
    just that.
    """

    def __init__(self, shared: mmap.mmap, at: int, when: str) -> None:
        self._shared, self._at, self._when = shared, at, when
        self._lock = threading.Lock()
        self._made = self._traced = 0

    def watch(self) -> None:
        hand_over = DefaultDialect.do_commit

        def counted(dialect: DefaultDialect, connection: Any) -> None:
            if not getattr(connection, "in_transaction", True):
                hand_over(dialect, connection)
                return
            mine = self._count()
            self._die_if(mine, "before")
            hand_over(dialect, connection)
            self._die_if(mine, "after")

        DefaultDialect.do_commit = counted  # type: ignore[method-assign]
        event.listen(Engine, "connect", self._trace)

    def _count(self) -> int:
        with self._lock:
            self._made += 1
            self._note()
            return self._made

    def _die_if(self, mine: int, when: str) -> None:
        if (mine, when) == (self._at, self._when):
            os.kill(os.getpid(), signal.SIGKILL)

    def _trace(self, connection: Any, _record: Any) -> None:
        def told(statement: str) -> None:
            if statement.lstrip().upper().startswith(("COMMIT", "END")):
                with self._lock:
                    self._traced += 1
                    self._note()

        if hasattr(connection, "set_trace_callback"):
            connection.set_trace_callback(told)
            return
        commit = connection.commit

        def traced() -> None:
            told("COMMIT")
            commit()

        connection.commit = traced

    def _note(self) -> None:
        self._shared[:] = _COUNTS.pack(self._made, self._traced)


@dataclass(frozen=True, slots=True)
class HastyClock:
    """A clock that wakes a waiting ``settle`` early: looking once too often is harmless."""

    clock: Clock

    def now(self) -> datetime:
        return self.clock.now()

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(min(seconds, 0.05))


def hurry() -> None:
    """Shorten the pauses that wait for AWS or for a person, in this process."""
    for module, name, seconds in SHORTENED:
        setattr(module, name, timedelta(seconds=seconds))
    retry.FIRST_DELAY = 0.02
    verbs.TICK = timedelta(seconds=0.05)
    verbs.REVIEW_EVERY = timedelta(seconds=0.3)


def settling(app: building.App, ids: list[str]) -> None:
    """What a connector does for chosen records, from reading its configuration to the last write-back."""
    with app.owning_ledger():
        context = app.contexts["sandbox"]
        context.clock = HastyClock(context.clock)
        settle(context, ids, patience=PATIENCE)


def running(app: building.App, _ids: list[str]) -> None:
    """The daemon itself: its scheduler, its jobs, its threads."""
    daemon.run(app)


WORK: dict[str, Callable[[building.App, list[str]], None]] = {"settle": settling, "run": running}


@dataclass
class Nursery:
    """The children that are alive, and what they count into."""

    counts: dict[int, mmap.mmap] = field(default_factory=dict)

    def start(self, command: dict[str, Any]) -> dict[str, Any]:
        read_mappings(Path(command["config"]))
        shared = mmap.mmap(-1, _COUNTS.size)
        pid = os.fork()
        if pid == 0:
            _live(command, shared)
        self.counts[pid] = shared
        return {"pid": pid}

    def wait(self, command: dict[str, Any]) -> dict[str, Any]:
        pid, deadline = command["pid"], time.monotonic() + command["seconds"]
        while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() >= deadline:
                return {}
            time.sleep(0.005)
        commits, traced = _COUNTS.unpack(self.counts.pop(pid)[:])
        code = os.waitstatus_to_exitcode(ended[1])
        return {"signal": max(-code, 0), "code": code, "commits": commits, "traced": traced}


def _live(command: dict[str, Any], shared: mmap.mmap) -> None:
    """The whole life of a child; it never returns."""
    code = 1
    try:
        hurry()
        Commits(shared, command["at"], command["when"]).watch()
        app = building.App(configuration.load(Path(command["config"]), ENVIRONMENT))
        WORK[command["work"]](app, command["ids"])
        code = 0
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def warm_up() -> None:
    """Read once what every child would read anew: modules, AWS's model."""
    import boto3
    import simple_salesforce.api  # noqa: F401

    JSONFileLoader.load_file = cache(JSONFileLoader.load_file)
    boto3.Session().client(model.SERVICE, region_name="us-east-1")
    model.mapping_shapes()
    mapping_files.load_mapping = cache(mapping_files.load_mapping)


def read_mappings(config: Path) -> None:
    """Compile what this configuration names, unless that was done; a child finds it ready."""
    for connection in configuration.load(config, ENVIRONMENT).connections.values():
        mapping_files.load_mapping(connection.mapping, mapping_files.shown_path(connection.mapping))


def main() -> None:
    warm_up()
    assert threading.active_count() == 1, "a fork of a process with threads may hang"
    nursery = Nursery()
    for line in sys.stdin:
        command = json.loads(line)
        answer = nursery.start(command) if command["do"] == "start" else nursery.wait(command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
