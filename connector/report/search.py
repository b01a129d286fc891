"""Why a record that the ledger does not know is not in AWS: asks Salesforce and AWS, and writes nothing anywhere.

The answer is a story of the same shape as that of a known record, with a ``reason``: ``code``, ``message``, ``cure``,
the ``condition`` taken apart, and ``records`` that the person may mean instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from connector.app import App
from connector.core.explanation import Explanation, explain, fields_of
from connector.core.identifiers import Identifier, Kind
from connector.core.model import Structure
from connector.core.paths import dotted_reader
from connector.errors import ConnectorError
from connector.report.at_aws import find_at_aws
from connector.report.planning import plans_of
from connector.report.reasons import Reason, told
from connector.report.unread import unread
from connector.sync import Context, permissions

MERGEABLE = frozenset({"Account", "Contact", "Lead"})
"""Objects of which Salesforce tells the record that a merged one lives on in."""
TOLD = 10
"""Records named in a sentence; the story has all of them."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the connections say of one id: stories that explain it, stories that say it is nothing known, and errors."""

    found: tuple[Structure, ...]
    unknown: tuple[Structure, ...]
    errors: tuple[tuple[str, ConnectorError], ...]


def search(app: App, identifier: Identifier) -> Answers:
    """Look for an id in every connection. A service that is out of reach is among the errors."""
    found: list[tuple[int, Structure]] = []
    errors: list[tuple[str, ConnectorError]] = []
    for name, context in app.contexts.items():
        try:
            reason = reason_of(app, context, identifier)
        except ConnectorError as error:
            errors.append((name, error))
            continue
        found.append((reason.rank, told(context, identifier, reason)))
    ranked = sorted(found, key=lambda entry: entry[0])
    explaining = tuple(story for rank, story in ranked if rank < Reason.UNKNOWN_RANK)
    return Answers(explaining, tuple(story for rank, story in ranked if rank >= Reason.UNKNOWN_RANK), tuple(errors))


def reason_of(app: App, context: Context, identifier: Identifier) -> Reason:
    """Why this id of a connection is not in AWS. Raises what the services raise."""
    if identifier.kind == Kind.OPPORTUNITY:
        return find_at_aws(app, context, identifier.text)
    if identifier.kind == Kind.OTHER_OF_AWS:
        return _of_process(identifier.text)
    return _of_record(app, context, identifier.text)


def _of_process(text: str) -> Reason:
    return Reason(
        "unknown",
        f"No record of the ledger has {text}: it was not made by the connector, or with another ledger.",
        "Ask with the Salesforce id, or with the O-number that Partner Central shows for it.",
    )


def _of_record(app: App, context: Context, salesforce_id: str) -> Reason:
    selection = context.mapping.selection
    where = selection.where
    fields = ("Id", "Name", "IsDeleted", "SystemModstamp", *fields_of(where))
    row = context.salesforce.look_up(selection.sobject, fields, salesforce_id)
    if row is None:
        return _of_stranger(context, salesforce_id)
    name = str(row.get("Name") or "")
    if row.get("IsDeleted"):
        return replace(_deleted(selection.sobject, row), name=name)
    (entry,) = plans_of(app, context, [salesforce_id])
    if entry["fingerprint"] is not None:
        return replace(unread(app, context, entry), name=name)
    return replace(_not_flagged(context, explain(where, lambda path: dotted_reader(path)(row))), name=name)


def _deleted(sobject: str, row: Structure, merged_into: str = "") -> Reason:
    moment = _to_minute(row.get("SystemModstamp"))
    when = f", since {moment} or earlier" if moment else ""
    if merged_into:
        return Reason("merged", f"This {sobject} was merged into {merged_into}{when}.", f"Ask for {merged_into}.")
    return Reason(
        "deleted",
        f"This {sobject} is deleted in Salesforce and lies in the recycle bin{when}.",
        "Restore it from the recycle bin if it is to be shared; it is read by itself then.",
    )


def _to_minute(stamp: Any) -> str:
    """``2026-11-21 10:00 UTC`` of Salesforce's own spelling."""
    text = str(stamp or "")
    return f"{text[:10]} {text[11:16]} UTC" if text else ""


def _not_flagged(context: Context, explanation: Explanation) -> Reason:
    """Which part of the flag does not hold, and what to do about it."""
    culprits = list(explanation.culprits())
    where, file = context.mapping.selection.where, context.mapping.file
    parts = "; ".join(map(str, culprits)) or f"{where} does not hold, says Salesforce"
    message = f"Not shared with AWS. {parts}."
    if len(explanation.comparisons) > 1:
        message += f" The flag is: {where}."
    fields = " or ".join(dict.fromkeys(one.field for one in culprits if one.field))
    if _is_tick(explanation):
        cure = f"Tick {fields} on the record if it shall be shared; it is read by itself then."
    elif fields:
        cure = f"Change {fields} on the record if it shall be shared, or the condition `where` in {file}."
    else:
        cure = f"Look at the record and at the condition `where` in {file}."
    return Reason("not_flagged", message, cure, condition=tuple(map(_to_json, explanation.comparisons)))


def _is_tick(explanation: Explanation) -> bool:
    """Whether one checkbox is all that is missing."""
    culprits = list(explanation.culprits())
    return len(culprits) == 1 and culprits[0].value is False and culprits[0].is_wanted and culprits[0].holds is False


def _to_json(part: Explanation) -> Structure:
    return {
        "text": part.text,
        "salesforce_field": part.field or None,
        "value": part.value,
        "holds": part.holds,
        "wanted": part.is_wanted,
    }


def _of_stranger(context: Context, salesforce_id: str) -> Reason:
    """An id that the mapped object does not have, or does not show."""
    sobject, other = context.mapping.selection.sobject, context.salesforce.object_of(salesforce_id)
    if other == sobject:
        return Reason(
            "not_visible",
            f"Salesforce shows no {sobject} {salesforce_id}: there is none (any more), or the connector's user may not "
            "see it. Salesforce says the same of both.",
            "Open it in Salesforce. If you can, ask an administrator to share it with the connector's user (its role, "
            "a sharing rule, or View All on the object). If you cannot either, it was deleted for good or the id is "
            "wrong.",
        )
    if not other:
        return Reason(
            "unknown_object",
            f"No object that the connector's user sees has ids that begin with {salesforce_id[:3]}.",
            f"Give the id of a record of {sobject}, an O-number, or a task id.",
        )
    return _of_other_object(context, other, salesforce_id)


def _of_other_object(context: Context, other: str, salesforce_id: str) -> Reason:
    sobject, article = context.mapping.selection.sobject, "an" if other[:1].lower() in "aeio" else "a"
    name, gone = _name_of_other(context, other, salesforce_id)
    if gone is not None:
        return gone
    # What shows the sync's state may be hidden, and is not needed to find them.
    related = tuple(context.salesforce.related(permissions.readable(context), other, salesforce_id).items())
    if not related:
        nothing = f"no record of {sobject} that is shared or in AWS belongs to it"
        message = f"This is {article} {other}, not a record of {sobject}; {nothing}."
        return Reason("other_object", message, f"Give the id of a record of {sobject}.", name=name)
    if _is_row(context, other):
        message = f"This is {article} {other}, a row of a record of {sobject}."
    else:
        belongs = "that is shared or in AWS belongs" if len(related) == 1 else "that are shared or in AWS belong"
        message = f"This is {article} {other}; {_count(len(related), sobject)} {belongs} to it."
    choice = "it" if len(related) == 1 else "one of them"
    cure = f"Ask for {choice}: " + ", ".join(f"{i} ({title})" for i, title in related[:TOLD]) + "."
    records = tuple({"salesforce_id": i, "name": title} for i, title in related)
    return Reason("other_object", message, cure, name=name, records=records)


def _is_row(context: Context, other: str) -> bool:
    """Whether the mapping reads rows of this object."""
    selection = context.mapping.selection
    return any(context.salesforce.child(selection.sobject, name) == other for name in selection.children)


def _name_of_other(context: Context, other: str, salesforce_id: str) -> tuple[str, Reason | None]:
    """(its name, why there is nothing to tell of it); of other objects than these nobody knows their name's field."""
    if other not in MERGEABLE:
        return "", None
    fields = ("Id", "Name", "IsDeleted", "SystemModstamp", "MasterRecordId")
    row = context.salesforce.look_up(other, fields, salesforce_id)
    sobject = context.mapping.selection.sobject
    if row is None:
        message = f"This id belongs to the object {other}, not to {sobject}, and Salesforce shows no such record."
        return "", Reason("other_object", message, f"Give the id of a record of {sobject}.")
    name = str(row.get("Name") or "")
    if row.get("IsDeleted"):
        return name, replace(_deleted(other, row, str(row.get("MasterRecordId") or "")), name=name)
    return name, None


def _count(number: int, noun: str) -> str:
    return f"{number} records of {noun}" if number != 1 else f"1 record of {noun}"
