"""The answer to a describe: every key the service sends, for what the integration user may read.

A hidden field is absent, a protected one not updateable: all a client ever learns of field-level security.
"""

from __future__ import annotations

from typing import Any

from connector.sandbox.salesforce.permissions import Permissions
from connector.sandbox.salesforce.schema import NUMBERS, REFERENCES, Child, Field, ObjectType, Schema

MASTER_RECORD_TYPE = "012000000000000AAA"
_SOAP_TYPES = {"id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int"}
_SOAP_TYPES |= {"date": "xsd:date", "datetime": "xsd:dateTime", "address": "urn:address"}
_OFF = (
    "aiPredictionField caseSensitive dependentPicklist deprecatedAndHidden "
    "displayLocationInDecimal encrypted formulaTreatNullNumberAsZero highScaleNumber "
    "namePointing polymorphicForeignKey queryByDistance restrictedDelete writeRequiresMasterRead"
)
_ABSENT = (
    "calculatedFormula controllerName defaultValueFormula filteredLookupInfo inlineHelpText mask maskType "
    "referenceTargetField relationshipOrder"
)


def describe_object(kind: ObjectType, schema: Schema, permissions: Permissions, base: str) -> dict[str, Any]:
    """The full describe of one object."""
    return {
        "actionOverrides": [],
        **describe_brief(kind, base),
        "childRelationships": [
            _describe_child(child) for child in schema.children(kind.name) if permissions.may("read", child.object)
        ],
        "compactLayoutable": True,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [
            _describe_field(kind, field, permissions)
            for field in kind.fields.values()
            if permissions.is_readable(kind.name, field)
        ],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [_describe_master(kind, base)],
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {kind.plural.lower()}", "name": "everything"}],
    }


def describe_brief(kind: ObjectType, base: str) -> dict[str, Any]:
    """The entry of one object in the list of all objects."""
    root = f"{base}/sobjects/{kind.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": kind.createable,
        "custom": kind.name.endswith("__c"),
        "customSetting": False,
        "deepCloneable": False,
        "deletable": kind.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": True,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": kind.prefix,
        "label": kind.label,
        "labelPlural": kind.plural,
        "layoutable": True,
        "mergeable": kind.mergeable,
        "mruEnabled": True,
        "name": kind.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": kind.undeletable,
        "updateable": kind.createable,
        "urls": {"describe": f"{root}/describe", "rowTemplate": f"{root}/{{ID}}", "sobject": root},
    }


def _describe_master(kind: ObjectType, base: str) -> dict[str, Any]:
    layout = f"{base}/sobjects/{kind.name}/describe/layouts/{MASTER_RECORD_TYPE}"
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "master": True,
        "name": "Master",
        "recordTypeId": MASTER_RECORD_TYPE,
        "urls": {"layout": layout},
    }


def _describe_child(child: Child) -> dict[str, Any]:
    return {
        "cascadeDelete": child.cascade,
        "childSObject": child.object,
        "deprecatedAndHidden": False,
        "field": child.field,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": child.name,
        "restrictedDelete": False,
    }


def _describe_field(kind: ObjectType, field: Field, permissions: Permissions) -> dict[str, Any]:
    may_write = permissions.is_writeable(kind.name, field)
    is_name = field.name == "Name"
    out: dict[str, Any] = dict.fromkeys(_OFF.split(), False) | dict.fromkeys(_ABSENT.split())
    out |= {
        "aggregatable": field.is_filterable and field.type != "boolean",
        "autoNumber": field.auto is not None,
        "byteLength": field.length if field.type in REFERENCES else field.length * 3,
        "calculated": field.formula,
        "cascadeDelete": False,  # true of master-detail fields only
        "compoundFieldName": field.compound,
        "createable": field.createable and may_write,
        "custom": field.is_custom,
        "defaultValue": False if field.type == "boolean" else None,
        "defaultedOnCreate": field.defaulted,
        "digits": 8 if field.type == "int" else 0,
        "externalId": field.external_id,
        "extraTypeInfo": _text_kind(field),
        "filterable": field.is_filterable or field.type == "address",
        "groupable": field.is_sortable and field.type not in NUMBERS - {"int"} and field.type != "datetime",
        "htmlFormatted": field.html,
        "idLookup": field.type == "id" or field.external_id or is_name,
        "label": field.label,
        "length": field.length,
        "name": field.name,
        "nameField": is_name,
        "nillable": field.nillable,
        "permissionable": _is_permissionable(field),
        "picklistValues": [_describe_value(value, label, value not in field.inactive) for value, label in field.values],
        "precision": field.precision,
        "referenceTo": [field.target] if field.target else [],
        "relationshipName": field.relationship,
        "restrictedPicklist": field.restricted,
        "scale": field.scale,
        "searchPrefilterable": field.target == "Account" and field.name == "AccountId",
        "soapType": _SOAP_TYPES.get(field.type, "xsd:double" if field.type in NUMBERS else "xsd:string"),
        "sortable": field.is_sortable,
        "type": field.type,
        "unique": field.unique,
        "updateable": field.updateable and may_write,
    }
    return dict(sorted(out.items()))


def _text_kind(field: Field) -> str | None:
    if field.type != "textarea":
        return None
    return "richtextarea" if field.html else "plaintextarea"


def _is_permissionable(field: Field) -> bool:
    """Whether field-level security can hide it: an address as a whole, formulas, and no part of a person's name."""
    if field.type == "address" or field.formula:
        return True
    return (field.nillable or field.type == "boolean") and field.updateable and field.compound != "Name"


def _describe_value(value: str, label: str, is_active: bool) -> dict[str, Any]:
    return {"active": is_active, "defaultValue": False, "label": label, "validFor": None, "value": value}
