"""UpdateOpportunity: full replacement, the lock, what may change when; and AWS's review."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from partner_central_bench import CO_SELL, VISIBILITY_ONLY, Bench, changed, problems_of


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset()
    return shared


def refused(bench: Bench, identifier: str, *changes: tuple[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        bench.update(identifier, *changes)
    return problems_of(caught.value)


def test_an_update_replaces_everything(bench: Bench) -> None:
    identifier = bench.create(("Project.AdditionalComments", "Handle with care"))
    bench.update(identifier, ("Project.AdditionalComments", None), ("Project.Title", "New"))
    project = bench.read(identifier)["Project"]
    assert "AdditionalComments" not in project
    assert project["Title"] == "New"


def test_an_update_answers_with_id_and_a_later_stamp(bench: Bench) -> None:
    identifier = bench.create()
    before = bench.read(identifier)["LastModifiedDate"]
    answer = bench.update(identifier)
    assert answer["Id"] == identifier
    assert answer["LastModifiedDate"] == before + timedelta(milliseconds=1)


def test_a_stale_stamp_is_a_conflict(bench: Bench) -> None:
    identifier = bench.create()
    stale = bench.echo(identifier)
    bench.update(identifier)
    with pytest.raises(bench.client.exceptions.ConflictException) as caught:
        bench.client.update_opportunity(**stale)
    assert "last modified date is not the latest" in caught.value.response["Error"]["Message"]


def test_the_team_of_a_raw_update_is_ignored(bench: Bench) -> None:
    identifier = bench.create()
    stamp = bench.read(identifier)["LastModifiedDate"].isoformat()
    body = {**bench.echo(identifier), "LastModifiedDate": stamp, "OpportunityTeam": [{"Email": "x"}]}
    assert bench.post("UpdateOpportunity", body).status_code == 200


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("LifeCycle.Stage", "lifeCycle.stage"),
        ("LifeCycle.TargetCloseDate", "lifeCycle.targetCloseDate"),
        ("Marketing", "marketing.source"),
        ("OpportunityType", "opportunityType"),
        ("Project.CustomerUseCase", "project.customerUseCase"),
        ("Project.DeliveryModels", "project.deliveryModels"),
        ("Project.SalesActivities", "project.salesActivities"),
        ("Project.Title", "project.title"),
    ],
)
def test_an_update_needs_more_than_a_create(bench: Bench, path: str, field: str) -> None:
    identifier = bench.create()
    assert (field, "REQUIRED_FIELD_MISSING") in refused(bench, identifier, (path, None))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ([("Customer.Contacts", [{"Email": "a@b.example"}])], "customer.contacts.firstName"),
        ([("Project.CustomerUseCase", "Security &amp; Compliance")], "project.customerUseCase"),
        ([("LifeCycle.TargetCloseDate", "2027-01-15")], "lifeCycle.targetCloseDate"),
        ([("PrimaryNeedsFromAws", ["Do Not Need Support from AWS Sales Rep"])], "primaryNeedsFromAws"),
    ],
)
def test_what_makes_an_echo_fail(bench: Bench, changes: list[tuple[str, Any]], field: str) -> None:
    identifier = bench.create()
    assert field in {name for name, _ in refused(bench, identifier, *changes)}


def test_a_pending_stage_stays(bench: Bench) -> None:
    identifier = bench.create()
    assert refused(bench, identifier, ("LifeCycle.Stage", "Committed")) >= {("lifeCycle.stage", "ACTION_NOT_PERMITTED")}


def test_sandbox_loses_a_review_status_that_is_left_out(bench: Bench) -> None:
    identifier = bench.create()
    bench.update(identifier, ("LifeCycle.ReviewStatus", None))
    assert bench.status(identifier) is None
    bench.update(identifier, ("LifeCycle.ReviewStatus", "Pending Submission"))
    task = bench.start(identifier)
    assert task["TaskStatus"] == "FAILED"
    assert "Only Pending Submission or action required opportunities can be submitted" in task["Message"]


@pytest.mark.parametrize("catalog", ["Sandbox", "AWS"])
def test_the_loss_can_be_switched_off_and_is_sandbox_only(bench: Bench, catalog: str) -> None:
    bench.service.configure(null_review_status=catalog == "AWS")
    identifier = bench.create(("Catalog", catalog))
    body = bench.client.get_opportunity(Catalog=catalog, Identifier=identifier)
    kept = {key: body[key] for key in ("Customer", "Project", "Marketing", "OpportunityType", "LifeCycle")}
    kept["Project"]["CustomerUseCase"] = "SAP"
    kept["LifeCycle"].pop("ReviewStatus")
    stamp = body["LastModifiedDate"]
    bench.client.update_opportunity(Catalog=catalog, Identifier=identifier, LastModifiedDate=stamp, **kept)
    after = bench.client.get_opportunity(Catalog=catalog, Identifier=identifier)
    assert after["LifeCycle"]["ReviewStatus"] == "Pending Submission"


@pytest.mark.parametrize("status", ["Submitted", "In review", "Rejected"])
def test_nothing_changes_while_aws_has_it(bench: Bench, status: str) -> None:
    identifier = bench.create()
    bench.start(identifier)
    if status != "Submitted":
        bench.service.review(identifier, status)
    assert refused(bench, identifier, ("Project.Title", "New")) == {("", "ACTION_NOT_PERMITTED")}
    assert refused(bench, identifier) == {("", "ACTION_NOT_PERMITTED")}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("Project.Title", "New"), "project.title"),
        (("Project.SalesActivities", ["SOW Signed"]), "project.salesActivities"),
        (("LifeCycle.Stage", "Committed"), "lifeCycle.stage"),
        (("LifeCycle.NextSteps", "Call"), "lifeCycle.nextSteps"),
        (("PrimaryNeedsFromAws", None), "primaryNeedsFromAws"),
        (("Customer.Account.CompanyName", "New"), "customer.account.companyName"),
    ],
)
def test_action_required_locks_most_fields(bench: Bench, change: tuple[str, Any], field: str) -> None:
    identifier = bench.create()
    bench.start(identifier)
    bench.service.review(identifier, "Action Required", "Which site?", "CUSTOMER")
    assert (field, "ACTION_NOT_PERMITTED") in refused(bench, identifier, change)


def test_a_fix_of_action_required_goes_back_to_aws(bench: Bench) -> None:
    identifier = bench.create()
    bench.start(identifier)
    bench.service.review(identifier, "Action Required", "Which site?", "CUSTOMER")
    life_cycle = bench.read(identifier)["LifeCycle"]
    assert (life_cycle["ReviewComments"], life_cycle["ReviewStatusReason"]) == ("Which site?", "CUSTOMER")
    bench.update(
        identifier,
        ("Customer.Account.Address", {"CountryCode": "DE", "PostalCode": "10117", "City": "Berlin"}),
        ("Customer.Account.WebsiteUrl", "https://new.example"),
        ("LifeCycle.TargetCloseDate", "2027-09-30"),
        ("Project.ExpectedCustomerSpend.0.Amount", "2000"),
        ("Project.CustomerBusinessProblem", "Looms report late and by fax."),
        ("PartnerOpportunityIdentifier", "006000000000002AAA"),
    )
    assert bench.status(identifier) == "Submitted"
    bench.service.review(identifier, "Approved")
    assert bench.status(identifier) == "Approved"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("Project.Title", "New"), "project.title"),
        (("Project.CustomerBusinessProblem", "Another problem of looms."), "project.customerBusinessProblem"),
        (("Customer.Account.CompanyName", "New"), "customer.account.companyName"),
        (("Customer.Account.Industry", "Retail"), "customer.account.industry"),
        (("Customer.Account.WebsiteUrl", "https://x.example"), "customer.account.websiteUrl"),
        (("Customer.Account.Address.PostalCode", "10004"), "customer.account.address.postalCode"),
        (("Customer.Account.Address.StateOrRegion", "Ohio"), "customer.account.address.stateOrRegion"),
        (("NationalSecurity", None), "nationalSecurity"),
        (("PartnerOpportunityIdentifier", None), "partnerOpportunityIdentifier"),
        (("SoftwareRevenue", None), "softwareRevenue.deliveryModel"),
        (("PrimaryNeedsFromAws", None), "primaryNeedsFromAws"),
        (("LifeCycle.ReviewStatus", "Rejected"), "lifeCycle.reviewStatus"),
    ],
)
def test_approval_locks_what_identifies_the_deal(bench: Bench, change: tuple[str, Any], field: str) -> None:
    identifier = bench.approve(("SoftwareRevenue", {"DeliveryModel": "Contract"}))
    assert refused(bench, identifier, change) == {(field, "ACTION_NOT_PERMITTED")}


def test_approval_leaves_the_sale_open(bench: Bench) -> None:
    identifier = bench.approve()
    bench.update(
        identifier,
        ("LifeCycle.Stage", "Technical Validation"),
        ("LifeCycle.NextSteps", "Call"),
        ("LifeCycle.TargetCloseDate", "2027-12-31"),
        ("Project.ExpectedCustomerSpend.0.Amount", "5000"),
        ("Customer.Account.Address.City", "Albany"),
        ("Customer.Account.AwsAccountId", "999900001111"),
        ("LifeCycle.ReviewStatus", None),
    )
    record = bench.read(identifier)
    assert record["LifeCycle"]["ReviewStatus"] == "Approved"
    assert [step["Value"] for step in record["LifeCycle"]["NextStepsHistory"]] == ["Call"]


def test_late_stages_need_a_solution_and_launch_an_account(bench: Bench) -> None:
    identifier = bench.approve()
    committed = ("LifeCycle.Stage", "Committed")
    assert refused(bench, identifier, committed) == {("relatedEntityIdentifiers.solutions", "REQUIRED_FIELD_MISSING")}
    bench.client.associate_opportunity(
        Catalog="Sandbox",
        OpportunityIdentifier=identifier,
        RelatedEntityType="Solutions",
        RelatedEntityIdentifier="S-0001111",
    )
    bench.update(identifier, committed)
    launched = ("LifeCycle.Stage", "Launched")
    missing = {("customer.account.awsAccountId", "REQUIRED_FIELD_MISSING")}
    assert refused(bench, identifier, launched) == missing
    bench.update(identifier, launched, ("Customer.Account.AwsAccountId", "999900001111"))


def launch(bench: Bench) -> str:
    bench.service.configure(launched_needs_account=False)
    identifier = bench.approve()
    bench.client.associate_opportunity(
        Catalog="Sandbox",
        OpportunityIdentifier=identifier,
        RelatedEntityType="Solutions",
        RelatedEntityIdentifier="S-0001111",
    )
    bench.update(identifier, ("LifeCycle.Stage", "Launched"))
    return identifier


def test_after_launch_little_can_change_and_the_date_may_pass(bench: Bench) -> None:
    identifier = launch(bench)
    assert refused(bench, identifier, ("LifeCycle.NextSteps", "Call")) == {
        ("lifeCycle.nextSteps", "ACTION_NOT_PERMITTED")
    }
    bench.wait(365 * 86_400)
    bench.update(identifier, ("Project.DeliveryModels", ["Resell"]), ("Project.AdditionalComments", "Runs well"))


def test_a_lost_deal_needs_its_reason_and_is_closed_for_good(bench: Bench) -> None:
    identifier = bench.approve()
    lost = ("LifeCycle.Stage", "Closed Lost")
    assert refused(bench, identifier, lost) == {("lifeCycle.closedLostReason", "REQUIRED_FIELD_MISSING")}
    bench.update(identifier, lost, ("LifeCycle.ClosedLostReason", "Price"))
    assert ("project.deliveryModels", "ACTION_NOT_PERMITTED") in refused(
        bench, identifier, ("Project.DeliveryModels", ["Resell"])
    )


@pytest.mark.parametrize("decision", ["Approved", "Action Required", "Rejected"])
def test_sandbox_callers_may_play_the_reviewer(bench: Bench, decision: str) -> None:
    identifier = bench.create()
    bench.start(identifier)
    bench.update(identifier, ("LifeCycle.ReviewStatus", decision), ("LifeCycle.ReviewComments", "As you say"))
    life_cycle = bench.read(identifier)["LifeCycle"]
    assert (life_cycle["ReviewStatus"], life_cycle["ReviewComments"]) == (decision, "As you say")


@pytest.mark.parametrize("decision", ["In review", "Approved"])
def test_the_reviewer_cannot_be_played_before_submission(bench: Bench, decision: str) -> None:
    identifier = bench.create()
    change = ("LifeCycle.ReviewStatus", decision)
    assert refused(bench, identifier, change) == {("lifeCycle.reviewStatus", "ACTION_NOT_PERMITTED")}


def test_the_reviewer_cannot_be_played_in_catalog_aws(bench: Bench) -> None:
    identifier = bench.create(("Catalog", "AWS"))
    bench.client.start_engagement_from_opportunity_task(Catalog="AWS", Identifier=identifier, AwsSubmission=CO_SELL)
    body = bench.client.get_opportunity(Catalog="AWS", Identifier=identifier)
    kept = {key: body[key] for key in ("Customer", "Project", "Marketing", "OpportunityType", "LifeCycle")}
    kept["Project"]["CustomerUseCase"] = "SAP"
    update = changed(kept, ("LifeCycle.ReviewStatus", "Approved"))
    stamp = body["LastModifiedDate"]
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        bench.client.update_opportunity(Catalog="AWS", Identifier=identifier, LastModifiedDate=stamp, **update)
    assert ("", "ACTION_NOT_PERMITTED") in problems_of(caught.value)


def test_a_review_bumps_the_stamp_and_knows_the_way(bench: Bench) -> None:
    identifier = bench.create()
    with pytest.raises(ValueError, match="Pending Submission"):
        bench.service.review(identifier, "Approved")
    bench.start(identifier)
    before = bench.read(identifier)["LastModifiedDate"]
    bench.service.review(identifier, "In review")
    bench.service.review(identifier, "Approved")
    assert bench.read(identifier)["LastModifiedDate"] > before
    with pytest.raises(ValueError, match="Approved"):
        bench.service.review(identifier, "Rejected")
    with pytest.raises(KeyError):
        bench.service.review("O1", "Approved")


def test_aws_decides_by_itself_where_told_to(bench: Bench) -> None:
    bench.service.configure(review_after=60, review_as="Action Required")
    identifier = bench.create()
    bench.start(identifier)
    bench.wait(59)
    assert bench.status(identifier) == "Submitted"
    bench.wait(2)
    assert bench.status(identifier) == "Action Required"
    bench.service.configure(review_as="Approved")
    bench.update(identifier)
    bench.wait(61)
    assert bench.status(identifier) == "Approved"


def test_visibility_only_reads_back_a_need_that_cannot_be_sent(bench: Bench) -> None:
    identifier = bench.create(("PrimaryNeedsFromAws", None))
    assert bench.start(identifier, VISIBILITY_ONLY)["TaskStatus"] == "COMPLETE"
    bench.service.review(identifier, "Approved")
    need = "Do Not Need Support from AWS Sales Rep"
    assert bench.read(identifier)["PrimaryNeedsFromAws"] == [need]
    assert refused(bench, identifier) == {("primaryNeedsFromAws", "INVALID_ENUM_VALUE")}
    bench.update(identifier, ("PrimaryNeedsFromAws", None))


def test_assigning_replaces_the_owner(bench: Bench) -> None:
    identifier = bench.create()
    owner = {
        "Email": "o@p.example",
        "FirstName": "Olga",
        "LastName": "P",
        "BusinessTitle": "OpportunityOwner",
    }
    bench.client.assign_opportunity(Catalog="Sandbox", Identifier=identifier, Assignee=owner)
    assert bench.read(identifier)["OpportunityTeam"] == [owner]
    wrong = {**owner, "BusinessTitle": "Seller"}
    with pytest.raises(bench.client.exceptions.ValidationException):
        bench.client.assign_opportunity(Catalog="Sandbox", Identifier=identifier, Assignee=wrong)
