"""``connector retry``: clears holds, so that the record is read and looked at again."""

from __future__ import annotations

from collections.abc import Sequence

import click

from connector.adapters.ledger import LedgerBusy
from connector.app import App
from connector.commands.plain import to_plain
from connector.commands.session import DONE
from connector.core.identifiers import Identifier, Kind, read_identifier
from connector.core.model import Link
from connector.errors import UserError
from connector.sync import asks


def retry(app: App, ids: Sequence[str], *, held: bool) -> int:
    """Clear what holds these records; the daemon goes on at once, else the next run does.

    Raises UserError, and clears nothing, where one of the ids is none or is not known to the ledger.
    """
    if bool(ids) == held:
        raise UserError("Choose records: ids, or --held for every held one.")
    wanted = None if held else [read_id(text) for text in ids]
    app.require_ledger()
    chosen = None if wanted is None else chosen_links(app, wanted, "cleared")
    woken, notes = 0, []
    for name, connection in app.connections.items():
        catalog = connection.partner_central.catalog
        if chosen is not None:
            notes += [note for link in chosen.get(name, []) if (note := _not_held(app, link))]
        mine = None if chosen is None else [link.salesforce_id for link in chosen.get(name, [])]
        if mine == []:
            continue
        cleared = asks.retry(app.ledger, name, catalog, mine, app.clock.now(), app.actor)
        woken += len(cleared)
    for note in notes:
        click.echo(to_plain(note))
    several = "s are" if woken != 1 else " is"
    click.echo(
        f"{woken} record{several} read and looked at again. {_next_step(app)}" if woken else "No record is held."
    )
    return DONE


def read_id(text: str) -> Identifier:
    """A Salesforce id or an O-number. Raises UserError for anything else."""
    found = read_identifier(text)
    if found is None or found.kind in {Kind.BROKEN, Kind.OTHER_OF_AWS}:
        note = found.note if found is not None else ""
        cure = note or "Use the 15 or 18 characters of the record, or its O-number."
        raise UserError(f"{text!r} is not a Salesforce id or O-number.", cure)
    return found


def chosen_links(app: App, wanted: Sequence[Identifier], done: str) -> dict[str, list[Link]]:
    """The links of these records by connection. Raises UserError where one has none: then nothing is ``done``."""
    found: dict[str, list[Link]] = {}
    unknown = []
    for identifier in wanted:
        links = [
            (name, link)
            for name, connection in app.connections.items()
            if (link := app.ledger.find(name, connection.partner_central.catalog, identifier.text)) is not None
        ]
        for name, link in links:
            found.setdefault(name, []).append(link)
        if not links:
            unknown.append(identifier)
    if unknown:
        names = ", ".join(identifier.text for identifier in unknown)
        verb = "is" if len(unknown) == 1 else "are"
        note = next((f" {identifier.note}" for identifier in unknown if identifier.note), "")
        message = f"{names} {verb} not known to the ledger; nothing was {done}.{note}"
        raise UserError(message, f"`connector show {unknown[0].text}` says why.")
    return found


def _not_held(app: App, link: Link) -> str:
    """What to say of a record that nothing holds; "" for a held one."""
    rest_status, message, _ = app.ledger.rest_of(link.id)
    if rest_status == "Held" or link.write_back_error:
        return ""
    words = f"{rest_status}: {message}" if rest_status else "it is being looked at"
    return f"{link.salesforce_id} ({link.name}) was not held ({words})."


def _next_step(app: App) -> str:
    try:
        with app.owning_ledger():
            return "`connector run` or `connector resync` takes it from here."
    except LedgerBusy:
        return "The daemon takes it from here."
