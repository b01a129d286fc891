"""The audit trail in the ledger: written with the fact it is about, never changed, and read in pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from alembic import command
from ledger_facts import ACME, DEAL, HOUR, MAPPED, NOW, add, begin, change, deal, rest, settle
from sqlalchemy import Engine, text

from connector.adapters.ledger import Ledger, operations, schema
from connector.core.audit import Entry, Event
from connector.core.model import Mapped
from connector.errors import LedgerUnavailable, StaleVersion
from connector.ports import Begin, Reasons, Rest, Written
from connector.resources import packaged

TOLD = {DEAL: "read from Salesforce, last edited there by 0055g00000AAAAAAAA"}
OVERRULING = {"changes": [["A.B", "x"]], "overrules": [["A.B", "y"]]}
ASKED = {"by": "ann on host", "at": "2027-01-15T12:00:00Z", "how": "asked for"}


@pytest.fixture(name="ledger")
def ledger_fixture(engine: Engine) -> Ledger:
    ledger = Ledger(engine)
    ledger.actor = "daemon on host (process 7)"
    return ledger


def events(ledger: Ledger, **more: Any) -> list[str]:
    return [entry.event for entry in ledger.audit("acme", **more)]


def stored(engine: Engine, *columns: str, table: str = "operation") -> Any:
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT {', '.join(columns)} FROM {table}")).one()


def test_each_step_of_an_operation_is_told_with_who_and_why(ledger: Ledger) -> None:
    ledger.store_mapped(*ACME, [(DEAL, "Deal", MAPPED, {})], NOW, reasons=Reasons(TOLD))
    link = ledger.find(*ACME, DEAL)
    assert link is not None
    begun = begin(ledger, link.id)
    again = ledger.sending(ledger.postpone(begun, "no answer", True, NOW, NOW), NOW + HOUR)
    done = ledger.succeed(again, {"Id": "O1", "TaskStatus": "COMPLETE"}, NOW + 2 * HOUR, opportunity_id="O1")
    ledger.fail(begin(ledger, done.id, "UpdateOpportunity"), "Ann is wrong", NOW, codes="INVALID_VALUE at A.B")
    ledger.fail(begin(ledger, done.id, "UpdateOpportunity"), "no longer", NOW, codes="deleted", is_dropped=True)
    told = {entry.id: entry for entry in ledger.audit("acme")}.values()
    told = sorted(told, key=lambda entry: entry.id)
    assert [entry.event for entry in told] == [
        "begun", "sent again", "done", "begun", "failed", "begun", "dropped"
    ]  # fmt: skip
    first, second, third, _, failed, _, dropped = told
    body = json.dumps({"ClientToken": "t", "Title": "Ü"}, ensure_ascii=False)
    assert begun.operation is not None
    assert first == Entry(
        NOW, "acme", "begun", DEAL, "", begun.operation.id, "CreateOpportunity", ledger.actor, TOLD[DEAL],
        hashlib.sha256(body.encode()).hexdigest(), "t", "", first.id,
    )  # fmt: skip
    assert (second.at, second.detail, second.operation_id) == (NOW + HOUR, "attempt 2", begun.operation.id)
    assert (third.opportunity_id, third.detail, third.body_sha256) == ("O1", "O1 COMPLETE", first.body_sha256)
    assert (failed.detail, dropped.detail) == ("INVALID_VALUE at A.B", "deleted")
    assert {entry.actor for entry in told} == {ledger.actor}


def test_an_entry_stands_or_falls_with_its_fact(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    seen = ledger.link(number)
    change(ledger, number, attempts=1)
    with pytest.raises(StaleVersion):
        ledger.begin(seen, Begin("CreateOpportunity", {}), NOW)
    assert events(ledger) == []
    begun = begin(ledger, number)
    with (
        mock.patch.object(operations, "add_entries", side_effect=RuntimeError("the power fails")),
        pytest.raises(RuntimeError),
    ):
        ledger.succeed(begun, {"Id": "O1"}, NOW, opportunity_id="O1")
    assert ledger.link(number) == begun, "nothing is known that the trail does not tell"
    assert events(ledger) == ["begun"]


def test_what_follows_in_one_transaction_is_told_in_order(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    following = Begin(
        "AssociateOpportunity", {"RelatedEntityType": "Solutions", "RelatedEntityIdentifier": "S-1"}, cause="AWS's word"
    )
    ledger.succeed(begin(ledger, number), {"Id": "O1"}, NOW, following, opportunity_id="O1")
    _, done, begun = ledger.audit("acme")
    assert (done.event, done.action, begun.event, begun.action) == (
        "done",
        "CreateOpportunity",
        "begun",
        "AssociateOpportunity",
    )
    assert (begun.cause, begun.detail, begun.opportunity_id) == ("AWS's word", "Solutions S-1", "O1")


def test_a_closed_operation_keeps_its_digest_only(ledger: Ledger, engine: Engine) -> None:
    (number,) = add(ledger, DEAL)
    body = {"ClientToken": "t", "Customer": {"Contacts": [{"LastName": "Smith", "Email": "ann@customer.example"}]}}
    intent = {"changes": [["Customer.Contacts", "Smith"]], "overrules": [["Project.Title", "Smith"]]}
    for close in (
        lambda link: ledger.succeed(link, {"Id": "O1", "Message": "Smith"}, NOW),
        lambda link: ledger.fail(link, "Smith <ann@customer.example> is refused", NOW),
    ):
        begun = ledger.begin(ledger.link(number), Begin("UpdateOpportunity", body, "t", intent), NOW)
        assert begun.operation is not None
        assert ledger.link(number).operation == begun.operation, "while it is open everything is there"
        close(begun)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT body, body_sha256, intent, response, error FROM operation")).all()
    digest = hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()
    assert [(row.body, row.body_sha256) for row in rows] == [("", digest)] * 2
    told = str([*map(tuple, rows)])
    assert "Smith" not in told
    assert "customer.example" not in told
    history = ledger.history(number)
    assert [line["overrules"] for line in history] == [["Project.Title"]] * 2
    assert [line["response"] for line in history] == [{"Id": "O1"}, None]
    assert [line["error"] for line in history] == [None, "[…] <[…]> is refused"]


def test_history_tells_who_began_an_operation_and_why(ledger: Ledger) -> None:
    ledger.store_mapped(*ACME, [(DEAL, "Deal", MAPPED, {})], NOW, reasons=Reasons(TOLD, {DEAL: ASKED}))
    link = ledger.find(*ACME, DEAL)
    assert link is not None
    ledger.fail(begin(ledger, link.id), "", NOW)
    (line,) = ledger.history(link.id)
    assert line["actor"] == ledger.actor
    assert line["cause"] == f"asked for by ann on host at {ASKED['at']}; {TOLD[DEAL]}"


def test_a_request_names_who_asked_until_the_link_rests(ledger: Ledger) -> None:
    first, second = add(ledger, DEAL, deal(2))
    ledger.request("acme", [DEAL], NOW, "ann on host")
    ledger.request("acme", [deal(2)], NOW)
    assert [(entry.event, entry.salesforce_id, entry.actor) for entry in ledger.audit("acme")] == [
        ("asked", DEAL, "ann on host")
    ], "what the connector asks of itself is nobody's"
    numbers = [number for number, _ in ledger.requests("acme")]
    asked = ledger.asked(numbers)
    assert asked == {DEAL: {"by": "ann on host", "at": "2027-01-15T12:00:00.250000Z", "how": "asked for"}}
    records = [(i, f"Deal {i}", MAPPED, {}) for i in (DEAL, deal(2), deal(3))]
    ledger.store_mapped(*ACME, records, NOW, reasons=Reasons({}, {**asked, deal(3): ASKED}))
    ledger.requests_done(numbers)
    third = ledger.find(*ACME, deal(3))
    assert third is not None
    assert [ledger.link(i).asked for i in (first, second, third.id)] == [asked[DEAL], None, ASKED]
    rest(ledger, first, "Pending", "Waiting.", NOW + HOUR)
    assert ledger.link(first).asked == asked[DEAL], "it is not done yet"
    settle(ledger, first)
    done = ledger.succeed(begin(ledger, third.id), {}, NOW, Rest("Synced", "Done."))
    assert (ledger.link(first).asked, done.asked, ledger.link(third.id).asked) == (None, None, None)


def test_who_asked_for_what_is_at_rest_and_brought_no_news_causes_nothing_later(ledger: Ledger) -> None:
    number, waiting = add(ledger, DEAL, deal(2))
    settle(ledger, number)
    rest(ledger, waiting, "Pending", "Waiting.", NOW + HOUR)
    records = [(i, f"Deal {i}", MAPPED, {}) for i in (DEAL, deal(2))]
    ledger.store_mapped(*ACME, records, NOW, reasons=Reasons({}, {DEAL: ASKED, deal(2): ASKED}))
    assert [ledger.link(one).asked for one in (number, waiting)] == [None, ASKED]
    ledger.store_mapped(*ACME, [(DEAL, "Another name", MAPPED, {})], NOW, reasons=Reasons({}, {DEAL: ASKED}))
    assert ledger.link(number).asked == ASKED


def test_news_replace_their_cause(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    for told, mapped, cause in (
        (TOLD, Mapped({"a": "b"}), TOLD[DEAL]),
        ({DEAL: "other"}, Mapped({"a": "b"}), TOLD[DEAL]),
    ):
        ledger.store_mapped(*ACME, [(DEAL, "Deal", mapped, {"F": told[DEAL]})], NOW, reasons=Reasons(told))
        assert ledger.link(number).cause == cause, "what brought no news caused nothing"


def test_retry_release_and_adoption_are_told(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    ledger.wake(*ACME, [DEAL], NOW, "ann on host")
    assert ledger.link(number).asked == {"by": "ann on host", "at": "2027-01-15T12:00:00.250000Z", "how": "retry"}
    ledger.wake(*ACME, [DEAL], NOW)
    ledger.release(*ACME, [DEAL], "{}", NOW, "resync by ann")
    adopted = change(ledger, number, adopted="AWS had O1 already", opportunity_id="O1")
    assert adopted == ledger.link(number)
    change(ledger, number, attempts=2)
    assert [(entry.event, entry.actor, entry.detail) for entry in ledger.audit("acme")] == [
        ("retried", "ann on host", ""),
        ("retried", ledger.actor, ""),
        ("released", "resync by ann", ""),
        ("adopted", ledger.actor, "AWS had O1 already"),
    ]


def test_a_write_back_is_told_by_its_fields(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    rest(ledger, number, "Held", "Why.", show=True, news=True)
    refused = "FIELD_CUSTOM_VALIDATION_EXCEPTION on Name, Amount: Ann Smith may not"
    for known in (True, False):
        if known:
            ledger.write_backs_due(*ACME, NOW, 9)
        ledger.written({number: Written({"B__c": "ann@customer.example", "A__c": 1}, refused, NOW)}, NOW)
    told = [(entry.event, entry.salesforce_id, entry.action, entry.detail) for entry in ledger.audit("acme")]
    assert told == [
        ("shown", DEAL, "write back", "A__c, B__c"),
        ("not shown", DEAL, "write back", "FIELD_CUSTOM_VALIDATION_EXCEPTION on Name, Amount"),
        ("shown", DEAL, "write back", "A__c, B__c"),
    ], "the same refusal is told once"


def test_pages_go_through_all_of_it_in_order(ledger: Ledger) -> None:
    moments = [NOW + (i // 3) * HOUR for i in range(10)]
    ledger.note([Entry(at, "acme", Event.ASKED, deal(i % 2), detail=str(i)) for i, at in enumerate(moments)])
    ledger.note([Entry(NOW, "other", Event.ASKED)])
    ledger.note([])
    found: list[Entry] = []
    while page := ledger.audit("acme", after=found[-1] if found else None, limit=2):
        assert len(page) <= 2
        found += page
    assert [entry.detail for entry in found] == [str(i) for i in range(10)]
    assert found[0].at == NOW
    some = ledger.audit("acme", since=NOW + HOUR, until=NOW + 3 * HOUR)
    assert [entry.detail for entry in some] == ["3", "4", "5", "6", "7", "8"]
    assert [entry.detail for entry in ledger.audit("acme", salesforce_id=deal(1))] == ["1", "3", "5", "7", "9"]


@pytest.mark.parametrize(
    ("wanted", "details"),
    [
        ({"limit": 4}, "6789"),
        ({"limit": 99}, "0123456789"),
        ({"limit": 2, "salesforce_id": deal(1)}, "79"),
        ({"limit": 2, "until": NOW + 2 * HOUR}, "45"),
    ],
)
def test_the_newest_entries_are_told_in_order_as_well(ledger: Ledger, wanted: dict[str, Any], details: str) -> None:
    moments = [NOW + (i // 3) * HOUR for i in range(10)]
    ledger.note([Entry(at, "acme", Event.ASKED, deal(i % 2), detail=str(i)) for i, at in enumerate(moments)])
    assert "".join(entry.detail for entry in ledger.audit("acme", newest=True, **wanted)) == details


@pytest.mark.sqlite_only
def test_a_page_is_found_by_an_index(ledger: Ledger, engine: Engine) -> None:
    plans = []
    for query, index in (
        ("at >= 'x' AND (at > 'x' OR id > 7)", "ix_audit_at"),
        ("salesforce_id = 'x'", "ix_audit_salesforce_id"),
    ):
        with engine.connect() as connection:
            told = connection.execute(
                text(
                    f"EXPLAIN QUERY PLAN SELECT * FROM audit WHERE connection = 'a' AND {query} ORDER BY at, id LIMIT 9"
                )
            ).all()
        plans.append(any(index in row[3] for row in told))
        if index == "ix_audit_at":
            assert not any("TEMP B-TREE" in row[3] for row in told), "a page costs what it holds"
    assert plans == [True, True]


CHANGES: dict[str, Callable[[], str]] = {
    "update": lambda: "UPDATE audit SET actor = 'nobody'",
    "delete": lambda: "DELETE FROM audit",
    "delete one": lambda: "DELETE FROM audit WHERE id = 1",
    "replace": lambda: "INSERT OR REPLACE INTO audit (id, at, connection, event) VALUES (1, '2027-01-01', 'acme', 'x')",
    "upsert": lambda: (
        "INSERT INTO audit (id, at, connection, event) VALUES (1, '2027-01-01', 'acme', 'x') "
        "ON CONFLICT (id) DO UPDATE SET event = 'x'"
    ),
    "truncate": lambda: "TRUNCATE audit",
}
OF = {"sqlite": {"truncate"}, "postgresql": {"replace"}}
"""Statements that a database does not know."""


@pytest.mark.parametrize("how", CHANGES)
def test_the_database_itself_refuses_to_change_the_trail(ledger: Ledger, engine: Engine, how: str) -> None:
    (number,) = add(ledger, DEAL)
    begin(ledger, number)
    before = ledger.audit("acme")
    told = "syntax error" if how in OF[engine.dialect.name] else "the audit trail is append-only"
    with pytest.raises(Exception, match=told), engine.begin() as connection:
        connection.execute(text(CHANGES[how]()))
    assert ledger.audit("acme") == before
    assert len(before) == 1


def test_no_record_takes_its_entries_along(ledger: Ledger, engine: Engine) -> None:
    (number,) = add(ledger, DEAL)
    ledger.fail(begin(ledger, number), "", NOW)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM operation"))
        connection.execute(text("DELETE FROM link"))
    assert events(ledger) == ["begun", "failed"]


def test_an_upgrade_empties_what_is_over(empty_engine: Engine) -> None:
    """Of an older ledger, in more than one go."""
    config = schema._config(empty_engine, packaged("migrations"))
    command.upgrade(config, "0004")
    rows = [_older(i) for i in range(1, 1203)]
    with empty_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO link (id, connection, catalog, salesforce_id, presence, content, opportunity_id, "
                "candidate_id, submitted, attempts, rest_status) "
                "SELECT 1, 'acme', 'Sandbox', '006000000000001AAA', 'flagged', '', 'O1', '', '', 0, ''"
            )
        )
        connection.execute(
            text(
                "INSERT INTO operation (id, link_id, connection, action, body, intent, state, error, response, "
                "attempts, ambiguous, client_token, created_at) "
                "VALUES (:id, 1, 'acme', 'UpdateOpportunity', :body, :intent, "
                ":state, :error, :response, 1, :ambiguous, 't', :at)"
            ),
            rows,
        )
    assert schema.upgrade(empty_engine, packaged("migrations"))
    with empty_engine.connect() as connection:
        found = {row.id: row for row in connection.execute(text("SELECT * FROM operation"))}
    for older in rows:
        row = found[older["id"]]
        assert row.body_sha256 == hashlib.sha256(older["body"].encode()).hexdigest()
        assert (row.body == "") == (row.state != "open")
    closed, opened = found[1], found[600]
    assert "Smith" not in str([tuple(row) for row in found.values() if row.state != "open"])
    assert closed.error == "[…] is refused"
    assert (opened.body, opened.error) == (rows[599]["body"], rows[599]["error"])
    ledger = Ledger(empty_engine)
    assert [line["overrules"] for line in ledger.history(1)][:2] == [["A.B"], ["A.B"]]
    assert ledger.history(1)[0]["response"] == {"Id": "O1"}
    link = ledger.link(1)
    assert link.operation is not None
    assert (link.operation.body["Title"], link.operation.intent["overrules"]) == ("600", [["A.B", "Smith"]])
    with pytest.raises(LedgerUnavailable, match="append-only"):
        _erase(ledger)


def test_the_way_back_keeps_links_and_operations(engine: Engine) -> None:
    config, ledger = schema._config(engine, packaged("migrations")), Ledger(engine)
    (number,) = add(ledger, DEAL)
    begun = ledger.begin(ledger.link(number), Begin("UpdateOpportunity", {"Title": "x"}, intent=OVERRULING), NOW)
    ledger.succeed(begun, {"Id": "O1"}, NOW)
    ledger.close()
    command.downgrade(config, "0004")
    # An older version takes it apart as pairs.
    assert stored(engine, "body", "state", "intent") == ("", "done", None)
    assert schema.upgrade(engine, packaged("migrations"))
    assert stored(engine, "body", "state", "body_sha256") == ("", "done", "")
    assert ledger.link(number).salesforce_id == DEAL


def _older(number: int) -> dict[str, Any]:
    body = {"Title": str(number), "Customer": {"Contacts": [{"LastName": "Smith"}]}}
    return {
        "id": number,
        "body": json.dumps(body, ensure_ascii=False),
        "intent": json.dumps({"changes": [["A.B", "Smith"]], "overrules": [["A.B", "Smith"]]}),
        "state": "open" if number == 600 else ("done", "failed")[number % 2],
        "error": "Smith is refused",
        "response": json.dumps({"Id": "O1", "Message": "Smith"}),
        "ambiguous": False,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
    }


def _erase(ledger: Ledger) -> None:
    ledger.note([Entry(NOW, "acme", Event.ASKED)])
    with ledger._write() as writing:
        writing.execute(text("DELETE FROM audit"))
