"""The files of a package in Salesforce's source format, by path. Elements stand in the order Salesforce writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias
from xml.etree import ElementTree as ET

from connector.provisioning.salesforce.field_types import FieldType
from connector.provisioning.salesforce.grants import BYPASS, FieldGrant, ObjectGrant, PermissionSet
from connector.provisioning.salesforce.needs import ChildObject
from connector.provisioning.salesforce.package import CustomField, Package
from connector.provisioning.salesforce.views import ListView
from connector.provisioning.salesforce.wording import label_of, plural_of

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
SOURCE = "force-app/main/default"
MANIFEST, PROJECT, IGNORED = "manifest/package.xml", "sfdx-project.json", ".forceignore"
_NOTHING_IGNORED = """# What your org has already and a deployment shall leave as it is, a path on each line, e.g.
# force-app/main/default/objects/Account/fields/Legal_Name__c.field-meta.xml
"""
Content: TypeAlias = "str | tuple[tuple[str, Content], ...]"
"""A text, or the elements inside."""
Elements: TypeAlias = Mapping[str, "Content | list[Content]"]
"""The elements of a document; a list is one element after the other, all of the same name."""
_LINES = {"LongTextArea": 4, "Html": 25, "MultiselectPicklist": 6}


def documents_of(package: Package) -> dict[str, str]:
    """The text of every metadata file, the manifest, and the project file."""
    found = {MANIFEST: _manifest(package), PROJECT: _project(package), IGNORED: _NOTHING_IGNORED}
    for field in package.fields:
        found[_path(field.sobject, "fields", field.name, "field")] = _document("CustomField", _field(field))
    for child in package.children:
        found[f"{SOURCE}/objects/{child.name}/{child.name}.object-meta.xml"] = _document("CustomObject", _object(child))
        found[_path(child.name, "fields", child.lookup, "field")] = _document("CustomField", _master(child))
    for view in package.views:
        found[_path(view.sobject, "listViews", view.name, "listView")] = _document("ListView", _view(view))
    for one in package.permission_sets:
        path = f"{SOURCE}/permissionsets/{one.name}.permissionset-meta.xml"
        found[path] = _document("PermissionSet", _permission_set(one))
    path = f"{SOURCE}/customPermissions/{BYPASS}.customPermission-meta.xml"
    found[path] = _document("CustomPermission", _bypass())
    return dict(sorted(found.items()))


def _path(sobject: str, folder: str, name: str, ending: str) -> str:
    return f"{SOURCE}/objects/{sobject}/{folder}/{name}.{ending}-meta.xml"


def members_of(package: Package) -> dict[str, list[str]]:
    """What the manifest names, by metadata type."""
    found = {
        "CustomField": [f"{field.sobject}.{field.name}" for field in package.fields]
        + [f"{child.name}.{child.lookup}" for child in package.children],
        "CustomObject": [child.name for child in package.children],
        "CustomPermission": [BYPASS],
        "ListView": [f"{view.sobject}.{view.name}" for view in package.views],
        "PermissionSet": [one.name for one in package.permission_sets],
    }
    return {kind: sorted(names) for kind, names in found.items() if names}


def _manifest(package: Package) -> str:
    types: list[Content] = [
        (*(("members", name) for name in names), ("name", kind)) for kind, names in members_of(package).items()
    ]
    return _document("Package", {"types": types, "version": package.api_version})


def _project(package: Package) -> str:
    folders = [{"path": "force-app", "default": True}]
    project = {"packageDirectories": folders, "namespace": "", "sourceApiVersion": package.api_version}
    return json.dumps(project, indent=2) + "\n"


# the documents


def _field(field: CustomField) -> Elements:
    return {
        "fullName": field.name,
        "description": field.description,
        "inlineHelpText": field.help,
        "label": field.label,
        "trackHistory": "false",
        "type": field.type.kind,
        **_of_kind(field.type),
    }


def _of_kind(found: FieldType) -> Elements:
    """What a type has of its own. A unique O-number would refuse the seller who clones a deal, so it is not unique."""
    made: dict[str, Content] = {"externalId": _to_text(found.external_id)}
    if found.kind == "Checkbox":
        made["defaultValue"] = "false"
    elif found.kind not in {"LongTextArea", "Html"}:
        made["required"] = "false"
    if found.kind in {"Text", "Email", "Number"}:
        made["unique"] = "false"
    if found.kind in {"Text", "LongTextArea", "Html"}:
        made["length"] = str(found.length)
    if found.kind in {"Number", "Currency"}:
        made |= {"precision": str(found.precision), "scale": str(found.scale)}
    if found.kind in _LINES:
        made["visibleLines"] = str(_LINES[found.kind])
    if found.values:
        made["valueSet"] = _values(found)
    return made


def _values(found: FieldType) -> Content:
    values = tuple(("value", (("fullName", value), ("default", "false"), ("label", value))) for value in found.values)
    return (("restricted", _to_text(found.restricted)), ("valueSetDefinition", (("sorted", "false"), *values)))


def _object(child: ChildObject) -> Elements:
    """Rows follow the record they hang on: who sees it sees them, and with it they go."""
    label = label_of(child.name)
    initials = "".join(word[0].upper() for word in label.split() if word != "AWS") or "R"
    return {
        "deploymentStatus": "Deployed",
        "description": "AWS Partner Central connector. One row invites one partner to the opportunity it belongs to.",
        "enableActivities": "false",
        "enableBulkApi": "true",
        "enableFeeds": "false",
        "enableHistory": "false",
        "enableReports": "true",
        "enableSearch": "true",
        "enableSharing": "true",
        "enableStreamingApi": "true",
        "label": label,
        "nameField": (
            ("displayFormat", f"{initials}-{{0000}}"),
            ("label", f"{label.split()[-1]} Number"),
            ("type", "AutoNumber"),
        ),
        "pluralLabel": plural_of(label),
        "sharingModel": "ControlledByParent",
        "visibility": "Public",
    }


def _master(child: ChildObject) -> Elements:
    return {
        "fullName": child.lookup,
        "description": "AWS Partner Central connector. The record whose engagement the partner is invited to.",
        "externalId": "false",
        "label": label_of(child.lookup),
        "referenceTo": child.parent,
        "relationshipLabel": plural_of(label_of(child.name)),
        "relationshipName": child.relationship,
        "relationshipOrder": "0",
        "reparentableMasterDetail": "false",
        "trackHistory": "false",
        "type": "MasterDetail",
        # Whoever invites a partner must be allowed to edit the deal, not only to see it.
        "writeRequiresMasterRead": "false",
    }


def _view(view: ListView) -> Elements:
    condition = (("field", view.field), ("operation", "equals"), ("value", view.value))
    return {
        "fullName": view.name,
        "columns": list(view.columns),
        "filterScope": "Everything",
        "filters": condition,
        "label": view.label,
    }


def _permission_set(one: PermissionSet) -> Elements:
    return {
        "customPermissions": [(("enabled", "true"), ("name", name)) for name in one.custom_permissions],
        "description": one.description,
        "fieldPermissions": [_field_grant(grant) for grant in one.fields],
        "hasActivationRequired": "false",
        "label": one.label,
        "objectPermissions": [_object_grant(grant) for grant in one.objects],
        "userPermissions": [(("enabled", "true"), ("name", name)) for name in one.user_permissions],
    }


def _field_grant(grant: FieldGrant) -> Content:
    return (("editable", _to_text(grant.editable)), ("field", grant.field), ("readable", "true"))


def _object_grant(grant: ObjectGrant) -> Content:
    return (
        ("allowCreate", _to_text(grant.creates)),
        ("allowDelete", _to_text(grant.deletes)),
        ("allowEdit", _to_text(grant.edits)),
        ("allowRead", "true"),
        ("modifyAllRecords", "false"),
        ("object", grant.sobject),
        ("viewAllRecords", _to_text(grant.views_all)),
    )


def _bypass() -> Elements:
    return {
        "description": "Held by the AWS Partner Central connector. Write NOT($Permission.AWS_Connector_Bypass) into "
        "validation rules and flows that should not stop what it writes back.",
        "isLicensed": "false",
        "label": "AWS Connector: Bypass",
    }


# XML


def _document(kind: str, elements: Elements) -> str:
    root = ET.Element(kind, {"xmlns": NAMESPACE})
    for name in sorted(elements, key=lambda name: (name != "fullName", name)):
        content = elements[name]
        for one in content if isinstance(content, list) else [content]:
            _add(root, name, one)
    ET.indent(root, space="    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add(parent: ET.Element, name: str, content: Content) -> None:
    made = ET.SubElement(parent, name)
    if isinstance(content, str):
        made.text = content
        return
    for inner, value in content:
        _add(made, inner, value)


def _to_text(value: bool) -> str:
    return "true" if value else "false"
