"""Who sits at this terminal, for the audit trail: the user of the operating system and the machine."""

from __future__ import annotations

import os
import pwd
import socket


def person() -> str:
    """``alice on host``; ``root (sudo by alice) on host`` where the system says so, else the user's number."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # a container knows numbers only
        name = f"user {number}"
    before = os.environ.get("SUDO_USER", "")
    sudo = f" (sudo by {before})" if before and before != name and number == 0 else ""
    return f"{name}{sudo} on {socket.gethostname()}"
