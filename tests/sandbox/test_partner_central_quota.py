"""Quotas: rates and daily windows, per account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from partner_central_bench import Bench


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset(quotas=True)
    return shared


def passes(bench: Bench, operation: str) -> bool:
    """Whether a request gets past the quotas; what the service then thinks of it does not matter."""
    answer = bench.post(operation, {"Catalog": "Sandbox"})
    return not answer.json().get("__type", "").endswith("#ThrottlingException")


def test_the_second_write_of_a_second_is_throttled(bench: Bench) -> None:
    bench.create()
    with pytest.raises(bench.client.exceptions.ThrottlingException):
        bench.create()
    bench.wait(1)
    bench.create()
    assert (bench.service.writes, bench.service.throttled) == (2, 1)
    assert [entry.outcome for entry in bench.service.journal] == ["ok", "ThrottlingException", "ok"]


def test_writes_share_one_rate_and_reads_another(bench: Bench) -> None:
    assert passes(bench, "CreateOpportunity")
    assert not passes(bench, "StartEngagementFromOpportunityTask")
    assert [passes(bench, "ListOpportunities") for _ in range(11)] == [True] * 10 + [False]
    assert passes(bench, "CreateEngagement")


def test_a_caller_who_paces_itself_passes_in_spite_of_jitter(bench: Bench) -> None:
    outcomes = []
    for jitter in (0, 0.1, -0.1, 0.15, -0.15, 0.05):
        bench.wait(1 + jitter)
        outcomes.append(passes(bench, "UpdateOpportunity"))
    assert all(outcomes)


def test_a_caller_who_is_a_little_too_fast_does_not(bench: Bench) -> None:
    outcomes = []
    for _ in range(50):
        bench.wait(0.9)
        outcomes.append(passes(bench, "UpdateOpportunity"))
    # 44.1 seconds from the first request to the last, and the tolerance.
    assert 30 <= outcomes.count(True) <= 45


def test_the_day_is_a_rolling_window(bench: Bench) -> None:
    bench.service.configure(writes_per_day=3)
    outcomes = []
    for _ in range(4):
        outcomes.append(passes(bench, "AssociateOpportunity"))
        bench.wait(3600)
    assert outcomes == [True, True, True, False]
    bench.wait(20 * 3600)
    assert passes(bench, "AssociateOpportunity")
    assert not passes(bench, "AssociateOpportunity")


def test_quotas_scale_and_switch_off(bench: Bench) -> None:
    bench.service.configure(quota_scale=100)
    for _ in range(5):
        assert passes(bench, "CreateOpportunity")
        bench.wait(0.01)
    bench.service.configure(quotas=False)
    assert all(passes(bench, "CreateOpportunity") for _ in range(5))


def test_accounts_have_quotas_of_their_own(bench: Bench) -> None:
    bench.reset(accounts={"SECOND": "444455556666"}, quotas=True)
    second = bench.client_of("SECOND")
    assert passes(bench, "RejectEngagementInvitation")
    assert not passes(bench, "RejectEngagementInvitation")
    with pytest.raises(second.exceptions.ValidationException):
        second.create_opportunity(Catalog="Sandbox")
    second.close()
