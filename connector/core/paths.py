"""The path language of mapping files: dotted Salesforce paths, and JMESPath where a choice among children is needed.

Both are compiled once. The fields an expression reads come from its syntax tree, for the SOQL and for ``check``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias, cast

import jmespath
from jmespath import exceptions as jmespath_errors

from connector.core.text import to_text

_DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
_TEMPLATE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


class PathError(ValueError):
    """The path cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path: ``read(record)`` gives its value, None where empty; raises PathError where it cannot apply.

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


_OF_EXPRESSIONS = frozenset("[]{}()|&@`?*")
"""What no field path has; who writes one of these means an expression."""


def is_dotted(text: str) -> bool:
    """Whether this is a plain field path, ``Account.Name``."""
    return _DOTTED.fullmatch(text) is not None


def parse_path(text: str) -> Path:
    """Compile a dotted path or a JMESPath expression. Raises PathError."""
    stripped = text.strip()
    if is_dotted(stripped):
        return Path(stripped, (stripped,), (), dotted_reader(stripped))
    try:
        expression = jmespath.compile(stripped)
    except jmespath_errors.JMESPathError as error:
        reason = str(error).splitlines()[0].partition(", for expression")[0]
        meant = f": {reason}" if _OF_EXPRESSIONS & set(stripped) else ""  # of a misspelt field it would only confuse
        raise PathError(f"{stripped!r} is neither a field path nor a JMESPath expression{meant}.") from error
    reads = _Reads()
    reads.visit(cast(_Tree, expression.parsed), _RECORD)
    fields, children = tuple(dict.fromkeys(reads.fields)), tuple(dict.fromkeys(reads.children))
    return Path(stripped, fields, children, _expression_reader(stripped, expression.search))


def _expression_reader(text: str, search: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(record: Any) -> Any:
        try:
            return search(_without_decimals(record))
        except jmespath_errors.JMESPathError as error:
            reason = str(error).splitlines()[0]
            raise PathError(f"{text!r} cannot be applied to this record: {reason}.") from error

    return read


def _without_decimals(value: Any) -> Any:
    """Salesforce's numbers arrive as decimals, which JMESPath's functions do not take for numbers."""
    if isinstance(value, dict):
        return {name: _without_decimals(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_decimals(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


def dotted_reader(path: str) -> Callable[[Any], Any]:
    """A function that follows a dotted path through nested records, without regard to case of names."""
    steps = path.split(".")

    def read(record: Any) -> Any:
        for step in steps:
            record = record[step] if isinstance(record, dict) and step in record else _member(record, step)
        return record

    return read


def _member(record: Any, name: str) -> Any:
    """A member whose name is written in another case; None where there is none."""
    if not isinstance(record, dict):
        return None
    lowered = name.lower()
    return next((value for key, value in record.items() if key.lower() == lowered), None)


_Tree: TypeAlias = dict[str, Any]
_Place: TypeAlias = tuple[str, ...]
"""Field names from the record on, with "*" after a child relationship."""
_RECORD: tuple[_Place, ...] = ((),)
_FUNCTIONS = frozenset(jmespath.functions.Functions.FUNCTION_TABLE)
_GIVES_ARGUMENTS = frozenset({"not_null", "reverse", "sort", "to_array"})


@dataclass(slots=True)
class _Reads:
    """Walks a JMESPath tree and notes which fields it reads.

    A node stands at some places and leads to others: none for a value that is made up, several after ``||``.
    """

    fields: list[str] = field(default_factory=list)
    children: list[tuple[str, str]] = field(default_factory=list)

    def visit(self, node: _Tree, places: tuple[_Place, ...]) -> None:
        """Note what is read where the whole value of ``node`` is used."""
        for place in self.lead(node, places):
            self._note(place)

    def lead(self, node: _Tree, places: tuple[_Place, ...]) -> tuple[_Place, ...]:
        """Where a node leads to from ``places``. Raises PathError for what cannot be asked of Salesforce."""
        kind, parts = node["type"], node.get("children", [])
        if kind == "field":
            return tuple((*place, node["value"]) for place in places)
        if kind in {"current", "identity"}:
            return places
        if kind in {"subexpression", "pipe", "index_expression"}:
            return self._along(parts, places)
        if kind in {"index", "slice"}:
            return _as_lists(places)
        if kind == "flatten":
            return _as_lists(self.lead(parts[0], places))
        if kind in {"projection", "filter_projection"}:
            return self._projected(parts, places)
        if kind == "value_projection":
            raise PathError("`.*` cannot be asked of Salesforce, name the fields.")
        return self._combined(node, parts, places)

    def _combined(self, node: _Tree, parts: list[_Tree], places: tuple[_Place, ...]) -> tuple[_Place, ...]:
        kind = node["type"]
        if kind == "or_expression":
            return tuple(place for part in parts for place in self.lead(part, places))
        if kind == "and_expression":
            self.visit(parts[0], places)
            return self.lead(parts[1], places)
        if kind == "function_expression":
            return self._called(node["value"], parts, places)
        for part in parts:
            self.visit(part["children"][0] if part["type"] == "key_val_pair" else part, places)
        return ()

    def _along(self, parts: Iterable[_Tree], places: tuple[_Place, ...]) -> tuple[_Place, ...]:
        for part in parts:
            places = self.lead(part, places)
        return places

    def _projected(self, parts: list[_Tree], places: tuple[_Place, ...]) -> tuple[_Place, ...]:
        rows = _as_lists(self.lead(parts[0], places))
        if len(parts) > 2:
            self.visit(parts[2], rows)
        return self.lead(parts[1], rows)

    def _called(self, name: str, parts: list[_Tree], places: tuple[_Place, ...]) -> tuple[_Place, ...]:
        """Arguments of a function; ``&expression`` is read of each row of the other argument."""
        if name not in _FUNCTIONS:
            raise PathError(f"JMESPath has no function {name!r}.")
        plain = tuple(place for part in parts if part["type"] != "expref" for place in self.lead(part, places))
        ordered = [part["children"][0] for part in parts if part["type"] == "expref"]
        if ordered or name == "length":
            plain = _as_lists(plain)
        for part in ordered:
            self.visit(part, plain)
        if name in _GIVES_ARGUMENTS or (ordered and name != "map"):
            return plain
        for place in plain:
            self._note(place)
        return ()

    def _note(self, place: _Place) -> None:
        if "*" in place:
            split = place.index("*")
            self.children.append((place[0], ".".join(place[split + 1 :]) or "Id"))
        elif place:
            self.fields.append(".".join(place))


def _as_lists(places: tuple[_Place, ...]) -> tuple[_Place, ...]:
    """One level of children is what a query can ask for, so a place has at most one list in it."""
    found = tuple(place if not place or "*" in place else (*place, "*") for place in places)
    for place in found:
        if "*" in place and place.index("*") > 1:
            message = f"{'.'.join(place[:-1])} is no list: only children of the record itself can be read."
            raise PathError(message)
    return found


@dataclass(frozen=True, slots=True)
class Template:
    """Text with ``{Field.Path}`` in it; empty fields give nothing, and all of them empty gives no value at all."""

    text: str
    paths: tuple[Path, ...]
    _pieces: tuple[str | Path, ...]

    def read(self, record: Any) -> str | None:
        """The filled text. Raises PathError where a path leads to a record instead of a value."""
        values = {path.text: _filled(path, record) for path in self.paths}
        if values and not any(values.values()):
            return None
        pieces = [piece if isinstance(piece, str) else values[piece.text] for piece in self._pieces]
        return "".join(pieces).strip() or None


def _filled(path: Path, record: Any) -> str:
    value = path.read(record)
    if isinstance(value, dict | list):
        raise PathError(f"{path.text} is not one value but a record.")
    return "" if value is None else to_text(value).strip()


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
    if not is_dotted(text.strip()):
        raise PathError(f"{{{text}}} must be a field path such as {{Account.Name}}; a template runs no code.")
    return parse_path(text)
