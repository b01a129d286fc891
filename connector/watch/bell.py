"""Posts alerts to the webhook, in a thread of its own: one that is down is tried again and holds nobody up.

Its address is a secret: neither it nor what a library says of it is ever logged.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connector.config.models import Alerts
from connector.core.retry import LONGEST_DELAY, next_attempt
from connector.ports import Alert
from connector.watch.wording import to_slack

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)

TIMEOUT = (5.0, 10.0)
"""Seconds to connect, and to wait for the answer."""
GATHER = 1.0
"""Seconds in which what changes together is gathered into one message; Slack takes one a second."""
AT_ONCE = 10
"""Alerts in one message."""


class Bell:
    """What is to be told, and what was told. ``alerts`` gives the settings, a webhook's address among them."""

    def __init__(self, alerts: Callable[[], Alerts]) -> None:
        self._alerts = alerts
        self._pending: dict[tuple[str, str], Alert] = {}
        self._told: list[Alert] = []
        self._changed = threading.Condition()
        self._is_ending = False
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is not told yet stays in the ledger for the next start."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until nothing is left to tell, but no longer than that."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending, seconds)

    def ring(self, alert: Alert) -> None:
        """Tell this; of one kind of a connection only the newest is told."""
        with self._changed:
            self._pending[alert.connection, alert.kind] = alert
            self._changed.notify_all()

    def withdraw(self, alert: Alert) -> None:
        """Somebody else tells it, or what came after it."""
        with self._changed:
            if self._pending.get((alert.connection, alert.kind)) is alert:
                del self._pending[alert.connection, alert.kind]
                self._changed.notify_all()

    def pending(self) -> list[Alert]:
        """What is not told yet."""
        with self._changed:
            return list(self._pending.values())

    def told(self) -> list[Alert]:
        """What was told and is not noted to be."""
        with self._changed:
            return list(self._told)

    @property
    def is_failing(self) -> bool:
        """Whether the webhook refused, or could not be reached, the last time."""
        return self._failures > 0

    def noted(self, alert: Alert) -> None:
        """It is noted that this was told."""
        with self._changed:
            self._told.remove(alert)

    def _run(self) -> None:
        while self._await():
            some = self.pending()[:AT_ONCE]
            pause = self._post([alert.message for alert in some]) if some else None
            if pause is None:
                self._note(some)
            with self._changed:
                if not self._is_ending:
                    self._changed.wait(GATHER if pause is None else pause)

    def _await(self) -> bool:
        """Wait for something to tell, and for what comes with it; False when the process ends."""
        with self._changed:
            while not self._pending and not self._is_ending:
                self._changed.wait()
            return not self._changed.wait_for(lambda: self._is_ending, GATHER)

    def _note(self, some: list[Alert]) -> None:
        with self._changed:
            for alert in some:
                self._told.append(alert)
                # Another state came up meanwhile: that is told as well.
                if self._pending.get((alert.connection, alert.kind)) is alert:
                    del self._pending[alert.connection, alert.kind]
            self._changed.notify_all()

    def _post(self, texts: list[str]) -> float | None:
        """None when it was taken, or there is no webhook; else the seconds until the next try."""
        refused, asked = _send(self._alerts(), to_slack(texts))
        if not refused:
            if self._failures:
                logger.info("The webhook takes alerts again.", extra={"event": "alert_webhook"})
            self._failures = 0
            return None
        self._failures += 1
        if self._failures == 1:
            logger.warning(
                "The webhook took no alert: %s. It is tried again until it does.",
                refused,
                extra={"event": "alert_webhook"},
            )
        now = datetime.now(UTC)
        return (next_attempt(self._failures, now, min(asked, LONGEST_DELAY)) - now).total_seconds()


def _send(alerts: Alerts, text: str) -> tuple[str, float]:
    """("" or why it was not taken, seconds it asks us to wait); without a webhook nothing is wanted."""
    if alerts.webhook is None:
        return "", 0.0
    import requests
    from requests.utils import get_environ_proxies

    address = alerts.webhook.get_secret_value()
    with requests.Session() as session:
        # Of the environment only the way out counts: no .netrc may add a login, and no bundle weaken certificates.
        session.trust_env = False
        if alerts.ca_bundle is not None:
            session.verify = str(alerts.ca_bundle)
        try:
            session.proxies.update(get_environ_proxies(address))
            answer = session.post(address, json={"text": text}, timeout=TIMEOUT, allow_redirects=False, stream=True)
        except (requests.RequestException, OSError, ValueError) as error:
            return type(error).__name__, 0.0
        return _outcome(answer)


def _outcome(answer: requests.Response) -> tuple[str, float]:
    with answer:
        if answer.ok and not answer.is_redirect:
            return "", 0.0
        after = answer.headers.get("Retry-After", "")
        return f"HTTP {answer.status_code}", float(after) if after.isdecimal() else 0.0
