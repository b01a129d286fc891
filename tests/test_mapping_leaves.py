"""Every leaf of what invites AWS and other partners: a value goes from a Salesforce row to the payload.

The leaves are enumerated from the installed model, so that one that AWS adds is missed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.adapters.partner_central.model import input_shape
from connector.core.mapping import CompiledMapping, compile_mapping, map_record
from connector.core.model import Mapped
from connector.mapping_files import read_mapping, transforms
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.query import run_query

ROOT = Path(__file__).parents[1]
TODAY = date(2026, 11, 22)
SALES = {"Name": "Deal", "StageName": "Qualification", "CloseDate": "2027-02-15", "Share_With_AWS__c": True}
ROW = "AWS_Partner_Invitation__c"
ESTIMATE = "https://calculator.aws/#/estimate?id=0123456789abcdef0123456789abcdef"
OFFER = "Payload.OpportunityInvitation"
PERSON = {"Sender_Email__c": "Ina@partner.example"}

# AWS path: (fields of the row as a seller fills them in, what AWS is to get)
ON_THE_ROW: dict[str, tuple[dict[str, Any], Any]] = {
    "EngagementIdentifier": ({"Engagement_Id__c": "eng-0123456789abcd"}, "eng-0123456789abcd"),
    "Message": ({"Message__c": " Come along, it pays. "}, "Come along, it pays."),
    "Receiver.Account.AwsAccountId": ({"Partner_AWS_Account__c": "111122223333"}, "111122223333"),
    "Receiver.Account.Alias": (
        {"Partner_Name__c": "Pipe Services", "Partner_AWS_Account__c": "111122223333"},
        "Pipe Services",
    ),
    f"{OFFER}.ReceiverResponsibilities": (
        {"Responsibilities__c": "Reseller;Services Partner"},
        ["Reseller", "Services Partner"],
    ),
    f"{OFFER}.Customer.CompanyName": ({"Company_Name__c": "Acme"}, "Acme"),
    f"{OFFER}.Customer.CountryCode": ({"Country__c": "Deutschland"}, "DE"),
    f"{OFFER}.Customer.Industry": ({"Industry__c": "Mining"}, "Mining"),
    f"{OFFER}.Customer.WebsiteUrl": ({"Website__c": "acme.example"}, "https://acme.example"),
    f"{OFFER}.Project.Title": ({"Project_Title__c": "Telemetry"}, "Telemetry"),
    f"{OFFER}.Project.BusinessProblem": ({"Business_Problem__c": "They cannot see it."}, "They cannot see it."),
    f"{OFFER}.Project.TargetCompletionDate": ({"Target_Completion_Date__c": "2027-06-30"}, "2027-06-30"),
    f"{OFFER}.Project.ExpectedCustomerSpend[].Amount": ({"Expected_Amount__c": 1200.5}, "1200.50"),
    f"{OFFER}.Project.ExpectedCustomerSpend[].CurrencyCode": ({"Currency__c": "EUR"}, "EUR"),
    f"{OFFER}.Project.ExpectedCustomerSpend[].Frequency": ({"Expected_Amount__c": 1}, "Monthly"),
    f"{OFFER}.Project.ExpectedCustomerSpend[].TargetCompany": ({"Target_Company__c": "Pipe GmbH"}, "Pipe GmbH"),
    f"{OFFER}.Project.ExpectedCustomerSpend[].EstimationUrl": ({"Estimation_Url__c": ESTIMATE}, ESTIMATE),
    f"{OFFER}.SenderContacts[].FirstName": ({**PERSON, "Sender_First_Name__c": "Ina"}, "Ina"),
    f"{OFFER}.SenderContacts[].LastName": ({**PERSON, "Sender_Last_Name__c": "Invites"}, "Invites"),
    f"{OFFER}.SenderContacts[].BusinessTitle": ({**PERSON, "Sender_Title__c": "Alliance Lead"}, "Alliance Lead"),
    f"{OFFER}.SenderContacts[].Email": (PERSON, "ina@partner.example"),
    f"{OFFER}.SenderContacts[].Phone": ({**PERSON, "Sender_Phone__c": "(415) 555-2672"}, "+14155552672"),
}

# AWS path: (fields of the opportunity or its account, what the partner is to get although the row says nothing)
ON_THE_OPPORTUNITY: dict[str, tuple[dict[str, Any], Any]] = {
    f"{OFFER}.Customer.CompanyName": ({"Account.Name": "Acme Corp."}, "Acme Corp."),
    f"{OFFER}.Customer.CountryCode": ({"Account.BillingCountry": "France"}, "FR"),
    f"{OFFER}.Customer.Industry": ({"Account.Industry": "Banking"}, "Financial Services"),
    f"{OFFER}.Customer.WebsiteUrl": ({"Account.Website": "acme.example"}, "https://acme.example"),
    f"{OFFER}.Project.Title": ({"Name": "A large deal"}, "A large deal"),
    f"{OFFER}.Project.BusinessProblem": ({"Description": "They cannot see it."}, "They cannot see it."),
    f"{OFFER}.Project.TargetCompletionDate": ({"CloseDate": "2027-04-01"}, "2027-04-01"),
    f"{OFFER}.Project.ExpectedCustomerSpend[].Amount": ({"Amount": 1200}, "100.00"),
    f"{OFFER}.Project.ExpectedCustomerSpend[].CurrencyCode": ({"Amount": 1200}, "USD"),
    f"{OFFER}.Project.ExpectedCustomerSpend[].EstimationUrl": ({"AWS_Estimation_Url__c": ESTIMATE}, ESTIMATE),
    f"{OFFER}.SenderContacts[].LastName": ({}, "Seller"),
    f"{OFFER}.SenderContacts[].FirstName": ({}, "Sam"),
    f"{OFFER}.SenderContacts[].Email": ({}, "sam@partner.example"),
}

SUBMISSION: dict[str, tuple[dict[str, Any], Any]] = {
    "InvolvementType": ({"AWS_Involvement__c": "For Visibility Only"}, "For Visibility Only"),
    "Visibility": ({"AWS_Visibility__c": "Limited"}, "Limited"),
}


def shipped() -> CompiledMapping:
    files = (ROOT / "mappings" / "opportunity.yaml", ROOT / "mappings" / "invitations.yaml")
    mapping, problems = read_mapping(files)
    assert mapping is not None, problems
    return mapping


MAPPING = shipped()


def record_of(org: Org, salesforce_id: str) -> dict[str, Any]:
    """One row as Salesforce answers the mapping's own query, child rows as lists."""
    answer = run_query(org, MAPPING.selection.by_id([salesforce_id]), base="/services/data/v66.0")
    (row,) = answer["records"]
    children = {name: (row[name] or {}).get("records", []) for name in MAPPING.selection.children}
    return {**row, **children}


def mapped(fields: dict[str, Any], row: dict[str, Any] | None) -> Mapped:
    """What comes of an opportunity with these fields, and of one invitation of it."""
    org = Org(lambda: datetime(2026, 11, 22, 10, tzinfo=UTC))
    owner = org.add_user("Sam", "Seller", "Sam@partner.example")
    account = {name.partition(".")[2]: value for name, value in fields.items() if "." in name}
    own = {name: value for name, value in fields.items() if "." not in name}
    parents = {"AccountId": org.insert("Account", {"Name": "Acme", **account}), "OwnerId": owner}
    salesforce_id = org.insert("Opportunity", {**SALES, **parents, **own})
    if row is not None:
        org.insert(ROW, {"Opportunity__c": salesforce_id, **row})
    return map_record(MAPPING, record_of(org, salesforce_id), TODAY)


def at(value: Any, path: str) -> Any:
    for step in path.split("."):
        name, _, listed = step.partition("[")
        value = (value or {}).get(name)
        value = value[0] if listed and value else value
    return value


def invitation_of(found: Mapped) -> dict[str, Any]:
    (invitation,) = found.invitations
    return {**invitation.body, "EngagementIdentifier": invitation.engagement_id}


def leaves(operation: str, *members: str) -> Iterator[str]:
    """Every leaf of some members of a request, as the installed model has them."""
    for name in members:
        shape = input_shape(operation).members[name]
        yield from (path for path, _ in shape.leaves()) if shape.members else [name]


def test_these_are_all_leaves_there_are() -> None:
    inviting = set(leaves("CreateEngagementInvitation", "Invitation", "EngagementIdentifier"))
    leads = {path for path in inviting if path.startswith("Payload.LeadInvitation.")}
    assert inviting - leads == set(ON_THE_ROW)
    assert leads == set(LEADS)
    assert set(ON_THE_OPPORTUNITY) <= set(ON_THE_ROW)
    assert set(leaves("StartEngagementFromOpportunityTask", "AwsSubmission")) == set(SUBMISSION)
    assert set(input_shape("CreateEngagementInvitation").members) == {
        *("Catalog", "ClientToken", "EngagementIdentifier", "Invitation"),
    }


@pytest.mark.parametrize("path", ON_THE_ROW)
def test_a_value_of_the_row_reaches_the_partner(path: str) -> None:
    row, expected = ON_THE_ROW[path]
    assert at(invitation_of(mapped({}, row)), path) == expected


@pytest.mark.parametrize("path", ON_THE_OPPORTUNITY)
def test_a_value_of_the_opportunity_reaches_the_partner_where_the_row_has_none(path: str) -> None:
    fields, expected = ON_THE_OPPORTUNITY[path]
    assert at(invitation_of(mapped(fields, {"Partner_Name__c": "Pipe Services"})), path) == expected


@pytest.mark.parametrize("path", SUBMISSION)
def test_a_value_reaches_the_submission(path: str) -> None:
    fields, expected = SUBMISSION[path]
    submission = mapped(fields, None).submission
    assert submission is not None
    assert submission[path] == expected


LEADS = {
    f"Payload.LeadInvitation.{name}": value
    for name, value in {
        "Customer.Industry": "Mining",
        "Customer.CompanyName": "Acme",
        "Customer.WebsiteUrl": "https://acme.example",
        "Customer.CountryCode": "DE",
        "Customer.AwsMaturity": "New",
        "Customer.MarketSegment": "Enterprise",
        "Interaction.SourceType": "Event",
        "Interaction.SourceId": "7",
        "Interaction.SourceName": "Fair",
        "Interaction.Usecase": "Database",
        "Interaction.ContactBusinessTitle": "Buyer",
    }.items()
}


def tree_of(paths: list[str]) -> str:
    """A YAML tree in which each leaf is read from the field of its own name."""
    tops: dict[str, list[str]] = {}
    for path in paths:
        top, _, rest = path.partition(".")
        tops.setdefault(top, []).append(rest)
    text = ""
    for top, rests in tops.items():
        inner = [rest for rest in rests if rest]
        text += f"{top}:\n{indent(tree_of(inner), '  ')}" if inner else f"{top}: {top}__c\n"
    return text


def test_a_lead_is_mapped_too_by_a_file_of_ones_own() -> None:
    tree = tree_of(["Message", "Receiver.Account.AwsAccountId", *LEADS])
    text = (
        "version: 1\nsalesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}\n"
        "opportunity: {Project: {Title: Name}}\ninvitations:\n  -\n" + indent(tree, "    ")
    )
    mapping, problems = compile_mapping(yamlfile.parse(text, "own.yaml"), mapping_shapes(), transforms())
    assert mapping is not None, problems
    record = {f"{path.rpartition('.')[2]}__c": value for path, value in LEADS.items()}
    found = map_record(mapping, {**record, "Message__c": "Yours", "AwsAccountId__c": "111122223333"}, TODAY)
    (invitation,) = found.invitations
    assert invitation.problems == ()
    assert {path: at(invitation.body, path) for path in LEADS} == LEADS


def test_every_field_of_the_row_is_used_by_a_line() -> None:
    text = (ROOT / "mappings" / "invitations.yaml").read_text(encoding="utf-8").partition("\ncases:")[0]
    used = set(re.findall(r"\b\w+__c\b", text))
    fields = Org(lambda: datetime(2026, 11, 22, tzinfo=UTC)).schema.get(ROW).fields.values()
    assert used == {field.name for field in fields if field.name.endswith("__c")} - {"Opportunity__c"}
