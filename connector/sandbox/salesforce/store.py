"""Where rows live: one table per object, an undo journal, and writes that commit later than they happened.

A stored row is never changed, only replaced, so that a reader, the journal and a late commit may keep the
old one. Nothing here knows what a row means; the caller holds the lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.sandbox.salesforce import ids
from connector.sandbox.salesforce.schema import Schema

Row = dict[str, Any]


class Table:
    """Rows by id, and the ids that hold one value in an indexed field (references and external ids)."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._indexes: dict[str, dict[Any, dict[str, None]]] = {}

    def put(self, record_id: str, row: Row | None) -> None:
        """Replaces a row; None takes it away."""
        old = self.rows.pop(record_id, None) if row is None else self.rows.get(record_id)
        if row is not None:
            self.rows[record_id] = row
        for name, index in self._indexes.items():
            before = _key(old.get(name)) if old else None
            after = _key(row.get(name)) if row else None
            if before == after:
                continue
            if before is not None:
                index[before].pop(record_id)
            if after is not None:
                index.setdefault(after, {})[record_id] = None

    def find(self, name: str, value: Any) -> list[str]:
        """The ids of the rows holding this value, oldest first; text is compared without regard to case."""
        if name not in self._indexes:
            index: dict[Any, dict[str, None]] = {}
            for record_id, row in self.rows.items():
                if (key := _key(row.get(name))) is not None:
                    index.setdefault(key, {})[record_id] = None
            self._indexes[name] = index
        return list(self._indexes[name].get(_key(value), ()))


def _key(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value  # 18 character ids stay distinct


@dataclass(frozen=True, slots=True)
class Late:
    """A write that happened, stamp and all, but is seen only from `visible_at` on."""

    visible_at: datetime
    object: str
    row: Row


class Store:
    """The tables of one org."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._tables: dict[str, Table] = {}
        self._numbers: dict[str, int] = {}
        self._journal: list[tuple[str, str, Row | None]] | None = None
        self._late: list[Late] = []

    def table(self, name: str) -> Table:
        return self._tables.setdefault(name, Table())

    def next_id(self, prefix: str) -> str:
        self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return ids.make_id(prefix, self._numbers[prefix])

    def last_number(self, prefix: str) -> int:
        """How many ids with this prefix were given out."""
        return self._numbers.get(prefix, 0)

    def find_object(self, record_id: str) -> str | None:
        """The name of the object whose key prefix the id carries."""
        return next((one.name for one in self._schema if one.prefix == record_id[:3]), None)

    def put(self, name: str, record_id: str, row: Row | None) -> None:
        if self._journal is not None:
            self._journal.append((name, record_id, self.table(name).rows.get(record_id)))
        self.table(name).put(record_id, row)

    def put_late(self, name: str, row: Row, visible_at: datetime) -> None:
        self._late.append(Late(visible_at, name, row))

    def open_since(self) -> list[datetime]:
        """When each write still under way began."""
        return [late.row["SystemModstamp"] for late in self._late]

    def is_locked(self, record_id: str) -> bool:
        """Whether a write of this row is still under way."""
        return any(late.row["Id"] == record_id for late in self._late)

    def settle(self, now: datetime) -> None:
        """Lets the writes whose time has come be seen."""
        if not self._late:
            return
        due = [late for late in self._late if late.visible_at <= now]
        self._late = [late for late in self._late if late.visible_at > now]
        for late in due:
            self.put(late.object, late.row["Id"], late.row)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Journals what is written inside; `roll_back()` on the result takes it all back. May be nested."""
        outer, self._journal = self._journal, []
        transaction = Transaction(self, self._journal)
        try:
            yield transaction
        finally:
            if outer is not None:
                outer.extend(transaction.journal)
            self._journal = outer


class Transaction:
    """The writes made since a point in time."""

    def __init__(self, store: Store, journal: list[tuple[str, str, Row | None]]) -> None:
        self._store = store
        self.journal = journal

    def roll_back(self) -> None:
        while self.journal:
            name, record_id, row = self.journal.pop()
            self._store.table(name).put(record_id, row)
