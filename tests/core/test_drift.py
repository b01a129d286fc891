"""What a changed model means for a mapping. AWS's real model is changed here, on one side or on the other."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.drift import ModelRecord, drift, shapes_of, table_of
from connector.core.findings import Severity
from connector.core.mapping import CompiledMapping, compile_mapping
from connector.mapping_files import transforms
from tests.core.small_mapping import FILE, small

TREE = """
Origin: {value: Partner Referral}
PrimaryNeedsFromAws: {from: Needs__c, transform: split}
Customer:
  Account:
    CompanyName: Account.Name
    Industry:
      from: Account.Industry
      values: {Energy: Energy - Oil and Gas, Other: Other}
      otherwise: Government
    OtherIndustry: {from: Other__c, when: {path: Customer.Account.Industry, is: Other}}
  Contacts:
    each: OpportunityContactRoles
    item: {Email: Contact.Email, LastName: Contact.LastName}
Project:
  Title: Name
  ExpectedCustomerSpend:
    - {Amount: Amount, CurrencyCode: {value: USD}, Frequency: {value: Monthly}, TargetCompany: {value: AWS}}
"""
SECTIONS = """
associate: {Solutions: Solution__c}
submission:
  InvolvementType: {from: Involvement__c, default: Co-Sell}
  Visibility: {value: Full}
assign: {FirstName: A__c, LastName: B__c, Email: C__c, BusinessTitle: {value: Seller}}
invitations:
  - Message: Message__c
    Receiver: {Account: {AwsAccountId: Partner__c}}
    Payload:
      OpportunityInvitation:
        ReceiverResponsibilities: {value: [Reseller]}
        Customer:
          CompanyName: {like: Customer.Account.CompanyName}
          CountryCode: {value: US}
          Industry: {like: Customer.Account.Industry}
          WebsiteUrl: Website__c
        Project:
          {Title: Name, BusinessProblem: Problem__c, TargetCompletionDate: CloseDate, ExpectedCustomerSpend: [
            {Amount: Amount, CurrencyCode: {value: USD}, Frequency: {value: Monthly}, TargetCompany: {value: AWS}}]}
    write_back: {Answer__c: invitation.Status}
write_back:
  Review__c: opportunity.LifeCycle.ReviewStatus
  Manager__c: aws.OpportunityTeam[PDM].Name
  State__c: sync.status
inbound:
  Stage__c:
    from: aws.LifeCycle.Stage
    values: {Prospect: Early, Qualified: Later}
"""
NOW = ModelRecord("9.1", table_of(mapping_shapes()))
Entries = dict[str, dict[str, Any]]


def compiled(table: Any) -> CompiledMapping:
    """The mapping as a model with this table lets it through."""
    document = yamlfile.parse(small(TREE, SECTIONS), FILE)
    mapping, problems = compile_mapping(document, shapes_of(table), transforms())
    assert mapping is not None, [str(problem) for problem in problems]
    return mapping


MAPPING = compiled(NOW.table)
LINES = small(TREE, SECTIONS).splitlines()


def edited(*edits: Callable[[Entries], object]) -> Entries:
    table = copy.deepcopy(dict(NOW.table))
    for edit in edits:
        edit(table)
    return table


def line_of(place: str) -> int:
    """The first line with this text; with ``$`` behind it the one that has no other. 0 for none."""
    if place.endswith("$"):
        return next(number for number, line in enumerate(LINES, 1) if line.strip() == place[:-1])
    return next(number for number, line in enumerate(LINES, 1) if place in line) if place else 0


def told(before: Entries, now: Entries, mapping: CompiledMapping) -> list[tuple[str, str, str, int]]:
    findings = drift(ModelRecord("9.0", before), ModelRecord("9.1", now), mapping)
    assert {(finding.kind, finding.file) for finding in findings} <= {("drift", FILE)}
    return [(str(f.severity), f.message, f.cure, f.line) for f in findings]


def came(*edits: Callable[[Entries], object]) -> list[tuple[str, str, str, int]]:
    """What is told where these edits have been made since; the mapping was right before."""
    return told(dict(NOW.table), edited(*edits), MAPPING)


def went(*edits: Callable[[Entries], object]) -> list[tuple[str, str, str, int]]:
    """What is told where these edits have been undone since; the mapping is right today."""
    return told(edited(*edits), dict(NOW.table), MAPPING)


def without(path: str) -> Callable[[Entries], object]:
    def edit(table: Entries) -> None:
        parent, _, name = path.rpartition(".")
        for one in [one for one in table if one == path or one.startswith((f"{path}.", f"{path}["))]:
            del table[one]
        kept = [one for one in table[parent].get("required", []) if one != name]
        table[parent].pop("required", None)
        table[parent].update({"required": kept} if kept else {})

    return edit


def having(path: str, **facets: Any) -> Callable[[Entries], object]:
    return lambda table: table.setdefault(path, {"kind": "string"}).update(facets)


def lacking(path: str, facet: str) -> Callable[[Entries], object]:
    return lambda table: table[path].pop(facet)


def enum_with(path: str, *added: str) -> Callable[[Entries], object]:
    return lambda table: table[path]["enum"].extend(added)


def enum_without(path: str, *taken: str) -> Callable[[Entries], object]:
    return lambda table: table[path].update(enum=[value for value in table[path]["enum"] if value not in taken])


INDUSTRY, STAGE = "create.Customer.Account.Industry", "aws.LifeCycle.Stage"
SINCE = ", since botocore 9.0."
CAME = {
    "a member that is filled is gone": (
        (without("create.Customer.Account.CompanyName"),),
        ("error", "AWS no longer takes Customer.Account.CompanyName", "Remove the line.", "CompanyName: Account.Name"),
    ),
    "a whole structure is gone, told at each line": (
        (without("create.Customer.Contacts"),),
        ("error", "AWS no longer takes Customer.Contacts[].Email", "Remove the line.", "item: {Email"),
        ("error", "AWS no longer takes Customer.Contacts[].LastName", "Remove the line.", "item: {Email"),
    ),
    "a fact is gone, and one of two that make up a name": (
        (without("opportunity.LifeCycle.ReviewStatus"), without("aws.OpportunityTeam[].LastName")),
        ("error", "AWS no longer tells opportunity.LifeCycle.ReviewStatus", "Remove the line.", "Review__c:"),
        ("error", "AWS no longer tells aws.OpportunityTeam[PDM].Name", "Remove the line.", "Manager__c:"),
    ),
    "a fact of an invitation is gone": (
        (without("invitation_answer.Status"),),
        ("error", "AWS no longer tells invitation.Status", "Remove the line.", "Answer__c:"),
    ),
    "a new member is required, and told once": (
        (having("create.Customer.Account.Size"), having("create.Customer.Account", required=["CompanyName", "Size"])),
        (
            "error",
            "AWS requires Customer.Account.Size, which is not mapped",
            "Add Size beside this line.",
            "CompanyName: Account.Name",
        ),
    ),
    "a known member is required": (
        (having("create.Project", required=["OtherSolutionDescription"]),),
        (
            "error",
            "AWS requires Project.OtherSolutionDescription, which is not mapped",
            "Add OtherSolutionDescription beside this line.",
            "Title: Name",
        ),
    ),
    "a mapped member is required that may be empty": (
        (having("create.Project", required=["Title"]),),
        (
            "warning",
            "AWS requires Project.Title: a record where it is empty is held",
            "Fill it in everywhere, or state a default.",
            "Title: Name",
        ),
    ),
    "an optional member is new": (
        (having("create.Project.Risk"),),
        ("note", "AWS takes Project.Risk, which this mapping does not fill", "", "Title: Name"),
    ),
    "a structure is new, told without its members": (
        (having("create.Customer.Parent", kind="structure"), having("create.Customer.Parent.Name")),
        ("note", "AWS takes Customer.Parent, which this mapping does not fill", "", "CompanyName: Account.Name"),
    ),
    "a member of the items of a list is new": (
        (having("create.Customer.Contacts[].Fax"),),
        ("note", "AWS takes Customer.Contacts[].Fax, which this mapping does not fill", "", "item: {Email"),
    ),
    "a member of the whole request is new": (
        (having("create.Region"),),
        ("note", "AWS takes Region, which this mapping does not fill", "", "Origin:"),
    ),
    "values that a list of values, otherwise and a condition use are gone": (
        (enum_without(INDUSTRY, "Energy - Oil and Gas", "Government", "Other", "Gaming"),),
        (
            "error",
            "AWS no longer takes 'Energy - Oil and Gas' at Customer.Account.Industry",
            "Did you mean 'Energy - Power and Utilities'?",
            "Industry:$",
        ),
        (
            "error",
            "AWS no longer takes 'Government' at Customer.Account.Industry",
            "Choose another value.",
            "Industry:$",
        ),
        ("error", "AWS no longer takes 'Other' at Customer.Account.Industry", "Choose another value.", "Industry:$"),
        (
            "warning",
            "Customer.Account.OtherIndustry depends on 'Other' at Customer.Account.Industry, which AWS no longer takes",
            "Correct its when.",
            "OtherIndustry:",
        ),
    ),
    "a constant is gone": (
        (enum_without("create.Origin", "Partner Referral"),),
        (
            "error",
            "AWS no longer takes 'Partner Referral' at Origin",
            "Did you mean 'AWS Referral'?",
            "Origin:",
        ),
    ),
    "a default is gone": (
        (enum_without("submission.InvolvementType", "Co-Sell"),),
        (
            "error",
            "AWS no longer takes 'Co-Sell' at AwsSubmission.InvolvementType",
            "Choose another value.",
            "InvolvementType:",
        ),
    ),
    "a value is gone that no line states, but records may carry": (
        (enum_without("submission.InvolvementType", "For Visibility Only"),),
        (
            "warning",
            "AWS no longer takes 'For Visibility Only' at AwsSubmission.InvolvementType",
            "Choose others in Salesforce, or translate them with values.",
            "InvolvementType:",
        ),
    ),
    "a value of a list of texts is gone": (
        (enum_without("create.PrimaryNeedsFromAws[]", "Co-Sell - Technical Consultation"),),
        (
            "warning",
            "AWS no longer takes 'Co-Sell - Technical Consultation' at PrimaryNeedsFromAws",
            "Choose others in Salesforce, or translate them with values.",
            "PrimaryNeedsFromAws:",
        ),
    ),
    "a value is new where the list of values lacks it": (
        (enum_with(INDUSTRY, "Space"),),
        (
            "warning",
            "AWS takes 'Space' at Customer.Account.Industry",
            "Add what is missing to the list of values.",
            "Industry:$",
        ),
    ),
    "a value is new where Salesforce's are sent as they are": (
        (enum_with("submission.InvolvementType", "Watch"),),
        ("note", "AWS takes 'Watch' at AwsSubmission.InvolvementType", "", "InvolvementType:"),
    ),
    "only some values are taken from now on": (
        (
            having("create.Customer.Account.CompanyName", enum=["A", "B"]),
            having("assignee.BusinessTitle", enum=["Boss"]),
        ),
        (
            "error",
            "AWS no longer takes 'Seller' at Assignee.BusinessTitle",
            "Choose another value.",
            "assign:",
        ),
        (
            "warning",
            "AWS takes only 'A', 'B' at Customer.Account.CompanyName",
            "See that Salesforce has no others, or add values.",
            "CompanyName: Account.Name",
        ),
        (
            "warning",
            "AWS takes only 'Boss' at Assignee.BusinessTitle",
            "See that Salesforce has no others, or add values.",
            "assign:",
        ),
    ),
    "any text is taken from now on": (
        (lacking("create.Origin", "enum"),),
        ("note", "AWS takes any text at Origin", "", "Origin:"),
    ),
    "a fact may have a new value": (
        (enum_with("opportunity.LifeCycle.ReviewStatus", "Paused"),),
        (
            "note",
            "AWS may tell 'Paused' at opportunity.LifeCycle.ReviewStatus",
            "If Review__c is a restricted picklist, add it there.",
            "Review__c:",
        ),
    ),
    "a fact that is translated may have a new value, and not an old one": (
        (enum_with(STAGE, "Paused"), enum_without(STAGE, "Qualified", "Launched")),
        (
            "warning",
            "AWS may tell 'Paused' at aws.LifeCycle.Stage",
            "Add what is missing to the list of values.",
            "Stage__c:",
        ),
        ("note", "AWS no longer tells 'Qualified' at aws.LifeCycle.Stage", "", "Stage__c:"),
    ),
    "bounds of what is sent": (
        (
            having("create.Project.Title", pattern="(?s).{0,100}"),
            having("create.Customer.Contacts", min=1, max=4),
            having("assignee.FirstName", max=20),
            having("opportunity.RelatedEntityIdentifiers.Solutions[]", pattern="T-[0-9]+"),
        ),
        (
            "warning",
            "AWS's minimum of Customer.Contacts has changed: none → 1",
            "See that the values fit.",
            "item: {Email",
        ),
        (
            "warning",
            "AWS's maximum of Customer.Contacts has changed: none → 4",
            "See that the values fit.",
            "item: {Email",
        ),
        (
            "warning",
            "AWS's pattern of Project.Title has changed: (?s).{0,255} → (?s).{0,100}",
            "See that the values fit.",
            "Title: Name",
        ),
        (
            "warning",
            "AWS's pattern of RelatedEntityIdentifiers.Solutions has changed: S-[0-9]{1,19} → T-[0-9]+",
            "See that the values fit.",
            "associate:",
        ),
        (
            "warning",
            "AWS's maximum of Assignee.FirstName has changed: none → 20",
            "See that the values fit.",
            "assign:",
        ),
    ),
    "bounds of what is told": (
        (having(STAGE, max=9),),
        (
            "note",
            "AWS's maximum of aws.LifeCycle.Stage has changed: none → 9",
            "See that they fit in the Salesforce field.",
            "Stage__c:",
        ),
    ),
    "another kind": (
        (having("create.Project.Title", kind="integer"), having(STAGE, kind="integer")),
        ("error", "Project.Title was a string and is an integer", "Fit the line to it.", "Title: Name"),
        ("warning", "aws.LifeCycle.Stage was a string and is an integer", "Fit the line to it.", "Stage__c:"),
    ),
    "a structure that has become a text, told at each line and not for its members": (
        (
            without("create.Customer.Account.CompanyName"),
            without("create.Customer.Account.Industry"),
            lambda table: [table.pop(path) for path in list(table) if path.startswith("create.Customer.Account.")],
            lambda table: table.update({"create.Customer.Account": {"kind": "string"}}),
        ),
        (
            "error",
            "Customer.Account was a structure and is a string",
            "Fit the line to it.",
            "CompanyName: Account.Name",
        ),
        ("error", "Customer.Account was a structure and is a string", "Fit the line to it.", "Industry:$"),
        ("error", "Customer.Account was a structure and is a string", "Fit the line to it.", "OtherIndustry:"),
    ),
    "types of what is associated": (
        (enum_without("entity_types", "Solutions", "AwsProducts"), enum_with("entity_types", "Agents")),
        ("error", "AWS no longer associates Solutions", "Remove the line.", "associate:"),
        ("note", "AWS associates Agents, which this mapping does not", "", ""),
        ("note", "AWS no longer associates AwsProducts", "", ""),
    ),
    "what an invitation uses": (
        (enum_without("invitation.Payload.OpportunityInvitation.Customer.CountryCode", "US"),),
        (
            "error",
            "AWS no longer takes 'US' at Invitation.Payload.OpportunityInvitation.Customer.CountryCode",
            "Choose another value.",
            "CountryCode:",
        ),
    ),
}


@pytest.mark.parametrize("name", CAME)
def test_what_came_is_told_at_its_line_and_nothing_else(name: str) -> None:
    edits, *expected = CAME[name]
    shown = [(*rest, line_of(place)) for *rest, place in expected]
    found = [(severity, message.removesuffix(SINCE), cure, line) for severity, message, cure, line in came(*edits)]
    assert sorted(found) == sorted(shown)
    assert all(message.endswith(SINCE) for _, message, _, _ in came(*edits))


def test_findings_say_the_aws_path_the_field_and_the_column() -> None:
    now = ModelRecord("9.1", edited(enum_with(INDUSTRY, "Space"), enum_with(STAGE, "Paused")))
    sent, fact = drift(ModelRecord("9.0", NOW.table), now, MAPPING)
    assert (sent.severity, sent.aws_path, sent.salesforce_field) == (
        Severity.WARNING,
        "Customer.Account.Industry",
        "Account.Industry",
    )
    assert LINES[sent.line - 1][sent.column - 1 :].startswith("Industry:")
    assert (fact.aws_path, fact.salesforce_field) == ("aws.LifeCycle.Stage", "Stage__c")
    assert LINES[fact.line - 1][fact.column - 1 :].startswith("Stage__c:")


def test_what_the_mapping_had_used_and_is_gone_is_told_by_what_it_had_been() -> None:
    """The mapping is right for the older model only: today's would not let it through."""
    before = edited(enum_with("create.Origin", "Fair"))
    document = yamlfile.parse(small(TREE.replace("Partner Referral", "Fair"), SECTIONS), FILE)
    assert compile_mapping(document, mapping_shapes(), transforms())[0] is None
    mapping, _ = compile_mapping(document, shapes_of(before), transforms())
    assert mapping is not None
    cure = "Choose another value."
    assert told(before, dict(NOW.table), mapping) == [
        ("error", f"AWS no longer takes 'Fair' at Origin{SINCE}", cure, line_of("Origin:")),
    ]


def test_what_has_become_optional_is_a_note() -> None:
    found = went(having("create.Project", required=["Title"]))
    assert found == [("note", f"AWS no longer requires Project.Title{SINCE}", "", line_of("Title: Name"))]


def test_what_is_new_and_used_already_is_a_note() -> None:
    edits = (
        without("create.Project.Title"),
        without("invitation_answer.Status"),
        enum_without("entity_types", "Solutions"),
    )
    assert sorted(went(*edits)) == [
        ("note", f"AWS associates Solutions{SINCE}", "", line_of("associate:")),
        ("note", f"AWS takes Project.Title{SINCE}", "", line_of("Title: Name")),
        ("note", f"AWS tells invitation.Status{SINCE}", "", line_of("Answer__c:")),
    ]


def test_what_does_not_concern_the_mapping_is_summed_up() -> None:
    edits = (
        having("create.Marketing.Budget"),
        having("create.Marketing.Source", enum=["None"]),
        enum_with("opportunity.OpportunityType", "Other"),
        without("aws.Insights"),
        having("task.Advice"),
        having("create.ClientToken", max=64),
    )
    message = (
        "6 other changes do not concern this mapping: aws.Insights, ClientToken, Marketing.Budget, Marketing.Source, "
        "opportunity.OpportunityType, …."
    )
    assert came(*edits) == [("note", message, "", 0)]
    assert came(having("task.Advice")) == [
        ("note", "One other change does not concern this mapping: task.Advice.", "", 0)
    ]


def test_what_the_connector_itself_sends_is_not_asked_of_the_mapping() -> None:
    """Catalog and ClientToken, which are all that the whole request requires today."""
    assert NOW.table["create"]["required"] == ["Catalog", "ClientToken"]
    message = "One other change does not concern this mapping: CreateOpportunity."
    assert went(lacking("create", "required")) == [("note", message, "", 0)]


def test_the_same_model_has_no_drift() -> None:
    assert drift(NOW, NOW, MAPPING) == []
    assert drift(ModelRecord("8.0", dict(NOW.table)), NOW, MAPPING) == []


def test_a_table_gives_back_the_shapes_that_it_was_made_of() -> None:
    assert table_of(shapes_of(NOW.table)) == NOW.table
    through_json = ModelRecord.from_json(json.loads(json.dumps(NOW.to_json())))
    assert through_json == NOW
    entry = NOW.table["create.Customer.Account.Address.CountryCode"]
    assert (entry["kind"], entry["enum"][:2], len(entry["enum"])) == ("string", ["AD", "AE"], 249)
    assert list(NOW.table) == sorted(NOW.table)


DAMAGED: dict[str, Any] = {
    "no structure": [],
    "other members": {"botocore": "1", "table": {}},
    "no version": {"botocore": 1, "model": NOW.table},
    "a version with a line in it": {"botocore": "1\n2", "model": NOW.table},
    "no table": {"botocore": "1", "model": []},
    "an empty table": {"botocore": "1", "model": {}},
    "an entry that is none": {"botocore": "1", "model": edited(lambda t: t.update({"create": None}))},
    "a part too few": {"botocore": "1", "model": edited(lambda t: t.pop("engagement"))},
    "a part too many": {"botocore": "1", "model": edited(having("more"))},
    "an orphan": {"botocore": "1", "model": edited(having("create.Nobody.Name"))},
    "a facet too many": {"botocore": "1", "model": edited(having("create.Origin", members={}))},
    "no kind": {"botocore": "1", "model": edited(lacking("create.Origin", "kind"))},
    "an empty kind": {"botocore": "1", "model": edited(having("create.Origin", kind=""))},
    "entity types that are more than values": {"botocore": "1", "model": edited(having("entity_types", union=True))},
    "entity types of another kind": {"botocore": "1", "model": edited(having("entity_types", kind="structure"))},
    "a truth for a number": {"botocore": "1", "model": edited(having("create.Origin", max=True))},
    "an enum of numbers": {"botocore": "1", "model": edited(having("create.Origin", enum=[1]))},
    "no pattern": {"botocore": "1", "model": edited(having("create.Project.Title", pattern="(((("))},
    "a list without item": {"botocore": "1", "model": edited(lambda t: t.pop("create.PrimaryNeedsFromAws[]"))},
    "members of a text": {"botocore": "1", "model": edited(having("create.Origin.Name"))},
}


@pytest.mark.parametrize("value", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_record_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        ModelRecord.from_json(value)
