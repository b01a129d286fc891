"""Releases: the records that a person let through the guards, each with exactly the content it was planned with.

Any process may release, the one that owns the ledger looks for it. Whether a release is needed is the guards' to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from connector.core.guard import Release
from connector.core.model import Link

if TYPE_CHECKING:
    from connector.sync.context import Context

LOOK_AGAIN = 1.0
"""Seconds for which the last look does, where nothing would be refused by it."""


def release(context: Context, planned: Mapping[str, str]) -> None:
    """Let these records through, by Salesforce id and fingerprint, whoever owns the ledger."""
    text = context.ledger.watermark(context.name, "release")
    released = Release.from_text(text, context.now).and_also(planned, context.now)
    context.ledger.release(*context.key, list(planned), released.to_text(), context.now, context.actor)
    context.guards.looked_for_releases = float("-inf")


def is_released(context: Context, link: Link, *, now: bool = False) -> bool:
    """Whether a person let exactly this content of this record through; ``now`` as in ``released_in``."""
    if link.mapped is None:
        return False
    return released_in(context, now=now).covers(link.salesforce_id, link.mapped.fingerprint)


def released_in(context: Context, *, now: bool = False) -> Release:
    """What was released in this connection and still counts, by whichever process.

    A release that is a moment old may be missed unless ``now``: look so before anything is refused for want of one.
    """
    memory, looked_at = context.guards, context.clock.monotonic()
    if not now and looked_at - memory.looked_for_releases < LOOK_AGAIN:
        return memory.release
    stamp = context.ledger.watermark(context.name, "released_at")
    if stamp != memory.released_at:
        memory.release = Release.from_text(context.ledger.watermark(context.name, "release"), context.now)
        memory.released_at, memory.counted_at, memory.created_at = stamp, None, None
    memory.looked_for_releases = looked_at
    return memory.release
