"""List views: where a seller looks for what is held, under way or done. Only of fields that the mapping fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.core.condition import comparisons_of
from connector.core.lifecycle import ReviewStatus, SyncStatus
from connector.core.selection import NAME
from connector.provisioning.salesforce.needs import Needs

_COLUMNS = {
    "Opportunity": ("OPPORTUNITY.NAME", "ACCOUNT.NAME", "OPPORTUNITY.STAGE_NAME", "OPPORTUNITY.CLOSE_DATE"),
}
_STATUS, _MESSAGE, _REVIEW = "sync.status", "sync.message", "opportunity.LifeCycle.ReviewStatus"
_SHOWN = (_STATUS, _MESSAGE, "opportunity.Id", _REVIEW)
_FILTERED: tuple[tuple[str, str, str, Sequence[str]], ...] = (
    ("AWS_Held", "AWS: held", _STATUS, (SyncStatus.HELD,)),
    ("AWS_In_Progress", "AWS: in progress", _STATUS, (SyncStatus.PENDING, SyncStatus.IN_PROGRESS)),
    ("AWS_Synced", "AWS: synced", _STATUS, (SyncStatus.SYNCED,)),
    ("AWS_Stopped", "AWS: stopped", _STATUS, (SyncStatus.STOPPED,)),
    ("AWS_Action_Required", "AWS: action required", _REVIEW, (ReviewStatus.ACTION_REQUIRED,)),
)


@dataclass(frozen=True, slots=True)
class ListView:
    """A list of records of everybody, filtered by one field: ``value`` may name several with commas between."""

    sobject: str
    name: str
    label: str
    columns: tuple[str, ...]
    field: str
    value: str


def list_views(needs: Needs) -> tuple[ListView, ...]:
    """The list views of every object that a mapping is about, as far as its columns are known here."""
    found: list[ListView] = []
    for sobject, conditions in sorted(needs.selected.items()):
        columns = _COLUMNS.get(sobject, ("NAME",) if sobject.endswith("__c") else ())
        if not columns:
            needs.tell(f"{sobject}: no list views, since the names of its columns are not known here.")
            continue
        found += _of_object(needs, sobject, conditions, columns)
    return tuple(found)


def _of_object(needs: Needs, sobject: str, conditions: set[str], columns: tuple[str, ...]) -> list[ListView]:
    shown = [name for fact in _SHOWN if (name := _field_of(needs, sobject, fact))]
    found = [
        ListView(sobject, name, label, _without(columns, shown, field if len(values) == 1 else ""), field, _any(values))
        for name, label, fact, values in _FILTERED
        if (field := _field_of(needs, sobject, fact))
    ]
    flag = _flag_of(conditions)
    if flag and (sobject, flag) in needs.custom:
        found.append(ListView(sobject, "AWS_All_Shared", "AWS: all shared", (*columns, *shown), flag, "1"))
    return found


def _without(columns: tuple[str, ...], shown: list[str], same: str) -> tuple[str, ...]:
    """Without the column that would say the same in every line."""
    return (*columns, *(name for name in shown if name != same))


def _any(values: Sequence[str]) -> str:
    return ",".join(map(str, values))


def _field_of(needs: Needs, sobject: str, fact: str) -> str:
    """The field of the object that shows a fact, "" where none does."""
    return next(
        (
            name
            for (owner, name), uses in needs.custom.items()
            if owner == sobject and any(use.writes and use.about == fact for use in uses)
        ),
        "",
    )


def _flag_of(conditions: set[str]) -> str:
    """The checkbox that alone decides which records are shared, "" where it is not as simple as that."""
    if len(conditions) != 1:
        return ""
    (text,) = conditions
    found = comparisons_of(text)
    if len(found) != 1 or text.split() != [found[0].path, "=", text.split()[-1]]:
        return ""
    is_set = found[0].operator == "=" and found[0].values == (True,)
    return found[0].path if is_set and NAME.fullmatch(found[0].path) else ""
