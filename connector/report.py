"""What the reading commands tell, as plain JSON-able values. Computes; prints nothing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from connector.app import App, guard_limits
from connector.core import diff, edits, invitations, plan
from connector.core.diff import Change
from connector.core.guard import differences
from connector.core.model import Link, Mapped, Structure
from connector.core.plan import Action
from connector.errors import MappingError
from connector.sync import Context, guards

_DAY = timedelta(hours=24)


def status(app: App) -> Structure:
    """Counts by state, quota used, progress of the loops, what waits for a person; see the contract of ``status``."""
    found: Structure = {}
    for name, connection in app.connections.items():
        catalog, quota = connection.partner_central.catalog, connection.partner_central.quota
        ledger, now = app.ledger, app.clock.now()
        found[name] = {
            "catalog": catalog,
            "links": {_key(status): count for status, count in sorted(ledger.counts(name, catalog).items())},
            "operations": {"open": ledger.open_operations(name)},
            "quota": {
                "writes_24h": ledger.operations_since(name, now - _DAY),
                "writes_per_day": quota.writes_per_day,
                "reads_24h": ledger.usage(name, "aws_reads", now),
                "reads_per_day": quota.reads_per_day,
                "salesforce_calls_24h": ledger.usage(name, "salesforce_calls", now),
            },
            "last_pull": _instant(ledger.watermark(name, "last_pull")),
            "last_observe": _instant(ledger.watermark(name, "last_observe")),
            "guards": [
                {"guard": guard, "message": refusal.message, "cure": refusal.cure}
                for guard, refusal in guards.standing(ledger, name, guard_limits(connection), now).items()
            ],
            "held": [
                {"salesforce_id": salesforce_id, "name": title, "message": message}
                for salesforce_id, title, message in ledger.held(name, catalog, 50)
            ],
        }
    return {"connections": found}


def _key(rest_status: str) -> str:
    return rest_status.lower().replace(" ", "_")


def _instant(text: str) -> str | None:
    return _to_z(datetime.fromisoformat(text)) if text else None


def _to_z(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def show(app: App, identifier: str) -> Structure | None:
    """One record's whole story, by Salesforce id (18 characters) or O-number; None when no ledger knows it."""
    for name, connection in app.connections.items():
        link = app.ledger.find(name, connection.partner_central.catalog, identifier)
        if link is not None:
            return _story(app, link)
    return None


def _story(app: App, link: Link) -> Structure:
    rest_status, message, next_try = app.ledger.rest_of(link.id)
    mapped = link.mapped
    return {
        "connection": link.connection,
        "catalog": link.catalog,
        "salesforce_id": link.salesforce_id,
        "name": link.name,
        "opportunity_id": link.opportunity_id or None,
        "review_status": link.review_status or None,
        "stage": link.stage or None,
        "task": None if link.task is None else _task(link),
        "invitations": _invitations(link),
        "sync": {
            "status": rest_status or ("In progress" if link.operation else "Pending"),
            "message": message or (f"{link.operation.action} is under way." if link.operation else "In line."),
            "next_try": _to_z(next_try),
        },
        "problems": _problems(link),
        "differences": _differences(app, link),
        "aws": link.aws,
        "write_back": {"shown": link.shown, "error": link.write_back_error or None},
        "values": [] if mapped is None else values_of(mapped),
        "history": app.ledger.history(link.id),
    }


def _task(link: Link) -> Structure:
    assert link.task is not None
    members = ("TaskId", "TaskArn", "TaskStatus", "StartTime", "Message", "ReasonCode", "OpportunityId", "EngagementId")
    return {**dict.fromkeys(members), **link.task.facts}


def _invitations(link: Link) -> list[Structure]:
    """What was sent, and what the record wants besides: Id and Arn are null until AWS has it."""
    wanted = link.mapped.invitations if link.mapped is not None else ()
    shown = []
    for one in link.invitations:
        is_wanted = any(invitation.receiver == one.receiver for invitation in wanted)
        words = None if is_wanted else "Removed in Salesforce; AWS has no way to withdraw it."
        shown.append(_invitation(one.key, one.receiver, one.engagement_id, one.facts, words))
    judged = invitations.judge(link, link.mapped) if link.mapped is not None else invitations.Invitations()
    held = [(one, words) for one, words in judged.held]
    waiting = [(one, "Sent once AWS has taken the opportunity up.") for one in (*judged.waiting, *judged.send)]
    return shown + [_invitation(one.key, one.receiver, one.engagement_id, {}, words) for one, words in held + waiting]


def _invitation(key: str, receiver: str, engagement_id: str, facts: Structure, words: str | None) -> Structure:
    named = {name: facts.get(name) for name in ("Id", "Arn", "Status", "RejectionReason", "ExpirationDate")}
    return {
        **named,
        "key": key,
        "receiver": receiver or None,
        "engagement_id": engagement_id or None,
        "message": words,
    }


def _problems(link: Link) -> list[Structure]:
    """What the mapping found; where that is nothing, what AWS refused.

    Of what was submitted, what stands in the way of a submission no longer counts.
    """
    problems = list(link.mapped.problems) if link.mapped is not None else []
    if plan.is_submitted(link):
        problems = [problem for problem in problems if problem.blocks != "submit" and problem.code != "closed_lost"]
    if not problems and link.refusal is not None:
        problems = list(link.refusal.problems)
    problems += [problem for refusal in link.refusals.values() for problem in refusal.problems]
    problems += [p for one in (link.mapped.invitations if link.mapped is not None else ()) for p in one.problems]
    return [asdict(problem) for problem in problems]


def _differences(app: App, link: Link) -> list[Structure]:
    """Where Salesforce and AWS differ since they agreed, and what becomes of each edit; none under a faulty mapping."""
    if link.mapped is None or link.base is None or not diff.is_whole(link.existing):
        return []
    with suppress(MappingError):
        mapped, found = link.mapped, edits.judge(link, link.mapped, app.policy(link.connection), app.clock.now().date())
        return [_difference(link, mapped, *entry) for entry in _outcomes(found)]
    return []


def _outcomes(found: edits.Edits) -> list[tuple[str, str, str]]:
    """(AWS path, what becomes of it, why) of each edit."""
    becomes = [(change.path, "sent", "") for change in found.send]
    becomes += [(path, "queued", "It goes when AWS's review is over.") for path in found.queued]
    becomes += [(held.path, "held", held.reason or str(held.problem or "")) for held in found.held]
    becomes += [
        (change.path, "aws", "The mapping says owner: aws, so AWS's value stands.") for change in found.overruled
    ]
    return becomes


def _difference(link: Link, mapped: Mapped, path: str, becomes: str, why: str) -> Structure:
    origin = mapped.origin_of(path)
    return {
        "path": path,
        "salesforce_field": origin.label if origin is not None else None,
        "agreed": diff.value_at(link.base, path),
        "aws": diff.unescaped(diff.value_at(link.existing, path)),
        "salesforce": diff.value_at(mapped.opportunity, path),
        "becomes": becomes,
        "why": why or None,
    }


def values_of(mapped: Mapped) -> list[Structure]:
    """Each value that is or would be sent: AWS path, value, Salesforce field and line of the mapping."""
    rows = [*_leaves(mapped.opportunity), *_leaves(mapped.submission or {}, "AwsSubmission")]
    rows += [(f"RelatedEntityIdentifiers.{a.entity_type}", a.identifier) for a in mapped.associations]
    rows += _leaves(mapped.assignee or {}, "Assignee")
    found = []
    for path, value in rows:
        origin = mapped.origin_of(path)
        place = {"salesforce_field": origin.label, "file": origin.file, "line": origin.line} if origin else {}
        found.append({"path": path, "value": value, **place})
    return found


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [row for name, inner in value.items() for row in _leaves(inner, f"{path}.{name}" if path else name)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [row for i, inner in enumerate(value) for row in _leaves(inner, f"{path}[{i}]")]
    return [(path, value)]


def planned(context: Context, link: Link, before: Mapped | None = None) -> Structure:
    """What would be done for one link, and why, without doing it; ``before`` is what is stored of a linked one."""
    actions = plan.plan_link(link, context.policy, context.now)
    return {
        "salesforce_id": link.salesforce_id,
        "name": link.name,
        "opportunity_id": link.opportunity_id or None,
        "status": str(plan.status_of(actions[-1])) if plan.is_rest(actions[0]) else "Pending",
        "actions": [to_json(action) for action in actions],
        "changes": []
        if before is None or link.mapped is None
        else list(map(_change, differences(before, link.mapped))),
        "problems": _problems(link),
        "values": [] if link.mapped is None else values_of(link.mapped),
        "fingerprint": link.mapped.fingerprint if link.mapped is not None else None,
    }


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
