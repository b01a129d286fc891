"""Measures the connector against the sandbox: quota use, calls, overhead, mapping, growth and start-up. ``make bench``

Every comparison is made within one run, both sides against the same sandbox, which is a process of its own. Nothing is
judged here: each number stands with its unit and how it was made.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click

ROOT = Path(__file__).parents[1]
sys.path[:1] = [str(ROOT)]

# A script's own folder comes first on the path, the root not at all.
from tests.bench_connections import measure_connections  # noqa: E402
from tests.bench_fleet import measure_fleet  # noqa: E402
from tests.bench_page import measure_page, vary  # noqa: E402
from tests.fleet_processes import has_postgres  # noqa: E402
from tests.measurement import Measurement  # noqa: E402
from tests.world import ENVIRONMENT  # noqa: E402

Json = dict[str, Any]
LOGIN = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
START_LATENCY = 6.0
"""Seconds that AWS takes for StartEngagementFromOpportunityTask (four to eight were seen)."""
UNPACED = "quota: {writes_per_second: 10000, reads_per_second: 10000, writes_per_day: 1000000, reads_per_day: 1000000}"
OPERATIONS_A_DAY = 10_000


class SandboxProcess:
    """tests/bench_sandbox.py, running."""

    def __init__(self, folder: Path, settings: Json, *, seed: bool = False) -> None:
        folder.mkdir()
        self._folder = folder
        command = [sys.executable, "-m", "tests.bench_sandbox"]
        self._process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        served = self._ask({"folder": str(folder), "settings": settings, "seed": seed})
        self.url, self.ca, self._config = served["url"], served["ca"], served["config"]

    def do(self, name: str, **fields: Any) -> Any:
        return self._ask({"do": name, **fields})

    def config(self, name: str, quota: str = UNPACED) -> str:
        """A connector's configuration for this sandbox with a ledger of its own; gives its path."""
        path = self._folder / f"{name}.yaml"
        text = self._config.replace("DATABASE", f"sqlite:///{name}.db")
        limits = "limits: {creates_per_day: 1000000, creates_per_pass: 1000000}"
        path.write_text(f"{text}      {quota}\n    {limits}\n", encoding="utf-8")
        return str(path)

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def _ask(self, command: Json) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def sandbox(folder: Path, *, seed: bool = False, **settings: Any) -> Iterator[SandboxProcess]:
    process = SandboxProcess(folder, settings, seed=seed)
    try:
        yield process
    finally:
        process.close()


def side(do: str, **fields: Any) -> Json:
    """What one side measured; see tests/bench_sides.py."""
    environment = {**os.environ, **ENVIRONMENT}
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench_sides"]
    asked = json.dumps({"do": do, **fields})
    done = subprocess.run(
        command, cwd=ROOT, env=environment, text=True, input=asked, stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(done.stdout))


def measure_quota(folder: Path, deals: int, seconds: float) -> Iterator[Measurement]:
    """How much of the write quota is used while there is work, beside a script that makes one call after the other."""
    scale = 3 * deals / seconds
    latency = START_LATENCY / scale
    quota = f"quota: {{writes_per_second: {scale}, reads_per_second: {10 * scale}, writes_per_day: 1000000}}"
    with sandbox(folder, quota_scale=scale, start_latency=[latency, latency]) as served:
        first, *_ = served.do("add_deals", count=deals + 1)
        ours = side("connector", config=served.config("quota", quota), first=[first])
        journal = served.do("journal")
        served.do("forget")
        script_deals = list(_by_deal(journal).values())[: 1 + max(deals // 3, 5)]
        script = side("script", url=served.url, ca=served.ca, deals=script_deals, pause=1 / scale)
        theirs = served.do("journal")
    told = (
        f"{scale:.1f} writes/s allowed, start-engagement {latency:.2f} s (1/s and {START_LATENCY:.0f} s scaled alike)"
    )
    how = f"{told}; {deals} opportunities, 3 writes each; from the first look to the last write"
    times, script_times = _write_times(journal, ours["began"]), _write_times(theirs, script["began"])
    used = _quota_use(times, ours["began"], scale)
    used_by_script = _quota_use(script_times, script["began"], scale)
    yield Measurement("quota", "connector: writes made / writes allowed", used, "ratio", how)
    how = "reading and mapping the records and looking at AWS; takes as long at 1 write/s, so weighs less there"
    yield Measurement("quota", "connector: before the first write", min(times) - ours["began"], "s", how)
    paced = _quota_use(times, min(times), scale)
    how = "the same from the first write on; what a write costs beyond its turn is not scaled either"
    yield Measurement("quota", "connector: writes made / allowed, once writing", paced, "ratio", how)
    how_script = (
        f"boto3, one call after the other, a sleep of 1/quota after each; {len(script_deals) - 1} opportunities"
    )
    yield Measurement("quota", "script: writes made / writes allowed", used_by_script, "ratio", how_script)
    yield Measurement("quota", "connector / script", used / used_by_script, "ratio", "the two above")
    for name, calls, began in (("connector", journal, ours["began"]), ("script", theirs, script["began"])):
        throttled = sum(1 for call in calls if call["outcome"] == "ThrottlingException" and call["at"] >= began)
        yield Measurement("quota", f"{name}: throttled answers", throttled, "answers", "counted by the sandbox")
    yield from _calls_per_opportunity(journal, ours["began"], deals)


def _by_deal(journal: Sequence[Json]) -> dict[str, list[Json]]:
    """The writes of each opportunity in order, by the id it was given."""
    found: dict[str, list[Json]] = {}
    for call in journal:
        if call["kind"] != "write" or call["outcome"] != "ok":
            continue
        body, answer = call["body"], call["answer"]
        about = body.get("Identifier") or body.get("OpportunityIdentifier") or answer["Id"]
        found.setdefault(about, []).append(call)
    return found


def _write_times(journal: Sequence[Json], began: float) -> list[float]:
    writes = [c for c in journal if c["kind"] == "write" and c["outcome"] != "ThrottlingException"]
    return [call["at"] for call in writes if call["at"] >= began]


def _quota_use(times: Sequence[float], began: float, rate: float) -> float:
    """Writes made of those that were allowed from ``began`` to the last write; the first is allowed at once."""
    return len(times) / (rate * (max(times) - began) + 1)


def _calls_per_opportunity(journal: Sequence[Json], began: float, deals: int) -> Iterator[Measurement]:
    kinds = Counter(call["kind"] for call in journal if call["at"] >= began)
    for kind in ("write", "read"):
        how = f"{deals} new opportunities with one solution each, from nothing to the followed task"
        yield Measurement("calls", f"AWS {kind}s per opportunity", kinds[kind] / deals, "calls", how)


def measure_salesforce_calls(folder: Path, records: int) -> Iterator[Measurement]:
    """API calls for reading changed records and telling them their state, and for looking when nothing has changed."""
    with sandbox(folder, quotas=False) as served:
        config = served.config("changes")
        served.do("add_deals", count=records, AWS_Solution_Ids__c=None)
        side("changes", config=config)
        served.do("edit_deals", AWS_Business_Problem__c=None)
        served.do("forget")
        passed = side("changes", config=config)
        calls = Counter(served.do("salesforce_calls"))
        assert passed["read"] == passed["written"] == records, passed
    with sandbox(folder.with_name("idle-calls"), quotas=False) as served:
        config = served.config("idle")
        side("changes", config=config)
        served.do("forget")
        side("idle", config=config, passes=10)
        idle, aws_idle = len(served.do("salesforce_calls")), len(served.do("journal"))
    listed = ", ".join(f"{count} {label}" for label, count in sorted(calls.items()))
    how = f"{records} records changed; each read and, its state being another, written back. In all: {listed}"
    per_thousand = sum(calls.values()) * 1000 / records
    yield Measurement("calls", "Salesforce API calls per 1,000 changed records", per_thousand, "calls", how)
    how = "11 passes in which nothing had changed (the describe of a new process included), divided by 11"
    yield Measurement("calls", "Salesforce API calls per idle pass", idle / 11, "calls", how)
    yield Measurement("calls", "AWS reads per idle pass", aws_idle / 11, "calls", how)


def measure_overhead(folder: Path, deals: int, rounds: int) -> Iterator[Measurement]:
    """CPU time per opportunity without any quota, beside a script that makes the same calls and does nothing else."""
    took = [_overhead_of(folder.with_name(f"{folder.name}{number}"), deals) for number in range(rounds)]
    # One call at a time on both sides: what runs beside the sandbox on the cores that it needs as well is slowed down.
    of = f"{deals} opportunities, no quota, one call at a time; the lowest of {rounds} rounds with both in turn"
    names = ("connector", "bare script")
    lowest = {name: min(told[name]["cpu_seconds"] for told in took) * 1000 / deals for name in names}
    how = f"{of}; process time of all threads, after a first record"
    yield Measurement("overhead", "connector: CPU per opportunity", lowest["connector"], "ms", how)
    how = "boto3 and simple-salesforce make the same AWS calls, query the same records and write back the same rows"
    yield Measurement("overhead", "bare script: CPU per opportunity", lowest["bare script"], "ms", how)
    ratio = lowest["connector"] / lowest["bare script"]
    yield Measurement("overhead", "connector / bare script", ratio, "ratio", "the two above")
    how = "wall time of the same runs; the connector's holds the second look at each task, 2 s after its answer"
    for name in names:
        rate = deals / min(told[name]["seconds"] for told in took)
        yield Measurement("overhead", f"{name}: opportunities per second", rate, "1/s", how)


def _overhead_of(folder: Path, deals: int) -> dict[str, Json]:
    """Both sides against a sandbox of their own: what each measured."""
    with sandbox(folder, quotas=False) as served:
        first, *_ = served.do("add_deals", count=deals + 1)
        served.do("forget")
        ours = side("connector", config=served.config("overhead", f"in_flight: 1\n      {UNPACED}"), first=[first])
        journal = served.do("journal")
        before = [call for call in journal if call["at"] < ours["began"]]
        calls = [call for call in journal if call["at"] >= ours["began"]]
        served.do("forget")
        same = {"first": before, "calls": calls, "soql": ours["soql"], "rows": ours["rows"]}
        bare = side("bare", url=served.url, ca=served.ca, login=LOGIN, **same)
        repeated = served.do("journal")
    assert Counter(c["operation"] for c in repeated) == Counter(c["operation"] for c in journal)
    return {"connector": ours, "bare script": bare}


def measure_mapping(folder: Path, seconds: float) -> Iterator[Measurement]:
    """How fast records become payloads."""
    with sandbox(folder, seed=True, quotas=False) as served:
        told = side("mapping", config=served.config("mapping"), seconds=seconds)
    how = f"map_record (map and check), default mapping, {told['records']} sample records, one thread; best of 5 rounds"
    yield Measurement("mapping", "records mapped and checked per second", max(told["rounds"]), "1/s", how)


def measure_growth(folder: Path, sizes: Sequence[int]) -> Iterator[Measurement]:
    """What a pass costs in which nothing has happened, with more and more links in the ledger."""
    with sandbox(folder, quotas=False) as served:
        (deal,) = served.do("add_deals", count=1)
        template = Path(served.config("template")).with_suffix(".db")
        side("connector", config=served.config("template"), first=[deal])
    with sandbox(folder.with_name("growth-idle"), quotas=False) as served:
        for size in sizes:
            config = served.config(f"links{size}")
            database = Path(config).with_suffix(".db")
            fill_ledger(template, database, size)
            told = side("idle", config=config, passes=15)
            links = f"{size:,} links"
            how = "pull, observe, follow_tasks, write_back and one look for due links; median of 15, org and AWS idle"
            steps = ", ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in told["steps"].items())
            yield Measurement("growth", f"idle pass, {links}", told["pass"] * 1000, "ms", f"{how} (in ms: {steps})")
            how = "peak resident memory of that process"
            yield Measurement("growth", f"memory, {links}", told["peak_bytes"] / 2**20, "MiB", how)
            counted = f"the day's writes counted, {min(3 * size, OPERATIONS_A_DAY):,} of them"
            how = f"{counted}; in between they are counted in memory, recounted at most once a minute"
            yield Measurement("growth", f"day's quota look, {links}", told["spent"] * 1000, "ms", how)
            how = "wall time of `connector status`, median of 3"
            took = _command("status", config=config, times=3)
            yield Measurement("growth", f"status, {links}", took * 1000, "ms", how)
            how = "size of the SQLite file, three operations a link included"
            yield Measurement("growth", f"ledger per link, {links}", database.stat().st_size / size / 1024, "KiB", how)
            database.unlink()


def measure_pages(folder: Path, sizes: Sequence[int], rounds: int) -> Iterator[Measurement]:
    """How soon the page answers with more and more links in the ledger."""
    with sandbox(folder, quotas=False) as served:
        (deal,) = served.do("add_deals", count=1)
        template = served.config("template")
        side("connector", config=template, first=[deal])
        configs = {size: served.config(f"page{size}") for size in sizes}
        for size, config in configs.items():
            fill_ledger(Path(template).with_suffix(".db"), Path(config).with_suffix(".db"), size)
            vary(Path(config).with_suffix(".db"))
        yield from measure_page(configs, rounds)
        for config in configs.values():
            Path(config).with_suffix(".db").unlink()


def fill_ledger(template: Path, database: Path, size: int) -> None:
    """Copies a ledger with one settled link and multiplies that link, its operations and its sighting to ``size``."""
    with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(database)) as ledger:
        source.backup(ledger)
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"
        ledger.execute(f"CREATE TEMP TABLE n AS {numbers}", (size - 1,))
        identifier = "'006' || printf('%012d', 100000 + i) || 'AAA'"
        opportunity = "'O' || (90000000 + i)"
        recent = f"CASE WHEN 3 * i < {OPERATIONS_A_DAY} THEN sent_at ELSE '2020' || substr(sent_at, 5) END"
        _multiply(ledger, "link", {"id": "id + i", "salesforce_id": identifier, "opportunity_id": opportunity})
        _multiply(ledger, "operation", {"id": "NULL", "link_id": "link_id + i", "sent_at": recent})
        _multiply(ledger, "sighting", {"partner_identifier": identifier, "opportunity_id": opportunity})
        ledger.commit()
        assert ledger.execute("SELECT count(*) FROM link WHERE rest_status = 'Synced'").fetchone() == (size,)


def _multiply(ledger: sqlite3.Connection, table: str, changed: dict[str, str]) -> None:
    names = [row[1] for row in ledger.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(name, name) for name in names)
    ledger.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table}, n")


def measure_startup(folder: Path) -> Iterator[Measurement]:
    """How long a person waits for the commands that answer at once, and what importing the package loads."""
    with sandbox(folder, quotas=False) as served:
        config = served.config("startup")
        served.do("add_deals", count=1)
        side("changes", config=config)
    how = "wall time of the process, median of 7"
    took = {name: _command(name, config=config, times=7) for name in ("--help", "status")}
    for name, seconds in took.items():
        yield Measurement("start-up", f"connector {name}", seconds * 1000, "ms", how)
    libraries = "import boto3, simple_salesforce, sqlmodel"
    imports = _median_of([sys.executable, "-W", "ignore", "-c", libraries], {**os.environ}, 7)
    yield Measurement("start-up", f"python -c '{libraries}'", imports * 1000, "ms", how)
    yield Measurement("start-up", "connector --help / these imports", took["--help"] / imports, "ratio", "as above")
    code = "import sys; before = set(sys.modules); import connector; print(len(set(sys.modules) - before))"
    counted = int(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)
    yield Measurement(
        "start-up", "modules loaded by `import connector`", counted, "modules", "sys.modules after - before"
    )


def _command(*arguments: str, config: str, times: int) -> float:
    """Median wall time in seconds of one of our commands."""
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": config}
    return _median_of([sys.executable, "-m", "connector", *arguments], environment, times)


def _median_of(command: list[str], environment: dict[str, str], times: int) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
        took.append(time.perf_counter() - began)
        assert done.returncode in {0, 1}, done.stderr
    return median(took)


def parts(folder: Path, *, quick: bool) -> dict[str, Callable[[], Iterator[Measurement]]]:
    """Every part by its name, in the order in which they are measured."""
    return {
        "quota": lambda: measure_quota(folder / "quota", *((40, 15.0) if quick else (300, 60.0))),
        "calls": lambda: measure_salesforce_calls(folder / "changes", 1000),
        "overhead": lambda: measure_overhead(folder / "overhead", *((40, 1) if quick else (300, 3))),
        "mapping": lambda: measure_mapping(folder / "mapping", 1.0 if quick else 5.0),
        "growth": lambda: measure_growth(folder / "growth", (1_000, 10_000) if quick else (1_000, 10_000, 100_000)),
        "pages": lambda: measure_pages(
            folder / "pages", (1_000, 10_000) if quick else (1_000, 100_000), 5 if quick else 15
        ),
        "start-up": lambda: measure_startup(folder / "startup"),
        "connections": lambda: measure_connections(folder / "connections", quick=quick),
        "fleet": lambda: measure_fleet(folder / "fleet", quick=quick) if has_postgres() else iter(()),
    }


def measure(folder: Path, *, quick: bool, only: Collection[str] = ()) -> Iterator[Measurement]:
    """Every part, one after the other; of chosen ones only those."""
    for name, part in parts(folder, quick=quick).items():
        if not only or name in only:
            yield from part()


def print_table(found: Sequence[Measurement], seconds: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "Part", "What", "Value", "Unit", "How", title=f"Measured in {seconds:.0f} s on {os.cpu_count()} cores"
    )
    table.columns[2].justify = "right"
    for number, one in enumerate(found):
        ends = number + 1 == len(found) or found[number + 1].part != one.part
        table.add_row(one.part, one.name, f"{one.value:,.4g}", one.unit, one.how, end_section=ends)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@click.command()
@click.option("--quick", is_flag=True, help="Fewer records; eight minutes instead of half an hour.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the numbers here as JSON.")
@click.option(
    "--only", type=click.Choice(list(parts(Path(), quick=True))), multiple=True, help="This part; repeatable."
)
def main(quick: bool, file: Path | None, only: tuple[str, ...]) -> None:
    """Measure the connector against its sandbox."""
    began = time.perf_counter()
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
        for one in measure(Path(folder), quick=quick, only=only):
            found.append(one)
            click.echo(f"{one.part}: {one.name}: {one.value:.4g} {one.unit}", err=True)
    seconds = time.perf_counter() - began
    print_table(found, seconds)
    if file is not None:
        run = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "quick": quick, "seconds": round(seconds, 1)}
        machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
        told = {**run, "machine": machine, "measurements": [asdict(one) for one in found]}
        file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
