"""Finds and reads config.yaml. Everything wrong with it is told at once, each with place and cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from connector.config.complaints import Complaint, to_complaints
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
SECTIONS = ("database", "schedule", "log", "web", "health", "alerts", "fleet", "connections")
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


def load(path: Path, environment: Mapping[str, str], *, forgiving: bool = False) -> Config:
    """Read and check the file. Raises ConfigError with all problems, sorted by position.

    ``forgiving``: references to variables and files that are not there on this machine do not count; see Config.unset.
    """
    document = _read(path)
    directory = path.absolute().parent
    references = References(document, environment, directory, forgiving)
    tree = references.fill(document.value)
    problems = {*document.problems, *references.problems, *(() if forgiving else references.absent)}
    try:
        found = ConfigFile.model_validate(tree, context={"directory": directory})
    except ValidationError as error:
        problems.update(_locate_all(to_complaints(error, tree), document, references.failed))
        found = None
    if problems or found is None:
        raise _refused(path, problems or set(references.absent))
    unset = tuple(sorted(references.absent))
    sections = {name: getattr(found, name) for name in SECTIONS}
    return Config(**sections, path=path, unset=unset)


def _read(path: Path) -> Document:
    try:
        return read(path)
    except UserError as error:
        raise ConfigError(error.message, error.cure) from None


def _locate_all(complaints: Iterator[Complaint], document: Document, failed: set[Steps]) -> Iterator[FileProblem]:
    """The complaints with their places, but for those that only follow from a problem told already."""
    for complaint in complaints:
        path, about = complaint.path, complaint.about
        hit = path in document.damaged or (about == "absence" and path[:-1] in document.damaged)
        if (path in failed and about != "presence") or (hit and about != "value"):
            continue
        yield document.problem(path, complaint.message, complaint.cure)


def _refused(path: Path, problems: set[FileProblem]) -> ConfigError:
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigError(f"{path} has {count}.", "Correct it and start again.", tuple(sorted(problems)))
