"""How instants are told: ISO, UTC, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def to_z(moment: datetime | None) -> str | None:
    """``2026-11-01T10:00:00Z``; None for none."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def read_instant(text: str) -> datetime | None:
    """The instant of a watermark; None for "", which stands for never."""
    return datetime.fromisoformat(text) if text else None
