"""``connector retry``: clears holds, so that the record is read and looked at again."""

from __future__ import annotations

from collections.abc import Sequence

import click

from connector.adapters.ledger import LedgerBusy
from connector.app import App
from connector.commands.session import DONE
from connector.core.selection import is_id, to_id18
from connector.errors import UserError


def retry(app: App, ids: Sequence[str], *, held: bool) -> int:
    """Clear what holds these records; the daemon goes on at once, else the next run does."""
    if bool(ids) == held:
        raise UserError("Choose records: ids, or --held for every held one.")
    unknown = [text for text in ids if not is_id(text)]
    if unknown:
        raise UserError(f"{unknown[0]!r} is not a Salesforce id.", "Use the 15 or 18 characters of the record.")
    app.require_ledger()
    wanted = None if held else [to_id18(text) for text in ids]
    woken = 0
    for name, connection in app.connections.items():
        catalog = connection.partner_central.catalog
        cleared = app.ledger.wake(name, catalog, wanted, app.clock.now())
        app.ledger.request(name, cleared, app.clock.now())
        woken += len(cleared)
    try:
        with app.owning_ledger():
            next_step = "`connector run` or `connector resync` takes it from here."
    except LedgerBusy:
        next_step = "The daemon takes it from here."
    click.echo(f"Cleared {woken} record{'s' * (woken != 1)}. {next_step}")
    return DONE
