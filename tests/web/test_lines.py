"""Visitors who hold a connection and send nothing, too little or too slowly: they must not keep others out."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from connector import report
from connector.web import lines
from tests.web.conftest import Site, served
from tests.world import World, wait_until

Dial = Callable[[Site], socket.socket]
GOOD = b"HTTP/1.1 200"


@pytest.fixture(name="dial")
def dial_fixture() -> Iterator[Dial]:
    """Opens a connection that has sent nothing yet; all are closed in the end."""
    with ExitStack() as stack:

        def dial(site: Site) -> socket.socket:
            place = urlsplit(site.url)
            return stack.enter_context(closing(socket.create_connection((place.hostname, place.port), timeout=20)))

        yield dial


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def is_ended(line: socket.socket) -> bool:
    """Whether the other side ends it, after whatever it may have answered."""
    try:
        while line.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def is_answered(line: socket.socket, request: bytes = get("/healthz")) -> bool:
    """Whether a request is answered well, and not refused with or without words."""
    answered = b""
    try:
        line.sendall(request)
        while not answered.endswith(b"\r\n\r\nok\n") and (part := line.recv(4096)):
            answered += part
    except ConnectionError:
        return False
    return answered.startswith(GOOD)


@pytest.fixture(name="slow")
def slow_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Semaphore, threading.Event]]:
    """A page that is under way until an event, and counts how often it was asked for."""
    begun, goes_on = threading.Semaphore(0), threading.Event()

    def show(*_: object) -> None:
        begun.release()
        assert goes_on.wait(20)

    monkeypatch.setattr(report, "show", show)
    yield begun, goes_on
    goes_on.set()


SLOW = get("/deals/sandbox/006000000000001AAA")


def test_silent_visitors_do_not_keep_others_out(site: Site, dial: Dial) -> None:
    for _ in range(lines.AT_ONCE + 50):
        dial(site)
    assert is_answered(dial(site))
    assert site.get("/healthz").text == "ok\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0",
        b"POST /ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nid=",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nid=",
        get("/healthz") + b"GET /healthz HTTP/1.1\r\nHost: 127.0",
        get("/healthz") + b"POST /ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nid=",
    ],
    ids=[
        "nothing",
        "half a head",
        "half a body",
        "half a body nobody reads",
        "half a second head",
        "half a second body",
    ],
)
def test_who_sends_no_whole_request_is_ended(
    world: World, dial: Dial, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(lines, "REQUEST_WITHIN", 0.3)
    with served(world.app()) as site:
        line = dial(site)
        line.sendall(sent)
        assert is_ended(line)


def test_half_a_request_after_an_answered_one_is_ended(
    world: World, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "REQUEST_WITHIN", 0.3)
    with served(world.app()) as site:
        line = dial(site)
        assert is_answered(line)
        line.sendall(b"GET /hea")
        assert is_ended(line)


def test_an_answer_may_take_longer_than_a_request(
    world: World,
    dial: Dial,
    monkeypatch: pytest.MonkeyPatch,
    slow: tuple[threading.Semaphore, threading.Event],
) -> None:
    monkeypatch.setattr(lines, "REQUEST_WITHIN", 0.3)
    begun, goes_on = slow
    with served(world.app()) as site:
        line = dial(site)
        line.sendall(SLOW)
        assert begun.acquire(timeout=20)
        # One that came later has run out of time, so that this one would have as well.
        assert is_ended(dial(site))
        goes_on.set()
        assert line.recv(4096).startswith(b"HTTP/1.1 404")


def test_the_longest_silent_one_makes_room(world: World, dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "AT_ONCE", 3)
    with served(world.app()) as site:
        first, second, third = (dial(site) for _ in range(3))
        assert is_answered(third)
        # All are open, so that this is heard of later than the second, if only half.
        first.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert is_answered(third)
        fourth = dial(site)
        assert is_answered(fourth)
        assert is_ended(second)
        assert is_answered(first, b"Host: 127.0.0.1\r\n\r\n")
        assert is_answered(third)


def test_requests_under_way_are_not_ended_for_new_ones(
    world: World,
    dial: Dial,
    monkeypatch: pytest.MonkeyPatch,
    slow: tuple[threading.Semaphore, threading.Event],
) -> None:
    monkeypatch.setattr(lines, "AT_ONCE", 3)
    begun, goes_on = slow
    with served(world.app()) as site:
        busy = [dial(site) for _ in range(3)]
        for line in busy:
            line.sendall(SLOW)
            assert begun.acquire(timeout=20)
        refused = dial(site)
        assert not is_answered(refused)
        goes_on.set()
        assert all(line.recv(4096).startswith(b"HTTP/1.1 404") for line in busy)
        wait_until(lambda: is_answered(dial(site)), "there is room again", 20)


def test_who_takes_no_answers_makes_room(world: World, dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "AT_ONCE", 1)
    with served(world.app()) as site:
        found = re.search(r'"(/static/[^"]+htmx[^"]+)"', site.get("/").text)
        assert found is not None
        site.session.close()
        line = dial(site)
        line.sendall(get(found[1]) * 400)
        wait_until(lambda: is_answered(dial(site)), "the one that takes nothing is ended", 20)
