"""A saved plan, and whether the world still is as it was then: applied exactly, or refused with a sentence each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.app import App
from connector.commands.blocks import to_steps
from connector.core.diff import is_same
from connector.core.model import Structure
from connector.errors import UnsafePlan, UserError
from connector.report import AwsSide, plans_of
from connector.sync import Context

VERSION = 2
"""Of the file; the first one had no number."""
WRITES = frozenset({"create", "update", "attach", "detach", "submit", "assign", "invite"})
"""The actions that write to AWS."""
TOLD = 10
"""Records that a refusal explains one by one."""
_NEW = "Nothing was written. Look at a new plan: `connector plan --out FILE`."


@dataclass(frozen=True, slots=True)
class SavedPart:
    """The plan of one connection: the catalog and the version of the mapping it was made with, and its records."""

    catalog: str
    mapping: str
    records: Mapping[str, Structure]


def read_plan(plan_file: Path) -> Mapping[str, SavedPart]:
    """The saved plan of each connection. Raises UserError for what is none, or one of another version."""
    try:
        read = json.loads(plan_file.read_text(encoding="utf-8"))
        parts, version = dict(read["connections"]), read.get("version", 1)
        if version == VERSION:
            return {name: _to_part(part) for name, part in parts.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{plan_file} is not a saved plan.", "Make one with `connector plan --out FILE`.") from error
    age = "an older" if isinstance(version, int) and version < VERSION else "a newer"
    raise UserError(
        f"{plan_file} was made by {age} version of the connector, which may have meant something else by it.",
        "Make a new one with `connector plan --out FILE`.",
    )


def _to_part(part: Structure) -> SavedPart:
    records = {str(entry["salesforce_id"]): entry for entry in part["records"]}
    for entry in records.values():
        _essence(entry)
    return SavedPart(str(part["catalog"]), str(part["mapping"]), records)


def require_same(app: App, contexts: Sequence[Context], plan_file: Path) -> None:
    """Refuse, before anything is applied, a plan for another place or of a world that has moved since.

    Raises UserError where the plan is not for these connections, UnsafePlan where something has moved.
    """
    saved = read_plan(plan_file)
    _require_connections(app, saved, plan_file)
    moved: list[str] = []
    for context in contexts:
        if context.name in saved:
            moved += what_moved(app, context, saved[context.name])
    if moved:
        count = sum(len(saved[context.name].records) for context in contexts if context.name in saved)
        more = [f"… and {len(moved) - TOLD} more."] if len(moved) > TOLD else []
        told = "\n".join(f"  {line}" for line in [*moved[:TOLD], *more])
        raise UnsafePlan(f"{len(moved)} of {count} records have changed since the plan was saved:\n{told}\n", _NEW)


def _require_connections(app: App, saved: Mapping[str, SavedPart], plan_file: Path) -> None:
    planned = {name: part for name, part in saved.items() if part.records}
    known = ", ".join(app.config.connections)
    if strange := sorted(planned.keys() - app.config.connections.keys()):
        raise UserError(
            f"{plan_file} is for connection {strange[0]}, which {app.config.path} does not have.",
            f"It has: {known}. Make a plan with this configuration.",
        )
    if app.only is not None and app.only not in saved:
        raise UserError(f"{plan_file} is not for connection {app.only}.", f"It is for: {', '.join(saved) or 'none'}.")
    for name, part in planned.items():
        catalog = app.config.connections[name].partner_central.catalog
        if part.catalog != catalog:
            raise UnsafePlan(
                f"Connection {name}: the plan was made for catalog {part.catalog}, config.yaml says {catalog}.",
                _NEW,
            )


def what_moved(app: App, context: Context, saved: SavedPart) -> list[str]:
    """A sentence for each record of a saved plan that would not be treated as planned any more.

    AWS is read again for every record that is to be written to: somebody may have changed it there.
    """
    aws = AwsSide(app, context, is_fresh=True)
    now = {entry["salesforce_id"]: entry for entry in plans_of(app, context, list(saved.records), aws)}
    found = []
    for salesforce_id, entry in saved.records.items():
        reason = _moved(context, saved, entry, now[salesforce_id])
        if reason:
            name = f" ({entry['name']})" if entry["name"] else ""
            found.append(f"{salesforce_id}{name}: {reason}")
    return found


def _moved(context: Context, saved: SavedPart, before: Structure, now: Structure) -> str:
    """Why this record is not as it was planned, "" when it is."""
    if _essence(before) == _essence(now):
        return _changed_at_aws(before, now)
    first = now["actions"][0]
    if now["fingerprint"] is None:
        return f"it is not to be shared any more, {first['reason']}."
    if before["fingerprint"] is None:
        return "it was not to be shared then, and is now."
    if first["action"] == "resume":
        return f"{first['operation']} is under way for it now."
    if before["opportunity_id"] != now["opportunity_id"]:
        if not before["opportunity_id"]:
            return f"it is in AWS since, as {now['opportunity_id']}."
        return f"it is {now['opportunity_id'] or 'nothing'} at AWS now, and was {before['opportunity_id']}."
    if before["fingerprint"] != now["fingerprint"]:
        names = ", ".join(_changed_values(before, now)) or "something else of it"
        if saved.mapping != context.mapping_digest:
            return f"the mapping was edited since, it makes other values of it: {names}."
        return f"it was changed in Salesforce: {names}."
    planned, due = to_steps(before["actions"]), to_steps(now["actions"])
    return f"what is known of AWS's side has changed. Planned was: {planned}. Now it would be: {due}."


def _changed_at_aws(before: Structure, now: Structure) -> str:
    """Whether somebody changed at AWS what the plan goes over, though the same would be sent."""
    known = {value["path"]: value["at_aws"] for value in before["values"] if value["becomes"] == "update"}
    found = {value["path"]: value["at_aws"] for value in now["values"] if value["path"] in known}
    moved = [path for path, value in found.items() if not is_same(value, known[path], path.rpartition(".")[2])]
    return f"somebody changed at AWS what would be replaced: {', '.join(moved)}." if moved else ""


def _changed_values(before: Structure, now: Structure) -> list[str]:
    """The Salesforce fields, else AWS paths, whose values differ; never the values."""

    def by_path(entry: Structure) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for value in (*entry["values"], *_invited(entry)):
            if value["value"] is not None:
                found.setdefault(value["path"], []).append(value["value"])
        return found

    one, other = by_path(before), by_path(now)
    places = {v["path"]: v.get("salesforce_field") for e in (before, now) for v in (*e["values"], *_invited(e))}
    paths = [path for path in {**one, **other} if one.get(path) != other.get(path)]
    names = (places[path] for path in paths)
    return list(
        dict.fromkeys(path if name in (None, "(constant)") else name for name, path in zip(names, paths, strict=True))
    )


def _invited(entry: Structure) -> Iterable[Structure]:
    for one in entry["invitations"]:
        for value in one["values"]:
            yield {**value, "path": f"{one['key']} {value['path']}"}


def _essence(entry: Structure) -> tuple[Any, ...]:
    """What a release is for: the content, where it goes, and the writes. Why a record rests is none of it."""
    writes = [action for action in entry["actions"] if action["action"] in WRITES]
    return entry["fingerprint"], entry["opportunity_id"], json.dumps(writes, sort_keys=True)
