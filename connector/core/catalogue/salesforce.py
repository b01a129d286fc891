"""What Salesforce says when it refuses a row or a call, in the words of the person who can help. Tables only.

The rows are records and their children that exist already and get fixed values: codes that only creating, deleting,
converting or sharing can give are left out. The WSDL lists names without meanings: those follow from the names, from
Salesforce's developer guides and from the messages that come with them.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector.core.catalogue.entry import Entry, Kind, Source

_WSDL = "StatusCode and ExceptionCode of Salesforce's partner WSDL, version 48.0, read 2026-11-22"
_REST = "REST API developer guide, error responses, read 2026-11-21"
_SEEN = "issues and sources of other integrations with Salesforce, read 2026-11-21"
_RECORDED = "recordings of real orgs in public repositories, read 2026-11-21"
_OWN = "the connector itself, which says it without asking Salesforce"

_WAIT = "Nothing to do; it is tried again by itself."
_GRANT = "Ask a Salesforce administrator to grant it to the integration user in its permission set."
_GRANT_EDIT = "Ask a Salesforce administrator to let the integration user edit it, in its permission set."
_BYPASS = "or ask a Salesforce administrator to let the integration user pass the rule."
_AUTOMATION = "Ask a Salesforce administrator to look at the trigger or flow that Salesforce's words name."
_MAPPING = "Correct the mapping file; `connector check` shows what it asks for."
_NARROW = "Correct the condition under salesforce.where, or read fewer fields and relationships."

TRIGGER = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
"""A trigger failed. It fails again with the same record, unless its words name a code that may pass."""
NO_ANSWER = "NO_ANSWER"
"""The code of a row whose call broke when it was made for this row alone, while others got through."""


def _rows(codes: str, kind: Kind, sentence: str, cure: str, origin: str = _WSDL) -> Iterator[Entry]:
    """One entry for each of several codes that mean the same."""
    for code in codes.split():
        yield Entry(Source.SALESFORCE_ROW, code, kind, sentence, cure, origin)


def _calls(codes: str, kind: Kind, sentence: str, cure: str, origin: str = _WSDL, when: str = "") -> Iterator[Entry]:
    for code in codes.split():
        yield Entry(Source.SALESFORCE_CALL, code, kind, sentence, cure, origin, when)


ROWS = (
    *_rows(
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "user",
        "A validation rule of your Salesforce org refuses the record.",
        f"Correct the record as the rule says, {_BYPASS}",
    ),
    *_rows(
        "REQUIRED_FIELD_MISSING",
        "user",
        "A field that your Salesforce org requires is empty.",
        "Fill it in on the record.",
    ),
    *_rows(
        "FIELD_FILTER_VALIDATION_EXCEPTION",
        "user",
        "A lookup of the record does not meet the field's filter.",
        "Choose another record in the lookup, or ask a Salesforce administrator to change the filter.",
    ),
    *_rows(
        "FIELD_INTEGRITY_EXCEPTION",
        "user",
        "A value of the record does not go with its other values.",
        "Correct the fields that Salesforce's words name.",
    ),
    *_rows(
        "DUPLICATE_VALUE",
        "user",
        "Another record has the same value in a field that must be unique.",
        "Salesforce's words name the other record: correct one of the two.",
    ),
    *_rows(
        "DUPLICATES_DETECTED",
        "user",
        "A duplicate rule of your Salesforce org takes this for a duplicate.",
        f"Merge or correct the duplicates, {_BYPASS}",
    ),
    *_rows(
        "INACTIVE_OWNER_OR_USER",
        "user",
        "The record belongs to, or names, a user who is no longer active.",
        "Give the record to an active user.",
    ),
    *_rows(
        "ENTITY_IS_DELETED",
        "user",
        "The record, or the row below it, has been deleted.",
        "Nothing to do, unless that was a mistake: then restore it from the recycle bin.",
    ),
    *_rows(
        "STRING_TOO_LONG",
        "admin",
        "The field is too short for what is to be shown.",
        "Ask a Salesforce administrator to make the field longer.",
    ),
    *_rows(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "admin",
        "The picklist does not have the value that is to be shown.",
        "Ask a Salesforce administrator to add the value to the picklist, for every record type, or to stop "
        "restricting it.",
    ),
    *_rows(
        "NUMBER_OUTSIDE_VALID_RANGE",
        "admin",
        "The number is too large or too small for the field.",
        "Ask a Salesforce administrator to give the field more digits.",
    ),
    *_rows(
        "INVALID_TYPE_ON_FIELD_IN_RECORD JSON_PARSER_ERROR",
        "admin",
        "The value does not fit the type of its field.",
        "Name a field of another type in the mapping, or ask a Salesforce administrator to change the field's type.",
    ),
    *_rows(
        "INVALID_EMAIL_ADDRESS",
        "admin",
        "The value is no e-mail address to Salesforce.",
        "Correct it at AWS, or name a text field in the mapping.",
    ),
    *_rows(
        "INVALID_VALUE",
        "admin",
        "The mapping gives a value that is neither text nor a number, a date, true or false.",
        "Name a single fact in the mapping's line.",
        _OWN,
    ),
    *_rows(
        "INVALID_FIELD",
        "admin",
        "Salesforce does not know, or hides, a field that is to be written.",
        "Deploy it, grant it to the integration user in its permission set, or take it out of the mapping.",
    ),
    *_rows(
        "INVALID_FIELD_FOR_INSERT_UPDATE FIELD_NOT_UPDATABLE",
        "admin",
        "The field is hidden from the integration user, or read-only for it.",
        _GRANT_EDIT,
    ),
    *_rows(
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "admin",
        "The integration user may not edit the record.",
        "Ask a Salesforce administrator to share it with the integration user, or to let it edit all opportunities.",
    ),
    *_rows(
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        "admin",
        "The integration user may not use a record that this one refers to.",
        "Ask a Salesforce administrator to share that record with the integration user.",
    ),
    *_rows(
        "INVALID_CROSS_REFERENCE_KEY",
        "admin",
        "The record, or one that it refers to, is gone or hidden from the integration user.",
        "If it still exists, ask a Salesforce administrator to share it with the integration user.",
    ),
    *_rows(
        "NOT_FOUND",
        "admin",
        "The record is gone, or hidden from the integration user.",
        "If it still exists, ask a Salesforce administrator to share it with the integration user.",
        _RECORDED,
    ),
    *_rows(
        "MALFORMED_ID",
        "admin",
        "What should be the id of a record is none.",
        "Correct the line of the mapping that fills the field, or name a text field there.",
    ),
    *_rows(
        f"{TRIGGER} CANNOT_EXECUTE_FLOW_TRIGGER",
        "admin",
        "A trigger or flow of your Salesforce org failed when the record was saved.",
        _AUTOMATION,
    ),
    *_rows(
        "SELF_REFERENCE_FROM_TRIGGER",
        "admin",
        "A trigger of your Salesforce org changes the record that is being saved.",
        _AUTOMATION,
    ),
    *_rows(
        "STORAGE_LIMIT_EXCEEDED",
        "admin",
        "Your Salesforce org has no storage left.",
        "Ask a Salesforce administrator to free some, or to buy more.",
    ),
    *_rows(
        "LIMIT_EXCEEDED",
        "admin",
        "A limit of your Salesforce org is reached.",
        "Ask a Salesforce administrator which one Salesforce's words mean.",
    ),
    *_rows("UNABLE_TO_LOCK_ROW", "retry", "Something else was saving the record at the same time.", _WAIT),
    *_rows(
        "TXN_SECURITY_METERING_ERROR",
        "retry",
        "A transaction security policy of your Salesforce org took too long.",
        _WAIT,
        _SEEN,
    ),
    *_rows(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED",
        "retry",
        "The record was not saved because another one in the same call was refused.",
        _WAIT,
        _SEEN,
    ),
    *_rows(
        "UNKNOWN_EXCEPTION SERVER_UNAVAILABLE",
        "retry",
        "Salesforce had trouble of its own.",
        _WAIT,
    ),
    *_rows(
        "REQUEST_RUNNING_TOO_LONG QUERY_TIMEOUT",
        "retry",
        "Saving the record took Salesforce too long.",
        "It is tried again by itself; if this stays, ask a Salesforce administrator which trigger or flow is slow.",
    ),
    *_rows(
        NO_ANSWER,
        "retry",
        "Salesforce did not answer when this record was saved alone, while others were.",
        "It is tried again by itself; if this stays, ask a Salesforce administrator which trigger or flow runs on it.",
        _OWN,
    ),
    *_rows(
        "ENTITY_IS_LOCKED",
        "deferred",
        "The record is locked, usually by an approval.",
        "It is tried again by itself; finish the approval, or ask a Salesforce administrator to unlock the record.",
    ),
    *_rows(
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        "deferred",
        "Salesforce is read-only during maintenance.",
        _WAIT,
    ),
    *_rows(
        "REQUEST_LIMIT_EXCEEDED",
        "deferred",
        "The org has used up its Salesforce API calls.",
        "It is tried again by itself; under Setup, System Overview, an administrator sees who uses them.",
    ),
)

REST_SESSION = "not valid for use with the REST API"
"""Words of a session that no login will make good."""

CALLS = (
    *_calls(
        "REQUEST_LIMIT_EXCEEDED",
        "retry",
        "Salesforce has too many long calls under way.",
        "",
        _REST,
        "concurrent",
    ),
    *_calls(
        "REQUEST_LIMIT_EXCEEDED",
        "deferred",
        "The org has used up its daily Salesforce API calls.",
        "Wait for the rolling 24 hours to pass, or find out under Setup, System Overview, who uses them.",
        _REST,
    ),
    *_calls(
        "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED",
        "admin",
        "API access is switched off for this Salesforce org or user.",
        "Give the integration user the permission API Enabled, and a licence that includes the API.",
    ),
    *_calls(
        "INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY FUNCTIONALITY_NOT_ENABLED",
        "admin",
        "The Salesforce user may not do this.",
        _GRANT,
    ),
    *_calls("INVALID_FIELD", "admin", "Salesforce does not know, or hides, a field of the mapping.", _MAPPING),
    *_calls("INVALID_TYPE", "admin", "Salesforce does not know, or hides, an object of the mapping.", _MAPPING),
    *_calls(
        "MALFORMED_QUERY INVALID_QUERY_FILTER_OPERATOR QUERY_TOO_COMPLICATED EXCEEDED_MAX_SEMIJOIN_SUBSELECTS "
        "NUMBER_OUTSIDE_VALID_RANGE",
        "admin",
        "Salesforce cannot carry out the query that follows from the mapping.",
        _NARROW,
    ),
    *_calls(
        "INVALID_SESSION_ID INVALID_AUTH_HEADER",
        "admin",
        "Salesforce refuses a token it has only just given out.",
        "Check the app's session and IP policies, and whether the integration user is active.",
        _RECORDED,
    ),
    *_calls(
        "INVALID_SESSION_ID",
        "admin",
        "Salesforce gives a session that may not use the REST API.",
        "Add the scope api to the app's OAuth settings, and check the user's session policies.",
        _SEEN,
        REST_SESSION,
    ),
    *_calls(
        "QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG",
        "retry",
        "A Salesforce query ran for too long.",
        "If this stays, narrow salesforce.where to an indexed field.",
    ),
    *_calls(
        "INVALID_QUERY_LOCATOR",
        "retry",
        "Salesforce has forgotten the rest of a long answer.",
        "It is asked for again from the start.",
    ),
    *_calls("SERVER_UNAVAILABLE UNKNOWN_EXCEPTION", "retry", "Salesforce had trouble of its own.", ""),
    *_calls("PROCESSING_HALTED", "retry", "Salesforce stopped half-way through a call.", "", _SEEN),
    *_calls(
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        "deferred",
        "Salesforce is read-only during maintenance.",
        "",
    ),
)
