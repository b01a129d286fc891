"""Asks something that may never answer, in a thread of its own, so that whoever wants to know waits only so long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Inquiry(Generic[T]):
    """One question, asked at most once at a time: who asks while it is under way shares its answer.

    So a database that hangs costs one thread and one connection, however many want to know.
    """

    def __init__(self, name: str, question: Callable[[], T]) -> None:
        self._name = name
        self._question = question
        self._lock = threading.Lock()
        self._future: Future[T] | None = None

    def begin(self) -> Future[T]:
        """Ask now. The answer, or what the question raised, comes as a future."""
        with self._lock:
            if self._future is None or self._future.done():
                self._future = Future()
                self._future.set_running_or_notify_cancel()
                threading.Thread(target=self._answer, args=(self._future,), name=self._name, daemon=True).start()
            return self._future

    def ask(self, seconds: float) -> T:
        """The answer. Raises TimeoutError when there is none within that time, or what the question raised."""
        return self.begin().result(seconds)

    def _answer(self, future: Future[T]) -> None:
        try:
            future.set_result(self._question())
        except BaseException as error:  # noqa: BLE001 (whoever asked is told)
            future.set_exception(error)
