"""Opportunity operations: create, read, update, assign, and the AWS side's summary."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.edits import check_edit, check_stage, is_simulated_review
from connector.sandbox.partner_central.errors import NOT_PERMITTED, Problem, conflict, not_found, refuse
from connector.sandbox.partner_central.instants import from_wire, to_milliseconds
from connector.sandbox.partner_central.invitations import refer
from connector.sandbox.partner_central.paths import Json, find
from connector.sandbox.partner_central.records import Opportunity
from connector.sandbox.partner_central.review import await_review, decide
from connector.sandbox.partner_central.rules import Facts, check_create, check_update, normalise
from connector.sandbox.partner_central.submission import has_solution
from connector.sandbox.partner_central.tables import ACTION_REQUIRED, LAUNCHED, PENDING, REJECTED, TEAM_TITLES
from connector.sandbox.partner_central.views import show_aws_summary, show_opportunity

# What the service owns inside LifeCycle; a request may echo it.
_SERVICE_OWNED = ("ReviewStatus", "ReviewComments", "ReviewStatusReason", "NextStepsHistory")
_NOT_STORED = (
    "Catalog",
    "ClientToken",
    "Identifier",
    "LastModifiedDate",
    "Origin",
    "OpportunityTeam",
    "Tags",
)


def create_opportunity(call: Call, body: Json) -> Json:
    """A new record in Pending Submission; for Origin `AWS Referral` an invitation as AWS would send it."""
    refuse(check_create(Facts(body, call.catalog, call.today, call.is_own)))
    stamp = call.records.stamp(call.now)
    record = Opportunity(
        id=call.records.next_opportunity_id(),
        account=call.account,
        catalog=call.catalog,
        body=normalise(_stored(body)),
        created=stamp,
        modified=stamp,
        origin=body.get("Origin", "Partner Referral"),
        team=copy.deepcopy(body.get("OpportunityTeam", [])),
    )
    note_next_steps(record, None)
    call.records.opportunities[record.id] = record
    if record.origin == "AWS Referral":
        refer(call, record)
    return {**_stamped(record), **_external_id(record)}


def get_opportunity(call: Call, body: Json) -> Json:
    """The whole record as the partner may see it."""
    record = call.opportunity(body["Identifier"])
    if not call.is_visible(record):
        raise not_found("Opportunity", record.id)
    return show_opportunity(record, call.settings)


def update_opportunity(call: Call, body: Json) -> Json:
    """Replaces the whole record, if the lock, the review status and the rules allow it."""
    record = call.opportunity(body["Identifier"])
    if to_milliseconds(from_wire(body["LastModifiedDate"])) != to_milliseconds(record.modified):
        raise conflict("Conflicting error, last modified date is not the latest")
    requested = find(body, "lifeCycle.reviewStatus")
    new = normalise(_stored(body))
    refuse(
        [
            *check_edit(record, new, requested),
            *check_update(_facts(call, record, body)),
            *check_stage(record, new, call.settings, has_solution=has_solution(record)),
        ]
    )
    _replace(call, record, body, new)
    return _stamped(record)


def assign_opportunity(call: Call, body: Json) -> Json:
    """Makes a Partner Central user the owner."""
    record = call.opportunity(body["Identifier"])
    assignee = body["Assignee"]
    refuse(_check_assignment(call, record, assignee))
    kept = [member for member in record.team if member.get("BusinessTitle") != assignee["BusinessTitle"]]
    record.team = [*kept, copy.deepcopy(assignee)]
    record.modified = call.records.stamp(call.now)
    return {}


def get_aws_opportunity_summary(call: Call, body: Json) -> Json:
    """What AWS shows of its side."""
    return show_aws_summary(call.opportunity(body["RelatedOpportunityIdentifier"]))


def _check_assignment(call: Call, record: Opportunity, assignee: Json) -> Iterator[Problem]:
    if record.review_status == REJECTED:
        yield Problem("identifier", NOT_PERMITTED, "Opportunity cannot be assigned in Rejected status")
    if assignee["BusinessTitle"] not in TEAM_TITLES:
        titles = " or ".join(sorted(TEAM_TITLES))
        yield Problem("assignee.businessTitle", "INVALID_VALUE", f"businessTitle must be {titles}")
    users = call.settings.users
    if users is not None and assignee["Email"] not in users:
        text = f"{assignee['Email']} is not a Partner Central user"
        yield Problem("assignee.email", "INVALID_VALUE", text)


def _facts(call: Call, record: Opportunity, body: Json) -> Facts:
    facts = Facts(body, call.catalog, call.today, call.is_own)
    # After launch the date can no longer be edited, so it cannot be asked to be in the future.
    is_launched = find(record.body, "lifeCycle.stage") == LAUNCHED
    is_launching = call.settings.launched_may_be_past and find(body, "lifeCycle.stage") == LAUNCHED
    return replace(facts, may_close_in_past=is_launched or is_launching)


def _replace(call: Call, record: Opportunity, body: Json, new: Json) -> None:
    life_cycle = body.get("LifeCycle", {})
    requested = life_cycle.get("ReviewStatus")
    previous = find(record.body, "lifeCycle.nextSteps")
    record.body = new
    record.modified = call.records.stamp(call.now)
    note_next_steps(record, previous)
    if is_simulated_review(record, requested):
        decide(call, record, requested, life_cycle.get("ReviewComments"), life_cycle.get("ReviewStatusReason"))
    elif record.review_status == ACTION_REQUIRED:
        record.review_status = call.settings.after_action_required
        await_review(call, record)
    elif record.review_status == PENDING and requested is None and _loses_status(call):
        record.review_status = None


def _loses_status(call: Call) -> bool:
    return call.settings.null_review_status and call.catalog == "Sandbox"


def note_next_steps(record: Opportunity, previous: object) -> None:
    """Adds the next steps to their history where they are not what they were."""
    text = find(record.body, "lifeCycle.nextSteps")
    if text and text != previous:
        record.next_steps.append((record.modified, text))


def _stored(body: Json) -> Json:
    kept = {key: copy.deepcopy(value) for key, value in body.items() if key not in _NOT_STORED}
    for key in _SERVICE_OWNED:
        kept.get("LifeCycle", {}).pop(key, None)
    return kept


def _stamped(record: Opportunity) -> Json:
    return {"Id": record.id, "LastModifiedDate": to_milliseconds(record.modified)}


def _external_id(record: Opportunity) -> Json:
    key = "PartnerOpportunityIdentifier"
    return {key: record.body[key]} if key in record.body else {}
