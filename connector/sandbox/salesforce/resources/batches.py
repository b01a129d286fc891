"""sObject Collections: up to 200 rows a call, each with its own result, in the order they were sent.

A failed row is told without its id: the caller has only the position to go by.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from connector.sandbox.salesforce import ids
from connector.sandbox.salesforce.calls import Call, Reply
from connector.sandbox.salesforce.faults import ApiError, Fault, RowError, row_fault
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.resources.catalogue import find_object
from connector.sandbox.salesforce.resources.rows import read_fields, show_row
from connector.sandbox.salesforce.schema import ObjectType

MAX_ROWS = 200
MAX_READ = 2_000
MAX_CHUNKS = 10
_ROLLED_BACK = Fault(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
Work = Callable[[], str]


def create(org: Org, call: Call) -> Reply:
    def insert(record: dict[str, Any]) -> str:
        return org.writes.insert(_kind(org, record), read_fields(record), call.actor)

    return _run_records(org, call, insert)


def update(org: Org, call: Call) -> Reply:
    def change(record: dict[str, Any]) -> str:
        record_id = next((value for key, value in record.items() if key.lower() == "id"), None)
        if not record_id:
            raise row_fault("MISSING_ARGUMENT", "Id not specified in an update call")
        fields = {key: value for key, value in read_fields(record).items() if key.lower() != "id"}
        org.writes.update(_kind(org, record), str(record_id), fields, call.actor)
        return ids.normalise(str(record_id)) or str(record_id)

    return _run_records(org, call, change)


def delete(org: Org, call: Call) -> Reply:
    wanted = [one.strip() for one in call.params.get("ids", "").split(",") if one.strip()]
    _check_count(len(wanted))

    def remove(record_id: str) -> Work:
        def work() -> str:
            name = org.store.find_object(record_id)
            if name is None:
                raise row_fault("MALFORMED_ID", f"malformed id {record_id}")
            org.writes.delete(org.schema.get(name), record_id, call.actor)
            return ids.normalise(record_id) or record_id

        return work

    is_strict = call.params.get("allOrNone", "false").lower() == "true"
    return Reply(200, _run(org, [remove(one) for one in wanted], is_strict=is_strict))


def retrieve(org: Org, call: Call, name: str) -> Reply:
    """The rows of `ids` with `fields`; null in place of one that is missing or out of sight."""
    kind = find_object(org, name)
    body = call.read_object() if call.method == "POST" else _split(call)
    wanted, fields = body.get("ids"), body.get("fields")
    if not isinstance(wanted, list) or not isinstance(fields, list):
        raise ApiError(400, "MISSING_ARGUMENT", "ids and fields must be specified")
    if len(wanted) > MAX_READ:
        raise _too_many(MAX_READ)
    names = ",".join(str(one) for one in fields)
    return Reply(200, [_read_one(org, call, kind, str(one), names) for one in wanted])


def _split(call: Call) -> dict[str, object]:
    return {key: call.params[key].split(",") for key in ("ids", "fields") if call.params.get(key)}


def _read_one(org: Org, call: Call, kind: ObjectType, record_id: str, names: str) -> dict[str, Any] | None:
    try:
        row = org.writes.find(kind, record_id, call.actor)
    except RowError:
        return None
    return show_row(org, call, kind, row, names)


def _run_records(org: Org, call: Call, act: Callable[[dict[str, Any]], str]) -> Reply:
    body = call.read_object()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise ApiError(400, "JSON_PARSER_ERROR", "records must be a list of sObjects")
    _check_count(len(records))
    _check_chunks(records)

    def make(record: dict[str, Any]) -> Work:
        return lambda: act(record)

    return Reply(200, _run(org, [make(one) for one in records], is_strict=body.get("allOrNone") is True))


def _check_count(count: int) -> None:
    if count > MAX_ROWS:
        raise _too_many(MAX_ROWS)


def _too_many(limit: int) -> ApiError:
    message = f"record limit reached. cannot submit more than {limit} records into this call"
    return ApiError(400, "EXCEEDED_ID_LIMIT", message)


def _check_chunks(records: list[dict[str, Any]]) -> None:
    if len(list(groupby(records, key=_type_name))) > MAX_CHUNKS:
        message = f"Cannot have more than {MAX_CHUNKS} chunks in a single operation. Please rearrange the data"
        raise ApiError(400, "INVALID_INPUT", message)


def _type_name(record: dict[str, Any]) -> str:
    attributes = record.get("attributes")
    return str(attributes.get("type", "")) if isinstance(attributes, dict) else ""


def _kind(org: Org, record: dict[str, Any]) -> ObjectType:
    name = _type_name(record)
    kind = org.schema.find(name)
    if kind is None:
        raise row_fault("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return kind


def _run(org: Org, work: list[Work], *, is_strict: bool) -> list[dict[str, Any]]:
    with org.store.transaction() as transaction:
        results = [_attempt(org, one) for one in work]
        refusal = _find_refusal(org, results)
        if refusal is not None:
            transaction.roll_back()
            raise refusal
        if is_strict and not all(result["success"] for result in results):
            transaction.roll_back()
            return [_failed([_ROLLED_BACK]) if result["success"] else result for result in results]
    return results


def _find_refusal(org: Org, results: list[dict[str, Any]]) -> ApiError | None:
    """The refusal of the whole call for something that is wrong with one row."""
    for result in results:
        for error in result["errors"]:
            status = org.rules.whole_call.get(error["statusCode"])
            if status is not None:
                return ApiError(status, error["statusCode"], error["message"])
    return None


def _attempt(org: Org, work: Work) -> dict[str, Any]:
    with org.store.transaction() as transaction:
        try:
            return {"id": work(), "success": True, "errors": []}
        except RowError as error:
            transaction.roll_back()
            return _failed(list(error.faults))


def _failed(faults: list[Fault]) -> dict[str, Any]:
    return {"success": False, "errors": [_to_entry(fault) for fault in faults]}


def _to_entry(fault: Fault) -> dict[str, Any]:
    if fault.code == "NOT_FOUND":
        return {
            "statusCode": "INVALID_CROSS_REFERENCE_KEY",
            "message": "invalid cross reference id",
            "fields": [],
        }
    return {"statusCode": fault.code, "message": fault.message, "fields": list(fault.fields)}
