"""What Salesforce refused to show, as the one line that the ledger keeps: written here, and read back with a meaning.

The line has Salesforce's code, fields and own words. Its meaning is looked up when it is read, so that a line which an
earlier version kept is explained as well, and what the catalogue learns later holds for it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connector.core.catalogue import explain_row

LACKS = "Shown without "
"""How a line begins when all that is wrong is that some fields are left out."""
HIDDEN = "hidden from, or read-only for, the integration user"
"""Why a field is left out that was never sent, since describe tells that it cannot be written."""
_HIDDEN_CODE = "INVALID_FIELD_FOR_INSERT_UPDATE"

_FIELDS = r"\w[\w.]*(?:, \w[\w.]*)*"
_START = re.compile(
    rf"(?:^|; )(?:{LACKS})?(?:(?P<row>\w+ \w{{18}}): )?(?:(?P<left_out>{_FIELDS}) \()?"
    rf"(?:(?P<code>[A-Z][A-Z0-9_]+)(?: on (?P<fields>{_FIELDS}))?: |{HIDDEN}\))"
)


@dataclass(frozen=True, slots=True)
class RowRefusal:
    """One refusal: the child row it is about ("" for the record itself), fields, Salesforce's code and own words."""

    row: str
    fields: tuple[str, ...]
    code: str
    words: str


def tell_refusal(code: str, words: str, fields: Iterable[str] = ()) -> str:
    """``CODE on Field, Field: Salesforce's words``, without the fields where Salesforce named none."""
    names = ", ".join(fields)
    return f"{code} on {names}: {words}" if names else f"{code}: {words}"


def tell_left_out(names: Iterable[str], why: str) -> str:
    """``Field, Field (why)``: fields that are left out while the rest of their row is shown."""
    return f"{', '.join(names)} ({why})"


def read_refusals(line: str) -> tuple[RowRefusal, ...]:
    """The refusals that a line tells, in order; what is not written as above belongs to the words before it."""
    return tuple(_read(line))


def _read(line: str) -> Iterator[RowRefusal]:
    starts = list(_START.finditer(line))
    ends = [*(start.start() for start in starts[1:]), len(line)]
    for start, end in zip(starts, ends, strict=False):
        names = start["left_out"] or start["fields"] or ""
        words = line[start.end() : end]
        words = words.removesuffix(")") if start["left_out"] else words
        fields = tuple(names.split(", ")) if names else ()
        yield RowRefusal(start["row"] or "", fields, start["code"] or _HIDDEN_CODE, words)


def explain_line(line: str) -> tuple[str, str]:
    """What a line means and what to do about it, each thing once; "" and "" where no code of it is known."""
    meanings, cures = [], []
    for refusal in read_refusals(line):
        entry = explain_row(refusal.code, refusal.words)
        if entry is not None:
            place = ", ".join(refusal.fields) or refusal.row
            meanings.append(f"{place}: {entry.sentence}" if place else entry.sentence)
            cures.append(entry.cure)
    return " ".join(dict.fromkeys(meanings)), " ".join(dict.fromkeys(cures))
