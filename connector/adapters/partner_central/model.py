"""The field table, read from botocore's own service model, so that it is never older than the installed botocore."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from connector.core.mapping import Shapes
from connector.core.schema import Shape

if TYPE_CHECKING:
    from botocore.model import ServiceModel

SERVICE = "partnercentral-selling"


@cache
def service_model() -> ServiceModel:
    """botocore's model of the service; needs no credentials and no network."""
    import botocore.session

    return botocore.session.Session().get_service_model(SERVICE)


def model_version() -> str:
    """The version of the installed botocore, which the model is of."""
    import botocore

    return str(botocore.__version__)


@cache
def input_shape(operation: str) -> Shape:
    """The request of an operation."""
    return _shape(service_model().operation_model(operation).input_shape)


@cache
def output_shape(operation: str) -> Shape:
    """The answer of an operation; an empty structure where it has none."""
    shape = service_model().operation_model(operation).output_shape
    return _shape(shape) if shape is not None else Shape("structure")


@cache
def mapping_shapes() -> Shapes:
    """The parts of the model that a mapping file is held against.

    What ``opportunity.…`` may name is all that GetOpportunity tells, and what only ListOpportunities would.
    """
    start = input_shape("StartEngagementFromOpportunityTask")
    answer = output_shape("StartEngagementFromOpportunityTask")
    listed = output_shape("ListEngagementFromOpportunityTasks").at("TaskSummaries")
    listed_members = listed.item.members if listed is not None and listed.item is not None else {}
    summary = output_shape("ListOpportunities").at("OpportunitySummaries")
    summary_members = summary.item.members if summary is not None and summary.item is not None else {}
    entity = input_shape("AssociateOpportunity").members["RelatedEntityType"]
    invite = input_shape("CreateEngagementInvitation")
    return Shapes(
        create=input_shape("CreateOpportunity"),
        submission=start.members["AwsSubmission"],
        opportunity=Shape("structure", {**summary_members, **output_shape("GetOpportunity").members}),
        task=Shape("structure", {**listed_members, **answer.members}),
        entity_types=entity.enum,
        assignee=input_shape("AssignOpportunity").members["Assignee"],
        aws=output_shape("GetAwsOpportunitySummary"),
        invitation=invite.members["Invitation"],
        engagement=invite.members["EngagementIdentifier"],
        invitation_answer=output_shape("GetEngagementInvitation"),
    )


def _shape(shape: Any) -> Shape:
    metadata = shape.metadata
    kind = shape.type_name
    members = {name: _shape(member) for name, member in shape.members.items()} if kind == "structure" else {}
    return Shape(
        kind=kind,
        members=members,
        required=frozenset(shape.required_members) if kind == "structure" else frozenset(),
        item=_shape(shape.member) if kind == "list" else None,
        enum=tuple(metadata.get("enum", ())),
        pattern=metadata.get("pattern", ""),
        min=metadata.get("min"),
        max=metadata.get("max"),
        sensitive=bool(metadata.get("sensitive")),
        union=bool(getattr(shape, "is_tagged_union", False)),
    )
