"""``connector sandbox``: serves the embedded Salesforce org and Partner Central until stopped."""

from __future__ import annotations

import signal
from pathlib import Path
from queue import SimpleQueue

import click

from connector.commands.session import DONE

CONFIG = "sandbox-config.yaml"
MAPPINGS = ("mappings/opportunity.yaml", "mappings/invitations.yaml")
"""The shipped mapping with its invitations, whose object the sample org has."""


def sandbox(port: int, directory: Path) -> int:
    """Serve until SIGTERM or Ctrl-C; the configuration for it is written to ``directory`` and printed."""
    from connector.sandbox.server import Sandbox

    directory.mkdir(parents=True, exist_ok=True)
    told: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.put(number))
    with Sandbox(port=port, directory=directory.absolute()) as served:
        config = directory / CONFIG
        text = served.config_text("sqlite:///sandbox-ledger.db", MAPPINGS)
        config.write_text(text, encoding="utf-8")
        click.echo(f"# Serving on {served.url} until Ctrl-C. This configuration is in {config}:\n")
        click.echo(text)
        click.echo("# In another terminal (the sandbox takes any AWS key):")
        click.echo(f"#   export CONNECTOR_CONFIG={config.absolute()}")
        click.echo("#   export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox")
        click.echo("#   connector run")
        told.get()
    click.echo("Stopped.")
    return DONE
