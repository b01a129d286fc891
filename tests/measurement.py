"""A number that was measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number, with its unit and how it was made."""

    part: str
    name: str
    value: float
    unit: str
    how: str
