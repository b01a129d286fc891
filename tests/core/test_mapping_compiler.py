"""Mistakes in a mapping file: all of them at once, each at its line and column, each with its cure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_mapping import FILE, compiled, problems_of, small

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.mapping import compile_mapping
from connector.core.mapping.nodes import Each, leaves_of
from connector.errors import FileProblem
from connector.mapping_files import transforms

WRONG = (Path(__file__).parent / "wrong_mapping.yaml").read_text(encoding="utf-8")


def expected_of(text: str) -> list[tuple[int, int, str]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        found += [(number, int(c), words.strip()) for c, words in re.findall(r"#! (\d+): (.*?)(?=  #!|$)", line)]
    return found


def test_every_mistake_of_a_file_is_told_at_once_where_it_is() -> None:
    problems = problems_of(WRONG)
    expected = expected_of(WRONG)

    def is_told(problem: FileProblem, line: int, column: int, words: str) -> bool:
        return (problem.line, problem.column) == (line, column) and words in f"{problem.message} {problem.cure}"

    assert [entry for entry in expected if not any(is_told(problem, *entry) for problem in problems)] == []
    assert [str(p) for p in problems if not any(is_told(p, *entry) for entry in expected)] == []
    assert [str(problem) for problem in problems if not problem.cure.strip()] == []
    assert all(problem.file == FILE for problem in problems)
    assert list(problems) == sorted(problems)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["1:1 The file is empty."]),
        ("- a\n- b\n", ["1:1 A mapping file has sections."]),
        (
            "version: 1\n",
            ["1:1 There is no salesforce section.", "1:1 There is no opportunity to map."],
        ),
        (small("Project: {Title: Name}").replace(", where: Share_With_AWS__c = TRUE", ""), ["2:1 There is no flag."]),
        (
            small("Project: {Title: Name}", "associate: [Solutions]\nwrite_back: text\nsubmission:\ncases: {}\n"),
            [
                "5:1 associate lists entity types.",
                "6:1 write_back lists Salesforce fields.",
                "7:1 submission has members.",
                "8:1 cases is a list.",
            ],
        ),
    ],
)  # fmt: skip
def test_missing_and_misshapen_sections(text: str, told: list[str]) -> None:
    found = [f"{problem.line}:{problem.column} {problem.message}" for problem in problems_of(text)]
    assert sorted(found) == sorted(told)


def test_a_syntax_error_hides_no_other_mistake_and_invents_none() -> None:
    text = """\
        version: 1
        salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
        opportunity:
          Customer:
            Account:
              CompanyName {from: Account.Name, transform: trim}
              Industri: Account.Industry
          Project:
            Title: {from: Name
            CustomerUseCase: {from: U__c, transform: trimm}
          LifeCycle:
            Stage: {value: Qualified}
             NextSteps: NextStep
        """
    problems = problems_of(text)
    assert [problem.line for problem in problems] == [6, 7, 9, 10, 13]
    assert "Did you mean 'Industry'?" in problems[1].cure
    assert "Did you mean 'trim'?" in problems[3].cure


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ("Project: {ApnPrograms: {each: R__r, item: 'Kids__r[0].Name'}}", "children of a child"),
        ("Project: {Title: {from: 'Account.Contacts[0].Name'}}", "only children of the record itself"),
        ("Project: {Title: {from: 'Account.*'}}", "name the fields"),
        ("OpportunityTeam: [{Email: {from: Owner.Email, owner: aws}}]", "owner has no effect"),
        ("OpportunityTeam: [" + ", ".join(["{Email: Owner.Email}"] * 11) + "]", "at most 10 items"),
        ("Project: {Title: {template: '{Owner.Name()}'}}", "runs no code"),
        ("Project: {Title: {from: A__c, when: {path: 'Customer.Contacts[].Email', present: true}}}", "No leaf of this"),
        ("Project: {Title: {from: A__c, when: {path: Project.Title, present: true}}}", "Project.Title → Project.Title"),
    ],
)
def test_rarer_mistakes(tree: str, words: str) -> None:
    (problem,) = problems_of(small(tree))
    assert words in f"{problem.message} {problem.cure}"
    assert problem.cure


def test_only_the_leaves_of_a_circle_are_named() -> None:
    tree = """
        Project:
          Title: {from: A, when: {path: Project.AdditionalComments, present: true}}
          CustomerUseCase: {from: A, when: {path: Project.CompetitorName, present: true}}
          CompetitorName: {from: A, when: {path: Project.CustomerUseCase, present: true}}
          AdditionalComments: {from: A, when: {path: Project.CompetitorName, present: true}}
        """
    (problem,) = problems_of(small(tree))
    assert problem.line == 6
    assert "Project.Title" not in problem.message
    assert "AdditionalComments" not in problem.message


@pytest.mark.parametrize(
    "tree",
    [
        "Project: {Title: Name}",
        "Project: {DeliveryModels: [A__c, {value: SaaS or PaaS}]}",
        "OpportunityTeam: [" + ", ".join(["{Email: Owner.Email}"] * 10) + "]",
        "Project: {ApnPrograms: {each: Programs__r, item: {from: Name, values: {value: x, default: y}}}}",
        "Project: {ExpectedContractDuration: {Term: {value: Months}, Value: {value: 12}}}",
        "NationalSecurity: {from: Flag__c, values: {'true': 'Yes', 'false': 'No'}}",
        "Marketing: {Source: {from: S__c, values: {x: Marketing Activity, y: }, otherwise: None, default: None}}",
        "PrimaryNeedsFromAws: {from: N__c, transform: split, values: {default: Co-Sell - Deal Support}}",
        "Project: {Title: {from: Name, when: {field: A__c, in: [x, 5]}}}",
        "Project: {Title: {from: Name, when: {field: A__c, empty: false}}}",
    ],
)
def test_what_is_right_is_taken(tree: str) -> None:
    compiled(tree)


def test_leaves_come_after_those_they_depend_on() -> None:
    mapping = compiled(
        """
        Project:
          Title: {from: Name, when: {path: Project.AdditionalComments, present: true}}
          AdditionalComments: {from: A, when: {path: Project.CustomerUseCase, present: true}}
          CustomerUseCase: U__c
        Customer: {Contacts: {each: R__r, item: {Phone: {from: P, transform: {phone: {country: Project.Title}}}}}}
        """
    )
    order = [leaf.path for leaf in mapping.leaves]
    assert order.index("Project.CustomerUseCase") < order.index("Project.AdditionalComments")
    assert order.index("Project.AdditionalComments") < order.index("Project.Title")
    assert "Customer.Contacts[].Phone" not in order


def test_what_salesforce_owns() -> None:
    mapping = compiled(
        """
        Project:
          Title: Name
          AdditionalComments: {from: A__c, owner: aws}
          ApnPrograms: {each: Programs__r, item: Name}
        OpportunityTeam: [{Email: Owner.Email}]
        """,
        "associate: {Solutions: {from: S__c, transform: split}, AwsProducts: {from: P__c, owner: aws}}",
    )
    assert mapping.owned_paths == {
        "Project.Title",
        "Project.ApnPrograms",
        "OpportunityTeam",
        "RelatedEntityIdentifiers.Solutions",
    }


def test_limits_of_an_each_are_those_of_aws_at_most() -> None:
    mapping = compiled("OpportunityTeam: {each: Team__r, limit: 50, item: {Email: Email}}")
    (team,) = mapping.tree.members.values()
    assert isinstance(team, Each)
    assert team.limit == 10


def test_origins_point_at_the_line_of_the_leaf() -> None:
    mapping = compiled("Project:\n  Title:\n    from: [A__c, Account.Name]\nCustomer:\n  Contacts:\n    each: R__r\n"
                       "    item: {Email: Contact.Email}\n")  # fmt: skip
    origins = {leaf.path: leaf.origin for leaf in leaves_of(mapping.tree)}
    title, email = origins["Project.Title"], origins["Customer.Contacts[].Email"]
    assert (title.label, title.file, title.line, title.column) == ("A__c / Account.Name", FILE, 5, 5)
    assert (email.label, email.line) == ("R__r.Contact.Email", 10)


NAMES = [
    *("from", "value", "template", "values", "otherwise", "default", "transform", "when", "owner", "each", "item"),
    *("where", "limit", "order_by", "path", "field", "is", "in", "present", "truncate", "split", "Title", "Contacts"),
    *("Account", "name", "given", "expect", "expect_problems", "today"),
]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(NAMES),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["Project", "Customer", "OpportunityTeam", "Origin", "PrimaryNeedsFromAws", "Tags"]),
    st.sampled_from(["salesforce", "associate", "submission", "write_back", "cases"]),
)
def test_no_file_breaks_the_compiler(value: object, member: str, section: str) -> None:
    tree = {"version": 1, "opportunity": {member: value}, section: value}
    document = yamlfile.Document(FILE, tree, {(): (1, 1)})
    mapping, problems = compile_mapping(document, mapping_shapes(), transforms())
    assert mapping is None or not problems
