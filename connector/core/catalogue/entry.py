"""One line of the error catalogue, as a noun. Plain data; looks nothing up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["retry", "user", "admin", "deferred"]
"""Who or what helps.

``retry``: the connector tries again within minutes; ``deferred``: it tries again by itself too, but hours later or
once something else has ended; ``user``: a seller edits the record; ``admin``: an administrator sets something right.
"""


class Source(StrEnum):
    """Who says a code, and of what."""

    AWS_ERROR = "AWS error list"
    """Of one field: in the ErrorList of a refusal, and in the message of a failed task."""
    AWS_REASON = "AWS task reason"
    """The ReasonCode of a failed task."""
    AWS_EXCEPTION = "AWS exception"
    """Of a call as a whole."""
    SALESFORCE_ROW = "Salesforce row"
    """Of one record or row that was to be written, while the others of its call go on."""
    SALESFORCE_CALL = "Salesforce call"
    """Of a call as a whole."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one code means.

    ``when`` narrows it where a code has several meanings: the operation that was called, or words of the answer.
    ``sentence`` says what is wrong, ``cure`` what to do, "" where a call is just made again; in both, ``{operation}``
    stands for the operation that was called. ``origin`` is where we know it from, with the date read.
    """

    source: Source
    code: str
    kind: Kind
    sentence: str
    cure: str
    origin: str
    when: str = ""

    @property
    def is_passing(self) -> bool:
        """Whether it may go away by itself."""
        return self.kind in {"retry", "deferred"}
