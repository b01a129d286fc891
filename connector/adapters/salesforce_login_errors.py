"""The table that turns what Salesforce's token endpoint answers into the connector's errors.

Messages are built from error codes and statuses only: never from a key, an assertion or Salesforce's own words.
Nothing here makes a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from connector.errors import ConnectorError, LoginFailed, Unavailable

_ERROR = re.compile(r"[A-Za-z_]{2,80}")


@dataclass(frozen=True, slots=True)
class LoginRule:
    """What one answer of the token endpoint means; ``error`` "" fits any, ``fragment`` must occur in it."""

    error: str
    fragment: str
    message: str
    cure: str


_PAIR = "Copy client_id and client_secret again from the app's OAuth settings in Salesforce."
_CLOCK = "Set this machine's clock (NTP) and check that private_key belongs to the certificate of the app."
_LOGIN_HISTORY = "Look at the integration user's login history in Salesforce Setup; it has the reason."

LOGIN_RULES = (
    LoginRule(
        "",
        "no client credentials user",
        "The app has no user to run as.",
        "Set Run As to the integration user in the policies of the app's client credentials flow.",
    ),
    LoginRule(
        "",
        "not supported on this domain",
        "Client credentials are not accepted at this address.",
        "Put the org's My Domain (https://….my.salesforce.com) into login_url.",
    ),
    LoginRule(
        "",
        "approved this consumer",
        "The integration user has not been approved for the app.",
        "Set Permitted Users to admin pre-authorised and add the permission set of the integration user.",
    ),
    LoginRule(
        "",
        "audience",
        "Salesforce refuses the audience of the login.",
        "Set audience to https://login.salesforce.com, or https://test.salesforce.com for a sandbox.",
    ),
    LoginRule("", "invalid assertion", "Salesforce cannot verify the signed login.", _CLOCK),
    LoginRule("", "expired authorization code", "Salesforce finds the signed login out of date.", _CLOCK),
    LoginRule(
        "",
        "not installed in this org",
        "The app is not installed in this org.",
        "Install or create the External Client App there; a sandbox refresh does not always keep it.",
    ),
    LoginRule(
        "",
        "expired access/refresh token",
        "The approval of this login has been withdrawn.",
        "Approve the app for the integration user again.",
    ),
    LoginRule("", "inactive organization", "The Salesforce org is not active.", "Check login_url; ask Salesforce."),
    LoginRule(
        "",
        "user is locked",
        "The integration user is locked.",
        "Unlock it in Salesforce Setup, Users, and try again.",
    ),
    LoginRule(
        "",
        "login_rate_exceeded",
        "The integration user has logged in too often within the hour.",
        "Find out what else logs in with it; the connector tries again by itself.",
    ),
    LoginRule("invalid_client_id", "", "Salesforce does not know this client_id.", _PAIR),
    LoginRule("invalid_client", "", "Salesforce refuses client_id or client_secret.", _PAIR),
    LoginRule(
        "invalid_app_access",
        "",
        "The integration user may not use the app.",
        "Add its permission set or profile to the app's policies (Permitted Users).",
    ),
    LoginRule(
        "unsupported_grant_type",
        "",
        "This way to log in is switched off for the app.",
        "Enable the client credentials flow, or the JWT bearer flow, in the app's OAuth settings.",
    ),
    LoginRule(
        "",
        "authentication failure",
        "Salesforce refuses the integration user.",
        f"Check username and client_id, and that the user is active. {_LOGIN_HISTORY}",
    ),
)


def to_token_error(status: int, content: Any) -> ConnectorError:
    """The error for a token call that gave no token; ``content`` is the decoded body or None for HTML."""
    if status >= 500 or status in (406, 408, 420, 429):
        return Unavailable(f"Salesforce's login service did not answer properly. (HTTP {status})", delay=10)
    body = content if isinstance(content, dict) else {}
    error, described = str(body.get("error") or ""), str(body.get("error_description") or "")
    text = f"{error} {described}".lower().replace("’", "'")
    for rule in LOGIN_RULES:
        if rule.error in ("", error) and rule.fragment in text:
            return LoginFailed(rule.message, rule.cure)
    if not error:
        return LoginFailed(
            f"login_url does not answer like a Salesforce login. (HTTP {status})",
            "Put the org's My Domain (https://….my.salesforce.com) into login_url.",
        )
    code = error if _ERROR.fullmatch(error) else "unknown"
    return LoginFailed(f"Salesforce refuses the login. ({code}, HTTP {status})", _LOGIN_HISTORY)
