"""Which of AWS's values are due in Salesforce: once each, and never over what a seller did later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.core.inbound import due, owner_of
from connector.core.mapping import CompiledMapping
from connector.core.mapping.nodes import Step
from connector.core.model import Link, Mapped
from connector.core.transforms import Transform
from tests.core.small_mapping import compiled

TREE = """
LifeCycle:
  TargetCloseDate: CloseDate
  NextSteps: {from: NextStep, owner: aws}
Customer:
  Contacts:
    - Email: Contact_Email__c
"""
INBOUND = """
inbound:
  CloseDate: opportunity.LifeCycle.TargetCloseDate
  NextStep: opportunity.LifeCycle.NextSteps
  Email__c: opportunity.Customer.Contacts[0].Email
  Score__c: aws.Insights.EngagementScore
  Stage__c: {from: aws.LifeCycle.Stage, values: {Qualified: Hot, Engaged: Warm}}
  Rep__c: {from: ["aws.OpportunityTeam[AWSSalesRep].Name", "aws.OpportunityTeam[PDM].Name"], transform: upper}
"""
D1, D2, D3 = "2027-01-01", "2027-02-02", "2027-03-03"


@pytest.fixture(scope="module")
def mapping() -> CompiledMapping:
    return compiled(TREE, INBOUND)


def sides(**values: Any) -> dict[str, Any]:
    """A LifeCycle as one of the sides has it."""
    return {"LifeCycle": values}


AGREED = sides(TargetCloseDate=D1, NextSteps="Call")
LINK = Link(
    1,
    "acme",
    "Sandbox",
    "006000000000001AAA",
    opportunity_id="O1",
    mapped=Mapped(AGREED),
    base=AGREED,
    existing={"Id": "O1", **AGREED},
    taken={"NextStep": "Call"},
)
AT_AWS = {"existing": sides(TargetCloseDate=D2, NextSteps="Call")}
IN_SALESFORCE = {"mapped": Mapped(sides(TargetCloseDate=D3, NextSteps="Call"))}
STEPS_AT_AWS = {"existing": sides(TargetCloseDate=D1, NextSteps="Meet")}


@pytest.mark.parametrize(
    ("about", "values", "agreed"),
    [
        ({}, {}, {}),
        # a path that Salesforce decides: three sides
        (AT_AWS, {"CloseDate": D2}, {}),
        ({**AT_AWS, "taken": {"CloseDate": D2, "NextStep": "Call"}}, {}, {}),
        (IN_SALESFORCE, {}, {}),
        ({**AT_AWS, **IN_SALESFORCE}, {}, {}),
        ({**AT_AWS, "base": None}, {}, {}),
        ({"existing": sides(NextSteps="Call")}, {}, {}),
        # agreed on another way: what was given before counts no more
        ({"taken": {"CloseDate": D2, "NextStep": "Call"}}, {}, {"CloseDate": D1}),
        # a path that AWS decides: from what both began with
        ({"taken": {}}, {}, {"NextStep": "Call"}),
        ({**STEPS_AT_AWS, "taken": {}}, {"NextStep": "Meet"}, {}),
        (STEPS_AT_AWS, {"NextStep": "Meet"}, {}),
        ({**STEPS_AT_AWS, "mapped": Mapped(sides(TargetCloseDate=D1, NextSteps="Mine"))}, {"NextStep": "Meet"}, {}),
        ({**STEPS_AT_AWS, "taken": {"NextStep": "Meet"}}, {}, {}),
        ({"taken": {"NextStep": "Meet"}}, {"NextStep": "Call"}, {}),
        ({"existing": sides(TargetCloseDate=D1, NextSteps=""), "taken": {"NextStep": "Call"}}, {}, {}),
        # a list is decided as a whole, and one of its items may be shown
        (
            {"existing": {**AGREED, "Customer": {"Contacts": [{"Email": "a@b.example"}]}}},
            {"Email__c": "a@b.example"},
            {},
        ),
        # what the mapping does not send
        ({"aws": {"Insights": {"EngagementScore": "High"}}}, {"Score__c": "High"}, {}),
        (
            {
                "aws": {"Insights": {"EngagementScore": "High"}},
                "taken": {"Score__c": "High", "NextStep": "Call"},
                "shown": {"Score__c": "mine"},
            },
            {},
            {},
        ),
        (
            {"aws": {"Insights": {"EngagementScore": "Low"}}, "taken": {"Score__c": "High", "NextStep": "Call"}},
            {"Score__c": "Low"},
            {},
        ),
        ({"aws": {"Insights": {"EngagementScore": ""}}}, {}, {}),
        ({"aws": {"LifeCycle": {"Stage": "engaged"}}}, {"Stage__c": "Warm"}, {}),
        ({"aws": {"OpportunityTeam": [{"BusinessTitle": "PDM", "FirstName": "Al"}]}}, {"Rep__c": "AL"}, {}),
        # pushed no more, not linked yet, not read yet
        ({**AT_AWS, "presence": "unflagged"}, {}, {}),
        ({**AT_AWS, "opportunity_id": ""}, {}, {}),
        ({**AT_AWS, "mapped": None}, {}, {}),
    ],
)
def test_what_is_due(
    mapping: CompiledMapping, about: dict[str, Any], values: dict[str, Any], agreed: dict[str, Any]
) -> None:
    found = due(mapping, replace(LINK, **about))
    assert (found.values, found.agreed, found.failed) == (values, agreed, {})


def test_a_value_that_the_list_lacks_is_told_and_not_written(mapping: CompiledMapping) -> None:
    found = due(mapping, replace(LINK, aws={"LifeCycle": {"Stage": "Launched"}}))
    assert found.values == {}
    assert found.failed == {"Stage__c": "AWS's value 'Launched' is not in the mapping's list of values. Add it there."}


@pytest.mark.parametrize(("gives", "why"), [(KeyError("secret"), "Unexpected KeyError."), (object(), "no value")])
def test_a_transform_that_breaks_costs_its_own_field_only(mapping: CompiledMapping, gives: Any, why: str) -> None:
    def transform(value: str) -> Any:
        if isinstance(gives, Exception):
            raise gives
        return gives

    step = Step(Transform("odd", "Somebody's own.", "any", "text", transform), {})
    score, *others = [entry for entry in mapping.inbound if entry.field in {"Score__c", "Stage__c"}]
    odd = replace(mapping, inbound=(replace(score, leaf=replace(score.leaf, steps=(step,))), *others))
    found = due(odd, replace(LINK, aws={"Insights": {"EngagementScore": "High"}, "LifeCycle": {"Stage": "Engaged"}}))
    assert found.values == {"Stage__c": "Warm"}
    assert why in found.failed["Score__c"]
    assert "secret" not in found.failed["Score__c"]


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("LifeCycle.TargetCloseDate", "salesforce"),
        ("LifeCycle.NextSteps", "aws"),
        ("LifeCycle.ReviewStatus", None),
        ("Customer.Contacts[0].Email", "salesforce"),
        ("Customer.ContactsOfAws", None),
    ],
)
def test_who_decides_a_path(mapping: CompiledMapping, path: str, owner: str | None) -> None:
    assert owner_of(mapping, path) == owner
