"""A right mapping, and what a person can do wrong in it: each mistake is told in its place, alone and among others."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector.checks.mapping import check_mapping
from connector.core.findings import Finding, Severity

RIGHT = """\
version: 1
salesforce:
  object: Opportunity
  where: Share_With_AWS__c = TRUE
opportunity:
  Origin: {value: Partner Referral}
  PartnerOpportunityIdentifier: Id
  OpportunityType:
    from: Type
    values: {New: Net New Business, Upsell: Expansion}
    default: Net New Business
  PrimaryNeedsFromAws: {from: Needs__c, transform: split}
  NationalSecurity: {from: Secret__c, transform: yes_no, default: No}
  OpportunityTeam:
    - {LastName: Owner.LastName, Email: Owner.Email, BusinessTitle: {value: OpportunityOwner}}
  Customer:
    Account:
      CompanyName: {from: Account.Name, transform: [trim, {truncate: 120}]}
      WebsiteUrl: {from: Account.Website, transform: website}
      AwsAccountId: Account.AWS_Account__c
      Duns: {from: Account.Duns__c, transform: duns}
      Industry:
        from: Account.Industry
        values: {Energy: Energy - Oil and Gas, Government: Government, Agency: Government}
      Address:
        CountryCode: {from: Account.BillingCountry, values: {USA: US, Germany: DE, Austria: AT}}
        StateOrRegion:
          from: Account.BillingState
          transform: us_state
          when: {path: Customer.Account.Address.CountryCode, is: US}
        City: Account.BillingCity
        StreetAddress: {from: Account.BillingStreet, transform: one_line}
        PostalCode: {from: Account.BillingPostalCode, transform: upper}
    Contacts:
      each: OpportunityContactRoles
      where: IsPrimary = TRUE
      order_by: CreatedDate DESC
      limit: 5
      item: {LastName: Contact.LastName, Email: Contact.Email}
  Project:
    Title: Name
    CustomerBusinessProblem: {template: "{Description}"}
    CustomerUseCase: {from: Use_Case__c, transform: trim}
    DeliveryModels: {from: Delivery__c, transform: split}
    SalesActivities: {from: Activities__c, transform: split}
    ExpectedCustomerSpend:
      - Amount: {from: Amount, transform: [{divide: 12}, money]}
        CurrencyCode: {value: USD}
        Frequency: {value: Monthly}
        TargetCompany: {value: AWS}
    ExpectedContractDuration:
      Term: {value: Months}
      Value: {from: Months__c, transform: integer}
    ApnPrograms: {from: Programs__c, transform: split}
    CompetitorName: {from: Competitor__c, values: {Nobody: No Competition, Azure: Microsoft Azure}}
    OtherSolutionDescription: {from: Solution__c, transform: trim}
    AdditionalComments: {from: Comments__c, transform: trim}
  LifeCycle:
    ReviewStatus: {value: Pending Submission}
    Stage:
      from: StageName
      values: {Open: Qualified, Talks: Business Validation}
    TargetCloseDate: {from: CloseDate, transform: date}
    NextSteps: {from: NextStep, transform: trim}
  Marketing:
    Source: {value: None}
  SoftwareRevenue:
    DeliveryModel: Model__c
    Value: {Amount: {from: Value__c, transform: money}, CurrencyCode: {value: USD}}
  Tags:
    - {Key: {value: CostCenter}, Value: Cost_Center__c}
associate:
  Solutions: {from: Solutions__c, transform: split}
  AwsProducts: {from: Products__c, transform: split}
submission:
  InvolvementType: {value: Co-Sell}
  Visibility: {value: Full}
assign:
  FirstName: Owner.FirstName
  LastName: Owner.LastName
  Email: Owner.Email
  BusinessTitle: {value: OpportunityOwner}
inbound:
  Stage_At_AWS__c: opportunity.LifeCycle.Stage
write_back:
  AWS_Id__c: opportunity.Id
  AWS_Task__c: task.TaskId
  AWS_Status__c: sync.status
cases:
  - name: a deal
    today: 2026-11-21
    given: &deal {Name: Deal, NextStep: Call}
    expect: {opportunity: {LifeCycle: {NextSteps: Call}}}
  - name: another deal
    today: 2026-11-21
    given: *deal
    expect_problems: [LifeCycle.TargetCloseDate]
"""


@dataclass(frozen=True)
class Mistake:
    """One edit of the right mapping, and what must be told: ``§`` in ``new`` is where; else ``at`` tells the place.

    ``is_loner``: it stands where another mistake does, so it is not among those that are made together.
    """

    name: str
    old: str
    new: str
    words: str
    kind: str = "mapping"
    severity: str = "error"
    at: str = ""
    is_loner: bool = False


def m(name: str, old: str, new: str, words: str, **others: object) -> Mistake:
    return Mistake(name, old, new, words, **others)  # type: ignore[arg-type]


MISTAKES = [
    m("unknown section", "associate:\n", "§owners: {}\nassociate:\n", "'owners' is not known here"),
    m("wrong version", "version: 1", "§version: 2", "The version must be 1"),
    m("no condition", "where: Share", "§wher: Share", "Did you mean 'where'?"),
    m("condition", "= TRUE\nopp", "= 'TRUE\nopp", "the quotes are not closed", at="where: Share", is_loner=True),
    m("key given twice", "    Title: Name\n", "    Title: Name\n    §Title: Label__c\n", "already set in line"),
    m("tab", "        City: ", "\t\t\t\t§City: ", "indented with tabs", at="\t\t\t\tCity", is_loner=True),
    m("tab before a fact", "  AWS_Task__c:", "\tAWS_Task__c:", "indented with tabs", at="\tAWS_Task__c"),
    m("unclosed bracket", "Duns: {from: Account.Duns__c, transform: duns}", "Duns: §{from: Account.Duns__c",
      "The { opened here is not closed"),
    m("no colon", "    CustomerUseCase: {", "    §CustomerUseCase {", "CustomerUseCase has no colon after it"),
    m("wrong indentation", "    TargetCloseDate:", "     §TargetCloseDate:", "fits no line above it"),
    m("unknown member", "      Industry:\n", "      §Industri:\n", "Did you mean 'Industry'?"),
    m("leaf for a structure", "  SoftwareRevenue:\n    DeliveryModel: Model__c\n    Value: {Amount: {from: Value__c, "
      "transform: money}, CurrencyCode: {value: USD}}\n", "  §SoftwareRevenue: Value__c\n", "is a structure at AWS"),
    m("structure for a leaf", "City: Account.BillingCity", "City: {§Name: Account.BillingCity}", "'Name' is not known"),
    m("constant for a list", "SalesActivities: {from: Activities__c, transform: split}",
      "SalesActivities: {§value: Shared completed pursuit with AWS}", "is a list at AWS"),
    m("text for a list", "PrimaryNeedsFromAws: {from: Needs__c, transform: split}", "§PrimaryNeedsFromAws: Needs__c",
      "is a list at AWS, and this gives one text. Add `transform: split`", kind="unreachable"),
    m("list for a text", "NextSteps: {from: NextStep, transform: trim}",
      "NextSteps: {from: NextStep, §transform: split}", "the transforms give a list", kind="unreachable",
      is_loner=True),
    m("unknown transform", "transform: website", "§transform: web_site", "Did you mean 'website'?"),
    m("wrong argument", "[trim, {truncate: 120}]", "[trim, §{truncate: many}]", "must be a whole number"),
    m("argument that does not exist", "{divide: 12}", "§{divide: {bi: 12}}", "divide has no argument 'bi'"),
    m("constant AWS does not know", "Origin: {value: Partner", "Origin: {§value: Parter", "Did you mean 'Partner"),
    m("value AWS does not know", "Upsell: Expansion", "§Upsell: Expension", "Did you mean 'Expansion'?"),
    m("two origins", "ReviewStatus: {value:", "§ReviewStatus: {from: A__c, value:", "has from and value"),
    m("no origin", "Key: {value: CostCenter}", "§Key: {transform: trim}", "has none of from, value and template"),
    m("misspelt origin", "CurrencyCode: {value: USD}\n", "CurrencyCode: {§valeu: USD}\n", "Did you mean 'value'?"),
    m("no path", "AwsAccountId: Account.AWS_Account__c", "§AwsAccountId: AWS Account",
      "neither a field path nor a JMESPath"),
    m("unknown function", "CompetitorName: {from: Competitor__c", "CompetitorName: {§from: upper(Competitor__c)",
      "JMESPath has no function 'upper'"),
    m("template", '"{Description}"', '"{Description"', "A brace is not closed", at="template: "),
    m("when on what is not mapped", "when: {path: Customer.Account.Address.CountryCode",
      "when: {§path: Customer.Account.Address.Country", "No leaf of this mapping has the AWS path"),
    m("circle", "StreetAddress: {from: Account.BillingStreet, transform: one_line}\n        PostalCode: {",
      "§StreetAddress: {from: S__c, when: {path: Customer.Account.Address.PostalCode, present: true}}\n        "
      "PostalCode: {when: {path: Customer.Account.Address.StreetAddress, present: true}, ", "wait for each other"),
    m("each without item", "      item: {Last", "      items: {Last", "Did you mean 'item'?", at="items:"),
    m("wrong order", "order_by: CreatedDate DESC", "§order_by: CreatedDate DOWN", "is not an order"),
    m("condition of rows", "where: IsPrimary = TRUE", "§where: IsPrimary = yes", "text needs single quotes"),
    m("out of bounds", "limit: 5", "§limit: 0", "limit must be a whole number from 1"),
    m("too many items",
      "    - {LastName: Owner.LastName, Email: Owner.Email, BusinessTitle: {value: OpportunityOwner}}",
      "    - {LastName: Owner.LastName, BusinessTitle: {value: OpportunityOwner}}\n" * 10
      + "    - {LastName: Owner.LastName, BusinessTitle: {value: OpportunityOwner}}",
      "at most 10 items", at="OpportunityTeam:"),
    m("unknown entity type", "AwsProducts: {", "§AwsProduct: {", "Did you mean 'AwsProducts'?"),
    m("submission without its member", "  InvolvementType: {value: Co-Sell}\n", "",
      "AWS requires AwsSubmission.InvolvementType", at="submission:"),
    m("like outside of invitations", "  FirstName: Owner.FirstName", "  FirstName: {§like: Project.Title}",
      "like is for invitations"),
    m("unknown owner", "AdditionalComments: {from: Comments__c",
      "AdditionalComments: {§owner: amazon, from: Comments__c",
      "The owner 'amazon' is not known"),
    m("otherwise alone", "ApnPrograms: {from", "ApnPrograms: {§otherwise: x, from", "otherwise needs values beside it"),
    m("unknown fact", "AWS_Id__c: opportunity.Id", "§AWS_Id__c: opportunity.Idd", "Did you mean 'opportunity.Id'?"),
    m("field written twice", "  AWS_Status__c: ", "  Stage_At_AWS__c: ", "filled by a line of write_back already",
      at="Stage_At_AWS__c: "),
    m("unknown inbound fact", "__c: opportunity.LifeCycle.Stage", "__c: {§from: opportunity.LifeCycle.Stag}",
      "Did you mean 'opportunity.LifeCycle.Stage'?"),
    m("failing case", "{NextSteps: Call}", "{NextSteps: Email}", "NextSteps is 'Call', expected 'Email'",
      kind="case", at="- name: a deal"),
    m("case that expects nothing", "    given: *deal\n    expect_problems: [LifeCycle.TargetCloseDate]\n",
      "    given: *deal\n", "This case expects nothing", at="name: another deal"),
    m("case with a misspelt result", "expect: {opportunity: {Life", "expect: {§oportunity: {Life",
      "Did you mean 'opportunity'?", is_loner=True),
    m("missing expectation", "[LifeCycle.TargetCloseDate]", "[Project.Title]", "no problem is told at Project.Title",
      kind="case", at="- name: another deal", is_loner=True),
    m("unfilled requirement", "    DeliveryModels: {from: Delivery__c, transform: split}\n", "",
      "AWS needs Project.DeliveryModels, and no line of the mapping fills it. Add `DeliveryModels:` below `Project:`",
      kind="unfillable", at="Project:\n"),
    m("unfilled section", "  Marketing:\n    Source: {value: None}\n", "", "AWS needs Marketing.Source",
      kind="unfillable", at="opportunity:\n", is_loner=True),
    m("unfilled with a value", "Talks: Business Validation}", "Talks: Business Validation, Lost: Closed Lost}",
      "With LifeCycle.Stage Closed Lost no opportunity can be sent: AWS then needs LifeCycle.ClosedLostReason",
      kind="unfillable", severity="warning", at="LifeCycle:\n"),
    m("unfilled in a country", "        StateOrRegion:\n          from: Account.BillingState\n          "
      "transform: us_state\n          when: {path: Customer.Account.Address.CountryCode, is: US}\n", "",
      "With Customer.Account.Address.CountryCode US and NationalSecurity No no opportunity can be submitted",
      kind="unfillable", severity="warning", at="Address:", is_loner=True),
    m("constants against each other", "Visibility: {value: Full}", "§Visibility: {value: Limited}",
      "limited visibility is only possible with For Visibility Only", kind="unfillable", is_loner=True),
    m("currency of a partition", "    ApnPrograms: {from",
      "    AwsPartition: {value: aws-eusc}\n    ApnPrograms: {from",
      "takes the spend in euros only", kind="unfillable", at="CurrencyCode: {value: USD}\n", is_loner=True),
    m("never open",
      "    Stage:\n      from: StageName\n      values: {Open: Qualified, Talks: Business Validation}\n",
      "    §Stage: {value: Launched}\n", "AWS reviews an opportunity before it is launched",
      kind="unfillable", is_loner=True),
    m("number out of AWS's bounds", "Value: {from: Months__c, transform: integer}", "§Value: {value: 200}",
      "must be 1 to 144 months", kind="unfillable", is_loner=True),
    m("never so", "TargetCloseDate: {from: CloseDate,", "TargetCloseDate: {from: CloseDate, "
      "when: {path: LifeCycle.Stage, §is: Committed},", "is never sent: LifeCycle.Stage is never Committed",
      kind="unreachable", is_loner=True),
    m("when that never holds", "OtherSolutionDescription: {from: Solution__c,", "OtherSolutionDescription: {from: "
      "Solution__c, when: {path: Project.ExpectedContractDuration.Term, §is_not: Months},",
      "is never sent: Project.ExpectedContractDuration.Term is always Months", kind="unreachable"),
    m("source after a full one", "PartnerOpportunityIdentifier: Id",
      "PartnerOpportunityIdentifier: {from: [Id, §A__c]}",
      "A__c is never read: Id before it is never empty", kind="unreachable", severity="warning"),
    m("default of a full one", "Title: Name\n", "Title: {from: Name, §default: Deal}\n", "The default is never used",
      kind="unreachable", severity="warning", is_loner=True),
    m("value that a transform changes", "NationalSecurity: {from: Secret__c, transform: yes_no,",
      "NationalSecurity: {from: Secret__c, transform: yes_no, values: {Yes: Yes, No: No, §Y: Yes},",
      "The value 'Y' never comes up: yes_no before it gives no such text", kind="unreachable", severity="warning"),
    m("value that differs by case", "values: {Nobody: No", "values: {nobody: No Competition, §Nobody: No",
      "differs from 'nobody' only by case", kind="unreachable", severity="warning", is_loner=True),
    m("own id not sent", "PartnerOpportunityIdentifier: Id\n", "§PartnerOpportunityIdentifier: Number__c\n",
      "The record's Id must be sent as PartnerOpportunityIdentifier", is_loner=True),
    m("own id not mapped", "  PartnerOpportunityIdentifier: Id\n", "", "The record's Id must be sent",
      at="opportunity:\n", is_loner=True),
    m("adopt that names nothing", "  object: Opportunity\n", "  object: Opportunity\n  §adopt: {from: Old__c}\n",
      "adopt names fields", is_loner=True),
    m("adopt that is no path", "  object: Opportunity\n", "  object: Opportunity\n  adopt: [Old__c, §Old Id__c]\n",
      "neither a field path", is_loner=True),
    m("task without submission", "submission:\n  InvolvementType: {value: Co-Sell}\n  Visibility: {value: Full}\n", "",
      "there is no task to tell of", kind="unreachable", severity="warning", at="AWS_Task__c", is_loner=True),
]  # fmt: skip
TOGETHER = [mistake for mistake in MISTAKES if not mistake.is_loner]


def make(mistakes: list[Mistake]) -> tuple[str, dict[str, tuple[int, int]]]:
    """The mapping with these mistakes, and the line and column of each by name."""
    text = RIGHT
    for index, mistake in enumerate(mistakes):
        assert text.count(mistake.old) == 1, f"{mistake.name}: {mistake.old!r} stands {text.count(mistake.old)} times"
        text = text.replace(mistake.old, mistake.new.replace("§", chr(0xE000 + index)))
    found: dict[str, tuple[int, int]] = {}
    plain = "".join(character for character in text if not "\ue000" <= character < "\ue100")
    for index, mistake in enumerate(mistakes):
        own = "".join(c for c in text if not "\ue000" <= c < "\ue100" or c == chr(0xE000 + index))
        offset = plain.index(mistake.at) if mistake.at else own.index(chr(0xE000 + index))
        line = plain.count("\n", 0, offset) + 1
        found[mistake.name] = (line, offset - plain.rfind("\n", 0, offset))
    return plain, found


def told(path: Path, text: str) -> list[Finding]:
    path.write_text(text, encoding="utf-8")
    report = check_mapping(path)
    assert (report.mapping is None) == any(finding.kind == "mapping" for finding in report.findings)
    return [finding for finding in report.findings if finding.severity is not Severity.NOTE]


def is_about(finding: Finding, mistake: Mistake, place: tuple[int, int]) -> bool:
    if mistake.kind == "case":
        place = (place[0], 1)
    where = (finding.line, finding.column, finding.kind, str(finding.severity))
    return where == (*place, mistake.kind, mistake.severity) and mistake.words in f"{finding.message} {finding.cure}"


def test_the_right_mapping_has_no_mistake(tmp_path: Path) -> None:
    assert told(tmp_path / "right.yaml", RIGHT) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_alone_is_all_that_is_told(mistake: Mistake, tmp_path: Path) -> None:
    text, places = make([mistake])
    found = told(tmp_path / "wrong.yaml", text)
    assert [str(one) for one in found if not is_about(one, mistake, places[mistake.name])] == []
    assert len(found) == 1
    assert found[0].cure


def check_together(mistakes: list[Mistake], path: Path) -> list[Finding]:
    text, places = make(mistakes)
    found = told(path, text)
    pairs = [(one, other.name) for one in found for other in mistakes if is_about(one, other, places[other.name])]
    assert {mistake.name for mistake in mistakes} - {name for _, name in pairs} == set()
    assert [str(one) for one in found if one not in [known for known, _ in pairs]] == []
    return found


def test_all_mistakes_are_told_in_one_run_and_nothing_else(tmp_path: Path) -> None:
    assert len(TOGETHER) >= 40
    assert {mistake.kind for mistake in TOGETHER} == {"mapping", "case", "unfillable", "unreachable"}
    found = check_together(TOGETHER, tmp_path / "wrong.yaml")
    assert [str(one) for one in found if not one.cure] == []
    assert found == sorted(found, key=lambda one: list(Severity).index(one.severity)), "the worst first"


@pytest.mark.parametrize("start", range(4))
def test_any_few_of_them_are_told_and_nothing_else(start: int, tmp_path: Path) -> None:
    few = random.Random(start).sample(TOGETHER, 8)
    check_together(few, tmp_path / "wrong.yaml")
