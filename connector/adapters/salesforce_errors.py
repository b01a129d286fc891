"""The one table that turns what Salesforce answers into the connector's errors.

Messages are built from codes, statuses and names of fields and objects only: never from a URL, a query, a
token or the content of a record. Nothing here makes a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests

from connector.errors import (
    AccessDenied,
    ConnectorError,
    Halt,
    LoginFailed,
    QuotaExhausted,
    TemporaryError,
    Throttled,
    Unavailable,
)
from connector.ports import RowResult


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an error body. ``code`` is its errorCode or statusCode, "" where there is none."""

    code: str
    message: str = ""
    fields: tuple[str, ...] = ()


class MalformedCall(Halt):
    """Salesforce refuses the call as a whole; one row of it may be to blame. ``entries`` are its own words."""

    def __init__(self, message: str, cure: str = "", entries: tuple[Entry, ...] = ()) -> None:
        super().__init__(message, cure)
        self.entries = entries


@dataclass(frozen=True, slots=True)
class Rule:
    """What one code means. ``fragment`` must occur in the message; ``delay`` is in seconds.

    ``of_queries``: said of a write with HTTP 400 it tells nothing of the connection, but of a row in it.
    """

    codes: frozenset[str]
    kind: type[ConnectorError]
    message: str
    cure: str = ""
    delay: float = 0.0
    fragment: str = ""
    of_queries: bool = False


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GRANT = "Ask a Salesforce administrator to grant it to the integration user in its permission set."
_REPORT = "Please report this with the code and the line before it in the log."
_MAPPING = "Correct the mapping file; `connector check` shows what it asks for."

RULES = (
    Rule(
        _codes("REQUEST_LIMIT_EXCEEDED"),
        Throttled,
        "Salesforce has too many long calls under way.",
        delay=5,
        fragment="concurrent",
    ),
    Rule(
        _codes("REQUEST_LIMIT_EXCEEDED"),
        QuotaExhausted,
        "The org has used up its daily Salesforce API calls.",
        "Wait for the rolling 24 hours to pass, or find out under Setup, System Overview, who uses them.",
        delay=3600,
    ),
    Rule(
        _codes("API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED"),
        AccessDenied,
        "API access is switched off for this Salesforce org or user.",
        "Give the integration user the permission API Enabled, and a licence that includes the API.",
    ),
    Rule(
        _codes("INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY FUNCTIONALITY_NOT_ENABLED"),
        AccessDenied,
        "The Salesforce user may not do this.",
        _GRANT,
    ),
    Rule(
        _codes("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"),
        Unavailable,
        "Salesforce is read-only during maintenance.",
        delay=300,
    ),
    Rule(
        _codes("INVALID_FIELD"),
        AccessDenied,
        "Salesforce does not know, or hides, a field of the mapping.",
        _MAPPING,
        of_queries=True,
    ),
    Rule(
        _codes("INVALID_TYPE"),
        AccessDenied,
        "Salesforce does not know, or hides, an object of the mapping.",
        _MAPPING,
    ),
    Rule(
        _codes(
            "MALFORMED_QUERY INVALID_QUERY_FILTER_OPERATOR QUERY_TOO_COMPLICATED "
            "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS NUMBER_OUTSIDE_VALID_RANGE"
        ),
        AccessDenied,
        "Salesforce cannot carry out the query that follows from the mapping.",
        "Correct the condition under salesforce.where, or read fewer fields and relationships.",
        of_queries=True,
    ),
    Rule(
        _codes("QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG"),
        Unavailable,
        "A Salesforce query ran for too long.",
        "If this stays, narrow salesforce.where to an indexed field.",
        delay=60,
    ),
    Rule(
        _codes("INVALID_QUERY_LOCATOR"),
        Unavailable,
        "Salesforce has forgotten the rest of a long answer.",
        "It is asked for again from the start.",
    ),
    Rule(
        _codes("SERVER_UNAVAILABLE UNKNOWN_EXCEPTION"),
        Unavailable,
        "Salesforce had trouble of its own.",
        delay=10,
    ),
    Rule(_codes("PROCESSING_HALTED"), Unavailable, "Salesforce stopped half-way through a call.", delay=5),
)

TEMPORARY_ROW_CODES = _codes(
    "UNABLE_TO_LOCK_ROW TXN_SECURITY_METERING_ERROR ENTITY_IS_LOCKED ALL_OR_NONE_OPERATION_ROLLED_BACK "
    "PROCESSING_HALTED UNKNOWN_EXCEPTION SERVER_UNAVAILABLE "
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE REQUEST_RUNNING_TOO_LONG QUERY_TIMEOUT "
    "REQUEST_LIMIT_EXCEEDED"
)
"""Row codes that may go away by themselves: locks, approvals, trouble of Salesforce's own."""
TRIGGER_CODE = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
"""A trigger failed. It fails again with the same record, unless its message says that it met one of the codes above."""

_COLUMN = re.compile(r"No such column '([\w.]+)' on (?:entity|sobject of type) '?(\w+)")
_RELATION = re.compile(r"Didn't understand relationship '(\w+)'")
_BARRED = re.compile(r"create/update fields: ([\w, ]+)")
_OBJECT = re.compile(r"sObject type '(\w+)' is not supported")
_INCURABLE = ("not valid for use with the rest api", "not attached to agent")
_CODE = re.compile(r"[A-Za-z_]{2,80}")


def read_entries(content: Any) -> tuple[Entry, ...]:
    """The entries of an error body: an array of objects, one object, or anything else (no entries)."""
    found = content if isinstance(content, list) else [content]
    return tuple(_read_entry(entry) for entry in found if isinstance(entry, dict))


def _read_entry(entry: dict[str, Any]) -> Entry:
    code = str(entry.get("errorCode") or entry.get("statusCode") or "")
    named = entry.get("fields")
    fields = tuple(str(name) for name in named) if isinstance(named, list) else ()
    return Entry(code if _CODE.fullmatch(code) else "", str(entry.get("message") or ""), fields)


def to_error(status: int, content: Any, *, label: str, writes: bool) -> ConnectorError:
    """The error for a refused call. ``content`` is the decoded body or its text; ``label`` names our call."""
    entries = read_entries(content)
    entry = next(iter(entries), Entry(""))
    place = f"({', '.join(filter(None, [entry.code, f'HTTP {status}', label]))})"
    rule = next((r for r in RULES if entry.code in r.codes and r.fragment in entry.message.lower()), None)
    if writes and status == 400 and (rule is None or rule.of_queries):
        return MalformedCall(f"Salesforce cannot read the call. {place}", _REPORT, entries)
    named = _hidden_name(entry)
    if named is not None:
        return named
    if rule is not None:
        return _raised(rule.kind, f"{rule.message} {place}", rule.cure, rule.delay, ambiguous=writes)
    return _from_status(status, place, entries, writes=writes)


def _hidden_name(entry: Entry) -> AccessDenied | None:
    """Salesforce says the same of what is missing and of what this user may not see."""
    cure = "Deploy it, grant it to the integration user in its permission set, or correct the mapping."
    if column := _COLUMN.search(entry.message):
        what = f"field {column[1]} on {column[2]}"
    elif relation := _RELATION.search(entry.message):
        what = f"relationship {relation[1]}"
    elif sobject := _OBJECT.search(entry.message):
        what = f"object {sobject[1]}"
    else:
        return None
    return AccessDenied(f"Salesforce does not know, or hides, the {what}.", cure)


def _raised(kind: type[ConnectorError], message: str, cure: str, delay: float, *, ambiguous: bool) -> ConnectorError:
    if issubclass(kind, TemporaryError):
        return kind(message, cure, delay=delay, ambiguous=ambiguous and kind is Unavailable)
    if issubclass(kind, QuotaExhausted):
        return kind(message, cure, delay=delay)
    return kind(message, cure)


def _from_status(status: int, place: str, entries: tuple[Entry, ...], *, writes: bool) -> ConnectorError:
    """What is left to go by when the body has no code we know, or is a page of HTML."""
    if status == 429:
        return Throttled(f"Salesforce asks for fewer calls. {place}", delay=30)
    if status >= 500 or status in (406, 408, 420):
        return Unavailable(f"Salesforce did not answer properly. {place}", delay=10, ambiguous=writes)
    if status < 400:
        cure = "Put the org's current My Domain address into login_url."
        return Unavailable(f"Salesforce answered with a redirection, which is not followed. {place}", cure)
    if status == 401:
        return LoginFailed(f"Salesforce refuses the login. {place}", "Check salesforce.auth in config.yaml.")
    if status == 403:
        return AccessDenied(f"The Salesforce user may not do this. {place}", _GRANT)
    if status == 404:
        cure = "Check api_version, the object named in the mapping, and what the integration user may see."
        return AccessDenied(f"Salesforce does not know, or hides, what was asked for. {place}", cure)
    return MalformedCall(f"Salesforce cannot read the call. {place}", _REPORT, entries)


def to_unavailable(fault: Exception, *, label: str, writes: bool) -> Unavailable:
    """The error for a network fault or an answer that is not JSON; the fault's own text names URLs."""
    cure = ""
    if isinstance(fault, requests.exceptions.SSLError):
        message, cure = "Salesforce's certificate cannot be verified.", "Check ca_bundle and the proxy."
    elif isinstance(fault, requests.exceptions.ProxyError):
        message, cure = "The proxy did not let the call to Salesforce through.", "Check proxy in config.yaml."
    elif isinstance(fault, requests.exceptions.Timeout):
        message, cure = "Salesforce did not answer in time.", "If this stays, raise timeout in config.yaml."
    elif isinstance(fault, (requests.exceptions.InvalidJSONError, requests.exceptions.ContentDecodingError)):
        message = "Salesforce, or something in between, answered with something that is not JSON."
    else:
        message, cure = "The connection to Salesforce failed.", "Check the network, login_url and the proxy."
    sent = not isinstance(fault, requests.exceptions.ConnectTimeout)
    return Unavailable(f"{message} ({label})", cure, delay=10, ambiguous=writes and sent)


def is_curable(content: Any) -> bool:
    """Whether a new token may help after a 401: not against a wrong header or a policy on REST sessions."""
    entries = read_entries(content)
    if any(entry.code == "INVALID_AUTH_HEADER" for entry in entries):
        return False
    return not any(words in entry.message.lower() for entry in entries for words in _INCURABLE)


def to_login_failed(content: Any) -> LoginFailed:
    """The error for a 401 that no new token cures."""
    entry = next(iter(read_entries(content)), Entry(""))
    code = f" ({entry.code})" if entry.code else ""
    if any(words in entry.message.lower() for words in _INCURABLE):
        return LoginFailed(
            f"Salesforce gives a session that may not use the REST API{code}.",
            "Add the scope api to the app's OAuth settings, and check the user's session policies.",
        )
    return LoginFailed(
        f"Salesforce refuses a token it has only just given out{code}.",
        "Check the app's session and IP policies, and whether the integration user is active.",
    )


def to_row_result(salesforce_id: str, entries: tuple[Entry, ...]) -> RowResult:
    """The outcome of a refused row; its message is Salesforce's own, for the person who owns the record."""
    known = entries or (Entry("UNKNOWN_EXCEPTION", "Salesforce gave no reason."),)
    first = known[0]
    return RowResult(
        salesforce_id,
        code=first.code or "UNKNOWN_EXCEPTION",
        message="; ".join(entry.message for entry in known if entry.message),
        fields=tuple(dict.fromkeys(name for entry in known for name in named_fields(entry))),
        temporary=all(map(_is_temporary, known)),
    )


def named_fields(entry: Entry) -> tuple[str, ...]:
    """The fields an entry is about; where it lists none, those its message says are missing, hidden or read-only."""
    if entry.fields:
        return entry.fields
    if column := _COLUMN.search(entry.message):
        return (column[1],)
    barred = _BARRED.search(entry.message)
    return tuple(name.strip() for name in barred[1].split(",")) if barred else ()


def _is_temporary(entry: Entry) -> bool:
    if entry.code == TRIGGER_CODE:
        return any(code in entry.message for code in TEMPORARY_ROW_CODES)
    return (entry.code or "UNKNOWN_EXCEPTION") in TEMPORARY_ROW_CODES
