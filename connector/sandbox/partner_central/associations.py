"""Associations of an opportunity, and the solutions there are to associate."""

from __future__ import annotations

from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.errors import NOT_PERMITTED, Problem, conflict, refuse
from connector.sandbox.partner_central.instants import to_milliseconds
from connector.sandbox.partner_central.offerings import Solution, is_known, solutions
from connector.sandbox.partner_central.pages import cut_page, with_token
from connector.sandbox.partner_central.paths import Json, find, is_blank
from connector.sandbox.partner_central.records import Opportunity
from connector.sandbox.partner_central.tables import (
    ASSOCIATION_LIMITS,
    IN_REVIEW,
    PENDING,
    REJECTED,
    SOLUTION_KINDS,
    STAGES_WITH_SOLUTION,
    SUBMITTED,
)

_EXCLUSIVE = {
    "AwsMarketplaceOffers": "AwsMarketplaceOfferSets",
    "AwsMarketplaceOfferSets": "AwsMarketplaceOffers",
}


def associate_opportunity(call: Call, body: Json) -> Json:
    """Adds one entity to a record."""
    record = call.opportunity(body["OpportunityIdentifier"])
    refuse(_check_status(call, record))
    kind, identifier = body["RelatedEntityType"], body["RelatedEntityIdentifier"]
    entities = record.related.setdefault(kind, [])
    if identifier in entities:
        if call.settings.associate_twice == "conflict":
            raise conflict(f"{identifier} is already associated with {record.id}")
        return {}
    refuse(_check_addition(record, kind, identifier, call.settings.inactive_solutions))
    entities.append(identifier)
    record.modified = call.records.stamp(call.now)
    return {}


def disassociate_opportunity(call: Call, body: Json) -> Json:
    """Takes one entity from a record."""
    record = call.opportunity(body["OpportunityIdentifier"])
    refuse(_check_status(call, record))
    kind, identifier = body["RelatedEntityType"], body["RelatedEntityIdentifier"]
    if identifier not in record.related.get(kind, ()):
        refuse([Problem("relatedEntityIdentifier", "INVALID_VALUE", f"{identifier} is not associated")])
    if _is_last_solution(record, kind):
        text = "The last solution of a submitted opportunity cannot be removed"
        refuse([Problem("relatedEntityIdentifier", NOT_PERMITTED, text)])
    record.related[kind].remove(identifier)
    record.modified = call.records.stamp(call.now)
    return {}


def list_solutions(call: Call, body: Json) -> Json:
    """The partner's solutions, filtered and sorted."""
    rows = [one for one in solutions(call.settings.inactive_solutions) if _is_wanted(one, body)]
    sort = body.get("Sort", {"SortBy": "Identifier", "SortOrder": "ASCENDING"})
    rows.sort(key=lambda row: _sort_key(row, sort["SortBy"]), reverse=sort["SortOrder"] == "DESCENDING")
    page, token = cut_page(body, rows, token_on_last_page=call.settings.token_on_last_page)
    shown = [solution.to_json(call.catalog, to_milliseconds(solution.created)) for solution in page]
    return with_token({"SolutionSummaries": shown}, token)


def _check_status(call: Call, record: Opportunity) -> list[Problem]:
    status = record.review_status
    is_locked = status in (SUBMITTED, IN_REVIEW) and not call.settings.associate_in_review
    if status != REJECTED and not is_locked:
        return []
    text = f"Associations of an opportunity in status {status} cannot be changed"
    return [Problem("opportunityIdentifier", NOT_PERMITTED, text)]


def _check_addition(record: Opportunity, kind: str, identifier: str, inactive: frozenset[str]) -> list[Problem]:
    path = "relatedEntityIdentifier"
    if not is_known(kind, identifier, inactive):
        return [Problem(path, "INVALID_VALUE", f"{identifier} is not a known entity of {kind}")]
    if len(record.related[kind]) >= ASSOCIATION_LIMITS[kind]:
        return [Problem(path, "TOO_MANY_VALUES", f"{kind} may have at most {ASSOCIATION_LIMITS[kind]} entities")]
    if record.related.get(_EXCLUSIVE.get(kind, "")):
        return [Problem(path, NOT_PERMITTED, "Either an offer or an offer set can be associated, not both")]
    return []


def _is_last_solution(record: Opportunity, kind: str) -> bool:
    if kind not in SOLUTION_KINDS or record.review_status in (None, PENDING):
        return False
    left = sum(len(record.related.get(each, ())) for each in SOLUTION_KINDS)
    is_other_enough = find(record.body, "lifeCycle.stage") not in STAGES_WITH_SOLUTION
    is_described = is_other_enough and not is_blank(find(record.body, "project.otherSolutionDescription"))
    return left == 1 and not is_described


def _is_wanted(solution: Solution, body: Json) -> bool:
    return (
        (not body.get("Status") or solution.status in body["Status"])
        and (not body.get("Identifier") or solution.id in body["Identifier"])
        and (not body.get("Category") or solution.category in body["Category"])
        and not body.get("AwsMarketplaceSolutionArn")
    )


def _sort_key(solution: Solution, name: str) -> str:
    keys = {
        "Identifier": solution.id,
        "Name": solution.name,
        "Status": solution.status,
        "Category": solution.category,
        "CreatedDate": solution.created.isoformat(),
    }
    return keys[name]
