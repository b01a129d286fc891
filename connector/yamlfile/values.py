"""Turns nodes into plain data, notes where every path stands, and reports what YAML allows but we do not."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from connector.errors import FileProblem
from connector.yamlfile.draft import Draft
from connector.yamlfile.nodes import DEPTH, Alias, Mapping, Node, Place, Scalar, Sequence

Steps: TypeAlias = tuple[str | int, ...]

EXPANSION = 10_000  # values that aliases may add to a file; real ones add a few dozen

NULL = re.compile(r"~|null|Null|NULL|")
TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
LEADING_ZERO = re.compile(r"[-+]?0[0-9]+([eE][-+]?[0-9]+)?")
INTEGER = re.compile(r"[-+]?[0-9]{1,4000}")
BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class Values:
    """Turns nodes into plain data and notes the position of every path."""

    def __init__(self, draft: Draft) -> None:
        self.positions: dict[Steps, Place] = {}
        self.repeated: set[Steps] = set()
        self._draft = draft
        self._open: list[Node] = []
        self._aliases = 0
        self._expanded = 0
        self._exhausted = False

    def build(self, root: Node) -> Any:
        self.positions[()] = root.place
        return self._value(root, ())

    def _report(self, place: Place, message: str, cure: str) -> None:
        self._draft.problems.append(FileProblem(self._draft.file, *place, message, cure))

    def _value(self, node: Node, path: Steps) -> Any:
        self._expanded += self._aliases > 0
        if isinstance(node, Scalar):
            return self._scalar(node)
        if isinstance(node, Alias):
            return self._aliased(node, path)
        self._open.append(node)
        value = self._items(node, path) if isinstance(node, Sequence) else self._entries(node, path, {})
        self._open.pop()
        return value

    def _aliased(self, alias: Alias, path: Steps) -> Any:
        if not self._may_expand(alias, path):
            return None
        self._aliases += 1
        value = self._value(alias.target, path)
        self._aliases -= 1
        return value

    def _may_expand(self, alias: Alias, path: Steps) -> bool:
        if any(alias.target is node for node in self._open):
            self._report(alias.place, "This alias repeats what contains it, without end.", "Remove it.")
            return False
        if self._exhausted:
            return False
        if self._expanded > EXPANSION or len(path) > DEPTH:
            self._exhausted = True
            message = "The aliases of this file repeat one another too often."
            self._report(alias.place, message, "Write the values out.")
        return not self._exhausted

    def _items(self, node: Sequence, path: Steps) -> list[Any]:
        values = []
        for index, item in enumerate(node.items):
            self.positions[*path, index] = item.place
            values.append(self._value(item, (*path, index)))
        return values

    def _entries(self, node: Mapping, path: Steps, values: dict[str, Any]) -> dict[str, Any]:
        """Add the mapping's entries to ``values``, which win over it; merged mappings (``<<``) come last."""
        first: dict[str, Place] = {}
        merged: list[Node] = []
        for key, item in node.entries:
            name = self._name(key)
            if name is None:
                continue
            if name == "<<" and isinstance(key, Scalar) and key.plain:
                merged.append(item)
            elif name in first:
                message = f"The key {name} is already set in line {first[name][0]}."
                self._report(key.place, message, "Keep one of the two.")
                self.repeated.add((*path, name))
            elif name not in values:
                first[name] = self.positions[*path, name] = key.place
                values[name] = self._value(item, (*path, name))
        for item in merged:
            self._merge(item, path, values)
        return values

    def _merge(self, node: Node, path: Steps, values: dict[str, Any]) -> None:
        source = node.target if isinstance(node, Alias) else node
        if isinstance(source, Sequence) and source is node:
            for item in source.items:
                self._merge(item, path, values)
        elif not isinstance(source, Mapping):
            self._report(node.place, "Only a mapping can be merged with <<.", "Refer to a mapping, as in <<: *name.")
        elif not isinstance(node, Alias) or self._may_expand(node, path):
            self._expanded += 1
            self._aliases += 1
            self._open.append(source)
            self._entries(source, path, values)
            self._open.pop()
            self._aliases -= 1

    def _name(self, key: Node) -> str | None:
        source = key.target if isinstance(key, Alias) else key
        if not isinstance(source, Scalar):
            self._report(key.place, "A key must be text, not a list or a mapping.", "Write a name.")
            return None
        if source.plain and not isinstance(to_plain(source.text), str):
            shown = source.text or "nothing"
            self._report(key.place, f"A key must be text, not {shown}.", "Put it in quotes.")
        return source.text

    def _scalar(self, node: Scalar) -> Any:
        if not node.plain:
            return node.text
        if LEADING_ZERO.fullmatch(node.text):
            message = f"{node.text} would be read as a number and lose its leading zero."
            self._report(node.place, message, "Put it in quotes.")
            return node.text
        return to_plain(node.text)


def to_plain(text: str) -> Any:
    """The value of an unquoted scalar in YAML 1.2's core schema: ``NO``, ``Yes`` and dates are text."""
    if NULL.fullmatch(text):
        return None
    if text in TRUTH:
        return TRUTH[text]
    if INTEGER.fullmatch(text):
        return int(text)
    if BASED.fullmatch(text):
        return int(text, 0)
    if SPECIAL.fullmatch(text):
        return float(text.replace(".", "").lower())
    return float(text) if FLOAT.fullmatch(text) else text
