"""Inbound fields in the whole circle over HTTPS: AWS's changes arrive, sellers' edits stay, nothing swings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.core import retry
from tests.world import ENVIRONMENT, INVITING, World, world

PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
FOLLOWING = """\
version: 1
inbound:
  NextStep: opportunity.LifeCycle.NextSteps
  CloseDate: opportunity.LifeCycle.TargetCloseDate
  StageName:
    from: opportunity.LifeCycle.Stage
    values: {Prospect: Prospecting, Qualified: Qualification, Technical Validation: Value Proposition,
      Business Validation: Proposal/Price Quote, Committed: Negotiation/Review}
    otherwise: Closed Won
  AWS_Cost_Center__c: aws.LifeCycle.NextSteps
"""


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "following.yaml").write_text(FOLLOWING, encoding="utf-8")
    with world(tmp_path, mapping=(INVITING[0], "following.yaml")) as made:
        made.write_config()
        yield made


def approved(world: World) -> tuple[str, str]:
    """A deal that AWS has approved, by both ids."""
    deal = world.opportunity(NextStep="Call", StageName="Needs Analysis")
    world.settle(deal)
    (found,) = world.at_aws(deal)
    world.sandbox.service.review(found["Id"], "Approved")
    world.settle(deal)
    return deal, str(found["Id"])


def in_days(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def both(world: World, deal: str) -> tuple[str, str]:
    """The next step in Salesforce, and at AWS."""
    (found,) = world.at_aws(deal)
    return str(world.record(deal)["NextStep"]), str(found["LifeCycle"].get("NextSteps"))


def test_a_field_follows_aws_and_a_later_edit_of_the_seller_goes_there(world: World) -> None:
    deal, opportunity = approved(world)
    assert world.record(deal)["StageName"] == "Needs Analysis", "AWS changed nothing: Qualified came from here"
    moved = {"LifeCycle.NextSteps": "Meet", "LifeCycle.Stage": "Committed", "LifeCycle.TargetCloseDate": in_days(200)}
    world.sandbox.service.edit_at_aws(opportunity, **moved)
    world.settle(deal)
    shown = world.record(deal)
    assert (shown["NextStep"], shown["StageName"]) == ("Meet", "Negotiation/Review")
    assert str(shown["CloseDate"]) == in_days(200)
    before = world.calls
    world.settle(deal)
    world.settle()
    assert world.calls[:2] == before[:2], "what came from AWS does not go back"
    world.edit(deal, NextStep="Sign")
    world.settle(deal)
    assert both(world, deal) == ("Sign", "Sign")
    world.sandbox.service.edit_at_aws(opportunity, **{"LifeCycle.NextSteps": "Celebrate"})
    world.settle(deal)
    assert both(world, deal) == ("Celebrate", "Celebrate")


def test_where_both_changed_salesforce_wins_what_it_owns(world: World) -> None:
    deal, opportunity = approved(world)
    world.sandbox.service.edit_at_aws(opportunity, **{"LifeCycle.NextSteps": "Theirs"})
    world.edit(deal, NextStep="Ours")
    world.settle(deal)
    world.settle(deal)
    assert both(world, deal) == ("Ours", "Ours")
    updates = [step for step in world.show(deal)["history"] if step["action"] == "UpdateOpportunity"]
    assert [step["overrules"] for step in updates] == [["LifeCycle.NextSteps"]]


def test_what_aws_alone_says_is_given_once_and_an_edit_of_it_stays(world: World) -> None:
    deal, opportunity = approved(world)
    world.sandbox.service.summarise(opportunity, LifeCycle={"NextSteps": "Introduce the migration program"})
    world.settle(deal)
    assert world.record(deal)["AWS_Cost_Center__c"] == "Introduce the migration program"
    world.edit(deal, AWS_Cost_Center__c="Done already")
    world.settle(deal)
    world.settle(deal)
    assert world.record(deal)["AWS_Cost_Center__c"] == "Done already"


EVENTS = st.lists(
    st.tuples(st.sampled_from(["seller", "aws", "settle", "settle"]), st.sampled_from(["Visit", "Call", "Sign", ""])),
    min_size=3,
    max_size=9,
)


@settings(max_examples=25 if PROVE else 2, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS)
def test_whoever_speaks_last_both_sides_agree_and_fall_silent(world: World, events: list[tuple[str, str]]) -> None:
    deal, opportunity = approved(world)
    last = ""
    for number, (who, text) in enumerate(events):
        words = f"{text} {number}" if text else None
        if who == "seller":
            world.edit(deal, NextStep=words)
        elif who == "aws" and words:
            world.sandbox.service.edit_at_aws(opportunity, **{"LifeCycle.NextSteps": words})
        else:
            world.settle(deal)
            continue
        last = who
    for _ in range(3):
        world.settle(deal)
    before = world.calls
    world.settle(deal)
    assert world.calls[:2] == before[:2], f"still writing after {events}"
    in_salesforce, at_aws = world.record(deal)["NextStep"], world.at_aws(deal)[0]["LifeCycle"].get("NextSteps")
    assert in_salesforce == at_aws, f"{last} spoke last of {events}"


def test_whom_aws_names_is_not_in_the_log_where_the_mapping_lacks_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    seller = "  NextStep: {from: 'aws.OpportunityTeam[AWSSalesRep].Name', values: {Ann Other: Ann}}\n"
    stage = "  AWS_Cost_Center__c: {from: aws.LifeCycle.Stage, values: {Qualified: Q}}\n"
    (tmp_path / "following.yaml").write_text(f"version: 1\ninbound:\n{seller}{stage}", encoding="utf-8")
    with world(tmp_path, mapping=(INVITING[0], "following.yaml")) as made:
        made.write_config()
        deal, opportunity = approved(made)
        team = [{"BusinessTitle": "AWSSalesRep", "FirstName": "Gesine", "LastName": "Geheimrat"}]
        made.sandbox.service.summarise(opportunity, OpportunityTeam=team, LifeCycle={"Stage": "Engaged"})
        made.settle(deal)
    told = {line.getMessage() for line in caplog.records if getattr(line, "event", "") == "inbound_failed"}
    assert len(told) == 2
    assert not [line for line in told if "Gesine" in line or "Geheimrat" in line]
    assert [line for line in told if "'Engaged' is not in the mapping's list" in line]
