"""What was looked at, and what came of it: the whole of one ``connector check``. Plain data; prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.core.findings import Finding, Severity, in_order

_DONE, _EDIT, _HALTED = 0, 2, 3  # as every command ends
_PROBLEMS = (Severity.HALT, Severity.ERROR, Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at; without findings, or with notes only, it passed.

    ``suite`` is what it belongs to, e.g. ``mapping mappings/opportunity.yaml`` or ``connection acme``; ``name`` tells
    it from the others of its suite, e.g. a case's name, a Salesforce field or the service that was asked.
    ``skipped`` says why it was not looked at after all, "" where it was.
    """

    suite: str
    name: str
    findings: tuple[Finding, ...] = ()
    skipped: str = ""

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What is more than a note."""
        return problems_of(self.findings)


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run of ``connector check`` looked at, in the order in which it did."""

    checked: tuple[Checked, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Each finding once, the worst first."""
        return tuple(in_order([finding for one in self.checked for finding in one.findings]))

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The halts, errors and warnings, in that order."""
        return problems_of(self.findings)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is only told."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.NOTE)

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.findings)


def problems_of(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those of the findings that are more than a note, in their order."""
    return tuple(finding for finding in findings if finding.severity in _PROBLEMS)


def exit_code_of(findings: Sequence[Finding]) -> int:
    """2 where a person must edit something, else 3 where a service is out of reach, else 0."""
    severities = {finding.severity for finding in findings}
    return _EDIT if Severity.ERROR in severities else _HALTED if Severity.HALT in severities else _DONE
