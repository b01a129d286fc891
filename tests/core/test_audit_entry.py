"""Entries of the audit trail: how they are written out, why a write was made, and what of an operation may stay."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.core.audit import (
    COLUMNS,
    LONGEST,
    Entry,
    Event,
    cause_of,
    detail_of,
    in_codes,
    kept_intent,
    kept_response,
    to_csv,
    to_jsonl,
    without_people,
)
from connector.core.model import Link
from connector.errors import Detail, Rejected, StaleVersion

AT = datetime(2026, 11, 22, 10, 0, 0, 5, UTC)
ENTRY = Entry(
    AT,
    "acme",
    Event.BEGUN,
    "006000000000001AAA",
    "O1",
    7,
    "UpdateOpportunity",
    "daemon on host",
    "retry by ann",
    "ab" * 32,
    "token",
    "changes Project.Title",
    3,
)


def test_the_columns_of_an_export_stay_as_they_are() -> None:
    assert COLUMNS == (
        "at", "connection", "event", "salesforce_id", "opportunity_id", "operation_id", "action", "actor", "cause",
        "body_sha256", "client_token", "detail", "id",
    )  # fmt: skip


def test_an_entry_is_written_in_each_form() -> None:
    (line,) = to_jsonl([ENTRY])
    told = json.loads(line)
    assert tuple(told) == COLUMNS
    assert (told["at"], told["event"], told["operation_id"], told["id"]) == (
        "2026-11-22T10:00:00.000005Z",
        "begun",
        7,
        3,
    )
    heading, row = csv.reader(io.StringIO("".join(to_csv([ENTRY])), newline=""))
    assert tuple(heading) == COLUMNS
    assert dict(zip(heading, row, strict=True)) == {name: str(value) for name, value in told.items()}
    assert ENTRY.to_sentence() == (
        "2026-11-22T10:00:00.000005Z  acme  006000000000001AAA O1  UpdateOpportunity begun (changes Project.Title), "
        "by daemon on host; cause: retry by ann"
    )
    assert Entry(AT, "acme", Event.SIGNED_IN).to_sentence() == "2026-11-22T10:00:00.000005Z  acme  -  signed in"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1+1", "\t=1", "\r=1", "\n=1", "＝1"])
def test_no_cell_becomes_a_formula(text: str) -> None:
    _, line = to_csv([Entry(AT, "acme", Event.ASKED, actor=text)])
    (row,) = csv.reader(io.StringIO(line, newline=""))
    assert row[COLUMNS.index("actor")] == f"'{text}"


@pytest.mark.parametrize("text", ["Ann;=1+1;x", "Ann; =1+1", 'Ann;"=1+1"', "=1;+1", "Ann;\t@SUM(A1)"])
def test_no_part_of_a_cell_becomes_a_formula_where_semicolons_separate(text: str) -> None:
    lines = "".join(to_csv([Entry(AT, "acme", Event.SIGNED_IN, actor=f"page, {text}")]))
    cells = [cell for row in csv.reader(io.StringIO(lines), delimiter=";") for cell in row]
    assert len(cells) > 2
    assert not [cell for cell in cells if cell.lstrip('\t "')[:1] in set("=+-@")]


def test_an_ordinary_cell_stays_as_it_is() -> None:
    _, line = to_csv([Entry(AT, "acme", Event.ASKED, actor='Ann, "the" O\'Neil', operation_id=-1)])
    (row,) = csv.reader(io.StringIO(line, newline=""))
    assert (row[COLUMNS.index("actor")], row[COLUMNS.index("operation_id")]) == ('Ann, "the" O\'Neil', "-1")


ASKED = {"by": "ann on host", "at": "2026-11-22T10:00:00Z", "how": "retry"}


@pytest.mark.parametrize(
    ("asked", "news", "own", "told"),
    [
        (None, "", "", ""),
        (None, "read from Salesforce", "", "read from Salesforce"),
        (None, "read from Salesforce", "AWS's word", "AWS's word"),
        (ASKED, "", "", "retry by ann on host at 2026-11-22T10:00:00Z"),
        (ASKED, "read", "", "retry by ann on host at 2026-11-22T10:00:00Z; read"),
        ({"by": ""}, "read", "", "read"),
    ],
)
def test_a_cause_names_the_person_and_the_news(asked: dict[str, Any] | None, news: str, own: str, told: str) -> None:
    assert cause_of(Link(1, "acme", "AWS", "006", cause=news, asked=asked), own) == told


def test_a_refusal_is_told_in_codes() -> None:
    details = (
        Detail("Customer.Contacts[0].Email", "INVALID_VALUE", "ann@customer.example is no address"),
        Detail("Customer.Contacts[0].Email", "INVALID_VALUE", "again"),
        Detail("", "TOO_MANY", "Ann Smith"),
    )
    assert in_codes(Rejected("Ann Smith", details=details)) == "INVALID_VALUE at Customer.Contacts[0].Email; TOO_MANY"
    assert in_codes(Rejected("Ann Smith")) == "Rejected"
    assert in_codes(StaleVersion("Ann Smith")) == "StaleVersion"


def test_a_detail_names_fields_and_no_values() -> None:
    intent = {"changes": [["Project.Title", "Ann's deal"]], "overrules": [["Project.Title", "AWS's"]]}
    assert detail_of({}, intent) == "changes Project.Title; over AWS's edit of Project.Title"
    related = {"RelatedEntityType": "Solutions", "RelatedEntityIdentifier": "S-1"}
    assert detail_of(related, None) == "Solutions S-1"
    assert detail_of({"Assignee": {"Email": "ann@partner.example"}}, None) == ""
    assert len(detail_of({}, {"changes": [[f"Path{i}", i] for i in range(LONGEST)]})) == LONGEST


def test_what_stays_of_an_operation_is_paths_ids_and_codes() -> None:
    intent = {"changes": [["Project.Title", "Ann"]], "overrules": [["A.B", "Ann"]], "receiver": "1", "base": {"x": 1}}
    kept = kept_intent(intent)
    assert kept == {"changes": ["Project.Title"], "overrules": ["A.B"]}
    assert kept_intent(kept) == kept
    assert kept_intent({"fingerprint": "f"}) is kept_intent(None) is None
    answer = {
        "Id": "O1",
        "TaskStatus": "FAILED",
        "Message": "Ann",
        "PartnerOpportunityIdentifier": "006",
        "found": True,
    }
    assert kept_response(answer) == {"Id": "O1", "TaskStatus": "FAILED", "found": True}
    assert kept_response(None) is None


BODY = {
    "Customer": {
        "Contacts": [
            {"FirstName": "Ann", "LastName": "Smith", "Email": "Ann@customer.example", "Phone": "+4930123456"}
        ],
        "Account": {"CompanyName": "Acme", "Industry": "Other"},
    },
    "Project": {"CustomerBusinessProblem": "Ann wants it all."},
}


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("", ""),
        ("Ann Smith has no address ann@customer.example", "[…] […] has no address […]"),
        ("call +4930123456 or +49 30 999 888 77", "call […] or […]"),
        ("'Ann wants it all.' is too short", "'[…]' is too short"),
        ("Industry Other is unknown at Annex", "Industry Other is unknown at Annex"),
    ],
)
def test_the_words_of_a_service_lose_the_people_they_quote(words: str, kept: str) -> None:
    assert without_people(words, BODY) == kept
