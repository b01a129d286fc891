"""Opportunities that a mapping could send: every combination of what some of its leaves can be. Knows no rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.core.mapping.damage import without_indices
from connector.core.mapping.domains import Domain, domain_of
from connector.core.mapping.evaluation import EMPTY, Pass
from connector.core.mapping.nodes import (
    ASSOCIATED,
    SUBMITTED,
    CompiledMapping,
    Each,
    Items,
    Leaf,
    Node,
    Struct,
    leaves_of,
)
from connector.core.model import Association, Structure

LIMIT = 5_000
"""More combinations are not tried; nothing is claimed then."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One opportunity. ``values`` are those of its leaves by AWS path, EMPTY where a leaf sends nothing."""

    values: Mapping[str, Any]
    opportunity: Structure
    associations: tuple[Association, ...]
    submission: Structure | None


@dataclass(frozen=True, slots=True)
class Ground:
    """Where scenarios are played: the leaves in the order they depend, and what each of them can be.

    ``played`` and ``found`` remember what was asked before: many rules look at the same leaves.
    """

    tree: Struct
    leaves: Mapping[str, Leaf]
    domains: Mapping[str, Domain]
    is_submitted: bool
    plain: Mapping[str, str]
    played: dict[frozenset[str], tuple[Scenario, ...] | None] = field(default_factory=dict)
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, mapping: CompiledMapping) -> Ground:
        tree = with_one_row(mapping.tree)
        own = [*mapping.leaves, *(leaf for leaf in leaves_of(tree) if "[]" in leaf.path), *mapping.associate.values()]
        if mapping.submission is not None:
            own += leaves_of(mapping.submission.members)
        asked = asked_of(own)
        domains = {leaf.path: domain_of(leaf, mapping.selection.sobject, asked.get(leaf.path, ())) for leaf in own}
        plain = {leaf.path: without_indices(leaf.path) for leaf in own}
        return cls(tree, {leaf.path: leaf for leaf in own}, domains, mapping.submission is not None, plain)

    def leaves_at(self, path: str) -> tuple[str, ...]:
        """The leaves whose value is at this AWS path, above it or below it, in any item of a list."""
        if path not in self.found:
            wanted = without_indices(path)
            self.found[path] = tuple(
                leaf
                for leaf, own in self.plain.items()
                if own == wanted or own.startswith(f"{wanted}.") or wanted.startswith(f"{own}.")
            )
        return self.found[path]

    def with_conditions(self, paths: Iterable[str]) -> frozenset[str]:
        """These leaves and those that their ``when`` looks at."""
        found: set[str] = set()
        waiting = list(paths)
        while waiting:
            path = waiting.pop()
            if path in self.leaves and path not in found:
                found.add(path)
                when = self.leaves[path].when
                waiting += [when.aws_path] if when is not None and when.aws_path else []
        return frozenset(found)

    def scenarios(self, varied: frozenset[str]) -> tuple[Scenario, ...] | None:
        """One for each combination of what the varied leaves can be, all others as full as can be.

        None where there are too many of them.
        """
        if varied not in self.played:
            self.played[varied] = self._combined(varied)
        return self.played[varied]

    def _combined(self, varied: frozenset[str]) -> tuple[Scenario, ...] | None:
        tree = _pruned(self.tree, varied) if varied else self.tree
        kept = {leaf.path for leaf in leaves_of(tree)}
        order = [path for path in self.leaves if path in kept or path.partition(".")[0] in (ASSOCIATED, SUBMITTED)]
        found: list[dict[str, Any]] = [{}]
        for path in order:
            found = [{**one, path: value} for one in found for value in self._choices(path, one, path in varied)]
            if len(found) > LIMIT:
                return None
        return tuple(self._scenario(tree, values) for values in found)

    def _choices(self, path: str, known: Mapping[str, Any], is_varied: bool) -> Iterator[Any]:
        leaf, domain = self.leaves[path], self.domains[path]
        when = leaf.when
        if when is not None and when.aws_path in known and not when.holds(known[when.aws_path]):
            yield EMPTY
            return
        if not is_varied:
            yield domain.values[0] if domain.values else EMPTY
            return
        yield from domain.values
        if domain.may_be_empty or not domain.values or (when is not None and not when.aws_path):
            yield EMPTY

    def _scenario(self, tree: Struct, values: Mapping[str, Any]) -> Scenario:
        opportunity = Pass({}, dict(values)).build(tree) or {}
        associations: list[Association] = []
        submission: Structure = {}
        for path, value in values.items():
            root, _, name = path.partition(".")
            if root == ASSOCIATED and value is not EMPTY:
                items = value if isinstance(value, list) else [value]
                associations += [Association(name, str(item)) for item in items]
            elif root == SUBMITTED and value is not EMPTY:
                submission[name] = value
        return Scenario(values, opportunity, tuple(associations), submission if self.is_submitted else None)


def asked_of(leaves: Iterable[Leaf]) -> Mapping[str, set[str]]:
    """What the leaves at some AWS paths are compared with."""
    found: dict[str, set[str]] = {}
    for leaf in leaves:
        if leaf.when is not None and leaf.when.aws_path:
            found.setdefault(leaf.when.aws_path, set()).update(leaf.when.wanted.values())
    return found


def with_one_row(node: Struct) -> Struct:
    """The tree with one item in place of each ``each``, so that no rows are needed."""

    def written_out(inner: Node) -> Node:
        if isinstance(inner, Each):
            return Items(inner.path, (written_out(inner.item),))
        if isinstance(inner, Items):
            return Items(inner.path, tuple(map(written_out, inner.items)))
        return with_one_row(inner) if isinstance(inner, Struct) else inner

    return Struct({name: written_out(member) for name, member in node.members.items()})


def _pruned(node: Struct, varied: frozenset[str]) -> Struct:
    """The structures that varied leaves stand in, each with all its own leaves: they keep one another in being."""

    def is_wanted(inner: Node) -> bool:
        return any(leaf.path in varied for leaf in leaves_of(inner))

    def pruned(inner: Node) -> Node:
        if isinstance(inner, Items):
            return Items(inner.path, tuple(map(pruned, inner.items)))
        return _pruned(inner, varied) if isinstance(inner, Struct) else inner

    kept = {n: m for n, m in node.members.items() if is_wanted(m) or (isinstance(m, Leaf) and is_wanted(node))}
    return Struct({name: pruned(member) for name, member in kept.items()})
