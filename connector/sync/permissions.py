"""What the integration user may read and write of the fields that show the sync's state.

An administrator who hides one of them, or never granted it, loses that field and nothing else: it is neither asked
for nor written, and told once. A field that the mapping reads cannot be done without: then the connection halts.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from connector.core.mapping.nodes import Leaf, leaves_of
from connector.core.selection import Selection
from connector.errors import AccessDenied

if TYPE_CHECKING:
    from connector.sync.context import Context

logger = logging.getLogger(__name__)

T = TypeVar("T")


def writable(context: Context) -> frozenset[str]:
    """The fields of our own that may be written, as the mapping spells them."""
    return frozenset(context.fields_to_show())


def barred(context: Context) -> list[str]:
    """The fields of our own that may not be written, in the mapping's order."""
    allowed = context.fields_to_show()
    return [entry.field for entry in context.mapping.write_back if entry.field not in allowed]


def readable(context: Context) -> Selection:
    """What to read: everything the mapping names, but for fields that are only shown and that Salesforce hides."""
    selection = context.mapping.selection
    visible = {name.lower() for name in context.fields()}
    needed = {name.lower() for leaf in _leaves(context) for path in leaf.paths for name in path.fields}
    if (submission := context.mapping.submission) is not None and submission.when is not None:
        needed |= {name.lower() for name in submission.when.fields}
    hidden = {entry.field.lower() for entry in context.mapping.write_back} - visible - needed
    if not hidden:
        return selection
    return replace(
        selection,
        fields=tuple(name for name in selection.fields if name.lower() not in hidden),
        linked_fields=tuple(name for name in selection.linked_fields if name.lower() not in hidden),
    )


def reading(context: Context, ask: Callable[[Selection], T], *, notes: bool = True) -> T:
    """Ask Salesforce for records; once more when a field that can be left out was hidden since it was last looked at.

    ``notes``: say what is hidden, and remember it in the ledger; not for a command that writes nothing. Raises
    AccessDenied with the mapping's line where the mapping needs what is hidden.
    """
    if notes:
        tell(context)
    selection = readable(context)
    try:
        return ask(selection)
    except AccessDenied as denied:
        narrowed = readable(context)
        if narrowed == selection:
            raise _located(context, denied) from None
    if notes:
        tell(context)
    return ask(narrowed)


def tell(context: Context) -> None:
    """Log once which of our fields cannot be shown; when one can be again, have every record read again."""
    now, told = barred(context), context.ledger.watermark(context.name, "barred_fields").split()
    if now == told:
        return
    context.ledger.set_watermark(context.name, "barred_fields", " ".join(now))
    names, extra = ", ".join(now), {"event": "fields_barred", "connection": context.name}
    if now:
        logger.error(
            "Salesforce hides these fields of %s from the integration user, or does not let it edit them: %s. They "
            "show nothing; all others are written. Grant them in its permission set, or take them out of write_back.",
            context.mapping.selection.sobject,
            names,
            extra=extra,
        )
    else:
        logger.info("All fields under write_back may be written again.", extra=extra)
    if set(told) - set(now):
        context.ledger.set_watermark(context.name, "sweep", "")


def _leaves(context: Context) -> Iterator[Leaf]:
    mapping = context.mapping
    yield from mapping.leaves
    yield from mapping.associate.values()
    if mapping.submission is not None:
        yield from leaves_of(mapping.submission.members)


def _located(context: Context, denied: AccessDenied) -> AccessDenied:
    """The same refusal with the mapping's lines that read a field it names."""
    named = {word.lower() for word in re.findall(r"\w+", denied.message)}
    lines = {
        leaf.origin.line
        for leaf in (*_leaves(context), *leaves_of(context.mapping.tree))
        for path in leaf.paths
        for name in path.fields
        if name.rpartition(".")[2].lower() in named
    }
    if not lines:
        return denied
    places = ", ".join(f"{context.mapping.file}:{line}" for line in sorted(lines))
    return AccessDenied(f"{denied.message} The mapping reads it: {places}.", denied.cure)
