"""Reads a file into a Document: its value, the place of every part, and every problem at once."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from connector.errors import FileProblem, UserError
from connector.yamlfile.draft import Draft
from connector.yamlfile.mistakes import repair
from connector.yamlfile.nodes import HIDDEN, Builder, Place
from connector.yamlfile.values import Steps, Values

REPAIRS = 20

UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Document:
    """One file's value, where each part of it stands, and what is wrong with it.

    ``positions`` maps a path to (line, column) from 1: of the key for a mapping entry, of the item for a list
    entry, ``()`` for the root. ``damaged`` has the paths that a syntax error hit: a complaint that something
    is missing there may be false. ``doubtful`` are those and all others that may say something else than was meant:
    what is given twice, and what another problem is about. ``moved`` stand on lines whose indentation had to be
    guessed: they may belong elsewhere.
    """

    file: str
    value: Any
    positions: Mapping[Steps, Place]
    problems: tuple[FileProblem, ...] = ()
    damaged: frozenset[Steps] = frozenset()
    doubtful: frozenset[Steps] = frozenset()
    moved: frozenset[Steps] = frozenset()

    def problem(self, path: Steps, message: str, cure: str = "") -> FileProblem:
        """A problem at the nearest known position of ``path`` or of what contains it."""
        while path and path not in self.positions:
            path = path[:-1]
        line, column = self.positions.get(path, (1, 1))
        return FileProblem(self.file, line, column, message, cure)


def read(path: Path, shown_as: str | None = None) -> Document:
    """Read and parse a file. Raises UserError where that fails; what is wrong in it is in ``problems``."""
    shown = shown_as or str(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no file {shown}.", "Check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{shown} is a directory.", "Give the path of a file.") from None
    except OSError as error:
        raise UserError(f"{shown} cannot be read: {error.strerror}.", "Check its permissions.") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        problem = FileProblem(shown, 1, 1, "The file is UTF-16.", "Save it as UTF-8.")
        return Document(shown, None, {}, (problem,))
    return _parse(data.decode("utf-8", errors="replace"), shown, _undecodable(data, shown))


def parse(text: str, file: str) -> Document:
    """Parse text that has no file of its own; ``file`` is what problems name."""
    return _parse(text, file, [])


def _undecodable(data: bytes, file: str) -> list[FileProblem]:
    """The first byte that is not UTF-8; a file in another encoding would otherwise give one an accent."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"The byte 0x{data[error.start]:02X} is not UTF-8."
        return [FileProblem(file, line, column, message, "Save the file as UTF-8.")]
    return []


def _parse(text: str, file: str, problems: list[FileProblem]) -> Document:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    draft = Draft(file, text.translate(HIDDEN).split("\n"), problems)
    _replace_unprintable(draft)
    builder = _compose(draft)
    if builder is None or builder.root is None:
        if not draft.problems:
            draft.report(0, 0, "The file is empty.", "Write its content, or remove it.")
        lost = frozenset[Steps]({()})
        return Document(file, None, {(): (1, 1)}, tuple(sorted(draft.problems)), lost, lost)
    values = Values(draft)
    value = values.build(builder.root)
    told, damaged = tuple(sorted(set(draft.problems))), _damaged(draft, values)
    moved = frozenset(path for path, (line, _) in values.positions.items() if line - 1 in draft.shifts and path)
    doubtful = damaged | _doubtful(draft, values, damaged)
    return Document(file, value, values.positions, told, damaged, doubtful, moved)


def _replace_unprintable(draft: Draft) -> None:
    for number, line in enumerate(draft.lines):
        for match in UNPRINTABLE.finditer(line):
            message = f"A control character (U+{ord(match[0]):04X}) stands here."
            draft.report(number, match.start(), message, "Remove it.")
        draft.lines[number] = UNPRINTABLE.sub(" ", line)


def _compose(draft: Draft) -> Builder | None:
    """Parse, and after a syntax error mend the copy and parse again, so that later mistakes are found too."""
    for _ in range(REPAIRS + 1):
        builder = Builder(draft)
        try:
            builder.run(YAML(typ="safe", pure=True).parse(draft.text()))
        except YAMLError as error:
            if not repair(draft, error, builder.quoted):
                return None
        else:
            draft.problems.extend(builder.problems)
            return builder
    return None


def _damaged(draft: Draft, values: Values) -> frozenset[Steps]:
    """The paths named on altered lines, and the ones that lost a whole line."""
    altered = {line + 1 for line in draft.altered}
    found = {path for path, (line, _) in values.positions.items() if line in altered and path}
    for line, indent in draft.blanked.items():
        before = [(place, path) for path, place in values.positions.items() if _encloses(place, line, indent)]
        (_, column), path = max(before, default=((1, 1), ()))
        found.add(path[:-1] if column == indent + 1 else path)
    return frozenset(found)


def _doubtful(draft: Draft, values: Values, damaged: frozenset[Steps]) -> frozenset[Steps]:
    """What a problem of its line is about, what is given twice, and every place that lost a line.

    An alias repeats what is damaged where its anchor stands, so one place may have several paths.
    """
    places = {values.positions[path] for path in damaged if path in values.positions}
    known = sorted(set(values.positions.values()))
    for problem in draft.problems:
        index = bisect_right(known, (problem.line, problem.column))
        places |= {place for place in known[max(index - 1, 0) : index] if place[0] == problem.line}
    return frozenset({path for path, place in values.positions.items() if place in places and path} | values.repeated)


def _encloses(place: Place, line: int, indent: int) -> bool:
    return place[0] <= line and place[1] <= indent + 1
