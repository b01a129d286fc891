"""What people are told of a change, in a few lines of plain text: what, since when, where, and what to do.

Connections, counts and sentences only: nothing of a record, and no secret that a sentence may carry along.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connector.core.eta import to_words
from connector.core.health import PROCESS, Held, State, Trouble
from connector.log import REDACTION
from connector.ports import Alert

LONGEST = 900
RUNNING = State.RUNNING.value


def to_told(kind: str, connection: str, trouble: Trouble, host: str) -> str:
    """What is wrong, and since when, where that is known."""
    head = {
        "progress": f"{_named(connection)} is {trouble.state} on {host}",
        "guard": f"{_named(connection)} waits for a person on {host}",
        "ledger": f"The connector on {host} has no ledger",
    }[kind]
    cure = f" What to do: {trouble.cure}" if trouble.cure else ""
    since = f" since {_moment(trouble.since)}" if trouble.since is not None else ""
    return _cleaned(f"{head}{since}: {trouble.message}{cure}")


def to_held(connection: str, held: Held, limit: float, host: str) -> str:
    """Too many records wait."""
    return _cleaned(
        f"{_named(connection)} on {host}: {held.held} of {held.shared} shared records ({100 * held.share:.0f} %) wait "
        f"for a person, above the limit of {100 * limit:.3g} %. What to do: `connector status` lists each cause with "
        "its cure; one cause of many records is often a single field."
    )


def to_recovered(before: Alert, now: datetime, host: str, was: str) -> str:
    """It is over, and how long it took; with what it was, where nobody was told of that."""
    took = to_words(max(now - before.since, timedelta(seconds=1))).removeprefix("~")
    head = {
        "progress": f"{_named(before.connection)} on {host} works again, after {took} ({was}).",
        "guard": f"{_named(before.connection)} on {host} waits for nobody any more, after {took}.",
        "held": f"{_named(before.connection)} on {host} has few held records again, after {took}.",
        "ledger": f"The connector on {host} has its ledger again, after {took}.",
    }[before.kind]
    untold = f" It had been: {before.message}" if before.tell_by is not None else ""
    return _cleaned(f"{head}{untold}")


def _named(connection: str) -> str:
    return "The worker" if connection == PROCESS else f"Connection {connection}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _cleaned(text: str) -> str:
    plain = " ".join(REDACTION.clean(text).split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"


def to_slack(texts: list[str]) -> str:
    """Several messages as one, in Slack's notation: nothing in them is taken for a link, and nobody is called."""
    joined = "\n\n".join(texts)
    for char, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "@\u200b")):
        joined = joined.replace(char, escaped)
    return joined
