"""``connector demo``: the whole circle on the embedded sandbox, ending with what Salesforce itself shows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import requests

from connector.app import App
from connector.commands.choice import Choice
from connector.commands.resync import resync_quietly
from connector.commands.session import DONE, HELD, open_app, print_json
from connector.commands.tables import console, table
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox

WRITES_PER_SECOND = 10
LATENCY = 1.0
_QUERY = (
    "SELECT Name, Account.Name, AWS_Opportunity_Id__c, AWS_Task_Id__c, AWS_Task_Status__c, AWS_Review_Status__c, "
    "AWS_Sync_Status__c, AWS_Sync_Message__c FROM Opportunity WHERE Share_With_AWS__c = TRUE "
    "ORDER BY AWS_Sync_Status__c DESC, Name ASC"
)


def demo(keep: Path | None, *, as_json: bool) -> int:
    """Run the circle; exit code 1, since some of the sample records are meant to be held."""
    with _folder(keep) as folder, _sandbox(folder) as sandbox:
        app = _app(sandbox, folder)
        if not as_json:
            _introduce(sandbox)
        resync_quietly(app, Choice((), True, None, None))
        rows = read_back(sandbox)
        if as_json:
            print_json({"records": rows})
        else:
            _print(rows, sandbox, keep)
    return HELD if any(row["AWS_Sync_Status__c"] == "Held" for row in rows) else DONE


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="connector-demo-") as name:
        yield Path(name)


def _sandbox(folder: Path) -> Sandbox:
    settings = Settings(writes_per_second=WRITES_PER_SECOND, reads_per_second=100, start_latency=(LATENCY, LATENCY))
    return Sandbox(directory=folder, settings=settings)


def _app(sandbox: Sandbox, folder: Path) -> App:
    quota = f"      quota: {{writes_per_second: {WRITES_PER_SECOND}, reads_per_second: 100}}\n"
    config = folder / "config.yaml"
    config.write_text(sandbox.config_text("sqlite:///connector.db") + quota, encoding="utf-8")
    os.environ.update(AWS_ACCESS_KEY_ID="demo", AWS_SECRET_ACCESS_KEY="demo")  # noqa: S106 (the sandbox takes any)
    return open_app(config, None, None)


def _introduce(sandbox: Sandbox) -> None:
    click.echo(
        "A sample Salesforce org (the records every Developer Edition org starts with) and a Partner Central are\n"
        f"served on {sandbox.url}. Sellers have flagged some opportunities; the connector now maps, creates,\n"
        "associates and submits them, follows the tasks and writes back. AWS allows 1 write a second; this sandbox\n"
        f"allows {WRITES_PER_SECOND}, so that you need not wait.\n"
    )


def read_back(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What Salesforce shows for each flagged record, asked over its own API without the connector."""
    verify = str(sandbox.ca_bundle)
    with requests.Session() as session:
        session.trust_env, session.verify = False, verify
        login = {
            "grant_type": "client_credentials",
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
        }
        token = session.post(f"{sandbox.url}/services/oauth2/token", data=login, timeout=10).json()
        session.headers["Authorization"] = f"Bearer {token['access_token']}"
        answer = session.get(f"{sandbox.url}/services/data/v66.0/query", params={"q": _QUERY}, timeout=10)
        answer.raise_for_status()
        return [{n: v for n, v in row.items() if n != "attributes"} for row in answer.json()["records"]]


def _print(rows: list[dict[str, Any]], sandbox: Sandbox, keep: Path | None) -> None:
    printer = console()
    done = [row for row in rows if row["AWS_Sync_Status__c"] != "Held"]
    held = [row for row in rows if row["AWS_Sync_Status__c"] == "Held"]
    heads = ("Opportunity", "AWS id", "Task", "Task status", "Review status", "Sync")
    fields = ("Name", "AWS_Opportunity_Id__c", "AWS_Task_Id__c", "AWS_Task_Status__c", "AWS_Review_Status__c")
    shown = ([*(row[name] for name in fields), row["AWS_Sync_Status__c"]] for row in done)
    printer.print(table(heads, shown, title="What Salesforce shows now, read back over its API: at AWS"))
    why = ((row["Name"], row["AWS_Sync_Message__c"]) for row in held)
    title = "Held, with the field, the line of the mapping and what to do"
    printer.print(table(("Opportunity", "Why"), why, title=title, lines=True))
    service = sandbox.service
    printer.print(
        f"{len(rows)} flagged, {len(done)} at AWS, {len(held)} held. Partner Central saw {service.writes} writes and "
        f"{service.reads} reads, throttled {service.throttled}; Salesforce saw {len(sandbox.org.calls)} API calls.",
        markup=False,
    )
    where = (
        f"Configuration and ledger are in {keep}." if keep else "Next: `connector sandbox` to play with it yourself."
    )
    printer.print(where, markup=False)
