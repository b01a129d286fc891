"""pull: asks Salesforce what changed, maps each record, and stores facts. Writes to neither service."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from connector.core.mapping import map_record
from connector.core.model import Presence, Structure
from connector.core.selection import to_id18
from connector.sync.context import Context

logger = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)
"""Salesforce stamps a row when its transaction runs and shows it when that commits, minutes later at times."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """How many records were read, and how many of them brought news."""

    read: int
    changed: int


def pull(context: Context, *, sweep: bool = False) -> Pulled:
    """Read what changed since the last pull (``sweep``: every flagged record, whatever its stamp)."""
    text = context.ledger.watermark(context.name, "pull")
    since = datetime.fromisoformat(text) - OVERLAP if text and not sweep else None
    changes = context.salesforce.changes(context.mapping.selection, since)
    seen: set[str] = set()
    changed = 0
    for page in changes.flagged:
        changed += store(context, page)
        seen.update(to_id18(record["Id"]) for record in page)
    others = {to_id18(i) for i in changes.touched} - seen
    gone = {to_id18(row.salesforce_id): row.deleted for row in changes.known}
    read = len(seen)
    if since is None:
        others |= _unseen(context, seen)
    others |= {salesforce_id for salesforce_id in gone if salesforce_id not in seen}
    if others:
        changed += pull_ids(context, sorted(others)).changed
        read += len(others)
    context.ledger.set_watermark(context.name, "pull", changes.server_now.isoformat())
    if since is None:
        context.ledger.set_watermark(context.name, "sweep", context.now.isoformat())
        context.ledger.set_watermark(context.name, "mapping", context.mapping_digest)
    context.ledger.set_watermark(context.name, "last_pull", context.now.isoformat())
    level = logging.INFO if changed else logging.DEBUG
    message = "Read %d records from Salesforce, %d with news."
    logger.log(level, message, read, changed, extra={"event": "pulled", "connection": context.name})
    return Pulled(read, changed)


def sweep_is_due(context: Context, every: timedelta) -> bool:
    """Whether the last full reading is longer ago than it should be, or was made with another mapping."""
    text = context.ledger.watermark(context.name, "sweep")
    is_other_mapping = context.ledger.watermark(context.name, "mapping") != context.mapping_digest
    return not text or is_other_mapping or context.now - datetime.fromisoformat(text) >= every


def pull_ids(context: Context, salesforce_ids: Sequence[str]) -> Pulled:
    """Read just these records; those that are not flagged, deleted or invisible are noted as such."""
    wanted = [to_id18(salesforce_id) for salesforce_id in salesforce_ids]
    records = context.salesforce.fetch(context.mapping.selection, wanted)
    changed = store(context, records)
    found = {to_id18(record["Id"]) for record in records}
    changed += _note_absent(context, [salesforce_id for salesforce_id in wanted if salesforce_id not in found])
    return Pulled(len(wanted), changed)


def store(context: Context, records: Iterable[Structure]) -> int:
    """Map and store records. Gives how many brought news."""
    own = [entry.field for entry in context.mapping.write_back]
    today = context.today
    mapped = [
        (
            to_id18(record["Id"]),
            str(record.get("Name") or ""),
            map_record(context.mapping, record, today),
            {name: _json(record.get(name)) for name in own},
        )
        for record in records
    ]
    return context.ledger.store_mapped(*context.key, mapped, context.now) if mapped else 0


def _json(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def _unseen(context: Context, seen: set[str]) -> set[str]:
    """Links counted as flagged that a full reading did not show."""
    missing: set[str] = set()
    after = ""
    while page := context.ledger.present(*context.key, after):
        missing.update(salesforce_id for salesforce_id in page if salesforce_id not in seen)
        after = page[-1]
    return missing


def _note_absent(context: Context, absent: Sequence[str]) -> int:
    if not absent:
        return 0
    states = context.salesforce.states(context.mapping.selection.sobject, absent)
    presences: dict[str, Presence] = {}
    for salesforce_id in absent:
        state = states.get(salesforce_id)
        presences[salesforce_id] = "missing" if state is None else "deleted" if state.deleted else "unflagged"
    return context.ledger.set_presence(*context.key, presences, context.now)
