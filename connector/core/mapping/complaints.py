"""What is wrong in a mapping file: every complaint with its place and its cure. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from connector.core.model import Origin
from connector.core.schema import suggest
from connector.errors import FileProblem

Keys: TypeAlias = tuple[str | int, ...]


class Document(Protocol):
    """A YAML file with positions, as ``connector.yamlfile`` reads it."""

    @property
    def file(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def problems(self) -> tuple[FileProblem, ...]: ...
    @property
    def damaged(self) -> frozenset[Keys]: ...
    def problem(self, path: Keys, message: str, cure: str = "") -> FileProblem: ...


@dataclass(slots=True)
class Complaints:
    """Collects problems of one document."""

    document: Document
    found: list[FileProblem] = field(default_factory=list)

    def add(self, keys: Keys, message: str, cure: str) -> None:
        self.found.append(self.document.problem(keys, message, cure))

    def add_missing(self, keys: Keys, message: str, cure: str) -> None:
        """Something is missing at ``keys``; not said where a syntax error, told already, may have swallowed it."""
        if keys not in self.document.damaged and keys[:-1] not in self.document.damaged:
            self.add(keys, message, cure)

    def add_unknown(self, keys: Keys, message: str, known: Iterable[str], where: str = "") -> None:
        """The last of ``keys`` is a name that nobody knows."""
        names = tuple(known)
        self.add(keys, message, suggest(str(keys[-1]), names) or f"Known{where or ' here'}: {', '.join(names)}.")

    def check_names(self, keys: Keys, value: dict[str, Any], known: Sequence[str]) -> None:
        """Complain of every name in a mapping that is not one of ``known``."""
        for name in value:
            if name not in known:
                self.add_unknown((*keys, name), f"{name!r} is not known here.", known)

    def origin(self, keys: Keys, fields: tuple[str, ...] = ()) -> Origin:
        place = self.document.problem(keys, "")
        return Origin(fields, place.file, place.line, place.column)
