"""The folder of a project on disk: written again and again, and never over somebody else's files.

What was written is listed in a file of its own, so that a later run removes what is no longer needed, and only that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from connector.errors import UserError

LIST = ".partner-central-connector"
_HEAD = "# Files made by `connector salesforce-package`, which removes them when the mapping no longer needs them."
_KEPT = frozenset({".forceignore"})
"""Written once and then the administrator's: what the org has already is named there."""
_NOT_OURS = frozenset({".git"})


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing: paths inside the folder, each in one of the three."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def write(directory: Path, files: Mapping[str, str]) -> Written:
    """Make the folder hold these files, beside what others put there. Raises UserError for a folder of others."""
    before = _listed(directory)
    changed: list[str] = []
    unchanged: list[str] = []
    for name, text in sorted({**files, LIST: _list_of(files)}.items()):
        path = directory / name
        is_same = path.is_file() and (name in _KEPT or path.read_bytes() == text.encode())
        (unchanged if is_same else changed).append(name)
        if not is_same:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    removed = [name for name in sorted(before - set(files)) if _remove(directory, name)]
    return Written(tuple(changed), tuple(unchanged), tuple(removed))


def _list_of(files: Mapping[str, str]) -> str:
    return "\n".join([_HEAD, *sorted(files)]) + "\n"


def _listed(directory: Path) -> set[str]:
    """What an earlier run wrote. Raises UserError where the folder is somebody else's."""
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is a file.", "Name a folder.")
    found = directory / LIST
    if found.is_file():
        lines = found.read_text(encoding="utf-8").splitlines()
        return {line for line in lines if line and not line.startswith("#") and _is_inside(line)}
    if directory.is_dir() and any(entry.name not in _NOT_OURS for entry in directory.iterdir()):
        raise UserError(
            f"{directory} holds files that `connector salesforce-package` did not make.",
            "Name a new or an empty folder; copy what you need from there.",
        )
    return set()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _remove(directory: Path, name: str) -> bool:
    """Take a file away, and the folders that it leaves empty."""
    path = directory / name
    if not path.is_file():
        return False
    path.unlink()
    for folder in path.parents:
        if folder == directory or any(folder.iterdir()):
            break
        folder.rmdir()
    return True
