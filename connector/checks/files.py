"""What can be looked at without connecting to anything: config.yaml, and each mapping that it names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connector import config as configuration
from connector.checks.mapping import MappingReport, check_mapping
from connector.checks.model import check_model
from connector.checks.report import Checked
from connector.config import Config
from connector.config.models import password_in
from connector.core.findings import Finding, Severity
from connector.core.model import Structure
from connector.errors import ConfigError, FileProblem
from connector.mapping_files import Files, shown_path
from connector.yamlfile import Steps


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
    unset = (
        *(_finding(problem, severity) for problem in config.unset),
        *_written_secrets(path),
        *_open_page(path, config),
    )
    files = tuple(dict.fromkeys(connection.mapping for connection in config.connections.values()))
    return Looked(Checked(suite, name, unset), config, files)


_SECRETS = frozenset({"client_secret", "token", "private_key", "webhook"})
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def _written_secrets(path: Path) -> Iterator[Finding]:
    """Secrets that stand in the file itself, which goes into git; those of a service on this machine do no harm."""
    found = [
        (document, one)
        for _, document in configuration.documents_of(path, os.environ)
        for one in _texts(document.value)
    ]
    for document, (steps, text) in found:
        if "${" in text or not (steps[-1] in _SECRETS or any(password_in(text))):
            continue
        cure = "Write ${NAME} there, and set that environment variable; replace the secret if the file was shared."
        message = f"{'.'.join(map(str, steps))} has a secret in the file itself, for everybody who reads the file."
        yield _finding(document.problem(steps, message, cure), Severity.WARNING)


def _open_page(path: Path, config: Config) -> Iterator[Finding]:
    """A page with another name is reached from elsewhere: by way of a proxy, which comes from this machine."""
    web = config.web
    if web.listen == "off" or web.token is not None or not web.hosts:
        return
    (_, document), *_ = configuration.documents_of(path, os.environ)
    message = (
        "web.hosts lets the page be reached by way of a proxy, and without web.token whoever reaches that may use it."
    )
    cure = "Set web.token, and have the proxy send it once it knows the person, or have people sign in with it."
    yield _finding(document.problem(("web", "hosts"), message, cure), Severity.WARNING)


def _texts(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Each text below, with where it stands; not those of a Salesforce org on this machine."""
    if isinstance(value, str) and steps:
        yield steps, value
    if not isinstance(value, dict) or urlsplit(str(value.get("login_url", ""))).hostname in _HERE:
        return
    for key, inner in value.items():
        yield from _texts(inner, (*steps, key))


def _finding(problem: FileProblem, severity: Severity = Severity.ERROR) -> Finding:
    return Finding.from_problem(problem, "configuration", severity)


def _bare(error: ConfigError, path: Path | None) -> Finding:
    return Finding(Severity.ERROR, "configuration", error.message, error.cure, file=str(path or ""))


def _named_mappings(path: Path) -> tuple[Files, ...]:
    """The mapping files that a faulty configuration names, so that they are checked all the same."""
    (_, document), *files = configuration.documents_of(path, os.environ)
    connections = document.value.get("connections") if isinstance(document.value, dict) else None
    sections = [*(connections.values() if isinstance(connections, dict) else []), *(one.value for _, one in files)]
    named = [section.get("mapping") for section in sections if isinstance(section, dict)]
    folder = path.absolute().parent
    found = [tuple(folder / str(name) for name in (names if isinstance(names, list) else [names])) for names in named]
    return tuple(files for files in dict.fromkeys(found) if files and all(map(Path.is_file, files)))


@dataclass(frozen=True, slots=True)
class LookedInto:
    """What came of one mapping: everything that was looked at, and how much of what AWS takes is mapped.

    ``is_usable``: records can be put through it, whatever comes of them.
    """

    checked: tuple[Checked, ...]
    coverage: Structure
    is_usable: bool


def check_files(files: Files) -> LookedInto:
    """Look at a mapping, its cases, and what changed at AWS since it was last looked at."""
    report, suite = check_mapping(files), f"mapping {shown_path(files)}"
    own = tuple(finding for finding in report.findings if finding.kind != "case")
    model = Checked(suite, "AWS's model", check_model(files, report.mapping))
    checked = (Checked(suite, "what stands in it", own), *_cases(suite, report), model)
    return LookedInto(checked, report.coverage.to_json(), report.mapping is not None)


def _cases(suite: str, report: MappingReport) -> list[Checked]:
    failed = {(one.file, one.line): one for one in report.findings if one.kind == "case"}
    cases = report.mapping.cases if report.mapping is not None else ()
    known = {(case.file, case.line) for case in cases}
    found = [Checked(suite, f"case: {case.name}", _only(failed.get((case.file, case.line)))) for case in cases]
    return found + [Checked(suite, f"case in line {one.line}", (one,)) for at, one in failed.items() if at not in known]


def _only(finding: Finding | None) -> tuple[Finding, ...]:
    return () if finding is None else (finding,)
