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
from connector.core.guard import CreatesPerPass
from connector.core.model import Link, Structure
from connector.core.selection import Selection, to_id18
from connector.errors import UnsafePlan
from connector.sync import Context, guards, permissions
from connector.sync.records import to_compared

WRITES = frozenset({"create", "update", "attach", "detach", "submit", "assign", "invite"})
"""The actions of a saved plan that write to AWS."""
_WIDTH = 60


def plan(app: App, choice: Choice, *, as_json: bool, out: Path | None) -> int:
    """Print, and save to ``out``, the plan of the chosen records; exit code 1 when any of them is held."""
    found: dict[str, Any] = {"connections": {}}
    for name, context in app.contexts.items():
        if app.has_ledger:
            app.verify_catalog(context)
        records = plans_of(app, context, choice.ids_in(context))
        stops = [str(refusal) for refusal in _guards(app, context, records)]
        found["connections"][name] = {"records": records, "totals": _totals(app, name, records), "guards": stops}
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

    def ask(selection: Selection) -> Iterable[list[Structure]]:
        if ids is None:
            return context.salesforce.changes(selection, None).flagged
        return [context.salesforce.fetch(selection, ids)]

    pages = permissions.reading(context, ask, notes=False)
    found = [_planned(app, context, record) for page in pages for record in page]
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


def _planned(app: App, context: Context, record: Structure) -> Structure:
    known = app.ledger.find(*context.key, to_id18(record["Id"])) if app.has_ledger else None
    is_linked = known is not None and bool(known.opportunity_id) and known.presence == "flagged"
    before = known.mapped if known is not None and is_linked else None
    return report.planned(context, _link(app, context, record, known), before)


def _link(app: App, context: Context, record: Structure, known: Link | None) -> Link:
    """The link as it would be after a pull of this record."""
    salesforce_id = to_id18(record["Id"])
    link = known or Link(0, context.name, context.catalog, salesforce_id)
    candidate = app.ledger.sighted(*context.key, salesforce_id) if app.has_ledger and not link.opportunity_id else ""
    return replace(
        link,
        name=str(record.get("Name") or ""),
        presence="flagged",
        mapped=to_compared(context, record, lambda: link.mapped),
        candidate_id=link.candidate_id or candidate,
    )


def _guards(app: App, context: Context, records: list[Structure]) -> list[UnsafePlan]:
    """What stops these records until a person releases them."""
    creates = sum(1 for entry in records for action in entry["actions"] if action["action"] == "create")
    at_once = CreatesPerPass(context.limits.creates_per_pass, creates, context.now)
    found = [at_once.refusal()] if at_once.is_passed else []
    mapping = guards.guarded_mapping(context) if app.has_ledger else None
    return [*found, mapping] if mapping is not None else found


def _totals(app: App, name: str, records: list[Structure]) -> Structure:
    kinds: dict[str, int] = {}
    for entry in records:
        for action in entry["actions"]:
            kinds[action["action"]] = kinds.get(action["action"], 0) + 1
    writes, submissions = sum(kinds.get(kind, 0) for kind in WRITES), kinds.get("submit", 0)
    quota, now = app.quota(name), app.clock.now()
    goes_on_at = quota.goes_on_at(writes, now)
    return {
        "records": len(records),
        "actions": kinds,
        "writes": writes,
        "seconds": round(quota.eta(writes, submissions).total_seconds()),
        "eta": quota.in_words(writes, submissions, now),
        "free_today": quota.free_today,
        "goes_on_at": goes_on_at.strftime("%Y-%m-%dT%H:%M:%SZ") if goes_on_at is not None else None,
    }


def _print(found: Structure, out: Path | None) -> None:
    printer = console()
    for name, part in found["connections"].items():
        for entry in part["records"]:
            steps = " → ".join(_step(action) for action in entry["actions"])
            printer.print(f"{entry['salesforce_id']}  {entry['name']}: {steps}", markup=False)
            if len(part["records"]) == 1:
                printer.print(values_table(entry["values"]))
            for change in entry["changes"]:
                words = f"    {change['path']}: {_short(change['before'])} → {_short(change['after'])}"
                printer.print(words, markup=False)
            for problem in entry["problems"]:
                place = f"{problem['file']}:{problem['line']}"
                words = f"    {problem['salesforce_field'] or problem['path']} → {problem['path']} ({place}): "
                printer.print(words + f"{problem['message']} {problem['cure']}", markup=False)
        totals = part["totals"]
        printer.print(
            f"{name}: {totals['records']} records, {totals['writes']} writes to AWS, "
            f"at its quota {totals['eta']}. Nothing was written.",
            markup=False,
        )
        for stop in part["guards"]:
            printer.print(f"Waits for a person: {stop}", markup=False)
    if out is not None:
        printer.print(f"Saved to {out}; apply exactly this with `connector resync --plan {out}`.", markup=False)


def _short(value: Any) -> str:
    """A value in one line; None as what it is, nothing."""
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _step(action: Structure) -> str:
    kind = str(action["action"])
    if kind in {"attach", "detach"}:
        return f"{kind} {action['entity_type']} {action['identifier']}"
    if kind == "invite":
        return f"invite {action['name']}"
    if kind == "assign":
        return f"assign to {action['assignee'].get('Email', '')}"
    if kind == "update":
        return "update " + ", ".join(change["path"] for change in action["changes"])
    if kind == "resume":
        return f"{action['operation']} is under way"
    if kind == "drop":
        return f"{action['operation']} is dropped; it was never carried out"
    if kind in {"hold", "wait", "settled", "stop"}:
        return kind if kind == "hold" else f"{kind} ({action.get('reason', '')})"
    return kind
