"""What Salesforce shows of a link, the words for where it stands, and when to try again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core import lifecycle, retry
from connector.core.facts import fact_of, fact_of_invitation, is_shown, to_field, to_salesforce_instant, unlike
from connector.core.lifecycle import LOCKED, ReviewStatus
from connector.core.model import (
    Association,
    Invitation,
    Link,
    Mapped,
    Problem,
    Refusal,
    SentInvitation,
    Task,
)

AT = datetime(2026, 11, 21, 12, 0, 5, tzinfo=timezone(timedelta(hours=1)))
NEW = Link(1, "acme", "Sandbox", "006000000000001AAA")
SPEND = [{"Amount": "5", "CurrencyCode": "USD"}, {"Amount": None, "CurrencyCode": "EUR"}, {"Amount": "7"}]
LINKED = replace(
    NEW,
    opportunity_id="O1",
    existing={
        "Id": "O1",
        "LifeCycle": {"ReviewStatus": "Action Required", "ReviewComments": "R&amp;amp;D?"},
        "Project": {"DeliveryModels": ["Managed Services", "Other"], "ExpectedCustomerSpend": SPEND},
    },
    task=Task({"TaskId": "task-1", "TaskStatus": "FAILED"}),
)
TEAM = [
    {"BusinessTitle": "PDM", "FirstName": "Ana", "LastName": "Silva", "Email": "ana@aws.example"},
    {"BusinessTitle": "AWSSalesRep", "FirstName": "Zoë", "Email": "zoe@aws.example"},
    {"BusinessTitle": "AWSSalesRep", "FirstName": "Later", "LastName": "One", "Email": "later@aws.example"},
]
FOLLOWED = replace(
    LINKED,
    existing={
        "LifeCycle": {"ReviewStatus": "Approved", "NextSteps": ""},
        "Customer": {"Contacts": [{"FirstName": "Li", "LastName": "Wei"}, {"Email": "x@y.example"}]},
    },
    aws={
        "InvolvementType": "Co-Sell",
        "LifeCycle": {"Stage": "Qualified", "NextSteps": "R&amp;D call", "TargetCloseDate": ""},
        "OpportunityTeam": TEAM,
        "Insights": {"EngagementScore": "High", "OpportunityQuality": {"Score": 5}},
    },
)


@pytest.mark.parametrize(
    ("name", "link", "known", "value"),
    [
        ("sync.status", NEW, True, "Held"),
        ("sync.message", NEW, True, "why"),
        ("sync.at", NEW, True, "2026-11-21T12:00:05+01:00"),
        ("opportunity.Id", NEW, False, ""),
        ("opportunity.Id", LINKED, True, "O1"),
        ("opportunity.LifeCycle.ReviewStatus", NEW, False, None),
        ("opportunity.LifeCycle.ReviewStatus", LINKED, True, "Action Required"),
        ("opportunity.LifeCycle.ReviewComments", LINKED, True, "R&D?"),
        ("opportunity.LifeCycle.NextSteps", LINKED, False, None),
        ("opportunity.Project.DeliveryModels", LINKED, True, ["Managed Services", "Other"]),
        ("opportunity.Project.ExpectedCustomerSpend.Amount", LINKED, True, ["5", "7"]),
        ("opportunity.Project.ExpectedCustomerSpend[0].CurrencyCode", LINKED, True, "USD"),
        ("opportunity.Project.ExpectedCustomerSpend[9].CurrencyCode", LINKED, False, None),
        ("opportunity.Project.ExpectedCustomerSpend.EstimationUrl", LINKED, False, []),
        ("task.TaskId", NEW, False, None),
        ("task.TaskId", LINKED, True, "task-1"),
        # a new task has no message yet: that of the task before goes
        ("task.Message", LINKED, True, None),
        ("aws.InvolvementType", NEW, False, None),
        ("aws.InvolvementType", LINKED, False, None),
        ("aws.InvolvementType", FOLLOWED, True, "Co-Sell"),
        ("aws.Visibility", FOLLOWED, False, None),
        ("aws.LifeCycle.NextSteps", FOLLOWED, True, "R&D call"),
        ("aws.LifeCycle.TargetCloseDate", FOLLOWED, False, ""),
        ("aws.Insights.OpportunityQuality.Score", FOLLOWED, True, 5),
        ("aws.OpportunityTeam.Email", FOLLOWED, True, ["ana@aws.example", "zoe@aws.example", "later@aws.example"]),
        ("aws.OpportunityTeam[0].Email", FOLLOWED, True, "ana@aws.example"),
        ("aws.OpportunityTeam[AWSSalesRep].Email", FOLLOWED, True, "zoe@aws.example"),
        ("aws.OpportunityTeam[AWSSalesRep].Name", FOLLOWED, True, "Zoë"),
        ("aws.OpportunityTeam[PDM].Name", FOLLOWED, True, "Ana Silva"),
        ("aws.OpportunityTeam[PSM].Name", FOLLOWED, False, None),
        ("opportunity.Customer.Contacts[0].Name", FOLLOWED, True, "Li Wei"),
        ("opportunity.Customer.Contacts[1].Name", FOLLOWED, False, None),
        # said with a review status, gone with it
        ("opportunity.LifeCycle.ReviewComments", NEW, False, None),
        ("opportunity.LifeCycle.ReviewComments", FOLLOWED, True, None),
        ("opportunity.LifeCycle.ReviewStatusReason", FOLLOWED, True, None),
        ("opportunity.LifeCycle.NextSteps", FOLLOWED, False, ""),
    ],
)
def test_facts(name: str, link: Link, known: bool, value: Any) -> None:
    assert fact_of(name, link, "Held", "why", AT) == (known, value)


@pytest.mark.parametrize(
    ("value", "kind", "length", "field"),
    [
        (None, "string", 255, None),
        ("", "string", 255, None),
        ([], "string", 255, None),
        ("text", "string", 0, "text"),
        ("a\r\nb\rc ", "textarea", 0, "a\nb\nc"),
        ("abcdef", "string", 6, "abcdef"),
        ("abcdefg", "string", 6, "abcde…"),
        ("abcd efg", "string", 6, "abcd…"),
        (["a", "b"], "multipicklist", 0, "a;b"),
        ("2026-11-21T12:00:05.123456789Z", "datetime", 0, "2026-11-21T12:00:05.000+0000"),
        ("2026-11-21T12:00:05+01:00", "datetime", 0, "2026-11-21T11:00:05.000+0000"),
        ("2026-11-21T12:00:05Z", "date", 0, "2026-11-21"),
        ("2026-11-21T12:00:05Z", "string", 0, "2026-11-21T12:00:05Z"),
        ("not an instant", "datetime", 0, "not an instant"),
        (5, "double", 0, 5),
        (5, "string", 10, "5"),
        (5.0, "string", 10, "5"),
        (True, "boolean", 0, True),
        ("Yes", "boolean", 0, True),
        ("no", "boolean", 0, False),
        ("perhaps", "boolean", 0, "perhaps"),
        (None, "boolean", 0, False),
        (True, "string", 0, "true"),
        ("1000", "currency", 0, 1000),
        ("1000.50", "double", 0, 1000.5),
        (" 12 ", "int", 0, 12),
        ("12.5", "int", 0, 13),
        ("a lot", "currency", 0, "a lot"),
        ("NaN", "currency", 0, "NaN"),
        ("Infinity", "percent", 0, "Infinity"),
        ([5, "7"], "string", 0, "5;7"),
    ],
)
def test_a_fact_as_a_field_takes_it(value: Any, kind: str, length: int, field: Any) -> None:
    assert to_field(value, kind, length) == field


@pytest.mark.parametrize(("scale", "kept"), [(None, 10.005), (2, 10.01), (0, 10)])
def test_a_number_has_the_decimals_that_the_field_keeps(scale: int | None, kept: float) -> None:
    assert to_field("10.005", "currency", 0, scale) == kept


ROW = "a0X000000000001AAA"
WANTED = Invitation(ROW, {"Receiver": {"Account": {"AwsAccountId": "222233334444"}}})
SENT = SentInvitation(ROW, "222233334444", "eng-1", {"Id": "engi-1"})
PROBLEMS = (Problem("Invitation.Message", "It is empty.", "Fill it."), Problem("Invitation.X", "Bad.", "Mend it."))


def answered(status: str, **facts: Any) -> SentInvitation:
    """The invitation as AWS shows it later."""
    return replace(SENT, facts={**SENT.facts, "Status": status, **facts})


@pytest.mark.parametrize(
    ("wanted", "sent", "refusal", "status", "message"),
    [
        (WANTED, None, None, "Pending", "Sent once the opportunity is submitted and AWS has taken it up."),
        (
            replace(WANTED, problems=PROBLEMS),
            None,
            None,
            "Held",
            "2 things to mend: (1) Invitation.Message: It is empty. Fill it. (2) Invitation.X: Bad. Mend it.",
        ),
        (WANTED, None, Refusal("invite", "", "AWS says no."), "Held", "AWS says no."),
        (WANTED, SENT, None, "Synced", "Waiting for the partner's answer."),
        (
            WANTED,
            answered("PENDING", ExpirationDate="2026-12-01T10:00:00Z"),
            None,
            "Synced",
            "Waiting for the partner's answer until 2026-12-01.",
        ),
        (WANTED, answered("ACCEPTED"), None, "Synced", "The partner accepted."),
        (WANTED, answered("REJECTED"), None, "Synced", "The partner declined."),
        (WANTED, answered("REJECTED", RejectionReason="Busy."), None, "Synced", "The partner declined: Busy."),
        (
            WANTED,
            answered("EXPIRED"),
            None,
            "Synced",
            "It expired without an answer. To ask again, replace this row by a new one.",
        ),
        (WANTED, answered("WITHDRAWN"), None, "Synced", "AWS's status of the invitation is 'WITHDRAWN'."),
        # what was sent is past mending
        (replace(WANTED, problems=PROBLEMS), answered("ACCEPTED"), None, "Synced", "The partner accepted."),
    ],
)
def test_where_an_invitation_stands(
    wanted: Invitation, sent: SentInvitation | None, refusal: Refusal | None, status: str, message: str
) -> None:
    assert fact_of_invitation("sync.status", wanted, sent, refusal) == (True, status)
    assert fact_of_invitation("sync.message", wanted, sent, refusal) == (True, message)


@pytest.mark.parametrize(
    ("name", "sent", "known", "value"),
    [
        ("invitation.Id", None, False, None),
        ("invitation.Status", None, False, None),
        ("invitation.Id", SENT, True, "engi-1"),
        ("invitation.EngagementTitle", SENT, False, None),
        # of the invitation that the row stood for before: gone with its id
        ("invitation.Status", SENT, True, None),
        ("invitation.RejectionReason", SENT, True, None),
        ("invitation.RejectionReason", replace(SENT, facts={}), False, None),
        (
            "invitation.Receiver.Account.Alias",
            answered("PENDING", Receiver={"Account": {"Alias": "R&amp;D"}}),
            True,
            "R&D",
        ),
    ],
)
def test_facts_of_an_invitation(name: str, sent: SentInvitation | None, known: bool, value: Any) -> None:
    assert fact_of_invitation(name, WANTED, sent, None) == (known, value)


@given(st.text(max_size=40), st.integers(1, 30))
def test_text_fits_its_field_and_is_shown_once_written(text: str, length: int) -> None:
    written = to_field(text, "string", length)
    assert written is None or len(written) <= length
    assert is_shown(written, written)


@pytest.mark.parametrize(
    ("value", "shown", "same"),
    [
        ("a", "a", True),
        ("a", "b", False),
        (None, "", True),
        ("", None, True),
        ("a\nb", "a\r\nb ", True),
        (5, 5.0, True),
        ("a;b", "b;a", True),
        ("a;b", "b;c", False),
        ("2026-11-21T11:00:05.000+0000", "2026-11-21T12:00:05+01:00", True),
        ("2026-11-21T11:00:05.000+0000", "2026-11-21T11:00:06.000+0000", False),
        ("2026-11-21T11:00 is when we met", "2026-11-21T11:00 is when we met", True),
    ],
)
def test_whether_it_is_shown_already(value: Any, shown: Any, same: bool) -> None:
    assert is_shown(value, shown) is same


def test_only_what_differs_is_written() -> None:
    values = {"A__c": "x", "B__c": "new", "C__c": "2026-11-21T11:00:05.000+0000", "D__c": None}
    shown = {"A__c": "x", "B__c": "old", "C__c": "2026-11-21T11:00:00.000+0000"}
    assert unlike(values, shown) == {"B__c": "new", "C__c": "2026-11-21T11:00:05.000+0000"}
    assert unlike(values, shown, ignored=["C__c"]) == {"B__c": "new"}


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01T00:00:00Z"])
def test_what_is_no_instant(text: str) -> None:
    assert to_salesforce_instant(text) == ""


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (bounds)
def test_an_instant_comes_back_as_salesforce_shows_it(moment: datetime) -> None:
    shown = to_salesforce_instant(moment.isoformat())
    assert datetime.fromisoformat(shown) == moment.replace(microsecond=0)
    assert is_shown(moment.isoformat(), shown)


@pytest.mark.parametrize("status", list(ReviewStatus))
def test_every_review_status_has_words(status: ReviewStatus) -> None:
    assert lifecycle.meaning_of(str(status)) == lifecycle.MEANING[status]
    assert lifecycle.meaning_of(str(status)).endswith(".")


def test_a_status_of_tomorrow_is_told_as_it_is() -> None:
    assert lifecycle.meaning_of("Escalated") == "AWS's review status is 'Escalated'."
    assert lifecycle.meaning_of("") == "Submitted to AWS."
    assert {"Submitted", "In review"} == LOCKED


def test_review_statuses_are_spelt_as_aws_spells_them() -> None:
    from connector.adapters.partner_central.model import output_shape

    shape = output_shape("GetOpportunity").at("LifeCycle.ReviewStatus")
    assert shape is not None
    assert set(shape.enum) == {str(status) for status in ReviewStatus}


@pytest.mark.parametrize(
    ("attempts", "asked", "seconds"),
    [(0, 0, 2), (1, 0, 2), (2, 0, 4), (5, 0, 32), (10, 0, 900), (100_000, 0, 900), (1, 30, 30), (10, 3600, 3600)],
)
def test_when_to_try_again(attempts: int, asked: float, seconds: float) -> None:
    assert retry.next_attempt(attempts, AT, asked) == AT + timedelta(seconds=seconds)


@pytest.mark.parametrize(("age", "seconds"), [(0, 2), (3, 2), (10, 5), (120, 60), (100_000, 60), (-5, 2)])
def test_when_to_look_at_a_task_again(age: float, seconds: float) -> None:
    assert retry.next_poll(age) == seconds


@pytest.mark.parametrize(
    ("response", "before", "facts"),
    [
        ({"TaskId": "t", "ReasonCode": "null", "Message": ""}, None, {"TaskId": "t"}),
        ({"TaskId": "t", "Other": "x", "TaskStatus": "FAILED"}, None, {"TaskId": "t", "TaskStatus": "FAILED"}),
        ({"TaskId": "t"}, Task({"TaskId": "t", "TaskArn": "arn"}), {"TaskId": "t", "TaskArn": "arn"}),
        ({"TaskId": "u"}, Task({"TaskId": "t", "TaskArn": "arn"}), {"TaskId": "u"}),
    ],
)
def test_what_a_task_tells(response: dict[str, Any], before: Task | None, facts: dict[str, str]) -> None:
    task = Task.from_response(response, before)
    assert task.facts == facts
    assert (task.task_id, task.reason_code, task.message) == (facts["TaskId"], "", "")


def test_a_refusal_survives_json() -> None:
    import json

    refusal = Refusal("CreateOpportunity", "f", "no", (Problem("a", "b", "c", line=3),))
    assert Refusal.from_json(json.loads(json.dumps(refusal.to_json()))) == refusal


def test_the_order_of_associations_is_no_difference() -> None:
    one, two = Association("Solutions", "a"), Association("Solutions", "b")
    assert Mapped({}, (one, two)).fingerprint == Mapped({}, (two, one)).fingerprint
    assert Mapped({}, (one,)).fingerprint != Mapped({}, (two,)).fingerprint


def test_a_problem_keeps_the_place_it_has() -> None:
    mapped = Mapped({}, origins={})
    assert Problem("a", "b", "c").located(mapped.origin_of("a")).line == 0
