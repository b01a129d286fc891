"""One record's whole story, as the ledger has it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime

from connector.app import App
from connector.core import diff, edits, invitations, plan
from connector.core.model import Link, Mapped, Problem, Structure
from connector.core.row_refusals import explain_line
from connector.errors import MappingError
from connector.report.moments import to_z
from connector.report.values import values_of

"""How ids of AWS begin that a task or an invitation carries."""


def show(app: App, identifier: str, connection: str | None = None) -> Structure | None:
    """One record's whole story, None when the ledger does not know it.

    ``identifier`` is a Salesforce id (18 characters), an O-number, or the id of a task, engagement or invitation.
    Where several connections know the record it is the story in one that keeps it in step, and ``elsewhere`` names the
    others; ``connection``: only that one is asked.
    """
    names = app.connections if connection is None else (connection,)
    links = [link for name in names if (link := find_link(app, name, identifier)) is not None]
    if not links:
        return None
    first, *others = sorted(links, key=lambda link: link.presence != "flagged")
    return {**_story(app, first), "elsewhere": [_elsewhere(app, link) for link in others]}


def find_link(app: App, name: str, identifier: str) -> Link | None:
    """The link of a connection that has this id: a record's (18 characters), an O-number, or of a task or the like."""
    return app.ledger.find(name, app.connections[name].partner_central.catalog, identifier)


def _elsewhere(app: App, link: Link) -> Structure:
    """What another connection makes of the record, in a line."""
    sync = _sync(link, *app.ledger.rest_of(link.id))
    number = f"{link.opportunity_id}, " if link.opportunity_id else ""
    return {"connection": link.connection, "message": f"{number}{sync['status']}: {sync['message']}"}


def _story(app: App, link: Link) -> Structure:
    mapped = link.mapped
    return {
        "connection": link.connection,
        "catalog": link.catalog,
        "salesforce_id": link.salesforce_id,
        "name": link.name,
        "presence": link.presence,
        "opportunity_id": link.opportunity_id or None,
        "review_status": link.review_status or None,
        "stage": link.stage or None,
        "task": None if link.task is None else _task(link),
        "invitations": _invitations(link),
        "sync": _sync(link, *app.ledger.rest_of(link.id)),
        "problems": problems_of(link),
        "differences": _differences(app, link),
        "aws": link.aws,
        "write_back": _write_back(link),
        "values": [] if mapped is None else values_of(mapped),
        "asked": link.asked,
        "history": app.ledger.history(link.id),
        "reason": None,
        "elsewhere": [],
    }


def _sync(link: Link, rest_status: str, message: str, next_try: datetime | None) -> Structure:
    """Where the record stands; without a rest it is being looked at."""
    return {
        "status": rest_status or ("In progress" if link.operation else "Pending"),
        "message": message or (f"{link.operation.action} is under way." if link.operation else "In line."),
        "next_try": to_z(next_try),
        "since": to_z(link.changed_at),
    }


def _write_back(link: Link) -> Structure:
    """What Salesforce shows, and what it refused to: its own words, and what they mean where that is known."""
    meaning, cure = explain_line(link.write_back_error)
    return {
        "shown": link.shown,
        "error": link.write_back_error or None,
        "meaning": meaning or None,
        "cure": cure or None,
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


def problems_of(link: Link) -> list[Structure]:
    """What stands in the way of a record, as data."""
    return [asdict(problem) for problem in standing_problems(link)]


def standing_problems(link: Link) -> list[Problem]:
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
    return problems


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
