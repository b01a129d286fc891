"""CreateOpportunity: its business rules and its client tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from partner_central_bench import COMPLETE, Bench, changed, make_body, problems_of


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset()
    return shared


SPEND = {"Amount": "10", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}
MEMBER = {"Email": "a@b.example", "FirstName": "A", "LastName": "B"}
ACTIVITY = ("Marketing.Source", "Marketing Activity")


def spend_of(**changes: str) -> tuple[str, list[dict[str, str]]]:
    return ("Project.ExpectedCustomerSpend", [{**SPEND, **changes}])


def account(path: str, value: Any) -> tuple[str, Any]:
    return (f"Customer.Account.{path}", value)


REFUSED: list[tuple[list[tuple[str, Any]], str, str]] = [
    ([account("Industry", None)], "customer.account.industry", "REQUIRED_FIELD_MISSING"),
    ([account("CompanyName", " ")], "customer.account.companyName", "REQUIRED_FIELD_MISSING"),
    ([account("WebsiteUrl", None)], "customer.account.websiteUrl", "REQUIRED_FIELD_MISSING"),
    ([account("Address.CountryCode", None)], "customer.account.address.countryCode", "REQUIRED_FIELD_MISSING"),
    ([account("Address.StateOrRegion", "NY")], "customer.account.address.stateOrRegion", "INVALID_ENUM_VALUE"),
    ([account("Industry", "Other")], "customer.account.otherIndustry", "REQUIRED_FIELD_MISSING"),
    ([account("OtherIndustry", "Looms")], "customer.account.otherIndustry", "ACTION_NOT_PERMITTED"),
    ([("NationalSecurity", "Yes")], "nationalSecurity", "INVALID_VALUE"),
    ([("Project.Title", None)], "project.title", "REQUIRED_FIELD_MISSING"),
    ([("Project.Title", "")], "project.title", "REQUIRED_FIELD_MISSING"),
    ([("Project.CustomerBusinessProblem", None)], "project.customerBusinessProblem", "REQUIRED_FIELD_MISSING"),
    (
        [("Project.CustomerBusinessProblem", "too short" + " " * 20)],
        "project.customerBusinessProblem",
        "INVALID_STRING_FORMAT",
    ),
    ([("Project.CustomerUseCase", "Security &amp; Compliance")], "project.customerUseCase", "INVALID_ENUM_VALUE"),
    (
        [("Project.CustomerUseCase", "Migration/Database Migration")],
        "project.customerUseCase",
        "INVALID_ENUM_VALUE",
    ),
    ([("Project.ExpectedCustomerSpend", [])], "project.expectedCustomerSpend", "REQUIRED_FIELD_MISSING"),
    ([spend_of(Amount="0")], "project.expectedCustomerSpend.amount", "INVALID_VALUE"),
    ([spend_of(Amount="")], "project.expectedCustomerSpend.amount", "INVALID_VALUE"),
    ([spend_of(CurrencyCode="GBP")], "project.expectedCustomerSpend.currencyCode", "INVALID_VALUE"),
    ([("Project.AwsPartition", "aws-eusc")], "project.expectedCustomerSpend.currencyCode", "INVALID_VALUE"),
    (
        [("Project.ExpectedContractDuration", {"Term": "Months", "Value": "145"})],
        "project.expectedContractDuration.value",
        "VALUE_OUT_OF_RANGE",
    ),
    (
        [("Project.ExpectedContractDuration", {"Term": "Months", "Value": "012"})],
        "project.expectedContractDuration.value",
        "VALUE_OUT_OF_RANGE",
    ),
    ([("Customer.Account.AwsAccountId", "aws")], "customer.account.awsAccountId", "INVALID_VALUE"),
    ([("Project.OtherCompetitorNames", "X")], "project.otherCompetitorNames", "ACTION_NOT_PERMITTED"),
    ([("OpportunityType", "Flat Renewal")], "project.relatedOpportunityIdentifier", "REQUIRED_FIELD_MISSING"),
    (
        [("OpportunityType", "Expansion"), ("Project.RelatedOpportunityIdentifier", "O1")],
        "project.relatedOpportunityIdentifier",
        "INVALID_VALUE",
    ),
    ([("LifeCycle.Stage", None)], "lifeCycle.stage", "REQUIRED_FIELD_MISSING"),
    ([("LifeCycle.TargetCloseDate", None)], "lifeCycle.targetCloseDate", "REQUIRED_FIELD_MISSING"),
    (
        [("LifeCycle.TargetCloseDate", "2027-01-15")],
        "lifeCycle.targetCloseDate",
        "BUSINESS_VALIDATION_EXCEPTION",
    ),
    ([("LifeCycle.TargetCloseDate", "2027-02-30")], "lifeCycle.targetCloseDate", "INVALID_STRING_FORMAT"),
    ([("LifeCycle.ReviewStatus", "Submitted")], "lifeCycle.reviewStatus", "ACTION_NOT_PERMITTED"),
    ([("LifeCycle.ClosedLostReason", "Price")], "lifeCycle.closedLostReason", "ACTION_NOT_PERMITTED"),
    (
        [("LifeCycle.Stage", "Closed Lost"), ("LifeCycle.ClosedLostReason", "Price")],
        "lifeCycle.stage",
        "ACTION_NOT_PERMITTED",
    ),
    ([("Marketing.CampaignName", "Fair")], "marketing.campaignName", "ACTION_NOT_PERMITTED"),
    ([("Marketing.AwsFundingUsed", "No")], "marketing.awsFundingUsed", "ACTION_NOT_PERMITTED"),
    ([ACTIVITY], "marketing.awsFundingUsed", "REQUIRED_FIELD_MISSING"),
    (
        [ACTIVITY, ("Marketing.AwsFundingUsed", "No"), ("Marketing.UseCases", ["AI/ML"])],
        "marketing.useCases",
        "ACTION_NOT_PERMITTED",
    ),
    (
        [("SoftwareRevenue", {"EffectiveDate": "2027-05-01", "ExpirationDate": "2027-04-30"})],
        "softwareRevenue.expirationDate",
        "INVALID_VALUE",
    ),
    (
        [("SoftwareRevenue", {"EffectiveDate": "2027-04-31"})],
        "softwareRevenue.effectiveDate",
        "INVALID_STRING_FORMAT",
    ),
    (
        [("OpportunityTeam", [{**MEMBER, "BusinessTitle": "Seller"}])],
        "opportunityTeam.businessTitle",
        "INVALID_VALUE",
    ),
    ([("Catalog", "AWS"), ("Origin", "AWS Referral")], "origin", "ACTION_NOT_PERMITTED"),
]


@pytest.mark.parametrize(("changes", "field", "code"), REFUSED)
def test_a_business_rule_refuses(bench: Bench, changes: list[tuple[str, Any]], field: str, code: str) -> None:
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        bench.create(*changes)
    assert caught.value.response["Reason"] == "BUSINESS_VALIDATION_FAILED"
    assert problems_of(caught.value) == {(field, code)}
    assert bench.service.opportunities() == []


def test_a_close_date_of_today_is_refused_in_the_service_s_words(bench: Bench) -> None:
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        bench.create(("LifeCycle.TargetCloseDate", "2027-01-15"))
    entry = caught.value.response["ErrorList"][0]
    assert entry["Message"] == "Target Close Date should be a future date"


def test_every_problem_is_told_at_once(bench: Bench) -> None:
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        bench.client.create_opportunity(Catalog="Sandbox")
    assert {field for field, _ in problems_of(caught.value)} == {
        "customer.account.companyName",
        "customer.account.industry",
        "customer.account.websiteUrl",
        "customer.account.address.countryCode",
        "project.title",
        "project.customerBusinessProblem",
        "project.expectedCustomerSpend",
        "lifeCycle.stage",
        "lifeCycle.targetCloseDate",
    }


@pytest.mark.parametrize(
    "changes",
    [
        [account("Address.PostalCode", None)],
        [account("Address.StateOrRegion", None)],
        [("Project.SalesActivities", None)],
        [("Project.DeliveryModels", None)],
        [("Project.CustomerUseCase", None)],
        [("Project.OtherSolutionDescription", None)],
        [("PrimaryNeedsFromAws", None)],
        [("OpportunityType", None)],
        [("Marketing", None)],
        [("PartnerOpportunityIdentifier", None)],
        [account("Address.PostalCode", "anything")],
        [account("Industry", "Other"), account("OtherIndustry", "Looms")],
        [account("Industry", "Government"), ("NationalSecurity", "Yes"), account("WebsiteUrl", None)],
        [("Project.CompetitorName", "*Other"), ("Project.OtherCompetitorNames", "X")],
        [("Project.AwsPartition", "aws-eusc"), spend_of(CurrencyCode="EUR")],
        [("LifeCycle.TargetCloseDate", "2027-01-16")],
        [("OpportunityTeam", [{**MEMBER, "BusinessTitle": "OpportunityOwner"}])],
        [ACTIVITY, ("Marketing.AwsFundingUsed", "Yes"), ("Marketing.UseCases", ["AI/ML"])],
    ],
)
def test_what_only_a_submission_needs_may_be_missing(bench: Bench, changes: list[tuple[str, Any]]) -> None:
    assert bench.status(bench.create(*changes)) == "Pending Submission"


def test_what_aws_computes_or_ignores_is_not_stored(bench: Bench) -> None:
    estimate = "https://calculator.aws/#/estimate?id=" + "a" * 40
    spend = {"CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "Acme", "EstimationUrl": estimate}
    record = bench.read(
        bench.create(
            ("Project.ExpectedCustomerSpend", [spend]),
            ("Project.RelatedOpportunityIdentifier", "O77"),
            account("Address", {"CountryCode": "DE", "StateOrRegion": "Bayern"}),
        )
    )
    assert record["Project"]["ExpectedCustomerSpend"] == [{**spend, "TargetCompany": "AWS"}]
    assert "RelatedOpportunityIdentifier" not in record["Project"]
    assert record["Customer"]["Account"]["Address"] == {"CountryCode": "DE"}


def test_a_renewal_names_an_opportunity_of_one_s_own(bench: Bench) -> None:
    parent = bench.create()
    renewal = ("OpportunityType", "Flat Renewal")
    child = bench.create(renewal, ("Project.RelatedOpportunityIdentifier", parent))
    assert bench.read(child)["Project"]["RelatedOpportunityIdentifier"] == parent


def test_ids_are_an_o_and_digits_and_differ(bench: Bench) -> None:
    first, second = bench.create(), bench.create()
    assert first[0] == second[0] == "O"
    assert int(first[1:]) + 1 == int(second[1:])


def test_the_same_token_and_body_replay_the_answer(bench: Bench) -> None:
    first = bench.client.create_opportunity(**COMPLETE, ClientToken="t")
    bench.wait(3600)
    again = bench.client.create_opportunity(**COMPLETE, ClientToken="t")
    assert (again["Id"], again["LastModifiedDate"]) == (first["Id"], first["LastModifiedDate"])
    assert len(bench.service.opportunities()) == 1


def test_the_same_token_with_another_body_is_a_conflict(bench: Bench) -> None:
    bench.client.create_opportunity(**COMPLETE, ClientToken="t")
    with pytest.raises(bench.client.exceptions.ConflictException) as caught:
        bench.client.create_opportunity(**make_body(("Project.Title", "Other")), ClientToken="t")
    message = "Conflicting client token submitted for a new request body."
    assert caught.value.response["Error"]["Message"] == message


def test_a_refused_request_does_not_use_its_token_up(bench: Bench) -> None:
    with pytest.raises(bench.client.exceptions.ValidationException):
        bench.client.create_opportunity(**make_body(("Project.Title", None)), ClientToken="t")
    assert bench.client.create_opportunity(**COMPLETE, ClientToken="t")["Id"]


def test_a_token_belongs_to_account_catalog_and_operation(bench: Bench) -> None:
    bench.reset(accounts={"SECOND": "444455556666"})
    second = bench.client_of("SECOND")
    first = bench.client.create_opportunity(**COMPLETE, ClientToken="t")["Id"]
    ids = {
        first,
        bench.client.create_opportunity(**changed(COMPLETE, ("Catalog", "AWS")), ClientToken="t")["Id"],
        second.create_opportunity(**COMPLETE, ClientToken="t")["Id"],
    }
    assert len(ids) == 3
    assert bench.start(first, ClientToken="t")["TaskStatus"] == "COMPLETE"
    second.close()


def test_a_token_is_forgotten_after_its_lifetime(bench: Bench) -> None:
    bench.service.configure(token_lifetime=60)
    first = bench.client.create_opportunity(**COMPLETE, ClientToken="t")["Id"]
    bench.wait(59)
    assert bench.client.create_opportunity(**COMPLETE, ClientToken="t")["Id"] == first
    bench.wait(1)
    assert bench.client.create_opportunity(**COMPLETE, ClientToken="t")["Id"] != first


def test_catalogs_and_accounts_do_not_see_each_other(bench: Bench) -> None:
    bench.reset(accounts={"SECOND": "444455556666"})
    identifier = bench.create()
    with pytest.raises(bench.client.exceptions.ResourceNotFoundException):
        bench.client.get_opportunity(Catalog="AWS", Identifier=identifier)
    second = bench.client_of("SECOND")
    with pytest.raises(second.exceptions.ResourceNotFoundException):
        second.get_opportunity(Catalog="Sandbox", Identifier=identifier)
    second.close()


def test_an_aws_referral_arrives_as_an_invitation(bench: Bench) -> None:
    identifier = bench.create(("Origin", "AWS Referral"))
    with pytest.raises(bench.client.exceptions.ResourceNotFoundException):
        bench.read(identifier)
    listed = bench.client.list_engagement_invitations(Catalog="Sandbox", ParticipantType="RECEIVER")
    (invitation,) = listed["EngagementInvitationSummaries"]
    assert (invitation["Status"], invitation["SenderAwsAccountId"]) == ("PENDING", "390403897881")
