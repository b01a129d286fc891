"""Finds and reads config.yaml. Everything wrong with it is told at once, each with place and cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connector.config.complaints import explain_section, name_of, to_complaints
from connector.config.directory import KEY, Found, find_files
from connector.config.models import (
    Alerts,
    ConfigFile,
    Connection,
    Fleet,
    Health,
    Log,
    Schedule,
    Web,
    password_in,
    secrets_in,
)
from connector.config.references import References
from connector.errors import ConfigError, FileProblem, UserError
from connector.resources import packaged
from connector.yamlfile import Document, Steps, read

VARIABLE = "CONNECTOR_CONFIG"
DEFAULT = Path("config.yaml")
SECTIONS = ("database", "schedule", "log", "web", "health", "alerts", "fleet", KEY, "connections")
"""The keys of the file that make up a Config."""


@dataclass(frozen=True, slots=True)
class Config:
    """A config.yaml that passed every check. ``database`` is absolute where it is embedded.

    ``unset``: references to what is not there on this machine, of a file that was read all the same; whoever holds such
    a Config may look at it, and connect to nothing.
    """

    database: str = field(repr=False)
    schedule: Schedule
    log: Log
    web: Web
    health: Health
    alerts: Alerts
    fleet: Fleet
    connections_dir: Path | None
    connections: Mapping[str, Connection]
    path: Path
    unset: tuple[FileProblem, ...] = ()

    def require_set(self) -> None:
        """Raises ConfigError unless everything that the file refers to is there."""
        if self.unset:
            raise _refused(self.path, set(self.unset))

    def secrets(self) -> Iterator[str]:
        """Every secret in it, for the log's redaction."""
        yield from password_in(self.database)
        for section in (self.web, self.alerts):
            yield from secrets_in(section)
        for connection in self.connections.values():
            yield from secrets_in(connection)


def locate(option: Path | None, environment: Mapping[str, str]) -> Path:
    """The file to read: ``--config``, else CONNECTOR_CONFIG, else ./config.yaml. Raises ConfigError."""
    variable = environment.get(VARIABLE)
    path = option or (Path(variable) if variable else DEFAULT)
    if path.is_file():
        return path
    said = "--config" if option else VARIABLE if variable else ""
    found = "is not a file" if path.exists() else "does not exist"
    raise ConfigError(
        f"The configuration file {path}{f' ({said})' if said else ''} {found}.",
        f"Make one with `connector init`, or with `cp {packaged('config.example.yaml')} {path}` and fill it in.",
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a configuration; ``at`` is where its content stands in the whole."""

    at: Steps
    document: Document
    references: References
    tree: Any

    @classmethod
    def of(cls, at: Steps, document: Document, references: References) -> Part:
        return cls(at, document, references, references.fill(document.value))

    def shown(self, path: Steps) -> Steps:
        """What a path of the whole is in this file."""
        return path[len(self.at) :]


def load(path: Path, environment: Mapping[str, str], *, forgiving: bool = False) -> Config:
    """Read and check the file, and those of ``connections_dir``. Raises ConfigError with all problems, by position.

    ``forgiving``: references to variables and files that are not there on this machine do not count; see Config.unset.
    """
    directory = path.absolute().parent

    def part(at: Steps, document: Document) -> Part:
        return Part.of(at, document, References(document, environment, directory, forgiving))

    main = part((), _read(path))
    found = _find_files(main, path)
    names = _names_of(found, main)
    parts = [main, *(part(("connections", name), file.document) for name, file in zip(names, found.files, strict=True))]
    absent = {problem for one in parts for problem in one.references.absent}
    problems = {*found.problems, *_doubly(found, main), *(set() if forgiving else absent)}
    for one in parts:
        problems |= {*one.document.problems, *one.references.problems}
    tree = _joined(parts)
    try:
        checked = ConfigFile.model_validate(tree, context={"directory": directory})
    except ValidationError as error:
        problems.update(_locate_all(error, tree, parts))
        checked = None
    if (problem := _no_section(main, parts)) is not None:
        problems.add(problem)
    if problems or checked is None:
        raise _refused(path, problems or absent)
    sections = {name: getattr(checked, name) for name in SECTIONS}
    return Config(**sections, path=path, unset=tuple(sorted(absent)))


def documents_of(path: Path, environment: Mapping[str, str]) -> list[tuple[Steps, Document]]:
    """Every file of a configuration as it is written, with where its content stands in the whole. For looking only."""
    document = _read(path)
    main = Part.of((), document, References(document, environment, path.absolute().parent, forgiving=True))
    return [((), document), *((("connections", one.name), one.document) for one in _find_files(main, path).files)]


def _find_files(main: Part, path: Path) -> Found:
    value = main.tree.get(KEY) if isinstance(main.tree, dict) else None
    return find_files(main.document, path, value)


def _names_of(found: Found, main: Part) -> list[str]:
    """The name of each file's connection; one that cannot have its name is judged under another, to tell the rest."""
    taken = _sections_in(main)
    return [
        f"unnamed-{number}" if file.problem is not None or file.name in taken else file.name
        for number, file in enumerate(found.files)
    ]


def _sections_in(main: Part) -> dict[Any, Any]:
    sections = main.tree.get("connections") if isinstance(main.tree, dict) else None
    return sections if isinstance(sections, dict) else {}


def _doubly(found: Found, main: Part) -> Iterator[FileProblem]:
    """What is wrong with the files' names: what cannot be one, and what stands in config.yaml as well."""
    for file in found.files:
        if file.problem is not None:
            yield file.problem
        elif file.name in _sections_in(main):
            line, _ = main.document.positions.get(("connections", file.name), (1, 1))
            message = f"The connection {file.name} stands in {main.document.file}, line {line}, as well."
            yield FileProblem(file.document.file, 1, 1, message, "Keep one of the two.")


def _joined(parts: Sequence[Part]) -> Any:
    """The whole configuration, as if all stood in config.yaml."""
    main, *files = parts
    if not files or not isinstance(main.tree, dict):
        return main.tree
    return {**main.tree, "connections": {**_sections_in(main), **{str(one.at[-1]): one.tree for one in files}}}


def _no_section(main: Part, parts: Sequence[Part]) -> FileProblem | None:
    """``connections`` is something else than a section, which was left out when the files took its place."""
    value = main.tree.get("connections") if isinstance(main.tree, dict) else None
    if len(parts) == 1 or value is None or value == "" or isinstance(value, dict):
        return None
    path = ("connections",)
    message, cure = explain_section({"type": "dict_type"}, path, main.tree)  # type: ignore[typeddict-item]
    return main.document.problem(path, f"{name_of(path)} {message}", cure)


def _read(path: Path) -> Document:
    try:
        return read(path)
    except UserError as error:
        raise ConfigError(error.message, error.cure) from None


def _locate_all(error: ValidationError, tree: Any, parts: Sequence[Part]) -> Iterator[FileProblem]:
    """The complaints with their places, but for those that only follow from a problem told already."""
    main = parts[0]
    has_directory = isinstance(main.tree, dict) and main.tree.get(KEY) is not None
    for complaint in to_complaints(error, tree, lambda path: _part_of(path, parts).shown(path)):
        part = _part_of(complaint.path, parts)
        path, about, document = part.shown(complaint.path), complaint.about, part.document
        if has_directory and complaint.path == ("connections",) and about == "absence":
            continue
        hit = path in document.damaged or (about == "absence" and path[:-1] in document.damaged)
        if (path in part.references.failed and about != "presence") or (hit and about != "value"):
            continue
        yield document.problem(path, complaint.message, complaint.cure)


def _part_of(path: Steps, parts: Sequence[Part]) -> Part:
    """The file in which a path of the whole stands."""
    return next((one for one in parts[1:] if path[: len(one.at)] == one.at), parts[0])


def _refused(path: Path, problems: set[FileProblem]) -> ConfigError:
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigError(f"{path} has {count}.", "Correct it and start again.", tuple(sorted(problems)))
