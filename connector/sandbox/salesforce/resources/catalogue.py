"""What the org is: versions, limits, objects and their describes."""

from __future__ import annotations

from connector.sandbox.salesforce.calls import FIRST_VERSION, LAST_VERSION, Call, Reply, to_http_date
from connector.sandbox.salesforce.describe import describe_brief, describe_object
from connector.sandbox.salesforce.faults import missing_resource
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.schema import ObjectType

_SEASONS = ("Winter", "Spring", "Summer")


def list_versions() -> list[dict[str, str]]:
    """Every version served, oldest first; asked without a token."""
    return [
        {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number in range(FIRST_VERSION, LAST_VERSION + 1)
    ]


def _label(number: int) -> str:
    """Three releases a year, v20.0 being Winter '11."""
    year = 11 + (number - 20) // 3
    return f"{_SEASONS[(number - 20) % 3]} '{year}"


def find_object(org: Org, name: str) -> ObjectType:
    """The object of a path; ApiError 404 for one that is unknown, or not granted to the user."""
    kind = org.schema.find(name)
    if kind is None or not org.permissions.may("read", kind.name):
        raise missing_resource()
    return kind


def list_resources(_org: Org, call: Call) -> Reply:
    names = ("composite", "limits", "query", "queryAll", "sobjects")
    return Reply(200, {name: f"{call.base}/{name}" for name in names})


def show_limits(org: Org, _call: Call) -> Reply:
    used = org.usage.report(org.usage.count(org.now()))
    daily = {"Max": org.usage.limit, "Remaining": max(0, org.usage.limit - used)}
    return Reply(200, {"DailyApiRequests": daily})


def count_records(org: Org, call: Call) -> Reply:
    """The rows of each object asked for; an unknown object is left out."""
    names = [name.strip() for name in call.params.get("sObjects", "").split(",")]
    kinds = [kind for kind in org.schema if not call.params.get("sObjects") or kind.name in names]
    counts = [{"count": len(org.records(kind.name)), "name": kind.name} for kind in kinds]
    return Reply(200, {"sObjects": counts})


def list_objects(org: Org, call: Call) -> Reply:
    seen = [kind for kind in org.schema if org.permissions.may("read", kind.name)]
    kinds = [describe_brief(kind, call.base) for kind in seen]
    return Reply(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": kinds})


def show_object(org: Org, call: Call, name: str) -> Reply:
    kind = find_object(org, name)
    return Reply(200, {"objectDescribe": describe_brief(kind, call.base), "recentItems": []})


def describe(org: Org, call: Call, name: str) -> Reply:
    """The describe, or 304 where the object has not changed since If-Modified-Since."""
    kind = find_object(org, name)
    changed = org.schema_changed_at[kind.name]
    headers = {"Last-Modified": to_http_date(changed)}
    known = call.read_time("if-modified-since")
    if known is not None and changed <= known:
        return Reply(304, None, headers)
    return Reply(200, describe_object(kind, org.schema, org.permissions, call.base), headers)
