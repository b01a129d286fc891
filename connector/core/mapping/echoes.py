"""Facts that are shown in a field which is sent to AWS: each would come back as an edit. Knows no record and no org."""

from __future__ import annotations

from collections.abc import Callable

from connector.core.findings import Finding, Severity
from connector.core.mapping.complaints import Keys
from connector.core.mapping.nodes import CompiledMapping, Leaf, leaves_outside_eaches
from connector.errors import FileProblem

KIND = "echo"
_CURE = "Show it in a field of its own. What sellers and AWS may both change belongs below `inbound:`."


def look_for_echoes(mapping: CompiledMapping, place: Callable[[Keys], FileProblem]) -> list[Finding]:
    """A warning for each line of ``write_back`` whose field a leaf sends.

    To test such a field, to adopt by it, or to invite into the engagement that it shows is as it should be.
    """
    senders = {name.lower(): leaf for leaf in _sent(mapping) for name in _read_by(leaf)}
    found = []
    for entry in mapping.write_back:
        leaf = senders.get(entry.field.lower())
        if leaf is not None:
            at = place(("write_back", entry.field))
            message = f"{entry.field} shows {entry.fact}, and {leaf.path} would send that to AWS."
            told = FileProblem(at.file, at.line, at.column, message, _CURE)
            found.append(Finding.from_problem(told, KIND, Severity.WARNING))
    return found


def _sent(mapping: CompiledMapping) -> list[Leaf]:
    submitted = mapping.submission.members if mapping.submission is not None else None
    trees = [tree for tree in (mapping.tree, submitted, mapping.assign) if tree is not None]
    return [*mapping.associate.values(), *(leaf for tree in trees for leaf in leaves_outside_eaches(tree))]


def _read_by(leaf: Leaf) -> list[str]:
    paths = (*leaf.sources, *(leaf.template.paths if leaf.template is not None else ()))
    return [name for path in paths for name in path.fields]
