"""Fences: of several processes that could write for an AWS account, only the one that took its fence last may.

A process that was paused (a laptop's sleep, a frozen machine) does not know that another one took over meanwhile. So
the check stands in each of its write transactions, the write-ahead commit before a call among them: what cannot be
committed is not sent. Taking a fence waits until the holder before is out of its transaction, so that no commit of
its is later than that.

The moment between a commit and the first byte of the call cannot be fenced by a database. It is kept short (see
``partner_central.departure``, which commits anew after a pause), and what is left of it does no harm: a create carries
its ClientToken, an update the LastModifiedDate of the record it saw, and a successor that finds an open operation
looks its outcome up before it repeats anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.adapters.ledger.engine import Transactions
from connector.adapters.ledger.rows import FENCE
from connector.errors import LedgerUnavailable, TemporaryError

IDLE = 5.0
"""Seconds that a fenced transaction may stand still before the server ends it: whoever is paused in one holds up the
process that takes over."""
_HELD = "SELECT epoch FROM fence WHERE account = :account AND epoch = :epoch"
_CHECK = {
    "sqlite": text(_HELD),
    # The row stays as it is until this transaction is over; in the same breath, as each statement is a journey.
    "postgresql": text(
        f"SELECT set_config('idle_in_transaction_session_timeout', '{IDLE:.0f}s', true) "  # noqa: S608 (constants)
        f"FROM ({_HELD} FOR SHARE) AS held"
    ),
}
_END_STALLED = text(
    "SELECT pg_terminate_backend(session.pid) FROM pg_stat_activity AS session "
    "WHERE session.datname = current_database() AND session.wait_event_type IN ('Client', 'Lock') "
    "AND session.xact_start < clock_timestamp() - make_interval(secs => :seconds) AND session.pid IN ("
    "SELECT pid FROM pg_locks WHERE granted AND relation = to_regclass('fence') "
    "GROUP BY pid HAVING bool_and(mode = 'RowShareLock'))"  # who takes a fence or gives it back holds more
)
"""Ends the transactions that hold a fence and have come to a stop, which no time limit of the server's own does soon.

A process that is paused between two packets, of many rows or of an answer, counts as at work. And of a process that is
paused with many transactions, each that waits for another gets what it waits for only when that one has been ended,
and then has all its time before it.
"""
_BRIEFLY = text(
    f"SELECT set_config('lock_timeout', '{2 * IDLE:.0f}s', true), "
    f"set_config('idle_in_transaction_session_timeout', '{IDLE:.0f}s', true)"
)
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class LostFence(LedgerUnavailable):
    """Another process took over the account; nothing more may be written for it here."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write for an account, until somebody else takes it.

    ``before`` is the epoch of the holder before, 0 for none. ``free_in`` is in how many seconds the next write may
    leave; None where nobody is known to have told.
    """

    account: str
    epoch: int
    before: int
    free_in: float | None


class Fences(Transactions):
    """Takes fences and gives them back. Instants are the database's: the clocks of machines differ."""

    _fence: Fence | None = None

    def take_fence(self, account: str, holder: str) -> Fence:
        """Become the one who may write for an account; whoever was it finds out at its next commit.

        Raises TemporaryError where a transaction of the holder before does not come to its end in ten seconds.
        """
        try:
            return self._take(account, holder)
        except TemporaryError:
            if not self._end_stalled():
                raise
            return self._take(account, holder)

    def _take(self, account: str, holder: str) -> Fence:
        with self._write() as connection:
            self._hurry(connection)
            insert: Any = _INSERT[connection.dialect.name](FENCE).values(account=account, epoch=0, holder="")
            connection.execute(insert.on_conflict_do_nothing())
            query = select(FENCE.c.epoch, FENCE.c.released_at, FENCE.c.free_at).where(FENCE.c.account == account)
            before, released_at, free_at = connection.execute(query.with_for_update()).one()
            now = _now(connection)
            taken = {"epoch": before + 1, "holder": holder, "taken_at": now, "released_at": None}
            connection.execute(update(FENCE).where(FENCE.c.account == account).values(taken))
        is_told = released_at is not None and free_at is not None
        free_in = max((free_at - now).total_seconds(), 0.0) if is_told else None
        return Fence(account, before + 1, before, free_in)

    def _hurry(self, connection: Connection) -> None:
        """Neither wait for long nor keep others waiting."""
        if self._engine.dialect.name == "postgresql":
            connection.execute(_BRIEFLY)

    def _end_stalled(self) -> bool:
        """End the transactions that nobody carries on. Gives whether there were any."""
        if self._engine.dialect.name != "postgresql":
            return False
        with self._write() as connection:
            return bool(connection.execute(_END_STALLED, {"seconds": IDLE}).all())

    def release_fence(self, fence: Fence, free_in: float) -> None:
        """Tell the next holder in how many seconds a write may leave. Nothing, where the fence is lost already."""
        with self._write() as connection:
            self._hurry(connection)
            now = _now(connection)
            released = {"released_at": now, "free_at": now + timedelta(seconds=free_in)}
            held = (FENCE.c.account == fence.account, FENCE.c.epoch == fence.epoch)
            connection.execute(update(FENCE).where(*held).values(released))

    def fenced(self, fence: Fence) -> Self:
        """The same ledger, but each write first makes sure that the fence is held. It raises LostFence if not."""
        made = type(self)(self._engine)
        made._fence, made.actor = fence, self.actor
        return made

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with super()._write() as connection:
            if self._fence is not None:
                require_held(connection, self._fence)
            yield connection


def require_held(connection: Connection, fence: Fence) -> None:
    """Keep the fence as it is until this transaction is over. Raises LostFence where somebody else took it."""
    asked = {"account": fence.account, "epoch": fence.epoch}
    if connection.execute(_CHECK[connection.dialect.name], asked).first() is None:
        raise LostFence(
            "Another worker has taken over this AWS account.", "It does what is left; nothing is written here."
        )


def _now(connection: Connection) -> datetime:
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: Any = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now.astimezone(UTC)  # type: ignore[no-any-return]
