"""What keeps records waiting for a person, by cause: one fault of many records is told once, with its cure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from connector.adapters.ledger import Ledger
from connector.core.model import Link, Structure
from connector.core.row_refusals import explain_line
from connector.report.moments import to_z
from connector.report.story import standing_problems

EXAMPLES = 5
_PAGE = 500
_INDEX = re.compile(r"\[\d+\]")


@dataclass(slots=True)
class _Cause:
    """One cause, as it is added up."""

    salesforce_field: str | None
    place: str
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    records: list[Structure] = field(default_factory=list)
    count: int = 0
    since: datetime | None = None

    def add(self, link: Link, told: set[tuple[str, str]]) -> None:
        self.count += 1
        self.messages.update(told)
        if len(self.records) < EXAMPLES:
            self.records.append({"salesforce_id": link.salesforce_id, "name": link.name})
        if link.changed_at is not None and (self.since is None or link.changed_at < self.since):
            self.since = link.changed_at

    def to_json(self) -> Structure:
        (message, cure), _ = self.messages.most_common(1)[0]
        return {
            "salesforce_field": self.salesforce_field,
            "place": self.place or None,
            "message": message,
            "cure": cure,
            "other_messages": len(self.messages) - 1,
            "count": self.count,
            "since": to_z(self.since),
            "records": self.records,
        }


def causes_of(held: Iterable[tuple[Link, str]]) -> list[Structure]:
    """Why records are held, the most frequent cause first; a record with several is counted at each of them.

    ``held`` are (link, message). Each cause has the oldest ``since`` of its records, and some of them as examples.
    """
    found: dict[tuple[str, ...], _Cause] = {}
    for link, message in held:
        for key, told in by_key(link, message).items():
            found.setdefault(key, _Cause(key[2] or None, key[3])).add(link, told)
    ordered = sorted(found.values(), key=lambda cause: -cause.count)
    return [cause.to_json() for cause in ordered]


def by_key(link: Link, message: str) -> dict[tuple[str, ...], set[tuple[str, str]]]:
    """What holds one record, as (message, cure) by (code, AWS path, Salesforce field, place in the mapping).

    Its problems; where the mapping finds none, the words that it rests with.
    """
    keys: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    for problem in standing_problems(link):
        place = f"{problem.file}:{problem.line}" if problem.line else ""
        key = (problem.code, _INDEX.sub("", problem.path), problem.salesforce_field, place)
        keys.setdefault(key, set()).add((problem.message, problem.cure))
    return keys or {("", message, "", ""): {(message, "")}}


def held_links(ledger: Ledger, connection: str, catalog: str) -> Iterator[tuple[Link, str]]:
    """(link, message) of every held record, page by page."""
    after = 0
    while page := ledger.held_links(connection, catalog, after, _PAGE):
        yield from page
        after = page[-1][0].id


def refused_write_backs(ledger: Ledger, connection: str, catalog: str) -> list[Structure]:
    """What Salesforce refuses to show, with what it means, the most frequent first."""
    found: dict[str, Structure] = {}
    for error, count, salesforce_id in ledger.write_back_errors(connection, catalog):
        meaning, cure = explain_line(error)
        told = {"error": error, "meaning": meaning or None, "cure": cure or None, "salesforce_id": salesforce_id}
        # Its own words may name a row, so that no two of them are the same.
        entry = found.setdefault(meaning or error, {**told, "count": 0})
        entry["count"] += count
    return sorted(found.values(), key=lambda entry: -int(entry["count"]))
