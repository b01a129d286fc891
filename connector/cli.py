"""The commands: parse, call, print. No logic, and no heavy import before a command needs it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

import click

from connector import __version__
from connector.commands.options import Commands, reading_options, shared_options, told
from connector.commands.session import DONE, EDIT, open_app, print_json


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
    signals: SimpleQueue[int] = SimpleQueue()  # what was read by then may have changed since
    signal.signal(signal.SIGHUP, lambda number, _: signals.put(number))
    from connector import daemon, tracing

    app = open_app(config, connection, log_level, quiet=False)
    with tracing.exporting():
        daemon.run(app, log_level, signals)
    return DONE


@main.command()
@shared_options
@told
def worker(config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Serve the connections together with other workers.

    Any number of them, on any number of machines, with one PostgreSQL database; needs the extra `fleet`.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(DONE))  # until it is up there is nothing to finish
    signals: SimpleQueue[int] = SimpleQueue()  # what was read by then may have changed since
    signal.signal(signal.SIGHUP, lambda number, _: signals.put(number))
    from connector.commands import worker as command

    command.require()
    from connector import tracing

    app = open_app(config, connection, log_level, quiet=False)
    with tracing.exporting():
        return command.work(app, log_level, signals)


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
    from connector import tracing
    from connector.commands import resync as command

    with tracing.exporting():
        return command.resync(app, choice, as_json=as_json)


@main.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--fields", is_flag=True, help="Every value of every record, not only of a single one.")
@click.option("--out", type=click.Path(path_type=Path), help="Save the plan to this file, for `resync --plan`.")
@reading_options
@told
def plan(
    ids: Sequence[str],
    fields: bool,
    out: Path | None,
    as_json: bool,
    config: Path | None,
    connection: str | None,
    log_level: str | None,
) -> int:
    """Show what would be sent, and why.

    Of each value what Salesforce has, what is sent, and the line of the mapping. Writes nothing anywhere.
    """
    from connector.commands import plan as command
    from connector.commands.choice import Choice

    app = open_app(config, connection, log_level)
    return command.plan(app, Choice(tuple(ids), not ids, None, None), as_json=as_json, out=out, fields=fields)


@main.command()
@click.option("--offline", is_flag=True, help="Without connecting to anything; secrets need not be there.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "junit"]),
    default="text",
    help="How to print it; github and junit are for CI [default: text].",
)
@click.option(
    "--record-model", is_flag=True, help="Note AWS's model beside each mapping; later runs tell what has changed since."
)
@reading_options
@told
def check(
    offline: bool,
    form: str,
    record_model: bool,
    as_json: bool,
    config: Path | None,
    connection: str | None,
    log_level: str | None,
) -> int:
    """Find every mistake before it happens.

    Configuration, mapping and its cases; online also logins, org, fields, picklists, permissions and clocks.
    """
    from connector.commands import check as command

    form = "json" if as_json else form
    return command.check(config, connection, log_level, offline=offline, form=form, record=record_model)


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

    By Salesforce id or address, O-number, or the id of a task, engagement or invitation; says why it is not in AWS.
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


@main.command()
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("--since", metavar="TIME", help="From then on, e.g. 2026-11-01 or 2026-11-01T10:00:00Z.")
@click.option("--until", metavar="TIME", help="Until then, that moment left out.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl", "csv"]),
    default="text",
    help="How to write it [default: text].",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file, which only you may read.")
@shared_options
@told
def audit(
    identifier: str | None,
    since: str | None,
    until: str | None,
    form: str,
    out: Path | None,
    config: Path | None,
    connection: str | None,
    log_level: str | None,
) -> int:
    """Who or what caused each write.

    Of everything, or of one record by Salesforce id or O-number. No values of a record are in it.
    """
    from connector.commands import audit as command

    wanted = command.Wanted(identifier, since, until)
    return command.audit(open_app(config, connection, log_level), wanted, form=form, out=out)


@main.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@shared_options
@told
def forget(ids: Sequence[str], yes: bool, config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Erase what the ledger keeps of a record.

    Ids stay, so that it is never made at AWS twice; the flag must be cleared in Salesforce first.
    """
    from connector.commands import forget as command

    return command.forget(open_app(config, connection, log_level), ids, asks=not yes)


@main.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to put the files [default: here].",
)
@click.option("--login-url", metavar="URL", help="Your org's My Domain address.")
@click.option("--name", metavar="NAME", help="The connection's name [default: the org's].")
@click.option("--auth", type=click.Choice(["client_credentials", "jwt_bearer", "access_token"]), help="How to log in.")
@click.option("--catalog", type=click.Choice(["Sandbox", "AWS"]), help="Partner Central's catalog [default: Sandbox].")
@click.option("--profile", metavar="NAME", help="An AWS profile.")
@click.option("--role-arn", metavar="ARN", help="An AWS role to assume.")
@click.option("--database", metavar="URL", help="The ledger's database [default: sqlite:///connector.db].")
@click.option("--flag", metavar="FIELD", help="The checkbox that shares a deal [default: Share_With_AWS__c].")
@click.option("--amount", type=click.Choice(["total", "monthly"]), help="What the field Amount holds [default: total].")
@click.option("--currency", type=click.Choice(["USD", "EUR", "record"]), help="What Amount is in [default: USD].")
@click.option(
    "--country-picklists", type=click.Choice(["no", "yes"]), help="Country and state are picklists [default: no]."
)
@click.option("--invitations", type=click.Choice(["no", "yes"]), help="Invite other partners as well [default: no].")
@click.option(
    "--software-partner", type=click.Choice(["no", "yes"]), help="Not a consulting or services partner [default: no]."
)
@click.option("--yes", is_flag=True, help="Ask nothing: what is not given keeps its default.")
@told
def init(directory: Path, yes: bool, **given: str | None) -> int:
    """Ask a few questions and write the first config.yaml and mapping."""
    from connector.commands import init as command

    return command.init(directory, {name: answer for name, answer in given.items() if answer is not None}, ask=not yes)


@main.command("salesforce-package")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@shared_options
@told
def salesforce_package(directory: Path, config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Write what your Salesforce org needs.

    An SFDX project with exactly the fields, list views and permission sets of this mapping.
    """
    from connector.commands import salesforce_package as command

    return command.salesforce_package(open_app(config, connection, log_level, forgiving=True), directory)


@main.command("iam-policy")
@shared_options
@told
def iam_policy(config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Print what the AWS role may do, as a policy.

    The fewest actions that this mapping needs, in its catalog only.
    """
    from connector.commands import iam_policy as command

    return command.iam_policy(open_app(config, connection, log_level, forgiving=True))


@main.group()
def db() -> None:
    """The ledger's database."""


@db.command("upgrade")
@shared_options
@told
def db_upgrade(config: Path | None, connection: str | None, log_level: str | None) -> int:
    """Create or upgrade the schema."""
    app = open_app(config, connection, log_level)
    from connector.commands import worker as fleet

    is_upgraded = [app.upgrade(), fleet.upgrade(app)]
    click.echo("The database is upgraded." if any(is_upgraded) else "The database is up to date.")
    return DONE


@db.command("current")
@reading_options
@told
def db_current(as_json: bool, config: Path | None, connection: str | None, log_level: str | None) -> int:
    """The revision the database is at, and the one this version needs."""
    from connector.adapters.ledger import schema
    from connector.resources import packaged

    app = open_app(config, connection, log_level)
    now = schema.current(app.engine) if app.has_ledger else ""
    newest = schema.newest(app.engine, packaged("migrations"))
    if as_json:
        print_json({"revision": now or None, "needed": newest})
    else:
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
    help="Where to put sandbox-config.yaml and ca.pem [default: here].",
)
@told
def sandbox(port: int, directory: Path) -> int:
    """Serve the sample org and Partner Central.

    Until stopped; prints a configuration for them.
    """
    from connector.commands import sandbox as command

    return command.sandbox(port, directory)
