"""For every review status, stage and changed field: sent, held or queued. And what else keeps an edit back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from connector.adapters.partner_central.model import input_shape
from connector.core import schema
from connector.core.diff import Change, agree_on, body_of_update, put_at, value_at
from connector.core.edits import Edits, Policy, judge, overruling
from connector.core.lifecycle import ReviewStatus, verdict_on_associations
from connector.core.model import Association, Link, Mapped, Origin, Problem, Structure
from connector.core.plan import Attach, Detach, Hold, Update, plan_link
from connector.core.schema import Shape
from connector.sandbox.partner_central.edits import check_edit
from connector.sandbox.partner_central.errors import NOT_PERMITTED
from connector.sandbox.partner_central.records import Opportunity

UPDATE = input_shape("UpdateOpportunity")
TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STAGES = (
    "Prospect",
    "Qualified",
    "Technical Validation",
    "Business Validation",
    "Committed",
    "Launched",
    "Closed Lost",
)
UNKNOWN = "Awaiting Committee"
STATUSES = ("Pending Submission", "Submitted", "In review", "Approved", "Rejected", "Action Required", "", UNKNOWN)

# What becomes of an edit: s sent, h held, q queued. The columns are the review statuses above in their order, "-" being
# none and "?" one that AWS added later; L is Approved and Launched, C Approved and Closed Lost. Written out by hand
# from AWS's documentation and what was tried, so that an error in the code's own tables shows.
TABLE = """
                                                P S I A R Q - ?  L C
    Customer.Account.Address.City               s q q s h s q q  h h
    Customer.Account.Address.CountryCode        s q q h h s q q  h h
    Customer.Account.Address.PostalCode         s q q h h s q q  h h
    Customer.Account.Address.StateOrRegion      s q q h h s q q  h h
    Customer.Account.Address.StreetAddress      s q q s h s q q  h h
    Customer.Account.AwsAccountId               s q q s h h q q  h h
    Customer.Account.CompanyName                s q q h h h q q  h h
    Customer.Account.Duns                       s q q s h h q q  h h
    Customer.Account.Industry                   s q q h h h q q  h h
    Customer.Account.OtherIndustry              s q q h h h q q  h h
    Customer.Account.WebsiteUrl                 s q q h h s q q  h h
    Customer.Contacts                           s q q s h h q q  h h
    LifeCycle.ClosedLostReason                  q q q s h h q q  h h
    LifeCycle.NextSteps                         s q q s h h q q  h h
    LifeCycle.Stage                             q q q s h h q q  h h
    LifeCycle.TargetCloseDate                   s q q s h s q q  h h
    Marketing.AwsFundingUsed                    s q q s h h q q  h h
    Marketing.CampaignName                      s q q s h h q q  h h
    Marketing.Channels                          s q q s h h q q  h h
    Marketing.Source                            s q q s h h q q  h h
    Marketing.UseCases                          s q q s h h q q  h h
    NationalSecurity                            s q q h h h q q  h h
    OpportunityType                             s q q s h h q q  h h
    PartnerOpportunityIdentifier                s q q h h s q q  h h
    PrimaryNeedsFromAws                         s q q s h h q q  h h
    Project.AdditionalComments                  s q q s h h q q  s h
    Project.ApnPrograms                         s q q s h h q q  h h
    Project.AwsPartition                        s q q s h h q q  h h
    Project.CompetitorName                      s q q s h h q q  h h
    Project.CustomerBusinessProblem             s q q h h s q q  h h
    Project.CustomerUseCase                     s q q s h h q q  h h
    Project.DeliveryModels                      s q q s h h q q  s h
    Project.ExpectedContractDuration.Term       s q q s h h q q  h h
    Project.ExpectedContractDuration.Value      s q q s h h q q  h h
    Project.ExpectedCustomerSpend               s q q s h s q q  h h
    Project.OtherCompetitorNames                s q q s h h q q  h h
    Project.OtherSolutionDescription            s q q s h h q q  h h
    Project.RelatedOpportunityIdentifier        s q q s h h q q  h h
    Project.SalesActivities                     s q q s h h q q  h h
    Project.Title                               s q q h h h q q  h h
    SoftwareRevenue.DeliveryModel               s q q h h h q q  h h
    SoftwareRevenue.EffectiveDate               s q q h h h q q  h h
    SoftwareRevenue.ExpirationDate              s q q h h h q q  h h
    SoftwareRevenue.Value.Amount                s q q h h h q q  h h
    SoftwareRevenue.Value.CurrencyCode          s q q h h h q q  h h
"""
KINDS = ("Solutions", "AwsProducts", "AwsMarketplaceOffers", "AwsMarketplaceSolutions")
ASSOCIATIONS = "s q q s h s q q  s h"
"""The same columns for what is associated."""
NOT_OURS = {
    "Catalog",
    "Identifier",
    "LastModifiedDate",
    "LifeCycle.NextStepsHistory",
    "LifeCycle.ReviewComments",
    "LifeCycle.ReviewStatus",
    "LifeCycle.ReviewStatusReason",
}
ROWS = {path: letters for path, *letters in map(str.split, TABLE.strip().splitlines()[1:])}
LETTERS = {"s": "sent", "h": "held", "q": "queued"}
# Where the sandbox allows what we do not send: it judges the reason with the stage by a rule of its own.
SANDBOX_IS_LAXER = {("LifeCycle.ClosedLostReason", "Pending Submission")}


def leaves(shape: Shape, prefix: str = "") -> Iterator[tuple[str, Shape]]:
    """Every member by its path; a list is one, whatever is in it."""
    for name, member in shape.members.items():
        if member.kind == "structure":
            yield from leaves(member, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", member


PATHS = {path: shape for path, shape in leaves(UPDATE) if path not in NOT_OURS}


def expected(letters: list[str], status: str, stage: str) -> str:
    column = STATUSES.index(status)
    if status == "Approved" and stage in STAGES[-2:]:
        column = len(STATUSES) + STAGES.index(stage) - 5
    return LETTERS[letters[column]]


def test_the_table_has_a_row_for_every_member_of_the_operation() -> None:
    assert set(ROWS) == set(PATHS)
    assert {len(letters) for letters in ROWS.values()} == {len(STATUSES) + 2}
    assert set(STATUSES) - {"", UNKNOWN} == set(UPDATE.members["LifeCycle"].members["ReviewStatus"].enum)
    assert set(STATUSES) - {"", UNKNOWN} == set(ReviewStatus)
    assert set(STAGES) == set(UPDATE.members["LifeCycle"].members["Stage"].enum)


def example(shape: Shape, number: int) -> Any:
    """Two values of a kind."""
    if shape.kind != "list" or shape.item is None:
        return f"value {number}"
    return [{"FirstName": f"value {number}"} if shape.item.kind == "structure" else f"value {number}"]


def sorted_out(found: Edits) -> dict[str, str]:
    """What became of every path."""
    held = {one.path: "held" for one in found.held}
    return {change.path: "sent" for change in found.send} | held | dict.fromkeys(found.queued, "queued")


@pytest.mark.parametrize("path", ROWS)
def test_every_field_in_every_status_and_stage(path: str) -> None:
    for status in STATUSES:
        for stage in STAGES:
            existing: Structure = {"LifeCycle": {"ReviewStatus": status, "Stage": stage}}
            base: Structure = {"LifeCycle": {"Stage": stage}}
            wanted = copy.deepcopy(base)
            after = "Qualified" if path == "LifeCycle.Stage" and stage != "Qualified" else example(PATHS[path], 2)
            put_at(wanted, path, after)
            link = Link(1, "acme", "Sandbox", "006", existing=existing, base=base, attached=())
            found = judge(link, Mapped(wanted), Policy(frozenset({path})), TODAY)
            assert sorted_out(found) == {path: expected(ROWS[path], status, stage)}, (status, stage)


def test_every_association_in_every_status_and_stage() -> None:
    for status in STATUSES:
        for stage in STAGES:
            told = {"send": "sent", "hold": "held", "queue": "queued"}[verdict_on_associations(status, stage)]
            is_lost = stage == "Closed Lost"
            assert told == ("held" if is_lost else expected(ASSOCIATIONS.split(), status, stage)), (status, stage)


@pytest.mark.parametrize("path", ROWS)
def test_the_sandbox_enforces_the_same_on_its_own_tables(path: str) -> None:
    for status in (status for status in STATUSES if status not in {"", UNKNOWN}):
        for stage in STAGES:
            body: Structure = {"LifeCycle": {"Stage": stage}}
            put_at(body, path, "Qualified" if path == "LifeCycle.Stage" else example(PATHS[path], 1))
            edited = copy.deepcopy(body)
            another = "Prospect" if path == "LifeCycle.Stage" else example(PATHS[path], 2)
            put_at(edited, path, another)
            if path == "LifeCycle.Stage":
                put_at(body, path, stage)
                put_at(edited, path, "Prospect" if stage != "Prospect" else "Qualified")
            record = Opportunity("O1", "111122223333", "AWS", body, NOW, NOW, review_status=status)
            is_refused = any(problem.code == NOT_PERMITTED for problem in check_edit(record, edited, status))
            is_sent = expected(ROWS[path], status, stage) == "sent"
            if (path, status) in SANDBOX_IS_LAXER:
                assert not is_refused
                assert not is_sent
            else:
                assert is_refused != is_sent, (status, stage)


# What belongs together, and what AWS's other rules keep back. What is said of one edit is said of it among others, so
# every case also edits the comments, which are to go whatever becomes of the rest.

S1, S2 = Association("Solutions", "S-0000001"), Association("Solutions", "S-0000002")
P1 = Association("AwsProducts", "AmazonEC2Linux")
MARKET = Association("AwsMarketplaceProducts", "arn:aws:aws-marketplace:us-east-1:1:AWSMarketplace/SaaSProduct/prod-a")
COMMENTS, NEXT_STEPS = "Project.AdditionalComments", "LifeCycle.NextSteps"
STAGE, REASON = "LifeCycle.Stage", "LifeCycle.ClosedLostReason"
ACCOUNT, SOLUTIONS = "Customer.Account.AwsAccountId", "RelatedEntityIdentifiers.Solutions"
CLOSE, SOURCE, FUNDING = "LifeCycle.TargetCloseDate", "Marketing.Source", "Marketing.AwsFundingUsed"
CAMPAIGN, INDUSTRY = "Marketing.CampaignName", "Customer.Account.Industry"
SPEND = {"Amount": "1000", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}
AGREED: Structure = {
    "PartnerOpportunityIdentifier": "006",
    "OpportunityType": "Net New Business",
    "NationalSecurity": "No",
    "PrimaryNeedsFromAws": ["Co-Sell - Technical Consultation"],
    "Customer": {
        "Account": {
            "CompanyName": "Example Corp",
            "Industry": "Financial Services",
            "WebsiteUrl": "https://customer.example",
            "Address": {"CountryCode": "US", "StateOrRegion": "Texas", "PostalCode": "78767", "City": "Austin"},
        }
    },
    "Project": {
        "Title": "Deal",
        "CustomerBusinessProblem": "Their data centre closes next year and all of it has to move.",
        "CustomerUseCase": "Migration / Database Migration",
        "DeliveryModels": ["Managed Services"],
        "SalesActivities": ["Conducted POC / Demo"],
        "ExpectedCustomerSpend": [SPEND],
        "OtherSolutionDescription": "Our own landing zone",
    },
    "LifeCycle": {"Stage": "Qualified", "TargetCloseDate": "2027-06-30", "NextSteps": "Call them"},
    "Marketing": {"Source": "None"},
}
OWNED = frozenset(PATHS) | {SOLUTIONS}
CO_SELL = {"InvolvementType": "Co-Sell", "Visibility": "Full"}


def edited(structure: Structure, changes: Mapping[str, Any]) -> Structure:
    made = copy.deepcopy(structure)
    for path, value in changes.items():
        put_at(made, path, value)
    return made


def linked(
    agreed: Mapping[str, Any] | None = None,
    at_aws: Mapping[str, Any] | None = None,
    status: str = "Approved",
    attached: tuple[Association, ...] = (S1,),
    agreed_on: tuple[Association, ...] | None = None,
) -> Link:
    """A link whose two sides agree, but for ``at_aws``, which somebody edited there."""
    base = edited(AGREED, agreed or {})
    existing = edited(base, at_aws or {})
    existing["Id"], existing["LastModifiedDate"] = "O1", "2026-11-20T10:00:00Z"
    existing["LifeCycle"]["ReviewStatus"] = status
    base = agree_on(base, attached if agreed_on is None else agreed_on) or base
    return Link(1, "acme", "Sandbox", "006", opportunity_id="O1", existing=existing, base=base, attached=attached)


def wanting(
    edits: Mapping[str, Any],
    agreed: Mapping[str, Any] | None = None,
    associations: tuple[Association, ...] = (S1,),
    **fields: Any,
) -> Mapped:
    """What Salesforce wants after these edits."""
    return Mapped(edited(edited(AGREED, agreed or {}), edits), associations, CO_SELL, **fields)


@dataclass(frozen=True)
class Case:
    """What was edited on top of what both sides agreed on, and what must become of it. Comments always go as well."""

    name: str
    edits: dict[str, Any]
    held: dict[str, str] = field(default_factory=dict)
    queued: tuple[str, ...] = ()
    agreed: dict[str, Any] = field(default_factory=dict)
    at_aws: dict[str, Any] = field(default_factory=dict)
    status: str = "Approved"
    attached: tuple[Association, ...] = (S1,)
    wanted: tuple[Association, ...] | None = None
    policy: Policy = field(default_factory=lambda: Policy(OWNED, shape=UPDATE))
    problems: tuple[Problem, ...] = ()
    unread: tuple[str, ...] = ()
    comments_too: bool = True


DRAFT = "Pending Submission"
TRAP = Problem("Customer.Account.AwsAccountId", "It has 11 digits.", "Enter 12.", "account")
CASES = [
    # stage
    Case("lost, with its reason", {STAGE: "Closed Lost", REASON: "Price"}),
    Case("lost without a reason", {STAGE: "Closed Lost"}, {STAGE: "no reason is given"}),
    Case("a reason alone", {REASON: "Price"}, {REASON: "not Closed Lost"}),
    Case(
        "lost, and its problem of new opportunities",
        {STAGE: "Closed Lost", REASON: "Price"},
        problems=(Problem(STAGE, "AWS takes no lost one.", "Reopen it.", "closed_lost"),),
    ),
    Case("onward", {STAGE: "Business Validation", NEXT_STEPS: "Sign"}),
    Case("committed", {STAGE: "Committed"}),
    Case(
        "committed with a description only",
        {STAGE: "Committed", NEXT_STEPS: "Sign"},
        {STAGE: "only with a solution"},
        attached=(),
        wanted=(),
    ),
    Case("committed with a solution to come", {STAGE: "Committed"}, attached=(), wanted=(S2,)),
    Case("committed with a Marketplace product", {STAGE: "Committed"}, attached=(MARKET,), wanted=(MARKET,)),
    Case(
        "committed with an AWS product only",
        {STAGE: "Committed"},
        {STAGE: "only with a solution"},
        attached=(P1,),
        wanted=(P1,),
    ),
    Case("launched without the account", {STAGE: "Launched"}, {STAGE: "only with the customer's AWS account"}),
    Case("launched with the account", {STAGE: "Launched", ACCOUNT: "111122223333"}),
    Case("launched with an account known before", {STAGE: "Launched"}, agreed={ACCOUNT: "111122223333"}),
    Case(
        "launched without the account, which this partner need not name",
        {STAGE: "Launched"},
        policy=Policy(OWNED, shape=UPDATE, launch_needs_account=False),
    ),
    Case(
        "launched without a solution",
        {STAGE: "Launched", ACCOUNT: "111122223333"},
        {STAGE: "only with a solution", ACCOUNT: "only with a solution"},
        attached=(),
        wanted=(),
    ),
    Case("no stage", {STAGE: None}, {STAGE: "The stage is missing"}),
    Case("a stage in a draft", {STAGE: "Committed", CLOSE: "2027-07-01"}, queued=(STAGE,), status=DRAFT),
    Case("lost in a draft", {STAGE: "Closed Lost", REASON: "Price"}, queued=(REASON, STAGE), status=DRAFT),
    # dates
    Case("a close date to come", {CLOSE: "2026-11-23"}),
    Case("a close date of today", {CLOSE: "2026-11-22"}, {CLOSE: "not in the future"}),
    Case("a past close date", {CLOSE: "2026-11-01", NEXT_STEPS: "Sign"}, {CLOSE: "not in the future"}),
    Case("no close date", {CLOSE: None}, {CLOSE: "missing"}),
    Case("moved from a past close date", {CLOSE: "2027-01-31", NEXT_STEPS: "Sign"}, agreed={CLOSE: "2026-11-01"}),
    Case("launched long ago", {}, agreed={CLOSE: "2026-01-01", STAGE: "Launched", ACCOUNT: "111122223333"}),
    # AWS's own record is not in order: it would take no update at all
    Case(
        "the close date has passed",
        {NEXT_STEPS: "Sign"},
        {NEXT_STEPS: "2026-11-01 is not in the future", COMMENTS: "2026-11-01 is not in the future"},
        agreed={CLOSE: "2026-11-01"},
        comments_too=False,
    ),
    Case(
        "somebody emptied it at AWS",
        {},
        {COMMENTS: "delivery models is missing"},
        at_aws={"Project.DeliveryModels": None},
        comments_too=False,
    ),
    Case(
        "the close date has passed, and the mended one is no good either",
        {CLOSE: "2026-11-02"},
        {CLOSE: "2026-11-02 is not", COMMENTS: "2026-11-01 is not"},
        agreed={CLOSE: "2026-11-01"},
        comments_too=False,
    ),
    Case(
        "a contact without a name, of ours or not",
        {NEXT_STEPS: "Sign"},
        {NEXT_STEPS: "has no first name", COMMENTS: "has no first name"},
        agreed={"Customer.Contacts": [{"LastName": "Gonzalez"}]},
        comments_too=False,
    ),
    Case(
        "a contact gets its name",
        {"Customer.Contacts": [{"FirstName": "Rose", "LastName": "Gonzalez"}], NEXT_STEPS: "Sign"},
        agreed={"Customer.Contacts": [{"LastName": "Gonzalez"}]},
    ),
    Case(
        "a contact to come has no name",
        {"Customer.Contacts": [{"FirstName": "Rose"}], NEXT_STEPS: "Sign"},
        {"Customer.Contacts": "has no last name"},
    ),
    # groups
    Case("a campaign", {SOURCE: "Marketing Activity", FUNDING: "No", CAMPAIGN: "Autumn"}),
    Case(
        "a campaign, funding not told",
        {SOURCE: "Marketing Activity", CAMPAIGN: "Autumn"},
        {SOURCE: "AWS funding was used", CAMPAIGN: "AWS funding was used"},
    ),
    Case("a campaign without its source is no news to AWS", {}, at_aws={CAMPAIGN: "Autumn"}),
    Case(
        "the campaign is over",
        {SOURCE: "None", FUNDING: None, CAMPAIGN: None},
        agreed={SOURCE: "Marketing Activity", FUNDING: "Yes", CAMPAIGN: "Autumn"},
    ),
    Case(
        "marketing use cases without funding",
        {SOURCE: "Marketing Activity", FUNDING: "No", "Marketing.UseCases": ["Events"], NEXT_STEPS: "Sign"},
        dict.fromkeys((SOURCE, FUNDING, "Marketing.UseCases"), "only allowed where AWS funding"),
    ),
    Case("no source", {SOURCE: None}, {SOURCE: "marketing source is missing"}),
    Case("another industry, not told", {INDUSTRY: "Other"}, {INDUSTRY: "not described"}, status=DRAFT),
    Case("another industry", {INDUSTRY: "Other", "Customer.Account.OtherIndustry": "Space"}, status=DRAFT),
    Case(
        "national security beside the wrong industry",
        {INDUSTRY: "Energy - Oil and Gas", "NationalSecurity": "Yes"},
        dict.fromkeys((INDUSTRY, "NationalSecurity"), "only possible for customers"),
        status=DRAFT,
    ),
    Case(
        "a state that AWS does not know takes the move with it",
        {f"Customer.Account.Address.{name}": "Dallas" for name in ("City", "StateOrRegion")},
        {f"Customer.Account.Address.{name}": "not a US state" for name in ("City", "StateOrRegion")},
        status=DRAFT,
    ),
    Case(
        "a renewal without parent",
        {"OpportunityType": "Flat Renewal"},
        {"OpportunityType": "opportunity it renews"},
    ),
    Case("a renewal", {"OpportunityType": "Flat Renewal", "Project.RelatedOpportunityIdentifier": "O7"}),
    Case(
        "other competitors without *Other",
        {"Project.CompetitorName": "On-Prem"},
        {"Project.CompetitorName": "not *Other"},
        agreed={"Project.CompetitorName": "*Other", "Project.OtherCompetitorNames": "A hoster"},
    ),
    Case(
        "the sovereign cloud in dollars",
        {"Project.AwsPartition": "aws-eusc"},
        {"Project.AwsPartition": "in euros only"},
    ),
    Case(
        "the sovereign cloud in euros",
        {"Project.AwsPartition": "aws-eusc", "Project.ExpectedCustomerSpend": [{**SPEND, "CurrencyCode": "EUR"}]},
    ),
    Case("a spend of nothing", {"Project.ExpectedCustomerSpend": [{**SPEND, "Amount": "0"}]},
         {"Project.ExpectedCustomerSpend": "above 0"}),
    Case("no spend", {"Project.ExpectedCustomerSpend": None}, {"Project.ExpectedCustomerSpend": "is missing"}),
    Case(
        "a duration too long",
        {"Project.ExpectedContractDuration.Value": "145"},
        {"Project.ExpectedContractDuration.Value": "1 to 144"},
    ),
    Case("a contract backwards", {"SoftwareRevenue.ExpirationDate": "2026-12-31"},
         {"SoftwareRevenue.ExpirationDate": "ends before"},
         agreed={"SoftwareRevenue.EffectiveDate": "2027-01-01"}, status=DRAFT),
    Case("no way back from Co-Sell", {"PrimaryNeedsFromAws": None}, {"PrimaryNeedsFromAws": "no way back"}),
    Case("another need", {"PrimaryNeedsFromAws": ["Co-Sell - Deal Support"]}),
    Case("no needs in a draft", {"PrimaryNeedsFromAws": None}, status=DRAFT),
    Case("a use case that AWS does not know", {"Project.CustomerUseCase": "Migration"},
         {"Project.CustomerUseCase": "not a use case"}),
    # problems of the mapping
    Case("a value with a problem", {ACCOUNT: "11112222333"}, {ACCOUNT: "11 digits"}, problems=(TRAP,)),
    Case(
        "a row with a problem holds its list",
        {"Customer.Contacts": [{"FirstName": "Rose"}, {"Phone": "1"}]},
        {"Customer.Contacts": "No number"},
        problems=(Problem("Customer.Contacts[1].Phone", "No number.", "Mend it."),),
    ),
    Case("a problem elsewhere is no matter", {NEXT_STEPS: "Sign"}, problems=(TRAP,)),
    # what could not be read is neither changed nor emptied
    Case("unread", {NEXT_STEPS: None}, {NEXT_STEPS: "Too odd"}, unread=(NEXT_STEPS,),
         problems=(Problem(NEXT_STEPS, "Too odd.", "Mend it."),)),
    Case("unread and unexplained", {"Project.DeliveryModels": None}, {"Project.DeliveryModels": ""},
         unread=("Project.DeliveryModels",)),
    Case("unread while AWS reviews", {NEXT_STEPS: None}, {NEXT_STEPS: ""}, queued=(COMMENTS,), status="In review",
         unread=(NEXT_STEPS,), comments_too=False),
    Case(
        "what stands beside the unread goes nowhere either",
        {"Project.ExpectedContractDuration": None},
        {"Project.ExpectedContractDuration.Term": "No number", "Project.ExpectedContractDuration.Value": "No number"},
        agreed={"Project.ExpectedContractDuration": {"Term": "Months", "Value": "24"}},
        unread=("Project.ExpectedContractDuration.Value",),
        problems=(Problem("Project.ExpectedContractDuration.Value", "No number.", "Mend it."),),
    ),
    # locked
    Case("a title once approved", {"Project.Title": "New"}, {"Project.Title": "AWS keeps what it approved"}),
    Case("a title while AWS asks for changes", {"Project.Title": "New"},
         {"Project.Title": "now or later", COMMENTS: "then it is sent by itself"},
         status="Action Required", comments_too=False),
    Case("a fix while AWS asks for changes", {CLOSE: "2027-08-01", "Customer.Account.WebsiteUrl": "https://n.example"},
         {COMMENTS: "then it is sent by itself"}, status="Action Required", comments_too=False),
    Case("next steps once launched", {NEXT_STEPS: "Bill"}, {NEXT_STEPS: "AWS has it as Launched"},
         agreed={STAGE: "Launched", ACCOUNT: "111122223333"}),
    # what AWS has already
    Case("the same as at AWS by now", {NEXT_STEPS: "Sign"}, at_aws={NEXT_STEPS: "Sign"}),
    Case("the same but for escapes", {NEXT_STEPS: "R&D"}, at_aws={NEXT_STEPS: "R&amp;D"}),
    Case("the same but for the spelling of a number", {"Project.ExpectedCustomerSpend": [{**SPEND, "Amount": "7"}]},
         at_aws={"Project.ExpectedCustomerSpend": [{**SPEND, "Amount": "7.00"}]}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_goes_and_what_stays(case: Case) -> None:
    wanted = case.attached if case.wanted is None else case.wanted
    link = linked(case.agreed, case.at_aws, case.status, case.attached)
    mapped = wanting({COMMENTS: "Well", **case.edits}, case.agreed, wanted, problems=case.problems, unread=case.unread)
    found = judge(link, mapped, case.policy, TODAY)
    held = {one.path: one.reason or str(one.problem or "") for one in found.held}
    assert set(held) == set(case.held)
    for path, words in case.held.items():
        assert words in held[path], path
    assert found.queued == case.queued
    same = {path for path, value in case.edits.items() if case.at_aws.get(path) is not None}
    kept = {path for path in case.edits if any(one.startswith(f"{path}.") for one in held)}
    due = ({*case.edits} | ({COMMENTS} if case.comments_too else set())) - set(held) - set(found.queued) - same - kept
    assert {change.path for change in found.send} == due
    body = body_of_update(link.existing or {}, found.send, UPDATE)
    for path, value in case.edits.items():
        if path in due:
            assert value_at(body, path) == value
        elif path in held or path in kept:
            assert value_at(body, path) == value_at(link.existing, path), "as AWS has it"


def test_every_case_of_an_edit_makes_a_body_that_the_model_takes() -> None:
    for case in CASES:
        link = linked(case.agreed, case.at_aws, case.status, case.attached)
        mapped = wanting(case.edits, case.agreed, problems=case.problems, unread=case.unread)
        found = judge(link, mapped, case.policy, TODAY)
        body = {"Catalog": "Sandbox", **body_of_update(link.existing or {}, found.send, UPDATE)}
        assert schema.check(body, UPDATE) == [], case.name


def test_a_stage_and_its_reason_are_one_update() -> None:
    link = replace(linked(), mapped=wanting({STAGE: "Closed Lost", REASON: "Price"}))
    (first, *_) = plan_link(link, Policy(OWNED, shape=UPDATE), NOW)
    assert isinstance(first, Update)
    assert {change.path for change in first.changes} == {STAGE, REASON}


def test_what_is_held_has_its_salesforce_field_and_line() -> None:
    origins = {CLOSE: Origin(("CloseDate",), "mapping.yaml", 7, 3)}
    mapped = wanting({CLOSE: "2026-11-01"}, origins=origins)
    found = judge(linked(), mapped, Policy(OWNED, shape=UPDATE), TODAY)
    (held,) = found.held
    assert held.problem is not None
    assert (held.problem.salesforce_field, held.problem.line) == ("CloseDate", 7)
    (rest,) = plan_link(replace(linked(), mapped=mapped), Policy(OWNED, shape=UPDATE), NOW)
    assert isinstance(rest, Hold)
    assert "CloseDate (mapping.yaml:7)" in rest.reason


def test_of_a_record_known_in_part_no_body_is_judged() -> None:
    """What ListOpportunities tells lacks most of it; whatever might go is read whole first."""
    link = linked()
    part = {"Id": "O1", "LifeCycle": (link.existing or {})["LifeCycle"]}
    found = judge(replace(link, existing=part), wanting({STAGE: "Launched"}), Policy(OWNED, shape=UPDATE), TODAY)
    assert sorted_out(found) == {STAGE: "sent"}


@pytest.mark.parametrize(
    ("told", "needs", "held"),
    [
        ("Co-Sell", ["Co-Sell - Deal Support"], True),
        ("For Visibility Only", ["Co-Sell - Deal Support"], False),
        (None, ["Co-Sell - Deal Support"], True),  # not told yet: what AWS keeps says it
        (None, ["Do Not Need Support from AWS Sales Rep"], False),
    ],
)
def test_there_is_no_way_back_from_co_sell_whatever_the_seller_says_by_now(
    told: str | None, needs: list[str], held: bool
) -> None:
    link = linked({"PrimaryNeedsFromAws": needs})
    link = replace(link, aws={"InvolvementType": told} if told else None)
    mapped = wanting({"PrimaryNeedsFromAws": None, NEXT_STEPS: "Sign"}, {"PrimaryNeedsFromAws": needs})
    mapped = replace(mapped, submission={"InvolvementType": "For Visibility Only", "Visibility": "Full"})
    found = judge(link, mapped, Policy(OWNED, shape=UPDATE), TODAY)
    assert sorted_out(found)["PrimaryNeedsFromAws"] == ("held" if held else "sent")
    assert sorted_out(found)[NEXT_STEPS] == "sent"


# Whose word counts

BY_AWS = Policy(OWNED - {COMMENTS}, frozenset({COMMENTS}), UPDATE)


@pytest.mark.parametrize(
    ("agreed", "at_aws", "wanted", "sent", "overruled"),
    [
        (None, None, "Ours", "Ours", None),  # never there: filled
        (None, "Theirs", "Ours", None, "Theirs"),  # AWS was faster
        ("Ours", "Ours", "Ours", None, None),
        ("Ours", "Theirs", "Ours", None, None),  # only AWS moved
        ("Ours", "Ours", "New", None, "Ours"),  # edited in Salesforce, to no effect
        ("Ours", "Theirs", "New", None, "Theirs"),
        ("Ours", "New", "New", None, None),
        ("Ours", None, "New", None, None),  # emptied at AWS: AWS's word as well
        ("Ours", "Ours", None, None, "Ours"),
    ],
)
def test_what_aws_owns(
    agreed: str | None, at_aws: str | None, wanted: str | None, sent: str | None, overruled: str | None
) -> None:
    link = linked({COMMENTS: agreed}, {COMMENTS: at_aws})
    found = judge(link, wanting({COMMENTS: wanted}), BY_AWS, TODAY)
    assert [change.after for change in found.send] == ([] if sent is None else [sent])
    assert [change.before for change in found.overruled] == ([] if overruled is None else [overruled])
    assert found.held == ()


@pytest.mark.parametrize(
    ("agreed", "at_aws", "wanted", "overruled"),
    [
        ("Ours", "Ours", "New", False),
        ("Ours", "Theirs", "New", True),
        ("Ours", "Theirs", None, True),
        ("Ours", None, "New", True),
        ("Ours", "New", "New", False),
        ("R&D", "R&amp;D", "New", False),
        (None, "Theirs", "New", True),
    ],
)
def test_what_goes_over_an_edit_made_at_aws(
    agreed: str | None, at_aws: str | None, wanted: str | None, overruled: bool
) -> None:
    existing = edited(AGREED, {COMMENTS: at_aws})
    found = overruling([Change(COMMENTS, agreed, wanted)], existing)
    assert found == ([Change(COMMENTS, at_aws, wanted)] if overruled else [])


# Associations


@pytest.mark.parametrize(
    ("name", "attached", "agreed", "wanted", "attach", "detach", "held"),
    [
        ("nothing to do", (S1,), (S1,), (S1,), (), (), ""),
        ("another one", (S1,), (S1,), (S2,), (S2,), (S1,), ""),
        ("one more", (S1,), (S1,), (S1, S2), (S2,), (), ""),
        ("one fewer", (S1, S2), (S1, S2), (S1,), (), (S2,), ""),
        ("the last one", (S1,), (S1,), (), (), (), "at least one solution"),
        ("a Marketplace one is left", (S1, MARKET), (S1, MARKET), (MARKET,), (), (S1,), ""),
        ("somebody's at AWS is left", (S1, S2), (S1,), (), (), (S1,), ""),
        ("an AWS product is no solution", (S1, P1), (S1, P1), (P1,), (), (), "at least one solution"),
        ("a product goes, the last solution stays", (S1, P1), (S1, P1), (), (), (P1,), "at least one solution"),
    ],
)
def test_associations_once_approved(
    name: str,
    attached: tuple[Association, ...],
    agreed: tuple[Association, ...],
    wanted: tuple[Association, ...],
    attach: tuple[Association, ...],
    detach: tuple[Association, ...],
    held: str,
) -> None:
    nothing_else = {"Project.OtherSolutionDescription": None}
    link = linked(nothing_else, attached=attached, agreed_on=agreed)
    kinds = {f"RelatedEntityIdentifiers.{one.entity_type}" for one in (S1, P1, MARKET)}
    found = judge(link, wanting({}, nothing_else, wanted), Policy(OWNED | kinds, shape=UPDATE), TODAY)
    assert (found.attach, found.detach) == (attach, detach)
    assert [one.path for one in found.held] == ([SOLUTIONS] if held else [])
    assert all(held in one.reason for one in found.held)


@pytest.mark.parametrize(
    ("stage", "wanted_stage", "status", "goes"),
    [
        ("Qualified", "Qualified", "Approved", True),  # described, and early: AWS lets it go
        ("Qualified", "Committed", "Approved", False),
        ("Committed", "Committed", "Approved", False),
        ("Committed", "Qualified", "Approved", False),
        ("Committed", "Committed", DRAFT, True),
        ("Qualified", "Qualified", "Action Required", True),
    ],
)
def test_the_last_solution_beside_a_description(stage: str, wanted_stage: str, status: str, goes: bool) -> None:
    link = linked({STAGE: stage}, status=status)
    found = judge(link, wanting({STAGE: wanted_stage}, associations=()), Policy(OWNED, shape=UPDATE), TODAY)
    assert found.detach == ((S1,) if goes else ())


def test_associations_that_wait_or_never_go_or_are_refused() -> None:
    wish = wanting({}, associations=(S2,))
    policy = Policy(OWNED, shape=UPDATE)
    waiting = judge(linked(status="In review"), wish, policy, TODAY)
    assert (waiting.attach, waiting.detach, waiting.queued) == ((), (), (SOLUTIONS,))
    is_lost = {STAGE: "Closed Lost", REASON: "Price"}
    lost = judge(linked(is_lost), wanting({}, is_lost, (S2,)), policy, TODAY)
    assert (lost.attach, lost.detach) == ((), ())
    assert {(one.path, one.is_final) for one in lost.held} == {(SOLUTIONS, True)}
    wrong = replace(wish, problems=(Problem(SOLUTIONS, "Not an id.", "Mend it.", "association", "submit"),))
    refused = judge(linked(), wrong, policy, TODAY)
    assert (refused.attach, refused.detach) == ((), ())
    assert {one.path for one in refused.held} == {SOLUTIONS}


def test_associations_that_could_not_be_read_stay() -> None:
    found = judge(linked(), wanting({}, associations=(), unread=(SOLUTIONS,)), Policy(OWNED, shape=UPDATE), TODAY)
    assert found.detach == ()


def test_a_later_stage_finds_its_solution_there_and_the_old_one_goes_last() -> None:
    link = replace(linked(), mapped=wanting({STAGE: "Committed"}, associations=(S2,)))
    acts = plan_link(link, Policy(OWNED, shape=UPDATE), NOW)[:3]
    assert [type(act) for act in acts] == [Attach, Update, Detach]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_the_mapping_does_not_have_is_left_alone(kind: str) -> None:
    theirs = Association(kind, "theirs")
    found = judge(
        linked(attached=(theirs,)), wanting({}, associations=()), Policy(OWNED - {SOLUTIONS}, shape=UPDATE), TODAY
    )
    assert (found.attach, found.detach) == ((), ())
