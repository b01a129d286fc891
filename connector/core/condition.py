"""A SOQL condition, read so that it can be judged on a record in hand and so that its fields are known.

Used for ``submission.when`` and for ``where`` of an ``each``. A flag condition is judged by Salesforce alone and only
looked over here, so it may also use what cannot be judged on one record: relative dates, functions, sub-selects.
Salesforce's own semantics: text compares without case, ``!=`` holds for empty values, comparisons with an empty
value do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


class ConditionError(ValueError):
    """The condition cannot be read; ``position`` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a condition: the field, the operator in capitals (``=``, ``NOT IN``, ``LIKE``), its values.

    Values that only Salesforce knows, such as ``TODAY``, are None.
    """

    path: str
    operator: str
    values: tuple[Any, ...]


Judge = Callable[[Callable[[str], Any]], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<datetime>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)
      | (?P<date>\d{4}-\d\d-\d\d)
      | (?P<number>[+-]?\d+(?:\.\d+)?)
      | (?P<relative>[A-Za-z_]+:\d+)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
      | (?P<symbol><=|>=|!=|<>|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_COMPARISONS = ("=", "!=", "<>", "<", ">", "<=", ">=")
_RESERVED = frozenset({"AND", "OR", "NOT", "IN", "LIKE", "TRUE", "FALSE", "NULL", "INCLUDES", "EXCLUDES", "SELECT"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word, value or symbol of a condition, and where it stands."""

    kind: str
    text: str
    position: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else self.text


def tokens_of(text: str) -> Iterator[Token]:
    """The tokens in order. Raises ConditionError at what is none."""
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].lstrip()
            start = len(text) - len(text[position:].lstrip())
            hint = "the quotes are not closed" if rest.startswith("'") else f"{rest[:1]!r} is not understood here"
            raise ConditionError(hint, start)
        yield Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))
        position = match.end()


def parse_condition(text: str) -> Condition:
    """Read a condition. Raises ConditionError saying what is not understood, and where."""
    reader = _Reader(text)
    return Condition(text, tuple(dict.fromkeys(reader.fields)), reader.judge)


def look_over(text: str) -> None:
    """Check a condition that only Salesforce judges. Raises ConditionError like ``parse_condition``."""
    _Reader(text, is_sent=True)


def comparisons_of(text: str) -> tuple[Comparison, ...]:
    """What a condition compares with what, without functions. Raises ConditionError like ``look_over``."""
    return tuple(one for one in _Reader(text, is_sent=True).compared if one.path)


class _Reader:
    """Recursive descent over the tokens; collects what it meets. ``is_sent``: Salesforce judges it."""

    def __init__(self, text: str, *, is_sent: bool = False) -> None:
        self._tokens = list(tokens_of(text))
        self._length = len(text)
        self._is_sent = is_sent
        self._next = 0
        self.fields: list[str] = []
        self.compared: list[Comparison] = []
        self.judge = self.either()
        if self.peek is not None:
            raise ConditionError(f"{self.peek.text!r} is not expected here", self.peek.position)

    @property
    def peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def take(self, *words: str) -> Token | None:
        """The next token if it is one of these words, else None."""
        token = self.peek
        if token is None or (words and token.word not in words):
            return None
        self._next += 1
        return token

    def need(self, *words: str) -> Token:
        token = self.take(*words)
        if token is None:
            found = f"{self.peek.text!r}" if self.peek else "the end"
            wanted = " or ".join(words) or "a value"
            raise ConditionError(
                f"{wanted} is expected, not {found}", self.peek.position if self.peek else self._length
            )
        return token

    def either(self) -> Judge:
        """Parts with AND between them, or with OR; like Salesforce, no mixture without parentheses."""
        parts = [self.one()]
        word = self.take("AND", "OR")
        joint = word
        while joint is not None and word is not None:
            if joint.word != word.word:
                raise ConditionError("AND and OR side by side need parentheses", joint.position)
            parts.append(self.one())
            joint = self.take("AND", "OR")
        if word is None:
            return parts[0]
        combine = all if word.word == "AND" else any
        return lambda lookup: combine(part(lookup) for part in parts)

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
        before = len(self.fields)
        path = self.field()
        noted = path if len(self.fields) > before else ""
        operator = self.need(*_COMPARISONS, "IN", "NOT", "LIKE", "INCLUDES", "EXCLUDES")
        if operator.word == "NOT":
            self.need("IN")
            values = self.noting(noted, "NOT IN", self.values())
            return lambda lookup: not _is_among(lookup(path), values)
        if operator.word in {"IN", "INCLUDES", "EXCLUDES"}:
            return _among(path, operator.word, self.noting(noted, operator.word, self.values()))
        if operator.word == "LIKE":
            return _like(path, self.noting(noted, "LIKE", [self.pattern()])[0])
        return _compare(path, operator.word, self.noting(noted, operator.word, [self.value()])[0])

    def noting(self, path: str, operator: str, values: list[Any]) -> list[Any]:
        """The values, noted as what a field (none: "") is compared with."""
        self.compared.append(Comparison(path, operator, tuple(values)))
        return values

    def field(self) -> str:
        token = self.need()
        if token.kind != "name" or token.word in _RESERVED:
            raise ConditionError(f"a field name is expected, not {token.text!r}", token.position)
        if self._is_sent and self.take("("):
            self.skip_group()
        else:
            self.fields.append(token.text)
        return token.text

    def skip_group(self) -> None:
        """Pass over everything up to the parenthesis that closes the one just taken."""
        depth = 1
        while depth:
            token = self.need()
            depth += {"(": 1, ")": -1}.get(token.text, 0)

    def pattern(self) -> str:
        token = self.need()
        if token.kind != "string":
            raise ConditionError(f"LIKE needs a text in single quotes, not {token.text!r}", token.position)
        return token.text[1:-1]

    def values(self) -> list[Any]:
        self.need("(")
        if self._is_sent and self.take("SELECT"):
            self.skip_group()
            return []
        values = [self.value()]
        while self.take(","):
            values.append(self.value())
        self.need(")")
        return values

    def value(self) -> Any:
        token = self.need()
        if token.kind == "string":
            return _unescaped(token.text[1:-1])
        if token.kind == "number":
            return Decimal(token.text)
        if token.kind in {"date", "datetime"}:
            return _checked_day(token)
        constants = {"TRUE": True, "FALSE": False, "NULL": None}
        if token.word in constants:
            return constants[token.word]
        return self.unjudged_value(token)

    def unjudged_value(self, token: Token) -> Any:
        is_relative = token.kind == "relative" or (token.kind == "name" and token.word in _RELATIVE_DAYS)
        if is_relative and self._is_sent:
            return None
        if is_relative:
            message = f"{token.text} is only possible in the flag; write a date like 2027-01-31"
            raise ConditionError(message, token.position)
        raise ConditionError(f"{token.text!r} is not a value; text needs single quotes", token.position)


# Source: SOQL reference, date formats and date literals, read 2026-11-21; those with :n are tokens of their own.
_RELATIVE_DAYS = frozenset({"YESTERDAY", "TODAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"}) | {
    f"{which}_{what}"
    for which in ("LAST", "THIS", "NEXT")
    for what in ("WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")
}


def _checked_day(token: Token) -> str:
    try:
        if token.kind == "date":
            date.fromisoformat(token.text)
        else:
            datetime.fromisoformat(token.text)
    except ValueError:
        raise ConditionError(f"there is no day {token.text}", token.position) from None
    return token.text


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text, flags=re.DOTALL)


def _folded(value: Any) -> Any:
    """Values as Salesforce compares them: text without case, numbers as decimals, instants as instants."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value))
    text = str(value)
    return (_to_instant(text) if _INSTANT.match(text) else None) or text.casefold()


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")


def _to_instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _is_equal(value: Any, wanted: Any) -> bool:
    """An empty text equals null, and a checkbox is never null in Salesforce."""
    if value is None and isinstance(wanted, bool):
        value = False
    return bool(_folded(None if value == "" else value) == _folded(None if wanted == "" else wanted))


def _is_among(value: Any, values: list[Any]) -> bool:
    return any(_is_equal(value, wanted) for wanted in values)


def _among(path: str, word: str, values: list[Any]) -> Judge:
    if word == "IN":
        return lambda lookup: _is_among(lookup(path), values)
    wanted = [choices for value in values if (choices := _choices_of(value))]

    def includes(lookup: Callable[[str], Any]) -> bool:
        chosen = _choices_of(lookup(path))
        return any(choices <= chosen for choices in wanted)

    return includes if word == "INCLUDES" else lambda lookup: not includes(lookup)


def _choices_of(value: Any) -> set[str]:
    """The values of a multi-select picklist."""
    parts = (part.strip().casefold() for part in str(value or "").split(";"))
    return {part for part in parts if part}


def _like(path: str, text: str) -> Judge:
    r"""``%`` is any text and ``_`` any character, but for a backslash before it; an empty value is like nothing."""
    parts = re.findall(r"\\.|[^\\]", text, flags=re.DOTALL)
    wild = (_WILD.get(part) or re.escape(_unescaped(part)) for part in parts)
    pattern = re.compile("".join(wild), re.IGNORECASE | re.DOTALL)
    return lambda lookup: (value := lookup(path)) not in (None, "") and pattern.fullmatch(str(value)) is not None


_WILD = {"%": ".*", "_": "."}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b),
    "<=": lambda a, b: bool(a <= b),
    ">=": lambda a, b: bool(a >= b),
}


def _compare(path: str, operator: str, wanted: Any) -> Judge:
    if operator == "=":
        return lambda lookup: _is_equal(lookup(path), wanted)
    if operator in {"!=", "<>"}:
        return lambda lookup: not _is_equal(lookup(path), wanted)
    ordered, bound = _ORDER[operator], _folded(wanted)

    def judge(lookup: Callable[[str], Any]) -> bool:
        value = _folded(lookup(path))
        if value is None or bound is None or type(value) is not type(bound):
            return False
        return ordered(value, bound)

    return judge
