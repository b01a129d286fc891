"""Procrastinate as the queue of a fleet: one look for each connection at most, one at a time for each lock.

What its traps are, and what is done about each:

* A job that is tried again while its twin is queued locks its connection up for ever. So no task has ``retry=``, and
  the rescue of a dead worker's job finishes it as failed: the next tick asks for it anew.
* The rescue has no lock, or it would wait for the one it is to free; and a pool of its own, or it would wait for looks.
* Nobody is told when a lock becomes free, so it is looked at often (``POLL``).
* A job that waits in the future, or that nobody can serve, holds up all that wait for its lock behind it. So none is
  put off, each is heard only by workers that can serve it, and what nobody takes is thrown away.
* A worker ends without an error when the database goes away, so it is started again until somebody stops it.
* A worker that was paused is forgotten, and what it does next fails: it registers anew.
* Its pool begins a transaction for each statement, and a worker that is paused before the COMMIT keeps the row of the
  tick, so that no other worker has ticks or rescues: each statement is a transaction here.
* A job whose end could not be written stays under way for ever, its worker being alive: see ``hand``.
* A name keeps a job out while any other of that name waits: what the queue itself asks for has names of its own.
* Its ticks go by a clock that may be set: they begin anew then.
* Its table keeps every job unless it is told not to.
* Its import takes half a second: only who serves a queue imports this module.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import procrastinate
import psycopg
from procrastinate import exceptions
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.worker import Worker
from sqlalchemy import Engine

from connector.adapters.queue.hand import AGAIN, LOST, Hand, is_over
from connector.adapters.queue.queries import AWAITED, LEFT, REGISTERED, SESSIONS, UNSERVED
from connector.adapters.queue.work import POLL, Look, Timing, Work

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that the database may take to let us in, or to answer the queue."""
UPKEEP = "upkeep"
LOOK, TICK, RESCUE = "look", "tick", "rescue"
ONCE = "upkeep: {}"
"""What keeps a second tick or rescue out of the queue. No connection's name has a colon; looks go by those names."""
LEAP = 5.0
"""Seconds by which the clock may be set without notice."""


class Queue:
    """Serves looks until it is told to stop, whatever becomes of the database meanwhile."""

    def __init__(self, engine: Engine, work: Work, timing: Timing) -> None:
        self._engine = engine
        self._work = work
        self._timing = timing
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._session: _Session | None = None
        self._former: list[int] = []

    def run(self) -> None:
        """Serve until ``stop``; returns once the looks under way are over. Raises nothing that passes."""
        for name in ("procrastinate", "psycopg"):
            # They tell each job and each lost connection; we tell what matters ourselves.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with (
            ThreadPoolExecutor(self._timing.concurrency, thread_name_prefix="look") as looks,
            ThreadPoolExecutor(2, thread_name_prefix="upkeep") as upkeep,
        ):
            while not self._stopping.is_set():
                session = _Session(self._engine, self._work, self._timing, looks, upkeep)
                with self._guard:
                    self._session = session
                try:
                    asyncio.run(session.serve(self._former, self._stopping))
                except LOST as error:
                    self._work.disconnected(_reason(error))
                except Exception as error:
                    logger.exception("The queue ended, which was not expected.", extra={"event": "queue_failed"})
                    self._work.disconnected(_reason(error))
                self._former += session.workers_registered
                self._stopping.wait(AGAIN)

    def stop(self) -> None:
        """Take no further look. Returns at once."""
        self._stopping.set()
        with self._guard:
            if self._session is not None:
                self._session.stop()

    def readdress(self) -> None:
        """What the work can look at has changed."""
        with self._guard:
            if self._session is not None:
                self._session.readdress()

    def lives(self, name: str) -> bool:
        """Whether a worker of that name is connected to the database; also where that cannot be told."""
        with self._guard:
            session = self._session
        return session is None or session.lives(name)

    def is_awaited(self, lock: str) -> bool:
        """Whether another look waits for this lock, or for anybody to have time; also where that cannot be told."""
        with self._guard:
            session = self._session
        return session is None or session.is_awaited(lock)


class _Session:
    """One event loop, with one pool of connections: from when the database is there to when it goes away."""

    def __init__(
        self, engine: Engine, work: Work, timing: Timing, looks: ThreadPoolExecutor, upkeep: ThreadPoolExecutor
    ) -> None:
        self._options = {**options_of(engine), "application_name": session_of(timing.name)}
        self._work = work
        self._timing = timing
        self._in_looks = looks
        self._in_upkeep = upkeep
        self._app: Any = None
        self._looks: Any = None
        self._upkeep: Any = None
        self._is_ending = False
        self._leaving: set[asyncio.Task[None]] = set()
        self._faults: dict[str, type[Exception]] = {}
        self._ahead = _ahead()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.workers_registered: list[int] = []

    async def serve(self, former: list[int], stopping: threading.Event) -> None:
        """Serve until stopped. Raises what the driver raises when the database goes away.

        ``former`` are the workers of the session before: what they had under way is over.
        """
        self._loop = asyncio.get_running_loop()
        # A job that was rescued meanwhile cannot be finished; that is no news.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        await (await psycopg.AsyncConnection.connect(**self._options)).close()
        connector = procrastinate.PsycopgConnector(
            kwargs=self._options,
            configure=_end_each_statement,
            min_size=1,
            max_size=6,
            timeout=PATIENCE,
            reconnect_timeout=PATIENCE,
        )
        self._app = procrastinate.App(connector=connector)
        self._app.task(name=LOOK)(self._task_of_look)
        async with self._app.open_async():
            for worker_id in former:
                await self._manager.unregister_worker(worker_id)
            former.clear()
            self._looks = self._worker(self._app, sorted(self._work.addresses()), self._timing.concurrency)
            self._upkeep = self._new_upkeep()
            self._work.connected()
            await self._run(stopping)

    def stop(self) -> None:
        self._soon(self._stop)

    def readdress(self) -> None:
        """What we can look at has changed."""
        self._soon(self._readdress)

    def _soon(self, call: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it is over already
                loop.call_soon_threadsafe(call)

    def _stop(self) -> None:
        self._is_ending = True
        for worker in self._workers:
            worker.stop()  # type: ignore[no-untyped-call]

    def _readdress(self) -> None:
        if self._workers and not self._is_ending:
            # Looks go on; of those added now it hears when it asks next. The ticks are for all addresses together.
            before, self._looks.queues = set(self._looks.queues), sorted(self._work.addresses())
            self._upkeep.stop()
            leaving = asyncio.create_task(self._leave(before - set(self._looks.queues)))
            self._leaving.add(leaving)  # the loop alone would not keep it
            leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, addresses: set[str]) -> None:
        """Take back what waits where we do not hear it any more, and keeps its account waiting. Who does asks again."""
        with suppress(*LOST):
            await self._app.connector.execute_query_async(LEFT, task=LOOK, left=sorted(addresses))

    @property
    def _workers(self) -> list[Worker]:
        return [worker for worker in (self._looks, self._upkeep) if worker is not None]

    async def _run(self, stopping: threading.Event) -> None:
        """Run both workers until one ends, then end the other: without the upkeep looks would not go on for long."""
        looks, upkeep = _start(self._looks), _start(self._upkeep)
        keeping = asyncio.create_task(self._keep_registered())
        # Each forgets at its start that it was told to stop.
        await asyncio.sleep(0)
        if stopping.is_set():
            self._stop()
        try:
            while True:
                done, _ = await asyncio.wait([looks, upkeep, keeping], return_when=asyncio.FIRST_COMPLETED)
                if self._is_ending or done != {upkeep} or upkeep.exception() is not None:
                    break
                self._upkeep = self._new_upkeep()
                upkeep = _start(self._upkeep)
                await asyncio.sleep(0)
            self._stop()
            await asyncio.wait([looks, upkeep])
            for task in {*done, looks, upkeep}:
                task.result()
        finally:
            keeping.cancel()

    async def _keep_registered(self) -> None:
        """Note who we are, and register anew where a new worker took us for dead and forgot us."""
        manager = self._manager
        while True:
            for worker in self._workers:
                if worker.worker_id is not None and not await _is_registered(manager, worker.worker_id):
                    worker.worker_id = await manager.register_worker()
                if worker.worker_id is not None and worker.worker_id not in self.workers_registered:
                    self.workers_registered.append(worker.worker_id)
            self._heed_clock()
            self._work.beat()
            await asyncio.sleep(self._timing.heartbeat)

    def _heed_clock(self) -> None:
        """Begin the ticks anew where the clock was set: the old ones stand still until one that was set back has
        caught up, and make up for each second that was left out."""
        ahead = _ahead()
        if abs(ahead - self._ahead) > LEAP:
            self._ahead = ahead
            self._upkeep.stop()

    def _worker(self, app: procrastinate.App, queues: list[str], concurrency: int) -> Worker:
        return Hand(
            app,
            queues=queues,
            concurrency=concurrency,
            fetch_job_polling_interval=POLL,
            abort_job_polling_interval=60.0,
            delete_jobs=DeleteJobCondition.ALWAYS,
            install_signal_handlers=False,
            update_heartbeat_interval=self._timing.heartbeat,
            stalled_worker_timeout=max(60.0, 3 * self._timing.dead_after),
        )

    # -- the tasks ------------------------------------------------------------------------------------

    def _new_upkeep(self) -> Worker:
        """The ticks for all that we can look at, and the rescue."""
        app, ticks = procrastinate.App(connector=self._app.connector), self._ticks()
        tick = app.task(name=TICK, queue=ticks, queueing_lock=ONCE.format(ticks))(self._tick)
        rescue = app.task(name=RESCUE, queue=UPKEEP, queueing_lock=ONCE.format(RESCUE))(self._rescue)
        app.periodic(cron=f"* * * * * */{self._timing.tick}", periodic_id=ticks)(tick)
        app.periodic(cron=f"* * * * * */{self._timing.rescue}")(rescue)
        return self._worker(app, [UPKEEP, ticks], 2)

    def _ticks(self) -> str:
        """The ticks of all workers that can look at the same: each kind of worker asks for what it can serve."""
        return f"tick-{digest_of(*sorted(self._work.addresses()))}"

    async def _task_of_look(self, connection: str, lock: str) -> None:
        then = await self._call(self._in_looks, self._work.look, connection, lock)
        if then is not None:
            with suppress(*LOST):
                await self._defer([then])

    @contextmanager
    def _bearing(self, what: str) -> Iterator[None]:
        """What keeps the fleet going is not ended by a fault in one of its rounds. Each kind of fault is told once."""
        try:
            with suppress(*LOST):
                yield
            self._faults.pop(what, None)
        except Exception as error:
            if self._faults.get(what) is not type(error):
                logger.exception("The queue's %s failed where it must not.", what, extra={"event": "job_crashed"})
            self._faults[what] = type(error)

    async def _tick(self, timestamp: int) -> None:
        with self._bearing(TICK):
            manager = self._manager
            known = [*await manager.list_jobs_async(task=LOOK, status=Status.TODO.value)]
            known += await manager.list_jobs_async(task=LOOK, status=Status.DOING.value)
            busy = {str(job.queueing_lock) for job in known}
            await self._defer(await self._call(self._in_upkeep, self._work.due, busy))

    async def _defer(self, looks: Sequence[Look]) -> None:
        """Ask for looks, in this order; one that waits already is left as it is."""
        jobs = [self._to_job(look) for look in looks]
        try:
            if jobs:
                await self._manager.batch_defer_jobs_async(jobs)
        except exceptions.AlreadyEnqueued:
            # All or none of them: one that somebody else has just asked for must not keep the others out.
            for job in jobs:
                with suppress(exceptions.AlreadyEnqueued):
                    await self._manager.defer_job_async(job)

    def _to_job(self, look: Look) -> Job:
        asked = self._app.configure_task(LOOK, lock=look.lock, queueing_lock=look.connection, queue=look.address)
        job: Job = asked.make_new_job(connection=look.connection, lock=look.lock)
        return job

    async def _rescue(self, timestamp: int) -> None:
        with self._bearing(RESCUE):
            dead = await self._manager.get_stalled_jobs(seconds_since_heartbeat=self._timing.dead_after)
            for job in dead:
                if await self._end(job) and job.task_name == LOOK:
                    await self._call(self._in_upkeep, self._work.rescued, str(job.queueing_lock))
            for connection in await self._throw_away():
                await self._call(self._in_upkeep, self._work.unserved, connection)

    async def _end(self, job: Job) -> bool:
        """Finish a job as failed; False where somebody else was faster."""
        try:
            await self._manager.finish_job(job, Status.FAILED, delete_job=True)
        except exceptions.ConnectorException as error:
            if is_over(error):
                return False
            raise
        return True

    async def _throw_away(self) -> list[str]:
        """Looks that could begin and that nobody took for long, but for those that we take when we come to it."""
        rows = await self._app.connector.execute_query_all_async(
            UNSERVED, ours=sorted(self._work.addresses()), seconds=self._timing.dead_after, task=LOOK
        )
        return [str(row["queueing_lock"]) for row in rows]

    @property
    def _manager(self) -> Any:
        return self._app.job_manager

    async def _call(self, pool: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)

    def is_awaited(self, lock: str) -> bool:
        if self._is_ending or (self._looks is not None and self._looks.is_stopping):
            # The next session begins once all looks of this one are over.
            return True

        async def ask() -> bool:
            return bool(await self._app.connector.execute_query_all_async(AWAITED, task=LOOK, lock=lock))

        return self._ask(ask)

    def lives(self, name: str) -> bool:
        async def ask() -> bool:
            return bool(await self._app.connector.execute_query_all_async(SESSIONS, name=session_of(name)))

        return self._ask(ask)

    def _ask(self, question: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
        """Called in the thread of a look; True where the database does not answer."""
        loop = self._loop
        if loop is None or loop.is_closed() or self._app is None:
            return True
        try:
            return asyncio.run_coroutine_threadsafe(question(), loop).result(PATIENCE)
        except (*LOST, exceptions.ProcrastinateException, RuntimeError):
            return True


def _ahead() -> float:
    """Seconds between the clock that the engine's ticks go by and the one that nobody sets."""
    return time.time() - time.monotonic()


def _start(worker: Worker) -> asyncio.Task[None]:
    return asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]


async def _is_registered(manager: Any, worker_id: int) -> bool:
    return bool(await manager.connector.execute_query_all_async(REGISTERED, worker_id=worker_id))


def options_of(engine: Engine) -> dict[str, Any]:
    """How psycopg connects to the engine's database: by its URL, with all options in it, and kept alive."""
    positional, options = engine.dialect.create_connect_args(engine.url)
    assert not positional
    kept_alive = {
        "connect_timeout": int(PATIENCE),
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }
    return {**kept_alive, **options}


async def _end_each_statement(connection: Any) -> None:
    """Let each statement be a transaction, as the engine means them.

    Else one that is paused before it says COMMIT keeps its rows, and all others wait for it: for ever.
    """
    await connection.set_autocommit(True)


def session_of(name: str) -> str:
    """What the sessions of a worker are called; PostgreSQL keeps 63 characters."""
    return f"connector {name or 'queue'}"[:63]


def digest_of(*parts: str) -> str:
    """A short name for many."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _reason(error: BaseException) -> str:
    """The innermost reason's own first line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
