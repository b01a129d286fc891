"""Connectors as real processes, which are paused and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.postgres import find_server
from tests.world import wait_until


def has_postgres() -> bool:
    """Whether this machine has a server's programs."""
    return find_server() is not None


@dataclass
class Worker:
    """A ``connector`` process with AWS keys of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    killed_at: float = 0.0
    paused: list[tuple[float, float]] = field(default_factory=list)
    """When it stood still, seconds since 1970."""

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.killed_at = time.time()
        self.process.kill()
        self.process.wait(timeout=10)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: _state_of(self.process.pid) == "T", f"{self.name} to stand still", 10)
        self.paused.append((time.time(), float("inf")))

    def resume(self) -> None:
        self.paused[-1] = (self.paused[-1][0], time.time())
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        self.process.terminate()

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """The log, where its lines are JSON."""
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def cpu_seconds(self) -> float:
        """What all its threads have taken so far."""
        return cpu_seconds_of(self.process.pid)

    def memory(self) -> int:
        """Bytes resident now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def _state_of(pid: int) -> str:
    return _stat(pid)[0]


def cpu_seconds_of(pid: int) -> float:
    """What all threads of a process have taken so far."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """What the kernel tells of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
