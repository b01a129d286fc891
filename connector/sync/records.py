"""Maps one record, whatever it does to the mapping: one record's trouble stops that record only.

A transform may be anybody's, and what it does not expect is an error of any kind. Its own words may quote the record,
so they are neither stored nor logged.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from connector.core.mapping import map_record
from connector.core.model import Mapped, Problem, Structure
from connector.core.plan import UNEXPECTED
from connector.core.selection import to_id18

if TYPE_CHECKING:
    from connector.sync.context import Context

logger = logging.getLogger(__name__)


class UnexpectedError(Exception):
    """Stands in a traceback for an error whose own words may quote a record."""


def to_mapped(context: Context, record: Structure, today: date) -> Mapped:
    """The record mapped and checked; held with its reason where that fails in a way nobody foresaw."""
    try:
        return map_record(context.mapping, record, today)
    except Exception as error:  # noqa: BLE001 (the edge of a record: whatever it is, the other records go on)
        return poisoned(context, to_id18(record["Id"]), error)


def to_compared(context: Context, record: Structure, stored: Callable[[], Mapped | None]) -> Mapped:
    """The record as a pull would store it, for whoever only compares. ``stored`` gives what the ledger has of it.

    Held as well where what a transform made cannot be written down, which a pull notices when it stores it.
    """
    try:
        mapped = map_record(context.mapping, record, context.today)
        json.dumps(mapped.to_json())
    except Exception as error:  # noqa: BLE001 (the edge of a record: whatever it is, the other records go on)
        return _held(context, to_id18(record["Id"]), stored(), error)
    return mapped


def stored_of(context: Context, salesforce_id: str) -> Mapped | None:
    """What the ledger has of a record."""
    link = context.ledger.find(*context.key, salesforce_id)
    return link.mapped if link is not None else None


def poisoned(context: Context, salesforce_id: str, error: Exception) -> Mapped:
    """What was mapped before, held by a problem that names the kind of error. Logged once, with its place."""
    return _held(context, salesforce_id, stored_of(context, salesforce_id), error)


def _held(context: Context, salesforce_id: str, stored: Mapped | None, error: Exception) -> Mapped:
    kind = type(error).__name__
    problem = Problem(
        "",
        f"Mapping this record fails with an unexpected {kind}.",
        "The log has the place; correct the transform there, or the record.",
        UNEXPECTED,
    )
    before = stored if stored is not None else Mapped({})
    if problem not in before.problems:
        extra = {"event": "mapping_failed", "connection": context.name, "salesforce_id": salesforce_id}
        logger.error(
            "%s cannot be mapped and is held until it changes: unexpected %s.",
            salesforce_id,
            kind,
            extra=extra,
            exc_info=(UnexpectedError, UnexpectedError(kind), error.__traceback__),
        )
    return replace(before, problems=(problem,))
