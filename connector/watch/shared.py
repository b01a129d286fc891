"""What several processes know of the loops of one connection, put together: the newest word on each loop counts.

Where workers take turns with a connection none of them knows alone how it does, so each leaves in the ledger what it
last saw. Nothing is judged here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connector.core.health import Beat
from connector.log import REDACTION

LOOPS = "loops"
"""The watermark of what is known of a connection's loops."""
RENEWED = timedelta(seconds=60)
"""How old a success may be in the ledger before it is written again: each would be a commit for every look."""
_INSTANTS = ("began_at", "moved_at", "succeeded_at", "failed_at", "failing_since")
_WORDS = ("error", "cure", "cause", "is_halt")


def merge(own: Iterable[Beat], known: Mapping[str, Beat]) -> dict[str, Beat]:
    """By loop: the one that was heard of last, with the latest success of both."""
    merged = dict(known)
    for beat in own:
        if _heard(beat) is None:
            continue
        other = merged.get(beat.loop)
        if other is None or _is_newer(beat, other):
            merged[beat.loop] = replace(beat, succeeded_at=_latest(beat, other))
    return merged


def is_worth_writing(merged: Mapping[str, Beat], known: Mapping[str, Beat]) -> bool:
    """Whether others should be told: of other trouble at once, of one more success now and then."""
    return any(
        loop not in known
        or beat.cause != known[loop].cause
        or (_heard(beat) or beat.expected_since) - (_heard(known[loop]) or beat.expected_since) >= RENEWED
        for loop, beat in merged.items()
    )


def to_text(beats: Mapping[str, Beat]) -> str:
    """For the ledger; secrets and personal details taken out."""
    return json.dumps({loop: _to_json(beat) for loop, beat in sorted(beats.items())})


def from_text(connection: str, text: str, since: datetime) -> dict[str, Beat]:
    """What ``to_text`` gave, by loop; empty for "". ``since`` is when the reader began to expect anything."""
    read: dict[str, dict[str, Any]] = json.loads(text or "{}")
    return {loop: _from_json(connection, loop, value, since) for loop, value in read.items()}


def _to_json(beat: Beat) -> dict[str, Any]:
    instants = {name: getattr(beat, name) for name in _INSTANTS}
    words = {name: getattr(beat, name) for name in _WORDS}
    return {
        "every": beat.every.total_seconds(),
        **{name: moment.isoformat() for name, moment in instants.items() if moment is not None},
        **{name: REDACTION.clean(word) if isinstance(word, str) else word for name, word in words.items() if word},
    }


def _from_json(connection: str, loop: str, value: Mapping[str, Any], since: datetime) -> Beat:
    known: dict[str, Any] = {name: datetime.fromisoformat(value[name]) for name in _INSTANTS if name in value}
    known |= {name: value[name] for name in _WORDS if name in value}
    return Beat(connection, loop, timedelta(seconds=value["every"]), since, **known)


def _heard(beat: Beat) -> datetime | None:
    """When it last succeeded or failed, or got something done."""
    known = (beat.succeeded_at, beat.failed_at, beat.moved_at)
    return max((moment for moment in known if moment is not None), default=None)


def _is_newer(beat: Beat, other: Beat) -> bool:
    one, two = _heard(beat), _heard(other)
    return two is None or (one is not None and one > two)


def _latest(beat: Beat, other: Beat | None) -> datetime | None:
    known = (beat.succeeded_at, other.succeeded_at if other is not None else None)
    return max((moment for moment in known if moment is not None), default=None)
