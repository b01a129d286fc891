"""What the integration user may see and change: sharing of rows, and field-level security.

People in the org are not bound by it; only sessions of the API are.
"""

from __future__ import annotations

from connector.sandbox.salesforce.schema import Field, ObjectType


class Permissions:
    """Record ids and (object, field) names; by default none, and the user sees and edits everything."""

    def __init__(self) -> None:
        self.hidden_rows: set[str] = set()
        self.protected_rows: set[str] = set()
        self._hidden_fields: set[tuple[str, str]] = set()
        self._read_only_fields: set[tuple[str, str]] = set()

    def hide_field(self, object_name: str, field: str) -> None:
        self._hidden_fields.add((object_name.lower(), field.lower()))

    def protect_field(self, object_name: str, field: str) -> None:
        self._read_only_fields.add((object_name.lower(), field.lower()))

    def grant_field(self, object_name: str, field: str) -> None:
        """Makes a hidden or read-only field readable and writeable again."""
        key = (object_name.lower(), field.lower())
        self._hidden_fields.discard(key)
        self._read_only_fields.discard(key)

    def is_readable(self, object_name: str, field: Field) -> bool:
        return (object_name.lower(), field.name.lower()) not in self._hidden_fields

    def is_writeable(self, object_name: str, field: Field) -> bool:
        key = (object_name.lower(), field.name.lower())
        return key not in self._hidden_fields and key not in self._read_only_fields

    def find_field(self, of: ObjectType, name: str) -> Field | None:
        """The field, where it exists and may be read."""
        found = of.find(name)
        return found if found and self.is_readable(of.name, found) else None
