"""A mapping of several files: one mapping, and every complaint in the file it is about."""

from __future__ import annotations

from datetime import date

import pytest

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.mapping import CompiledMapping, compile_mapping, join, map_record, run_cases
from connector.core.mapping.nodes import leaves_of
from connector.mapping_files import transforms

FIRST = """version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity:
  Project: {Title: Name}
cases:
  - name: one
    given: {Name: Deal}
    expect: {opportunity: {Project: {Title: Deal}}}
"""
SECOND = """version: 1

submission:
  InvolvementType: {value: Co-Sell}
  Visibility: {value: Full}
write_back:
  A__c: opportunity.Id
cases:
  - name: two
    given: {Name: Deal}
    expect: {submission: {Visibility: Full}}
  - name: three
    given: {Name: Deal}
    expect: {opportunity: {Project: {Title: Deal}}}
"""


def compiled(*texts: str) -> tuple[CompiledMapping | None, list[str]]:
    named = zip(("first", "second", "third"), texts, strict=False)
    documents = [yamlfile.parse(text, f"{name}.yaml") for name, text in named]
    mapping, problems = compile_mapping(join(documents), mapping_shapes(), transforms())
    return mapping, [str(problem) for problem in problems]


def test_the_sections_of_all_files_make_one_mapping() -> None:
    mapping, problems = compiled(FIRST, SECOND)
    assert mapping is not None, problems
    assert mapping.file == "first.yaml"
    assert [(case.name, case.file, case.line) for case in mapping.cases] == [
        ("one", "first.yaml", 6),
        ("two", "second.yaml", 9),
        ("three", "second.yaml", 12),
    ]
    assert mapping.submission is not None
    assert {leaf.origin.file for leaf in leaves_of(mapping.submission.members)} == {"second.yaml"}
    assert {leaf.origin.file for leaf in leaves_of(mapping.tree)} == {"first.yaml"}
    (entry,) = mapping.write_back
    assert (entry.file, entry.line) == ("second.yaml", 7)
    assert run_cases(mapping) == ()
    mapped = map_record(mapping, {"Name": "Deal"}, date(2026, 11, 22))
    assert mapped.origins["Project.Title"].file == "first.yaml"


def test_the_order_of_the_files_changes_nothing_but_their_names() -> None:
    one, _ = compiled(FIRST, SECOND)
    other, _ = compiled(SECOND, FIRST)
    assert one is not None
    assert other is not None
    assert one.selection == other.selection
    for mapping, file in ((one, "first.yaml"), (other, "second.yaml")):
        assert [(leaf.path, leaf.origin.file) for leaf in leaves_of(mapping.tree)] == [("Project.Title", file)]


def test_a_failing_case_names_its_file() -> None:
    mapping, _ = compiled(FIRST, SECOND.replace("Title: Deal", "Title: Another"))
    assert mapping is not None
    (failure,) = run_cases(mapping)
    assert (failure.file, failure.line) == ("second.yaml", 12)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ((FIRST, SECOND.replace("version: 1\n", "")), ["second.yaml:2:1: The version must be 1."]),
        ((FIRST.replace("version: 1", "version: 2"), SECOND), ["first.yaml:1:1: The version must be 1."]),
        ((FIRST.replace("version: 1\n", ""), SECOND.replace("version: 1", "version: 3")),
         ["first.yaml:1:1: The version must be 1.", "second.yaml:1:1: The version must be 1."]),
        ((FIRST, SECOND.replace("submission:", "opportunity:").replace("Visibility", "Origin")),
         ["second.yaml:3:1: The section opportunity stands in first.yaml already."]),
        ((FIRST, SECOND, "version: 1\nwrite_back: {B__c: opportunity.Id}\n"),
         ["third.yaml:2:1: The section write_back stands in second.yaml already."]),
        ((FIRST, SECOND.replace("submission:\n", "submision:\n")), ["second.yaml:3:1: 'submision' is not known here."]),
        ((FIRST, SECOND.replace("opportunity.Id", "oportunity.Id")), ["second.yaml:7:3: There is no fact"]),
        ((FIRST, SECOND.replace("{Visibility: Full}", "{Visibilty: Full}")),
         ["second.yaml:11:27: The result has no 'Visibilty' here."]),
        ((FIRST, SECOND.replace("name: three", "name:")), ["second.yaml:12:5: A case needs a name"]),
        ((FIRST.replace("cases:", "casses:"), SECOND), ["first.yaml:5:1: 'casses' is not known here."]),
        ((FIRST, ""), ["second.yaml:1:1: The file is empty."]),
        ((FIRST, "- a\n"), ["second.yaml:1:1: A mapping file has sections."]),
        ((FIRST, SECOND.replace("Co-Sell}", "Co-Sell")), ["second.yaml:4:20: "]),
        (("version: 1\n", "version: 1\n"),
         ["first.yaml:1:1: There is no opportunity to map.", "first.yaml:1:1: There is no salesforce section."]),
        (("version: 1\n", SECOND.replace("cases:", "cases: 5\nx:")),
         ["first.yaml:1:1: There is no opportunity", "first.yaml:1:1: There is no salesforce",
          "second.yaml:8:1: cases is a list.", "second.yaml:9:1: 'x' is not known here."]),
    ],
)  # fmt: skip
def test_complaints_name_the_file_they_are_about(texts: tuple[str, ...], told: list[str]) -> None:
    mapping, problems = compiled(*texts)
    assert mapping is None
    assert len(problems) == len(told), problems
    assert [one for one, start in zip(problems, told, strict=True) if not one.startswith(start)] == []


def test_one_file_is_what_it_is() -> None:
    document = yamlfile.parse(FIRST, "first.yaml")
    assert join([document]) is document
