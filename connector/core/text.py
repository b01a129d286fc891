"""How a value looks as text where a person wrote it down: in a mapping's lists, templates and constants."""

from __future__ import annotations

from typing import Any

from connector.core.transforms.transform import TransformError
from connector.core.transforms.transform import to_text as to_strict_text


def to_text(value: Any) -> str:
    """``true`` for yes, numbers without idle zeros; never fails, whatever the value is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return to_strict_text(value)
    except TransformError:
        return str(value)
