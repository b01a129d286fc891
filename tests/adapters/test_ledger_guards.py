"""What the guards ask the ledger, on every database it can be kept in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_facts import ACME, DEAL, HOUR, MAPPED, NOW, PROBLEM, add, begin, change, deal, due, rest, settle

from connector.adapters.ledger import Ledger
from connector.core.model import Refusal
from connector.ports import Rest

REFUSAL = Refusal("CreateOpportunity", "f" * 32, "No.")
FLAWED = replace(MAPPED, problems=(PROBLEM,))


def test_creates_that_wait_are_counted_and_nothing_else(ledger: Ledger) -> None:
    now, later, settled, at_aws, elsewhere, gone, begun = add(ledger, *map(deal, range(1, 8)))
    add(ledger, deal(8), mapped=FLAWED)
    add(ledger, deal(1), key=("other", "Sandbox"))
    (refused,) = add(ledger, deal(9))
    settle(ledger, later, "Pending", NOW + 10 * HOUR)
    settle(ledger, settled)
    change(ledger, at_aws, opportunity_id="O1")
    change(ledger, elsewhere, candidate_id="O2")
    change(ledger, refused, refusal=REFUSAL)
    ledger.set_presence(*ACME, {deal(6): "unflagged"}, NOW)
    begin(ledger, begun)
    assert {now, gone} <= set(due(ledger))
    assert ledger.creates_waiting(*ACME, []) == 2
    assert ledger.creates_waiting(*ACME, [deal(1), deal(77)]) == 1


def test_those_in_doubt_are_handed_out_page_by_page(ledger: Ledger) -> None:
    _, refused, _ = add(ledger, deal(1), deal(2), deal(3))
    add(ledger, deal(4), mapped=FLAWED)
    (held,) = add(ledger, deal(5), mapped=FLAWED)
    settle(ledger, held, "Held")
    change(ledger, refused, refusal=REFUSAL)
    found = ledger.creates_in_doubt(*ACME, [deal(3), deal(5)], "", 2)
    assert found == [(deal(2), MAPPED, REFUSAL), (deal(3), MAPPED, None)]
    assert ledger.creates_in_doubt(*ACME, [deal(3)], deal(3), 2) == [(deal(4), FLAWED, None)]
    assert ledger.creates_in_doubt(*ACME, [deal(3)], deal(4), 2) == []


def test_creates_of_the_day_are_counted_but_for_what_was_released(ledger: Ledger) -> None:
    numbers = add(ledger, deal(1), deal(2), deal(3))
    for number in numbers:
        begin(ledger, number, now=NOW)
    assert ledger.creates_besides("acme", NOW, []) == 3
    assert ledger.creates_besides("acme", NOW, [deal(2), deal(9)]) == 2
    assert ledger.creates_besides("acme", NOW + HOUR, []) == 0
    assert ledger.creates_besides("other", NOW, []) == 0


def test_a_release_is_noted_and_wakes_just_its_records(ledger: Ledger) -> None:
    one, other, held = add(ledger, deal(1), deal(2), deal(3))
    for number in (one, other):
        settle(ledger, number, "Pending", NOW + HOUR)
    settle(ledger, held, "Held")
    ledger.release(*ACME, [deal(1), deal(3)], "what was released", NOW)
    assert due(ledger) == [one]
    assert ledger.watermark("acme", "release") == "what was released"
    assert ledger.watermark("acme", "released_at") == NOW.isoformat()
    ledger.release(*ACME, [], "something else", NOW + HOUR / 2)
    assert ledger.watermark("acme", "release") == "something else"
    ledger.wake_waiting(*ACME, NOW)
    assert due(ledger) == [one, other]


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_rest_planned_before_a_release_is_void(ledger: Ledger, by_hand: bool) -> None:
    """Whoever saw the limit just before it was lifted would else let the record wait for an hour."""
    (number,) = add(ledger, DEAL)
    planned = ledger.link(number)
    if by_hand:
        ledger.release(*ACME, [DEAL], "what was released", NOW)
    else:
        ledger.wake_waiting(*ACME, NOW)
    ledger.rest([(planned, Rest("Pending", "The limit is 2.", NOW + HOUR))], NOW)
    assert due(ledger) == [number]


def test_linked_records_are_those_with_an_opportunity_that_are_flagged(ledger: Ledger) -> None:
    linked, _, gone = add(ledger, deal(1), deal(2), deal(3))
    for number, opportunity in ((linked, "O1"), (gone, "O3")):
        change(ledger, number, opportunity_id=opportunity)
    ledger.set_presence(*ACME, {deal(3): "deleted"}, NOW)
    assert ledger.linked(*ACME, [deal(1), deal(2), deal(3), deal(4)]) == {deal(1): MAPPED}
    assert [ledger.has_linked(*ACME, count) for count in (1, 2, 3)] == [True, True, False]


def test_the_catalogs_of_a_connection_are_those_of_its_links(ledger: Ledger) -> None:
    assert ledger.catalogs("acme") == []
    add(ledger, DEAL)
    add(ledger, DEAL, key=("other", "AWS"))
    assert (ledger.catalogs("acme"), ledger.catalogs("other")) == (["Sandbox"], ["AWS"])


def test_what_waits_for_time_is_woken_with_its_message_kept(ledger: Ledger) -> None:
    (number,) = add(ledger, DEAL)
    rest(ledger, number, "Pending", "The limit is 2.", NOW + HOUR)
    ledger.wake_waiting(*ACME, NOW)
    assert ledger.rest_of(number) == ("Pending", "The limit is 2.", NOW)
