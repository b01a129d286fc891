"""A PostgreSQL server for tests: started in a folder of its own on 127.0.0.1, and gone with everything in the end.

``python -m tests.postgres COMMAND…`` runs a command with CONNECTOR_TEST_POSTGRES naming such a server, or the one that
it names already. Needs Debian's ``postgresql`` (any version), not its service.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

USER = "ledger"
NEEDED = "no PostgreSQL server is installed; run `apt-get install postgresql`"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
}


def find_server() -> Path | None:
    """The folder of the newest server's programs, None where there is none."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    found = sorted(versions, key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@dataclass
class Server:
    """One server. ``access`` are lines of its pg_hba.conf; ``settings`` are further ones of its own."""

    access: Sequence[str] = ("host all all 127.0.0.1/32 trust",)
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        programs = find_server()
        if programs is None:
            raise RuntimeError(NEEDED)
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="connector-postgres-"))
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:  # a server refuses to run as root
            person = pwd.getpwnam("postgres")
            self._user = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
            os.chown(self.folder, person.pw_uid, person.pw_gid)

    def __enter__(self) -> Self:
        self.port = self.port or free_port()
        try:
            self._make()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/postgres"

    def give(self, path: Path, mode: int = 0o600) -> Path:
        """A copy of a file that belongs to the server, as its key must."""
        copy = self.folder / path.name
        shutil.copy(path, copy)
        copy.chmod(mode)
        if self._user:
            os.chown(copy, self._user["user"], self._user["group"])
        return copy

    def _make(self) -> None:
        command = [self._programs / "initdb", "-D", self._data, "-U", USER, "--auth=trust", "-N", "-E", "UTF8"]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self._user)
        (self._data / "pg_hba.conf").write_text("\n".join(self.access) + "\n")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {**SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.folder), **self.settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            command = [self._programs / "postgres", "-D", self._data, *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._user)
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname="postgres", connect_timeout=5).close()
        except psycopg.OperationalError as error:
            # Whoever is refused was answered; only the way in is another one.
            return "starting up" not in str(error) and ("no pg_hba" in str(error) or "password" in str(error))
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: it ends all sessions; SIGQUIT: as if it crashed."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(command: Sequence[str]) -> int:
    if os.environ.get("CONNECTOR_TEST_POSTGRES"):
        return subprocess.run(command, check=False).returncode
    if find_server() is None:
        print(f"{NEEDED}, or let CONNECTOR_TEST_POSTGRES name a server.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Server() as server:
        return subprocess.run(
            command, env={**os.environ, "CONNECTOR_TEST_POSTGRES": server.url}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
