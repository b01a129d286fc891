"""Who is refused what, and when: by review status, by stage, by setting; and that the journal keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from partner_central_bench import Bench, problems_of

OWNER = {"Email": "o@p.example", "FirstName": "Olga", "LastName": "P", "BusinessTitle": "OpportunityOwner"}
SOLUTION = {"RelatedEntityType": "Solutions", "RelatedEntityIdentifier": "S-0001111"}
NOT_PERMITTED = "ACTION_NOT_PERMITTED"
MISSING = "REQUIRED_FIELD_MISSING"
LOST = ("LifeCycle.Stage", "Closed Lost")
REASON = ("LifeCycle.ClosedLostReason", "Price")
REVENUE = {
    "DeliveryModel": "Contract",
    "Value": {"Amount": "10", "CurrencyCode": "USD"},
    "EffectiveDate": "2027-02-01",
    "ExpirationDate": "2028-02-01",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset()
    return shared


def bring_to(bench: Bench, status: str, *changes: tuple[str, Any]) -> str:
    identifier = bench.create(*changes)
    if status != "Pending Submission":
        assert bench.start(identifier)["TaskStatus"] == "COMPLETE"
    if status not in ("Pending Submission", "Submitted"):
        bench.service.review(identifier, status)
    return identifier


def assign(bench: Bench, identifier: str) -> None:
    bench.client.assign_opportunity(Catalog="Sandbox", Identifier=identifier, Assignee=OWNER)


def associate(bench: Bench, identifier: str) -> None:
    bench.client.associate_opportunity(Catalog="Sandbox", OpportunityIdentifier=identifier, **SOLUTION)


def disassociate(bench: Bench, identifier: str) -> None:
    bench.client.disassociate_opportunity(Catalog="Sandbox", OpportunityIdentifier=identifier, **SOLUTION)


def refused(bench: Bench, act: Callable[..., Any], *arguments: Any) -> set[tuple[str, str]]:
    with pytest.raises(ClientError) as caught:
        act(*arguments)
    found = problems_of(caught.value)
    assert {code for _, code in found} == set(bench.service.journal[-1].problems)
    return found


STATUSES = ("Pending Submission", "Submitted", "In review", "Action Required", "Approved", "Rejected")


@pytest.mark.parametrize("status", STATUSES)
def test_an_owner_is_assigned_but_for_what_was_rejected(bench: Bench, status: str) -> None:
    identifier = bring_to(bench, status)
    if status == "Rejected":
        assert refused(bench, assign, bench, identifier) == {("identifier", NOT_PERMITTED)}
    else:
        assign(bench, identifier)
        assert bench.read(identifier)["OpportunityTeam"] == [OWNER]


def test_only_users_of_partner_central_can_be_assigned_where_told_so(bench: Bench) -> None:
    identifier = bench.create()
    bench.service.configure(users=["somebody@p.example"])
    assert refused(bench, assign, bench, identifier) == {("assignee.email", "INVALID_VALUE")}
    bench.service.configure(users=["somebody@p.example", OWNER["Email"]])
    assign(bench, identifier)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("status", STATUSES)
def test_associations_in_review_are_a_setting(bench: Bench, status: str, allowed: bool) -> None:
    bench.service.configure(associate_in_review=allowed)
    identifier = bring_to(bench, status)
    is_locked = status == "Rejected" or (status in ("Submitted", "In review") and not allowed)
    if is_locked:
        locked = {("opportunityIdentifier", NOT_PERMITTED)}
        assert refused(bench, associate, bench, identifier) == locked
        assert refused(bench, disassociate, bench, identifier) == locked
    else:
        associate(bench, identifier)
        disassociate(bench, identifier)
    assert bench.read(identifier)["RelatedEntityIdentifiers"]["Solutions"] == []


def test_from_committed_on_a_description_is_no_solution(bench: Bench) -> None:
    identifier = bring_to(bench, "Approved")
    associate(bench, identifier)
    bench.update(identifier, ("LifeCycle.Stage", "Committed"))
    assert refused(bench, disassociate, bench, identifier) == {("relatedEntityIdentifier", NOT_PERMITTED)}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("stage", ["Prospect", "Qualified", "Committed", "Launched", "Closed Lost"])
def test_a_stage_moves_only_once_approved(bench: Bench, status: str, stage: str) -> None:
    identifier = bring_to(bench, status, ("Customer.Account.AwsAccountId", "999900001111"))
    if status != "Rejected":
        associate(bench, identifier)
    changes = [("LifeCycle.Stage", stage), *([REASON] if stage == "Closed Lost" else [])]
    is_echo = stage == "Qualified" and status in ("Pending Submission", "Action Required")
    if status == "Approved" or is_echo:
        bench.update(identifier, *changes)
        assert bench.read(identifier)["LifeCycle"]["Stage"] == stage
    else:
        assert NOT_PERMITTED in {code for _, code in refused(bench, bench.update, identifier, *changes)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([LOST], {("lifeCycle.closedLostReason", MISSING)}),
        ([REASON], {("lifeCycle.closedLostReason", NOT_PERMITTED)}),
        ([("LifeCycle.Stage", "Committed")], {("relatedEntityIdentifiers.solutions", MISSING)}),
        ([("LifeCycle.Stage", None)], {("lifeCycle.stage", MISSING)}),
        ([("Marketing", None)], {("marketing.source", MISSING)}),
        ([("PrimaryNeedsFromAws", None)], {("primaryNeedsFromAws", NOT_PERMITTED)}),
        ([("SoftwareRevenue.DeliveryModel", "Subscription")], {("softwareRevenue.deliveryModel", NOT_PERMITTED)}),
        ([("LifeCycle.ReviewStatus", "Submitted")], {("lifeCycle.reviewStatus", NOT_PERMITTED)}),
        ([("Marketing.AwsFundingUsed", "Yes")], {("marketing.awsFundingUsed", NOT_PERMITTED)}),
        ([("Marketing.Source", "Marketing Activity")], {("marketing.awsFundingUsed", MISSING)}),
        ([("Marketing.CampaignName", "Spring")], {("marketing.campaignName", NOT_PERMITTED)}),
    ],
)
def test_what_an_approved_record_refuses(
    bench: Bench, changes: list[tuple[str, Any]], expected: set[tuple[str, str]]
) -> None:
    identifier = bring_to(bench, "Approved")
    before = bench.read(identifier)["LastModifiedDate"]
    assert refused(bench, bench.update, identifier, *changes) == expected
    assert bench.read(identifier)["LastModifiedDate"] == before


def test_a_lost_deal_cannot_change_its_mind_or_its_reason(bench: Bench) -> None:
    identifier = bring_to(bench, "Approved")
    bench.update(identifier, LOST, REASON)
    for changes in ([("LifeCycle.Stage", "Qualified"), ("LifeCycle.ClosedLostReason", None)], [(REASON[0], "Other")]):
        assert {code for _, code in refused(bench, bench.update, identifier, *changes)} == {NOT_PERMITTED}


@pytest.mark.parametrize("status", ["Pending Submission", "Action Required"])
def test_the_review_status_is_echoed_and_never_chosen(bench: Bench, status: str) -> None:
    identifier = bring_to(bench, status)
    chosen = ("LifeCycle.ReviewStatus", "In review")
    assert refused(bench, bench.update, identifier, chosen) == {("lifeCycle.reviewStatus", NOT_PERMITTED)}
    bench.update(identifier)
    assert bench.status(identifier) == ("Pending Submission" if status == "Pending Submission" else "Submitted")


def test_special_programs_tell_the_contract_before_the_launch(bench: Bench) -> None:
    bench.service.configure(launched_needs_account=False, launched_needs_revenue=True)
    launched = ("LifeCycle.Stage", "Launched")
    bare = bring_to(bench, "Approved", ("SoftwareRevenue", {"DeliveryModel": "Contract"}))
    associate(bench, bare)
    assert refused(bench, bench.update, bare, launched) == {
        ("softwareRevenue.value", MISSING),
        ("softwareRevenue.effectiveDate", MISSING),
        ("softwareRevenue.expirationDate", MISSING),
    }
    told = bring_to(bench, "Approved", ("SoftwareRevenue", REVENUE))
    associate(bench, told)
    bench.update(told, launched)


def test_the_journal_tells_which_problems_a_caller_had(bench: Bench) -> None:
    identifier = bring_to(bench, "Rejected")
    bench.read(identifier)
    assert [entry.problems for entry in bench.service.journal] == [()] * len(bench.service.journal)
    refused(bench, bench.update, identifier, ("Project.Title", "New"), ("Marketing", None))
    entry = bench.service.journal[-1]
    assert (entry.operation, entry.outcome) == ("UpdateOpportunity", "ValidationException")
    assert sorted(entry.problems) == [NOT_PERMITTED, MISSING]
    with pytest.raises(ClientError):
        bench.client.get_opportunity(Catalog="Sandbox", Identifier="O1")
    assert (bench.service.journal[-1].outcome, bench.service.journal[-1].problems) == ("ResourceNotFoundException", ())
