"""What the service remembers: opportunities, tasks, engagements, invitations, client tokens.

Plain storage. Nothing here decides whether something is allowed.
"""

from __future__ import annotations

import secrets
import string
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush

from connector.sandbox.partner_central.instants import MILLISECOND
from connector.sandbox.partner_central.paths import Json

_ID_ALPHABET = string.digits + string.ascii_lowercase
FIRST_OPPORTUNITY = 10_000_001


def make_id(prefix: str, length: int = 13) -> str:
    """`task-`, `engi-` and `job-` ids have 13 characters after the dash, `eng-` ids 14."""
    return f"{prefix}-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(length))


def make_arn(catalog: str, kind: str, identifier: str) -> str:
    """ARNs as recorded from the service: without an account id."""
    return f"arn:aws:partnercentral:us-east-1::catalog/{catalog}/{kind}/{identifier}"


@dataclass(slots=True)
class Opportunity:
    """A partner's record. `body` is what the partner may write, without what the service owns."""

    id: str
    account: str
    catalog: str
    body: Json
    created: datetime
    modified: datetime
    origin: str = "Partner Referral"
    review_status: str | None = "Pending Submission"
    review_comments: str | None = None
    review_reason: str | None = None
    team: list[Json] = field(default_factory=list)
    related: dict[str, list[str]] = field(default_factory=dict)
    next_steps: list[tuple[datetime, str]] = field(default_factory=list)
    involvement: str | None = None
    visibility: str | None = None
    # What AWS says of its own side, by the members of its summary; None hides what would show there by itself.
    aws_side: Json = field(default_factory=dict)
    # When it last came to AWS for review; None once AWS has decided.
    awaiting_since: datetime | None = None
    engagement_id: str | None = None
    # An AWS referral that was not accepted yet cannot be read.
    is_hidden: bool = False

    @property
    def arn(self) -> str:
        return make_arn(self.catalog, "opportunity", self.id)


@dataclass(frozen=True, slots=True)
class TaskScript:
    """How the next task ends: after `after` seconds IN_PROGRESS; FAILED when a `reason` code is set.

    `ids_null` answers null for TaskId, TaskArn, EngagementId and ResourceSnapshotJobId, as recorded in 2024.
    `premature` shows COMPLETE while it is still IN_PROGRESS, as was seen of tasks that failed a moment later.
    """

    after: float = 0.0
    reason: str | None = None
    message: str | None = None
    ids_null: bool = False
    premature: bool = False


@dataclass(slots=True)
class Task:
    """One StartEngagementFromOpportunityTask."""

    id: str
    account: str
    catalog: str
    opportunity_id: str
    involvement: str
    visibility: str
    started: datetime
    due: datetime
    script: TaskScript
    status: str = "IN_PROGRESS"
    reason: str | None = None
    message: str | None = None
    engagement_id: str | None = None
    invitation_id: str | None = None
    job_id: str | None = None

    @property
    def arn(self) -> str:
        return make_arn(self.catalog, "engagement-from-opportunity-task", self.id)


@dataclass(slots=True)
class Engagement:
    """A room for up to ten members."""

    id: str
    catalog: str
    title: str
    description: str
    created: datetime
    created_by: str
    modified: datetime
    modified_by: str
    members: list[str]
    contexts: list[Json] = field(default_factory=list)
    # (opportunity id, account that shares it)
    opportunities: list[tuple[str, str]] = field(default_factory=list)
    invitations: list[Invitation] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return make_arn(self.catalog, "engagement", self.id)


@dataclass(slots=True)
class Invitation:
    """One sender asks one receiver account into an engagement."""

    id: str
    catalog: str
    engagement_id: str
    engagement_title: str
    sender: str
    sender_name: str
    receiver: Json
    payload: Json
    message: str
    created: datetime
    expires: datetime
    status: str = "PENDING"
    rejection: str | None = None

    @property
    def arn(self) -> str:
        return make_arn(self.catalog, "engagement-invitation", self.id)

    @property
    def receiver_account(self) -> str:
        account: str = self.receiver["Account"]["AwsAccountId"]
        return account

    @property
    def payload_type(self) -> str:
        return next(iter(self.payload))


@dataclass(frozen=True, slots=True)
class Remembered:
    """A client token's first use: the body it came with and how to answer it again."""

    digest: str
    at: datetime
    answer: Callable[[], Json]


Action = Callable[[datetime], None]
TokenKey = tuple[str, str, str, str]


class Records:
    """Everything the service remembers, and the ids and stamps it gives out."""

    def __init__(self) -> None:
        self.opportunities: dict[str, Opportunity] = {}
        self.tasks: dict[str, Task] = {}
        self.engagements: dict[str, Engagement] = {}
        self.invitations: dict[str, Invitation] = {}
        self.tokens: dict[TokenKey, Remembered] = {}
        self.scripts: deque[TaskScript] = deque()
        # Opportunities with a task in progress.
        self.busy: set[str] = set()
        self._agenda: list[tuple[datetime, int, Action]] = []
        self._done = 0
        self._stamp: datetime | None = None

    def next_opportunity_id(self) -> str:
        """Ids count up."""
        return f"O{FIRST_OPPORTUNITY + len(self.opportunities)}"

    def stamp(self, now: datetime) -> datetime:
        """A modification stamp in whole milliseconds, later than every one before it."""
        # Two changes in one millisecond would share a stamp, and the optimistic lock would miss the second.
        instant = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if self._stamp is not None and instant <= self._stamp:
            instant = self._stamp + MILLISECOND
        self._stamp = instant
        return instant

    def schedule(self, due: datetime, action: Action) -> None:
        """Something that happens by itself at an instant; `action` is called with the instant of the look."""
        heappush(self._agenda, (due, len(self._agenda) + self._done, action))

    def settle(self, now: datetime) -> None:
        """Lets everything happen that is due, in its order."""
        while self._agenda and self._agenda[0][0] <= now:
            self._done += 1
            heappop(self._agenda)[2](now)

    def next_script(self, after: float, ids_null: bool) -> TaskScript:
        """The script of the next task, or the default one."""
        return self.scripts.popleft() if self.scripts else TaskScript(after=after, ids_null=ids_null)
