"""The check of a mapping as a whole: what is shipped is right, several files are told by name, coverage is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector.checks.mapping import MappingReport, check_mapping
from connector.core.findings import Severity
from connector.errors import UserError

ROOT = Path(__file__).parents[1]
OPPORTUNITY, INVITATIONS = ROOT / "mappings" / "opportunity.yaml", ROOT / "mappings" / "invitations.yaml"
FIRST = """version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity:
  PartnerOpportunityIdentifier: Id
  Project: {Title: Name}
  LifeCycle: {Stage: {from: StageName, values: {Open: Qualified, Won: Launched}}}
"""
SECOND = """version: 1
write_back: {A__c: opportunity.Idd}
cases:
  - name: one
    given: {Name: Deal}
    expect: {opportunity: {Project: {Title: Another}}}
"""


def lines_of(report: MappingReport, kind: str) -> list[tuple[str, int]]:
    return [(Path(one.file).name, one.line) for one in report.findings if one.kind == kind]


@pytest.mark.parametrize(
    "files", [OPPORTUNITY, (OPPORTUNITY,), (OPPORTUNITY, INVITATIONS)], ids=["one", "alone", "both"]
)
def test_what_is_shipped_has_nothing_but_notes(files: Path | tuple[Path, ...]) -> None:
    report = check_mapping(files)
    assert [str(one) for one in report.findings if one.severity is not Severity.NOTE] == []
    assert report.mapping is not None
    assert report.coverage.required_unmapped == {}
    assert [one.kind for one in report.findings] == ["coverage"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.yaml").write_text(FIRST, encoding="utf-8")
    (tmp_path / "second.yaml").write_text(SECOND, encoding="utf-8")
    return tmp_path / "first.yaml", tmp_path / "second.yaml"


def test_several_files_are_one_mapping_and_each_thing_is_told_in_its_own(files: tuple[Path, Path]) -> None:
    report = check_mapping(files)
    assert report.mapping is None
    assert lines_of(report, "mapping") == [("second.yaml", 2)]
    assert lines_of(report, "case") == [("second.yaml", 4)]
    assert ("first.yaml", 5) in lines_of(report, "unfillable")
    assert {name for name, _ in lines_of(report, "unfillable")} == {"first.yaml"}


def test_a_failing_case_alone_does_not_forbid_to_use_the_mapping(files: tuple[Path, Path]) -> None:
    files[1].write_text(SECOND.replace("Idd", "Id"), encoding="utf-8")
    report = check_mapping(files)
    assert report.mapping is not None
    assert lines_of(report, "case") == [("second.yaml", 4)]


def test_that_nothing_is_submitted_is_a_note(files: tuple[Path, Path]) -> None:
    def notes() -> list[str]:
        return [one.message for one in check_mapping(files).findings if one.severity is Severity.NOTE]

    assert any("There is no submission" in note for note in notes())
    files[1].write_text(SECOND + "submision: {InvolvementType: {value: Co-Sell}}\n", encoding="utf-8")
    assert not any("There is no submission" in note for note in notes())


def test_a_file_that_says_nothing_has_no_coverage(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    report = check_mapping(tmp_path / "empty.yaml")
    assert [one.kind for one in report.findings] == ["mapping"]
    assert report.mapping is None
    assert report.coverage.mapped == ()
    assert len(report.coverage.known) > 50


def test_a_file_that_is_gone_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        check_mapping(tmp_path / "gone.yaml")


def test_coverage_tells_what_is_mapped_what_not_and_what_aws_needs(files: tuple[Path, Path]) -> None:
    coverage = check_mapping(files[0]).coverage
    assert coverage.mapped == ("PartnerOpportunityIdentifier", "Project.Title", "LifeCycle.Stage")
    assert len(coverage.mapped) + len(coverage.unmapped) == len(coverage.known)
    needed = coverage.required_unmapped
    assert set(needed) == {"opportunity", "associate"}
    assert needed["associate"] == ("RelatedEntityIdentifiers.Solutions",)
    assert "Customer.Account.WebsiteUrl" in needed["opportunity"]
    assert not {"Project.Title", "LifeCycle.Stage"} & set(needed["opportunity"])
    assert coverage.unreached == {
        "LifeCycle.Stage": ("Prospect", "Technical Validation", "Business Validation", "Committed", "Closed Lost")
    }
    assert coverage.sentence.startswith("3 of 62 fields of CreateOpportunity are mapped (not: ")
    assert "AWS needs Customer.Account.CompanyName, " in coverage.sentence


@pytest.mark.parametrize(
    "line",
    ["associate: {AwsMarketplaceSolutions: S__c}", "", "associate: {AwsProducts: S__c}"],
    ids=["another kind", "a description", "a product"],
)
def test_what_something_else_stands_in_for_is_not_needed(files: tuple[Path, Path], line: str) -> None:
    text = FIRST if line else FIRST.replace("Title: Name", "Title: Name, OtherSolutionDescription: S__c")
    files[0].write_text(f"{text}{line}\n", encoding="utf-8")
    needed = check_mapping(files[0]).coverage.required_unmapped
    assert needed.get("associate", ()) == (("RelatedEntityIdentifiers.Solutions",) if "Products" in line else ())


def test_coverage_is_json(files: tuple[Path, Path]) -> None:
    told = json.loads(json.dumps(check_mapping(files[0]).coverage.to_json()))
    assert set(told) == {"known", "mapped", "unmapped", "required_unmapped", "unreached_values"}
    assert told["mapped"] == ["PartnerOpportunityIdentifier", "Project.Title", "LifeCycle.Stage"]


def test_many_syntax_errors_hide_no_other_mistake(tmp_path: Path) -> None:
    text = """version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity:
  Origin: {value: Partner Referal}
  Customer:
    Account:
      CompanyName {from: Account.Name}
      WebsiteUrl: {from: Account.Website, transform: websit}
      Duns: "Account.Duns__c
      Industry: {from: Account.Industry
      AwsAccountId: {from: A B}
\t\tOtherIndustry: Other__c
      Address:
        City: @city
        CountryCode: {from: C__c, transform: country}
  Project:
    Title: Name: again
     CustomerUseCase: Use_Case__c
    DeliveryModels: {value: SaaS or PaaS}
    SalesActivities: [Activity__c]]
    Tittle: Name
  LifeCycle
    Stage: {value: Qualifed}
    TargetCloseDate: *day
write_back:
  A__c: opportunity.Idd
"""
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    found = check_mapping(tmp_path / "wrong.yaml").findings
    lines = [one.line for one in found if one.kind == "mapping"]
    assert lines == [3, 4, 7, 8, 9, 10, 11, 12, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 26], [str(one) for one in found]
