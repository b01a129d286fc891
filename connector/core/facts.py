"""What Salesforce should show: the facts that ``write_back`` and ``inbound`` name, and their spelling in a field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from connector.core.diff import unescaped, value_at
from connector.core.lifecycle import SyncStatus
from connector.core.model import Invitation, Link, Refusal, SentInvitation, Structure
from connector.core.sentences import told
from connector.core.text import to_text

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_NUMBERS = frozenset({"currency", "double", "int", "percent"})
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}

_OF_THE_REVIEW = frozenset({"LifeCycle.ReviewComments", "LifeCycle.ReviewStatusReason"})
"""Said with a review status and gone with it: once that is known, their absence is known too."""
_OF_THE_INVITATION = frozenset({"Status", "RejectionReason", "InvitationDate", "ExpirationDate"})
"""Of one invitation: those of the one that was sent before it to somebody else go with its id."""

_NOT_SENT = "Sent once the opportunity is submitted and AWS has taken it up."
_IN_LINE = "In line to be sent."
_ANSWERS = {
    "ACCEPTED": "The partner accepted.",
    "EXPIRED": "It expired without an answer. To ask again, replace this row by a new one.",
}
"""What an invitation's status means to the seller, where nothing else is known of it."""


def fact_of(name: str, link: Link, status: str, message: str, at: datetime | None) -> tuple[bool, Any]:
    """(whether it is known, value) of one fact. What AWS has not told yet is unknown, and blanks nothing."""
    root, _, rest = name.partition(".")
    if root == "sync":
        values = {"status": status, "message": message, "at": at.isoformat() if at else None}
        return True, values[rest]
    if root == "task":
        return link.task is not None, None if link.task is None else value_at(link.task.facts, rest)
    if name == "opportunity.Id":
        return bool(link.opportunity_id), link.opportunity_id
    told_by_aws = link.aws if root == "aws" else link.existing
    if not told_by_aws:  # asked for at every rest, and true of most facts before the review
        return False, None
    value = read_path(told_by_aws, rest)
    is_known = value not in (None, "", []) or (root == "opportunity" and rest in _OF_THE_REVIEW and link.review_status)
    return bool(is_known), value


def fact_of_invitation(
    name: str, wanted: Invitation, sent: SentInvitation | None, refusal: Refusal | None, *, is_next: bool = False
) -> tuple[bool, Any]:
    """(whether it is known, value) of one fact about one invitation of a record.

    ``sent`` is what AWS has of it, ``refusal`` why it is not sent as it is, where its own problems do not say it,
    ``is_next`` that nothing but its turn stands before it.
    """
    root, _, rest = name.partition(".")
    if root == "sync":
        status, message = _standing(wanted, sent, refusal, is_next)
        return True, {"status": str(status), "message": message}[rest]
    if sent is None:
        return False, None
    value = read_path(sent.facts, rest)
    return value not in (None, "", []) or (rest in _OF_THE_INVITATION and bool(sent.invitation_id)), value


def _standing(
    wanted: Invitation, sent: SentInvitation | None, refusal: Refusal | None, is_next: bool
) -> tuple[SyncStatus, str]:
    """Where an invitation stands, in a seller's words. What was sent is past mending: its answer counts."""
    if sent is not None:
        return SyncStatus.SYNCED, meaning_of_answer(sent)
    if wanted.problems:
        return SyncStatus.HELD, told(wanted.problems)
    if refusal is not None:
        return SyncStatus.HELD, refusal.message
    return SyncStatus.PENDING, _IN_LINE if is_next else _NOT_SENT


def meaning_of_answer(sent: SentInvitation) -> str:
    """One sentence on the answer to an invitation; a status that AWS added later is told as it is."""
    if sent.status in {"", "PENDING"}:
        until = str(sent.facts.get("ExpirationDate") or "")[:10]
        return f"Waiting for the partner's answer until {until}." if until else "Waiting for the partner's answer."
    if sent.status == "REJECTED":
        reason = str(unescaped(sent.facts.get("RejectionReason")) or "").rstrip(". ")
        return f"The partner declined: {reason}." if reason else "The partner declined."
    return _ANSWERS.get(sent.status, f"AWS's status of the invitation is {sent.status!r}.")


def facts_of_link(link: Link) -> Structure:
    """Everything AWS has told of a link, by the first step of a fact's name."""
    opportunity = {**(link.existing or {}), **({"Id": link.opportunity_id} if link.opportunity_id else {})}
    return {"opportunity": opportunity, "aws": link.aws or {}, "task": link.task.facts if link.task else {}}


def read_fact(name: str, facts: Structure) -> Any:
    """The value of a fact by its whole name (``aws.OpportunityTeam[PDM].Email``), empty where AWS has not told it."""
    root, _, rest = name.partition(".")
    return read_path(facts.get(root) or {}, rest)


def read_path(value: Any, path: str) -> Any:
    """The value at a path of an answer of AWS, as it was written: escapes undone, of a list every item's.

    A list step may name one item by its index or, in a team, by its role: ``Contacts[0]``, ``OpportunityTeam[PDM]``.
    ``Name`` is made up of first and last name where a person has no such member.
    """
    return unescaped(_through_lists(value, path.split(".")))


def _through_lists(value: Any, steps: list[str]) -> Any:
    if isinstance(value, list):
        found = (_through_lists(item, steps) for item in value)
        return [item for item in found if item not in (None, "", [], {})]
    if not steps or not isinstance(value, Mapping):
        return None if steps else value
    name, _, which = steps[0].rstrip("]").partition("[")
    inner = value.get(name) if name != "Name" or "Name" in value else _full_name(value)
    if which and isinstance(inner, list):
        inner = _item(inner, which)
    return _through_lists(inner, steps[1:])


def _item(items: list[Any], which: str) -> Any:
    """One item of a list: by its index, else the first that has this business title."""
    if which.isdecimal():
        return items[int(which)] if int(which) < len(items) else None
    return next((item for item in items if isinstance(item, Mapping) and item.get("BusinessTitle") == which), None)


def _full_name(person: Mapping[str, Any]) -> str | None:
    return " ".join(str(person[part]) for part in ("FirstName", "LastName") if person.get(part)) or None


def to_field(value: Any, kind: str, length: int, scale: int | None = None) -> Any:
    """A fact as a Salesforce field of this describe type takes it; text is cut to ``length`` (0: no limit).

    Lists become ``;``-separated text. Instants have whole seconds, as Salesforce keeps them, and numbers its
    ``scale`` of decimals (None: as they are), so that what it shows afterwards is what was sent.
    """
    if value in (None, "", [], {}):
        return False if kind == "boolean" else None
    if isinstance(value, list):
        value = ";".join(to_text(item) for item in value)
    if kind == "datetime":
        return to_salesforce_instant(str(value)) or str(value)
    if kind == "date":
        return str(value)[:10]
    if kind == "boolean":
        return _TRUTHS.get(to_text(value).strip().casefold(), value)
    if kind in _NUMBERS:
        return _to_number(value, 0 if kind == "int" else scale)
    text = re.sub(r"\r\n?", "\n", to_text(value)).strip()
    return text if not length or len(text) <= length else text[: length - 1].rstrip() + "…"


def _to_number(value: Any, scale: int | None) -> Any:
    """A number as JSON has it; what is none stays as it is, for Salesforce to refuse."""
    try:
        number = Decimal(to_text(value).strip())
        if not number.is_finite():
            return value
        if scale is not None:
            number = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
        return int(number) if number == number.to_integral_value() else float(number)
    except InvalidOperation:
        return value


def to_salesforce_instant(text: str) -> str:
    """An ISO instant the way Salesforce shows it: ``2026-01-01T10:00:00.000+0000``; "" when it is none."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return ""
    in_utc = instant.astimezone(UTC) if instant.tzinfo else instant
    return in_utc.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def is_shown(value: Any, shown: Any) -> bool:
    """Whether Salesforce shows this value already."""
    return bool(value == shown or _plain(value) == _plain(shown))


def _plain(value: Any) -> Any:
    if value in (None, ""):
        return None
    if isinstance(value, str):
        text = re.sub(r"\r\n?", "\n", value).strip()
        # Salesforce gives the values of a multi-select in its own order.
        parts = tuple(sorted(text.split(";"))) if ";" in text else text
        return (to_salesforce_instant(text) if _INSTANT.match(text) else "") or parts
    return value


def unlike(values: dict[str, Any], shown: dict[str, Any], ignored: Iterable[str] = ()) -> dict[str, Any]:
    """The fields of ``values`` that Salesforce does not show as they should be."""
    skipped = set(ignored)
    return {n: v for n, v in values.items() if n not in skipped and not is_shown(v, shown.get(n))}
