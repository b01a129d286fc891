"""``connector check``: everything wrong with configuration and mapping at once; online also both services."""

from __future__ import annotations

import os
import threading
from collections import Counter
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
from connector.commands.tables import console
from connector.config import Config
from connector.core.findings import Finding, Severity
from connector.core.model import Structure
from connector.errors import ConnectorError, UserError
from connector.mapping_files import Files, shown_path

_COLOURS = {Severity.HALT: "red", Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def check(
    config: Path | None, connection: str | None, log_level: str | None, *, offline: bool, form: str, record: bool
) -> int:
    """Print what was found; exit code 2 if a person must edit something, 3 if a service is out of reach, else 0.

    ``form`` is text, json, github or junit. ``record``: note AWS's model beside each mapping that has no mistake.
    """
    looked = check_config(config, os.environ, offline=offline)
    app = None if looked.config is None else _app(looked.config, connection, log_level)
    checked, coverage, sound = [looked.checked], {}, set[Files]()
    for files in _mappings(looked, app):
        into = check_files(files)
        checked += into.checked
        coverage[shown_path(files)] = into.coverage
        if not Report(into.checked).exit_code:
            sound.add(files)
            if record:
                checked.append(_recorded(files))
    if app is not None and not offline and not app.config.unset:
        for name in app.connections:
            checked += _online(app, name, sound)
    report = Report(tuple(checked))
    _print(report, coverage, form)
    return report.exit_code


def _app(config: Config, connection: str | None, log_level: str | None) -> App:
    log.configure((log_level or "WARNING").upper(), config.log.format)
    for secret in config.secrets():
        log.redact(secret)
    return App(config, threading.Event(), connection)


def _mappings(looked: Looked, app: App | None) -> tuple[Files, ...]:
    """Those of the chosen connections; of a faulty configuration all that it names."""
    if app is None:
        return looked.mappings
    return tuple(dict.fromkeys(connection.mapping for connection in app.connections.values()))


def _recorded(files: Files) -> Checked:
    written = shown_path(record_model(files))
    message = f"AWS's model is noted in {written}; keep it in git beside the mapping."
    return Checked(f"mapping {shown_path(files)}", "AWS's model, noted", (Finding(Severity.NOTE, "drift", message),))


def _online(app: App, name: str, sound: set[Files]) -> tuple[Checked, ...]:
    """Look at both services for one connection, whose mapping must be without mistake."""
    if app.connections[name].mapping not in sound:
        return (Checked(f"connection {name}", "Salesforce and AWS", skipped="Its mapping has mistakes."),)
    alone = App(app.config, app.stopping, name)
    try:
        context = alone.contexts[name]
        return (*check_org(alone, context), *check_aws(alone, context))
    except UserError:
        raise
    except ConnectorError as error:
        halt = Finding(Severity.HALT, "service", error.message, error.cure, connection=name)
        return (Checked(f"connection {name}", "services", (halt,)),)


def _print(report: Report, coverage: Structure, form: str) -> None:
    if form != "text":
        click.echo(render(report, form, coverage, Path(os.environ.get("GITHUB_WORKSPACE", "."))))  # type: ignore[arg-type]
        return
    printer = console()
    for finding in report.findings:
        printer.print(f"{finding.severity:<8}", style=_COLOURS[finding.severity], end="", markup=False)
        printer.print(str(finding), markup=False, soft_wrap=True)
    printer.print(_sum_of(report), markup=False)


def _sum_of(report: Report) -> str:
    counts = Counter(finding.severity for finding in report.problems)
    told = [f"{count} {severity}{'s' * (count != 1)}" for severity in Severity if (count := counts[severity])]
    looked = f"{len(report.checked)} things were looked at"
    return f"{looked}: {', '.join(told)}." if told else f"{looked}. Everything is in order."
