"""One connection at work: verified first, then its loops, until it is stopped. It knows of no other connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from connector.adapters.scheduler import Group, Job, Scheduler
from connector.app import App
from connector.daemon.entrance import Entrance
from connector.daemon.guarded import Guarded
from connector.errors import ConnectorError
from connector.sync import Context, verbs
from connector.sync.verbs import Verb, verbs_of
from connector.watch.beats import Beats

USAGE_EVERY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Loop:
    """A verb as a job; ``work`` as in ``Verb``."""

    guarded: Guarded
    job: Job
    work: str


class Loops:
    """The loops of one connection. ``on_refused`` and ``on_over`` are called with it, each once at most.

    Those that only have to look at the ledger do not look by themselves: ``look`` is told what there is to do.
    """

    def __init__(
        self,
        app: App,
        context: Context,
        scheduler: Scheduler,
        beats: Beats,
        on_refused: Callable[[Loops], None],
        on_over: Callable[[Loops], None],
    ) -> None:
        self.context = context
        context.moved = lambda: beats.moved(context.now)
        self._scheduler = scheduler
        self._beats = beats
        self._on_refused = on_refused
        self._entrance = Entrance(app, context)
        self._verification = self._loop(Verb("verification", verbs.TICK, self._entrance.verify))
        schedule = app.config.schedule
        usage = Verb("usage", USAGE_EVERY, lambda: app.record_usage(context))
        looks = verbs_of(context, schedule.pull, schedule.observe, schedule.full_sweep)
        self._loops = [self._loop(verb) for verb in (*looks, usage)]
        self._group = Group(context.stopping, lambda: on_over(self))

    @property
    def refusal(self) -> ConnectorError | None:
        """Why this connection must not run."""
        return self._entrance.refusal

    @property
    def is_open(self) -> bool:
        """Whether it is verified, so that its loops run."""
        return self._entrance.opened.is_set()

    @property
    def is_ending(self) -> bool:
        return self.context.stopping.is_set()

    def start(self) -> None:
        """Verify, and then begin; it is asked again at each ``look`` while that cannot be known."""
        self._verification.guarded.expect(verbs.TICK)
        self._verify_once()

    def look(self, work: frozenset[str]) -> None:
        """Run what has something to do. ``work``: what the ledger says is there to be done."""
        if not self.is_open:
            self._verify_once()
            return
        for loop in self._loops:
            if loop.work in work:
                self._scheduler.once(loop.job, self._group)
            elif loop.work and not self._scheduler.is_under_way(loop.job, self._group):
                loop.guarded.idle()

    def stop(self) -> None:
        """Begin nothing any more. What is in flight is finished and recorded, and then it is over."""
        self.context.stopping.set()
        self._scheduler.retire(self._group)

    def _loop(self, verb: Verb) -> Loop:
        guarded = Guarded(verb.name, self.context, verb.run, self._beats)
        return Loop(guarded, Job(f"{verb.name} {self.context.name}", verb.every, guarded.run), verb.work)

    def _verify_once(self) -> None:
        if self.refusal is None:
            self._scheduler.once(Job(self._verification.job.name, verbs.TICK, self._verify), self._group)

    def _verify(self) -> None:
        if self._entrance.is_decided:  # somebody looked while the verification came to its end
            return
        self._verification.guarded.run()
        if self.refusal is not None:
            self._beats.failed(self.context.name, "verification", self.refusal, self.context.now)
            self._on_refused(self)
        elif self.is_open:
            self._begin()

    def _begin(self) -> None:
        self._beats.drop(self.context.name)
        for loop in self._loops:
            loop.guarded.expect(loop.job.every)
        self._scheduler.add([loop.job for loop in self._loops if not loop.work], self._group)
