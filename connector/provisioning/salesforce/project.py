"""A Salesforce project made from a configuration: what ``connector salesforce-package`` does, but for the printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connector.adapters.partner_central import mapping_shapes
from connector.core.mapping import CompiledMapping
from connector.provisioning.salesforce.documented import documented_values
from connector.provisioning.salesforce.documents import documents_of
from connector.provisioning.salesforce.folder import Written, write
from connector.provisioning.salesforce.guide import GUIDE, guide_of
from connector.provisioning.salesforce.package import Package, derive


@dataclass(frozen=True, slots=True)
class Org:
    """What the configuration says of one connection's org."""

    login_url: str
    api_version: str


def make_project(
    directory: Path, mappings: Mapping[str, CompiledMapping], orgs: Mapping[str, Org]
) -> tuple[Package, Written]:
    """Write the project of these connections; of several API versions the oldest, which every org knows.

    Raises UserError where their mappings contradict each other, or the folder is somebody else's.
    """
    api_version = min((org.api_version for org in orgs.values()), key=float)
    package = derive(mappings, api_version, mapping_shapes(), documented_values)
    guide = guide_of(package, {name: org.login_url for name, org in orgs.items()})
    return package, write(directory, {**documents_of(package), GUIDE: guide})
