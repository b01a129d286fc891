"""The documentation names what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from connector.cli import main
from connector.core.catalogue import entries
from connector.core.lifecycle import SyncStatus
from connector.core.model import TASK_MEMBERS
from connector.mapping_files import load_mapping
from connector.resources import packaged
from tests import pages

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
MAPPING = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "text"), pages.expected().items())
def test_a_page_that_is_made_from_the_code_says_what_the_code_says(name: str, text: str) -> None:
    found = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert found.splitlines() == text.splitlines(), "run `make docs`"


def test_every_class_of_the_error_catalogue_is_explained() -> None:
    assert {one.kind for one in entries()} == {name for name, _ in pages.CLASSES}


def test_every_page_is_found_from_the_readme() -> None:
    written = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert {name for name in written if f"(docs/{name})" not in README} == set()


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        if target.startswith("http"):
            continue
        there = path.parent / target if target else path
        assert there.exists(), target
        assert not anchor or anchor in anchors_of(there), f"{target}#{anchor}"


def anchors_of(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def test_every_task_fact_is_described() -> None:
    assert [name for name in TASK_MEMBERS if f"`task.{name}`" not in MAPPING] == []


def test_every_custom_name_of_the_default_mappings_is_listed_and_no_other() -> None:
    files = (packaged("mappings", "opportunity.yaml"), packaged("mappings", "invitations.yaml"))
    selection = load_mapping(files).selection
    used = {name for name in selection.fields if name.endswith("__c")} | set(re.findall(r"\w+__c", selection.where))
    for names in selection.children.values():
        used |= {name for name in names if name.endswith("__c")}
    text = (ROOT / "docs" / "salesforce.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+__c)`", text, re.MULTILINE)) - {"AWS_Partner_Invitation__c"} == used


def options_of(command: click.Command, path: str) -> list[tuple[str, str]]:
    found = [
        (path, option) for p in command.params if isinstance(p, click.Option) for option in p.opts if option != "-h"
    ]
    if isinstance(command, click.Group):
        found += [pair for name, inner in command.commands.items() for pair in options_of(inner, f"{path} {name}")]
    return found


def test_every_command_stands_in_the_readme_and_every_option_in_its_page() -> None:
    found = options_of(main, "connector")
    assert {path for path, _ in found if f"`{path}" not in README} <= {"connector", "connector db"}
    assert [pair for pair in found if pair[1] not in README + COMMANDS] == []


def test_every_status_is_explained() -> None:
    assert [status for status in SyncStatus if f"| {status} |" not in README] == []
