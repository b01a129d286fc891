"""Which records a command is about: ids, all, those changed since a time, or those of a saved plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from connector.commands.saved import read_plan
from connector.core.identifiers import Kind, read_identifier
from connector.core.selection import to_id18
from connector.errors import UserError
from connector.sync import Context, permissions


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records a command is about."""

    ids: tuple[str, ...]
    everything: bool
    since: str | None
    plan_file: Path | None

    def check(self) -> None:
        """Raises UserError unless exactly one way of choosing is used and it can be read."""
        ways = [bool(self.ids), self.everything, self.since is not None, self.plan_file is not None]
        if sum(ways) != 1:
            raise UserError("Choose records: ids, --all, --since TIME or --plan FILE, one of them.")
        for text in self.ids:
            to_salesforce_id(text)
        self.moment()

    def moment(self) -> datetime | None:
        """``since`` as an instant."""
        return to_moment(self.since)

    def ids_in(self, context: Context) -> list[str] | None:
        """The chosen Salesforce ids (18 characters) in one connection, None for every flagged record."""
        if self.everything:
            return None
        if self.plan_file is not None:
            saved = read_plan(self.plan_file).get(context.name)
            return list(saved.records) if saved is not None else []
        moment = self.moment()
        if moment is None:
            return [to_salesforce_id(text) for text in self.ids]
        changes = permissions.reading(
            context, lambda selection: context.salesforce.changes(selection, moment), notes=False
        )
        found = {to_id18(record["Id"]) for page in changes.flagged for record in page}
        return sorted(found | set(changes.touched) | {row.salesforce_id for row in changes.known})


def to_moment(text: str | None) -> datetime | None:
    """A time as a person writes it; a date alone, or a time without zone, is meant in UTC. Raises UserError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a time.", "Write 2026-11-01 or 2026-11-01T10:00:00Z.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def to_salesforce_id(text: str) -> str:
    """The 18 characters of an id, also of one whose case was changed, or of a record's address. Raises UserError."""
    found = read_identifier(text)
    if found is not None and found.kind == Kind.SALESFORCE:
        return found.text
    note = found.note if found is not None else ""
    cure = note or "Use the 15 or 18 characters from the record's address."
    raise UserError(f"{text!r} is not a Salesforce id.", cure)
