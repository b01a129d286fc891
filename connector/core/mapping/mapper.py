"""Applies a compiled mapping to one Salesforce record. Invents nothing: an empty result is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from connector.core import rules, schema
from connector.core.mapping.nodes import CompiledMapping, Each, Items, Leaf, Node, Struct, to_text
from connector.core.model import Association, Mapped, Origin, Problem, Structure
from connector.core.paths import dotted_reader
from connector.core.transforms import TransformError, apply

EMPTY: Any = None
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def map_record(mapping: CompiledMapping, record: Structure, today: date) -> Mapped:
    """Map one record and check it.

    ``record`` is nested as the mapping's paths are, child rows as lists. ``today`` is the date in UTC that
    AWS's rules are judged by. Every problem comes back at once, each with its Salesforce field and line.
    """
    pass_ = _Pass(record)
    for leaf in mapping.leaves:
        pass_.known[leaf.path] = pass_.value_of(leaf, record)
    opportunity = pass_.build(mapping.tree, "") or {}
    associations = _associations(mapping, pass_)
    submission = _submission(mapping, pass_)
    problems = [*pass_.problems, *schema.check(opportunity, mapping.shape)]
    problems += rules.check_create(opportunity, today)
    if submission is not None:
        submitted = schema.check(submission, mapping.submission_shape, "AwsSubmission")
        problems += [replace(problem, blocks="submit") for problem in submitted]
        problems += rules.check_submission(opportunity, associations, submission, today)
    mapped = Mapped(opportunity, associations, submission, (), pass_.origins)
    return replace(mapped, problems=_told(problems, mapped))


def _told(problems: list[Problem], mapped: Mapped) -> tuple[Problem, ...]:
    """Each path once, the most telling problem first, with its origin. A failed transform explains the gap it leaves."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.path, problem.located(mapped.origin_of(problem.path)))
    return tuple(first.values())


def _associations(mapping: CompiledMapping, pass_: _Pass) -> tuple[Association, ...]:
    found: list[Association] = []
    for entity_type, leaf in mapping.associate.items():
        path = leaf.path
        value = pass_.value_of(leaf, pass_.record)
        pass_.origins[path] = leaf.origin
        identifiers = value if isinstance(value, list) else [value]
        found += [Association(entity_type, str(item).strip()) for item in identifiers if item not in _NOTHING]
    return tuple(dict.fromkeys(found))


def _submission(mapping: CompiledMapping, pass_: _Pass) -> Structure | None:
    if mapping.submission is None:
        return None
    when = mapping.submission.when
    if when is not None and not when.holds(lambda path: dotted_reader(path)(pass_.record)):
        return None
    submission: Structure = {}
    for name, member in mapping.submission.members.members.items():
        assert isinstance(member, Leaf)
        pass_.origins[member.path] = member.origin
        value = pass_.value_of(member, pass_.record)
        if value not in _NOTHING:
            submission[name] = value
    return submission


@dataclass(slots=True)
class _Pass:
    """One record on its way through the mapping."""

    record: Structure
    known: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def value_of(self, leaf: Leaf, record: Any, path: str = "") -> Any:
        """The value of one leaf, EMPTY when it has none; a failing transform becomes a problem at ``path``."""
        if leaf.when is not None and not leaf.when.holds(self._tested(leaf, record)):
            return EMPTY
        raw = self._raw(leaf, record)
        if raw in _NOTHING:
            return leaf.default if leaf.default is not None else EMPTY
        try:
            value = self._transformed(leaf, raw)
            value = self._translated(leaf, value)
        except TransformError as error:
            problem = Problem(path or leaf.path, error.message, error.cure, "transform")
            self.problems.append(problem.located(leaf.origin))
            return EMPTY
        return _fitted(value, leaf)

    def _tested(self, leaf: Leaf, record: Any) -> Any:
        assert leaf.when is not None
        return leaf.when.field.read(record) if leaf.when.field else self.known.get(leaf.when.aws_path)

    def _raw(self, leaf: Leaf, record: Any) -> Any:
        if leaf.template is not None:
            return leaf.template.read(record)
        for source in leaf.sources:
            value = source.read(record)
            if isinstance(value, str):
                value = value.strip()
            if value not in _NOTHING:
                return value
        return leaf.constant

    def _transformed(self, leaf: Leaf, value: Any) -> Any:
        for step in leaf.steps:
            arguments = dict(step.arguments)
            for name in step.aws_paths:
                arguments[name] = self.known.get(arguments[name])
            value = apply(step.transform, value, arguments)
            if value in _NOTHING:
                return EMPTY
        return value

    def _translated(self, leaf: Leaf, value: Any) -> Any:
        if leaf.values is None or value in _NOTHING:
            return value
        if isinstance(value, list):
            return [found for item in value if (found := self._looked_up(leaf, item)) not in _NOTHING]
        return self._looked_up(leaf, value)

    @staticmethod
    def _looked_up(leaf: Leaf, value: Any) -> Any:
        assert leaf.values is not None
        text = to_text(value).strip()
        if text in leaf.values:
            return leaf.values[text]
        folded = {name.casefold(): found for name, found in leaf.values.items()}
        if text.casefold() in folded:
            return folded[text.casefold()]
        if leaf.otherwise is not None:
            return leaf.otherwise
        suggestion = schema.suggest(text, tuple(leaf.values))
        raise TransformError(
            f"{text!r} is not in the mapping's list of values.",
            suggestion or "Add it there, choose another value in Salesforce, or set otherwise.",
        )

    def build(self, node: Node, path: str, record: Any = None) -> Any:
        """The value of a node, EMPTY when nothing but constants is left of something that has sources."""
        value, _ = self._built(node, path, record)
        return value

    def _built(self, node: Node, path: str, record: Any) -> tuple[Any, bool]:
        """(value, whether anything in it came from the record or a default)."""
        if isinstance(node, Leaf):
            return self._built_leaf(node, path, record)
        if isinstance(node, Struct):
            return self._built_struct(node, path, record)
        if isinstance(node, Items):
            return self._collected([(item, record) for item in node.items], path)
        return self._built_each(node, path)

    def _built_leaf(self, leaf: Leaf, path: str, record: Any) -> tuple[Any, bool]:
        self.origins.setdefault(leaf.path, leaf.origin)
        self.origins[path] = leaf.origin
        value = self.known[leaf.path] if record is None else self.value_of(leaf, record, path)
        return value, leaf.is_sourced and value not in _NOTHING

    def _built_struct(self, node: Struct, path: str, record: Any) -> tuple[Any, bool]:
        members, filled, sourced = {}, False, False
        for name, member in node.members.items():
            value, from_record = self._built(member, f"{path}.{name}" if path else name, record)
            sourced = sourced or not (isinstance(member, Leaf) and not member.is_sourced)
            filled = filled or from_record
            if value not in _NOTHING:
                members[name] = value
        if not members or (sourced and not filled):
            return EMPTY, False
        return members, filled or not sourced

    def _built_each(self, node: Each, path: str) -> tuple[Any, bool]:
        self.origins[path] = node.origin
        for leaf in _leaves(node.item):
            self.origins.setdefault(leaf.path, leaf.origin)
        rows = _rows(node, self.record)
        return self._collected([(node.item, row) for row in rows], path)

    def _collected(self, items: list[tuple[Node, Any]], path: str) -> tuple[Any, bool]:
        """The non-empty items; their indices are those AWS will see."""
        values: list[Any] = []
        for item, record in items:
            value, _ = self._built(item, f"{path}[{len(values)}]", record)
            if value not in _NOTHING:
                values.append(value)
        return values or EMPTY, bool(values)


def _leaves(node: Node) -> list[Leaf]:
    if isinstance(node, Leaf):
        return [node]
    if isinstance(node, Struct):
        return [leaf for member in node.members.values() for leaf in _leaves(member)]
    return []


def _rows(node: Each, record: Structure) -> list[Any]:
    rows = dotted_reader(node.relationship)(record) or []
    if not isinstance(rows, list):
        return []
    where = node.where
    if where is not None:
        rows = [row for row in rows if where.holds(lambda path, row=row: dotted_reader(path)(row))]  # type: ignore[misc]
    for path, descending in reversed(node.order_by):
        rows = sorted(rows, key=lambda row, path=path: _rank(path.read(row)), reverse=descending)  # type: ignore[misc]
    return rows[: node.limit]


def _rank(value: Any) -> tuple[int, Any]:
    """Empty values first, as Salesforce sorts them; text without case."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool | int | float | Decimal):
        return (1, value)
    return (2, str(value).casefold())


_NUMBER = (int, float, Decimal)


def _fitted(value: Any, leaf: Leaf) -> Any:
    """Numbers become text where AWS wants text; anything else is left for the field table to judge."""
    if isinstance(value, list):
        item = leaf.shape.item
        kind = item.kind if item is not None else ""
        return [_as_text(entry) if kind == "string" else entry for entry in value if entry not in _NOTHING]
    return _as_text(value) if leaf.shape.kind == "string" else value


def _as_text(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        return value
    text = format(Decimal(str(value)), "f")
    return re.sub(r"\.0*$|(\.\d*?)0+$", r"\1", text) if "." in text else text


def subset_differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Where ``actual`` lacks what ``expected`` says, in words; a list must have just the expected items."""
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return [f"{path or 'the result'} is missing"]
        found: list[str] = []
        for name, value in expected.items():
            found += subset_differences(value, actual.get(name), f"{path}.{name}" if path else str(name))
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [
            w
            for i, (e, a) in enumerate(zip(expected, actual, strict=True))
            for w in subset_differences(e, a, f"{path}[{i}]")
        ]
    return [] if expected == actual else [f"{path} is {actual!r}, expected {expected!r}"]
