"""What Partner Central answers when it refuses: the modelled exceptions and their ErrorList entries.

Only shapes live here. Which rule refuses what is decided in `shapes`, `rules` and `edits`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

REQUEST = "REQUEST_VALIDATION_FAILED"
BUSINESS = "BUSINESS_VALIDATION_FAILED"

REQUIRED = "REQUIRED_FIELD_MISSING"
NOT_PERMITTED = "ACTION_NOT_PERMITTED"
# Not in the model's enum, and sent by the service all the same.
BUSINESS_EXCEPTION = "BUSINESS_VALIDATION_EXCEPTION"


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of an ErrorList; `field` is a lower camel dotted path, or empty."""

    field: str
    code: str
    message: str

    def to_json(self) -> dict[str, str]:
        """The entry as ErrorList carries it; FieldName is left out when no field is to blame."""
        named = {"FieldName": self.field} if self.field else {}
        return {**named, "Message": self.message, "Code": self.code}

    def to_text(self) -> str:
        """The entry as a task's Message carries it: `CODE path:text`."""
        return f"{self.code} {self.field}:{self.message}" if self.field else f"{self.code}:{self.message}"


def missing(path: str) -> Problem:
    """The problem of a required field that is absent or blank."""
    return Problem(path, REQUIRED, f"{path} is required")


class ServiceError(Exception):
    """A modelled error: its `kind` is the exception's name, `members` the other members of its shape."""

    def __init__(self, kind: str, message: str, *, status: int = 400, **members: Any) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.status = status
        self.members = members


def refuse(problems: Iterable[Problem], reason: str = BUSINESS) -> None:
    """Raise one ValidationException that tells every problem at once; does nothing when there is none."""
    entries = [problem.to_json() for problem in problems]
    if entries:
        # The service leaves the top-level message empty; the ErrorList says it all.
        raise ServiceError("ValidationException", "", Reason=reason, ErrorList=entries)


def not_found(what: str, identifier: str) -> ServiceError:
    """ResourceNotFoundException for an identifier that this account cannot see in this catalog."""
    return ServiceError("ResourceNotFoundException", f"{what} with identifier {identifier} not found.")


def conflict(message: str) -> ServiceError:
    """ConflictException with the service's wording."""
    return ServiceError("ConflictException", message)
