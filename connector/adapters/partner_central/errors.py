"""The one table that translates what AWS and botocore raise into our errors, named by what happens next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def to_error(error: Exception, operation: str) -> ConnectorError:
    """Our error for one that boto3 raised. Unknown ones become Unavailable and ambiguous: the safe reading."""
    from botocore import exceptions as botocore_errors

    if isinstance(error, botocore_errors.ClientError):
        return _from_answer(error.response, operation)
    not_sent = (
        botocore_errors.EndpointConnectionError,
        botocore_errors.ConnectTimeoutError,
        botocore_errors.ProxyConnectionError,
        botocore_errors.SSLError,
    )
    if isinstance(error, not_sent):
        return Unavailable(f"AWS cannot be reached ({type(error).__name__}).", "Check network, proxy and CA bundle.")
    no_credentials = (
        botocore_errors.NoCredentialsError,
        botocore_errors.PartialCredentialsError,
        botocore_errors.CredentialRetrievalError,
        botocore_errors.ProfileNotFound,
        botocore_errors.TokenRetrievalError,
    )
    if isinstance(error, no_credentials):
        cure = "Set partner_central.profile or role_arn, or give the process credentials in the usual AWS way."
        return LoginFailed(f"There are no usable AWS credentials ({type(error).__name__}).", cure)
    if isinstance(error, botocore_errors.ParamValidationError):
        return Rejected(f"botocore refuses the request: {_first_line(error)}", "This is a fault of the connector.")
    return Unavailable(f"AWS did not answer {operation} properly ({type(error).__name__}).", ambiguous=True)


def _from_answer(response: Any, operation: str) -> ConnectorError:
    error = response.get("Error", {})
    code = str(error.get("Code", "")).rpartition("#")[2]
    message = str(error.get("Message") or response.get("Message") or response.get("message") or "")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    translate = _BY_CODE.get(code)
    if translate is not None:
        return translate(message, response, operation)
    if status == 429:
        return Throttled(f"AWS throttles {operation}.", delay=2.0)
    if status >= 500 or not code or code.isdigit():
        return Unavailable(f"AWS answered {operation} with {status or 'no status'}.", ambiguous=True)
    return Rejected(f"AWS refuses {operation}: {code} {message}".strip(), "", _details(response))


def _details(response: Any) -> tuple[Detail, ...]:
    entries = response.get("ErrorList") or []
    return tuple(
        Detail(str(e.get("FieldName") or ""), str(e.get("Code") or ""), str(e.get("Message") or "")) for e in entries
    )


def _rejected(message: str, response: Any, operation: str) -> ConnectorError:
    details = _details(response)
    told = message or "; ".join(f"{d.field}: {d.message}" if d.field else d.message for d in details)
    kind = NotEditable if any(d.code == "ACTION_NOT_PERMITTED" for d in details) else Rejected
    return kind(f"AWS refuses {operation}: {told or 'no reason given'}", "", details)


def _conflict(message: str, _response: Any, operation: str) -> ConnectorError:
    if operation == "UpdateOpportunity":
        return StaleVersion(f"The opportunity changed at AWS meanwhile: {message}")
    return SyncConflict(f"AWS reports a conflict on {operation}: {message}", "")


def _denied(message: str, response: Any, operation: str) -> ConnectorError:
    if response.get("Reason") == "INCOMPATIBLE_BENEFIT_AWS_PARTNER_STATE":
        cure = "Link the AWS account to Partner Central and finish the partner registration for this catalog."
        return AccessDenied(f"AWS does not let this account use Partner Central: {message}", cure)
    cure = f"Grant partnercentral:{operation} for this catalog to the role or user the connector runs as."
    return AccessDenied(f"AWS denies {operation}: {message}", cure)


def _not_logged_in(message: str, _response: Any, operation: str) -> ConnectorError:
    return LoginFailed(f"AWS does not accept the credentials ({operation}): {message}", "Renew the AWS credentials.")


_BY_CODE: dict[str, Callable[[str, Any, str], ConnectorError]] = {
    "ValidationException": _rejected,
    "ConflictException": _conflict,
    "ResourceNotFoundException": lambda m, _r, o: NotFound(f"AWS does not find it ({o}): {m}"),
    "AccessDeniedException": _denied,
    "ThrottlingException": lambda _m, _r, o: Throttled(f"AWS throttles {o}.", delay=2.0),
    "TooManyRequestsException": lambda _m, _r, o: Throttled(f"AWS throttles {o}.", delay=2.0),
    "ServiceQuotaExceededException": lambda m, _r, o: Unavailable(
        f"A limit of the AWS account is reached ({o}): {m}", "Ask AWS to raise it.", delay=3600.0
    ),
    "InternalServerException": lambda _m, _r, o: Unavailable(f"AWS failed on {o}.", ambiguous=True),
    "UnrecognizedClientException": _not_logged_in,
    "InvalidSignatureException": _not_logged_in,
    "InvalidClientTokenId": _not_logged_in,
    "MissingAuthenticationTokenException": _not_logged_in,
    "ExpiredTokenException": _not_logged_in,
    "ExpiredToken": _not_logged_in,
    "UnknownOperationException": lambda m, _r, o: AccessDenied(f"AWS does not know {o}: {m}", "Check endpoint_url."),
}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
