"""A query ready to run: which rows, in what order, and which columns of each; and the view it runs on.

Names are settled by then (`binding`), so nothing here refuses anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from connector.sandbox.salesforce.derived import to_address
from connector.sandbox.salesforce.permissions import Permissions
from connector.sandbox.salesforce.schema import Field, ObjectType
from connector.sandbox.salesforce.store import Row, Store
from connector.sandbox.salesforce.values import to_wire

Predicate = Callable[[Row], bool]
Reader = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """The way from a row to its parent: the reference field, the parent's object, the relationship's "
    "name."""

    field: str
    target: str
    name: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field of the row itself; with `is_label` a picklist value is shown by its label."""

    key: str
    field: Field
    is_label: bool = False


@dataclass(slots=True)
class Parent:
    """The columns wanted of a parent."""

    step: Step
    columns: list[Column]


@dataclass(frozen=True, slots=True)
class Children:
    """A subquery; `field` is the reference that points back."""

    key: str
    field: str
    plan: Plan


Column = Leaf | Parent | Children


@dataclass(frozen=True, slots=True)
class Sort:
    read: Reader
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """`ids` narrows the scan where the condition names them; None means every row."""

    kind: ObjectType
    columns: tuple[Column, ...]
    is_count: bool
    where: Predicate
    ids: frozenset[str] | None
    order: tuple[Sort, ...]
    limit: int | None
    offset: int


@dataclass(frozen=True, slots=True)
class View:
    """What the integration user sees of the store; with `all_rows` deleted rows as well."""

    store: Store
    permissions: Permissions
    all_rows: bool

    def may_see(self, row: Row) -> bool:
        if row["Id"] in self.permissions.hidden_rows:
            return False
        return self.all_rows or not row.get("IsDeleted")

    def find_parent(self, row: Row, step: Step) -> Row | None:
        target = row.get(step.field)
        parent = self.store.table(step.target).rows.get(target) if target else None
        return parent if parent is not None and self.may_see(parent) else None

    def find_rows(self, plan: Plan) -> Iterator[Row]:
        rows = self.store.table(plan.kind.name).rows
        if plan.ids is not None:
            return (rows[one] for one in sorted(plan.ids) if one in rows)
        return iter(rows.values())

    def find_children(self, children: Children, parent_id: str) -> list[Row]:
        table = self.store.table(children.plan.kind.name)
        rows = [table.rows[one] for one in table.find(children.field, parent_id)]
        return select(children.plan, rows, self)

    def run(self, plan: Plan) -> list[Row]:
        """The rows of a plan, in order."""
        return select(plan, self.find_rows(plan), self)


def select(plan: Plan, rows: Iterable[Row], view: View) -> list[Row]:
    """Filters, sorts and cuts."""
    where, may_see = plan.where, view.may_see
    found = [row for row in rows if where(row) and may_see(row)]
    for sort in reversed(plan.order):
        found = _sort(found, sort)
    end = None if plan.limit is None else plan.offset + plan.limit
    return found[plan.offset : end]


def _sort(rows: list[Row], sort: Sort) -> list[Row]:
    keyed = [(sort.read(row), row) for row in rows]
    empty = [row for value, row in keyed if value is None]
    full = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=sort.descending)
    ordered = [row for _, row in full]
    return ordered + empty if sort.nulls_last else empty + ordered


def render(columns: Iterable[Column], kind: str, row: Row, view: View, base: str) -> dict[str, Any]:
    """One record without its children, whose keys are kept as places to be filled. `base` is the "
    "versioned root."""
    out: dict[str, Any] = {"attributes": {"type": kind, "url": f"{base}/sobjects/{kind}/{row['Id']}"}}
    for column in columns:
        if isinstance(column, Leaf):
            out[column.key] = show(column.field, row, is_label=column.is_label)
        elif isinstance(column, Children):
            out[column.key] = None
        else:
            parent = view.find_parent(row, column.step)
            target = column.step.target
            out[column.step.name] = None if parent is None else render(column.columns, target, parent, view, base)
    return out


def show(field: Field, row: Row, *, is_label: bool = False) -> Any:
    """The wire value of one field of a row."""
    if field.type == "address":
        return to_address(row, field.name)
    value = to_wire(field, row.get(field.name))
    return dict(field.values).get(value, value) if is_label and value is not None else value
