"""What a plan calls complete AWS takes, and what it holds AWS would have refused: thousands of random records.

The sandbox judges by tables of its own. Where the two disagree one of them is wrong, but for what stands in the three
tables below.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.edits import Policy
from connector.core.mapping import CompiledMapping, compile_mapping, map_record
from connector.core.model import Link, Mapped, Problem
from connector.core.plan import Attach, Create, Hold, Settled, Submit, plan_link
from connector.core.rules import ASSOCIATIONS, CREATE, SUBMISSION, Facts
from connector.mapping_files import transforms
from connector.resources import packaged
from connector.sandbox.partner_central.service import PartnerCentral
from connector.sandbox.partner_central.settings import Settings
from tests import random_bodies as bodies
from tests import random_records as records
from tests.judged import (
    Ask,
    Parcel,
    Refusal,
    Talk,
    in_process,
    is_named,
    named,
    over_http,
    plain,
    send,
    shown,
    would_send,
)
from tests.random_records import Record
from tests.sandbox.partner_central_bench import COMPLETE, START
from tests.sandbox.partner_central_bench import Bench as Server

PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
SEED = int(os.environ.get("CONNECTOR_SEED", "20261122"))
TIMES = 10 if PROVE else 1
RECORDS, BODIES, OVER_HTTP = 3_000 * TIMES, 2_400 * TIMES, 150 * TIMES
TODAY = START.date()

HELD_ON_PURPOSE = {
    ("customer.account.websiteUrl", "transform"): (
        "AWS's model takes any 4 to 255 characters. But AWS finds its own record of the customer by the web address, "
        "and its field sheet calls it a URL: what is none would be taken, and lead nowhere."
    ),
}
"""Problems, by path and code, that hold a record although AWS would take it as it is."""
ONLY_AWS_KNOWS = {
    "relatedEntityIdentifiers.solutions": "which solutions the partner has",
    "relatedEntityIdentifiers.awsProducts": "which product codes there are today",
    "project.relatedOpportunityIdentifier": "which opportunities are the partner's",
}
"""Fields whose well-formed value AWS may refuse, since only AWS knows whether there is such a thing."""
NOT_KNOWN = ("is not a known entity", "is not an opportunity of yours")
RESTS_ON = {
    "customer.account.address.postalCode": "customer.account.address.countryCode",
    "customer.account.address.stateOrRegion": "nationalSecurity",
    "customer.account.otherIndustry": "customer.account.industry",
    "customer.account.websiteUrl": "nationalSecurity",
    "marketing.": "marketing.source",
    "nationalSecurity": "customer.account.industry",
    "project.otherCompetitorNames": "project.competitorName",
    "relatedEntityIdentifiers.awsMarketplaceOfferSets": "relatedEntityIdentifiers.awsMarketplaceOffers",
    "awsSubmission.involvementType": "nationalSecurity",
    "awsSubmission.visibility": "awsSubmission.involvementType",
}
"""What is told beside a wrong value that decides about it: whether it stays depends on what that is mended to."""


@dataclass
class Bench:
    """A mapping, AWS, and what was seen."""

    mapping: CompiledMapping
    ask: Ask
    counted: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def judge(self, record: Record, base: Record, flaws: tuple[records.Flaw, ...]) -> Mapped:
        """Compare what the plan and AWS say of a record; ``base`` is the complete one it was made of."""
        mapped = map_record(self.mapping, record, TODAY)
        actions = plan_link(Link(1, "c", "Sandbox", record.get("Id", ""), mapped=mapped), Policy(), START)
        if isinstance(actions[0], Hold):
            assert actions[0].problems == mapped.problems
            found = self._on_held(record, mapped, base, is_single=len(flaws) == 1)
        else:
            end = Settled if mapped.submission is None else Submit
            assert [type(action) for action in actions] == [Create, *[Attach] * len(mapped.associations), end]
            found = self._on_complete(mapped)
        for words in found:
            self.found.append(f"{words}\nflaws: {flaws}\nrecord: {shown(record)}")
        return mapped

    def parcel(self, record: Record) -> Parcel:
        return to_parcel(map_record(self.mapping, record, TODAY))

    def _on_complete(self, mapped: Mapped) -> Iterator[str]:
        self.counted["complete"] += 1
        refusals = send(self.ask, to_parcel(mapped))
        self.counted["unknown to AWS"] += bool(refusals)
        for refusal in refusals:
            if not is_unknown(refusal):
                yield f"The plan calls it complete, and AWS refuses {refusal.operation}: {refusal.words}"

    def _on_held(self, record: Record, mapped: Mapped, base: Record, *, is_single: bool) -> Iterator[str]:
        self.counted["held"] += 1
        parcel, problems = would_send(self.mapping, record, mapped), mapped.problems
        refusals = [one for one in send(self.ask, parcel) if not is_unknown(one) or is_foreseen(one, problems)]
        telling = [problem for problem in problems if not is_on_purpose(problem)]
        told = "; ".join(f"{problem.path} ({problem.code}) {problem.message}" for problem in problems)
        self.counted["one flaw"] += is_single
        if not refusals:
            self.counted["held on purpose"] += not telling
            if telling:
                yield f"It is held, and AWS takes it: {told}"
        elif refusals[0].operation != START_TASK and all(problem.blocks == "submit" for problem in problems):
            yield f"Only the submission is said to be in the way, and AWS refuses {refusals[0]}: {told}"
        elif refusals[0].operation == START_TASK and any(problem.blocks == "create" for problem in telling):
            yield f"The create is said to be refused, and AWS takes it: {told}"
        elif is_single and (left := self._unproven(parcel, base, problems)):
            yield f"It is held, and AWS says nothing of {left}: {refusals}"

    def _unproven(self, parcel: Parcel, base: Record, problems: tuple[Problem, ...]) -> list[str]:
        talk = Talk(self.ask, self.parcel(base))
        left = [problem for problem in talk.unproven(parcel, problems) if not is_on_purpose(problem)]
        fields = named(talk.said)
        return [problem.path for problem in left if not rests_on(plain(problem.path), fields)]

    def conclude(self, record_property: Callable[[str, object], None]) -> None:
        """Tell the figures, and fail with the first disagreements."""
        print(f"seed {SEED}", dict(self.counted))
        record_property("figures", json.dumps({"both ways": True, "seed": SEED, **self.counted}))
        listed = "\n\n".join(self.found[:3])
        assert not self.found, f"seed {SEED}: {len(self.found)} disagreements, the first of them:\n{listed}"


START_TASK = "StartEngagementFromOpportunityTask"


def to_parcel(mapped: Mapped) -> Parcel:
    return Parcel(mapped.opportunity, mapped.associations, mapped.submission)


def is_unknown(refusal: Refusal) -> bool:
    """Whether AWS only says that it does not know what is named."""
    return ONLY_AWS_KNOWS.keys() >= set(refusal.fields) and any(words in refusal.words for words in NOT_KNOWN)


def is_foreseen(refusal: Refusal, problems: tuple[Problem, ...]) -> bool:
    """Whether we have something against it as well."""
    return any(is_named(problem, set(refusal.fields)) for problem in problems)


def rests_on(path: str, fields: set[str]) -> bool:
    """Whether AWS named what decides about it."""
    return any(path.startswith(start) and decides in fields for start, decides in RESTS_ON.items())


def is_on_purpose(problem: Problem) -> bool:
    return (plain(problem.path), problem.code) in HELD_ON_PURPOSE


@cache
def default_mapping() -> CompiledMapping:
    return compiled(default_text())


def default_text() -> str:
    return packaged("mappings/opportunity.yaml").read_text(encoding="utf-8")


def compiled(text: str) -> CompiledMapping:
    mapping, problems = compile_mapping(yamlfile.parse(text, "mapping.yaml"), mapping_shapes(), transforms())
    assert mapping is not None, [str(problem) for problem in problems]
    return mapping


def make_ask() -> Ask:
    return in_process(PartnerCentral(Settings(quotas=False), lambda: START))


def make_parent(ask: Ask) -> str:
    """An opportunity of the partner's, for what renews one."""
    return str(ask("CreateOpportunity", {**COMPLETE, "ClientToken": "parent"})["Id"])


def drawn(random: Random, every: tuple[records.Flaw, ...], number: int) -> Iterator[tuple[records.Flaw, ...]]:
    """A third without a flaw, a third with one, each in its turn, a third with several."""
    for index in range(number):
        if index % 3 == 1:
            yield (every[index // 3 % len(every)],)
        else:
            yield tuple(random.sample(every, random.randint(2, 4))) if index % 3 else ()


def run_records(bench: Bench, number: int) -> None:
    random, parent = Random(SEED), make_parent(bench.ask)
    for flaws in drawn(random, records.EVERY_FLAW, number):
        base = records.complete(random, TODAY, parent)
        mapped = bench.judge(records.with_flaws(random, base, flaws), base, flaws)
        assert flaws or not mapped.problems, f"a record without a flaw: {mapped.problems}\n{shown(base)}"


def test_the_default_mapping_and_aws_agree(record_property: Callable[[str, object], None]) -> None:
    bench = Bench(default_mapping(), make_ask())
    run_records(bench, RECORDS)
    bench.conclude(record_property)
    assert bench.counted["complete"] > RECORDS / 3
    assert bench.counted["held"] > RECORDS / 3
    assert bench.counted["one flaw"] > RECORDS / 10
    assert bench.counted["held on purpose"]
    assert bench.counted["unknown to AWS"]


def test_they_agree_over_http_as_well(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    with Server(tmp_path) as server:
        bench = Bench(default_mapping(), over_http(server.server.url, str(server.server.ca_bundle)))
        run_records(bench, OVER_HTTP)
        bench.conclude(record_property)


def test_what_is_created_and_not_submitted_yet(record_property: Callable[[str, object], None]) -> None:
    """Nothing is in its way but what the create and the associations are refused for."""
    text = default_text().replace("\nsubmission:\n", "\nsubmission:\n  when: AWS_Submit__c = TRUE\n")
    bench = Bench(compiled(text), make_ask())
    run_records(bench, RECORDS // 5)
    bench.conclude(record_property)
    assert bench.counted["complete"] > bench.counted["held"] > 0


def test_a_mapping_that_passes_everything_on_and_aws_agree(record_property: Callable[[str, object], None]) -> None:
    create = mapping_shapes().create
    bench = Bench(compiled(bodies.mapping_text(create)), make_ask())
    random, parent = Random(SEED), make_parent(bench.ask)
    default = Bench(default_mapping(), bench.ask)
    every = tuple((path, value) for path, values in bodies.flaws(create).items() for value in values)
    hit, codes = set(), Counter[str]()
    for flaws in drawn(random, every, BODIES):
        base = bodies.to_record(default.parcel(records.complete(random, TODAY, parent)))
        mapped = bench.judge(bodies.with_flaws(random, base, flaws), base, flaws)
        assert flaws or not mapped.problems, f"a record without a flaw: {mapped.problems}\n{shown(base)}"
        facts = Facts(mapped.opportunity, TODAY, mapped.associations, mapped.submission)
        hit |= {rule for rule in RULES if any(rule(facts))}
        codes.update(problem.code for problem in mapped.problems)
    bench.conclude(record_property)
    assert bench.counted["complete"] > BODIES / 3
    # Every rule found something, and every kind of problem of the field table that a mapping can let by.
    assert [rule for rule in RULES if rule not in hit] == []
    assert {"type", "required", "max", "enum", "pattern", "length"} <= codes.keys()


RULES = (*CREATE, *ASSOCIATIONS, *SUBMISSION)


def test_a_disagreement_is_found() -> None:
    """The test of the test: a rule that one of the two lacks, either way."""
    bench = Bench(default_mapping(), make_ask())
    random = Random(SEED)
    base = records.complete(random, TODAY, make_parent(bench.ask))
    for flaw, said in (("AWS_Cost_Center__c", "Tags"), ("Amount", "Amount")):
        value = {"AWS_Cost_Center__c": "R&D", "Amount": 0}[flaw]
        deaf = Bench(bench.mapping, lambda operation, body: {"Id": "O1", "TaskStatus": "COMPLETE"})
        deaf.judge({**base, "AWS_Estimation_Url__c": None, flaw: value}, base, ((flaw, value),))
        assert "AWS takes it" in deaf.found[0]
        assert said in deaf.found[0]
    strict = Bench(bench.mapping, in_process(PartnerCentral(Settings(quotas=False, registered=False), lambda: START)))
    strict.judge(base, base, ())
    assert "The plan calls it complete, and AWS refuses CreateOpportunity" in strict.found[0]
