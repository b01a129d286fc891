"""Partner Central through boto3: pinned region, no retries for writes, paced calls, translated errors.

The only module that talks to AWS. It decides nothing and keeps nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector.adapters.partner_central import model
from connector.adapters.partner_central.errors import to_error
from connector.adapters.partner_central.pace import Pace
from connector.core.model import Structure
from connector.core.schema import Shape
from connector.errors import Throttled, Unavailable
from connector.ports import Clock

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


@dataclass(frozen=True, slots=True)
class PartnerCentralSettings:
    """How to reach AWS; timeouts in time, everything optional as in the AWS CLI."""

    catalog: str
    region: str = "us-east-1"
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None
    ca_bundle: Path | None = None
    proxy: str | None = None
    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=70)
    writes_per_second: float = 1.0
    reads_per_second: float = 10.0
    writes_per_day: int = 10_000
    reads_per_day: int = 100_000
    in_flight: int = 8
    user_agent: str = ""
    debug_log: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """How many calls of each class the last 24 hours saw, from the ledger."""

    writes: Callable[[], int]
    reads: Callable[[], int]


class PartnerCentralClient:
    """``ports.PartnerCentral`` over boto3. Safe to use from several threads."""

    def __init__(self, settings: PartnerCentralSettings, spent: Spent, clock: Clock) -> None:
        self.catalog = settings.catalog
        self._settings = settings
        self._clock = clock
        self._writes = Pace("writes", settings.writes_per_second, settings.writes_per_day, spent.writes, clock)
        self._reads = Pace("reads", settings.reads_per_second, settings.reads_per_day, self._reads_spent, clock)
        self._recorded_reads = spent.reads
        self._opening = threading.Lock()
        self._clients: dict[bool, Any] = {}
        self._counting = threading.Lock()
        self._calls: Counter[str] = Counter()

    def _reads_spent(self) -> int:
        with self._counting:
            unrecorded = sum(count for operation, count in self._calls.items() if operation not in WRITES)
        return self._recorded_reads() + unrecorded

    def _count(self, operation: str) -> None:
        with self._counting:
            self._calls[operation] += 1

    def input_shape(self, operation: str) -> Shape:
        return model.input_shape(operation)

    def output_shape(self, operation: str) -> Shape:
        return model.output_shape(operation)

    def take_calls(self) -> dict[str, int]:
        """Calls by operation since this was last asked, so that they can be added to the ledger."""
        with self._counting:
            calls, self._calls = self._calls, Counter()
        return dict(calls)

    def call(self, operation: str, parameters: Structure, on_send: Callable[[], None] | None = None) -> Structure:
        """Make one call with the Catalog added; ``on_send`` runs when its turn has come, before anything leaves.

        Instants in the answer are ISO texts. Raises RecordError, TemporaryError or Halt.
        """
        from connector.adapters.partner_central.departure import departing

        is_write = operation in WRITES
        method = getattr(self._client(is_write), _method(operation))
        pace = self._writes if is_write else self._reads
        with departing(pace.wait_turn()) as departure:
            if on_send is not None:
                on_send()
            self._count(operation)
            started = self._clock.monotonic()
            try:
                answer = method(**{"Catalog": self.catalog, **parameters})
            except Exception as raised:
                error = to_error(raised, operation, is_sent=departure.is_sent)
                if isinstance(error, Throttled):
                    pace.slow_down(error.delay)
                self._log(operation, parameters, type(error).__name__, started)
                raise error from raised
        self._log(operation, parameters, "answered", started)
        return _whole(operation, answer)

    def _log(self, operation: str, parameters: Structure, outcome: str, started: float) -> None:
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
        with self._opening:
            if is_write not in self._clients:
                try:
                    self._clients[is_write] = self._open(1 if is_write else 3)
                except Exception as raised:
                    raise to_error(raised, "the login to AWS", is_sent=False) from raised
            return self._clients[is_write]

    def _open(self, attempts: int) -> Any:
        from connector.adapters.partner_central.departure import watch

        settings = self._settings
        client = _session(settings).client(
            model.SERVICE,
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            verify=_verify(settings),
            config=_config(settings, attempts, ignore_configured_endpoint_urls=True),
        )
        text = settings.user_agent

        def mark(request: Any, **_: Any) -> None:
            request.headers["X-Amzn-User-Agent"] = text

        if text:
            client.meta.events.register(f"before-sign.{model.SERVICE}.*", mark)
        watch(client)
        return client


def _config(settings: PartnerCentralSettings, attempts: int, **more: Any) -> Any:
    from botocore.config import Config

    return Config(
        region_name=settings.region,
        connect_timeout=settings.connect_timeout.total_seconds(),
        read_timeout=settings.read_timeout.total_seconds(),
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=settings.in_flight + 4,
        proxies={"https": settings.proxy, "http": settings.proxy} if settings.proxy else None,
        **more,
    )


def _verify(settings: PartnerCentralSettings) -> str | None:
    return str(settings.ca_bundle) if settings.ca_bundle else None


def _session(settings: PartnerCentralSettings) -> boto3.Session:
    """A boto3 session; with ``role_arn`` its credentials are those of the role and renew themselves."""
    import boto3

    session = boto3.Session(profile_name=settings.profile, region_name=settings.region)
    if not settings.role_arn:
        return session
    from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
    from botocore.session import Session

    wanted = {"RoleArn": settings.role_arn, "RoleSessionName": "partner-central-connector"}
    if settings.external_id:
        wanted["ExternalId"] = settings.external_id
    # The same way out as for the calls themselves: where a proxy or a CA of one's own is needed, STS needs it too.
    sts = session.client("sts", verify=_verify(settings), config=_config(settings, 3))
    inner = Session(profile=settings.profile)
    inner._credentials = DeferredRefreshableCredentials(create_assume_role_refresher(sts, wanted), "assume-role")
    return boto3.Session(botocore_session=inner, region_name=settings.region)


def _method(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))


def _whole(operation: str, answer: Mapping[str, Any]) -> Structure:
    plain: Structure = {name: to_json(value) for name, value in answer.items() if name != "ResponseMetadata"}
    member = _MUST_ANSWER.get(operation)
    # botocore takes a body that was cut short for an empty one; only AWS's request id shows that AWS answered at all.
    is_from_aws = bool(answer.get("ResponseMetadata", {}).get("RequestId"))
    if not is_from_aws or (member is not None and plain.get(member) is None):
        raise Unavailable(f"The answer of AWS to {operation} was cut short.", ambiguous=True)
    return plain


def to_json(value: Any) -> Any:
    """botocore's answer as JSON: instants become ISO texts in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {name: to_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return value


def redacted(value: Any, shape: Shape | None) -> Any:
    """A request for the log: members that AWS's model marks sensitive, and unknown ones, are starred out."""
    if shape is None or shape.sensitive:
        return "***"
    if isinstance(value, Mapping):
        return {name: redacted(inner, shape.members.get(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, shape.item) for inner in value]
    return value
