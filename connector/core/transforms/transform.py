"""What a transform is: documented arguments, and how it is applied to a value. Knows no single transform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["integer", "number", "text", "values", "aws_path"]
Takes: TypeAlias = Literal["text", "number", "date", "list", "any"]
NOTHING: tuple[Any, ...] = (None, "", [], {})


class TransformError(ValueError):
    """A value, or an argument in the mapping file, that a transform cannot use.

    ``message`` says what is wrong, ``cure`` what would be right; both are for the person who can change it.
    """

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(f"{message} {cure}".rstrip())
        self.message = message
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a transform. ``allows`` narrows what its kind admits, ``wants`` says how, in words."""

    name: str
    kind: Kind
    required: bool
    default: Any
    summary: str
    allows: Callable[[Any], bool] | None = None
    wants: str = ""

    def read(self, given: Any, transform: str) -> Any:
        """The argument as its kind wants it. Raises TransformError."""
        value = _READERS[self.kind](given)
        if value is None or (self.allows is not None and not self.allows(value)):
            wanted = self.wants or _WANTED[self.kind]
            raise TransformError(f"{transform}: {self.name} must be {wanted}, not {given!r}.", self.summary)
        return value


def _read_integer(given: Any) -> int | None:
    return int(given) if isinstance(given, int) and not isinstance(given, bool) else None


def _read_number(given: Any) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        return None
    try:
        number = Decimal(str(given))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _read_text(given: Any) -> str | None:
    return str(given) if isinstance(given, str) else None


def _read_values(given: Any) -> tuple[str, ...] | None:
    items = given if isinstance(given, list | tuple) else [given]
    return tuple(str(item) for item in items) if all(isinstance(item, str) for item in items) else None


_READERS: Mapping[Kind, Callable[[Any], Any]] = {
    "integer": _read_integer,
    "number": _read_number,
    "text": _read_text,
    "values": _read_values,
    "aws_path": _read_text,
}
_WANTED: Mapping[Kind, str] = {
    "integer": "a whole number",
    "number": "a number",
    "text": "a text (in quotes where it looks like a number)",
    "values": "a list of texts",
    "aws_path": "an AWS path such as Customer.Account.Address.CountryCode",
}


@dataclass(frozen=True, slots=True)
class Transform:
    """A named value function that a mapping may use.

    ``function(value, **arguments)`` gives the new value or raises TransformError. ``takes`` is what it is
    given: text, number and date functions see one value at a time and never an empty one; a list function
    sees the whole list, anything else being a list of one; ``any`` sees the value as it is.
    """

    name: str
    summary: str
    takes: Takes
    gives: str
    function: Callable[..., Any]
    arguments: tuple[Argument, ...] = ()
    errors: str = "None."

    def bind(self, given: Any = None) -> dict[str, Any]:
        """The arguments by name, from the YAML beside the transform's name.

        ``given`` is None when there is nothing, a mapping by argument name, or a scalar or list that is the
        first argument. Raises TransformError that names an unknown, missing or wrong-typed argument.
        """
        named = self._named(given)
        known = {argument.name: argument for argument in self.arguments}
        for name in named:
            if name not in known:
                raise TransformError(f"{self.name} has no argument {name!r}.", self._usage())
        bound: dict[str, Any] = {}
        for argument in self.arguments:
            value = named.get(argument.name)
            if value is None and argument.required:
                raise TransformError(f"{self.name} needs {argument.name}.", self._usage())
            bound[argument.name] = argument.default if value is None else argument.read(value, self.name)
        return bound

    def _named(self, given: Any) -> Mapping[str, Any]:
        if given is None:
            return {}
        if isinstance(given, Mapping):
            return {str(name): value for name, value in given.items()}
        if not self.arguments:
            raise TransformError(f"{self.name} takes no argument.", self._usage())
        return {self.arguments[0].name: given}

    def _usage(self) -> str:
        if not self.arguments:
            return f"Write just {self.name}."
        shown = ", ".join(f"{a.name}: …" if a.required else f"[{a.name}: …]" for a in self.arguments)
        return f"Write {{{self.name}: {{{shown}}}}}."


def apply(transform: Transform, value: Any, arguments: Mapping[str, Any]) -> Any:
    """The transformed value; None where nothing is left.

    ``arguments`` are those of ``bind``, with the value at each AWS path in place of the path. An empty
    value stays empty: no transform invents one. Raises TransformError.
    """
    if value in NOTHING:
        return None
    if transform.takes == "list":
        items = value if isinstance(value, list) else [value]
        result = transform.function([item for item in items if item not in NOTHING], **arguments)
    elif transform.takes == "any":
        result = transform.function(value, **arguments)
    elif isinstance(value, list):
        result = _apply_to_items(transform, value, arguments)
    else:
        result = transform.function(_READ[transform.takes](value), **arguments)
    return None if result in NOTHING else result


def _apply_to_items(transform: Transform, values: list[Any], arguments: Mapping[str, Any]) -> list[Any]:
    results: list[Any] = []
    for value in values:
        result = apply(transform, value, arguments)
        if result is not None:
            results.extend(result if isinstance(result, list) else [result])
    return results


def to_text(value: Any) -> str:
    """A scalar as text: numbers without exponent and without idle zeros. Raises TransformError."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        raise TransformError("This is a yes/no value, a text is needed.", "Use the transform yes_no.")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float | Decimal):
        return format(to_number(value).normalize(Context(prec=2 * MOST_DIGITS)), "f")
    raise TransformError("This is not one value but a structure.", "Map one of its fields.")


def to_number(value: Any) -> Decimal:
    """A number, or a text like ``12500.5`` or ``1,234.56``; no other notation. Raises TransformError."""
    if isinstance(value, str):
        return _parse_number(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TransformError("This is not a number.", "Map a number or currency field.")
    number = Decimal(str(value))
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        raise TransformError("This number is out of range.", "Correct it in Salesforce.")
    return number


MOST_DIGITS = 40


def _parse_number(text: str) -> Decimal:
    digits = text.lstrip("+-")
    whole, point, fraction = digits.partition(".")
    groups = whole.split(",")
    grouped = len(groups) == 1 or (
        1 <= len(groups[0]) <= 3 and groups[0][0] != "0" and all(len(group) == 3 for group in groups[1:])
    )
    plain = "".join(groups)
    is_ascii = (plain + fraction).isdecimal() and text.isascii()
    if not (plain and grouped and is_ascii and len(text) - len(digits) <= 1) or (point and not plain):
        raise TransformError(
            "This text is not a number.", "Write it like 1234.56 or 1,234.56, without currency or unit."
        )
    if len(plain) + len(fraction) > MOST_DIGITS:
        raise TransformError("This number is too long.", "Correct it in Salesforce.")
    return Decimal(text.replace(",", ""))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "text": to_text,
    "number": to_number,
    "date": lambda value: value,
}
