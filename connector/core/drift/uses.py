"""Which lines of a mapping are about which entry of the table of AWS's model. Judges nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from connector.core.mapping import CompiledMapping
from connector.core.mapping.nodes import ASSIGNEE, ASSOCIATED, ENGAGEMENT, INVITATION, SUBMITTED, Leaf, leaves_of
from connector.core.model import Origin

_NAMES = {"create": "", "submission": SUBMITTED, "assignee": ASSIGNEE, "invitation": INVITATION}
_NAMES |= {"engagement": ENGAGEMENT, "invitation_answer": "invitation"}


@dataclass(frozen=True, slots=True)
class Use:
    """One line of the mapping and the entry of the table that it is about.

    ``label`` is what the mapping calls that, ``leaf`` is None where the value is written back as it is. ``is_sent``:
    AWS is sent it; otherwise AWS tells it.
    """

    path: str
    label: str
    origin: Origin
    leaf: Leaf | None
    is_sent: bool = True

    def is_about(self, path: str) -> bool:
        """Whether the entry is this one, or a list of which this one is the item."""
        return path in (self.path, f"{self.path}[]")

    def is_in(self, path: str) -> bool:
        """Whether the entry is this one or below it."""
        return self.path == path or self.path.startswith((f"{path}.", f"{path}["))


def sent_by(mapping: CompiledMapping) -> Iterator[Use]:
    """Every leaf that fills something of a request, but for what is associated."""
    items = mapping.invitations.items if mapping.invitations is not None else ()
    trees: list[tuple[str, Any]] = [("create", mapping.tree), ("assignee", mapping.assign)]
    trees += [("submission", mapping.submission.members if mapping.submission is not None else None)]
    trees += [("invitation", item.tree) for item in items]
    trees += [("engagement", item.engagement) for item in items]
    for part, node in trees:
        for leaf in leaves_of(node) if node is not None else ():
            below = re.sub(r"\[\d*\]", "[]", leaf.path.removeprefix(_NAMES[part]).removeprefix("."))
            yield Use(f"{part}.{below}" if below else part, leaf.path, leaf.origin, leaf)


def associated_by(mapping: CompiledMapping) -> Iterator[Use]:
    """What is associated has no shape of its own but the one that it is told in."""
    for name, leaf in mapping.associate.items():
        yield Use(f"opportunity.{ASSOCIATED}.{name}", leaf.path, leaf.origin, leaf)


def told_to(mapping: CompiledMapping, known: Iterable[str]) -> Iterator[Use]:
    """Every line that brings a fact to Salesforce; ``known`` are the paths of the table, older or newer."""
    paths = frozenset(known)
    items = mapping.invitations.items if mapping.invitations is not None else ()
    for entry in (*mapping.write_back, *(entry for item in items for entry in item.write_back)):
        origin = Origin((entry.field,), entry.file or mapping.file, entry.line, 1)
        yield from (Use(path, entry.fact, origin, None, False) for path in _paths_of(entry.fact, paths))
    for line in mapping.inbound:
        at = line.leaf.origin
        origin = Origin((line.field,), at.file, at.line, at.column)
        for fact in line.facts:
            yield from (Use(path, fact, origin, line.leaf, False) for path in _paths_of(fact, paths))


def _paths_of(fact: str, known: frozenset[str]) -> list[str]:
    """Where the table has a fact; a person's ``Name`` is made of two members. None for what we tell ourselves."""
    part, *steps = fact.split(".")
    path = "invitation_answer" if part == "invitation" else part
    if path not in known:
        return []
    for step in steps:
        path += "[]" if f"{path}[]" in known else ""
        if step == "Name" and f"{path}.Name" not in known:
            return [f"{path}.FirstName", f"{path}.LastName"]
        path += f".{step.partition('[')[0]}"
    return [path]


def label_of(path: str) -> str:
    """What a mapping calls a path of the table."""
    part, dot, below = path.partition(".")
    name = _NAMES.get(part, part)
    return f"{name}{dot}{below}".removeprefix(".") or "CreateOpportunity"
