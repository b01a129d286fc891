"""Custom objects and list views of a project: what the Metadata API refuses of them, and what they become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.sandbox.salesforce.objects import define_object
from connector.sandbox.salesforce.schema import ObjectType, Schema
from connector.sandbox.salesforce.source_fields import NAME, TRUTHS
from connector.sandbox.salesforce.source_files import Component, Refusal, names_in, text_of

_SWITCHES = names_in(
    """allowInChatterGroups enableActivities enableBulkApi enableFeeds enableHistory enableReports enableSearch
    enableSharing enableStreamingApi"""
)
_ELEMENTS = _SWITCHES | {"deploymentStatus", "description", "label", "nameField", "pluralLabel", "sharingModel"}
_ELEMENTS |= {"visibility", "searchLayouts", "externalSharingModel"}
_NEEDED = ("deploymentStatus", "label", "nameField", "pluralLabel", "sharingModel")
_TOGETHER = ("enableBulkApi", "enableSharing", "enableStreamingApi")
_SHARING = frozenset({"ControlledByParent", "Private", "Read", "ReadWrite"})
_VIEW_ELEMENTS = frozenset({"booleanFilter", "columns", "filterScope", "filters", "fullName", "label", "language"})
_SCOPES = frozenset({"Everything", "Mine", "Queue", "Team"})
_OPERATIONS = names_in(
    "equals notEqual lessThan greaterThan lessOrEqual greaterOrEqual contains notContain startsWith includes excludes"
)
_COLUMNS: Mapping[str, frozenset[str]] = {
    "Opportunity": names_in(
        """ACCOUNT.NAME CORE.USERS.ALIAS OPPORTUNITY.AMOUNT OPPORTUNITY.CLOSE_DATE OPPORTUNITY.NAME
        OPPORTUNITY.STAGE_NAME"""
    )
}
_OWNER = "OwnerId | Owner ID | reference(User) | defaulted up:Owner"


def check_object(one: Component, fields: list[Component]) -> Iterator[Refusal]:
    """Everything that is wrong with a custom object; `fields` are its own."""
    bare = one.name.removesuffix("__c")
    if bare == one.name or not NAME.fullmatch(bare) or len(bare) > 40:
        yield one.refuse("The object name is not valid")
    for name in sorted(set(one.names()) - _ELEMENTS):
        yield one.refuse(f"Element {name} invalid at this location in type CustomObject")
    for name in _NEEDED:
        if one.text(name) is None:
            yield one.refuse(f"Must specify {name}")
    for name in _SWITCHES:
        if (value := one.text(name)) is not None and value not in TRUTHS:
            yield one.refuse(f"'{value}' is not a valid value for the type xsd:boolean in {name}")
    if len({one.text(name) for name in _TOGETHER}) > 1:
        yield one.refuse(f"{', '.join(_TOGETHER)} must all be enabled or disabled together")
    for name, longest in (("label", 40), ("pluralLabel", 40), ("description", 1000)):
        if len(one.text(name) or "x") > longest:
            yield one.refuse(f"{name} has more than {longest} characters")
    yield from _check_name_field(one)
    yield from _check_sharing(one, fields)


def _check_name_field(one: Component) -> Iterator[Refusal]:
    for element in one.all("nameField"):
        kind, pattern = text_of(element, "type"), text_of(element, "displayFormat") or ""
        if kind not in {"AutoNumber", "Text"} or not text_of(element, "label"):
            yield one.refuse("nameField needs a label, and the type Text or AutoNumber")
        if kind == "AutoNumber" and "{0" not in pattern:
            yield one.refuse("an auto-number needs a displayFormat with {0} in it")


def _check_sharing(one: Component, fields: list[Component]) -> Iterator[Refusal]:
    model = one.text("sharingModel")
    if model is not None and model not in _SHARING:
        yield one.refuse(f"'{model}' is not a valid value for the enum 'SharingModel'")
    is_detail = any(field.text("type") == "MasterDetail" for field in fields)
    if is_detail != (model == "ControlledByParent"):
        yield one.refuse("The sharing model is ControlledByParent of the detail side of a master-detail, of it only")


def to_object(one: Component, prefix: str) -> ObjectType:
    """The object without its custom fields; one that its parent controls has no owner."""
    label, plural = one.text("label") or "", one.text("pluralLabel") or ""
    (name_field,) = one.all("nameField")
    title, pattern = text_of(name_field, "label"), text_of(name_field, "displayFormat") or ""
    numbered = f"Name | {title} | string(80) | system auto:{pattern.partition('{')[0]}"
    named = numbered if text_of(name_field, "type") == "AutoNumber" else f"Name | {title} | string(80) | defaulted"
    owner = () if one.text("sharingModel") == "ControlledByParent" else (_OWNER,)
    return define_object(one.name, label, plural, prefix, named, *owner)


def check_view(one: Component, schema: Schema) -> Iterator[Refusal]:
    """Everything that is wrong with a list view, in an org of this schema."""
    for name in sorted(set(one.names()) - _VIEW_ELEMENTS):
        yield one.refuse(f"Element {name} invalid at this location in type ListView")
    if one.text("fullName") != one.name or not NAME.fullmatch(one.name):
        yield one.refuse("fullName is not valid, or not the name of the file")
    if not 0 < len(one.text("label") or "") <= 40:
        yield one.refuse("label must have 1 to 40 characters")
    if one.text("filterScope") not in _SCOPES:
        yield one.refuse(f"'{one.text('filterScope')}' is not a valid value for the enum 'FilterScope'")
    if schema.find(one.parent) is None:
        yield one.refuse(f"no CustomObject named {one.parent} found")
        return
    for column in (element.text or "" for element in one.all("columns")):
        if not _is_column(schema, one.parent, column):
            yield one.refuse(f"Could not resolve list view column: {column}")
    for element in one.all("filters"):
        yield from _check_filter(one, schema, text_of(element, "field") or "", text_of(element, "operation") or "")


def _check_filter(one: Component, schema: Schema, name: str, operation: str) -> Iterator[Refusal]:
    field = schema.get(one.parent).find(name)
    if not _is_column(schema, one.parent, name):
        yield one.refuse(f"Could not resolve list view filter field: {name}")
    elif field is not None and not field.is_filterable:
        yield one.refuse(f"{name} cannot be filtered by")
    if operation not in _OPERATIONS:
        yield one.refuse(f"'{operation}' is not a valid value for the enum 'FilterOperation'")


def _is_column(schema: Schema, sobject: str, name: str) -> bool:
    field = schema.get(sobject).find(name)
    is_own = field is not None and field.is_custom and field.name == name
    return is_own or name in _COLUMNS.get(sobject, frozenset({"NAME", "OWNER.ALIAS", "CREATED_DATE"}))
