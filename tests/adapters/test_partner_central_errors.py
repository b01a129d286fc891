"""Every error of AWS and botocore becomes one of ours, named by what happens next, and tells no secret."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as raised
from botocore.exceptions import ClientError

from connector.adapters.partner_central.errors import TRANSLATIONS, to_error
from connector.core.catalogue import UNREGISTERED, Entry, Source, entries, find
from connector.errors import (
    AccessDenied,
    ConnectorError,
    Detail,
    Halt,
    LoginFailed,
    NotEditable,
    NotFound,
    RecordError,
    Rejected,
    StaleVersion,
    SyncConflict,
    TemporaryError,
    Throttled,
    Unavailable,
)

CREATE = "CreateOpportunity"
URL = "https://partnercentral-selling.us-east-1.api.aws"


def answered(
    code: str, status: int = 400, message: str = "Words.", operation: str = CREATE, **more: Any
) -> ClientError:
    meta = {"HTTPStatusCode": status, "RequestId": "r"}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": meta, **more}, operation)  # type: ignore[arg-type]


# code, status, operation, class, ambiguous, delay
ANSWERS: list[tuple[str, int, str, type[ConnectorError], bool, float]] = [
    ("ValidationException", 400, CREATE, Rejected, False, 0),
    ("com.amazon.partnerintegrationapi.common#ValidationException", 400, CREATE, Rejected, False, 0),
    ("ConflictException", 400, "UpdateOpportunity", StaleVersion, False, 0),
    ("ConflictException", 400, CREATE, SyncConflict, False, 0),
    ("ConflictException", 400, "StartEngagementFromOpportunityTask", SyncConflict, False, 0),
    ("ResourceNotFoundException", 400, "GetOpportunity", NotFound, False, 0),
    ("AccessDeniedException", 400, CREATE, AccessDenied, False, 0),
    ("AccessDenied", 403, CREATE, AccessDenied, False, 0),
    ("OptInRequired", 403, CREATE, AccessDenied, False, 0),
    ("ThrottlingException", 400, CREATE, Throttled, False, 2),
    ("Throttling", 400, CREATE, Throttled, False, 2),
    ("RequestThrottledException", 400, CREATE, Throttled, False, 2),
    ("TooManyRequestsException", 429, CREATE, Throttled, False, 2),
    ("SlowDown", 503, CREATE, Throttled, False, 2),
    ("429", 429, CREATE, Throttled, False, 2),
    ("ServiceQuotaExceededException", 400, CREATE, Unavailable, False, 3600),
    ("ServiceQuotaExceededException", 400, "CreateEngagementInvitation", Rejected, False, 0),
    ("InternalServerException", 500, CREATE, Unavailable, True, 0),
    ("InternalFailure", 500, CREATE, Unavailable, True, 0),
    ("ServiceUnavailable", 503, CREATE, Unavailable, True, 0),
    ("RequestTimeoutException", 408, CREATE, Unavailable, True, 0),
    ("502", 502, CREATE, Unavailable, True, 0),
    ("504", 504, CREATE, Unavailable, True, 0),
    ("400", 400, CREATE, Unavailable, True, 0),
    ("", 200, CREATE, Unavailable, True, 0),
    ("", 0, CREATE, Unavailable, True, 0),
    ("403", 403, CREATE, AccessDenied, False, 0),
    ("407", 407, CREATE, AccessDenied, False, 0),
    ("SomethingNewException", 403, CREATE, AccessDenied, False, 0),
    ("SomethingNewException", 400, CREATE, Rejected, False, 0),
    ("SerializationException", 400, CREATE, Rejected, False, 0),
    ("UnknownOperationException", 400, CREATE, AccessDenied, False, 0),
    ("UnrecognizedClientException", 400, CREATE, LoginFailed, False, 0),
    ("InvalidSignatureException", 400, CREATE, LoginFailed, False, 0),
    ("SignatureDoesNotMatch", 403, CREATE, LoginFailed, False, 0),
    ("IncompleteSignatureException", 403, CREATE, LoginFailed, False, 0),
    ("MissingAuthenticationToken", 403, CREATE, LoginFailed, False, 0),
    ("InvalidClientTokenId", 403, CREATE, LoginFailed, False, 0),
    ("ExpiredToken", 403, CREATE, LoginFailed, False, 0),
    ("ExpiredTokenException", 400, CREATE, LoginFailed, False, 0),
    ("RequestExpired", 400, CREATE, LoginFailed, False, 0),
]


@pytest.mark.parametrize(("code", "status", "operation", "kind", "ambiguous", "delay"), ANSWERS)
def test_what_aws_answers(
    code: str, status: int, operation: str, kind: type[ConnectorError], ambiguous: bool, delay: float
) -> None:
    error = to_error(answered(code, status, operation=operation), operation)
    assert type(error) is kind
    assert (getattr(error, "ambiguous", False), getattr(error, "delay", 0)) == (ambiguous, delay)
    assert error.message.endswith(".")


def connection(kind: type[Exception], inner: str = "inner") -> Exception:
    return kind(endpoint_url=URL, proxy_url="https://proxy.example", error=OSError(inner), msg="m", request=None)


# error, class, ambiguous
FAILURES: list[tuple[Exception, type[ConnectorError], bool]] = [
    (connection(raised.EndpointConnectionError), Unavailable, False),
    (connection(raised.ConnectTimeoutError), Unavailable, False),
    (connection(raised.ProxyConnectionError), Unavailable, False),
    (connection(raised.SSLError, "[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer"), Unavailable, False),
    (connection(raised.SSLError, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC]"), Unavailable, True),
    (connection(raised.ReadTimeoutError), Unavailable, True),
    (connection(raised.ConnectionClosedError), Unavailable, True),
    (connection(raised.HTTPClientError), Unavailable, True),
    (raised.ResponseStreamingError(error=OSError()), Unavailable, True),
    (raised.IncompleteReadError(actual_bytes=1, expected_bytes=2), Unavailable, True),
    (ValueError("anything"), Unavailable, True),
    (raised.MetadataRetrievalError(error_msg="timeout"), Unavailable, False),
    (raised.NoCredentialsError(), LoginFailed, False),
    (raised.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), LoginFailed, False),
    (raised.CredentialRetrievalError(provider="process", error_msg="secret-words"), LoginFailed, False),
    (raised.ProfileNotFound(profile="p"), LoginFailed, False),
    (raised.TokenRetrievalError(provider="sso", error_msg="secret-words"), LoginFailed, False),
    (raised.UnauthorizedSSOTokenError(), LoginFailed, False),
    (raised.SSOTokenLoadError(error_msg="secret-words"), LoginFailed, False),
    (raised.InfiniteLoopConfigError(source_profile="a", visited_profiles=["a"]), LoginFailed, False),
    (raised.ConfigParseError(path="/etc/aws/config"), LoginFailed, False),
    (raised.RefreshWithMFAUnsupportedError(), LoginFailed, False),
    (raised.NoRegionError(), LoginFailed, False),
    (raised.InvalidRegionError(region_name="us east"), LoginFailed, False),
    (raised.EndpointProviderError(msg="m"), LoginFailed, False),
    (raised.ParamValidationError(report='Missing required parameter in input: "Catalog"'), Rejected, False),
]


@pytest.mark.parametrize(("error", "kind", "ambiguous"), FAILURES, ids=[type(e).__name__ for e, *_ in FAILURES])
def test_what_botocore_raises(error: Exception, kind: type[ConnectorError], ambiguous: bool) -> None:
    ours = to_error(error, CREATE)
    assert (type(ours), getattr(ours, "ambiguous", False)) == (kind, ambiguous)
    assert ours.message.endswith(".")
    assert not any(words in str(ours) for words in ("secret-words", "anything", "proxy.example"))


@pytest.mark.parametrize("error", [error for error, *_ in FAILURES], ids=[type(e).__name__ for e, *_ in FAILURES])
def test_nothing_is_ambiguous_about_what_was_never_sent(error: Exception) -> None:
    assert getattr(to_error(error, CREATE, is_sent=False), "ambiguous", False) is False


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answered("AccessDenied", 403, operation="AssumeRole"), LoginFailed),
        (answered("ValidationError", 400, operation="AssumeRole"), LoginFailed),
        (answered("InvalidClientTokenId", 403, operation="AssumeRole"), LoginFailed),
        (answered("ExpiredToken", 400, operation="AssumeRoleWithWebIdentity"), LoginFailed),
        (answered("UnauthorizedException", 401, operation="GetRoleCredentials"), LoginFailed),
        (answered("Throttling", 400, operation="AssumeRole"), Unavailable),
        (answered("ServiceUnavailable", 503, operation="AssumeRole"), Unavailable),
    ],
)
def test_a_failed_call_for_credentials_holds_no_record(error: ClientError, kind: type[ConnectorError]) -> None:
    ours = to_error(error, CREATE)
    assert type(ours) is kind
    assert getattr(ours, "ambiguous", False) is False
    assert error.operation_name in ours.message
    assert CREATE not in ours.message


def test_every_detail_of_a_refusal_is_kept() -> None:
    entries = [
        {"FieldName": "lifeCycle.targetCloseDate", "Code": "INVALID_VALUE", "Message": "Should be in the future"},
        {"Code": "REQUIRED_FIELD_MISSING", "Message": "Something is missing"},
        {},
    ]
    error = to_error(answered("ValidationException", message="", ErrorList=entries), CREATE)
    assert isinstance(error, Rejected)
    assert error.details == (
        Detail("lifeCycle.targetCloseDate", "INVALID_VALUE", "Should be in the future"),
        Detail("", "REQUIRED_FIELD_MISSING", "Something is missing"),
        Detail("", "", ""),
    )
    assert "lifeCycle.targetCloseDate: Should be in the future; Something is missing" in error.message


def test_what_the_review_forbids_is_not_editable() -> None:
    entries = [{"FieldName": "stage", "Code": "ACTION_NOT_PERMITTED", "Message": "Not now"}]
    error = to_error(answered("ValidationException", ErrorList=entries), CREATE)
    assert type(error) is NotEditable
    assert error.details[0].code == "ACTION_NOT_PERMITTED"


def test_an_account_that_is_not_registered_is_told_what_to_do() -> None:
    error = to_error(answered("AccessDeniedException", Reason="INCOMPATIBLE_BENEFIT_AWS_PARTNER_STATE"), CREATE)
    assert type(error) is AccessDenied
    assert "Link the AWS account to Partner Central" in error.cure
    plain = to_error(answered("AccessDeniedException"), CREATE)
    assert "Grant partnercentral:CreateOpportunity" in plain.cure


@pytest.mark.parametrize("code", TRANSLATIONS)
def test_every_code_that_is_told_apart_stands_in_the_catalogue(code: str) -> None:
    assert find(Source.AWS_EXCEPTION, code) is not None


EXCEPTIONS = [entry for entry in entries() if entry.source is Source.AWS_EXCEPTION]


@pytest.mark.parametrize("entry", EXCEPTIONS, ids=lambda entry: f"{entry.code} {entry.when}".strip())
def test_an_exception_is_told_in_the_words_of_the_catalogue_and_treated_as_it_says(entry: Entry) -> None:
    operation = entry.when if entry.when and entry.when != UNREGISTERED else CREATE
    reason = {"Reason": entry.when} if entry.when == UNREGISTERED else {}
    error = to_error(answered(entry.code, message="", operation=operation, **reason), operation)
    told = entry.sentence.replace("{operation}", operation).removesuffix(".")
    assert told in error.message
    assert error.cure == entry.cure.replace("{operation}", operation)
    kinds = {TemporaryError: ("retry", "deferred"), Halt: ("admin",), RecordError: ("user",)}
    assert entry.kind in next(found for parent, found in kinds.items() if isinstance(error, parent))
    if isinstance(error, TemporaryError):
        assert entry.kind == ("deferred" if error.delay >= 3600 else "retry")


SIGNED = (
    "The request signature we calculated does not match the signature you provided. Check your key.\n\n"
    "The Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:FwoGZXIvYXdzEA'"
)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", SIGNED),
        ("InvalidSignatureException", SIGNED.replace("\n", " ")),
        ("SomethingNewException", SIGNED),
        ("AccessDeniedException", "User: arn:aws:sts::111122223333:assumed-role/x/y is not authorized"),
        ("AccessDenied", "The key ASIAIOSFODNN7EXAMPLE of 111122223333 may not"),
        ("InvalidClientTokenId", "AKIAIOSFODNN7EXAMPLE is not valid"),
        ("ServiceQuotaExceededException", "Account 111122223333 has too many"),
    ],
)
@pytest.mark.parametrize("operation", [CREATE, "AssumeRole"])
def test_no_key_no_token_and_no_account_is_told(code: str, message: str, operation: str) -> None:
    text = str(to_error(answered(code, message=message, operation=operation), CREATE))
    assert not any(secret in text for secret in ("FwoG", "IOSFODNN7", "111122223333", "Canonical", "\n"))
    assert text.isprintable()


@pytest.mark.parametrize(
    "message", ["Signature expired: 20270115T120000Z is now earlier than", "Signature not yet current"]
)
def test_a_clock_that_is_wrong_is_told(message: str) -> None:
    assert to_error(answered("InvalidSignatureException", message=message), CREATE).cure == "Set this machine's clock."
    assert to_error(answered("ExpiredTokenException"), CREATE).cure == "Renew the AWS credentials."


def test_what_botocore_refuses_is_told_without_its_values() -> None:
    import boto3

    client = boto3.client(
        "partnercentral-selling", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    account = {"CompanyName": ["Burlington\nTextiles"], "Industrie": "Secret plans"}
    with pytest.raises(raised.ParamValidationError) as caught:
        client.create_opportunity(Catalog="Sandbox", Customer={"Account": account, "Contacts": "Sean Forbes"})
    error = to_error(caught.value, CREATE)
    assert type(error) is Rejected
    for part in (
        'Unknown parameter in Customer.Account: "Industrie"',
        "Invalid type for parameter Customer.Account.CompanyName",
        "Invalid type for parameter Customer.Contacts",
    ):
        assert part in error.message
    assert not any(value in str(error) for value in ("Burlington", "Textiles", "Secret plans", "Forbes"))
    client.close()
