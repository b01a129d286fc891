"""What AWS wants and a mapping can never give: told once, at its section, and only where no record could mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from small_mapping import FILE, compiled, small

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.findings import Finding, Severity
from connector.core.mapping import Reading, map_record, read_as_far_as_possible
from connector.core.mapping.compiler import without_members
from connector.core.mapping.complaints import Document
from connector.core.mapping.damage import Damage
from connector.core.mapping.domains import domain_of, example_of
from connector.core.mapping.nodes import leaves_of
from connector.core.mapping.requirements import keys_of, lacking_paths, look_for_requirements
from connector.core.mapping.tree import SENT_BY_CONNECTOR
from connector.core.schema import Shape
from connector.mapping_files import transforms

DOCUMENT = yamlfile.read(Path(__file__).parents[2] / "mappings" / "opportunity.yaml")
INDUSTRY = """
Customer:
  Account:
    CompanyName: Account.Name
    Industry: {{from: I__c, values: {{{0}}}}}
    OtherIndustry: {{from: O__c, when: {{path: Customer.Account.Industry, is: Mining}}}}
"""
SPEND_IN_POUNDS = """
Project:
  AwsPartition: P__c
  ExpectedCustomerSpend:
    - {Amount: A__c, CurrencyCode: {value: GBP}, Frequency: {value: Monthly}, TargetCompany: {value: AWS}}
"""
SPEND = """
Project:
  ExpectedCustomerSpend:
    - EstimationUrl: E__c
      CurrencyCode: {value: USD}
      Frequency: {value: Monthly}
      TargetCompany: {value: AWS}
"""
CO_SELL = "submission: {InvolvementType: {value: Co-Sell}, Visibility: {value: Full}}\n"


def read(document: Document) -> Reading:
    return read_as_far_as_possible(document, mapping_shapes(), transforms())


def findings_of(document: Document, damage: Damage | None = None) -> list[Finding]:
    return look_at(document, read(document), damage)


def look_at(document: Document, reading: Reading, damage: Damage | None = None) -> list[Finding]:
    assert reading.mapping is not None
    known = reading.damage if damage is None else damage
    return look_for_requirements(reading.mapping, known, lambda path: document.problem(keys_of(path), ""))


def about(tree: str, path: str, sections: str = CO_SELL) -> list[tuple[str, str]]:
    """What is told at one AWS path, as (severity, words)."""
    found = findings_of(yamlfile.parse(small(tree, sections), FILE))
    return [(str(one.severity), f"{one.message} {one.cure}") for one in found if one.aws_path == path]


@pytest.mark.parametrize(
    ("tree", "path", "sections", "severity", "words"),
    [
        ("Project: {Title: Name}", "Project.SalesActivities", CO_SELL, "error",
         "No opportunity can ever be submitted: AWS needs Project.SalesActivities, and no line of the mapping fills"),
        ("Project: {Title: Name}", "Customer.Account.WebsiteUrl", CO_SELL, "error", "can ever be sent"),
        ("Project: {Title: Name}", "RelatedEntityIdentifiers.Solutions", CO_SELL, "error", "can ever be submitted"),
        ("Project: {Title: Name}", "PrimaryNeedsFromAws", CO_SELL, "error", "AWS needs PrimaryNeedsFromAws"),
        ("Project: {Title: Name}", "PrimaryNeedsFromAws", "submission: {InvolvementType: I__c}", "warning",
         "With AwsSubmission.InvolvementType Co-Sell no opportunity can be submitted"),
        ("LifeCycle: {Stage: {value: Closed Lost}}", "LifeCycle.Stage", "", "error", "that is already lost"),
        ("LifeCycle: {Stage: {from: S__c, values: {a: Closed Lost}, default: Closed Lost}}", "LifeCycle.Stage", "",
         "error", "that is already lost"),
        ("LifeCycle: {Stage: {from: S__c}, ClosedLostReason: {value: Price}}", "LifeCycle.ClosedLostReason", "",
         "error", "a reason for losing is given, but the stage is not Closed Lost"),
        ("NationalSecurity: {value: Yes}\nCustomer: {Account: {CompanyName: N, Industry: {value: Healthcare}}}",
         "NationalSecurity", "", "error", "only possible for customers of the industry Government"),
        ("OpportunityType: {from: T__c}", "Project.RelatedOpportunityIdentifier", "", "warning",
         "With OpportunityType Flat Renewal no opportunity can be sent"),
        ("Marketing: {Source: S__c}", "Marketing.AwsFundingUsed", "", "warning", "Marketing.Source Marketing Activity"),
        ("Customer: {Account: {CompanyName: N, Industry: {from: I__c, values: {x: Other, y: Mining}}}}",
         "Customer.Account.OtherIndustry", "", "warning", "With Customer.Account.Industry Other no opportunity"),
        (INDUSTRY.format("x: Other, y: Mining"), "Customer.Account.OtherIndustry", "", "warning",
         "Let its line fill it then"),
        (INDUSTRY.format("x: Other"), "Customer.Account.OtherIndustry", "", "error", "is Other, and not described"),
        ("NationalSecurity: {from: N__c}\nCustomer: {Account: {CompanyName: Account.Name, Industry: I__c}}",
         "Customer.Account.WebsiteUrl", "", "warning",
         "With NationalSecurity No or nothing no opportunity can be sent"),
        ("Customer: {Account: {CompanyName: N, Address: {CountryCode: C__c}}}",
         "Customer.Account.Address.PostalCode", CO_SELL, "warning", "CountryCode US, AF, AX or"),
        ("OpportunityTeam: [{LastName: Owner.LastName}]", "OpportunityTeam[0].BusinessTitle", "", "warning",
         "With a value in OpportunityTeam[0].LastName no opportunity can be sent"),
        ("Marketing: {Source: {value: None}, CampaignName: C__c}", "Marketing.CampaignName", "", "warning",
         "Whatever fills Marketing.CampaignName, no opportunity can be sent with it"),
        (SPEND_IN_POUNDS, "Project.ExpectedCustomerSpend[0].CurrencyCode", "", "error",
         "can ever be sent: AWS takes the spend in US dollars or euros only"),
        ("Project: {ExpectedContractDuration: {Term: {value: Months}, Value: {value: 145}}}",
         "Project.ExpectedContractDuration.Value", CO_SELL, "error", "must be 1 to 144 months"),
    ],
)  # fmt: skip
def test_what_no_line_can_give(tree: str, path: str, sections: str, severity: str, words: str) -> None:
    ((found, message),) = about(tree, path, sections)
    assert found == severity
    assert words in message


@pytest.mark.parametrize(
    ("tree", "path", "sections"),
    [
        ("Project: {Title: Name}", "Project.Title", CO_SELL),
        ("Project: {Title: Name}", "Project.SalesActivities", ""),
        ("NationalSecurity: {value: Yes}", "Customer.Account.WebsiteUrl", CO_SELL),
        ("Project: {OtherSolutionDescription: O__c}", "RelatedEntityIdentifiers.Solutions", CO_SELL),
        ("Project: {Title: Name}", "RelatedEntityIdentifiers.Solutions", CO_SELL + "associate: {Solutions: S__c}\n"),
        ("Project: {Title: Name}", "PrimaryNeedsFromAws",
         "submission: {InvolvementType: {value: For Visibility Only}}"),
        ("LifeCycle: {Stage: {from: S__c, values: {a: Qualified}}}", "LifeCycle.ClosedLostReason", ""),
        ("LifeCycle: {Stage: {from: S__c, values: {a: Closed Lost}}, ClosedLostReason: R__c}",
         "LifeCycle.ClosedLostReason", ""),
        ("Project: {CustomerBusinessProblem: {from: P__c, transform: {truncate: 10}}}",
         "Project.CustomerBusinessProblem", ""),
        ("Customer: {Contacts: {each: R__r, item: {Email: Email}}}", "Customer.Contacts[0].Email", ""),
        (SPEND, "Project.ExpectedCustomerSpend[0].Amount", ""),
    ],
)  # fmt: skip
def test_what_a_record_can_mend_is_not_told(tree: str, path: str, sections: str) -> None:
    assert about(tree, path, sections) == []


def test_constants_of_an_invitation_are_held_against_its_rules() -> None:
    invitations = """
        invitations:
          - Message: M__c
            Receiver: {Account: {AwsAccountId: {value: "12345"}}}
            Payload:
              OpportunityInvitation:
                ReceiverResponsibilities: {value: [Reseller]}
                Customer: {CompanyName: C__c, CountryCode: {value: US}, Industry: {value: Mining}, WebsiteUrl: W__c}
                Project: {BusinessProblem: P__c, ExpectedCustomerSpend: [{CurrencyCode: {value: USD},
                  Frequency: {value: Monthly}, TargetCompany: T__c}], TargetCompletionDate: D__c, Title: Name}
        """
    found = findings_of(yamlfile.parse(small("Project: {Title: Name}", invitations), FILE))
    (told,) = [one for one in found if one.message.startswith("No invitation can ever be sent: ")]
    assert (told.severity, told.line, told.column) == (Severity.ERROR, 8, 26)


def test_nothing_is_said_of_what_a_mistake_has_damaged() -> None:
    document = yamlfile.parse(small("Project: {Title: Name}", CO_SELL), FILE)
    whole = {one.aws_path for one in findings_of(document, Damage())}
    assert {"Project.SalesActivities", "LifeCycle.Stage", "PrimaryNeedsFromAws"} <= whole
    left = {one.aws_path for one in findings_of(document, Damage(frozenset({"Project", "LifeCycle.Stage"})))}
    assert left == {path for path in whole if not path.startswith(("Project", "LifeCycle.Stage"))} - {
        "RelatedEntityIdentifiers.Solutions"  # another solution may be described below Project
    }
    assert findings_of(document, Damage(is_total=True)) == []


def test_what_is_required_comes_from_the_rules() -> None:
    lacking = lacking_paths(compiled("PartnerOpportunityIdentifier: Id\nProject: {Title: Name}"))
    assert {"Project.ExpectedCustomerSpend.Amount", "Marketing.Source"} <= set(lacking)
    assert "Project.Title" not in lacking


def test_every_kind_of_value_has_an_example() -> None:
    members = without_members(mapping_shapes().create, SENT_BY_CONNECTOR)
    shapes = [*members.leaves(), *mapping_shapes().submission.leaves()]
    lacking = [path for path, shape in shapes if (shape.item or shape).kind == "string" and not _example(shape)]
    assert lacking == []


def _example(shape: Shape) -> str | None:
    return example_of(shape.item if shape.item is not None else shape)


def test_domains_hold_what_the_shipped_cases_send() -> None:
    """A leaf that is closed sends nothing but its values; one that is never empty is never empty."""
    mapping, cases = shipped()
    domains = {leaf.path: domain_of(leaf, "Opportunity") for leaf in leaves_of(mapping.tree)}
    for case in cases:
        sent = dict(_flat(map_record(mapping, case.given, case.today).opportunity))
        for path, value in sent.items():
            domain = domains.get(path)
            if domain is not None and domain.is_closed and not isinstance(value, list):
                assert value in domain.values, path


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{index}]")
    else:
        yield path, value


@cache
def shipped() -> tuple[Any, Any]:
    mapping = read(DOCUMENT).mapping
    assert mapping is not None
    return mapping, [case for case in mapping.cases if case.expect_problems == ()]


@pytest.mark.parametrize(
    "gone",
    [
        *("OpportunityType", "PrimaryNeedsFromAws", "NationalSecurity", "OpportunityTeam", "Project.Title"),
        *("Customer.Account.WebsiteUrl", "Customer.Account.Address.StateOrRegion", "Customer.Account.Address.City"),
        *("Customer.Account.Address.PostalCode", "Project.SalesActivities", "Project.ExpectedCustomerSpend"),
        *("Project.AwsPartition", "Project.OtherSolutionDescription", "LifeCycle.NextSteps", "Marketing.UseCases"),
        *("LifeCycle.TargetCloseDate", "Project.RelatedOpportunityIdentifier", "Project.CompetitorName"),
    ],
)
def test_what_is_told_to_be_impossible_is_impossible(gone: str) -> None:
    """Without one line of the shipped mapping: no record goes through where an error says that none can."""
    steps = gone.split(".")
    value = {**DOCUMENT.value, "cases": [], "opportunity": _without(DOCUMENT.value["opportunity"], steps)}
    reading = read(replace(DOCUMENT, value=value))
    assert reading.mapping is not None
    found = look_at(DOCUMENT, reading)
    passing = [c for c in shipped()[1] if not map_record(reading.mapping, c.given, c.today).problems]
    is_impossible = any(one.severity is Severity.ERROR for one in found)
    assert not (passing and is_impossible)
    if not passing:
        assert [one.aws_path.partition("[")[0] for one in found] == [gone]


def _without(tree: dict[str, Any], steps: list[str]) -> dict[str, Any]:
    kept = {name: inner for name, inner in tree.items() if name != steps[0]}
    return {**tree, steps[0]: _without(tree[steps[0]], steps[1:])} if len(steps) > 1 else kept
