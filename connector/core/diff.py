"""Three-way comparison: desired (mapped now), existing (AWS now), base (last agreed), and the body of an update.

UpdateOpportunity replaces the whole record, so its body is always AWS's own record with our changes laid over it.
"""

from __future__ import annotations

import copy
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from connector.core.model import Association, Structure
from connector.core.schema import Shape

_NOTHING: tuple[Any, ...] = (None, "", [], {})
_RELATED = "RelatedEntityIdentifiers"
ASSOCIATED = f"{_RELATED}."
_CREATE_ONLY = frozenset({"Origin", "OpportunityTeam", "Tags", "LifeCycle.ReviewStatus"})
"""Not part of UpdateOpportunity, or not ours to change."""
_NOT_IN_A_DRAFT = frozenset({"LifeCycle.Stage", "LifeCycle.ClosedLostReason"})
"""AWS takes no other stage while an opportunity is Pending Submission (ACTION_NOT_PERMITTED)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One owned path that differs: ``before`` is what AWS agreed to, ``after`` what Salesforce says now."""

    path: str
    before: Any
    after: Any


def changes_between(
    desired: Structure,
    existing: Structure | None,
    base: Structure | None,
    owned: Iterable[str],
    *,
    is_draft: bool = True,
) -> tuple[Change, ...]:
    """The owned paths at which Salesforce wants something else than AWS agreed to, by path.

    Without a base (an adopted opportunity) a field that is empty in Salesforce is left as AWS has it. Of a draft the
    stage is not compared.
    """
    if base is not None and {**base, _RELATED: None} == {**desired, _RELATED: None}:
        return ()
    agreed = base if base is not None else (existing or {})
    found = []
    for path, steps in _compared(frozenset(owned), is_draft):
        before, after = _at(agreed, steps), _at(desired, steps)
        if base is None and after in _NOTHING:
            continue
        if not is_same(before, after, steps[-1]):
            found.append(Change(path, before, after))
    return tuple(found)


@lru_cache(maxsize=64)
def _compared(owned: frozenset[str], is_draft: bool) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The paths to compare, in order, each with its steps."""
    compared = owned - _CREATE_ONLY - (_NOT_IN_A_DRAFT if is_draft else frozenset())
    paths = sorted(path for path in compared if not path.startswith(ASSOCIATED))
    return tuple((path, tuple(path.split("."))) for path in paths)


def body_of_update(
    existing: Structure, changes: Iterable[Change], shape: Shape, base: Structure | None = None
) -> Structure:
    """AWS's record (a GetOpportunity answer) with the changes laid over it, ready for UpdateOpportunity.

    Keeps Stage and ReviewStatus as they are, drops what the operation does not take, and mends what AWS returns
    but would refuse: escaped text, stub spend rows, the pseudo-need, a campaign without a marketing activity. A text
    that looks escaped and was sent like that (``base``) goes as it was sent.
    """
    body: Structure = _fitting(_as_sent(unescaped(existing), base), shape)
    body["Identifier"] = existing["Id"]
    for change in changes:
        after = copy.deepcopy(change.after)
        put_at(body, change.path, _with_additions(value_at(body, change.path), change.before, after))
    _mend(body)
    return body


def _with_additions(existing: Any, before: Any, after: Any) -> Any:
    """Rows as they shall be, each with what somebody else has added to it at AWS.

    A row is the same one where there are as many as before and it still holds all that was agreed on.
    """
    lists = (existing, before, after)
    if not all(isinstance(rows, list) for rows in lists) or len({len(rows) for rows in lists}) != 1:
        return after
    return [_row_with_additions(*rows) for rows in zip(*lists, strict=True)]


def _row_with_additions(existing: Any, before: Any, after: Any) -> Any:
    if not all(isinstance(row, Mapping) for row in (existing, before, after)):
        return after
    if not all(is_same(existing.get(name), value, name) for name, value in before.items()):
        return after
    return {**{name: value for name, value in existing.items() if name not in before}, **after}


def is_whole(existing: Structure | None) -> bool:
    """Whether this is a whole GetOpportunity; what ListOpportunities shows of one has no title."""
    return bool(value_at(existing, "Project.Title"))


def is_newer(told: Structure, known: Structure | None) -> bool:
    """Whether what AWS tells of an opportunity was modified after what is known of it.

    A list that lags behind may show an older state than the answer of our own last write.
    """
    stamp, known_stamp = (told.get("LastModifiedDate") or ""), ((known or {}).get("LastModifiedDate") or "")
    try:
        return not known_stamp or datetime.fromisoformat(stamp) > datetime.fromisoformat(known_stamp)
    except (TypeError, ValueError):
        return bool(stamp != known_stamp)


def agreed_base(
    base: Structure | None, desired: Structure, existing: Structure, owned: Iterable[str]
) -> Structure | None:
    """The base once AWS shows what Salesforce wants, wherever that came from: at such a path both sides agree."""
    if base is None:
        return None
    found = None
    for change in changes_between(desired, existing, base, owned, is_draft=False):
        if is_same(value_at(existing, change.path), change.after, change.path.rpartition(".")[2]):
            found = copy.deepcopy(base) if found is None else found
            put_at(found, change.path, copy.deepcopy(change.after))
    return base if found is None else found


def base_after(base: Structure | None, sent: Iterable[Change]) -> Structure:
    """The base once AWS has taken these changes."""
    after: Structure = copy.deepcopy(base or {})
    for change in sent:
        put_at(after, change.path, copy.deepcopy(change.after))
    return after


def base_of_adopted(
    desired: Structure, existing: Structure, wanted: Iterable[Association], owned: Iterable[str]
) -> Structure:
    """What counts as agreed on with an opportunity that somebody else made: what both sides hold, else AWS's word.

    A stage that differs is left until it changes in Salesforce: at AWS the deal may be further on.
    """
    base: Structure = copy.deepcopy(desired)
    for change in changes_between(desired, existing, None, owned):
        put_at(base, change.path, copy.deepcopy(change.before))
    shared = set(wanted) & set(attached_of(existing))
    return agree_on(base, shared) or base


def _fitting(value: Any, shape: Shape | None) -> Any:
    """Only what the shape knows, without empty values."""
    if shape is not None and shape.kind == "structure" and isinstance(value, Mapping):
        kept = {name: _fitting(inner, shape.members[name]) for name, inner in value.items() if name in shape.members}
        return {name: inner for name, inner in kept.items() if inner not in _NOTHING}
    if shape is not None and shape.kind == "list" and isinstance(value, list):
        items = [_fitting(item, shape.item) for item in value]
        required = shape.item.required if shape.item is not None else frozenset()
        return [item for item in items if item not in _NOTHING and (not required or required <= set(item))]
    return value


_PSEUDO_NEED = "Do Not Need Support from AWS Sales Rep"


def _mend(body: Structure) -> None:
    life_cycle = body.get("LifeCycle", {})
    for name in ("NextStepsHistory", "ReviewComments", "ReviewStatusReason"):
        life_cycle.pop(name, None)
    needs = body.get("PrimaryNeedsFromAws")
    if isinstance(needs, list):
        body["PrimaryNeedsFromAws"] = [need for need in needs if need != _PSEUDO_NEED]
        if not body["PrimaryNeedsFromAws"]:
            del body["PrimaryNeedsFromAws"]
    marketing = body.get("Marketing", {})
    if marketing.get("Source") == "None":
        for name in set(marketing) - {"Source"}:
            del marketing[name]


def unescaped(value: Any) -> Any:
    """AWS returns some text HTML-escaped, sometimes twice; give it back as it was written."""
    if isinstance(value, str):
        while (plain := html.unescape(value)) != value:
            value = plain
        return value
    if isinstance(value, Mapping):
        return {name: unescaped(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [unescaped(item) for item in value]
    return value


def _as_sent(value: Any, base: Any) -> Any:
    """Text without escapes, but for what was agreed on with them: nobody can tell these from AWS's own."""
    if isinstance(value, Mapping) and isinstance(base, Mapping):
        return {name: _as_sent(inner, base.get(name)) for name, inner in value.items()}
    if isinstance(value, list) and isinstance(base, list) and len(value) == len(base):
        return [_as_sent(one, other) for one, other in zip(value, base, strict=True)]
    return base if isinstance(base, str) and isinstance(value, str) and unescaped(base) == value else value


def value_at(value: Any, path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    return _at(value, path.split("."))


def _at(value: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def put_at(body: Structure, path: str, value: Any) -> None:
    """Set the value at a dotted path; an empty one removes it, and structures that it leaves empty."""
    *steps, last = path.split(".")
    trail = [body]
    for step in steps:
        trail.append(trail[-1].setdefault(step, {}))
    if value not in _NOTHING:
        trail[-1][last] = value
        return
    trail[-1].pop(last, None)
    for parent, step in reversed(list(zip(trail, steps, strict=False))):
        if not parent[step]:
            del parent[step]


def is_same(one: Any, other: Any, name: str = "") -> bool:
    """Equal once what the services add or drop is set aside: spelling of numbers, order, escapes, emptiness.

    ``name`` is the member's; texts of some members are amounts.
    """
    return bool(one == other or _normal(one, name) == _normal(other, name))


def _normal(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        inner = {key: _normal(item, key) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item is not None} or None
    if isinstance(value, list):
        items = [found for item in value if (found := _normal(item, name)) is not None]
        return (sorted(items) if all(isinstance(item, str) for item in items) else items) or None
    is_amount = name in _AMOUNTS or isinstance(value, int | float | Decimal)
    if is_amount and (number := _number_of(value)) is not None:
        return number
    return (unescaped(value).strip() or None) if isinstance(value, str) else value


_AMOUNTS = frozenset({"Amount", "Value"})


def _number_of(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def association_changes(
    wanted: Iterable[Association],
    attached: Iterable[Association],
    agreed: Iterable[Association],
    owned: Iterable[str],
) -> tuple[tuple[Association, ...], tuple[Association, ...]]:
    """(to attach, to detach); attach first, since AWS may need the last one to stay until then.

    Only what both sides agreed on once (``agreed``) is detached, and only where Salesforce owns that kind (``owned``
    has, for instance, ``RelatedEntityIdentifiers.Solutions``): what somebody associated at AWS stays.
    """
    wanted, attached = set(wanted), set(attached)
    kinds = _kinds_of(frozenset(owned))
    detach = (found for found in attached & set(agreed) - wanted if found.entity_type in kinds)
    return tuple(sorted(wanted - attached)), tuple(sorted(detach))


@lru_cache(maxsize=64)
def _kinds_of(owned: frozenset[str]) -> frozenset[str]:
    """The kinds of associations among these paths."""
    return frozenset(path.removeprefix(ASSOCIATED) for path in owned if path.startswith(ASSOCIATED))


def agreed_associations(base: Structure | None) -> tuple[Association, ...]:
    """The associations that both sides agreed on last."""
    return attached_of(base or {})


def agree_on(base: Structure | None, associations: Iterable[Association]) -> Structure | None:
    """A base with just these associations; none where there is no base yet."""
    if base is None:
        return None
    kinds: dict[str, list[str]] = {}
    for association in sorted(set(associations)):
        kinds.setdefault(association.entity_type, []).append(association.identifier)
    return {**base, _RELATED: kinds}


def attached_of(existing: Structure) -> tuple[Association, ...]:
    """The associations of a GetOpportunity answer."""
    related = existing.get(_RELATED) or {}
    return tuple(sorted(Association(kind, text) for kind, texts in related.items() for text in texts or []))
