"""When work will be done: the quota's pace, the calls that take long, and the day's allowance. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(hours=24)
LATENCY = timedelta(seconds=6)
"""What AWS takes to answer StartEngagementFromOpportunityTask: four to eight seconds."""
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Quota:
    """What bounds the writes of a connection at one moment; the members are those of ``eta``."""

    rate: float
    in_flight: int
    free_today: int
    per_day: int = 10_000
    until_free: timedelta = DAY
    latency: timedelta = LATENCY

    def eta(self, writes_left: int, submissions_left: int) -> timedelta:
        """How long these writes will take."""
        return eta(
            writes_left,
            submissions_left,
            self.rate,
            self.in_flight,
            self.latency,
            self.free_today,
            self.per_day,
            self.until_free,
        )

    def goes_on_at(self, writes_left: int, now: datetime) -> datetime | None:
        """When writing goes on after the day's allowance is used up.

        None where it suffices for these writes, or where more becomes free before it is used up.
        """
        is_enough = writes_left <= self.free_today or timedelta(seconds=self.free_today / self.rate) >= self.until_free
        return None if is_enough else now + self.until_free

    def in_words(self, writes_left: int, submissions_left: int, now: datetime) -> str:
        """``~12 min``, and where the day's allowance does not suffice, what is left of it and when it goes on."""
        words = to_words(self.eta(writes_left, submissions_left))
        goes_on_at = self.goes_on_at(writes_left, now)
        if goes_on_at is None:
            return words
        then = goes_on_at.strftime("%Y-%m-%d %H:%M UTC")
        if not self.free_today:
            return f"{words}; the {self.per_day} writes of 24 hours are used up, it goes on at {then}"
        return f"{words}; of the {self.per_day} writes of 24 hours {self.free_today} are left, it goes on at {then}"


def to_words(duration: timedelta) -> str:
    """A duration as people say it, rounded up: ``~40 s``, ``~12 min``, ``~5 h``, ``~3 days``."""
    for unit, name, most in ((timedelta(seconds=1), "s", 60), (_MINUTE, "min", 120), (_HOUR, "h", 48)):
        count = math.ceil(duration / unit)
        if count <= most:
            return f"~{count} {name}"
    return f"~{math.ceil(duration / DAY)} days"


def eta(
    writes_left: int,
    submissions_left: int,
    rate: float,
    in_flight: int,
    latency: timedelta,
    free_today: int,
    per_day: int = 10_000,
    until_free: timedelta = DAY,
) -> timedelta:
    """How long the writes still to be made will take.

    ``rate``: writes a second that the quota allows. ``submissions_left`` of the writes are calls that AWS answers only
    after ``latency``, ``in_flight`` of them at once. ``free_today``: writes that the rolling day of ``per_day`` still
    allows; more become free after ``until_free``, when the earlier ones leave the window (by default as late as can
    be). Never less than the pace alone would take.
    """

    def working(writes: int) -> timedelta:
        # A record's submission is its last write, so whatever is left over may well be submissions.
        return _working(writes, min(submissions_left, writes), rate, in_flight, latency)

    if writes_left <= 0:
        return timedelta(0)
    beyond = writes_left - max(free_today, 0)
    if beyond <= 0:
        return working(writes_left)
    days, on_the_last = divmod(beyond - 1, max(per_day, 1))
    return max(working(writes_left), until_free + max(working(beyond), days * DAY + working(on_the_last + 1)))


def _working(writes: int, submissions: int, rate: float, in_flight: int, latency: timedelta) -> timedelta:
    """Bound by the quota, or by the slow calls that may be under way at once; the last of them is waited for."""
    by_quota = timedelta(seconds=writes / rate)
    by_latency = submissions * latency / max(in_flight, 1)
    return max(by_quota, by_latency) + (latency if submissions else timedelta(0))
