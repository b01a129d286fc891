"""Applies a compiled mapping to one Salesforce record. Invents nothing: an empty result is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from connector.core import rules, schema
from connector.core.mapping.evaluation import EMPTY, Pass, rows_of
from connector.core.mapping.nodes import (
    ASSIGNEE,
    ENGAGEMENT,
    INVITATION,
    NOTHING,
    CompiledMapping,
    InvitationItem,
    Leaf,
    leaves_of,
)
from connector.core.model import Association, Invitation, Mapped, Origin, Problem, Structure
from connector.core.paths import dotted_reader
from connector.core.selection import is_id, to_id18
from connector.core.text import to_text


def map_record(mapping: CompiledMapping, record: Structure, today: date) -> Mapped:
    """Map one record and check it.

    ``record`` is nested as the mapping's paths are, child rows as lists. ``today`` is the date in UTC that
    AWS's rules are judged by. Every problem comes back at once, each with its Salesforce field and line.
    """
    pass_ = Pass(record)
    for leaf in mapping.leaves:
        pass_.known[leaf.path] = pass_.evaluate(leaf, record)
    opportunity = pass_.build(mapping.tree) or {}
    associations = _associations(mapping, pass_)
    submission = _submission(mapping, pass_)
    found = [*schema.check(opportunity, mapping.shape), *rules.check_create(opportunity, today, associations)]
    if submission is not None:
        submitted = schema.check(submission, mapping.submission_shape, "AwsSubmission")
        found += [replace(problem, blocks="submit") for problem in submitted]
        found += rules.check_submission(opportunity, associations, submission, today)
    assignee = None
    if mapping.assign is not None:
        assignee = pass_.build(mapping.assign, ASSIGNEE, record) or None
        assigned = schema.check(assignee, mapping.assign_shape, ASSIGNEE) if assignee else []
        found += [replace(problem, blocks="assign") for problem in assigned]
    mapped = Mapped(opportunity, associations, submission, (), pass_.origins, assignee)
    return replace(
        mapped,
        problems=_told([*pass_.problems(found), *found], mapped),
        invitations=_invitations(mapping, pass_, today),
        known_as=_known_as(mapping.adopt, record) if mapping.adopt is not None else (),
        unread=_unread(mapping, pass_.lost) if pass_.lost else (),
    )


def _told(problems: Iterable[Problem], mapped: Mapped) -> tuple[Problem, ...]:
    """Each path once, the most telling problem first: a failed transform explains the gap it leaves."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.path, problem.located(mapped.origin_of(problem.path)))
    return tuple(first.values())


def _invitations(mapping: CompiledMapping, pass_: Pass, today: date) -> tuple[Invitation, ...]:
    """The partners to invite, in the order of the rows; each with what holds it."""
    wanted, record = mapping.invitations, pass_.record
    if wanted is None:
        return ()
    if wanted.relationship:
        (item,) = wanted.items
        made = [_Invited(_key_of(row, index), item, row) for index, row in enumerate(rows_of(wanted, record))]
    else:
        made = [_Invited(f"[{index}]", item, record) for index, item in enumerate(wanted.items)]
    found = {one: one.invitation(pass_, mapping.invitation_shape, today) for one in made}
    return _beside_each_other({one: invitation for one, invitation in found.items() if invitation is not None})


def _beside_each_other(found: dict[_Invited, Invitation]) -> tuple[Invitation, ...]:
    """All invitations of a record, with the problems they have because of the others."""
    invited, invitations = list(found), list(found.values())
    for index, problem in rules.check_together(invitations):
        one = invitations[index]
        if all(other.path != problem.path for other in one.problems):
            told = problem.located(invited[index].origin_of(problem.path))
            invitations[index] = replace(one, problems=(*one.problems, told))
    return tuple(invitations)


def _key_of(row: Structure, index: int) -> str:
    identifier = str(dotted_reader("Id")(row) or "")
    return to_id18(identifier) if is_id(identifier) else f"[{index}]"


_RECEIVER = f"{INVITATION}.Receiver.Account.AwsAccountId"


@dataclass(frozen=True, slots=True, eq=False)
class _Invited:
    """One invitation to be: its item, and the row (or the record itself) that it reads."""

    key: str
    item: InvitationItem
    row: Structure

    def origin_of(self, path: str) -> Origin | None:
        return next((leaf.origin for leaf in leaves_of(self.item.tree) if leaf.path == path), None)

    def invitation(self, pass_: Pass, shape: schema.Shape, today: date) -> Invitation | None:
        """It with its problems. None for a written-out item without a receiver: it invites nobody."""
        own = Pass(pass_.record, pass_.known)
        body = own.build(self.item.tree, INVITATION, self.row) or {}
        leaf, engagement = self.item.engagement, EMPTY
        if leaf is not None:
            engagement = own.value_of(leaf, self.row, ENGAGEMENT)
        found = Invitation(self.key, body, str(engagement or ""))
        if not found.receiver and self.row is pass_.record and _RECEIVER not in own.lost:
            return None
        problems = [*schema.check(_with_receiver(body), shape, INVITATION), *rules.check_invitation(body, today)]
        if leaf is not None and engagement is not EMPTY:
            problems += schema.check(engagement, leaf.shape, ENGAGEMENT)
        problems = [problem for problem in problems if problem.path not in own.lost]
        failed = (failure.problem for failure in own.failed)
        return replace(found, problems=_told([*failed, *problems], Mapped({}, origins=own.origins)))


def _with_receiver(body: Structure) -> Structure:
    """The body with room for a receiver, so that a missing one is told at the account's id."""
    return body if (body.get("Receiver") or {}).get("Account") else {**body, "Receiver": {"Account": {}}}


def _known_as(adopt: Leaf, record: Structure) -> tuple[str, ...]:
    """What an earlier integration may have called the record, the likeliest first."""
    found = (to_text(value).strip() for path in adopt.sources if (value := path.read(record)) not in NOTHING)
    return tuple(dict.fromkeys(text for text in found if text))


def _associations(mapping: CompiledMapping, pass_: Pass) -> tuple[Association, ...]:
    found: list[Association] = []
    for entity_type, leaf in mapping.associate.items():
        value = pass_.value_of(leaf, pass_.record, leaf.path)
        identifiers = value if isinstance(value, list) else [value]
        found += [Association(entity_type, str(item).strip()) for item in identifiers if item not in NOTHING]
    return tuple(dict.fromkeys(found))


def _submission(mapping: CompiledMapping, pass_: Pass) -> Structure | None:
    if mapping.submission is None:
        return None
    when = mapping.submission.when
    if when is not None and not when.holds(lambda path: dotted_reader(path)(pass_.record)):
        return None
    members = leaves_of(mapping.submission.members)
    values = {leaf.path: pass_.value_of(leaf, pass_.record, leaf.path) for leaf in members}
    return {path.rpartition(".")[2]: value for path, value in values.items() if value is not EMPTY}


def _unread(mapping: CompiledMapping, lost: set[str]) -> tuple[str, ...]:
    """The top-most AWS paths of the opportunity that hang on a failed leaf; a list hangs on each of its items."""
    unknown = set(lost)
    for leaf in (*mapping.leaves, *leaves_of(mapping.tree), *mapping.associate.values()):
        if leaf.when is not None and leaf.when.aws_path in unknown:
            unknown.add(leaf.path)
    tops = {path.partition("[")[0] for path in unknown}
    return tuple(sorted(tops & (mapping.owned_paths | mapping.owned_by_aws)))
