"""What becomes of the edits made in Salesforce since AWS agreed last: sent, queued or held, each with its reason.

Judges what is known and sends nothing. An edit that AWS would refuse holds itself and what belongs to it; the others
go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from connector.core import rules, schema
from connector.core.diff import (
    ASSOCIATED,
    Change,
    agreed_associations,
    association_changes,
    body_of_update,
    changes_between,
    is_same,
    is_whole,
    value_at,
)
from connector.core.given import base_of
from connector.core.lifecycle import FINAL, ReviewStatus, Verdict, has_begun, verdict_on, verdict_on_associations
from connector.core.model import Association, Link, Mapped, Problem, Structure
from connector.core.rules.facts import Facts
from connector.core.rules.update import SOLUTIONS, STAGES_WITH_SOLUTION
from connector.core.schema import Shape


@dataclass(frozen=True, slots=True)
class Policy:
    """What a mapping and the configuration say about edits.

    ``owned`` and ``owned_by_aws`` are the AWS paths that Salesforce and AWS decide. ``shape`` is the input of
    UpdateOpportunity, without which no body is judged. ``launch_needs_account``: see ``rules.Facts``.
    """

    owned: frozenset[str] = frozenset()
    owned_by_aws: frozenset[str] = frozenset()
    shape: Shape | None = None
    launch_needs_account: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """An edit that cannot be sent as things are, and why. ``is_final``: nothing in Salesforce could free it."""

    path: str
    reason: str
    problem: Problem | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Edits:
    """What becomes of every edit. ``overruled`` are paths with ``owner: aws`` at which AWS's value stands."""

    send: tuple[Change, ...] = ()
    attach: tuple[Association, ...] = ()
    detach: tuple[Association, ...] = ()
    queued: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    overruled: tuple[Change, ...] = ()

    @property
    def is_to_send(self) -> bool:
        return bool(self.send or self.attach or self.detach)


@dataclass(slots=True)
class _Sorting:
    """Edits on their way to where they belong."""

    send: list[Change] = field(default_factory=list)
    queued: list[str] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


def judge(link: Link, mapped: Mapped, policy: Policy, today: date, *, associates: bool = True) -> Edits:
    """Sort the edits of a linked record. ``link.existing`` may be a part of AWS's record; then no body is judged.

    ``today`` is the date in UTC, by which AWS judges close dates. ``associates``: what is to be attached and detached
    will be; where AWS refused that, a stage cannot count on it.
    """
    agreed = base_of(link)
    if agreed is not link.base:  # what came from AWS and stands in Salesforce is nobody's edit
        link = replace(link, base=agreed)
    existing = link.existing or {}
    sorting = _Sorting()
    attach, detach = _associations(link, mapped, policy, sorting)
    for change in _candidates(link, mapped, policy):
        _sort(change, link, mapped, sorting)
    if sorting.send and policy.shape is not None and is_whole(existing):
        attached = {*(link.attached or ())}
        if associates:
            attached = (attached | {*attach}) - {*detach}
        _hold_refused(link, mapped, policy, sorting, attached, today)
    return Edits(
        tuple(sorting.send),
        attach,
        detach,
        tuple(dict.fromkeys(sorting.queued)),
        tuple(dict.fromkeys(sorting.held)),
        _overruled(link, mapped, policy),
    )


def _candidates(link: Link, mapped: Mapped, policy: Policy) -> Iterable[Change]:
    """Every path at which Salesforce wants something else than AWS has."""
    existing = link.existing or {}
    whole = is_whole(existing)
    for change in changes_between(mapped.opportunity, existing, link.base, policy.owned, is_draft=False):
        if not (whole and is_same(value_at(existing, change.path), change.after, _last(change.path))):
            yield change
    if not whole or link.base is None:
        return
    for path in sorted(policy.owned_by_aws):  # AWS's value is kept once it is there; where none ever was, ours goes
        wanted = value_at(mapped.opportunity, path)
        was_never_there = value_at(existing, path) is None and value_at(link.base, path) is None
        if wanted is not None and was_never_there and not path.startswith(ASSOCIATED):
            yield Change(path, None, wanted)


def _overruled(link: Link, mapped: Mapped, policy: Policy) -> tuple[Change, ...]:
    found = []
    if link.base is None or not is_whole(link.existing):
        return ()
    for path in sorted(policy.owned_by_aws):
        agreed, wanted, at_aws = (value_at(side, path) for side in (link.base, mapped.opportunity, link.existing))
        name = _last(path)
        if at_aws is not None and not is_same(wanted, agreed, name) and not is_same(wanted, at_aws, name):
            found.append(Change(path, at_aws, wanted))
    return tuple(found)


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _sort(change: Change, link: Link, mapped: Mapped, sorting: _Sorting) -> None:
    path = change.path
    problem = _problem_at(path, mapped)
    if (unread := _unread_of(path, mapped)) is not None:
        sorting.held.append(Held(path, "", problem or _problem_at(unread, mapped)))
        return
    verdict = verdict_on(path, link.review_status, link.stage)
    if verdict == Verdict.QUEUE:
        sorting.queued.append(path)
    elif verdict == Verdict.HOLD:
        is_final = link.review_status == ReviewStatus.APPROVED
        sorting.held.append(Held(path, _locked_words(link, path), is_final=is_final))
    elif problem is not None:
        sorting.held.append(Held(path, "", problem))
    else:
        sorting.send.append(change)


def _unread_of(path: str, mapped: Mapped) -> str | None:
    """The path, or one beside it, that could not be read, so that nobody knows what this one should be.

    The constants of a structure are left out with what they stand beside.
    """
    if path in mapped.unread:
        return path
    parent = path.rpartition(".")[0]
    if not parent or value_at(mapped.opportunity, parent) is not None:
        return None
    return next((unread for unread in mapped.unread if unread.startswith(f"{parent}.")), None)


_OF_NEW_ONES = frozenset({"closed_lost", "launched"})
"""Codes of problems that are about creating and submitting; what was submitted may well be launched or lost."""


def _problem_at(path: str, mapped: Mapped) -> Problem | None:
    """What is wrong with the value that this path would get."""
    at_path = (p for p in mapped.problems if p.path == path or p.path.startswith((f"{path}.", f"{path}[")))
    return next((p for p in at_path if p.code not in _OF_NEW_ONES), None)


def _locked_words(link: Link, path: str) -> str:
    if link.stage in FINAL and link.review_status == ReviewStatus.APPROVED:
        return f"AWS has it as {link.stage} and takes no such change any more."
    if link.review_status == ReviewStatus.ACTION_REQUIRED:
        if verdict_on(path, ReviewStatus.APPROVED, link.stage) == Verdict.SEND:
            return "AWS takes this only once it has approved the opportunity; then it is sent by itself."
        return "AWS takes no change of this, now or later, and keeps what was submitted."
    return "AWS keeps what it approved."


# What AWS judges together: one of them is not sent without the others. A path stands for all below it.
# The problem of a stage's precondition may lie at the customer's account or at the solutions.
_TOGETHER = (
    ("LifeCycle.Stage", "LifeCycle.ClosedLostReason", "Customer.Account.AwsAccountId", "RelatedEntityIdentifiers"),
    ("Customer.Account.Industry", "Customer.Account.OtherIndustry", "NationalSecurity"),
    ("Customer.Account.Address",),
    ("Marketing",),
    ("OpportunityType", "Project.RelatedOpportunityIdentifier"),
    ("Project.CompetitorName", "Project.OtherCompetitorNames"),
    ("Project.AwsPartition", "Project.ExpectedCustomerSpend"),
    ("Project.ExpectedContractDuration",),
    ("SoftwareRevenue",),
)


def _group_of(path: str) -> str:
    plain = path.partition("[")[0]
    for group in _TOGETHER:
        if any(plain == top or plain.startswith(f"{top}.") for top in group):
            return group[0]
    return plain


def _hold_refused(
    link: Link, mapped: Mapped, policy: Policy, sorting: _Sorting, attached: Iterable[Association], today: date
) -> None:
    """Take out of ``sorting.send`` what AWS would refuse, until it would take the rest."""
    associations = tuple(sorted(attached))
    while sorting.send:
        problems = _problems_of(link, mapped, policy, sorting.send, associations, today)
        if not problems:
            return
        by_group: dict[str, Problem] = {}
        for problem in problems:
            by_group.setdefault(_group_of(problem.path), problem)
        refused = [change for change in sorting.send if _group_of(change.path) in by_group]
        if refused:
            sorting.held += [Held(change.path, "", by_group[_group_of(change.path)]) for change in refused]
        else:  # what AWS has already is not in order any more: it would take no update at all
            refused = sorting.send
            sorting.held += [Held(change.path, "", problems[0]) for change in refused]
        sorting.send = [change for change in sorting.send if change not in refused]


def _problems_of(
    link: Link,
    mapped: Mapped,
    policy: Policy,
    changes: Sequence[Change],
    associations: tuple[Association, ...],
    today: date,
) -> list[Problem]:
    """Why AWS would refuse its own record with these changes laid over it."""
    assert link.existing is not None
    assert policy.shape is not None
    body = body_of_update(link.existing, changes, policy.shape, link.base)
    facts = Facts(
        body,
        today,
        associations,
        stage_before=link.stage,
        is_co_sell=_is_co_sell(link),
        launch_needs_account=policy.launch_needs_account,
    )
    # What one held edit leaves incomplete: a structure may lack a member that AWS requires of it.
    incomplete = (p for p in schema.check(body, policy.shape) if p.code == "required" and p.path != "Catalog")
    problems = [*rules.check_update(facts), *incomplete]
    return [problem.located(mapped.origin_of(problem.path)) for problem in problems]


def _is_co_sell(link: Link) -> bool:
    """Whether AWS helps with what was submitted; it may have taken up what was shared for visibility only.

    Until AWS has told, its record says so: it keeps the needs of no other. What Salesforce says may have been edited.
    """
    if not has_begun(link.review_status):
        return False
    told = (link.aws or {}).get("InvolvementType")
    if told:
        return bool(told == "Co-Sell")
    return any(str(need).startswith("Co-Sell") for need in value_at(link.existing, "PrimaryNeedsFromAws") or ())


def _associations(
    link: Link, mapped: Mapped, policy: Policy, sorting: _Sorting
) -> tuple[tuple[Association, ...], tuple[Association, ...]]:
    attached = link.attached or ()
    attach, detach = association_changes(mapped.associations, attached, agreed_associations(link.base), policy.owned)
    unread = [path.removeprefix(ASSOCIATED) for path in mapped.unread if path.startswith(ASSOCIATED)]
    attach = _without_held(attach, link, mapped, sorting)
    detach = tuple(one for one in detach if one.entity_type not in unread)
    detach = _without_held(detach, link, mapped, sorting)
    if detach and (held := _last_solution(link, mapped, attach, detach)) is not None:
        sorting.held.append(held)
        detach = tuple(one for one in detach if one.entity_type not in SOLUTIONS)
    return attach, detach


def _without_held(
    associations: tuple[Association, ...], link: Link, mapped: Mapped, sorting: _Sorting
) -> tuple[Association, ...]:
    verdict = verdict_on_associations(link.review_status, link.stage)
    kinds = dict.fromkeys(ASSOCIATED + one.entity_type for one in associations)
    if verdict == Verdict.QUEUE:
        sorting.queued += kinds
        return ()
    if verdict == Verdict.HOLD:
        sorting.held += [Held(kind, _locked_words(link, kind), is_final=True) for kind in kinds]
        return ()
    refused = {kind: problem for kind in kinds if (problem := _problem_at(kind, mapped)) is not None}
    if has_begun(link.review_status):
        sorting.held += [Held(kind, "", problem) for kind, problem in refused.items()]
        return tuple(one for one in associations if ASSOCIATED + one.entity_type not in refused)
    return associations


def _last_solution(
    link: Link, mapped: Mapped, attach: Iterable[Association], detach: Iterable[Association]
) -> Held | None:
    """AWS keeps what was submitted from losing its last solution."""
    if not has_begun(link.review_status):
        return None
    left = ({*(link.attached or ())} | {*attach}) - {*detach}
    is_described = bool(value_at(link.existing, "Project.OtherSolutionDescription"))
    wanted_stage = value_at(mapped.opportunity, "LifeCycle.Stage")
    needs_one = not is_described or STAGES_WITH_SOLUTION & {link.stage, str(wanted_stage)}
    loses = any(one.entity_type in SOLUTIONS for one in detach)
    if not loses or not needs_one or any(one.entity_type in SOLUTIONS for one in left):
        return None
    words = "AWS keeps at least one solution of what was submitted: enter the new one first, or keep this one."
    return Held(f"{ASSOCIATED}Solutions", words)


def overruling(changes: Iterable[Change], existing: Structure) -> list[Change]:
    """Those of the changes that replace an edit made at AWS, since Salesforce owns the path; ``before`` is AWS's."""
    found = []
    for change in changes:
        at_aws = value_at(existing, change.path)
        name = _last(change.path)
        if not is_same(at_aws, change.before, name) and not is_same(at_aws, change.after, name):
            found.append(Change(change.path, at_aws, change.after))
    return found
