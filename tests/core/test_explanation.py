"""A flag condition taken apart on a record: which part does not hold, and what only Salesforce can judge."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.condition import ConditionError, parse_condition
from connector.core.explanation import explain, fields_of

ROW: dict[str, Any] = {
    "Share": False,
    "Open": True,
    "Stage": "Prospecting",
    "Empty": None,
    "Amount": 5,
    "Closes": "2027-01-31",
    "Account.Type": "Partner",
}


@pytest.mark.parametrize(
    ("text", "holds", "culprits"),
    [
        ("Share = TRUE", False, ["Share = TRUE: it is FALSE now"]),
        ("Open = TRUE", True, []),
        ("Open = TRUE AND Stage != 'Prospecting'", False, ["Stage != 'Prospecting': it is 'Prospecting' now"]),
        (
            "Share = TRUE OR Empty != null",
            False,
            ["Share = TRUE: it is FALSE now", "Empty != null: it is empty now"],
        ),
        ("Share = TRUE OR Open = TRUE", True, []),
        (
            "Open = TRUE AND (Share = TRUE OR Amount > 9)",
            False,
            ["Share = TRUE: it is FALSE now", "Amount > 9: it is 5 now"],
        ),
        ("NOT Open = TRUE", False, ["NOT Open = TRUE: it is TRUE now"]),
        ("NOT (Open = TRUE AND Amount = 5)", False, ["NOT Open = TRUE: it is TRUE now", "NOT Amount = 5: it is 5 now"]),
        ("NOT (NOT Share = TRUE)", False, ["Share = TRUE: it is FALSE now"]),
        (
            "Stage NOT IN ('Prospecting', 'Lost')",
            False,
            ["Stage NOT IN ('Prospecting', 'Lost'): it is 'Prospecting' now"],
        ),
        ("Account.Type IN ('Customer')", False, ["Account.Type IN ('Customer'): it is 'Partner' now"]),
        ("Closes = TODAY", None, ["Closes = TODAY: it is '2027-01-31' now, and only Salesforce can judge this"]),
        ("Share = TRUE AND Closes = TODAY", False, None),
        ("Open = TRUE OR Closes = NEXT_N_DAYS:9", True, []),
        ("CALENDAR_YEAR(Closes) = 2027", None, ["CALENDAR_YEAR(Closes) = 2027: only Salesforce can judge this"]),
        (
            "Stage IN (SELECT Name FROM X WHERE A = 1 AND B = 2) AND Share = TRUE",
            False,
            None,
        ),
    ],
)
def test_the_parts_that_do_not_hold_are_named_with_their_values(
    text: str, holds: bool | None, culprits: list[str] | None
) -> None:
    explanation = explain(text, ROW.get)
    assert explanation.holds is holds
    if culprits is None:
        assert "Share = TRUE: it is FALSE now" in [str(one) for one in explanation.culprits()]
    else:
        assert [str(one) for one in explanation.culprits()] == culprits


def test_the_fields_to_look_up_and_every_comparison_are_told() -> None:
    text = "(Share = TRUE OR Open = TRUE) AND NOT Stage LIKE 'P%' AND YEAR(Closes) = 2027 AND Share != null"
    text = text.replace("YEAR", "CALENDAR_YEAR")
    assert fields_of(text) == ("Share", "Open", "Stage")
    comparisons = explain(text, ROW.get).comparisons
    assert [(one.text, one.field, one.holds, one.is_wanted) for one in comparisons] == [
        ("Share = TRUE", "Share", False, True),
        ("Open = TRUE", "Open", True, True),
        ("Stage LIKE 'P%'", "Stage", True, False),
        ("CALENDAR_YEAR(Closes) = 2027", "", None, True),
        ("Share != null", "Share", True, True),
    ]


def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(ConditionError):
        explain("Share = 'open", ROW.get)


_LEAVES = st.sampled_from(
    ["Share = TRUE", "Open = TRUE", "Stage IN ('Prospecting', 'x')", "Amount > 9", "Empty = null", "Stage LIKE 'X%'"]
)
_CONDITIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.tuples(st.sampled_from([" AND ", " OR "]), st.lists(inner, min_size=2, max_size=3)).map(
            lambda pair: pair[0].join(f"({part})" for part in pair[1])
        ),
    ),
    max_leaves=6,
)


@given(_CONDITIONS)
def test_parts_and_whole_agree_with_the_judge(text: str) -> None:
    explanation = explain(text, ROW.get)
    assert explanation.holds is parse_condition(text).holds(ROW.get)
    assert bool(list(explanation.culprits())) is not explanation.holds
    for one in explanation.comparisons:
        assert one.holds is parse_condition(one.text).holds(ROW.get)
