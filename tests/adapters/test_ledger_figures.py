"""What is counted of all connections is counted by indexes alone, and alerts are changed by one process only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from connector.adapters.ledger import Ledger, open_engine, schema
from connector.core.model import Mapped
from connector.ports import Alert, Begin, Finished, OpenOperations, Rest
from connector.resources import packaged

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAMES = ["acme", "other"]
STALLED = Alert("acme", "progress", "stalled", "It stands still.", NOW, NOW + MINUTE)
CREATE, SUBMIT = "CreateOpportunity", "StartEngagementFromOpportunityTask"


def add(ledger: Ledger, connection: str, number: int) -> Any:
    """A new flagged link."""
    salesforce_id = f"006{number:015d}"
    ledger.store_mapped(connection, "AWS", [(salesforce_id, "Deal", Mapped({}), {})], NOW)
    return ledger.find(connection, "AWS", salesforce_id)


def test_links_are_counted_by_status_and_what_holds_them(ledger: Ledger) -> None:
    rests = {1: Rest("Held", "x", code="required"), 2: Rest("Held", "x"), 3: Rest("Synced", "x")}
    for number in range(5):
        link = add(ledger, "acme", number)
        if number in rests:
            ledger.rest([(link, rests[number])], NOW)
    add(ledger, "unknown", 9)
    assert ledger.link_counts(NAMES) == {
        ("acme", "AWS", "", ""): 2,
        ("acme", "AWS", "Held", ""): 1,
        ("acme", "AWS", "Held", "required"): 1,
        ("acme", "AWS", "Synced", ""): 1,
    }
    changed = ledger.find("acme", "AWS", f"006{1:015d}")
    assert changed is not None
    ledger.change(changed, NOW, name="Other")
    assert ("acme", "AWS", "Held", "required") not in ledger.link_counts(NAMES), "it is looked at again"


def test_operations_and_usage_are_counted_by_connection(ledger: Ledger) -> None:
    one, other = add(ledger, "acme", 1), add(ledger, "other", 2)
    ledger.begin(one, Begin(CREATE, {}, "t1"), NOW)
    ledger.fail(ledger.begin(other, Begin(CREATE, {}, "t2"), NOW + MINUTE), "Refused.", NOW + 2 * MINUTE)
    ledger.add_usage("acme", "aws_reads", 7, NOW)
    assert ledger.open_counts(NAMES) == {"acme": OpenOperations(1, NOW)}
    assert ledger.sent_counts(NAMES, NOW) == {"acme": 1, "other": 1}
    assert ledger.sent_counts(NAMES, NOW + MINUTE) == {"other": 1}
    assert ledger.usage_counts(NAMES, NOW) == {("acme", "aws_reads"): 7}
    assert ledger.usage_counts(NAMES, NOW + timedelta(hours=26)) == {}


def test_what_became_of_operations(ledger: Ledger) -> None:
    link = add(ledger, "acme", 1)
    assert ledger.newest_operation() == 0
    link = ledger.succeed(ledger.begin(link, Begin(CREATE, {}, "t1"), NOW), {}, NOW + MINUTE)
    link = ledger.succeed(ledger.begin(link, Begin(SUBMIT, {}, "t2"), NOW), {}, NOW + 2 * MINUTE)
    link = ledger.succeed(ledger.begin(link, Begin("UpdateOpportunity", {}, "t3"), NOW), {}, NOW + 3 * MINUTE)
    link = ledger.succeed(ledger.begin(link, Begin(SUBMIT, {}, "t4"), NOW), {}, NOW + 4 * MINUTE)
    link = ledger.begin(link, Begin(SUBMIT, {}, "t5"), NOW)
    assert link.operation is not None
    newest = link.operation.id
    first = newest - 4
    assert ledger.operations_after(0, []) == [
        Finished(first, "acme", CREATE, "done", MINUTE),
        Finished(first + 1, "acme", SUBMIT, "done", 2 * MINUTE),
        Finished(first + 2, "acme", "UpdateOpportunity", "done", None),
        Finished(first + 3, "acme", SUBMIT, "done", None),
        Finished(newest, "acme", SUBMIT, "open", None),
    ]
    assert ledger.open_numbers() == {newest}
    assert ledger.newest_operation() == newest
    assert {one.id for one in ledger.operations_after(newest, [first, newest])} == {first, newest}


def plan_of(engine: Engine, question: Callable[[], object]) -> str:
    """How SQLite answers what is asked."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    question()
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        rows = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters) for query, parameters in asked]
        return " | ".join(row[3] for found in rows for row in found)


@pytest.mark.sqlite_only
def test_a_hundred_thousand_links_are_counted_from_indexes(tmp_path: Path) -> None:
    """Beside a record's row, which holds all that was mapped of it, an index is small."""
    engine = open_engine(f"sqlite:///{tmp_path}/ledger.db")
    schema.upgrade(engine, packaged("migrations"))
    ledger = Ledger(engine)
    assert "COVERING INDEX ix_link_rest_status" in plan_of(engine, lambda: ledger.link_counts(NAMES))
    assert "COVERING INDEX ix_operation_sent_at" in plan_of(engine, lambda: ledger.sent_counts(NAMES, NOW))
    open_plan = plan_of(engine, lambda: ledger.open_counts(NAMES))
    assert "uq_operation_open_link" in open_plan or "ix_operation_state" in open_plan
    assert "SCAN" not in plan_of(engine, lambda: ledger.usage_counts(NAMES, NOW))
    after = plan_of(engine, lambda: ledger.operations_after(1, []))
    assert "INTEGER PRIMARY KEY (rowid>?)" in after
    assert "ix_operation_link_id (link_id=?" in after
    ledger.close()
    engine.dispose()


# alerts


def test_a_change_is_noted_by_one_process_only(ledger: Ledger) -> None:
    assert ledger.alerts(NAMES) == []
    assert ledger.change_alert(None, STALLED)
    assert not ledger.change_alert(None, STALLED), "another was first"
    assert ledger.alerts(NAMES) == [STALLED]
    over = replace(STALLED, state="running", message="It works.", since=NOW + MINUTE)
    assert ledger.change_alert(STALLED, over)
    assert not ledger.change_alert(STALLED, over), "another was first"
    assert ledger.alerts(["acme"]) == [over]
    assert ledger.alerts(["other"]) == []


def test_what_is_not_told_may_be_taken_over_by_one(ledger: Ledger) -> None:
    ledger.change_alert(None, STALLED)
    assert ledger.claim_alert(STALLED, NOW + 2 * MINUTE)
    assert not ledger.claim_alert(STALLED, NOW + 3 * MINUTE), "it was taken over meanwhile"
    (mine,) = ledger.alerts(NAMES)
    assert mine.tell_by == NOW + 2 * MINUTE
    ledger.alert_told(mine, NOW)
    (told,) = ledger.alerts(NAMES)
    assert (told.tell_by, told.told_at) == (None, NOW)
    assert not ledger.claim_alert(mine, NOW + 3 * MINUTE), "it is told"


def test_that_another_state_was_told_is_not_taken_for_this_one(ledger: Ledger) -> None:
    ledger.change_alert(None, STALLED)
    over = replace(STALLED, state="running", since=NOW + MINUTE)
    ledger.change_alert(STALLED, over)
    ledger.alert_told(STALLED, NOW)
    (known,) = ledger.alerts(NAMES)
    assert known == over
