"""Runs the proofs of exactly-once at length, adds up what they did, and prints the figures.

``python tests/prove.py [--json FILE] [--workers N] [--seed N] [--only WORD]``; exit code 1 when anything failed. It
runs pytest on the parts and reads the property ``figures`` of each test; it proves nothing itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    "tests/test_kill.py",
    "tests/sync/test_faults.py",
    "tests/sync/test_recovery.py",
    "tests/sync/test_machine.py",
    "tests/sync/test_salesforce_stress.py",
    "tests/sync/test_life.py",
    "tests/sync/test_invitations.py",
    "tests/sync/test_both_ways.py",
    "tests/sync/test_both_ways_inviting.py",
    "tests/fleet/test_instants.py",
    "tests/core",
)
ALONE = ("tests/fleet/test_proofs.py",)
"""What has machines enough of its own, and measures time: nothing else runs beside it."""
NOTHING_CHOSEN = 5
"""pytest's exit code where ``--only`` names no test."""
WRONG = ("duplicate", "lost", "nulled", "token", "open", "refused")
DEFAULT_SEED = 20261122


def main() -> int:
    options = _options()
    started = time.monotonic()
    together = ["-n", options.workers, "--dist", "worksteal"]
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder) / "together.xml", Path(folder) / "alone.xml"]
        codes = {_run(options, PARTS, together, reports[0]), _run(options, ALONE, [], reports[1])}
        tests = [test for report in reports if report.exists() for test in _tests(report)]
    passed = 0 in codes and codes <= {0, NOTHING_CHOSEN}
    figures = _sum(tests) | {"seconds": round(time.monotonic() - started), "seed": options.seed, "passed": passed}
    print(_told(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if passed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--workers", default="2", help="processes that share the work")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="repeats a run; its parts count on from it")
    parser.add_argument("--only", default="", help="a pytest expression: only the proofs that it names")
    return parser.parse_args()


def _run(options: argparse.Namespace, parts: Sequence[str], how: Sequence[str], report: Path) -> int:
    command = [sys.executable, "-m", "pytest", *how, "-q", *parts]
    command += [
        f"--hypothesis-seed={options.seed}",
        "-o",
        "junit_family=xunit1",  # which has properties
        "--junitxml",
        str(report),
        *(["-k", options.only] if options.only else []),
    ]
    environment = {**os.environ, "CONNECTOR_PROVE": "1", "CONNECTOR_SEED": str(options.seed)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _tests(report: Path) -> Iterator[dict[str, Any]]:
    """Each test: its name, whether it failed, its figures."""
    for case in ET.parse(report).iter("testcase"):
        told = [row.get("value", "") for row in case.iter("property") if row.get("name") == "figures"]
        failed = case.find("failure") is not None or case.find("error") is not None
        yield {"name": case.get("name"), "failed": failed, "figures": json.loads(told[0]) if told else {}}


def _sum(tests: list[dict[str, Any]]) -> dict[str, Any]:
    kills, faults, machine, wrong, seeds = Counter[str](), Counter[str](), Counter[str](), Counter[str](), set[int]()
    judged = Counter[str]()
    for figures in (test["figures"] for test in tests):
        if "family" in figures:
            kills[figures["family"]] += figures["kills"]
            wrong.update({kind: figures.get(kind, 0) for kind in WRONG})
        if "fault" in figures:
            faults[figures["operation"]] += figures.get("strikes", 1)
        if "machine" in figures or "life" in figures:
            machine.update({name: figures.get(name, 0) for name in ("examples", "steps")})
        if "both ways" in figures:
            judged.update({name: figures.get(name, 0) for name in ("complete", "held")})
        if "seed" in figures:
            seeds.add(figures["seed"])
    return {
        "kills": dict(sorted(kills.items())),
        "kills_in_all": kills.total(),
        "faults": dict(sorted(faults.items())),
        "faults_in_all": faults.total(),
        "machine": dict(machine),
        "judged both ways": dict(judged),
        "fleet": {one["fleet"]: one for one in (test["figures"] for test in tests) if "fleet" in one},
        "wrong": {kind: wrong[kind] for kind in WRONG},
        "tests": len(tests),
        "failed": [test["name"] for test in tests if test["failed"]],
        "seeds": sorted(seeds),
    }


def _told(figures: dict[str, Any]) -> str:
    """The figures as people read them."""
    rows = [("Kills (SIGKILL)", figures["kills_in_all"])]
    rows += [(f"  {family}", number) for family, number in figures["kills"].items()]
    rows += [("Faults, by operation", figures["faults_in_all"])]
    rows += [(f"  {operation}", number) for operation, number in figures["faults"].items()]
    rows += [("State machine", "")] + [(f"  {name}", number) for name, number in figures["machine"].items()]
    rows += [("Random records judged by plan and AWS", sum(figures["judged both ways"].values()))]
    rows += [(f"  {name}", number) for name, number in figures["judged both ways"].items()]
    for name, told in figures["fleet"].items():
        rows += [(f"Fleet: {name}", ""), *((f"  {what}", _plain(value)) for what, value in told.items())]
    rows += [("Found wrong by the kills", sum(figures["wrong"].values()))]
    rows += [(f"  {kind}", number) for kind, number in figures["wrong"].items()]
    rows += [("Tests", figures["tests"]), ("  failed", len(figures["failed"]))]
    rows += [(f"    {name}", "") for name in figures["failed"]]
    rows += [("Seconds", figures["seconds"]), ("Seed", figures["seed"])]
    return "\n".join(["", *(f"{name:<60} {value:>8}" for name, value in rows)])


def _plain(value: Any) -> str:
    """A figure, or several under their names."""
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)


if __name__ == "__main__":
    sys.exit(main())
