"""A daemon with several connections: each its own sandbox over HTTPS, behind a gate that can hold its answers back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from urllib.parse import urlsplit

from connector import config as configuration
from connector.app import App
from connector.sandbox.server import Sandbox
from tests.gate import Gate
from tests.world import ENVIRONMENT, FAST, NO_PAGE, QUOTA, World, wait_until

ROOT = Path(__file__).parents[1]
CONNECTOR = [sys.executable, "-m", "connector"]
PATIENT = "10m"
"""How long a connection waits for an answer: longer than any test keeps it waiting."""


@dataclass
class Many:
    """Worlds by the names of their connections, which are files of one ``connections_dir``."""

    folder: Path
    worlds: dict[str, World]
    gates: dict[str, Gate] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def log(self) -> str:
        return (self.folder / "daemon.log").read_text(encoding="utf-8")

    def file(self, name: str) -> Path:
        return self.folder / "connections" / f"{name}.yaml"

    def write_config(self, extra: str = "") -> None:
        text = f"{NO_PAGE}schedule: {{pull: 1s, observe: 1s}}\nconnections_dir: connections\n{extra}"
        self.config.write_text(text + "database: sqlite:///ledger.db\n", encoding="utf-8")

    def write(self, name: str, extra: str = "") -> None:
        """Make a connection; ``extra`` are more lines of its file."""
        self.file(name).write_text(self.section_of(name) + extra, encoding="utf-8")

    def section_of(self, name: str) -> str:
        sandbox, gate = self.worlds[name].sandbox, self.gates[name]
        section = dedent((sandbox.config_text("sqlite://") + QUOTA).partition("  sandbox:\n")[2])
        section = section.replace(sandbox.url, f"https://127.0.0.1:{gate.port}")
        section = section.replace("partner_central:\n", f"partner_central:\n  read_timeout: {PATIENT}\n")
        return section.replace("salesforce:\n", f"salesforce:\n  timeout: {PATIENT}\n")

    def app(self) -> App:
        app = App(configuration.load(self.config, ENVIRONMENT))
        app.upgrade()
        return app

    def deal(self, name: str) -> str:
        return self.worlds[name].opportunity()

    def is_synced(self, name: str, deal: str) -> bool:
        return bool(self.worlds[name].record(deal)["AWS_Sync_Status__c"] == "Synced")

    def await_synced(self, name: str, deal: str) -> None:
        wait_until(lambda: self.is_synced(name, deal), f"the deal of {name} to be settled")

    def logins(self, name: str) -> int:
        """How often a connection logged in to Salesforce."""
        return self.worlds[name].sandbox.org.sessions.issued

    @contextmanager
    def running(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """The real daemon, its log in the folder."""
        environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(self.config), "PYTHONPATH": str(ROOT)}
        with (self.folder / "daemon.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [*CONNECTOR, "run", *options], cwd=self.folder, env=environment, text=True, stdout=log, stderr=log
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait(timeout=10)

    def await_log(self, words: str, times: int = 1) -> None:
        wait_until(lambda: self.log.count(words) >= times, f"{words!r} in the log")


@contextmanager
def many(folder: Path, *names: str) -> Iterator[Many]:
    """Worlds with these names; no connection has its file yet."""
    (folder / "connections").mkdir(parents=True)
    with ExitStack() as stack:
        made = Many(folder, {})
        for name in names:
            own = folder / name
            own.mkdir()
            sandbox = stack.enter_context(Sandbox(directory=own, settings=FAST, seed=False))
            made.worlds[name] = World(sandbox, own)
            made.gates[name] = stack.enter_context(Gate(int(urlsplit(sandbox.url).port or 0)))
        made.write_config()
        yield made
