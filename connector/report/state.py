"""The state of each connection: counts, quota, progress, and what waits for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from connector.app import AWS_ACCOUNT, AWS_READS, SALESFORCE_CALLS, App
from connector.config import Connection
from connector.core.health import State
from connector.core.model import Structure
from connector.report.causes import causes_of, held_links, refused_write_backs
from connector.report.moments import read_instant, to_z
from connector.report.unread import running
from connector.settings import guard_limits
from connector.sync import guards

_RUNNING = State.RUNNING.value
_DAY = timedelta(hours=24)
_UNDER_WAY = 5
"""Open writes that are told one by one."""
_HELD = 50
"""Held records that are told one by one; the causes count all of them."""


def status(app: App) -> Structure:
    """Counts by state, quota used, progress of the loops, what waits for a person; see the contract of ``status``."""
    quotas = _quotas_of(app, app.connections)
    found = {name: _state_of(app, name, connection, quotas[name]) for name, connection in app.connections.items()}
    is_running, workers = running(app)
    return {"connections": found, "daemon": is_running, "workers": workers}


def _state_of(app: App, name: str, connection: Connection, quota: Structure) -> Structure:
    ledger, catalog = app.ledger, connection.partner_central.catalog
    standing = guards.standing(ledger, name, guard_limits(connection), app.clock.now())
    return {
        "catalog": catalog,
        "links": {_key(status): count for status, count in sorted(ledger.counts(name, catalog).items())},
        "operations": {"open": ledger.open_operations(name)},
        "quota": quota,
        "last_pull": to_z(read_instant(ledger.watermark(name, "last_pull"))),
        "last_observe": to_z(read_instant(ledger.watermark(name, "last_observe"))),
        "guards": [{"guard": guard, "message": one.message, "cure": one.cure} for guard, one in standing.items()],
        "alerts": [
            {"kind": alert.kind, "state": alert.state, "since": to_z(alert.since), "message": alert.message}
            for alert in ledger.alerts([name])
            if alert.state != _RUNNING
        ],
        "held": [
            {"salesforce_id": salesforce_id, "name": title, "message": message}
            for salesforce_id, title, message in ledger.held(name, catalog, _HELD)
        ],
        "causes": causes_of(held_links(ledger, name, catalog)),
        "write_back": refused_write_backs(ledger, name, catalog),
        "under_way": [
            {**operation, "since": to_z(operation["since"]), "next_try": to_z(operation["next_try"])}
            for operation in ledger.oldest_open(name, _UNDER_WAY)
        ],
    }


# quotas


@dataclass(frozen=True, slots=True)
class AccountQuota:
    """A day's quota of one AWS account: what all connections to it used, and the smallest limits of theirs."""

    writes: int
    writes_per_day: int
    reads: int
    reads_per_day: int


def account_quotas(
    connections: Mapping[str, Connection],
    accounts: Mapping[str, str],
    writes: Mapping[str, int],
    usage: Mapping[tuple[str, str], int],
) -> dict[str, AccountQuota]:
    """By connection the quota that it uses, which AWS counts by account; whose is not known counts by itself.

    ``accounts`` are by connection, and so are the ``writes`` of 24 hours; ``usage`` is by connection and kind.
    """
    found: dict[str, AccountQuota] = {}
    for names in _sharing(connections, accounts):
        limits = [connections[name].partner_central.quota for name in names]
        quota = AccountQuota(
            sum(writes.get(name, 0) for name in names),
            min(limit.writes_per_day for limit in limits),
            sum(usage.get((name, AWS_READS), 0) for name in names),
            min(limit.reads_per_day for limit in limits),
        )
        found |= dict.fromkeys(names, quota)
    return found


def _sharing(connections: Iterable[str], accounts: Mapping[str, str]) -> list[list[str]]:
    """The connections by the quota that they use."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in connections:
        account = accounts.get(name, "")
        found[account, "" if account else name].append(name)
    return list(found.values())


def quota_of(app: App, name: str, connection: Connection) -> Structure:
    """What was used in the last 24 hours, and what there is; of AWS's by all connections to the same account."""
    return _quotas_of(app, {name: connection})[name]


def _quotas_of(app: App, wanted: Mapping[str, Connection]) -> dict[str, Structure]:
    ledger, now = app.ledger, app.clock.now()
    known = {**app.config.connections, **wanted}  # a reload may come meanwhile
    accounts = ledger.watermarks(list(known), AWS_ACCOUNT)
    counted = [name for names in _sharing(known, accounts) if not wanted.keys().isdisjoint(names) for name in names]
    usage, writes = ledger.usage_counts(counted, now), ledger.sent_counts(counted, now - _DAY)
    quotas = account_quotas({name: known[name] for name in counted}, accounts, writes, usage)
    return {
        name: {
            "writes_24h": quotas[name].writes,
            "writes_per_day": quotas[name].writes_per_day,
            "reads_24h": quotas[name].reads,
            "reads_per_day": quotas[name].reads_per_day,
            "salesforce_calls_24h": usage.get((name, SALESFORCE_CALLS), 0),
        }
        for name in wanted
    }


def _key(rest_status: str) -> str:
    return rest_status.lower().replace(" ", "_")
