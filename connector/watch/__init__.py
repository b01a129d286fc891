"""Watches whether the loops make progress and tells people when that changes. Writes to neither service."""
