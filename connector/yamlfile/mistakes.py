"""Says in plain sentences what is wrong where YAML cannot be parsed, and picks the way to mend the copy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ruamel.yaml.error import YAMLError

from connector.yamlfile.draft import (
    KEY,
    Draft,
    add_colon,
    blank,
    cut_value,
    end_of_tabs,
    expand_tabs,
    indent_of,
    keep_name,
    keep_word,
    line_above,
    reindent,
    replace_by_space,
)

BARE_KEY = re.compile(r"[A-Za-z_][\w.-]*")
BEFORE_BRACKET = re.compile(r"\s*(?:- +)*([A-Za-z_][\w.-]*) +[\[{]")
RUN_TOGETHER = re.compile(r"([A-Za-z_][\w.-]*)[:=]\S")
QUOTES = "Put the value in quotes."


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quoted text that ended on another line than it began on."""

    line: int
    column: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Failure:
    """What the parser said, beside the lines it read."""

    lines: list[str]
    problem: str
    line: int
    column: int
    opened: tuple[int, int] | None
    quoted: Quoted | None

    @property
    def text(self) -> str:
        return self.lines[self.line] if self.line < len(self.lines) else ""

    @property
    def character(self) -> str:
        return self.text[self.column : self.column + 1]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One mistake: where a person should look, the sentence, the cure, and how the copy is mended."""

    line: int
    column: int
    message: str
    cure: str
    mend: Callable[[Draft, int, int], None]


def repair(draft: Draft, error: YAMLError, quoted: Quoted | None) -> bool:
    """Report the mistake once and mend the copy, harder each time; False when nothing is left to mend."""
    found = diagnose(to_failure(error, draft.lines, quoted))
    line = draft.last_text_line(found.line)
    if line is None:
        return False
    if not draft.attempts[line]:
        draft.report(line, found.column, found.message, found.cure)
        found.mend(draft, line, found.column)
    elif draft.attempts[line] == 1:
        cut_value(draft, line, 0)
    else:
        blank(draft, line, 0)
    draft.attempts[line] += 1
    return True


def to_failure(error: YAMLError, lines: list[str], quoted: Quoted | None) -> Failure:
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    return Failure(
        lines=lines,
        problem=str(getattr(error, "problem", None) or "it cannot be read"),
        line=mark.line if mark else 0,
        column=mark.column if mark else 0,
        opened=(context.line, context.column) if context else None,
        quoted=quoted,
    )


def diagnose(failure: Failure) -> Diagnosis:
    """The first explanation that fits, from the most particular to the most general."""
    for explain in EXPLANATIONS:
        found = explain(failure)
        if found is not None:
            return found
    return Diagnosis(
        failure.line,
        failure.column,
        f"This line is not valid YAML: {failure.problem}.",
        "Check the indentation, the quotes and the colons here and in the line above.",
        cut_value,
    )


# --- explanations ---


def explain_tab(failure: Failure) -> Diagnosis | None:
    if failure.character != "\t" or "cannot start any token" not in failure.problem:
        return None
    if failure.text[: failure.column].strip():
        return Diagnosis(failure.line, failure.column, "A tab stands here.", "Use spaces instead.", replace_by_space)
    last = end_of_tabs(failure.lines, failure.line)
    lines = f"Lines {failure.line + 1} to {last + 1} are" if last > failure.line else f"Line {failure.line + 1} is"
    return Diagnosis(failure.line, failure.column, f"{lines} indented with tabs.", "Indent with spaces.", expand_tabs)


def explain_open_quote(failure: Failure) -> Diagnosis | None:
    if "end of stream" in failure.problem and failure.opened is not None and _is_quote(failure):
        line, column = failure.opened
    elif failure.quoted is not None and failure.quoted.end_line == failure.line:
        line, column = failure.quoted.line, failure.quoted.column
    else:
        return None
    mark = failure.lines[line][column : column + 1]
    return Diagnosis(line, column, f"The quote {mark} opened here is not closed.", f"Close it with {mark}.", cut_value)


def explain_bracket(failure: Failure) -> Diagnosis | None:
    if "expected ',' or" not in failure.problem or failure.opened is None:
        return None
    line, column = failure.opened
    if failure.character == "{" and failure.text[: failure.column].endswith("$"):
        return Diagnosis(
            failure.line,
            failure.column - 1,
            "${…} is not read inside {…} or […] without quotes.",
            'Write "${…}" in quotes.',
            cut_value,
        )
    opening = failure.lines[line][column]
    if failure.line > line:
        closing = {"[": "]", "{": "}"}.get(opening, opening)
        return Diagnosis(
            line, column, f"The {opening} opened here is not closed.", f"Close it with {closing}.", cut_value
        )
    return Diagnosis(
        failure.line,
        failure.column,
        "A comma is missing between two entries.",
        "Put a comma between them.",
        cut_value,
    )


def explain_colon_before_bracket(failure: Failure) -> Diagnosis | None:
    """``Title {from: Name}``, which would begin a text and go on as a mapping."""
    found = BEFORE_BRACKET.match(failure.text)
    if found is None or "mapping values are not allowed" not in failure.problem or found.end() > failure.column:
        return None
    message, cure = f"{found[1]} has no colon after it.", f"Write {found[1]}: and its value."
    return Diagnosis(failure.line, found.start(1), message, cure, keep_word)


def explain_missing_colon(failure: Failure) -> Diagnosis | None:
    if "could not find expected ':'" in failure.problem and failure.opened is not None:
        line = failure.opened[0]
    elif "mapping values are not allowed" in failure.problem and _starts_line(failure):
        line = line_above(failure.lines, failure.line)
        if not BARE_KEY.fullmatch(failure.lines[line].strip()):
            return None
    else:
        return None
    text = failure.lines[line].strip()
    column = indent_of(failure.lines[line])
    if BARE_KEY.fullmatch(text):
        return Diagnosis(line, column, f"{text} has no colon after it.", f"Write {text}: and its value.", add_colon)
    if re.match(r"-[^\s-]", text):
        return Diagnosis(line, column, "A space is missing after the dash.", 'Write "- " before the item.', blank)
    together = RUN_TOGETHER.match(text)
    cure = "Write the name, a colon, a space and the value."
    if together:
        return Diagnosis(line, column, f"{together[1]} is not followed by a colon and a space.", cure, keep_name)
    return Diagnosis(line, column, "This line has no name with a colon after it.", cure, blank)


def explain_indentation(failure: Failure) -> Diagnosis | None:
    deeper = "mapping values are not allowed" in failure.problem and _starts_line(failure)
    shallower = re.search(r"found '<block \w+ start>'", failure.problem)
    outside = "found '<scalar>'" in failure.problem and not failure.text[: failure.column].strip()
    if not (deeper or shallower or outside):
        return None
    return Diagnosis(
        failure.line,
        indent_of(failure.text),
        "This line's indentation fits no line above it.",
        "Line it up with the entries it belongs to.",
        reindent,
    )


def explain_character(failure: Failure) -> Diagnosis | None:
    """A value that starts with a character YAML keeps for itself."""
    if "cannot start any token" not in failure.problem:
        return None
    message = f"A value cannot begin with {failure.character}."
    return Diagnosis(failure.line, failure.column, message, QUOTES, cut_value)


def explain_directive(failure: Failure) -> Diagnosis | None:
    line = next((index for index, text in enumerate(failure.lines) if text.startswith("%")), None)
    if line is None or "document start" not in failure.problem:
        return None
    return Diagnosis(line, 0, "A line that begins with % is not a setting.", "Remove it.", blank)


def explain_by_words(failure: Failure) -> Diagnosis | None:
    for words, message, cure in SENTENCES:
        if re.search(words, failure.problem):
            return Diagnosis(failure.line, failure.column, message, cure, cut_value)
    return None


EXPLANATIONS: tuple[Callable[[Failure], Diagnosis | None], ...] = (
    explain_tab,
    explain_open_quote,
    explain_bracket,
    explain_colon_before_bracket,
    explain_missing_colon,
    explain_indentation,
    explain_directive,
    explain_character,
    explain_by_words,
)

SENTENCES = (
    ("mapping values are not allowed", "A colon and a space stand inside a value.", QUOTES),
    (
        "sequence entries are not allowed",
        "A list cannot begin on the line of its key.",
        "Begin it on the next line.",
    ),
    (
        "found '<scalar>'",
        "Text follows after a value that has ended.",
        "Put the whole value in one pair of quotes.",
    ),
    (
        r"found '[\]}]'",
        "A bracket is closed here that was not opened.",
        "Remove it, or put the value in quotes.",
    ),
    (
        "found '-'",
        "A list item stands among named entries.",
        "Give it a key of its own, or indent it below one.",
    ),
    (
        "unknown escape",
        "A backslash in double quotes must begin a known escape.",
        "Use single quotes, or double it.",
    ),
    ("chomping or indentation", "Text follows | or > on the same line.", "Begin the text on the next line."),
    ("expected alphabetic", "& and * must be followed by a name.", QUOTES),
    (
        "document start",
        "A line that begins with % is not a setting.",
        "Remove it, or put the value in quotes.",
    ),
)


def _is_quote(failure: Failure) -> bool:
    line, column = failure.opened or (0, 0)
    return line < len(failure.lines) and failure.lines[line][column : column + 1] in {"'", '"'}


def _starts_line(failure: Failure) -> bool:
    """Whether the colon the parser stumbled over belongs to the first name of its line."""
    key = KEY.match(failure.text)
    return key is not None and not failure.text[key.end() : failure.column].strip()
