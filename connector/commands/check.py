"""``connector check``: everything wrong with configuration and mapping at once; online also both services."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from connector import config as configuration
from connector import yamlfile
from connector.app import App
from connector.commands.session import DONE, EDIT, HALTED, open_app, print_json
from connector.commands.tables import console
from connector.core.mapping import CompiledMapping
from connector.core.mapping.nodes import leaves_of
from connector.errors import ConfigError, ConnectorError, FileProblem, UserError
from connector.mapping_files import Files, read_mapping, shown_path
from connector.sync import Context

_READ_ONLY = {"LifeCycle.ReviewComments", "LifeCycle.ReviewStatusReason"}


def check(config: Path | None, connection: str | None, log_level: str | None, *, offline: bool, as_json: bool) -> int:
    """Print every problem and what was found right; exit code 2 if there are any, 3 if a service is out of reach."""
    found = Findings()
    try:
        app = open_app(config, connection, log_level)
    except ConfigError as error:
        for files in _named_mappings(config):
            found.mapping(files)
        found.problems = [*(error.problems or (_bare(error),)), *found.problems]
    else:
        for files in dict.fromkeys(entry.mapping for entry in app.connections.values()):
            found.mapping(files)
        if not offline and not found.problems:
            for context in app.contexts.values():
                found.online(app, context)
    return found.print(as_json=as_json)


def _named_mappings(config: Path | None) -> list[Files]:
    """The mapping files that a faulty configuration names, so that they are checked all the same."""
    try:
        path = configuration.locate(config, os.environ)
    except ConfigError:
        return []
    value = yamlfile.read(path).value
    connections = value.get("connections") if isinstance(value, dict) else None
    sections = connections.values() if isinstance(connections, dict) else []
    named = [section.get("mapping") for section in sections if isinstance(section, dict)]
    folder = path.absolute().parent
    found = [tuple(folder / str(name) for name in (names if isinstance(names, list) else [names])) for names in named]
    return [files for files in dict.fromkeys(found) if all(file.is_file() for file in files)]


def _bare(error: UserError) -> FileProblem:
    return FileProblem("config.yaml", 1, 1, error.message, error.cure)


class Findings:
    """What a check came to."""

    def __init__(self) -> None:
        self.problems: list[FileProblem] = []
        self.notes: list[str] = []
        self.halts: list[str] = []

    def mapping(self, files: Files) -> None:
        """Compile one mapping and run its cases."""
        try:
            mapping, problems = read_mapping(files, shown_path(files))
        except UserError as error:
            self.problems += error.problems or (_bare(error),)
            return
        self.problems += problems
        if mapping is not None:
            cases = f"{len(mapping.cases)} cases"
            self.notes.append(f"{shown_path(files)}: {coverage(mapping)}; {cases}, {len(problems)} fail.")

    def online(self, app: App, context: Context) -> None:
        """Log in to both services and hold the mapping against the org. Reads only."""
        for probe in (self._salesforce, self._aws):
            try:
                probe(app, context)
            except ConnectorError as error:
                self.halts.append(f"{context.name}: {error}")

    def _salesforce(self, app: App, context: Context) -> None:
        org = context.salesforce.identify()
        kind = "sandbox" if org.is_sandbox else "production"
        self.notes.append(f"{context.name}: Salesforce org {org.organization_id} ({org.name}, {kind}).")
        if app.has_ledger:
            app.verify_org(context)
        fields = {name.lower(): info for name, info in context.fields().items()}
        mapping = context.mapping
        shown = [(entry.field, entry.file or mapping.file, entry.line) for entry in mapping.write_back]
        shown += [(entry.field, entry.leaf.origin.file, entry.line) for entry in mapping.inbound]
        for name, file, line in shown:
            info = fields.get(name.lower())
            if info is None or not info.updateable:
                trouble = "does not exist or is hidden" if info is None else "may not be edited"
                self.problems.append(self._field(file, line, name, trouble))
        if mapping.invitations is not None and mapping.invitations.relationship:
            context.salesforce.child(mapping.selection.sobject, mapping.invitations.relationship)
        for leaf in [*leaves_of(mapping.tree), *mapping.associate.values()]:
            for path in leaf.paths:
                for name in path.fields:
                    is_own = "." not in name and "[]" not in leaf.path
                    if is_own and name.lower() not in fields:
                        origin = leaf.origin
                        self.problems.append(self._field(origin.file, origin.line, name, "does not exist or is hidden"))

    @staticmethod
    def _field(file: str, line: int, name: str, trouble: str) -> FileProblem:
        message = f"The field {name} {trouble} for the connector's user."
        return FileProblem(file, line, 1, message, "Deploy the field, and grant it by permission set.")

    def _aws(self, app: App, context: Context) -> None:
        if app.has_ledger:
            app.verify_catalog(context)
        context.partner_central.call("ListOpportunities", {"MaxResults": 1})
        self.notes.append(f"{context.name}: Partner Central answers in the catalog {context.catalog}.")

    def print(self, *, as_json: bool) -> int:
        problems = sorted(set(self.problems))
        if as_json:
            print_json({"problems": [asdict(p) for p in problems], "halts": self.halts, "notes": self.notes})
        else:
            printer = console()
            for line in [*map(str, problems), *self.halts, *self.notes]:
                printer.print(line, markup=False, soft_wrap=True)
            count = len(problems) + len(self.halts)
            told = f"{count} problem{'s' * (count != 1)}." if count else "Everything is in order."
            printer.print(told, markup=False)
        return EDIT if problems else HALTED if self.halts else DONE


def coverage(mapping: CompiledMapping) -> str:
    """How much of what a partner may send is mapped."""
    known = [path.replace("[]", "") for path, _ in mapping.shape.leaves()]
    known = [path for path in known if path not in _READ_ONLY and "NextStepsHistory" not in path]
    mapped = {_plain(leaf.path) for leaf in leaves_of(mapping.tree)}
    missing = [path for path in known if path not in mapped]
    told = f"{len(known) - len(missing)} of {len(known)} fields of CreateOpportunity are mapped"
    return told + (f" (not: {', '.join(missing)})" if missing else "")


def _plain(path: str) -> str:
    import re

    return re.sub(r"\[\d*\]", "", path)
