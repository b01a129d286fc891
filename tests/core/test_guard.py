"""The limits themselves: where each begins to stop, what it says, and what a release covers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.guard import (
    RELEASE_LASTS,
    CreatesPerDay,
    CreatesPerPass,
    Limits,
    MappingChange,
    MappingTally,
    Release,
    differences,
)
from connector.core.model import Association, Mapped

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CO_SELL = {"InvolvementType": "Co-Sell"}
DEAL = Mapped({"Project": {"Title": "Deal", "Needs": ["a", "b"]}}, (Association("Solutions", "S-1"),), CO_SELL)


@pytest.mark.parametrize(("created", "reached"), [(0, False), (499, False), (500, True), (501, True)])
def test_the_day_is_full_at_the_limit(created: int, reached: bool) -> None:
    guard = CreatesPerDay(500, created)
    assert guard.is_reached is reached
    for words in (f"{created} opportunities", "the limit is 500", "limits.creates_per_day", "resync --plan FILE"):
        assert words in str(guard.refusal())


@pytest.mark.parametrize(("waiting", "passed"), [(0, False), (100, False), (101, True)])
def test_a_pass_stops_past_the_limit(waiting: int, passed: bool) -> None:
    guard = CreatesPerPass(100, waiting, NOW)
    assert guard.is_passed is passed
    for words in (f"{waiting} new", "the limit is 100", "limits.creates_per_pass", "plan --out", "resync --plan FILE"):
        assert words in str(guard.refusal())


@pytest.mark.parametrize(
    ("changed", "linked", "share", "least", "unsafe"),
    [
        (2, 10, 0.2, 10, False),
        (3, 10, 0.2, 10, True),
        (9, 9, 0.2, 10, False),
        (9, 9, 0.2, 9, True),
        (0, 0, 0.0, 0, False),
        (1, 1000, 0.0, 10, True),
        (1000, 1000, 1.0, 10, False),
    ],
)
def test_a_changed_mapping_stops_past_its_share(
    changed: int, linked: int, share: float, least: int, unsafe: bool
) -> None:
    change = MappingChange("digest", changed, linked, ("Project.Title",), NOW)
    assert change.is_unsafe(Limits(mapping_change_share=share, mapping_change_min_links=least)) is unsafe


def test_its_refusal_has_count_limit_fields_and_the_way_out() -> None:
    told = str(MappingChange("digest", 30, 40, ("Project.Title", "LifeCycle.NextSteps"), NOW).refusal(Limits()))
    for words in (
        "changed mapping gives other values for 30 of 40 linked records (75 %)",
        "the limit is 20 %",
        "Project.Title, LifeCycle.NextSteps",
        "connector plan --out FILE",
        "connector resync --plan FILE",
        "undo the change",
        "limits.mapping_change_share",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("after", "paths"),
    [
        (DEAL, []),
        (Mapped({"Project": {"Title": "New", "Needs": ["a", "b"]}}, DEAL.associations, CO_SELL), ["Project.Title"]),
        (Mapped({"Project": {"Title": "Deal", "Needs": ["a"]}}, DEAL.associations, CO_SELL), ["Project.Needs"]),
        (Mapped({}, DEAL.associations, CO_SELL), ["Project.Needs", "Project.Title"]),
        (Mapped(DEAL.opportunity, (), CO_SELL), ["RelatedEntityIdentifiers.Solutions"]),
        (Mapped(DEAL.opportunity, DEAL.associations, None), ["AwsSubmission.InvolvementType"]),
    ],
)
def test_what_is_sent_otherwise_is_told_by_path(after: Mapped, paths: list[str]) -> None:
    assert [change.path for change in differences(DEAL, after)] == paths
    assert [change.path for change in differences(after, DEAL)] == paths


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(before=st.dictionaries(st.sampled_from("ab"), VALUES), after=st.dictionaries(st.sampled_from("ab"), VALUES))
def test_the_same_fingerprint_has_no_differences(before: dict[str, Any], after: dict[str, Any]) -> None:
    one, other = Mapped(before), Mapped(after)
    if one.fingerprint == other.fingerprint:
        assert differences(one, other) == ()
    for change in differences(one, other):
        assert change.before != change.after


def test_a_tally_counts_what_changes_and_names_the_fields_that_change_most() -> None:
    tally = MappingTally()
    renamed = Mapped({"Project": {"Title": "New", "Needs": ["a", "b"]}}, DEAL.associations, CO_SELL)
    for after in (DEAL, renamed, renamed, Mapped(renamed.opportunity, (), CO_SELL)):
        tally.add(DEAL, after)
    change = tally.total("digest", NOW)
    assert (change.changed, change.linked, change.digest, change.at) == (3, 4, "digest", NOW)
    assert change.fields == ("Project.Title", "RelatedEntityIdentifiers.Solutions")


def test_what_is_kept_in_the_ledger_reads_back_the_same() -> None:
    change = MappingChange("digest", 3, 4, ("Project.Title",), NOW)
    assert MappingChange.from_text(change.to_text()) == change
    assert CreatesPerPass.from_text(CreatesPerPass(1, 2, NOW).to_text()) == CreatesPerPass(1, 2, NOW)
    assert MappingChange.from_text("") is None
    assert CreatesPerPass.from_text("") is None


def test_a_release_covers_exactly_what_it_was_given_for_and_not_for_ever() -> None:
    first = Release.from_text("", NOW).and_also({"A": "content of A", "B": "content of B"}, NOW)
    again = Release.from_text(first.to_text(), NOW).and_also({"B": "new content of B"}, NOW + timedelta(days=1))
    assert again.covers("A", "content of A")
    assert not again.covers("A", "other content of A")
    assert not again.covers("B", "content of B")
    assert again.covers("B", "new content of B")
    assert not again.covers("C", "")
    later = Release.from_text(again.to_text(), NOW + RELEASE_LASTS)
    assert set(later.records) == {"B"}
