"""Views of many links: by index, in pages, and with nothing that a database cannot take for a key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from connector.adapters.ledger import Ledger
from connector.core.model import Mapped, Problem
from connector.ports import Rest

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
KEY = ("acme", "Sandbox")


def fill(ledger: Ledger, count: int, connection: str = "acme") -> list[int]:
    """Links named ``Deal 00`` and so on, every third one held by one of two problems; gives their numbers."""
    records = [(f"006{n:012}AAA", f"Deal {n:02}", Mapped({"Project": {"Title": str(n)}}), {}) for n in range(count)]
    ledger.store_mapped(connection, "Sandbox", records, NOW)
    links = sorted((ledger.find(connection, "Sandbox", record[0]) for record in records), key=lambda link: link.id)  # type: ignore[union-attr]
    held = (Rest("Held", "wrong", code="one"), Rest("Held", "wrong", code="two"))
    rests = [(link, held[n % 2] if n % 3 == 0 else Rest("Synced", "fine")) for n, link in enumerate(links)]
    ledger.rest(rests, NOW)  # type: ignore[arg-type]
    return [link.id for link in links if link is not None]


def test_numbers_come_newest_first_whatever_their_codes(ledger: Ledger) -> None:
    made = fill(ledger, 13)
    fill(ledger, 3, "other")
    held = sorted((number for n, number in enumerate(made) if n % 3 == 0), reverse=True)
    assert ledger.numbers(*KEY, "Held", 3, below=None, above=None) == held[:3]
    assert ledger.numbers(*KEY, "Held", 3, below=held[2], above=None) == held[3:6]
    assert ledger.numbers(*KEY, "Held", 2, below=None, above=held[4]) == held[2:4]
    assert ledger.numbers(*KEY, "Held", 99, below=None, above=None) == held
    assert ledger.numbers(*KEY, "Stopped", 3, below=None, above=None) == []


def test_names_are_searched_in_their_order(ledger: Ledger) -> None:
    made = fill(ledger, 12)
    assert ledger.numbers_named(*KEY, "deal", 4) == made[:4]
    assert ledger.numbers_named(*KEY, "DEAL", 4, beyond=made[3]) == made[4:8]
    assert ledger.numbers_named(*KEY, "Deal", 4, beyond=made[8], back=True) == made[4:8]
    assert ledger.numbers_named(*KEY, "l 1", 4) == made[10:]
    for words in ("%", "_", "/", "\\", "'", "x"):
        assert ledger.numbers_named(*KEY, words, 4) == []


@pytest.mark.parametrize("name", ["x" * 10_000, "\u00e4" * 10_000, "\U0001f600" * 10_000])
def test_a_name_of_any_length_can_be_kept_and_found(ledger: Ledger, name: str) -> None:
    ledger.store_mapped(*KEY, [("006000000000001AAA", name, Mapped({}), {})], NOW)
    link = ledger.find(*KEY, "006000000000001AAA")
    assert link is not None
    assert link.name == name[:255]
    assert ledger.numbers_named(*KEY, name[:20], 4) == [link.id]


def test_what_holds_a_link_is_read_without_the_rest_of_it(ledger: Ledger) -> None:
    problem = Problem("Project.Title", "It is missing.", "Fill it in.", salesforce_field="Name")
    ledger.store_mapped(*KEY, [("006000000000001AAA", "One", Mapped({"Project": {}}, problems=(problem,)), {})], NOW)
    link = ledger.find(*KEY, "006000000000001AAA")
    assert link is not None
    ledger.rest([(link, Rest("Held", "It is missing.", code="missing", news=True))], NOW)
    assert ledger.held_versions(*KEY) == {link.id: (link.revision, NOW)}
    ((found, message),) = ledger.held_because([link.id])
    assert found.mapped is not None
    assert (found.mapped.problems, found.mapped.opportunity, message) == ((problem,), {}, "It is missing.")
    assert ledger.held_because([]) == []


@pytest.mark.sqlite_only
def test_no_page_sorts_or_reads_all_links(ledger: Ledger, engine: Engine) -> None:
    made = fill(ledger, 12)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    ledger.numbers(*KEY, "Synced", 5, below=made[9], above=None)
    ledger.numbers(*KEY, "Held", 5, below=None, above=made[0])
    ledger.numbers_named(*KEY, "deal", 5, beyond=made[3])
    ledger.numbers_named(*KEY, "deal", 5, beyond=made[3], back=True)
    event.remove(engine, "before_cursor_execute", note)
    plans = []
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans += [row[3] for row in plan]
    assert [plan for plan in plans if "TEMP B-TREE" in plan or plan.startswith("SCAN")] == []
    assert {plan.split(" INDEX ")[1].split()[0] for plan in plans if " INDEX " in plan} == {
        "ix_link_rest_status",
        "ix_link_name",
    }
