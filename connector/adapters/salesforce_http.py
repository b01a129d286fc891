"""One REST call to Salesforce: simple-salesforce in direct mode with our own token, timeouts and counting.

simple-salesforce sets no timeout, speaks https only, and loses headers when it renews a session; so it gets a
session of ours, a token of ours, and never logs in itself. Nothing here knows what is asked or answered.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from connector.adapters.salesforce_auth import SalesforceSettings, Token, TokenProvider, is_plain_http
from connector.adapters.salesforce_errors import is_curable, to_error, to_login_failed, to_unavailable
from connector.adapters.salesforce_spans import calling, note_response
from connector.errors import ConfigError, QuotaExhausted
from connector.ports import ApiUsage, Clock

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce as SimpleSalesforce

PERMANENT_HEADERS = {
    "Sforce-Call-Options": "client=partner-central-connector",
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Mru": "updateMru=false",
}
_PER_CALL_HEADERS = {"X-PrettyPrint": "0"}  # simple-salesforce sets 1 on each call
_CONNECT_SECONDS = 10.0
_DAY = 86400.0
_BUCKET = 900.0
_USAGE = re.compile(r"(?:^|[^-])\bapi-usage=(\d+)/(\d+)")


class Transport(HTTPAdapter):
    """Fills in a timeout on every request; if ``plain``, speaks http where simple-salesforce says https."""

    def __init__(self, *, timeout: float, plain: bool) -> None:
        # urllib3 repeats GET only, but for connections that never came about: then nothing was sent at all.
        # A server's Retry-After is not obeyed: it could put a thread to sleep for hours.
        retry = Retry(
            total=3,
            connect=2,
            read=1,
            status=3,
            other=0,
            allowed_methods={"GET"},
            status_forcelist=(502, 503, 504),
            backoff_factor=0.2,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        self._default_timeout = (min(timeout, _CONNECT_SECONDS), timeout)
        self._plain = plain
        super().__init__(max_retries=retry)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        if self._plain and request.url is not None:
            request.url = re.sub(r"^https:", "http:", request.url)
        return super().send(request, stream, timeout or self._default_timeout, verify, cert, proxies)


def open_session(settings: SalesforceSettings, url: str) -> requests.Session:
    """A session for one address. Netrc and environment could replace token, proxy or CA: both are ignored."""
    plain = is_plain_http(url)
    session = requests.Session()
    session.trust_env = False
    session.verify = str(settings.ca_bundle) if settings.ca_bundle else True
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    session.headers.update(PERMANENT_HEADERS)
    session.adapters.clear()
    transport = Transport(timeout=settings.timeout.total_seconds(), plain=plain)
    for prefix in ("https://", "http://") if plain else ("https://",):
        session.mount(prefix, transport)
    return session


@dataclass(frozen=True, slots=True)
class Call:
    """What to ask. ``path`` follows /services/data/vNN.N/; ``label`` names the call in counts and, with
    ``about`` (an object), in messages. ``writes`` makes an unclear outcome an ambiguous one.
    """

    label: str
    path: str
    method: str = "GET"
    about: str = ""
    params: Mapping[str, str] | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    writes: bool = False

    @property
    def name(self) -> str:
        return f"{self.label} {self.about}".strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """The decoded body (None when there is none, or for 304) and the response's headers, case-insensitive."""

    body: Any
    headers: Mapping[str, str]


class ApiMeter:
    """Counts our calls of the last 24 hours against our share of the org's daily limit. Thread-safe."""

    def __init__(self, share: float, clock: Clock) -> None:
        self._share = share
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: deque[tuple[float, int]] = deque()
        self._before = (clock.monotonic(), 0)
        self._by_label: dict[str, int] = {}
        self._org_used = 0
        self._org_limit = 0

    @property
    def spent_before(self) -> int:
        """Calls of earlier processes within the 24 hours before it was set; forgotten a day later."""
        since, count = self._before
        return count if self._clock.monotonic() - since < _DAY else 0

    @spent_before.setter
    def spent_before(self, count: int) -> None:
        self._before = (self._clock.monotonic(), count)

    def recount(self, in_all: int) -> None:
        """Of the last day's calls of all processes, those that are not ours count as made before."""
        with self._lock:
            self.spent_before = max(in_all - sum(count for _, count in self._buckets), 0)

    def spend(self, label: str) -> None:
        """Count one call about to be made. Raises QuotaExhausted instead when our share is used up."""
        with self._lock:
            now = self._clock.monotonic()
            while self._buckets and now - self._buckets[0][0] >= _DAY:
                self._buckets.popleft()
            self._refuse_over_share(now)
            if self._buckets and now - self._buckets[-1][0] < _BUCKET:
                began, count = self._buckets.pop()
                self._buckets.append((began, count + 1))
            else:
                self._buckets.append((now, 1))
            self._by_label[label] = self._by_label.get(label, 0) + 1

    def _refuse_over_share(self, now: float) -> None:
        spent = self.spent_before + sum(count for _, count in self._buckets)
        allowed = int(self._share * self._org_limit)
        if not self._org_limit or spent < allowed:
            return
        oldest = self._before[0] if self.spent_before or not self._buckets else self._buckets[0][0]
        raise QuotaExhausted(
            f"The connector has made {spent} Salesforce API calls in 24 hours; its share of the org's "
            f"{self._org_limit} a day is {allowed}.",
            "Raise daily_api_share, poll less often (schedule.pull), or wait.",
            delay=max(60.0, oldest + _DAY - now),
        )

    def observe(self, limit_info: str) -> None:
        """Read a Sforce-Limit-Info header. The org's count is not monotonic: it is kept as told last."""
        if found := _USAGE.search(limit_info):
            with self._lock:
                self._org_used, self._org_limit = int(found[1]), int(found[2])

    def usage(self) -> ApiUsage:
        with self._lock:
            by_label = dict(self._by_label)
            return ApiUsage(sum(by_label.values()), self._org_used, self._org_limit, by_label)


class SalesforceHttp:
    """Makes calls for any number of threads: each has its own session, all share one token and one meter."""

    def __init__(self, settings: SalesforceSettings, *, clock: Clock) -> None:
        if settings.ca_bundle is not None and not settings.ca_bundle.is_file():
            raise ConfigError(f"There is no file {settings.ca_bundle}.", "Correct salesforce.ca_bundle.")
        if settings.instance_url:
            is_plain_http(settings.instance_url)
        self._settings = settings
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._thread = threading.local()
        login_session = open_session(settings, settings.login_url or settings.instance_url)
        self._sessions.add(login_session)
        self._tokens = TokenProvider(settings, clock=clock, session=login_session)
        self.meter = ApiMeter(settings.daily_api_share, clock)

    def call(self, call: Call) -> Answer:
        """Make one call; after a refused token once more with a new one. Raises TemporaryError or Halt."""
        from simple_salesforce.exceptions import SalesforceExpiredSession

        token = self._tokens.current()
        try:
            return self._attempt(call, token)
        except SalesforceExpiredSession as refusal:
            if not is_curable(refusal.content):
                raise self._tokens.reject(token, to_login_failed(refusal.content)) from None
        token = self._tokens.renewed(token)
        try:
            return self._attempt(call, token)
        except SalesforceExpiredSession as refusal:
            raise self._tokens.reject(token, to_login_failed(refusal.content)) from None

    def close(self) -> None:
        """Close every connection; the next call opens new ones."""
        for session in list(self._sessions):
            session.close()

    def _attempt(self, call: Call, token: Token) -> Answer:
        """One request. Errors are translated but for a 401, which the caller judges."""
        simple = self._simple(token.instance_url)
        self.meter.spend(call.label)
        with calling(call.label, call.method, simple.base_url, call.path):
            return self._ask(simple, call, token)

    def _ask(self, simple: SimpleSalesforce, call: Call, token: Token) -> Answer:
        from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession

        try:
            body = simple.restful(
                call.path,
                params=dict(call.params) if call.params else None,
                method=call.method,
                json=call.body,
                headers={**_PER_CALL_HEADERS, **call.headers},
                auth=token,
                allow_redirects=False,
            )
        except SalesforceExpiredSession:
            raise
        except SalesforceError as refusal:
            if refusal.status == requests.codes.not_modified:
                return Answer(None, self._thread.headers)
            # The library's own text holds the URL and the body.
            raise to_error(refusal.status, refusal.content, label=call.name, writes=call.writes) from None
        except (requests.RequestException, OSError) as fault:
            raise to_unavailable(fault, label=call.name, writes=call.writes) from None
        return Answer(body, self._thread.headers)

    def _simple(self, instance_url: str) -> SimpleSalesforce:
        """This thread's simple-salesforce for that address; another address means a new session."""
        if getattr(self._thread, "instance_url", None) != instance_url:
            self._thread.simple = self._connect(instance_url)
            self._thread.instance_url = instance_url
        simple: SimpleSalesforce = self._thread.simple
        return simple

    def _connect(self, instance_url: str) -> SimpleSalesforce:
        from simple_salesforce.api import Salesforce as SimpleSalesforce  # takes a second to import

        session = open_session(self._settings, instance_url)
        session.hooks["response"].append(self._observe)
        self._sessions.add(session)
        return SimpleSalesforce(
            session_id="unused",  # each call carries the token as its auth
            instance_url=instance_url,
            session=session,
            version=self._settings.api_version,
            parse_float=Decimal,
            object_pairs_hook=dict,
        )

    def _observe(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Keep what simple-salesforce does not hand on, and refuse JSON that it would stumble over."""
        note_response(response)
        self._thread.headers = response.headers
        self.meter.observe(response.headers.get("Sforce-Limit-Info", ""))
        if response.ok and response.content.lstrip()[:1] not in (b"", b"{", b"["):
            raise requests.exceptions.InvalidJSONError("neither an object nor an array")
