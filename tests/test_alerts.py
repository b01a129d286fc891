"""Alerts: once for each change of state, whoever notices it and however often it starts anew, and never lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from pydantic import SecretStr

from connector import report
from connector.app import App
from connector.commands.status import status
from connector.config.models import Alerts
from connector.core.guard import CreatesPerPass
from connector.core.health import PROCESS, Held, State, Trouble
from connector.core.model import Mapped
from connector.errors import LedgerUnavailable, LoginFailed, QuotaExhausted, Unavailable
from connector.log import redact
from connector.ports import Alert, Rest
from connector.sync.guards import CREATES_GUARD
from connector.watch import bell, watcher
from connector.watch.beats import Beats
from connector.watch.checkup import look_at_ledger
from connector.watch.inquiry import Inquiry
from connector.watch.watcher import Watcher
from connector.watch.wording import to_held, to_recovered, to_slack, to_told
from connector.web.serving import Serving
from tests.webhook import PATH, Webhook, webhook
from tests.world import World, wait_until

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAME = "sandbox"


@dataclass
class Watch:
    """A process that is watched at instants of the test's choosing."""

    app: App
    webhook: Webhook
    now: datetime = START
    beats: Beats = field(default_factory=Beats)

    def watcher(self) -> Watcher:
        """As after a start; it tells by itself, and looks when it is asked to."""
        made = Watcher(Serving(lambda: self.app, self.beats, "test"), lambda: self.now)
        made.bell.start()
        return made

    def expect(self, *loops: str) -> None:
        for loop in loops:
            self.beats.expect(NAME, loop, MINUTE, self.now)

    def well(self, *loops: str) -> None:
        for loop in loops:
            self.beats.began(NAME, loop, self.now)
            self.beats.succeeded(NAME, loop, self.now)

    def fails(self, loop: str, error: Exception) -> None:
        self.beats.began(NAME, loop, self.now)
        self.beats.failed(NAME, loop, error, self.now)

    def later(self, watching: Watcher, minutes: float = 1, *well: str) -> None:
        """Time passes in steps as short as the watch's, with looks, and loops that are well."""
        end = self.now + timedelta(minutes=minutes)
        while self.now < end:
            self.now = min(self.now + timedelta(seconds=30), end)
            self.well(*well)
            watching.look()

    def told(self, count: int) -> list[str]:
        """What was told, once that is so much; what comes too much would come with the next."""
        wait_until(lambda: len(self.webhook.texts) >= count, f"{count} alerts, not {self.webhook.texts}", 20)
        return self.webhook.texts


@pytest.fixture(name="hook")
def hook_fixture() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


@pytest.fixture(name="watch")
def watch_fixture(world: World, hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(bell, "GATHER", 0.02)
    monkeypatch.setattr(bell, "next_attempt", lambda failures, now, asked=0.0: now + timedelta(seconds=0.05))
    text = world.config.read_text(encoding="utf-8")
    world.config.write_text(f"alerts: {{webhook: '{hook.url}', held_min_links: 4}}\n{text}", encoding="utf-8")
    return Watch(world.app(), hook)


@contextmanager
def watching(watch: Watch) -> Iterator[Watcher]:
    made = watch.watcher()
    try:
        yield made
    finally:
        made.bell.stop()


def test_a_halt_is_told_once_and_so_is_its_end(watch: Watch) -> None:
    watch.expect("pull", "observe")
    with watching(watch) as one:
        watch.well("pull", "observe")
        one.look()
        watch.fails("pull", LoginFailed("Salesforce refuses the login.", "Correct client_secret."))
        one.look()
        wait_until(lambda: bool(one.bell.told()), "it to be told")
        watch.later(one, 3, "observe")
        watch.fails("pull", LoginFailed("Salesforce refuses the login.", "Correct client_secret."))
        watch.later(one, 1, "observe")
        watch.later(one, 1, "observe", "pull")
        halted, recovered = watch.told(2)
    assert halted.startswith("Connection sandbox is halted on ")
    assert "since 2026-11-01 12:00 UTC: Salesforce refuses the login. What to do: Correct client_secret." in halted
    assert recovered.startswith("Connection sandbox on ")
    assert recovered.endswith(" works again, after 5 min (halted).")


def test_a_restart_in_the_middle_repeats_nothing(watch: Watch) -> None:
    watch.expect("pull")
    with watching(watch) as first:
        watch.fails("pull", LoginFailed("Refused."))
        first.look()
        watch.told(1)
        wait_until(lambda: bool(first.bell.told()), "it to be told")
        first.look()
    watch.beats = Beats()
    watch.expect("pull")
    with watching(watch) as second:
        second.look()
        watch.fails("pull", LoginFailed("Refused."))
        watch.later(second, 4)
        watch.later(second, 1, "pull")
        assert [text.split()[3] for text in watch.told(2)] == ["halted", watch.webhook.texts[1].split()[3]]
    assert "works again" in watch.webhook.texts[1]


def test_a_stop_right_after_telling_repeats_nothing(watch: Watch) -> None:
    watch.expect("pull")
    watch.app.stopping.set()  # SIGTERM: no look follows
    with Watcher(Serving(lambda: watch.app, watch.beats, "test"), lambda: watch.now) as first:
        watch.fails("pull", LoginFailed("Refused."))
        first.look()
        wait_until(lambda: bool(first.bell.told()), "it to be told")
    watch.app.stopping.clear()
    watch.beats = Beats()
    watch.expect("pull")
    with watching(watch) as second:
        watch.fails("pull", LoginFailed("Refused."))
        watch.later(second, 4)
        second.bell.flush(20)
        assert len(watch.webhook.texts) == 1
        watch.later(second, 1, "pull")
        assert "works again" in watch.told(2)[1]


@pytest.mark.parametrize("name", ["NETRC", "REQUESTS_CA_BUNDLE"])
def test_the_environment_adds_no_login_and_no_certificates(
    hook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login mallory password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv(name, str(netrc))
    asked: list[requests.PreparedRequest] = []
    real = requests.Session.send

    def send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        asked.append(request)
        assert options["verify"] is True
        return real(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", send)
    assert bell._send(Alerts(webhook=SecretStr(hook.url)), "x") == ("", 0.0)
    assert "Authorization" not in asked[0].headers


def test_a_webhook_with_certificates_of_its_own_takes_alerts(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with webhook(authority) as hook:
        unknown, known = (Alerts(webhook=SecretStr(hook.url), ca_bundle=ca) for ca in (None, tmp_path / "ca.pem"))
        assert bell._send(unknown, "x") == ("SSLError", 0.0)
        assert bell._send(known, "x") == ("", 0.0)
    assert hook.texts == ["x"]


def test_what_starts_anew_knows_nothing_and_tells_nothing(watch: Watch) -> None:
    """Neither that it is over, before every loop has succeeded, nor that it stands still, before its time is up."""
    watch.app.ledger.change_alert(None, Alert(NAME, "progress", "halted login", "It was.", START))
    watch.expect("pull", "advance")
    with watching(watch) as one:
        watch.later(one, 4, "advance")
        assert one.bell.pending() == []
        watch.later(one, 0.5, "advance", "pull")
        assert "works again" in watch.told(1)[0]


def test_of_several_that_notice_one_tells(watch: Watch) -> None:
    watch.expect("pull")
    watch.fails("pull", LoginFailed("Refused."))
    watchers = [watch.watcher() for _ in range(3)]
    threads = [threading.Thread(target=one.look) for one in watchers for _ in range(1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    watch.told(1)
    watch.beats.succeeded(NAME, "pull", watch.now)
    for one in watchers:
        watch.later(one, 0.5, "pull")
    assert ["works again" in text for text in watch.told(2)] == [False, True]
    for one in watchers:
        one.bell.stop()


def test_another_cause_of_a_halt_is_told_as_well(watch: Watch) -> None:
    watch.expect("pull", "advance")
    with watching(watch) as one:
        watch.fails("advance", QuotaExhausted("The day's calls are used up."))
        one.look()
        watch.told(1)
        watch.fails("pull", LoginFailed("The login is refused."))
        watch.later(one, 2)
        watch.told(2)
        watch.later(one, 2, "pull")
        texts = watch.told(3)
    assert ["used up" in text for text in texts] == [True, False, True]
    assert "login is refused" in texts[1]


def test_trouble_that_comes_and_goes_is_not_told(watch: Watch) -> None:
    """A service that fails now and then is no news before its loop has not succeeded for five minutes."""
    watch.expect("pull")
    with watching(watch) as one:
        watch.well("pull")
        for _ in range(6):
            watch.fails("pull", Unavailable("Salesforce does not answer."))
            watch.later(one, 2)
            watch.later(one, 0.5, "pull")
        assert one.bell.pending() == []
        watch.fails("pull", Unavailable("Salesforce does not answer."))
        watch.later(one, 7)
        (text,) = watch.told(1)
    assert "is stalled on" in text
    assert "The loop pull has not succeeded for 7 min. Salesforce does not answer." in text


def test_a_machine_that_was_asleep_is_no_stall(watch: Watch) -> None:
    watch.expect("pull")
    with watching(watch) as one:
        watch.well("pull")
        one.look()
        watch.now += timedelta(hours=8)
        one.look()
        watch.later(one, 2, "pull")
        assert one.bell.pending() == []
        assert watch.webhook.tried == 0


def hold(app: App, held: int, synced: int) -> None:
    """That many links at rest."""
    ledger, key = app.ledger, (NAME, "Sandbox")
    ids = [f"006{number:015d}" for number in range(held + synced)]
    ledger.store_mapped(*key, [(one, "Deal", Mapped({"Held": held}), {}) for one in ids], START)
    links = ledger.links(ledger.due(*key, START, 1000))
    rests = [(link, Rest("Held" if n < held else "Synced", "x", code="required")) for n, link in enumerate(links)]
    ledger.rest(rests, START)


def test_too_many_held_records_are_told_once(watch: Watch) -> None:
    watch.expect("pull")
    hold(watch.app, 3, 3)
    with watching(watch) as one:
        watch.later(one, 3, "pull")
        watch.told(1)
        hold(watch.app, 1, 5)
        watch.later(one, 1, "pull")
        told, over = watch.told(2)
    assert "3 of 6 shared records (50 %) wait for a person, above the limit of 20 %" in told
    assert "few held records again, after" in over


def test_a_guard_that_waits_for_a_person_is_told_once(watch: Watch) -> None:
    watch.expect("pull")
    ledger = watch.app.ledger
    ledger.set_watermark(NAME, CREATES_GUARD, CreatesPerPass(100, 120, START).to_text())
    with watching(watch) as one:
        watch.later(one, 3, "pull")
        watch.told(1)
        ledger.set_watermark(NAME, CREATES_GUARD, "")
        watch.later(one, 1, "pull")
        told, over = watch.told(2)
    assert "waits for a person on" in told
    assert "since" not in told, "nobody knows since when, only that it is so"
    assert "120 new opportunities wait to be created" in told
    assert "waits for nobody any more" in over


def test_a_daily_limit_that_is_reached_again_and_again_is_told_once(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.expect("pull")
    trouble = LoginFailed("The limit is reached.")
    standing: list[dict[str, LoginFailed]] = []
    monkeypatch.setattr("connector.sync.guards.standing", lambda *_: standing[0])
    with watching(watch) as one:
        for found in ({"creates_per_day": trouble}, {}, {"creates_per_day": trouble}, {}):
            standing[:] = [found]
            watch.later(one, 5, "pull")
        watch.told(1)
        watch.later(one, 70, "pull")
        assert ["waits for nobody" in text for text in watch.told(2)] == [False, True]


def test_a_limit_that_ends_by_itself_hides_no_guard_that_does_not(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.expect("pull")
    day, mapping = LoginFailed("The day's limit is reached."), LoginFailed("The mapping was edited.")
    standing = {"creates_per_day": day}
    monkeypatch.setattr("connector.sync.guards.standing", lambda *_: standing)
    with watching(watch) as one:
        watch.later(one, 5, "pull")
        watch.told(1)
        standing["mapping_change_share"] = mapping
        watch.later(one, 5, "pull")
        assert ["mapping was edited" in text for text in watch.told(2)] == [False, True]


# several processes


@pytest.mark.parametrize("is_told", [False, True])
def test_what_another_process_went_on_from_is_not_told_any_more(watch: Watch, is_told: bool) -> None:
    """One cannot reach the webhook; the other one notes the end, and tells it at once or later."""
    watch.expect("pull")
    watch.webhook.answers = [500] * 10_000
    with watching(watch) as one, watching(watch) as other:
        watch.fails("pull", LoginFailed("Refused."))
        one.look()
        assert [alert.state for alert in one.bell.pending()] == ["halted login"]
        if is_told:
            other.bell._alerts = Alerts
        else:
            other.bell.stop()
        watch.later(other, 0.5, "pull")
        if is_told:
            wait_until(lambda: bool(other.bell.told()), "it to be told")
            watch.later(other, 0.5, "pull")
        watch.later(one, 1, "pull")
        assert one.bell.pending() == []
        assert len(other.bell.pending()) == (not is_told)
        (noted,) = watch.app.ledger.alerts([NAME])
        assert (noted.state, noted.tell_by is None) == ("running", is_told)


# the webhook


def test_a_webhook_that_is_down_is_tried_until_it_takes_it(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    watch.webhook.answers = [500, 429, 404, 200]
    watch.expect("pull")
    caplog.set_level(logging.INFO)
    with watching(watch) as one:
        watch.fails("pull", LoginFailed("Refused."))
        one.look()
        assert "Refused." in watch.told(1)[0]
        wait_until(lambda: any("takes alerts again" in line for line in caplog.messages), "the end to be logged")
    assert watch.webhook.tried == 4
    assert [line for line in caplog.messages if line.startswith("The webhook")] == [
        "The webhook took no alert: HTTP 500. It is tried again until it does.",
        "The webhook takes alerts again.",
    ]
    assert PATH not in caplog.text


def test_nobody_waits_for_a_webhook_and_its_address_is_never_logged(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody listens there; the state that is told in the end says what it had been."""
    up, watch.webhook.port = watch.webhook.port, 9
    app = watch.app
    section = app.config.alerts.model_copy(update={"webhook": type(app.config.alerts.webhook)(watch.webhook.url)})
    object.__setattr__(app.config, "alerts", section)
    watch.expect("pull")
    with watching(watch) as one:
        began = time.monotonic()
        watch.fails("pull", LoginFailed("Refused."))
        watch.later(one, 2)
        watch.later(one, 1, "pull")
        assert time.monotonic() - began < 15
        (waiting,) = one.bell.pending()
        assert "works again" in waiting.message
        assert "It had been: Connection sandbox is halted" in waiting.message
        wait_until(lambda: "took no alert: ConnectionError" in caplog.text, "the trouble to be logged")
        watch.webhook.port = up
        again = app.config.alerts.model_copy(update={"webhook": type(section.webhook)(watch.webhook.url)})
        object.__setattr__(app.config, "alerts", again)
        assert "It had been" in watch.told(1)[0]
    assert "xyzzy" not in caplog.text


def test_what_another_process_left_untold_is_told_by_the_next(watch: Watch) -> None:
    watch.app.ledger.change_alert(None, Alert(NAME, "progress", "stalled", "It stood still.", START, START + MINUTE))
    watch.expect("pull")
    with watching(watch) as one:
        one.look()
        assert one.bell.pending() == []
        watch.later(one, 2)
        assert watch.told(1) == ["It stood still."]
        wait_until(lambda: bool(one.bell.told()) or not one.bell.pending(), "it to be noted")
        watch.later(one, 1)
        (noted,) = watch.app.ledger.alerts([NAME])
    assert (noted.tell_by, noted.told_at is not None) == (None, True)


def test_without_a_webhook_there_is_a_line_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bell, "GATHER", 0.02)
    watch = Watch(world.app(), Webhook())
    watch.expect("pull")
    with watching(watch) as one:
        watch.fails("pull", LoginFailed("Refused."))
        watch.later(one, 2)
        (line,) = [record for record in caplog.records if getattr(record, "event", "") == "alert"]
        assert (line.levelname, line.__dict__["connection"], line.__dict__["state"]) == ("ERROR", NAME, "halted login")
        wait_until(lambda: not one.bell.pending(), "it to be noted")


# the ledger


def test_a_ledger_that_hangs_is_told_from_memory(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "ANSWERS_IN", 0.1)
    hangs, goes_on = threading.Event(), threading.Event()
    link_counts = watch.app.ledger.link_counts

    def counts(names: list[str]) -> dict[tuple[str, str, str, str], int]:
        if hangs.is_set():
            assert goes_on.wait(60)
        return link_counts(names)

    monkeypatch.setattr(watch.app.ledger, "link_counts", counts)
    watch.expect("pull")
    with watching(watch) as one:
        watch.well("pull")
        one.look()
        hangs.set()
        # What halts meanwhile is told once the ledger can say whether it was told already.
        watch.fails("pull", LoginFailed("Refused."))
        watch.later(one, 2)
        told = watch.told(1)
        assert "has no ledger since" in told[0]
        assert "The ledger does not answer." in told[0]
        hangs.clear()
        goes_on.set()
        watch.later(one, 1)
        after = sorted(watch.told(3)[1:])
    assert "is halted on" in after[0]
    assert "has its ledger again" in after[1]


def test_a_ledger_that_cannot_write_is_one_alert_and_not_one_for_each_loop(watch: Watch) -> None:
    watch.expect("pull", "advance")
    with watching(watch) as one:
        watch.well("pull", "advance")
        for loop in ("pull", "advance"):
            watch.fails(loop, LedgerUnavailable("The ledger cannot be used: disk full."))
        watch.later(one, 4)
        assert ["disk full" in text for text in watch.told(1)] == [True]
        watch.later(one, 1, "pull", "advance")
        assert "has its ledger again" in watch.told(2)[1]


def refuse(*_: object) -> dict[tuple[str, str, str, str], int]:
    raise LedgerUnavailable("The ledger cannot be used: no connection.")


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_stands_still_for_want_of_the_ledger_is_no_alert_of_its_own(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    """Neither a worker's queue nor a loop; both may need a moment after it, but not for ever."""
    watch.beats.expect(PROCESS, "queue", timedelta(seconds=2), watch.now)
    watch.expect("pull")
    with watching(watch) as one:
        watch.beats.succeeded(PROCESS, "queue", watch.now)
        watch.later(one, 0.5, "pull")
        with monkeypatch.context() as patch:
            patch.setattr(watch.app.ledger, "link_counts", refuse)
            watch.later(one, 10)
            watch.told(1)
        watch.later(one, 1)
        if goes_on:
            watch.beats.succeeded(PROCESS, "queue", watch.now)
        watch.later(one, 3, "pull")
        assert ["no ledger" in text for text in watch.told(2)] == [True, False]
        assert "has its ledger again" in watch.webhook.texts[1]
        wait_until(lambda: not one.bell.pending(), "all to be told")
        assert len(watch.webhook.texts) == 2
        watch.later(one, 4, "pull")
        assert ["The worker is stalled on" in text for text in watch.told(3)[2:]] == [True]
        watch.beats.succeeded(PROCESS, "queue", watch.now)
        watch.later(one, 1, "pull")
        assert ["The worker on" in text for text in watch.told(4)[3:]] == [True]


def test_a_ledger_that_refuses_once_is_no_news(watch: Watch) -> None:
    watch.expect("pull")
    with watching(watch) as one:
        watch.fails("pull", LedgerUnavailable("The ledger cannot be used: locked."))
        one.look()
        watch.later(one, 3, "pull")
        assert (one.bell.pending(), watch.webhook.tried) == ([], 0)


def test_a_ledger_that_refuses_once_after_another_trouble_is_no_news(watch: Watch) -> None:
    watch.expect("pull")
    with watching(watch) as one:
        watch.well("pull")
        watch.fails("pull", Unavailable("Salesforce does not answer."))
        watch.later(one, 3)
        watch.fails("pull", LedgerUnavailable("The ledger cannot be used: locked."))
        one.look()
        watch.later(one, 1, "pull")
        assert (one.bell.pending(), watch.webhook.tried) == ([], 0)


def test_a_connection_that_goes_while_the_ledger_is_asked_is_no_trouble(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(watch.app, 1, 1)
    app, link_counts = watch.app, watch.app.ledger.link_counts
    section = app.config.connections[NAME]

    def counts(names: list[str]) -> dict[tuple[str, str, str, str], int]:
        app.config = replace(app.config, connections={"other": section})
        return link_counts(names)

    monkeypatch.setattr(app.ledger, "link_counts", counts)
    look = look_at_ledger(Serving(lambda: app, watch.beats, "test"), watch.now, watch.now)
    assert look.held == {NAME: Held(1, 2)}


def test_a_question_that_hangs_is_asked_once_and_its_answer_shared() -> None:
    asked, goes_on = [], threading.Event()

    def question() -> int:
        asked.append(1)
        assert goes_on.wait(30)
        return len(asked)

    inquiry = Inquiry("test", question)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            inquiry.ask(0.01)
    goes_on.set()
    assert inquiry.ask(30) == 1
    assert inquiry.ask(30) == 2


def test_status_tells_what_is_not_over(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = watch.app.ledger
    ledger.change_alert(None, Alert(NAME, "progress", "stalled", "It stands still.", START))
    ledger.change_alert(None, Alert(NAME, "held", "running", "It is over.", START))
    assert report.status(watch.app)["connections"][NAME]["alerts"] == [
        {"kind": "progress", "state": "stalled", "since": "2026-11-01T12:00:00Z", "message": "It stands still."}
    ]
    status(watch.app, as_json=False)
    told = capsys.readouterr().out
    assert "Alert: It stands still." in told
    assert "It is over." not in told


# its words


HOSTILE = "ina@partner.example was refused\nby <https://x.example|x>."
TROUBLE = Trouble(State.HALTED, "login", HOSTILE, "Do & look.", START)


def test_no_personal_data_and_no_secret_in_what_is_told() -> None:
    redact("hunter2-hunter2")
    trouble = Trouble(State.STALLED, "outage", "Call +1 555 0100 999 with hunter2-hunter2.", "", START)
    told = to_told("progress", NAME, trouble, "host1")
    assert told == ("Connection sandbox is stalled on host1 since 2026-11-01 12:00 UTC: Call [removed] with [removed].")
    assert "ina@" not in to_told("guard", NAME, TROUBLE, "host1")


def test_nothing_in_it_is_markup_and_nobody_is_called() -> None:
    text = to_slack([to_told("progress", NAME, TROUBLE, "host1"), "@channel <!here>"])
    assert "&lt;https://x.example|x&gt;" in text
    assert "Do &amp; look." in text
    assert "@channel" not in text
    assert "<" not in text


def test_it_is_short_whatever_it_is_about(tmp_path: Path) -> None:
    long = Trouble(State.HALTED, "login", "word " * 1000, "", START)
    assert len(to_told("progress", NAME, long, "host1")) == 900
    before = Alert(NAME, "progress", "halted login", "x" * 900, START, START)
    assert len(to_recovered(before, START + MINUTE, "host1", "halted")) == 900
    assert len(to_held(NAME, Held(1, 2), 0.2, "host1")) < 400


# a fleet


def test_a_worker_that_begins_calls_no_silence_well(watch: Watch) -> None:
    """Else each calls it what the other one does not, and all of that is told."""
    for loop in ("pull", "observe"):
        watch.app.ledger.set_watermark(NAME, f"last_{loop}", watch.now.isoformat())
    told: list[str] = []
    one, other = (fleet_watcher(watch, told) for _ in range(2))
    one.look()
    for _ in range(30):
        watch.now += timedelta(seconds=16)
        one.look()
    assert told == ["stalled"]
    other = fleet_watcher(watch, told)
    for _ in range(30):
        watch.now += timedelta(seconds=16)
        for each in (one, other):
            each.look()
    assert told == ["stalled"]
    for loop in ("pull", "observe"):
        watch.app.ledger.set_watermark(NAME, f"last_{loop}", watch.now.isoformat())
    watch.now += timedelta(seconds=16)
    for each in (one, other):
        each.look()
    assert told == ["stalled", "running"]


def test_workers_of_a_machine_that_was_asleep_tell_no_stall(watch: Watch) -> None:
    told: list[str] = []
    one = fleet_watcher(watch, told)
    watch.expect("pull", "observe")

    def well() -> None:
        for loop in ("pull", "observe"):
            watch.app.ledger.set_watermark(NAME, f"last_{loop}", watch.now.isoformat())
        watch.well("pull", "observe")

    for _ in range(3):
        watch.now += timedelta(seconds=61)
        well()
        one.look()
    watch.now += timedelta(seconds=16)
    one.look()
    watch.now += timedelta(hours=8)
    one.look()
    well()
    watch.now += timedelta(seconds=16)
    one.look()
    assert told == []


def fleet_watcher(watch: Watch, told: list[str]) -> Watcher:
    """That of a worker."""
    made = Watcher(Serving(lambda: watch.app, watch.beats, "test", shares=True), lambda: watch.now)
    made._ring = lambda alert: told.append(alert.state)  # type: ignore[method-assign]
    return made


def test_who_cannot_reach_the_webhook_leaves_it_to_who_can(watch: Watch) -> None:
    watch.expect("pull")
    watch.fails("pull", LoginFailed("Refused."))
    with watching(watch) as shut_in, watching(watch) as well:
        shut_in.bell._post = lambda _: shut_in.bell.__dict__.update(_failures=1) or 0.05  # type: ignore[method-assign]
        shut_in.look()
        wait_until(lambda: shut_in.bell.is_failing, "it to be refused")
        for _ in range(12):
            watch.now += timedelta(seconds=15)
            watch.fails("pull", LoginFailed("Refused."))
            shut_in.look()
            well.look()
        (text,) = watch.told(1)
        watch.now += timedelta(seconds=30)
        for each in (well, shut_in):
            each.look()
        assert shut_in.bell.pending() == []
    assert "is halted" in text
