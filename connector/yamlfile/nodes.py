"""What the parser saw, with the place of each part: the step between its events and plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from connector.errors import FileProblem
from connector.yamlfile.draft import Draft
from connector.yamlfile.mistakes import Quoted

Place: TypeAlias = tuple[int, int]

DEPTH = 60

# The parser takes these for line ends, which no editor does: they are hidden from it and put back afterwards.
HIDDEN = str.maketrans({"\x85": "\uf885", "\u2028": "\uf828", "\u2029": "\uf829"})
SHOWN = str.maketrans({"\uf885": "\x85", "\uf828": "\u2028", "\uf829": "\u2029"})


@dataclass(frozen=True, slots=True)
class Scalar:
    place: Place
    text: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    place: Place
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mapping:
    place: Place
    entries: list[tuple[Node, Node]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Alias:
    place: Place
    target: Node


Node: TypeAlias = Scalar | Sequence | Mapping | Alias


class Builder:
    """Turns the first document's events into nodes; remembers what a syntax error may have come from."""

    def __init__(self, draft: Draft) -> None:
        self.root: Node | None = None
        self.quoted: Quoted | None = None
        self.problems: list[FileProblem] = []
        self._draft = draft
        self._anchors: dict[str, Node] = {}

    def run(self, events: Iterator[Event]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._anchors.clear()
                node = self._node(next(events), events, 0)
                self.root = self.root or node
                if documents == 2:
                    self._report(event, "A second document begins here.", "Keep one document in a file.")

    def _report(self, event: Event, message: str, cure: str) -> None:
        place = self._place(event)
        self.problems.append(FileProblem(self._draft.file, *place, message, cure))

    def _place(self, event: Event) -> Place:
        return self._draft.original(event.start_mark.line, event.start_mark.column)

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(event, events, depth)
        if isinstance(event, MappingStartEvent):
            return self._mapping(event, events, depth)
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        raise TypeError(f"The parser gave {event} where a value begins.")

    def _scalar(self, event: ScalarEvent) -> Scalar:
        start, end = event.start_mark, event.end_mark
        if event.style in {"'", '"'} and end.line > start.line:
            self.quoted = Quoted(start.line, start.column, end.line)
        plain = event.style is None and event.tag is None
        node = Scalar(self._place(event), event.value.translate(SHOWN), plain)
        self._remember(event, node)
        return node

    def _alias(self, event: AliasEvent) -> Node:
        target = self._anchors.get(event.anchor)
        if target is None:
            message = f"No anchor &{event.anchor} stands before this *{event.anchor}."
            self._report(event, message, "Name the anchor, or put the value in quotes.")
            return Scalar(self._place(event), "", plain=True)
        return Alias(self._place(event), target)

    def _sequence(self, event: SequenceStartEvent, events: Iterator[Event], depth: int) -> Sequence:
        node = Sequence(self._place(event))
        self._remember(event, node)
        for child in self._inside(event, events, depth, SequenceEndEvent):
            node.items.append(self._node(child, events, depth + 1))
        return node

    def _mapping(self, event: MappingStartEvent, events: Iterator[Event], depth: int) -> Mapping:
        node = Mapping(self._place(event))
        self._remember(event, node)
        for child in self._inside(event, events, depth, MappingEndEvent):
            key = self._node(child, events, depth + 1)
            node.entries.append((key, self._node(next(events), events, depth + 1)))
        return node

    def _inside(self, start: Event, events: Iterator[Event], depth: int, end: type[Event]) -> Iterator[Event]:
        """The events up to this collection's end; what lies too deep for recursion is passed over."""
        if depth == DEPTH:
            self._report(start, f"More than {DEPTH} levels lie inside one another.", "Flatten the file.")
            nested = 1
            while nested:
                event = next(events)
                nested += isinstance(event, (SequenceStartEvent, MappingStartEvent))
                nested -= isinstance(event, (SequenceEndEvent, MappingEndEvent))
            return
        while not isinstance(event := next(events), end):
            yield event

    def _remember(self, event: ScalarEvent | SequenceStartEvent | MappingStartEvent, node: Node) -> None:
        """Keep what an alias may refer to, and refuse tags: they would make objects."""
        if event.anchor:
            self._anchors[event.anchor] = node
        tag = str(event.tag or "!").replace("tag:yaml.org,2002:", "!!")
        if tag != "!" and not (tag == "!!str" and isinstance(event, ScalarEvent)):
            self._report(event, f"The tag {tag} is not read here.", "Remove it.")
