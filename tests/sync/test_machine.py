"""Users edit, flag, delete, merge; people and AWS act at Partner Central; faults strike; the connector restarts.

Invariants hold after every step. In the end every record comes to where it belongs, by the passes of a daemon and not
by a full reading, and AWS holds field by field what the mapping gives and what people put beside it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from connector.adapters.partner_central import errors
from connector.core import retry
from connector.errors import ConnectorError
from connector.sandbox.partner_central.errors import ServiceError
from connector.sandbox.partner_central.records import TaskScript
from connector.sandbox.salesforce.faults import RowError
from connector.sync import Context, advance, follow_tasks, observe, pull, write_back
from tests import audit
from tests.audit import START, Deal
from tests.machines import run_part
from tests.world import ENVIRONMENT, World, wait_until, world

WRITES = (
    "CreateOpportunity",
    "UpdateOpportunity",
    "AssociateOpportunity",
    "DisassociateOpportunity",
    START,
)
READS = ("ListOpportunities", "GetOpportunity", "ListEngagementFromOpportunityTasks")
SALESFORCE = ("token", "describe", "query", "queryAll", "composite", "collections")
PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
SEED = int(os.environ.get("CONNECTOR_SEED", "20261122"))
EXAMPLES = int(os.environ.get("CONNECTOR_EXAMPLES", "40" if PROVE else "6"))
PARTS = 6 if PROVE else 1
"""Each with a seed of its own, so that several cores share the work."""
STEPS = 25
LONG = "Their data centre closes next year and all of it has to move. "
MAY_VANISH = ("LifeCycle.NextSteps",)
"""Sellers here empty it on purpose."""
LATE = timedelta(seconds=1)
SHORTENED = (
    # So that a watermark that ran ahead would lose an edit that shows late.
    ("connector.sync.pull", "OVERLAP", timedelta(seconds=4)),
    # A row that is locked while an edit of it is under way.
    ("connector.sync.write_back", "RETRY_AFTER", timedelta(seconds=0.5)),
)
BESIDE = {
    "Project.AdditionalComments": "Call first.",
    "Customer.Account.Duns": "123456789",
    "Project.CompetitorName": "No Competition",
}
KEPT = "AWS keeps what it approved"
"""Told of an edit that came after the review: test_life tries all of those."""
VERBS = (pull, observe, advance, follow_tasks, write_back)
COUNTED: Counter[str] = Counter()


class Machine(RuleBasedStateMachine):
    """A ledger, both services, and everybody who can touch them."""

    deals = Bundle("deals")
    removed = Bundle("removed")

    @initialize(forgetful=st.booleans())
    def begin(self, forgetful: bool) -> None:
        """``forgetful``: AWS remembers no client token, so that only looking first prevents a second one."""
        COUNTED["examples"] += 1
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.stack.enter_context(mock.patch.dict(os.environ, ENVIRONMENT))
        self.stack.enter_context(mock.patch.object(retry, "FIRST_DELAY", 0.01))
        self.stack.enter_context(mock.patch.object(errors, "THROTTLE_DELAY", 0.01, create=True))
        for module, name, value in SHORTENED:
            # By module: the package's own names are the verbs.
            self.stack.enter_context(mock.patch.object(sys.modules[module], name, value, create=True))
        self.world: World = self.stack.enter_context(world(Path(folder)))
        self.world.sandbox.service.configure(token_lifetime=0.0 if forgetful else None)
        self.is_forgetful = forgetful
        self.context: Context = self.world.context()
        self.everything: list[str] = []
        self.gone: set[str] = set()
        self.beside: dict[str, dict[str, Any]] = {}
        self.joined: dict[str, set[tuple[str, str]]] = {}

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

    @rule(deal=deals, complete=st.booleans(), number=st.integers(0, 9), late=st.sampled_from([None, None, LATE]))
    def edit(self, deal: str, complete: bool, number: int, late: timedelta | None) -> None:
        """``late``: the transaction took its stamp now and shows a second later."""
        problem = f"{LONG}{number}" if complete else "short"
        fields = {"AWS_Business_Problem__c": problem, "NextStep": f"Step {number}" if number else None}
        with suppress(RowError):
            self.world.sandbox.org.update("Opportunity", deal, fields, visible_after=late)

    @rule(deal=deals, flagged=st.booleans())
    def flag(self, deal: str, flagged: bool) -> None:
        with suppress(RowError):
            self.world.edit(deal, Share_With_AWS__c=flagged)

    @rule(deal=deals, solutions=st.sampled_from(["S-0001111", "S-0001112", "S-0001111;S-0001113"]))
    def offer(self, deal: str, solutions: str) -> None:
        with suppress(RowError):
            self.world.edit(deal, AWS_Solution_Ids__c=solutions)

    @rule(target=removed, deal=consumes(deals))
    def delete(self, deal: str) -> str:
        # While another transaction holds the row nobody can delete it; the org itself does not see to that.
        if not self.world.sandbox.org.store.is_locked(deal):
            self.world.sandbox.org.delete("Opportunity", deal)
            self.gone.add(deal)
        return deal

    @rule(target=deals, deal=consumes(removed))
    def undelete(self, deal: str) -> str:
        if deal in self.gone:
            self.world.sandbox.org.undelete(deal)
            self.gone.discard(deal)
        return deal

    @rule(winner=deals, loser=deals)
    def merge_accounts(self, winner: str, loser: str) -> None:
        """Two accounts turn out to be the same company; the loser's opportunities move to the winner."""
        kept, merged = (str(self.world.record(deal)["AccountId"]) for deal in (winner, loser))
        if kept != merged:
            with suppress(RowError):
                self.world.sandbox.org.merge("Account", kept, merged)

    # people in Partner Central, AWS, and the network

    @rule(deal=deals, path=st.sampled_from(sorted(BESIDE)))
    def fill_in_at_aws(self, deal: str, path: str) -> None:
        """Somebody fills in, at Partner Central, what Salesforce does not have."""
        for entry in self.world.at_aws(deal):
            if entry["LifeCycle"]["ReviewStatus"] == "Pending Submission":
                with suppress(ServiceError):
                    self.world.edit_at_aws(entry["Id"], {path: BESIDE[path]})
                    self.beside.setdefault(deal, {})[path] = BESIDE[path]

    @rule(deal=deals, product=st.sampled_from(["AmazonEC2Linux", "AmazonRDSforPostgreSQL"]))
    def associate_at_aws(self, deal: str, product: str) -> None:
        for entry in self.world.at_aws(deal):
            with suppress(ServiceError):
                self.world.associate_at_aws(entry["Id"], "AwsProducts", product)
                self.joined.setdefault(deal, set()).add(("AwsProducts", product))

    @rule(deal=deals)
    def create_by_hand(self, deal: str) -> None:
        """Somebody makes the opportunity of a record by hand, while nothing of ours is under way for it."""
        link = self.context.ledger.find(*self.context.key, deal)
        if self.world.at_aws(deal) or (link is not None and link.operation is not None):
            return
        with suppress(ConnectorError, ServiceError, ValueError):
            mapped = audit.mapped_now(self.context, deal)
            if not mapped.problems:
                self.world.by_hand("CreateOpportunity", {**mapped.opportunity, "ClientToken": f"by-hand-{deal}"})
                observe(self.context)

    @rule(deal=deals, status=st.sampled_from(["Approved", "Rejected", "Action Required"]))
    def review(self, deal: str, status: str) -> None:
        for entry in self.world.at_aws(deal):
            if entry["LifeCycle"]["ReviewStatus"] == "Submitted":
                self.world.sandbox.service.review(entry["Id"], "In review")
                self.world.sandbox.service.review(entry["Id"], status, comments="as reviewed")

    @rule(
        reason=st.sampled_from([None, "OpportunityValidationFailed", "InternalError", "OpportunityConflict"]),
        after=st.sampled_from([0.0, 0.0, 0.2]),
        ids_null=st.booleans(),
    )
    def script_a_task(self, reason: str | None, after: float, ids_null: bool) -> None:
        script = TaskScript(after=after, reason=reason, message="scripted" if reason else None, ids_null=ids_null)
        self.world.sandbox.service.script_tasks(script)

    @rule(
        on=st.sampled_from(WRITES + READS + SALESFORCE),
        at=st.sampled_from(["before", "after"]),
        do=st.sampled_from(["reset", "status", "html", "truncate", "throttle"]),
        times=st.integers(1, 2),
    )
    def break_something(self, on: str, at: str, do: str, times: int) -> None:
        if do == "throttle" and self.is_forgetful:
            at = "before"  # AWS throttles before it does anything; that it does not is survived with a token only
        self.world.sandbox.faults.add(on=on, at=at, do=do, status=503, times=times)

    @rule(target=deals, on=st.sampled_from(WRITES), do=st.sampled_from(["reset", "status", "truncate"]))
    def lose_an_answer_at_work(self, on: str, do: str) -> str:
        deal = self.enter(flagged=True, complete=True)
        self.world.sandbox.faults.add(on=on, at="after", do=do, status=500)
        self.pass_once()
        self.pass_once()
        return deal

    @rule(target=deals, number=st.integers(0, 9), path=st.sampled_from(sorted(BESIDE)))
    def edit_a_refused_draft_on_both_sides(self, number: int, path: str) -> str:
        """The road to an update: refused, filled in at AWS, edited in Salesforce."""
        refused = TaskScript(reason="OpportunityValidationFailed", message="scripted")
        self.world.sandbox.service.script_tasks(refused)
        deal = self.enter(flagged=True, complete=True)
        self.pass_once()
        self.fill_in_at_aws(deal, path)
        self.edit(deal, complete=True, number=number, late=None)
        self.pass_once()
        return deal

    # the connector

    @rule(verb=st.sampled_from(VERBS))
    def work(self, verb: Callable[[Context], object]) -> None:
        with suppress(ConnectorError):
            verb(self.context)

    @rule()
    def pass_once(self) -> None:
        for verb in VERBS:
            self.work(verb)

    @rule()
    def restart(self) -> None:
        self.context = self.world.context()

    @rule(deal=deals)
    def stop_short(self, deal: str) -> None:
        """An edit is on its way when the process is told to stop; another one takes over."""
        self.edit(deal, complete=True, number=5, late=None)
        self.work(pull)
        self.context.stopping.set()
        self.work(advance)
        self.restart()

    @invariant()
    def nothing_is_doubled_or_nulled(self) -> None:
        if not hasattr(self, "everything"):
            return
        COUNTED["steps"] += 1
        found = audit.always(self.world, self.everything, MAY_VANISH)
        assert found == [], found

    # the end

    def converge(self) -> None:
        """Once nothing strikes any more, every record comes to where it belongs."""
        self.world.sandbox.faults.clear()
        self.context = self.world.context()
        # Scripted and never started: they must not fail the last tasks.
        self.world.sandbox.service.forget_scripts()
        try:
            wait_until(self.is_quiet, "the passes to leave nothing to do", 40)
        except AssertionError as error:
            raise AssertionError(f"{error}; still to do: {self.told_of_open_work()}") from error
        found = audit.always(self.world, self.everything, MAY_VANISH)
        found += [complaint for deal in self.everything for complaint in self.check(deal)]
        number = self.context.ledger.open_operations(self.context.name)
        found += [audit.Complaint("open", f"{number} operations")] if number else []
        assert found == [], found

    def is_quiet(self) -> bool:
        """Two passes, as a daemon makes them; whether they left nothing to do, now or later."""
        ledger, key = self.context.ledger, self.context.key
        # An edit that shows only now, between a pass's first reading and its last write, is for the next one.
        is_edited_still = bool(self.world.sandbox.org.store.open_since())
        self.pass_once()
        self.pass_once()
        waiting = [deal for deal in ledger.present(*key) if self.is_to_be_retried(deal)]
        if waiting:
            ledger.wake(*key, waiting, self.context.now)
        soon = self.context.now + timedelta(minutes=5)
        return not (is_edited_still or waiting or any(ledger.work_due(*key, soon).values()))

    def told_of_open_work(self) -> list[tuple[object, ...]]:
        """What each record waits for."""
        links = [self.context.ledger.find(*self.context.key, deal) for deal in self.everything]
        known = [link for link in links if link is not None]
        facts = [(each.salesforce_id, each.presence, each.operation, each.write_back_error) for each in known]
        return [(*told, self.context.ledger.rest_of(each.id)) for each, told in zip(known, facts, strict=True)]

    def is_to_be_retried(self, deal: str) -> bool:
        """A record that waits for a person, whom scripts made it wait for: ``connector retry``."""
        if deal in self.gone:
            return False
        record = self.world.record(deal)
        link = self.context.ledger.find(*self.context.key, deal)
        is_waiting = link is not None and bool(link.next_try_at or link.operation or link.write_back_error)
        is_complete = len(str(record["AWS_Business_Problem__c"])) > 20
        return is_waiting or (record["AWS_Sync_Status__c"] == "Held" and is_complete and self.is_draft(deal))

    def is_draft(self, deal: str) -> bool:
        found = self.world.at_aws(deal)
        return not found or found[0]["LifeCycle"]["ReviewStatus"] == "Pending Submission"

    def check(self, deal: str) -> list[audit.Complaint]:
        if deal in self.gone:
            return []
        record, at_aws = self.world.record(deal), self.world.at_aws(deal)
        shown, found = record["AWS_Sync_Status__c"], []
        is_complete = len(str(record["AWS_Business_Problem__c"])) > 20
        told = f"{deal} shows {shown}: {record['AWS_Sync_Message__c']}"
        link = self.context.ledger.find(*self.context.key, deal)
        if record["AWS_Opportunity_Id__c"] != (
            at_aws[0]["Id"] if at_aws and link is not None and link.opportunity_id else None
        ):
            found.append(audit.Complaint("lost", f"{told}; its id at AWS is not shown"))
        if not record["Share_With_AWS__c"]:
            return found + ([] if shown in {None, "Stopped"} else [audit.Complaint("lost", told)])
        if is_complete and self.is_draft(deal):
            return [*found, audit.Complaint("lost", f"{told}; it was not submitted")]
        if at_aws and record["AWS_Review_Status__c"] != at_aws[0]["LifeCycle"]["ReviewStatus"]:
            found.append(audit.Complaint("lost", f"{told}; the review status is not shown"))
        if at_aws and shown == "Synced":
            expected = Deal(deal, self.beside.get(deal, {}), tuple(self.joined.get(deal, ())))
            unlike = list(audit.unlike_at_aws(at_aws[0], audit.mapped_now(self.context, deal), expected))
            if at_aws[0]["LifeCycle"]["ReviewStatus"] == "Approved" and KEPT in str(record["AWS_Sync_Message__c"]):
                unlike = [one for one in unlike if "Project.CustomerBusinessProblem" not in one.text]
            found += unlike
        if not at_aws and shown != "Held":
            found.append(audit.Complaint("lost", told))
        if at_aws:
            held = audit.content_of(at_aws[0])
            lost = [path for path in self.beside.get(deal, {}) if path not in held]
            found += [audit.Complaint("nulled", f"{path} of {deal}") for path in lost]
        return found


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_nothing_is_doubled_and_all_of_it_converges(
    part: int, record_property: Callable[[str, object], None]
) -> None:
    about = {"machine": part, "seed": SEED + part}
    run_part(Machine, about, COUNTED, record_property, examples=EXAMPLES, steps=STEPS)
