"""Engagement invitations: sending, listing, answering; and the engagements they lead into."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import datetime, timedelta

from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.errors import Problem, ServiceError, conflict, not_found, refuse
from connector.sandbox.partner_central.instants import to_date
from connector.sandbox.partner_central.pages import cut_page, with_token
from connector.sandbox.partner_central.paths import Json, find
from connector.sandbox.partner_central.records import Engagement, Invitation, Opportunity, make_id
from connector.sandbox.partner_central.review import AWS_ACCOUNT, aws_invitation, join
from connector.sandbox.partner_central.views import AWS_NAME, show_invitation, show_invitation_detail, show_member

LIFETIME = timedelta(days=15)
MEMBERS = 10
# AWS's sender account as seen in catalog Sandbox.
SANDBOX_SENDER = "390403897881"
ANSWERS = ("ACCEPTED", "REJECTED", "EXPIRED")

_DEFAULT_SORT = {"SortBy": "InvitationDate", "SortOrder": "DESCENDING"}


def create_engagement_invitation(call: Call, body: Json) -> Json:
    """Invites one account into an engagement of which the caller is a member."""
    engagement = find_engagement(call, body["EngagementIdentifier"])
    wanted = body["Invitation"]
    receiver = wanted["Receiver"]["Account"]["AwsAccountId"]
    refuse(_check_invitation(call, wanted, receiver))
    _check_room(engagement, receiver)
    invitation = _send(
        call,
        engagement,
        sender=(call.account, str(show_member(call.account)["CompanyName"])),
        receiver=copy.deepcopy(wanted["Receiver"]),
        payload=copy.deepcopy(wanted["Payload"]),
        message=wanted["Message"],
    )
    _await_answer(call, invitation)
    return {"Id": invitation.id, "Arn": invitation.arn}


def list_engagement_invitations(call: Call, body: Json) -> Json:
    """The invitations that the caller sent, or received."""
    rows = [row for row in call.records.invitations.values() if _is_party(call, row) and _is_wanted(call, row, body)]
    sort = body.get("Sort", _DEFAULT_SORT)
    rows.sort(key=lambda row: row.created, reverse=sort["SortOrder"] == "DESCENDING")
    page, token = cut_page(body, rows, token_on_last_page=call.settings.token_on_last_page)
    return with_token({"EngagementInvitationSummaries": [show_invitation(row, call.account) for row in page]}, token)


def get_engagement_invitation(call: Call, body: Json) -> Json:
    """One invitation with its payload."""
    invitation = _find_invitation(call, body["Identifier"])
    return show_invitation_detail(invitation, call.records.engagements[invitation.engagement_id])


def accept_engagement_invitation(call: Call, body: Json) -> Json:
    """Joins the engagement. No opportunity comes of it."""
    answer(call, _answerable(call, body["Identifier"]), "ACCEPTED")
    return {}


def reject_engagement_invitation(call: Call, body: Json) -> Json:
    """Declines for good."""
    answer(call, _answerable(call, body["Identifier"]), "REJECTED", body.get("RejectionReason"))
    return {}


def answer(call: Call, invitation: Invitation, status: str, reason: str | None = None) -> None:
    """Ends a pending invitation: one of ANSWERS, and why it was rejected."""
    invitation.status, invitation.rejection = status, reason
    if status == "ACCEPTED":
        join(call, call.records.engagements[invitation.engagement_id], invitation.receiver_account)
    elif status == "EXPIRED":
        invitation.expires = min(invitation.expires, call.now)


def make_engagement(call: Call, creator: str, title: str, description: str, contexts: list[Json]) -> Engagement:
    """A new engagement with its creator as the only member."""
    engagement = Engagement(
        id=make_id("eng", 14),
        catalog=call.catalog,
        title=title,
        description=description,
        created=call.now,
        created_by=creator,
        modified=call.now,
        modified_by=creator,
        members=[creator],
        contexts=contexts,
    )
    call.records.engagements[engagement.id] = engagement
    return engagement


def find_engagement(call: Call, reference: str) -> Engagement:
    """An engagement by id or ARN that the caller is a member of. Raises ResourceNotFoundException."""
    engagement = call.records.engagements.get(reference.rsplit("/", 1)[-1])
    if engagement is None or engagement.catalog != call.catalog or call.account not in engagement.members:
        raise not_found("Engagement", reference)
    return engagement


def invite_aws(call: Call, engagement: Engagement, record: Opportunity) -> Invitation:
    """The invitation of AWS that a submission sends; an earlier one is used again."""
    return aws_invitation(engagement) or _send(
        call,
        engagement,
        sender=(record.account, str(show_member(record.account)["CompanyName"])),
        receiver={"Account": {"AwsAccountId": AWS_ACCOUNT, "Alias": AWS_NAME}},
        payload=_describe(record),
        message="Invitation to engage on this opportunity",
    )


def refer(call: Call, record: Opportunity) -> None:
    """Turns a record into an AWS referral: hidden until accepted, announced by an invitation."""
    record.is_hidden = True
    engagement = make_engagement(call, SANDBOX_SENDER, str(find(record.body, "project.title"))[:40], "", [])
    _send(
        call,
        engagement,
        sender=(SANDBOX_SENDER, AWS_NAME),
        receiver={"Account": {"AwsAccountId": record.account}},
        payload=_describe(record),
        message="AWS has an opportunity for you",
    )


def _answer_at(call: Call, invitation: Invitation, due: datetime, status: str) -> None:
    def look(now: datetime) -> None:
        if invitation.status == "PENDING":
            answer(replace(call, now=now), invitation, status, "Unable to support" if status == "REJECTED" else None)

    call.records.schedule(due, look)


def _await_answer(call: Call, invitation: Invitation) -> None:
    """Lets the other partner answer by itself later, where the settings say so."""
    after = call.settings.invitations_after
    if after is not None:
        _answer_at(call, invitation, invitation.created + timedelta(seconds=after), call.settings.invitations_as)


def _send(
    call: Call,
    engagement: Engagement,
    *,
    sender: tuple[str, str],
    receiver: Json,
    payload: Json,
    message: str,
) -> Invitation:
    invitation = Invitation(
        id=make_id("engi"),
        catalog=engagement.catalog,
        engagement_id=engagement.id,
        engagement_title=engagement.title,
        sender=sender[0],
        sender_name=sender[1],
        receiver=receiver,
        payload=payload,
        message=message,
        created=call.now,
        expires=call.now + LIFETIME,
    )
    call.records.invitations[invitation.id] = invitation
    engagement.invitations.append(invitation)
    _answer_at(call, invitation, invitation.expires, "EXPIRED")
    return invitation


def _check_invitation(call: Call, wanted: Json, receiver: str) -> list[Problem]:
    path = "invitation.receiver.account.awsAccountId"
    connected = call.settings.connected_accounts
    problems = []
    if receiver == call.account:
        problems.append(Problem(path, "INVALID_VALUE", "An account cannot invite itself"))
    elif connected is not None and receiver not in connected:
        problems.append(Problem(path, "INVALID_VALUE", f"There is no connection with account {receiver}"))
    date_path = "payload.opportunityInvitation.project.targetCompletionDate"
    day = find(wanted, date_path)
    if day is not None and to_date(day) is None:
        problems.append(Problem(f"invitation.{date_path}", "INVALID_STRING_FORMAT", "not a date"))
    return problems


def _check_room(engagement: Engagement, receiver: str) -> None:
    asked = [row.receiver_account for row in engagement.invitations if row.status == "PENDING"]
    if receiver in engagement.members:
        raise conflict(f"Account {receiver} is already a member of engagement {engagement.id}")
    if receiver in asked:
        raise conflict(f"An invitation of account {receiver} to engagement {engagement.id} is pending")
    if len(engagement.members) + len(asked) >= MEMBERS:
        raise ServiceError("ServiceQuotaExceededException", f"An engagement has at most {MEMBERS} members")


def _is_party(call: Call, row: Invitation) -> bool:
    return row.catalog == call.catalog and call.account in (row.sender, row.receiver_account)


def _is_wanted(call: Call, row: Invitation, body: Json) -> bool:
    role = row.sender if body["ParticipantType"] == "SENDER" else row.receiver_account
    engagements = [reference.rsplit("/", 1)[-1] for reference in body.get("EngagementIdentifier", ())]
    return (
        role == call.account
        and (not body.get("Status") or row.status in body["Status"])
        and (not body.get("PayloadType") or row.payload_type in body["PayloadType"])
        and (not body.get("SenderAwsAccountId") or row.sender in body["SenderAwsAccountId"])
        and (not engagements or row.engagement_id in engagements)
    )


def _find_invitation(call: Call, reference: str) -> Invitation:
    invitation = call.records.invitations.get(reference.rsplit("/", 1)[-1])
    if invitation is None or not _is_party(call, invitation):
        raise not_found("Engagement invitation", reference)
    return invitation


def _answerable(call: Call, reference: str) -> Invitation:
    invitation = _find_invitation(call, reference)
    if invitation.receiver_account != call.account:
        raise not_found("Engagement invitation", reference)
    if invitation.status != "PENDING":
        raise conflict(f"Engagement invitation {invitation.id} is {invitation.status}")
    return invitation


def _describe(record: Opportunity) -> Json:
    account, project = record.body.get("Customer", {}).get("Account", {}), record.body["Project"]
    customer = {key: account[key] for key in ("CompanyName", "Industry", "WebsiteUrl") if key in account}
    return {
        "OpportunityInvitation": {
            "ReceiverResponsibilities": ["Co-Sell Facilitator"],
            "Customer": {**customer, "CountryCode": account.get("Address", {}).get("CountryCode")},
            "Project": {
                "Title": project["Title"],
                "BusinessProblem": project["CustomerBusinessProblem"],
                "TargetCompletionDate": record.body["LifeCycle"]["TargetCloseDate"],
                "ExpectedCustomerSpend": copy.deepcopy(project["ExpectedCustomerSpend"]),
            },
        }
    }
