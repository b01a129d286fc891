"""Where deals are on their way through AWS, and what the connector is doing about them: how many, and which.

Counted over all links of a connection, so not for each request; see ``Ledger.crowds``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from connector.core.lifecycle import CLOSED_LOST, LAUNCHED, LOCKED, ReviewStatus, TaskStatus
from connector.core.model import Structure

PLACES: Mapping[str, str] = {
    "new": "Not in AWS yet",
    "draft": "Draft at AWS",
    "review": "AWS reviews it",
    "action": "AWS asks for changes",
    "approved": "Approved",
    "launched": "Launched",
    "lost": "Closed lost",
    "rejected": "Rejected",
    "gone": "No longer shared",
}
"""Where a deal is, in the order of its life, with its name for people."""
_OF_REVIEW = {
    ReviewStatus.ACTION_REQUIRED.value: "action",
    ReviewStatus.REJECTED.value: "rejected",
    ReviewStatus.APPROVED.value: "approved",
    **{status.value: "review" for status in LOCKED},
}
_OF_STAGE = {LAUNCHED: "launched", CLOSED_LOST: "lost"}


def place_of(facts: Structure) -> str:
    """The place of links with these facts: ``presence``, ``review_status``, ``stage``, ``task_status``, and
    ``opportunity_id`` or ``is_linked``."""
    if facts["presence"] != "flagged":
        return "gone"
    if not facts.get("opportunity_id") and not facts.get("is_linked"):
        return "new"
    if facts["task_status"] == TaskStatus.IN_PROGRESS:
        return "review"
    review = str(facts["review_status"] or "")
    if review == ReviewStatus.APPROVED:
        return _OF_STAGE.get(str(facts["stage"] or ""), "approved")
    # A status that AWS added later takes no edits, as one under review.
    return _OF_REVIEW.get(review, "draft" if review in {"", ReviewStatus.PENDING} else "review")


@dataclass(frozen=True)
class Whereabouts:
    """All links of a connection, counted: ``states`` by status, ``places`` by place, both with 0 left out."""

    states: Mapping[str, int]
    places: Mapping[str, int]
    total: int
    _texts: Mapping[str, tuple[str, ...]] = field(repr=False)

    def numbers_at(self, place: str) -> tuple[int, ...]:
        """The numbers of the links at a place, the newest first."""
        return self._numbers.get(place, ())

    @cached_property
    def _numbers(self) -> dict[str, tuple[int, ...]]:
        return {
            place: tuple(sorted((int(one) for text in texts for one in text.split(",")), reverse=True))
            for place, texts in self._texts.items()
        }


def whereabouts_of(crowds: Iterable[Structure]) -> Whereabouts:
    """What ``Ledger.crowds`` gave, added up."""
    states: dict[str, int] = defaultdict(int)
    places: dict[str, int] = defaultdict(int)
    texts: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for crowd in crowds:
        place = place_of(crowd)
        states[str(crowd["status"])] += int(crowd["count"])
        places[place] += int(crowd["count"])
        texts[place] += (str(crowd["numbers"]),)
    return Whereabouts(dict(states), {p: places[p] for p in PLACES if p in places}, sum(states.values()), dict(texts))
