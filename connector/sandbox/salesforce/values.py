"""Field values between the wire (JSON) and the store, with the refusals a wrong one earns.

Stored: str, bool, int, float, date, aware UTC datetime in whole seconds, or nothing at all for null. Text
is trimmed and an empty text is null, as on the platform. References are checked for shape here, for
existence elsewhere.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connector.sandbox.salesforce import ids
from connector.sandbox.salesforce.faults import Fault, RowError, row_fault
from connector.sandbox.salesforce.schema import NUMBERS, REFERENCES, Field

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)", re.IGNORECASE)
_KINDS = {bool: "VALUE_TRUE", int: "VALUE_NUMBER_INT", float: "VALUE_NUMBER_FLOAT", str: "VALUE_STRING"}
_WIRE_KINDS = {"int": "int", "boolean": "boolean", "date": "date", "datetime": "datetime"}


def to_stored(field: Field, wire: object) -> Any:
    """The stored form of a JSON value, None for null; RowError where the field cannot hold it."""
    if field.type == "boolean":
        if not isinstance(wire, bool):
            raise _wrong_type(field, wire)
        return wire
    if wire is None:
        return None
    if field.type in NUMBERS:
        return _to_number(field, wire)
    if not isinstance(wire, str):
        raise _wrong_type(field, wire)
    text = wire.strip()
    return _to_text(field, text) if text else None


def to_wire(field: Field, value: Any) -> Any:
    """The JSON form of a stored value."""
    if isinstance(value, datetime):
        return to_timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    return False if value is None and field.type == "boolean" else value


def to_timestamp(moment: datetime) -> str:
    """`2026-01-01T10:00:00.000+0000`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def read_datetime(text: str) -> datetime | None:
    """The moment, in UTC and whole seconds, or None where the text is no ISO 8601 date and time with an "
    "offset."""
    found = _DATETIME.fullmatch(text)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[1] + found[2].upper().replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        return None


def read_date(text: str) -> date | None:
    """The day, or None where the text is no `yyyy-mm-dd`."""
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _to_text(field: Field, text: str) -> Any:
    if field.type == "date":
        return _found(field, text, read_date(text))
    if field.type == "datetime":
        return _found(field, text, read_datetime(text))
    if field.type in REFERENCES:
        return _to_reference(field, text)
    if len(text) > field.length:
        shown = text if len(text) <= 255 else text[:255] + "..."
        raise row_fault(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {shown} (max length={field.length})",
            field.name,
        )
    if field.restricted:
        _check_values(field, text)
    if field.type == "email" and not _EMAIL.fullmatch(text):
        raise row_fault("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", field.name)
    return text


def _to_reference(field: Field, text: str) -> str:
    full = ids.normalise(text)
    if full is None:
        raise row_fault("MALFORMED_ID", f"{field.label}: id value of incorrect type: {text}", field.name)
    return full


def _found(field: Field, text: str, value: Any) -> Any:
    if value is None:
        raise _wrong_type(field, text)
    return value


def _check_values(field: Field, text: str) -> None:
    allowed = {value for value, _ in field.values} - field.inactive
    for part in text.split(";") if field.type == "multipicklist" else [text]:
        if part.strip() not in allowed:
            raise row_fault(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field: {part.strip()}",
                field.name,
            )


def _to_number(field: Field, wire: object) -> float | int:
    if isinstance(wire, bool) or not isinstance(wire, int | float | str):
        raise _wrong_type(field, wire)
    try:
        number = Decimal(str(wire))
    except ArithmeticError:
        raise _wrong_type(field, wire) from None
    if not number.is_finite() or (field.type == "int" and number != int(number)):
        raise _wrong_type(field, wire)
    number = number.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP) if abs(number) < 10**18 else number
    if abs(number) >= 10 ** (field.precision - field.scale if field.precision else 10):
        raise row_fault(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{field.label}: value outside of valid range on numeric field: {wire}",
            field.name,
        )
    return int(number) if field.type == "int" else float(number)


def _wrong_type(field: Field, wire: object) -> RowError:
    shown = wire if isinstance(wire, str) else json.dumps(wire)
    kind = "VALUE_NULL" if wire is None else _KINDS.get(type(wire), "START_OBJECT")
    expected = _WIRE_KINDS.get(field.type, "double" if field.type in NUMBERS else "string")
    return RowError(
        Fault(
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            f"{field.label}: value not of required type: {shown}",
            (field.name,),
            expected,
            f"{'VALUE_FALSE' if wire is False else kind} value {shown}",
        )
    )
