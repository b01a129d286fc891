"""``connector plan``: what would be sent and why. Reads Salesforce and the ledger; writes nothing anywhere.

What is printed, as text or ``--json``, is for the person at the terminal and shows raw Salesforce values. The file of
``--out`` leaves these out, since it is passed on, to a colleague or into a ticket: see ``report.without_readings``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connector.app import App
from connector.commands import outfile
from connector.commands.blocks import print_connection
from connector.commands.choice import Choice
from connector.commands.saved import VERSION, WRITES
from connector.commands.session import DONE, HELD, print_json
from connector.commands.tables import console
from connector.core.guard import CreatesPerPass
from connector.core.model import Structure
from connector.errors import UnsafePlan
from connector.report import AwsSide, plans_of, without_readings
from connector.sync import Context, guards

__all__ = ["plan", "plans_of"]

_STANDS = {"Held": "held", "Synced": "unchanged", "Stopped": "stopped"}


def plan(app: App, choice: Choice, *, as_json: bool, out: Path | None, fields: bool = False) -> int:
    """Print, and save to ``out``, the plan of the chosen records; exit code 1 when any of them is held.

    ``fields``: every value of every record as text too, which a plan of a single record shows anyway.
    """
    if out is not None:
        outfile.require_place(out)
    found: dict[str, Any] = {"version": VERSION, "made_at": _now(app), "connections": {}}
    for name, context in app.contexts.items():
        if app.has_ledger:
            app.verify_catalog(context)
        aws = AwsSide(app, context)
        records = plans_of(app, context, choice.ids_in(context), aws)
        found["connections"][name] = {
            "catalog": context.catalog,
            "mapping": context.mapping_digest,
            "records": records,
            "totals": _totals(app, name, records),
            "guards": [str(refusal) for refusal in _guards(app, context, records)],
            "unknown": f"AWS could not be asked what it has: {aws.trouble}" if aws.trouble else None,
        }
    if out is not None:
        outfile.write(out, [_saved(found)])
    if as_json:
        print_json(found)
    else:
        _print(found, out, fields=fields)
    statuses = [entry["status"] for part in found["connections"].values() for entry in part["records"]]
    return HELD if "Held" in statuses else DONE


def _now(app: App) -> str:
    return app.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _saved(found: Structure) -> str:
    parts = {
        name: {**part, "records": [without_readings(entry) for entry in part["records"]]}
        for name, part in found["connections"].items()
    }
    return json.dumps({**found, "connections": parts}, indent=2, ensure_ascii=False, default=str) + "\n"


def _guards(app: App, context: Context, records: list[Structure]) -> list[UnsafePlan]:
    """What stops these records until a person releases them."""
    creates = sum(1 for entry in records for action in entry["actions"] if action["action"] == "create")
    at_once = CreatesPerPass(context.limits.creates_per_pass, creates, context.now)
    found = [at_once.refusal()] if at_once.is_passed else []
    mapping = guards.guarded_mapping(context) if app.has_ledger else None
    return [*found, mapping] if mapping is not None else found


def _totals(app: App, name: str, records: list[Structure]) -> Structure:
    kinds: dict[str, int] = {}
    standings = dict.fromkeys(("to_send", "held", "waiting", "unchanged", "stopped"), 0)
    for entry in records:
        standings[_standing(entry)] += 1
        for action in entry["actions"]:
            kinds[action["action"]] = kinds.get(action["action"], 0) + 1
    writes, submissions = sum(kinds.get(kind, 0) for kind in WRITES), kinds.get("submit", 0)
    quota, now = app.quota(name), app.clock.now()
    goes_on_at = quota.goes_on_at(writes, now)
    return {
        "records": len(records),
        **standings,
        "actions": kinds,
        "invitations_later": sum(1 for entry in records for one in entry["invitations"] if one["becomes"] == "wait"),
        "writes": writes,
        "seconds": round(quota.eta(writes, submissions).total_seconds()),
        "eta": quota.in_words(writes, submissions, now),
        "free_today": quota.free_today,
        "goes_on_at": goes_on_at.strftime("%Y-%m-%dT%H:%M:%SZ") if goes_on_at is not None else None,
    }


def _standing(entry: Structure) -> str:
    """Where a record stands: what is sent counts first, also where something else of it is held."""
    if any(action["action"] in WRITES for action in entry["actions"]):
        return "to_send"
    return _STANDS.get(entry["status"], "waiting")


def _print(found: Structure, out: Path | None, *, fields: bool) -> None:
    for name, part in found["connections"].items():
        print_connection(name, part, fields=fields or len(part["records"]) == 1)
    if out is not None:
        words = f"Saved to {out}; apply exactly this with `connector resync --plan {out}`."
        console().print(words, markup=False)
