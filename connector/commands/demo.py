"""``connector demo``: a deal's whole life on the embedded sandbox, ending with what Salesforce itself shows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from connector.app import App
from connector.commands.choice import Choice
from connector.commands.resync import resync_quietly
from connector.commands.sandbox import MAPPINGS
from connector.commands.session import DONE, HELD, open_app, print_json
from connector.commands.story import ACTS, DEAL, Act, Org, logged_in
from connector.commands.tables import console, table
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox

WRITES_PER_SECOND = 10
LATENCY = 1.0
_RECORDS = (
    "SELECT Name, Account.Name, StageName, AWS_Opportunity_Id__c, AWS_Task_Id__c, AWS_Task_Status__c, "
    "AWS_Review_Status__c, AWS_Sync_Status__c, AWS_Sync_Message__c FROM Opportunity WHERE Share_With_AWS__c = TRUE "
    "ORDER BY AWS_Sync_Status__c DESC, Name ASC"
)
_INVITATIONS = (
    "SELECT Opportunity__r.Name, Partner_Name__c, Partner_AWS_Account__c, Invitation_Id__c, Invitation_Status__c, "
    "Rejection_Reason__c, Invitation_Sync_Status__c, Invitation_Sync_Message__c FROM AWS_Partner_Invitation__c "
    "ORDER BY Name ASC"
)
_TOLD = (
    "StageName",
    "NextStep",
    "AWS_Review_Status__c",
    "AWS_Review_Comments__c",
    "AWS_Next_Steps__c",
    "AWS_Stage__c",
    "AWS_Sales_Rep_Name__c",
    "AWS_Sales_Rep_Email__c",
    "AWS_PDM_Name__c",
    "AWS_Engagement_Score__c",
    "AWS_Sync_Status__c",
    "AWS_Sync_Message__c",
)


def demo(keep: Path | None, *, as_json: bool) -> int:
    """Tell the story; exit code 1, since some of the sample records are meant to be held."""
    with _folder(keep) as folder, _sandbox(folder) as sandbox, logged_in(sandbox) as org:
        app = _app(sandbox, folder)
        if not as_json:
            _introduce(sandbox)
        told = [_play(number, act, app, sandbox, org, as_json=as_json) for number, act in enumerate(ACTS, 1)]
        rows, invitations = org.query(_RECORDS), org.query(_INVITATIONS)
        if as_json:
            print_json({"records": rows, "invitations": invitations, "deal": told})
        else:
            _print(rows, invitations, sandbox, keep)
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
    text = sandbox.config_text("sqlite:///connector.db", MAPPINGS)
    # The quota belongs to the section that stands before the mapping.
    before, mapping, after = text.partition("    mapping:")
    config.write_text(before + quota + mapping + after, encoding="utf-8")
    os.environ.update(AWS_ACCESS_KEY_ID="demo", AWS_SECRET_ACCESS_KEY="demo")  # noqa: S106 (the sandbox takes any)
    return open_app(config, None, None)


def _introduce(sandbox: Sandbox) -> None:
    click.echo(
        "A sample Salesforce org (the records every Developer Edition org starts with) and a Partner Central are\n"
        f"served on {sandbox.url}. AWS allows 1 write a second; this sandbox allows {WRITES_PER_SECOND}, so that you\n"
        "need not wait. AWS's reviewer, the sellers and the invited partners are played by this demo; all that goes\n"
        "between the two services is the connector's work."
    )


def _play(number: int, act: Act, app: App, sandbox: Sandbox, org: Org, *, as_json: bool) -> dict[str, Any]:
    """Let the others act and the connector look. Gives what Salesforce shows of the deal then."""
    if not as_json:
        click.echo(f"\n{number}. {act.title}\n{act.text}")
    act.play(sandbox, org)
    resync_quietly(app, Choice((), True, None, None))
    shown = {name: value for name, value in org.deal(DEAL, *_TOLD).items() if name in _TOLD and value is not None}
    if not as_json:
        console().print(table(("Field", f"{DEAL}: what Salesforce shows"), shown.items()))
    return {"act": act.title, "shows": shown}


def _print(rows: list[dict[str, Any]], invitations: list[dict[str, Any]], sandbox: Sandbox, keep: Path | None) -> None:
    printer = console()
    held = [row for row in rows if row["AWS_Sync_Status__c"] == "Held" and not row["AWS_Opportunity_Id__c"]]
    done = [row for row in rows if row not in held]
    heads = ("Opportunity", "Stage", "AWS id", "Task", "Task status", "Review status", "Sync")
    fields = ("Name", "StageName", "AWS_Opportunity_Id__c", "AWS_Task_Id__c", "AWS_Task_Status__c")
    shown = ([*(row[name] for name in (*fields, "AWS_Review_Status__c", "AWS_Sync_Status__c"))] for row in done)
    printer.print(table(heads, shown, title="What Salesforce shows in the end, read back over its API: at AWS"))
    printer.print(table(("Opportunity", "Partner", "Status", "Why"), map(_invited, invitations), title="Invitations"))
    why = ((row["Name"], row["AWS_Sync_Message__c"]) for row in held)
    title = "Held, with the field, the line of the mapping and what to do"
    printer.print(table(("Opportunity", "Why"), why, title=title, lines=True))
    service = sandbox.service
    printer.print(
        f"{len(rows)} flagged, {len(done)} at AWS, {len(held)} held before that. Partner Central saw {service.writes} "
        f"writes and {service.reads} reads, throttled {service.throttled}; Salesforce saw {len(sandbox.org.calls)} API "
        "calls.",
        markup=False,
    )
    where = (
        f"Configuration and ledger are in {keep}." if keep else "Next: `connector sandbox` to play with it yourself."
    )
    printer.print(where, markup=False)


def _invited(row: dict[str, Any]) -> tuple[Any, ...]:
    status = row["Invitation_Status__c"] or row["Invitation_Sync_Status__c"]
    return row["Opportunity__r"]["Name"], row["Partner_Name__c"], status, row["Invitation_Sync_Message__c"]
