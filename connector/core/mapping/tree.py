"""Reads the tree of a mapping file, node by node, against AWS's model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.core.condition import Condition, ConditionError, parse_condition
from connector.core.mapping.complaints import Complaints, Keys, meant_by
from connector.core.mapping.leaves import LEAF_KEYS, LeafReader
from connector.core.mapping.nodes import Each, Items, Node, Struct
from connector.core.paths import Path, PathError, is_dotted, parse_path
from connector.core.schema import Shape
from connector.core.selection import NAME

SENT_BY_CONNECTOR = ("Catalog", "ClientToken")
_EACH_KEYS = ("each", "where", "order_by", "limit", "item")


@dataclass(slots=True)
class TreeReader:
    """Turns the YAML of a structure into nodes; what it cannot read becomes a complaint."""

    complaints: Complaints
    reader: LeafReader

    def struct(
        self, value: dict[str, Any], shape: Shape, keys: Keys, path: str = "", meant: frozenset[str] = frozenset()
    ) -> Struct:
        """The structure at ``keys``, for the AWS path and shape given. Nobody complains of ``meant`` being missing."""
        members: dict[str, Node] = {}
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            if name not in shape.members:
                self._unknown_member(name, shape, (*keys, name), path)
                self.complaints.doubt_meant(keys, name, value, shape.members)
            elif inner is None:
                cure = "Give a field path, or remove the line."
                self.complaints.add_missing((*keys, name), f"{at} says nothing.", cure)
            else:
                node = self._node(inner, shape.members[name], (*keys, name), at)
                if node is not None:
                    members[name] = node
        if shape.union:
            self._check_union(value, shape, keys, path)
        unknown = [name for name in value if name not in shape.members]
        for name in sorted(shape.required - set(value) - meant - meant_by(unknown, value, shape.members)):
            message = f"AWS requires {path + '.' if path else ''}{name}, which is not mapped."
            self.complaints.add_missing(keys, message, f"Add {name} below it.", name)
        return Struct(members)

    def condition(self, value: Any, keys: Keys) -> Condition | None:
        if value is None:
            return None
        try:
            return parse_condition(str(value))
        except ConditionError as error:
            self.complaints.add(keys, f"The condition cannot be read: {error}.", "Write e.g. `IsPrimary = TRUE`.")
            return None

    def _node(self, value: Any, shape: Shape, keys: Keys, path: str) -> Node | None:
        if shape.kind == "structure":
            if isinstance(value, dict):
                return self.struct(value, shape, keys, path)
            cure = f"Give its members: {', '.join(shape.members)}."
            self.complaints.add(keys, f"{path} is a structure at AWS.", cure)
            return None
        if shape.kind == "list" and isinstance(value, dict) and not {"each", "item"}.isdisjoint(value):
            return self._each(value, shape, keys, path)
        if shape.kind == "list" and isinstance(value, list):
            return self._items(value, shape, keys, path)
        if shape.kind == "list" and shape.item is not None and shape.item.kind == "structure":
            cure = "Write items with `- `, or use each and item."
            self.complaints.add(keys, f"{path} is a list of structures at AWS.", cure)
            return None
        return self.reader.leaf(value, shape, keys, path)

    def _unknown_member(self, name: str, shape: Shape, keys: Keys, path: str) -> None:
        if not path and name in SENT_BY_CONNECTOR:
            self.complaints.add(keys, f"{name} is set by the connector itself.", "Remove the line.")
        elif name in LEAF_KEYS or name == "each":
            message = f"{path or 'opportunity'} is a structure at AWS, it takes no {name!r}."
            self.complaints.add(keys, message, f"Give its members: {', '.join(shape.members)}.")
        else:
            place = f" below {path}" if path else ""
            self.complaints.add_unknown(keys, f"AWS knows no {name!r}{place}.", shape.members, place)

    def _check_union(self, value: dict[str, Any], shape: Shape, keys: Keys, path: str) -> None:
        """Of a union AWS takes exactly one member."""
        named = [name for name in value if name in shape.members]
        if len(named) > 1:
            message = f"AWS takes only one of {' and '.join(named)} in {path}."
            self.complaints.add((*keys, named[1]), message, "Keep one of them.")
        elif not value:
            message = f"{path} needs one of {', '.join(shape.members)}."
            self.complaints.add_missing(keys, message, "Add one of them below it.")

    def _items(self, value: list[Any], shape: Shape, keys: Keys, path: str) -> Items:
        assert shape.item is not None
        if shape.max is not None and len(value) > shape.max:
            self.complaints.add(keys, f"AWS takes at most {shape.max} items in {path}.", "Remove some.")
        nodes = [self._node(v, shape.item, (*keys, i), f"{path}[{i}]") for i, v in enumerate(value)]
        return Items(path, tuple(node for node in nodes if node is not None))

    def _each(self, value: dict[str, Any], shape: Shape, keys: Keys, path: str) -> Each | None:
        meant = self.complaints.check_names(keys, value, _EACH_KEYS)
        if "each" not in value and "each" not in meant:
            cure = "Add e.g. `each: OpportunityContactRoles`."
            self.complaints.add_missing(keys, "item needs each beside it.", cure)
        relationship = self.relationship(value["each"], (*keys, "each")) if "each" in value else ""
        where = self.condition(value.get("where"), (*keys, "where"))
        limit = self.limit(value.get("limit"), shape, (*keys, "limit"))
        order = self.order(value.get("order_by"), (*keys, "order_by"))
        if "item" not in value and "item" in meant:
            return None
        item = self._item(value.get("item"), relationship, shape, keys, path)
        if item is None or not relationship:
            return None
        return Each(path, relationship, item, self.complaints.origin(keys, (relationship,)), where, order, limit)

    def relationship(self, value: Any, keys: Keys) -> str:
        """The child relationship that ``each`` names, "" when it names none."""
        if isinstance(value, str) and NAME.fullmatch(value):
            return value
        cure = "Write the relationship's name, e.g. OpportunityContactRoles."
        self.complaints.add(keys, f"{value!r} is not a child relationship.", cure)
        return ""

    def _item(self, value: Any, relationship: str, shape: Shape, keys: Keys, path: str) -> Node | None:
        assert shape.item is not None
        if not value:
            cure = "Add `item:` with the shape of one entry."
            self.complaints.add_missing((*keys, "item"), "each needs an item.", cure)
            return None
        self.reader.within = relationship
        item = self._node(value, shape.item, (*keys, "item"), f"{path}[]")
        self.reader.within = ""
        return item

    def limit(self, value: Any, shape: Shape, keys: Keys) -> int | None:
        """How many rows are taken at most, never more than AWS takes; None: all of them."""
        if value is None:
            return shape.max
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            message = f"limit must be a whole number from 1, not {value!r}."
            self.complaints.add(keys, message, "Write e.g. `limit: 5`.")
            return None
        return min(value, shape.max) if shape.max else value

    def order(self, value: Any, keys: Keys) -> tuple[tuple[Path, bool], ...]:
        """What ``order_by`` sorts by, as (path, descending)."""
        found = []
        for part in str(value).split(",") if value is not None else []:
            try:
                found.append(_order_of(part.split()))
            except PathError as error:
                self.complaints.add(keys, str(error), "Write a field and ASC or DESC, e.g. `order_by: IsPrimary DESC`.")
        return tuple(found)


def _order_of(words: list[str]) -> tuple[Path, bool]:
    """``["IsPrimary", "DESC"]`` as (path, descending). Raises PathError."""
    direction = words[1].upper() if len(words) == 2 else "ASC"
    if len(words) not in {1, 2} or direction not in {"ASC", "DESC"} or not is_dotted(words[0]):
        raise PathError(f"{' '.join(words)!r} is not an order.")
    return parse_path(words[0]), direction == "DESC"
