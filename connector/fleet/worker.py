"""What a worker does with the looks that the queue hands it: it takes the account's fence, and gives it back.

Decides what is looked at, and by whom; how a connection is served stands in ``turn``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector import log
from connector.adapters.ledger import Fence, LostFence, Waiting
from connector.adapters.queue import Look
from connector.app import App
from connector.core.health import PROCESS
from connector.daemon.succession import Difference, Successor, Version, versions_of
from connector.errors import ConnectorError, LedgerUnavailable, TemporaryError
from connector.fleet.dues import AWS_ACCOUNT, SERVED
from connector.fleet.served import VERIFICATION, Served, marks_of, serve, served_by
from connector.fleet.trouble import TROUBLE, Troubles, mark_of
from connector.fleet.turn import Turn, fresh, tell
from connector.sync.verbs import verbs_of
from connector.watch.beats import Beats

logger = logging.getLogger(__name__)

QUEUE = "queue"
"""What the queue's beat is called."""
RELOAD = "reload"
"""What is told to have failed where a connection could not be replaced."""
VERBS = 9
ONCE = timedelta(days=3650)
"""How often what is done once is expected."""
NOTED_EVERY = timedelta(seconds=30)
"""How old the note of who serves a connection may become."""


@dataclass
class Worker:
    """``adapters.queue.Work``. ``is_awaited`` asks the queue whether others wait for a lock, ``lives`` whether the
    worker of that name is connected to the database; ``readdress`` tells it that what is served here has changed."""

    app: App
    beats: Beats
    is_awaited: Callable[[str], bool] = lambda _: True
    lives: Callable[[str], bool] = lambda _: True
    readdress: Callable[[], None] = lambda: None
    _versions: Mapping[str, Version] = field(default_factory=dict)
    _served: dict[str, Served] = field(default_factory=dict)
    _ending: dict[str, Served] = field(default_factory=dict)
    _missing: dict[str, str] = field(default_factory=dict)
    _epochs: dict[str, int] = field(default_factory=dict)
    _after_others: dict[str, int] = field(default_factory=dict)
    _turns: dict[tuple[str, str], int] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _under_way: dict[str, datetime] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _is_out: bool = False

    def __post_init__(self) -> None:
        fleet = self.app.config.fleet
        self._pool = ThreadPoolExecutor(fleet.concurrency * VERBS, thread_name_prefix="verb")
        self._versions = versions_of(self.app.config, self.app.compiled)
        for name in self.app.contexts:
            self._serve(name)

    def adopt(self, successor: Successor) -> Difference:
        """Go on with another configuration. What has changed ends its turn first; the others never notice."""
        versions = successor.versions
        with self._guard:
            difference = Difference.of(self._versions, versions)
            self.app.adopt(successor.config, successor.compiled)
            self._versions = versions
            self._missing = {name: "" for name in self._missing if name in versions}  # told anew: somebody has a look
            for name in difference.added:
                if name not in self._ending:  # else one of that name is ending, and this one follows it
                    self._renew(name)
            gone = [
                self._served.pop(name) for name in (*difference.removed, *difference.changed) if name in self._served
            ]
            self._ending |= {one.context.name: one for one in gone}
        for one in gone:
            one.context.stopping.set()
        for one in gone:
            self._replace(one.context.name)
        return difference

    def _serve(self, name: str) -> None:
        schedule = self.app.config.schedule
        one = serve(self.app, name)
        one.context.moved = lambda: self.beats.moved(self.app.clock.now())
        with suppress(ConnectorError):
            self._withdraw_note(one)
        for verb in verbs_of(one.context, schedule.pull, schedule.observe, schedule.full_sweep):
            self.beats.expect(name, verb.name, verb.every, self.app.clock.now())
        self._served[name] = one

    def _renew(self, name: str) -> None:
        """Build a connection anew; where that fails, as while the ledger is away, at a later tick."""
        try:
            self.app.renew(name)
            self._serve(name)
            self._missing.pop(name, None)
        except Exception as error:  # noqa: BLE001 (the edge of a connection: the others go on)
            self._tell_kept_back(name, error, self._missing.get(name, ""))
            self._missing[name] = mark_of(error)

    def _replace(self, name: str) -> None:
        """Close what an ending connection used and serve it as it should be now, once nothing of it is in flight.

        A reload and the end of a look may both come here at once: one of them does it.
        """
        with self._guard:
            one = self._ending.get(name)
            if one is None or one.is_closing or name in self._under_way:
                return
            one.is_closing = True
        try:
            self.app.release(one.context)
        except Exception as error:  # noqa: BLE001 (it is replaced all the same)
            self._tell_kept_back(name, error, "")
        with self._guard:
            del self._ending[name]
            self.beats.drop(name)
            if name in self._versions:
                self._renew(name)
            else:
                self.app.forget(name)
        self.readdress()

    @property
    def under_way(self) -> list[str]:
        """The connections that are looked at now."""
        with self._guard:
            return sorted(self._under_way)

    def close(self) -> None:
        """Count what was called; to be done once no look is under way."""
        self._pool.shutdown(wait=False)

    # -- what the queue asks ---------------------------------------------------------------------------

    def addresses(self) -> Collection[str]:
        with self._guard:
            return [one.address for one in self._served.values()]

    def due(self, busy: Collection[str]) -> Sequence[Look]:
        with self._guard:
            missing = list(self._missing)
            for name in missing:
                self._renew(name)
            served = {name: one for name, one in self._served.items() if name not in busy}
        if missing:
            self.readdress()
        try:
            waiting = self._waiting(list(served.values()))
        except ConnectorError as error:
            self._out(error)
            return []
        self._in()
        now = self.app.clock.now()
        due = [one for name, one in served.items() if not one.is_pausing(now) and one.due(waiting[name], now)]
        return [
            one.look(waiting[one.context.name].marks.get(AWS_ACCOUNT, ""))
            for one in due
            if not self._is_anothers(one, waiting[one.context.name])
        ]

    def look(self, connection: str, lock: str) -> Look | None:
        with self._guard:
            one = self._served.get(connection)
            self._under_way[connection] = self.app.clock.now()
        then = None
        try:
            with log.within(connection):
                then = self._look(one, lock) if one is not None else None
        except TemporaryError as error:
            logger.info("%s is looked at again: %s", connection, error, extra=_extra("turn_failed", connection))
        except ConnectorError as error:
            self._out(error)
        except Exception:
            logger.exception("The turn of %s failed.", connection, extra=_extra("turn_failed", connection))
        finally:
            with self._guard:
                self._under_way.pop(connection, None)
            self._replace(connection)
        with self._guard:
            # Where nobody hears of it any more it would keep its account waiting.
            return then if self._served.get(connection) is one else None

    def rescued(self, connection: str) -> None:
        text = "The worker that served %s has not been heard of for %.0f s; another one goes on."
        seconds = self.app.config.fleet.dead_after.total_seconds()
        logger.warning(text, connection, seconds, extra=_extra("rescued", connection))

    def unserved(self, connection: str) -> None:
        self._tell_once(
            f"No worker took the look at {connection}, and this one does not know it in that form. "
            "Give all machines the same configuration."
        )

    def connected(self) -> None:
        self._in()

    def disconnected(self, reason: str) -> None:
        self._tell_out(f"The queue cannot be used: {reason}. It is tried again.")

    def beat(self) -> None:
        now = self.app.clock.now()
        self.beats.expect(PROCESS, QUEUE, self.app.config.fleet.heartbeat, now)
        self.beats.succeeded(PROCESS, QUEUE, now)

    # -- one look --------------------------------------------------------------------------------------

    def _waiting(self, served: Sequence[Served]) -> dict[str, Waiting]:
        keys = [one.context.key for one in served]
        return self.app.ledger.waiting(keys, marks_of(served), self.app.clock.now())

    def _look(self, one: Served, lock: str) -> Look | None:
        name, began = one.context.name, one.context.clock.monotonic()
        waiting = self._waiting([one])[name]
        if one.context.stopping.is_set() or self._is_anothers(one, waiting):
            return None
        if not one.is_verified:
            if not self._verify(one):
                return None
            waiting = self._waiting([one])[name]
        known = waiting.marks.get(AWS_ACCOUNT, "")
        if lock != one.lock(known):
            # Only now it is known whose quota it uses, or it is another's since: what is written has to wait its turn.
            return one.look(known) if known else None
        due = one.due(waiting, one.context.now)
        if not due:
            return None
        more = self._take_turn(one, waiting, known)
        took = round(one.context.clock.monotonic() - began, 3)
        extra = {**_extra("turn", name), "account": f"…{known[-4:]}", "seconds": took}
        logger.debug("A turn of %s: %s.", name, ", ".join(due), extra=extra)
        return one.look(known) if more else None

    def _take_turn(self, one: Served, waiting: Waiting, account: str) -> bool:
        app = one.app
        fence = app.ledger.take_fence(account, app.actor)
        lost: LedgerUnavailable | None = None
        more = False
        try:
            self._hand_over(one, fence)
            turn = self._turn(one, fence)
            self._note_served(one, waiting, turn)
            more = turn.run(waiting)
            lost = turn.lost
        except LostFence as error:
            lost = error
        finally:
            self._end(one, fence)
        self._tell_lost(one, lost)
        return more

    def _turn(self, one: Served, fence: Fence) -> Turn:
        context, config = fresh(one.context, one.app.ledger.fenced(fence)), one.app.config
        parts = (one.context, context, config.schedule, one.habits, config.fleet.turn)
        awaited, count = lambda: self.is_awaited(fence.account), lambda: self._count(one)
        return Turn(*parts, self._pool, self.beats, awaited, count)

    def _count(self, one: Served) -> None:
        with suppress(LedgerUnavailable, TemporaryError):
            one.app.record_usage(one.context)

    def _tell_lost(self, one: Served, lost: LedgerUnavailable | None) -> None:
        """A line for a turn that was cut off, unless the one before was for the same reason."""
        told = "" if lost is None else str(lost)
        if told and told != one.lost_told:
            event = "fence_lost" if isinstance(lost, LostFence) else "ledger_lost"
            logger.warning("%s: the turn ends. %s", one.context.name, told, extra=_extra(event, one.context.name))
        one.lost_told = told

    def _hand_over(self, one: Served, fence: Fence) -> None:
        """Where another worker had the account since the connection's last turn here, go on as that one left it."""
        account, turn = fence.account, (fence.account, one.context.name)
        if fence.before != self._epochs.get(account):
            self._after_others[account] = fence.epoch
        is_behind = self._turns.get(turn, -1) < self._after_others.get(account, 0)
        one.app.resume(one.context, fence.free_in, after_others=is_behind)
        self._epochs[account] = self._turns[turn] = fence.epoch  # only now: where that failed the next turn does it

    def _end(self, one: Served, fence: Fence) -> None:
        """Give the account back, and count what was called."""
        app = one.app
        try:
            self._count(one)
        finally:
            with suppress(LedgerUnavailable, TemporaryError):
                app.ledger.release_fence(fence, app.free_in(one.context))
        stopping = one.context.stopping
        with self._guard:
            if stopping.is_set() and self._served.get(one.context.name) is one:
                # A turn that lost its fence was cut off by this; the next one begins anew, unless all of us stop.
                stopping.clear()
                if app.stopping.is_set():
                    stopping.set()

    def _verify(self, one: Served) -> bool:
        """Make sure, once, that the connection reaches what its ledger was filled from."""
        app, context = one.app, one.context
        if one.is_pausing(context.now):
            return False
        try:
            app.verify(context, context.partner_central.account)
        except LedgerUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 (the edge of a connection: the others go on)
            if not context.stopping.is_set():
                self._refuse(one, error)
            return False
        # Always: what a worker before this one failed of stands in the ledger until somebody tells better.
        self.beats.expect(context.name, VERIFICATION, ONCE, context.now)
        self.beats.succeeded(context.name, VERIFICATION, context.now)
        if VERIFICATION in one.verification.of:
            one.verification = Troubles()
            logger.info("%s is verified.", context.name, extra=_extra("recovered", context.name))
        self._forgive(one)
        one.is_verified = True
        return True

    def _forgive(self, one: Served) -> None:
        """What a person had to mend is tried at once after a restart, by all workers."""
        known = Troubles.from_text(one.app.ledger.watermark(one.context.name, TROUBLE))
        if known.of:
            one.app.ledger.set_watermark(one.context.name, TROUBLE, known.forgiven(one.context.now).to_text())

    def _refuse(self, one: Served, error: Exception) -> None:
        name, now = one.context.name, one.context.now
        known = one.verification.of.get(VERIFICATION)
        one.verification = one.verification.failed(VERIFICATION, error, now)
        # Once it succeeds it is not done again.
        self.beats.expect(name, VERIFICATION, ONCE, now)
        self.beats.failed(name, VERIFICATION, error, now)
        tell(name, VERIFICATION, error, known.told if known is not None else "")

    # -- who serves what -------------------------------------------------------------------------------

    def _is_anothers(self, one: Served, waiting: Waiting) -> bool:
        """Whether a worker that lives serves the connection with another configuration: of two only one may be right.

        That one goes on until it ends or reads its configuration again.
        """
        version, at, actor = served_by(waiting.marks.get(SERVED, ""))
        if version in {"", one.version} or actor == self.app.actor or at is None:
            return False
        lasts = 3 * one.habits.pull + NOTED_EVERY
        if self.app.clock.now() - at > lasts or not self.lives(actor):
            return False
        self._tell_once(
            f"{actor} serves {one.context.name} with another configuration or mapping, so this worker leaves it alone. "
            "Give all machines the same files, then send SIGHUP to their workers or restart them."
        )
        return True

    def _withdraw_note(self, one: Served) -> None:
        """Nobody needs to leave it alone for what this worker served it with before."""
        version, _, actor = served_by(self.app.ledger.watermark(one.context.name, SERVED))
        if actor == self.app.actor and version != one.version:
            self.app.ledger.set_watermark(one.context.name, SERVED, "")

    def _note_served(self, one: Served, waiting: Waiting, turn: Turn) -> None:
        version, at, actor = served_by(waiting.marks.get(SERVED, ""))
        now = one.context.now
        if (version, actor) != (one.version, self.app.actor) or at is None or now - at > NOTED_EVERY:
            text = f"{one.version} {now.isoformat()} {self.app.actor}"
            turn.context.ledger.set_watermark(one.context.name, SERVED, text)

    # -- what is told ----------------------------------------------------------------------------------

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            logger.warning("%s", text, extra={"event": "config_differs"})

    def _tell_kept_back(self, name: str, error: Exception, told: str) -> None:
        """What kept a connection from being replaced; of the ledger everybody hears anyhow."""
        if not isinstance(error, LedgerUnavailable | TemporaryError):
            tell(name, RELOAD, error, told)

    def _out(self, error: ConnectorError) -> None:
        if not self.app.stopping.is_set():
            self._tell_out(f"{error}")

    def _tell_out(self, text: str) -> None:
        if not self._is_out:
            self._is_out = True
            logger.error("%s", text, extra={"event": "ledger_out"})

    def _in(self) -> None:
        if self._is_out:
            self._is_out = False
            logger.info("The ledger and the queue work again.", extra={"event": "ledger_back"})


def _extra(event: str, connection: str) -> dict[str, object]:
    return {"event": event, "connection": connection}
