"""One row at a time: create, read, change, delete, and upsert by an external id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.sandbox.salesforce.calls import Call, Reply
from connector.sandbox.salesforce.faults import ApiError, row_fault
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.plan import show
from connector.sandbox.salesforce.resources.catalogue import find_object
from connector.sandbox.salesforce.schema import Field, ObjectType
from connector.sandbox.salesforce.store import Row
from connector.sandbox.salesforce.values import to_timestamp


def create(org: Org, call: Call, name: str) -> Reply:
    kind = find_object(org, name)
    if not kind.createable:
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"entity type {kind.name} does not support create")
    record_id = org.writes.insert(kind, read_fields(call.read_object()), call.actor)
    return _made(call, kind, record_id, 201, {})


def read(org: Org, call: Call, name: str, record_id: str) -> Reply:
    kind = find_object(org, name)
    row = org.writes.find(kind, record_id, call.actor)
    known = call.read_time("if-modified-since")
    if known is not None and row["LastModifiedDate"] <= known:
        return Reply(304)
    return Reply(200, show_row(org, call, kind, row, call.params.get("fields")))


def read_external(org: Org, call: Call, name: str, field: str, value: str) -> Reply:
    kind = find_object(org, name)
    rows = _find_external(org, kind, _external_field(org, kind, field), value)
    if not rows:
        raise row_fault("NOT_FOUND", "The requested resource does not exist")
    if len(rows) > 1:
        return _too_many(call, kind, rows)
    return Reply(200, show_row(org, call, kind, rows[0], call.params.get("fields")))


def update(org: Org, call: Call, name: str, record_id: str) -> Reply:
    kind = find_object(org, name)
    fields = read_fields(call.read_object())
    if any(key.lower() == "id" for key in fields):
        raise row_fault("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    unchanged_since = call.read_time("if-unmodified-since")
    if unchanged_since is not None:
        row = org.writes.find(kind, record_id, call.actor)
        if row["LastModifiedDate"] > unchanged_since:
            message = f"Record was modified at {to_timestamp(row['LastModifiedDate'])}"
            raise ApiError(412, "PRECONDITION_FAILED", message)
    org.writes.update(kind, record_id, fields, call.actor)
    return Reply(204)


def delete(org: Org, call: Call, name: str, record_id: str) -> Reply:
    kind = find_object(org, name)
    if not kind.deletable:
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"entity type {kind.name} does not support delete")
    org.writes.delete(kind, record_id, call.actor)
    return Reply(204)


def upsert(org: Org, call: Call, name: str, field: str, value: str) -> Reply:
    """201 for a new row, 200 for a changed one, 300 with their urls where several hold the value."""
    kind = find_object(org, name)
    external = _external_field(org, kind, field)
    fields = read_fields(call.read_object())
    if external.name in fields:
        message = f"The {external.name} field should not be specified in the sobject data."
        raise row_fault("INVALID_FIELD", message)
    rows = _find_external(org, kind, external, value)
    if len(rows) > 1:
        return _too_many(call, kind, rows)
    if rows:
        org.writes.update(kind, rows[0]["Id"], fields, call.actor)
        return _made(call, kind, rows[0]["Id"], 200, {"created": False})
    record_id = org.writes.insert(kind, {**fields, external.name: value}, call.actor)
    return _made(call, kind, record_id, 201, {"created": True})


def read_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record on the wire."""
    return {name: value for name, value in body.items() if name != "attributes"}


def show_row(org: Org, call: Call, kind: ObjectType, row: Row, names: str | None = None) -> dict[str, Any]:
    """A row with the fields named (comma-separated), or every field the user may read."""
    wanted = [name.strip() for name in names.split(",")] if names else list(kind.fields)
    out: dict[str, Any] = {"attributes": {"type": kind.name, "url": _url(call, kind, row["Id"])}}
    for name in wanted:
        field = org.permissions.find_field(kind, name)
        if field is not None:
            out[field.name] = show(field, row)
        elif names:
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
    return out


def _external_field(org: Org, kind: ObjectType, name: str) -> Field:
    field = org.permissions.find_field(kind, name)
    if field is None or not field.external_id:
        message = f"Provided external ID field does not exist or is not accessible: {name}"
        raise row_fault("NOT_FOUND", message)
    return field


def _find_external(org: Org, kind: ObjectType, field: Field, value: str) -> list[Row]:
    table = org.store.table(kind.name)
    rows = (table.rows[one] for one in table.find(field.name, value))
    return [row for row in rows if not row.get("IsDeleted") and row["Id"] not in org.permissions.hidden_rows]


def _too_many(call: Call, kind: ObjectType, rows: list[Row]) -> Reply:
    return Reply(300, [_url(call, kind, row["Id"]) for row in rows])


def _made(call: Call, kind: ObjectType, record_id: str, status: int, more: dict[str, bool]) -> Reply:
    headers = {"Location": _url(call, kind, record_id)} if status == 201 else {}
    return Reply(status, {"id": record_id, "success": True, "errors": [], **more}, headers)


def _url(call: Call, kind: ObjectType, record_id: str) -> str:
    return f"{call.base}/sobjects/{kind.name}/{record_id}"
