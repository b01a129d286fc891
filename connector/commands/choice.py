"""Which records a command is about: ids, all, those changed since a time, or those of a saved plan."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.core.selection import is_id, to_id18
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
            if not is_id(text):
                raise UserError(
                    f"{text!r} is not a Salesforce id.", "Use the 15 or 18 characters from the record's address."
                )
        self.moment()

    def moment(self) -> datetime | None:
        """``since`` as an instant; a date alone, or a time without zone, is meant in UTC."""
        if self.since is None:
            return None
        try:
            moment = datetime.fromisoformat(self.since)
        except ValueError as error:
            raise UserError(f"{self.since!r} is not a time.", "Write 2026-11-01 or 2026-11-01T10:00:00Z.") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def ids_in(self, context: Context) -> list[str] | None:
        """The chosen Salesforce ids (18 characters) in one connection, None for every flagged record."""
        if self.everything:
            return None
        if self.plan_file is not None:
            return [entry["salesforce_id"] for entry in saved_plan(self.plan_file).get(context.name, [])]
        moment = self.moment()
        if moment is None:
            return [to_id18(text) for text in self.ids]
        changes = permissions.reading(
            context, lambda selection: context.salesforce.changes(selection, moment), notes=False
        )
        found = {to_id18(record["Id"]) for page in changes.flagged for record in page}
        return sorted(found | set(changes.touched) | {row.salesforce_id for row in changes.known})


def saved_plan(plan_file: Path) -> dict[str, list[dict[str, Any]]]:
    """The records of a saved plan, by connection. Raises UserError."""
    try:
        return {
            name: list(found["records"]) for name, found in json.loads(plan_file.read_text())["connections"].items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{plan_file} is not a saved plan.", "Make one with `connector plan --out FILE`.") from error
