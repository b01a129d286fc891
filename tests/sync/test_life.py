"""Sellers, AWS and the connector change a deal in any order: nothing is refused, nothing is lost, it comes to rest.

The sandbox enforces AWS's rules on tables of its own. A last part needs no sandbox: whatever AWS shows goes back whole.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connector.adapters.partner_central.model import input_shape
from connector.core import retry
from connector.core.diff import Change, body_of_update, is_same, put_at, unescaped, value_at
from connector.core.model import Link
from connector.core.schema import Shape
from connector.errors import ConnectorError
from connector.resources import packaged
from connector.sandbox.partner_central.errors import NOT_PERMITTED, REQUIRED
from connector.sandbox.partner_central.paths import changed_paths, is_blank
from connector.sandbox.partner_central.records import TaskScript
from connector.sandbox.partner_central.service import Entry
from connector.sandbox.partner_central.tables import NO_NEED
from connector.sandbox.salesforce.faults import RowError
from connector.sync import Context, advance, follow_tasks, observe, pull, refresh, write_back
from tests import audit
from tests.machines import run_part
from tests.world import ENVIRONMENT, World, wait_until, world

PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
SEED = int(os.environ.get("CONNECTOR_SEED", "20261122"))
EXAMPLES = int(os.environ.get("CONNECTOR_EXAMPLES", "60" if PROVE else "5"))
PARTS = 4 if PROVE else 1
STEPS = 40 if PROVE else 30
UPDATE = "UpdateOpportunity"
EDITS = (UPDATE, "AssociateOpportunity", "DisassociateOpportunity", "AssignOpportunity")
NEVER = {NOT_PERMITTED, REQUIRED}
"""What AWS must never have to say to one of our edits."""
LONG = "Their data centre closes next year and all of it has to move."
ESTIMATE = "https://calculator.aws/#/estimate?id=" + "a" * 40
ASSIGN = """
assign:
  Email: {from: Owner.Email, transform: email}
  FirstName: Owner.FirstName
  LastName: Owner.LastName
  BusinessTitle: {value: PartnerAccountManager}

"""
UNMAPPED = ("ApnPrograms:", "Duns:", "AdditionalComments:", "OtherSolutionDescription:", "ExpirationDate:")
COUNTED: Counter[str] = Counter()


def in_days(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


# What a seller may enter, right and wrong, by field; of the opportunity and of its account.
SELLER: dict[str, list[Any]] = {
    "Name": ["Deal", "R&D <portal>", "Überland"],
    "Type": ["New Customer", "Existing Customer - Upgrade", "Existing Customer - Downgrade", None],
    "StageName": ["Prospecting", "Qualification", "Negotiation/Review", "Closed Won", "Closed Lost"],
    "CloseDate": [in_days(30), in_days(200), in_days(-3)],
    "Amount": [120000, 240000, 0, None],
    "NextStep": ["Call", "Sign & seal", None],
    "AWS_Involvement__c": ["Co-Sell", "For Visibility Only", None],
    "AWS_Primary_Needs__c": ["Co-Sell - Deal Support", "Co-Sell - Deal Support;Co-Sell - Pricing Assistance", None],
    "AWS_National_Security__c": ["Yes", "No", None],
    "AWS_Industry__c": ["Government", "Other", "Retail", None],
    "AWS_Other_Industry__c": ["Space", None],
    "AWS_Customer_Account_Id__c": ["111122223333", "444455556666", "12345", None],
    "AWS_Customer_Duns__c": ["123456789", "12", None],
    "AWS_Delivery_Models__c": ["Managed Services", "SaaS or PaaS;Resell", None],
    "AWS_Customer_Use_Case__c": ["Security & Compliance", "Archiving", None],
    "AWS_Business_Problem__c": [LONG, f"{LONG} Soon.", "short", None],
    "AWS_Sales_Activities__c": ["Conducted POC / Demo", "SOW Signed", None],
    "AWS_Estimation_Url__c": [ESTIMATE, "https://nowhere.example", None],
    "AWS_Contract_Months__c": [12, 24, 999, None],
    "AWS_Apn_Programs__c": ["Well-Architected", None],
    "AWS_Related_Opportunity_Id__c": ["O12345678", "parent", None],
    "AWS_Competitor__c": ["On-Prem", "*Other", None],
    "AWS_Other_Competitors__c": ["A local hoster", None],
    "AWS_Other_Solution__c": ["Our own landing zone", None],
    "AWS_Additional_Comments__c": ["Decision in spring", "Decided", None],
    "AWS_Partition__c": ["aws-eusc", None, None],
    "AWS_Closed_Lost_Reason__c": ["Price", "Partner Gap", None],
    "AWS_Marketing_Source__c": ["Marketing Activity", "None", None],
    "AWS_Marketing_Use_Cases__c": ["Security", None],
    "AWS_Marketing_Channels__c": ["Email;TV", None],
    "AWS_Funding_Used__c": ["Yes", "No", None],
    "AWS_Software_Delivery__c": ["Contract", None],
    "AWS_Software_Value__c": [99000, None],
    "AWS_Software_Effective__c": [in_days(40), None],
    "AWS_Software_Expiration__c": [in_days(400), in_days(10), None],
    "AWS_Solution_Ids__c": ["S-0001111", "S-0001112;S-0001113", "S-0001114", "Other", None],
    "AWS_Product_Codes__c": ["AmazonEC2Linux", "AmazonEC2Linux;AmazonRDSforPostgreSQL", None],
    "AWS_Marketplace_Products__c": [
        "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace/SaaSProduct/prod-a", "prod-a", None
    ],
}  # fmt: skip
ACCOUNT: dict[str, list[Any]] = {
    "Name": ["Company", "Smith & Sons"],
    "Website": ["https://company.example", "no", None],
    "Industry": ["Banking", "Government", "Environmental", None],
    "BillingStreet": ["1 Congress Avenue", None],
    "BillingCity": ["Austin", "Berlin", None],
    "BillingState": ["Texas", "Berlin", None],
    "BillingPostalCode": ["78767", "10115", None],
    "BillingCountry": ["United States", "Germany", "Nowhere", None],
}
CONTACTS = [("Rose", "Gonzalez"), (None, "Levy"), ("Sean", "Forbes"), ("Jack", "Rogers")]
# What AWS, or a colleague in Partner Central, may do to the record at any time.
AT_AWS: dict[str, list[Any]] = {
    "Customer.Account.Duns": ["987654321"],
    "Customer.Account.AwsAccountId": ["777788889999", None],
    "Customer.Account.WebsiteUrl": ["https://theirs.example"],
    "Customer.Account.OtherIndustry": ["Theirs", None],
    "Customer.Contacts": [[{"FirstName": "Avi", "LastName": "Green"}]],
    "LifeCycle.NextSteps": ["Theirs", None],
    "LifeCycle.Stage": ["Qualified", "Business Validation", "Committed"],
    "LifeCycle.TargetCloseDate": [in_days(90)],
    "Marketing.CampaignName": ["Theirs", None],
    "Project.AdditionalComments": ["Theirs", None],
    "Project.ApnPrograms": [["P3"], ["Windows", "WWPS NDPP"]],
    "Project.CompetitorName": ["Akamai", "*Other"],
    "Project.DeliveryModels": [["Other"]],
    "Project.ExpectedContractDuration": [{"Term": "Months", "Value": "36"}, None],
    "Project.ExpectedCustomerSpend": [
        [{"Amount": "777", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}],
        [
            {"CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS", "EstimationUrl": ESTIMATE},
            {"Amount": "5", "CurrencyCode": "EUR", "Frequency": "Monthly", "TargetCompany": "AWS"},
        ],
    ],
    "Project.OtherSolutionDescription": ["Theirs", None],
    "Project.SalesActivities": [["SOW Signed", "Conducted POC / Demo"]],
    "RelatedEntityIdentifiers.AwsProducts": [["AmazonEC2Linux"], ["AmazonS3", "AmazonRDSforPostgreSQL"]],
    "RelatedEntityIdentifiers.Solutions": [["S-0001114"], ["S-0001111", "S-0001115"], []],
    "SoftwareRevenue.ExpirationDate": [in_days(500)],
    "SoftwareRevenue.Value": [{"Amount": "12.5", "CurrencyCode": "EUR"}],
    "OpportunityType": ["Expansion"],
    "PrimaryNeedsFromAws": [["Co-Sell - Business Presentation"]],
}  # fmt: skip

# What makes AWS refuse every update until it is put right.
OUT_OF_ORDER: dict[str, list[Any]] = {
    "Customer.Contacts": [[{"Email": "someone@customer.example"}]],
    "LifeCycle.TargetCloseDate": [in_days(-2)],
    "Project.DeliveryModels": [None],
}
IN_ORDER = {
    "Customer.Contacts": [{"FirstName": "Avi", "LastName": "Green"}],
    "LifeCycle.TargetCloseDate": in_days(45),
    "Project.DeliveryModels": ["Resell"],
}


def one_of(values: Mapping[str, list[Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.sampled_from([(name, value) for name, choices in values.items() for value in choices])


@dataclass(frozen=True)
class Updated:
    """One update of ours that AWS took: the record before and after, and the link it was made from."""

    before: dict[str, Any]
    after: dict[str, Any]
    link: Link


class Life(RuleBasedStateMachine):
    """Two deals, everybody who has a hand in them, and the connector now and then."""

    @initialize(
        quirks=st.fixed_dictionaries(
            {
                "escape": st.sampled_from(["none", "use_case", "all"]),
                "stub_spend": st.booleans(),
                "associate_in_review": st.booleans(),
                "after_action_required": st.sampled_from(["Submitted", "In review"]),
            }
        ),
        narrow=st.booleans(),
        involvement=st.sampled_from(["Co-Sell", "Co-Sell", "For Visibility Only"]),
        decision=st.sampled_from(["Submitted", "Approved", "Approved", "Action Required"]),
    )
    def begin(self, quirks: dict[str, Any], narrow: bool, involvement: str, decision: str) -> None:
        """``narrow``: the mapping leaves out much of what AWS knows."""
        COUNTED["examples"] += 1
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.stack.enter_context(mock.patch.dict(os.environ, ENVIRONMENT))
        self.stack.enter_context(mock.patch.object(retry, "FIRST_DELAY", 0.01))
        self.world: World = self.stack.enter_context(world(folder))
        self.world.sandbox.service.configure(**quirks)
        (folder / "mapping.yaml").write_text(mapping_text(narrow), encoding="utf-8")
        self.world.write_config("    mapping: mapping.yaml\n")
        self.context: Context = self.world.context()
        self.updates: list[Updated] = []
        self.seen = 0
        self.meanwhile: list[Callable[[], None]] = []
        self.stack.enter_context(mock.patch.object(self.world.sandbox.service, "perform", self._watched()))
        self.deals = [self.world.opportunity(AWS_Involvement__c=involvement), self.world.opportunity()]
        self.pass_once()
        self.review(0, decision)
        self.review(1, "Approved")
        self.pass_once()

    def _watched(self) -> Callable[..., Any]:
        """The service, with a look at the record before and after each update of ours."""
        service = self.world.sandbox.service
        perform = service.perform

        def watched(operation: str, account: str, body: Any) -> Any:
            if operation != UPDATE:
                answer = perform(operation, account, body)
                if operation == "GetOpportunity" and self.meanwhile:
                    answer.render()
                    self.meanwhile.pop()()
                return answer
            before = self.find(body["Identifier"])
            answer = perform(operation, account, body)
            link = self.context.ledger.find(*self.context.key, str(before["PartnerOpportunityIdentifier"]))
            if link is not None:
                self.updates.append(Updated(before, self.find(body["Identifier"]), link))
            return answer

        return watched

    def find(self, identifier: str) -> dict[str, Any]:
        (found,) = [one for one in self.world.sandbox.service.opportunities() if one["Id"] == identifier]
        return found

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            self.converge()
        finally:
            self.stack.close()

    # sellers

    @rule(
        number=st.integers(0, 1),
        edits=st.lists(one_of(SELLER), min_size=1, max_size=4),
        at_once=st.sampled_from([True, True, False]),
    )
    def edit(self, number: int, edits: list[tuple[str, Any]], at_once: bool) -> None:
        with suppress(RowError):
            self.world.edit(self.deals[number], **dict(edits))
        if at_once:
            self.pass_once()

    @rule(number=st.integers(0, 1), edits=st.lists(one_of(ACCOUNT), min_size=1, max_size=2))
    def edit_account(self, number: int, edits: list[tuple[str, Any]]) -> None:
        account = str(self.world.record(self.deals[number])["AccountId"])
        with suppress(RowError):
            self.world.sandbox.org.update("Account", account, dict(edits))

    @rule(number=st.integers(0, 1), contact=st.sampled_from(CONTACTS))
    def introduce(self, number: int, contact: tuple[str | None, str]) -> None:
        org = self.world.sandbox.org
        made = org.insert("Contact", {"FirstName": contact[0], "LastName": contact[1]})
        org.insert("OpportunityContactRole", {"OpportunityId": self.deals[number], "ContactId": made})

    @rule(
        number=st.integers(0, 1),
        stage=st.sampled_from(["Committed", "Committed", "Committed", "Launched", "Closed Lost"]),
    )
    def close(self, number: int, stage: str) -> None:
        """A seller who knows what AWS wants."""
        complete = {
            "Committed": {"StageName": "Negotiation/Review", "AWS_Solution_Ids__c": "S-0001114"},
            "Launched": {"StageName": "Closed Won", "AWS_Customer_Account_Id__c": "111122223333"},
            "Closed Lost": {"StageName": "Closed Lost", "AWS_Closed_Lost_Reason__c": "Price"},
        }
        self.world.edit(self.deals[number], **complete[stage], CloseDate=in_days(30))
        self.pass_once()

    @rule(number=st.integers(0, 1), flagged=st.sampled_from([True, True, False]))
    def flag(self, number: int, flagged: bool) -> None:
        self.world.edit(self.deals[number], Share_With_AWS__c=flagged)

    # AWS

    @rule(number=st.integers(0, 1), status=st.sampled_from(["In review", "Approved", "Approved", "Action Required"]))
    def review(self, number: int, status: str) -> None:
        for found in self.world.at_aws(self.deals[number]):
            with suppress(ValueError):
                self.world.sandbox.service.review(found["Id"], status, "Please mend <this>.")

    @rule()
    def reject(self) -> None:
        self.review(0, "Rejected")

    @rule(number=st.integers(0, 1), edit=one_of(AT_AWS))
    def edit_at_aws(self, number: int, edit: tuple[str, Any]) -> None:
        for found in self.world.at_aws(self.deals[number]):
            self.change_at_aws(found["Id"], edit)

    def change_at_aws(self, identifier: str, edit: tuple[str, Any]) -> None:
        """Where AWS would let a person; a stage goes only where a review has been, and nothing past its end."""
        found = self.find(identifier)["LifeCycle"]
        is_over = found["Stage"] in {"Launched", "Closed Lost"}
        if edit[0] == "LifeCycle.Stage" and (is_over or found["ReviewStatus"] != "Approved"):
            return
        self.world.sandbox.service.edit_at_aws(identifier, **dict([edit]))

    @rule(number=st.integers(0, 1), edit=one_of(OUT_OF_ORDER))
    def upset_and_mend(self, number: int, edit: tuple[str, Any]) -> None:
        """Nothing goes while AWS's own record is not in order; then all of it does."""
        for found in self.world.at_aws(self.deals[number]):
            self.world.sandbox.service.edit_at_aws(found["Id"], **dict([edit]))
            self.edit(number, [("NextStep", f"Step {COUNTED['steps']}")], at_once=True)
            self.world.sandbox.service.edit_at_aws(found["Id"], **{edit[0]: IN_ORDER[edit[0]]})
            self.pass_once()

    @rule(number=st.integers(0, 1), edit=one_of(AT_AWS))
    def edit_at_aws_while_we_work(self, number: int, edit: tuple[str, Any]) -> None:
        """Between our reading a record and our writing it."""
        for found in self.world.at_aws(self.deals[number]):
            self.world.edit(self.deals[number], NextStep=f"Step {COUNTED['steps']}")
            self.meanwhile = [partial(self.change_at_aws, found["Id"], edit)]
            self.pass_once()
            self.meanwhile = []

    @rule(reason=st.sampled_from([None, "OpportunityValidationFailed", "InternalError"]), late=st.booleans())
    def script_a_task(self, reason: str | None, late: bool) -> None:
        script = TaskScript(after=0.1 * late, reason=reason, message="scripted" if reason else None)
        self.world.sandbox.service.script_tasks(script)

    # the connector

    @rule()
    def pass_once(self) -> None:
        for verb in (pull, observe, advance, follow_tasks, refresh, write_back):
            with suppress(ConnectorError):
                verb(self.context)

    @rule()
    def restart(self) -> None:
        self.context = self.world.context()

    # what holds after every step

    @invariant()
    def nothing_is_refused_by_the_tables_and_nothing_is_lost(self) -> None:
        if not hasattr(self, "updates"):
            return
        COUNTED["steps"] += 1
        entries = [entry for entry in self.world.ours if entry.operation in EDITS]
        assert [told(entry) for entry in entries[self.seen :] if NEVER & set(entry.problems)] == []
        COUNTED["edits"] += len(entries) - self.seen
        self.seen = len(entries)
        while self.updates:
            self.check(self.updates.pop())

    def check(self, update: Updated) -> None:
        """An update changes what it was meant to change and nothing else."""
        COUNTED["updates"] += 1
        operation = update.link.operation
        assert operation is not None
        meant = [path for path, _ in operation.intent["changes"]]
        assert set(meant) <= self.context.mapping.owned_paths | self.context.mapping.owned_by_aws
        for path in differing(update.before, update.after):
            is_meant = any(path == one or path.startswith(f"{one}.") for one in meant)
            assert is_meant or is_the_services_own(path, update), (path, meant, update.before, update.after)
        mapped = update.link.mapped
        assert mapped is not None
        assert not set(meant) & set(mapped.unread)

    # the end

    def converge(self) -> None:
        self.world.sandbox.service.forget_scripts()
        self.context = self.world.context()
        wait_until(self.is_quiet, "the passes to leave nothing to do", 40)
        self.nothing_is_refused_by_the_tables_and_nothing_is_lost()
        before = self.world.calls
        self.pass_once()
        self.pass_once()
        assert self.world.calls[:2] == before[:2], "it goes on writing"
        for deal in self.deals:
            self.compare(deal)

    def is_quiet(self) -> bool:
        ledger, key = self.context.ledger, self.context.key
        before = self.world.calls[:2]
        self.pass_once()
        self.pass_once()
        links = [link for link in (ledger.find(*key, deal) for deal in self.deals) if link is not None]
        late = [link.salesforce_id for link in links if link.next_try_at or link.operation or link.write_back_error]
        if late:
            ledger.wake(*key, late, self.context.now)
        return not late and before == self.world.calls[:2] and not ledger.work_due(*key, self.context.now)["advance"]

    def compare(self, deal: str) -> None:
        """AWS has Salesforce's value wherever Salesforce decides and has moved, or the record says what is held."""
        at_aws, record = self.world.at_aws(deal), self.world.record(deal)
        status, message = record["AWS_Sync_Status__c"], str(record["AWS_Sync_Message__c"])
        COUNTED[f"ended {status}"] += 1
        if not record["Share_With_AWS__c"]:
            assert status == "Stopped"
            return
        if not at_aws:
            assert status == "Held", message
            return
        (found,) = at_aws
        link = self.context.ledger.find(*self.context.key, deal)
        assert link is not None
        assert record["AWS_Review_Status__c"] == found["LifeCycle"]["ReviewStatus"]
        if (
            status == "Stopped"
            or link.refusal is not None
            or found["LifeCycle"]["ReviewStatus"] == "Pending Submission"
        ):
            assert status in {"Stopped", "Held"}, message
            return
        mapped = audit.mapped_now(self.context, deal)
        for path in sorted(
            self.context.mapping.owned_paths - {"LifeCycle.ReviewStatus", "OpportunityTeam", "Tags", "Origin"}
        ):
            name = path.rpartition(".")[2]
            wanted, has, agreed = (value_at(side, path) for side in (mapped.opportunity, found, link.base))
            if (
                path.startswith("RelatedEntityIdentifiers")
                or is_same(wanted, has, name)
                or is_same(wanted, agreed, name)
            ):
                continue
            if status == "Held" and found["LifeCycle"]["ReviewStatus"] in {"Submitted", "In review"}:
                continue  # it waits until AWS has decided; what a person has to mend is told first
            origin = mapped.origin_of(path)
            label = origin.label if origin is not None and origin.fields else path
            assert label in message or path in message, (path, wanted, has, agreed, status, message)

    def __repr__(self) -> str:
        return "Life"


def mapping_text(narrow: bool) -> str:
    """The default mapping with an owner at AWS, and one path that AWS decides."""
    text = packaged("mappings", "opportunity.yaml").read_text(encoding="utf-8")
    head, cases, _ = text.partition("\n# The tests of this file")
    assert cases
    lines = [line for line in head.splitlines() if not (narrow and line.strip().startswith(UNMAPPED))]
    assert len(head.splitlines()) - len(lines) == (len(UNMAPPED) if narrow else 0)
    head = "\n".join(lines)
    old = "CompetitorName: {from: AWS_Competitor__c, "
    assert old in head
    return head.replace(old, f"{old}owner: aws, ") + ASSIGN


def told(entry: Entry) -> tuple[str, tuple[str, ...], Any]:
    return entry.operation, entry.problems, entry.body


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The paths of what the partner may write at which two records differ, in AWS's spelling; a list is one."""
    sides = [{name: one for name, one in side.items() if name in BLOCKS} for side in (before, after)]
    for side in sides:
        side["LifeCycle"] = {name: one for name, one in side["LifeCycle"].items() if name not in audit.SERVICE_OWNED}
    return [".".join(step[:1].upper() + step[1:] for step in path.split(".")) for path in changed_paths(*sides)]


BLOCKS = (
    "Customer",
    "LifeCycle",
    "Marketing",
    "NationalSecurity",
    "OpportunityType",
    "PartnerOpportunityIdentifier",
    "PrimaryNeedsFromAws",
    "Project",
    "SoftwareRevenue",
)


def is_the_services_own(path: str, update: Updated) -> bool:
    """What AWS does by itself, and what it would refuse to take back."""
    after = update.after
    if path.startswith("Marketing."):
        return value_at(after, "Marketing.Source") == "None" and is_blank(value_at(after, path))
    if path == "Customer.Account.Address.StateOrRegion":
        return value_at(after, "Customer.Account.Address.CountryCode") != "US"
    if path == "Project.RelatedOpportunityIdentifier":
        return bool(after.get("OpportunityType") == "Net New Business")
    if path == "Project.ExpectedCustomerSpend":  # the spelling of amounts
        return is_same(value_at(update.before, path), value_at(after, path), "ExpectedCustomerSpend")
    if path == "PrimaryNeedsFromAws":
        return NO_NEED in (update.before.get(path) or [])
    return False


@pytest.mark.parametrize("part", range(PARTS))
def test_whoever_changes_a_deal_nothing_is_refused_or_lost_and_it_comes_to_rest(
    part: int, record_property: Callable[[str, object], None]
) -> None:
    about = {"life": part, "seed": SEED + part}
    run_part(Life, about, COUNTED, record_property, examples=EXAMPLES, steps=STEPS)


# Whatever AWS shows goes back whole

SHAPE = input_shape(UPDATE)
NOT_SENT = {"Identifier", "LifeCycle.NextStepsHistory", "LifeCycle.ReviewComments", "LifeCycle.ReviewStatusReason"}
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="&"), min_size=1, max_size=8)
NEW = st.dictionaries(st.sampled_from(["Sustainability", "Fy27Forecast", "Id2"]), TEXTS, max_size=2)
"""Members that AWS added after the installed model was made."""


def remote(shape: Shape) -> st.SearchStrategy[Any]:
    """What AWS may show of a shape: members missing, empty or unknown to us, rows whole."""
    if shape.kind == "structure":
        members = {name: st.none() | remote(member) for name, member in shape.members.items()}
        known = st.fixed_dictionaries({}, optional=members)
        return st.tuples(known, NEW).map(lambda both: {**both[1], **both[0]})
    if shape.kind == "list" and shape.item is not None:
        rows = remote(shape.item)
        required = shape.item.required
        whole = rows.filter(lambda row: not required or all(row.get(name) for name in required))
        return st.lists(whole if not required else complete(shape.item), max_size=3)
    return st.sampled_from(shape.enum) if shape.enum else TEXTS | st.just("")


def complete(shape: Shape) -> st.SearchStrategy[Any]:
    """A row with everything that it must have."""
    needed = {
        name: st.sampled_from(m.enum) if m.enum else TEXTS
        for name, m in shape.members.items()
        if name in shape.required
    }
    more = {name: remote(m) for name, m in shape.members.items() if name not in shape.required}
    return st.fixed_dictionaries(needed, optional=more)


def leaf_paths(shape: Shape, prefix: str = "") -> list[tuple[str, Shape]]:
    """Every member by its path; a list is one."""
    found: list[tuple[str, Shape]] = []
    for name, member in shape.members.items():
        path = f"{prefix}{name}"
        found += leaf_paths(member, f"{path}.") if member.kind == "structure" else [(path, member)]
    return found


PATHS = {path: shape for path, shape in leaf_paths(SHAPE) if path not in NOT_SENT}
CHANGEABLE = sorted(set(PATHS) - {"Catalog", "LastModifiedDate", "LifeCycle.ReviewStatus"})
CHANGES = st.lists(
    st.tuples(st.sampled_from(CHANGEABLE), st.none() | TEXTS), max_size=5, unique_by=lambda pair: pair[0]
)


def without_blanks(value: Any) -> Any:
    if isinstance(value, Mapping):
        inner = {name: without_blanks(one) for name, one in value.items()}
        return {name: one for name, one in inner.items() if one not in (None, "", [], {})}
    if isinstance(value, list):
        return [kept for one in value if (kept := without_blanks(one)) not in (None, "", [], {})]
    return value


def known_only(value: Any, shape: Shape | None) -> Any:
    """What of it the operation takes."""
    if shape is not None and shape.kind == "structure":
        return {
            name: known_only(one, shape.members[name]) for name, one in value.items() if name in shape.members and one
        }
    if shape is not None and shape.kind == "list":
        return [known_only(one, shape.item) for one in value]
    return value


@settings(max_examples=400 if PROVE else 120, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(remote(SHAPE), CHANGES, st.booleans())
def test_what_nobody_changed_goes_back_as_aws_shows_it(
    shown: dict[str, Any], pairs: list[tuple[str, Any]], new: bool
) -> None:
    shown = {**shown, "Id": "O1"}
    if new:  # rows and structures that we have never heard of
        shown |= {
            "Forecast": {"Fy27": [{"Amount": "1"}]},
            "Arn": "arn:…",
            "RelatedEntityIdentifiers": {"Solutions": ["S-1"]},
        }
    before = copy.deepcopy(shown)
    changes = [Change(path, value_at(shown, path), after) for path, after in pairs]
    body = body_of_update(shown, changes, SHAPE)
    assert shown == before, "what was shown stays as it is"
    assert set(body) <= set(SHAPE.members)
    changed = dict(pairs)
    for path in PATHS:
        value = without_blanks(known_only(value_at(shown, path), PATHS[path])) if value_at(shown, path) else None
        expected = changed.get(path, value)
        if expected in (None, "", [], {}):
            assert value_at(body, path) in (None, "", [], {}), path
        elif not is_refused_with(body, path):
            assert value_at(body, path) == expected, path
    assert body["Identifier"] == "O1"


def is_refused_with(body: Mapping[str, Any], path: str) -> bool:
    """A campaign without a marketing activity, which AWS shows and does not take."""
    return path.startswith("Marketing.") and path != "Marketing.Source" and value_at(body, "Marketing.Source") == "None"


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(remote(SHAPE))
def test_members_newer_than_the_mapping_go_back_once_the_model_knows_them(shown: dict[str, Any]) -> None:
    """Of a later model; no line of any mapping names them."""
    text = Shape("string")
    newer = Shape("structure", {"Depth": Shape("structure", {"Tag": text})})
    project = SHAPE.members["Project"]
    later = Shape("structure", {
        **SHAPE.members,
        "Sustainability": newer,
        "Project": Shape("structure", {**project.members, "Fy27Forecast": Shape("list", item=text)}),
    })  # fmt: skip
    shown = {**shown, "Id": "O1"}
    put_at(shown, "Sustainability", {"Depth": {"Tag": "deep"}})
    shown["Project"] = {**(shown.get("Project") or {}), "Fy27Forecast": ["a", "b"]}
    body = body_of_update(shown, [Change("Project.Title", None, "New")], later)
    assert value_at(body, "Sustainability.Depth.Tag") == "deep"
    assert value_at(body, "Project.Fy27Forecast") == ["a", "b"]
    assert value_at(body, "Project.Title") == "New"
    assert unescaped(body) == body
