"""``connector resync``: settles chosen records, by itself or through the daemon that owns the ledger."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from connector import report
from connector.adapters.ledger import LedgerBusy
from connector.app import App
from connector.commands.choice import Choice, saved_plan
from connector.commands.plan import plans_of
from connector.commands.session import DONE, HELD, print_json
from connector.commands.tables import console, table
from connector.errors import UnsafePlan, UserError
from connector.sync import Context
from connector.sync.settle import Progress as Settling
from connector.sync.settle import settle

FOLLOWING = timedelta(minutes=15)


def resync(app: App, choice: Choice, *, as_json: bool) -> int:
    """Settle the chosen records; exit code 1 when any of them is held."""
    results = resync_quietly(app, choice)
    _print(results, as_json=as_json)
    return HELD if any(result["status"] not in {"Synced", "Stopped"} for result in results) else DONE


def resync_quietly(app: App, choice: Choice) -> list[dict[str, Any]]:
    """Settle the chosen records behind a progress bar; gives what became of each."""
    results: list[dict[str, Any]] = []
    for context in _contexts(app, choice):
        ids = choice.ids_in(context)
        with _stopping_on_signal(app):
            try:
                with app.owning_ledger():
                    app.verify_org(context)
                    _settle(app, context, ids, choice.plan_file)
            except LedgerBusy:
                _ask_owner(app, context, ids)
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
    if plan_file is not None:
        _require_same_plan(app, context, plan_file)
    rate = app.connections[context.name].partner_central.quota.writes_per_second
    with _bar() as bar:
        task = bar.add_task("Settling", total=None, eta="")

        def tell(progress: Settling) -> None:
            seconds = int(progress.writes_left / rate)
            eta = f"{progress.writes_left} writes left, about {seconds // 60}:{seconds % 60:02d}"
            bar.update(task, completed=progress.settled, total=progress.total, eta=eta if progress.writes_left else "")

        try:
            settle(context, ids, tell=tell)
        finally:
            app.record_usage(context)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[eta]}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _require_same_plan(app: App, context: Context, plan_file: Path) -> None:
    """Refuse where the world has moved since the plan was saved."""
    saved = {entry["salesforce_id"]: entry for entry in saved_plan(plan_file).get(context.name, [])}
    now = {entry["salesforce_id"]: entry for entry in plans_of(app, context, sorted(saved))}
    moved = [i for i, entry in saved.items() if i not in now or _essence(now[i]) != _essence(entry)]
    if moved:
        shown = ", ".join(moved[:5]) + (", …" if len(moved) > 5 else "")
        raise UnsafePlan(
            f"{len(moved)} of {len(saved)} records have changed since the plan was saved: {shown}.",
            "Nothing was written. Look at a new plan: `connector plan --out FILE`.",
        )


def _essence(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["fingerprint"], entry["opportunity_id"], json.dumps(entry["actions"], sort_keys=True)


def _ask_owner(app: App, context: Context, ids: Sequence[str] | None) -> None:
    """The daemon owns the ledger: leave it the request and wait until it has settled the records."""
    wanted = list(ids) if ids is not None else context.ledger.present(*context.key, limit=100_000)
    Console(stderr=True).print("The daemon owns the ledger and does it now …", highlight=False)
    context.ledger.request(context.name, wanted, context.now)
    give_up = context.now + FOLLOWING
    while context.now < give_up and not app.stopping.is_set():
        asked = bool(context.ledger.requests(context.name))
        soon = context.now + timedelta(seconds=5)
        if not asked and not any(context.ledger.work_due(*context.key, soon, wanted).values()):
            return
        context.clock.sleep(0.5)


def _results(app: App, context: Context, ids: Sequence[str] | None) -> list[dict[str, Any]]:
    if ids is None:
        ids = context.ledger.present(*context.key, limit=100_000)
    return [_result(app, context, salesforce_id) for salesforce_id in ids]


def _result(app: App, context: Context, salesforce_id: str) -> dict[str, Any]:
    story = report.show(app, salesforce_id)
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
