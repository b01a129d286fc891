"""What happens without a request of ours: edits in Partner Central, AWS's summary, its team."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from partner_central_bench import CO_SELL, VISIBILITY_ONLY, Bench, changed

from connector.sandbox.partner_central.shapes import RequestModel, load_model

REP = {"BusinessTitle": "AWSSalesRep", "FirstName": "Ada", "LastName": "Field", "Email": "ada@aws.example"}
SPEND = [{"Amount": "900", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}]
INSIGHTS = {
    "EngagementScore": "High",
    "NextBestActions": "Offer a workshop.",
    "AwsProductsSpendInsightsBySource": {
        "AWS": {
            "CurrencyCode": "USD",
            "Frequency": "Monthly",
            "TotalAmount": "900",
            "TotalAmountByCategory": {"Compute v1.5": "900"},
            "AwsProducts": [],
        }
    },
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset()
    return shared


def summary(bench: Bench, identifier: str) -> dict[str, Any]:
    """The summary as it comes over the wire, and as AWS's model wants it."""
    request = {"Catalog": "Sandbox", "RelatedOpportunityIdentifier": identifier}
    answer: dict[str, Any] = bench.post("GetAwsOpportunitySummary", request).json()
    assert RequestModel().check_answer("GetAwsOpportunitySummary", answer) == []
    return answer


def submit(bench: Bench, submission: dict[str, str] = CO_SELL, *changes: tuple[str, Any]) -> str:
    identifier = bench.create(*changes)
    assert bench.start(identifier, submission)["TaskStatus"] == "COMPLETE"
    return identifier


EDITS: list[tuple[str, Any]] = [
    ("LifeCycle.NextSteps", "Call the plant"),
    ("LifeCycle.Stage", "Committed"),
    ("LifeCycle.TargetCloseDate", "2027-12-31"),
    ("LifeCycle.ReviewComments", "Which site?"),
    ("LifeCycle.ReviewStatusReason", "CUSTOMER"),
    ("Customer.Account.AwsAccountId", "999900001111"),
    ("Customer.Contacts", [{"Email": "a@b.example"}]),
    ("Project.ExpectedCustomerSpend.0.Amount", "5000"),
    ("Project.ExpectedCustomerSpend", [*SPEND, {"CurrencyCode": "USD"}]),
    ("PrimaryNeedsFromAws", ["Do Not Need Support from AWS Sales Rep"]),
    ("Marketing", {"Source": "None", "CampaignName": "Spring"}),
    ("SoftwareRevenue.Value", {"Amount": "10", "CurrencyCode": "EUR"}),
    ("OpportunityTeam", [{"Email": "o@p.example", "BusinessTitle": "OpportunityOwner"}]),
    ("RelatedEntityIdentifiers.Solutions", ["S-0001111"]),
]


@pytest.mark.parametrize(("path", "value"), EDITS)
@pytest.mark.parametrize("status", ["Pending Submission", "Submitted", "Approved", "Rejected"])
def test_aws_edits_any_member_in_any_status(bench: Bench, status: str, path: str, value: Any) -> None:
    identifier = bench.create()
    if status != "Pending Submission":
        bench.start(identifier)
    if status in ("Approved", "Rejected"):
        bench.service.review(identifier, status)
    before = bench.read(identifier)
    bench.service.edit_at_aws(identifier, **{path: value})
    after = bench.read(identifier)
    stamps = (before.pop("LastModifiedDate"), after.pop("LastModifiedDate"))
    assert stamps[0] < stamps[1]
    for record in (before, after):
        record.pop("ResponseMetadata")
        record["LifeCycle"].pop("NextStepsHistory")
    assert after == changed(before, (path, value))


def test_an_edit_shows_in_the_list_of_what_changed_since(bench: Bench) -> None:
    identifier = bench.create()
    seen = bench.read(identifier)["LastModifiedDate"]
    bench.wait(60)
    bench.service.edit_at_aws(identifier, **{"LifeCycle.NextSteps": "Call", "Project.Title": "Looms"})
    rows = bench.client.list_opportunities(Catalog="Sandbox", LastModifiedDate={"AfterLastModifiedDate": seen})
    (row,) = rows["OpportunitySummaries"]
    assert (row["LifeCycle"]["NextSteps"], row["LastModifiedDate"] > seen) == ("Call", True)
    history = bench.read(identifier)["LifeCycle"]["NextStepsHistory"]
    assert [step["Value"] for step in history] == ["Call"]


def test_none_takes_a_member_away_and_a_stale_update_is_a_conflict(bench: Bench) -> None:
    identifier = bench.create()
    stale = bench.echo(identifier)
    bench.service.edit_at_aws(identifier, **{"Project.OtherSolutionDescription": None})
    assert "OtherSolutionDescription" not in bench.read(identifier)["Project"]
    with pytest.raises(bench.client.exceptions.ConflictException):
        bench.client.update_opportunity(**stale)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("LifeCycle.Stage", "Nearly there"),
        ("LifeCycle.Mood", "Good"),
        ("LifeCycle.ReviewStatus", "Approved"),
        ("LifeCycle", {"Stage": "Prospect", "ReviewStatus": "Approved"}),
        ("Id", "O1"),
        ("Project.Title", 7),
        ("Project.Title.Text", "x"),
        ("Project.ExpectedCustomerSpend.4.Amount", "1"),
        ("Customer.Account.CompanyName", "x" * 121),
    ],
)
def test_what_aws_has_no_place_for_is_refused_and_nothing_changes(bench: Bench, path: str, value: Any) -> None:
    identifier = bench.create()
    before = bench.service.opportunities()
    with pytest.raises(ValueError, match=r"\w"):
        bench.service.edit_at_aws(identifier, **{"LifeCycle.NextSteps": "Call", path: value})
    assert bench.service.opportunities() == before


def test_a_number_is_a_place_in_a_list(bench: Bench) -> None:
    identifier = bench.create()
    stub = {"CurrencyCode": "USD"}
    for place, value, expected in ((0, stub, [stub]), (0, None, [])):
        bench.service.edit_at_aws(identifier, **{f"Project.ExpectedCustomerSpend.{place}": value})
        assert bench.read(identifier)["Project"]["ExpectedCustomerSpend"] == expected


def test_an_unknown_record_is_a_key_error(bench: Bench) -> None:
    for act in (bench.service.edit_at_aws, bench.service.summarise):
        with pytest.raises(KeyError):
            act("O1")


SIDES: list[dict[str, Any]] = [
    {"LifeCycle.Stage": "Seller Engaged"},
    {
        "LifeCycle.NextSteps": "Meet",
        "LifeCycle.ClosedLostReason": "Past Due",
        "LifeCycle.TargetCloseDate": "2028-01-01",
    },
    {"LifeCycle.NextStepsHistory": [{"Value": "Meet", "Time": "2027-01-15T12:00:00Z"}]},
    {"OpportunityTeam": [REP, {**REP, "BusinessTitle": "WWPSPDM"}]},
    {"Insights": INSIGHTS},
    {"InvolvementType": "Co-Sell", "InvolvementTypeChangeReason": "Customer Requested"},
    {"Visibility": "Limited"},
    {"Customer.Contacts": [{"Email": "a@b.example", "FirstName": "A", "LastName": "B"}]},
    {"Project": {"ExpectedCustomerSpend": SPEND, "AwsPartition": "aws-eusc"}},
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("is_approved", [False, True])
def test_the_summary_shows_what_aws_says(bench: Bench, side: dict[str, Any], is_approved: bool) -> None:
    identifier = submit(bench, VISIBILITY_ONLY, ("PrimaryNeedsFromAws", None))
    if is_approved:
        bench.service.review(identifier, "Approved")
    before = summary(bench, identifier)
    bench.service.summarise(identifier, **side)
    assert summary(bench, identifier) == changed(before, *side.items())


@pytest.mark.parametrize("stage", load_model()["shapes"]["AwsOpportunityStage"]["enum"])
def test_every_stage_of_aws_can_be_shown(bench: Bench, stage: str) -> None:
    identifier = submit(bench)
    bench.service.summarise(identifier, LifeCycle={"Stage": stage})
    assert summary(bench, identifier)["LifeCycle"] == {"Stage": stage}


def test_there_are_24_of_them() -> None:
    assert len(load_model()["shapes"]["AwsOpportunityStage"]["enum"]) == 24


def test_a_structure_joins_what_stands_there_a_list_replaces_it_and_none_hides_it(bench: Bench) -> None:
    identifier = bench.approve()
    shown = summary(bench, identifier)["LifeCycle"]
    assert shown == {"Stage": "Qualified", "TargetCloseDate": "2027-06-30"}
    bench.service.summarise(identifier, LifeCycle={"Stage": "Engaged"}, OpportunityTeam=[REP])
    assert summary(bench, identifier)["LifeCycle"] == {**shown, "Stage": "Engaged"}
    bench.update(identifier, ("LifeCycle.Stage", "Technical Validation"))
    assert summary(bench, identifier)["LifeCycle"]["Stage"] == "Engaged"
    bench.service.summarise(identifier, **{"LifeCycle.TargetCloseDate": None, "OpportunityTeam": []})
    after = summary(bench, identifier)
    assert (after["LifeCycle"], after["OpportunityTeam"]) == ({"Stage": "Engaged"}, [])


@pytest.mark.parametrize(
    "side",
    [
        {"LifeCycle.Stage": "Nearly there"},
        {"LifeCycle": {"ReviewStatus": "Approved"}},
        {"LifeCycle.Stage.Text": "x"},
        {"OpportunityTeam": [{**REP, "BusinessTitle": "Friend"}]},
        {"OpportunityTeam": REP},
        {"Insights.EngagementScore": "Huge"},
        {"InvolvementTypeChangeReason": "Just so"},
        {"Mood": "Good"},
        {"Origin": "AWS Referral"},
        {"RelatedEntityIds.Solutions": []},
    ],
)
def test_what_the_model_does_not_know_is_not_shown(bench: Bench, side: dict[str, Any]) -> None:
    identifier = submit(bench)
    before = summary(bench, identifier)
    with pytest.raises(ValueError, match=r"\w"):
        bench.service.summarise(identifier, **{"LifeCycle.NextSteps": "Meet", **side})
    assert summary(bench, identifier) == before


def test_before_submission_there_is_no_side_of_aws(bench: Bench) -> None:
    identifier = bench.create()
    with pytest.raises(ValueError, match="has not got"):
        bench.service.summarise(identifier, InvolvementType="Co-Sell")
    assert set(summary(bench, identifier)) == {
        "Catalog",
        "RelatedOpportunityId",
        "Origin",
        "OpportunityTeam",
        "RelatedEntityIds",
    }


@pytest.mark.parametrize("bumps", [False, True])
def test_the_stamp_moves_with_the_summary_only_where_told_so(bench: Bench, bumps: bool) -> None:
    bench.service.configure(summary_bumps=bumps, team_after=60)
    identifier = bench.approve()
    stamps = [bench.read(identifier)["LastModifiedDate"]]
    bench.service.summarise(identifier, **{"LifeCycle.Stage": "Engaged"})
    stamps.append(bench.read(identifier)["LastModifiedDate"])
    bench.wait(61)
    stamps.append(bench.read(identifier)["LastModifiedDate"])
    assert len(set(stamps)) == (3 if bumps else 1)


def test_aws_names_its_team_a_while_after_approval(bench: Bench) -> None:
    bench.service.configure(team_after=86_400)
    identifier = submit(bench)
    bench.wait(86_400)
    assert summary(bench, identifier)["OpportunityTeam"] == []
    bench.service.review(identifier, "Approved")
    bench.wait(86_399)
    assert summary(bench, identifier)["OpportunityTeam"] == []
    bench.wait(1)
    team = summary(bench, identifier)["OpportunityTeam"]
    assert [member["BusinessTitle"] for member in team] == ["AWSSalesRep", "PDM"]
    assert all(member["Email"].endswith("@aws.example") and member["LastName"] for member in team)


def test_a_team_that_was_told_before_stays(bench: Bench) -> None:
    bench.service.configure(team_after=60)
    identifier = bench.approve()
    bench.service.summarise(identifier, OpportunityTeam=[REP])
    bench.wait(60)
    assert summary(bench, identifier)["OpportunityTeam"] == [REP]


def test_aws_may_turn_a_shared_deal_into_co_selling(bench: Bench) -> None:
    identifier = submit(bench, VISIBILITY_ONLY, ("PrimaryNeedsFromAws", None))
    bench.service.review(identifier, "Approved")
    assert bench.read(identifier)["PrimaryNeedsFromAws"] == ["Do Not Need Support from AWS Sales Rep"]
    bench.service.summarise(identifier, InvolvementType="Co-Sell", InvolvementTypeChangeReason="Expansion Opportunity")
    assert "PrimaryNeedsFromAws" not in bench.read(identifier)
    bench.update(identifier, ("LifeCycle.NextSteps", "Call"))
    bench.update(identifier, ("PrimaryNeedsFromAws", ["Co-Sell - Deal Support"]))
    with pytest.raises(bench.client.exceptions.ValidationException):
        bench.update(identifier, ("PrimaryNeedsFromAws", None))


def test_an_edit_or_an_association_in_between_does_not_stop_the_review(bench: Bench) -> None:
    bench.service.configure(review_after=60)
    identifier = submit(bench)
    bench.service.edit_at_aws(identifier, **{"LifeCycle.NextSteps": "Call"})
    bench.client.associate_opportunity(
        Catalog="Sandbox",
        OpportunityIdentifier=identifier,
        RelatedEntityType="Solutions",
        RelatedEntityIdentifier="S-0001111",
    )
    bench.wait(61)
    assert bench.status(identifier) == "Approved"


def test_a_decision_in_between_is_the_last_one(bench: Bench) -> None:
    bench.service.configure(review_after=60)
    identifier = submit(bench)
    bench.service.review(identifier, "Action Required", "Which site?")
    bench.wait(61)
    assert bench.status(identifier) == "Action Required"
