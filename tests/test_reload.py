"""SIGHUP: what was added, removed or changed starts and stops, the others never notice; wrong files change nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.daemon import Daemon
from connector.daemon.succession import read_again
from connector.errors import LedgerUnavailable, WrongAccount
from connector.sync import Context
from tests.many import Many, many
from tests.world import ENVIRONMENT, wait_until


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Many]:
    """Three worlds; a and b are connections, c is not yet."""
    with many(tmp_path / "many", "a", "b", "c") as made:
        for name in ("a", "b"):
            made.write(name)
        yield made


def reload(many: Many, process: subprocess.Popen[str]) -> str:
    """Have the files read again; gives the line of what came of it."""
    before = len(lines(many))
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(lines(many)) > before, "what came of the reload")
    return lines(many)[-1]


def lines(many: Many, *events: str) -> list[str]:
    """The messages of these events, of reloads where none is named."""
    entries = [json.loads(line) for line in many.log.splitlines() if line.startswith("{")]
    return [one["message"] for one in entries if one["event"] in (events or ("reloaded", "reload_refused"))]


def test_connections_come_and_go_and_the_others_never_notice(three: Many) -> None:
    with three.running() as process:
        for name in ("a", "b"):
            three.await_synced(name, three.deal(name))
        logins = three.logins("a")
        three.write("c")
        assert reload(three, process) == "Read again: added c; 2 as before."
        three.await_synced("c", three.deal("c"))
        three.file("b").unlink()
        assert reload(three, process) == "Read again: removed b; 2 as before."
        left = three.deal("b")
        three.await_synced("a", three.deal("a"))
        three.await_synced("c", three.deal("c"))
        assert three.logins("a") == logins, "the same clients, still logged in"
        three.write("b")
        assert reload(three, process) == "Read again: added b; 2 as before."
        three.await_synced("b", left)
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert lines(three, "refused", "job_failed", "cut_off") == []


def test_a_changed_section_and_a_changed_mapping_are_taken_up(three: Many) -> None:
    mapping = three.folder / "mine.yaml"
    text = (Path(__file__).parents[1] / "mappings" / "opportunity.yaml").read_text(encoding="utf-8")
    mapping.write_text(text, encoding="utf-8")
    three.write("a", "mapping: mine.yaml\n")
    with three.running() as process:
        for name in ("a", "b"):
            three.await_synced(name, three.deal(name))
        logins = three.logins("b")
        mapping.write_text(text + "# edited\n", encoding="utf-8")
        assert reload(three, process) == "Read again: changed a; 1 as before."
        three.await_synced("a", three.deal("a"))
        three.write("a", "mapping: mine.yaml\nlimits: {creates_per_pass: 0}\n")
        assert reload(three, process) == "Read again: changed a; 1 as before."
        three.deal("a")
        three.await_log("limit_reached")
        assert reload(three, process) == "Read again: 2 as before."
        three.await_synced("b", three.deal("b"))
        assert three.logins("b") == logins


def test_wrong_files_change_nothing_and_every_problem_is_told(three: Many) -> None:
    with three.running() as process:
        three.await_synced("a", three.deal("a"))
        three.write("c", "limts: {}\n")
        three.file("b").write_text(three.section_of("b").replace("catalog: Sandbox", "catalog: Box"), encoding="utf-8")
        reload(three, process)
        wait_until(lambda: len(lines(three, "reload_refused")) >= 2, "both problems")
        told = lines(three, "reload_refused")
        assert [line.partition(": ")[2].split(":")[0].rpartition("/")[2] for line in told] == ["b.yaml", "c.yaml"]
        assert "Did you mean limits?" in told[1]
        for name in ("a", "b"):
            three.await_synced(name, three.deal(name))
        three.write("b")
        three.write("c", "mapping: nowhere.yaml\n")
        assert "there is no such file" in reload(three, process)
        (three.folder / "wrong.yaml").write_text("opportunity: 1\n", encoding="utf-8")
        three.write("c", "mapping: wrong.yaml\n")
        assert "wrong.yaml" in reload(three, process)
        three.config.rename(three.folder / "elsewhere")
        assert "config.yaml" in reload(three, process)
        (three.folder / "elsewhere").rename(three.config)
        three.write("c")
        assert reload(three, process) == "Read again: added c; 2 as before."
        three.await_synced("c", three.deal("c"))


def test_another_catalog_is_refused_before_anything_stops(three: Many) -> None:
    with three.running() as process:
        three.await_synced("a", three.deal("a"))
        text = three.section_of("a").replace("catalog: Sandbox", "catalog: AWS")
        three.file("a").write_text(text, encoding="utf-8")
        assert "config.yaml says catalog AWS for connection a" in reload(three, process)
        three.await_synced("a", three.deal("a"))


def test_what_needs_a_restart_is_told_and_the_log_level_counts_at_once(three: Many) -> None:
    with three.running() as process:
        three.await_synced("a", three.deal("a"))
        text = three.config.read_text(encoding="utf-8")
        text = text.replace("ledger.db", "other.db").replace("listen: off", "listen: 127.0.0.1:1")
        text += "fleet: {concurrency: 3}\n"  # which a daemon has no use for
        three.config.write_text(text + "log: {level: WARNING}\n", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(lines(three, "restart_needed")) == 2, "both warnings")
        assert [line.split()[0] for line in lines(three, "restart_needed")] == ["database", "web.listen"]
        three.await_synced("a", three.deal("a"))
        assert not (three.folder / "other.db").exists()
        three.config.write_text(text + "log: {level: INFO}\n", encoding="utf-8")
        assert reload(three, process) == "Read again: 2 as before."
        assert len(lines(three, "reloaded")) == 1, "the first one was below the level that counted by then"


def test_who_was_refused_is_asked_again_once_helped(three: Many) -> None:
    wrong = three.section_of("a").replace("salesforce:\n", "salesforce:\n  organization_id: 00D000000000002EAA\n")
    three.file("a").write_text(wrong, encoding="utf-8")
    with three.running() as process:
        three.await_log('"event": "refused"')
        assert reload(three, process) == "Read again: 2 as before."
        three.await_log('"event": "refused"', 2)
        three.write("a")
        assert reload(three, process) == "Read again: changed a; 1 as before."
        three.await_synced("a", three.deal("a"))
        three.await_synced("b", three.deal("b"))
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_many_sighups_and_a_stop_among_them(three: Many) -> None:
    with three.running() as process:
        three.await_log('"event": "started"')
        for turn in range(12):
            if turn % 2:
                three.write("c")
            else:
                three.file("c").unlink(missing_ok=True)
            process.send_signal(signal.SIGHUP)
        wait_until(lambda: lines(three)[-1:] != [] and "c" in three.app().connections, "the last of them")
        three.await_synced("c", three.deal("c"))
        for name in ("a", "b"):
            three.await_synced(name, three.deal(name))
        three.file("c").unlink()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=30) == 0
    assert "Traceback" not in three.log
    assert lines(three, "stopped") == ["Stopped; nothing is in flight."]


def test_a_sighup_before_it_is_up_is_not_its_end(three: Many) -> None:
    with three.running() as process:
        wait_until(lambda: "SigCgt" in caught(process) and is_caught(process, signal.SIGHUP), "the handler")
        process.send_signal(signal.SIGHUP)
        three.await_log('"event": "reloaded"')
        three.await_synced("a", three.deal("a"))


def caught(process: subprocess.Popen[str]) -> str:
    return Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")


def is_caught(process: subprocess.Popen[str], number: int) -> bool:
    (mask,) = [line.split()[1] for line in caught(process).splitlines() if line.startswith("SigCgt")]
    return bool(int(mask, 16) & (1 << (number - 1)))


def test_one_that_hangs_is_removed_and_comes_back_only_when_it_is_over(three: Many) -> None:
    """Two of one connection at once would write each deal twice."""
    gate = three.gates["a"]
    with three.running() as process:
        three.await_synced("a", three.deal("a"))
        gate.shut()
        deal = three.deal("a")
        wait_until(lambda: gate.held > 0, "a call that is not answered")
        three.file("a").unlink()
        assert reload(three, process) == "Read again: removed a; 1 as before."
        three.write("a")
        assert reload(three, process) == "Read again: added a; 1 as before."
        logins = three.logins("a")
        three.await_synced("b", three.deal("b"))
        assert three.logins("a") == logins, "nothing of it begins while the one before is under way"
        gate.open()
        three.await_synced("a", deal)
        assert three.logins("a") == logins + 1
        made = [one for one in three.worlds["a"].ours if one.operation == "CreateOpportunity" and one.outcome == "ok"]
        assert len(made) == 2


# within this process


@contextmanager
def daemon(many: Many, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """One that runs in the main thread at the end of the block; what the block planned for it acts in another."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield Daemon(many.app())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def act(running: Daemon, script: Any) -> None:
    trouble: list[BaseException] = []

    def run() -> None:
        try:
            script()
        except BaseException as error:
            trouble.append(error)
        finally:
            running.app.stopping.set()

    thread = threading.Thread(target=run)
    thread.start()
    running.run()
    thread.join(30)
    if trouble:
        raise trouble[0]


def loops_of(running: Daemon, name: str) -> set[str]:
    return {beat.loop for beat in running.beats.all() if beat.connection == name}


def test_what_is_as_before_keeps_its_context_and_what_is_gone_is_expected_no_more(
    three: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    with daemon(three, monkeypatch) as running:
        before = dict(running.app.contexts)

        def script() -> None:
            for name in before:
                wait_until(lambda name=name: "pull" in loops_of(running, name), "the loops to begin")  # type: ignore[misc]
            assert "verification" not in loops_of(running, "a")
            three.file("b").unlink()
            three.write("c")
            running.reload()
            wait_until(lambda: "pull" in loops_of(running, "c"), "the new one to begin")
            wait_until(lambda: loops_of(running, "b") == set(), "the removed one to end")
            assert list(running.app.contexts) == ["a", "c"]
            assert running.app.contexts["a"] is before["a"]
            assert not before["a"].stopping.is_set()
            assert before["b"].stopping.is_set()

        act(running, script)


def test_who_is_refused_while_another_takes_its_place_stops_nothing(
    three: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.file("b").unlink()
    with daemon(three, monkeypatch) as running:
        asked, goes_on = threading.Event(), threading.Event()
        verify, first = running.app.verify, running.app.contexts["a"]

        def refuse(context: Context, *account: Any) -> None:
            if context is not first:
                verify(context, *account)
                return
            asked.set()
            assert goes_on.wait(60)
            raise WrongAccount("Salesforce is another org.", "Correct login_url.")

        monkeypatch.setattr(running.app, "verify", refuse)

        def script() -> None:
            assert asked.wait(60)
            three.write("a", "limits: {creates_per_pass: 7}\n")
            running.reload()
            goes_on.set()
            wait_until(lambda: "pull" in loops_of(running, "a"), "its successor to begin", 30)

        act(running, script)


def test_a_page_that_stays_where_strangers_reach_it_keeps_its_token(
    three: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file needs none, for the new address; the page stays at the old one until a restart."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    text = three.config.read_text(encoding="utf-8")
    webs = ("{listen: '0.0.0.0:8720', token: token-of-sixteen-or-more}", "{listen: '127.0.0.1:8720'}")
    first, second = (text.replace("{listen: off}", web) for web in webs)
    three.config.write_text(first, encoding="utf-8")
    app = three.app()
    app.upgrade()
    three.config.write_text(second, encoding="utf-8")
    successor = read_again(app)
    assert successor.config.web == app.config.web
    assert successor.kept_back == ("web.listen has changed, which needs a restart: the page stays where it was.",)


def test_a_ledger_that_does_not_answer_refuses_a_reload(
    three: Many, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with daemon(three, monkeypatch) as running:

        def script() -> None:
            wait_until(lambda: "pull" in loops_of(running, "a"), "the loops to begin")
            three.write("c")
            with monkeypatch.context() as patched:
                patched.setattr(running.app, "refuse_catalog", fail)
                running.reload()
            assert list(running.app.contexts) == ["a", "b"]
            running.reload()
            assert list(running.app.contexts) == ["a", "b", "c"]

        def fail(*_: str) -> None:
            raise LedgerUnavailable("The ledger cannot be used: gone.")

        act(running, script)
    (told,) = [one for one in caplog.records if getattr(one, "event", "") == "reload_refused"]
    assert (told.levelname, "gone" in told.getMessage()) == ("ERROR", True)


def test_one_that_cannot_be_started_yet_is_tried_again_and_told_once(
    three: Many, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with daemon(three, monkeypatch) as running:
        tried: list[str] = []

        def fail(name: str) -> None:
            tried.append(name)
            raise LedgerUnavailable("The ledger cannot be used: gone.")

        def troubles() -> list[str]:
            return [beat.connection for beat in running.beats.all() if beat.failing_since is not None]

        def script() -> None:
            wait_until(lambda: "pull" in loops_of(running, "a"), "the loops to begin")
            with monkeypatch.context() as patched:
                patched.setattr(running.app, "renew", fail)
                three.write("c")
                running.reload()
                wait_until(lambda: len(tried) > 2, "it to be tried again")
                assert troubles() == ["c"]
                three.file("c").unlink()
                running.reload()
                assert troubles() == []
                three.write("c")
                running.reload()
            wait_until(lambda: "pull" in loops_of(running, "c"), "it to begin")
            assert troubles() == []

        act(running, script)
    told = [one.getMessage() for one in caplog.records if getattr(one, "event", "") == "start_failed"]
    assert told == ["c cannot be started yet: The ledger cannot be used: gone."] * 2
