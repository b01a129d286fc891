"""``connector status``: counts, quota, and what waits for a person."""

from __future__ import annotations

from connector import report
from connector.app import App
from connector.commands.session import DONE, HELD, print_json
from connector.commands.tables import console, table
from connector.errors import UserError


def status(app: App, *, as_json: bool) -> int:
    """Print the state of each connection; exit code 1 when any record is held, or a guard waits for a person."""
    if not app.has_ledger:
        raise UserError("There is no ledger yet.", "It is made by the first `connector run` or `connector resync`.")
    found = report.status(app)
    if as_json:
        print_json(found)
    else:
        for name, part in found["connections"].items():
            _print(name, part)
    parts = found["connections"].values()
    return HELD if any(part["links"].get("held") or part["guards"] for part in parts) else DONE


def _print(name: str, part: dict[str, object]) -> None:
    printer = console()
    links, quota = part["links"], part["quota"]
    assert isinstance(links, dict)
    assert isinstance(quota, dict)
    counted = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in links.items()) or "no records yet"
    printer.print(f"{name} (catalog {part['catalog']}): {counted}.", markup=False)
    printer.print(
        f"  Last pull {part['last_pull'] or 'never'}, last observed {part['last_observe'] or 'never'}. "
        f"AWS writes in 24 h: {quota['writes_24h']} of {quota['writes_per_day']}. "
        f"Salesforce calls in 24 h: {quota['salesforce_calls_24h']}.",
        markup=False,
    )
    guards = part["guards"]
    assert isinstance(guards, list)
    for guard in guards:
        printer.print(f"  Waits for a person: {guard['message']} {guard['cure']}", markup=False)
    held = part["held"]
    assert isinstance(held, list)
    if held:
        rows = [(entry["salesforce_id"], entry["name"], entry["message"]) for entry in held]
        printer.print(table(("Held", "Name", "Why, and what to do"), rows, lines=True))
