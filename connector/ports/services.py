"""What the shell needs from time and from both services, as Protocols. Nothing here is vendor-specific."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from connector.core.model import Structure
from connector.core.schema import Shape
from connector.core.selection import Selection


class Clock(Protocol):
    """Time, so that nothing else asks the machine for it."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; returns early when the process is asked to stop."""
        ...


@dataclass(frozen=True, slots=True)
class Organization:
    """The Salesforce org behind the credentials; ``organization_id`` has 18 characters.

    ``server_now`` is Salesforce's own clock when it answered, None where it did not tell.
    """

    organization_id: str
    name: str
    is_sandbox: bool
    server_now: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A record that Salesforce says is linked, whatever its flag: only its id and whether it is deleted."""

    salesforce_id: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What a poll found. ``server_now`` is Salesforce's own clock when the poll began.

    ``flagged``: pages of whole records (nested as in the mapping's paths, children as lists) that fulfil the
    mapping's ``where``. ``known``: linked rows, flagged or not, deleted or not. ``touched``: ids of flagged
    records of which only a parent or a child changed.
    """

    server_now: datetime
    flagged: Iterator[list[Structure]]
    known: tuple[KnownRow, ...] = ()
    touched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RowState:
    """What Salesforce says of one id, flagged or not."""

    salesforce_id: str
    name: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class RowUpdate:
    """Fields to set on one record; values are JSON scalars, None blanks a field."""

    salesforce_id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowResult:
    """The outcome of one RowUpdate. ``code`` is Salesforce's statusCode, "" for success."""

    salesforce_id: str
    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()
    temporary: bool = False

    @property
    def succeeded(self) -> bool:
        return not self.code


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What describe says of one field; ``length`` is 0 and ``scale``, a number's decimals, None where there is none.

    ``picklist`` are the active values; ``restricted``: Salesforce takes no others, ``dependent``: another field decides
    which of them (the states of a country). ``calculated`` is a formula, ``html`` rich text. ``relationship_name``
    leads from a lookup to its record, which is one of ``reference_to``.
    """

    name: str
    type: str
    length: int = 0
    updateable: bool = True
    picklist: tuple[str, ...] = ()
    scale: int | None = None
    restricted: bool = False
    filterable: bool = True
    calculated: bool = False
    html: bool = False
    relationship_name: str = ""
    reference_to: tuple[str, ...] = ()
    dependent: bool = False


@dataclass(frozen=True, slots=True)
class ApiUsage:
    """Salesforce API calls: ours since the adapter was made, and the org's own count and daily limit (0: unknown)."""

    calls: int = 0
    org_used: int = 0
    org_limit: int = 0
    by_label: Mapping[str, int] = field(default_factory=dict)


class Salesforce(Protocol):
    """The CRM. Every method may raise TemporaryError or Halt; row-level trouble comes back as values."""

    def identify(self) -> Organization: ...

    def describe(self, sobject: str) -> Mapping[str, FieldInfo]: ...

    def child(self, sobject: str, relationship: str) -> str:
        """The object whose rows a child relationship gives. Raises AccessDenied where Salesforce hides it."""
        ...

    def count(self, selection: Selection) -> int:
        """How many records fulfil the mapping's ``where`` now. One API call."""
        ...

    def changes(self, selection: Selection, since: datetime | None) -> Changes:
        """What changed since that instant of Salesforce's clock (None: everything flagged). One API call when idle."""
        ...

    def fetch(self, selection: Selection, salesforce_ids: Sequence[str]) -> list[Structure]:
        """The whole records among those ids that fulfil the mapping's ``where``; others are left out."""
        ...

    def states(self, sobject: str, salesforce_ids: Sequence[str]) -> Mapping[str, RowState]:
        """Name and deletion of those ids, flagged or not; ids that do not exist or are invisible are left out."""
        ...

    def look_up(self, sobject: str, fields: Sequence[str], salesforce_id: str) -> Structure | None:
        """These fields of one record, flagged or not, also from the recycle bin; None where Salesforce shows none."""
        ...

    def object_of(self, salesforce_id: str) -> str:
        """The object whose ids begin like this one, "" where the user sees none that do."""
        ...

    def related(self, selection: Selection, sobject: str, salesforce_id: str) -> Mapping[str, str]:
        """The records of the selection's object that hang on a record of another object, as name by id.

        Its flagged or linked ones where that is a parent, the one it belongs to where it is a child row; 50 at most.
        """
        ...

    def write(self, sobject: str, rows: Sequence[RowUpdate]) -> list[RowResult]:
        """Update rows, 200 a call, one result for each row in the same order."""
        ...

    def usage(self) -> ApiUsage: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Who AWS takes us for. Both are for people who ask; neither belongs in a log."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class Denial:
    """That AWS denies an operation, in words. ``is_unregistered``: it knows no such partner, and denies every one."""

    message: str
    cure: str
    is_unregistered: bool = False


@dataclass(frozen=True, slots=True)
class CallTally:
    """How calls ended since the adapter was made.

    ``ended`` counts them by operation and outcome: "answered", or the name of an error of ours. ``throttled`` counts
    every attempt that AWS refused as too fast, by operation.
    """

    ended: Mapping[tuple[str, str], int] = field(default_factory=dict)
    throttled: Mapping[str, int] = field(default_factory=dict)


class PartnerCentral(Protocol):
    """AWS Partner Central. ``call`` paces itself to the quota and translates every error."""

    catalog: str

    def call(self, operation: str, parameters: Structure, on_send: Callable[[], None] | None = None) -> Structure:
        """Make one call with the Catalog added; ``on_send`` runs when all is ready, before the wait for the turn.

        It runs once more right before the bytes leave where seconds have passed since: so much may have happened.
        Instants in the answer are ISO texts. Raises RecordError, TemporaryError or Halt; of what stopped the call
        before its bytes left, none is ambiguous.
        """
        ...

    def account(self) -> str:
        """The AWS account's id, "" where it cannot be told. Raises Halt or TemporaryError without credentials."""
        ...

    def identity(self) -> Identity | None:
        """Who AWS takes the credentials for; None where it cannot be told. Raises Halt without credentials."""
        ...

    def probe(self, operation: str, parameters: Structure) -> Denial | None:
        """Make a read only to see whether it is allowed; None where it is, whatever else AWS has against it.

        Raises what ``call`` raises where AWS does not answer, or does not accept the credentials.
        """
        ...

    def may(self, actions: Sequence[str]) -> Mapping[str, bool]:
        """What IAM's policy simulator says of these actions in this catalog; what it does not tell is left out."""
        ...

    def clock_ahead(self) -> timedelta | None:
        """By how much AWS's clock was ahead of ours at its last answer, to the second; None before the first one."""
        ...

    def tally(self) -> CallTally:
        """How calls ended since the adapter was made."""
        ...

    def take_calls(self) -> dict[str, int]:
        """Calls by operation since this was last asked."""
        ...

    def input_shape(self, operation: str) -> Shape: ...

    def output_shape(self, operation: str) -> Shape: ...
