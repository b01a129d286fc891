"""What a newer model of AWS's service changes for a mapping that was checked with an older one. Plain data, no I/O."""

from __future__ import annotations

from connector.core.drift.judgement import drift
from connector.core.drift.table import ModelRecord, shapes_of, table_of

__all__ = ["ModelRecord", "drift", "shapes_of", "table_of"]
