"""Who sits at this terminal, for the audit trail: the user of the operating system and the machine.

Whom sudo was called by is asked of every user: a wrapper that starts as root goes on as the connector's own user, and
the trail would name that one for everybody.
"""

from __future__ import annotations

import os
import pwd
import socket


def person() -> str:
    """``alice on host``; with sudo ``connector (sudo by alice) on host``. A number where the user has no name.

    Whoever sudo was called by is what the environment says, and only as good as that.
    """
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # a container knows numbers only
        name = f"user {number}"
    before = os.environ.get("SUDO_USER", "")
    sudo = f" (sudo by {before})" if before and before != name else ""
    return f"{name}{sudo} on {socket.gethostname()}"
