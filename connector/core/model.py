"""The nouns of the connector, as frozen dataclasses. No behaviour beyond reading themselves to and from JSON."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

Structure: TypeAlias = dict[str, Any]
"""A JSON object as the services speak it, member names in their own spelling."""

Blocks = Literal["create", "submit", "assign"]


def fingerprint(value: object) -> str:
    """A short, stable hash of a JSON value; key order does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: Salesforce paths (none for a constant) and the mapping's line, from 1."""

    fields: tuple[str, ...]
    file: str
    line: int
    column: int

    @property
    def label(self) -> str:
        return " / ".join(self.fields) or "(constant)"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a record cannot be sent, in a seller's words.

    ``path`` is the AWS path (``Customer.Account.WebsiteUrl``, list items with an index);
    ``blocks`` tells whether CreateOpportunity, only the submission, or only AssignOpportunity would be refused.
    """

    path: str
    message: str
    cure: str
    code: str = "invalid"
    blocks: Blocks = "create"
    salesforce_field: str = ""
    file: str = ""
    line: int = 0

    def located(self, origin: Origin | None) -> Problem:
        """The same problem with the place it comes from, unless it has one already."""
        if origin is None or self.line:
            return self
        return replace(self, salesforce_field=origin.label, file=origin.file, line=origin.line)

    def __str__(self) -> str:
        place = f" ({self.file}:{self.line})" if self.line else ""
        name = f"{self.salesforce_field or self.path}{place}"
        return f"{name}: {self.message} {self.cure}".removeprefix(": ").rstrip()


@dataclass(frozen=True, slots=True, order=True)
class Association:
    """One related entity of an opportunity, e.g. ``Solutions`` ``S-0000001``."""

    entity_type: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """One partner whom a record wants invited.

    ``key`` is the child row's id (18 characters), or ``[n]`` for the nth item of a list written out in the mapping.
    ``body`` has the shape of CreateEngagementInvitation's Invitation (Message, Payload, Receiver). ``engagement_id``
    is one given on the record; "" stands for that of the finished task. ``problems`` hold this invitation only.
    """

    key: str
    body: Structure
    engagement_id: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def receiver(self) -> str:
        """The AWS account that is invited, "" when the record names none."""
        account = (self.body.get("Receiver") or {}).get("Account") or {}
        return str(account.get("AwsAccountId") or "")

    @property
    def label(self) -> str:
        """What a person calls it: the receiver's alias, else its account, else the key."""
        account = (self.body.get("Receiver") or {}).get("Account") or {}
        return str(account.get("Alias") or self.receiver or self.key)

    @property
    def fingerprint(self) -> str:
        """Changes when anything that would be sent changes."""
        return fingerprint([self.body, self.engagement_id])

    def to_json(self) -> Structure:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Structure) -> Invitation:
        return cls(**{**value, "problems": tuple(Problem(**problem) for problem in value["problems"])})


@dataclass(frozen=True, slots=True)
class SentInvitation:
    """An engagement invitation that AWS has: the receiver's account, and what AWS last told of it.

    ``key`` is that of the Invitation it was sent for; ``facts`` has the members of GetEngagementInvitation that are
    known (Id, Arn, Status, RejectionReason, …).
    """

    key: str
    receiver: str
    engagement_id: str
    facts: Structure

    @property
    def invitation_id(self) -> str:
        return str(self.facts.get("Id") or "")

    @property
    def status(self) -> str:
        """PENDING, ACCEPTED, REJECTED or EXPIRED; "" while AWS has not told."""
        return str(self.facts.get("Status") or "")

    def to_json(self) -> Structure:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Structure) -> SentInvitation:
        return cls(**value)


@dataclass(frozen=True)  # no slots: its fingerprint is kept
class Mapped:
    """One Salesforce record, mapped: what AWS should hold, and what stands in the way.

    ``opportunity`` has the shape of CreateOpportunity without Catalog and ClientToken. ``submission`` is the
    AwsSubmission, or None while the mapping's ``submission.when`` does not hold. ``assignee`` is AssignOpportunity's
    Assignee, None where the mapping names no owner. ``unread`` are the AWS paths whose value could not be made of this
    record: nobody knows what they should be, so they are neither changed nor emptied at AWS. ``known_as`` are what an
    earlier integration may have called it: partner identifiers, or AWS's own id.
    """

    opportunity: Structure
    associations: tuple[Association, ...] = ()
    submission: Structure | None = None
    problems: tuple[Problem, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    assignee: Structure | None = None
    invitations: tuple[Invitation, ...] = ()
    unread: tuple[str, ...] = ()
    known_as: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Changes when anything that would be sent changes. Asked for at each step of a record."""
        sent = [self.opportunity, sorted(map(asdict_pair, self.associations)), self.submission]
        if self.assignee or self.invitations:
            sent += [self.assignee, [[one.key, one.fingerprint] for one in self.invitations]]
        return fingerprint(sent)

    def origin_of(self, path: str) -> Origin | None:
        """The origin of an AWS path, else of this leaf in another item, of what is below it, or of what it is in."""
        if path in self.origins:
            return self.origins[path]
        wanted = _without_indices(path)
        plain: dict[str, Origin] = {}
        for name, origin in self.origins.items():
            plain.setdefault(_without_indices(name), origin)
        below = [name for name in plain if name.startswith(f"{wanted}.")]
        above = [name for name in plain if wanted.startswith(f"{name}.")]
        nearest = wanted if wanted in plain else min(below, default="") or max(above, key=len, default="")
        return plain.get(nearest)

    def to_json(self) -> Structure:
        return {
            "opportunity": self.opportunity,
            "associations": [[a.entity_type, a.identifier] for a in self.associations],
            "submission": self.submission,
            "problems": [asdict(problem) for problem in self.problems],
            "origins": {
                path: (origin.fields, origin.file, origin.line, origin.column) for path, origin in self.origins.items()
            },
            # Left out where there is nothing to say, so that what an earlier version stored reads the same.
            **({"assignee": self.assignee} if self.assignee else {}),
            **({"invitations": [one.to_json() for one in self.invitations]} if self.invitations else {}),
            **({"unread": list(self.unread)} if self.unread else {}),
            **({"known_as": list(self.known_as)} if self.known_as else {}),
        }

    @classmethod
    def from_json(cls, value: Structure) -> Mapped:
        return cls(
            opportunity=value["opportunity"],
            associations=tuple(Association(*pair) for pair in value["associations"]),
            submission=value["submission"],
            problems=tuple(Problem(**problem) for problem in value["problems"]),
            origins={
                path: _origin(tuple(fields), file, line, column)
                for path, (fields, file, line, column) in value["origins"].items()
            },
            assignee=value.get("assignee"),
            invitations=tuple(map(Invitation.from_json, value.get("invitations") or ())),
            unread=tuple(value.get("unread") or ()),
            known_as=tuple(value.get("known_as") or ()),
        )


@lru_cache(maxsize=4096)
def _origin(fields: tuple[str, ...], file: str, line: int, column: int) -> Origin:
    """Every record of a mapping has the same few: one of each is enough."""
    return Origin(fields, file, line, column)


def _without_indices(path: str) -> str:
    return re.sub(r"\[\d*\]", "", path)


def asdict_pair(association: Association) -> list[str]:
    """An association as a JSON pair."""
    return [association.entity_type, association.identifier]


TASK_MEMBERS = (
    "TaskId",
    "TaskArn",
    "TaskStatus",
    "StartTime",
    "Message",
    "ReasonCode",
    "OpportunityId",
    "EngagementId",
    "EngagementInvitationId",
    "ResourceSnapshotJobId",
)


@dataclass(frozen=True, slots=True)
class Task:
    """A Partner Central task as AWS last told it. Ids are opaque; ``reason_code`` is "" when there is none."""

    facts: Structure

    @classmethod
    def from_response(cls, response: Mapping[str, Any], before: Task | None = None) -> Task:
        """Keep the documented outputs; the literal text ``null`` for a reason code means none.

        Members that a later answer leaves out keep the value of ``before``, if it was the same task.
        """
        facts = {name: response[name] for name in TASK_MEMBERS if response.get(name) not in (None, "")}
        if facts.get("ReasonCode") == "null":
            del facts["ReasonCode"]
        if before is not None and before.facts.get("TaskId") == facts.get("TaskId"):
            facts = {**before.facts, **facts}
        return cls(facts)

    @property
    def task_id(self) -> str:
        return str(self.facts.get("TaskId", ""))

    @property
    def status(self) -> str:
        return str(self.facts.get("TaskStatus", ""))

    @property
    def reason_code(self) -> str:
        return str(self.facts.get("ReasonCode", ""))

    @property
    def message(self) -> str:
        return str(self.facts.get("Message", ""))

    @property
    def start_time(self) -> str:
        return str(self.facts.get("StartTime", ""))


@dataclass(frozen=True, slots=True)
class Operation:
    """One write to AWS, written ahead: exact body and token, committed before the call is made.

    ``intent`` is what will have been agreed once it is done, as it was planned: the record may change meanwhile.
    ``body_sha256`` is what stays of the body: the digest of its JSON as the ledger has it, UTF-8.
    """

    id: int
    link_id: int
    action: str
    body: Structure
    client_token: str
    intent: Structure = field(default_factory=dict)
    attempts: int = 0
    ambiguous: bool = False
    sent_at: datetime | None = None
    next_attempt_at: datetime | None = None
    error: str = ""
    body_sha256: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """AWS refused this content (``fingerprint`` of what was mapped): nothing is sent until it changes.

    ``review_status`` is AWS's when it refused; what it refused of a submitted opportunity it may take in another one.
    """

    action: str
    fingerprint: str
    message: str
    problems: tuple[Problem, ...] = ()
    review_status: str = ""

    def to_json(self) -> Structure:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Structure) -> Refusal:
        return cls(**{**value, "problems": tuple(Problem(**problem) for problem in value["problems"])})


Presence = Literal["flagged", "unflagged", "deleted", "missing"]


@dataclass(frozen=True, slots=True)
class Link:
    """Everything the ledger knows about one Salesforce record and its AWS opportunity.

    ``base`` is the opportunity as last agreed with AWS, in the shape of the mapping; ``existing`` what AWS last
    showed (a summary or a whole GetOpportunity); ``candidate_id`` an opportunity at AWS that carries this
    record's id and is not linked yet; ``submitted`` the fingerprint of what was last submitted; ``revision``
    grows with every change of a fact. ``aws`` is the last GetAwsOpportunitySummary; ``assigned`` the Assignee that AWS
    took last; ``invitations`` those that were sent; ``refusals`` what AWS refused of single parts, by their subject
    (``owner``, ``invitation <key>``; ``adoption`` where it cannot be taken over), while ``refusal`` is about the
    opportunity itself; ``taken`` the last value of AWS that each inbound field was given.
    ``cause`` is what brought the last news, ``asked`` which person asked for the record since it last rested (by, at,
    how).
    """

    id: int
    connection: str
    catalog: str
    salesforce_id: str
    name: str = ""
    presence: Presence = "flagged"
    mapped: Mapped | None = None
    opportunity_id: str = ""
    candidate_id: str = ""
    existing: Structure | None = None
    base: Structure | None = None
    attached: tuple[Association, ...] | None = None
    task: Task | None = None
    submitted: str = ""
    refusal: Refusal | None = None
    operation: Operation | None = None
    attempts: int = 0
    next_try_at: datetime | None = None
    changed_at: datetime | None = None
    shown: Structure = field(default_factory=dict)
    write_back_error: str = ""
    revision: int = 0
    aws: Structure | None = None
    assigned: Structure | None = None
    invitations: tuple[SentInvitation, ...] = ()
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    taken: Structure = field(default_factory=dict)
    cause: str = ""
    asked: Structure | None = None

    @property
    def answers_open(self) -> bool:
        """Whether an invitation waits for its answer."""
        return any(one.status in {"", "PENDING"} for one in self.invitations)

    def with_review_status(self, status: str) -> Link:
        """The same link as if AWS had told this review status."""
        if self.review_status == status:
            return self
        existing = self.existing or {}
        return replace(
            self, existing={**existing, "LifeCycle": {**(existing.get("LifeCycle") or {}), "ReviewStatus": status}}
        )

    @property
    def review_status(self) -> str:
        return str(((self.existing or {}).get("LifeCycle") or {}).get("ReviewStatus") or "")

    @property
    def stage(self) -> str:
        return str(((self.existing or {}).get("LifeCycle") or {}).get("Stage") or "")
