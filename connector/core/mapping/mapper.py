"""Applies a compiled mapping to one Salesforce record. Invents nothing: an empty result is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from connector.core import rules, schema
from connector.core.mapping.nodes import (
    NOTHING,
    CompiledMapping,
    Each,
    Items,
    Leaf,
    Node,
    Struct,
    leaves_of,
)
from connector.core.model import Association, Mapped, Origin, Problem, Structure
from connector.core.paths import PathError, dotted_reader
from connector.core.text import to_text
from connector.core.transforms import TransformError, apply

EMPTY: Any = None
"""What every empty value is from where it is read on, so that nothing has to look for the other kinds again."""


def map_record(mapping: CompiledMapping, record: Structure, today: date) -> Mapped:
    """Map one record and check it.

    ``record`` is nested as the mapping's paths are, child rows as lists. ``today`` is the date in UTC that
    AWS's rules are judged by. Every problem comes back at once, each with its Salesforce field and line.
    """
    pass_ = _Pass(record)
    for leaf in mapping.leaves:
        pass_.known[leaf.path] = pass_.evaluate(leaf, record)
    opportunity = pass_.build(mapping.tree) or {}
    associations = _associations(mapping, pass_)
    submission = _submission(mapping, pass_)
    found = [*schema.check(opportunity, mapping.shape), *rules.check_create(opportunity, today)]
    if submission is not None:
        submitted = schema.check(submission, mapping.submission_shape, "AwsSubmission")
        found += [replace(problem, blocks="submit") for problem in submitted]
        found += rules.check_submission(opportunity, associations, submission, today)
    mapped = Mapped(opportunity, associations, submission, (), pass_.origins)
    return replace(mapped, problems=_told([*pass_.problems(found), *found], mapped))


def _told(problems: Iterable[Problem], mapped: Mapped) -> tuple[Problem, ...]:
    """Each path once, the most telling problem first: a failed transform explains the gap it leaves."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.path, problem.located(mapped.origin_of(problem.path)))
    return tuple(first.values())


def _associations(mapping: CompiledMapping, pass_: _Pass) -> tuple[Association, ...]:
    found: list[Association] = []
    for entity_type, leaf in mapping.associate.items():
        value = pass_.value_of(leaf, pass_.record, leaf.path)
        identifiers = value if isinstance(value, list) else [value]
        found += [Association(entity_type, str(item).strip()) for item in identifiers if item not in NOTHING]
    return tuple(dict.fromkeys(found))


def _submission(mapping: CompiledMapping, pass_: _Pass) -> Structure | None:
    if mapping.submission is None:
        return None
    when = mapping.submission.when
    if when is not None and not when.holds(lambda path: dotted_reader(path)(pass_.record)):
        return None
    members = leaves_of(mapping.submission.members)
    values = {leaf.path: pass_.value_of(leaf, pass_.record, leaf.path) for leaf in members}
    return {path.rpartition(".")[2]: value for path, value in values.items() if value is not EMPTY}


@dataclass(frozen=True, slots=True)
class _Failure:
    """A leaf that has no value for a reason. ``lacked`` are the AWS paths its transforms asked for and found empty."""

    problem: Problem
    lacked: tuple[str, ...]


@dataclass(slots=True)
class _Pass:
    """One record on its way through the mapping. ``known`` are values or failures by AWS path."""

    record: Structure
    known: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    failed: list[_Failure] = field(default_factory=list)

    def problems(self, others: list[Problem]) -> list[Problem]:
        """The failed leaves' problems, but for those that only follow from another one: that is told alone."""
        told = {problem.path for problem in others}
        told |= {failure.problem.path for failure in self.failed}
        return [failure.problem for failure in self.failed if told.isdisjoint(failure.lacked)]

    def value_of(self, leaf: Leaf, record: Any, path: str) -> Any:
        """The value of a leaf that AWS sees at ``path``, EMPTY when it has none; trouble is noted there."""
        is_known = record is None
        outcome = self.known[leaf.path] if is_known else self.evaluate(leaf, record)
        self.origins.setdefault(leaf.path, leaf.origin)
        self.origins[path] = leaf.origin
        if isinstance(outcome, _Failure):
            self.failed.append(replace(outcome, problem=replace(outcome.problem, path=path)))
            return EMPTY
        return outcome

    def evaluate(self, leaf: Leaf, record: Any) -> Any:
        """Read, transform, translate. Never raises: what cannot be done to this record becomes a failure."""
        try:
            return _fitted(self._value(leaf, record), leaf)
        except TransformError as error:
            problem = Problem(leaf.path, error.message, error.cure, "transform")
        except PathError as error:
            problem = Problem(leaf.path, str(error), "Correct the path in the mapping.", "path")
        if leaf.path.startswith("AwsSubmission."):
            problem = replace(problem, blocks="submit")
        asked = [step.arguments[name] for step in leaf.steps for name in step.aws_paths]
        lacked = tuple(path for path in asked if self._known_value(path) in NOTHING)
        return _Failure(problem.located(leaf.origin), lacked)

    def _known_value(self, path: str) -> Any:
        value = self.known.get(path, EMPTY)
        return EMPTY if isinstance(value, _Failure) else value

    def _value(self, leaf: Leaf, record: Any) -> Any:
        if leaf.when is not None and not leaf.when.holds(self._tested(leaf, record)):
            return EMPTY
        value = _raw(leaf, record)
        if leaf.steps and value is not EMPTY:
            value = self._transformed(leaf, value)
        if value is EMPTY:
            return leaf.default
        return value if leaf.values is None else _translated(leaf, leaf.values, value)

    def _tested(self, leaf: Leaf, record: Any) -> Any:
        assert leaf.when is not None
        return leaf.when.field.read(record) if leaf.when.field else self._known_value(leaf.when.aws_path)

    def _transformed(self, leaf: Leaf, value: Any) -> Any:
        for step in leaf.steps:
            arguments = step.arguments
            if step.aws_paths:
                arguments = {**arguments, **{name: self._known_value(arguments[name]) for name in step.aws_paths}}
            value = apply(step.transform, value, arguments)
            if value is EMPTY:
                return EMPTY
        return value

    def build(self, tree: Struct) -> Any:
        """The payload, EMPTY when nothing but constants is left of something that has sources."""
        return self._built(tree, "", None)[0]

    def _built(self, node: Node, path: str, record: Any) -> tuple[Any, bool]:
        """(value, whether anything in it came from the record or a default); no ``record``: outside any each."""
        if isinstance(node, Leaf):
            value = self.value_of(node, record, path)
            return value, node.is_sourced and value is not EMPTY
        if isinstance(node, Struct):
            return self._built_struct(node, path, record)
        if isinstance(node, Items):
            return self._collected([(item, record) for item in node.items], path)
        return self._built_each(node, path)

    def _built_struct(self, node: Struct, path: str, record: Any) -> tuple[Any, bool]:
        members, filled = {}, False
        prefix = f"{path}." if path else ""
        for name, member in node.members.items():
            value, from_record = self._built(member, prefix + name, record)
            if value is not EMPTY:
                members[name] = value
                filled = filled or from_record
        is_kept = bool(members) and (filled or not node.is_sourced)
        return (members, filled) if is_kept else (EMPTY, False)

    def _built_each(self, node: Each, path: str) -> tuple[Any, bool]:
        self.origins[path] = node.origin
        for leaf in leaves_of(node):
            self.origins.setdefault(leaf.path, leaf.origin)
        values, _ = self._collected([(node.item, row) for row in _rows(node, self.record)], path)
        return values, bool(values)

    def _collected(self, items: list[tuple[Node, Any]], path: str) -> tuple[Any, bool]:
        """The non-empty items; their indices are those AWS will see."""
        values: list[Any] = []
        filled = False
        for item, record in items:
            value, from_record = self._built(item, f"{path}[{len(values)}]", record)
            if value is not EMPTY:
                values.append(value)
                filled = filled or from_record
        return values or EMPTY, filled


def _raw(leaf: Leaf, record: Any) -> Any:
    if leaf.template is not None:
        return leaf.template.read(record)
    for source in leaf.sources:
        value = source.read(record)
        if isinstance(value, str):
            value = value.strip()
        if value not in NOTHING:
            return value
    return leaf.constant


def _translated(leaf: Leaf, values: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, list):
        return [found for item in value if (found := _looked_up(leaf, values, item)) not in NOTHING]
    return _looked_up(leaf, values, value)


def _looked_up(leaf: Leaf, values: Mapping[str, Any], value: Any) -> Any:
    text = to_text(value).strip()
    if text in values:
        return values[text]
    if text.casefold() in leaf.folded:
        return leaf.folded[text.casefold()]
    if leaf.otherwise is not None:
        return leaf.otherwise
    suggestion = schema.suggest(text, tuple(values))
    raise TransformError(
        f"{text!r} is not in the mapping's list of values.",
        suggestion or "Add it there, choose another value in Salesforce, or set otherwise.",
    )


def _rows(node: Each, record: Structure) -> list[Any]:
    rows = dotted_reader(node.relationship)(record)
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
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


def _fitted(value: Any, leaf: Leaf) -> Any:
    """Numbers become text where AWS wants text. Raises TransformError for what is no value at all."""
    if value is EMPTY or isinstance(value, str):
        return value or EMPTY
    if isinstance(value, list):
        if leaf.shape.kind != "list":
            raise TransformError("There are several values, AWS takes one.", "Take one of them in the mapping: … | [0]")
        item = leaf.shape.item
        kind = item.kind if item is not None else ""
        return [_as_scalar(entry, kind) for entry in value if entry not in NOTHING] or EMPTY
    return _as_scalar(value, leaf.shape.kind)


def _as_scalar(value: Any, kind: str) -> Any:
    if isinstance(value, dict | list):
        raise TransformError("This is not one value but a record.", "Name one of its fields in the mapping.")
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return to_text(value) if is_number and kind in {"string", "list"} else value
