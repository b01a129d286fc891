"""A new org from a source-format project: standard objects, what the project adds, and its permission set assigned.

Refuses what a deployment refuses, as far as it is modelled, with every reason at once. Layouts, flows and the rest of
the Metadata API are not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from connector.sandbox.salesforce.objects import plain_schema
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.schema import Schema
from connector.sandbox.salesforce.source_access import check_permission_set, grant
from connector.sandbox.salesforce.source_fields import check_field, to_field
from connector.sandbox.salesforce.source_files import Component, DeployError, Project, Refusal, read_project
from connector.sandbox.salesforce.source_objects import check_object, check_view, to_object

_PREFIXES = tuple(f"a0{digit}" for digit in "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def make_org(
    directory: Path, permission_set: str, clock: Callable[[], datetime] = _utc_now, *, is_sandbox: bool = True
) -> Org:
    """An org as it is right after the project in `directory` was deployed to a new one, with the permission set
    assigned to the integration user, who sees and edits nothing else. DeployError where it is refused."""
    project = read_project(directory)
    schema = deploy(project, plain_schema())
    chosen = [one for one in project.of_kind("PermissionSet") if one.name == permission_set]
    if not chosen:
        raise DeployError([Refusal(permission_set, "there is no such permission set")])
    org = Org(clock, is_sandbox=is_sandbox, schema=schema)
    grant(chosen[0], schema, org.permissions)
    return org


def deploy(project: Project, schema: Schema) -> Schema:
    """The schema with the project's objects and fields added; DeployError with everything that is refused."""
    refusals = [refusal for one in project.of_kind("CustomField") for refusal in check_field(one)]
    for one in project.of_kind("CustomObject"):
        refusals += check_object(one, [field for field in project.of_kind("CustomField") if field.parent == one.name])
    _stop_at(refusals)
    for one, prefix in zip(project.of_kind("CustomObject"), _PREFIXES, strict=False):
        schema.define(to_object(one, prefix))
    for one in project.of_kind("CustomField"):
        refusals += _add_field(one, schema)
    for one in project.of_kind("ListView"):
        refusals += check_view(one, schema)
    names = [one.name for one in project.of_kind("CustomPermission")]
    for one in project.of_kind("CustomPermission"):
        refusals += _check_custom_permission(one)
    for one in project.of_kind("PermissionSet"):
        refusals += check_permission_set(one, schema, names)
    _stop_at(refusals)
    return schema


def _stop_at(refusals: list[Refusal]) -> None:
    if refusals:
        raise DeployError(sorted(refusals))


def _add_field(one: Component, schema: Schema) -> list[Refusal]:
    kind, field = schema.find(one.parent), to_field(one)
    if kind is None or kind.name != one.parent:
        return [one.refuse(f"no CustomObject named {one.parent} found")]
    if field.target is not None and schema.find(field.target) is None:
        return [one.refuse(f"referenceTo value of '{field.target}' does not resolve to a valid sObject type")]
    if field.target is not None and schema.find_child(field.target, str(field.children)) is not None:
        return [one.refuse(f"There is already a Child Relationship named {field.children} on {field.target}")]
    if kind.find(field.name) is not None:
        return [one.refuse("There is already a field of this name")]
    kind.add([field])
    return []


def _check_custom_permission(one: Component) -> list[Refusal]:
    known = {"description", "isLicensed", "label", "connectedApp", "requiredPermission"}
    found = [one.refuse(f"Element {name} invalid at this location") for name in sorted(set(one.names()) - known)]
    if not 0 < len(one.text("label") or "") <= 80:
        found.append(one.refuse("label must have 1 to 80 characters"))
    if len(one.text("description") or "") > 255:
        found.append(one.refuse("description has more than 255 characters"))
    return found
