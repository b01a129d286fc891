"""AWS's model as a flat table, so that an older one can lie in git, be read there and be held against today's.

Knows nothing of mappings; reads and writes no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import regex

from connector.core.mapping import Shapes
from connector.core.model import Structure
from connector.core.schema import Shape

ENTITY_TYPES = "entity_types"
"""The one part of ``Shapes`` that is no shape but a list of values."""
_NOTHING: tuple[Any, ...] = (None, "", [])


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """AWS's model as one botocore had it: its version, and a table of path → kind, required, enum, pattern, min, max.

    A path begins with the name of a part of ``Shapes``; a list's item is at the list's path and ``[]``.
    """

    version: str
    table: Mapping[str, Structure]

    def to_json(self) -> Structure:
        return {"botocore": self.version, "model": dict(self.table)}

    @classmethod
    def from_json(cls, value: Any) -> ModelRecord:
        """Raises ValueError for anything that ``to_json`` does not give."""
        if not isinstance(value, dict) or set(value) != {"botocore", "model"}:
            raise ValueError("it has not the two members botocore and model")
        version, table = value["botocore"], value["model"]
        if not isinstance(version, str) or not re.fullmatch(r"[\w.+!-]{1,64}", version):
            raise ValueError("botocore is not a version")
        shapes_of(table)
        return cls(version, table)


def table_of(shapes: Shapes) -> Structure:
    """The flat table of all that a mapping is held against, sorted, so that it only changes where AWS changed."""
    found: Structure = {}
    for part in fields(shapes):
        value = getattr(shapes, part.name)
        shape = value if isinstance(value, Shape) else Shape("string", enum=value)
        found.update(_entries(shape, part.name))
    return {path: found[path] for path in sorted(found)}


def _entries(shape: Shape, path: str) -> Iterator[tuple[str, Structure]]:
    lists = {"required": sorted(shape.required), "enum": sorted(shape.enum)}
    scalars = {"pattern": shape.pattern, "min": shape.min, "max": shape.max, "union": shape.union or None}
    told = {name: value for name, value in {**lists, **scalars}.items() if value not in _NOTHING}
    yield path, {"kind": shape.kind, **told}
    for name, member in shape.members.items():
        yield from _entries(member, f"{path}.{name}")
    if shape.item is not None:
        yield from _entries(shape.item, f"{path}[]")


_FACETS: Mapping[str, type] = {
    "kind": str,
    "required": list,
    "enum": list,
    "pattern": str,
    "min": int,
    "max": int,
    "union": bool,
}


def shapes_of(table: Any) -> Shapes:
    """The shapes that a table was made of. Raises ValueError for what is no such table."""
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise ValueError("model is no table of structures")
    members: dict[str, dict[str, Shape]] = {}
    built: dict[str, Shape] = {}
    for path in sorted(table, key=len, reverse=True):  # what is below is longer, and so comes first
        above = parent_of(path)
        if above and above not in table:
            raise ValueError(f"{path!r} has nothing above it")
        built[path] = _shape_of(path, table[path], members.get(path, {}), built.get(f"{path}[]"))
        if not path.endswith("[]"):
            members.setdefault(above, {})[path.rpartition(".")[2]] = built[path]
    parts = {part.name for part in fields(Shapes)}
    if parts != set(members.get("", {})):
        raise ValueError(f"the parts of model are not {', '.join(sorted(parts))}")
    if table[ENTITY_TYPES] != {"kind": "string", "enum": table[ENTITY_TYPES].get("enum")}:
        raise ValueError(f"{ENTITY_TYPES} is no list of values")
    found: dict[str, Any] = {name: built[name] for name in parts}
    return Shapes(**{**found, ENTITY_TYPES: built[ENTITY_TYPES].enum})


def _shape_of(path: str, entry: Structure, members: Mapping[str, Shape], item: Shape | None) -> Shape:
    for name, value in entry.items():
        if not _is_right(name, value):
            raise ValueError(f"{name!r} at {path!r} cannot be {value!r:.80}")
    kind = entry.get("kind")
    if not kind or (kind == "list") != (item is not None) or (members and kind != "structure"):
        raise ValueError(f"{path!r} cannot be of the kind {kind!r}")
    lists = {"required": frozenset(entry.get("required", ())), "enum": tuple(entry.get("enum", ()))}
    return Shape(**{**entry, **lists, "members": dict(sorted(members.items())), "item": item})


def _is_right(name: str, value: Any) -> bool:
    """Whether a facet has the type that it must have; a pattern has to be one, for values are held against it."""
    if name not in _FACETS or type(value) is not _FACETS[name]:
        return False
    if name == "pattern":
        return _is_pattern(str(value))
    return not isinstance(value, list) or all(isinstance(one, str) for one in value)


def _is_pattern(text: str) -> bool:
    try:
        regex.compile(text)
    except regex.error:
        return False
    return True


def parent_of(path: str) -> str:
    """The path that a path is in: a list for its item, "" for a part itself."""
    return path[:-2] if path.endswith("[]") else path.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: ``facet`` is a column of the table, or ``new`` or ``gone`` for a whole entry."""

    path: str
    facet: str
    before: Structure
    now: Structure

    def lost(self) -> list[str]:
        """The values, or names, that a list no longer has."""
        return [value for value in self.before.get(self.facet, ()) if value not in set(self.now.get(self.facet, ()))]

    def gained(self) -> list[str]:
        return [value for value in self.now.get(self.facet, ()) if value not in set(self.before.get(self.facet, ()))]


def changes_between(before: Mapping[str, Structure], now: Mapping[str, Structure]) -> Iterator[Change]:
    """Every difference once: not again for what is in something new or gone, or in what is now of another kind."""
    for path in sorted({*before, *now}):
        old, new = _without_gone(path, before.get(path, {}), now), now.get(path, {})
        if old and new:
            changed = [name for name in _FACETS if old.get(name) != new.get(name)]
            changed = ["kind"] if "kind" in changed else changed  # the others follow from it
            yield from (Change(path, name, old, new) for name in changed)
            continue
        above, name = parent_of(path), path.rpartition(".")[2]
        was, has = before.get(above, {}), now.get(above, {})
        is_told_above = was.get("kind") != has.get("kind") or name in Change(above, "required", was, has).gained()
        if not above or not is_told_above:
            yield Change(path, "new" if new else "gone", old, new)


def _without_gone(path: str, entry: Structure, now: Mapping[str, Structure]) -> Structure:
    """An older entry without the required members that are no more: that they are gone says it."""
    required = [name for name in entry.get("required", ()) if f"{path}.{name}" in now]
    kept = {name: value for name, value in entry.items() if name != "required"}
    return {**kept, "required": required} if required else kept
