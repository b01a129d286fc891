"""The tests a mapping file carries: reads them. ``case_runs`` runs them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from connector.core.mapping.complaints import Complaints, Keys
from connector.core.mapping.nodes import Case
from connector.core.schema import Shape

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
        found = [self._sound_case(inner, ("cases", index)) for index, inner in enumerate(value)]
        return tuple(case for case in found if case is not None)

    def _sound_case(self, value: Any, keys: Keys) -> Case | None:
        """The case, None where it has a mistake of its own: what would come of it says nothing."""
        before = len(self.complaints.found)
        case = self._case(value, keys)
        doubtful = self.complaints.document.doubtful
        is_doubtful = keys[:1] in doubtful or any(path[:2] == keys for path in doubtful)
        return None if is_doubtful or len(self.complaints.found) > before else case

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
