"""The service itself: who may call what, in which order a request is judged, and what it left behind.

Thread-safe: one lock covers every request and every admin method. It knows nothing of HTTP.
"""

from __future__ import annotations

import copy
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from connector.sandbox.partner_central import (
    associations,
    aws_side,
    engagements,
    invitations,
    listing,
    opportunities,
    tasks,
)
from connector.sandbox.partner_central.calls import Answer, Call
from connector.sandbox.partner_central.errors import REQUEST, Problem, ServiceError, conflict, refuse
from connector.sandbox.partner_central.identity import words_of_denial
from connector.sandbox.partner_central.instants import Clock, utc_now
from connector.sandbox.partner_central.paths import Json
from connector.sandbox.partner_central.quota import Quotas, kind_of
from connector.sandbox.partner_central.records import Opportunity, Records, Remembered, TaskScript, TokenKey
from connector.sandbox.partner_central.review import decide, may_decide
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.partner_central.shapes import RequestModel
from connector.sandbox.partner_central.tables import CATALOGS
from connector.sandbox.partner_central.views import show_invitation_detail, show_opportunity, show_task

DEFAULT_ACCOUNT = "111122223333"

Handler = Callable[[Call, Json], Answer | Json]

OPERATIONS: Mapping[str, Handler] = {
    "CreateOpportunity": opportunities.create_opportunity,
    "GetOpportunity": opportunities.get_opportunity,
    "UpdateOpportunity": opportunities.update_opportunity,
    "ListOpportunities": listing.list_opportunities,
    "AssignOpportunity": opportunities.assign_opportunity,
    "GetAwsOpportunitySummary": opportunities.get_aws_opportunity_summary,
    "AssociateOpportunity": associations.associate_opportunity,
    "DisassociateOpportunity": associations.disassociate_opportunity,
    "ListSolutions": associations.list_solutions,
    "StartEngagementFromOpportunityTask": tasks.start_engagement_from_opportunity_task,
    "ListEngagementFromOpportunityTasks": tasks.list_engagement_from_opportunity_tasks,
    "SubmitOpportunity": tasks.submit_opportunity,
    "CreateEngagement": engagements.create_engagement,
    "GetEngagement": engagements.get_engagement,
    "ListEngagements": engagements.list_engagements,
    "ListEngagementMembers": engagements.list_engagement_members,
    "ListEngagementResourceAssociations": engagements.list_engagement_resource_associations,
    "CreateEngagementInvitation": invitations.create_engagement_invitation,
    "ListEngagementInvitations": invitations.list_engagement_invitations,
    "GetEngagementInvitation": invitations.get_engagement_invitation,
    "AcceptEngagementInvitation": invitations.accept_engagement_invitation,
    "RejectEngagementInvitation": invitations.reject_engagement_invitation,
}


@dataclass(slots=True)
class Entry:
    """One request in the journal. `outcome` is `ok` or the exception's name, `problems` the codes of its
    ErrorList; `answer` what was sent back."""

    at: datetime
    account: str
    operation: str
    token: str | None
    body: Json
    outcome: str = "ok"
    problems: tuple[str, ...] = ()
    answer: Json | None = None
    is_replay: bool = False


class PartnerCentral:
    """Partner Central Selling in memory.

    `clock` gives the instant of every request; with one of your own, quotas run on it too. `accounts` maps
    access keys to account ids; any other key is account 111122223333.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        clock: Clock | None = None,
        accounts: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.journal: list[Entry] = []
        self._clock = clock or utc_now
        self._accounts = dict(accounts or {})
        self._model = RequestModel()
        self._records = Records()
        self._quotas = Quotas(time.monotonic if clock is None else lambda: self._clock().timestamp())
        self._lock = threading.RLock()

    # What a caller may ask.

    def account_of(self, access_key: str) -> str:
        """The account that an access key belongs to."""
        return self._accounts.get(access_key, DEFAULT_ACCOUNT)

    def perform(self, operation: str, account: str, body: Any) -> Answer:
        """Performs one request. Raises ServiceError; every request is journalled."""
        with self._lock:
            entry = self._journal(operation, account, body)
            try:
                answer = self._judge(entry, body)
            except ServiceError as error:
                entry.outcome = error.kind
                entry.problems = tuple(problem["Code"] for problem in error.members.get("ErrorList", ()))
                raise
            return Answer(lambda: self._render(entry, answer), answer.delay or self.settings.latency)

    def wire_time(self) -> str:
        """The instant that an answer's Date tells."""
        now = self._clock() + timedelta(seconds=self.settings.clock_ahead)
        return format_datetime(now.astimezone(UTC), usegmt=True)

    # What a test, the demo or the admin door may do.

    def configure(self, **changes: Any) -> Settings:
        """Replaces settings by name. Raises ValueError for an unknown one."""
        with self._lock:
            self.settings = self.settings.changed(changes)
            return self.settings

    def script_tasks(self, script: TaskScript, times: int = 1) -> None:
        """Decides how the next `times` tasks end."""
        with self._lock:
            self._records.scripts.extend([script] * times)

    def forget_scripts(self) -> None:
        """Lets every further task end by itself again."""
        with self._lock:
            self._records.scripts.clear()

    def review(self, opportunity_id: str, status: str, comments: str | None = None, reason: str | None = None) -> None:
        """Decides as AWS's reviewer. Raises KeyError (no such record), ValueError (no such move)."""
        with self._lock:
            call, record = self._beside(opportunity_id)
            if not may_decide(record, status):
                raise ValueError(f"AWS does not move {opportunity_id} from {record.review_status} to {status}")
            decide(call, record, status, comments, reason)

    def edit_at_aws(self, opportunity_id: str, **changes: Any) -> None:
        """Changes members of a record as AWS, or a colleague in Partner Central, does, whatever its status.

        `changes` are values by dotted path of GetOpportunity's members (`LifeCycle.NextSteps`,
        `Project.ExpectedCustomerSpend.0.Amount`); None takes a member away. Raises KeyError (no such record),
        ValueError (AWS's model has no such member, or not with that value; nothing is changed then).
        """
        with self._lock:
            call, record = self._beside(opportunity_id)
            aws_side.edit(call, record, changes, self._model)

    def summarise(self, opportunity_id: str, **changes: Any) -> None:
        """Changes what GetAwsOpportunitySummary shows of AWS's side, by dotted path of its members.

        A structure is laid over what stands there, a list replaces it, None hides it. Raises KeyError (no such
        record), ValueError (not submitted yet, or not of AWS's model; nothing is changed then).
        """
        with self._lock:
            call, record = self._beside(opportunity_id)
            aws_side.summarise(call, record, changes, self._model)

    def answer_invitation(self, invitation_id: str, status: str, reason: str | None = None) -> None:
        """Answers as the invited partner: ACCEPTED, REJECTED (and why), or EXPIRED for never.

        `reason` is one of REJECTION_REASONS or up to 80 characters of one's own. Raises KeyError (no such
        invitation), ValueError (not pending, AWS's own, or no such answer).
        """
        with self._lock:
            now = self._settle()
            invitation = self._records.invitations[invitation_id.rsplit("/", 1)[-1]]
            call = self._call(invitation.receiver_account, invitation.catalog, now)
            aws_side.answer_invitation(call, invitation, status, reason, self._model)

    def invitations(self) -> list[Json]:
        """Every invitation of every account, oldest first, with its message, payload and answer."""
        with self._lock:
            self._settle()
            engagements = self._records.engagements
            return [
                show_invitation_detail(invitation, engagements[invitation.engagement_id])
                for invitation in self._records.invitations.values()
            ]

    def opportunities(self) -> list[Json]:
        """Every record of every account, oldest first, unescaped, with the AWS side's values."""
        with self._lock:
            self._settle()
            plain = replace(self.settings, escape="none", stub_spend=False)
            return [
                {
                    **show_opportunity(record, plain),
                    "Account": record.account,
                    "Origin": record.origin,
                    "InvolvementType": record.involvement,
                    "Visibility": record.visibility,
                    "EngagementId": record.engagement_id,
                }
                for record in self._records.opportunities.values()
            ]

    def tasks(self) -> list[Json]:
        """Every start-engagement task of every account, oldest first, as it truly stands, ids included."""
        with self._lock:
            self._settle()
            tasks = self._records.tasks.values()
            return [{**show_task(task, self.settings), "TaskId": task.id, "TaskStatus": task.status} for task in tasks]

    @property
    def operations(self) -> Counter[str]:
        """Requests by operation, refused ones included."""
        with self._lock:
            return Counter(entry.operation for entry in self.journal)

    @property
    def writes(self) -> int:
        """Requests of the write class that were not throttled."""
        return self._count(lambda entry: kind_of(entry.operation) != "read" and not _is_throttled(entry))

    @property
    def reads(self) -> int:
        """Requests of the read class that were not throttled."""
        return self._count(lambda entry: kind_of(entry.operation) == "read" and not _is_throttled(entry))

    @property
    def throttled(self) -> int:
        """Requests that were answered with ThrottlingException by the quotas."""
        return self._count(_is_throttled)

    def _count(self, is_counted: Callable[[Entry], bool]) -> int:
        with self._lock:
            return sum(map(is_counted, self.journal))

    def _journal(self, operation: str, account: str, body: Any) -> Entry:
        kept = copy.deepcopy(body) if isinstance(body, dict) else {}
        entry = Entry(self._clock(), account, operation, kept.get("ClientToken"), kept)
        self.journal.append(entry)
        return entry

    def _judge(self, entry: Entry, body: Any) -> Answer:
        operation = entry.operation
        if operation not in OPERATIONS:
            raise ServiceError("UnknownOperationException", f"The operation {operation} is not known.")
        if not self._quotas.may_pass(entry.account, operation, self.settings):
            raise ServiceError("ThrottlingException", "Rate exceeded")
        if not self.settings.registered:
            reason = "INCOMPATIBLE_BENEFIT_AWS_PARTNER_STATE"
            raise ServiceError("AccessDeniedException", f"{operation} is denied: {reason}", Reason=reason)
        if operation in self.settings.denied_operations:
            raise ServiceError("AccessDeniedException", words_of_denial(self.settings, entry.account, operation))
        refuse(self._model.check(operation, body), REQUEST)
        cleaned = self._model.clean(operation, body)
        refuse(_check_catalog(cleaned["Catalog"]), REQUEST)
        return self._answer(entry, cleaned)

    def _answer(self, entry: Entry, body: Json) -> Answer:
        now = self._settle()
        key = (entry.account, body["Catalog"], entry.operation, body.get("ClientToken", ""))
        digest = _digest(body)
        remembered = self._recall(key, now)
        if remembered is not None:
            entry.is_replay = True
            if remembered.digest != digest:
                raise conflict("Conflicting client token submitted for a new request body.")
            if self.settings.replay == "conflict":
                raise conflict("Conflicting client token: the request was submitted before.")
            return Answer(remembered.answer)
        result = OPERATIONS[entry.operation](self._call(entry.account, body["Catalog"], now), body)
        answer = result if isinstance(result, Answer) else Answer(lambda: result)
        if "ClientToken" in body:
            self._records.tokens[key] = Remembered(digest, now, answer.render)
        return answer

    def _recall(self, key: TokenKey, now: datetime) -> Remembered | None:
        remembered = self._records.tokens.get(key)
        lifetime = self.settings.token_lifetime
        if remembered is None or lifetime is None or now < remembered.at + timedelta(seconds=lifetime):
            return remembered
        return None

    def _render(self, entry: Entry, answer: Answer) -> Json:
        with self._lock:
            # With a clock that stands still the held answer is due all the same.
            self._records.settle(max(self._clock(), entry.at + timedelta(seconds=answer.delay)))
            entry.answer = answer.render()
            return entry.answer

    def _settle(self) -> datetime:
        now = self._clock()
        self._records.settle(now)
        return now

    def _beside(self, opportunity_id: str) -> tuple[Call, Opportunity]:
        now = self._settle()
        record = self._records.opportunities[opportunity_id]
        return self._call(record.account, record.catalog, now), record

    def _call(self, account: str, catalog: str, now: datetime) -> Call:
        return Call(self._records, self.settings, account, catalog, now)


def _is_throttled(entry: Entry) -> bool:
    return entry.outcome == "ThrottlingException"


def _check_catalog(catalog: str) -> list[Problem]:
    if catalog in CATALOGS:
        return []
    return [Problem("catalog", "INVALID_ENUM_VALUE", f"catalog must be one of {', '.join(CATALOGS)}")]


def _digest(body: Json) -> str:
    rest = {key: value for key, value in body.items() if key != "ClientToken"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
