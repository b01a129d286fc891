"""Holds everything a mapping names of Salesforce against the org's own description, as the connector's user sees it.

One describe for each object, remembered by the port. Nothing is written, and no record is read.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connector.checks.org_uses import Place, Use
from connector.checks.report import Checked
from connector.core.fact_fit import misfits_of_fact
from connector.core.findings import Finding, Severity
from connector.core.fit import Misfit, misfits_of_comparison, misfits_of_leaf, misfits_of_when
from connector.errors import AccessDenied
from connector.ports import FieldInfo, Salesforce

DEPLOY = "Deploy it, or grant it to the connector's user in a permission set."
_NAMED = 5
"""How many other lines are named before they are only counted."""
_UNSEEN = "does not exist or is hidden from the connector's user"


@dataclass(frozen=True, slots=True)
class Missing:
    """What the connector's user does not see: ``subject`` names it, ``message`` is a whole sentence."""

    kind: str
    subject: str
    message: str
    cure: str = DEPLOY


@dataclass(frozen=True, slots=True)
class Found:
    """A field of an object."""

    sobject: str
    info: FieldInfo

    @property
    def subject(self) -> str:
        return f"{self.sobject}.{self.info.name}"


@dataclass(slots=True)
class Objects:
    """The org's objects, as far as they are needed; ``sobject`` is the selected one."""

    salesforce: Salesforce
    sobject: str
    _described: dict[str, Mapping[str, FieldInfo] | None] = field(default_factory=dict)
    _children: dict[str, str] = field(default_factory=dict)

    def find(self, use: Use) -> Found | Missing:
        """The field that a use names, or what of the way there is missing."""
        sobjects: tuple[str, ...] = (self.sobject,)
        if use.relationship:
            child = self._child(use.relationship)
            if not child:
                subject = f"{self.sobject}.{use.relationship}"
                message = f"The child relationship {subject} {_UNSEEN}."
                return Missing("relationship-missing", subject, message)
            sobjects = (child,)
        *steps, name = use.name.split(".")
        for step in steps:
            targets = self._targets(sobjects, step)
            if isinstance(targets, Missing):
                return targets
            sobjects = targets
        return self._field(sobjects, name)

    def names(self) -> list[str]:
        """The objects that were described."""
        return [name for name, fields in self._described.items() if fields is not None]

    def _child(self, relationship: str) -> str:
        """The object whose rows a relationship gives, "" where it is hidden."""
        key = relationship.lower()
        if key not in self._children:
            try:
                self._children[key] = self.salesforce.child(self.sobject, relationship)
            except AccessDenied:
                self._children[key] = ""
        return self._children[key]

    def _fields(self, sobject: str) -> Mapping[str, FieldInfo] | None:
        """The fields by lower-case name; None where the object is hidden."""
        if sobject not in self._described:
            try:
                fields = self.salesforce.describe(sobject)
            except AccessDenied:
                self._described[sobject] = None
            else:
                self._described[sobject] = {name.lower(): info for name, info in fields.items()}
        return self._described[sobject]

    def _seen(self, sobjects: Sequence[str]) -> list[tuple[str, Mapping[str, FieldInfo]]]:
        """Those objects that the connector's user sees, with their fields."""
        found = ((sobject, self._fields(sobject)) for sobject in sobjects)
        return [(sobject, fields) for sobject, fields in found if fields is not None]

    def _targets(self, sobjects: Sequence[str], step: str) -> tuple[str, ...] | Missing:
        """What a relationship leads to: of some lookups one of several objects."""
        seen = self._seen(sobjects)
        if not seen:
            return _no_object(sobjects)
        for _, fields in seen:
            for info in fields.values():
                if info.relationship_name.lower() == step.lower() and info.reference_to:
                    return info.reference_to
        sobject, fields = _likeliest(seen)
        known = [info.relationship_name for info in fields.values() if info.relationship_name]
        message = f"{sobject} has no relationship {step}, or hides it and its lookup field from the connector's user."
        cure = _way_over(step, fields) or _meant(step, known)
        return Missing("relationship-missing", f"{sobject}.{step}", message, f"{cure} {DEPLOY}".lstrip())

    def _field(self, sobjects: Sequence[str], name: str) -> Found | Missing:
        seen = self._seen(sobjects)
        if not seen:
            return _no_object(sobjects)
        for sobject, fields in seen:
            if name.lower() in fields:
                return Found(sobject, fields[name.lower()])
        sobject, fields = _likeliest(seen)
        cure = f"{_meant(name, [info.name for info in fields.values()])} {DEPLOY}".lstrip()
        return Missing("field-missing", f"{sobject}.{name}", f"{sobject}.{name} {_UNSEEN}.", cure)


def _likeliest(seen: Sequence[tuple[str, Mapping[str, FieldInfo]]]) -> tuple[str, Mapping[str, FieldInfo]]:
    """Of several objects the one with most fields: of the owners of a record it is the user, not the queue."""
    return max(seen, key=lambda one: len(one[1]))


def _no_object(sobjects: Sequence[str]) -> Missing:
    name = " or ".join(sobjects)
    return Missing("object-missing", name, f"The object {name} {_UNSEEN}.")


def _meant(name: str, known: Sequence[str]) -> str:
    """A ``Did you mean …?`` sentence, or nothing.

    Only for what is spelt almost alike: the field may as well be right and hidden, and custom fields share their ends.
    """
    stems = {_stem(other): other for other in known}
    close = difflib.get_close_matches(_stem(name), stems, n=1, cutoff=0.8)
    return f"Did you mean {stems[close[0]]!r}?" if close else ""


def _stem(name: str) -> str:
    return name.lower().removesuffix("__c").removesuffix("__r")


def _way_over(step: str, fields: Mapping[str, FieldInfo]) -> str:
    """How to write a path over a field that was named instead of its relationship."""
    info = fields.get(step.lower())
    if info is None:
        return ""
    if info.relationship_name:
        return f"Write {info.relationship_name} instead of {info.name} to read of the record that it points to."
    return f"{info.name} is a field, nothing can be read below it."


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """Turns uses into what was checked, one for each field, object or relationship."""

    connection: str
    objects: Objects

    def check(self, uses: Sequence[Use]) -> Iterator[Checked]:
        """Each thing once, in the order of the uses. Raises what ``describe`` raises, but for AccessDenied."""
        found: dict[str, list[tuple[Use, Found | Missing]]] = {}
        for use in uses:
            one = self.objects.find(use)
            found.setdefault(one.subject.lower(), []).append((use, one))
        for pairs in found.values():
            one, users = pairs[0][1], [use for use, _ in pairs]
            findings = [self._missing(one, users)] if isinstance(one, Missing) else self._misfits(one, users)
            yield Checked(f"connection {self.connection}", f"Salesforce: {one.subject}", tuple(findings))

    def _missing(self, one: Missing, uses: Sequence[Use]) -> Finding:
        """Told once, at the first place; the others are named."""
        message = " ".join(filter(None, [one.message, _others(uses)]))
        return self._finding(uses[0], Severity.ERROR, one.kind, message, one.cure)

    def _misfits(self, one: Found, uses: Sequence[Use]) -> list[Finding]:
        found: list[Finding] = []
        asked = next((use for use in uses if use.is_asked), None)
        if asked is not None and not one.info.filterable:
            message = f"{one.subject} is a field by which Salesforce finds no records, as it has to here."
            cure = "Use a field of another type; Salesforce searches no long text areas and no encrypted fields."
            found.append(self._finding(asked, Severity.ERROR, "not-filterable", message, cure))
        filled = [use for use in uses if use.is_filled]
        if filled and not one.info.updateable:
            found.append(self._finding(filled[0], Severity.ERROR, "field-read-only", *_read_only(one)))
        for use in uses:
            for misfit in _misfits_of(use, one.info):
                message = f"{one.subject} {misfit.message}".replace(" : ", ": ", 1)
                found.append(self._finding(use, misfit.severity, misfit.kind, message, misfit.cure))
        return list(dict.fromkeys(found))

    def _finding(self, use: Use, severity: Severity, kind: str, message: str, cure: str) -> Finding:
        label = f"{use.relationship}.{use.name}" if use.relationship else use.name
        place: Place = use.place
        return Finding(
            severity,
            kind,
            message,
            cure,
            connection=self.connection,
            file=place.file,
            line=place.line,
            column=place.column,
            aws_path=use.aws_path,
            salesforce_field=label,
        )


def _read_only(one: Found) -> tuple[str, str]:
    if one.info.calculated:
        return f"{one.subject} is a formula, which nobody can write to.", "Name a field of another type."
    cure = "Grant it as editable in a permission set, or name another field."
    return f"{one.subject} may not be edited by the connector's user.", cure


def _misfits_of(use: Use, info: FieldInfo) -> Iterator[Misfit]:
    if use.comparison is not None:
        yield from misfits_of_comparison(use.comparison.operator, use.comparison.values, info)
    if use.leaf is not None and use.source is not None:
        yield from misfits_of_leaf(use.leaf, use.source, info)
    elif use.leaf is not None and use.leaf.when is not None:
        yield from misfits_of_when(use.leaf.when, info)
    for fact in use.facts:
        yield from misfits_of_fact(fact, info)


def _others(uses: Sequence[Use]) -> str:
    """Where else the same thing is named."""
    first = uses[0].place
    places = dict.fromkeys((use.place.file, use.place.line) for use in uses)
    texts = [str(line) if file == first.file else f"{file}:{line}" for file, line in places][1:]
    if not texts:
        return ""
    if len(texts) > _NAMED + 1:
        return f"Lines {', '.join(texts[:_NAMED])} and {len(texts) - _NAMED} others need it too."
    listed = " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
    return f"Line{'s' * (len(texts) > 1)} {listed} need{'s' * (len(texts) == 1)} it too."
