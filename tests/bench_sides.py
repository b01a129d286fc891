"""The sides that are measured against each other, each in a process of its own.

Run as ``python -m tests.bench_sides``. Reads one JSON command from its input, ``{"do": name, …}``, and writes what it
measured as JSON. Imports, logins and the first record come before the clock starts, on every side.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from connector import config as configuration
from connector.adapters.ledger import Ledger
from connector.app import App
from connector.core.mapping import map_record
from connector.ports import RowResult, RowUpdate
from connector.sync import Context, advance, follow_tasks, observe, pull, write_back
from connector.sync.settle import settle
from tests.world import ENVIRONMENT

Json = dict[str, Any]
AWS_KEYS = {name.lower(): value for name, value in ENVIRONMENT.items()}


@contextmanager
def measured(told: Json) -> Iterator[None]:
    """Adds when the block began (seconds since 1970), its seconds, and its CPU seconds of all threads."""
    told["began"] = time.time()
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    told["seconds"], told["cpu_seconds"] = time.perf_counter() - wall, time.process_time() - cpu


@contextmanager
def connector_on(config: str) -> Iterator[tuple[Context, Ledger]]:
    app = App(configuration.load(Path(config), ENVIRONMENT))
    with app.owning_ledger():
        yield app.contexts["sandbox"], app.ledger


def run_connector(config: str, first: Sequence[str]) -> Json:
    """Settles ``first``, then under the clock every other flagged record. Tells the rows it wrote back, too."""
    told: Json = {"rows": []}
    with connector_on(config) as (context, ledger):
        settle(context, first)
        write = context.salesforce.write

        def noting(sobject: str, rows: Sequence[RowUpdate]) -> list[RowResult]:
            told["rows"].append([{"id": row.salesforce_id, **row.fields} for row in rows])
            return write(sobject, rows)

        context.salesforce.write = noting  # type: ignore[method-assign]
        with measured(told):
            settle(context, None)
        told["soql"] = context.mapping.selection.records()
        told["statuses"] = ledger.counts(*context.key)
    return told


def run_changes(config: str) -> Json:
    """One pass over what changed in Salesforce: read it, plan it, tell it."""
    with connector_on(config) as (context, _):
        return {"read": pull(context).read, "rested": advance(context), "written": write_back(context)}


def run_idle(config: str, passes: int) -> Json:
    """Passes of every loop in which nothing has happened; medians of all but the first, in seconds, and peak memory."""
    with connector_on(config) as (context, ledger):
        steps: Mapping[str, Callable[[], object]] = {
            "pull": lambda: pull(context),
            "observe": lambda: observe(context),
            "follow_tasks": lambda: follow_tasks(context),
            "write_back": lambda: write_back(context),
            "due": lambda: ledger.due(*context.key, context.now, context.in_flight),
        }
        rounds = [{name: _seconds(step) for name, step in steps.items()} for _ in range(passes + 1)][1:]
        spent = [_seconds(lambda: ledger.operations_since(context.name, _day_ago())) for _ in range(passes)]
    return {
        "pass": median(sum(one.values()) for one in rounds),
        "steps": {name: median(one[name] for one in rounds) for name in steps},
        "spent": median(spent),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def run_mapping(config: str, seconds: float) -> Json:
    """map_record over the org's flagged records, again and again; records a second in each of five rounds."""
    with connector_on(config) as (context, _):
        records = [row for page in context.salesforce.changes(context.mapping.selection, None).flagged for row in page]
        rounds = []
        for _ in range(5):
            mapped, began = 0, time.perf_counter()
            while time.perf_counter() - began < seconds / 5:
                for record in records:
                    map_record(context.mapping, record, context.today)
                mapped += len(records)
            rounds.append(mapped / (time.perf_counter() - began))
    return {"records": len(records), "rounds": rounds}


def run_script(url: str, ca: str, deals: Sequence[Sequence[Json]], pause: float) -> Json:
    """What AWS's samples show: one call after the other and a sleep after each, boto3 as it comes."""
    client = _boto3(url, ca)
    told: Json = {}
    _replay(client, deals[0], {}, pause)
    with measured(told):
        for calls in deals[1:]:
            _replay(client, calls, {}, pause)
    return told


def run_bare(
    url: str,
    ca: str,
    login: Json,
    first: Sequence[Json],
    calls: Sequence[Json],
    soql: str,
    rows: Sequence[Sequence[Json]],
) -> Json:
    """The calls of a connector run and nothing else: the same operations and bodies, the same reads, the same rows."""
    import requests
    from simple_salesforce.api import Salesforce

    token = requests.post(f"{url}/services/oauth2/token", data=login, verify=ca, timeout=10).json()["access_token"]
    session = requests.Session()
    session.trust_env, session.verify = False, ca
    simple = Salesforce(session_id=token, instance_url=url, session=session, version="66.0")
    client = _boto3(url, ca)
    simple.query_all(f"{soql} LIMIT 1")
    ids: dict[str, str] = {}
    _replay(client, first, ids, 0)
    told: Json = {}
    with measured(told):
        simple.query_all(soql)
        _replay(client, calls, ids, 0)
        for batch in rows:
            records = [{"attributes": {"type": "Opportunity"}, **row} for row in batch]
            simple.restful("composite/sobjects", method="PATCH", json={"allOrNone": False, "records": records})
    return told


def _replay(client: Any, calls: Sequence[Json], ids: dict[str, str], pause: float) -> None:
    """Recorded calls once more, with new tokens and with the ids that the answers give now."""
    from botocore import xform_name

    page = ""
    for call in calls:
        body = _renamed(call["body"], ids)
        if "ClientToken" in body:
            body["ClientToken"] = str(uuid.uuid4())
        if "NextToken" in body:
            body["NextToken"] = page
        answer = getattr(client, xform_name(call["operation"]))(**body)
        page = answer.get("NextToken", "")
        recorded = call["answer"] or {}
        ids |= {recorded[name]: answer[name] for name in ("Id", "TaskId") if name in recorded and name in answer}
        time.sleep(pause)


def _renamed(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(inner, ids) for name, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, ids) for inner in value]
    return ids.get(value, value) if isinstance(value, str) else value


def _boto3(url: str, ca: str) -> Any:
    import boto3

    return boto3.client("partnercentral-selling", region_name="us-east-1", endpoint_url=url, verify=ca, **AWS_KEYS)


def _seconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def _day_ago() -> datetime:
    return datetime.fromtimestamp(time.time() - 86_400, UTC)


SIDES: Mapping[str, Callable[..., Json]] = {
    "connector": run_connector,
    "changes": run_changes,
    "idle": run_idle,
    "mapping": run_mapping,
    "script": run_script,
    "bare": run_bare,
}


def main() -> None:
    command = json.load(sys.stdin)
    sys.stdout.write(json.dumps(SIDES[command.pop("do")](**command), default=str))


if __name__ == "__main__":
    main()
