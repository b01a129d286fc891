"""What is said of a link's next action: problems, AWS's review, and edits that are not sent. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable

from connector.core import lifecycle
from connector.core.diff import unescaped, value_at
from connector.core.edits import Edits
from connector.core.invitations import Invitations
from connector.core.lifecycle import ReviewStatus
from connector.core.model import Link, Mapped, Problem


def told(problems: tuple[Problem, ...]) -> str:
    """Several problems as one text for the record; the same one at several list items is said once."""
    texts = list(dict.fromkeys(map(str, problems)))
    if len(texts) == 1:
        return texts[0]
    return f"{len(texts)} things to mend: " + " ".join(f"({i}) {text}" for i, text in enumerate(texts, 1))


def review_words(link: Link) -> str:
    """What the review status means, with the reviewer's comments where they ask for something."""
    words = lifecycle.meaning_of(link.review_status, link.stage)
    if link.review_status not in {ReviewStatus.ACTION_REQUIRED, ReviewStatus.REJECTED}:
        return words
    comments = str(unescaped(value_at(link.existing, "LifeCycle.ReviewComments") or "")).strip()
    end = "" if comments.endswith((".", "!", "?")) else "."
    return f"{words} AWS's reviewer says: {comments}{end}" if comments else words


def held_words(found: Edits, mapped: Mapped) -> str:
    """Every held edit with its reason; the same reason is said once."""
    by_reason: dict[str, list[str]] = {}
    for held in found.held:
        reason = held.reason or (str(held.problem) if held.problem is not None else "This cannot be sent.")
        by_reason.setdefault(reason, []).append(held.path)
    said = []
    for reason, paths in by_reason.items():
        names = labels_of(paths, mapped)
        said.append(reason if reason.startswith(names) else f"Not sent: {names}. {reason}")
    return " ".join(said)


def held_problems(found: Edits) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(held.problem for held in found.held if held.problem is not None))


def labels_of(paths: Iterable[str], mapped: Mapped) -> str:
    """What a seller calls these AWS paths."""
    labels = []
    for path in paths:
        origin = mapped.origin_of(path)
        labels.append(origin.label if origin is not None and origin.fields else path)
    return ", ".join(dict.fromkeys(labels))


def removed_words(invited: Invitations) -> str:
    """What was sent stands, whatever became of its row in Salesforce."""
    if not invited.removed:
        return ""
    names = ", ".join(one.receiver for one in invited.removed)
    return (
        f" The invitation of {names} was removed in Salesforce after it was sent: AWS has no way to withdraw one, "
        "it stands until it is answered or expires."
    )
