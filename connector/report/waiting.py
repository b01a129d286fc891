"""What waits for whom: held records by cause, what stops everything, and what goes on by itself.

A cause is known by the problems of its records, which are read once and again only where they changed: a hundred
thousand held records cost a look at their versions, not at their contents.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from connector.adapters.ledger import Ledger
from connector.core.catalogue import Source, find
from connector.core.lifecycle import ReviewStatus
from connector.core.model import Link
from connector.core.plan import UNEXPECTED
from connector.report.causes import by_key
from connector.report.story import standing_problems

Whom: TypeAlias = Literal["seller", "revops"]
_Version: TypeAlias = tuple[int, datetime | None]
_Told: TypeAlias = frozenset[tuple[str, str]]
_Keys: TypeAlias = Mapping[tuple[str, ...], _Told]
CHUNK = 200
"""Held records that are read together; then others have their turn."""
_CONSTANT = "(constant)"
_ASKED = "action_required"
_ASKS = (
    "AWS's reviewer asks for changes; the reviewer's words stand at each deal.",
    "Change it in Salesforce; it is sent by itself.",
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why some records wait for a person, and for whom.

    ``key`` names it in addresses. ``others`` are messages that differ only in what they quote. ``numbers`` are those
    of the links, the newest first; ``since`` is the oldest change among them.
    """

    key: str
    waits_for: Whom
    salesforce_field: str
    place: str
    message: str
    cure: str
    others: int
    since: datetime | None
    numbers: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.numbers)


@dataclass(slots=True)
class HeldRecords:
    """The held records of one connection, as they were when last looked at. Not for several threads at once."""

    _known: dict[int, tuple[_Version, _Keys]] = field(default_factory=dict)

    def causes(
        self, ledger: Ledger, connection: str, catalog: str, breathe: Callable[[], object] = bool
    ) -> tuple[Cause, ...]:
        """Why they wait, the most frequent first. ``breathe`` is called between the parts of a long look."""
        versions = ledger.held_versions(connection, catalog)
        self._known = {number: one for number, one in self._known.items() if versions.get(number) == one[0]}
        unread = [number for number in versions if number not in self._known]
        for start in range(0, len(unread), CHUNK):
            for link, message in ledger.held_because(unread[start : start + CHUNK]):
                self._known[link.id] = ((link.revision, link.changed_at), _reasons(link, message))
            breathe()
        return tuple(sorted(_add_up(self._known), key=lambda cause: (-cause.count, cause.message)))


def _reasons(link: Link, message: str) -> _Keys:
    if link.review_status == ReviewStatus.ACTION_REQUIRED and not standing_problems(link):
        return {(_ASKED, "", "", ""): frozenset({_ASKS})}
    return {key: frozenset(told) for key, told in by_key(link, message).items()}


def _add_up(known: Mapping[int, tuple[_Version, _Keys]]) -> Iterator[Cause]:
    numbers: dict[tuple[str, ...], list[int]] = {}
    messages: dict[tuple[str, ...], Counter[tuple[str, str]]] = {}
    since: dict[tuple[str, ...], datetime] = {}
    for number, ((_, changed_at), keys) in known.items():
        for key, told in keys.items():
            numbers.setdefault(key, []).append(number)
            messages.setdefault(key, Counter()).update(told)
            if changed_at is not None:
                since[key] = min(since.get(key, changed_at), changed_at)
    for key, found in numbers.items():
        yield _cause(key, messages[key], since.get(key), found)


def _cause(
    key: tuple[str, ...], messages: Counter[tuple[str, str]], since: datetime | None, numbers: Iterable[int]
) -> Cause:
    code, _, salesforce_field, place = key
    (message, cure), _ = messages.most_common(1)[0]
    return Cause(
        key=hashlib.sha256("\0".join(key).encode()).hexdigest()[:12],
        waits_for=whom(code, salesforce_field, message),
        salesforce_field="" if salesforce_field == _CONSTANT else salesforce_field,
        place=place,
        message=message,
        cure=cure,
        others=len(messages) - 1,
        since=since,
        numbers=tuple(sorted(numbers, reverse=True)),
    )


def whom(code: str, salesforce_field: str, message: str) -> Whom:
    """Who can mend it: a seller what stands in the record, RevOps the mapping, rights and settings."""
    if code == UNEXPECTED or salesforce_field == _CONSTANT:
        return "revops"
    entry = find(Source.AWS_ERROR, code) if code else None
    if entry is not None and entry.kind == "admin":
        return "revops"
    if salesforce_field or code == _ASKED:
        return "seller"
    return "seller" if "Salesforce" in message or "the record" in message else "revops"
