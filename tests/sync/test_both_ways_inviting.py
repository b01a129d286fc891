"""The same both ways for invitations: what is held AWS would refuse, and what is not it takes.

The opportunities are complete; what their rows say, and what stands in for it, need not be in order.
"""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.mapping import CompiledMapping, compile_mapping, join, map_record
from connector.core.mapping.evaluation import Failure, Pass, rows_of
from connector.core.mapping.nodes import Leaf, leaves_of
from connector.core.model import Invitation, Problem, Structure
from connector.core.rules import INVITATION as RULES
from connector.core.rules import Facts
from connector.mapping_files import transforms
from connector.resources import packaged
from connector.sandbox.partner_central.service import PartnerCentral
from connector.sandbox.partner_central.settings import Settings
from tests import random_records as records
from tests.judged import CATALOG, FAILED_LEAF, Ask, Refused, first_of, in_process, is_named, mend, plain, put, shown
from tests.sandbox.partner_central_bench import CO_SELL, COMPLETE, INVITATION, START

PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
SEED = int(os.environ.get("CONNECTOR_SEED", "20261122"))
RECORDS = 4_000 if PROVE else 400
TODAY = START.date()
ROWS = "AWS_Partner_Invitations__r"
PAYLOAD = "invitation.payload.opportunityInvitation"

TOKENS = map(str, count(1))
BESIDE = ("twice", "members")
"""Codes of what is wrong with an invitation only because of those above it."""
HELD_ON_PURPOSE = {
    (f"{PAYLOAD}.customer.websiteUrl", "transform"): (
        "AWS's pattern takes what looks a little like a web address; by it the partner is to find the customer."
    ),
    (f"{PAYLOAD}.senderContacts.email", "transform"): (
        "AWS's pattern takes an address without a dot here, and only here: the partner could not write to it."
    ),
    ("invitation.receiver.account.awsAccountId", "transform"): (
        "AWS's pattern takes any twelve letters and digits, or fewer. Partners know each other by their account ids; "
        "with a digit missing one invites nobody."
    ),
}
"""Problems, by path and code, that hold an invitation although AWS would take it as it is."""

FLAWS: Mapping[str, tuple[Any, ...]] = {
    "Partner_AWS_Account__c": (None, "", "1234", "44445555666", "4444-5555-6667", "partner1", "4444555566667", "a-b"),
    "Partner_Name__c": (None, " ", "x" * 80, "x" * 81),
    "Message__c": (None, " ", "x" * 255, "x" * 256, "<b>Join</b> us"),
    "Responsibilities__c": (None, ";", "Reseller;Nobody", "reseller", "Reseller;Distributor"),
    "Company_Name__c": ("x" * 121, "\u200b"),
    "Country__c": ("Narnia", "KP", "Deutschland", "AN"),
    "Industry__c": ("Computers & Electronics", "Mining", "mining"),
    "Website__c": (
        "no address", "münchen.example", "10.0.0.1", "a.example/p?q=1", "a_b.example", "a.example/" + "x" * 260,
    ),
    "Project_Title__c": ("x" * 256, " "),
    "Business_Problem__c": ("short", "x" * 20, f"{'x' * 19} "),
    "Target_Completion_Date__c": ("2027-02-30", "2020-01-01", "soon"),
    "Expected_Amount__c": (-1, 0, "much", 10**32, 0.004),
    "Currency__c": ("usd", "GBP", "EUR"),
    "Target_Company__c": ("x" * 81, "Somebody"),
    "Estimation_Url__c": ("https://a.example", records.ESTIMATE + "f" * 32),
    "Sender_Email__c": ("a@b", "A@B.example", "two@a.example, b@c.example", "x" * 75 + "@a.example", "a@b..example"),
    "Sender_Last_Name__c": ("Invites", "x" * 81),
    "Sender_Phone__c": ("12", "+123", "(415) 555-2671", "+0123"),
    "Engagement_Id__c": ("eng-x", "arn:aws:partnercentral:::x", "ENG-0123456789ABCD"),
}  # fmt: skip
EVERY_FLAW = tuple((name, value) for name, values in FLAWS.items() for value in values)


def make_mapping() -> CompiledMapping:
    names = ("mappings/opportunity.yaml", "mappings/invitations.yaml")
    documents = [yamlfile.parse(packaged(name).read_text(encoding="utf-8"), name) for name in names]
    mapping, problems = compile_mapping(join(documents), mapping_shapes(), transforms())
    assert mapping is not None, [str(problem) for problem in problems]
    return mapping


def make_rows(random: Random) -> list[records.Record]:
    """Rows in the order of their ids, some of them with a flaw or two; at times the same partner again, or too many."""
    rows: list[records.Record] = []
    for number in range(random.choice((1, 1, 1, 2, 3, 3, 11))):
        row: records.Record = {
            "Id": f"a010000000000{number:02}AAA",
            "CreatedDate": "2027-01-14T10:00:00.000+0000",
            "Partner_Name__c": random.choice(("Pipe Services", "Ü-Dienste")),
            "Partner_AWS_Account__c": f"4444555566{number:02}",
            "Message__c": "You know these installations better than we do.",
            "Responsibilities__c": random.choice(("Reseller", "Services Partner;Reseller")),
        }
        if number and random.random() < 0.2:
            row["Partner_AWS_Account__c"] = rows[0]["Partner_AWS_Account__c"]
        row |= dict(random.sample(EVERY_FLAW, random.choice((0, 0, 1, 1, 2))))
        rows.append(row)
    return rows


@dataclass
class Bench:
    mapping: CompiledMapping
    ask: Ask
    counted: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    hit: set[object] = field(default_factory=set)
    on_purpose: set[tuple[str, str]] = field(default_factory=set)

    def judge(self, record: records.Record) -> None:
        """Submit the opportunity and send its invitations, also those that are held, with what they would have said."""
        assert self.mapping.invitations is not None
        mapped = map_record(self.mapping, record, TODAY)
        assert not mapped.problems
        shared = self._engagement()
        rows = rows_of(self.mapping.invitations, record)
        for index, (invitation, row) in enumerate(zip(mapped.invitations, rows, strict=True)):
            earlier = {one.receiver for one in mapped.invitations[:index]} - {""}
            for words in self._compare(record, row, invitation, shared, earlier):
                self.found.append(f"{words}\nrow: {shown(row)}\nof: {shown({**record, ROWS: len(rows)})}")

    def _engagement(self, receivers: Iterable[str] = ()) -> str:
        """One of an opportunity that was submitted, with these partners invited."""
        identifier = self.ask("CreateOpportunity", {**COMPLETE, "ClientToken": next(TOKENS)})["Id"]
        start = {"Catalog": CATALOG, "ClientToken": next(TOKENS), "Identifier": identifier, "AwsSubmission": CO_SELL}
        engagement = str(self.ask("StartEngagementFromOpportunityTask", start)["EngagementId"])
        for receiver in sorted(receivers):
            with suppress(Refused):  # the engagement is full
                self._invite({**INVITATION, "Receiver": {"Account": {"AwsAccountId": receiver}}}, engagement)
        return engagement

    def _invite(self, invitation: Structure, engagement: str) -> None:
        body = {"Catalog": CATALOG, "ClientToken": next(TOKENS), "EngagementIdentifier": engagement}
        self.ask("CreateEngagementInvitation", {**body, "Invitation": invitation})

    def _compare(
        self, record: Structure, row: Structure, invitation: Invitation, shared: str, earlier: set[str]
    ) -> Iterator[str]:
        """A held one goes into an engagement of its own, in which only the partners of the rows above are invited."""
        problems = invitation.problems
        self.hit |= {rule for rule in RULES if any(rule(Facts(invitation.body, TODAY)))}
        self.hit |= {problem.code for problem in problems}
        self.counted["held" if problems else "complete"] += 1
        is_beside = any(problem.code in BESIDE for problem in problems)
        engagement = self._engagement(earlier if is_beside else ()) if problems else shared
        said = list(self._talk(self._would_send(record, row, invitation), invitation.engagement_id, engagement))
        if not problems and said:
            yield f"It is not held, and AWS refuses it: {said[0]}"
        fields = {name for error in said for name in error.fields}
        left = [problem for problem in problems if not is_known_to_aws(problem, fields, said)]
        self.on_purpose |= {place for problem in left if (place := place_of(problem)) in HELD_ON_PURPOSE}
        if left := [problem for problem in left if place_of(problem) not in HELD_ON_PURPOSE]:
            yield f"It is held, and AWS says nothing of {left}: {said}"

    def _talk(self, invitation: Structure, named: str, engagement: str) -> Iterator[Refused]:
        """What AWS refuses, while what it names is mended."""
        for _ in range(8):
            try:
                self._invite(invitation, named or engagement)
            except Refused as error:
                yield error
                if not error.fields:
                    return
                named = "" if "engagementIdentifier" in error.fields else named
                invitation = mended(invitation, error.fields)
            else:
                return

    def _would_send(self, record: Structure, row: Structure, invitation: Invitation) -> Structure:
        body = {"Invitation": copy.deepcopy(invitation.body)}
        for problem in invitation.problems:
            if problem.code in FAILED_LEAF and not problem.path.startswith("EngagementIdentifier"):
                put(body, problem.path, self._raw(record, row, problem.path))
        invited: Structure = body["Invitation"]
        return invited

    def _raw(self, record: Structure, row: Structure, path: str) -> Any:
        """What stands on the row where a value could not be made, or what the opportunity has in its stead."""
        assert self.mapping.invitations is not None
        pass_ = Pass(record)
        for leaf in self.mapping.leaves:
            pass_.known[leaf.path] = pass_.evaluate(leaf, record)
        leaves = leaves_of(self.mapping.invitations.items[0].tree)
        for leaf in (leaf for leaf in leaves if plain(leaf.path) == plain(path)):
            if isinstance(pass_.evaluate(leaf, row), Failure):
                return first_of(leaf, row) or first_of(like(leaf), record)
        raise AssertionError(f"no leaf fails at {path}")


def like(leaf: Leaf) -> Leaf:
    assert leaf.like is not None
    return leaf.like


def mended(body: Structure, fields: tuple[str, ...]) -> Structure:
    """The invitation with what a complete one has in these fields; a list goes as a whole."""
    whole = {"Invitation": copy.deepcopy(body)}
    for name in fields:
        mend(whole, {"Invitation": INVITATION}, name.split("."))
    invited: Structure = whole["Invitation"]
    return invited


def is_known_to_aws(problem: Problem, fields: set[str], said: list[Refused]) -> bool:
    """Whether AWS has it too, in a field that it names or as a conflict."""
    if problem.code in BESIDE:
        return any(not error.fields for error in said)
    return is_named(problem, fields)


def place_of(problem: Problem) -> tuple[str, str]:
    return plain(problem.path), problem.code


def test_invitations_and_aws_agree(record_property: Callable[[str, object], None]) -> None:
    random = Random(SEED)
    ask = in_process(PartnerCentral(Settings(quotas=False), lambda: START))
    parent = str(ask("CreateOpportunity", {**COMPLETE, "ClientToken": "parent"})["Id"])
    bench = Bench(make_mapping(), ask)
    for _ in range(RECORDS):
        bench.judge({**records.complete(random, TODAY, parent), ROWS: make_rows(random)})
    print(f"seed {SEED}", dict(bench.counted))
    record_property("figures", json.dumps({"both ways": True, "seed": SEED, **bench.counted}))
    listed = "\n\n".join(bench.found[:3])
    assert not bench.found, f"seed {SEED}: {len(bench.found)} disagreements, the first of them:\n{listed}"
    assert bench.on_purpose == HELD_ON_PURPOSE.keys()
    assert min(bench.counted["held"], bench.counted["complete"]) > RECORDS / 2
    assert {"required", "enum", "pattern", "length", "transform", "twice", "members"} <= bench.hit
