"""Tables and texts on a terminal. What came from a record is plain text: neither markup nor control characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.commands.plain import to_plain

_STYLES = {"Held": "yellow", "Synced": "green", "In progress": "cyan", "Pending": "cyan", "Stopped": "dim"}
_IDS = frozenset({"Record", "Held", "AWS id"})
"""Columns of ids, which are to be copied and so never broken."""
_WIDTH_OF_A_PIPE = 160


class PlainConsole(Console):
    """A console that shows what would steer the terminal, and lets the command end where its reader has gone."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(to_plain(one) if isinstance(one, str) else one for one in objects), **options)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """The console for answers; a pipe gets wide lines, so that nothing is cut."""
    found = PlainConsole(highlight=False, stderr=stderr)
    return found if found.is_terminal else PlainConsole(highlight=False, stderr=stderr, width=_WIDTH_OF_A_PIPE)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", lines: bool = False) -> Table:
    """A table; values are shown as text, None as nothing."""
    heading = Text(to_plain(title), style="table.title") if title else None
    made = Table(box=box.SIMPLE_HEAD, title=heading, title_justify="left", show_lines=lines, pad_edge=False)
    for name in columns:
        made.add_column(Text(to_plain(name)), overflow="fold", no_wrap=name in _IDS)
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def cell(value: Any) -> Text:
    """One value as plain text; sync statuses in their colour."""
    text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Text(to_plain(text), style=_STYLES.get(text, ""))


def values_table(values: Iterable[dict[str, Any]]) -> Table:
    """Each value that is or would be sent, with where it comes from."""
    rows = ((v["path"], v["value"], v.get("salesforce_field"), f"{v.get('file')}:{v.get('line')}") for v in values)
    return table(("AWS path", "Value", "Salesforce field", "Mapping"), rows, title="Values")
