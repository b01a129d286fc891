"""The sandbox in a process of its own, so that its work is not counted as the connector's.

Run as ``python -m tests.bench_sandbox``. Reads one JSON command a line, ``{"do": name, …}``, and answers each with one
line of JSON; ends with its input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from connector.sandbox.partner_central.quota import kind_of
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox
from tests.world import World

Json = dict[str, Any]


class Served:
    """What can be asked of one running sandbox; each method takes a command's fields and gives its answer."""

    def __init__(self, folder: Path, settings: Json, seed: bool) -> None:
        self.sandbox = Sandbox(directory=folder, settings=Settings().changed(settings), seed=seed)
        self.deals: list[str] = []
        self._world = World(self.sandbox, folder)

    def describe(self) -> Json:
        return {
            "url": self.sandbox.url,
            "ca": str(self.sandbox.ca_bundle),
            "config": self.sandbox.config_text("DATABASE"),
        }

    def add_deals(self, count: int, **fields: Any) -> list[str]:
        """Complete, flagged opportunities with one solution each; gives their Salesforce ids."""
        made = [self._world.opportunity(**fields) for _ in range(count)]
        self.deals += made
        return made

    def edit_deals(self, **fields: Any) -> int:
        """Change every deal as a seller would."""
        for deal in self.deals:
            self._world.edit(deal, **fields)
        return len(self.deals)

    def forget(self) -> Json:
        """Start counting and recording anew."""
        self.sandbox.service.journal.clear()
        self.sandbox.org.calls.clear()
        return {}

    def journal(self) -> list[Json]:
        """Every call at Partner Central since ``forget``: when (seconds since 1970), kind, outcome, body and answer."""
        return [
            {
                "at": entry.at.timestamp(),
                "kind": kind_of(entry.operation),
                "operation": entry.operation,
                "outcome": entry.outcome,
                "body": entry.body,
                "answer": entry.answer,
            }
            for entry in list(self.sandbox.service.journal)
        ]

    def salesforce_calls(self) -> list[str]:
        """What Salesforce was asked since ``forget``, one label for each API call."""
        return [label for label, _ in self.sandbox.org.calls]


def tell(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer, default=str) + "\n")
    sys.stdout.flush()


def main() -> None:
    opened = json.loads(sys.stdin.readline())
    served = Served(Path(opened["folder"]), opened["settings"], opened["seed"])
    with served.sandbox:
        tell(served.describe())
        for line in sys.stdin:
            command = json.loads(line)
            tell(getattr(served, command.pop("do"))(**command))


if __name__ == "__main__":
    main()
