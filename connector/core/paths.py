"""The path language of mapping files: dotted Salesforce paths, and JMESPath where a choice among children is needed.

Both are compiled once. The fields an expression reads come from its syntax tree, for the SOQL and for ``check``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import jmespath
from jmespath import exceptions as jmespath_errors

_DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
_TEMPLATE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


class PathError(ValueError):
    """The path cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path: ``read(record)`` gives its value, None where empty.

    ``fields`` are the parent paths it reads from the record, ``children`` the paths it reads of each child row,
    by relationship.
    """

    text: str
    fields: tuple[str, ...]
    children: tuple[tuple[str, str], ...]
    read: Callable[[Any], Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """What to call this path to a person."""
        return (*self.fields, *(f"{relationship}.{path}" for relationship, path in self.children))


def parse_path(text: str) -> Path:
    """Compile a dotted path or a JMESPath expression. Raises PathError."""
    stripped = text.strip()
    if _DOTTED.fullmatch(stripped):
        return Path(stripped, (stripped,), (), dotted_reader(stripped))
    try:
        expression = jmespath.compile(stripped)
    except jmespath_errors.JMESPathError as error:
        reason = str(error).splitlines()[0]
        raise PathError(f"{stripped!r} is neither a field path nor a JMESPath expression: {reason}.") from error
    reads = _Reads()
    reads.visit(cast(dict[str, Any], expression.parsed), ())
    return Path(stripped, tuple(dict.fromkeys(reads.fields)), tuple(dict.fromkeys(reads.children)), expression.search)


def dotted_reader(path: str) -> Callable[[Any], Any]:
    """A function that follows a dotted path through nested records, without regard to case of names."""
    steps = path.split(".")
    if len(steps) == 1:
        return lambda record: _member(record, steps[0])

    def read(record: Any) -> Any:
        for step in steps:
            record = _member(record, step)
        return record

    return read


def _member(record: Any, name: str) -> Any:
    if not isinstance(record, dict):
        return None
    if name in record:
        return record[name]
    lowered = name.lower()
    return next((value for key, value in record.items() if key.lower() == lowered), None)


@dataclass(slots=True)
class _Reads:
    """Walks a JMESPath tree and notes which fields it reads; ``context`` is where the current node stands."""

    fields: list[str] = field(default_factory=list)
    children: list[tuple[str, str]] = field(default_factory=list)

    def visit(self, node: dict[str, Any], context: tuple[str, ...]) -> tuple[str, ...]:
        """Note what ``node`` reads below ``context``; gives the place its result stands at."""
        place = self.place(node, context)
        self._note(place)
        return place

    def place(self, node: dict[str, Any], context: tuple[str, ...]) -> tuple[str, ...]:
        """The place a node leads to. Places are field names, with "*" after a child relationship."""
        kind, parts = node["type"], node.get("children", [])
        if kind == "field":
            return (*context, node["value"])
        if kind in {"current", "identity"}:
            return context
        if kind in {"subexpression", "pipe", "index_expression"}:
            return self._along(parts, context)
        if kind in {"index", "slice"}:
            return _as_list(context)
        if kind in {"projection", "value_projection", "filter_projection"}:
            return self._projected(parts, context)
        if kind == "flatten":
            return _as_list(self.place(parts[0], context))
        if kind == "literal":
            return ()
        if kind == "function_expression":
            return self._called(parts, context)
        for part in parts:
            self.visit(part if part["type"] != "key_val_pair" else part["children"][0], context)
        return ()

    def _along(self, parts: Iterable[dict[str, Any]], context: tuple[str, ...]) -> tuple[str, ...]:
        for part in parts:
            context = self.place(part, context)
        return context

    def _projected(self, parts: list[dict[str, Any]], context: tuple[str, ...]) -> tuple[str, ...]:
        rows = _as_list(self.place(parts[0], context))
        if len(parts) > 2:
            self.visit(parts[2], rows)
        return self.place(parts[1], rows)

    def _called(self, parts: list[dict[str, Any]], context: tuple[str, ...]) -> tuple[str, ...]:
        """Arguments of a function; ``&expression`` is read of each row of the other argument."""
        plain = [part for part in parts if part["type"] != "expref"]
        ordered = [part["children"][0] for part in parts if part["type"] == "expref"]
        if not ordered:
            for part in plain:
                self.visit(part, context)
            return ()
        rows = _as_list(self.place(plain[0], context)) if plain else context
        for part in ordered:
            self.visit(part, rows)
        return rows

    def _note(self, place: tuple[str, ...]) -> None:
        if not place:
            return
        if "*" in place:
            split = place.index("*")
            self.children.append((".".join(place[:split]), ".".join(place[split + 1 :]) or "Id"))
        else:
            self.fields.append(".".join(place))


def _as_list(place: tuple[str, ...]) -> tuple[str, ...]:
    """One level of children is what a query can ask for, so a place has at most one list in it."""
    return place if not place or "*" in place else (*place, "*")


@dataclass(frozen=True, slots=True)
class Template:
    """Text with ``{Field.Path}`` in it; empty fields give nothing, and all of them empty gives no value at all."""

    text: str
    paths: tuple[Path, ...]
    _pieces: tuple[str | Path, ...]

    def read(self, record: Any) -> str | None:
        values = {path.text: path.read(record) for path in self.paths}
        if self.paths and all(value in (None, "") for value in values.values()):
            return None
        pieces = [
            p if isinstance(p, str) else str(v) if (v := values[p.text]) is not None else "" for p in self._pieces
        ]
        return "".join(pieces).strip() or None


def parse_template(text: str) -> Template:
    """Compile a template; ``{{`` and ``}}`` are literal braces. Raises PathError."""
    pieces: list[str | Path] = []
    end = 0
    for match in _TEMPLATE.finditer(text):
        pieces.append(_literal(text[end : match.start()]))
        pieces.append(match[0][0] if match[1] is None else _template_path(match[1]))
        end = match.end()
    pieces.append(_literal(text[end:]))
    paths = {piece.text: piece for piece in pieces if isinstance(piece, Path)}
    return Template(text, tuple(paths.values()), tuple(piece for piece in pieces if piece != ""))


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise PathError("A brace is not closed; write {{ or }} for a brace itself.")
    return text


def _template_path(text: str) -> Path:
    if not _DOTTED.fullmatch(text.strip()):
        raise PathError(f"{{{text}}} must be a field path such as {{Account.Name}}; a template runs no code.")
    return parse_path(text)
