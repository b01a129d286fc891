"""Readiness: a daemon whose Salesforce hangs turns red and tells it once, and so does its end.

Whatever hangs, each answer comes at once.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connector.app import App
from connector.core.health import PROCESS
from connector.errors import LedgerUnavailable, LoginFailed, Unavailable
from connector.ports import Alert
from connector.watch import shared
from connector.watch.beats import Beats
from connector.watch.checkup import healths_of, look_at_ledger
from connector.web import health, server
from connector.web.server import WebServer
from connector.web.serving import Serving
from tests.daemons import started
from tests.webhook import Webhook, webhook
from tests.world import World, wait_until

NAME = "sandbox"
TOKEN = "a-token-of-some-length"
MINUTE = timedelta(minutes=1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(name="hook")
def hook_fixture() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


def configure(world: World, web: str, more: str = "") -> None:
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(more + text.replace("web: {listen: off}", f"web: {{{web}}}"), encoding="utf-8")


def daemon(world: World) -> AbstractContextManager[subprocess.Popen[str]]:
    """The real daemon; its log in the world's folder."""
    return started(world, goes_on=True)


def ready(port: int) -> tuple[int, dict[str, Any]]:
    """Status and body of /readyz, which answers at once; (0, {}) while nobody listens."""
    began = time.monotonic()
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10)
    except requests.ConnectionError:
        return 0, {}
    assert time.monotonic() - began < 5
    return answer.status_code, answer.json()


def events(world: World, name: str) -> list[dict[str, Any]]:
    lines = (world.folder / "daemon.log").read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == name]


def test_a_hung_salesforce_turns_a_real_daemon_red_and_is_told_once(world: World, hook: Webhook) -> None:
    """Salesforce takes the connection and does not answer; then it does again. A restart in between repeats nothing."""
    port = free_port()
    more = (
        "schedule: {pull: 1s, observe: 1s}\nhealth: {stalled_after: 2s}\nlog: {format: json}\n"
        f"alerts: {{webhook: '{hook.url}'}}\n"
    )
    configure(world, f"listen: '127.0.0.1:{port}'", more)
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(
        text.replace("    salesforce:\n", "    salesforce:\n      timeout: 60s\n", 1), encoding="utf-8"
    )
    deal = world.opportunity()
    with daemon(world) as process:
        wait_until(lambda: world.record(deal)["AWS_Sync_Status__c"] == "Synced", "the record to be settled")
        wait_until(lambda: ready(port)[1]["connections"][NAME]["state"] == "running", "every loop to have succeeded")
        nothing = {"since": None, "cause": None, "message": None}
        well = {"ready": True, "ledger": {"answers": True}, "connections": {NAME: {"state": "running", **nothing}}}
        assert ready(port) == (200, well)
        for label in ("query", "queryAll", "composite"):
            world.sandbox.faults.add(on=label, do="hang", seconds=6.0, times=None)
        hung_at = time.monotonic()
        wait_until(lambda: ready(port)[0] == 503, "red")
        assert time.monotonic() - hung_at < 15
        told = ready(port)[1]["connections"][NAME]
        assert (told["state"], told["cause"]) == ("stalled", "silence")
        assert "A look is under way and does not end." in told["message"]
        assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
        wait_until(lambda: len(hook.texts) == 1, "the alert")
        wait_until(lambda: told_at(world) is not None, "it to be noted")
        process.kill()
        process.wait(timeout=10)
    with daemon(world) as process:
        wait_until(lambda: ready(port)[0] == 503, "red again")
        world.sandbox.faults.clear()
        wait_until(lambda: ready(port)[0] == 200, "green")
        wait_until(lambda: len(hook.texts) == 2, "the end to be told")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    assert "Connection sandbox is stalled on " in hook.texts[0]
    assert "works again, after" in hook.texts[1]
    assert len(hook.texts) == 2
    assert [line["state"] for line in events(world, "alert")] == ["stalled", "running"]


def test_what_ends_a_daemon_is_told_before_that_and_once(world: World, hook: Webhook) -> None:
    """Whoever starts it again and again does not tell it again and again."""
    configure(world, "listen: off", f"alerts: {{webhook: '{hook.url}'}}\n")
    text = world.config.read_text(encoding="utf-8")
    organization = "      organization_id: 00D000000000002EAA\n"
    world.config.write_text(text.replace("      auth:\n", organization + "      auth:\n"), encoding="utf-8")
    for _ in range(2):
        with daemon(world) as process:
            assert process.wait(timeout=60) == 3
    (told,) = hook.texts
    assert "Connection sandbox is halted on " in told
    assert "config.yaml names 00D000000000002EAA" in told


def told_at(world: World) -> datetime | None:
    (alert,) = world.app().ledger.alerts([NAME])
    return alert.told_at


# within this process


@contextmanager
def served(app: App, beats: Beats, *, shares: bool = False) -> Iterator[str]:
    with WebServer(Serving(lambda: app, beats, "test", shares=shares)) as made:
        wait_until(lambda: made.bound is not None, "the server to listen", 30)
        yield "http://{}:{}".format(*made.bound or ())


def get(address: str, path: str = "/readyz", **headers: str) -> requests.Response:
    return requests.get(f"{address}{path}", headers=headers, timeout=10)


def well(beats: Beats, *loops: str, name: str = NAME) -> None:
    for loop in loops:
        beats.expect(name, loop, MINUTE, datetime.now(UTC))
        beats.began(name, loop, datetime.now(UTC))
        beats.succeeded(name, loop, datetime.now(UTC))


@pytest.mark.parametrize(
    ("trouble", "status", "state"),
    [
        (None, 200, "running"),
        (Unavailable("Salesforce does not answer."), 200, "unknown"),
        (LoginFailed("The login is refused.", "Correct it."), 503, "halted"),
    ],
    ids=["well", "passing", "halted"],
)
def test_a_connection_is_ready_until_it_is_known_not_to_be(
    world: World, trouble: Exception | None, status: int, state: str
) -> None:
    configure(world, "listen: '127.0.0.1:0'")
    beats = Beats()
    well(beats, "pull", "advance")
    if trouble is not None:
        beats.failed(NAME, "advance", trouble, datetime.now(UTC))
    with served(world.app(), beats) as address:
        answer = get(address)
    assert (answer.status_code, answer.json()["connections"][NAME]["state"]) == (status, state)
    if state == "halted":
        assert answer.json()["connections"][NAME]["message"] == "The login is refused. Correct it."


def test_a_stranger_is_told_no_more_than_whether_it_is_ready(world: World) -> None:
    configure(world, f"listen: '0.0.0.0:0', token: {TOKEN}")
    beats = Beats()
    well(beats, "pull")
    with served(world.app(), beats) as address:
        own = address.replace("0.0.0.0", "127.0.0.1")
        assert get(own).json() == {"ready": True}
        assert get(own, Authorization="Bearer wrong-token-of-the-length").json() == {"ready": True}
        assert get(own, "/healthz").text == "ok\n"
        assert get(own, "/metrics").status_code == 401
        allowed = {"Authorization": f"Bearer {TOKEN}"}
        assert get(own, **allowed).json()["connections"][NAME]["state"] == "running"
        assert get(own, "/metrics", **allowed).status_code == 200


@pytest.mark.parametrize("kind", ["hangs", "refuses"])
def test_a_ledger_that_does_not_answer_is_not_ready_and_holds_nobody_up(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(health, "ANSWERS_IN", 0.2)
    configure(world, "listen: '127.0.0.1:0'")
    app, beats, goes_on = world.app(), Beats(), threading.Event()
    well(beats, "pull")

    def fail(*_: object) -> str:
        if kind == "refuses":
            raise LedgerUnavailable("It is gone.")
        assert goes_on.wait(60)
        return ""

    with served(app, beats) as address:
        assert get(address).status_code == 200
        with monkeypatch.context() as patch:
            patch.setattr(app.ledger, "watermark", fail)
            began = time.monotonic()
            for _ in range(5):
                answer = get(address)
                assert (answer.status_code, answer.json()["ledger"]) == (503, {"answers": False})
            assert get(address, "/healthz").status_code == 200
            assert time.monotonic() - began < 8
            assert sum(thread.name == "ready-ledger" for thread in threading.enumerate()) <= 1
        goes_on.set()
        wait_until(lambda: get(address).status_code == 200, "it to answer again", 20)


def test_a_guard_is_told_and_leaves_the_process_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page that says what waits would else vanish behind a supervisor just when it is needed."""
    configure(world, "listen: '127.0.0.1:0'")
    standing = {"creates_per_day": LoginFailed("The limit is reached.", "Look.")}
    monkeypatch.setattr("connector.sync.guards.standing", lambda *_: standing)
    beats = Beats()
    well(beats, "pull")
    app = world.app()
    with served(app, beats) as address:
        answer = get(address)
    told = answer.json()["connections"][NAME]
    assert (answer.status_code, told["state"], told["cause"]) == (200, "halted", "creates_per_day")
    assert told["since"] is None, "nobody knows"
    since = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    app.ledger.change_alert(None, Alert(NAME, "guard", "halted creates_per_day", "It waits.", since))
    with served(app, beats) as address:
        told = get(address).json()["connections"][NAME]
    assert (told["cause"], told["since"]) == ("creates_per_day", "2026-11-01T12:00:00Z")


def notice(address: str) -> str:
    """What the page says is wrong."""
    wait_until(lambda: "The limit is reached." in get(address, "/").text, "the count", 20)
    text = get(address, "/").text
    return text[text.index('<p class="notice is-bad">') :].partition("</p>")[0]


def test_the_page_says_since_when_a_guard_waits_where_that_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(world, "listen: '127.0.0.1:0'")
    standing = {"creates_per_day": LoginFailed("The limit is reached.", "Look.")}
    monkeypatch.setattr("connector.sync.guards.standing", lambda *_: standing)
    app, beats = world.app(), Beats()
    well(beats, "pull")
    with served(app, beats) as address:
        assert "Since" not in notice(address)
        since = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
        app.ledger.change_alert(None, Alert(NAME, "guard", "halted creates_per_day", "It waits.", since))
        assert "2026-11-01" in notice(address).partition("Since")[2]


# beats


def test_what_a_look_gets_done_counts_for_the_loop_that_its_thread_began() -> None:
    now, beats = datetime(2026, 11, 1, tzinfo=UTC), Beats()
    for loop in ("advance", "pull"):
        beats.expect(NAME, loop, MINUTE, now)

    def pull() -> None:
        beats.began(NAME, "pull", now)
        beats.moved(now + MINUTE)

    beats.moved(now)  # by nobody who looks
    beats.began(NAME, "advance", now)
    other = threading.Thread(target=pull)
    other.start()
    other.join()
    assert [beat.moved_at for beat in beats.all()] == [None, now + MINUTE]
    beats.succeeded(NAME, "pull", now + 2 * MINUTE)
    (_, beat) = beats.all()
    assert (beat.began_at, beat.moved_at, beat.seconds, beat.successes) == (None, None, 120, 1)


def test_a_failure_is_known_by_its_cause_until_a_success() -> None:
    now, beats = datetime(2026, 11, 1, tzinfo=UTC), Beats()
    beats.failed(NAME, "pull", LoginFailed("Nobody expected it."), now)
    assert beats.all() == []
    beats.expect(NAME, "pull", MINUTE, now)
    beats.failed(NAME, "pull", ValueError("ina@partner.example"), now)
    beats.failed(NAME, "pull", LoginFailed("Refused.", "Mend it."), now + MINUTE)
    beats.expect(NAME, "pull", 2 * MINUTE, now + MINUTE)  # as at the next turn
    (beat,) = beats.all()
    assert (beat.error, beat.cure, beat.cause, beat.is_halt) == ("Refused.", "Mend it.", "login", True)
    assert (beat.failed_at, beat.failures, beat.every) == (now + MINUTE, 2, 2 * MINUTE)
    assert beat.failing_since == now + MINUTE, "what it tells is so since then, whatever failed before"
    beats.failed(NAME, "pull", LoginFailed("Refused.", "Mend it."), now + 1.5 * MINUTE)
    assert beats.all()[0].failing_since == now + MINUTE
    beats.succeeded(NAME, "pull", now + 2 * MINUTE)
    (beat,) = beats.all()
    assert (beat.error, beat.cause, beat.is_halt, beat.failing_since, beat.is_well) == ("", "", False, None, True)
    beats.failed(NAME, "pull", ValueError("ina@partner.example"), now)
    assert beats.all()[0].error == "unexpected ValueError", "what it says may be anything"
    beats.failed(NAME, "pull", LoginFailed("ina@partner.example is refused."), now)
    assert beats.all()[0].error == "[removed] is refused.", "it is shown to whoever looks"
    beats.drop(NAME)
    assert beats.all() == []


# a fleet


def test_a_worker_is_ready_while_its_own_loops_are(world: World) -> None:
    configure(world, "listen: '127.0.0.1:0'", "health: {stalled_after: 1s}\nschedule: {pull: 1s, observe: 60s}\n")
    app, beats = world.app(), Beats()
    app.ledger.set_watermark(NAME, "last_pull", (datetime.now(UTC) - 60 * MINUTE).isoformat())
    well(beats, "queue", name=PROCESS)
    with served(app, beats, shares=True) as address:
        answer = get(address)
        assert answer.status_code == 200
        assert answer.json()["process"]["state"] == "running"
        wait_until(lambda: get(address).json()["connections"][NAME]["state"] == "stalled", "the others' word", 30)
        assert get(address).status_code == 200
        beats.failed(PROCESS, "queue", LoginFailed("No database."), datetime.now(UTC))
        assert get(address).status_code == 503


def state_in(app: App, beats: Beats, now: datetime, since: datetime) -> str:
    seen = Serving(lambda: app, beats, "test", shares=True)
    return healths_of(seen, look_at_ledger(seen, now, since), now)[NAME].state.value


def test_what_one_worker_met_the_others_know(world: World) -> None:
    app, now = world.app(), datetime.now(UTC)
    one, other = Beats(), Beats()
    for beats in (one, other):
        for loop in ("pull", "observe", "advance"):
            beats.expect(NAME, loop, MINUTE, now)
    assert state_in(app, other, now, now) == "unknown"
    for loop in ("pull", "observe", "advance"):
        one.succeeded(NAME, loop, now)
    one.failed(NAME, "advance", LoginFailed("Refused."), now + MINUTE)
    assert state_in(app, one, now + MINUTE, now) == "halted"
    assert state_in(app, other, now + MINUTE, now) == "halted"
    # The next turn is the other one's, and goes well; the first still remembers how it was.
    other.succeeded(NAME, "advance", now + 2 * MINUTE)
    assert state_in(app, other, now + 2 * MINUTE, now) == "running"
    assert state_in(app, one, now + 2 * MINUTE, now) == "running"
    # What need not be looked at is not missed, but a pull is, unless the one who pulls gets something done.
    assert state_in(app, one, now + 7 * MINUTE, now) == "stalled"
    other.began(NAME, "pull", now + MINUTE)
    other.moved(now + 6 * MINUTE)
    app.ledger.set_watermark(NAME, "last_observe", (now + 6 * MINUTE).isoformat())
    assert state_in(app, other, now + 7 * MINUTE, now) == "running"
    assert state_in(app, one, now + 7 * MINUTE, now) == "running"
    assert state_in(app, one, now + 13 * MINUTE, now) == "stalled"
    for loop in ("pull", "observe"):
        app.ledger.set_watermark(NAME, f"last_{loop}", (now + 6 * MINUTE).isoformat())
    assert state_in(app, one, now + 7 * MINUTE, now) == "running"


def test_what_only_a_worker_that_is_gone_failed_of_is_forgotten(world: World) -> None:
    app, now = world.app(), datetime.now(UTC)
    gone, here = Beats(), Beats()
    gone.expect(NAME, "review", MINUTE, now)
    gone.failed(NAME, "review", LoginFailed("Refused."), now)
    assert state_in(app, gone, now, now) == "halted"
    for minutes, state in ((90, "halted"), (121, "running")):
        at = now + minutes * MINUTE
        for loop in ("pull", "observe"):
            app.ledger.set_watermark(NAME, f"last_{loop}", at.isoformat())
        assert state_in(app, here, at, now) == state


def test_a_success_is_written_now_and_then_and_trouble_at_once() -> None:
    now, beats = datetime(2026, 11, 1, tzinfo=UTC), Beats()
    beats.expect(NAME, "pull", MINUTE, now)
    assert shared.merge(beats.all(), {}) == {}, "a loop that was never heard of tells nothing"
    beats.succeeded(NAME, "pull", now)
    known = shared.merge(beats.all(), {})
    assert shared.is_worth_writing(known, {})
    read = shared.from_text(NAME, shared.to_text(known), now)
    beats.succeeded(NAME, "pull", now + timedelta(seconds=30))
    assert not shared.is_worth_writing(shared.merge(beats.all(), read), read)
    beats.failed(NAME, "pull", LoginFailed("ina@partner.example is refused."), now + timedelta(seconds=31))
    merged = shared.merge(beats.all(), read)
    assert shared.is_worth_writing(merged, read)
    assert "ina@" not in shared.to_text(merged)
    again = shared.from_text(NAME, shared.to_text(merged), now)["pull"]
    assert (again.cause, again.is_halt, again.succeeded_at) == ("login", True, now + timedelta(seconds=30))


# the server


def taken_port() -> tuple[socket.socket, int]:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken, int(taken.getsockname()[1])


def test_a_port_that_is_taken_is_told_once_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "AGAIN", 0.05)
    taken, port = taken_port()
    configure(world, f"listen: '127.0.0.1:{port}'")
    tried: list[str] = []
    listen_at = server._listen_at

    def listen(address: str) -> socket.socket:
        tried.append(address)
        return listen_at(address)

    monkeypatch.setattr(server, "_listen_at", listen)
    app = world.app()
    with WebServer(Serving(lambda: app, Beats(), "test")) as made:
        wait_until(lambda: len(tried) > 3, "it to be tried again")
        assert made.bound is None
        taken.close()
        wait_until(lambda: made.bound is not None, "it to listen")
        assert get(f"http://127.0.0.1:{port}", "/healthz").status_code == 200
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"The page cannot listen on 127.0.0.1:{port}: Address already in use.")


def test_a_server_that_never_found_its_port_ends_at_once(world: World) -> None:
    taken, port = taken_port()
    configure(world, f"listen: '127.0.0.1:{port}'")
    app = world.app()
    began = time.monotonic()
    with taken, WebServer(Serving(lambda: app, Beats(), "test")):
        pass
    assert time.monotonic() - began < 5


def test_a_request_that_does_not_end_does_not_hold_up_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ANSWERS_IN", 60.0)
    configure(world, "listen: '127.0.0.1:0'")
    app, goes_on = world.app(), threading.Event()
    monkeypatch.setattr(app.ledger, "link_counts", lambda _names: goes_on.wait(60) and {})
    asking = socket.socket()
    with asking, served(app, Beats()) as address:
        host, port = address.removeprefix("http://").split(":")
        asking.connect((host, int(port)))
        asking.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: any(thread.name == "ready-ledger" for thread in threading.enumerate()), "it to be asked")
        ending = time.monotonic()
    assert time.monotonic() - ending < 8
    goes_on.set()


def test_off_is_off(world: World) -> None:
    app = world.app()
    with WebServer(Serving(lambda: app, Beats(), "test")) as made:
        assert not any(thread.name == "web" for thread in threading.enumerate())
    assert made.bound is None


def test_a_worker_without_its_ledger_knows_nothing_of_what_others_do(world: World) -> None:
    app, now = world.app(), datetime.now(UTC)
    for loop in ("pull", "observe"):
        app.ledger.set_watermark(NAME, f"last_{loop}", now.isoformat())
    seen = Serving(lambda: app, Beats(), "test", shares=True)
    look = look_at_ledger(seen, now, now)
    assert healths_of(seen, look, now)[NAME].state.value == "running"
    assert healths_of(seen, look, now + 22 * MINUTE)[NAME].state.value == "unknown"
