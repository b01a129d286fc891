"""Transforms of plain and rich text, and of lists of texts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from connector.core.transforms.transform import Argument, Transform, TransformError, to_text

_BLOCKS = frozenset(
    re.split(" ", "address article blockquote br dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre table tr ul")
)
_SILENT = frozenset({"script", "style", "head", "title"})


def trim(value: str) -> str:
    """Without white space around it, no-break spaces and zero-width marks included."""
    return value.strip().strip("\u200b\ufeff").strip()


def truncate(value: str, length: int) -> str:
    """At most so many characters, with no space left at the cut."""
    return value if len(value) <= length else value[:length].rstrip()


def split(value: str, separator: str) -> list[str]:
    """The parts, trimmed, empty ones left out."""
    return [part for piece in value.split(separator) if (part := piece.strip())]


def replace(value: str, old: str, new: str) -> str:
    return value.replace(old, new)


def prefix(value: str, text: str) -> str:
    return text + value


def suffix(value: str, text: str) -> str:
    return value + text


def strip_prefix(value: str, text: str) -> str:
    return value.removeprefix(text)


def first_line(value: str) -> str:
    """The first line that is not blank."""
    return next((line.strip() for line in value.splitlines() if line.strip()), "")


def one_line(value: str) -> str:
    """Every run of white space as one space."""
    return " ".join(value.split())


def digits(value: str) -> str:
    return re.sub(r"[^0-9]", "", value)


class _PlainText(HTMLParser):
    """Collects what a reader would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag in _BLOCKS - {"br"}:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def html_text(value: str) -> str:
    """Rich text as plain text: tags gone, entities read, line breaks kept, blank lines at most one."""
    parser = _PlainText()
    try:
        parser.feed(value)
        parser.close()
    except AssertionError as error:  # how html.parser reports a broken <![ … ]> section
        raise TransformError("The rich text cannot be read.", "Remove its formatting in Salesforce.") from error
    lines = [" ".join(line.split()) for line in re.split(r"\r\n|\r|\n", "".join(parser.parts))]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def join(values: list[Any], separator: str) -> str:
    return separator.join(to_text(value) for value in values)


def unique(values: list[Any]) -> list[Any]:
    """Each value once, in the order they come."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def sort(values: list[Any]) -> list[Any]:
    """In alphabetical order, without regard to case; the same on every run."""
    return sorted(values, key=lambda value: (to_text(value).casefold(), to_text(value)))


def only(items: list[Any], values: tuple[str, ...]) -> list[Any]:
    """Those that are among ``values``."""
    return [item for item in items if to_text(item) in values]


_TEXT = "The text."
_SCALAR = "A structure, or a yes/no value."


def _wanted(name: str, summary: str, default: str | None = None) -> Argument:
    return Argument(name, "text", default is None, default, summary)


def _separator(default: str) -> Argument:
    summary = f"What stands between the parts; {default!r} without it."
    return Argument("separator", "text", False, default, summary, bool, "a text that is not empty")


_LENGTH = Argument(
    "length", "integer", True, None, "The most characters to keep.", lambda n: n > 0, "a whole number above 0"
)
_OLD = Argument("old", "text", True, None, "What to look for.", bool, "a text that is not empty")

TRANSFORMS = (
    Transform("trim", "Strips white space around the text.", "text", "text", trim, errors=_SCALAR),
    Transform("lower", "Lower case.", "text", "text", str.lower, errors=_SCALAR),
    Transform("upper", "Upper case.", "text", "text", str.upper, errors=_SCALAR),
    Transform("truncate", "Cuts the text after so many characters.", "text", "text", truncate, (_LENGTH,), _SCALAR),
    Transform(
        "split",
        "Makes a list of a multi-select picklist or of any text with separators.",
        "text",
        "list",
        split,
        (_separator(";"),),
        _SCALAR,
    ),
    Transform(
        "join",
        "Makes one text of a list.",
        "list",
        "text",
        join,
        (_separator(", "),),
        "A structure in the list.",
    ),
    Transform(
        "replace",
        "Replaces a piece of text wherever it occurs.",
        "text",
        "text",
        replace,
        (_OLD, _wanted("new", "What to put there; nothing without it.", "")),
        _SCALAR,
    ),
    Transform("prefix", "Puts a text before it.", "text", "text", prefix, (_wanted("text", _TEXT),), _SCALAR),
    Transform("suffix", "Puts a text after it.", "text", "text", suffix, (_wanted("text", _TEXT),), _SCALAR),
    Transform(
        "strip_prefix",
        "Takes a text off its beginning, where it is there.",
        "text",
        "text",
        strip_prefix,
        (_wanted("text", _TEXT),),
        _SCALAR,
    ),
    Transform("first_line", "The first line that is not blank.", "text", "text", first_line, errors=_SCALAR),
    Transform("one_line", "Line breaks and runs of spaces as one space.", "text", "text", one_line, errors=_SCALAR),
    Transform("digits", "The digits 0 to 9 of a text.", "text", "text", digits, errors=_SCALAR),
    Transform(
        "html_text",
        "The text of a rich text area: no tags, entities read, line breaks kept.",
        "text",
        "text",
        html_text,
        errors=f"{_SCALAR} Broken HTML.",
    ),
    Transform("unique", "Each value of a list once, in order.", "list", "list", unique),
    Transform(
        "sort",
        "A list in alphabetical order.",
        "list",
        "list",
        sort,
        errors="A structure or yes/no in the list.",
    ),
    Transform(
        "only",
        "Keeps those values of a list that are given; leaves out the others.",
        "list",
        "list",
        only,
        (Argument("values", "values", True, None, "The values to keep."),),
        "A structure or yes/no in the list.",
    ),
)
