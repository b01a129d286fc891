"""What would be done for one record, and why, without doing it.

A plan is for the person at the terminal, so each value stands beside the raw Salesforce values that it was made of.
What is saved to a file for ``resync --plan`` may be passed on, so it leaves these out (``without_readings``): it holds
what AWS would be sent and what the record is compared by, nothing else of the record.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connector.core import invitations as inviting
from connector.core import plan
from connector.core.diff import Change, is_whole, unescaped
from connector.core.guard import differences
from connector.core.invitations import sent_for
from connector.core.mapping.nodes import INVITATION
from connector.core.mapping.sources import Source, Sources, sources_of
from connector.core.model import Invitation, Link, Mapped, Structure
from connector.core.plan import Action
from connector.report.outcomes import Outcome, foreseen, is_within, judge
from connector.report.story import problems_of
from connector.report.values import leaves_at, place_of, values_of
from connector.sync import Context

LATER = "Sent once AWS has taken the opportunity up."
_READINGS = "salesforce"


def planned(context: Context, link: Link, before: Mapped | None = None, record: Structure | None = None) -> Structure:
    """What would be done for one link, and why, without doing it.

    ``before`` is what is stored of a linked one, ``record`` the Salesforce record that it was mapped from.
    """
    actions = foreseen(link, plan.plan_link(link, context.policy, context.now), context.policy, context.now)
    sources = _sources(context, record) if record is not None else None
    return {
        "salesforce_id": link.salesforce_id,
        "name": link.name,
        "opportunity_id": link.opportunity_id or None,
        "status": str(plan.status_of(actions[-1])) if plan.is_rest(actions[0]) else "Pending",
        "actions": [to_json(action) for action in actions],
        "changes": []
        if before is None or link.mapped is None
        else list(map(_change, differences(before, link.mapped))),
        "problems": problems_of(link),
        "values": [] if link.mapped is None else _values(context, link, link.mapped, actions, sources),
        "invitations": [] if link.mapped is None else _invitations(link, link.mapped, actions, sources),
        "fingerprint": link.mapped.fingerprint if link.mapped is not None else None,
    }


def _sources(context: Context, record: Structure) -> Sources | None:
    """Where its values come from; None for a record whose mapping fails, which is told as its problem."""
    try:
        return sources_of(context.mapping, record)
    except Exception:  # noqa: BLE001 (the edge of a record: a transform may raise anything, the other records go on)
        return None


def without_readings(entry: Structure) -> Structure:
    """A record's plan as it is saved: without what stands in Salesforce beside what is sent."""

    def bare(values: list[Structure]) -> list[Structure]:
        return [{name: one for name, one in value.items() if name != _READINGS} for value in values]

    invited = [{**one, "values": bare(one["values"])} for one in entry["invitations"]]
    return {**entry, "values": bare(entry["values"]), "invitations": invited}


def _values(
    context: Context, link: Link, mapped: Mapped, actions: tuple[Action, ...], sources: Sources | None
) -> list[Structure]:
    """Each value with what becomes of it; also what AWS loses, and what is missing where a problem says so."""
    outcomes = judge(link, actions, context.policy, context.today)
    problems = problems_of(link)
    known = sources.opportunity if sources is not None else {}
    rows = [
        _row(value, outcomes.of(value["path"], value["value"]), known.get(value["path"]), problems)
        for value in values_of(mapped)
    ]
    gone = [*outcomes.removed(mapped.opportunity), *outcomes.untold(row["path"] for row in rows)]
    told = [*(row["path"] for row in rows), *(path for path, _ in gone)]
    lacking = [p["path"] for p in problems if p["path"] and not any(is_within(path, p["path"]) for path in told)]
    others = [path for path in dict.fromkeys(lacking) if path.partition(".")[0] != INVITATION]
    gone += [(path, one) for path in others if (one := outcomes.of(path, None)).becomes != "unchanged"]
    rows += [_row(_bare(mapped, path), outcome, known.get(path), problems) for path, outcome in gone]
    at_aws = _at_aws(link, [row for row in rows if row["becomes"] == "update"])
    return [{**row, "at_aws": at_aws.get(row["path"])} for row in rows]


def _at_aws(link: Link, updates: list[Structure]) -> Structure:
    """What AWS has where it would be replaced, by path; as far as was read, else what was agreed on."""
    if not updates or not is_whole(link.existing):
        return {row["path"]: row["before"] for row in updates}
    found = dict(leaves_at(unescaped(link.existing)))
    return {row["path"]: found.get(row["path"]) for row in updates}


def _bare(mapped: Mapped, path: str) -> Structure:
    return {"path": path, "value": None, **place_of(mapped.origin_of(path))}


def _row(value: Structure, outcome: Outcome, source: Source | None, problems: list[Structure]) -> Structure:
    why = outcome.why
    if outcome.becomes == "hold":
        at_path = (p for p in problems if is_within(value["path"], p["path"]) and p["path"])
        why = next((f"{p['message']} {p['cure']}".strip() for p in at_path), why)
    told = {} if source is None else {"kind": source.kind, _READINGS: _plain(dict(source.readings))}
    return {**value, **told, "becomes": outcome.becomes, "before": outcome.before, "why": why}


def _plain(value: Any) -> Any:
    """A Salesforce value as JSON has it: its numbers come as decimals."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _invitations(link: Link, mapped: Mapped, actions: tuple[Action, ...], sources: Sources | None) -> list[Structure]:
    """Each partner that the record wants invited, and what happens to the invitation."""
    judged = inviting.judge(link, mapped)
    held = {one.key: words for one, words in judged.held}
    going = {action.invitation.key for action in actions if isinstance(action, plan.Invite)}
    found = []
    for one in mapped.invitations:
        known = sources.invitations.get(one.key, {}) if sources is not None else {}
        outcome = _outcome_of(one, link, held, going, actions)
        rows = [
            ({"path": path, "value": value, **place_of(source.origin if source else None)}, source)
            for path, value in leaves_at(one.body, INVITATION)
            for source in [known.get(path)]
        ]
        found.append(
            {
                "key": one.key,
                "receiver": one.receiver or None,
                "name": one.label,
                "becomes": outcome.becomes,
                "why": outcome.why,
                "values": [_row(row, Outcome(outcome.becomes), source, []) for row, source in rows],
            }
        )
    return found


def _outcome_of(
    one: Invitation, link: Link, held: dict[str, str], going: set[str], actions: tuple[Action, ...]
) -> Outcome:
    sent = sent_for(one, link.invitations)
    if sent is not None:
        return Outcome("unchanged", f"Sent already, {sent.status.lower() or 'no answer yet'}.")
    if one.key in going:
        return Outcome("invite")
    if one.key in held:
        return Outcome("hold", held[one.key])
    if isinstance(actions[0], plan.Hold | plan.Stop):
        return Outcome("hold", "Sent once the record itself is in order.")
    return Outcome("wait", LATER)


def not_shared(salesforce_id: str, name: str, reason: str) -> Structure:
    """The plan of a record that is not to be shared: nothing, and why."""
    return {
        "salesforce_id": salesforce_id,
        "name": name,
        "opportunity_id": None,
        "status": "Stopped",
        "actions": [{"action": "stop", "reason": reason}],
        "changes": [],
        "problems": [],
        "values": [],
        "invitations": [],
        "fingerprint": None,
    }


def to_json(action: Action) -> Structure:
    """An action as data: its kind and what it carries."""
    detail: Structure = {"action": type(action).__name__.lower()}
    for name in ("reason", "opportunity_id", "submission"):
        if getattr(action, name, None):
            detail[name] = getattr(action, name)
    if isinstance(action, plan.Attach | plan.Detach):
        detail.update(entity_type=action.association.entity_type, identifier=action.association.identifier)
    if isinstance(action, plan.Update):
        detail["changes"] = [_change(change) for change in action.changes]
    if isinstance(action, plan.Assign):
        detail["assignee"] = action.assignee
    if isinstance(action, plan.Invite):
        detail.update(key=action.invitation.key, receiver=action.invitation.receiver, name=action.invitation.label)
    if isinstance(action, plan.Resume | plan.Drop):
        detail["operation"] = action.operation.action
    return detail


def _change(change: Change) -> Structure:
    return {"path": change.path, "before": change.before, "after": change.after}
