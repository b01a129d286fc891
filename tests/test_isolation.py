"""One connection's trouble never slows another: real daemons over real HTTPS, one of whose services stops answering.

Nothing is measured: while the answers of one are held back, the others must come to their end.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.many import Many, many
from tests.world import wait_until


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Many]:
    with many(tmp_path / "many", "slow", "well") as made:
        for name in ("slow", "well"):
            made.write(name)
        yield made


def pulls(two: Many, name: str) -> str:
    return two.app().ledger.watermark(name, "last_pull")


def test_while_one_hangs_the_other_s_deal_is_settled(two: Many) -> None:
    gate = two.gates["slow"]
    with two.running() as process:
        two.await_synced("slow", two.deal("slow"))
        gate.shut()
        stuck = two.deal("slow")
        wait_until(lambda: gate.held > 0, "a call that is not answered")
        for _ in range(2):
            two.await_synced("well", two.deal("well"))
        assert gate.is_shut
        assert not two.is_synced("slow", stuck)
        assert "job_failed" not in two.log, "it still waits for the same answers"
        gate.open()
        two.await_synced("slow", stuck)
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert "cut_off" not in two.log


def test_one_that_hangs_from_the_start_keeps_no_other_from_starting(two: Many) -> None:
    two.gates["slow"].shut()
    with two.running() as process:
        two.await_synced("well", two.deal("well"))
        assert two.worlds["slow"].sandbox.service.journal == []
        two.gates["slow"].open()
        two.await_synced("slow", two.deal("slow"))
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_one_that_hangs_delays_no_other_s_end_and_the_stop_by_no_more_than_its_grace(two: Many) -> None:
    gate = two.gates["slow"]
    with two.running() as process:
        two.await_synced("slow", two.deal("slow"))
        two.await_synced("well", two.deal("well"))
        gate.shut()
        wait_until(lambda: gate.held > 0, "a call that is not answered")
        before = two.app().ledger.usage("well", "salesforce_calls", two.app().clock.now())
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: "cut_off" in two.log, "the end of its patience", 30)
        assert process.wait(timeout=10) == 0
    (line,) = [line for line in two.log.splitlines() if "cut_off" in line]
    assert "slow" in line
    assert "well" not in line
    app = two.app()
    after = app.ledger.usage("well", "salesforce_calls", app.clock.now())
    assert after >= before, "what the other one did is recorded"


@pytest.mark.parametrize("refusing", [1, 2])
def test_one_that_must_not_run_stops_the_others_only_when_there_are_none(two: Many, refusing: int) -> None:
    for name in ("slow", "well")[:refusing]:
        section = two.section_of(name).replace("salesforce:\n", "salesforce:\n  organization_id: 00D000000000002EAA\n")
        two.file(name).write_text(section, encoding="utf-8")
    with two.running() as process:
        two.await_log('"event": "refused"', refusing)
        if refusing == 2:
            assert process.wait(timeout=60) == 3
            assert "config.yaml names 00D000000000002EAA" in two.log.splitlines()[-1]
            return
        two.await_synced("well", two.deal("well"))
        assert process.poll() is None
        assert two.log.count("slow must not run, the others go on without it") == 1
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert two.worlds["slow"].sandbox.service.journal == []


def test_another_catalog_of_one_refuses_that_one_only(two: Many) -> None:
    with two.running() as process:
        for name in ("slow", "well"):
            two.await_synced(name, two.deal(name))
        process.terminate()
        assert process.wait(timeout=30) == 0
    section = two.section_of("slow").replace("catalog: Sandbox", "catalog: AWS")
    two.file("slow").write_text(section, encoding="utf-8")
    with two.running() as process:
        two.await_synced("well", two.deal("well"))
        two.await_log("slow must not run, the others go on without it")
        assert process.poll() is None
