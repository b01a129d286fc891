"""What the shell needs to be remembered: facts about links, operations written ahead, and who looks when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypedDict, Unpack

from connector.core.audit import Entry
from connector.core.model import (
    Association,
    Link,
    Mapped,
    Presence,
    Refusal,
    SentInvitation,
    Structure,
    Task,
)


class LinkChanges(TypedDict, total=False):
    """Facts of a link that may be set, in the core's own types."""

    name: str
    presence: Presence
    opportunity_id: str
    candidate_id: str
    existing: Structure | None
    base: Structure | None
    attached: tuple[Association, ...] | None
    task: Task | None
    submitted: str
    refusal: Refusal | None
    refusals: Mapping[str, Refusal]
    aws: Structure | None
    assigned: Structure | None
    invitations: tuple[SentInvitation, ...]
    taken: Structure
    attempts: int
    next_try_at: datetime | None
    poll_at: datetime | None
    refresh_at: datetime | None
    answer_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rest:
    """What the plan of a link came to.

    ``until`` is when to look again (None: when something changes). ``show``: Salesforce does not show what it
    should; ``news``: what it should show is new. ``code`` is the first problem's, where a person has to do something.
    """

    status: str
    message: str
    until: datetime | None = None
    show: bool = False
    news: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """A write to AWS, ready to be written ahead.

    ``intent`` is what will have been agreed once it is done, where the body alone does not say so. ``cause`` is why,
    where it is not what brought the link's last news.
    """

    action: str
    body: Structure
    client_token: str = ""
    intent: Structure | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of showing one link in Salesforce.

    ``shown`` are the values that it shows now, ``error`` what it refused ("" for nothing), ``again`` when to try the
    rest, and ``taken`` the values of AWS that inbound fields were given.
    """

    shown: Structure = field(default_factory=dict)
    error: str = ""
    again: datetime | None = None
    taken: Structure = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why records are stored, by Salesforce id: ``causes`` of their news in words, and who ``asked`` (by, at, how)."""

    causes: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Structure] = field(default_factory=dict)


class Ledger(Protocol):
    """What the connector knows. Every method is one transaction; a commit that fails raises LedgerUnavailable."""

    def link(self, link_id: int) -> Link: ...

    def find(self, connection: str, catalog: str, identifier: str) -> Link | None: ...

    def present(self, connection: str, catalog: str, after: str = "", limit: int = 500) -> list[str]:
        """Salesforce ids of links still counted as flagged, in order."""
        ...

    def store_mapped(
        self,
        connection: str,
        catalog: str,
        records: Sequence[tuple[str, str, Mapped, Structure]],
        now: datetime,
        flagged_at: Mapping[str, datetime] = ...,
        reasons: Reasons = ...,
    ) -> int:
        """Store a page of (id, name, mapped, values of our own fields now in Salesforce). Gives how many changed.

        ``flagged_at`` is since when a record is shared that was not before, by id; else it is since ``now``.
        ``reasons`` say where the news came from.
        """
        ...

    def set_presence(self, connection: str, catalog: str, presences: Mapping[str, Presence], now: datetime) -> int: ...

    def due(
        self, connection: str, catalog: str, now: datetime, limit: int, only: Sequence[str] | None = None
    ) -> list[int]:
        """Numbers of the links that advance has to look at, those already at AWS first."""
        ...

    def links(self, numbers: Sequence[int]) -> list[Link]: ...

    def rest(self, rests: Sequence[tuple[Link, Rest]], now: datetime) -> None:
        """Links come to rest; one whose facts have changed since they were planned with stays due instead."""
        ...

    def change(
        self, link: Link, now: datetime, *, wake: bool = True, adopted: str = "", **changes: Unpack[LinkChanges]
    ) -> Link:
        """Set facts of a link; ``adopted`` is what of AWS is taken over by that.

        Raises StaleVersion when it is no longer as it was seen.
        """
        ...

    def change_all(self, changes: Sequence[tuple[Link, LinkChanges, bool | Rest]], now: datetime) -> None:
        """Set facts of several links, each (link, facts, whether to wake it, or its new rest); stale ones are left."""
        ...

    def begin(self, link: Link, begin: Begin, now: datetime) -> Link:
        """Write an operation ahead: from here on it may be sent at any moment. Gives the link with it.

        Raises StaleVersion when the link is no longer as the plan saw it.
        """
        ...

    def sending(self, link: Link, now: datetime) -> Link:
        """Commit that the link's operation is sent once more."""
        ...

    def leaving(self, link: Link, now: datetime) -> Link:
        """Commit once more that the link's operation is about to leave, where its commit was seconds ago."""
        ...

    def succeed(
        self,
        link: Link,
        response: Structure,
        now: datetime,
        then: Begin | Rest | None = None,
        **changes: Unpack[LinkChanges],
    ) -> Link:
        """Record the answer, the facts that follow from it, and what the link does then.

        The last counts only if nobody else has changed the link meanwhile: then its revision is one more.
        """
        ...

    def fail(
        self,
        link: Link,
        error: str,
        now: datetime,
        *,
        codes: str = "",
        is_dropped: bool = False,
        **changes: Unpack[LinkChanges],
    ) -> Link:
        """Record that the operation was not carried out; ``codes`` say why without quoting the record."""
        ...

    def postpone(self, link: Link, error: str, ambiguous: bool, until: datetime, now: datetime) -> Link: ...

    def creates_since(self, connection: str, moment: datetime) -> int:
        """Opportunities created, or about to be, since then."""
        ...

    def begun_since(self, connection: str, action: str, moment: datetime) -> int:
        """Operations of this kind that were carried out, or are about to be, since then."""
        ...

    def creates_besides(self, connection: str, moment: datetime, besides: Sequence[str]) -> int:
        """As ``creates_since``, those of these Salesforce ids left out."""
        ...

    def creates_waiting(self, connection: str, catalog: str, besides: Sequence[str]) -> int:
        """Links that wait for their create and have neither problem nor refusal, without those Salesforce ids."""
        ...

    def creates_in_doubt(
        self, connection: str, catalog: str, released: Sequence[str], after: str, limit: int
    ) -> list[tuple[str, Mapped, Refusal | None]]:
        """The other links that may wait for their create, by Salesforce id: with a problem, a refusal or a release."""
        ...

    def release(
        self, connection: str, catalog: str, salesforce_ids: Sequence[str], text: str, now: datetime, by: str = ""
    ) -> None:
        """Note what ``by`` released (the watermarks ``release``, ``released_at``) and let advance look at it."""
        ...

    def wake(
        self, connection: str, catalog: str, salesforce_ids: Sequence[str] | None, now: datetime, by: str = ""
    ) -> list[str]:
        """Clear what holds these links (None: every held one) and look again. Gives their Salesforce ids."""
        ...

    def wake_waiting(self, connection: str, catalog: str, now: datetime) -> None:
        """Let advance look now at what it would look at later."""
        ...

    def linked(self, connection: str, catalog: str, salesforce_ids: Sequence[str]) -> dict[str, Mapped]:
        """What is stored of the flagged links among these that have an AWS opportunity, by Salesforce id."""
        ...

    def has_linked(self, connection: str, catalog: str, count: int) -> bool:
        """Whether at least that many links have an AWS opportunity."""
        ...

    def see(self, connection: str, catalog: str, summaries: Sequence[Structure], now: datetime) -> int: ...

    def sighted(self, connection: str, catalog: str, partner_identifier: str) -> str: ...

    def refused_write_backs(self, connection: str, catalog: str, salesforce_ids: Sequence[str]) -> list[Link]:
        """Those of these links of which Salesforce refused to show something."""
        ...

    def polls_due(self, connection: str, catalog: str, now: datetime, limit: int) -> list[Link]: ...

    def refreshes_due(
        self, connection: str, catalog: str, now: datetime, limit: int, only: Sequence[str] | None = None
    ) -> list[Link]:
        """Links of which AWS's own word has to be read, the longest waiting first."""
        ...

    def refreshes_open(self, connection: str, catalog: str) -> int:
        """Links of which AWS's own word is read now and then."""
        ...

    def answers_due(
        self, connection: str, catalog: str, now: datetime, limit: int, only: Sequence[str] | None = None
    ) -> list[Link]:
        """Links with an invitation whose answer has to be looked for, the longest waiting first."""
        ...

    def write_backs_due(
        self, connection: str, catalog: str, now: datetime, limit: int
    ) -> list[tuple[Link, str, str]]: ...

    def written(self, results: Mapping[int, Written], now: datetime) -> None:
        """Note what became of write-backs, by link number; at ``now`` in the audit trail."""
        ...

    def stored(self, connection: str, catalog: str, salesforce_ids: Sequence[str]) -> list[Link]:
        """The links of those of these records that have one."""
        ...

    def watermark(self, connection: str, name: str) -> str: ...

    def set_watermark(self, connection: str, name: str, value: str) -> None: ...

    def add_usage(self, connection: str, kind: str, calls: int, now: datetime) -> None: ...

    def requests(self, connection: str) -> list[tuple[int, str]]: ...

    def request(self, connection: str, salesforce_ids: Sequence[str], now: datetime, asked_by: str = "") -> None:
        """Ask the process that owns the ledger to read these records again; ``asked_by`` is the person who wants it."""
        ...

    def asked(self, numbers: Sequence[int]) -> dict[str, Structure]:
        """Who asked for what in these requests: by, at and how, by Salesforce id."""
        ...

    def requests_done(self, numbers: Sequence[int]) -> None: ...

    def note(self, entries: Sequence[Entry]) -> None:
        """Add entries to the audit trail that are about no fact of the ledger."""
        ...

    def awaiting(self, keys: Iterable[tuple[str, str]], now: datetime) -> dict[tuple[str, str], frozenset[str]]:
        """What has to be looked at now, by (connection, catalog); some 100 µs each, since it is asked all the time.

        Of ``requests``, ``advance``, ``tasks``, ``refresh``, ``answers`` and ``write_back``.
        """
        ...

    def work_due(
        self, connection: str, catalog: str, until: datetime, only: Sequence[str] | None = None
    ) -> dict[str, int]:
        """Links that ``advance``, ``observe`` and ``write_back`` have to look at before ``until``."""
        ...
