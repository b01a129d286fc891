"""Lower camel dotted paths, as the service names fields, over bodies with the API's member names."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def find(body: Json, path: str) -> Any:
    """The value at `customer.account.industry`, or None."""
    value: Any = body
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part[:1].upper() + part[1:])
    return value


def put(body: Json, path: str, value: Any) -> None:
    """Sets the value at a dotted path of member names, in place; a number is a place in a list, None takes it away.

    Raises ValueError where the path passes through something that has no members.
    """
    first, _, rest = path.partition(".")
    if rest:
        inner = _step_into(body, first)
        if isinstance(inner, list):
            place, _, rest = rest.partition(".")
            _put_into_list(inner, place, rest, value)
        elif isinstance(inner, dict):
            put(inner, rest, value)
        else:
            raise ValueError(f"{first} has no {rest}")
    elif value is None:
        body.pop(first, None)
    else:
        body[first] = copy.deepcopy(value)


def _step_into(body: Json, member: str) -> Any:
    if body.get(member) is None:
        body[member] = {}
    return body[member]


def _put_into_list(rows: list[Any], place: str, rest: str, value: Any) -> None:
    if not place.isdecimal() or int(place) >= len(rows):
        raise ValueError(f"there is no place {place} in a list of {len(rows)}")
    index = int(place)
    if rest:
        put(rows[index], rest, value)
    elif value is None:
        del rows[index]
    else:
        rows[index] = copy.deepcopy(value)


def is_blank(value: Any) -> bool:
    """Whether a value says nothing: absent, empty, or only spaces."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def flatten(body: Json, prefix: str = "") -> dict[str, Any]:
    """Every leaf of a body by its path. A list is one leaf; empty values count as absent."""
    leaves: dict[str, Any] = {}
    for key, value in body.items():
        path = f"{prefix}{key[:1].lower()}{key[1:]}"
        if isinstance(value, dict):
            leaves |= flatten(value, f"{path}.")
        elif not is_blank(value):
            leaves[path] = value
    return leaves


def changed_paths(old: Json, new: Json) -> list[str]:
    """The leaves in which two bodies differ, sorted."""
    before, after = flatten(old), flatten(new)
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def is_under(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of `roots` or below one."""
    return any(path == root or path.startswith(f"{root}.") for root in roots)
