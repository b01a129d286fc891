"""Transforms of amounts, numbers, dates and yes/no values. Decimals throughout, rounded only when asked."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connector.core.transforms.transform import Argument, Transform, TransformError

AMOUNT_DIGITS = 31  # before the point; AWS's pattern for amounts
_PRECISION = 100
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ](.+))?")


def money(value: Decimal) -> str:
    """AWS's amount: two decimals, rounded half up, no separators, no exponent."""
    if value < 0:
        raise TransformError("The amount is negative.", "Use an amount of 0 or more.")
    if value.adjusted() >= AMOUNT_DIGITS:
        raise TransformError(f"The amount has more than {AMOUNT_DIGITS} digits.", "Correct it in Salesforce.")
    rounded = round_number(value, 2)
    if rounded.adjusted() >= AMOUNT_DIGITS:
        raise TransformError(f"The amount has more than {AMOUNT_DIGITS} digits.", "Correct it in Salesforce.")
    return format(rounded.copy_abs(), "f")


def round_number(value: Decimal, digits: int) -> Decimal:
    """Rounded half up to so many decimals."""
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, Context(prec=_PRECISION))


def integer(value: Decimal) -> int:
    """A whole number; a fraction is an error, never cut off."""
    if value != value.to_integral_value():
        raise TransformError("This is not a whole number.", "Use a whole number, or add `round` before.")
    return int(value)


def divide(value: Decimal, by: Decimal) -> Decimal:
    return Context(prec=_PRECISION).divide(value, by)


def multiply(value: Decimal, by: Decimal) -> Decimal:
    return Context(prec=_PRECISION).multiply(value, by)


def to_date(value: Any, zone: str | None) -> str:
    """``YYYY-MM-DD`` of a date, or of a moment as seen in ``zone`` (UTC when there is none)."""
    moment = value if isinstance(value, date) else _parse_moment(value)
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        try:
            moment = aware.astimezone(_zone(zone)).date()
        except OverflowError as error:
            raise TransformError("The date is out of range.", "Use a date from 1000 to 9999.") from error
    if moment.year < 1000:
        raise TransformError("The year has fewer than four digits.", "Write the year in full, e.g. 2027.")
    return moment.isoformat()


def _parse_moment(value: Any) -> date:
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise TransformError("This is not a date.", "Use a date field, or write it like 2027-06-30.")
    try:
        return datetime.fromisoformat(match[0]) if match[2] else date.fromisoformat(match[1])
    except ValueError as error:
        raise TransformError("There is no such date.", "Write it like 2027-06-30.") from error


def _zone(name: str | None) -> tzinfo:
    return ZoneInfo(name) if name else UTC


def is_zone(name: str) -> bool:
    """Whether the time zone database knows this name."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # an unknown name, a folder of the database, a path
        return False
    return True


_YES = frozenset({"true", "yes", "y", "1", "on"})
_NO = frozenset({"false", "no", "n", "0", "off"})


def yes_no(value: Any) -> str:
    """AWS's ``Yes`` or ``No``."""
    text = format(value, "g") if isinstance(value, int | float) else str(value).strip().casefold()
    if isinstance(value, list | dict) or text not in _YES | _NO:
        raise TransformError("This is neither yes nor no.", "Use a checkbox, or the values Yes and No.")
    return "Yes" if text in _YES else "No"


_NOT_A_NUMBER = "Text that is no number, e.g. with a currency sign or 1.234,56."
_BY = "The number to use, such as 12."

TRANSFORMS = (
    Transform(
        "money",
        "An amount as AWS writes it: 12500.00.",
        "number",
        "text",
        money,
        errors=f"Negative; more than {AMOUNT_DIGITS} digits. {_NOT_A_NUMBER}",
    ),
    Transform(
        "integer",
        "A whole number.",
        "number",
        "integer",
        integer,
        errors=f"A fraction. {_NOT_A_NUMBER}",
    ),
    Transform(
        "round",
        "Rounds half up.",
        "number",
        "number",
        round_number,
        (
            Argument(
                "digits",
                "integer",
                False,
                0,
                "Decimals to keep.",
                lambda digits: 0 <= digits <= 20,
                "a whole number from 0 to 20",
            ),
        ),
        _NOT_A_NUMBER,
    ),
    Transform(
        "divide",
        "Divides, e.g. a yearly amount by 12.",
        "number",
        "number",
        divide,
        (Argument("by", "number", True, None, _BY, lambda by: by > 0, "a number above 0"),),
        _NOT_A_NUMBER,
    ),
    Transform(
        "multiply",
        "Multiplies.",
        "number",
        "number",
        multiply,
        (Argument("by", "number", True, None, _BY),),
        _NOT_A_NUMBER,
    ),
    Transform(
        "date",
        "A date as AWS writes it, YYYY-MM-DD, from a date or a date and time.",
        "date",
        "date",
        to_date,
        (
            Argument(
                "zone",
                "text",
                False,
                None,
                "The time zone in which a moment becomes a day; UTC without it.",
                is_zone,
                "a time zone such as Europe/Berlin",
            ),
        ),
        "Anything but YYYY-MM-DD with or without a time; a day that does not exist.",
    ),
    Transform(
        "yes_no",
        "A checkbox or yes/no text as Yes or No.",
        "any",
        "text",
        yes_no,
        errors="Any other value.",
    ),
)
