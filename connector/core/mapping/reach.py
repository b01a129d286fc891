"""Lines of a mapping that can never have an effect. Tells only what is certain whatever stands on a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connector.core.findings import Finding, Severity
from connector.core.mapping.complaints import Keys
from connector.core.mapping.damage import Damage
from connector.core.mapping.domains import Domain, domain_of, is_list, may_be_key, may_give, never_empty
from connector.core.mapping.nodes import ASSOCIATED, SUBMITTED, CompiledMapping, Leaf, When
from connector.core.text import to_text
from connector.errors import FileProblem

KIND = "unreachable"
# Transforms that leave something of any text that is not empty.
_KEEPING = frozenset(("trim", "truncate", "upper", "lower", "one_line", "first_line", "prefix", "suffix", "yes_no"))

Place = Callable[[Keys], FileProblem]
"""Where something stands in the file."""


def look_for_unreachable(
    mapping: CompiledMapping, leaves: Sequence[tuple[Leaf, Keys]], damage: Damage, place: Place
) -> list[Finding]:
    """What can never have an effect; an error where a leaf or a line is of no use at all because of it."""
    own = {leaf.path: leaf for leaf in mapping.leaves}
    reach = _Reach(mapping.selection.sobject, own, damage, place)
    found = [finding for leaf, keys in leaves if not damage.concerns(leaf.path) for finding in reach.look(leaf, keys)]
    return found if damage.concerns(SUBMITTED) else found + _facts_of_no_task(mapping, place)


@dataclass(frozen=True, slots=True)
class _Reach:
    """Looks at one leaf after the other. ``leaves`` are those of the opportunity that others may ask for."""

    sobject: str
    leaves: Mapping[str, Leaf]
    damage: Damage
    place: Place

    def look(self, leaf: Leaf, keys: Keys) -> Iterator[Finding]:
        yield from self._when(leaf, keys)
        yield from self._several(leaf, keys)
        yield from self._sources(leaf, keys)
        yield from self._default(leaf, keys)
        if leaf.values is not None:
            yield from self._values(leaf, leaf.values, keys)

    def _finding(self, leaf: Leaf, keys: Keys, message: str, cure: str, severity: Severity) -> Finding:
        at = self.place(keys)
        return Finding(severity, KIND, message, cure, file=at.file, line=at.line, column=at.column, aws_path=leaf.path)

    def _useless(self, leaf: Leaf, keys: Keys, message: str, cure: str) -> Finding:
        return self._finding(leaf, keys, message, cure, Severity.ERROR)

    def _idle(self, leaf: Leaf, keys: Keys, message: str, cure: str) -> Finding:
        return self._finding(leaf, keys, message, cure, Severity.WARNING)

    # when

    def _when(self, leaf: Leaf, keys: Keys) -> Iterator[Finding]:
        when, at = leaf.when, (*keys, "when")
        if when is None:
            return
        if when.field is not None:
            if self._asks_for_its_own_lack(leaf, when):
                message = f"{leaf.path} is never sent: it is read from the field that must be empty for it."
                yield self._useless(leaf, at, message, "Test another field, or write `present: true`.")
            return
        other = self.leaves.get(when.aws_path)
        if other is None or self.damage.concerns(when.aws_path):
            return
        domain = domain_of(other, self.sobject)
        may_be_empty = domain.may_be_empty or other.when is not None
        if not self._may_hold(when, domain, may_be_empty=may_be_empty):
            cure = f"{when.aws_path} can be: {_listed(domain)}."
            yield self._useless(leaf, (*at, when.test), f"{leaf.path} is never sent: {_said(when)}.", cure)
        elif when.test in {"is", "in"} and domain.is_closed:
            yield from self._idle_choices(leaf, when, domain, (*at, when.test))

    def _asks_for_its_own_lack(self, leaf: Leaf, when: When) -> bool:
        names = {source.text.lower() for source in leaf.sources}
        alone = len(names) == 1 and leaf.like is None and leaf.default is None
        return when.test == "empty" and when.field is not None and alone and names == {when.field.text.lower()}

    @staticmethod
    def _may_hold(when: When, domain: Domain, *, may_be_empty: bool) -> bool:
        if not domain.is_closed:
            return when.test != "empty" or may_be_empty
        return any(map(when.holds, domain.values)) or (may_be_empty and when.holds(None))

    def _idle_choices(self, leaf: Leaf, when: When, domain: Domain, keys: Keys) -> Iterator[Finding]:
        possible = {to_text(value).casefold() for value in domain.values if not isinstance(value, list)}
        never = [name for folded, name in when.wanted.items() if folded not in possible]
        for name in never if possible else ():
            message = f"{when.aws_path} is never {name!r}, which {leaf.path} waits for."
            yield self._idle(leaf, keys, message, f"It can be: {_listed(domain)}.")

    # where the value comes from

    def _several(self, leaf: Leaf, keys: Keys) -> Iterator[Finding]:
        if not leaf.sources and leaf.template is None:
            return
        gives = is_list(leaf)
        is_wanted = leaf.shape.kind == "list"
        if gives is False and is_wanted and not leaf.path.startswith(f"{ASSOCIATED}."):
            message = f"{leaf.path} is a list at AWS, and this gives one text."
            yield self._useless(leaf, keys, message, "Add `transform: split`.")
        elif gives is True and not is_wanted and not leaf.path.startswith("inbound."):
            message = f"{leaf.path} is one value at AWS, and the transforms give a list."
            yield self._useless(leaf, (*keys, "transform"), message, "Remove split, or put join after it.")

    def _sources(self, leaf: Leaf, keys: Keys) -> Iterator[Finding]:
        filled = never_empty(leaf, self.sobject)
        if filled is None or filled + 1 == len(leaf.sources):
            return
        first = leaf.sources[filled].text
        message = f"{leaf.sources[filled + 1].text} is never read: {first} before it is never empty."
        yield self._idle(leaf, (*keys, "from", filled + 1), message, f"Remove it, or put it before {first}.")

    def _default(self, leaf: Leaf, keys: Keys) -> Iterator[Finding]:
        filled = never_empty(leaf, self.sobject)
        if filled is None or leaf.default is None or any(step.transform.name not in _KEEPING for step in leaf.steps):
            return
        message = f"The default is never used: {leaf.sources[filled].text} is never empty."
        yield self._idle(leaf, (*keys, "default"), message, "Remove it.")

    # values

    def _values(self, leaf: Leaf, values: Mapping[str, object], keys: Keys) -> Iterator[Finding]:
        seen: dict[str, str] = {}
        for name in values:
            at, same = (*keys, "values", name), seen.setdefault(name.casefold(), name)
            if not may_be_key(leaf, name):
                yield self._idle(leaf, at, f"The value {name!r} never comes up: {_reason(leaf, name)}.", "Correct it.")
            elif same != name:
                message = f"{name!r} differs from {same!r} only by case, which Salesforce does not look at."
                yield self._idle(leaf, at, message, "Keep one of them.")
        last = leaf.steps[-1].transform.name if leaf.steps else ""
        if last == "yes_no" and leaf.otherwise is not None and {"yes", "no"} <= seen.keys():
            message = "otherwise never comes up: yes_no gives Yes or No, and both are in values."
            yield self._idle(leaf, (*keys, "otherwise"), message, "Remove it.")


def _reason(leaf: Leaf, name: str) -> str:
    if leaf.steps and not may_give(leaf.steps[-1], name):
        return f"{leaf.steps[-1].transform.name} before it gives no such text"
    return "values are looked up without the spaces around them, and never empty"


def _said(when: When) -> str:
    wanted = " or ".join(when.wanted.values())
    words = {"is": "is never", "in": "is never", "is_not": "is always", "not_in": "is always"}
    states = {"present": "is always empty", "empty": "is never empty"}
    return f"{when.aws_path} {states.get(when.test) or f'{words[when.test]} {wanted}'}"


def _listed(domain: Domain) -> str:
    if not domain.values:
        return "nothing"
    shown = [", ".join(value) if isinstance(value, list) else str(value) for value in domain.values[:12]]
    return ", ".join([*shown, *(["…"] if len(domain.values) > 12 else [])])


def _facts_of_no_task(mapping: CompiledMapping, place: Place) -> list[Finding]:
    """Without a submission the connector starts no task that it could tell of."""
    if mapping.submission is not None:
        return []
    cure = "Add `submission:`, or remove the line."
    found = []
    for entry in mapping.write_back:
        if entry.fact.startswith("task."):
            at = place(("write_back", entry.field))
            words = f"{entry.field} stays empty: there is no submission, so there is no task to tell of."
            problem = FileProblem(at.file, at.line, at.column, words, cure)
            told = Finding.from_problem(problem, KIND, Severity.WARNING)
            found.append(replace(told, salesforce_field=entry.field))
    return found
