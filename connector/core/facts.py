"""What Salesforce should show: the facts that ``write_back`` may name, and their spelling in a field."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from connector.core.diff import unescaped, value_at
from connector.core.model import Link

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


def fact_of(name: str, link: Link, status: str, message: str, at: datetime | None) -> tuple[bool, Any]:
    """(whether it is known, value) of one fact. What AWS has not told yet is unknown, and blanks nothing."""
    root, _, rest = name.partition(".")
    if root == "sync":
        values = {"status": status, "message": message, "at": at.isoformat() if at else None}
        return True, values[rest]
    if root == "task":
        return link.task is not None, None if link.task is None else value_at(link.task.facts, rest)
    if name == "opportunity.Id":
        return bool(link.opportunity_id), link.opportunity_id
    value = unescaped(value_at(link.existing or {}, rest))
    return value is not None, value


def to_field(value: Any, kind: str, length: int) -> Any:
    """A fact as a Salesforce field of this describe type takes it; text is cut to ``length`` (0: no limit).

    Lists become ``;``-separated text. Instants have whole seconds, as Salesforce keeps them.
    """
    if value in (None, "", [], {}):
        return None
    if isinstance(value, list):
        value = ";".join(str(item) for item in value)
    if kind == "datetime":
        return to_salesforce_instant(str(value))
    if kind == "date":
        return str(value)[:10]
    if isinstance(value, bool | int | float):
        return value if kind in {"boolean", "double", "int", "currency", "percent"} else str(value)
    text = re.sub(r"\r\n?", "\n", str(value)).strip()
    return text if not length or len(text) <= length else text[: length - 1].rstrip() + "…"


def to_salesforce_instant(text: str) -> str:
    """An ISO instant the way Salesforce shows it: ``2026-01-01T10:00:00.000+0000``."""
    normal = re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))
    return datetime.fromisoformat(normal).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def is_shown(value: Any, shown: Any) -> bool:
    """Whether Salesforce shows this value already."""
    return bool(_plain(value) == _plain(shown))


def _plain(value: Any) -> Any:
    if value in (None, ""):
        return None
    if isinstance(value, str):
        text = re.sub(r"\r\n?", "\n", value).strip()
        return to_salesforce_instant(text) if _INSTANT.fullmatch(text) else text
    return value


def unlike(values: dict[str, Any], shown: dict[str, Any], ignored: Iterable[str] = ()) -> dict[str, Any]:
    """The fields of ``values`` that Salesforce does not show as they should be."""
    skipped = set(ignored)
    return {n: v for n, v in values.items() if n not in skipped and not is_shown(v, shown.get(n))}
