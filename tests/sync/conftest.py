"""What the tests of the circle share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.core import retry
from tests.world import ENVIRONMENT, INVITING, World, quick_starts, world


@pytest.fixture(scope="module")
def quickly() -> Iterator[None]:
    """Every start in a module reads the mapping once only."""
    with quick_starts():
        yield


@pytest.fixture
def inviting_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quickly: None) -> Iterator[World]:
    """Both services, and a connector with the shipped mapping and its invitations."""
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with world(tmp_path, mapping=INVITING) as made:
        yield made
