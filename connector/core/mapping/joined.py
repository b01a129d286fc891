"""Several mapping files as one: each section from the file it stands in, and every complaint at its own place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connector.core.mapping.complaints import Document, Keys
from connector.errors import FileProblem


@dataclass(frozen=True, slots=True)
class JoinedDocument:
    """A Document made of others. ``homes`` has the document of each section; ``cases`` are counted through."""

    file: str
    value: Any
    problems: tuple[FileProblem, ...]
    damaged: frozenset[Keys]
    doubtful: frozenset[Keys]
    moved: frozenset[Keys]
    homes: dict[str, Document]
    cases: tuple[tuple[Document, int], ...]

    def problem(self, path: Keys, message: str, cure: str = "") -> FileProblem:
        """A problem at the place of ``path``, in the file it stands in; the first file where it stands in none."""
        if len(path) > 1 and path[0] == "cases" and isinstance(path[1], int) and path[1] < len(self.cases):
            document, index = self.cases[path[1]]
            return document.problem(("cases", index, *path[2:]), message, cure)
        home = self.homes.get(str(path[0])) if path else None
        if home is not None:
            return home.problem(path, message, cure)
        return FileProblem(self.file, 1, 1, message, cure)


def join(documents: Sequence[Document]) -> Document:
    """One document of at least one: the sections of the later ones are added to the first, cases put together."""
    if len(documents) == 1:
        return documents[0]
    value: dict[str, Any] = {}
    homes: dict[str, Document] = {}
    cases: list[tuple[Document, int]] = []
    problems = [problem for document in documents for problem in document.problems]
    doubtful, moved = set[Keys](), set[Keys]()
    for document in documents:
        problems += _without_version(document)
        doubtful.update(_counted_on(path, len(cases)) for path in document.doubtful)
        moved.update(_counted_on(path, len(cases)) for path in document.moved)
        for name, section in document.value.items() if isinstance(document.value, dict) else ():
            if name == "cases" and isinstance(section, list):
                cases += [(document, index) for index in range(len(section))]
                value["cases"] = [*value.get("cases", []), *section]
            elif name in value and name != "version":
                message = f"The section {name} stands in {homes[name].file} already."
                problems.append(document.problem((name,), message, "Keep it in one of the files."))
                doubtful.add((name,))
                continue
            else:
                value[name] = section
            homes.setdefault(name, document)
    damaged = frozenset(path for document in documents for path in document.damaged)
    value["version"] = 1  # told above, file by file
    unsure = (damaged, frozenset(doubtful), frozenset(moved))
    return JoinedDocument(documents[0].file, value, tuple(problems), *unsure, homes, tuple(cases))


def _counted_on(path: Keys, before: int) -> Keys:
    """The path of a case after so many of the files before; any other path as it is."""
    if len(path) > 1 and path[0] == "cases" and isinstance(path[1], int):
        return ("cases", path[1] + before, *path[2:])
    return path


def _without_version(document: Document) -> list[FileProblem]:
    """Each file says its version, so that none is read as what it is not."""
    if () in document.damaged or ("version",) in document.damaged:
        return []
    if not isinstance(document.value, dict):
        return [document.problem((), "A mapping file has sections.", "Write e.g. `invitations:`.")]
    if document.value.get("version") == 1:
        return []
    return [document.problem(("version",), "The version must be 1.", "Write `version: 1` at the top.")]
