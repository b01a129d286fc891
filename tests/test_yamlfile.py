from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import UserError
from connector.yamlfile import Document, parse, read


def told(document: Document) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.message) for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("+4", 4),
        ("0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("0.25", 0.25),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
        ("'012'", "012"),
        ('"a\\nb"', "a\nb"),
        ("!!str 12", "12"),
        ("00D000000000001", "00D000000000001"),
        ("${HOME}", "${HOME}"),
        ("|\n  x\n   y\n", "x\n y\n"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("a\u2028b\x85c", "a\u2028b\x85c"),
        ("größe 𝄞", "größe 𝄞"),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    document = parse(f"k: {text}", "f")
    assert document.problems == ()
    assert document.value == {"k": value}
    assert type(document.value["k"]) is type(value)


def test_not_a_number_and_very_long_integers() -> None:
    document = parse("a: .nan\nb: " + "9" * 5000, "f")
    assert math.isnan(document.value["a"])
    assert document.value["b"] == math.inf
    assert document.problems == ()


def test_positions_are_of_keys_and_items() -> None:
    document = parse("# top\na:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n'e f': [1,  2]\n", "f")
    assert dict(document.positions) == {
        (): (2, 1),
        ("a",): (2, 1),
        ("a", "b"): (3, 3),
        ("a", "c"): (4, 3),
        ("a", "c", 0): (5, 7),
        ("a", "c", 1): (6, 7),
        ("a", "c", 1, "d"): (6, 8),
        ("e f",): (7, 1),
        ("e f", 0): (7, 9),
        ("e f", 1): (7, 13),
    }


def test_a_problem_stands_at_the_nearest_known_ancestor() -> None:
    document = parse("a:\n  b: 1\n", "f.yaml")
    assert str(document.problem(("a", "x", 3), "Wrong.", "Right it.")) == "f.yaml:1:1: Wrong. Right it."
    assert document.problem(("a", "b"), "Wrong.").line == 2
    assert document.problem(("z",), "Wrong.").line == 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark(line_end: str) -> None:
    document = parse("\ufeff" + line_end.join(["a: 1", "b:", "  c: |", "    x", ""]), "f")
    assert document.value == {"a": 1, "b": {"c": "x\n"}}
    assert document.positions["b", "c"] == (3, 3)


@pytest.mark.parametrize(
    ("text", "line", "column", "words", "value"),
    [
        ("a: 1\na: 2\n", 2, 1, "The key a is already set in line 1", {"a": 1}),
        ("1: x\n", 1, 1, "A key must be text, not 1", {"1": "x"}),
        ("a:\n  true: x\n", 2, 3, "not true", {"a": {"true": "x"}}),
        (": x\n", 1, 1, "not nothing", {"": "x"}),
        ("[a]: x\nb: 1\n", 1, 1, "not a list or a mapping", {"b": 1}),
        ("zip: 01234\n", 1, 6, "lose its leading zero", {"zip": "01234"}),
        ("id: 006E00000012345\n", 1, 5, "lose its leading zero", {"id": "006E00000012345"}),
        ("a: !thing x\n", 1, 4, "The tag !thing is not read", {"a": "x"}),
        ("a: !!python/object:os.system x\n", 1, 4, "!!python/object:os.system", {"a": "x"}),
        ("a: 1\n---\nb: 2\n", 2, 1, "A second document", {"a": 1}),
        ("a: *nowhere\nb: 1\n", 1, 4, "No anchor &nowhere", {"a": None, "b": 1}),
        ("a: &x\n  b: *x\n", 2, 6, "without end", {"a": {"b": None}}),
        ("a: &x 1\nb: {<<: *x}\n", 2, 9, "Only a mapping can be merged", {"a": 1, "b": {}}),
        ("", 1, 1, "The file is empty", None),
        ("# nothing\n", 1, 1, "The file is empty", None),
        ("a: \x07b\n", 1, 4, "control character (U+0007)", {"a": "b"}),
        ("a:\n\tb: 1\n", 2, 1, "Line 2 is indented with tabs", {"a": {"b": 1}}),
        (
            "a:\n\tb:\n\t\tc: 1\n\td: 2\ne: 3\n",
            2,
            1,
            "Lines 2 to 4 are indented with tabs",
            {"a": {"b": {"c": 1}, "d": 2}, "e": 3},
        ),
        ("a:\tb\n", 1, 3, "A tab stands here", {"a": "b"}),
        ("a: 1\n   b: 2\nc: 3\n", 2, 4, "indentation fits no line", {"a": 1, "b": 2, "c": 3}),
        ("a:\n    b: 1\n  c: 2\nd: 3\n", 3, 3, "indentation fits no line", {"a": {"b": 1, "c": 2}, "d": 3}),
        ('a: "x\nb: 1\n', 1, 4, 'The quote " opened here', {"a": None, "b": 1}),
        ('a: "x\nb: "y"\nc: 1\n', 1, 4, 'The quote " opened here', {"a": None, "b": "y", "c": 1}),
        ("a: 'x\nb: it's\nc: 1\n", 1, 4, "The quote ' opened here", {"a": None, "b": "it's", "c": 1}),
        ("a: 'it's'\nb: 1\n", 1, 8, "Text follows after a value", {"a": None, "b": 1}),
        ("a: [1, 2\nb: 3\n", 1, 4, "The [ opened here", {"a": None, "b": 3}),
        ("a: {x: 1\nb: 3\n", 1, 4, "The { opened here", {"a": None, "b": 3}),
        ("a: {x: 1 y: 2}\nb: 3\n", 1, 11, "A comma is missing", {"a": None, "b": 3}),
        ("a: {x: ${B}}\nb: 3\n", 1, 8, "${…} is not read inside", {"a": None, "b": 3}),
        ("a: ]\nb: 3\n", 1, 4, "closed here that was not opened", {"a": None, "b": 3}),
        ("a: x: y\nb: 1\n", 1, 5, "A colon and a space", {"a": None, "b": 1}),
        ("a: - b\nc: 1\n", 1, 4, "A list cannot begin", {"a": None, "c": 1}),
        ("a: 1\n- b\nc: 1\n", 2, 1, "A list item stands among", {"a": 1, "c": 1}),
        ("- a\n-b\n- c\n", 2, 1, "A space is missing after the dash", ["a", "c"]),
        ("a: @x\nb: 1\n", 1, 4, "cannot begin with @", {"a": None, "b": 1}),
        ("a: %x\nb: 1\n", 1, 4, "cannot begin with %", {"a": None, "b": 1}),
        ("a: &\nb: 1\n", 1, 5, "& and * must be followed", {"a": None, "b": 1}),
        ('a: "\\q"\nb: 1\n', 1, 6, "A backslash in double quotes", {"a": None, "b": 1}),
        ("a: |x\n  y\nb: 1\n", 1, 5, "Text follows | or >", {"a": "y", "b": 1}),
        ("a:\n  - b {c: 1, e: 3}\nd: 2\n", 2, 5, "b has no colon", {"a": [{"b": None}], "d": 2}),
        ("a: 1\nb {c: 1, e: 3}\nd: 2\n", 2, 1, "b has no colon", {"a": 1, "b": None, "d": 2}),
        ("a: 1\nb\nc: 2\n", 2, 1, "b has no colon", {"a": 1, "b": None, "c": 2}),
        ("a:\n  b\n    c: 1\n", 2, 3, "b has no colon", {"a": {"b": {"c": 1}}}),
        ("a: 1\nb:2\nc: 3\n", 2, 1, "b is not followed by a colon and a space", {"a": 1, "b": None, "c": 3}),
        ("a: 1\nb=2\nc: 3\n", 2, 1, "b is not followed by a colon and a space", {"a": 1, "b": None, "c": 3}),
        ("a: 1\nsome words\nc: 3\n", 2, 1, "no name with a colon", {"a": 1, "c": 3}),
        ("%FOO\na: 1\n", 1, 1, "begins with %", {"a": 1}),
    ],
)
def test_one_mistake_is_told_where_it_is(text: str, line: int, column: int, words: str, value: Any) -> None:
    document = parse(text, "f")
    assert len(document.problems) == 1, told(document)
    problem = document.problems[0]
    assert (problem.line, problem.column) == (line, column)
    assert words in problem.message
    assert problem.message.endswith(".")
    assert problem.cure.endswith(".")
    assert document.value == value


def test_mistakes_after_a_syntax_error_are_found_with_their_own_columns() -> None:
    text = 'a: "open\nb: 1\n   z: 1\nc:\n\td: 1\n\td: 2\ne: [1\nf: 1\nf: 2\n'
    document = parse(text, "f")
    assert [(line, column) for line, column, _ in told(document)] == [
        (1, 4),
        (3, 4),
        (5, 1),
        (6, 2),
        (7, 4),
        (9, 1),
    ]
    assert document.value == {"a": None, "b": 1, "z": 1, "c": {"d": 1}, "e": None, "f": 1}


def test_at_most_twenty_repairs() -> None:
    assert len(parse("".join(f"k{n}: @\n" for n in range(20)), "f").problems) == 20
    document = parse("".join(f"k{n}: @\n" for n in range(40)), "f")
    assert len(document.problems) == 21
    assert document.value is None


def test_damage_is_told_for_what_lost_a_line_or_a_value() -> None:
    document = parse('a:\n  b: "x\n  c: 1\nd:\n  e: 1\n  -f\n', "f")
    assert document.damaged == {("a", "b"), ("d",)}
    assert parse("a: 1\na: 2\n", "f").damaged == frozenset()


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("a: 1\na: 2\n", {("a",)}),
        ("a: {b: 1, b: 2, c: 3}\n", {("a", "b")}),
        ("a: {b: *nobody, c: 3}\n", {("a", "b")}),
        ("a: {b: 012, c: 3}\n", {("a", "b")}),
        ("a: 1\nb: 2\n", set()),
        ("a: &x {b: *nobody}\nc: *x\n", {("a", "b"), ("c", "b")}),
    ],
)
def test_what_may_say_something_else_than_was_meant_is_doubtful(text: str, doubtful: set[tuple[str, ...]]) -> None:
    document = parse(text, "f")
    assert document.doubtful == doubtful
    assert document.damaged == frozenset()
    assert bool(document.problems) == bool(doubtful)


def test_what_was_moved_is_told() -> None:
    document = parse("a:\n  b: 1\n   c: 2\n\td: 3\n", "f")
    assert {path[-1] for path in document.moved} == {"c", "d"}
    assert document.moved <= document.damaged <= document.doubtful
    assert parse("a:\n  b 1\n  c: 2\n", "f").moved == frozenset()


def test_aliases_share_values_and_keep_the_anchors_positions() -> None:
    document = parse("x: &x {p: 1, q: [2]}\ny: *x\nz: [*x]\n", "f")
    assert document.problems == ()
    assert document.value["y"] == document.value["z"][0] == {"p": 1, "q": [2]}
    assert document.positions["y",] == (2, 1)
    assert document.positions["y", "p"] == (1, 8)
    assert document.positions["z", 0] == (3, 5)


def test_merged_keys_give_way_to_written_ones() -> None:
    text = "x: &x {p: 1, q: 2}\nw: &w {q: 5, r: 6}\ny:\n  <<: [*x, *w]\n  p: 3\n"
    document = parse(text, "f")
    assert document.problems == ()
    assert document.value["y"] == {"p": 3, "q": 2, "r": 6}
    assert document.positions["y", "p"] == (5, 3)
    assert document.positions["y", "q"] == (1, 14)


@pytest.mark.parametrize("form", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_cannot_blow_up(form: str) -> None:
    lines = ["a0: &a0 {k: [1,1,1,1,1,1,1,1,1]}"]
    for n in range(1, 12):
        body = ", ".join(f"*a{n - 1}" for _ in range(9))
        lines.append(f"a{n}: &a{n} " + form.format(body))
    document = parse("\n".join(lines), "f")
    assert len(document.positions) < 50_000
    assert ["repeat one another too often" in message for _, _, message in told(document)] == [True]


def test_a_long_chain_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 500))]
    assert "too often" in parse("\n".join(lines), "f").problems[0].message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str) -> None:
    closing = {"[": "]", "{a: ": "}", "- ": "x"}[opening]
    text = opening * 500 + closing * (1 if opening == "- " else 500)
    assert any("levels lie inside one another" in message for _, _, message in told(parse(text, "f")))


def test_read_names_the_file_as_shown(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a: 1\na: 2\n")
    assert read(path, "shown.yaml").problems[0].file == "shown.yaml"
    assert read(path).file == str(path)


def test_other_encodings_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes("a: 1\nb: häß\nb: 2\n".encode("latin-1"))
    assert told(read(path)) == [
        (2, 5, "The byte 0xE4 is not UTF-8."),
        (3, 1, "The key b is already set in line 2."),
    ]
    path.write_bytes("a: 1\n".encode("utf-16"))
    assert told(read(path)) == [(1, 1, "The file is UTF-16.")]


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="is a directory"):
        read(tmp_path)


SAMPLE = """\
a: 1
b:
  c: "two"   # why
  d: [x, {e: 3}]
  f: 'g'
list:
  - one
  - two: 2
    three: |
      text
last: &z {k: v}
"""


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(SAMPLE)),
            st.integers(0, 3),
            st.sampled_from(list("\t \"'[]{}:-,&*!|>%@#\n\\x~\x00")),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_no_text_breaks_it(edits: list[tuple[int, int, str]]) -> None:
    text = SAMPLE
    for start, length, inserted in edits:
        text = text[:start] + inserted + text[start + length :]
    document = parse(text, "f")
    lines = text.split("\n")
    for problem in document.problems:
        assert 1 <= problem.line <= len(lines)
        assert problem.column >= 1
        assert problem.cure
