"""What every command of the command line shares: its options, and how errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from connector.commands.plain import to_plain
from connector.commands.session import DONE, EDIT, HALTED
from connector.errors import ConnectorError, Halt, TemporaryError, UserError


class Commands(click.Group):
    """Commands in the order they are written down here, and "did you mean" for a mistyped one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], self.commands, n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--config, --connection and --log-level, which every command takes."""
    options = [
        click.option(
            "--config", type=click.Path(path_type=Path), help="The configuration file [default: ./config.yaml]."
        ),
        click.option("--connection", metavar="NAME", help="Only this connection of the configuration."),
        click.option(
            "--log-level",
            type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
            help="Log level.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those of a command that reads: --json as well."""
    return shared_options(click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command))


def told(command: Callable[..., int]) -> Callable[..., None]:
    """The one place where errors become sentences and exit codes."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except ConnectorError as error:
            code = tell_error(error)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            code = HALTED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = DONE
        except OSError as error:
            if error.filename is None:
                raise
            code = tell_error(UserError(f"{error.filename} cannot be used: {error.strerror}."))
        sys.exit(code)

    return run


def tell_error(error: ConnectorError) -> int:
    """Print an error as what is wrong and what to do; gives the exit code it stands for."""
    kind = "halted" if isinstance(error, Halt) else "error"
    click.echo(to_plain(f"connector: {kind}: {error}"), err=True)
    if isinstance(error, UserError):
        return EDIT
    if isinstance(error, TemporaryError):
        click.echo("Nothing is lost: run the same command again later.", err=True)
    return HALTED
