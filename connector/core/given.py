"""What Salesforce was given of AWS's values, so that our own writes are not taken for a seller's edits.

``Link.taken`` has the last value by field and, as ``<field> <AWS path>``, an echo for a path that Salesforce decides:
the values it may come back as, over what both sides had agreed on.
"""

from __future__ import annotations

import copy
from typing import Any

from connector.core.diff import is_same, put_at, value_at
from connector.core.model import Link, Structure


def field_of(name: str) -> str:
    """The Salesforce field that an entry of ``Link.taken`` is about."""
    return name.partition(" ")[0]


def base_of(link: Link) -> Structure | None:
    """What both sides agreed on last, with the values of AWS that Salesforce took since.

    Without them our own write would come back as a seller's edit, and undo what AWS changed meanwhile.
    """
    echoes = {name: echo for name, echo in link.taken.items() if " " in name}
    if link.base is None or link.mapped is None or not echoes:
        return link.base
    base: Structure = copy.deepcopy(link.base)
    for name, echo in echoes.items():
        path = name.partition(" ")[2]
        last = path.rpartition(".")[2]
        mapped = value_at(link.mapped.opportunity, path)
        came_back = any(is_same(mapped, given, last) for given in echo["given"])
        if came_back and is_same(value_at(link.base, path), echo["over"], last):
            put_at(base, path, mapped)
    return base


def unread_of(link: Link, name: str) -> list[Any]:
    """What an echo may come back as, while its last value has not been read from Salesforce; [] when it has."""
    given: list[Any] = (link.taken.get(name) or {}).get("given") or []
    return given if len(given) > 1 else []


def ended(link: Link, name: str) -> Structure:
    """The echo without its values, once both sides agree on something else: to come back to them is an edit."""
    return {name: {"given": [], "over": None}} if (link.taken.get(name) or {}).get("given") else {}


def read_back(link: Link, mapped: Structure) -> Structure:
    """The echoes whose last value has been read from Salesforce: from now on those before it are edits again."""
    found: Structure = {}
    for name, echo in link.taken.items():
        path = name.partition(" ")[2]
        if path and len(echo["given"]) > 1:
            last_given = echo["given"][-1]
            if is_same(value_at(mapped, path), last_given, path.rpartition(".")[2]):
                found[name] = {**echo, "given": [last_given]}
    return found
