"""What AWS Partner Central says when it refuses, in a seller's words. Tables only.

AWS documents no meaning of a task's reason: those follow from the names and from the steps that
StartEngagementFromOpportunityTask takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector.core.catalogue.entry import Entry, Kind, Source

_MODEL = "partnercentral-selling model of botocore 1.44.5, read 2026-11-22"
_REFERENCE = f"{_MODEL}; API reference, ValidationExceptionError, read 2026-11-22"
_RECORDED = "messages of failed tasks in AWS's published samples, read 2026-11-21"
_SAMPLES = "AWS's published samples, read 2026-11-21"
_COMMON = "common errors of AWS's APIs, in their references, read 2026-11-22"
_ELSEWHERE = "codes of other AWS services, not documented for this one as of 2026-11-22"
_SDK = "codes that botocore 1.44.5 itself takes for throttling or a timeout, read 2026-11-22"

_EDIT = "Correct the record; it is sent again as soon as it changes."
_POLICY = "Ask an administrator to check the IAM policy of the connector's role."
_WAIT = "Nothing to do; it is tried again by itself."
_LATER = "It is tried again later; an administrator can ask AWS for a higher limit."
_DENIED = "AWS denies {operation}."
_GRANT = "Grant partnercentral:{operation} for this catalog to the role or user the connector runs as."
_NOT_ACCEPTED = "AWS does not accept the credentials ({operation})."
_RENEW = "Renew the AWS credentials."
_CLOCK = "Set this machine's clock."
_THROTTLED = "AWS throttles {operation}."
_FAILED = "AWS failed on {operation}."


def _error(code: str, sentence: str, cure: str, origin: str = _MODEL) -> Entry:
    # All of them wait for a person: what AWS finds wrong with a value it finds wrong again.
    return Entry(Source.AWS_ERROR, code, "user", sentence, cure, origin)


def _reason(code: str, kind: Kind, sentence: str, cure: str) -> Entry:
    return Entry(Source.AWS_REASON, code, kind, sentence, cure, _MODEL)


def _exceptions(codes: str, kind: Kind, sentence: str, cure: str, origin: str, when: str = "") -> Iterator[Entry]:
    """One entry for each of several codes that mean the same."""
    for code in codes.split():
        yield Entry(Source.AWS_EXCEPTION, code, kind, sentence, cure, origin, when)


ERRORS = (
    _error("REQUIRED_FIELD_MISSING", "AWS needs a value here.", "Fill it in.", _REFERENCE),
    _error("INVALID_ENUM_VALUE", "AWS does not know this value.", "Choose one of AWS's values.", _REFERENCE),
    _error("INVALID_STRING_FORMAT", "This is not written as AWS wants it.", "Correct the format.", _REFERENCE),
    _error("INVALID_VALUE", "AWS does not accept this value.", "Use another value.", _REFERENCE),
    _error("VALUE_OUT_OF_RANGE", "The value is too large or too small for AWS.", "Correct it."),
    _error("NOT_ENOUGH_VALUES", "AWS wants more values here.", "Add some."),
    _error("TOO_MANY_VALUES", "AWS takes fewer values here.", "Remove some.", _REFERENCE),
    _error(
        "DUPLICATE_KEY_VALUE",
        "AWS already has an opportunity with this identifier.",
        "Look for the duplicate in Partner Central.",
        _REFERENCE,
    ),
    _error(
        "INVALID_RESOURCE_STATE",
        "AWS does not allow this in the opportunity's present state.",
        "Wait until AWS's review has moved on.",
    ),
    _error(
        "ACTION_NOT_PERMITTED",
        "AWS does not allow this now.",
        "Set the value back, or wait until AWS's review has moved on.",
        _REFERENCE,
    ),
    _error(
        "BUSINESS_VALIDATION_EXCEPTION",
        "This breaks one of AWS's rules.",
        "Correct it as AWS's text says.",
        _RECORDED,
    ),
)

UNKNOWN_ERROR = _error("", "AWS does not accept this.", "Correct it as AWS's text says.", "no code, or a new one")

REASONS = (
    _reason("OpportunityValidationFailed", "user", "AWS finds the opportunity incomplete or wrong.", _EDIT),
    _reason("OpportunitySubmissionFailed", "user", "AWS did not accept the submission.", _EDIT),
    _reason("EngagementValidationFailed", "user", "AWS finds the title or description unfit.", _EDIT),
    _reason("InvitationValidationFailed", "user", "AWS finds the invitation incomplete or wrong.", _EDIT),
    _reason("ContextNotFound", "user", "The lead this came from no longer exists at AWS.", _EDIT),
    _reason(
        "CustomerProjectContextNotPermitted",
        "user",
        "AWS makes no opportunity of this kind of engagement.",
        "Create the opportunity by itself.",
    ),
    _reason(
        "DisqualifiedLeadNotPermitted",
        "user",
        "The lead is disqualified at AWS.",
        "Qualify the lead first, or clear the flag.",
    ),
    _reason(
        "ResourceSnapshotValidationFailed",
        "admin",
        "AWS could not take a snapshot of the opportunity.",
        "Ask an administrator to read AWS's message.",
    ),
    _reason(
        "ResourceSnapshotJobValidationFailed",
        "admin",
        "AWS could not set up the snapshot job.",
        "Ask an administrator to check the resource snapshot job role in Partner Central's settings.",
    ),
    _reason(
        "OpportunityAccessDenied",
        "admin",
        "The connector may not read or submit opportunities.",
        f"{_POLICY} It needs GetOpportunity and SubmitOpportunity.",
    ),
    _reason(
        "EngagementAccessDenied",
        "admin",
        "The connector may not create engagements.",
        f"{_POLICY} It needs CreateEngagement.",
    ),
    _reason(
        "InvitationAccessDenied",
        "admin",
        "The connector may not invite AWS.",
        f"{_POLICY} It needs CreateEngagementInvitation.",
    ),
    _reason(
        "ResourceSnapshotAccessDenied",
        "admin",
        "The connector may not create snapshots.",
        f"{_POLICY} It needs CreateResourceSnapshot.",
    ),
    _reason(
        "ResourceSnapshotJobAccessDenied",
        "admin",
        "The connector may not create or start snapshot jobs.",
        f"{_POLICY} It needs CreateResourceSnapshotJob and StartResourceSnapshotJob.",
    ),
    _reason("OpportunityConflict", "retry", "The opportunity was being changed at the same time.", _WAIT),
    _reason("EngagementConflict", "retry", "The engagement was being changed or exists already.", _WAIT),
    _reason("EngagementInvitationConflict", "retry", "AWS was being invited already.", _WAIT),
    _reason("ResourceSnapshotConflict", "retry", "A snapshot was being taken already.", _WAIT),
    _reason("ResourceSnapshotJobConflict", "retry", "A snapshot job was being set up already.", _WAIT),
    _reason("RequestThrottled", "retry", "AWS asked to slow down.", _WAIT),
    _reason("InternalError", "retry", "AWS had an internal error.", _WAIT),
    _reason("ServiceQuotaExceeded", "deferred", "A limit of the AWS account is reached.", _LATER),
)

UNKNOWN_REASON = Entry(
    Source.AWS_REASON,
    "",
    "user",
    "AWS did not accept the submission.",
    "Read AWS's message and correct the record.",
    "no code, or a new one",
)

UNREGISTERED = "INCOMPATIBLE_BENEFIT_AWS_PARTNER_STATE"
"""The reason that AWS gives with AccessDeniedException for an account that Partner Central does not know."""

CLOCK = "RequestTimeTooSkewed"
"""The code that says it most plainly when this machine's clock is wrong; others say so in their message only."""

EXCEPTIONS = (
    *_exceptions(
        "ValidationException", "user", "AWS refuses {operation}.", "Correct the record as AWS's text says.", _MODEL
    ),
    *_exceptions(
        "ResourceNotFoundException",
        "user",
        "AWS does not find it ({operation}).",
        "Check the ids on the record, and whether they belong to this catalog.",
        _MODEL,
    ),
    *_exceptions(
        "ConflictException",
        "user",
        "AWS reports a conflict on {operation}.",
        "Compare the record with Partner Central.",
        _MODEL,
    ),
    *_exceptions(
        "ConflictException",
        "retry",
        "The opportunity changed at AWS meanwhile.",
        "",
        _SAMPLES,
        "UpdateOpportunity",
    ),
    *_exceptions(
        "ServiceQuotaExceededException",
        "deferred",
        "A limit of the AWS account is reached ({operation}).",
        "Ask AWS to raise it.",
        _MODEL,
    ),
    *_exceptions(
        "ServiceQuotaExceededException",
        "user",
        "The engagement takes no more members.",
        "Take the invitation off the record.",
        _MODEL,
        "CreateEngagementInvitation",
    ),
    *_exceptions("AccessDeniedException", "admin", _DENIED, _GRANT, _MODEL),
    *_exceptions(
        "AccessDeniedException",
        "admin",
        "AWS does not let this account use Partner Central.",
        "Link the AWS account to Partner Central and finish the partner registration for this catalog.",
        f"{_MODEL}; {_SAMPLES}",
        UNREGISTERED,
    ),
    *_exceptions("OptInRequired", "admin", _DENIED, _GRANT, _COMMON),
    *_exceptions("AccessDenied UnauthorizedOperation", "admin", _DENIED, _GRANT, _ELSEWHERE),
    *_exceptions(
        "UnknownOperationException", "admin", "AWS does not know {operation}.", "Check endpoint_url.", _COMMON
    ),
    *_exceptions(
        "ExpiredTokenException IncompleteSignature InvalidClientTokenId MissingAuthenticationToken "
        "UnrecognizedClientException",
        "admin",
        _NOT_ACCEPTED,
        _RENEW,
        _COMMON,
    ),
    *_exceptions(
        "ExpiredToken InvalidSignatureException SignatureDoesNotMatch IncompleteSignatureException "
        "InvalidAccessKeyId MissingAuthenticationTokenException AuthFailure",
        "admin",
        _NOT_ACCEPTED,
        _RENEW,
        _ELSEWHERE,
    ),
    *_exceptions("RequestExpired", "admin", _NOT_ACCEPTED, _CLOCK, _COMMON),
    *_exceptions(CLOCK, "admin", _NOT_ACCEPTED, _CLOCK, _ELSEWHERE),
    *_exceptions("ThrottlingException", "retry", _THROTTLED, "", _MODEL),
    *_exceptions(
        "Throttling ThrottledException RequestThrottled RequestThrottledException RequestLimitExceeded "
        "TooManyRequestsException SlowDown",
        "retry",
        _THROTTLED,
        "",
        _SDK,
    ),
    *_exceptions("InternalServerException", "retry", _FAILED, "", _MODEL),
    *_exceptions("RequestTimeout RequestTimeoutException", "retry", _FAILED, "", _SDK),
)
