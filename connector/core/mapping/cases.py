"""The tests a mapping file carries: reads them, and runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from connector.core.mapping.complaints import Complaints, Keys
from connector.core.mapping.mapper import map_record
from connector.core.mapping.nodes import ENGAGEMENT, INVITATION, Case, CompiledMapping
from connector.core.model import Mapped
from connector.core.schema import Shape
from connector.errors import FileProblem

_CASE_KEYS = ("name", "given", "expect", "expect_problems", "today")
_DEFAULT_DAY = "2000-01-01"


@dataclass(frozen=True, slots=True)
class CaseReader:
    """Turns the YAML of cases into Cases; ``result`` is the shape of what a case may expect."""

    complaints: Complaints
    result: Shape

    def cases(self, value: Any) -> tuple[Case, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            self.complaints.add(("cases",), "cases is a list.", "Write items with `- name: …`.")
            return ()
        found = [self._case(inner, ("cases", index)) for index, inner in enumerate(value)]
        return tuple(case for case in found if case is not None)

    def _case(self, value: Any, keys: Keys) -> Case | None:
        if not isinstance(value, dict) or not value.get("name") or not isinstance(value.get("given"), dict):
            cure = "Write name:, given: and expect:."
            self.complaints.add_missing(keys, "A case needs a name and a given record.", cure)
            return None
        self.complaints.check_names(keys, value, _CASE_KEYS)
        origin = self.complaints.origin(keys)
        return Case(
            name=str(value["name"]),
            line=origin.line,
            given=value["given"],
            today=self._today(value.get("today", _DEFAULT_DAY), (*keys, "today")),
            expect=self._expected(value, keys),
            expect_problems=self._expected_problems(value.get("expect_problems"), (*keys, "expect_problems")),
            file=origin.file,
        )

    def _today(self, value: Any, keys: Keys) -> date:
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.complaints.add(keys, f"{value!r} is not a day.", "Write it like 2027-01-31.")
            return date.fromisoformat(_DEFAULT_DAY)

    def _expected(self, value: dict[str, Any], keys: Keys) -> dict[str, Any] | None:
        expected = value.get("expect")
        if not expected and value.get("expect_problems") is None:
            self.complaints.add(keys, "This case expects nothing.", "Add expect: or expect_problems:.")
        elif expected is not None:
            self._check(expected, self.result, (*keys, "expect"))
        return expected if isinstance(expected, dict) else None

    def _check(self, expected: Any, shape: Shape, keys: Keys) -> None:
        """A misspelt name would expect that nothing is there, and always hold."""
        if isinstance(expected, list) and shape.item is not None:
            for index, item in enumerate(expected):
                self._check(item, shape.item, (*keys, index))
        elif isinstance(expected, dict):
            for name, inner in expected.items():
                if name in shape.members:
                    self._check(inner, shape.members[name], (*keys, name))
                else:
                    self.complaints.add_unknown((*keys, name), f"The result has no {name!r} here.", shape.members)
        elif shape is self.result:
            self.complaints.add(keys, "expect has members.", f"Give some of: {', '.join(shape.members)}.")

    def _expected_problems(self, value: Any, keys: Keys) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list):
            self.complaints.add(keys, "expect_problems is a list of AWS paths.", f"Write [{value}].")
            return None
        return tuple(map(str, value))


def run_cases(mapping: CompiledMapping) -> tuple[FileProblem, ...]:
    """A problem for each case that does not come out as it says."""
    failures = []
    for case in mapping.cases:
        differences = run_case(mapping, case)
        if differences:
            message = f"The case {case.name!r} fails: {'; '.join(differences)}."
            failures.append(FileProblem(case.file, case.line, 1, message, "Correct the mapping or the case."))
    return tuple(failures)


def run_case(mapping: CompiledMapping, case: Case) -> list[str]:
    """What differs from the expectation, in words; nothing when the case holds."""
    mapped = map_record(mapping, case.given, case.today)
    differences = subset_differences(case.expect, _as_expected(mapped)) if case.expect is not None else []
    if case.expect_problems is None:
        return differences
    found = _told_paths(mapped)
    differences += [f"no problem is told at {path}" for path in case.expect_problems if path not in found]
    if not case.expect_problems and found:
        differences.append(f"there are problems at {', '.join(sorted(found))}")
    return differences


def _told_paths(mapped: Mapped) -> set[str]:
    """Every path a problem is told at; those of the nth invitation as a case calls them: ``invitations[0].Message``."""
    found = {problem.path for problem in mapped.problems}
    for index, invitation in enumerate(mapped.invitations):
        for problem in invitation.problems:
            root, _, rest = problem.path.partition(".")
            own = rest if root == INVITATION else ENGAGEMENT if problem.path == ENGAGEMENT else ""
            found.add(f"invitations[{index}].{own}" if own else problem.path)
    return found


def _as_expected(mapped: Mapped) -> dict[str, Any]:
    """A mapped record in the words of a case: opportunity, associate, submission, assign, invitations."""
    associate: dict[str, list[str]] = {}
    for association in mapped.associations:
        associate.setdefault(association.entity_type, []).append(association.identifier)
    invitations = [
        {**one.body, **({ENGAGEMENT: one.engagement_id} if one.engagement_id else {})} for one in mapped.invitations
    ]
    return {
        "opportunity": mapped.opportunity,
        "associate": associate,
        "submission": mapped.submission,
        "assign": mapped.assignee,
        "invitations": invitations,
    }


def subset_differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Where ``actual`` lacks what ``expected`` says, in words; a list must have just the expected items."""
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return [f"{path or 'the result'} is missing"]
        found: list[str] = []
        for name, value in expected.items():
            found += subset_differences(value, actual.get(name), f"{path}.{name}" if path else str(name))
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [words for i, (e, a) in pairs for words in subset_differences(e, a, f"{path}[{i}]")]
    return [] if expected == actual else [f"{path} is {actual!r}, expected {expected!r}"]
