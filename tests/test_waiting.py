"""``connector status`` and ``retry``: what waits for a person, by cause, and clearing it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from connector.adapters.ledger import LedgerLock
from connector.commands.retry import retry
from connector.commands.session import DONE, HELD
from connector.commands.status import status
from connector.errors import UserError
from connector.ports import Begin
from tests.world import World, quick_starts

Told = Callable[[], tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick_starts():
        yield


@pytest.fixture(name="told")
def told_fixture(world: World, capsys: pytest.CaptureFixture[str]) -> Told:
    """``status --json``: (exit code, the whole answer)."""

    def ask() -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = status(world.command_app(), as_json=True)
        return code, json.loads(capsys.readouterr().out)

    return ask


@pytest.fixture(name="text")
def text_fixture(world: World, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """``status`` as people see it, in one line."""

    def ask() -> str:
        capsys.readouterr()
        status(world.command_app(), as_json=False)
        return " ".join(capsys.readouterr().out.split())

    return ask


def of_sandbox(answer: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = answer[1]["connections"]["sandbox"]
    return found


def test_without_a_ledger_it_says_who_makes_one(world: World) -> None:
    world.without_ledger()
    with pytest.raises(UserError, match="There is no ledger yet"):
        status(world.command_app(), as_json=False)


def test_nothing_yet(world: World, told: Told, text: Callable[[], str]) -> None:
    world.app()
    code, answer = told()
    assert (code, answer["daemon"]) == (DONE, False)
    part = of_sandbox((code, answer))
    assert (part["links"], part["causes"], part["held"], part["last_pull"]) == ({}, [], [], None)
    assert "no records yet. Last pull never, last observed never." in text()


def test_what_holds_records_is_told_by_cause_with_counts_and_age(
    world: World, told: Told, text: Callable[[], str]
) -> None:
    world.opportunity()
    both = world.opportunity(AWS_Customer_Use_Case__c=None, Type="Odd")
    others = [world.opportunity(AWS_Customer_Use_Case__c=None) for _ in range(2)]
    kind = world.opportunity(Type="Odder")
    world.settle()
    code, _ = answer = told()
    assert code == HELD
    first, second = of_sandbox(answer)["causes"]
    assert (first["salesforce_field"], first["count"], first["message"]) == (
        "AWS_Customer_Use_Case__c",
        3,
        "The use case is missing.",
    )
    assert [one["salesforce_id"] for one in first["records"]] == [both, *others]
    assert first["cure"]
    assert first["since"].endswith("Z")
    assert (second["salesforce_field"], second["count"], second["other_messages"]) == ("Type", 2, 1)
    assert [one["salesforce_id"] for one in second["records"]] == [both, kind]
    people = text()
    assert "4 held, by cause" in people
    assert "3 " in people
    assert "The use case is missing." in people
    assert "(1 more like it.)" in people
    assert people.count("is not in the mapping's list of values") == 1


def test_what_salesforce_refuses_to_show_waits_for_a_person_too(
    world: World, told: Told, text: Callable[[], str]
) -> None:
    deals = [world.opportunity(), world.opportunity()]
    for deal in deals:
        world.sandbox.org.protect_row(deal)
    world.settle()
    (refused,) = of_sandbox(told())["write_back"]
    assert refused["count"] == 2
    assert refused["salesforce_id"] == deals[0]
    assert "INSUFFICIENT_ACCESS_OR_READONLY" in refused["error"]
    assert refused["cure"]
    assert f"2 records are not shown in Salesforce as they stand, such as {deals[0]}" in text()


def test_a_write_under_way_and_who_works_on_it_are_told(world: World, told: Told, text: Callable[[], str]) -> None:
    deal = world.opportunity(AWS_Customer_Use_Case__c=None)
    context = world.settle(deal)
    link = context.ledger.find(*context.key, deal)
    assert link is not None
    link = context.ledger.begin(link, Begin("CreateOpportunity", {"ClientToken": "t"}, "t"), context.now)
    context.ledger.postpone(link, "AWS did not answer.", True, context.now + timedelta(minutes=5), context.now)
    (operation,) = of_sandbox(told())["under_way"]
    assert (operation["action"], operation["salesforce_id"], operation["error"]) == (
        "CreateOpportunity",
        deal,
        "AWS did not answer.",
    )
    people = text()
    assert f"Under way: CreateOpportunity of {deal} for" in people
    assert "Nothing runs now, so what is pending stays so" in people
    with LedgerLock(world.app().engine):
        assert told()[1]["daemon"] is True
        assert "The ledger is owned by a running process" in text()


def test_every_connection_is_told_for_itself(world: World, told: Told) -> None:
    first = world.config.read_text(encoding="utf-8")
    second = first[first.index("  sandbox:") :].replace("  sandbox:", "  second:", 1)
    world.opportunity(AWS_Customer_Use_Case__c=None)
    world.settle()
    world.config.write_text(first + second, encoding="utf-8")
    _, answer = told()
    assert [len(part["causes"]) for part in answer["connections"].values()] == [1, 0]


# retry


def cleared(world: World, capsys: pytest.CaptureFixture[str], *ids: str, held: bool = False) -> str:
    capsys.readouterr()
    assert retry(world.command_app(), ids, held=held) == DONE
    return " ".join(capsys.readouterr().out.split())


def test_retry_takes_every_spelling_of_an_id(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    deal, held = world.opportunity(), world.opportunity(AWS_Customer_Use_Case__c=None)
    world.settle()
    number = world.at_aws(deal)[0]["Id"]
    assert cleared(world, capsys, held[:15]).startswith("1 record is read and looked at again.")
    told = cleared(world, capsys, number)
    assert f"{deal} (Deal 0) was not held (Synced: Submitted to AWS" in told
    assert "1 record is read and looked at again." in told
    world.settle()
    assert cleared(world, capsys, held=True).startswith("1 record is read and looked at again.")
    world.edit(held, AWS_Customer_Use_Case__c="Migration / Database Migration")
    world.settle()
    assert cleared(world, capsys, held=True) == "No record is held."


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("006000000000099AAA", "006000000000099AAA is not known to the ledger; nothing was cleared"),
        ("006000000000001AAB", "a character is wrong, or its case was changed"),
        ("task-0000000000000", "is not a Salesforce id"),
        ("nonsense", "is not a Salesforce id"),
    ],
)
def test_an_unknown_id_clears_nothing_at_all(world: World, identifier: str, words: str) -> None:
    held = world.opportunity(AWS_Customer_Use_Case__c=None)
    world.settle()
    with pytest.raises(UserError, match=words):
        retry(world.command_app(), (held, identifier), held=False)
    assert world.show(held)["sync"]["status"] == "Held"
