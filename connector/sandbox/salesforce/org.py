"""One Salesforce org in memory: its schema, its rows, its people, and everything that can go wrong in it.

The single noun tests and the demo hold on to. State only: the wire is in `api`, and nothing here waits or
sleeps. Time comes from the clock given; stamps are whole seconds, as on the platform.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.sandbox.salesforce import ids
from connector.sandbox.salesforce.objects import standard_schema
from connector.sandbox.salesforce.permissions import Permissions
from connector.sandbox.salesforce.query import Cursor
from connector.sandbox.salesforce.rules import Rules
from connector.sandbox.salesforce.schema import Field, ObjectType, Schema
from connector.sandbox.salesforce.sessions import Client, Sessions
from connector.sandbox.salesforce.store import Store
from connector.sandbox.salesforce.usage import Usage
from connector.sandbox.salesforce.writes import Actor, Writes

DEFAULT_ID = "00D000000000001EAA"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Org:
    """An org with an administrator and an integration user. Methods without `by` act as the
    administrator; every public method takes the lock, so that tests may act while requests are served.

    `visible_after` on insert and update is a slow transaction: the row is stamped now and seen only that
    much later.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = _utc_now,
        *,
        organization_id: str = DEFAULT_ID,
        is_sandbox: bool = True,
        daily_api_limit: int = 15_000,
        session_seconds: int = 7_200,
        schema: Schema | None = None,
    ) -> None:
        if ids.normalise(organization_id) != organization_id:
            raise ValueError(f"not an 18 character id: {organization_id}")
        self.clock = clock
        self.lock = threading.RLock()
        self.organization_id = organization_id
        self.is_sandbox = is_sandbox
        self.instance_url: str | None = None  # None: the host the token was asked from
        self.schema = schema or standard_schema()
        self.schema_changed_at = dict.fromkeys((one.name for one in self.schema), self.now())
        self.store = Store(self.schema)
        self.permissions = Permissions()
        self.rules = Rules()
        self.usage = Usage(daily_api_limit)
        self.sessions = Sessions(organization_id, session_seconds)
        self.cursors: dict[str, Cursor] = {}
        self.writes = Writes(self.schema, self.store, self.permissions, self.rules, self.now)
        self._found()

    def _found(self) -> None:
        now, organization = self.now(), self.schema.get("Organization")
        self.store.put(
            organization.name,
            self.organization_id,
            {
                "Id": self.organization_id,
                "Name": "Sample Partner",
                "IsSandbox": self.is_sandbox,
                "OrganizationType": "Developer Edition",
                "InstanceName": "TST1",
                "LanguageLocaleKey": "en_US",
                "TimeZoneSidKey": "GMT",
                "CreatedDate": now,
                "LastModifiedDate": now,
                "SystemModstamp": now,
            },
        )
        self.admin_id = ids.make_id("005", 1)  # the first user creates itself
        self.admin_id = self.add_user("System", "Administrator", "admin@partner.example")
        self.integration_user_id = self.add_user("Integration", "User", "integration@partner.example")

    # -- time ----------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The org's time, in UTC and whole seconds."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    @property
    def calls(self) -> list[tuple[str, int]]:
        """(label, HTTP status) of every API call so far, such as ("POST composite", 200); tokens not "
        "counted."""
        return self.usage.calls

    # -- rows ----------------------------------------------------------------------------------------

    def insert(
        self,
        object_name: str,
        fields: Mapping[str, Any],
        *,
        by: str | None = None,
        visible_after: timedelta | None = None,
    ) -> str:
        """The id of a new row of wire values; RowError where the platform refuses it."""
        with self.lock:
            kind = self.schema.get(object_name)
            return self.writes.insert(kind, fields, self._actor(by), self._later(visible_after))

    def update(
        self,
        object_name: str,
        record_id: str,
        fields: Mapping[str, Any],
        *,
        by: str | None = None,
        visible_after: timedelta | None = None,
    ) -> None:
        """Changes fields of a row as a person would; RowError where the platform refuses it."""
        with self.lock:
            self.store.settle(self.now())
            kind = self.schema.get(object_name)
            self.writes.update(kind, record_id, fields, self._actor(by), self._later(visible_after))

    def delete(self, object_name: str, record_id: str, *, by: str | None = None) -> None:
        with self.lock:
            self.writes.delete(self.schema.get(object_name), record_id, self._actor(by))

    def undelete(self, record_id: str, *, by: str | None = None) -> None:
        with self.lock:
            self.writes.undelete(record_id, self._actor(by))

    def purge(self, record_id: str) -> None:
        """Takes a deleted row out of the recycle bin for good."""
        with self.lock:
            self.writes.purge(record_id)

    def merge(self, object_name: str, winner: str, *losers: str, by: str | None = None) -> None:
        with self.lock:
            for loser in losers:
                self.writes.merge(self.schema.get(object_name), winner, loser, self._actor(by))

    def touch(self, object_name: str, record_id: str, stamp: datetime | None = None) -> None:
        """Moves SystemModstamp alone, as renaming a picklist value or a roll-up does."""
        with self.lock:
            row = self.store.table(object_name).rows[record_id]
            self.store.put(object_name, record_id, {**row, "SystemModstamp": stamp or self.now()})

    def get(self, object_name: str, record_id: str) -> Mapping[str, Any]:
        """The stored row, deleted or not; KeyError where there is none. Unset fields are absent."""
        with self.lock:
            self.store.settle(self.now())
            return self.store.table(object_name).rows[record_id]

    def records(self, object_name: str) -> list[Mapping[str, Any]]:
        """The live rows of an object, oldest first."""
        with self.lock:
            self.store.settle(self.now())
            return [row for row in self.store.table(object_name).rows.values() if not row.get("IsDeleted")]

    def _actor(self, by: str | None) -> Actor:
        return Actor(by or self.admin_id, through_api=False)

    def _later(self, delay: timedelta | None) -> datetime | None:
        return None if delay is None else self.now() + delay

    # -- people and clients --------------------------------------------------------------------------

    def add_user(self, first: str, last: str, email: str) -> str:
        """The id of a new active user whose username is the e-mail address."""
        fields = {"FirstName": first, "LastName": last, "Email": email, "Username": email, "IsActive": True}
        return self.insert("User", {**fields, "Alias": last[:8], "TimeZoneSidKey": "GMT"})

    def add_client(self, client_id: str, client_secret: str, *, run_as: str | None = "") -> Client:
        """An external client app; runs as the integration user unless told otherwise (None: as nobody)."""
        with self.lock:
            user = self.integration_user_id if run_as == "" else run_as
            client = Client(client_id, client_secret, user)
            self.sessions.clients[client_id] = client
            return client

    def trust_key(self, client_id: str, public_key: str) -> None:
        """Accepts JWT bearer assertions signed with the matching private key, for the integration user."""
        with self.lock:
            client = self.sessions.clients[client_id]
            client.public_keys.append(public_key)
            client.approved.add(self.get("User", self.integration_user_id)["Username"].lower())

    def issue_token(self) -> str:
        """An access token of the integration user, without a flow."""
        with self.lock:
            return self.sessions.issue(self.integration_user_id, "", self.now())

    def revoke_tokens(self) -> None:
        with self.lock:
            self.sessions.revoke_all()

    # -- schema and permissions ----------------------------------------------------------------------

    def define(self, added: ObjectType) -> None:
        """Adds a custom object."""
        with self.lock:
            self.schema.define(added)
            self.schema_changed_at[added.name] = self.now()

    def add_field(self, object_name: str, field: Field) -> None:
        with self.lock:
            self.schema.get(object_name).add([field])
            self._note_change(object_name)

    def remove_field(self, object_name: str, field: str) -> None:
        with self.lock:
            del self.schema.get(object_name).fields[field.lower()]
            self._note_change(object_name)

    def change_field(self, object_name: str, field: str, **changes: Any) -> None:
        """Edits a field as an admin does: its type, length, values, or what of them is inactive."""
        with self.lock:
            fields = self.schema.get(object_name).fields
            fields[field.lower()] = replace(fields[field.lower()], **changes)
            self._note_change(object_name)

    def hide_field(self, object_name: str, field: str) -> None:
        """Takes a field out of the integration user's sight."""
        with self.lock:
            self.permissions.hide_field(object_name, field)
            self._note_change(object_name)

    def protect_field(self, object_name: str, field: str) -> None:
        """Makes a field read-only for the integration user."""
        with self.lock:
            self.permissions.protect_field(object_name, field)
            self._note_change(object_name)

    def grant_field(self, object_name: str, field: str) -> None:
        """Undoes hide_field and protect_field."""
        with self.lock:
            self.permissions.grant_field(object_name, field)
            self._note_change(object_name)

    def hide_row(self, record_id: str) -> None:
        """Takes a row out of the integration user's sight."""
        with self.lock:
            self.permissions.hidden_rows.add(record_id)

    def share_row(self, record_id: str) -> None:
        with self.lock:
            self.permissions.hidden_rows.discard(record_id)

    def protect_row(self, record_id: str) -> None:
        """Leaves a row readable, and not editable, for the integration user."""
        with self.lock:
            self.permissions.protected_rows.add(record_id)

    def _note_change(self, object_name: str) -> None:
        self.schema_changed_at[self.schema.get(object_name).name] = self.now()
