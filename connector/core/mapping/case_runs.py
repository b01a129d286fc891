"""Runs the tests a mapping file carries. Of a faulty mapping it tells only what does not follow from its mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from connector.core.mapping.damage import Damage, without_indices
from connector.core.mapping.mapper import map_record
from connector.core.mapping.nodes import ASSIGNEE, ASSOCIATED, ENGAGEMENT, INVITATION, SUBMITTED, Case, CompiledMapping
from connector.core.mapping.watched import WatchedFacts
from connector.core.model import Association, Mapped, Structure
from connector.core.rules import ASSOCIATIONS, CREATE, SUBMISSION
from connector.core.rules.facts import Facts
from connector.core.schema import Shape
from connector.errors import FileProblem

_SECTIONS = {"associate": ASSOCIATED, "submission": SUBMITTED, "assign": ASSIGNEE, "invitations": INVITATION}
UNDAMAGED = Damage()


@dataclass(frozen=True, slots=True)
class Difference:
    """What comes out otherwise than expected: where, as a case calls it, and the words for it."""

    path: str
    words: str


def run_cases(mapping: CompiledMapping, damage: Damage = UNDAMAGED) -> tuple[FileProblem, ...]:
    """A problem for each case that does not come out as it says.

    What follows from ``damage`` is left out; without any, the mapping is what it should be.
    """
    failures = []
    for case in mapping.cases:
        differences = run_case(mapping, case, damage)
        if differences:
            told = "; ".join(difference.words for difference in differences)
            message = f"The case {case.name!r} fails: {told}."
            cure = "Correct the mapping or the case."
            unread = () if damage else _unread(mapping, case.given)
            if unread:
                cure = f"No line reads {' and '.join(unread)}, which the case gives. {cure}"
            failures.append(FileProblem(case.file, case.line, 1, message, cure))
    return tuple(failures)


def _unread(mapping: CompiledMapping, given: Structure) -> tuple[str, ...]:
    """The fields of a case's record that the mapping does not read: one of them may have been renamed."""
    asked = mapping.selection
    known = {name.lower() for name in asked.fields} | {"id"}
    known |= {f"{rows}.{name}".lower() for rows, names in asked.children.items() for name in ("Id", *names)}
    return tuple(name for name in dict.fromkeys(_names_in(given)) if name.lower() not in known)


def _names_in(value: Any, above: str = "") -> Iterator[str]:
    """The dotted names of what a record has; of rows those of each one."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _names_in(inner, f"{above}.{name}" if above else str(name))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for row in value:
            yield from _names_in(row, above)
    elif value not in (None, "", []):
        yield above


def run_case(mapping: CompiledMapping, case: Case, damage: Damage = UNDAMAGED) -> list[Difference]:
    """What differs from the expectation; nothing when the case holds."""
    mapped = map_record(mapping, case.given, case.today)
    differences = subset_differences(case.expect, _as_expected(mapped)) if case.expect is not None else []
    differences = [one for one in differences if not damage.concerns(_aws_path(one.path))]
    if case.expect_problems is None:
        return differences
    doubt = _Doubt.of(mapping, mapped, case, damage) if damage else _Doubt(damage)
    found = {path for path in _told_paths(mapped) if not doubt.concerns(path)}
    missed = [path for path in case.expect_problems if path not in found and not doubt.may_silence(path)]
    differences += [Difference(path, f"no problem is told at {path}") for path in missed]
    if not case.expect_problems and found:
        first = next((f" ({problem.message.rstrip('.')})" for problem in mapped.problems if problem.path in found), "")
        differences.append(Difference("", f"there are problems at {', '.join(sorted(found))}{first}"))
    return differences


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Which problems of a record may be different once the mapping is mended.

    ``told`` are paths that a rule tells a problem at after a look at something damaged, ``untold`` those that it would
    tell one at if something else stood there. ``is_open``: nobody knows whether there is a submission.
    """

    damage: Damage
    told: frozenset[str] = frozenset()
    untold: frozenset[str] = frozenset()
    is_open: bool = False

    @classmethod
    def of(cls, mapping: CompiledMapping, mapped: Mapped, case: Case, damage: Damage) -> _Doubt:
        told, untold = set[str](), set[str]()
        is_open = damage.is_total or SUBMITTED in damage.paths
        for rule in (*CREATE, *ASSOCIATIONS, *SUBMISSION):
            facts = WatchedFacts(mapped.opportunity, case.today, mapped.associations, mapped.submission)
            problems = [problem.path for problem in rule(facts)]
            damaged = [path for path in facts.read if damage.concerns(path)]
            told.update(problems if damaged else ())
            for path in damaged:
                for tried in _tries(facts, path, mapping):
                    untold.update(problem.path for problem in rule(tried))
        return cls(damage, frozenset(told), frozenset(untold), is_open)

    def concerns(self, path: str) -> bool:
        return path in self.told or self.damage.concerns(_aws_path_of_problem(path))

    def may_silence(self, path: str) -> bool:
        """Whether a problem that is expected there may only be missing because of the damage."""
        return self.is_open or path in self.untold or self.concerns(path)


def _tries(facts: Facts, path: str, mapping: CompiledMapping) -> Iterator[Facts]:
    """The same facts with something else at an AWS path that a rule looks at."""
    if path == SUBMITTED:
        members = mapping.submission_shape.members
        for values in product(*([None, *shape.enum] for shape in members.values())):
            yield replace(facts, submission=dict(zip(members, values, strict=True)))
    elif path == ASSOCIATED:
        yield replace(facts, associations=())
        for entity_type in mapping.associate:
            yield replace(facts, associations=(Association(entity_type, "1"),))
    else:
        for value in _values_at(path, mapping.shape):
            yield replace(facts, opportunity=_with(facts.opportunity, path, value))


def _values_at(path: str, shape: Shape) -> list[Any]:
    """What may stand at an AWS path: nothing, each value of AWS's list, or some text."""
    found = shape.at(path)
    item = found.item if found is not None and found.kind == "list" else found
    values: list[Any] = list(item.enum) if item is not None and item.enum else ["1"]
    return [None, *([value] if found is not item else value for value in values)]


def _with(opportunity: Structure, path: str, value: Any) -> Structure:
    """The opportunity with another value at a dotted path."""
    name, _, rest = path.partition(".")
    inner = opportunity.get(name)
    return {**opportunity, name: _with(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}


def _aws_path(path: str) -> str:
    """The AWS path of what a case calls ``opportunity.Project.Title`` or ``associate.Solutions``, without indices."""
    section, _, rest = without_indices(path).partition(".")
    if section == "invitations" and rest == ENGAGEMENT:
        return ENGAGEMENT
    root = _SECTIONS.get(section, "")
    return f"{root}.{rest}" if root and rest else root or rest


def _aws_path_of_problem(path: str) -> str:
    """The same for a path of ``expect_problems``, where the opportunity's own are AWS paths already."""
    return _aws_path(path) if path.startswith("invitations[") else path


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


def subset_differences(expected: Any, actual: Any, path: str = "") -> list[Difference]:
    """Where ``actual`` lacks what ``expected`` says; a list must have just the expected items."""
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return [Difference(path, f"{path or 'the result'} is missing")]
        found: list[Difference] = []
        for name, value in expected.items():
            found += subset_differences(value, actual.get(name), f"{path}.{name}" if path else str(name))
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [one for i, (e, a) in pairs for one in subset_differences(e, a, f"{path}[{i}]")]
    return [] if expected == actual else [Difference(path, f"{path} is {actual!r}, expected {expected!r}")]
