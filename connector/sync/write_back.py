"""write back: sends the values that Salesforce should show and does not show yet, in batches.

Idempotent: fields are set to fixed values, and a row that shows them already is not sent. What Salesforce refuses is
given up in the smallest part that can be: a field before its row, a row before its batch.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.core.facts import unlike
from connector.core.model import Link, Structure
from connector.errors import TemporaryError
from connector.ports import RowResult, RowUpdate
from connector.sync import permissions
from connector.sync.context import Context

logger = logging.getLogger(__name__)

BATCH = 200
PARTS = 10
"""Into how many parts a batch is cut when its call broke."""
PROBES = 3
"""Parts whose calls break too, before it is Salesforce that is down and not a row that breaks its call."""
RETRY_AFTER = timedelta(seconds=20)
LONGEST_PAUSE = timedelta(minutes=15)

NO_ANSWER = "NO_ANSWER"
"""The code of a row whose call broke when it was made for this row alone, while others got through."""
_LACKS = "Shown without "

_Outcome = tuple[Structure, str, datetime | None]


@dataclass(frozen=True, slots=True)
class _Row:
    """What to set on one record; ``lacks`` tells the fields that are left out, each with the reason."""

    link: Link
    values: Structure
    lacks: tuple[str, ...] = ()

    @property
    def update(self) -> RowUpdate:
        return RowUpdate(self.link.salesforce_id, self.values)

    @property
    def breaks_calls(self) -> bool:
        return self.link.write_back_error.startswith(NO_ANSWER)


def write_back(context: Context) -> int:
    """Send what is due. Gives how many rows were written. Raises TemporaryError or Halt if nothing gets through."""
    written = 0
    while not context.stopping.is_set() and (due := context.ledger.write_backs_due(*context.key, context.now, BATCH)):
        written += _write(context, due)
    return written


def is_parked(link: Link) -> bool:
    """Whether Salesforce refused the row as a whole, so that an edit of the record is a reason to try again."""
    return bool(link.write_back_error) and not link.write_back_error.startswith(_LACKS)


def _write(context: Context, due: list[tuple[Link, str, str]]) -> int:
    barred = ", ".join(permissions.barred(context))
    needless: dict[int, _Outcome] = {}
    rows: list[_Row] = []
    for link, status, message in due:
        row = _row(context, link, status, message, barred)
        if link.presence in {"deleted", "missing"}:
            needless[link.id] = ({}, link.write_back_error, None)
        elif row.values:
            rows.append(row)
        else:
            needless[link.id] = ({}, _told(row), None)
    if needless:
        context.ledger.written(needless)
    written = _write_rows(context, [row for row in rows if not row.breaks_calls])
    return written + sum(_write_rows(context, [row]) for row in rows if row.breaks_calls)


def _row(context: Context, link: Link, status: str, message: str, barred: str) -> _Row:
    values = unlike(context.values_to_show(link, status, message, link.changed_at), link.shown)
    return _Row(link, values, (f"{barred} (hidden from, or read-only for, the integration user)",) if barred else ())


def _write_rows(context: Context, rows: Sequence[_Row]) -> int:
    """Write rows and note what became of them; those of which only some fields are refused go again without."""
    if not rows:
        return 0
    outcomes: dict[int, _Outcome] = {}
    smaller: list[tuple[_Row, RowResult]] = []
    written = 0
    for row, result in zip(rows, _send(context, rows), strict=True):
        rest = _without_refused(row, result)
        if rest is not None:
            smaller.append((rest, result))
            continue
        outcomes[row.link.id] = _outcome(context, row, result)
        written += result.succeeded
    context.ledger.written(outcomes)
    _tell_fields(context, smaller)
    return written + _write_rows(context, [row for row, _ in smaller])


def _without_refused(row: _Row, result: RowResult) -> _Row | None:
    """The row without the fields it was refused for; None when it was not, or when nothing would be left."""
    refused = {name.lower() for name in result.fields}
    values = {name: value for name, value in row.values.items() if name.lower() not in refused}
    if result.succeeded or result.temporary or not values or len(values) == len(row.values):
        return None
    left_out = ", ".join(name for name in row.values if name not in values)
    return _Row(row.link, values, (*row.lacks, f"{left_out} ({result.code}: {result.message})"))


def _outcome(context: Context, row: _Row, result: RowResult) -> _Outcome:
    if result.succeeded:
        return dict(row.values), _told(row), None
    error = f"{result.code}: {result.message}"
    extra = {
        "event": "write_back_failed",
        "connection": context.name,
        "salesforce_id": row.link.salesforce_id,
        "error": result.code,
    }
    again = context.now + _pause(context, row.link) if result.temporary else None
    outcome = "is tried again" if again else "waits for a change or a retry"
    logger.warning(
        "Salesforce refuses to show the state of %s (%s); it %s.",
        row.link.salesforce_id,
        error,
        outcome,
        extra=extra,
    )
    return {}, error, again


def _told(row: _Row) -> str:
    return _LACKS + "; ".join(row.lacks) if row.lacks else ""


def _pause(context: Context, link: Link) -> timedelta:
    """As long again as it has been waiting, so that what stays locked is asked for ever more rarely."""
    age = context.now - (link.changed_at or context.now)
    return min(max(age, RETRY_AFTER), LONGEST_PAUSE)


def _tell_fields(context: Context, smaller: Sequence[tuple[_Row, RowResult]]) -> None:
    """One line for each field that is refused, however many rows it is refused for."""
    refused: dict[tuple[str, tuple[str, ...]], list[_Row]] = defaultdict(list)
    for row, result in smaller:
        refused[result.code, result.fields].append(row)
    for (code, names), rows in refused.items():
        extra = {
            "event": "fields_refused",
            "connection": context.name,
            "salesforce_id": rows[0].link.salesforce_id,
            "error": code,
        }
        logger.warning(
            "Salesforce refuses %s (%s) on %d records, as on %s; their other fields are written.",
            ", ".join(names),
            code,
            len(rows),
            rows[0].link.salesforce_id,
            extra=extra,
        )


def _send(context: Context, rows: Sequence[_Row]) -> list[RowResult]:
    """One result a row. Raises TemporaryError when nothing gets through, or when certainly nothing was sent."""
    try:
        return _call(context, rows)
    except TemporaryError as error:
        if not error.ambiguous or (len(rows) == 1 and not rows[0].breaks_calls):
            raise
        if len(rows) == 1:
            return [_no_answer(rows[0], error)]
    return _send_apart(context, rows)


def _send_apart(context: Context, rows: Sequence[_Row]) -> list[RowResult]:
    """The same rows in parts, and those of a part that breaks one by one: one record may break every call it is in."""
    size = -(-len(rows) // PARTS)
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    answers: dict[int, RowResult] = {}
    broken: list[tuple[Sequence[_Row], TemporaryError]] = []
    for part in parts:
        try:
            answers |= {row.link.id: result for row, result in zip(part, _call(context, part), strict=True)}
        except TemporaryError as error:
            broken.append((part, error))
            if not error.ambiguous or (not answers and len(broken) >= min(PROBES, len(parts))):
                raise
    for part, reason in broken:
        for row in part:
            answers[row.link.id] = _no_answer(row, reason) if len(part) == 1 else _send_alone(context, row)
    return [answers[row.link.id] for row in rows]


def _send_alone(context: Context, row: _Row) -> RowResult:
    try:
        return _call(context, [row])[0]
    except TemporaryError as error:
        if not error.ambiguous:
            raise
        return _no_answer(row, error)


def _no_answer(row: _Row, error: TemporaryError) -> RowResult:
    return RowResult(row.link.salesforce_id, NO_ANSWER, str(error), temporary=True)


def _call(context: Context, rows: Sequence[_Row]) -> list[RowResult]:
    return context.salesforce.write(context.mapping.selection.sobject, [row.update for row in rows])
