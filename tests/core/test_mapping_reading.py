"""Faulty mappings, read as far as they can be: nothing breaks on them, and what follows from a mistake is not told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_mapping import FILE, small

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.checks.mapping import report_on
from connector.core.findings import Finding, Severity
from connector.core.mapping import Document, Reading, join, read_as_far_as_possible
from connector.core.mapping.damage import Damage
from connector.core.mapping.nodes import ADOPTED
from connector.mapping_files import transforms

NAMES = [
    *("from", "value", "template", "values", "otherwise", "default", "transform", "when", "owner", "each", "item"),
    *("where", "limit", "order_by", "path", "field", "is", "in", "present", "truncate", "split", "Title", "Contacts"),
    *("Account", "name", "given", "expect", "expect_problems", "today", "Stage", "Industry", "LastName", "like"),
]
TEXTS = ["Id", "Name", "split", "trim", "LifeCycle.Stage", "Project.Title", "Closed Lost", "US", "Yes", "O1"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def read(document: Document) -> Reading:
    return read_as_far_as_possible(document, mapping_shapes(), transforms())


def told(text: str) -> list[Finding]:
    """What is told beside notes, requirements, and that these small mappings send no id of the record."""
    document = yamlfile.parse(text, FILE)
    found = [one for one in report_on(document, read(document)).findings if ADOPTED not in one.message]
    return [one for one in found if one.severity is not Severity.NOTE and one.kind != "unfillable"]


@settings(deadline=None, max_examples=150)
@given(
    ANYTHING,
    ANYTHING,
    st.sampled_from(["Project", "Customer", "OpportunityTeam", "LifeCycle", "PrimaryNeedsFromAws", "Tags"]),
    st.sampled_from(
        ["salesforce", "associate", "submission", "assign", "write_back", "inbound", "invitations", "cases"]
    ),
)
def test_no_file_breaks_the_check(value: object, section: object, member: str, name: str) -> None:
    tree = {
        "version": 1,
        "opportunity": {member: value},
        "cases": [{"name": "any", "given": {"Name": "x"}, "expect_problems": []}],
        "submission": {"InvolvementType": {"value": "Co-Sell"}},
    }
    document = yamlfile.Document(FILE, {**tree, name: section}, {(): (1, 1)})
    report = report_on(document, read(document))
    assert report.findings
    assert all(finding.message for finding in report.findings)


INDUSTRI = """
Customer: {Account: {CompanyName: N, Industri: I,
  OtherIndustry: {from: O, when: {path: Customer.Account.Industry, is: Other}}}}
"""


@pytest.mark.parametrize(
    ("tree", "sections", "lines"),
    [
        ("Customer: {Account: {CompanyNam: Account.Name}}", "", [4]),
        (INDUSTRI, "", [4]),
        ("Projekt: {Title: Name}", "invitations: {each: R__r, item: {like: Project.Title}}\n", None),
        ("Project: {Title: {frm: Name}}", "", [4]),
        ("Project: {Title: 5, CustomerUseCase: {from: A, when: {path: Project.Title, present: true}}}", "", [4]),
        ("Customer: {Contacts: {ech: R__r, item: {Email: Email}}}", "", [4]),
        ("Customer: {Contacts: {item: {Email: Email}}}", "", [4]),
        ("Project: {Title: *nobody}", "", [4]),
        ("Project: {Title: Name}", "submision: {InvolvementType: I__c}\nwrite_back: {A__c: task.TaskId}", [5]),
        ("Project: {Title: {from: Name, value: x, default: y}}", "", [4]),
    ],
)  # fmt: skip
def test_what_follows_from_a_mistake_is_not_told(tree: str, sections: str, lines: list[int] | None) -> None:
    found = told(small(tree, sections))
    if lines is None:
        assert not any("No leaf of" in one.message for one in found)
    else:
        assert [one.line for one in found] == lines, [str(one) for one in found]


CASES = """
associate: {{Solutions: {{from: S__c, transform: {associated}}}}}
cases:
  - name: first
    given: {{Name: Deal, Use__c: VMC, S__c: S-0000001}}
    expect:
      opportunity: {{Project: {{Title: {title}, CustomerUseCase: VMC}}}}
      associate: {{Solutions: [{solution}]}}
  - name: second
    today: 2026-11-21
    given: {{Name: Deal, CloseDate: 2020-01-01, Stage__c: Closed Lost}}
    expect_problems: [{problem}]
"""


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({}, []),
        ({"title": "Other"}, ["first"]),
        ({"title": "Other", "titled": "trimm"}, []),
        ({"title": "Other", "used": "trimm"}, ["first"]),
        ({"solution": "S-0000002"}, ["first"]),
        ({"solution": "S-0000002", "associated": "splitt"}, []),
        ({"problem": "Project.CustomerUseCase"}, ["second"]),
        ({"problem": "LifeCycle.ClosedLostReason", "staged": "trimm"}, []),
        ({"problem": "LifeCycle.ClosedLostReason", "titled": "trimm"}, []),
        ({"problem": "Project.RelatedOpportunityIdentifier", "staged": "trimm"}, ["second"]),
        ({"problem": "Project.RelatedOpportunityIdentifier", "typed": "trimm"}, []),
        ({"problem": "Project.Title", "associated": "splitt"}, ["second"]),
        ({"problem": "RelatedEntityIdentifiers.Solutions", "associated": "splitt"}, []),
    ],
)
def test_a_case_fails_beside_mistakes_that_do_not_concern_it(changes: dict[str, str], failing: list[str]) -> None:
    usual = {
        **dict.fromkeys(("titled", "used", "staged", "typed"), "trim"),
        "associated": "split",
        "title": "Deal",
        "solution": "S-0000001",
        "problem": "LifeCycle.TargetCloseDate",
    }
    words = {**usual, **changes}
    tree = """
        Project: {{Title: {{from: Name, transform: {titled}}}, CustomerUseCase: {{from: Use__c, transform: {used}}}}}
        LifeCycle: {{TargetCloseDate: CloseDate, Stage: {{from: Stage__c, transform: {staged}}}}}
        OpportunityType: {{from: Type, transform: {typed}}}
        """
    found = [one for one in told(small(tree.format(**words), CASES.format(**words))) if one.kind == "case"]
    assert [one.message.split("'")[1] for one in found] == failing


def test_a_case_with_a_mistake_of_its_own_is_not_run() -> None:
    cases = """
        cases:
          - {name: typo, given: {Name: x}, expect: {opportunity: {Project: {Titel: y}}}}
          - {name: twice, given: {Name: x, Name: y}, expect: {opportunity: {Project: {Title: z}}}}
          - {name: wrong, given: {Name: x}, expect: {opportunity: {Project: {Title: z}}}}
        """
    assert [(one.kind, one.line) for one in told(small("Project: {Title: Name}", cases))] == [
        ("mapping", 7),
        ("mapping", 8),
        ("case", 9),
    ]


def test_damage_is_at_above_and_below_a_path_and_spreads_to_who_asks() -> None:
    tree = """
        Customer: {Contacts: {each: R__r, where: "x", item: {Email: Email}}}
        LifeCycle: {Stage: {from: S__c, transform: nothing}, TargetCloseDate: D__c}
        Project: {Title: {from: Name, when: {path: LifeCycle.Stage, is: x}}, CustomerUseCase: {from: U__c, when: {path:
          Project.Title, present: true}}}
        """
    damage = read(yamlfile.parse(small(tree), FILE)).damage
    for path in (
        "Customer",
        "Customer.Contacts[3].Email",
        "LifeCycle.Stage",
        "Project.Title",
        "Project.CustomerUseCase",
    ):
        assert damage.concerns(path), path
    assert not damage.concerns("LifeCycle.TargetCloseDate")
    assert not damage.concerns("LifeCycle.StageName")
    assert not Damage().concerns("Project")
    assert Damage(is_total=True).concerns("Project")


def test_several_files_are_read_as_one() -> None:
    first = yamlfile.parse(
        small("Project: {Title: Name}", "cases: [{name: a, given: {A: b}, expect: {associate: }}]"), "a"
    )
    second = yamlfile.parse(
        "version: 1\nopportunity: {}\ncases: [{name: b, given: {A: 1, A: 2}, expect: {assign: }}]", "b"
    )
    reading = read(join([first, second]))
    assert [problem.file for problem in reading.problems] == ["b", "b"]
    assert reading.mapping is not None
    assert [case.name for case in reading.mapping.cases] == ["a"]
    assert reading.damage.concerns("Project.Title"), "both files say what it is"
