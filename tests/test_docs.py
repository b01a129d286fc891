"""The documentation names what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from connector.adapters.partner_central import mapping_shapes
from connector.cli import main
from connector.core.lifecycle import SyncStatus
from connector.core.mapping.leaves import LEAF_KEYS
from connector.core.model import TASK_MEMBERS
from connector.core.transforms import TRANSFORMS, Transform
from connector.mapping_files import load_mapping
from connector.resources import packaged

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAPPING = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=lambda transform: transform.name)
def test_every_transform_stands_in_the_reference_as_the_code_has_it(transform: Transform) -> None:
    arguments = ", ".join(f"{a.name}{'' if a.required else ' (optional)'}" for a in transform.arguments) or "-"
    kinds = f"{transform.takes} → {transform.gives}"
    assert f"| `{transform.name}` | {arguments} | {transform.summary} | {kinds} | {transform.errors} |" in MAPPING


def test_every_key_of_a_leaf_every_entity_type_and_every_task_fact_is_described() -> None:
    wanted = [f"| `{key}` |" for key in LEAF_KEYS] + [f"`{name}`" for name in mapping_shapes().entity_types]
    wanted += [f"`task.{name}`" for name in TASK_MEMBERS]
    assert [text for text in wanted if text not in MAPPING] == []


def test_every_custom_name_of_the_default_mappings_is_listed_and_no_other() -> None:
    files = (packaged("mappings", "opportunity.yaml"), packaged("mappings", "invitations.yaml"))
    selection = load_mapping(files).selection
    used = {name for name in selection.fields if name.endswith("__c")} | set(re.findall(r"\w+__c", selection.where))
    for relationship, names in selection.children.items():
        used |= {name for name in names if name.endswith("__c")}
        assert not relationship.endswith("__r") or f"`{relationship.removesuffix('__r')}`" in README
    listed = set(re.findall(r"`(\w+__c)`", README))
    assert listed - {"AWS_Partner_Invitation__c", "Opportunity__c"} == used


def options_of(command: click.Command, path: str) -> list[tuple[str, str]]:
    found = [
        (path, option) for p in command.params if isinstance(p, click.Option) for option in p.opts if option != "-h"
    ]
    if isinstance(command, click.Group):
        found += [pair for name, inner in command.commands.items() for pair in options_of(inner, f"{path} {name}")]
    return found


def test_every_command_and_option_stands_in_the_readme() -> None:
    missing = [pair for pair in options_of(main, "connector") if pair[1] not in README]
    missing += [(path, "") for path, _ in options_of(main, "connector") if path not in README]
    assert missing == []


def test_every_status_is_explained() -> None:
    assert [status for status in SyncStatus if f"| {status} |" not in README] == []
