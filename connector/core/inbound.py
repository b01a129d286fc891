"""Inbound fields: which values of AWS are due in Salesforce. Decides only; nothing here asks or writes.

A value is given once: what a seller makes of it afterwards stays, until AWS changes its own again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from connector.core.diff import is_same, value_at
from connector.core.facts import facts_of_link, read_fact, read_path
from connector.core.given import base_of, ended, read_back, unread_of
from connector.core.mapping.nodes import NOTHING, CompiledMapping, Inbound, Leaf, Owner
from connector.core.model import Link, Structure
from connector.core.text import to_text
from connector.core.transforms import TransformError, apply


@dataclass(frozen=True, slots=True)
class Due:
    """What AWS says that Salesforce has not been given, by Salesforce field.

    ``values`` are to be shown. ``agreed`` are only to be noted as given: both sides came to hold them another way.
    ``failed`` tells for which fields AWS's value cannot be made into one of Salesforce, and why. ``echoes`` are noted
    with the values of the same field, see ``given.base_of``.
    """

    values: Structure = field(default_factory=dict)
    agreed: Structure = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    echoes: dict[str, Structure] = field(default_factory=dict)


_NONE = Due()


def due(mapping: CompiledMapping, link: Link) -> Due:
    """Look at every inbound field of a link. What AWS has not told, or has emptied, is never due."""
    if not mapping.inbound or link.mapped is None or link.presence != "flagged" or not link.opportunity_id:
        return _NONE
    found = Due(agreed=read_back(link, link.mapped.opportunity))
    facts = facts_of_link(link)
    for entry in mapping.inbound:
        name, raw = _first(entry, facts)
        if not name:
            continue
        try:
            value = _plain(_evaluated(entry.leaf, raw, facts))
        except TransformError as error:
            found.failed[entry.field] = f"{error.message} {error.cure}".rstrip()
            continue
        except Exception as error:  # noqa: BLE001 (a transform may be anybody's; its words may quote the record)
            found.failed[entry.field] = f"Unexpected {type(error).__name__}."
            continue
        if value not in NOTHING and not _is_given(entry, value, link):
            _sort(mapping, link, entry, name, value, found)
    return found


def _first(entry: Inbound, facts: Structure) -> tuple[str, Any]:
    """The first fact that AWS has told, with its value; "" where there is none."""
    read = ((name, read_fact(name, facts)) for name in entry.facts)
    return next(((name, value) for name, value in read if value not in NOTHING), ("", None))


def _is_given(entry: Inbound, value: Any, link: Link) -> bool:
    return entry.field in link.taken and bool(link.taken[entry.field] == value)


def _sort(mapping: CompiledMapping, link: Link, entry: Inbound, name: str, value: Any, found: Due) -> None:
    """Whether AWS's value is to be shown, only to be noted, or neither.

    A path that Salesforce decides is never written over an edit of the record: that one goes to AWS. A path that AWS
    decides counts from what both sides began with.
    """
    root, _, path = name.partition(".")
    owner = owner_of(mapping, path) if root == "opportunity" else None
    if owner is None or (owner == "aws" and entry.field in link.taken):
        found.values[entry.field] = value
        return
    if link.base is None:
        return
    now, agreed = read_path(link.existing or {}, path), read_path(base_of(link), path)
    last = path.rpartition(".")[2]
    echo = f"{entry.field} {path}"
    unread = unread_of(link, echo)  # given, and not read back yet: the record as it is known is older than that
    if is_same(now, unread[-1] if unread else agreed, last):
        if owner == "aws" or entry.field in link.taken:
            found.agreed[entry.field] = value
            found.agreed.update(ended(link, echo))
        return
    mapped = link.mapped.opportunity if link.mapped is not None else {}
    if owner == "aws" or is_same(read_path(mapped, path), agreed, last):
        found.values[entry.field] = value
        if owner == "salesforce" and "[" not in path:
            found.echoes[echo] = {"given": [*(unread or [agreed]), now], "over": read_path(link.base, path)}


def owner_of(mapping: CompiledMapping, path: str) -> Owner | None:
    """Who decides an AWS path (list steps with or without their index); None where the mapping does not send it."""
    plain = re.sub(r"\[[^\]]*\]", "", path)
    if any(_is_related(plain, top) for top in mapping.owned_paths):
        return "salesforce"
    return "aws" if any(_is_related(plain, top) for top in mapping.owned_by_aws) else None


def _is_related(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}.") or top.startswith(f"{path}.")


def _evaluated(leaf: Leaf, value: Any, facts: Structure) -> Any:
    """What the leaf makes of a fact. Raises TransformError, also for what is not in its list of values."""
    for step in leaf.steps:
        others = {name: value_at(facts["opportunity"], step.arguments[name]) for name in step.aws_paths}
        value = apply(step.transform, value, {**step.arguments, **others})
        if value in NOTHING:
            return None
    if leaf.values is None:
        return value
    if isinstance(value, list):
        return [found for item in value if (found := _looked_up(leaf, item)) not in NOTHING]
    return _looked_up(leaf, value)


def _looked_up(leaf: Leaf, value: Any) -> Any:
    text = to_text(value).strip()
    found = leaf.folded.get(text.casefold(), leaf.otherwise)
    if found is None and text.casefold() not in leaf.folded:
        raise TransformError(f"AWS's value {text!r} is not in the mapping's list of values.", "Add it there.")
    return found


def _plain(value: Any) -> Any:
    """A value as JSON keeps it, so that it is the same when it is read back. Raises TransformError for what is none."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return value.isoformat()
    if value is not None and not isinstance(value, str | bool | int | float):
        raise TransformError("The transform gives no value that a field could take.", "Correct it.")
    return value
