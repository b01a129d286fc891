"""``connector resync``: settles chosen records, by itself or through the daemon that owns the ledger."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from connector import report, tracing
from connector.adapters.ledger import LedgerBusy
from connector.app import App
from connector.commands.choice import Choice
from connector.commands.saved import read_plan, require_same
from connector.commands.session import DONE, HALTED, HELD, print_json
from connector.commands.tables import console, table
from connector.core.audit import Entry, Event
from connector.core.eta import Quota
from connector.errors import UnsafePlan, UserError
from connector.sync import Context, asks, guards, releases
from connector.sync.settle import Progress as Settling
from connector.sync.settle import settle

FOLLOWING = timedelta(minutes=15)
RECOUNT = 10.0
"""Seconds for which a count of the day's writes does for the forecast."""


def resync(app: App, choice: Choice, *, as_json: bool) -> int:
    """Settle the chosen records; exit code 1 when any of them waits for a person.

    That is one that is held, or one that is pending while a guard stands for a connection that was asked for. What
    goes on by itself, such as an edit that waits until AWS has reviewed the record, gives 0; a run that was told to
    stop gives 3.
    """
    results = resync_quietly(app, choice)
    _print(results, as_json=as_json)
    if app.stopping.is_set():
        console(stderr=True).print("Stopped before all was done. Nothing is lost: run the same command again.")
        return HALTED
    statuses = {result["status"] for result in results}
    return HELD if "Held" in statuses or ("Pending" in statuses and _is_guarded(app)) else DONE


def _is_guarded(app: App) -> bool:
    """Whether a limit that waits for a person stands for any of the connections."""
    contexts = app.contexts.values()
    return any(guards.standing(one.ledger, one.name, one.limits, one.now) for one in contexts)


def resync_quietly(app: App, choice: Choice) -> list[dict[str, Any]]:
    """Settle the chosen records behind a progress bar; gives what became of each."""
    results: list[dict[str, Any]] = []
    if not app.actor.startswith("resync"):
        app.actor = f"resync by {app.actor}" if app.actor else "resync"
    contexts = _contexts(app, choice)
    if choice.plan_file is not None and len(contexts) > 1:
        # All of them before the first is applied; each is looked at once more when its turn comes.
        require_same(app, contexts, choice.plan_file)
    for context in contexts:
        ids = choice.ids_in(context)
        with _stopping_on_signal(app):
            try:
                with app.owning_ledger():
                    app.verify(context, context.partner_central.account)
                    _settle(app, context, ids, choice.plan_file)
            except LedgerBusy:
                _ask_owner(app, context, ids, choice.plan_file)
        results += _results(app, context, ids)
    return results


def _contexts(app: App, choice: Choice) -> list[Context]:
    contexts = list(app.contexts.values())
    if choice.ids and len(contexts) > 1:
        names = ", ".join(context.name for context in contexts)
        raise UserError("Ids belong to one connection.", f"Add --connection with one of: {names}.")
    return contexts


@contextmanager
def _stopping_on_signal(app: App) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the work after what is in flight; a second one ends the process."""

    def stop(number: int, _frame: object) -> None:
        # In a thread of its own: this one may be holding the event's lock right now.
        threading.Thread(target=app.stopping.set, daemon=True).start()
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settle(app: App, context: Context, ids: Sequence[str] | None, plan_file: Path | None) -> None:
    _note_asked(app, context, ids)
    if plan_file is not None:
        _release(app, context, plan_file)
    forecast = Forecast(app, context)
    with _bar() as bar:
        task = bar.add_task("Settling", total=None, eta="")

        def tell(progress: Settling) -> None:
            bar.update(task, completed=progress.settled, total=progress.total, eta=forecast.tell(progress))

        try:
            with tracing.look("resync", context.name):
                settle(context, ids, tell=tell)
        finally:
            app.record_usage(context)
            if plan_file is not None:
                guards.end_release(context)
                guards.look_again(context)
    if plan_file is not None:
        _tell_what_waits(context)


def _note_asked(app: App, context: Context, ids: Sequence[str] | None) -> None:
    """For the audit trail: which records a person asked for; one entry where it is every flagged one."""
    entry = Entry(context.now, context.name, Event.ASKED, actor=app.actor)
    every = replace(entry, detail="every flagged record")
    context.ledger.note([every] if ids is None else [replace(entry, salesforce_id=one) for one in ids])


class Forecast:
    """How long a run will still take, in words. The day's writes are added up now and then only."""

    def __init__(self, app: App, context: Context) -> None:
        self._app = app
        self._context = context
        self._quota: Quota | None = None
        self._counted_at = 0.0

    def tell(self, progress: Settling) -> str:
        """``36 writes left, ~1 min``; "" when none is left."""
        writes, clock = progress.writes_left, self._context.clock
        if not writes:
            return ""
        if self._quota is None or clock.monotonic() - self._counted_at >= RECOUNT:
            self._quota, self._counted_at = self._app.quota(self._context.name), clock.monotonic()
        # Of each record that is left at most one write is a submission.
        submissions = min(progress.total - progress.settled, writes)
        return f"{writes} writes left, {self._quota.in_words(writes, submissions, clock.now())}"


def _tell_what_waits(context: Context) -> None:
    """Say so where the changed mapping touches too many records beyond those of the plan; else it is accepted."""
    try:
        guards.require_mapping(context)
    except UnsafePlan as refusal:
        console(stderr=True).print(f"The plan is applied. Beyond it: {refusal}", markup=False)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[eta]}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _release(app: App, context: Context, plan_file: Path) -> None:
    """Let through what the plan says, and nothing else."""
    require_same(app, [context], plan_file)
    saved = read_plan(plan_file).get(context.name)
    is_edited = not guards.is_accepted(context)
    entries = saved.records.items() if saved is not None else ()
    planned = {i: str(entry["fingerprint"] or "") for i, entry in entries if is_edited or _adds(entry)}
    if planned:
        releases.release(context, planned)


def _adds(entry: dict[str, Any]) -> bool:
    """Whether it makes something at AWS that a limit counts and nobody can take back."""
    return any(action["action"] in {"create", "invite"} for action in entry["actions"])


def _ask_owner(app: App, context: Context, ids: Sequence[str] | None, plan_file: Path | None) -> None:
    """The daemon owns the ledger: leave it the request and wait until it has settled the records."""
    app.verify_catalog(context)
    _pass_guards(app, context, plan_file)
    wanted = list(ids) if ids is not None else context.ledger.present(*context.key, limit=100_000)
    console(stderr=True).print("The daemon owns the ledger and does it now …")
    context.ledger.request(context.name, wanted, context.now, app.actor)
    give_up = context.now + FOLLOWING
    while context.now < give_up and not app.stopping.is_set():
        asked = bool(context.ledger.requests(context.name))
        soon = context.now + timedelta(seconds=5)
        if not asked and not any(context.ledger.work_due(*context.key, soon, wanted).values()):
            return
        context.clock.sleep(0.5)


def _pass_guards(app: App, context: Context, plan_file: Path | None) -> None:
    """Leave the daemon the release; without one, refuse what it would refuse."""
    if plan_file is None:
        asks.require_free(context)
        return
    if not guards.is_known_to_owner(context):
        raise UnsafePlan(
            "The daemon works with the mapping it was started with, not with the edited one of this plan.",
            "Restart `connector run`, or send it SIGHUP; once it has said what waits, do this again.",
        )
    _release(app, context, plan_file)


def _results(app: App, context: Context, ids: Sequence[str] | None) -> list[dict[str, Any]]:
    if ids is None:
        ids = context.ledger.present(*context.key, limit=100_000)
    return [_result(app, context, salesforce_id) for salesforce_id in ids]


def _result(app: App, context: Context, salesforce_id: str) -> dict[str, Any]:
    story = report.show(app, salesforce_id, context.name)
    if story is None:
        message = f"Not flagged ({context.mapping.selection.where}), or not visible to the connector's user."
        return {"salesforce_id": salesforce_id, "name": "", "status": "Stopped", "message": message}
    return {
        "salesforce_id": salesforce_id,
        "name": story["name"],
        "opportunity_id": story["opportunity_id"],
        "task_id": (story["task"] or {}).get("TaskId"),
        "task_status": (story["task"] or {}).get("TaskStatus"),
        "review_status": story["review_status"],
        "status": story["sync"]["status"],
        "message": story["sync"]["message"],
    }


def _print(results: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"records": results})
        return
    columns = ("salesforce_id", "name", "opportunity_id", "task_status", "review_status", "status", "message")
    heads = ("Record", "Name", "AWS id", "Task", "Review", "Sync", "Message")
    console().print(table(heads, ([result.get(name) for name in columns] for result in results)))
    counts: dict[str, int] = {}
    for result in results:
        counts[result["status"]] = counts.get(result["status"], 0) + 1
    console().print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "No records.")
