"""``connector salesforce-package``: writes the SFDX project that this mapping needs. Asks no service."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from connector.app import App
from connector.commands.session import DONE
from connector.commands.tables import console
from connector.provisioning.salesforce.documents import members_of
from connector.provisioning.salesforce.package import Package
from connector.provisioning.salesforce.project import Org, make_project

_KINDS = {
    "CustomField": "custom field",
    "CustomObject": "custom object",
    "CustomPermission": "custom permission",
    "ListView": "list view",
    "PermissionSet": "permission set",
}


def salesforce_package(app: App, directory: Path) -> int:
    """Write the project of the chosen connections to ``directory`` and say what it holds.

    Raises UserError where the mappings contradict each other, or the folder holds other people's files.
    """
    orgs = {
        name: Org(connection.salesforce.login_url, connection.salesforce.api_version)
        for name, connection in app.connections.items()
    }
    package, written = make_project(directory, app.mappings, orgs)
    printer = console()
    counts = (len(written.changed), len(written.unchanged), len(written.removed))
    lines = [f"{directory}: {_counted(package)}."]
    lines.append("{} files written, {} unchanged, {} removed.".format(*counts))
    lines += _fields_by_object(package)
    lines += [f"  Granted, since it is there already: {name}" for name in package.existing]
    lines += [f"Left to you: {sentence}" for sentence in package.left_open]
    lines.append(f"How to deploy it: {directory / 'README.md'}")
    for line in lines:
        printer.print(line, markup=False, highlight=False, soft_wrap=True)
    return DONE


def _counted(package: Package) -> str:
    counts = {kind: len(names) for kind, names in members_of(package).items()}
    return ", ".join(f"{count} {_KINDS[kind]}{'s' * (count != 1)}" for kind, count in counts.items())


def _fields_by_object(package: Package) -> list[str]:
    counts = Counter(field.sobject for field in package.fields)
    written = Counter(field.sobject for field in package.fields if field.is_written)
    return [
        f"  {name}: {counts[name]} field{'s' * (counts[name] != 1)}, {written[name]} of them written back"
        for name in sorted(counts)
    ]
