"""The overview: each connection, how its deals stand, what waits for whom, and what was written to AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from connector.config import Connection
from connector.core.health import Health, State, Trouble
from connector.core.lifecycle import MEANING, ReviewStatus, SyncStatus
from connector.core.model import fingerprint
from connector.report.moments import read_instant
from connector.report.throughput import Writes
from connector.report.waiting import Cause
from connector.report.whereabouts import PLACES
from connector.watch import shared
from connector.watch.checkup import Look, healths_of
from connector.web.page.desk import Desk, Form
from connector.web.page.plot import Part, Plot, plot, stack
from connector.web.page.rendering import answer, is_part
from connector.web.page.snapshots import Snapshot

AT_MOST = 25
"""Connections on one page."""
TOLD = 8
"""Causes that are told of each group; the list has all."""
STATES: Mapping[str, str] = {
    SyncStatus.HELD: "Held",
    SyncStatus.PENDING: "Pending",
    SyncStatus.IN_PROGRESS: "In progress",
    SyncStatus.SYNCED: "Synced",
    SyncStatus.STOPPED: "Stopped",
}
"""The states of deals with their names, what needs a person first."""
SAID: Mapping[str, str] = {
    State.RUNNING: "Running",
    State.HALTED: "Halted",
    State.STALLED: "Stalled",
    State.UNKNOWN: "Not known yet",
}
_BEGUN = (MEANING[ReviewStatus.SUBMITTED], MEANING[ReviewStatus.IN_REVIEW], "Submitted; AWS")
"""How the words of deals begin that AWS has in its hands."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that waits; ``href`` leads to its deals."""

    message: str
    cure: str = ""
    count: int = 0
    field: str = ""
    place: str = ""
    others: int = 0
    since: datetime | None = None
    href: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Whom things wait for; ``more`` causes are not told."""

    key: str
    name: str
    nothing: str
    rows: tuple[Row, ...]
    count: int
    more: int = 0


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of something was used in 24 hours; ``limit`` 0 for none."""

    name: str
    used: int
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """When something was counted, and a mark that changes with it."""

    at: datetime
    version: str
    whereabouts: Any


@dataclass(frozen=True, slots=True)
class View:
    """One connection as it is shown; ``counts`` is None while nothing is counted yet, and what follows empty."""

    name: str
    catalog: str
    state: str
    said: str
    trouble: Trouble | None
    counts: Counts | None = None
    states: tuple[Part, ...] = ()
    places: tuple[Part, ...] = ()
    groups: tuple[Group, ...] = ()
    meters: tuple[Meter, ...] = ()
    alerts: tuple[Any, ...] = ()
    last_pull: datetime | None = None
    last_observe: datetime | None = None
    hours: Plot | None = None
    hours_said: str = ""
    hours_limit: str = ""
    days: Plot | None = None
    days_said: str = ""
    days_limit: str = ""


def overview(desk: Desk, request: Request, _: Form) -> Response:
    """Every connection, or the only one."""
    names = list(desk.app.connections)
    if len(names) == 1:
        return _one(desk, request, names[0])
    after = request.query_params.get("after", "")
    rest = [name for name in sorted(names) if name > after]
    shown, further = rest[:AT_MOST], rest[AT_MOST - 1] if len(rest) > AT_MOST else ""
    snapshots = {name: desk.snapshots.of(name, patience=0.0) for name in shown}
    healths = _healths(desk, snapshots)
    views = [_brief(desk, name, snapshots[name], healths[name]) for name in shown]
    return _show(desk, request, views, total=len(names), further=further)


def connection(desk: Desk, request: Request, _: Form) -> Response:
    """One connection of several."""
    name = str(request.path_params["name"])
    desk.connection(name)
    return _one(desk, request, name)


def _one(desk: Desk, request: Request, name: str) -> Response:
    snapshot = desk.snapshots.of(name)
    health = _healths(desk, {name: snapshot})[name]
    return _show(desk, request, [_whole(desk, name, snapshot, health)], only=name, total=1)


def _show(desk: Desk, request: Request, views: Sequence[View], only: str = "", **values: Any) -> Response:
    template = "overview_live.html" if is_part(request) else "overview.html"
    is_counted = all(view.counts is not None for view in views)
    asked = request.scope["query_string"].decode("latin-1")
    query = f"?{asked}" if asked else ""
    told = {
        "here": f"{request.scope['path']}{query}",
        "further": "",
        **values,
        "views": views,
        "only": only,
        "now": desk.now,
        "is_counted": is_counted,
    }
    return answer(request, template, **told)


def _healths(desk: Desk, snapshots: Mapping[str, Snapshot | None]) -> dict[str, Health]:
    """How the connections do, by what the loops tell, and the ledger as it was counted."""
    stops = {
        name: {guard.name: (guard.message, guard.cure) for guard in snapshot.guards} if snapshot else {}
        for name, snapshot in snapshots.items()
    }
    loops = {name: _loops(desk, name) for name in snapshots} if desk.serving.shares else {}
    guarded = [name for name, found in stops.items() if found]
    told = {(one.connection, one.kind): one for one in desk.app.ledger.alerts(guarded)} if guarded else {}
    return healths_of(desk.serving, Look(desk.now, guards=stops, loops=loops, alerts=told), desk.now)


def _loops(desk: Desk, name: str) -> dict[str, Any]:
    """What several workers know of the loops of a connection."""
    known = shared.from_text(name, desk.app.ledger.watermark(name, shared.LOOPS), desk.since)
    return shared.merge((beat for beat in desk.serving.beats.all() if beat.connection == name), known)


def _brief(desk: Desk, name: str, snapshot: Snapshot | None, health: Health) -> View:
    state, trouble = health.shown
    if snapshot is None:
        return View(name, desk.catalog(name), state, SAID[state], trouble)
    states = stack(snapshot.whereabouts.states, STATES)
    return View(name, desk.catalog(name), state, SAID[state], trouble, _counts(snapshot), states)


def _whole(desk: Desk, name: str, snapshot: Snapshot | None, health: Health) -> View:
    state, trouble = health.shown
    if snapshot is None:
        return View(name, desk.catalog(name), state, SAID[state], trouble)
    found, ledger = desk.connection(name), desk.app.ledger
    per_day = snapshot.quota["writes_per_day"]
    hours, hours_said, hours_limit = _hours(snapshot.throughput.by_hour, found, per_day)
    days, days_said, days_limit = _days(snapshot.throughput.by_day, per_day)
    return View(
        name=name,
        catalog=found.partner_central.catalog,
        state=state,
        said=SAID[state],
        trouble=trouble,
        counts=_counts(snapshot),
        states=stack(snapshot.whereabouts.states, STATES),
        places=stack(snapshot.whereabouts.places, PLACES),
        groups=groups_of(name, snapshot),
        meters=_meters(snapshot),
        alerts=tuple(one for one in ledger.alerts([name]) if one.state != "running"),
        last_pull=read_instant(ledger.watermark(name, "last_pull")),
        last_observe=read_instant(ledger.watermark(name, "last_observe")),
        hours=hours,
        hours_said=hours_said,
        hours_limit=hours_limit,
        days=days,
        days_said=days_said,
        days_limit=days_limit,
    )


def _counts(snapshot: Snapshot) -> Counts:
    causes = [[cause.key, cause.count] for cause in snapshot.causes]
    stops = [guard.message for guard in snapshot.guards]
    seen = [dict(snapshot.whereabouts.states), dict(snapshot.whereabouts.places), causes, stops]
    return Counts(snapshot.at, fingerprint(seen)[:12], snapshot.whereabouts)


# what waits for whom


def groups_of(name: str, snapshot: Snapshot) -> tuple[Group, ...]:
    """Sellers and RevOps first: they are who can do something."""
    sellers = [cause for cause in snapshot.causes if cause.waits_for == "seller"]
    admins = [cause for cause in snapshot.causes if cause.waits_for == "revops"]
    stops = {guard.message for guard in snapshot.guards}
    guarded = [one for one in snapshot.unsettled if any(one[1].startswith(stop) for stop in stops)]
    at_aws = [one for one in snapshot.unsettled if one[1].startswith(_BEGUN)]
    moving = [one for one in snapshot.unsettled if one not in guarded and one not in at_aws]
    others = [*(_guards(snapshot, guarded)), *(_write_backs(snapshot))]
    return (
        _group("seller", "The seller", "No deal waits for a seller.", _causes(name, sellers)),
        _group("revops", "RevOps", "Nothing waits for RevOps.", [*others, *_causes(name, admins)]),
        _group("aws", "AWS", "No deal is under review.", _reviews(name, snapshot, at_aws)),
        _group("us", "The connector", "Nothing is under way.", list(_moving(name, moving))),
    )


def _group(key: str, name: str, nothing: str, rows: Sequence[Row]) -> Group:
    return Group(key, name, nothing, tuple(rows[:TOLD]), sum(row.count for row in rows), max(len(rows) - TOLD, 0))


def _causes(name: str, causes: Iterable[Cause]) -> list[Row]:
    return [
        Row(
            cause.message,
            cause.cure,
            cause.count,
            cause.salesforce_field,
            cause.place,
            cause.others,
            cause.since,
            deals_path(connection=name, cause=cause.key),
            "Show it" if cause.count == 1 else f"Show all {cause.count:,}",
        )
        for cause in causes
    ]


def _guards(snapshot: Snapshot, guarded: Sequence[tuple[str, str, int, int]]) -> list[Row]:
    return [
        Row(guard.message, guard.cure, sum(one[2] for one in guarded if one[1].startswith(guard.message)))
        for guard in snapshot.guards
    ]


def _write_backs(snapshot: Snapshot) -> list[Row]:
    return [
        Row(f"Salesforce refuses to show it: {one['meaning'] or one['error']}", one["cure"] or "", one["count"])
        for one in snapshot.write_back
    ]


def _reviews(name: str, snapshot: Snapshot, waiting: Sequence[tuple[str, str, int, int]]) -> list[Row]:
    count = snapshot.whereabouts.places.get("review", 0)
    if not count:
        return []
    edits = sum(one[2] for one in waiting if one[0] == SyncStatus.PENDING)
    cure = "Nothing to do: what AWS says comes in by itself."
    if edits:
        cure += f" {edits:,} of them {'has' if edits == 1 else 'have'} edits that go once the review is over."
    href = deals_path(connection=name, place="review")
    return [Row("Submitted; AWS reviews it.", cure, count, href=href, link="Show them")]


def _moving(name: str, moving: Sequence[tuple[str, str, int, int]]) -> Iterable[Row]:
    for status, message, count, _ in moving:
        words = message or ("A write is under way." if status == SyncStatus.IN_PROGRESS else "In line.")
        yield Row(
            words, "", count, href=deals_path(connection=name, state=status), link=f"Show what is {status.lower()}"
        )


def deals_path(**parameters: Any) -> str:
    """The address of a list of deals; what is empty is left out."""
    return f"/deals?{urlencode({name: value for name, value in parameters.items() if value})}"


# figures


def _meters(snapshot: Snapshot) -> tuple[Meter, ...]:
    quota = snapshot.quota
    return (
        Meter("Writes to AWS in 24 h", quota["writes_24h"], quota["writes_per_day"]),
        Meter("Reads from AWS in 24 h", quota["reads_24h"], quota["reads_per_day"]),
        Meter("Salesforce calls in 24 h", quota["salesforce_calls_24h"]),
    )


def _hours(writes: Writes, found: Connection, per_day: int) -> tuple[Plot, str, str]:
    limit = min(found.partner_central.quota.writes_per_second * 3600, per_day)
    labels = [start.strftime("%H:00") for start in writes.starts]
    drawn = plot(labels, writes.counts, limit, every=6)
    return drawn, f"{sum(writes.counts):,} in the last 24 hours.", _limit(drawn, limit, "an hour")


def _days(writes: Writes, limit: int) -> tuple[Plot, str, str]:
    labels = [start.strftime("%d %b") for start in writes.starts]
    drawn = plot(labels, writes.counts, limit, every=3)
    return drawn, f"{sum(writes.counts):,} in the last 14 days.", _limit(drawn, limit, "a day")


def _limit(drawn: Plot, limit: float, unit: str) -> str:
    where = "the dashed line" if drawn.limit is not None else "far above what is drawn"
    return f"AWS allows {limit:,.0f} {unit}: {where}."
