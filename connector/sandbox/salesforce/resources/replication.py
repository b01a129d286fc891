"""getUpdated and getDeleted: ids of what changed between two moments, by the minute."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.sandbox.salesforce.calls import Call, Reply
from connector.sandbox.salesforce.faults import ApiError
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.resources.catalogue import find_object
from connector.sandbox.salesforce.values import read_datetime, to_timestamp

REACH = timedelta(days=30)


def list_updated(org: Org, call: Call, name: str) -> Reply:
    """Ids of live rows stamped within the span; a slow transaction holds `latestDateCovered` back."""
    kind = find_object(org, name)
    start, end = _read_span(org, call)
    hidden = org.permissions.hidden_rows
    rows = org.records(kind.name)
    found = [row["Id"] for row in rows if start <= row["SystemModstamp"] < end and row["Id"] not in hidden]
    covered = min([end, *org.store.open_since()])
    return Reply(200, {"ids": found, "latestDateCovered": to_timestamp(covered)})


def list_deleted(org: Org, call: Call, name: str) -> Reply:
    kind = find_object(org, name)
    start, end = _read_span(org, call)
    live = {row["Id"] for row in org.records(kind.name)} | org.permissions.hidden_rows
    gone = [
        {"id": one.id, "deletedDate": to_timestamp(one.at)}
        for one in org.writes.deletions
        if one.object == kind.name and start <= one.at < end and one.id not in live
    ]
    span = {"earliestDateAvailable": to_timestamp(org.now() - REACH), "latestDateCovered": to_timestamp(end)}
    return Reply(200, {"deletedRecords": gone, **span})


def _read_span(org: Org, call: Call) -> tuple[datetime, datetime]:
    """The moments asked for, seconds cut off; ApiError INVALID_REPLICATION_DATE for a span that is none."""
    start, end = (read_datetime(call.params.get(key, "")) for key in ("start", "end"))
    if start is None or end is None:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "startDate and endDate must be date times")
    start, end = (moment.replace(second=0) for moment in (start, end))
    if start >= end:
        message = "startDate must be at least one minute before endDate"
        raise ApiError(400, "INVALID_REPLICATION_DATE", message)
    if start < org.now() - REACH:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
    return start, end
