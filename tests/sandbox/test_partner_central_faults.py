"""Transport faults: each kind, before and after the effect, as a real client meets it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from partner_central_bench import COMPLETE, Bench, make_body

from connector.sandbox.faults import Faults, label_of


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.reset()
    return shared


AT = pytest.mark.parametrize(("at", "made"), [("before", 0), ("after", 1)])


@AT
def test_a_reset_is_a_connection_without_an_answer(bench: Bench, at: str, made: int) -> None:
    bench.faults.add(on="CreateOpportunity", at=at, do="reset")
    with pytest.raises(ConnectionClosedError):
        bench.create()
    assert len(bench.service.opportunities()) == made
    bench.create()
    assert bench.faults.fired == 1


@AT
def test_a_server_error_is_parsed_as_the_modelled_one(bench: Bench, at: str, made: int) -> None:
    bench.faults.add(on="CreateOpportunity", at=at, do="status", status=500)
    with pytest.raises(bench.client.exceptions.InternalServerException) as caught:
        bench.create()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert len(bench.service.opportunities()) == made


@AT
def test_a_page_of_html_is_no_answer(bench: Bench, at: str, made: int) -> None:
    bench.faults.add(on="CreateOpportunity", at=at, do="html", status=502)
    with pytest.raises(ClientError) as caught:
        bench.create()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502
    assert len(bench.service.opportunities()) == made


@AT
def test_a_truncated_answer_ends_early(bench: Bench, at: str, made: int) -> None:
    bench.faults.add(on="CreateOpportunity", at=at, do="truncate")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        bench.post("CreateOpportunity", make_body(("ClientToken", "t")))
    assert len(bench.service.opportunities()) == made


@AT
def test_botocore_takes_a_truncated_answer_for_an_empty_one(bench: Bench, at: str, made: int) -> None:
    bench.faults.add(on="CreateOpportunity", at=at, do="truncate")
    # A client of its own: botocore puts the dead connection back into its pool.
    client = bench.client_of("ANY")
    assert set(client.create_opportunity(**COMPLETE)) == {"ResponseMetadata"}
    client.close()
    assert len(bench.service.opportunities()) == made


@AT
def test_a_hanging_answer_runs_into_the_client_s_patience(bench: Bench, at: str, made: int) -> None:
    bench.faults.add(on="CreateOpportunity", at=at, do="hang", seconds=30)
    hasty = bench.client_of("ANY", read_timeout=0.2)
    with pytest.raises(ReadTimeoutError):
        hasty.create_opportunity(**COMPLETE)
    assert len(bench.service.opportunities()) == made
    hasty.close()


def test_a_hang_ends_in_a_dropped_connection(bench: Bench) -> None:
    bench.faults.add(do="hang", seconds=0.1)
    with pytest.raises(ConnectionClosedError):
        bench.create()


def test_a_throttle_is_the_modelled_exception(bench: Bench) -> None:
    bench.faults.add(on="*", do="throttle", times=2)
    for _ in range(2):
        with pytest.raises(bench.client.exceptions.ThrottlingException):
            bench.create()
    bench.create()
    assert bench.service.throttled == 0


def test_a_rule_skips_strikes_and_is_spent(bench: Bench) -> None:
    rule = bench.faults.add(on="ListSolutions", do="status", status=503, body="{}", skip=1, times=2)
    codes = [bench.post("ListSolutions", {"Catalog": "Sandbox"}).status_code for _ in range(5)]
    assert codes == [200, 503, 503, 200, 200]
    assert bench.post("ListOpportunities", {"Catalog": "Sandbox"}).status_code == 200
    assert (rule.fired, bench.faults.fired) == (2, 2)


def test_a_rule_without_end_strikes_until_cleared(bench: Bench) -> None:
    bench.faults.add(do="html", times=None)
    assert [bench.post("ListSolutions", {}).status_code for _ in range(3)] == [503] * 3
    bench.faults.clear()
    assert bench.post("ListSolutions", {"Catalog": "Sandbox"}).status_code == 200


@pytest.mark.parametrize("rule", [{"do": "explode"}, {"at": "noon"}])
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        Faults().add(**rule)


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/services/oauth2/token", "token"),
        ("/services/data/v66.0/query", "query"),
        ("/services/data/v66.0/query/01g000000000001-2000", "query"),
        ("/services/data/v66.0/queryAll/", "queryAll"),
        ("/services/data/v66.0/composite/sobjects", "collections"),
        ("/services/data/v66.0/composite", "composite"),
        ("/services/data/v66.0/composite/batch", "composite"),
        ("/services/data/v66.0/sobjects/Opportunity/describe", "describe"),
        ("/services/data/v66.0/sobjects", "describe"),
        ("/services/data/v66.0/sobjects/Opportunity/006000000000001AAA", "sobject"),
        ("/services/data/v66.0/sobjects/Opportunity/updated/", "sobject"),
        ("/services/data/v66.0/limits", "limits"),
        ("/services/data", "other"),
        ("/_sandbox/state", None),
    ],
)
def test_requests_have_labels(path: str, label: str | None) -> None:
    assert label_of({"type": "http", "path": path, "headers": []}) == label


def test_stopping_does_not_wait_for_held_requests(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.faults.add(do="hang", seconds=60)
        hasty = bench.client_of("ANY", read_timeout=0.1)
        with pytest.raises(ReadTimeoutError):
            hasty.list_solutions(Catalog="Sandbox")
        hasty.close()
        started = time.monotonic()
        bench.server.stop()
        assert time.monotonic() - started < 2
        url = bench.server.url
        bench.server.start()
        assert bench.server.url == url
        answer = requests.get(url, verify=str(bench.server.ca_bundle), timeout=5)
        assert answer.status_code == 405
