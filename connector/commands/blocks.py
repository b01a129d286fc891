"""A plan as text: one block for each record, then what it comes to. Prints; decides nothing."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from connector.commands.tables import console, table
from connector.core.mapping.nodes import INVITATION
from connector.core.model import Structure

_WIDTH = 60
_PEOPLE = {
    "to_send": "with something to send",
    "held": "held",
    "waiting": "waiting",
    "unchanged": "unchanged",
    "stopped": "not shared",
}
_NAMED = 4
"""Fields of an update that are named in its line; the changes below have them all."""


def print_connection(name: str, part: Structure, *, fields: bool) -> None:
    """The records of one connection and their totals; ``fields``: every value of each record too."""
    printer = console()
    for entry in part["records"]:
        _print_record(printer, entry, fields=fields)
    for line in _totals(name, part["totals"]):
        printer.print(line, markup=False)
    if part["unknown"]:
        printer.print(f"{part['unknown']} What is there already is taken over, not created.", markup=False)
    for stop in part["guards"]:
        printer.print(f"Waits for a person: {stop}", markup=False)


def _print_record(printer: Console, entry: Structure, *, fields: bool) -> None:
    number = f"  {entry['opportunity_id']}" if entry["opportunity_id"] else ""
    steps = to_steps(entry["actions"])
    printer.print(f"{entry['salesforce_id']}  {entry['name']}{number}: {steps}", markup=False)
    for line in (*_changes(entry), *_problems(entry), *_invitations(entry)):
        printer.print(f"    {line}", markup=False)
    if fields:
        printer.print(_fields("Values", entry["values"]))
        for one in entry["invitations"]:
            printer.print(_fields(f"Invitation of {one['name']}", one["values"]))


def _changes(entry: Structure) -> list[str]:
    """What is replaced at AWS, and the edits that are not sent, each with why."""
    sent = [change for action in entry["actions"] for change in action.get("changes", ())]
    lines = [f"{one['path']}: {shortened(one['before'])} → {shortened(one['after'])}" for one in sent]
    if not entry["opportunity_id"]:
        return lines
    unsent: dict[tuple[str, str], list[Structure]] = {}
    for value in entry["values"]:
        if value["becomes"] in _UNSENT and value["why"] and value["before"] != value["value"]:
            unsent.setdefault((value["becomes"], value["why"]), []).append(value)
    for (becomes, why), values in unsent.items():
        one, many = _UNSENT[becomes]
        if len(values) > _EDITS:
            lines.append(f"{len(values)} values {many}: {why}")
            continue
        edits = (f"{each['path']}: {shortened(each['before'])} → {shortened(each['value'])}" for each in values)
        lines += [f"{edit} {one}: {why}" for edit in edits]
    return lines


_UNSENT = {"wait": ("waits", "wait"), "hold": ("is held", "are held"), "aws": ("is not sent", "are not sent")}
_EDITS = 8
"""Edits kept back by one cause that are told one by one; while a write is under way it keeps back the whole record."""


def _problems(entry: Structure) -> list[str]:
    """What stands in the way; of an invitation its own line says it."""
    lines = []
    for problem in entry["problems"]:
        if problem["path"].partition(".")[0] == INVITATION:
            continue
        place = f" ({problem['file']}:{problem['line']})" if problem["line"] else ""
        names = " → ".join(name for name in (problem["salesforce_field"], problem["path"]) if name)
        lines.append(f"{names}{place}: {problem['message']} {problem['cure']}".removeprefix(": ").rstrip())
    return lines


def _invitations(entry: Structure) -> list[str]:
    words = {"invite": "is sent", "hold": "is held", "wait": "follows", "unchanged": "stands"}
    lines = []
    for one in entry["invitations"]:
        account = f" ({one['receiver']})" if one["receiver"] and one["receiver"] != one["name"] else ""
        why = f": {one['why']}" if one["why"] else "."
        lines.append(f"Invitation of {one['name']}{account} {words[one['becomes']]}{why}")
    return lines


def _fields(title: str, values: list[Structure]) -> Table:
    """Each value: what stands in Salesforce, what is sent, where from, and what is done with it."""
    rows = [
        (
            _readings(value),
            value["path"],
            shortened(value["value"]),
            f"{value['file']}:{value['line']}" if value.get("line") else "",
            _becomes(value),
        )
        for value in values
    ]
    heads = ("In Salesforce", "AWS path", "Sent", "Mapping", "What is done")
    return table(heads, rows, title=title)


def _readings(value: Structure) -> str:
    """The fields it was made of, one a line; the mapping's own values say so."""
    lines = [f"{label} = {shortened(raw)}" for label, raw in value.get("salesforce", {}).items()]
    own = {"constant": "constant in the mapping", "default": "default in the mapping"}.get(value.get("kind", ""))
    if own is None and not lines:
        return str(value.get("salesforce_field") or "")
    return "\n".join([*lines, own] if own else lines)


def _becomes(value: Structure) -> str:
    words = "AWS's stands" if value["becomes"] == "aws" else str(value["becomes"])
    if value["before"] is not None:
        words = f"{words}, agreed on was {shortened(value['before'])}"
    if value.get("at_aws") not in (None, value["before"]):
        words = f"{words}, AWS has {shortened(value['at_aws'])}"
    return f"{words}: {value['why']}" if value["why"] else words


def _totals(name: str, totals: Structure) -> list[str]:
    counted = ", ".join(f"{totals[key]} {words}" for key, words in _PEOPLE.items() if totals[key])
    done = ", ".join(f"{count} {kind}" for kind, count in totals["actions"].items() if kind not in _RESTS)
    later = totals["invitations_later"]
    records = _count(totals["records"], "record") + (f" ({counted})" if counted else "")
    writes = f"{_count(totals['writes'], 'write')} to AWS, at its quota {totals['eta']}"
    lines = [f"{name}: {records}, {writes}. Nothing was written."]
    if done:
        lines.append(f"Actions: {done}.")
    if later:
        verb = "follows" if later == 1 else "follow"
        lines.append(f"{_count(later, 'invitation')} {verb} once AWS has taken up the opportunities.")
    return lines


_RESTS = frozenset({"hold", "wait", "settled", "stop", "read", "adopt", "resume", "drop"})


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def shortened(value: Any) -> str:
    """A value in one line; None as what it is, nothing."""
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def to_steps(actions: list[Structure]) -> str:
    """All actions of a record in one line; where it comes to rest after writes needs no words here."""
    acts = [action for action in actions if action["action"] not in _ENDINGS]
    if not acts:
        return to_words(actions[-1])
    ending = " → then held" if actions[-1]["action"] == "hold" else ""
    return " → ".join(map(to_words, acts)) + ending


_ENDINGS = frozenset({"hold", "wait", "settled", "stop"})


def to_words(action: Structure) -> str:
    """One action of a plan, short."""
    kind = str(action["action"])
    if kind in {"attach", "detach"}:
        return f"{kind} {action['entity_type']} {action['identifier']}"
    if kind == "invite":
        return f"invite {action['name']}"
    if kind == "assign":
        return f"assign to {action['assignee'].get('Email', '')}"
    if kind == "update":
        paths = [change["path"] for change in action["changes"]]
        return f"update {', '.join(paths)}" if len(paths) <= _NAMED else f"update {len(paths)} fields"
    if kind == "adopt":
        return f"adopt {action['opportunity_id']}, which AWS has for this record already"
    if kind == "read":
        return f"read {action['opportunity_id']}, then compare"
    if kind == "resume":
        return f"{action['operation']} is under way"
    if kind == "drop":
        return f"{action['operation']} is dropped; it was never carried out"
    if kind == "hold":
        return "held"
    if kind in {"wait", "settled", "stop"}:
        return f"{_RESTING[kind]}{action.get('reason', '')}".rstrip(": ")
    return kind


_RESTING = {"wait": "waits: ", "settled": "in line: ", "stop": "not shared: "}
