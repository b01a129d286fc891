"""StartEngagementFromOpportunityTask: what a submission needs, how tasks end, how they are listed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from partner_central_bench import CO_SELL, VISIBILITY_ONLY, Bench, make_body, problems_of

from connector.sandbox.partner_central.records import TaskScript


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset()
    return shared


def list_tasks(bench: Bench, **filters: Any) -> list[dict[str, Any]]:
    answer = bench.client.list_engagement_from_opportunity_tasks(Catalog="Sandbox", **filters)
    rows: list[dict[str, Any]] = answer["TaskSummaries"]
    return rows


def address(**members: str) -> tuple[str, Any]:
    return ("Customer.Account.Address", members)


def test_a_complete_record_is_submitted_at_once(bench: Bench) -> None:
    identifier = bench.create()
    task = bench.start(identifier)
    patterns = {
        "TaskId": r"task-[0-9a-z]{13}",
        "TaskArn": r"arn:aws:partnercentral:us-east-1::catalog/Sandbox/engagement-from-opportunity-task/task-\w{13}",
        "EngagementId": r"eng-[0-9a-z]{14}",
        "EngagementInvitationId": r"engi-[0-9a-z]{13}",
        "ResourceSnapshotJobId": r"job-[0-9a-z]{13}",
        "TaskStatus": "COMPLETE",
        "ReasonCode": "null",
        "OpportunityId": identifier,
    }
    assert [name for name, pattern in patterns.items() if not re.fullmatch(pattern, task[name])] == []
    assert "Message" not in task
    assert bench.status(identifier) == "Submitted"


FAILURES: list[tuple[list[tuple[str, Any]], dict[str, str], str]] = [
    (
        [address(CountryCode="US", PostalCode="10003")],
        CO_SELL,
        (
            "REQUIRED_FIELD_MISSING customer.account.address.stateOrRegion:"
            "customer.account.address.stateOrRegion is required"
        ),
    ),
    (
        [address(CountryCode="DE")],
        CO_SELL,
        "REQUIRED_FIELD_MISSING customer.account.address.postalCode:customer.account.address.postalCode is required",
    ),
    (
        [address(CountryCode="DE", PostalCode="D-10117")],
        CO_SELL,
        (
            "INVALID_VALUE customer.account.address.postalCode:The postal code is invalid for country DE, "
            "DE postal code must be in 99999 format."
        ),
    ),
    (
        [address(CountryCode="AE", PostalCode="00000")],
        CO_SELL,
        "INVALID_VALUE customer.account.address.postalCode:AE has no postal codes, postalCode must be empty",
    ),
    (
        [("Project.OtherSolutionDescription", None)],
        CO_SELL,
        "BUSINESS_VALIDATION_EXCEPTION relatedEntityIdentifiers.solutions:Associate atleast one solution",
    ),
    (
        [("Project.SalesActivities", None)],
        CO_SELL,
        "ACTION_NOT_PERMITTED project.salesActivities: project.salesActivities is required",
    ),
    (
        [("Project.DeliveryModels", None)],
        CO_SELL,
        "REQUIRED_FIELD_MISSING project.deliveryModels:project.deliveryModels is required",
    ),
    (
        [("Project.CustomerUseCase", None)],
        CO_SELL,
        "REQUIRED_FIELD_MISSING project.customerUseCase:project.customerUseCase is required",
    ),
    ([("OpportunityType", None)], CO_SELL, "REQUIRED_FIELD_MISSING opportunityType:opportunityType is required"),
    ([("Marketing", None)], CO_SELL, "REQUIRED_FIELD_MISSING marketing.source:marketing.source is required"),
    (
        [("PrimaryNeedsFromAws", None)],
        CO_SELL,
        "REQUIRED_FIELD_MISSING primaryNeedsFromAws:primaryNeedsFromAws is required",
    ),
    (
        [],
        {"InvolvementType": "Co-Sell", "Visibility": "Limited"},
        (
            "BUSINESS_VALIDATION_EXCEPTION primaryNeedsFromAws:"
            "Cannot set visibility to limited on a Co-Sell opportunity;"
            "ACTION_NOT_PERMITTED:You cannot perform Submit action. "
            "Opportunity cannot be submitted or updated to Limited Visibility"
        ),
    ),
    (
        [("Project.CompetitorName", "*Other")],
        CO_SELL,
        ("REQUIRED_FIELD_MISSING project.otherCompetitorNames:project.otherCompetitorNames is required"),
    ),
    (
        [("NationalSecurity", "Yes"), ("Customer.Account.Industry", "Government")],
        VISIBILITY_ONLY,
        (
            "ACTION_NOT_PERMITTED primaryNeedsFromAws:"
            "An opportunity of national security needs support from AWS Sales Rep"
        ),
    ),
    (
        [("LifeCycle.Stage", "Launched"), ("Customer.Account.AwsAccountId", "111122223333")],
        CO_SELL,
        (
            "BUSINESS_VALIDATION_EXCEPTION relatedEntityIdentifiers.solutions:Associate atleast one solution;"
            "ACTION_NOT_PERMITTED lifeCycle.stage:A Launched opportunity cannot be submitted"
        ),
    ),
    (
        [("LifeCycle.Stage", "Committed")],
        CO_SELL,
        "BUSINESS_VALIDATION_EXCEPTION relatedEntityIdentifiers.solutions:Associate atleast one solution",
    ),
]


@pytest.mark.parametrize(("changes", "submission", "message"), FAILURES)
def test_a_submission_fails_with_http_200_and_stays_fixable(
    bench: Bench, changes: list[tuple[str, Any]], submission: dict[str, str], message: str
) -> None:
    identifier = bench.create(*changes)
    task = bench.start(identifier, submission)
    assert (task["TaskStatus"], task["ReasonCode"]) == ("FAILED", "OpportunityValidationFailed")
    assert task["Message"] == message
    assert "EngagementId" not in task
    assert bench.status(identifier) == "Pending Submission"


def test_several_problems_are_joined(bench: Bench) -> None:
    identifier = bench.create(("Project.DeliveryModels", None), address(CountryCode="US", PostalCode="1"))
    parts = bench.start(identifier)["Message"].split(";")
    assert [part.split(":")[0] for part in parts] == [
        "REQUIRED_FIELD_MISSING project.deliveryModels",
        "REQUIRED_FIELD_MISSING customer.account.address.stateOrRegion",
        "INVALID_VALUE customer.account.address.postalCode",
    ]


def test_a_close_date_that_passed_since_the_create_fails(bench: Bench) -> None:
    identifier = bench.create(("LifeCycle.TargetCloseDate", "2027-01-16"))
    bench.wait(86_400)
    assert bench.start(identifier)["Message"] == (
        "BUSINESS_VALIDATION_EXCEPTION lifeCycle.targetCloseDate:Target Close Date should be a future date"
    )


@pytest.mark.parametrize(
    ("changes", "submission"),
    [
        ([address(CountryCode="AE")], CO_SELL),
        ([address(CountryCode="AR", PostalCode="C1000")], CO_SELL),
        ([address(CountryCode="GB", PostalCode="SW1A 1AA")], CO_SELL),
        ([address(CountryCode="CA", PostalCode="K1A0B1")], CO_SELL),
        ([address(CountryCode="US", PostalCode="10003-1234", StateOrRegion="Dist. of Columbia")], CO_SELL),
        ([("PrimaryNeedsFromAws", None)], VISIBILITY_ONLY),
        ([("PrimaryNeedsFromAws", None)], {**VISIBILITY_ONLY, "Visibility": "Limited"}),
        ([("LifeCycle.Stage", "Prospect")], CO_SELL),
        (
            [
                ("NationalSecurity", "Yes"),
                ("Customer.Account.Industry", "Government"),
                address(CountryCode="US", PostalCode="20500"),
            ],
            CO_SELL,
        ),
    ],
)
def test_a_submission_passes(bench: Bench, changes: list[tuple[str, Any]], submission: dict[str, str]) -> None:
    task = bench.start(bench.create(*changes), submission)
    assert (task["TaskStatus"], task.get("Message")) == ("COMPLETE", None)


def test_a_solution_replaces_the_description(bench: Bench) -> None:
    identifier = bench.create(("Project.OtherSolutionDescription", None), ("LifeCycle.Stage", "Committed"))
    bench.client.associate_opportunity(
        Catalog="Sandbox",
        OpportunityIdentifier=identifier,
        RelatedEntityType="Solutions",
        RelatedEntityIdentifier="S-1234567",
    )
    assert bench.start(identifier)["TaskStatus"] == "COMPLETE"


def test_a_submitted_record_is_not_submitted_again(bench: Bench) -> None:
    identifier = bench.create()
    bench.start(identifier)
    task = bench.start(identifier)
    assert (task["TaskStatus"], task["ReasonCode"]) == ("FAILED", "OpportunitySubmissionFailed")
    assert "Only Pending Submission or action required opportunities can be submitted" in task["Message"]


def test_action_required_may_be_submitted_again_into_the_same_engagement(bench: Bench) -> None:
    identifier = bench.create()
    first = bench.start(identifier)
    bench.service.review(identifier, "Action Required")
    second = bench.start(identifier)
    assert second["TaskStatus"] == "COMPLETE"
    assert (second["EngagementId"], second["TaskId"] == first["TaskId"]) == (first["EngagementId"], False)


def test_a_task_may_take_its_time_and_complete(bench: Bench) -> None:
    bench.service.script_tasks(TaskScript(after=5))
    identifier = bench.create()
    task = bench.start(identifier)
    assert (task["TaskStatus"], "EngagementId" in task) == ("IN_PROGRESS", False)
    bench.wait(4.9)
    assert list_tasks(bench)[0]["TaskStatus"] == "IN_PROGRESS"
    assert bench.status(identifier) == "Pending Submission"
    bench.wait(0.1)
    (listed,) = list_tasks(bench, TaskIdentifier=[task["TaskId"]])
    assert (listed["TaskStatus"], "EngagementId" in listed) == ("COMPLETE", True)
    assert bench.status(identifier) == "Submitted"


def test_a_task_may_take_its_time_and_fail_on_the_rules(bench: Bench) -> None:
    bench.service.configure(task_seconds=5)
    task = bench.start(bench.create(("Project.DeliveryModels", None)))
    assert task["TaskStatus"] == "IN_PROGRESS"
    bench.wait(5)
    assert list_tasks(bench)[0]["ReasonCode"] == "OpportunityValidationFailed"


def test_any_reason_can_be_scripted(bench: Bench) -> None:
    bench.service.script_tasks(TaskScript(reason="EngagementConflict", message="Two at once"))
    bench.service.script_tasks(TaskScript(after=5, reason="InternalError"), times=2)
    first, second = bench.create(), bench.create()
    task = bench.start(first)
    assert (task["TaskStatus"], task["ReasonCode"], task["Message"]) == (
        "FAILED",
        "EngagementConflict",
        "Two at once",
    )
    assert bench.start(first)["TaskStatus"] == "IN_PROGRESS"
    assert bench.start(second)["TaskStatus"] == "IN_PROGRESS"
    bench.wait(5)
    assert {row["ReasonCode"] for row in list_tasks(bench, TaskStatus=["FAILED"])} == {
        "EngagementConflict",
        "InternalError",
    }
    assert bench.start(second)["TaskStatus"] == "COMPLETE"


def test_variants_of_the_answer(bench: Bench) -> None:
    bench.service.configure(success_reason_null=False, task_ids_null=True, reason_code_upper=True)
    task = bench.start(bench.create())
    assert not {"TaskId", "TaskArn", "EngagementId", "ReasonCode"} & set(task)
    assert task["TaskStatus"] == "COMPLETE"
    failed = bench.start(bench.create(("Project.DeliveryModels", None)))
    assert failed["ReasonCode"] == "OPPORTUNITY_VALIDATION_FAILED"
    bench.service.configure(duplicate_check=True, task_ids_null=False)
    assert "Duplicate Record" in bench.start(bench.create())["Message"]


def test_a_second_task_while_one_runs_is_a_conflict(bench: Bench) -> None:
    bench.service.configure(task_seconds=5)
    identifier = bench.create()
    bench.start(identifier)
    with pytest.raises(bench.client.exceptions.ConflictException):
        bench.start(identifier)


def test_a_failed_task_is_replayed_to_its_token(bench: Bench) -> None:
    identifier = bench.create(("Project.DeliveryModels", None))
    failed = bench.start(identifier, ClientToken="t")
    bench.update(identifier, ("Project.DeliveryModels", ["Resell"]))
    again = bench.start(identifier, ClientToken="t")
    assert (again["TaskStatus"], again["TaskId"]) == ("FAILED", failed["TaskId"])
    assert bench.start(identifier, ClientToken="u")["TaskStatus"] == "COMPLETE"


def test_a_token_for_another_submission_is_a_conflict(bench: Bench) -> None:
    bench.start(bench.create(), ClientToken="t")
    with pytest.raises(bench.client.exceptions.ConflictException):
        bench.start(bench.create(), ClientToken="t")


def test_the_answer_is_held_and_others_are_served_meanwhile(bench: Bench) -> None:
    identifier = bench.create()
    bench.service.configure(start_latency=[0.4, 0.4])
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(bench.start, identifier)
        assert bench.read(identifier)["Id"] == identifier
        assert time.monotonic() - started < 0.4
        assert future.result()["TaskStatus"] == "COMPLETE"
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"Identifier": "O1"}, "ResourceNotFoundException"),
        ({"Identifier": "006"}, "ValidationException"),
        ({"Catalog": "Production"}, "ValidationException"),
        ({"Catalog": "AWS"}, "ResourceNotFoundException"),
        ({"AwsSubmission": {"InvolvementType": "Cosell"}}, "ValidationException"),
        ({"AwsSubmission": {**CO_SELL, "Visibility": "Half"}}, "ValidationException"),
    ],
)
def test_wrong_input_is_refused(bench: Bench, arguments: dict[str, Any], kind: str) -> None:
    right = {"Catalog": "Sandbox", "Identifier": bench.create(), "AwsSubmission": CO_SELL}
    with pytest.raises(getattr(bench.client.exceptions, kind)):
        bench.client.start_engagement_from_opportunity_task(**{**right, **arguments})
    assert list_tasks(bench) == []


def test_tasks_are_filtered_sorted_and_paged(bench: Bench) -> None:
    ids = []
    for _ in range(3):
        ids.append(bench.create())
        bench.start(ids[-1])
        bench.wait(1)
    newest_first = [row["OpportunityId"] for row in list_tasks(bench)]
    assert newest_first == ids[::-1]
    ascending = {"SortBy": "StartTime", "SortOrder": "ASCENDING"}
    assert [row["OpportunityId"] for row in list_tasks(bench, Sort=ascending)] == ids
    task = list_tasks(bench, OpportunityIdentifier=[ids[0]])[0]
    assert list_tasks(bench, TaskIdentifier=[task["TaskArn"]]) == [task]
    assert list_tasks(bench, EngagementIdentifier=[task["EngagementId"]]) == [task]
    assert list_tasks(bench, TaskStatus=["FAILED", "IN_PROGRESS"]) == []
    pages = bench.client.get_paginator("list_engagement_from_opportunity_tasks").paginate(
        Catalog="Sandbox", PaginationConfig={"PageSize": 1}
    )
    assert [row["OpportunityId"] for page in pages for row in page["TaskSummaries"]] == newest_first


def test_more_than_ten_ids_are_refused(bench: Bench) -> None:
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        list_tasks(bench, OpportunityIdentifier=[f"O{number}" for number in range(11)])
    assert problems_of(caught.value) == {("opportunityIdentifier", "TOO_MANY_VALUES")}


def test_the_list_of_tasks_ends_with_a_null_token(bench: Bench) -> None:
    answer = bench.post("ListEngagementFromOpportunityTasks", {"Catalog": "Sandbox"}).json()
    assert answer == {"TaskSummaries": [], "NextToken": None}


def test_submit_opportunity_refuses_at_once_and_makes_no_engagement(bench: Bench) -> None:
    identifier = bench.create(("Project.DeliveryModels", None))
    request = {"Catalog": "Sandbox", "Identifier": identifier, "InvolvementType": "Co-Sell"}
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        bench.client.submit_opportunity(**request)
    assert problems_of(caught.value) == {("project.deliveryModels", "REQUIRED_FIELD_MISSING")}
    bench.update(identifier, ("Project.DeliveryModels", ["Resell"]))
    bench.client.submit_opportunity(**request)
    assert bench.status(identifier) == "Submitted"
    assert bench.client.list_engagements(Catalog="Sandbox")["EngagementSummaryList"] == []
    with pytest.raises(bench.client.exceptions.ValidationException):
        bench.client.submit_opportunity(**request)


def test_involvement_shows_on_the_aws_side_only_after_submission(bench: Bench) -> None:
    identifier = bench.create()
    request = {"Catalog": "Sandbox", "RelatedOpportunityIdentifier": identifier}
    before = bench.client.get_aws_opportunity_summary(**request)
    assert (before["Origin"], "InvolvementType" in before) == ("Partner Referral", False)
    bench.start(identifier)
    after = bench.client.get_aws_opportunity_summary(**request)
    assert (after["InvolvementType"], after["Visibility"], "LifeCycle" in after) == ("Co-Sell", "Full", False)
    bench.service.review(identifier, "Approved")
    approved = bench.client.get_aws_opportunity_summary(**request)
    assert approved["LifeCycle"]["Stage"] == "Qualified"
    assert approved["OpportunityTeam"] == []


def test_two_threads_with_one_token_make_one_task(bench: Bench) -> None:
    identifier = bench.create()
    body = {**make_body(), "ClientToken": "t"}
    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _: bench.client.create_opportunity(**body)["Id"], range(8)))
        tasks = set(pool.map(lambda _: bench.start(identifier, ClientToken="t")["TaskId"], range(8)))
    assert (len(ids), len(tasks)) == (1, 1)
