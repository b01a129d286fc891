"""What is kept apart, how values are kept, and what happens when many write or the database fails."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ledger_facts import ACME, DEAL, NOW, add, begin, change, deal, settle, show, summary
from sqlalchemy import Engine, event

from connector.adapters.ledger import Ledger, open_engine
from connector.core.model import Mapped
from connector.errors import ConfigError, LedgerUnavailable, StaleVersion
from connector.ports import Begin


def test_connections_and_catalogs_never_mix(ledger: Ledger) -> None:
    keys = [("acme", "Sandbox"), ("acme", "AWS"), ("other", "Sandbox")]
    numbers = [add(ledger, DEAL, key=key)[0] for key in keys]
    for number, identifier in zip(numbers, ("O1", "O2", "O3"), strict=True):
        change(ledger, number, NOW, opportunity_id=identifier, poll_at=NOW)
    ledger.see("acme", "AWS", [summary(8, deal(5)), summary(1, DEAL, LifeCycle={"Stage": "Won"})], NOW)
    assert ledger.sighted("acme", "AWS", deal(5)) == "O8"
    for key, number in zip(keys, numbers, strict=True):
        assert ledger.due(*key, NOW, 9) == [number]
        assert ledger.find(*key, DEAL) == ledger.link(number)
        assert ledger.link(number).existing is None
        assert [link.id for link in ledger.polls_due(*key, NOW, 9)] == [number]
        assert ledger.counts(*key) == {"Pending": 1}
    assert ledger.sighted("acme", "Sandbox", deal(5)) == ledger.sighted("other", "Sandbox", deal(5)) == ""
    assert ledger.set_presence("acme", "AWS", {DEAL: "deleted"}, NOW) == 1
    assert ledger.wake("other", "Sandbox", [DEAL], NOW) == [DEAL]
    show(ledger, numbers[1])
    begin(ledger, numbers[1], "UpdateOpportunity")
    assert [ledger.present(*key) for key in keys] == [[DEAL], [], [DEAL]]
    assert [len(ledger.write_backs_due(*key, NOW, 9)) for key in keys] == [0, 1, 0]
    assert [ledger.open_operations(name) for name in ("acme", "other")] == [1, 0]
    assert ledger.find("acme", "Sandbox", "O2") is None


@pytest.mark.parametrize("offset", [0, 5.75, -8])
def test_instants_come_back_aware_in_utc_to_the_microsecond(ledger: Ledger, offset: float) -> None:
    moment = datetime(2027, 3, 1, 8, 30, 0, 123_456, timezone(timedelta(hours=offset)))
    (number,) = add(ledger, DEAL)
    change(ledger, number, NOW, next_try_at=moment)
    found = ledger.link(number).next_try_at
    assert found is not None
    assert (found, found.tzinfo) == (moment, UTC)


def test_naive_instants_are_refused(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    with pytest.raises(LedgerUnavailable, match="no time zone"):
        change(ledger, number, NOW, next_try_at=datetime(2027, 1, 1))  # noqa: DTZ001
    assert ledger.link(number).next_try_at is None


@pytest.mark.parametrize("value", ["日本", "🚀", '"\\', "a\u2028b", "\x01", "e\u0301", "\ud83d"])
def test_json_keeps_every_character(ledger: Ledger, value: str) -> None:
    (number,) = add(ledger, DEAL)
    change(ledger, number, NOW, existing={"Text": [value, {value: None}], "Number": 1.5, "Flag": False})
    assert ledger.link(number).existing == {"Text": [value, {value: None}], "Number": 1.5, "Flag": False}


def test_twenty_threads_write_at_once(ledger: Ledger) -> None:
    numbers = add(ledger, *(deal(n) for n in range(20)))
    together = threading.Barrier(20)

    def work(number: int) -> None:
        together.wait(10)
        for _ in range(3):
            begun = begin(ledger, number, "UpdateOpportunity")
            ledger.add_usage("acme", "reads", 1, NOW)
            ledger.succeed(begun, {"Id": "O1"}, NOW, attempts=ledger.link(number).attempts + 1)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, numbers))
    assert [ledger.link(number).attempts for number in numbers] == [3] * 20
    assert (ledger.operations_since("acme", NOW), ledger.usage("acme", "reads", NOW)) == (60, 60)


def test_two_processes_take_turns(engine: Engine) -> None:
    """Two engines stand for two processes: their locks in memory do not know each other."""
    other = open_engine(engine.url.render_as_string(False))
    ledgers = [Ledger(engine), Ledger(other)]
    numbers = add(ledgers[0], *(deal(n) for n in range(4)))

    def work(turn: int) -> int:
        refused = 0
        for number in numbers * 10:
            try:
                ledgers[turn].succeed(begin(ledgers[turn], number, "UpdateOpportunity"), {}, NOW)
            except StaleVersion:
                refused += 1
        return refused

    with ThreadPoolExecutor(2) as pool:
        refused = sum(pool.map(work, (0, 1)))
    done = sum(len(ledgers[0].history(number)) for number in numbers)
    other.dispose()
    assert done + refused == 80
    assert ledgers[0].open_operations("acme") == 0


@pytest.fixture
def file_engine(tmp_path: Path, template: Path) -> Iterator[Engine]:
    path = tmp_path / "full.db"
    path.write_bytes(template.read_bytes())
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.mark.sqlite_only
def test_a_full_disk_leaves_nothing_behind(file_engine: Engine) -> None:
    ledger = Ledger(file_engine)
    (number,) = add(ledger, DEAL)
    ledger.close()
    file_engine.dispose()

    @event.listens_for(file_engine, "connect")
    def fill(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    with pytest.raises(LedgerUnavailable, match="full") as caught:
        ledger.begin(ledger.link(number), Begin("CreateOpportunity", {"Text": "x" * 100_000}, "t"), NOW)
    assert str(caught.value) == (
        "The ledger cannot be used: database or disk is full. Nothing is written to AWS or Salesforce until it can."
    )
    assert (ledger.link(number).operation, ledger.history(number)) == (None, [])


@pytest.mark.sqlite_only
def test_a_new_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert list(tmp_path.iterdir()) == [], "nothing is there before anybody connects"
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE contact (email TEXT)")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    engine.dispose()


@pytest.mark.sqlite_only
def test_a_ledger_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch(0o640)
    (tmp_path / "ledger.db").chmod(0o640)
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    engine.connect().close()
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o640
    engine.dispose()


@pytest.mark.sqlite_only
def test_a_read_only_database_is_told(file_engine: Engine, tmp_path: Path) -> None:
    (number,) = add(Ledger(file_engine), DEAL)
    read_only = open_engine(f"sqlite:///file:{tmp_path / 'full.db'}?mode=ro&uri=true")
    ledger = Ledger(read_only)
    assert ledger.link(number).salesforce_id == DEAL
    with pytest.raises(LedgerUnavailable, match="readonly database"):
        ledger.set_watermark("acme", "pull", "1")
    read_only.dispose()


@pytest.mark.sqlite_only
@pytest.mark.parametrize("text", ["not a database, only some text that is long enough to be read", ""])
def test_a_file_that_is_no_ledger_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "some.db").write_text(text * 30)
    engine = open_engine(f"sqlite:///{tmp_path / 'some.db'}")
    with pytest.raises(LedgerUnavailable, match="not a database" if text else "no such table"):
        Ledger(engine).watermark("acme", "pull")
    engine.dispose()


@pytest.mark.parametrize("url", ["nonsense://secret:word@host/db", "mysql://u:secret@h/d", "://secret"])
def test_a_url_that_cannot_be_used_is_a_sentence_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        open_engine(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://u:word@h/d", "the connector does not use mysql."),
        ("sqlite+aiosqlite:///x.db", "the connector does not use sqlite+aiosqlite."),
        ("sqlite://u:word@h/d", "its URL is wrong."),
        ("postgresql://u:word@h:port/d", "its URL is wrong."),
    ],
)
def test_a_url_that_cannot_be_used_says_what_is_wrong_with_it(url: str, reason: str) -> None:
    cure = "Write sqlite:///connector.db or postgresql+psycopg://user@host/database."
    with pytest.raises(ConfigError) as caught:
        open_engine(url)
    assert str(caught.value) == f"The database cannot be opened: {reason} {cure}"


def test_a_driver_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> Engine:
        raise ImportError("no pq wrapper available.")

    monkeypatch.setattr("connector.adapters.ledger.engine.open_server", fail)
    with pytest.raises(ConfigError, match=r"postgresql:// needs what is not installed\. Install the extra"):
        open_engine("postgresql://u@h/d")


def test_an_error_inside_a_transaction_rolls_it_back(ledger: Ledger, engine: Engine) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(*_: Any) -> None:
        raise Interrupted

    event.listen(engine, "commit", interrupt)
    try:
        with pytest.raises(Interrupted):
            ledger.set_watermark("acme", "pull", "1")
    finally:
        event.remove(engine, "commit", interrupt)
    assert ledger.watermark("acme", "pull") == ""
    ledger.set_watermark("acme", "pull", "2")
    assert ledger.watermark("acme", "pull") == "2"


def test_memory_does_not_grow_with_the_ledger(ledger: Ledger) -> None:
    big = Mapped({"Text": "x" * 20_000})
    ledger.store_mapped(*ACME, [(deal(n), "Deal", big, {}) for n in range(200)], NOW)
    for number in ledger.due(*ACME, NOW, 200):
        settle(ledger, number, "Held")
    tracemalloc.start()
    assert len(ledger.held(*ACME, 50)) == 50
    assert ledger.counts(*ACME) == {"Held": 200}
    assert len(ledger.wake(*ACME, None, NOW)) == 200
    assert len(ledger.due(*ACME, NOW, 8)) == 8
    assert len(ledger.present(*ACME)) == 200
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000 < 200 * len(json.dumps(big.to_json()))


@pytest.mark.sqlite_only
def test_what_salesforce_refused_is_found_without_reading_every_link(file_engine: Engine) -> None:
    """``connector status`` asks for it each time, and of a hundred thousand links hardly any has it."""
    ledger, asked = Ledger(file_engine), []
    number, _ = add(ledger, DEAL, deal(5))
    change(ledger, number, NOW, write_back_error="STRING_TOO_LONG")

    @event.listens_for(file_engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    assert ledger.write_back_errors(*ACME) == [("STRING_TOO_LONG", 1, DEAL)]
    ((statement, parameters),) = [one for one in asked if one[0].startswith("SELECT")]
    with file_engine.connect() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert any("ix_link_write_back_error" in str(step) for step in steps), steps
