"""A file that a command writes for its user: readable by that one alone, and there as a whole or as it was before.

It has customers' contacts or a trail of names, so a file that others may read is not written over but replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from connector.errors import UserError


def require_place(out: Path) -> None:
    """Raises UserError where no file can be written there, so that nothing is read for it first."""
    if not out.absolute().parent.is_dir():
        raise UserError(f"There is no folder {out.parent} to write to.", "Make it, or name another file.")
    if out.exists() and not out.is_file():
        raise UserError(f"{out} is no file.", "Name a file, or leave --out away to print.")


def write(out: Path, texts: Iterable[str]) -> int:
    """Gives how many texts were written, as they are; a file that was there is kept until all of them are."""
    part = out.with_name(f".{out.name}.part")
    part.unlink(missing_ok=True)
    number = 0
    try:
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # Lines end as they are made: those of csv are another kind.
        with os.fdopen(opened, "w", encoding="utf-8", newline="") as file:
            for text in texts:
                file.write(text)
                number += 1
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return number
