"""The daemon's start: nothing is touched before it is known what is reached; trouble of one connection is its own."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connector import daemon
from connector.app import AWS_ACCOUNT, App
from connector.checks.aws import check_aws
from connector.commands.choice import Choice
from connector.commands.resync import resync_quietly
from connector.core.findings import Severity
from connector.daemon import Entrance, Guarded
from connector.errors import ConnectorError, LoginFailed, Unavailable, UserError, WrongAccount
from connector.sync import Context
from tests.daemons import started
from tests.world import ENVIRONMENT, World, wait_until

ACCOUNT, OTHER = "111122223333", "444455556666"


@contextmanager
def running(world: World) -> Iterator[subprocess.Popen[str]]:
    """The real daemon, looking every second; its log in the world's folder."""
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text("schedule: {pull: 1s, observe: 1s}\n" + text, encoding="utf-8")
    with started(world) as process:
        yield process


def log_of(world: World) -> str:
    return (world.folder / "daemon.log").read_text(encoding="utf-8")


def test_a_daemon_that_starts_while_salesforce_is_down_works_once_it_is_back(world: World) -> None:
    deal = world.opportunity()
    world.sandbox.faults.add(on="token", do="status", status=503, times=None)
    with running(world) as process:
        wait_until(lambda: "verification of sandbox" in log_of(world), "the trouble to be told")
        assert process.poll() is None
        assert world.sandbox.service.journal == []
        world.sandbox.faults.clear()
        wait_until(lambda: world.record(deal)["AWS_Sync_Status__c"] == "Synced", "the record to be settled")
        assert "verification of sandbox works again" in log_of(world)
        process.terminate()
        assert process.wait(timeout=15) == 0


def test_another_org_ends_the_daemon_however_late_it_is_found_out(world: World) -> None:
    text = world.config.read_text(encoding="utf-8")
    organization = "      organization_id: 00D000000000002EAA\n"
    world.config.write_text(text.replace("      auth:\n", organization + "      auth:\n"), encoding="utf-8")
    world.sandbox.faults.add(on="token", do="status", status=503, times=None)
    with running(world) as process:
        wait_until(lambda: "verification of sandbox" in log_of(world), "the trouble to be told")
        world.sandbox.faults.clear()
        assert process.wait(timeout=60) == 3
    assert "config.yaml names 00D000000000002EAA" in log_of(world)
    assert "Traceback" not in log_of(world)
    assert world.sandbox.service.journal == []


TOLD_TO_STOP_AT_ONCE = """
import logging, os, signal, threading

def hurry(record):
    if getattr(record, "event", "") == "started":
        os.kill(os.getpid(), signal.SIGTERM)
    return True

start = threading.Thread.start
def interrupted(thread):
    start(thread)
    if thread.name.startswith("loop"):
        os.kill(os.getpid(), signal.SIGTERM)

logging.getLogger("connector.daemon.service").addFilter({filter})
threading.Thread.start = {thread}
from connector.cli import main
main(["run"])
"""


@pytest.mark.parametrize(
    ("when", "how"),
    [
        ("as soon as it says that it runs", {"filter": "hurry", "thread": "start"}),
        ("while its first thread starts", {"filter": "lambda record: True", "thread": "interrupted"}),
    ],
)
def test_it_ends_when_it_is_told_to_in_the_middle_of_its_start(world: World, when: str, how: dict[str, str]) -> None:
    """A pool does not know of a thread whose start was broken off, and would wait for it for ever."""
    environment = {**os.environ, **ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config)}
    command = [sys.executable, "-c", TOLD_TO_STOP_AT_ONCE.format(**how)]
    told = subprocess.run(command, cwd=world.folder, env=environment, text=True, capture_output=True, timeout=60)
    assert (told.returncode, "Stopped; nothing is in flight." in told.stderr) == (0, True), (when, told.stderr)


# within this process


@pytest.fixture
def app(world: World) -> Iterator[App]:
    """Two connections, a and b."""
    text = world.config.read_text(encoding="utf-8")
    head, _, section = text.partition("\n  sandbox:\n")
    connections = "".join(f"\n  {name}:\n{section.rstrip()}" for name in ("a", "b"))
    world.config.write_text(f"schedule: {{pull: 1s, observe: 1s}}\n{head}{connections}\n", encoding="utf-8")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield world.app()
    for number, handler in before.items():
        signal.signal(number, handler)


def watch(context: Context, patch: pytest.MonkeyPatch, identify: Callable[[], Any]) -> list[str]:
    """What a connection asks the services, but for who Salesforce is, which ``identify`` answers."""
    asked: list[str] = []
    services = {
        context.salesforce: ("describe", "changes", "fetch", "states", "write"),
        context.partner_central: ("call", "account"),
    }
    for service, names in services.items():
        for name in names:
            method = getattr(service, name)
            patch.setattr(
                service, name, lambda *a, name=name, method=method, **k: (asked.append(name), method(*a, **k))[1]
            )
    patch.setattr(context.salesforce, "identify", identify)
    return asked


def test_one_connection_that_cannot_be_verified_waits_alone(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = app.contexts["a"]
    identify, is_up, tried = first.salesforce.identify, threading.Event(), list[bool]()

    def answer() -> Any:
        tried.append(is_up.is_set())
        if not is_up.is_set():
            raise Unavailable("Salesforce does not answer.")
        return identify()

    asked = watch(first, monkeypatch, answer)
    told: list[Any] = []

    def follow() -> None:
        try:
            wait_until(lambda: len(tried) > 1, "a second try", 30)
            wait_until(lambda: bool(app.ledger.watermark("b", "last_pull")), "the other connection to work", 30)
            told.append((list(asked), app.ledger.watermark("a", "last_pull")))
            is_up.set()
            wait_until(lambda: bool(app.ledger.watermark("a", "last_pull")), "this one to work as well", 30)
            told.append(asked[0])
        finally:
            app.stopping.set()

    script = threading.Thread(target=follow)
    script.start()
    daemon.run(app)
    script.join(30)
    assert told == [([], ""), "account"]
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("verification of a")]
    assert lines == ["verification of a: Salesforce does not answer.", "verification of a works again."]


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (Unavailable("down"), False),
        (LoginFailed("down as well"), False),
        (WrongAccount("another org"), True),
        (UserError("a mistake"), True),
    ],
    ids=["down", "login", "another org", "mistake"],
)
def test_only_what_a_person_must_mend_is_refused_for_good(
    app: App, monkeypatch: pytest.MonkeyPatch, error: ConnectorError, is_final: bool
) -> None:
    context = app.contexts["a"]

    def refuse() -> Any:
        raise error

    asked = watch(context, monkeypatch, refuse)
    entrance = Entrance(app, context)
    job = Guarded("verification", context, entrance.verify)
    job.run()
    assert (entrance.refusal, entrance.is_decided) == ((error, True) if is_final else (None, False))
    assert (job.failures, entrance.opened.is_set()) == (0 if is_final else 1, False)
    assert asked == []


# the AWS account


def resync(world: World) -> list[str]:
    """``connector resync --all``, in this process; the status of each record."""
    return [entry["status"] for entry in resync_quietly(world.app(), Choice((), True, None, None))]


def check(world: World) -> list[str]:
    """``connector check``, in this process; what halts it."""
    app = world.app()
    checked = check_aws(app, app.contexts["sandbox"])
    return [one.message for look in checked for one in look.findings if one.severity is Severity.HALT]


def test_credentials_of_another_account_are_refused_by_resync_and_by_the_daemon(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.opportunity()
    assert resync(world) == ["Synced"], "an account that cannot be told refuses nothing"
    monkeypatch.setenv("AWS_ACCOUNT_ID", OTHER)
    assert check(world) == []
    monkeypatch.setenv("AWS_ACCOUNT_ID", ACCOUNT)
    assert resync(world) == ["Synced"], "a check decides nothing"
    assert world.app().ledger.watermark("sandbox", AWS_ACCOUNT) == ACCOUNT
    before = world.calls
    monkeypatch.setenv("AWS_ACCOUNT_ID", OTHER)
    with pytest.raises(WrongAccount, match=f"those of account {OTHER}, but the ledger was filled from .* {ACCOUNT}"):
        resync(world)
    with running(world) as process:
        assert process.wait(timeout=60) == 3
    assert f"those of account {OTHER}, but the ledger was filled from account {ACCOUNT}" in log_of(world)
    assert world.calls == before
    monkeypatch.delenv("AWS_ACCOUNT_ID")
    assert resync(world) == ["Synced"]


def test_a_sandbox_is_verified_without_asking_sts(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("connector.adapters.partner_central.account._ask", lambda *a: asked.append(a) or "")
    context = app.contexts["a"]
    app.verify(context, context.partner_central.account)
    assert asked == []
    assert app.ledger.watermark("a", AWS_ACCOUNT).startswith("key-"), "what its calls are counted under"
    app.verify(context, lambda: ACCOUNT)
    assert app.ledger.watermark("a", AWS_ACCOUNT) == ACCOUNT
