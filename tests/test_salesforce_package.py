"""The generated Salesforce project: exactly what the mapping needs, in the form that Salesforce's own tools write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from connector import config as configuration
from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.app import App
from connector.commands.salesforce_package import salesforce_package
from connector.core.mapping import CompiledMapping, compile_mapping
from connector.errors import UserError
from connector.mapping_files import load_mapping, transforms
from connector.provisioning.salesforce.documented import documented_values
from connector.provisioning.salesforce.documents import documents_of
from connector.provisioning.salesforce.folder import LIST, write
from connector.provisioning.salesforce.guide import guide_of
from connector.provisioning.salesforce.lengths import most_characters
from connector.provisioning.salesforce.package import Package, derive
from connector.provisioning.salesforce.project import Org, make_project
from connector.provisioning.salesforce.wording import plural_of
from connector.sandbox.salesforce.objects import standard_schema
from connector.sandbox.salesforce.schema import Field

ROOT = Path(__file__).parents[1]
OPPORTUNITY, INVITATIONS = ROOT / "mappings" / "opportunity.yaml", ROOT / "mappings" / "invitations.yaml"
ROW = "AWS_Partner_Invitation__c"
NS = "{http://soap.sforce.com/2006/04/metadata}"
SOURCE = "force-app/main/default/"
ACME = {"acme": Org("https://acme.my.salesforce.com", "66.0")}


def package_of(*mappings: CompiledMapping) -> Package:
    named = {f"c{number}": mapping for number, mapping in enumerate(mappings)}
    return derive(named, "66.0", mapping_shapes(), documented_values)


DEFAULT = package_of(load_mapping((OPPORTUNITY,)))
INVITING = package_of(load_mapping((OPPORTUNITY, INVITATIONS)))
BOTH = pytest.mark.parametrize("package", [DEFAULT, INVITING], ids=["opportunity", "with invitations"])


def compiled(text: str, file: str = "mappings/own.yaml") -> CompiledMapping:
    mapping, problems = compile_mapping(yamlfile.parse(dedent(text), file), mapping_shapes(), transforms())
    assert mapping is not None, [str(problem) for problem in problems]
    return mapping


def small(tree: str, sections: str = "", where: str = "Flag__c = TRUE", file: str = "mappings/own.yaml") -> Package:
    return package_of(small_mapping(tree, sections, where, file))


def small_mapping(
    tree: str, sections: str = "", where: str = "Flag__c = TRUE", file: str = "mappings/own.yaml"
) -> CompiledMapping:
    head = f'version: 1\nsalesforce: {{object: Opportunity, where: "{where}"}}\nopportunity:\n'
    return compiled(head + indent(dedent(tree).strip("\n"), "  ") + "\n" + dedent(sections), file)


def types_of(package: Package) -> dict[str, str]:
    return {f"{field.sobject}.{field.name}": str(field.type) for field in package.fields}


# Exactly the fields of the mapping


def names_in(path: Path) -> set[str]:
    """Every custom field that a mapping file names outside of comments and cases: no knowledge of its format."""
    text = path.read_text(encoding="utf-8").partition("\ncases:")[0]
    return set(re.findall(r"\b\w+__c\b", re.sub(r"(^|\s)#.*", "", text)))


def test_the_fields_are_those_that_the_mapping_names_and_no_others() -> None:
    assert {field.name for field in DEFAULT.fields} == names_in(OPPORTUNITY)
    assert {field.sobject for field in DEFAULT.fields} == {"Opportunity"}
    own = {field.name for field in INVITING.fields if field.sobject == ROW}
    assert own == names_in(INVITATIONS)
    assert [field for field in INVITING.fields if field.sobject != ROW] == list(DEFAULT.fields)
    assert len(DEFAULT.fields) > 60
    assert (DEFAULT.left_open, INVITING.left_open) == ((), ())


def test_what_is_written_is_what_write_back_names() -> None:
    mapping = load_mapping((OPPORTUNITY, INVITATIONS))
    assert mapping.invitations is not None
    lines = [*mapping.write_back, *mapping.invitations.items[0].write_back]
    assert {field.name for field in INVITING.fields if field.is_written} == {line.field for line in lines}


@pytest.mark.parametrize("inviting", [False, True], ids=["small", "with invitations"])
def test_whatever_a_query_asks_for_is_made_and_granted(inviting: bool) -> None:
    """The connector's own selection, which its SOQL is made of, names no field that the project lacks."""
    mapping = load_mapping((OPPORTUNITY, INVITATIONS)) if inviting else small_mapping(TREE, SECTIONS)
    package = package_of(mapping)
    paths = [*mapping.selection.fields, *(path for inner in mapping.selection.children.values() for path in inner)]
    wanted = {path.rpartition(".")[2] for path in paths if path.endswith("__c")}
    granted, _ = grants_of(package, "AWS_Connector_Integration")
    assert wanted <= {field.name for field in package.fields}
    flag = "Share_With_AWS__c" if inviting else "Flag__c"  # stands in the condition only, which is read as well
    assert {name.partition(".")[2] for name in granted} >= wanted | {flag}


CLASSES = {
    "Text": "text",
    "LongTextArea": "text",
    "Url": "text",
    "Email": "text",
    "Picklist": "picklist",
    "MultiselectPicklist": "multipicklist",
    "Checkbox": "boolean",
    "Currency": "currency",
    "Number": "double",
    "Date": "date",
    "DateTime": "datetime",
}
FIXED = {"Url": 255, "Email": 80}
NARROWER = {
    "AWS_Involvement_Change_Reason__c": 80,  # AWS has five reasons, the longest of 26 characters
    "Rejection_Reason__c": 80,  # AWS's own maximum
}
PICKED = {"Industry__c"}  # AWS takes no free text there, so that the row offers what it takes


def test_every_type_is_at_least_that_of_the_sample_org() -> None:
    schema = standard_schema()
    for field in INVITING.fields:
        known = schema.get(field.sobject).find(field.name)
        assert known is not None, field.name
        check_type(field.name, field.type.kind, known)
        length = FIXED.get(field.type.kind, field.type.length)
        if CLASSES[field.type.kind] == "text":
            assert length >= NARROWER.get(field.name, known.length), field.name
        assert (field.type.precision, field.type.scale) == (known.precision, known.scale), field.name
        assert set(field.type.values) >= {value for value, _ in known.values}, field.name
        assert field.type.external_id == known.external_id, field.name


def check_type(name: str, kind: str, known: Field) -> None:
    expected = "text" if known.type in {"string", "textarea"} else known.type
    assert CLASSES[kind] == ("picklist" if name in PICKED else expected), name


def test_restricted_where_aws_has_an_enum_and_open_where_its_documentation_lists_some() -> None:
    found = {field.name: field.type for field in DEFAULT.fields if field.type.values}
    assert {name for name, one in found.items() if not one.restricted} == {
        "AWS_Apn_Programs__c",
        "AWS_Marketing_Use_Cases__c",
    }
    assert found["AWS_Involvement__c"].values == ("For Visibility Only", "Co-Sell")
    assert len(found["AWS_Customer_Use_Case__c"].values) == 39
    assert "Banking" not in found["AWS_Industry__c"].values, "values of the account's own field stay there"
    assert found["AWS_National_Security__c"].values == ("Yes", "No")


# Types, line by line

TREE = """
    PrimaryNeedsFromAws: {from: Needs__c, transform: split}
    NationalSecurity: {from: Secret__c, transform: yes_no}
    OpportunityTeam:
      - Email: {from: Owner.Work_Email__c, transform: email}
        Phone: {from: Owner.Phone__c, transform: {phone: {region: US}}}
    Customer:
      Account:
        CompanyName: {from: Account.Legal_Name__c, transform: [trim, {truncate: 120}]}
        Industry: {from: Branch__c, values: {Bank: Financial Services, Mine: Mining}}
        WebsiteUrl: {from: Account.Site__c, transform: website}
        Duns: {from: Account.Duns__c, transform: duns}
        Address: {CountryCode: {from: Account.Country__c, transform: country_code}}
      Contacts:
        each: OpportunityContactRoles
        where: Told__c = TRUE
        order_by: Rank__c DESC
        item: {LastName: Contact.Nickname__c, Email: {from: Contact.Mail__c, transform: email}}
    Project:
      Title: {template: "{Name} {Suffix__c}"}
      CustomerBusinessProblem: {from: Rich__c, transform: [html_text, {truncate: 2000}]}
      AdditionalComments: Words__c
      CompetitorName: {from: Rival__c, transform: trim}
      ExpectedContractDuration: {Term: {value: Months}, Value: {from: Months__c, transform: integer}}
      ExpectedCustomerSpend:
        - Amount: {from: Yearly__c, transform: [{divide: 12}, money], when: {field: Asked__c, present: true}}
          CurrencyCode: {from: Currency__c}
          Frequency: {value: Monthly}
          TargetCompany: {value: AWS}
    LifeCycle:
      TargetCloseDate: {from: Close__c, transform: {date: {zone: Europe/Berlin}}}
      Stage: {from: Stage__c, transform: upper, otherwise: Qualified, values: {A: Prospect}}
    SoftwareRevenue: {EffectiveDate: {from: Start__c, transform: date}}
    Tags:
      - {Key: {value: A}, Value: {from: Tag__c, transform: {truncate: 256}}}
    """
SECTIONS = """
    associate:
      Solutions: {from: Solutions__c, transform: split}
      AwsMarketplaceProducts: {from: Products__c, transform: split}
    submission:
      when: Ready__c = TRUE AND Level__c > 3 AND Since__c >= 2026-01-01 AND Kind__c IN ('a', 'b')
      InvolvementType: {value: Co-Sell}
      Visibility: {from: Seen__c, default: Full}
    assign:
      Email: {from: Lead_Email__c, transform: email}
      FirstName: {value: A}
      LastName: {value: B}
      BusinessTitle: {value: OpportunityOwner}
    inbound:
      Their_Stage__c: {from: opportunity.LifeCycle.Stage, values: {Prospect: Begun}}
      Their_Day__c: opportunity.LifeCycle.TargetCloseDate
    write_back:
      Number__c: opportunity.Id
      State__c: sync.status
      Why__c: sync.message
      At__c: sync.at
      Score__c: aws.Insights.EngagementScore
      Activities__c: opportunity.Project.SalesActivities
      Rep__c: aws.OpportunityTeam[AWSSalesRep].Name
      Team__c: aws.OpportunityTeam.Name
      Rep_Email__c: aws.OpportunityTeam[AWSSalesRep].Email
      Arn__c: task.TaskArn
      Started__c: task.StartTime
      Comments__c: opportunity.LifeCycle.ReviewComments
    """
EXPECTED = {
    "Opportunity.Flag__c": "Checkbox",
    "Opportunity.Needs__c": "MultiselectPicklist",
    "Opportunity.Secret__c": "Picklist",
    "User.Work_Email__c": "Email",
    "User.Phone__c": "Text (80)",
    "Account.Legal_Name__c": "Text (120)",
    "Opportunity.Branch__c": "Picklist",
    "Account.Site__c": "Url",
    "Account.Duns__c": "Text (20)",
    "Account.Country__c": "Text (80)",
    "OpportunityContactRole.Told__c": "Checkbox",
    "OpportunityContactRole.Rank__c": "Text (255)",
    "Contact.Nickname__c": "Text (80)",
    "Contact.Mail__c": "Email",
    "Opportunity.Suffix__c": "Text (255)",
    "Opportunity.Rich__c": "Html (32768)",
    "Opportunity.Words__c": "Text (255)",
    "Opportunity.Rival__c": "Picklist",
    "Opportunity.Months__c": "Number (3, 0)",
    "Opportunity.Yearly__c": "Currency (18, 2)",
    "Opportunity.Asked__c": "Text (255)",
    "Opportunity.Currency__c": "Picklist",
    "Opportunity.Close__c": "DateTime",
    "Opportunity.Stage__c": "Picklist",
    "Opportunity.Start__c": "Date",
    "Opportunity.Tag__c": "Text (255)",
    "Opportunity.Solutions__c": "Text (255)",
    "Opportunity.Products__c": "LongTextArea (2560)",
    "Opportunity.Ready__c": "Checkbox",
    "Opportunity.Level__c": "Number (18, 2)",
    "Opportunity.Since__c": "Date",
    "Opportunity.Kind__c": "Text (255)",
    "Opportunity.Seen__c": "Picklist",
    "Opportunity.Lead_Email__c": "Email",
    "Opportunity.Their_Stage__c": "Text (80)",
    "Opportunity.Their_Day__c": "Date",
    "Opportunity.Number__c": "Text (20)",
    "Opportunity.State__c": "Text (20)",
    "Opportunity.Why__c": "LongTextArea (32768)",
    "Opportunity.At__c": "DateTime",
    "Opportunity.Score__c": "Text (80)",
    "Opportunity.Activities__c": "LongTextArea (32768)",
    "Opportunity.Rep__c": "Text (161)",
    "Opportunity.Team__c": "LongTextArea (32768)",
    "Opportunity.Rep_Email__c": "Text (80)",
    "Opportunity.Arn__c": "Text (255)",
    "Opportunity.Started__c": "DateTime",
    "Opportunity.Comments__c": "LongTextArea (32768)",
}


def test_each_kind_of_line_gives_its_type() -> None:
    package = small(TREE, SECTIONS)
    assert types_of(package) == EXPECTED
    values = {field.name: field.type.values for field in package.fields}
    assert values["Branch__c"] == ("Bank", "Mine")
    assert values["Currency__c"] == ("USD", "EUR")
    assert values["Secret__c"] == ("Yes", "No")
    told = [sentence for sentence in package.left_open if "does not tell its type" in sentence]
    assert len(told) == sum(f"{name}: " in text for name in EXPECTED for text in told) == 4


VALUE = "{Amount: {from: A__c, transform: money}, CurrencyCode: {value: USD}}"


@pytest.mark.parametrize(
    ("tree", "where", "expected"),
    [
        ("NationalSecurity: {from: A__c, transform: yes_no}", "A__c = TRUE", "Checkbox"),
        ("{Project: {Title: A__c, AdditionalComments: A__c}}", "B__c = TRUE", "Text (255)"),
        ("{Project: {AdditionalComments: A__c, CustomerBusinessProblem: A__c}}", "B__c = TRUE", "LongTextArea (2000)"),
        ("{Project: {CompetitorName: A__c, AdditionalComments: A__c}}", "A__c != null", "Picklist"),
        (f"Project: {{Title: A__c}}\nSoftwareRevenue: {{Value: {VALUE}}}", "A__c > 5", "Currency (18, 2)"),
        ("Project: {Title: A__c}", "A__c IN (SELECT B__c FROM C__c WHERE D__c = TRUE)", "Text (255)"),
        ("Project: {Title: A__c}", "a__C = TRUE", "Checkbox"),
    ],
    ids=["checkbox", "text", "longest", "picklist over text", "number over text", "sub-select", "any case"],
)
def test_several_lines_agree_on_one_type(tree: str, where: str, expected: str) -> None:
    found = {name: kind for name, kind in types_of(small(tree, where=where)).items() if name[-4:].lower() == "a__c"}
    assert list(found.values()) == [expected]
    assert all(name.endswith("__c") for name in found)


def test_values_that_no_picklist_can_have_make_a_text() -> None:
    values = "values: {IoT: Mining, IOT: Mining, Bank: Retail}"
    (branch, _) = small(f"Customer: {{Account: {{CompanyName: Name, Industry: {{from: A__c, {values}}}}}}}").fields
    assert branch.type.values == ("IoT", "Bank"), "Salesforce tells them apart by more than case"
    values = f"values: {{{'x' * 256}: Mining}}"
    (branch, _) = small(f"Customer: {{Account: {{CompanyName: Name, Industry: {{from: A__c, {values}}}}}}}").fields
    assert str(branch.type) == "Text (255)"


WRITTEN_OUT = """
    invitations:
      - Message: {value: Join us.}
        Receiver: {Account: {AwsAccountId: {from: Partner__c, transform: aws_account_id}}}
        Payload:
          OpportunityInvitation:
            ReceiverResponsibilities: {from: Duties__c, transform: split}
            Customer: {CompanyName: Name, CountryCode: {value: DE}, Industry: {value: Mining}, WebsiteUrl: Site__c}
            Project:
              Title: Name
              BusinessProblem: Description
              TargetCompletionDate: {from: CloseDate, transform: date}
              ExpectedCustomerSpend:
                - {Amount: {value: "5"}, CurrencyCode: {value: EUR}, Frequency: {value: Monthly}, TargetCompany: Name}
        write_back: {Answer__c: invitation.Status, Sent__c: invitation.InvitationDate}
    """


def test_invitations_written_out_need_fields_of_the_record_and_no_object() -> None:
    package = small("Project: {Title: Name}", WRITTEN_OUT)
    assert package.children == ()
    assert types_of(package) == {
        "Opportunity.Answer__c": "Text (80)",
        "Opportunity.Duties__c": "MultiselectPicklist",
        "Opportunity.Flag__c": "Checkbox",
        "Opportunity.Partner__c": "Text (20)",
        "Opportunity.Sent__c": "DateTime",
        "Opportunity.Site__c": "Url",
    }
    assert {field.name for field in package.fields if field.is_written} == {"Answer__c", "Sent__c"}


def test_a_custom_object_of_the_orgs_own_gets_fields_and_its_invitations_hang_on_it() -> None:
    item = indent(dedent(WRITTEN_OUT).partition("- ")[2].partition("    write_back")[0], "    ")
    head = "version: 1\nsalesforce: {object: My_Deal__c, where: Flag__c = TRUE}\n"
    tree = f"{head}opportunity: {{Project: {{Title: Title__c}}}}\n"
    package = package_of(compiled(f"{tree}invitations:\n  each: Guests__r\n  item:\n        {item.lstrip()}"))
    (child,) = package.children
    assert (child.name, child.relationship, child.parent, child.lookup) == (
        *("Guest__c", "Guests", "My_Deal__c"),
        "My_Deal__c",
    )
    assert {field.sobject for field in package.fields} == {"My_Deal__c", "Guest__c"}
    (view,) = package.views
    assert (view.sobject, view.columns, view.field) == ("My_Deal__c", ("NAME",), "Flag__c")
    _, objects = grants_of(package, "AWS_Connector_Integration")
    assert objects == {"Guest__c": "R", "My_Deal__c": "RV"}
    assert f"{SOURCE}objects/My_Deal__c/My_Deal__c.object-meta.xml" not in documents_of(package)


def test_a_field_of_two_types_is_refused_with_both_lines() -> None:
    tree = """
        SoftwareRevenue: {EffectiveDate: {from: A__c, transform: date}, Value: {Amount: {from: A__c, transform: money},
          CurrencyCode: {value: USD}}}
        """
    with pytest.raises(UserError, match=r"Opportunity\.A__c cannot be of two types.*Date.*Currency"):
        small(tree)


def test_connections_share_fields_and_may_not_contradict_each_other() -> None:
    first = small_mapping("Project: {Title: A__c, AdditionalComments: Mine__c}", file="mappings/first.yaml")
    second = small_mapping(
        "Project: {CustomerBusinessProblem: {from: Yours__c}, Title: A__c}", file="mappings/two.yaml"
    )
    assert set(types_of(package_of(first, second))) == {
        f"Opportunity.{name}__c" for name in ("A", "Flag", "Mine", "Yours")
    }
    third = small_mapping("Project: {CompetitorName: A__c}", file="mappings/three.yaml")
    with pytest.raises(UserError, match=r"mappings/first\.yaml.*mappings/three\.yaml"):
        package_of(first, third)


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (f"Project: {{Title: {'A' * 41}__c}}", "has 41 characters before __c"),
        ("Project: {Title: Title___c}", "no underscore at the end"),
        ("Project: {Title: Customer__r.Name}", "where Customer__r leads cannot be told"),
        ("Project: {Title: 'Deals__r[0].Title__c'}", "Deals__r of Opportunity: the object of its rows"),
        ("Project: {Title: 'A__c || B__c'}", "Opportunity.B__c: the mapping does not tell its type"),
        ("Project: {Title: 'OpportunityLineItems[0].Description'}", "OpportunityLineItem.Description: grant"),
    ],
    ids=["too long", "underscores", "lookup", "children", "expression", "unknown standard field"],
)
def test_what_the_mapping_cannot_tell_is_left_to_a_person(tree: str, sentence: str) -> None:
    package = small(tree)
    assert any(sentence in told for told in package.left_open), package.left_open
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}__c", field.name) for field in package.fields)
    assert not [field for field in package.fields if "__" in field.name.removesuffix("__c")]


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        ("O[0-9]{1,19}", 20),
        (r"([0-9]{12}|\w{1,12})", 12),
        (r"\+[1-9]\d{1,14}", 16),
        ("(?s).{20,2000}", 2000),
        (r"(?=.{0,256}$)([\p{L}\p{Z}_.:/=+\-@]*)", 256),
        ("eng-[0-9a-z]{14}", 18),
        ("(?:ab|c[x]?d)", 3),
        (r"\p{L}{3}", 3),
        ("arn:.*", None),
        ("a+", None),
        ("", None),
    ],
)
def test_the_longest_text_of_a_pattern(pattern: str, longest: int | None) -> None:
    assert most_characters(pattern) == longest


# Permission sets and list views

# Source: `permissionable` is false in the describes of a Developer Edition org.
NOT_GRANTABLE = {
    "Account": "Id Name OwnerId MasterRecordId RecordTypeId PhotoUrl SystemModstamp CreatedDate",
    "Contact": "Id FirstName LastName Salutation Name OwnerId SystemModstamp CreatedDate",
    "Opportunity": """Id Name StageName CloseDate OwnerId IsClosed IsWon ForecastCategory ForecastCategoryName ContactId
        SystemModstamp CreatedDate""",
}


def grants_of(package: Package, name: str) -> tuple[dict[str, bool], dict[str, str]]:
    """Fields with whether they may be edited, and objects with what may be done, as it stands in the document."""
    path = f"{SOURCE}permissionsets/{name}.permissionset-meta.xml"
    root = ET.fromstring(documents_of(package)[path])
    fields = {text(one, "field"): text(one, "editable") == "true" for one in root.iter(f"{NS}fieldPermissions")}
    letters = {"allowRead": "R", "allowCreate": "C", "allowEdit": "E", "allowDelete": "D", "modifyAllRecords": "M"}
    letters["viewAllRecords"] = "V"
    objects = {
        text(one, "object"): "".join(letter for name, letter in letters.items() if text(one, name) == "true")
        for one in root.iter(f"{NS}objectPermissions")
    }
    assert all(text(one, "readable") == "true" for one in root.iter(f"{NS}fieldPermissions"))
    return fields, objects


def text(element: ET.Element, name: str) -> str:
    found = element.find(f"{NS}{name}")
    assert found is not None, name
    return found.text or ""


def test_the_connectors_user_gets_what_the_mapping_uses_and_no_more() -> None:
    fields, objects = grants_of(INVITING, "AWS_Connector_Integration")
    assert objects == {"Account": "RV", "Campaign": "RV", "Contact": "RV", "Opportunity": "REV", ROW: "RE"}
    own = {f"{field.sobject}.{field.name}": field.is_written for field in INVITING.fields}
    standard = """Account.BillingAddress Account.Industry Account.Website Contact.Email Contact.Phone Contact.Title
        Opportunity.AccountId Opportunity.Amount Opportunity.CampaignId Opportunity.Description Opportunity.NextStep
        Opportunity.Type"""
    assert fields == {**own, **dict.fromkeys(standard.split(), False)}
    barred = {f"{sobject}.{name}" for sobject, names in NOT_GRANTABLE.items() for name in names.split()}
    assert not barred & set(fields)


def test_sellers_edit_what_goes_to_aws_and_see_the_rest() -> None:
    fields, objects = grants_of(INVITING, "AWS_Connector_Seller")
    assert objects == {"Account": "R", "Contact": "R", "Opportunity": "R", ROW: "RCED"}
    assert fields == {f"{field.sobject}.{field.name}": not field.is_written for field in INVITING.fields}
    assert grants_of(DEFAULT, "AWS_Connector_Seller")[1] == {}


def test_only_the_connector_passes_by_the_rules() -> None:
    found = {
        name: "AWS_Connector_Bypass" in content
        for name, content in documents_of(DEFAULT).items()
        if "permissionsets/" in name
    }
    assert sorted(found.values()) == [False, True]
    assert found[f"{SOURCE}permissionsets/AWS_Connector_Integration.permissionset-meta.xml"]


def test_an_inbound_standard_field_may_be_edited_by_the_connector() -> None:
    inbound = "inbound: {NextStep: opportunity.LifeCycle.NextSteps, CloseDate: opportunity.LifeCycle.TargetCloseDate}"
    fields, objects = grants_of(small("Project: {Title: Name}", inbound), "AWS_Connector_Integration")
    assert fields == {"Opportunity.Flag__c": False, "Opportunity.NextStep": True}
    # Contact, because an org with person accounts lets nobody read accounts without; of these no View All is wanted.
    assert objects == {"Account": "RV", "Contact": "R", "Opportunity": "REV"}


def test_only_the_connector_is_given_the_api_and_no_other_power() -> None:
    for name, expected in (("AWS_Connector_Integration", ["ApiEnabled"]), ("AWS_Connector_Seller", [])):
        root = ET.fromstring(documents_of(INVITING)[f"{SOURCE}permissionsets/{name}.permissionset-meta.xml"])
        powers = list(root.iter(f"{NS}userPermissions"))
        assert [text(one, "name") for one in powers] == expected
        assert all(text(one, "enabled") == "true" for one in powers)
        assert not [one for one in root.iter(f"{NS}modifyAllRecords") if one.text == "true"]


ADOPTING = (
    "{object: Opportunity, where: Flag__c = TRUE, adopt: [Old_Id__c, ns__Number__c, Account.Old_Key__c, NextStep]}"
)


def adopting(tree: str, sections: str = "") -> Package:
    return package_of(compiled(f"version: 1\nsalesforce: {ADOPTING}\nopportunity: {tree}\n{sections}"))


def test_what_the_org_has_already_is_granted_and_not_defined() -> None:
    package = adopting("{Project: {Title: ns__Title__c, CompetitorName: Rival__c}}")
    assert package.existing == (
        *("Account.Old_Key__c", "Opportunity.Old_Id__c"),
        *("Opportunity.ns__Number__c", "Opportunity.ns__Title__c"),
    )
    assert {field.name for field in package.fields} == {"Flag__c", "Rival__c"}
    assert not [name for name in documents_of(package) if "Old_" in name or "ns__" in name]
    assert package.left_open == ()
    fields, _ = grants_of(package, "AWS_Connector_Integration")
    assert {*package.existing, "Opportunity.NextStep"} <= set(fields)
    assert not any(fields.values()), "nothing is written back"
    sellers, _ = grants_of(package, "AWS_Connector_Seller")
    assert not set(sellers) & set(package.existing)
    guide = guide_of(package, {"acme": "https://acme.my.salesforce.com"})
    assert all(f"* `{name}`\n" in guide for name in package.existing)


def test_a_field_that_an_earlier_integration_filled_may_be_filled_on() -> None:
    package = adopting("{Project: {Title: Name}}", "write_back: {Old_Id__c: opportunity.Id}")
    assert "Opportunity.Old_Id__c" in package.existing
    fields, objects = grants_of(package, "AWS_Connector_Integration")
    assert (fields["Opportunity.Old_Id__c"], objects["Opportunity"]) == (True, "REV")


def test_a_person_accounts_field_is_its_contacts() -> None:
    package = small("Project: {CompetitorName: Account.Rival__pc}")
    assert types_of(package) == {"Contact.Rival__c": "Picklist", "Opportunity.Flag__c": "Checkbox"}
    fields, objects = grants_of(package, "AWS_Connector_Integration")
    assert {"Contact.Rival__c", "Opportunity.AccountId"} <= set(fields)
    assert objects == {"Account": "RV", "Contact": "RV", "Opportunity": "RV"}
    assert package.left_open == ()


def test_products_have_no_sharing_that_could_be_looked_past() -> None:
    fields, objects = grants_of(
        small("Project: {Title: 'OpportunityLineItems[0].Product2.Family'}"), "AWS_Connector_Integration"
    )
    assert (objects["Product2"], objects["Opportunity"]) == ("R", "RV")
    assert fields == {"Opportunity.Flag__c": False, "Product2.Family": False}


def test_a_name_that_fills_its_room_gets_no_plural() -> None:
    assert (plural_of("Guest"), plural_of("Party"), plural_of("w" * 40)) == ("Guests", "Parties", "w" * 40)


def test_an_org_of_each_connection_is_deployed_to() -> None:
    one, other = "https://acme.my.salesforce.com", "https://acme--test.sandbox.my.salesforce.com"
    guide = guide_of(DEFAULT, {"a": one, "b": one, "c": other})
    assert guide.count(f"--instance-url {one}\n") == 1
    assert f"The same for {other}, each with an alias" in guide
    assert "The same for" not in guide_of(DEFAULT, {"a": one, "b": one})


def test_list_views_are_of_fields_that_this_mapping_fills() -> None:
    assert {view.label for view in DEFAULT.views} == {
        "AWS: action required",
        "AWS: all shared",
        "AWS: held",
        "AWS: in progress",
        "AWS: stopped",
        "AWS: synced",
    }
    made = {field.name for field in DEFAULT.fields}
    assert all({name for name in view.columns if name.endswith("__c")} <= made for view in DEFAULT.views)
    assert small("Project: {Title: Name}", where="Flag__c = TRUE AND Amount > 5").views == ()
    (shared,) = small("Project: {Title: Name}").views
    assert (shared.name, shared.field, shared.value) == ("AWS_All_Shared", "Flag__c", "1")


# The documents

COMMON = {"fullName", "description", "externalId", "inlineHelpText", "label", "trackHistory", "type"}
ELEMENTS = {
    "Checkbox": {"defaultValue"},
    "Currency": {"precision", "scale", "required"},
    "Date": {"required"},
    "DateTime": {"required"},
    "Email": {"required", "unique"},
    "Html": {"length", "visibleLines"},
    "LongTextArea": {"length", "visibleLines"},
    "MultiselectPicklist": {"required", "valueSet", "visibleLines"},
    "Number": {"precision", "scale", "required", "unique"},
    "Picklist": {"required", "valueSet"},
    "Text": {"length", "required", "unique"},
    "Url": {"required"},
}
MASTER = COMMON - {"inlineHelpText"} | {
    *("referenceTo", "relationshipLabel", "relationshipName", "relationshipOrder", "reparentableMasterDetail"),
    "writeRequiresMasterRead",
}
ALL_TYPES = small(TREE, SECTIONS)


def bare_names(root: ET.Element) -> list[str]:
    return [one.tag.removeprefix(NS) for one in root]


@pytest.mark.parametrize(
    "package", [DEFAULT, INVITING, ALL_TYPES], ids=["opportunity", "with invitations", "all types"]
)
def test_every_document_is_written_as_salesforce_writes_it(package: Package) -> None:
    for path, content in documents_of(package).items():
        if not path.endswith(".xml"):
            continue
        assert content.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<')
        assert content.endswith(">\n")
        assert not re.search(r"^(?:    )* {1,3}\S|\t|\r", content, re.MULTILINE), "indented by four"
        root = ET.fromstring(content)
        names = bare_names(root)
        if names[0] == "fullName":
            assert text(root, "fullName") == Path(path).name.split(".")[0]
            names = names[1:]
        assert names == sorted(names), path
        assert all(one.tag.startswith(NS) for one in root.iter())
        assert all(one.text and one.text.strip() for one in root.iter() if len(one) == 0), f"{path}: an empty element"


@pytest.mark.parametrize(
    "package", [DEFAULT, INVITING, ALL_TYPES], ids=["opportunity", "with invitations", "all types"]
)
def test_every_field_has_the_elements_of_its_type(package: Package) -> None:
    seen = set()
    for path, content in documents_of(package).items():
        if "/fields/" not in path:
            continue
        root = ET.fromstring(content)
        kind = text(root, "type")
        seen.add(kind)
        assert root.tag == f"{NS}CustomField"
        assert set(bare_names(root)) == (MASTER if kind == "MasterDetail" else COMMON | ELEMENTS[kind]), path
        assert len(bare_names(root)) == len(set(bare_names(root)))
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}__c", text(root, "fullName"))
        assert 0 < len(text(root, "label")) <= 40
        assert 0 < len(text(root, "description")) <= 1000
        assert text(root, "trackHistory") == "false"
        if kind != "MasterDetail":
            assert 0 < len(text(root, "inlineHelpText")) <= 510
        check_sizes(root, kind)
    assert len(seen) >= 9


def check_sizes(root: ET.Element, kind: str) -> None:
    if kind == "Text":
        assert 1 <= int(text(root, "length")) <= 255
    if kind in {"LongTextArea", "Html"}:
        assert 256 <= int(text(root, "length")) <= 131_072
        assert 2 <= int(text(root, "visibleLines")) <= 50
    if kind in {"Number", "Currency"}:
        assert 0 <= int(text(root, "scale")) < int(text(root, "precision")) <= 18
    if kind == "Checkbox":
        assert text(root, "defaultValue") == "false"
    if kind in {"Picklist", "MultiselectPicklist"}:
        check_values(root, several=kind != "Picklist")


def check_values(root: ET.Element, *, several: bool) -> None:
    (valueset,) = root.iter(f"{NS}valueSet")
    assert bare_names(valueset) == ["restricted", "valueSetDefinition"]
    (definition,) = valueset.iter(f"{NS}valueSetDefinition")
    assert bare_names(definition)[0] == "sorted"
    values = list(definition.iter(f"{NS}value"))
    assert all(bare_names(value) == ["fullName", "default", "label"] for value in values)
    names = [text(value, "fullName") for value in values]
    assert 1 <= len(names) == len({name.casefold() for name in names}) <= 1000
    assert all(len(name) <= 255 and not (several and ";" in name) for name in names)


def test_only_the_o_number_is_an_external_id_and_it_is_not_unique() -> None:
    fields = {path: ET.fromstring(text) for path, text in documents_of(INVITING).items() if "/fields/" in path}
    external = [path for path, root in fields.items() if text(root, "externalId") == "true"]
    assert external == [f"{SOURCE}objects/Opportunity/fields/AWS_Opportunity_Id__c.field-meta.xml"]
    assert all(one.text == "false" for root in fields.values() for one in root.iter(f"{NS}unique"))


def test_the_child_object_hangs_on_the_opportunity() -> None:
    found = documents_of(INVITING)
    root = ET.fromstring(found[f"{SOURCE}objects/{ROW}/{ROW}.object-meta.xml"])
    assert {name: text(root, name) for name in ("label", "pluralLabel", "sharingModel", "deploymentStatus")} == {
        "label": "AWS Partner Invitation",
        "pluralLabel": "AWS Partner Invitations",
        "sharingModel": "ControlledByParent",
        "deploymentStatus": "Deployed",
    }
    (name_field,) = root.iter(f"{NS}nameField")
    assert [(one.tag.removeprefix(NS), one.text) for one in name_field] == [
        ("displayFormat", "PI-{0000}"),
        ("label", "Invitation Number"),
        ("type", "AutoNumber"),
    ]
    lookup = ET.fromstring(found[f"{SOURCE}objects/{ROW}/fields/Opportunity__c.field-meta.xml"])
    assert (text(lookup, "referenceTo"), text(lookup, "relationshipName")) == ("Opportunity", "AWS_Partner_Invitations")
    assert (text(lookup, "relationshipOrder"), text(lookup, "writeRequiresMasterRead")) == ("0", "false")


KINDS = {
    "field": "CustomField",
    "object": "CustomObject",
    "customPermission": "CustomPermission",
    "listView": "ListView",
    "permissionset": "PermissionSet",
}


@BOTH
def test_the_manifest_names_what_is_there(package: Package) -> None:
    found = documents_of(package)
    root = ET.fromstring(found["manifest/package.xml"])
    named: dict[str, list[str]] = {
        text(types, "name"): [one.text or "" for one in types.iter(f"{NS}members")] for types in root.iter(f"{NS}types")
    }
    there: dict[str, list[str]] = {}
    for path in found:
        if path.startswith(SOURCE):
            name, ending, _ = Path(path).name.split(".")
            kind = KINDS[ending.removesuffix("-meta")]
            is_below = kind in {"CustomField", "ListView"}
            there.setdefault(kind, []).append(f"{Path(path).parts[4]}.{name}" if is_below else name)
    assert named == {kind: sorted(names) for kind, names in there.items()}
    assert list(named) == sorted(named)
    assert text(root, "version") == "66.0"
    project: Mapping[str, Any] = json.loads(found["sfdx-project.json"])
    assert project["sourceApiVersion"] == "66.0"
    assert project["packageDirectories"] == [{"path": "force-app", "default": True}]


# The folder


def texts_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    mapping = {"acme": load_mapping((OPPORTUNITY,))}
    _, first = make_project(tmp_path / "new", mapping, ACME)
    before = texts_in(tmp_path / "new")
    assert set(first.changed) == set(before)
    _, second = make_project(tmp_path / "new", mapping, ACME)
    assert (second.changed, second.removed, set(second.unchanged)) == ((), (), set(before))
    assert texts_in(tmp_path / "new") == before


def test_what_is_no_longer_needed_goes_and_what_others_put_there_stays(tmp_path: Path) -> None:
    both, one = load_mapping((OPPORTUNITY, INVITATIONS)), load_mapping((OPPORTUNITY,))
    make_project(tmp_path, {"acme": both}, ACME)
    (tmp_path / "force-app/main/default/layouts").mkdir()
    (tmp_path / "force-app/main/default/layouts/Own.layout-meta.xml").write_text("<mine/>")
    (tmp_path / ".forceignore").write_text("mine\n")
    _, written = make_project(tmp_path, {"acme": one}, ACME)
    assert f"{SOURCE}objects/{ROW}/{ROW}.object-meta.xml" in written.removed
    assert not (tmp_path / SOURCE / "objects" / ROW).exists()
    assert (tmp_path / "force-app/main/default/layouts/Own.layout-meta.xml").exists()
    assert (tmp_path / ".forceignore").read_text() == "mine\n"
    left = {name for name in texts_in(tmp_path) if "layouts" not in name} - {LIST}
    assert left == set((tmp_path / LIST).read_text().splitlines()[1:])


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="did not make"):
        write(tmp_path, {"README.md": "ours"})
    assert texts_in(tmp_path) == {"thesis.txt": b"years of work"}
    with pytest.raises(UserError, match="is a file"):
        write(tmp_path / "thesis.txt", {"README.md": "ours"})


def test_a_fresh_repository_is_empty_enough_and_no_list_leads_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    write(folder, {"a.txt": "a"})
    (tmp_path / "precious.txt").write_text("keep")
    (folder / LIST).write_text(f"../precious.txt\n{tmp_path}/precious.txt\na.txt\n")
    assert write(folder, {"b.txt": "b"}).removed == ("a.txt",)
    assert (tmp_path / "precious.txt").exists()


# The command

CONFIG = """
    database: sqlite:///ledger.db
    connections:
      acme:
        salesforce:
          login_url: https://acme.my.salesforce.com
          api_version: "65.0"
          auth: {method: access_token, instance_url: https://acme.my.salesforce.com, token: secret-token}
        partner_central: {catalog: Sandbox, region: us-east-1}
        mapping: MAPPING
    """


def test_the_command_says_what_it_wrote_and_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping = "version: 1\nsalesforce: {object: Opportunity, where: Flag__c = TRUE}\nopportunity:\n"
    (tmp_path / "own.yaml").write_text(
        f"{mapping}  PartnerOpportunityIdentifier: Id\n  Project: {{Title: Customer__r.Name}}\n"
    )
    (tmp_path / "config.yaml").write_text(dedent(CONFIG).replace("MAPPING", "own.yaml"))
    app = App(configuration.load(tmp_path / "config.yaml", {}))
    assert salesforce_package(app, tmp_path / "sfdx") == 0
    out = capsys.readouterr().out
    assert "1 custom field, 1 custom permission, 1 list view, 2 permission sets." in out
    assert "Left to you: Customer__r.Name of Opportunity: where Customer__r leads cannot be told" in out
    assert json.loads((tmp_path / "sfdx/sfdx-project.json").read_text())["sourceApiVersion"] == "65.0"
    guide = (tmp_path / "sfdx/README.md").read_text()
    assert "sf project deploy start --source-dir force-app" in guide
    assert "--instance-url https://acme.my.salesforce.com" in guide
    assert "where Customer__r leads cannot be told" in guide
    assert not (tmp_path / "ledger.db").exists(), "asks no service and opens no ledger"
    assert "secret-token" not in "".join(content.decode() for content in texts_in(tmp_path / "sfdx").values())
