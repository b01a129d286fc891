"""What AWS wants and a mapping can never give, or not with some values: found by playing its scenarios to the rules.

There is no list of requirements here. Whatever the rules say of every opportunity that the mapping could send is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any

from connector.core import rules
from connector.core.findings import Finding, Severity
from connector.core.mapping.complaints import Keys
from connector.core.mapping.damage import Damage, without_indices
from connector.core.mapping.domains import domain_of
from connector.core.mapping.evaluation import EMPTY, Pass
from connector.core.mapping.nodes import ASSOCIATED, INVITATION, SUBMITTED, CompiledMapping, leaves_of
from connector.core.mapping.scenarios import Ground, Scenario, with_one_row
from connector.core.mapping.watched import WatchedFacts
from connector.core.model import Problem
from connector.core.rules import Rule
from connector.errors import FileProblem

KIND = "unfillable"
_TODAY = date(2000, 1, 1)  # any day before those that examples name
_CO_SELL = {"InvolvementType": "Co-Sell"}
_SHOWN = 3
_OUT_OF_PLACE = "only_with"
"""The code of problems that no other value would mend: there may be none at all."""

Place = Callable[[str], FileProblem]
"""Where in the file an AWS path stands, or the nearest that contains it."""


@dataclass(frozen=True, slots=True)
class _Played:
    """One scenario and what a rule says of it, but for what another value of an open leaf would mend."""

    scenario: Scenario
    problems: tuple[Problem, ...]


def look_for_requirements(mapping: CompiledMapping, damage: Damage, place: Place) -> list[Finding]:
    """An error for what can never be sent, a warning for what some values need and no line gives.

    Nothing is said of rules that look at something damaged.
    """
    ground = Ground.of(mapping)
    sent = [_tried(ground, rule, "sent", damage) for rule in (*rules.CREATE, *rules.ASSOCIATIONS)]
    submitted = [_tried(ground, rule, "submitted", damage) for rule in rules.SUBMISSION if mapping.submission]
    create = [trial for trial in sent if trial is not None]
    submit = [trial for trial in submitted if trial is not None]
    found = [finding for trial in create for finding in _Judgement(trial, create, ground, place).findings()]
    both = [*create, *submit]
    found += [finding for trial in submit for finding in _Judgement(trial, both, ground, place).findings()]
    return found + list(_of_invitations(mapping, damage))


def _of_invitations(mapping: CompiledMapping, damage: Damage) -> Iterator[Finding]:
    """Constants that no invitation can be sent with."""
    for item in mapping.invitations.items if mapping.invitations is not None else ():
        leaves = {leaf.path: leaf for leaf in leaves_of(item.tree)}
        domains = {path: domain_of(leaf, mapping.selection.sobject) for path, leaf in leaves.items()}
        examples = {path: domain.values[0] if domain.values else EMPTY for path, domain in domains.items()}
        body = Pass({}, examples).build(with_one_row(item.tree), INVITATION) or {}
        for problem in rules.check_invitation(body, _TODAY):
            domain = domains.get(problem.path)
            is_constant = domain is not None and domain.is_closed and len(domain.values) == 1
            if is_constant and not damage.concerns(problem.path):
                at = leaves[problem.path].origin
                message = f"No invitation can ever be sent: {_lowered(problem.message)}"
                told = FileProblem(at.file, at.line, at.column, message, problem.cure)
                yield Finding.from_problem(told, KIND)


def lacking_paths(mapping: CompiledMapping) -> tuple[str, ...]:
    """What AWS needs of every opportunity and no line fills, as AWS paths without indices, in the order of the rules.

    What something else stands in for is not lacking, as a solution's description does for a solution.
    """
    ground = Ground.of(mapping)
    (fullest,) = ground.scenarios(frozenset()) or ()
    submission = fullest.submission or _CO_SELL
    asked = _required_by(rules.Facts(fullest.opportunity, _TODAY, fullest.associations, submission))
    always = _required_by(rules.Facts({}, _TODAY, (), _CO_SELL))
    return tuple(path for path in always if path in asked and not ground.leaves_at(path))


def _required_by(facts: rules.Facts) -> tuple[str, ...]:
    table = (*rules.CREATE, *rules.ASSOCIATIONS, *rules.SUBMISSION)
    found = [problem.path for rule in table for problem in rule(facts) if problem.code == "required"]
    return tuple(dict.fromkeys(map(without_indices, found)))


@dataclass(frozen=True, slots=True)
class _Trial:
    """One rule, tried on every combination of what the leaves it looks at (``varied``) can be."""

    rule: Rule
    done: str
    varied: frozenset[str]
    played: tuple[_Played, ...]

    @property
    def is_hopeless(self) -> bool:
        """Whether it holds every opportunity, which is told by itself."""
        return all(one.problems for one in self.played)


def _tried(ground: Ground, rule: Rule, done: str, damage: Damage) -> _Trial | None:
    """None where nothing can be said: too much to try, or something it looks at is damaged."""
    read: set[str] = set()
    varied: frozenset[str] = frozenset()
    while True:
        scenarios = ground.scenarios(varied)
        if scenarios is None:
            return None
        played = tuple(_play(ground, rule, scenario, read) for scenario in scenarios)
        wider = ground.with_conditions(leaf for path in read for leaf in ground.leaves_at(path))
        if wider == varied:
            return None if any(map(damage.concerns, read)) else _Trial(rule, done, varied, played)
        varied = wider


def _play(ground: Ground, rule: Rule, scenario: Scenario, read: set[str]) -> _Played:
    facts = WatchedFacts(scenario.opportunity, _TODAY, scenario.associations, scenario.submission)
    problems = tuple(problem for problem in rule(facts) if not _may_be_mended(ground, problem, scenario))
    read |= facts.read
    return _Played(scenario, problems)


def _may_be_mended(ground: Ground, problem: Problem, scenario: Scenario) -> bool:
    """Whether the value it is about is an example only: another record has another one."""
    at = ground.leaves_at(problem.path)
    if problem.code == _OUT_OF_PLACE:
        return False
    return any(scenario.values.get(leaf, EMPTY) is not EMPTY and not ground.domains[leaf].is_closed for leaf in at)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What one trial comes to beside the others."""

    trial: _Trial
    others: Sequence[_Trial]
    ground: Ground
    place: Place

    def findings(self) -> Iterator[Finding]:
        played = self.trial.played
        failing = [one for one in played if one.problems]
        if failing and all(one.problems or self._is_held_elsewhere(one.scenario) for one in played):
            everywhere = set.intersection(*({problem.path for problem in one.problems} for one in failing))
            paths = dict.fromkeys(problem.path for problem in failing[0].problems if problem.path in everywhere)
            for path in paths or [failing[0].problems[0].path]:
                yield self._never(_usual(path, failing))
            return
        lacking = {
            without_indices(problem.path): problem
            for one in played
            for problem in one.problems
            if self._is_lacking(problem.path, one.scenario)
        }
        for problem in lacking.values():
            words = self._values_without(problem.path, played)
            if words:
                yield self._not_with(problem, words)
        for leaf in sorted(self.trial.varied):
            if without_indices(leaf) not in lacking:
                yield from self._out_of_place(leaf)

    def _out_of_place(self, leaf: str) -> Iterator[Finding]:
        """Whether no opportunity can be sent in which this leaf says anything."""
        filled = [one for one in self.trial.played if one.scenario.values.get(leaf, EMPTY) is not EMPTY]
        told = [[found for found in one.problems if found.code == _OUT_OF_PLACE] for one in filled]
        if told and all(any(problem.path == leaf for problem in problems) for problems in told):
            problem = next(problem for problem in told[0] if problem.path == leaf)
            message = (
                f"Whatever fills {leaf}, no opportunity can be {self.trial.done} with it: {_lowered(problem.message)}"
            )
            yield self._finding(Severity.WARNING, problem, message, f"Remove the line. Or: {_lowered(problem.cure)}")

    def _is_held_elsewhere(self, scenario: Scenario) -> bool:
        """Whether a rule that looks at no more leaves than this one holds it.

        That is so where a leaf that can be filled is not, or has a value that AWS refuses whatever stands beside it.
        """
        return any(
            self.ground.leaves_at(problem.path)
            and (self._is_lacking(problem.path, scenario) or (len(other.varied) == 1 and not other.is_hopeless))
            for other in self.others
            if other is not self.trial and other.varied <= self.trial.varied
            for problem in _play(self.ground, other.rule, scenario, set()).problems
        )

    def _is_lacking(self, path: str, scenario: Scenario) -> bool:
        return all(scenario.values.get(leaf, EMPTY) is EMPTY for leaf in self.ground.leaves_at(path))

    def _values_without(self, path: str, played: Sequence[_Played]) -> str:
        """With which values of which leaves nothing can fill the path, in words; "" where the record can always."""
        outcomes = [
            (
                one.scenario.values,
                any(problem.path == path for problem in one.problems) and self._is_lacking(path, one.scenario),
            )
            for one in played
        ]
        closed = [leaf for leaf in sorted(self.trial.varied) if self.ground.domains[leaf].is_closed]
        for count in (1, 2):
            for leaves in combinations(closed, count):
                hopeless = _always(outcomes, leaves)
                filled = [values for values in hopeless if EMPTY not in values]
                if filled:
                    return _in_words(leaves, filled, [values for values in hopeless if EMPTY in values])
        open_ones = (leaf for leaf in sorted(self.trial.varied) if leaf not in closed)
        hopeless_ones = (leaf for leaf in open_ones if any(v[0] is not EMPTY for v in _always(outcomes, (leaf,))))
        return next((f"a value in {leaf}" for leaf in hopeless_ones), "")

    def _never(self, problem: Problem) -> Finding:
        start = f"No opportunity can ever be {self.trial.done}"
        if self.ground.leaves_at(problem.path):
            return self._finding(Severity.ERROR, problem, f"{start}: {_lowered(problem.message)}", problem.cure)
        message = f"{start}: AWS needs {without_indices(problem.path)}, and no line of the mapping fills it."
        return self._finding(Severity.ERROR, problem, message, _addition(problem.path))

    def _not_with(self, problem: Problem, words: str) -> Finding:
        path = without_indices(problem.path)
        message = f"With {words} no opportunity can be {self.trial.done}: AWS then needs {path}, and no line fills it."
        cure = "Let its line fill it then." if self.ground.leaves_at(problem.path) else _addition(problem.path)
        return self._finding(Severity.WARNING, problem, message, cure)

    def _finding(self, severity: Severity, problem: Problem, message: str, cure: str) -> Finding:
        at = self.place(problem.path)
        return Finding(
            severity, KIND, message, cure, file=at.file, line=at.line, column=at.column, aws_path=problem.path
        )


def _usual(path: str, failing: Sequence[_Played]) -> Problem:
    """What is said most often of this path, of two the one said where less is filled: the other has its own reason."""
    told = Counter(problem for one in reversed(failing) for problem in one.problems if problem.path == path)
    return told.most_common(1)[0][0]


_Outcome = tuple[Mapping[str, Any], bool]


def _always(outcomes: Sequence[_Outcome], leaves: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The values of these leaves with which every scenario fails."""
    failing: dict[str, tuple[tuple[Any, ...], bool]] = {}
    for values, fails in outcomes:
        own = tuple(values.get(leaf, EMPTY) for leaf in leaves)
        before = failing.get(repr(own), (own, True))[1]
        failing[repr(own)] = (own, before and fails)
    return [own for own, fails in failing.values() if fails]


def _in_words(leaves: tuple[str, ...], filled: list[tuple[Any, ...]], empty: list[tuple[Any, ...]]) -> str:
    parts = []
    for index, leaf in enumerate(leaves):
        shown = list(dict.fromkeys(str(values[index]) for values in filled))
        if any(values[index] is EMPTY for values in empty):
            shown.append("nothing")
        if len(shown) > _SHOWN + 1:
            shown = [*shown[:_SHOWN], f"{len(shown) - _SHOWN} others"]
        first, last = ", ".join(shown[:-1]), shown[-1]
        parts.append(f"{leaf} {first} or {last}" if first else f"{leaf} {last}")
    return " and ".join(parts)


def _lowered(sentence: str) -> str:
    return sentence if sentence[:3] == "AWS" else sentence[:1].lower() + sentence[1:]


def _addition(path: str) -> str:
    parent, _, name = without_indices(path).rpartition(".")
    section = {ASSOCIATED: "associate", SUBMITTED: "submission", "": "opportunity"}.get(parent, parent)
    return f"Add `{name}:` below `{section.rpartition('.')[2]}:`, with the field that holds it."


def keys_of(path: str) -> Keys:
    """Where an AWS path stands in a mapping file."""
    root, _, rest = path.partition(".")
    section = {ASSOCIATED: "associate", SUBMITTED: "submission"}.get(root)
    steps: list[str | int] = [section or "opportunity"]
    for step in (rest if section else path).split("."):
        name, _, index = step.partition("[")
        steps += [name] if name else []
        steps += [int(index[:-1])] if index[:-1].isdigit() else []
    return tuple(steps)
