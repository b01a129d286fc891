"""Limits on a whole plan. Refuses with count, limit and the way out; a person's release is kept with what it is for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from connector.core.diff import ASSOCIATED, Change
from connector.core.model import Mapped, Structure
from connector.errors import UnsafePlan

RELEASE_LASTS = timedelta(days=7)
"""How long a release is good for: longer than the largest that AWS's daily quota lets through at once takes."""
_FIELDS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What may happen without a person having looked; config.example.yaml explains each."""

    creates_per_day: int = 500
    creates_per_pass: int = 100
    mapping_change_share: float = 0.2
    mapping_change_min_links: int = 10
    invitations_per_day: int = 200


@dataclass(frozen=True, slots=True)
class CreatesPerDay:
    """How many opportunities may be created in 24 hours, and how many were."""

    limit: int
    created: int

    @property
    def is_reached(self) -> bool:
        return self.created >= self.limit

    def refusal(self) -> UnsafePlan:
        return UnsafePlan(
            f"{self.created} opportunities were created in the last 24 hours, the limit is {self.limit}.",
            "AWS has no delete. If more are meant, look with `connector plan --out FILE`; `connector resync --plan "
            "FILE` then creates exactly these. Or raise limits.creates_per_day in config.yaml.",
        )


@dataclass(frozen=True, slots=True)
class InvitationsPerDay:
    """How many partners may be invited in 24 hours, and how many were."""

    limit: int
    sent: int

    @property
    def is_reached(self) -> bool:
        return self.sent >= self.limit

    def refusal(self) -> UnsafePlan:
        return UnsafePlan(
            f"{self.sent} partners were invited in the last 24 hours, the limit is {self.limit}.",
            "AWS takes no invitation back. If more are meant, look with `connector plan --out FILE`; `connector resync "
            "--plan FILE` then sends exactly these. Or raise limits.invitations_per_day in config.yaml.",
        )


@dataclass(frozen=True, slots=True)
class CreatesPerPass:
    """How many opportunities may wait to be created at once, and how many do, counted at ``at``."""

    limit: int
    waiting: int
    at: datetime

    @property
    def is_passed(self) -> bool:
        return self.waiting > self.limit

    def refusal(self) -> UnsafePlan:
        return UnsafePlan(
            f"{self.waiting} new opportunities wait to be created in AWS at once, the limit is {self.limit}, "
            "so none of them is.",
            "AWS has no delete: look with `connector plan --out FILE`; `connector resync --plan FILE` then creates "
            "exactly these. Or raise limits.creates_per_pass in config.yaml.",
        )

    def to_text(self) -> str:
        return json.dumps({**asdict(self), "at": self.at.isoformat()})

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """What ``to_text`` gave; None for ""."""
        return cls(**_read(text)) if text else None


@dataclass(frozen=True, slots=True)
class MappingChange:
    """What another version of the mapping (``digest``) would do to the linked records, counted at ``at``.

    ``changed`` of ``linked`` records get other values; ``fields`` are the AWS paths that change most, most first.
    """

    digest: str
    changed: int
    linked: int
    fields: tuple[str, ...]
    at: datetime

    def is_unsafe(self, limits: Limits) -> bool:
        if self.linked < max(limits.mapping_change_min_links, 1):
            return False
        return self.changed / self.linked > limits.mapping_change_share

    def refusal(self, limits: Limits) -> UnsafePlan:
        return UnsafePlan(
            f"The changed mapping gives other values for {self.changed} of {self.linked} linked records "
            f"({100 * self.changed / self.linked:.3g} %), the limit is {100 * limits.mapping_change_share:.3g} %; "
            f"most often at {', '.join(self.fields)}. Nothing of it is stored or sent.",
            "Look with `connector plan --out FILE`; `connector resync --plan FILE` then applies it. Or undo the "
            "change, or raise limits.mapping_change_share in config.yaml; both take effect at the next start, or after "
            "`kill -HUP`.",
        )

    def to_text(self) -> str:
        return json.dumps({**asdict(self), "at": self.at.isoformat()})

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """What ``to_text`` gave; None for ""."""
        if not text:
            return None
        read = _read(text)
        return cls(**{**read, "fields": tuple(read["fields"])})


def _read(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text)
    return {**read, "at": datetime.fromisoformat(read["at"])}


class MappingTally:
    """Counts, record by record, what another version of the mapping would change."""

    def __init__(self) -> None:
        self._changed = self._linked = 0
        self._fields: Counter[str] = Counter()

    def add(self, before: Mapped, after: Mapped) -> None:
        """One linked record: as it is stored, and as the mapping would have it now."""
        self._linked += 1
        if before.fingerprint != after.fingerprint:
            self._changed += 1
            self._fields.update(change.path for change in differences(before, after))

    def total(self, digest: str, at: datetime) -> MappingChange:
        fields = tuple(path for path, _ in self._fields.most_common(_FIELDS_TOLD))
        return MappingChange(digest, self._changed, self._linked, fields, at)


def differences(before: Mapped, after: Mapped) -> tuple[Change, ...]:
    """What would be sent otherwise, by AWS path; lists are compared as wholes."""
    return tuple(_differing(_sent(before), _sent(after), ""))


def _sent(mapped: Mapped) -> Structure:
    kinds: dict[str, list[str]] = {}
    for association in sorted(mapped.associations):
        kinds.setdefault(association.entity_type, []).append(association.identifier)
    related = {ASSOCIATED.rstrip("."): kinds} if kinds else {}
    submission = {"AwsSubmission": mapped.submission} if mapped.submission is not None else {}
    assignee = {"Assignee": mapped.assignee} if mapped.assignee else {}
    invited = {"Invitations": {one.label: one.body for one in mapped.invitations}} if mapped.invitations else {}
    return {**mapped.opportunity, **related, **submission, **assignee, **invited}


def _differing(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before == after:
        return
    sides = (before, after)
    if any(isinstance(side, Mapping) for side in sides) and all(
        side is None or isinstance(side, Mapping) for side in sides
    ):
        one, other = before or {}, after or {}
        for name in sorted({*one, *other}):
            yield from _differing(one.get(name), other.get(name), f"{path}.{name}" if path else name)
        return
    yield Change(path, before, after)


@dataclass(frozen=True, slots=True)
class Release:
    """Records that a person let through: Salesforce id → (fingerprint it was planned with, when).

    It holds for exactly that content: a record that maps to anything else by then is not released.
    """

    records: Mapping[str, tuple[str, datetime]]

    def covers(self, salesforce_id: str, fingerprint: str) -> bool:
        return salesforce_id in self.records and self.records[salesforce_id][0] == fingerprint

    def and_also(self, planned: Mapping[str, str], now: datetime) -> Release:
        """With these records as well, by fingerprint ("": not shared)."""
        return Release({**self.records, **{i: (fingerprint, now) for i, fingerprint in planned.items()}})

    def to_text(self) -> str:
        return json.dumps({i: [fingerprint, at.isoformat()] for i, (fingerprint, at) in self.records.items()})

    @classmethod
    def from_text(cls, text: str, now: datetime) -> Release:
        """What ``to_text`` gave, without what is too old to count; empty for ""."""
        read = {i: (str(entry[0]), datetime.fromisoformat(entry[1])) for i, entry in json.loads(text or "{}").items()}
        return cls({i: entry for i, entry in read.items() if now - entry[1] < RELEASE_LASTS})
