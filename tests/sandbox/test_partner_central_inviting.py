"""The sender's side of an invitation: each rule of its request, every answer the other partner can give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from partner_central_bench import INVITATION as PLAIN
from partner_central_bench import SECOND, Bench, changed

from connector.sandbox.partner_central.aws_side import REJECTION_REASONS
from connector.sandbox.partner_central.shapes import RequestModel, load_model

PAYLOAD = "Payload.OpportunityInvitation"
RECEIVER = "Receiver.Account.AwsAccountId"
CONTACT = {
    "Email": "Ann.Smith@Partner.example",
    "FirstName": "Ann",
    "LastName": "Smith",
    "BusinessTitle": "Alliance Manager",
    "Phone": "+14155550101",
}
SPEND = {
    "Amount": "10.50",
    "CurrencyCode": "EUR",
    "Frequency": "Monthly",
    "TargetCompany": "Second",
    "EstimationUrl": "https://calculator.aws/#/estimate?id=0123456789abcdef0123456789abcdef",
}
INVITATION = changed(
    PLAIN,
    ("Receiver.Account.Alias", "Second"),
    (f"{PAYLOAD}.ReceiverResponsibilities", ["Reseller", "Facilitator"]),
    (f"{PAYLOAD}.SenderContacts", [CONTACT]),
    (f"{PAYLOAD}.Project.ExpectedCustomerSpend", [SPEND]),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset(accounts={"SECOND": SECOND})
    return shared


def engage(bench: Bench) -> str:
    identifier: str = bench.start(bench.create())["EngagementId"]
    return identifier


def send(bench: Bench, engagement: str, *changes: tuple[str, Any]) -> str:
    answer = bench.client.create_engagement_invitation(
        Catalog="Sandbox", EngagementIdentifier=engagement, Invitation=changed(INVITATION, *changes)
    )
    identifier: str = answer["Id"]
    return identifier


def post(bench: Bench, engagement: str, *changes: tuple[str, Any], token: str = "t") -> dict[str, Any]:
    """The answer to a request that boto3 might not send."""
    invitation = changed(INVITATION, *changes)
    body = {"Catalog": "Sandbox", "ClientToken": token, "EngagementIdentifier": engagement, "Invitation": invitation}
    answer: dict[str, Any] = bench.post("CreateEngagementInvitation", body).json()
    return answer


def detail(bench: Bench, identifier: str) -> dict[str, Any]:
    """GetEngagementInvitation as it comes over the wire, and as AWS's model wants it."""
    body = {"Catalog": "Sandbox", "Identifier": identifier}
    answer: dict[str, Any] = bench.post("GetEngagementInvitation", body).json()
    assert RequestModel().check_answer("GetEngagementInvitation", answer) == []
    return answer


def status(bench: Bench, identifier: str) -> str:
    rows = bench.client.list_engagement_invitations(Catalog="Sandbox", ParticipantType="SENDER")
    found = {row["Id"]: row["Status"] for row in rows["EngagementInvitationSummaries"]}
    answer: str = found[identifier]
    return answer


REFUSED: list[tuple[str, Any, str]] = [
    ("Message", "x" * 256, "message INVALID_STRING_FORMAT"),
    ("Message", None, "message REQUIRED_FIELD_MISSING"),
    ("Receiver", None, "receiver REQUIRED_FIELD_MISSING"),
    ("Payload", None, "payload REQUIRED_FIELD_MISSING"),
    ("Receiver", {"Person": {}}, "receiver REQUIRED_FIELD_MISSING"),
    (RECEIVER, None, "receiver.account.awsAccountId REQUIRED_FIELD_MISSING"),
    (RECEIVER, "2222-3333-44", "receiver.account.awsAccountId INVALID_STRING_FORMAT"),
    (RECEIVER, "2222333344445", "receiver.account.awsAccountId INVALID_STRING_FORMAT"),
    ("Receiver.Account.Alias", "x" * 81, "receiver.account.alias INVALID_STRING_FORMAT"),
    ("ReceiverResponsibilities", None, "receiverResponsibilities REQUIRED_FIELD_MISSING"),
    ("ReceiverResponsibilities", "Reseller", "receiverResponsibilities INVALID_VALUE"),
    ("Customer", None, "customer REQUIRED_FIELD_MISSING"),
    ("Customer.Industry", None, "customer.industry REQUIRED_FIELD_MISSING"),
    ("Customer.Industry", "Weaving", "customer.industry INVALID_ENUM_VALUE"),
    ("Customer.CompanyName", None, "customer.companyName REQUIRED_FIELD_MISSING"),
    ("Customer.CompanyName", "", "customer.companyName INVALID_STRING_FORMAT"),
    ("Customer.CompanyName", "x" * 121, "customer.companyName INVALID_STRING_FORMAT"),
    ("Customer.WebsiteUrl", None, "customer.websiteUrl REQUIRED_FIELD_MISSING"),
    ("Customer.WebsiteUrl", "a.b", "customer.websiteUrl INVALID_STRING_FORMAT"),
    ("Customer.WebsiteUrl", "ftp://burlington.example", "customer.websiteUrl INVALID_STRING_FORMAT"),
    ("Customer.WebsiteUrl", "https://a.example/" + "x" * 238, "customer.websiteUrl INVALID_STRING_FORMAT"),
    ("Customer.CountryCode", None, "customer.countryCode REQUIRED_FIELD_MISSING"),
    ("Customer.CountryCode", "USA", "customer.countryCode INVALID_ENUM_VALUE"),
    ("Project", None, "project REQUIRED_FIELD_MISSING"),
    ("Project.Title", None, "project.title REQUIRED_FIELD_MISSING"),
    ("Project.Title", "", "project.title INVALID_STRING_FORMAT"),
    ("Project.Title", "x" * 256, "project.title INVALID_STRING_FORMAT"),
    ("Project.BusinessProblem", None, "project.businessProblem REQUIRED_FIELD_MISSING"),
    ("Project.BusinessProblem", "x" * 19, "project.businessProblem INVALID_STRING_FORMAT"),
    ("Project.BusinessProblem", "x" * 2001, "project.businessProblem INVALID_STRING_FORMAT"),
    ("Project.TargetCompletionDate", None, "project.targetCompletionDate REQUIRED_FIELD_MISSING"),
    ("Project.TargetCompletionDate", "30.06.2027", "project.targetCompletionDate INVALID_STRING_FORMAT"),
    ("Project.ExpectedCustomerSpend", None, "project.expectedCustomerSpend REQUIRED_FIELD_MISSING"),
    ("Project.ExpectedCustomerSpend", [SPEND] * 11, "project.expectedCustomerSpend TOO_MANY_VALUES"),
    ("Project.ExpectedCustomerSpend.0.Amount", "1,000", "project.expectedCustomerSpend.amount INVALID_STRING_FORMAT"),
    (
        "Project.ExpectedCustomerSpend.0.CurrencyCode",
        None,
        "project.expectedCustomerSpend.currencyCode REQUIRED_FIELD_MISSING",
    ),
    (
        "Project.ExpectedCustomerSpend.0.CurrencyCode",
        "EURO",
        "project.expectedCustomerSpend.currencyCode INVALID_ENUM_VALUE",
    ),
    (
        "Project.ExpectedCustomerSpend.0.Frequency",
        "Yearly",
        "project.expectedCustomerSpend.frequency INVALID_ENUM_VALUE",
    ),
    (
        "Project.ExpectedCustomerSpend.0.TargetCompany",
        "x" * 81,
        "project.expectedCustomerSpend.targetCompany INVALID_STRING_FORMAT",
    ),
    (
        "Project.ExpectedCustomerSpend.0.EstimationUrl",
        "https://calculator.example/1",
        "project.expectedCustomerSpend.estimationUrl INVALID_STRING_FORMAT",
    ),
    ("SenderContacts", [], "senderContacts NOT_ENOUGH_VALUES"),
    ("SenderContacts", [CONTACT] * 4, "senderContacts TOO_MANY_VALUES"),
    ("SenderContacts.0.Email", None, "senderContacts.email REQUIRED_FIELD_MISSING"),
    ("SenderContacts.0.Email", "ann at partner", "senderContacts.email INVALID_STRING_FORMAT"),
    ("SenderContacts.0.Email", "x" * 80 + "@partner.example", "senderContacts.email INVALID_STRING_FORMAT"),
    ("SenderContacts.0.FirstName", "x" * 81, "senderContacts.firstName INVALID_STRING_FORMAT"),
    ("SenderContacts.0.LastName", "x" * 81, "senderContacts.lastName INVALID_STRING_FORMAT"),
    ("SenderContacts.0.BusinessTitle", "x" * 81, "senderContacts.businessTitle INVALID_STRING_FORMAT"),
    ("SenderContacts.0.Phone", "(415) 555-0101", "senderContacts.phone INVALID_STRING_FORMAT"),
]


@pytest.mark.parametrize(("path", "value", "refusal"), REFUSED)
def test_every_rule_of_the_request(bench: Bench, path: str, value: Any, refusal: str) -> None:
    is_inside = not path.startswith(("Message", "Receiver.", "Payload")) and path != "Receiver"
    engagement = engage(bench)
    answer = post(bench, engagement, (f"{PAYLOAD}.{path}" if is_inside else path, value))
    field, code = refusal.split()
    expected = f"invitation.payload.opportunityInvitation.{field}" if is_inside else f"invitation.{field}"
    assert [(entry["FieldName"], entry["Code"]) for entry in answer["ErrorList"]] == [(expected, code)]
    assert (answer["Reason"], bench.service.journal[-1].problems) == ("REQUEST_VALIDATION_FAILED", (code,))
    assert [one["Receiver"]["Account"]["AwsAccountId"] for one in bench.service.invitations()] == ["aws"]


@pytest.mark.parametrize(
    "changes",
    [
        [("Message", "x" * 255)],
        [(f"{PAYLOAD}.SenderContacts", [CONTACT] * 3)],
        [(f"{PAYLOAD}.SenderContacts", None)],
        [(f"{PAYLOAD}.Customer.WebsiteUrl", "www.burlington.example")],
        [(f"{PAYLOAD}.Project.BusinessProblem", "x" * 20)],
        [(f"{PAYLOAD}.Project.BusinessProblem", "x" * 2000)],
        [(f"{PAYLOAD}.Project.ExpectedCustomerSpend", [])],
        [("Receiver.Account.Alias", None)],
    ],
)
def test_what_is_just_allowed(bench: Bench, changes: list[tuple[str, Any]]) -> None:
    assert "Id" in post(bench, engage(bench), *changes)


def test_the_sender_reads_every_member_back(bench: Bench) -> None:
    engagement = engage(bench)
    identifier = send(bench, engagement)
    shown = detail(bench, identifier)
    title = bench.client.get_engagement(Catalog="Sandbox", Identifier=engagement)["Title"]
    assert {key: value for key, value in shown.items() if not key.endswith("Date")} == {
        "Arn": f"arn:aws:partnercentral:us-east-1::catalog/Sandbox/engagement-invitation/{identifier}",
        "Catalog": "Sandbox",
        "EngagementDescription": "Weaving plant",
        "EngagementId": engagement,
        "EngagementTitle": title,
        "ExistingMembers": [
            {"CompanyName": "Partner 111122223333", "WebsiteUrl": "https://partner-111122223333.example"}
        ],
        "Id": identifier,
        "InvitationMessage": INVITATION["Message"],
        "Payload": INVITATION["Payload"],
        "PayloadType": "OpportunityInvitation",
        "Receiver": INVITATION["Receiver"],
        "SenderAwsAccountId": "111122223333",
        "SenderCompanyName": "Partner 111122223333",
        "Status": "PENDING",
    }
    declared = set(load_model()["shapes"]["GetEngagementInvitationResponse"]["members"])
    # The reason comes with a rejection, the context with leads that AWS found.
    assert declared - set(shown) <= {"RejectionReason", "EnrichmentContext"}


def test_the_answer_to_every_kind_of_reader_fits_the_model(bench: Bench) -> None:
    task = bench.start(bench.create())
    assert detail(bench, task["EngagementInvitationId"])["Status"] == "PENDING"
    bench.create(("Origin", "AWS Referral"))
    referral = bench.service.invitations()[-1]
    assert detail(bench, referral["Id"])["SenderCompanyName"] == "AWS"


def test_the_other_partner_accepts(bench: Bench) -> None:
    engagement = engage(bench)
    identifier = send(bench, engagement)
    bench.service.answer_invitation(identifier, "ACCEPTED")
    assert status(bench, identifier) == "ACCEPTED"
    rows = bench.client.list_engagement_members(Catalog="Sandbox", Identifier=engagement)["EngagementMemberList"]
    assert [row["AccountId"] for row in rows] == ["111122223333", SECOND]
    shown = detail(bench, identifier)
    assert [row["CompanyName"] for row in shown["ExistingMembers"]] == ["Partner 111122223333", f"Partner {SECOND}"]
    assert "RejectionReason" not in shown
    assert post(bench, engagement)["__type"].endswith("#ConflictException")


@pytest.mark.parametrize("reason", [*REJECTION_REASONS, "x" * 80, None])
def test_the_other_partner_rejects_with_or_without_a_reason(bench: Bench, reason: str | None) -> None:
    identifier = send(bench, engage(bench))
    bench.service.answer_invitation(identifier, "REJECTED", reason)
    shown = detail(bench, identifier)
    assert (shown["Status"], shown.get("RejectionReason")) == ("REJECTED", reason)


def test_an_invitation_may_expire_early(bench: Bench) -> None:
    engagement = engage(bench)
    identifier = send(bench, engagement)
    bench.wait(60)
    bench.service.answer_invitation(detail(bench, identifier)["Arn"], "EXPIRED")
    shown = bench.client.get_engagement_invitation(Catalog="Sandbox", Identifier=identifier)
    assert (shown["Status"], shown["ExpirationDate"]) == ("EXPIRED", bench.now)
    assert send(bench, engagement) != identifier


@pytest.mark.parametrize("first", ["ACCEPTED", "REJECTED", "EXPIRED"])
def test_there_is_one_answer(bench: Bench, first: str) -> None:
    identifier = send(bench, engage(bench))
    bench.service.answer_invitation(identifier, first)
    with pytest.raises(ValueError, match=first):
        bench.service.answer_invitation(identifier, "ACCEPTED")
    bench.wait(15 * 86_400)
    assert status(bench, identifier) == first


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("MAYBE", None), ("PENDING", None), ("ACCEPTED", "Other"), ("REJECTED", "x" * 81), ("REJECTED", "a\nb")],
)
def test_no_other_answer_is_taken(bench: Bench, answer: str, reason: str | None) -> None:
    identifier = send(bench, engage(bench))
    with pytest.raises(ValueError, match=r"\w"):
        bench.service.answer_invitation(identifier, answer, reason)
    assert status(bench, identifier) == "PENDING"


def test_aws_answers_for_itself_and_nobody_answers_what_was_not_sent(bench: Bench) -> None:
    task = bench.start(bench.create())
    with pytest.raises(ValueError, match="AWS"):
        bench.service.answer_invitation(task["EngagementInvitationId"], "ACCEPTED")
    with pytest.raises(KeyError):
        bench.service.answer_invitation("engi-0000000000000", "ACCEPTED")


@pytest.mark.parametrize("answer", ["ACCEPTED", "REJECTED", "EXPIRED"])
def test_the_other_partner_answers_by_itself_where_told_to(bench: Bench, answer: str) -> None:
    bench.service.configure(invitations_after=3600, invitations_as=answer)
    engagement = engage(bench)
    identifier = send(bench, engagement)
    bench.wait(3599)
    assert status(bench, identifier) == "PENDING"
    bench.wait(1)
    assert status(bench, identifier) == answer
    asked = {row["Receiver"]["Account"]["AwsAccountId"]: row["Status"] for row in bench.service.invitations()}
    assert asked == {"aws": "PENDING", SECOND: answer}


def test_an_answer_by_hand_comes_first(bench: Bench) -> None:
    bench.service.configure(invitations_after=3600)
    identifier = send(bench, engage(bench))
    bench.service.answer_invitation(identifier, "REJECTED", "Other")
    bench.wait(3600)
    assert status(bench, identifier) == "REJECTED"


def test_a_choice_that_is_none_is_no_setting(bench: Bench) -> None:
    for wrong in ({"invitations_as": "PENDING"}, {"review_as": "Submitted"}, {"escape": "html"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            bench.service.configure(**wrong)


def test_who_is_invited_already_and_where_there_is_no_seat(bench: Bench) -> None:
    engagement = engage(bench)
    send(bench, engagement)
    assert post(bench, engagement)["__type"].endswith("#ConflictException")
    for number in range(7):  # the sender, AWS and the second partner have three
        send(bench, engagement, (RECEIVER, f"55550000000{number}"))
    full = post(bench, engagement, (RECEIVER, "555500000099"))
    assert full["__type"].endswith("#ServiceQuotaExceededException")
    bench.service.answer_invitation(bench.service.invitations()[-1]["Id"], "REJECTED")
    assert "Id" in post(bench, engagement, (RECEIVER, "555500000099"))
    unknown = post(bench, "eng-00000000000000", token="u")
    assert unknown["__type"].endswith("#ResourceNotFoundException")


def test_a_token_replays_after_the_answer_too(bench: Bench) -> None:
    engagement = engage(bench)
    first = post(bench, engagement)
    bench.service.answer_invitation(first["Id"], "ACCEPTED")
    assert post(bench, engagement) == first
    assert bench.service.journal[-1].is_replay
    changed_body = post(bench, engagement, ("Message", "Other"))
    assert changed_body["__type"].endswith("#ConflictException")
