"""``connector init``: asks a few questions and writes the first config.yaml and mapping."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import click

from connector import config as configuration
from connector.checks.model import record_model
from connector.commands.session import DONE
from connector.errors import UserError
from connector.provisioning import answers as asking
from connector.provisioning import skeleton
from connector.provisioning.answers import Answers
from connector.resources import packaged


def init(directory: Path, given: dict[str, str], *, ask: bool) -> int:
    """Write the files to ``directory``; exit code 2 where one of them is there already.

    ``given`` are the answers of the command's options. The others are asked for where ``ask`` is true and somebody sits
    at a terminal; else they keep their defaults.
    """
    _refuse_existing(directory, (skeleton.CONFIG, skeleton.OPPORTUNITY, skeleton.INVITATIONS))
    answers = _asked(given) if ask and sys.stdin.isatty() else asking.to_answers(given)
    names = (skeleton.OPPORTUNITY, skeleton.INVITATIONS)
    made = skeleton.files_of(answers, {name: packaged(*name.split("/")).read_text(encoding="utf-8") for name in names})
    for name, text in made.items():
        _write(directory / name, text)
    config = configuration.load(directory / skeleton.CONFIG, {}, forgiving=True)
    record_model(config.connections[answers.connection].mapping)
    _tell(directory, answers)
    return DONE


def _refuse_existing(directory: Path, names: tuple[str, ...]) -> None:
    there = [name for name in names if (directory / name).exists()]
    if there:
        cure = "Choose another folder with --directory, or move them away; nothing was written."
        raise UserError(f"{directory} has {' and '.join(there)} already.", cure)


def _asked(given: dict[str, str]) -> Answers:
    """The answers of a person; each is checked when it is given, and asked for again where it cannot be used."""
    found = dict(given)
    defaults = {field.name: field.default for field in fields(Answers)}
    for question in asking.QUESTIONS:
        if not found.get(question.name) and _is_open(question.name, found):
            found[question.name] = _ask(question, _default(question.name, defaults, found))
    return asking.to_answers(found)


def _is_open(name: str, found: dict[str, str]) -> bool:
    """Whoever names a profile is not asked for a role."""
    return not (name == "role_arn" and found.get("profile"))


def _default(name: str, defaults: dict[str, object], found: dict[str, str]) -> str:
    if name == "name":
        return asking.name_of(found["login_url"])
    value = defaults.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else ""


def _ask(question: asking.Question, default: str) -> str:
    while True:
        choices = f" ({', '.join(question.choices)})" if question.choices else ""
        shown = default or None if question.name == "login_url" else default
        given = str(click.prompt(f"{question.text}{choices}", default=shown, show_default=bool(default)))
        try:
            return question.read(given)
        except UserError as error:
            click.echo(f"  {error}", err=True)


def _write(path: Path, text: str) -> None:
    """What is there already, such as a .gitignore, stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(text, encoding="utf-8")


def _tell(directory: Path, answers: Answers) -> None:
    names = [skeleton.CONFIG, *skeleton.mappings_of(answers)]
    here = "" if directory == Path() else f"cd {directory}\n  "
    needed = skeleton.variables_of(answers)
    click.echo(f"Wrote {', '.join(str(directory / name) for name in names)}. Next:\n")
    click.echo(f"  {here}connector check --offline          # what is written, without connecting to anything")
    click.echo("  connector salesforce-package sfdx  # the fields and permissions of this mapping, ready to deploy")
    click.echo("  connector iam-policy > policy.json # what its AWS role may do")
    click.echo(f"  export {' '.join(f'{name}=…' for name in needed)}")
    click.echo("  connector check                    # logins, org, every field, permissions")
    click.echo("  connector plan                     # what would be sent; writes nothing\n")
    click.echo("docs/setup.md goes through the rest, from the External Client App to systemd.")
