"""What a change of AWS's model means for a mapping: what fails, what may fail, and what is merely new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from connector.core.drift.table import ENTITY_TYPES, Change, ModelRecord, changes_between, parent_of
from connector.core.drift.uses import Use, associated_by, label_of, sent_by, told_to
from connector.core.findings import Finding, Severity, in_order
from connector.core.mapping import CompiledMapping
from connector.core.mapping.nodes import ASSOCIATED, NOTHING, Leaf
from connector.core.mapping.tree import SENT_BY_CONNECTOR
from connector.core.model import Origin
from connector.core.schema import suggest
from connector.core.text import to_text

_SHOWN = 5  # names in one sentence
_ADD = "Add what is missing to the list of values."
_TOLD = (Severity.NOTE, "")


def drift(before: ModelRecord, now: ModelRecord, mapping: CompiledMapping) -> list[Finding]:
    """What has changed since ``before`` and concerns this mapping, at its lines, and how much else has changed."""
    known = {*before.table, *now.table}
    judge = _Judge(before.version, mapping, tuple(sent_by(mapping)), tuple(told_to(mapping, known)))
    found: list[Finding] = []
    others: list[str] = []
    for change in changes_between(before.table, now.table):
        told = judge.judge(change)
        found += told
        others += [] if told else [change.path]
    if others:
        count = f"{len(others)} other changes do" if len(others) > 1 else "One other change does"
        names = list(dict.fromkeys(map(label_of, others)))
        shown = [*names[:_SHOWN], "…"] if len(names) > _SHOWN else names
        message = f"{count} not concern this mapping: {', '.join(shown)}."
        found.append(Finding(Severity.NOTE, "drift", message, file=mapping.file))
    return in_order(found)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Says what one change means for a mapping: nothing, where it does not concern it."""

    version: str
    mapping: CompiledMapping
    sent: Sequence[Use]
    told: Sequence[Use]

    def judge(self, change: Change) -> list[Finding]:
        if change.path == ENTITY_TYPES:
            return list(self._entity_types(change))
        rules = {"new": self._new, "gone": self._gone, "kind": self._kind, "required": self._required}
        rules["enum"] = self._enum
        return list(rules.get(change.facet, self._bound)(change))

    def _say(self, severity: Severity, use: Use, message: str, cure: str = "") -> Finding:
        """``message`` has no full stop: since when it is so is added."""
        origin = use.origin
        return Finding(
            severity,
            "drift",
            f"{message}, since botocore {self.version}.",
            cure,
            file=origin.file,
            line=origin.line,
            column=origin.column,
            aws_path=use.label,
            salesforce_field=" / ".join(origin.fields),
        )

    def _beside(self, path: str) -> Use | None:
        """The first line that fills something in this structure."""
        return next((use for use in self.sent if use.is_in(path) and use.path != path), None)

    def _new(self, change: Change) -> Iterator[Finding]:
        using = [use for use in (*self.sent, *self.told) if use.is_in(change.path)]
        beside = self._beside(parent_of(change.path))
        for use in using:
            yield self._say(Severity.NOTE, use, f"AWS {'takes' if use.is_sent else 'tells'} {use.label}")
        if not using and beside is not None:
            use = Use(change.path, label_of(change.path), Origin((), *_place(beside)), None)
            yield self._say(Severity.NOTE, use, f"AWS takes {use.label}, which this mapping does not fill")

    def _gone(self, change: Change) -> Iterator[Finding]:
        for use in (*self.sent, *self.told):
            if use.is_in(change.path):
                verb = "takes" if use.is_sent else "tells"
                yield self._say(Severity.ERROR, use, f"AWS no longer {verb} {use.label}", "Remove the line.")

    def _kind(self, change: Change) -> Iterator[Finding]:
        old, new = (_article(entry["kind"]) for entry in (change.before, change.now))
        what = f"{label_of(change.path)} was {old} and is {new}"
        for use in (*self.sent, *self.told):
            if use.is_in(change.path) or use.is_about(change.path):
                severity = Severity.ERROR if use.is_sent else Severity.WARNING
                yield self._say(severity, use, what, "Fit the line to it.")

    def _required(self, change: Change) -> Iterator[Finding]:
        beside = self._beside(change.path)
        if beside is None:
            return
        for name in change.gained():
            yield from self._wanted(f"{change.path}.{name}", beside)
        for name in change.lost():
            use = next((use for use in self.sent if use.is_in(f"{change.path}.{name}")), None)
            if use is not None:
                yield self._say(Severity.NOTE, use, f"AWS no longer requires {label_of(f'{change.path}.{name}')}")

    def _wanted(self, path: str, beside: Use) -> Iterator[Finding]:
        part, _, name = path.partition(".")
        if part == "create" and name in SENT_BY_CONNECTOR:
            return
        label, filling = label_of(path), [use for use in self.sent if use.is_in(path)]
        if not filling:
            use = Use(path, label, Origin((), *_place(beside)), None)
            message = f"AWS requires {label}, which is not mapped"
            yield self._say(Severity.ERROR, use, message, f"Add {path.rpartition('.')[2]} beside this line.")
        elif not any(use.leaf is not None and _is_never_empty(use.leaf) for use in filling):
            message = f"AWS requires {label}: a record where it is empty is held"
            yield self._say(Severity.WARNING, filling[0], message, "Fill it in everywhere, or state a default.")

    def _bound(self, change: Change) -> Iterator[Finding]:
        old, new = (entry.get(change.facet, "none") for entry in (change.before, change.now))
        name = {"min": "minimum", "max": "maximum"}.get(change.facet, change.facet)
        uses = [use for use in (*self.sent, *associated_by(self.mapping), *self.told) if use.is_about(change.path)]
        beside = self._beside(change.path)
        if not uses and beside is not None:
            uses = [Use(change.path, label_of(change.path), beside.origin, None)]
        for use in uses:
            severity = Severity.WARNING if use.is_sent else Severity.NOTE
            cure = "See that the values fit." if use.is_sent else "See that they fit in the Salesforce field."
            yield self._say(severity, use, f"AWS's {name} of {use.label} has changed: {old} → {new}", cure)

    # values

    def _entity_types(self, change: Change) -> Iterator[Finding]:
        for name in change.lost():
            severity, cure = (Severity.ERROR, "Remove the line.") if name in self.mapping.associate else _TOLD
            yield self._say(severity, self._association(name), f"AWS no longer associates {name}", cure)
        for name in change.gained():
            end = "" if name in self.mapping.associate else ", which this mapping does not"
            yield self._say(Severity.NOTE, self._association(name), f"AWS associates {name}{end}")

    def _association(self, name: str) -> Use:
        leaf = self.mapping.associate.get(name)
        origin = leaf.origin if leaf is not None else Origin((), self.mapping.file, 0, 0)
        return Use(ENTITY_TYPES, f"{ASSOCIATED}.{name}", origin, leaf)

    def _enum(self, change: Change) -> Iterator[Finding]:
        for use in self.sent:
            if use.leaf is not None and use.is_about(change.path):
                yield from self._values_sent(change, use, use.leaf)
            elif use.leaf is not None:
                yield from self._values_tested(change, use, use.leaf)
        for use in self.told:
            if use.is_about(change.path):
                yield from self._values_told(change, use)

    def _values_sent(self, change: Change, use: Use, leaf: Leaf) -> Iterator[Finding]:
        if not change.now.get("enum"):
            yield self._say(Severity.NOTE, use, f"AWS takes any text at {use.label}")
            return
        fixed, lost, gained = _fixed(leaf), change.lost(), change.gained()
        if not change.before.get("enum"):
            lost, gained = [value for value in fixed if value not in gained], []
            what = f"AWS takes only {_listed(map(repr, change.now['enum']))} at {use.label}"
            yield self._say(Severity.WARNING, use, what, "See that Salesforce has no others, or add values.")
        for value in (value for value in lost if value in fixed):
            cure = suggest(value, change.now["enum"]) or "Choose another value."
            yield self._say(Severity.ERROR, use, f"AWS no longer takes {value!r} at {use.label}", cure)
        unsafe = [value for value in lost if value not in fixed] if leaf.is_sourced and leaf.values is None else []
        if unsafe:
            what = f"AWS no longer takes {_listed(map(repr, unsafe))} at {use.label}"
            yield self._say(Severity.WARNING, use, what, "Choose others in Salesforce, or translate them with values.")
        if gained:
            lacked = [value for value in gained if leaf.values is not None and value not in fixed]
            what = f"AWS takes {_listed(map(repr, lacked or gained))} at {use.label}"
            severity = Severity.WARNING if lacked else Severity.NOTE
            yield self._say(severity, use, what, _ADD if lacked else "")

    def _values_tested(self, change: Change, use: Use, leaf: Leaf) -> Iterator[Finding]:
        if leaf.when is None or not leaf.when.aws_path or not change.now.get("enum"):
            return
        tested = re.sub(r"\[\d*\]", "[]", leaf.when.aws_path)
        missed = [value for value in change.lost() if value.casefold() in leaf.when.wanted]
        if missed and f"create.{tested}" in (change.path, change.path.removesuffix("[]")):
            told = f"{_listed(map(repr, missed))} at {leaf.when.aws_path}"
            what = f"{use.label} depends on {told}, which AWS no longer takes"
            yield self._say(Severity.WARNING, use, what, "Correct its when.")

    def _values_told(self, change: Change, use: Use) -> Iterator[Finding]:
        gained = change.gained() if change.before.get("enum") else []
        values = use.leaf.folded if use.leaf is not None and use.leaf.values is not None else {}
        lacked = [value for value in gained if value.casefold() not in values]
        if values and lacked and use.leaf is not None and use.leaf.otherwise is None:
            what = f"AWS may tell {_listed(map(repr, lacked))} at {use.label}"
            yield self._say(Severity.WARNING, use, what, _ADD)
        elif gained:
            what = f"AWS may tell {_listed(map(repr, gained))} at {use.label}"
            cure = "" if values else f"If {use.origin.label} is a restricted picklist, add it there."
            yield self._say(Severity.NOTE, use, what, cure)
        useless = [value for value in change.lost() if value.casefold() in values]
        if useless:
            yield self._say(Severity.NOTE, use, f"AWS no longer tells {_listed(map(repr, useless))} at {use.label}")


def _fixed(leaf: Leaf) -> list[str]:
    """The values that the mapping itself states."""
    stated = [leaf.constant, leaf.default, leaf.otherwise, *(leaf.values or {}).values()]
    flat = [value for given in stated for value in (given if isinstance(given, list) else [given])]
    return list(dict.fromkeys(to_text(value) for value in flat if value not in NOTHING))


def _is_never_empty(leaf: Leaf) -> bool:
    return leaf.when is None and (leaf.constant not in NOTHING or leaf.default not in NOTHING)


def _place(use: Use) -> tuple[str, int, int]:
    return use.origin.file, use.origin.line, use.origin.column


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:_SHOWN]) + (f", … ({len(found)} in all)" if len(found) > _SHOWN else "")
