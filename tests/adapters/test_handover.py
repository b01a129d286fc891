"""What one process leaves to the next: the pace of an account, and calls that were committed and left late."""

from __future__ import annotations

import threading
import time

import pytest
from ledger_facts import NOW, add, begin, deal

from connector.adapters.clock import SystemClock
from connector.adapters.ledger import Ledger, open_engine
from connector.adapters.partner_central.allowance import Allowance, Share
from connector.adapters.partner_central.pace import Pace
from connector.adapters.queue.engine import options_of, session_of
from connector.errors import QuotaExhausted

INTERVAL = 1.005 / 0.5


class StillClock(SystemClock):
    """Time stands still."""

    def __init__(self) -> None:
        super().__init__(threading.Event())
        self.at = time.monotonic()

    def monotonic(self) -> float:
        return self.at


def pace(recorded: list[int] | None = None, per_day: int = 100) -> Pace:
    """One that may send every two seconds and is free now."""
    clock = StillClock()
    counts = recorded if recorded is not None else [0]
    allowance = Allowance("writes", per_day, clock)
    allowance.join("us", Share(per_day, lambda: counts[0], lambda: 0))
    return Pace(allowance, 0.5, clock, clock.at - 60)


@pytest.mark.parametrize(
    ("free_in", "wanted"), [(0.0, 0.0), (7.5, 7.5), (None, pytest.approx(INTERVAL))], ids=["free", "paused", "a crash"]
)
def test_a_successor_goes_on_at_the_pace_it_was_left(free_in: float | None, wanted: float) -> None:
    one = pace()
    one.resume(free_in)
    assert one.free_in == wanted


def test_a_pace_is_never_shortened_by_another_s_word() -> None:
    one = pace()
    one.slow_down(30.0, one.now())
    one.resume(0.0)
    assert one.free_in == 30.0


def test_what_others_sent_meanwhile_counts_at_once() -> None:
    """The day's calls are counted now and then only; not so after another process had the account."""
    recorded = [0]
    one = pace(recorded, per_day=3)
    one.allowance.take()
    recorded[0] = 5
    one.allowance.take()
    one.resume(0.0)
    with pytest.raises(QuotaExhausted):
        one.allowance.take()


def test_a_call_that_leaves_late_is_committed_anew_and_counted_once(ledger: Ledger) -> None:
    link = begin(ledger, add(ledger, deal(1))[0])
    later = NOW.replace(year=NOW.year + 1)
    left = ledger.leaving(link, later)
    assert left.operation is not None
    assert (left.operation.attempts, left.operation.ambiguous, left.operation.sent_at) == (1, True, later)
    assert ledger.operations_since("acme", NOW) == 1
    # What is recorded next goes by the link as it is then.
    assert ledger.succeed(left, {"Id": "O1"}, later, opportunity_id="O1").opportunity_id == "O1"


def test_the_queue_connects_as_the_ledger_does() -> None:
    """Everything in the URL passes through, encryption above all; what it does not say keeps the sessions alive."""
    url = (
        "postgresql+psycopg://ledger:p%40ss@db.example:5433/ledger?sslmode=verify-full&sslrootcert=/etc/ca.pem"
        "&sslcert=/etc/me.pem&sslkey=/etc/me.key&options=-csearch_path%3Dconnector&keepalives_idle=3"
        "&target_session_attrs=read-write"
    )
    engine = open_engine(url)
    options = options_of(engine)
    engine.dispose()
    wanted = {
        "host": "db.example",
        "port": 5433,
        "user": "ledger",
        "password": "p@ss",
        "dbname": "ledger",
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "sslcert": "/etc/me.pem",
        "sslkey": "/etc/me.key",
        "options": "-csearch_path=connector",
        "target_session_attrs": "read-write",
        "keepalives_idle": "3",
        "keepalives": 1,
    }
    assert {name: options[name] for name in wanted} == wanted


def test_several_hosts_pass_through_as_well() -> None:
    engine = open_engine("postgresql+psycopg://u@/ledger?host=one.example:5432&host=two.example:5433")
    options = options_of(engine)
    engine.dispose()
    assert (options["host"], options["port"]) == ("one.example,two.example", "5432,5433")


def test_the_name_of_a_session_is_as_long_as_the_server_keeps_it() -> None:
    assert session_of("worker " + "x" * 90) == f"connector worker {'x' * 90}"[:63]
