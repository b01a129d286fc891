"""Inbound fields in the shell: what one record should be given of AWS's values, and what its seller's edits end.

Writes nothing to Salesforce; that is write back's. What is due is decided by the core.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from connector.core.audit import without_people
from connector.core.facts import is_shown, to_field
from connector.core.given import field_of
from connector.core.inbound import due
from connector.core.mapping.nodes import NOTHING
from connector.core.model import Link, Structure
from connector.ports import LinkChanges

if TYPE_CHECKING:
    from connector.sync.context import Context

logger = logging.getLogger(__name__)


def to_show(context: Context, link: Link) -> tuple[Structure, Structure]:
    """(values that are due, as the fields take them; values of AWS to be noted as given) of one link."""
    found = due(context.mapping, link)
    for name, why in found.failed.items():
        _tell_once(context, link, name, without_people(why, {}, link.existing, link.aws))
    fields = context.fields_to_show()
    values: Structure = {}
    for name, value in found.values.items():
        info = fields.get(name)
        field = to_field(value, info.type, info.length, info.scale) if info is not None else None
        if field not in NOTHING:
            values[name] = field
    echoes = {name: echo for name, echo in found.echoes.items() if field_of(name) in values}
    return values, {**found.agreed, **{name: found.values[name] for name in values}, **echoes}


def yield_to_edits(context: Context, shown: Mapping[str, Structure]) -> None:
    """Count AWS's values as given where the seller has edited the field since they were known: the edit stays.

    ``shown`` is what Salesforce shows now, by Salesforce id. To be called before that is stored.
    """
    if not context.mapping.inbound or not shown:
        return
    changes: list[tuple[Link, LinkChanges, bool]] = []
    for link in context.ledger.stored(*context.key, list(shown)):
        edited = edited_fields(link, due(context.mapping, link).values, shown[link.salesforce_id])
        if edited:
            changes.append((link, {"taken": {**link.taken, **edited}}, False))
    if changes:
        context.ledger.change_all(changes, context.now)


def edited_fields(link: Link, values: Structure, shown: Structure) -> Structure:
    """Those of ``values`` whose field is not as Salesforce showed it last."""
    return {
        name: value
        for name, value in values.items()
        if name in link.shown and name in shown and not is_shown(link.shown[name], shown[name])
    }


def _tell_once(context: Context, link: Link, name: str, why: str) -> None:
    """A line in the log for each field and reason, however many records share it."""
    if (name, why) in context.told:
        return
    context.told.add((name, why))
    extra = {"event": "inbound_failed", "connection": context.name, "salesforce_id": link.salesforce_id}
    logger.warning("AWS's value cannot be shown in %s, as on %s: %s", name, link.salesforce_id, why, extra=extra)
