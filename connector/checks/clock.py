"""How far this machine's clock may be off from a service's. Asks neither."""

from __future__ import annotations

from datetime import timedelta

from connector.core.eta import to_words
from connector.core.findings import Finding, Severity

SUSPICIOUS = timedelta(seconds=60)
_CURE = "Let it keep time by NTP: from five minutes on, logins to Salesforce and calls to AWS are refused."


def judge_clock(connection: str, service: str, ahead: timedelta, wrong: timedelta) -> Finding:
    """What is to be said of a service's clock that is ``ahead`` of ours; from ``wrong`` on it takes nothing of ours."""
    if abs(ahead) < SUSPICIOUS:
        message = f"This machine's clock and {service}'s agree."
        return Finding(Severity.NOTE, "clock", message, connection=connection)
    way = "behind" if ahead > timedelta() else "ahead of"
    message = f"This machine's clock is {to_words(abs(ahead))} {way} {service}'s."
    severity = Severity.ERROR if abs(ahead) >= wrong else Severity.WARNING
    return Finding(severity, "clock", message, _CURE, connection=connection)
