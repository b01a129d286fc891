"""What Salesforce says becomes the error that fits, in words without queries, addresses or content."""

from __future__ import annotations

import pytest
import requests

from connector.adapters.salesforce_errors import (
    RULES,
    MalformedCall,
    Rule,
    is_curable,
    to_error,
    to_login_failed,
    to_row_result,
    to_unavailable,
)
from connector.adapters.salesforce_errors import read_entries as entries
from connector.adapters.salesforce_login_errors import to_token_error
from connector.core.catalogue import REST_SESSION, Source, meaning_of
from connector.core.catalogue import Entry as CatalogueEntry
from connector.core.catalogue import entries as catalogue
from connector.errors import (
    AccessDenied,
    ConnectorError,
    LoginFailed,
    QuotaExhausted,
    TemporaryError,
    Throttled,
    Unavailable,
)

HTML = "<html><h1>secret.customer@buyer.example</h1></html>"
NO_COLUMN = (
    "\nSELECT Foo__c FROM Opportunity WHERE Email = 'secret.customer@buyer.example'\n       ^\n"
    "ERROR at Row:1:Column:8\nNo such column 'Foo__c' on entity 'Opportunity'. If you are attempting to use a"
)


def body(code: str, message: str = "secret.customer@buyer.example") -> list[dict[str, object]]:
    return [{"message": message, "errorCode": code}]


@pytest.mark.parametrize(
    ("status", "content", "kind", "delay", "words"),
    [
        (403, body("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), QuotaExhausted, 3600, "daily"),
        (
            403,
            body("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
            Throttled,
            5,
            "long calls",
        ),
        (403, body("API_DISABLED_FOR_ORG"), AccessDenied, 0, "API access is switched off"),
        (403, body("API_CURRENTLY_DISABLED"), AccessDenied, 0, "API access is switched off"),
        (403, body("INSUFFICIENT_ACCESS"), AccessDenied, 0, "may not do this"),
        (403, body("SOMETHING_ELSE"), AccessDenied, 0, "may not do this"),
        (503, body("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"), Unavailable, 300, "maintenance"),
        (400, body("INVALID_FIELD", NO_COLUMN), AccessDenied, 0, "the field Foo__c on Opportunity"),
        (
            400,
            body("INVALID_FIELD", "No such column 'Bar__c' on sobject of type Opportunity"),
            AccessDenied,
            0,
            "the field Bar__c on Opportunity",
        ),
        (
            400,
            body("INVALID_FIELD", "Didn't understand relationship 'Acc' in field path"),
            AccessDenied,
            0,
            "Acc",
        ),
        (
            400,
            body("INVALID_TYPE", "\nsObject type 'XYZZY' is not supported."),
            AccessDenied,
            0,
            "the object XYZZY",
        ),
        (
            400,
            body("MALFORMED_QUERY", "unexpected token: 'FORM'"),
            AccessDenied,
            0,
            "cannot carry out the query",
        ),
        (400, body("QUERY_TIMEOUT"), Unavailable, 60, "ran for too long"),
        (400, body("INVALID_QUERY_LOCATOR"), Unavailable, 0, "forgotten the rest"),
        (400, body("JSON_PARSER_ERROR"), MalformedCall, 0, "cannot read the call"),
        (404, body("NOT_FOUND"), AccessDenied, 0, "what was asked for"),
        (401, HTML, LoginFailed, 0, "refuses the login"),
        (302, HTML, Unavailable, 0, "redirection"),
        (406, "", Unavailable, 10, "HTTP 406"),
        (420, "", Unavailable, 10, "HTTP 420"),
        (429, "", Throttled, 30, "fewer calls"),
        (500, body("UNKNOWN_EXCEPTION"), Unavailable, 10, "trouble of its own"),
        (502, HTML, Unavailable, 10, "HTTP 502"),
        (503, body("SERVER_UNAVAILABLE", "Server too busy"), Unavailable, 10, "trouble of its own"),
        (504, HTML, Unavailable, 10, "HTTP 504"),
    ],
)
def test_a_refusal_becomes_the_error_that_fits(
    status: int, content: object, kind: type[ConnectorError], delay: float, words: str
) -> None:
    error = to_error(status, content, label="changes", writes=False)
    assert type(error) is kind
    assert words in error.message
    assert getattr(error, "delay", 0) == delay
    assert "secret.customer" not in str(error)
    assert not getattr(error, "ambiguous", False)


def test_only_an_unclear_write_is_ambiguous() -> None:
    unclear = to_error(503, HTML, label="write", writes=True)
    refused = to_error(403, body("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests"), label="write", writes=True)
    assert isinstance(unclear, TemporaryError)
    assert unclear.ambiguous
    assert isinstance(refused, TemporaryError)
    assert not refused.ambiguous


@pytest.mark.parametrize(
    ("status", "error", "description", "words", "cure"),
    [
        (400, "invalid_grant", "authentication failure", "refuses the integration user", "login history"),
        (400, "invalid_grant", "no client credentials user enabled", "no user to run as", "Run As"),
        (
            400,
            "invalid_grant",
            "request not supported on this domain",
            "not accepted at this address",
            "My Domain",
        ),
        (400, "invalid_grant", "user hasn't approved this consumer", "not been approved", "pre-authorised"),
        (400, "invalid_grant", "audience is invalid", "audience", "test.salesforce.com"),
        (400, "invalid_grant", "Audience validation failed", "audience", "test.salesforce.com"),
        (400, "invalid_grant", "invalid assertion", "cannot verify", "clock"),
        (400, "invalid_grant", "expired authorization code", "out of date", "clock"),
        (
            400,
            "invalid_grant",
            "External client app is not installed in this org",
            "not installed",
            "External Client App",
        ),
        (400, "invalid_grant", "expired access/refresh token", "withdrawn", "Approve"),
        (400, "invalid_grant", "inactive organization", "not active", "login_url"),
        (400, "invalid_grant", "user is locked", "locked", "Unlock"),
        (400, "invalid_grant", "LOGIN_RATE_EXCEEDED", "too often", "what else"),
        (400, "invalid_client_id", "client identifier invalid", "client_id", "Copy client_id"),
        (400, "invalid_client", "invalid client credentials", "client_secret", "Copy client_id"),
        (401, "invalid_client", "invalid client credentials", "client_secret", "Copy client_id"),
        (
            400,
            "invalid_app_access",
            "user is not admin approved to access this app",
            "may not use",
            "policies",
        ),
        (400, "unsupported_grant_type", "grant type not supported", "switched off", "Enable"),
        (400, "odd_new_error", "secret.customer@buyer.example", "odd_new_error", "login history"),
    ],
)
def test_every_refused_login_has_a_sentence_and_a_cure(
    status: int, error: str, description: str, words: str, cure: str
) -> None:
    failed = to_token_error(status, {"error": error, "error_description": description})
    assert isinstance(failed, LoginFailed)
    assert words in failed.message
    assert cure in failed.cure
    assert "secret.customer" not in str(failed)


def test_a_page_instead_of_a_token_means_a_wrong_address_or_an_outage() -> None:
    assert isinstance(to_token_error(404, None), LoginFailed)
    assert "login_url" in to_token_error(200, None).message
    assert isinstance(to_token_error(503, None), Unavailable)


@pytest.mark.parametrize(
    ("content", "curable"),
    [
        (body("INVALID_SESSION_ID", "Session expired or invalid"), True),
        (HTML, True),
        ({"odd": 1}, True),
        (body("INVALID_AUTH_HEADER", "INVALID_AUTH_HEADER"), False),
        (body("INVALID_SESSION_ID", "This session is not valid for use with the REST API"), False),
        (body("INVALID_SESSION_ID", "Connected app is not attached to Agent"), False),
    ],
)
def test_a_new_token_is_asked_for_only_where_it_may_help(content: object, curable: bool) -> None:
    assert is_curable(content) is curable


@pytest.mark.parametrize(
    ("fault", "words", "ambiguous"),
    [
        (requests.exceptions.SSLError("https://x/secret"), "certificate", True),
        (requests.exceptions.ProxyError("https://x/secret"), "proxy", True),
        (requests.exceptions.ReadTimeout("https://x/secret"), "in time", True),
        (requests.exceptions.ConnectTimeout("https://x/secret"), "in time", False),
        (requests.exceptions.ChunkedEncodingError("https://x/secret"), "connection", True),
        (requests.exceptions.InvalidJSONError("https://x/secret"), "not JSON", True),
        (OSError("https://x/secret"), "connection", True),
    ],
)
def test_network_faults_keep_addresses_to_themselves(fault: Exception, words: str, ambiguous: bool) -> None:
    error = to_unavailable(fault, label="write", writes=True)
    assert words in error.message
    assert "secret" not in str(error)
    assert error.ambiguous is ambiguous
    assert not to_unavailable(fault, label="changes", writes=False).ambiguous


@pytest.mark.parametrize(
    ("codes", "temporary"),
    [
        ([], True),
        (["UNABLE_TO_LOCK_ROW"], True),
        (["TXN_SECURITY_METERING_ERROR"], True),
        (["ENTITY_IS_LOCKED"], True),
        (["ALL_OR_NONE_OPERATION_ROLLED_BACK"], True),
        (["PROCESSING_HALTED"], True),
        (["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"], False),
        (["FIELD_CUSTOM_VALIDATION_EXCEPTION"], False),
        (["ENTITY_IS_DELETED"], False),
        (["STRING_TOO_LONG", "UNABLE_TO_LOCK_ROW"], False),
        (["A_NEW_CODE"], False),
    ],
)
def test_a_refused_row_is_temporary_only_when_every_reason_is(codes: list[str], temporary: bool) -> None:
    told = [{"statusCode": code, "message": code.lower(), "fields": ["A__c"]} for code in codes]
    result = to_row_result("006000000000001AAA", entries(told))
    assert result.temporary is temporary
    assert result.code == (codes or ["UNKNOWN_EXCEPTION"])[0]
    assert result.fields == (("A__c",) if codes else ())
    assert not result.succeeded


def test_a_row_refused_for_several_reasons_is_told_by_the_first_that_lasts() -> None:
    told = [{"statusCode": code, "message": code} for code in ("UNABLE_TO_LOCK_ROW", "STRING_TOO_LONG", "A_RULE")]
    result = to_row_result("006000000000001AAA", entries(told))
    assert (result.code, result.temporary) == ("STRING_TOO_LONG", False)
    assert result.message == "UNABLE_TO_LOCK_ROW; STRING_TOO_LONG; A_RULE"


@pytest.mark.parametrize(
    ("words", "temporary"),
    [
        ("PartnerTrigger: execution of BeforeUpdate caused by: System.NullPointerException", False),
        ("PartnerTrigger: Update failed. first error: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access", True),
    ],
)
def test_a_failed_trigger_is_temporary_only_when_it_met_something_temporary(words: str, temporary: bool) -> None:
    told = [{"statusCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": words, "fields": []}]
    assert to_row_result("006000000000001AAA", entries(told)).temporary is temporary


@pytest.mark.parametrize(
    ("words", "listed", "fields"),
    [
        ("No such column 'A__c' on sobject of type Opportunity", [], ("A__c",)),
        ("Unable to create/update fields: A__c, B__c. Please check the security settings", [], ("A__c", "B__c")),
        ("Unable to create/update fields: A__c. Please check", ["B__c"], ("B__c",)),
        ("Fill in the region.", [], ()),
    ],
)
def test_the_fields_of_a_refusal_are_read_from_its_words_where_it_lists_none(
    words: str, listed: list[str], fields: tuple[str, ...]
) -> None:
    told = [{"statusCode": "INVALID_FIELD_FOR_INSERT_UPDATE", "message": words, "fields": listed}]
    assert to_row_result("006000000000001AAA", entries(told)).fields == fields


@pytest.mark.parametrize(
    ("status", "code", "words", "kind"),
    [
        (400, "INVALID_FIELD", "No such column 'A__c' on sobject of type Opportunity", MalformedCall),
        (400, "NUMBER_OUTSIDE_VALID_RANGE", "value outside of valid range", MalformedCall),
        (400, "JSON_PARSER_ERROR", "Cannot deserialize", MalformedCall),
        (400, "ODD_NEW_CODE", "", MalformedCall),
        (400, "INVALID_TYPE", "sObject type 'Nope__c' is not supported.", AccessDenied),
        (403, "INSUFFICIENT_ACCESS", "", AccessDenied),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", QuotaExhausted),
        (400, "QUERY_TIMEOUT", "", Unavailable),
    ],
)
def test_what_a_row_may_be_to_blame_for_is_told_from_what_stops_the_connection(
    status: int, code: str, words: str, kind: type[ConnectorError]
) -> None:
    assert type(to_error(status, body(code, words), label="write", writes=True)) is kind


@pytest.mark.parametrize(
    ("code", "rule"),
    [(code, rule) for rule in RULES for code in sorted(rule.codes)],
    ids=lambda part: part if isinstance(part, str) else part.kind.__name__,
)
def test_what_stops_a_call_is_told_in_the_words_of_the_catalogue(code: str, rule: Rule) -> None:
    entry = meaning_of(Source.SALESFORCE_CALL, code, rule.fragment)
    error = to_error(400, body(code, rule.fragment), label="changes", writes=False)
    assert (type(error), error.cure) == (rule.kind, entry.cure)
    assert error.message == f"{entry.sentence} ({code}, HTTP 400, changes)"
    is_passing = issubclass(rule.kind, (TemporaryError, QuotaExhausted))
    assert entry.is_passing is is_passing
    assert is_passing or entry.kind == "admin"


def test_the_catalogue_lists_no_call_that_is_never_told() -> None:
    told = {(code, rule.fragment) for rule in RULES for code in rule.codes}
    told |= {("INVALID_SESSION_ID", ""), ("INVALID_SESSION_ID", REST_SESSION), ("INVALID_AUTH_HEADER", "")}
    assert {(entry.code, entry.when) for entry in catalogue() if entry.source is Source.SALESFORCE_CALL} == told


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (body("INVALID_SESSION_ID", "This session is not valid for use with the REST API"), "may not use the REST API"),
        (body("INVALID_SESSION_ID", "Session expired or invalid"), "only just given out (INVALID_SESSION_ID)."),
        (body("INVALID_AUTH_HEADER", "INVALID_AUTH_HEADER"), "only just given out (INVALID_AUTH_HEADER)."),
        (HTML, "only just given out."),
    ],
)
def test_a_token_that_no_login_cures_is_told_in_the_words_of_the_catalogue(content: object, words: str) -> None:
    error = to_login_failed(content)
    assert words in error.message
    limited = REST_SESSION if "REST API" in error.message else ""
    assert error.cure == meaning_of(Source.SALESFORCE_CALL, "INVALID_SESSION_ID", limited).cure


PASSING = {
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "ENTITY_IS_LOCKED",
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
    "NO_ANSWER",
    "PROCESSING_HALTED",
    "QUERY_TIMEOUT",
    "REQUEST_LIMIT_EXCEEDED",
    "REQUEST_RUNNING_TOO_LONG",
    "SERVER_UNAVAILABLE",
    "TXN_SECURITY_METERING_ERROR",
    "UNABLE_TO_LOCK_ROW",
    "UNKNOWN_EXCEPTION",
}


@pytest.mark.parametrize("entry", [e for e in catalogue() if e.source is Source.SALESFORCE_ROW], ids=lambda e: e.code)
def test_a_row_is_tried_again_by_itself_only_for_a_code_that_passes(entry: CatalogueEntry) -> None:
    result = to_row_result("006000000000001AAA", entries([{"statusCode": entry.code, "message": "Words."}]))
    assert result.temporary is entry.is_passing
    assert entry.is_passing is (entry.code in PASSING)
