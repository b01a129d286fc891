"""``connector audit``: exports the trail of who or what caused each write. Reads only, a page at a time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from connector.app import App
from connector.commands import outfile
from connector.commands.choice import to_moment
from connector.commands.plain import to_plain
from connector.commands.session import DONE
from connector.core.audit import Entry, to_csv, to_jsonl
from connector.core.identifiers import Kind, read_identifier
from connector.errors import UserError

PAGE = 2_000
"""Entries that are read together, however many there are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: of one record (an id as a person gives it), and from when to when, as text; None for all."""

    identifier: str | None = None
    since: str | None = None
    until: str | None = None

    def moments(self) -> tuple[datetime | None, datetime | None]:
        """``since`` and ``until`` as instants. Raises UserError."""
        since, until = map(to_moment, (self.since, self.until))
        if since is not None and until is not None and since >= until:
            raise UserError("--since is not before --until.", "Give the earlier moment as --since.")
        return since, until


def audit(app: App, wanted: Wanted, *, form: str, out: Path | None) -> int:
    """Print the entries, the oldest first, or write them to a file that only its owner may read."""
    if out is not None:
        outfile.require_place(out)
    lines = _FORMS[form](map(_plainly, _entries(app, wanted)))
    if out is None:
        for line in lines:
            click.echo(line, nl=False)
        return DONE
    number = outfile.write(out, lines) - (form == "csv")
    click.echo(f"{number} entries are in {out}.", err=True)
    return DONE


def _entries(app: App, wanted: Wanted) -> Iterator[Entry]:
    """Of all chosen connections, by time."""
    since, until = wanted.moments()
    if not app.has_ledger:
        raise UserError("There is no ledger yet.", "`connector run` or `connector resync` makes it.")
    app.require_ledger()
    found = [_of_connection(app, name, _salesforce_id(app, name, wanted), since, until) for name in app.connections]
    return heapq.merge(*found, key=lambda entry: (entry.at, entry.id))


def _of_connection(
    app: App, name: str, salesforce_id: str | None, since: datetime | None, until: datetime | None
) -> Iterator[Entry]:
    """``salesforce_id``: "" for every record, None where the connection does not know the one that is wanted."""
    if salesforce_id is None:
        return
    after: Entry | None = None
    read = partial(app.ledger.audit, name, salesforce_id=salesforce_id, since=since, until=until, limit=PAGE)
    while page := read(after=after):
        yield from page
        after = page[-1]


def _salesforce_id(app: App, name: str, wanted: Wanted) -> str | None:
    if wanted.identifier is None:
        return ""
    found = read_identifier(wanted.identifier)
    if found is not None and found.kind == Kind.SALESFORCE:
        return found.text
    if found is None or found.kind != Kind.OPPORTUNITY:
        cure = (found.note if found is not None else "") or "Give a Salesforce id (15 or 18 characters) or an O-number."
        raise UserError(f"{wanted.identifier!r} is not a Salesforce id or O-number.", cure)
    link = app.ledger.find(name, app.connections[name].partner_central.catalog, found.text)
    return link.salesforce_id if link is not None else None


def _sentences(entries: Iterable[Entry]) -> Iterator[str]:
    return (f"{entry.to_sentence()}\n" for entry in entries)


def _plainly(entry: Entry) -> Entry:
    """The same in one line, and nothing in it that would steer a terminal: names come from other systems."""
    words = (entry.actor, entry.cause, entry.detail)
    if all(map(str.isprintable, words)):
        return entry
    actor, cause, detail = (to_plain(text.replace("\n", " ").replace("\t", " ")) for text in words)
    return replace(entry, actor=actor, cause=cause, detail=detail)


_FORMS: Mapping[str, Callable[[Iterable[Entry]], Iterator[str]]] = {
    "text": _sentences,
    "jsonl": to_jsonl,
    "csv": to_csv,
}
