"""Watches a process, and tells people once of each change: halted, stalled, too much held, and recovered.

In threads of its own: what it watches may hang. It changes nothing but what is known to be told.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

from connector.core.health import LASTING, LEDGER_PATIENCE, PROCESS, Cause, Health, State, Trouble
from connector.errors import ConnectorError
from connector.log import redact
from connector.ports import Alert
from connector.watch.bell import Bell
from connector.watch.checkup import GUARD, Look, Watched, healths_of, look_at_ledger
from connector.watch.inquiry import Inquiry
from connector.watch.wording import RUNNING, to_held, to_recovered, to_told

logger = logging.getLogger(__name__)

TICK = 2.0
"""Seconds between two looks at the loops."""
LOOK_EVERY = timedelta(seconds=15)
"""How often the ledger is asked, where nothing has changed."""
ANSWERS_IN = 5.0
"""Seconds that the ledger has to answer."""
ASLEEP = timedelta(seconds=30)
"""A look that comes this much too late: not the loops stood still, but the whole process or machine."""
LAST_WORD = 4.0
"""Seconds that the webhook has to take what is told last."""
CLAIM = timedelta(minutes=2)
"""How long whoever notes a change has to tell it, until another process may."""
PROGRESS, HELD, LEDGER = "progress", "held", "ledger"
CALM = timedelta(hours=1)
"""How long such a limit has to be left alone until it counts as over."""
_LEDGER_CURE = "Nothing is written to AWS or Salesforce until it works. See whether the database runs and has room."
Wanted = tuple[Alert | None, Alert]
"""(what was told before, what is to be told now)"""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Watcher:
    """``with Watcher(serving):`` watches while the block runs. That the block ends is no alert."""

    def __init__(self, watched: Watched, clock: Callable[[], datetime] = utc_now) -> None:
        self._watched = watched
        self._clock = clock
        self._host = socket.gethostname()
        self._since = self._judged_at = clock()
        self._silent_since: datetime | None = None
        self._out_until: datetime | None = None
        self._look: Look | None = None
        self._wanted: list[Wanted] = []
        self._local: dict[tuple[str, str], Alert] = {}
        self._guarded_at: dict[str, datetime] = {}
        self._looking = threading.Lock()
        self._ending = threading.Event()
        self._ledger = Inquiry("watch-ledger", self._ask_ledger)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.bell = Bell(lambda: watched.app().config.alerts)

    def __enter__(self) -> Self:
        webhook = self._watched.app().config.alerts.webhook
        if webhook is not None:
            redact(webhook.get_secret_value())
        self.bell.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.bell.stop()
        self._thread.join(1.0)
        self._note_told()

    def _note_told(self) -> None:
        """Note what was told since the last look, so that the next start repeats nothing. Waits a second at most."""
        if self.bell.told():
            with suppress(Exception):  # whatever it is: it is told once more, and the process ends all the same
                self._ledger.ask(1.0)

    def _run(self) -> None:
        is_told = False
        while not self._ending.wait(TICK):
            if self._watched.app().stopping.is_set():
                continue
            try:
                self.look()
                is_told = False
            except Exception:
                if not is_told:
                    logger.exception("The watch has stumbled; it goes on.", extra={"event": "watch_failed"})
                is_told = True

    def look(self) -> None:
        """Judge once, and have told what changed."""
        with self._looking:
            self._judge(self._clock())

    def last_word(self) -> None:
        """The process ends for what is wrong: have it told before that. Waits some seconds at most; never raises."""
        try:
            self.look()
            self.bell.flush(LAST_WORD)
            self.look()  # notes that it was told
        except Exception:
            logger.exception("The watch has stumbled at the end.", extra={"event": "watch_failed"})

    def _judge(self, now: datetime) -> None:
        if now - self._judged_at > timedelta(seconds=TICK + ANSWERS_IN) + ASLEEP:
            self._watched.beats.excuse(now)
            self._since = now  # so are the loops that others run
        self._judged_at = now
        is_due = self._look is None or now - self._look.at >= self.look_every or bool(self.bell.told())
        if is_due:
            self._refresh(now)
        healths = healths_of(self._watched, self._look, now)
        self._tell_locally(healths.pop(PROCESS), now)
        if self._look is None or self._silent_since is not None:
            return  # what was told is not known: it is looked at again once it is
        self._wanted = [wanted for health in healths.values() for wanted in self._changes(health, now)]
        if self._wanted:
            self._refresh(now)

    @property
    def look_every(self) -> timedelta:
        """Sooner where people want to know sooner."""
        return min(LOOK_EVERY, max(self._watched.app().config.health.stalled_after / 4, timedelta(seconds=TICK)))

    # the ledger, asked in its own thread

    def _refresh(self, now: datetime) -> None:
        try:
            self._ledger.ask(ANSWERS_IN)
            self._silent_since = None
        except Exception as error:
            self._silent_since = self._silent_since or now
            if not isinstance(error, TimeoutError | ConnectorError):
                raise

    def _ask_ledger(self) -> None:
        """Note what was told and what is to be told, then look again."""
        ledger, now = self._watched.app().ledger, self._clock()
        for told in self.bell.told():
            if told.connection != PROCESS:
                ledger.alert_told(told, now)
            elif self._local.get((PROCESS, told.kind)) is told:
                self._local[PROCESS, told.kind] = replace(told, tell_by=None)
            self.bell.noted(told)
        if self._ending.is_set():
            return  # what is to be told is for who goes on
        while self._wanted:
            before, after = self._wanted[-1]
            if ledger.change_alert(before, after):
                self._ring(after)
            self._wanted.pop()
        self._look = look_at_ledger(self._watched, now, self._since)
        self._keep_claims(now)

    def _keep_claims(self, now: datetime) -> None:
        """What we still have to tell stays ours; what another process left untold becomes ours."""
        assert self._look is not None
        mine = {(alert.connection, alert.kind): alert for alert in self.bell.pending()}
        for key, alert in self._look.alerts.items():
            ours = mine.get(key)
            if ours is not None and (alert.tell_by is None or not _is_same(ours, alert)):
                self.bell.withdraw(ours)  # another process has told it, or tells what came after it
                ours = None
            if ours is not None and self.bell.is_failing:
                continue  # whoever gets through may take it over
            if alert.tell_by is None or alert.tell_by >= now + (CLAIM / 2 if ours is not None else timedelta(0)):
                continue
            later = now + CLAIM
            if self._watched.app().ledger.claim_alert(alert, later) and ours is None:
                self.bell.ring(replace(alert, tell_by=later))

    # what has changed

    def _changes(self, health: Health, now: datetime) -> Iterator[Wanted]:
        """What is to be told of a connection; where it is neither well nor in trouble it stays what it was."""
        name = health.connection
        trouble = health.trouble
        if trouble is not None and trouble.cause != Cause.LEDGER and not self._stood_still(trouble, now):
            yield from self._change(name, PROGRESS, trouble, now)
        elif trouble is None and health.state is State.RUNNING:
            yield from self._change(name, PROGRESS, None, now)
        yield from self._guard(health, now)
        yield from self._held(name, now)

    def _guard(self, health: Health, now: datetime) -> Iterator[Wanted]:
        """Of a limit that is reached again and again, as each day's is, the end is told once it has been calm."""
        name, guard = health.connection, health.guard
        if guard is not None:
            self._guarded_at[name] = now
            if guard.cause != Cause.GUARD:  # else a loop has met it, and the ledger will tell which it is
                yield from self._change(name, GUARD, guard, now)
        elif health.state is State.RUNNING:
            assert self._look is not None
            before = self._look.alerts.get((name, GUARD))
            is_lasting = before is not None and before.state.endswith(LASTING)
            if not is_lasting or now - self._guarded_at.setdefault(name, now) >= CALM:
                yield from self._change(name, GUARD, None, now)

    def _change(self, connection: str, kind: str, trouble: Trouble | None, now: datetime) -> Iterator[Wanted]:
        assert self._look is not None
        before = self._look.alerts.get((connection, kind))
        if (after := self._after(before, connection, kind, trouble, now)) is not None:
            yield before, after

    def _after(
        self, before: Alert | None, connection: str, kind: str, trouble: Trouble | None, now: datetime
    ) -> Alert | None:
        """What is to be told now, None where that was told already."""
        state = RUNNING if trouble is None else _state_of(trouble)
        if state == (before.state if before is not None else RUNNING):
            return None
        by = now + CLAIM
        if trouble is not None:
            told = to_told(kind, connection, trouble, self._host)
            return Alert(connection, kind, state, told, trouble.since or now, by)
        assert before is not None
        was = before.state.partition(" ")[0]
        return Alert(connection, kind, state, to_recovered(before, now, self._host, was), now, by)

    def _held(self, name: str, now: datetime) -> Iterator[Wanted]:
        assert self._look is not None
        limits, held = self._watched.app().config.alerts, self._look.held.get(name)
        before = self._look.alerts.get((name, HELD))
        was = before is not None and before.state == HELD
        if held is None or held.is_too_many(limits.held_share, limits.held_min_links, was=was) == was:
            return
        by = now + CLAIM
        if was:
            assert before is not None
            yield before, Alert(name, HELD, RUNNING, to_recovered(before, now, self._host, HELD), now, by)
        else:
            yield before, Alert(name, HELD, HELD, to_held(name, held, limits.held_share, self._host), now, by)

    # what no ledger can remember

    def _tell_locally(self, process: Health, now: datetime) -> None:
        """Of the ledger itself and of this process. Each process tells it for itself, since none can ask another."""
        trouble = self._ledger_trouble(now)
        if trouble is not None:
            self._out_until = now
        if trouble is not None or self._is_ledger_well():
            self._change_locally(PROCESS, LEDGER, trouble, now)
        if process.trouble is None and process.state is State.RUNNING:
            self._change_locally(PROCESS, PROGRESS, None, now)
        elif process.trouble is not None and not self._stood_still(process.trouble, now):
            self._change_locally(PROCESS, PROGRESS, process.trouble, now)

    def _stood_still(self, trouble: Trouble, now: datetime) -> bool:
        """Whether that is for want of a ledger, which is told already; what hangs has some time to go on after it."""
        if trouble.cause != Cause.SILENCE:
            return False
        after = self._watched.app().config.health.stalled_after
        is_over = self._out_until is None or now - self._out_until > after
        return not is_over or not self._is_ledger_well()

    def _change_locally(self, connection: str, kind: str, trouble: Trouble | None, now: datetime) -> None:
        before = self._local.get((connection, kind))
        if (after := self._after(before, connection, kind, trouble, now)) is not None:
            self._local[connection, kind] = after
            self._ring(after)

    def _ledger_trouble(self, now: datetime) -> Trouble | None:
        beats = [beat for beat in self._watched.beats.all() if beat.cause == Cause.LEDGER and beat.failing_since]
        since = [beat.failing_since for beat in beats if beat.failing_since is not None]
        since += [self._silent_since] if self._silent_since is not None else []
        patience = min(LEDGER_PATIENCE, self._watched.app().config.health.stalled_after)
        if not since or now - min(since) < patience:
            return None
        message = beats[0].error if beats else "The ledger does not answer."
        return Trouble(State.HALTED, Cause.LEDGER, message, _LEDGER_CURE, min(since))

    def _is_ledger_well(self) -> bool:
        is_refused = any(beat.cause == Cause.LEDGER for beat in self._watched.beats.all())
        return self._silent_since is None and not is_refused

    def _ring(self, alert: Alert) -> None:
        """A line in the log, and the webhook."""
        level = logging.INFO if alert.state == RUNNING else logging.ERROR
        extra = {"event": "alert", "connection": alert.connection, "kind": alert.kind, "state": alert.state}
        logger.log(level, "%s", alert.message, extra=extra)
        self.bell.ring(alert)


def _is_same(one: Alert, other: Alert) -> bool:
    return (one.state, one.since) == (other.state, other.since)


def _state_of(trouble: Trouble) -> str:
    """Another cause of a halt needs another person, so that it counts as another state. What stalls is one."""
    return f"{trouble.state} {trouble.cause}"[:32] if trouble.state is State.HALTED else str(trouble.state)
