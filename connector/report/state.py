"""The state of each connection: counts, quota, progress, and what waits for a person."""

from __future__ import annotations

from datetime import timedelta

from connector.app import App
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
    found = {name: _state_of(app, name, connection) for name, connection in app.connections.items()}
    is_running, workers = running(app)
    return {"connections": found, "daemon": is_running, "workers": workers}


def _state_of(app: App, name: str, connection: Connection) -> Structure:
    ledger, catalog = app.ledger, connection.partner_central.catalog
    standing = guards.standing(ledger, name, guard_limits(connection), app.clock.now())
    return {
        "catalog": catalog,
        "links": {_key(status): count for status, count in sorted(ledger.counts(name, catalog).items())},
        "operations": {"open": ledger.open_operations(name)},
        "quota": quota_of(app, name, connection),
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


def quota_of(app: App, name: str, connection: Connection) -> Structure:
    """What was used in the last 24 hours, and what there is."""
    ledger, quota, now = app.ledger, connection.partner_central.quota, app.clock.now()
    return {
        "writes_24h": ledger.operations_since(name, now - _DAY),
        "writes_per_day": quota.writes_per_day,
        "reads_24h": ledger.usage(name, "aws_reads", now),
        "reads_per_day": quota.reads_per_day,
        "salesforce_calls_24h": ledger.usage(name, "salesforce_calls", now),
    }


def _key(rest_status: str) -> str:
    return rest_status.lower().replace(" ", "_")
