"""What a person may paste to name a record: Salesforce ids in all their spellings, addresses, and AWS's ids.

Only reads the text; whether there is such a record is for others to find out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from connector.core.selection import is_id, to_id18

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ADDRESS = re.compile(r"^https?://[^/\s]+/(?P<path>\S*)$", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?:^|[/=])([A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)(?=$|[/?&#])")
_ARN = re.compile(r"^arn:aws[a-z-]*:partnercentral:[^\s]*[/:](?P<id>[A-Za-z]+-?[A-Za-z0-9]+)$")


class Kind(StrEnum):
    """Whose id it is."""

    SALESFORCE = "salesforce"
    OPPORTUNITY = "opportunity"
    OTHER_OF_AWS = "other"
    """A task, an engagement, an engagement invitation or a resource snapshot job."""
    BROKEN = "broken"
    """18 characters that cannot be anybody's id; ``note`` says why."""


_OF_AWS = (
    (re.compile(r"O\d{1,19}", re.IGNORECASE), Kind.OPPORTUNITY),
    (re.compile(r"(?:task|eng|engi|job)-[A-Za-z0-9]{4,60}"), Kind.OTHER_OF_AWS),
)


def is_of_process(text: str) -> bool:
    """Whether this is the id of a task, an engagement, an engagement invitation or a resource snapshot job."""
    return any(kind == Kind.OTHER_OF_AWS and pattern.fullmatch(text) for pattern, kind in _OF_AWS)


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id as it is looked up: 18 characters of Salesforce, AWS's as AWS writes it.

    ``note`` says what had to be mended or is doubtful about what was given, "" for nothing.
    """

    kind: Kind
    text: str
    note: str = ""


def read_identifier(given: str) -> Identifier | None:
    """The id that is meant, from an id, an address of Salesforce, or an ARN of Partner Central; None for none."""
    text = given.strip().strip("'\"")
    if (address := _ADDRESS.match(text)) is not None:
        found = [one for one in _IN_ADDRESS.findall(address["path"]) if _is_likely(one)]
        return _of_salesforce(found[0]) if found else None
    if (arn := _ARN.match(text)) is not None:
        text = arn["id"]
    for pattern, kind in _OF_AWS:
        if pattern.fullmatch(text):
            return Identifier(kind, text.upper() if kind == Kind.OPPORTUNITY else text)
    return _of_salesforce(text) if is_id(text) else None


def _is_likely(text: str) -> bool:
    """Whether a part of an address is an id rather than a word of 15 or 18 letters."""
    return any(character.isdigit() for character in text)


def _of_salesforce(text: str) -> Identifier:
    if len(text) == 15:
        return Identifier(Kind.SALESFORCE, to_id18(text), _doubt_of_short(text))
    if to_id18(text) == text[:15] + text[15:].upper():
        return Identifier(Kind.SALESFORCE, to_id18(text))
    # A tool that changes case changes it throughout; where upper and lower case are mixed, somebody mistyped.
    mended = _with_case_of_suffix(text) if text[:15] in {text[:15].upper(), text[:15].lower()} else None
    if mended is None:
        return Identifier(Kind.BROKEN, text, _WRONG)
    note = f"The case of its letters was changed on the way: its last three characters say that {mended} is meant."
    return Identifier(Kind.SALESFORCE, mended, note)


_WRONG = (
    "Its last three characters do not fit the others: a character is wrong, or its case was changed. Copy it once more."
)


def _doubt_of_short(text: str) -> str:
    """Nobody can tell whether the case of 15 characters was changed, unless all letters look alike."""
    letters = [character for character in text[3:] if character.isalpha()]
    if len(letters) < 2 or not (all(c.isupper() for c in letters) or all(c.islower() for c in letters)):
        return ""
    case = "upper" if letters[0].isupper() else "lower"
    return (
        f"All its letters are {case} case, and in 15 characters case counts: if it was changed on the way, this is "
        "another record's id. The form with 18 characters is safe."
    )


def _with_case_of_suffix(text: str) -> str | None:
    """The id with the case that its last three characters, the checksum, ask for; None where they cannot fit."""
    short, suffix = text[:15], text[15:].upper()
    found = []
    for index, character in enumerate(short):
        bits = _SUFFIX.find(suffix[index // 5])
        is_upper = bool(bits >> index % 5 & 1)
        if bits < 0 or (is_upper and not character.isalpha()):
            return None
        found.append(character.upper() if is_upper else character.lower())
    return "".join(found) + suffix
