"""A worker of the engine that finishes what it took: one answer that is lost must not lock an account up.

A job that is not finished stays under way, and nobody rescues it while its worker lives. Decides nothing about looks.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import psycopg
from procrastinate import exceptions
from procrastinate.worker import Worker
from psycopg_pool import PoolTimeout

AGAIN = 1.0
"""Seconds until a database that went away is tried again."""
LOST = (exceptions.ConnectorException, psycopg.Error, PoolTimeout, OSError, TimeoutError)
"""What is raised where the database cannot be used, or refuses."""


class Hand(Worker):
    """Tries to finish a job until it is finished, by whomever. One that stops tries once more: its jobs are rescued."""

    @property
    def is_stopping(self) -> bool:
        """Whether it takes nothing more: it was told so, or lost the database."""
        return self._stop_event.is_set()

    async def _persist_job_status(self, *arguments: Any, **named: Any) -> None:
        while True:
            is_last = self.is_stopping
            try:
                await super()._persist_job_status(*arguments, **named)
            except LOST as error:
                if is_last or is_over(error):
                    raise
            else:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop_event.wait(), AGAIN)


def is_over(error: BaseException) -> bool:
    """Whether a job could not be finished because it was finished already."""
    return isinstance(error.__cause__, psycopg.errors.RaiseException)
