"""From a SOQL tree to a plan: finds what each name means for this user, and refuses what the platform
refuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from connector.sandbox.salesforce import soql
from connector.sandbox.salesforce.conditions import match, read_ids
from connector.sandbox.salesforce.faults import QueryError
from connector.sandbox.salesforce.permissions import Permissions
from connector.sandbox.salesforce.plan import (
    Children,
    Column,
    Leaf,
    Parent,
    Plan,
    Predicate,
    Reader,
    Sort,
    Step,
    View,
)
from connector.sandbox.salesforce.schema import REFERENCES, Field, ObjectType, Schema
from connector.sandbox.salesforce.store import Row
from connector.sandbox.salesforce.tokens import fault_at

MAX_LEVELS = 5
MAX_SUBQUERIES = 20
MAX_SEMI_JOINS = 2
_HINT = "Please reference your WSDL or the describe call for the appropriate names."


@dataclass(frozen=True, slots=True)
class Route:
    """What a dotted path means: parents to pass through, then a field."""

    steps: tuple[Step, ...]
    field: Field


def bind(text: str, schema: Schema, view: View, today: date) -> Plan:
    """The plan of a SOQL text; QueryError where the text, a name or a comparison is wrong."""
    return _Binder(text, schema, view, today).bind_root(soql.parse(text))


class _Binder:
    def __init__(self, text: str, schema: Schema, view: View, today: date) -> None:
        self.text = text
        self.schema = schema
        self.view = view
        self.today = today
        self.permissions: Permissions = view.permissions

    def bind_root(self, query: soql.Query) -> Plan:
        kind = self.schema.find(query.source)
        if kind is None or not self.permissions.may("read", kind.name):
            raise self.refuse(
                query.source_at,
                "INVALID_TYPE",
                f"sObject type '{query.source}' is not supported. If you are attempting to use a custom "
                f"object, be sure to append the '__c' after the entity name. {_HINT}",
            )
        return self.bind(query, kind)

    def refuse(self, at: int, code: str, message: str) -> QueryError:
        return fault_at(self.text, at, code, message)

    def bind(self, query: soql.Query, kind: ObjectType) -> Plan:
        scope = _Scope(self, query, kind)
        where = scope.bind_where(query.where) if query.where else _always
        return Plan(
            kind,
            tuple(scope.bind_columns()),
            query.is_count,
            where,
            scope.ids,
            tuple(scope.bind_order(order) for order in query.order),
            query.limit,
            query.offset,
        )


def _always(_row: Row) -> bool:
    return True


class _Scope:
    """One SELECT of the text, with the object its names belong to."""

    def __init__(self, binder: _Binder, query: soql.Query, kind: ObjectType) -> None:
        self.binder = binder
        self.query = query
        self.kind = kind
        self.ids: frozenset[str] | None = None
        self._semi_joins = 0

    # -- names ---------------------------------------------------------------------------------------

    def resolve(self, path: soql.Path) -> Route:
        names = self._drop_own_name(path.names)
        if len(names) > MAX_LEVELS + 1:
            message = f"SOQL relationship queries cannot be more than {MAX_LEVELS} levels"
            raise self.binder.refuse(path.at, "INVALID_FIELD", message)
        kind, steps = self.kind, []
        for name in names[:-1]:
            step = self._find_step(kind, name)
            if step is None:
                raise self._unknown_relationship(path, name)
            steps.append(step)
            kind = self.binder.schema.get(step.target)
        field = self.binder.permissions.find_field(kind, names[-1])
        if field is None:
            raise self._unknown_field(path, names[-1], kind)
        return Route(tuple(steps), field)

    def _drop_own_name(self, names: tuple[str, ...]) -> tuple[str, ...]:
        first = names[0].lower()
        if len(names) == 1:
            return names
        if self.query.alias and first == self.query.alias.lower():
            return names[1:]
        is_own = first in {self.query.source.lower(), self.kind.name.lower()}
        return names[1:] if is_own and self._find_step(self.kind, names[0]) is None else names

    def _find_step(self, kind: ObjectType, name: str) -> Step | None:
        for field in kind.fields.values():
            if field.relationship and field.relationship.lower() == name.lower() and field.target:
                permissions = self.binder.permissions
                if permissions.is_readable(kind.name, field) and permissions.may("read", field.target):
                    return Step(field.name, field.target, field.relationship)
                return None
        return None

    def _unknown_relationship(self, path: soql.Path, name: str) -> QueryError:
        return self.binder.refuse(
            path.at,
            "INVALID_FIELD",
            f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom "
            f"relationship, be sure to append the '__r' after the custom relationship name. {_HINT}",
        )

    def _unknown_field(self, path: soql.Path, name: str, kind: ObjectType) -> QueryError:
        return self.binder.refuse(
            path.at,
            "INVALID_FIELD",
            f"No such column '{name}' on entity '{kind.name}'. If you are attempting to use a custom field, "
            f"be sure to append the '__c' after the custom field name. {_HINT}",
        )

    # -- columns -------------------------------------------------------------------------------------

    def bind_columns(self) -> list[Column]:
        columns: list[Column] = []
        seen: set[str] = set()
        for item in self.query.fields:
            if isinstance(item, soql.Query):
                columns.append(self._bind_children(item, seen))
            else:
                self._add_column(columns, item, seen)
        if sum(isinstance(column, Children) for column in columns) > MAX_SUBQUERIES:
            message = f"Maximum {MAX_SUBQUERIES} child relationships allowed in a query"
            raise QueryError("MALFORMED_QUERY", message)
        return columns

    def _add_column(self, columns: list[Column], path: soql.Path, seen: set[str]) -> None:
        route = self.resolve(path)
        name = ".".join([*(step.name for step in route.steps), path.alias or route.field.name])
        if name.lower() in seen:
            raise QueryError("INVALID_FIELD", f"duplicate field selected: {name}")
        seen.add(name.lower())
        for step in route.steps:
            columns = _find_parent(columns, step).columns
        columns.append(Leaf(path.alias or route.field.name, route.field, path.label))

    def _bind_children(self, query: soql.Query, seen: set[str]) -> Children:
        relationship = query.source.rpartition(".")[2]
        child = self.binder.schema.find_child(self.kind.name, relationship)
        if child is None or child.name is None or not self.binder.permissions.may("read", child.object):
            raise self.binder.refuse(
                query.source_at,
                "INVALID_TYPE",
                f"Didn't understand relationship '{relationship}' in FROM part of query call. If you are "
                "attempting to use a custom relationship, be sure to append the '__r' after the custom "
                f"relationship name. {_HINT}",
            )
        if child.name.lower() in seen:
            raise self.binder.refuse(query.at, "MALFORMED_QUERY", f"duplicate alias: {child.name}")
        seen.add(child.name.lower())
        plan = self.binder.bind(query, self.binder.schema.get(child.object))
        return Children(child.name, child.field, plan)

    # -- order and conditions ------------------------------------------------------------------------

    def bind_order(self, order: soql.Order) -> Sort:
        route = self.resolve(order.path)
        if not route.field.is_sortable:
            message = f"field '{route.field.name}' can not be sorted in a query call"
            raise self.binder.refuse(order.path.at, "MALFORMED_QUERY", message)
        return Sort(_sort_key(route.field, self.read(route)), order.descending, order.nulls_last)

    def read(self, route: Route) -> Reader:
        """How to read the value at the end of a route; None where a parent is missing."""
        name, is_flag = route.field.name, route.field.type == "boolean"
        if not route.steps:
            return (lambda row: row.get(name, False)) if is_flag else (lambda row: row.get(name))
        find_parent = self.binder.view.find_parent

        def read_far(row: Row) -> object:
            current: Row | None = row
            for step in route.steps:
                current = find_parent(current, step) if current is not None else None
            return current.get(name) if current is not None else None

        return read_far

    def bind_where(self, condition: soql.Condition) -> Predicate:
        for part in _conjuncts(condition):
            found = read_ids(part) if not self.ids else None
            if found is not None:
                self.ids = found
        return self._bind_condition(condition, "")

    def _bind_condition(self, condition: soql.Condition, inside: str) -> Predicate:
        if isinstance(condition, soql.Junction):
            parts = [self._bind_condition(one, f"{inside} {condition.operator}") for one in condition.parts]
            return _all_of(parts) if condition.operator == "AND" else _any_of(parts)
        if isinstance(condition, soql.Not):
            part = self._bind_condition(condition.part, f"{inside} NOT")
            return lambda row: not part(row)
        route = self.resolve(condition.path)
        self._check_filterable(condition.path, route.field)
        if isinstance(condition, soql.Member) and isinstance(condition.values, soql.Query):
            return self._bind_semi_join(condition, condition.values, route, inside.split())
        refuse = self.binder.refuse
        return match(condition, route.field, self.read(route), self.binder.today, refuse)

    def _check_filterable(self, path: soql.Path, field: Field) -> None:
        if field.type == "address":
            message = "Address fields can only be filtered using Distance expressions"
            raise self.binder.refuse(path.at, "INVALID_FIELD", message)
        if not field.is_filterable:
            message = f"field '{field.name}' can not be filtered in a query call"
            raise self.binder.refuse(path.at, "INVALID_FIELD", message)

    # -- semi-joins ----------------------------------------------------------------------------------

    def _bind_semi_join(self, member: soql.Member, query: soql.Query, route: Route, inside: list[str]) -> Predicate:
        self._check_place(inside)
        plan = self.binder.bind_root(query)
        leaf = plan.columns[0] if len(plan.columns) == 1 else None
        if not isinstance(leaf, Leaf) or leaf.field.type not in REFERENCES or route.steps:
            message = "Semi join sub-selects must select one ID or reference field"
            raise self.binder.refuse(member.path.at, "MALFORMED_QUERY", message)
        outer = route.field.target or self.kind.name
        if route.field.type not in REFERENCES or outer != (leaf.field.target or plan.kind.name):
            raise self.binder.refuse(
                query.at,
                "MALFORMED_QUERY",
                f"The selected field '{leaf.field.name}' in the subquery and the left operand field in the "
                f"where expression in the outer query '{route.field.name}' should point to the same object "
                "type",
            )
        chosen = {row.get(leaf.field.name) for row in self.binder.view.run(plan)} - {None}
        read = self.read(route)
        if member.operator == "NOT IN":
            return lambda row: read(row) not in chosen
        return lambda row: read(row) in chosen

    def _check_place(self, inside: list[str]) -> None:
        self._semi_joins += 1
        if inside[:1] == ["OR"] and len(inside) == 1:
            message = "Semi join sub-selects are not allowed with the 'OR' operator"
            raise QueryError("MALFORMED_QUERY", message)
        if len(inside) > 1:
            raise QueryError(
                "MALFORMED_QUERY",
                "Semi join sub-selects are only allowed at the top level WHERE expressions "
                "and not in nested WHERE expressions.",
            )
        if self._semi_joins > MAX_SEMI_JOINS:
            message = f"Maximum {MAX_SEMI_JOINS} semi join sub-selects are allowed"
            raise QueryError("EXCEEDED_MAX_SEMIJOIN_SUBSELECTS", message)


def _find_parent(columns: list[Column], step: Step) -> Parent:
    for column in columns:
        if isinstance(column, Parent) and column.step == step:
            return column
    made = Parent(step, [])
    columns.append(made)
    return made


def _sort_key(field: Field, read: Reader) -> Reader:
    """Picklists sort in the order of their values, text without regard to case."""
    if field.type == "picklist":
        places = {value: place for place, (value, _) in enumerate(field.values)}

        def read_place(row: Row) -> object:
            value = read(row)
            return None if value is None else (places.get(value, len(places)), value)

        return read_place

    def read_folded(row: Row) -> object:
        value = read(row)
        return value.casefold() if isinstance(value, str) and field.type not in REFERENCES else value

    return read_folded


def _conjuncts(condition: soql.Condition) -> tuple[soql.Condition, ...]:
    if isinstance(condition, soql.Junction) and condition.operator == "AND":
        return condition.parts
    return (condition,)


def _all_of(parts: list[Predicate]) -> Predicate:
    return lambda row: all(part(row) for part in parts)


def _any_of(parts: list[Predicate]) -> Predicate:
    return lambda row: any(part(row) for part in parts)
