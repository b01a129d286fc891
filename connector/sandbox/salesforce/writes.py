"""Every change of a row: checks in the platform's order, stamps, derived fields, triggers, cascades.

People and API sessions write through the same door; only sessions are bound by permissions and scripted
faults. The caller holds the org's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.sandbox.salesforce import ids
from connector.sandbox.salesforce.derived import derive
from connector.sandbox.salesforce.faults import RowError, row_fault
from connector.sandbox.salesforce.permissions import Action, Permissions
from connector.sandbox.salesforce.rules import Rules, deleted_row, lock_fault
from connector.sandbox.salesforce.schema import Field, ObjectType, Schema
from connector.sandbox.salesforce.store import Row, Store
from connector.sandbox.salesforce.values import to_stored

Trigger = Callable[[str, Mapping[str, Any], Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes: a person at the screen, or a session of the API."""

    user_id: str
    through_api: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    object: str
    id: str
    at: datetime


class Writes:
    """The writing side of one org. `triggers` run after each update with the object's name, the old and the
    new row; an update made by a trigger fires no triggers. `deletions` is the log behind getDeleted."""

    def __init__(
        self,
        schema: Schema,
        store: Store,
        permissions: Permissions,
        rules: Rules,
        now: Callable[[], datetime],
    ) -> None:
        self._schema = schema
        self._store = store
        self._permissions = permissions
        self._rules = rules
        self._now = now
        self.triggers: list[Trigger] = []
        self.deletions: list[Deletion] = []
        self._groups: dict[str, list[tuple[str, str]]] = {}
        self._is_triggered = False

    def insert(
        self, kind: ObjectType, given: Mapping[str, Any], actor: Actor, visible_at: datetime | None = None
    ) -> str:
        """The id of the new row; RowError where it is refused."""
        if actor.through_api and not self._permissions.may("create", kind.name):
            raise row_fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {kind.label}")
        values = self._to_values(kind, given, actor, is_new=True)
        required = (one.name for one in kind.fields.values() if one.is_required)
        missing = [name for name in required if values.get(name) is None]
        if missing:
            raise _required(missing)
        self._check_links(kind, values, actor, None)
        row = self._make_row(kind, values, actor)
        derive(kind.name, row, None, self._now())
        self._rules.check_valid(kind.name, row)
        self._save(kind, row, visible_at)
        return str(row["Id"])

    def update(
        self,
        kind: ObjectType,
        record_id: str,
        given: Mapping[str, Any],
        actor: Actor,
        visible_at: datetime | None = None,
    ) -> None:
        """Changes the fields given; RowError where the row or a value is refused. Moves the stamps always."""
        old = self.find(kind, record_id, actor)
        if self._store.is_locked(old["Id"]):
            raise RowError(lock_fault(old["Id"]))
        if actor.through_api:
            self._check_access(kind, old["Id"], "edit")
        values = self._to_values(kind, given, actor, is_new=False)
        if old.get("HasOpportunityLineItem"):
            values.pop("Amount", None)  # products own the amount: the platform ignores it without a word
        emptied = [name for name, value in values.items() if value is None]
        required = [name for name in emptied if not kind.fields[name.lower()].nillable]
        if required:
            raise _required(required)
        self._check_links(kind, values, actor, old["Id"])
        now = self._now()
        row = {**old, **values, **_stamps(now, actor)}
        derive(kind.name, row, old, now)
        self._rules.check_valid(kind.name, row)
        self._save(kind, row, visible_at)
        self._fire(kind.name, old, row)

    def find(self, kind: ObjectType, record_id: str, actor: Actor) -> Row:
        """The live row an actor may see; RowError MALFORMED_ID, NOT_FOUND or ENTITY_IS_DELETED."""
        full = ids.normalise(record_id)
        if full is None or full[:3] != kind.prefix:
            raise row_fault("MALFORMED_ID", f"{kind.label} ID: id value of incorrect type: {record_id}", "Id")
        row = self._store.table(kind.name).rows.get(full)
        if row is None or (actor.through_api and full in self._permissions.hidden_rows):
            raise row_fault(
                "NOT_FOUND",
                f"Provided external ID field does not exist or is not accessible: {record_id}",
            )
        if row.get("IsDeleted"):
            raise deleted_row()
        return row

    # -- taking away ---------------------------------------------------------------------------------

    def delete(self, kind: ObjectType, record_id: str, actor: Actor) -> None:
        """Moves a row, and the rows that cannot live without it, to the recycle bin."""
        row = self.find(kind, record_id, actor)
        if actor.through_api:
            self._check_access(kind, row["Id"], "delete")
        group: list[tuple[str, str]] = []
        self._bin(kind.name, row["Id"], actor, group)
        self._groups[row["Id"]] = group

    def _bin(self, name: str, record_id: str, actor: Actor, group: list[tuple[str, str]]) -> None:
        row = self._store.table(name).rows[record_id]
        if row.get("IsDeleted"):
            return
        now = self._now()
        self._store.put(name, record_id, {**row, "IsDeleted": True, **_stamps(now, actor)})
        self.deletions.append(Deletion(name, record_id, now))
        group.append((name, record_id))
        for child in self._schema.children(name):
            if child.cascade:
                for child_id in self._store.table(child.object).find(child.field, record_id):
                    self._bin(child.object, child_id, actor, group)
        self._total(name, row)

    def undelete(self, record_id: str, actor: Actor) -> None:
        """Brings back what went with this row; KeyError where it is not in the recycle bin."""
        for name, one in self._groups.pop(record_id):
            row = self._store.table(name).rows[one]
            self._store.put(name, one, {**row, "IsDeleted": False, **_stamps(self._now(), actor)})

    def purge(self, record_id: str) -> None:
        """Empties the recycle bin of a row and what went with it; the log of deletions stays."""
        for name, one in self._groups.pop(record_id):
            self._store.put(name, one, None)

    def merge(self, kind: ObjectType, winner: str, loser: str, actor: Actor) -> None:
        """Hands the loser's children to the winner and bins the loser, which then names its master."""
        master, merged = self.find(kind, winner, actor)["Id"], self.find(kind, loser, actor)
        for child in self._schema.children(kind.name):
            table = self._store.table(child.object)
            for child_id in table.find(child.field, merged["Id"]):
                moved = {**table.rows[child_id], child.field: master, "SystemModstamp": self._now()}
                self._store.put(child.object, child_id, moved)
        self._store.put(kind.name, merged["Id"], {**merged, "MasterRecordId": master})
        self.delete(kind, merged["Id"], actor)

    # -- checks --------------------------------------------------------------------------------------

    def _check_access(self, kind: ObjectType, record_id: str, action: Action) -> None:
        self._rules.check_row(record_id)
        if record_id in self._permissions.protected_rows or not self._permissions.may(action, kind.name):
            raise row_fault("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")

    def _to_values(self, kind: ObjectType, given: Mapping[str, Any], actor: Actor, *, is_new: bool) -> dict[str, Any]:
        found: list[tuple[Field, Any]] = []
        for name, wire in given.items():
            field = kind.find(name)
            if field is None:
                raise row_fault("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
            found.append((field, wire))
        self._check_writeable(kind, [field for field, _ in found], actor, is_new=is_new)
        return {field.name: to_stored(field, wire) for field, wire in found}

    def _check_writeable(self, kind: ObjectType, fields: list[Field], actor: Actor, *, is_new: bool) -> None:
        barred = [
            one.name
            for one in fields
            if not (one.createable if is_new else one.updateable)
            or (actor.through_api and not self._permissions.is_writeable(kind.name, one))
        ]
        if barred:
            raise row_fault(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(barred)}. Please check the security settings "
                "of this field and verify that it is read/write for your profile or permission set.",
                *barred,
            )

    def _check_links(self, kind: ObjectType, values: Row, actor: Actor, own_id: str | None) -> None:
        for name, value in values.items():
            field = kind.fields[name.lower()]
            if value is not None and field.target:
                self._check_reference(field, value, actor)
            if value is not None and field.unique:
                self._check_unique(kind, field, value, own_id)

    def _check_reference(self, field: Field, target_id: str, actor: Actor) -> None:
        target = self._schema.get(str(field.target))
        if target_id[:3] != target.prefix:
            message = f"{field.label}: id value of incorrect type: {target_id}"
            raise row_fault("FIELD_INTEGRITY_EXCEPTION", message, field.name)
        row = self._store.table(target.name).rows.get(target_id)
        is_hidden = actor.through_api and target_id in self._permissions.hidden_rows
        if row is None or row.get("IsDeleted") or is_hidden:
            raise row_fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)

    def _check_unique(self, kind: ObjectType, field: Field, value: Any, own_id: str | None) -> None:
        for other in self._store.table(kind.name).find(field.name, value):
            if other != own_id:
                raise row_fault(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {field.name} duplicates value on record with id: {other[:15]}",
                )

    # -- saving --------------------------------------------------------------------------------------

    def _make_row(self, kind: ObjectType, values: Row, actor: Actor) -> Row:
        now = self._now()
        made: Row = {"Id": self._store.next_id(kind.prefix)}
        made |= {one.name: False for one in kind.fields.values() if one.type == "boolean"}
        number = self._store.last_number(kind.prefix)
        made |= {one.name: f"{one.auto}{number:04d}" for one in kind.fields.values() if one.auto}
        if "ownerid" in kind.fields:
            made["OwnerId"] = actor.user_id
        made |= {name: value for name, value in values.items() if value is not None}
        return made | {"CreatedDate": now, "CreatedById": actor.user_id} | _stamps(now, actor)

    def _save(self, kind: ObjectType, row: Row, visible_at: datetime | None) -> None:
        if visible_at is not None:
            self._store.put_late(kind.name, row, visible_at)
            return
        self._store.put(kind.name, row["Id"], row)
        self._total(kind.name, row)

    def _total(self, name: str, row: Row) -> None:
        """Rolls the products of an opportunity up into it."""
        if name != "OpportunityLineItem":
            return
        items = self._store.table(name)
        mine = [items.rows[one] for one in items.find("OpportunityId", row["OpportunityId"])]
        live = [one["TotalPrice"] for one in mine if not one["IsDeleted"]]
        parent = self._store.table("Opportunity").rows[row["OpportunityId"]]
        total = round(sum(live), 2) if live else parent.get("Amount")
        changed = {"HasOpportunityLineItem": bool(live), "Amount": total, "SystemModstamp": self._now()}
        self._store.put("Opportunity", parent["Id"], {**parent, **changed})

    def _fire(self, name: str, old: Row, new: Row) -> None:
        if self._is_triggered:
            return
        self._is_triggered = True
        try:
            for trigger in self.triggers:
                trigger(name, old, new)
        finally:
            self._is_triggered = False


def _stamps(now: datetime, actor: Actor) -> Row:
    return {"LastModifiedDate": now, "LastModifiedById": actor.user_id, "SystemModstamp": now}


def _required(names: list[str]) -> RowError:
    return row_fault("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(names)}]", *names)
