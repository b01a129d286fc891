"""admission: what may be read and stored while the guard of a changed mapping stands, which is what was released.

Decides nothing of the guard itself, and writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from connector.core.guard import Release
from connector.core.model import Structure
from connector.core.selection import to_id18
from connector.errors import UnsafePlan
from connector.sync.guards import require_mapping
from connector.sync.records import stored_of, to_compared
from connector.sync.releases import released_in

if TYPE_CHECKING:
    from connector.sync.context import Context

logger = logging.getLogger(__name__)


def readable(context: Context, salesforce_ids: Sequence[str]) -> list[str]:
    """Those that may be read with the mapping as it is: all, or under its guard only what was released."""
    try:
        require_mapping(context)
    except UnsafePlan:
        released = released_in(context, now=True).records
        return [salesforce_id for salesforce_id in salesforce_ids if salesforce_id in released]
    return list(salesforce_ids)


def storable(context: Context, salesforce_ids: Sequence[str], records: list[Structure]) -> list[Structure]:
    """The records that may be stored: all, or under the mapping's guard those that still map to what was released.

    Raises UnsafePlan where the guard stands and not every id was released.
    """
    try:
        require_mapping(context)
    except UnsafePlan:
        released = released_in(context, now=True)
        if any(salesforce_id not in released.records for salesforce_id in salesforce_ids):
            raise
        return [record for record in records if _still_maps(context, released, record)]
    return records


def _still_maps(context: Context, released: Release, record: Structure) -> bool:
    salesforce_id = to_id18(record["Id"])
    mapped = to_compared(context, record, partial(stored_of, context, salesforce_id))
    if released.covers(salesforce_id, mapped.fingerprint):
        return True
    extra = {"event": "release_void", "connection": context.name, "salesforce_id": salesforce_id}
    logger.warning("%s has changed since it was released and keeps waiting.", salesforce_id, extra=extra)
    return False
