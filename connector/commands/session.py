"""What every command shares: exit codes, opening the application, printing JSON. Imports nothing heavy by itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.person import person
from connector.commands.plain import to_plain

if TYPE_CHECKING:
    from connector.app import App

DONE, HELD, EDIT, HALTED = 0, 1, 2, 3


def open_app(
    config: Path | None, connection: str | None, log_level: str | None, *, quiet: bool = True, forgiving: bool = False
) -> App:
    """The application for a command; ``quiet`` commands log warnings only unless asked otherwise.

    What is done is done by the person at the terminal; what is not ``quiet`` is a service, which names itself.
    ``forgiving``: for a command that connects to nothing; secrets need not be there.
    """
    from connector import config as configuration
    from connector import log
    from connector.app import App

    loaded = configuration.load(configuration.locate(config, os.environ), os.environ, forgiving=forgiving)
    level = log_level or ("WARNING" if quiet else loaded.log.level)
    log.configure(level.upper(), loaded.log.format)
    for secret in loaded.secrets():
        log.redact(secret)
    app = App(loaded, only=connection, actor=person() if quiet else "")
    if (command := click.get_current_context(silent=True)) is not None:
        command.call_on_close(app.close)
    return app


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    click.echo(to_plain(json.dumps(value, indent=2, ensure_ascii=False, default=str)))
