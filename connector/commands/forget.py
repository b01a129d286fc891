"""``connector forget``: erases what the ledger keeps of records, but for what keeps them from being made twice."""

from __future__ import annotations

from collections.abc import Sequence

import click

from connector.app import App
from connector.commands.plain import to_plain
from connector.commands.retry import chosen_links, read_id
from connector.commands.session import DONE
from connector.core.model import Link
from connector.errors import LedgerUnavailable, StaleVersion, UserError

_ELSEWHERE = (
    "Salesforce keeps its record, AWS what it has: AWS deletes no opportunity. Backups of the ledger and saved plans "
    "keep what they have."
)


def forget(app: App, ids: Sequence[str], *, asks: bool) -> int:
    """Erase these records, all or none; ``asks``: only after a person at the terminal has agreed.

    Raises UserError where one of them is not known, is still flagged, or has a write under way.
    """
    if not ids:
        raise UserError("Name the records to forget.", "Give Salesforce ids (15 or 18 characters) or O-numbers.")
    wanted = list(dict.fromkeys(map(read_id, ids)))
    app.require_ledger()
    found = [link for links in chosen_links(app, wanted, "forgotten").values() for link in links]
    links = list({link.id: link for link in found}.values())
    _require_idle(links)
    if asks:
        _ask(links)
    for link in links:
        _forget(app, link)
    for line in _told(links, _left_behind(app)):
        click.echo(to_plain(line))
    return DONE


def _require_idle(links: Sequence[Link]) -> None:
    flagged = [link for link in links if link.presence == "flagged"]
    if flagged:
        raise UserError(
            f"{_named(flagged)} still flagged for AWS; nothing was forgotten.",
            "Clear the flag in Salesforce first, else the next pull brings everything back. `connector show` tells "
            "when the connector has seen it.",
        )
    opened = [link for link in links if link.operation is not None]
    if opened:
        raise UserError(
            f"{_named(opened)} in the middle of a write to AWS; nothing was forgotten.",
            "Its content is needed until its outcome is known. Try again in a minute; `connector show` has the state.",
        )


def _named(links: Sequence[Link]) -> str:
    names = ", ".join(f"{link.salesforce_id} (connection {link.connection})" for link in links)
    return f"{names} {'is' if len(links) == 1 else 'are'}"


def _ask(links: Sequence[Link]) -> None:
    for link in links:
        number = f", {link.opportunity_id} at AWS" if link.opportunity_id else ""
        click.echo(to_plain(f"{link.salesforce_id}  {link.name}  (connection {link.connection}{number})"), err=True)
    if not click.confirm("Erase what the ledger keeps of this? It cannot be brought back", err=True):
        raise UserError("Nothing was forgotten.")


def _forget(app: App, link: Link) -> None:
    try:
        app.ledger.forget(link, app.clock.now(), app.actor)
    except StaleVersion as error:
        raise UserError(
            f"{link.salesforce_id} came into use meanwhile and was not forgotten.",
            "Those before it were. Clear its flag in Salesforce, then forget it again.",
        ) from error


def _told(links: Sequence[Link], left_behind: str) -> list[str]:
    lines = []
    for link in links:
        at_aws = f"AWS keeps {link.opportunity_id}; flagged again, it is taken up there" if link.opportunity_id else ""
        lines.append(f"{link.salesforce_id} is forgotten. {at_aws or 'AWS never had it'}.")
    return [*lines, *filter(None, [left_behind]), _ELSEWHERE]


def _left_behind(app: App) -> str:
    """What still has the old bytes after they were taken out of the files, and the way to be rid of them."""
    try:
        if app.ledger.compact():
            return ""
    except LedgerUnavailable as error:  # the records are forgotten all the same: for want of room, for example
        return f"Old bytes are still in the database's file. {error.message} Mend that and run the same command again."
    if app.is_embedded:
        return "Old bytes are still in the database's file, since it was in use: run the same command once more."
    return (
        "The server keeps old versions of rows until it has vacuumed: as the tables' owner run VACUUM FULL link, "
        "operation, request; its own archives keep theirs until they expire."
    )
