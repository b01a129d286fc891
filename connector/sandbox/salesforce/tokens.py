"""The words of SOQL, each with its place in the text, and the errors that point at a place.

Knows no grammar and no schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from connector.sandbox.salesforce.faults import QueryError

_WINDOW = 60

_TOKEN = re.compile(
    r"""
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)(?![\w-])
    | (?P<number>[+-]?\d+(?:\.\d+)?)(?!\w)
    | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<operator><=|>=|!=|<>|=|<|>)
    | (?P<mark>[(),:])
    | (?P<space>\s+)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is string, datetime, date, number, name, operator, mark or end."""

    kind: str
    text: str
    at: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "name" and self.text.upper() in words


def fault_at(text: str, at: int, code: str, message: str) -> QueryError:
    """An error in Salesforce's layout: the part of the query around the place, a caret under it, then "
    "the words."""
    start = 0 if len(text) <= 2 * _WINDOW else max(0, at - _WINDOW)
    excerpt = text[start : at + _WINDOW].replace("\n", " ")
    caret = " " * (at - start) + "^"
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return QueryError(code, f"\n{excerpt}\n{caret}\nERROR at Row:{line}:Column:{column}\n{message}")


def tokenize(text: str) -> list[Token]:
    """Every token, closed by one of kind `end`; QueryError MALFORMED_QUERY at the first character that "
    "is none."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise fault_at(text, at, "MALFORMED_QUERY", _describe_stray(text[at]))
        if found.lastgroup and found.lastgroup != "space":
            tokens.append(Token(found.lastgroup, found.group(), at))
        at = found.end()
    return [*tokens, Token("end", "<EOF>", len(text))]


def _describe_stray(character: str) -> str:
    if character == "'":
        return "Apostrophe is not closed: line 1:0 mismatched character '<EOF>' expecting '''"
    return f"unexpected token: '{character}'"
