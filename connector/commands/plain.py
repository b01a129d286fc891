"""Text from records, as a terminal may have it. It is the same for everything that shows it; see ``core.plain``."""

from __future__ import annotations

from connector.core.plain import to_plain

__all__ = ["to_plain"]
