"""Plans of chosen records: asks Salesforce and the ledger what stands where, and writes nothing anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from connector.app import App
from connector.core.model import Link, Refusal, Structure
from connector.core.selection import Selection, to_id18
from connector.report.aws_side import AwsSide
from connector.report.plans import not_shared, planned
from connector.sync import Context, permissions
from connector.sync.adoption import belongs_to, taken_by_another, with_refusal
from connector.sync.records import to_compared


def plans_of(app: App, context: Context, ids: Sequence[str] | None, aws: AwsSide | None = None) -> list[Structure]:
    """The plan of each record (None: every flagged one), as data; ``aws`` may tell afterwards what AWS did not.

    Chosen ones come in their own order: where two name the same opportunity of AWS it is the first one's.
    """
    aws = aws or AwsSide(app, context)

    def ask(selection: Selection) -> Iterable[list[Structure]]:
        if ids is None:
            return context.salesforce.changes(selection, None).flagged
        order = {salesforce_id: place for place, salesforce_id in enumerate(ids)}
        found = context.salesforce.fetch(selection, ids)
        return [sorted(found, key=lambda record: order.get(to_id18(record["Id"]), len(order)))]

    pages = permissions.reading(context, ask, notes=False)
    found = [_planned(aws, record) for page in pages for record in page]
    return found + _not_shared(context, set(ids or ()) - {entry["salesforce_id"] for entry in found})


def _not_shared(context: Context, ids: set[str]) -> list[Structure]:
    """Chosen records that are not to be shared, and why."""
    if not ids:
        return []
    selection = context.mapping.selection
    states = context.salesforce.states(selection.sobject, sorted(ids))
    found = []
    for salesforce_id in sorted(ids):
        state = states.get(salesforce_id)
        reason = f"it is not flagged: {selection.where} does not hold"
        if state is None or state.deleted:
            reason = (
                "it is deleted" if state is not None else "it does not exist, or the connector's user may not see it"
            )
        found.append(not_shared(salesforce_id, state.name if state is not None else "", reason))
    return found


def _planned(aws: AwsSide, record: Structure) -> Structure:
    app, context = aws.app, aws.context
    known = app.ledger.find(*context.key, to_id18(record["Id"])) if app.has_ledger else None
    is_linked = known is not None and bool(known.opportunity_id) and known.presence == "flagged"
    before = known.mapped if known is not None and is_linked else None
    link = _link(aws, record, known)
    entry = planned(context, aws.as_it_is(link), before, record)
    if link.candidate_id and entry["opportunity_id"]:
        aws.claimed[link.candidate_id] = link
        adopted = {"action": "adopt", "opportunity_id": link.candidate_id}
        status = "Held" if entry["status"] == "Held" else "Pending"
        return {**entry, "opportunity_id": None, "status": status, "actions": [adopted, *entry["actions"]]}
    return entry


def _link(aws: AwsSide, record: Structure, known: Link | None) -> Link:
    """The link as it would be after a pull of this record."""
    context, salesforce_id = aws.context, to_id18(record["Id"])
    link = known or Link(0, context.name, context.catalog, salesforce_id)
    mapped = to_compared(context, record, lambda: link.mapped)
    link = replace(link, name=str(record.get("Name") or ""), presence="flagged", mapped=mapped)
    candidate_id = aws.candidate_of(link)
    taken = _taken(aws, link, candidate_id) if candidate_id else None
    return replace(link, candidate_id=candidate_id) if taken is None else with_refusal(link, taken)


def _taken(aws: AwsSide, link: Link, opportunity_id: str) -> Refusal | None:
    """Why another record has this opportunity: it is linked with it, or this plan gives it to that one."""
    other = aws.claimed.get(opportunity_id)
    if other is not None and other.salesforce_id != link.salesforce_id:
        return belongs_to(aws.context, link, opportunity_id, other)
    return taken_by_another(aws.context, link, opportunity_id) if aws.app.has_ledger else None
