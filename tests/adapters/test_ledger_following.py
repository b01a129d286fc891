"""What the ledger keeps of a deal after its submission: AWS's own word, the owner, invitations, and when to look."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from ledger_facts import ACME, DEAL, HOUR, NOW, add, begin, change, deal, due, settle, summary
from sqlalchemy import Engine, event, text

from connector.adapters.ledger import Ledger, schema
from connector.core.model import Refusal, SentInvitation, Task, fingerprint
from connector.ports import Begin
from connector.resources import packaged

MINUTE = timedelta(minutes=1)
REFUSAL = Refusal("AssignOpportunity", fingerprint({}), "AWS knows no such user.")
SENT = SentInvitation("a01000000000001AAA", "222233334444", "eng-1", {"Id": "engi-1", "Status": "PENDING"})


def test_every_fact_comes_back_as_it_was_stored(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    facts = {
        "aws": {"LifeCycle": {"Stage": "Engaged"}, "OpportunityTeam": [{"Email": "rep@aws.example"}]},
        "assigned": {"Email": "sam@partner.example"},
        "invitations": (SENT,),
        "refusals": {"owner": REFUSAL, "invitation [0]": REFUSAL},
        "taken": {"NextStep": "Call", "Amount": 12.5},
    }
    change(ledger, number, **facts)
    link = ledger.link(number)
    assert {name: getattr(link, name) for name in facts} == facts
    change(ledger, number, aws=None, assigned=None, invitations=(), refusals={}, taken={})
    link = ledger.link(number)
    assert (link.aws, link.assigned, link.invitations, link.refusals, link.taken) == (None, None, (), {}, {})


TASK = Task({"TaskId": "task-first001", "TaskStatus": "FAILED", "EngagementId": "eng-shared01"})
INVITED = SentInvitation("a01", "222233334444", "eng-shared01", {"Id": "engi-asked001", "Status": "PENDING"})


def test_a_link_is_found_by_every_id_of_its_tasks_and_invitations(ledger: Ledger) -> None:
    first, second = add(ledger, DEAL, deal(2))
    (elsewhere,) = add(ledger, DEAL, key=("other", "Sandbox"))
    ledger.succeed(begin(ledger, second), {}, NOW, task=replace(TASK, facts={**TASK.facts, "TaskId": "task-second01"}))
    change(ledger, first, task=TASK, invitations=(INVITED,))
    change(ledger, first, task=Task({"TaskId": "task-again001"}))
    change(ledger, elsewhere, task=TASK)

    def found(identifier: str, key: tuple[str, str] = ACME) -> int | None:
        link = ledger.find(*key, identifier)
        return None if link is None else link.id

    ids = ("task-first001", "task-again001", "engi-asked001", "eng-shared01", "task-second01", "task-nobody01", "a01")
    assert [found(one) for one in ids] == [first, first, first, first, second, None, None]
    assert found("task-first001", ("other", "Sandbox")) == elsewhere
    assert found("task-first001", ("other", "AWS")) is None


def test_a_plan_that_came_too_late_names_nothing(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    seen = ledger.link(number)
    change(ledger, number, task=TASK)
    ledger.change_all([(seen, {"invitations": (INVITED,)}, True)], NOW)
    assert ledger.find(*ACME, "engi-asked001") is None


@pytest.mark.sqlite_only
def test_an_id_of_a_process_is_looked_up_in_an_index(ledger: Ledger) -> None:
    asked: list[tuple[str, Any]] = []

    @event.listens_for(ledger._engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    assert ledger.find(*ACME, "task-first001") is None
    ((statement, parameters),) = list(asked)
    with ledger._engine.connect() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert steps
    assert not any("SCAN" in str(step) for step in steps), steps


def test_ids_that_an_earlier_version_stored_are_found(empty_engine: Engine) -> None:
    config = schema._config(empty_engine, packaged("migrations"))
    command.upgrade(config, "0004")
    columns = "connection, catalog, salesforce_id, presence, name, content, opportunity_id, candidate_id, submitted"
    columns += ", attempts, write_back_error, rest_status, rest_message, task, invitations"
    parts = ":c, 'Sandbox', :i, 'flagged', '', '', '', '', '', 0, '', '', '', :task, :invitations"
    rows = [
        ("acme", deal(1), TASK.facts, None),
        ("acme", deal(2), None, [INVITED.to_json(), {**INVITED.to_json(), "receiver": "333344445555"}]),
        ("acme", deal(3), None, None),
        ("other", deal(1), {**TASK.facts, "Message": "no task-first002 in words"}, None),
    ]
    with empty_engine.begin() as connection:
        for name, one, task, invitations in rows:
            values = {"task": task and json.dumps(task), "invitations": invitations and json.dumps(invitations)}
            statement = text(f"INSERT INTO link ({columns}) VALUES ({parts})")
            connection.execute(statement, {"c": name, "i": one, **values})
    schema.upgrade(empty_engine, packaged("migrations"))
    ledger = Ledger(empty_engine)
    ids = ("task-first001", "eng-shared01", "engi-asked001", "task-first002")
    found = [ledger.find(*ACME, one) for one in ids]
    assert [link and link.salesforce_id for link in found] == [deal(1), deal(1), deal(2), None]
    elsewhere = ledger.find("other", "Sandbox", "task-first001")
    assert elsewhere is not None
    command.downgrade(schema._config(empty_engine, packaged("migrations")), "0004")


def test_who_waits_longest_is_read_first(ledger: Ledger) -> None:
    first, second, third = add(ledger, DEAL, deal(2), deal(3))
    change(ledger, first, refresh_at=NOW, answer_at=NOW + HOUR)
    change(ledger, second, refresh_at=NOW - MINUTE, answer_at=NOW)
    change(ledger, third, refresh_at=NOW + MINUTE)
    assert [link.id for link in ledger.refreshes_due(*ACME, NOW, 9)] == [second, first]
    assert [link.id for link in ledger.refreshes_due(*ACME, NOW, 1)] == [second]
    assert [link.id for link in ledger.refreshes_due(*ACME, NOW, 9, [DEAL])] == [first]
    assert [link.id for link in ledger.answers_due(*ACME, NOW + HOUR, 9)] == [second, first]
    assert ledger.refreshes_open(*ACME) == 3
    assert ledger.refreshes_open("other", ACME[1]) == 0


def test_retrying_clears_what_aws_refused_of_single_parts(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    change(ledger, number, refusals={"owner": REFUSAL}, invitations=(SENT,))
    settle(ledger, number)
    ledger.wake(*ACME, [DEAL], NOW)
    assert (ledger.link(number).refusals, ledger.link(number).invitations) == ({}, (SENT,))
    assert due(ledger) == [number]


@pytest.mark.parametrize(
    ("status", "looked_at"),
    [("Pending Submission", None), ("Submitted", NOW + 10 * MINUTE), ("In review", NOW), ("Approved", NOW)],
)
def test_what_aws_lists_as_changed_is_read_whole(ledger: Ledger, status: str, looked_at: datetime | None) -> None:
    (number,) = add(ledger, DEAL)
    change(ledger, number, opportunity_id="O1", existing={"Id": "O1", "LastModifiedDate": "2027-01-15T10:00:00Z"})
    listed = {**summary(1), "LastModifiedDate": "2027-01-15T11:00:00Z", "LifeCycle": {"ReviewStatus": status}}
    assert ledger.see(*ACME, [listed], NOW) == 1
    later = ledger.refreshes_due(*ACME, NOW + HOUR, 9)
    at_once = ledger.refreshes_due(*ACME, NOW, 9)
    assert [bool(later), bool(at_once)] == [looked_at is not None, looked_at == NOW]


@pytest.mark.parametrize("stamp", ["2027-01-15T09:59:59.999Z", "2027-01-15T10:00:00.000Z"])
def test_a_list_that_lags_behind_makes_no_fact_older(ledger: Ledger, stamp: str) -> None:
    (number,) = add(ledger, DEAL)
    known = {"Id": "O1", "LastModifiedDate": "2027-01-15T10:00:00Z", "LifeCycle": {"Stage": "Committed"}}
    change(ledger, number, opportunity_id="O1", existing=known)
    settle(ledger, number)
    old = {**summary(1), "LastModifiedDate": stamp, "LifeCycle": {"Stage": "Qualified"}}
    assert ledger.see(*ACME, [old], NOW) == 0
    assert (ledger.link(number).existing, due(ledger)) == (known, [])


def test_operations_of_a_kind_are_counted(ledger: Ledger) -> None:
    first, second = add(ledger, DEAL, deal(2))
    link = ledger.begin(ledger.link(first), Begin("CreateEngagementInvitation", {}, "t"), NOW)
    begin(ledger, second)
    counted = [ledger.begun_since("acme", "CreateEngagementInvitation", NOW - MINUTE * n) for n in (-1, 0, 1)]
    assert counted == [0, 1, 1]
    assert ledger.creates_since("acme", NOW) == 1
    ledger.fail(link, "never sent", NOW)
    assert ledger.begun_since("acme", "CreateEngagementInvitation", NOW) == 0


def test_what_an_earlier_version_submitted_is_followed(empty_engine: Engine) -> None:
    config = schema._config(empty_engine, packaged("migrations"))
    command.upgrade(config, "0002")
    row = "INSERT INTO link (connection, catalog, salesforce_id, presence, opportunity_id, {0}) VALUES ({1})"
    columns = "name, content, candidate_id, submitted, attempts, write_back_error, rest_status, rest_message"
    with empty_engine.begin() as connection:
        for number, opportunity in enumerate(("O1", "")):
            values = f"'acme', 'Sandbox', '{deal(number)}', 'flagged', '{opportunity}', '', '', '', '', 0, '', '', ''"
            connection.execute(text(row.format(columns, values)))
    schema.upgrade(empty_engine, packaged("migrations"))
    ledger = Ledger(empty_engine)
    followed = ledger.refreshes_due("acme", "Sandbox", datetime.now(UTC) + MINUTE, 9)
    assert [link.opportunity_id for link in followed] == ["O1"]
    assert (followed[0].taken, followed[0].invitations, followed[0].refusals) == ({}, (), {})
