"""The errors of the connector, named by what happens next. Nothing here knows a vendor.

::

    ConnectorError
    ├─ UserError            a person must edit a file or a command: no traceback, exit 2
    │  ├─ ConfigError       config.yaml
    │  └─ MappingError      a mapping file
    ├─ RecordError          this record is held, the others go on
    │  ├─ InvalidRecord     the record cannot be sent as it is
    │  ├─ Rejected          the service refused its content; keeps each detail
    │  ├─ NotEditable       its review status forbids the change
    │  ├─ NotFound          the service does not know the id
    │  └─ SyncConflict      changed on both sides, or the service holds another truth
    ├─ TemporaryError       recorded and tried again later, after ``delay`` seconds
    │  ├─ Throttled         certainly not carried out
    │  ├─ Unavailable       may have been carried out, where ``ambiguous``
    │  └─ StaleVersion      somebody else wrote meanwhile: read again, plan again
    └─ Halt                 stop writing and alert: exit 3
       ├─ AccessDenied · LoginFailed · QuotaExhausted
       ├─ LedgerUnavailable no ledger, no writes
       ├─ UnsafePlan        a limit would be passed; says count, limit and the way out
       └─ WrongAccount      another org, catalog or owner than the configured one
"""

from __future__ import annotations

from dataclasses import dataclass


class ConnectorError(Exception):
    """Any error the connector raises on purpose.

    ``message`` says what is wrong, ``cure`` what to do about it; both are sentences for people.
    """

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message} {self.cure}".strip()


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """One thing a person must change in a file; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    message: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message} {self.cure}".rstrip()


class UserError(ConnectorError):
    """A person must edit something; ``problems`` lists all of it at once where it stands in a file."""

    def __init__(self, message: str, cure: str = "", problems: tuple[FileProblem, ...] = ()) -> None:
        super().__init__(message, cure)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(str(problem) for problem in self.problems)])


class ConfigError(UserError):
    """config.yaml cannot be used as it is."""


class MappingError(UserError):
    """A mapping file cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One entry of a service's error list: where (``field`` may be empty), which code, which words."""

    field: str
    code: str
    message: str


class RecordError(ConnectorError):
    """This record is held; the others go on."""

    def __init__(self, message: str, cure: str = "", details: tuple[Detail, ...] = ()) -> None:
        super().__init__(message, cure)
        self.details = details


class InvalidRecord(RecordError):
    """The record cannot be sent as it is."""


class Rejected(RecordError):
    """The service refused the content; ``details`` has each reason it gave."""


class NotEditable(RecordError):
    """The review status forbids this change now."""


class NotFound(RecordError):
    """The service does not know this id, or hides it."""


class SyncConflict(RecordError):
    """The service holds another truth than the ledger, and nobody told us which one wins."""


class TemporaryError(ConnectorError):
    """Recorded and tried again later. ``ambiguous``: the service may have carried it out all the same."""

    def __init__(self, message: str, cure: str = "", *, delay: float = 0.0, ambiguous: bool = False) -> None:
        super().__init__(message, cure)
        self.delay = delay
        self.ambiguous = ambiguous


class Throttled(TemporaryError):
    """Asked too fast; certainly not carried out."""


class Unavailable(TemporaryError):
    """The service or the network did not answer properly."""


class StaleVersion(TemporaryError):
    """Somebody else wrote meanwhile; read again and plan again."""


class Halt(ConnectorError):
    """Stop writing on this connection and alert."""


class AccessDenied(Halt):
    """The identity may not do this; an administrator has to grant it."""


class LoginFailed(Halt):
    """The credentials are refused."""


class QuotaExhausted(Halt):
    """A daily allowance is used up; ``delay`` seconds until some of it comes back."""

    def __init__(self, message: str, cure: str = "", *, delay: float = 0.0) -> None:
        super().__init__(message, cure)
        self.delay = delay


class LedgerUnavailable(Halt):
    """The ledger cannot commit, so nothing may be written anywhere."""


class UnsafePlan(Halt):
    """Carrying on would pass a limit; the message has count, limit and the way out."""


class WrongAccount(Halt):
    """The org, catalog or owner is not the configured one."""
