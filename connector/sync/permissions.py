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

from connector.core.mapping.nodes import Leaf, eaches_of, leaves_of
from connector.core.model import Structure
from connector.core.selection import Selection
from connector.errors import AccessDenied

if TYPE_CHECKING:
    from connector.sync.context import Context

logger = logging.getLogger(__name__)

T = TypeVar("T")


def writable(context: Context) -> frozenset[str]:
    """The record's fields that the sync fills and may write, as the mapping spells them."""
    return frozenset(context.fields_to_show())


def barred(context: Context) -> list[str]:
    """What the sync would fill or needs for invitations and may not, in the mapping's order.

    Of child rows with their relationship before it (``Partners__r.Status__c``); that alone where it is hidden itself.
    """
    found, relationship = barred_in_record(context), _relationship(context)
    if relationship and not context.child():
        return [*found, relationship]
    needed = [f"{relationship}.{name}" for name in _hidden_in_rows(context)] if relationship else []
    return list(dict.fromkeys([*found, *needed, *barred_in_rows(context)]))


def barred_in_record(context: Context) -> list[str]:
    """The record's fields that the sync would fill and may not."""
    allowed = context.fields_to_show()
    return list(dict.fromkeys(name for name in context.own_fields if name not in allowed))


def barred_in_rows(context: Context) -> list[str]:
    """The fields of the invitations' rows that the sync would fill and may not; none where the rows are hidden."""
    if not _relationship(context) or not context.child():
        return []
    allowed = context.row_fields_to_show()
    return [f"{_relationship(context)}.{one.field}" for one in context.row_fields if one.field not in allowed]


def hides_invitations(context: Context) -> bool:
    """Whether Salesforce hides the rows that are invitations, or a field of them that the mapping reads."""
    return bool(_relationship(context)) and (not context.child() or bool(_hidden_in_rows(context)))


def invitations_in(context: Context, record: Structure) -> list[Structure]:
    """The child rows of a record that are invitations."""
    name = _relationship(context).lower()
    rows = next((value for key, value in record.items() if key.lower() == name), None) if name else None
    return [row for row in rows if isinstance(row, dict) and "Id" in row] if isinstance(rows, list) else []


def readable(context: Context) -> Selection:
    """What to read: everything the mapping names, but for what Salesforce hides and the sync can do without.

    That are fields which are only shown, and the rows of invitations as a whole.
    """
    selection = _readable_children(context, context.mapping.selection)
    visible = {name.lower() for name in context.fields()}
    needed = {name.lower() for leaf in _leaves(context) for path in leaf.paths for name in path.fields}
    if (submission := context.mapping.submission) is not None and submission.when is not None:
        needed |= {name.lower() for name in submission.when.fields}
    hidden = {name.lower() for name in context.own_fields} - visible - needed
    if not hidden:
        return selection
    return replace(
        selection,
        fields=tuple(name for name in selection.fields if name.lower() not in hidden),
        linked_fields=tuple(name for name in selection.linked_fields if name.lower() not in hidden),
    )


def _readable_children(context: Context, selection: Selection) -> Selection:
    """Without the rows of invitations where they are hidden, or without the hidden fields that are only shown."""
    relationship = _relationship(context).lower()
    if not relationship or relationship in _relationships_besides(context):
        return selection
    if hides_invitations(context):
        kept = {name: paths for name, paths in selection.children.items() if name.lower() != relationship}
        return replace(selection, children=kept)
    visible = {name.lower() for name in context.salesforce.describe(context.child())}
    hidden = {entry.field.lower() for entry in context.row_fields} - visible
    if not hidden:
        return selection
    children = {
        name: tuple(path for path in paths if name.lower() != relationship or path.lower() not in hidden)
        for name, paths in selection.children.items()
    }
    return replace(selection, children=children)


def _relationship(context: Context) -> str:
    found = context.mapping.invitations
    return found.relationship if found is not None else ""


def _relationships_besides(context: Context) -> set[str]:
    """The child relationships that the mapping reads for the opportunity itself."""
    mapping = context.mapping
    leaves = [*_leaves(context), *leaves_of(mapping.tree)]
    found = {name.lower() for leaf in leaves for path in leaf.paths for name, _ in path.children}
    return found | {each.relationship.lower() for each in eaches_of(mapping.tree)}


def _hidden_in_rows(context: Context) -> list[str]:
    """The rows' own fields that the invitations are made of and that Salesforce hides; not those of their parents."""
    found = context.mapping.invitations
    assert found is not None
    visible = {name.lower() for name in context.salesforce.describe(context.child())}
    names = [name for leaf in _leaves_of_invitations(context) for path in leaf.paths for name in path.fields]
    names += [name for path, _ in found.order_by for name in path.fields]
    names += found.where.fields if found.where is not None else ()
    return [name for name in dict.fromkeys(names) if "." not in name and name.lower() not in visible]


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
            "show nothing; all others are written. Grant them in its permission set, or take them out of the mapping."
            "%s",
            context.mapping.selection.sobject,
            names,
            " Until then no invitation is read." if hides_invitations(context) else "",
            extra=extra,
        )
    else:
        logger.info("All fields that show the sync's state may be written again.", extra=extra)
    if set(told) - set(now):
        context.ledger.set_watermark(context.name, "sweep", "")


def _leaves(context: Context) -> Iterator[Leaf]:
    mapping = context.mapping
    yield from mapping.leaves
    yield from mapping.associate.values()
    if mapping.adopt is not None:
        yield mapping.adopt
    if mapping.submission is not None:
        yield from leaves_of(mapping.submission.members)
    if mapping.assign is not None:
        yield from leaves_of(mapping.assign)
    if not _relationship(context):
        yield from _leaves_of_invitations(context)


def _leaves_of_invitations(context: Context) -> Iterator[Leaf]:
    """Below a relationship they read its rows, else the record."""
    found = context.mapping.invitations
    for item in found.items if found is not None else ():
        yield from leaves_of(item.tree)
        if item.engagement is not None:
            yield item.engagement


def _located(context: Context, denied: AccessDenied) -> AccessDenied:
    """The same refusal with the mapping's lines that read a field it names."""
    named = {word.lower() for word in re.findall(r"\w+", denied.message)}
    lines = {
        (leaf.origin.file, leaf.origin.line)
        for leaf in (*_leaves(context), *_leaves_of_invitations(context), *leaves_of(context.mapping.tree))
        for path in leaf.paths
        for name in path.fields
        if name.rpartition(".")[2].lower() in named
    }
    if not lines:
        return denied
    places = ", ".join(f"{file}:{line}" for file, line in sorted(lines))
    return AccessDenied(f"{denied.message} The mapping reads it: {places}.", denied.cure)
