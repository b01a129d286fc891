"""``connections_dir``: files that are one connection each. Finds and reads them; what they say is judged elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.config.models import CONNECTION_NAME
from connector.errors import FileProblem, UserError
from connector.yamlfile import Document, read

KEY = "connections_dir"
SUFFIX = ".yaml"
RULE = "Name it by the connection: up to 63 of a-z, 0-9, _ and -, beginning with a letter or digit."


@dataclass(frozen=True, slots=True)
class ConnectionFile:
    """A file of the directory that was read. ``problem``: why its name cannot be a connection's."""

    name: str
    document: Document
    problem: FileProblem | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What is in the directory; ``problems`` are about files that are no connection, though they look like one."""

    files: tuple[ConnectionFile, ...] = ()
    problems: tuple[FileProblem, ...] = ()


def find_files(config: Document, path: Path, value: Any) -> Found:
    """Every file of the directory that config.yaml (at ``path``) names. One that is not there is told by its key."""
    if not isinstance(value, str) or not (directory := path.parent / value).is_dir():
        return Found()
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        message = f"{KEY} names {directory}, which cannot be read: {error.strerror}."
        return Found(problems=(config.problem((KEY,), message, "Check its permissions."),))
    # Whatever else lies there, as a README or an editor's copy, was never meant to be one.
    meant = [entry for entry in entries if entry.name.lower().endswith((SUFFIX, ".yml"))]
    problems = {entry: problem for entry in meant if (problem := _refuse(entry)) is not None}
    files = tuple(_read_all([entry for entry in meant if entry not in problems], problems))
    if not meant:
        message = f"{KEY} names {directory}, and no {SUFFIX} file is in it."
        cure = f"Put a file NAME{SUFFIX} into it for each connection, or remove {KEY}."
        return Found(problems=(config.problem((KEY,), message, cure),))
    return Found(files, tuple(problems.values()))


def _refuse(entry: Path) -> FileProblem | None:
    """Why a file that looks like a connection is not read as one."""
    if entry.name.startswith("."):
        return FileProblem(str(entry), 1, 1, "A hidden file is not read.", "Rename it, or move it elsewhere.")
    if entry.is_dir():
        return FileProblem(str(entry), 1, 1, "This is a directory.", "Each connection is one file.")
    if entry.suffix != SUFFIX:
        cure = f"Rename it to {entry.stem}{SUFFIX}, or move it elsewhere."
        return FileProblem(str(entry), 1, 1, f"Only files that end in {SUFFIX} are read.", cure)
    return None


def _read_all(entries: list[Path], problems: dict[Path, FileProblem]) -> Iterator[ConnectionFile]:
    for entry in entries:
        try:
            document = read(entry)
        except UserError as error:
            problems[entry] = FileProblem(str(entry), 1, 1, error.message, error.cure)
            continue
        problem = None
        if not re.fullmatch(CONNECTION_NAME, entry.stem):
            problem = FileProblem(str(entry), 1, 1, f"{entry.stem!r} cannot be the name of a connection.", RULE)
        yield ConnectionFile(entry.stem, document, problem)
