"""Text from records, as it may be shown: what would steer a terminal or a page is shown instead of carried out.

A record's name, a contact or a partner's reason is written by somebody else. Nothing here knows where it is shown.
"""

from __future__ import annotations

import re

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line end, and what turns the direction of writing."""


def to_plain(text: str) -> str:
    """The text with each steering character as ``\\u001b``, which is how JSON writes it too."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))
