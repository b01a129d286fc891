"""``connector show``: one record's whole story."""

from __future__ import annotations

from typing import Any

from connector import report
from connector.app import App
from connector.commands.session import DONE, HELD, print_json
from connector.commands.tables import console, table, values_table
from connector.core.selection import is_id, to_id18
from connector.errors import UserError


def show(app: App, identifier: str, *, as_json: bool) -> int:
    """Print it; exit code 1 when the record is held, 2 when no such record is known."""
    wanted = to_id18(identifier) if is_id(identifier) else identifier
    story = report.show(app, wanted) if app.has_ledger else None
    if story is None:
        raise UserError(
            f"{identifier} is not known to the ledger: it was never flagged when the connector looked.",
            f"`connector resync {identifier}` reads it from Salesforce now and says why.",
        )
    if as_json:
        print_json(story)
    else:
        _print(story)
    return HELD if story["sync"]["status"] == "Held" else DONE


def _print(story: dict[str, Any]) -> None:
    printer = console()
    task = story["task"] or {}
    told = " ".join(str(task[name]) for name in ("TaskId", "TaskStatus", "ReasonCode") if task.get(name))
    lines = [
        f"{story['name']}  ({story['salesforce_id']}, connection {story['connection']}, catalog {story['catalog']})",
        f"  AWS opportunity  {story['opportunity_id'] or 'none yet'}",
        f"  Review status    {story['review_status'] or '-'}     Stage  {story['stage'] or '-'}",
        f"  Task             {told or '-'}",
        f"  Sync             {story['sync']['status']}: {story['sync']['message'] or ''}",
    ]
    if story["sync"]["next_try"]:
        lines.append(f"  Looked at again  {story['sync']['next_try']}")
    if story["write_back"]["error"]:
        lines.append(f"  Salesforce refuses to show this: {story['write_back']['error']}")
    for line in lines:
        printer.print(line, markup=False)
    if story["problems"]:
        rows = [
            (p["salesforce_field"], f"{p['file']}:{p['line']}" if p["line"] else "", p["path"], p["message"], p["cure"])
            for p in story["problems"]
        ]
        printer.print(
            table(("Salesforce field", "Mapping", "AWS path", "What is wrong", "What to do"), rows, lines=True)
        )
    _print_differences(story["differences"])
    _print_invitations(story["invitations"])
    printer.print(values_table(story["values"]))
    steps = [(h["at"], h["action"], h["outcome"], h["attempts"], _note(h)) for h in story["history"]]
    printer.print(table(("At", "Action", "Outcome", "Attempts", "Note"), steps, title="History"))


def _print_differences(differences: list[dict[str, Any]]) -> None:
    if differences:
        words = {"sent": "is sent", "queued": "waits", "held": "is held", "aws": "AWS's stands"}
        rows = [
            (d["salesforce_field"] or d["path"], d["agreed"], d["aws"], d["salesforce"], words[d["becomes"]], d["why"])
            for d in differences
        ]
        heads = ("Field", "Agreed", "At AWS", "In Salesforce", "It", "Why")
        console().print(table(heads, rows, title="Changed since both sides agreed", lines=True))


def _print_invitations(invitations: list[dict[str, Any]]) -> None:
    if invitations:
        rows = [(i["receiver"], i["Id"], i["Status"], i["RejectionReason"] or i["message"]) for i in invitations]
        console().print(table(("Partner's account", "Invitation", "Status", "Note"), rows, title="Invitations"))


def _note(step: dict[str, Any]) -> str | None:
    """What went wrong, else whose edit an update went over."""
    overruled = ", ".join(step["overrules"])
    return step["error"] or (f"Salesforce's value replaced AWS's edit of {overruled}." if overruled else None)
