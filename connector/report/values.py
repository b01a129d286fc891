"""Values that are or would be sent, each with where it comes from."""

from __future__ import annotations

from typing import Any

from connector.core.model import Mapped, Origin, Structure


def values_of(mapped: Mapped) -> list[Structure]:
    """Each value that is or would be sent: AWS path, value, Salesforce field and line of the mapping."""
    rows = [*leaves_at(mapped.opportunity), *leaves_at(mapped.submission or {}, "AwsSubmission")]
    rows += [(f"RelatedEntityIdentifiers.{a.entity_type}", a.identifier) for a in mapped.associations]
    rows += leaves_at(mapped.assignee or {}, "Assignee")
    return [{"path": path, "value": value, **place_of(mapped.origin_of(path))} for path, value in rows]


def place_of(origin: Origin | None) -> Structure:
    """Where a value comes from: Salesforce field, file and line of the mapping; {} where nobody knows."""
    if origin is None:
        return {}
    return {"salesforce_field": origin.label, "file": origin.file, "line": origin.line}


def leaves_at(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """(AWS path, value) of every leaf below ``path``; a list of plain values is one leaf."""
    if isinstance(value, dict):
        return [row for name, inner in value.items() for row in leaves_at(inner, f"{path}.{name}" if path else name)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [row for i, inner in enumerate(value) for row in leaves_at(inner, f"{path}[{i}]")]
    return [(path, value)]
