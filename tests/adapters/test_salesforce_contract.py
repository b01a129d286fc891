"""The Salesforce port against a whole org over real HTTP: what a caller may rely on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connector.adapters.salesforce import SalesforceClient, SalesforceSettings
from connector.core.selection import Selection
from connector.errors import AccessDenied, LoginFailed, QuotaExhausted, Unavailable
from connector.ports import KnownRow, RowState, RowUpdate
from connector.sandbox.salesforce.api import create_app
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.rules import ValidationRule, WireFault

SELECTION = Selection(
    sobject="Opportunity",
    where="Share_With_AWS__c = TRUE",
    fields=("Amount", "CloseDate", "Account.Name", "Account.Owner.Email"),
    children={"OpportunityContactRoles": ("IsPrimary", "Contact.Email")},
    linked_fields=("AWS_Opportunity_Id__c", "AWS_Sync_Status__c"),
)
UNKNOWN = "006000000zzzzzzAAA"


class SharedClock:
    """The time of the org and of the client alike; it moves when told."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


@dataclass(frozen=True)
class World:
    """An org, its people's rows, and a client of it."""

    org: Org
    clock: SharedClock
    settings: SalesforceSettings
    client: SalesforceClient
    account: str
    contact: str

    def add_opportunity(self, name: str = "Deal", **fields: object) -> str:
        base = {"Name": name, "StageName": "Prospecting", "CloseDate": "2027-01-31", "AccountId": self.account}
        return self.org.insert("Opportunity", {**base, "Share_With_AWS__c": True, **fields})

    def add_role(self, opportunity: str) -> str:
        fields = {"OpportunityId": opportunity, "ContactId": self.contact, "IsPrimary": True}
        return self.org.insert("OpportunityContactRole", fields)

    def wait(self, seconds: float = 60) -> datetime:
        """Let time pass; returns the instant after it."""
        self.clock.elapsed += seconds
        return self.clock.now()

    def labels(self) -> list[str]:
        return [label for label, _ in self.org.calls]


class Door:
    """An application that passes every request on to the org of the moment, so that one server serves all."""

    def __init__(self) -> None:
        self.app: Any = None
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    opened = Door()
    listener = socket.create_server(("127.0.0.1", 0))
    opened.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(opened, log_level="warning", date_header=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield opened
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def world(door: Door) -> Iterator[World]:
    clock = SharedClock()
    org = Org(clock.now, daily_api_limit=1000)
    org.add_client("key", "hush")
    account = org.insert("Account", {"Name": "Acme", "BillingCountry": "Germany"})
    contact = org.insert("Contact", {"LastName": "Doe", "Email": "doe@acme.example", "AccountId": account})
    door.app = create_app(org)
    settings = SalesforceSettings(login_url=door.url, client_id="key", client_secret="hush")
    client = SalesforceClient(settings, clock=clock)
    yield World(org, clock, settings, client, account, contact)
    client.close()


def test_the_org_identifies_itself(world: World) -> None:
    found = world.client.identify()
    assert (found.organization_id, found.name, found.is_sandbox) == ("00D000000000001EAA", "Sample Partner", True)


def test_a_first_poll_brings_every_flagged_record_whole(world: World) -> None:
    first = world.add_opportunity("One", Amount=1000.5)
    second = world.add_opportunity("Two", AccountId=None)
    world.add_opportunity("Private", Share_With_AWS__c=False)
    world.add_role(first)
    found = world.client.changes(SELECTION, None)
    (records,) = found.flagged
    assert [record["Id"] for record in records] == [first, second]
    assert records[0]["Amount"] == Decimal("1000.5")
    assert records[0]["CloseDate"] == "2027-01-31"
    assert records[0]["Account"] == {"Name": "Acme", "Owner": {"Email": "admin@partner.example"}}
    assert records[0]["OpportunityContactRoles"] == [{"IsPrimary": True, "Contact": {"Email": "doe@acme.example"}}]
    assert records[1]["Account"] is None
    assert records[1]["OpportunityContactRoles"] == []
    assert (found.known, found.touched) == ((), frozenset())
    assert found.server_now == world.clock.now()
    assert world.labels() == ["POST composite"]


def test_an_idle_poll_costs_one_call(world: World) -> None:
    world.add_opportunity()
    since = world.wait()
    for _ in range(3):
        found = world.client.changes(SELECTION, since)
        assert (list(found.flagged), found.known, found.touched) == ([[]], (), frozenset())
    assert world.labels() == ["GET sobjects/{name}/describe", *["POST composite"] * 3]
    usage = world.client.usage()
    assert (usage.calls, usage.org_used, usage.org_limit) == (4, 4, 1000)


def test_a_poll_finds_what_changed_and_in_which_way(world: World) -> None:
    edited, idle, unflagged, deleted = (
        world.add_opportunity(name, AWS_Opportunity_Id__c=f"O{number}")
        for number, name in enumerate(["Edited", "Idle", "Unflagged", "Deleted"])
    )
    since = world.wait()
    world.org.update("Opportunity", edited, {"Amount": 5})
    world.org.update("Opportunity", unflagged, {"Share_With_AWS__c": False})
    world.org.delete("Opportunity", deleted)
    found = world.client.changes(SELECTION, since)
    assert [record["Id"] for page in found.flagged for record in page] == [edited]
    assert set(found.known) == {
        KnownRow(edited, deleted=False),
        KnownRow(unflagged, deleted=False),
        KnownRow(deleted, deleted=True),
    }
    assert idle not in found.touched
    later = world.wait()
    world.org.undelete(deleted)
    assert world.client.changes(SELECTION, later).known == (KnownRow(deleted, deleted=False),)


@pytest.mark.parametrize("what", ["Account", "Contact", "OpportunityContactRole", "User"])
def test_a_change_beside_the_record_touches_it(world: World, what: str) -> None:
    opportunity = world.add_opportunity()
    unflagged = world.add_opportunity(Share_With_AWS__c=False)
    role = world.add_role(opportunity)
    world.add_role(unflagged)
    since = world.wait()
    changed = {
        "Account": (world.account, {"Phone": "1"}),
        "Contact": (world.contact, {"Phone": "1"}),
        "OpportunityContactRole": (role, {"Role": "Decision Maker"}),
        "User": (world.org.admin_id, {"Email": "new@partner.example"}),
    }
    world.org.update(what, *changed[what])
    found = world.client.changes(SELECTION, since)
    assert list(found.flagged) == [[]]
    assert found.touched == {opportunity}
    assert [record["Id"] for record in world.client.fetch(SELECTION, sorted(found.touched))] == [opportunity]


def test_long_answers_are_paged_lazily(world: World) -> None:
    ids = [world.add_opportunity(f"Deal {number}") for number in range(2100)]
    flagged = world.client.changes(replace(SELECTION, children={}), None).flagged
    first = next(flagged)
    assert world.labels() == ["POST composite"]
    rest = [record for page in flagged for record in page]
    assert [record["Id"] for record in [*first, *rest]] == ids
    assert set(world.labels()[1:]) == {"GET query/{locator}"}


def test_fetch_leaves_out_what_is_not_flagged_hidden_or_gone(world: World) -> None:
    shown, hidden, deleted = (world.add_opportunity(name) for name in ("Shown", "Hidden", "Deleted"))
    unflagged = world.add_opportunity(Share_With_AWS__c=False)
    world.org.hide_row(hidden)
    world.org.delete("Opportunity", deleted)
    records = world.client.fetch(SELECTION, [shown[:15], hidden, deleted, unflagged, UNKNOWN])
    assert [record["Id"] for record in records] == [shown]


def test_states_tells_unflagged_and_deleted_and_leaves_out_what_is_hidden(world: World) -> None:
    shown, hidden, deleted = (world.add_opportunity(name) for name in ("Shown", "Hidden", "Deleted"))
    unflagged = world.add_opportunity("Private", Share_With_AWS__c=False)
    world.org.hide_row(hidden)
    world.org.delete("Opportunity", deleted)
    assert world.client.states("Opportunity", [shown[:15], hidden, deleted, unflagged, UNKNOWN]) == {
        shown: RowState(shown, "Shown", deleted=False),
        deleted: RowState(deleted, "Deleted", deleted=True),
        unflagged: RowState(unflagged, "Private", deleted=False),
    }


def test_each_row_of_a_write_succeeds_or_fails_by_itself(world: World) -> None:
    good, locked, deleted, ruled, long = (world.add_opportunity(name) for name in "abcde")
    world.org.rules.lock_row(locked)
    world.org.delete("Opportunity", deleted)
    world.org.rules.validation.append(
        ValidationRule("Opportunity", lambda row: row.get("Name") == "d", "Fill in the region.", ("Amount",))
    )
    status = {"AWS_Sync_Status__c": "Synced", "AWS_Synced_At__c": "2026-11-21T12:00:00Z"}
    rows = [RowUpdate(key, status) for key in (good, locked, deleted, ruled, UNKNOWN)]
    results = world.client.write("Opportunity", [*rows, RowUpdate(long, {"AWS_Sync_Status__c": "x" * 21})])
    assert [(result.code, result.temporary) for result in results] == [
        ("", False),
        ("UNABLE_TO_LOCK_ROW", True),
        ("ENTITY_IS_DELETED", False),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", False),
        ("INVALID_CROSS_REFERENCE_KEY", False),
        ("STRING_TOO_LONG", False),
    ]
    assert (results[3].message, results[3].fields) == ("Fill in the region.", ("Amount",))
    assert [result.salesforce_id for result in results] == [good, locked, deleted, ruled, UNKNOWN, long]
    assert world.org.get("Opportunity", good)["AWS_Sync_Status__c"] == "Synced"
    assert world.client.write("Opportunity", rows[1:2])[0].succeeded
    assert world.labels() == ["PATCH composite/sobjects"] * 2


def test_values_are_blanked_and_set_twice_in_order(world: World) -> None:
    opportunity = world.add_opportunity(AWS_Sync_Status__c="Old", NextStep="Call")
    rows = [RowUpdate(opportunity, {"NextStep": None}), RowUpdate(opportunity, {"AWS_Sync_Status__c": "New"})]
    assert all(result.succeeded for result in world.client.write("Opportunity", rows))
    row = world.org.get("Opportunity", opportunity)
    assert (row.get("NextStep"), row["AWS_Sync_Status__c"]) == (None, "New")


def test_four_hundred_rows_take_two_calls(world: World) -> None:
    ids = [world.add_opportunity(f"Deal {number}") for number in range(400)]
    results = world.client.write("Opportunity", [RowUpdate(key, {"NextStep": "Call"}) for key in ids])
    assert all(result.succeeded for result in results)
    assert world.labels() == ["PATCH composite/sobjects"] * 2


def test_a_field_that_may_not_be_written_is_told_by_row(world: World) -> None:
    opportunity = world.add_opportunity()
    world.org.protect_field("Opportunity", "AWS_Sync_Status__c")
    (result,) = world.client.write("Opportunity", [RowUpdate(opportunity, {"AWS_Sync_Status__c": "x"})])
    assert result.code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert "AWS_Sync_Status__c" in result.message
    assert not result.temporary


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_write_that_was_carried_out_but_not_answered_may_be_repeated(world: World, status: int) -> None:
    opportunity = world.add_opportunity()
    world.org.rules.wire_faults.append(
        WireFault(status, "<html>gone</html>", after_commit=True, matches=lambda method, _: method == "PATCH")
    )
    rows = [RowUpdate(opportunity, {"NextStep": "Call"})]
    with pytest.raises(Unavailable) as caught:
        world.client.write("Opportunity", rows)
    assert caught.value.ambiguous
    assert world.org.get("Opportunity", opportunity)["NextStep"] == "Call"
    assert world.client.write("Opportunity", rows)[0].succeeded


@pytest.mark.parametrize("how", ["expires", "revoked"])
def test_an_ended_session_is_renewed_unnoticed(world: World, how: str) -> None:
    world.add_opportunity()
    world.client.identify()
    world.wait()
    world.org.sessions.revoke_all() if how == "revoked" else world.wait(8000)
    assert world.client.identify().name == "Sample Partner"


def test_a_signed_login_is_accepted(world: World) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    world.org.trust_key("key", public.decode())
    settings = replace(
        world.settings,
        method="jwt_bearer",
        username="integration@partner.example",
        private_key=private,
        audience="https://test.salesforce.com",
    )
    signed = SalesforceClient(settings, clock=world.clock)
    assert signed.identify().name == "Sample Partner"
    signed.close()
    wrong = SalesforceClient(replace(settings, audience="https://login.salesforce.com"), clock=world.clock)
    with pytest.raises(LoginFailed, match="audience"):
        wrong.identify()
    wrong.close()


def test_a_token_given_by_hand_serves_until_it_ends(world: World) -> None:
    token = world.org.issue_token()
    settings = SalesforceSettings(
        login_url="", method="access_token", token=token, instance_url=world.settings.login_url
    )
    by_hand = SalesforceClient(settings, clock=world.clock)
    assert by_hand.identify().name == "Sample Partner"
    world.org.revoke_tokens()
    with pytest.raises(LoginFailed, match="expired or been withdrawn"):
        by_hand.identify()
    by_hand.close()


def test_a_wrong_secret_is_told_and_not_hammered(world: World) -> None:
    wrong = SalesforceClient(replace(world.settings, client_secret="no"), clock=world.clock)
    for _ in range(3):
        with pytest.raises(LoginFailed, match="client_secret"):
            wrong.identify()
    wrong.close()
    assert world.labels() == []


def test_describe_shows_what_the_user_may_see_and_notices_changes(world: World) -> None:
    world.org.hide_field("Opportunity", "NextStep")
    world.org.protect_field("Opportunity", "AWS_Sync_Status__c")
    fields = world.client.describe("Opportunity")
    assert "NextStep" not in fields
    assert (fields["Name"].length, fields["Name"].type, fields["Name"].updateable) == (120, "string", True)
    assert not fields["AWS_Sync_Status__c"].updateable
    assert "Full" in fields["AWS_Visibility__c"].picklist
    assert (fields["AWS_Visibility__c"].restricted, fields["StageName"].restricted) == (True, False)
    assert (fields["AWS_Sync_Message__c"].filterable, fields["Name"].filterable) == (False, True)
    assert (fields["AccountId"].relationship_name, fields["AccountId"].reference_to) == ("Account", ("Account",))
    assert (fields["Name"].relationship_name, fields["Name"].reference_to) == ("", ())
    world.wait(3600)
    assert world.client.describe("Opportunity") == fields
    assert [status for _, status in world.org.calls] == [200, 304]
    world.org.grant_field("Opportunity", "NextStep")
    world.wait(3600)
    assert "NextStep" in world.client.describe("Opportunity")


def test_describe_tells_formulas_rich_text_and_active_values(world: World) -> None:
    values = (("Full", "Full"), ("Limited", "Limited"))
    world.org.change_field("Opportunity", "AWS_Visibility__c", values=values, inactive=frozenset({"Limited"}))
    world.org.change_field("Opportunity", "AWS_Stage__c", formula=True, updateable=False)
    world.org.change_field("Opportunity", "AWS_Business_Problem__c", html=True)
    fields = world.client.describe("Opportunity")
    assert fields["AWS_Visibility__c"].picklist == ("Full",)
    told = {name for name, field in fields.items() if field.calculated}
    assert (told, fields["AWS_Stage__c"].updateable) == ({"AWS_Stage__c"}, False)
    assert {name for name, field in fields.items() if field.html} == {"AWS_Business_Problem__c"}


def test_an_unknown_object_and_a_hidden_field_are_named(world: World) -> None:
    with pytest.raises(AccessDenied, match="Nope__c"):
        world.client.describe("Nope__c")
    world.org.hide_field("Opportunity", "Amount")
    with pytest.raises(AccessDenied, match="the field Amount on Opportunity"):
        world.client.changes(SELECTION, None)
    with pytest.raises(AccessDenied, match="the object Nope__c"):
        world.client.changes(replace(SELECTION, sobject="Nope__c"), None)


def test_the_orgs_limit_and_our_share_of_it_both_stop_us(world: World) -> None:
    careful = SalesforceClient(replace(world.settings, daily_api_share=0.002), clock=world.clock)
    careful.identify()
    careful.identify()
    with pytest.raises(QuotaExhausted, match="its share of the org's 1000 a day is 2"):
        careful.identify()
    careful.close()
    world.org.usage.spend(world.clock.now(), 1000)
    with pytest.raises(QuotaExhausted, match="used up its daily"):
        world.client.identify()


def test_the_client_follows_the_org_to_another_address(world: World) -> None:
    world.client.identify()
    port = world.settings.login_url.rpartition(":")[2]
    world.org.instance_url = f"http://localhost:{port}"
    world.wait(1800)
    assert world.client.identify().name == "Sample Partner"
