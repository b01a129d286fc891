"""The repository itself: what make and the integration run, what the documents name, what must not be in it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from connector import __version__
from connector.cli import main

ROOT = Path(__file__).parents[1]
LOCK = "requirements.lock"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
"""Without what an outer make tells an inner one."""
SANDBOX_SENDER = "390403897881"
"""The account from which AWS itself sends a Sandbox's example invitations."""


def tracked() -> dict[str, str]:
    """The text of every file that is committed or about to be, by path."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()
    found = {}
    for name in listed:
        path = ROOT / name
        if path.is_file():
            found[name] = path.read_bytes().decode(errors="replace")
    return found


@pytest.fixture(name="files", scope="module")
def files_fixture() -> dict[str, str]:
    return tracked()


def commands(group: click.Group = main, above: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, ``db upgrade``."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        else:
            yield " ".join((*above, name)), command


OPTIONS = sorted({name for _, command in commands() for p in command.params for name in p.opts if name[:2] == "--"})


@pytest.fixture(name="documents", scope="module")
def documents_fixture() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize(
    ("target", "does"),
    [
        ("help", "grep"),
        ("demo", "connector demo"),
        ("test", "pytest"),
        ("test-postgres", "tests.postgres"),
        ("test-postgres", '-m "ledger and not browser"'),
        ("check", "ruff format --check"),
        ("check", "ruff check"),
        ("check", "mypy"),
        ("check", "lint-imports"),
        ("prove", "tests/prove.py"),
        ("bench", "tests/bench.py"),
        ("format", "ruff format"),
        ("lock", "--generate-hashes"),
        ("clean", "rm -rf"),
    ],
)
def test_make_has(target: str, does: str) -> None:
    command = ["make", "--dry-run", "--always-make", target]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, text=True, capture_output=True, check=False)
    assert (done.returncode, does in done.stdout) == (0, True), done.stderr


def test_make_help_tells_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    told = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, env=ENVIRONMENT, text=True, capture_output=True, check=True
    ).stdout
    assert {line.split()[0] for line in told.splitlines()} == set(phony.split())


def test_the_integration_checks_and_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#!")
    tests = {"took in_two_tries make test", "took in_two_tries make test-postgres"}
    assert {"took make check", *tests} <= set(lines)
    assert "export CONNECTOR_TEST_COMPLETE=1" in lines, "nothing may be skipped there"


def places_of_this_machine() -> list[str]:
    """Patterns for what only this machine knows: where the checkout and the homes are, where packages come from."""
    folders = [str(path) for path in (ROOT, Path.home()) if len(path.parts) > 2]
    settings = [value for name, value in os.environ.items() if re.fullmatch(r"(PIP|UV)_.*(INDEX|LINKS).*", name)]
    hosts = {host for text in settings for host in re.findall(r"://(?:[^/@\s]*@)?([\w.-]+)", text)}
    return [re.escape(place) for place in [*folders, *sorted(hosts - {"pypi.org"})]]


HOMES = r"(?<![\w.])/(?:home|Users)/[a-z]\w*|(?<![\w.:])/root/"
PRIVATE_HOSTS = (
    r"https?://(?:[^/\s]*@)?(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|[\w.-]+\.(?:internal|corp|lan|local)\b)"
)
INDEXES = r"--(?:extra-)?index-url|--find-links"


def test_nothing_tells_of_the_machine_it_was_made_on(files: dict[str, str]) -> None:
    forbidden = re.compile("|".join([*places_of_this_machine(), HOMES, PRIVATE_HOSTS, INDEXES]))
    own = Path(__file__).relative_to(ROOT).as_posix()
    found = {name: forbidden.findall(text) for name, text in files.items() if name != own and forbidden.search(text)}
    assert found == {}


def test_account_ids_are_those_of_documentation(files: dict[str, str]) -> None:
    number = re.compile(r"(?<![\w+.-])\d{12}(?![\w-])")
    documentary = re.compile(r"(\d)\1{3}(\d)\2{3}\d{4}|123456789012|" + SANDBOX_SENDER)
    found = {(name, text) for name in files if name != LOCK for text in number.findall(files[name])}
    assert {entry for entry in found if not documentary.fullmatch(entry[1])} == set()


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_the_documents_name_every_command(documents: str, name: str) -> None:
    assert re.search(rf"\bconnector {name}\b", documents)


@pytest.mark.parametrize("option", OPTIONS)
def test_the_documents_name_every_option(documents: str, option: str) -> None:
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", documents)


def test_the_changelog_tells_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[?v?{re.escape(__version__)}\b", text, re.MULTILINE)
