"""The line that tells what Salesforce refused: written, read back, and explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.row_refusals import (
    HIDDEN,
    LACKS,
    RowRefusal,
    explain_line,
    read_refusals,
    tell_left_out,
    tell_refusal,
)

ROW = "AWS_Partner_Invitation__c a0X000000000001AAA"

LINES: list[tuple[str, tuple[RowRefusal, ...]]] = [
    ("", ()),
    ("A_RULE: No.", (RowRefusal("", (), "A_RULE", "No."),)),
    ("A_RULE on A__c, Account.B__c: No.", (RowRefusal("", ("A__c", "Account.B__c"), "A_RULE", "No."),)),
    (f"{ROW}: A_RULE: No.", (RowRefusal(ROW, (), "A_RULE", "No."),)),
    (
        f"{LACKS}A__c, B__c (STRING_TOO_LONG: Too long (max length=40)); {ROW}: C__c (A_RULE: No; not now.)",
        (
            RowRefusal("", ("A__c", "B__c"), "STRING_TOO_LONG", "Too long (max length=40)"),
            RowRefusal(ROW, ("C__c",), "A_RULE", "No; not now."),
        ),
    ),
    (f"{LACKS}A__c ({HIDDEN})", (RowRefusal("", ("A__c",), "INVALID_FIELD_FOR_INSERT_UPDATE", ""),)),
    (
        f"FIELD_CUSTOM_VALIDATION_EXCEPTION: Fill in the region; then save.; {LACKS}Partners__r.A__c ({HIDDEN})",
        (
            RowRefusal("", (), "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Fill in the region; then save."),
            RowRefusal("", ("Partners__r.A__c",), "INVALID_FIELD_FOR_INSERT_UPDATE", ""),
        ),
    ),
    ("something that no version ever wrote", ()),
]


@pytest.mark.parametrize(("line", "expected"), LINES, ids=[line[:40] for line, _ in LINES])
def test_a_line_is_read(line: str, expected: tuple[RowRefusal, ...]) -> None:
    assert read_refusals(line) == expected


@given(st.text(max_size=200))
def test_any_line_is_read_and_explained(line: str) -> None:
    assert isinstance(read_refusals(line), tuple)
    assert len(explain_line(line)) == 2


NAMES = st.lists(st.from_regex(r"[A-Z][A-Za-z]{0,9}(__c)?", fullmatch=True), max_size=3, unique=True)
CODES = st.sampled_from(["STRING_TOO_LONG", "UNABLE_TO_LOCK_ROW", "A_RULE"])
WORDS = st.text(max_size=60).filter(lambda text: ";" not in text)


@given(st.lists(st.tuples(CODES, WORDS, NAMES), min_size=1, max_size=4))
def test_what_is_written_is_read_back(refusals: list[tuple[str, str, list[str]]]) -> None:
    line = "; ".join(tell_refusal(code, words, names) for code, words, names in refusals)
    assert read_refusals(line) == tuple(RowRefusal("", tuple(names), code, words) for code, words, names in refusals)


@given(CODES, WORDS, NAMES.filter(bool))
def test_what_is_left_out_is_read_back(code: str, words: str, names: list[str]) -> None:
    line = LACKS + tell_left_out(names, tell_refusal(code, words))
    assert read_refusals(line) == (RowRefusal("", tuple(names), code, words),)


def test_a_line_is_explained_at_its_fields() -> None:
    line = f"REQUIRED_FIELD_MISSING on Region__c: Required fields are missing: [Region__c]; {LACKS}A__c ({HIDDEN})"
    meaning, cure = explain_line(line)
    assert meaning.startswith("Region__c: A field that your Salesforce org requires is empty. A__c: ")
    assert cure.startswith("Fill it in on the record. Ask a Salesforce administrator ")


def test_the_same_is_said_once() -> None:
    once = explain_line("UNABLE_TO_LOCK_ROW: one")
    assert once[0]
    assert explain_line("UNABLE_TO_LOCK_ROW: one; UNABLE_TO_LOCK_ROW: two") == once


def test_a_child_row_is_named_where_no_field_is() -> None:
    meaning, _ = explain_line(f"{ROW}: UNABLE_TO_LOCK_ROW: unable to obtain exclusive access")
    assert meaning.startswith(f"{ROW}: Something else was saving")


def test_a_new_code_is_not_explained() -> None:
    assert explain_line("A_RULE: No.") == ("", "")


def test_a_trigger_that_met_a_lock_is_explained_as_that() -> None:
    _, cure = explain_line("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: T: first error: UNABLE_TO_LOCK_ROW, unable: []")
    assert "tried again by itself" in cure
