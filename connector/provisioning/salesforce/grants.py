"""Permission sets: who may see and edit what. The connector's user gets no more than the mapping uses.

A deployment replaces a permission set as a whole, so each holds all that its holder needs of this project.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from connector.provisioning.salesforce import standard
from connector.provisioning.salesforce.needs import Needs

INTEGRATION, SELLER, BYPASS = "AWS_Connector_Integration", "AWS_Connector_Seller", "AWS_Connector_Bypass"


@dataclass(frozen=True, slots=True)
class FieldGrant:
    """``Object.Field``, readable; ``editable`` as well or not."""

    field: str
    editable: bool


@dataclass(frozen=True, slots=True)
class ObjectGrant:
    """Read access to an object, and more; ``views_all`` disregards sharing."""

    sobject: str
    creates: bool = False
    edits: bool = False
    deletes: bool = False
    views_all: bool = False


@dataclass(frozen=True, slots=True)
class PermissionSet:
    """One permission set; ``description`` has up to 255 characters."""

    name: str
    label: str
    description: str
    fields: tuple[FieldGrant, ...]
    objects: tuple[ObjectGrant, ...]
    custom_permissions: tuple[str, ...] = ()
    user_permissions: tuple[str, ...] = ()


def permission_sets(needs: Needs) -> tuple[PermissionSet, ...]:
    """That of the connector's user, and that of the sellers."""
    return (_of_integration(needs), _of_sellers(needs))


def _of_integration(needs: Needs) -> PermissionSet:
    """View All on what is read: sharing hides a record without a word, and a customer or contact that is not seen
    looks like one that is missing. Not Modify All, which would let the connector delete: see the project's README.
    """
    reads = [
        FieldGrant(f"{sobject}.{name}", any(use.writes for use in uses))
        for (sobject, name), uses in needs.custom.items()
    ]
    names = {name for name in needs.objects if name not in standard.WITHOUT_PERMISSIONS}
    as_parents = {*needs.children, *standard.WITHOUT_SHARING}
    objects = {name: ObjectGrant(name, edits=name in needs.written, views_all=name not in as_parents) for name in names}
    return PermissionSet(
        INTEGRATION,
        "AWS Connector: Integration",
        "For the user that the AWS Partner Central connector runs as. Reads what the mapping reads, edits what it "
        "writes back. View All, because a record that sharing hides would look like a missing one.",
        _in_order([*reads, *_standard_fields(needs)]),
        _with_dependencies(objects),
        (BYPASS,),
        ("ApiEnabled",),
    )


def _of_sellers(needs: Needs) -> PermissionSet:
    fields = [
        FieldGrant(f"{sobject}.{name}", not any(use.writes for use in uses))
        for (sobject, name), uses in needs.custom.items()
        if not needs.is_there(sobject, name)  # who works with it may see it already
    ]
    objects = {name: ObjectGrant(name, creates=True, edits=True, deletes=True) for name in needs.children}
    objects |= {child.parent: ObjectGrant(child.parent) for child in needs.children.values()}
    return PermissionSet(
        SELLER,
        "AWS Connector: Seller",
        "For sellers who share opportunities with AWS: edits what goes to AWS, sees what the connector writes back.",
        _in_order(fields),
        _with_dependencies(objects),
    )


def _standard_fields(needs: Needs) -> list[FieldGrant]:
    """The standard fields that a permission set can name; what is not known of one is told."""
    found: dict[str, bool] = {}
    for sobject, name in sorted(needs.standard_reads | needs.standard_writes):
        granted = standard.permission_of(sobject, name)
        if granted is None:
            needs.tell(f"{sobject}.{name}: grant the connector's user to see it by hand, if not everybody may.")
        elif granted:
            key = f"{sobject}.{granted}"
            found[key] = found.get(key, False) or (sobject, name) in needs.standard_writes
    return [FieldGrant(name, editable) for name, editable in found.items()]


def _with_dependencies(objects: dict[str, ObjectGrant]) -> tuple[ObjectGrant, ...]:
    """Salesforce grants an object only together with those it depends on."""
    found, waiting = dict(objects), list(objects)
    while waiting:
        name = waiting.pop()
        other = standard.DEPENDS_ON.get(name)
        if other is None:
            continue
        views_all = found[name].views_all and name not in standard.READ_ONLY_DEPENDENCY
        before = found.get(other)
        if before is None or (views_all and not before.views_all):
            found[other] = replace(before or ObjectGrant(other), views_all=views_all)
            waiting.append(other)
    return tuple(found[name] for name in sorted(found))


def _in_order(fields: list[FieldGrant]) -> tuple[FieldGrant, ...]:
    return tuple(sorted(fields, key=lambda grant: grant.field))
