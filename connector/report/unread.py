"""Why a flagged record has not been read yet, and what becomes of it once it is."""

from __future__ import annotations

from datetime import timedelta

from connector.adapters.ledger import LedgerBusy, LedgerLock
from connector.app import App
from connector.core.eta import to_words
from connector.core.model import Structure
from connector.report.moments import read_instant
from connector.report.reasons import Reason
from connector.sync import Context, guards

OVERDUE = 5
"""Pulls that may be missed before something is said to be wrong; one takes its time."""


def unread(app: App, context: Context, entry: Structure) -> Reason:
    """The reason, with the plan of the record (``entry``) in words."""
    state, cure = _state_of_reading(app, context, entry["salesforce_id"])
    outcome = _outcome(entry)
    return Reason(
        "not_read", f"It is flagged, and not read yet: {state} {outcome}", cure, status=entry["status"], entry=entry
    )


def is_daemon_running(app: App) -> bool:
    """Whether another process owns the ledger now, or workers do."""
    return running(app)[0]


def running(app: App) -> tuple[bool, int]:
    """(whether the ledger is owned now, how many workers share it: 0 for a daemon)."""
    if not app.has_ledger:
        return False, 0
    try:
        with LedgerLock(app.engine):
            return False, 0
    except LedgerBusy as busy:
        return True, busy.workers


def _state_of_reading(app: App, context: Context, salesforce_id: str) -> tuple[str, str]:
    """(what keeps it from being read, what to do)."""
    resync = f"`connector resync {salesforce_id}` reads it now"
    last = read_instant(app.ledger.watermark(context.name, "last_pull")) if app.has_ledger else None
    guard = guards.guarded_mapping(context) if app.has_ledger else None
    if guard is not None:
        return guard.message, guard.cure
    is_running, workers = running(app)
    if not is_running:
        when = f"last done {last:%Y-%m-%d %H:%M} UTC" if last else "never done yet"
        return f"nothing reads Salesforce now ({when}).", f"Start `connector run`; or {resync}."
    who, s, has, its = ("the workers", "", "have", "their") if workers else ("the daemon", "s", "has", "its")
    every = app.config.schedule.pull
    if last is None:
        return f"{who} {has} not come to the end of {its} first pull.", f"Wait for it; or {resync}."
    age = context.now - last
    if age > max(OVERDUE * every, timedelta(minutes=5)):
        words = f"{who} run{s}, but {its} last pull was {to_words(age).removeprefix('~')} ago."
        return words, f"The log says what keeps it; `connector check` finds most of it. Or {resync}."
    often = to_words(every).removeprefix("~")
    words = f"{who} read{s} Salesforce every {often}, last at {last:%H:%M:%S} UTC."
    return words, f"It comes with the next pull; or {resync}."


def _outcome(entry: Structure) -> str:
    """What happens then, in a sentence."""
    first = entry["actions"][0]
    kinds = [action["action"] for action in entry["actions"]]
    if first["action"] == "hold":
        return f"Then it will be held: {first['reason']}"
    if first["action"] == "adopt":
        return f"Then {first['opportunity_id']}, which carries its id at AWS, is taken over."
    if "create" in kinds:
        return f"Then it will be created{' and submitted' if 'submit' in kinds else ''}, it is complete."
    return f"Then: {first.get('reason') or first['action']}"
