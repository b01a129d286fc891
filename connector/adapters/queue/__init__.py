"""The job queue on PostgreSQL; the only package that knows Procrastinate. Importing it does not import that."""

from __future__ import annotations

from connector.adapters.queue import schema
from connector.adapters.queue.work import Look, Timing, Work

__all__ = ["Look", "Timing", "Work", "schema"]
