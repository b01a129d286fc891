"""Makes the values of one record: reads, transforms and translates leaf by leaf, and builds what AWS is sent of them.

Judges nothing: what comes of it is checked by ``mapper``. Never raises for what stands in a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from connector.core import schema
from connector.core.mapping.nodes import ASSIGNEE, NOTHING, Each, Invitations, Items, Leaf, Node, Struct, leaves_of
from connector.core.model import Blocks, Origin, Problem, Structure
from connector.core.paths import PathError, dotted_reader
from connector.core.text import to_text
from connector.core.transforms import TransformError, apply

_BLOCKED: Mapping[str, Blocks] = {"AwsSubmission": "submit", ASSIGNEE: "assign"}
EMPTY: Any = None
"""What every empty value is from where it is read on, so that nothing has to look for the other kinds again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A leaf that has no value for a reason. ``lacked`` are the AWS paths its transforms asked for and found empty.

    ``is_borrowed``: the reason is that of another leaf, which it wanted to be like.
    """

    problem: Problem
    lacked: tuple[str, ...]
    is_borrowed: bool = False


class _Borrowed(Exception):
    """The leaf that another one wants to be like has failed."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


@dataclass(slots=True)
class Pass:
    """One record on its way through the mapping.

    ``known`` are values or failures of the opportunity's leaves by AWS path, ``lost`` the AWS paths that have no value
    because their leaf failed.
    """

    record: Structure
    known: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def problems(self, others: list[Problem]) -> list[Problem]:
        """The failed leaves' problems, but for those that only follow from another one: that is told alone."""
        told = {problem.path for problem in others}
        told |= {failure.problem.path for failure in self.failed}
        return [failure.problem for failure in self.failed if told.isdisjoint(failure.lacked)]

    def value_of(self, leaf: Leaf, record: Any, path: str) -> Any:
        """The value of a leaf that AWS sees at ``path``, EMPTY when it has none; trouble is noted there."""
        is_known = record is None
        outcome = self.known[leaf.path] if is_known else self.evaluate(leaf, record)
        origin = leaf.origin if leaf.like is None else self._origin(leaf, record)
        self.origins.setdefault(leaf.path, origin)
        self.origins[path] = origin
        if isinstance(outcome, Failure):
            problem = outcome.problem if outcome.is_borrowed else replace(outcome.problem, path=path)
            self.failed.append(replace(outcome, problem=problem))
            self.lost.add(path)
            return EMPTY
        return outcome

    def _origin(self, leaf: Leaf, record: Any) -> Origin:
        """Where the value of a leaf comes from, which may be the leaf it is like."""
        if leaf.like is None or self._known_value(leaf.like.path) is EMPTY:
            return leaf.origin
        try:
            return leaf.like.origin if _raw(leaf, record) is EMPTY else leaf.origin
        except PathError:
            return leaf.origin

    def evaluate(self, leaf: Leaf, record: Any) -> Any:
        """Read, transform, translate. Never raises: what cannot be done to this record becomes a failure."""
        try:
            return _fitted(self._value(leaf, record), leaf)
        except _Borrowed as error:
            return replace(error.failure, is_borrowed=True)
        except TransformError as error:
            problem = Problem(leaf.path, error.message, error.cure, "transform")
        except PathError as error:
            problem = Problem(leaf.path, str(error), "Correct the path in the mapping.", "path")
        if (blocks := _BLOCKED.get(leaf.path.partition(".")[0])) is not None:
            problem = replace(problem, blocks=blocks)
        asked = [step.arguments[name] for step in leaf.steps for name in step.aws_paths]
        lacked = tuple(path for path in asked if self._known_value(path) in NOTHING)
        return Failure(problem.located(self._origin(leaf, record)), lacked)

    def _known_value(self, path: str) -> Any:
        value = self.known.get(path, EMPTY)
        return EMPTY if isinstance(value, Failure) else value

    def _value(self, leaf: Leaf, record: Any) -> Any:
        if leaf.when is not None and not leaf.when.holds(self._tested(leaf, record)):
            return EMPTY
        value = _raw(leaf, record)
        if value is EMPTY and leaf.like is not None:
            value = self._value_like(leaf.like)
        if leaf.steps and value is not EMPTY:
            value = self._transformed(leaf, value)
        if value is EMPTY:
            return leaf.default
        return value if leaf.values is None else _translated(leaf, leaf.values, value)

    def _value_like(self, other: Leaf) -> Any:
        """What the opportunity sends at another leaf. Raises _Borrowed where that one failed."""
        outcome = self.known.get(other.path, EMPTY)
        if isinstance(outcome, Failure):
            raise _Borrowed(outcome)
        return outcome

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

    def build(self, tree: Struct, path: str = "", record: Any = None) -> Any:
        """The payload, EMPTY when nothing but constants is left of something that has sources.

        ``record`` is what its leaves read; None for the opportunity's own, which are known.
        """
        return self._built(tree, path, record)[0]

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
        values, _ = self._collected([(node.item, row) for row in rows_of(node, self.record)], path)
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


def rows_of(node: Each | Invitations, record: Structure) -> list[Any]:
    """The rows of a child relationship that are meant, in order."""
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
