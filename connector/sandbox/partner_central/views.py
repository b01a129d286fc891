"""How records look when they are read back, with the service's quirks: escaping, amounts, gaps."""

from __future__ import annotations

import copy
import html
import re
from typing import Any

from connector.sandbox.partner_central.instants import to_milliseconds, to_nanoseconds
from connector.sandbox.partner_central.paths import Json, find
from connector.sandbox.partner_central.records import Engagement, Invitation, Opportunity, Task
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.partner_central.tables import APPROVED, ASSOCIATION_LIMITS, NO_NEED

# GetOpportunity adds the partner's alliance lead to the team that was sent.
OWNER = {
    "Email": "alliance.lead@partner.example",
    "FirstName": "Alliance",
    "LastName": "Lead",
    "BusinessTitle": "OpportunityOwner",
}
AWS_NAME = "AWS"

_SUMMARY_MEMBERS = {
    "LifeCycle": (
        "Stage",
        "ClosedLostReason",
        "NextSteps",
        "TargetCloseDate",
        "ReviewStatus",
        "ReviewComments",
        "ReviewStatusReason",
    ),
    "Project": ("DeliveryModels", "ExpectedCustomerSpend", "ExpectedContractDuration"),
}
_SUMMARY_ACCOUNT = ("Industry", "OtherIndustry", "CompanyName", "WebsiteUrl")
_SUMMARY_ADDRESS = ("City", "PostalCode", "StateOrRegion", "CountryCode")


def show_opportunity(record: Opportunity, settings: Settings) -> Json:
    """The answer of GetOpportunity."""
    body = _read_body(record, settings)
    return {
        **body,
        **_heading(record),
        "RelatedEntityIdentifiers": {kind: list(record.related.get(kind, ())) for kind in ASSOCIATION_LIMITS},
        "OpportunityTeam": _show_team(record),
    }


def show_summary(record: Opportunity, settings: Settings) -> Json:
    """The record's entry in ListOpportunities."""
    body = _read_body(record, settings)
    account = find(body, "customer.account") or {}
    summary = {**_heading(record), "Customer": {"Account": _pick(account, _SUMMARY_ACCOUNT)}}
    if "Address" in account:
        summary["Customer"]["Account"]["Address"] = _pick(account["Address"], _SUMMARY_ADDRESS)
    for block, members in _SUMMARY_MEMBERS.items():
        summary[block] = _pick(body.get(block, {}), members)
    for spend in summary["Project"].get("ExpectedCustomerSpend", ()):
        # The list writes as a float what GetOpportunity writes as an integer.
        if spend.get("Amount") and "." not in spend["Amount"]:
            spend["Amount"] += ".0"
    return {**summary, **_pick(body, ("OpportunityType", "PartnerOpportunityIdentifier"))}


def show_aws_summary(record: Opportunity) -> Json:
    """The answer of GetAwsOpportunitySummary: next to nothing before submission, more once approved.

    What AWS says of its own side stands over what shows there by itself.
    """
    summary: Json = {
        "Catalog": record.catalog,
        "RelatedOpportunityId": record.id,
        "Origin": record.origin,
        "OpportunityTeam": [],
        "RelatedEntityIds": {kind: list(record.related.get(kind, ())) for kind in ("Solutions", "AwsProducts")},
    }
    if record.involvement is not None:
        summary |= {"InvolvementType": record.involvement, "Visibility": record.visibility}
    if record.review_status == APPROVED:
        life_cycle = record.body.get("LifeCycle", {})
        summary["LifeCycle"] = _pick(life_cycle, ("Stage", "TargetCloseDate", "NextSteps"))
        project = _pick(record.body.get("Project", {}), ("ExpectedCustomerSpend", "AwsPartition"))
        summary["Project"] = copy.deepcopy(project)
    return _lay_over(summary, record.aws_side)


def show_task(task: Task, settings: Settings) -> Json:
    """A task as its start and ListEngagementFromOpportunityTasks show it. Ids come once it is COMPLETE."""
    shown: Json = {
        "TaskId": task.id,
        "TaskArn": task.arn,
        "TaskStatus": task.status,
        "StartTime": to_nanoseconds(task.started),
        "OpportunityId": task.opportunity_id,
        "Message": task.message,
        "ReasonCode": _show_reason(task, settings),
        "EngagementId": task.engagement_id,
        "EngagementInvitationId": task.invitation_id,
        "ResourceSnapshotJobId": task.job_id,
    }
    if task.script.premature and task.status == "IN_PROGRESS":
        shown["TaskStatus"] = "COMPLETE"
    if task.script.ids_null:
        shown |= dict.fromkeys(("TaskId", "TaskArn", "EngagementId", "ResourceSnapshotJobId"))
    return {key: value for key, value in shown.items() if value is not None or task.script.ids_null}


def show_engagement(engagement: Engagement) -> Json:
    """The answer of GetEngagement."""
    return {
        **show_engagement_summary(engagement),
        "Description": engagement.description,
        "Contexts": copy.deepcopy(engagement.contexts),
    }


def show_engagement_summary(engagement: Engagement) -> Json:
    """An engagement's entry in ListEngagements."""
    return {
        "Id": engagement.id,
        "Arn": engagement.arn,
        "Title": engagement.title,
        "CreatedAt": to_nanoseconds(engagement.created),
        "CreatedBy": engagement.created_by,
        "ModifiedAt": to_nanoseconds(engagement.modified),
        "ModifiedBy": engagement.modified_by,
        "MemberCount": len(engagement.members),
    }


def show_member(account: str) -> Json:
    """A member of an engagement; the emulator knows companies by their account only."""
    name = AWS_NAME if account == "aws" else f"Partner {account}"
    host = "aws.example" if account == "aws" else f"partner-{account}.example"
    return {"AccountId": account, "CompanyName": name, "WebsiteUrl": f"https://{host}"}


def show_invitation(invitation: Invitation, account: str) -> Json:
    """An invitation's entry in ListEngagementInvitations, as `account` sees it."""
    return {
        "Catalog": invitation.catalog,
        "Id": invitation.id,
        "Arn": invitation.arn,
        "PayloadType": invitation.payload_type,
        "EngagementId": invitation.engagement_id,
        "EngagementTitle": invitation.engagement_title,
        "Status": invitation.status,
        "InvitationDate": to_nanoseconds(invitation.created),
        "ExpirationDate": to_nanoseconds(invitation.expires),
        "SenderAwsAccountId": invitation.sender,
        "SenderCompanyName": invitation.sender_name,
        "Receiver": copy.deepcopy(invitation.receiver),
        "ParticipantType": "SENDER" if invitation.sender == account else "RECEIVER",
    }


def show_invitation_detail(invitation: Invitation, engagement: Engagement) -> Json:
    """The answer of GetEngagementInvitation, which is the same for sender and receiver."""
    summary = show_invitation(invitation, invitation.sender)
    # Only the list tells the part that its reader has in it.
    del summary["ParticipantType"]
    members = [show_member(account) for account in engagement.members]
    detail: Json = {
        **summary,
        "InvitationMessage": invitation.message,
        "EngagementDescription": engagement.description,
        "Payload": copy.deepcopy(invitation.payload),
        "ExistingMembers": [_pick(member, ("CompanyName", "WebsiteUrl")) for member in members],
    }
    return detail if invitation.rejection is None else {**detail, "RejectionReason": invitation.rejection}


def _lay_over(below: Json, above: Json) -> Json:
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            inner = merged.get(key)
            merged[key] = _lay_over(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _heading(record: Opportunity) -> Json:
    return {
        "Catalog": record.catalog,
        "Id": record.id,
        "Arn": record.arn,
        "CreatedDate": to_milliseconds(record.created),
        "LastModifiedDate": to_milliseconds(record.modified),
    }


def _read_body(record: Opportunity, settings: Settings) -> Json:
    body = copy.deepcopy(record.body)
    body["LifeCycle"] = {**body.get("LifeCycle", {}), **_show_review(record)}
    if record.involvement == "For Visibility Only" and not body.get("PrimaryNeedsFromAws"):
        body["PrimaryNeedsFromAws"] = [NO_NEED]
    if settings.stub_spend:
        body.setdefault("Project", {}).setdefault("ExpectedCustomerSpend", []).append({"CurrencyCode": "USD"})
    return _escape(body, settings)


def _show_review(record: Opportunity) -> Json:
    shown = {
        "ReviewStatus": record.review_status,
        "ReviewComments": record.review_comments,
        "ReviewStatusReason": record.review_reason,
        "NextStepsHistory": [
            {"Time": to_milliseconds(at), "Value": text} for at, text in reversed(record.next_steps[-50:])
        ],
    }
    return {key: value for key, value in shown.items() if value is not None}


def _show_team(record: Opportunity) -> list[Json]:
    team = copy.deepcopy(record.team)
    has_owner = any(member.get("BusinessTitle") == OWNER["BusinessTitle"] for member in team)
    return team if has_owner else [*team, dict(OWNER)]


def _show_reason(task: Task, settings: Settings) -> str | None:
    if task.status == "COMPLETE" and settings.success_reason_null:
        # The text, not the JSON null: recorded from the service.
        return "null"
    if task.reason is not None and settings.reason_code_upper:
        return re.sub("(?<!^)(?=[A-Z])", "_", task.reason).upper()
    return task.reason


def _escape(body: Json, settings: Settings) -> Json:
    if settings.escape == "none":
        return body
    use_case = find(body, "project.customerUseCase")
    if settings.escape == "all":
        body = _escape_strings(body)
    if use_case is not None:
        escaped = html.escape(use_case, quote=False)
        is_thorough = settings.escape == "all"
        body["Project"]["CustomerUseCase"] = escaped.replace(":", "&amp;colon;") if is_thorough else escaped
    return body


def _escape_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escape_strings(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_escape_strings(item) for item in value]
    return html.escape(value, quote=False) if isinstance(value, str) else value


def _pick(block: Json, members: tuple[str, ...]) -> Json:
    return {key: block[key] for key in members if key in block}
