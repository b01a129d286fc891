"""Who is still to be invited: each receiver once, whatever becomes of the rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from connector.core.invitations import (
    ANSWERED,
    OVER,
    Invitations,
    judge,
    refusal_of,
    sent_for,
    subject_of,
    told,
)
from connector.core.model import Invitation, Link, Mapped, Problem, Refusal, SentInvitation
from connector.core.rules.invitation import MEMBERS, MOST_INVITED

SENT_STATUSES = ("", "PENDING", "ACCEPTED", "REJECTED", "EXPIRED")


def account(number: int) -> str:
    return f"{number:012}"


A, B, C = account(1), account(2), account(3)
PROBLEM = Problem("Invitation.Message", "The message is missing.", "Write one.", salesforce_field="Message__c")


def row(key: str, receiver: str, message: str = "Join us", **fields: Any) -> Invitation:
    return Invitation(key, {"Message": message, "Receiver": {"Account": {"AwsAccountId": receiver}}}, **fields)


def sent(key: str, receiver: str, status: str = "PENDING", engagement: str = "eng-1") -> SentInvitation:
    return SentInvitation(key, receiver, engagement, {"Id": f"engi-{key}-{receiver}", "Status": status})


def linked(*known: SentInvitation, status: str = "Approved", stage: str = "Qualified", **fields: Any) -> Link:
    life_cycle = {"ReviewStatus": status, "Stage": stage}
    existing = {"Id": "O1", "LifeCycle": life_cycle}
    return Link(1, "acme", "Sandbox", "006", existing=existing, invitations=known, **fields)


def judged(link: Link, *rows: Invitation) -> Invitations:
    return judge(link, Mapped({}, invitations=rows))


@dataclass(frozen=True)
class Case:
    """Rows as (key, receiver), what was sent as (key, receiver, status), and the keys that come of it."""

    name: str
    rows: list[tuple[str, str]]
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    goes: str = ""
    removed: str = ""
    status: str = "Approved"


CASES = [
    Case("nobody", []),
    Case("one", [("r1", A)], goes="r1"),
    Case("three, in their order", [("r2", B), ("r1", A), ("r3", C)], goes="r2 r1 r3"),
    Case("sent", [("r1", A)], [("r1", A, "PENDING")]),
    Case("sent, not told yet", [("r1", A)], [("r1", A, "")]),
    Case("sent and one more", [("r1", A), ("r2", B)], [("r1", A, "PENDING")], goes="r2"),
    # the same receiver
    Case("the same receiver in two rows", [("r1", A), ("r2", A)], goes="r1"),
    Case("the same receiver in a row below", [("r1", A), ("r2", A)], [("r1", A, "PENDING")]),
    Case("the same receiver in a row above", [("r2", A), ("r1", A)], [("r1", A, "ACCEPTED")]),
    Case("its row was replaced by another", [("r2", A)], [("r1", A, "PENDING")]),
    # answers
    Case("accepted", [("r1", A)], [("r1", A, "ACCEPTED")]),
    Case("declined", [("r1", A)], [("r1", A, "REJECTED")]),
    Case("expired", [("r1", A)], [("r1", A, "EXPIRED")]),
    Case("declined, then a new row", [("r2", A)], [("r1", A, "REJECTED")], goes="r2"),
    Case("expired, then a new row beside it", [("r1", A), ("r2", A)], [("r1", A, "EXPIRED")], goes="r2"),
    Case("expired, then two new rows", [("r2", A), ("r3", A)], [("r1", A, "EXPIRED")], goes="r2"),
    Case("both are over", [("r1", A), ("r2", A)], [("r1", A, "EXPIRED"), ("r2", A, "REJECTED")]),
    Case("declined, sent again by a new row", [("r1", A), ("r2", A)], [("r1", A, "REJECTED"), ("r2", A, "PENDING")]),
    # another receiver in the same row, and rows that went
    Case("the row names another", [("r1", B)], [("r1", A, "PENDING")], goes="r1", removed=A),
    Case("the row names the first one again", [("r1", A)], [("r1", A, "PENDING"), ("r1", B, "PENDING")], removed=B),
    Case("the row went", [], [("r1", A, "PENDING")], removed=A),
    Case("the row of a member went", [], [("r1", A, "ACCEPTED")], removed=A),
    Case("the row of one who declined went", [], [("r1", A, "REJECTED")]),
    Case("the row went, another names the same", [("r2", A)], [("r1", A, "ACCEPTED")]),
    # when
    Case("a draft", [("r1", A)], status="Pending Submission"),
    Case("nothing told of the review", [("r1", A)], status=""),
    Case("submitted", [("r1", A)], goes="r1", status="Submitted"),
    Case("in review", [("r1", A)], goes="r1", status="In review"),
    Case("AWS asks for changes", [("r1", A)], goes="r1", status="Action Required"),
    Case("rejected", [("r1", A)], status="Rejected"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_who_is_invited_and_who_was(case: Case) -> None:
    link = linked(*(sent(*one) for one in case.sent), status=case.status)
    found = judged(link, *(row(*one) for one in case.rows))
    assert [one.key for one in found.send] == case.goes.split()
    assert [one.receiver for one in found.removed] == case.removed.split()
    assert found.held == ()
    is_early = case.status in {"Pending Submission", "", "Rejected"}
    assert [one.key for one in found.waiting] == ([key for key, _ in case.rows] if is_early else [])


def test_a_lost_deal_invites_nobody_not_even_into_another_engagement() -> None:
    rows = (row("r1", A), row("r2", B, engagement_id="eng-2"))
    found = judged(linked(stage="Closed Lost"), *rows)
    assert (found.send, found.waiting) == ((), rows)


@pytest.mark.parametrize("status", ["Pending Submission", "", "Submitted", "Approved"])
def test_an_engagement_that_the_record_names_needs_no_review(status: str) -> None:
    given = row("r1", A, engagement_id="eng-2")
    assert judged(linked(status=status), given).send == (given,)


def test_a_rejected_deal_invites_nobody_into_an_engagement_that_the_record_names() -> None:
    assert judged(linked(status="Rejected"), row("r1", A, engagement_id="eng-2")).send == ()


def test_problems_hold_their_own_row_only_and_in_words() -> None:
    wrong, right = row("r1", A, problems=(PROBLEM,)), row("r2", B)
    found = judged(linked(), wrong, right)
    assert found.send == (right,)
    assert found.held == ((wrong, "Message__c: The message is missing. Write one."),)


def test_a_row_with_problems_leaves_its_receiver_to_the_next_row() -> None:
    """What is held takes up no receiver: the other row is not in its way."""
    wrong, right = row("r1", A, problems=(PROBLEM,)), row("r2", A)
    assert judged(linked(), wrong, right).send == (right,)


def test_problems_are_told_even_before_it_is_possible() -> None:
    wrong = row("r1", A, problems=(PROBLEM,))
    assert [one for one, _ in judged(linked(status="Pending Submission"), wrong).held] == [wrong]


def test_problems_of_what_was_sent_are_no_matter_any_more() -> None:
    found = judged(linked(sent("r1", A)), row("r1", A, problems=(PROBLEM,)))
    assert (found.send, found.held) == ((), ())


def test_the_same_problem_is_said_once() -> None:
    assert told((PROBLEM, PROBLEM)) == str(PROBLEM)


def test_what_aws_refused_waits_until_the_row_changes() -> None:
    first = row("r1", A)
    refusal = Refusal("CreateEngagementInvitation", first.fingerprint, "AWS knows no such partner.")
    link = linked(refusals={subject_of("r1"): refusal})
    found = judged(link, first, row("r2", B))
    assert [one.key for one in found.send] == ["r2"]
    assert found.held == ((first, "AWS knows no such partner."),)
    changes = [row("r1", A, "Please join us"), row("r1", C), replace(first, engagement_id="eng-2")]
    for changed in changes:
        assert refusal_of(changed, link) is None
        assert judged(link, changed).send == (changed,)


def test_a_refused_row_is_not_that_of_another_key() -> None:
    first = row("r1", A)
    link = linked(refusals={subject_of("r1"): Refusal("CreateEngagementInvitation", first.fingerprint, "No.")})
    assert [one.key for one in judged(link, row("r2", A)).send] == ["r2"]


@pytest.mark.parametrize(
    ("pending", "over", "new", "goes"),
    [(0, 0, 8, 8), (0, 0, 9, 8), (0, 0, 12, 8), (8, 0, 1, 0), (5, 0, 3, 3), (5, 0, 4, 3), (5, 4, 3, 3), (0, 9, 8, 8)],
)
def test_ten_members_at_most_the_answers_no_counted_out(pending: int, over: int, new: int, goes: int) -> None:
    known = [sent(f"s{i}", account(100 + i), "ACCEPTED" if i % 2 else "PENDING") for i in range(pending)]
    known += [sent(f"o{i}", account(200 + i), "REJECTED" if i % 2 else "EXPIRED") for i in range(over)]
    kept = [row(one.key, one.receiver) for one in known]
    fresh = [row(f"n{i}", account(300 + i)) for i in range(new)]
    found = judged(linked(*known), *kept, *fresh)
    assert (found.send, len(found.held)) == (tuple(fresh[:goes]), new - goes)
    assert all(f"{MEMBERS} members at most" in words for _, words in found.held)
    assert MOST_INVITED == MEMBERS - 2


def test_a_removed_row_keeps_its_place_while_the_invitation_stands() -> None:
    known = [sent(f"s{i}", account(100 + i)) for i in range(MOST_INVITED)]
    found = judged(linked(*known), *(row(one.key, one.receiver) for one in known[1:]), row("n", A))
    assert found.send == ()
    assert [one.receiver for one in found.removed] == [known[0].receiver]


@pytest.mark.parametrize("status", SENT_STATUSES)
def test_every_status_is_open_or_answered_and_standing_or_over(status: str) -> None:
    one = sent("r1", A, status)
    assert linked(one).answers_open == (status not in ANSWERED)
    assert (sent_for(row("r2", A), [one]) is None) == (status in OVER), "another row may invite again"
    assert sent_for(row("r1", A), [one]) == one, "its own row never does"
    assert sent_for(row("r1", B), [one]) is None


def test_what_was_sent_last_for_a_receiver_counts_for_the_other_rows() -> None:
    first, second = sent("r1", A), sent("r2", A, "ACCEPTED")
    assert sent_for(row("r3", A), [first, second]) == second
    assert sent_for(row("r1", A), [first, second]) == first


def test_however_often_it_is_judged_each_receiver_gets_one() -> None:
    """As a shell does it: the first is sent, what is known grows, and it is judged again."""
    rows = [row(f"r{i}", account(i % 4)) for i in range(9)]
    link, order = linked(), []
    while found := judged(link, *rows).send:
        order.append(found[0].receiver)
        link = replace(link, invitations=(*link.invitations, sent(found[0].key, found[0].receiver)))
    assert order == [account(i) for i in range(4)]
