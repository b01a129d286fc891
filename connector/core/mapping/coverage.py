"""How much of what AWS takes of a partner is mapped. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connector.core.mapping.damage import without_indices
from connector.core.mapping.domains import domain_of
from connector.core.mapping.nodes import ASSOCIATED, SUBMITTED, CompiledMapping, leaves_of
from connector.core.mapping.requirements import lacking_paths
from connector.core.model import Structure
from connector.core.schema import Shape

_READ_ONLY = ("LifeCycle.ReviewComments", "LifeCycle.ReviewStatusReason", "LifeCycle.NextStepsHistory")


@dataclass(frozen=True, slots=True)
class Coverage:
    """AWS paths without indices, in AWS's order.

    ``known`` is all of CreateOpportunity that a partner may send. ``required_unmapped`` are those that AWS needs of
    every opportunity and that no line fills, by section; ``unreached`` the values of AWS's lists that no value of
    Salesforce becomes, by AWS path, of leaves with ``values``.
    """

    known: tuple[str, ...]
    mapped: tuple[str, ...]
    required_unmapped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unreached: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def unmapped(self) -> tuple[str, ...]:
        mapped = set(self.mapped)
        return tuple(path for path in self.known if path not in mapped)

    @property
    def sentence(self) -> str:
        told = f"{len(self.mapped)} of {len(self.known)} fields of CreateOpportunity are mapped"
        told += f" (not: {', '.join(self.unmapped)})." if self.unmapped else "."
        lacking = [path for paths in self.required_unmapped.values() for path in paths]
        return told + (f" AWS needs {', '.join(lacking)} as well." if lacking else "")

    def to_json(self) -> Structure:
        return {
            "known": list(self.known),
            "mapped": list(self.mapped),
            "unmapped": list(self.unmapped),
            "required_unmapped": {section: list(paths) for section, paths in self.required_unmapped.items()},
            "unreached_values": {path: list(values) for path, values in self.unreached.items()},
        }


def cover(mapping: CompiledMapping | None, shape: Shape) -> Coverage:
    """The coverage of a mapping, of None where it could not be read. ``shape`` is that of CreateOpportunity."""
    paths = (path.replace("[]", "") for path, _ in shape.leaves())
    known = tuple(path for path in paths if not path.startswith(_READ_ONLY))
    if mapping is None:
        return Coverage(known, ())
    sent = {without_indices(leaf.path) for leaf in leaves_of(mapping.tree)}
    lacking = _by_section(lacking_paths(mapping))
    return Coverage(known, tuple(path for path in known if path in sent), lacking, _unreached(mapping))


def _by_section(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """``opportunity`` or another section of the file, for each path."""
    found: dict[str, tuple[str, ...]] = {}
    for path in paths:
        section = {ASSOCIATED: "associate", SUBMITTED: "submission"}.get(path.partition(".")[0], "opportunity")
        found[section] = (*found.get(section, ()), path)
    return found


def _unreached(mapping: CompiledMapping) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for leaf in leaves_of(mapping.tree):
        item = leaf.shape.item if leaf.shape.kind == "list" else leaf.shape
        if leaf.values is None or item is None or not item.enum:
            continue
        given = {*map(str, leaf.values.values()), str(leaf.otherwise), *map(str, domain_of(leaf, "").values)}
        lacking = tuple(value for value in item.enum if value not in given)
        if lacking:
            found[without_indices(leaf.path)] = lacking
    return found
