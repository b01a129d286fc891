"""Which facts a mapping file may name, and what to say of one that does not exist. Knows no values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connector.core.rules.create import TEAM_TITLES
from connector.core.schema import Shape, suggest

SYNC_FACTS = ("sync.status", "sync.message", "sync.at")
SYNC_FACTS_OF_INVITATION = SYNC_FACTS[:2]
FULL_NAME = "Name"
"""A made-up member of whoever has a first and a last name: both together."""
_STEP = re.compile(r"(\w+)(?:\[(\w+)\])?")


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a fact cannot be named, and what to write instead."""

    message: str
    cure: str


@dataclass(frozen=True, slots=True)
class FactTable:
    """The facts of one section: paths below ``roots``, and those that are named whole in ``plain``."""

    roots: Mapping[str, Shape]
    plain: tuple[str, ...] = ()

    def look_over(self, fact: str) -> Wrong | None:
        """What is wrong with this fact, None when nothing is."""
        if fact in self.plain:
            return None
        root, *steps = fact.split(".")
        shape = self.roots.get(root)
        if shape is None or not steps:
            return self._unknown(fact)
        for place, step in enumerate(steps):
            found = _member_at(shape, step, is_last=place == len(steps) - 1)
            if isinstance(found, Wrong):
                return Wrong(f"There is no fact {fact!r}: {found.message}", found.cure)
            if found is None:
                return self._unknown_step(fact, place + 1, shape)
            shape = found
        return _not_one_value(fact, shape)

    def _unknown(self, fact: str) -> Wrong:
        starts = [*self.plain, *(f"{root}." for root in self.roots)]
        cure = suggest(fact, list(self._names())) or f"Facts here are {', '.join(starts[:-1])} and {starts[-1]}"
        return Wrong(f"There is no fact {fact!r}.", cure if cure.endswith(("?", ".")) else f"{cure}.")

    def _unknown_step(self, fact: str, place: int, shape: Shape) -> Wrong:
        """One step is wrong: that one is put right in the suggestion, and the others are kept."""
        steps = fact.split(".")
        members = {name.lower(): name for name in _members_of(shape)}
        name, bracket, rest = steps[place].partition("[")
        close = suggest(name, list(members)).split("'")[1:2]
        if not close:
            return self._unknown(fact)
        steps[place] = f"{members[close[0]]}{bracket}{rest}"
        return Wrong(f"There is no fact {fact!r}.", f"Did you mean {'.'.join(steps)!r}?")

    def _names(self) -> Iterator[str]:
        yield from self.plain
        for root, shape in self.roots.items():
            for path, _ in shape.leaves():
                yield f"{root}.{path.replace('[]', '')}"


def _inner(shape: Shape) -> Shape:
    """What a list has items of; anything else is itself."""
    return shape.item if shape.kind == "list" and shape.item is not None else shape


def _members_of(shape: Shape) -> tuple[str, ...]:
    members = tuple(_inner(shape).members)
    return (*members, FULL_NAME) if {"FirstName", "LastName"} <= set(members) else members


def _member_at(shape: Shape, step: str, *, is_last: bool) -> Shape | Wrong | None:
    """The shape one step further; None where there is no such member."""
    match = _STEP.fullmatch(step)
    if match is None:
        return None
    name, choice = match[1], match[2]
    found = _inner(shape).members.get(name)
    if found is None and name == FULL_NAME and is_last and name in _members_of(shape) and choice is None:
        return Shape("string")
    if found is None or choice is None:
        return found
    return _chosen(found, name, choice)


def _chosen(found: Shape, name: str, choice: str) -> Shape | Wrong:
    """The item that ``[0]`` or ``[AWSSalesRep]`` chooses of a list."""
    if found.kind != "list" or found.item is None:
        return Wrong(f"{name} is one, not several.", f"Remove [{choice}].")
    if choice.isdigit():
        return found.item
    title = found.item.members.get("BusinessTitle")
    roles = (title.enum or TEAM_TITLES) if title is not None and name == "OpportunityTeam" else ()
    if not roles:
        return Wrong(f"{name} has no roles.", f"Choose by number, from 0: {name}[0].")
    if choice not in roles:
        cure = suggest(choice, roles) or f"Known: {', '.join(roles)}."
        return Wrong(f"{name} has no role {choice!r}.", cure)
    return found.item


def _not_one_value(fact: str, shape: Shape) -> Wrong | None:
    inner = _inner(shape)
    if inner.kind == "structure":
        return Wrong(f"{fact} is not one value.", f"Choose one of its members: {', '.join(_members_of(inner))}.")
    if inner.kind == "map":
        return Wrong(f"{fact} is not one value but a table.", "Name another fact.")
    return None
