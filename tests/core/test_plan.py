"""The table of cases: what is known about a link, and what is done next."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.diff import agree_on
from connector.core.edits import Policy
from connector.core.lifecycle import ReviewStatus, SyncStatus, has_begun
from connector.core.model import (
    Association,
    Invitation,
    Link,
    Mapped,
    Operation,
    Problem,
    Refusal,
    SentInvitation,
    Task,
    fingerprint,
)
from connector.core.plan import (
    OWNER,
    UNEXPECTED,
    Act,
    Action,
    Adopt,
    Assign,
    Attach,
    Create,
    Detach,
    Drop,
    Hold,
    Invite,
    Read,
    Rest,
    Resume,
    Settled,
    Stop,
    Submit,
    Update,
    Wait,
    is_rest,
    plan_link,
    status_of,
    told,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(minutes=5), NOW - timedelta(minutes=5)
OWNED = frozenset({"Project.Title", "RelatedEntityIdentifiers.Solutions"})
S1, S2 = Association("Solutions", "S-0000001"), Association("Solutions", "S-0000002")
CO_SELL = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
PROBLEM = Problem("Customer.Account.WebsiteUrl", "The website is missing.", "Fill it in.", salesforce_field="Website")
LATE_PROBLEM = replace(PROBLEM, blocks="submit", path="Project.CustomerUseCase")
MAPPED = Mapped({"Project": {"Title": "Deal"}}, (S1,), CO_SELL)
UNSUBMITTED = replace(MAPPED, submission=None)
POISONED = replace(MAPPED, problems=(Problem("", "It fails with an unexpected KeyError.", "Mend it.", UNEXPECTED),))
TITLE = {"Project": {"Title": "Deal"}}
OPERATION = Operation(1, 1, "CreateOpportunity", {}, "token")
REFUSAL = Refusal("CreateOpportunity", MAPPED.fingerprint, "AWS refused it.", (PROBLEM,))
NEW = Link(1, "acme", "Sandbox", "006000000000001AAA", mapped=MAPPED)


def existing(review_status: str = "Pending Submission", **life_cycle: Any) -> dict[str, Any]:
    return {"Id": "O1", "LifeCycle": {"Stage": "Qualified", "ReviewStatus": review_status, **life_cycle}, **TITLE}


def task(status: str, **facts: str) -> Task:
    return Task({"TaskId": "task-1", "TaskStatus": status, **facts})


DRAFT = replace(NEW, opportunity_id="O1", existing=existing(), base=TITLE, attached=(S1,))
SWAPPED = replace(DRAFT, attached=(S2,), base=agree_on(DRAFT.base, [S2]))
EDITED = replace(MAPPED, opportunity={"Project": {"Title": "New"}})


def reviewed(status: str, mapped: Mapped = MAPPED, **life_cycle: Any) -> Link:
    return replace(DRAFT, existing=existing(status, **life_cycle), mapped=mapped, task=task("COMPLETE"))


OWNED |= {"Project.AdditionalComments", "Project.ExpectedCustomerSpend", "LifeCycle.Stage"}
POLICY = Policy(OWNED)
SPOKEN = replace(MAPPED, opportunity={"Project": {"Title": "Deal", "AdditionalComments": "Well"}})
SPENT = replace(MAPPED, opportunity={"Project": {"Title": "Deal", "ExpectedCustomerSpend": [{"Amount": "2"}]}})
STAGED = replace(MAPPED, opportunity={**TITLE, "LifeCycle": {"Stage": "Committed"}})
REFUSED = replace(REFUSAL, action="UpdateOpportunity", fingerprint=SPOKEN.fingerprint)
MORE_SOLUTIONS = reviewed("Approved", replace(MAPPED, associations=(S1, S2)))
COMMITTED = replace(reviewed("Approved", STAGED), attached=(S2,), base=agree_on(TITLE, [S2]))
SAM = {"Email": "sam@partner.example", "FirstName": "Sam", "LastName": "Seller", "BusinessTitle": "OpportunityOwner"}
OWNED_BY_SAM = replace(MAPPED, assignee=SAM)
NOBODY = replace(
    reviewed("Approved", OWNED_BY_SAM),
    refusals={OWNER: Refusal("AssignOpportunity", fingerprint(SAM), "AWS knows no Sam.")},
)
INVITING = replace(
    MAPPED, invitations=tuple(Invitation(key, {"Receiver": {"Account": {"AwsAccountId": key}}}) for key in ("a", "b"))
)
SENT = SentInvitation("a", "a", "eng-1", {"Id": "engi-1", "Status": "PENDING"})


def known_in_part(mapped: Mapped) -> Link:
    """As ListOpportunities shows it: without a title."""
    link = reviewed("Approved", mapped)
    return replace(link, existing={"LifeCycle": link.existing["LifeCycle"]}) if link.existing else link


CASES: list[tuple[str, Link, list[type[Action]], str]] = [
    # an open operation comes before everything
    ("open operation", replace(NEW, operation=OPERATION), [Resume], ""),
    (
        "open operation that may have been carried out, unflagged",
        replace(NEW, operation=replace(OPERATION, ambiguous=True), presence="unflagged"),
        [Resume],
        "",
    ),
    (
        "open operation never carried out, unflagged",
        replace(NEW, operation=OPERATION, presence="unflagged"),
        [Drop],
        "",
    ),
    (
        "never carried out, unflagged, and waiting",
        replace(NEW, operation=replace(OPERATION, next_attempt_at=LATER), presence="deleted"),
        [Drop],
        "",
    ),
    (
        "operation waits",
        replace(NEW, operation=replace(OPERATION, next_attempt_at=LATER, error="Throttled.")),
        [Wait],
        "CreateOpportunity is tried again. Throttled.",
    ),
    ("operation is due", replace(NEW, operation=replace(OPERATION, next_attempt_at=EARLIER)), [Resume], ""),
    # not ours any more
    ("unflagged", replace(NEW, presence="unflagged"), [Stop], "no longer flagged for AWS."),
    ("deleted at AWS", replace(DRAFT, presence="deleted"), [Stop], "deleted in Salesforce. What AWS has stays"),
    ("missing", replace(DRAFT, presence="missing"), [Stop], "does not show this record"),
    # not known well enough
    ("never read", replace(NEW, mapped=None), [Wait], "Waiting to be read"),
    ("put off", replace(NEW, next_try_at=LATER), [Wait], "Waiting to be tried again"),
    ("put off no longer", replace(NEW, next_try_at=EARLIER), [Create, Attach, Submit], ""),
    ("somebody made it already", replace(NEW, candidate_id="O1"), [Adopt, Read], ""),
    ("not read from AWS", replace(DRAFT, existing=None), [Read], ""),
    # no AWS opportunity
    ("new", NEW, [Create, Attach, Submit], ""),
    ("new, not to be submitted", replace(NEW, mapped=UNSUBMITTED), [Create, Attach, Settled], "submission.when"),
    ("new, with problems", replace(NEW, mapped=replace(MAPPED, problems=(PROBLEM,))), [Hold], "website is missing"),
    (
        "new, with problems of the submission",
        replace(NEW, mapped=replace(MAPPED, problems=(LATE_PROBLEM,))),
        [Hold],
        "website is missing",
    ),
    (
        "new, those of a submission that is not due",
        replace(NEW, mapped=replace(UNSUBMITTED, problems=(LATE_PROBLEM,))),
        [Create, Attach, Settled],
        "",
    ),
    ("refused", replace(NEW, refusal=REFUSAL), [Hold], "AWS refused it."),
    ("refused, mended since", replace(NEW, refusal=REFUSAL, mapped=EDITED), [Create, Attach, Submit], ""),
    # a draft at AWS
    ("complete draft", DRAFT, [Submit], ""),
    ("draft, not to be submitted", replace(DRAFT, mapped=UNSUBMITTED), [Settled], "Created in Partner Central"),
    ("edited draft", replace(DRAFT, mapped=EDITED), [Update, Submit], ""),
    ("draft without its solution", replace(DRAFT, attached=()), [Attach, Submit], ""),
    ("draft with another solution", SWAPPED, [Attach, Detach, Submit], ""),
    ("draft with a solution added at AWS", replace(DRAFT, attached=(S1, S2)), [Submit], ""),
    ("draft with problems", replace(DRAFT, mapped=replace(EDITED, problems=(PROBLEM,))), [Hold], "website"),
    ("draft refused", replace(DRAFT, refusal=REFUSAL), [Hold], "AWS refused it."),
    ("no review status yet", replace(DRAFT, existing={"Id": "O1", **TITLE}), [Submit], ""),
    ("adopted draft", replace(DRAFT, base=None), [Submit], ""),
    ("adopted, Salesforce silent", replace(DRAFT, base=None, mapped=Mapped({}, (), CO_SELL)), [Submit], ""),
    # tasks
    ("task runs", replace(DRAFT, task=task("IN_PROGRESS")), [Wait], "AWS is working on it"),
    ("task runs, edited", replace(DRAFT, mapped=EDITED, task=task("IN_PROGRESS")), [Wait], "AWS is working on it"),
    ("task failed for a passing reason", replace(DRAFT, task=task("FAILED")), [Submit], ""),
    ("task failed, put off", replace(DRAFT, task=task("FAILED"), next_try_at=LATER), [Wait], "tried again"),
    ("task failed, refused", replace(DRAFT, task=task("FAILED"), refusal=REFUSAL), [Hold], "AWS refused it."),
    ("task complete", replace(DRAFT, task=task("COMPLETE")), [Settled], "Submitted to AWS."),
    ("task complete, edited", replace(DRAFT, task=task("COMPLETE"), mapped=EDITED), [Wait], "Project.Title"),
    # the review
    ("submitted", reviewed("Submitted"), [Settled], "waiting for the review"),
    ("submitted, edited", reviewed("Submitted", EDITED), [Wait], "AWS takes none while it reviews: Project.Title."),
    (
        "submitted, with another solution",
        reviewed("Submitted", replace(MAPPED, associations=(S1, S2))),
        [Wait],
        "AWS takes none while it reviews: RelatedEntityIdentifiers.Solutions.",
    ),
    ("in review", reviewed("In review"), [Settled], "AWS is reviewing it."),
    ("in review, edited", reviewed("In review", EDITED), [Wait], "Project.Title"),
    ("in review, with problems", reviewed("In review", replace(MAPPED, problems=(PROBLEM,))), [Settled], ""),
    ("approved", reviewed("Approved"), [Settled], "AWS approved it."),
    ("approved, a locked path edited", reviewed("Approved", EDITED), [Settled], "AWS keeps what it approved"),
    ("approved, edited", reviewed("Approved", SPOKEN), [Update, Settled], "AWS approved it."),
    ("approved, edited, known in part", known_in_part(SPOKEN), [Read], ""),
    ("approved, edited, refused", replace(reviewed("Approved", SPOKEN), refusal=REFUSED), [Hold], "AWS refused it."),
    ("approved, with another solution", MORE_SOLUTIONS, [Attach, Settled], ""),
    ("approved, a later stage, another solution", COMMITTED, [Attach, Update, Detach, Settled], ""),
    ("launched", reviewed("Approved", Stage="Launched"), [Settled], "AWS has it as launched."),
    ("lost, edited", reviewed("Approved", SPOKEN, Stage="Closed Lost"), [Settled], "stay in Salesforce only"),
    ("lost, reopened", reviewed("Approved", STAGED, Stage="Closed Lost"), [Hold], "takes no such change any more"),
    ("rejected", reviewed("Rejected", EDITED), [Stop], "AWS rejected it; it can no longer be changed."),
    ("rejected, why", reviewed("Rejected", ReviewComments="R&amp;D only"), [Stop], "reviewer says: R&D only"),
    ("action required", reviewed("Action Required"), [Hold], "Change it in Salesforce; it is sent by itself."),
    ("action required, the wrong thing edited", reviewed("Action Required", EDITED), [Hold], "Not sent: Project.Title"),
    ("action required, fixed", reviewed("Action Required", SPENT), [Update, Hold], ""),
    ("action, which", reviewed("Action Required", ReviewComments="Name it"), [Hold], "says: Name it. Change it in"),
    ("submitted, unreadable since", reviewed("Submitted", POISONED), [Hold], "unexpected KeyError"),
    ("approved, unreadable since", reviewed("Approved", POISONED), [Hold], "unexpected KeyError"),
    ("no review status, unreadable since", reviewed("", POISONED), [Hold], "unexpected KeyError"),
    ("rejected, unreadable since", reviewed("Rejected", POISONED), [Stop], "AWS rejected it"),
    ("action required, unreadable since", reviewed("Action Required", POISONED), [Hold], "unexpected KeyError"),
    ("a status of tomorrow", reviewed("Escalated"), [Settled], "AWS's review status is 'Escalated'."),
    ("a status of tomorrow, edited", reviewed("Escalated", EDITED), [Wait], "Project.Title"),
    ("adopted when approved", replace(reviewed("Approved", EDITED), base=None), [Read], ""),
    # the owner and other partners
    ("approved, with an owner", reviewed("Approved", OWNED_BY_SAM), [Assign, Settled], ""),
    ("approved, with its owner", replace(reviewed("Approved", OWNED_BY_SAM), assigned=SAM), [Settled], ""),
    ("an owner AWS does not know", NOBODY, [Hold], "AWS knows no Sam."),
    ("in review, with an owner", reviewed("In review", OWNED_BY_SAM), [Settled], ""),
    ("draft with an owner", replace(DRAFT, mapped=OWNED_BY_SAM), [Assign, Submit], ""),
    ("submitted, with partners", reviewed("Submitted", INVITING), [Invite, Invite, Settled], ""),
    ("complete, not taken up yet, with partners", reviewed("", INVITING), [Settled], ""),
    ("rejected, with partners", reviewed("Rejected", INVITING), [Stop], ""),
    ("one of them invited", replace(reviewed("Submitted", INVITING), invitations=(SENT,)), [Invite, Settled], ""),
    ("a partner removed", replace(reviewed("Approved"), invitations=(SENT,)), [Settled], "no way to withdraw one"),
]


@pytest.mark.parametrize(("link", "actions", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_table(link: Link, actions: list[type[Action]], words: str) -> None:
    before = copy.deepcopy(link)
    planned = plan_link(link, POLICY, NOW)
    assert [type(action) for action in planned] == actions
    assert words in getattr(planned[-1], "reason", "")
    assert link == before


def test_what_the_actions_carry() -> None:
    create, attach, submit = plan_link(NEW, POLICY, NOW)
    assert create == Create(MAPPED.opportunity)
    assert attach == Attach(S1)
    assert submit == Submit(CO_SELL)
    (update, _) = plan_link(replace(DRAFT, mapped=EDITED), POLICY, NOW)
    assert isinstance(update, Update)
    assert [(change.path, change.before, change.after) for change in update.changes] == [
        ("Project.Title", "Deal", "New")
    ]
    assert plan_link(replace(NEW, candidate_id="O7"), POLICY, NOW) == (Adopt("O7"), Read("O7"))
    (attach, detach, _) = plan_link(SWAPPED, POLICY, NOW)
    assert (attach, detach) == (Attach(S1), Detach(S2))
    (retried,) = plan_link(replace(NEW, operation=replace(OPERATION, next_attempt_at=LATER)), POLICY, NOW)
    assert retried == Wait("CreateOpportunity is tried again.", LATER, in_progress=True)
    (wait,) = plan_link(replace(NEW, next_try_at=LATER), POLICY, NOW)
    assert isinstance(wait, Wait)
    assert wait.until == LATER


def test_a_hold_lists_its_problems() -> None:
    (hold,) = plan_link(replace(NEW, mapped=replace(MAPPED, problems=(PROBLEM, LATE_PROBLEM))), POLICY, NOW)
    assert hold == Hold(told((PROBLEM, LATE_PROBLEM)), (PROBLEM, LATE_PROBLEM))


@pytest.mark.parametrize(
    ("problems", "text"),
    [
        ((PROBLEM,), "Website: The website is missing. Fill it in."),
        ((replace(PROBLEM, salesforce_field=""),), "Customer.Account.WebsiteUrl: The website is missing. Fill it in."),
        (
            (replace(PROBLEM, file="mappings/opportunity.yaml", line=31),),
            "Website (mappings/opportunity.yaml:31): The website is missing. Fill it in.",
        ),
        (
            (PROBLEM, Problem("Stage", "Unknown.", "", salesforce_field="StageName")),
            "2 things to mend: (1) Website: The website is missing. Fill it in. (2) StageName: Unknown.",
        ),
        # the same trouble at several items of a list is said once
        (
            tuple(Problem(f"Contacts[{n}].Phone", "No.", "Fix.", salesforce_field="Phone") for n in range(3)),
            "Phone: No. Fix.",
        ),
    ],
)
def test_told(problems: tuple[Problem, ...], text: str) -> None:
    assert told(problems) == text


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (Hold("x"), SyncStatus.HELD),
        (Wait("x"), SyncStatus.PENDING),
        (Wait("x", None, in_progress=True), SyncStatus.IN_PROGRESS),
        (Settled("x"), SyncStatus.SYNCED),
        (Stop("x"), SyncStatus.STOPPED),
        (Resume(OPERATION), SyncStatus.IN_PROGRESS),
        (Create({}), SyncStatus.PENDING),
        (Read("O1"), SyncStatus.PENDING),
    ],
)
def test_what_salesforce_shows_meanwhile(action: Action, status: SyncStatus) -> None:
    assert status_of(action) is status
    assert is_rest(action) is isinstance(action, get_args(Rest))
    assert is_rest(action) is not isinstance(action, get_args(Act))


PROBLEMS = st.lists(st.sampled_from([PROBLEM, LATE_PROBLEM]), max_size=2).map(tuple)
MAPPINGS = st.builds(
    Mapped,
    st.sampled_from([TITLE, {"Project": {"Title": "New"}}, {}]),
    st.lists(st.sampled_from([S1, S2, Association("AwsProducts", "x")]), unique=True).map(tuple),
    st.none() | st.just(CO_SELL),
    PROBLEMS,
)
MOMENTS = st.none() | st.sampled_from([EARLIER, NOW, LATER])
STATUSES = [*ReviewStatus, "", "Escalated"]
LINKS = st.builds(
    Link,
    id=st.just(1),
    connection=st.just("acme"),
    catalog=st.just("Sandbox"),
    salesforce_id=st.just("006000000000001AAA"),
    presence=st.sampled_from(["flagged", "flagged", "unflagged", "deleted", "missing"]),
    mapped=st.none() | MAPPINGS,
    opportunity_id=st.sampled_from(["", "O1", "O1"]),
    candidate_id=st.sampled_from(["", "O1"]),
    existing=st.none() | st.sampled_from(STATUSES).map(lambda status: existing(str(status))),
    base=st.none() | st.just(TITLE),
    attached=st.none() | st.lists(st.sampled_from([S1, S2]), unique=True).map(tuple),
    task=st.none() | st.sampled_from(["IN_PROGRESS", "COMPLETE", "FAILED"]).map(task),
    refusal=st.none() | st.just(REFUSAL),
    operation=st.none() | st.builds(replace, st.just(OPERATION), next_attempt_at=MOMENTS, ambiguous=st.booleans()),
    next_try_at=MOMENTS,
)
WRITES = (Create, Update, Attach, Detach, Submit)


@given(LINKS)
def test_whatever_is_known(link: Link) -> None:
    planned = plan_link(link, POLICY, NOW)
    writes = [action for action in planned if isinstance(action, WRITES)]
    assert planned
    assert not any(is_rest(action) for action in planned[:-1])
    # the end is a rest, a submission, or a look after which everything is planned again
    assert is_rest(planned[-1]) or isinstance(planned[-1], Submit | Read | Resume | Drop)
    if not is_rest(planned[-1]) and not isinstance(planned[-1], Submit):
        assert not writes
    if link.operation is not None:
        assert len(planned) == 1
        assert not writes
    if link.presence != "flagged":
        assert not writes
    status, task_status = link.review_status, link.task.status if link.task is not None else ""
    is_taken_up = bool(link.opportunity_id) and (has_begun(status) or task_status == "COMPLETE")
    if is_taken_up:
        assert not any(isinstance(action, Create | Submit) for action in planned)
        if status not in {"Approved", "Action Required"}:
            assert not writes
    if link.opportunity_id and task_status == "IN_PROGRESS" and status in {"", "Pending Submission", "Submitted"}:
        assert not writes
    if link.opportunity_id or link.candidate_id:
        assert not any(isinstance(action, Create) for action in planned)
    if link.mapped is None or (link.mapped.problems and link.mapped.submission is not None and not is_taken_up):
        assert not writes
    if link.next_try_at is not None and link.next_try_at > NOW:
        assert not writes
    attached = {a.association for a in planned if isinstance(a, Attach)}
    assert all(a.association.entity_type == "Solutions" for a in planned if isinstance(a, Detach))
    assert attached.isdisjoint(link.attached or ()) or not link.opportunity_id
    assert all(getattr(action, "reason", "x").strip() for action in planned)


@given(LINKS)
def test_the_same_facts_give_the_same_plan(link: Link) -> None:
    assert plan_link(link, POLICY, NOW) == plan_link(link, POLICY, NOW)
