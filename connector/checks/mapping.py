"""Everything that can be known of a mapping without connecting to anything, in one run. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connector.adapters.partner_central import mapping_shapes
from connector.core.findings import Finding, Severity, in_order
from connector.core.mapping import CompiledMapping, Reading, check_identity, run_cases
from connector.core.mapping.compiler import without_members
from connector.core.mapping.complaints import Document
from connector.core.mapping.coverage import Coverage, cover
from connector.core.mapping.damage import Damage
from connector.core.mapping.echoes import look_for_echoes
from connector.core.mapping.nodes import ADOPTED, SUBMITTED
from connector.core.mapping.reach import look_for_unreachable
from connector.core.mapping.requirements import keys_of, look_for_requirements
from connector.core.mapping.tree import SENT_BY_CONNECTOR
from connector.errors import FileProblem
from connector.mapping_files import Files, examine

_NOT_SUBMITTED = "There is no submission: opportunities are sent, and AWS never reviews them."
_SUBMIT = "Add `submission:` with InvolvementType and Visibility to have them reviewed."


@dataclass(frozen=True, slots=True)
class MappingReport:
    """What came of one mapping.

    ``findings``, the worst first: of kind ``mapping`` (mistakes), ``case``, ``unfillable``, ``unreachable``, ``echo``
    and ``coverage``. ``mapping`` is None where a mistake in it forbids to use it; failing cases do not.
    """

    findings: tuple[Finding, ...]
    mapping: CompiledMapping | None
    coverage: Coverage


def check_mapping(files: Files) -> MappingReport:
    """Read one mapping file, or several that make up one mapping, and tell everything that is wrong in it at once.

    What only follows from a mistake is not told beside it. Raises UserError where a file cannot be read at all.
    """
    return report_on(*examine(files))


def report_on(document: Document, reading: Reading) -> MappingReport:
    """What is to be said of what could be read of a document."""
    coverage = cover(reading.mapping, without_members(mapping_shapes().create, SENT_BY_CONNECTOR))
    mistakes = [*reading.problems, *_identity(document, reading)]
    found = [Finding.from_problem(problem, "mapping") for problem in mistakes]
    if reading.mapping is not None:
        found += _consequences(document, reading, reading.mapping)
        if reading.mapping.submission is None and not reading.damage.concerns(SUBMITTED):
            found.append(Finding(Severity.NOTE, "coverage", _NOT_SUBMITTED, _SUBMIT, file=document.file))
        at = document.problem(("opportunity",), coverage.sentence)
        place = {"file": at.file, "line": at.line, "column": at.column}
        found.append(Finding(Severity.NOTE, "coverage", coverage.sentence, **place))  # type: ignore[arg-type]
    return MappingReport(tuple(in_order(found)), None if mistakes else reading.mapping, coverage)


def _identity(document: Document, reading: Reading) -> list[FileProblem]:
    if reading.mapping is None or reading.damage.concerns(ADOPTED):
        return []
    found = check_identity(document, reading.mapping)
    return [] if found is None else [found]


def _consequences(document: Document, reading: Reading, mapping: CompiledMapping) -> Iterator[Finding]:
    """What is wrong with a mapping that can be read, as far as it can."""

    def of_aws_path(path: str) -> FileProblem:
        keys = keys_of(path)
        return document.problem(keys if keys[0] in document.value else ("opportunity",), "")

    def of_keys(keys: tuple[str | int, ...]) -> FileProblem:
        return document.problem(keys, "")

    damage = reading.damage
    useless = look_for_unreachable(mapping, reading.leaves, damage, of_keys)
    damage = _with(damage, useless, reading)
    lacking = look_for_requirements(mapping, damage, of_aws_path)
    damage = _with(damage, lacking, reading)
    yield from useless
    yield from lacking
    yield from look_for_echoes(mapping, of_keys)
    for problem in run_cases(mapping, damage):
        yield Finding.from_problem(problem, "case")


def _with(damage: Damage, findings: list[Finding], reading: Reading) -> Damage:
    """The damage and what is wrong for every record: what follows from that is not told either."""
    paths = [finding.aws_path for finding in findings if finding.severity is Severity.ERROR]
    return damage.also_at(paths).spread(leaf for leaf, _ in reading.leaves)
