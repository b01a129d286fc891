"""The table of IAM actions, held against what the connector really calls and what each mapping asks for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_mapping import compiled

from connector.adapters.partner_central import WRITES
from connector.adapters.partner_central.model import service_model
from connector.checks.aws import PROBES
from connector.core.actions import Action, Use, needed, table

ROOT = Path(__file__).parents[2] / "connector"
PLAIN = "PartnerOpportunityIdentifier: Id"
ALWAYS = {
    "ListOpportunities",
    "GetOpportunity",
    "ListEngagementFromOpportunityTasks",
    "GetAwsOpportunitySummary",
    "ListSolutions",
    "CreateOpportunity",
    "UpdateOpportunity",
}
SUBMITTING = {
    "StartEngagementFromOpportunityTask",
    "SubmitOpportunity",
    "CreateEngagement",
    "CreateEngagementInvitation",
    "CreateResourceSnapshot",
    "CreateResourceSnapshotJob",
    "StartResourceSnapshotJob",
}
INVITING = {
    "ListEngagementResourceAssociations",
    "ListEngagementInvitations",
    "GetEngagementInvitation",
    "CreateEngagementInvitation",
}
SUBMISSION = "submission: {InvolvementType: {value: Co-Sell}, Visibility: {value: Full}}"
ASSIGN = (
    "assign: {Email: Owner.Email, FirstName: Owner.FirstName, LastName: Owner.LastName,"
    " BusinessTitle: {value: PartnerAccountManager}}"
)
INVITATION = """
invitations:
  - Message: {value: Hello}
    Receiver: {Account: {AwsAccountId: Partner__c}}
    Payload:
      OpportunityInvitation:
        ReceiverResponsibilities: [{value: Reseller}]
        Customer: {CompanyName: Name, WebsiteUrl: Site__c, CountryCode: {value: US}, Industry: {value: Healthcare}}
        Project:
          {Title: Name, BusinessProblem: Problem__c, TargetCompletionDate: CloseDate,
           ExpectedCustomerSpend: [{Amount: Amount, CurrencyCode: {value: USD}, Frequency: {value: Monthly},
           TargetCompany: {value: Us}}]}
"""


def called() -> set[str]:
    """Every operation that a line of the program makes a call of."""
    files = [path for path in ROOT.rglob("*.py") if "sandbox" not in path.parts]
    return {name for path in files for name in _operations_in(ast.parse(path.read_text(encoding="utf-8")))}


def _operations_in(tree: ast.Module) -> Iterator[str]:
    known = set(service_model().operation_names)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in {"call", "probe", "Begin"}:
            words = (inner.value for inner in ast.walk(node.args[0]) if isinstance(inner, ast.Constant))
            yield from (word for word in words if word in known)


def names(actions: tuple[Action, ...]) -> set[str]:
    return {action.name for action in actions}


def test_the_table_has_what_is_called_and_nothing_that_nobody_calls() -> None:
    ours = {action.operation for action in table() if action.use is not Use.WITHIN}
    assert called() == ours


def test_reads_and_writes_are_told_apart_as_the_quota_does() -> None:
    for action in table():
        if action.use is not Use.WITHIN:
            assert (action.use is Use.WRITE) == (action.operation in WRITES), action.name


def test_every_read_has_a_probe_and_no_write_has_one() -> None:
    assert set(PROBES) == {action.operation for action in table() if action.use is Use.READ}
    assert not set(PROBES) & WRITES


def test_a_probe_lacks_nothing_that_aws_requires() -> None:
    for operation, parameters in PROBES.items():
        shape = service_model().operation_model(operation).input_shape
        assert set(shape.required_members) <= {"Catalog", *parameters}, operation


def test_every_action_of_partner_central_is_an_operation_there() -> None:
    ours = {action.operation for action in table() if action.has_catalog}
    assert ours <= set(service_model().operation_names)
    assert names(table()) - {f"partnercentral:{name}" for name in ours} == {
        "aws-marketplace:DescribeEntity",
        "aws-marketplace:ListEntities",
    }


@pytest.mark.parametrize(
    ("tree", "sections", "more"),
    [
        (PLAIN, "", set()),
        (PLAIN, "associate: {AwsProducts: Codes__c}", {"AssociateOpportunity", "DisassociateOpportunity"}),
        (
            PLAIN,
            "associate: {AwsMarketplaceOffers: Offer__c}",
            {"AssociateOpportunity", "DisassociateOpportunity", "DescribeEntity", "ListEntities"},
        ),
        (PLAIN, SUBMISSION, SUBMITTING),
        (PLAIN, ASSIGN, {"AssignOpportunity"}),
        (PLAIN, INVITATION, INVITING),
        (PLAIN, f"{SUBMISSION}\n{INVITATION}", SUBMITTING | INVITING),
        ("Tags: [{Key: {value: CostCenter}, Value: Cost__c}]", "", {"TagResource"}),
    ],
    ids=["plain", "products", "offers", "submission", "owner", "invitations", "both", "tags"],
)
def test_each_feature_asks_for_its_own_actions(tree: str, sections: str, more: set[str]) -> None:
    found = needed(compiled(tree, sections))
    assert {action.operation for action in found} == ALWAYS | more
    assert len(found) == len(names(found)), "each is told once"


@pytest.mark.parametrize(
    ("sections", "is_vital"),
    [
        ("", False),
        ("write_back: {Stage__c: opportunity.LifeCycle.Stage}", False),
        ("write_back: {Stage__c: aws.LifeCycle.Stage}", True),
        ("inbound: {Stage__c: aws.LifeCycle.Stage}", True),
    ],
    ids=["nothing shown", "ours shown", "theirs shown", "theirs taken"],
)
def test_aws_own_side_is_vital_only_to_a_mapping_that_shows_it(sections: str, is_vital: bool) -> None:
    (action,) = [one for one in needed(compiled(PLAIN, sections)) if one.operation == "GetAwsOpportunitySummary"]
    assert action.is_vital == is_vital


def test_only_what_aws_may_not_ask_for_and_what_all_else_can_do_without_is_in_doubt() -> None:
    vital = {action.name for action in table() if not action.doubt}
    assert {action.name.partition(":")[2] for action in table() if action.name not in vital} == {
        "ListSolutions",
        "TagResource",
        "DescribeEntity",
        "ListEntities",
    }


def test_what_is_called_and_also_a_step_of_submitting_counts_as_called() -> None:
    uses = {one.operation: one.use for one in needed(compiled(PLAIN, f"{SUBMISSION}\n{INVITATION}"))}
    assert uses["CreateEngagementInvitation"] is Use.WRITE
    uses = {one.operation: one.use for one in needed(compiled(PLAIN, SUBMISSION))}
    assert uses["CreateEngagementInvitation"] is Use.WITHIN
