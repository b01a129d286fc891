"""Permission sets of a project: what the Metadata API refuses of them, and what their holder may see and do.

Field-level security of standard fields is as the describes of a Developer Edition org have it (`permissionable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from xml.etree import ElementTree as ET

from connector.sandbox.salesforce.permissions import Action, Permissions
from connector.sandbox.salesforce.schema import Field, Schema
from connector.sandbox.salesforce.source_fields import TRUTHS
from connector.sandbox.salesforce.source_files import Component, Refusal, names_in, text_of

_ELEMENTS = names_in(
    """customPermissions description fieldPermissions hasActivationRequired label license objectPermissions
    userPermissions"""
)
_POWERS = names_in("ApiEnabled ApiUserOnly ModifyAllData ViewAllData ViewAllUsers ViewSetup")
"""User permissions that are known here; of a misspelt one Salesforce refuses the set."""
_EVERYBODYS = frozenset({"Organization", "RecordType", "User"})
_FOLLOWING = {"OpportunityContactRole": "Opportunity", "OpportunityLineItem": "Opportunity"}
"""Objects that no permission set can name: read by everybody, or granted with another one."""
_NOT_GRANTABLE = frozenset(
    {
        ("Contact", "EmailBouncedDate"),
        ("Contact", "EmailBouncedReason"),
        ("Opportunity", "ContactId"),
        ("Opportunity", "ForecastCategoryName"),
    }
)
_ACTIONS: Mapping[str, Action] = {
    "allowRead": "read",
    "allowCreate": "create",
    "allowEdit": "edit",
    "allowDelete": "delete",
}
_DEPENDS = {
    "allowCreate": ("allowRead",),
    "allowEdit": ("allowRead",),
    "allowDelete": ("allowRead", "allowEdit"),
    "viewAllRecords": ("allowRead",),
    "modifyAllRecords": ("allowRead", "allowEdit", "allowDelete", "viewAllRecords"),
}
_OTHERS = {"Opportunity": "Account", "Contact": "Account"}
"""What is granted together with the second only, to read and to view all."""
_GRANTS = ("allowCreate", "allowDelete", "allowEdit", "allowRead", "modifyAllRecords", "viewAllRecords")


def is_grantable(sobject: str, field: Field) -> bool:
    """Whether a permission set can name a field; any other is everybody's who may read the object."""
    if field.is_custom:
        return field.nillable or field.type == "boolean"
    if sobject in _EVERYBODYS or sobject in _FOLLOWING or sobject.endswith("__c"):
        return False
    if field.type == "address" or (field.name == "ExpectedRevenue"):
        return True
    is_free = (field.nillable or field.type == "boolean") and field.updateable
    return is_free and field.compound is None and (sobject, field.name) not in _NOT_GRANTABLE


def check_permission_set(one: Component, schema: Schema, custom_permissions: Iterable[str]) -> Iterator[Refusal]:
    """Everything that is wrong with a permission set, in an org of this schema."""
    for name in sorted(set(one.names()) - _ELEMENTS):
        yield one.refuse(f"Element {name} invalid at this location in type PermissionSet")
    for name, longest in (("label", 80), ("description", 255)):
        if not 0 < len(one.text(name) or "x") <= longest:
            yield one.refuse(f"{name} must have 1 to {longest} characters")
    if one.text("label") is None:
        yield one.refuse("Required field is missing: label")
    for element in one.all("customPermissions"):
        if text_of(element, "name") not in set(custom_permissions):
            yield one.refuse(f"no CustomPermission named {text_of(element, 'name')} found")
    for element in one.all("userPermissions"):
        if text_of(element, "name") not in _POWERS or text_of(element, "enabled") not in TRUTHS:
            yield one.refuse(f"Unknown user permission: {text_of(element, 'name')}, or without enabled")
    yield from _check_fields(one, schema)
    yield from _check_objects(one, schema)


def _check_fields(one: Component, schema: Schema) -> Iterator[Refusal]:
    named = [text_of(element, "field") or "" for element in one.all("fieldPermissions")]
    for name in sorted({name for name in named if named.count(name) > 1}):
        yield one.refuse(f"Duplicate fieldPermissions: {name}")
    for element, name in zip(one.all("fieldPermissions"), named, strict=True):
        sobject, _, bare = name.partition(".")
        kind = schema.find(sobject)
        field = kind.find(bare) if kind is not None else None
        if kind is None or field is None or field.name != bare or _is_part(field):
            yield one.refuse(f"In field: field - no CustomField named {name} found")
        elif not is_grantable(kind.name, field):
            yield one.refuse(f"You cannot deploy to a required field: {name}")
        if {text_of(element, "readable"), text_of(element, "editable")} - TRUTHS:
            yield one.refuse(f"{name} needs readable and editable")
        elif _is_true(element, "editable") and not _is_true(element, "readable"):
            yield one.refuse(f"Field {name} is editable, but not readable")


def _is_part(field: Field) -> bool:
    """Of an address, which is granted as a whole."""
    return field.compound is not None and field.compound.endswith("Address")


def _check_objects(one: Component, schema: Schema) -> Iterator[Refusal]:
    grants = {text_of(element, "object") or "": element for element in one.all("objectPermissions")}
    if len(grants) != len(one.all("objectPermissions")):
        yield one.refuse("Duplicate objectPermissions")
    for name, element in grants.items():
        if schema.find(name) is None or name in _EVERYBODYS or name in _FOLLOWING:
            yield one.refuse(f"In field: object - no CustomObject named {name} found")
            continue
        for missing in (wanted for wanted in _GRANTS if text_of(element, wanted) not in TRUTHS):
            yield one.refuse(f"{name} needs {missing}")
        for action, others in _DEPENDS.items():
            lacking = [other for other in others if not _is_true(element, other)]
            if _is_true(element, action) and lacking:
                yield one.refuse(f"Permission {action} {name} depends on permission(s): {', '.join(lacking)} {name}")
        yield from _check_others(one, schema, name, grants)


def _check_others(one: Component, schema: Schema, name: str, grants: Mapping[str, ET.Element]) -> Iterator[Refusal]:
    masters = {field.target for field in schema.get(name).fields.values() if field.cascade and name.endswith("__c")}
    for other in sorted({_OTHERS.get(name), *masters} - {None}, key=str):
        for action in ("allowRead", "viewAllRecords"):
            granted = grants.get(str(other))
            if _is_true(grants[name], action) and (granted is None or not _is_true(granted, action)):
                yield one.refuse(f"Permission {action} {name} depends on permission(s): {action} {other}")


def _is_true(element: ET.Element, name: str) -> bool:
    return text_of(element, name) == "true"


def grant(one: Component, schema: Schema, permissions: Permissions) -> None:
    """Leaves the user what this permission set grants, and what is everybody's."""
    objects: dict[str, set[Action]] = {name: {"read"} for name in _EVERYBODYS}
    for element in one.all("objectPermissions"):
        actions = {action for name, action in _ACTIONS.items() if _is_true(element, name)}
        objects[text_of(element, "object") or ""] = actions
    for child, parent in _FOLLOWING.items():
        of_parent = objects.get(parent, set())
        objects[child] = set(_ACTIONS.values()) if "edit" in of_parent else of_parent & {"read"}
    granted = {
        text_of(element, "field") or "": _is_true(element, "editable") for element in one.all("fieldPermissions")
    }
    fields: dict[tuple[str, str], bool] = {}
    for kind in schema:
        for field in kind.fields.values():
            whole = kind.find(field.compound) if _is_part(field) and field.compound else field
            assert whole is not None
            if not is_grantable(kind.name, whole):
                fields[kind.name, field.name] = True
            elif f"{kind.name}.{whole.name}" in granted:
                fields[kind.name, field.name] = granted[f"{kind.name}.{whole.name}"]
    permissions.restrict(objects, fields)
