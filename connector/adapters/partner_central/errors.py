"""The one table that translates what AWS and botocore raise into our errors, named by what happens next.

The words for AWS's codes are the error catalogue's. What is told keeps to what a person needs: no keys, no tokens, no
account numbers, none of the values sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connector.core.catalogue import CLOCK, UNREGISTERED, Source, meaning_of
from connector.errors import (
    AccessDenied,
    ConnectorError,
    Detail,
    LoginFailed,
    NotEditable,
    NotFound,
    Rejected,
    StaleVersion,
    SyncConflict,
    Throttled,
    Unavailable,
)

THROTTLE_DELAY = 2.0
"""Seconds that nobody calls after AWS throttled."""
QUOTA_DELAY = 3600.0
"""Seconds until a limit of the account, which a person at AWS has to raise, is tried again."""
_RECEIVER = "invitation.receiver.account.awsAccountId"

_NOT_SENT = ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "MetadataRetrievalError")
_NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ProfileNotFound",
    "TokenRetrievalError",
    "NoAuthTokenError",
    "UnknownCredentialError",
    "RefreshWithMFAUnsupportedError",
    "MissingDependencyException",
    "ConfigNotFound",
    "ConfigParseError",
    "InvalidConfigError",
    "SSOError",
    "LoginError",
)
_UNUSABLE = (
    "BaseEndpointResolverError",
    "EndpointProviderError",
    "InvalidRegionError",
    "InvalidProxiesConfigError",
    "UnknownRegionError",
)
_TLS_FAULTS = {
    "CERTIFICATE_VERIFY_FAILED": "The certificate that AWS shows is not trusted.",
    "NO_CERTIFICATE_OR_CRL_FOUND": "The CA bundle holds no certificate.",
    "No such file": "The CA bundle is not there.",
    "Permission denied": "The CA bundle cannot be read.",
}
"""What went wrong before anything was sent; other TLS errors may come in the middle of an answer."""


def to_error(error: Exception, operation: str, *, is_sent: bool = True) -> ConnectorError:
    """Our error for one that boto3 raised. Unknown ones become Unavailable and ambiguous: the safe reading.

    ``is_sent`` False: the request was never handed to the network, so nothing can be ambiguous about it.
    """
    from botocore import exceptions as botocore_errors

    def is_one_of(names: tuple[str, ...]) -> bool:
        return isinstance(error, tuple(getattr(botocore_errors, name) for name in names))

    if isinstance(error, botocore_errors.ClientError):
        if error.operation_name != operation:
            return _from_login(error)
        return _from_answer(error.response, operation)
    if is_one_of(_NO_CREDENTIALS):
        cure = "Set partner_central.profile or role_arn, or give the process credentials in the usual AWS way."
        return LoginFailed(f"There are no usable AWS credentials ({type(error).__name__}).", cure)
    if is_one_of(_UNUSABLE):
        cure = "Check partner_central.region, endpoint_url and proxy."
        return LoginFailed(f"AWS cannot be reached with these settings ({type(error).__name__}).", cure)
    if isinstance(error, botocore_errors.ParamValidationError):
        return Rejected(f"botocore refuses the request: {_without_values(error)}", "This is a fault of the connector.")
    told = next((told for mark, told in _TLS_FAULTS.items() if mark in str(error)), None)
    if isinstance(error, botocore_errors.SSLError) and told is not None:
        return Unavailable(told, "Check partner_central.ca_bundle, AWS_CA_BUNDLE and endpoint_url.")
    if is_one_of(_NOT_SENT):
        return Unavailable(f"AWS cannot be reached ({type(error).__name__}).", "Check network, proxy and CA bundle.")
    return Unavailable(f"AWS did not answer {operation} properly ({_kind_of(error)}).", ambiguous=is_sent)


def is_throttled(response: Any) -> bool:
    """Whether a parsed answer of botocore says that calls come too fast."""
    translate = TRANSLATIONS.get(_code(response))
    return translate is _throttled or (translate is None and _status(response) == 429)


def _kind_of(error: Exception) -> str:
    """The names of an error and of the one botocore wrapped in it; their texts may hold anything."""
    inner = getattr(error, "kwargs", {}).get("error")
    return type(error).__name__ + (f": {type(inner).__name__}" if isinstance(inner, Exception) else "")


def _from_login(error: Any) -> ConnectorError:
    """A call that botocore made for the credentials failed, e.g. AssumeRole. The call itself was not made."""
    answer = error.response
    code, status = _code(answer), _status(answer)
    if TRANSLATIONS.get(code) is _throttled or status >= 500:
        return Unavailable(f"AWS does not give credentials now ({error.operation_name}: {code or status}).")
    cure = "Check partner_central.profile, role_arn and external_id, and whom the role trusts."
    return LoginFailed(f"AWS gives no credentials ({error.operation_name}: {code}): {_told(answer)}".rstrip(": "), cure)


def _from_answer(response: Any, operation: str) -> ConnectorError:
    code, status = _code(response), _status(response)
    translate = TRANSLATIONS.get(code)
    if translate is not None:
        return translate(response, operation)
    if status == 429:
        return _throttled(response, operation)
    if status >= 500:
        return Unavailable(f"AWS answered {operation} with {status}.", ambiguous=True)
    if status in {401, 403, 407}:
        cure = f"Grant partnercentral:{operation} to the role or user, or look for a proxy in between."
        return AccessDenied(f"AWS, or a proxy in between, denies {operation} ({status}): {_told(response)}", cure)
    if not code or code.isdigit():
        return Unavailable(f"AWS answered {operation} with {status or 'no status'}.", ambiguous=True)
    return Rejected(f"AWS refuses {operation}: {code} {_told(response)}".strip(), "", _details(response))


def _code(response: Any) -> str:
    return str(response.get("Error", {}).get("Code") or "").rpartition("#")[2].partition(":")[0]


def _status(response: Any) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _message(response: Any) -> str:
    inner = response.get("Error", {}).get("Message")
    return str(inner or response.get("Message") or response.get("message") or "")


def _told(response: Any) -> str:
    """AWS's words on who may do what, without account numbers, keys, and the signed text it sometimes quotes."""
    text = _message(response).partition("The Canonical String")[0].strip().partition("\n")[0]
    return re.sub(r"\b(?:\d{12}|(?:AKIA|ASIA)[A-Z0-9]{8,})\b", "***", text)


def _details(response: Any) -> tuple[Detail, ...]:
    entries = response.get("ErrorList") or []
    return tuple(
        Detail(str(e.get("FieldName") or ""), str(e.get("Code") or ""), str(e.get("Message") or "")) for e in entries
    )


def _words(code: str, operation: str, told: str = "", when: str = "") -> tuple[str, str]:
    """The catalogue's sentence with AWS's own words after it, and the catalogue's cure."""
    found = meaning_of(Source.AWS_EXCEPTION, code, when)
    sentence, cure = (text.replace("{operation}", operation) for text in (found.sentence, found.cure))
    return (f"{sentence.removesuffix('.')}: {told}" if told else sentence), cure


def _rejected(response: Any, operation: str) -> ConnectorError:
    details = _details(response)
    told = _message(response) or "; ".join(f"{d.field}: {d.message}" if d.field else d.message for d in details)
    kind = NotEditable if any(d.code == "ACTION_NOT_PERMITTED" for d in details) else Rejected
    return kind(*_words(_code(response), operation, told or "no reason given"), details)


def _conflict(response: Any, operation: str) -> ConnectorError:
    words = _words(_code(response), operation, _message(response), operation)
    return StaleVersion(*words) if operation == "UpdateOpportunity" else SyncConflict(*words)


def _not_found(response: Any, operation: str) -> ConnectorError:
    return NotFound(*_words(_code(response), operation, _message(response)))


def _throttled(_response: Any, operation: str) -> ConnectorError:
    return Throttled(*_words("ThrottlingException", operation), delay=THROTTLE_DELAY)


def _limited(response: Any, operation: str) -> ConnectorError:
    if operation == "CreateEngagementInvitation":  # the limit of this engagement, which no time raises
        sentence, cure = _words(_code(response), operation, when=operation)
        told = _told(response) or sentence
        refusal, _ = _words("ValidationException", operation, told)
        return Rejected(refusal, cure, (Detail(_RECEIVER, "TOO_MANY_VALUES", told),))
    return Unavailable(*_words(_code(response), operation, _told(response)), delay=QUOTA_DELAY)


def _failed(response: Any, operation: str) -> ConnectorError:
    return Unavailable(*_words(_code(response), operation), ambiguous=True)


def _denied(response: Any, operation: str) -> ConnectorError:
    is_unregistered = response.get("Reason") == UNREGISTERED
    return AccessDenied(*_words(_code(response), operation, _told(response), UNREGISTERED if is_unregistered else ""))


def _not_logged_in(response: Any, operation: str) -> ConnectorError:
    told = _told(response)
    is_late = re.search(r"signature (expired|not yet current)|skew", told, re.IGNORECASE) is not None
    return LoginFailed(*_words(CLOCK if is_late else _code(response), operation, told))


def _unknown_operation(response: Any, operation: str) -> ConnectorError:
    return AccessDenied(*_words(_code(response), operation, _told(response)))


TRANSLATIONS: dict[str, Callable[[Any, str], ConnectorError]] = {
    "ValidationException": _rejected,
    "ConflictException": _conflict,
    "ResourceNotFoundException": _not_found,
    "ServiceQuotaExceededException": _limited,
    "InternalServerException": _failed,
    "RequestTimeout": _failed,
    "RequestTimeoutException": _failed,
    "UnknownOperationException": _unknown_operation,
    **dict.fromkeys(
        (
            "ThrottlingException",
            "Throttling",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
            "SlowDown",
        ),
        _throttled,
    ),
    **dict.fromkeys(("AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "OptInRequired"), _denied),
    **dict.fromkeys(
        (
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "ExpiredToken",
            "ExpiredTokenException",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "AuthFailure",
        ),
        _not_logged_in,
    ),
}
"""What becomes of each code that is told apart; every one stands in the catalogue."""

_FAULT = re.compile(
    r"Missing required parameter in .*|Unknown parameter in [^:]*: \"[^\"]*\""
    r"|Invalid (?:type|length|range) for parameter [\w.\[\]]+"
)


def _without_values(error: Exception) -> str:
    """What botocore's own check found, without the values it quotes."""
    found = [match.group() for line in str(error).splitlines() if (match := _FAULT.match(line))]
    return f"{'; '.join(found) or 'the parameters do not fit'}."
