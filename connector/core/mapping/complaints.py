"""What is wrong in a mapping file: every complaint with its place and its cure. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    @property
    def doubtful(self) -> frozenset[Keys]: ...
    @property
    def moved(self) -> frozenset[Keys]: ...
    def problem(self, path: Keys, message: str, cure: str = "") -> FileProblem: ...


@dataclass(slots=True)
class Complaints:
    """Collects problems of one document.

    ``doubts`` are the places that a complaint is about: what is read there may not be what was meant, so nothing else
    is said that only follows from it.
    """

    document: Document
    found: list[FileProblem] = field(default_factory=list)
    doubts: list[Keys] = field(default_factory=list)

    def add(self, keys: Keys, message: str, cure: str) -> None:
        self.found.append(self.document.problem(keys, message, cure))
        self.doubts.append(keys)

    def add_missing(self, keys: Keys, message: str, cure: str, member: str = "") -> None:
        """Something is missing at ``keys``, or only that ``member`` of it.

        Not said where a mistake that is told already may have swallowed it.
        """
        doubtful = self.document.doubtful
        if keys not in doubtful and keys[:-1] not in doubtful:
            self.found.append(self.document.problem(keys, message, cure))
        self.doubts.append((*keys, member) if member else keys)

    def add_unknown(self, keys: Keys, message: str, known: Iterable[str], where: str = "") -> None:
        """The last of ``keys`` is a name that nobody knows; not said of a line that may belong elsewhere."""
        names = tuple(known)
        if keys in self.document.moved:
            return
        self.add(keys, message, suggest(str(keys[-1]), names) or f"Known{where or ' here'}: {', '.join(names)}.")

    def doubt_meant(self, keys: Keys, name: str, value: Mapping[str, Any], known: Iterable[str]) -> None:
        """Of the structure ``value`` at ``keys``: ``name`` stands in place of one that is known and not given."""
        meant = meant_by([name], value, known)
        self.doubts += [(*keys, other) for other in meant or set(known) - set(value)]

    def check_names(self, keys: Keys, value: dict[str, Any], known: Sequence[str]) -> frozenset[str]:
        """Complain of every name in a mapping that is not one of ``known``. Gives those that were meant instead."""
        unknown = [name for name in value if name not in known]
        for name in unknown:
            self.add_unknown((*keys, name), f"{name!r} is not known here.", known)
        return meant_by(unknown, value, known)

    def origin(self, keys: Keys, fields: tuple[str, ...] = ()) -> Origin:
        place = self.document.problem(keys, "")
        return Origin(fields, place.file, place.line, place.column)


def meant_by(unknown: Iterable[str], value: Mapping[str, Any], known: Iterable[str]) -> frozenset[str]:
    """The known names that unknown ones look like and that ``value`` lacks: nobody needs to be told that these lack."""
    names = tuple(known)
    close = (suggest(str(name), names).split("'")[1:2] for name in unknown)
    return frozenset(name for found in close for name in found if name not in value)
