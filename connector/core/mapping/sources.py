"""Which Salesforce values a mapped value was made of: for whoever shows a plan, not for the mapper.

Walks the mapping a second time and only takes notes, so that mapping a record costs nothing more. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connector.core.mapping.evaluation import Pass, rows_of
from connector.core.mapping.nodes import (
    ASSIGNEE,
    ENGAGEMENT,
    INVITATION,
    NOTHING,
    CompiledMapping,
    Leaf,
    eaches_of,
    leaves_of,
)
from connector.core.model import Origin, Structure
from connector.core.paths import Path, PathError, dotted_reader
from connector.core.selection import is_id, to_id18

Kind = Literal["constant", "field", "template", "default", "opportunity"]


@dataclass(frozen=True, slots=True)
class Source:
    """What a value was made of.

    ``readings`` are the Salesforce paths that were looked at, in order, each with what stands on the record; below a
    child relationship with the row's index (``OpportunityContactRoles[1].Contact.Email``). ``kind``: ``constant`` and
    ``default`` are the mapping's own, ``opportunity`` is a value that an invitation takes over with ``like``.
    ``origin`` is the mapping's line that the value comes from.
    """

    kind: Kind
    origin: Origin
    readings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """By AWS path, list items with the index that AWS sees; of invitations by their key first."""

    opportunity: Mapping[str, Source]
    invitations: Mapping[str, Mapping[str, Source]]


@dataclass(slots=True)
class _Noting(Pass):
    """A pass that notes which leaf was read from what, by the AWS path it ends at."""

    noted: dict[str, tuple[Leaf, Any]] = field(default_factory=dict)

    def value_of(self, leaf: Leaf, record: Any, path: str) -> Any:
        # An item that comes out empty leaves its notes behind at an index; the next item's replace them, and at the
        # end of a list nobody asks for them.
        self.noted[path] = (leaf, self.record if record is None else record)
        return Pass.value_of(self, leaf, record, path)


def sources_of(mapping: CompiledMapping, record: Structure) -> Sources:
    """The source of each value that ``map_record`` makes of this record, failed ones included."""
    pass_ = _Noting(record)
    for leaf in mapping.leaves:
        pass_.known[leaf.path] = pass_.evaluate(leaf, record)
    pass_.build(mapping.tree)
    if mapping.assign is not None:
        pass_.build(mapping.assign, ASSIGNEE, record)
    others = [*mapping.associate.values()]
    others += leaves_of(mapping.submission.members) if mapping.submission is not None else []
    for leaf in others:
        pass_.value_of(leaf, record, leaf.path)
    rows = _places_of_rows(mapping, record)
    known = {path: _source(pass_, leaf, read, rows) for path, (leaf, read) in pass_.noted.items()}
    invited = {key: _invited(mapping, pass_, key, row, rows) for key, row in _invitations(mapping, record)}
    return Sources(known, invited)


def _invited(
    mapping: CompiledMapping, opportunity: Pass, key: str, row: Structure, rows: Mapping[int, str]
) -> dict[str, Source]:
    assert mapping.invitations is not None
    items = mapping.invitations.items
    item = items[0] if mapping.invitations.relationship else items[int(key.strip("[]"))]
    pass_ = _Noting(opportunity.record, opportunity.known)
    pass_.build(item.tree, INVITATION, row)
    if item.engagement is not None:
        pass_.value_of(item.engagement, row, ENGAGEMENT)
    return {path: _source(pass_, leaf, read, rows) for path, (leaf, read) in pass_.noted.items()}


def _invitations(mapping: CompiledMapping, record: Structure) -> Iterator[tuple[str, Structure]]:
    """(key as in Invitation, what it is read from) of each."""
    wanted = mapping.invitations
    if wanted is None:
        return
    if not wanted.relationship:
        yield from ((f"[{index}]", record) for index, _ in enumerate(wanted.items))
        return
    for index, row in enumerate(rows_of(wanted, record)):
        identifier = str(dotted_reader("Id")(row) or "")
        yield to_id18(identifier) if is_id(identifier) else f"[{index}]", row


def _places_of_rows(mapping: CompiledMapping, record: Structure) -> dict[int, str]:
    """What to call each child row, by the identity of the row; ``rows_of`` gives the record's own."""
    names = {each.relationship for each in eaches_of(mapping.tree)}
    names |= {mapping.invitations.relationship} - {""} if mapping.invitations is not None else set()
    places: dict[int, str] = {}
    for name in sorted(names):
        rows = dotted_reader(name)(record)
        places |= {id(row): f"{name}[{index}]." for index, row in enumerate(rows if isinstance(rows, list) else [])}
    return places


def _source(pass_: Pass, leaf: Leaf, record: Any, rows: Mapping[int, str]) -> Source:
    prefix = rows.get(id(record), "")
    if leaf.template is not None:
        found = tuple((prefix + path.text, _read(path, record)) for path in leaf.template.paths)
        return Source("template", leaf.origin, found)
    readings: list[tuple[str, Any]] = []
    for path in leaf.sources:
        value = _read(path, record)
        readings.append((prefix + path.text, value))
        if not _is_empty(value):
            return Source("field", leaf.origin, tuple(readings))
    if leaf.like is not None:
        like = _source(pass_, leaf.like, pass_.record, rows)
        return Source("opportunity", leaf.like.origin, (*readings, *like.readings))
    if not leaf.sources:
        return Source("constant", leaf.origin)
    return Source("field" if leaf.default is None else "default", leaf.origin, tuple(readings))


def _read(path: Path, record: Any) -> Any:
    try:
        return path.read(record)
    except PathError:  # told as the record's problem
        return None


def _is_empty(value: Any) -> bool:
    return (value.strip() if isinstance(value, str) else value) in NOTHING
