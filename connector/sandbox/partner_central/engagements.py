"""Engagement operations: create, read, list, members, and which opportunities are shared in one."""

from __future__ import annotations

import copy

from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.instants import to_nanoseconds
from connector.sandbox.partner_central.invitations import find_engagement, make_engagement
from connector.sandbox.partner_central.pages import cut_page, with_token
from connector.sandbox.partner_central.paths import Json
from connector.sandbox.partner_central.records import Engagement
from connector.sandbox.partner_central.views import show_engagement, show_engagement_summary, show_member

_DEFAULT_SORT = {"SortBy": "CreatedDate", "SortOrder": "DESCENDING"}


def create_engagement(call: Call, body: Json) -> Json:
    """A new engagement; the caller is its first member. Contexts get their ids here."""
    contexts = [
        {**copy.deepcopy(context), "Id": str(number)}
        for number, context in enumerate(body.get("Contexts", ()), start=1)
    ]
    title, description = body.get("Title", ""), body.get("Description", "")
    engagement = make_engagement(call, call.account, title, description, contexts)
    return {"Id": engagement.id, "Arn": engagement.arn, "ModifiedAt": to_nanoseconds(engagement.modified)}


def get_engagement(call: Call, body: Json) -> Json:
    """One engagement with its contexts."""
    return show_engagement(find_engagement(call, body["Identifier"]))


def list_engagements(call: Call, body: Json) -> Json:
    """The engagements the caller is a member of."""
    rows = [row for row in _joined(call) if _is_wanted(row, body)]
    sort = body.get("Sort", _DEFAULT_SORT)
    rows.sort(key=lambda row: row.created, reverse=sort["SortOrder"] == "DESCENDING")
    page, token = cut_page(body, rows, token_on_last_page=call.settings.token_on_last_page)
    shown = [{**show_engagement_summary(row), "ContextTypes": _context_types(row)} for row in page]
    return with_token({"EngagementSummaryList": shown}, token)


def list_engagement_members(call: Call, body: Json) -> Json:
    """Who takes part in an engagement."""
    members = find_engagement(call, body["Identifier"]).members
    page, token = cut_page(body, members, token_on_last_page=call.settings.token_on_last_page)
    return with_token({"EngagementMemberList": [show_member(account) for account in page]}, token)


def list_engagement_resource_associations(call: Call, body: Json) -> Json:
    """Which opportunities are shared in which of the caller's engagements."""
    filters = {"EngagementIdentifier": "EngagementId", "ResourceIdentifier": "ResourceId"}
    filters |= {"ResourceType": "ResourceType", "CreatedBy": "CreatedBy"}
    every = [
        {
            "Catalog": call.catalog,
            "EngagementId": engagement.id,
            "ResourceType": "Opportunity",
            "ResourceId": opportunity_id,
            "CreatedBy": creator,
        }
        for engagement in _joined(call)
        for opportunity_id, creator in engagement.opportunities
    ]
    rows = [row for row in every if all(row[key] == body[name] for name, key in filters.items() if name in body)]
    page, token = cut_page(body, rows, token_on_last_page=call.settings.token_on_last_page)
    return with_token({"EngagementResourceAssociationSummaries": page}, token)


def _joined(call: Call) -> list[Engagement]:
    engagements = call.records.engagements.values()
    return [row for row in engagements if row.catalog == call.catalog and call.account in row.members]


def _context_types(row: Engagement) -> list[str]:
    return sorted({context["Type"] for context in row.contexts})


def _is_wanted(row: Engagement, body: Json) -> bool:
    types = set(_context_types(row))
    identifiers = [reference.rsplit("/", 1)[-1] for reference in body.get("EngagementIdentifier", ())]
    return (
        (not identifiers or row.id in identifiers)
        and (not body.get("CreatedBy") or row.created_by in body["CreatedBy"])
        and row.created_by not in body.get("ExcludeCreatedBy", ())
        and (not body.get("ContextTypes") or bool(types & set(body["ContextTypes"])))
        and not types & set(body.get("ExcludeContextTypes", ()))
    )
