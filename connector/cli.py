"""The commands: parse, call, print. No logic, and no heavy import before a command needs it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from connector import __version__
from connector.commands.session import DONE, EDIT, HALTED, open_app
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
        sys.exit(code)

    return run


def tell_error(error: ConnectorError) -> int:
    """Print an error as what is wrong and what to do; gives the exit code it stands for."""
    kind = "halted" if isinstance(error, Halt) else "error"
    click.echo(f"connector: {kind}: {error}", err=True)
    if isinstance(error, UserError):
        return EDIT
    if isinstance(error, TemporaryError):
        click.echo("Nothing is lost: run the same command again later.", err=True)
    return HALTED


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="connector")
def main() -> None:
    """Keeps Salesforce opportunities and AWS Partner Central in step.

    Exit codes: 0 done, 1 done but some records are held, 2 a person must edit something, 3 halted.
    """


@main.command()
@shared_options
@told
def run(config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Run the daemon until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(DONE))  # until the daemon is up there is nothing to finish
    from connector import daemon

    daemon.run(open_app(config, connection, log_level, quiet=False))
    return DONE


@main.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="Every flagged record.")
@click.option("--since", metavar="TIME", help="Records changed since then, e.g. 2026-11-01 or 2026-11-01T10:00:00Z.")
@click.option(
    "--plan", "plan_file", type=click.Path(exists=True, path_type=Path), help="Just what this saved plan says."
)
@click.option("--dry-run", is_flag=True, help="Show what would be done; the same as `connector plan`.")
@reading_options
@told
def resync(
    ids: Sequence[str],
    everything: bool,
    since: str | None,
    plan_file: Path | None,
    dry_run: bool,
    as_json: bool,
    config: Path | None,
    connection: str | None,
    log_level: str | None,
) -> int:
    """Settle the chosen records now.

    Creates, associates and submits them, follows the tasks and writes back; beside a daemon, the daemon does it.
    """
    from connector.commands.choice import Choice

    choice = Choice(tuple(ids), everything, since, plan_file)
    choice.check()
    app = open_app(config, connection, log_level)
    if dry_run:
        from connector.commands import plan as planning

        return planning.plan(app, choice, as_json=as_json, out=None)
    from connector.commands import resync as command

    return command.resync(app, choice, as_json=as_json)


@main.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--out", type=click.Path(path_type=Path), help="Save the plan to this file, for `resync --plan`.")
@reading_options
@told
def plan(
    ids: Sequence[str],
    out: Path | None,
    as_json: bool,
    config: Path | None,
    connection: str | None,
    log_level: str | None,
) -> int:
    """Show what would be sent, and why.

    Per field, with its Salesforce field and line of the mapping. Writes nothing anywhere.
    """
    from connector.commands import plan as command
    from connector.commands.choice import Choice

    app = open_app(config, connection, log_level)
    return command.plan(app, Choice(tuple(ids), not ids, None, None), as_json=as_json, out=out)


@main.command()
@click.option("--offline", is_flag=True, help="Without connecting to anything.")
@reading_options
@told
def check(offline: bool, as_json: bool, config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Find every mistake before it happens.

    Configuration, mapping and its cases; online also logins, org, fields and catalog.
    """
    from connector.commands import check as command

    return command.check(config, connection, log_level, offline=offline, as_json=as_json)


@main.command()
@reading_options
@told
def status(as_json: bool, config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Counts, quota, what waits for a person."""
    from connector.commands import status as command

    return command.status(open_app(config, connection, log_level), as_json=as_json)


@main.command()
@click.argument("identifier", metavar="ID")
@reading_options
@told
def show(identifier: str, as_json: bool, config: Path | None, connection: str | None, log_level: str | None) -> int:
    """One record's story, and what stops it.

    By Salesforce id or O-number: every value and where it comes from, history, problems.
    """
    from connector.commands import show as command

    return command.show(open_app(config, connection, log_level), identifier, as_json=as_json)


@main.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--held", is_flag=True, help="Every held record.")
@shared_options
@told
def retry(ids: Sequence[str], held: bool, config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Clear a hold and look at the record again."""
    from connector.commands import retry as command

    return command.retry(open_app(config, connection, log_level), ids, held=held)


@main.group()
def db() -> None:
    """The ledger's database."""


@db.command("upgrade")
@shared_options
@told
def db_upgrade(config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Create or upgrade the schema."""
    app = open_app(config, connection, log_level)
    click.echo("The database is upgraded." if app.upgrade() else "The database is up to date.")
    return DONE


@db.command("current")
@shared_options
@told
def db_current(config: Path | None, connection: str | None, log_level: str | None) -> int:
    """The revision the database is at, and the one this version needs."""
    from connector.adapters.ledger import schema
    from connector.resources import packaged

    app = open_app(config, connection, log_level)
    now = schema.current(app.engine) if app.has_ledger else ""
    newest = schema.newest(app.engine, packaged("migrations"))
    click.echo(f"The database is at revision {now or 'none'}; this version needs {newest}.")
    return DONE if now == newest else EDIT


@main.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep configuration and ledger here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@told
def demo(keep: Path | None, as_json: bool) -> int:
    """The whole circle on a sample org.

    Served by the embedded sandbox; no account is needed.
    """
    from connector.commands import demo as command

    return command.demo(keep, as_json=as_json)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 [default: any free one].")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to put sandbox-config.yaml and sandbox-ca.pem [default: here].",
)
@told
def sandbox(port: int, directory: Path) -> int:
    """Serve the sample org and Partner Central.

    Until stopped; prints a configuration for them.
    """
    from connector.commands import sandbox as command

    return command.sandbox(port, directory)
