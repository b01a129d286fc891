"""Finds the data files that are shipped with the connector, in an installed wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path

from connector.errors import UserError

PACKAGE = Path(__file__).resolve().parent


def packaged(*parts: str) -> Path:
    """The path of shipped data: below ``mappings`` or ``migrations``, or ``config.example.yaml``.

    A wheel carries it in ``connector/_data``; in a checkout it lies beside the ``connector`` package. Raises
    UserError where it is in neither place.
    """
    for directory in (PACKAGE / "_data", PACKAGE.parent):
        path = directory.joinpath(*parts)
        if path.exists():
            return path
    raise UserError(f"The installation is incomplete: {'/'.join(parts)} is missing.", "Install the connector again.")
