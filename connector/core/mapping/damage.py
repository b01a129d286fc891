"""Which AWS paths the mistakes of a mapping file concern, so that what only follows from them is not told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.core.mapping.complaints import Keys
from connector.core.mapping.nodes import ENGAGEMENT, INVITATION, SUBMITTED, Leaf
from connector.core.schema import Shape


@dataclass(frozen=True, slots=True)
class Damage:
    """AWS paths without indices. ``is_total``: nothing is known of the file, so everything may follow from that."""

    paths: frozenset[str] = frozenset()
    is_total: bool = False

    def __bool__(self) -> bool:
        return self.is_total or bool(self.paths)

    def concerns(self, path: str) -> bool:
        """Whether a mistake is at this AWS path, above it or below it."""
        plain = without_indices(path)
        return self.is_total or any(_is_within(plain, one) or _is_within(one, plain) for one in self.paths)

    def also_at(self, paths: Iterable[str]) -> Damage:
        """The same and more."""
        return Damage(self.paths | frozenset(map(without_indices, paths)), self.is_total)

    def spread(self, leaves: Iterable[Leaf]) -> Damage:
        """The same with the leaves that ask for the value of a damaged one."""
        waiting = {
            without_indices(leaf.path): [*leaf.depends, *([leaf.like.path] if leaf.like is not None else [])]
            for leaf in leaves
        }
        paths = set(self.paths)
        while True:
            now = Damage(frozenset(paths))
            paths |= {path for path, asked in waiting.items() if any(map(now.concerns, asked))}
            if len(paths) == len(now.paths):
                return Damage(now.paths, self.is_total)


def damage_of(
    doubts: Iterable[Keys], moved: Iterable[Keys], sections: Mapping[str, tuple[str, Shape]], value: Mapping[str, Any]
) -> Damage:
    """The AWS paths of places in the file, and of all that what was ``moved`` there may belong to.

    ``sections`` has where the AWS paths of each section begin, and its shape. Where the file itself is doubtful it may
    have lost a section.
    """
    strayed = frozenset(keys for keys in moved if keys and keys[0] in sections)
    names = {keys[-1] for keys in strayed}
    found = {
        path for start, shape in sections.values() for path in _named(shape, start) if path.split(".")[-1] in names
    }
    for keys in doubts:
        for own in [keys] if keys else [(name,) for name in sections if name not in value]:
            path = _aws_path(own, sections)
            is_strange = own in strayed and path is not None and path.split(".")[-1] != own[-1]
            if path is not None and not is_strange:
                found.add(path)
    return Damage(frozenset(found - {""}), is_total="" in found)


def _aws_path(keys: Keys, sections: Mapping[str, tuple[str, Shape]]) -> str | None:
    """The AWS path of a place, without indices; None for what is none, such as a name that nobody knows."""
    if keys[0] not in sections or "write_back" in keys:
        return None
    path, shape = sections[str(keys[0])]
    for key in keys[1:]:
        if shape.kind == "list" and shape.item is not None and (isinstance(key, int) or key == "item"):
            shape = shape.item
        elif shape.kind == "structure" and key in shape.members:
            path, shape = f"{path}.{key}" if path else str(key), shape.members[str(key)]
        elif shape.kind == "structure" and (path, key) != (SUBMITTED, "when"):
            return None
        else:
            break
    return ENGAGEMENT if path == f"{INVITATION}.{ENGAGEMENT}" else path


def _named(shape: Shape, path: str) -> Iterator[str]:
    """The AWS path of every member below."""
    while shape.kind == "list" and shape.item is not None:
        shape = shape.item
    for name, member in shape.members.items():
        inner = f"{path}.{name}" if path else name
        yield inner
        yield from _named(member, inner)


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}.")


def without_indices(path: str) -> str:
    """``Customer.Contacts[0].Email`` as ``Customer.Contacts.Email``."""
    return re.sub(r"\[\d*\]", "", path)
