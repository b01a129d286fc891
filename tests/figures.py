"""Puts measured figures into the pages that tell them: ``python -m tests.figures FILE…``.

The files are what ``tests/prove_fleet.py --json``, ``tests/prove.py --json`` and ``tests/bench.py --json`` keep. A
table stands between ``<!-- measured: NAME -->`` and ``<!-- end -->``, and is replaced as a whole.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.pages import table

ROOT = Path(__file__).parents[1]
Figures = Mapping[str, Any]
Row = tuple[str, str]


def seconds(spread: Figures) -> str:
    """``4.1 s, 12 s`` of a middle and a longest."""
    return f"{spread['p50']:.3g} s, {spread['max']:.3g} s" if spread.get("number") else "–"


def rows_of_proofs(told: Mapping[str, Figures]) -> Iterator[Row]:
    """The table of docs/reliability.md."""
    for name, rows in PROOFS.items():
        if name in told:
            yield from rows(told[name])
    each = list(told.values())
    yield "Records, writes in all", f"{sum(one['records'] for one in each):,}, {sum(one['writes'] for one in each):,}"
    for kind, name in WRONG.items():
        yield name, str(sum(one["wrong"][kind] for one in each))
    throttled = [sum(one[key] for one in each) for key in ("throttled", "throttled at a hand-over")]
    yield "Throttled answers; of those after a hand-over", "; ".join(map(str, throttled))


def kills(one: Figures) -> Iterator[Row]:
    yield f"Workers killed with SIGKILL in the middle of a job, {one['connections']} connections", str(one["kills"])
    yield "… to the next write on that AWS account: median, longest", seconds(one["to the next write of the account"])
    yield (
        "… to the next write of that connection, behind the others of its account",
        seconds(one["to the next write of the connection"]),
    )


def pauses(one: Figures) -> Iterator[Row]:
    yield "Workers stopped with SIGSTOP until another one wrote, then continued", str(one["pauses"])
    yield (
        "… writes of the job they had lost; workers that took part again",
        (f"{one['writes of a worker that lost its job']}; {one['took part again']}"),
    )


def restarts(one: Figures) -> Iterator[Row]:
    yield "PostgreSQL cut off in the middle of work; workers lost", f"{one['restarts']}; {one['workers lost']}"
    yield "… from its return to the next write: median, longest", seconds(one["to the next write"])


def fairness(one: Figures) -> Iterator[Row]:
    big = one["records of the big one"]
    yield (
        f"Flag to task beside a connection with {big} records, same account",
        seconds(one["flag to task on its account"]),
    )
    yield "… on the other accounts", seconds(one["flag to task on other accounts"])
    yield (
        "Longest wait between two looks at a connection: median, longest",
        seconds(one["waited longest between two looks"]),
    )


def stops(one: Figures) -> Iterator[Row]:
    yield "Workers ended by SIGTERM in the middle of work, exit code 0", str(one["stops"])
    yield "… until the last one had ended: median, longest", seconds(one["to the end"])


def clocks(one: Figures) -> Iterator[Row]:
    shifts = ", ".join(f"{each:+d} s" for each in one["seconds that clocks are off"])
    yield f"Workers killed while their clocks are off by {shifts}", str(one["kills"])


WRONG = {
    "duplicate": "Duplicates",
    "lost": "Lost updates",
    "nulled": "Blanked values",
    "token": "Tokens with two bodies",
    "open": "Operations left open",
    "refused": "Updates refused",
    "two writers": "Two writers on an account",
    "account": "Writes on another account",
}
"""What the kinds of complaints are called."""

PROOFS = {
    "kills": kills,
    "pauses": pauses,
    "restarts": restarts,
    "fairness": fairness,
    "stops": stops,
    "clocks": clocks,
}


def rows_of_bench(measurements: list[Figures], part: str) -> Iterator[Row]:
    """A table of docs/performance.md."""
    for one in measurements:
        if one["part"] == part:
            unit = "" if one["unit"] == "ratio" else f" {one['unit']}"
            yield one["name"][0].upper() + one["name"][1:], f"{one['value']:,.3g}{unit}"


def fill(page: Path, mark: str, rows: Iterator[Row]) -> None:
    """Replace the table of this mark. Raises LookupError where the page has none."""
    head, line, *body = table(("In one run", ""), list(rows)).splitlines()
    line = line.removesuffix("--- |") + "---: |"
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- measured: {mark} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise LookupError(f"{page} has no table {mark}")
    made = "\n".join((head, line, *body, ""))
    page.write_text(pattern.sub(lambda found: found[1] + made + found[2], text), encoding="utf-8")


def main(files: list[str]) -> int:
    for file in files:
        told = json.loads(Path(file).read_text(encoding="utf-8"))
        if "measurements" in told:
            for part in ("connections", "fleet"):
                fill(ROOT / "docs/performance.md", part, rows_of_bench(told["measurements"], part))
        else:
            fill(ROOT / "docs/reliability.md", "fleet", rows_of_proofs(told.get("fleet", told)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
