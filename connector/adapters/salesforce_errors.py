"""The one table that turns what Salesforce answers into the connector's errors; its words are the error catalogue's.

Messages are built from codes, statuses and names of fields and objects only: never from a URL, a query, a
token or the content of a record. Nothing here makes a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests

from connector.core.catalogue import REST_SESSION, Source, explain_row, meaning_of
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
    """What happens next after one of these codes. ``fragment`` must occur in the message; ``delay`` is in seconds.

    ``of_queries``: said of a write with HTTP 400 it tells nothing of the connection, but of a row in it. The words are
    the catalogue's.
    """

    codes: frozenset[str]
    kind: type[ConnectorError]
    delay: float = 0.0
    fragment: str = ""
    of_queries: bool = False


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GRANT = "Ask a Salesforce administrator to grant it to the integration user in its permission set."
_REPORT = "Please report this with the code and the line before it in the log."

RULES = (
    Rule(_codes("REQUEST_LIMIT_EXCEEDED"), Throttled, delay=5, fragment="concurrent"),
    Rule(_codes("REQUEST_LIMIT_EXCEEDED"), QuotaExhausted, delay=3600),
    Rule(_codes("API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED"), AccessDenied),
    Rule(_codes("INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY FUNCTIONALITY_NOT_ENABLED"), AccessDenied),
    Rule(_codes("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"), Unavailable, delay=300),
    Rule(_codes("INVALID_FIELD"), AccessDenied, of_queries=True),
    Rule(_codes("INVALID_TYPE"), AccessDenied),
    Rule(
        _codes(
            "MALFORMED_QUERY INVALID_QUERY_FILTER_OPERATOR QUERY_TOO_COMPLICATED "
            "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS NUMBER_OUTSIDE_VALID_RANGE"
        ),
        AccessDenied,
        of_queries=True,
    ),
    Rule(_codes("QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG"), Unavailable, delay=60),
    Rule(_codes("INVALID_QUERY_LOCATOR"), Unavailable),
    Rule(_codes("SERVER_UNAVAILABLE UNKNOWN_EXCEPTION"), Unavailable, delay=10),
    Rule(_codes("PROCESSING_HALTED"), Unavailable, delay=5),
)

_COLUMN = re.compile(r"No such column '([\w.]+)' on (?:entity|sobject of type) '?(\w+)")
_RELATION = re.compile(r"Didn't understand relationship '(\w+)'")
_BARRED = re.compile(r"create/update fields: ([\w, ]+)")
_OBJECT = re.compile(r"sObject type '(\w+)' is not supported")
_INCURABLE = (REST_SESSION.lower(), "not attached to agent")
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
        told = meaning_of(Source.SALESFORCE_CALL, entry.code, rule.fragment)
        return _raised(rule.kind, f"{told.sentence} {place}", told.cure, rule.delay, ambiguous=writes)
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
    is_limited = any(words in entry.message.lower() for words in _INCURABLE)
    told = meaning_of(Source.SALESFORCE_CALL, "INVALID_SESSION_ID", REST_SESSION if is_limited else "")
    return LoginFailed(f"{told.sentence.removesuffix('.')}{code}.", told.cure)


def to_row_result(salesforce_id: str, entries: tuple[Entry, ...]) -> RowResult:
    """The outcome of a refused row; its message is Salesforce's own, for the person who owns the record.

    Its code is the first that does not go away by itself: that is the one somebody has to do something about.
    """
    known = entries or (Entry("UNKNOWN_EXCEPTION", "Salesforce gave no reason."),)
    lasting = [entry for entry in known if not _is_temporary(entry)]
    return RowResult(
        salesforce_id,
        code=(lasting or known)[0].code or "UNKNOWN_EXCEPTION",
        message="; ".join(entry.message for entry in known if entry.message),
        fields=tuple(dict.fromkeys(name for entry in known for name in named_fields(entry))),
        temporary=not lasting,
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
    meaning = explain_row(entry.code or "UNKNOWN_EXCEPTION", entry.message)
    return meaning is not None and meaning.is_passing
