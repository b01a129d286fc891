"""Everything a Salesforce org needs for one or more mappings, derived from them. Plain data; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connector.core.mapping import CompiledMapping, Shapes
from connector.errors import UserError
from connector.provisioning.salesforce import reading
from connector.provisioning.salesforce.decisions import Documented
from connector.provisioning.salesforce.field_types import FieldType, TypeConflict, merged
from connector.provisioning.salesforce.grants import PermissionSet, permission_sets
from connector.provisioning.salesforce.needs import ChildObject, Needs, Use
from connector.provisioning.salesforce.views import ListView, list_views
from connector.provisioning.salesforce.wording import description_of, help_of, label_of


@dataclass(frozen=True, slots=True)
class CustomField:
    """One custom field; ``is_written`` where the connector fills it."""

    sobject: str
    name: str
    label: str
    type: FieldType
    help: str
    description: str
    is_written: bool


@dataclass(frozen=True, slots=True)
class Package:
    """What is to be deployed, each part in a fixed order.

    ``existing`` are custom fields (``Object.Field``) that the org has already: granted, not defined. ``left_open`` is
    what a person has to see to.
    """

    api_version: str
    fields: tuple[CustomField, ...]
    existing: tuple[str, ...]
    children: tuple[ChildObject, ...]
    views: tuple[ListView, ...]
    permission_sets: tuple[PermissionSet, ...]
    left_open: tuple[str, ...]


def derive(
    mappings: Mapping[str, CompiledMapping], api_version: str, shapes: Shapes, documented: Documented
) -> Package:
    """The package of these mappings, by connection.

    Raises UserError where a field would have to be of two types at once.
    """
    needs = Needs()
    for mapping in mappings.values():
        reading.note(needs, mapping, shapes, documented)
    fields = _fields(needs)
    for field in fields:
        if field.type.is_open:
            needs.tell(
                f"{field.sobject}.{field.name}: the mapping does not tell its type, so it is a {field.type}. Another "
                f"type may suit it better."
            )
    views, sets = list_views(needs), permission_sets(needs)
    children = tuple(needs.children[name] for name in sorted(needs.children))
    existing = tuple(sorted(f"{sobject}.{name}" for sobject, name in needs.custom if needs.is_there(sobject, name)))
    return Package(api_version, fields, existing, children, views, sets, tuple(sorted(needs.left_open)))


def _fields(needs: Needs) -> tuple[CustomField, ...]:
    conflicts: list[str] = []
    found = []
    for (sobject, name), uses in sorted(needs.custom.items()):
        if needs.is_there(sobject, name):
            continue
        try:
            decided = merged([use.type for use in uses])
            _check_between(uses)
        except TypeConflict:
            conflicts.append(_conflict(sobject, name, uses))
            continue
        is_written = any(use.writes for use in uses)
        texts = help_of(uses, decided), description_of(uses)
        found.append(CustomField(sobject, name, label_of(name), decided, *texts, is_written))
    if conflicts:
        raise UserError(" ".join(conflicts), "Use a field of its own for each, or make two projects with --connection.")
    return tuple(found)


def _check_between(uses: list[Use]) -> None:
    """Mappings of several connections share a field only where they mean the same by it. Raises TypeConflict."""
    kinds = {name: merged([use.type for use in uses if use.mapping == name]) for name in {use.mapping for use in uses}}
    decided = {found.kind for found in kinds.values() if not found.is_open}
    if len(decided) > 1:
        raise TypeConflict(", ".join(sorted(decided)))


def _conflict(sobject: str, name: str, uses: list[Use]) -> str:
    told = dict.fromkeys(f"a {use.type} for {use.about or 'a condition'} ({use.mapping})" for use in uses)
    return f"{sobject}.{name} cannot be of two types at once: {', '.join(told)}."
