"""What of a request the log may show. Only what AWS's model gives the choice of is plain; sellers' words never are.

It decides by the shape of a member and not by what stands in it, but for two looks that keep a text out of a place that
is made for something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector.core.schema import Shape

STARS = "***"
IDS = frozenset({"Id", "ClientToken", "Catalog"})
"""Members that hold an id, beside those whose names end with Identifier."""
_ID = re.compile(r"[!-~]+")
_DAY_OR_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)


def redacted(value: Any, shape: Shape | None, name: str = "") -> Any:
    """A request for the log: values of enums, days, instants, numbers, truths and ids stay, all other text is starred.

    ``name`` is the member's own. What AWS's model marks sensitive, or does not know, is starred whatever it is.
    """
    if shape is None or shape.sensitive:
        return STARS
    if isinstance(value, Mapping):
        return {key: redacted(inner, shape.members.get(key), key) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, shape.item, name) for inner in value]
    return STARS if isinstance(value, str) and not _is_plain(value, shape, name) else value


def _is_plain(text: str, shape: Shape, name: str) -> bool:
    if shape.enum:
        return text in shape.accepted
    if name in IDS or name.endswith("Identifier"):
        return _ID.fullmatch(text) is not None
    return _DAY_OR_INSTANT.fullmatch(text) is not None
