"""Runs the tests a mapping file carries."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from connector.core.mapping.mapper import map_record, subset_differences
from connector.core.mapping.nodes import Case, CompiledMapping
from connector.core.model import Mapped
from connector.errors import FileProblem


def run_cases(mapping: CompiledMapping) -> tuple[FileProblem, ...]:
    """A problem for each case that does not come out as it says."""
    failures = []
    for case in mapping.cases:
        differences = run_case(mapping, case)
        if differences:
            message = f"The case {case.name!r} fails: {'; '.join(differences)}."
            failures.append(FileProblem(mapping.file, case.line, 1, message, "Correct the mapping or the case."))
    return tuple(failures)


def run_case(mapping: CompiledMapping, case: Case) -> list[str]:
    """What differs from the expectation, in words; nothing when the case holds."""
    mapped = map_record(mapping, case.given, date.fromisoformat(case.today))
    differences = subset_differences(case.expect, _as_expected(mapped)) if case.expect is not None else []
    if case.expect_problems is None:
        return differences
    found = {problem.path for problem in mapped.problems}
    missing = [path for path in case.expect_problems if path not in found]
    differences += [f"no problem is told at {path}" for path in missing]
    if not case.expect_problems and found:
        differences.append(f"there are problems at {', '.join(sorted(found))}")
    return differences


def _as_expected(mapped: Mapped) -> dict[str, Any]:
    """A mapped record in the words of a case: opportunity, associate, submission."""
    associate: dict[str, list[str]] = {}
    for association in mapped.associations:
        associate.setdefault(association.entity_type, []).append(association.identifier)
    return {
        "opportunity": mapped.opportunity,
        "associate": associate,
        "submission": mapped.submission,
        "problems": [asdict(problem) for problem in mapped.problems],
    }
