"""What AWS says of an opportunity id that the ledger does not know."""

from __future__ import annotations

from connector.app import App
from connector.core.diff import value_at
from connector.core.selection import is_id, to_id18
from connector.errors import NotFound, Rejected
from connector.report.reasons import Reason
from connector.sync import Context

_ADOPT = (
    "To have it kept in step, put the Salesforce id of its record (18 characters) into the partner's identifier at AWS "
    "while that may still be edited, and flag the record: it is then taken over, not made anew."
)


def find_at_aws(app: App, context: Context, opportunity_id: str) -> Reason:
    """Read it from Partner Central; whose it is, by the partner's own id. Raises what AWS's client raises."""
    try:
        existing = context.partner_central.call("GetOpportunity", {"Identifier": opportunity_id})
    except (NotFound, Rejected):
        return Reason(
            "not_at_aws",
            f"Partner Central has no opportunity {opportunity_id} in the catalog {context.catalog}, or does not show "
            "it to this account.",
            "Compare the number, the catalog and the AWS account. An id of the Sandbox catalog never exists in AWS's.",
        )
    name = str(value_at(existing, "Project.Title") or "")
    partner_identifier = str(existing.get("PartnerOpportunityIdentifier") or "")
    message, cure = _whose(app, context, opportunity_id, partner_identifier)
    return Reason("at_aws", message, cure, name=name, existing=existing)


def _whose(app: App, context: Context, opportunity_id: str, partner_identifier: str) -> tuple[str, str]:
    sobject = context.mapping.selection.sobject
    known = f"Partner Central has {opportunity_id}, but no record of the ledger is linked to it"
    if not partner_identifier:
        message = f"{known}: it carries no id of yours, so a person in Partner Central made it, or AWS itself."
        return message, _ADOPT
    if not is_id(partner_identifier):
        return (
            f"{known}: it carries the id {partner_identifier}, which is none of Salesforce, so another tool made it.",
            "Only one that carries a Salesforce id can be taken over.",
        )
    salesforce_id = to_id18(partner_identifier)
    link = _link_of(app, context, salesforce_id)
    if link:
        return (
            f"{known}: it carries the id of {salesforce_id}, which is linked to {link}.",
            f"`connector show {salesforce_id}` tells of that one. Close the one that is too much in Partner Central.",
        )
    return (
        f"{known}: it carries the id of {salesforce_id}, and is taken over once that {sobject} is flagged and read.",
        f"`connector show {salesforce_id}` says why it is not yet.",
    )


def _link_of(app: App, context: Context, salesforce_id: str) -> str:
    """The AWS opportunity that a Salesforce record is linked to, "" for none."""
    link = app.ledger.find(*context.key, salesforce_id) if app.has_ledger else None
    return link.opportunity_id if link is not None else ""
