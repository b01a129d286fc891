"""How well each connection does: from what its loops, its guards and its ledger tell, and the time. Asks nobody.

Everything that wants to know whether a connection makes progress asks here, so that the readiness, the page and the
alerts never say different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from connector.core.eta import to_words
from connector.errors import (
    AccessDenied,
    Halt,
    LedgerUnavailable,
    LoginFailed,
    QuotaExhausted,
    UnsafePlan,
    UserError,
    WrongAccount,
)

VERIFICATION = "verification"
"""The loop that comes before all others of a connection: that it is well says nothing of them."""
PROCESS = ""
"""The connection of the loops that a process runs for itself, such as the queue of a worker."""
CALM = 0.9
"""The share of held records has to fall to this part of its limit before it counts as over: one that swings around the
limit is told once."""
LEDGER_PATIENCE = timedelta(seconds=30)
"""A ledger that refuses once and works again is no news."""
LASTING = "_per_day"
"""How the names of limits end that come and go all day long, a record at a time."""
_NOT_SHARED = "Stopped"
_HELD = "Held"


class Cause(StrEnum):
    """Why a connection is halted or stalled."""

    LOGIN = "login"
    PERMISSION = "permission"
    ACCOUNT = "account"
    QUOTA = "quota"
    GUARD = "guard"
    LEDGER = "ledger"
    CONFIGURATION = "configuration"
    HALT = "halt"
    OUTAGE = "outage"
    SILENCE = "silence"


_BY_ERROR: tuple[tuple[type[Exception], Cause], ...] = (
    (LoginFailed, Cause.LOGIN),
    (AccessDenied, Cause.PERMISSION),
    (WrongAccount, Cause.ACCOUNT),
    (QuotaExhausted, Cause.QUOTA),
    (UnsafePlan, Cause.GUARD),
    (LedgerUnavailable, Cause.LEDGER),
    (UserError, Cause.CONFIGURATION),
    (Halt, Cause.HALT),
)


def cause_of(error: Exception) -> Cause:
    """What an error of a look means; whatever heals by itself is an outage."""
    return next((cause for kind, cause in _BY_ERROR if isinstance(error, kind)), Cause.OUTAGE)


@dataclass(frozen=True, slots=True)
class Beat:
    """What is known of one loop of one connection.

    ``every``: how often it looks. ``expected_since``: when it was started. The instants are the last ones, None for
    never: ``began_at`` of a look under way, ``moved_at`` when that got something done. ``failing_since`` is the first
    failure of this ``cause`` after the last success or other cause; ``error``, ``cure`` and ``cause`` ("" where nothing
    fails) are of the last one.
    ``is_halt``: it does not heal by itself. ``seconds`` is what all looks of this process took together.
    """

    connection: str
    loop: str
    every: timedelta
    expected_since: datetime
    began_at: datetime | None = None
    moved_at: datetime | None = None
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    failing_since: datetime | None = None
    error: str = ""
    cure: str = ""
    cause: str = ""
    is_halt: bool = False
    successes: int = 0
    failures: int = 0
    seconds: float = 0.0

    @property
    def expected_from(self) -> datetime:
        """From when its next success is counted: since it was started, last succeeded, or last got something done."""
        known = (self.succeeded_at, self.moved_at if self.began_at is not None else None)
        return max([self.expected_since, *(moment for moment in known if moment is not None)])

    def is_overdue(self, now: datetime, stalled_after: timedelta) -> bool:
        """Whether it should have succeeded that long ago; also of a look that hangs.

        A guard lets its loop look and refuses what it finds: such a loop does what it should, unless its look hangs.
        """
        since = self.expected_from
        if self.cause == Cause.GUARD:
            if self.began_at is None:
                return False
            since = max(since, self.began_at)
        return now - since > self.every + stalled_after

    @property
    def is_well(self) -> bool:
        """Whether its last look succeeded; one that never ended tells nothing."""
        return self.succeeded_at is not None and self.failing_since is None


class State(StrEnum):
    """What a connection does. From ``UNKNOWN`` nothing follows: it is neither well nor known to be in trouble."""

    RUNNING = "running"
    HALTED = "halted"
    STALLED = "stalled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong, with since when (None where nobody knows), and what a person can do."""

    state: State
    cause: str
    message: str
    cure: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """How one connection does.

    ``progress`` is whether its loops do what they should, which a loop does that a guard stops to ask a person.
    """

    connection: str
    state: State
    trouble: Trouble | None = None
    guard: Trouble | None = None

    @property
    def progress(self) -> bool:
        return self.state not in {State.HALTED, State.STALLED}

    @property
    def shown(self) -> tuple[State, Trouble | None]:
        """State and trouble as people are told them: a guard halts as well."""
        if self.progress and self.guard is not None:
            return State.HALTED, self.guard
        return self.state, self.trouble


def judge(
    connection: str,
    beats: Sequence[Beat],
    guards: Mapping[str, tuple[str, str]],
    now: datetime,
    stalled_after: timedelta,
    guarded_since: Mapping[str, datetime] | None = None,
) -> Health:
    """How a connection does. ``guards`` are (sentence, cure) of those that wait for a person, by name.

    ``guarded_since`` is since when, for those of which that is kept.
    """
    halted = [beat for beat in beats if beat.is_halt and beat.failing_since and beat.cause != Cause.GUARD]
    overdue = [beat for beat in beats if beat.is_overdue(now, stalled_after)]
    guard = _guard(beats, guards, guarded_since or {})
    if halted:
        first = min(halted, key=_halts_first)
        return Health(connection, State.HALTED, _halt(first), guard)
    if overdue:
        return Health(connection, State.STALLED, _stall(overdue, now), guard)
    is_begun = any(beat.loop != VERIFICATION for beat in beats)
    is_well = is_begun and all(beat.is_well or beat.cause == Cause.GUARD for beat in beats)
    return Health(connection, State.RUNNING if is_well else State.UNKNOWN, None, guard)


def _halts_first(beat: Beat) -> tuple[int, str]:
    """The same one each time, whichever loop met its error last, so that no two of them take turns in being told."""
    ranks = [cause.value for _, cause in _BY_ERROR]
    return (ranks.index(beat.cause) if beat.cause in ranks else len(ranks), beat.loop)


def _halt(beat: Beat) -> Trouble:
    assert beat.failing_since is not None
    return Trouble(State.HALTED, beat.cause, beat.error, beat.cure, beat.failing_since)


def _stall(overdue: Sequence[Beat], now: datetime) -> Trouble:
    """Every loop that is overdue, told by one that knows why, else by the one that waits longest."""
    first = min(overdue, key=lambda beat: (not _knows_why(beat), beat.expected_from, beat.loop))
    since = min(beat.expected_from for beat in overdue)
    told = f"{_named(overdue)} not succeeded for {to_words(now - since).removeprefix('~')}."
    if _knows_why(first):
        return Trouble(State.STALLED, first.cause, f"{told} {first.error}", first.cure, since)
    hanging = "A look is under way and does not end." if first.began_at is not None else "No look has ended since."
    cure = "See whether Salesforce and AWS answer (`connector check`); the log says what was last done. If nothing "
    return Trouble(State.STALLED, Cause.SILENCE, f"{told} {hanging}", f"{cure}helps, restart the connector.", since)


def _knows_why(beat: Beat) -> bool:
    """Whether its last error tells why it stands still, which that of a guard does not."""
    return bool(beat.error) and beat.cause != Cause.GUARD


def _named(beats: Sequence[Beat]) -> str:
    names = sorted({beat.loop for beat in beats})
    return f"The loop {names[0]} has" if len(names) == 1 else f"{len(names)} loops ({', '.join(names)}) have"


def _guard(
    beats: Iterable[Beat], guards: Mapping[str, tuple[str, str]], since: Mapping[str, datetime]
) -> Trouble | None:
    """What waits for a person: as the ledger has it, by its name, else as a loop met it."""
    if guards:
        # What passes by itself must not hide all day long what waits for a person.
        name = min(guards, key=lambda name: (name.endswith(LASTING), name))
        return Trouble(State.HALTED, name, *guards[name], since.get(name))
    met = [beat for beat in beats if beat.cause == Cause.GUARD and beat.failing_since is not None]
    first = min(met, key=lambda beat: beat.loop, default=None)
    return None if first is None else _halt(first)


@dataclass(frozen=True, slots=True)
class Held:
    """How many of a connection's shared records wait for a person."""

    held: int
    shared: int

    @property
    def share(self) -> float:
        return self.held / self.shared if self.shared else 0.0

    def is_too_many(self, limit: float, min_links: int, *, was: bool) -> bool:
        """Whether that is worth telling; once it ``was``, it is so until the share has clearly fallen."""
        if self.shared < max(min_links, 1):
            return False
        return self.share > (limit * CALM if was else limit)


def count_held(links: Mapping[str, int]) -> Held:
    """From the numbers of links by status; those no longer kept in step are not shared."""
    shared = sum(count for status, count in links.items() if status != _NOT_SHARED)
    return Held(links.get(_HELD, 0), shared)
