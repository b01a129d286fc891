"""What can be looked at without connecting to anything: config.yaml, and each mapping that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connector import config as configuration
from connector import yamlfile
from connector.checks.mapping import MappingReport, check_mapping
from connector.checks.model import check_model
from connector.checks.report import Checked
from connector.config import Config
from connector.core.findings import Finding, Severity
from connector.core.model import Structure
from connector.errors import ConfigError, FileProblem
from connector.mapping_files import Files, shown_path


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of config.yaml: ``config`` is None where it cannot be used; ``mappings`` are all that it names."""

    checked: Checked
    config: Config | None
    mappings: tuple[Files, ...]


def check_config(option: Path | None, environment: Mapping[str, str], *, offline: bool) -> Looked:
    """Look at config.yaml. ``offline``: secrets that are not on this machine are a note only."""
    try:
        path = configuration.locate(option, environment)
    except ConfigError as error:
        return Looked(Checked("configuration", "config.yaml", (_bare(error, option),)), None, ())
    suite, name = "configuration", shown_path(path)
    try:
        config = configuration.load(path, environment, forgiving=True)
    except ConfigError as error:
        found = tuple(_finding(problem) for problem in error.problems) or (_bare(error, path),)
        return Looked(Checked(suite, name, found), None, _named_mappings(path))
    severity = Severity.NOTE if offline else Severity.ERROR
    unset = tuple(_finding(problem, severity) for problem in config.unset)
    files = tuple(dict.fromkeys(connection.mapping for connection in config.connections.values()))
    return Looked(Checked(suite, name, unset), config, files)


def _finding(problem: FileProblem, severity: Severity = Severity.ERROR) -> Finding:
    return Finding.from_problem(problem, "configuration", severity)


def _bare(error: ConfigError, path: Path | None) -> Finding:
    return Finding(Severity.ERROR, "configuration", error.message, error.cure, file=str(path or ""))


def _named_mappings(path: Path) -> tuple[Files, ...]:
    """The mapping files that a faulty configuration names, so that they are checked all the same."""
    value = yamlfile.read(path).value
    connections = value.get("connections") if isinstance(value, dict) else None
    sections = connections.values() if isinstance(connections, dict) else []
    named = [section.get("mapping") for section in sections if isinstance(section, dict)]
    folder = path.absolute().parent
    found = [tuple(folder / str(name) for name in (names if isinstance(names, list) else [names])) for names in named]
    return tuple(files for files in dict.fromkeys(found) if all(file.is_file() for file in files))


@dataclass(frozen=True, slots=True)
class LookedInto:
    """What came of one mapping: everything that was looked at, and how much of what AWS takes is mapped."""

    checked: tuple[Checked, ...]
    coverage: Structure


def check_files(files: Files) -> LookedInto:
    """Look at a mapping, its cases, and what changed at AWS since it was last looked at."""
    report, suite = check_mapping(files), f"mapping {shown_path(files)}"
    own = tuple(finding for finding in report.findings if finding.kind != "case")
    model = Checked(suite, "AWS's model", check_model(files, report.mapping))
    checked = (Checked(suite, "what stands in it", own), *_cases(suite, report), model)
    return LookedInto(checked, report.coverage.to_json())


def _cases(suite: str, report: MappingReport) -> list[Checked]:
    failed = {(one.file, one.line): one for one in report.findings if one.kind == "case"}
    cases = report.mapping.cases if report.mapping is not None else ()
    known = {(case.file, case.line) for case in cases}
    found = [Checked(suite, f"case: {case.name}", _only(failed.get((case.file, case.line)))) for case in cases]
    return found + [Checked(suite, f"case in line {one.line}", (one,)) for at, one in failed.items() if at not in known]


def _only(finding: Finding | None) -> tuple[Finding, ...]:
    return () if finding is None else (finding,)
