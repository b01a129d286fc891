"""Beats: when each loop of each connection last began, succeeded and failed. In memory, and nothing is judged here.

Every method returns at once and never raises, since loops that serve a connection call it.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

from connector.core.health import Beat, cause_of
from connector.errors import ConnectorError, Halt, UserError
from connector.log import REDACTION


class Beats:
    """The loops that this process runs. Safe to use from several threads.

    The connection "" (``core.health.PROCESS``) stands for what a process does for itself, as a worker its queue.
    """

    def __init__(self) -> None:
        self._beats: dict[tuple[str, str], Beat] = {}
        self._lock = threading.Lock()
        self._looking = threading.local()

    def expect(self, connection: str, loop: str, every: timedelta, now: datetime) -> None:
        """From now on this loop should succeed every so often. One that is known already keeps what is known of it."""
        with self._lock:
            known = self._beats.get((connection, loop))
            fresh = Beat(connection, loop, every, now)
            self._beats[connection, loop] = fresh if known is None else replace(known, every=every)

    def excuse(self, now: datetime) -> None:
        """The whole process was paused, or the machine asleep: everything is expected anew from now on."""
        with self._lock:
            self._beats = {key: replace(beat, expected_since=now) for key, beat in self._beats.items()}

    def drop(self, connection: str) -> None:
        """Expect nothing of this connection any more."""
        with self._lock:
            for key in [key for key in self._beats if key[0] == connection]:
                del self._beats[key]

    def began(self, connection: str, loop: str, now: datetime) -> None:
        """A look begins, in this thread."""
        self._looking.key = (connection, loop)
        with self._lock:
            if (beat := self._beats.get((connection, loop))) is not None:
                self._beats[connection, loop] = replace(beat, began_at=now, moved_at=None)

    def moved(self, now: datetime) -> None:
        """The look that this thread began got something done: however long it takes, it does not hang."""
        key = getattr(self._looking, "key", ("", ""))
        with self._lock:
            if (beat := self._beats.get(key)) is not None:
                self._beats[key] = replace(beat, moved_at=now)

    def succeeded(self, connection: str, loop: str, now: datetime) -> None:
        """The look is over and nothing is wrong."""
        with self._lock:
            if (beat := self._beats.get((connection, loop))) is not None:
                self._beats[connection, loop] = replace(
                    _ended(beat, now),
                    succeeded_at=now,
                    failing_since=None,
                    error="",
                    cure="",
                    cause="",
                    is_halt=False,
                    successes=beat.successes + 1,
                )

    def failed(self, connection: str, loop: str, error: Exception, now: datetime) -> None:
        """The look is over, and this is what was wrong."""
        with self._lock:
            if (beat := self._beats.get((connection, loop))) is not None:
                cause = cause_of(error)
                self._beats[connection, loop] = replace(
                    _ended(beat, now),
                    failed_at=now,
                    failing_since=(beat.failing_since if beat.cause == cause else None) or now,
                    error=_sentence_of(error),
                    cure=error.cure if isinstance(error, ConnectorError) else "The log has its traceback.",
                    cause=cause,
                    is_halt=isinstance(error, Halt | UserError),
                    failures=beat.failures + 1,
                )

    def all(self) -> list[Beat]:
        """What is known of every loop, in order."""
        with self._lock:
            return [self._beats[key] for key in sorted(self._beats)]


def _sentence_of(error: Exception) -> str:
    """What may be shown to whoever looks: secrets and personal details taken out, as of a log line."""
    told = error.message if isinstance(error, ConnectorError) else f"unexpected {type(error).__name__}"
    return REDACTION.clean(told)


def _ended(beat: Beat, now: datetime) -> Beat:
    """The look that began is over."""
    if beat.began_at is None:
        return beat
    took = max((now - beat.began_at).total_seconds(), 0.0)
    return replace(beat, began_at=None, moved_at=None, seconds=beat.seconds + took)
