"""Facts for the rules that note what a rule looks at, so that nobody has to list it a second time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.core.mapping.nodes import ASSOCIATED, SUBMITTED
from connector.core.rules.facts import Facts

_MEMBERS: Mapping[str, str] = {"associations": ASSOCIATED, "submission": SUBMITTED}


@dataclass(frozen=True)
class WatchedFacts(Facts):
    """Facts whose ``read`` are the AWS paths that were looked at."""

    read: set[str] = field(default_factory=set)

    def at(self, path: str) -> Any:
        self.read.add(path)
        return super().at(path)

    def __getattribute__(self, name: str) -> Any:
        if name in _MEMBERS:
            self.read.add(_MEMBERS[name])
        return super().__getattribute__(name)
