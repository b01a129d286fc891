"""``connector check``: everything wrong with configuration and mapping at once; online also both services."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from connector import log
from connector.app import App
from connector.checks.aws import check_aws
from connector.checks.files import Looked, check_config, check_files
from connector.checks.formats import render
from connector.checks.model import record_model
from connector.checks.org import check_org
from connector.checks.report import Checked, Report
from connector.commands.plain import to_plain
from connector.commands.tables import console
from connector.config import Config
from connector.core.findings import Finding, Severity
from connector.core.model import Structure
from connector.errors import ConnectorError, UserError
from connector.mapping_files import Files, shown_path

_LINES = 6
"""So many other places of the same finding are named."""
_COLOURS = {Severity.HALT: "red", Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def check(
    config: Path | None, connection: str | None, log_level: str | None, *, offline: bool, form: str, record: bool
) -> int:
    """Print what was found; exit code 2 if a person must edit something, 3 if a service is out of reach, else 0.

    ``form`` is text, json, github or junit. ``record``: note AWS's model beside each mapping that has no mistake.
    """
    looked = check_config(config, os.environ, offline=offline)
    app = None if looked.config is None else _app(looked.config, connection, log_level)
    checked, coverage, usable = [looked.checked], {}, set[Files]()
    for files in _mappings(looked, app):
        into = check_files(files)
        checked += into.checked
        coverage[shown_path(files)] = into.coverage
        if into.is_usable:
            usable.add(files)
        if record and not Report(into.checked).exit_code:
            checked.append(_recorded(files))
    if app is not None and not offline and not app.config.unset:
        for name in app.connections:
            checked += _online(app, name, usable)
    elif not offline:
        checked.append(Checked("configuration", "Salesforce and AWS", skipped="The configuration has mistakes."))
    report = Report(tuple(checked))
    _print(report, coverage, form)
    return report.exit_code


def _app(config: Config, connection: str | None, log_level: str | None) -> App:
    log.configure((log_level or "WARNING").upper(), config.log.format)
    for secret in config.secrets():
        log.redact(secret)
    return App(config, only=connection, notes=False)


def _mappings(looked: Looked, app: App | None) -> tuple[Files, ...]:
    """Those of the chosen connections; of a faulty configuration all that it names."""
    if app is None:
        return looked.mappings
    return tuple(dict.fromkeys(connection.mapping for connection in app.connections.values()))


def _recorded(files: Files) -> Checked:
    written = shown_path(record_model(files))
    message = f"AWS's model is noted in {written}; keep it in git beside the mapping."
    return Checked(f"mapping {shown_path(files)}", "AWS's model, noted", (Finding(Severity.NOTE, "drift", message),))


def _online(app: App, name: str, usable: set[Files]) -> tuple[Checked, ...]:
    """Look at both services for one connection, as far as its mapping can be used."""
    if app.connections[name].mapping not in usable:
        return (Checked(f"connection {name}", "Salesforce and AWS", skipped="Its mapping has mistakes."),)
    alone = App(app.config, app.stopping, name, notes=False)
    try:
        context = alone.contexts[name]
        return (*check_org(alone, context), *check_aws(alone, context))
    except ConnectorError as error:
        severity = Severity.ERROR if isinstance(error, UserError) else Severity.HALT
        told = Finding(severity, "service", error.message, error.cure, connection=name)
        return (Checked(f"connection {name}", "services", (told,)),)


def _print(report: Report, coverage: Structure, form: str) -> None:
    if form != "text":
        text = render(report, form, coverage, Path(os.environ.get("GITHUB_WORKSPACE", ".")))  # type: ignore[arg-type]
        click.echo(to_plain(text))
        return
    printer = console()
    for one in report.checked:
        if one.skipped:
            printer.print(
                f"skipped {one.suite}: {one.name}. {one.skipped}", style="yellow", markup=False, soft_wrap=True
            )
    for finding, others in _folded(report.findings):
        printer.print(f"{finding.severity:<8}", style=_COLOURS[finding.severity], end="", markup=False)
        printer.print(f"{finding}{_as_well(others)}", markup=False, soft_wrap=True)
    printer.print(_sum_of(report), markup=False)


def _folded(findings: Sequence[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Each finding with the others that say the same: one mistake may make every case of a mapping fail."""
    first: dict[object, tuple[Finding, list[Finding]]] = {}
    for one in findings:
        reason = one.message.partition("' fails: ")[2] or one.message.partition('" fails: ')[2]
        key = (one.file, reason, one.cure) if one.kind == "case" and reason else one
        first.setdefault(key, (one, []))[1].append(one)
    return [(one, same[1:]) for one, same in first.values()]


def _as_well(others: list[Finding]) -> str:
    if not others:
        return ""
    several = "s fail" if len(others) > 1 else " fails"
    lines = ", ".join(str(one.line) for one in others[:_LINES])
    more = f" and {len(others) - _LINES} more" if len(others) > _LINES else ""
    return f" {len(others)} other case{several} for the same reason: line{'s' * (len(others) > 1)} {lines}{more}."


def _sum_of(report: Report) -> str:
    counts = Counter(finding.severity for finding in report.problems)
    told = [f"{count} {severity}{'s' * (count != 1)}" for severity in Severity if (count := counts[severity])]
    number = len(report.checked)
    looked = "1 thing was looked at" if number == 1 else f"{number} things were looked at"
    return f"{looked}: {', '.join(told)}." if told else f"{looked}. Everything is in order."
