"""write back: sends the values that Salesforce should show and does not show yet, in batches.

Idempotent: fields are set to fixed values, and a row that shows them already is not sent.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from connector.core.facts import unlike
from connector.core.model import Link, Structure
from connector.ports import RowResult, RowUpdate
from connector.sync.context import Context

logger = logging.getLogger(__name__)

BATCH = 200
RETRY_AFTER = timedelta(seconds=20)


def write_back(context: Context) -> int:
    """Send what is due. Gives how many rows were written. Raises TemporaryError or Halt if the whole call fails."""
    written = 0
    while due := context.ledger.write_backs_due(*context.key, context.now, BATCH):
        written += _write(context, due)
    return written


def _write(context: Context, due: list[tuple[Link, str, str]]) -> int:
    results: dict[int, tuple[Structure, str, datetime | None]] = {}
    rows: list[tuple[Link, RowUpdate]] = []
    for link, status, message in due:
        values = unlike(context.values_to_show(link, status, message, link.changed_at), link.shown)
        if not values or link.presence in {"deleted", "missing"}:
            results[link.id] = ({}, link.write_back_error, None)
        else:
            rows.append((link, RowUpdate(link.salesforce_id, values)))
    if rows:
        sobject = context.mapping.selection.sobject
        for (link, row), result in zip(rows, context.salesforce.write(sobject, [r for _, r in rows]), strict=True):
            results[link.id] = _outcome(context, link, row, result)
    context.ledger.written(results)
    return sum(1 for _, error, _ in results.values() if not error) if rows else 0


def _outcome(context: Context, link: Link, row: RowUpdate, result: RowResult) -> tuple[Structure, str, datetime | None]:
    if result.succeeded:
        return dict(row.fields), "", None
    error = f"{result.code}: {result.message}"
    extra = {
        "event": "write_back_failed",
        "connection": context.name,
        "salesforce_id": link.salesforce_id,
        "error": result.code,
    }
    again = context.now + RETRY_AFTER if result.temporary else None
    outcome = "is tried again" if again else "waits for a change or a retry"
    logger.warning(
        "Salesforce refuses to show the state of %s (%s); it %s.",
        link.salesforce_id,
        error,
        outcome,
        extra=extra,
    )
    return {}, error, again
