"""ListOpportunities: its filters, its orders, its pages."""

from __future__ import annotations

from datetime import datetime

from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.instants import from_wire
from connector.sandbox.partner_central.pages import cut_page, with_token
from connector.sandbox.partner_central.paths import Json, find
from connector.sandbox.partner_central.records import Opportunity
from connector.sandbox.partner_central.views import show_summary

_DEFAULT_SORT = {"SortBy": "LastModifiedDate", "SortOrder": "DESCENDING"}


def list_opportunities(call: Call, body: Json) -> Json:
    """Summaries of the caller's records that pass every filter."""
    records = call.records.opportunities.values()
    rows = [record for record in records if call.is_visible(record) and _is_wanted(record, body)]
    sort = body.get("Sort", _DEFAULT_SORT)
    rows.sort(key=lambda record: _sort_key(record, sort["SortBy"]), reverse=sort["SortOrder"] == "DESCENDING")
    page, token = cut_page(body, rows, token_on_last_page=call.settings.token_on_last_page)
    return with_token({"OpportunitySummaries": [show_summary(record, call.settings) for record in page]}, token)


def _is_wanted(record: Opportunity, body: Json) -> bool:
    members = {
        "Identifier": record.id,
        "LifeCycleStage": find(record.body, "lifeCycle.stage"),
        "LifeCycleReviewStatus": record.review_status,
        "CustomerCompanyName": find(record.body, "customer.account.companyName"),
    }
    return (
        all(value in body[key] for key, value in members.items() if body.get(key))
        and _is_within(record.modified, body.get("LastModifiedDate", {}), "LastModifiedDate")
        and _is_within(record.created, body.get("CreatedDate", {}), "CreatedDate")
        and _is_due_within(record, body.get("TargetCloseDate", {}))
    )


def _is_within(instant: datetime, bounds: Json, name: str) -> bool:
    after, before = bounds.get(f"After{name}"), bounds.get(f"Before{name}")
    return (after is None or instant >= from_wire(after)) and (before is None or instant <= from_wire(before))


def _is_due_within(record: Opportunity, bounds: Json) -> bool:
    # yyyy-mm-dd sorts as text.
    day = find(record.body, "lifeCycle.targetCloseDate") or ""
    after, before = bounds.get("AfterTargetCloseDate"), bounds.get("BeforeTargetCloseDate")
    return (after is None or day >= after) and (before is None or day <= before)


def _sort_key(record: Opportunity, name: str) -> tuple[str, int]:
    keys = {
        "LastModifiedDate": record.modified.isoformat(timespec="microseconds"),
        "CreatedDate": record.created.isoformat(timespec="microseconds"),
        "CustomerCompanyName": find(record.body, "customer.account.companyName") or "",
        "TargetCloseDate": find(record.body, "lifeCycle.targetCloseDate") or "",
        "Identifier": "",
    }
    return keys[name], int(record.id[1:])
