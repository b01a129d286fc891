"""What Salesforce should show: the facts that ``write_back`` may name, and their spelling in a field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connector.core.diff import unescaped, value_at
from connector.core.model import Link

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


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
    value = unescaped(_through_lists(link.existing or {}, rest.split(".")))
    return value not in (None, []), value


def _through_lists(value: Any, steps: list[str]) -> Any:
    """The value at a path; of a list every item's, unless the step names one: ``Contacts[0].Email``."""
    if isinstance(value, list):
        found = (_through_lists(item, steps) for item in value)
        return [item for item in found if item not in (None, "", [], {})]
    if not steps or not isinstance(value, Mapping):
        return None if steps else value
    name, _, index = steps[0].rstrip("]").partition("[")
    inner = value.get(name)
    if index and isinstance(inner, list):
        inner = inner[int(index)] if int(index) < len(inner) else None
    return _through_lists(inner, steps[1:])


def to_field(value: Any, kind: str, length: int) -> Any:
    """A fact as a Salesforce field of this describe type takes it; text is cut to ``length`` (0: no limit).

    Lists become ``;``-separated text. Instants have whole seconds, as Salesforce keeps them.
    """
    if value in (None, "", [], {}):
        return None
    if isinstance(value, list):
        value = ";".join(str(item) for item in value)
    if kind == "datetime":
        return to_salesforce_instant(str(value)) or str(value)
    if kind == "date":
        return str(value)[:10]
    if isinstance(value, bool | int | float):
        return value if kind in {"boolean", "double", "int", "currency", "percent"} else str(value)
    text = re.sub(r"\r\n?", "\n", str(value)).strip()
    return text if not length or len(text) <= length else text[: length - 1].rstrip() + "…"


def to_salesforce_instant(text: str) -> str:
    """An ISO instant the way Salesforce shows it: ``2026-01-01T10:00:00.000+0000``; "" when it is none."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return ""
    in_utc = instant.astimezone(UTC) if instant.tzinfo else instant
    return in_utc.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def is_shown(value: Any, shown: Any) -> bool:
    """Whether Salesforce shows this value already."""
    return bool(value == shown or _plain(value) == _plain(shown))


def _plain(value: Any) -> Any:
    if value in (None, ""):
        return None
    if isinstance(value, str):
        text = re.sub(r"\r\n?", "\n", value).strip()
        return (to_salesforce_instant(text) if _INSTANT.match(text) else "") or text
    return value


def unlike(values: dict[str, Any], shown: dict[str, Any], ignored: Iterable[str] = ()) -> dict[str, Any]:
    """The fields of ``values`` that Salesforce does not show as they should be."""
    skipped = set(ignored)
    return {n: v for n, v in values.items() if n not in skipped and not is_shown(v, shown.get(n))}
