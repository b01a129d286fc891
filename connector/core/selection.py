"""What to read from Salesforce: derived from the mapping, so that no field is listed twice. Builds SOQL text only.

Everything that reaches a query is either written by the mapping's author (``where``), a name that was checked
against ``NAME``, an id checked against ``ID`` or an instant formatted here; nothing is pasted from a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def is_id(text: str) -> bool:
    """Whether this is a Salesforce id, 15 or 18 characters."""
    return ID.fullmatch(text) is not None


def to_id18(text: str) -> str:
    """The case-insensitive 18-character form of an id. Raises ValueError when it is none."""
    if not is_id(text):
        raise ValueError(f"{text!r} is not a Salesforce id (15 or 18 letters and digits)")
    short = text[:15]
    groups = (short[0:5], short[5:10], short[10:15])
    return short + "".join(_SUFFIX[sum(1 << i for i, c in enumerate(g) if c.isupper())] for g in groups)


def to_instant(moment: datetime) -> str:
    """A SOQL datetime literal, whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def quoted_ids(salesforce_ids: Iterable[str]) -> str:
    """``'006…','006…'`` for an IN list; every id is checked."""
    return ",".join(f"'{to_id18(salesforce_id)}'" for salesforce_id in salesforce_ids)


@dataclass(frozen=True, slots=True)
class Selection:
    """The object, its flag condition, and every field that mapping and write-back need.

    ``fields`` are dotted paths from the object (``Account.Name``); ``children`` maps a child relationship to
    the paths wanted of its rows; ``linked_fields`` are text fields of ours that are non-null once a record is
    linked (usually the AWS opportunity id and the sync status).
    """

    sobject: str
    where: str
    fields: tuple[str, ...]
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    linked_fields: tuple[str, ...] = ()

    def records(self, *conditions: str, order: bool = True) -> str:
        """The query for whole flagged records, further narrowed by ``conditions``."""
        columns = unique([*("Id", "SystemModstamp", "LastModifiedById", "Name"), *self.fields])
        inner = [f"(SELECT {', '.join(unique(paths))} FROM {name})" for name, paths in sorted(self.children.items())]
        ordering = " ORDER BY SystemModstamp ASC, Id ASC" if order else ""
        return f"SELECT {', '.join([*columns, *inner])} FROM {self.sobject} WHERE {self._flagged(conditions)}{ordering}"

    def counted(self) -> str:
        """The query for the number of flagged records."""
        return f"SELECT COUNT() FROM {self.sobject} WHERE {self._flagged([])}"

    def changed_records(self, since: datetime) -> str:
        return self.records(f"SystemModstamp >= {to_instant(since)}")

    def known_rows(self, since: datetime) -> str:
        """Linked rows that changed, flagged or not; meant for queryAll, so that deleted rows show."""
        linked = " OR ".join(f"{name} != null" for name in self.linked_fields)
        return (
            f"SELECT Id, IsDeleted FROM {self.sobject} "
            f"WHERE ({linked}) AND SystemModstamp >= {to_instant(since)} ORDER BY Id ASC"
        )

    def touched_by_parents(self, since: datetime) -> str:
        """Ids of flagged records of which a parent record changed; "" when the mapping reads no parent."""
        stamps = [f"{parent}.SystemModstamp >= {to_instant(since)}" for parent in self.parents]
        if not stamps:
            return ""
        return f"SELECT Id FROM {self.sobject} WHERE {self._flagged([' OR '.join(stamps)])} ORDER BY Id ASC"

    @property
    def parents(self) -> tuple[str, ...]:
        """Every parent relationship the mapping reads: ``Account``, ``Account.Owner``."""
        return unique(path.rpartition(".")[0] for path in self.fields if "." in path)

    def touched_by_children(self, relationship: str, child: str, lookup: str, since: datetime) -> str:
        """Ids of flagged records of which a row of that child object (or a parent of the row) changed."""
        parents = unique(path.rpartition(".")[0] for path in self.children[relationship] if "." in path)
        moment = to_instant(since)
        stamps = [
            f"SystemModstamp >= {moment}",
            *(f"{parent}.SystemModstamp >= {moment}" for parent in parents),
        ]
        inner = f"SELECT {lookup} FROM {child} WHERE {' OR '.join(stamps)}"
        return f"SELECT Id FROM {self.sobject} WHERE {self._flagged([f'Id IN ({inner})'])} ORDER BY Id ASC"

    def hanging_on(self, lookups: Sequence[str], salesforce_id: str, limit: int) -> str:
        """Flagged or linked records of which one of these lookups points to that record."""
        pointing = " OR ".join(f"{lookup} = {quoted_ids([salesforce_id])}" for lookup in lookups)
        # Salesforce takes no sub-select beside an OR.
        others = () if "SELECT" in self.where.upper() else self.linked_fields
        shared = " OR ".join([f"({self.where})", *(f"{name} != null" for name in others)])
        return f"SELECT Id, Name FROM {self.sobject} WHERE ({pointing}) AND ({shared}) ORDER BY Id ASC LIMIT {limit}"

    def by_id(self, salesforce_ids: Sequence[str]) -> str:
        return self.records(f"Id IN ({quoted_ids(salesforce_ids)})", order=False)

    def _flagged(self, conditions: Iterable[str]) -> str:
        return " AND ".join(f"({condition})" for condition in [self.where, *conditions])


def states_query(sobject: str, salesforce_ids: Sequence[str]) -> str:
    """Name and deletion of ids, for queryAll."""
    return f"SELECT Id, Name, IsDeleted FROM {sobject} WHERE Id IN ({quoted_ids(salesforce_ids)})"


def record_query(sobject: str, fields: Iterable[str], salesforce_id: str) -> str:
    """These fields of one record, for queryAll."""
    return f"SELECT {', '.join(unique(fields))} FROM {sobject} WHERE Id = {quoted_ids([salesforce_id])}"


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Names without repetition, first spelling kept; Salesforce names ignore case."""
    seen: dict[str, str] = {}
    for name in names:
        seen.setdefault(name.lower(), name)
    return tuple(seen.values())
