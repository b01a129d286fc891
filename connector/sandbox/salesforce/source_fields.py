"""Custom fields of a project: what the Metadata API refuses of them, and what they become in the schema.

Limits are those of the Metadata API's guide for CustomField; a description is cut nowhere, only refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

from connector.sandbox.salesforce.schema import Field
from connector.sandbox.salesforce.source_files import NAMESPACE, Component, Refusal, names_in, text_of

NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|_(?!_))*(?<!_)")
TRUTHS = frozenset({"true", "false"})
_EVERY = names_in("fullName description externalId inlineHelpText label trackHistory trackTrending type")
_OWN: Mapping[str, str] = {
    "Checkbox": "defaultValue",
    "Currency": "precision scale required defaultValue",
    "Date": "required defaultValue",
    "DateTime": "required defaultValue",
    "Email": "required unique defaultValue",
    "Html": "length visibleLines",
    "LongTextArea": "length visibleLines defaultValue",
    "Lookup": "deleteConstraint referenceTo relationshipLabel relationshipName required",
    "MasterDetail": "referenceTo relationshipLabel relationshipName relationshipOrder reparentableMasterDetail "
    "writeRequiresMasterRead",
    "MultiselectPicklist": "required valueSet visibleLines",
    "Number": "precision scale required unique defaultValue",
    "Percent": "precision scale required defaultValue",
    "Phone": "required defaultValue",
    "Picklist": "required valueSet",
    "Text": "length required unique caseSensitive defaultValue",
    "TextArea": "required defaultValue",
    "Url": "required defaultValue",
}
_NEEDED: Mapping[str, str] = {
    "Checkbox": "defaultValue",
    "Currency": "precision scale",
    "Html": "length visibleLines",
    "LongTextArea": "length visibleLines",
    "Lookup": "referenceTo relationshipName",
    "MasterDetail": "referenceTo relationshipName relationshipOrder",
    "MultiselectPicklist": "valueSet visibleLines",
    "Number": "precision scale",
    "Percent": "precision scale",
    "Picklist": "valueSet",
    "Text": "length",
}
_FLAGS = "externalId required unique caseSensitive trackHistory trackTrending reparentableMasterDetail"
_BOUNDS: Mapping[tuple[str, str], tuple[int, int]] = {
    ("Text", "length"): (1, 255),
    ("LongTextArea", "length"): (256, 131_072),
    ("Html", "length"): (256, 131_072),
    ("LongTextArea", "visibleLines"): (2, 50),
    ("Html", "visibleLines"): (10, 50),
    ("MultiselectPicklist", "visibleLines"): (3, 10),
    ("Number", "precision"): (1, 18),
    ("Currency", "precision"): (1, 18),
    ("Percent", "precision"): (1, 18),
    ("Number", "scale"): (0, 17),
    ("Currency", "scale"): (0, 17),
    ("Percent", "scale"): (0, 17),
    ("MasterDetail", "relationshipOrder"): (0, 1),
}
_LONGEST = {"label": 40, "inlineHelpText": 510, "description": 1000}
_KEYS = frozenset({"Email", "Number", "Text"})
_MOST_VALUES, _LONGEST_VALUE = 1000, 255
_TYPES = {
    "Checkbox": ("boolean", 0),
    "Currency": ("currency", 0),
    "Date": ("date", 0),
    "DateTime": ("datetime", 0),
    "Email": ("email", 80),
    "Html": ("textarea", 0),
    "LongTextArea": ("textarea", 0),
    "Lookup": ("reference", 18),
    "MasterDetail": ("reference", 18),
    "MultiselectPicklist": ("multipicklist", 4099),
    "Number": ("double", 0),
    "Percent": ("percent", 0),
    "Phone": ("phone", 40),
    "Picklist": ("picklist", 255),
    "Text": ("string", 0),
    "TextArea": ("textarea", 255),
    "Url": ("url", 255),
}


def check_field(one: Component) -> Iterator[Refusal]:
    """Everything that is wrong with one custom field by itself."""
    kind = one.text("type") or ""
    yield from _check_name(one)
    if kind not in _OWN:
        yield one.refuse(f"'{kind}' is not a valid value for the enum 'FieldType'")
        return
    names = one.names()
    for name in sorted(set(names)):
        if name not in _EVERY and name not in _OWN[kind].split():
            yield one.refuse(f"Can not specify '{name}' for a CustomField of type {kind}")
        if names.count(name) > 1:
            yield one.refuse(f"Duplicate element {name}")
    for name in ("label", *_NEEDED.get(kind, "").split()):
        if name not in names:
            yield one.refuse(f"Must specify '{name}' for a CustomField of type {kind}")
    yield from _check_flags(one)
    yield from _check_sizes(one, kind)
    if one.text("externalId") == "true" and kind not in _KEYS:
        yield one.refuse(f"A field of type {kind} cannot be an external ID")
    if kind in {"Picklist", "MultiselectPicklist"}:
        yield from _check_values(one, kind)
    if kind in {"Lookup", "MasterDetail"} and not NAME.fullmatch(one.text("relationshipName") or ""):
        yield one.refuse(f"The relationship name {one.text('relationshipName')!r} is not valid")


def _check_name(one: Component) -> Iterator[Refusal]:
    name = one.text("fullName")
    if name != one.name:
        yield one.refuse(f"fullName {name!r} is not the name of the file")
    bare = one.name.removesuffix("__c")
    if bare == one.name or not NAME.fullmatch(bare) or len(bare) > 40:
        yield one.refuse("The field name is not valid: letters, digits and single underscores, 40 of them, then __c")


def _check_flags(one: Component) -> Iterator[Refusal]:
    for name in _FLAGS.split():
        if (value := one.text(name)) is not None and value not in TRUTHS:
            yield one.refuse(f"'{value}' is not a valid value for the type xsd:boolean in {name}")


def _check_sizes(one: Component, kind: str) -> Iterator[Refusal]:
    for name, longest in _LONGEST.items():
        text = one.text(name)
        if text is not None and not 0 < len(text) <= longest:
            yield one.refuse(f"{name} has {len(text)} characters, 1 to {longest} are possible")
    for (owner, name), (least, most) in _BOUNDS.items():
        text = one.text(name) if owner == kind else None
        if text is not None and not (text.isdecimal() and least <= int(text) <= most):
            yield one.refuse(f"{name} must be between {least} and {most}, not {text!r}")
    scale, precision = one.text("scale") or "0", one.text("precision") or "0"
    if scale.isdecimal() and precision.isdecimal() and int(scale) > int(precision):
        yield one.refuse("scale is greater than precision")


def _check_values(one: Component, kind: str) -> Iterator[Refusal]:
    values = [text_of(value, "fullName") or "" for value in _values_of(one)]
    if not values or len(values) > _MOST_VALUES:
        yield one.refuse(f"A picklist has 1 to {_MOST_VALUES} values, not {len(values)}")
    folded = [value.casefold() for value in values]
    for value in sorted({value for value in folded if folded.count(value) > 1}):
        yield one.refuse(f"Duplicate picklist value: {value}")
    for element in _values_of(one):
        name = text_of(element, "fullName") or ""
        if not 0 < len(name) <= _LONGEST_VALUE or (kind == "MultiselectPicklist" and ";" in name):
            yield one.refuse(f"Picklist value {name!r} is empty, too long, or has a ; in it")
        if text_of(element, "label") is None or text_of(element, "default") not in TRUTHS:
            yield one.refuse(f"Picklist value {name!r} needs a label and a default")


def _values_of(one: Component) -> list[ET.Element]:
    return one.root.findall(f"{NAMESPACE}valueSet/{NAMESPACE}valueSetDefinition/{NAMESPACE}value")


def to_field(one: Component) -> Field:
    """The field of a document that `check_field` found nothing wrong with."""
    kind = one.text("type") or ""
    made, length = _TYPES[kind]
    is_detail, is_flag = kind == "MasterDetail", kind == "Checkbox"
    is_required = one.text("required") == "true" or is_detail
    is_reference = kind in {"Lookup", "MasterDetail"}
    valueset = one.root.find(f"{NAMESPACE}valueSet")
    values = [(text_of(value, "fullName") or "", text_of(value, "label") or "") for value in _values_of(one)]
    return Field(
        name=one.name,
        label=one.text("label") or "",
        type=made,
        length=int(one.text("length") or length),
        precision=int(one.text("precision") or 0),
        scale=int(one.text("scale") or 0),
        values=tuple(values),
        updateable=not is_detail or one.text("reparentableMasterDetail") == "true",
        nillable=not (is_required or is_flag),
        defaulted=is_flag,
        restricted=valueset is not None and text_of(valueset, "restricted") == "true",
        external_id=one.text("externalId") == "true",
        unique=one.text("unique") == "true",
        target=one.text("referenceTo") if is_reference else None,
        relationship=f"{one.name.removesuffix('__c')}__r" if is_reference else None,
        children=f"{one.text('relationshipName')}__r" if is_reference else None,
        cascade=is_detail,
        html=kind == "Html",
    )
