"""The ways the org says no, in Salesforce's own codes and words.

Nothing here decides whether something is wrong: it only carries the answer, and its HTTP status, to the
wire.
"""

from __future__ import annotations

from dataclasses import dataclass

_STATUS = {"NOT_FOUND": 404, "ENTITY_IS_DELETED": 404}


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of a DML error list. `offender` is the JSON token that broke a type, as `VALUE_STRING "
    "value x`."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    kind: str = ""
    offender: str = ""


class RowError(Exception):
    """A row was refused; `faults` holds every reason (several validation rules may fail at once)."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.code}: {fault.message}" for fault in faults))
        self.faults = faults

    @property
    def status(self) -> int:
        """The HTTP status of the same refusal on the single-row resource."""
        return _STATUS.get(self.faults[0].code, 400)


class ApiError(Exception):
    """A whole request was refused: `[{"message", "errorCode"}]` under `status`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class QueryError(ApiError):
    """A SOQL text was refused; always a 400."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(400, code, message)


def row_fault(code: str, message: str, *fields: str) -> RowError:
    """A refusal with one reason."""
    return RowError(Fault(code, message, fields))


def missing_resource() -> ApiError:
    """The answer to a path nothing lives under."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")
