"""The SOQL that is derived from a mapping: complete, without repetition, and closed to injection."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_mapping import compiled

from connector.core.selection import Selection, is_id, quoted_ids, states_query, to_id18, to_instant, unique

SINCE = datetime(2026, 11, 21, 12, 30, 15, 999999, timezone(timedelta(hours=2)))
FLAG = "Share_With_AWS__c = TRUE OR Stage__c = 'x'"
SELECTION = Selection(
    "Opportunity",
    FLAG,
    ("Account.Name", "account.NAME", "Account.Owner.Email", "name", "Amount", "AWS_Id__c"),
    {"OpportunityContactRoles": ("Id", "Contact.Email", "contact.email"), "Items__r": ("Id",)},
    ("AWS_Id__c", "AWS_Status__c"),
)


def columns_of(query: str) -> list[str]:
    found = re.match(r"SELECT (.*?)(?:, \(SELECT| FROM)", query)
    assert found is not None
    return found[1].split(", ")


def test_whole_records() -> None:
    assert SELECTION.records() == (
        "SELECT Id, SystemModstamp, LastModifiedById, Name, Account.Name, Account.Owner.Email, Amount, AWS_Id__c, "
        "(SELECT Id FROM Items__r), (SELECT Id, Contact.Email FROM OpportunityContactRoles) "
        f"FROM Opportunity WHERE ({FLAG}) ORDER BY SystemModstamp ASC, Id ASC"
    )


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        (SELECTION.changed_records(SINCE), "(SystemModstamp >= 2026-11-21T10:30:15Z)"),
        (
            SELECTION.touched_by_parents(SINCE),
            "(Account.SystemModstamp >= 2026-11-21T10:30:15Z OR Account.Owner.SystemModstamp >= 2026-11-21T10:30:15Z)",
        ),
        (
            SELECTION.touched_by_children("OpportunityContactRoles", "OpportunityContactRole", "OpportunityId", SINCE),
            (
                "(Id IN (SELECT OpportunityId FROM OpportunityContactRole WHERE SystemModstamp >= 2026-11-21T10:30:15Z"
                " OR Contact.SystemModstamp >= 2026-11-21T10:30:15Z))"
            ),
        ),
        (SELECTION.by_id(["006000000000001AAA"]), "(Id IN ('006000000000001AAA'))"),
        (SELECTION.records("Amount > 5 OR Amount < 1"), "(Amount > 5 OR Amount < 1)"),
    ],
)
def test_the_flag_always_stands_in_parentheses_beside_what_narrows_it(query: str, condition: str) -> None:
    assert f" WHERE ({FLAG}) AND {condition}" in query


def test_linked_rows_are_found_whatever_their_flag() -> None:
    query = SELECTION.known_rows(SINCE)
    assert FLAG not in query
    assert "WHERE (AWS_Id__c != null OR AWS_Status__c != null) AND SystemModstamp >= 2026-11-21T10:30:15Z" in query


def test_parents_are_asked_once_and_none_means_no_query() -> None:
    assert SELECTION.parents == ("Account", "Account.Owner")
    assert Selection("Opportunity", "A = 1", ("Name",)).touched_by_parents(SINCE) == ""


def test_a_mapping_selects_what_it_reads_and_what_it_writes_back() -> None:
    selection = compiled(
        """
        Project:
          Title: {from: name}
          OtherSolutionDescription: {template: "{Account.Name} {ACCOUNT.Industry}"}
          AdditionalComments: {from: Note__c, when: {field: Switch__c, is: true}}
          CustomerUseCase: {from: "opportunitycontactroles && opportunitycontactroles[?Role=='User'].Use__c | [0]"}
        Customer:
          Contacts:
            each: OpportunityContactRoles
            where: Active__c = TRUE
            order_by: IsPrimary DESC, Contact.Name
            item: {Email: Contact.Email, Phone: contact.EMAIL}
        """,
        """
        associate: {Solutions: {from: Solution__c, transform: split}}
        submission: {when: Submit__c = TRUE, InvolvementType: {from: Involvement__c, default: Co-Sell}}
        write_back: {AWS_Id__c: opportunity.Id, solution__C: task.TaskId, AWS_Status__c: sync.status}
        """,
    ).selection
    assert (selection.sobject, selection.where) == ("Opportunity", "Share_With_AWS__c = TRUE")
    assert columns_of(selection.records()) == [
        "Id", "SystemModstamp", "LastModifiedById", "Name", "Account.Name", "ACCOUNT.Industry",
        "Note__c", "Switch__c", "Solution__c",
        "Involvement__c", "Submit__c", "AWS_Id__c", "AWS_Status__c",
    ]  # fmt: skip
    assert dict(selection.children) == {
        "opportunitycontactroles": ("Role", "Use__c", "Id", "Contact.Email", "IsPrimary", "Contact.Name", "Active__c")
    }
    assert selection.linked_fields == ("AWS_Id__c", "AWS_Status__c")


@pytest.mark.parametrize(
    ("given_id", "whole"),
    [("0065g00000AbCdE", "0065g00000AbCdEAAV"), ("0065g00000AbCdEAAV", "0065g00000AbCdEAAV")],
)
def test_ids_of_15_and_18_characters_are_the_same_record(given_id: str, whole: str) -> None:
    assert to_id18(given_id) == whole


HOSTILE = [
    "",
    "006",
    "006000000000001AAA'",
    "006000000000001' OR Id != '",
    "006000000000001AA\n",
    "006000000000001AAA ",
    "00600000000000é",
    "006000000000001%",
    "00600000000000١",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_ids_are_refused(text: str) -> None:
    assert not is_id(text)
    for build in (to_id18, lambda value: SELECTION.by_id([value]), lambda value: states_query("Opportunity", [value])):
        with pytest.raises(ValueError, match="is not a Salesforce id"):
            build(text)


@given(st.text(max_size=20))
def test_only_letters_and_digits_ever_reach_a_query(text: str) -> None:
    if is_id(text):
        assert re.fullmatch(r"'[A-Za-z0-9]{18}'", quoted_ids([text]))
    else:
        with pytest.raises(ValueError, match="is not a Salesforce id"):
            quoted_ids([text])


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (bounds)
def test_instants_are_whole_seconds_in_utc(moment: datetime) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", to_instant(moment))


@given(st.lists(st.text(alphabet="aAbB.", min_size=1)))
def test_unique_keeps_the_first_spelling_of_each_name(names: list[str]) -> None:
    found = unique(names)
    assert {name.lower() for name in found} == {name.lower() for name in names}
    assert len({name.lower() for name in found}) == len(found)
    assert all(name in names for name in found)


def test_the_flagged_records_are_counted_by_the_flag_alone() -> None:
    assert SELECTION.counted() == f"SELECT COUNT() FROM Opportunity WHERE ({FLAG})"
