"""What other programs read of a check. Each format is read back here as its reader does it, whatever stands in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connector.checks.formats import FORMATS, render, to_github, to_json, to_junit
from connector.checks.report import Checked, Report, exit_code_of
from connector.core.findings import Finding, Severity

HALT = Finding(Severity.HALT, "login", "Salesforce refuses the login.", "Look at the certificate.", "acme")
ERROR = Finding(Severity.ERROR, "mapping", "There is no transform 'trimm'.", "Did you mean 'trim'?", "", "m.yaml", 4, 7)
WARNING = Finding(Severity.WARNING, "drift", "AWS takes 'Space'.", "Add it.", file="m.yaml", line=9, column=3)
NOTE = Finding(Severity.NOTE, "coverage", "7 of 9 fields are mapped.", file="m.yaml")
LAST = Finding(Severity.ERROR, "config", "There is no key.", "Make one.", file="config.yaml")
REPORT = Report(
    (
        Checked("mapping m.yaml", "m.yaml", (NOTE, ERROR)),
        Checked("mapping m.yaml", "drift", (WARNING,)),
        Checked("connection acme", "Salesforce", (HALT,)),
        Checked("connection acme", "AWS", skipped="Salesforce is out of reach."),
        Checked("mapping m.yaml", "a case"),
        Checked("mapping m.yaml", "a case", (LAST, ERROR)),
    )
)
HOSTILE = [
    "two\nlines\r\nand a third\r::error::forged",
    "::warning file=a.py::forged",
    "100% of it, %0A and %3A",
    "a,b=c:d;e",
    "</failure><testcase name='forged'/>]]>&amp;&#0;",
    "".join(map(chr, range(32))) + "\x7f\x85\x9b\u2028\ud800\udfff\ufffe\uffff",
    "long " * 50_000,
    "Zürich 北京 😀",
    "",
]


# the report


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((), 0),
        ((NOTE, WARNING), 0),
        ((HALT,), 3),
        ((WARNING, HALT, NOTE), 3),
        ((ERROR,), 2),
        ((HALT, ERROR), 2),
    ],
)
def test_the_exit_code_is_that_of_what_a_person_can_mend_first(findings: tuple[Finding, ...], code: int) -> None:
    assert exit_code_of(findings) == code
    assert Report((Checked("a", "b"), Checked("a", "c", findings))).exit_code == code


def test_a_report_tells_each_finding_once_the_worst_first() -> None:
    assert REPORT.findings == (HALT, LAST, ERROR, WARNING, NOTE)
    assert REPORT.problems == (HALT, LAST, ERROR, WARNING)
    assert REPORT.notes == (NOTE,)
    assert REPORT.checked[0].problems == (ERROR,)
    assert Report().findings == ()


# JSON


def test_json_has_problems_as_objects_and_notes_as_sentences() -> None:
    coverage = {"mapped": 7, "missing": ["Project.Title"]}
    shown = to_json([NOTE, WARNING, LAST, ERROR, HALT, ERROR], coverage, 2)
    assert list(shown) == ["problems", "notes", "coverage", "exit_code"]
    assert shown["problems"] == [one.to_json() for one in (HALT, LAST, ERROR, WARNING)]
    assert shown["notes"] == ["m.yaml: 7 of 9 fields are mapped."]
    assert (shown["coverage"], shown["exit_code"]) == (coverage, 2)
    assert json.loads(render(REPORT, "json", coverage, Path())) == shown
    assert shown["problems"][2] == {
        "severity": "error",
        "kind": "mapping",
        "message": "There is no transform 'trimm'.",
        "cure": "Did you mean 'trim'?",
        "connection": "",
        "file": "m.yaml",
        "line": 4,
        "column": 7,
        "aws_path": "",
        "salesforce_field": "",
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_one_document_of_ascii_whatever_stands_in_it(text: str) -> None:
    report = Report((Checked(text, text, (Finding(Severity.ERROR, text, text, text, text, text),)),))
    shown = render(report, "json", {}, Path())
    assert shown.isascii()
    assert json.loads(shown)["problems"][0]["message"].encode("utf-16", "surrogatepass") == text.encode(
        "utf-16", "surrogatepass"
    )


# GitHub


def read_commands(output: str) -> list[tuple[str, dict[str, str], str]]:
    """The workflow commands of a log as (name, properties, message), as a runner reads them: line by line."""
    found = []
    for line in re.split(r"\r\n|\r|\n", output):
        match = re.fullmatch(r"::([a-z-]+)(?: (.*?))?::(.*)", line)
        if match is not None:
            pairs = [pair.split("=", 1) for pair in (match[2] or "").split(",") if pair]
            found.append((match[1], {name: _unescaped(value) for name, value in pairs}, _unescaped(match[3])))
    return found


def _unescaped(text: str) -> str:
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_what_reads_commands_here_reads_the_documented_examples() -> None:
    """From the page on workflow commands, and its order of the parameters."""
    example = "::error file=app.js,line=1,col=5,endColumn=7,title=YOUR-TITLE::Missing semicolon"
    properties = {"file": "app.js", "line": "1", "col": "5", "endColumn": "7", "title": "YOUR-TITLE"}
    assert read_commands(example) == [("error", properties, "Missing semicolon")]
    assert read_commands("::notice::Hello") == [("notice", {}, "Hello")]


def test_github_gets_a_command_for_each_finding(tmp_path: Path) -> None:
    assert to_github(REPORT.findings, tmp_path).split("\n") == [
        "::error title=connector check%3A login::acme: Salesforce refuses the login. Look at the certificate.",
        "::error file=config.yaml,title=connector check%3A config::There is no key. Make one.",
        f"::error file=m.yaml,line=4,col=7,title=connector check%3A mapping::{ERROR.message} {ERROR.cure}",
        "::warning file=m.yaml,line=9,col=3,title=connector check%3A drift::AWS takes 'Space'. Add it.",
        "::notice file=m.yaml,title=connector check%3A coverage::7 of 9 fields are mapped.",
    ]
    assert to_github((), tmp_path) == ""


def test_github_escapes_what_its_page_names(tmp_path: Path) -> None:
    finding = Finding(Severity.ERROR, "a,b:c", "50%\r\nof: a,b", file="a,b:c%.yaml", line=1)
    assert to_github([finding], tmp_path) == (
        "::error file=a%2Cb%3Ac%25.yaml,line=1,title=connector check%3A a%2Cb%3Ac::50%25%0D%0Aof: a,b"
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_github_reads_one_command_and_the_whole_text(text: str, tmp_path: Path) -> None:
    finding = Finding(Severity.WARNING, f"kind{text[:99]}", f"It is {text}.", "", "", f"f{text[:99]}", 3, 4)
    output = to_github([finding], tmp_path)
    ((name, properties, message),) = read_commands(output)
    assert name == "warning"
    assert list(properties) == ["file", "line", "col", "title"]
    assert message == f"It is {_writable(text)}."
    assert properties["file"] == f"f{_writable(text[:99])}"
    assert properties["title"] == f"connector check: kind{_writable(text[:99])}"
    output.encode("utf-8")


def _writable(text: str) -> str:
    """What XML 1.0 has characters for, without those that it advises against."""
    ranges = ((0x20, 0x7E), (0x85, 0x85), (0xA0, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
    return "".join(one for one in text if one in "\t\n\r" or any(low <= ord(one) <= high for low, high in ranges))


def test_github_names_files_as_the_repository_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connector runs in a folder of the repository; a file that is not there is named as it was told."""
    folder = tmp_path / "crm" / "aws"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in ("mine.yaml", "../shared.yaml"):
        (folder / name).write_text("", encoding="utf-8")
    told = {
        "mine.yaml": "crm/aws/mine.yaml",
        "../shared.yaml": "crm/shared.yaml",
        str(tmp_path / "crm" / "shared.yaml"): "crm/shared.yaml",
        "mappings/opportunity.yaml": "mappings/opportunity.yaml",
        "/nowhere/config.yaml": "/nowhere/config.yaml",
    }
    for file, name in told.items():
        ((_, properties, _),) = read_commands(to_github([Finding(Severity.NOTE, "k", "m", file=file)], tmp_path))
        assert properties["file"] == name


# JUnit


def _attributes(required: str, optional: str) -> str:
    named = [(name, "required") for name in required.split()] + [(name, "optional") for name in optional.split()]
    return "".join(f'<xs:attribute name="{name}" type="xs:string" use="{use}"/>' for name, use in named)


def _message(name: str) -> str:
    inner = f'<xs:complexType mixed="true">{_attributes("", "message type")}</xs:complexType>'
    return f'<xs:element name="{name}">{inner}</xs:element>'


def _parent(name: str, group: str, attributes: str) -> str:
    inner = f"<xs:complexType>{group}{attributes}</xs:complexType>"
    return f'<xs:element name="{name}">{inner}</xs:element>'


def _choice(*names: str) -> str:
    inner = "".join(f'<xs:element ref="{name}"/>' for name in names)
    return f'<xs:choice minOccurs="0" maxOccurs="unbounded">{inner}</xs:choice>'


# What Jenkins' xUnit plugin demands, of which GitLab and the actions for GitHub read a part.
SCHEMA = etree.XMLSchema(
    etree.fromstring(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
        + "".join(map(_message, ("failure", "error", "skipped")))
        + '<xs:element name="system-out" type="xs:string"/>'
        + _parent(
            "testcase", _choice("skipped", "error", "failure", "system-out"), _attributes("name", "classname time")
        )
        + _parent("testsuite", _choice("testcase"), _attributes("name tests failures errors", "skipped time"))
        + _parent("testsuites", _choice("testsuite"), _attributes("", "name tests failures errors time"))
        + "</xs:schema>"
    )
)


def read_junit(text: str) -> Any:
    """The document, checked for its structure, its counts, and that no test case is taken for another."""
    root = etree.fromstring(text.encode("ascii"))
    SCHEMA.assertValid(root)
    for parent in (root, *root.iter("testsuite")):
        counted = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
        for attribute, tag in counted.items():
            if attribute in parent.attrib:
                assert int(parent.get(attribute)) == len(list(parent.iter(tag))), (parent.get("name"), attribute)
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    for case in root.iter("testcase"):
        assert len([child for child in case if child.tag != "system-out"]) <= 1
    return root


def test_junit_has_a_test_case_for_each_thing_that_was_looked_at() -> None:
    root = read_junit(to_junit(REPORT.checked))
    assert dict(root.attrib) == {"name": "connector check", "tests": "6", "failures": "2", "errors": "1"}
    assert [dict(suite.attrib) for suite in root] == [
        {"name": "mapping m.yaml", "tests": "4", "failures": "2", "errors": "0", "skipped": "0"},
        {"name": "connection acme", "tests": "2", "failures": "0", "errors": "1", "skipped": "1"},
    ]
    assert [
        (case.get("classname"), case.get("name"), [child.tag for child in case]) for case in root.iter("testcase")
    ] == [
        ("mapping m.yaml", "m.yaml", ["failure", "system-out"]),
        ("mapping m.yaml", "drift", ["system-out"]),
        ("mapping m.yaml", "a case", []),
        ("mapping m.yaml", "a case (2)", ["failure"]),
        ("connection acme", "Salesforce", ["error"]),
        ("connection acme", "AWS", ["skipped"]),
    ]


def test_junit_tells_all_that_was_found() -> None:
    root = read_junit(to_junit(REPORT.checked))
    first, second = root.iter("failure")
    assert dict(first.attrib) == {"message": "There is no transform 'trimm'. Did you mean 'trim'?", "type": "mapping"}
    assert first.text == "error: m.yaml:4:7: There is no transform 'trimm'. Did you mean 'trim'?"
    assert second.get("message") == "There is no key. Make one."
    assert second.text.split("\n") == ["error: config.yaml: There is no key. Make one.", first.text]
    (error,) = root.iter("error")
    assert error.get("message") == "acme: Salesforce refuses the login. Look at the certificate."
    assert [one.text for one in root.iter("system-out")] == [f"note: {NOTE}", f"warning: {WARNING}"]
    assert [one.get("message") for one in root.iter("skipped")] == ["Salesforce is out of reach."]


def test_junit_counts_what_is_both_wrong_and_out_of_reach_as_a_failure() -> None:
    root = read_junit(to_junit([Checked("a", "b", (HALT, ERROR), skipped="not shown")]))
    (case,) = root.iter("testcase")
    (failure,) = case
    assert failure.tag == "failure"
    assert failure.text.split("\n") == [f"error: {ERROR}", f"halt: {HALT}"]


def test_junit_of_nothing_is_a_document_too() -> None:
    root = read_junit(to_junit(()))
    assert dict(root.attrib) == {"name": "connector check", "tests": "0", "failures": "0", "errors": "0"}
    assert len(root) == 0


def test_junit_tells_names_apart_that_differ_in_nothing_that_can_be_written() -> None:
    names = ["a", "a (2)", "a", "a\x00", "a (2)"]
    root = read_junit(to_junit([Checked("s", name) for name in names]))
    assert [case.get("name") for case in root.iter("testcase")] == ["a", "a (2)", "a (3)", "a (4)", "a (2) (2)"]


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_holds_whatever_can_be_written_and_nothing_else(text: str) -> None:
    finding = Finding(Severity.ERROR, text, f"It is {text}.", connection="c")
    root = read_junit(
        to_junit([Checked(text, text, (finding, NOTE)), Checked(text, "skipped", skipped=f"For {text}.")])
    )
    kept = _writable(text)
    (failure,) = root.iter("failure")
    assert failure.get("message") == f"c: It is {kept}."
    assert failure.get("type") == kept
    assert failure.text == re.sub(r"\r\n?", "\n", f"error: c: It is {kept}.")  # as every reader of XML does
    assert [suite.get("name") for suite in root] == [kept]
    assert next(root.iter("testcase")).get("name") == kept
    assert next(root.iter("skipped")).get("message") == f"For {kept}."


@given(
    st.lists(
        st.tuples(st.text(max_size=9), st.text(max_size=9), st.sampled_from([HALT, ERROR, WARNING, NOTE])), max_size=9
    )
)
def test_every_format_can_be_read_whatever_the_names(entries: list[tuple[str, str, Finding]]) -> None:
    report = Report(tuple(Checked(suite, name, (finding,)) for suite, name, finding in entries))
    shown = {format_: render(report, format_, {}, Path()) for format_ in FORMATS}
    assert len(read_commands(shown["github"])) == len(report.findings)
    assert int(read_junit(shown["junit"]).get("tests")) == len(entries)
    assert json.loads(shown["json"])["exit_code"] == report.exit_code
