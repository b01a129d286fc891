"""The real daemon as a process of its own, looking every second, its log as JSON in the world's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.world import ENVIRONMENT, World

ROOT = Path(__file__).parents[1]


@contextmanager
def daemon(world: World, *, level: str = "INFO", **environment: str) -> Iterator[subprocess.Popen[str]]:
    text = world.config.read_text(encoding="utf-8")
    head = f"schedule: {{pull: 1s, observe: 1s}}\nlog: {{format: json, level: {level}}}\n"
    world.config.write_text(head + text, encoding="utf-8")
    with started(world, **environment) as process:
        yield process


@contextmanager
def started(world: World, *, goes_on: bool = False, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The same with the configuration as it is. ``goes_on``: what an earlier one logged is kept."""
    given = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config), "PYTHONPATH": str(ROOT)}
    with (world.folder / "daemon.log").open("a" if goes_on else "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "run"],
            cwd=world.folder,
            env={**given, **environment},
            text=True,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=10)


def stopped(process: subprocess.Popen[str]) -> float:
    """End it; gives the seconds that took."""
    began = time.monotonic()
    process.terminate()
    assert process.wait(timeout=15) == 0
    return time.monotonic() - began


def lines_of(world: World) -> list[dict[str, Any]]:
    """What it has logged by now; a line that is being written is left out."""
    whole = (world.folder / "daemon.log").read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def is_synced(world: World, deal: str) -> bool:
    return bool(world.record(deal)["AWS_Sync_Status__c"] == "Synced")
