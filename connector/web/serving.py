"""What is served: the parts of a process that the page, the metrics and the health look at. Nothing is built here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector.app import App
from connector.watch.beats import Beats


@dataclass(frozen=True, slots=True)
class Serving:
    """``app`` gives the current one, since a reload may replace it; ``beats`` are those of this process.

    ``actor`` says who this process is: "daemon on HOST (process N)" or "worker NAME". ``shares``: other processes
    serve the same connections, so that what this one has not done lately proves nothing.
    """

    app: Callable[[], App]
    beats: Beats
    actor: str
    shares: bool = False
