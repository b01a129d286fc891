"""Values that AWS's documentation lists where its model has no enum, read from the installed botocore.

They are offered, not insisted on: the documentation is for people, and AWS may take more than it says.
"""

from __future__ import annotations

import html
import re
from functools import cache

from connector.adapters.partner_central.model import service_model
from connector.core.schema import steps_of

_LIST = re.compile(r"Valid values:\s*<code>(.*?)</code>", re.DOTALL)


@cache
def documented_values(path: str) -> tuple[str, ...]:
    """The values listed for a path of CreateOpportunity (``Project.ApnPrograms``); none where there is no list."""
    shape = service_model().operation_model("CreateOpportunity").input_shape
    for step in steps_of(path):
        while shape.type_name == "list":
            shape = shape.member
        members = shape.members if shape.type_name == "structure" else {}
        if step not in members:
            return ()
        shape = members[step]
    found = _LIST.search(shape.documentation or "")
    return tuple(value.strip() for value in html.unescape(found[1]).split(" | ")) if found else ()
