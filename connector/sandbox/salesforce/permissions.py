"""What the integration user may see and change: sharing of rows, and field-level security.

People in the org are not bound by it; only sessions of the API are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from connector.sandbox.salesforce.schema import Field, ObjectType

Action = Literal["read", "create", "edit", "delete"]


class Permissions:
    """Record ids and (object, field) names; by default none, and the user sees and edits everything.

    Once `restrict` was called, the user has only what was granted: of fields that are added later, nothing.
    """

    def __init__(self) -> None:
        self._objects: dict[str, frozenset[Action]] | None = None
        self._fields: dict[tuple[str, str], bool] | None = None
        self.hidden_rows: set[str] = set()
        self.protected_rows: set[str] = set()
        self._hidden_fields: set[tuple[str, str]] = set()
        self._read_only_fields: set[tuple[str, str]] = set()

    def restrict(self, objects: Mapping[str, Iterable[Action]], fields: Mapping[tuple[str, str], bool]) -> None:
        """Grants what may be done with each object, and (object, field) names: True may be edited as well."""
        self._objects = {name.lower(): frozenset(actions) for name, actions in objects.items()}
        self._fields = {(name.lower(), field.lower()): edits for (name, field), edits in fields.items()}

    def may(self, action: Action, object_name: str) -> bool:
        """Whether the user may do this with the object at all."""
        return self._objects is None or action in self._objects.get(object_name.lower(), ())

    def hide_field(self, object_name: str, field: str) -> None:
        self._hidden_fields.add((object_name.lower(), field.lower()))

    def protect_field(self, object_name: str, field: str) -> None:
        self._read_only_fields.add((object_name.lower(), field.lower()))

    def grant_field(self, object_name: str, field: str) -> None:
        """Makes a hidden or read-only field readable and writeable again."""
        key = (object_name.lower(), field.lower())
        self._hidden_fields.discard(key)
        self._read_only_fields.discard(key)
        if self._fields is not None:
            self._fields[key] = True

    def is_readable(self, object_name: str, field: Field) -> bool:
        key = (object_name.lower(), field.name.lower())
        is_granted = self._fields is None or key in self._fields
        return is_granted and key not in self._hidden_fields

    def is_writeable(self, object_name: str, field: Field) -> bool:
        key = (object_name.lower(), field.name.lower())
        is_changeable = self.may("edit", object_name) or self.may("create", object_name)
        is_granted = self._fields is None or (self._fields.get(key, False) and is_changeable)
        return is_granted and key not in self._hidden_fields and key not in self._read_only_fields

    def find_field(self, of: ObjectType, name: str) -> Field | None:
        """The field, where it exists and may be read."""
        found = of.find(name)
        return found if found and self.is_readable(of.name, found) else None
