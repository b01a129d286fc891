"""Forks processes that settle one record and die by SIGKILL at a chosen commit. Run as ``python -m tests.killer``.

Reads one JSON command a line, ``{"config", "id", "at", "when"}``, and answers ``{"signal", "code"}``. It forks from a
process that has imported everything and has no threads, so that a death costs milliseconds and not seconds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session

from connector import config as configuration
from connector.adapters.partner_central import model
from connector.app import App, load_mapping
from connector.resources import packaged
from connector.sync import learn
from connector.sync.settle import settle
from tests.world import ENVIRONMENT


def die_at(number: int, when: str) -> None:
    """Kill this process at its n-th commit, just before or just after it is made."""
    commit = Session.commit
    lock, made = threading.Lock(), 0

    def counted(session: Session) -> None:
        nonlocal made
        with lock:
            made += 1
            mine = made
        if mine == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(session)
        if mine == number:
            os.kill(os.getpid(), signal.SIGKILL)

    Session.commit = counted  # type: ignore[method-assign]


def work(command: dict[str, Any]) -> None:
    """What a connector does for one record, from reading its configuration to the last write-back."""
    learn.CONFIRM_AFTER = timedelta(seconds=0.05)
    app = App(configuration.load(Path(command["config"]), ENVIRONMENT), threading.Event())
    with app.owning_ledger():
        settle(app.contexts["sandbox"], [command["id"]], patience=timedelta(seconds=30))


def main() -> None:
    import simple_salesforce.api  # noqa: F401 (imported once, before any fork)

    model.mapping_shapes()
    load_mapping(packaged("mappings", "opportunity.yaml"))
    for line in sys.stdin:
        command = json.loads(line)
        pid = os.fork()
        if pid == 0:
            if command["at"]:
                die_at(command["at"], command["when"])
            work(command)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        answer = {
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            "code": os.waitstatus_to_exitcode(status),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
