"""Tables and texts on a terminal. Everything that came from a record is shown as plain text, never as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {"Held": "yellow", "Synced": "green", "In progress": "cyan", "Pending": "cyan", "Stopped": "dim"}
_IDS = frozenset({"Record", "Held", "AWS id"})
"""Columns of ids, which are to be copied and so never broken."""
_WIDTH_OF_A_PIPE = 160


def console() -> Console:
    """The console for answers; a pipe gets wide lines, so that nothing is cut."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_PIPE)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", lines: bool = False) -> Table:
    """A table; values are shown as text, None as nothing."""
    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", show_lines=lines, pad_edge=False)
    for name in columns:
        made.add_column(name, overflow="fold", no_wrap=name in _IDS)
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def cell(value: Any) -> Text:
    """One value as plain text; sync statuses in their colour."""
    text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Text(text, style=_STYLES.get(text, ""))


def values_table(values: Iterable[dict[str, Any]]) -> Table:
    """Each value that is or would be sent, with where it comes from."""
    rows = ((v["path"], v["value"], v.get("salesforce_field"), f"{v.get('file')}:{v.get('line')}") for v in values)
    return table(("AWS path", "Value", "Salesforce field", "Mapping"), rows, title="Values")
