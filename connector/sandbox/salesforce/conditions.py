"""One comparison of a WHERE clause as a test of a row, with the platform's idea of null, case and types.

`!=`, NOT IN and EXCLUDES are true of null; text is compared without regard to case; a literal of another
type than the field's is refused, a date field with a datetime and the reverse included.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from connector.sandbox.salesforce import ids, soql
from connector.sandbox.salesforce.calendar_ranges import to_days
from connector.sandbox.salesforce.faults import QueryError
from connector.sandbox.salesforce.plan import Predicate, Reader
from connector.sandbox.salesforce.schema import NUMBERS, REFERENCES, TEXTS, Field
from connector.sandbox.salesforce.values import read_date, read_datetime

Refuse = Callable[[int, str, str], QueryError]
_WIRE_TYPES = {"datetime": "dateTime", "int": "int", "boolean": "boolean", "date": "date"}
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def read_ids(condition: soql.Condition) -> frozenset[str] | None:
    """The ids a condition on Id allows, where it is a plain list of them."""
    literals: tuple[soql.Literal, ...] = ()
    if isinstance(condition, soql.Compare) and condition.operator == "=":
        literals = (condition.value,)
    elif isinstance(condition, soql.Member) and condition.operator == "IN":
        literals = condition.values if isinstance(condition.values, tuple) else ()
    if not literals or [name.lower() for name in _path(condition)] != ["id"]:
        return None
    found = (ids.normalise(literal.string) for literal in literals if literal.kind == "string")
    return frozenset(one for one in found if one is not None)


def _path(condition: soql.Condition) -> tuple[str, ...]:
    return condition.path.names if isinstance(condition, soql.Compare | soql.Member) else ()


def match(condition: soql.Compare | soql.Member, field: Field, read: Reader, today: date, refuse: Refuse) -> Predicate:
    """The test of one comparison without a sub-select; QueryError where the platform refuses it."""
    maker = _Maker(field, read, today, refuse)
    if isinstance(condition, soql.Member):
        assert isinstance(condition.values, tuple)
        return maker.match_member(condition.operator, condition.values, condition.path.at)
    if condition.operator == "LIKE":
        return maker.match_like(condition.value, condition.path.at)
    if condition.value.kind == "range":
        return maker.match_range(condition.operator, condition.value)
    return maker.match_value(condition.operator, condition.value, condition.path.at)


class _Maker:
    def __init__(self, field: Field, read: Reader, today: date, refuse: Refuse) -> None:
        self.field = field
        self.read = _fold(field, read)
        self.today = today
        self.refuse = refuse

    def match_value(self, operator: str, literal: soql.Literal, at: int) -> Predicate:
        value, read = self.to_value(literal), self.read
        if operator == "=":
            return lambda row: bool(read(row) == value)
        if operator == "!=":
            return lambda row: bool(read(row) != value)
        if self.field.type in {"boolean", "multipicklist"}:
            message = f"field '{self.field.name}' does not support filter operators '{operator}'"
            raise self.refuse(at, "INVALID_QUERY_FILTER_OPERATOR", message)
        test = _TESTS[operator]
        return lambda row: (found := read(row)) is not None and value is not None and test(found, value)

    def match_range(self, operator: str, literal: soql.Literal) -> Predicate:
        if self.field.type not in {"date", "datetime"}:
            raise self.wrong_type(literal)
        first, after = to_days(literal.text, literal.count, self.today)
        low, high = (first, after) if self.field.type == "date" else (_midnight(first), _midnight(after))
        read = self.read
        tests: dict[str, Callable[[Any], bool]] = {
            "=": lambda value: low <= value < high,
            "!=": lambda value: not low <= value < high,
            "<": lambda value: value < low,
            "<=": lambda value: value < high,
            ">": lambda value: value >= high,
            ">=": lambda value: value >= low,
        }
        test, is_null_in = tests[operator], operator == "!="
        return lambda row: is_null_in if (found := read(row)) is None else test(found)

    def match_like(self, literal: soql.Literal, at: int) -> Predicate:
        if self.field.type not in TEXTS:
            message = f"invalid operator on {self.field.type} field"
            raise self.refuse(at, "INVALID_QUERY_FILTER_OPERATOR", message)
        if literal.kind != "string":
            raise self.wrong_type(literal)
        pattern, read = _to_pattern(literal.text), self.read
        return lambda row: (found := read(row)) is not None and pattern.fullmatch(found) is not None

    def match_member(self, operator: str, literals: tuple[soql.Literal, ...], at: int) -> Predicate:
        if operator in {"INCLUDES", "EXCLUDES"}:
            return self.match_choices(operator, literals, at)
        read, allowed = self.read, {self.to_value(literal) for literal in literals}
        if operator == "NOT IN":
            return lambda row: read(row) not in allowed
        return lambda row: read(row) in allowed

    def match_choices(self, operator: str, literals: tuple[soql.Literal, ...], at: int) -> Predicate:
        if self.field.type != "multipicklist":
            message = "includes and excludes operators are only valid on multi-select picklist fields"
            raise self.refuse(at, "INVALID_QUERY_FILTER_OPERATOR", message)
        wanted = [value for value in (self.to_value(literal) for literal in literals) if value is not None]
        read, is_excluded = self.read, operator == "EXCLUDES"

        def is_match(row: dict[str, Any]) -> bool:
            chosen = read(row) or frozenset()
            return any(choice <= chosen for choice in wanted) != is_excluded

        return is_match

    def to_value(self, literal: soql.Literal) -> Any:
        """The literal as the field's values are compared: folded text, set, number, date, datetime, "
        "bool, None."""
        kind = self.field.type
        if literal.kind == "null":
            return None
        if kind in REFERENCES:
            return self.to_id(literal)
        if kind in TEXTS or kind == "multipicklist":
            if literal.kind != "string":
                raise self.wrong_type(literal)
            text = literal.string.casefold()
            return (_to_choices(text) if kind == "multipicklist" else text) if text else None
        wanted = "number" if kind in NUMBERS else kind
        if literal.kind != wanted:
            raise self.wrong_type(literal)
        return self.to_scalar(wanted, literal)

    def to_scalar(self, kind: str, literal: soql.Literal) -> Any:
        if kind == "boolean":
            return literal.text == "TRUE"
        if kind == "number":
            return float(literal.text)
        value = read_date(literal.text) if kind == "date" else read_datetime(literal.text)
        if value is None:
            message = f"line 1:{literal.at} no viable alternative at character '{literal.text[-1]}'"
            raise self.refuse(literal.at, "MALFORMED_QUERY", message)
        return value

    def to_id(self, literal: soql.Literal) -> str:
        if literal.kind != "string":
            raise self.wrong_type(literal)
        found = ids.normalise(literal.string)
        if found is None:
            message = f"invalid ID field: {literal.string}"
            raise self.refuse(literal.at, "INVALID_QUERY_FILTER_OPERATOR", message)
        return found

    def wrong_type(self, literal: soql.Literal) -> QueryError:
        kind = self.field.type
        if kind in TEXTS or kind in REFERENCES or kind == "multipicklist":
            wanted = "must be of type string and should be enclosed in quotes"
        else:
            name = _WIRE_TYPES.get(kind, "double")
            wanted = f"must be of type {name} and should not be enclosed in quotes"
        message = f"value of filter criterion for field '{self.field.name}' {wanted}"
        return self.refuse(literal.at, "INVALID_FIELD", message)


def _fold(field: Field, read: Reader) -> Reader:
    """Reads a value as it is compared."""
    if field.type in TEXTS:
        return lambda row: None if (value := read(row)) is None else value.casefold()
    if field.type == "multipicklist":
        return lambda row: None if (value := read(row)) is None else _to_choices(value.casefold())
    return read


def _to_choices(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(";"))


def _to_pattern(text: str) -> re.Pattern[str]:
    r"""`%` is any text, `_` any character; a backslash takes that meaning away."""
    parts = re.findall(r"\\.|[^\\]", text.casefold(), flags=re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
