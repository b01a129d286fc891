"""guards: surprises stop and ask, before anything is written, since AWS never deletes.

Two of them: more creates than are likely to be meant, and a changed mapping that touches many linked records. What a
person released goes through, exactly that and nothing else. Nothing here calls AWS.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from connector.core.guard import (
    CreatesPerDay,
    CreatesPerPass,
    InvitationsPerDay,
    Limits,
    MappingChange,
    MappingTally,
    Release,
)
from connector.core.model import Link
from connector.core.plan import Act, Adopt, Create, Drop, Read, Resume, Wait, plan_link
from connector.core.selection import to_id18
from connector.errors import TemporaryError, UnsafePlan
from connector.ports import Ledger
from connector.sync import permissions
from connector.sync.records import to_compared
from connector.sync.releases import is_released, released_in

if TYPE_CHECKING:
    from connector.sync.context import Context

logger = logging.getLogger(__name__)

RECOUNT = timedelta(minutes=1)
"""How long a count of creates is good for, where no news came in meanwhile."""
LOOK_AGAIN = timedelta(hours=1)
"""When a record that waits for a person is planned again anyway; the guard's end wakes it at once."""
TRY_DAY_AGAIN = timedelta(minutes=10)
TRY_SOON = timedelta(seconds=10)
VERDICT_LASTS = timedelta(hours=24)
"""How long the count of what a changed mapping touches is good for: it reads every flagged record."""
BORNE = 5.0
"""Seconds that a create waits for the reading of Salesforce to end before it is put off."""

MAPPING = "mapping"
"""The watermark of the mapping version that every stored fact was made with."""
MAPPING_GUARD = "mapping_guard"
CREATES_GUARD = "creates_guard"
READING = "reading"
"""The watermark of a reading in several parts that has not come to its end."""

_DAY = timedelta(hours=24)
_PAGE = 500
_UNREAD = "Salesforce is read to its end first, so that a flood of new records is seen before it is created at AWS."
_UNCOUNTED = "The mapping was edited; what that changes is looked at before anything is sent."


@dataclass(slots=True)
class Memory:
    """What a process remembers between two creates, so that not each of them costs a count.

    ``looks`` counts the readings that have begun, ``left`` the creates that were counted and not begun yet. Whether
    a reading was cut off is asked of the ledger once: nobody writes that but the process that owns the ledger.
    """

    over: threading.Condition = field(default_factory=threading.Condition)
    counting: threading.Lock = field(default_factory=threading.Lock)
    reading: int = 0
    reading_since: float = 0.0
    looks: int = 0
    left: int = 0
    stopped: CreatesPerPass | None = None
    counted_at: datetime | None = None
    counted_look: int = -1
    created: int = 0
    begun: int = 0
    created_at: datetime | None = None
    is_cut_off: bool | None = None
    released_at: str = ""
    looked_for_releases: float = float("-inf")
    release: Release = field(default_factory=lambda: Release({}))
    is_mapping_accepted: bool = False
    told: dict[str, str] = field(default_factory=dict)


# creates


def may_create(context: Context, link: Link) -> Wait | None:
    """None where an opportunity may be created for this link, and counts it; else why not, and when to ask again.

    Call it under ``context.creating``, right before the create is written ahead.
    """
    if is_released(context, link):
        return None
    if (unread := _unread(context)) is not None:
        return unread
    with context.guards.counting:
        refused = _day_is_full(context) or _too_many_at_once(context)
        if refused is None:
            context.guards.left -= 1
            context.guards.begun += 1
            return None
    return None if is_released(context, link, now=True) else refused


def has_room(context: Context) -> bool:
    """Whether no limit on creates stood in the way when one was last looked at."""
    return context.guards.stopped is None and "day" not in context.guards.told


def may_invite(context: Context, link: Link) -> Wait | None:
    """None where a partner may be invited for this link; else why not. Call it under ``context.creating``, as above."""
    guard = _invitations_today(context.ledger, context.name, context.limits, context.now)
    if not guard.is_reached or is_released(context, link, now=True):
        return None
    _tell_once(context, "invitations", guard.refusal())
    return Wait(str(guard.refusal()), context.now + TRY_DAY_AGAIN)


def _invitations_today(ledger: Ledger, connection: str, limits: Limits, now: datetime) -> InvitationsPerDay:
    sent = ledger.begun_since(connection, "CreateEngagementInvitation", now - _DAY)
    return InvitationsPerDay(limits.invitations_per_day, sent)


@contextmanager
def looking(context: Context, *, in_parts: bool = False) -> Iterator[None]:
    """Salesforce is being read while the block runs: nothing is created, since what was read so far is but a part.

    ``in_parts`` is remembered in the ledger until ``end_reading``, so that one that was cut off is made up for first.
    """
    memory = context.guards
    with memory.over:
        memory.reading_since = memory.reading_since if memory.reading else context.clock.monotonic()
        memory.reading += 1
        memory.looks += 1
    try:
        if in_parts:
            context.ledger.set_watermark(context.name, READING, context.now.isoformat())
            memory.is_cut_off = True
        yield
    finally:
        with memory.over:
            memory.reading -= 1
            memory.looks += 1
            memory.over.notify_all()


def is_cut_off(context: Context) -> bool:
    """Whether a reading in several parts did not come to its end."""
    memory = context.guards
    if memory.is_cut_off is None:
        memory.is_cut_off = bool(context.ledger.watermark(context.name, READING))
    return memory.is_cut_off


def end_reading(context: Context) -> None:
    """Salesforce was read to its end."""
    if is_cut_off(context):
        context.ledger.set_watermark(context.name, READING, "")
        context.guards.is_cut_off = False


def look_again(context: Context) -> None:
    """Where no more creates wait now than the limit allows, those that were stopped go on."""
    if context.ledger.watermark(context.name, CREATES_GUARD):
        with context.guards.counting:
            _count_creates(context)


def _unread(context: Context) -> Wait | None:
    memory = context.guards
    with memory.over:
        while memory.reading and not context.stopping.is_set():
            left = memory.reading_since + BORNE - context.clock.monotonic()
            if left <= 0:
                break
            memory.over.wait(min(left, 0.5))
        is_reading = bool(memory.reading)
    return Wait(_UNREAD, context.now + TRY_SOON) if is_reading or is_cut_off(context) else None


def _day_is_full(context: Context) -> Wait | None:
    memory, now = context.guards, context.now
    guard = CreatesPerDay(context.limits.creates_per_day, memory.created + memory.begun)
    is_old = memory.created_at is None or now - memory.created_at >= RECOUNT
    if is_old or (guard.is_reached and memory.begun):
        released = list(released_in(context).records)
        memory.created = context.ledger.creates_besides(context.name, now - _DAY, released)
        memory.begun, memory.created_at = 0, now
        guard = CreatesPerDay(context.limits.creates_per_day, memory.created)
    if not guard.is_reached:
        memory.told.pop("day", None)
        return None
    refusal = guard.refusal()
    _tell_once(context, "day", refusal)
    return Wait(str(refusal), now + TRY_DAY_AGAIN)


def _too_many_at_once(context: Context) -> Wait | None:
    memory, now = context.guards, context.now
    is_old = memory.counted_at is None or now - memory.counted_at >= RECOUNT or memory.counted_look != memory.looks
    if is_old or (memory.stopped is None and memory.left <= 0):
        _count_creates(context)
    return Wait(str(memory.stopped.refusal()), now + LOOK_AGAIN) if memory.stopped is not None else None


def _count_creates(context: Context) -> None:
    """Count what waits to be created now, and note in the ledger where that stops or goes on."""
    memory, ledger, now = context.guards, context.ledger, context.now
    memory.counted_look, memory.counted_at = memory.looks, now
    waiting = creates_waiting(context)
    guard = CreatesPerPass(context.limits.creates_per_pass, waiting, now)
    known = CreatesPerPass.from_text(ledger.watermark(context.name, CREATES_GUARD))
    memory.left = waiting
    if not guard.is_passed:
        memory.stopped = None
        memory.told.pop("pass", None)
        if known is not None:
            ledger.set_watermark(context.name, CREATES_GUARD, "")
            ledger.wake_waiting(*context.key, now)
        return
    if known is None or known.limit != guard.limit:
        known = guard
        ledger.set_watermark(context.name, CREATES_GUARD, guard.to_text())
    # As it was counted first: a number that grew by one is no news for every record that waits.
    memory.stopped = known
    _tell_once(context, "pass", known.refusal())


def creates_waiting(context: Context) -> int:
    """Complete, flagged records without an AWS opportunity that nobody released: what would be created now."""
    released = released_in(context)
    ids = list(released.records)
    waiting, after = context.ledger.creates_waiting(*context.key, ids), ""
    while page := context.ledger.creates_in_doubt(*context.key, ids, after, _PAGE):
        for salesforce_id, mapped, refusal in page:
            link = Link(0, *context.key, salesforce_id, mapped=mapped, refusal=refusal)
            wants_create = isinstance(plan_link(link, context.policy, context.now)[0], Create)
            waiting += wants_create and not released.covers(salesforce_id, mapped.fingerprint)
        after = page[-1][0]
    return waiting


def _tell_once(context: Context, guard: str, refusal: UnsafePlan) -> None:
    if context.guards.told.get(guard) != str(refusal):
        context.guards.told[guard] = str(refusal)
        logger.error("%s", refusal, extra={"event": "limit_reached", "connection": context.name})


# a changed mapping


def may_act(context: Context, link: Link, action: Act) -> Wait | None:
    """None where this action may be performed with the mapping as it is; else why not, and when to ask again.

    Reading goes on. So does an operation that is open: its body was committed under the mapping before, and only its
    end says what AWS holds.
    """
    if isinstance(action, Read | Adopt | Resume | Drop) or is_accepted(context) or is_released(context, link):
        return None
    refused = _waits_for_mapping(context)
    return None if refused is None or is_released(context, link, now=True) else refused


def _waits_for_mapping(context: Context) -> Wait | None:
    known = _verdict(context)
    if known is not None:
        stands = known.is_unsafe(context.limits)
        return Wait(str(known.refusal(context.limits)), context.now + LOOK_AGAIN) if stands else None
    # Nothing was ever read in full: there is no mapping before this one.
    is_first = not context.ledger.watermark(context.name, MAPPING)
    return None if is_first else Wait(_UNCOUNTED, context.now + TRY_SOON)


def require_mapping(context: Context) -> None:
    """Raises UnsafePlan while a changed mapping would touch more linked records than the limit allows.

    Where that is not known yet, every flagged record is read once, page by page; nothing is stored of it.
    """
    change = _mapping_change(context)
    if change is not None and change.is_unsafe(context.limits):
        raise change.refusal(context.limits)


def accept_mapping(context: Context) -> None:
    """Every stored fact is made with this mapping now."""
    before = context.ledger.watermark(context.name, MAPPING)
    if before != context.mapping_digest:
        context.ledger.set_watermark(context.name, MAPPING, context.mapping_digest)
    _end_mapping_guard(context)
    context.guards.is_mapping_accepted = True


def is_judged(context: Context) -> bool:
    """Whether it is known what the mapping touches, so that a record may be read without reading all of them."""
    return is_accepted(context) or _verdict(context) is not None or not context.ledger.watermark(context.name, MAPPING)


def guarded_mapping(context: Context) -> UnsafePlan | None:
    """The refusal that stands, as far as the ledger knows; counts nothing."""
    known = None if is_accepted(context) else _verdict(context)
    return known.refusal(context.limits) if known is not None and known.is_unsafe(context.limits) else None


def is_known_to_owner(context: Context) -> bool:
    """Whether the process that owns the ledger works with this version of the mapping, as far as it left a trace."""
    swept = context.ledger.watermark(context.name, MAPPING)
    return swept in {"", context.mapping_digest} or _verdict(context) is not None


def is_accepted(context: Context) -> bool:
    """Whether every stored fact is made with this version of the mapping."""
    memory = context.guards
    if not memory.is_mapping_accepted:
        swept = context.ledger.watermark(context.name, MAPPING)
        memory.is_mapping_accepted = swept == context.mapping_digest
    return memory.is_mapping_accepted


def _mapping_change(context: Context) -> MappingChange | None:
    if is_accepted(context):
        _end_mapping_guard(context)  # the change was undone
        return None
    known = _verdict(context)
    if known is None:
        known = _count_changed(context)
        context.ledger.set_watermark(context.name, MAPPING_GUARD, known.to_text())
    return known


def _end_mapping_guard(context: Context) -> None:
    if context.ledger.watermark(context.name, MAPPING_GUARD):
        context.ledger.set_watermark(context.name, MAPPING_GUARD, "")
        context.ledger.wake_waiting(*context.key, context.now)


def _verdict(context: Context) -> MappingChange | None:
    """What is known of this version of the mapping, unless it was counted too long ago."""
    known = MappingChange.from_text(context.ledger.watermark(context.name, MAPPING_GUARD))
    if known is None or known.digest != context.mapping_digest or context.now - known.at >= VERDICT_LASTS:
        return None
    return known


def _count_changed(context: Context) -> MappingChange:
    tally = MappingTally()
    if context.ledger.has_linked(*context.key, max(context.limits.mapping_change_min_links, 1)):
        changes = permissions.reading(context, lambda selection: context.salesforce.changes(selection, None))
        for page in changes.flagged:
            context.moved()
            if context.stopping.is_set():
                raise TemporaryError("Stopped before it was known what the changed mapping touches.")
            stored = context.ledger.linked(*context.key, [to_id18(record["Id"]) for record in page])
            for record in page:
                before = stored.get(to_id18(record["Id"]))
                if before is not None:
                    tally.add(before, to_compared(context, record, partial(stored.get, to_id18(record["Id"]))))
    return tally.total(context.mapping_digest, context.now)


def standing(ledger: Ledger, connection: str, limits: Limits, now: datetime) -> dict[str, UnsafePlan]:
    """What stops and waits for a person, by the name of its limit, as far as the ledger knows; counts no records."""
    found = {}
    waiting = CreatesPerPass.from_text(ledger.watermark(connection, CREATES_GUARD))
    if waiting is not None and waiting.is_passed:
        found["creates_per_pass"] = waiting.refusal()
    change = MappingChange.from_text(ledger.watermark(connection, MAPPING_GUARD))
    if change is not None and change.is_unsafe(limits) and change.digest != ledger.watermark(connection, MAPPING):
        found["mapping_change_share"] = change.refusal(limits)
    released = Release.from_text(ledger.watermark(connection, "release"), now)
    day = CreatesPerDay(limits.creates_per_day, ledger.creates_besides(connection, now - _DAY, list(released.records)))
    if day.is_reached:
        found["creates_per_day"] = day.refusal()
    invited = _invitations_today(ledger, connection, limits, now)
    if invited.is_reached and invited.sent:
        found["invitations_per_day"] = invited.refusal()
    return found


def end_release(context: Context) -> None:
    """The released records were read: what the changed mapping touches beyond them is counted anew."""
    if not is_accepted(context):
        _end_mapping_guard(context)
