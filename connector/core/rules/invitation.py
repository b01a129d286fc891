"""The rules of CreateEngagementInvitation: of one invitation, and of all those of a record. The tables are at the end.

Patterns, lengths and counts (an account id is 12 digits or a short name, 1 to 3 sender contacts) are the field
table's business, and so is that a union has exactly one member.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from connector.core.model import Invitation, Problem
from connector.core.rules.facts import Facts, Found, Rule, to_day

ROOT = "Invitation"
RECEIVER = f"{ROOT}.Receiver.Account.AwsAccountId"
MEMBERS = 10
MOST_INVITED = MEMBERS - 2
"""An engagement has ten members at most; you and AWS are two of them."""


def completion_date(facts: Facts) -> Found:
    path = "Payload.OpportunityInvitation.Project.TargetCompletionDate"
    given = facts.text(path)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", given) and to_day(given) is None:
        message = f"There is no day {given}."
        yield Problem(f"{ROOT}.{path}", message, "Write a day of the calendar, like 2027-01-31.", "date")


def account_digits(facts: Facts) -> Found:
    given = facts.text("Receiver.Account.AwsAccountId")
    if given.isdigit() and len(given) < 12:
        message = f"An AWS account id has 12 digits, this one has {len(given)}."
        yield Problem(RECEIVER, message, "Enter all 12 digits, with the zeros at the beginning.", "account")


Together: TypeAlias = Callable[[Sequence[Invitation]], Iterator[tuple[int, Problem]]]
"""A rule over all invitations of a record: gives (index of the invitation that is held, problem)."""


def receivers_once(invitations: Sequence[Invitation]) -> Iterator[tuple[int, Problem]]:
    seen: set[str] = set()
    for index, invitation in enumerate(invitations):
        receiver = invitation.receiver.strip().casefold()
        if receiver in seen:
            message = "This partner is invited by a row above."
            cure = "Remove this row; to ask that partner again, remove the one above."
            yield index, Problem(RECEIVER, message, cure, "twice")
        elif receiver:
            seen.add(receiver)


def members(invitations: Sequence[Invitation]) -> Iterator[tuple[int, Problem]]:
    seen: set[str] = set()
    for index, invitation in enumerate(invitations):
        seen.update({invitation.receiver.strip().casefold()} - {""})
        if len(seen) > MOST_INVITED and invitation.receiver:
            message = f"An engagement has {MEMBERS} members at most, so {MOST_INVITED} beside AWS and you."
            yield index, Problem(RECEIVER, message, "Remove one of the partners.", "members")


# Sources, read on 2026-11-22: "model" is the partnercentral-selling model of botocore 1.44.5, "guide" the Partner
# Central API guide on engagements.
INVITATION: tuple[Rule, ...] = (
    completion_date,  # model: YYYY-MM-DD; its pattern lets February 30 through
    account_digits,  # model: 12 digits, or up to 12 letters; what has digits only is an account id
)
TOGETHER: tuple[Together, ...] = (
    receivers_once,  # model: one invitation invites a single receiver; a second one to it is a conflict
    members,  # guide: up to ten members in an engagement, the inviting partner and AWS among them
)
