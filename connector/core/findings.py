"""What a check comes to: one noun for everything it tells, whoever found it. Plain data; prints nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from connector.core.model import Structure
from connector.errors import FileProblem


class Severity(StrEnum):
    """How bad it is: nothing works until it is mended, it will fail, it may fail, or it is only told."""

    HALT = "halt"
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_ORDER = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    ``kind`` is a stable name for machines (``mapping``, ``case``, ``field-hidden``, …). ``message`` is one sentence on
    what is wrong or what is so, ``cure`` one on what to do. ``line`` and ``column`` count from 1, 0 where it stands in
    no file. ``connection`` is "" for what concerns every connection.
    """

    severity: Severity
    kind: str
    message: str
    cure: str = ""
    connection: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    aws_path: str = ""
    salesforce_field: str = ""

    @classmethod
    def from_problem(cls, problem: FileProblem, kind: str, severity: Severity = Severity.ERROR) -> Finding:
        """A mistake in a file, as a finding."""
        place = {"file": problem.file, "line": problem.line, "column": problem.column}
        return cls(severity, kind, problem.message, problem.cure, **place)  # type: ignore[arg-type]

    def to_json(self) -> Structure:
        return asdict(self)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: " if self.file else ""
        owner = f"{self.connection}: " if self.connection else ""
        return f"{place}{owner}{self.message} {self.cure}".rstrip()


def in_order(findings: list[Finding]) -> list[Finding]:
    """Each finding once: the worst first, then by connection, file and place."""

    def key(one: Finding) -> tuple[object, ...]:
        place = (one.connection, one.file, one.line, one.column)
        return (_ORDER.index(one.severity), *place, one.kind, one.salesforce_field, one.aws_path, one.message)

    return sorted(dict.fromkeys(findings), key=key)
