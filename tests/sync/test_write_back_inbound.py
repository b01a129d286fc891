"""Inbound fields never go back and forth: any order of AWS's edits, a seller's edits, pulls, plans and write-backs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.adapters.ledger import Ledger, open_engine, schema
from connector.core.given import base_of
from connector.core.model import Link, Structure
from connector.core.plan import Settled
from connector.core.selection import Selection, to_id18
from connector.ports import FieldInfo, RowResult, RowUpdate
from connector.resources import packaged
from connector.sync import Context, guards, write_back
from connector.sync.pull import store
from connector.sync.rests import rest_of
from tests import databases
from tests.core.small_mapping import compiled

FIELD = "Field__c"
KINDS = {
    "a fact of AWS's summary": ("Project: {Title: Name}", "aws.LifeCycle.NextSteps"),
    "a path that AWS decides": (
        f"LifeCycle: {{NextSteps: {{from: {FIELD}, owner: aws}}}}",
        "opportunity.LifeCycle.NextSteps",
    ),
    "a path that Salesforce decides": (f"LifeCycle: {{NextSteps: {FIELD}}}", "opportunity.LifeCycle.NextSteps"),
}
NUMBERS = itertools.count(1)


class Ticking:
    """A clock that never shows the same instant twice."""

    def __init__(self) -> None:
        self._now = datetime(2027, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass
class Org:
    """Salesforce, as far as a write-back needs it; ``writes`` counts what was sent by record."""

    records: dict[str, Structure] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    fields: dict[str, FieldInfo] = field(default_factory=lambda: {FIELD: FieldInfo(FIELD, "string", 255)})

    def describe(self, sobject: str) -> Mapping[str, FieldInfo]:
        return self.fields

    def fetch(self, selection: Selection, salesforce_ids: Sequence[str]) -> list[Structure]:
        return [dict(self.records[one]) for one in salesforce_ids if one in self.records]

    def write(self, sobject: str, rows: Sequence[RowUpdate]) -> list[RowResult]:
        for row in rows:
            self.records[row.salesforce_id] |= row.fields
            self.writes[row.salesforce_id] += FIELD in row.fields
        return [RowResult(row.salesforce_id) for row in rows]


class Aws:
    """Partner Central, of which only the catalog is asked."""

    catalog = "Sandbox"


class Contexts(dict[str, Context]):
    """By kind of fact; short in the report of a failure."""

    def __repr__(self) -> str:
        return f"Contexts({', '.join(self)})"


@pytest.fixture(scope="module", name="contexts")
def _contexts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contexts]:
    """One context for each kind of fact, all on one ledger."""
    with databases.database(tmp_path_factory.mktemp("inbound")) as url:
        engine = open_engine(url)
        schema.upgrade(engine, packaged("migrations"))
        made = Contexts()
        for kind, (tree, fact) in KINDS.items():
            mapping = compiled(tree, f"inbound: {{{FIELD}: {fact}}}\n")
            org, aws, ledger = Org(), Aws(), Ledger(engine)
            made[kind] = Context(kind, mapping, org, aws, ledger, Ticking(), kind)  # type: ignore[arg-type]
            guards.accept_mapping(made[kind])
        yield made
        engine.dispose()


@dataclass
class Story:
    """One record, both sides' last words, and what the connector has seen of them.

    ``is_seen``: the seller's last edit was read, and agreed on where Salesforce decides, before AWS's last one.
    """

    context: Context
    key: str
    last: str = ""
    is_unread: bool = False
    is_seen: bool = True
    said: dict[str, str] = field(default_factory=dict)
    written_before: int = 0

    @property
    def org(self) -> Org:
        assert isinstance(self.context.salesforce, Org)
        return self.context.salesforce

    @property
    def link(self) -> Link:
        link = self.context.ledger.find(*self.context.key, self.key)
        assert link is not None
        return link

    def tell(self, **changes: Any) -> None:
        self.context.ledger.change(self.link, self.context.now, **changes)

    def aws(self, value: str) -> None:
        self._said("aws", value)
        self.is_seen = not self.is_unread
        if self.context.mapping.inbound[0].facts[0].startswith("aws."):
            self.tell(aws={"LifeCycle": {"NextSteps": value}})
        else:
            self.tell(existing={"Id": "O", "LifeCycle": {"NextSteps": value}})

    def seller(self, value: str) -> None:
        self._said("seller", value)
        self.is_unread = True
        self.org.records[self.key][FIELD] = value

    def _said(self, side: str, value: str) -> None:
        self.said[side] = value
        self.last = side
        self.written_before = self.org.writes[self.key]

    def pull(self) -> None:
        store(self.context, [dict(self.org.records[self.key])])
        if self.context.mapping.owned_paths != frozenset({"LifeCycle.NextSteps"}):
            self.is_unread = False

    def plan(self) -> None:
        """What advance does: edits of paths that Salesforce decides go to AWS, then the link rests."""
        link = self.link
        assert link.mapped is not None
        wanted = link.mapped.opportunity
        if "LifeCycle.NextSteps" in self.context.mapping.owned_paths and wanted != base_of(link):
            self.tell(existing={"Id": "O", **wanted}, base=wanted)
        if wanted.get("LifeCycle") == {"NextSteps": self.org.records[self.key][FIELD]}:
            self.is_unread = False
        link = self.link
        self.context.ledger.rest([(link, rest_of(self.context, link, Settled("Agreed.")))], self.context.now)

    def write(self) -> None:
        write_back(self.context)

    @property
    def writes_since(self) -> int:
        return self.org.writes[self.key] - self.written_before

    @property
    def shows(self) -> Any:
        return self.org.records[self.key][FIELD]


def begin(context: Context) -> Story:
    """A record that both sides agree on."""
    story = Story(context, to_id18(f"006{next(NUMBERS):012d}"))
    story.org.records[story.key] = {"Id": story.key, "Name": "Deal", FIELD: "begun"}
    story.pull()
    agreed = {"LifeCycle": {"NextSteps": "begun"}}
    story.tell(opportunity_id=f"O{story.key}", existing={"Id": "O", **agreed}, base=agreed, aws=agreed)
    story.plan()
    story.write()
    assert story.shows == "begun"
    return story


STEPS = st.lists(st.sampled_from(["aws", "seller", "pull", "plan", "write", "plan", "write"]), max_size=14)


@pytest.mark.parametrize("kind", list(KINDS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_both_sides_come_to_rest_and_the_last_word_stands(contexts: Contexts, kind: str, steps: list[str]) -> None:
    story = begin(contexts[kind])
    for number, step in enumerate(steps):
        if step in {"aws", "seller"}:
            getattr(story, step)(f"{step} {number}")
        else:
            getattr(story, step)()
    for _ in range(3):
        story.pull()
        story.plan()
        story.write()
    assert story.writes_since <= 1
    before = story.org.writes[story.key]
    for _ in range(2):
        story.pull()
        story.plan()
        story.write()
    assert story.org.writes[story.key] == before, "at rest"
    if story.last == "seller":
        assert story.shows == story.said["seller"]
    elif story.last == "aws" and story.is_seen:
        assert story.shows == story.said["aws"]
    else:
        assert story.shows in {"begun", *story.said.values()}


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_edit_made_right_before_the_write_stays(contexts: Contexts, kind: str) -> None:
    story = begin(contexts[kind])
    story.aws("from AWS")
    story.plan()
    story.seller("mine")
    story.write()
    assert (story.shows, story.writes_since) == ("mine", 0)
    assert story.link.shown[FIELD] == "mine", "the record was stored as it is"
    for _ in range(2):
        story.plan()
        story.write()
    assert (story.shows, story.writes_since) == ("mine", 0)
    story.pull()
    story.plan()
    story.aws("news")
    story.plan()
    story.write()
    assert (story.shows, story.writes_since) == ("news", 1)


def test_a_record_that_is_gone_or_unflagged_is_given_nothing(contexts: Contexts) -> None:
    story = begin(contexts["a fact of AWS's summary"])
    story.aws("from AWS")
    story.plan()
    gone = story.org.records.pop(story.key)
    story.write()
    assert gone[FIELD] == "begun"
    assert story.link.taken == {FIELD: "begun"}
    story.org.records[story.key] = gone
    story.context.ledger.set_presence(*story.context.key, {story.key: "unflagged"}, story.context.now)
    story.plan()
    story.write()
    assert story.shows == "begun"


def test_what_salesforce_shows_already_is_noted_and_not_sent(contexts: Contexts) -> None:
    story = begin(contexts["a fact of AWS's summary"])
    story.seller("the same")
    story.pull()
    story.aws("the same")
    story.plan()
    story.write()
    assert (story.writes_since, story.link.taken) == (0, {FIELD: "the same"})


def test_what_was_given_is_no_edit_when_it_is_read_and_undoes_nothing(contexts: Contexts) -> None:
    story = begin(contexts["a path that Salesforce decides"])

    def at_aws() -> Any:
        return (story.link.existing or {})["LifeCycle"]["NextSteps"]

    for value, reads in (("first", True), ("second", False), ("third", False), ("fourth", True)):
        story.aws(value)
        story.plan()
        story.write()
        if reads:
            story.pull()
        story.plan()
        assert (story.shows, at_aws()) == (value, value)
    for value in ("fifth", "fourth"):  # AWS takes it back before what was given is read
        story.aws(value)
        story.plan()
        story.write()
    story.pull()
    story.plan()
    assert (story.shows, at_aws()) == ("fourth", "fourth")
    for value in ("mine", "third", "fourth", "begun", "fifth"):
        story.write()
        story.seller(value)
        story.pull()
        story.plan()
        assert (story.shows, at_aws()) == (value, value), "an edit like any other"


def test_a_field_that_may_not_be_written_keeps_what_is_due_until_it_may(contexts: Contexts) -> None:
    story = begin(contexts["a fact of AWS's summary"])
    granted, story.org.fields = story.org.fields, {FIELD: FieldInfo(FIELD, "string", 255, updateable=False)}
    story.aws("from AWS")
    story.plan()
    story.write()
    assert (story.shows, story.link.taken) == ("begun", {FIELD: "begun"})
    story.org.fields = granted
    story.pull()
    story.plan()
    story.write()
    assert story.shows == "from AWS"
