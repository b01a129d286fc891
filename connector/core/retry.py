"""Decides when to try again. A decision is a value; nobody waits here."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_DELAY = 2.0
LONGEST_DELAY = 900.0
ATTEMPTS_OF_A_TASK = 5
"""Submissions of one record in a row that failed for a passing reason, before a person is asked."""


def next_attempt(attempts: int, now: datetime, asked: float = 0.0) -> datetime:
    """When to try again after ``attempts`` failures: 2 s doubling up to 15 min, or later where the service asked."""
    doublings = min(max(attempts - 1, 0), 16)  # far beyond the longest delay, and no number too large for a float
    delay = min(FIRST_DELAY * 2**doublings, LONGEST_DELAY)
    return now + timedelta(seconds=max(delay, asked))


def next_look_up(age: float, now: datetime, asked: float = 0.0) -> datetime:
    """When to ask AWS once more what became of a write this many seconds ago, since asking failed.

    2 s later at first, at most a minute, or later where the service asked.
    """
    return now + timedelta(seconds=max(next_poll(age, FIRST_DELAY), asked))


def next_poll(age: float, soonest: float = 2.0) -> float:
    """Seconds until a task of this age is looked at again: soon at first, at most a minute."""
    return min(max(soonest, age / 2), 60.0)
