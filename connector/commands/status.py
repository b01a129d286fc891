"""``connector status``: counts, quota, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from connector import report
from connector.app import App
from connector.commands.session import DONE, HELD, print_json
from connector.commands.tables import console, table
from connector.core.eta import to_words
from connector.core.model import Structure
from connector.errors import UserError

CAUSES = 10
"""Causes that are told on a terminal; --json has all of them."""
RECORDS = 20


def status(app: App, *, as_json: bool) -> int:
    """Print the state of each connection; exit code 1 when any record is held, or a guard waits for a person."""
    if not app.has_ledger:
        raise UserError("There is no ledger yet.", "It is made by the first `connector run` or `connector resync`.")
    found = report.status(app)
    if as_json:
        print_json(found)
    else:
        for name, part in found["connections"].items():
            _print(name, part, app.clock.now())
        _print_daemon(found)
    parts = found["connections"].values()
    return HELD if any(part["links"].get("held") or part["guards"] for part in parts) else DONE


def _print_daemon(found: Structure) -> None:
    parts = found["connections"].values()
    waiting = sum(part["links"].get(key, 0) for part in parts for key in ("pending", "in_progress"))
    if found["workers"]:
        many = found["workers"] > 1
        words = f"{found['workers']} worker{'s' * many} share{'s' * (not many)} the connections."
    elif found["daemon"]:
        words = "The ledger is owned by a running process, the daemon as a rule."
    elif waiting or any(part["under_way"] for part in parts):
        words = "Nothing runs now, so what is pending stays so: start `connector run`, or use `connector resync --all`."
    else:
        words = "Nothing runs now."
    console().print(words, markup=False)


def _print(name: str, part: Structure, now: datetime) -> None:
    printer = console()
    lines = (_numbers(name, part, now), _alerts(part), _under_way(part, now), _guards(part), _write_backs(part))
    for line in chain.from_iterable(lines):
        printer.print(line, markup=False)
    held = part["links"].get("held", 0)
    if not held:
        return
    rows = [
        (cause["count"], _age(cause["since"], now), cause["salesforce_field"], _what(cause), _examples(cause))
        for cause in part["causes"][:CAUSES]
    ]
    heads = ("Records", "For", "Salesforce field", "Why they wait, and what to do", "Such as")
    printer.print(table(heads, rows, lines=True, title=f"{held} held, by cause"))
    if len(part["causes"]) > CAUSES:
        left = len(part["causes"]) - CAUSES
        what = "cause" if left == 1 else "causes"
        printer.print(f"  {left} more {what}; `connector status --json` has all.", markup=False)
    listed = [(entry["salesforce_id"], entry["name"]) for entry in part["held"][:RECORDS]]
    printer.print(table(("Held", "Name"), listed))
    more = f"  … and {held - RECORDS} more." if held > RECORDS else ""
    printer.print(f"{more}  `connector show ID` tells all about one of them.".strip("\n"), markup=False)


def _numbers(name: str, part: Structure, now: datetime) -> Iterator[str]:
    links, quota = part["links"], part["quota"]
    counted = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in links.items()) or "no records yet"
    yield f"{name} (catalog {part['catalog']}): {counted}."
    yield f"  Last pull {_when(part['last_pull'], now)}, last observed {_when(part['last_observe'], now)}."
    yield (
        f"  In 24 h: {quota['writes_24h']} of {quota['writes_per_day']} AWS writes, {quota['reads_24h']} of "
        f"{quota['reads_per_day']} reads, {quota['salesforce_calls_24h']} Salesforce calls."
    )


def _alerts(part: Structure) -> Iterator[str]:
    """What people were told and is not over, but for guards, which are told on lines of their own."""
    for alert in part["alerts"]:
        if alert["kind"] != "guard":
            yield f"  Alert: {alert['message']}"


def _under_way(part: Structure, now: datetime) -> Iterator[str]:
    """Writes whose end is not known yet."""
    for one in part["under_way"]:
        tries = f", {one['attempts']} attempts" if one["attempts"] > 1 else ""
        again = f" Next try {one['next_try']}." if one["next_try"] else ""
        error = f" {one['error']}" if one["error"] else ""
        words = f"  Under way: {one['action']} of {one['salesforce_id']} for {_age(one['since'], now)}{tries}."
        yield f"{words}{error}{again}"
    more = part["operations"]["open"] - len(part["under_way"])
    if more > 0:
        yield f"  {more} more writes are under way."


def _guards(part: Structure) -> Iterator[str]:
    for guard in part["guards"]:
        yield f"  Waits for a person: {guard['message']} {guard['cure']}"


def _write_backs(part: Structure) -> Iterator[str]:
    """What Salesforce refuses to show."""
    for one in part["write_back"]:
        told = " ".join(filter(None, (one["meaning"] or one["error"], one["cure"])))
        number = f"{one['count']} records are" if one["count"] != 1 else "1 record is"
        yield f"  {number} not shown in Salesforce as they stand, such as {one['salesforce_id']}: {told}"


def _what(cause: Structure) -> str:
    """The sentence and its cure; where others differ only in what they quote, how many do."""
    others = f" ({cause['other_messages']} more like it.)" if cause["other_messages"] else ""
    place = f" ({cause['place']})" if cause["place"] else ""
    return f"{cause['message']} {cause['cure']}".strip() + place + others


def _examples(cause: Structure) -> str:
    return "\n".join(entry["salesforce_id"] for entry in cause["records"][:2])


def _when(moment: str | None, now: datetime) -> str:
    return f"{moment} ({_age(moment, now)} ago)" if moment else "never"


def _age(moment: str | None, now: datetime) -> str:
    """How long ago, roughly; "" where nobody knows."""
    return to_words(now - datetime.fromisoformat(moment)).removeprefix("~") if moment else ""
