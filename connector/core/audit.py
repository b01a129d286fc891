"""Who or what caused something, and what became of it: one entry of the audit trail, and how it is written out.

An entry has no personal data of a record: fields and codes, not values; of what was sent a digest. Who acted is named,
which is what the trail is for; who edited a record in Salesforce is a user's id (005…), a name only Salesforce knows.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from connector.core.model import Link, Structure
from connector.errors import ConnectorError, RecordError

LONGEST = 1_000
"""Characters of a detail: a list of fields that is longer is cut."""


class Event(StrEnum):
    """What an entry is about."""

    BEGUN = "begun"
    SENT_AGAIN = "sent again"
    DONE = "done"
    FAILED = "failed"
    DROPPED = "dropped"
    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    ADOPTED = "adopted"
    ASKED = "asked"
    RETRIED = "retried"
    RELEASED = "released"
    FORGOTTEN = "forgotten"
    SIGNED_IN = "signed in"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    ``actor`` is who did it, ``cause`` why. ``body_sha256`` is the digest of the JSON that was committed before the
    call, UTF-8. ``id`` is the database's number, 0 while it has none.
    """

    at: datetime
    connection: str
    event: str
    salesforce_id: str = ""
    opportunity_id: str = ""
    operation_id: int | None = None
    action: str = ""
    actor: str = ""
    cause: str = ""
    body_sha256: str = ""
    client_token: str = ""
    detail: str = ""
    id: int = 0

    def to_json(self) -> Structure:
        """As ``COLUMNS`` name it, the instant as text."""
        return {name: _plain(getattr(self, name)) for name in COLUMNS}

    def to_sentence(self) -> str:
        """A line for people."""
        about = " ".join(filter(None, (self.salesforce_id, self.opportunity_id)))
        words = [to_instant(self.at), self.connection, about or "-", f"{self.action} {self.event}".strip()]
        line = "  ".join(words)
        line += f" ({self.detail})" if self.detail else ""
        line += f", by {self.actor}" if self.actor else ""
        return line + (f"; cause: {self.cause}" if self.cause else "")


COLUMNS = tuple(one.name for one in fields(Entry))
"""The columns of an export, in their order. New ones are added at the end."""


def to_instant(moment: datetime) -> str:
    """``2026-11-22T10:00:00.000000Z``: its texts sort as the instants do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(value: Any) -> Any:
    return to_instant(value) if isinstance(value, datetime) else value


def to_jsonl(entries: Iterable[Entry]) -> Iterator[str]:
    """A JSON object a line."""
    return (json.dumps(entry.to_json(), ensure_ascii=False) + "\n" for entry in entries)


def to_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """A heading and a line for each entry, safe to open in a spreadsheet."""
    yield _csv_line(COLUMNS)
    for entry in entries:
        yield _csv_line([to_cell(value) for value in entry.to_json().values()])


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n\x00]")

_INNER = re.compile(r";(?=[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def to_cell(value: Any) -> str:
    """A value as a spreadsheet shows it, and never runs it: what would begin a formula gets an apostrophe before it.

    Also after a semicolon: where that separates lists, as in most of Europe, a cell ends there, quoted or not.
    """
    text = "" if value is None else _INNER.sub(";'", str(value))
    return f"'{text}" if not isinstance(value, int) and _FORMULA.match(text) else text


def cause_of(link: Link, cause: str = "") -> str:
    """Why something is done for a link: who asked for it, and what brought it about (``cause``, else its last news)."""
    asked = link.asked or {}
    person = f"{asked.get('how', 'asked')} by {asked['by']} at {asked.get('at')}" if asked.get("by") else ""
    return "; ".join(filter(None, (person, cause or link.cause)))


def in_codes(error: ConnectorError) -> str:
    """What a service refused, as codes and the fields they are about: its own words may quote the record."""
    details = error.details if isinstance(error, RecordError) else ()
    told = [f"{one.code} at {one.field}" if one.field else one.code for one in details if one.code or one.field]
    return cut("; ".join(dict.fromkeys(told)) or type(error).__name__)


def detail_of(body: Structure, intent: Structure | None) -> str:
    """Which part of a record a write is about, without any value: the fields of an update, what is associated."""
    if body.get("RelatedEntityType"):
        return f"{body['RelatedEntityType']} {body.get('RelatedEntityIdentifier', '')}".strip()
    changed, overruled = (_paths((intent or {}).get(name)) for name in ("changes", "overrules"))
    told = f"changes {', '.join(changed)}" if changed else ""
    return cut(told + (f"; over AWS's edit of {', '.join(overruled)}" if overruled else ""))


def cut(text: str) -> str:
    """The text, no longer than a detail may be."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


# what stays of an operation once it is closed

_KEPT = frozenset(
    {
        "Id",
        "Arn",
        "LastModifiedDate",
        "TaskId",
        "TaskArn",
        "TaskStatus",
        "ReasonCode",
        "StartTime",
        "OpportunityId",
        "EngagementId",
        "EngagementInvitationId",
        "ResourceSnapshotJobId",
        "found",
    }
)


def kept_response(response: Structure | None) -> Structure | None:
    """Of AWS's answer the ids, dates and codes; its words and the rest may quote the record."""
    return None if response is None else {name: value for name, value in response.items() if name in _KEPT}


def kept_intent(intent: Structure | None) -> Structure | None:
    """Of what was meant only the fields: which were changed, and where AWS's edit was replaced."""
    kept = {name: paths for name in ("changes", "overrules") if (paths := _paths((intent or {}).get(name)))}
    return kept or None


def _paths(listed: Any) -> list[str]:
    """Of ``[[path, value], …]`` or ``[path, …]`` the paths."""
    return [str(one if isinstance(one, str) else one[0]) for one in listed or ()]


def overruled_in(intent: Structure | None) -> list[str]:
    """The AWS paths at which an update replaced an edit made at AWS, of an open or a closed operation."""
    return _paths((intent or {}).get("overrules"))


_PEOPLE = frozenset({"Contacts", "Contact", "OpportunityTeam", "SenderContacts", "Assignee", "Sender", "Receiver"})
_REACHES = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+|(?<![\w+])\+[1-9](?:[ ().\-/]{0,2}\d){6,14}(?!\w)")
HIDDEN = "[…]"


def without_people(words: str, body: Structure, *others: Structure | None) -> str:
    """A service's words without what they quote of a person: names, addresses and free text of the body.

    ``others`` is what else is known of the record: a submission's body has nobody in it, and AWS's answer to it may.
    Of that only people are taken out: the rest, as a stage, is what the words are about.
    """
    if not words:
        return words
    known = {*_telling(body, is_person=False), *(name for one in others for name in _people(one))}
    for value in sorted(known, key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", HIDDEN, words)
    return _REACHES.sub(HIDDEN, words)


def _people(value: Any) -> Iterator[str]:
    """What stands of people anywhere below."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _telling(one, is_person=True) if name in _PEOPLE else _people(one)
    elif isinstance(value, list):
        for one in value:
            yield from _people(one)


def _telling(value: Any, *, is_person: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _telling(one, is_person=is_person or name in _PEOPLE)
    elif isinstance(value, list):
        for one in value:
            yield from _telling(one, is_person=is_person)
    elif isinstance(value, str) and len(value) > 1 and (is_person or " " in value or "@" in value):
        yield value
