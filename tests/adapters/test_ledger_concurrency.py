"""Many threads and processes on one ledger: nothing is lost or doubled, and none waits for another's commit."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from ledger_facts import ACME, DEAL, NOW, add, begin, deal, settle, summary
from sqlalchemy import Engine, event, text

from connector.adapters.ledger import Ledger, erasure, links, open_engine
from connector.adapters.ledger import postgres as server
from connector.core.model import Link, Mapped
from connector.errors import StaleVersion, TemporaryError
from connector.ports import Begin, Rest, Written
from tests import databases

on_a_server = pytest.mark.skipif(
    not databases.POSTGRES, reason="needs PostgreSQL: CONNECTOR_TEST_POSTGRES, or `make test-postgres`"
)
THREADS = 8


@pytest.fixture(name="ledgers")
def ledgers_fixture(engine: Engine) -> Iterator[list[Ledger]]:
    """Two ledgers on one database, as two processes have it."""
    other = open_engine(engine.url.render_as_string(False))
    yield [Ledger(engine), Ledger(other)]
    other.dispose()


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """Do it all in threads that begin together; gives what each gave, and raises what one raised."""
    together = threading.Barrier(len(work))

    def begin_together(one: Callable[[], Any]) -> Any:
        together.wait(10)
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(begin_together, work))


def test_what_many_count_and_note_adds_up(ledgers: list[Ledger]) -> None:
    def count(ledger: Ledger) -> None:
        for turn in range(10):
            ledger.add_usage("acme", f"kind {turn}", 1, NOW)
            ledger.set_watermark("acme", f"mark {turn}", "set")

    at_once(*(lambda one=ledgers[number % 2]: count(one) for number in range(THREADS)))
    assert [ledgers[0].usage("acme", f"kind {turn}", NOW) for turn in range(10)] == [THREADS] * 10
    assert [ledgers[0].watermark("acme", f"mark {turn}") for turn in range(10)] == ["set"] * 10


def test_of_many_who_begin_an_operation_one_does(ledgers: list[Ledger]) -> None:
    numbers = add(ledgers[0], *(deal(n) for n in range(10)))

    def begin_each(ledger: Ledger) -> int:
        begun = 0
        for number in numbers:
            try:
                begin(ledger, number)
                begun += 1
            except StaleVersion:
                continue
        return begun

    assert sum(at_once(*(lambda one=ledgers[n % 2]: begin_each(one) for n in range(THREADS)))) == 10
    assert ledgers[0].open_operations("acme") == 10


def test_no_fact_that_was_stored_is_lost(ledgers: list[Ledger]) -> None:
    """Each changes a fact of its own; whoever finds the link changed reads it again."""
    (number,) = add(ledgers[0], deal(1))

    def add_to(ledger: Ledger, name: str) -> None:
        for turn in range(10):
            while True:
                link = ledger.link(number)
                try:
                    ledger.change(link, NOW, existing={**(link.existing or {}), f"{name}{turn}": turn})
                    break
                except StaleVersion:
                    continue

    at_once(*(lambda one=ledgers[n % 2], name=f"t{n}-": add_to(one, name) for n in range(4)))
    assert len(ledgers[0].link(number).existing or {}) == 40


def test_records_that_two_store_at_the_same_moment_are_stored_once(ledgers: list[Ledger]) -> None:
    pages = [[(deal(n), "Deal", Mapped({"Text": "x"}), {}) for n in range(50)] for _ in ledgers]
    random.Random(7).shuffle(pages[1])
    new = at_once(
        *(
            lambda one=one, page=page: one.store_mapped(*ACME, page, NOW)
            for one, page in zip(ledgers, pages, strict=True)
        )
    )
    assert sorted(new) == [0, 50]
    assert len(ledgers[0].due(*ACME, NOW, 999)) == 50


def test_a_record_and_the_opportunity_that_carries_its_id_find_each_other(ledgers: list[Ledger]) -> None:
    """Stored and seen in the same moment; if each missed the other, the record would get a second opportunity."""
    for turn in range(20):
        at_once(
            lambda n=turn: ledgers[0].store_mapped(*ACME, [(deal(n), "Deal", Mapped({"Text": "x"}), {})], NOW),
            lambda n=turn: ledgers[1].see(*ACME, [summary(n, deal(n))], NOW),
        )
    found = [ledgers[0].find(*ACME, deal(turn)) for turn in range(20)]
    assert [link.candidate_id for link in found if link is not None] == [f"O{turn}" for turn in range(20)]


@dataclass(frozen=True)
class Turn:
    """All that may touch the same links in one moment, each in an order of its own."""

    ledger: Ledger
    numbers: list[int]
    seed: int

    @property
    def ids(self) -> list[str]:
        return [deal(n) for n in range(len(self.numbers))]

    def shuffled(self) -> list[int]:
        return random.Random(self.seed).sample(self.numbers, len(self.numbers))

    def links(self) -> list[Link]:
        return [self.ledger.link(number) for number in self.shuffled()]

    def rest(self) -> None:
        self.ledger.rest([(link, Rest("Held", "Why.", news=link.id % 2 == 0)) for link in self.links()], NOW)

    def change_all(self) -> None:
        self.ledger.change_all([(link, {"attempts": self.seed}, True) for link in self.links()], NOW)

    def written(self) -> None:
        self.ledger.written({number: Written({"Status": str(self.seed)}) for number in self.shuffled()}, NOW)

    def store(self) -> None:
        mapped = Mapped({"Text": str(self.seed)})
        self.ledger.store_mapped(*ACME, [(i, f"Deal {self.seed}", mapped, {}) for i in reversed(self.ids)], NOW)

    def leave(self) -> None:
        self.ledger.set_presence(*ACME, dict.fromkeys(self.ids[::-2], "unflagged"), NOW)

    def see(self) -> None:
        page = [summary(self.seed * 100 + n, i) for n, i in enumerate(random.Random(self.seed).sample(self.ids, 40))]
        self.ledger.see(*ACME, page, NOW)

    def wake(self) -> None:
        self.ledger.wake(*ACME, None if self.seed % 2 else self.ids[::-1], NOW)

    def release(self) -> None:
        self.ledger.release(*ACME, self.ids[self.seed :], "{}", NOW)

    def operate(self) -> None:
        for number in self.shuffled()[:8]:
            try:
                begun = self.ledger.postpone(begin(self.ledger, number), "later", True, NOW, NOW)
                self.ledger.succeed(begun, {"Id": "O1"}, NOW, Rest("Synced", "Done."))
            except StaleVersion:
                continue


PARTS = (Turn.rest, Turn.change_all, Turn.written, Turn.store, Turn.leave, Turn.see, Turn.wake, Turn.release)


def test_whatever_touches_the_same_links_at_once_gets_through(ledgers: list[Ledger]) -> None:
    """In every order, over and over: nobody waits for one who waits for him."""
    numbers = add(ledgers[0], *(deal(n) for n in range(40)))
    for seed in range(1, 7):
        turns = [Turn(one, numbers, seed * 10 + n) for n, one in enumerate(ledgers)]
        work = [partial(part, turns[n % 2]) for n, part in enumerate((*PARTS, Turn.operate, Turn.operate))]
        at_once(*work)
    assert ledgers[0].open_operations("acme") == 0


@on_a_server
def test_a_record_that_comes_into_use_while_it_is_forgotten_is_kept(ledgers: list[Ledger], engine: Engine) -> None:
    forgetting, other = ledgers
    (number,) = add(forgetting, DEAL)
    forgetting.set_presence(*ACME, {DEAL: "unflagged"}, NOW)
    seen, used = forgetting.link(number), []

    @event.listens_for(engine, "before_execute")
    def use(_connection: Any, statement: Any, *_: Any) -> None:
        if statement is erasure._LOCK and not used:
            add(other, DEAL)
            used.append(begin(other, number))
            other.set_presence(*ACME, {DEAL: "unflagged"}, NOW)

    with pytest.raises(StaleVersion, match="is in use again"):
        forgetting.forget(seen, NOW)
    link = forgetting.link(number)
    assert used
    assert (link.mapped is None, link.operation) == (False, used[0].operation)


@on_a_server
def test_one_who_clears_many_holds_has_their_operations_before_their_links(
    ledgers: list[Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some are cleared at a time; whoever notes how an operation ended has it, and waits for its link."""
    monkeypatch.setattr(links, "CHUNK", 1)
    clearing, other = ledgers
    first, second = add(clearing, DEAL, deal(2))
    begin(clearing, second)
    has_operation, is_cleared = threading.Event(), threading.Event()

    def clear() -> None:
        has_operation.wait(10)
        clearing.wake(*ACME, [DEAL, deal(2)], NOW, "ann")
        is_cleared.set()

    def operate() -> None:
        with other._write() as writing:
            writing.execute(text("SELECT 1 FROM operation WHERE link_id = :id FOR UPDATE"), {"id": second})
            has_operation.set()
            assert not is_cleared.wait(0.3)
            writing.execute(text("SELECT 1 FROM link WHERE id IN (:a, :b) FOR UPDATE"), {"a": first, "b": second})

    at_once(clear, operate)
    assert is_cleared.is_set()


@on_a_server
def test_one_slow_commit_holds_nobody_up(engine: Engine) -> None:
    ledger = Ledger(engine)
    numbers = add(ledger, deal(1), deal(2))
    slow, others_are_done = threading.Event(), threading.Event()

    @event.listens_for(engine, "commit")
    def commit_slowly(_: Any) -> None:
        if threading.current_thread().name == "slow":
            slow.set()
            assert others_are_done.wait(20), "the others waited for this commit"

    thread = threading.Thread(target=begin, args=(ledger, numbers[0]), name="slow")
    thread.start()
    assert slow.wait(10)
    begin(ledger, numbers[1])
    ledger.set_watermark("acme", "pull", "1")
    others_are_done.set()
    thread.join(10)
    assert ledger.open_operations("acme") == 2


@on_a_server
def test_two_that_wait_for_each_other_are_told_to_try_again(ledgers: list[Ledger]) -> None:
    """It cannot happen among our own; a person's session may lock in another order."""
    numbers = add(ledgers[0], deal(1), deal(2))
    met = threading.Barrier(2)

    def lock(one: Ledger, order: list[int]) -> str:
        try:
            with one._write() as connection:
                for turn, number in enumerate(order):
                    connection.execute(text("SELECT 1 FROM link WHERE id = :id FOR UPDATE"), {"id": number})
                    if turn == 0:
                        met.wait(10)
        except TemporaryError as error:
            return str(error)
        return ""

    told = at_once(lambda: lock(ledgers[0], numbers), lambda: lock(ledgers[1], numbers[::-1]))
    assert sorted(told) == [
        "",
        "The ledger's database let nobody through: two transactions waited for each other. It is tried again.",
    ]


@on_a_server
def test_a_paused_transaction_does_not_keep_others_out_for_ever(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a process under SIGSTOP, or of a machine that sleeps."""
    monkeypatch.setattr(server, "SESSION", {**server.SESSION, "idle_in_transaction_session_timeout": "300ms"})
    url = engine.url.render_as_string(False)
    paused, other = open_engine(url), open_engine(url)
    (number,) = add(Ledger(engine), deal(1))
    with paused.connect() as connection:
        connection.execute(text("SELECT 1 FROM link FOR UPDATE"))
        assert begin(Ledger(other), number).operation is not None
        connection.invalidate()
    paused.dispose()
    other.dispose()


@on_a_server
def test_rows_that_somebody_locks_for_too_long_are_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    (number,) = add(Ledger(engine), deal(1))
    monkeypatch.setattr(server, "SESSION", {**server.SESSION, "lock_timeout": "100ms"})
    other = open_engine(engine.url.render_as_string(False))
    with engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM link FOR UPDATE"))
        with pytest.raises(TemporaryError, match="somebody else holds the rows for too long"):
            begin(Ledger(other), number)
    assert Ledger(other).begin(Ledger(other).link(number), Begin("CreateOpportunity", {}), NOW).operation is not None
    other.dispose()


@on_a_server
def test_more_threads_than_connections_take_turns_and_give_up_with_a_sentence(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("KEPT", 1), ("EXTRA", 1), ("PATIENCE", 5.0)):
        monkeypatch.setattr(server, name, value)
    small = open_engine(engine.url.render_as_string(False))
    ledger = Ledger(small)
    numbers = add(ledger, *(deal(n) for n in range(THREADS)))
    at_once(*(lambda number=number: settle(ledger, number) for number in numbers))
    assert ledger.counts(*ACME) == {"Synced": THREADS}
    small.pool._timeout = 0.1
    with small.connect(), small.connect(), pytest.raises(TemporaryError, match="All 2 connections to the ledger"):
        ledger.counts(*ACME)
    small.dispose()
