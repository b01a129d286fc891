"""SOQL as a tree: a recursive-descent parser for SELECT statements, without GROUP BY and aggregates but
count().

The tree knows nothing of any schema: names stay as written, every node keeps its place (`at`, a character
offset) so that a later check can point at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from connector.sandbox.salesforce.faults import QueryError
from connector.sandbox.salesforce.tokens import Token, fault_at, tokenize

MAX_LENGTH = 100_000
MAX_OFFSET = 2_000
_ESCAPES = {"n": "\n", "N": "\n", "r": "\r", "R": "\r", "t": "\t", "T": "\t", "b": "\b", "f": "\f"}
_ESCAPES |= {"B": "\b", "F": "\f", "\\": "\\", "'": "'", '"': '"', "_": "_", "%": "%"}
_RESERVED = frozenset(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "LIKE",
        "IN",
        "INCLUDES",
        "EXCLUDES",
        "ORDER",
        "LIMIT",
        "OFFSET",
        "GROUP",
        "HAVING",
        "USING",
        "WITH",
        "FOR",
    ]
)
_COUNTED = frozenset(
    f"{side}_N_{unit}" for side in ("LAST", "NEXT") for unit in ("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS")
)
_RANGES = frozenset({"TODAY", "YESTERDAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"}) | frozenset(
    f"{side}_{unit}" for side in ("LAST", "THIS", "NEXT") for unit in ("WEEK", "MONTH", "QUARTER", "YEAR")
)


@dataclass(frozen=True, slots=True)
class Path:
    """A dotted field path; `label` marks `toLabel(...)`, `alias` its output name."""

    names: tuple[str, ...]
    at: int
    label: bool = False
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    """`kind`: string, number, boolean, null, date, datetime or range. A string keeps its backslashes in
    `text`; a range is a date literal such as TODAY, with `count` days, weeks... where it takes a
    number."""

    kind: str
    text: str
    at: int
    count: int = 0

    @property
    def string(self) -> str:
        """The text a string literal stands for."""
        return re.sub(r"\\(.)", lambda m: _ESCAPES[m[1]], self.text, flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator`: = != < <= > >= or LIKE."""

    path: Path
    operator: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Member:
    """`operator`: IN, NOT IN, INCLUDES or EXCLUDES; `values` is a Query for a semi-join."""

    path: Path
    operator: str
    values: tuple[Literal, ...] | Query


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class Junction:
    """Parts joined by one operator, AND or OR."""

    operator: str
    parts: tuple[Condition, ...]


Condition = Compare | Member | Not | Junction


@dataclass(frozen=True, slots=True)
class Order:
    path: Path
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT; `fields` is empty where `is_count` (SELECT count())."""

    fields: tuple[Path | Query, ...]
    is_count: bool
    source: str
    source_at: int
    alias: str | None
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int
    at: int


def parse(text: str) -> Query:
    """The tree of one statement; QueryError with the place and Salesforce's words where there is none."""
    if len(text) > MAX_LENGTH:
        raise QueryError("MALFORMED_QUERY", "SOQL statements can not be longer than 100000 characters")
    return _Parser(text).read_statement()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.place = 0

    # -- tokens ------------------------------------------------------------------------------------

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def advance(self) -> Token:
        token = self.next
        self.place += 1
        return token

    def refuse(self, token: Token | None = None) -> QueryError:
        token = token or self.next
        return fault_at(self.text, token.at, "MALFORMED_QUERY", f"unexpected token: '{token.text}'")

    def accept(self, *words: str) -> bool:
        """Steps over the next token where it is one of these words, marks or operators."""
        if self.next.kind in {"string", "end"} or self.next.text.upper() not in words:
            return False
        self.place += 1
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise self.refuse()

    def read_name(self) -> Token:
        if self.next.kind != "name" or self.next.text.upper() in _RESERVED:
            raise self.refuse()
        return self.advance()

    def read_integer(self) -> int:
        if self.next.kind != "number" or not self.next.text.isdigit():
            raise self.refuse()
        return int(self.advance().text)

    # -- statements --------------------------------------------------------------------------------

    def read_statement(self) -> Query:
        query = self.read_query()
        if self.next.kind != "end":
            raise self.refuse()
        return query

    def read_query(self) -> Query:
        at = self.next.at
        self.expect("SELECT")
        is_count = self.accept_count()
        fields = () if is_count else self.read_selection()
        self.expect("FROM")
        source = self.read_name()
        alias = self.read_alias()
        where = self.read_condition() if self.accept("WHERE") else None
        return Query(
            fields,
            is_count,
            source.text,
            source.at,
            alias,
            where,
            self.read_orders(),
            self.read_integer() if self.accept("LIMIT") else None,
            self.read_offset(),
            at,
        )

    def accept_count(self) -> bool:
        words = [token.text.upper() for token in self.tokens[self.place : self.place + 3]]
        if words != ["COUNT", "(", ")"]:
            return False
        self.place += 3
        return True

    def read_selection(self) -> tuple[Path | Query, ...]:
        found = [self.read_selected()]
        while self.accept(","):
            found.append(self.read_selected())
        return tuple(found)

    def read_selected(self) -> Path | Query:
        if self.accept("("):
            query = self.read_query()
            self.expect(")")
            return query
        path = self.read_path()
        if self.next.kind == "name" and self.next.text.upper() not in _RESERVED and path.label:
            return Path(path.names, path.at, label=True, alias=self.advance().text)
        return path

    def read_path(self) -> Path:
        name = self.read_name()
        if name.text.upper() == "TOLABEL" and self.accept("("):
            inner = self.read_name()
            self.expect(")")
            return Path(tuple(inner.text.split(".")), inner.at, label=True)
        return Path(tuple(name.text.split(".")), name.at)

    def read_alias(self) -> str | None:
        if self.accept("AS"):
            return self.read_name().text
        if self.next.kind == "name" and self.next.text.upper() not in _RESERVED:
            return self.advance().text
        return None

    def read_orders(self) -> tuple[Order, ...]:
        if not self.accept("ORDER"):
            return ()
        self.expect("BY")
        found = [self.read_order()]
        while self.accept(","):
            found.append(self.read_order())
        return tuple(found)

    def read_order(self) -> Order:
        path = self.read_path()
        descending = self.accept("DESC")
        if not descending:
            self.accept("ASC")
        nulls_last = False
        if self.accept("NULLS"):
            nulls_last = self.accept("LAST")
            if not nulls_last:
                self.expect("FIRST")
        return Order(path, descending, nulls_last)

    def read_offset(self) -> int:
        if not self.accept("OFFSET"):
            return 0
        offset = self.read_integer()
        if offset > MAX_OFFSET:
            raise QueryError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
        return offset

    # -- conditions --------------------------------------------------------------------------------

    def read_condition(self) -> Condition:
        parts = [self.read_part()]
        joiner = self.next.text.upper() if self.next.is_word("AND", "OR") else ""
        while joiner and self.accept(joiner):
            parts.append(self.read_part())
        if self.next.is_word("AND", "OR"):  # AND and OR side by side need parentheses
            raise self.refuse()
        return Junction(joiner, tuple(parts)) if joiner else parts[0]

    def read_part(self) -> Condition:
        if self.accept("NOT"):
            return Not(self.read_part())
        if self.accept("("):
            condition = self.read_condition()
            self.expect(")")
            return condition
        return self.read_comparison()

    def read_comparison(self) -> Condition:
        path = self.read_path()
        token = self.advance()
        word = token.text.upper()
        if token.kind == "operator":
            return Compare(path, "!=" if word == "<>" else word, self.read_literal())
        if token.is_word("LIKE"):
            return Compare(path, word, self.read_literal())
        if token.is_word("NOT"):
            self.expect("IN")
            return Member(path, "NOT IN", self.read_members(may_select=True))
        if token.is_word("IN", "INCLUDES", "EXCLUDES"):
            return Member(path, word, self.read_members(may_select=word == "IN"))
        raise self.refuse(token)

    def read_members(self, *, may_select: bool) -> tuple[Literal, ...] | Query:
        self.expect("(")
        if may_select and self.next.is_word("SELECT"):
            query = self.read_query()
            self.expect(")")
            return query
        found = [self.read_literal()]
        while self.accept(","):
            found.append(self.read_literal())
        self.expect(")")
        return tuple(found)

    def read_literal(self) -> Literal:
        token = self.advance()
        if token.kind == "string":
            return self.read_string(token)
        if token.kind in {"number", "date", "datetime"}:
            return Literal(token.kind, token.text, token.at)
        if token.is_word("TRUE", "FALSE"):
            return Literal("boolean", token.text.upper(), token.at)
        if token.is_word("NULL"):
            return Literal("null", "", token.at)
        if token.is_word(*_RANGES):
            return Literal("range", token.text.upper(), token.at)
        if token.is_word(*_COUNTED):
            self.expect(":")
            return Literal("range", token.text.upper(), token.at, self.read_integer())
        raise self.refuse(token)

    def read_string(self, token: Token) -> Literal:
        text = token.text[1:-1]
        for escape in re.finditer(r"\\(.)", text, flags=re.DOTALL):
            if escape[1] not in _ESCAPES:
                message = f"Illegal character sequence '{escape[0]}' in string literal."
                raise QueryError("MALFORMED_QUERY", f"Invalid string literal '{text}'. {message}")
        return Literal("string", text, token.at)
