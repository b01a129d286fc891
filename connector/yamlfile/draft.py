"""A copy of a file's lines that is mended after each syntax error, so that the rest can be read as well.

The mended text exists only to find more problems in the same pass. It is never used as configuration and
never written anywhere. Lines and columns count from 0 here, as the parser's marks do.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from connector.errors import FileProblem

KEY = re.compile(r"\s*(?:- +)*[\w.-]+(?= *:(?:\s|$))")


@dataclass(slots=True)
class Draft:
    """The text under repair.

    ``shifts``: how far a line was moved to the right; ``altered``: lines that are no longer as written;
    ``blanked``: lines that are lost, with their indentation.
    """

    file: str
    lines: list[str]
    problems: list[FileProblem] = field(default_factory=list)
    shifts: dict[int, int] = field(default_factory=dict)
    altered: set[int] = field(default_factory=set)
    blanked: dict[int, int] = field(default_factory=dict)
    attempts: Counter[int] = field(default_factory=Counter)

    def text(self) -> str:
        return "\n".join(self.lines)

    def original(self, line: int, column: int) -> tuple[int, int]:
        """The place in the file, from 1, of a place in the mended text, from 0."""
        return line + 1, max(column - self.shifts.get(line, 0), 0) + 1

    def report(self, line: int, column: int, message: str, cure: str) -> None:
        self.problems.append(FileProblem(self.file, *self.original(line, column), message, cure))

    def last_text_line(self, line: int) -> int | None:
        """The nearest line at or above this one that has any text."""
        line = min(line, len(self.lines) - 1)
        return next((index for index in range(line, -1, -1) if self.lines[index].strip()), None)


def indent_of(text: str) -> int:
    return len(text) - len(text.lstrip())


def is_content(text: str) -> bool:
    return bool(text.strip()) and not text.lstrip().startswith("#")


def line_above(lines: list[str], line: int) -> int:
    return next((index for index in range(line - 1, -1, -1) if is_content(lines[index])), 0)


def end_of_tabs(lines: list[str], line: int) -> int:
    while line + 1 < len(lines) and re.match(r" *\t\s*\S", lines[line + 1]):
        line += 1
    return line


def blank(draft: Draft, line: int, _column: int) -> None:
    draft.blanked[line] = indent_of(draft.lines[line])
    draft.lines[line] = ""


def cut_value(draft: Draft, line: int, column: int) -> None:
    """Keep the name, so that what is indented below it keeps its place."""
    key = KEY.match(draft.lines[line])
    if key is None:
        blank(draft, line, column)
        return
    draft.altered.add(line)
    draft.lines[line] = f"{key[0]}:"


def keep_name(draft: Draft, line: int, _column: int) -> None:
    """``name:value`` and ``name=value`` become ``name:``."""
    text = draft.lines[line]
    draft.altered.add(line)
    draft.lines[line] = re.split("[:=]", text, maxsplit=1)[0] + ":"


def keep_word(draft: Draft, line: int, _column: int) -> None:
    """``name {value}`` becomes ``name:``."""
    start = re.match(r"\s*(?:- +)*[\w.-]+", draft.lines[line])
    draft.altered.add(line)
    draft.lines[line] = f"{start[0] if start else ''}:"


def add_colon(draft: Draft, line: int, _column: int) -> None:
    draft.altered.add(line)
    draft.lines[line] = f"{draft.lines[line].rstrip()}:"


def replace_by_space(draft: Draft, line: int, column: int) -> None:
    text = draft.lines[line]
    draft.lines[line] = f"{text[:column]} {text[column + 1 :]}"


def reindent(draft: Draft, line: int, _column: int) -> None:
    """Move the line to the nearest indentation that is open there; of two equally near ones, the deeper."""
    text = draft.lines[line]
    own = indent_of(text)
    _move(draft, line, min(_open_indents(draft.lines, line), key=lambda indent: (abs(indent - own), -indent)))


def expand_tabs(draft: Draft, line: int, _column: int) -> None:
    """The first line goes as deep as fits there, those after it keep their depth in relation to it."""
    start = max(_open_indents(draft.lines, line))
    first = draft.lines[line]
    depth = first[: indent_of(first)].count("\t")
    for index in range(line, end_of_tabs(draft.lines, line) + 1):
        text = draft.lines[index]
        steps = text[: indent_of(text)].count("\t") - depth
        _move(draft, index, max(start + 2 * steps, 0))


def _move(draft: Draft, line: int, indent: int) -> None:
    text = draft.lines[line]
    draft.altered.add(line)
    draft.shifts[line] = draft.shifts.get(line, 0) + indent - indent_of(text)
    draft.lines[line] = " " * indent + text.lstrip()


def _open_indents(lines: list[str], line: int) -> set[int]:
    """Where an entry may begin on this line; one step deeper where the line above opens a block."""
    above = line_above(lines, line)
    if above == line or not is_content(lines[above]):
        return {0}
    found = {indent_of(lines[above])}
    if lines[above].rstrip().endswith(":"):
        found.add(indent_of(lines[above]) + 2)
    for index in range(above, -1, -1):
        dashes = re.match(r"\s*(?:- +)*", lines[index])
        if is_content(lines[index]) and indent_of(lines[index]) <= min(found):
            found |= {indent_of(lines[index]), dashes.end() if dashes else 0}
    return found
