"""A mapping's own tests: what makes one hold, and what is said when it does not."""

from __future__ import annotations

import pytest
from small_mapping import FILE, compiled

from connector.core.mapping import run_cases
from connector.core.mapping.case_runs import subset_differences

TREE = "Project: {Title: Name, DeliveryModels: {from: M__c, transform: split}}"
SECTIONS = """
associate: {{Solutions: {{from: S__c, transform: split}}}}
submission: {{when: Ready__c = TRUE, InvolvementType: {{value: Co-Sell}}}}
cases:
  - name: the case
    today: 2026-11-21
    given: {{Id: 006000000000001AAA, Name: Deal, M__c: SaaS or PaaS, S__c: S-0000001, Ready__c: true}}
    {expectation}
"""


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        ("expect: {opportunity: {Project: {Title: Deal}}}", None),
        ("expect: {opportunity: {Project: {DeliveryModels: [SaaS or PaaS]}}}", None),
        ("expect: {opportunity: {Project: {CustomerUseCase: }}}", None),
        ("expect: {associate: {Solutions: [S-0000001], AwsProducts: }}", None),
        ("expect: {submission: {InvolvementType: Co-Sell}}", None),
        ("expect_problems: [Customer.Account.CompanyName]", None),
        ("expect: {opportunity: {Project: {Title: Other}}}", "opportunity.Project.Title is 'Deal', expected 'Other'"),
        ("expect: {opportunity: {Project: {Title: }}}", "opportunity.Project.Title is 'Deal', expected None"),
        ("expect: {opportunity: {LifeCycle: {Stage: Qualified}}}", "opportunity.LifeCycle is missing"),
        ("expect: {opportunity: {Project: {DeliveryModels: []}}}", "is ['SaaS or PaaS'], expected []"),
        ("expect: {submission: }", "submission is {'InvolvementType': 'Co-Sell'}, expected None"),
        ("expect_problems: [Project.Title]", "no problem is told at Project.Title"),
        ("expect_problems: []", "there are problems at AwsSubmission"),
    ],
)
def test_an_expectation(expectation: str, said: str | None) -> None:
    failures = run_cases(compiled(TREE, SECTIONS.format(expectation=expectation)))
    if said is None:
        assert failures == ()
        return
    (failure,) = failures
    assert (failure.file, failure.line) == (FILE, 9)
    assert failure.message.startswith("The case 'the case' fails: ")
    assert said.split(" at Aws")[0] in failure.message
    assert failure.cure


@pytest.mark.parametrize(
    ("expected", "actual", "differences"),
    [
        ({}, {"a": 1}, []),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, []),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, ["a[0].b is 2, expected 1"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a is [1, 2], expected [1]"]),
        ({"a": {"b": 1}}, {}, ["a is missing"]),
        ({"a": None}, {}, []),
    ],
)
def test_differences(expected: object, actual: object, differences: list[str]) -> None:
    assert [one.words for one in subset_differences(expected, actual)] == differences
