"""The client's turns: what runs in one, who gets none, and that AWS never has to throttle."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from aws_front import DEAL, Front
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.adapters.clock import Stopping, SystemClock
from connector.adapters.partner_central import Paces, PartnerCentralClient, Spent, departure
from connector.adapters.partner_central.departure import FRESH, departing, watch
from connector.adapters.partner_central.pace import MARGIN, SLOWER, Caller, Turn
from connector.errors import (
    LedgerUnavailable,
    QuotaExhausted,
    TemporaryError,
    Throttled,
    Unavailable,
)
from connector.sandbox.partner_central.quota import Meter
from connector.sandbox.server import HttpsServer

Make = Callable[..., PartnerCentralClient]


class LeapClock(SystemClock):
    """Sleeping takes no time; ``on_sleep`` is told the seconds, and may interfere."""

    def __init__(self) -> None:
        super().__init__(threading.Event())
        self.leapt = 0.0
        self.on_sleep: Callable[[float], None] = lambda _: None

    def monotonic(self) -> float:
        return time.monotonic() + self.leapt

    def sleep(self, seconds: float) -> None:
        self.leapt += seconds
        self.on_sleep(seconds)


def deal(number: int) -> dict[str, Any]:
    return {**DEAL, "ClientToken": f"token-{number}", "PartnerOpportunityIdentifier": str(number)}


def test_the_commit_and_the_signature_come_before_the_turn(front: Front, make: Make) -> None:
    clock, happened = LeapClock(), []
    clock.on_sleep = lambda _: happened.append("waited")
    client = make(clock=clock, writes_per_second=0.1)
    events = client._client(True).meta.events
    events.register("before-sign.*.*", lambda **_: happened.append("signed"))
    client.call("CreateOpportunity", DEAL, on_send=lambda: happened.append(f"committed, {len(front.seen)} seen"))
    # Ten seconds have passed by then, so that it is committed once more.
    assert happened == ["committed, 0 seen", "signed", "waited", "committed, 0 seen"]
    assert front.count("CreateOpportunity") == 1


def test_a_call_that_leaves_at_once_is_committed_once(front: Front, make: Make) -> None:
    happened: list[str] = []
    make(clock=LeapClock()).call("CreateOpportunity", DEAL, on_send=lambda: happened.append("committed"))
    assert happened == ["committed"]


@pytest.mark.parametrize("where", ["in the line", "signed", "in the handshake"])
def test_a_paused_call_does_not_leave_where_its_second_commit_is_refused(front: Front, make: Make, where: str) -> None:
    """A worker whose account was taken over while it was paused, wherever that was after its commit."""
    clock, committed = LeapClock(), []
    client = make(clock=clock, writes_per_second=0.1 if where == "in the line" else 1000)

    def pause(*_: object, **__: object) -> None:
        clock.leapt += 30

    def commit() -> None:
        committed.append(len(front.seen))
        if len(committed) > 1:
            raise LedgerUnavailable("Another worker has taken over.")

    with ExitStack() as stack:
        if where == "in the line":
            clock.on_sleep = pause
        elif where == "signed":
            client._client(True).meta.events.register_last("before-send.*.*", pause)
        else:
            connect = departure._TlsConnection.connect
            patched = mock.patch.object(departure._TlsConnection, "connect", lambda one: (connect(one), pause()))
            stack.enter_context(patched)
        with pytest.raises(LedgerUnavailable, match="taken over"):
            client.call("CreateOpportunity", DEAL, on_send=commit)
    assert (committed, front.seen) == ([0, 0], [])
    # Whoever comes next has a turn.
    client.call("CreateOpportunity", DEAL, on_send=lambda: None)
    assert front.count("CreateOpportunity") == 1


def test_a_ledger_that_takes_seconds_for_each_commit_lets_nothing_leave(front: Front, make: Make) -> None:
    clock = LeapClock()

    def commit() -> None:
        clock.leapt += 10

    with pytest.raises(TemporaryError, match="too long"):
        make(clock=clock).call("CreateOpportunity", DEAL, on_send=commit)
    assert front.seen == []


def test_nothing_leaves_when_the_ledger_cannot_commit(front: Front, make: Make) -> None:
    client = make()

    def fail() -> None:
        raise LedgerUnavailable("The disk is full.")

    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            client.call("CreateOpportunity", DEAL, on_send=fail)
    assert (front.seen, client.take_calls()) == ([], {})
    client.call("CreateOpportunity", DEAL)


def test_a_stop_sends_nothing(front: Front, make: Make) -> None:
    stop = Stopping()
    stop.set()
    sent: list[int] = []
    with pytest.raises(TemporaryError, match="stopping"):
        make(stop=stop, writes_per_second=0.1).call("CreateOpportunity", DEAL, on_send=lambda: sent.append(1))
    assert (front.seen, sent) == ([], [])


def test_a_stop_while_a_committed_call_waits_sends_nothing_and_is_certain(front: Front, make: Make) -> None:
    stop = Stopping()
    committed: list[int] = []

    def commit() -> None:
        committed.append(1)
        stop.set()

    with pytest.raises(TemporaryError, match="stopping") as caught:
        make(stop=stop, writes_per_second=0.1).call("CreateOpportunity", DEAL, on_send=commit)
    assert (committed, front.seen, caught.value.ambiguous) == ([1], [], False)


def test_a_stop_wakes_all_who_wait(front: Front, make: Make) -> None:
    stop = Stopping()
    client = make(stop=stop, writes_per_second=0.05)
    committed = threading.Semaphore(0)

    def call(number: int) -> bool:
        with pytest.raises(TemporaryError, match="stopping"):
            client.call("CreateOpportunity", deal(number), on_send=committed.release)
        return True

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call, number) for number in range(8)]
        for _ in calls:
            assert committed.acquire(timeout=10)
        stop.set()
        assert all(call.result(timeout=10) for call in calls)
    assert front.seen == []


def test_a_long_pause_is_sat_out_before_the_commit(front: Front, make: Make) -> None:
    clock, happened = LeapClock(), []
    clock.on_sleep = happened.append
    client = make(clock=clock, writes_per_second=1 / 600)
    client.call("CreateOpportunity", DEAL, on_send=lambda: happened.append("committed"))
    assert happened == [pytest.approx(540, abs=20), "committed", pytest.approx(60, abs=20), "committed"]


def test_a_signature_that_went_stale_while_waiting_is_never_sent(front: Front, make: Make) -> None:
    """AWS slows us down for long while a signed request waits already."""
    clock, happened = LeapClock(), []
    client = make(clock=clock, writes_per_second=0.05)
    client._client(True).meta.events.register("before-sign.*.*", lambda **_: happened.append("signed"))
    slowed = iter([FRESH])
    clock.on_sleep = lambda _: [client._paces[True].slow_down(longer, 0.0) for longer in slowed]
    client.call("CreateOpportunity", DEAL, on_send=lambda: happened.append("committed"))
    assert happened == ["committed", "signed", "signed", "committed"]
    assert (front.count("CreateOpportunity"), client.take_calls()) == (1, {"CreateOpportunity": 1})


def test_allowances_are_kept_and_refused_before_the_commit(front: Front, make: Make) -> None:
    client = make(Spent(lambda _: 5, lambda _: 3), writes_per_day=5, reads_per_day=5)
    committed: list[int] = []
    with pytest.raises(QuotaExhausted, match="5 writes"):
        client.call("CreateOpportunity", DEAL, on_send=lambda: committed.append(1))
    for _ in range(2):
        client.call("ListOpportunities", {})
    with pytest.raises(QuotaExhausted, match="5 reads"):
        client.call("ListOpportunities", {})
    assert (front.count("ListOpportunities"), committed) == (2, [])


def test_every_attempt_of_a_read_takes_a_turn_and_one_of_the_day_s_calls(front: Front, make: Make) -> None:
    front.faults.add(on="ListOpportunities", times=2, do="reset")
    clock, waits = LeapClock(), []
    clock.on_sleep = waits.append
    client = make(clock=clock, reads_per_second=0.05, reads_per_day=3)
    client.call("ListOpportunities", {})
    # A little less than three intervals: botocore pauses between attempts by itself.
    assert len(waits) == 3
    assert sum(waits) > 40
    assert client.take_calls() == {"ListOpportunities": 3}
    with pytest.raises(QuotaExhausted):
        client.call("ListOpportunities", {})
    assert front.count("ListOpportunities") == 3


def test_an_attempt_that_reaches_nobody_gives_its_turn_away(front: Front, make: Make) -> None:
    clock, waits = LeapClock(), []
    clock.on_sleep = waits.append
    with pytest.raises(Unavailable, match="cannot be reached"):
        make(clock=clock, endpoint_url="https://127.0.0.1:9", reads_per_second=0.05).call("ListOpportunities", {})
    assert len(waits) == 3


def test_a_committed_call_is_counted_once_when_the_ledger_is_asked_while_it_waits(front: Front, make: Make) -> None:
    clock, ledger = LeapClock(), []
    client = make(Spent(lambda _: len(ledger), lambda _: 0), clock=clock, writes_per_second=0.1, writes_per_day=2)

    def take_another(_: float) -> None:
        clock.leapt += 61
        client._paces[True].allowance.take()

    clock.on_sleep = take_another
    client.call("CreateOpportunity", DEAL, on_send=lambda: ledger.append("this one"))
    with pytest.raises(QuotaExhausted):
        client.call("CreateOpportunity", DEAL)


def test_the_day_s_last_read_is_not_repeated(front: Front, make: Make) -> None:
    front.faults.add(on="ListOpportunities", times=None, do="reset")
    with pytest.raises(QuotaExhausted):
        make(reads_per_day=1).call("ListOpportunities", {})
    assert front.count("ListOpportunities") == 1


def test_a_call_that_was_never_made_costs_nothing_of_the_day(front: Front, make: Make) -> None:
    client = make(writes_per_day=1)

    def fail() -> None:
        raise LedgerUnavailable("The disk is full.")

    for _ in range(3):
        with pytest.raises(LedgerUnavailable):
            client.call("CreateOpportunity", DEAL, on_send=fail)
    client.call("CreateOpportunity", DEAL, on_send=lambda: None)
    with pytest.raises(QuotaExhausted):
        client.call("CreateOpportunity", DEAL)


def test_reads_taken_for_the_ledger_count_until_they_are_there(front: Front, make: Make) -> None:
    clock = LeapClock()
    client = make(clock=clock, reads_per_day=3)
    for _ in range(2):
        client.call("ListOpportunities", {})
    client.take_calls()
    clock.leapt += 5
    assert client._reads_not_recorded() == 2
    clock.leapt += 6
    assert client._reads_not_recorded() == 0


def test_throttling_slows_the_next_call_down(front: Front, make: Make) -> None:
    front.faults.add(on="CreateOpportunity", do="throttle")
    clock = LeapClock()
    client = make(clock=clock)
    began = clock.monotonic()
    with pytest.raises(Throttled):
        client.call("CreateOpportunity", DEAL)
    client.call("CreateOpportunity", DEAL)
    assert clock.monotonic() - began > 1.9


def test_a_throttled_read_slows_the_reads_down_although_botocore_repeats_it(front: Front, make: Make) -> None:
    front.faults.add(on="ListOpportunities", times=1, do="throttle")
    clock = LeapClock()
    client = make(clock=clock, reads_per_second=1)
    client.call("ListOpportunities", {})
    assert client._paces[False].interval > 1.4
    assert client._paces[True].interval < 0.01
    for _ in range(10):
        client.call("ListOpportunities", {})
    assert client._paces[False].interval < 1.1


def test_a_burst_of_throttled_answers_slows_down_once(front: Front, make: Make) -> None:
    held = Held(front, "CreateOpportunity")
    front.faults.add(on="CreateOpportunity", times=8, do="throttle")
    client = make(writes_per_second=50)

    def call(number: int) -> None:
        with suppress(Throttled):
            client.call("CreateOpportunity", deal(number))

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call, number) for number in range(8)]
        until(lambda: front.count("CreateOpportunity") == 8)
        held.free.set()
        for one in calls:
            one.result(timeout=30)
    assert client._paces[True].interval == pytest.approx(SLOWER * MARGIN / 50, rel=0.02)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


class Held:
    """AWS does not answer one operation until it is let go."""

    def __init__(self, front: Front, operation: str) -> None:
        self.free = threading.Event()
        self._operation = operation
        self._app: ASGIApp = front._app
        front._app = self  # type: ignore[assignment]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if Headers(scope=scope).get("x-amz-target", "").endswith(f".{self._operation}"):
            while not self.free.is_set():
                await asyncio.sleep(0.005)
        await self._app(scope, receive, send)


@pytest.mark.parametrize(
    ("slow", "quick"),
    [("ListOpportunities", "CreateOpportunity"), ("CreateOpportunity", "ListOpportunities")],
    ids=["slow reads", "slow writes"],
)
def test_one_class_of_calls_never_starves_the_other(front: Front, make: Make, slow: str, quick: str) -> None:
    """Every thread the pool has is stuck in calls of one class, with more of them waiting: the other class goes on."""
    held = Held(front, slow)
    client = make(writes_per_second=100, reads_per_second=100, in_flight=8, read_timeout=timedelta(seconds=60))

    def call(operation: str, number: int) -> Any:
        return client.call(operation, deal(number) if operation == "CreateOpportunity" else {})

    with ThreadPoolExecutor(8) as stuck, ThreadPoolExecutor(8) as pool:
        slow_ones = [stuck.submit(call, slow, number) for number in range(16)]
        until(lambda: front.count(slow) == 8)
        quick_ones = [pool.submit(call, quick, number) for number in range(40)]
        for one in quick_ones:
            one.result(timeout=30)
        assert not any(one.done() for one in slow_ones)
        held.free.set()
        for one in slow_ones:
            one.result(timeout=30)
    assert (front.count(slow), front.count(quick)) == (16, 40)


def test_connections_to_one_account_share_the_quota(front: Front, make: Make, left: list[float]) -> None:
    """Two connections, each of which might use all of it and more by its own settings."""
    paces = Paces(SystemClock(Stopping()))
    clients = [make(paces=paces, writes_per_second=rate) for rate in (20, 1000)]
    for client in clients:
        client.account()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: clients[n % 2].call("CreateOpportunity", deal(n)), range(40)))
    assert (front.count("CreateOpportunity"), len(left)) == (40, 40)
    assert passes(left, 20)


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each call left, in order."""
    instants: list[float] = []

    def leave(turn: Turn) -> None:
        # Told before the turn is over, so that the next cannot be told first.
        release = turn._release
        turn._release = lambda: (instants.append(turn.left_at), release())  # type: ignore[assignment, func-returns-value]
        original(turn)

    original = Turn.leave
    monkeypatch.setattr(Turn, "leave", leave)
    return instants


def passes(instants: list[float], rate: float) -> bool:
    """Whether the sandbox's own limiter lets calls through that come at these instants."""
    meter = Meter()
    return all(meter.may_pass(instant, rate, 1.0, 10**9) for instant in instants)


@pytest.mark.parametrize("rate", [4, 50])
@pytest.mark.parametrize("idle", [False, True], ids=["new connections", "after the server dropped them"])
def test_writes_at_the_quota_s_edge_are_never_throttled(
    served: tuple[Front, HttpsServer], front: Front, make: Make, left: list[float], idle: bool, rate: int
) -> None:
    """Calls that last longer than the pace's interval, from as many threads, each with a handshake of its own.

    At the high rate it is judged by the instants at which they leave: a busy machine delivers them unevenly.
    """
    client = make(writes_per_second=rate)
    if idle:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: client.call("CreateOpportunity", deal(-n)), range(1, 9)))
        served[1].stop()
        served[1].start()
    front.service.configure(quotas=rate < 10, writes_per_second=rate, latency=1.2 / rate)
    count = max(10, rate)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.call("CreateOpportunity", deal(n)), range(count)))
    assert len({answer["Id"] for answer in answers}) == count
    assert front.service.throttled == 0
    assert len(left) == count + 8 * idle
    assert passes(left, rate)


def test_calls_overlap_although_they_leave_one_by_one(front: Front, make: Make) -> None:
    front.service.configure(latency=1.0)
    client = make(writes_per_second=100)
    client._client(True)
    began = client._clock.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.call("CreateOpportunity", {**DEAL, "ClientToken": str(n)}), range(8)))
    assert client._clock.monotonic() - began < 3


class Relay:
    """A way to the server on which the first connection's handshake takes long."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._delays = iter([seconds])
        self._hold = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = [self._listener]
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._open += [near, far]
                delay = next(self._delays, 0.0)
                threading.Thread(target=self._pump, args=[near, far, delay], daemon=True).start()
                threading.Thread(target=self._pump, args=[far, near, 0.0], daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, delay: float) -> None:
        self._hold.wait(delay)
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def test_a_slow_handshake_delays_the_calls_behind_it(
    served: tuple[Front, HttpsServer], make: Make, left: list[float]
) -> None:
    with closing(Relay(served[1].port, 0.6)) as relay, ThreadPoolExecutor(3) as pool:
        client = make(endpoint_url=relay.url, writes_per_second=5)
        began = client._clock.monotonic()
        list(pool.map(lambda n: client.call("CreateOpportunity", {**DEAL, "ClientToken": str(n)}), range(3)))
    assert left[0] - began >= 0.6, "the first call leaves when its handshake is over"
    assert min(later - earlier for earlier, later in itertools.pairwise(left)) > 0.19


class Events:
    """What ``watch`` registers, in the order in which botocore would call it."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[Callable[..., None]]] = {}

    def register(self, event: str, handler: Callable[..., None]) -> None:
        self.handlers.setdefault(event.partition(".")[0], []).append(handler)

    register_last = register


@pytest.mark.parametrize("is_known", [True, False])
def test_a_botocore_that_is_built_otherwise_is_paced_before_the_handshake(is_known: bool) -> None:
    meta = SimpleNamespace(service_model=SimpleNamespace(service_name="partnercentral-selling"), events=Events())
    known = SimpleNamespace(_manager=SimpleNamespace(), _pool_classes_by_scheme={})
    watch(SimpleNamespace(meta=meta, _endpoint=SimpleNamespace(http_session=known) if is_known else None))
    clock = LeapClock()
    pace = Paces(clock).join(
        "one", "111122223333", "writes", per_second=1, per_day=9, recorded=lambda: 0, unrecorded=lambda: 0
    )
    counted: list[int] = []
    caller = Caller(clock, Stopping())
    with departing(pace, caller, lambda: counted.append(1)) as departure:
        assert not departure.is_sent
        for handler in meta.events.handlers["before-send"]:
            handler()
        assert (departure.is_sent, counted) == (True, [1])
        behind = threading.Thread(target=pace.wait_turn, args=[caller], daemon=True)
        behind.start()
        behind.join(0.2 if is_known else 10)
        assert behind.is_alive() is is_known
    behind.join(10)
    assert not behind.is_alive()


def test_a_way_to_aws_that_leads_nowhere_holds_up_no_other_connection_of_the_account(
    make: Make, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection's proxy takes connections and says nothing; the other one, of the same account, has none."""
    monkeypatch.setenv("AWS_ACCOUNT_ID", "111122223333")
    monkeypatch.setattr("connector.adapters.partner_central.departure.HOLD", 0.05)
    paces = Paces(SystemClock(Stopping()))
    silent = socket.create_server(("127.0.0.1", 0))
    patient = {"connect_timeout": timedelta(minutes=5), "read_timeout": timedelta(minutes=5)}
    stuck = make(paces=paces, endpoint_url=f"https://127.0.0.1:{silent.getsockname()[1]}", **patient)
    well = make(paces=paces)
    assert stuck.account() == well.account() == "111122223333"
    with ThreadPoolExecutor(9) as pool:
        calls = [pool.submit(stuck.call, "CreateOpportunity", deal(number)) for number in range(8)]
        reached, _ = silent.accept()
        for number in range(8, 12):
            pool.submit(well.call, "CreateOpportunity", deal(number)).result(timeout=30)
        assert not any(call.done() for call in calls)
        with closing(silent), closing(reached):
            pass
        for call in calls:
            assert isinstance(call.exception(timeout=30), Unavailable)
    assert front.count("CreateOpportunity") == 4
