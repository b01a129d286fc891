"""The org in a test's hands: late commits, deletion and its undoing, merges, system changes, ids, people."""

from __future__ import annotations

from datetime import timedelta

import pytest
from salesforce_client import START, Clock

from connector.sandbox.salesforce.faults import RowError
from connector.sandbox.salesforce.ids import make_id, normalise, to_18
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.query import run_query

MINIMUM = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def org(clock: Clock) -> Org:
    return Org(clock)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("000000000000000", "000000000000000AAA"),
        ("A00000000000000", "A00000000000000BAA"),
        ("70130000001tcyI", "70130000001tcyIAAQ"),
        ("00D000000000001", "00D000000000001EAA"),
    ],
)
def test_the_suffix_of_an_id(short: str, full: str) -> None:
    assert to_18(short) == full
    assert normalise(short) == normalise(full) == normalise(short + full[15:].lower()) == full
    assert normalise(short + "BBB") is None
    assert normalise(short[:-1]) is None


def test_ids_count_up_and_stay_apart() -> None:
    assert make_id("006", 61)[:15] == "00600000000000z"
    assert len({make_id("006", number).lower() for number in range(5_000)}) == 5_000


def test_a_slow_transaction_is_seen_late_with_an_old_stamp(org: Org, clock: Clock) -> None:
    org.insert("Opportunity", MINIMUM)
    clock.advance(minutes=1)
    late = org.insert("Opportunity", MINIMUM, visible_after=timedelta(minutes=5))
    org.update("Opportunity", "006000000000001AAA", {"NextStep": "x"}, visible_after=timedelta(minutes=5))
    assert len(org.records("Opportunity")) == 1
    with pytest.raises(RowError, match="UNABLE_TO_LOCK_ROW"):
        org.update("Opportunity", "006000000000001AAA", {"NextStep": "y"})
    clock.advance(minutes=4, seconds=59)
    assert org.get("Opportunity", "006000000000001AAA").get("NextStep") is None
    clock.advance(seconds=1)
    assert org.get("Opportunity", "006000000000001AAA")["NextStep"] == "x"
    assert org.get("Opportunity", late)["SystemModstamp"] == START + timedelta(minutes=1)


def test_what_goes_with_a_deleted_account_comes_back_with_it(org: Org, clock: Clock) -> None:
    account = org.insert("Account", {"Name": "Acme"})
    deal = org.insert("Opportunity", {**MINIMUM, "AccountId": account})
    person = org.insert("Contact", {"LastName": "Doe", "AccountId": account})
    org.insert("OpportunityContactRole", {"OpportunityId": deal, "ContactId": person})
    clock.advance(minutes=1)
    org.delete("Account", account)
    for name in ("Account", "Opportunity", "Contact", "OpportunityContactRole"):
        assert org.records(name) == []
    assert org.get("Opportunity", deal)["SystemModstamp"] == START + timedelta(minutes=1)
    with pytest.raises(RowError, match="ENTITY_IS_DELETED"):
        org.update("Opportunity", deal, {"Name": "x"})
    org.undelete(account)
    for name in ("Account", "Opportunity", "Contact", "OpportunityContactRole"):
        assert len(org.records(name)) == 1
    org.delete("Account", account)
    org.purge(account)
    with pytest.raises(RowError, match="NOT_FOUND"):
        org.update("Opportunity", deal, {"Name": "x"})


def test_a_merge_moves_the_children_and_bins_the_loser(org: Org, clock: Clock) -> None:
    winner, loser = (org.insert("Account", {"Name": name}) for name in ("Acme", "ACME"))
    deal = org.insert("Opportunity", {**MINIMUM, "AccountId": loser})
    clock.advance(minutes=1)
    org.merge("Account", winner, loser)
    moved = org.get("Opportunity", deal)
    assert (moved["AccountId"], moved["IsDeleted"]) == (winner, False)
    assert (moved["SystemModstamp"], moved["LastModifiedDate"]) == (START + timedelta(minutes=1), START)
    gone = org.get("Account", loser)
    assert (gone["IsDeleted"], gone["MasterRecordId"]) == (True, winner)


def test_products_roll_up_and_leave_the_last_amount(org: Org) -> None:
    deal = org.insert("Opportunity", {**MINIMUM, "Amount": 5})
    first = org.insert("OpportunityLineItem", {"OpportunityId": deal, "Quantity": 3, "UnitPrice": 1.5})
    second = org.insert("OpportunityLineItem", {"OpportunityId": deal, "Quantity": 1, "UnitPrice": 2})
    assert (org.get("Opportunity", deal)["Amount"], org.get("Opportunity", deal)["HasOpportunityLineItem"]) == (
        6.5,
        True,
    )
    org.delete("OpportunityLineItem", first)
    assert org.get("Opportunity", deal)["Amount"] == 2.0
    org.delete("OpportunityLineItem", second)
    assert org.get("Opportunity", deal)["HasOpportunityLineItem"] is False


def test_a_system_change_moves_one_stamp(org: Org, clock: Clock) -> None:
    deal = org.insert("Opportunity", MINIMUM)
    clock.advance(minutes=1)
    org.touch("Opportunity", deal)
    row = org.get("Opportunity", deal)
    assert (row["SystemModstamp"], row["LastModifiedDate"]) == (START + timedelta(minutes=1), START)


def test_parents_and_children_leave_the_opportunity_alone(org: Org, clock: Clock) -> None:
    account = org.insert("Account", {"Name": "Acme"})
    deal = org.insert("Opportunity", {**MINIMUM, "AccountId": account})
    person = org.insert("Contact", {"LastName": "Doe"})
    clock.advance(minutes=1)
    org.update("Account", account, {"Name": "Acme Ltd"})
    role = org.insert("OpportunityContactRole", {"OpportunityId": deal, "ContactId": person})
    org.update("OpportunityContactRole", role, {"Role": "Evaluator"})
    assert org.get("Opportunity", deal)["SystemModstamp"] == START


def test_people_write_as_themselves(org: Org) -> None:
    seller = org.add_user("Sales", "User 1", "sales1@partner.example")
    deal = org.insert("Opportunity", MINIMUM, by=seller)
    row = org.get("Opportunity", deal)
    assert row["OwnerId"] == row["CreatedById"] == row["LastModifiedById"] == seller
    assert org.get("User", seller)["Name"] == "Sales User 1"


def test_fields_hidden_from_the_session_are_not_hidden_from_people(org: Org) -> None:
    deal = org.insert("Opportunity", MINIMUM)
    org.hide_field("Opportunity", "NextStep")
    org.update("Opportunity", deal, {"NextStep": "x"})
    assert org.get("Opportunity", deal)["NextStep"] == "x"
    org.grant_field("Opportunity", "NextStep")
    assert run_query(org, "SELECT NextStep FROM Opportunity", base="")["records"][0]["NextStep"] == "x"


def test_an_organization_id_must_be_one() -> None:
    with pytest.raises(ValueError, match="not an 18 character id"):
        Org(organization_id="00D000000000001AAA")
