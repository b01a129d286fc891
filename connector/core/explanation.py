"""A flag condition taken apart: each comparison with the value it has on a record now, and whether it holds.

For a person who asks why a record is not shared. Salesforce judges the condition as a whole; what only Salesforce can
judge (relative dates, functions, sub-selects) is told as such here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from connector.core.condition import ConditionError, Token, comparisons_of, parse_condition, tokens_of
from connector.core.text import to_text

_JOINTS = ("AND", "OR")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One part of a condition on one record.

    A comparison has a ``field`` ("" behind a function) and its ``value``; NOT, AND and OR have ``parts`` instead.
    ``holds`` is None where only Salesforce can judge it. ``is_wanted`` is False within a NOT: there it must not hold.
    """

    text: str
    joint: Literal["", "AND", "OR", "NOT"] = ""
    field: str = ""
    value: Any = None
    holds: bool | None = None
    is_wanted: bool = True
    parts: tuple[Explanation, ...] = ()

    @property
    def comparisons(self) -> tuple[Explanation, ...]:
        """The comparisons below, in the order they are written."""
        return tuple(one for part in self.parts for one in part.comparisons) if self.joint else (self,)

    def culprits(self) -> Iterator[Explanation]:
        """The comparisons that keep it from being as it is wanted, those that only Salesforce can judge included."""
        if self.holds == self.is_wanted:
            return
        if not self.joint:
            yield self
        for part in self.parts:
            yield from part.culprits()

    def __str__(self) -> str:
        """The comparison in words, e.g. ``Share_With_AWS__c = TRUE: it is FALSE now``."""
        if not self.field:
            return f"{self.text}: only Salesforce can judge this"
        now = f"it is {_shown(self.value)} now"
        if self.holds is None:
            return f"{self.text}: {now}, and only Salesforce can judge this"
        return f"{self.text}: {now}" if self.is_wanted else f"NOT {self.text}: {now}"


def explain(text: str, lookup: Callable[[str], Any]) -> Explanation:
    """Take a condition apart; ``lookup`` gives the value of a dotted path. Raises ConditionError where it is none."""
    return _Splitter(text, lookup).either(is_wanted=True)


def fields_of(text: str) -> tuple[str, ...]:
    """The fields that ``explain`` looks up. Raises ConditionError."""
    return tuple(dict.fromkeys(one.path for one in comparisons_of(text)))


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    if isinstance(value, bool):
        return str(value).upper()
    return f"'{value}'" if isinstance(value, str) else to_text(value)


class _Splitter:
    """Finds the comparisons in a condition that is known to be one, by its AND, OR, NOT and parentheses."""

    def __init__(self, text: str, lookup: Callable[[str], Any]) -> None:
        self._text = text
        self._lookup = lookup
        self._tokens = list(tokens_of(text))
        self._next = 0

    @property
    def _word(self) -> str:
        return self._tokens[self._next].word if self._next < len(self._tokens) else ""

    def either(self, *, is_wanted: bool) -> Explanation:
        start = self._next
        parts = [self._one(is_wanted=is_wanted)]
        joint: Literal["", "AND", "OR"] = ""
        while self._word in _JOINTS:
            joint = "AND" if self._word == "AND" else "OR"
            self._next += 1
            parts.append(self._one(is_wanted=is_wanted))
        if not joint:
            return parts[0]
        known = [part.holds for part in parts]
        decisive = joint == "OR"
        holds = decisive if decisive in known else None if None in known else not decisive
        return Explanation(self._since(start), joint, holds=holds, is_wanted=is_wanted, parts=tuple(parts))

    def _one(self, *, is_wanted: bool) -> Explanation:
        start = self._next
        if self._word == "NOT":
            self._next += 1
            inner = self._one(is_wanted=not is_wanted)
            holds = None if inner.holds is None else not inner.holds
            return Explanation(self._since(start), "NOT", holds=holds, is_wanted=is_wanted, parts=(inner,))
        if self._word == "(":
            self._next += 1
            grouped = self.either(is_wanted=is_wanted)
            self._next += 1
            return grouped
        self._pass_comparison()
        return self._judged(self._since(start), is_wanted=is_wanted)

    def _pass_comparison(self) -> None:
        """Up to the next AND, OR or closing parenthesis that does not belong to the comparison itself."""
        depth = 0
        while self._next < len(self._tokens) and (depth or self._word not in (*_JOINTS, ")")):
            depth += {"(": 1, ")": -1}.get(self._word, 0)
            self._next += 1

    def _since(self, start: int) -> str:
        last: Token = self._tokens[self._next - 1]
        return self._text[self._tokens[start].position : last.position + len(last.text)]

    def _judged(self, text: str, *, is_wanted: bool) -> Explanation:
        field = next((one.path for one in comparisons_of(text)), "")
        value = self._lookup(field) if field else None
        try:
            holds = parse_condition(text).holds(self._lookup) if field else None
        except ConditionError:
            holds = None
        return Explanation(text, field=field, value=value, holds=holds, is_wanted=is_wanted)
