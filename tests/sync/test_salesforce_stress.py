"""Salesforce under stress, over real HTTP: nothing is doubled, nothing is lost, and one record harms no other."""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connector import config as configuration
from connector.adapters import salesforce_auth
from connector.adapters.salesforce import SalesforceClient
from connector.app import App
from connector.commands.choice import Choice
from connector.commands.plan import plans_of
from connector.commands.retry import retry as retry_records
from connector.core import retry
from connector.core.model import Link
from connector.core.transforms import Transform
from connector.errors import (
    AccessDenied,
    ConnectorError,
    Halt,
    LoginFailed,
    QuotaExhausted,
    TemporaryError,
    UnsafePlan,
)
from connector.resources import packaged
from connector.sandbox.salesforce.faults import Fault, RowError
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.rules import ValidationRule
from connector.settings import salesforce_settings
from connector.sync import Context, advance, guards, pull, pull_ids, releases, sweep_is_due, write_back
from connector.sync.settle import settle
from tests import databases
from tests.world import ENVIRONMENT, World, world

ONCE = {"CreateOpportunity": 1, "AssociateOpportunity": 1, "StartEngagementFromOpportunityTask": 1}
HOUR = timedelta(hours=1)
SHORT = "too short"
LONG = "Their data centre closes next year and all of it has to move."
PULL = importlib.import_module("connector.sync.pull")
WRITE_BACK = importlib.import_module("connector.sync.write_back")


def code(name: str, message: str = "") -> str:
    return json.dumps([{"errorCode": name, "message": message}])


FAULTS: dict[str, dict[str, Any]] = {
    "reset": {"do": "reset"},
    "silence": {"do": "hang", "seconds": 5.0},
    "truncated": {"do": "truncate"},
    "busy": {"do": "status", "status": 503},
    "broken": {"do": "status", "status": 500, "body": code("UNKNOWN_EXCEPTION", "ErrorId 1234")},
    "page": {"do": "html", "status": 200},
    "gateway": {"do": "html", "status": 503},
    "edge": {"do": "html", "status": 420},
    "limit": {"do": "throttle"},
    "crowd": {
        "do": "status",
        "status": 403,
        "body": code("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
    },
    "expired": {"do": "status", "status": 401, "body": code("INVALID_SESSION_ID", "Session expired or invalid")},
}


@dataclass
class Stage:
    """A world with one application in it, as one process has it."""

    world: World
    app: App
    bad: list[str] = field(default_factory=list)
    """Records that were made to break the calls that they are in."""

    @property
    def context(self) -> Context:
        return self.app.contexts["sandbox"]

    @property
    def org(self) -> Org:
        return self.world.sandbox.org

    @property
    def client(self) -> SalesforceClient:
        client = self.context.salesforce
        assert isinstance(client, SalesforceClient)
        return client

    def link(self, deal: str) -> Link:
        link = self.context.ledger.find(*self.context.key, deal)
        assert link is not None
        return link

    def shown(self, deal: str) -> str:
        return str(self.world.record(deal)["AWS_Sync_Status__c"])

    def writes(self) -> int:
        """How often rows were sent to Salesforce so far."""
        return self.client.usage().by_label.get("write", 0)

    def restart(self) -> Stage:
        return Stage(self.world, self.world.app())

    def look(self) -> None:
        """What the daemon does once for Salesforce: read, decide, show."""
        pull(self.context)
        advance(self.context)
        write_back(self.context)


def shorten_pages(patch: pytest.MonkeyPatch) -> None:
    """An answer has no room for more than two records."""
    patch.setattr("connector.sandbox.salesforce.resources.queries.PAGE", 2)
    patch.setattr("connector.sandbox.salesforce.query.MIN_PAGE", 2)


def survive(verb: Callable[[], object]) -> list[ConnectorError]:
    """Call a verb until it comes through, as the daemon does; gives what it raised before."""
    told: list[ConnectorError] = []
    for _ in range(8):
        try:
            verb()
        except (TemporaryError, Halt) as error:
            told.append(error)
        else:
            return told
    raise AssertionError(f"it never came through: {told[-1]}")


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Nobody waits here for what only time brings."""
    patch.setattr(retry, "FIRST_DELAY", 0.05)
    patch.setattr(salesforce_auth, "LOGIN_SPACING_SECONDS", 0.0)
    patch.setattr(salesforce_auth, "REJECTION_SECONDS", 0.0)


class Stepped:
    """The machine's clock, moved by hand."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with world(tmp_path_factory.mktemp("stress")) as made:
            text = made.config.read_text(encoding="utf-8")
            made.config.write_text(text.replace("      auth:", "      timeout: 2s\n      auth:"), encoding="utf-8")
            yield Stage(made, made.app())


@pytest.fixture
def stage(served: Stage) -> Iterator[Stage]:
    """The one world of this module, with three held records in it and nothing of the test before."""
    for _ in range(3):
        served.world.opportunity(AWS_Business_Problem__c=SHORT)
    yield served
    org = served.org
    served.world.sandbox.faults.clear()
    org.rules.validation.clear()
    org.rules.whole_call.clear()
    org.rules._row_faults.clear()
    org.writes.triggers.clear()
    for name in [entry.field for entry in served.context.mapping.write_back]:
        org.grant_field("Opportunity", name)
    served.client._described.clear()
    tidy(served, [row["Id"] for row in org.records("Opportunity")])
    served.context.ledger.set_watermark("sandbox", "pull", "")


@pytest.fixture
def org_clock(stage: Stage) -> Iterator[Stepped]:
    """Salesforce's own clock, to be moved."""
    clock = Stepped()
    before, stage.org.clock = stage.org.clock, clock.now
    yield clock
    stage.org.clock = before


# Every call that is made × everything that happens to one.


@dataclass(frozen=True)
class Call:
    """A call of the connector: its label at the sandbox, which of those it is, and the verb that makes it."""

    label: str
    verb: Callable[[Stage, str], object]
    prepare: Callable[[Stage, str], object] = lambda stage, deal: None
    skip: int = 0
    pages: bool = False


def plan(stage: Stage, deal: str) -> None:
    """Something is due to be shown."""
    stage.world.edit(deal, AWS_Sync_Status__c="Stopped")
    pull(stage.context)
    advance(stage.context)


def spoil(stage: Stage, deal: str) -> None:
    """One of the rows that are due cannot be read by Salesforce, and the whole call is refused for it."""
    bad = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    stage.org.rules.whole_call["NUMBER_OUTSIDE_VALID_RANGE"] = 400
    stage.org.rules.fail_row(bad, Fault("NUMBER_OUTSIDE_VALID_RANGE", "value outside of valid range"), 99)
    stage.bad.append(bad)
    plan(stage, deal)


def tidy(stage: Stage, gone: list[str]) -> None:
    """Take these records away for good, and have the ledger know of it, so that no later test meets them."""
    for record in gone:
        stage.org.delete("Opportunity", record)
        stage.org.purge(record)
    survive(lambda: pull(stage.context, sweep=True))
    survive(lambda: advance(stage.context))
    survive(lambda: write_back(stage.context))


def forget(stage: Stage, deal: str) -> None:
    stage.client._described.clear()


def refuse_deleted(stage: Stage, deal: str) -> None:
    """The org takes no query for deleted rows within a composite call."""
    stage.client._queries._groups_deleted = False


CALLS = {
    "token": Call("token", lambda stage, _: pull(stage.context), lambda stage, _: stage.org.revoke_tokens()),
    "identify": Call("composite", lambda stage, _: stage.context.salesforce.identify()),
    "describe": Call("describe", lambda stage, _: pull(stage.context), forget),
    "changes": Call("composite", lambda stage, _: pull(stage.context)),
    "following page": Call("query", lambda stage, _: pull(stage.context), pages=True),
    "deleted rows": Call("queryAll", lambda stage, _: pull(stage.context), refuse_deleted),
    "fetch": Call("composite", lambda stage, deal: pull_ids(stage.context, [deal])),
    "states": Call("composite", lambda stage, deal: pull_ids(stage.context, [deal, UNFLAGGED]), skip=1),
    "write": Call("collections", lambda stage, _: write_back(stage.context), plan),
    "write apart": Call("composite", lambda stage, _: write_back(stage.context), spoil),
}
UNFLAGGED = "006000000000999AAA"


@pytest.fixture(scope="module", name="linked")
def _linked(served: Stage) -> str:
    """A deal that AWS has."""
    for _ in range(3):
        served.world.opportunity(AWS_Business_Problem__c=SHORT)
    deal = served.world.opportunity()
    settle(served.context, None)
    assert served.world.effects(deal) == ONCE
    return deal


ALIKE = ("busy", "gateway", "edge", "crowd")
"""Told apart by their status or code alone, which is the same for every call of a kind."""


@pytest.mark.parametrize(
    ("name", "fault"),
    [(n, f) for n in CALLS for f in FAULTS if f not in ALIKE or n in {"token", "changes", "write"}],
)
def test_every_call_survives_every_fault(
    served: Stage,
    linked: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
    name: str,
    fault: str,
) -> None:
    """Struck before the service saw it, and again after it was carried out."""
    record_property("figures", json.dumps({"fault": fault, "operation": f"Salesforce: {name}", "strikes": 2}))
    if CALLS[name].pages:
        shorten_pages(monkeypatch)
    monkeypatch.setattr(served.client._queries, "_groups_deleted", True)
    call, faults, told = CALLS[name], served.world.sandbox.faults, list[ConnectorError]()
    before, writes = faults.fired, served.world.sandbox.service.writes
    for at in ("before", "after"):
        step = f"{name} {fault} {at} {before}"
        served.world.edit(linked, NextStep=step)
        call.prepare(served, linked)
        faults.add(on=call.label, at=at, skip=call.skip, **FAULTS[fault])
        told += survive(lambda: call.verb(served, linked))
    survive(served.look)
    mapped = served.link(linked).mapped
    assert mapped is not None
    assert mapped.opportunity["LifeCycle"]["NextSteps"] == step
    assert served.shown(linked) == "Pending"
    served.org.rules.whole_call.clear()
    assert faults.fired == before + 2
    assert not any(served.world.sandbox.url in str(error) or "00D" in str(error) for error in told)
    assert served.world.effects(linked) == ONCE
    assert served.world.sandbox.service.writes == writes
    if served.bad:
        served.org.rules._row_faults.clear()
        tidy(served, served.bad)
        served.bad.clear()


@pytest.mark.parametrize("name", ["token", "describe", "changes", "write"])
def test_a_record_whose_every_call_is_struck_is_submitted_once(stage: Stage, name: str) -> None:
    deal = stage.world.opportunity()
    stage.org.revoke_tokens()
    forget(stage, deal)
    for fault in ("reset", "broken", "page"):
        stage.world.sandbox.faults.add(on=CALLS[name].label, at="after", **FAULTS[fault])
    survive(lambda: settle(stage.context, None, patience=timedelta(seconds=5)))
    assert stage.world.effects(deal) == ONCE
    assert stage.shown(deal) == "Synced"


# Sessions and the token endpoint.


def test_a_session_that_ends_between_two_pages_is_renewed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = [stage.world.opportunity(AWS_Business_Problem__c=SHORT) for _ in range(5)]
    shorten_pages(monkeypatch)
    keep, logins = PULL.store, stage.org.sessions.issued

    def store_and_end(context: Context, page: list[dict[str, Any]]) -> int:
        stage.org.revoke_tokens()
        return int(keep(context, page))

    monkeypatch.setattr(PULL, "store", store_and_end)
    pull(stage.context)
    assert all(stage.link(deal).mapped for deal in deals)
    assert stage.org.sessions.issued >= logins + 2


def due_rows(stage: Stage, monkeypatch: pytest.MonkeyPatch, count: int, batch: int) -> tuple[list[str], list[str]]:
    """Records whose state is due to be shown, and a list of every update of one, to be filled."""
    deals = [stage.world.opportunity(AWS_Business_Problem__c=SHORT) for _ in range(count)]
    pull(stage.context)
    advance(stage.context)
    monkeypatch.setattr(WRITE_BACK, "BATCH", batch)
    updated: list[str] = []
    stage.org.writes.triggers.append(lambda _name, _old, new: updated.append(new["Id"]))
    return deals, updated


def end_session_once(stage: Stage) -> None:
    """The session ends in the middle of the next batch."""
    ended: list[bool] = []

    def end(_name: str, _old: object, _new: object) -> None:
        if not ended:
            ended.append(True)
            stage.org.revoke_tokens()

    stage.org.writes.triggers.append(end)


def test_a_session_that_ends_between_two_batches_is_renewed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    deals, updated = due_rows(stage, monkeypatch, 6, 3)
    end_session_once(stage)
    assert write_back(stage.context) == 9, "three were there before"
    assert {stage.shown(deal) for deal in deals} == {"Held"}
    assert len(updated) == len(set(updated)) == 9


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"do": "status", "status": 503}, TemporaryError),
        ({"do": "html", "status": 503}, TemporaryError),
        ({"do": "html", "status": 200}, TemporaryError),
        ({"do": "reset"}, TemporaryError),
        (
            {
                "do": "status",
                "status": 400,
                "body": '{"error": "invalid_grant", "error_description": "user is locked"}',
            },
            LoginFailed,
        ),
    ],
)
def test_a_login_that_fails_in_mid_batch_loses_and_repeats_no_row(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], kind: type[ConnectorError]
) -> None:
    deals, updated = due_rows(stage, monkeypatch, 6, 3)
    end_session_once(stage)
    stage.world.sandbox.faults.add(on="token", **fault)
    with pytest.raises(kind):
        write_back(stage.context)
    assert len(updated) == 3
    assert write_back(stage.context) == 6
    assert {stage.shown(deal) for deal in deals} == {"Held"}
    assert len(updated) == len(set(updated)) == 9


def test_the_orgs_exhausted_calls_are_told_and_work_goes_on_when_some_come_back(stage: Stage) -> None:
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    stage.org.usage.limit, limit = 0, stage.org.usage.limit
    for verb in (pull, lambda context: pull_ids(context, [deal])):
        with pytest.raises(QuotaExhausted, match="used up its daily"):
            verb(stage.context)
    stage.org.usage.limit = limit
    stage.look()
    assert stage.shown(deal) == "Held"


# One row's trouble.


def test_a_locked_row_is_tried_again_ever_more_rarely_and_the_others_are_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Stepped()
    monkeypatch.setattr(stage.context, "clock", clock)
    deals = [stage.world.opportunity(AWS_Business_Problem__c=SHORT) for _ in range(3)]
    stage.org.rules.lock_row(deals[1], 999)
    stage.look()
    assert [stage.shown(deal) for deal in deals] == ["Held", "None", "Held"]
    assert "UNABLE_TO_LOCK_ROW" in stage.link(deals[1]).write_back_error
    tried: list[float] = []
    for second in range(0, 3 * 3600, 20):
        clock.sleep(20)
        before = stage.writes()
        write_back(stage.context)
        tried += [second] * (stage.writes() - before)
    pauses = [later - sooner for sooner, later in pairwise(tried)]
    assert 12 <= len(tried) <= 24
    assert pauses[0] <= 60
    assert max(pauses) <= 940
    assert pauses[-1] >= 880
    stage.org.rules._row_faults.clear()
    clock.sleep(900)
    write_back(stage.context)
    assert stage.shown(deals[1]) == "Held"
    assert stage.link(deals[1]).write_back_error == ""


def obstruct(stage: Stage, how: str, deal: str) -> None:
    """Until somebody fills in the lead source, which the connector neither reads nor writes."""
    message = "Say where this came from first."
    if how == "validation rule":
        broken = lambda row: row["Id"] == deal and not row.get("LeadSource")  # noqa: E731
        stage.org.rules.validation.append(ValidationRule("Opportunity", broken, message))
        return

    def trigger(_name: str, _old: object, new: Any) -> None:
        if new["Id"] == deal and not new.get("LeadSource"):
            raise RowError(Fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"PartnerTrigger: {message}"))

    stage.org.writes.triggers.append(trigger)


@pytest.mark.parametrize("how", ["validation rule", "trigger"])
def test_a_refused_row_is_parked_until_the_record_changes(stage: Stage, org_clock: Stepped, how: str) -> None:
    deals = [stage.world.opportunity(AWS_Business_Problem__c=SHORT) for _ in range(3)]
    obstruct(stage, how, deals[1])
    org_clock.sleep(60)
    stage.look()
    assert [stage.shown(deal) for deal in deals] == ["Held", "None", "Held"]
    assert "Say where this came from" in stage.link(deals[1]).write_back_error
    writes = stage.writes()
    for _ in range(3):
        org_clock.sleep(60)
        stage.look()
    pull(stage.context, sweep=True)
    stage.look()
    assert stage.writes() == writes, "nothing that is parked is sent again"
    stage.world.edit(deals[1], LeadSource="Web")
    stage.look()
    assert stage.shown(deals[1]) == "Held"
    assert stage.link(deals[1]).write_back_error == ""
    assert stage.writes() == writes + 1


def test_a_refused_row_is_tried_again_when_a_person_says_so(stage: Stage) -> None:
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    obstruct(stage, "validation rule", deal)
    stage.look()
    writes = stage.writes()
    retry_records(stage.app, [deal], held=False)
    stage.look()
    assert stage.writes() == writes + 1
    assert stage.shown(deal) == "None"
    stage.org.rules.validation.clear()
    retry_records(stage.app, [deal], held=False)
    stage.look()
    assert stage.shown(deal) == "Held"


def test_a_refused_row_is_among_those_that_retry_held_clears(stage: Stage, org_clock: Stepped) -> None:
    deal = stage.world.opportunity()
    obstruct(stage, "validation rule", deal)
    org_clock.sleep(60)
    survive(lambda: settle(stage.context, None))
    assert stage.world.effects(deal) == ONCE
    assert "Say where this came from" in stage.link(deal).write_back_error
    assert stage.context.ledger.rest_of(stage.link(deal).id)[0] == "Synced"
    stage.org.rules.validation.clear()
    retry_records(stage.app, [], held=True)
    stage.look()
    assert stage.shown(deal) == "Synced"


def test_records_edited_without_news_are_asked_for_together(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, org_clock: Stepped
) -> None:
    deals = [stage.world.opportunity(AWS_Business_Problem__c=SHORT) for _ in range(5)]
    org_clock.sleep(60)
    stage.look()
    asked: list[str] = []
    for name in ("find", "refused_write_backs"):
        ask = getattr(stage.context.ledger, name)
        monkeypatch.setattr(stage.context.ledger, name, lambda *a, name=name, ask=ask: (asked.append(name), ask(*a))[1])
    for deal in deals:
        stage.world.edit(deal, LeadSource="Web")
    pull(stage.context)
    assert asked == ["refused_write_backs"]


def test_a_barred_field_costs_no_write_at_an_edit(stage: Stage) -> None:
    stage.org.protect_field("Opportunity", "AWS_Sync_Message__c")
    forget(stage, "")
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    stage.look()
    stage.look()
    assert stage.shown(deal) == "Held"
    lacks = stage.link(deal).write_back_error
    assert lacks.startswith("Shown without AWS_Sync_Message__c (hidden")
    writes = stage.writes()
    for step in ("Call", "Write", "Wait"):
        stage.world.edit(deal, NextStep=step)
        stage.look()
    assert stage.writes() == writes
    assert stage.link(deal).write_back_error == lacks


@pytest.mark.parametrize("how", ["plan", "choice", "mapping"])
def test_a_hidden_field_that_is_only_shown_halts_no_command(stage: Stage, how: str) -> None:
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    stage.look()
    stage.org.hide_field("Opportunity", "AWS_Sync_Message__c")
    told = stage.context.ledger.watermark("sandbox", "barred_fields")
    if how == "plan":
        for ids in (None, [deal]):
            found = {entry["salesforce_id"]: entry["status"] for entry in plans_of(stage.app, stage.context, ids)}
            assert found[deal] == "Held"
    elif how == "choice":
        assert deal in (Choice((), False, "2020-01-01", None).ids_in(stage.context) or [])
    else:
        limits = replace(stage.context.limits, mapping_change_min_links=0)
        edited = replace(stage.context, mapping_digest="another", limits=limits, guards=guards.Memory())
        edited.ledger.set_watermark("sandbox", guards.MAPPING_GUARD, "")
        guards.require_mapping(edited)
        return
    assert stage.context.ledger.watermark("sandbox", "barred_fields") == told, "a command that looks notes nothing"


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("how", ["hidden", "read-only"])
def test_a_field_that_cannot_be_written_costs_only_itself_and_is_told_once(
    stage: Stage, caplog: pytest.LogCaptureFixture, how: str, known: bool, whole: bool
) -> None:
    """``known``: describe has been read since; ``whole``: Salesforce refuses the call instead of each row."""
    change = stage.org.hide_field if how == "hidden" else stage.org.protect_field
    if whole:
        refusal = "INVALID_FIELD" if how == "hidden" else "INVALID_FIELD_FOR_INSERT_UPDATE"
        stage.org.rules.whole_call[refusal] = 400
    deals = [stage.world.opportunity(AWS_Business_Problem__c=SHORT) for _ in range(3)]
    pull(stage.context)
    advance(stage.context)
    change("Opportunity", "AWS_Sync_Message__c")
    if known:
        forget(stage, deals[0])
    caplog.clear()
    write_back(stage.context)
    assert {stage.shown(deal) for deal in deals} == {"Held"}
    assert all("AWS_Sync_Message__c" in stage.link(deal).write_back_error for deal in deals)
    for _ in range(3):
        stage.world.edit(deals[0], NextStep="Call")
        stage.look()
    lines = [record for record in caplog.records if "AWS_Sync_Message__c" in record.getMessage()]
    assert [line.__dict__["event"] for line in lines if line.levelno == logging.ERROR] == ["fields_barred"]
    assert len(lines) <= 2, "once as it happens, once for good"
    writes = stage.writes()
    for _ in range(3):
        stage.look()
    assert stage.writes() == writes
    stage.org.grant_field("Opportunity", "AWS_Sync_Message__c")
    forget(stage, deals[0])  # an hour later
    stage.look()
    assert sweep_is_due(stage.context, HOUR)
    pull(stage.context, sweep=True)
    stage.look()
    assert all(stage.world.record(deal)["AWS_Sync_Message__c"] for deal in deals)
    assert not any(stage.link(deal).write_back_error for deal in deals)


def test_one_value_that_a_field_does_not_take_leaves_the_others_of_its_row(stage: Stage) -> None:
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    refusal = Fault("STRING_TOO_LONG", "Message: data value too large (max length=10)", ("AWS_Sync_Message__c",))
    stage.org.rules.fail_row(deal, refusal)
    stage.look()
    assert stage.shown(deal) == "Held"
    assert stage.world.record(deal)["AWS_Sync_Message__c"] is None
    assert "STRING_TOO_LONG" in stage.link(deal).write_back_error
    writes = stage.writes()
    for _ in range(3):
        stage.look()
    assert stage.writes() == writes


def test_a_value_salesforce_cannot_read_stops_its_own_row_only(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    deals, _ = due_rows(stage, monkeypatch, 30, 200)
    stage.org.rules.whole_call["NUMBER_OUTSIDE_VALID_RANGE"] = 400
    refusal = Fault("NUMBER_OUTSIDE_VALID_RANGE", "value outside of valid range on numeric field: 1E99")
    stage.org.rules.fail_row(deals[20], refusal, 9)
    writes = stage.writes()
    assert write_back(stage.context) == 32
    assert stage.writes() - writes <= 1 + 2
    assert {stage.shown(deal) for deal in deals if deal != deals[20]} == {"Held"}
    assert stage.link(deals[20]).write_back_error.startswith("NUMBER_OUTSIDE_VALID_RANGE")
    write_back(stage.context)
    assert stage.writes() - writes <= 1 + 2, "parked"


def test_a_row_that_breaks_every_call_it_is_in_is_found_and_left_aside(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Stepped()
    monkeypatch.setattr(stage.context, "clock", clock)
    deals, _ = due_rows(stage, monkeypatch, 30, 200)
    stage.org.rules.whole_call["UNKNOWN_EXCEPTION"] = 500
    stage.org.rules.fail_row(deals[20], Fault("UNKNOWN_EXCEPTION", "ErrorId 42"), 99)
    writes = stage.writes()
    assert write_back(stage.context) == 32
    assert stage.writes() - writes <= 1 + 10 + 4
    assert {stage.shown(deal) for deal in deals if deal != deals[20]} == {"Held"}
    assert stage.link(deals[20]).write_back_error.startswith("NO_ANSWER")
    writes = stage.writes()
    others = [stage.world.opportunity(AWS_Business_Problem__c=SHORT) for _ in range(3)]
    clock.sleep(30)
    stage.look()
    assert {stage.shown(deal) for deal in others} == {"Held"}
    assert stage.writes() - writes == 2, "alone, beside the batch"
    stage.org.rules._row_faults.clear()
    clock.sleep(900)
    write_back(stage.context)
    assert stage.shown(deals[20]) == "Held"


def test_an_outage_is_not_taken_for_bad_rows(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    deals, _ = due_rows(stage, monkeypatch, 30, 200)
    outage = stage.world.sandbox.faults.add(on="collections", do="html", status=503, times=None)
    with pytest.raises(TemporaryError):
        write_back(stage.context)
    assert outage.fired <= 4
    assert not any(stage.link(deal).write_back_error for deal in deals)
    stage.world.sandbox.faults.clear()
    assert write_back(stage.context) == 33


# What the mapping reads.


def test_a_hidden_field_of_the_mapping_halts_and_is_named_with_its_line(stage: Stage) -> None:
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    before = stage.context.ledger.watermark("sandbox", "pull")
    stage.org.hide_field("Opportunity", "NextStep")
    text = packaged("mappings", "opportunity.yaml").read_text(encoding="utf-8").splitlines()
    line = 1 + next(number for number, words in enumerate(text) if "from: NextStep" in words)
    for _ in range(2):
        with pytest.raises(
            AccessDenied, match=f"the field NextStep on Opportunity.*opportunity.yaml:{line}\\."
        ) as caught:
            pull(stage.context)
    assert "permission set" in caught.value.cure
    assert stage.context.ledger.watermark("sandbox", "pull") == before
    stage.org.grant_field("Opportunity", "NextStep")
    stage.look()
    assert stage.shown(deal) == "Held"


# Records that go, merge, come back, or come late.


def test_of_merged_records_the_loser_stops_and_the_winner_goes_on(stage: Stage) -> None:
    winner, loser = stage.world.opportunity(), stage.world.opportunity()
    settle(stage.context, None)
    stage.org.merge("Opportunity", winner, loser)
    stage.world.edit(winner, NextStep="One deal now")
    stage.look()
    stage.look()
    assert stage.world.show(loser)["sync"]["status"] == "Stopped"
    assert "deleted" in stage.world.show(loser)["sync"]["message"]
    assert stage.link(winner).presence == "flagged"
    assert "while it reviews: NextStep." in stage.world.record(winner)["AWS_Sync_Message__c"]
    assert stage.world.effects(winner) == stage.world.effects(loser) == ONCE


def test_an_opportunity_whose_account_was_merged_goes_on(stage: Stage) -> None:
    kept, merged = stage.world.opportunity(), stage.world.opportunity()
    settle(stage.context, None)
    account = stage.world.record(merged)["AccountId"]
    stage.org.merge("Account", stage.world.record(kept)["AccountId"], account)
    survive(lambda: settle(stage.context, [kept, merged]))
    pull(stage.context)
    assert stage.world.record(merged)["AccountId"] == stage.world.record(kept)["AccountId"]
    assert stage.world.effects(merged) == stage.world.effects(kept) == ONCE
    mapped = stage.link(merged).mapped
    assert mapped is not None
    name = stage.org.get("Account", stage.world.record(kept)["AccountId"])["Name"]
    assert mapped.opportunity["Customer"]["Account"]["CompanyName"] == name


def test_a_deleted_record_stops_and_goes_on_when_it_is_restored(stage: Stage) -> None:
    deal = stage.world.opportunity()
    settle(stage.context, None)
    stage.org.delete("Opportunity", deal)
    stage.look()
    assert stage.link(deal).presence == "deleted"
    assert stage.world.show(deal)["sync"]["status"] == "Stopped"
    stage.org.undelete(deal)
    stage.look()
    assert stage.link(deal).presence == "flagged"
    assert stage.shown(deal) == "Synced"
    assert stage.world.effects(deal) == ONCE


def titled(stage: Stage, deal: str) -> str:
    mapped = stage.link(deal).mapped
    assert mapped is not None
    return str(mapped.opportunity["Project"]["Title"])


def test_a_row_stamped_minutes_ago_is_found_when_it_appears(stage: Stage, org_clock: Stepped) -> None:
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    pull(stage.context)
    stage.org.update("Opportunity", deal, {"Name": "Late"}, visible_after=timedelta(minutes=8))
    for _ in range(7):
        org_clock.sleep(60)
        pull(stage.context)
        assert titled(stage, deal) != "Late"
    org_clock.sleep(61)
    pull(stage.context)
    assert titled(stage, deal) == "Late"


def test_a_row_that_appears_after_the_overlap_is_found_by_the_full_reading(stage: Stage, org_clock: Stepped) -> None:
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    pull(stage.context)
    stage.org.update("Opportunity", deal, {"Name": "Very late"}, visible_after=timedelta(minutes=25))
    org_clock.sleep(24 * 60)
    pull(stage.context)
    org_clock.sleep(120)
    pull(stage.context)
    assert titled(stage, deal) != "Very late"
    pull(stage.context, sweep=True)
    assert titled(stage, deal) == "Very late"


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_a_wrong_clock_of_ours_loses_nothing(stage: Stage, ahead: timedelta) -> None:
    app = stage.world.app()
    app.__dict__["clock"] = Stepped(ahead)
    skewed = Stage(stage.world, app)
    deal = stage.world.opportunity()
    settle(skewed.context, None)
    assert stage.world.effects(deal) == ONCE
    for step in ("One", "Two", "Three"):
        stage.world.edit(deal, NextStep=step)
        pull(skewed.context)
        mapped = skewed.link(deal).mapped
        assert mapped is not None
        assert mapped.opportunity["LifeCycle"]["NextSteps"] == step
    told = datetime.fromisoformat(skewed.context.ledger.watermark("sandbox", "pull"))
    assert abs(told - stage.org.now()) < timedelta(minutes=1)


def test_a_signed_login_survives_a_wrong_clock_of_ours(stage: Stage) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    stage.org.trust_key(stage.world.sandbox.client_id, public.decode())
    settings = replace(
        salesforce_settings(stage.app.connections["sandbox"]),
        method="jwt_bearer",
        username="integration@partner.example",
        private_key=private,
        audience="https://test.salesforce.com",
    )
    for ahead in (-HOUR, HOUR):
        client = SalesforceClient(settings, clock=Stepped(ahead))
        assert client.identify().name == "Sample Partner"
        client.close()


def test_a_page_that_fails_half_way_is_read_by_the_next_pull(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = [stage.world.opportunity(AWS_Business_Problem__c=SHORT) for _ in range(7)]
    shorten_pages(monkeypatch)
    before = stage.context.ledger.watermark("sandbox", "pull")
    stage.world.sandbox.faults.add(on="query", do="html", status=200, skip=2)
    with pytest.raises(TemporaryError):
        pull(stage.context)
    stored = [deal for deal in deals if stage.context.ledger.find(*stage.context.key, deal)]
    assert 0 < len(stored) < len(deals)
    assert stage.context.ledger.watermark("sandbox", "pull") == before
    stage.look()
    assert {stage.shown(deal) for deal in deals} == {"Held"}
    assert pull(stage.context).changed == 0


def test_what_was_stored_before_a_page_failed_is_no_news_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    shorten_pages(monkeypatch)
    stage.world.sandbox.faults.add(on="query", do="html", status=200, skip=2)
    with pytest.raises(TemporaryError):
        pull(stage.context)
    stored = sum(
        stage.context.ledger.find(*stage.context.key, row["Id"]) is not None for row in stage.org.records("Opportunity")
    )
    assert pull(stage.context).changed == 10 - stored


@pytest.mark.parametrize("reads_between", [True, False])
def test_a_write_back_that_was_carried_out_and_not_answered_fights_no_seller(stage: Stage, reads_between: bool) -> None:
    deal = stage.world.opportunity(AWS_Business_Problem__c=SHORT)
    pull(stage.context)
    advance(stage.context)
    stage.world.sandbox.faults.add(on="collections", at="after", do="html", status=503, times=None)
    with pytest.raises(TemporaryError):
        write_back(stage.context)
    stage.world.sandbox.faults.clear()
    assert stage.shown(deal) == "Held"
    stage.world.edit(deal, NextStep="A seller's own words", LeadSource="Web")
    writes = stage.writes()
    if reads_between:
        pull(stage.context)
        advance(stage.context)
    for _ in range(3):
        write_back(stage.context)
    assert stage.writes() - writes == (0 if reads_between else 1)
    record = stage.world.record(deal)
    assert (record["NextStep"], record["LeadSource"], record["AWS_Sync_Status__c"]) == (
        "A seller's own words",
        "Web",
        "Held",
    )


# A record that the mapping cannot bear.

SECRET = "Agnes Privat"


def explode(value: str) -> Any:
    """Somebody's own transform, which expects less than there is."""
    if "poison" in value:
        raise KeyError(SECRET)
    return object() if "venom" in value else value


class Entry:
    """An installed package's entry point."""

    name = "explosive"

    def load(self) -> Transform:
        return Transform("explode", "Breaks on some texts.", "any", "text", explode)


@pytest.fixture
def explosive(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    """The stage with a mapping of its own that uses that transform, and an empty ledger."""
    text = packaged("mappings", "opportunity.yaml").read_text(encoding="utf-8")
    line = "Title: {from: Name, transform: [trim, {truncate: 255}]}"
    assert line in text
    (tmp_path / "mapping.yaml").write_text(text.replace(line, "Title: {from: Name, transform: explode}"), "utf-8")
    monkeypatch.setattr("connector.mapping_files.entry_points", lambda group: [Entry()])
    with databases.database(tmp_path) as database:
        own = World(stage.world.sandbox, tmp_path, database)
        config = stage.world.config.read_text(encoding="utf-8").replace(stage.world.database, database)
        own.config.write_text(f"{config}    mapping: mapping.yaml\n", encoding="utf-8")
        yield Stage(own, own.app())


@pytest.mark.parametrize(("name", "kind"), [("poison", "KeyError"), ("venom", "TypeError")])
def test_a_poisoned_record_is_held_alone_told_once_and_looked_at_when_it_changes(
    explosive: Stage, caplog: pytest.LogCaptureFixture, name: str, kind: str
) -> None:
    deals = [explosive.world.opportunity(Name=title) for title in ("One", f"{SECRET} {name}", "Three")]
    survive(lambda: settle(explosive.context, None))
    assert [explosive.shown(deal) for deal in deals] == ["Synced", "Held", "Synced"]
    assert explosive.world.at_aws(deals[1]) == []
    story = explosive.world.show(deals[1])
    assert [(problem["code"], SECRET in problem["message"]) for problem in story["problems"]] == [("unexpected", False)]
    assert kind in story["problems"][0]["message"]
    assert kind in explosive.world.record(deals[1])["AWS_Sync_Message__c"]
    for _ in range(3):
        explosive.look()
    (line,) = [record for record in caplog.records if record.__dict__.get("event") == "mapping_failed"]
    assert line.levelno == logging.ERROR
    formatted = logging.Formatter().format(line)
    assert "Traceback" in formatted
    assert SECRET not in formatted
    explosive.world.edit(deals[1], Name="Two")
    survive(lambda: settle(explosive.context, None))
    assert explosive.shown(deals[1]) == "Synced"
    assert [explosive.world.effects(deal) for deal in deals] == [ONCE] * 3


@pytest.mark.parametrize("name", ["poison", "venom"])
def test_a_poisoned_record_stops_neither_a_plan_nor_the_look_at_a_changed_mapping(explosive: Stage, name: str) -> None:
    new = explosive.world.opportunity(Name=name)
    (entry,) = plans_of(explosive.app, explosive.context, [new])
    assert (entry["status"], entry["problems"][0]["code"]) == ("Held", "unexpected")
    explosive.world.edit(new, Share_With_AWS__c=False)
    linked = explosive.world.opportunity()
    survive(lambda: settle(explosive.context, None))
    explosive.world.edit(linked, Name=name)
    fingerprint = entry_of(explosive, linked)["fingerprint"]
    edited = replace(explosive.context, mapping_digest="another", guards=guards.Memory())
    edited.limits = replace(edited.limits, mapping_change_min_links=1, mapping_change_share=-1.0)
    with pytest.raises(UnsafePlan, match="other values for 0 of 1 linked records"):
        guards.require_mapping(edited)
    releases.release(edited, {linked: fingerprint})
    pull_ids(edited, [linked])
    mapped = explosive.link(linked).mapped
    assert mapped is not None
    assert [problem.code for problem in mapped.problems] == ["unexpected"]


def entry_of(stage: Stage, deal: str) -> dict[str, Any]:
    (entry,) = plans_of(stage.app, stage.context, [deal])
    return entry


def test_a_plan_without_a_ledger_bears_a_poisoned_record(explosive: Stage, tmp_path: Path) -> None:
    new = explosive.world.opportunity(Name="poison")
    config = explosive.world.config.read_text(encoding="utf-8").replace(f"{tmp_path.name}.db", "none.db")
    explosive.world.config.write_text(config, encoding="utf-8")
    app = App(configuration.load(explosive.world.config, ENVIRONMENT))
    (entry,) = plans_of(app, app.contexts["sandbox"], [new])
    assert entry["status"] == "Held"
    assert not (tmp_path / "none.db").exists()


def test_a_record_that_turns_poisonous_after_it_was_shared_keeps_what_aws_has(explosive: Stage) -> None:
    deal = explosive.world.opportunity()
    survive(lambda: settle(explosive.context, None))
    before = explosive.link(deal).mapped
    assert before is not None
    explosive.world.edit(deal, Name="poison")
    explosive.look()
    after = explosive.link(deal).mapped
    assert after is not None
    assert (after.opportunity, after.problems[0].code) == (before.opportunity, "unexpected")
    assert explosive.shown(deal) == "Held"
    assert "unexpected KeyError" in explosive.world.record(deal)["AWS_Sync_Message__c"]
    assert explosive.world.effects(deal) == ONCE
    explosive.world.edit(deal, Name="Cured")
    retry_records(explosive.app, [deal], held=False)
    survive(lambda: settle(explosive.context, None))
    assert explosive.link(deal).mapped != after
    assert explosive.world.effects(deal)["CreateOpportunity"] == 1
