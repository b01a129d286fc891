"""``connector sandbox``: serves the embedded Salesforce org and Partner Central until stopped."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from connector.commands.session import DONE

CONFIG = "sandbox-config.yaml"


def sandbox(port: int, directory: Path) -> int:
    """Serve until SIGTERM or Ctrl-C; the configuration for it is written to ``directory`` and printed."""
    from connector.sandbox.server import Sandbox

    directory.mkdir(parents=True, exist_ok=True)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with Sandbox(port=port, directory=directory.absolute()) as served:
        config = directory / CONFIG
        text = served.config_text("sqlite:///sandbox-ledger.db")
        config.write_text(text, encoding="utf-8")
        click.echo(f"# Serving on {served.url} until Ctrl-C. This configuration is in {config}:\n")
        click.echo(text)
        click.echo("# In another terminal (the sandbox takes any AWS key):")
        click.echo(f"#   export CONNECTOR_CONFIG={config.absolute()}")
        click.echo("#   export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox")
        click.echo("#   connector run")
        stopping.wait()
    click.echo("Stopped.")
    return DONE
