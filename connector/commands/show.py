"""``connector show``: one record's whole story, and why it is not in AWS where it is not."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from connector import report
from connector.app import App
from connector.commands.session import DONE, EDIT, HELD, print_json
from connector.commands.tables import console, table, values_table
from connector.core.identifiers import Identifier, Kind, read_identifier
from connector.errors import ConnectorError, Halt, Unavailable, UserError


def show(app: App, identifier: str, *, as_json: bool) -> int:
    """Print it; exit code 1 when the record is held, 2 when the id is none or nobody knows it.

    What the ledger does not know is looked for in Salesforce and at AWS. Raises TemporaryError or Halt when nothing
    could be told, because a service is out of reach.
    """
    wanted = _read(identifier)
    story = report.show(app, wanted.text) if app.has_ledger else None
    if story is not None and story["presence"] != "flagged":
        story["reason"] = _reason_now(app, story)
    is_known = True
    if story is None:
        story, is_known = _searched(app, wanted)
    if as_json:
        print_json({**story, "note": wanted.note or None})
    elif is_known:
        _print(story, wanted.note)
    else:
        raise _unknown(story, wanted.note)
    if not is_known:
        return EDIT
    return HELD if story["sync"]["status"] == "Held" else DONE


def _read(identifier: str) -> Identifier:
    found = read_identifier(identifier)
    if found is None:
        raise UserError(
            f"{identifier!r} is no id.",
            "Give a Salesforce id (15 or 18 characters, or the record's address), an O-number, or the id of a task, "
            "an engagement or an invitation.",
        )
    if found.kind == Kind.BROKEN:
        raise UserError(f"{identifier!r} is no Salesforce id.", found.note)
    return found


def _reason_now(app: App, story: dict[str, Any]) -> dict[str, Any] | None:
    """What Salesforce says now of a record that is no longer kept in step; None where it cannot be asked."""
    with suppress(ConnectorError):
        context = app.contexts[story["connection"]]
        return report.reason_of(app, context, Identifier(Kind.SALESFORCE, story["salesforce_id"])).to_json()
    return None


def _searched(app: App, wanted: Identifier) -> tuple[dict[str, Any], bool]:
    """(the story, whether anything is known of the id). Raises the error of a service where that is all there is."""
    answers = report.search(app, wanted)
    told = (*answers.found, *answers.unknown)
    elsewhere = [{"connection": name, "message": str(error)} for name, error in answers.errors]
    if not told:
        name, error = answers.errors[0]
        raise _untold(wanted.text, name, error) from error
    elsewhere += [{"connection": story["connection"], "message": story["sync"]["message"]} for story in told[1:]]
    return {**told[0], "elsewhere": elsewhere}, bool(answers.found)


def _unknown(story: dict[str, Any], note: str) -> UserError:
    """What to say of an id that nobody knows."""
    others = (f"Connection {other['connection']}: {other['message']}" for other in story["elsewhere"])
    return UserError(" ".join((story["reason"]["message"], *others)), f"{story['reason']['cure']} {note}".strip())


def _untold(text: str, connection: str, error: ConnectorError) -> ConnectorError:
    """The error of a service, with what it kept us from telling."""
    message = (
        f"The ledger does not know {text}, and nothing more can be told (connection {connection}): {error.message}"
    )
    kinds = (UserError, Halt)
    kind = next((one for one in kinds if isinstance(error, one)), Unavailable)
    return kind(message, error.cure)


def _print(story: dict[str, Any], note: str) -> None:
    printer = console()
    if note:
        printer.print(note, markup=False)
    task = story["task"] or {}
    told = " ".join(str(task[name]) for name in ("TaskId", "TaskStatus", "ReasonCode") if task.get(name))
    lines = [f"{_title(story)}connection {story['connection']}, catalog {story['catalog']})"]
    if story["opportunity_id"] or story["presence"]:
        lines += [
            f"  AWS opportunity  {story['opportunity_id'] or 'none yet'}",
            f"  Review status    {story['review_status'] or '-'}     Stage  {story['stage'] or '-'}",
            f"  Task             {told or '-'}",
        ]
    lines.append(f"  Sync             {_standing(story['sync'])}")
    if story["reason"]:
        lines += _reason(story)
    if story.get("asked"):
        lines.append(f"  Asked for        by {story['asked']['by']} ({story['asked']['how']}, {story['asked']['at']})")
    if story["sync"]["next_try"]:
        lines.append(f"  Looked at again  {story['sync']['next_try']}")
    if story["write_back"]["error"]:
        lines.append(f"  Salesforce refuses to show this: {story['write_back']['error']}")
        told = " ".join(filter(None, (story["write_back"]["meaning"], story["write_back"]["cure"])))
        lines += [f"  That means       {told}"] if told else []
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
    if story["values"]:
        printer.print(values_table(story["values"]))
    for other in story["elsewhere"]:
        printer.print(f"Connection {other['connection']}: {other['message']}", markup=False)
    if not story["history"]:
        return
    steps = [(h["at"], h["action"], h["outcome"], h["attempts"], _by(h), _note(h)) for h in story["history"]]
    printer.print(table(("At", "Action", "Outcome", "Attempts", "By", "Note"), steps, title="History"))


def _title(story: dict[str, Any]) -> str:
    """The beginning of the first line: the name if it is known, and in parentheses the id."""
    name = f"{story['name']}  " if story["name"] else ""
    return f"{name}({story['salesforce_id'] or story['opportunity_id']}, "


def _standing(sync: dict[str, Any]) -> str:
    """Status and message, and since when it is so."""
    since = f" (since {sync['since']})" if sync["since"] else ""
    return f"{sync['status'] or 'Not known to the ledger'}{since}: {sync['message'] or ''}"


def _reason(story: dict[str, Any]) -> list[str]:
    """Why it is not in AWS, or not any more: what Salesforce says now, part by part, and what to do."""
    reason = story["reason"]
    is_said = reason["message"] == story["sync"]["message"]
    lines = [] if is_said else [f"  In Salesforce    {reason['message']}"]
    if len(reason["condition"]) > 1:
        lines += [f"                   {_part(part)}" for part in reason["condition"]]
    lines += [f"  What to do       {reason['cure']}"] if reason["cure"] else []
    return lines


def _part(part: dict[str, Any]) -> str:
    words = {None: "only Salesforce can judge it", True: "holds", False: "does not hold"}
    now = (
        f", {part['salesforce_field']} is {json.dumps(part['value'], default=str)}" if part["salesforce_field"] else ""
    )
    return f"{part['text']}: {words[part['holds']]}{now}"


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


def _by(step: dict[str, Any]) -> str | None:
    """Who did it, and why."""
    return "; ".join(filter(None, (step["actor"], step["cause"]))) or None


def _note(step: dict[str, Any]) -> str | None:
    """What went wrong, else whose edit an update went over."""
    overruled = ", ".join(step["overrules"])
    return step["error"] or (f"Salesforce's value replaced AWS's edit of {overruled}." if overruled else None)
