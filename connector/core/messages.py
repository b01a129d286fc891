"""Reads what AWS says when it refuses: task messages, field names, codes. What they mean is the catalogue's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from connector.core.schema import Shape


class Detail(NamedTuple):
    """One part of a task's message; ``code`` and ``path`` are "" where AWS gave none."""

    code: str
    path: str
    text: str


GRAMMAR = "<CODE> <camelCase.field.path>:<text>[;<CODE> <path>:<text>]…"
"""How AWS writes a failed task's message, as seen in its recordings. AWS documents none of it.

Every part but the text may be missing, and a text may itself hold semicolons and colons: a part without a code and
without a path belongs to the text before it. Whatever else the message is, it is one part.
"""

_CODE = r"(?P<code>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"
_STEP = r"[A-Za-z][A-Za-z0-9]*(?:\[\d+\])?"
_CODED = re.compile(rf"\s*{_CODE}(?:\s+(?P<path>{_STEP}(?:\.{_STEP})*)\s*:|\s*:|\s+|$)\s*(?P<text>.*)", re.DOTALL)
_PLACED = re.compile(rf"\s*(?P<path>[a-z][A-Za-z0-9]*(?:\[\d+\])?(?:\.{_STEP})+)\s*:\s*(?P<text>.*)", re.DOTALL)


def parse_task_message(text: str) -> tuple[Detail, ...]:
    """The parts of a failed task's message, in order; other text is one part."""
    details: list[Detail] = []
    for piece in text.split(";"):
        match = _CODED.match(piece) or _PLACED.match(piece)
        if match is not None:
            found = match.groupdict()
            details.append(Detail(found.get("code") or "", found["path"] or "", found["text"].strip()))
        elif details and piece.strip():
            last = details[-1]
            details[-1] = last._replace(text=f"{last.text}; {piece.strip()}".removeprefix("; "))
        elif piece.strip():
            details.append(Detail("", "", piece.strip()))
    return tuple(details)


def to_aws_path(field_name: str, shape: Shape) -> str:
    """AWS's name of a field, in the spelling of ``shape``.

    ``customer.account.address.stateOrRegion`` gives ``Customer.Account.Address.StateOrRegion``, and so does
    ``address.stateOrRegion``, where no other path ends so. Indices are kept. The name itself
    when nothing or several fit.
    """
    steps = [step for step in re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", field_name.strip()).split(".") if step]
    wanted = [step.partition("[")[0].casefold() for step in steps]
    if not wanted:
        return field_name
    paths = list(_paths(shape))
    fitting = [path for path in paths if [step.casefold() for step in path] == wanted]
    fitting = fitting or [path for path in paths if [step.casefold() for step in path[-len(wanted) :]] == wanted]
    if len(fitting) != 1:
        return field_name
    (path,) = fitting
    indices = [step.partition("[")[1] + step.partition("[")[2] for step in steps]
    indices = [""] * (len(path) - len(indices)) + indices
    return ".".join(name + index for name, index in zip(path, indices, strict=True))


def _paths(shape: Shape, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    while shape.kind == "list" and shape.item is not None:
        shape = shape.item
    for name, member in shape.members.items():
        yield (*above, name)
        yield from _paths(member, (*above, name))


def normalise_code(code: str) -> str:
    """``OPPORTUNITY_VALIDATION_FAILED`` and ``OpportunityValidationFailed`` as one; ``null`` is none."""
    text = re.sub(r"[\W_]", "", code).casefold()
    return "" if text == "null" else text
