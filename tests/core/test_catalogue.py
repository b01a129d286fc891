"""The error catalogue: complete against AWS's own model, told in sentences, and without two answers to one code."""

from __future__ import annotations

import re
from typing import get_args

import botocore.session
import pytest

from connector.core.catalogue import (
    NO_ANSWER,
    TRIGGER,
    UNKNOWN_ERROR,
    UNKNOWN_REASON,
    UNREGISTERED,
    Entry,
    Kind,
    Source,
    entries,
    explain_error,
    explain_reason,
    explain_row,
    find,
    meaning_of,
)
from connector.core.messages import normalise_code

MODEL = botocore.session.get_session().get_service_model("partnercentral-selling")
ENTRIES = entries()


def codes_of(source: Source) -> list[str]:
    return [entry.code for entry in ENTRIES if entry.source is source]


def named(entry: Entry) -> str:
    return f"{entry.source} {entry.code} {entry.when}".strip()


def test_the_reasons_are_those_of_the_model() -> None:
    assert sorted(codes_of(Source.AWS_REASON)) == sorted(MODEL.shape_for("ReasonCode").metadata["enum"])


def test_the_errors_are_those_of_the_model_and_one_that_only_tasks_tell() -> None:
    enum = MODEL.shape_for("ValidationExceptionErrorCode").metadata["enum"]
    assert sorted(codes_of(Source.AWS_ERROR)) == sorted([*enum, "BUSINESS_VALIDATION_EXCEPTION"])


def test_every_exception_of_every_operation_stands_there() -> None:
    declared = {shape.name for name in MODEL.operation_names for shape in MODEL.operation_model(name).error_shapes}
    assert declared <= set(codes_of(Source.AWS_EXCEPTION))
    (reason,) = MODEL.shape_for("AccessDeniedExceptionErrorCode").metadata["enum"]
    assert reason == UNREGISTERED


def test_every_source_and_every_kind_occurs() -> None:
    assert {entry.source for entry in ENTRIES} == set(Source)
    assert {entry.kind for entry in ENTRIES} == set(get_args(Kind))


def test_no_code_has_two_meanings() -> None:
    keys = [(entry.source, normalise_code(entry.code), entry.when) for entry in ENTRIES]
    assert len(set(keys)) == len(keys)
    assert all((source, code, "") in keys for source, code, _ in keys), "a narrower meaning needs a general one"


@pytest.mark.parametrize("entry", [*ENTRIES, UNKNOWN_ERROR, UNKNOWN_REASON], ids=named)
def test_every_entry_is_told_in_sentences_and_says_where_it_is_from(entry: Entry) -> None:
    assert re.fullmatch(r"[A-Z][^.!?]*[.]", entry.sentence), "one sentence"
    assert re.fullmatch(r"[A-Z].*[.]", entry.cure) or (not entry.cure and entry.is_passing)
    assert set(re.findall(r"{\w*}", entry.sentence + entry.cure)) <= (
        {"{operation}"} if entry.source is Source.AWS_EXCEPTION else set()
    )
    assert re.search(r"2026-11-\d\d", entry.origin) or entry.origin.startswith(("the connector itself", "no code"))


def test_entries_of_one_source_stand_together() -> None:
    sources = [entry.source for entry in ENTRIES]
    assert [source for i, source in enumerate(sources) if i == 0 or sources[i - 1] is not source] == list(Source)


@pytest.mark.parametrize("code", ["OpportunityValidationFailed", "OPPORTUNITY_VALIDATION_FAILED"])
def test_a_code_is_known_in_both_spellings(code: str) -> None:
    reason = explain_reason(code)
    assert (reason.code, reason.kind) == ("OpportunityValidationFailed", "user")


KINDS = [
    (Source.AWS_REASON, "REQUEST_THROTTLED", "retry"),
    (Source.AWS_REASON, "InternalError", "retry"),
    (Source.AWS_REASON, "OpportunityConflict", "retry"),
    (Source.AWS_REASON, "OpportunityAccessDenied", "admin"),
    (Source.AWS_REASON, "RESOURCE_SNAPSHOT_JOB_ACCESS_DENIED", "admin"),
    (Source.AWS_REASON, "ServiceQuotaExceeded", "deferred"),
    (Source.AWS_REASON, "OpportunitySubmissionFailed", "user"),
    (Source.AWS_ERROR, "requiredFieldMissing", "user"),
    (Source.SALESFORCE_ROW, "ENTITY_IS_LOCKED", "deferred"),
    (Source.SALESFORCE_ROW, "STRING_TOO_LONG", "admin"),
    (Source.SALESFORCE_ROW, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "user"),
    (Source.SALESFORCE_ROW, NO_ANSWER, "retry"),
]


@pytest.mark.parametrize(("source", "code", "kind"), KINDS)
def test_an_entry_says_who_can_help(source: Source, code: str, kind: str) -> None:
    assert meaning_of(source, code).kind == kind


def test_unknown_and_missing_codes_of_aws_have_a_meaning_too() -> None:
    assert explain_reason("null") is explain_reason("") is explain_reason("SomethingNew") is UNKNOWN_REASON
    assert explain_error("") is explain_error("SOMETHING_NEW") is UNKNOWN_ERROR


def test_unknown_codes_of_salesforce_have_none() -> None:
    assert explain_row("SOMETHING_NEW", "UNABLE_TO_LOCK_ROW") is None
    assert find(Source.SALESFORCE_ROW, "") is None
    with pytest.raises(KeyError, match="SOMETHING_NEW"):
        meaning_of(Source.SALESFORCE_ROW, "SOMETHING_NEW")


def test_a_code_of_one_source_is_not_taken_for_that_of_another() -> None:
    aws, salesforce = (find(source, "REQUIRED_FIELD_MISSING") for source in (Source.AWS_ERROR, Source.SALESFORCE_ROW))
    assert aws is not None
    assert salesforce is not None
    assert aws.sentence != salesforce.sentence
    assert find(Source.AWS_ERROR, "STRING_TOO_LONG") is None


def test_a_narrower_meaning_is_found_where_it_holds() -> None:
    source, code = Source.AWS_EXCEPTION, "ConflictException"
    assert (meaning_of(source, code, "UpdateOpportunity").kind, meaning_of(source, code).kind) == ("retry", "user")
    assert meaning_of(source, code, "CreateOpportunity") is meaning_of(source, code)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Trigger: caused by: System.NullPointerException", TRIGGER),
        ("Trigger: Update failed. first error: UNABLE_TO_LOCK_ROW, unable to obtain", "UNABLE_TO_LOCK_ROW"),
        ("Trigger: first error: ENTITY_IS_LOCKED, locked for editing", "ENTITY_IS_LOCKED"),
        ("Trigger: first error: FIELD_CUSTOM_VALIDATION_EXCEPTION, Fill in the region", TRIGGER),
        (f"Trigger: my own words, {NO_ANSWER}", TRIGGER),
    ],
)
def test_a_trigger_that_met_something_passing_is_told_as_that(words: str, code: str) -> None:
    entry = explain_row(TRIGGER, words)
    assert entry is not None
    assert entry.code == code
