"""``connector plan``: what would be sent and why. Reads Salesforce and the ledger; writes nothing anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector import report
from connector.app import App
from connector.commands.choice import Choice
from connector.commands.session import DONE, HELD, print_json
from connector.commands.tables import console, values_table
from connector.core.mapping import map_record
from connector.core.model import Link, Structure
from connector.core.selection import to_id18
from connector.sync import Context

_WRITES = frozenset({"create", "update", "attach", "detach", "submit"})


def plan(app: App, choice: Choice, *, as_json: bool, out: Path | None) -> int:
    """Print, and save to ``out``, the plan of the chosen records; exit code 1 when any of them is held."""
    found: dict[str, Any] = {"connections": {}}
    for name, context in app.contexts.items():
        records = plans_of(app, context, choice.ids_in(context))
        found["connections"][name] = {"records": records, "totals": _totals(app, name, records)}
    if out is not None:
        out.write_text(json.dumps(found, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    if as_json:
        print_json(found)
    else:
        _print(found, out)
    statuses = [entry["status"] for part in found["connections"].values() for entry in part["records"]]
    return HELD if "Held" in statuses else DONE


def plans_of(app: App, context: Context, ids: Sequence[str] | None) -> list[Structure]:
    """The plan of each record (None: every flagged one), as data."""
    selection = context.mapping.selection
    if ids is None:
        pages: Iterable[list[Structure]] = context.salesforce.changes(selection, None).flagged
    else:
        pages = [context.salesforce.fetch(selection, ids)]
    found = [report.planned(context, _link(app, context, record)) for page in pages for record in page]
    return found + _not_shared(context, set(ids or ()) - {entry["salesforce_id"] for entry in found})


def _not_shared(context: Context, ids: set[str]) -> list[Structure]:
    """Chosen records that are not to be shared, and why."""
    if not ids:
        return []
    selection = context.mapping.selection
    states = context.salesforce.states(selection.sobject, sorted(ids))
    found = []
    for salesforce_id in sorted(ids):
        state = states.get(salesforce_id)
        reason = f"it is not flagged: {selection.where} does not hold"
        if state is None or state.deleted:
            reason = (
                "it is deleted" if state is not None else "it does not exist, or the connector's user may not see it"
            )
        found.append(report.not_shared(salesforce_id, state.name if state is not None else "", reason))
    return found


def _link(app: App, context: Context, record: Structure) -> Link:
    """The link as it would be after a pull of this record."""
    salesforce_id = to_id18(record["Id"])
    known = app.ledger.find(*context.key, salesforce_id) if app.has_ledger else None
    link = known or Link(0, context.name, context.catalog, salesforce_id)
    candidate = app.ledger.sighted(*context.key, salesforce_id) if app.has_ledger and not link.opportunity_id else ""
    return replace(
        link,
        name=str(record.get("Name") or ""),
        presence="flagged",
        mapped=map_record(context.mapping, record, context.today),
        candidate_id=link.candidate_id or candidate,
    )


def _totals(app: App, name: str, records: list[Structure]) -> Structure:
    writes = sum(1 for entry in records for action in entry["actions"] if action["action"] in _WRITES)
    rate = app.connections[name].partner_central.quota.writes_per_second
    kinds: dict[str, int] = {}
    for entry in records:
        for action in entry["actions"]:
            kinds[action["action"]] = kinds.get(action["action"], 0) + 1
    return {"records": len(records), "actions": kinds, "writes": writes, "seconds": round(writes / rate)}


def _print(found: Structure, out: Path | None) -> None:
    printer = console()
    for name, part in found["connections"].items():
        for entry in part["records"]:
            steps = " → ".join(_step(action) for action in entry["actions"])
            printer.print(f"{entry['salesforce_id']}  {entry['name']}: {steps}", markup=False)
            if len(part["records"]) == 1:
                printer.print(values_table(entry["values"]))
            for problem in entry["problems"]:
                place = f"{problem['file']}:{problem['line']}"
                words = f"    {problem['salesforce_field'] or problem['path']} → {problem['path']} ({place}): "
                printer.print(words + f"{problem['message']} {problem['cure']}", markup=False)
        totals = part["totals"]
        printer.print(
            f"{name}: {totals['records']} records, {totals['writes']} writes to AWS, "
            f"about {totals['seconds']} s at the quota. Nothing was written.",
            markup=False,
        )
    if out is not None:
        printer.print(f"Saved to {out}; apply exactly this with `connector resync --plan {out}`.", markup=False)


def _step(action: Structure) -> str:
    kind = str(action["action"])
    if kind in {"attach", "detach"}:
        return f"{kind} {action['entity_type']} {action['identifier']}"
    if kind == "update":
        return "update " + ", ".join(change["path"] for change in action["changes"])
    if kind == "resume":
        return f"{action['operation']} is under way"
    if kind in {"hold", "wait", "settled", "stop"}:
        return kind if kind == "hold" else f"{kind} ({action.get('reason', '')})"
    return kind
