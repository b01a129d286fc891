"""The client's turns: what runs in one, who gets none, and that AWS never has to throttle."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from types import SimpleNamespace

import pytest
from aws_front import DEAL, Front

from connector.adapters.partner_central import PartnerCentralClient, Spent
from connector.adapters.partner_central.departure import departing, watch
from connector.adapters.partner_central.pace import Turn
from connector.errors import (
    LedgerUnavailable,
    QuotaExhausted,
    TemporaryError,
    Throttled,
)
from connector.sandbox.server import HttpsServer

Make = Callable[..., PartnerCentralClient]


def test_on_send_runs_once_in_its_turn_before_anything_leaves(front: Front, make: Make) -> None:
    client = make(writes_per_second=5)
    opened = client._clock.monotonic()
    sent: list[tuple[float, int]] = []
    client.call("CreateOpportunity", DEAL, on_send=lambda: sent.append((client._clock.monotonic(), len(front.seen))))
    ((at, seen),) = sent
    assert seen == 0
    assert at - opened >= 0.19
    assert front.count("CreateOpportunity") == 1


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
    stop = threading.Event()
    stop.set()
    sent: list[int] = []
    with pytest.raises(TemporaryError, match="stopping"):
        make(stop=stop, writes_per_second=0.1).call("CreateOpportunity", DEAL, on_send=lambda: sent.append(1))
    assert (front.seen, sent) == ([], [])


def test_allowances_are_kept(front: Front, make: Make) -> None:
    client = make(Spent(lambda: 5, lambda: 3), writes_per_day=5, reads_per_day=5)
    with pytest.raises(QuotaExhausted, match="5 writes"):
        client.call("CreateOpportunity", DEAL)
    for _ in range(2):
        client.call("ListOpportunities", {})
    with pytest.raises(QuotaExhausted, match="5 reads"):
        client.call("ListOpportunities", {})
    assert front.count("ListOpportunities") == 2


def test_throttling_slows_the_next_call_down(front: Front, make: Make) -> None:
    front.faults.add(on="CreateOpportunity", do="throttle")
    client = make()
    with pytest.raises(Throttled):
        client.call("CreateOpportunity", DEAL)
    began = client._clock.monotonic()
    client.call("CreateOpportunity", DEAL)
    assert client._clock.monotonic() - began > 1.9


@pytest.mark.parametrize("idle", [False, True], ids=["new connections", "after the server dropped them"])
def test_writes_at_the_quota_s_edge_are_never_throttled(
    served: tuple[Front, HttpsServer], front: Front, make: Make, idle: bool
) -> None:
    """Calls that last longer than the pace's interval, from as many threads, each with a handshake of its own."""
    client = make(writes_per_second=20)
    if idle:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: client.call("CreateOpportunity", {**DEAL, "ClientToken": f"warm-{n}"}), range(8)))
        served[1].stop()
        served[1].start()
    front.service.configure(quotas=True, writes_per_second=20, latency=0.3)
    with ThreadPoolExecutor(8) as pool:
        bodies = [{**DEAL, "ClientToken": f"t-{n}", "PartnerOpportunityIdentifier": str(n)} for n in range(30)]
        answers = list(pool.map(lambda body: client.call("CreateOpportunity", body), bodies))
    assert len({answer["Id"] for answer in answers}) == 30
    assert front.service.throttled == 0


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
    served: tuple[Front, HttpsServer], front: Front, make: Make
) -> None:
    with closing(Relay(served[1].port, 0.6)) as relay, ThreadPoolExecutor(3) as pool:
        client = make(endpoint_url=relay.url, writes_per_second=5)
        list(pool.map(lambda n: client.call("CreateOpportunity", {**DEAL, "ClientToken": str(n)}), range(3)))
    arrived = [entry.at.timestamp() for entry in front.service.journal]
    assert min(later - earlier for earlier, later in itertools.pairwise(arrived)) > 0.15


@pytest.mark.parametrize("is_known", [True, False])
def test_a_botocore_that_is_built_otherwise_is_paced_before_the_handshake(is_known: bool) -> None:
    handlers: list[Callable[[], None]] = []
    meta = SimpleNamespace(
        service_model=SimpleNamespace(service_name="partnercentral-selling"),
        events=SimpleNamespace(register=lambda _event, handler: handlers.append(handler)),
    )
    known = SimpleNamespace(_manager=SimpleNamespace(), _pool_classes_by_scheme={})
    watch(SimpleNamespace(meta=meta, _endpoint=SimpleNamespace(http_session=known) if is_known else None))
    left: list[str] = []
    with departing(Turn(lambda: left.append("left"), lambda: left.append("over"))) as departure:
        for handler in handlers:
            handler()
        assert departure.is_sent
        assert left == ([] if is_known else ["left", "over"])
    assert left == (["over"] if is_known else ["left", "over"])
