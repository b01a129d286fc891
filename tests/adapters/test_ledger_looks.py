"""What waits, for many connections in one question."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_facts import ACME, NOW, add, deal
from sqlalchemy import update

from connector.adapters.ledger import Ledger, Waiting
from connector.adapters.ledger.looks import COLUMNS
from connector.adapters.ledger.rows import LINK

SECOND = timedelta(seconds=1)
OTHER = ("other", "AWS")


def waiting(ledger: Ledger, *keys: tuple[str, str], marks: tuple[str, ...] = ()) -> dict[str, Waiting]:
    return ledger.waiting(list(keys or (ACME,)), marks, NOW)


def calm(ledger: Ledger, **columns: object) -> None:
    """One link of ACME for which nothing is due but this."""
    add(ledger, deal(1))
    with ledger._write() as connection:
        connection.execute(update(LINK).values(dict.fromkeys(COLUMNS.values()) | columns))


def test_nobody_is_asked_about(ledger: Ledger) -> None:
    assert ledger.waiting([], (), NOW) == {}


def test_a_connection_without_anything_waits_for_nothing(ledger: Ledger) -> None:
    assert waiting(ledger, ACME, OTHER) == {name: Waiting(frozenset(), {}) for name, _ in (ACME, OTHER)}


@pytest.mark.parametrize("verb", COLUMNS)
def test_each_verb_has_its_links(ledger: Ledger, verb: str) -> None:
    calm(ledger, **{COLUMNS[verb]: NOW})
    assert waiting(ledger)["acme"].verbs == {verb}


@pytest.mark.parametrize("verb", COLUMNS)
def test_what_is_due_later_does_not_wait(ledger: Ledger, verb: str) -> None:
    calm(ledger, **{COLUMNS[verb]: NOW + SECOND})
    assert waiting(ledger)["acme"].verbs == frozenset()


def test_connections_and_catalogs_are_kept_apart(ledger: Ledger) -> None:
    add(ledger, deal(1))
    ledger.request("other", [deal(2)], NOW)
    assert {name: one.verbs for name, one in waiting(ledger, ACME, OTHER).items()} == {
        "acme": {"advance"},
        "other": {"requests"},
    }
    assert waiting(ledger, ("acme", "AWS"))["acme"].verbs == frozenset()


def test_watermarks_come_along_where_they_are_asked_for(ledger: Ledger) -> None:
    ledger.set_watermark("acme", "pull", 'it\'s "then"')
    ledger.set_watermark("acme", "other", "x")
    ledger.set_watermark("other", "pull", "never")
    assert waiting(ledger, marks=("pull", "absent"))["acme"].marks == {"pull": 'it\'s "then"'}


def test_many_are_asked_about_at_once(ledger: Ledger) -> None:
    keys = [(f"c{number}", "AWS") for number in range(1_500)]
    assert len(ledger.waiting(keys, ("pull",), NOW)) == 1_500
