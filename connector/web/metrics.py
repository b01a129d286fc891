"""/metrics for Prometheus: what the ledger counts, how the loops do, what was called. No ids, no names of records.

Every process that shares a ledger tells the same of it: take the maximum over processes, not the sum.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector import __version__
from connector.core.health import Health, State
from connector.report.state import account_quotas
from connector.sync import Context
from connector.watch.checkup import healths_of
from connector.watch.wording import RUNNING
from connector.web.health import within
from connector.web.serving import Serving
from connector.web.snapshot import BOUNDS, CREATE, SUBMIT, Snapshot, Snapshots

ANSWERS_IN = 5.0
"""Seconds that the ledger has to answer; Prometheus waits ten."""
FORGOTTEN = timedelta(minutes=2)
"""How old what the ledger told may be: others may know better by then, and of several figures the largest counts."""
CAUSES = 50
"""Causes of one connection that are told apart; the rarest of more count as one."""
OTHER = "other"
PENDING = "Pending"
_PREFIX = "connector_"


def routes(serving: Serving, ending: threading.Event) -> list[Route]:
    """The route of a process, with a registry of its own; what it counts begins here. ``ending``: as it ends."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    figures = Figures(serving)
    registry.register(figures)
    figures.begin(ending)

    async def answer(request: Request) -> Response:
        await figures.refresh()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return [Route("/metrics", answer, methods=["GET"])]


def gauge(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, help_text, labels=labels)


def counter(name: str, help_text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(_PREFIX + name, help_text, labels=labels)


class Figures(Collector):
    """Everything that is told, made anew for each scrape from what is known then."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._snapshots = Snapshots(serving)
        self._answers = False

    def begin(self, ending: threading.Event) -> None:
        """Count what ends from now on, whenever the first scrape comes."""
        self._snapshots.begin(ending)

    async def refresh(self) -> None:
        """Ask the ledger; where it does not answer in time, what it told last is told again with its age."""
        try:
            await within(self._snapshots.inquiry.begin(), ANSWERS_IN)
            self._answers = True
        except Exception:  # noqa: BLE001 (whatever it is, it did not answer)
            self._answers = False

    def describe(self) -> list[Metric]:
        return []  # asking what there is must not ask the ledger

    def collect(self) -> Iterator[Metric]:
        now = datetime.now(UTC)
        snapshot = self._snapshots.newest
        yield InfoMetricFamily("connector_build", "The version that runs.", {"version": __version__})
        ledger = gauge("ledger_up", "Whether the ledger answered when it was asked for these figures.")
        ledger.add_metric([], float(self._answers))
        yield ledger
        yield from self._of_health(healths_of(self._serving, snapshot.look if snapshot else None, now))
        yield from self._of_loops()
        yield from _of_calls(self._serving.app().opened)
        if snapshot is not None:
            yield from self._of_snapshot(snapshot, now)

    def _of_health(self, healths: Mapping[str, Health]) -> Iterator[Metric]:
        state = gauge("connection_state", "1 for the state that a connection is in.", "connection", "state")
        for name, health in healths.items():
            for one in State:
                if name or health.state is not State.UNKNOWN:
                    state.add_metric([name, one.value], float(health.shown[0] is one))
        yield state

    def _of_loops(self) -> Iterator[Metric]:
        labels = ("connection", "loop")
        last = gauge("loop_last_success_timestamp_seconds", "When a loop last succeeded, in this process.", *labels)
        every = gauge("loop_interval_seconds", "How often a loop looks.", *labels)
        failing = gauge("loop_failing", "1 while the last look of a loop failed.", *labels)
        looks = counter("loop_looks", "Looks of a loop in this process.", *labels, "outcome")
        seconds = counter("loop_look_seconds", "What the looks of a loop took together.", *labels)
        for beat in self._serving.beats.all():
            key = [beat.connection, beat.loop]
            if beat.succeeded_at is not None:
                last.add_metric(key, beat.succeeded_at.timestamp())
            every.add_metric(key, beat.every.total_seconds())
            failing.add_metric(key, float(beat.failing_since is not None))
            looks.add_metric([*key, "success"], beat.successes)
            looks.add_metric([*key, "failure"], beat.failures)
            seconds.add_metric(key, beat.seconds)
        yield from (last, every, failing, looks, seconds)

    def _of_snapshot(self, snapshot: Snapshot, now: datetime) -> Iterator[Metric]:
        age = gauge("figures_age_seconds", "How old the figures of the ledger are.")
        age.add_metric([], max((now - snapshot.look.at).total_seconds(), 0.0))
        yield age
        if now - snapshot.look.at > FORGOTTEN:
            return
        yield from _of_links(snapshot)
        yield from _of_operations(snapshot, now)
        yield from self._of_quotas(snapshot)
        alert = gauge("alert", "1 while people are told that something is wrong.", "connection", "kind")
        for (name, kind), told in snapshot.look.alerts.items():
            alert.add_metric([name, kind], float(told.state != RUNNING))
        yield alert

    def _of_quotas(self, snapshot: Snapshot) -> Iterator[Metric]:
        app, labels = self._serving.app(), ("connection", "class")
        used = gauge("quota_used_calls", "Calls of the last 24 hours that a daily quota counts.", *labels)
        limit = gauge("quota_limit_calls", "Calls that a daily quota allows, where it is known.", *labels)
        connections = app.connections
        known = {**app.config.connections, **connections}  # a reload may come between the two
        quotas = account_quotas(known, snapshot.accounts, snapshot.writes, snapshot.usage)
        for name, connection in connections.items():
            quota = quotas[name]
            used.add_metric([name, "aws_writes"], quota.writes)
            used.add_metric([name, "aws_reads"], quota.reads)
            used.add_metric([name, "salesforce"], snapshot.usage.get((name, "salesforce_calls"), 0))
            limit.add_metric([name, "aws_writes"], quota.writes_per_day)
            limit.add_metric([name, "aws_reads"], quota.reads_per_day)
            context = app.opened.get(name)
            org_limit = context.salesforce.usage().org_limit if context is not None else 0
            if org_limit:
                limit.add_metric([name, "salesforce"], int(connection.salesforce.daily_api_share * org_limit))
        yield from (used, limit)


def _of_links(snapshot: Snapshot) -> Iterator[Metric]:
    links = gauge("links", "Records by how they stand.", "connection", "catalog", "state")
    held = gauge("held_links", "Records that wait for a person, by the first thing to mend.", "connection", "cause")
    states: Counter[tuple[str, str, str]] = Counter()
    causes: dict[str, Counter[str]] = {}
    for (name, catalog, status, code), count in snapshot.look.links.items():
        states[name, catalog, _word(status or PENDING)] += count
        if status == "Held":
            causes.setdefault(name, Counter())[code or OTHER] += count
    for key, count in sorted(states.items()):
        links.add_metric(key, count)
    for name, counted in sorted(causes.items()):
        for cause, count in _most_common(counted).items():
            held.add_metric([name, cause], count)
    yield from (links, held)


def _most_common(counted: Counter[str]) -> dict[str, int]:
    """A new code of AWS's is a new series; whatever happens, there are only so many."""
    told = dict(counted.most_common(CAUSES))
    rest = counted.total() - sum(told.values())
    return {**told, OTHER: told.get(OTHER, 0) + rest} if rest else told


def _word(status: str) -> str:
    """As ``connector status --json`` calls it."""
    return status.lower().replace(" ", "_")


def _of_operations(snapshot: Snapshot, now: datetime) -> Iterator[Metric]:
    ended = counter("operations", "Writes to AWS that ended while this process ran.", "connection", "action", "outcome")
    for key, count in sorted(snapshot.ended.items()):
        ended.add_metric(key, count)
    under_way = gauge("open_operations", "Writes to AWS whose end is not known yet.", "connection")
    oldest = gauge("oldest_open_operation_seconds", "For how long the oldest of them has been open.", "connection")
    for name, found in sorted(snapshot.open.items()):
        under_way.add_metric([name], found.count)
        oldest.add_metric([name], max((now - found.oldest).total_seconds(), 0.0))
    yield from (ended, under_way, oldest)
    yield _waited(snapshot, "flag_to_create_seconds", "From the flag to the opportunity at AWS.", CREATE)
    yield _waited(snapshot, "flag_to_task_seconds", "From the flag to AWS having taken the submission.", SUBMIT)


def _waited(snapshot: Snapshot, name: str, help_text: str, action: str) -> Metric:
    family = HistogramMetricFamily(_PREFIX + name, help_text, labels=("connection",))
    bounds = [*(f"{bound:.1f}" for bound in BOUNDS), "+Inf"]
    for (connection, done), waits in sorted(snapshot.waits.items(), key=lambda entry: entry[0]):
        if done == action:
            sums = [sum(waits.counts[: index + 1]) for index in range(len(bounds))]
            family.add_metric([connection], list(zip(bounds, sums, strict=True)), waits.total)
    return family


def _of_calls(opened: Mapping[str, Context]) -> Iterator[Metric]:
    aws = counter("aws_calls", "Calls to AWS by how they ended.", "connection", "operation", "outcome")
    throttled = counter(
        "aws_throttled", "Calls that AWS refused as too fast, repeats counted.", "connection", "operation"
    )
    salesforce = counter("salesforce_calls", "Calls to Salesforce.", "connection", "call")
    org_used = gauge("salesforce_org_used_calls", "Calls of all that use the org, as it last told.", "connection")
    org_limit = gauge("salesforce_org_limit_calls", "Calls that the org allows in 24 hours.", "connection")
    for name, context in sorted(opened.items()):
        tally, usage = context.partner_central.tally(), context.salesforce.usage()
        for (operation, outcome), count in sorted(tally.ended.items()):
            aws.add_metric([name, operation, _outcome(outcome)], count)
        for operation, count in sorted(tally.throttled.items()):
            throttled.add_metric([name, operation], count)
        for call, count in sorted(usage.by_label.items()):
            salesforce.add_metric([name, call], count)
        if usage.org_limit:
            org_used.add_metric([name], usage.org_used)
            org_limit.add_metric([name], usage.org_limit)
    yield from (aws, throttled, salesforce, org_used, org_limit)


def _outcome(name: str) -> str:
    """``AccessDenied`` → ``access_denied``."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")
