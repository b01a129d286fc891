"""How every connection of a process does: what its loops told, and what the ledger tells. Nobody is told here.

The ledger is only asked in a thread of its own, so that nothing here hangs with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from connector.app import App
from connector.core.health import PROCESS, Beat, Cause, Health, Held, State, count_held, judge
from connector.ports import Alert
from connector.settings import guard_limits
from connector.sync import guards
from connector.watch import shared
from connector.watch.beats import Beats


class Watched(Protocol):
    """The parts of a process that are looked at; ``web.serving`` has them."""

    @property
    def beats(self) -> Beats: ...

    @property
    def actor(self) -> str: ...

    @property
    def shares(self) -> bool: ...

    def app(self) -> App: ...


GUARD = "guard"
"""The kind of alert that a guard is; its state is "halted" and the name of the guard."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the ledger told: of each connection its guards, its held records, and the loops that others run.

    ``links`` are counted by connection, catalog, rest status ("" while they are looked at) and what holds them.
    """

    at: datetime
    links: Mapping[tuple[str, str, str, str], int] = field(default_factory=dict)
    guards: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)
    loops: Mapping[str, Mapping[str, Beat]] = field(default_factory=dict)
    alerts: Mapping[tuple[str, str], Alert] = field(default_factory=dict)


def look_at_ledger(watched: Watched, now: datetime, since: datetime) -> Look:
    """Ask the ledger. ``since``: when the process began. Raises LedgerUnavailable; may take as long as the ledger."""
    app = watched.app()
    # Taken once: a reload may remove some while the ledger is asked.
    connections = app.connections
    ledger, names = app.ledger, list(connections)
    counted: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    links = ledger.link_counts(names)
    for (name, catalog, status, _), count in links.items():
        if catalog == connections[name].partner_central.catalog:
            counted[name][status] += count
    standing = {
        name: guards.standing(ledger, name, guard_limits(connection), now) for name, connection in connections.items()
    }
    return Look(
        now,
        links,
        {name: {one: (error.message, error.cure) for one, error in found.items()} for name, found in standing.items()},
        {name: count_held(counted[name]) for name in names},
        _shared_loops(watched, app, names, since) if watched.shares else {},
        {(alert.connection, alert.kind): alert for alert in ledger.alerts(names)},
    )


def _shared_loops(watched: Watched, app: App, names: list[str], since: datetime) -> dict[str, dict[str, Beat]]:
    """The loops of each connection, whoever runs them; what this process knows better is written down for others."""
    texts = app.ledger.watermarks(names, shared.LOOPS)
    own = watched.beats.all()
    found = {}
    for name in names:
        known = shared.from_text(name, texts.get(name, ""), since)
        merged = shared.merge((beat for beat in own if beat.connection == name), known)
        if shared.is_worth_writing(merged, known):
            app.ledger.set_watermark(name, shared.LOOPS, shared.to_text(merged))
        found[name] = merged
    schedule = app.config.schedule
    for loop, every in (("pull", schedule.pull), ("observe", schedule.observe)):
        last = app.ledger.watermarks(names, f"last_{loop}")
        for name in names:
            found[name][loop] = _looked(name, loop, every, found[name].get(loop), last.get(name, ""), since)
    return found


def _looked(name: str, loop: str, every: timedelta, known: Beat | None, last: str, since: datetime) -> Beat:
    """A loop that has to look now and then, with the last success that the ledger knows of."""
    beat = known or Beat(name, loop, every, since)
    moment = datetime.fromisoformat(last) if last else None
    if moment is None or (beat.succeeded_at is not None and beat.succeeded_at >= moment):
        return replace(beat, every=every)
    if beat.failed_at is not None and beat.failed_at > moment:
        return replace(beat, every=every, succeeded_at=moment)
    return Beat(name, loop, every, since, succeeded_at=moment)


REGULAR = frozenset({"pull", "observe"})
"""Loops that workers run whether anything is due or not; silence of another one proves nothing."""


OLD = timedelta(minutes=1)
"""What the ledger told longer ago than this says nothing of connections that other processes serve."""


LEFT_BEHIND = timedelta(hours=2)
"""A failure that nobody has met anew for so long was that of a worker which is gone: every pause is shorter."""


def _is_failing(beat: Beat, now: datetime) -> bool:
    """Whether that was so lately."""
    failed_at = beat.failed_at
    return beat.failing_since is not None and failed_at is not None and now - failed_at < LEFT_BEHIND


def healths_of(watched: Watched, look: Look | None, now: datetime) -> dict[str, Health]:
    """How each connection does, and under "" the process itself. Asks nobody; ``look`` is what the ledger last told."""
    app = watched.app()
    if watched.shares and look is not None and now - look.at > OLD:
        look = None  # others may have gone on meanwhile
    by_name: dict[str, list[Beat]] = defaultdict(list)
    for beat in watched.beats.all():
        by_name[beat.connection].append(beat)
    after = app.config.health.stalled_after
    found = {PROCESS: judge(PROCESS, by_name[PROCESS], {}, now, after)}
    for name in app.connections:
        beats = by_name[name]
        if watched.shares:
            loops = look.loops.get(name, {}) if look is not None else {}
            beats = [beat for beat in loops.values() if beat.loop in REGULAR or _is_failing(beat, now)]
        guards = look.guards.get(name, {}) if look is not None else {}
        health = judge(name, beats, guards, now, after, _guarded_since(look, name))
        if watched.shares and health.state is State.RUNNING and not all(_is_lately(one, now, after) for one in beats):
            health = replace(health, state=State.UNKNOWN)
        found[name] = health
    return found


def _is_lately(beat: Beat, now: datetime, after: timedelta) -> bool:
    """Whether a loop that others run has done something lately; a reader that has just begun expects it from now on,
    which does not make what succeeded an hour ago well."""
    known = (beat.succeeded_at, beat.moved_at if beat.began_at is not None else None)
    last = max((moment for moment in known if moment is not None), default=None)
    is_silent = last is None or now - last > beat.every + after
    return beat.loop not in REGULAR or beat.cause == Cause.GUARD or not is_silent


def _guarded_since(look: Look | None, name: str) -> dict[str, datetime]:
    """Since when people have been told of a guard, by its name: the ledger keeps no other instant of most of them."""
    alert = look.alerts.get((name, GUARD)) if look is not None else None
    return {alert.state.partition(" ")[2]: alert.since} if alert is not None else {}
