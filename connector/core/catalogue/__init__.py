"""The error catalogue: the one place that says what a code of AWS or Salesforce means, who can help, and how.

What happens next in the program is the adapters' business. They, the messages, `show` and the documentation's page
all take their words from here. A code that is not here keeps its own text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connector.core.catalogue.aws import CLOCK, ERRORS, EXCEPTIONS, REASONS, UNKNOWN_ERROR, UNKNOWN_REASON, UNREGISTERED
from connector.core.catalogue.entry import Entry, Kind, Source
from connector.core.catalogue.salesforce import CALLS, NO_ANSWER, REST_SESSION, ROWS, TRIGGER
from connector.core.messages import normalise_code

__all__ = [
    "CLOCK",
    "NO_ANSWER",
    "REST_SESSION",
    "TRIGGER",
    "UNKNOWN_ERROR",
    "UNKNOWN_REASON",
    "UNREGISTERED",
    "Entry",
    "Kind",
    "Source",
    "entries",
    "explain_error",
    "explain_reason",
    "explain_row",
    "find",
    "meaning_of",
]

_ENTRIES = (*ERRORS, *REASONS, *EXCEPTIONS, *ROWS, *CALLS)
_BY_CODE: Mapping[tuple[Source, str, str], Entry] = MappingProxyType(
    {(entry.source, normalise_code(entry.code), entry.when): entry for entry in _ENTRIES}
)
_PASSING = tuple(entry for entry in ROWS if entry.is_passing and entry.code != NO_ANSWER)
"""What Salesforce itself says of a row and may go away by itself."""


def entries() -> tuple[Entry, ...]:
    """The whole catalogue, by source in the order of ``Source``."""
    return _ENTRIES


def find(source: Source, code: str, when: str = "") -> Entry | None:
    """What a code of this source means, in either spelling (``NOT_FOUND``, ``NotFound``); None for a new one.

    ``when``: an operation, or words of the answer, for which the code may mean something of its own.
    """
    wanted = normalise_code(code)
    return _BY_CODE.get((source, wanted, when)) or _BY_CODE.get((source, wanted, ""))


def meaning_of(source: Source, code: str, when: str = "") -> Entry:
    """The same for a code that the caller knows to be there. Raises KeyError where it is not."""
    found = find(source, code, when)
    if found is None:
        raise KeyError(f"{source}: {code}")
    return found


def explain_error(code: str) -> Entry:
    """What a code of AWS's error list means; ``UNKNOWN_ERROR`` when there is none or it is new."""
    return find(Source.AWS_ERROR, code) or UNKNOWN_ERROR


def explain_reason(code: str) -> Entry:
    """What a failed task's reason means; ``UNKNOWN_REASON`` when there is none or it is new."""
    return find(Source.AWS_REASON, code) or UNKNOWN_REASON


def explain_row(code: str, words: str = "") -> Entry | None:
    """What it means that Salesforce refused a row; None for a new code. ``words`` are Salesforce's own.

    A trigger that met something passing is told as what it met.
    """
    if code == TRIGGER:
        met = next((entry for entry in _PASSING if entry.code in words), None)
        if met is not None:
            return met
    return find(Source.SALESFORCE_ROW, code)
