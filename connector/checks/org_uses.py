"""Which Salesforce fields a mapping reads, compares and fills, each with its place in the mapping file.

Asks Salesforce nothing; what it lists is held against the org elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connector import yamlfile
from connector.core.condition import Comparison, Condition, comparisons_of
from connector.core.fact_fit import Fact, Roots, fact_at, facts_of_inbound
from connector.core.mapping import CompiledMapping, Document, join
from connector.core.mapping.nodes import (
    Each,
    Inbound,
    Invitations,
    Leaf,
    Node,
    WriteBack,
    eaches_of,
    leaves_of,
    leaves_outside_eaches,
)
from connector.core.model import Origin
from connector.core.paths import Path
from connector.mapping_files import Files, shown_path


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a mapping file something is said."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Use:
    """One field that the mapping names, and what for.

    ``name`` is a path from the record, or from a row of ``relationship``. ``leaf`` reads it by ``source``, where it
    does not only test it. ``comparison`` is one of a condition, ``facts`` are what it is filled with. ``is_asked``:
    Salesforce itself judges a condition on it.
    """

    name: str
    place: Place
    relationship: str = ""
    aws_path: str = ""
    leaf: Leaf | None = None
    source: Path | None = None
    comparison: Comparison | None = None
    facts: tuple[Fact, ...] = ()
    is_filled: bool = False
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """The places of whole sections and lines, of which a compiled mapping does not know the column."""

    document: Document

    @classmethod
    def of(cls, files: Files) -> Places:
        """Raises UserError where a file cannot be read."""
        paths = files if isinstance(files, tuple) else (files,)
        return cls(join([yamlfile.read(path, shown_path(path)) for path in paths]))

    def at(self, *keys: str | int) -> Place:
        problem = self.document.problem(keys, "")
        return Place(problem.file, problem.line, problem.column)


def uses_of(mapping: CompiledMapping, places: Places, roots: Roots) -> list[Use]:
    """Everything the mapping names of Salesforce, the object itself first."""
    found = [Use("Id", places.at("salesforce", "object")), *_of_flag(mapping, places)]
    for node in _trees(mapping):
        found += _of_tree(node)
    for leaf in (*mapping.associate.values(), *_adopting(mapping)):
        found += _of_leaf(leaf, "")
    if mapping.submission is not None and mapping.submission.when is not None:
        found += _of_condition(mapping.submission.when, places.at("submission", "when"))
    if mapping.invitations is not None:
        found += _of_invitations(mapping.invitations, places, roots)
    found += (_of_line(one, places.at("write_back", one.field), roots) for one in mapping.write_back)
    found += (_of_inbound(one, roots) for one in mapping.inbound)
    rows = {name.lower() for name in mapping.selection.children}
    return [use for use in found if use.relationship or use.name.lower() not in rows]


def _adopting(mapping: CompiledMapping) -> tuple[Leaf, ...]:
    return () if mapping.adopt is None else (mapping.adopt,)


def _trees(mapping: CompiledMapping) -> list[Node]:
    submitted = mapping.submission.members if mapping.submission is not None else None
    return [node for node in (mapping.tree, submitted, mapping.assign) if node is not None]


def _of_flag(mapping: CompiledMapping, places: Places) -> Iterator[Use]:
    """The flag's condition, which Salesforce judges; and what is asked for to find the linked records."""
    place = places.at("salesforce", "where")
    for comparison in comparisons_of(mapping.selection.where):
        yield Use(comparison.path, place, comparison=comparison, is_asked=True)
    for name in mapping.selection.linked_fields:
        yield Use(name, places.at("write_back", name), is_asked=True)


def _of_tree(node: Node, relationship: str = "") -> Iterator[Use]:
    """The leaves below a node; those of an ``each`` read its rows."""
    for leaf in leaves_outside_eaches(node):
        yield from _of_leaf(leaf, relationship)
    for each in eaches_of(node):
        yield from _of_rows(each, each.relationship)
        for leaf in leaves_of(each):
            yield from _of_leaf(leaf, each.relationship)


def _of_rows(rows: Each | Invitations, relationship: str) -> Iterator[Use]:
    """What chooses and orders the rows: the relationship itself is used even if nothing else of it is."""
    place = _place(rows.origin)
    yield Use("Id", place, relationship)
    if rows.where is not None:
        yield from _of_condition(rows.where, place, relationship)
    for path, _ in rows.order_by:
        yield Use(path.text, place, relationship)


def _of_condition(condition: Condition, place: Place, relationship: str = "") -> Iterator[Use]:
    for comparison in comparisons_of(condition.text):
        yield Use(comparison.path, place, relationship, comparison=comparison)


def _of_leaf(leaf: Leaf, relationship: str) -> Iterator[Use]:
    about: dict[str, Any] = {"place": _place(leaf.origin), "aws_path": leaf.path, "leaf": leaf}
    for path in (*leaf.sources, *(leaf.template.paths if leaf.template is not None else ())):
        yield from _of_path(path, relationship, {**about, "source": path})
    if leaf.when is not None and leaf.when.field is not None:
        yield from _of_path(leaf.when.field, relationship, about)


def _of_path(path: Path, relationship: str, about: dict[str, Any]) -> Iterator[Use]:
    for name in path.fields:
        yield Use(name, relationship=relationship, **about)
    for rows, name in path.children:
        yield Use(name, relationship=rows, **about)


def _of_invitations(found: Invitations, places: Places, roots: Roots) -> Iterator[Use]:
    if found.relationship:
        yield from _of_rows(found, found.relationship)
    for index, item in enumerate(found.items):
        yield from _of_tree(item.tree, found.relationship)
        if item.engagement is not None:
            yield from _of_leaf(item.engagement, found.relationship)
        keys = ("write_back",) if found.relationship else (index, "write_back")
        for line in item.write_back:
            yield _of_line(line, places.at("invitations", *keys, line.field), roots, found.relationship)


def _of_line(line: WriteBack, place: Place, roots: Roots, relationship: str = "") -> Use:
    facts = (fact_at(line.fact, roots),)
    return Use(line.field, place, relationship, aws_path=line.fact, facts=facts, is_filled=True)


def _of_inbound(entry: Inbound, roots: Roots) -> Use:
    facts = facts_of_inbound(entry, roots)
    return Use(entry.field, _place(entry.leaf.origin), aws_path=entry.facts[0], facts=facts, is_filled=True)


def _place(origin: Origin) -> Place:
    return Place(origin.file, origin.line, origin.column)
