"""Rows on their way to Salesforce: one for each record or child row, sent together, and apart where a call breaks.

Notes nothing in the ledger and decides nothing of what is shown.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from connector.core.catalogue import NO_ANSWER, explain_row
from connector.core.model import Link, Structure
from connector.core.row_refusals import LACKS, tell_left_out, tell_refusal
from connector.errors import TemporaryError
from connector.ports import RowResult, RowUpdate
from connector.sync.context import Context, Unshown

logger = logging.getLogger(__name__)

PARTS = 10
"""Into how many parts a batch is cut when its call broke."""
PROBES = 3
"""Parts whose calls break too, before it is Salesforce that is down and not a row that breaks its call."""


@dataclass(frozen=True, slots=True)
class Row:
    """What to set on one record or child row; ``lacks`` tells the fields that are left out, each with the reason.

    ``prefix`` is "" for the record itself, else what stands before its fields in ``Link.shown``.
    """

    link: Link
    sobject: str
    row_id: str
    values: Structure
    prefix: str = ""
    lacks: tuple[str, ...] = ()

    @property
    def breaks_calls(self) -> bool:
        return NO_ANSWER in self.link.write_back_error

    @property
    def label(self) -> str:
        """What stands before its fields' names to a person: nothing for the record itself."""
        return f"{self.sobject} {self.row_id}: " if self.prefix else ""


def is_parked(link: Link) -> bool:
    """Whether Salesforce refused a row as a whole, so that an edit of the record is a reason to try again."""
    return bool(link.write_back_error) and not link.write_back_error.startswith(LACKS)


def rows_of(context: Context, link: Link, unshown: Unshown) -> list[Row]:
    """The rows that show this of a link, the record's first."""
    by_row: dict[str, Structure] = {}
    for name, value in unshown.values.items():
        row_id, _, field = name.rpartition(".")
        by_row.setdefault(row_id, {})[field] = value
    found = []
    for row_id, values in sorted(by_row.items()):
        sobject = context.child() if row_id else context.mapping.selection.sobject
        if sobject:
            found.append(Row(link, sobject, row_id or link.salesforce_id, values, f"{row_id}." if row_id else ""))
    return found


def without_refused(row: Row, result: RowResult) -> Row | None:
    """The row without the fields it was refused for; None when it was not, or when nothing would be left."""
    refused = {name.lower() for name in result.fields}
    values = {name: value for name, value in row.values.items() if name.lower() not in refused}
    if result.succeeded or result.temporary or not values or len(values) == len(row.values):
        return None
    left_out = [name for name in row.values if name not in values]
    lacks = (*row.lacks, row.label + tell_left_out(left_out, tell_refusal(result.code, result.message)))
    return Row(row.link, row.sobject, row.row_id, values, row.prefix, lacks)


def tell_fields(context: Context, smaller: Sequence[tuple[Row, RowResult]]) -> None:
    """One line for each field that is refused, however many rows it is refused for."""
    refused: dict[tuple[str, tuple[str, ...]], list[Row]] = defaultdict(list)
    for row, result in smaller:
        refused[result.code, result.fields].append(row)
    for (code, names), rows in refused.items():
        extra = {
            "event": "fields_refused",
            "connection": context.name,
            "salesforce_id": rows[0].row_id,
            "error": code,
        }
        logger.warning(
            "Salesforce refuses %s (%s) on %d records, as on %s; their other fields are written.%s",
            ", ".join(names),
            code,
            len(rows),
            rows[0].row_id,
            advice(code),
            extra=extra,
        )


def advice(code: str, words: str = "") -> str:
    """What a refused row's code means and what to do, to be put after a sentence; "" for a code that is new."""
    entry = explain_row(code, words)
    return f" {entry.sentence} {entry.cure}" if entry is not None else ""


def send(context: Context, rows: Sequence[Row]) -> list[RowResult]:
    """One result for each of these rows of one object, at most 200.

    Raises TemporaryError when nothing gets through, or when certainly nothing was sent.
    """
    try:
        return _call(context, rows)
    except TemporaryError as error:
        if not error.ambiguous or (len(rows) == 1 and not rows[0].breaks_calls):
            raise
        if len(rows) == 1:
            return [_no_answer(rows[0], error)]
    return _send_apart(context, rows)


def _send_apart(context: Context, rows: Sequence[Row]) -> list[RowResult]:
    """The same rows in parts, and those of a part that breaks one by one: one record may break every call it is in."""
    size = -(-len(rows) // PARTS)
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    answers: dict[str, RowResult] = {}
    broken: list[tuple[Sequence[Row], TemporaryError]] = []
    for part in parts:
        try:
            answers |= {row.row_id: result for row, result in zip(part, _call(context, part), strict=True)}
        except TemporaryError as error:
            broken.append((part, error))
            if not error.ambiguous or (not answers and len(broken) >= min(PROBES, len(parts))):
                raise
    for part, reason in broken:
        for row in part:
            answers[row.row_id] = _no_answer(row, reason) if len(part) == 1 else _send_alone(context, row)
    return [answers[row.row_id] for row in rows]


def _send_alone(context: Context, row: Row) -> RowResult:
    try:
        return _call(context, [row])[0]
    except TemporaryError as error:
        if not error.ambiguous:
            raise
        return _no_answer(row, error)


def _no_answer(row: Row, error: TemporaryError) -> RowResult:
    return RowResult(row.row_id, NO_ANSWER, str(error), temporary=True)


def _call(context: Context, rows: Sequence[Row]) -> list[RowResult]:
    return context.salesforce.write(rows[0].sobject, [RowUpdate(row.row_id, row.values) for row in rows])
