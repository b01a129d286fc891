"""The one look for all connections: whether there is work, of which kind, and that it costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from ledger_facts import ACME, DEAL, HOUR, NOW, add, change, deal, rest, settle, show
from sqlalchemy import Engine, event, text

from connector.adapters.ledger import Ledger
from connector.adapters.ledger.links import _AWAITING
from connector.sync import Context
from connector.sync.verbs import verbs_of
from tests import databases

OTHER = ("globex", "Sandbox")
SOON = NOW + timedelta(seconds=1)


def at_rest(ledger: Ledger, *ids: str) -> list[int]:
    numbers = add(ledger, *ids)
    for number in numbers:
        settle(ledger, number)
    return numbers


WORK: dict[str, Callable[[Ledger, int], object]] = {
    "advance": lambda ledger, number: rest(ledger, number, "Pending", "Later.", SOON),
    "tasks": lambda ledger, number: change_at_rest(ledger, number, poll_at=SOON),
    "refresh": lambda ledger, number: change_at_rest(ledger, number, refresh_at=SOON),
    "answers": lambda ledger, number: change_at_rest(ledger, number, answer_at=SOON),
    "write_back": lambda ledger, number: show(ledger, number, SOON),
    "requests": lambda ledger, _: ledger.request("acme", [DEAL], NOW),
}


def change_at_rest(ledger: Ledger, number: int, **changes: object) -> None:
    change(ledger, number, **changes)
    settle(ledger, number)


@pytest.mark.parametrize("kind", WORK)
def test_each_kind_of_work_is_told_alone_when_it_is_due_and_only_of_its_connection(ledger: Ledger, kind: str) -> None:
    first, _ = at_rest(ledger, DEAL, deal(2))
    assert ledger.awaiting([ACME, OTHER], NOW + HOUR) == {ACME: frozenset(), OTHER: frozenset()}
    WORK[kind](ledger, first)
    before = ledger.awaiting([ACME], NOW)[ACME]
    assert before == (frozenset({kind}) if kind == "requests" else frozenset())
    assert ledger.awaiting([OTHER, ACME], SOON) == {OTHER: frozenset(), ACME: frozenset({kind})}
    assert ledger.awaiting([("acme", "AWS")], SOON)["acme", "AWS"] <= {"requests"}


def test_no_connections_are_no_work(ledger: Ledger) -> None:
    assert ledger.awaiting([], NOW) == {}


def test_every_loop_that_is_run_on_demand_is_told_of_its_work() -> None:
    context = object.__new__(Context)
    verbs = verbs_of(context, HOUR, HOUR, HOUR)
    assert {verb.work for verb in verbs} - {""} == set(WORK)
    assert {verb.name for verb in verbs if not verb.work} == {"pull", "observe", "review"}


@pytest.mark.sqlite_only
def test_it_reads_indexes_only(ledger: Ledger, engine: Engine) -> None:
    add(ledger, DEAL)
    statement = str(_AWAITING.compile(engine, compile_kwargs={"literal_binds": False}))
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", ("acme", "Sandbox", "2027") * 5 + ("acme",)
        )
        told = [row[-1] for row in plan]
    assert [line for line in told if line.startswith("SCAN") and line != "SCAN CONSTANT ROW"] == []
    assert sum("SEARCH link USING " in line and "INDEX ix_link_" in line for line in told) == 5, told


def test_it_is_asked_of_the_database_once_for_each_connection(ledger: Ledger, engine: Engine) -> None:
    asked: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    ledger.awaiting([(f"c{number}", "Sandbox") for number in range(50)], NOW)
    assert len([one for one in asked if one.startswith("SELECT")]) == 50


@pytest.mark.skipif(not databases.POSTGRES, reason="needs PostgreSQL: CONNECTOR_TEST_POSTGRES, or `make test-postgres`")
def test_a_server_plans_each_look_for_what_it_asks(engine: Engine) -> None:
    """A plan made once for all of them reads every link, and so would each look of a large ledger."""
    ledger = Ledger(engine)
    at_rest(ledger, DEAL)
    for _ in range(20):
        ledger.awaiting([ACME], NOW + HOUR)
    with engine.connect() as connection:
        prepared = "SELECT generic_plans, custom_plans > 5 FROM pg_prepared_statements WHERE statement LIKE :look"
        told = connection.execute(text(prepared), {"look": "SELECT EXISTS%"}).all()
    assert told == [(0, True)]
