"""Salesforce record ids: the 15 character case-sensitive form and its 18 character twin.

Ids here are counted, never random, so that a test can name them. This module knows nothing of objects or
rows.
"""

from __future__ import annotations

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def to_18(short: str) -> str:
    """The 18 character form of a 15 character id: one letter per group of five, a bit per upper-case "
    "letter."""
    groups = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join(_SUFFIX[sum(1 << i for i, c in enumerate(g) if c.isupper())] for g in groups)


def normalise(text: str) -> str | None:
    """The 18 character form of either form, or None where the text is no id (a wrong suffix is no id)."""
    if not _SHAPE.fullmatch(text):
        return None
    full = to_18(text[:15])
    return full if len(text) == 15 or text.upper() == full.upper() else None


def make_id(prefix: str, number: int) -> str:
    """The id of the `number`-th record of the object with this three character key prefix."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return to_18(prefix + digits.rjust(12, "0"))
