"""Partner Central through boto3: pinned region, no retries for writes, paced calls, translated errors.

The only module that talks to AWS. It decides nothing and keeps nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from connector.adapters.partner_central import model
from connector.adapters.partner_central.account import bucket_of, identity_of
from connector.adapters.partner_central.errors import is_throttled, to_error
from connector.adapters.partner_central.pace import Caller, Pace, Paces, Stopping
from connector.adapters.partner_central.redaction import redacted
from connector.adapters.partner_central.session import (
    PartnerCentralSettings,
    client_config,
    open_session,
    verify_with,
)
from connector.adapters.partner_central.simulator import simulate
from connector.adapters.partner_central.spans import calling, note_answer, note_error
from connector.core.model import Structure
from connector.core.schema import Shape
from connector.errors import AccessDenied, ConnectorError, RecordError, Unavailable
from connector.ports import CallTally, Clock, Denial, Identity

if TYPE_CHECKING:
    import boto3

logger = logging.getLogger(__name__)

WRITES = frozenset(
    {
        "CreateOpportunity",
        "UpdateOpportunity",
        "AssociateOpportunity",
        "DisassociateOpportunity",
        "AssignOpportunity",
        "SubmitOpportunity",
        "StartEngagementFromOpportunityTask",
        "CreateEngagementInvitation",
    }
)
_MUST_ANSWER = {
    "CreateOpportunity": "Id",
    "UpdateOpportunity": "Id",
    "GetOpportunity": "Id",
    "StartEngagementFromOpportunityTask": "TaskStatus",
    "CreateEngagementInvitation": "Id",
    "ListOpportunities": "OpportunitySummaries",
    "ListEngagementFromOpportunityTasks": "TaskSummaries",
}
"""A member that a whole answer always has; without it the body was cut short and the outcome is unknown."""


_HANDED_OVER = 10.0
"""Seconds for which calls that were taken to be added to the ledger may not be there yet."""


def _forget(_account: str) -> None:
    """Where there is no ledger to remember the account."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the ledger knows of an account: how many calls of each class its last 24 hours saw.

    ``learn`` is told once which account the connection reaches, before anything is counted.
    """

    writes: Callable[[str], int]
    reads: Callable[[str], int]
    learn: Callable[[str], None] = _forget


class PartnerCentralClient:
    """``ports.PartnerCentral`` over boto3. Safe to use from several threads.

    ``clock`` and ``stopping`` are the connection's own: set, they end its waits and nobody else's.
    """

    def __init__(
        self, settings: PartnerCentralSettings, spent: Spent, clock: Clock, paces: Paces, stopping: Stopping
    ) -> None:
        self.catalog = settings.catalog
        self._settings = settings
        self._spent = spent
        self._clock = clock
        self._caller = Caller(clock, stopping)
        self._shared = paces
        self._opening = threading.Lock()
        self._session: boto3.Session | None = None
        self._bucket = ""
        self._clients: dict[bool, Any] = {}
        self._paces: dict[bool, Pace] = {}
        self._counting = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._throttled: Counter[str] = Counter()
        self._handed_over: deque[tuple[float, int]] = deque()
        self._ahead: timedelta | None = None

    def _count(self, operation: str) -> None:
        with self._counting:
            self._calls[operation] += 1

    def _reads_not_recorded(self) -> int:
        with self._counting:
            recently = self._clock.monotonic() - _HANDED_OVER
            while self._handed_over and self._handed_over[0][0] < recently:
                self._handed_over.popleft()
            return _reads_in(self._calls) + sum(reads for _, reads in self._handed_over)

    def close(self) -> None:
        """Nobody calls any more: close what is open, and leave the account's quota to the others."""
        self._shared.leave(self)
        with self._opening:
            clients, self._clients, self._paces = list(self._clients.values()), {}, {}
        for client in clients:
            client.close()

    def input_shape(self, operation: str) -> Shape:
        return model.input_shape(operation)

    def output_shape(self, operation: str) -> Shape:
        return model.output_shape(operation)

    def account(self) -> str:
        """The AWS account's id, "" where it cannot be told. Raises Halt or TemporaryError without credentials."""
        self._client(is_write=False)
        return self._bucket if self._bucket.isdigit() else ""

    def identity(self) -> Identity | None:
        """Who AWS takes the credentials for; None where it cannot be told. Raises Halt without credentials."""
        return identity_of(self._settings, self._opened())

    def may(self, actions: Sequence[str]) -> Mapping[str, bool]:
        """What IAM's policy simulator says of these actions in this catalog; what it does not tell is left out."""
        return simulate(self._settings, self._opened(), self.identity(), actions)

    def clock_ahead(self) -> timedelta | None:
        """By how much AWS's clock was ahead of ours at its last answer, to the second; None before the first one."""
        return self._ahead

    def probe(self, operation: str, parameters: Structure) -> Denial | None:
        """Make a read only to see whether it is allowed; None where it is, whatever else AWS has against it.

        Raises what ``call`` raises where AWS does not answer, or does not accept the credentials.
        """
        try:
            self.call(operation, parameters)
        except RecordError:
            return None
        except AccessDenied as error:
            denial = _denial_of(error)
            if denial is None:
                raise
            return denial
        return None

    def tally(self) -> CallTally:
        """How calls ended since the client was made."""
        with self._counting:
            return CallTally(dict(self._ended), dict(self._throttled))

    def resume(self, free_in: float | None, *, after_others: bool) -> None:
        """Go on calling where another process may have called on the account: see ``Pace.resume``.

        ``free_in`` is about writes. ``after_others``: one did, and nothing is known of its reads.
        """
        for is_write, pace in self._paces.items():
            if is_write or after_others:
                pace.resume(free_in if is_write else None)

    @property
    def free_in(self) -> float:
        """Seconds until the next write may leave."""
        return self._paces[True].free_in if self._paces else 0.0

    def take_calls(self) -> dict[str, int]:
        """Calls by operation since this was last asked, so that they can be added to the ledger."""
        with self._counting:
            calls, self._calls = self._calls, Counter()
            if reads := _reads_in(calls):
                self._handed_over.append((self._clock.monotonic(), reads))
        return dict(calls)

    def call(self, operation: str, parameters: Structure, on_send: Callable[[], None] | None = None) -> Structure:
        """Make one call with the Catalog added; ``on_send`` runs when all is ready, before the wait for the turn.

        It runs once more, right before the bytes leave, where that is seconds later: see ``departure.RENEWED``.
        Instants in the answer are ISO texts. Raises RecordError, TemporaryError or Halt; of what stopped the call
        before its bytes left, none is ambiguous.
        """
        from connector.adapters.partner_central.departure import departing

        is_write = operation in WRITES
        method = getattr(self._client(is_write), _method(operation))
        self._renew_credentials(operation)
        paced = departing(self._paces[is_write], self._caller, lambda: self._count(operation))
        with calling(operation), paced as departure:
            if on_send is not None:
                departure.commit(on_send)
            started = self._clock.monotonic()
            try:
                answer = _built_in_time(method, {"Catalog": self.catalog, **parameters})
            except ConnectorError as ours:
                # Raised where the call waits for its turn; botocore lets it through as it is.
                self._log(operation, parameters, type(ours).__name__, started)
                raise
            except Exception as raised:
                error = _refused_in(raised) or to_error(raised, operation, is_sent=departure.is_sent)
                note_error(raised)
                self._log(operation, parameters, type(error).__name__, started)
                raise error from raised
            note_answer(answer)
        self._log(operation, parameters, "answered", started)
        return _whole(operation, answer)

    def _renew_credentials(self, operation: str) -> None:
        """Where they have run out it is told, and waited for, before anything is committed."""
        assert self._session is not None
        credentials = self._session.get_credentials()
        try:
            if credentials is not None:
                credentials.get_frozen_credentials()
        except Exception as raised:
            raise to_error(raised, operation, is_sent=False) from raised

    def _log(self, operation: str, parameters: Structure, outcome: str, started: float) -> None:
        with self._counting:
            self._ended[operation, outcome] += 1
        if not self._settings.debug_log:
            return
        extra = {
            "event": "aws_call",
            "operation": operation,
            "seconds": round(self._clock.monotonic() - started, 3),
            "parameters": redacted(parameters, self.input_shape(operation)),
        }
        logger.debug("%s %s", operation, outcome, extra=extra)

    def _client(self, is_write: bool) -> Any:
        """The boto3 client of a class of calls: reads may be repeated by botocore, writes not."""
        with self._opening:
            if is_write not in self._clients:
                try:
                    self._open(is_write)
                except ConnectorError:
                    raise
                except Exception as raised:
                    raise to_error(raised, "the login to AWS", is_sent=False) from raised
            return self._clients[is_write]

    def _opened(self) -> boto3.Session:
        """The session with the credentials. Raises Halt or TemporaryError without them."""
        self._client(is_write=False)
        assert self._session is not None
        return self._session

    def _open(self, is_write: bool) -> None:
        from botocore.exceptions import NoCredentialsError

        self._session = self._session or open_session(self._settings)
        if self._session.get_credentials() is None:
            raise NoCredentialsError
        if not self._paces:
            self._bucket = bucket_of(self._settings, self._session)
            self._paces = self._join(self._bucket)
        self._clients[is_write] = self._open_client(self._session, 1 if is_write else 3)

    def _join(self, account: str) -> dict[bool, Pace]:
        """The account's buckets, by whether they are for writes."""
        settings, spent = self._settings, self._spent
        spent.learn(account)
        writes = self._shared.join(
            self,
            account,
            "writes",
            per_second=settings.writes_per_second,
            per_day=settings.writes_per_day,
            recorded=lambda: spent.writes(account),
            # The ledger has each before it is sent.
            unrecorded=lambda: 0,
        )
        reads = self._shared.join(
            self,
            account,
            "reads",
            per_second=settings.reads_per_second,
            per_day=settings.reads_per_day,
            recorded=lambda: spent.reads(account),
            unrecorded=self._reads_not_recorded,
        )
        return {True: writes, False: reads}

    def _open_client(self, session: boto3.Session, attempts: int) -> Any:
        from connector.adapters.partner_central.departure import watch

        settings = self._settings
        client = session.client(
            model.SERVICE,
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            verify=verify_with(settings),
            config=client_config(settings, attempts, ignore_configured_endpoint_urls=True),
        )
        text = settings.user_agent

        def mark(request: Any, **_: Any) -> None:
            request.headers["X-Amzn-User-Agent"] = text

        if text:
            client.meta.events.register(f"before-sign.{model.SERVICE}.*", mark)
        client.meta.events.register(f"after-call.{model.SERVICE}.*", self._note_time)
        client.meta.events.register(f"needs-retry.{model.SERVICE}.*", self._note_throttle)
        watch(client)
        return client

    def _note_throttle(self, response: Any = None, operation: Any = None, **_: Any) -> None:
        """Called after every attempt, also one that botocore makes again by itself."""
        if response is not None and is_throttled(response[1]):
            with self._counting:
                self._throttled[operation.name] += 1

    def _note_time(self, http_response: Any = None, **_: Any) -> None:
        """Every answer tells AWS's time, also one that refuses."""
        try:
            ahead = parsedate_to_datetime(http_response.headers["Date"]) - self._clock.now()
        except (AttributeError, KeyError, TypeError, ValueError):
            return
        # A Date leaves out the part of the second that has passed: half of one on the average.
        self._ahead = ahead + timedelta(seconds=0.5)


def _denial_of(error: AccessDenied) -> Denial | None:
    """A denial by AWS itself; None for that of a proxy, or for an operation that is not known there."""
    answer = getattr(error.__cause__, "response", {})
    code = str(answer.get("Error", {}).get("Code") or "").rpartition("#")[2]
    if code.partition(":")[0] not in {"AccessDeniedException", "AccessDenied"}:
        return None
    return Denial(error.message, error.cure, answer.get("Reason") == "INCOMPATIBLE_BENEFIT_AWS_PARTNER_STATE")


def _reads_in(calls: Mapping[str, int]) -> int:
    return sum(count for operation, count in calls.items() if operation not in WRITES)


def _built_in_time(method: Callable[..., Any], parameters: Structure) -> Any:
    """Make the call, and build it again where its turn came too late for its signature."""
    from connector.adapters.partner_central.departure import SignatureStale

    while True:
        try:
            return method(**parameters)
        except SignatureStale:
            continue


def _refused_in(raised: Exception) -> ConnectorError | None:
    """What the commit before the departure raised, where botocore took it for trouble with the network."""
    inner = getattr(raised, "kwargs", {}).get("error")
    return inner if isinstance(inner, ConnectorError) else None


def _method(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))


def _whole(operation: str, answer: Mapping[str, Any]) -> Structure:
    plain: Structure = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    member = _MUST_ANSWER.get(operation)
    # botocore takes a body that was cut short for an empty one; only AWS's request id shows that AWS answered at all.
    is_from_aws = bool(answer.get("ResponseMetadata", {}).get("RequestId"))
    if not is_from_aws or (member is not None and plain.get(member) is None):
        raise Unavailable(f"The answer of AWS to {operation} was cut short.", ambiguous=True)
    return plain
