"""pull: asks Salesforce what changed, maps each record, and stores facts. Writes to neither service."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain, islice
from types import MappingProxyType

from connector.core.audit import to_instant
from connector.core.model import Mapped, Presence, Structure
from connector.core.selection import to_id18
from connector.errors import ConnectorError
from connector.ports import Changes, Reasons
from connector.sync import admission, guards, permissions
from connector.sync.context import Context
from connector.sync.inbound import yield_to_edits
from connector.sync.records import poisoned, stored_of, to_mapped
from connector.sync.rows import is_parked

logger = logging.getLogger(__name__)

_NOBODY: Mapping[str, Structure] = MappingProxyType({})

OVERLAP = timedelta(minutes=10)
"""Salesforce stamps a row when its transaction runs and shows it when that commits, minutes later at times."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """How many records were read, and how many of them brought news."""

    read: int
    changed: int


def pull(context: Context, *, sweep: bool = False) -> Pulled:
    """Read what changed since the last pull (``sweep``: every flagged record, whatever its stamp).

    Raises UnsafePlan while a changed mapping waits for a person.
    """
    guards.require_mapping(context)
    text = context.ledger.watermark(context.name, "pull")
    since = datetime.fromisoformat(text) - OVERLAP if text and not sweep else None
    changes = permissions.reading(context, lambda selection: context.salesforce.changes(selection, since))
    pages = iter(changes.flagged)
    # Asked for before the first is stored: what is created may depend on how many there are in all.
    first = list(islice(pages, 2))
    with guards.looking(context, in_parts=len(first) > 1 or bool(changes.touched)):
        read, changed = _take_in(context, changes, chain(first, pages), is_sweep=since is None)
        guards.end_reading(context)
    guards.look_again(context)
    context.ledger.set_watermark(context.name, "pull", changes.server_now.isoformat())
    if since is None:
        context.ledger.set_watermark(context.name, "sweep", context.now.isoformat())
        guards.accept_mapping(context)
    context.ledger.set_watermark(context.name, "last_pull", context.now.isoformat())
    level = logging.INFO if changed else logging.DEBUG
    message = "Read %d records from Salesforce, %d with news."
    logger.log(level, message, read, changed, extra={"event": "pulled", "connection": context.name})
    return Pulled(read, changed)


def _take_in(
    context: Context, changes: Changes, pages: Iterable[list[Structure]], *, is_sweep: bool
) -> tuple[int, int]:
    """Store what a poll found, page by page. Gives how many records were read, and how many brought news."""
    seen: set[str] = set()
    changed = 0
    for page in pages:
        context.moved()
        changed += store(context, page)
        seen.update(to_id18(record["Id"]) for record in page)
    others = {to_id18(i) for i in changes.touched} - seen
    gone = {to_id18(row.salesforce_id): row.deleted for row in changes.known}
    read = len(seen)
    if is_sweep:
        others |= _unseen(context, seen)
    others |= {salesforce_id for salesforce_id in gone if salesforce_id not in seen}
    if others:
        changed += pull_ids(context, sorted(others)).changed
        read += len(others)
    return read, changed


def sweep_is_due(context: Context, every: timedelta) -> bool:
    """Whether the last full reading is longer ago than it should be, or was made with another mapping."""
    text = context.ledger.watermark(context.name, "sweep")
    is_other_mapping = context.ledger.watermark(context.name, "mapping") != context.mapping_digest
    return not text or is_other_mapping or context.now - datetime.fromisoformat(text) >= every


def pull_ids(context: Context, salesforce_ids: Sequence[str], asked: Mapping[str, Structure] = _NOBODY) -> Pulled:
    """Read just these records; those that are not flagged, deleted or invisible are noted as such.

    ``asked`` is who asked for which of them (by, at, how): the cause of what follows.

    Raises UnsafePlan while a changed mapping waits for a person, but for what was released.
    """
    wanted = [to_id18(salesforce_id) for salesforce_id in salesforce_ids]
    records = permissions.reading(context, lambda selection: context.salesforce.fetch(selection, wanted))
    found = {to_id18(record["Id"]) for record in records}
    absent = [salesforce_id for salesforce_id in wanted if salesforce_id not in found]
    with guards.looking(context):
        changed = store(context, admission.storable(context, wanted, records), asked)
    changed += _note_absent(context, absent)
    context.readings.note(absent, context.instant)
    return Pulled(len(wanted), changed)


def is_shared(context: Context, salesforce_id: str) -> bool:
    """Whether Salesforce shows this record with its flag now. Stores nothing."""
    return bool(permissions.reading(context, lambda selection: context.salesforce.fetch(selection, [salesforce_id])))


_Entry = tuple[str, str, Mapped, Structure]
"""(id, name, mapped, values of our own fields now in Salesforce), as the ledger takes it."""


def store(context: Context, records: Iterable[Structure], asked: Mapping[str, Structure] = _NOBODY) -> int:
    """Map and store records. Gives how many brought news. A record that cannot be mapped is held with its reason.

    ``asked`` as in ``pull_ids``.
    """
    page = list(records)
    hides_invitations = permissions.hides_invitations(context)
    entries = [_to_entry(context, record, hides_invitations=hides_invitations) for record in page]
    if not entries:
        return 0
    yield_to_edits(context, {salesforce_id: shown for salesforce_id, _, _, shown in entries})
    context.readings.note((salesforce_id for salesforce_id, *_ in entries), context.instant)
    reasons = Reasons(_causes(context, page), asked)
    changed = _keep(context, entries, _flagged_at(context, page), reasons)
    if changed < len(entries):
        _look_again(context, page)
    return changed


def _to_entry(context: Context, record: Structure, *, hides_invitations: bool) -> _Entry:
    mapped = to_mapped(context, record, context.today)
    if hides_invitations:
        # Nobody took them back: Salesforce hides them, so what was known of them stays.
        before = stored_of(context, to_id18(record["Id"]))
        mapped = replace(mapped, invitations=before.invitations if before is not None else ())
    return to_id18(record["Id"]), str(record.get("Name") or ""), mapped, shown_of(context, record)


def shown_of(context: Context, record: Structure) -> Structure:
    """What a record shows of the fields that the sync fills, its own and those of its invitations' rows."""
    shown = _shown_in(record, permissions.writable(context), "")
    for row in permissions.invitations_in(context, record):
        shown |= _shown_in(row, frozenset(context.row_fields_to_show()), f"{to_id18(row['Id'])}.")
    return shown


def _shown_in(record: Structure, own: frozenset[str], prefix: str) -> Structure:
    values = {name.lower(): value for name, value in record.items()}
    return {f"{prefix}{name}": _json(values[name.lower()]) for name in own if name.lower() in values}


def _json(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def _flagged_at(context: Context, records: Sequence[Structure]) -> dict[str, datetime]:
    """Since when those records are shared that were not before: since their last edit, if that is news.

    One edited before the last pull was flagged all the time and is only seen now, as at the very first one.
    """
    text = context.ledger.watermark(context.name, "pull")
    last = datetime.fromisoformat(text) - OVERLAP if text else None
    stamps = {
        to_id18(one["Id"]): datetime.fromisoformat(str(one["SystemModstamp"])) for one in records if _is_told(one)
    }
    return {key: stamp for key, stamp in stamps.items() if last is not None and stamp >= last}


def _is_told(record: Structure) -> bool:
    return bool(record.get("SystemModstamp"))


def _causes(context: Context, records: Sequence[Structure]) -> dict[str, str]:
    """Why each record is looked at, should it bring news: an edit, or another mapping that reads it otherwise.

    Who edited it last is an id of Salesforce's; where a parent or a child row was edited, that is somebody else.
    """
    words = f"read from Salesforce at {to_instant(context.now)}"
    if not guards.is_accepted(context) and context.ledger.watermark(context.name, guards.MAPPING):
        words += f" with the changed mapping {context.mapping_digest[:12]}"
    edited = {to_id18(one["Id"]): str(one.get("LastModifiedById") or "") for one in records}
    return {key: f"{words}, last edited there by {user}" if user else words for key, user in edited.items()}


def _keep(context: Context, entries: Sequence[_Entry], flagged_at: Mapping[str, datetime], reasons: Reasons) -> int:
    """Store entries together, and what a transform made that cannot be written down by itself, as unmapped."""
    try:
        return context.ledger.store_mapped(*context.key, entries, context.now, flagged_at, reasons)
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001 (the edge of a record: whatever it is, the other records go on)
        if len(entries) > 1:
            return sum(_keep(context, [entry], flagged_at, reasons) for entry in entries)
        ((salesforce_id, _, _, shown),) = entries
        held = (salesforce_id, "", poisoned(context, salesforce_id, error), shown)
        return context.ledger.store_mapped(*context.key, [held], context.now, flagged_at, reasons)


def _look_again(context: Context, records: Sequence[Structure]) -> None:
    """Wake records edited since the last pull that Salesforce refused to update: the cure may be a field we never read.

    What is only read again because of the overlap was edited before that, and is not asked for each time.
    """
    text = context.ledger.watermark(context.name, "pull")
    if not text:
        return
    last = datetime.fromisoformat(text)
    stamps = {to_id18(record["Id"]): str(record.get("SystemModstamp") or "") for record in records}
    edited = [key for key, stamp in stamps.items() if stamp and datetime.fromisoformat(stamp) >= last]
    refused = context.ledger.refused_write_backs(*context.key, edited) if edited else []
    parked = [link for link in refused if is_parked(link)]
    if parked:
        context.ledger.change_all([(link, {}, True) for link in parked], context.now)


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
