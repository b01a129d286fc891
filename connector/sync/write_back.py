"""write back: sends the values that Salesforce should show and does not show yet, in batches.

Idempotent: fields are set to fixed values, and a row that shows them already is not sent. What Salesforce refuses is
given up in the smallest part that can be: a field before its row, a row before its link, a link before its batch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.core.given import field_of
from connector.core.model import Link, Structure
from connector.core.row_refusals import HIDDEN, LACKS, tell_left_out, tell_refusal
from connector.core.selection import to_id18
from connector.errors import UnsafePlan
from connector.ports import RowResult, Written
from connector.sync import admission, guards, permissions
from connector.sync.context import Context, Unshown
from connector.sync.inbound import edited_fields
from connector.sync.pull import shown_of, store
from connector.sync.rows import Row, advice, rows_of, send, tell_fields, without_refused

logger = logging.getLogger(__name__)

BATCH = 200
RETRY_AFTER = timedelta(seconds=20)
LONGEST_PAUSE = timedelta(minutes=15)

_GONE = {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}
"""Codes of a row that is no longer there."""


@dataclass(slots=True)
class _Telling:
    """One link that is being shown, and what has become of its rows so far; ``open`` are the ids of the others."""

    link: Link
    unshown: Unshown
    open: set[str]
    lacks: list[str]
    shown: Structure = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    again: list[datetime] = field(default_factory=list)

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was achieved, and something is left: then the link stays due as it is."""
        return bool(self.open) and not self.shown

    def written(self, now: datetime) -> Written:
        """For the ledger. Rows that were not reached are due at once."""
        unshown = self.unshown
        missed = unshown.values.keys() - self.shown.keys()
        taken = {name: value for name, value in unshown.taken.items() if field_of(name) not in missed}
        if self.open:
            return Written(self.shown, self.link.write_back_error, now, taken)
        # What waits for an edit or a retry comes first: so it is told from what only lacks a field.
        told = [*self.errors, *([LACKS + "; ".join(self.lacks)] if self.lacks else [])]
        return Written(self.shown, "; ".join(told), min(self.again, default=None), taken)


def write_back(context: Context) -> int:
    """Send what is due. Gives how many rows were written. Raises TemporaryError or Halt if nothing gets through."""
    written = 0
    while not context.stopping.is_set() and (due := context.ledger.write_backs_due(*context.key, context.now, BATCH)):
        written += _write(context, due)
        context.moved()
    return written


def _write(context: Context, due: Sequence[tuple[Link, str, str]]) -> int:
    gone = [link for link, *_ in due if link.presence in {"deleted", "missing"}]
    if gone:
        context.ledger.written({link.id: Written(error=link.write_back_error) for link in gone}, context.now)
    found = [(link, context.unshown(link, *rest)) for link, *rest in due if link not in gone]
    in_record, in_rows = permissions.barred_in_record(context), permissions.barred_in_rows(context)
    tellings: dict[int, _Telling] = {}
    rows: list[Row] = []
    for link, unshown in _without_edited(context, found):
        own = rows_of(context, link, unshown)
        has_rows = link.mapped is not None and bool(link.mapped.invitations)
        barred = [*in_record, *(in_rows if has_rows else [])]
        lacks = [tell_left_out(barred, HIDDEN)] if barred else []
        tellings[link.id] = _Telling(link, unshown, {row.row_id for row in own}, lacks)
        rows += own
    try:
        return sum(_write_rows(context, group, tellings) for group in _groups(rows))
    finally:
        ends = {number: one.written(context.now) for number, one in tellings.items() if not one.is_untouched}
        if ends:
            context.ledger.written(ends, context.now)


def _without_edited(context: Context, found: list[tuple[Link, Unshown]]) -> list[tuple[Link, Unshown]]:
    """The same without the inbound fields that a seller has just edited: such a record is stored as it is now.

    Reads the records once more, in one query, but only those that inbound fields would be written to.
    """
    wanted = [link.salesforce_id for link, unshown in found if unshown.values.keys() & unshown.taken.keys()]
    if not wanted:
        return found
    records = permissions.reading(context, lambda selection: context.salesforce.fetch(selection, wanted))
    by_id = {to_id18(record["Id"]): record for record in records}
    shown = {salesforce_id: shown_of(context, record) for salesforce_id, record in by_id.items()}
    kept: list[tuple[Link, Unshown]] = []
    edited: list[Structure] = []
    for link, unshown in found:
        given = {name: unshown.values[name] for name in unshown.values.keys() & unshown.taken.keys()}
        now = shown.get(link.salesforce_id)
        lost = given if now is None else edited_fields(link, given, now)
        if lost and now is not None:
            edited.append(by_id[link.salesforce_id])
        kept.append((link, unshown.without(lost)))
    _store(context, edited)
    return kept


def _store(context: Context, records: list[Structure]) -> None:
    """Store records that a seller has just edited, unless a changed mapping waits: then a later pull reads them."""
    if not records:
        return
    with suppress(UnsafePlan), guards.looking(context):
        store(context, admission.storable(context, [to_id18(record["Id"]) for record in records], records))


def _groups(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """What goes in one call: rows of one object, the records' first; one that breaks its calls alone, at the end."""
    calm: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: bool(row.prefix)):
        if not row.breaks_calls:
            calm.setdefault(row.sobject, []).append(row)
    for some in calm.values():
        for start in range(0, len(some), BATCH):
            yield some[start : start + BATCH]
    yield from ([row] for row in rows if row.breaks_calls)


def _write_rows(context: Context, rows: Sequence[Row], tellings: dict[int, _Telling]) -> int:
    """Write rows of one object and note what became of them; those refused for some fields go again without."""
    if not rows:
        return 0
    smaller: list[tuple[Row, RowResult]] = []
    written = 0
    for row, result in zip(rows, send(context, rows), strict=True):
        rest = without_refused(row, result)
        if rest is not None:
            smaller.append((rest, result))
            continue
        _note(context, row, result, tellings[row.link.id])
        written += result.succeeded
    tell_fields(context, smaller)
    return written + _write_rows(context, [row for row, _ in smaller], tellings)


def _note(context: Context, row: Row, result: RowResult, telling: _Telling) -> None:
    telling.open.discard(row.row_id)
    if result.succeeded:
        telling.shown |= {f"{row.prefix}{name}": value for name, value in row.values.items()}
        telling.lacks += row.lacks
        return
    if row.prefix and result.code in _GONE:
        # Deleted a moment ago, which no pull would notice: a row that is gone has no stamp.
        context.ledger.request(context.name, [row.link.salesforce_id], context.now)
        return
    error = tell_refusal(result.code, result.message, result.fields)
    telling.errors.append(f"{row.label}{error}")
    if result.temporary:
        telling.again.append(context.now + _pause(context, row.link))
    extra = {
        "event": "write_back_failed",
        "connection": context.name,
        "salesforce_id": row.row_id,
        "error": result.code,
    }
    outcome = "is tried again" if result.temporary else "waits for a change or a retry"
    logger.warning(
        "Salesforce refuses to show the state of %s (%s); it %s.%s",
        row.row_id,
        error,
        outcome,
        advice(result.code, result.message),
        extra=extra,
    )


def _pause(context: Context, link: Link) -> timedelta:
    """As long again as it has been waiting, so that what stays locked is asked for ever more rarely."""
    age = context.now - (link.changed_at or context.now)
    return min(max(age, RETRY_AFTER), LONGEST_PAUSE)
