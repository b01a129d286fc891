"""A SOQL condition, read so that it can be judged on a record in hand and so that its fields are known.

Used for ``submission.when``, for ``where`` of an ``each``, and to look a flag condition over before it is sent.
Salesforce's own semantics: text compares without case, ``!=`` holds for empty values, comparisons with an empty
value do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


class ConditionError(ValueError):
    """The condition cannot be read; ``position`` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition: ``holds(lookup)`` judges a record, ``fields`` are the dotted paths it reads."""

    text: str
    fields: tuple[str, ...]
    _judge: Callable[[Callable[[str], Any]], bool]

    def holds(self, lookup: Callable[[str], Any]) -> bool:
        """Judge one record; ``lookup`` gives the value of a dotted path, None where it is empty."""
        return self._judge(lookup)


Judge = Callable[[Callable[[str], Any]], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<datetime>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)
      | (?P<date>\d{4}-\d\d-\d\d)
      | (?P<number>[+-]?\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
      | (?P<symbol><=|>=|!=|<>|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_COMPARISONS = ("=", "!=", "<>", "<", ">", "<=", ">=")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else self.text


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].lstrip()
            start = len(text) - len(text[position:].lstrip())
            hint = "the quotes are not closed" if rest.startswith("'") else f"{rest[:1]!r} is not understood here"
            raise ConditionError(f"{hint} (at character {start + 1})", start)
        yield _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))
        position = match.end()


def parse_condition(text: str) -> Condition:
    """Read a condition. Raises ConditionError saying what is not understood, and where."""
    reader = _Reader(list(_tokens(text)), len(text))
    judge = reader.either()
    if reader.peek is not None:
        raise ConditionError(f"{reader.peek.text!r} is not expected here", reader.peek.position)
    return Condition(text, tuple(dict.fromkeys(reader.fields)), judge)


class _Reader:
    """Recursive descent over the tokens; collects the fields it meets."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = tokens
        self._length = length
        self._next = 0
        self.fields: list[str] = []

    @property
    def peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def take(self, *words: str) -> _Token | None:
        """The next token if it is one of these words, else None."""
        token = self.peek
        if token is None or (words and token.word not in words):
            return None
        self._next += 1
        return token

    def need(self, *words: str) -> _Token:
        token = self.take(*words)
        if token is None:
            found = f"{self.peek.text!r}" if self.peek else "the end"
            wanted = " or ".join(words) or "a value"
            raise ConditionError(
                f"{wanted} is expected, not {found}", self.peek.position if self.peek else self._length
            )
        return token

    def either(self) -> Judge:
        parts = [self.both()]
        while self.take("OR"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda lookup: any(part(lookup) for part in parts)

    def both(self) -> Judge:
        parts = [self.one()]
        while self.take("AND"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda lookup: all(part(lookup) for part in parts)

    def one(self) -> Judge:
        if self.take("NOT"):
            inner = self.one()
            return lambda lookup: not inner(lookup)
        if self.take("("):
            grouped = self.either()
            self.need(")")
            return grouped
        return self.comparison()

    def comparison(self) -> Judge:
        token = self.need()
        if token.kind != "name" or token.word in {"AND", "OR", "NOT", "IN", "LIKE", "TRUE", "FALSE", "NULL"}:
            raise ConditionError(f"a field name is expected, not {token.text!r}", token.position)
        path = token.text
        self.fields.append(path)
        operator = self.need(*_COMPARISONS, "IN", "NOT", "LIKE", "INCLUDES", "EXCLUDES")
        if operator.word == "NOT":
            self.need("IN")
            values = self.values()
            return lambda lookup: not _is_among(lookup(path), values)
        if operator.word in {"IN", "INCLUDES", "EXCLUDES"}:
            return _among(path, operator.word, self.values())
        value = self.value()
        if operator.word == "LIKE":
            return _like(path, str(value))
        return _compare(path, operator.word, value)

    def values(self) -> list[Any]:
        self.need("(")
        values = [self.value()]
        while self.take(","):
            values.append(self.value())
        self.need(")")
        return values

    def value(self) -> Any:
        token = self.need()
        if token.kind == "string":
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token.text[1:-1])
        if token.kind == "number":
            return Decimal(token.text)
        if token.kind in {"date", "datetime"}:
            return token.text
        constants = {"TRUE": True, "FALSE": False, "NULL": None}
        if token.word in constants:
            return constants[token.word]
        message = f"{token.text!r} is not a value; text needs single quotes"
        raise ConditionError(message, token.position)


def _folded(value: Any) -> Any:
    """Values as Salesforce compares them: text without case, numbers as decimals, instants as instants."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value))
    text = str(value)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*", text):
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    return text.casefold()


def _is_among(value: Any, values: list[Any]) -> bool:
    return _folded(value) in [_folded(candidate) for candidate in values]


def _among(path: str, word: str, values: list[Any]) -> Judge:
    if word == "IN":
        return lambda lookup: _is_among(lookup(path), values)

    def includes(lookup: Callable[[str], Any]) -> bool:
        chosen = {item.strip().casefold() for item in str(lookup(path) or "").split(";")}
        return any({part.strip().casefold() for part in str(value).split(";")} <= chosen for value in values)

    return includes if word == "INCLUDES" else lambda lookup: not includes(lookup)


def _like(path: str, text: str) -> Judge:
    wild = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in text)
    pattern = re.compile(wild, re.IGNORECASE | re.DOTALL)
    return lambda lookup: pattern.fullmatch(str(lookup(path) or "")) is not None


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b),
    "<=": lambda a, b: bool(a <= b),
    ">=": lambda a, b: bool(a >= b),
}


def _compare(path: str, operator: str, wanted: Any) -> Judge:
    folded = _folded(wanted)
    if operator == "=":
        return lambda lookup: bool(_folded(_plain(lookup(path), wanted)) == folded)
    if operator in {"!=", "<>"}:
        return lambda lookup: bool(_folded(_plain(lookup(path), wanted)) != folded)
    ordered = _ORDER[operator]

    def judge(lookup: Callable[[str], Any]) -> bool:
        value = _folded(lookup(path))
        if value is None or folded is None or type(value) is not type(folded):
            return False
        return ordered(value, folded)

    return judge


def _plain(value: Any, wanted: Any) -> Any:
    """An empty text equals null, and a checkbox is never null in Salesforce."""
    if value == "":
        return None
    if value is None and isinstance(wanted, bool):
        return False
    return value
