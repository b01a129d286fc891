"""What ``connector check`` came to, in the formats of other programs: JSON, GitHub's annotations, JUnit's XML.

Gives text and prints nothing. What stands in a message comes from files, orgs and services, so every character that
means something to the reading program is escaped, and what it cannot take at all is left out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from xml.etree import ElementTree as ET

from connector.checks.report import Checked, Report, problems_of
from connector.core.findings import Finding, Severity, in_order
from connector.core.model import Structure

Format: TypeAlias = Literal["json", "github", "junit"]
FORMATS: tuple[Format, ...] = get_args(Format)

_COMMANDS: Mapping[Severity, str] = {
    Severity.HALT: "error",
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}
# XML 1.0 has no way to write these, not even escaped, or advises against it; on a terminal they would be commands.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, format: Format, coverage: Structure, root: Path) -> str:  # noqa: A002 - as the option is called
    """The report in a format for programs, without a line feed at its end.

    ``coverage`` is shown in JSON only. ``root`` is the folder that the files of GitHub's annotations are relative to.
    """
    if format == "github":
        return to_github(report.findings, root)
    if format == "junit":
        return to_junit(report.checked)
    return json.dumps(to_json(report.findings, coverage, report.exit_code), indent=2)


def to_json(findings: Sequence[Finding], coverage: Structure, exit_code: int) -> Structure:
    """What ``--json`` prints: halts, errors and warnings as objects, the worst first, and notes as sentences."""
    ordered = in_order(list(findings))
    problems = problems_of(ordered)
    return {
        "problems": [finding.to_json() for finding in problems],
        "notes": [str(finding) for finding in ordered if finding not in problems],
        "coverage": coverage,
        "exit_code": exit_code,
    }


# GitHub: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions


def to_github(findings: Sequence[Finding], root: Path) -> str:
    """One workflow command a line for each finding, the worst first.

    A file that lies below ``root``, the folder of the repository, is named as the repository does; others as they are.
    """
    return "\n".join(_command_of(finding, root) for finding in in_order(list(findings)))


def _command_of(finding: Finding, root: Path) -> str:
    properties: dict[str, object] = {}
    if finding.file:
        properties["file"] = _name_in(root, finding.file)
        properties |= {"line": finding.line or None, "col": (finding.line and finding.column) or None}
    properties["title"] = f"connector check: {finding.kind}"
    shown = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items() if value is not None)
    return f"::{_COMMANDS[finding.severity]} {shown}::{_data(_sentences_of(finding))}"


def _name_in(root: Path, file: str) -> str:
    """The name of a file, which may be told relative to the working directory, in the repository."""
    try:
        path, folder = Path(file).resolve(), root.resolve()
        is_there = path.is_relative_to(folder) and path.exists()
    except (OSError, ValueError):  # too long for a path, or no text for one
        return file
    return path.relative_to(folder).as_posix() if is_there else file


def _data(text: str) -> str:
    return _written(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# JUnit: nesting and attributes as Jenkins, GitLab and the actions for GitHub take them


def to_junit(checked: Sequence[Checked]) -> str:
    """JUnit's XML: a test case for each thing that was looked at, in ASCII, so that no encoding on the way harms it.

    A failure is what a person must edit, an error what could not be looked at because a service is out of reach.
    There is nothing for warnings and notes in this format: they stand in the output of a test case that has passed.
    """
    suites = [_suite_of(name, group) for name, group in _by_suite(checked).items()]
    total = {name: str(sum(int(suite.get(name, 0)) for suite in suites)) for name in ("tests", "failures", "errors")}
    root = ET.Element("testsuites", {"name": "connector check", **total})
    root.extend(suites)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return document.decode("ascii")


def _by_suite(checked: Sequence[Checked]) -> dict[str, list[Checked]]:
    found: dict[str, list[Checked]] = {}
    for one in checked:
        found.setdefault(_written(one.suite), []).append(one)
    return found


def _suite_of(name: str, group: Sequence[Checked]) -> ET.Element:
    cases = [_case_of(one, title) for one, title in zip(group, _told_apart(one.name for one in group), strict=True)]
    counts = Counter(child.tag for case in cases for child in case)
    totals = {"tests": len(cases), "failures": counts["failure"], "errors": counts["error"]}
    totals["skipped"] = counts["skipped"]
    written = {key: str(value) for key, value in totals.items()}
    suite = ET.Element("testsuite", {"name": name, **written})
    suite.extend(cases)
    return suite


def _told_apart(names: Iterable[str]) -> list[str]:
    """The names, numbered where one comes again: GitLab takes two of the same name for one."""
    taken: set[str] = set()
    found = []
    for name in map(_written, names):
        number, title = 1, name
        while title in taken:
            number += 1
            title = f"{name} ({number})"
        taken.add(title)
        found.append(title)
    return found


def _case_of(one: Checked, title: str) -> ET.Element:
    case = ET.Element("testcase", {"name": title, "classname": _written(one.suite)})
    findings = in_order(list(one.findings))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    halts = [finding for finding in findings if finding.severity is Severity.HALT]
    others = [finding for finding in findings if finding not in errors and finding not in halts]
    if errors or halts:
        # One element only, as most readers look at no second one; GitLab shows its text, Jenkins the message too.
        tag, first = ("failure", errors[0]) if errors else ("error", halts[0])
        attributes = {"message": _written(_sentences_of(first)), "type": _written(first.kind)}
        ET.SubElement(case, tag, attributes).text = _lines_of([*errors, *halts])
    elif one.skipped:
        ET.SubElement(case, "skipped", {"message": _written(one.skipped)})
    if others:
        ET.SubElement(case, "system-out").text = _lines_of(others)
    return case


def _lines_of(findings: Sequence[Finding]) -> str:
    return _written("\n".join(f"{finding.severity}: {finding}" for finding in findings))


def _sentences_of(finding: Finding) -> str:
    """A finding without its place in a file."""
    owner = f"{finding.connection}: " if finding.connection else ""
    return f"{owner}{finding.message} {finding.cure}".rstrip()


def _written(text: str) -> str:
    return _UNWRITABLE.sub("", text)
