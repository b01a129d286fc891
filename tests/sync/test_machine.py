"""Users edit, flag and delete; AWS reviews; faults strike; the connector restarts: nothing is doubled or lost."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from connector.core import retry
from connector.errors import ConnectorError
from connector.sandbox.partner_central.records import TaskScript
from connector.sync import Context, advance, follow_tasks, observe, pull, write_back
from tests.world import ENVIRONMENT, World, world

OPERATIONS = ("CreateOpportunity", "UpdateOpportunity", "AssociateOpportunity", "StartEngagementFromOpportunityTask")
READS = ("ListOpportunities", "GetOpportunity", "ListEngagementFromOpportunityTasks", "composite", "collections")
EXAMPLES = int(os.environ.get("CONNECTOR_EXAMPLES", "12"))
"""`make prove` asks for more."""
LONG = "Their data centre closes next year and all of it has to move. "


class Machine(RuleBasedStateMachine):
    """A ledger, both services, and everybody who can touch them."""

    deals = Bundle("deals")

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.stack.enter_context(mock.patch.dict(os.environ, ENVIRONMENT))
        self.stack.enter_context(mock.patch.object(retry, "FIRST_DELAY", 0.01))
        self.world: World = self.stack.enter_context(world(Path(folder)))
        self.context: Context = self.world.context()
        self.everything: list[str] = []
        self.gone: set[str] = set()

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            self.converge()
        finally:
            self.stack.close()

    # sellers

    @rule(target=deals, flagged=st.sampled_from([True, True, False]), complete=st.sampled_from([True, True, False]))
    def enter(self, flagged: bool, complete: bool) -> str:
        problem = LONG if complete else "short"
        deal = self.world.opportunity(Share_With_AWS__c=flagged, AWS_Business_Problem__c=problem)
        self.everything.append(deal)
        return deal

    @rule(deal=deals, complete=st.booleans(), number=st.integers(0, 9))
    def edit(self, deal: str, complete: bool, number: int) -> None:
        problem = f"{LONG}{number}" if complete else "short"
        self.world.edit(deal, AWS_Business_Problem__c=problem, NextStep=f"Step {number}")

    @rule(deal=deals, flagged=st.booleans())
    def flag(self, deal: str, flagged: bool) -> None:
        self.world.edit(deal, Share_With_AWS__c=flagged)

    @rule(deal=deals, solutions=st.sampled_from(["S-0001111", "S-0001112", "S-0001111;S-0001113"]))
    def offer(self, deal: str, solutions: str) -> None:
        self.world.edit(deal, AWS_Solution_Ids__c=solutions)

    @rule(deal=consumes(deals))
    def delete(self, deal: str) -> None:
        self.world.sandbox.org.delete("Opportunity", deal)
        self.gone.add(deal)

    # AWS and the network

    @rule(deal=deals, status=st.sampled_from(["Approved", "Rejected", "Action Required"]))
    def review(self, deal: str, status: str) -> None:
        for entry in self.world.at_aws(deal):
            if entry["LifeCycle"]["ReviewStatus"] == "Submitted":
                self.world.sandbox.service.review(entry["Id"], "In review")
                self.world.sandbox.service.review(entry["Id"], status, comments="as reviewed")

    @rule(reason=st.sampled_from(["OpportunityValidationFailed", "InternalError", "OpportunityConflict"]))
    def fail_a_task(self, reason: str) -> None:
        self.world.sandbox.service.script_tasks(TaskScript(reason=reason, message="scripted"))

    @rule(
        on=st.sampled_from(OPERATIONS + READS),
        at=st.sampled_from(["before", "after"]),
        do=st.sampled_from(["reset", "status", "html", "truncate", "throttle"]),
        times=st.integers(1, 2),
    )
    def break_something(self, on: str, at: str, do: str, times: int) -> None:
        self.world.sandbox.faults.add(on=on, at=at, do=do, status=503, times=times)

    @rule(target=deals, on=st.sampled_from(OPERATIONS), do=st.sampled_from(["reset", "status", "truncate"]))
    def lose_an_answer_at_work(self, on: str, do: str) -> str:
        deal = self.enter(flagged=True, complete=True)
        self.world.sandbox.faults.add(on=on, at="after", do=do, status=500)
        self.pass_once()
        self.pass_once()
        return deal

    # the connector

    @rule(verb=st.sampled_from([pull, observe, advance, follow_tasks, write_back]))
    def work(self, verb: object) -> None:
        assert callable(verb)
        with suppress(ConnectorError):
            verb(self.context)

    @rule()
    def pass_once(self) -> None:
        for verb in (pull, observe, advance, follow_tasks, write_back):
            self.work(verb)

    @rule()
    def restart(self) -> None:
        self.context = self.world.context()

    @invariant()
    def nothing_is_doubled(self) -> None:
        for deal in getattr(self, "everything", ()):
            assert len(self.world.at_aws(deal)) <= 1, "an opportunity was created twice"
            submitted = [
                entry
                for entry in self.world.sandbox.service.journal
                if entry.operation == "StartEngagementFromOpportunityTask"
                and entry.outcome == "ok"
                and not entry.is_replay
                and entry.body["Identifier"] in {found["Id"] for found in self.world.at_aws(deal)}
                and (entry.answer or {}).get("TaskStatus") != "FAILED"
            ]
            assert len(submitted) <= 1, "an opportunity was submitted twice"

    def converge(self) -> None:
        """Once nothing strikes any more, every record comes to where it belongs."""
        self.world.sandbox.faults.clear()
        self.world.sandbox.service.script_tasks(TaskScript(), 0)
        context = self.world.context()
        context.ledger.wake(*context.key, None, context.now)
        for _ in range(4):
            self.world.settle()
        self.nothing_is_doubled()
        for deal in self.everything:
            self.check(deal)

    def check(self, deal: str) -> None:
        if deal in self.gone:
            return
        record = self.world.record(deal)
        shown = record["AWS_Sync_Status__c"]
        at_aws = self.world.at_aws(deal)
        assert record["AWS_Opportunity_Id__c"] == (at_aws[0]["Id"] if at_aws else None)
        if not record["Share_With_AWS__c"]:
            assert shown in {None, "Stopped"}
        elif not at_aws:
            assert shown == "Held", record["AWS_Sync_Message__c"]
            assert len(record["AWS_Business_Problem__c"]) < 20
        else:
            assert record["AWS_Review_Status__c"] == at_aws[0]["LifeCycle"]["ReviewStatus"]
            assert shown in {"Held", "Synced", "Pending", "Stopped"}


def test_whatever_happens_nothing_is_doubled_and_all_of_it_converges() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            # Each example runs real servers: making a failing one shorter would take an hour.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
