"""What becomes of each value of one planned record: what is sent by which action, and why the rest is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from connector.core import diff, edits, plan
from connector.core.diff import ASSOCIATED, Change
from connector.core.edits import Policy
from connector.core.lifecycle import ReviewStatus
from connector.core.mapping.nodes import ASSIGNEE
from connector.core.model import Association, Link, Mapped, Structure
from connector.core.plan import Action
from connector.report.values import leaves_at

SUBMISSION = "AwsSubmission"
LOCKED = "AWS is reviewing the opportunity and takes no edits; it goes when the review is over."
WITH_OTHERS = "It goes together with what holds the record."
_READ = "What AWS has is read first, then compared."


@dataclass(frozen=True, slots=True)
class Outcome:
    """``becomes``: create, update, unchanged, associate, disassociate, submit, assign, hold, wait, aws, read or stop.

    ``why`` says why it is not sent. ``before`` is AWS's value where an update replaces it.
    """

    becomes: str
    why: str | None = None
    before: Any = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Answers by AWS path for one record; made by ``judge``."""

    default: Outcome
    changes: tuple[Change, ...] = ()
    others: dict[str, Outcome] = field(default_factory=dict)
    attach: frozenset[Association] = frozenset()
    detach: tuple[Association, ...] = ()
    attached: frozenset[Association] = frozenset()
    submits: Outcome = field(default_factory=lambda: Outcome("submit"))
    assigns: Outcome = field(default_factory=lambda: Outcome("assign"))

    def of(self, path: str, value: Any) -> Outcome:
        """What becomes of the value at this path."""
        root = path.partition(".")[0]
        if root == SUBMISSION:
            return self.submits
        if root == ASSIGNEE:
            return self.assigns
        if path.startswith(ASSOCIATED):
            return self._of_association(Association(path.removeprefix(ASSOCIATED), str(value)))
        for change in self.changes:
            if is_within(path, change.path):
                return _at_leaf(Outcome("update", before=change.before), change.path, path, value)
        for top, one in self.others.items():
            if is_within(path, top):
                return _at_leaf(one, top, path, value)
        return self.default

    def _of_association(self, association: Association) -> Outcome:
        if association in self.attach:
            return Outcome("associate")
        if association in self.attached:
            return Outcome("unchanged")
        return self.others.get(f"{ASSOCIATED}{association.entity_type}", self.default)

    def removed(self, sent: Structure) -> Iterator[tuple[str, Outcome]]:
        """What AWS has and loses, by path: nothing is sent there any more."""
        kept = {path for path, _ in leaves_at(sent)}
        for change in self.changes:
            for path, before in leaves_at(change.before, change.path):
                if path not in kept and before not in (None, "", [], {}):
                    yield path, Outcome("update", before=before)
        for association in self.detach:
            yield f"{ASSOCIATED}{association.entity_type}", Outcome("disassociate", before=association.identifier)

    def untold(self, paths: Iterable[str]) -> list[tuple[str, Outcome]]:
        """The edits that are not sent and of which no value is left on the record."""
        told = list(paths)
        return [(top, one) for top, one in self.others.items() if not any(is_within(path, top) for path in told)]


def judge(link: Link, actions: Sequence[Action], policy: Policy, today: date) -> Outcomes:
    """What becomes of each value of a link that these actions are planned for."""
    mapped = link.mapped
    assert mapped is not None
    submits = Outcome("submit") if any(isinstance(action, plan.Submit) for action in actions) else None
    assigns = Outcome("assign") if any(isinstance(action, plan.Assign) for action in actions) else None
    attach = frozenset(action.association for action in actions if isinstance(action, plan.Attach))
    if not link.opportunity_id:
        default = Outcome("create") if isinstance(actions[0], plan.Create) else _waiting(actions[0])
        return Outcomes(default, attach=attach, submits=submits or default, assigns=assigns or default)
    if isinstance(actions[0], plan.Read | plan.Resume | plan.Drop | plan.Adopt | plan.Stop) or link.base is None:
        default = _waiting(actions[0])
        return Outcomes(default, attach=attach, submits=submits or default, assigns=assigns or default)
    detach = tuple(action.association for action in actions if isinstance(action, plan.Detach))
    changes = tuple(change for action in actions if isinstance(action, plan.Update) for change in action.changes)
    resting = _waiting(actions[-1])
    is_done = plan.is_submitted(link) or resting.becomes == "wait"
    return Outcomes(
        Outcome("unchanged"),
        changes,
        _unsent(link, mapped, policy, today, changes),
        attach,
        detach,
        frozenset(link.attached or ()),
        submits or (Outcome("unchanged") if is_done else resting),
        assigns or (Outcome("unchanged") if diff.is_same(mapped.assignee, link.assigned) else resting),
    )


def _waiting(action: Action) -> Outcome:
    """Of values that no action sends now."""
    if isinstance(action, plan.Read | plan.Adopt):
        return Outcome("read", _READ)
    if isinstance(action, plan.Resume | plan.Drop):
        return Outcome("wait", f"{action.operation.action} is under way.")
    if isinstance(action, plan.Hold):
        return Outcome("hold", WITH_OTHERS)
    if isinstance(action, plan.Wait | plan.Stop):
        return Outcome(type(action).__name__.lower(), action.reason)
    return Outcome("unchanged")


def _unsent(link: Link, mapped: Mapped, policy: Policy, today: date, sent: Sequence[Change]) -> dict[str, Outcome]:
    """The edits that none of the actions sends, by AWS path."""
    found = edits.judge(_as_planned(link), mapped, policy, today)
    going = {change.path for change in sent}
    unsent = {change.path: Outcome("hold", WITH_OTHERS, change.before) for change in found.send}
    unsent |= {path: Outcome("wait", LOCKED, diff.value_at(link.base, path)) for path in found.queued}
    for held in found.held:
        why = held.reason or str(held.problem or "")
        unsent[held.path] = Outcome("hold", why, diff.value_at(link.base, held.path))
    for change in found.overruled:
        unsent[change.path] = Outcome("aws", "The mapping says owner: aws, so AWS's value stands.", change.before)
    return {path: outcome for path, outcome in unsent.items() if path not in going}


def _as_planned(link: Link) -> Link:
    """The link with the review status that its plan goes by."""
    if not plan.is_submitted(link):
        return link.with_review_status(ReviewStatus.PENDING)
    return link.with_review_status("") if link.review_status == ReviewStatus.PENDING else link


def foreseen(link: Link, actions: tuple[Action, ...], policy: Policy, now: datetime) -> tuple[Action, ...]:
    """The actions of a new record with those that follow from its creation: its owner, and invitations elsewhere."""
    mapped = link.mapped
    if mapped is None or not isinstance(actions[0], plan.Create) or not (mapped.assignee or mapped.invitations):
        return actions
    life_cycle = {**(mapped.opportunity.get("LifeCycle") or {}), "ReviewStatus": ReviewStatus.PENDING.value}
    # Before it is created nobody knows its id, and no rule asks for it.
    existing = {"Id": "new", "LifeCycle": life_cycle}
    created = replace(link, opportunity_id="new", existing=existing, base=mapped.opportunity, attached=())
    return (actions[0], *plan.plan_link(created, policy, now))


def is_within(path: str, top: str) -> bool:
    """Whether a path is this one or lies below it."""
    return path == top or path.startswith((f"{top}.", f"{top}["))


def _at_leaf(edit: Outcome, top: str, path: str, value: Any) -> Outcome:
    """What becomes of one value of an edit, which may be of a whole list."""
    before = dict(leaves_at(edit.before, top)).get(path)
    is_same = diff.is_same(before, value, path.rpartition(".")[2])
    return Outcome("unchanged") if is_same else replace(edit, before=before)
