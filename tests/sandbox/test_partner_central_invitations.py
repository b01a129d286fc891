"""Engagements and invitations: who is asked into what, and how they answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from partner_central_bench import INVITATION as PLAIN
from partner_central_bench import SECOND, Bench, changed, problems_of

SPEND = {"Amount": "10", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}
INVITATION = changed(
    PLAIN,
    ("Receiver.Account.Alias", "Second"),
    ("Payload.OpportunityInvitation.Project.ExpectedCustomerSpend", [SPEND]),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset(accounts={"SECOND": SECOND})
    return shared


@pytest.fixture
def second(bench: Bench) -> Iterator[Any]:
    client = bench.client_of("SECOND")
    yield client
    client.close()


def invite(bench: Bench, engagement: str, *changes: tuple[str, Any], **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = bench.client.create_engagement_invitation(
        Catalog="Sandbox",
        EngagementIdentifier=engagement,
        Invitation=changed(INVITATION, *changes),
        **more,
    )
    return answer


def engage(bench: Bench) -> str:
    identifier: str = bench.start(bench.create())["EngagementId"]
    return identifier


def received(client: Any, **filters: Any) -> list[dict[str, Any]]:
    answer = client.list_engagement_invitations(Catalog="Sandbox", ParticipantType="RECEIVER", **filters)
    rows: list[dict[str, Any]] = answer["EngagementInvitationSummaries"]
    return rows


def members(bench: Bench, engagement: str) -> list[str]:
    rows = bench.client.list_engagement_members(Catalog="Sandbox", Identifier=engagement)
    return [row["AccountId"] for row in rows["EngagementMemberList"]]


def test_an_invitation_reaches_its_receiver(bench: Bench, second: Any) -> None:
    sent = invite(bench, engage(bench))
    assert sent["Arn"].endswith(f"catalog/Sandbox/engagement-invitation/{sent['Id']}")
    (row,) = received(second, Status=["PENDING"], PayloadType=["OpportunityInvitation"])
    assert (row["Id"], row["SenderAwsAccountId"], row["ParticipantType"]) == (
        sent["Id"],
        "111122223333",
        "RECEIVER",
    )
    assert (row["ExpirationDate"] - row["InvitationDate"]).days == 15
    detail = second.get_engagement_invitation(Catalog="Sandbox", Identifier=sent["Arn"])
    assert detail["Payload"] == INVITATION["Payload"]
    assert detail["InvitationMessage"] == "Join us"


def test_the_sender_sees_it_beside_that_of_aws(bench: Bench) -> None:
    engagement = engage(bench)
    invite(bench, engagement)
    rows = bench.client.list_engagement_invitations(
        Catalog="Sandbox", ParticipantType="SENDER", EngagementIdentifier=[engagement]
    )["EngagementInvitationSummaries"]
    assert {row["Receiver"]["Account"]["AwsAccountId"] for row in rows} == {"aws", SECOND}
    assert received(bench.client) == []


@pytest.mark.parametrize(
    ("decision", "status", "joined"), [("Approved", "ACCEPTED", True), ("Rejected", "REJECTED", False)]
)
def test_aws_answers_its_invitation_with_the_review(bench: Bench, decision: str, status: str, joined: bool) -> None:
    task = bench.start(bench.create())
    bench.service.review(task["OpportunityId"], decision)
    invitation = bench.client.get_engagement_invitation(Catalog="Sandbox", Identifier=task["EngagementInvitationId"])
    assert invitation["Status"] == status
    assert ("aws" in members(bench, task["EngagementId"])) is joined


def test_a_second_invitation_of_the_same_account_is_a_conflict(bench: Bench, second: Any) -> None:
    engagement = engage(bench)
    sent = invite(bench, engagement)
    with pytest.raises(bench.client.exceptions.ConflictException, match="pending"):
        invite(bench, engagement)
    second.accept_engagement_invitation(Catalog="Sandbox", Identifier=sent["Id"])
    with pytest.raises(bench.client.exceptions.ConflictException, match="member"):
        invite(bench, engagement)


def test_a_token_sends_one_invitation(bench: Bench) -> None:
    engagement = engage(bench)
    first = invite(bench, engagement, ClientToken="t")
    assert invite(bench, engagement, ClientToken="t")["Id"] == first["Id"]
    with pytest.raises(bench.client.exceptions.ConflictException, match="client token"):
        invite(bench, engagement, ("Message", "Other"), ClientToken="t")


def test_acceptance_makes_a_member_once(bench: Bench, second: Any) -> None:
    engagement = engage(bench)
    request = {"Catalog": "Sandbox", "Identifier": invite(bench, engagement)["Id"]}
    with pytest.raises(ClientError):
        second.get_engagement(Catalog="Sandbox", Identifier=engagement)
    second.accept_engagement_invitation(**request)
    assert members(bench, engagement) == ["111122223333", SECOND]
    assert second.get_engagement(Catalog="Sandbox", Identifier=engagement)["MemberCount"] == 2
    with pytest.raises(second.exceptions.ConflictException):
        second.reject_engagement_invitation(**request)


def test_a_rejection_keeps_its_reason_and_frees_the_seat(bench: Bench, second: Any) -> None:
    engagement = engage(bench)
    sent = invite(bench, engagement)
    reason = "Unable to support"
    second.reject_engagement_invitation(Catalog="Sandbox", Identifier=sent["Id"], RejectionReason=reason)
    detail = bench.client.get_engagement_invitation(Catalog="Sandbox", Identifier=sent["Id"])
    assert (detail["Status"], detail["RejectionReason"]) == ("REJECTED", reason)
    assert invite(bench, engagement)["Id"] != sent["Id"]


def test_only_the_receiver_answers(bench: Bench) -> None:
    sent = invite(bench, engage(bench))
    with pytest.raises(bench.client.exceptions.ResourceNotFoundException):
        bench.client.accept_engagement_invitation(Catalog="Sandbox", Identifier=sent["Id"])


def test_an_invitation_expires(bench: Bench, second: Any) -> None:
    sent = invite(bench, engage(bench))
    bench.wait(15 * 86_400)
    assert [row["Status"] for row in received(second)] == ["EXPIRED"]
    with pytest.raises(second.exceptions.ConflictException):
        second.accept_engagement_invitation(Catalog="Sandbox", Identifier=sent["Id"])


def test_an_engagement_has_ten_seats(bench: Bench) -> None:
    engagement = engage(bench)
    receiver = "Receiver.Account.AwsAccountId"
    for number in range(8):  # the sender and AWS have two
        invite(bench, engagement, (receiver, f"55550000000{number}"))
    with pytest.raises(bench.client.exceptions.ServiceQuotaExceededException):
        invite(bench, engagement, (receiver, "555500000099"))


PAYLOAD = "Payload.OpportunityInvitation"
LEAD = {
    "Customer": {"CompanyName": "Acme"},
    "Interaction": {"ContactBusinessTitle": "CTO"},
}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        (
            [("Payload.LeadInvitation", LEAD)],
            "invitation.payload",
            "TOO_MANY_VALUES",
        ),
        ([("Payload", {"Unknown": {}})], "invitation.payload", "REQUIRED_FIELD_MISSING"),
        ([("Receiver", {})], "invitation.receiver", "REQUIRED_FIELD_MISSING"),
        (
            [("Receiver.Account.AwsAccountId", "1234-5678")],
            "invitation.receiver.account.awsAccountId",
            "INVALID_STRING_FORMAT",
        ),
        (
            [("Receiver.Account.AwsAccountId", "111122223333")],
            "invitation.receiver.account.awsAccountId",
            "INVALID_VALUE",
        ),
        ([("Message", "")], "invitation.message", "INVALID_STRING_FORMAT"),
        (
            [(f"{PAYLOAD}.ReceiverResponsibilities", ["Weaver"])],
            "invitation.payload.opportunityInvitation.receiverResponsibilities",
            "INVALID_ENUM_VALUE",
        ),
        (
            [(f"{PAYLOAD}.SenderContacts", [{"Email": "a@b.example"}] * 4)],
            "invitation.payload.opportunityInvitation.senderContacts",
            "TOO_MANY_VALUES",
        ),
        (
            [(f"{PAYLOAD}.Project.TargetCompletionDate", "2027-02-30")],
            "invitation.payload.opportunityInvitation.project.targetCompletionDate",
            "INVALID_STRING_FORMAT",
        ),
        (
            [(f"{PAYLOAD}.Customer.WebsiteUrl", "nowhere")],
            "invitation.payload.opportunityInvitation.customer.websiteUrl",
            "INVALID_STRING_FORMAT",
        ),
    ],
)
def test_a_wrong_invitation_is_refused(bench: Bench, changes: list[tuple[str, Any]], field: str, code: str) -> None:
    body = {
        "Catalog": "Sandbox",
        "ClientToken": "t",
        "EngagementIdentifier": engage(bench),
        "Invitation": changed(INVITATION, *changes),
    }
    answer = bench.post("CreateEngagementInvitation", body).json()
    assert [(entry["FieldName"], entry["Code"]) for entry in answer["ErrorList"]] == [(field, code)]


def test_an_unknown_engagement_is_not_found(bench: Bench, second: Any) -> None:
    with pytest.raises(bench.client.exceptions.ResourceNotFoundException):
        invite(bench, "eng-00000000000000")
    with pytest.raises(second.exceptions.ResourceNotFoundException):
        second.create_engagement_invitation(
            Catalog="Sandbox", EngagementIdentifier=engage(bench), Invitation=INVITATION
        )


def test_only_connected_accounts_can_be_invited_where_told_so(bench: Bench) -> None:
    engagement = engage(bench)
    bench.service.configure(connected_accounts=["777788889999"])
    with pytest.raises(bench.client.exceptions.ValidationException) as caught:
        invite(bench, engagement)
    assert problems_of(caught.value) == {("invitation.receiver.account.awsAccountId", "INVALID_VALUE")}


def test_engagements_are_made_listed_and_read(bench: Bench) -> None:
    project = INVITATION["Payload"]["OpportunityInvitation"]
    details = {key: project["Project"][key] for key in ("Title", "BusinessProblem", "TargetCompletionDate")}
    context = {
        "Type": "CustomerProject",
        "Payload": {"CustomerProject": {"Customer": project["Customer"], "Project": details}},
    }
    made = bench.client.create_engagement(
        Catalog="Sandbox", Title="Looms", Description="Two partners", Contexts=[context]
    )
    bench.wait(1)
    shared = bench.start(bench.create())
    rows = bench.client.list_engagements(Catalog="Sandbox")["EngagementSummaryList"]
    assert [row["Id"] for row in rows] == [shared["EngagementId"], made["Id"]]
    of_project = bench.client.list_engagements(Catalog="Sandbox", ContextTypes=["CustomerProject"])
    assert [row["Id"] for row in of_project["EngagementSummaryList"]] == [made["Id"]]
    read = bench.client.get_engagement(Catalog="Sandbox", Identifier=made["Arn"])
    assert (read["Title"], read["Contexts"][0]["Id"], read["MemberCount"]) == ("Looms", "1", 1)
    links = bench.client.list_engagement_resource_associations(
        Catalog="Sandbox", ResourceIdentifier=shared["OpportunityId"]
    )["EngagementResourceAssociationSummaries"]
    assert [(link["EngagementId"], link["ResourceId"]) for link in links] == [
        (shared["EngagementId"], shared["OpportunityId"])
    ]
