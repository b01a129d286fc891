"""Looks at both services after a proof: what was doubled, lost, nulled, or sent under a token of something else.

Reads only what the sandbox itself kept, and what the mapping gives; it never asks the ledger what happened at AWS.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from connector.core.invitations import OVER
from connector.core.mapping import map_record
from connector.core.model import Mapped
from connector.sandbox.partner_central.review import AWS_ACCOUNT
from connector.sandbox.partner_central.service import Entry
from connector.sync import Context
from tests.world import ROW, World

CREATE_ONLY = ("Origin", "OpportunityTeam", "Tags")
NOT_CONTENT = (*CREATE_ONLY, "Catalog", "ClientToken", "Identifier", "LastModifiedDate")
SERVICE_OWNED = ("ReviewStatus", "ReviewComments", "ReviewStatusReason", "NextStepsHistory")
START = "StartEngagementFromOpportunityTask"
INVITE = "CreateEngagementInvitation"
NEVER = frozenset({"ACTION_NOT_PERMITTED", "REQUIRED_FIELD_MISSING"})
"""What AWS must never have to say to an update of ours."""
KINDS = ("duplicate", "lost", "nulled", "token", "open", "refused")


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that must never be. ``kind`` is one of KINDS; several processes know of two more."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Deal:
    """A record, and what people put beside it at AWS: values by path, associations as (type, id).

    ``owner`` is the e-mail address of whom the mapping assigns, "" where it assigns nobody.
    """

    id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    associations: tuple[tuple[str, str], ...] = ()
    owner: str = ""


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every value of a structure by its path; rows of a list by their index, plain lists in order of their texts."""
    if isinstance(value, Mapping):
        inner = [leaves(each, f"{path}.{name}" if path else str(name)) for name, each in value.items()]
        return {name: leaf for part in inner for name, leaf in part.items()}
    if isinstance(value, list) and any(isinstance(row, Mapping) for row in value):
        return {name: leaf for i, row in enumerate(value) for name, leaf in leaves(row, f"{path}[{i}]").items()}
    if isinstance(value, list):
        return {path: sorted(value)} if value else {}
    return {} if value in (None, "") else {path: _plain(value)}


def _plain(value: Any) -> Any:
    try:
        return Decimal(str(value)).normalize() if not isinstance(value, bool) else value
    except InvalidOperation:
        return value


def content_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves that the partner decides, of a request or of what AWS shows."""
    kept = {name: value for name, value in body.items() if name not in NOT_CONTENT}
    life_cycle = {name: value for name, value in kept.get("LifeCycle", {}).items() if name not in SERVICE_OWNED}
    return leaves({**kept, "LifeCycle": life_cycle})


def always(world: World, deals: Iterable[str], may_vanish: Collection[str] = ()) -> list[Complaint]:
    """What must hold at any moment. ``may_vanish`` are paths that sellers empty on purpose."""
    return [
        *_doubled_opportunities(world, deals),
        *_doubled_tasks(world),
        *_doubled_associations(world),
        *_doubled_invitations(world),
        *_shared_tokens(world),
        *_vanished(world, may_vanish),
        *_forbidden(world),
    ]


def _doubled_opportunities(world: World, deals: Iterable[str]) -> Iterator[Complaint]:
    found = Counter(entry.get("PartnerOpportunityIdentifier") for entry in world.sandbox.service.opportunities())
    for deal in deals:
        if found[deal] > 1:
            yield Complaint("duplicate", f"{found[deal]} opportunities at AWS for {deal}")


def _doubled_tasks(world: World) -> Iterator[Complaint]:
    standing = [task for task in world.sandbox.service.tasks() if task["TaskStatus"] != "FAILED"]
    for identifier, number in Counter(task["OpportunityId"] for task in standing).items():
        if number > 1:
            yield Complaint("duplicate", f"{identifier} was submitted {number} times")


def _doubled_associations(world: World) -> Iterator[Complaint]:
    attached: Counter[tuple[str, str, str]] = Counter()
    for entry in list(world.sandbox.service.journal):
        if entry.outcome == "ok" and entry.operation in {"AssociateOpportunity", "DisassociateOpportunity"}:
            body = entry.body
            what = (body["OpportunityIdentifier"], body["RelatedEntityType"], body["RelatedEntityIdentifier"])
            attached[what] += 1 if entry.operation == "AssociateOpportunity" else -1
            if attached[what] not in {0, 1}:
                yield Complaint("duplicate", f"{what} was associated twice")


def _doubled_invitations(world: World) -> Iterator[Complaint]:
    """A receiver is asked once for an engagement, and again only by another row after an answer of no or none."""
    sent: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in world.sandbox.service.invitations():
        if one["Receiver"]["Account"]["AwsAccountId"] != AWS_ACCOUNT:
            sent[_asked(one["EngagementId"], one)].append(one["Status"])
    rows = _rows_by_receiver(world)
    for asked, statuses in sent.items():
        if len(statuses) > max(rows[asked], 1):
            yield Complaint("duplicate", f"{len(statuses)} invitations of {asked}, {rows[asked]} rows ask for it")
        if any(status not in OVER for status in statuses[:-1]):
            yield Complaint("duplicate", f"{asked} was invited again after {statuses[:-1]}")
    for entry in world.ours:
        # AWS kept us from it, which it need not have had to.
        if entry.operation == INVITE and entry.outcome == "ConflictException" and not entry.is_replay:
            asked = _asked(entry.body["EngagementIdentifier"], entry.body["Invitation"])
            yield Complaint("duplicate", f"a second invitation of {asked} was tried")


def _asked(engagement_id: str, invitation: Mapping[str, Any]) -> tuple[str, str]:
    return engagement_id.rpartition("/")[2], invitation["Receiver"]["Account"]["AwsAccountId"]


def _rows_by_receiver(world: World) -> Counter[tuple[str, str]]:
    """How many rows, deleted ones too, ask for one receiver in one engagement."""
    engagements = {
        found.get("PartnerOpportunityIdentifier"): found["EngagementId"]
        for found in world.sandbox.service.opportunities()
    }
    rows = world.sandbox.org.store.table(ROW).rows.values()
    return Counter(
        (
            str(row.get("Engagement_Id__c") or engagements.get(row["Opportunity__c"]) or ""),
            str(row.get("Partner_AWS_Account__c") or ""),
        )
        for row in list(rows)
    )


def _forbidden(world: World) -> Iterator[Complaint]:
    for entry in world.ours:
        codes = NEVER & set(entry.problems)
        if entry.operation == "UpdateOpportunity" and codes:
            yield Complaint("refused", f"an update of {entry.body.get('Identifier')}: {', '.join(sorted(codes))}")


def _shared_tokens(world: World) -> Iterator[Complaint]:
    uses: dict[str, set[str]] = defaultdict(set)
    for entry in world.ours:
        if entry.token is not None:
            uses[entry.token].add(json.dumps([entry.operation, entry.body], sort_keys=True))
    for token, bodies in uses.items():
        if len(bodies) > 1:
            yield Complaint("token", f"the token {token} was used for {len(bodies)} bodies")


def _vanished(world: World, may_vanish: Collection[str]) -> Iterator[Complaint]:
    """Follow each opportunity through its updates: whatever was there before is there after."""
    held: dict[str, dict[str, Any]] = {}
    opportunities = world.sandbox.service.opportunities()
    ids = {str(found.get("PartnerOpportunityIdentifier")): str(found["Id"]) for found in opportunities}
    said = deque(world.said_at_aws)
    for number, entry in enumerate(list(world.sandbox.service.journal)):
        while said and said[0][0] <= number:
            _, about, values = said.popleft()
            held.setdefault(about, {}).update(leaves(_nested(values)))
        identifier = _written(entry, ids)
        if identifier is None:
            continue
        after = content_of(entry.body)
        for path in sorted(set(held.get(identifier, {})) - set(after) - set(may_vanish)):
            yield Complaint("nulled", f"{path} of {identifier} was blanked by an update")
        held[identifier] = after
    for found in opportunities:
        if found["LifeCycle"].get("ReviewStatus") is None:
            yield Complaint("nulled", f"the review status of {found['Id']} was lost")


def _written(entry: Entry, ids: Mapping[str, str]) -> str | None:
    """The opportunity that this request wrote as a whole, None when it wrote none."""
    if entry.outcome != "ok" or entry.is_replay:
        return None
    if entry.operation == "CreateOpportunity":
        return ids.get(str(entry.body.get("PartnerOpportunityIdentifier")))
    return str(entry.body["Identifier"]) if entry.operation == "UpdateOpportunity" else None


def settled(world: World, context: Context, deals: Iterable[Deal]) -> list[Complaint]:
    """What must hold of complete, flagged records in the end: submitted once, shown, and whole field by field."""
    found = [complaint for deal in deals for complaint in _settled(world, context, deal)]
    number = context.ledger.open_operations(context.name)
    return found + ([Complaint("open", f"{number} operations are left open")] if number else [])


def _settled(world: World, context: Context, deal: Deal) -> Iterator[Complaint]:
    at_aws = world.at_aws(deal.id)
    if not at_aws:
        yield Complaint("lost", f"{deal.id} is not at AWS")
        return
    (opportunity,) = at_aws[:1]
    review = opportunity["LifeCycle"].get("ReviewStatus")
    record = world.record(deal.id)
    expected = {
        "AWS_Opportunity_Id__c": opportunity["Id"],
        "AWS_Review_Status__c": review,
        "AWS_Sync_Status__c": "Synced",
    }
    if review in {None, "Pending Submission"}:
        yield Complaint("lost", f"{deal.id} was not submitted: {record['AWS_Sync_Message__c']}")
    for name, value in expected.items():
        if record[name] != value:
            yield Complaint("lost", f"{deal.id} shows {name} {record[name]!r} where it should show {value!r}")
    if deal.owner and deal.owner not in [member.get("Email") for member in opportunity["OpportunityTeam"]]:
        yield Complaint("lost", f"{deal.id} is not assigned to {deal.owner}")
    mapped = mapped_now(context, deal.id)
    yield from unlike_at_aws(opportunity, mapped, deal)
    yield from _uninvited(world, opportunity, mapped)


def _uninvited(world: World, opportunity: Mapping[str, Any], mapped: Mapped) -> Iterator[Complaint]:
    """Every complete row has its invitation at AWS, and shows it."""
    for wanted in (one for one in mapped.invitations if not one.problems and not one.key.startswith("[")):
        engagement = wanted.engagement_id or opportunity["EngagementId"]
        sent = [one for one in world.invitations_of(wanted.receiver) if one["EngagementId"] == engagement]
        row = world.row(wanted.key)
        own = [one for one in sent if one["Id"] == row["Invitation_Id__c"]]
        if not own:
            told = (
                f"{len(sent)} were sent, the row shows {row['Invitation_Id__c']!r}: {row['Invitation_Sync_Message__c']}"
            )
            yield Complaint("lost", f"the invitation of {wanted.receiver}; {told}")
            continue
        shown = {"Invitation_Arn__c": own[0]["Arn"], "Invitation_Status__c": own[0]["Status"]}
        shown |= {"Rejection_Reason__c": own[0].get("RejectionReason"), "Invitation_Sync_Status__c": "Synced"}
        for name, value in shown.items():
            if row[name] != value:
                yield Complaint("lost", f"the row of {wanted.receiver} shows {name} {row[name]!r}, not {value!r}")


def mapped_now(context: Context, salesforce_id: str) -> Mapped:
    """What the mapping gives for a record as Salesforce holds it now."""
    (record,) = context.salesforce.fetch(context.mapping.selection, [salesforce_id])
    return map_record(context.mapping, record, context.today)


def draft_of(world: World, deal: str, token: str = "by-hand", **project: Any) -> str:
    """Somebody creates the opportunity of a record at AWS; gives its id."""
    body = dict(mapped_now(world.context(), deal).opportunity)
    body["Project"] = {**body["Project"], **project}
    return str(world.by_hand("CreateOpportunity", {**body, "ClientToken": token})["Id"])


def unlike_at_aws(opportunity: Mapping[str, Any], mapped: Mapped, deal: Deal) -> Iterator[Complaint]:
    """Where AWS holds something else than the mapping gives, or lost what people put beside it."""
    have = content_of(opportunity)
    wanted = {**content_of(mapped.opportunity), **leaves(_nested(deal.values))}
    for path, value in wanted.items():
        if path not in have:
            yield Complaint("nulled", f"{path} of {deal.id} is gone at AWS")
        elif have[path] != value:
            yield Complaint("lost", f"{path} of {deal.id} is {have[path]!r} at AWS and should be {value!r}")
    related = opportunity["RelatedEntityIdentifiers"]
    present = {(kind, identifier) for kind, identifiers in related.items() for identifier in identifiers}
    agreed = {(each.entity_type, each.identifier) for each in mapped.associations} | set(deal.associations)
    for missing in sorted(agreed - present):
        yield Complaint("nulled", f"{missing} of {deal.id} is not associated")
    for surplus in sorted(present - agreed):
        yield Complaint("lost", f"{surplus} of {deal.id} is associated still")


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *steps, last = path.split(".")
        inner = nested
        for step in steps:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return nested


def count(complaints: Iterable[Complaint], kinds: Sequence[str] = KINDS) -> dict[str, int]:
    """How many of each kind, for the figures; every kind is named."""
    found = Counter(complaint.kind for complaint in complaints)
    return {kind: found[kind] for kind in kinds}


def value_at(structure: Any, path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    for step in path.split("."):
        structure = structure.get(step) if isinstance(structure, Mapping) else None
    return structure
