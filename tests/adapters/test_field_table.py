"""The field table agrees with botocore, from which it is read."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from connector.adapters.partner_central import WRITES, mapping_shapes, model
from connector.core.schema import Shape

SERVICE = botocore.session.Session().get_service_model("partnercentral-selling")


def compare(shape: Shape, told: Any, path: str) -> int:
    """Hold every member against botocore's; gives how many leaves there were."""
    assert shape.kind == told.type_name, path
    if shape.kind == "structure":
        assert set(shape.members) == set(told.members), path
        assert shape.required == set(told.required_members), path
        return sum(compare(shape.members[name], told.members[name], f"{path}.{name}") for name in shape.members)
    metadata = told.metadata
    assert (shape.min, shape.max, shape.pattern) == (
        metadata.get("min"),
        metadata.get("max"),
        metadata.get("pattern", ""),
    )
    if shape.kind == "list":
        assert shape.item is not None
        return compare(shape.item, told.member, f"{path}[]")
    assert list(shape.enum) == metadata.get("enum", []), path
    assert shape.sensitive == metadata.get("sensitive", False), path
    return 1


@pytest.mark.parametrize("operation", sorted(WRITES | {"GetOpportunity", "ListOpportunities"}))
def test_requests_and_answers_are_botocore_s(operation: str) -> None:
    told = SERVICE.operation_model(operation)
    assert compare(model.input_shape(operation), told.input_shape, operation) > 0
    if told.output_shape is None:
        assert model.output_shape(operation) == Shape("structure")
    else:
        assert compare(model.output_shape(operation), told.output_shape, operation) > 0


def test_the_table_knows_what_is_sensitive_and_what_is_one_of() -> None:
    account = model.input_shape("CreateOpportunity").at("Customer.Account")
    assert account is not None
    assert account.members["CompanyName"].sensitive
    assert not account.members["Industry"].sensitive
    assert "Software and Internet" in account.members["Industry"].enum
    assert model.input_shape("CreateEngagementInvitation").at("Invitation.Payload").union  # type: ignore[union-attr]


def test_the_parts_a_mapping_is_held_against() -> None:
    shapes = mapping_shapes()
    assert {"Customer", "Project", "LifeCycle", "PartnerOpportunityIdentifier"} <= set(shapes.create.members)
    assert set(shapes.submission.members) == {"InvolvementType", "Visibility"}
    assert {"Id", "LifeCycle", "LastModifiedDate"} <= set(shapes.opportunity.members)
    assert {"TaskId", "TaskArn", "TaskStatus", "StartTime", "Message", "ReasonCode", "EngagementId"} <= set(
        shapes.task.members
    )
    assert {"Solutions", "AwsProducts"} <= set(shapes.entity_types)


def test_it_needs_neither_credentials_nor_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for table in (model.service_model, model.input_shape):
        table.cache_clear()
    assert "Title" in model.input_shape("CreateOpportunity").members["Project"].members
