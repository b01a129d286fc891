"""Which rows show a link: the record's own, and those of the invitations over a child object or written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.core.mapping.nodes import InvitationItem, Invitations, Struct, WriteBack
from connector.core.model import Invitation, Link, Mapped, Origin, Refusal, SentInvitation
from connector.errors import AccessDenied
from connector.ports import FieldInfo
from connector.sync import Context
from connector.sync.rows import rows_of
from tests.core.small_mapping import compiled

DEAL, ROW, OTHER = "006000000000001AAA", "a0X000000000001AAA", "a0X000000000002AAA"
TOLD = (WriteBack("Status__c", "sync.status", 1), WriteBack("Number__c", "invitation.Id", 2))
ITEM = InvitationItem(Struct({}), None, TOLD)
ORIGIN = Origin((), "mapping.yaml", 1, 1)


@dataclass
class Org:
    """Salesforce's descriptions; ``hidden`` are the objects that it refuses to describe."""

    asked: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    fields: dict[str, FieldInfo] = field(
        default_factory=lambda: {name: FieldInfo(name, "string", 20) for name in ("Status__c", "NUMBER__c")}
    )

    def describe(self, sobject: str) -> Mapping[str, FieldInfo]:
        self.asked.append(sobject)
        if sobject in self.hidden:
            raise AccessDenied(f"{sobject} is hidden.")
        return self.fields

    def child(self, sobject: str, relationship: str) -> str:
        if relationship in self.hidden:
            raise AccessDenied(f"{relationship} is hidden.")
        return "Partner__c"


class Still:
    """A clock that is moved by hand."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2027, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


def context_of(invitations: Invitations) -> Context:
    mapping = replace(compiled("Project: {Title: Name}"), invitations=invitations)
    unused: Any = None
    salesforce: Any = Org()
    clock: Any = Still()
    return Context("acme", mapping, salesforce, unused, unused, clock)


def invited(key: str, account: str) -> Invitation:
    return Invitation(key, {"Receiver": {"Account": {"AwsAccountId": account}}})


def link_of(*wanted: Invitation, **facts: Any) -> Link:
    return Link(1, "acme", "Sandbox", DEAL, mapped=Mapped({}, invitations=wanted), **facts)


SENT = SentInvitation(ROW, "222233334444", "eng-1", {"Id": "engi-1"})


def test_rows_of_a_child_object_have_their_own_values() -> None:
    context = context_of(Invitations("Partners__r", (ITEM,), ORIGIN))
    link = link_of(invited(ROW, "222233334444"), invited(OTHER, "333344445555"), invitations=(SENT,))
    unshown = context.unshown(replace(link, shown={f"{OTHER}.Status__c": "Pending"}), "Synced", "")
    assert unshown.values == {f"{ROW}.Status__c": "Synced", f"{ROW}.Number__c": "engi-1"}
    (row,) = rows_of(context, link, unshown)
    assert (row.sobject, row.row_id, row.prefix) == ("Partner__c", ROW, f"{ROW}.")
    assert row.values == {"Status__c": "Synced", "Number__c": "engi-1"}


def test_a_refusal_is_told_at_its_row() -> None:
    context = context_of(Invitations("Partners__r", (ITEM,), ORIGIN))
    wanted = invited(ROW, "222233334444")
    refusals = {f"invitation {ROW}": Refusal("CreateEngagementInvitation", wanted.fingerprint, "No.")}
    assert context.unshown(link_of(wanted, refusals=refusals), "", "").values == {f"{ROW}.Status__c": "Held"}


def test_items_written_out_are_shown_on_the_record_itself() -> None:
    second = InvitationItem(Struct({}), None, (WriteBack("NUMBER__c", "sync.status", 3),))
    first = InvitationItem(Struct({}), None, TOLD[:1])
    context = context_of(Invitations("", (first, second), ORIGIN))
    link = link_of(invited("[1]", "333344445555"))
    unshown = context.unshown(link, "", "")
    assert unshown.values == {"NUMBER__c": "Pending"}
    (row,) = rows_of(context, link, unshown)
    assert (row.sobject, row.row_id, row.prefix) == ("Opportunity", DEAL, "")


@pytest.mark.parametrize(("relationship", "key"), [("", "[7]"), ("", ROW), ("Partners__r", "[0]")])
def test_what_another_mapping_made_is_not_shown(relationship: str, key: str) -> None:
    context = context_of(Invitations(relationship, (ITEM,), ORIGIN))
    assert context.unshown(link_of(invited(key, "222233334444")), "", "").values == {}


@pytest.mark.parametrize("hidden", ["Partners__r", "Partner__c"])
def test_a_hidden_child_object_is_done_without_and_hardly_asked_for(hidden: str) -> None:
    context = context_of(Invitations("Partners__r", (ITEM,), ORIGIN))
    org: Any = context.salesforce
    clock: Any = context.clock
    org.hidden.add(hidden)
    link = link_of(invited(ROW, "222233334444"))
    for _ in range(5):
        assert context.unshown(link, "", "").values == {}
    assert org.asked.count("Partner__c") <= 1
    org.hidden.clear()
    clock.seconds = 601.0
    assert context.unshown(link, "", "").values == {f"{ROW}.Status__c": "Pending"}
