"""The README's way to a first opportunity, word for word: its own commands, and the edits by hand that it asks for."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import wait_until

ROOT = Path(__file__).parents[1]
SECTION = "Your first opportunity, set up by hand"
DEAL = "006000000000001AAA"


def blocks_of(section: str) -> list[list[str]]:
    """The commands of each code block of a section of the README."""
    text = (ROOT / "README.md").read_text("utf-8")
    part = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    assert part, section
    return [block.strip().splitlines() for block in re.findall(r"```\n(.*?)```", part, re.DOTALL)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone as the README sees it: the command is in .venv/bin."""
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    return tmp_path


def run(folder: Path, command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_first_opportunity_goes_through_as_the_readme_says(folder: Path) -> None:
    (serve,), (init,), steps = blocks_of(SECTION)
    log = folder / "sandbox.log"
    with log.open("w", encoding="utf-8") as output:
        sandbox = subprocess.Popen(shlex.split(serve), cwd=folder, stdout=output, stderr=output)
    try:
        wait_until(lambda: "connector run" in log.read_text("utf-8"), "the sandbox to serve")
        found = re.search(r"https://127\.0\.0\.1:(\d+)", log.read_text("utf-8"))
        assert found is not None
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SF_", "CONNECTOR_"))
        }
        made = run(folder, init.replace("PORT", found[1]), environment)
        assert made.returncode == 0, made.stderr
        edit(folder / "my" / "config.yaml", found[0])
        outputs = {}
        for step in steps:
            if step.startswith("export "):
                environment.update(pair.split("=", 1) for pair in shlex.split(step)[1:])
                continue
            done = run(folder, step, environment)
            assert done.returncode == 0, (step, done.stdout, done.stderr)
            outputs[step.split()[1]] = done.stdout
        assert list(outputs) == ["check", "plan", "resync", "show"]
        assert "Everything is in order." in outputs["check"]
        assert "create" in outputs["plan"]
        shown = json.loads(run(folder, f".venv/bin/connector show {DEAL} --json", environment).stdout)
        assert shown["task"]["TaskStatus"] == "COMPLETE"
        assert shown["sync"]["status"] == "Synced"
        assert shown["opportunity_id"] in outputs["show"]
    finally:
        sandbox.terminate()
        sandbox.wait(10)


def edit(config: Path, address: str) -> None:
    """What the README says to edit: the two certificates, and Partner Central's address."""
    lines = config.read_text("utf-8").splitlines()
    for index, line in enumerate(lines):
        if re.match(r"\s*# ca_bundle:", line):
            lines[index] = re.sub(r"# ca_bundle: \S+", "ca_bundle: ../ca.pem", line)
        elif re.match(r"\s*# endpoint_url:", line):
            lines[index] = re.sub(r"# endpoint_url: \S+", f"endpoint_url: {address}", line)
    text = "\n".join(lines) + "\n"
    assert text.count("../ca.pem") == 2
    assert f"endpoint_url: {address}" in text
    config.write_text(text, "utf-8")
