"""Every way in which a payload can break AWS's field table, and what is said about it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.adapters.partner_central import mapping_shapes
from connector.core import schema
from connector.core.schema import Shape

TEXT = Shape("string")
PERSON = Shape("structure", {"Name": TEXT, "Age": Shape("integer", min=0, max=150)}, frozenset({"Name"}))
CREATE = mapping_shapes().create


def told(payload: Any, shape: Shape) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in schema.check(payload, shape)]


@pytest.mark.parametrize(
    ("payload", "shape", "expected"),
    [
        ({"Name": "Ada", "Age": 36}, PERSON, []),
        ({}, PERSON, [("Name", "required")]),
        ({"Name": ""}, PERSON, [("Name", "required")]),
        ({"Name": None}, PERSON, [("Name", "required")]),
        ({"Name": "Ada", "Agee": 1}, PERSON, [("Agee", "unknown")]),
        ({"Name": 5}, PERSON, [("Name", "type")]),
        ({"Name": True}, PERSON, [("Name", "type")]),
        ({"Name": "Ada", "Age": True}, PERSON, [("Age", "type")]),
        ({"Name": "Ada", "Age": "36"}, PERSON, [("Age", "type")]),
        ({"Name": "Ada", "Age": -1}, PERSON, [("Age", "min")]),
        ({"Name": "Ada", "Age": 151}, PERSON, [("Age", "max")]),
        ([], PERSON, [("", "type")]),
        ("text", Shape("list", item=TEXT), [("", "type")]),
        (["a", 1], Shape("list", item=TEXT), [("[1]", "type")]),
        ([{"Name": "Ada"}, {}], Shape("list", item=PERSON), [("[1].Name", "required")]),
        ([], Shape("list", item=TEXT, min=1), [("", "min")]),
        (["a"], Shape("list", item=TEXT, min=1, max=1), []),
        (["a", "b"], Shape("list", item=TEXT, max=1), [("", "max")]),
        ("Yes", Shape("string", enum=("Yes", "No")), []),
        ("yes", Shape("string", enum=("Yes", "No")), [("", "enum")]),
        ("O1", Shape("string", pattern="O[0-9]{1,19}"), []),
        ("xO1", Shape("string", pattern="O[0-9]{1,19}"), [("", "pattern")]),
        ("O1\n", Shape("string", pattern="O[0-9]{1,19}"), [("", "pattern")]),
        ("abc", Shape("string", min=4), [("", "min")]),
        ("abc", Shape("string", max=2), [("", "max")]),
        (1.5, Shape("double"), []),
        (1, Shape("float"), []),
        (True, Shape("boolean"), []),
        (1, Shape("boolean"), [("", "type")]),
        (object(), Shape("blob"), []),
        ({"A": "1"}, Shape("structure", {"A": TEXT, "B": TEXT}, union=True), []),
        ({"A": "1", "B": "2"}, Shape("structure", {"A": TEXT, "B": TEXT}, union=True), [("", "union")]),
        ({}, Shape("structure", {"A": TEXT, "B": TEXT}, union=True), [("", "union")]),
    ],
)
def test_check(payload: Any, shape: Shape, expected: list[tuple[str, str]]) -> None:
    assert told(payload, shape) == expected


def test_a_near_miss_is_suggested_for_members_and_values() -> None:
    (problem,) = schema.check({"Name": "Ada", "Agee": 1}, PERSON)
    assert problem.cure == "Did you mean 'Age'?"
    (problem,) = schema.check("closed lost", Shape("string", enum=("Closed Lost", "Launched")))
    assert problem.cure == "Did you mean 'Closed Lost'?"
    (problem,) = schema.check("zzz", Shape("string", enum=tuple(str(n) for n in range(20))))
    assert problem.cure.startswith("Use one of: 0, 1,")
    assert problem.cure.endswith("(20 in all).")


def test_lengths_are_told_in_characters() -> None:
    shape = CREATE.at("Project.CustomerBusinessProblem")
    assert shape is not None
    (short,) = schema.check("too short", shape)
    assert (short.code, short.message) == ("length", "It has 9 characters, AWS wants at least 20.")
    (long,) = schema.check("x" * 2001, shape)
    assert (long.message, long.cure) == (
        "It has 2001 characters, AWS takes 2000.",
        "Shorten it, or add the transform {truncate: 2000}.",
    )


@pytest.mark.parametrize(
    ("value", "is_right"), [("Kostenstelle Süd 42", True), ("原価", True), ("a#b", False), ("x" * 257, False)]
)
def test_unicode_classes_in_patterns(value: str, is_right: bool) -> None:
    shape = CREATE.at("Tags.Value")
    assert shape is not None
    assert (schema.check(value, shape) == []) is is_right


def test_an_address_made_to_backtrack_comes_back_in_time() -> None:
    shape = CREATE.at("OpportunityTeam.Email")
    assert shape is not None
    started = time.monotonic()
    problems = schema.check("a@" + "a" * 60 + "!" + "-" * 15, shape)
    assert [problem.code for problem in problems] == ["pattern"]
    nested = Shape("string", pattern="(a|a)*b")
    assert [problem.code for problem in schema.check("a" * 64, nested)] == ["pattern"]
    assert time.monotonic() - started < 2 * schema.REGEX_TIMEOUT + 1


@pytest.mark.parametrize("path", ["Customer.Account.CompanyName", "Project.Title", "OpportunityTeam.Email"])
def test_what_aws_calls_sensitive_is_not_quoted(path: str) -> None:
    shape = CREATE.at(path)
    assert shape is not None
    (problem,) = schema.check("SECRET" * 100, shape)
    assert "SECRET" not in problem.message + problem.cure


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Customer.Contacts.Email", "string"),
        ("Customer.Contacts[0].Email", "string"),
        ("Customer.Contacts[].Email", "string"),
        ("Project.ExpectedCustomerSpend", "list"),
        ("LifeCycle", "structure"),
        ("LifeCycle.Nothing", None),
        ("Nothing.At.All", None),
    ],
)
def test_the_shape_at_a_path(path: str, kind: str | None) -> None:
    found = CREATE.at(path)
    assert (found.kind if found is not None else None) == kind


def test_leaves_are_scalars_and_lists_of_scalars() -> None:
    leaves = dict(CREATE.leaves())
    assert {"Customer.Contacts[].Email", "Project.DeliveryModels", "LifeCycle.Stage"} <= set(leaves)
    assert all(leaf.kind != "structure" for leaf in leaves.values())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda s: (
            st.lists(s)
            | st.dictionaries(
                st.sampled_from(["Customer", "Project", "LifeCycle", "Stage", "Contacts", "Email", "Title"]), s
            )
        ),
    )
)
def test_any_json_is_judged_without_an_error(payload: Any) -> None:
    problems = schema.check(payload, CREATE)
    assert all(problem.message and problem.cure for problem in problems)
