"""Real processes killed with SIGKILL, at every commit and at random: nothing doubled, lost, or nulled at AWS.

The short form takes a sample with fixed seeds; ``make prove`` sets CONNECTOR_PROVE and takes all of it. What each
test did is told as the property ``figures``, which ``tests/prove.py`` adds up.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox.partner_central.records import TaskScript
from connector.sandbox.partner_central.settings import Settings
from connector.sync import Context
from tests import audit
from tests.audit import Complaint, Deal
from tests.world import ENVIRONMENT, INVITING, ROW, World, wait_until, world

ROOT = Path(__file__).parents[1]
PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
SEED = int(os.environ.get("CONNECTOR_SEED", "20261122"))
BEYOND = 4
"""Commits past those of an undisturbed run that a run may make when it has to wait once more than that one."""
HAND_MADE = "Agreed with the alliance lead on the phone."
MANY = 100_000
"""More partners are invited here than anybody means to invite in a day."""
PARTNERS = ("222233334444", "333344445555", "444455556666")
ASSIGN = """version: 1
assign:
  Email: {from: Owner.Email, transform: email}
  FirstName: Owner.FirstName
  LastName: Owner.LastName
  BusinessTitle: {value: PartnerAccountManager}
"""
Tell = Callable[[str, object], None]


class Killer:
    """A process that forks connectors, lets them die where it is told, and says how they ended."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.killer"],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def start(self, work: str, *ids: str, at: int = 0, when: str = "") -> int:
        command = {"do": "start", "config": str(self._world.config), "work": work, "ids": ids, "at": at, "when": when}
        return int(self._ask(command)["pid"])

    def wait(self, pid: int, seconds: float = 60.0) -> dict[str, Any]:
        """How it ended; empty when it is still alive after so many seconds."""
        return self._ask({"do": "wait", "pid": pid, "seconds": seconds})

    def settle(self, *ids: str, at: int = 0, when: str = "") -> dict[str, Any]:
        """Settle these records in a process of its own, which dies at its ``at``-th commit."""
        ended = self.wait(self.start("settle", *ids, at=at, when=when))
        assert ended.get("signal") in {0, signal.SIGKILL}, ended
        assert ended["signal"] or ended["code"] == 0, f"a connector ended with {ended}"
        return ended

    def run(self, until: Callable[[], bool], at: int = 0, when: str = "") -> dict[str, Any]:
        """Run the daemon until it dies at its ``at``-th commit, or is told to stop since ``until`` came true."""
        pid = self.start("run", at=at, when=when)
        while not (ended := self.wait(pid, 0.03)):
            if until():
                os.kill(pid, signal.SIGTERM)
                ended = self.wait(pid)
                break
        assert ended.get("signal") or ended.get("code") == 0, f"the daemon ended with {ended}"
        return ended

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


@dataclass
class Stage:
    """A world, its killer, and a context that only reads, to compare with."""

    world: World
    killer: Killer
    context: Context
    complaints: list[Complaint] = field(default_factory=list)
    kills: int = 0

    def judge(self, deal: Deal, told: str) -> None:
        """Nothing may be wrong once this record was recovered."""
        found = audit.always(self.world, [deal.id]) + audit.settled(self.world, self.context, [deal])
        self.complaints += found
        assert not found, f"{told}: {found}"


@contextmanager
def stage(folder: Path, settings: Settings | None = None, mapping: tuple[str, ...] = ()) -> Iterator[Stage]:
    (folder / "assign.yaml").write_text(ASSIGN, encoding="utf-8")
    with world(folder, settings or Settings(quotas=False), mapping=mapping) as made:
        made.write_config(f"    limits: {{invitations_per_day: {MANY}}}\n")
        text = made.config.read_text(encoding="utf-8")
        made.config.write_text("schedule: {pull: 1s, observe: 1s}\n" + text, encoding="utf-8")
        with pytest.MonkeyPatch.context() as patched:
            for name, value in ENVIRONMENT.items():
                patched.setenv(name, value)
            killer = Killer(made)
            try:
                yield Stage(made, killer, made.context())
            finally:
                killer.close()


# The stories that a process may die in. Each gives a function that makes one more record ready for it.


def new(_: Stage, world: World) -> Callable[[], Deal]:
    """Create, two associations, submission, task, write-back."""
    return lambda: Deal(world.opportunity(AWS_Product_Codes__c="AmazonEC2Linux"))


def lost_answers(_: Stage, world: World) -> Callable[[], Deal]:
    """AWS carries each first write out and answers 500, so that the death falls into the recovery."""

    def ready() -> Deal:
        world.sandbox.faults.clear()
        for operation in ("CreateOpportunity", "AssociateOpportunity", audit.START):
            world.sandbox.faults.add(on=operation, at="after", do="status", status=500)
        return Deal(world.opportunity())

    return ready


def forgotten_tokens(_: Stage, world: World) -> Callable[[], Deal]:
    """AWS remembers no token, so that only looking first keeps the recovery from doing it again."""
    world.sandbox.service.configure(token_lifetime=0.0)
    return lambda: Deal(world.opportunity())


def failed_task(_: Stage, world: World) -> Callable[[], Deal]:
    """The first task fails for a passing reason and is started again with a token of its own."""

    def ready() -> Deal:
        world.sandbox.service.forget_scripts()
        world.sandbox.service.script_tasks(TaskScript(reason="InternalError", message="try again"))
        return Deal(world.opportunity())

    return ready


def edited_draft(stage: Stage, world: World) -> Callable[[], Deal]:
    """A draft that was refused and that people completed at AWS is edited: update, attach, detach, submission."""
    waiting: list[Deal] = []

    def fill() -> None:
        ids = [world.opportunity() for _ in range(10)]
        refused = TaskScript(reason="OpportunityValidationFailed", message="BUSINESS_VALIDATION_EXCEPTION x:y")
        world.sandbox.service.script_tasks(refused, len(ids))
        stage.killer.settle(*ids)
        for salesforce_id in ids:
            (draft,) = world.at_aws(salesforce_id)
            values = {"Project.AdditionalComments": HAND_MADE, "Customer.Account.Duns": "123456789"}
            world.edit_at_aws(draft["Id"], values)
            world.associate_at_aws(draft["Id"], "AwsProducts", "AmazonRDSforPostgreSQL")
            waiting.append(Deal(salesforce_id, values, (("AwsProducts", "AmazonRDSforPostgreSQL"),)))

    def ready() -> Deal:
        if not waiting:
            fill()
        deal = waiting.pop(0)
        world.edit(deal.id, NextStep="Call them on Monday", AWS_Solution_Ids__c="S-0001112")
        return deal

    return ready


def made_by_hand(stage: Stage, world: World) -> Callable[[], Deal]:
    """Somebody made the opportunity by hand, with another title, one field more, and nothing associated."""

    def ready() -> Deal:
        salesforce_id = world.opportunity()
        body = dict(audit.mapped_now(stage.context, salesforce_id).opportunity)
        body["Project"] = {**body["Project"], "Title": "An old title", "AdditionalComments": HAND_MADE}
        world.by_hand("CreateOpportunity", {**body, "ClientToken": f"by-hand-{salesforce_id}"})
        return Deal(salesforce_id, {"Project.AdditionalComments": HAND_MADE})

    return ready


def first_start(stage: Stage, world: World) -> Callable[[], Deal]:
    """No ledger yet: the death may fall into making its schema."""

    def ready() -> Deal:
        world.without_ledger()
        return Deal(world.opportunity())

    return ready


def invited_at_once(_: Stage, world: World) -> Callable[[], Deal]:
    """A record with three invitation rows from the beginning."""

    def ready() -> Deal:
        deal = Deal(world.opportunity())
        for account in PARTNERS:
            world.invite(deal.id, account)
        return deal

    return ready


Decide = Callable[[World, str], Deal]


def submitted(stage: Stage, decide: Decide, **fields: Any) -> Callable[[], Deal]:
    """Gives records that AWS has, each after ``decide``; ten are made at a time."""
    waiting: list[Deal] = []

    def ready() -> Deal:
        if not waiting:
            ids = [stage.world.opportunity(**fields) for _ in range(10 if PROVE else 4)]
            stage.killer.settle(*ids)
            waiting.extend(decide(stage.world, salesforce_id) for salesforce_id in ids)
        return waiting.pop(0)

    return ready


def id_of(world: World, salesforce_id: str) -> str:
    (found,) = world.at_aws(salesforce_id)
    return str(found["Id"])


def as_it_is(_: World, salesforce_id: str) -> Deal:
    return Deal(salesforce_id)


def asked_for_changes(world: World, salesforce_id: str) -> Deal:
    """AWS's reviewer asks for something, and notes something else."""
    identifier = id_of(world, salesforce_id)
    world.sandbox.service.review(identifier, "In review")
    world.sandbox.service.review(identifier, "Action Required", "What exactly is the problem?")
    world.change_at_aws(identifier, **{"Project.AdditionalComments": HAND_MADE})
    return Deal(salesforce_id, {"Project.AdditionalComments": HAND_MADE})


def approved(world: World, salesforce_id: str) -> Deal:
    """AWS approves it, and people there add what the mapping does not know."""
    identifier = id_of(world, salesforce_id)
    world.sandbox.service.review(identifier, "In review")
    world.sandbox.service.review(identifier, "Approved")
    values = {"Project.AdditionalComments": HAND_MADE, "Customer.Account.Duns": "123456789"}
    world.change_at_aws(identifier, **values)
    world.associate_at_aws(identifier, "AwsProducts", "AmazonRDSforPostgreSQL")
    return Deal(salesforce_id, values, (("AwsProducts", "AmazonRDSforPostgreSQL"),))


def invited(stage: Stage, world: World) -> Callable[[], Deal]:
    """Three rows are added to a record that AWS has: every commit is about an invitation."""
    take = submitted(stage, as_it_is)

    def ready() -> Deal:
        deal = take()
        for account in PARTNERS:
            world.invite(deal.id, account)
        return deal

    return ready


def invited_unheard(stage: Stage, world: World) -> Callable[[], Deal]:
    """AWS carries each invitation out, answers 500, and remembers no token: only looking first helps."""
    world.sandbox.service.configure(token_lifetime=0.0)
    take = invited(stage, world)

    def ready() -> Deal:
        deal = take()
        world.sandbox.faults.clear()
        world.sandbox.faults.add(on=audit.INVITE, at="after", do="status", status=500, times=3)
        return deal

    return ready


def answered(stage: Stage, world: World) -> Callable[[], Deal]:
    """Partners answered; the row of one names another partner since, and one is asked again by a row in its place."""
    take = submitted(stage, as_it_is)
    waiting: list[tuple[Deal, list[str]]] = []

    def fill() -> None:
        deals = [take() for _ in range(10 if PROVE else 4)]
        waiting.extend((deal, [world.invite(deal.id, account) for account in PARTNERS]) for deal in deals)
        stage.killer.settle(*(deal.id for deal in deals))

    def ready() -> Deal:
        if not waiting:
            fill()
        deal, rows = waiting.pop(0)
        for row, answer in zip(rows, (("ACCEPTED", None), ("REJECTED", "Unable to support")), strict=False):
            world.sandbox.service.answer_invitation(world.row(row)["Invitation_Id__c"], *answer)
        world.sandbox.service.answer_invitation(world.row(rows[2])["Invitation_Id__c"], "EXPIRED")
        world.edit_row(rows[1], Partner_AWS_Account__c="555566667777")
        world.sandbox.org.delete(ROW, rows[2])
        world.invite(deal.id, PARTNERS[2], Message__c="Once more: shall we?")
        return deal

    return ready


def fixed(stage: Stage, world: World) -> Callable[[], Deal]:
    """AWS asks for a change, and the seller makes it."""
    take = submitted(stage, asked_for_changes)

    def ready() -> Deal:
        deal = take()
        world.edit(deal.id, AWS_Business_Problem__c="Their data centre in Austin closes next year and all has to move.")
        return deal

    return ready


def edited_approved(stage: Stage, world: World) -> Callable[[], Deal]:
    """An approved deal is edited: attach, update, detach."""
    take = submitted(stage, approved)

    def ready() -> Deal:
        deal = take()
        world.edit(deal.id, NextStep="Call them on Monday", Amount=240000, AWS_Solution_Ids__c="S-0001112")
        return deal

    return ready


def launched(stage: Stage, world: World) -> Callable[[], Deal]:
    """An approved deal is won: the stage and what AWS wants with it go in one update."""
    take = submitted(stage, approved)

    def ready() -> Deal:
        deal = take()
        world.edit(deal.id, StageName="Closed Won", AWS_Customer_Account_Id__c="111122223333")
        return deal

    return ready


def assigned(stage: Stage, world: World) -> Callable[[], Deal]:
    """An approved deal gets another owner, and one more partner."""
    first, second = (world.sandbox.org.add_user("Sam", name, f"{name}@partner.example") for name in ("one", "two"))
    take = submitted(stage, approved, OwnerId=first)

    def ready() -> Deal:
        deal = take()
        world.edit(deal.id, OwnerId=second)
        world.invite(deal.id, PARTNERS[0])
        return replace(deal, owner="two@partner.example")

    return ready


STORIES = (new, forgotten_tokens, lost_answers, failed_task, edited_draft, made_by_hand)
LATER = (invited, assigned)
MORE = (*STORIES, *LATER, invited_at_once, invited_unheard, answered, fixed, edited_approved, launched)
INVITATIONS = (invited_at_once, invited, invited_unheard, answered)
MAPPINGS = {**dict.fromkeys(INVITATIONS, INVITING), assigned: (*INVITING, "assign.yaml")}
"""The files of a story that needs more than the default one."""
AGAIN = (new, edited_draft, invited_at_once, invited, answered, edited_approved)
SAMPLES = {new: 5, invited: 3, assigned: 1}
"""Deaths in the short form; of the others two."""


def moments_of(commits: int, chosen: random.Random, most: int) -> list[tuple[int, str]]:
    """Every commit, before and after; in the short form a sample of them in order."""
    every = [(at, when) for at in range(1, commits + BEYOND) for when in ("before", "after")]
    return every if PROVE else sorted(chosen.sample(every[: 2 * commits], min(most, 2 * commits)))


def die_and_recover(stage: Stage, deal: Deal, at: int, when: str, again: tuple[int, str] | None = None) -> bool:
    """One death (two with ``again``) and a recovery, judged. Gives whether the process lived to its end."""
    died = stage.killer.settle(deal.id, at=at, when=when)
    stage.kills += bool(died["signal"])
    if died["signal"] and again is not None:
        stage.kills += bool(stage.killer.settle(deal.id, at=again[0], when=again[1])["signal"])
    if died["signal"]:
        assert stage.killer.settle(deal.id)["signal"] == 0
    stage.judge(deal, f"death {when} commit {at}" + (f", then {again[1]} commit {again[0]}" if again else ""))
    return not died["signal"]


def tell(figures: Tell, family: str, stage: Stage, seed: int) -> None:
    told = {"family": family, "kills": stage.kills, "seed": seed, **audit.count(stage.complaints)}
    figures("figures", json.dumps(told))


@pytest.mark.parametrize("story", MORE if PROVE else (*STORIES, *LATER))
def test_dying_at_any_commit(tmp_path: Path, story: Any, record_property: Tell) -> None:
    chosen = random.Random(f"{SEED} {story.__name__}")
    with stage(tmp_path, mapping=MAPPINGS.get(story, ())) as made:
        try:
            ready = story(made, made.world)
            made.killer.settle(made.world.opportunity())
            deal = ready()
            undisturbed = made.killer.settle(deal.id)
            made.judge(deal, "an undisturbed run")
            assert undisturbed["commits"] == undisturbed["traced"], "a commit was left out"
            lived = 0
            for at, when in moments_of(undisturbed["commits"], chosen, SAMPLES.get(story, 2)):
                lived += die_and_recover(made, ready(), at, when)
            assert made.kills >= 1
            assert lived or not PROVE, "the last run outlived its commits, so none was left out"
        finally:
            tell(record_property, f"commits: {story.__name__}", made, SEED)


@pytest.mark.sqlite_only  # on a server `connector db upgrade` makes the schema, before any start
def test_dying_in_the_very_first_start(tmp_path: Path, record_property: Tell) -> None:
    chosen = random.Random(f"{SEED} first")
    with stage(tmp_path) as made:
        try:
            made.context.ledger  # noqa: B018 (opened before the file goes)
            ready = first_start(made, made.world)
            deal = ready()
            undisturbed = made.killer.settle(deal.id)
            assert undisturbed["commits"] == undisturbed["traced"], "a commit was left out"
            every = [(at, when) for at in range(1, 9) for when in ("before", "after")]
            for at, when in every if PROVE else chosen.sample(every, 2):
                deal = ready()
                made.context = made.world.context()
                die_and_recover(made, deal, at, when)
            assert made.kills >= 2
        finally:
            tell(record_property, "commits: first start", made, SEED)


@pytest.mark.parametrize("story", [*AGAIN] if PROVE else [invited_at_once])
def test_dying_again_in_the_recovery(tmp_path: Path, story: Any, record_property: Tell) -> None:
    chosen = random.Random(f"{SEED} again {story.__name__}")
    with stage(tmp_path, mapping=MAPPINGS.get(story, ())) as made:
        try:
            ready = story(made, made.world)
            made.killer.settle(made.world.opportunity())
            commits = made.killer.settle(ready().id)["commits"]
            for at, when in moments_of(commits, chosen, 2)[:: 2 if PROVE else 1]:
                again = (chosen.randint(1, max(commits - at, 2)), chosen.choice(["before", "after"]))
                die_and_recover(made, ready(), at, when, again)
            assert made.kills >= 2
        finally:
            tell(record_property, f"twice: {story.__name__}", made, SEED)


@pytest.mark.parametrize("story", [new, edited_draft, invited_at_once] if PROVE else [invited_at_once])
def test_the_daemon_dies_at_any_commit(tmp_path: Path, story: Any, record_property: Tell) -> None:
    """The scheduler and its jobs, not only one settling run: here the commits of all verbs interleave."""
    chosen = random.Random(f"{SEED} daemon {story.__name__}")
    with stage(tmp_path, mapping=MAPPINGS.get(story, ())) as made:
        try:
            ready = story(made, made.world)
            made.killer.settle(made.world.opportunity())
            undisturbed = made.killer.run(partial(is_synced, made.world, ready()))
            assert undisturbed["commits"] == undisturbed["traced"], "a commit was left out"
            for at, when in moments_of(undisturbed["commits"], chosen, 2):
                deal = ready()
                made.kills += bool(made.killer.run(partial(is_synced, made.world, deal), at=at, when=when)["signal"])
                made.killer.settle(deal.id)
                made.judge(deal, f"the daemon's death {when} commit {at}")
            assert made.kills >= 1
        finally:
            tell(record_property, f"daemon: {story.__name__}", made, SEED)


def is_synced(world: World, deal: Deal) -> bool:
    record = world.record(deal.id)
    rows = [row for row in world.sandbox.org.records(ROW) if row["Opportunity__c"] == deal.id]
    is_shown = all(row.get("Invitation_Status__c") == "PENDING" for row in rows)
    return bool(record["AWS_Sync_Status__c"] == "Synced" and record["AWS_Review_Status__c"] == "Submitted" and is_shown)


# A whole life.


def begun(world: World, deal: Deal) -> Deal:
    world.invite(deal.id, PARTNERS[0])
    return deal


def mended(world: World, deal: Deal) -> Deal:
    """AWS asks for a change; a partner accepts; the seller mends, and asks another partner."""
    deal = asked_for_changes(world, deal.id)
    world.sandbox.service.answer_invitation(world.invitations_of(PARTNERS[0])[-1]["Id"], "ACCEPTED")
    world.edit(deal.id, AWS_Business_Problem__c="Their data centre in Austin closes next year and all has to move.")
    world.invite(deal.id, PARTNERS[1])
    return deal


def worked_on(world: World, deal: Deal) -> Deal:
    """AWS approves; a partner declines; the seller exchanges the solution and edits."""
    deal = approved(world, deal.id)
    world.sandbox.service.answer_invitation(
        world.invitations_of(PARTNERS[1])[-1]["Id"], "REJECTED", "Next steps unclear"
    )
    world.edit(deal.id, NextStep="Sign", Amount=240000, AWS_Solution_Ids__c="S-0001112")
    return deal


def won(world: World, deal: Deal) -> Deal:
    world.edit(deal.id, StageName="Closed Won", AWS_Customer_Account_Id__c="111122223333")
    return deal


LIFE = (begun, mended, worked_on, won)


@pytest.mark.parametrize("number", range(4 if PROVE else 1))
def test_a_life_with_deaths_in_every_part(tmp_path: Path, number: int, record_property: Tell) -> None:
    """From the first row to the launch, with a death and a recovery after whatever sellers, AWS and partners did."""
    chosen = random.Random(f"{SEED + number} life")
    with stage(tmp_path, mapping=INVITING) as made:
        try:
            for _ in range(8 if PROVE else 1):
                deal = Deal(made.world.opportunity())
                for part in LIFE:
                    deal = part(made.world, deal)
                    at, when = chosen.randint(1, 6), chosen.choice(["before", "after"])
                    die_and_recover(made, deal, at, when)
            assert made.kills >= len(LIFE)
        finally:
            tell(record_property, "life", made, SEED + number)


# Random moments.

SLOW = Settings(quotas=False, start_latency=(0.05, 0.5), latency=0.01)
WRITES = ("CreateOpportunity", "UpdateOpportunity", "AssociateOpportunity", "DisassociateOpportunity", audit.START)


@dataclass
class Season:
    """Sellers at work while the connector keeps dying. Everything random comes from one seed."""

    stage: Stage
    chance: random.Random
    deals: list[Deal] = field(default_factory=list)

    def enter(self) -> None:
        script = {"reason": "InternalError", "message": "try again"} if self.chance.random() < 0.2 else {}
        self.stage.world.sandbox.service.script_tasks(TaskScript(after=self.chance.choice([0.0, 0.0, 0.4]), **script))
        codes = self.chance.choice([None, "AmazonEC2Linux"])
        self.deals.append(Deal(self.stage.world.opportunity(AWS_Product_Codes__c=codes)))

    def work(self) -> None:
        """What happens between two deaths, or meanwhile: new records, edits, an answer that is lost."""
        self.enter()
        if self.chance.random() < 0.5:
            self.enter()
        self.edit()
        if self.chance.random() < 0.3:
            do = self.chance.choice(["reset", "status", "html", "truncate"])
            self.stage.world.sandbox.faults.add(on=self.chance.choice(WRITES), at="after", do=do, status=500)

    def edit(self) -> None:
        """A seller works on one of the latest records, which may be anywhere on its way."""
        deal = self.chance.choice(self.deals[-3:])
        self.stage.world.edit(deal.id, NextStep=f"Step {self.chance.randint(0, 9)}")
        if self.chance.random() < 0.5:
            self.stage.world.edit(deal.id, AWS_Solution_Ids__c=self.chance.choice(["S-0001111", "S-0001112"]))

    def finish(self) -> None:
        """Everything comes to its end, and nothing is wrong. Edits that came too late are told as waiting."""
        world, ids = self.stage.world, [deal.id for deal in self.deals]
        world.sandbox.faults.clear()
        context = world.context()
        context.ledger.wake(*context.key, None, context.now)
        self.stage.killer.settle(*ids)
        found = audit.always(world, ids)
        for deal in self.deals:
            record = world.record(deal.id)
            is_late = "Edits since then wait" in str(record["AWS_Sync_Message__c"])
            found += [] if is_late else audit.settled(world, self.stage.context, [deal])
            if is_late and world.at_aws(deal.id)[0]["LifeCycle"]["ReviewStatus"] != "Submitted":
                found.append(Complaint("lost", f"{deal.id} waits and was never submitted"))
        self.stage.complaints += found
        assert not found, found


@pytest.mark.parametrize("number", range(6 if PROVE else 1))
def test_the_daemon_dies_at_random_moments(tmp_path: Path, number: int, record_property: Tell) -> None:
    seed = SEED + number
    print(f"seed {seed}")
    with stage(tmp_path, SLOW) as made:
        season = Season(made, random.Random(seed))
        try:
            for _ in range(45 if PROVE else 5):
                season.work()
                pid = made.killer.start("run")
                if not made.killer.wait(pid, season.chance.uniform(0.1, 0.8)):
                    season.edit()
                    alive = made.killer.wait(pid, season.chance.uniform(0.0, 0.7))
                    assert not alive, alive
                    os.kill(pid, signal.SIGKILL)
                    assert made.killer.wait(pid)["signal"] == signal.SIGKILL
                    made.kills += 1
            season.finish()
        finally:
            tell(record_property, "random: forked daemon", made, seed)


@pytest.mark.parametrize("number", range(2 if PROVE else 1))
def test_the_command_dies_at_random_moments(tmp_path: Path, number: int, record_property: Tell) -> None:
    """``connector run`` as people start it, with its own pauses."""
    seed = SEED + 100 + number
    print(f"seed {seed}")
    with stage(tmp_path, SLOW) as made:
        season = Season(made, random.Random(seed))
        try:
            for _ in range(15 if PROVE else 2):
                season.work()
                with daemon(made.world) as process:
                    wait_until(lambda: "Running: sandbox" in log_of(made.world), "the daemon to start")
                    threading.Event().wait(season.chance.uniform(0.0, 1.2))
                    season.edit()
                    threading.Event().wait(season.chance.uniform(0.0, 1.2))
                    process.kill()
                    assert process.wait(timeout=10) == -signal.SIGKILL
                    made.kills += 1
            with daemon(made.world) as process:
                wait_until(lambda: "Running: sandbox" in log_of(made.world), "the daemon to start")
                process.terminate()
                assert process.wait(timeout=20) == 0, "it stops on time when it is asked to"
            season.finish()
        finally:
            tell(record_property, "random: connector run", made, seed)


@contextmanager
def daemon(made: World) -> Iterator[subprocess.Popen[bytes]]:
    """The real daemon, its log in the world's folder."""
    environment = {**os.environ, "CONNECTOR_CONFIG": str(made.config), "PYTHONPATH": str(ROOT)}
    with (made.folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "run"], cwd=made.folder, env=environment, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=10)


def log_of(made: World) -> str:
    return (made.folder / "daemon.log").read_text(encoding="utf-8")
